/* Erasing and merging miners: all of one and nothing of another, in the background, also when the
 * process is killed half-way or the disk fails. */
#include "test_store_shim.h"

#include <sys/wait.h>

static int setup(void **state)
{
    struct fix *fix = shep_alloc(sizeof *fix);
    fix_make(fix);
    fix->conf.keep_ms = 100ll * 365 * 24 * 3600 * 1000; /* the lines here are of 1970 */
    *state = fix;
    return 0;
}

static int teardown(void **state)
{
    fault = NONE;
    return fix_teardown(state);
}

/* ---- a flock of three with all that a miner can have ---- */

enum { A = 1, B, C, MINERS = 3 };
enum { T0 = 600 * 60000 }; /* minute 600 */

static void put_event(struct fix *fix, int64_t miner, int i)
{
    struct shep_event event = {.size = sizeof event, .event = SHEP_EV_RESET, .at_ms = T0 + i};
    event.miner_id = miner;
    event.text = "x";
    event.text_len = 1;
    store_event(fix->store, &event);
}

static void put_rollup(struct fix *fix, int64_t miner, uint32_t period_s, int i, double value)
{
    struct shep_rollup row = {.size = sizeof row, .period_s = period_s, .miner_id = miner, .n = 1};
    row.t_ms = (int64_t)i * period_s * 1000;
    row.min = row.max = row.avg = row.last = value;
    store_rollup_put(fix->store, &row, "hashrate");
}

static void put_all_of(struct fix *fix, int64_t miner, double best)
{
    struct store_reading reading = {.name = "hashrate", .at_ms = T0, .value = (double)miner};
    store_latest_put(fix->store, miner, &reading, 1, best, T0);
    struct shep_summary summary = {.size = sizeof summary, .miner_id = miner, .at_ms = T0};
    summary.hashrate_1h = (double)miner;
    store_summary_put(fix->store, &summary);
    struct shep_found found = {.size = sizeof found, .path = "/dev/ttyUSB0"};
    char key[16];
    snprintf(key, sizeof key, "key-%lld", (long long)miner);
    found.key = key;
    store_device_put(fix->store, &found, miner, true);
    json_t *row = json_pack("{s:I,s:s,s:i,s:s}", "id", (json_int_t)miner, "pool", "a:1",
                            "set_at_ms", 1, "set_by", "admin");
    assert_int_equal(store_row_put(fix->store, TABLE_EXPECTED, row), 0);
    json_decref(row);
}

/* Lines "A 0", "B 0", "C 0", "A 1" …, 60 of each miner a minute. Of history A has the periods
 * 0..99, B 50..149, C the first ten. */
static void fill(struct fix *fix, int n_each)
{
    static const char *const names[] = {"", "A", "B", "C"};
    char text[32];
    for (int m = A; m <= C; m++)
        assert_int_equal(put_miner(fix, names[m]), m);
    for (int i = 0; i < n_each; i++)
        for (int m = A; m <= C; m++) {
            snprintf(text, sizeof text, "%s %d", names[m], i);
            put_line(fix, m, T0 + i * 1000, text);
        }
    for (int i = 0; i < 50; i++)
        for (int m = A; m <= C; m++)
            put_event(fix, m, i);
    for (int i = 0; i < 100; i++) {
        put_rollup(fix, A, 60, i, 1);
        put_rollup(fix, A, 3600, i, 1);
        put_rollup(fix, B, 60, i + 50, 2);
    }
    for (int i = 0; i < 10; i++)
        put_rollup(fix, C, 60, i, 3);
    put_all_of(fix, A, 1000);
    put_all_of(fix, B, 20);
    put_all_of(fix, C, 30);
}

static int64_t count(struct fix *fix, const char *table, const char *where)
{
    char sql[200];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM %s WHERE %s", table, where);
    return sql_int(fix, sql);
}

static void wait_chores(struct fix *fix)
{
    flush(fix);
    WAIT_FOR(fix, count(fix, "chores", "1") == 0);
}

/* log_index and log_state tell the truth about the lines. With the store closed. */
static void check_books(struct fix *fix)
{
    assert_int_equal(sql_int(fix, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
    assert_int_equal(sql_int(fix, "SELECT n FROM log_state"), count(fix, "miner_logs", "1"));
    assert_int_equal(sql_int(fix, "SELECT bytes FROM log_state"),
                     sql_int(fix, "SELECT coalesce(sum(length(line)), 0) FROM miner_logs"));
    assert_int_equal(sql_int(fix, "SELECT coalesce(sum(n), 0) FROM log_index"),
                     count(fix, "miner_logs", "1"));
    assert_int_equal(sql_int(fix, "SELECT count(*) FROM log_index i WHERE n <> (SELECT count(*)"
                                  " FROM miner_logs l WHERE l.id BETWEEN i.first_id AND i.last_id"
                                  " AND l.miner_id = i.miner_id AND l.at_ms / 60000 = i.minute)"),
                     0);
}

/* Of C all is there, whatever became of the others; the herd's history is of who is left. */
static void check_c(struct fix *fix, int n_each)
{
    assert_true(herd_is_the_sum(fix));
    assert_int_equal(count(fix, "miner_logs", "miner_id = 3 AND line LIKE 'C %'"), n_each);
    assert_int_equal(count(fix, "events", "miner_id = 3"), 50);
    assert_int_equal(count(fix, "rollups", "miner_id = 3 AND avg = 3"), 10);
    assert_int_equal(count(fix, "latest", "miner_id = 3 AND best_ever = 30"), 1);
    assert_int_equal(count(fix, "summaries", "miner_id = 3"), 1);
    assert_int_equal(count(fix, "expected", "id = 3"), 1);
    assert_int_equal(count(fix, "devices", "miner_id = 3"), 1);
}

static void check_erased(struct fix *fix, int n_each)
{
    static const char *const tables[] = {"miner_logs", "log_index", "events", "rollups",
                                         "latest",     "summaries", "devices"};
    for (size_t i = 0; i < ARRAY_LEN(tables); i++)
        assert_int_equal(count(fix, tables[i], "miner_id = 1"), 0);
    assert_int_equal(count(fix, "expected", "id = 1"), 0);
    assert_int_equal(count(fix, "miners",
                           "id = 1 AND miner_id = '~1' AND source IS NULL AND"
                           " removed_at_ms > 0 AND status = 'unknown' AND"
                           " mac_address IS NULL AND last_seen IS NULL"),
                     1);
    assert_int_equal(count(fix, "devices", "miner_id IS NULL"), 1);
    assert_int_equal(count(fix, "miner_logs", "miner_id = 2"), n_each);
    check_c(fix, n_each);
}

static void erase_takes_all_of_one(void **state)
{
    struct fix *fix = *state;
    fix_open(fix);
    fill(fix, 3000);
    flush(fix);
    struct store_reading mac = {.name = "mac", .at_ms = T0, .text = "a0:b1:c2:d3:e4:f5"};
    store_latest_put(fix->store, A, &mac, 1, 1, T0); /* would be written within a minute */
    store_miner_erase(fix->store, A);
    store_miner_erase(fix->store, A);  /* nothing more */
    store_miner_erase(fix->store, 77); /* nobody */
    wait_chores(fix);
    fix_close(fix);
    check_erased(fix, 3000);
    check_books(fix);
    fix_open(fix);
    int64_t again = put_miner(fix, "A");
    assert_int_equal(again, 4);
    put_line(fix, again, T0, "another board");
    fix_close(fix);
    assert_int_equal(sql_int(fix, "SELECT max(id) FROM miner_logs"), 9001); /* nor ids of lines */
    check_books(fix);
}

/* The newest one: its id would be the first to come again. */
static void an_id_is_never_given_again(void **state)
{
    struct fix *fix = *state;
    fix_open(fix);
    fill(fix, 10);
    store_miner_erase(fix->store, C);
    wait_chores(fix);
    fix_close(fix);
    fix_open(fix);
    assert_int_equal(put_miner(fix, "C"), 4);
    fix_close(fix);
    assert_int_equal(count(fix, "miner_logs", "1"), 20);
}

static void check_merged(struct fix *fix, int n_each)
{
    static const char *const tables[] = {"miner_logs", "log_index", "events", "rollups",
                                         "latest",     "summaries", "devices"};
    for (size_t i = 0; i < ARRAY_LEN(tables); i++)
        assert_int_equal(count(fix, tables[i], "miner_id = 1"), 0);
    assert_int_equal(count(fix, "miner_logs", "miner_id = 2"), 2 * n_each);
    assert_int_equal(count(fix, "miner_logs", "miner_id = 2 AND line LIKE 'A %'"), n_each);
    assert_int_equal(count(fix, "events", "miner_id = 2"), 100);
    /* A's 0..49, and B's 50..149 where both had one; and hours */
    assert_int_equal(count(fix, "rollups", "miner_id = 2 AND period_s = 60 AND avg = 1"), 50);
    assert_int_equal(count(fix, "rollups", "miner_id = 2 AND period_s = 60 AND avg = 2"), 100);
    assert_int_equal(count(fix, "rollups", "miner_id = 2 AND period_s = 3600"), 100);
    assert_int_equal(count(fix, "latest", "miner_id = 2 AND best_ever = 1000"), 1);
    SQL_TEXT_IS(fix, "SELECT json_extract(readings, '$.hashrate.v') FROM latest WHERE miner_id = 2",
                "2"); /* its own last word */
    assert_int_equal(count(fix, "summaries", "miner_id = 2 AND hashrate_1h = 2"), 1);
    assert_int_equal(count(fix, "devices", "miner_id = 2"), 2);
    assert_int_equal(count(fix, "miners", "id = 1 AND miner_id = 'A' AND removed_at_ms > 0"), 1);
    check_c(fix, n_each);
}

static void merge_brings_all_to_one(void **state)
{
    struct fix *fix = *state;
    fix_open(fix);
    fill(fix, 3000);
    store_miner_merge(fix->store, A, A);
    store_miner_merge(fix->store, A, 77);
    store_miner_merge(fix->store, 77, A);
    flush(fix);
    assert_int_equal(count(fix, "miners", "removed_at_ms > 0"), 0);
    store_miner_merge(fix->store, A, B);
    wait_chores(fix);
    fix_close(fix);
    check_merged(fix, 3000);
    check_books(fix);
    assert_int_equal(sql_int(fix, "SELECT max(n) FROM log_index"), 120); /* both of a minute */
}

/* A into B, and what B is then into C; one after the other. */
static void chores_are_done_in_order(void **state)
{
    struct fix *fix = *state;
    fix_open(fix);
    fill(fix, 1000);
    store_miner_merge(fix->store, A, B);
    store_miner_merge(fix->store, B, C);
    store_miner_erase(fix->store, A);
    wait_chores(fix);
    fix_close(fix);
    assert_int_equal(count(fix, "miner_logs", "miner_id = 3"), 3000);
    assert_int_equal(count(fix, "devices", "miner_id = 3"), 3);
    check_books(fix);
}

/* A miner that never said anything gets all, with its last words. */
static void merge_into_a_new_one(void **state)
{
    struct fix *fix = *state;
    fix_open(fix);
    fill(fix, 100);
    int64_t d = put_miner(fix, "D");
    store_miner_merge(fix->store, A, d);
    wait_chores(fix);
    fix_close(fix);
    assert_int_equal(count(fix, "miner_logs", "miner_id = 4"), 100);
    assert_int_equal(count(fix, "latest", "miner_id = 4 AND best_ever = 1000"), 1);
    assert_int_equal(count(fix, "summaries", "miner_id = 4 AND hashrate_1h = 1"), 1);
    check_books(fix);
}

/* Times that jump back and forth: the stretches of ids of the minutes lie over each other. */
static void a_clock_that_jumps_is_no_trouble(void **state)
{
    struct fix *fix = *state;
    fix_open(fix);
    int64_t a = put_miner(fix, "A"), b = put_miner(fix, "B");
    for (int i = 0; i < 20000; i++)
        put_line(fix, i % 3 ? a : b, (int64_t)(i * 7919 % 300) * 60000, "x");
    store_miner_erase(fix->store, a);
    wait_chores(fix);
    fix_close(fix);
    assert_int_equal(count(fix, "miner_logs", "miner_id = 1"), 0);
    assert_int_equal(count(fix, "miner_logs", "miner_id = 2"), 6667);
    check_books(fix);
}

/* ---- with other work ---- */

/* Lines go on being committed; what comes after the order stays. */
static void lines_go_on_meanwhile(void **state)
{
    struct fix *fix = *state;
    int during = 0;
    fix->conf.queue_bytes = 256 << 20;
    fix_open(fix);
    fill(fix, 60000);
    flush(fix);
    store_miner_erase(fix->store, A);
    flush(fix);
    int64_t a = put_miner(fix, "A"); /* another one of that name */
    while (count(fix, "chores", "1") == 1) {
        put_line(fix, a, T0, "A new");
        flush(fix);
        during++;
    }
    print_message("%d commits meanwhile\n", during);
    assert_true(during > 3);
    put_line(fix, a, T0, "A new");
    fix_close(fix);
    assert_int_equal(count(fix, "miner_logs", "miner_id = 4"), during + 1);
    assert_int_equal(count(fix, "miner_logs", "miner_id = 1"), 0);
    check_c(fix, 60000);
    check_books(fix);
}

/* Stopped at once; the next run ends it. */
static void the_next_run_goes_on(void **state)
{
    struct fix *fix = *state;
    fix->conf.queue_bytes = 256 << 20;
    fix_open(fix);
    fill(fix, 30000);
    flush(fix);
    store_miner_erase(fix->store, A);
    store_miner_merge(fix->store, B, C);
    fix_close(fix);
    assert_true(count(fix, "chores", "1") > 0);
    fix_open(fix);
    wait_chores(fix);
    fix_close(fix);
    assert_int_equal(count(fix, "miner_logs", "miner_id = 3"), 60000);
    assert_int_equal(count(fix, "miner_logs", "1"), 60000);
    check_books(fix);
}

/* ---- killed half-way ---- */

static void order(struct fix *fix, bool merge)
{
    if (merge)
        store_miner_merge(fix->store, A, B);
    else
        store_miner_erase(fix->store, A);
    flush(fix);
}

/* The child: goes on with the chore and dies at the Nth write. Ends when it is done. */
static void child_run(struct fix *fix, int nth)
{
    fix->loop = loop_new(1);
    countdown = nth;
    fault = DIES;
    if (fix_try_open(fix) != 0)
        _exit(1);
    wait_chores(fix);
    _exit(0);
}

/* Each time a little further: at the first write, the third, the fifth … */
static void killed(struct fix *fix, bool merge)
{
    enum { N = 20000 };
    int status = 0, kills = 0;
    fix_open(fix);
    fill(fix, N);
    flush(fix);
    order(fix, merge);
    fix_close(fix);
    loop_free(fix->loop); /* each process makes its own */
    for (int nth = 1;; nth += 1 + nth / 2, kills++) {
        fflush(NULL);
        pid_t pid = fork();
        if (pid == 0)
            child_run(fix, nth);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (!WIFSIGNALED(status))
            break;
        assert_int_equal(WTERMSIG(status), SIGKILL);
        assert_int_equal(sql_int(fix, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"),
                         1);
    }
    fix->loop = loop_new(1);
    print_message("killed %d times\n", kills);
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_true(kills > 8);
    fix_open(fix);
    fix_close(fix);
    if (merge)
        check_merged(fix, N);
    else
        check_erased(fix, N);
    check_books(fix);
}

static void erase_outlives_kills(void **state)
{
    killed(*state, false);
}

static void merge_outlives_kills(void **state)
{
    killed(*state, true);
}

/* ---- the disk fails ---- */

static void remove_db(struct fix *fix)
{
    static const char *const names[] = {"shepherd.db", "shepherd.db-wal", "shepherd.db-shm"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char *path = fix_path(fix, names[i]);
        unlink(path);
        free(path);
    }
}

/* Fail one write or sync after the order, the first, the second … until a run meets none. */
static void fail_each(struct fix *fix, enum fault kind, bool merge)
{
    enum { N = 300 };
    int tried = 0;
    log_set_level((enum shep_log) - 1); /* the complaints are many, and tested for elsewhere */
    for (int nth = 1;; nth += 1 + nth / 2, tried++) {
        fix_open(fix);
        fill(fix, N);
        flush(fix);
        n_faults = 0;
        countdown = nth;
        fault = (int)kind;
        order(fix, merge);
        wait_chores(fix);
        fix_close(fix);
        fault = NONE;
        if (merge)
            check_merged(fix, N);
        else
            check_erased(fix, N);
        check_books(fix);
        remove_db(fix);
        if (n_faults == 0)
            break;
    }
    print_message("%d points of failure\n", tried);
    assert_true(tried > 5);
}

static void erase_outlives_failed_writes(void **state)
{
    fail_each(*state, NTH, false);
    fail_each(*state, NTH_LATE, false);
}

static void merge_outlives_failed_writes(void **state)
{
    fail_each(*state, NTH, true);
    fail_each(*state, NTH_LATE, true);
}

/* Full from the order on, until there is room again. */
static void a_full_disk_is_waited_for(void **state)
{
    enum { N = 20000 };
    struct fix *fix = *state;
    struct store_stats stats;
    fix_open(fix);
    fill(fix, N);
    flush(fix);
    sql_int(fix, "PRAGMA wal_checkpoint(TRUNCATE)");
    order(fix, false);
    n_faults = 0;
    fault = FULL;
    WAIT_FOR(fix, n_faults > 3);
    fault = NONE;
    wait_chores(fix);
    store_stats_get(fix->store, &stats);
    assert_int_equal(stats.records_dropped, 0);
    fix_close(fix);
    check_erased(fix, N);
    check_books(fix);
}

int main(int argc, char **argv)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(erase_takes_all_of_one),       TEST(an_id_is_never_given_again),
        TEST(merge_brings_all_to_one),      TEST(chores_are_done_in_order),
        TEST(merge_into_a_new_one),         TEST(a_clock_that_jumps_is_no_trouble),
        TEST(lines_go_on_meanwhile),        TEST(the_next_run_goes_on),
        TEST(erase_outlives_kills),         TEST(merge_outlives_kills),
        TEST(erase_outlives_failed_writes), TEST(merge_outlives_failed_writes),
        TEST(a_full_disk_is_waited_for),
    };
    cmocka_set_test_filter(argc > 1 ? argv[1] : NULL); /* "one_test" or "a*" */
    return cmocka_run_group_tests(tests, setup_all, NULL);
}
