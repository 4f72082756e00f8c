/* What the files of core/loop share. */
#ifndef SHEP_LOOP_INTERNAL_H
#define SHEP_LOOP_INTERNAL_H

#include "loop/loop.h"

#include <event2/event.h>
#include <pthread.h>
#include <sys/epoll.h>
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

/* Jobs that wait, and the threads that run them. Guarded by work_lock. */
struct lane {
    struct loop *loop;
    STAILQ_HEAD(, job) jobs;
    size_t n_jobs;
    unsigned n_threads, n_idle, max_threads;
    pthread_cond_t wake;
};

enum { LOOP_WORKERS_MAX = 4, LOOP_OWNERS_MAX = 192 };

enum { STREAM_BATCH = 128 };

/* Ports are read in batches: see loop/stream.c. */
struct streams {
    int epoll_fd;
    struct event *ready,
        *gate; /* ready: waiting for the first byte; gate: the pause after a batch */
    struct epoll_event *batch; /* STREAM_BATCH of them */
    int n_batch;               /* what is left to do of it; 0: no batch is being worked on */
    bool hurry;
};

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
    struct streams streams;
    bool choked;

    void **deferred;
    size_t n_deferred, cap_deferred;
    struct event *defer_event;

    pthread_mutex_t work_lock;
    pthread_cond_t work_ended; /* by the monotonic clock */
    struct lane sure, hanging; /* see loop/work.c */
    unsigned n_started, n_ended;
    bool stopping;
    pthread_t workers[LOOP_WORKERS_MAX + LOOP_HANG_MAX];

    struct loop_owner *owners[LOOP_OWNERS_MAX]; /* everybody who ever asked for something */
    size_t n_owners;
    uint64_t turn;
    bool stopped;
    struct fetcher *fetcher;
    int64_t lag_max_ms, lag_since_ms; /* longest callback since lag_since_ms */
};

struct loop_watch {
    LIST_ENTRY(loop_watch) link;
    struct loop *loop;
    struct loop_owner *owner;
    struct event *event; /* NULL: a stream */
    int fd;
    loop_fd_fn fn;
    void *arg;
};

void watch_call(struct loop_watch *watch, uint32_t ready); /* metered; may free the watch */
void note_lag(struct loop *loop, int64_t begun_us);
void note_owner(struct loop *loop, struct loop_owner *owner);

void streams_open(struct loop *loop);
void streams_close(struct loop *loop);
bool stream_add(struct loop_watch *watch); /* false: the descriptor cannot be watched */
void stream_remove(struct loop_watch *watch);
void streams_choke(struct loop *loop);

void loop_run_posted(struct loop *loop);
void work_open(struct loop *loop, unsigned n_workers);
void work_close(struct loop *loop);
void fetch_free(struct loop *loop);
void fetch_sweep(struct loop *loop, const struct loop_owner *owner);
size_t fetch_count(const struct loop *loop);
#endif
