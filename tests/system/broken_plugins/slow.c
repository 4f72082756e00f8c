/* A callback that holds the loop for 60 ms, once. */
#define TOY_NAME "slow"
#define TOY_START
#include "toy.h"

struct slow {
    struct shep_ctx *ctx;
    const struct shep_host *host;
};
static struct slow slow;

static void hold(void *arg)
{
    int64_t until_ms = slow.host->mono_ms(slow.ctx) + 60;
    while (slow.host->mono_ms(slow.ctx) < until_ms)
        ;
}

static int service_start(struct shep_ctx *ctx, const struct shep_host *host, void **self)
{
    slow.ctx = ctx;
    slow.host = host;
    return host->timer(ctx, 1, 0, hold, NULL, NULL);
}
