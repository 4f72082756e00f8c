#define TOY_NAME "bad_start"
#define TOY_START
#include "toy.h"

static void never(void *arg)
{
    abort(); /* the core must have removed this timer */
}

static int service_start(struct shep_ctx *ctx, const struct shep_host *host, void **self)
{
    host->timer(ctx, 50, 50, never, NULL, NULL);
    return host->fail(ctx, SHEP_E_IO, "the flux capacitor is missing; buy one");
}
