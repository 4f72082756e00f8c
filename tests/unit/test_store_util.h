/* What the tests of the store share: a directory of their own, a loop, SQL to look with. */
#ifndef TEST_STORE_UTIL_H
#define TEST_STORE_UTIL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "loop/loop.h"
#include "store/store.h"
#include "util/clock.h"
#include "util/log.h"

#include <dirent.h>
#include <sqlite3.h>
#include <time.h>
#include <unistd.h>

enum { DEADLINE_MS = 20000 }; /* for a condition that must come; long, for slow machines */

struct fix {
    char dir[256], err[1200];
    struct loop *loop;
    struct store *store;
    struct store_conf conf;
};

static inline void fix_make(struct fix *fix)
{
    const char *tmp = getenv("TMPDIR");
    *fix = (struct fix){0};
    snprintf(fix->dir, sizeof fix->dir, "%s/shep-store-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(fix->dir));
    fix->loop = loop_new(1);
    fix->conf.data_dir = fix->dir;
    log_set_level(SHEP_LOG_ERROR);
}

static inline int fix_try_open(struct fix *fix)
{
    fix->err[0] = '\0';
    return store_open(&fix->conf, fix->loop, &fix->store, fix->err, sizeof fix->err, NULL);
}

static inline void fix_open(struct fix *fix)
{
    int err = fix_try_open(fix);
    if (err)
        fail_msg("store_open: %d %s", err, fix->err);
}

static inline void fix_close(struct fix *fix)
{
    store_close(fix->store);
    fix->store = NULL;
}

static inline void remove_tree(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *entry;
    while (d && (entry = readdir(d))) {
        if (str_eq(entry->d_name, ".") || str_eq(entry->d_name, ".."))
            continue;
        char *path = path_join_dup(dir, entry->d_name);
        unlink(path);
        free(path);
    }
    if (d)
        closedir(d);
    rmdir(dir);
}

static inline void fix_end(struct fix *fix)
{
    if (fix->store)
        fix_close(fix);
    loop_free(fix->loop);
    remove_tree(fix->dir);
}

static inline char *fix_path(const struct fix *fix, const char *name)
{
    return path_join_dup(fix->dir, name);
}

/* For cmocka: *state is the fix. */
static inline int fix_setup(void **state)
{
    struct fix *fix = *state = shep_alloc(sizeof *fix);
    fix_make(fix);
    return 0;
}

static inline int fix_teardown(void **state)
{
    clock_set_fake(-1, 0);
    fix_end(*state);
    free(*state);
    return 0;
}

/* Counts the files whose name begins so; a database's -wal and -shm belong to it. */
static inline int fix_files(const struct fix *fix, const char *begin)
{
    DIR *d = opendir(fix->dir);
    struct dirent *entry;
    int n = 0;
    while ((entry = readdir(d)))
        n += strncmp(entry->d_name, begin, strlen(begin)) == 0 && !strstr(entry->d_name, "-wal") &&
             !strstr(entry->d_name, "-shm");
    closedir(d);
    return n;
}

/* The first column of the first row as a number; -1: no row. Another connection, as any program. */
static inline int64_t sql_int_at(const char *path, const char *sql)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    int rc = sqlite3_step(stmt);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    int64_t value = rc == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : -1;
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return value;
}

static inline int64_t sql_int(const struct fix *fix, const char *sql)
{
    char *path = fix_path(fix, "shepherd.db");
    int64_t value = sql_int_at(path, sql);
    free(path);
    return value;
}

/* Are the herd's rows just the sums of the miners'? */
static inline bool herd_is_the_sum(const struct fix *fix)
{
#define SUMS                                                                                       \
    "SELECT period_s, t_ms, metric, count(avg), sum(avg) FROM rollups WHERE avg IS NOT NULL"       \
    " GROUP BY period_s, t_ms, metric"
#define KEPT "SELECT period_s, t_ms, metric, n_miners, avg FROM herd_rollups"
    return sql_int(fix, "SELECT count(*) FROM (" SUMS " EXCEPT " KEPT ")") == 0 &&
           sql_int(fix, "SELECT count(*) FROM (" KEPT " EXCEPT " SUMS ")") == 0;
#undef SUMS
#undef KEPT
}

/* The first column of the first row as text; owned. "": no row, or NULL. */
static inline char *sql_text_at(const char *path, const char *sql)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    const char *text =
        sqlite3_step(stmt) == SQLITE_ROW ? (const char *)sqlite3_column_text(stmt, 0) : NULL;
    char *owned = shep_strdup(text ? text : "");
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return owned;
}

#define SQL_TEXT_IS(fix, sql, want)                                                                \
    do {                                                                                           \
        char *path_ = fix_path(fix, "shepherd.db"), *got_ = sql_text_at(path_, sql);               \
        assert_string_equal(got_, want);                                                           \
        free(path_);                                                                               \
        free(got_);                                                                                \
    } while (0)

static inline int64_t wait_clock_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Turn the loop until the condition holds. */
#define WAIT_FOR(fix, cond)                                                                        \
    do {                                                                                           \
        int64_t until_ = wait_clock_ms() + DEADLINE_MS;                                            \
        while (!(cond) && wait_clock_ms() < until_)                                                \
            loop_run_once((fix)->loop, 10);                                                        \
        assert_true(cond);                                                                         \
    } while (0)

static inline int64_t put_miner(struct fix *fix, const char *name)
{
    struct store_miner miner = {.name = name, .source = "serial", .path = "/dev/ttyUSB0"};
    return store_miner_put(fix->store, &miner);
}

static inline void flush(struct fix *fix)
{
    assert_int_equal(store_flush(fix->store, DEADLINE_MS), 0);
}

static inline int put_line(struct fix *fix, int64_t miner, int64_t at_ms, const char *text)
{
    return store_line(fix->store, miner, at_ms, text, strlen(text));
}
#endif
