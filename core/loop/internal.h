/* What the files of core/loop share. */
#ifndef SHEP_LOOP_INTERNAL_H
#define SHEP_LOOP_INTERNAL_H

#include "loop/loop.h"

#include <event2/event.h>
#include <pthread.h>
#include <sys/queue.h>

struct fetcher;

struct message {
    loop_fn fn;
    void *arg;
};

struct job {
    STAILQ_ENTRY(job) link;
    struct loop *loop;
    struct loop_owner *owner;
    loop_fn run, done;
    void *arg;
};

enum { LOOP_WORKERS_MAX = 4 };

struct loop {
    struct event_base *base;

    pthread_mutex_t post_lock;
    struct message *posted; /* ring would save the copy; a burst is rare and short */
    size_t n_posted, cap_posted;
    int wake_fd;
    struct event *wake_event;

    LIST_HEAD(, loop_timer) timers;
    LIST_HEAD(, loop_watch) watches;
    size_t n_timers, n_watches;
    bool choked;

    void **deferred;
    size_t n_deferred, cap_deferred;
    struct event *defer_event;

    pthread_mutex_t work_lock;
    pthread_cond_t work_wake;
    STAILQ_HEAD(, job) jobs;
    size_t n_jobs;
    unsigned n_workers, n_started;
    bool stopping;
    pthread_t workers[LOOP_WORKERS_MAX];

    uint64_t turn;
    bool stopped;
    struct fetcher *fetcher;
    int64_t lag_max_ms, lag_since_ms; /* longest callback since lag_since_ms */
};

void loop_run_posted(struct loop *loop);
void fetch_free(struct loop *loop);
void fetch_sweep(struct loop *loop, const struct loop_owner *owner);
size_t fetch_count(const struct loop *loop);
#endif
