/* The language of a reply: ?lang= of the request, else the configured one, else the best of what
 * the browser asks for, else English. Only languages that the views have. Thread: loop. */
#include "http/internal.h"

static const char *find(struct http *http, const char *tag)
{
    return tag ? script_language_find(http->pool, tag, strlen(tag)) : NULL;
}

/* "de-AT" is served by "de-AT", else by "de" (RFC 4647 3.4). */
static const char *lookup(struct http *http, const char *tag, size_t len)
{
    if (len == 1 && *tag == '*')
        return "en";
    while (len > 0) {
        const char *name = script_language_find(http->pool, tag, len);
        if (name)
            return name;
        while (--len > 0 && tag[len] != '-')
            continue;
    }
    return NULL;
}

/* "; q=0.85" → 850; without q 1000; what is no number 0. */
static unsigned quality(const char *params, size_t len)
{
    const char *end = params + len, *p = memchr(params, '=', len);
    if (len == 0)
        return 1000;
    if (!p || (p[-1] | 0x20) != 'q' || ++p == end || (*p != '0' && *p != '1'))
        return 0;
    unsigned thousandths = *p++ == '1' ? 1000 : 0;
    if (p < end && *p == '.' && thousandths == 0)
        for (unsigned unit = 100; ++p < end && unit && *p >= '0' && *p <= '9'; unit /= 10)
            thousandths += unit * (unsigned)(*p - '0');
    return thousandths;
}

const char *locale_accepted(struct http *http, const char *accept_language)
{
    const char *best = NULL, *p = accept_language;
    unsigned best_quality = 0;
    while (p && *p) {
        size_t len = strcspn(p, ","), skip = strspn(p, " \t");
        if (skip > len)
            skip = len;
        size_t tag = strcspn(p + skip, ",; \t");
        unsigned wanted = quality(p + skip + tag, len - skip - tag);
        const char *name = wanted > best_quality ? lookup(http, p + skip, tag) : NULL;
        if (name) {
            best = name;
            best_quality = wanted;
        }
        p += len + (p[len] == ',');
    }
    return best;
}

const char *request_locale(const struct http_request *request)
{
    struct http *http = request->http;
    const char *name = find(http, wire_query_get(&request->target, "lang"));
    if (!name)
        name = http->locale;
    if (!name)
        name = locale_accepted(http, http_request_header(request, "Accept-Language"));
    return name ? name : "en";
}

void http_locale_set(struct http *http, const char *locale)
{
    http->locale = find(http, locale);
}
