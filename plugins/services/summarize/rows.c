/* Minute rows: samples of the running minute, written when it is over; hours and days folded from
 * them; old rows dropped. Labels follow the wall clock, whatever it does: a minute that a jump cuts
 * off is written as far as it got, and only hours that have rows are folded. */
#include "summarize.h"

#include <math.h>
#include <string.h>

enum {
    GROWTH_GAP_MS = 120000, /* counters: growth over a longer silence belongs to no one minute */
    FOLD_HOUR_AFTER_MS = 30000,
    FOLD_DAY_AFTER_MS = 60000, /* after the day's last hour */
    DROP_EVERY_MS = HOUR_MS,
    RATE_SLACK_S = 60, /* a counter that began before we saw its reset */
    SHARE_SLACK = 10,
    RESET_TOGETHER_MS = 60000
};
/* A clock before 2020 was never set: such a board has no battery and no network yet. Rows would be
 * labelled with nonsense. */
static const int64_t wall_plausible_ms = INT64_C(1577836800000);

/* ---- what has history ---- */

static int metric_find(const struct summarize *self, uint32_t metric)
{
    for (int i = 0; i < self->n_metrics; i++)
        if (self->metrics[i].id == metric)
            return i;
    return -1;
}

static void metric_add(uint32_t id, const struct shep_metric_info *info, void *arg)
{
    struct summarize *self = arg;
    if (!info->history)
        return;
    if (self->n_metrics == METRICS_MAX) {
        self->metrics_over++;
        return;
    }
    self->metrics[self->n_metrics++] = (struct metric){
        .id = id, .counter = info->counter != 0, .shares = strcmp(info->unit, "shares") == 0};
}

int rows_metrics(struct summarize *self)
{
    static const uint32_t needed[] = {SHEP_M_HASHRATE, SHEP_M_HASHES_TOTAL, SHEP_M_SHARES_ACCEPTED,
                                      SHEP_M_SHARES_32BIT};
    self->host->metric_each(self->ctx, metric_add, self);
    if (self->metrics_over > 0)
        self->host->log(self->ctx, SHEP_LOG_WARN,
                        "over %d metrics with history: the %d that were declared last have no rows",
                        METRICS_MAX, self->metrics_over);
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if (metric_find(self, needed[i]) < 0)
            return self->host->fail(self->ctx, SHEP_E_UNSUPPORTED,
                                    "summarize: metric %u has no history in this daemon; install "
                                    "the plugin that came with it",
                                    (unsigned)needed[i]);
    return 0;
}

int rows_index(const struct summarize *self, uint32_t metric)
{
    return metric_find(self, metric); /* there is one: rows_metrics() looked */
}

/* ---- samples ---- */

/* The age of a value by our own watching: its label may be of a clock that jumped since. */
static bool series_fresh(const struct summarize *self, struct series *series, int64_t at_ms)
{
    if (series->at_ms == 0) {
        int64_t age = self->wall - at_ms;
        bool known = age >= -TICK_MS && age < FRESH_MS; /* else from before a jump, or old */
        series->seen_mono = self->mono - (known ? (age > 0 ? age : 0) : FRESH_MS);
    } else if (at_ms != series->at_ms) {
        series->seen_mono = self->mono;
    }
    series->at_ms = at_ms;
    return self->mono - series->seen_mono < FRESH_MS;
}

static void series_note(struct series *series, double value, double amount)
{
    if (series->n == 0) {
        series->min = series->max = value;
        series->sum = 0;
    }
    series->n++;
    series->min = value < series->min ? value : series->min;
    series->max = value > series->max ? value : series->max;
    series->sum += amount;
    series->last = value;
}

/* Right after a boot boards say 0: what they can do is what they did before. Forgotten in hours. */
static void rate_note(struct herd_member *member, double value)
{
    if (isnan(member->rate_hps) || value > member->rate_hps)
        member->rate_hps = value;
    else
        member->rate_hps += (value - member->rate_hps) * 0.001;
}

/* The most that a counter can have grown since its last sample. */
static double growth_limit(const struct summarize *self, const struct herd_member *member,
                           const struct series *series, const struct metric *metric)
{
    int64_t elapsed_ms = series->prev_mono ? self->mono - series->prev_mono
                         : self->kept_wall ? self->wall - self->kept_wall
                                           : 0;
    double elapsed_s = elapsed_ms > 0 ? (double)elapsed_ms / 1000 : 0;
    if (metric->id == SHEP_M_HASHES_TOTAL)
        return 2 * member->rate_hps * (elapsed_s + RATE_SLACK_S); /* NAN without a rate */
    if (!metric->shares)
        return NAN; /* only the plugin that declared it knows its pace */
    if (member->hashes_step == TOTAL_RESTORED &&
        self->mono - member->hashes_step_mono < RESET_TOGETHER_MS)
        return -1; /* the board restored what it had saved, shares too */
    return elapsed_s + SHARE_SLACK;
}

static void counter_sample(struct summarize *self, struct herd_member *member,
                           struct series *series, const struct metric *metric, double value)
{
    double growth;
    double limit = growth_limit(self, member, series, metric);
    enum total_step step = total_add(&series->total, value, limit, &growth);
    if (step == TOTAL_RESET || step == TOTAL_RESTORED) {
        self->keep_soon |= metric->id < SHEP_METRIC_MAX; /* of plugins' nothing is kept */
        if (metric->id == SHEP_M_HASHES_TOTAL) {
            member->hashes_step = step;
            member->hashes_step_mono = self->mono;
        }
    }
    bool within = series->prev_mono > 0 && self->mono - series->prev_mono <= GROWTH_GAP_MS;
    series_note(series, value, within ? growth : 0);
    series->prev_mono = self->mono;
}

void rows_sample(struct summarize *self, struct herd_member *member, const struct shep_miner *miner)
{
    for (int i = 0; i < self->n_metrics; i++) {
        const struct metric *metric = &self->metrics[i];
        struct series *series = &member->series[i];
        double value;
        int64_t at_ms;
        if (self->host->miner_value(self->ctx, miner, metric->id, &value, &at_ms) < 0 ||
            !isfinite(value) || !series_fresh(self, series, at_ms))
            continue;
        if (metric->id == SHEP_M_HASHRATE)
            rate_note(member, value);
        if (metric->counter)
            counter_sample(self, member, series, metric, value);
        else
            series_note(series, value, value);
    }
}

/* ---- the running minute ---- */

static void row_write(struct summarize *self, const struct herd_member *member, int i)
{
    const struct series *series = &member->series[i];
    struct shep_rollup row = {
        .size = sizeof row,
        .metric = self->metrics[i].id,
        .period_s = 60,
        .n = series->n,
        .miner_id = member->id,
        .t_ms = self->minute_ms,
        .min = series->min,
        .max = series->max,
        .avg = self->metrics[i].counter ? series->sum : series->sum / series->n,
        .last = series->last,
    };
    self->host->rollup_put(self->ctx, &row);
    self->last_row_ms = self->minute_ms;
}

void rows_close(struct summarize *self)
{
    bool label = self->minute_ms >= wall_plausible_ms;
    for (size_t m = 0; m < self->n_members; m++)
        for (int i = 0; i < self->n_metrics; i++) {
            struct series *series = &self->members[m]->series[i];
            if (series->n > 0 && label)
                row_write(self, self->members[m], i);
            series->n = 0;
        }
    self->minute_ms = -1;
}

/* ---- folding ---- */

static int64_t floor_to(int64_t t_ms, int64_t period_ms)
{
    return t_ms - ((t_ms % period_ms) + period_ms) % period_ms;
}

static void fold_run(struct summarize *self, const struct fold *fold)
{
    self->host->rollup_fold(self->ctx, fold->from_s, fold->to_s, fold->from_ms, fold->to_ms);
}

static void fold_later(struct summarize *self, uint32_t from_s, uint32_t to_s, int64_t from_ms,
                       int64_t to_ms, int64_t in_ms)
{
    struct fold fold = {from_s, to_s, from_ms, to_ms, self->mono + in_ms};
    if (from_ms >= to_ms)
        return;
    if (self->n_folds == FOLDS_MAX)
        fold_run(self, &fold); /* a clock that jumps all the time */
    else
        self->folds[self->n_folds++] = fold;
}

/* What the previous run left unfolded. It kept the label of its last row a few minutes before it
 * ended, so the hour after it counts too. */
static void fold_leftover(struct summarize *self)
{
    int64_t last = self->leftover_ms, hour = floor_to(self->wall, HOUR_MS),
            day = floor_to(self->wall, DAY_MS);
    if (last == 0 || hour <= floor_to(last, HOUR_MS))
        return; /* nothing, the same hour still, or a clock that is behind: later */
    int64_t hours_end = floor_to(last, HOUR_MS) + 2 * (int64_t)HOUR_MS;
    int64_t days_end = floor_to(last + HOUR_MS, DAY_MS) + DAY_MS;
    fold_later(self, 60, 3600, floor_to(last, HOUR_MS), hours_end < hour ? hours_end : hour,
               FOLD_HOUR_AFTER_MS);
    fold_later(self, 3600, 86400, floor_to(last, DAY_MS), days_end < day ? days_end : day,
               FOLD_DAY_AFTER_MS);
    self->leftover_ms = 0;
}

static bool rows_within(const struct summarize *self, int64_t from_ms, int64_t period_ms)
{
    return self->last_row_ms >= from_ms && self->last_row_ms < from_ms + period_ms;
}

static void minute_over(struct summarize *self, int64_t now_minute)
{
    int64_t hour = floor_to(self->minute_ms, HOUR_MS), day = floor_to(self->minute_ms, DAY_MS);
    rows_close(self);
    if (floor_to(now_minute, HOUR_MS) != hour && rows_within(self, hour, HOUR_MS))
        fold_later(self, 60, 3600, hour, hour + HOUR_MS, FOLD_HOUR_AFTER_MS);
    if (floor_to(now_minute, DAY_MS) != day && rows_within(self, day, DAY_MS))
        fold_later(self, 3600, 86400, day, day + DAY_MS, FOLD_DAY_AFTER_MS);
}

bool rows_clock(struct summarize *self)
{
    int64_t now_minute = floor_to(self->wall, MINUTE_MS);
    int64_t step = self->wall - self->mono - self->offset;
    self->offset = self->wall - self->mono;
    if (step > DAY_MS)
        self->jumped_mono = self->mono;
    fold_leftover(self);
    if (self->minute_ms == now_minute)
        return false;
    if (self->minute_ms - now_minute == MINUTE_MS)
        return false; /* set back by seconds: the minute just lasts longer */
    bool over = self->minute_ms >= 0;
    if (over)
        minute_over(self, now_minute);
    self->minute_ms = now_minute;
    return over;
}

/* ---- what is due ---- */

static void drop_old(struct summarize *self)
{
    bool unsure = self->jumped_mono > 0 && self->mono - self->jumped_mono < DAY_MS;
    if (unsure || self->wall < wall_plausible_ms)
        return; /* a clock set to a wrong year must not delete everything */
    if (self->keep_minutes_ms > 0)
        self->host->rollup_drop(self->ctx, 60, self->wall - self->keep_minutes_ms);
    if (self->keep_hours_ms > 0)
        self->host->rollup_drop(self->ctx, 3600, self->wall - self->keep_hours_ms);
}

void rows_upkeep(struct summarize *self)
{
    size_t kept = 0;
    for (size_t i = 0; i < self->n_folds; i++) {
        if (self->folds[i].due_mono <= self->mono)
            fold_run(self, &self->folds[i]);
        else
            self->folds[kept++] = self->folds[i];
    }
    self->n_folds = kept;
    if (self->mono - self->drop_mono >= DROP_EVERY_MS) {
        self->drop_mono = self->mono;
        drop_old(self);
    }
}
