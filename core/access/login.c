/* Setup, login, and the fresh password before what is dear. Whether a user exists shows neither in
 * the text of an answer nor in its time. Thread: loop. */
#include "access/internal.h"

static const char wrong_login[] = "The name or the password is wrong.";
static const char no_admin[] = "There is no admin yet: /setup comes first.";

/* Counts the try. false: answered already. */
static bool try_begin(struct access *access, const char *peer, access_done_fn done, void *arg,
                      int64_t *tried_ms)
{
    *tried_ms = clock_mono_ms();
    int64_t wait_ms = limit_try(&access->limit, peer, *tried_ms);
    if (wait_ms)
        access_answer_limit(access, done, arg, wait_ms);
    return wait_ms == 0;
}

static void job_begin(struct job *job, int64_t tried_ms)
{
    job->limited = true;
    job->tried_ms = tried_ms;
    password_job_start(job);
}

/* ---- setup ---- */

void access_setup(struct access *access, const char *peer, const char *code, const char *password,
                  access_done_fn done, void *arg)
{
    const char *problem = password_problem(password ? password : "");
    int64_t tried_ms;
    if (access_has_admin(access)) {
        access_answer_later(access, done, arg, SHEP_E_CONFIG, "There is an admin already: log in.",
                            0);
        return;
    }
    if (problem) {
        access_answer_later(access, done, arg, SHEP_E_CONFIG, problem, 0);
        return;
    }
    if (!try_begin(access, peer, done, arg, &tried_ms))
        return;
    const char *want = access_setup_code(access);
    if (!want || !setup_code_equal(want, code ? code : "")) {
        audit_failure(access, peer, "setup");
        access_answer_later(
            access, done, arg, SHEP_E_CONFIG,
            "The setup code is wrong or too old. It stands in the log since the last "
            "start, and is valid for an hour.",
            0);
        return;
    }
    job_begin(password_job_new(access, JOB_SETUP, peer, password, done, arg), tried_ms);
}

/* ---- login ---- */

void access_login(struct access *access, const char *peer, const char *user, const char *password,
                  access_done_fn done, void *arg)
{
    int64_t tried_ms;
    if (!try_begin(access, peer, done, arg, &tried_ms))
        return;
    user = user ? user : "";
    struct job *job =
        password_job_new(access, JOB_LOGIN, peer, password ? password : "", done, arg);
    str_copy(job->user, sizeof job->user, user, strlen(user));
    const struct user *known = user_by_name(access, user);
    if (strcmp(user, "admin") == 0) {
        admin_look(access, true, 0);
        memcpy(job->hash, access->admin_hash, sizeof job->hash);
    } else if (known) {
        job->user_id = known->id;
        memcpy(job->hash, known->hash, sizeof job->hash);
    }
    job_begin(job, tried_ms);
}

void access_confirm(struct access *access, const struct access_grant *grant, const char *peer,
                    const char *password, access_done_fn done, void *arg)
{
    int64_t tried_ms;
    const struct user *user = grant->session_id ? user_by_id(access, grant->user_id) : NULL;
    if (!user)
        admin_look(access, true, 0);
    if (!user && !access->admin_hash[0]) {
        access_answer_later(access, done, arg, SHEP_E_CONFIG,
                            access->admin_unreadable
                                ? "The admin's password cannot be read here: see the log."
                                : no_admin,
                            0);
        return;
    }
    if (!try_begin(access, peer, done, arg, &tried_ms))
        return;
    struct job *job =
        password_job_new(access, JOB_CONFIRM, peer, password ? password : "", done, arg);
    job->user_id = user ? user->id : 0;
    memcpy(job->hash, user ? user->hash : access->admin_hash, sizeof job->hash);
    job->by = *grant;
    str_copy(job->user, sizeof job->user, user ? user->name : "admin",
             user ? strlen(user->name) : 5);
    job_begin(job, tried_ms);
}

/* ---- with the answer of the worker ---- */

/* Nobody may do a thing with a password that was changed, or as a user who was deleted, meanwhile.
 */
static bool still_so(struct access *access, const struct job *job)
{
    const struct user *user = user_by_id(access, job->user_id);
    return job->user_id ? user && strcmp(user->hash, job->hash) == 0
                        : strcmp(access->admin_hash, job->hash) == 0;
}

bool grant_stands(const struct access *access, const struct access_grant *grant)
{
    const struct user *user = user_by_id(access, grant->user_id);
    return !grant->user_id || (user && user->role >= grant->role);
}

static void come_in(struct access *access, const struct job *job, const char *action,
                    const char *message)
{
    char session[SECRET_CHARS + 1], csrf[SECRET_CHARS + 1];
    int64_t id = session_add(access, job->user_id, session);
    const struct user *user = user_by_id(access, job->user_id);
    secret_csrf(session, csrf);
    struct access_result result = {.message = message,
                                   .session = session,
                                   .csrf = csrf,
                                   .grant = {.role = user ? user->role : ROLE_ADMIN,
                                             .by_cookie = true,
                                             .csrf_ok = true,
                                             .user_id = job->user_id,
                                             .session_id = id}};
    snprintf(result.grant.who, sizeof result.grant.who, "%s", user ? user->name : "admin");
    access_audit(access, &result.grant, job->peer, action, NULL, NULL, NULL);
    job->done(&result, job->arg);
}

static void setup_landed(struct access *access, struct job *job)
{
    if (job->err) {
        access_answer(job->done, job->arg, SHEP_E_IO,
                      "The password could not be kept: see the log, and whether the disk is full.");
        log_error("access", "writing %s/admin_password failed: %s", access->data_dir,
                  strerror(job->err < 0 ? -job->err : job->err));
        return;
    }
    access->setup_until_ms = 0;
    admin_look(access, true, 0);
    come_in(access, job, "setup", "The admin password is set.");
    access_changed(access);
}

void login_job_landed(struct access *access, struct job *job)
{
    if (job->kind == JOB_SETUP) {
        setup_landed(access, job);
        return;
    }
    bool right = job->err == 0 && still_so(access, job) && grant_stands(access, &job->by);
    if (!right) {
        audit_failure(access, job->peer, job->user);
        access_answer(job->done, job->arg, SHEP_E_CONFIG,
                      job->kind == JOB_LOGIN ? wrong_login : "The password is wrong.");
    } else if (job->kind == JOB_LOGIN) {
        come_in(access, job, "login", "You are logged in.");
    } else {
        struct access_result result = {.message = "", .grant = job->by};
        job->done(&result, job->arg);
    }
}
