/* What a server with the API of mempool.space answers, made into numbers. Pure: text in, numbers
 * out. */
#ifndef NETWORK_PARSE_H
#define NETWORK_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum part { PART_TIP, PART_FEES, PART_RETARGET, PART_HASHRATE, PART_BLOCKS, PARTS };

struct network { /* NAN: not known */
    double height, tip_at_ms;
    double difficulty, hashrate;                              /* H/s */
    double fee_fastest, fee_half_hour, fee_hour, fee_minimum; /* sat/vB */
    double retarget_blocks, retarget_percent;
};

/* One question, and which numbers its reply brings. */
struct question {
    const char *path;
    uint32_t max_bytes; /* a longer reply is refused */
};
extern const struct question questions[PARTS];

struct field {
    const char *name; /* of the fact */
    enum part part;
    size_t at; /* in struct network */
    double min, max;
    bool whole;
};
extern const struct field fields[];
extern const size_t n_fields;

void network_forget(struct network *network, enum part part);
double *network_value(struct network *network, const struct field *field);
/* The value when it may be that of this field, else NAN. */
double field_check(const struct field *field, double value, int64_t now_ms);

/* Sets the fields of this part: what the reply does not have, or has with a value that cannot be,
 * is NAN then. False and nothing touched: there is no good number in it. */
bool network_parse(enum part part, const char *body, size_t len, int64_t now_ms,
                   struct network *out);
#endif
