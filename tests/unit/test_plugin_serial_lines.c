/* The serial source: DTR, RTS and the reset pulse, and what it thinks of ports that others found.
 */
#include "unit/serialbench.h"

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

static void plain_ports_are_for_operators_and_other_paths_for_admins(void **state)
{
    static const char *const plain[] = {
        "/dev/ttyUSB0",      "/dev/ttyACM12",
        "/dev/ttyAMA0",      "/dev/ttyS1",
        "/dev/ttyCH343USB3", "/dev/serial/by-id/usb-1a86_USB-if00-port0",
        "/dev/ttyMINER_001", "/dev/serial/by-path/platform-fd500000.pcie-usb-0:1.2:1.0-port0",
    };
    static const char *const others[] = {
        "/dev/pts/3",
        "/dev/tty",
        "/dev/tty1",
        "/dev/ttyp0",
        "/dev/console",
        "/dev/ptmx",
        "/dev/null",
        "/etc/passwd",
        "/dev/ttyUSB0/../pts/3",
        "",
        "ttyUSB0",
        "/dev//pts/3",
        "/dev/ttyUSB0 ",
        "/dev/serial/by-id/../../pts/3",
        "/dev/serial/by-id/..",
        "/dev/serial/by-id/",
        "/dev/serial/pts",
        "/dev/shm/ttyUSB0",
    };
    struct bench *b = bench_new();
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        assert_int_equal(ops_of(b)->may_add(plain[i]), SHEP_ADD_OPERATOR);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_int_equal(ops_of(b)->may_add(others[i]), SHEP_ADD_ADMIN);
    assert_int_equal(ops_of(b)->may_add(NULL), SHEP_ADD_OPERATOR);
    bench_free(b);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opening_and_closing_touch_no_line),
        cmocka_unit_test(deasserting_takes_one_request),
        cmocka_unit_test(reset_is_one_clean_pulse),
        cmocka_unit_test(reset_ends_idle_wherever_the_lines_were),
        cmocka_unit_test(reset_that_fails_is_told),
        cmocka_unit_test(reset_needs_an_open_port_with_lines),
        cmocka_unit_test(detaching_during_a_reset_leaves_the_board_running),
        cmocka_unit_test(plain_ports_are_for_operators_and_other_paths_for_admins),
        cmocka_unit_test(known_chips_are_listened_to_and_bridges_offered),
        cmocka_unit_test(all_means_all_that_look_like_a_miner),
        cmocka_unit_test(ids_of_the_configuration_are_added),
        cmocka_unit_test(ids_that_are_none_are_refused),
        cmocka_unit_test(what_is_no_serial_port_is_not_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
