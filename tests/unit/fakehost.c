/* The fake host itself: the plugin's .so, its life, its options, what it logs. */
#include "fakehost_internal.h"

#include <dlfcn.h>
#include <stdio.h>

struct fake *host_of(struct shep_ctx *ctx)
{
    struct fake *fake = ctx->fake;
    if (!pthread_equal(fake->thread, pthread_self())) {
        fprintf(stderr, "a host function was called from a worker thread\n");
        abort();
    }
    return fake;
}

void copy_text(char *dst, size_t cap, const char *src)
{
    snprintf(dst, cap, "%s", src ? src : "");
}

const char *opt_value(const struct opt *opts, size_t n, const struct shep_option *table,
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

void opt_put(struct opt *opts, size_t *n, const char *name, const char *value)
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

/* ---- host ---- */

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

static void core_fill(struct shep_host *host)
{
    host->log = host_log;
    host->fail = host_fail;
    host->opt_str = host_opt_str;
    host->opt_int = host_opt_int;
    host->opt_float = host_opt_float;
    host->opt_bool = host_opt_bool;
}

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
    fake->host = (struct shep_host){
        .size = sizeof fake->host, .abi_major = SHEP_ABI_MAJOR, .abi_minor = SHEP_ABI_MINOR};
    core_fill(&fake->host);
    loop_fill(&fake->host);
    device_fill(&fake->host);
    herd_fill(&fake->host);
    for (const struct shep_metric_info *own = fake->plugin->metrics; own && own->name; own++)
        fake_metric(fake, own);
    fake->thread = pthread_self();
    fake->wall_ms = INT64_C(1790000000000);
    fake->mono_ms = 5000000;
    return fake;
}

void fake_free(struct fake *fake)
{
    fake_stop(fake);
    devices_free(fake);
    herd_forget(fake);
    for (size_t i = 0; i < fake->n_logs; i++)
        free(fake->logs[i]);
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
            devices_detach(fake);
            ops->stop(fake->self);
        } else {
            const struct shep_service_ops *ops = fake->plugin->ops;
            ops->stop(fake->self);
        }
    }
    loop_stop(fake);
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
