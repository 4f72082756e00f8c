/* The replies are hostile input: anything may be missing, of another type or nonsense. Each number
 * is taken for itself, so that one bad field costs that field only. */
#include "parse.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

enum {
    DIGITS_MAX = 9,                    /* of a height */
    FUTURE_MAX_MS = 2 * 60 * 60 * 1000 /* of a block's time: the network's own rule */
};

const struct question questions[PARTS] = {
    [PART_TIP] = {"/api/blocks/tip/height", 256},
    [PART_FEES] = {"/api/v1/fees/recommended", 4096},
    [PART_RETARGET] = {"/api/v1/difficulty-adjustment", 8192},
    [PART_HASHRATE] = {"/api/v1/mining/hashrate/3d", 65536},
    [PART_BLOCKS] = {"/api/v1/blocks", 524288}, /* 15 blocks with much about each */
};

#define FIELD(name, part, min, max, whole)                                                         \
    {                                                                                              \
#name, part, offsetof(struct network, name), min, max, whole                               \
    }
/* Difficulty changes by a quarter to four times at once; that is the network's rule. */
const struct field fields[] = {
    FIELD(height, PART_TIP, 1, 1e8, true),
    FIELD(fee_fastest, PART_FEES, 0, 1e5, false),
    FIELD(fee_half_hour, PART_FEES, 0, 1e5, false),
    FIELD(fee_hour, PART_FEES, 0, 1e5, false),
    FIELD(fee_minimum, PART_FEES, 0, 1e5, false),
    FIELD(retarget_blocks, PART_RETARGET, 0, 2016, true),
    FIELD(retarget_percent, PART_RETARGET, -75, 300, false),
    FIELD(hashrate, PART_HASHRATE, 1, 1e27, false),
    FIELD(difficulty, PART_HASHRATE, 1, 1e22, false),
    FIELD(tip_at_ms, PART_BLOCKS, 1231006505000.0, 4102444800000.0, true), /* 2009 to 2100 */
};
const size_t n_fields = sizeof fields / sizeof *fields;

double *network_value(struct network *network, const struct field *field)
{
    return (double *)(void *)((char *)network + field->at);
}

void network_forget(struct network *network, enum part part)
{
    for (size_t i = 0; i < n_fields; i++)
        if (fields[i].part == part)
            *network_value(network, &fields[i]) = NAN;
}

double field_check(const struct field *field, double value, int64_t now_ms)
{
    if (!(value >= field->min && value <= field->max) ||
        (field->whole && value != (double)(int64_t)value))
        return NAN;
    if (field->part == PART_BLOCKS && value > (double)(now_ms + FUTURE_MAX_MS))
        return NAN;
    return value;
}

static bool is_white(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* "698767", perhaps with white space around. */
static double height_of(const char *body, size_t len)
{
    double height = 0;
    size_t i = 0, n = 0;
    while (i < len && is_white(body[i]))
        i++;
    for (; i < len && body[i] >= '0' && body[i] <= '9' && n <= DIGITS_MAX; i++, n++)
        height = height * 10 + (body[i] - '0');
    while (i < len && is_white(body[i]))
        i++;
    return i == len && n >= 1 && n <= DIGITS_MAX ? height : NAN;
}

static double number_in(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

/* [{"height":698767,"timestamp":1630621513, …}, …]: the time of the highest one. */
static double tip_time(const json_t *blocks)
{
    double best = -1, at_s = NAN;
    size_t i;
    json_t *block;
    json_array_foreach(blocks, i, block)
    {
        double height = number_in(block, "height"), time_s = number_in(block, "timestamp");
        if (height > best && isfinite(time_s)) {
            best = height;
            at_s = time_s;
        }
    }
    return at_s * 1000;
}

static void read_reply(enum part part, const json_t *reply, struct network *out)
{
    switch (part) {
    case PART_FEES:
        out->fee_fastest = number_in(reply, "fastestFee");
        out->fee_half_hour = number_in(reply, "halfHourFee");
        out->fee_hour = number_in(reply, "hourFee");
        out->fee_minimum = number_in(reply, "minimumFee");
        break;
    case PART_RETARGET:
        out->retarget_blocks = number_in(reply, "remainingBlocks");
        out->retarget_percent = number_in(reply, "difficultyChange");
        break;
    case PART_HASHRATE:
        out->hashrate = number_in(reply, "currentHashrate");
        out->difficulty = number_in(reply, "currentDifficulty");
        break;
    case PART_BLOCKS:
        out->tip_at_ms = tip_time(reply);
        break;
    case PART_TIP:
    case PARTS:
        break;
    }
}

bool network_parse(enum part part, const char *body, size_t len, int64_t now_ms,
                   struct network *out)
{
    struct network fresh = *out;
    bool any = false;
    network_forget(&fresh, part);
    if (part == PART_TIP) {
        fresh.height = height_of(body, len);
    } else {
        json_t *reply = json_loadb(body, len, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, NULL);
        read_reply(part, reply, &fresh);
        json_decref(reply);
    }
    for (size_t i = 0; i < n_fields; i++) {
        if (fields[i].part != part)
            continue;
        double *value = network_value(&fresh, &fields[i]);
        *value = field_check(&fields[i], *value, now_ms);
        any = any || isfinite(*value);
    }
    if (any)
        *out = fresh;
    return any;
}
