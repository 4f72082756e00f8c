/* From bytes to readings: a stream cuts bytes into lines (CONTRACT "Lines"), masks secrets, finds
 * the parser by fingerprint and feeds it. No descriptor, no clock of its own, no global state: the
 * caller passes times in and gets everything back through callbacks, so that the daemon, `shepherd
 * parse`, the fuzzers and the tests run the same code. Thread: the caller's, one stream on one
 * thread. */
#ifndef SHEP_INGEST_H
#define SHEP_INGEST_H

#include "shepherd/plugin.h"
#include "util/util.h"

enum {
    INGEST_REPLAY_MAX =
        65536,        /* bytes of lines kept while no parser is sure (CONTRACT "Command line") */
    INGEST_SURE = 80, /* confidence at which a parser is chosen at once */
    INGEST_PLAUSIBLE =
        30, /* confidence that is enough at the end of a file, or when the replay buffer is full */
    INGEST_PARTIAL_MS = 2000 /* a line without its end is stored after this silence */
};

/* The parsers to choose from; outlives its streams. The order breaks ties. */
struct ingest_parser {
    const char *name;
    const struct shep_parser_ops *ops;
};
struct ingest_parsers {
    const struct ingest_parser *items;
    size_t n;
};

struct ingest_line {
    const char *text; /* valid UTF-8, no CR LF NUL, secrets masked; not NUL-terminated */
    size_t len;
    int64_t at_ms;
    uint64_t number; /* 1, 2, 3 …, blank lines counted */
    bool truncated;
    bool partial; /* stored after silence; the rest of the line comes as a line of its own */
};

struct ingest_callbacks { /* any may be NULL; arg is the stream's */
    void (*line)(const struct ingest_line *line,
                 void *arg); /* every line that is not blank, for the store */
    /* known: what the parser said of it; called after the readings of the line */
    void (*parsed)(const struct ingest_line *line, bool known, void *arg);
    void (*chosen)(const char *parser, int confidence,
                   void *arg); /* before the replayed lines are parsed */
    int (*reading)(const struct shep_reading *reading, uint64_t line_number, void *arg);
    int (*event)(const struct shep_event *event, uint64_t line_number, void *arg);
};

struct ingest_stream_conf {
    const struct ingest_parsers *parsers;
    const char *parser; /* "auto" or a name; an unknown name: ingest_stream_new() returns NULL */
    bool strip_monitor_time; /* drop "HH:MM:SS.mmm > " in front of lines (parse and replay only) */
    struct ingest_callbacks callbacks;
    void *arg;
};

struct ingest_stream;
struct ingest_stream *ingest_stream_new(const struct ingest_stream_conf *conf);
void ingest_stream_free(struct ingest_stream *stream); /* closes the parser */
/* Any bytes in any pieces. The result does not depend on how they are cut, except for partial rows.
 */
void ingest_feed(struct ingest_stream *stream, const void *bytes, size_t len, int64_t at_ms);
/* Time passes: store an unfinished line after INGEST_PARTIAL_MS. Returns ms until it wants to be
 * called again, -1: not until more bytes come. */
int64_t ingest_tick(struct ingest_stream *stream, int64_t now_ms);
/* The stream ended (end of file, port gone): the rest is a line; a parser that is plausible is
 * chosen. */
void ingest_end(struct ingest_stream *stream, int64_t at_ms);

struct ingest_stats {
    uint64_t lines, unparsed; /* without blank ones; unparsed only once a parser is chosen, replayed
                                 lines included */
    uint64_t truncated, bad_bytes, blank;
    const char *parser; /* NULL: none yet */
    int confidence;
};
void ingest_stats_get(const struct ingest_stream *stream, struct ingest_stats *out);

/* secrets.def, applied: text is edited in place (it never grows); returns the new length. `state`
 * carries what a multi-line or glued construction needs between lines; zero it per stream. */
struct secrets_state {
    uint32_t flags;
};
size_t secrets_mask(struct secrets_state *state, char *text, size_t len);

/* The host table for code that runs parsers without a daemon (parse, tests, fuzzers): only emit,
 * event, log, now_ms and metric_id work. */
const struct shep_host *ingest_host(void);

/* ---- units: text of devices to SI units; the one place that knows suffixes (CONTRACT "Metrics")
 * ---- */

/* "12.34K", "1.2M", "3.00G", "462.00KH/s", "0.0032", "85.4T" → number; k K M G T P E Z with or
 * without a blank before them, an optional unit behind (H/s, Hash, Hashes, H). The whole text must
 * be it. false: not a number, negative, not finite. */
bool unit_parse_scaled(const char *text, size_t len, double *out);
/* "0  01:02:03", "000d 00:10:42", "12:34:56" → seconds. */
bool unit_parse_duration(const char *text, size_t len, double *seconds_out);
/* "wallet.worker.x" → wallet up to the first dot, worker all after it (len 0: none). */
void unit_split_user(const char *user, size_t len, size_t *wallet_len, const char **worker,
                     size_t *worker_len);
#endif
