/* Finds secrets in a line by the table in secrets.def and masks them. Pure; any thread.
 *
 * When in doubt a value is masked too far rather than not far enough: one without quotes reaches to
 * the end of the line unless a text of SECRET_STOP or ", Name: " ends it, a quoted one without its
 * closing quote to the end of the line. Not masked: wallets, workers, pools, SSIDs. What a device
 * prints without naming it (a password alone on a line) cannot be known. */
#include "ingest/internal.h"

#include <pthread.h>
#include <strings.h>

enum form { FORM_KEY, FORM_BRACKET, FORM_PARAMS, FORM_AUTHORIZE };
enum start { ANYWHERE, OWN };

struct secret {
    enum form form;
    const char *word;
    int detail; /* start of a key, bare of a bracket */
};

static const struct secret table[] = {
#define SECRET_KEY(word, start)    {FORM_KEY, word, start},
#define SECRET_BRACKET(word, bare) {FORM_BRACKET, word, bare},
#define SECRET_PARAMS(word)        {FORM_PARAMS, word, 0},
#define SECRET_AUTHORIZE(word)     {FORM_AUTHORIZE, word, 0},
#include "ingest/secrets.def"
};

static const char *const stops[] = {
#define SECRET_STOP(text) text,
#include "ingest/secrets.def"
};

enum {
    BARE_SECRET_MIN = 16, /* "License: MIT" is none, a licence has 128 hex digits */
    KEY_DIGITS_MAX = 2
};

/* ---- the cheap test: bit i of first[a] & second[b] & third[c] says that word i begins with abc
 * ----
 */

_Static_assert(ARRAY_LEN(table) <= 32, "one bit for each word");
static uint32_t first[256], second[256], third[256]; /* written once, then only read */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static void add_letter(uint32_t *set, char c, uint32_t bit)
{
    set[(unsigned char)c] |= bit;
    if (c >= 'a' && c <= 'z')
        set[(unsigned char)(c - 'a' + 'A')] |= bit;
}

static void build(void)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        uint32_t bit = 1u << i;
        add_letter(first, table[i].word[0], bit);
        add_letter(second, table[i].word[1], bit);
        add_letter(third, table[i].word[2], bit);
    }
}

static uint32_t candidates(const char *text, size_t at)
{
    return first[(unsigned char)text[at]] & second[(unsigned char)text[at + 1]] &
           third[(unsigned char)text[at + 2]];
}

bool secrets_maybe(const char *text, size_t len)
{
    pthread_once(&once, build);
    for (size_t at = 0; at + 3 <= len; at++) {
        if (candidates(text, at))
            return true;
    }
    return false;
}

/* ---- scanners ---- */

size_t skip_blanks(const char *text, size_t at, size_t len)
{
    while (at < len && (text[at] == ' ' || text[at] == '\t'))
        at++;
    return at;
}

bool word_at(const char *text, size_t at, size_t len, const char *word)
{
    size_t n = strlen(word);
    return n <= len - at && strncasecmp(text + at, word, n) == 0;
}

size_t word_find(const char *text, size_t from, size_t to, const char *word)
{
    char start = lower(word[0]);
    for (size_t at = from; at < to; at++) {
        if (lower(text[at]) == start && word_at(text, at, to, word))
            return at;
    }
    return to;
}

size_t quote_open(const char *text, size_t at, size_t len, size_t *level)
{
    size_t n = 0;
    while (at + n < len && text[at + n] == '\\')
        n++;
    if (at + n >= len || (text[at + n] != '"' && text[at + n] != '\''))
        return 0;
    *level = n;
    return n + 1;
}

/* JSON within a JSON string writes its quotes as \", within two strings as \\\": of a string that
 * opens with n backslashes the closing quote has n (modulo twice as many and two), any other number
 * is a quote in its text. */
size_t quote_next(const char *text, size_t at, size_t len, size_t level, char quote)
{
    size_t run = 0;
    for (; at < len; at++) {
        if (text[at] == quote && run % (2 * level + 2) == level)
            return at;
        run = text[at] == '\\' ? run + 1 : 0;
    }
    return len;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool stop_at(const char *text, size_t at, size_t len)
{
    for (size_t i = 0; i < ARRAY_LEN(stops); i++) {
        size_t n = strlen(stops[i]);
        if (text[at] == stops[i][0] && n <= len - at && memcmp(text + at, stops[i], n) == 0)
            return true;
    }
    return false;
}

/* ", IP: 192.168.4.1": the next field of a list. */
static bool next_field_at(const char *text, size_t at, size_t len)
{
    if (len - at < 4 || text[at] != ',' || text[at + 1] != ' ' || !is_letter(text[at + 2]))
        return false;
    at += 2;
    while (at < len && (is_letter(text[at]) || is_digit(text[at]) || text[at] == '_'))
        at++;
    return at + 1 < len && text[at] == ':' && text[at + 1] == ' ';
}

/* ---- values ---- */

void spans_add(struct spans *spans, size_t from, size_t to, size_t len)
{
    if (from >= to)
        return;
    if (spans->n == SPANS_MAX) {
        struct span *last = &spans->at[SPANS_MAX - 1];
        *last = (struct span){from < last->from ? from : last->from, len};
        return;
    }
    spans->at[spans->n++] = (struct span){from, to};
}

/* A closing quote is one that something follows which may follow a value; a password with bare
 * quotes in it is longer than to the first of them. */
static size_t quoted_end(const char *text, size_t at, size_t len, size_t level, char quote)
{
    for (size_t end = at; (end = quote_next(text, end, len, level, quote)) < len; end++) {
        size_t next = skip_blanks(text, end + 1, len);
        if (next == len || strchr(",}]", text[next]) || stop_at(text, next, len) ||
            stop_at(text, end + 1, len))
            return end - level > at ? end - level : at;
    }
    return len;
}

/* "&user=x": the next parameter of a URL. */
static bool next_param_at(const char *text, size_t at, size_t len)
{
    if (text[at] != '&')
        return false;
    size_t name = ++at;
    while (at < len && (is_letter(text[at]) || is_digit(text[at]) || text[at] == '_'))
        at++;
    return at > name && at < len && text[at] == '=';
}

static size_t bare_end(const char *text, size_t at, size_t len, bool in_url)
{
    for (size_t i = at; i < len; i++) {
        if (stop_at(text, i, len) || next_field_at(text, i, len) ||
            (in_url && next_param_at(text, i, len))) {
            len = i;
            break;
        }
    }
    while (len > at && (text[len - 1] == ' ' || text[len - 1] == '\t'))
        len--;
    return len;
}

/* A number, true or null behind a JSON key. */
static size_t literal_end(const char *text, size_t at, size_t len)
{
    while (at < len && !strchr(",}] \t", text[at]))
        at++;
    return at;
}

static bool harmless_literal(const char *text, size_t len)
{
    static const char *const words[] = {"null", "true", "false"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (strlen(words[i]) == len && memcmp(words[i], text, len) == 0)
            return true;
    }
    return false;
}

/* Masks the value at `at`; returns where to go on: behind it, but a literal may be a key itself. */
static size_t mask_value(const char *text, size_t at, size_t len, bool json, bool in_url,
                         struct spans *spans)
{
    size_t level, n = quote_open(text, at, len, &level);
    size_t end;
    if (n) {
        at += n;
        end = quoted_end(text, at, len, level, text[at - 1]);
    } else if (json) {
        end = literal_end(text, at, len);
        if (!harmless_literal(text + at, end - at))
            spans_add(spans, at, end, len);
        return at;
    } else {
        end = bare_end(text, at, len, in_url);
    }
    spans_add(spans, at, end, len);
    return end;
}

/* ---- forms ---- */

static bool starts_own(const char *text, size_t at)
{
    if (at == 0)
        return true;
    char before = text[at - 1];
    if (!is_letter(before) && !is_digit(before))
        return true;
    bool is_upper = text[at] >= 'A' && text[at] <= 'Z';
    return is_upper && !(before >= 'A' && before <= 'Z'); /* wifiPass */
}

static size_t find_key(struct secrets_state *state, const struct secret *secret, const char *text,
                       size_t at, size_t len, struct spans *spans)
{
    if (secret->detail == OWN && !starts_own(text, at))
        return 0;
    at += strlen(secret->word);
    for (int i = 0; i < KEY_DIGITS_MAX && at < len && is_digit(text[at]); i++)
        at++;
    size_t level, quote = quote_open(text, at, len, &level);
    at = skip_blanks(text, at + quote, len);
    if (at >= len || (text[at] != ':' && text[at] != '='))
        return 0;
    bool in_url = text[at] == '=';
    at = skip_blanks(text, at + 1, len);
    if (at >= len && quote)
        state->flags |= STATE_VALUE;
    return mask_value(text, at, len, quote > 0, in_url, spans);
}

static size_t find_bracket(const struct secret *secret, const char *text, size_t at, size_t len,
                           struct spans *spans)
{
    size_t level, quote;
    at += strlen(secret->word);
    at = skip_blanks(text, at + quote_open(text, at, len, &level), len);
    bool separated = at < len && (text[at] == ':' || text[at] == '=');
    if (separated)
        at = skip_blanks(text, at + 1, len);
    quote = quote_open(text, at, len, &level);
    if (at < len && text[at] == '[') {
        const char *close = memchr(text + at, ']', len - at);
        size_t end = close ? (size_t)(close - text) : len;
        spans_add(spans, at + 1, end, len);
        return end;
    }
    if (!secret->detail || !separated)
        return 0;
    if (quote)
        return mask_value(text, at, len, true, false, spans);
    size_t end = literal_end(text, at, len);
    if (end - at < BARE_SECRET_MIN)
        return 0;
    spans_add(spans, at, end, len);
    return end;
}

/* Returns where to go on, 0: this is no secret. */
static size_t find_one(struct secrets_state *state, const struct secret *secret, const char *text,
                       size_t at, size_t len, struct spans *spans)
{
    if (!word_at(text, at, len, secret->word))
        return 0;
    switch (secret->form) {
    case FORM_KEY:
        return find_key(state, secret, text, at, len, spans);
    case FORM_BRACKET:
        return find_bracket(secret, text, at, len, spans);
    case FORM_PARAMS:
        return jsonrpc_params(state, text, at, len, spans);
    case FORM_AUTHORIZE:
        jsonrpc_authorize(text, at, len, spans);
        return 0;
    }
    return 0;
}

/* The line before ended behind a JSON key of ours: its value, unless this is the next key. */
static size_t find_value_of_last_line(const char *text, size_t len, struct spans *spans)
{
    size_t level, at = skip_blanks(text, 0, len);
    size_t n = quote_open(text, at, len, &level);
    if (!n)
        return 0;
    size_t end = quote_next(text, at + n, len, level, text[at + n - 1]);
    size_t next = end < len ? skip_blanks(text, end + 1, len) : len;
    if (next < len && text[next] == ':')
        return 0;
    return mask_value(text, at, len, true, false, spans);
}

/* In order, none touching another: jsonrpc.c also looks back. */
static void spans_order(struct spans *spans)
{
    for (size_t i = 1; i < spans->n; i++) {
        struct span span = spans->at[i];
        size_t to = i;
        for (; to > 0 && spans->at[to - 1].from > span.from; to--)
            spans->at[to] = spans->at[to - 1];
        spans->at[to] = span;
    }
    size_t n = 0;
    for (size_t i = 0; i < spans->n; i++) {
        struct span span = spans->at[i];
        if (n > 0 && span.from <= spans->at[n - 1].to) {
            if (span.to > spans->at[n - 1].to)
                spans->at[n - 1].to = span.to;
        } else {
            spans->at[n++] = span;
        }
    }
    spans->n = n;
}

void secrets_find(struct secrets_state *state, const char *text, size_t len, struct spans *spans)
{
    pthread_once(&once, build);
    uint32_t flags = state->flags;
    state->flags = 0;
    spans->n = 0;
    size_t at = 0;
    if (flags & STATE_PARAMS)
        jsonrpc_continue(text, len, spans);
    else if (flags & STATE_VALUE)
        at = find_value_of_last_line(text, len, spans);
    while (at + 3 <= len) {
        uint32_t bits = candidates(text, at);
        size_t next = 0;
        for (; bits && !next; bits &= bits - 1)
            next = find_one(state, &table[__builtin_ctz(bits)], text, at, len, spans);
        at = next > at ? next : at + 1;
    }
    spans_order(spans);
}

/* ---- masking ---- */

static const char mask[] = "***";
enum { MASK_LEN = sizeof(mask) - 1 };

/* Not in the middle of a character. */
static size_t char_floor(const char *text, size_t len)
{
    while (len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80)
        len--;
    return len;
}

static bool add_up_to(struct buf *out, const char *text, size_t len, size_t *room)
{
    bool fits = len <= *room;
    if (!fits)
        len = char_floor(text, *room);
    buf_add(out, text, len);
    *room = fits ? *room - len : 0;
    return fits;
}

bool secrets_render(const struct spans *spans, const char *text, size_t from, size_t to,
                    struct buf *out, size_t max)
{
    bool fits = true;
    for (size_t i = 0; i < spans->n; i++) {
        const struct span *span = &spans->at[i];
        if (span->to <= from || span->from >= to)
            continue;
        if (span->from > from)
            fits = add_up_to(out, text + from, span->from - from, &max) && fits;
        fits = add_up_to(out, mask, MASK_LEN, &max) && fits;
        from = span->to < to ? span->to : to;
    }
    return add_up_to(out, text + from, to - from, &max) && fits;
}

size_t secrets_mask(struct secrets_state *state, char *text, size_t len, size_t cap_bytes)
{
    if (state->flags == 0 && len <= cap_bytes && !secrets_maybe(text, len))
        return len;
    struct spans spans;
    struct buf out = {0};
    secrets_find(state, text, len, &spans);
    secrets_render(&spans, text, 0, len, &out, cap_bytes);
    len = out.len;
    if (len)
        memcpy(text, out.data, len);
    buf_free(&out);
    return len;
}
