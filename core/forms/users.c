/* Users and API tokens. All of it is dear; core/access writes its own audit rows. */
#include "forms/internal.h"

static struct access *access_of(const struct ask *ask)
{
    return ask->forms->conf.access;
}

static void on_result(const struct access_result *result, void *arg)
{
    struct ask *ask = arg;
    if (ask_is_over(ask))
        return;
    json_t *extra = result->token ? json_object() : NULL;
    if (result->token)
        json_object_set_new(extra, "token", forms_text_json(result->token));
    ask->changed = !result->err;
    ask_answer(ask, result->err, result->message ? result->message : "Done.", extra);
}

/* The row with that id of access_json(); owned; NULL: none. */
static json_t *row_dup(const struct ask *ask, const char *what, int64_t id)
{
    json_t *all = access_json(access_of(ask)), *found = rows_find(json_object_get(all, what), id);
    json_incref(found);
    json_decref(all);
    return found;
}

/* ---- users ---- */

static void user_put_now(struct ask *ask)
{
    json_t *row = ask->id ? row_dup(ask, "users", ask->id) : NULL;
    const char *name =
                   row ? json_string_value(json_object_get(row, "name")) : ask_field(ask, "name"),
               *role = ask_field(ask, "role"), *password = ask_field(ask, "new_password");
    if (row && !role)
        role = json_string_value(json_object_get(row, "role"));
    if (ask->id && !row)
        ask_answer(ask, SHEP_E_GONE, "User not found.", NULL);
    else
        access_user_put(access_of(ask), &ask->grant, ask->peer, name, role,
                        password && password[0] ? password : NULL, on_result, ask);
    json_decref(row);
}

static void user_put(struct ask *ask)
{
    ask_dear(ask, user_put_now);
}

static void user_delete_now(struct ask *ask)
{
    int rc = access_user_delete(access_of(ask), &ask->grant, ask->peer, ask->id);
    ask->changed = rc == 0;
    ask_answer(ask, rc,
               rc == 0                    ? "The user is deleted."
               : rc == SHEP_E_BUSY        ? access_last_admin
               : rc == SHEP_E_UNSUPPORTED ? "The user admin stays."
                                          : "User not found.",
               NULL);
}

static void user_delete(struct ask *ask)
{
    ask_dear(ask, user_delete_now);
}

/* ---- tokens ---- */

static void token_add_now(struct ask *ask)
{
    access_token_add(access_of(ask), &ask->grant, ask->peer, ask_field(ask, "name"),
                     ask_field(ask, "role"), on_result, ask);
}

/* It is shown once, in this answer: a flash cookie is no place for it. */
static void token_add(struct ask *ask)
{
    ask->json = true;
    ask_dear(ask, token_add_now);
}

static void token_delete_now(struct ask *ask)
{
    int rc = access_token_delete(access_of(ask), &ask->grant, ask->peer, ask->id);
    ask->changed = rc == 0;
    ask_answer(ask, rc, rc ? "Token not found." : "The token is deleted.", NULL);
}

static void token_delete(struct ask *ask)
{
    ask_dear(ask, token_delete_now);
}

const struct form_route users_routes[] = {
    {.path = "/users/add", .role = ROLE_OPERATOR, .fn = user_put, .back = "/config#access"},
    {.path = "/users/put", .role = ROLE_OPERATOR, .fn = user_put, .back = "/config#access"},
    {.path = "/users/edit/*", .role = ROLE_OPERATOR, .fn = user_put, .back = "/config#access"},
    {.path = "/users/delete/*", .role = ROLE_OPERATOR, .fn = user_delete, .back = "/config#access"},
    {.path = "/tokens/add", .role = ROLE_OPERATOR, .fn = token_add, .back = "/config#access"},
    {.path = "/tokens/delete/*",
     .role = ROLE_OPERATOR,
     .fn = token_delete,
     .back = "/config#access"},
    {0}};
