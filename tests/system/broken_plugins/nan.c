/* A source whose devices say NaN, infinity, what no miner can do, and metrics that nobody knows. */
#include "shepherd/plugin.h"

#include <math.h>

static struct {
    struct shep_ctx *ctx;
    const struct shep_host *host;
} self_;

static const struct shep_option device_options[] = {
    {"path", "anything", NULL, NULL, SHEP_OPT_STRING, SHEP_OPT_REQUIRED, 0, 0}, {0}};

static int start(struct shep_ctx *ctx, const struct shep_host *host, void **self)
{
    self_.ctx = ctx;
    self_.host = host;
    *self = &self_;
    return 0;
}

static int attach(void *self, struct shep_device *dev)
{
    static const double values[] = {NAN, INFINITY, -INFINITY, -500, 1e300, 55000};
    static const uint32_t metrics[] = {SHEP_M_HASHRATE, SHEP_M_TEMPERATURE, 63, 127, 4000000000u};
    self_.host->device_link(self_.ctx, dev, 1, NULL);
    for (size_t m = 0; m < sizeof metrics / sizeof metrics[0]; m++) {
        for (size_t v = 0; v < sizeof values / sizeof values[0]; v++) {
            struct shep_reading reading = {
                .size = sizeof reading, .metric = metrics[m], .value = values[v]};
            self_.host->device_reading(self_.ctx, dev, &reading);
        }
    }
    return 0;
}

static void detach(void *self, struct shep_device *dev)
{
}

static void stop(void *self)
{
}

static const struct shep_source_ops ops = {.size = sizeof ops,
                                           .device_options = device_options,
                                           .start = start,
                                           .attach = attach,
                                           .detach = detach,
                                           .stop = stop};
static const struct shep_plugin description = {.size = sizeof description,
                                               .abi_major = SHEP_ABI_MAJOR,
                                               .abi_minor = SHEP_ABI_MINOR,
                                               .kind = SHEP_KIND_SOURCE,
                                               .option_size = sizeof(struct shep_option),
                                               .metric_size = sizeof(struct shep_metric_info),
                                               .name = "nan",
                                               .version = "1",
                                               .summary = "a fixture",
                                               .license = "MIT",
                                               .ops = &ops};

SHEP_EXPORT const struct shep_plugin *shep_plugin_v1(void)
{
    return &description;
}
