/* bech32 (BIP 173) and bech32m (BIP 350): the checksum is a BCH code over GF(32) that finds up to
 * four wrong characters for sure, so it can say where one or two are. Where, never what: BIP 173
 * warns that a program that corrects by itself sends money to somebody else's address. */
#include "coin/internal.h"

#include <ctype.h>
#include <strings.h>

enum {
    SYMBOLS_MAX = BECH32_MAX - 2, /* what follows a one-letter hrp and the 1 */
    PROGRAM_MAX = 40,             /* bytes of a witness program, BIP 141 */
    P2WPKH_SYMBOLS = 39,          /* version, 20 bytes in fives, checksum */
    P2WSH_SYMBOLS = 59,           /* version, 32 bytes in fives, checksum: P2TR too */
    VERSION_MAX = 16
};
static const char alphabet[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
static const uint32_t spec_constant[] = {
    [SPEC_BECH32] = 1, [SPEC_BECH32M] = 0x2bc830a3}; /* BIP 173, BIP 350 */

int bech32_value(char c)
{
    const char *found = c ? strchr(alphabet, tolower((unsigned char)c)) : NULL;
    return found ? (int)(found - alphabet) : -1;
}

bool mixed_case(const char *text, size_t len)
{
    bool upper = false, lower = false;
    for (size_t i = 0; i < len; i++) {
        upper |= text[i] >= 'A' && text[i] <= 'Z';
        lower |= text[i] >= 'a' && text[i] <= 'z';
    }
    return upper && lower;
}

void mark_mixed_case(struct task *task)
{
    size_t upper = 0, lower = 0;
    for (size_t i = 0; i < task->len; i++) {
        upper += task->text[i] >= 'A' && task->text[i] <= 'Z';
        lower += task->text[i] >= 'a' && task->text[i] <= 'z';
    }
    char from = upper < lower ? 'A' : 'a';
    for (size_t i = 0; i < task->len; i++) {
        if (task->text[i] >= from && task->text[i] <= from + 25)
            task_mark(task, i);
    }
    char where[96];
    task_wrong(task, "Capitals and small letters are mixed: look at %s.",
               task_marked(task, where, sizeof where));
}

/* ---- the checksum ---- */

/* One more symbol: the state times x, plus the symbol, modulo BIP 173's generator. */
static uint32_t step(uint32_t state, uint32_t symbol)
{
    static const uint32_t generator[5] = {0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd,
                                          0x2a1462b3};
    uint32_t top = state >> 25;
    state = (state & 0x1ffffff) << 5 ^ symbol;
    for (int i = 0; i < 5; i++)
        state ^= top >> i & 1 ? generator[i] : 0;
    return state;
}

static uint32_t checksum(const char *hrp, size_t hrp_len, const uint8_t *symbols, size_t n)
{
    uint32_t state = 1;
    for (size_t i = 0; i < hrp_len; i++)
        state = step(state, (uint32_t)tolower((unsigned char)hrp[i]) >> 5);
    state = step(state, 0);
    for (size_t i = 0; i < hrp_len; i++)
        state = step(state, (uint32_t)tolower((unsigned char)hrp[i]) & 31);
    for (size_t i = 0; i < n; i++)
        state = step(state, symbols[i]);
    return state;
}

static enum bech32_spec spec_of(uint32_t sum)
{
    if (sum == spec_constant[SPEC_BECH32])
        return SPEC_BECH32;
    return sum == spec_constant[SPEC_BECH32M] ? SPEC_BECH32M : SPEC_NONE;
}

bool bech32_holds(const char *text, size_t len)
{
    uint8_t symbols[SYMBOLS_MAX];
    const char *one = memrchr(text, '1', len);
    size_t hrp_len = one ? (size_t)(one - text) : 0, n = len - hrp_len - 1;
    if (hrp_len == 0 || len > BECH32_MAX || n < BECH32_SUM || mixed_case(text, len))
        return false;
    for (size_t i = 0; i < n; i++) {
        int value = bech32_value(one[1 + i]);
        if (value < 0)
            return false;
        symbols[i] = (uint8_t)value;
    }
    return spec_of(checksum(text, hrp_len, symbols, n)) != SPEC_NONE;
}

/* ---- what the symbols say ---- */

/* The bytes in the fives between version and checksum; -1: there are bits left over that are not
 * the padding. */
static int program_bytes(const uint8_t *symbols, size_t n)
{
    size_t bits = (n - 1 - BECH32_SUM) * 5, rest = bits % 8;
    if (rest > 4)
        return -1;
    if (rest && (symbols[n - BECH32_SUM - 1] & ((1u << rest) - 1)))
        return -1;
    return (int)(bits / 8);
}

static const char *kind_of(int version, int bytes)
{
    static const char *const later[VERSION_MAX + 1] = {
        [1] = "witness v1",   [2] = "witness v2",   [3] = "witness v3",   [4] = "witness v4",
        [5] = "witness v5",   [6] = "witness v6",   [7] = "witness v7",   [8] = "witness v8",
        [9] = "witness v9",   [10] = "witness v10", [11] = "witness v11", [12] = "witness v12",
        [13] = "witness v13", [14] = "witness v14", [15] = "witness v15", [16] = "witness v16"};
    if (version == 0)
        return bytes == 20 ? "P2WPKH" : "P2WSH";
    return version == 1 && bytes == 32 ? "P2TR" : later[version];
}

/* NULL: a good witness program (BIP 141, 350) of *kind_out. Else what is wrong with it. */
static const char *program_problem(const uint8_t *symbols, size_t n, enum bech32_spec spec,
                                   const char **kind_out)
{
    if (n < 1 + BECH32_SUM)
        return "It is too short.";
    int version = symbols[0], bytes = program_bytes(symbols, n);
    if (version > VERSION_MAX)
        return "Its witness version does not exist.";
    if ((version == 0) != (spec == SPEC_BECH32))
        return "It has the checksum of another witness version (bech32 and bech32m are confused).";
    if (bytes < 0)
        return "It ends with bits that belong to nothing.";
    if (bytes < 2 || bytes > PROGRAM_MAX || (version == 0 && bytes != 20 && bytes != 32))
        return "Its length is wrong for its kind.";
    *kind_out = kind_of(version, bytes);
    return NULL;
}

/* ---- where the mistake is ---- */

/* What one wrong symbol does to the checksum. The code is linear: two wrong ones do the sum (xor)
 * of what each does. */
struct effect {
    uint32_t sum;
    uint8_t at, change;
};

static int by_sum(const void *a, const void *b)
{
    uint32_t x = ((const struct effect *)a)->sum, y = ((const struct effect *)b)->sum;
    return x < y ? -1 : x > y;
}

/* All of them, n * 31, in order of their sums. */
static size_t effects_make(struct effect *effects, size_t n)
{
    size_t n_effects = 0;
    for (size_t at = 0; at < n; at++) {
        for (uint32_t change = 1; change < 32; change++) {
            uint32_t sum = change;
            for (size_t i = at + 1; i < n; i++)
                sum = step(sum, 0);
            effects[n_effects++] = (struct effect){sum, (uint8_t)at, (uint8_t)change};
        }
    }
    qsort(effects, n_effects, sizeof *effects, by_sum);
    return n_effects;
}

static const struct effect *effect_find(const struct effect *effects, size_t n, uint32_t sum)
{
    struct effect key = {.sum = sum};
    return bsearch(&key, effects, n, sizeof key, by_sum);
}

/* One or two changes that make up for residue; how many, 0: none. No two pairs do the same: any two
 * addresses differ in five characters at least. */
static size_t changes_find(const struct effect *effects, size_t n, uint32_t residue,
                           struct effect out[2])
{
    const struct effect *one = effect_find(effects, n, residue);
    if (one) {
        out[0] = *one;
        return 1;
    }
    for (size_t i = 0; i < n; i++) {
        const struct effect *two = effect_find(effects, n, residue ^ effects[i].sum);
        if (two && two->at > effects[i].at) {
            out[0] = effects[i];
            out[1] = *two;
            return 2;
        }
    }
    return 0;
}

/* Would it be an address with these changes? If not, they are not the mistake (BIP 350). */
static bool changes_fit(const uint8_t *symbols, size_t n, enum bech32_spec spec,
                        const struct effect *changes, size_t n_changes)
{
    uint8_t changed[SYMBOLS_MAX];
    const char *kind;
    memcpy(changed, symbols, n);
    for (size_t i = 0; i < n_changes; i++)
        changed[changes[i].at] ^= changes[i].change;
    return program_problem(changed, n, spec, &kind) == NULL;
}

/* At most 88 * 31 effects: sorted once, looked through twice; about a millisecond. */
static void locate(struct task *task, size_t first, const uint8_t *symbols, size_t n, uint32_t sum)
{
    struct effect *effects = shep_alloc_array(n * 31, sizeof *effects), found[4][2] = {0};
    size_t n_effects = effects_make(effects, n), n_found[4] = {0};
    for (int spec = SPEC_BECH32; spec <= SPEC_BECH32M; spec++) {
        size_t k = changes_find(effects, n_effects, sum ^ spec_constant[spec], found[spec]);
        if (k && changes_fit(symbols, n, (enum bech32_spec)spec, found[spec], k))
            n_found[spec] = k;
    }
    free(effects);
    size_t a = n_found[SPEC_BECH32], b = n_found[SPEC_BECH32M];
    char where[96];
    if (a == b) { /* neither, or both alike: nothing can be said */
        task_wrong(task, "The checksum is wrong. More than two characters differ; compare it with "
                         "your wallet, character by character.");
        return;
    }
    int spec = b == 0 || (a && a < b) ? SPEC_BECH32 : SPEC_BECH32M;
    for (size_t i = 0; i < n_found[spec]; i++)
        task_mark(task, first + found[spec][i].at);
    task_wrong(task,
               "The checksum is wrong. Most likely the mistake is at %s; compare it with your "
               "wallet.",
               task_marked(task, where, sizeof where));
}

/* ---- the whole check ---- */

static size_t known_hrp(const struct coin *coin, const char *text, size_t len, bool with_one)
{
    size_t longest = 0;
    for (size_t i = 0; i < n_coins; i++) {
        for (int net = 0; net < NETS; net++) {
            const char *hrp = coins[i].hrp[net];
            size_t n = hrp ? strlen(hrp) : 0;
            if (n <= longest || n >= len || (coin && coin != &coins[i]) ||
                strncasecmp(hrp, text, n) != 0 || (with_one && text[n] != '1'))
                continue;
            longest = n;
        }
    }
    return longest;
}

size_t bech32_shape(const struct coin *coin, const char *text, size_t len)
{
    bool single = !mixed_case(text, len);
    if (!single && len <= BASE58_MAX)
        return 0;
    size_t n = known_hrp(NULL, text, len, true);
    if (n || len <= BASE58_MAX)
        return n;
    const char *one = single ? memrchr(text, '1', len) : NULL;
    if (one && one > text && len - (size_t)(one - text) > P2WPKH_SYMBOLS)
        return (size_t)(one - text); /* another coin's, or a mistake before the 1 */
    return single ? known_hrp(coin, text, len, false) : 0;
}

static bool symbols_read(struct task *task, size_t first, uint8_t *symbols)
{
    bool good = true;
    for (size_t i = first; i < task->len; i++) {
        int value = bech32_value(task->text[i]);
        if (value < 0)
            task_mark(task, i);
        good = good && value >= 0;
        symbols[i - first] = (uint8_t)value;
    }
    if (good)
        return true;
    char where[96];
    task_wrong(task, "Look at %s: after the first 1, such an address never has a 1, b, i or o.",
               task_marked(task, where, sizeof where));
    return false;
}

static void say_prefixes(struct task *task, size_t hrp_len)
{
    char list[96] = "";
    size_t used = 0;
    for (int net = 0; net < NETS && task->coin; net++) {
        if (task->coin->hrp[net] && used < sizeof list)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s1", used ? ", " : "",
                                     task->coin->hrp[net]);
    }
    if (used)
        task_wrong(task, "It begins with '%.*s'; such an address of %s begins with %s.",
                   (int)hrp_len + 1, task->text, task->coin->name, list);
    else
        task_wrong(task, "It begins with '%.*s', which no coin has that is known here.",
                   (int)hrp_len + 1, task->text);
}

/* The hrp is nobody's. Is it ours, mistyped? Then the checksum holds with the right one. */
static void check_stranger(struct task *task, size_t hrp_len, const uint8_t *symbols, size_t n)
{
    for (size_t i = 0; i < n_coins; i++) {
        for (int net = 0; net < NETS; net++) {
            const char *hrp = coins[i].hrp[net];
            if (!hrp || strlen(hrp) != hrp_len || (task->coin && task->coin != &coins[i]) ||
                spec_of(checksum(hrp, hrp_len, symbols, n)) == SPEC_NONE)
                continue;
            for (size_t k = 0; k < hrp_len; k++) {
                if (tolower((unsigned char)task->text[k]) != hrp[k])
                    task_mark(task, k);
            }
            say_prefixes(task, hrp_len);
            return;
        }
    }
    if (!task->coin && spec_of(checksum(task->text, hrp_len, symbols, n)) != SPEC_NONE) {
        task_unknown(task,
                     "Its checksum is right, but no coin is known here whose addresses begin "
                     "with '%.*s'.",
                     (int)hrp_len + 1, task->text);
        return;
    }
    for (size_t k = 0; k < hrp_len && task->coin && task->coin->hrp[NET_MAIN]; k++)
        task_mark(task, k);
    say_prefixes(task, hrp_len);
}

static void check_ours(struct task *task, size_t hrp_len, const uint8_t *symbols, size_t n)
{
    enum net net;
    const struct coin *coin = coin_by_prefix(task->text, hrp_len, false, &net);
    const char *kind, *problem;
    uint32_t sum = checksum(task->text, hrp_len, symbols, n);
    if (spec_of(sum) != SPEC_NONE) {
        problem = program_problem(symbols, n, spec_of(sum), &kind);
        if (problem)
            task_wrong(task, "%s", problem);
        else
            task_ok(task, coin, net, kind);
        return;
    }
    if (n != P2WPKH_SYMBOLS && n != P2WSH_SYMBOLS)
        task_wrong(task,
                   "It has %zu characters; an address that begins with '%.*s' has %zu or %zu. "
                   "Something is missing or too much.",
                   task->len, (int)hrp_len + 1, task->text, hrp_len + 1 + P2WPKH_SYMBOLS,
                   hrp_len + 1 + P2WSH_SYMBOLS);
    else
        locate(task, hrp_len + 1, symbols, n, sum);
}

void bech32_check(struct task *task, size_t hrp_len)
{
    uint8_t symbols[COIN_ADDRESS_MAX];
    enum net net;
    size_t n = task->len - hrp_len - 1;
    const struct coin *coin = coin_by_prefix(task->text, hrp_len, false, &net);
    if (coin && !task_wants(task, coin, task->text, hrp_len + 1))
        return;
    if (task->text[hrp_len] != '1') {
        task_mark(task, hrp_len);
        task_wrong(task, "After '%.*s' comes the digit 1.", (int)hrp_len, task->text);
    } else if (task->len > BECH32_MAX || n < 1 + BECH32_SUM) {
        task_wrong(task, "It has %zu characters; such an address has %d to %d.", task->len, 14,
                   BECH32_MAX);
    } else if (symbols_read(task, hrp_len + 1, symbols)) {
        if (mixed_case(task->text, task->len))
            mark_mixed_case(task);
        else if (coin)
            check_ours(task, hrp_len, symbols, n);
        else
            check_stranger(task, hrp_len, symbols, n);
    }
}
