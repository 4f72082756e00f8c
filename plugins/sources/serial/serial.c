/* Source "serial": miners on serial ports. This file: the plugin's face, and what it thinks of
 * ports that others found. Thread: loop. */
#include "serial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* ---- the plugin ---- */

static int root_read(struct serial *self, const char *name, char out[static SERIAL_PATH_MAX])
{
    const char *value = "";
    self->host->opt_str(self->ctx, name, &value);
    if (value[0] != '/' || snprintf(out, SERIAL_PATH_MAX, "%s", value) >= SERIAL_PATH_MAX - 64)
        return self->host->fail(self->ctx, SHEP_E_CONFIG,
                                "serial: %s must be an absolute path, not \"%.100s\"", name, value);
    return 0;
}

static int options_read(struct serial *self)
{
    const char *listen = "known", *ids = "";
    char bad[32];
    int discover = 1;
    self->host->opt_bool(self->ctx, "discover", &discover);
    self->host->opt_str(self->ctx, "listen", &listen);
    self->host->opt_str(self->ctx, "ids", &ids);
    self->discover = discover != 0;
    self->listen_all = !strcmp(listen, "all");
    if (!models_parse(ids, &self->ids, bad))
        return self->host->fail(self->ctx, SHEP_E_CONFIG,
                                "serial: ids: \"%s\" is no USB id like \"2e8a:000a\", or the list "
                                "has more than %d of them",
                                bad, SERIAL_IDS_MAX);
    int err = root_read(self, "sysfs_root", self->sysfs_root);
    return err < 0 ? err : root_read(self, "dev_root", self->dev_root);
}

static int serial_start(struct shep_ctx *ctx, const struct shep_host *host, void **out)
{
    struct serial *self = calloc(1, sizeof *self);
    if (!self)
        return SHEP_E_NOMEM;
    self->ctx = ctx;
    self->host = host;
    if (getrandom(&self->random, sizeof self->random, GRND_NONBLOCK) < 0 || !self->random)
        self->random = (uint64_t)host->mono_ms(ctx) | 1;
    int err = options_read(self);
    if (err < 0) {
        free(self);
        return err;
    }
    watch_start(self);
    *out = self;
    return 0;
}

static int serial_attach(void *arg, struct shep_device *dev)
{
    return port_new(arg, dev);
}

static void serial_detach(void *arg, struct shep_device *dev)
{
    port_free(arg, dev);
}

static int serial_judge(void *arg, const struct shep_found *found)
{
    struct serial *self = arg;
    if (!self->discover || !found->vendor_id || !found->product_id || !found->path ||
        found->path[0] != '/')
        return SHEP_E_UNSUPPORTED;
    return (int)models_judge(&self->ids, self->listen_all, found->vendor_id, found->product_id,
                             found->description ? found->description : "");
}

static int serial_reset(void *arg, struct shep_device *dev)
{
    return port_reset(arg, dev);
}

static void serial_stop(void *arg)
{
    struct serial *self = arg;
    port_free_all(self);
    watch_stop(self);
    self->host->timer_cancel(self->ctx, self->pump);
    free(self);
}

static const struct shep_option options[] = {
    {"discover", "offer USB serial ports that nobody configured", "true", NULL, SHEP_OPT_BOOL, 0, 0,
     0},
    {"listen",
     "which of them to listen to unasked: chips with native USB from Espressif, or all "
     "that look like a miner's",
     "known", "known|all", SHEP_OPT_STRING, 0, 0, 0},
    {"ids", "further USB ids that miners have, like \"2e8a:000a, 1209:4d4d\"", "", NULL,
     SHEP_OPT_STRING, 0, 0, 0},
    {"sysfs_root", "where sysfs is, for containers and tests", "/sys", NULL, SHEP_OPT_STRING, 0, 0,
     0},
    {"dev_root", "where the device nodes are, for containers and tests", "/dev", NULL,
     SHEP_OPT_STRING, 0, 0, 0},
    {0},
};

static const struct shep_option device_options[] = {
    {"path", "the port: /dev/ttyUSB0, /dev/serial/by-id/… or a pseudo-terminal", NULL, NULL,
     SHEP_OPT_STRING, SHEP_OPT_REQUIRED, 0, 0},
    {"baud", "line speed; 8 data bits, no parity, 1 stop bit", "115200", NULL, SHEP_OPT_INT, 0,
     2400, 2000000},
    {"dtr_rts",
     "leave both lines as the kernel sets them, or deassert them for boards that hang in "
     "reset while a port is open",
     "leave", "leave|deassert", SHEP_OPT_STRING, 0, 0, 0},
    {0},
};

static const struct shep_source_ops ops = {
    .size = sizeof ops,
    .device_options = device_options,
    .start = serial_start,
    .attach = serial_attach,
    .detach = serial_detach,
    .stop = serial_stop,
    .judge = serial_judge,
    .reset = serial_reset,
    .may_add = models_may_add,
};

static const struct shep_plugin plugin = {
    .size = sizeof plugin,
    .abi_major = SHEP_ABI_MAJOR,
    .abi_minor = SHEP_ABI_MINOR,
    .kind = SHEP_KIND_SOURCE,
    .option_size = sizeof(struct shep_option),
    .metric_size = sizeof(struct shep_metric_info),
    .name = "serial",
    .version = SHEP_VERSION,
    .summary = "miners on USB serial ports and pseudo-terminals",
    .license = "MIT",
    .options = options,
    .ops = &ops,
};

const struct shep_plugin *shep_plugin_v1(void)
{
    return &plugin;
}
