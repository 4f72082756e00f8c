/* What arrives on the wire, judged byte by byte: request targets, header names, Host. Pure: no
 * socket, no clock, no allocation, so that it can be fuzzed. evhttp reads over all of this: it
 * joins folded lines, cuts a header at a NUL, takes the first of two Hosts and reads "//evil/x" as
 * a host name. Any thread. */
#ifndef SHEP_HTTP_WIRE_H
#define SHEP_HTTP_WIRE_H

#include "script/script.h"

enum {
    WIRE_PATH_MAX = 1024,      /* decoded bytes; the longest page is /details/miner/ and 64 more */
    WIRE_QUERY_MAX = 32,       /* parameters; no form of ours has more than 12 */
    WIRE_HEADER_LINES_MAX = 64 /* a browser behind two proxies sends 25 */
};

/* ---- the raw bytes from the request line to the empty line ---- */
struct wire_scan {
    bool begun;     /* the first byte of a request was seen */
    bool done;      /* the empty line was seen; what follows is a body or the next request */
    bool bad;       /* NUL, another control byte, a bare CR, a folded line, too many lines */
    bool after_cr;  /* the last byte was CR */
    bool in_line;   /* the line has a byte already */
    uint16_t lines; /* ended so far */
};
void wire_scan_bytes(struct wire_scan *scan, const void *bytes, size_t len);

/* ---- the target ---- */
struct wire_target {
    char *path; /* decoded; begins with exactly one '/'; in the caller's store */
    size_t n_query;
    struct script_param query[WIRE_QUERY_MAX]; /* decoded; in the caller's store */
};
/* store: strlen(target) + 2 bytes. 0, or the HTTP status to refuse it with (400, 414). */
int wire_target_parse(const char *target, char *store, struct wire_target *out);
const char *wire_query_get(const struct wire_target *target, const char *name); /* NULL: absent */

/* Percent escapes, once; at most len bytes come out, and a NUL behind them. Their number; -1: a
 * broken escape or a NUL. */
int wire_decode(char *out, const char *in, size_t len, bool plus_is_space);
/* UTF-8 without control bytes; line ends and tabs are allowed where text_lines says so. */
bool wire_text_ok(const char *text, size_t len, bool text_lines);

/* ---- headers ---- */
bool wire_name_ok(const char *name);         /* a token of at least one byte */
bool wire_name_may_repeat(const char *name); /* lists that proxies extend by a line of their own */
bool wire_value_safe(const char *value);     /* no control byte: may stand in a header of ours */
/* "gzip" is among the codings and not refused by q=0; NULL: no. */
bool wire_accepts_gzip(const char *accept_encoding);
/* A quoted tag (weak or strong) is in an If-None-Match list, or the list is "*". */
bool wire_etag_in(const char *list, const char *etag);

/* ---- Host ---- */
enum wire_host { WIRE_HOST_BAD, WIRE_HOST_IP, WIRE_HOST_NAME };
/* Splits "name:port" or "[::1]:port": the name in lower case, without a trailing dot, into out. */
enum wire_host wire_host_parse(const char *host, char *out, size_t cap);
#endif
