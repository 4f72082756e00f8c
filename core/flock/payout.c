/* The payout guard: what each miner should mine for, compared with all that it says.
 *
 * A miner of the browser that told no address yet awaits one: the first that it says is judged as
 * if it had said it when it was taken in (newcomer_address()). One without a row awaits it,
 * whatever way it came in; so does one whose row has the address "", which is NULL in memory. NULL
 * in the row is the word of an admin: not watched.
 *
 * An alarm is one JSON object in the row of the expectation, so that it survives a restart:
 *   {"since_ms":…,"pools":[…],"addresses":[…]            said instead, not acknowledged
 *    "known_pools":[…],"known_addresses":[…],            said instead, and an admin has seen it
 *    "acknowledged_by":"admin","acknowledged_at_ms":…}
 * Each of these texts rings once. It is forgotten when it was acknowledged and the miner then said
 * the right thing; what is not acknowledged stays, whatever the miner says meanwhile. */
#include "flock/internal.h"

#include "coin/coin.h"
#include "util/clock.h"
#include "util/log.h"

enum {
    SAID_MAX = 8,   /* different texts of a miner in one alarm; it is as red with eight */
    SHOWN_MAX = 40, /* alarms in the fact: 40 times the longest one stay under FACT_MAX_BYTES */
    TEXT_SHOWN_MAX = 110, /* two of them are one event's text; the longest address has 90 */
    USER_NAME_MAX = 25 /* no address of a coin is as short; pools with accounts have user names */
};

/* ---- rows ---- */

struct expected *expected_find(const struct flock *flock, int64_t miner_id)
{
    struct expected *expected;
    LIST_FOREACH(expected, &flock->expected, link)
    {
        if (expected->miner_id == miner_id)
            return expected;
    }
    return NULL;
}

static void expected_free(struct expected *expected)
{
    LIST_REMOVE(expected, link);
    free(expected->pool);
    free(expected->address);
    free(expected->set_by);
    json_decref(expected->alarm);
    free(expected);
}

static void save(struct flock *flock, const struct expected *expected)
{
    json_t *row = json_object();
    char *alarm = expected->alarm ? json_dumps(expected->alarm, JSON_COMPACT) : NULL;
    json_object_set_new(row, "id", json_integer(expected->miner_id));
    json_object_set_new(row, "pool", text_json(expected->pool));
    json_object_set_new(row, "address",
                        text_json(expected->awaits_address ? "" : expected->address));
    json_object_set_new(row, "set_at_ms", json_integer(expected->set_at_ms));
    json_object_set_new(row, "set_by", text_json(expected->set_by));
    json_object_set_new(row, "alarm", text_json(alarm));
    if (store_row_put(flock->store, TABLE_EXPECTED, row) != 0)
        log_error("flock", "the expected payout of miner %lld cannot be stored",
                  (long long)expected->miner_id);
    free(alarm);
    json_decref(row);
}

static struct expected *expected_new(struct flock *flock, int64_t miner_id)
{
    struct expected *expected = shep_alloc(sizeof *expected);
    expected->miner_id = miner_id;
    LIST_INSERT_HEAD(&flock->expected, expected, link);
    return expected;
}

static void restore_row(const json_t *row, void *arg)
{
    struct flock *flock = arg;
    const char *alarm = field(row, "alarm"), *address = field(row, "address");
    struct expected *expected = expected_new(flock, row_id(row));
    expected->pool = shep_strdup(field(row, "pool"));
    expected->awaits_address = address && !address[0];
    expected->address = expected->awaits_address ? NULL : shep_strdup(address);
    expected->set_by = shep_strdup(field(row, "set_by"));
    expected->set_at_ms = json_integer_value(json_object_get(row, "set_at_ms"));
    expected->alarm = alarm ? json_loads(alarm, 0, NULL) : NULL;
    if (alarm && !json_is_object(expected->alarm)) {
        json_decref(expected->alarm);
        expected->alarm = NULL;
    }
}

void expected_drop(struct flock *flock, int64_t miner_id)
{
    struct expected *expected = expected_find(flock, miner_id);
    if (!expected)
        return;
    expected_free(expected);
    store_row_delete(flock->store, TABLE_EXPECTED, miner_id);
}

/* ---- alarms ---- */

static const json_t *texts(const struct expected *expected, const char *key)
{
    return json_object_get(expected->alarm, key);
}

static json_t *texts_of(struct expected *expected, const char *key)
{
    if (!expected->alarm)
        expected->alarm = json_object();
    json_t *list = json_object_get(expected->alarm, key);
    if (!json_is_array(list)) {
        list = json_array();
        json_object_set_new(expected->alarm, key, list);
    }
    return list;
}

static bool is_in(const json_t *list, const char *text)
{
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)list, i, item)
    {
        if (str_eq(json_string_value(item), text))
            return true;
    }
    return false;
}

static const char *newest(const struct expected *expected, const char *key)
{
    const json_t *list = texts(expected, key);
    size_t n = json_array_size(list);
    return n ? json_string_value(json_array_get(list, n - 1)) : NULL;
}

bool alarm_is_open(const struct expected *expected)
{
    return newest(expected, "pools") || newest(expected, "addresses");
}

json_t *alarm_json(const struct expected *expected)
{
    if (!alarm_is_open(expected))
        return json_null();
    json_t *out = json_object();
    json_object_set(out, "since_ms", json_object_get(expected->alarm, "since_ms"));
    json_object_set_new(out, "pool", text_json(newest(expected, "pools")));
    json_object_set_new(out, "address", text_json(newest(expected, "addresses")));
    return out;
}

/* The fact that every page shows as a banner. Miners that are not there now are left out; their
 * alarms come back with them. */
void payout_publish(struct flock *flock)
{
    json_t *alarms = json_array(), *fact = json_object();
    json_int_t total = 0;
    struct expected *expected;
    LIST_FOREACH(expected, &flock->expected, link)
    {
        struct miner *miner = herd_miner_by_id(flock->herd, expected->miner_id);
        if (!miner || !alarm_is_open(expected) || total++ >= SHOWN_MAX)
            continue;
        json_t *item = alarm_json(expected);
        json_object_set_new(item, "miner_id", json_integer(expected->miner_id));
        json_object_set_new(item, "miner", text_json(miner_name(miner)));
        json_object_set_new(item, "expected_pool", text_json(expected->pool));
        json_object_set_new(item, "expected_address", text_json(expected->address));
        json_array_append_new(alarms, item);
    }
    json_object_set_new(fact, "alarms", alarms);
    json_object_set_new(fact, "total", json_integer(total));
    char *text = json_dumps(fact, JSON_COMPACT);
    if (!text || facts_put(flock->facts, "payout", text, strlen(text)) != 0)
        log_error("flock", "the payout alarms cannot be shown on the pages");
    free(text);
    json_decref(fact);
}

static void ring(struct flock *flock, struct expected *expected, struct miner *miner,
                 const char *what, const char *said, const char *should)
{
    char text[SHEP_TEXT_MAX], a[TEXT_SHOWN_MAX], b[TEXT_SHOWN_MAX];
    str_copy(a, sizeof a, said, strlen(said));
    str_copy(b, sizeof b, should, strlen(should));
    int len = snprintf(text, sizeof text, "%s is %s, expected %s", what, a, b);
    struct shep_event event = {.size = sizeof event,
                               .event = SHEP_EV_PAYOUT_CHANGED,
                               .at_ms = clock_wall_ms(),
                               .text = text,
                               .text_len = (size_t)len};
    herd_event(flock->herd, miner, &event);
    payout_publish(flock);
    flock_touch(flock);
}

static void heard_wrong(struct flock *flock, struct expected *expected, struct miner *miner,
                        bool pool, const char *said)
{
    const char *key = pool ? "pools" : "addresses";
    if (is_in(texts(expected, key), said) ||
        is_in(texts(expected, pool ? "known_pools" : "known_addresses"), said) ||
        json_array_size(texts(expected, key)) >= SAID_MAX)
        return;
    bool was_open = alarm_is_open(expected);
    json_array_append_new(texts_of(expected, key), text_json(said));
    if (!was_open)
        json_object_set_new(expected->alarm, "since_ms", json_integer(clock_wall_ms()));
    save(flock, expected);
    ring(flock, expected, miner, pool ? "pool" : "address", said,
         pool ? expected->pool : expected->address);
}

/* What was acknowledged may ring again from here on. */
static void heard_right(struct flock *flock, struct expected *expected, bool pool)
{
    const char *key = pool ? "known_pools" : "known_addresses";
    if (json_array_size(texts(expected, key)) == 0)
        return;
    json_object_del(expected->alarm, key);
    if (!alarm_is_open(expected) && json_array_size(texts(expected, "known_pools")) == 0 &&
        json_array_size(texts(expected, "known_addresses")) == 0) {
        json_decref(expected->alarm);
        expected->alarm = NULL;
    }
    save(flock, expected);
    flock_touch(flock);
}

static void heard(struct flock *flock, struct expected *expected, struct miner *miner, bool pool,
                  const char *said)
{
    const char *should = pool ? expected->pool : expected->address;
    if (!should || !said || !said[0])
        return;
    bool right = pool ? pool_is_in(should, said) : coin_address_same(should, said);
    if (right)
        heard_right(flock, expected, pool);
    else
        heard_wrong(flock, expected, miner, pool, said);
}

static void expect(struct flock *flock, struct expected *expected, const char *pool,
                   const char *address, const char *who)
{
    char *pool_copy = shep_strdup(pool), *address_copy = shep_strdup(address);
    free(expected->pool);
    free(expected->address);
    free(expected->set_by);
    expected->pool = pool_copy;
    expected->address = address_copy;
    expected->set_by = shep_strdup(who);
    expected->set_at_ms = clock_wall_ms();
    save(flock, expected);
}

/* The first address of a miner that awaits one. */
static void first_address(struct flock *flock, const struct miner *miner, const char *said)
{
    struct expected *expected = expected_find(flock, miner_id(miner));
    bool awaited = expected ? expected->awaits_address : miner_origin(miner) == MINER_FROM_DB;
    if (!awaited || !said || !said[0])
        return;
    if (!expected)
        expected = expected_new(flock, miner_id(miner));
    expected->awaits_address = false;
    expect(flock, expected, expected->pool, newcomer_address(flock, said), "accepted");
}

/* What it says with what it should say; NULL: it says nothing. */
static void compare(struct flock *flock, struct miner *miner, const char *pool, const char *address)
{
    first_address(flock, miner, address);
    struct expected *expected = expected_find(flock, miner_id(miner));
    if (!expected)
        return;
    heard(flock, expected, miner, true, pool);
    heard(flock, expected, miner, false, address);
}

void payout_look(struct flock *flock, struct miner *miner)
{
    compare(flock, miner, miner_text(miner, SHEP_A_POOL, NULL),
            miner_text(miner, SHEP_A_WALLET, NULL));
}

static void on_text(struct miner *miner, uint32_t attr, const char *text, void *arg)
{
    struct flock *flock = arg;
    if (miner_origin(miner) == MINER_FOUND)
        flock_touch(flock); /* what a stranger tells is shown where it is offered */
    if (attr == SHEP_A_POOL)
        compare(flock, miner, text, NULL);
    else if (attr == SHEP_A_WALLET)
        compare(flock, miner, NULL, text);
}

static void look(struct miner *miner, void *arg)
{
    payout_look(arg, miner);
}

/* The first turn of the loop: by then the readings of the last run are back. */
static void on_first_look(void *arg)
{
    struct flock *flock = arg;
    flock->first_look = NULL; /* it fired and freed itself */
    herd_each(flock->herd, look, flock);
    payout_publish(flock);
}

void payout_restore(struct flock *flock)
{
    struct herd_listener listener = {.text = on_text, .arg = flock};
    if (store_rows_each(flock->store, TABLE_EXPECTED, restore_row, flock) != 0)
        log_error("flock", "expected payouts cannot be read from the database; nothing guards them "
                           "until it is mended");
    herd_listen(flock->herd, &listener);
    payout_publish(flock);
    flock->first_look = loop_timer_new(flock->loop, &flock->owner, 0, 0, on_first_look, flock);
}

void payout_free(struct flock *flock)
{
    while (!LIST_EMPTY(&flock->expected))
        expected_free(LIST_FIRST(&flock->expected));
}

/* ---- what people say ---- */

static int check_address(const char *address, char why[FLOCK_WHY_MAX])
{
    struct coin_verdict verdict;
    size_t len = strlen(address);
    if (len < USER_NAME_MAX)
        return 0;
    coin_address_check(address, len, NULL, &verdict);
    if (verdict.result == COIN_WRONG)
        return refuse(SHEP_E_CONFIG, why, "address: %s", verdict.why);
    return 0;
}

int flock_expect(struct flock *flock, int64_t id, const char *pool, const char *address,
                 const char *who, char why[FLOCK_WHY_MAX])
{
    struct miner *miner;
    int rc = miner_find(flock, id, &miner, why);
    if (!rc && pool && !pool_list_is_valid(pool, why))
        rc = SHEP_E_CONFIG;
    if (!rc && address)
        rc = check_address(address, why);
    if (rc)
        return rc;
    struct expected *expected = expected_find(flock, id);
    if (!expected)
        expected = expected_new(flock, id);
    expected->awaits_address = false;
    json_decref(expected->alarm);
    expected->alarm = NULL;
    expect(flock, expected, pool, address, who);
    payout_look(flock, miner);
    payout_publish(flock);
    flock_touch(flock);
    return 0;
}

static size_t n_who_pay_to(const struct flock *flock, const char *address)
{
    const struct expected *other;
    size_t n = 0;
    LIST_FOREACH(other, &flock->expected, link)
    {
        n += coin_address_same(other->address, address);
    }
    return n;
}

/* The address that most should pay to; NULL: nobody's is known. */
static const char *usual_address(const struct flock *flock)
{
    const struct expected *other, *most = NULL;
    size_t n_most = 0;
    LIST_FOREACH(other, &flock->expected, link)
    {
        size_t n = other->address ? n_who_pay_to(flock, other->address) : 0;
        if (n > n_most) {
            n_most = n;
            most = other;
        }
    }
    return most ? most->address : NULL;
}

const char *newcomer_address(const struct flock *flock, const char *said)
{
    const char *usual = n_who_pay_to(flock, said) ? NULL : usual_address(flock);
    return usual ? usual : said;
}

bool addresses_are_known(const struct flock *flock)
{
    return usual_address(flock) != NULL;
}

void expect_as_said(struct flock *flock, struct miner *miner, const char *pool, const char *address,
                    const char *who)
{
    char why[FLOCK_WHY_MAX];
    bool pool_is_good = pool && pool[0] && pool_list_is_valid(pool, why);
    /* a wrong one too: it is what the board has, and its owner is told when that changes */
    bool address_is_good = address && address[0] && strlen(address) <= SHEP_TEXT_MAX;
    if (!expected_find(flock, miner_id(miner)) && (pool_is_good || address_is_good)) {
        struct expected *expected = expected_new(flock, miner_id(miner));
        expected->awaits_address = !address_is_good;
        expect(flock, expected, pool_is_good ? pool : NULL, address_is_good ? address : NULL, who);
    }
    payout_look(flock, miner);
}

void expected_move(struct flock *flock, int64_t from_id, int64_t into_id)
{
    struct expected *expected = expected_find(flock, from_id);
    if (expected && !expected_find(flock, into_id)) {
        store_row_delete(flock->store, TABLE_EXPECTED, from_id);
        expected->miner_id = into_id;
        expected->awaits_address = !expected->address; /* "not watched" was said of the other */
        save(flock, expected);
    } else {
        expected_drop(flock, from_id);
    }
}

static void move_texts(struct expected *expected, const char *from, const char *to)
{
    json_t *open = texts_of(expected, from), *known = texts_of(expected, to);
    json_array_extend(known, open);
    while (json_array_size(known) > SAID_MAX)
        json_array_remove(known, 0);
    json_object_del(expected->alarm, from);
}

int flock_acknowledge(struct flock *flock, int64_t id, const char *who, char why[FLOCK_WHY_MAX])
{
    struct miner *miner;
    struct expected *expected = expected_find(flock, id);
    int rc = miner_find(flock, id, &miner, why);
    if (rc)
        return rc;
    if (!expected || !alarm_is_open(expected))
        return refuse(SHEP_E_GONE, why, "'%s' has no payout alarm", miner_name(miner));
    move_texts(expected, "pools", "known_pools");
    move_texts(expected, "addresses", "known_addresses");
    json_object_del(expected->alarm, "since_ms");
    json_object_set_new(expected->alarm, "acknowledged_by", text_json(who));
    json_object_set_new(expected->alarm, "acknowledged_at_ms", json_integer(clock_wall_ms()));
    save(flock, expected);
    struct shep_event event = {.size = sizeof event,
                               .event = SHEP_EV_PAYOUT_ACKNOWLEDGED,
                               .at_ms = clock_wall_ms(),
                               .text = who,
                               .text_len = strlen(who)};
    herd_event(flock->herd, miner, &event);
    payout_look(flock, miner); /* it may say the right thing by now */
    payout_publish(flock);
    flock_touch(flock);
    return 0;
}

char *flock_expected_dup(const struct flock *flock, int64_t miner_id)
{
    const struct expected *expected = expected_find(flock, miner_id);
    return shep_asprintf("pool → %s; address → %s",
                         expected && expected->pool ? expected->pool : "(not watched)",
                         expected && expected->address ? expected->address : "(not watched)");
}
