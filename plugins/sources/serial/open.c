/* Opening a port and saying in words why it did not work. Worker thread: open() and tcsetattr() may
 * block for seconds on a USB device that is going away.
 *
 * Two ways to open, one way to read. Real ports go through libserialport; it knows only ports with
 * a node in sysfs, so pseudo-terminals (socat, ser2net) are opened here directly. Either way the
 * descriptor ends up non-blocking, close-on-exec, locked, raw, without HUPCL, and DTR and RTS are
 * as the kernel left them: changing one after the other resets an ESP32 board. */
#include "serial.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libserialport.h>
#include <limits.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

static const struct {
    int baud;
    speed_t speed;
} speeds[] = {
    /* No 1200: boards with native USB take it as the order to enter their boot loader. */
    {2400, B2400},       {4800, B4800},       {9600, B9600},     {19200, B19200},
    {38400, B38400},     {57600, B57600},     {115200, B115200}, {230400, B230400},
    {460800, B460800},   {500000, B500000},   {921600, B921600}, {1000000, B1000000},
    {1500000, B1500000}, {2000000, B2000000},
};

static bool speed_of(int64_t baud, speed_t *out)
{
    for (size_t i = 0; i < sizeof speeds / sizeof *speeds; i++)
        if (speeds[i].baud == baud) {
            *out = speeds[i].speed;
            return true;
        }
    return false;
}

bool serial_baud_known(int64_t baud)
{
    speed_t speed;
    return speed_of(baud, &speed);
}

__attribute__((format(printf, 3, 4))) static void refuse(struct open_result *result, int err,
                                                         const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(result->why, sizeof result->why, fmt, args);
    va_end(args);
    result->err = err;
}

static void refuse_missing(const struct open_request *request, struct open_result *result)
{
    char ports[SERIAL_PATH_MAX];
    ports_list(request->sysfs_root, request->dev_root, ports, sizeof ports);
    result->missing = true;
    refuse(result, SHEP_E_GONE, "%s: no such port; is it plugged in? known ports: %s",
           request->path, ports);
}

static void user_name(char *out, size_t cap)
{
    struct passwd entry, *user = NULL;
    char text[1024];
    getpwuid_r(geteuid(), &entry, text, sizeof text, &user);
    snprintf(out, cap, "%s", user ? user->pw_name : "USER");
}

/* A port that is root's alone: udev has not set its rights, or is not there to do it. */
static void refuse_denied(const char *path, struct open_result *result)
{
    struct stat st = {0};
    struct group entry, *group = NULL;
    char text[1024], user[SERIAL_TEXT_MAX];
    user_name(user, sizeof user);
    if (stat(path, &st) == 0 && st.st_gid != 0)
        getgrgid_r(st.st_gid, &entry, text, sizeof text, &group);
    if (group)
        refuse(
            result, SHEP_E_IO,
            "%s: permission denied; the port belongs to the group %.64s: run `sudo adduser %.64s "
            "%.64s`, then start the shepherd again (by hand: log in again first)",
            path, group->gr_name, user, group->gr_name);
    else
        refuse(result, SHEP_E_IO,
               "%s: permission denied; the port has no group of its own. With udev it is dialout: "
               "run `sudo chgrp dialout %s && sudo chmod g+rw %s && sudo adduser %.64s dialout`, "
               "then start the shepherd again",
               path, path, path, user);
}

static void refuse_busy(const char *path, struct open_result *result)
{
    struct stat st;
    char who[SERIAL_TEXT_MAX];
    if (stat(path, &st) == 0 && holder_find(st.st_rdev, who, sizeof who))
        refuse(result, SHEP_E_BUSY, "%s: in use by %s; stop it, the port is tried again", path,
               who);
    else
        refuse(result, SHEP_E_BUSY,
               "%s: in use; another miner of yours has the same path, or another program has the "
               "port open (usual suspects: ModemManager, brltty, a forgotten serial monitor)",
               path);
}

static void refuse_errno(const struct open_request *request, const char *path, int error,
                         struct open_result *result)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR:
        refuse_missing(request, result);
        break;
    case EACCES:
    case EPERM:
        refuse_denied(path, result);
        break;
    case EBUSY:
    case EWOULDBLOCK:
        refuse_busy(path, result);
        break;
    case EMFILE:
    case ENFILE:
        refuse(result, SHEP_E_LIMIT, "%s: no file descriptor left; raise LimitNOFILE", path);
        break;
    case ENXIO:
    case ENODEV:
    case EIO:
        refuse(result, SHEP_E_GONE,
               "%s: the port is there but its device does not answer; plug "
               "it out and in again",
               path);
        break;
    default:
        refuse(result, SHEP_E_IO, "%s: cannot be opened: %s", path, strerror(error));
    }
}

/* ---- which node a path means ---- */

static bool sysfs_has(const struct open_request *request, const char *path)
{
    size_t root = strlen(request->dev_root);
    char node[2 * SERIAL_PATH_MAX + 32];
    if (strncmp(path, request->dev_root, root) != 0 || path[root] != '/' ||
        strchr(path + root + 1, '/'))
        return false;
    snprintf(node, sizeof node, "%s/class/tty/%s/device", request->sysfs_root, path + root + 1);
    return access(node, F_OK) == 0;
}

/* The link's target with its directory made real; false with errno when there is none. */
static bool link_follow(char path[static SERIAL_PATH_MAX])
{
    char joined[SERIAL_PATH_MAX], dir[PATH_MAX];
    if (!link_target(path, joined))
        return false;
    char *base = strrchr(joined, '/');
    *base++ = 0;
    if (!realpath(joined[0] ? joined : "/", dir))
        return false;
    errno = ENAMETOOLONG;
    return snprintf(path, SERIAL_PATH_MAX, "%s/%s", strcmp(dir, "/") ? dir : "", base) <
           SERIAL_PATH_MAX;
}

/* Follows links until a port that sysfs knows, or the end. libserialport refuses links. */
static bool path_resolve(const struct open_request *request, char node[static SERIAL_PATH_MAX],
                         bool *real)
{
    snprintf(node, SERIAL_PATH_MAX, "%s", request->path);
    for (int i = 0; i < SERIAL_LINKS_MAX; i++) {
        *real = sysfs_has(request, node);
        if (*real)
            return true;
        if (!link_follow(node))
            return errno == EINVAL; /* not a link: the end */
    }
    errno = ELOOP;
    return false;
}

/* ---- opening ---- */

/* Nobody else may read the same bytes; flock() is what careful programs test. It comes before
 * libserialport, which sets up the port and both its lines at once, whoever has it: under esptool
 * in the middle of a reset, perhaps. */
static int open_locked(const char *node, int *fd)
{
    *fd = open(node, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (*fd < 0)
        return errno;
    if (flock(*fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    int error = errno;
    close(*fd);
    *fd = -1;
    return error;
}

static int open_real(const char *node, struct serial_handle *handle)
{
    struct sp_port *sp = NULL;
    if (sp_get_port_by_name(node, &sp) != SP_OK)
        return ENOTSUP; /* unknown to libserialport after all */
    if (sp_open(sp, SP_MODE_READ) != SP_OK) {
        int error = sp_last_error_code();
        sp_free_port(sp);
        return error > 0 ? error : EIO;
    }
    if (sp_get_port_handle(sp, &handle->fd) != SP_OK) {
        sp_close(sp);
        sp_free_port(sp);
        return EIO;
    }
    handle->sp = sp;
    return fcntl(handle->fd, F_SETFD, FD_CLOEXEC) < 0 ? errno : 0;
}

/* A program that does not ask for locks is kept out of real ports by TIOCEXCL. Not of
 * pseudo-terminals: they keep the flag after we are gone, and after a crash nobody could open it
 * again. */
static int port_keep(const struct serial_handle *handle)
{
    if (handle->sp && ioctl(handle->fd, TIOCEXCL) < 0 && errno != ENOTTY && errno != EINVAL)
        return errno;
    return 0;
}

/* The lock goes from the first descriptor to the one that is read. Only after HUPCL is cleared. */
static int lock_pass(int *first, const struct serial_handle *handle)
{
    close(*first);
    *first = -1;
    return flock(handle->fd, LOCK_EX | LOCK_NB) < 0 ? errno : 0;
}

static int port_configure(int fd, speed_t speed)
{
    struct termios tio;
    if (tcgetattr(fd, &tio) < 0)
        return errno;
    cfmakeraw(&tio); /* 8 bits, no parity, no echo, no translation */
    tio.c_cflag |= CLOCAL | CREAD;
    tio.c_cflag &= ~(tcflag_t)(CRTSCTS | CSTOPB | HUPCL);
    tio.c_cc[VMIN] = 1; /* so that "no data" is EAGAIN and 0 bytes mean a hang-up */
    tio.c_cc[VTIME] = 0;
    cfsetispeed(&tio, speed);
    cfsetospeed(&tio, speed);
    return tcsetattr(fd, TCSANOW, &tio) < 0 ? errno : 0;
}

/* first: the descriptor with the lock; -1: it is the handle's own. */
static int port_prepare(const struct open_request *request, const struct serial_handle *handle,
                        int *first)
{
    speed_t speed = B115200;
    speed_of(request->baud, &speed);
    int error = port_configure(handle->fd, speed);
    if (error == 0 && *first >= 0)
        error = lock_pass(first, handle);
    if (error == 0)
        error = port_keep(handle);
    if (error == 0 && request->deassert)
        error = lines_deassert(handle->fd);
    return error;
}

static bool is_native(struct sp_port *sp)
{
    int vid, pid;
    char vid_text[16], pid_text[16];
    if (!sp || sp_get_port_usb_vid_pid(sp, &vid, &pid) != SP_OK)
        return false;
    snprintf(vid_text, sizeof vid_text, "%04x", (unsigned)vid & 0xffff);
    snprintf(pid_text, sizeof pid_text, "%04x", (unsigned)pid & 0xffff);
    return models_native(vid_text, pid_text);
}

void serial_open(const struct open_request *request, struct open_result *result)
{
    char node[SERIAL_PATH_MAX];
    bool real = false;
    struct stat st;
    *result = (struct open_result){.handle = {.fd = -1}};
    if (stat(request->path, &st) == 0)
        result->rdev = st.st_rdev; /* by the same path as every look at it */
    if (!path_resolve(request, node, &real) || stat(node, &st) < 0) {
        refuse_errno(request, request->path, errno, result);
        return;
    }
    if (!S_ISCHR(st.st_mode)) {
        refuse(result, SHEP_E_CONFIG, "%s: not a serial port%s", request->path,
               S_ISREG(st.st_mode) ? " but a file; for a recorded log use source = \"replay\""
                                   : "");
        return;
    }
    int first, error = open_locked(node, &first);
    if (error == 0)
        error = real ? open_real(node, &result->handle) : ENOTSUP;
    if (error == ENOTSUP && first >= 0) {
        result->handle.fd = first;
        first = -1;
        error = 0;
    }
    if (error == 0 && !isatty(result->handle.fd)) {
        refuse(result, SHEP_E_CONFIG, "%s: a device, but not a serial port", request->path);
    } else if (error != 0 || (error = port_prepare(request, &result->handle, &first)) != 0) {
        refuse_errno(request, node, error, result);
    } else {
        result->has_lines = lines_there(result->handle.fd);
        result->native = is_native(result->handle.sp);
        if (result->handle.sp)
            holder_find(st.st_rdev, result->sharer, sizeof result->sharer);
        return;
    }
    serial_close(&result->handle);
    if (first >= 0)
        close(first);
}

void serial_close(struct serial_handle *handle)
{
    if (handle->sp) {
        sp_close(handle->sp);
        sp_free_port(handle->sp);
    } else if (handle->fd >= 0) {
        close(handle->fd);
    }
    *handle = (struct serial_handle){.fd = -1};
}
