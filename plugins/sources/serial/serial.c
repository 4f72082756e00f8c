/* Source "serial": miners on serial ports. This file: the plugin's face, what it thinks of ports
 * that others found, and when to look whether configured paths are there: inotify says so at once,
 * and now and then all are looked at. The look itself runs on a worker. Thread: loop. */
#include "serial.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/random.h>
#include <unistd.h>

enum {
    SWEEP_MS = 30000,      /* a look at all paths, whatever inotify says or not */
    SWEEP_BLIND_MS = 2000, /* where inotify cannot be had */
    LOOK_GAP_MS = 50,      /* between two looks: a path that flickers must not keep a worker busy */
    EVENT_BYTES = 16384    /* some 300 events; what is left makes the next turn */
};

/* ---- looking ---- */

static void sweep_arm(struct serial *self);

static void look_fire(void *arg)
{
    struct serial *self = arg;
    self->look_timer = NULL;
    serial_look(self);
}

static void look_later(struct serial *self, int64_t in_ms)
{
    if (!self->look_timer &&
        self->host->timer(self->ctx, in_ms, 0, look_fire, self, &self->look_timer) < 0)
        self->look_timer = NULL; /* the next sweep looks */
}

void serial_look_soon(struct serial *self)
{
    look_later(self, 0);
}

static void unwatch_now(struct serial *self, int wd)
{
    if (!ports_watch(self, wd))
        inotify_rm_watch(self->inotify, wd); /* EINVAL: its directory is gone, and the watch */
}

/* A look under way may just now ask for the same directory for another port. */
void serial_unwatch(struct serial *self, int wd)
{
    if (!self->look)
        unwatch_now(self, wd);
    else if (self->n_stale < sizeof self->stale / sizeof *self->stale)
        self->stale[self->n_stale++] = wd;
    /* else it stays: events for nobody, until the plugin stops */
}

static void blind_set(struct serial *self, bool blind)
{
    if (blind == self->blind)
        return;
    self->blind = blind;
    if (blind)
        self->host->log(self->ctx, SHEP_LOG_INFO,
                        "not every configured path can be watched (is the limit "
                        "fs.inotify.max_user_watches or max_user_instances reached?); looking "
                        "every %d s",
                        SWEEP_BLIND_MS / 1000);
    sweep_arm(self);
}

static void look_done(void *arg)
{
    struct look *look = arg;
    struct serial *self = look->self;
    if (self) {
        self->look = NULL;
        for (size_t i = 0; i < look->n_views; i++)
            port_seen(self, look, &look->views[i]);
        while (self->n_stale > 0)
            unwatch_now(self, self->stale[--self->n_stale]);
        if (look->blind)
            blind_set(self, true);
        if (ports_to_look(self) > 0)
            serial_look(self);
        port_pump(self);
    }
    free(look);
}

void serial_look(struct serial *self)
{
    size_t n = ports_to_look(self);
    if (self->look || n == 0)
        return;
    int64_t now = self->host->mono_ms(self->ctx), wait = self->looked_ms + LOOK_GAP_MS - now;
    if (self->looked_ms && wait > 0) {
        look_later(self, wait);
        return;
    }
    struct look *look = calloc(1, sizeof *look + n * sizeof look->views[0]);
    if (!look)
        return; /* the next sweep looks */
    self->looked_ms = now;
    look->self = self;
    look->blind = self->inotify < 0;
    memcpy(look->sysfs_root, self->sysfs_root, sizeof look->sysfs_root);
    memcpy(look->dev_root, self->dev_root, sizeof look->dev_root);
    look->inotify = self->inotify < 0 ? -1 : fcntl(self->inotify, F_DUPFD_CLOEXEC, 0);
    ports_fill(self, look, n);
    if (self->host->work(self->ctx, look_run, look_done, look) >= 0) {
        self->look = look;
        return;
    }
    for (size_t i = 0; i < look->n_views; i++) /* the queue of jobs is full: later */
        port_look_again(self, look->views[i].id);
    if (look->inotify >= 0)
        close(look->inotify);
    free(look);
    look_later(self, SWEEP_BLIND_MS);
}

static void sweep_fire(void *arg)
{
    struct serial *self = arg;
    ports_touched(self, -1, 0);
    serial_look(self);
}

static void sweep_arm(struct serial *self)
{
    int64_t every = self->blind ? SWEEP_BLIND_MS : SWEEP_MS;
    self->host->timer_cancel(self->ctx, self->sweep_timer);
    self->sweep_timer = NULL;
    if (self->host->timer(self->ctx, every, every, sweep_fire, self, &self->sweep_timer) < 0)
        self->host->fail(self->ctx, SHEP_E_NOMEM,
                         "no timer left: ports that come back are seen "
                         "only while inotify tells of them");
}

/* ---- inotify ---- */

static bool event_take(struct serial *self, const struct inotify_event *event)
{
    if (event->mask & IN_Q_OVERFLOW)
        return ports_touched(self, -1, 0);
    if (event->mask & (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF))
        return ports_touched(self, event->wd, 0);
    return event->len > 0 && ports_touched(self, event->wd, name_hash(event->name));
}

static void on_inotify(int fd, uint32_t what, void *arg)
{
    struct serial *self = arg;
    _Alignas(struct inotify_event) char bytes[EVENT_BYTES];
    ssize_t len = read(fd, bytes, sizeof bytes);
    bool touched = false;
    for (ssize_t at = 0; at < len;) {
        const struct inotify_event *event = (const void *)(bytes + at);
        touched |= event_take(self, event);
        at += (ssize_t)(sizeof *event + event->len);
    }
    if (touched)
        serial_look(self);
}

static void inotify_start(struct serial *self)
{
    self->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (self->inotify >= 0 && self->host->watch_fd(self->ctx, self->inotify, SHEP_WATCH_READ,
                                                   on_inotify, self, &self->inotify_watch) < 0) {
        close(self->inotify);
        self->inotify = -1;
    }
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
    inotify_start(self);
    sweep_arm(self);
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
    if (self->look)
        self->look->self = NULL;
    port_free_all(self);
    self->host->watch_cancel(self->ctx, self->inotify_watch);
    if (self->inotify >= 0)
        close(self->inotify);
    self->host->timer_cancel(self->ctx, self->look_timer);
    self->host->timer_cancel(self->ctx, self->sweep_timer);
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
