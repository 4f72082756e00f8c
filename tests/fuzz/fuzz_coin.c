// sources: core/coin/*.c core/util/*.c
// link: PkgConfig::SODIUM
// options: -max_len=400
/* What somebody types as an address, and what a device prints. The first byte chooses the coin.
 * What is marked lies within the text; what is right is the same as itself in its other ways of
 * writing and is found in a line; what is found does not overlap and comes to an end. */
#include "fuzz/require.h"

#include "coin/coin.h"
#include "util/util.h"

#include <ctype.h>

static void good_one(const char *text, const struct coin_verdict *v)
{
    REQUIRE(v->ticker && v->network && v->kind && v->n_at == 0 && v->why[0] == '\0');
    REQUIRE(coin_address_same(text, text));
    struct coin_verdict again;
    coin_address_check(text, strlen(text), v->ticker, &again); /* its own coin says so too */
    REQUIRE(again.result == COIN_OK && again.kind == v->kind);
    char spaced[COIN_ADDRESS_MAX * 2];
    snprintf(spaced, sizeof spaced, " \t%s\n", text);
    coin_address_check(spaced, strlen(spaced), v->ticker, &again);
    REQUIRE(again.result == COIN_OK && coin_address_same(text, spaced));
}

/* with_end: a NUL stands behind it. */
static void checked(const char *text, size_t len, const char *ticker, bool with_end)
{
    struct coin_verdict v;
    coin_address_check(text, len, ticker, &v);
    REQUIRE(v.n_at <= ARRAY_LEN(v.at) && strlen(v.why) < COIN_WHY_MAX);
    for (size_t i = 0; i < v.n_at; i++)
        REQUIRE(v.at[i] < len);
    REQUIRE(v.result == COIN_OK || v.why[0]);
    REQUIRE(v.result == COIN_WRONG || v.n_at == 0);
    for (const char *c = v.why; *c; c++)
        REQUIRE((unsigned char)*c >= 0x20 && *c != 0x7f);
    if (v.result == COIN_OK && with_end)
        good_one(text, &v);
}

static void found(const char *text, size_t len)
{
    size_t at = 0, n = 0, from = 0;
    while (coin_address_find(text, len, from, &at, &n)) {
        char out[64];
        REQUIRE(at >= from && n >= 26 && at + n <= len);
        coin_address_shorten(text + at, n, out, sizeof out);
        REQUIRE(strlen(out) < n);
        from = at + n;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const tickers[] = {NULL, "", "btc", "BCH", "LTC", "DOGE", "DGB", "XMR"};
    if (size == 0)
        return 0;
    char *text = shep_strndup((const char *)data + 1, size - 1);
    checked((const char *)data + 1, size - 1, tickers[data[0] % ARRAY_LEN(tickers)], false);
    checked(text, strlen(text), tickers[data[0] % ARRAY_LEN(tickers)], true);
    found((const char *)data + 1, size - 1);
    free(text);
    return 0;
}
