/* History: rows of miners and sums of the herd, folded, dropped, asked for. */
#include "test_store_util.h"

static void put_rollup(struct fix *fix, int64_t miner, uint32_t metric, const char *name,
                       int64_t t_ms, uint32_t n, double avg, double last)
{
    struct shep_rollup r = {.size = sizeof r,
                            .metric = metric,
                            .period_s = 60,
                            .n = n,
                            .miner_id = miner,
                            .t_ms = t_ms,
                            .min = avg - 1,
                            .max = avg + 1,
                            .avg = avg,
                            .last = last};
    store_rollup_put(fix->store, &r, name);
}

struct rows {
    int calls, err;
    size_t n;
    struct shep_rollup rows[8];
};

static void on_rows(const struct shep_rollup *rows, size_t n, int err, void *arg)
{
    struct rows *to = arg;
    to->calls++;
    to->err = err;
    to->n = n;
    for (size_t i = 0; i < n && i < ARRAY_LEN(to->rows); i++)
        to->rows[i] = rows[i];
}

static void history_folds_and_is_dropped(void **state)
{
    struct fix *fix = *state;
    struct rows rows = {0};
    const int64_t hour = 3600000;
    fix_open(fix);
    int64_t a = put_miner(fix, "A"), b = put_miner(fix, "B");
    put_rollup(fix, a, SHEP_M_HASHRATE, "hashrate", hour, 10, 100, 110);
    put_rollup(fix, a, SHEP_M_HASHRATE, "hashrate", hour, 30, 100, 115); /* replaces */
    put_rollup(fix, a, SHEP_M_HASHRATE, "hashrate", hour + 60000, 10, 200, 210);
    put_rollup(fix, b, SHEP_M_HASHRATE, "hashrate", hour + 60000, 10, 7, 7);
    put_rollup(fix, a, SHEP_M_SHARES_ACCEPTED, "shares_accepted", hour, 10, 5, 105);
    put_rollup(fix, a, SHEP_M_SHARES_ACCEPTED, "shares_accepted", hour + 60000, 10, 6, 111);
    put_rollup(fix, a, SHEP_M_HASHRATE, "hashrate", 3 * hour, 1, 1, 1); /* the next one but one */
    put_rollup(fix, a, SHEP_M_HASHRATE, "hashrate", 2 * hour, 0, 1, 1); /* no sample, no row */
    store_rollup_fold(fix->store, 60, 3600, hour, 3 * hour);
    store_rollup_get(fix->store, 3600, SHEP_M_HASHRATE, "hashrate", 0, 10 * hour, on_rows, &rows);
    WAIT_FOR(fix, rows.calls);
    assert_int_equal(rows.err, 0);
    assert_int_equal(rows.n, 2);
    const struct shep_rollup *r = &rows.rows[0];
    assert_true(r->metric == SHEP_M_HASHRATE && r->period_s == 3600 && r->n == 40);
    assert_true(r->miner_id == a && r->t_ms == hour && r->min == 99 && r->max == 201);
    assert_true(r->avg == (30 * 100 + 10 * 200) / 40.0 && r->last == 210);
    assert_true(rows.rows[1].miner_id == b && rows.rows[1].avg == 7);
    rows = (struct rows){0};
    store_rollup_get(fix->store, 3600, SHEP_M_SHARES_ACCEPTED, "shares_accepted", 0, 10 * hour,
                     on_rows, &rows);
    WAIT_FOR(fix, rows.calls);
    assert_true(rows.n == 1 && rows.rows[0].avg == 11 && rows.rows[0].last == 111);
    assert_true(herd_is_the_sum(fix));
    SQL_TEXT_IS(fix,
                "SELECT group_concat(period_s || ':' || t_ms || 'x' || n_miners || '=' || avg, ' ')"
                " FROM herd_rollups WHERE metric = 'hashrate'",
                "60:3600000x1=100.0 60:3660000x2=207.0 60:10800000x1=1.0 3600:3600000x2=132.0");
    store_rollup_drop(fix->store, 60, 2 * hour);
    rows = (struct rows){0};
    store_rollup_get(fix->store, 60, SHEP_M_HASHRATE, "hashrate", 0, 10 * hour, on_rows, &rows);
    WAIT_FOR(fix, rows.calls);
    assert_true(rows.n == 1 && rows.rows[0].t_ms == 3 * hour);
    assert_int_equal(rows.calls, 1);
    assert_true(herd_is_the_sum(fix));
    assert_int_equal(sql_int(fix, "SELECT count(*) FROM herd_rollups WHERE period_s = 60"), 1);
}

/* A day of a thousand miners is more than a plugin gets: what it gets is the newest. */
static void of_too_much_history_the_newest_is_told(void **state)
{
    struct fix *fix = *state;
    struct rows rows = {0};
    fix_open(fix);
    put_miner(fix, "A");
    flush(fix);
    sql_int(fix, "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 200001)"
                 " INSERT INTO rollups(period_s, t_ms, miner_id, metric, n, avg)"
                 " SELECT 60, i * 60000, 1, 'hashrate', 1, i FROM n");
    store_rollup_get(fix->store, 60, SHEP_M_HASHRATE, "hashrate", 0, INT64_MAX, on_rows, &rows);
    WAIT_FOR(fix, rows.calls);
    assert_true(rows.n == 200000 && rows.rows[0].avg == 2 && rows.rows[1].avg == 3);
}

static void counters_of_plugins_add_up(void **state)
{
    struct fix *fix = *state;
    fix_open(fix);
    int64_t a = put_miner(fix, "A");
    store_rollup_counter(fix->store, "vendor.jobs");
    put_rollup(fix, a, 130, "vendor.jobs", 0, 1, 5, 5);
    put_rollup(fix, a, 130, "vendor.jobs", 60000, 1, 6, 11);
    store_rollup_fold(fix->store, 60, 3600, 0, 3600000);
    flush(fix);
    assert_int_equal(sql_int(fix, "SELECT avg = 11 FROM rollups WHERE period_s = 3600"), 1);
}

static void a_question_is_answered_at_close(void **state)
{
    struct fix *fix = *state;
    struct rows rows = {0};
    fix_open(fix);
    store_rollup_get(fix->store, 60, 1, "hashrate", 0, 1, on_rows, &rows);
    fix_close(fix);
    assert_int_equal(rows.calls, 1);
    assert_int_equal(rows.err, SHEP_E_GONE);
}

/* Of rows that were there before the herd had any: a day of minutes, a month of hours, all days. */
static void older_history_gets_its_sums(void **state)
{
    struct fix *fix = *state;
    fix_open(fix);
    int64_t a = put_miner(fix, "A"), b = put_miner(fix, "B");
    put_rollup(fix, a, SHEP_M_HASHRATE, "hashrate", 0, 1, 1, 1); /* over a day before the next */
    put_rollup(fix, a, SHEP_M_HASHRATE, "hashrate", 90000000, 1, 5, 5);
    put_rollup(fix, b, SHEP_M_HASHRATE, "hashrate", 90000000, 1, 7, 7);
    put_rollup(fix, a, SHEP_M_POWER, "power", 90060000, 1, 8, 8);
    store_rollup_fold(fix->store, 60, 3600, 0, 100000000);
    store_rollup_fold(fix->store, 3600, 86400, 0, 100000000);
    fix_close(fix);
    sql_int(fix, "DROP TABLE herd_rollups");
    sql_int(fix, "PRAGMA user_version=4");
    fix_open(fix);
    SQL_TEXT_IS(fix,
                "SELECT group_concat(period_s || metric || t_ms || 'x' || n_miners || '=' || avg,"
                " ' ') FROM herd_rollups",
                "60hashrate90000000x2=12.0 60power90060000x1=8.0 3600hashrate0x1=1.0"
                " 3600hashrate90000000x2=12.0 3600power90000000x1=8.0 86400hashrate0x1=1.0"
                " 86400hashrate86400000x2=12.0 86400power86400000x1=8.0");
    assert_int_equal(sql_int(fix, "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'herd_t%'"),
                     0);
}

int main(int argc, char **argv)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, fix_setup, fix_teardown)
    const struct CMUnitTest tests[] = {
        TEST(history_folds_and_is_dropped), TEST(of_too_much_history_the_newest_is_told),
        TEST(counters_of_plugins_add_up),   TEST(a_question_is_answered_at_close),
        TEST(older_history_gets_its_sums),
    };
    cmocka_set_test_filter(argc > 1 ? argv[1] : NULL); /* "one_test" or "a*" */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
