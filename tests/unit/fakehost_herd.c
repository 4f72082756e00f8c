/* The fake host's herd: metrics, readings, miners, facts, files, kept values, summaries, roll-ups.
 */
#include "fakehost_internal.h"

#include <stdio.h>

/* ---- names and values ---- */

static struct named *named_find(struct named *table, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(table[i].name, name))
            return &table[i];
    return NULL;
}

static void named_put(struct named *table, size_t *n, const char *name, const char *value,
                      size_t len)
{
    struct named *at = named_find(table, *n, name);
    if (!at) {
        assert_true(*n < MAX_NAMED);
        at = &table[(*n)++];
        copy_text(at->name, sizeof at->name, name);
    }
    free(at->value);
    at->value = value ? strndup(value, len) : NULL;
}

static const char *named_get(const struct named *table, size_t n, const char *name)
{
    struct named *at = named_find((struct named *)table, n, name);
    return at ? at->value : NULL;
}

static void named_free(struct named *table, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(table[i].value);
}

/* ---- host: metrics and readings ---- */

/* Ours as the header lists them, then what was declared: in this order the core has them too. */
static const struct {
    uint32_t id;
    struct shep_metric_info info;
} our_metrics[] = {
#define GAUGE   0
#define COUNTER 1
#define SHEP_METRIC(id, sym, name, unit, kind, min, max, history, doc)                             \
    {id, {#name, unit, doc, kind, history, min, max}},
#include "shepherd/metrics.def"
#undef GAUGE
#undef COUNTER
};

static int host_metric_each(struct shep_ctx *ctx, shep_metric_fn fn, void *arg)
{
    struct fake *fake = host_of(ctx);
    for (size_t i = 0; i < sizeof our_metrics / sizeof *our_metrics; i++)
        fn(our_metrics[i].id, &our_metrics[i].info, arg);
    for (size_t i = 0; i < fake->n_metrics; i++)
        fn(SHEP_METRIC_OWN + (uint32_t)i, &fake->metrics[i], arg);
    return 0;
}

struct metric_search {
    const char *name;
    uint32_t id; /* 0: not found */
};

static void metric_compare(uint32_t id, const struct shep_metric_info *info, void *arg)
{
    struct metric_search *search = arg;
    if (!strcmp(info->name, search->name))
        search->id = id;
}

static int host_metric_id(struct shep_ctx *ctx, const char *name, uint32_t *out)
{
    struct metric_search search = {.name = name};
    host_metric_each(ctx, metric_compare, &search);
    if (!search.id)
        return SHEP_E_GONE;
    *out = search.id;
    return 0;
}

static int host_emit(struct shep_ctx *ctx, const struct shep_reading *reading)
{
    struct fake *fake = host_of(ctx);
    assert_true(fake->n_emitted < MAX_EMITTED);
    struct shep_reading *kept = &fake->emitted[fake->n_emitted];
    *kept = *reading;
    if (reading->text) {
        char *text = fake->emitted_text[fake->n_emitted];
        snprintf(text, SHEP_TEXT_MAX + 1, "%.*s", (int)reading->text_len, reading->text);
        kept->text = text;
    }
    fake->n_emitted++;
    return 0;
}

static int host_event(struct shep_ctx *ctx, const struct shep_event *event)
{
    host_of(ctx);
    return 0;
}

/* ---- host: services ---- */

static int host_each_miner(struct shep_ctx *ctx, shep_miner_fn fn, void *arg)
{
    struct fake *fake = host_of(ctx);
    for (size_t i = 0; i < fake->n_miners; i++)
        fn(&fake->miners[i]->seen, arg);
    return (int)fake->n_miners;
}

static struct miner *miner_find(const struct fake *fake, int64_t id)
{
    for (size_t i = 0; i < fake->n_miners; i++)
        if (fake->miners[i]->seen.id == id)
            return fake->miners[i];
    return NULL;
}

static int host_miner_value(struct shep_ctx *ctx, const struct shep_miner *miner, uint32_t metric,
                            double *value, int64_t *at_ms)
{
    struct miner *at = miner_find(host_of(ctx), miner->id);
    if (!at || metric >= MAX_VALUES || !at->at_ms[metric])
        return SHEP_E_GONE;
    *value = at->value[metric];
    if (at_ms)
        *at_ms = at->at_ms[metric];
    return 0;
}

static int host_miner_text(struct shep_ctx *ctx, const struct shep_miner *miner, uint32_t attr,
                           const char **text, int64_t *at_ms)
{
    host_of(ctx);
    return SHEP_E_GONE;
}

static int host_fact_put(struct shep_ctx *ctx, const char *name, const char *json, size_t len)
{
    struct fake *fake = host_of(ctx);
    named_put(fake->facts, &fake->n_facts, name, json, len);
    return 0;
}

static int host_kv_get(struct shep_ctx *ctx, const char *key, const char **value)
{
    const char *found = fake_kv(host_of(ctx), key);
    if (!found)
        return SHEP_E_GONE;
    *value = found;
    return 0;
}

static int host_kv_put(struct shep_ctx *ctx, const char *key, const char *value)
{
    struct fake *fake = host_of(ctx);
    if (value && strlen(value) > 65536)
        return SHEP_E_LIMIT;
    fake->kv_puts++;
    named_put(fake->kv, &fake->n_kv, key, value, value ? strlen(value) : 0);
    return 0;
}

static int host_file_put(struct shep_ctx *ctx, const char *name, const void *bytes, size_t len)
{
    struct fake *fake = host_of(ctx);
    named_put(fake->files, &fake->n_files, name, bytes, len);
    return 0;
}

static int host_summary_put(struct shep_ctx *ctx, const struct shep_summary *summary)
{
    struct fake *fake = host_of(ctx);
    fake->summary_puts++;
    size_t i = 0;
    while (i < fake->n_summaries && fake->summaries[i].miner_id != summary->miner_id)
        i++;
    assert_true(i < MAX_MINERS);
    if (i == fake->n_summaries)
        fake->n_summaries++;
    fake->summaries[i] = *summary;
    return 0;
}

/* ---- host: roll-ups ---- */

static int host_rollup_put(struct shep_ctx *ctx, const struct shep_rollup *row)
{
    struct fake *fake = host_of(ctx);
    assert_true(row->n > 0);
    assert_int_equal(row->t_ms % ((int64_t)row->period_s * 1000), 0);
    for (size_t i = 0; i < fake->n_rollups; i++) {
        struct shep_rollup *old = &fake->rollups[i];
        if (old->miner_id == row->miner_id && old->metric == row->metric &&
            old->period_s == row->period_s && old->t_ms == row->t_ms) {
            *old = *row;
            return 0;
        }
    }
    fake->rollups = realloc(fake->rollups, (fake->n_rollups + 1) * sizeof *fake->rollups);
    fake->rollups[fake->n_rollups++] = *row;
    return 0;
}

static int host_rollup_fold(struct shep_ctx *ctx, uint32_t from_s, uint32_t to_s, int64_t from_ms,
                            int64_t to_ms)
{
    struct fake *fake = host_of(ctx);
    assert_true(fake->n_folds < MAX_RANGES);
    assert_true(from_ms < to_ms);
    fake->folds[fake->n_folds++] = (struct fake_range){from_s, to_s, from_ms, to_ms};
    return 0;
}

static int host_rollup_get(struct shep_ctx *ctx, uint32_t period_s, uint32_t metric,
                           int64_t from_ms, int64_t to_ms, shep_rollup_fn fn, void *arg)
{
    struct fake *fake = host_of(ctx);
    assert_true(fake->n_gets < MAX_GETS);
    fake->gets[fake->n_gets++] = (struct rollup_request){period_s, metric, from_ms, to_ms, fn, arg};
    return 0;
}

void herd_answer(struct fake *fake)
{
    while (fake->n_gets > 0) {
        struct rollup_request get = fake->gets[0];
        memmove(&fake->gets[0], &fake->gets[1], --fake->n_gets * sizeof get);
        struct shep_rollup *rows = calloc(fake->n_rollups + 1, sizeof *rows);
        size_t n = 0;
        for (size_t i = 0; i < fake->n_rollups; i++) {
            const struct shep_rollup *row = &fake->rollups[i];
            if (row->period_s == get.period_s && row->metric == get.metric &&
                row->t_ms >= get.from_ms && row->t_ms < get.to_ms)
                rows[n++] = *row;
        }
        get.fn(rows, n, 0, get.arg);
        free(rows);
    }
}

static int host_rollup_drop(struct shep_ctx *ctx, uint32_t period_s, int64_t before_ms)
{
    struct fake *fake = host_of(ctx);
    assert_true(fake->n_drops < MAX_RANGES);
    fake->drops[fake->n_drops++] = (struct fake_range){period_s, 0, 0, before_ms};
    return 0;
}

void herd_fill(struct shep_host *host)
{
    host->metric_id = host_metric_id;
    host->metric_each = host_metric_each;
    host->emit = host_emit;
    host->event = host_event;
    host->each_miner = host_each_miner;
    host->miner_value = host_miner_value;
    host->miner_text = host_miner_text;
    host->fact_put = host_fact_put;
    host->kv_get = host_kv_get;
    host->kv_put = host_kv_put;
    host->file_put = host_file_put;
    host->summary_put = host_summary_put;
    host->rollup_put = host_rollup_put;
    host->rollup_fold = host_rollup_fold;
    host->rollup_get = host_rollup_get;
    host->rollup_drop = host_rollup_drop;
}

void herd_forget(struct fake *fake)
{
    for (size_t i = 0; i < fake->n_miners; i++)
        free(fake->miners[i]);
    named_free(fake->facts, fake->n_facts);
    named_free(fake->files, fake->n_files);
    named_free(fake->kv, fake->n_kv);
    free(fake->rollups);
}

/* ---- the test's side ---- */

uint32_t fake_metric(struct fake *fake, const struct shep_metric_info *info)
{
    assert_true(fake->n_metrics < MAX_METRICS);
    fake->metrics[fake->n_metrics] = *info;
    return SHEP_METRIC_OWN + (uint32_t)fake->n_metrics++;
}

const struct shep_reading *fake_emitted(const struct fake *fake, uint32_t metric)
{
    for (size_t i = fake->n_emitted; i-- > 0;)
        if (fake->emitted[i].metric == metric)
            return &fake->emitted[i];
    return NULL;
}

void fake_miner(struct fake *fake, int64_t id, const char *name, uint32_t status)
{
    struct miner *miner = miner_find(fake, id);
    if (!miner) {
        assert_true(fake->n_miners < MAX_MINERS);
        miner = calloc(1, sizeof *miner);
        fake->miners[fake->n_miners++] = miner;
    }
    copy_text(miner->name, sizeof miner->name, name);
    miner->seen = (struct shep_miner){
        .size = sizeof miner->seen, .status = status, .id = id, .name = miner->name};
}

void fake_miner_remove(struct fake *fake, int64_t id)
{
    for (size_t i = 0; i < fake->n_miners; i++)
        if (fake->miners[i]->seen.id == id) {
            free(fake->miners[i]);
            fake->miners[i] = fake->miners[--fake->n_miners];
            return;
        }
}

void fake_miner_say(struct fake *fake, int64_t id, uint32_t metric, double value)
{
    struct miner *miner = miner_find(fake, id);
    assert_non_null(miner);
    assert_true(metric < MAX_VALUES);
    miner->value[metric] = value;
    miner->at_ms[metric] = fake->wall_ms;
    miner->seen.last_line_ms = fake->wall_ms;
}

const char *fake_fact(const struct fake *fake, const char *name)
{
    return named_get(fake->facts, fake->n_facts, name);
}

const char *fake_file(const struct fake *fake, const char *name)
{
    return named_get(fake->files, fake->n_files, name);
}

const char *fake_kv(const struct fake *fake, const char *key)
{
    return named_get(fake->kv, fake->n_kv, key);
}

void fake_kv_set(struct fake *fake, const char *key, const char *value)
{
    named_put(fake->kv, &fake->n_kv, key, value, strlen(value));
}

void fake_kv_copy(struct fake *to, const struct fake *from)
{
    for (size_t i = 0; i < from->n_kv; i++)
        if (from->kv[i].value)
            fake_kv_set(to, from->kv[i].name, from->kv[i].value);
}

size_t fake_kv_puts(const struct fake *fake)
{
    return fake->kv_puts;
}

const struct shep_summary *fake_summary(const struct fake *fake, int64_t miner_id)
{
    for (size_t i = 0; i < fake->n_summaries; i++)
        if (fake->summaries[i].miner_id == miner_id)
            return &fake->summaries[i];
    return NULL;
}

size_t fake_summaries(const struct fake *fake)
{
    return fake->summary_puts;
}

const struct shep_rollup *fake_rollups(const struct fake *fake, size_t *n_out)
{
    *n_out = fake->n_rollups;
    return fake->rollups;
}

const struct shep_rollup *fake_rollup(const struct fake *fake, int64_t miner_id, uint32_t metric,
                                      int64_t t_ms)
{
    for (size_t i = 0; i < fake->n_rollups; i++) {
        const struct shep_rollup *row = &fake->rollups[i];
        if (row->miner_id == miner_id && row->metric == metric && row->t_ms == t_ms &&
            row->period_s == 60)
            return row;
    }
    return NULL;
}

void fake_rollups_copy(struct fake *to, const struct fake *from)
{
    for (size_t i = 0; i < from->n_rollups; i++)
        host_rollup_put(&to->ctx, &from->rollups[i]);
}

const struct fake_range *fake_folds(const struct fake *fake, size_t *n_out)
{
    *n_out = fake->n_folds;
    return fake->folds;
}

const struct fake_range *fake_drops(const struct fake *fake, size_t *n_out)
{
    *n_out = fake->n_drops;
    return fake->drops;
}
