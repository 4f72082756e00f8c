/* See parser_host.h. */
#include "parser_host.h"

#include <stdio.h>
#include <string.h>

struct shep_ctx said;
static void *self;
int64_t now_ms;

const struct shep_parser_ops *ops(void)
{
    return shep_plugin_v1()->ops;
}

static int on_emit(struct shep_ctx *ctx, const struct shep_reading *r)
{
    assert_int_equal(r->size, sizeof(*r));
    assert_in_range(r->metric, 1, SHEP_ATTR_END - 1);
    ctx->n_readings++;
    ctx->have[r->metric] = true;
    ctx->value[r->metric] = r->value;
    if (r->metric >= SHEP_ATTR_FIRST) {
        assert_true(r->text_len <= SHEP_TEXT_MAX);
        memcpy(ctx->text[r->metric], r->text, r->text_len);
        ctx->text[r->metric][r->text_len] = '\0';
    }
    return SHEP_OK;
}

static int on_event(struct shep_ctx *ctx, const struct shep_event *e)
{
    assert_true(ctx->n_events < SAID_MAX);
    struct said_event *to = &ctx->events[ctx->n_events++];
    to->event = e->event;
    to->value = e->value;
    snprintf(to->text, sizeof(to->text), "%.*s", (int)e->text_len, e->text ? e->text : "");
    return SHEP_OK;
}

static const struct shep_host host = {.size = sizeof(host),
                                      .abi_major = SHEP_ABI_MAJOR,
                                      .abi_minor = SHEP_ABI_MINOR,
                                      .emit = on_emit,
                                      .event = on_event};

int setup(void **state)
{
    memset(&said, 0, sizeof(said));
    now_ms = 1000000;
    return ops()->open(&said, &host, &self);
}

int teardown(void **state)
{
    ops()->close(self);
    return 0;
}

/* A fresh stream in the middle of a test. */
void again(void)
{
    ops()->close(self);
    assert_int_equal(setup(NULL), 0);
}

int line_of(const char *text, size_t len)
{
    struct shep_line line = {
        .size = sizeof(line), .text = text, .len = len, .at_ms = now_ms, .seq = 1};
    return ops()->line(self, &line);
}

int line(const char *text)
{
    return line_of(text, strlen(text));
}

void assert_near(double got, double want, double slack)
{
    if (!(got - want <= slack && want - got <= slack)) {
        fail_msg("%.17g is not %.17g", got, want);
    }
}

void assert_value(uint32_t metric, double want)
{
    assert_true(said.have[metric]);
    assert_near(said.value[metric], want, want < 0 ? -want * 1e-12 : want * 1e-12);
}

void assert_text(uint32_t attr, const char *want)
{
    assert_true(said.have[attr]);
    assert_string_equal(said.text[attr], want);
}

size_t events(uint32_t event)
{
    size_t n = 0;
    for (size_t i = 0; i < said.n_events; i++) {
        n += said.events[i].event == event;
    }
    return n;
}

const struct said_event *last_event(uint32_t event)
{
    for (size_t i = said.n_events; i-- > 0;) {
        if (said.events[i].event == event) {
            return &said.events[i];
        }
    }
    fail_msg("no event %u", event);
    return NULL;
}

void submit(unsigned id)
{
    char text[200];
    snprintf(
        text, sizeof(text),
        "  Sending  : {\"id\":%u,\"method\":\"mining.submit\",\"params\":[\"bc1qmade.w\",\"j\","
        "\"00000001\",\"6924f954\",\"da5b9574\"]}",
        id);
    assert_known(text);
}
