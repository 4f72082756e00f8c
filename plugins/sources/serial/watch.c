/* When to look whether configured paths are there: inotify says so at once, and now and then all
 * are looked at. The look itself runs on a worker (look.c). Thread: loop. */
#include "serial.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

enum {
    SWEEP_MS = 30000,      /* a look at all paths, whatever inotify says or not */
    SWEEP_BLIND_MS = 2000, /* where inotify cannot be had */
    LOOK_GAP_MS = 50,      /* between two looks: a path that flickers must not keep a worker busy */
    LOOK_SLOW_MS = 5000,   /* a look takes milliseconds */
    LOOKS_HUNG_MAX = 8,    /* each holds a thread; the host has 48 for all that may hang */
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

/* ---- a look that hangs ---- */

bool look_hangs(const struct serial *self, const char *path)
{
    for (const struct look *look = self->hung; look; look = look->next)
        if (!strcmp(look->views[look->hung_at].path, path))
            return true;
    return false;
}

/* A path on a disk far away that does not answer. The look is left to itself and ends whenever it
 * does; the other ports that it was to look at are looked at without it. */
static void look_slow(void *arg)
{
    struct look *look = arg;
    struct serial *self = look->self;
    size_t at = atomic_load(&look->at), n = 0;
    for (const struct look *one = self->hung; one; one = one->next)
        n++;
    look->slow = NULL;
    if (at >= look->n_views || n >= LOOKS_HUNG_MAX) {
        self->host->log(self->ctx, SHEP_LOG_ERROR,
                        "looking whether configured paths are there hangs; no port that comes back "
                        "is seen until it ends. A restart of the shepherd gives up on it");
        return;
    }
    atomic_store(&look->leave, true);
    look->hung_at = at;
    look->next = self->hung;
    self->hung = look;
    self->look = NULL;
    for (size_t i = 0; i < look->n_views; i++)
        port_look_again(self, look->views[i].id);
    port_hangs(self, look->views[at].path);
    serial_look(self);
}

static void hung_done(struct serial *self, struct look *look)
{
    struct look **link = &self->hung;
    while (*link != look)
        link = &(*link)->next;
    *link = look->next;
    ports_touched(self, -1, 0);
    serial_look(self);
}

/* ---- one look ---- */

static void look_done(void *arg)
{
    struct look *look = arg;
    struct serial *self = look->self;
    if (self && self->look != look) {
        hung_done(self, look);
    } else if (self) {
        self->host->timer_cancel(self->ctx, look->slow);
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
    if (self->host->timer(self->ctx, LOOK_SLOW_MS, 0, look_slow, look, &look->slow) < 0)
        look->slow = NULL; /* one that hangs is not told then */
    look->blind = self->inotify < 0;
    memcpy(look->sysfs_root, self->sysfs_root, sizeof look->sysfs_root);
    memcpy(look->dev_root, self->dev_root, sizeof look->dev_root);
    look->inotify = self->inotify < 0 ? -1 : fcntl(self->inotify, F_DUPFD_CLOEXEC, 0);
    ports_fill(self, look, n);
    if (self->host->work(self->ctx, look_run, look_done, look) >= 0) {
        self->look = look;
        return;
    }
    self->host->timer_cancel(self->ctx, look->slow);
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

/* ---- life ---- */

void watch_start(struct serial *self)
{
    inotify_start(self);
    sweep_arm(self);
}

static void look_forget(struct serial *self, struct look *look)
{
    self->host->timer_cancel(self->ctx, look->slow);
    look->self = NULL;
}

void watch_stop(struct serial *self)
{
    if (self->look)
        look_forget(self, self->look);
    for (struct look *look = self->hung; look; look = look->next)
        look_forget(self, look);
    self->host->watch_cancel(self->ctx, self->inotify_watch);
    if (self->inotify >= 0)
        close(self->inotify);
    self->host->timer_cancel(self->ctx, self->look_timer);
    self->host->timer_cancel(self->ctx, self->sweep_timer);
}
