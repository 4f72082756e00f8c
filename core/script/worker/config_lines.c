/* Where in the configuration a nested key stands. A small reader of Lua's table constructors: it
 * knows tokens, not grammar, and gives up quietly at what it does not know. */
#include "script/worker/config.h"

#include <ctype.h>

enum { LINES_DEPTH = 10, LINES_KEYS = 20000 };

enum token_kind { T_END, T_NAME, T_STRING, T_NUMBER, T_OTHER };

struct token {
    enum token_kind kind;
    char c; /* T_OTHER: the character */
    const char *text;
    size_t len;
    int line;
};

struct reader_state {
    const char *p, *end;
    int line;
    struct token now;
    json_t *lines;
    size_t n_keys;
};

static void skip_to(struct reader_state *r, const char *to)
{
    for (; r->p < to && r->p < r->end; r->p++)
        r->line += *r->p == '\n';
}

/* At "[" of a long bracket: behind its end; NULL: it is none. */
static const char *behind_long(const char *p, const char *end)
{
    const char *q = p + 1;
    while (q < end && *q == '=')
        q++;
    if (q >= end || *q != '[')
        return NULL;
    size_t level = (size_t)(q - p - 1);
    for (q++; q < end; q++) {
        size_t n = 0;
        if (*q != ']')
            continue;
        while (q + 1 + n < end && q[1 + n] == '=')
            n++;
        if (n == level && q + 1 + n < end && q[1 + n] == ']')
            return q + 2 + n;
    }
    return end;
}

static const char *behind_quoted(const char *p, const char *end)
{
    char quote = *p++;
    while (p < end && *p != quote)
        p += *p == '\\' && p + 1 < end ? 2 : 1;
    return p < end ? p + 1 : end;
}

static void skip_blank(struct reader_state *r)
{
    while (r->p < r->end) {
        if (isspace((unsigned char)*r->p)) {
            skip_to(r, r->p + 1);
        } else if (r->end - r->p >= 2 && r->p[0] == '-' && r->p[1] == '-') {
            const char *to =
                r->end - r->p > 2 && r->p[2] == '[' ? behind_long(r->p + 2, r->end) : NULL;
            if (!to)
                to = memchr(r->p, '\n', (size_t)(r->end - r->p));
            skip_to(r, to ? to : r->end);
        } else {
            return;
        }
    }
}

static void next(struct reader_state *r)
{
    skip_blank(r);
    const char *p = r->p;
    const char *to = p + 1;
    r->now = (struct token){.kind = T_END, .line = r->line};
    if (p >= r->end)
        return;
    const char *long_end = *p == '[' ? behind_long(p, r->end) : NULL;
    if (isalpha((unsigned char)*p) || *p == '_') {
        while (to < r->end && (isalnum((unsigned char)*to) || *to == '_'))
            to++;
        r->now.kind = T_NAME;
    } else if (isdigit((unsigned char)*p)) {
        while (to < r->end && (isalnum((unsigned char)*to) || *to == '.'))
            to++;
        r->now.kind = T_NUMBER;
    } else if (*p == '"' || *p == '\'' || long_end) {
        to = long_end ? long_end : behind_quoted(p, r->end);
        r->now.kind = T_STRING;
    } else {
        r->now.kind = T_OTHER;
        r->now.c = *p;
    }
    r->now.text = p;
    r->now.len = (size_t)(to - p);
    skip_to(r, to);
}

static bool at(const struct reader_state *r, char c)
{
    return r->now.kind == T_OTHER && r->now.c == c;
}

static void note(struct reader_state *r, const char *path, int line)
{
    if (r->n_keys++ < LINES_KEYS)
        json_object_set_new(r->lines, path, json_integer(line));
}

/* The rest of a value: up to "," ";" or the end of the table, over whatever is in brackets. */
static void skip_value(struct reader_state *r)
{
    int depth = 0;
    while (r->now.kind != T_END) {
        if (depth == 0 && (at(r, ',') || at(r, ';') || at(r, '}')))
            return;
        if (at(r, '{') || at(r, '(') || at(r, '['))
            depth++;
        if (at(r, '}') || at(r, ')') || at(r, ']'))
            depth--;
        next(r);
    }
}

/* A key in front of "=": name, ["text"] or [1]. Leaves the reader behind "=", with the path in out;
 * false: there is none, and the reader stands where it stood. */
static bool read_key(struct reader_state *r, const char *path, char *out, size_t cap)
{
    struct reader_state back = *r;
    struct token key = r->now;
    bool bracket = at(r, '[');
    if (bracket) {
        next(r);
        key = r->now;
        next(r);
    }
    bool fits =
        bracket ? (key.kind == T_STRING || key.kind == T_NUMBER) && at(r, ']') : key.kind == T_NAME;
    if (fits)
        next(r);
    if (fits && at(r, '=')) {
        next(r);
        fits = !at(r, '=');
    } else {
        fits = false;
    }
    if (!fits) {
        size_t n_keys = r->n_keys;
        *r = back;
        r->n_keys = n_keys;
        return false;
    }
    size_t quotes = key.kind == T_STRING && key.len >= 2 ? 1 : 0;
    snprintf(out, cap, key.kind == T_NUMBER ? "%s[%.*s]" : "%s.%.*s", path,
             (int)(key.len - 2 * quotes), key.text + quotes);
    return true;
}

/* r->now is "{". */
static void read_table(struct reader_state *r, const char *path, int depth)
{
    int position = 0;
    next(r);
    while (r->now.kind != T_END && !at(r, '}')) {
        char inner[512];
        int line = r->now.line;
        if (!read_key(r, path, inner, sizeof inner))
            snprintf(inner, sizeof inner, "%s[%d]", path, ++position);
        note(r, inner, line);
        if (at(r, '{') && depth < LINES_DEPTH)
            read_table(r, inner, depth + 1);
        skip_value(r);
        if (at(r, ',') || at(r, ';'))
            next(r);
    }
    if (at(r, '}'))
        next(r);
}

void config_lines(const char *source, size_t len, const char *name, int line, json_t *lines)
{
    struct reader_state r = {.p = source, .end = source + len, .line = 1, .lines = lines};
    /* Lua names the line where the statement ends for some, so begin at the top and take the last
     * `name =` that stands at or before that line. */
    struct reader_state best = {0};
    int depth = 0;
    next(&r);
    while (r.now.kind != T_END && r.now.line <= line) {
        bool named = depth == 0 && r.now.kind == T_NAME && r.now.len == strlen(name) &&
                     memcmp(r.now.text, name, r.now.len) == 0;
        if (at(&r, '{') || at(&r, '('))
            depth++;
        if (at(&r, '}') || at(&r, ')'))
            depth--;
        struct token key = r.now;
        next(&r);
        if (named && at(&r, '=')) {
            next(&r);
            best = r;
            json_object_set_new(lines, name, json_integer(key.line));
        }
    }
    if (best.p && best.now.kind == T_OTHER && best.now.c == '{')
        read_table(&best, name, 0);
}
