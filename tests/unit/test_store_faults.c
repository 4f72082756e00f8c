/* The disk fails: full, I/O errors at every point there is, errors that come after the bytes
 * arrived, a lock held by somebody else, damage while running. Nothing may be lost, doubled or
 * reordered.
 *
 * The errors are made by a layer between SQLite and the file system (a VFS), so they need no
 * rights. One test fills a real file system of 4 MB; it needs a mount namespace and is skipped
 * where there is none. */
#include "test_store_shim.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

static int setup(void **state)
{
    struct fix *fix = shep_alloc(sizeof *fix);
    fault = NONE;
    n_faults = 0;
    fix_make(fix);
    log_set_level((enum shep_log) - 1); /* the complaints are what is tested for, not to be read */
    *state = fix;
    return 0;
}

static int teardown(void **state)
{
    fault = NONE;
    return fix_teardown(state);
}

/* ---- checks ---- */

static struct store_stats stats_of(struct fix *fix)
{
    struct store_stats stats;
    store_stats_get(fix->store, &stats);
    return stats;
}

static void put_numbers(struct fix *fix, int64_t miner, int from, int n)
{
    char text[32];
    for (int i = from; i < from + n; i++) {
        snprintf(text, sizeof text, "%d", i);
        assert_int_equal(put_line(fix, miner, clock_wall_ms(), text), 0);
    }
}

/* Lines 1..n, in order, once. */
static void check_numbers(struct fix *fix, int n)
{
    assert_int_equal(sql_int(fix, "SELECT count(*) FROM miner_logs"), n);
    assert_int_equal(sql_int(fix, "SELECT count(*) FROM miner_logs WHERE id <> CAST(line AS INT)"),
                     0);
    assert_int_equal(sql_int(fix, "SELECT max(id) FROM miner_logs"), n);
    assert_int_equal(sql_int(fix, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
}

static int64_t events(struct fix *fix, const char *name)
{
    char sql[96];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM events WHERE event = '%s'", name);
    return sql_int(fix, sql);
}

/* ---- tests ---- */

static void full_disk_degrades_and_recovers(void **state)
{
    struct fix *fix = *state;
    char *ballast = fix_path(fix, ".ballast");
    fix->conf.queue_bytes = 64 * 1024 * 1024;
    fix_open(fix);
    int64_t a = put_miner(fix, "A");
    put_numbers(fix, a, 1, 100);
    flush(fix);
    WAIT_FOR(fix, access(ballast, F_OK) == 0);
    fault = FULL;
    int n = 60000; /* what the log has room for still goes in */
    put_numbers(fix, a, 101, n - 100);
    WAIT_FOR(fix, stats_of(fix).degraded);
    assert_non_null(strstr(stats_of(fix).problem, "is full"));
    assert_int_not_equal(access(ballast, F_OK), 0);
    assert_true(stats_of(fix).queue_bytes > 0);
    put_numbers(fix, a, n + 1, 3000);
    n += 3000;
    fault = NONE;
    WAIT_FOR(fix, !stats_of(fix).degraded);
    WAIT_FOR(fix, events(fix, "store.recovered") == 1);
    assert_int_equal(events(fix, "store.degraded"), 1);
    flush(fix);
    check_numbers(fix, n);
    WAIT_FOR(fix, access(ballast, F_OK) == 0); /* there is room for it again */
    WAIT_FOR(fix, stats_of(fix).problem[0] == '\0');
    assert_int_equal(stats_of(fix).queue_bytes, 0);
    fix_close(fix);
    check_numbers(fix, n);
    assert_int_equal(sql_int(fix, "SELECT sum(n) FROM log_index"), n); /* none counted twice */
    assert_int_equal(sql_int(fix, "SELECT n FROM log_state"), n);
    free(ballast);
}

static int state_calls;
static bool state_now;
static void on_state(bool degraded, const char *problem, void *arg)
{
    state_calls++;
    state_now = degraded;
}

static void who_listens_tells_the_events(void **state)
{
    struct fix *fix = *state;
    state_calls = 0;
    fix_open(fix);
    store_on_state(fix->store, on_state, NULL);
    int64_t a = put_miner(fix, "A");
    fault = FULL;
    put_numbers(fix, a, 1, 3000);
    WAIT_FOR(fix, state_calls == 1 && state_now);
    fault = NONE;
    WAIT_FOR(fix, state_calls == 2 && !state_now);
    flush(fix);
    assert_int_equal(sql_int(fix, "SELECT count(*) FROM events"), 0);
}

/* Full to the end: the loop is never held, what does not fit is counted, closing takes its time and
 * no more. */
static void full_disk_at_close_ends_in_time(void **state)
{
    struct fix *fix = *state;
    char line[1000] = "";
    memset(line, 'x', sizeof line);
    fix->conf.queue_bytes = 256 * 1024;
    fix_open(fix);
    int64_t a = put_miner(fix, "A");
    flush(fix);
    fault = FULL;
    int n = 0, refused = 0;
    for (; n < 1000; n++)
        refused += store_line(fix->store, a, 1, line, sizeof line) == SHEP_E_LIMIT;
    assert_true(refused > 700);
    assert_int_equal(stats_of(fix).lines_dropped, refused);
    int64_t begun = wait_clock_ms();
    fix_close(fix);
    assert_true(wait_clock_ms() - begun < 5500); /* CONTRACT: 5 s */
    fault = NONE;
    assert_int_equal(sql_int(fix, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
    fix_open(fix); /* the writer did end and gave the lock back */
}

static int put_row(struct fix *fix, enum store_table table, const char *text)
{
    json_t *row = json_loads(text, 0, NULL);
    int err = store_row_put(fix->store, table, row);
    json_decref(row);
    return err;
}

/* The disk was full for days and the queue is, too: who is let in, who no more, and what was taken
 * out wait all the same. */
static void full_queue_takes_whom_to_let_in(void **state)
{
    struct fix *fix = *state;
    char setting[2000];
    fix->conf.queue_bytes = 64 * 1024;
    fix_open(fix);
    assert_int_equal(put_row(fix, TABLE_POOLS,
                             "{\"id\":1,\"pool_name\":\"A\",\"pool_url\":\"a.org\","
                             "\"pool_port\":3333,\"pool_user\":\"x\"}"),
                     0);
    flush(fix);
    fault = FULL;
    int n = 0, err = 0;
    for (; n < 1000 && !err; n++) {
        snprintf(setting, sizeof setting, "{\"id\":%d,\"name\":\"n%d\",\"value\":\"%01000d\"}",
                 n + 1, n + 1, 0);
        err = put_row(fix, TABLE_SETTINGS, setting);
    }
    assert_int_equal(err, SHEP_E_LIMIT);
    assert_int_equal(put_row(fix, TABLE_USERS,
                             "{\"id\":1,\"name\":\"eve\",\"role\":\"viewer\","
                             "\"password_hash\":\"$\",\"created_at_ms\":1}"),
                     0);
    assert_int_equal(store_row_delete(fix->store, TABLE_POOLS, 1), 0);
    fault = NONE;
    flush(fix);
    assert_int_equal(sql_int(fix, "SELECT count(*) FROM users"), 1);
    assert_int_equal(sql_int(fix, "SELECT count(*) FROM pools"), 0);
    assert_int_equal(sql_int(fix, "SELECT count(*) FROM settings"), n - 1);
}

/* Fail the Nth write or sync, for N = 1, 2 … until a run meets no failure. */
static void fail_each(struct fix *fix, enum fault kind)
{
    for (int nth = 1;; nth++) {
        char *path = fix_path(fix, "shepherd.db");
        fix_open(fix);
        int64_t a = put_miner(fix, "A");
        flush(fix);
        n_faults = 0;
        countdown = nth;
        fault = (int)kind;
        struct shep_event alarm = {.size = sizeof alarm, .event = SHEP_EV_BLOCK_FOUND};
        put_numbers(fix, a, 1, 1500);
        store_event(fix->store, &alarm); /* with a sync */
        put_numbers(fix, a, 1501, 2500);
        flush(fix);
        assert_int_equal(stats_of(fix).records_dropped, 0);
        fix_close(fix); /* with a checkpoint */
        fault = NONE;
        check_numbers(fix, 4000);
        assert_int_equal(events(fix, "block.found"), 1);
        assert_int_equal(sql_int(fix, "SELECT sum(n) FROM log_index"), 4000);
        assert_int_equal(sql_int(fix, "SELECT n FROM log_state"), 4000);
        bool met = n_faults > 0;
        unlink(path);
        free(path);
        path = fix_path(fix, "shepherd.db-wal");
        unlink(path);
        free(path);
        if (!met) {
            print_message("%d points of failure\n", nth - 1);
            assert_true(nth > 20);
            return;
        }
        if (nth > 12) /* the middle is many times the same */
            nth += 6;
    }
}

static void every_failed_write_is_made_good(void **state)
{
    fail_each(*state, NTH);
}

/* The error comes, but so did the bytes: the commit that failed has happened. */
static void no_line_is_twice_after_a_late_error(void **state)
{
    fail_each(*state, NTH_LATE);
}

/* The same at the last write of a small commit, which is where it counts: the commit is in the
 * file, and we were told that it failed. */
static void commit_that_happened_is_not_repeated(void **state)
{
    enum { WRITES = 16 }; /* more than a line and an event need */
    struct fix *fix = *state;
    struct shep_event alarm = {.size = sizeof alarm, .event = SHEP_EV_BLOCK_FOUND};
    fix_open(fix);
    int64_t a = put_miner(fix, "A");
    flush(fix);
    for (int i = 1; i <= WRITES; i++) {
        n_faults = 0;
        countdown = i;
        fault = NTH_LATE;
        put_numbers(fix, a, i, 1);
        store_event(fix->store, &alarm);
        flush(fix);
        fault = NONE;
    }
    assert_int_equal(n_faults, 0); /* the last round met none: all points were tried */
    assert_int_equal(stats_of(fix).records_dropped, 0); /* SQLite had nothing to refuse */
    check_numbers(fix, WRITES);
    assert_int_equal(events(fix, "block.found"), WRITES);
}

/* ---- what people are told was saved ---- */

struct saved {
    struct fix *fix;
    int calls, err;
    int64_t rows; /* in the file, when it was said */
    char message[256];
};

static void on_saved(int err, const char *message, void *arg)
{
    struct saved *saved = arg;
    saved->calls++;
    saved->err = err;
    saved->rows = sql_int(saved->fix, "SELECT count(*) FROM pools");
    snprintf(saved->message, sizeof saved->message, "%s", message);
}

static void put_pool(struct fix *fix, int64_t id)
{
    char name[32];
    snprintf(name, sizeof name, "pool %lld", (long long)id);
    json_t *row = json_pack("{s:I, s:s, s:s, s:i, s:s}", "id", (json_int_t)id, "pool_name", name,
                            "pool_url", "a.org", "pool_port", 3333, "pool_user", "");
    assert_int_equal(store_row_put(fix->store, TABLE_POOLS, row), 0);
    json_decref(row);
}

static void saved_is_said_when_it_is(void **state)
{
    struct fix *fix = *state;
    fix_open(fix);
    for (int i = 1; i <= 20; i++) {
        struct saved saved = {.fix = fix};
        put_pool(fix, i);
        store_when_saved(fix->store, on_saved, &saved);
        assert_int_equal(saved.calls, 0);
        WAIT_FOR(fix, saved.calls == 1);
        assert_int_equal(saved.err, 0);
        assert_int_equal(saved.rows, i);
    }
    struct saved nothing = {.fix = fix}, last = {.fix = fix};
    store_when_saved(fix->store, on_saved, &nothing);
    WAIT_FOR(fix, nothing.calls == 1);
    put_pool(fix, 21);
    store_when_saved(fix->store, on_saved, &last);
    fix_close(fix);
    assert_int_equal(last.calls, 1);
    assert_int_equal(last.err, 0);
    assert_int_equal(last.rows, 21);
}

/* The writer pauses longer each time that it fails; who asks is told at once, and what it was is
 * written when that works again. */
static void not_saved_is_said_and_why(void **state)
{
    struct fix *fix = *state;
    struct saved saved = {.fix = fix}, again = {.fix = fix}, better = {.fix = fix};
    fix_open(fix);
    put_pool(fix, 1);
    flush(fix);
    fault = SYNC;
    put_pool(fix, 2);
    store_when_saved(fix->store, on_saved, &saved);
    WAIT_FOR(fix, saved.calls == 1);
    assert_int_equal(saved.err, SHEP_E_IO);
    assert_non_null(strstr(saved.message, "check the disk"));
    assert_null(strstr(saved.message, "lines"));
    store_when_saved(fix->store, on_saved, &again);
    WAIT_FOR(fix, again.calls == 1);
    assert_int_equal(again.err, SHEP_E_IO);
    fault = NONE;
    WAIT_FOR(fix, !stats_of(fix).degraded);
    store_when_saved(fix->store, on_saved, &better);
    WAIT_FOR(fix, better.calls == 1);
    assert_int_equal(better.err, 0);
    assert_int_equal(better.rows, 2);
    fault = FULL;
    struct saved last = {.fix = fix};
    for (int i = 3; i < 2000; i++)
        put_pool(fix, i);
    store_when_saved(fix->store, on_saved, &last);
    fix_close(fix); /* it was given up: nobody may believe that it was saved */
    assert_int_equal(last.calls, 1);
    assert_int_equal(last.err, SHEP_E_IO);
    fault = NONE;
}

static void sync_errors_reopen_and_recover(void **state)
{
    struct fix *fix = *state;
    struct shep_event alarm = {.size = sizeof alarm, .event = SHEP_EV_BLOCK_FOUND};
    fix_open(fix);
    int64_t a = put_miner(fix, "A");
    flush(fix);
    n_opens = 0;
    fault = SYNC;
    put_numbers(fix, a, 1, 10);
    store_event(fix->store, &alarm);
    WAIT_FOR(fix, stats_of(fix).degraded);
    assert_non_null(strstr(stats_of(fix).problem, "check the disk"));
    fault = NONE;
    WAIT_FOR(fix, !stats_of(fix).degraded);
    assert_true(n_opens > 0); /* what was cached before the failure is not trusted */
    flush(fix);
    check_numbers(fix, 10);
    assert_int_equal(events(fix, "block.found"), 1);
}

static void damage_while_running_is_moved_aside(void **state)
{
    struct fix *fix = *state;
    static const char junk[1024] = "junk";
    char *path = fix_path(fix, "shepherd.db");
    fix_open(fix);
    int64_t a = put_miner(fix, "A");
    put_numbers(fix, a, 1, 100);
    fix_close(fix);
    fix_open(fix);
    put_miner(fix, "B");
    flush(fix);
    /* the root page of miner_logs, behind SQLite's back, and the log in which it may be, too */
    int64_t page = sql_int(fix, "SELECT rootpage FROM sqlite_schema WHERE name = 'miner_logs'");
    WAIT_FOR(fix,
             sql_int(fix, "PRAGMA wal_checkpoint(RESTART)") == 0); /* 1: the writer was at it */
    int fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, junk, sizeof junk, (page - 1) * (off_t)sizeof junk), sizeof junk);
    sql_int(fix, "UPDATE miners SET state = 'x'"); /* so that the writer drops its cache */
    put_numbers(fix, a, 101, 100);
    WAIT_FOR(fix, fix_files(fix, "shepherd.db.corrupt.") == 1);
    flush(fix);
    close(fd);
    assert_false(stats_of(fix).degraded);
    assert_non_null(strstr(stats_of(fix).problem, "damaged"));
    assert_int_equal(sql_int(fix, "SELECT count(*) FROM miner_logs"), 100);
    assert_int_equal(sql_int(fix, "SELECT min(id) FROM miner_logs"), 101); /* ids go on */
    assert_int_equal(sql_int(fix, "SELECT count(*) FROM miners"), 2);
    free(path);
}

/* Deleted or moved away under us: noticed within a minute, said, and a new one is made. What was
 * moved away is whole. */
static void file_that_goes_away_is_noticed(void **state)
{
    struct fix *fix = *state;
    enum { T0 = 1800000, MINUTE = 60000 };
    char *path = fix_path(fix, "shepherd.db"), *away = fix_path(fix, "away.db");
    state_calls = 0;
    clock_set_fake(T0, T0);
    fix_open(fix);
    store_on_state(fix->store, on_state, NULL);
    int64_t a = put_miner(fix, "A");
    put_numbers(fix, a, 1, 50);
    flush(fix);
    put_numbers(fix, a, 51, 50);
    flush(fix); /* the duties of the start are over now: they come before the second batch */
    assert_int_equal(rename(path, away), 0);
    put_numbers(fix, a, 101, 100); /* goes into the old one */
    flush(fix);
    assert_int_equal(state_calls, 0);
    clock_set_fake(T0 + 2 * MINUTE, T0 + 2 * MINUTE);
    put_numbers(fix, a, 201, 100); /* wakes the writer */
    WAIT_FOR(fix, state_calls == 2 && !state_now);
    assert_non_null(strstr(stats_of(fix).problem, "deleted or moved away"));
    assert_non_null(strstr(stats_of(fix).problem, "stop the daemon"));
    put_numbers(fix, a, 301, 100);
    flush(fix);
    assert_false(stats_of(fix).degraded);
    assert_int_equal(sql_int(fix, "SELECT count(*) FROM miners"), 1);
    assert_int_equal(sql_int(fix, "SELECT max(id) FROM miner_logs"), 400);
    assert_int_equal(sql_int_at(away, "PRAGMA integrity_check"), 0); /* "ok" is no number */
    int64_t before = sql_int_at(away, "SELECT count(*) FROM miner_logs");
    int64_t after = sql_int(fix, "SELECT count(*) FROM miner_logs");
    assert_true(before >= 200);
    assert_int_equal(before + after, 400); /* each line is in one of them */
    fix_close(fix);
    clock_set_fake(-1, 0);
    fix_open(fix); /* and it is a database as any other */
    assert_int_equal(sql_int(fix, "SELECT max(id) FROM miner_logs"), 400);
    free(path);
    free(away);
}

static void locked_by_another_waits(void **state)
{
    struct fix *fix = *state;
    char *path = fix_path(fix, "shepherd.db");
    sqlite3 *db;
    fix_open(fix);
    int64_t a = put_miner(fix, "A");
    flush(fix);
    sqlite3_open(path, &db);
    sqlite3_busy_timeout(db, DEADLINE_MS);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    put_numbers(fix, a, 1, 3000);
    WAIT_FOR(fix, stats_of(fix).degraded);
    assert_non_null(strstr(stats_of(fix).problem, "locked"));
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_close(db);
    flush(fix);
    check_numbers(fix, 3000);
    free(path);
}

/* A reader that never ends its transaction keeps the log from restarting; it must not stop us. */
static void sleeping_reader_stops_nothing(void **state)
{
    struct fix *fix = *state;
    char *path = fix_path(fix, "shepherd.db");
    sqlite3 *db;
    fix_open(fix);
    int64_t a = put_miner(fix, "A");
    flush(fix);
    sqlite3_open(path, &db);
    sqlite3_exec(db, "BEGIN; SELECT * FROM miners", NULL, NULL, NULL);
    put_numbers(fix, a, 1, 50000);
    flush(fix);
    assert_false(stats_of(fix).degraded);
    sqlite3_close(db);
    fix_close(fix);
    check_numbers(fix, 50000);
    free(path);
}

/* ---- a real file system of 4 MB ---- */

enum { SKIPPED = 77 };

#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            fprintf(stderr, "line %d: %s\n", __LINE__, #cond);                                     \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)
#define CHECK_SOON(fix, cond)                                                                      \
    do {                                                                                           \
        int64_t until_ = wait_clock_ms() + DEADLINE_MS;                                            \
        while (!(cond) && wait_clock_ms() < until_)                                                \
            loop_run_once((fix)->loop, 10);                                                        \
        CHECK(cond);                                                                               \
    } while (0)

static void fill(const char *path)
{
    static const char zeros[4096];
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    while (write(fd, zeros, sizeof zeros) > 0)
        ;
    close(fd);
}

static void on_small_disk(struct fix *fix)
{
    char *filler = fix_path(fix, "filler"), *ballast = fix_path(fix, ".ballast"), line[200];
    int n = 0;
    fix->conf.queue_bytes = 256 * 1024;
    CHECK(fix_try_open(fix) == 0);
    int64_t a = put_miner(fix, "A");
    CHECK_SOON(fix, access(ballast, F_OK) == 0);
    fill(filler);
    int64_t until = wait_clock_ms() + DEADLINE_MS;
    while (!stats_of(fix).degraded && wait_clock_ms() < until) {
        snprintf(line, sizeof line, "%d %150s", n + 1, "x");
        if (put_line(fix, a, clock_wall_ms(), line) == 0)
            n++;
        else /* as many as the queue takes, so that all fit in the end */
            loop_run_once(fix->loop, 5);
    }
    CHECK(stats_of(fix).degraded);
    CHECK(strstr(stats_of(fix).problem, "is full"));
    CHECK(access(ballast, F_OK) != 0);
    unlink(filler);
    CHECK_SOON(fix, !stats_of(fix).degraded);
    CHECK(store_flush(fix->store, DEADLINE_MS) == 0);
    CHECK(sql_int(fix, "SELECT count(*) FROM miner_logs") == n);
    CHECK(sql_int(fix, "SELECT count(*) FROM miner_logs WHERE id <> CAST(line AS INT)") == 0);
    CHECK(sql_int(fix, "SELECT integrity_check = 'ok' FROM pragma_integrity_check") == 1);
    CHECK_SOON(fix, events(fix, "store.recovered") >= 1);
    fix_close(fix);
    printf("%d lines over a full disk and back\n", n);
    free(filler);
    free(ballast);
}

static void small_disk_child(struct fix *fix)
{
    uid_t uid = getuid();
    if (unshare(uid == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS) != 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", fix->dir, "tmpfs", 0, "size=4m") != 0)
        _exit(SKIPPED);
    fix->loop = loop_new(1);
    on_small_disk(fix);
    loop_free(fix->loop);
    fflush(stdout);
    _exit(0);
}

static void real_disk_of_4_mb(void **state)
{
    struct fix *fix = *state;
    int status;
    pid_t pid = fork();
    if (pid == 0)
        small_disk_child(fix);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED) {
        print_message("skipped: no mount namespace here (needs root or unprivileged user "
                      "namespaces)\n");
        skip();
    }
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(int argc, char **argv)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(real_disk_of_4_mb), /* first: forks before there are threads */
        TEST(full_disk_degrades_and_recovers),
        TEST(who_listens_tells_the_events),
        TEST(full_disk_at_close_ends_in_time),
        TEST(full_queue_takes_whom_to_let_in),
        TEST(every_failed_write_is_made_good),
        TEST(no_line_is_twice_after_a_late_error),
        TEST(commit_that_happened_is_not_repeated),
        TEST(saved_is_said_when_it_is),
        TEST(not_saved_is_said_and_why),
        TEST(sync_errors_reopen_and_recover),
        TEST(damage_while_running_is_moved_aside),
        TEST(file_that_goes_away_is_noticed),
        TEST(locked_by_another_waits),
        TEST(sleeping_reader_stops_nothing),
    };
    cmocka_set_test_filter(argc > 1 ? argv[1] : NULL); /* "one_test" or "a*" */
    return cmocka_run_group_tests(tests, setup_all, NULL);
}
