#include "fakehost.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bounds of a test, not of the daemon: reaching one is a failed test. */
enum { MAX_OPTS = 32, MAX_TIMERS = 256, MAX_WATCHES = 128, MAX_JOBS = 256, MAX_DEVICES = 64 };
enum { MAX_FOUND = 64, MAX_MINERS = 64, MAX_NAMED = 64, MAX_LOGS = 256, MAX_RANGES = 512 };
enum { MAX_EMITTED = 256, MAX_VALUES = 256, MAX_GETS = 16 };

struct opt {
    char name[64], value[512];
};

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

struct job {
    shep_work_fn run, done;
    void *arg;
};

struct named {
    char name[64];
    char *value;
};

struct shep_device {
    struct fake *fake;
    char name[65];
    struct opt opts[MAX_OPTS];
    size_t n_opts;
    int link;
    char why[1024];
    size_t link_changes;
    char *fed;
    size_t fed_len;
    bool attached, busy;
};

struct miner {
    struct shep_miner seen;
    char name[65];
    double value[MAX_VALUES];
    int64_t at_ms[MAX_VALUES];
};

struct rollup_request {
    uint32_t period_s, metric;
    int64_t from_ms, to_ms;
    shep_rollup_fn fn;
    void *arg;
};

struct shep_ctx {
    struct fake *fake;
};

struct fake {
    struct shep_ctx ctx;
    struct shep_host host;
    void *so;
    const struct shep_plugin *plugin;
    void *self;
    bool started;
    pthread_t thread;
    int64_t wall_ms, mono_ms;
    struct opt opts[MAX_OPTS];
    size_t n_opts;
    struct shep_timer *timers[MAX_TIMERS];
    size_t n_timers;
    uint64_t timer_order;
    struct shep_watch *watches[MAX_WATCHES];
    size_t n_watches;
    bool choked, hold_jobs;
    struct job jobs[MAX_JOBS];
    size_t n_jobs;
    char *logs[MAX_LOGS];
    size_t n_logs;
    char failure[1024];
    struct shep_device *devices[MAX_DEVICES];
    size_t n_devices;
    struct fake_found found[MAX_FOUND];
    size_t n_found, found_calls, lost_calls;
    struct shep_reading emitted[MAX_EMITTED];
    char emitted_text[MAX_EMITTED][SHEP_TEXT_MAX + 1];
    size_t n_emitted;
    struct miner *miners[MAX_MINERS];
    size_t n_miners;
    struct named facts[MAX_NAMED], files[MAX_NAMED], kv[MAX_NAMED];
    size_t n_facts, n_files, n_kv, kv_puts;
    struct shep_summary summaries[MAX_MINERS];
    size_t n_summaries, summary_puts;
    struct shep_rollup *rollups;
    size_t n_rollups;
    struct rollup_request gets[MAX_GETS];
    size_t n_gets;
    struct fake_range folds[MAX_RANGES], drops[MAX_RANGES];
    size_t n_folds, n_drops;
    char fetch_url[1024];
    shep_fetch_fn fetch_done;
    void *fetch_arg;
    size_t n_fetches;
    bool offline;
};

/* Every host call goes through here. */
static struct fake *host_of(struct shep_ctx *ctx)
{
    struct fake *fake = ctx->fake;
    if (!pthread_equal(fake->thread, pthread_self())) {
        fprintf(stderr, "a host function was called from a worker thread\n");
        abort();
    }
    return fake;
}

static void copy_text(char *dst, size_t cap, const char *src)
{
    snprintf(dst, cap, "%s", src ? src : "");
}

/* ---- names and values ---- */

static struct named *named_find(struct named *table, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(table[i].name, name))
            return &table[i];
    return NULL;
}

static void named_put(struct named *table, size_t *n, const char *name, const char *value,
                      size_t len)
{
    struct named *at = named_find(table, *n, name);
    if (!at) {
        assert_true(*n < MAX_NAMED);
        at = &table[(*n)++];
        copy_text(at->name, sizeof at->name, name);
    }
    free(at->value);
    at->value = value ? strndup(value, len) : NULL;
}

static const char *named_get(const struct named *table, size_t n, const char *name)
{
    struct named *at = named_find((struct named *)table, n, name);
    return at ? at->value : NULL;
}

static const char *opt_value(const struct opt *opts, size_t n, const struct shep_option *table,
                             const char *name, uint32_t type)
{
    const struct shep_option *option = table;
    for (; option && option->name; option++)
        if (!strcmp(option->name, name))
            break;
    if (!option || !option->name || option->type != type) {
        fprintf(stderr, "option %s is not in the table, or of another type\n", name);
        abort();
    }
    for (size_t i = 0; i < n; i++)
        if (!strcmp(opts[i].name, name))
            return opts[i].value;
    return option->dflt;
}

static void opt_put(struct opt *opts, size_t *n, const char *name, const char *value)
{
    size_t i = 0;
    while (i < *n && strcmp(opts[i].name, name))
        i++;
    if (i == *n) {
        assert_true(*n < MAX_OPTS);
        (*n)++;
    }
    copy_text(opts[i].name, sizeof opts[i].name, name);
    copy_text(opts[i].value, sizeof opts[i].value, value);
}

/* ---- host: all kinds ---- */

__attribute__((format(printf, 3, 4))) static void host_log(struct shep_ctx *ctx, int level,
                                                           const char *fmt, ...)
{
    struct fake *fake = host_of(ctx);
    char text[2048];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (fake->n_logs < MAX_LOGS)
        fake->logs[fake->n_logs++] = strdup(text);
}

__attribute__((format(printf, 3, 4))) static int host_fail(struct shep_ctx *ctx, int err,
                                                           const char *fmt, ...)
{
    struct fake *fake = host_of(ctx);
    va_list args;
    va_start(args, fmt);
    vsnprintf(fake->failure, sizeof fake->failure, fmt, args);
    va_end(args);
    return err;
}

static int64_t host_now(struct shep_ctx *ctx)
{
    return host_of(ctx)->wall_ms;
}

static int64_t host_mono(struct shep_ctx *ctx)
{
    return host_of(ctx)->mono_ms;
}

static const char *plugin_opt(struct shep_ctx *ctx, const char *name, uint32_t type)
{
    struct fake *fake = host_of(ctx);
    return opt_value(fake->opts, fake->n_opts, fake->plugin->options, name, type);
}

static int host_opt_str(struct shep_ctx *ctx, const char *name, const char **out)
{
    const char *value = plugin_opt(ctx, name, SHEP_OPT_STRING);
    if (!value)
        return SHEP_E_GONE;
    *out = value;
    return 0;
}

static int host_opt_int(struct shep_ctx *ctx, const char *name, int64_t *out)
{
    const char *value = plugin_opt(ctx, name, SHEP_OPT_INT);
    if (!value)
        return SHEP_E_GONE;
    *out = strtoll(value, NULL, 10);
    return 0;
}

static int host_opt_float(struct shep_ctx *ctx, const char *name, double *out)
{
    const char *value = plugin_opt(ctx, name, SHEP_OPT_FLOAT);
    if (!value)
        return SHEP_E_GONE;
    *out = strtod(value, NULL);
    return 0;
}

static int host_opt_bool(struct shep_ctx *ctx, const char *name, int *out)
{
    const char *value = plugin_opt(ctx, name, SHEP_OPT_BOOL);
    if (!value)
        return SHEP_E_GONE;
    *out = !strcmp(value, "true");
    return 0;
}

static int host_metric_id(struct shep_ctx *ctx, const char *name, uint32_t *out)
{
    static const struct {
        const char *name;
        uint32_t id;
    } table[] = {
#define SHEP_METRIC(id, sym, name, unit, kind, min, max, history, doc) {#name, id},
#define SHEP_ATTR(id, sym, name, doc)                                  {#name, id},
#include "shepherd/metrics.def"
    };
    host_of(ctx);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (!strcmp(table[i].name, name)) {
            *out = table[i].id;
            return 0;
        }
    return SHEP_E_BUG;
}

/* ---- host: parsers ---- */

static int host_emit(struct shep_ctx *ctx, const struct shep_reading *reading)
{
    struct fake *fake = host_of(ctx);
    assert_true(fake->n_emitted < MAX_EMITTED);
    struct shep_reading *kept = &fake->emitted[fake->n_emitted];
    *kept = *reading;
    if (reading->text) {
        char *text = fake->emitted_text[fake->n_emitted];
        snprintf(text, SHEP_TEXT_MAX + 1, "%.*s", (int)reading->text_len, reading->text);
        kept->text = text;
    }
    fake->n_emitted++;
    return 0;
}

static int host_event(struct shep_ctx *ctx, const struct shep_event *event)
{
    host_of(ctx);
    return 0;
}

/* ---- host: timers, watches, jobs, fetches ---- */

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
    if (fake->n_jobs == MAX_JOBS)
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

/* ---- host: sources ---- */

static int host_feed(struct shep_ctx *ctx, struct shep_device *dev, const void *bytes, size_t len)
{
    host_of(ctx);
    assert_true(dev->attached);
    assert_true(len <= 65536);
    if (dev->busy)
        return SHEP_E_BUSY;
    dev->fed = realloc(dev->fed, dev->fed_len + len + 1);
    memcpy(dev->fed + dev->fed_len, bytes, len);
    dev->fed_len += len;
    dev->fed[dev->fed_len] = 0;
    return 0;
}

static int host_device_reading(struct shep_ctx *ctx, struct shep_device *dev,
                               const struct shep_reading *reading)
{
    return host_emit(ctx, reading);
}

static int host_device_event(struct shep_ctx *ctx, struct shep_device *dev,
                             const struct shep_event *event)
{
    return host_event(ctx, event);
}

static int host_device_link(struct shep_ctx *ctx, struct shep_device *dev, int up, const char *why)
{
    host_of(ctx);
    assert_true(dev->attached);
    assert_true(up ? !why : why && *why);
    if (dev->link != up || strcmp(dev->why, why ? why : ""))
        dev->link_changes++;
    dev->link = up;
    copy_text(dev->why, sizeof dev->why, why);
    return 0;
}

static const char *device_opt(struct shep_ctx *ctx, struct shep_device *dev, const char *name,
                              uint32_t type)
{
    const struct shep_source_ops *ops = host_of(ctx)->plugin->ops;
    return opt_value(dev->opts, dev->n_opts, ops->device_options, name, type);
}

static int host_device_opt_str(struct shep_ctx *ctx, struct shep_device *dev, const char *name,
                               const char **out)
{
    const char *value = device_opt(ctx, dev, name, SHEP_OPT_STRING);
    if (!value)
        return SHEP_E_GONE;
    *out = value;
    return 0;
}

static int host_device_opt_int(struct shep_ctx *ctx, struct shep_device *dev, const char *name,
                               int64_t *out)
{
    const char *value = device_opt(ctx, dev, name, SHEP_OPT_INT);
    if (!value)
        return SHEP_E_GONE;
    *out = strtoll(value, NULL, 10);
    return 0;
}

static int host_device_opt_bool(struct shep_ctx *ctx, struct shep_device *dev, const char *name,
                                int *out)
{
    const char *value = device_opt(ctx, dev, name, SHEP_OPT_BOOL);
    if (!value)
        return SHEP_E_GONE;
    *out = !strcmp(value, "true");
    return 0;
}

static const char *host_device_name(struct shep_ctx *ctx, struct shep_device *dev)
{
    host_of(ctx);
    return dev->name;
}

static int host_device_found(struct shep_ctx *ctx, const struct shep_found *found)
{
    struct fake *fake = host_of(ctx);
    fake->found_calls++;
    struct fake_found *at = (struct fake_found *)fake_found(fake, found->key);
    if (!at) {
        assert_true(fake->n_found < MAX_FOUND);
        at = &fake->found[fake->n_found++];
    }
    copy_text(at->key, sizeof at->key, found->key);
    copy_text(at->path, sizeof at->path, found->path);
    copy_text(at->port_path, sizeof at->port_path, found->port_path);
    copy_text(at->description, sizeof at->description, found->description);
    copy_text(at->serial, sizeof at->serial, found->serial);
    copy_text(at->vendor_id, sizeof at->vendor_id, found->vendor_id);
    copy_text(at->product_id, sizeof at->product_id, found->product_id);
    at->flags = found->flags;
    return 0;
}

static int host_device_lost(struct shep_ctx *ctx, const char *key)
{
    struct fake *fake = host_of(ctx);
    struct fake_found *at = (struct fake_found *)fake_found(fake, key);
    assert_non_null(at);
    fake->lost_calls++;
    *at = fake->found[--fake->n_found];
    return 0;
}

/* ---- host: services ---- */

static int host_each_miner(struct shep_ctx *ctx, shep_miner_fn fn, void *arg)
{
    struct fake *fake = host_of(ctx);
    for (size_t i = 0; i < fake->n_miners; i++)
        fn(&fake->miners[i]->seen, arg);
    return (int)fake->n_miners;
}

static struct miner *miner_find(const struct fake *fake, int64_t id)
{
    for (size_t i = 0; i < fake->n_miners; i++)
        if (fake->miners[i]->seen.id == id)
            return fake->miners[i];
    return NULL;
}

static int host_miner_value(struct shep_ctx *ctx, const struct shep_miner *miner, uint32_t metric,
                            double *value, int64_t *at_ms)
{
    struct miner *at = miner_find(host_of(ctx), miner->id);
    if (!at || metric >= MAX_VALUES || !at->at_ms[metric])
        return SHEP_E_GONE;
    *value = at->value[metric];
    if (at_ms)
        *at_ms = at->at_ms[metric];
    return 0;
}

static int host_miner_text(struct shep_ctx *ctx, const struct shep_miner *miner, uint32_t attr,
                           const char **text, int64_t *at_ms)
{
    host_of(ctx);
    return SHEP_E_GONE;
}

static int host_fact_put(struct shep_ctx *ctx, const char *name, const char *json, size_t len)
{
    struct fake *fake = host_of(ctx);
    named_put(fake->facts, &fake->n_facts, name, json, len);
    return 0;
}

static int host_kv_get(struct shep_ctx *ctx, const char *key, const char **value)
{
    const char *found = fake_kv(host_of(ctx), key);
    if (!found)
        return SHEP_E_GONE;
    *value = found;
    return 0;
}

static int host_kv_put(struct shep_ctx *ctx, const char *key, const char *value)
{
    struct fake *fake = host_of(ctx);
    if (value && strlen(value) > 65536)
        return SHEP_E_LIMIT;
    fake->kv_puts++;
    named_put(fake->kv, &fake->n_kv, key, value, value ? strlen(value) : 0);
    return 0;
}

static int host_file_put(struct shep_ctx *ctx, const char *name, const void *bytes, size_t len)
{
    struct fake *fake = host_of(ctx);
    named_put(fake->files, &fake->n_files, name, bytes, len);
    return 0;
}

static int host_summary_put(struct shep_ctx *ctx, const struct shep_summary *summary)
{
    struct fake *fake = host_of(ctx);
    fake->summary_puts++;
    size_t i = 0;
    while (i < fake->n_summaries && fake->summaries[i].miner_id != summary->miner_id)
        i++;
    assert_true(i < MAX_MINERS);
    if (i == fake->n_summaries)
        fake->n_summaries++;
    fake->summaries[i] = *summary;
    return 0;
}

static int host_rollup_put(struct shep_ctx *ctx, const struct shep_rollup *row)
{
    struct fake *fake = host_of(ctx);
    assert_true(row->n > 0);
    assert_int_equal(row->t_ms % ((int64_t)row->period_s * 1000), 0);
    for (size_t i = 0; i < fake->n_rollups; i++) {
        struct shep_rollup *old = &fake->rollups[i];
        if (old->miner_id == row->miner_id && old->metric == row->metric &&
            old->period_s == row->period_s && old->t_ms == row->t_ms) {
            *old = *row;
            return 0;
        }
    }
    fake->rollups = realloc(fake->rollups, (fake->n_rollups + 1) * sizeof *fake->rollups);
    fake->rollups[fake->n_rollups++] = *row;
    return 0;
}

static int host_rollup_fold(struct shep_ctx *ctx, uint32_t from_s, uint32_t to_s, int64_t from_ms,
                            int64_t to_ms)
{
    struct fake *fake = host_of(ctx);
    assert_true(fake->n_folds < MAX_RANGES);
    assert_true(from_ms < to_ms);
    fake->folds[fake->n_folds++] = (struct fake_range){from_s, to_s, from_ms, to_ms};
    return 0;
}

static int host_rollup_get(struct shep_ctx *ctx, uint32_t period_s, uint32_t metric,
                           int64_t from_ms, int64_t to_ms, shep_rollup_fn fn, void *arg)
{
    struct fake *fake = host_of(ctx);
    assert_true(fake->n_gets < MAX_GETS);
    fake->gets[fake->n_gets++] = (struct rollup_request){period_s, metric, from_ms, to_ms, fn, arg};
    return 0;
}

static int host_rollup_drop(struct shep_ctx *ctx, uint32_t period_s, int64_t before_ms)
{
    struct fake *fake = host_of(ctx);
    assert_true(fake->n_drops < MAX_RANGES);
    fake->drops[fake->n_drops++] = (struct fake_range){period_s, 0, 0, before_ms};
    return 0;
}

static const struct shep_host host_table = {
    .size = sizeof(struct shep_host),
    .abi_major = SHEP_ABI_MAJOR,
    .abi_minor = SHEP_ABI_MINOR,
    .log = host_log,
    .fail = host_fail,
    .now_ms = host_now,
    .mono_ms = host_mono,
    .opt_str = host_opt_str,
    .opt_int = host_opt_int,
    .opt_float = host_opt_float,
    .opt_bool = host_opt_bool,
    .metric_id = host_metric_id,
    .emit = host_emit,
    .event = host_event,
    .timer = host_timer,
    .timer_cancel = host_timer_cancel,
    .watch_fd = host_watch,
    .watch_cancel = host_watch_cancel,
    .work = host_work,
    .http_fetch = host_fetch,
    .feed = host_feed,
    .device_reading = host_device_reading,
    .device_event = host_device_event,
    .device_link = host_device_link,
    .device_opt_str = host_device_opt_str,
    .device_opt_int = host_device_opt_int,
    .device_opt_bool = host_device_opt_bool,
    .device_name = host_device_name,
    .device_found = host_device_found,
    .device_lost = host_device_lost,
    .each_miner = host_each_miner,
    .miner_value = host_miner_value,
    .miner_text = host_miner_text,
    .fact_put = host_fact_put,
    .kv_get = host_kv_get,
    .kv_put = host_kv_put,
    .file_put = host_file_put,
    .summary_put = host_summary_put,
    .rollup_put = host_rollup_put,
    .rollup_fold = host_rollup_fold,
    .rollup_get = host_rollup_get,
    .rollup_drop = host_rollup_drop,
};

/* ---- life ---- */

struct fake *fake_new(const char *so)
{
    char path[1024];
    if (so[0] == '/')
        snprintf(path, sizeof path, "%s", so);
    else
        snprintf(path, sizeof path, "%s/plugins/%s", TEST_BUILD_DIR, so);
    struct fake *fake = calloc(1, sizeof *fake);
    fake->so = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!fake->so)
        fail_msg("%s", dlerror());
    void *symbol = dlsym(fake->so, "shep_plugin_v1");
    assert_non_null(symbol);
    shep_plugin_fn entry;
    memcpy(&entry, &symbol, sizeof entry);
    fake->plugin = entry();
    assert_int_equal(fake->plugin->size, sizeof(struct shep_plugin));
    assert_int_equal(fake->plugin->abi_major, SHEP_ABI_MAJOR);
    fake->ctx.fake = fake;
    fake->host = host_table;
    fake->thread = pthread_self();
    fake->wall_ms = INT64_C(1790000000000);
    fake->mono_ms = 5000000;
    return fake;
}

static void named_free(struct named *table, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(table[i].value);
}

void fake_free(struct fake *fake)
{
    fake_stop(fake);
    for (size_t i = 0; i < fake->n_devices; i++) {
        free(fake->devices[i]->fed);
        free(fake->devices[i]);
    }
    for (size_t i = 0; i < fake->n_miners; i++)
        free(fake->miners[i]);
    for (size_t i = 0; i < fake->n_logs; i++)
        free(fake->logs[i]);
    named_free(fake->facts, fake->n_facts);
    named_free(fake->files, fake->n_files);
    named_free(fake->kv, fake->n_kv);
    free(fake->rollups);
    free(fake); /* the .so stays: plugins are never unloaded */
}

const struct shep_plugin *fake_plugin(const struct fake *fake)
{
    return fake->plugin;
}

const struct shep_host *fake_host(struct fake *fake)
{
    return &fake->host;
}

struct shep_ctx *fake_ctx(struct fake *fake)
{
    return &fake->ctx;
}

void *fake_self(struct fake *fake)
{
    return fake->self;
}

void fake_opt(struct fake *fake, const char *name, const char *value)
{
    opt_put(fake->opts, &fake->n_opts, name, value);
}

int fake_start(struct fake *fake)
{
    int err;
    if (fake->plugin->kind == SHEP_KIND_SOURCE) {
        const struct shep_source_ops *ops = fake->plugin->ops;
        err = ops->start(&fake->ctx, &fake->host, &fake->self);
    } else {
        const struct shep_service_ops *ops = fake->plugin->ops;
        err = ops->start(&fake->ctx, &fake->host, &fake->self);
    }
    fake->started = err >= 0;
    return err;
}

/* As the core does it: stop(), then timers and watches go, and fetches and jobs get their done. */
void fake_stop(struct fake *fake)
{
    if (fake->started) {
        fake->started = false;
        if (fake->plugin->kind == SHEP_KIND_SOURCE) {
            const struct shep_source_ops *ops = fake->plugin->ops;
            for (size_t i = 0; i < fake->n_devices; i++)
                if (fake->devices[i]->attached)
                    fake_detach(fake, fake->devices[i]);
            ops->stop(fake->self);
        } else {
            const struct shep_service_ops *ops = fake->plugin->ops;
            ops->stop(fake->self);
        }
    }
    for (size_t i = 0; i < fake->n_timers; i++)
        free(fake->timers[i]);
    for (size_t i = 0; i < fake->n_watches; i++)
        free(fake->watches[i]);
    fake->n_timers = fake->n_watches = 0;
    if (fake->fetch_done)
        fake_reply_error(fake, SHEP_E_GONE, "stopped");
    fake->n_gets = 0;
    fake->hold_jobs = false;
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

static void rollups_answer(struct fake *fake)
{
    while (fake->n_gets > 0) {
        struct rollup_request get = fake->gets[0];
        memmove(&fake->gets[0], &fake->gets[1], --fake->n_gets * sizeof get);
        struct shep_rollup *rows = calloc(fake->n_rollups + 1, sizeof *rows);
        size_t n = 0;
        for (size_t i = 0; i < fake->n_rollups; i++) {
            const struct shep_rollup *row = &fake->rollups[i];
            if (row->period_s == get.period_s && row->metric == get.metric &&
                row->t_ms >= get.from_ms && row->t_ms < get.to_ms)
                rows[n++] = *row;
        }
        get.fn(rows, n, 0, get.arg);
        free(rows);
    }
}

bool fake_run_jobs(struct fake *fake)
{
    bool ran = fake->n_gets > 0;
    rollups_answer(fake);
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

/* ---- what was said ---- */

bool fake_logged(const struct fake *fake, const char *part)
{
    for (size_t i = 0; i < fake->n_logs; i++)
        if (strstr(fake->logs[i], part))
            return true;
    return false;
}

size_t fake_logs(const struct fake *fake)
{
    return fake->n_logs;
}

const char *fake_failure(const struct fake *fake)
{
    return fake->failure;
}

/* ---- devices ---- */

struct shep_device *fake_device(struct fake *fake, const char *name)
{
    assert_true(fake->n_devices < MAX_DEVICES);
    struct shep_device *dev = calloc(1, sizeof *dev);
    dev->fake = fake;
    dev->link = -1;
    copy_text(dev->name, sizeof dev->name, name);
    fake->devices[fake->n_devices++] = dev;
    return dev;
}

void fake_device_opt(struct shep_device *dev, const char *name, const char *value)
{
    opt_put(dev->opts, &dev->n_opts, name, value);
}

int fake_attach(struct fake *fake, struct shep_device *dev)
{
    const struct shep_source_ops *ops = fake->plugin->ops;
    dev->attached = true;
    return ops->attach(fake->self, dev);
}

void fake_detach(struct fake *fake, struct shep_device *dev)
{
    const struct shep_source_ops *ops = fake->plugin->ops;
    ops->detach(fake->self, dev);
    dev->attached = false;
}

int fake_link(const struct shep_device *dev)
{
    return dev->link;
}

const char *fake_link_why(const struct shep_device *dev)
{
    return dev->why;
}

size_t fake_link_changes(const struct shep_device *dev)
{
    return dev->link_changes;
}

const char *fake_fed(const struct shep_device *dev, size_t *len_out)
{
    if (len_out)
        *len_out = dev->fed_len;
    return dev->fed ? dev->fed : "";
}

void fake_fed_clear(struct shep_device *dev)
{
    free(dev->fed);
    dev->fed = NULL;
    dev->fed_len = 0;
}

void fake_feed_busy(struct shep_device *dev, bool busy)
{
    dev->busy = busy;
}

size_t fake_found_count(const struct fake *fake)
{
    return fake->n_found;
}

const struct fake_found *fake_found(const struct fake *fake, const char *key)
{
    for (size_t i = 0; i < fake->n_found; i++)
        if (!strcmp(fake->found[i].key, key))
            return &fake->found[i];
    return NULL;
}

size_t fake_found_calls(const struct fake *fake)
{
    return fake->found_calls;
}

size_t fake_lost_calls(const struct fake *fake)
{
    return fake->lost_calls;
}

const struct shep_reading *fake_emitted(const struct fake *fake, uint32_t metric)
{
    for (size_t i = fake->n_emitted; i-- > 0;)
        if (fake->emitted[i].metric == metric)
            return &fake->emitted[i];
    return NULL;
}

/* ---- services ---- */

void fake_miner(struct fake *fake, int64_t id, const char *name, uint32_t status)
{
    struct miner *miner = miner_find(fake, id);
    if (!miner) {
        assert_true(fake->n_miners < MAX_MINERS);
        miner = calloc(1, sizeof *miner);
        fake->miners[fake->n_miners++] = miner;
    }
    copy_text(miner->name, sizeof miner->name, name);
    miner->seen = (struct shep_miner){
        .size = sizeof miner->seen, .status = status, .id = id, .name = miner->name};
}

void fake_miner_remove(struct fake *fake, int64_t id)
{
    for (size_t i = 0; i < fake->n_miners; i++)
        if (fake->miners[i]->seen.id == id) {
            free(fake->miners[i]);
            fake->miners[i] = fake->miners[--fake->n_miners];
            return;
        }
}

void fake_miner_say(struct fake *fake, int64_t id, uint32_t metric, double value)
{
    struct miner *miner = miner_find(fake, id);
    assert_non_null(miner);
    assert_true(metric < MAX_VALUES);
    miner->value[metric] = value;
    miner->at_ms[metric] = fake->wall_ms;
    miner->seen.last_line_ms = fake->wall_ms;
}

const char *fake_fact(const struct fake *fake, const char *name)
{
    return named_get(fake->facts, fake->n_facts, name);
}

const char *fake_file(const struct fake *fake, const char *name)
{
    return named_get(fake->files, fake->n_files, name);
}

const char *fake_kv(const struct fake *fake, const char *key)
{
    return named_get(fake->kv, fake->n_kv, key);
}

void fake_kv_set(struct fake *fake, const char *key, const char *value)
{
    named_put(fake->kv, &fake->n_kv, key, value, strlen(value));
}

void fake_kv_copy(struct fake *to, const struct fake *from)
{
    for (size_t i = 0; i < from->n_kv; i++)
        if (from->kv[i].value)
            fake_kv_set(to, from->kv[i].name, from->kv[i].value);
}

size_t fake_kv_puts(const struct fake *fake)
{
    return fake->kv_puts;
}

const struct shep_summary *fake_summary(const struct fake *fake, int64_t miner_id)
{
    for (size_t i = 0; i < fake->n_summaries; i++)
        if (fake->summaries[i].miner_id == miner_id)
            return &fake->summaries[i];
    return NULL;
}

size_t fake_summaries(const struct fake *fake)
{
    return fake->summary_puts;
}

const struct shep_rollup *fake_rollups(const struct fake *fake, size_t *n_out)
{
    *n_out = fake->n_rollups;
    return fake->rollups;
}

const struct shep_rollup *fake_rollup(const struct fake *fake, int64_t miner_id, uint32_t metric,
                                      int64_t t_ms)
{
    for (size_t i = 0; i < fake->n_rollups; i++) {
        const struct shep_rollup *row = &fake->rollups[i];
        if (row->miner_id == miner_id && row->metric == metric && row->t_ms == t_ms &&
            row->period_s == 60)
            return row;
    }
    return NULL;
}

void fake_rollups_copy(struct fake *to, const struct fake *from)
{
    for (size_t i = 0; i < from->n_rollups; i++)
        host_rollup_put(&to->ctx, &from->rollups[i]);
}

const struct fake_range *fake_folds(const struct fake *fake, size_t *n_out)
{
    *n_out = fake->n_folds;
    return fake->folds;
}

const struct fake_range *fake_drops(const struct fake *fake, size_t *n_out)
{
    *n_out = fake->n_drops;
    return fake->drops;
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
