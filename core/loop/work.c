/* Worker threads for jobs that must block (opening a port, hashing a password, writing a small
 * file). Started with the first job; signals stay with the loop thread. */
#include "loop/internal.h"

#include "util/clock.h"
#include "util/log.h"

#include <signal.h>

enum { JOBS_MAX = 256 };

static void job_finish(void *arg)
{
    struct job *job = arg;
    int64_t begun_us = loop_meter_begin();
    job->done(job->arg);
    loop_meter_end(job->owner, begun_us);
    free(job);
}

static void *worker_main(void *arg)
{
    struct loop *loop = arg;
    pthread_mutex_lock(&loop->work_lock);
    for (;;) {
        while (STAILQ_EMPTY(&loop->jobs) && !loop->stopping)
            pthread_cond_wait(&loop->work_wake, &loop->work_lock);
        if (STAILQ_EMPTY(&loop->jobs))
            break; /* stopping, and nothing is left */
        struct job *job = STAILQ_FIRST(&loop->jobs);
        STAILQ_REMOVE_HEAD(&loop->jobs, link);
        loop->n_jobs--;
        pthread_mutex_unlock(&loop->work_lock);
        job->run(job->arg);
        loop_post(loop, job_finish, job);
        pthread_mutex_lock(&loop->work_lock);
    }
    loop->n_ended++;
    pthread_cond_signal(&loop->work_ended);
    pthread_mutex_unlock(&loop->work_lock);
    return NULL;
}

static void start_worker(struct loop *loop)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int err = pthread_create(&loop->workers[loop->n_started], NULL, worker_main, loop);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (err)
        log_error("loop", "cannot start a worker thread: %s; jobs wait", strerror(err));
    else
        loop->n_started++;
}

int loop_work(struct loop *loop, struct loop_owner *owner, loop_fn run, loop_fn done, void *arg)
{
    pthread_mutex_lock(&loop->work_lock);
    if (loop->n_jobs >= JOBS_MAX || loop->stopping) {
        pthread_mutex_unlock(&loop->work_lock);
        return SHEP_E_LIMIT;
    }
    struct job *job = shep_alloc(sizeof *job);
    *job = (struct job){.loop = loop, .owner = owner, .run = run, .done = done, .arg = arg};
    STAILQ_INSERT_TAIL(&loop->jobs, job, link);
    loop->n_jobs++;
    if (loop->n_started < loop->n_workers && loop->n_jobs > 0)
        start_worker(loop);
    pthread_cond_signal(&loop->work_wake);
    pthread_mutex_unlock(&loop->work_lock);
    return 0;
}

size_t loop_work_waiting(const struct loop *loop)
{
    struct loop *locked = (struct loop *)loop;
    pthread_mutex_lock(&locked->work_lock);
    size_t n = locked->n_jobs;
    pthread_mutex_unlock(&locked->work_lock);
    return n;
}

void loop_work_finish(struct loop *loop)
{
    pthread_mutex_lock(&loop->work_lock);
    loop->stopping = true;
    pthread_cond_broadcast(&loop->work_wake);
    pthread_mutex_unlock(&loop->work_lock);
    for (unsigned i = 0; i < loop->n_started; i++)
        pthread_join(loop->workers[i], NULL);
    loop->n_started = loop->n_ended = 0;
    while (!STAILQ_EMPTY(&loop->jobs)) { /* no worker could be started */
        struct job *job = STAILQ_FIRST(&loop->jobs);
        STAILQ_REMOVE_HEAD(&loop->jobs, link);
        loop->n_jobs--;
        job->run(job->arg);
        loop_post(loop, job_finish, job);
    }
    loop_run_posted(loop);
}

bool loop_work_finish_by(struct loop *loop, int64_t wait_ms)
{
    struct timespec end;
    int err = 0;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += wait_ms / 1000;
    end.tv_nsec += wait_ms % 1000 * 1000000;
    if (end.tv_nsec >= 1000000000) {
        end.tv_nsec -= 1000000000;
        end.tv_sec++;
    }
    pthread_mutex_lock(&loop->work_lock);
    loop->stopping = true;
    pthread_cond_broadcast(&loop->work_wake);
    while (loop->n_ended < loop->n_started && err == 0)
        err = pthread_cond_timedwait(&loop->work_ended, &loop->work_lock, &end);
    bool all = loop->n_ended == loop->n_started;
    pthread_mutex_unlock(&loop->work_lock);
    if (all)
        loop_work_finish(loop);
    return all;
}
