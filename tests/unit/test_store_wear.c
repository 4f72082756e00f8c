/* How much is written for a byte of log: 100 miners, a line of 80 bytes a second each, committed
 * once a second, with everything else that goes along in a minute. SD cards die of it. The clocks
 * are held, so two hours pass in seconds; what is counted is every byte handed to write() (wchar of
 * /proc/self/io), which is never less than what reaches the disk. */
#include "test_store_util.h"

enum { MINERS = 100, LINE = 80, BUDGET = 5, BUDGET_FULL = 6 };

static int64_t written(void)
{
    char line[128];
    long long value = -1;
    FILE *io = fopen("/proc/self/io", "re");
    while (io && fgets(line, sizeof line, io))
        if (sscanf(line, "wchar: %lld", &value) == 1)
            break;
    if (io)
        fclose(io);
    return value;
}

/* What the summarize service and the herd hand over once a minute. */
static void minute(struct fix *fix, const int64_t *ids, int64_t now_ms)
{
    static const struct {
        uint32_t id;
        const char *name;
    } metrics[] = {{1, "hashrate"},        {2, "hashes_total"},   {3, "shares_accepted"},
                   {5, "shares_32bit"},    {10, "temperature"},   {11, "uptime"},
                   {6, "best_difficulty"}, {9, "block_templates"}};
    for (int m = 0; m < MINERS; m++) {
        struct store_reading readings[ARRAY_LEN(metrics) + 3];
        size_t n = 0;
        for (size_t i = 0; i < ARRAY_LEN(metrics); i++) {
            double value = 55123.5 + m + (double)now_ms;
            readings[n++] =
                (struct store_reading){metrics[i].id, metrics[i].name, now_ms, value, NULL};
            struct shep_rollup r = {
                sizeof r, metrics[i].id, 60,    60,   ids[m], now_ms / 60000 * 60000,
                value,    value,         value, value};
            if (i < 5)
                store_rollup_put(fix->store, &r, metrics[i].name);
        }
        readings[n++] = (struct store_reading){71, "pool", now_ms, 0, "public-pool.io:21496"};
        readings[n++] = (struct store_reading){72, "wallet", now_ms, 0,
                                               "bc1qxy2kgdygjrsqtzq2n0yrf2493p83kkfjhx0wlh"};
        readings[n++] = (struct store_reading){65, "version", now_ms, 0, "1.8.3"};
        store_latest_put(fix->store, ids[m], readings, n, 12345.6, now_ms);
        struct shep_summary s = {sizeof s, ids[m], now_ms, 1, 2, 3, 4, 5, 1};
        store_summary_put(fix->store, &s);
    }
}

static double run(struct fix *fix, const int64_t *ids, int64_t *now_ms, int seconds, bool rest)
{
    char line[LINE + 1];
    memset(line, '#', LINE);
    int64_t before = written();
    for (int s = 0; s < seconds; s++) {
        *now_ms += 1000;
        clock_set_fake(*now_ms, *now_ms);
        for (int m = 0; m < MINERS; m++)
            assert_int_equal(store_line(fix->store, ids[m], *now_ms, line, LINE), 0);
        if (rest && *now_ms / 1000 % 60 == 30)
            minute(fix, ids, *now_ms);
        flush(fix);
    }
    return (double)(written() - before) / ((double)seconds * MINERS * LINE);
}

static void writes_little(void **state)
{
    struct fix fix;
    int64_t ids[MINERS], now_ms = 1700000000000;
    char name[16];
    if (written() < 0)
        skip(); /* no /proc/self/io */
    fix_make(&fix);
    fix.conf.keep_ms = 3600 * 1000;
    clock_set_fake(now_ms, now_ms);
    fix_open(&fix);
    for (int m = 0; m < MINERS; m++) {
        snprintf(name, sizeof name, "M%d", m);
        ids[m] = put_miner(&fix, name);
    }
    double lines = run(&fix, ids, &now_ms, 1800, false);
    double all = run(&fix, ids, &now_ms, 1800, true);
    double full = run(&fix, ids, &now_ms, 3600, true);
    int64_t begun = written();
    fix_close(&fix);
    print_message("bytes written per byte of log: %.2f lines alone, %.2f with readings, summaries "
                  "and history, %.2f with retention at work too; at close %lld kB\n",
                  lines, all, full, (long long)((written() - begun) / 1024));
    assert_true(sql_int(&fix, "SELECT count(*) FROM miner_logs") < 3900 * MINERS);
    assert_true(sql_int(&fix, "SELECT count(*) FROM miner_logs") >= 3600 * MINERS);
    clock_set_fake(-1, 0);
    fix_end(&fix);
    assert_true(lines < BUDGET && all < BUDGET && full < BUDGET_FULL);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(writes_little)};
    cmocka_set_test_filter(argc > 1 ? argv[1] : NULL); /* "one_test" or "a*" */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
