/* Templates to Lua. Pure: text in, text out.
 *
 *   <%= e %>  print e, escaped        <%- e %>  print e as it is
 *   <% code %>                        <%# comment %>
 *   -%>  drops the newline behind it  <%%  prints <%
 *
 * Every line of the template is the same line of the Lua code, so that Lua's own messages name the
 * right line: text becomes a string in quotes whose newlines are "\<newline>". A tag ends at the
 * first %>, also within a Lua string. The code is called with the four values named in PROLOGUE;
 * _ENV is one of them, so each call has variables of its own. */
#include "script/worker/template.h"

static const char PROLOGUE[] = "local _emit,_esc,_raw,_ENV=...;";

struct scan {
    const char *p, *end;
    int line;
    struct buf *lua;
};

static void put_text(struct scan *s, const char *text, const char *end)
{
    if (text == end)
        return;
    buf_add_str(s->lua, "_emit\"");
    for (; text < end; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '\n') {
            buf_add_str(s->lua, "\\\n");
            s->line++;
        } else if (c == '"' || c == '\\') {
            buf_add(s->lua, "\\", 1);
            buf_add(s->lua, text, 1);
        } else if (c == '\r' || c == '\0') {
            buf_add_str(s->lua, c ? "\\013" : "\\000");
        } else {
            buf_add(s->lua, text, 1);
        }
    }
    buf_add_str(s->lua, "\";");
}

/* Long brackets: at "[", the number of "=" before the second "[", or -1. */
static int long_level(const char *p, const char *end)
{
    const char *q = p + 1;
    while (q < end && *q == '=')
        q++;
    return q < end && *q == '[' ? (int)(q - p - 1) : -1;
}

static const char *skip_long(const char *p, const char *end, int level)
{
    for (p += level + 2; p < end; p++) {
        if (*p != ']')
            continue;
        const char *q = p + 1;
        while (q < end && *q == '=')
            q++;
        if (q < end && *q == ']' && q - p - 1 == level)
            return q + 1;
    }
    return end;
}

static const char *skip_quoted(const char *p, const char *end)
{
    char quote = *p++;
    while (p < end && *p != quote && *p != '\n')
        p += *p == '\\' && p + 1 < end ? 2 : 1;
    return p < end ? p + 1 : end;
}

/* Code without a comment that is still open at its end: it would swallow the text behind the tag.
 * Returns where that comment begins, or end. */
static const char *before_open_comment(const char *p, const char *end)
{
    while (p < end) {
        int level;
        if (*p == '"' || *p == '\'') {
            p = skip_quoted(p, end);
        } else if (*p == '[' && (level = long_level(p, end)) >= 0) {
            p = skip_long(p, end, level);
        } else if (end - p >= 2 && p[0] == '-' && p[1] == '-') {
            if (end - p >= 3 && p[2] == '[' && (level = long_level(p + 2, end)) >= 0) {
                p = skip_long(p + 2, end, level);
                continue;
            }
            const char *newline = memchr(p, '\n', (size_t)(end - p));
            if (!newline)
                return p;
            p = newline;
        } else {
            p++;
        }
    }
    return end;
}

static void put_code(struct scan *s, const char *code, const char *end)
{
    for (const char *p = code; p < end; p++)
        s->line += *p == '\n';
    buf_add(s->lua, code, (size_t)(before_open_comment(code, end) - code));
}

static void put_newlines(struct scan *s, const char *code, const char *end)
{
    for (; code < end; code++) {
        if (*code == '\n') {
            buf_add(s->lua, "\n", 1);
            s->line++;
        }
    }
}

static bool is_blank(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
        p++;
    return p == end;
}

/* s->p stands behind "<%". 0, or the line of the mistake. */
static int put_tag(struct scan *s, char *err, size_t err_cap)
{
    int begun = s->line;
    char kind = s->p < s->end ? *s->p : '\0';
    bool marked = kind == '=' || kind == '-' || kind == '#';
    const char *code = s->p + (marked ? 1 : 0);
    const char *close = memmem(code, (size_t)(s->end - code), "%>", 2);
    if (!close) {
        snprintf(err, err_cap, "<%% is not closed by %%>");
        return begun;
    }
    bool trim = close > code && close[-1] == '-';
    const char *end = trim ? close - 1 : close;
    if (kind == '#') {
        put_newlines(s, code, end);
    } else if (!marked) {
        put_code(s, code, end);
        buf_add_str(s->lua, ";"); /* ends it here: a half statement is a mistake of this line */
    } else if (is_blank(code, end)) {
        snprintf(err, err_cap, "<%%%c %%> has nothing to print", kind);
        return begun;
    } else {
        buf_add_str(s->lua, kind == '=' ? "_esc(" : "_raw(");
        put_code(s, code, end);
        buf_add_str(s->lua, ");");
    }
    s->p = close + 2;
    if (trim && s->p < s->end && *s->p == '\r')
        s->p++;
    if (trim && s->p < s->end && *s->p == '\n') {
        s->p++;
        s->line++;
        buf_add(s->lua, "\n", 1);
    }
    return 0;
}

int template_translate(const char *text, size_t len, struct buf *lua, char *err, size_t err_cap)
{
    struct scan s = {text, text + len, 1, lua};
    buf_add(lua, PROLOGUE, sizeof PROLOGUE - 1);
    while (s.p < s.end) {
        const char *open = memmem(s.p, (size_t)(s.end - s.p), "<%", 2);
        if (!open) {
            put_text(&s, s.p, s.end);
            break;
        }
        bool literal = s.end - open > 2 && open[2] == '%';
        put_text(&s, s.p, literal ? open + 2 : open);
        s.p = open + (literal ? 3 : 2);
        int line = literal ? 0 : put_tag(&s, err, err_cap);
        if (line)
            return line;
    }
    return 0;
}
