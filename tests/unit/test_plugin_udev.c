/* The source "udev" on a made sysfs tree and a made libudev (fakeudev.c): no hardware, no udevd. */
#include "unit/fakehost.h"
#include "unit/fakeudev.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct bench {
    struct fake *fake;
    char root[64];
};

static void run(const char *fmt, ...)
{
    char command[2048];
    va_list args;
    va_start(args, fmt);
    vsnprintf(command, sizeof command, fmt, args);
    va_end(args);
    if (system(command) != 0)
        fail_msg("failed: %s", command);
}

static struct bench *bench_new(void)
{
    struct bench *b = calloc(1, sizeof *b);
    char opt[128];
    fakeudev_reset();
    snprintf(b->root, sizeof b->root, "/tmp/shep-udev-XXXXXX");
    assert_non_null(mkdtemp(b->root));
    run("mkdir -p %s/sys/class/tty %s/dev", b->root, b->root);
    b->fake = fake_new("source_udev.so");
    snprintf(opt, sizeof opt, "%s/sys", b->root);
    fake_opt(b->fake, "sysfs_root", opt);
    snprintf(opt, sizeof opt, "%s/dev", b->root);
    fake_opt(b->fake, "dev_root", opt);
    return b;
}

static void bench_start(struct bench *b)
{
    assert_int_equal(fake_start(b->fake), 0);
    fake_advance(b->fake, 1);
}

static void bench_free(struct bench *b)
{
    fake_free(b->fake);
    assert_int_equal(fakeudev_alive(), 0);
    run("rm -rf %s", b->root);
    free(b);
}

/* What the monitor said is taken, and the scan that follows is done. */
static void hear(struct bench *b)
{
    while (fake_poll(b->fake, 0) > 0)
        ;
    fake_advance(b->fake, 101);
}

static bool has(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

/* A USB serial port in the made tree: usb device, interface, tty, and a node that exists. */
static void plug(struct bench *b, const char *tty, const char *port, const char *vid,
                 const char *pid, const char *serial, const char *product)
{
    char usb[256], tree[512];
    bool usb_serial = has(tty, "USB");
    snprintf(usb, sizeof usb, "%s/sys/devices/usb1/%s", b->root, port);
    snprintf(tree, sizeof tree, "%s/%s:1.0%s%s", usb, port, usb_serial ? "/" : "",
             usb_serial ? tty : "");
    run("mkdir -p %s/tty/%s; ln -sfn %s/tty/%s %s/sys/class/tty/%s; ln -sfn %s %s/tty/%s/device",
        tree, tty, tree, tty, b->root, tty, tree, tree, tty);
    run("echo %s > %s/idVendor; echo %s > %s/idProduct; echo 00 > %s/%s:1.0/bInterfaceNumber", vid,
        usb, pid, usb, usb, port);
    if (serial)
        run("printf '%s\\n' > %s/serial", serial, usb);
    if (product)
        run("printf '%s\\n' > %s/product", product, usb);
    run("ln -sfn /dev/null %s/dev/%s", b->root, tty);
}

static void unplug(struct bench *b, const char *tty, const char *port)
{
    run("rm -rf %s/sys/class/tty/%s %s/dev/%s %s/sys/devices/usb1/%s", b->root, tty, b->root, tty,
        b->root, port);
}

/* ---- what is told ---- */

static void ports_are_found_with_their_facts(void **state)
{
    struct bench *b = bench_new();
    plug(b, "ttyUSB0", "1-1.2", "1a86", "7523", NULL, "USB Serial");
    plug(b, "ttyACM0", "1-3", "303A", "1001", "F0:F5:BD:4A:AB:CC", "USB JTAG/serial debug unit");
    run("echo Espressif > %s/sys/devices/usb1/1-3/manufacturer", b->root);
    bench_start(b);
    assert_int_equal(fake_found_count(b->fake), 2);
    const struct fake_found *ch340 = fake_found(b->fake, "usb:1-1.2:1.0");
    assert_non_null(ch340);
    assert_true(has(ch340->path, "/dev/ttyUSB0"));
    assert_string_equal(ch340->port_path, "1-1.2");
    assert_string_equal(ch340->hub, "1-1");
    assert_string_equal(ch340->description, "USB Serial");
    assert_string_equal(ch340->vendor_id, "1a86");
    assert_string_equal(ch340->product_id, "7523");
    assert_string_equal(ch340->serial, "");
    assert_string_equal(ch340->mac, "");
    assert_int_equal(ch340->flags, 0);
    const struct fake_found *esp = fake_found(b->fake, "usb:1-3:1.0");
    assert_non_null(esp);
    assert_string_equal(esp->hub, "");
    assert_string_equal(esp->vendor_id, "303a");
    assert_string_equal(esp->serial, "F0:F5:BD:4A:AB:CC");
    assert_string_equal(esp->mac, "f0:f5:bd:4a:ab:cc");
    assert_string_equal(esp->description, "USB JTAG/serial debug unit, Espressif");
    fake_advance(b->fake, 300000);
    assert_int_equal(fake_found_calls(b->fake), 2);
    assert_int_equal(fake_lost_calls(b->fake), 0);
    bench_free(b);
}

/* ID_USB_* counts most, then ID_* when the bus is USB, then sysfs. */
static void udev_knows_better_than_sysfs(void **state)
{
    struct bench *b = bench_new();
    char path[PATH_MAX], link[PATH_MAX];
    plug(b, "ttyUSB0", "1-1", "1a86", "7523", "sysfs", NULL);
    plug(b, "ttyUSB1", "1-2", "1a86", "7523", "sysfs", NULL);
    plug(b, "ttyUSB2", "1-3", "1a86", "7523", "sysfs", NULL);
    plug(b, "ttyUSB3", "1-4", "1a86", "7523", "sysfs", NULL);
    for (int i = 0; i < 4; i++) {
        snprintf(link, sizeof link, "%s/sys/class/tty/ttyUSB%d", b->root, i);
        assert_non_null(realpath(link, path));
        if (i == 0)
            fakeudev_device("ttyUSB0", path, true, "ID_BUS=usb", "ID_USB_VENDOR_ID=10C4",
                            "ID_VENDOR_ID=ffff", "ID_USB_MODEL_ID=ea60", "ID_USB_SERIAL_SHORT=new",
                            "ID_SERIAL_SHORT=old", "ID_USB_MODEL=CP2102_Bridge", NULL);
        else if (i == 1)
            fakeudev_device("ttyUSB1", path, true, "ID_BUS=usb", "ID_VENDOR_ID=0403",
                            "ID_MODEL_ID=6001", "ID_SERIAL_SHORT=old", NULL);
        else if (i == 2)
            fakeudev_device("ttyUSB2", path, true, "ID_BUS=pci", "ID_VENDOR_ID=8086",
                            "ID_SERIAL_SHORT=card", NULL);
        else /* another device of that name: another machine's sysfs */
            fakeudev_device("ttyUSB3", "/sys/elsewhere", true, "ID_USB_SERIAL_SHORT=wrong", NULL);
    }
    bench_start(b);
    const struct fake_found *first = fake_found(b->fake, "usb:1-1:1.0");
    assert_string_equal(first->vendor_id, "10c4");
    assert_string_equal(first->product_id, "ea60");
    assert_string_equal(first->serial, "new");
    assert_string_equal(first->description, "CP2102 Bridge");
    assert_string_equal(fake_found(b->fake, "usb:1-2:1.0")->vendor_id, "0403");
    assert_string_equal(fake_found(b->fake, "usb:1-2:1.0")->serial, "old");
    assert_string_equal(fake_found(b->fake, "usb:1-3:1.0")->vendor_id, "1a86");
    assert_string_equal(fake_found(b->fake, "usb:1-3:1.0")->serial, "sysfs");
    assert_string_equal(fake_found(b->fake, "usb:1-4:1.0")->serial, "sysfs");
    bench_free(b);
}

static void serial_of(struct bench *b, const char *serial, const char *wanted)
{
    plug(b, "ttyUSB0", "1-1", "10c4", "ea60", serial, NULL);
    fakeudev_say("change", "ttyUSB0");
    hear(b);
    const struct fake_found *found = fake_found(b->fake, "usb:1-1:1.0");
    if (!found || strcmp(found->serial, wanted) != 0)
        fail_msg("serial %s: told %s, wanted %s", serial, found ? found->serial : "nothing",
                 wanted);
}

static void odd_serials_stay_different(void **state)
{
    struct bench *b = bench_new();
    bench_start(b);
    serial_of(b, "0001", "0001");
    serial_of(b, "  ab  12 ", "ab_12"); /* as udev writes it */
    serial_of(b, "<b>\"x\"", "_b__x_"); /* so too */
    serial_of(b, "a,b", "a%2cb");       /* udev drops these */
    serial_of(b, "\\001\\377", "%01%ff");
    serial_of(b, "\\002\\377", "%02%ff");
    bench_free(b);
}

static void mac_of(struct bench *b, const char *vid, const char *pid, const char *serial,
                   const char *wanted)
{
    plug(b, "ttyACM0", "1-1", vid, pid, serial, NULL);
    fakeudev_say("change", "ttyACM0");
    hear(b);
    const struct fake_found *found = fake_found(b->fake, "usb:1-1:1.0");
    if (!found || strcmp(found->mac, wanted) != 0)
        fail_msg("%s:%s %s: MAC %s, wanted %s", vid, pid, serial, found ? found->mac : "nothing",
                 wanted);
}

static void only_a_mac_is_a_mac(void **state)
{
    struct bench *b = bench_new();
    bench_start(b);
    mac_of(b, "303a", "80c2", "A0B1C2D3E4F5", "a0:b1:c2:d3:e4:f5");
    mac_of(b, "2886", "0046", "a0:b1:c2:d3:e4:f6", "a0:b1:c2:d3:e4:f6");
    mac_of(b, "2341", "0070", "A0-B1-C2-D3-E4-F7", "a0:b1:c2:d3:e4:f7");
    mac_of(b, "10c4", "ea60", "A0B1C2D3E4F5", "");
    mac_of(b, "303a", "0009", "A0B1C2D3E4F5", "");
    mac_of(b, "303a", "1001", "000000000000", "");
    mac_of(b, "303a", "1001", "FFFFFFFFFFFF", "");
    mac_of(b, "303a", "1001", "01B1C2D3E4F5", "");
    mac_of(b, "303a", "1001", "A0B1C2D3E4F", "");
    mac_of(b, "303a", "1001", "A0B1C2D3E4F5A", "");
    mac_of(b, "303a", "1001", "A0:B1:C2:D3:E4:F5:", "");
    mac_of(b, "303a", "1001", "A0B1::C2D3:E4F5xx", "");
    bench_free(b);
}

static void hostile_texts_are_made_harmless(void **state)
{
    struct bench *b = bench_new();
    char text[2048] = "";
    plug(b, "ttyUSB0", "1-1", "1a86", "7523", NULL,
         "<script>\\033[2J\\001 \\303\\244\\302\\205\\377\\355\\240\\200z");
    for (int i = 0; i < 200; i++)
        strcat(text, "\\303\\244");
    plug(b, "ttyUSB1", "1-2", "1a86", "7523", NULL, text);
    bench_start(b);
    assert_string_equal(fake_found(b->fake, "usb:1-1:1.0")->description,
                        "<script>?[2J? \303\244?????z");
    const char *cut = fake_found(b->fake, "usb:1-2:1.0")->description;
    assert_int_equal(strlen(cut), 126); /* whole characters */
    bench_free(b);
}

static void places_are_told_apart(void **state)
{
    struct bench *b = bench_new();
    plug(b, "ttyUSB0", "1-1.4.2", "0403", "6010", "X", NULL); /* two interfaces */
    plug(b, "ttyUSB2", "1-2", "9710", "7840", NULL, NULL);    /* two ports on one interface */
    run("d=%s/sys/devices/usb1/1-1.4.2/1-1.4.2:1.1; mkdir -p $d/ttyUSB1/tty/ttyUSB1; echo 01 > "
        "$d/bInterfaceNumber; ln -s $d/ttyUSB1/tty/ttyUSB1 %s/sys/class/tty/ttyUSB1; ln -s "
        "$d/ttyUSB1 $d/ttyUSB1/tty/ttyUSB1/device; ln -s /dev/null %s/dev/ttyUSB1",
        b->root, b->root, b->root);
    run("d=%s/sys/devices/usb1/1-2/1-2:1.0; mkdir -p $d/ttyUSB3/tty/ttyUSB3; echo 1 > "
        "$d/ttyUSB3/port_number; ln -s $d/ttyUSB3/tty/ttyUSB3 %s/sys/class/tty/ttyUSB3; ln -s "
        "$d/ttyUSB3 $d/ttyUSB3/tty/ttyUSB3/device; ln -s /dev/null %s/dev/ttyUSB3",
        b->root, b->root, b->root);
    bench_start(b);
    assert_int_equal(fake_found_count(b->fake), 4);
    assert_non_null(fake_found(b->fake, "usb:1-1.4.2:1.0"));
    assert_non_null(fake_found(b->fake, "usb:1-1.4.2:1.1"));
    assert_non_null(fake_found(b->fake, "usb:1-2:1.0"));
    assert_non_null(fake_found(b->fake, "usb:1-2:1.0.port1"));
    assert_string_equal(fake_found(b->fake, "usb:1-1.4.2:1.1")->port_path, "1-1.4.2");
    assert_string_equal(fake_found(b->fake, "usb:1-1.4.2:1.1")->hub, "1-1.4");
    bench_free(b);
}

static void only_what_has_a_usb_parent_is_told(void **state)
{
    struct bench *b = bench_new();
    run("cd %s/sys; mkdir -p class/tty/tty0 class/tty/ttyS0 devices/platform/8250/tty/ttyGS0; ln "
        "-s "
        "%s/sys/devices/platform/8250/tty/ttyGS0 class/tty/ttyGS0; ln -s ../.. "
        "devices/platform/8250/tty/ttyGS0/device; ln -s /dev/null ../dev/ttyGS0",
        b->root, b->root);
    run("mkdir -p %s/sys/class/tty/ttyUSB8 %s/sys/class/tty/ttyUSB9; ln -s /nowhere "
        "%s/sys/class/tty/ttyUSB9/device; ln -s / %s/sys/class/tty/ttyUSB8/device; ln -s /dev/null "
        "%s/dev/ttyUSB8; ln -s /dev/null %s/dev/ttyUSB9",
        b->root, b->root, b->root, b->root, b->root, b->root);
    plug(b, "ttyUSB2", "1-1", "zzzz", "7523", NULL, NULL);
    plug(b, "ttyCH343USB0", "1-2", "1a86", "55d4", NULL, NULL);
    bench_start(b);
    assert_int_equal(fake_found_count(b->fake), 1);
    assert_non_null(fake_found(b->fake, "usb:1-2:1.0"));
    bench_free(b);
}

/* ---- when it is told ---- */

static void coming_and_going_is_told_at_once(void **state)
{
    struct bench *b = bench_new();
    bench_start(b);
    fake_advance(b->fake, 10000);
    plug(b, "ttyUSB0", "1-1", "1a86", "7523", NULL, NULL);
    fakeudev_say("add", "ttyUSB0");
    assert_true(fake_poll(b->fake, 1000) > 0);
    fake_run_jobs(b->fake);
    assert_int_equal(fake_found_count(b->fake), 1);
    fake_advance(b->fake, 200);
    fake_hold_jobs(b->fake, true);
    unplug(b, "ttyUSB0", "1-1");
    fakeudev_say("remove", "ttyUSB0");
    assert_true(fake_poll(b->fake, 1000) > 0);
    assert_int_equal(fake_found_count(b->fake), 0); /* no scan was needed */
    fake_hold_jobs(b->fake, false);
    fake_advance(b->fake, 60000);
    assert_int_equal(fake_found_calls(b->fake), 1);
    assert_int_equal(fake_lost_calls(b->fake), 1);
    bench_free(b);
}

static void other_boards_and_replugs_are_lost_and_found(void **state)
{
    struct bench *b = bench_new();
    plug(b, "ttyUSB0", "1-1", "10c4", "ea60", "A", NULL);
    bench_start(b);
    unplug(b, "ttyUSB0", "1-1");
    plug(b, "ttyUSB0", "1-1", "10c4", "ea60", "B", NULL); /* nobody told */
    fakeudev_error(ENOBUFS);
    hear(b);
    assert_int_equal(fake_lost_calls(b->fake), 1);
    assert_string_equal(fake_found(b->fake, "usb:1-1:1.0")->serial, "B");
    unplug(b, "ttyUSB0", "1-1");
    plug(b, "ttyUSB3", "1-1", "10c4", "ea60", "B", NULL);
    fakeudev_say("remove", "ttyUSB0");
    fakeudev_say("add", "ttyUSB3");
    hear(b);
    assert_int_equal(fake_lost_calls(b->fake), 2);
    assert_true(has(fake_found(b->fake, "usb:1-1:1.0")->path, "ttyUSB3"));
    plug(b, "ttyUSB3", "1-1", "10c4", "ea60", "B", "New name"); /* the same board: an update */
    fakeudev_say("change", "ttyUSB3");
    hear(b);
    assert_int_equal(fake_lost_calls(b->fake), 2);
    assert_int_equal(fake_found_calls(b->fake), 4);
    assert_string_equal(fake_found(b->fake, "usb:1-1:1.0")->description, "New name");
    bench_free(b);
}

/* The board comes back before the kernel let go of its old port: two ports in one place. */
static void old_port_in_the_same_place_does_not_count(void **state)
{
    struct bench *b = bench_new();
    plug(b, "ttyUSB0", "1-1", "10c4", "ea60", "A", NULL);
    bench_start(b);
    plug(b, "ttyUSB1", "1-1", "10c4", "ea60", "A", NULL);
    fakeudev_say("add", "ttyUSB1");
    hear(b);
    run("rm -rf %s/sys/class/tty/ttyUSB0", b->root);
    fakeudev_say("remove", "ttyUSB0");
    hear(b);
    assert_int_equal(fake_found_count(b->fake), 1);
    assert_true(has(fake_found(b->fake, "usb:1-1:1.0")->path, "ttyUSB1"));
    assert_int_equal(fake_lost_calls(b->fake), 1);
    bench_free(b);
}

static void lost_messages_cost_a_scan_and_only_differences_are_told(void **state)
{
    struct bench *b = bench_new();
    char tty[16], port[16];
    for (int i = 0; i < 10; i++) {
        snprintf(tty, sizeof tty, "ttyUSB%d", i);
        snprintf(port, sizeof port, "1-%d", i + 1);
        plug(b, tty, port, "1a86", "7523", NULL, NULL);
    }
    bench_start(b);
    assert_int_equal(fake_found_calls(b->fake), 10);
    unplug(b, "ttyUSB3", "1-4");
    plug(b, "ttyUSB10", "1-11", "1a86", "7523", NULL, NULL);
    fakeudev_error(ENOBUFS);
    hear(b);
    assert_int_equal(fake_found_calls(b->fake), 11);
    assert_int_equal(fake_lost_calls(b->fake), 1);
    assert_true(fake_logged(b->fake, "looking at all of them anew"));
    assert_int_equal(fakeudev_monitors(), 1);
    bench_free(b);
}

/* The scan saw the port, then it was removed: what the scan says of it is old. */
static void scans_say_nothing_about_what_changed_meanwhile(void **state)
{
    struct bench *b = bench_new();
    bench_start(b);
    fake_advance(b->fake, 1000);
    plug(b, "ttyUSB0", "1-1", "1a86", "7523", NULL, NULL);
    plug(b, "ttyUSB1", "1-2", "1a86", "7523", NULL, NULL);
    fake_hold_jobs(b->fake, true);
    fakeudev_say("add", "ttyUSB0");
    fake_poll(b->fake, 1000);
    assert_int_equal(fake_jobs_waiting(b->fake), 1);
    fakeudev_say("remove", "ttyUSB0"); /* waits in the socket when the scan is done */
    fake_hold_jobs(b->fake, false);
    fake_run_jobs(b->fake);
    assert_null(fake_found(b->fake, "usb:1-1:1.0"));
    assert_non_null(fake_found(b->fake, "usb:1-2:1.0"));
    unplug(b, "ttyUSB0", "1-1");
    hear(b);
    assert_int_equal(fake_found_count(b->fake), 1);
    assert_int_equal(fake_lost_calls(b->fake), 0);
    unplug(b, "ttyUSB1", "1-2"); /* the other way round: the scan misses one that is back */
    fakeudev_say("change", "ttyUSB0");
    fake_hold_jobs(b->fake, true);
    hear(b);
    fakeudev_say("change", "ttyUSB1");
    fake_hold_jobs(b->fake, false);
    fake_run_jobs(b->fake);
    plug(b, "ttyUSB1", "1-2", "1a86", "7523", NULL, NULL);
    hear(b);
    assert_int_equal(fake_found_count(b->fake), 1);
    assert_int_equal(fake_lost_calls(b->fake), 0);
    bench_free(b);
}

static void overruns_during_a_scan_make_it_old(void **state)
{
    struct bench *b = bench_new();
    bench_start(b);
    fake_advance(b->fake, 1000);
    plug(b, "ttyUSB0", "1-1", "1a86", "7523", NULL, NULL);
    fake_hold_jobs(b->fake, true);
    fakeudev_say("add", "ttyUSB0");
    fake_poll(b->fake, 1000);
    fakeudev_error(ENOBUFS);
    fake_hold_jobs(b->fake, false);
    fake_run_jobs(b->fake);
    assert_int_equal(fake_found_calls(b->fake), 0);
    fake_advance(b->fake, 101);
    assert_int_equal(fake_found_calls(b->fake), 1);
    assert_int_equal(fakeudev_monitors(), 1);
    bench_free(b);
}

static void storms_are_looked_at_ten_times_a_second(void **state)
{
    struct bench *b = bench_new();
    bench_start(b);
    fake_advance(b->fake, 1000);
    int scans = 0;
    for (int i = 0; i < 200; i++) {
        fakeudev_say(i % 2 ? "remove" : "add", "ttyUSB0");
        while (fake_poll(b->fake, 0) > 0)
            ;
        scans += fake_jobs_waiting(b->fake) > 0;
        fake_advance(b->fake, 10);
    }
    assert_true(scans >= 1 && scans <= 21);
    bench_free(b);
}

static void forty_ports_are_told_once_each(void **state)
{
    struct bench *b = bench_new();
    char tty[16], port[16];
    bench_start(b);
    fake_advance(b->fake, 1000);
    for (int i = 0; i < 40; i++) {
        snprintf(tty, sizeof tty, "ttyUSB%d", i);
        snprintf(port, sizeof port, "1-1.%d", i + 1);
        plug(b, tty, port, "10c4", "ea60", "0001", NULL);
        fakeudev_say("add", tty);
        if (i % 10 == 0)
            hear(b);
    }
    hear(b);
    assert_int_equal(fake_found_count(b->fake), 40);
    assert_int_equal(fake_found_calls(b->fake), 40);
    for (int i = 0; i < 40; i++) {
        snprintf(tty, sizeof tty, "ttyUSB%d", i);
        fakeudev_say("remove", tty);
    }
    run("rm -rf %s/sys/class/tty/*", b->root);
    hear(b);
    assert_int_equal(fake_found_count(b->fake), 0);
    assert_int_equal(fake_lost_calls(b->fake), 40);
    bench_free(b);
}

static void uninteresting_names_start_no_scan(void **state)
{
    struct bench *b = bench_new();
    bench_start(b);
    fake_advance(b->fake, 1000);
    fakeudev_say("add", "tty63");
    fakeudev_say("change", "ttyS0");
    fakeudev_say("add", "../../etc/passwd");
    fakeudev_say("add", "ptyp0");
    while (fake_poll(b->fake, 0) > 0)
        ;
    assert_int_equal(fake_jobs_waiting(b->fake), 0);
    bench_free(b);
}

/* ---- without udev ---- */

static void without_udevd_it_looks_every_two_seconds(void **state)
{
    struct bench *b = bench_new();
    fakeudev_udevd(false);
    bench_start(b);
    assert_true(fake_logged(b->fake, "no udevd here"));
    for (int i = 0; i < 3; i++) {
        plug(b, "ttyUSB0", "1-1", "1a86", "7523", NULL, NULL);
        fake_advance(b->fake, 2001);
        assert_int_equal(fake_found_count(b->fake), 1);
        unplug(b, "ttyUSB0", "1-1");
        fake_advance(b->fake, 2001);
        assert_int_equal(fake_found_count(b->fake), 0);
    }
    assert_int_equal(fake_found_calls(b->fake), 3);
    /* Somebody speaks after all: no need to look so often. */
    fakeudev_say("add", "ttyUSB7");
    hear(b);
    assert_true(fake_next_timer_ms(b->fake) > 2000);
    bench_free(b);
}

static void a_monitor_that_hears_nothing_is_noticed(void **state)
{
    struct bench *b = bench_new();
    bench_start(b);
    plug(b, "ttyUSB0", "1-1", "1a86", "7523", NULL, NULL);
    fake_advance(b->fake, 30000);
    assert_int_equal(fake_found_count(b->fake), 0);
    fake_advance(b->fake, 30001);
    assert_int_equal(fake_found_count(b->fake), 1);
    assert_true(fake_logged(b->fake, "udev does not tell"));
    unplug(b, "ttyUSB0", "1-1");
    fake_advance(b->fake, 2001);
    assert_int_equal(fake_found_count(b->fake), 0);
    bench_free(b);
}

static void a_dead_monitor_is_opened_again(void **state)
{
    struct bench *b = bench_new();
    bench_start(b);
    fake_advance(b->fake, 1000);
    fakeudev_refuse(true);
    fakeudev_error(EBADF);
    hear(b);
    assert_true(fake_logged(b->fake, "udev's events cannot be heard"));
    assert_int_equal(fake_watches(b->fake), 0);
    plug(b, "ttyUSB0", "1-1", "1a86", "7523", NULL, NULL);
    size_t logs = fake_logs(b->fake);
    fake_advance(b->fake, 2001);
    assert_int_equal(fake_found_count(b->fake), 1); /* seen all the same */
    fakeudev_refuse(false);
    fake_advance(b->fake, 2001);
    assert_int_equal(fakeudev_monitors(), 2);
    assert_int_equal(fake_watches(b->fake), 1);
    assert_true(fake_logs(b->fake) <= logs + 1);
    unplug(b, "ttyUSB0", "1-1");
    fakeudev_say("remove", "ttyUSB0");
    while (fake_poll(b->fake, 0) > 0)
        ;
    assert_int_equal(fake_found_count(b->fake), 0);
    bench_free(b);
}

static void ports_wait_until_udev_is_done_with_them(void **state)
{
    struct bench *b = bench_new();
    char link[128], path[PATH_MAX];
    plug(b, "ttyUSB0", "1-1", "1a86", "7523", NULL, NULL);
    snprintf(link, sizeof link, "%s/sys/class/tty/ttyUSB0", b->root);
    assert_non_null(realpath(link, path));
    fakeudev_device("ttyUSB0", path, false, NULL);
    bench_start(b);
    assert_int_equal(fake_found_count(b->fake), 0);
    fakeudev_device("ttyUSB0", path, true, NULL);
    fakeudev_say("add", "ttyUSB0");
    hear(b);
    assert_int_equal(fake_found_count(b->fake), 1);
    bench_free(b);
}

static void ports_that_udev_never_finishes_are_taken_as_they_are(void **state)
{
    struct bench *b = bench_new();
    char link[128], path[PATH_MAX];
    plug(b, "ttyUSB0", "1-1", "1a86", "7523", NULL, NULL);
    plug(b, "ttyUSB1", "1-2", "1a86", "7523", NULL, NULL);
    run("rm %s/dev/ttyUSB1", b->root); /* a container hides it */
    snprintf(link, sizeof link, "%s/sys/class/tty/ttyUSB0", b->root);
    assert_non_null(realpath(link, path));
    fakeudev_device("ttyUSB0", path, false, NULL);
    bench_start(b);
    fake_advance(b->fake, 3000);
    assert_int_equal(fake_found_count(b->fake), 0);
    fake_advance(b->fake, 4000);
    assert_int_equal(fake_found_count(b->fake), 1);
    fake_advance(b->fake, 10000);
    assert_true(fake_next_timer_ms(b->fake) > 2000); /* not for ever every two seconds */
    bench_free(b);
}

/* ---- life ---- */

static void stopping_during_a_scan_leaves_nothing(void **state)
{
    struct bench *b = bench_new();
    plug(b, "ttyUSB0", "1-1", "1a86", "7523", NULL, NULL);
    fake_hold_jobs(b->fake, true);
    assert_int_equal(fake_start(b->fake), 0);
    assert_int_equal(fake_jobs_waiting(b->fake), 1);
    fake_stop(b->fake);
    assert_int_equal(fake_found_calls(b->fake), 0);
    bench_free(b);
}

static void it_opens_nothing(void **state)
{
    struct bench *b = bench_new();
    bench_start(b);
    struct shep_device *dev = fake_device(b->fake, "X");
    fake_attach(b->fake, dev);
    assert_int_equal(fake_link(dev), 0);
    assert_true(has(fake_link_why(dev), "\"serial\" opens them"));
    bench_free(b);
}

static void relative_roots_are_refused(void **state)
{
    struct fake *fake = fake_new("source_udev.so");
    fake_opt(fake, "sysfs_root", "sys");
    assert_int_equal(fake_start(fake), SHEP_E_CONFIG);
    assert_true(has(fake_failure(fake), "sysfs_root"));
    fake_free(fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ports_are_found_with_their_facts),
        cmocka_unit_test(udev_knows_better_than_sysfs),
        cmocka_unit_test(odd_serials_stay_different),
        cmocka_unit_test(only_a_mac_is_a_mac),
        cmocka_unit_test(hostile_texts_are_made_harmless),
        cmocka_unit_test(places_are_told_apart),
        cmocka_unit_test(only_what_has_a_usb_parent_is_told),
        cmocka_unit_test(coming_and_going_is_told_at_once),
        cmocka_unit_test(other_boards_and_replugs_are_lost_and_found),
        cmocka_unit_test(old_port_in_the_same_place_does_not_count),
        cmocka_unit_test(lost_messages_cost_a_scan_and_only_differences_are_told),
        cmocka_unit_test(scans_say_nothing_about_what_changed_meanwhile),
        cmocka_unit_test(overruns_during_a_scan_make_it_old),
        cmocka_unit_test(storms_are_looked_at_ten_times_a_second),
        cmocka_unit_test(forty_ports_are_told_once_each),
        cmocka_unit_test(uninteresting_names_start_no_scan),
        cmocka_unit_test(without_udevd_it_looks_every_two_seconds),
        cmocka_unit_test(a_monitor_that_hears_nothing_is_noticed),
        cmocka_unit_test(a_dead_monitor_is_opened_again),
        cmocka_unit_test(ports_wait_until_udev_is_done_with_them),
        cmocka_unit_test(ports_that_udev_never_finishes_are_taken_as_they_are),
        cmocka_unit_test(stopping_during_a_scan_leaves_nothing),
        cmocka_unit_test(it_opens_nothing),
        cmocka_unit_test(relative_roots_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
