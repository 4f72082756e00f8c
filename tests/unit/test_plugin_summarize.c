/* The summarize service with a clock that the test moves: minutes, gaps, jumps, resets, restarts.
 */
#include "unit/fakehost.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MINUTE = 60000, HOUR = 3600000, DAY = 86400000 };
#define T0 INT64_C(1792281600000) /* 2026-10-18T00:00:00Z */

/* One miner that speaks every second while the test lets it. */
struct voice {
    double rate, hashes, shares, best;
    bool counts; /* hashes grow by the rate */
};

static struct fake *herd_new(int64_t wall)
{
    struct fake *fake = fake_new("service_summarize.so");
    fake_clock(fake, wall, 50000000);
    fake_miner(fake, 1, "BARN-01", SHEP_STATUS_ONLINE);
    return fake;
}

static struct fake *herd_start(int64_t wall)
{
    struct fake *fake = herd_new(wall);
    assert_int_equal(fake_start(fake), 0);
    return fake;
}

static void speak(struct fake *fake, struct voice *v, int64_t ms)
{
    for (int64_t t = 0; t < ms; t += 1000) {
        fake_miner_say(fake, 1, SHEP_M_HASHRATE, v->rate);
        if (v->counts) {
            fake_miner_say(fake, 1, SHEP_M_HASHES_TOTAL, v->hashes);
            fake_miner_say(fake, 1, SHEP_M_SHARES_32BIT, v->shares);
            v->hashes += v->rate;
        }
        if (v->best > 0)
            fake_miner_say(fake, 1, SHEP_M_BEST_DIFFICULTY, v->best);
        fake_advance(fake, 1000);
    }
}

static void near(double value, double wanted, double tolerance)
{
    if (!(fabs(value - wanted) <= tolerance))
        fail_msg("%.10g is not %.10g", value, wanted);
}

static const struct shep_summary *summary(struct fake *fake)
{
    const struct shep_summary *s = fake_summary(fake, 1);
    assert_non_null(s);
    return s;
}

/* ---- minutes ---- */

static void minute_rows_have_min_max_mean_and_last(void **state)
{
    struct fake *fake = herd_start(T0);
    struct voice v = {.rate = 100};
    speak(fake, &v, 30000);
    v.rate = 200;
    speak(fake, &v, 35000);
    const struct shep_rollup *row = fake_rollup(fake, 1, SHEP_M_HASHRATE, T0);
    assert_non_null(row);
    assert_in_range(row->n, 11, 13);
    near(row->min, 100, 0);
    near(row->max, 200, 0);
    near(row->last, 200, 0);
    near(row->avg, 150, 10);
    assert_null(fake_rollup(fake, 1, SHEP_M_TEMPERATURE, T0)); /* never said */
    fake_free(fake);
}

static void counter_rows_have_growth(void **state)
{
    struct fake *fake = herd_start(T0);
    struct voice v = {.rate = 1000, .hashes = 5e9, .counts = true};
    speak(fake, &v, 3 * MINUTE);
    const struct shep_rollup *row = fake_rollup(fake, 1, SHEP_M_HASHES_TOTAL, T0 + MINUTE);
    assert_non_null(row);
    near(row->avg, 60000, 1);
    near(row->last, 5e9 + 119 * 1000, 10000);
    row = fake_rollup(fake, 1, SHEP_M_HASHES_TOTAL, T0);
    assert_true(row->avg <= 60000); /* what it had counted before is no growth of this minute */
    fake_free(fake);
}

static const struct shep_metric_info humidity = {
    .name = "acme.humidity", .unit = "%", .doc = "air", .history = 1, .max = 100};
static const struct shep_metric_info packets = {.name = "acme.packets",
                                                .unit = "packets",
                                                .doc = "sent",
                                                .counter = 1,
                                                .history = 1,
                                                .max = 1e9};
static const struct shep_metric_info mood = {
    .name = "acme.mood", .unit = "", .doc = "no history", .max = 10};

static void metrics_of_plugins_have_rows_too(void **state)
{
    struct fake *fake = herd_new(T0);
    uint32_t silent = fake_metric(fake, &mood), gauge = fake_metric(fake, &humidity),
             counter = fake_metric(fake, &packets);
    assert_int_equal(fake_start(fake), 0);
    for (int i = 0; i < 125; i++) {
        fake_miner_say(fake, 1, silent, 5);
        fake_miner_say(fake, 1, gauge, i < 60 ? 40 : 50);
        fake_miner_say(fake, 1, counter, 1000 + 50 * i);
        fake_advance(fake, 1000);
    }
    assert_null(fake_rollup(fake, 1, silent, T0));
    const struct shep_rollup *row = fake_rollup(fake, 1, gauge, T0);
    assert_non_null(row);
    near(row->avg, 40, 0);
    assert_in_range(row->n, 11, 13);
    near(fake_rollup(fake, 1, gauge, T0 + MINUTE)->last, 50, 0);
    row = fake_rollup(fake, 1, counter, T0 + MINUTE);
    assert_non_null(row);
    near(row->avg, 3000, 0); /* of a counter: the growth */
    fake_free(fake);
}

/* It counts faster than a miner can find shares: a smaller value is a reset all the same. */
static void counters_of_plugins_go_on_after_a_reset(void **state)
{
    struct fake *fake = herd_new(T0);
    uint32_t counter = fake_metric(fake, &packets);
    assert_int_equal(fake_start(fake), 0);
    size_t puts = fake_kv_puts(fake);
    for (int i = 0; i < 125; i++) {
        fake_miner_say(fake, 1, counter, i < 90 ? 100000 + 50 * i : 50 * (i - 80));
        fake_advance(fake, 1000);
    }
    near(fake_rollup(fake, 1, counter, T0 + MINUTE)->avg, 3250, 300);
    assert_int_equal(fake_kv_puts(fake), puts); /* nothing of it is kept: the card is spared */
    fake_free(fake);
}

static void metrics_over_the_bound_have_no_rows_and_the_log_says_so(void **state)
{
    struct fake *fake = herd_new(T0);
    uint32_t first = fake_metric(fake, &humidity), last = first;
    for (int i = 1; i < 64; i++)
        last = fake_metric(fake, &humidity);
    assert_int_equal(fake_start(fake), 0);
    assert_true(fake_logged(fake, "over 64 metrics with history"));
    fake_miner_say(fake, 1, first, 1);
    fake_miner_say(fake, 1, last, 1);
    fake_miner_say(fake, 1, SHEP_M_RSSI, -60);
    fake_advance(fake, 61000);
    assert_non_null(fake_rollup(fake, 1, first, T0));
    assert_non_null(fake_rollup(fake, 1, SHEP_M_RSSI, T0)); /* ours come first */
    assert_null(fake_rollup(fake, 1, last, T0));
    fake_free(fake);
}

static int no_metrics(struct shep_ctx *ctx, shep_metric_fn fn, void *arg)
{
    return 0;
}

static void a_host_without_our_metrics_is_refused(void **state)
{
    struct fake *fake = herd_new(T0);
    ((struct shep_host *)fake_host(fake))->metric_each = no_metrics;
    assert_int_equal(fake_start(fake), SHEP_E_UNSUPPORTED);
    assert_non_null(strstr(fake_failure(fake), "install the plugin that came with it"));
    fake_free(fake);
}

static void gaps_stay_gaps(void **state)
{
    struct fake *fake = herd_start(T0);
    struct voice v = {.rate = 100, .hashes = 1e6, .counts = true};
    size_t before, after;
    speak(fake, &v, 2 * MINUTE);
    fake_advance(fake, 90000); /* still sampled for 60 s after its last word */
    fake_rollups(fake, &before);
    fake_advance(fake, 3 * HOUR);
    fake_rollups(fake, &after);
    assert_true(after <= before + 4);
    assert_null(fake_rollup(fake, 1, SHEP_M_HASHRATE, T0 + 5 * MINUTE));
    assert_null(fake_rollup(fake, 1, SHEP_M_HASHRATE, T0 + 2 * HOUR));
    v.hashes += 1e9;
    v.rate = 100;
    int64_t resumed = fake_wall_ms(fake);
    speak(fake, &v, 3 * MINUTE);
    resumed -= resumed % MINUTE;
    const struct shep_rollup *row = fake_rollup(fake, 1, SHEP_M_HASHES_TOTAL, resumed);
    assert_non_null(row);
    assert_true(row->avg < 1e6); /* growth over the gap belongs to no one minute */
    assert_true(summary(fake)->hashes_total > 1e9); /* but to the total */
    fake_free(fake);
}

static void old_values_of_before_the_start_are_not_sampled(void **state)
{
    struct fake *fake = herd_new(T0);
    fake_miner_say(fake, 1, SHEP_M_HASHRATE, 500);
    fake_wall_jump(fake, 10 * MINUTE);
    fake_start(fake);
    size_t n;
    fake_advance(fake, 5 * MINUTE);
    fake_rollups(fake, &n);
    assert_int_equal(n, 0);
    assert_true(isnan(summary(fake)->hashrate_1h));
    fake_free(fake);
}

static void values_from_the_future_are_not_fresh_at_the_start(void **state)
{
    struct fake *fake = herd_new(T0 + HOUR);
    fake_miner_say(fake, 1, SHEP_M_HASHRATE, 500);
    fake_wall_jump(fake, -10 * MINUTE); /* said before the clock was set back */
    fake_start(fake);
    size_t n;
    fake_advance(fake, 5 * MINUTE);
    fake_rollups(fake, &n);
    assert_int_equal(n, 0);
    fake_free(fake);
}

/* ---- folding and retention ---- */

static size_t folds_of(struct fake *fake, uint32_t to_s, int64_t from_ms)
{
    size_t n, found = 0;
    const struct fake_range *folds = fake_folds(fake, &n);
    for (size_t i = 0; i < n; i++)
        if (folds[i].to_s == to_s && folds[i].from_ms == from_ms) {
            assert_int_equal(folds[i].to_ms - folds[i].from_ms, (int64_t)to_s * 1000);
            found++;
        }
    return found;
}

static void hours_and_days_are_folded_once_after_their_end(void **state)
{
    struct fake *fake = herd_start(T0 + 22 * (int64_t)HOUR + 58 * MINUTE);
    struct voice v = {.rate = 100};
    size_t n;
    speak(fake, &v, 2 * MINUTE + 10000);
    fake_folds(fake, &n);
    assert_int_equal(n, 0);
    speak(fake, &v, MINUTE);
    assert_int_equal(folds_of(fake, 3600, T0 + 22 * (int64_t)HOUR), 1);
    speak(fake, &v, HOUR);
    assert_int_equal(folds_of(fake, 3600, T0 + 23 * (int64_t)HOUR), 1);
    assert_int_equal(folds_of(fake, 86400, T0), 1);
    fake_folds(fake, &n);
    assert_int_equal(n, 3);
    fake_free(fake);
}

static void hours_without_rows_are_not_folded(void **state)
{
    struct fake *fake = herd_start(T0);
    size_t n;
    struct voice v = {.rate = 100};
    speak(fake, &v, MINUTE);
    fake_advance(fake, 5 * HOUR);
    fake_folds(fake, &n);
    assert_int_equal(n, 1);
    fake_free(fake);
}

static void a_restart_folds_what_was_left(void **state)
{
    struct fake *fake = herd_start(T0 + 23 * (int64_t)HOUR + 30 * MINUTE), *again;
    struct voice v = {.rate = 100};
    speak(fake, &v, 5 * MINUTE);
    fake_stop(fake);
    again = herd_new(T0 + 40 * (int64_t)HOUR);
    fake_kv_copy(again, fake);
    fake_free(fake);
    fake_start(again);
    fake_advance(again, 2 * MINUTE);
    size_t n;
    const struct fake_range *folds = fake_folds(again, &n);
    assert_int_equal(n, 2);
    assert_int_equal(folds[0].to_s, 3600);
    assert_true(folds[0].from_ms <= T0 + 23 * (int64_t)HOUR);
    assert_true(folds[0].to_ms - folds[0].from_ms <= 2 * HOUR);
    assert_int_equal(folds[1].to_s, 86400);
    assert_int_equal(folds[1].from_ms, T0);
    fake_free(again);
}

static void old_rows_are_dropped_as_the_options_say(void **state)
{
    struct fake *fake = herd_new(T0);
    fake_opt(fake, "keep_minutes_days", "2");
    fake_opt(fake, "keep_hours_days", "0");
    fake_start(fake);
    fake_advance(fake, 61 * MINUTE);
    size_t n;
    const struct fake_range *drops = fake_drops(fake, &n);
    assert_int_equal(n, 1);
    assert_int_equal(drops[0].from_s, 60);
    assert_in_range(fake_wall_ms(fake) - drops[0].to_ms, 2 * (int64_t)DAY,
                    2 * (int64_t)DAY + 2 * MINUTE);
    fake_free(fake);
}

/* ---- clocks that jump ---- */

static void rows_are_sane(struct fake *fake, double max_growth)
{
    size_t n;
    const struct shep_rollup *rows = fake_rollups(fake, &n);
    for (size_t i = 0; i < n; i++) {
        assert_true(rows[i].n > 0 && rows[i].n <= 40);
        assert_true(rows[i].avg >= 0);
        if (rows[i].metric == SHEP_M_HASHES_TOTAL)
            assert_true(rows[i].avg <= max_growth);
    }
}

static void ntp_sets_a_late_clock_forward_by_years(void **state)
{
    struct fake *fake = herd_start(INT64_C(1600000000000)); /* 2020 */
    struct voice v = {.rate = 1000, .hashes = 1e6, .counts = true};
    size_t rows, folds, drops;
    speak(fake, &v, 10 * MINUTE);
    fake_wall_jump(fake, T0 - fake_wall_ms(fake));
    speak(fake, &v, 70 * MINUTE);
    fake_rollups(fake, &rows);
    assert_in_range(rows, 3 * 78, 3 * 84); /* three metrics, 80 minutes: no years between */
    rows_are_sane(fake, 70000);
    near(summary(fake)->hashrate_1h, 1000, 1);
    near(summary(fake)->hashes_total, v.hashes, 70000);
    near(summary(fake)->online_share_24h, 1, 0.02);
    fake_folds(fake, &folds);
    assert_true(folds <= 6);
    fake_drops(fake, &drops);
    assert_int_equal(drops, 0); /* the new time may be the wrong one */
    fake_free(fake);
}

static void clock_set_back_by_an_hour_makes_nothing_negative(void **state)
{
    struct fake *fake = herd_start(T0 + 5 * (int64_t)HOUR);
    struct voice v = {.rate = 1000, .hashes = 1e6, .counts = true};
    speak(fake, &v, 10 * MINUTE + 20000);
    fake_wall_jump(fake, -HOUR);
    speak(fake, &v, 10 * MINUTE);
    rows_are_sane(fake, 70000);
    assert_non_null(fake_rollup(fake, 1, SHEP_M_HASHRATE, T0 + 4 * (int64_t)HOUR + 12 * MINUTE));
    near(summary(fake)->hashrate_1h, 1000, 1);
    near(summary(fake)->hashes_total, v.hashes, 70000);
    /* a miner that fell silent before the jump is not fresh for an hour */
    size_t before, after;
    fake_advance(fake, 90000);
    fake_wall_jump(fake, -HOUR);
    fake_advance(fake, 2 * MINUTE);
    fake_rollups(fake, &before);
    fake_advance(fake, 30 * MINUTE);
    fake_rollups(fake, &after);
    assert_int_equal(before, after);
    fake_free(fake);
}

static void clock_set_back_by_seconds_lengthens_the_minute(void **state)
{
    struct fake *fake = herd_start(T0);
    struct voice v = {.rate = 100};
    speak(fake, &v, 62000);
    fake_wall_jump(fake, -10000);
    speak(fake, &v, 70000);
    const struct shep_rollup *first = fake_rollup(fake, 1, SHEP_M_HASHRATE, T0);
    assert_non_null(first);
    assert_in_range(first->n, 11, 13); /* not overwritten by a stump */
    fake_free(fake);
}

static void a_clock_never_set_labels_nothing(void **state)
{
    struct fake *fake = herd_start(120000); /* 1970 */
    struct voice v = {.rate = 100};
    size_t n;
    speak(fake, &v, 10 * MINUTE);
    fake_rollups(fake, &n);
    assert_int_equal(n, 0);
    near(summary(fake)->hashrate_1h, 100, 1e-6);
    fake_free(fake);
}

/* ---- totals across resets ---- */

static void totals_go_on_after_a_reset(void **state)
{
    struct fake *fake = herd_start(T0);
    struct voice v = {.rate = 1000, .hashes = 5e7, .shares = 7, .counts = true};
    speak(fake, &v, 5 * MINUTE);
    double before = v.hashes;
    fake_advance(fake, 10000);
    v.hashes = 2000; /* it counts from zero */
    v.shares = 0;
    speak(fake, &v, 3 * MINUTE);
    v.shares = 2;
    speak(fake, &v, 3 * MINUTE);
    near(summary(fake)->hashes_total, before + v.hashes, 70000);
    near(summary(fake)->shares_total, 9, 0);
    rows_are_sane(fake, 70000);
    fake_free(fake);
}

static void restored_counters_are_not_counted_twice(void **state)
{
    struct fake *fake = herd_start(T0);
    struct voice v = {.rate = 1000, .hashes = 5e9, .shares = 9, .counts = true};
    speak(fake, &v, 5 * MINUTE);
    double before = v.hashes;
    fake_advance(fake, 30000);
    v.hashes = 4.9e9; /* what the board had saved in its flash an hour ago */
    v.shares = 8;
    speak(fake, &v, 5 * MINUTE);
    near(summary(fake)->hashes_total, before + 5 * 60000, 70000);
    near(summary(fake)->shares_total, 9, 0);
    fake_free(fake);
}

static void khashes_wrap_at_32_bits(void **state)
{
    struct fake *fake = herd_start(T0);
    struct voice v = {.rate = 1e6, .hashes = 4294967296000.0 - 100e6, .counts = true};
    speak(fake, &v, 10000);
    v.hashes = 20e6;
    speak(fake, &v, 3 * MINUTE);
    near(summary(fake)->hashes_total, 4294967296000.0 + v.hashes, 70e6);
    assert_true(summary(fake)->hashes_total > 4294967296000.0);
    fake_free(fake);
}

static void totals_survive_a_restart(void **state)
{
    struct fake *fake = herd_start(T0), *again;
    struct voice v = {.rate = 1000, .hashes = 5e7, .shares = 3, .best = 812.5, .counts = true};
    speak(fake, &v, 5 * MINUTE);
    v.hashes = 1000;
    v.shares = 0;
    v.best = 1.5;
    speak(fake, &v, 5 * MINUTE);
    double total = summary(fake)->hashes_total, at = v.hashes;
    fake_stop(fake);
    again = herd_new(fake_wall_ms(fake) + 10 * MINUTE);
    fake_kv_copy(again, fake);
    fake_rollups_copy(again, fake);
    fake_free(fake);
    v.hashes += 600 * 1000; /* the board went on without us */
    fake_start(again);
    speak(again, &v, 2 * MINUTE);
    near(summary(again)->hashes_total, total + (v.hashes - at), 70000);
    near(summary(again)->shares_total, 3, 0);
    near(summary(again)->best_difficulty_ever, 812.5, 0);
    near(summary(again)->hashrate_24h, 1000, 1); /* from the rows */
    fake_free(again);
}

static void accepted_shares_come_before_32bit_shares(void **state)
{
    struct fake *fake = herd_start(T0);
    fake_miner_say(fake, 1, SHEP_M_SHARES_32BIT, 2);
    fake_advance(fake, 70000);
    near(summary(fake)->shares_total, 2, 0);
    fake_miner_say(fake, 1, SHEP_M_SHARES_ACCEPTED, 40);
    fake_advance(fake, 70000);
    near(summary(fake)->shares_total, 40, 0);
    fake_free(fake);
}

static void damaged_baselines_are_survived(void **state)
{
    struct fake *fake = herd_new(T0);
    fake_kv_set(fake, "state", "x y");
    fake_kv_set(fake, "base.0",
                "1 nan -5e9 1 nan nan nan nan\n\n1 2\nnonsense\n-4 1 1 1 1 1 1 1\n"
                "2 inf inf 1 nan nan nan nan");
    assert_int_equal(fake_start(fake), 0);
    struct voice v = {.rate = 10, .hashes = 100, .counts = true};
    speak(fake, &v, 2 * MINUTE);
    near(summary(fake)->hashes_total, v.hashes, 700);
    fake_free(fake);
}

/* ---- summaries ---- */

static void averages_weigh_time_and_forget(void **state)
{
    struct fake *fake = herd_start(T0);
    struct voice v = {.rate = 100};
    speak(fake, &v, HOUR);
    v.rate = 400;
    speak(fake, &v, HOUR / 2);
    near(summary(fake)->hashrate_1h, 250, 8);
    near(summary(fake)->hashrate_24h, 200, 5);
    speak(fake, &v, 2 * HOUR);
    near(summary(fake)->hashrate_1h, 400, 1e-3);
    fake_advance(fake, 3 * HOUR);
    assert_true(isnan(summary(fake)->hashrate_1h)); /* nothing heard: not zero */
    near(summary(fake)->hashrate_24h, 314.3, 5);
    fake_advance(fake, DAY);
    assert_true(isnan(summary(fake)->hashrate_24h));
    fake_free(fake);
}

static void averages_weigh_each_sample(void **state)
{
    struct fake *fake = herd_start(T0);
    struct voice v = {.rate = 100};
    for (int i = 0; i < 60; i++) {
        v.rate = i % 2 ? 100 : 300;
        speak(fake, &v, 5000);
    }
    near(summary(fake)->hashrate_1h, 200, 5);
    fake_free(fake);
}

static void online_share_is_of_the_time_watched(void **state)
{
    struct fake *fake = herd_start(T0);
    struct voice v = {.rate = 100};
    speak(fake, &v, 3 * HOUR);
    near(summary(fake)->online_share_24h, 1, 0.01);
    fake_miner(fake, 1, "BARN-01", SHEP_STATUS_OFFLINE);
    fake_advance(fake, HOUR);
    near(summary(fake)->online_share_24h, 0.75, 0.01);
    fake_miner(fake, 2, "NEW", SHEP_STATUS_ONLINE);
    fake_advance(fake, 2 * MINUTE);
    near(fake_summary(fake, 2)->online_share_24h, 1, 0.01);
    fake_free(fake);
}

static void summaries_are_put_once_a_minute_and_only_when_new(void **state)
{
    struct fake *fake = herd_start(T0);
    struct voice v = {.rate = 100, .hashes = 1, .counts = true};
    speak(fake, &v, 10 * MINUTE);
    assert_in_range(fake_summaries(fake), 9, 13);
    fake_advance(fake, 2 * (int64_t)DAY); /* long silent: nothing changes any more */
    size_t before = fake_summaries(fake);
    fake_advance(fake, HOUR);
    assert_int_equal(fake_summaries(fake), before);
    fake_free(fake);
}

static void a_new_best_is_told_soon_but_not_in_a_storm(void **state)
{
    struct fake *fake = herd_start(T0);
    struct voice v = {.rate = 100, .best = 1};
    speak(fake, &v, 62000);
    v.best = 5000;
    speak(fake, &v, 20000);
    near(summary(fake)->best_difficulty_ever, 5000, 0);
    v.best = 3; /* the device forgot */
    speak(fake, &v, 62000);
    near(summary(fake)->best_difficulty_ever, 5000, 0);
    size_t before = fake_summaries(fake);
    for (int i = 0; i < 60; i++) {
        v.best = 6000 + i;
        speak(fake, &v, 1000);
    }
    assert_in_range(fake_summaries(fake) - before, 2, 8);
    fake_free(fake);
}

static void removed_miners_get_no_more_summaries(void **state)
{
    struct fake *fake = herd_start(T0);
    struct voice v = {.rate = 100};
    speak(fake, &v, 3 * MINUTE);
    fake_miner_remove(fake, 1);
    fake_advance(fake, 5000);
    size_t before = fake_summaries(fake);
    fake_advance(fake, HOUR);
    assert_int_equal(fake_summaries(fake), before);
    fake_free(fake);
}

static void baselines_are_kept_seldom(void **state)
{
    struct fake *fake = herd_start(T0);
    struct voice v = {.rate = 100, .hashes = 1, .counts = true};
    speak(fake, &v, HOUR);
    assert_in_range(fake_kv_puts(fake), 2 * 11, 2 * 13);
    fake_free(fake);
}

static void values_that_are_no_numbers_are_ignored(void **state)
{
    struct fake *fake = herd_start(T0);
    fake_miner_say(fake, 1, SHEP_M_HASHRATE, NAN);
    fake_miner_say(fake, 1, SHEP_M_BEST_DIFFICULTY, INFINITY);
    fake_miner_say(fake, 1, SHEP_M_HASHES_TOTAL, -INFINITY);
    fake_advance(fake, 3 * MINUTE);
    size_t n;
    fake_rollups(fake, &n);
    assert_int_equal(n, 0);
    assert_true(isnan(summary(fake)->best_difficulty_ever));
    fake_free(fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(minute_rows_have_min_max_mean_and_last),
        cmocka_unit_test(counter_rows_have_growth),
        cmocka_unit_test(metrics_of_plugins_have_rows_too),
        cmocka_unit_test(counters_of_plugins_go_on_after_a_reset),
        cmocka_unit_test(metrics_over_the_bound_have_no_rows_and_the_log_says_so),
        cmocka_unit_test(a_host_without_our_metrics_is_refused),
        cmocka_unit_test(gaps_stay_gaps),
        cmocka_unit_test(old_values_of_before_the_start_are_not_sampled),
        cmocka_unit_test(values_from_the_future_are_not_fresh_at_the_start),
        cmocka_unit_test(hours_and_days_are_folded_once_after_their_end),
        cmocka_unit_test(hours_without_rows_are_not_folded),
        cmocka_unit_test(a_restart_folds_what_was_left),
        cmocka_unit_test(old_rows_are_dropped_as_the_options_say),
        cmocka_unit_test(ntp_sets_a_late_clock_forward_by_years),
        cmocka_unit_test(clock_set_back_by_an_hour_makes_nothing_negative),
        cmocka_unit_test(clock_set_back_by_seconds_lengthens_the_minute),
        cmocka_unit_test(a_clock_never_set_labels_nothing),
        cmocka_unit_test(totals_go_on_after_a_reset),
        cmocka_unit_test(restored_counters_are_not_counted_twice),
        cmocka_unit_test(khashes_wrap_at_32_bits),
        cmocka_unit_test(totals_survive_a_restart),
        cmocka_unit_test(accepted_shares_come_before_32bit_shares),
        cmocka_unit_test(damaged_baselines_are_survived),
        cmocka_unit_test(averages_weigh_time_and_forget),
        cmocka_unit_test(averages_weigh_each_sample),
        cmocka_unit_test(online_share_is_of_the_time_watched),
        cmocka_unit_test(summaries_are_put_once_a_minute_and_only_when_new),
        cmocka_unit_test(a_new_best_is_told_soon_but_not_in_a_storm),
        cmocka_unit_test(removed_miners_get_no_more_summaries),
        cmocka_unit_test(baselines_are_kept_seldom),
        cmocka_unit_test(values_that_are_no_numbers_are_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
