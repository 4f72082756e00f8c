/* Source "serial": miners on serial ports. This file: the plugin's face, and the scan that each 2 s
 * looks for USB serial ports nobody configured and whether configured paths are there. The scan
 * itself runs on a worker thread; what follows from it happens here, on the loop. */
#include "serial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

struct scan {
    struct serial *self; /* NULL: stopped meanwhile */
    char sysfs_root[SERIAL_PATH_MAX], dev_root[SERIAL_PATH_MAX];
    bool discover;
    struct usb_port found[SERIAL_FOUND_MAX];
    size_t n_found, n_views;
    struct port_view views[];
};

static void scan_run(void *arg)
{
    struct scan *scan = arg;
    if (scan->discover)
        scan->n_found =
            discover_scan(scan->sysfs_root, scan->dev_root, scan->found, SERIAL_FOUND_MAX);
    for (size_t i = 0; i < scan->n_views; i++) {
        struct port_view *view = &scan->views[i];
        struct stat st;
        view->exists = stat(view->path, &st) == 0;
        view->rdev = view->exists && S_ISCHR(st.st_mode) ? st.st_rdev : 0;
    }
}

/* ---- strangers ---- */

static bool key_taken(const struct serial *self, const struct scan *scan, const char *key,
                      const struct usb_port *except)
{
    for (size_t i = 0; i < self->n_known; i++)
        if (!strcmp(self->known[i].key, key) && strcmp(self->known[i].port_path, except->port_path))
            return true;
    for (size_t i = 0; i < scan->n_found; i++)
        if (&scan->found[i] != except && !strcmp(scan->found[i].base_key, key))
            return true;
    return false;
}

static struct usb_port *known_find(struct serial *self, const struct usb_port *port)
{
    for (size_t i = 0; i < self->n_known; i++) {
        struct usb_port *known = &self->known[i];
        if (!strcmp(known->base_key, port->base_key) && !strcmp(known->port_path, port->port_path))
            return known;
    }
    return NULL;
}

/* A port keeps its key while it stays. Of two with the same serial number the newcomer, or both
 * when they are seen together, get the place where they are plugged in appended. */
static void key_choose(struct serial *self, const struct scan *scan, struct usb_port *port)
{
    const struct usb_port *known = known_find(self, port);
    if (known) {
        memcpy(port->key, known->key, sizeof port->key);
        return;
    }
    memcpy(port->key, port->base_key, sizeof port->key);
    if (strchr(port->base_key, '@') || !key_taken(self, scan, port->base_key, port))
        return;
    size_t len = strlen(port->key);
    snprintf(port->key + len, sizeof port->key - len, "@%s", port->port_path);
    self->host->log(self->ctx, SHEP_LOG_WARN,
                    "%s: its USB serial number %s is not unique; it is told apart by the port that "
                    "it is plugged into (%s)",
                    port->node, port->serial, port->port_path);
}

static uint32_t found_flags(const struct serial *self, const struct usb_port *port)
{
    unsigned model = discover_model(port->vid, port->pid);
    unsigned wanted = self->listen == LISTEN_ALL ? MODEL_LIKELY : MODEL_NATIVE;
    return model & wanted ? SHEP_FOUND_LISTEN : 0;
}

static void found_tell(struct serial *self, const struct usb_port *port)
{
    struct shep_found found = {
        .size = sizeof found,
        .flags = found_flags(self, port),
        .key = port->key,
        .path = port->node,
        .port_path = port->port_path,
        .description = port->description,
        .serial = port->serial[0] ? port->serial : NULL,
        .vendor_id = port->vid,
        .product_id = port->pid,
    };
    self->host->device_found(self->ctx, &found);
}

static bool port_same(const struct usb_port *a, const struct usb_port *b)
{
    return !strcmp(a->node, b->node) && !strcmp(a->description, b->description) &&
           !strcmp(a->port_path, b->port_path);
}

static bool path_attached(const struct scan *scan, dev_t rdev)
{
    for (size_t i = 0; i < scan->n_views; i++)
        if (scan->views[i].exists && scan->views[i].rdev == rdev)
            return true;
    return false;
}

static void known_drop(struct serial *self, size_t i)
{
    self->host->device_lost(self->ctx, self->known[i].key);
    self->known[i] = self->known[--self->n_known];
}

/* What is no longer there is lost. So is a stranger that was given to a miner by its path; one that
 * the core listens to unasked stays known, so that its unplugging is told. */
static void strangers_forget(struct serial *self, const struct scan *scan)
{
    for (size_t i = self->n_known; i-- > 0;) {
        const struct usb_port *known = &self->known[i], *now = NULL;
        for (size_t j = 0; j < scan->n_found && !now; j++)
            if (!strcmp(scan->found[j].base_key, known->base_key) &&
                !strcmp(scan->found[j].port_path, known->port_path))
                now = &scan->found[j];
        if (!now ||
            (!(found_flags(self, known) & SHEP_FOUND_LISTEN) && path_attached(scan, now->rdev)))
            known_drop(self, i);
    }
}

static void strangers_tell(struct serial *self, struct scan *scan)
{
    for (size_t i = 0; i < scan->n_found; i++) {
        struct usb_port *port = &scan->found[i];
        key_choose(self, scan, port);
        struct usb_port *known = known_find(self, port);
        if (known ? port_same(known, port)
                  : path_attached(scan, port->rdev) || self->n_known == SERIAL_FOUND_MAX)
            continue;
        if (!known)
            known = &self->known[self->n_known++];
        *known = *port;
        found_tell(self, port);
    }
}

/* ---- the scan ---- */

static void scan_done(void *arg)
{
    struct scan *scan = arg;
    struct serial *self = scan->self;
    if (self) {
        self->scan = NULL;
        for (size_t i = 0; i < scan->n_views; i++)
            port_seen(self, scan->views[i].id, scan->views[i].exists, scan->views[i].rdev);
        if (scan->discover) {
            strangers_forget(self, scan);
            strangers_tell(self, scan);
        }
        port_pump(self);
    }
    free(scan);
}

static void scan_start(void *arg)
{
    struct serial *self = arg;
    size_t n = port_count(self);
    if (self->scan || (!self->discover && n == 0))
        return; /* the last one still runs: sysfs is slow under load, do not queue up */
    struct scan *scan = calloc(1, sizeof *scan + n * sizeof scan->views[0]);
    if (!scan)
        return;
    scan->self = self;
    scan->discover = self->discover;
    memcpy(scan->sysfs_root, self->sysfs_root, sizeof scan->sysfs_root);
    memcpy(scan->dev_root, self->dev_root, sizeof scan->dev_root);
    scan->n_views = port_views(self, scan->views, n);
    if (self->host->work(self->ctx, scan_run, scan_done, scan) < 0)
        free(scan);
    else
        self->scan = scan;
}

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
    const char *listen = "known";
    int discover = 1;
    self->host->opt_bool(self->ctx, "discover", &discover);
    self->host->opt_str(self->ctx, "listen", &listen);
    self->discover = discover != 0;
    self->listen = !strcmp(listen, "all") ? LISTEN_ALL : LISTEN_KNOWN;
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
    if (err >= 0)
        err = host->timer(ctx, 0, SERIAL_SCAN_MS, scan_start, self, NULL);
    if (err < 0) {
        free(self);
        return err;
    }
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

static void serial_stop(void *arg)
{
    struct serial *self = arg;
    if (self->scan)
        self->scan->self = NULL;
    port_free_all(self);
    free(self);
}

static const struct shep_option options[] = {
    {"discover", "look for USB serial ports that nobody configured", "true", NULL, SHEP_OPT_BOOL, 0,
     0, 0},
    {"listen",
     "which of them to listen to unasked: chips with native USB from Espressif, or all "
     "that look like a miner's",
     "known", "known|all", SHEP_OPT_STRING, 0, 0, 0},
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
