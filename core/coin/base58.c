/* base58check (Bitcoin wiki, "Base58Check encoding"): a version byte, 20 bytes of hash, and the
 * first 4 bytes of SHA-256 of SHA-256 of these. The checksum is a hash, so it cannot say where a
 * mistake is; only characters that the alphabet leaves out (0 O I l) are pointed at. */
#include "coin/internal.h"

#include <ctype.h>
#include <sodium.h>

enum {
    ADDRESS_BYTES = 25,
    KEY_BYTES = 37,       /* version, 32 bytes, checksum: a private key as wallets export it */
    KEY_BYTES_SHORT = 38, /* the same for a compressed public key */
    EXTENDED_BYTES = 82,  /* BIP 32: xpub, xprv and their like */
    BYTES_MAX = COIN_ADDRESS_MAX,
    SUM_BYTES = 4
};
static const char alphabet[] = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/* -1: not in the alphabet */
static int value_of(char c)
{
    const char *found = c ? strchr(alphabet, c) : NULL;
    return found ? (int)(found - alphabet) : -1;
}

/* Into the last bytes of out; how many, 0: another alphabet. A text of n characters never has more
 * than n bytes. */
static size_t decode(const char *text, size_t len, uint8_t out[BYTES_MAX])
{
    size_t used = 0, zeros = 0;
    memset(out, 0, BYTES_MAX);
    while (zeros < len && text[zeros] == '1')
        zeros++;
    for (size_t i = zeros; i < len; i++) {
        int carry = value_of(text[i]);
        if (carry < 0)
            return 0;
        size_t k = 0;
        for (; k < used || carry; k++) {
            carry += 58 * out[BYTES_MAX - 1 - k];
            out[BYTES_MAX - 1 - k] = (uint8_t)carry;
            carry >>= 8;
        }
        used = k;
    }
    return zeros + used;
}

static bool sum_holds(const uint8_t *bytes, size_t n)
{
    uint8_t once[crypto_hash_sha256_BYTES], twice[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(once, bytes, n - SUM_BYTES);
    crypto_hash_sha256(twice, once, sizeof once);
    return memcmp(twice, bytes + n - SUM_BYTES, SUM_BYTES) == 0;
}

bool base58_holds(const char *text, size_t len)
{
    uint8_t bytes[BYTES_MAX];
    return len >= BASE58_MIN && len <= BASE58_MAX && decode(text, len, bytes) == ADDRESS_BYTES &&
           sum_holds(bytes + BYTES_MAX - ADDRESS_BYTES, ADDRESS_BYTES);
}

static bool alphabet_ok(struct task *task)
{
    char where[96];
    for (size_t i = 0; i < task->len; i++) {
        if (value_of(task->text[i]) < 0)
            task_mark(task, i);
    }
    if (task->out->n_at == 0)
        return true;
    task_wrong(task, "Look at %s: such an address never has a 0, O, I or l.",
               task_marked(task, where, sizeof where));
    return false;
}

static void check_version(struct task *task, uint8_t byte)
{
    const struct version *version;
    const struct coin *coin = coin_by_version(byte, task->coin, &version);
    if (!coin && task->coin)
        task_wrong(task, "Its checksum is right, but %s has no addresses of this kind.",
                   task->coin->name);
    else if (!coin)
        task_unknown(task, "Its checksum is right, but no coin is known here that has such "
                           "addresses.");
    else if (task_wants(task, coin, task->text, 1))
        task_ok(task, coin, (enum net)version->net, version->kind);
}

void base58_check(struct task *task)
{
    uint8_t bytes[BYTES_MAX];
    if (!alphabet_ok(task))
        return;
    size_t n = decode(task->text, task->len, bytes);
    const uint8_t *first = bytes + BYTES_MAX - n;
    if ((n == KEY_BYTES || n == KEY_BYTES_SHORT) && sum_holds(first, n))
        task_wrong(task, "This is a PRIVATE KEY, not an address. Whoever sees it has the money: "
                         "move it to a new wallet.");
    else if (n == EXTENDED_BYTES && sum_holds(first, n))
        task_wrong(task, "This is an extended key of a whole wallet, not an address.");
    else if (task->len < BASE58_MIN || task->len > BASE58_MAX)
        task_wrong(task, "It has %zu characters; such an address has %d to %d.", task->len,
                   BASE58_MIN, BASE58_MAX);
    else if (n != ADDRESS_BYTES)
        task_wrong(task, "Its length of %zu characters does not fit: one is missing or too many.",
                   task->len);
    else if (!sum_holds(first, n))
        task_wrong(
            task,
            "The checksum is wrong: a character is mistyped or missing, or two are swapped. This "
            "kind of address cannot tell which; compare it with your wallet.");
    else
        check_version(task, first[0]);
    sodium_memzero(bytes, sizeof bytes);
}
