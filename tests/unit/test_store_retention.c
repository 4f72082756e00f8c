/* What retention deletes and, above all, what it leaves alone. The clocks are held by the test. */
#include "test_store_util.h"

enum { MINUTE = 60000, HOUR = 60 * MINUTE, DAY = 24 * HOUR };
static const int64_t T0 = 1700000040000; /* a whole minute */

static int setup(void **state)
{
    fix_setup(state);
    clock_set_fake(T0, T0);
    return 0;
}

/* n lines of <len> bytes a minute, from <from_ms> on. */
static void put_minutes(struct fix *fix, int64_t miner, int64_t from_ms, int minutes, int n,
                        size_t len)
{
    char line[2048];
    memset(line, 'x', sizeof line);
    for (int m = 0; m < minutes; m++) {
        for (int i = 0; i < n; i++)
            assert_int_equal(
                store_line(fix->store, miner, from_ms + (int64_t)m * MINUTE + i, line, len), 0);
        flush(fix);
    }
}

/* Let a minute pass, with a line, until the writer did its duty. */
static void pass_minutes(struct fix *fix, int64_t miner, int64_t *now_ms, int n)
{
    for (int i = 0; i < n; i++) {
        *now_ms += MINUTE;
        clock_set_fake(*now_ms, *now_ms);
        put_line(fix, miner, *now_ms, "tick");
        flush(fix);
    }
}

static int64_t count(struct fix *fix)
{
    return sql_int(fix, "SELECT count(*) FROM miner_logs");
}

static void check_books(struct fix *fix)
{
    fix_close(fix);
    assert_int_equal(sql_int(fix, "SELECT bytes FROM log_state"),
                     sql_int(fix, "SELECT sum(length(line)) FROM miner_logs"));
    assert_int_equal(sql_int(fix, "SELECT n FROM log_state"), count(fix));
    assert_int_equal(sql_int(fix, "SELECT count(*) FROM log_index WHERE last_id <"
                                  " (SELECT min(id) FROM miner_logs)"),
                     0);
}

static void old_lines_go_by_time(void **state)
{
    struct fix *fix = *state;
    fix->conf.keep_ms = DAY;
    fix_open(fix);
    int64_t a = put_miner(fix, "A");
    put_minutes(fix, a, T0 - 3 * (int64_t)DAY, 60, 10, 20); /* too old */
    put_minutes(fix, a, T0 - DAY / 2, 60, 10, 20);
    fix_close(fix);
    fix_open(fix); /* so that they are not of this run's last hour */
    WAIT_FOR(fix, count(fix) == 600);
    assert_int_equal(sql_int(fix, "SELECT min(id) FROM miner_logs"), 601);
    check_books(fix);
}

static void oldest_lines_go_by_size(void **state)
{
    struct fix *fix = *state;
    fix->conf.keep_bytes = 200 * 1000;
    fix_open(fix);
    int64_t a = put_miner(fix, "A");
    put_minutes(fix, a, T0 - 6 * HOUR, 300, 10, 1000); /* 3 MB, until an hour ago */
    fix_close(fix);
    fix_open(fix);
    WAIT_FOR(fix, sql_int(fix, "SELECT sum(length(line)) FROM miner_logs") <= 200 * 1000);
    assert_true(count(fix) >= 1);
    check_books(fix);
}

static void newest_hour_stays_whatever_its_size(void **state)
{
    struct fix *fix = *state;
    int64_t now_ms = T0;
    fix->conf.keep_bytes = 1;
    fix_open(fix);
    int64_t a = put_miner(fix, "A");
    put_minutes(fix, a, T0 - 50 * MINUTE, 50, 10, 100);
    fix_close(fix);
    fix_open(fix);
    pass_minutes(fix, a, &now_ms, 5);
    assert_int_equal(count(fix), 505);
    pass_minutes(fix, a, &now_ms, 20); /* now some are over an hour old */
    WAIT_FOR(fix, count(fix) < 500);
    assert_true(sql_int(fix, "SELECT min(at_ms) FROM miner_logs") <= now_ms - HOUR + MINUTE);
    check_books(fix);
}

/* The clock jumps ahead by a month. What arrived within this hour is not old. */
static void jump_ahead_spares_the_last_hour(void **state)
{
    struct fix *fix = *state;
    int64_t now_ms = T0 + 30 * (int64_t)DAY;
    fix->conf.keep_ms = DAY;
    fix_open(fix);
    int64_t a = put_miner(fix, "A");
    put_minutes(fix, a, T0, 5, 10, 100);
    clock_set_fake(now_ms, T0 + 6 * MINUTE); /* the monotonic clock goes on */
    put_line(fix, a, now_ms, "after");
    flush(fix);
    clock_set_fake(now_ms + 2 * MINUTE, T0 + 8 * MINUTE);
    put_line(fix, a, now_ms + 2 * MINUTE, "after");
    flush(fix);
    put_line(fix, a, now_ms + 2 * MINUTE, "behind the duty of the minute");
    flush(fix);
    assert_int_equal(count(fix), 53);
}

/* A Pi without a clock starts years ago: nothing that was stored is old for that, and the new lines
 * with their old times do not drag the true ones with them. */
static void clock_behind_deletes_nothing(void **state)
{
    struct fix *fix = *state;
    fix->conf.keep_ms = DAY;
    fix_open(fix);
    int64_t a = put_miner(fix, "A");
    put_minutes(fix, a, T0 - 2 * HOUR, 100, 10, 100);
    fix_close(fix);
    int64_t past = 1000000000000;
    clock_set_fake(past, T0);
    fix_open(fix);
    pass_minutes(fix, a, &past, 3);
    assert_int_equal(count(fix), 1003);
    fix_close(fix);
    clock_set_fake(T0, T0); /* set at last */
    fix_open(fix);
    int64_t now_ms = T0;
    pass_minutes(fix, a, &now_ms, 3);
    assert_int_equal(count(fix), 1006);
    check_books(fix);
}

static void newest_line_stays_for_ever(void **state)
{
    struct fix *fix = *state;
    fix->conf.keep_ms = HOUR;
    fix_open(fix);
    int64_t a = put_miner(fix, "A");
    put_minutes(fix, a, T0 - 9 * (int64_t)DAY, 5, 10, 100);
    fix_close(fix);
    fix_open(fix);
    WAIT_FOR(fix, count(fix) == 1);
    assert_int_equal(sql_int(fix, "SELECT max(id) FROM miner_logs"), 50);
}

static void writes_go_on_meanwhile(void **state)
{
    struct fix *fix = *state;
    fix->conf.keep_ms = DAY;
    fix->conf.queue_bytes = 64 * 1024 * 1024;
    fix_open(fix);
    int64_t a = put_miner(fix, "A");
    put_minutes(fix, a, T0 - 9 * (int64_t)DAY, 100, 3000, 40);
    fix_close(fix);
    fix_open(fix);
    for (int i = 0; i < 50000; i++)
        put_line(fix, a, T0, "new");
    flush(fix);
    WAIT_FOR(fix, count(fix) == 50000);
    check_books(fix);
}

/* The number of events is bounded, too; the newest stay. */
static void events_are_bounded(void **state)
{
    struct fix *fix = *state;
    int64_t now_ms = T0;
    fix_open(fix);
    int64_t a = put_miner(fix, "A");
    fix_close(fix);
    sql_int(fix, "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 200500)"
                 " INSERT INTO events(id, at_ms, event) SELECT i, i, 'miner.reset' FROM c");
    fix_open(fix);
    pass_minutes(fix, a, &now_ms, 2);
    WAIT_FOR(fix, sql_int(fix, "SELECT count(*) FROM events") <= 200001);
    assert_int_equal(sql_int(fix, "SELECT max(id) FROM events"), 200500);
}

int main(int argc, char **argv)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, fix_teardown)
    const struct CMUnitTest tests[] = {
        TEST(old_lines_go_by_time),
        TEST(oldest_lines_go_by_size),
        TEST(newest_hour_stays_whatever_its_size),
        TEST(jump_ahead_spares_the_last_hour),
        TEST(clock_behind_deletes_nothing),
        TEST(newest_line_stays_for_ever),
        TEST(writes_go_on_meanwhile),
        TEST(events_are_bounded),
    };
    cmocka_set_test_filter(argc > 1 ? argv[1] : NULL); /* "one_test" or "a*" */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
