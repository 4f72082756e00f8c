/* What the files of this room share with each other and with nobody else. */
#ifndef SHEP_INGEST_INTERNAL_H
#define SHEP_INGEST_INTERNAL_H

#include "ingest/ingest.h"

/* ---- clean.c: bytes to text ---- */

enum {
    ESC_MAX = 32 /* a longer "escape sequence" is none: its bytes are text */
};

/* Takes any bytes, keeps text: valid UTF-8 without control characters other than TAB. Carries a
 * character or an escape sequence that is cut. Zero it and set `max` to start. */
struct cleaner {
    struct buf out;
    size_t max; /* bytes of out; what comes after is dropped */
    bool full;  /* something was dropped */
    uint64_t bad_bytes;
    uint8_t utf8[4], utf8_len, utf8_need; /* of a character not yet complete */
    uint8_t esc_len;
    char esc[ESC_MAX];
};
/* How many bytes at the start are TAB or 0x20..0x7e: text as it is. */
size_t clean_plain_run(const char *bytes, size_t len);
/* Takes bytes up to a CR or LF; returns how many. */
size_t clean_feed(struct cleaner *cleaner, const char *bytes, size_t len);
/* The text is over: an incomplete character becomes U+FFFD, an incomplete escape sequence nothing.
 */
void clean_end(struct cleaner *cleaner);
/* Ready for the next text; keeps memory and bad_bytes. */
void clean_reset(struct cleaner *cleaner);
/* In the middle of a character or escape sequence? */
bool clean_pending(const struct cleaner *cleaner);

/* ---- secrets.c, jsonrpc.c ---- */

struct span { /* a value to mask: bytes [from, to) */
    size_t from, to;
};
enum {
    SPANS_MAX = 64 /* a line with more secrets is masked from the last one to its end */
};
struct spans {
    size_t n;
    struct span at[SPANS_MAX];
};
/* Cheap: could there be a secret in it? When not, and state->flags is 0, there is none. */
bool secrets_maybe(const char *text, size_t len);
void secrets_find(struct secrets_state *state, const char *text, size_t len, struct spans *spans);
/* Appends bytes [from, to) of the text with *** for each span in them, at most max bytes. false:
 * cut. */
bool secrets_render(const struct spans *spans, const char *text, size_t from, size_t to,
                    struct buf *out, size_t max);
void spans_add(struct spans *spans, size_t from, size_t to, size_t len);

/* Small scanners that both files need. */
size_t skip_blanks(const char *text, size_t at, size_t len);
/* An opening quote at `at`, perhaps with backslashes before it (JSON in JSON)? Returns the bytes of
 * it and the number of backslashes; 0: none. */
size_t quote_open(const char *text, size_t at, size_t len, size_t *level);
/* The next quote of that level at or after `at`, or len. */
size_t quote_next(const char *text, size_t at, size_t len, size_t level, char quote);
/* The first place of a word in [from, to), in any case of letters, or `to`. */
size_t word_find(const char *text, size_t from, size_t to, const char *word);
bool word_at(const char *text, size_t at, size_t len, const char *word);

enum { STATE_VALUE = 1, STATE_PARAMS = 2 }; /* secrets_state.flags */
/* "params" at `at`: the password of mining.authorize or mining.subscribe. Returns where to go on.
 */
size_t jsonrpc_params(struct secrets_state *state, const char *text, size_t at, size_t len,
                      struct spans *spans);
/* "authorize" at `at` whose "params" were lost with the start of the line. */
void jsonrpc_authorize(const char *text, size_t at, size_t len, struct spans *spans);
/* The line goes on where one with open params ended. */
void jsonrpc_continue(const char *text, size_t len, struct spans *spans);

/* ---- host.c ---- */

/* One per stream: who a parser says it is when it calls the host. */
struct shep_ctx {
    const struct ingest_callbacks *callbacks;
    void *arg;
    const char *parser; /* for log lines */
    int64_t at_ms;      /* of the line in the parser */
    uint64_t number;
    unsigned emitted; /* by this line */
    bool reset;       /* the parser said SHEP_EV_RESET; the stream clears it */
    uint64_t readings, refused;
    char failure[160]; /* last text of fail(), so that repeating it is not logged again */
};

/* ---- fingerprint.c: which parser ---- */

struct replay_line {
    int64_t at_ms;
    uint64_t number;
    uint32_t len;
    uint32_t flags; /* of struct shep_line */
};

enum { FINGERPRINT_OUT = -1 }; /* best of a parser that does not open */

struct fingerprint {
    const struct ingest_parsers *parsers;
    int *best;          /* of each parser, over all lines so far */
    struct buf replay;  /* struct replay_line and its text, again and again */
    size_t replay_from; /* what is before was dropped */
    size_t replay_text; /* bytes of text from there on, one more for each line */
    bool was_full;      /* from now on plausible is enough */
};
void fingerprint_init(struct fingerprint *fp, const struct ingest_parsers *parsers);
void fingerprint_free(struct fingerprint *fp); /* best is NULL then: the race is over */
int fingerprint_probe(const struct ingest_parser *parser, const char *text, size_t len);
/* Looks at a line and keeps it. Returns the index of the parser that is sure enough, -1: none yet.
 */
int fingerprint_line(struct fingerprint *fp, const struct replay_line *line, const char *text);
/* No more lines will come: the best one that is plausible, or -1. */
int fingerprint_end(const struct fingerprint *fp);
/* The next line kept, oldest first; *at starts at 0. false: no more. */
bool fingerprint_replay(const struct fingerprint *fp, size_t *at, struct replay_line *line,
                        const char **text);
#endif
