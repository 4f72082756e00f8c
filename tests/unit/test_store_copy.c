/* Copies, the check of a file before it is taken, and the Python Shepherd's databases. */
#include "test_store_util.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { SKIPPED = 77 };

/* A database of the test's own making; NULL sql ends. */
static void make_db(const char *path, const char *const *sql)
{
    sqlite3 *db = NULL;
    char *err = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    for (; *sql; sql++)
        if (sqlite3_exec(db, *sql, NULL, NULL, &err) != SQLITE_OK)
            fail_msg("%s: %s", *sql, err);
    sqlite3_close(db);
}

/* ---- copies ---- */

struct answer {
    int n, err;
    char text[512];
};

static void on_copy(int err, const char *message, void *arg)
{
    struct answer *answer = arg;
    answer->n++;
    answer->err = err;
    snprintf(answer->text, sizeof answer->text, "%s", message);
}

static void fill(struct fix *fix, int n_lines)
{
    char text[64];
    int64_t ids[3] = {put_miner(fix, "A"), put_miner(fix, "B"), put_miner(fix, "C")};
    for (int i = 0; i < n_lines; i++) {
        snprintf(text, sizeof text, "line %d of a miner that says things", i);
        put_line(fix, ids[i % 3], 60000 + i, text);
    }
    struct store_reading reading = {.name = "hashrate", .at_ms = 1000, .value = 55123};
    store_latest_put(fix->store, ids[0], &reading, 1, 12.5, 900);
    store_kv_put(fix->store, "price", "last", "68000");
    json_t *row =
        json_pack("{s:i,s:i,s:s,s:s}", "id", 1, "at_ms", 5, "who", "admin", "action", "x");
    assert_int_equal(store_row_put(fix->store, TABLE_AUDIT, row), 0);
    json_decref(row);
}

static int check(const char *path)
{
    char err[600];
    int result = store_check_file(path, err, sizeof err);
    assert_true(result == 0 || strstr(err, path));
    return result;
}

static void a_copy_is_whole(void **state)
{
    struct fix *fix = *state;
    struct answer with = {0}, without = {0};
    fix_open(fix);
    char *all = fix_path(fix, "100% a?b#c.db"), *few = fix_path(fix, "few.db");
    fill(fix, 3000);
    store_copy(fix->store, all, true, on_copy, &with); /* sees what was handed over just now */
    WAIT_FOR(fix, with.n == 1);
    assert_string_equal(with.text, "");
    assert_int_equal(with.err, 0);
    store_copy(fix->store, few, false, on_copy, &without);
    WAIT_FOR(fix, without.n == 1);
    assert_int_equal(without.err, 0);
    assert_int_equal(check(all), 0);
    assert_int_equal(check(few), 0);
    struct stat st;
    assert_int_equal(stat(few, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    int64_t few_bytes = st.st_size;
    stat(all, &st);
    assert_true(few_bytes < st.st_size / 2);
    assert_int_equal(sql_int_at(all, "SELECT count(*) FROM miner_logs"), 3000);
    assert_int_equal(sql_int_at(all, "SELECT sum(n) FROM log_index"), 3000);
    assert_int_equal(sql_int_at(all, "SELECT n FROM log_state"), 3000);
    assert_int_equal(sql_int_at(few, "SELECT count(*) FROM miner_logs"), 0);
    assert_int_equal(sql_int_at(few, "SELECT count(*) FROM log_index"), 0);
    assert_int_equal(sql_int_at(few, "SELECT last_id * 10 + n FROM log_state"), 30000);
    const char *const both[] = {all, few};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(sql_int_at(both[i], "SELECT count(*) FROM miners"), 3);
        assert_int_equal(sql_int_at(both[i], "SELECT best_ever * 10 FROM latest"), 125);
        assert_int_equal(sql_int_at(both[i], "SELECT value FROM kv"), 68000);
        assert_int_equal(sql_int_at(both[i], "SELECT count(*) FROM audit"), 1);
        assert_int_equal(sql_int_at(both[i], "SELECT \"KH/s\" * 1000 FROM miner_summary"), 55123);
        assert_int_equal(fix_files(fix, "few.db") + fix_files(fix, "100% a?b#c.db"), 2);
    }
    free(all);
    free(few);
}

/* However much waits to be written: a copy is of all that was handed over before. */
static void a_copy_waits_for_what_was_before(void **state)
{
    struct fix *fix = *state;
    struct answer answer = {0};
    sqlite3 *db = NULL;
    fix_open(fix);
    char *copy = fix_path(fix, "copy.db"), *path = fix_path(fix, "shepherd.db");
    flush(fix);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    fill(fix, 20000); /* ten batches; the first waits for the lock */
    store_copy(fix->store, copy, true, on_copy, &answer);
    int64_t until = wait_clock_ms() + 1300; /* a question would not wait that long */
    while (wait_clock_ms() < until)
        loop_run_once(fix->loop, 10);
    assert_int_equal(answer.n, 0);
    assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    WAIT_FOR(fix, answer.n == 1);
    assert_int_equal(answer.err, 0);
    assert_int_equal(sql_int_at(copy, "SELECT count(*) FROM miner_logs"), 20000);
    free(copy);
    free(path);
}

/* A copy in the place of the old file: ids of lines go on. */
static void a_copy_can_take_the_place(void **state)
{
    struct fix *fix = *state;
    struct answer answer = {0};
    fix_open(fix);
    char *copy = fix_path(fix, "copy.db"), *path = fix_path(fix, "shepherd.db");
    fill(fix, 30);
    store_copy(fix->store, copy, false, on_copy, &answer);
    WAIT_FOR(fix, answer.n == 1);
    fix_close(fix);
    assert_int_equal(rename(copy, path), 0);
    fix_open(fix);
    assert_string_equal(fix->err, "");
    put_line(fix, put_miner(fix, "B"), 70000, "after");
    fix_close(fix);
    assert_int_equal(sql_int(fix, "SELECT id FROM miner_logs"), 31);
    assert_int_equal(sql_int(fix, "SELECT count(*) FROM miners"), 3);
    free(copy);
    free(path);
}

static void a_copy_has_tables_of_people(void **state)
{
    struct fix *fix = *state;
    struct answer answer = {0};
    fix_open(fix);
    flush(fix);
    char *copy = fix_path(fix, "copy.db"), *path = fix_path(fix, "shepherd.db");
    make_db(path, (const char *const[]){"CREATE TABLE \"my \"\"notes\" (a PRIMARY KEY, b)",
                                        "CREATE INDEX i ON \"my \"\"notes\"(b)",
                                        "INSERT INTO \"my \"\"notes\" VALUES (1, 2)",
                                        "CREATE TRIGGER t AFTER INSERT ON events"
                                        " BEGIN DELETE FROM events; END",
                                        NULL});
    store_copy(fix->store, copy, true, on_copy, &answer);
    WAIT_FOR(fix, answer.n == 1);
    assert_string_equal(answer.text, "");
    assert_int_equal(check(copy), 0); /* their trigger does not come along */
    assert_int_equal(sql_int_at(copy, "SELECT b FROM \"my \"\"notes\" INDEXED BY i WHERE b = 2"),
                     2);
    free(copy);
    free(path);
}

static void a_copy_that_fails_leaves_nothing(void **state)
{
    struct fix *fix = *state;
    struct answer answer[4] = {0};
    fix_open(fix);
    char *full = fix_path(fix, "full.db"), *no_dir = fix_path(fix, "none/copy.db");
    char *copy = fix_path(fix, "copy.db");
    FILE *file = fopen(full, "w");
    fputs("something of somebody", file);
    fclose(file);
    store_copy(fix->store, full, false, on_copy, &answer[0]);
    WAIT_FOR(fix, answer[0].n == 1);
    assert_int_equal(answer[0].err, SHEP_E_IO);
    assert_non_null(strstr(answer[0].text, "is there already"));
    assert_int_equal(access(full, F_OK), 0); /* nor is it deleted */
    store_copy(fix->store, no_dir, false, on_copy, &answer[1]);
    store_copy(fix->store, copy, false, on_copy, &answer[2]); /* one at a time */
    assert_int_equal(answer[2].n, 0);                         /* never from within */
    WAIT_FOR(fix, answer[1].n == 1 && answer[2].n == 1);
    assert_int_equal(answer[1].err, SHEP_E_IO);
    assert_int_equal(answer[2].err, SHEP_E_BUSY);
    store_copy(fix->store, copy, false, on_copy, &answer[3]);
    WAIT_FOR(fix, answer[3].n == 1);
    assert_int_equal(answer[3].err, 0);
    free(full);
    free(no_dir);
    free(copy);
}

/* The end comes while it copies: it is answered, the half of it is deleted, and closing is quick.
 */
static void a_copy_ends_with_the_store(void **state)
{
    struct fix *fix = *state;
    struct answer answer = {0};
    fix->conf.queue_bytes = 256 << 20;
    fix_open(fix);
    char *copy = fix_path(fix, "copy.db");
    fill(fix, 400000);
    flush(fix);
    store_copy(fix->store, copy, true, on_copy, &answer);
    struct stat st = {0};
    WAIT_FOR(fix, stat(copy, &st) == 0 && st.st_size > 0);
    int64_t begun = wait_clock_ms();
    fix_close(fix);
    assert_true(wait_clock_ms() - begun < 5000);
    assert_int_equal(answer.n, 1);
    assert_int_equal(answer.err, SHEP_E_GONE);
    assert_int_not_equal(access(copy, F_OK), 0);
    assert_int_equal(sql_int(fix, "SELECT count(*) FROM miner_logs"), 400000);
    free(copy);
}

/* Lines and rows go on being committed while it copies. */
static void a_copy_does_not_hold_the_writer(void **state)
{
    struct fix *fix = *state;
    struct answer answer = {0};
    fix->conf.queue_bytes = 256 << 20;
    fix_open(fix);
    char *copy = fix_path(fix, "copy.db");
    fill(fix, 200000);
    flush(fix);
    store_copy(fix->store, copy, true, on_copy, &answer);
    struct stat st = {0};
    WAIT_FOR(fix, stat(copy, &st) == 0 && st.st_size > 0);
    int n_during = 0; /* the answer needs the loop, and flush() does not turn it */
    while (access(copy, F_OK) == 0 && n_during < 5) {
        put_line(fix, 1, 1, "meanwhile");
        flush(fix);
        n_during++;
    }
    WAIT_FOR(fix, answer.n == 1);
    assert_int_equal(answer.err, 0);
    assert_int_equal(check(copy), 0);
    assert_int_equal(sql_int_at(copy, "SELECT n FROM log_state"),
                     sql_int_at(copy, "SELECT count(*) FROM miner_logs WHERE id <= (SELECT last_id"
                                      " FROM log_state)")); /* the rest is not in the index yet */
    assert_int_equal(sql_int(fix, "SELECT count(*) FROM miner_logs"), 200000 + n_during);
    free(copy);
}

/* A true disk of 16 MB that has 8 MB kept for others: said, and nothing is left. In a child, for
 * the mount is its own. */
static int copy_to_small_disk(struct fix *fix)
{
    struct answer answer = {0};
    char *dir = fix_path(fix, "small"), *copy = path_join_dup(dir, "copy.db");
    if (unshare(getuid() == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS) != 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 || mkdir(dir, 0700) != 0 ||
        mount("tmpfs", dir, "tmpfs", 0, "size=16m") != 0)
        return SKIPPED;
    fix->loop = loop_new(1);
    fix->conf.queue_bytes = 256 << 20;
    if (fix_try_open(fix) != 0)
        return 1;
    fill(fix, 400000);
    store_copy(fix->store, copy, true, on_copy, &answer);
    WAIT_FOR(fix, answer.n == 1);
    if (answer.err != SHEP_E_IO || !strstr(answer.text, "no room") || access(copy, F_OK) == 0)
        return 2;
    answer.n = 0;
    store_copy(fix->store, copy, false, on_copy, &answer);
    WAIT_FOR(fix, answer.n == 1);
    int result = answer.err == 0 && access(copy, F_OK) == 0 ? 0 : 3;
    fix_close(fix);
    return result;
}

static void a_full_disk_gets_no_copy(void **state)
{
    struct fix *fix = *state;
    int status = 0;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        _exit(copy_to_small_disk(fix));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    char *dir = fix_path(fix, "small");
    rmdir(dir);
    free(dir);
    if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED) {
        print_message("skipped: no mount namespace here (needs root or unprivileged user "
                      "namespaces)\n");
        skip();
    }
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- the check ---- */

static void other_files_are_not_taken(void **state)
{
    struct fix *fix = *state;
    char *path = fix_path(fix, "x.db"), err[600];
    assert_int_equal(check(path), SHEP_E_IO);
    FILE *file = fopen(path, "w");
    assert_int_equal(check(path), SHEP_E_FORMAT); /* empty */
    for (int i = 0; i < 4096; i++)
        fputs("garbage ", file);
    fclose(file);
    assert_int_equal(check(path), SHEP_E_FORMAT);
    unlink(path);
    make_db(path, (const char *const[]){"CREATE TABLE miners(id, miner_id)", NULL});
    assert_int_equal(check(path), SHEP_E_FORMAT);
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0); /* would block whoever opens it */
    assert_int_equal(check(path), SHEP_E_FORMAT);
    assert_int_equal(store_check_file(fix->dir, err, sizeof err), SHEP_E_FORMAT);
    free(path);
}

/* A database of ours to spoil. */
static char *fresh(struct fix *fix)
{
    char *path = fix_path(fix, "shepherd.db");
    unlink(path);
    fix_open(fix);
    fill(fix, 2000);
    fix_close(fix);
    assert_int_equal(check(path), 0);
    return path;
}

static void a_changed_schema_is_not_taken(void **state)
{
    static const struct {
        const char *sql;
        int result;
        const char *says;
    } changes[] = {
        {"PRAGMA user_version=99", SHEP_E_UNSUPPORTED, "install the newer program"},
        {"PRAGMA user_version=0", SHEP_E_FORMAT, "no database of the Shepherd"},
        {"PRAGMA application_id=5", SHEP_E_FORMAT, "no database of the Shepherd"},
        {"DROP TABLE kv", SHEP_E_FORMAT, "table kv"},
        {"ALTER TABLE users DROP COLUMN role", SHEP_E_FORMAT, "table users"},
        {"ALTER TABLE pools ADD COLUMN x TEXT", SHEP_E_FORMAT, "table pools"},
        {"DROP TRIGGER audit_is_not_deleted", SHEP_E_FORMAT, "audit_is_not_deleted"},
        {"CREATE TRIGGER t AFTER INSERT ON expected BEGIN UPDATE expected SET address = 'bc1evil';"
         " END",
         SHEP_E_FORMAT, "trigger t"},
        {"CREATE VIEW v AS SELECT 1", SHEP_E_FORMAT, "view v"},
        {"DROP VIEW miner_summary; CREATE VIEW miner_summary AS SELECT 1", SHEP_E_FORMAT,
         "miner_summary"},
        {"CREATE TABLE mine(a)", 0, ""},
    };
    struct fix *fix = *state;
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        char *path = fresh(fix), err[600] = "";
        make_db(path, (const char *const[]){changes[i].sql, NULL});
        int result = store_check_file(path, err, sizeof err);
        if (result != changes[i].result || !strstr(err, changes[i].says))
            fail_msg("%s: %d %s", changes[i].sql, result, err);
        free(path);
    }
}

/* Of an older schema, too: the daemon will bring it up to date. */
static void an_older_file_is_taken(void **state)
{
    struct fix *fix = *state;
    char *path = fresh(fix);
    make_db(path, (const char *const[]){"DROP TABLE herd_rollups", "PRAGMA user_version=4", NULL});
    assert_int_equal(check(path), 0);
    free(path);
}

static void a_damaged_file_is_not_taken(void **state)
{
    struct fix *fix = *state;
    char *path = fresh(fix);
    struct stat st;
    stat(path, &st);
    int fd = open(path, O_RDWR);
    for (off_t at = 4096; at < st.st_size; at += 1024)
        assert_int_equal(pwrite(fd, "\xff\xff\xff\xff", 4, at), 4);
    close(fd);
    assert_int_equal(check(path), SHEP_E_FORMAT);
    free(path);
    path = fresh(fix);
    stat(path, &st);
    assert_int_equal(truncate(path, st.st_size / 2), 0);
    assert_int_equal(check(path), SHEP_E_FORMAT);
    free(path);
}

int main(int argc, char **argv)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fix_setup, fix_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_copy_is_whole),
        TEST(a_copy_waits_for_what_was_before),
        TEST(a_copy_can_take_the_place),
        TEST(a_copy_has_tables_of_people),
        TEST(a_copy_that_fails_leaves_nothing),
        TEST(a_copy_ends_with_the_store),
        TEST(a_copy_does_not_hold_the_writer),
        TEST(a_full_disk_gets_no_copy),
        TEST(other_files_are_not_taken),
        TEST(a_changed_schema_is_not_taken),
        TEST(an_older_file_is_taken),
        TEST(a_damaged_file_is_not_taken),
    };
    cmocka_set_test_filter(argc > 1 ? argv[1] : NULL); /* "one_test" or "a*" */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
