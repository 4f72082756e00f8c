#include "unit/toy_parser.h"

#include <math.h>

int toy_open_count, toy_shut_count;

enum { FLOOD_MAX = 16 * INGEST_EMIT_MAX }; /* in all: a fuzzer writes any number, on many lines */

struct toy {
    struct shep_ctx *ctx;
    const struct shep_host *host;
    double factor;
    uint32_t own;
    int flooded;
};

static bool has(const char *text, size_t len, const char *word)
{
    return memmem(text, len, word, strlen(word)) != NULL;
}

static int toy_probe(const char *text, size_t len)
{
    return has(text, len, "toy miner") ? 90 : has(text, len, "toy ") ? 40 : 0;
}

static int other_probe(const char *text, size_t len)
{
    return has(text, len, "other miner") ? 95 : has(text, len, "maybe other") ? 35 : 0;
}

static int shut_probe(const char *text, size_t len)
{
    return has(text, len, "shut miner") ? 100 : 0;
}

static int open_toy(struct shep_ctx *ctx, const struct shep_host *host, void **self, double factor)
{
    struct toy *toy = shep_alloc(sizeof(*toy));
    *toy = (struct toy){.ctx = ctx, .host = host, .factor = factor};
    if (host->metric_id(ctx, "toy.own", &toy->own) != 0)
        toy->own = SHEP_M_NONE;
    *self = toy;
    toy_open_count++;
    return 0;
}

static int toy_open(struct shep_ctx *ctx, const struct shep_host *host, void **self)
{
    return open_toy(ctx, host, self, 1);
}

static int other_open(struct shep_ctx *ctx, const struct shep_host *host, void **self)
{
    return open_toy(ctx, host, self, 10);
}

static int shut_open(struct shep_ctx *ctx, const struct shep_host *host, void **self)
{
    toy_shut_count++;
    return SHEP_E_CONFIG;
}

static void toy_close(void *self)
{
    free(self);
    toy_open_count--;
}

static int emit(const struct toy *toy, uint32_t metric, double value)
{
    struct shep_reading reading = {.size = sizeof(reading), .metric = metric, .value = value};
    return toy->host->emit(toy->ctx, &reading);
}

/* The number behind a word that stands anywhere in the line. */
static bool number_after(const struct shep_line *line, const char *word, double *out)
{
    const char *at = memmem(line->text, line->len, word, strlen(word));
    if (!at)
        return false;
    at += strlen(word);
    char copy[40];
    str_copy(copy, sizeof(copy), at, line->len - (size_t)(at - line->text));
    *out = strtod(copy, NULL);
    return true;
}

static int toy_line(void *self, const struct shep_line *line)
{
    struct toy *toy = self;
    double n;
    const char *pool = memmem(line->text, line->len, "pool ", 5);
    if (number_after(line, "rate ", &n)) {
        emit(toy, SHEP_M_HASHRATE, n * toy->factor);
    } else if (number_after(line, "own ", &n)) {
        emit(toy, toy->own, n);
    } else if (number_after(line, "flood ", &n)) {
        for (int i = 0; i < n && toy->flooded < FLOOD_MAX; i++, toy->flooded++)
            emit(toy, SHEP_M_HASHRATE, i);
    } else if (pool) {
        pool += 5;
        struct shep_reading reading = {.size = sizeof(reading),
                                       .metric = SHEP_A_POOL,
                                       .text = pool,
                                       .text_len = line->len - (size_t)(pool - line->text)};
        toy->host->emit(toy->ctx, &reading);
    } else if (has(line->text, line->len, "reset")) {
        struct shep_event event = {.size = sizeof(event), .event = SHEP_EV_RESET};
        toy->host->event(toy->ctx, &event);
    } else {
        return 0;
    }
    return 1;
}

static const struct shep_parser_ops toy_ops = {sizeof(toy_ops), toy_probe, toy_open, toy_line,
                                               toy_close};
static const struct shep_parser_ops other_ops = {sizeof(other_ops), other_probe, other_open,
                                                 toy_line, toy_close};
static const struct shep_parser_ops shut_ops = {sizeof(shut_ops), shut_probe, shut_open, toy_line,
                                                toy_close};
static const struct ingest_parser items[] = {
    {"toy", &toy_ops}, {"other", &other_ops}, {"shut", &shut_ops}};
const struct ingest_parsers toy_parsers = {items, ARRAY_LEN(items)};
