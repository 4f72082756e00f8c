/* What the files of this room share. Nobody outside core/access (and its tests) includes it. */
#ifndef SHEP_ACCESS_INTERNAL_H
#define SHEP_ACCESS_INTERNAL_H

#include "access/access.h"
#include "access/limit.h"
#include "access/password.h"
#include "util/clock.h"
#include "util/log.h"

#include <sys/queue.h>

enum {
    HASH_BYTES = 32,
    SECRET_CHARS = 43, /* 32 bytes as base64url */
    TOKEN_CHARS = 4 + SECRET_CHARS,
    USERS_MAX = 64,
    SESSIONS_MAX = 256, /* browsers; a new one takes the place of one of whoever has the most */
    TOKENS_MAX = 64,
    NAME_MAX_CHARS = 32,
    JOBS_MAX = 16, /* passwords that wait to be hashed: 2.4 s on a Pi 4 */
    SETUP_CODE_CHARS = 8,
    FAILURES_AUDITED = 100 /* wrong passwords in the audit, each hour: it is kept for ever */
};
#define SESSION_IDLE_MS     (INT64_C(30) * 86400000)
#define SESSION_ABSOLUTE_MS (INT64_C(90) * 86400000)
#define USED_WRITTEN_MS     INT64_C(3600000) /* "last used" reaches the SD card once an hour */
#define HOUR_MS             INT64_C(3600000)

struct user {
    int64_t id; /* over 0; the admin of the file is no row */
    char name[NAME_MAX_CHARS + 1], hash[PASSWORD_HASH_MAX];
    enum access_role role;
    int64_t created_ms;
};

struct session {
    int64_t id, user_id; /* user_id 0: the admin of the file */
    unsigned char hash[HASH_BYTES];
    int64_t created_ms, used_ms, written_ms;
};

struct token {
    int64_t id;
    char name[65], created_by[80];
    unsigned char hash[HASH_BYTES];
    enum access_role role;
    int64_t created_ms, used_ms, written_ms; /* used_ms 0: never */
};

/* A password on its way through the worker, one at a time. */
enum job_kind { JOB_LOGIN, JOB_CONFIRM, JOB_SETUP, JOB_USER, JOB_ADMIN_PASSWORD };
struct job {
    TAILQ_ENTRY(job) link;
    struct access *access; /* NULL: gone meanwhile */
    enum job_kind kind;
    access_done_fn done;
    void *arg;
    char *data_dir; /* for the worker */
    char password[PASSWORD_MAX + 1], hash[PASSWORD_HASH_MAX];
    int err; /* of the worker: 0, SHEP_E_CONFIG (wrong), SHEP_E_LIMIT (memory), -errno */
    bool limited;
    int64_t tried_ms;
    char peer[46];
    /* what it is for */
    char user[NAME_MAX_CHARS + 1];
    int64_t user_id;
    enum access_role role;
    struct access_grant by;
};
TAILQ_HEAD(job_list, job);

struct access {
    struct loop *loop;
    struct store *store;
    char *data_dir;
    enum access_role loopback, lan;
    void (*changed)(void *arg);
    void *changed_arg;

    struct user users[USERS_MAX];
    size_t n_users;
    struct session sessions[SESSIONS_MAX];
    size_t n_sessions;
    struct token tokens[TOKENS_MAX];
    size_t n_tokens;
    int64_t next_id[STORE_TABLES];
    struct loop_timer *sweep_timer;

    /* the file admin_password */
    char admin_hash[PASSWORD_HASH_MAX];
    char admin_seen[HASH_BYTES * 2 + 1]; /* the hash of that, as it was when sessions began */
    int64_t admin_looked_ms;
    bool admin_unreadable; /* it is there, so there is an admin */
    char setup_code[SETUP_CODE_CHARS + 2];
    int64_t setup_until_ms;

    struct limit limit;
    struct job_list jobs; /* waiting */
    size_t n_jobs;
    struct job *running;

    int64_t failures_since_ms;
    unsigned n_failures;
};

/* secret.c: random texts and what is stored of them */
void secret_make(char out[static SECRET_CHARS + 1]);
void secret_hash(const char *secret, unsigned char out[static HASH_BYTES]);
void secret_hash_hex(const unsigned char hash[static HASH_BYTES], char out[static 65]);
bool secret_hash_parse(const char *hex, unsigned char out[static HASH_BYTES]);
void secret_csrf(const char *session, char out[static SECRET_CHARS + 1]);
bool secret_equal(const char *a, const char *b); /* in equal time for equal lengths */
void setup_code_make(char out[static SETUP_CODE_CHARS + 2]);
bool setup_code_equal(const char *code, const char *typed);

/* access.c */
extern struct loop_owner access_owner; /* not of an instance: a worker may outlive that */
void access_changed(struct access *access);
int64_t access_id_next(struct access *access, enum store_table table);

/* admin.c: the admin whose password is a file */
void admin_restore(struct access *access);
/* Looks at the file; when its password is another one than before, the sessions of the old one end,
 * except keep_session_id. */
void admin_look(struct access *access, bool now, int64_t keep_session_id);

/* user.c */
void users_restore(struct access *access);
struct user *user_by_id(const struct access *access, int64_t id);
struct user *user_by_name(const struct access *access, const char *name);
/* Is there a user who is an admin, besides that one? NULL: besides nobody. */
bool user_any_admin(const struct access *access, const struct user *but);
void user_job_landed(struct access *access, struct job *job);
json_t *users_json(const struct access *access);

/* session.c */
void sessions_restore(struct access *access);
void sessions_sweep(void *access);
struct session *session_find(struct access *access, const char *secret);
/* The secret for the cookie. */
int64_t session_add(struct access *access, int64_t user_id, char secret[static SECRET_CHARS + 1]);
void sessions_end_of(struct access *access, int64_t user_id, int64_t except_id);
void session_used(struct access *access, struct session *session);

/* token.c */
void tokens_restore(struct access *access);
struct token *token_find(struct access *access, const char *secret);
void token_used(struct access *access, struct token *token);
json_t *tokens_json(const struct access *access);

/* job.c */
struct job *password_job_new(struct access *access, enum job_kind kind, const char *peer,
                             const char *password, access_done_fn done, void *arg);
void password_job_start(struct job *job); /* takes it: lands in login.c or user.c */
void password_job_free(struct job *job);
void password_jobs_end(struct access *access);
/* done, later, with a message for people. */
void access_answer_later(struct access *access, access_done_fn done, void *arg, int err,
                         const char *message, int64_t retry_after_s);
void access_answer(access_done_fn done, void *arg, int err, const char *message);
void access_answer_limit(struct access *access, access_done_fn done, void *arg, int64_t wait_ms);

/* login.c */
/* Its user is there, and may do what they might when they asked. */
bool grant_stands(const struct access *access, const struct access_grant *grant);
void login_job_landed(struct access *access, struct job *job);

/* audit.c */
void audit_restore(struct access *access);
void audit_failure(struct access *access, const char *peer, const char *user);
#endif
