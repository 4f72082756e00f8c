/* Who may do what: users, sessions, API tokens, the setup code, rate limits, the audit table.
 *
 * Knows no HTTP: core/http asks it once for each request what the credentials in it are worth.
 * Passwords are argon2id, hashed on a worker thread, one at a time; sessions and tokens are kept as
 * hashes. The user "admin" is the file DATA_DIR/admin_password, so that `shepherd passwd` works
 * beside a running daemon. Thread: loop. */
#ifndef SHEP_ACCESS_H
#define SHEP_ACCESS_H

#include "loop/loop.h"
#include "store/store.h"

struct access;

/* What a request may do; each includes those before it. */
enum access_role {
    ROLE_NONE,     /* log in first */
    ROLE_VIEWER,   /* look; addresses are shortened */
    ROLE_OPERATOR, /* look, manage miners, pools, addresses, devices */
    ROLE_ADMIN /* all; what is dear (users, tokens, payouts, restore) asks for the password again */
};
const char *access_role_name(enum access_role role); /* "none", "viewer" … */
int access_role_by_name(const char *name);           /* -1: none */

struct access_conf {
    const char *data_dir;
    enum access_role
        loopback;         /* of who sits at this host and has not logged in; default operator */
    enum access_role lan; /* of everybody else; default none; at most viewer */
};

/* What a request brings. Texts borrowed, NULL: absent. */
struct access_credentials {
    bool is_local;       /* from this host, and no proxy speaks for another */
    const char *peer;    /* "192.168.1.7" */
    const char *session; /* the cookie */
    const char *kiosk;   /* the cookie of a kiosk: an API token of role viewer */
    const char *bearer;  /* Authorization: Bearer */
    const char *csrf;    /* of the form or the header X-Shepherd-CSRF */
};

struct access_grant {
    enum access_role role;
    char who[80];   /* "admin", "token:grafana", "loopback", "lan": for the audit */
    bool by_cookie; /* a session: a change needs csrf_ok */
    bool csrf_ok;
    int64_t user_id, session_id; /* 0: none */
};

struct access *access_new(struct loop *loop, struct store *store, const struct access_conf *conf);
void access_free(struct access *access);
void access_conf_set(struct access *access, const struct access_conf *conf); /* after SIGHUP */
void access_judge(struct access *access, const struct access_credentials *credentials,
                  struct access_grant *out);

/* ---- first admin ---- */
bool access_has_admin(const struct access *access);
/* Eight letters and digits, new at each start, valid for an hour, gone once used; NULL: there is an
 * admin, or it is too old. Who shows it: the log, /setup seen from this host. */
const char *access_setup_code(struct access *access);

/* What is said to who would delete the last admin, or take that role away: SHEP_E_BUSY. */
extern const char access_last_admin[];

/* ---- changes: done is called once, on the loop, later. err: 0; SHEP_E_LIMIT (too many tries: wait
 * retry_after_s), SHEP_E_CONFIG (message for people says what to mend: wrong password, name taken,
 * password too short …), SHEP_E_GONE, SHEP_E_BUSY (the last admin). ---- */
struct access_result {
    int err;
    const char *message;
    int64_t retry_after_s;
    const char *session, *csrf; /* access_login(), access_setup(): for two cookies */
    const char *token;          /* access_token_add(): shown once */
    struct access_grant grant;
};
typedef void (*access_done_fn)(const struct access_result *result, void *arg);
void access_setup(struct access *access, const char *peer, const char *code, const char *password,
                  access_done_fn done, void *arg);
void access_login(struct access *access, const char *peer, const char *user, const char *password,
                  access_done_fn done, void *arg);
void access_logout(struct access *access, int64_t session_id);
/* Is this the password of who asks? The fresh password before what is dear. Somebody without a
 * login (loopback, tokens) gives the password of "admin". Counted against the rate limit. */
void access_confirm(struct access *access, const struct access_grant *grant, const char *peer,
                    const char *password, access_done_fn done, void *arg);
void access_user_put(struct access *access, const struct access_grant *by, const char *peer,
                     const char *name, const char *role, const char *password, access_done_fn done,
                     void *arg); /* password NULL: stays */
int access_user_delete(struct access *access, const struct access_grant *by, const char *peer,
                       int64_t user_id); /* ends its sessions; SHEP_E_BUSY: the last admin */
void access_token_add(struct access *access, const struct access_grant *by, const char *peer,
                      const char *name, const char *role, access_done_fn done, void *arg);
int access_token_delete(struct access *access, const struct access_grant *by, const char *peer,
                        int64_t token_id);

/* One row, for ever. old_text, new_text: what changed, as people would write it; may be NULL. */
void access_audit(struct access *access, const struct access_grant *by, const char *peer,
                  const char *action, const char *subject, const char *old_text,
                  const char *new_text);

/* Users, tokens or the admin's password are others now. */
void access_on_change(struct access *access, void (*fn)(void *arg), void *arg);

/* {"has_admin":true,"users":[{id,name,role,created_at_ms}],"tokens":[{id,name,role,created_at_ms,
 * used_at_ms,created_by}],"sessions":n}: for pages of admins. The admin of the file is the user
 * with id 0. Owned by the caller. */
json_t *access_json(const struct access *access);
#endif
