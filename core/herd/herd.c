/* Miners, their readings and their status. */
#include "herd/internal.h"

#include "util/clock.h"

#include <math.h>

/* ---- columns ---- */

static void columns_init(struct herd *herd)
{
#define SHEP_METRIC(id, sym, metric, metric_unit, metric_kind, lo, hi, hist, text)                 \
    herd->column_ids[herd->n_columns] = id;                                                        \
    herd->columns[herd->n_columns++] =                                                             \
        (struct shep_metric_info){.name = #metric,                                                 \
                                  .unit = metric_unit,                                             \
                                  .doc = text,                                                     \
                                  .counter = strcmp(#metric_kind, "COUNTER") == 0,                 \
                                  .history = hist,                                                 \
                                  .min = lo,                                                       \
                                  .max = hi};
#include "shepherd/metrics.def"
    herd->n_core_columns = herd->n_columns;
}

int herd_column(const struct herd *herd, uint32_t id)
{
    if (id >= SHEP_METRIC_OWN && id - SHEP_METRIC_OWN < herd->n_columns - herd->n_core_columns)
        return (int)(herd->n_core_columns + id - SHEP_METRIC_OWN);
    for (size_t i = 0; i < herd->n_core_columns; i++)
        if (herd->column_ids[i] == id)
            return (int)i;
    return -1;
}

int herd_metric_declare(struct herd *herd, const struct shep_metric_info *info, uint32_t *id_out)
{
    uint32_t known;
    if (herd_metric_by_name(herd, info->name, &known) == 0) {
        const struct shep_metric_info *old = herd_metric_info(herd, known);
        *id_out = known;
        return strcmp(old->unit, info->unit) == 0 ? 0 : SHEP_E_CONFIG;
    }
    size_t own = herd->n_columns - herd->n_core_columns;
    if (own == HERD_METRICS_OWN_MAX)
        return SHEP_E_LIMIT;
    *id_out = SHEP_METRIC_OWN + (uint32_t)own;
    herd->column_ids[herd->n_columns] = *id_out;
    herd->columns[herd->n_columns++] = *info; /* its strings live in the plugin, for ever */
    return 0;
}

int herd_metric_by_name(const struct herd *herd, const char *name, uint32_t *id_out)
{
    for (size_t i = 0; i < herd->n_columns; i++) {
        if (strcmp(herd->columns[i].name, name) == 0) {
            *id_out = herd->column_ids[i];
            return 0;
        }
    }
    return SHEP_E_GONE;
}

const struct shep_metric_info *herd_metric_info(const struct herd *herd, uint32_t id)
{
    int column = herd_column(herd, id);
    return column < 0 ? NULL : &herd->columns[column];
}

void herd_metric_each(const struct herd *herd, shep_metric_fn fn, void *arg)
{
    for (size_t i = 0; i < herd->n_columns; i++)
        fn(herd->column_ids[i], &herd->columns[i], arg);
}

static struct value *value_slot(struct miner *miner, uint32_t id)
{
    int column = herd_column(miner->herd, id);
    if (column < 0)
        return NULL;
    if ((size_t)column >= miner->n_metrics) {
        miner->metrics =
            shep_realloc(miner->metrics, miner->herd->n_columns * sizeof *miner->metrics);
        memset(miner->metrics + miner->n_metrics, 0,
               (miner->herd->n_columns - miner->n_metrics) * sizeof *miner->metrics);
        miner->n_metrics = miner->herd->n_columns;
    }
    return &miner->metrics[column];
}

bool miner_value(const struct miner *miner, uint32_t metric, double *value, int64_t *at_ms)
{
    int column = herd_column(miner->herd, metric);
    if (column < 0 || (size_t)column >= miner->n_metrics || !miner->metrics[column].at_ms)
        return false;
    *value = miner->metrics[column].value;
    if (at_ms)
        *at_ms = miner->metrics[column].at_ms;
    return true;
}

const char *miner_text(const struct miner *miner, uint32_t attr, int64_t *at_ms)
{
    if (attr < SHEP_ATTR_FIRST || attr >= SHEP_ATTR_END)
        return NULL;
    const struct text *text = &miner->attrs[attr - SHEP_ATTR_FIRST];
    if (at_ms)
        *at_ms = text->at_ms;
    return text->text;
}

void miner_each_reading(const struct miner *miner, miner_reading_fn fn, void *arg)
{
    struct shep_reading reading = {.size = sizeof reading};
    for (size_t i = 0; i < miner->n_metrics; i++) {
        if (!miner->metrics[i].at_ms)
            continue;
        reading.metric = miner->herd->column_ids[i];
        reading.at_ms = miner->metrics[i].at_ms;
        reading.value = miner->metrics[i].value;
        fn(miner->herd->columns[i].name, &reading, arg);
    }
    for (uint32_t id = SHEP_ATTR_FIRST; id < SHEP_ATTR_END; id++) {
        const struct text *text = &miner->attrs[id - SHEP_ATTR_FIRST];
        if (!text->text)
            continue;
        reading.metric = id;
        reading.at_ms = text->at_ms;
        reading.text = text->text;
        reading.text_len = strlen(text->text);
        fn(metric_name(id), &reading, arg);
    }
}

/* ---- status ---- */

static bool recent(int64_t mono_ms, int64_t now_ms, int64_t max_age_ms)
{
    return mono_ms && now_ms - mono_ms <= max_age_ms;
}

/* CONTRACT "HTTP": what each status means. Only monotonic times decide. */
static enum shep_status status_now(const struct miner *miner, int64_t now_ms)
{
    if (!miner->link_up)
        return SHEP_STATUS_OFFLINE;
    if (recent(miner->reset_mono_ms, now_ms, RESETTING_MAX_MS))
        return SHEP_STATUS_RESETTING;
    if (!recent(miner->line_mono_ms, now_ms, miner->herd->silent_after_ms))
        return SHEP_STATUS_SILENT;
    if (recent(miner->hash_mono_ms, now_ms, HASHING_MAX_AGE_MS))
        return SHEP_STATUS_ONLINE;
    return SHEP_STATUS_IDLE;
}

/* Events that are kept cost a row, and some a commit and a log line at once. A device says what it
 * likes as fast as it likes, so each kind has a budget for each miner: a storm of one kind cannot
 * push out another. event_due_ms is when the budget would be full again. */
static bool allowed(struct miner *miner, uint32_t event)
{
    if (!event_keep(event) || event >= EVENT_IDS)
        return true;
    int64_t now_ms = clock_mono_ms(), *due_ms = &miner->event_due_ms[event];
    if (*due_ms < now_ms)
        *due_ms = now_ms;
    if (*due_ms > now_ms + (EVENT_BURST - 1) * EVENT_EVERY_MS) {
        complain(&miner->too_many, SHEP_LOG_WARN, "herd",
                 "%s: %s comes too often; not each one is kept", miner->name, event_name(event));
        return false;
    }
    *due_ms += EVENT_EVERY_MS;
    return true;
}

static void tell(struct herd *herd, struct miner *miner, const struct shep_event *event)
{
    for (size_t i = 0; i < herd->n_listeners; i++) {
        const struct herd_listener *listener = &herd->listeners[i];
        if (listener->event)
            listener->event(event, miner, listener->arg);
    }
}

/* What is left out when it flaps is made good later: the last status told is the true one. */
static void tell_status(struct miner *miner)
{
    if (miner->hushed)
        return;
    if (miner->status == miner->status_told)
        miner->quiet_until_ms = 0;
    if (miner->status == miner->status_told || clock_mono_ms() < miner->quiet_until_ms ||
        !allowed(miner, SHEP_EV_STATUS))
        return;
    char text[64];
    int len = snprintf(text, sizeof text, "%s > %s", status_name(miner->status_told),
                       status_name(miner->status));
    miner->status_told = miner->status;
    struct shep_event event = {.size = sizeof event,
                               .event = SHEP_EV_STATUS,
                               .at_ms = miner->status_at_ms,
                               .miner_id = miner->id,
                               .text = text,
                               .text_len = (size_t)len};
    tell(miner->herd, miner, &event);
}

static void update_status(struct miner *miner)
{
    enum shep_status status = status_now(miner, clock_mono_ms());
    if (status != miner->status) {
        miner->status = status;
        miner->status_at_ms = clock_wall_ms();
        topic_touch(miner->herd->topics, TOPIC_HERD);
    }
    tell_status(miner);
}

static void on_sweep(void *arg)
{
    struct herd *herd = arg;
    for (size_t i = 0; i < herd->n; i++)
        update_status(herd->miners[i]);
}

/* ---- life ---- */

struct herd *herd_new(struct loop *loop, struct topics *topics, const struct herd_conf *conf)
{
    struct herd *herd = shep_alloc(sizeof *herd);
    herd->loop = loop;
    herd->topics = topics;
    herd->owner.name = "herd";
    herd->silent_after_ms = conf->silent_after_ms > 0 ? conf->silent_after_ms : 60000;
    columns_init(herd);
    herd->sweep = loop_timer_new(loop, &herd->owner, SWEEP_MS, SWEEP_MS, on_sweep, herd);
    return herd;
}

static void miner_free(struct miner *miner)
{
    free(miner->name);
    free(miner->location);
    free(miner->group);
    free(miner->tags);
    free(miner->source);
    free(miner->path);
    free(miner->parser);
    free(miner->why);
    free(miner->metrics);
    for (size_t i = 0; i < ARRAY_LEN(miner->attrs); i++)
        free(miner->attrs[i].text);
    free(miner);
}

void herd_free(struct herd *herd)
{
    if (!herd)
        return;
    loop_timer_free(herd->sweep);
    for (size_t i = 0; i < herd->n; i++)
        miner_free(herd->miners[i]);
    free(herd->miners);
    free(herd->owner.complaint);
    buf_free(&herd->snapshot);
    free(herd);
}

void herd_listen(struct herd *herd, const struct herd_listener *listener)
{
    if (herd->n_listeners == HERD_LISTENERS_MAX)
        abort(); /* rooms listen once each at start-up */
    herd->listeners[herd->n_listeners++] = *listener;
}

/* Where a miner of that name stands, or would: BARN-2 before BARN-10. */
static size_t place_of(const struct herd *herd, const char *name, bool *taken)
{
    size_t at = 0;
    int order = 1;
    for (; at < herd->n; at++) {
        order = strverscmp(herd->miners[at]->name, name);
        if (order >= 0)
            break;
    }
    *taken = at < herd->n && order == 0;
    return at;
}

static void list_insert(struct herd *herd, size_t at, struct miner *miner)
{
    memmove(herd->miners + at + 1, herd->miners + at, (herd->n - at) * sizeof *herd->miners);
    herd->miners[at] = miner;
    herd->n++;
}

static void list_remove(struct herd *herd, const struct miner *miner)
{
    for (size_t i = 0; i < herd->n; i++) {
        if (herd->miners[i] != miner)
            continue;
        herd->n--;
        memmove(herd->miners + i, herd->miners + i + 1, (herd->n - i) * sizeof *herd->miners);
        return;
    }
}

static struct miner *miner_new(struct herd *herd, size_t at, const struct miner_conf *conf)
{
    if (herd->n == herd->cap) {
        herd->cap = herd->cap ? herd->cap * 2 : 16;
        herd->miners = shep_realloc(herd->miners, herd->cap * sizeof *herd->miners);
    }
    struct miner *miner = shep_alloc(sizeof *miner);
    *miner = (struct miner){.herd = herd,
                            .name = shep_strdup(conf->name),
                            .status = SHEP_STATUS_OFFLINE,
                            .status_told = SHEP_STATUS_OFFLINE,
                            .status_at_ms = clock_wall_ms(),
                            .hashrate_1h = NAN,
                            .hashrate_24h = NAN,
                            .hashes_ever = NAN};
    list_insert(herd, at, miner);
    return miner;
}

static void set_conf_text(char **slot, const char *text)
{
    free(*slot);
    *slot = shep_strdup(text);
}

struct miner *herd_miner_put(struct herd *herd, const struct miner_conf *conf)
{
    bool known;
    size_t at = place_of(herd, conf->name, &known);
    struct miner *miner = known ? herd->miners[at] : miner_new(herd, at, conf);
    miner->id = conf->id;
    miner->origin = conf->origin;
    set_conf_text(&miner->location, conf->location);
    set_conf_text(&miner->group, conf->group);
    set_conf_text(&miner->tags, conf->tags);
    set_conf_text(&miner->source, conf->source);
    set_conf_text(&miner->path, conf->path);
    topic_touch(herd->topics, TOPIC_HERD);
    return miner;
}

void herd_miner_remove(struct herd *herd, struct miner *miner)
{
    list_remove(herd, miner);
    miner_free(miner);
    topic_touch(herd->topics, TOPIC_HERD);
}

int herd_miner_rename(struct herd *herd, struct miner *miner, const char *name)
{
    bool taken;
    if (strcmp(miner->name, name) == 0)
        return 0;
    place_of(herd, name, &taken);
    if (taken)
        return SHEP_E_BUSY;
    list_remove(herd, miner);
    list_insert(herd, place_of(herd, name, &taken), miner);
    set_conf_text(&miner->name, name);
    topic_touch(herd->topics, TOPIC_HERD);
    return 0;
}

struct miner *herd_miner_by_id(const struct herd *herd, int64_t id)
{
    for (size_t i = 0; i < herd->n; i++)
        if (herd->miners[i]->id == id)
            return herd->miners[i];
    return NULL;
}

struct miner *herd_miner_by_name(const struct herd *herd, const char *name)
{
    for (size_t i = 0; i < herd->n; i++)
        if (strcmp(herd->miners[i]->name, name) == 0)
            return herd->miners[i];
    return NULL;
}

size_t herd_count(const struct herd *herd)
{
    return herd->n;
}

void herd_each(struct herd *herd, herd_miner_fn fn, void *arg)
{
    for (size_t i = 0; i < herd->n; i++)
        fn(herd->miners[i], arg);
}

int64_t miner_id(const struct miner *miner)
{
    return miner->id;
}

const char *miner_name(const struct miner *miner)
{
    return miner->name;
}

enum shep_status miner_status(const struct miner *miner)
{
    return miner->status;
}

enum miner_origin miner_origin(const struct miner *miner)
{
    return miner->origin;
}

int64_t miner_last_seen_ms(const struct miner *miner)
{
    return miner->last_seen_ms;
}

double miner_best_ever(const struct miner *miner, int64_t *at_ms)
{
    *at_ms = miner->best_ever_at_ms;
    return miner->best_ever;
}

/* ---- what happens to a miner ---- */

static int64_t or_now(int64_t at_ms)
{
    return at_ms ? at_ms : clock_wall_ms();
}

void herd_line(struct herd *herd, struct miner *miner, int64_t at_ms)
{
    miner->lines++;
    miner->last_seen_ms = or_now(at_ms);
    miner->line_mono_ms = clock_mono_ms();
    if (miner->status != SHEP_STATUS_ONLINE)
        update_status(miner);
    topic_touch(herd->topics, TOPIC_HERD);
}

void herd_line_unknown(struct miner *miner)
{
    miner->lines_unparsed++;
}

void herd_lines_dropped(struct herd *herd, struct miner *miner, uint64_t n)
{
    miner->lines_dropped += n;
    topic_touch(herd->topics, TOPIC_HERD);
}

static void best_share(struct miner *miner, double difficulty, int64_t at_ms)
{
    bool first = miner->best_ever_at_ms == 0;
    if (!first && difficulty <= miner->best_ever)
        return;
    miner->best_ever = difficulty;
    miner->best_ever_at_ms = at_ms;
    if (first)
        return; /* the first word of a miner is its past, not news */
    struct shep_event event = {.size = sizeof event,
                               .event = SHEP_EV_BEST_SHARE,
                               .at_ms = at_ms,
                               .miner_id = miner->id,
                               .value = difficulty};
    if (allowed(miner, SHEP_EV_BEST_SHARE))
        tell(miner->herd, miner, &event);
}

static void note_hashing(struct miner *miner, uint32_t metric, double before, bool had_before,
                         double value)
{
    bool hashing = metric == SHEP_M_HASHRATE
                       ? value > 0
                       : metric == SHEP_M_HASHES_TOTAL && had_before && value > before;
    if (hashing)
        miner->hash_mono_ms = clock_mono_ms();
    /* Statistics of any kind end a reset, also with parsers that do not say RUNNING. */
    if (metric == SHEP_M_HASHRATE || metric == SHEP_M_HASHES_TOTAL)
        miner->reset_mono_ms = 0;
}

static int set_value(struct herd *herd, struct miner *miner, const struct shep_reading *reading,
                     bool live)
{
    struct value *slot = value_slot(miner, reading->metric);
    if (!slot) {
        miner->readings_refused++;
        return SHEP_E_BUG;
    }
    const struct shep_metric_info *info = herd_metric_info(herd, reading->metric);
    if (!isfinite(reading->value) || reading->value < info->min || reading->value > info->max) {
        miner->readings_refused++;
        return isfinite(reading->value) ? SHEP_E_LIMIT : SHEP_E_FORMAT;
    }
    struct value before = *slot;
    *slot = (struct value){.value = reading->value, .at_ms = or_now(reading->at_ms)};
    if (reading->metric == SHEP_M_BEST_DIFFICULTY ||
        reading->metric == SHEP_M_SESSION_BEST_DIFFICULTY)
        best_share(miner, reading->value, slot->at_ms);
    if (live)
        note_hashing(miner, reading->metric, before.value, before.at_ms != 0, reading->value);
    return 0;
}

static void tell_text(struct miner *miner, uint32_t attr)
{
    const struct herd *herd = miner->herd;
    for (size_t i = 0; i < herd->n_listeners; i++) {
        const struct herd_listener *listener = &herd->listeners[i];
        const char *text = miner->attrs[attr - SHEP_ATTR_FIRST].text;
        if (listener->text)
            listener->text(miner, attr, text, listener->arg);
    }
}

static int set_text(struct miner *miner, const struct shep_reading *reading, bool live)
{
    if (reading->metric >= SHEP_ATTR_END || !metric_name(reading->metric)) {
        miner->readings_refused++;
        return SHEP_E_BUG;
    }
    char clean[SHEP_TEXT_MAX + 1];
    size_t len = str_copy(clean, sizeof clean, reading->text ? reading->text : "",
                          reading->text ? reading->text_len : 0);
    struct text *slot = &miner->attrs[reading->metric - SHEP_ATTR_FIRST];
    slot->at_ms = or_now(reading->at_ms);
    bool same = slot->text && strlen(slot->text) == len && memcmp(slot->text, clean, len) == 0;
    if (!same) {
        free(slot->text);
        slot->text = shep_strndup(clean, len);
    }
    if (!live)
        return 0;
    int64_t now_ms = clock_mono_ms();
    bool news = !same || !recent(slot->heard_mono_ms, now_ms, TEXT_AGAIN_MS);
    slot->heard_mono_ms = now_ms;
    if (news)
        tell_text(miner, reading->metric);
    return 0;
}

static bool is_attr(uint32_t id)
{
    return id >= SHEP_ATTR_FIRST && id < SHEP_ATTR_END;
}

int herd_reading(struct herd *herd, struct miner *miner, const struct shep_reading *reading)
{
    int err = is_attr(reading->metric) ? set_text(miner, reading, true)
                                       : set_value(herd, miner, reading, true);
    if (err)
        return err;
    if (reading->metric == SHEP_M_HASHRATE || reading->metric == SHEP_M_HASHES_TOTAL)
        update_status(miner);
    topic_touch(herd->topics, TOPIC_HERD);
    return 0;
}

void herd_restore(struct herd *herd, struct miner *miner, const struct shep_reading *reading)
{
    if (is_attr(reading->metric))
        set_text(miner, reading, false);
    else
        set_value(herd, miner, reading, false);
    if (reading->at_ms > miner->last_seen_ms)
        miner->last_seen_ms = reading->at_ms;
    topic_touch(herd->topics, TOPIC_HERD);
}

void herd_restore_best(struct miner *miner, double difficulty, int64_t at_ms)
{
    if (at_ms && (!miner->best_ever_at_ms || difficulty >= miner->best_ever)) {
        miner->best_ever = difficulty;
        miner->best_ever_at_ms = at_ms;
    }
}

void herd_merge_best(struct miner *into, const struct miner *from)
{
    herd_restore_best(into, from->best_ever, from->best_ever_at_ms);
}

void herd_merge_texts(struct miner *into, const struct miner *from)
{
    for (uint32_t id = SHEP_ATTR_FIRST; id < SHEP_ATTR_END; id++) {
        const struct text *text = &from->attrs[id - SHEP_ATTR_FIRST];
        struct shep_reading reading = {
            .size = sizeof reading, .metric = id, .at_ms = text->at_ms, .text = text->text};
        if (!text->text)
            continue;
        reading.text_len = strlen(text->text);
        set_text(into, &reading, true);
    }
    topic_touch(into->herd->topics, TOPIC_HERD);
}

void herd_event(struct herd *herd, struct miner *miner, const struct shep_event *event)
{
    struct shep_event full = *event;
    full.size = sizeof full;
    full.at_ms = or_now(event->at_ms);
    if (miner) {
        full.miner_id = miner->id;
        if (event->event == SHEP_EV_RESET || event->event == SHEP_EV_PANIC)
            miner->reset_mono_ms = clock_mono_ms();
        else if (event->event == SHEP_EV_RUNNING)
            miner->reset_mono_ms = 0;
        update_status(miner);
    }
    if (!miner || allowed(miner, event->event))
        tell(herd, miner, &full);
}

static void tell_link(struct herd *herd, struct miner *miner, bool up, int64_t at_ms)
{
    const char *why = up ? NULL : miner->why ? miner->why : "it was gone for a moment";
    struct shep_event event = {.size = sizeof event,
                               .event = up ? SHEP_EV_LINK_UP : SHEP_EV_LINK_DOWN,
                               .at_ms = at_ms,
                               .text = why,
                               .text_len = why ? strlen(why) : 0};
    miner->link_told = up;
    herd_event(herd, miner, &event);
}

void herd_link(struct herd *herd, struct miner *miner, bool up, const char *why)
{
    if (miner->link_up == up && str_eq(miner->why, up ? NULL : why))
        return;
    bool moved = miner->link_up != up;
    miner->link_up = up;
    free(miner->why);
    miner->why = up ? NULL : shep_strdup(why);
    if (moved) {
        if (up)
            miner->line_mono_ms = clock_mono_ms(); /* silence is counted from here */
        else
            miner->hash_mono_ms = miner->reset_mono_ms = 0;
        if (!miner->hushed) {
            miner->quiet_until_ms = 0; /* this is its own news */
            tell_link(herd, miner, up, 0);
        } else if (!up && miner->link_told) {
            miner->down_at_ms = clock_wall_ms();
        }
        update_status(miner);
    }
    topic_touch(herd->topics, TOPIC_HERD);
}

void herd_hush(struct miner *miner)
{
    miner->hushed = true;
}

void herd_unhush(struct herd *herd, struct miner *miner, bool told)
{
    if (!miner->hushed)
        return;
    miner->hushed = false;
    int64_t down_at_ms = miner->down_at_ms;
    miner->down_at_ms = 0;
    miner->quiet_until_ms = told ? clock_mono_ms() + QUIET_MAX_MS : 0;
    if (told) {
        miner->link_told = miner->link_up;
        return;
    }
    if (down_at_ms && miner->link_told)
        tell_link(herd, miner, false, down_at_ms);
    if (miner->link_told != miner->link_up)
        tell_link(herd, miner, miner->link_up, 0);
    tell_status(miner);
}

void herd_parser(struct herd *herd, struct miner *miner, const char *parser)
{
    if (str_eq(miner->parser, parser))
        return;
    free(miner->parser);
    miner->parser = shep_strdup(parser);
    topic_touch(herd->topics, TOPIC_HERD);
}

void herd_summary(struct herd *herd, struct miner *miner, const struct shep_summary *summary)
{
    miner->hashrate_1h = summary->hashrate_1h;
    miner->hashrate_24h = summary->hashrate_24h;
    miner->hashes_ever = summary->hashes_total;
    topic_touch(herd->topics, TOPIC_HERD);
}
