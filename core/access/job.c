/* Passwords on their way through a worker thread, one at a time: a storm of logins costs one
 * processor core and 19 MiB, whatever its size. And answers that come later. Thread: loop;
 * job_run() on a worker. */
#include "access/internal.h"

#include <sodium.h>

static void job_next(struct access *access);

struct job *password_job_new(struct access *access, enum job_kind kind, const char *peer,
                             const char *password, access_done_fn done, void *arg)
{
    struct job *job = shep_alloc(sizeof *job);
    job->access = access;
    job->kind = kind;
    job->done = done;
    job->arg = arg;
    job->data_dir = shep_strdup(access->data_dir);
    str_copy(job->peer, sizeof job->peer, peer ? peer : "", peer ? strlen(peer) : 0);
    if (strlen(password) <= PASSWORD_MAX) /* a longer one is nobody's, as the empty one */
        memcpy(job->password, password, strlen(password));
    return job;
}

void password_job_free(struct job *job)
{
    free(job->data_dir);
    sodium_memzero(job, sizeof *job);
    free(job);
}

static void job_run(void *arg)
{
    struct job *job = arg;
    if (job->kind == JOB_LOGIN || job->kind == JOB_CONFIRM) {
        job->err = password_verify(job->hash, job->password) ? 0 : SHEP_E_CONFIG;
        return;
    }
    job->err = password_hash(job->password, job->hash);
    if (!job->err && (job->kind == JOB_SETUP || job->kind == JOB_ADMIN_PASSWORD))
        job->err = password_file_write(job->data_dir, job->hash);
}

static void job_landed(void *arg)
{
    struct job *job = arg;
    struct access *access = job->access;
    if (!access) { /* answered by password_jobs_end() */
        password_job_free(job);
        return;
    }
    access->running = NULL;
    if (job->limited && !job->err)
        limit_give_back(&access->limit, job->peer, job->tried_ms);
    if (job->kind == JOB_USER || job->kind == JOB_ADMIN_PASSWORD)
        user_job_landed(access, job);
    else
        login_job_landed(access, job);
    password_job_free(job);
    job_next(access);
}

static void job_next(struct access *access)
{
    struct job *job = TAILQ_FIRST(&access->jobs);
    if (!job || access->running)
        return;
    TAILQ_REMOVE(&access->jobs, job, link);
    access->n_jobs--;
    if (job->kind == JOB_SETUP && access_has_admin(access)) { /* another one was first */
        access_answer_later(access, job->done, job->arg, SHEP_E_CONFIG,
                            "There is an admin already: log in.", 0);
        password_job_free(job);
        job_next(access);
        return;
    }
    access->running = job;
    if (loop_work(access->loop, &access_owner, job_run, job_landed, job) == 0)
        return;
    access->running = NULL;
    access_answer_later(access, job->done, job->arg, SHEP_E_LIMIT,
                        "The Shepherd is busy; try again in a moment.", 2);
    password_job_free(job);
}

void password_job_start(struct job *job)
{
    struct access *access = job->access;
    if (access->n_jobs >= JOBS_MAX) {
        access_answer_limit(access, job->done, job->arg, 3000);
        password_job_free(job);
        return;
    }
    TAILQ_INSERT_TAIL(&access->jobs, job, link);
    access->n_jobs++;
    job_next(access);
}

static void job_gone(struct job *job)
{
    access_answer(job->done, job->arg, SHEP_E_GONE, "The Shepherd is stopping.");
}

void password_jobs_end(struct access *access)
{
    struct job *job;
    while ((job = TAILQ_FIRST(&access->jobs))) {
        TAILQ_REMOVE(&access->jobs, job, link);
        job_gone(job);
        password_job_free(job);
    }
    if (access->running) { /* job_landed() frees it */
        access->running->access = NULL;
        job_gone(access->running);
    }
}

/* ---- answers ---- */

void access_answer(access_done_fn done, void *arg, int err, const char *message)
{
    struct access_result result = {.err = err, .message = message};
    done(&result, arg);
}

struct later {
    access_done_fn done;
    void *arg;
    char message[256];
    struct access_result result;
};

static void later_run(void *arg)
{
    struct later *later = arg;
    later->done(&later->result, later->arg);
    free(later);
}

void access_answer_later(struct access *access, access_done_fn done, void *arg, int err,
                         const char *message, int64_t retry_after_s)
{
    struct later *later = shep_alloc(sizeof *later);
    later->done = done;
    later->arg = arg;
    str_copy(later->message, sizeof later->message, message, strlen(message));
    later->result = (struct access_result){
        .err = err, .message = later->message, .retry_after_s = retry_after_s};
    loop_post(access->loop, later_run, later);
}

void access_answer_limit(struct access *access, access_done_fn done, void *arg, int64_t wait_ms)
{
    char text[128];
    int64_t wait_s = (wait_ms + 999) / 1000;
    snprintf(text, sizeof text, "Too many tries: wait %lld %s.",
             (long long)(wait_s < 120 ? wait_s : (wait_s + 59) / 60),
             wait_s < 120 ? "seconds" : "minutes");
    access_answer_later(access, done, arg, SHEP_E_LIMIT, text, wait_s);
}
