/* What people manage: rows of their tables, devices, names of miners. Each is in the file at once,
 * comes back after a restart, and outlives the loss of the file. */
#include "test_store_util.h"

/* ---- rows ---- */

static int put_row(struct fix *fix, enum store_table table, const char *text)
{
    json_t *row = json_loads(text, 0, NULL);
    assert_non_null(row);
    int err = store_row_put(fix->store, table, row);
    json_decref(row);
    return err;
}

static void on_row(const json_t *row, void *arg)
{
    json_array_append((json_t *)arg, (json_t *)row);
}

/* All rows of the table are these, in order. */
static void check_rows(struct fix *fix, enum store_table table, const char *want_text)
{
    json_t *want = json_loads(want_text, 0, NULL), *got = json_array();
    assert_non_null(want);
    assert_int_equal(store_rows_each(fix->store, table, on_row, got), 0);
    if (!json_equal(want, got)) {
        char *text = json_dumps(got, 0);
        fail_msg("want %s got %s", want_text, text);
    }
    json_decref(want);
    json_decref(got);
}

static const struct {
    enum store_table table;
    const char *row, *read; /* what is put, what comes back; NULL: the same */
} samples[STORE_TABLES] = {
    {TABLE_POOLS,
     "{\"id\":1,\"pool_name\":\"A\",\"pool_url\":\"a.org\",\"pool_port\":3333,"
     "\"pool_user\":\"bc1q'; DROP TABLE pools;--\"}",
     "{\"id\":1,\"pool_name\":\"A\",\"pool_url\":\"a.org\",\"pool_port\":3333,"
     "\"pool_user\":\"bc1q'; DROP TABLE pools;--\",\"pool_pass\":\"x\",\"is_active\":0}"},
    {TABLE_ADDRESSES,
     "{\"id\":4,\"coin_ticker\":\"BTC\",\"address\":\"bc1q\",\"label\":\"\\u00e4\\u4e2d\"}", NULL},
    {TABLE_EXPECTED,
     "{\"id\":1,\"pool\":\"a:1\",\"address\":null,\"set_at_ms\":5,\"set_by\":\"admin\","
     "\"alarm\":\"{\\\"pool\\\":\\\"b:2\\\"}\"}",
     NULL},
    {TABLE_USERS,
     "{\"id\":2,\"name\":\"eve\",\"role\":\"viewer\",\"password_hash\":\"$argon2id$\","
     "\"created_at_ms\":1}",
     NULL},
    {TABLE_SESSIONS,
     "{\"id\":3,\"hash\":\"00ff\",\"user_id\":2,\"role\":\"viewer\",\"created_at_ms\":1,"
     "\"used_at_ms\":2}",
     NULL},
    {TABLE_TOKENS,
     "{\"id\":9,\"name\":\"grafana\",\"hash\":\"aa\",\"role\":\"viewer\",\"created_at_ms\":1,"
     "\"used_at_ms\":null,\"created_by\":\"admin\"}",
     NULL},
    {TABLE_AUDIT,
     "{\"id\":1,\"at_ms\":7,\"who\":\"admin\",\"peer\":\"::1\",\"action\":\"payout\","
     "\"subject\":\"A\",\"old\":null,\"new\":\"bc1q\"}",
     NULL},
    {TABLE_SETTINGS, "{\"id\":1,\"name\":\"kiosk\",\"value\":\"{}\"}", NULL},
};

static void check_samples(struct fix *fix, enum store_table but_for)
{
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        if (samples[i].table == but_for)
            continue;
        char *want = shep_asprintf("[%s]", samples[i].read ? samples[i].read : samples[i].row);
        check_rows(fix, samples[i].table, want);
        free(want);
    }
}

static void put_samples(struct fix *fix)
{
    assert_int_equal(put_miner(fix, "A"), 1);
    for (size_t i = 0; i < ARRAY_LEN(samples); i++)
        assert_int_equal(put_row(fix, samples[i].table, samples[i].row), 0);
}

static void rows_come_back(void **state)
{
    struct fix *fix = *state;
    fix_open(fix);
    put_samples(fix);
    check_samples(fix, STORE_TABLES);
    fix_close(fix);
    fix_open(fix);
    check_samples(fix, STORE_TABLES);
    struct store_stats stats;
    store_stats_get(fix->store, &stats);
    assert_int_equal(stats.records_dropped, 0);
}

static void a_row_is_replaced_and_deleted(void **state)
{
    struct fix *fix = *state;
    fix_open(fix);
    put_samples(fix);
    /* what is left out is empty again */
    assert_int_equal(
        put_row(fix, TABLE_ADDRESSES, "{\"id\":4,\"coin_ticker\":\"LTC\",\"address\":\"ltc1\"}"),
        0);
    check_rows(fix, TABLE_ADDRESSES,
               "[{\"id\":4,\"coin_ticker\":\"LTC\",\"address\":\"ltc1\",\"label\":null}]");
    assert_int_equal(
        put_row(fix, TABLE_ADDRESSES, "{\"id\":2,\"coin_ticker\":\"BTC\",\"address\":\"bc1\"}"), 0);
    check_rows(fix, TABLE_ADDRESSES,
               "[{\"id\":2,\"coin_ticker\":\"BTC\",\"address\":\"bc1\",\"label\":null},"
               "{\"id\":4,\"coin_ticker\":\"LTC\",\"address\":\"ltc1\",\"label\":null}]");
    assert_int_equal(store_row_delete(fix->store, TABLE_ADDRESSES, 4), 0);
    assert_int_equal(store_row_delete(fix->store, TABLE_ADDRESSES, 77), 0);
    check_rows(fix, TABLE_ADDRESSES,
               "[{\"id\":2,\"coin_ticker\":\"BTC\",\"address\":\"bc1\",\"label\":null}]");
    /* two rows change what must be unique, one after the other */
    assert_int_equal(
        put_row(fix, TABLE_ADDRESSES, "{\"id\":2,\"coin_ticker\":\"BTC\",\"address\":\"new\"}"), 0);
    assert_int_equal(
        put_row(fix, TABLE_ADDRESSES, "{\"id\":5,\"coin_ticker\":\"BTC\",\"address\":\"bc1\"}"), 0);
    flush(fix);
    assert_int_equal(sql_int(fix, "SELECT count(*) FROM coin_addresses"), 2);
}

static void only_known_columns_and_kinds_are_taken(void **state)
{
    static const char *const bad[] = {
        "{\"name\":\"a\"}",          /* no id */
        "{\"id\":0,\"name\":\"a\"}", /* ids begin with 1 */
        "{\"id\":-1,\"name\":\"a\"}",
        "{\"id\":1}", /* a name is needed */
        "{\"id\":1,\"name\":null}",
        "{\"id\":1,\"name\":5}", /* another kind */
        "{\"id\":\"1\",\"name\":\"a\"}",
        "{\"id\":1,\"name\":\"a\",\"value\":{}}",
        "{\"id\":1,\"name\":\"a\",\"color\":\"red\"}",     /* no column */
        "{\"id\":1,\"name\":\"a\",\"value) --\":\"red\"}", /* no column, and SQL */
        "[1]",
    };
    struct fix *fix = *state;
    fix_open(fix);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(put_row(fix, TABLE_SETTINGS, bad[i]), SHEP_E_BUG);
    json_t *row = json_object();
    char *big = shep_alloc(300 * 1024);
    memset(big, 'x', 300 * 1024 - 1);
    json_object_set_new(row, "id", json_integer(1));
    json_object_set_new(row, "name", json_string("big"));
    json_object_set_new(row, "value", json_string(big));
    assert_int_equal(store_row_put(fix->store, TABLE_SETTINGS, row), SHEP_E_LIMIT);
    json_decref(row);
    free(big);
    check_rows(fix, TABLE_SETTINGS, "[]");
}

static int put_audit(struct fix *fix, int64_t id)
{
    char text[120];
    snprintf(text, sizeof text, "{\"id\":%lld,\"at_ms\":1,\"who\":\"a\",\"action\":\"login\"}",
             (long long)id);
    return put_row(fix, TABLE_AUDIT, text);
}

static void count_row(const json_t *row, void *arg)
{
    int64_t *seen = arg; /* how many, the first id, the last id */
    int64_t id = json_integer_value(json_object_get(row, "id"));
    if (seen[0]++ == 0)
        seen[1] = id;
    seen[2] = id;
}

static void audit_is_only_appended_to(void **state)
{
    struct fix *fix = *state;
    int64_t seen[3] = {0};
    struct store_stats stats;
    fix_open(fix);
    for (int id = 1; id <= 1005; id++)
        assert_int_equal(put_audit(fix, id), 0);
    flush(fix);
    store_stats_get(fix->store, &stats);
    assert_true(stats.commits < 100); /* what comes while the writer is busy goes together */
    assert_int_equal(put_audit(fix, 1005), SHEP_E_BUG);
    assert_int_equal(put_audit(fix, 3), SHEP_E_BUG);
    assert_int_equal(store_row_delete(fix->store, TABLE_AUDIT, 1), SHEP_E_BUG);
    assert_int_equal(store_rows_each(fix->store, TABLE_AUDIT, count_row, seen), 0);
    assert_int_equal(seen[0], 1000); /* the newest */
    assert_int_equal(seen[1], 6);
    assert_int_equal(seen[2], 1005);
    fix_close(fix);
    fix_open(fix);
    assert_int_equal(put_audit(fix, 1005), SHEP_E_BUG);
    assert_int_equal(put_audit(fix, 1006), 0);
    fix_close(fix);
    /* nor by SQL of somebody who may write */
    sqlite3 *db = NULL;
    char *path = fix_path(fix, "shepherd.db");
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "DELETE FROM audit", NULL, NULL, NULL), SQLITE_CONSTRAINT);
    assert_int_equal(sqlite3_exec(db, "UPDATE audit SET who = 'x'", NULL, NULL, NULL),
                     SQLITE_CONSTRAINT);
    sqlite3_close(db);
    free(path);
}

/* A row is in the file before the next second begins, and the commit was synced; a line waits for
 * its batch. */
static void a_row_is_committed_at_once(void **state)
{
    struct fix *fix = *state;
    struct store_stats before, after;
    fix_open(fix);
    int64_t a = put_miner(fix, "A");
    flush(fix);
    store_stats_get(fix->store, &before);
    assert_int_equal(put_row(fix, TABLE_SETTINGS, samples[7].row), 0);
    put_line(fix, a, 1, "comes too late for its commit");
    flush(fix);
    store_stats_get(fix->store, &after);
    assert_int_equal(after.commits - before.commits, 2);
}

static void put_line_and_wait(struct fix *fix, int64_t miner)
{
    put_line(fix, miner, clock_wall_ms(), "x");
    flush(fix);
}

/* The file is gone while it is in use: a new one has all that people entered, what was deleted
 * stays deleted, who was removed stays removed. Entered before the last start, but for one row. */
static void a_new_database_has_what_people_entered(void **state)
{
    enum { T0 = 1800000, MINUTE = 60000 };
    struct fix *fix = *state;
    char *path = fix_path(fix, "shepherd.db"), *away = fix_path(fix, "away.db");
    clock_set_fake(T0, T0);
    fix_open(fix);
    put_samples(fix);
    store_miner_remove(fix->store, put_miner(fix, "GONE"));
    fix_close(fix);
    fix_open(fix);
    assert_int_equal(
        put_row(fix, TABLE_ADDRESSES, "{\"id\":6,\"coin_ticker\":\"BTC\",\"address\":\"deleted\"}"),
        0);
    assert_int_equal(store_row_delete(fix->store, TABLE_ADDRESSES, 6), 0);
    put_line_and_wait(fix, 1);
    put_line_and_wait(fix, 1); /* the duties of the start are over now */
    assert_int_equal(rename(path, away), 0);
    clock_set_fake(T0 + 2 * MINUTE, T0 + 2 * MINUTE);
    put_line_and_wait(fix, 1); /* wakes the writer */
    WAIT_FOR(fix, access(path, F_OK) == 0);
    put_line_and_wait(fix, 1);
    assert_int_equal(sql_int(fix, "SELECT count(*) FROM miners WHERE removed_at_ms IS NULL"), 1);
    assert_int_equal(sql_int(fix, "SELECT count(*) FROM miners WHERE removed_at_ms > 0"), 1);
    check_samples(fix, TABLE_AUDIT);
    assert_int_equal(put_row(fix, TABLE_AUDIT, samples[TABLE_AUDIT].row), SHEP_E_BUG);
    clock_set_fake(-1, 0);
    free(path);
    free(away);
}

/* ---- devices ---- */

static struct shep_found found_a = {.size = sizeof found_a,
                                    .key = "usb-1-1",
                                    .path = "/dev/ttyUSB0",
                                    .port_path = "1-1",
                                    .description = "CP2104",
                                    .serial = "001",
                                    .vendor_id = "10c4",
                                    .product_id = "ea60",
                                    .mac = "a0:b1:c2:d3:e4:f5"};

static void on_device(const struct store_device *d, void *arg)
{
    struct buf *text = arg;
    buf_printf(text, "%s|%lld|%s|%s|%s|%s|%s:%s|%s|%d;", d->key, (long long)d->miner_id, d->path,
               d->port_path, d->description, d->serial ? d->serial : "-",
               d->vendor_id ? d->vendor_id : "-", d->product_id ? d->product_id : "-",
               d->mac ? d->mac : "-", d->ignored);
    assert_true(d->id > 0 && d->first_seen_ms > 0 && d->last_seen_ms >= d->first_seen_ms);
}

static void check_devices(struct fix *fix, const char *want)
{
    struct buf text = {0};
    buf_add_str(&text, "");
    assert_int_equal(store_devices_each(fix->store, on_device, &text), 0);
    assert_string_equal(text.data ? text.data : "", want);
    buf_free(&text);
}

static void devices_come_back(void **state)
{
    struct fix *fix = *state;
    fix_open(fix);
    int64_t a = put_miner(fix, "A");
    struct shep_found b = {.size = sizeof b, .key = "a-key", .path = "/dev/ttyACM0"};
    b.port_path = b.description = "";
    store_device_put(fix->store, &found_a, a, true);
    store_device_put(fix->store, &b, 0, true);
    check_devices(fix, "a-key|0|/dev/ttyACM0|||-|-:-|-|0;"
                       "usb-1-1|1|/dev/ttyUSB0|1-1|CP2104|001|10c4:ea60|a0:b1:c2:d3:e4:f5|0;");
    assert_int_equal(sql_int(fix, "SELECT count(*) FROM unconfigured_devices"), 1);
    store_device_ignore(fix->store, "a-key", true);
    store_device_ignore(fix->store, "no such key", true);
    store_device_put(fix->store, &b, 0, false); /* a scan does not undo it */
    flush(fix);
    assert_int_equal(sql_int(fix, "SELECT count(*) FROM unconfigured_devices"), 0);
    fix_close(fix);
    fix_open(fix);
    check_devices(fix, "a-key|0|/dev/ttyACM0|||-|-:-|-|1;"
                       "usb-1-1|1|/dev/ttyUSB0|1-1|CP2104|001|10c4:ea60|a0:b1:c2:d3:e4:f5|0;");
    store_device_ignore(fix->store, "a-key", false);
    flush(fix);
    assert_int_equal(sql_int(fix, "SELECT count(*) FROM unconfigured_devices"), 1);
    store_device_put(fix->store, &b, 0, true);
    store_device_delete(fix->store, "a-key");
    flush(fix);
    assert_int_equal(sql_int(fix, "SELECT count(*) FROM devices"), 1);
    store_device_put(fix->store, &b, 0, true); /* plugged in again: it is news */
    flush(fix);
    assert_int_equal(sql_int(fix, "SELECT count(*) FROM devices"), 2);
}

static void a_mac_stays_until_another_thing_is_there(void **state)
{
    struct fix *fix = *state;
    struct shep_found found = found_a;
    fix_open(fix);
    store_device_put(fix->store, &found, 0, true);
    found.mac = NULL;
    found.path = "/dev/ttyUSB1";
    store_device_put(fix->store, &found, 0, true);
    flush(fix);
    SQL_TEXT_IS(fix, "SELECT mac FROM devices", "a0:b1:c2:d3:e4:f5");
    found.mac = "00:00:00:00:00:01"; /* a MAC by itself is news */
    store_device_put(fix->store, &found, 0, true);
    flush(fix);
    SQL_TEXT_IS(fix, "SELECT mac FROM devices", "00:00:00:00:00:01");
    found.mac = NULL;
    found.serial = "002";
    store_device_put(fix->store, &found, 0, true);
    flush(fix);
    SQL_TEXT_IS(fix, "SELECT coalesce(mac, 'none') FROM devices", "none");
}

/* A plugin made for interface 1.0 knows no mac: what lies behind its struct is not read. */
static void an_older_plugin_has_no_mac(void **state)
{
    struct fix *fix = *state;
    size_t old_size = offsetof(struct shep_found, mac);
    struct shep_found *old = malloc(old_size);
    assert_non_null(old);
    memcpy(old, &found_a, old_size);
    old->size = (uint32_t)old_size;
    fix_open(fix);
    store_device_put(fix->store, old, 0, true);
    check_devices(fix, "usb-1-1|0|/dev/ttyUSB0|1-1|CP2104|001|10c4:ea60|-|0;");
    free(old);
}

/* ---- names ---- */

static void a_miner_gets_another_name(void **state)
{
    struct fix *fix = *state;
    fix_open(fix);
    int64_t a = put_miner(fix, "usb-1-1"), b = put_miner(fix, "B");
    put_line(fix, a, 60000, "before");
    store_miner_rename(fix->store, a, "BARN-01");
    put_line(fix, a, 61000, "after");
    assert_int_equal(put_miner(fix, "BARN-01"), a); /* known at once */
    store_miner_rename(fix->store, a, "BARN-01");
    store_miner_rename(fix->store, 99, "NOBODY");
    flush(fix);
    assert_int_equal(sql_int(fix, "SELECT count(*) FROM miners"), 2);
    assert_int_equal(sql_int(fix, "SELECT id FROM miners WHERE miner_id = 'BARN-01'"), a);
    assert_int_equal(sql_int(fix, "SELECT count(*) FROM miner_logs WHERE miner_id = 1"), 2);
    int64_t c = put_miner(fix, "usb-1-1"); /* another board in the port */
    assert_true(c > b);
    fix_close(fix);
    fix_open(fix);
    assert_int_equal(put_miner(fix, "BARN-01"), a);
    assert_int_equal(put_miner(fix, "usb-1-1"), c);
}

#define NAMES                                                                                      \
    "SELECT group_concat(id || '=' || miner_id) FROM (SELECT id, miner_id FROM miners ORDER BY "   \
    "id)"

static void a_removed_miner_gives_its_name_up(void **state)
{
    struct fix *fix = *state;
    fix_open(fix);
    int64_t old = put_miner(fix, "BARN-01"), new = put_miner(fix, "usb-1-1");
    put_line(fix, old, 60000, "old");
    store_miner_remove(fix->store, old);
    store_miner_rename(fix->store, new, "BARN-01");
    flush(fix);
    SQL_TEXT_IS(fix, NAMES, "1=BARN-01~1,2=BARN-01");
    assert_int_equal(put_miner(fix, "BARN-01"), new);
    /* two change their names with each other */
    int64_t c = put_miner(fix, "C");
    store_miner_rename(fix->store, c, "T");
    store_miner_rename(fix->store, new, "C");
    store_miner_rename(fix->store, c, "BARN-01");
    fix_close(fix);
    SQL_TEXT_IS(fix, NAMES, "1=BARN-01~1,2=C,3=BARN-01");
    fix_open(fix);
    assert_int_equal(put_miner(fix, "BARN-01"), c);
    assert_int_equal(put_miner(fix, "C"), new);
    struct store_stats stats;
    store_stats_get(fix->store, &stats);
    assert_int_equal(stats.records_dropped, 0);
}

int main(int argc, char **argv)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fix_setup, fix_teardown)
    const struct CMUnitTest tests[] = {
        TEST(rows_come_back),
        TEST(a_row_is_replaced_and_deleted),
        TEST(only_known_columns_and_kinds_are_taken),
        TEST(audit_is_only_appended_to),
        TEST(a_row_is_committed_at_once),
        TEST(a_new_database_has_what_people_entered),
        TEST(devices_come_back),
        TEST(a_mac_stays_until_another_thing_is_there),
        TEST(an_older_plugin_has_no_mac),
        TEST(a_miner_gets_another_name),
        TEST(a_removed_miner_gives_its_name_up),
    };
    cmocka_set_test_filter(argc > 1 ? argv[1] : NULL); /* "one_test" or "a*" */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
