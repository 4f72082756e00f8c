/* The serial source on pseudo-terminals: no hardware, no daemon. */
#include "unit/fakehost.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

struct bench {
    struct fake *fake;
    struct shep_device *dev;
    char root[64];
    char path[128]; /* a symlink to the slave, as socat's link= makes it */
    int master;
};

static void run(const char *fmt, ...)
{
    char command[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(command, sizeof command, fmt, args);
    va_end(args);
    if (system(command) != 0)
        fail_msg("failed: %s", command);
}

static int pty_make(const char *link)
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

/* ---- modem lines ----
 *
 * Pseudo-terminals have none. The plugin's ioctl() lands here (the program exports its names): with
 * lines_begin() every port has DTR and RTS, and each change is written down. */
static struct {
    bool there, fail_set;
    int lines, hupcl_while_held;
    char log[512];
} modem;

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

static void lines_begin(int lines)
{
    memset(&modem, 0, sizeof modem);
    modem.there = true;
    modem.lines = lines;
}

static const struct shep_source_ops *ops_of(const struct bench *b)
{
    return fake_plugin(b->fake)->ops;
}

static int reset_port(struct bench *b)
{
    return ops_of(b)->reset(fake_self(b->fake), b->dev);
}

/* ---- the bench ---- */

static struct bench *bench_new(void)
{
    struct bench *b = calloc(1, sizeof *b);
    char opt[128];
    snprintf(b->root, sizeof b->root, "/tmp/shep-serial-XXXXXX");
    assert_non_null(mkdtemp(b->root));
    run("mkdir -p %s/sys/class/tty %s/dev", b->root, b->root);
    snprintf(b->path, sizeof b->path, "%s/tty", b->root);
    b->master = -1;
    b->fake = fake_new("source_serial.so");
    snprintf(opt, sizeof opt, "%s/sys", b->root);
    fake_opt(b->fake, "sysfs_root", opt);
    snprintf(opt, sizeof opt, "%s/dev", b->root);
    fake_opt(b->fake, "dev_root", opt);
    return b;
}

static void bench_start(struct bench *b)
{
    assert_int_equal(fake_start(b->fake), 0);
    b->dev = fake_device(b->fake, "BARN-01");
    fake_device_opt(b->dev, "path", b->path);
}

static void bench_free(struct bench *b)
{
    fake_free(b->fake);
    modem.there = false;
    if (b->master >= 0)
        close(b->master);
    run("rm -rf %s", b->root);
    free(b);
}

static struct bench *bench_open(void)
{
    struct bench *b = bench_new();
    b->master = pty_make(b->path);
    bench_start(b);
    assert_int_equal(fake_attach(b->fake, b->dev), 0);
    fake_advance(b->fake, 1);
    assert_int_equal(fake_link(b->dev), 1);
    return b;
}

/* What inotify told is taken, and what follows from it is done: some turns of a tenth of a second.
 */
static void settle(struct bench *b)
{
    for (int i = 0; i < 6; i++) {
        while (fake_poll(b->fake, 0) > 0)
            ;
        fake_advance(b->fake, 100);
    }
}

static void say(struct bench *b, const char *text)
{
    assert_int_equal(write(b->master, text, strlen(text)), (ssize_t)strlen(text));
}

static bool has(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

static int slave_fd(const struct bench *b)
{
    return open(b->path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
}

static void feeds_bytes_as_they_are(void **state)
{
    struct bench *b = bench_open();
    say(b, ">>> Completed 1 share(s)\r\n\x01\xff half");
    while (fake_poll(b->fake, 1000) > 0 && !has(fake_fed(b->dev, NULL), "half"))
        ;
    assert_string_equal(fake_fed(b->dev, NULL), ">>> Completed 1 share(s)\r\n\x01\xff half");
    assert_true(fake_logged(b->fake, "open for BARN-01"));
    assert_int_equal(fake_poll(b->fake, 0), 0);
    bench_free(b);
}

static void port_is_raw_and_keeps_its_lines_at_close(void **state)
{
    struct bench *b = bench_open();
    struct termios tio;
    int fd = slave_fd(b);
    assert_true(fd >= 0);
    assert_int_equal(tcgetattr(fd, &tio), 0);
    assert_false(tio.c_cflag & HUPCL);
    assert_false(tio.c_cflag & CRTSCTS);
    assert_true(tio.c_cflag & CLOCAL);
    assert_true((tio.c_cflag & CSIZE) == CS8);
    assert_false(tio.c_lflag & (ECHO | ICANON | ISIG));
    assert_false(tio.c_iflag & (ICRNL | IXON));
    assert_int_equal(cfgetispeed(&tio), B115200);
    close(fd);
    bench_free(b);
}

/* Every descriptor of the plugin, found by its link target. */
static void descriptor_is_closed_on_exec(void **state)
{
    struct bench *b = bench_open();
    char real[256], link[64], target[256];
    int seen = 0;
    assert_non_null(realpath(b->path, real));
    for (int fd = 0; fd < 256; fd++) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t len = readlink(link, target, sizeof target - 1);
        if (len < 0)
            continue;
        target[len] = 0;
        if (strcmp(target, real))
            continue;
        seen++;
        assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    }
    assert_int_equal(seen, 1);
    bench_free(b);
}

static void reads_at_most_one_block_a_turn(void **state)
{
    struct bench *b = bench_open();
    char block[3000];
    size_t before, after;
    memset(block, 'x', sizeof block);
    assert_int_equal(write(b->master, block, sizeof block), sizeof block);
    assert_int_equal(write(b->master, block, sizeof block), sizeof block);
    fake_poll(b->fake, 1000);
    fake_fed(b->dev, &before);
    assert_true(before > 0 && before <= 4096);
    while (fake_poll(b->fake, 200) > 0)
        ;
    fake_fed(b->dev, &after);
    assert_int_equal(after, 2 * sizeof block);
    bench_free(b);
}

static void pauses_while_the_database_is_behind(void **state)
{
    struct bench *b = bench_open();
    fake_choke(b->fake, true);
    say(b, "line\n");
    assert_int_equal(fake_poll(b->fake, 20), 0);
    fake_choke(b->fake, false);
    assert_int_equal(fake_poll(b->fake, 1000), 1);
    bench_free(b);
}

static void silence_is_not_a_hang_up(void **state)
{
    struct bench *b = bench_open();
    fake_advance(b->fake, 3600 * 1000);
    fake_poll(b->fake, 0);
    assert_int_equal(fake_link(b->dev), 1);
    assert_int_equal(fake_link_changes(b->dev), 1);
    bench_free(b);
}

static void hang_up_closes_at_once_after_the_last_bytes(void **state)
{
    struct bench *b = bench_open();
    say(b, "last words\n");
    fake_poll(b->fake, 1000);
    close(b->master);
    b->master = -1;
    for (int i = 0; i < 5 && fake_link(b->dev) == 1; i++)
        fake_poll(b->fake, 1000);
    assert_int_equal(fake_link(b->dev), 0);
    assert_true(has(fake_link_why(b->dev), "unplugged"));
    assert_int_equal(fake_watches(b->fake), 1); /* inotify's */
    assert_string_equal(fake_fed(b->dev, NULL), "last words\n");
    bench_free(b);
}

static void hang_up(struct bench *b)
{
    close(b->master);
    b->master = -1;
    for (int i = 0; i < 5 && fake_link(b->dev) == 1; i++)
        fake_poll(b->fake, 1000);
    unlink(b->path);
    assert_int_equal(fake_link(b->dev), 0);
}

static void comes_back_at_once(void **state)
{
    struct bench *b = bench_open();
    fake_advance(b->fake, 60000); /* it was stable */
    hang_up(b);
    settle(b);
    fake_advance(b->fake, 300000);
    assert_int_equal(fake_link(b->dev), 0);
    assert_true(has(fake_link_why(b->dev), "no such port; is it plugged in?"));
    b->master = pty_make(b->path);
    settle(b);
    assert_int_equal(fake_link(b->dev), 1);
    say(b, "again\n");
    fake_poll(b->fake, 1000);
    assert_true(has(fake_fed(b->dev, NULL), "again"));
    bench_free(b);
}

static void path_that_leads_elsewhere_is_opened_anew(void **state)
{
    struct bench *b = bench_open();
    int other = pty_make(b->path), old = b->master;
    b->master = other;
    settle(b);
    assert_int_equal(fake_link(b->dev), 1);
    assert_int_equal(fake_watches(b->fake), 2);
    say(b, "new board\n");
    fake_poll(b->fake, 1000);
    assert_string_equal(fake_fed(b->dev, NULL), "new board\n");
    close(old);
    bench_free(b);
}

static void removed_path_closes_without_a_hang_up(void **state)
{
    struct bench *b = bench_open();
    unlink(b->path);
    fake_poll(b->fake, 1000);
    fake_advance(b->fake, 60);
    assert_int_equal(fake_link(b->dev), 0);
    assert_true(has(fake_link_why(b->dev), "its path is gone"));
    settle(b);
    assert_true(has(fake_link_why(b->dev), "no such port"));
    assert_int_equal(fake_watches(b->fake), 1);
    bench_free(b);
}

static void flapping_port_is_tried_ever_more_slowly(void **state)
{
    struct bench *b = bench_open();
    int64_t slowest = 0;
    for (int i = 0; i < 10; i++) {
        hang_up(b);
        settle(b);
        b->master = pty_make(b->path);
        int64_t from = fake_mono_ms(b->fake);
        while (fake_link(b->dev) != 1 && fake_mono_ms(b->fake) - from < 60000) {
            while (fake_poll(b->fake, 0) > 0)
                ;
            fake_advance(b->fake, 100);
        }
        assert_int_equal(fake_link(b->dev), 1);
        slowest = fake_mono_ms(b->fake) - from;
    }
    assert_true(slowest >= 18000 && slowest <= 31000);
    bench_free(b);
}

static void missing_path_names_the_known_ports(void **state)
{
    struct bench *b = bench_new();
    run("mkdir -p %s/sys/class/tty/ttyUSB0 %s/sys/class/tty/ttyACM3 %s/sys/class/tty/ttyS0",
        b->root, b->root, b->root);
    bench_start(b);
    fake_attach(b->fake, b->dev);
    fake_advance(b->fake, 1);
    assert_int_equal(fake_link(b->dev), 0);
    assert_true(has(fake_link_why(b->dev), "no such port; is it plugged in? known ports: "));
    assert_true(has(fake_link_why(b->dev), "/dev/ttyUSB0"));
    assert_true(has(fake_link_why(b->dev), "/dev/ttyACM3"));
    assert_false(has(fake_link_why(b->dev), "ttyS0"));
    bench_free(b);
}

static void locked_port_names_its_holder(void **state)
{
    struct bench *b = bench_new();
    int ready[2];
    char byte;
    b->master = pty_make(b->path);
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        int fd = slave_fd(b);
        flock(fd, LOCK_EX);
        if (write(ready[1], "x", 1) != 1)
            _exit(1);
        pause();
        _exit(0);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    bench_start(b);
    fake_attach(b->fake, b->dev);
    fake_advance(b->fake, 1);
    assert_int_equal(fake_link(b->dev), 0);
    char pid[32];
    snprintf(pid, sizeof pid, "(pid %d)", child);
    assert_true(has(fake_link_why(b->dev), "in use by"));
    assert_true(has(fake_link_why(b->dev), pid));
    kill(child, 9);
    waitpid(child, NULL, 0);
    fake_advance(b->fake, 5000);
    assert_int_equal(fake_link(b->dev), 1);
    close(ready[0]);
    close(ready[1]);
    bench_free(b);
}

static void second_miner_on_one_port_is_told(void **state)
{
    struct bench *b = bench_open();
    struct shep_device *twin = fake_device(b->fake, "TWIN");
    fake_device_opt(twin, "path", b->path);
    fake_attach(b->fake, twin);
    fake_advance(b->fake, 100);
    assert_int_equal(fake_link(b->dev), 1);
    assert_int_equal(fake_link(twin), 0);
    assert_true(has(fake_link_why(twin), "another miner of yours has the same path"));
    fake_detach(b->fake, b->dev);
    fake_advance(b->fake, 5000);
    assert_int_equal(fake_link(twin), 1);
    bench_free(b);
}

static bool denied_port_is_told(void)
{
    struct bench *b = bench_new();
    char name[64];
    b->master = pty_make(b->path);
    assert_int_equal(ptsname_r(b->master, name, sizeof name), 0);
    assert_int_equal(chmod(name, 0), 0);
    bench_start(b);
    fake_attach(b->fake, b->dev);
    fake_advance(b->fake, 1);
    bool told = has(fake_link_why(b->dev), "permission denied; the port belongs to the group ") &&
                has(fake_link_why(b->dev), "run `sudo adduser ");
    bench_free(b);
    return told;
}

/* Root may open everything, so root runs it in a child without rights. */
static void denied_port_names_group_and_remedy(void **state)
{
    if (geteuid() != 0) {
        assert_true(denied_port_is_told());
        return;
    }
    int status = 0;
    pid_t child = fork();
    if (child == 0)
        _exit(setgid(65534) == 0 && setuid(65534) == 0 && denied_port_is_told() ? 0 : 1);
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void why_of(const char *path, const char *part)
{
    struct bench *b = bench_new();
    bench_start(b);
    fake_device_opt(b->dev, "path", path);
    assert_int_equal(fake_attach(b->fake, b->dev), 0);
    fake_advance(b->fake, 10);
    assert_int_equal(fake_link(b->dev), 0);
    if (!has(fake_link_why(b->dev), part))
        fail_msg("%s: said \"%s\", wanted \"%s\"", path, fake_link_why(b->dev), part);
    bench_free(b);
}

static void what_is_no_port_is_told_in_words(void **state)
{
    why_of("/dev/null", "not a serial port");
    why_of("/etc/passwd", "source = \"replay\"");
    why_of("/tmp", "not a serial port");
    why_of("ttyUSB0", "must be absolute");
    why_of("/dev/null/x", "no such port");
}

static void unusual_baud_is_refused_for_ever(void **state)
{
    struct bench *b = bench_new();
    b->master = pty_make(b->path);
    bench_start(b);
    fake_device_opt(b->dev, "baud", "74880");
    fake_attach(b->fake, b->dev);
    fake_advance(b->fake, 60000);
    assert_int_equal(fake_link(b->dev), 0);
    assert_true(has(fake_link_why(b->dev), "baud 74880"));
    bench_free(b);
}

/* The look was done, the opening waits for a worker. */
static void opening_held(struct bench *b)
{
    fake_hold_jobs(b->fake, true);
    fake_attach(b->fake, b->dev);
    fake_advance(b->fake, 1);
    fake_hold_jobs(b->fake, false);
    assert_true(fake_run_jobs(b->fake));
    fake_hold_jobs(b->fake, true);
    assert_int_equal(fake_jobs_waiting(b->fake), 1);
}

static void detaching_during_an_opening_closes_it(void **state)
{
    struct bench *b = bench_new();
    b->master = pty_make(b->path);
    bench_start(b);
    fake_advance(b->fake, 1);
    opening_held(b);
    fake_detach(b->fake, b->dev);
    fake_hold_jobs(b->fake, false);
    fake_advance(b->fake, 1);
    assert_int_equal(fake_watches(b->fake), 1);
    int fd = slave_fd(b); /* nobody holds the lock */
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    close(fd);
    bench_free(b);
}

static void stopping_during_a_look_leaves_nothing(void **state)
{
    struct bench *b = bench_new();
    b->master = pty_make(b->path);
    bench_start(b);
    fake_hold_jobs(b->fake, true);
    fake_attach(b->fake, b->dev);
    fake_advance(b->fake, 10);
    assert_int_equal(fake_jobs_waiting(b->fake), 1);
    fake_stop(b->fake);
    bench_free(b);
}

static void stopping_during_an_opening_leaves_nothing(void **state)
{
    struct bench *b = bench_new();
    b->master = pty_make(b->path);
    bench_start(b);
    opening_held(b);
    fake_stop(b->fake);
    bench_free(b);
}

static void forty_ports_are_opened_one_after_the_other(void **state)
{
    struct bench *b = bench_new();
    struct shep_device *devs[40];
    int masters[40];
    bench_start(b);
    for (int i = 0; i < 40; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/tty%d", b->root, i);
        masters[i] = pty_make(path);
        devs[i] = fake_device(b->fake, "M");
        fake_device_opt(devs[i], "path", path);
        fake_attach(b->fake, devs[i]);
    }
    fake_advance(b->fake, 500);
    int up = 0;
    for (int i = 0; i < 40; i++)
        up += fake_link(devs[i]) == 1;
    assert_true(up >= 5 && up <= 12);
    fake_advance(b->fake, 2000);
    for (int i = 0; i < 40; i++)
        assert_int_equal(fake_link(devs[i]), 1);
    for (int i = 0; i < 40; i++)
        close(masters[i]);
    bench_free(b);
}

/* ---- paths that come and go ---- */

static void opens_at_once(struct bench *b)
{
    while (fake_poll(b->fake, 0) > 0)
        ;
    fake_advance(b->fake, 60);
    assert_int_equal(fake_link(b->dev), 1);
}

/* As udev makes it: folders, then a link to a link. */
static void links_in_folders_that_come_later_are_followed(void **state)
{
    struct bench *b = bench_new();
    char node[128], path[160];
    snprintf(path, sizeof path, "%s/dev/serial/by-id/usb-X-if00", b->root);
    snprintf(node, sizeof node, "%s/dev/ttyUSB0", b->root);
    bench_start(b);
    fake_device_opt(b->dev, "path", path);
    fake_attach(b->fake, b->dev);
    settle(b);
    assert_true(has(fake_link_why(b->dev), "no such port"));
    run("mkdir -p %s/dev/serial", b->root);
    settle(b);
    run("mkdir -p %s/dev/serial/by-id", b->root);
    settle(b);
    run("ln -s ../../ttyUSB0 %s", path);
    settle(b);
    assert_int_equal(fake_link(b->dev), 0);
    b->master = pty_make(node);
    opens_at_once(b);
    unlink(node); /* the link stays for a while */
    settle(b);
    assert_int_equal(fake_link(b->dev), 0);
    int old = b->master;
    b->master = pty_make(node);
    opens_at_once(b);
    close(old);
    run("rm -r %s/dev/serial", b->root);
    settle(b);
    assert_int_equal(fake_link(b->dev), 0);
    run("mkdir -p %s/dev/serial/by-id && ln -s ../../ttyUSB0 %s", b->root, path);
    opens_at_once(b);
    bench_free(b);
}

static void hang_up_before_and_after_the_path_goes_end_the_same(void **state)
{
    for (int hang_up_first = 0; hang_up_first < 2; hang_up_first++) {
        struct bench *b = bench_open();
        fake_advance(b->fake, 60000);
        for (int i = 0; i < 2; i++)
            if (i == hang_up_first) {
                unlink(b->path);
                settle(b);
            } else {
                close(b->master);
                b->master = -1;
                settle(b);
            }
        assert_int_equal(fake_link(b->dev), 0);
        assert_true(has(fake_link_why(b->dev), "no such port"));
        b->master = pty_make(b->path);
        opens_at_once(b);
        bench_free(b);
    }
}

static void missing_paths_do_not_delay_the_one_that_is_there(void **state)
{
    struct bench *b = bench_new();
    char path[128];
    bench_start(b);
    for (int i = 0; i < 60; i++) {
        struct shep_device *dev = fake_device(b->fake, "M");
        snprintf(path, sizeof path, "%s/dev/ttyUSB%d", b->root, i);
        fake_device_opt(dev, "path", path);
        fake_attach(b->fake, dev);
    }
    b->master = pty_make(b->path);
    fake_attach(b->fake, b->dev); /* the last of them */
    fake_advance(b->fake, 1);
    assert_int_equal(fake_link(b->dev), 1);
    size_t timers = fake_timers(b->fake);
    hang_up(b);
    settle(b);
    b->master = pty_make(b->path);
    opens_at_once(b);
    assert_true(fake_timers(b->fake) <= timers + 1);
    bench_free(b);
}

/* Where inotify cannot be had; here it is only emptied behind the plugin's back. */
static void paths_are_looked_at_now_and_then_whatever_inotify_says(void **state)
{
    struct bench *b = bench_new();
    bench_start(b);
    fake_attach(b->fake, b->dev);
    settle(b);
    b->master = pty_make(b->path);
    fake_advance(b->fake, 31000);
    assert_int_equal(fake_link(b->dev), 1);
    bench_free(b);
}

static void rights_that_come_later_are_noticed(void **state)
{
    struct bench *b = bench_new();
    char name[64];
    b->master = pty_make(b->path);
    assert_int_equal(ptsname_r(b->master, name, sizeof name), 0);
    bench_start(b);
    int fd = slave_fd(b);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB),
                     0); /* root is refused nothing: refuse otherwise */
    fake_attach(b->fake, b->dev);
    settle(b);
    fake_advance(b->fake, 200000); /* the next try is far away */
    assert_int_equal(fake_link(b->dev), 0);
    close(fd);
    assert_int_equal(chmod(name, 0660), 0);
    settle(b);
    assert_int_equal(fake_link(b->dev), 1);
    bench_free(b);
}

/* Nothing is ever written, so a board that reads nothing cannot make us wait. */
static void a_port_that_takes_no_bytes_is_read_and_closed_all_the_same(void **state)
{
    struct bench *b = bench_new();
    char block[8192];
    b->master = pty_make(b->path);
    int fd = slave_fd(b);
    struct termios tio;
    assert_int_equal(tcgetattr(fd, &tio), 0);
    cfmakeraw(&tio);
    assert_int_equal(tcsetattr(fd, TCSANOW, &tio), 0);
    memset(block, 'x', sizeof block);
    while (write(fd, block, sizeof block) > 0)
        ;
    bench_start(b);
    fake_attach(b->fake, b->dev);
    fake_advance(b->fake, 1);
    assert_int_equal(fake_link(b->dev), 1);
    say(b, "alive\n");
    fake_poll(b->fake, 1000);
    assert_true(has(fake_fed(b->dev, NULL), "alive"));
    fake_detach(b->fake, b->dev);
    close(fd);
    bench_free(b);
}

/* ---- DTR and RTS ---- */

static void opening_and_closing_touch_no_line(void **state)
{
    struct bench *b = bench_new();
    b->master = pty_make(b->path);
    lines_begin(TIOCM_DTR | TIOCM_RTS);
    bench_start(b);
    for (int i = 0; i < 3; i++) {
        fake_attach(b->fake, b->dev);
        fake_advance(b->fake, 100);
        assert_int_equal(fake_link(b->dev), 1);
        fake_detach(b->fake, b->dev);
    }
    assert_string_equal(modem.log, "");
    bench_free(b);
}

static void deasserting_takes_one_request(void **state)
{
    struct bench *b = bench_new();
    b->master = pty_make(b->path);
    lines_begin(TIOCM_DTR | TIOCM_RTS);
    bench_start(b);
    fake_device_opt(b->dev, "dtr_rts", "deassert");
    fake_attach(b->fake, b->dev);
    fake_advance(b->fake, 1);
    assert_string_equal(modem.log, "00 ");
    assert_int_equal(reset_port(b), 0);
    fake_advance(b->fake, 1);
    assert_string_equal(modem.log, "00 01 00 "); /* and it ends as it was */
    bench_free(b);
}

static struct bench *bench_with_lines(int lines)
{
    struct bench *b = bench_new();
    b->master = pty_make(b->path);
    lines_begin(lines);
    bench_start(b);
    fake_attach(b->fake, b->dev);
    fake_advance(b->fake, 1);
    assert_int_equal(fake_link(b->dev), 1);
    return b;
}

static void reset_is_one_clean_pulse(void **state)
{
    struct bench *b = bench_with_lines(TIOCM_DTR | TIOCM_RTS);
    struct timespec from, to;
    struct termios tio;
    assert_int_equal(reset_port(b), 0);
    assert_string_equal(modem.log, ""); /* it returns at once; a worker does it */
    assert_int_equal(reset_port(b), SHEP_E_BUSY);
    clock_gettime(CLOCK_MONOTONIC, &from);
    fake_run_jobs(b->fake);
    clock_gettime(CLOCK_MONOTONIC, &to);
    assert_string_equal(modem.log, "01 00 11 ");
    assert_true((to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / 1000000 >= 199);
    assert_int_equal(modem.hupcl_while_held, 1); /* killed now, both lines fall together */
    int fd = slave_fd(b);
    assert_int_equal(tcgetattr(fd, &tio), 0);
    assert_false(tio.c_cflag & HUPCL);
    close(fd);
    assert_true(fake_logged(b->fake, "BARN-01 was reset"));
    assert_int_equal(fake_link(b->dev), 1);
    bench_free(b);
}

static void reset_ends_idle_wherever_the_lines_were(void **state)
{
    static const struct {
        int before;
        const char *log;
    } cases[] = {{0, "01 00 "}, {TIOCM_DTR, "01 00 11 "}, {TIOCM_RTS, "01 00 11 "}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bench *b = bench_with_lines(cases[i].before);
        assert_int_equal(reset_port(b), 0);
        fake_advance(b->fake, 1);
        assert_string_equal(modem.log, cases[i].log);
        bench_free(b);
    }
}

static void reset_that_fails_is_told(void **state)
{
    struct bench *b = bench_with_lines(TIOCM_DTR | TIOCM_RTS);
    modem.fail_set = true;
    assert_int_equal(reset_port(b), 0);
    fake_advance(b->fake, 1);
    assert_true(fake_logged(b->fake, "could not be reset: "));
    assert_int_equal(reset_port(b), 0); /* another try is possible */
    fake_advance(b->fake, 1);
    bench_free(b);
}

static void reset_needs_an_open_port_with_lines(void **state)
{
    struct bench *b = bench_open();
    assert_int_equal(reset_port(b), SHEP_E_UNSUPPORTED); /* a pseudo-terminal */
    hang_up(b);
    assert_int_equal(reset_port(b), SHEP_E_GONE);
    bench_free(b);
}

static void detaching_during_a_reset_leaves_the_board_running(void **state)
{
    struct bench *b = bench_with_lines(TIOCM_DTR | TIOCM_RTS);
    assert_int_equal(reset_port(b), 0);
    fake_detach(b->fake, b->dev);
    fake_run_jobs(b->fake);
    assert_string_equal(modem.log, "01 00 11 ");
    bench_free(b);
}

/* ---- what others found ---- */

enum {
    PLAUSIBLE = SHEP_JUDGE_PLAUSIBLE,
    LISTEN = SHEP_JUDGE_LISTEN,
    NATIVE = SHEP_JUDGE_NATIVE,
    BOOTLOADER = SHEP_JUDGE_BOOTLOADER
};

static int judge(struct bench *b, const char *vid, const char *pid, const char *text)
{
    struct shep_found found = {.size = sizeof found,
                               .key = "usb:1-1:1.0",
                               .path = "/dev/ttyUSB0",
                               .port_path = "1-1",
                               .description = text,
                               .vendor_id = vid,
                               .product_id = pid};
    return ops_of(b)->judge(fake_self(b->fake), &found);
}

static struct bench *bench_judge(const char *name, const char *value)
{
    struct bench *b = bench_new();
    if (name)
        fake_opt(b->fake, name, value);
    assert_int_equal(fake_start(b->fake), 0);
    return b;
}

static void known_chips_are_listened_to_and_bridges_offered(void **state)
{
    struct bench *b = bench_judge(NULL, NULL);
    assert_int_equal(judge(b, "303a", "1001", "USB JTAG/serial debug unit"),
                     PLAUSIBLE | LISTEN | NATIVE);
    assert_int_equal(judge(b, "303a", "80c2", NULL), PLAUSIBLE | LISTEN | NATIVE);
    assert_int_equal(judge(b, "303a", "0002", "ESP32-S2"), BOOTLOADER);
    assert_int_equal(judge(b, "303a", "0009", NULL), BOOTLOADER);
    assert_int_equal(judge(b, "2886", "0046", NULL), PLAUSIBLE | NATIVE);
    assert_int_equal(judge(b, "1a86", "7523", "USB Serial"), PLAUSIBLE);
    assert_int_equal(judge(b, "10c4", "ea60", "CP2102 USB to UART Bridge Controller"), PLAUSIBLE);
    assert_int_equal(judge(b, "0403", "6001", "FT232R USB UART"), PLAUSIBLE);
    assert_int_equal(judge(b, "1546", "01a7", "u-blox 7 - GPS/GNSS Receiver"), 0);
    assert_int_equal(judge(b, "2e8a", "000a", "Pico"), 0);
    bench_free(b);
}

static void all_means_all_that_look_like_a_miner(void **state)
{
    struct bench *b = bench_judge("listen", "all");
    assert_int_equal(judge(b, "1a86", "7523", "USB Serial"), PLAUSIBLE | LISTEN);
    assert_int_equal(judge(b, "303a", "0009", NULL), BOOTLOADER);
    assert_int_equal(judge(b, "1546", "01a7", "u-blox"), 0);
    assert_int_equal(judge(b, "0451", "16a8", "TI CC2531 USB CDC"), 0);
    assert_int_equal(judge(b, "1cf1", "0030", "ConBee II"), 0);
    assert_int_equal(judge(b, "10c4", "ea60", "Sonoff Zigbee 3.0 USB Dongle Plus, Silicon Labs"),
                     0);
    assert_int_equal(judge(b, "1a86", "55d4", "SONOFF ZIGBEE 3.0"), 0);
    assert_int_equal(judge(b, "0403", "6001", "DMX USB PRO, ENTTEC"), 0);
    bench_free(b);
}

static void ids_of_the_configuration_are_added(void **state)
{
    struct bench *b = bench_judge("ids", " 2E8A:000a,1209:4d4d 0451:16a8,");
    assert_int_equal(judge(b, "2e8a", "000a", NULL), PLAUSIBLE);
    assert_int_equal(judge(b, "1209", "4d4d", NULL), PLAUSIBLE);
    assert_int_equal(judge(b, "0451", "16a8", "Zigbee"), PLAUSIBLE); /* who wrote it there knows */
    assert_int_equal(judge(b, "2e8a", "000b", NULL), 0);
    bench_free(b);
}

static void wrong_ids_are_refused(const char *ids, const char *part)
{
    struct fake *fake = fake_new("source_serial.so");
    fake_opt(fake, "ids", ids);
    assert_int_equal(fake_start(fake), SHEP_E_CONFIG);
    assert_true(has(fake_failure(fake), part));
    fake_free(fake);
}

static void ids_that_are_none_are_refused(void **state)
{
    char many[512] = "";
    wrong_ids_are_refused("2e8a:000a, 2e8a", "\"2e8a\"");
    wrong_ids_are_refused("2e8a-000a", "\"2e8a-000a\"");
    wrong_ids_are_refused("2e8a:00xa", "\"2e8a:00xa\"");
    for (int i = 0; i < 50; i++)
        strcat(many, "1234:5678,");
    wrong_ids_are_refused(strcat(many, "xxxxxxxxxx"), "\"xxxxxxxxxx\"");
}

static void what_is_no_serial_port_is_not_judged(void **state)
{
    struct bench *b = bench_judge(NULL, NULL);
    struct shep_found lan = {.size = sizeof lan,
                             .key = "lan:1",
                             .path = "http://192.168.1.7",
                             .port_path = "192.168.1.7"};
    assert_int_equal(ops_of(b)->judge(fake_self(b->fake), &lan), SHEP_E_UNSUPPORTED);
    bench_free(b);
    b = bench_judge("discover", "false");
    assert_int_equal(judge(b, "303a", "1001", NULL), SHEP_E_UNSUPPORTED);
    bench_free(b);
}

static void relative_roots_are_refused(void **state)
{
    struct fake *fake = fake_new("source_serial.so");
    fake_opt(fake, "dev_root", "dev");
    assert_int_equal(fake_start(fake), SHEP_E_CONFIG);
    assert_true(has(fake_failure(fake), "dev_root"));
    fake_free(fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(feeds_bytes_as_they_are),
        cmocka_unit_test(port_is_raw_and_keeps_its_lines_at_close),
        cmocka_unit_test(descriptor_is_closed_on_exec),
        cmocka_unit_test(reads_at_most_one_block_a_turn),
        cmocka_unit_test(pauses_while_the_database_is_behind),
        cmocka_unit_test(silence_is_not_a_hang_up),
        cmocka_unit_test(hang_up_closes_at_once_after_the_last_bytes),
        cmocka_unit_test(comes_back_at_once),
        cmocka_unit_test(path_that_leads_elsewhere_is_opened_anew),
        cmocka_unit_test(removed_path_closes_without_a_hang_up),
        cmocka_unit_test(flapping_port_is_tried_ever_more_slowly),
        cmocka_unit_test(missing_path_names_the_known_ports),
        cmocka_unit_test(locked_port_names_its_holder),
        cmocka_unit_test(second_miner_on_one_port_is_told),
        cmocka_unit_test(denied_port_names_group_and_remedy),
        cmocka_unit_test(what_is_no_port_is_told_in_words),
        cmocka_unit_test(unusual_baud_is_refused_for_ever),
        cmocka_unit_test(detaching_during_an_opening_closes_it),
        cmocka_unit_test(stopping_during_a_look_leaves_nothing),
        cmocka_unit_test(stopping_during_an_opening_leaves_nothing),
        cmocka_unit_test(forty_ports_are_opened_one_after_the_other),
        cmocka_unit_test(links_in_folders_that_come_later_are_followed),
        cmocka_unit_test(hang_up_before_and_after_the_path_goes_end_the_same),
        cmocka_unit_test(missing_paths_do_not_delay_the_one_that_is_there),
        cmocka_unit_test(paths_are_looked_at_now_and_then_whatever_inotify_says),
        cmocka_unit_test(rights_that_come_later_are_noticed),
        cmocka_unit_test(a_port_that_takes_no_bytes_is_read_and_closed_all_the_same),
        cmocka_unit_test(opening_and_closing_touch_no_line),
        cmocka_unit_test(deasserting_takes_one_request),
        cmocka_unit_test(reset_is_one_clean_pulse),
        cmocka_unit_test(reset_ends_idle_wherever_the_lines_were),
        cmocka_unit_test(reset_that_fails_is_told),
        cmocka_unit_test(reset_needs_an_open_port_with_lines),
        cmocka_unit_test(detaching_during_a_reset_leaves_the_board_running),
        cmocka_unit_test(known_chips_are_listened_to_and_bridges_offered),
        cmocka_unit_test(all_means_all_that_look_like_a_miner),
        cmocka_unit_test(ids_of_the_configuration_are_added),
        cmocka_unit_test(ids_that_are_none_are_refused),
        cmocka_unit_test(what_is_no_serial_port_is_not_judged),
        cmocka_unit_test(relative_roots_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
