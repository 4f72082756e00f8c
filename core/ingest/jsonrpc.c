/* The passwords in stratum requests that miners print: {"id": 2, "method": "mining.authorize",
 * "params": ["wallet.worker", "password"]}, in any spacing, with "params" before "method", as JSON
 * within a JSON string, cut at either end, glued to others. mining.subscribe has the password too
 * in NerdMiner 1.1 to 1.3 (params [ADDRESS, "x"]). Everything behind the first string of the array
 * is masked, as one piece, because a password may hold bare quotes (LeafMiner does not escape). A
 * request whose method is not on the line counts as mining.authorize. Pure. */
#include "ingest/internal.h"

/* The first quote behind which, after blanks, one of `follow` comes or the text ends at len; `to`:
 * none. */
static size_t quote_before(const char *text, size_t from, size_t to, size_t level,
                           const char *follow)
{
    for (size_t at = from; (at = quote_next(text, at, to, level, '"')) < to; at++) {
        size_t next = skip_blanks(text, at + 1, to);
        if (next < to && strchr(follow, text[next]))
            return at;
    }
    return to;
}

/* Masks a string up to the quote at `end` (or the end of the line), without the backslashes of JSON
 * in JSON. */
static void mask_string(size_t from, size_t end, size_t level, size_t len, struct spans *spans)
{
    if (end < len)
        end = end - from > level ? end - level : from;
    spans_add(spans, from, end, len);
}

/* What comes behind the comma after the first string. Returns where the array ends, or len when the
 * line ends before it. */
static size_t mask_rest(const char *text, size_t comma, size_t len, struct spans *spans)
{
    size_t level, at = skip_blanks(text, comma + 1, len);
    size_t quote = quote_open(text, at, len, &level);
    if (quote) {
        at += quote;
        size_t end = quote_before(text, at, len, level, "]");
        mask_string(at, end, level, len, spans);
        return end;
    }
    size_t end = at;
    while (end < len && !strchr(",]} ", text[end]))
        end++;
    bool is_null = end - at == 4 && memcmp(text + at, "null", 4) == 0;
    if (!is_null)
        spans_add(spans, at, end, len);
    return end;
}

enum method { METHOD_UNKNOWN, METHOD_LOGIN, METHOD_OTHER };

/* "method": "mining.authorize" in [from, to)? A name that the line's end cuts may still become one.
 */
static enum method method_in(const char *text, size_t from, size_t to, size_t len)
{
    static const char *const logins[] = {"mining.authorize", "mining.subscribe"};
    size_t at = word_find(text, from, to, "method");
    if (at == to)
        return METHOD_UNKNOWN;
    at += strlen("method");
    while (at < to && strchr("\\\"': \t", text[at]))
        at++;
    for (size_t i = 0; i < ARRAY_LEN(logins); i++) {
        size_t n = 0;
        while (at + n < to && logins[i][n] && text[at + n] == logins[i][n])
            n++;
        if (!logins[i][n])
            return METHOD_LOGIN;
        if (at + n == len)
            return METHOD_UNKNOWN;
    }
    return METHOD_OTHER;
}

static size_t object_start(const char *text, size_t at)
{
    while (at > 0 && text[at] != '{')
        at--;
    return at;
}

static size_t object_end(const char *text, size_t at, size_t len)
{
    const char *brace = at < len ? memchr(text + at, '}', len - at) : NULL;
    return brace ? (size_t)(brace - text) : len;
}

/* "params": [" at `at`: the first byte behind the bracket's quote, or 0. */
static size_t params_open(const char *text, size_t at, size_t len, size_t *level)
{
    at += strlen("params");
    at = skip_blanks(text, at + quote_open(text, at, len, level), len);
    if (at >= len || text[at] != ':')
        return 0;
    at = skip_blanks(text, at + 1, len);
    if (at >= len || text[at] != '[')
        return 0;
    at = skip_blanks(text, at + 1, len);
    size_t quote = quote_open(text, at, len, level);
    return quote ? at + quote : 0;
}

size_t jsonrpc_params(struct secrets_state *state, const char *text, size_t at, size_t len,
                      struct spans *spans)
{
    size_t level, open = params_open(text, at, len, &level);
    if (!open)
        return 0;
    enum method method = method_in(text, object_start(text, at), at, len);
    if (method == METHOD_UNKNOWN) {
        size_t end = quote_before(text, open, len, level, "]");
        method = method_in(text, end, object_end(text, end, len), len);
    }
    if (method == METHOD_OTHER)
        return open;
    size_t first = quote_before(text, open, len, level, ",]"), end = len;
    if (first < len) {
        size_t next = skip_blanks(text, first + 1, len);
        end = text[next] == ']' ? next : mask_rest(text, next, len, spans);
    }
    if (end == len && method == METHOD_LOGIN)
        state->flags |= STATE_PARAMS;
    return open;
}

/* The tail of an array whose start is elsewhere: `allet", "x"]` in [from, to). */
static void mask_tail(const char *text, size_t from, size_t to, size_t len, struct spans *spans)
{
    size_t end = quote_before(text, from, to, 0, "]");
    if (end == to)
        return;
    size_t first = quote_before(text, from, end, 0, ",");
    if (first < end)
        mask_rest(text, skip_blanks(text, first + 1, end), len, spans);
    else
        spans_add(spans, from, end, len); /* hunter2"], its opening quote is not here */
}

void jsonrpc_authorize(const char *text, size_t at, size_t len, struct spans *spans)
{
    static const char prefix[] = "mining.";
    size_t n = sizeof(prefix) - 1;
    if (at < n || memcmp(text + at - n, prefix, n) != 0)
        return;
    size_t start = object_start(text, at), end = object_end(text, at, len);
    if (word_find(text, start, end, "params") < end)
        return; /* jsonrpc_params() sees to it */
    mask_tail(text, text[start] == '{' ? start + 1 : start, at, len, spans);
}

void jsonrpc_continue(const char *text, size_t len, struct spans *spans)
{
    mask_tail(text, 0, len, len, spans);
}
