/* The host table for sources, services and sinks. Every function knows its caller by the context.
 */
#include "plugin/internal.h"

#include "util/clock.h"
#include "util/log.h"

#include <errno.h>
#include <math.h>

static void host_log(struct shep_ctx *ctx, int level, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    if (level < SHEP_LOG_ERROR || level > SHEP_LOG_DEBUG)
        level = SHEP_LOG_INFO;
    log_vmsg((enum shep_log)level, ctx->plugin->desc.name, fmt, args);
    va_end(args);
}

static int host_fail(struct shep_ctx *ctx, int err, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    plugin_vproblem(ctx->plugin, fmt, args);
    va_end(args);
    return err;
}

static int64_t host_now_ms(struct shep_ctx *ctx)
{
    return clock_wall_ms();
}

static int64_t host_mono_ms(struct shep_ctx *ctx)
{
    return clock_mono_ms();
}

#define DESC(ctx) ((ctx)->plugin->desc)

static int host_opt_str(struct shep_ctx *ctx, const char *name, const char **out)
{
    return option_str(DESC(ctx).options, DESC(ctx).option_size, ctx->plugin->options, name, out);
}

static int host_opt_int(struct shep_ctx *ctx, const char *name, int64_t *out)
{
    return option_int(DESC(ctx).options, DESC(ctx).option_size, ctx->plugin->options, name, out);
}

static int host_opt_float(struct shep_ctx *ctx, const char *name, double *out)
{
    return option_float(DESC(ctx).options, DESC(ctx).option_size, ctx->plugin->options, name, out);
}

static int host_opt_bool(struct shep_ctx *ctx, const char *name, int *out)
{
    return option_bool(DESC(ctx).options, DESC(ctx).option_size, ctx->plugin->options, name, out);
}

static struct plugin_env *env_of(struct shep_ctx *ctx)
{
    return &ctx->plugin->plugins->env;
}

static int host_metric_id(struct shep_ctx *ctx, const char *name, uint32_t *out)
{
    return herd_metric_by_name(env_of(ctx)->herd, name, out);
}

static int host_metric_each(struct shep_ctx *ctx, shep_metric_fn fn, void *arg)
{
    herd_metric_each(env_of(ctx)->herd, fn, arg);
    return 0;
}

static int host_emit(struct shep_ctx *ctx, const struct shep_reading *reading)
{
    return SHEP_E_BUG; /* readings need a miner: a source says device_reading() */
}

static int host_event(struct shep_ctx *ctx, const struct shep_event *event)
{
    if (!event_name(event->event))
        return SHEP_E_BUG;
    struct herd *herd = env_of(ctx)->herd;
    herd_event(herd, event->miner_id ? herd_miner_by_id(herd, event->miner_id) : NULL, event);
    return 0;
}

/* ---- loop ---- */

static int host_timer(struct shep_ctx *ctx, int64_t first_ms, int64_t every_ms, shep_timer_fn fn,
                      void *arg, struct shep_timer **out)
{
    if (!fn || first_ms < 0 || every_ms < 0)
        return SHEP_E_BUG;
    struct loop_timer *timer =
        loop_timer_new(env_of(ctx)->loop, &ctx->plugin->owner, first_ms, every_ms, fn, arg);
    if (out)
        *out = (struct shep_timer *)timer;
    return 0;
}

static void host_timer_cancel(struct shep_ctx *ctx, struct shep_timer *timer)
{
    loop_timer_free((struct loop_timer *)timer);
}

static int host_watch_fd(struct shep_ctx *ctx, int fd, uint32_t what, shep_watch_fn fn, void *arg,
                         struct shep_watch **out)
{
    if (!fn || fd < 0)
        return SHEP_E_BUG;
    struct loop_watch *watch =
        loop_watch_new(env_of(ctx)->loop, &ctx->plugin->owner, fd, what, fn, arg);
    *out = (struct shep_watch *)watch;
    return watch ? 0 : SHEP_E_IO;
}

static void host_watch_cancel(struct shep_ctx *ctx, struct shep_watch *watch)
{
    loop_watch_free((struct loop_watch *)watch);
}

static int host_work(struct shep_ctx *ctx, shep_work_fn run, shep_work_fn done, void *arg)
{
    return loop_work_may_hang(env_of(ctx)->loop, &ctx->plugin->owner, run, done, arg);
}

static int host_http_fetch(struct shep_ctx *ctx, const struct shep_fetch *fetch, shep_fetch_fn done,
                           void *arg)
{
    if (env_of(ctx)->offline)
        return SHEP_E_UNSUPPORTED;
    return loop_fetch(env_of(ctx)->loop, &ctx->plugin->owner, fetch, done, arg);
}

/* ---- sources ---- */

static int host_feed(struct shep_ctx *ctx, struct shep_device *dev, const void *bytes, size_t len)
{
    return device_feed(dev, bytes, len);
}

static int host_device_reading(struct shep_ctx *ctx, struct shep_device *dev,
                               const struct shep_reading *reading)
{
    return device_reading(dev, reading);
}

static int host_device_event(struct shep_ctx *ctx, struct shep_device *dev,
                             const struct shep_event *event)
{
    if (!event_name(event->event))
        return SHEP_E_BUG;
    herd_event(env_of(ctx)->herd, dev->member->miner, event);
    return 0;
}

static int host_device_link(struct shep_ctx *ctx, struct shep_device *dev, int up, const char *why)
{
    device_link(dev, up != 0, why);
    return 0;
}

#define DEVICE_TABLE(dev) (dev)->source->ops.source.device_options, (dev)->source->desc.option_size

static int host_device_opt_str(struct shep_ctx *ctx, struct shep_device *dev, const char *name,
                               const char **out)
{
    return option_str(DEVICE_TABLE(dev), dev->entry, name, out);
}

static int host_device_opt_int(struct shep_ctx *ctx, struct shep_device *dev, const char *name,
                               int64_t *out)
{
    return option_int(DEVICE_TABLE(dev), dev->entry, name, out);
}

static int host_device_opt_float(struct shep_ctx *ctx, struct shep_device *dev, const char *name,
                                 double *out)
{
    return option_float(DEVICE_TABLE(dev), dev->entry, name, out);
}

static int host_device_opt_bool(struct shep_ctx *ctx, struct shep_device *dev, const char *name,
                                int *out)
{
    return option_bool(DEVICE_TABLE(dev), dev->entry, name, out);
}

static const char *host_device_name(struct shep_ctx *ctx, struct shep_device *dev)
{
    return dev->member->name;
}

static int host_device_found(struct shep_ctx *ctx, const struct shep_found *found)
{
    return device_found(ctx->plugin, found);
}

static int host_device_lost(struct shep_ctx *ctx, const char *key)
{
    return device_lost(ctx->plugin, key);
}

/* ---- services and sinks ---- */

struct each {
    shep_miner_fn fn;
    void *arg;
};

static void each_one(struct miner *miner, void *arg)
{
    struct each *each = arg;
    struct shep_miner view = {.size = sizeof view,
                              .status = miner_status(miner),
                              .id = miner_id(miner),
                              .name = miner_name(miner),
                              .last_line_ms = miner_last_seen_ms(miner),
                              .demo = miner_origin(miner) == MINER_DEMO};
    each->fn(&view, each->arg);
}

static int host_each_miner(struct shep_ctx *ctx, shep_miner_fn fn, void *arg)
{
    struct each each = {.fn = fn, .arg = arg};
    herd_each(env_of(ctx)->herd, each_one, &each);
    return 0;
}

static int host_miner_value(struct shep_ctx *ctx, const struct shep_miner *view, uint32_t metric,
                            double *value, int64_t *at_ms)
{
    struct miner *miner = herd_miner_by_name(env_of(ctx)->herd, view->name);
    return miner && miner_value(miner, metric, value, at_ms) ? 0 : SHEP_E_GONE;
}

static int host_miner_text(struct shep_ctx *ctx, const struct shep_miner *view, uint32_t attr,
                           const char **text, int64_t *at_ms)
{
    struct miner *miner = herd_miner_by_name(env_of(ctx)->herd, view->name);
    *text = miner ? miner_text(miner, attr, at_ms) : NULL;
    return *text ? 0 : SHEP_E_GONE;
}

static bool is_plain_name(const char *name)
{
    return name[0] && name[0] != '.' && strlen(name) <= 64 &&
           name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_.-")] == '\0';
}

static int host_fact_put(struct shep_ctx *ctx, const char *name, const char *json, size_t len)
{
    if (!is_plain_name(name))
        return SHEP_E_BUG;
    return facts_put(env_of(ctx)->facts, name, json, len);
}

static struct kv *kv_find(struct plugin *plugin, const char *key)
{
    for (size_t i = 0; i < plugin->n_kv; i++)
        if (strcmp(plugin->kv[i].key, key) == 0)
            return &plugin->kv[i];
    return NULL;
}

static int host_kv_get(struct shep_ctx *ctx, const char *key, const char **value)
{
    struct kv *kv = kv_find(ctx->plugin, key);
    if (!kv)
        return SHEP_E_GONE;
    *value = kv->value;
    return 0;
}

static int host_kv_put(struct shep_ctx *ctx, const char *key, const char *value)
{
    struct plugin *plugin = ctx->plugin;
    if (!key[0] || strlen(key) > SHEP_TEXT_MAX || !value || strlen(value) > KV_VALUE_MAX)
        return SHEP_E_LIMIT;
    struct kv *kv = kv_find(plugin, key);
    if (!kv && plugin->n_kv == KV_KEYS_MAX)
        return SHEP_E_LIMIT;
    if (!kv) {
        plugin->kv = shep_realloc(plugin->kv, (plugin->n_kv + 1) * sizeof *plugin->kv);
        kv = &plugin->kv[plugin->n_kv++];
        *kv = (struct kv){.key = shep_strdup(key)};
    } else if (strcmp(kv->value, value) == 0) {
        return 0;
    }
    free(kv->value);
    kv->value = shep_strdup(value);
    store_kv_put(env_of(ctx)->store, plugin->desc.name, key, value);
    return 0;
}

struct file_job {
    struct plugin *plugin;
    char *path, *bytes;
    size_t len;
    int err;
};

static void file_run(void *arg)
{
    struct file_job *job = arg;
    job->err = file_write_atomic(job->path, job->bytes, job->len, 0640);
}

static void file_done(void *arg)
{
    struct file_job *job = arg;
    if (job->err)
        plugin_problem(job->plugin, "cannot write %s: %s; trying again with the next change",
                       job->path, strerror(-job->err));
    free(job->path);
    free(job->bytes);
    free(job);
}

static int host_file_put(struct shep_ctx *ctx, const char *name, const void *bytes, size_t len)
{
    if (!is_plain_name(name) || strncmp(name, "shepherd.", 9) == 0 || len > (1 << 20))
        return SHEP_E_LIMIT;
    struct file_job *job = shep_alloc(sizeof *job);
    *job = (struct file_job){.plugin = ctx->plugin,
                             .path = path_join_dup(env_of(ctx)->data_dir, name),
                             .bytes = shep_strndup(bytes, len),
                             .len = len};
    int err = loop_work(env_of(ctx)->loop, &ctx->plugin->owner, file_run, file_done, job);
    if (err) {
        job->err = 0;
        file_done(job);
    }
    return err;
}

static int host_summary_put(struct shep_ctx *ctx, const struct shep_summary *summary)
{
    struct miner *miner = herd_miner_by_id(env_of(ctx)->herd, summary->miner_id);
    if (!miner)
        return SHEP_E_GONE;
    herd_summary(env_of(ctx)->herd, miner, summary);
    store_summary_put(env_of(ctx)->store, summary);
    return 0;
}

static const char *metric_label(struct shep_ctx *ctx, uint32_t metric)
{
    const struct shep_metric_info *info = herd_metric_info(env_of(ctx)->herd, metric);
    return info ? info->name : NULL;
}

static int host_rollup_put(struct shep_ctx *ctx, const struct shep_rollup *rollup)
{
    const char *name = metric_label(ctx, rollup->metric);
    if (!name || !isfinite(rollup->avg) || rollup->n == 0)
        return SHEP_E_BUG;
    store_rollup_put(env_of(ctx)->store, rollup, name);
    return 0;
}

static int host_rollup_fold(struct shep_ctx *ctx, uint32_t from_s, uint32_t to_s, int64_t from_ms,
                            int64_t to_ms)
{
    if (!from_s || to_s % from_s || from_ms >= to_ms)
        return SHEP_E_BUG;
    store_rollup_fold(env_of(ctx)->store, from_s, to_s, from_ms, to_ms);
    return 0;
}

struct rollup_request {
    struct plugin *plugin;
    shep_rollup_fn fn;
    void *arg;
};

static void rollup_answer(const struct shep_rollup *rows, size_t n, int err, void *arg)
{
    struct rollup_request *request = arg;
    if (request->plugin->started)
        request->fn(rows, n, err, request->arg);
    free(request);
}

static int host_rollup_get(struct shep_ctx *ctx, uint32_t period_s, uint32_t metric,
                           int64_t from_ms, int64_t to_ms, shep_rollup_fn fn, void *arg)
{
    const char *name = metric_label(ctx, metric);
    if (!name || !fn)
        return SHEP_E_BUG;
    struct rollup_request *request = shep_alloc(sizeof *request);
    *request = (struct rollup_request){.plugin = ctx->plugin, .fn = fn, .arg = arg};
    store_rollup_get(env_of(ctx)->store, period_s, metric, name, from_ms, to_ms, rollup_answer,
                     request);
    return 0;
}

static int host_rollup_drop(struct shep_ctx *ctx, uint32_t period_s, int64_t before_ms)
{
    store_rollup_drop(env_of(ctx)->store, period_s, before_ms);
    return 0;
}

const struct shep_host plugin_host = {
    .size = sizeof(struct shep_host),
    .abi_major = SHEP_ABI_MAJOR,
    .abi_minor = SHEP_ABI_MINOR,
    .log = host_log,
    .fail = host_fail,
    .now_ms = host_now_ms,
    .mono_ms = host_mono_ms,
    .opt_str = host_opt_str,
    .opt_int = host_opt_int,
    .opt_float = host_opt_float,
    .opt_bool = host_opt_bool,
    .metric_id = host_metric_id,
    .metric_each = host_metric_each,
    .emit = host_emit,
    .event = host_event,
    .timer = host_timer,
    .timer_cancel = host_timer_cancel,
    .watch_fd = host_watch_fd,
    .watch_cancel = host_watch_cancel,
    .work = host_work,
    .http_fetch = host_http_fetch,
    .feed = host_feed,
    .device_reading = host_device_reading,
    .device_event = host_device_event,
    .device_link = host_device_link,
    .device_opt_str = host_device_opt_str,
    .device_opt_int = host_device_opt_int,
    .device_opt_float = host_device_opt_float,
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
