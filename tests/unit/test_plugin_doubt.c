/* What was answered about a board stays answered: at the next line, when it is plugged in again,
 * and after a restart. What was not is asked again. */
#include "unit/found_fixture.h"

#define A_MAC "A0:B1:C2:00:00:01"
#define B_MAC "A0:B1:C2:00:00:02"

static void restart(void)
{
    daemon_stop();
    daemon_start();
    forget_events();
}

/* Two boards that say the same MAC, each in its place. */
static void say_twice(void)
{
    say("/dev/ttyUSB0", "mac=" A_MAC);
    say("/dev/ttyUSB1", "mac=" A_MAC);
}

static void plug_twice(void)
{
    start();
    plug(CH340("k2", "/dev/ttyUSB0", "1-1.2"));
    plug(CH340("k3", "/dev/ttyUSB1", "1-1.3"));
    say_twice();
}

static void an_answer_is_kept(void **state)
{
    two_boards();
    say_twice();
    assert_string_equal(shown_text("/dev/ttyUSB1", "maybe"), "BARN-01");
    assert_int_equal(plugins_found_ignore(&t.plugins, "port:1-1.3", true), 0);
    say_twice();
    assert_string_equal(shown_text("/dev/ttyUSB1", "doubt"), "");
    unplug("k3");
    plug(CH340("k3", "/dev/ttyUSB1", "1-1.3"));
    say_twice();
    assert_int_equal(events_of("device.doubt"), 1);
    restart();
    plug_twice();
    assert_string_equal(shown_text("/dev/ttyUSB1", "doubt"), "");
    assert_int_equal(events_of("device.doubt"), 0);
    assert_string_equal(who("/dev/ttyUSB1"), "BARN-02");
}

static void no_answer_is_asked_again(void **state)
{
    two_boards();
    say_twice();
    restart();
    plug_twice();
    assert_string_equal(shown_text("/dev/ttyUSB1", "maybe"), "BARN-01");
    assert_int_equal(events_of("device.doubt"), 1);
}

static void another_question_is_asked(void **state)
{
    two_boards();
    say_twice();
    assert_int_equal(plugins_found_ignore(&t.plugins, "port:1-1.3", true), 0);
    restart();
    plug_twice();
    say("/dev/ttyUSB1", "worker=one");
    plug(CH340("k4", "/dev/ttyUSB4", "1-1.4"));
    assert_int_equal(accept("port:1-1.4", "BARN-03"), 0);
    say("/dev/ttyUSB4", "mac=" B_MAC);
    say("/dev/ttyUSB1", "mac=" B_MAC); /* who it might be is another one */
    assert_string_equal(shown_text("/dev/ttyUSB1", "maybe"), "BARN-03");
}

static void plug_configured(const char *node)
{
    start();
    plug(CP2102("b", node, "1-1.3", "01A2B3C4D5"));
}

static void the_file_is_right(void **state)
{
    char *node = fix_path(&t.fix, "node");
    assert_int_equal(symlink("/dev/null", node), 0);
    json_t *entry = json_pack("{s:s, s:s, s:s}", "id", "FILE-1", "source", "opener", "path", node);
    start();
    plug(CP2102("a", "/dev/ttyUSB1", "1-1.2", "01A2B3C4D5"));
    assert_int_equal(accept("usb:10c4:ea60:01A2B3C4D5", "BARN-01"), 0);
    unplug("a");
    for (int i = 0; i < 3; i++) {
        restart();
        assert_int_equal(plugins_miner_put(&t.plugins, entry, MINER_FROM_FILE), 0);
        plug_configured(node);
        assert_string_equal(who(node), "FILE-1");
        assert_int_equal(events_of("device.doubt"), i < 2); /* asked, asked again, and answered */
        if (i == 1)
            assert_int_equal(plugins_found_ignore(&t.plugins, "usb:10c4:ea60:01A2B3C4D5", true), 0);
    }
    restart();
    assert_int_equal(plugins_miner_put(&t.plugins, entry, MINER_FROM_FILE), 0);
    plug_configured(node);
    say(node, "mac=" A_MAC);
    forget_events();
    say(node, "mac=" B_MAC); /* another board: another question, of another kind */
    assert_int_equal(events_of("device.doubt"), 1);
    assert_int_equal(plugins_found_ignore(&t.plugins, "usb:10c4:ea60:01A2B3C4D5", true), 0);
    say(node, "mac=" B_MAC);
    assert_int_equal(events_of("device.doubt"), 1);
    say(node, "mac=A0:B1:C2:00:00:03");
    assert_int_equal(events_of("device.doubt"), 2);
    json_decref(entry);
    free(node);
}

static void what_is_forgotten_has_no_answer(void **state)
{
    two_boards();
    say_twice();
    assert_int_equal(plugins_found_ignore(&t.plugins, "port:1-1.3", true), 0);
    flush(&t.fix);
    assert_int_equal(sql_int(&t.fix, "SELECT count(*) FROM kv"), 1);
    assert_int_equal(plugins_miner_remove(&t.plugins, "BARN-02"), 0);
    flush(&t.fix);
    assert_int_equal(sql_int(&t.fix, "SELECT count(*) FROM kv"), 0);
}

static void plug_kind(int kind)
{
    char pid[8];
    snprintf(pid, sizeof pid, "%04x", (unsigned)kind);
    plug(&(struct board){
        .key = "x", .path = "/dev/ttyUSB9", .port = "1-1.2", .vid = "10c4", .pid = pid});
}

/* A device that changes its kind at each replug asks the same each time. */
static void the_same_question_is_one_event(void **state)
{
    two_boards();
    unplug("k2");
    forget_events();
    for (int i = 0; i < 60; i++) {
        plug_kind(256 + i);
        assert_string_equal(shown_text("/dev/ttyUSB9", "maybe"), "BARN-01"); /* in any case */
        unplug("x");
        if (i % 10 == 9) { /* the right one comes between: nobody has answered by that */
            plug(CH340("k2", "/dev/ttyUSB0", "1-1.2"));
            unplug("k2");
        }
    }
    assert_int_equal(events_of("device.doubt"), 1);
    advance(24 * 3600 * 1000);
    plug_kind(512);
    assert_int_equal(events_of("device.doubt"), 2); /* the next day */
    assert_int_equal(plugins_found_ignore(&t.plugins, shown_text("/dev/ttyUSB9", "key"), true), 0);
    unplug("x");
    plug_kind(513);
    assert_int_equal(events_of("device.doubt"), 3); /* that was answered, this is another board */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_answer_is_kept),
        TEST(no_answer_is_asked_again),
        TEST(another_question_is_asked),
        TEST(the_file_is_right),
        TEST(what_is_forgotten_has_no_answer),
        TEST(the_same_question_is_one_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
