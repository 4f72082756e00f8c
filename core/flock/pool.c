/* One way to look at a pool: "stratum+tcp://Pool.Example:3333/" and "pool.example" may be the same.
 * Scheme, user, case, a dot at the end and a slash do not count; ports differ only when both sides
 * name one. Pure. */
#include "flock/internal.h"

#include <ctype.h>

enum { HOST_MAX = 255, LIST_MAX = 512, POOLS_IN_LIST_MAX = 8 };

struct pool {
    char host[HOST_MAX + 1];
    int port; /* 0: not said */
};

/* Where the port begins in [text, end): behind the last colon, unless that is one of several of a
 * bare IPv6 address. */
static const char *port_colon(const char *text, const char *end)
{
    const char *colon = NULL, *bracket = NULL;
    size_t n_colons = 0;
    for (const char *p = text; p < end; p++) {
        if (*p == ':')
            colon = p, n_colons++;
        if (*p == ']')
            bracket = p;
    }
    if (bracket)
        return colon && colon == bracket + 1 ? colon : NULL;
    return n_colons == 1 ? colon : NULL;
}

static bool port_parse(const char *text, const char *end, int *out)
{
    int port = 0;
    if (text == end || end - text > 5)
        return false;
    for (; text < end; text++) {
        if (!isdigit((unsigned char)*text))
            return false;
        port = port * 10 + (*text - '0');
    }
    *out = port;
    return port >= 1 && port <= 65535;
}

static bool host_parse(const char *text, const char *end, char *out)
{
    while (end > text && end[-1] == '.')
        end--;
    size_t len = (size_t)(end - text);
    if (len < 1 || len > HOST_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c <= ' ' || c == 0x7f || c == ',')
            return false;
        out[i] = (char)tolower(c);
    }
    out[len] = 0;
    return true;
}

static bool pool_parse(const char *text, size_t len, struct pool *out)
{
    const char *end = text + len;
    while (text < end && *text == ' ')
        text++;
    while (end > text && end[-1] == ' ')
        end--;
    for (const char *p = text; p + 2 < end; p++) {
        if (memcmp(p, "://", 3) == 0) {
            text = p + 3;
            break;
        }
    }
    const char *slash = memchr(text, '/', (size_t)(end - text));
    end = slash ? slash : end;
    const char *at = memchr(text, '@', (size_t)(end - text));
    text = at ? at + 1 : text;
    const char *colon = port_colon(text, end);
    *out = (struct pool){.port = 0};
    if (colon && !port_parse(colon + 1, end, &out->port))
        return false;
    return host_parse(text, colon ? colon : end, out->host);
}

bool pool_list_is_valid(const char *pools, char why[FLOCK_WHY_MAX])
{
    struct pool pool;
    size_t n = 0;
    if (strlen(pools) > LIST_MAX) {
        refuse(0, why, "pool: at most %d bytes", LIST_MAX);
        return false;
    }
    for (const char *p = pools;; p += strcspn(p, ",") + 1) {
        size_t len = strcspn(p, ",");
        if (!pool_parse(p, len, &pool) || ++n > POOLS_IN_LIST_MAX) {
            refuse(0, why, "pool: must be host:port, at most %d with commas between them",
                   POOLS_IN_LIST_MAX);
            return false;
        }
        if (!p[len])
            return true;
    }
}

bool pool_is_in(const char *pools, const char *said)
{
    struct pool a, b;
    if (!pool_parse(said, strlen(said), &b))
        return false; /* what no pool can be is not the expected one */
    for (const char *p = pools;; p += strcspn(p, ",") + 1) {
        size_t len = strcspn(p, ",");
        if (pool_parse(p, len, &a) && strcmp(a.host, b.host) == 0 &&
            (!a.port || !b.port || a.port == b.port))
            return true;
        if (!p[len])
            return false;
    }
}
