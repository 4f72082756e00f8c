/* udev's word that a port came or went: a netlink socket of its own, watched on the loop. It is
 * udev's source, not the kernel's: that one speaks before the node has its rights.
 *
 * An event is only a reason to look: the scan says what is there. So a lost message costs nothing
 * but a scan. Thread: loop. */
#include "udev.h"

#include <errno.h>
#include <libudev.h>
#include <stdlib.h>
#include <string.h>

enum {
    RECEIVE_BYTES = 4 << 20, /* 40 boards on a hub are 400 messages of 2 KiB at once */
    EVENTS_A_TURN = 64,      /* others get their turn between */
    EMPTY_TURNS_MAX = 64     /* readable, and nothing comes: the socket is broken */
};

struct monitor {
    struct udev_source *self;
    struct udev *udev;
    struct udev_monitor *netlink;
    struct shep_watch *watch;
    unsigned empty_turns;
};

void monitor_close(struct monitor *monitor)
{
    if (!monitor)
        return;
    struct udev_source *self = monitor->self;
    if (monitor->watch)
        self->host->watch_cancel(self->ctx, monitor->watch);
    if (monitor->netlink)
        udev_monitor_unref(monitor->netlink);
    if (monitor->udev)
        udev_unref(monitor->udev);
    free(monitor);
}

/* Hands over what waits. The errno that ended it; 0: the socket is empty, a message was bad, or the
 * turn is over. */
static int drain(struct monitor *monitor, unsigned *n)
{
    for (*n = 0; *n < EVENTS_A_TURN; ++*n) {
        errno = 0;
        struct udev_device *dev = udev_monitor_receive_device(monitor->netlink);
        if (!dev)
            return errno == EAGAIN || errno == EINTR ? 0 : errno;
        const char *action = udev_device_get_action(dev), *name = udev_device_get_sysname(dev);
        if (action && name)
            source_event(monitor->self, action, name);
        udev_device_unref(dev);
    }
    return 0;
}

unsigned monitor_drain(struct monitor *monitor)
{
    unsigned n;
    int error = drain(monitor, &n);
    if (error == ENOBUFS)
        source_overrun(monitor->self);
    else if (error != 0)
        source_monitor_died(monitor->self, error);
    return error == 0 ? n : 1;
}

static void on_readable(int fd, uint32_t what, void *arg)
{
    struct monitor *monitor = arg;
    struct udev_source *self = monitor->self;
    unsigned turns = monitor->empty_turns + 1;
    if (monitor_drain(monitor) > 0)
        turns = 0;
    if (self->monitor != monitor)
        return; /* it died and was closed */
    monitor->empty_turns = turns;
    if (turns > EMPTY_TURNS_MAX)
        source_monitor_died(self, EIO);
}

static bool monitor_set_up(struct monitor *monitor)
{
    monitor->udev = udev_new();
    if (!monitor->udev)
        return false;
    monitor->netlink = udev_monitor_new_from_netlink(monitor->udev, "udev");
    if (!monitor->netlink)
        return false;
    /* Refused without the right to go beyond net.core.rmem_max; then it is as large as that. */
    udev_monitor_set_receive_buffer_size(monitor->netlink, RECEIVE_BYTES);
    return udev_monitor_filter_add_match_subsystem_devtype(monitor->netlink, "tty", NULL) >= 0 &&
           udev_monitor_enable_receiving(monitor->netlink) >= 0 &&
           monitor->self->host->watch_fd(monitor->self->ctx, udev_monitor_get_fd(monitor->netlink),
                                         SHEP_WATCH_READ, on_readable, monitor,
                                         &monitor->watch) >= 0;
}

struct monitor *monitor_open(struct udev_source *self)
{
    struct monitor *monitor = calloc(1, sizeof *monitor);
    errno = ENOMEM;
    if (monitor) {
        monitor->self = self;
        if (monitor_set_up(monitor))
            return monitor;
    }
    source_mute(self, errno);
    monitor_close(monitor);
    return NULL;
}
