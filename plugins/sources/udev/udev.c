/* Source "udev": tells which USB serial ports are there, at once when one comes or goes. It opens
 * none and judges none. This file: the plugin's face, and when to look.
 *
 * The monitor is opened before the first scan, so that nothing falls between. Every event, and
 * every message that got lost, is a reason to scan; the differences are told. What was removed is
 * told without waiting for a scan. Where no events reach us (containers without udevd) a scan runs
 * every 2 s. Thread: loop; the scan on a worker. */
#include "udev.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SCAN_GAP_MS = 100, /* between two scans: a storm of events must not keep a worker busy */
    WAITS_MAX = 3      /* scans that wait for udev to finish a port; then it is taken as it is */
};

static const char control_path[] = "/run/udev/control"; /* there while udevd runs */

struct scan {
    struct udev_source *self; /* NULL: stopped meanwhile */
    char sysfs_root[UDEV_PATH_MAX], dev_root[UDEV_PATH_MAX];
    bool raw, timed; /* timed: nobody said that something changed */
    bool all_dirty;
    size_t n_dirty; /* names that events spoke of since it began: it may have seen either state */
    char dirty[UDEV_DIRTY_MAX][UDEV_NAME_MAX];
    struct scan_result result;
};

static void scan_start(struct udev_source *self, bool timed);

static void scan_run(void *arg)
{
    struct scan *scan = arg;
    ports_scan(scan->sysfs_root, scan->dev_root, scan->raw, &scan->result);
}

static bool name_dirty(const void *arg, const char *name)
{
    const struct scan *scan = arg;
    for (size_t i = 0; i < scan->n_dirty; i++)
        if (!strcmp(scan->dirty[i], name))
            return true;
    return scan->all_dirty;
}

static void name_mark(struct scan *scan, const char *name)
{
    if (name_dirty(scan, name))
        return;
    if (scan->n_dirty == UDEV_DIRTY_MAX)
        scan->all_dirty = true;
    else
        snprintf(scan->dirty[scan->n_dirty++], UDEV_NAME_MAX, "%s", name);
}

/* ---- when to look ---- */

static void timer_fire(void *arg)
{
    struct udev_source *self = arg;
    self->timer = NULL;
    scan_start(self, true);
}

static void hurry_fire(void *arg)
{
    struct udev_source *self = arg;
    self->timer = NULL;
    scan_start(self, false);
}

static void timer_arm(struct udev_source *self, int64_t in_ms, shep_timer_fn fn)
{
    self->host->timer_cancel(self->ctx, self->timer);
    self->timer = NULL;
    if (self->host->timer(self->ctx, in_ms, 0, fn, self, &self->timer) < 0)
        self->host->fail(self->ctx, SHEP_E_NOMEM,
                         "no timer left: ports that come and go are not seen any more");
}

static void scan_want(struct udev_source *self)
{
    if (self->scan) {
        self->again = true;
        return;
    }
    int64_t wait = self->scanned_ms + SCAN_GAP_MS - self->host->mono_ms(self->ctx);
    if (wait > 0)
        timer_arm(self, wait, hurry_fire);
    else
        scan_start(self, false);
}

static void scan_later(struct udev_source *self)
{
    bool soon = self->deaf || !self->monitor || (self->waits > 0 && self->waits <= WAITS_MAX);
    timer_arm(self, soon ? UDEV_POLL_MS : UDEV_CHECK_MS, timer_fire);
}

/* ---- what the monitor says ---- */

void source_event(struct udev_source *self, const char *action, const char *name)
{
    if (!port_name_wanted(name))
        return;
    self->deaf = self->told_mute = false;
    if (self->scan)
        name_mark(self->scan, name);
    if (!strcmp(action, "remove"))
        known_remove(self, name);
    scan_want(self);
}

void source_overrun(struct udev_source *self)
{
    self->host->log(self->ctx, SHEP_LOG_WARN,
                    "more ports came and went than udev's socket could hold; looking at all of "
                    "them anew");
    if (self->scan)
        self->scan->all_dirty = true;
    scan_want(self);
}

void source_mute(struct udev_source *self, int error)
{
    self->host->log(self->ctx, self->told_mute ? SHEP_LOG_DEBUG : SHEP_LOG_WARN,
                    "udev's events cannot be heard (%s); looking every %d s until they can",
                    strerror(error), UDEV_POLL_MS / 1000);
    self->told_mute = true;
}

void source_monitor_died(struct udev_source *self, int error)
{
    source_mute(self, error);
    monitor_close(self->monitor);
    self->monitor = NULL;
    scan_want(self);
}

/* ---- the scan ---- */

/* Something changed and udev, said to run, did not tell: a container that sees udev's files but not
 * its socket. */
static void deafness_notice(struct udev_source *self, const struct scan *scan, bool changed)
{
    if (!changed || !scan->timed || self->again || self->deaf || !self->monitor || self->waits > 0)
        return;
    self->deaf = true;
    self->host->log(self->ctx, SHEP_LOG_INFO,
                    "udev does not tell of ports that come and go; looking every %d s",
                    UDEV_POLL_MS / 1000);
}

static void scan_done(void *arg)
{
    struct scan *scan = arg;
    struct udev_source *self = scan->self;
    if (self) {
        if (self->monitor)
            monitor_drain(self->monitor); /* what it says now makes this scan old */
        bool changed = known_update(self, &scan->result, name_dirty, scan);
        self->scan = NULL;
        deafness_notice(self, scan, changed);
        self->waits = scan->result.n_waiting > 0 ? self->waits + 1 : 0;
        if (self->again) {
            self->again = false;
            scan_want(self);
        } else {
            scan_later(self);
        }
    }
    free(scan);
}

static void scan_start(struct udev_source *self, bool timed)
{
    if (self->scan)
        return;
    if (!self->monitor && (timed || self->scanned_ms == 0))
        self->monitor = monitor_open(self); /* one that dies again and again: every 2 s */
    struct scan *scan = calloc(1, sizeof *scan);
    self->scanned_ms = self->host->mono_ms(self->ctx);
    if (scan) {
        scan->self = self;
        scan->timed = timed;
        scan->raw = self->deaf || self->waits >= WAITS_MAX;
        memcpy(scan->sysfs_root, self->sysfs_root, sizeof scan->sysfs_root);
        memcpy(scan->dev_root, self->dev_root, sizeof scan->dev_root);
    }
    if (!scan || self->host->work(self->ctx, scan_run, scan_done, scan) < 0) {
        free(scan);
        timer_arm(self, UDEV_POLL_MS, hurry_fire); /* the queue of jobs is full: later */
        return;
    }
    self->scan = scan;
    self->host->timer_cancel(self->ctx, self->timer);
    self->timer = NULL;
}

/* ---- the plugin ---- */

static int root_read(struct udev_source *self, const char *name, char out[static UDEV_PATH_MAX])
{
    const char *value = "";
    self->host->opt_str(self->ctx, name, &value);
    if (value[0] != '/' || snprintf(out, UDEV_PATH_MAX, "%s", value) >= UDEV_PATH_MAX - 96)
        return self->host->fail(self->ctx, SHEP_E_CONFIG,
                                "udev: %s must be an absolute path, not \"%.100s\"", name, value);
    return 0;
}

static int source_start(struct shep_ctx *ctx, const struct shep_host *host, void **out)
{
    struct udev_source *self = calloc(1, sizeof *self);
    if (!self)
        return SHEP_E_NOMEM;
    self->ctx = ctx;
    self->host = host;
    int err = root_read(self, "sysfs_root", self->sysfs_root);
    if (err >= 0)
        err = root_read(self, "dev_root", self->dev_root);
    if (err < 0) {
        free(self);
        return err;
    }
    self->deaf = access(control_path, F_OK) != 0;
    if (self->deaf)
        host->log(ctx, SHEP_LOG_INFO, "no udevd here (%s is missing): looking every %d s",
                  control_path, UDEV_POLL_MS / 1000);
    scan_start(self, false);
    *out = self;
    return 0;
}

static int source_attach(void *arg, struct shep_device *dev)
{
    struct udev_source *self = arg;
    self->host->device_link(self->ctx, dev, 0,
                            "the source \"udev\" only finds ports; \"serial\" opens them");
    return 0;
}

static void source_detach(void *arg, struct shep_device *dev)
{
}

static void source_stop(void *arg)
{
    struct udev_source *self = arg;
    if (self->scan)
        self->scan->self = NULL;
    self->host->timer_cancel(self->ctx, self->timer);
    monitor_close(self->monitor);
    free(self);
}

static const struct shep_option options[] = {
    {"sysfs_root", "where sysfs is, for containers and tests", "/sys", NULL, SHEP_OPT_STRING, 0, 0,
     0},
    {"dev_root", "where the device nodes are, for containers and tests", "/dev", NULL,
     SHEP_OPT_STRING, 0, 0, 0},
    {0},
};

static const struct shep_source_ops ops = {
    .size = sizeof ops,
    .start = source_start,
    .attach = source_attach,
    .detach = source_detach,
    .stop = source_stop,
};

static const struct shep_plugin plugin = {
    .size = sizeof plugin,
    .abi_major = SHEP_ABI_MAJOR,
    .abi_minor = SHEP_ABI_MINOR,
    .kind = SHEP_KIND_SOURCE,
    .option_size = sizeof(struct shep_option),
    .metric_size = sizeof(struct shep_metric_info),
    .name = "udev",
    .version = SHEP_VERSION,
    .summary = "USB serial ports that come and go",
    .license = "MIT",
    .options = options,
    .ops = &ops,
};

const struct shep_plugin *shep_plugin_v1(void)
{
    return &plugin;
}
