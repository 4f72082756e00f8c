#include "unit/recorder.h"

static void on_line(const struct ingest_line *line, void *arg)
{
    struct recorder *rec = arg;
    buf_printf(&rec->log, "row %llu%s%s ", (unsigned long long)line->number,
               line->truncated ? " T" : "", line->partial ? " P" : "");
    buf_add(&rec->log, line->text, line->len);
    buf_add_str(&rec->log, "\n");
}

static void on_parsed(const struct ingest_line *line, bool known, void *arg)
{
    struct recorder *rec = arg;
    buf_printf(&rec->log, "parsed %llu %d\n", (unsigned long long)line->number, known);
}

static void on_chosen(const char *parser, int confidence, void *arg)
{
    struct recorder *rec = arg;
    buf_printf(&rec->log, "chosen %s %d\n", parser, confidence);
}

static int on_reading(const struct shep_reading *reading, uint64_t line, void *arg)
{
    struct recorder *rec = arg;
    buf_printf(&rec->log, "reading %llu %u ", (unsigned long long)line, reading->metric);
    if (reading->text)
        buf_printf(&rec->log, "%.*s\n", (int)reading->text_len, reading->text);
    else
        buf_printf(&rec->log, "%.15g\n", reading->value);
    return 0;
}

static int on_event(const struct shep_event *event, uint64_t line, void *arg)
{
    struct recorder *rec = arg;
    buf_printf(&rec->log, "event %llu %u\n", (unsigned long long)line, event->event);
    return 0;
}

void recorder_open(struct recorder *rec, const struct ingest_parsers *parsers, const char *parser,
                   bool strip_monitor_time)
{
    static const struct ingest_parsers none = {NULL, 0};
    struct ingest_stream_conf conf = {
        .parsers = parsers ? parsers : &none,
        .parser = parser,
        .strip_monitor_time = strip_monitor_time,
        .callbacks = {on_line, on_parsed, on_chosen, on_reading, on_event},
        .arg = rec,
    };
    *rec = (struct recorder){0};
    rec->stream = ingest_stream_new(&conf);
}

void recorder_feed(struct recorder *rec, const char *text)
{
    ingest_feed(rec->stream, text, strlen(text), 1000);
}

char *recorder_close(struct recorder *rec, struct ingest_stats *stats)
{
    ingest_end(rec->stream, 1000);
    if (stats)
        ingest_stats_get(rec->stream, stats);
    ingest_stream_free(rec->stream);
    buf_reserve(&rec->log, 1);
    return buf_take(&rec->log);
}

char *recorder_run(const struct ingest_parsers *parsers, const char *bytes, size_t len,
                   enum cut cut, unsigned seed, struct ingest_stats *stats)
{
    struct recorder rec;
    recorder_open(&rec, parsers, "auto", false);
    while (len > 0) {
        size_t n = cut == CUT_WHOLE ? len : 1;
        if (cut == CUT_RANDOM) {
            seed = seed * 1103515245u + 12345u;
            n = 1 + (seed >> 16) % 40;
        }
        if (n > len)
            n = len;
        /* in memory of its own, so that a sanitizer sees a byte read too far */
        char *piece = shep_alloc(n);
        memcpy(piece, bytes, n);
        ingest_feed(rec.stream, piece, n, 1000);
        free(piece);
        bytes += n;
        len -= n;
    }
    return recorder_close(&rec, stats);
}

char *recorder_without(char *log, const char *prefix)
{
    char *out = log, *at = log;
    while (*at) {
        size_t n = strcspn(at, "\n");
        n += at[n] == '\n';
        if (strncmp(at, prefix, strlen(prefix)) != 0) {
            memmove(out, at, n);
            out += n;
        }
        at += n;
    }
    *out = '\0';
    return log;
}
