#include "serialbench.h"

#include <pty.h>
#include <sys/syscall.h>

void run(const char *fmt, ...)
{
    char command[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(command, sizeof command, fmt, args);
    va_end(args);
    if (system(command) != 0)
        fail_msg("failed: %s", command);
}

int pty_make(const char *link)
{
    char name[64];
    int master, slave;
    assert_int_equal(openpty(&master, &slave, name, NULL, NULL), 0);
    close(slave);
    fcntl(master, F_SETFD, FD_CLOEXEC);
    if (link) {
        unlink(link);
        assert_int_equal(symlink(name, link), 0);
    }
    return master;
}

/* ---- modem lines ---- */

struct bench_modem modem;

static int modem_set(int fd, const char *how, int lines)
{
    struct termios tio;
    if (modem.fail_set) {
        errno = EIO;
        return -1;
    }
    modem.lines = lines & (TIOCM_DTR | TIOCM_RTS);
    size_t len = strlen(modem.log);
    snprintf(modem.log + len, sizeof modem.log - len, "%s%d%d ", how, !!(lines & TIOCM_DTR),
             !!(lines & TIOCM_RTS));
    if (modem.lines == TIOCM_RTS && tcgetattr(fd, &tio) == 0)
        modem.hupcl_while_held = !!(tio.c_cflag & HUPCL);
    return 0;
}

int ioctl(int fd, unsigned long request, ...)
{
    va_list args;
    va_start(args, request);
    void *arg = va_arg(args, void *);
    va_end(args);
    if (modem.there && request == TIOCMGET) {
        *(int *)arg = modem.lines | TIOCM_CTS | TIOCM_DSR;
        return 0;
    }
    if (modem.there && request == TIOCMSET)
        return modem_set(fd, "", *(int *)arg);
    if (modem.there && (request == TIOCMBIS || request == TIOCMBIC))
        return modem_set(fd, "single:",
                         request == TIOCMBIS ? modem.lines | *(int *)arg
                                             : modem.lines & ~*(int *)arg);
    return (int)syscall(SYS_ioctl, fd, request, arg);
}

struct bench_reads reads;

ssize_t read(int fd, void *bytes, size_t cap)
{
    if (!isatty(fd) && errno != EIO) /* EIO: a port that hung up */
        return syscall(SYS_read, fd, bytes, cap);
    if (reads.error) {
        errno = reads.error;
        return -1;
    }
    ssize_t len = reads.deaf > 0 ? 0 : syscall(SYS_read, fd, bytes, cap);
    reads.deaf -= reads.deaf > 0;
    reads.empty += len == 0;
    return len;
}

void lines_begin(int lines)
{
    memset(&modem, 0, sizeof modem);
    modem.there = true;
    modem.lines = lines;
}

const struct shep_source_ops *ops_of(const struct bench *b)
{
    return fake_plugin(b->fake)->ops;
}

int reset_port(struct bench *b)
{
    return ops_of(b)->reset(fake_self(b->fake), b->dev);
}

/* ---- the bench ---- */

struct bench *bench_new(void)
{
    struct bench *b = calloc(1, sizeof *b);
    char opt[128];
    snprintf(b->root, sizeof b->root, "/tmp/shep-serial-XXXXXX");
    assert_non_null(mkdtemp(b->root));
    run("mkdir -p %s/sys/class/tty %s/dev", b->root, b->root);
    snprintf(b->path, sizeof b->path, "%s/tty", b->root);
    b->master = -1;
    memset(&reads, 0, sizeof reads);
    b->fake = fake_new("source_serial.so");
    snprintf(opt, sizeof opt, "%s/sys", b->root);
    fake_opt(b->fake, "sysfs_root", opt);
    snprintf(opt, sizeof opt, "%s/dev", b->root);
    fake_opt(b->fake, "dev_root", opt);
    return b;
}

void bench_start(struct bench *b)
{
    assert_int_equal(fake_start(b->fake), 0);
    b->dev = fake_device(b->fake, "BARN-01");
    fake_device_opt(b->dev, "path", b->path);
}

void bench_free(struct bench *b)
{
    fake_free(b->fake);
    modem.there = false;
    if (b->master >= 0)
        close(b->master);
    run("rm -rf %s", b->root);
    free(b);
}

struct bench *bench_open(void)
{
    struct bench *b = bench_new();
    b->master = pty_make(b->path);
    bench_start(b);
    assert_int_equal(fake_attach(b->fake, b->dev), 0);
    fake_advance(b->fake, 1);
    assert_int_equal(fake_link(b->dev), 1);
    return b;
}

void settle(struct bench *b)
{
    for (int i = 0; i < 6; i++) {
        while (fake_poll(b->fake, 0) > 0)
            ;
        fake_advance(b->fake, 100);
    }
}

void say(struct bench *b, const char *text)
{
    assert_int_equal(write(b->master, text, strlen(text)), (ssize_t)strlen(text));
}

bool has(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

int slave_fd(const struct bench *b)
{
    return open(b->path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
}

void wait_fed(struct bench *b, const char *part)
{
    for (int i = 0; i < 1000 && !has(fake_fed(b->dev, NULL), part); i++)
        fake_poll(b->fake, 10);
    assert_true(has(fake_fed(b->dev, NULL), part));
}

void hang_up(struct bench *b)
{
    close(b->master);
    b->master = -1;
    for (int i = 0; i < 1000 && fake_link(b->dev) == 1; i++)
        fake_poll(b->fake, 10);
    unlink(b->path);
    assert_int_equal(fake_link(b->dev), 0);
}
