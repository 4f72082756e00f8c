/* The glue between the herd and the store: events are kept, latest readings are written once a
 * minute, the health of the database comes back as the fact "store" that every page shows as a
 * banner. */
#include "cli/cli.h"

#include "util/clock.h"
#include "util/log.h"

enum { LATEST_MS = 60000, HEALTH_MS = 1000, READINGS_MAX = 192 };

struct keeper {
    struct daemon *daemon;
    struct loop_timer *latest, *health;
    bool degraded;
    char problem[256];
};

/* ---- events ---- */

static void on_event(const struct shep_event *event, const struct miner *miner, void *arg)
{
    struct keeper *keeper = arg;
    if (!event_keep(event->event))
        return;
    struct shep_event kept = *event;
    kept.miner_id = miner ? miner_id(miner) : event->miner_id;
    store_event(keeper->daemon->store, &kept);
    if (miner && event_severity(event->event) == 2)
        log_warn("herd", "%s: %s%s%.*s", miner_name(miner), event_name(event->event),
                 event->text_len ? ": " : "", (int)event->text_len, event->text ? event->text : "");
}

/* ---- latest readings ---- */

struct gather {
    struct store_reading readings[READINGS_MAX];
    size_t n;
};

static void gather_one(const char *name, const struct shep_reading *reading, void *arg)
{
    struct gather *gather = arg;
    if (gather->n == READINGS_MAX)
        return;
    gather->readings[gather->n++] = (struct store_reading){
        .metric = reading->metric,
        .name = name,
        .at_ms = reading->at_ms,
        .value = reading->value,
        .text = reading->metric >= SHEP_ATTR_FIRST && reading->metric < SHEP_ATTR_END
                    ? reading->text
                    : NULL};
}

static void keep_latest(struct miner *miner, void *arg)
{
    struct keeper *keeper = arg;
    struct gather gather = {.n = 0};
    miner_each_reading(miner, gather_one, &gather);
    int64_t best_at_ms;
    double best = miner_best_ever(miner, &best_at_ms);
    if (gather.n)
        store_latest_put(keeper->daemon->store, miner_id(miner), gather.readings, gather.n, best,
                         best_at_ms);
}

static void on_latest(void *arg)
{
    struct keeper *keeper = arg;
    herd_each(keeper->daemon->herd, keep_latest, keeper);
}

void keeper_flush(struct keeper *keeper)
{
    on_latest(keeper);
}

static void restore_one(int64_t id, const struct store_reading *readings, size_t n,
                        double best_ever, int64_t best_ever_at_ms, void *arg)
{
    struct keeper *keeper = arg;
    struct herd *herd = keeper->daemon->herd;
    struct miner *miner = herd_miner_by_id(herd, id);
    if (!miner)
        return;
    for (size_t i = 0; i < n; i++) {
        struct shep_reading reading = {.size = sizeof reading,
                                       .at_ms = readings[i].at_ms,
                                       .value = readings[i].value,
                                       .text = readings[i].text,
                                       .text_len = readings[i].text ? strlen(readings[i].text) : 0};
        reading.metric = metric_by_name(readings[i].name);
        if (reading.metric || herd_metric_by_name(herd, readings[i].name, &reading.metric) == 0)
            herd_restore(herd, miner, &reading);
    }
    herd_restore_best(miner, best_ever, best_ever_at_ms);
}

void keeper_restore(struct keeper *keeper)
{
    if (store_latest_each(keeper->daemon->store, restore_one, keeper) != 0)
        log_warn("store", "the latest readings of the last run cannot be read; miners show none "
                          "until they speak");
}

/* ---- the store's health ---- */

static void on_health(void *arg)
{
    struct keeper *keeper = arg;
    struct store_stats stats;
    store_stats_get(keeper->daemon->store, &stats);
    if (stats.degraded == keeper->degraded && strcmp(stats.problem, keeper->problem) == 0)
        return;
    keeper->degraded = stats.degraded;
    memcpy(keeper->problem, stats.problem, sizeof keeper->problem);
    json_t *fact = json_pack("{s:b, s:s%}", "degraded", stats.degraded, "problem", stats.problem,
                             strnlen(stats.problem, sizeof stats.problem));
    char *text = fact ? json_dumps(fact, JSON_COMPACT) : NULL;
    if (text)
        facts_put(keeper->daemon->facts, "store", text, strlen(text));
    free(text);
    json_decref(fact);
}

/* All who listen to the herd hear it; on_event() brings it back to the store, which keeps it until
 * it can be written. */
static void on_state(bool degraded, const char *problem, void *arg)
{
    struct keeper *keeper = arg;
    struct shep_event event = {.size = sizeof event,
                               .event = degraded ? SHEP_EV_STORE_DEGRADED : SHEP_EV_STORE_RECOVERED,
                               .text = problem,
                               .text_len = strlen(problem)};
    herd_event(keeper->daemon->herd, NULL, &event);
    on_health(keeper);
}

const char *keeper_health(void *arg)
{
    struct daemon *daemon = arg;
    return daemon->keeper->degraded ? daemon->keeper->problem : NULL;
}

static void on_commit(bool lines, bool events, void *arg)
{
    struct keeper *keeper = arg;
    if (lines)
        topic_touch(keeper->daemon->topics, TOPIC_LOGS);
    if (events)
        topic_touch(keeper->daemon->topics, TOPIC_EVENTS);
}

static void on_pressure(bool behind, void *arg)
{
    struct keeper *keeper = arg;
    loop_choke(keeper->daemon->loop, behind);
}

struct keeper *keeper_new(struct daemon *daemon)
{
    struct keeper *keeper = shep_alloc(sizeof *keeper);
    keeper->daemon = daemon;
    struct herd_listener listener = {.event = on_event, .arg = keeper};
    herd_listen(daemon->herd, &listener);
    store_on_commit(daemon->store, on_commit, keeper);
    store_on_pressure(daemon->store, on_pressure, keeper);
    store_on_state(daemon->store, on_state, keeper);
    keeper->latest =
        loop_timer_new(daemon->loop, &daemon->owner, LATEST_MS, LATEST_MS, on_latest, keeper);
    keeper->health =
        loop_timer_new(daemon->loop, &daemon->owner, HEALTH_MS, HEALTH_MS, on_health, keeper);
    return keeper;
}

void keeper_free(struct keeper *keeper)
{
    if (!keeper)
        return;
    loop_timer_free(keeper->latest);
    loop_timer_free(keeper->health);
    free(keeper);
}
