/* Parser plugin for NerdMiner_v2 and its forks: what the boards say on their serial port.
 *
 * Owns: one struct nm per stream, on whatever thread the stream is read. Promises: pure (no
 * descriptor, no clock, nothing outside self), no allocation but in open(), each byte of a line
 * looked at a bounded number of times, and any bytes at all are a valid line. */
#include "nerdminer.h"

#include <stdlib.h>

/* Chains the markers by their first byte, in the order of the table. */
static void index_markers(struct nm *nm)
{
    for (size_t i = nm_markers_n; i-- > 0;) {
        unsigned char first = (unsigned char)nm_markers[i].text[0];

        nm->next[i] = nm->head[first];
        nm->head[first] = (uint16_t)(i + 1);
    }
}

static int nm_open(struct shep_ctx *ctx, const struct shep_host *host, void **self)
{
    struct nm *nm = calloc(1, sizeof(*nm));

    if (nm == NULL) {
        return SHEP_E_NOMEM;
    }
    nm->ctx = ctx;
    nm->host = host;
    index_markers(nm);
    *self = nm;
    return SHEP_OK;
}

static void nm_close(void *self)
{
    free(self);
}

/* The marker that stands at s->at, read: NM_NO when none does. */
static enum nm_read read_here(struct nm *nm, struct span *s, const char *line)
{
    for (unsigned i = nm->head[(unsigned char)*s->at]; i != 0; i = nm->next[i - 1]) {
        const struct nm_marker *m = &nm_markers[i - 1];
        struct span rest = *s;

        if (!span_take(&rest, m->text, m->len)) {
            continue;
        }
        struct nm_hit hit = {line, s->at, m->arg};
        enum nm_read what = m->read != NULL ? m->read(nm, &rest, &hit) : NM_KNOWN;
        if (what != NM_NO) {
            *s = rest;
            return what;
        }
    }
    return NM_NO;
}

/* From left to right, so that what was glued behind overrides what stands before. */
static bool read_markers(struct nm *nm, struct span s)
{
    const char *line = s.at;
    bool known = false;

    while (s.at < s.end) {
        enum nm_read what = nm->head[(unsigned char)*s.at] != 0 ? read_here(nm, &s, line) : NM_NO;

        if (what == NM_NO) {
            s.at++;
        }
        known = known || what == NM_KNOWN;
    }
    return known;
}

/* Lines without words: brackets of the configuration dump, rulers, and the hex dumps of
 * DEBUG_MINING (NM2 utils.cpp:246, 336), whose labels stand alone until 1.3. */
static bool is_bare(struct nm *nm, struct span s)
{
    static const char *const labels[] = {"version", "time", "difficulty", "nonce", "}", "---"};
    const char *p = s.at;

    if (span_is(s, "{")) {
        nm_forget_config(nm);
        return true;
    }
    for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
        if (span_len(s) == strlen(labels[i]) && memcmp(s.at, labels[i], span_len(s)) == 0) {
            return true;
        }
    }
    while (p < s.end && (is_hex(*p) || is_blank(*p) || *p == '-')) {
        p++;
    }
    return p == s.end && span_len(s) >= 8;
}

static int nm_line(void *self, const struct shep_line *line)
{
    struct nm *nm = self;
    struct span s = {line->text, line->text + line->len};

    nm->at_ms = line->at_ms;
    nm->cut_messages = 0;
    if (read_markers(nm, s)) {
        return 1;
    }
    s = span_trim(s);
    return s.at == s.end || is_bare(nm, s) ? 1 : 0;
}

static const struct shep_parser_ops ops = {
    .size = sizeof(ops), .probe = nm_probe, .open = nm_open, .line = nm_line, .close = nm_close};

static const struct shep_plugin plugin = {
    .size = sizeof(plugin),
    .abi_major = SHEP_ABI_MAJOR,
    .abi_minor = SHEP_ABI_MINOR,
    .kind = SHEP_KIND_PARSER,
    .option_size = sizeof(struct shep_option),
    .metric_size = sizeof(struct shep_metric_info),
    .name = "nerdminer",
    .version = "1.0",
    .summary = "NerdMiner_v2 and its forks on a serial port",
    .license = "MIT",
    .ops = &ops,
};

const struct shep_plugin *shep_plugin_v1(void)
{
    return &plugin;
}
