/* The event loop: every callback of the daemon runs here, on one thread, and may not block.
 *
 * Owner: each timer, watch, job and fetch carries a struct loop_owner (a plugin, "http", "store"
 * …). The loop measures how long its callbacks take, and loop_sweep() removes all that an owner
 * left behind. Thread: the loop's, unless a comment says otherwise. Only core/loop and core/http
 * may see libevent. */
#ifndef SHEP_LOOP_H
#define SHEP_LOOP_H

#include "shepherd/plugin.h"
#include "util/util.h"

struct loop;
struct loop_timer;
struct loop_watch;
struct event_base;

struct loop_owner {
    const char *name;         /* outlives the owner's last callback */
    uint64_t n_calls, n_slow; /* slow: over LOOP_SLOW_MS */
    int64_t total_us, max_us;
    struct complain *complaint; /* made by the loop */
};
enum { LOOP_SLOW_MS = 20 }; /* DESIGN "Threads": a callback over this is logged with its owner */

typedef void (*loop_fn)(void *arg);
typedef void (*loop_fd_fn)(int fd, uint32_t what,
                           void *arg); /* what: SHEP_WATCH_READ | SHEP_WATCH_WRITE */

struct loop *loop_new(unsigned n_workers); /* worker threads start with the first job */
void loop_free(struct loop *loop);         /* finishes the jobs first */
int loop_run(struct loop *loop);           /* until loop_stop() */
void loop_stop(struct loop *loop);
bool loop_run_once(struct loop *loop, int64_t wait_ms); /* tests: one turn; true if something ran */
struct event_base *loop_base(struct loop *loop);        /* for core/http */

/* Changes with every turn of the loop, so that work can be shared by all requests of one turn. */
uint64_t loop_turn(const struct loop *loop);
/* Meter a callback that libevent calls directly (core/http): begin before, end after. */
int64_t loop_meter_begin(void);
void loop_meter_end(struct loop_owner *owner, int64_t begun_us);

/* every_ms 0: fires once and frees itself before it calls fn. Intervals are monotonic. */
struct loop_timer *loop_timer_new(struct loop *loop, struct loop_owner *owner, int64_t first_ms,
                                  int64_t every_ms, loop_fn fn, void *arg);
void loop_timer_free(
    struct loop_timer *timer); /* NULL is allowed; also from within its own callback */

/* The fd stays the caller's; free the watch before closing it. STREAM watches stop while the loop
 * is choked. */
struct loop_watch *loop_watch_new(struct loop *loop, struct loop_owner *owner, int fd,
                                  uint32_t what, loop_fd_fn fn, void *arg);
void loop_watch_free(struct loop_watch *watch);
/* The database is behind: pause reading from devices. */
void loop_choke(struct loop *loop, bool choked);
bool loop_is_choked(const struct loop *loop);
/* From the callback of a stream: its buffer was full, so look at the streams again without a pause.
 */
void loop_hurry(struct loop *loop);

/* Run fn on the loop, in order of posting. Any thread. */
void loop_post(struct loop *loop, loop_fn fn, void *arg);
/* free(mem) at the end of this turn, for what a caller up the stack may still hold. */
void loop_defer_free(struct loop *loop, void *mem);

/* run on a worker thread, then done on the loop, always: a sweep does not take that away, since
 * done frees arg. For what ends for sure. SHEP_E_LIMIT when 256 jobs wait already. */
int loop_work(struct loop *loop, struct loop_owner *owner, loop_fn run, loop_fn done, void *arg);
/* The same for what may hang for ever: a path that leads to a device or a network. Up to
 * LOOP_HANG_MAX of these run at once, so one that hangs holds up nobody; whoever asks for them has
 * to bound how many of his may hang. */
enum { LOOP_HANG_MAX = 48 };
int loop_work_may_hang(struct loop *loop, struct loop_owner *owner, loop_fn run, loop_fn done,
                       void *arg);
/* Stop taking jobs, run what waits to its end, call every done. Before the rooms that jobs refer to
 * are taken down. */
void loop_work_finish(struct loop *loop);
/* The same, but when a job still blocks after wait_ms (a device that does not answer): false, and
 * nothing is called or freed. Store what is to be stored, then _exit(): the job's thread lives on.
 */
bool loop_work_finish_by(struct loop *loop, int64_t wait_ms);
size_t loop_work_waiting(const struct loop *loop);

/* HTTP client on the loop (libcurl). done is called exactly once, also on sweep (err SHEP_E_GONE).
 */
int loop_fetch(struct loop *loop, struct loop_owner *owner, const struct shep_fetch *fetch,
               shep_fetch_fn done, void *arg);

/* Remove timers, watches, fetches of an owner; done of its jobs is still called. */
void loop_sweep(struct loop *loop, struct loop_owner *owner);

/* Everybody whose timers or watches ran here, in the order in which they first asked. */
typedef void (*loop_owner_fn)(const struct loop_owner *owner, void *arg);
void loop_owners_each(const struct loop *loop, loop_owner_fn fn, void *arg);

struct loop_stats {
    int64_t lag_max_ms; /* longest turn of the last minute */
    size_t n_timers, n_watches, jobs_waiting, fetches;
    bool choked;
};
void loop_stats_get(struct loop *loop, struct loop_stats *out);
#endif
