/* Preloaded before libumockdev-preload: a pseudo-terminal behaves like a UART on USB.
 *
 * What a pseudo-terminal lacks is added: modem lines, as the kernel's drivers treat them (an open
 * raises DTR and RTS together, a close with HUPCL drops both together), and ports that block. What
 * umockdev 0.17 takes away is given back: it answers ENOTTY to every terminal request, so these go
 * straight to the kernel. And everything that could reset a board is written down, one line each:
 *
 *   TIME_US PID pts7 /dev/ttyUSB0 WHAT 11>01
 *
 * 11>01 is DTR and RTS before and after. WHAT is OPEN and CLOSE, HUPCL for a close that dropped the
 * lines, ALSO and LEFT for opens and closes while it stays open, GET, SET, BIS and BIC for
 * requests.
 *
 * All of it lies in the directory TTYSHIM_DIR, shared by all processes of a test:
 *
 *   edges         the log
 *   lines         a shared table: state of the lines by number of the pts
 *   open.NAME     as long as this file is there, open() of /dev/NAME blocks
 *   modem.NAME    as long as it is there, requests about its modem lines block
 *   pulse.NAME    as long as it is there, a board that is held in reset stays so
 *   held.NAME     another program has it open, too
 *   udevd         as long as it is there, udevd seems to run
 *   overrun       the next receive on a udev monitor finds that the kernel threw events away
 *
 * Threads: any. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum {
    PTS_MAX = 4096,     /* far more than a test opens */
    PTS_MAJOR = 136,    /* and the seven after it: Unix98 slaves */
    HOLD_STEP_MS = 5,   /* how often a blocked call looks whether it may go on */
    HOLD_MAX_S = 120,   /* a test that forgot to let go */
    KERNEL_TERMIOS = 64 /* more than the kernel's struct termios of any port */
};
#define EXPORT __attribute__((visibility("default")))

struct line {
    _Atomic int bits; /* TIOCM_DTR, TIOCM_RTS */
    _Atomic int pid,
        opens;     /* the process that has it open, and how often; a killed one counts not */
    char path[60]; /* as it was opened; for the log */
};
static struct line *lines;

/* ---- files beside the log ---- */

static const char *dir_path(char out[static 512], const char *name)
{
    const char *dir = getenv("TTYSHIM_DIR");
    if (!dir)
        return NULL;
    snprintf(out, 512, "%s/%s", dir, name);
    return out;
}

static bool flag_is_set(const char *kind, const char *path)
{
    char name[128], whole[512];
    const char *base = strrchr(path, '/');
    snprintf(name, sizeof name, "%s%s", kind, base ? base + 1 : path);
    return dir_path(whole, name) && syscall(SYS_faccessat, AT_FDCWD, whole, F_OK, 0) == 0;
}

static void hold_while(const char *kind, const char *path)
{
    struct timespec step = {.tv_nsec = HOLD_STEP_MS * 1000000L};
    for (int i = 0; i < HOLD_MAX_S * 1000 / HOLD_STEP_MS && flag_is_set(kind, path); i++)
        nanosleep(&step, NULL);
}

__attribute__((constructor)) static void table_map(void)
{
    char path[512];
    size_t size = PTS_MAX * sizeof *lines;
    if (!dir_path(path, "lines"))
        return;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return;
    if (ftruncate(fd, (off_t)size) == 0) {
        void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        lines = at == MAP_FAILED ? NULL : at;
    }
    syscall(SYS_close, fd);
}

/* The line of a pseudo-terminal's slave; NULL: not one. errno stays. */
static struct line *line_of(int fd)
{
    struct stat st;
    int saved = errno;
    bool is_tty = lines && syscall(SYS_fstat, fd, &st) == 0 && S_ISCHR(st.st_mode);
    errno = saved;
    if (!is_tty || major(st.st_rdev) < PTS_MAJOR || major(st.st_rdev) > PTS_MAJOR + 7)
        return NULL;
    unsigned number = (major(st.st_rdev) - PTS_MAJOR) << 8 | minor(st.st_rdev);
    return &lines[number % PTS_MAX];
}

static int log_fd(void)
{
    char path[512];
    if (!dir_path(path, "edges"))
        return -1;
    return (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
                        0666);
}

static void note(const struct line *line, const char *what, int before, int after)
{
    char text[256];
    struct timespec now;
    int saved = errno, fd = log_fd();
    clock_gettime(CLOCK_MONOTONIC, &now);
    int len = snprintf(text, sizeof text, "%lld %d pts%d %s %s %d%d>%d%d\n",
                       (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000, (int)getpid(),
                       (int)(line - lines), line->path[0] ? line->path : "?", what,
                       !!(before & TIOCM_DTR), !!(before & TIOCM_RTS), !!(after & TIOCM_DTR),
                       !!(after & TIOCM_RTS));
    if (fd >= 0) {
        syscall(SYS_write, fd, text, (size_t)len); /* one write: lines of processes do not mix */
        syscall(SYS_close, fd);
    }
    errno = saved;
}

static void line_set(struct line *line, const char *what, int after)
{
    after &= TIOCM_DTR | TIOCM_RTS;
    note(line, what, atomic_exchange(&line->bits, after), after);
}

/* ---- opening and closing ---- */

static int opened(int fd, const char *path)
{
    struct line *line = fd >= 0 ? line_of(fd) : NULL;
    if (line && strncmp(path, "/dev/tty", 8) == 0) {
        snprintf(line->path, sizeof line->path, "%s", path);
        if (atomic_exchange(&line->pid, getpid()) != getpid())
            atomic_store(&line->opens, 0);
        if (atomic_fetch_add(&line->opens, 1) == 0)
            line_set(line, "OPEN", TIOCM_DTR | TIOCM_RTS);
        else
            note(line, "ALSO", atomic_load(&line->bits), atomic_load(&line->bits));
    }
    return fd;
}

static void *next_function(const char *name)
{
    void *function = dlsym(RTLD_NEXT, name);
    if (!function)
        abort(); /* no C library without it */
    return function;
}

static void open_hold(const char *path)
{
    if (strncmp(path, "/dev/tty", 8) == 0)
        hold_while("open.", path);
}

#define WRAP_OPEN(name)                                                                            \
    EXPORT int name(const char *path, int flags, ...)                                              \
    {                                                                                              \
        static int (*next)(const char *, int, ...);                                                \
        va_list args;                                                                              \
        va_start(args, flags);                                                                     \
        mode_t mode = va_arg(args, mode_t); /* rubbish unless O_CREAT; open() ignores it then */   \
        va_end(args);                                                                              \
        if (!next)                                                                                 \
            next = next_function(#name);                                                           \
        open_hold(path);                                                                           \
        return opened(next(path, flags, mode), path);                                              \
    }
/* What open() becomes where _FORTIFY_SOURCE is set. */
#define WRAP_OPEN_2(name)                                                                          \
    EXPORT int name(const char *path, int flags);                                                  \
    EXPORT int name(const char *path, int flags)                                                   \
    {                                                                                              \
        static int (*next)(const char *, int);                                                     \
        if (!next)                                                                                 \
            next = next_function(#name);                                                           \
        open_hold(path);                                                                           \
        return opened(next(path, flags), path);                                                    \
    }
WRAP_OPEN(open)
WRAP_OPEN(open64)
WRAP_OPEN_2(__open_2)
WRAP_OPEN_2(__open64_2)

/* The number of a node is that of the pseudo-terminal behind it, as its descriptors have it: the
 * bed gives the number that its sysfs has, and nobody would be found who has the port open. */
#define WRAP_STAT(name, type)                                                                      \
    EXPORT int name(const char *path, type *out)                                                   \
    {                                                                                              \
        static int (*next)(const char *, type *);                                                  \
        struct stat real;                                                                          \
        char node[512];                                                                            \
        if (!next)                                                                                 \
            next = (int (*)(const char *, type *))next_function(#name);                            \
        int rc = next(path, out), saved = errno;                                                   \
        const char *bed = getenv("UMOCKDEV_DIR");                                                  \
        if (rc == 0 && bed && strncmp(path, "/dev/", 5) == 0 && S_ISCHR(out->st_mode) &&           \
            snprintf(node, sizeof node, "%s%s", bed, path) < (int)sizeof node &&                   \
            syscall(SYS_newfstatat, AT_FDCWD, node, &real, 0) == 0)                                \
            out->st_rdev = real.st_rdev;                                                           \
        errno = saved;                                                                             \
        return rc;                                                                                 \
    }
WRAP_STAT(stat, struct stat)
WRAP_STAT(stat64, struct stat64)

/* Whether the kernel would drop the lines when this descriptor, the only one, is closed. */
static bool hangs_up_on_close(int fd)
{
    union {
        char room[KERNEL_TERMIOS * 2];
        struct {
            tcflag_t c_iflag, c_oflag, c_cflag, c_lflag;
        } flags;
    } kernel;
    return syscall(SYS_ioctl, fd, TCGETS, &kernel) == 0 && (kernel.flags.c_cflag & HUPCL);
}

EXPORT int close(int fd)
{
    static int (*next)(int);
    struct line *line = line_of(fd);
    if (line && line->path[0] && atomic_load(&line->pid) == getpid()) {
        int saved = errno;
        bool last = atomic_fetch_sub(&line->opens, 1) == 1 && !flag_is_set("held.", line->path);
        bool drops = last && hangs_up_on_close(fd);
        line_set(line,
                 drops  ? "HUPCL"
                 : last ? "CLOSE"
                        : "LEFT",
                 drops ? 0 : atomic_load(&line->bits));
        errno = saved;
    }
    if (!next)
        next = next_function("close");
    return next(fd);
}

/* ---- modem lines ---- */

static int modem_request(struct line *line, unsigned long request, int *value)
{
    int bits = atomic_load(&line->bits);
    hold_while("modem.", line->path);
    if (bits == TIOCM_RTS)
        hold_while("pulse.", line->path);
    switch (request) {
    case TIOCMGET:
        *value = bits | TIOCM_CTS | TIOCM_DSR | TIOCM_CAR;
        note(line, "GET", bits, bits);
        return 0;
    case TIOCMSET:
        line_set(line, "SET", *value);
        return 0;
    case TIOCMBIS:
        line_set(line, "BIS", bits | *value);
        return 0;
    default: /* TIOCMBIC */
        line_set(line, "BIC", bits & ~*value);
        return 0;
    }
}

EXPORT int ioctl(int fd, unsigned long request, ...)
{
    static int (*next)(int, unsigned long, ...);
    va_list args;
    va_start(args, request);
    void *value = va_arg(args, void *);
    va_end(args);
    struct line *line = line_of(fd);
    if (line &&
        (request == TIOCMGET || request == TIOCMSET || request == TIOCMBIS || request == TIOCMBIC))
        return modem_request(line, request, value);
    if (line && (request >> 8 & 0xff) == 'T')
        return (int)syscall(SYS_ioctl, fd, request, value);
    if (!next)
        next = next_function("ioctl");
    return next(fd, request, value);
}

/* ---- udevd, and events that the kernel threw away ---- */

/* By this file programs and libudev tell whether udevd runs. */
EXPORT int access(const char *path, int mode)
{
    static int (*next)(const char *, int);
    if (strcmp(path, "/run/udev/control") == 0) {
        errno = ENOENT;
        return flag_is_set("", "udevd") ? 0 : -1;
    }
    if (!next)
        next = (int (*)(const char *, int))next_function("access");
    return next(path, mode);
}

static bool is_monitor(int fd)
{
    struct sockaddr_un name = {0};
    socklen_t len = sizeof name;
    const char *bed = getenv("UMOCKDEV_DIR");
    return bed && syscall(SYS_getsockname, fd, &name, &len) == 0 && name.sun_family == AF_UNIX &&
           strncmp(name.sun_path, bed, strlen(bed)) == 0 && strstr(name.sun_path, "/event");
}

static bool overrun_take(int fd)
{
    char path[512], thrown_away[4096];
    if (!flag_is_set("", "overrun") || !is_monitor(fd) || !dir_path(path, "overrun") ||
        syscall(SYS_unlinkat, AT_FDCWD, path, 0) != 0)
        return false;
    while (syscall(SYS_recvfrom, fd, thrown_away, sizeof thrown_away, MSG_DONTWAIT, NULL, NULL) > 0)
        ;
    return true;
}

EXPORT ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    static ssize_t (*next)(int, struct msghdr *, int);
    if (overrun_take(fd)) {
        errno = ENOBUFS;
        return -1;
    }
    if (!next)
        next = (ssize_t(*)(int, struct msghdr *, int))next_function("recvmsg");
    return next(fd, message, flags);
}
