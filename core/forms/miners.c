/* Miners: added, edited, deleted, merged. The edit and delete forms are those of the Python one as
 * well, with its fields and texts. */
#include "forms/internal.h"

/* Fields of the Python one's forms under our names. */
static const struct {
    const char *old, *ours;
} renamed[] = {{"miner_id", "name"}, {"nerdminer_vrs", "version"}, {"location_notes", "location"}};

static json_t *miner_fields_dup(const struct ask *ask)
{
    json_t *fields = ask_fields_dup(ask);
    for (size_t i = 0; i < ARRAY_LEN(renamed); i++) {
        json_t *value = json_object_get(fields, renamed[i].old);
        if (value && !json_object_get(fields, renamed[i].ours))
            json_object_set(fields, renamed[i].ours, value);
        json_object_del(fields, renamed[i].old);
    }
    return fields;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

/* ---- add, edit ---- */

static void add(struct ask *ask)
{
    char why[FLOCK_WHY_MAX];
    json_t *fields = miner_fields_dup(ask);
    int rc = flock_miner_add(ask->forms->conf.flock, fields, ask_is_admin(ask), why);
    if (rc == 0) {
        char *words = ask_words_dup(fields);
        ask_audit(ask, "miner.add", text_of(fields, "name"), NULL, words);
        free(words);
        ask_answerf(ask, 0, "Added '%s'.", text_of(fields, "name"));
    } else {
        ask_answer(ask, rc, why, NULL);
    }
    json_decref(fields);
}

static void edit(struct ask *ask)
{
    char why[FLOCK_WHY_MAX];
    json_t *fields = miner_fields_dup(ask),
           *old = flock_miner_json(ask->forms->conf.flock, ask->id);
    if (!json_object_get(fields, "name") && !ask->json)
        json_object_set_new(fields, "name",
                            json_string("")); /* as the Python one: it is required */
    int rc = flock_miner_edit(ask->forms->conf.flock, ask->id, fields, ask_is_admin(ask), why);
    if (rc) {
        ask_answer(ask, rc, why, NULL);
    } else {
        json_t *now = flock_miner_json(ask->forms->conf.flock, ask->id);
        char *before = ask_words_dup(old), *after = ask_words_dup(now);
        ask_audit(ask, "miner.edit", text_of(old, "name"), before, after);
        free(before);
        free(after);
        ask_answerf(ask, 0, "Updated '%s'.", text_of(now, "name"));
        json_decref(now);
    }
    json_decref(old);
    json_decref(fields);
}

/* ---- delete, merge ---- */

static void delete_now(struct ask *ask)
{
    char why[FLOCK_WHY_MAX];
    bool erase = ask_flag(ask, "erase");
    json_t *old = flock_miner_json(ask->forms->conf.flock, ask->id);
    int rc = flock_miner_delete(ask->forms->conf.flock, ask->id, erase, why);
    if (rc == 0) {
        char *before = ask_words_dup(old);
        ask_audit(ask, erase ? "miner.erase" : "miner.delete", text_of(old, "name"), before, NULL);
        free(before);
    }
    json_decref(old);
    ask_answer(ask, rc, rc ? why : "Miner deleted successfully.", NULL);
}

static void delete_miner(struct ask *ask)
{
    if (ask_flag(ask, "erase"))
        ask_dear(ask, delete_now);
    else
        delete_now(ask);
}

static void merge(struct ask *ask)
{
    char why[FLOCK_WHY_MAX];
    int64_t from = ask->id ? ask->id : ask_number(ask, "from"), into = ask_number(ask, "into");
    json_t *old = flock_miner_json(ask->forms->conf.flock, from),
           *new = flock_miner_json(ask->forms->conf.flock, into);
    int rc = flock_miner_merge(ask->forms->conf.flock, from, into, why);
    if (rc == 0)
        ask_audit(ask, "miner.merge", text_of(old, "name"), NULL, text_of(new, "name"));
    if (rc)
        ask_answer(ask, rc, why, NULL);
    else
        ask_answerf(ask, 0, "'%s' is part of '%s' now.", text_of(old, "name"),
                    text_of(new, "name"));
    json_decref(old);
    json_decref(new);
}

const struct form_route miners_routes[] = {
    {.path = "/miners/add", .role = ROLE_OPERATOR, .fn = add, .back = "/config#miners"},
    {.path = "/miners/edit/*", .role = ROLE_OPERATOR, .fn = edit, .back = "/config#miners"},
    {.path = "/miners/delete/*",
     .role = ROLE_OPERATOR,
     .fn = delete_miner,
     .back = "/config#miners"},
    {.path = "/miners/merge", .role = ROLE_OPERATOR, .fn = merge, .back = "/config#miners"},
    {.path = "/miners/merge/*", .role = ROLE_OPERATOR, .fn = merge, .back = "/config#miners"},
    {0}};
