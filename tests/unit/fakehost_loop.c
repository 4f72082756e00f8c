/* The fake host's loop: clocks, timers, watches, jobs and fetches. */
#include "fakehost_internal.h"

#include <poll.h>

struct shep_timer {
    int64_t due_ms, every_ms;
    shep_timer_fn fn;
    void *arg;
    uint64_t order;
};

struct shep_watch {
    int fd;
    uint32_t what;
    shep_watch_fn fn;
    void *arg;
    bool dead;
};

/* ---- host ---- */

static int64_t host_now(struct shep_ctx *ctx)
{
    return host_of(ctx)->wall_ms;
}

static int64_t host_mono(struct shep_ctx *ctx)
{
    return host_of(ctx)->mono_ms;
}

static int host_timer(struct shep_ctx *ctx, int64_t first_ms, int64_t every_ms, shep_timer_fn fn,
                      void *arg, struct shep_timer **out)
{
    struct fake *fake = host_of(ctx);
    assert_true(fake->n_timers < MAX_TIMERS);
    struct shep_timer *timer = calloc(1, sizeof *timer);
    *timer = (struct shep_timer){fake->mono_ms + first_ms, every_ms, fn, arg, fake->timer_order++};
    fake->timers[fake->n_timers++] = timer;
    if (out)
        *out = timer;
    return 0;
}

static void host_timer_cancel(struct shep_ctx *ctx, struct shep_timer *timer)
{
    struct fake *fake = host_of(ctx);
    if (!timer)
        return;
    for (size_t i = 0; i < fake->n_timers; i++)
        if (fake->timers[i] == timer) {
            fake->timers[i] = fake->timers[--fake->n_timers];
            free(timer);
            return;
        }
    fail_msg("a timer was cancelled that does not exist (it fired, or was cancelled before)");
}

static int host_watch(struct shep_ctx *ctx, int fd, uint32_t what, shep_watch_fn fn, void *arg,
                      struct shep_watch **out)
{
    struct fake *fake = host_of(ctx);
    assert_true(fake->n_watches < MAX_WATCHES);
    struct shep_watch *watch = calloc(1, sizeof *watch);
    *watch = (struct shep_watch){fd, what, fn, arg, false};
    fake->watches[fake->n_watches++] = watch;
    *out = watch;
    return 0;
}

static void host_watch_cancel(struct shep_ctx *ctx, struct shep_watch *watch)
{
    struct fake *fake = host_of(ctx);
    if (!watch)
        return;
    for (size_t i = 0; i < fake->n_watches; i++)
        if (fake->watches[i] == watch) {
            struct pollfd probe = {.fd = watch->fd};
            if (poll(&probe, 1, 0) == 1 && (probe.revents & POLLNVAL))
                fail_msg("the descriptor was closed before its watch was cancelled");
            fake->watches[i] = fake->watches[--fake->n_watches];
            free(watch);
            return;
        }
    fail_msg("a watch was cancelled that does not exist");
}

static int host_work(struct shep_ctx *ctx, shep_work_fn run, shep_work_fn done, void *arg)
{
    struct fake *fake = host_of(ctx);
    if (fake->n_jobs + fake->n_hung == MAX_JOBS)
        return SHEP_E_LIMIT;
    fake->jobs[fake->n_jobs++] = (struct job){run, done, arg};
    return 0;
}

static int host_fetch(struct shep_ctx *ctx, const struct shep_fetch *fetch, shep_fetch_fn done,
                      void *arg)
{
    struct fake *fake = host_of(ctx);
    if (fake->offline)
        return SHEP_E_UNSUPPORTED;
    if (fake->fetch_done)
        return SHEP_E_BUSY;
    copy_text(fake->fetch_url, sizeof fake->fetch_url, fetch->url);
    fake->fetch_done = done;
    fake->fetch_arg = arg;
    fake->n_fetches++;
    return 0;
}

void loop_fill(struct shep_host *host)
{
    host->now_ms = host_now;
    host->mono_ms = host_mono;
    host->timer = host_timer;
    host->timer_cancel = host_timer_cancel;
    host->watch_fd = host_watch;
    host->watch_cancel = host_watch_cancel;
    host->work = host_work;
    host->http_fetch = host_fetch;
}

void loop_stop(struct fake *fake)
{
    for (size_t i = 0; i < fake->n_timers; i++)
        free(fake->timers[i]);
    for (size_t i = 0; i < fake->n_watches; i++)
        free(fake->watches[i]);
    fake->n_timers = fake->n_watches = 0;
    if (fake->fetch_done)
        fake_reply_error(fake, SHEP_E_GONE, "stopped");
    fake->n_gets = 0;
    fake->hold_jobs = false;
    fake_let_go_jobs(fake);
    while (fake_run_jobs(fake))
        ;
}

/* ---- time ---- */

void fake_clock(struct fake *fake, int64_t wall_ms, int64_t mono_ms)
{
    fake->wall_ms = wall_ms;
    fake->mono_ms = mono_ms;
}

int64_t fake_wall_ms(const struct fake *fake)
{
    return fake->wall_ms;
}

int64_t fake_mono_ms(const struct fake *fake)
{
    return fake->mono_ms;
}

void fake_wall_jump(struct fake *fake, int64_t ms)
{
    fake->wall_ms += ms;
}

static void *job_thread(void *arg)
{
    struct job *job = arg;
    job->run(job->arg);
    return NULL;
}

bool fake_run_jobs(struct fake *fake)
{
    bool ran = fake->n_gets > 0;
    herd_answer(fake);
    if (fake->hold_jobs)
        return ran;
    struct job jobs[MAX_JOBS];
    size_t n = fake->n_jobs;
    memcpy(jobs, fake->jobs, n * sizeof *jobs);
    fake->n_jobs = 0;
    for (size_t i = 0; i < n; i++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, job_thread, &jobs[i]), 0);
        pthread_join(thread, NULL);
        jobs[i].done(jobs[i].arg);
        ran = true;
    }
    return ran;
}

void fake_hold_jobs(struct fake *fake, bool hold)
{
    fake->hold_jobs = hold;
}

size_t fake_jobs_waiting(const struct fake *fake)
{
    return fake->n_jobs;
}

void fake_hang_jobs(struct fake *fake)
{
    memcpy(fake->hung + fake->n_hung, fake->jobs, fake->n_jobs * sizeof *fake->jobs);
    fake->n_hung += fake->n_jobs;
    fake->n_jobs = 0;
}

void fake_let_go_jobs(struct fake *fake)
{
    memcpy(fake->jobs + fake->n_jobs, fake->hung, fake->n_hung * sizeof *fake->jobs);
    fake->n_jobs += fake->n_hung;
    fake->n_hung = 0;
}

static struct shep_timer *timer_next(const struct fake *fake, int64_t until_ms)
{
    struct shep_timer *next = NULL;
    for (size_t i = 0; i < fake->n_timers; i++) {
        struct shep_timer *timer = fake->timers[i];
        if (timer->due_ms <= until_ms &&
            (!next || timer->due_ms < next->due_ms ||
             (timer->due_ms == next->due_ms && timer->order < next->order)))
            next = timer;
    }
    return next;
}

static void timer_fire(struct fake *fake, struct shep_timer *timer)
{
    shep_timer_fn fn = timer->fn;
    void *arg = timer->arg;
    if (timer->every_ms > 0) {
        timer->due_ms += timer->every_ms;
        timer->order = fake->timer_order++;
    } else {
        host_timer_cancel(&fake->ctx, timer); /* the handle dies when it fires */
    }
    fn(arg);
}

void fake_advance(struct fake *fake, int64_t ms)
{
    int64_t end = fake->mono_ms + ms;
    struct shep_timer *timer;
    long turns = 0;
    while (fake_run_jobs(fake))
        ;
    while ((timer = timer_next(fake, end))) {
        if (timer->due_ms > fake->mono_ms) {
            fake->wall_ms += timer->due_ms - fake->mono_ms;
            fake->mono_ms = timer->due_ms;
            turns = 0;
        }
        if (++turns > 10000)
            fail_msg("timers fire for ever without time going on");
        timer_fire(fake, timer);
        while (fake_run_jobs(fake))
            ;
    }
    fake->wall_ms += end - fake->mono_ms;
    fake->mono_ms = end;
}

size_t fake_timers(const struct fake *fake)
{
    return fake->n_timers;
}

int64_t fake_next_timer_ms(const struct fake *fake)
{
    struct shep_timer *timer = timer_next(fake, INT64_MAX);
    return timer ? timer->due_ms - fake->mono_ms : -1;
}

/* ---- watches ---- */

size_t fake_watches(const struct fake *fake)
{
    return fake->n_watches;
}

void fake_choke(struct fake *fake, bool choked)
{
    fake->choked = choked;
}

static bool watch_alive(const struct fake *fake, const struct shep_watch *watch)
{
    for (size_t i = 0; i < fake->n_watches; i++)
        if (fake->watches[i] == watch)
            return true;
    return false;
}

int fake_poll(struct fake *fake, int timeout_ms)
{
    struct pollfd fds[MAX_WATCHES];
    struct shep_watch *watches[MAX_WATCHES];
    nfds_t n = 0;
    for (size_t i = 0; i < fake->n_watches; i++) {
        struct shep_watch *watch = fake->watches[i];
        if (fake->choked && (watch->what & SHEP_WATCH_STREAM))
            continue;
        short events = (short)((watch->what & SHEP_WATCH_READ ? POLLIN : 0) |
                               (watch->what & SHEP_WATCH_WRITE ? POLLOUT : 0));
        fds[n] = (struct pollfd){.fd = watch->fd, .events = events};
        watches[n++] = watch;
    }
    if (poll(fds, n, timeout_ms) <= 0)
        return 0;
    int calls = 0;
    for (nfds_t i = 0; i < n; i++) {
        if (!fds[i].revents || !watch_alive(fake, watches[i]))
            continue;
        assert_false(fds[i].revents & POLLNVAL);
        watches[i]->fn(fds[i].fd, fds[i].revents & POLLOUT ? SHEP_WATCH_WRITE : SHEP_WATCH_READ,
                       watches[i]->arg);
        calls++;
    }
    return calls;
}

/* ---- fetches ---- */

size_t fake_fetches(const struct fake *fake)
{
    return fake->n_fetches;
}

const char *fake_fetch_url(const struct fake *fake)
{
    return fake->fetch_url;
}

bool fake_fetch_open(const struct fake *fake)
{
    return fake->fetch_done != NULL;
}

void fake_offline(struct fake *fake, bool offline)
{
    fake->offline = offline;
}

static void fetch_finish(struct fake *fake, const struct shep_fetch_result *result)
{
    assert_non_null(fake->fetch_done);
    shep_fetch_fn done = fake->fetch_done;
    fake->fetch_done = NULL;
    done(result, fake->fetch_arg);
}

void fake_reply(struct fake *fake, int status, int retry_after_s, const char *body)
{
    struct shep_fetch_result result = {.size = sizeof result,
                                       .status = status,
                                       .retry_after_s = retry_after_s,
                                       .body = body,
                                       .body_len = strlen(body)};
    fetch_finish(fake, &result);
}

void fake_reply_error(struct fake *fake, int err, const char *message)
{
    struct shep_fetch_result result = {
        .size = sizeof result, .err = err, .body = "", .message = message};
    fetch_finish(fake, &result);
}
