/* libFuzzer: any bytes as lines of a NerdMiner. Each input is one stream; LF ends a line, and the
 * first byte of a line moves the clock, so that boot loops are found too. Besides the sanitizers it
 * checks what the core relies on: sizes, ids, text lengths and finite values. */
#include "shepherd/plugin.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct shep_ctx {
    size_t said;
};

static void check(int ok)
{
    if (!ok) {
        abort();
    }
}

static int on_emit(struct shep_ctx *ctx, const struct shep_reading *r)
{
    ctx->said++;
    check(r->size == sizeof(*r) && r->metric > 0 && r->metric < SHEP_ATTR_END);
    if (r->metric < SHEP_METRIC_MAX) {
        check(isfinite(r->value));
    } else {
        check(r->text != NULL && r->text_len <= SHEP_TEXT_MAX);
    }
    return SHEP_OK;
}

static int on_event(struct shep_ctx *ctx, const struct shep_event *e)
{
    ctx->said++;
    check(e->size == sizeof(*e) && e->event != SHEP_EV_NONE && isfinite(e->value));
    check(e->text_len == 0 || e->text != NULL);
    return SHEP_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct shep_host host = {.size = sizeof(host),
                                          .abi_major = SHEP_ABI_MAJOR,
                                          .abi_minor = SHEP_ABI_MINOR,
                                          .emit = on_emit,
                                          .event = on_event};
    const struct shep_parser_ops *ops = shep_plugin_v1()->ops;
    struct shep_ctx ctx = {0};
    void *self = NULL;
    struct shep_line line = {.size = sizeof(line)};

    check(ops->open(&ctx, &host, &self) == SHEP_OK);
    while (size > 0) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t len = end != NULL ? (size_t)(end - data) : size;

        /* a buffer of exactly this line: reading past its end is found */
        line.len = len < SHEP_LINE_MAX ? len : SHEP_LINE_MAX;
        char *copy = malloc(line.len + (line.len == 0));
        check(copy != NULL);
        memcpy(copy, data, line.len);
        line.text = copy;
        line.at_ms += len > 0 ? data[0] * 100 : 1;
        line.seq++;
        int sure = ops->probe(line.text, line.len);
        int known = ops->line(self, &line);
        free(copy);
        check(sure >= 0 && sure <= 100 && (known == 0 || known == 1));
        size -= end != NULL ? len + 1 : len;
        data += end != NULL ? len + 1 : len;
    }
    ops->close(self);
    return 0;
}
