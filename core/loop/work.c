/* Worker threads for jobs that must block. Two lanes, so that what hangs holds up nobody: jobs that
 * end for sure (hashing a password, writing a small file) share a few threads; jobs that may hang
 * for ever (opening a port) find an idle thread or get a new one, up to LOOP_HANG_MAX. Started with
 * the first job; signals stay with the loop thread. */
#include "loop/internal.h"

#include "util/clock.h"
#include "util/log.h"

#include <signal.h>

enum { JOBS_MAX = 256 /* of one lane */ };

static void job_finish(void *arg)
{
    struct job *job = arg;
    int64_t begun_us = loop_meter_begin();
    job->done(job->arg);
    loop_meter_end(job->owner, begun_us);
    free(job);
}

static struct job *job_take(struct lane *lane)
{
    struct job *job = STAILQ_FIRST(&lane->jobs);
    if (job) {
        STAILQ_REMOVE_HEAD(&lane->jobs, link);
        lane->n_jobs--;
    }
    return job;
}

static struct job *job_wait(struct lane *lane)
{
    struct loop *loop = lane->loop;
    lane->n_idle++;
    while (STAILQ_EMPTY(&lane->jobs) && !loop->stopping)
        pthread_cond_wait(&lane->wake, &loop->work_lock);
    lane->n_idle--;
    return job_take(lane); /* NULL: stopping, and nothing is left */
}

static void *worker_main(void *arg)
{
    struct lane *lane = arg;
    struct loop *loop = lane->loop;
    struct job *job;
    pthread_mutex_lock(&loop->work_lock);
    while ((job = job_wait(lane))) {
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

static void start_worker(struct lane *lane)
{
    struct loop *loop = lane->loop;
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int err = pthread_create(&loop->workers[loop->n_started], NULL, worker_main, lane);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (err) {
        log_error("loop", "cannot start a worker thread: %s; jobs wait", strerror(err));
        return;
    }
    loop->n_started++;
    lane->n_threads++;
}

static int lane_work(struct lane *lane, struct loop_owner *owner, loop_fn run, loop_fn done,
                     void *arg)
{
    struct loop *loop = lane->loop;
    pthread_mutex_lock(&loop->work_lock);
    if (lane->n_jobs >= JOBS_MAX || loop->stopping) {
        pthread_mutex_unlock(&loop->work_lock);
        return SHEP_E_LIMIT;
    }
    struct job *job = shep_alloc(sizeof *job);
    *job = (struct job){.loop = loop, .owner = owner, .run = run, .done = done, .arg = arg};
    STAILQ_INSERT_TAIL(&lane->jobs, job, link);
    lane->n_jobs++;
    if (lane->n_jobs > lane->n_idle && lane->n_threads < lane->max_threads)
        start_worker(lane);
    pthread_cond_signal(&lane->wake);
    pthread_mutex_unlock(&loop->work_lock);
    return 0;
}

int loop_work(struct loop *loop, struct loop_owner *owner, loop_fn run, loop_fn done, void *arg)
{
    return lane_work(&loop->sure, owner, run, done, arg);
}

int loop_work_may_hang(struct loop *loop, struct loop_owner *owner, loop_fn run, loop_fn done,
                       void *arg)
{
    return lane_work(&loop->hanging, owner, run, done, arg);
}

size_t loop_work_waiting(const struct loop *loop)
{
    struct loop *locked = (struct loop *)loop;
    pthread_mutex_lock(&locked->work_lock);
    size_t n = locked->sure.n_jobs + locked->hanging.n_jobs;
    pthread_mutex_unlock(&locked->work_lock);
    return n;
}

/* With work_lock. */
static void workers_stop(struct loop *loop)
{
    loop->stopping = true;
    pthread_cond_broadcast(&loop->sure.wake);
    pthread_cond_broadcast(&loop->hanging.wake);
}

static void lane_run_here(struct lane *lane) /* no worker could be started */
{
    struct job *job;
    while ((job = job_take(lane))) {
        job->run(job->arg);
        loop_post(lane->loop, job_finish, job);
    }
}

void loop_work_finish(struct loop *loop)
{
    pthread_mutex_lock(&loop->work_lock);
    workers_stop(loop);
    pthread_mutex_unlock(&loop->work_lock);
    for (unsigned i = 0; i < loop->n_started; i++)
        pthread_join(loop->workers[i], NULL);
    loop->n_started = loop->n_ended = 0;
    lane_run_here(&loop->sure);
    lane_run_here(&loop->hanging);
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
    workers_stop(loop);
    while (loop->n_ended < loop->n_started && err == 0)
        err = pthread_cond_timedwait(&loop->work_ended, &loop->work_lock, &end);
    bool all = loop->n_ended == loop->n_started;
    pthread_mutex_unlock(&loop->work_lock);
    if (all)
        loop_work_finish(loop);
    return all;
}

static void lane_open(struct loop *loop, struct lane *lane, unsigned max_threads)
{
    *lane = (struct lane){.loop = loop, .max_threads = max_threads};
    STAILQ_INIT(&lane->jobs);
    pthread_cond_init(&lane->wake, NULL);
}

void work_open(struct loop *loop, unsigned n_workers)
{
    pthread_condattr_t monotonic;
    pthread_mutex_init(&loop->work_lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&loop->work_ended, &monotonic);
    pthread_condattr_destroy(&monotonic);
    lane_open(loop, &loop->sure, n_workers > LOOP_WORKERS_MAX ? LOOP_WORKERS_MAX : n_workers);
    lane_open(loop, &loop->hanging, n_workers > 0 ? LOOP_HANG_MAX : 0);
}

void work_close(struct loop *loop)
{
    pthread_mutex_destroy(&loop->work_lock);
    pthread_cond_destroy(&loop->sure.wake);
    pthread_cond_destroy(&loop->hanging.wake);
    pthread_cond_destroy(&loop->work_ended);
}
