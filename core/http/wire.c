#include "http/wire.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <strings.h>

/* ---- raw bytes ---- */

/* Only "\n" and "\r\n" end a line, as in evhttp, so both of us see the same end of the headers. */
static void line_end(struct wire_scan *scan)
{
    scan->after_cr = false;
    if (!scan->in_line) {
        scan->done = true;
        return;
    }
    scan->in_line = false;
    if (++scan->lines > WIRE_HEADER_LINES_MAX)
        scan->bad = true;
}

void wire_scan_bytes(struct wire_scan *scan, const void *bytes, size_t len)
{
    const unsigned char *p = bytes;
    if (len)
        scan->begun = true;
    for (size_t i = 0; i < len && !scan->done; i++) {
        unsigned char c = p[i];
        if (c == '\n') {
            line_end(scan);
            continue;
        }
        if (scan->after_cr)
            scan->bad = true; /* a CR that ends no line */
        scan->after_cr = c == '\r';
        if (scan->after_cr)
            continue;
        if ((c < 0x20 && c != '\t') || c == 0x7F)
            scan->bad = true;
        if (!scan->in_line && (c == ' ' || c == '\t'))
            scan->bad = true; /* a folded line, or a request line that begins with a space */
        scan->in_line = true;
    }
}

/* ---- the target ---- */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int wire_decode(char *out, const char *in, size_t len, bool plus_is_space)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        char c = in[i];
        if (c == '%') {
            int high = i + 2 < len ? hex_value(in[i + 1]) : -1;
            int low = high >= 0 ? hex_value(in[i + 2]) : -1;
            if (low < 0)
                return -1;
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        if (c == '\0')
            return -1;
        out[n++] = c;
    }
    out[n] = '\0';
    return (int)n;
}

static size_t utf8_sequence(const unsigned char *p, size_t left)
{
    size_t len = p[0] < 0x80 ? 1 : p[0] < 0xC2 ? 0 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
    if (len == 0 || len > left || p[0] > 0xF4)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    bool surrogate = p[0] == 0xED && p[1] > 0x9F;
    bool overlong = (p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xF0 && p[1] < 0x90);
    bool too_high = p[0] == 0xF4 && p[1] > 0x8F;
    return surrogate || overlong || too_high ? 0 : len;
}

bool wire_text_ok(const char *text, size_t len, bool text_lines)
{
    const unsigned char *p = (const unsigned char *)text;
    for (size_t i = 0; i < len;) {
        if (p[i] < 0x20 || p[i] == 0x7F) {
            if (!text_lines || !(p[i] == '\t' || p[i] == '\n' || p[i] == '\r'))
                return false;
        }
        size_t step = utf8_sequence(p + i, len - i);
        if (step == 0)
            return false;
        i += step;
    }
    return true;
}

/* No "." and ".." segment, no "//" at the front (a browser would read it as a host). */
static bool path_ok(const char *path, size_t len)
{
    if (path[0] != '/' || path[1] == '/' || memchr(path, '\\', len) ||
        !wire_text_ok(path, len, false))
        return false;
    for (const char *segment = path; segment; segment = strchr(segment + 1, '/')) {
        size_t n = strcspn(segment + 1, "/");
        if ((n == 1 && segment[1] == '.') || (n == 2 && segment[1] == '.' && segment[2] == '.'))
            return false;
    }
    return true;
}

static bool raw_ok(const char *target)
{
    if (target[0] != '/' || target[1] == '/')
        return false;
    for (const unsigned char *p = (const unsigned char *)target; *p; p++)
        if (*p <= 0x20 || *p == 0x7F || *p == '\\' || *p == '#')
            return false;
    return true;
}

static bool query_parse(const char *text, char *store, struct wire_target *out)
{
    while (*text) {
        size_t len = strcspn(text, "&");
        const char *equals = memchr(text, '=', len);
        size_t name_len = equals ? (size_t)(equals - text) : len;
        if (name_len) {
            if (out->n_query == WIRE_QUERY_MAX)
                return false;
            int n = wire_decode(store, text, name_len, true);
            if (n < 0 || !wire_text_ok(store, (size_t)n, false))
                return false;
            struct script_param *param = &out->query[out->n_query++];
            param->name = store;
            store += n + 1;
            param->value = "";
            if (equals) {
                n = wire_decode(store, equals + 1, len - name_len - 1, true);
                if (n < 0 || !wire_text_ok(store, (size_t)n, true))
                    return false;
                param->value = store;
                store += n + 1;
            }
        }
        text += len + (text[len] == '&');
    }
    return true;
}

int wire_target_parse(const char *target, char *store, struct wire_target *out)
{
    out->n_query = 0;
    out->path = store;
    if (!raw_ok(target))
        return 400;
    size_t raw_len = strcspn(target, "?");
    int len = wire_decode(store, target, raw_len, false);
    if (len < 0 || !path_ok(store, (size_t)len))
        return 400;
    if (len > WIRE_PATH_MAX)
        return 414;
    if (target[raw_len] && !query_parse(target + raw_len + 1, store + len + 1, out))
        return 400;
    return 0;
}

const char *wire_query_get(const struct wire_target *target, const char *name)
{
    for (size_t i = 0; i < target->n_query; i++)
        if (strcmp(target->query[i].name, name) == 0)
            return target->query[i].value;
    return NULL;
}

/* ---- headers ---- */

bool wire_name_ok(const char *name)
{
    if (!*name)
        return false;
    for (const unsigned char *p = (const unsigned char *)name; *p; p++)
        if (!isalnum(*p) && !strchr("!#$%&'*+-.^_`|~", *p))
            return false;
    return true;
}

bool wire_name_may_repeat(const char *name)
{
    static const char *const lists[] = {
        "accept", "accept-encoding", "accept-language", "cache-control", "forwarded", "pragma",
        "via"};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        if (strcasecmp(name, lists[i]) == 0)
            return true;
    return strncasecmp(name, "x-forwarded-", 12) == 0;
}

bool wire_value_safe(const char *value)
{
    for (const unsigned char *p = (const unsigned char *)value; *p; p++)
        if (*p < 0x20 || *p == 0x7F)
            return false;
    return true;
}

/* "q=0", "q=0.0", "q=0.000" refuse. */
static bool q_is_zero(const char *params, size_t len)
{
    for (size_t i = 0; i + 2 < len; i++) {
        if ((params[i] | 0x20) != 'q' || params[i + 1] != '=')
            continue;
        for (size_t k = i + 2; k < len && params[k] != ';'; k++)
            if (params[k] >= '1' && params[k] <= '9')
                return false;
        return true;
    }
    return false;
}

bool wire_accepts_gzip(const char *accept_encoding)
{
    const char *p = accept_encoding;
    while (p && *p) {
        size_t len = strcspn(p, ",");
        size_t skip = strspn(p, " \t");
        const char *coding = p + skip;
        size_t left = skip < len ? len - skip : 0;
        if (left >= 4 && strncasecmp(coding, "gzip", 4) == 0 &&
            (left == 4 || strchr("; \t", coding[4])))
            return !q_is_zero(coding + 4, left - 4);
        p += len + (p[len] == ',');
    }
    return false;
}

bool wire_etag_in(const char *list, const char *etag)
{
    if (!list)
        return false;
    const char *quoted = strchr(etag, '"'); /* comparison is weak: W/ does not count */
    if (!quoted)
        return false;
    return strstr(list, quoted) != NULL || strcmp(list, "*") == 0;
}

/* ---- Host ---- */

static bool port_ok(const char *port)
{
    size_t digits = strspn(port, "0123456789");
    return digits <= 5 && port[digits] == '\0';
}

static enum wire_host host_v6(const char *host, char *out, size_t cap)
{
    struct in6_addr addr;
    const char *end = strchr(host, ']');
    if (!end || (end[1] && (end[1] != ':' || !port_ok(end + 2))))
        return WIRE_HOST_BAD;
    size_t len = (size_t)(end - host - 1);
    if (len >= cap)
        return WIRE_HOST_BAD;
    str_copy(out, cap, host + 1, len);
    return inet_pton(AF_INET6, out, &addr) == 1 ? WIRE_HOST_IP : WIRE_HOST_BAD;
}

enum wire_host wire_host_parse(const char *host, char *out, size_t cap)
{
    if (host[0] == '[')
        return host_v6(host, out, cap);
    size_t len = strcspn(host, ":");
    if (host[len] == ':' && !port_ok(host + len + 1))
        return WIRE_HOST_BAD;
    if (len > 1 && host[len - 1] == '.')
        len--;
    if (len == 0 || len >= cap)
        return WIRE_HOST_BAD;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)host[i];
        if (!isalnum(c) && !strchr("-._", c))
            return WIRE_HOST_BAD;
        out[i] = (char)tolower(c);
    }
    out[len] = '\0';
    struct in_addr addr;
    return inet_pton(AF_INET, out, &addr) == 1 ? WIRE_HOST_IP : WIRE_HOST_NAME;
}
