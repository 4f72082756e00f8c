/* Pools that people keep at hand; exactly one is the active one, as soon as there is any. */
#include "flock/internal.h"

enum { POOL_NAME_MAX = 64, POOL_URL_MAX = 255, POOL_USER_MAX = 256, POOL_PASS_MAX = 128 };

static const char default_password[] = "x"; /* what pools without accounts are told */

/* A text of the form, else of the row as it is, else dflt. */
static int take_text(json_t *row, const json_t *old, const json_t *fields, const char *name,
                     size_t max_bytes, const char *dflt, char why[FLOCK_WHY_MAX])
{
    char *word;
    int rc = word_dup(fields, name, max_bytes, &word, why);
    const char *text = word ? word : dflt;
    if (!word && !json_object_get(fields, name) && field(old, name))
        text = field(old, name);
    if (!rc && !text)
        rc = refuse(SHEP_E_CONFIG, why, "%s cannot be empty.", name);
    if (!rc)
        json_object_set_new(row, name, text_json(text));
    free(word);
    return rc;
}

static int take_port(json_t *row, const json_t *old, const json_t *fields, char why[FLOCK_WHY_MAX])
{
    const json_t *value = json_object_get(fields, "pool_port");
    int64_t port = json_integer_value(json_object_get(old, "pool_port"));
    if (json_is_integer(value))
        port = json_integer_value(value);
    else if (value && (!json_is_string(value) || !str_to_i64(json_string_value(value), &port)))
        port = 0;
    if (port < 1 || port > 65535)
        return refuse(SHEP_E_CONFIG, why, "pool_port must be a number from 1 to 65535.");
    json_object_set_new(row, "pool_port", json_integer((json_int_t)port));
    return 0;
}

static int row_from(const json_t *old, const json_t *fields, json_t *row, char why[FLOCK_WHY_MAX])
{
    int rc = take_text(row, old, fields, "pool_name", POOL_NAME_MAX, NULL, why);
    if (!rc)
        rc = take_text(row, old, fields, "pool_url", POOL_URL_MAX, NULL, why);
    if (!rc)
        rc = take_port(row, old, fields, why);
    if (!rc)
        rc = take_text(row, old, fields, "pool_user", POOL_USER_MAX, "", why);
    if (!rc)
        rc = take_text(row, old, fields, "pool_pass", POOL_PASS_MAX, default_password, why);
    if (!rc && !pool_list_is_valid(field(row, "pool_url"), why))
        rc = refuse(SHEP_E_CONFIG, why, "pool_url must be the name or address of a host.");
    return rc;
}

static bool name_is_taken(const struct flock *flock, const char *name, int64_t id)
{
    size_t i;
    json_t *row;
    json_array_foreach(flock->pools, i, row)
    {
        if (row_id(row) != id && str_eq(field(row, "pool_name"), name))
            return true;
    }
    return false;
}

static int store_pool(struct flock *flock, json_t *row, char why[FLOCK_WHY_MAX])
{
    if (store_row_put(flock->store, TABLE_POOLS, row) != 0) {
        json_decref(row);
        return refuse(SHEP_E_CONFIG, why, "the pool cannot be stored");
    }
    row_replace(flock->pools, row);
    flock_touch(flock);
    return 0;
}

static int set_active(struct flock *flock, json_t *old, int active, char why[FLOCK_WHY_MAX])
{
    if (json_integer_value(json_object_get(old, "is_active")) == active)
        return 0;
    json_t *row = json_copy(old);
    json_object_set_new(row, "is_active", json_integer(active));
    return store_pool(flock, row, why);
}

int flock_pool_put(struct flock *flock, int64_t id, const json_t *fields, int64_t *id_out,
                   char why[FLOCK_WHY_MAX])
{
    const json_t *old = id ? row_by_id(flock->pools, id) : NULL;
    if (id && !old)
        return refuse(SHEP_E_GONE, why, "Pool not found.");
    if (!id && json_array_size(flock->pools) >= POOLS_MAX)
        return refuse(SHEP_E_CONFIG, why, "at most %d pools", POOLS_MAX);
    json_t *row = json_object();
    int rc = row_from(old, fields, row, why);
    if (!rc && name_is_taken(flock, field(row, "pool_name"), id))
        rc = refuse(SHEP_E_BUSY, why, "Pool '%s' is already in the list.", field(row, "pool_name"));
    if (rc) {
        json_decref(row);
        return rc;
    }
    bool active = old ? json_integer_value(json_object_get(old, "is_active")) != 0
                      : json_array_size(flock->pools) == 0;
    id = id ? id : rows_next_id(flock->pools);
    json_object_set_new(row, "id", json_integer((json_int_t)id));
    json_object_set_new(row, "is_active", json_integer(active));
    if (id_out)
        *id_out = id;
    return store_pool(flock, row, why);
}

int flock_pool_activate(struct flock *flock, int64_t id, char why[FLOCK_WHY_MAX])
{
    size_t i;
    json_t *row = row_by_id(flock->pools, id);
    if (!row)
        return refuse(SHEP_E_GONE, why, "Pool not found.");
    int rc = set_active(flock, row, 1, why);
    json_array_foreach(flock->pools, i, row)
    {
        if (!rc && row_id(row) != id)
            rc = set_active(flock, row, 0, why);
    }
    return rc;
}

int flock_pool_delete(struct flock *flock, int64_t id, char why[FLOCK_WHY_MAX])
{
    const json_t *row = row_by_id(flock->pools, id);
    if (!row)
        return refuse(SHEP_E_GONE, why, "Pool not found.");
    bool active = json_integer_value(json_object_get(row, "is_active")) != 0;
    store_row_delete(flock->store, TABLE_POOLS, id);
    row_remove(flock->pools, id);
    flock_touch(flock);
    if (active && json_array_size(flock->pools) > 0)
        return flock_pool_activate(flock, row_id(json_array_get(flock->pools, 0)), why);
    return 0;
}
