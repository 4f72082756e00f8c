/* The serial source: ports that are opened, read, lost and back. */
#include "unit/serialbench.h"

#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void feeds_bytes_as_they_are(void **state)
{
    struct bench *b = bench_open();
    say(b, ">>> Completed 1 share(s)\r\n\x01\xff half");
    wait_fed(b, "half");
    assert_string_equal(fake_fed(b->dev, NULL), ">>> Completed 1 share(s)\r\n\x01\xff half");
    assert_true(fake_logged(b->fake, "open for BARN-01"));
    bench_free(b);
}

static void port_is_raw_and_keeps_its_lines_at_close(void **state)
{
    struct bench *b = bench_new();
    struct termios tio;
    b->master = pty_make(b->path);
    int fd = slave_fd(b);
    assert_true(fd >= 0);
    assert_int_equal(tcgetattr(fd, &tio), 0);
    tio.c_cflag |= HUPCL; /* as real ports have it */
    assert_int_equal(tcsetattr(fd, TCSANOW, &tio), 0);
    bench_start(b);
    fake_attach(b->fake, b->dev);
    fake_advance(b->fake, 1);
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
    do {
        fake_poll(b->fake, 1000);
        fake_fed(b->dev, &before);
    } while (before == 0);
    assert_true(before > 0 && before <= 4096);
    do {
        fake_poll(b->fake, 1000);
        fake_fed(b->dev, &after);
    } while (after < 2 * sizeof block);
    assert_int_equal(after, 2 * sizeof block);
    bench_free(b);
}

static void pauses_while_the_database_is_behind(void **state)
{
    struct bench *b = bench_open();
    fake_choke(b->fake, true);
    say(b, "line\n");
    for (int i = 0; i < 5; i++)
        fake_poll(b->fake, 10);
    assert_string_equal(fake_fed(b->dev, NULL), "");
    fake_choke(b->fake, false);
    wait_fed(b, "line");
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
    wait_fed(b, "last words");
    close(b->master);
    b->master = -1;
    for (int i = 0; i < 1000 && fake_link(b->dev) == 1; i++)
        fake_poll(b->fake, 10);
    assert_int_equal(fake_link(b->dev), 0);
    assert_true(has(fake_link_why(b->dev), "unplugged"));
    assert_int_equal(reads.empty, 1);           /* the kernel hung it up: no error */
    assert_int_equal(fake_watches(b->fake), 1); /* inotify's */
    assert_string_equal(fake_fed(b->dev, NULL), "last words\n");
    bench_free(b);
}

static void deaf_for(struct bench *b, unsigned n)
{
    reads.deaf = n;
    for (int i = 0; i < 1000 && reads.deaf > 0 && fake_link(b->dev) == 1; i++)
        fake_poll(b->fake, 10);
}

static void an_error_of_reading_closes(void **state)
{
    static const int errors[] = {EIO, ENXIO, ENODEV};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        struct bench *b = bench_open();
        reads.error = errors[i];
        say(b, "1");
        for (int n = 0; n < 1000 && fake_link(b->dev) == 1; n++)
            fake_poll(b->fake, 10);
        assert_int_equal(fake_link(b->dev), 0);
        assert_true(has(fake_link_why(b->dev), "unplugged"));
        bench_free(b);
    }
}

/* poll() says that there is something, read() that there is not: the loop must not spin on it. */
static void reading_nothing_again_and_again_closes(void **state)
{
    struct bench *b = bench_open();
    say(b, "1");
    deaf_for(b, 50); /* not at once: it may be nothing */
    wait_fed(b, "1");
    say(b, "2");
    deaf_for(b, 50);
    wait_fed(b, "12");
    assert_int_equal(fake_link(b->dev), 1);
    say(b, "3");
    deaf_for(b, 500);
    assert_int_equal(fake_link(b->dev), 0);
    assert_string_equal(fake_fed(b->dev, NULL), "12");
    bench_free(b);
}

static void opens_at_once(struct bench *b)
{
    while (fake_poll(b->fake, 0) > 0)
        ;
    fake_advance(b->fake, 60);
    assert_int_equal(fake_link(b->dev), 1);
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
    wait_fed(b, "again");
    fake_advance(b->fake, 60000);
    hang_up(b); /* and before the first retry is due */
    while (fake_poll(b->fake, 0) > 0)
        ;
    fake_advance(b->fake, 60);
    b->master = pty_make(b->path);
    opens_at_once(b);
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
    wait_fed(b, "board\n");
    assert_string_equal(fake_fed(b->dev, NULL), "new board\n");
    close(old);
    bench_free(b);
}

static void removed_path_closes_without_a_hang_up(void **state)
{
    struct bench *b = bench_open();
    unlink(b->path);
    while (fake_poll(b->fake, 0) > 0)
        ;
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

static void attaching_again_during_an_opening_takes_it_over(void **state)
{
    struct bench *b = bench_new();
    b->master = pty_make(b->path);
    bench_start(b);
    opening_held(b);
    fake_detach(b->fake, b->dev);
    struct shep_device *again = fake_device(b->fake, "AGAIN");
    fake_device_opt(again, "path", b->path);
    fake_attach(b->fake, again);
    struct shep_device *slow = fake_device(b->fake, "SLOW"); /* not what was asked for */
    fake_device_opt(slow, "path", b->path);
    fake_device_opt(slow, "baud", "9600");
    fake_attach(b->fake, slow);
    fake_hold_jobs(b->fake, false);
    fake_advance(b->fake, 100);
    assert_int_equal(fake_link(again), 1);
    assert_int_equal(fake_link_changes(again), 1);
    assert_int_equal(fake_link(slow), 0);
    settle(b);
    assert_int_equal(fake_link_changes(again), 1);
    fake_detach(b->fake, again);
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
    wait_fed(b, "alive");
    fake_detach(b->fake, b->dev);
    close(fd);
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
        cmocka_unit_test(an_error_of_reading_closes),
        cmocka_unit_test(reading_nothing_again_and_again_closes),
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
        cmocka_unit_test(attaching_again_during_an_opening_takes_it_over),
        cmocka_unit_test(stopping_during_a_look_leaves_nothing),
        cmocka_unit_test(stopping_during_an_opening_leaves_nothing),
        cmocka_unit_test(forty_ports_are_opened_one_after_the_other),
        cmocka_unit_test(links_in_folders_that_come_later_are_followed),
        cmocka_unit_test(hang_up_before_and_after_the_path_goes_end_the_same),
        cmocka_unit_test(missing_paths_do_not_delay_the_one_that_is_there),
        cmocka_unit_test(paths_are_looked_at_now_and_then_whatever_inotify_says),
        cmocka_unit_test(rights_that_come_later_are_noticed),
        cmocka_unit_test(a_port_that_takes_no_bytes_is_read_and_closed_all_the_same),
        cmocka_unit_test(relative_roots_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
