/* The loop itself: posting, timers, watches, metering. Owns the event base; everything here is the
 * loop thread's but loop_post(). */
#include "loop/internal.h"

#include "util/clock.h"
#include "util/log.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LAG_WINDOW_MS = 60000 };

static void libevent_log(int severity, const char *text)
{
    if (severity >= EVENT_LOG_WARN)
        log_warn("loop", "libevent: %s", text);
    else
        log_debug("loop", "libevent: %s", text);
}

/* ---- posting ---- */

void loop_post(struct loop *loop, loop_fn fn, void *arg)
{
    pthread_mutex_lock(&loop->post_lock);
    if (loop->n_posted == loop->cap_posted) {
        loop->cap_posted = loop->cap_posted ? loop->cap_posted * 2 : 64;
        loop->posted = shep_realloc(loop->posted, loop->cap_posted * sizeof *loop->posted);
    }
    loop->posted[loop->n_posted++] = (struct message){.fn = fn, .arg = arg};
    bool first = loop->n_posted == 1;
    pthread_mutex_unlock(&loop->post_lock);
    uint64_t one = 1;
    if (first && write(loop->wake_fd, &one, sizeof one) < 0 && errno != EAGAIN)
        log_error("loop", "waking the loop failed: %s", strerror(errno));
}

/* Wake-ups coalesce, so the whole queue is taken; what is posted meanwhile wakes us again. */
void loop_run_posted(struct loop *loop)
{
    pthread_mutex_lock(&loop->post_lock);
    struct message *batch = loop->posted;
    size_t n = loop->n_posted;
    loop->posted = NULL;
    loop->n_posted = loop->cap_posted = 0;
    pthread_mutex_unlock(&loop->post_lock);
    for (size_t i = 0; i < n; i++)
        batch[i].fn(batch[i].arg);
    free(batch);
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    uint64_t count;
    if (read(fd, &count, sizeof count) < 0 && errno != EAGAIN)
        log_error("loop", "reading the wake-up failed: %s", strerror(errno));
    loop_run_posted(arg);
}

/* ---- deferred free ---- */

static void on_defer(evutil_socket_t fd, short what, void *arg)
{
    struct loop *loop = arg;
    for (size_t i = 0; i < loop->n_deferred; i++)
        free(loop->deferred[i]);
    loop->n_deferred = 0;
}

void loop_defer_free(struct loop *loop, void *mem)
{
    if (loop->n_deferred == loop->cap_deferred) {
        loop->cap_deferred = loop->cap_deferred ? loop->cap_deferred * 2 : 16;
        loop->deferred = shep_realloc(loop->deferred, loop->cap_deferred * sizeof *loop->deferred);
    }
    loop->deferred[loop->n_deferred++] = mem;
    event_active(loop->defer_event, EV_TIMEOUT, 0);
}

/* ---- metering ---- */

int64_t loop_meter_begin(void)
{
    return clock_mono_us();
}

void loop_meter_end(struct loop_owner *owner, int64_t begun_us)
{
    int64_t took_us = clock_mono_us() - begun_us;
    owner->n_calls++;
    owner->total_us += took_us;
    if (took_us > owner->max_us)
        owner->max_us = took_us;
    if (took_us < LOOP_SLOW_MS * 1000)
        return;
    owner->n_slow++;
    if (!owner->complaint)
        owner->complaint = shep_alloc(sizeof *owner->complaint);
    complain(owner->complaint, SHEP_LOG_WARN, owner->name,
             "a callback held the loop for %lld ms (over %d ms); everything else waited",
             (long long)(took_us / 1000), LOOP_SLOW_MS);
}

void note_lag(struct loop *loop, int64_t begun_us)
{
    int64_t now_us = clock_mono_us(), lag_ms = (now_us - begun_us) / 1000;
    if (now_us / 1000 - loop->lag_since_ms > LAG_WINDOW_MS) {
        loop->lag_since_ms = now_us / 1000;
        loop->lag_max_ms = 0;
    }
    if (lag_ms > loop->lag_max_ms)
        loop->lag_max_ms = lag_ms;
}

void note_owner(struct loop *loop, struct loop_owner *owner)
{
    for (size_t i = 0; i < loop->n_owners; i++)
        if (loop->owners[i] == owner)
            return;
    if (loop->n_owners < LOOP_OWNERS_MAX)
        loop->owners[loop->n_owners++] = owner;
}

void loop_owners_each(const struct loop *loop, loop_owner_fn fn, void *arg)
{
    for (size_t i = 0; i < loop->n_owners; i++)
        fn(loop->owners[i], arg);
}

/* ---- timers ---- */

struct loop_timer {
    LIST_ENTRY(loop_timer) link;
    struct loop *loop;
    struct loop_owner *owner;
    struct event *event;
    int64_t every_ms;
    loop_fn fn;
    void *arg;
};

static struct timeval ms_to_timeval(int64_t ms)
{
    if (ms < 0)
        ms = 0;
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000};
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct loop_timer *timer = arg;
    struct loop *loop = timer->loop;
    struct loop_owner *owner = timer->owner;
    loop_fn fn = timer->fn;
    void *fn_arg = timer->arg;
    if (timer->every_ms > 0) {
        struct timeval every = ms_to_timeval(timer->every_ms);
        event_add(timer->event, &every);
    } else {
        loop_timer_free(timer);
    }
    int64_t begun_us = loop_meter_begin();
    fn(fn_arg);
    note_lag(loop, begun_us);
    loop_meter_end(owner, begun_us);
}

struct loop_timer *loop_timer_new(struct loop *loop, struct loop_owner *owner, int64_t first_ms,
                                  int64_t every_ms, loop_fn fn, void *arg)
{
    struct loop_timer *timer = shep_alloc(sizeof *timer);
    *timer = (struct loop_timer){
        .loop = loop, .owner = owner, .every_ms = every_ms, .fn = fn, .arg = arg};
    timer->event = evtimer_new(loop->base, on_timer, timer);
    struct timeval first = ms_to_timeval(first_ms);
    if (!timer->event || event_add(timer->event, &first) != 0)
        abort(); /* only out of memory */
    LIST_INSERT_HEAD(&loop->timers, timer, link);
    note_owner(loop, owner);
    loop->n_timers++;
    return timer;
}

void loop_timer_free(struct loop_timer *timer)
{
    if (!timer)
        return;
    LIST_REMOVE(timer, link);
    timer->loop->n_timers--;
    event_free(timer->event);
    free(timer);
}

/* ---- watches ---- */

void watch_call(struct loop_watch *watch, uint32_t ready)
{
    struct loop *loop = watch->loop;
    struct loop_owner *owner = watch->owner;
    int64_t begun_us = loop_meter_begin();
    watch->fn(watch->fd, ready, watch->arg);
    note_lag(loop, begun_us);
    loop_meter_end(owner, begun_us);
}

static void on_fd(evutil_socket_t fd, short what, void *arg)
{
    watch_call(arg,
               (what & EV_READ ? SHEP_WATCH_READ : 0u) | (what & EV_WRITE ? SHEP_WATCH_WRITE : 0u));
}

static bool event_watch(struct loop_watch *watch, uint32_t what)
{
    short events = (short)((what & SHEP_WATCH_READ ? EV_READ : 0) |
                           (what & SHEP_WATCH_WRITE ? EV_WRITE : 0) | EV_PERSIST);
    watch->event = event_new(watch->loop->base, watch->fd, events, on_fd, watch);
    if (watch->event && event_add(watch->event, NULL) == 0)
        return true;
    if (watch->event)
        event_free(watch->event);
    return false;
}

/* epoll refuses these, but would say so only at the end of the turn. */
static bool is_watchable(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
}

struct loop_watch *loop_watch_new(struct loop *loop, struct loop_owner *owner, int fd,
                                  uint32_t what, loop_fd_fn fn, void *arg)
{
    if (!is_watchable(fd))
        return NULL;
    struct loop_watch *watch = shep_alloc(sizeof *watch);
    *watch = (struct loop_watch){.loop = loop, .owner = owner, .fd = fd, .fn = fn, .arg = arg};
    if (!(what & SHEP_WATCH_STREAM ? stream_add(watch) : event_watch(watch, what))) {
        free(watch);
        return NULL;
    }
    LIST_INSERT_HEAD(&loop->watches, watch, link);
    note_owner(loop, owner);
    loop->n_watches++;
    return watch;
}

void loop_watch_free(struct loop_watch *watch)
{
    if (!watch)
        return;
    LIST_REMOVE(watch, link);
    watch->loop->n_watches--;
    if (watch->event)
        event_free(watch->event);
    else
        stream_remove(watch);
    free(watch);
}

void loop_choke(struct loop *loop, bool choked)
{
    if (loop->choked == choked)
        return;
    loop->choked = choked;
    streams_choke(loop);
}

bool loop_is_choked(const struct loop *loop)
{
    return loop->choked;
}

/* ---- life ---- */

/* Other threads touch nothing of the base but the eventfd, so it needs no locks; and nothing that
 * it watches is dup()ed, so changes of a turn go to the kernel together: a request needs four of
 * them. */
static struct event_base *base_new(void)
{
    struct event_config *config = event_config_new();
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
    struct event_base *base = event_base_new_with_config(config);
    event_config_free(config);
    return base;
}

struct loop *loop_new(unsigned n_workers)
{
    event_set_log_callback(libevent_log);
    struct loop *loop = shep_alloc(sizeof *loop);
    loop->base = base_new();
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!loop->base || loop->wake_fd < 0)
        abort(); /* no loop, no daemon: only out of memory or descriptors at start-up */
    LIST_INIT(&loop->timers);
    LIST_INIT(&loop->watches);
    pthread_mutex_init(&loop->post_lock, NULL);
    work_open(loop, n_workers);
    loop->wake_event = event_new(loop->base, loop->wake_fd, EV_READ | EV_PERSIST, on_wake, loop);
    loop->defer_event = event_new(loop->base, -1, 0, on_defer, loop);
    event_add(loop->wake_event, NULL);
    streams_open(loop);
    return loop;
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    loop_work_finish(loop);
    fetch_free(loop);
    while (!LIST_EMPTY(&loop->timers))
        loop_timer_free(LIST_FIRST(&loop->timers));
    while (!LIST_EMPTY(&loop->watches))
        loop_watch_free(LIST_FIRST(&loop->watches));
    streams_close(loop);
    on_defer(-1, 0, loop);
    free(loop->deferred);
    free(loop->posted);
    event_free(loop->wake_event);
    event_free(loop->defer_event);
    close(loop->wake_fd);
    event_base_free(loop->base);
    pthread_mutex_destroy(&loop->post_lock);
    work_close(loop);
    free(loop);
}

/* One batch of events a call, so that turns can be counted: libevent's cached time cannot tell them
 * apart, it is coarse (4 ms). */
int loop_run(struct loop *loop)
{
    loop->stopped = false;
    while (!loop->stopped) {
        loop->turn++;
        if (event_base_loop(loop->base, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY) < 0)
            return SHEP_E_IO;
    }
    return 0;
}

void loop_stop(struct loop *loop)
{
    loop->stopped = true;
    event_base_loopbreak(loop->base);
}

static void on_run_once_timeout(evutil_socket_t fd, short what, void *arg)
{
    *(bool *)arg = true;
}

bool loop_run_once(struct loop *loop, int64_t wait_ms)
{
    bool timed_out = false;
    loop->turn++;
    struct timeval wait = ms_to_timeval(wait_ms);
    event_base_once(loop->base, -1, EV_TIMEOUT, on_run_once_timeout, &timed_out, &wait);
    event_base_loop(loop->base, EVLOOP_ONCE);
    /* The one-shot event points at our stack: it must have fired before we return. */
    bool ran = !timed_out;
    while (!timed_out)
        event_base_loop(loop->base, EVLOOP_ONCE);
    return ran;
}

struct event_base *loop_base(struct loop *loop)
{
    return loop->base;
}

uint64_t loop_turn(const struct loop *loop)
{
    return loop->turn;
}

void loop_sweep(struct loop *loop, struct loop_owner *owner)
{
    struct loop_timer *timer, *next_timer;
    for (timer = LIST_FIRST(&loop->timers); timer; timer = next_timer) {
        next_timer = LIST_NEXT(timer, link);
        if (timer->owner == owner)
            loop_timer_free(timer);
    }
    struct loop_watch *watch, *next_watch;
    for (watch = LIST_FIRST(&loop->watches); watch; watch = next_watch) {
        next_watch = LIST_NEXT(watch, link);
        if (watch->owner == owner)
            loop_watch_free(watch);
    }
    fetch_sweep(loop, owner);
}

void loop_stats_get(struct loop *loop, struct loop_stats *out)
{
    *out = (struct loop_stats){
        .lag_max_ms = loop->lag_max_ms,
        .n_timers = loop->n_timers,
        .n_watches = loop->n_watches,
        .jobs_waiting = loop_work_waiting(loop),
        .fetches = fetch_count(loop),
        .choked = loop->choked,
    };
}
