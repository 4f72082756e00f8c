/* The reader: what SQL of people may do, and what is refused or stopped. */
#include "test_store_util.h"

#include <sys/stat.h>

struct state {
    struct fix fix;
    struct reader *reader;
};

static int setup(void **state)
{
    struct state *s = shep_alloc(sizeof *s);
    fix_make(&s->fix);
    fix_open(&s->fix);
    int64_t a = put_miner(&s->fix, "BARN-01");
    char line[32];
    for (int i = 1; i <= 20000; i++) {
        snprintf(line, sizeof line, "line %d", i);
        put_line(&s->fix, a, i, line);
    }
    store_kv_put(s->fix.store, "core", "password", "hash");
    flush(&s->fix);
    sql_int(&s->fix, "INSERT INTO pools(pool_name, pool_url, pool_port, pool_user, pool_pass)"
                     " VALUES ('p', 'u', 1, 'w', 'geheim')");
    s->reader = reader_open(store_db_path(s->fix.store));
    assert_non_null(s->reader);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct state *s = *state;
    reader_close(s->reader);
    reader_limit_memory(0);
    fix_end(&s->fix);
    free(s);
    return 0;
}

struct rows {
    uint32_t n, stop_after;
    char text[256];
};

static bool on_row(const struct reader_value *c, const char *const *names, size_t n, void *arg)
{
    struct rows *rows = arg;
    rows->n++;
    rows->text[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(rows->text);
        char *to = rows->text + len;
        size_t cap = sizeof rows->text - len;
        if (c[i].type == READER_INT)
            snprintf(to, cap, "%s=%lld;", names[i], (long long)c[i].i);
        else if (c[i].type == READER_REAL)
            snprintf(to, cap, "%s=%g;", names[i], c[i].r);
        else if (c[i].type == READER_TEXT)
            snprintf(to, cap, "%s='%.*s';", names[i], (int)(c[i].len < 60 ? c[i].len : 60),
                     c[i].text);
        else
            snprintf(to, cap, "%s=NULL;", names[i]);
    }
    return rows->n != rows->stop_after;
}

static char err[300];

static int query(struct state *s, const char *sql, struct rows *rows)
{
    static struct rows ignored;
    return reader_query(s->reader, sql, NULL, 0, NULL, on_row, rows ? rows : &ignored, err,
                        sizeof err);
}

static void selects_work(void **state)
{
    struct state *s = *state;
    struct rows rows = {0};
    assert_int_equal(query(s, "SELECT id, miner_id, 1.5 AS r, NULL AS x FROM miners", &rows), 0);
    assert_string_equal(rows.text, "id=1;miner_id='BARN-01';r=1.5;x=NULL;");
    struct reader_value params[] = {{.type = READER_INT, .i = 19999},
                                    {.type = READER_TEXT, .text = "line%", .len = 5},
                                    {.type = READER_REAL, .r = 0.5},
                                    {.type = READER_NULL}};
    rows = (struct rows){0};
    assert_int_equal(reader_query(s->reader,
                                  "SELECT line FROM miner_logs WHERE id > ? AND line LIKE ?"
                                  " AND 1 > ? AND ? IS NULL",
                                  params, 4, NULL, on_row, &rows, err, sizeof err),
                     0);
    assert_int_equal(rows.n, 1);
    assert_string_equal(rows.text, "line='line 20000';");
    assert_int_equal(query(s, "SELECT * FROM miner_summary", NULL), 0);
    assert_int_equal(query(s, "SELECT value FROM json_each('[1,2]');  ", NULL), 0);
    assert_int_equal(query(s, "SELECT name FROM sqlite_master", NULL), 0);
    assert_int_equal(query(s,
                           "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE"
                           " i < 10) SELECT sum(i) AS s FROM c",
                           &rows),
                     0);
    assert_string_equal(rows.text, "s=55;");
}

/* A join with the log is answered by its ids, not by an index of all of it made on the spot. */
static void log_is_not_indexed_for_a_join(void **state)
{
    struct rows rows = {0};
    assert_int_equal(query(*state,
                           "EXPLAIN QUERY PLAN SELECT l.line FROM log_index i JOIN miner_logs l"
                           " ON l.id BETWEEN i.first_id AND i.last_id AND l.miner_id = i.miner_id"
                           " WHERE i.minute BETWEEN 1 AND 2 AND i.miner_id = 1",
                           &rows),
                     0);
    assert_non_null(strstr(rows.text, "SEARCH l USING INTEGER PRIMARY KEY"));
}

static void rows_end_when_told(void **state)
{
    struct rows rows = {.stop_after = 7};
    assert_int_equal(query(*state, "SELECT * FROM miner_logs", &rows), 0);
    assert_int_equal(rows.n, 7);
}

static void secrets_stay_hidden(void **state)
{
    struct rows rows = {0};
    assert_int_equal(query(*state, "SELECT value FROM kv", NULL), SHEP_E_FORMAT);
    assert_int_equal(query(*state, "SELECT count(*) FROM kv", NULL), SHEP_E_FORMAT);
    assert_int_equal(query(*state, "SELECT (SELECT value FROM main.kv)", NULL), SHEP_E_FORMAT);
    assert_int_equal(query(*state, "SELECT * FROM KV", NULL), SHEP_E_FORMAT);
    assert_int_equal(query(*state, "SELECT data FROM sqlite_dbpage", NULL), SHEP_E_FORMAT);
    assert_int_equal(query(*state, "SELECT pool_name, pool_pass FROM pools", &rows), 0);
    assert_string_equal(rows.text, "pool_name='p';pool_pass=NULL;");
}

/* Whatever way it is asked: also through a view that somebody made. */
static void passwords_and_keys_are_for_nobody(void **state)
{
    static const char *const tables[] = {"users", "sessions", "tokens",     "settings",
                                         "kv",    "Users",    "main.users", "audit"};
    struct state *s = *state;
    char sql[160];
    sql_int(&s->fix, "CREATE VIEW mine AS SELECT password_hash FROM users");
    sql_int(&s->fix, "CREATE VIEW log AS SELECT who FROM audit");
    for (int admin = 0; admin < 2; admin++) {
        reader_admin(s->reader, admin);
        for (size_t i = 0; i < ARRAY_LEN(tables) - (admin ? 1 : 0); i++) {
            static const char *const ways[][2] = {
                {"SELECT * FROM ", ""},
                {"SELECT count(*) FROM ", ""},
                {"SELECT (SELECT id FROM ", ")"},
                {"SELECT 1 FROM miners m JOIN ", " x ON x.rowid = m.id"},
                {"WITH w AS (SELECT rowid FROM ", ") SELECT * FROM w"}};
            for (size_t k = 0; k < ARRAY_LEN(ways); k++) {
                snprintf(sql, sizeof sql, "%s%s%s", ways[k][0], tables[i], ways[k][1]);
                if (query(s, sql, NULL) != SHEP_E_FORMAT)
                    fail_msg("%s", sql);
            }
        }
        assert_int_equal(query(s, "SELECT * FROM mine", NULL), SHEP_E_FORMAT);
    }
    assert_int_equal(query(s, "SELECT * FROM expected", NULL), 0);
}

static void the_audit_is_for_admins(void **state)
{
    struct state *s = *state;
    struct rows rows = {0};
    static const char sql[] = "SELECT who, action FROM audit";
    sql_int(&s->fix, "INSERT INTO audit(at_ms, who, action) VALUES (1, 'admin', 'login')");
    assert_int_equal(query(s, sql, NULL), SHEP_E_FORMAT);
    reader_admin(s->reader, true);
    assert_int_equal(query(s, sql, &rows), 0);
    assert_string_equal(rows.text, "who='admin';action='login';");
    reader_admin(s->reader, false); /* the next page is somebody else's */
    assert_int_equal(query(s, sql, NULL), SHEP_E_FORMAT);
}

static void all_else_is_refused(void **state)
{
    struct state *s = *state;
    static const char *const refused[] = {
        "ATTACH '/tmp/x.db' AS x",
        "DETACH main",
        "PRAGMA query_only=0",
        "PRAGMA user_version",
        "SELECT * FROM pragma_table_info('kv')",
        "INSERT INTO miners(miner_id, created_at_ms) VALUES ('x', 1)",
        "UPDATE miners SET miner_id = 'x'",
        "UPDATE sqlite_master SET sql = ''",
        "UPDATE sqlite_master SET sql = '' WHERE 0 RETURNING 1",
        "DELETE FROM miner_logs",
        "DROP TABLE miners",
        "CREATE TABLE x(a)",
        "CREATE TEMP TABLE x(a)",
        "CREATE TEMP VIEW x AS SELECT 1",
        "VACUUM",
        "VACUUM INTO '/tmp/x.db'",
        "BEGIN",
        "BEGIN IMMEDIATE",
        "COMMIT",
        "SAVEPOINT x",
        "REINDEX",
        "ANALYZE",
        "SELECT load_extension('x')",
        "SELECT 1; SELECT 2",
        "SELECT 1; DELETE FROM miner_logs",
        "",
        "-- nothing",
        "SELEC 1",
        "SELECT ?", /* no value for it */
        "EXPLAIN INSERT INTO miners(miner_id, created_at_ms) VALUES ('x', 1)",
    };
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        int rc = query(s, refused[i], NULL);
        if (rc != SHEP_E_FORMAT)
            fail_msg("%s: %d %s", refused[i], rc, err);
        assert_true(err[0] != '\0');
    }
    assert_int_equal(sql_int(&s->fix, "SELECT count(*) FROM miner_logs"), 20000);
    assert_int_not_equal(access("/tmp/x.db", F_OK), 0);
}

/* Each would run for hours or take all memory. */
static void bombs_are_stopped(void **state)
{
    struct state *s = *state;
    static const char *const bombs[] = {
        "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c) SELECT count(*) FROM c",
        "SELECT count(*) FROM miner_logs a, miner_logs b, miner_logs c",
        "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c)"
        " SELECT group_concat(i, 'xxxxxxxxxxxxxxxxxxxxxxxxx') FROM c",
        "SELECT group_concat(line, line) FROM (SELECT a.line FROM miner_logs a, miner_logs b)",
        "SELECT length(hex(zeroblob(900000)))",
        "SELECT zeroblob(2000000000)",
        "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c)"
        " SELECT i FROM c ORDER BY random() LIMIT 1",
    };
    for (size_t i = 0; i < ARRAY_LEN(bombs); i++) {
        struct reader_limits limits = {.deadline_mono_ms = clock_mono_ms() + 300};
        struct rows rows = {0};
        int64_t begun = wait_clock_ms();
        reader_limit_memory(32 * 1024 * 1024);
        int rc =
            reader_query(s->reader, bombs[i], NULL, 0, &limits, on_row, &rows, err, sizeof err);
        reader_limit_memory(0);
        if (rc != SHEP_E_LIMIT && rc != SHEP_E_FORMAT)
            fail_msg("%s: %d %s", bombs[i], rc, err);
        assert_true(wait_clock_ms() - begun < 10000);    /* seconds, not hours */
        assert_int_equal(query(s, "SELECT 1", NULL), 0); /* and it works on */
    }
}

static void too_many_rows_are_an_error(void **state)
{
    struct state *s = *state;
    struct rows rows = {0};
    assert_int_equal(query(s, "SELECT id FROM miner_logs", &rows), SHEP_E_LIMIT);
    assert_int_equal(rows.n, 10000);
    assert_non_null(strstr(err, "LIMIT"));
    struct reader_limits limits = {.max_rows = 5};
    rows.n = 0;
    assert_int_equal(reader_query(s->reader, "SELECT id FROM miner_logs LIMIT 5", NULL, 0, &limits,
                                  on_row, &rows, err, sizeof err),
                     0);
}

/* After each query, also a stopped one, the writer's log can be taken up and started anew. */
static void nothing_is_held(void **state)
{
    struct state *s = *state;
    struct rows rows = {.stop_after = 1};
    query(s, "SELECT * FROM miner_logs", &rows);
    query(s, "SELECT id FROM miner_logs", NULL);
    put_line(&s->fix, 1, 1, "x");
    flush(&s->fix);
    WAIT_FOR(&s->fix, sql_int(&s->fix, "PRAGMA wal_checkpoint(TRUNCATE)") == 0);
    char *wal = fix_path(&s->fix, "shepherd.db-wal");
    struct stat st;
    assert_int_equal(stat(wal, &st), 0);
    assert_int_equal(st.st_size, 0);
    free(wal);
}

static void new_lines_are_seen(void **state)
{
    struct state *s = *state;
    struct rows rows = {0};
    put_line(&s->fix, 1, 1, "newest");
    flush(&s->fix);
    assert_int_equal(query(s, "SELECT line FROM miner_logs ORDER BY id DESC LIMIT 1", &rows), 0);
    assert_string_equal(rows.text, "line='newest';");
}

static void replaced_database_is_noticed(void **state)
{
    struct state *s = *state;
    fix_close(&s->fix);
    assert_int_equal(query(s, "SELECT 1 FROM miners", NULL), 0); /* stopped is not gone */
    char *path = fix_path(&s->fix, "shepherd.db"), *moved = fix_path(&s->fix, "moved");
    assert_int_equal(rename(path, moved), 0);
    assert_int_equal(query(s, "SELECT 1 FROM miners", NULL), SHEP_E_GONE);
    assert_null(reader_open(path));
    fix_open(&s->fix);
    assert_int_equal(query(s, "SELECT 1 FROM miners", NULL), SHEP_E_GONE);
    free(path);
    free(moved);
}

static void missing_or_foreign_files_are_refused(void **state)
{
    struct state *s = *state;
    char *path = fix_path(&s->fix, "none.db");
    assert_null(reader_open(path));
    FILE *f = fopen(path, "we");
    fputs("this is not a database, but long enough to be looked at by SQLite as if it were one", f);
    fclose(f);
    assert_null(reader_open(path));
    free(path);
}

int main(int argc, char **argv)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(selects_work),
        TEST(log_is_not_indexed_for_a_join),
        TEST(rows_end_when_told),
        TEST(secrets_stay_hidden),
        TEST(passwords_and_keys_are_for_nobody),
        TEST(the_audit_is_for_admins),
        TEST(all_else_is_refused),
        TEST(bombs_are_stopped),
        TEST(too_many_rows_are_an_error),
        TEST(nothing_is_held),
        TEST(new_lines_are_seen),
        TEST(replaced_database_is_noticed),
        TEST(missing_or_foreign_files_are_refused),
    };
    cmocka_set_test_filter(argc > 1 ? argv[1] : NULL); /* "one_test" or "a*" */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
