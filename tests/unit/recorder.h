/* Writes down all that a stream says, one line each, so that two runs can be compared as text:
 * "row 3 text", "row 3 T P text" (truncated, partial), "parsed 3 1", "chosen toy 90", "reading 3
 * hashrate-id value", "reading 3 pool-id text", "event 3 id". */
#ifndef RECORDER_H
#define RECORDER_H

#include "ingest/ingest.h"

struct recorder {
    struct buf log;
    struct ingest_stream *stream;
};
/* parsers may be NULL (none). */
void recorder_open(struct recorder *rec, const struct ingest_parsers *parsers, const char *parser,
                   bool strip_monitor_time);
void recorder_feed(struct recorder *rec, const char *text); /* at 1000 ms */
/* Ends the stream; returns the log, owned by the caller. */
char *recorder_close(struct recorder *rec, struct ingest_stats *stats);

enum cut { CUT_WHOLE, CUT_BYTES, CUT_RANDOM };
/* All of it: open, feed cut so, end. */
char *recorder_run(const struct ingest_parsers *parsers, const char *bytes, size_t len,
                   enum cut cut, unsigned seed, struct ingest_stats *stats);
/* The log without the lines that begin with `prefix`; in place. */
char *recorder_without(char *log, const char *prefix);
#endif
