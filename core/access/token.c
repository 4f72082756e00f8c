/* API tokens: shp_ and 32 random bytes, shown once, kept as a hash, until somebody deletes them.
 * Thread: loop. */
#include "access/internal.h"

#include <sodium.h>

static void token_put(struct access *access, struct token *token)
{
    char hex[65];
    secret_hash_hex(token->hash, hex);
    json_t *row = json_pack("{s:I, s:s, s:s, s:s, s:I, s:o, s:s}", "id", (json_int_t)token->id,
                            "name", token->name, "hash", hex, "role", access_role_name(token->role),
                            "created_at_ms", (json_int_t)token->created_ms, "used_at_ms",
                            token->used_ms ? json_integer(token->used_ms) : json_null(),
                            "created_by", token->created_by);
    store_row_put(access->store, TABLE_TOKENS, row);
    json_decref(row);
    token->written_ms = token->used_ms;
}

struct token *token_find(struct access *access, const char *secret)
{
    unsigned char hash[HASH_BYTES];
    if (strlen(secret) != TOKEN_CHARS || strncmp(secret, "shp_", 4) != 0)
        return NULL;
    secret_hash(secret, hash);
    struct token *found = NULL;
    for (size_t i = 0; i < access->n_tokens; i++)
        if (sodium_memcmp(access->tokens[i].hash, hash, sizeof hash) == 0)
            found = &access->tokens[i];
    return found;
}

void token_used(struct access *access, struct token *token)
{
    token->used_ms = clock_wall_ms();
    int64_t since_ms = token->used_ms - token->written_ms;
    if (since_ms >= USED_WRITTEN_MS || since_ms < 0)
        token_put(access, token);
}

static const char *token_problem(const struct access *access, const char *name, const char *role)
{
    size_t len = name ? strlen(name) : 0;
    if (len == 0 || len >= sizeof access->tokens[0].name)
        return "Give the token a name of 1 to 64 bytes: what it is for.";
    json_t *utf8 = json_string(name);
    bool plain = utf8 != NULL;
    json_decref(utf8);
    for (const unsigned char *p = (const unsigned char *)name; *p; p++)
        plain = plain && *p >= 0x20 && *p != 0x7F;
    if (!plain)
        return "The name of the token is not plain text.";
    if (!role || access_role_by_name(role) <= ROLE_NONE)
        return "The role of a token is viewer, operator or admin.";
    for (size_t i = 0; i < access->n_tokens; i++)
        if (strcmp(access->tokens[i].name, name) == 0)
            return "There is a token of that name already.";
    return access->n_tokens == TOKENS_MAX
               ? "There are 64 tokens, the most there may be: delete one."
               : NULL;
}

struct shown { /* until the answer is given, on the next turn of the loop */
    access_done_fn done;
    void *arg;
    char text[TOKEN_CHARS + 1];
};

static void show(void *arg)
{
    struct shown *shown = arg;
    struct access_result result = {
        .message = "The token is made. It is shown this once: copy it now.", .token = shown->text};
    shown->done(&result, shown->arg);
    sodium_memzero(shown, sizeof *shown);
    free(shown);
}

void access_token_add(struct access *access, const struct access_grant *by, const char *peer,
                      const char *name, const char *role, access_done_fn done, void *arg)
{
    const char *problem = token_problem(access, name, role);
    if (problem) {
        access_answer_later(access, done, arg, SHEP_E_CONFIG, problem, 0);
        return;
    }
    struct shown *shown = shep_alloc(sizeof *shown);
    shown->done = done;
    shown->arg = arg;
    memcpy(shown->text, "shp_", 4);
    secret_make(shown->text + 4);
    struct token *token = &access->tokens[access->n_tokens++];
    *token = (struct token){.id = access_id_next(access, TABLE_TOKENS),
                            .role = (enum access_role)access_role_by_name(role),
                            .created_ms = clock_wall_ms()};
    str_copy(token->name, sizeof token->name, name, strlen(name));
    str_copy(token->created_by, sizeof token->created_by, by->who, strlen(by->who));
    secret_hash(shown->text, token->hash);
    token_put(access, token);
    access_audit(access, by, peer, "token.add", name, NULL, role);
    access_changed(access);
    loop_post(access->loop, show, shown);
}

int access_token_delete(struct access *access, const struct access_grant *by, const char *peer,
                        int64_t token_id)
{
    for (size_t i = 0; i < access->n_tokens; i++) {
        struct token *token = &access->tokens[i];
        if (token->id != token_id)
            continue;
        access_audit(access, by, peer, "token.delete", token->name, access_role_name(token->role),
                     NULL);
        store_row_delete(access->store, TABLE_TOKENS, token_id);
        memmove(token, token + 1, (access->n_tokens - i - 1) * sizeof *token);
        access->n_tokens--;
        access_changed(access);
        return 0;
    }
    return SHEP_E_GONE;
}

static void copy_text(const json_t *row, const char *name, char *out, size_t cap)
{
    const char *text = json_string_value(json_object_get(row, name));
    str_copy(out, cap, text ? text : "", text ? strlen(text) : 0);
}

static void token_row(const json_t *row, void *arg)
{
    struct access *access = arg;
    const char *role = json_string_value(json_object_get(row, "role"));
    struct token token = {.id = json_integer_value(json_object_get(row, "id")),
                          .created_ms = json_integer_value(json_object_get(row, "created_at_ms")),
                          .used_ms = json_integer_value(json_object_get(row, "used_at_ms"))};
    token.written_ms = token.used_ms;
    copy_text(row, "name", token.name, sizeof token.name);
    copy_text(row, "created_by", token.created_by, sizeof token.created_by);
    if (token.id >= access->next_id[TABLE_TOKENS])
        access->next_id[TABLE_TOKENS] = token.id + 1;
    int number = role ? access_role_by_name(role) : -1;
    if (number <= ROLE_NONE || access->n_tokens == TOKENS_MAX ||
        !secret_hash_parse(json_string_value(json_object_get(row, "hash")), token.hash))
        return;
    token.role = (enum access_role)number;
    access->tokens[access->n_tokens++] = token;
}

void tokens_restore(struct access *access)
{
    store_rows_each(access->store, TABLE_TOKENS, token_row, access);
}

json_t *tokens_json(const struct access *access)
{
    json_t *list = json_array();
    for (size_t i = 0; i < access->n_tokens; i++) {
        const struct token *token = &access->tokens[i];
        json_array_append_new(
            list, json_pack("{s:I, s:s, s:s, s:I, s:o, s:s}", "id", (json_int_t)token->id, "name",
                            token->name, "role", access_role_name(token->role), "created_at_ms",
                            (json_int_t)token->created_ms, "used_at_ms",
                            token->used_ms ? json_integer(token->used_ms) : json_null(),
                            "created_by", token->created_by));
    }
    return list;
}
