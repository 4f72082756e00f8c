/* Many ports that go at once, and one that comes and goes: what is told, and what is not. */
#include "unit/found_fixture.h"

static void who_moved_during_a_brown_out_is_told(void **state)
{
    start();
    plug(CP2102("x", "/dev/ttyUSB9", "1-1.9", "01A2B3C4D5"));
    for (unsigned i = 0; i < 5; i++) {
        char key[8], path[32], port[16];
        snprintf(key, sizeof key, "k%u", i);
        snprintf(path, sizeof path, "/dev/ttyUSB%u", i);
        snprintf(port, sizeof port, "1-1.%u", i);
        plug(CH340(key, path, port));
    }
    assert_int_equal(accept("usb:10c4:ea60:01A2B3C4D5", "BARN-01"), 0);
    unplug("x");
    for (unsigned i = 0; i < 5; i++) {
        char key[8];
        snprintf(key, sizeof key, "k%u", i);
        unplug(key);
    }
    advance(1500);
    forget_events();
    plug(CP2102("y", "/dev/ttyUSB0", "2-1", "01A2B3C4D5")); /* at another hub */
    assert_int_equal(events_of("link.up(BARN-01"), 1);
}

static void plug_hub(unsigned n, bool backwards)
{
    for (unsigned i = 0; i < n; i++) {
        unsigned at = backwards ? n - 1 - i : i;
        char key[16], path[32], port[32], hub[16];
        snprintf(key, sizeof key, "k%u", at);
        snprintf(path, sizeof path, "/dev/ttyUSB%u", i);
        snprintf(port, sizeof port, "1-1.%u.%u", at / 4 + 1, at % 4 + 1);
        snprintf(hub, sizeof hub, "1-1.%u", at / 4 + 1);
        plug(&(struct board){
            .key = key, .path = path, .port = port, .vid = "1a86", .pid = "7523", .hub = hub});
    }
}

static void unplug_hub(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%u", i);
        unplug(key);
    }
}

/* A hub of n strangers has gone, and whoever waits for more of it waits no longer. */
static void brown_out(unsigned n)
{
    start();
    plug_hub(n, false);
    forget_events();
    unplug_hub(n);
    advance(1500);
}

static void hash(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        char path[32];
        snprintf(path, sizeof path, "/dev/ttyUSB%u", i);
        say(path, "rate=5");
    }
}

static void forty_at_once_and_back_in_another_order(void **state)
{
    start();
    plug_hub(40, false);
    assert_int_equal(t.n_opened, 40);
    for (unsigned i = 0; i < 20; i++) { /* half of them are known */
        char key[32], name[16];
        snprintf(key, sizeof key, "port:1-1.%u.%u", i / 4 + 1, i % 4 + 1);
        snprintf(name, sizeof name, "BARN-%02u", i);
        assert_int_equal(accept(key, name), 0);
    }
    hash(40);
    forget_events();
    unplug_hub(40);
    advance(1500);
    assert_int_equal(events_of("ports.lost"), 1);
    assert_non_null(strstr(t.events, "40 ports of hub 1-1 "));
    plug_hub(40, true);
    advance(500);
    assert_int_equal(events_of("ports.back"), 1);
    assert_non_null(strstr(t.events, "40 of 40"));
    assert_string_equal(who("/dev/ttyUSB39"), "BARN-00");
    assert_string_equal(who("/dev/ttyUSB20"), "BARN-19");
    assert_int_equal(herd_count(t.herd), 40);
    hash(40);
    assert_string_equal(status_of("BARN-00"), "online");
    advance(3000);
    assert_int_equal(events_of("link."), 0);
    assert_int_equal(events_of("miner.status"), 0);
    assert_int_equal(events_of("device."), 0);
    forget_events();
    unplug("k7"); /* and everything is as always again */
    advance(1250);
    assert_int_equal(events_of("link.down"), 1);
}

static void who_does_not_come_back_is_counted(void **state)
{
    brown_out(6);
    plug_hub(4, false);
    advance(9000);
    assert_int_equal(events_of("ports.back"), 0);
    advance(2000);
    assert_non_null(strstr(t.events, "4 of 6"));
    assert_int_equal(events_of("link."), 0);
    forget_events();
    plug_hub(6, false); /* later: each for itself */
    assert_int_equal(events_of("link.up"), 2);
}

static void open_again(unsigned i)
{
    char path[32];
    snprintf(path, sizeof path, "/dev/ttyUSB%u", i);
    link_up(path);
}

/* A slow machine opens a hundred in half a minute. They are told together all the same. */
static void who_comes_back_slowly_is_told_with_the_others(void **state)
{
    brown_out(6);
    t.connects = false;
    plug_hub(6, false);
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(events_of("ports.back"), 0);
        open_again(i);
        advance(9000);
    }
    assert_non_null(strstr(t.events, "6 of 6"));
    assert_int_equal(events_of("link."), 0);
}

/* One that comes and goes keeps nobody waiting for ever. */
static void one_that_flaps_does_not_hold_up_the_others(void **state)
{
    brown_out(6);
    t.connects = false;
    plug_hub(5, false);
    for (unsigned i = 0; i < 23; i++) {
        open_again(0);
        advance(2500);
        hang_up("/dev/ttyUSB0");
        advance(2500);
    }
    assert_int_equal(events_of("ports.back"), 0);
    open_again(0);
    advance(6000);
    assert_int_equal(events_of("ports.back"), 1);
}

static void back_is_who_is_open(void **state)
{
    brown_out(6);
    t.connects = false; /* sources open one after the other */
    plug_hub(6, false);
    advance(500);
    assert_int_equal(events_of("ports.back"), 0);
    for (unsigned i = 0; i < 6; i++)
        open_again(i);
    advance(500);
    assert_non_null(strstr(t.events, "6 of 6"));
    assert_int_equal(events_of("link."), 0);
}

static void who_came_back_before_the_others_went(void **state)
{
    start();
    plug_hub(5, false);
    forget_events();
    hang_up("/dev/ttyUSB0");
    link_up("/dev/ttyUSB0");
    for (unsigned i = 1; i < 5; i++) {
        char key[8];
        snprintf(key, sizeof key, "k%u", i);
        unplug(key);
    }
    advance(1500);
    assert_non_null(strstr(t.events, "5 ports of"));
    plug_hub(5, false);
    advance(500);
    assert_non_null(strstr(t.events, "5 of 5"));
    assert_int_equal(events_of("link."), 0);
}

static void four_are_not_many(void **state)
{
    brown_out(4);
    assert_int_equal(events_of("ports.lost"), 0);
    assert_int_equal(events_of("link.down"), 4);
    assert_int_equal(events_of("device.lost"), 4);
}

static void a_port_that_flaps_is_told_once(void **state)
{
    two_boards();
    for (int i = 0; i < 20; i++) {
        unplug("k2");
        advance(1000);
        plug(CH340("k2", "/dev/ttyUSB0", "1-1.2"));
        advance(1000);
    }
    assert_int_equal(events_of("port.flapping(BARN-01"), 1);
    assert_true(t.n_attached < 10); /* and it is opened ever more rarely */
    assert_null(opened_at("/dev/ttyUSB0"));
    advance(30000);
    assert_string_equal(who("/dev/ttyUSB0"), "BARN-01");
    assert_true(events_of("link.down") <= 5);
    forget_events();
    advance(31000); /* a minute of quiet: how it stands now */
    assert_int_equal(events_of("link.up(BARN-01"), 1);
    unplug("k2"); /* and it is as any other again */
    advance(1250);
    assert_int_equal(events_of("link.down(BARN-01"), 1);
    assert_int_equal(events_of("port.flapping"), 0);
    plug(CH340("k2", "/dev/ttyUSB0", "1-1.2"));
    assert_string_equal(who("/dev/ttyUSB0"), "BARN-01");
}

static void a_hang_up_and_a_removal_are_one(void **state)
{
    two_boards();
    for (int i = 0; i < 5; i++) {
        hang_up("/dev/ttyUSB0");
        unplug("k2");
        plug(CH340("k2", "/dev/ttyUSB0", "1-1.2"));
        advance(9000); /* for one that is opened later */
    }
    assert_int_equal(events_of("port.flapping"), 0);
}

static void a_quick_replug_is_told_as_two(void **state)
{
    two_boards();
    unplug("k2");
    plug(CH340("k2", "/dev/ttyUSB4", "1-1.2"));
    advance(1250);
    assert_int_equal(events_of("link.down(BARN-01"), 1);
    assert_int_equal(events_of("link.up(BARN-01"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_moved_during_a_brown_out_is_told),
        TEST(forty_at_once_and_back_in_another_order),
        TEST(who_does_not_come_back_is_counted),
        TEST(who_comes_back_slowly_is_told_with_the_others),
        TEST(one_that_flaps_does_not_hold_up_the_others),
        TEST(back_is_who_is_open),
        TEST(who_came_back_before_the_others_went),
        TEST(four_are_not_many),
        TEST(a_port_that_flaps_is_told_once),
        TEST(a_hang_up_and_a_removal_are_one),
        TEST(a_quick_replug_is_told_as_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
