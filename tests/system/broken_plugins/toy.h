/* A whole, right parser plugin; each fixture includes it and breaks one thing by a macro. It reads
 * lines "toy NUMBER" as a hash rate. */
#ifndef TOY_H
#define TOY_H

#include "shepherd/plugin.h"

#include <stdlib.h>
#include <string.h>

#ifndef TOY_NAME
#error "TOY_NAME is the plugin's name"
#endif
#ifndef TOY_SIZE
#define TOY_SIZE sizeof(struct shep_plugin)
#endif
#ifndef TOY_MAJOR
#define TOY_MAJOR SHEP_ABI_MAJOR
#endif
#ifndef TOY_MINOR
#define TOY_MINOR SHEP_ABI_MINOR
#endif

static int service_start(struct shep_ctx *ctx, const struct shep_host *host, void **self);
static void service_stop(void *self);
#ifndef TOY_START
static int service_start(struct shep_ctx *ctx, const struct shep_host *host, void **self)
{
    *self = ctx;
    host->log(ctx, SHEP_LOG_INFO, "started");
    return 0;
}
#endif
static void service_stop(void *self)
{
    (void)self;
}

#ifndef TOY_OPTIONS
#define TOY_OPTIONS NULL
#endif

static const struct shep_service_ops ops = {
    .size = sizeof ops, .start = service_start, .stop = service_stop};
static const struct shep_plugin description = {
    .size = TOY_SIZE,
    .abi_major = TOY_MAJOR,
    .abi_minor = TOY_MINOR,
    .kind = SHEP_KIND_SERVICE,
    .option_size = sizeof(struct shep_option),
    .metric_size = sizeof(struct shep_metric_info),
    .name = TOY_NAME,
    .version = "1",
    .summary = "a fixture",
    .license = "MIT",
    .options = TOY_OPTIONS,
    .ops = &ops,
};

#ifndef TOY_NO_SYMBOL
SHEP_EXPORT const struct shep_plugin *shep_plugin_v1(void)
{
    return &description;
}
#else
SHEP_EXPORT const struct shep_plugin *shep_plugin_v0(void);
SHEP_EXPORT const struct shep_plugin *shep_plugin_v0(void)
{
    return &description;
}
#endif
#endif
