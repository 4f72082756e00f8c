/* Pools. The user of a pool is an address of the list (the miner's name is appended to it) or a
 * plain text, as the Python one's form has it: user_type, dynamic_user_address, text_user_address.
 */
#include "forms/internal.h"

static json_t *pool_fields_dup(const struct ask *ask)
{
    json_t *fields = ask_fields_dup(ask);
    const char *type = ask_field(ask, "user_type");
    const char *user =
        ask_field(ask, str_eq(type, "dynamic") ? "dynamic_user_address" : "text_user_address");
    if (user)
        json_object_set_new(fields, "pool_user", forms_text_json(user));
    json_object_del(fields, "user_type");
    json_object_del(fields, "dynamic_user_address");
    json_object_del(fields, "text_user_address");
    return fields;
}

static void put(struct ask *ask, const char *action, const char *good)
{
    char why[FLOCK_WHY_MAX];
    json_t *fields = pool_fields_dup(ask), *old = flock_pool_json(ask->forms->conf.flock, ask->id);
    int64_t id = ask->id;
    int rc = flock_pool_put(ask->forms->conf.flock, id, fields, &id, why);
    json_decref(fields);
    if (rc)
        ask_answer(ask, rc, why, NULL);
    else
        ask_row_put(ask, action, "pool_name", old, flock_pool_json(ask->forms->conf.flock, id),
                    good);
    json_decref(old);
}

static void add(struct ask *ask)
{
    ask->id = 0;
    put(ask, "pool.add", "New pool added successfully.");
}

static void edit(struct ask *ask)
{
    if (ask->id)
        put(ask, "pool.edit", "Pool updated.");
    else
        ask_answer(ask, SHEP_E_GONE, "Pool not found.", NULL);
}

static void delete_pool(struct ask *ask)
{
    char why[FLOCK_WHY_MAX];
    json_t *old = flock_pool_json(ask->forms->conf.flock, ask->id);
    int rc = flock_pool_delete(ask->forms->conf.flock, ask->id, why);
    if (rc)
        ask_answer(ask, rc, why, NULL);
    else
        ask_row_deleted(ask, "pool.delete", "pool_name", old, "Pool successfully deleted.");
    json_decref(old);
}

static void set_active(struct ask *ask)
{
    char why[FLOCK_WHY_MAX];
    int rc = flock_pool_activate(ask->forms->conf.flock, ask->id, why);
    if (rc == 0) {
        json_t *now = flock_pool_json(ask->forms->conf.flock, ask->id);
        ask_audit(ask, "pool.set_active", row_title(now, "pool_name"), NULL, NULL);
        json_decref(now);
    }
    ask_answer(ask, rc, rc ? why : "Active pool has been updated.", NULL);
}

const struct form_route pools_routes[] = {
    {.path = "/pools/add", .role = ROLE_OPERATOR, .fn = add, .back = "/config#pools"},
    {.path = "/pools/edit/*", .role = ROLE_OPERATOR, .fn = edit, .back = "/config#pools"},
    {.path = "/pools/delete/*", .role = ROLE_OPERATOR, .fn = delete_pool, .back = "/config#pools"},
    {.path = "/pools/set_active/*",
     .role = ROLE_OPERATOR,
     .fn = set_active,
     .back = "/config#pools"},
    {0}};
