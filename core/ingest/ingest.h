/* From bytes to readings: a stream cuts bytes into lines (CONTRACT "Lines"), masks secrets, finds
 * the parser by fingerprint and feeds it. No descriptor, no clock of its own, no global state: the
 * caller passes times in and gets everything back through callbacks, so that the daemon, `shepherd
 * parse`, the fuzzers and the tests run the same code. Thread: the caller's, one stream on one
 * thread. */
#ifndef SHEP_INGEST_H
#define SHEP_INGEST_H

#include "ingest/units.h"
#include "shepherd/plugin.h"
#include "util/util.h"

enum {
    INGEST_REPLAY_MAX =
        65536,        /* bytes of lines kept while no parser is sure (CONTRACT "Command line") */
    INGEST_SURE = 80, /* confidence at which a parser is chosen at once */
    INGEST_PLAUSIBLE =
        30, /* confidence that is enough at the end of a file, or when the replay buffer is full */
    INGEST_PARTIAL_MS = 2000, /* a line without its end is stored after this silence */
    INGEST_REPROBE_LINES =
        200, /* after a reset, so many lines may show that it is another firmware */
    INGEST_EMIT_MAX =
        256 /* readings and events of one line: a parser in a loop must not flood us */
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
    uint64_t number; /* 1, 2, 3 …, blank lines counted; CR CR LF is one end */
    bool truncated;
    bool partial; /* stored after silence; the rest of the line comes as a line of its own, but the
                     parser gets all of it in one piece once its end is there */
};

struct ingest_callbacks { /* any may be NULL; arg is the stream's */
    void (*line)(const struct ingest_line *line,
                 void *arg); /* every line that is not blank, for the store */
    /* known: what the parser said of it; called after the readings of the line. line: as the parser
     * got it */
    void (*parsed)(const struct ingest_line *line, bool known, void *arg);
    void (*chosen)(const char *parser, int confidence,
                   void *arg); /* before the replayed lines are parsed */
    /* Values are finite, at_ms is set, text is valid UTF-8 of at most SHEP_TEXT_MAX bytes without
     * control characters, NUL-terminated. Ranges are not checked. The result goes back to the
     * parser. */
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
    uint64_t truncated, bad_bytes, blank; /* bad: replaced by U+FFFD */
    uint64_t readings, refused; /* emitted by the parser; refused: not finite, too many, bad id */
    const char *parser;         /* NULL: none yet */
    int confidence;             /* at the choice; 100 when the caller named the parser */
};
void ingest_stats_get(const struct ingest_stream *stream, struct ingest_stats *out);

/* secrets.def, applied: what is secret in the line becomes ***. `state` carries what goes on over a
 * line end (a JSON key whose value stands on the next line); zero it per stream. */
struct secrets_state {
    uint32_t flags;
};
/* Edits text in place and returns the new length, at most cap_bytes. Text grows by up to 3 bytes
 * for each value shorter than ***; what then does not fit is cut at a character. */
size_t secrets_mask(struct secrets_state *state, char *text, size_t len, size_t cap_bytes);

/* The host table for parsers, in the daemon and without one. emit and event go to the callbacks of
 * the stream; log, fail, now_ms, mono_ms and metric_id work; opt_* say SHEP_E_GONE, the rest is not
 * there. */
const struct shep_host *ingest_host(void);

/* Where metric_id() looks up metrics that plugins declared (metrics.def is known already). Set it
 * once, before the first stream; NULL: none. 0 and *id_out, or an error. */
typedef int (*ingest_metric_fn)(const char *name, uint32_t *id_out, void *arg);
void ingest_host_set_metric_id(ingest_metric_fn fn, void *arg);
#endif
