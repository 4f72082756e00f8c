/* The host table of parsers. A parser is pure, so it gets little: a way to say what it read, a log,
 * and the clocks for log lines of its own. Runs on the stream's thread; the table is constant, the
 * look-up for declared metrics is set once before the first stream. */
#include "ingest/internal.h"
#include "util/clock.h"
#include "util/log.h"

#include <math.h>

static ingest_metric_fn metric_fn;
static void *metric_arg;

void ingest_host_set_metric_id(ingest_metric_fn fn, void *arg)
{
    metric_fn = fn;
    metric_arg = arg;
}

SHEP_PRINTF(3, 4)
static void host_log(struct shep_ctx *ctx, int level, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    log_vmsg((enum shep_log)level, ctx->parser, fmt, args);
    va_end(args);
}

SHEP_PRINTF(3, 4)
static int host_fail(struct shep_ctx *ctx, int err, const char *fmt, ...)
{
    char text[sizeof(ctx->failure)];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (strcmp(text, ctx->failure) != 0) {
        memcpy(ctx->failure, text, sizeof(text));
        log_error(ctx->parser, "%s", text);
    }
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

static int host_opt_str(struct shep_ctx *ctx, const char *name, const char **out)
{
    return SHEP_E_GONE;
}

static int host_opt_int(struct shep_ctx *ctx, const char *name, int64_t *out)
{
    return SHEP_E_GONE;
}

static int host_opt_float(struct shep_ctx *ctx, const char *name, double *out)
{
    return SHEP_E_GONE;
}

static int host_opt_bool(struct shep_ctx *ctx, const char *name, int *out)
{
    return SHEP_E_GONE;
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
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (strcmp(table[i].name, name) == 0) {
            *out = table[i].id;
            return SHEP_OK;
        }
    }
    return metric_fn ? metric_fn(name, out, metric_arg) : SHEP_E_GONE;
}

static bool is_attribute(uint32_t id)
{
    return id >= SHEP_ATTR_FIRST && id < SHEP_ATTR_END;
}

static int refuse(struct shep_ctx *ctx, int err)
{
    ctx->refused++;
    return err;
}

/* Text of a parser as everybody may store it: it may have cut a character, and one written in Lua
 * may say anything. Returns the length. */
static size_t clean_text(char out[SHEP_TEXT_MAX + 1], const char *text, size_t len)
{
    struct cleaner cleaner = {.max = SHEP_TEXT_MAX};
    size_t at = 0;
    while (at < len) {
        at += clean_feed(&cleaner, text + at, len - at);
        if (at < len) { /* CR and LF end lines, so here they are as bad as NUL */
            clean_feed(&cleaner, "\x01", 1);
            at++;
        }
    }
    clean_end(&cleaner);
    size_t n =
        str_copy(out, SHEP_TEXT_MAX + 1, cleaner.out.len ? cleaner.out.data : "", cleaner.out.len);
    buf_free(&cleaner.out);
    return n;
}

/* The caller's struct may be of another minor version: shorter or longer than ours. */
static bool copy_sized(void *dst, size_t dst_size, const void *src, uint32_t src_size, size_t least)
{
    if (src_size < least)
        return false;
    memcpy(dst, src, src_size < dst_size ? src_size : dst_size);
    return true;
}

static int host_emit(struct shep_ctx *ctx, const struct shep_reading *from)
{
    struct shep_reading reading = {0};
    char text[SHEP_TEXT_MAX + 1];
    if (!copy_sized(&reading, sizeof(reading), from, from->size,
                    offsetof(struct shep_reading, text)))
        return refuse(ctx, SHEP_E_BUG);
    reading.size = sizeof(reading);
    if (reading.metric == SHEP_M_NONE)
        return refuse(ctx, SHEP_E_BUG);
    if (ctx->emitted++ >= INGEST_EMIT_MAX)
        return refuse(ctx, SHEP_E_LIMIT);
    if (is_attribute(reading.metric)) {
        if (!reading.text && reading.text_len)
            return refuse(ctx, SHEP_E_BUG);
        reading.text_len = clean_text(text, reading.text, reading.text_len);
        reading.text = text;
    } else {
        if (!isfinite(reading.value))
            return refuse(ctx, SHEP_E_FORMAT);
        reading.text = NULL;
        reading.text_len = 0;
    }
    if (reading.at_ms == 0)
        reading.at_ms = ctx->at_ms;
    ctx->readings++;
    if (!ctx->callbacks->reading)
        return SHEP_OK;
    return ctx->callbacks->reading(&reading, ctx->number, ctx->arg);
}

static int host_event(struct shep_ctx *ctx, const struct shep_event *from)
{
    struct shep_event event = {0};
    if (!copy_sized(&event, sizeof(event), from, from->size, offsetof(struct shep_event, text)))
        return refuse(ctx, SHEP_E_BUG);
    event.size = sizeof(event);
    if (ctx->emitted++ >= INGEST_EMIT_MAX)
        return refuse(ctx, SHEP_E_LIMIT);
    if (event.at_ms == 0)
        event.at_ms = ctx->at_ms;
    event.miner_id = 0;
    if (event.event == SHEP_EV_RESET)
        ctx->reset = true;
    if (!ctx->callbacks->event)
        return SHEP_OK;
    return ctx->callbacks->event(&event, ctx->number, ctx->arg);
}

const struct shep_host *ingest_host(void)
{
    static const struct shep_host host = {
        .size = sizeof(host),
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
        .emit = host_emit,
        .event = host_event,
    };
    return &host;
}
