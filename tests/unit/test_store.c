/* The store when all is well: what goes in comes out, in order, once, also after reopening. */
#include "test_store_util.h"

#include <fcntl.h>
#include <math.h>
#include <sys/stat.h>

/* ---- lines ---- */

static void lines_keep_order_and_none_is_twice(void **state)
{
    enum { MINERS = 7, LINES = 200000 };
    struct fix *fix = *state;
    int64_t ids[MINERS];
    char text[64];
    fix->conf.queue_bytes = 64 * 1024 * 1024;
    fix_open(fix);
    for (int m = 0; m < MINERS; m++) {
        snprintf(text, sizeof text, "M%d", m);
        ids[m] = put_miner(fix, text);
    }
    int64_t begun = wait_clock_ms();
    for (int i = 0; i < LINES; i++) {
        snprintf(text, sizeof text, "%d", i / MINERS);
        assert_int_equal(put_line(fix, ids[i % MINERS], 1000 + i, text), 0);
    }
    flush(fix);
    print_message("%d lines in %lld ms\n", LINES, (long long)(wait_clock_ms() - begun));
    assert_int_equal(sql_int(fix, "SELECT count(*) FROM miner_logs"), LINES);
    /* each miner's numbers rise by one with its ids */
    assert_int_equal(sql_int(fix,
                             "SELECT count(*) FROM (SELECT CAST(line AS INTEGER) - row_number()"
                             " OVER (PARTITION BY miner_id ORDER BY id) AS d FROM miner_logs)"
                             " WHERE d <> -1"),
                     0);
    assert_int_equal(sql_int(fix, "SELECT max(id) - min(id) + 1 FROM miner_logs"), LINES);
    struct store_stats stats;
    store_stats_get(fix->store, &stats);
    assert_int_equal(stats.lines, LINES);
    assert_int_equal(stats.queue_bytes, 0);
    assert_true(stats.commits >= LINES / 2000);
    fix_close(fix);
    /* the index covers every line, exactly */
    assert_int_equal(sql_int(fix, "SELECT sum(n) FROM log_index"), LINES);
    assert_int_equal(sql_int(fix, "SELECT sum(bytes) FROM log_index"),
                     sql_int(fix, "SELECT sum(length(line)) FROM miner_logs"));
    assert_int_equal(sql_int(fix,
                             "SELECT count(*) FROM miner_logs l WHERE NOT EXISTS (SELECT 1 FROM"
                             " log_index i WHERE i.minute = l.at_ms / 60000 AND i.miner_id ="
                             " l.miner_id AND l.id BETWEEN i.first_id AND i.last_id)"),
                     0);
    assert_int_equal(sql_int(fix, "SELECT bytes FROM log_state"),
                     sql_int(fix, "SELECT sum(length(line)) FROM miner_logs"));
}

static void lines_show_within_two_seconds(void **state)
{
    struct fix *fix = *state;
    fix_open(fix);
    int64_t id = put_miner(fix, "A");
    put_line(fix, id, 1, "hello");
    WAIT_FOR(fix, sql_int(fix, "SELECT count(*) FROM miner_logs") == 1);
}

static void reopening_goes_on_with_the_ids(void **state)
{
    struct fix *fix = *state;
    fix_open(fix);
    int64_t a = put_miner(fix, "A"), b = put_miner(fix, "B");
    assert_true(a > 0 && b > a);
    put_line(fix, b, 60000, "one");
    fix_close(fix);
    fix_open(fix);
    assert_int_equal(put_miner(fix, "B"), b);
    assert_true(put_miner(fix, "C") > b);
    put_line(fix, b, 61000, "two");
    fix_close(fix);
    assert_int_equal(sql_int(fix, "SELECT count(*) FROM miner_logs"), 2);
    assert_int_equal(sql_int(fix, "SELECT line = 'two' FROM miner_logs ORDER BY id DESC LIMIT 1"),
                     1);
    /* one row for the minute, made of both runs */
    assert_int_equal(sql_int(fix, "SELECT n FROM log_index WHERE minute = 1"), 2);
    assert_int_equal(sql_int(fix, "SELECT count(*) FROM log_index"), 1);
    assert_int_equal(sql_int(fix, "SELECT count(*) FROM miners"), 3);
}

/* After retention took every line but one the ids must not begin again. */
static void ids_never_come_again(void **state)
{
    struct fix *fix = *state;
    fix_open(fix);
    int64_t a = put_miner(fix, "A");
    for (int i = 0; i < 10; i++)
        put_line(fix, a, 1, "x");
    fix_close(fix);
    sql_int(fix, "DELETE FROM miner_logs");
    fix_open(fix);
    put_line(fix, a, 1, "y");
    fix_close(fix);
    assert_int_equal(sql_int(fix, "SELECT max(id) FROM miner_logs"), 11);
}

static void line_of_no_miner_is_refused(void **state)
{
    struct fix *fix = *state;
    fix_open(fix);
    assert_int_equal(put_line(fix, 0, 1, "x"), SHEP_E_BUG);
    assert_int_equal(put_line(fix, 77, 1, "x"), SHEP_E_BUG);
}

/* Closing at once after opening, when the writer has only begun: once it looked at the queue, found
 * nothing, and then took the closing for the end. */
static void nothing_is_lost_between_open_and_close(void **state)
{
    enum { TIMES = 300 };
    struct fix *fix = *state;
    for (int i = 1; i <= TIMES; i++) {
        fix_open(fix);
        int64_t a = put_miner(fix, "A");
        if (i % 3 == 0)
            usleep((useconds_t)(i % 7) * 100); /* not for luck: to hit other moments */
        put_line(fix, a, clock_wall_ms(), "x");
        fix_close(fix);
    }
    assert_int_equal(sql_int(fix, "SELECT count(*) FROM miner_logs"), TIMES);
}

/* ---- events ---- */

static void put_event(struct fix *fix, uint32_t id, int64_t miner, const char *text)
{
    struct shep_event event = {.size = sizeof event,
                               .event = id,
                               .at_ms = 5,
                               .miner_id = miner,
                               .value = 1.5,
                               .text = text,
                               .text_len = strlen(text)};
    store_event(fix->store, &event);
}

static bool told_lines, told_events;
static void on_commit(bool lines, bool events, void *arg)
{
    told_lines |= lines;
    told_events |= events;
}

static void events_are_kept_by_the_table(void **state)
{
    struct fix *fix = *state;
    told_lines = told_events = false;
    fix_open(fix);
    store_on_commit(fix->store, on_commit, NULL);
    int64_t a = put_miner(fix, "A");
    put_event(fix, SHEP_EV_SHARE_ACCEPTED, a, "not kept");
    put_event(fix, SHEP_EV_RESET, a, "POWERON_RESET");
    put_event(fix, SHEP_EV_STATUS, a, "online > silent");
    put_event(fix, SHEP_EV_DAEMON_START, 0, "0.1.0");
    flush(fix);
    WAIT_FOR(fix, told_events);
    assert_false(told_lines);
    put_line(fix, a, 1, "x");
    WAIT_FOR(fix, told_lines);
    assert_int_equal(sql_int(fix, "SELECT count(*) FROM events"), 3);
    assert_int_equal(sql_int(fix, "SELECT miner_id IS NULL FROM events WHERE event='daemon.start'"),
                     1);
    assert_int_equal(sql_int(fix,
                             "SELECT text='POWERON_RESET' AND value=1.5 AND at_ms=5 FROM events"
                             " WHERE event='miner.reset'"),
                     1);
    assert_int_equal(sql_int(fix, "SELECT status='silent' FROM miners"), 1);
}

static void alarms_are_committed_at_once(void **state)
{
    struct fix *fix = *state;
    fix_open(fix);
    flush(fix);
    int64_t a = put_miner(fix, "A");
    flush(fix);
    struct store_stats before, after;
    store_stats_get(fix->store, &before);
    put_event(fix, SHEP_EV_BLOCK_FOUND, a, "block");
    put_line(fix, a, 1, "comes too late for its commit");
    flush(fix);
    store_stats_get(fix->store, &after);
    assert_int_equal(after.commits - before.commits, 2);
    put_event(fix, SHEP_EV_RESET, a, "plain"); /* waits for others */
    put_line(fix, a, 1, "goes along");
    flush(fix);
    store_stats_get(fix->store, &before);
    assert_int_equal(before.commits - after.commits, 1);
}

/* ---- start-up reads ---- */

struct seen {
    int n;
    char text[512];
};

static void on_miner(const struct store_miner *m, void *arg)
{
    struct seen *seen = arg;
    seen->n++;
    snprintf(seen->text, sizeof seen->text, "%s|%s|%s|%s|%s|%s|%d|%s|%s", m->name,
             m->location ? m->location : "-", m->source, m->path, m->parser ? m->parser : "-",
             m->options_json, m->origin, m->group ? m->group : "-", m->tags ? m->tags : "-");
}

static void miners_come_back(void **state)
{
    struct fix *fix = *state;
    struct seen seen = {0};
    fix_open(fix);
    struct store_miner miner = {.name = "BARN-01",
                                .location = "shelf 2",
                                .source = "serial",
                                .path = "/dev/a",
                                .parser = "auto",
                                .options_json = "{\"baud\":115200}",
                                .origin = 1};
    int64_t id = store_miner_put(fix->store, &miner);
    miner.location = "shelf 3";
    miner.group = "barn";
    miner.tags = "loud,old";
    assert_int_equal(store_miner_put(fix->store, &miner), id);
    assert_int_equal(store_miners_each(fix->store, on_miner, &seen), 0); /* sees what is queued */
    assert_int_equal(seen.n, 1);
    assert_string_equal(seen.text,
                        "BARN-01|shelf 3|serial|/dev/a|auto|{\"baud\":115200}|1|barn|loud,old");
    store_miner_remove(fix->store, id);
    fix_close(fix);
    fix_open(fix);
    seen.n = 0;
    store_miners_each(fix->store, on_miner, &seen);
    assert_int_equal(seen.n, 0);
    assert_int_equal(store_miner_put(fix->store, &miner), id);
    store_miners_each(fix->store, on_miner, &seen);
    assert_int_equal(seen.n, 1);
}

/* A file of the first release: its miners stay, and have no group yet. */
static void older_database_is_brought_up_to_date(void **state)
{
    struct fix *fix = *state;
    struct seen seen = {0};
    fix_open(fix);
    struct store_miner miner = {.name = "BARN-01",
                                .source = "serial",
                                .path = "/dev/a",
                                .options_json = "{}",
                                .group = "barn",
                                .tags = "loud"};
    int64_t id = store_miner_put(fix->store, &miner);
    fix_close(fix);
    static const char *const undo[] = {
        "DROP TABLE herd_rollups",
        "DROP TABLE chores",
        "DROP TABLE settings",
        "DROP TABLE audit",
        "DROP TABLE tokens",
        "DROP TABLE sessions",
        "DROP TABLE users",
        "DROP TABLE expected",
        "DROP VIEW unconfigured_devices",
        "CREATE VIEW unconfigured_devices AS SELECT id FROM devices",
        "ALTER TABLE devices DROP COLUMN ignored",
        "ALTER TABLE devices DROP COLUMN mac",
        "ALTER TABLE miners DROP COLUMN notes",
        "ALTER TABLE miners DROP COLUMN tags",
        "ALTER TABLE miners DROP COLUMN group_name",
    };
    for (size_t i = 0; i < ARRAY_LEN(undo); i++)
        sql_int(fix, undo[i]);
    sql_int(fix, "PRAGMA user_version=1");
    fix_open(fix);
    assert_int_equal(store_miners_each(fix->store, on_miner, &seen), 0);
    assert_string_equal(seen.text, "BARN-01|-|serial|/dev/a|-|{}|0|-|-");
    assert_int_equal(store_miner_put(fix->store, &miner), id);
    store_miners_each(fix->store, on_miner, &seen);
    assert_string_equal(seen.text, "BARN-01|-|serial|/dev/a|-|{}|0|barn|loud");
    fix_close(fix);
    assert_int_equal(sql_int(fix, "PRAGMA user_version"), 5);
}

static void on_latest(int64_t miner_id, const struct store_reading *r, size_t n, double best,
                      int64_t best_at, void *arg)
{
    struct seen *seen = arg;
    seen->n++;
    seen->text[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(seen->text);
        if (r[i].text)
            snprintf(seen->text + len, sizeof seen->text - len, "%u %s=%s@%lld;", r[i].metric,
                     r[i].name, r[i].text, (long long)r[i].at_ms);
        else
            snprintf(seen->text + len, sizeof seen->text - len, "%u %s=%.17g@%lld;", r[i].metric,
                     r[i].name, r[i].value, (long long)r[i].at_ms);
    }
    size_t len = strlen(seen->text);
    snprintf(seen->text + len, sizeof seen->text - len, "%g@%lld", best, (long long)best_at);
}

static void latest_readings_come_back(void **state)
{
    struct fix *fix = *state;
    struct seen seen = {0};
    struct store_reading readings[] = {
        {.metric = SHEP_M_HASHRATE, .name = "hashrate", .at_ms = 1700000000000, .value = 55123.25},
        {.metric = SHEP_M_UPTIME, .name = "uptime", .at_ms = 3, .value = 93784},
        {.metric = SHEP_A_POOL, .name = "pool", .at_ms = 4, .text = "a\"b\\c\n<é>:21496"},
        {.metric = 130, .name = "vendor.tilt", .at_ms = 5, .value = 0.1},
        {.metric = SHEP_M_POWER, .name = "power", .at_ms = 5, .value = NAN},
        {.metric = SHEP_A_VERSION, .name = "version", .at_ms = 4, .text = "1.8.3"},
    };
    fix_open(fix);
    int64_t a = put_miner(fix, "A"), b = put_miner(fix, "B");
    store_latest_put(fix->store, a, readings, ARRAY_LEN(readings), 12345.5, 9);
    flush(fix);
    /* the second word within the minute waits for it, or for the end */
    readings[0].value = 1e9 / 3;
    store_latest_put(fix->store, a, readings, ARRAY_LEN(readings), 12345.5, 9);
    store_latest_put(fix->store, b, readings, 1, NAN, 0);
    flush(fix);
    assert_int_equal(
        sql_int(fix, "SELECT json_extract(readings,'$.hashrate.v')=55123.25 FROM latest"), 1);
    fix_close(fix);
    fix_open(fix);
    store_latest_each(fix->store, on_latest, &seen);
    assert_int_equal(seen.n, 2);
    assert_string_equal(seen.text, "1 hashrate=333333333.33333331@1700000000000;nan@0");
    fix_close(fix);
    sql_int(fix, "DELETE FROM latest WHERE miner_id = 2");
    fix_open(fix);
    store_latest_each(fix->store, on_latest, &seen);
    assert_string_equal(seen.text,
                        "1 hashrate=333333333.33333331@1700000000000;11 uptime=93784@3;"
                        "71 pool=a\"b\\c\n<é>:21496@4;0 vendor.tilt=0.10000000000000001@5;"
                        "65 version=1.8.3@4;12345.5@9");
    /* the columns that people's SQL expects */
    assert_int_equal(sql_int(fix, "SELECT \"Time mining\" = '1  02:03:04' FROM miner_summary"), 1);
    assert_int_equal(sql_int(fix, "SELECT \"KH/s\" > 333333.33 FROM miner_summary"), 1);
    assert_int_equal(sql_int(fix, "SELECT best_difficulty_ever = 12345.5 FROM miner_summary"), 1);
    assert_int_equal(sql_int(fix, "SELECT \"Temperature\" IS NULL FROM miner_summary"), 1);
    assert_int_equal(
        sql_int(fix, "SELECT last_updated = '2023-11-14T22:13:20Z' FROM miner_summary"), 1);
    assert_int_equal(sql_int(fix, "SELECT nerdminer_vrs = '1.8.3' AND last_seen ="
                                  " '2023-11-14T22:13:20Z' FROM miners WHERE id = 1"),
                     1);
}

static void on_kv(const char *key, const char *value, void *arg)
{
    struct seen *seen = arg;
    size_t len = strlen(seen->text);
    snprintf(seen->text + len, sizeof seen->text - len, "%s=%s;", key, value);
}

static void settings_come_back(void **state)
{
    struct fix *fix = *state;
    struct seen seen = {0};
    fix_open(fix);
    store_kv_put(fix->store, "price", "b", "2");
    store_kv_put(fix->store, "price", "a", "1");
    store_kv_put(fix->store, "price", "b", "3");
    store_kv_put(fix->store, "price", "c", "4");
    store_kv_put(fix->store, "price", "c", NULL);
    store_kv_put(fix->store, "core", "a", "other");
    store_kv_each(fix->store, "price", on_kv, &seen);
    assert_string_equal(seen.text, "a=1;b=3;");
}

static void devices_are_written_when_they_change(void **state)
{
    struct fix *fix = *state;
    struct shep_found found = {.size = sizeof found,
                               .key = "usb:1-1.2",
                               .path = "/dev/ttyUSB0",
                               .port_path = "1-1.2",
                               .vendor_id = "1a86"};
    fix_open(fix);
    int64_t a = put_miner(fix, "A");
    store_device_put(fix->store, &found, 0, true);
    flush(fix);
    assert_int_equal(sql_int(fix, "SELECT vendor_id='1a86' AND dev_path='/dev/ttyUSB0' AND"
                                  " serial_number IS NULL FROM unconfigured_devices"),
                     1);
    struct store_stats before, after;
    store_stats_get(fix->store, &before);
    store_device_put(fix->store, &found, 0, true); /* no news */
    flush(fix);
    store_stats_get(fix->store, &after);
    assert_int_equal(after.commits, before.commits);
    found.path = "/dev/ttyUSB1";
    store_device_put(fix->store, &found, a, false);
    flush(fix);
    assert_int_equal(sql_int(fix, "SELECT count(*) FROM unconfigured_devices"), 0);
    assert_int_equal(sql_int(fix, "SELECT path='/dev/ttyUSB1' AND miner_id=1 AND present=0"
                                  " FROM devices"),
                     1);
}

/* ---- summaries ---- */

static void summaries_are_shown(void **state)
{
    struct fix *fix = *state;
    fix_open(fix);
    struct shep_summary s = {.size = sizeof s,
                             .miner_id = put_miner(fix, "A"),
                             .at_ms = 1700000000000,
                             .hashrate_1h = 78.5,
                             .hashrate_24h = NAN,
                             .hashes_total = 1e12,
                             .shares_total = 3,
                             .best_difficulty_ever = 7,
                             .online_share_24h = 0.5};
    store_summary_put(fix->store, &s);
    flush(fix);
    assert_int_equal(sql_int(fix, "SELECT hashrate_1h = 78.5 AND hashrate_24h IS NULL AND"
                                  " hashes_total = 1e12 AND best_difficulty_ever = 7 AND"
                                  " online_share_24h = 0.5 AND name = 'A' AND miner_id = 1"
                                  " FROM miner_summary"),
                     1);
}

/* ---- opening ---- */

static void second_daemon_is_refused(void **state)
{
    struct fix *fix = *state;
    struct store *other = NULL;
    char err[1200];
    int pid = 0;
    fix_open(fix);
    assert_int_equal(store_open(&fix->conf, fix->loop, &other, err, sizeof err, &pid), SHEP_E_BUSY);
    assert_int_equal(pid, getpid());
    assert_non_null(strstr(err, "another daemon"));
    fix_close(fix);
    fix_open(fix);
}

static void new_database_has_all_tables(void **state)
{
    struct fix *fix = *state;
    struct stat st;
    fix_open(fix);
    fix_close(fix);
    const char *const names[] = {"miners",     "unconfigured_devices",
                                 "miner_logs", "miner_summary",
                                 "pools",      "coin_addresses",
                                 "devices",    "events",
                                 "latest",     "rollups",
                                 "kv",         "herd_rollups"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char sql[80];
        snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", names[i]);
        assert_int_equal(sql_int(fix, sql), 0);
    }
    assert_int_equal(sql_int(fix, "PRAGMA user_version"), 5);
    assert_int_equal(sql_int(fix, "PRAGMA application_id"), 0x53484550);
    assert_int_equal(sql_int(fix, "PRAGMA page_size"), 1024);
    assert_int_equal(sql_int(fix, "PRAGMA journal_mode='wal'"), 0);
    assert_int_equal(sql_int(fix, "SELECT count(*) FROM sqlite_schema WHERE type='table' AND"
                                  " name NOT LIKE 'sqlite%' AND sql NOT LIKE '%STRICT%'"),
                     0);
    assert_int_equal(sql_int(fix, "SELECT count(*) FROM sqlite_schema WHERE type='index' AND"
                                  " tbl_name='miner_logs'"),
                     0);
    char *path = fix_path(fix, "shepherd.db");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777 & 07, 0); /* not for others */
    free(path);
}

static void newer_database_is_refused(void **state)
{
    struct fix *fix = *state;
    fix_open(fix);
    fix_close(fix);
    sql_int(fix, "PRAGMA user_version=99");
    assert_int_equal(fix_try_open(fix), SHEP_E_UNSUPPORTED);
    assert_non_null(strstr(fix->err, "99"));
    assert_non_null(strstr(fix->err, "up to 5"));
    assert_int_equal(sql_int(fix, "PRAGMA user_version"), 99); /* untouched */
}

static void foreign_database_is_refused(void **state)
{
    struct fix *fix = *state;
    char *path = fix_path(fix, "shepherd.db");
    sqlite3 *db;
    sqlite3_open(path, &db);
    sqlite3_exec(db, "CREATE TABLE miners(id)", NULL, NULL, NULL);
    sqlite3_close(db);
    assert_int_equal(fix_try_open(fix), SHEP_E_UNSUPPORTED);
    assert_non_null(strstr(fix->err, "another program"));
    free(path);
}

static void write_at(const char *path, off_t at, const char *bytes, size_t len, bool cut)
{
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, len, at), (ssize_t)len);
    if (cut)
        assert_int_equal(ftruncate(fd, at + (off_t)len), 0);
    close(fd);
}

/* Fill the database, damage it by <where>, and see it moved aside with a new one in its place. */
static void damage(struct fix *fix, const char *where, int nth)
{
    static const char junk[8192] = "this is not a database, it only looks like a file";
    char *path = fix_path(fix, "shepherd.db"), sql[100];
    struct store_stats stats;
    fix_open(fix);
    int64_t a = put_miner(fix, "A");
    for (int n = 0; n < 100; n++)
        put_line(fix, a, clock_wall_ms(), "x");
    fix_close(fix);
    if (str_eq(where, "file")) {
        write_at(path, 0, junk, sizeof junk, true);
    } else if (str_eq(where, "schema")) {
        write_at(path, 100, junk, 500, false);
    } else {
        snprintf(sql, sizeof sql, "SELECT rootpage FROM sqlite_schema WHERE name = '%s'", where);
        write_at(path, (sql_int(fix, sql) - 1) * 1024, junk, 1024, false);
    }
    fix_open(fix);
    assert_non_null(strstr(fix->err, "damaged"));
    store_stats_get(fix->store, &stats);
    assert_non_null(strstr(stats.problem, "damaged"));
    assert_int_equal(put_miner(fix, "A"), 1);
    put_line(fix, 1, clock_wall_ms(), "y");
    flush(fix);
    assert_int_equal(sql_int(fix, "SELECT count(*) FROM miner_logs"), 1);
    assert_int_equal(fix_files(fix, "shepherd.db.corrupt."), nth);
    fix_close(fix);
    free(path);
}

static void damaged_database_is_moved_aside(void **state)
{
    const char *const places[] = {"file", "schema", "miners", "miner_logs", "log_state", "events"};
    for (size_t i = 0; i < ARRAY_LEN(places); i++)
        damage(*state, places[i], (int)(i + 1));
}

static void deleted_wal_is_no_trouble(void **state)
{
    struct fix *fix = *state;
    fix_open(fix);
    put_line(fix, put_miner(fix, "A"), 1, "x");
    fix_close(fix);
    char *wal = fix_path(fix, "shepherd.db-wal");
    unlink(wal);
    free(wal);
    fix_open(fix);
    assert_string_equal(fix->err, "");
    assert_int_equal(sql_int(fix, "SELECT count(*) FROM miner_logs"), 1);
}

static void missing_directory_is_made_or_explained(void **state)
{
    struct fix *fix = *state;
    char *deep = fix_path(fix, "a");
    fix->conf.data_dir = deep;
    fix_open(fix);
    fix_close(fix);
    remove_tree(deep);
    write_at(deep, 0, "x", 1, true);
    assert_int_equal(fix_try_open(fix), SHEP_E_IO);
    assert_non_null(strstr(fix->err, deep));
    free(deep);
}

static void opening_is_quick(void **state)
{
    struct fix *fix = *state;
    fix_open(fix);
    int64_t a = put_miner(fix, "A");
    for (int i = 0; i < 50000; i++)
        put_line(fix, a, i, "0123456789012345678901234567890123456789");
    fix_close(fix);
    int64_t begun = clock_mono_us();
    fix_open(fix);
    int64_t took = clock_mono_us() - begun;
    fix_close(fix);
    print_message("open: %lld us\n", (long long)took);
}

/* ---- pressure ---- */

static int pressure_calls;
static bool pressure_now;
static void on_pressure(bool behind, void *arg)
{
    pressure_calls++;
    pressure_now = behind;
}

static void pressure_rises_and_falls(void **state)
{
    struct fix *fix = *state;
    pressure_calls = 0;
    fix->conf.queue_bytes = 256 * 1024;
    fix_open(fix);
    store_on_pressure(fix->store, on_pressure, NULL);
    int64_t a = put_miner(fix, "A");
    flush(fix);
    char *path = fix_path(fix, "shepherd.db");
    sqlite3 *db;
    sqlite3_open(path, &db);
    sqlite3_busy_timeout(db, DEADLINE_MS); /* somebody holds the lock, so nothing gets written */
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    char line[1000];
    memset(line, 'x', sizeof line);
    int n = 0, err;
    while (!(err = store_line(fix->store, a, 1, line, sizeof line)))
        n++;
    assert_int_equal(err, SHEP_E_LIMIT);
    assert_in_range(n, 240, 260);
    put_event(fix, SHEP_EV_RESET, a, "has a reserve");
    WAIT_FOR(fix, pressure_calls == 1 && pressure_now);
    struct store_stats stats;
    store_stats_get(fix->store, &stats);
    assert_int_equal(stats.lines_dropped, 1);
    WAIT_FOR(fix, (store_stats_get(fix->store, &stats), stats.degraded));
    assert_non_null(strstr(stats.problem, "locked"));
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_close(db);
    WAIT_FOR(fix, pressure_calls == 2 && !pressure_now);
    flush(fix);
    assert_int_equal(sql_int(fix, "SELECT count(*) FROM miner_logs"), n);
    assert_int_equal(sql_int(fix, "SELECT count(*) FROM events WHERE event='miner.reset'"), 1);
    free(path);
}

int main(int argc, char **argv)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, fix_setup, fix_teardown)
    const struct CMUnitTest tests[] = {
        TEST(lines_keep_order_and_none_is_twice),
        TEST(lines_show_within_two_seconds),
        TEST(reopening_goes_on_with_the_ids),
        TEST(ids_never_come_again),
        TEST(line_of_no_miner_is_refused),
        TEST(nothing_is_lost_between_open_and_close),
        TEST(events_are_kept_by_the_table),
        TEST(alarms_are_committed_at_once),
        TEST(miners_come_back),
        TEST(older_database_is_brought_up_to_date),
        TEST(latest_readings_come_back),
        TEST(settings_come_back),
        TEST(devices_are_written_when_they_change),
        TEST(summaries_are_shown),
        TEST(second_daemon_is_refused),
        TEST(new_database_has_all_tables),
        TEST(newer_database_is_refused),
        TEST(foreign_database_is_refused),
        TEST(damaged_database_is_moved_aside),
        TEST(deleted_wal_is_no_trouble),
        TEST(missing_directory_is_made_or_explained),
        TEST(opening_is_quick),
        TEST(pressure_rises_and_falls),
    };
    cmocka_set_test_filter(argc > 1 ? argv[1] : NULL); /* "one_test" or "a*" */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
