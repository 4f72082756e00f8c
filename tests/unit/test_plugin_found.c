/* What is plugged in: add, remove, move, swap, equal serial numbers, none. Many at once:
 * test_plugin_ports.c. */
#include "unit/found_fixture.h"

#include "herd/internal.h"

#define A_MAC "a0:b1:c2:00:00:01"
#define B_MAC "a0:b1:c2:00:00:02"
#define C_MAC "a0:b1:c2:00:00:03"

static void a_stranger_is_listened_to_and_accepted(void **state)
{
    start();
    plug(CH340("k", "/dev/ttyUSB0", "1-1.2"));
    assert_string_equal(who("/dev/ttyUSB0"), "1-1.2");
    assert_int_equal(events_of("device.found"), 1);
    assert_int_equal(miner_origin(herd_miner_by_name(t.herd, "1-1.2")), MINER_FOUND);
    assert_true(json_is_true(json_object_get(shown("/dev/ttyUSB0"), "stranger")));
    say("/dev/ttyUSB0", "rate=5");
    int64_t id = miner_id(herd_miner_by_name(t.herd, "1-1.2"));
    assert_int_equal(accept("nothing", "BARN-01"), SHEP_E_GONE);
    size_t before = t.n_attached;
    assert_int_equal(accept("port:1-1.2", "BARN-01"), 0);
    assert_int_equal(t.n_attached, before); /* it stays open */
    struct miner *miner = herd_miner_by_name(t.herd, "BARN-01");
    assert_int_equal(miner_id(miner), id);
    assert_int_equal(miner_origin(miner), MINER_FROM_DB);
    assert_null(herd_miner_by_name(t.herd, "1-1.2"));
    assert_string_equal(who("/dev/ttyUSB0"), "BARN-01");
    assert_false(json_is_true(json_object_get(shown("/dev/ttyUSB0"), "stranger")));
    assert_string_equal(
        json_string_value(json_object_get(plugins_miner_entry(&t.plugins, "BARN-01"), "device")),
        "port:1-1.2");
    assert_int_equal(accept("port:1-1.2", "BARN-02"), SHEP_E_BUSY); /* it is a miner already */
}

/* One stick with another serial number each time: miners, rows and time do not grow without end. */
static void a_flood_of_strangers_is_bounded(void **state)
{
    char serial[32];
    start();
    plug(CP2102("ours", "/dev/ttyUSB1", "1-1.3", "5A4B048716"));
    assert_int_equal(accept("port:1-1.3", "BARN-01"), 0);
    unplug("ours");
    for (int i = 0; i < 2 * STRANGERS_AWAY_MAX; i++) {
        snprintf(serial, sizeof serial, "EVIL%07d", i);
        plug(CP2102("k", "/dev/ttyUSB0", "1-1.2", serial));
        unplug("k");
    }
    assert_int_equal(herd_count(t.herd), STRANGERS_AWAY_MAX + 1);
    assert_true(t.plugins.n_known <= STRANGERS_AWAY_MAX + 2);
    plug(CP2102("ours", "/dev/ttyUSB1", "1-1.4", "5A4B048716"));
    assert_string_equal(who("/dev/ttyUSB1"), "BARN-01");
    unplug("ours");
    plug(CP2102("k", "/dev/ttyUSB0", "1-1.2", serial)); /* the newest is known still */
    assert_int_equal(herd_count(t.herd), STRANGERS_AWAY_MAX + 1);
}

static void nothing_is_opened_unasked(void **state)
{
    t.judge = SHEP_JUDGE_PLAUSIBLE;
    start();
    plug(CH340("k", "/dev/ttyUSB0", "1-1.2"));
    plug(&(struct board){.key = "gps", .path = "/dev/ttyACM0", .port = "1-2", .vid = "dead"});
    plug(&(struct board){
        .key = "boot", .path = "/dev/ttyACM1", .port = "1-3", .vid = "303a", .pid = "0009"});
    assert_int_equal(t.n_opened, 0);
    size_t n = 99;
    assert_int_equal(plugins_found_listen(&t.plugins, "port:1-2", &n), SHEP_E_UNSUPPORTED);
    assert_int_equal(plugins_found_listen(&t.plugins, "port:1-3", &n), SHEP_E_UNSUPPORTED);
    assert_int_equal(plugins_found_listen(&t.plugins, "port:9-9", &n), SHEP_E_GONE);
    assert_int_equal(plugins_found_listen(&t.plugins, NULL, &n), 0);
    assert_int_equal(n, 1);
    assert_string_equal(who("/dev/ttyUSB0"), "1-1.2");
    assert_int_equal(plugins_found_listen(&t.plugins, NULL, &n), 0);
    assert_int_equal(n, 0);
}

static void a_boot_loader_is_never_opened(void **state)
{
    start(); /* whatever the opener would listen to */
    plug(&(struct board){
        .key = "boot", .path = "/dev/ttyACM1", .port = "1-3", .vid = "303a", .pid = "0009"});
    assert_int_equal(t.n_opened, 0);
    assert_true(json_is_true(json_object_get(shown("/dev/ttyACM1"), "bootloader")));
}

static void what_is_ignored_stays_closed(void **state)
{
    start();
    plug(CH340("k", "/dev/ttyUSB0", "1-1.2"));
    assert_int_equal(plugins_found_ignore(&t.plugins, "port:1-1.2", true), 0);
    assert_int_equal(t.n_opened, 0);
    assert_int_equal(herd_count(t.herd), 0);
    unplug("k");
    daemon_stop();
    daemon_start();
    start();
    plug(CH340("k", "/dev/ttyUSB0", "1-1.2"));
    assert_int_equal(t.n_opened, 0);
    assert_true(json_is_true(json_object_get(shown("/dev/ttyUSB0"), "ignored")));
    assert_int_equal(plugins_found_ignore(&t.plugins, "port:1-1.2", false), 0);
    assert_int_equal(t.n_opened, 1);
}

static void the_next_stranger_at_a_port_has_a_history_of_its_own(void **state)
{
    start();
    plug(CH340("k", "/dev/ttyUSB0", "1-1.2"));
    assert_int_equal(plugins_found_listen(&t.plugins, "port:1-1.2", NULL), 0);
    int64_t first = miner_id(herd_miner_by_name(t.herd, "1-1.2"));
    assert_int_equal(plugins_found_ignore(&t.plugins, "port:1-1.2", true), 0);
    assert_int_equal(plugins_found_listen(&t.plugins, "port:1-1.2", NULL), 0);
    assert_int_not_equal(miner_id(herd_miner_by_name(t.herd, "1-1.2")), first);
}

static void unplugged_is_not_an_error_and_both_orders_end_the_same(void **state)
{
    two_boards();
    hang_up("/dev/ttyUSB0"); /* first the hang-up, then the removal */
    assert_string_equal(status_of("BARN-01"), "offline");
    unplug("k2");
    unplug("k3"); /* no hang-up: the source is told to let go */
    assert_string_equal(status_of("BARN-02"), "offline");
    assert_null(herd_miner_by_name(t.herd, "BARN-01")->path);
    assert_string_equal(t.events, ""); /* are they many? */
    advance(1250);
    assert_int_equal(events_of("link.down"), 2);
    assert_int_equal(events_of("link.down(BARN-01"), 1);
    assert_int_equal(events_of("miner.status(BARN-01"), 1);
    assert_int_equal(events_of("device.lost"), 0); /* these are no strangers */
    forget_events();
    plug(CH340("k2", "/dev/ttyUSB7", "1-1.2")); /* under another number */
    assert_string_equal(who("/dev/ttyUSB7"), "BARN-01");
    assert_string_equal(herd_miner_by_name(t.herd, "BARN-01")->path, "/dev/ttyUSB7");
    assert_int_equal(events_of("link.up"), 1);
    assert_int_equal(events_of("device.found"), 0);
    assert_int_equal(herd_count(t.herd), 2);
}

static void renumbered_in_place(void **state)
{
    two_boards();
    plug(CH340("k2", "/dev/ttyUSB9", "1-1.2"));
    assert_string_equal(who("/dev/ttyUSB9"), "BARN-01");
    assert_null(opened_at("/dev/ttyUSB0"));
}

static void a_serial_number_is_known_at_any_port_and_after_a_restart(void **state)
{
    start();
    plug(CP2102("a", "/dev/ttyUSB0", "1-1.2", "01A2B3C4D5"));
    assert_int_equal(accept("usb:10c4:ea60:01A2B3C4D5", "BARN-01"), 0);
    unplug("a");
    plug(CP2102("b", "/dev/ttyUSB3", "2-4", "01A2B3C4D5"));
    assert_string_equal(who("/dev/ttyUSB3"), "BARN-01");
    int64_t id = miner_id(herd_miner_by_name(t.herd, "BARN-01"));
    daemon_stop();
    daemon_start();
    plug(CP2102("c", "/dev/ttyUSB1", "1-4", "01A2B3C4D5")); /* a finder that starts early */
    assert_int_equal(t.n_opened, 0);
    start();
    assert_string_equal(who("/dev/ttyUSB1"), "BARN-01");
    assert_int_equal(miner_id(herd_miner_by_name(t.herd, "BARN-01")), id);
    assert_int_equal(herd_count(t.herd), 1);
}

static void equal_serial_numbers_are_told_by_their_ports(void **state)
{
    start();
    plug(CP2102("a", "/dev/ttyUSB0", "1-1.2", "SAME42"));
    assert_int_equal(accept("usb:10c4:ea60:SAME42", "BARN-01"), 0);
    plug(CP2102("b", "/dev/ttyUSB1", "1-1.3", "SAME42"));
    assert_string_equal(who("/dev/ttyUSB0"), "BARN-01");
    assert_string_equal(who("/dev/ttyUSB1"), "1-1.3");
    assert_string_equal(shown_text("/dev/ttyUSB0", "key"), "usb:10c4:ea60:SAME42@1-1.2");
    assert_int_equal(accept("usb:10c4:ea60:SAME42@1-1.3", "BARN-02"), 0);
    unplug("a");
    unplug("b");
    daemon_stop();
    daemon_start(); /* back in the other order, with other numbers */
    start();
    plug(CP2102("b", "/dev/ttyUSB0", "1-1.3", "SAME42"));
    plug(CP2102("a", "/dev/ttyUSB1", "1-1.2", "SAME42"));
    assert_string_equal(who("/dev/ttyUSB0"), "BARN-02");
    assert_string_equal(who("/dev/ttyUSB1"), "BARN-01");
    unplug("a");
    plug(CP2102("c", "/dev/ttyUSB2", "1-1.4", "SAME42")); /* moved? nobody knows */
    assert_string_equal(who("/dev/ttyUSB2"), "1-1.4");
    assert_string_equal(shown_text("/dev/ttyUSB2", "maybe"), "BARN-01");
}

static void moved_without_a_serial_number_is_asked(void **state)
{
    two_boards();
    unplug("k2");
    plug(CH340("k4", "/dev/ttyUSB0", "1-1.4"));
    assert_string_equal(who("/dev/ttyUSB0"), "1-1.4"); /* a stranger, listened to */
    assert_string_equal(shown_text("/dev/ttyUSB0", "maybe"), "BARN-01");
    assert_non_null(
        strstr(shown_text("/dev/ttyUSB0", "doubt"), "BARN-01, which was at port 1-1.2"));
    assert_int_equal(events_of("device.doubt"), 1);
    assert_int_equal(plugins_found_assign(&t.plugins, "port:1-1.4", "BARN-01"), 0);
    assert_string_equal(who("/dev/ttyUSB0"), "BARN-01");
    assert_string_equal(shown_text("/dev/ttyUSB0", "doubt"), "");
    assert_null(herd_miner_by_name(t.herd, "1-1.4"));
    unplug("k4");
    plug(CH340("k4", "/dev/ttyUSB0", "1-1.4"));
    assert_string_equal(who("/dev/ttyUSB0"), "BARN-01");
}

static void a_doubt_ends_when_the_miner_turns_up(void **state)
{
    two_boards();
    unplug("k2");
    plug(CH340("k4", "/dev/ttyUSB2", "1-1.4"));
    assert_string_equal(shown_text("/dev/ttyUSB2", "maybe"), "BARN-01");
    plug(CH340("k2", "/dev/ttyUSB3", "1-1.2"));
    assert_string_equal(shown_text("/dev/ttyUSB2", "maybe"), "");
    assert_int_equal(events_of("device.doubt"), 1);
}

static void another_kind_in_the_place_is_a_stranger(void **state)
{
    two_boards();
    unplug("k2");
    plug(CP2102("x", "/dev/ttyUSB0", "1-1.2", "0001"));
    assert_string_equal(who("/dev/ttyUSB0"), "1-1.2");
    assert_string_equal(shown_text("/dev/ttyUSB0", "maybe"), "BARN-01");
    unplug("x");
    plug(CH340("k2", "/dev/ttyUSB0", "1-1.2")); /* the place is still BARN-01's */
    assert_string_equal(who("/dev/ttyUSB0"), "BARN-01");
}

static void swapped_boards_are_told_by_their_addresses(void **state)
{
    two_boards();
    say("/dev/ttyUSB0", "mac=" A_MAC);
    say("/dev/ttyUSB1", "mac=" B_MAC);
    int64_t a = miner_id(herd_miner_by_name(t.herd, "BARN-01"));
    unplug("k2");
    unplug("k3");
    daemon_stop();
    daemon_start();
    start();
    plug(CH340("k2", "/dev/ttyUSB0", "1-1.2"));          /* board B */
    plug(CH340("k3", "/dev/ttyUSB1", "1-1.3"));          /* board A */
    assert_string_equal(who("/dev/ttyUSB0"), "BARN-01"); /* assumed */
    forget_events();
    say("/dev/ttyUSB0", "mac=" B_MAC);
    assert_string_equal(who("/dev/ttyUSB0"), "BARN-02");
    assert_string_equal(who("/dev/ttyUSB1"), "1-1.3"); /* not BARN-02, that is sure */
    assert_string_equal(shown_text("/dev/ttyUSB1", "maybe"), "BARN-01");
    assert_int_equal(events_of("device.doubt"), 1);
    say("/dev/ttyUSB1", "mac=" A_MAC);
    assert_string_equal(who("/dev/ttyUSB1"), "BARN-01");
    assert_string_equal(shown_text("/dev/ttyUSB1", "doubt"), "");
    assert_int_equal(miner_id(herd_miner_by_name(t.herd, "BARN-01")), a);
    assert_int_equal(herd_count(t.herd), 2);
    say("/dev/ttyUSB1", "rate=7");
    double rate = 0;
    assert_true(miner_value(herd_miner_by_name(t.herd, "BARN-01"), SHEP_M_HASHRATE, &rate, NULL));
    unplug("k2"); /* and their new places are theirs */
    unplug("k3");
    plug(CH340("k3", "/dev/ttyUSB0", "1-1.3"));
    assert_string_equal(who("/dev/ttyUSB0"), "BARN-01");
}

static void what_a_stranger_said_is_what_its_miner_says(void **state)
{
    two_boards();
    say("/dev/ttyUSB0", "mac=" A_MAC);
    say("/dev/ttyUSB0", "wallet=ours");
    unplug("k2");
    plug(CH340("k4", "/dev/ttyUSB4", "1-1.4"));
    say("/dev/ttyUSB4", "wallet=theirs"); /* nobody knows yet who says it */
    assert_string_equal(who("/dev/ttyUSB4"), "1-1.4");
    say("/dev/ttyUSB4", "mac=" A_MAC);
    assert_string_equal(who("/dev/ttyUSB4"), "BARN-01");
    assert_string_equal(miner_text(herd_miner_by_name(t.herd, "BARN-01"), SHEP_A_WALLET, NULL),
                        "theirs");
}

static void where_a_miner_was_is_nobodys(void **state)
{
    two_boards();
    say("/dev/ttyUSB0", "mac=" A_MAC);
    say("/dev/ttyUSB1", "mac=" B_MAC);
    unplug("k2");
    unplug("k3");
    plug(CH340("k2", "/dev/ttyUSB0", "1-1.2")); /* board B */
    say("/dev/ttyUSB0", "mac=" B_MAC);
    assert_string_equal(who("/dev/ttyUSB0"), "BARN-02");
    unplug("k2");
    plug(CH340("k3", "/dev/ttyUSB1", "1-1.3"));
    assert_string_equal(who("/dev/ttyUSB1"), "1-1.3"); /* not BARN-02, which was last at 1-1.2 */
    unplug("k3");
    daemon_stop();
    daemon_start(); /* BARN-01 was accepted at 1-1.2; since then BARN-02 was seen there */
    start();
    plug(CH340("k2", "/dev/ttyUSB0", "1-1.2"));
    assert_string_equal(who("/dev/ttyUSB0"), "BARN-02");
}

static void another_board_in_the_old_place_is_a_stranger(void **state)
{
    two_boards();
    say("/dev/ttyUSB0", "mac=" A_MAC);
    unplug("k2");
    plug(CH340("k2", "/dev/ttyUSB0", "1-1.2"));
    assert_string_equal(who("/dev/ttyUSB0"), "BARN-01");
    advance(2000);
    forget_events();
    say("/dev/ttyUSB0", "mac=" C_MAC);
    assert_string_not_equal(who("/dev/ttyUSB0"), "BARN-01");
    assert_string_equal(shown_text("/dev/ttyUSB0", "maybe"), "BARN-01");
    assert_string_equal(shown_text("/dev/ttyUSB0", "key"), "mac:a0b1c2000003");
    assert_string_equal(status_of("BARN-01"), "offline");
    assert_int_equal(events_of("device.doubt"), 1);
    assert_int_equal(events_of("link.down(BARN-01"), 1);
    const char *said = miner_text(herd_miner_by_name(t.herd, "BARN-01"), SHEP_A_MAC, NULL);
    assert_string_equal(said, A_MAC); /* the reading went to the stranger */
    assert_int_equal(accept("mac:a0b1c2000003", "BARN-03"), 0);
    assert_string_equal(shown_text("/dev/ttyUSB0", "doubt"), "");
    plug(CH340("k4", "/dev/ttyUSB4", "1-1.4")); /* the old board, elsewhere */
    say("/dev/ttyUSB4", "mac=" A_MAC);
    assert_string_equal(who("/dev/ttyUSB4"), "BARN-01");
    assert_string_equal(who("/dev/ttyUSB0"), "BARN-03");
}

static void the_same_board_says_nothing_new(void **state)
{
    two_boards();
    say("/dev/ttyUSB0", "mac=" A_MAC);
    say("/dev/ttyUSB0", "mac=" A_MAC);
    say("/dev/ttyUSB0", "mac=00:00:00:00:00:00");
    assert_string_equal(who("/dev/ttyUSB0"), "BARN-01");
    assert_int_equal(events_of("device.doubt"), 0);
}

static void a_lying_board_makes_no_end_of_miners(void **state)
{
    char line[64];
    start();
    plug(CH340("k2", "/dev/ttyUSB0", "1-1.2"));
    for (int i = 1; i < 200; i++) {
        snprintf(line, sizeof line, "mac=a0:b1:c2:d3:00:%02x", i);
        say("/dev/ttyUSB0", line);
    }
    assert_true(herd_count(t.herd) <= MOVES_MAX + 2);
}

static void another_worker_name_is_asked(void **state)
{
    two_boards();
    say("/dev/ttyUSB0", "worker=one");
    say("/dev/ttyUSB1", "worker=two");
    unplug("k2");
    unplug("k3");
    plug(CH340("k2", "/dev/ttyUSB0", "1-1.2"));
    say("/dev/ttyUSB0", "worker=two");
    assert_string_equal(who("/dev/ttyUSB0"), "BARN-01"); /* it is asked, not guessed */
    assert_string_equal(shown_text("/dev/ttyUSB0", "maybe"), "BARN-02");
    assert_int_equal(plugins_found_ignore(&t.plugins, "port:1-1.2", true), 0);
    assert_string_equal(shown_text("/dev/ttyUSB0", "doubt"), "");
    assert_string_equal(who("/dev/ttyUSB0"), "BARN-01");
}

static void a_path_in_the_file_owns_its_device(void **state)
{
    char *node = fix_path(&t.fix, "node"), *by_id = fix_path(&t.fix, "by-id");
    assert_int_equal(symlink("/dev/null", node), 0); /* a character device that is always there */
    assert_int_equal(symlink(node, by_id), 0);
    json_t *entry = json_pack("{s:s, s:s, s:s}", "id", "FILE-1", "source", "opener", "path", by_id);
    assert_int_equal(plugins_miner_put(&t.plugins, entry, MINER_FROM_FILE), 0);
    start();
    plug(CH340("k", node, "1-1.2"));
    assert_int_equal(t.n_opened, 1); /* once, and by its own name */
    assert_string_equal(who(by_id), "FILE-1");
    assert_string_equal(shown_text(node, "miner"), "FILE-1");
    assert_int_equal(herd_count(t.herd), 1);
    assert_int_equal(plugins_miner_rename(&t.plugins, "FILE-1", "X"), SHEP_E_UNSUPPORTED);
    assert_int_equal(plugins_found_assign(&t.plugins, "port:1-1.2", "FILE-1"), 0);
    unplug("k");
    assert_int_equal(t.n_opened, 0); /* the kernel may give its number away */
    assert_string_equal(status_of("FILE-1"), "offline");
    plug(CH340("k", node, "1-1.2"));
    assert_string_equal(who(by_id), "FILE-1");
    assert_int_equal(plugins_miner_remove(&t.plugins, "FILE-1"), 0);
    assert_string_equal(who(node), "1-1.2"); /* it is plugged in all the same */
    assert_int_equal(plugins_miner_put(&t.plugins, entry, MINER_FROM_FILE), 0);
    assert_string_equal(who(by_id), "FILE-1");
    assert_int_equal(t.n_opened, 1);
    json_decref(entry);
    free(node);
    free(by_id);
}

/* A path in a made directory that leads to a character device; owned. */
static char *node_make(const char *name, const char *device)
{
    char *node = fix_path(&t.fix, name);
    assert_int_equal(symlink(device, node), 0);
    return node;
}

static void a_number_in_the_file_is_no_identity(void **state)
{
    char *usb0 = node_make("ttyUSB0", "/dev/null"), *usb3 = node_make("ttyUSB3", "/dev/zero");
    json_t *entry = json_pack("{s:s, s:s, s:s}", "id", "FILE-1", "source", "opener", "path", usb0);
    assert_int_equal(plugins_miner_put(&t.plugins, entry, MINER_FROM_FILE), 0);
    start();
    plug(CP2102("a", usb0, "1-1.2", "01A2B3C4D5"));
    unplug("a");
    plug(CP2102("b", usb3, "1-1.3", "01A2B3C4D5")); /* under another number */
    assert_string_equal(who(usb3), "FILE-1");
    plug(CP2102("c", usb0, "1-1.4", "99A2B3C4D5")); /* and another board under its old one */
    assert_string_equal(who(usb0), "1-1.4");
    unplug("b"); /* then the file's word is all there is */
    assert_string_equal(who(usb0), "FILE-1");
    assert_int_equal(t.n_opened, 1);
    unplug("c");
    plug(CP2102("d", usb0, "1-1.2", "01A2B3C4D5"));
    assert_string_equal(who(usb0), "FILE-1");
    json_decref(entry);
    free(usb0);
    free(usb3);
}

static void the_board_of_another_at_a_configured_path_is_asked(void **state)
{
    char *usb0 = node_make("ttyUSB0", "/dev/null"), *usb1 = node_make("ttyUSB1", "/dev/zero");
    start();
    plug(CP2102("a", usb1, "1-1.2", "01A2B3C4D5"));
    assert_int_equal(accept("usb:10c4:ea60:01A2B3C4D5", "BARN-01"), 0);
    unplug("a");
    json_t *entry = json_pack("{s:s, s:s, s:s}", "id", "FILE-1", "source", "opener", "path", usb0);
    assert_int_equal(plugins_miner_put(&t.plugins, entry, MINER_FROM_FILE), 0);
    plug(CP2102("b", usb0, "1-1.3", "01A2B3C4D5"));
    assert_string_equal(who(usb0), "FILE-1"); /* as the file says */
    assert_string_equal(shown_text(usb0, "maybe"), "BARN-01");
    assert_int_equal(events_of("device.doubt"), 1);
    unplug("b");
    plug(CP2102("c", usb1, "1-1.4", "01A2B3C4D5")); /* nothing was forgotten */
    assert_string_equal(who(usb1), "BARN-01");
    json_decref(entry);
    free(usb0);
    free(usb1);
}

static void a_configured_miner_has_its_address_too(void **state)
{
    put("{\"id\": \"PTY\", \"source\": \"opener\", \"path\": \"/tmp/no/pty\"}", MINER_FROM_FILE);
    start();
    say("/tmp/no/pty", "mac=" A_MAC);
    flush(&t.fix);
    assert_int_equal(sql_int(&t.fix, "SELECT count(*) FROM devices d JOIN miners m ON m.id = "
                                     "d.miner_id WHERE d.key = 'mac:a0b1c2000001' AND "
                                     "m.miner_id = 'PTY'"),
                     1);
    plug(CH340("k", "/dev/ttyUSB0", "1-1.2"));
    assert_int_equal(accept("port:1-1.2", "BARN-01"), 0);
    say("/dev/ttyUSB0", "mac=" A_MAC); /* one board, or two with one address? */
    assert_string_equal(who("/dev/ttyUSB0"), "BARN-01");
    assert_string_equal(shown_text("/dev/ttyUSB0", "maybe"), "PTY");
}

static void usb_and_network_are_joined_by_address(void **state)
{
    start();
    plug(&(struct board){.key = "usb",
                         .path = "/dev/ttyACM0",
                         .port = "1-1.2",
                         .vid = "303a",
                         .pid = "1001",
                         .serial = "A0:B1:C2:00:00:01"});
    assert_string_equal(shown_text("/dev/ttyACM0", "key"), "mac:a0b1c2000001");
    assert_int_equal(accept("mac:a0b1c2000001", "BITAXE"), 0);
    plug(&(struct board){.key = "lan", .path = "http://192.0.2.7", .port = "lan", .mac = A_MAC});
    assert_string_equal(who("http://192.0.2.7"), "BITAXE");
    assert_int_equal(t.n_opened, 2);
    forget_events();
    unplug("usb");
    advance(1250);
    assert_string_equal(status_of("BITAXE"), "idle"); /* one way in is left */
    assert_int_equal(events_of("link.down"), 0);
    hang_up("http://192.0.2.7");
    assert_string_equal(status_of("BITAXE"), "offline");
    advance(1250);
    assert_int_equal(events_of("link.down"), 1);
}

static void the_same_address_twice_is_asked_and_joined_by_hand(void **state)
{
    two_boards();
    say("/dev/ttyUSB0", "mac=" A_MAC);
    say("/dev/ttyUSB1", "mac=" A_MAC);
    assert_string_equal(who("/dev/ttyUSB1"), "BARN-02");
    assert_string_equal(shown_text("/dev/ttyUSB1", "maybe"), "BARN-01");
    assert_int_equal(plugins_found_assign(&t.plugins, "port:1-1.3", "BARN-01"), 0);
    assert_string_equal(who("/dev/ttyUSB1"), "BARN-01");
    assert_string_equal(who("/dev/ttyUSB0"), "BARN-01");
    hang_up("/dev/ttyUSB0");
    assert_string_equal(status_of("BARN-01"), "idle");
    assert_string_equal(status_of("BARN-02"), "offline");
}

static void hostile_texts_break_nothing(void **state)
{
    char serial[127];
    memset(serial, 'x', 126);
    memcpy(serial, "a/b\"c\n\x1b[2J'; DROP\xff", 19);
    serial[126] = '\0';
    start();
    plug(CP2102("a", "/dev/ttyUSB0", "1-1.2/../\n\"", serial));
    serial[125] = 'y';
    plug(CP2102("b", "/dev/ttyUSB1", "1-1.3", serial));
    serial[125] = 'x';
    size_t n_attached = t.n_attached;
    plug(CP2102("a", "/dev/ttyUSB0", "1-1.2/../\n\"", serial)); /* the same board, told again */
    assert_int_equal(t.n_attached, n_attached);
    const char *key = shown_text("/dev/ttyUSB0", "key");
    assert_true(strlen(key) < ID_KEY_MAX);
    assert_int_equal(strspn(key, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 ":._~@#-"),
                     strlen(key));
    char first[ID_KEY_MAX];
    snprintf(first, sizeof first, "%s", key);
    assert_string_not_equal(first, shown_text("/dev/ttyUSB1", "key"));
    assert_memory_equal(who("/dev/ttyUSB0"), "1-1.2_..___-", 12);
    assert_null(strpbrk(who("/dev/ttyUSB0"), "/\"\n~"));
}

static void there_is_an_end_to_strangers(void **state)
{
    char key[32], path[32], port[32], serial[32];
    t.judge = 0;
    start();
    for (int i = 0; i < FOUND_MAX; i++) {
        snprintf(key, sizeof key, "k%d", i);
        snprintf(path, sizeof path, "/dev/ttyUSB%d", i);
        snprintf(port, sizeof port, "1-%d", i);
        plug(CH340(key, path, port));
    }
    struct shep_found more = {.size = sizeof more, .key = "x", .path = "/dev/x", .port_path = "9"};
    assert_int_equal(plugin_host.device_found(&t.finder.ctx, &more), SHEP_E_LIMIT);
    for (int i = 0; i < FOUND_MAX; i++) {
        snprintf(key, sizeof key, "k%d", i);
        unplug(key);
    }
    for (int i = 0; i < 3 * KNOWN_NOBODYS_MAX; i++) { /* a stick that calls itself ever otherwise */
        snprintf(serial, sizeof serial, "SERIAL%06d", i);
        plug(CP2102("k", "/dev/ttyUSB0", "1-1", serial));
        unplug("k");
    }
    assert_true(t.plugins.n_known <= KNOWN_NOBODYS_MAX + 1);
}

static void plug_ftdi(const char *path, unsigned unit)
{
    plug(&(struct board){.key = unit ? "if1" : "if0",
                         .path = path,
                         .port = "1-1.2",
                         .vid = "0403",
                         .pid = "6010",
                         .serial = "FT12345X",
                         .unit = unit});
}

static void typed_keys_are_not_kept_for_ever(void **state)
{
    start();
    size_t before = t.plugins.n_known;
    for (int i = 0; i < 200; i++) {
        json_t *entry = json_pack("{s:s, s:s}", "id", "BARN-01", "source", "opener");
        char key[32];
        snprintf(key, sizeof key, "mac:%012x", i);
        json_object_set_new(entry, "device", json_string(key));
        assert_int_equal(plugins_miner_put(&t.plugins, entry, MINER_FROM_DB), 0);
        json_decref(entry);
    }
    assert_int_equal(t.plugins.n_known, before + 1);
    assert_non_null(known_find(&t.plugins, "mac:0000000000c7"));
}

static void two_ttys_of_one_chip_are_two(void **state)
{
    char first[ID_NAME_MAX];
    start();
    plug_ftdi("/dev/ttyUSB0", 0);
    plug_ftdi("/dev/ttyUSB1", 1);
    assert_string_equal(shown_text("/dev/ttyUSB0", "key"), "usb:0403:6010:FT12345X");
    assert_string_equal(shown_text("/dev/ttyUSB1", "key"), "usb:0403:6010:FT12345X#1");
    snprintf(first, sizeof first, "%s", who("/dev/ttyUSB0"));
    unplug("if0");
    unplug("if1");
    plug_ftdi("/dev/ttyUSB2", 1); /* the other one comes first */
    plug_ftdi("/dev/ttyUSB3", 0);
    assert_string_equal(who("/dev/ttyUSB3"), first);
    assert_int_equal(herd_count(t.herd), 2);
}

static void an_old_finder_knows_nothing_of_new_fields(void **state)
{
    start();
    struct shep_found found = {.size = offsetof(struct shep_found, mac),
                               .key = "k",
                               .path = "/dev/ttyUSB0",
                               .port_path = "1-1.2",
                               .vendor_id = "1a86",
                               .product_id = "7523",
                               .mac = A_MAC};
    assert_int_equal(plugin_host.device_found(&t.finder.ctx, &found), 0);
    assert_string_equal(shown_text("/dev/ttyUSB0", "mac"), "");
}

static void a_typed_path_is_the_device_wherever_it_goes(void **state)
{
    start();
    plug(CH340("k", "/dev/ttyUSB0", "1-1.2"));
    json_t *entry =
        json_pack("{s:s, s:s, s:s}", "id", "BARN-01", "source", "opener", "path", "/dev/ttyUSB0");
    assert_int_equal(plugins_found_accept(&t.plugins, "port:1-1.2", entry), 0);
    json_decref(entry);
    assert_int_equal(t.n_opened, 1);
    plug(CH340("k", "/dev/ttyUSB1", "1-1.2"));
    assert_string_equal(who("/dev/ttyUSB1"), "BARN-01");
    assert_int_equal(t.n_opened, 1);
}

static void a_miner_is_renamed_and_reset(void **state)
{
    two_boards();
    assert_int_equal(plugins_miner_rename(&t.plugins, "NONE", "X"), SHEP_E_GONE);
    assert_int_equal(plugins_miner_rename(&t.plugins, "BARN-01", "BARN-02"), SHEP_E_BUSY);
    assert_int_equal(plugins_miner_rename(&t.plugins, "BARN-01", "a/b"), SHEP_E_CONFIG);
    assert_int_equal(plugins_miner_rename(&t.plugins, "BARN-01", "Heidi"), 0);
    assert_string_equal(who("/dev/ttyUSB0"), "Heidi");
    assert_int_equal(plugins_miner_reset(&t.plugins, "Heidi"), 0);
    assert_int_equal(plugins_miner_reset(&t.plugins, "BARN-01"), SHEP_E_GONE);
    hang_up("/dev/ttyUSB0");
    assert_int_equal(plugins_miner_reset(&t.plugins, "Heidi"), SHEP_E_GONE);
    daemon_stop();
    daemon_start();
    assert_non_null(plugins_miner_entry(&t.plugins, "Heidi"));
    assert_null(plugins_miner_entry(&t.plugins, "BARN-01"));
    start();
    plug(CH340("k2", "/dev/ttyUSB0", "1-1.2"));
    assert_string_equal(who("/dev/ttyUSB0"), "Heidi");
}

static void strangers_keep_their_miner_over_a_restart(void **state)
{
    start();
    plug(CH340("k", "/dev/ttyUSB0", "1-1.2"));
    int64_t id = miner_id(herd_miner_by_name(t.herd, "1-1.2"));
    daemon_stop();
    daemon_start();
    assert_non_null(herd_miner_by_name(t.herd, "1-1.2")); /* for its readings */
    t.judge = SHEP_JUDGE_PLAUSIBLE;                       /* a person had said: listen */
    start();
    plug(CH340("k", "/dev/ttyUSB0", "1-1.2"));
    assert_string_equal(who("/dev/ttyUSB0"), "1-1.2");
    assert_int_equal(miner_id(herd_miner_by_name(t.herd, "1-1.2")), id);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_stranger_is_listened_to_and_accepted),
        TEST(a_flood_of_strangers_is_bounded),
        TEST(nothing_is_opened_unasked),
        TEST(a_boot_loader_is_never_opened),
        TEST(what_is_ignored_stays_closed),
        TEST(the_next_stranger_at_a_port_has_a_history_of_its_own),
        TEST(unplugged_is_not_an_error_and_both_orders_end_the_same),
        TEST(renumbered_in_place),
        TEST(a_serial_number_is_known_at_any_port_and_after_a_restart),
        TEST(equal_serial_numbers_are_told_by_their_ports),
        TEST(moved_without_a_serial_number_is_asked),
        TEST(a_doubt_ends_when_the_miner_turns_up),
        TEST(another_kind_in_the_place_is_a_stranger),
        TEST(swapped_boards_are_told_by_their_addresses),
        TEST(what_a_stranger_said_is_what_its_miner_says),
        TEST(where_a_miner_was_is_nobodys),
        TEST(another_board_in_the_old_place_is_a_stranger),
        TEST(the_same_board_says_nothing_new),
        TEST(a_lying_board_makes_no_end_of_miners),
        TEST(another_worker_name_is_asked),
        TEST(a_path_in_the_file_owns_its_device),
        TEST(a_number_in_the_file_is_no_identity),
        TEST(the_board_of_another_at_a_configured_path_is_asked),
        TEST(a_configured_miner_has_its_address_too),
        TEST(usb_and_network_are_joined_by_address),
        TEST(the_same_address_twice_is_asked_and_joined_by_hand),
        TEST(hostile_texts_break_nothing),
        TEST(there_is_an_end_to_strangers),
        TEST(typed_keys_are_not_kept_for_ever),
        TEST(two_ttys_of_one_chip_are_two),
        TEST(an_old_finder_knows_nothing_of_new_fields),
        TEST(a_typed_path_is_the_device_wherever_it_goes),
        TEST(a_miner_is_renamed_and_reset),
        TEST(strangers_keep_their_miner_over_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
