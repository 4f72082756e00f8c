/* multipart/form-data (RFC 7578): parts between boundaries, each with a few header lines. What a
 * browser sends, and nothing looser. Pure; any thread. */
#include "http/form.h"

#include "http/wire.h"
#include "util/util.h"

#include <strings.h>

enum { BOUNDARY_MAX = 70 }; /* RFC 2046 5.1.1 */

static const char cut_off[] = "The form was cut off before its end.";
static const char bad_head[] = "A part of the form has no proper Content-Disposition.";

/* The value of ;name=… in a header line, quoted or not. A quote inside comes as %22 (HTML) or \"
 * (older browsers). false: absent, or longer than cap. */
static bool param_get(const char *line, size_t line_len, const char *name, char *out, size_t cap)
{
    size_t name_len = strlen(name), i = 0;
    bool quoted = false;
    for (; i < line_len; i++) {
        if (line[i] == '"' && (i == 0 || line[i - 1] != '\\'))
            quoted = !quoted;
        if (quoted || line[i] != ';')
            continue;
        size_t at = i + 1;
        while (at < line_len && (line[at] == ' ' || line[at] == '\t'))
            at++;
        if (line_len - at > name_len && strncasecmp(line + at, name, name_len) == 0 &&
            line[at + name_len] == '=') {
            i = at + name_len + 1;
            break;
        }
    }
    if (i >= line_len)
        return false;
    bool in_quotes = line[i] == '"';
    size_t n = 0;
    for (i += in_quotes; i < line_len; i++) {
        char c = line[i];
        if (in_quotes ? c == '"' : strchr("; \t", c) != NULL)
            break;
        if (in_quotes && c == '\\' && i + 1 < line_len)
            c = line[++i];
        if (n + 1 >= cap)
            return false;
        out[n++] = c;
    }
    out[n] = '\0';
    return !in_quotes || i < line_len;
}

struct part {
    char name[FORM_NAME_MAX + 1];
    bool is_file;
};

static bool line_is(const char *line, size_t len, const char *name)
{
    size_t n = strlen(name);
    return len > n && strncasecmp(line, name, n) == 0 && line[n] == ':';
}

static const char *part_head(const char *head, size_t len, struct part *out)
{
    char file[512];
    bool named = false;
    for (size_t at = 0; at < len;) {
        const char *end = memmem(head + at, len - at, "\r\n", 2);
        size_t n = end ? (size_t)(end - head) - at : len - at;
        if (line_is(head + at, n, "Content-Disposition")) {
            if (named || !memmem(head + at, n, "form-data", 9) ||
                !param_get(head + at, n, "name", out->name, sizeof out->name))
                return bad_head;
            named = true;
            out->is_file = param_get(head + at, n, "filename", file, sizeof file);
        }
        at += n + 2;
    }
    return named ? NULL : bad_head;
}

/* From behind the boundary's line end to the next boundary. */
static const char *part_add(struct http_form *form, const char *part, size_t len)
{
    size_t look = len < FORM_PART_HEAD_MAX ? len : FORM_PART_HEAD_MAX;
    const char *end = memmem(part, look, "\r\n\r\n", 4);
    struct part head = {0};
    if (!end)
        return bad_head;
    const char *wrong = part_head(part, (size_t)(end - part), &head);
    if (wrong)
        return wrong;
    const char *bytes = end + 4;
    return form_add(form, head.name, strlen(head.name), bytes, len - (size_t)(bytes - part),
                    head.is_file);
}

const char *form_multipart(struct http_form *form, const char *content_type, const char *bytes,
                           size_t len)
{
    char mark[BOUNDARY_MAX + 5] = "\r\n--";
    if (!param_get(content_type, strlen(content_type), "boundary", mark + 4, BOUNDARY_MAX + 1) ||
        !mark[4] || !wire_text_ok(mark + 4, strlen(mark + 4), false))
        return "The form names no boundary between its parts.";
    size_t mark_len = strlen(mark), at = mark_len - 2;
    if (len < at || memcmp(bytes, mark + 2, at) != 0)
        return cut_off;
    /* at stands behind a boundary: "--" ends the form, a line end begins a part */
    while (len - at >= 2 && memcmp(bytes + at, "--", 2) != 0) {
        if (memcmp(bytes + at, "\r\n", 2) != 0)
            return cut_off;
        at += 2;
        const char *next = memmem(bytes + at, len - at, mark, mark_len);
        const char *wrong =
            next ? part_add(form, bytes + at, (size_t)(next - bytes) - at) : cut_off;
        if (wrong)
            return wrong;
        at = (size_t)(next - bytes) + mark_len;
    }
    return len - at >= 2 ? NULL : cut_off;
}
