/* What the files of core/coin share. Nobody outside includes this. */
#ifndef SHEP_COIN_INTERNAL_H
#define SHEP_COIN_INTERNAL_H

#include "coin/coin.h"
#include "util/util.h"

enum {
    BECH32_MAX = 90, /* BIP 173: the checksum promises nothing beyond */
    BECH32_SUM = 6,  /* characters of its checksum */
    BASE58_MIN = 26, /* the shortest and longest text of 25 bytes */
    BASE58_MAX = 35,
    CASH_SUM = 8,
    FIND_MIN = 26 /* shorter words in a log are not looked at */
};

enum net { NET_MAIN, NET_TEST, NET_REGTEST, NETS };
enum { VERSIONS_MAX = 6 };

struct coin {
    const char *ticker, *name;
    const char *hrp[NETS];  /* bech32: what stands before the 1; NULL: none */
    const char *cash[NETS]; /* cashaddr: what stands before the colon */
    struct version {
        uint8_t byte, net;
        const char *kind; /* NULL: end of the list */
    } versions[VERSIONS_MAX];
};
/* coins.c */
extern const struct coin coins[];
extern const size_t n_coins;
const struct coin *coin_by_ticker(const char *ticker); /* in any case; NULL: not known */
const char *net_name(enum net net);
/* The coin whose hrp (cash: false) or prefix this is, in any case; NULL: none. */
const struct coin *coin_by_prefix(const char *text, size_t len, bool cash, enum net *net_out);
/* wanted NULL: the first that has it. */
const struct coin *coin_by_version(uint8_t byte, const struct coin *wanted,
                                   const struct version **out);

/* One question under way. Positions are those of the whole text that was given. */
struct task {
    const char *text; /* without spaces around it */
    size_t len, shift;
    const struct coin *coin; /* what the person says; NULL: any */
    struct coin_verdict *out;
};
void task_wrong(struct task *task, const char *fmt, ...) SHEP_PRINTF(2, 3);
void task_unknown(struct task *task, const char *fmt, ...) SHEP_PRINTF(2, 3);
void task_ok(struct task *task, const struct coin *coin, enum net net, const char *kind);
void task_mark(struct task *task, size_t at);
/* "character 12", "characters 3, 12 and 30": those marked so far. */
const char *task_marked(const struct task *task, char *out, size_t cap);
/* It is an address of that coin; was it asked for? Else the verdict is made. */
bool task_wants(struct task *task, const struct coin *coin, const char *prefix, size_t prefix_len);

/* bech32.c */
enum bech32_spec { SPEC_NONE, SPEC_BECH32, SPEC_BECH32M };
/* Value of a character in either case, -1: not in the alphabet. */
int bech32_value(char c);
/* Single case, or longer than base58 gets, and built like one: where its hrp ends. 0: it is not. */
size_t bech32_shape(const struct coin *coin, const char *text, size_t len);
void bech32_check(struct task *task, size_t hrp_len);
/* Letters of both cases? */
bool mixed_case(const char *text, size_t len);
void mark_mixed_case(struct task *task);
/* Has it a right checksum, whatever the coin? */
bool bech32_holds(const char *text, size_t len);

/* cashaddr.c */
bool cash_shape(const char *text, size_t len); /* without a prefix */
void cash_check(struct task *task);
bool cash_holds(const char *text, size_t len); /* without a prefix, for any that we know */

/* base58.c */
void base58_check(struct task *task);
bool base58_holds(const char *text, size_t len);
#endif
