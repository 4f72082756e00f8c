/* The prefixes of each coin, as its own program has them: base58Prefixes, bech32_hrp and
 * cashaddrPrefix in chainparams.cpp of Bitcoin Core, Bitcoin ABC (BCH's are the same but for
 * "ecash"), Litecoin Core, Dogecoin Core, DigiByte Core, Namecoin Core, Peercoin, Vertcoin Core and
 * Dash Core; hrps also in SLIP-0173. Regtest has the base58 versions of the test network, so base58
 * says "test" for both.
 *
 * A byte may stand with several coins (0 and 5 are BTC's and BCH's; 30 is DOGE's and DGB's): the
 * ticker tells them apart; without one the first in this list has it. */
#include "coin/internal.h"

#include <strings.h>

const struct coin coins[] = {
    {"BTC",
     "Bitcoin",
     {"bc", "tb", "bcrt"},
     {NULL},
     {{0, NET_MAIN, "P2PKH"},
      {5, NET_MAIN, "P2SH"},
      {111, NET_TEST, "P2PKH"},
      {196, NET_TEST, "P2SH"}}},
    {"BCH",
     "Bitcoin Cash",
     {NULL},
     {"bitcoincash", "bchtest", "bchreg"},
     {{0, NET_MAIN, "P2PKH"},
      {5, NET_MAIN, "P2SH"},
      {111, NET_TEST, "P2PKH"},
      {196, NET_TEST, "P2SH"}}},
    {"XEC",
     "eCash",
     {NULL},
     {"ecash", "ectest", "ecregtest"},
     {{0, NET_MAIN, "P2PKH"},
      {5, NET_MAIN, "P2SH"},
      {111, NET_TEST, "P2PKH"},
      {196, NET_TEST, "P2SH"}}},
    {"LTC", /* 5 and 196 are its old P2SH versions */
     "Litecoin",
     {"ltc", "tltc", "rltc"},
     {NULL},
     {{48, NET_MAIN, "P2PKH"},
      {50, NET_MAIN, "P2SH"},
      {5, NET_MAIN, "P2SH"},
      {111, NET_TEST, "P2PKH"},
      {58, NET_TEST, "P2SH"},
      {196, NET_TEST, "P2SH"}}},
    {"DOGE",
     "Dogecoin",
     {NULL},
     {NULL},
     {{30, NET_MAIN, "P2PKH"},
      {22, NET_MAIN, "P2SH"},
      {113, NET_TEST, "P2PKH"},
      {196, NET_TEST, "P2SH"}}},
    {"DGB", /* 5 is its old P2SH version */
     "DigiByte",
     {"dgb", "dgbt", "dgbrt"},
     {NULL},
     {{30, NET_MAIN, "P2PKH"},
      {63, NET_MAIN, "P2SH"},
      {5, NET_MAIN, "P2SH"},
      {126, NET_TEST, "P2PKH"},
      {140, NET_TEST, "P2SH"}}},
    {"NMC",
     "Namecoin",
     {"nc", "tn", "ncrt"},
     {NULL},
     {{52, NET_MAIN, "P2PKH"}, {13, NET_MAIN, "P2SH"}}},
    {"PPC",
     "Peercoin",
     {"pc", NULL, NULL},
     {NULL},
     {{55, NET_MAIN, "P2PKH"}, {117, NET_MAIN, "P2SH"}}},
    {"VTC",
     "Vertcoin",
     {"vtc", "tvtc", NULL},
     {NULL},
     {{71, NET_MAIN, "P2PKH"},
      {5, NET_MAIN, "P2SH"},
      {74, NET_TEST, "P2PKH"},
      {196, NET_TEST, "P2SH"}}},
    {"DASH",
     "Dash",
     {NULL},
     {NULL},
     {{76, NET_MAIN, "P2PKH"},
      {16, NET_MAIN, "P2SH"},
      {140, NET_TEST, "P2PKH"},
      {19, NET_TEST, "P2SH"}}},
};
const size_t n_coins = ARRAY_LEN(coins);

const struct coin *coin_by_ticker(const char *ticker)
{
    for (size_t i = 0; i < n_coins; i++) {
        if (strcasecmp(coins[i].ticker, ticker) == 0)
            return &coins[i];
    }
    return NULL;
}

const char *net_name(enum net net)
{
    static const char *const names[NETS] = {"main", "test", "regtest"};
    return names[net];
}

const struct coin *coin_by_prefix(const char *text, size_t len, bool cash, enum net *net_out)
{
    for (size_t i = 0; i < n_coins; i++) {
        for (int net = 0; net < NETS; net++) {
            const char *prefix = cash ? coins[i].cash[net] : coins[i].hrp[net];
            if (!prefix || strlen(prefix) != len || strncasecmp(prefix, text, len) != 0)
                continue;
            *net_out = (enum net)net;
            return &coins[i];
        }
    }
    return NULL;
}

static const struct version *version_of(const struct coin *coin, uint8_t byte)
{
    for (size_t i = 0; i < VERSIONS_MAX && coin->versions[i].kind; i++) {
        if (coin->versions[i].byte == byte)
            return &coin->versions[i];
    }
    return NULL;
}

const struct coin *coin_by_version(uint8_t byte, const struct coin *wanted,
                                   const struct version **out)
{
    if (wanted && (*out = version_of(wanted, byte)))
        return wanted;
    for (size_t i = 0; i < n_coins; i++) {
        if ((*out = version_of(&coins[i], byte)))
            return &coins[i];
    }
    return NULL;
}
