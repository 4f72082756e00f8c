/* What a miner should mine for, and that an alarm was seen. The first is dear; for the second an
 * admin's login is enough. */
#include "forms/internal.h"

static char *subject_dup(const struct ask *ask)
{
    json_t *miner = flock_miner_json(ask->forms->conf.flock, ask->id);
    const char *name = json_string_value(json_object_get(miner, "name"));
    char *subject = shep_strdup(name ? name : "?");
    json_decref(miner);
    return subject;
}

/* An empty field: not watched. An absent one stays. Owned. */
static char *wanted_dup(const struct ask *ask, const json_t *miner, const char *name,
                        const char *column)
{
    const char *text = ask_field(ask, name);
    if (!text)
        return shep_strdup(json_string_value(json_object_get(miner, column)));
    text += strspn(text, " \t\r\n");
    size_t len = strlen(text);
    while (len && strchr(" \t\r\n", text[len - 1]))
        len--;
    return len ? shep_strndup(text, len) : NULL;
}

static void expect_now(struct ask *ask)
{
    struct flock *flock = ask->forms->conf.flock;
    char why[FLOCK_WHY_MAX];
    json_t *miner = flock_miner_json(ask->forms->conf.flock, ask->id);
    char *pool = wanted_dup(ask, miner, "pool", "expected_pool");
    char *address = wanted_dup(ask, miner, "address", "expected_address");
    char *before = flock_expected_dup(flock, ask->id);
    int rc = flock_expect(flock, ask->id, pool, address, ask->grant.who, why);
    if (rc == 0) {
        char *after = flock_expected_dup(flock, ask->id), *subject = subject_dup(ask);
        json_t *extra = json_object();
        ask_audit(ask, "payout.expect", subject, before, after);
        json_object_set_new(extra, "old", forms_text_json(before));
        json_object_set_new(extra, "new", forms_text_json(after));
        ask_answer(ask, 0, "This is expected from now on.", extra);
        free(after);
        free(subject);
    } else {
        ask_answer(ask, rc, why, NULL);
    }
    free(pool);
    free(address);
    free(before);
    json_decref(miner);
}

static void expect(struct ask *ask)
{
    ask_dear(ask, expect_now);
}

static void acknowledge_now(struct ask *ask)
{
    char why[FLOCK_WHY_MAX], *subject = subject_dup(ask);
    json_t *miner = flock_miner_json(ask->forms->conf.flock, ask->id);
    char *alarm = ask_words_dup(json_object_get(miner, "alarm"));
    int rc = flock_acknowledge(ask->forms->conf.flock, ask->id, ask->grant.who, why);
    if (rc == 0)
        ask_audit(ask, "payout.acknowledge", subject, alarm, NULL);
    ask_answer(ask, rc, rc ? why : "The alarm is acknowledged.", NULL);
    free(alarm);
    free(subject);
    json_decref(miner);
}

static void acknowledge(struct ask *ask)
{
    if (ask->grant.role >= ROLE_ADMIN)
        acknowledge_now(ask);
    else
        ask_dear(ask, acknowledge_now);
}

const struct form_route payout_routes[] = {
    {.path = "/miners/expect/*", .role = ROLE_OPERATOR, .fn = expect},
    {.path = "/miners/acknowledge/*", .role = ROLE_OPERATOR, .fn = acknowledge},
    {0}};
