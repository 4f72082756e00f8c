/* Addresses of coins: what one is, for which coin, network and kind, and where a typing error is.
 *
 * bech32 and bech32m (BIP 173, BIP 350), base58check (Bitcoin wiki "Base58Check encoding"). Pure:
 * no state, any thread. Everything that comes in is bounded by COIN_ADDRESS_MAX. */
#ifndef SHEP_COIN_H
#define SHEP_COIN_H

#include <stdbool.h>
#include <stddef.h>

enum {
    COIN_ADDRESS_MAX =
        128, /* bech32 has at most 90; a unified address of other coins is not ours */
    COIN_WHY_MAX = 256
};

enum coin_result {
    COIN_OK = 0,
    COIN_UNKNOWN, /* a coin whose addresses we cannot check: shape only */
    COIN_WRONG    /* it is not an address; why says what is wrong, and at[] where */
};

struct coin_verdict {
    enum coin_result result;
    const char *ticker;  /* "BTC", "LTC", "DOGE", "BCH" …; NULL: not known */
    const char *network; /* "main", "test", "regtest"; NULL: not known */
    const char *kind;    /* "P2PKH", "P2SH", "P2WPKH", "P2WSH", "P2TR", "witness v2" …; or NULL */
    char why[COIN_WHY_MAX]; /* a sentence for people; empty when OK */
    /* Wrong characters, from 0, when the code can tell (bech32 locates up to two errors); a wrong
     * alphabet, length or prefix is located exactly. */
    size_t at[8];
    size_t n_at;
};

/* ticker: what the person says it is, in any case; NULL or "": any coin that we know. */
void coin_address_check(const char *address, size_t len, const char *ticker,
                        struct coin_verdict *out);
/* Two ways to write the same address: bech32 in capitals, spaces around it. */
bool coin_address_same(const char *a, const char *b);
/* "bc1qar0…5mdq" into out: for people who may see that there is one, not which. */
void coin_address_shorten(const char *address, size_t len, char *out, size_t cap);
/* The next piece of text that is an address by its checksum, or by its shape (at least 26 letters
 * and digits that begin with a known prefix and are not all hex), at or after from. false: none.
 * For hiding them in log lines: about 0.3 µs for 100 bytes of usual text. */
bool coin_address_find(const char *text, size_t len, size_t from, size_t *at_out, size_t *len_out);
#endif
