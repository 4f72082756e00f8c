/* cashaddr: the addresses of Bitcoin Cash and eCash (bitcoincash.org, spec/cashaddr.md): the
 * alphabet of bech32, a checksum of 40 bits over the prefix and the rest. The prefix may be left
 * out. Checked, and a wrong alphabet is pointed at; where another mistake is, is not worked out. */
#include "coin/internal.h"

#include <ctype.h>
#include <strings.h>

enum {
    SHORT_LEN = 42, /* version and 20 bytes in fives, checksum */
    LONG_LEN = 61   /* version and 32 bytes in fives, checksum: P2SH32 */
};

static uint64_t step(uint64_t state, uint64_t symbol)
{
    static const uint64_t generator[5] = {0x98f2bc8e61, 0x79b76d99e2, 0xf33e5fb3c4, 0xae2eabe2a8,
                                          0x1e4f43e470};
    uint64_t top = state >> 35;
    state = (state & 0x07ffffffff) << 5 ^ symbol;
    for (int i = 0; i < 5; i++)
        state ^= top >> i & 1 ? generator[i] : 0;
    return state;
}

static bool sum_holds(const char *prefix, const char *text, size_t len)
{
    uint64_t state = 1;
    for (; *prefix; prefix++)
        state = step(state, (uint64_t)*prefix & 31);
    state = step(state, 0);
    for (size_t i = 0; i < len; i++)
        state = step(state, (uint64_t)bech32_value(text[i]));
    return state == 1;
}

bool cash_shape(const char *text, size_t len)
{
    if ((len != SHORT_LEN && len != LONG_LEN) || !strchr("qpzrQPZR", text[0]) ||
        mixed_case(text, len))
        return false;
    for (size_t i = 0; i < len; i++) {
        if (bech32_value(text[i]) < 0)
            return false;
    }
    return true;
}

/* The coin and network for which the checksum holds; NULL: none. */
static const struct coin *holder(const struct coin *wanted, const char *text, size_t len,
                                 enum net *net_out)
{
    for (size_t i = 0; i < n_coins; i++) {
        for (int net = 0; net < NETS && (!wanted || wanted == &coins[i]); net++) {
            *net_out = (enum net)net;
            if (coins[i].cash[net] && sum_holds(coins[i].cash[net], text, len))
                return &coins[i];
        }
    }
    return NULL;
}

bool cash_holds(const char *text, size_t len)
{
    enum net net;
    return cash_shape(text, len) && holder(NULL, text, len, &net);
}

/* The version byte: type in bits 3 to 6, size of the hash in the lowest three (0: 20 bytes, 3: 32).
 * Types 2 and 3 are those of wallets that can take tokens. */
static const char *kind_of(const char *text, size_t len)
{
    static const char *const kinds[] = {"P2PKH", "P2SH", "P2PKH", "P2SH"};
    int byte = bech32_value(text[0]) << 3 | bech32_value(text[1]) >> 2;
    int type = byte >> 3;
    if (type >= (int)ARRAY_LEN(kinds) || (byte & 7) != (len == SHORT_LEN ? 0 : 3))
        return NULL;
    return kinds[type];
}

static void check_payload(struct task *task, const struct coin *coin, enum net net, size_t at)
{
    const char *text = task->text + at, *kind;
    size_t len = task->len - at;
    char where[96];
    for (size_t i = 0; i < len; i++) {
        if (bech32_value(text[i]) < 0)
            task_mark(task, at + i);
    }
    if (task->out->n_at)
        task_wrong(task, "Look at %s: such an address never has a 1, b, i or o.",
                   task_marked(task, where, sizeof where));
    else if (len != SHORT_LEN && len != LONG_LEN)
        task_wrong(task, "It has %zu characters after its prefix; such an address has %d or %d.",
                   len, SHORT_LEN, LONG_LEN);
    else if (!(coin ? sum_holds(coin->cash[net], text, len)
                    : (coin = holder(task->coin, text, len, &net)) != NULL))
        task_wrong(task, "The checksum is wrong: compare it with your wallet, character by "
                         "character.");
    else if (!(kind = kind_of(text, len)))
        task_wrong(task, "Its length is wrong for its kind.");
    else
        task_ok(task, coin, net, kind);
}

void cash_check(struct task *task)
{
    const char *colon = memchr(task->text, ':', task->len);
    size_t n = colon ? (size_t)(colon - task->text) : 0;
    enum net net = NET_MAIN;
    const struct coin *coin = colon ? coin_by_prefix(task->text, n, true, &net) : NULL;
    if (colon && !coin) {
        for (size_t i = 0; i <= n; i++)
            task_mark(task, i);
        task_wrong(task, "Leave out '%.*s:': an address does not have it.", (int)n, task->text);
    } else if (mixed_case(task->text, task->len)) {
        mark_mixed_case(task);
    } else if (!coin || task_wants(task, coin, task->text, n + 1)) {
        check_payload(task, coin, net, colon ? n + 1 : 0);
    }
}
