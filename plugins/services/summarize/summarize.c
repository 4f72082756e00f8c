/* Service "summarize": reads the herd every 5 s and makes history of it: minute, hour and day rows,
 * and one summary per miner (averages, totals across resets, the best ever, share of time online).
 * Thread: loop.
 *
 * Promises: what was not heard is a gap, never a zero; nothing is written for miners that say
 * nothing; a summary is written at most once a minute, or after 10 s when something of note
 * happened. */
#include "summarize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    URGENT_MS = 10000, /* the least time between two summaries of a miner */
    KEEP_MS = 300000,  /* keep.c says why */
    KEEP_SOON_MS = 60000,
    RESTORE_JUMP_MS = 600000 /* a clock set by this much: rows of the day may now be found */
};

/* ---- members ---- */

struct herd_member *member_get(struct summarize *self, int64_t id)
{
    for (size_t i = 0; i < self->n_members; i++)
        if (self->members[i]->id == id)
            return self->members[i];
    if (self->n_members == MINERS_MAX) {
        if (!self->full_told)
            self->host->log(self->ctx, SHEP_LOG_WARN,
                            "over %d miners: the others have no history and no summary",
                            MINERS_MAX);
        self->full_told = true;
        return NULL;
    }
    size_t series_bytes = (size_t)self->n_metrics * sizeof(struct series);
    struct herd_member *member = calloc(1, sizeof *member + series_bytes);
    if (!member)
        return NULL;
    member->id = id;
    member->rate_hps = member->best_ever = NAN;
    member->since_minute = self->mono / MINUTE_MS;
    uint32_t taken = window_online(&self->taken, member->since_minute, member->since_minute);
    member->missed = taken > 0 ? taken - 1 : 0; /* of its first minute, before it came */
    window_init(&member->window, self->mono / MINUTE_MS);
    for (int i = 0; i < self->n_metrics; i++)
        member->series[i].total = (struct total){NAN, NAN};
    self->members[self->n_members++] = member;
    return member;
}

/* ---- the last 24 hours, from rows of before the start ---- */

static void restored(const struct shep_rollup *rows, size_t n, int err, void *arg)
{
    struct summarize *self = arg;
    int64_t now = self->mono / MINUTE_MS;
    for (size_t i = 0; i < n; i++) {
        int64_t minute = now - (self->wall - rows[i].t_ms) / MINUTE_MS;
        struct herd_member *member = member_get(self, rows[i].miner_id);
        if (!member || rows[i].t_ms > self->wall || !isfinite(rows[i].avg))
            continue;
        if (!window_restore(&member->window, minute, rows[i].avg, rows[i].n))
            continue;
        window_restore(&self->taken, minute, 1, MINUTE_MS / TICK_MS);
        if (minute < member->since_minute) {
            member->since_minute = minute;
            member->missed = 0;
        }
    }
    if (err < 0)
        self->host->log(self->ctx, SHEP_LOG_WARN,
                        "the last 24 hours cannot be read (error %d); averages begin anew", err);
}

static void restore(struct summarize *self)
{
    self->host->rollup_get(self->ctx, 60, SHEP_M_HASHRATE, self->wall - DAY_MS, self->wall,
                           restored, self);
}

/* ---- summaries ---- */

static double total_sum(const struct summarize *self, const struct herd_member *member,
                        uint32_t metric)
{
    return member->series[rows_index(self, metric)].total.sum;
}

static double shares_total(const struct summarize *self, const struct herd_member *member)
{
    double accepted = total_sum(self, member, SHEP_M_SHARES_ACCEPTED);
    return isnan(accepted) ? total_sum(self, member, SHEP_M_SHARES_32BIT) : accepted;
}

static struct shep_summary summary_make(const struct summarize *self,
                                        const struct herd_member *member)
{
    int64_t now = self->mono / MINUTE_MS;
    uint32_t watched = window_online(&self->taken, now, member->since_minute);
    uint32_t online = window_online(&member->window, now, member->since_minute);
    watched -= watched > member->missed ? member->missed : 0;
    double share = watched ? (double)online / watched : NAN;
    return (struct shep_summary){
        .size = sizeof(struct shep_summary),
        .miner_id = member->id,
        .at_ms = self->wall,
        .hashrate_1h = window_mean(&member->window, now, 60),
        .hashrate_24h = window_mean(&member->window, now, WINDOW_MINUTES),
        .hashes_total = total_sum(self, member, SHEP_M_HASHES_TOTAL),
        .shares_total = shares_total(self, member),
        .best_difficulty_ever = member->best_ever,
        .online_share_24h = share > 1 ? 1 : share,
    };
}

static bool number_same(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

static bool summary_same(const struct shep_summary *a, const struct shep_summary *b)
{
    return a->size == b->size && number_same(a->hashrate_1h, b->hashrate_1h) &&
           number_same(a->hashrate_24h, b->hashrate_24h) &&
           number_same(a->hashes_total, b->hashes_total) &&
           number_same(a->shares_total, b->shares_total) &&
           number_same(a->best_difficulty_ever, b->best_difficulty_ever) &&
           number_same(a->online_share_24h, b->online_share_24h);
}

static void summary_tell(struct summarize *self, struct herd_member *member, bool minute_over)
{
    bool urgent = member->urgent && self->mono - member->put_mono >= URGENT_MS;
    if (member->seen_mono != self->mono || (!minute_over && !urgent))
        return; /* taken out of the herd, or not its time */
    struct shep_summary summary = summary_make(self, member);
    member->urgent = false;
    if (summary_same(&summary, &member->put))
        return; /* nothing new of a miner that is away: the card is spared */
    member->put = summary;
    member->put_mono = self->mono;
    self->host->summary_put(self->ctx, &summary);
}

/* ---- the tick ---- */

static void best_look(struct summarize *self, struct herd_member *member,
                      const struct shep_miner *miner, uint32_t metric)
{
    double value;
    if (self->host->miner_value(self->ctx, miner, metric, &value, NULL) < 0 || !isfinite(value) ||
        value <= 0 || value <= member->best_ever)
        return;
    member->best_ever = value;
    member->urgent = self->keep_soon = true;
}

static void member_look(const struct shep_miner *miner, void *arg)
{
    struct summarize *self = arg;
    struct herd_member *member = member_get(self, miner->id);
    if (!member)
        return;
    struct series *rate = &member->series[rows_index(self, SHEP_M_HASHRATE)];
    uint32_t before = rate->n;
    bool online = miner->status == SHEP_STATUS_ONLINE;
    rows_sample(self, member, miner);
    bool heard = rate->n > before;
    member->seen_mono = self->mono;
    window_add(&member->window, self->mono / MINUTE_MS, heard ? rate->last : NAN, online);
    best_look(self, member, miner, SHEP_M_BEST_DIFFICULTY);
    best_look(self, member, miner, SHEP_M_SESSION_BEST_DIFFICULTY);
    if (online != member->online)
        member->urgent = true;
    member->online = online;
}

static void tick(void *arg)
{
    struct summarize *self = arg;
    int64_t offset = self->wall - self->mono;
    self->wall = self->host->now_ms(self->ctx);
    self->mono = self->host->mono_ms(self->ctx);
    if (llabs(self->wall - self->mono - offset) > RESTORE_JUMP_MS)
        restore(self);
    bool minute_over = rows_clock(self);
    window_add(&self->taken, self->mono / MINUTE_MS, 1, true);
    self->host->each_miner(self->ctx, member_look, self);
    for (size_t i = 0; i < self->n_members; i++)
        summary_tell(self, self->members[i], minute_over);
    rows_upkeep(self);
    int64_t unkept = self->mono - self->keep_mono;
    if (unkept >= KEEP_MS || (self->keep_soon && unkept >= KEEP_SOON_MS))
        keep_save(self);
}

/* ---- the plugin ---- */

static int64_t days_read(struct summarize *self, const char *name)
{
    int64_t days = 0;
    self->host->opt_int(self->ctx, name, &days);
    return days * DAY_MS;
}

static void summarize_free(struct summarize *self)
{
    for (size_t i = 0; i < self->n_members; i++)
        free(self->members[i]);
    free(self->members);
    free(self);
}

static int summarize_start(struct shep_ctx *ctx, const struct shep_host *host, void **out)
{
    struct summarize *self = calloc(1, sizeof *self);
    if (!self)
        return SHEP_E_NOMEM;
    self->members = calloc(MINERS_MAX, sizeof(struct herd_member *));
    self->ctx = ctx;
    self->host = host;
    self->wall = host->now_ms(ctx);
    self->mono = self->keep_mono = self->drop_mono = host->mono_ms(ctx);
    self->offset = self->wall - self->mono;
    self->minute_ms = -1;
    self->keep_minutes_ms = days_read(self, "keep_minutes_days");
    self->keep_hours_ms = days_read(self, "keep_hours_days");
    window_init(&self->taken, self->mono / MINUTE_MS);
    int err = self->members ? rows_metrics(self) : SHEP_E_NOMEM;
    if (err >= 0)
        err = host->timer(ctx, 0, TICK_MS, tick, self, NULL);
    if (err < 0) {
        summarize_free(self);
        return err;
    }
    keep_load(self);
    restore(self);
    *out = self;
    return 0;
}

static void summarize_stop(void *arg)
{
    struct summarize *self = arg;
    rows_close(self); /* the part of the minute that there is */
    keep_save(self);
    summarize_free(self);
}

static const struct shep_option options[] = {
    {"keep_minutes_days", "days that minute rows are kept; 0: for ever", "7", NULL, SHEP_OPT_INT, 0,
     0, 36500},
    {"keep_hours_days", "days that hour rows are kept; 0: for ever (day rows always are)", "365",
     NULL, SHEP_OPT_INT, 0, 0, 36500},
    {0},
};

static const struct shep_service_ops ops = {
    .size = sizeof ops,
    .start = summarize_start,
    .stop = summarize_stop,
};

static const struct shep_plugin plugin = {
    .size = sizeof plugin,
    .abi_major = SHEP_ABI_MAJOR,
    .abi_minor = SHEP_ABI_MINOR,
    .kind = SHEP_KIND_SERVICE,
    .option_size = sizeof(struct shep_option),
    .metric_size = sizeof(struct shep_metric_info),
    .name = "summarize",
    .version = SHEP_VERSION,
    .summary = "history and summaries of each miner",
    .license = "MIT",
    .options = options,
    .ops = &ops,
};

const struct shep_plugin *shep_plugin_v1(void)
{
    return &plugin;
}
