/* Sessions: a new secret at each login, kept as a hash; they end after 30 days without a request,
 * after 90 days in any case, at logout, and with their user. Thread: loop. */
#include "access/internal.h"

#include <sodium.h>

static void session_put(struct access *access, struct session *session)
{
    char hex[65];
    secret_hash_hex(session->hash, hex);
    const struct user *user = user_by_id(access, session->user_id);
    json_t *row =
        json_pack("{s:I, s:s, s:I, s:s, s:I, s:I}", "id", (json_int_t)session->id, "hash", hex,
                  "user_id", (json_int_t)session->user_id, "role",
                  access_role_name(user ? user->role : ROLE_ADMIN), "created_at_ms",
                  (json_int_t)session->created_ms, "used_at_ms", (json_int_t)session->used_ms);
    store_row_put(access->store, TABLE_SESSIONS, row);
    json_decref(row);
    session->written_ms = session->used_ms;
}

static void session_end(struct access *access, struct session *session)
{
    store_row_delete(access->store, TABLE_SESSIONS, session->id);
    *session = access->sessions[--access->n_sessions];
}

/* A clock that was wrong at the login (a Pi without one) makes no session younger than now. */
static bool is_over(const struct session *session, int64_t now_ms)
{
    return now_ms - session->used_ms > SESSION_IDLE_MS ||
           now_ms - session->created_ms > SESSION_ABSOLUTE_MS;
}

struct session *session_find(struct access *access, const char *secret)
{
    unsigned char hash[HASH_BYTES];
    if (strlen(secret) != SECRET_CHARS)
        return NULL;
    secret_hash(secret, hash);
    struct session *found = NULL;
    for (size_t i = 0; i < access->n_sessions; i++)
        if (sodium_memcmp(access->sessions[i].hash, hash, sizeof hash) == 0)
            found = &access->sessions[i];
    if (found && is_over(found, clock_wall_ms())) {
        session_end(access, found);
        return NULL;
    }
    return found;
}

void session_used(struct access *access, struct session *session)
{
    session->used_ms = clock_wall_ms();
    int64_t since_ms = session->used_ms - session->written_ms;
    if (since_ms >= USED_WRITTEN_MS || since_ms < 0)
        session_put(access, session);
}

static size_t n_of(const struct access *access, int64_t user_id)
{
    size_t n = 0;
    for (size_t i = 0; i < access->n_sessions; i++)
        n += access->sessions[i].user_id == user_id;
    return n;
}

/* Of whoever has the most, the one that was away longest: a viewer who logs in again and again logs
 * out nobody else. */
static void make_room(struct access *access)
{
    struct session *out = NULL;
    size_t most = 0;
    if (access->n_sessions < SESSIONS_MAX)
        return;
    for (size_t i = 0; i < access->n_sessions; i++) {
        struct session *session = &access->sessions[i];
        size_t n = n_of(access, session->user_id);
        if (out && (n < most || (n == most && session->used_ms >= out->used_ms)))
            continue;
        out = session;
        most = n;
    }
    session_end(access, out);
}

int64_t session_add(struct access *access, int64_t user_id, char secret[static SECRET_CHARS + 1])
{
    make_room(access);
    struct session *session = &access->sessions[access->n_sessions++];
    int64_t now_ms = clock_wall_ms();
    *session = (struct session){.id = access_id_next(access, TABLE_SESSIONS),
                                .user_id = user_id,
                                .created_ms = now_ms,
                                .used_ms = now_ms};
    secret_make(secret);
    secret_hash(secret, session->hash);
    session_put(access, session);
    return session->id;
}

void sessions_end_of(struct access *access, int64_t user_id, int64_t except_id)
{
    for (size_t i = access->n_sessions; i-- > 0;)
        if (access->sessions[i].user_id == user_id && access->sessions[i].id != except_id)
            session_end(access, &access->sessions[i]);
}

void access_logout(struct access *access, int64_t session_id)
{
    for (size_t i = access->n_sessions; i-- > 0;)
        if (access->sessions[i].id == session_id)
            session_end(access, &access->sessions[i]);
}

void sessions_sweep(void *arg)
{
    struct access *access = arg;
    int64_t now_ms = clock_wall_ms();
    for (size_t i = access->n_sessions; i-- > 0;)
        if (is_over(&access->sessions[i], now_ms))
            session_end(access, &access->sessions[i]);
}

static void session_row(const json_t *row, void *arg)
{
    struct access *access = arg;
    struct session session = {.id = json_integer_value(json_object_get(row, "id")),
                              .user_id = json_integer_value(json_object_get(row, "user_id")),
                              .created_ms =
                                  json_integer_value(json_object_get(row, "created_at_ms")),
                              .used_ms = json_integer_value(json_object_get(row, "used_at_ms"))};
    session.written_ms = session.used_ms;
    if (session.id >= access->next_id[TABLE_SESSIONS])
        access->next_id[TABLE_SESSIONS] = session.id + 1;
    if (access->n_sessions < SESSIONS_MAX &&
        secret_hash_parse(json_string_value(json_object_get(row, "hash")), session.hash))
        access->sessions[access->n_sessions++] = session;
}

void sessions_restore(struct access *access)
{
    store_rows_each(access->store, TABLE_SESSIONS, session_row, access);
}
