/* Bytes to lines to readings: see ingest.h. A line that lies whole in the input, is plain ASCII and
 * cannot hold a secret goes on without being copied; any other is collected in `cleaner` first.
 * Owns its buffers and the parser's state; on the caller's thread. */
#include "ingest/internal.h"
#include "util/log.h"

struct ingest_stream {
    struct ingest_stream_conf conf;
    struct ingest_callbacks callbacks; /* ctx points here */
    struct shep_ctx ctx;
    struct cleaner cleaner; /* the line that is not over */
    struct buf masked;      /* scratch for what a line looks like with *** */
    struct secrets_state secrets;
    uint64_t number;
    bool after_cr;         /* an LF now belongs to the CR before */
    uint64_t pending_crs;  /* further CRs: blank lines, or part of CR CR LF */
    size_t stored;         /* bytes of cleaner.out that are rows already (partial) */
    int64_t last_byte_ms;  /* of the line that is not over */
    struct fingerprint fp; /* while no parser is chosen */
    const struct ingest_parser *parser;
    void *self; /* the parser's */
    bool forced;
    int confidence;
    unsigned reprobe_left;
    struct ingest_stats stats;
};

enum { MONITOR_TIME_LEN = 15 }; /* "HH:MM:SS.mmm > " */

/* ---- parser ---- */

static bool parser_open(struct ingest_stream *s, const struct ingest_parser *parser)
{
    s->ctx.parser = parser->name;
    s->self = NULL;
    if (parser->ops->open && parser->ops->open(&s->ctx, ingest_host(), &s->self) < 0) {
        log_warn("ingest", "parser %s failed to open a stream; it reads no lines of it",
                 parser->name);
        s->ctx.parser = "ingest";
        return false;
    }
    s->parser = parser;
    return true;
}

static void parser_close(struct ingest_stream *s)
{
    if (s->parser && s->parser->ops->close)
        s->parser->ops->close(s->self);
    s->parser = NULL;
}

static void parser_line(struct ingest_stream *s, const struct replay_line *line, const char *text)
{
    struct shep_line in = {.size = sizeof(in),
                           .flags = line->flags,
                           .text = text,
                           .len = line->len,
                           .at_ms = line->at_ms,
                           .seq = line->number};
    s->ctx.at_ms = line->at_ms;
    s->ctx.number = line->number;
    s->ctx.emitted = 0;
    bool known = s->parser->ops->line(s->self, &in) > 0;
    if (!known)
        s->stats.unparsed++;
    if (s->ctx.reset) {
        s->ctx.reset = false;
        s->reprobe_left = s->forced ? 0 : INGEST_REPROBE_LINES;
    }
    if (!s->callbacks.parsed)
        return;
    struct ingest_line out = {.text = text,
                              .len = line->len,
                              .at_ms = line->at_ms,
                              .number = line->number,
                              .truncated = line->flags & SHEP_LINE_TRUNCATED};
    s->callbacks.parsed(&out, known, s->conf.arg);
}

static bool choose(struct ingest_stream *s, const struct ingest_parser *parser, int confidence)
{
    if (!parser_open(s, parser))
        return false;
    s->confidence = confidence;
    if (s->callbacks.chosen)
        s->callbacks.chosen(parser->name, confidence, s->conf.arg);
    return true;
}

/* A parser that does not open leaves the race. */
static void choose_first(struct ingest_stream *s, int index)
{
    if (!choose(s, &s->fp.parsers->items[index], s->fp.best[index])) {
        s->fp.best[index] = FINGERPRINT_OUT;
        return;
    }
    size_t at = 0;
    struct replay_line line;
    const char *text;
    while (fingerprint_replay(&s->fp, &at, &line, &text))
        parser_line(s, &line, text);
    fingerprint_free(&s->fp);
}

/* Reflashed? Only while the board boots, and only a parser that is sure, surer than ours. */
static void reprobe(struct ingest_stream *s, const char *text, size_t len)
{
    s->reprobe_left--;
    const struct ingest_parser *ours = s->parser, *best = NULL;
    int best_sure = fingerprint_probe(ours, text, len);
    if (best_sure < INGEST_SURE)
        best_sure = INGEST_SURE - 1;
    for (size_t i = 0; i < s->conf.parsers->n; i++) {
        const struct ingest_parser *other = &s->conf.parsers->items[i];
        int sure = other == ours ? 0 : fingerprint_probe(other, text, len);
        if (sure > best_sure) {
            best_sure = sure;
            best = other;
        }
    }
    if (!best)
        return;
    parser_close(s);
    if (!choose(s, best, best_sure))
        parser_open(s, ours);
}

static void parse(struct ingest_stream *s, const struct replay_line *line, const char *text)
{
    if (!s->parser) {
        if (!s->fp.best)
            return;
        int index = fingerprint_line(&s->fp, line, text);
        if (index >= 0)
            choose_first(s, index);
        return;
    }
    if (s->reprobe_left)
        reprobe(s, text, line->len);
    if (s->parser)
        parser_line(s, line, text);
}

/* ---- rows ---- */

static bool is_blank(const char *text, size_t len)
{
    return skip_blanks(text, 0, len) == len;
}

static size_t monitor_time(const struct ingest_stream *s, const char *text, size_t len)
{
    static const char shape[] = "00:00:00.000 > ";
    if (!s->conf.strip_monitor_time)
        return 0;
    size_t n = len < MONITOR_TIME_LEN ? len : MONITOR_TIME_LEN;
    for (size_t i = 0; i < n; i++) {
        bool fits = shape[i] == '0' ? text[i] >= '0' && text[i] <= '9' : text[i] == shape[i];
        if (!fits)
            return 0;
    }
    /* an editor may have taken the blank from the end of an otherwise empty line */
    return n >= MONITOR_TIME_LEN - 1 ? n : 0;
}

static void row(struct ingest_stream *s, const struct ingest_line *line)
{
    s->stats.lines++;
    if (s->callbacks.line)
        s->callbacks.line(line, s->conf.arg);
}

/* A whole line that was stored in no part yet. */
static void line_done(struct ingest_stream *s, const char *text, size_t len, bool truncated,
                      int64_t at_ms)
{
    struct ingest_line line = {
        .text = text, .len = len, .at_ms = at_ms, .number = s->number, .truncated = truncated};
    row(s, &line);
    struct replay_line in = {at_ms, s->number, (uint32_t)len, truncated ? SHEP_LINE_TRUNCATED : 0};
    parse(s, &in, text);
}

static bool has_secrets(const struct ingest_stream *s, const char *text, size_t len)
{
    return s->secrets.flags || secrets_maybe(text, len);
}

/* Rest of a line whose start is a row already; and the parser gets all of it. */
static void joined_done(struct ingest_stream *s, size_t start, const struct spans *spans,
                        bool truncated, int64_t at_ms)
{
    const char *text = s->cleaner.out.data;
    size_t len = s->cleaner.out.len;
    buf_clear(&s->masked);
    if (!is_blank(text + s->stored, len - s->stored)) {
        secrets_render(spans, text, s->stored, len, &s->masked, SHEP_LINE_MAX);
        struct ingest_line rest = {.text = s->masked.data,
                                   .len = s->masked.len,
                                   .at_ms = at_ms,
                                   .number = ++s->number,
                                   .truncated = truncated};
        row(s, &rest);
        buf_clear(&s->masked);
    }
    bool fits = secrets_render(spans, text, start, len, &s->masked, SHEP_LINE_MAX);
    struct replay_line in = {at_ms, s->number, (uint32_t)s->masked.len,
                             truncated || !fits ? SHEP_LINE_TRUNCATED : 0};
    parse(s, &in, s->masked.data);
}

/* The end of the line in `cleaner`. */
static void collected_done(struct ingest_stream *s, int64_t at_ms)
{
    struct spans spans = {0};
    clean_end(&s->cleaner);
    const char *text = s->cleaner.out.len ? s->cleaner.out.data : "";
    size_t len = s->cleaner.out.len;
    bool truncated = s->cleaner.full;
    size_t start = monitor_time(s, text, len);
    s->stats.truncated += truncated;
    if (!s->stored)
        s->number++;
    if (!s->stored && is_blank(text + start, len - start)) {
        s->stats.blank++;
    } else {
        if (has_secrets(s, text, len))
            secrets_find(&s->secrets, text, len, &spans);
        if (s->stored) {
            joined_done(s, start, &spans, truncated, at_ms);
        } else if (spans.n == 0 && len - start <= SHEP_LINE_MAX) {
            line_done(s, text + start, len - start, truncated, at_ms);
        } else {
            buf_clear(&s->masked);
            if (!secrets_render(&spans, text, start, len, &s->masked, SHEP_LINE_MAX) &&
                !truncated) {
                truncated = true;
                s->stats.truncated++;
            }
            line_done(s, s->masked.data, s->masked.len, truncated, at_ms);
        }
    }
    clean_reset(&s->cleaner);
    s->stored = 0;
}

/* ---- bytes ---- */

static void flush_crs(struct ingest_stream *s)
{
    s->number += s->pending_crs;
    s->stats.blank += s->pending_crs;
    s->pending_crs = 0;
    s->after_cr = false;
}

static void line_end(struct ingest_stream *s, char end, int64_t at_ms)
{
    if (s->after_cr) {
        if (end == '\r') {
            s->pending_crs++;
        } else { /* CR LF, CR CR LF … */
            s->pending_crs = 0;
            s->after_cr = false;
        }
        return;
    }
    collected_done(s, at_ms);
    s->after_cr = end == '\r';
}

static void feed_collected(struct ingest_stream *s, const char *bytes, size_t len, int64_t at_ms)
{
    size_t at = 0;
    while (at < len) {
        if (bytes[at] == '\r' || bytes[at] == '\n') {
            line_end(s, bytes[at++], at_ms);
            continue;
        }
        if (s->after_cr)
            flush_crs(s);
        s->last_byte_ms = at_ms;
        at += clean_feed(&s->cleaner, bytes + at, len - at);
    }
}

/* The line at the start of the bytes, when it needs no work. */
static bool feed_plain(struct ingest_stream *s, const char *text, size_t len, int64_t at_ms)
{
    if (len && text[len - 1] == '\r')
        len--;
    if (len > SHEP_LINE_MAX || clean_plain_run(text, len) != len || has_secrets(s, text, len))
        return false;
    size_t start = monitor_time(s, text, len);
    text += start;
    len -= start;
    s->number++;
    if (is_blank(text, len))
        s->stats.blank++;
    else
        line_done(s, text, len, false, at_ms);
    return true;
}

void ingest_feed(struct ingest_stream *s, const void *bytes, size_t len, int64_t at_ms)
{
    const char *at = bytes;
    while (len > 0) {
        const char *end = memchr(at, '\n', len);
        size_t line_len = end ? (size_t)(end - at) : 0, used = end ? line_len + 1 : len;
        bool idle = s->cleaner.out.len == 0 && !s->after_cr && !clean_pending(&s->cleaner);
        if (!end || !idle || !feed_plain(s, at, line_len, at_ms))
            feed_collected(s, at, used, at_ms);
        at += used;
        len -= used;
    }
}

int64_t ingest_tick(struct ingest_stream *s, int64_t now_ms)
{
    size_t start = s->stored, len = s->cleaner.out.len;
    const char *text = s->cleaner.out.data;
    if (start == 0)
        start = monitor_time(s, text, len);
    if (len <= start || is_blank(text + start, len - start))
        return -1;
    int64_t silence = now_ms - s->last_byte_ms;
    if (silence < 0) /* the clock was set back */
        s->last_byte_ms = now_ms;
    if (silence < INGEST_PARTIAL_MS)
        return silence < 0 ? INGEST_PARTIAL_MS : INGEST_PARTIAL_MS - silence;
    struct spans spans = {0};
    struct secrets_state state = s->secrets; /* the line is not over: nothing to carry on */
    if (has_secrets(s, text, len))
        secrets_find(&state, text, len, &spans);
    buf_clear(&s->masked);
    secrets_render(&spans, text, start, len, &s->masked, SHEP_LINE_MAX);
    struct ingest_line line = {.text = s->masked.data,
                               .len = s->masked.len,
                               .at_ms = s->last_byte_ms,
                               .number = ++s->number,
                               .truncated = s->cleaner.full,
                               .partial = true};
    s->stored = len;
    row(s, &line);
    return -1;
}

void ingest_end(struct ingest_stream *s, int64_t at_ms)
{
    if (s->cleaner.out.len || clean_pending(&s->cleaner))
        collected_done(s, at_ms);
    flush_crs(s);
    int index;
    while (s->fp.best && (index = fingerprint_end(&s->fp)) >= 0)
        choose_first(s, index);
}

/* ---- life ---- */

static const struct ingest_parser *parser_named(const struct ingest_parsers *parsers,
                                                const char *name)
{
    for (size_t i = 0; i < parsers->n; i++) {
        if (strcmp(parsers->items[i].name, name) == 0)
            return &parsers->items[i];
    }
    return NULL;
}

struct ingest_stream *ingest_stream_new(const struct ingest_stream_conf *conf)
{
    bool forced = strcmp(conf->parser, "auto") != 0;
    const struct ingest_parser *parser = forced ? parser_named(conf->parsers, conf->parser) : NULL;
    if (forced && !parser)
        return NULL;
    struct ingest_stream *s = shep_alloc(sizeof(*s));
    s->conf = *conf;
    s->callbacks = conf->callbacks;
    s->ctx.callbacks = &s->callbacks;
    s->ctx.arg = conf->arg;
    s->ctx.parser = "ingest";
    s->cleaner.max = SHEP_LINE_MAX + (conf->strip_monitor_time ? MONITOR_TIME_LEN : 0);
    s->forced = forced;
    if (forced)
        choose(s, parser, 100);
    else
        fingerprint_init(&s->fp, conf->parsers);
    return s;
}

void ingest_stream_free(struct ingest_stream *s)
{
    if (!s)
        return;
    parser_close(s);
    fingerprint_free(&s->fp);
    buf_free(&s->cleaner.out);
    buf_free(&s->masked);
    free(s);
}

void ingest_stats_get(const struct ingest_stream *s, struct ingest_stats *out)
{
    *out = s->stats;
    out->bad_bytes = s->cleaner.bad_bytes;
    out->readings = s->ctx.readings;
    out->refused = s->ctx.refused;
    out->parser = s->parser ? s->parser->name : NULL;
    out->confidence = s->parser ? s->confidence : 0;
}
