/* The host table that plugins get in the daemon: a herd, a store and one plugin made by hand. */
#include "unit/check.h"

#include "plugin/internal.h"
#include "unit/test_store_util.h"

static const struct shep_metric_info own_metrics[] = {
    {.name = "acme.humidity", .unit = "%", .doc = "air", .history = 1, .max = 100},
    {.name = "acme.packets",
     .unit = "packets",
     .doc = "sent",
     .counter = 1,
     .history = 1,
     .max = 1e9},
    {0},
};

static const struct shep_option device_options[] = {
    {"speed", "how fast", "1.5", NULL, SHEP_OPT_FLOAT, 0, 0, 1000},
    {"count", "how many", "1", NULL, SHEP_OPT_INT, 0, 0, 0},
    {0},
};

static struct {
    struct fix fix;
    struct topics *topics;
    struct herd *herd;
    struct plugins plugins;
    struct plugin plugin;
    struct shep_ctx *ctx;
} t;

static int setup(void **state)
{
    memset(&t, 0, sizeof t);
    fix_make(&t.fix);
    fix_open(&t.fix);
    t.topics = topics_new(t.fix.loop);
    t.herd = herd_new(t.fix.loop, t.topics, &(struct herd_conf){0});
    t.plugin = (struct plugin){
        .plugins = &t.plugins,
        .loaded = true,
        .desc = {.name = "acme",
                 .kind = SHEP_KIND_PARSER,
                 .option_size = sizeof(struct shep_option),
                 .metric_size = sizeof(struct shep_metric_info),
                 .metrics = own_metrics},
        .ops = {.source = {.size = sizeof(struct shep_source_ops),
                           .device_options = device_options}},
    };
    t.plugin.ctx.plugin = &t.plugin;
    t.ctx = &t.plugin.ctx;
    t.plugins.items[t.plugins.n++] = &t.plugin;
    plugins_prepare(&t.plugins, &(struct plugin_env){.loop = t.fix.loop,
                                                     .topics = t.topics,
                                                     .herd = t.herd,
                                                     .store = t.fix.store});
    return 0;
}

static int teardown(void **state)
{
    plugins_stop(&t.plugins);
    herd_free(t.herd);
    topics_free(t.topics);
    fix_end(&t.fix);
    return 0;
}

struct seen {
    size_t n, with_history;
    uint32_t last;
};

static void note_metric(uint32_t id, const struct shep_metric_info *info, void *arg)
{
    struct seen *seen = arg;
    uint32_t known = 0;
    assert_int_equal(plugin_host.metric_id(t.ctx, info->name, &known), 0);
    assert_int_equal(known, id);
    seen->n++;
    seen->with_history += info->history != 0;
    seen->last = id;
}

static void metrics_of_ours_and_of_plugins_are_listed(void **state)
{
    struct seen seen = {0};
    size_t ours = 0, ours_with_history = 0;
#define SHEP_METRIC(id, sym, name, unit, kind, min, max, history, doc)                             \
    ours++;                                                                                        \
    ours_with_history += history;
#include "shepherd/metrics.def"
    assert_int_equal(plugin_host.metric_each(t.ctx, note_metric, &seen), 0);
    assert_int_equal(seen.n, ours + 2);
    assert_int_equal(seen.with_history, ours_with_history + 2);
    assert_int_equal(seen.last, SHEP_METRIC_OWN + 1);
}

static void declared_counters_fold_as_sums(void **state)
{
    struct shep_rollup row = {.size = sizeof row,
                              .metric = SHEP_METRIC_OWN + 1,
                              .period_s = 60,
                              .n = 10,
                              .miner_id = put_miner(&t.fix, "A"),
                              .avg = 5};
    assert_int_equal(plugin_host.rollup_put(t.ctx, &row), 0);
    row.t_ms = 60000;
    assert_int_equal(plugin_host.rollup_put(t.ctx, &row), 0);
    row.metric = SHEP_METRIC_OWN; /* and gauges do not */
    assert_int_equal(plugin_host.rollup_put(t.ctx, &row), 0);
    row.t_ms = 0;
    assert_int_equal(plugin_host.rollup_put(t.ctx, &row), 0);
    assert_int_equal(plugin_host.rollup_fold(t.ctx, 60, 3600, 0, 3600000), 0);
    fix_close(&t.fix); /* everything is written */
    assert_int_equal(sql_int(&t.fix, "SELECT avg = 10 FROM rollups WHERE period_s = 3600 AND "
                                     "metric = 'acme.packets'"),
                     1);
    assert_int_equal(sql_int(&t.fix, "SELECT avg = 5 FROM rollups WHERE period_s = 3600 AND "
                                     "metric = 'acme.humidity'"),
                     1);
}

static void device_options_may_be_fractions(void **state)
{
    double speed = 0;
    struct shep_device dev = {.source = &t.plugin};
    assert_int_equal(plugin_host.device_opt_float(t.ctx, &dev, "speed", &speed), 0);
    assert_float_equal(speed, 1.5, 0);
    assert_int_equal(plugin_host.device_opt_float(t.ctx, &dev, "count", &speed), SHEP_E_BUG);
    dev.entry = json_pack("{s:f}", "speed", 0.25);
    assert_int_equal(plugin_host.device_opt_float(t.ctx, &dev, "speed", &speed), 0);
    assert_float_equal(speed, 0.25, 0);
    json_decref(dev.entry);
    dev.entry = json_pack("{s:i}", "speed", 10); /* a whole number is a number */
    assert_int_equal(plugin_host.device_opt_float(t.ctx, &dev, "speed", &speed), 0);
    assert_float_equal(speed, 10, 0);
    json_decref(dev.entry);
}

static void look_without_times(const struct shep_miner *view, void *arg)
{
    double value = 0;
    const char *text = NULL;
    assert_int_equal(plugin_host.miner_value(t.ctx, view, SHEP_M_HASHRATE, &value, NULL), 0);
    assert_float_equal(value, 7, 0);
    assert_int_equal(plugin_host.miner_value(t.ctx, view, SHEP_M_RSSI, &value, NULL), SHEP_E_GONE);
    assert_int_equal(plugin_host.miner_text(t.ctx, view, SHEP_A_BOARD, &text, NULL), 0);
    assert_string_equal(text, "S3");
    assert_int_equal(plugin_host.miner_text(t.ctx, view, SHEP_A_POOL, &text, NULL), SHEP_E_GONE);
    ++*(int *)arg;
}

static void time_of_a_reading_may_be_left_out(void **state)
{
    struct miner *miner = herd_miner_put(t.herd, &(struct miner_conf){.id = 1, .name = "A"});
    struct shep_reading rate = {.size = sizeof rate, .metric = SHEP_M_HASHRATE, .value = 7};
    struct shep_reading board = {
        .size = sizeof board, .metric = SHEP_A_BOARD, .text = "S3", .text_len = 2};
    int calls = 0;
    assert_int_equal(herd_reading(t.herd, miner, &rate), 0);
    assert_int_equal(herd_reading(t.herd, miner, &board), 0);
    plugin_host.each_miner(t.ctx, look_without_times, &calls);
    assert_int_equal(calls, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(metrics_of_ours_and_of_plugins_are_listed, setup, teardown),
        cmocka_unit_test_setup_teardown(declared_counters_fold_as_sums, setup, teardown),
        cmocka_unit_test_setup_teardown(device_options_may_be_fractions, setup, teardown),
        cmocka_unit_test_setup_teardown(time_of_a_reading_may_be_left_out, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
