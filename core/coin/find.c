/* Addresses in the middle of text, for hiding them in log lines from people who may not see them.
 * Wrong is better than shown for what begins like bech32 (a mistyped wallet is hidden too); what
 * has no mark of its own (base58, cashaddr without its prefix) must have a right checksum, so that
 * hashes, nonces and job ids stay readable. */
#include "coin/internal.h"

#include <strings.h>

static bool is_alnum(char c)
{
    return (unsigned char)(c - '0') < 10 || (unsigned char)((c | 0x20) - 'a') < 26;
}

static bool is_hex(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!((unsigned char)(text[i] - '0') < 10 || (unsigned char)((text[i] | 0x20) - 'a') < 6))
            return false;
    }
    return true;
}

/* "bc1…" with more than hex digits behind it: one hash in 4096 begins with bc1. */
static bool begins_known(const char *text, size_t len)
{
    enum net net;
    const char *one = memchr(text, '1', len < 8 ? len : 8); /* "dgbrt1" is the longest */
    return one && coin_by_prefix(text, (size_t)(one - text), false, &net) &&
           !is_hex(one, (size_t)(text + len - one));
}

static bool is_address(const char *text, size_t len)
{
    return begins_known(text, len) || base58_holds(text, len) || cash_holds(text, len) ||
           bech32_holds(text, len);
}

/* "bitcoincash" and the colon before at, not before from: 0: not there. */
static size_t cash_prefix_before(const char *text, size_t from, size_t at)
{
    enum net net;
    size_t first = at;
    if (at == from || text[at - 1] != ':')
        return 0;
    for (first = at - 1; first > from && is_alnum(text[first - 1]);)
        first--;
    return coin_by_prefix(text + first, at - 1 - first, true, &net) ? at - first : 0;
}

bool coin_address_find(const char *text, size_t len, size_t from, size_t *at_out, size_t *len_out)
{
    for (size_t i = from; i < len;) {
        if (!is_alnum(text[i])) {
            i++;
            continue;
        }
        size_t at = i;
        while (i < len && is_alnum(text[i]))
            i++;
        if (i - at < FIND_MIN)
            continue;
        size_t prefix = cash_prefix_before(text, from, at);
        if (!prefix && !is_address(text + at, i - at))
            continue;
        *at_out = at - prefix;
        *len_out = i - at + prefix;
        return true;
    }
    return false;
}
