/* Addresses: the vectors of BIP 173, BIP 350 and the cashaddr specification, and those that an
 * encoder of our own makes here, which shares nothing with the code under test: bech32 by long
 * division of polynomials over GF(32), base58 by division of a long number. */
#include "check.h"

#include "coin/coin.h"
#include "util/util.h"

#include <ctype.h>
#include <sodium.h>
#include <string.h>
#include <time.h>

static struct coin_verdict check(const char *address, const char *ticker)
{
    struct coin_verdict verdict;
    coin_address_check(address, strlen(address), ticker, &verdict);
    return verdict;
}

static void is_ok(const char *address, const char *asked, const char *ticker, const char *network,
                  const char *kind)
{
    struct coin_verdict v = check(address, asked);
    if (v.result != COIN_OK || !str_eq(v.ticker, ticker) || !str_eq(v.network, network) ||
        !str_eq(v.kind, kind) || v.why[0] || v.n_at)
        fail_msg("%s: %d %s %s %s: %s", address, v.result, v.ticker, v.network, v.kind, v.why);
}

static void is_wrong(const char *address, const char *ticker)
{
    struct coin_verdict v = check(address, ticker);
    if (v.result != COIN_WRONG || !v.why[0])
        fail_msg("%s: %d %s", address, v.result, v.why);
}

/* ---- an encoder of our own ---- */

static const char bech32_set[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/* GF(32) of BIP 173: a root of x^5 + x^3 + 1. */
static unsigned gf_mul(unsigned a, unsigned b)
{
    unsigned product = 0;
    for (int i = 0; i < 5; i++) {
        product ^= b >> i & 1 ? a : 0;
        a = a << 1 ^ (a & 16 ? 32 ^ 9 : 0);
    }
    return product & 31;
}

/* The remainder of symbols * x^6 by BIP 173's generator polynomial, {29} {22} {20} {21} {29} {18}
 * below x^6, with a leading one; constant is xored in at the end. */
static void remainder_of(const unsigned *symbols, size_t n, uint32_t constant, unsigned out[6])
{
    static const unsigned generator[6] = {29, 22, 20, 21, 29, 18};
    unsigned rest[6] = {0, 0, 0, 0, 0, 1};
    for (size_t i = 0; i < n; i++) {
        unsigned top = rest[0];
        for (int k = 0; k < 6; k++)
            rest[k] = (k < 5 ? rest[k + 1] : symbols[i]) ^ gf_mul(top, generator[k]);
    }
    for (int k = 0; k < 6; k++)
        out[k] = rest[k] ^ (constant >> (5 * (5 - k)) & 31);
}

static void bech32_make(const char *hrp, int version, const uint8_t *program, size_t n,
                        uint32_t constant, char out[128])
{
    unsigned symbols[200] = {0}, sum[6];
    size_t k = 0, first;
    for (size_t i = 0; hrp[i]; i++)
        symbols[k++] = (unsigned)hrp[i] >> 5;
    symbols[k++] = 0;
    for (size_t i = 0; hrp[i]; i++)
        symbols[k++] = (unsigned)hrp[i] & 31;
    first = k;
    symbols[k++] = (unsigned)version;
    for (size_t bit = 0; bit < 8 * n; bit += 5, k++) {
        for (size_t b = bit; b < bit + 5; b++)
            symbols[k] =
                symbols[k] << 1 | (b < 8 * n ? (unsigned)program[b / 8] >> (7 - b % 8) & 1 : 0);
    }
    size_t end = k;
    for (int i = 0; i < 6; i++)
        symbols[k++] = 0;
    remainder_of(symbols, k, constant, sum);
    size_t len = (size_t)snprintf(out, 128, "%s1", hrp);
    for (size_t i = first; i < end; i++)
        out[len++] = bech32_set[symbols[i]];
    for (int i = 0; i < 6; i++)
        out[len++] = bech32_set[sum[i]];
    out[len] = '\0';
}

static const char base58_set[] = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

static void base58_make(const uint8_t *payload, size_t n, char *out)
{
    uint8_t bytes[100], sum[32];
    char reversed[160];
    size_t len = 0, zeros = 0;
    memcpy(bytes, payload, n);
    crypto_hash_sha256(sum, bytes, n);
    crypto_hash_sha256(sum, sum, 32);
    memcpy(bytes + n, sum, 4);
    n += 4;
    while (zeros < n && bytes[zeros] == 0)
        zeros++;
    for (bool any = true; any;) {
        unsigned rest = 0;
        any = false;
        for (size_t i = 0; i < n; i++) {
            rest = rest << 8 | bytes[i];
            bytes[i] = (uint8_t)(rest / 58);
            rest %= 58;
            any |= bytes[i] != 0;
        }
        reversed[len++] = base58_set[rest];
    }
    while (len && reversed[len - 1] == '1')
        len--;
    while (zeros-- > 0)
        reversed[len++] = '1';
    for (size_t i = 0; i < len; i++)
        out[i] = reversed[len - 1 - i];
    out[len] = '\0';
}

static void base58_address(uint8_t version, uint8_t seed, char out[64])
{
    uint8_t payload[21] = {version};
    for (size_t i = 1; i < sizeof payload; i++)
        payload[i] = (uint8_t)(seed * 37 + i * 11);
    base58_make(payload, sizeof payload, out);
}

static void p2wpkh(const char *hrp, uint8_t seed, char out[128])
{
    uint8_t program[20];
    for (size_t i = 0; i < sizeof program; i++)
        program[i] = (uint8_t)(seed * 61 + i * 17 + (i * i) % 7);
    bech32_make(hrp, 0, program, sizeof program, 1, out);
}

/* spec/cashaddr.md: the remainder of prefix, zero and payload, 40 bits. */
static void cash_make(const char *prefix, uint8_t version, size_t n_hash, char out[128])
{
    static const uint64_t generator[5] = {0x98f2bc8e61, 0x79b76d99e2, 0xf33e5fb3c4, 0xae2eabe2a8,
                                          0x1e4f43e470};
    uint8_t bytes[33] = {version}, symbols[200];
    size_t n = 0, first, n_bits = 8 * (n_hash + 1);
    uint64_t rest = 1;
    for (size_t i = 1; i <= n_hash; i++)
        bytes[i] = (uint8_t)(i * 29);
    for (size_t i = 0; prefix[i]; i++)
        symbols[n++] = (uint8_t)prefix[i] & 31;
    symbols[n++] = 0;
    first = n;
    for (size_t bit = 0; bit < n_bits; bit += 5, n++) {
        symbols[n] = 0;
        for (size_t b = bit; b < bit + 5; b++)
            symbols[n] =
                (uint8_t)(symbols[n] << 1 | (b < n_bits ? bytes[b / 8] >> (7 - b % 8) & 1 : 0));
    }
    memset(symbols + n, 0, 8);
    for (size_t i = 0; i < n + 8; i++) {
        uint64_t top = rest >> 35;
        rest = (rest & 0x07ffffffff) << 5 ^ symbols[i];
        for (int k = 0; k < 5; k++)
            rest ^= top >> k & 1 ? generator[k] : 0;
    }
    rest ^= 1;
    for (int i = 0; i < 8; i++)
        symbols[n + (size_t)i] = rest >> (5 * (7 - i)) & 31;
    size_t len = (size_t)snprintf(out, 128, "%s:", prefix);
    for (size_t i = first; i < n + 8; i++)
        out[len++] = bech32_set[symbols[i]];
    out[len] = '\0';
}

/* ---- good ones ---- */

static void bip_vectors(void **state)
{
    /* BIP 350, "Test vectors for v0-v16 native segregated witness addresses" */
    is_ok("BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", NULL, "BTC", "main", "P2WPKH");
    is_ok("tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7", "btc", "BTC", "test",
          "P2WSH");
    is_ok("bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y", "BTC",
          "BTC", "main", "witness v1");
    is_ok("BC1SW50QGDZ25J", "BTC", "BTC", "main", "witness v16");
    is_ok("bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs", NULL, "BTC", "main", "witness v2");
    is_ok("tb1qqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesrxh6hy", NULL, "BTC", "test",
          "P2WSH");
    is_ok("tb1pqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesf3hn0c", NULL, "BTC", "test",
          "P2TR");
    is_ok("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0", "Btc ", "BTC", "main",
          "P2TR");
    is_ok("  bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4\n", "BTC", "BTC", "main", "P2WPKH");
}

static void bip_invalid(void **state)
{
    static const char *const wrong[] = {
        /* BIP 350 */
        "tc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq5zuyut",
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd",
        "tb1z0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqglt7rf",
        "BC1S0XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ54WELL",
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh",
        "tb1q0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq24jc47",
        "bc1p38j9r5y49hruaue7wxjce0updqjuyyx0kh56v8s25huc6995vvpql3jow4",
        "BC130XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ7ZWS8R",
        "bc1pw5dgrnzv",
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v8n0nx0muaewav253zgeav",
        "BC1QR508D6QEJXTDG4Y5R3ZARVARYV98GJ9P",
        "tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq47Zagq",
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v07qwwzcrf",
        "tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vpggkg4j",
        "bc1gmk9yu",
        /* BIP 173 */
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5",
        "BC13W508D6QEJXTDG4Y5R3ZARVARY0C5XW7KN40WF2",
        "bc1rw5uspcuh",
        "bc10w508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kw5rljs90",
        "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sL5k7",
        "bc1zw508d6qejxtdg4y5r3zarvaryvqyzf3du",
        "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3pjxtptv",
        "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7k7grplx",
        "BC1SW50QA3JX3S",
        "bc1zw508d6qejxtdg4y5r3zarvaryvg6kdaj",
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        is_wrong(wrong[i], "BTC");
}

/* Every prefix of the table, with an address that the encoder here makes. */
static void every_coin(void **state)
{
    static const struct {
        const char *ticker, *hrp, *network;
    } hrps[] = {{"BTC", "bc", "main"},  {"BTC", "tb", "test"},   {"BTC", "bcrt", "regtest"},
                {"LTC", "ltc", "main"}, {"LTC", "tltc", "test"}, {"LTC", "rltc", "regtest"},
                {"DGB", "dgb", "main"}, {"DGB", "dgbt", "test"}, {"DGB", "dgbrt", "regtest"},
                {"NMC", "nc", "main"},  {"NMC", "tn", "test"},   {"NMC", "ncrt", "regtest"},
                {"PPC", "pc", "main"},  {"VTC", "vtc", "main"},  {"VTC", "tvtc", "test"}};
    static const struct {
        const char *ticker;
        uint8_t version;
        const char *network, *kind, *begins; /* begins: its first letter, as known from wallets */
    } versions[] = {{"BTC", 0, "main", "P2PKH", "1"},    {"BTC", 5, "main", "P2SH", "3"},
                    {"BTC", 111, "test", "P2PKH", "mn"}, {"BTC", 196, "test", "P2SH", "2"},
                    {"BCH", 0, "main", "P2PKH", "1"},    {"LTC", 48, "main", "P2PKH", "L"},
                    {"LTC", 50, "main", "P2SH", "M"},    {"LTC", 5, "main", "P2SH", "3"},
                    {"DOGE", 30, "main", "P2PKH", "D"},  {"DOGE", 22, "main", "P2SH", "9A"},
                    {"DOGE", 113, "test", "P2PKH", "n"}, {"DGB", 30, "main", "P2PKH", "D"},
                    {"DGB", 63, "main", "P2SH", "S"},    {"NMC", 52, "main", "P2PKH", "MN"},
                    {"NMC", 13, "main", "P2SH", "6"},    {"PPC", 55, "main", "P2PKH", "P"},
                    {"PPC", 117, "main", "P2SH", "p"},   {"VTC", 71, "main", "P2PKH", "V"},
                    {"DASH", 76, "main", "P2PKH", "X"},  {"DASH", 16, "main", "P2SH", "7"},
                    {"DASH", 140, "test", "P2PKH", "y"}};
    char address[128];
    for (uint8_t seed = 1; seed < 20; seed++) {
        for (size_t i = 0; i < ARRAY_LEN(hrps); i++) {
            p2wpkh(hrps[i].hrp, seed, address);
            is_ok(address, hrps[i].ticker, hrps[i].ticker, hrps[i].network, "P2WPKH");
            is_ok(address, NULL, hrps[i].ticker, hrps[i].network, "P2WPKH");
        }
        for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
            base58_address(versions[i].version, seed, address);
            assert_non_null(strchr(versions[i].begins, address[0]));
            is_ok(address, versions[i].ticker, versions[i].ticker, versions[i].network,
                  versions[i].kind);
        }
    }
    base58_address(30, 1, address); /* two coins have it: the first of the table without a word */
    is_ok(address, NULL, "DOGE", "main", "P2PKH");
}

static void cashaddr(void **state)
{
    /* bitcoincash.org spec/cashaddr.md, "Examples of address translation" */
    is_ok("bitcoincash:qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a", "BCH", "BCH", "main", "P2PKH");
    is_ok("bitcoincash:ppm2qsznhks23z7629mms6s4cwef74vcwvn0h829pq", NULL, "BCH", "main", "P2SH");
    is_ok("qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a", "BCH", "BCH", "main", "P2PKH");
    is_ok("QPM2QSZNHKS23Z7629MMS6S4CWEF74VCWVY22GDX6A", NULL, "BCH", "main", "P2PKH");
    is_ok("bchreg:qzu7d73hakh39hc2qqmz2ln73x56hdp04cyfy5q4ye", "BCH", "BCH", "regtest", "P2PKH");
    is_wrong("bitcoincash:qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6b", "BCH");
    is_wrong("bitcoincash:qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6", "BCH");
    is_wrong("bchtest:qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a", "BCH");
    is_wrong("ecash:qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a", "XEC");
    struct coin_verdict v = check("bitcoincash:qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a", "BTC");
    assert_int_equal(v.result, COIN_WRONG);
    assert_string_equal(v.ticker, "BCH");
    v = check("bitcoincash:qpm2qsznhks23z76i9mms6s4cwef74vcwvy22gdx6a", "BCH");
    assert_int_equal(v.n_at, 1);
    assert_int_equal(v.at[0], 28);
    v = check("bitcoin:bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "BTC");
    assert_int_equal(v.result, COIN_WRONG);
    assert_int_equal(v.n_at, 8);
}

static void cashaddr_kinds(void **state)
{
    static const struct {
        const char *prefix;
        uint8_t version;
        size_t n;
        const char *ticker, *network, *kind;
    } good[] = {{"bitcoincash", 0, 20, "BCH", "main", "P2PKH"},
                {"bitcoincash", 8, 20, "BCH", "main", "P2SH"},
                {"bitcoincash", 11, 32, "BCH", "main", "P2SH"},
                {"bitcoincash", 16, 20, "BCH", "main", "P2PKH"}, /* can take tokens */
                {"bchtest", 0, 20, "BCH", "test", "P2PKH"},
                {"ecash", 0, 20, "XEC", "main", "P2PKH"},
                {"ectest", 8, 20, "XEC", "test", "P2SH"}};
    char address[128];
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        cash_make(good[i].prefix, good[i].version, good[i].n, address);
        is_ok(address, good[i].ticker, good[i].ticker, good[i].network, good[i].kind);
        is_ok(strchr(address, ':') + 1, NULL, good[i].ticker, good[i].network, good[i].kind);
    }
    static const uint8_t versions[][2] = {{3, 20}, {0, 32}, {1, 20}, {40, 20}, {128, 20}};
    for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
        cash_make("bitcoincash", versions[i][0], versions[i][1], address);
        is_wrong(address, "BCH");
    }
}

/* ---- where the mistake is ---- */

static void expect_at(const char *address, const char *ticker, const size_t *at, size_t n)
{
    struct coin_verdict v = check(address, ticker);
    bool same = v.result == COIN_WRONG && v.n_at == n;
    for (size_t i = 0; same && i < n; i++) {
        bool found = false;
        for (size_t k = 0; k < n; k++)
            found |= v.at[i] == at[k];
        same = found;
    }
    if (!same)
        fail_msg("%s: %d, %zu marked (%zu %zu): %s", address, v.result, v.n_at, v.at[0], v.at[1],
                 v.why);
}

/* Every single mistake in every place of one address of each kind. */
static void one_mistake(void **state)
{
    static const char *const good[] = {
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
        "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7"};
    for (size_t g = 0; g < ARRAY_LEN(good); g++) {
        char text[128];
        for (size_t at = 3; good[g][at]; at++) {
            for (unsigned c = 0; c < 32; c += g ? 5 : 1) {
                memcpy(text, good[g], strlen(good[g]) + 1);
                text[at] = bech32_set[c];
                if (text[at] != good[g][at])
                    expect_at(text, c & 1 ? "BTC" : NULL, &at, 1);
            }
        }
    }
}

/* Two mistakes, and two neighbours that changed places, in made addresses of every length. */
static void two_mistakes(void **state)
{
    srand(4);
    for (int round = 0; round < 300; round++) {
        char good[128], text[128];
        uint8_t program[32];
        for (size_t i = 0; i < sizeof program; i++)
            program[i] = (uint8_t)rand();
        bool taproot = rand() & 1;
        bech32_make(rand() & 1 ? "bc" : "bcrt", taproot, program, taproot || rand() & 1 ? 32 : 20,
                    taproot ? 0x2bc830a3 : 1, good);
        size_t len = strlen(good), first = (size_t)(strchr(good, '1') - good) + 1;
        size_t at[2];
        memcpy(text, good, len + 1);
        at[0] = first + (size_t)rand() % (len - first - 1);
        if (round % 2) {
            do
                at[1] = first + (size_t)rand() % (len - first);
            while (at[1] == at[0]);
            for (int i = 0; i < 2; i++) {
                do
                    text[at[i]] = bech32_set[rand() % 32];
                while (text[at[i]] == good[at[i]]);
            }
        } else {
            at[1] = at[0] + 1;
            text[at[0]] = good[at[1]];
            text[at[1]] = good[at[0]];
            if (text[at[0]] == text[at[1]])
                continue;
        }
        expect_at(text, "BTC", at, 2);
    }
}

/* A place is only named when the address would be one with a change there (BIP 350): here another
 * witness version would have the checksum that nearly fits. */
static void what_would_be_none(void **state)
{
    char text[128];
    uint8_t program[20] = {1, 2, 3};
    bech32_make("bc", 0, program, sizeof program, 0x2bc830a3, text);
    is_wrong(text, "BTC");
    text[20] = text[20] == 'q' ? 'p' : 'q';
    expect_at(text, "BTC", NULL, 0);
}

static void says_no_correction(void **state)
{
    struct coin_verdict v = check("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5", "BTC");
    assert_null(strstr(v.why, "f3t4"));
    assert_null(v.ticker);
    v = check("bc1qw508d6qajxtdg4y5r3zarvary0c5dw7kv8f3a5", "BTC"); /* four */
    assert_int_equal(v.result, COIN_WRONG);
}

static void length_and_letters(void **state)
{
    size_t at;
    struct coin_verdict v = check("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t", "BTC");
    assert_int_equal(v.n_at, 0);
    assert_non_null(strstr(v.why, "41 characters"));
    v = check("bc1qw508d6qejxtddg4y5r3zarvary0c5xw7kv8f3t4", "BTC");
    assert_non_null(strstr(v.why, "43 characters"));
    expect_at("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3to", "BTC", (size_t[]){41}, 1);
    expect_at("bc1qw5o8d6qejxtdg4y5r3zarvaryOc5xw7kv8f3t4", "BTC", (size_t[]){6, 29}, 2);
    expect_at("  bc1qw5o8d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "BTC", (size_t[]){8}, 1);
    expect_at("bc1qw508d6qejxtdg4Y5r3zarvary0c5xw7kv8f3t4", "BTC", (size_t[]){18}, 1);
    expect_at("Bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "BTC", (size_t[]){0}, 1);
    expect_at("vc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "BTC", (size_t[]){0}, 1);
    expect_at("bx1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", NULL, (size_t[]){1}, 1);
    expect_at("bclqw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "BTC", (size_t[]){2}, 1);
    expect_at("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4.kitchen", "BTC", (size_t[]){42}, 1);
    expect_at("1BpEi6DfDAUFd7GtittLSdBeYJvcoaVgg0", "BTC", (size_t[]){33}, 1);
    expect_at("lBpEi6DfDAUFd7GtittLSdBeYJvcOaVggu", "BTC", (size_t[]){0, 28}, 2);
    at = 4;
    expect_at("1BpE\x01"
              "6DfDAUFd7GtittLSdBeYJvcoaVggu",
              "BTC", &at, 1);
    is_wrong("1BpEi6DfDAUFd7GtittLSdBeYJvcoaVgg", "BTC");
    v = check("1BpEi6DfDAUFd7GtittLSdBeYJvcoaV", "BTC");
    assert_non_null(strstr(v.why, "length"));
    v = check("1BpEi6DfDAUFd7GtittLSdBeYJvcoaVguu", "BTC");
    assert_int_equal(v.result, COIN_WRONG);
    assert_int_equal(v.n_at, 0); /* base58 cannot tell where */
    assert_int_equal(check("", "BTC").result, COIN_WRONG);
    assert_int_equal(check(" \t ", NULL).result, COIN_WRONG);
}

static void other_coins(void **state)
{
    struct coin_verdict v = check("LbNoDTssWGQFMr7UUDNYscBe5c7SjmfTtx", "BTC");
    assert_int_equal(v.result, COIN_WRONG);
    assert_string_equal(v.ticker, "LTC");
    assert_non_null(strstr(v.why, "Litecoin"));
    is_wrong("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "DOGE");
    is_wrong("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "LTC");
    v = check("0x52908400098527886E0F7030069857D2E4169EE7", "ETH");
    assert_int_equal(v.result, COIN_UNKNOWN);
    assert_null(v.ticker);
    assert_true(v.why[0]);
    expect_at("0x529084000985\"7886E0F", "ETH", (size_t[]){14}, 1);
    is_wrong("short", "ETH");
    /* BIP 173's own example of another coin's prefix */
    v = check("split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w", NULL);
    assert_int_equal(v.result, COIN_UNKNOWN);
    v = check("split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w", "BTC");
    assert_int_equal(v.result, COIN_WRONG);
    char text[64];
    base58_address(200, 3, text); /* nobody's version */
    assert_int_equal(check(text, NULL).result, COIN_UNKNOWN);
    assert_int_equal(check(text, "BTC").result, COIN_WRONG);
}

static void keys_are_no_addresses(void **state)
{
    uint8_t payload[78] = {0x80};
    char text[128];
    for (size_t i = 1; i < sizeof payload; i++)
        payload[i] = (uint8_t)(i * 7);
    base58_make(payload, 33, text);
    assert_non_null(strstr(check(text, "BTC").why, "PRIVATE KEY"));
    base58_make(payload, 34, text);
    assert_non_null(strstr(check(text, NULL).why, "PRIVATE KEY"));
    base58_make(payload, 78, text);
    assert_non_null(strstr(check(text, NULL).why, "extended key"));
}

static void bounds(void **state)
{
    char text[COIN_ADDRESS_MAX + 2];
    for (size_t len = 0; len < sizeof text; len++) {
        for (const char *c = "1zqb:"; *c; c++) {
            struct coin_verdict v;
            memset(text, *c, len);
            coin_address_check(text, len, NULL, &v);
            assert_int_not_equal(v.result, COIN_OK);
            memcpy(text, "bc1", len < 3 ? len : 3);
            coin_address_check(text, len, "BTC", &v);
            assert_int_not_equal(v.result, COIN_OK);
            assert_true(v.n_at <= ARRAY_LEN(v.at));
            for (size_t i = 0; i < v.n_at; i++)
                assert_true(v.at[i] < len);
        }
    }
}

/* ---- the same, shortened ---- */

static void same(void **state)
{
    const char *a = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4";
    assert_true(coin_address_same(a, a));
    assert_true(coin_address_same(a, " BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4 "));
    assert_false(coin_address_same(a, "Bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"));
    assert_false(coin_address_same(a, "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5"));
    assert_false(coin_address_same(a, ""));
    assert_false(coin_address_same("", ""));
    assert_false(coin_address_same(NULL, a));
    assert_true(coin_address_same("1BpEi6DfDAUFd7GtittLSdBeYJvcoaVggu",
                                  "1BpEi6DfDAUFd7GtittLSdBeYJvcoaVggu "));
    assert_false(coin_address_same("1BpEi6DfDAUFd7GtittLSdBeYJvcoaVggu",
                                   "1BPEI6DFDAUFD7GTITTLSDBEYJVCOAVGGU"));
    assert_true(coin_address_same("bitcoincash:qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a",
                                  "QPM2QSZNHKS23Z7629MMS6S4CWEF74VCWVY22GDX6A"));
}

static void shortened(void **state)
{
    char out[32];
    const char *a = "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq";
    coin_address_shorten(a, strlen(a), out, sizeof out);
    assert_string_equal(out, "bc1qar0…5mdq"); /* as coin.h says */
    coin_address_shorten("12345678", 8, out, sizeof out);
    assert_string_equal(out, "12…");
    coin_address_shorten("", 0, out, sizeof out);
    assert_string_equal(out, "…");
    coin_address_shorten("ääääääääääääääääääää", 40, out, sizeof out);
    assert_string_equal(out, "äää…ää");
    coin_address_shorten(a, strlen(a), out, 6); /* bounded, whatever the room */
    assert_true(strlen(out) < 6);
}

/* ---- in lines ---- */

static void expect_found(const char *line, const char *address)
{
    size_t at = 0, len = 0;
    bool found = coin_address_find(line, strlen(line), 0, &at, &len);
    if (found != (address != NULL))
        fail_msg("%s: %s", line, found ? "found" : "not found");
    if (found && (len != strlen(address) || memcmp(line + at, address, len) != 0))
        fail_msg("%s: '%.*s'", line, (int)len, line + at);
}

static void found(void **state)
{
    expect_found("  Sending  : {\"params\": [\"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4.barn\"]}",
                 "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4");
    expect_found("wallet=BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
                 "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4");
    expect_found("btcString: bc1qmadeup0shepherd7barn5flock3wool9meadow2", /* wrong, and hidden */
                 "bc1qmadeup0shepherd7barn5flock3wool9meadow2");
    expect_found("user 1BpEi6DfDAUFd7GtittLSdBeYJvcoaVggu_w1",
                 "1BpEi6DfDAUFd7GtittLSdBeYJvcoaVggu");
    expect_found("to bitcoincash:qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a/x",
                 "bitcoincash:qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a");
    expect_found("x:qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a",
                 "qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a");
    expect_found("split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w",
                 "split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w");
    expect_found("", NULL);
    expect_found("bc1q", NULL);
    char text[128];
    for (uint8_t seed = 1; seed < 60; seed++) {
        base58_address(seed, seed, text);
        expect_found(text, text);
    }
}

static void eats_nothing_else(void **state)
{
    static const char *const lines[] = {
        ">>> Completed 3 share(s), 20481 Khashes, avg. hashrate 78.53 KH/s",
        "  Receiving: "
        "{\"params\":[\"660a2f1d0001a3b4\",\"bc1e0a5c3f4d5e6f708192a3b4c5d6e7f8091a2b3c"
        "4d5e6f708192a3b4c5d6e7\",\"01000000010000000000000000000000000000000000000000000000000000"
        "000000000000ffffffff\",\"6609bc4f\",true],\"id\":null,\"method\":\"mining.notify\"}",
        "hash: 000000000000000000024bead8df69990852c202db0e0097c1a12ea637d7e96d",
        "nonce 3aadF84b extranonce2 0000000000000001 ntime 66f1b2c3",
        "ecc: 1aAbbccddeeff00112233445566778899a",       /* 34 characters, no checksum */
        "session_id=3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLx", /* a mistyped address of another page */
        "Job: 3124bc1f8a9b7c6d5e4f3a2b1c0d9e8f7a6b5c4d",
        "MAC 24:6F:28:AA:BB:CC ip 192.168.1.20 fw V1.8.3 free heap 123456",
        "aGVsbG8gd29ybGQgdGhpcyBpcyBiYXNlNjQ",
        "tn1e0a5c3f4d5e6f708192a3b4c5d6e7",
    };
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        expect_found(lines[i], NULL);
}

static void goes_on(void **state)
{
    const char *line = "a bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4 and "
                       "1BpEi6DfDAUFd7GtittLSdBeYJvcoaVggu.";
    size_t at, len, from = 0, n = 0;
    while (coin_address_find(line, strlen(line), from, &at, &len)) {
        assert_true(at >= from && len > 0 && at + len <= strlen(line));
        from = at + len;
        n++;
    }
    assert_int_equal(n, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bip_vectors),
        cmocka_unit_test(bip_invalid),
        cmocka_unit_test(every_coin),
        cmocka_unit_test(cashaddr),
        cmocka_unit_test(cashaddr_kinds),
        cmocka_unit_test(one_mistake),
        cmocka_unit_test(what_would_be_none),
        cmocka_unit_test(two_mistakes),
        cmocka_unit_test(says_no_correction),
        cmocka_unit_test(length_and_letters),
        cmocka_unit_test(other_coins),
        cmocka_unit_test(keys_are_no_addresses),
        cmocka_unit_test(bounds),
        cmocka_unit_test(same),
        cmocka_unit_test(shortened),
        cmocka_unit_test(found),
        cmocka_unit_test(eats_nothing_else),
        cmocka_unit_test(goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
