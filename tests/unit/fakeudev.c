#include "fakeudev.h"

#include <errno.h>
#include <fcntl.h>
#include <libudev.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MAX_MESSAGES = 1024, MAX_DEVICES = 16, MAX_PROPS = 12 };

struct udev {
    pthread_t owner; /* its objects belong to one thread */
};
struct udev_monitor {
    struct udev *udev;
    bool filtered, enabled, sized;
};
struct udev_device {
    struct udev *udev;
    char action[16], name[64], syspath[PATH_MAX];
    bool initialized;
    char props[MAX_PROPS][128];
    int n_props;
};

static struct message {
    int error;
    char action[16], name[64];
} messages[MAX_MESSAGES];
static int n_messages, n_devices, n_monitors, pipe_fds[2] = {-1, -1};
static int alive; /* changed by the worker too, which the host joins before it goes on */
static bool udevd, refuse, enabled;
static struct udev_device devices[MAX_DEVICES];

static void die(const char *what)
{
    fprintf(stderr, "libudev is used wrongly: %s\n", what);
    abort();
}

static void *made(size_t size)
{
    alive++;
    return calloc(1, size);
}

static void owned(const struct udev *udev)
{
    if (!pthread_equal(udev->owner, pthread_self()))
        die("an object of another thread");
}

/* ---- the test's side ---- */

void fakeudev_reset(void)
{
    if (pipe_fds[0] >= 0) {
        close(pipe_fds[0]);
        close(pipe_fds[1]);
    }
    if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) < 0)
        die("no pipe");
    n_messages = n_devices = n_monitors = alive = 0;
    udevd = true;
    refuse = enabled = false;
}

void fakeudev_udevd(bool runs)
{
    udevd = runs;
}

static void message_put(int error, const char *action, const char *name)
{
    if (n_messages == MAX_MESSAGES || write(pipe_fds[1], "x", 1) != 1)
        die("too many messages");
    struct message *message = &messages[n_messages++];
    message->error = error;
    snprintf(message->action, sizeof message->action, "%s", action);
    snprintf(message->name, sizeof message->name, "%s", name);
}

void fakeudev_say(const char *action, const char *name)
{
    message_put(0, action, name);
}

void fakeudev_error(int error)
{
    message_put(error, "", "");
}

void fakeudev_refuse(bool want)
{
    refuse = want;
}

int fakeudev_monitors(void)
{
    return n_monitors;
}

int fakeudev_alive(void)
{
    return alive;
}

void fakeudev_device(const char *name, const char *syspath, bool initialized, ...)
{
    struct udev_device *dev = NULL;
    for (int i = 0; i < n_devices && !dev; i++)
        if (!strcmp(devices[i].name, name))
            dev = &devices[i];
    if (!dev && n_devices == MAX_DEVICES)
        die("too many devices");
    if (!dev)
        dev = &devices[n_devices++];
    *dev = (struct udev_device){.initialized = initialized};
    snprintf(dev->name, sizeof dev->name, "%s", name);
    snprintf(dev->syspath, sizeof dev->syspath, "%s", syspath);
    va_list args;
    va_start(args, initialized);
    for (const char *prop; (prop = va_arg(args, const char *)); dev->n_props++)
        snprintf(dev->props[dev->n_props], sizeof dev->props[0], "%s", prop);
    va_end(args);
}

/* ---- the plugin's side ---- */

/* Whether udevd runs is told by its socket: the plugin's question comes here too. */
int access(const char *path, int mode)
{
    if (!strcmp(path, "/run/udev/control")) {
        errno = ENOENT;
        return udevd ? 0 : -1;
    }
    return (int)syscall(SYS_faccessat, AT_FDCWD, path, mode);
}

struct udev *udev_new(void)
{
    struct udev *udev = made(sizeof *udev);
    udev->owner = pthread_self();
    return udev;
}

struct udev *udev_unref(struct udev *udev)
{
    owned(udev);
    alive--;
    free(udev);
    return NULL;
}

struct udev_monitor *udev_monitor_new_from_netlink(struct udev *udev, const char *name)
{
    if (strcmp(name, "udev"))
        die("not the source \"udev\"");
    if (refuse) {
        errno = EAFNOSUPPORT;
        return NULL;
    }
    struct udev_monitor *monitor = made(sizeof *monitor);
    monitor->udev = udev;
    n_monitors++;
    return monitor;
}

struct udev_monitor *udev_monitor_unref(struct udev_monitor *monitor)
{
    owned(monitor->udev);
    alive--;
    free(monitor);
    return NULL;
}

int udev_monitor_set_receive_buffer_size(struct udev_monitor *monitor, int size)
{
    monitor->sized = size >= 1 << 20;
    return -EPERM; /* as without the right to: not the end of it */
}

int udev_monitor_filter_add_match_subsystem_devtype(struct udev_monitor *monitor,
                                                    const char *subsystem, const char *devtype)
{
    monitor->filtered = !strcmp(subsystem, "tty") && !devtype;
    return 0;
}

int udev_monitor_enable_receiving(struct udev_monitor *monitor)
{
    if (!monitor->filtered || !monitor->sized)
        die("enabled before it was filtered and sized");
    monitor->enabled = enabled = true;
    return 0;
}

int udev_monitor_get_fd(struct udev_monitor *monitor)
{
    return pipe_fds[0];
}

struct udev_device *udev_monitor_receive_device(struct udev_monitor *monitor)
{
    char byte;
    owned(monitor->udev);
    if (!monitor->enabled)
        die("receiving before it was enabled");
    if (read(pipe_fds[0], &byte, 1) != 1) {
        errno = EAGAIN;
        return NULL;
    }
    struct message message = messages[0];
    memmove(messages, messages + 1, (size_t)--n_messages * sizeof *messages);
    if (message.error) {
        errno = message.error;
        return NULL;
    }
    struct udev_device *dev = made(sizeof *dev);
    dev->udev = monitor->udev;
    memcpy(dev->action, message.action, sizeof dev->action);
    memcpy(dev->name, message.name, sizeof dev->name);
    return dev;
}

struct udev_device *udev_device_new_from_subsystem_sysname(struct udev *udev, const char *subsystem,
                                                           const char *name)
{
    if (!enabled && !refuse)
        die("a scan before the monitor was enabled: what comes between is lost");
    for (int i = 0; i < n_devices; i++)
        if (!strcmp(devices[i].name, name)) {
            struct udev_device *dev = made(sizeof *dev);
            *dev = devices[i];
            dev->udev = udev;
            return dev;
        }
    return NULL;
}

struct udev_device *udev_device_unref(struct udev_device *dev)
{
    owned(dev->udev);
    alive--;
    free(dev);
    return NULL;
}

const char *udev_device_get_action(struct udev_device *dev)
{
    return dev->action;
}

const char *udev_device_get_sysname(struct udev_device *dev)
{
    return dev->name;
}

const char *udev_device_get_syspath(struct udev_device *dev)
{
    return dev->syspath;
}

int udev_device_get_is_initialized(struct udev_device *dev)
{
    return dev->initialized;
}

const char *udev_device_get_property_value(struct udev_device *dev, const char *key)
{
    for (int i = 0; i < dev->n_props; i++) {
        size_t len = strlen(key);
        if (!strncmp(dev->props[i], key, len) && dev->props[i][len] == '=')
            return dev->props[i] + len + 1;
    }
    return NULL;
}
