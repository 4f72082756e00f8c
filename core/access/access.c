/* The room as a whole, and what the credentials of a request are worth. */
#include "access/internal.h"

#include <sodium.h>

struct loop_owner access_owner = {.name = "access"};

void access_changed(struct access *access)
{
    if (access->changed)
        access->changed(access->changed_arg);
}

int64_t access_id_next(struct access *access, enum store_table table)
{
    return access->next_id[table]++;
}

void access_on_change(struct access *access, void (*fn)(void *arg), void *arg)
{
    access->changed = fn;
    access->changed_arg = arg;
}

void access_conf_set(struct access *access, const struct access_conf *conf)
{
    access->loopback = conf->loopback;
    access->lan = conf->lan < ROLE_VIEWER ? conf->lan : ROLE_VIEWER;
    if (conf->data_dir && !str_eq(conf->data_dir, access->data_dir)) {
        free(access->data_dir);
        access->data_dir = shep_strdup(conf->data_dir);
    }
}

struct access *access_new(struct loop *loop, struct store *store, const struct access_conf *conf)
{
    if (sodium_init() < 0)
        abort(); /* no randomness: nothing here would be safe */
    struct access *access = shep_alloc(sizeof *access);
    access->loop = loop;
    access->store = store;
    TAILQ_INIT(&access->jobs);
    access_conf_set(access, conf);
    for (size_t i = 0; i < ARRAY_LEN(access->next_id); i++)
        access->next_id[i] = 1;
    users_restore(access);
    sessions_restore(access);
    tokens_restore(access);
    audit_restore(access);
    sessions_sweep(access);
    admin_restore(access);
    access->sweep_timer =
        loop_timer_new(loop, &access_owner, HOUR_MS, HOUR_MS, sessions_sweep, access);
    return access;
}

void access_free(struct access *access)
{
    if (!access)
        return;
    loop_timer_free(access->sweep_timer);
    password_jobs_end(access);
    free(access->data_dir);
    sodium_memzero(access, sizeof *access);
    free(access);
}

/* ---- judging ---- */

static void say_who(struct access_grant *out, const char *prefix, const char *name)
{
    snprintf(out->who, sizeof out->who, "%s%s", prefix, name);
}

static void judge_anonymous(const struct access *access, bool is_local, struct access_grant *out)
{
    out->role = is_local ? access->loopback : access->lan;
    say_who(out, "", is_local ? "loopback" : "lan");
}

/* A token that is not known is a mistake to be told (401), not somebody without one. */
static void judge_bearer(struct access *access, const char *bearer, struct access_grant *out)
{
    struct token *token = token_find(access, bearer);
    say_who(out, "token:", token ? token->name : "?");
    if (!token)
        return;
    out->role = token->role;
    token_used(access, token);
}

static bool judge_session(struct access *access, const struct access_credentials *credentials,
                          struct access_grant *out)
{
    admin_look(access, false, 0);
    struct session *session =
        credentials->session ? session_find(access, credentials->session) : NULL;
    const struct user *user = session ? user_by_id(access, session->user_id) : NULL;
    if (!session || (session->user_id && !user))
        return false;
    char csrf[SECRET_CHARS + 1];
    secret_csrf(credentials->session, csrf);
    out->role = user ? user->role : ROLE_ADMIN;
    out->by_cookie = true;
    out->csrf_ok = credentials->csrf && secret_equal(csrf, credentials->csrf);
    out->user_id = session->user_id;
    out->session_id = session->id;
    say_who(out, "", user ? user->name : "admin");
    session_used(access, session);
    return true;
}

/* Only a token that may look and nothing else: the cookie lies on a screen in the living room. */
static bool judge_kiosk(struct access *access, const char *kiosk, struct access_grant *out)
{
    struct token *token = kiosk ? token_find(access, kiosk) : NULL;
    if (!token || token->role != ROLE_VIEWER)
        return false;
    out->role = ROLE_VIEWER;
    say_who(out, "token:", token->name);
    token_used(access, token);
    return true;
}

void access_judge(struct access *access, const struct access_credentials *credentials,
                  struct access_grant *out)
{
    *out = (struct access_grant){.role = ROLE_NONE};
    if (credentials->bearer) {
        judge_bearer(access, credentials->bearer, out);
        return;
    }
    if (judge_session(access, credentials, out))
        return;
    struct access_grant anonymous = {.role = ROLE_NONE};
    judge_anonymous(access, credentials->is_local, &anonymous);
    if (anonymous.role > ROLE_VIEWER || !judge_kiosk(access, credentials->kiosk, out))
        *out = anonymous;
}

json_t *access_json(const struct access *access)
{
    return json_pack("{s:b, s:o, s:o, s:I}", "has_admin", access_has_admin(access), "users",
                     users_json(access), "tokens", tokens_json(access), "sessions",
                     (json_int_t)access->n_sessions);
}
