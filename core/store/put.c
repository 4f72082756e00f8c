/* What the loop hands over: each call packs its values into the open batch and returns. Nothing
 * here waits or touches the disk. Thread: loop. */
#include "store/internal.h"

#include "herd/herd.h"
#include "util/clock.h"
#include "util/log.h"

#include <math.h>
#include <stddef.h>

enum {
    DEVICES_SEEN = 256,                  /* more than USB can have on one host */
    DEVICE_AGAIN_US = 600 * 1000 * 1000, /* "last seen" is this exact */
    ROUND_TRIP_DIGITS = 17
};

/* ---- one record ---- */

bool put_begin(struct put *put, struct store *store, enum rec_class cls, enum rec_type type)
{
    pthread_mutex_lock(&store->queue.lock);
    put->store = store;
    put->batch = queue_begin(&store->queue, cls);
    if (!put->batch) {
        store->stats.records_dropped++;
        pthread_mutex_unlock(&store->queue.lock);
        return false;
    }
    put->before = put->batch->data.len;
    rec_begin(&put->rec, &put->batch->data, type);
    return true;
}

/* True when somebody must be told that the queue is half full. Lock held. */
static bool falls_behind(struct queue *q)
{
    if (q->behind || q->bytes < q->limit_bytes / 2)
        return false;
    q->behind = true;
    return true;
}

void put_next(struct put *put, enum rec_type type)
{
    rec_end(&put->rec);
    rec_begin(&put->rec, &put->batch->data, type);
}

void put_end(struct put *put, bool urgent)
{
    struct queue *q = &put->store->queue;
    rec_end(&put->rec);
    queue_end(q, put->batch, put->before, urgent);
    bool behind = falls_behind(q);
    pthread_mutex_unlock(&q->lock);
    if (behind)
        mail_bits(put->store->mail, MAIL_PRESSURE);
}

/* ---- the stream ---- */

int store_line(struct store *store, int64_t miner_id, int64_t at_ms, const char *text, size_t len)
{
    if (miner_id <= 0 || miner_id >= store->next_miner_id)
        return SHEP_E_BUG;
    if (len > LINE_BYTES_MAX)
        len = LINE_BYTES_MAX;
    struct queue *q = &store->queue;
    pthread_mutex_lock(&q->lock);
    struct batch *batch = queue_begin(q, CLASS_LINE);
    if (!batch) {
        store->stats.lines_dropped++;
        pthread_mutex_unlock(&q->lock);
        return SHEP_E_LIMIT;
    }
    struct rec_line line = {.id = store->next_line_id++, .miner_id = miner_id, .at_ms = at_ms};
    struct rec_head head = {.len = (uint32_t)(sizeof line + len), .type = REC_LINE};
    size_t before = batch->data.len;
    buf_reserve(&batch->data, sizeof head + sizeof line + len);
    char *to = batch->data.data + before;
    memcpy(to, &head, sizeof head);
    memcpy(to + sizeof head, &line, sizeof line);
    if (len)
        memcpy(to + sizeof head + sizeof line, text, len);
    batch->data.len += sizeof head + sizeof line + len;
    batch->n_lines++;
    queue_end(q, batch, before, false);
    bool behind = falls_behind(q);
    pthread_mutex_unlock(&q->lock);
    if (behind)
        mail_bits(store->mail, MAIL_PRESSURE);
    return 0;
}

/* "online > silent": the new status goes into the miner's row, for people's SQL. */
static void put_status(struct store *store, const struct shep_event *event)
{
    static const char arrow[] = " > ";
    const char *at = event->text_len ? memmem(event->text, event->text_len, arrow, 3) : NULL;
    struct put put;
    if (!at || !event->miner_id || !put_begin(&put, store, CLASS_DATA, REC_STATUS))
        return;
    at += 3;
    rec_i64(&put.rec, event->miner_id);
    rec_text_n(&put.rec, at, (size_t)(event->text + event->text_len - at));
    put_end(&put, false);
}

static bool is_urgent(uint32_t event)
{
    return event_severity(event) >= 2 || event == SHEP_EV_DAEMON_START ||
           event == SHEP_EV_DAEMON_STOP;
}

void store_event(struct store *store, const struct shep_event *event)
{
    struct put put;
    if (!event_keep(event->event))
        return;
    if (event->event == SHEP_EV_STATUS)
        put_status(store, event);
    if (!put_begin(&put, store, CLASS_KEPT, REC_EVENT))
        return;
    char text[EVENT_TEXT_MAX + 1];
    size_t len = event->text ? str_copy(text, sizeof text, event->text, event->text_len) : 0;
    rec_i64(&put.rec, store->next_event_id++);
    rec_i64(&put.rec, event->at_ms ? event->at_ms : clock_wall_ms());
    rec_text(&put.rec, event_name(event->event));
    rec_id(&put.rec, event->miner_id);
    rec_f64(&put.rec, event->value);
    rec_text_n(&put.rec, event->text ? text : NULL, len);
    put.batch->n_events++;
    put_end(&put, is_urgent(event->event));
}

/* ---- devices ---- */

static uint64_t hash_text(uint64_t hash, const char *text)
{
    for (; text && *text; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3u; /* FNV-1a */
    return (hash ^ 0xff) * 0x100000001b3u;
}

static uint64_t device_hash(const char *key)
{
    return hash_text(0xcbf29ce484222325u, key);
}

/* Should it come again, it is news. */
static void device_forget(struct store *store, const char *key)
{
    for (size_t i = 0; i < store->n_devices; i++)
        if (store->devices[i].key_hash == device_hash(key))
            store->devices[i].value_hash = 0;
}

static const char *found_mac(const struct shep_found *found)
{
    bool has = found->size >= offsetof(struct shep_found, mac) + sizeof found->mac; /* since 1.1 */
    return has ? found->mac : NULL;
}

/* A scan tells of each device every 2 s. Unless something changed, once in ten minutes is enough
 * for the card. */
static bool device_is_news(struct store *store, const struct shep_found *found, int64_t miner_id,
                           bool present)
{
    uint64_t key = device_hash(found->key), value = key;
    const char *const texts[] = {found->path,     found->port_path, found->description,
                                 found->serial,   found->vendor_id, found->product_id,
                                 found_mac(found)};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        value = hash_text(value, texts[i]);
    value = (value ^ (uint64_t)miner_id * 2 ^ present) * 0x100000001b3u;
    struct device_seen *seen = NULL;
    for (size_t i = 0; i < store->n_devices && !seen; i++)
        if (store->devices[i].key_hash == key)
            seen = &store->devices[i];
    int64_t now_us = clock_mono_us();
    if (seen && seen->value_hash == value && now_us - seen->put_us < DEVICE_AGAIN_US)
        return false;
    if (!store->devices)
        store->devices = shep_alloc_array(DEVICES_SEEN, sizeof *store->devices);
    if (!seen) /* full: an old one is forgotten and written once more than needed */
        seen = &store->devices[store->n_devices < DEVICES_SEEN ? store->n_devices++
                                                               : key % DEVICES_SEEN];
    *seen = (struct device_seen){key, value, now_us};
    return true;
}

void store_device_put(struct store *store, const struct shep_found *found, int64_t miner_id,
                      bool present)
{
    struct put put;
    if (!device_is_news(store, found, miner_id, present) ||
        !put_begin(&put, store, CLASS_DATA, REC_DEVICE))
        return;
    rec_text(&put.rec, found->key);
    rec_id(&put.rec, miner_id);
    rec_text(&put.rec, found->path);
    rec_text(&put.rec, found->port_path);
    rec_text(&put.rec, found->description);
    rec_text(&put.rec, found->serial);
    rec_text(&put.rec, found->vendor_id);
    rec_text(&put.rec, found->product_id);
    rec_i64(&put.rec, clock_wall_ms());
    rec_i64(&put.rec, present);
    rec_text(&put.rec, found_mac(found));
    put_end(&put, false);
}

void store_device_ignore(struct store *store, const char *key, bool ignored)
{
    struct put put;
    put_begin(&put, store, CLASS_NEVER_FULL, REC_DEVICE_IGNORE); /* as few as clicks */
    rec_text(&put.rec, key);
    rec_i64(&put.rec, ignored);
    put_end(&put, true);
}

void store_device_delete(struct store *store, const char *key)
{
    struct put put;
    put_begin(&put, store, CLASS_NEVER_FULL, REC_DEVICE_DELETE);
    rec_text(&put.rec, key);
    put_end(&put, true);
    device_forget(store, key);
}

/* ---- latest readings ---- */

static void json_text(struct buf *buf, const char *text)
{
    buf_add(buf, "\"", 1);
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c == '"' || *c == '\\')
            buf_printf(buf, "\\%c", *c);
        else if (*c < 0x20)
            buf_printf(buf, "\\u%04x", *c);
        else
            buf_add(buf, c, 1);
    }
    buf_add(buf, "\"", 1);
}

/* The shortest of the usual forms that reads back the same. */
static void json_number(struct buf *buf, double value)
{
    char text[40];
    double back;
    for (int digits = ROUND_TRIP_DIGITS - 2; digits <= ROUND_TRIP_DIGITS; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (str_to_f64(text, &back) && back == value)
            break;
    }
    buf_add_str(buf, text);
}

static int64_t readings_json(struct buf *buf, const struct store_reading *readings, size_t n)
{
    int64_t newest_ms = 0;
    buf_add(buf, "{", 1);
    for (size_t i = 0; i < n; i++) {
        const struct store_reading *r = &readings[i];
        if (!r->name || (!r->text && !isfinite(r->value)))
            continue;
        if (buf->len > 1)
            buf_add(buf, ",", 1);
        json_text(buf, r->name);
        buf_add_str(buf, ":{\"v\":");
        if (r->text)
            json_text(buf, r->text);
        else
            json_number(buf, r->value);
        buf_printf(buf, ",\"t\":%lld}", (long long)r->at_ms);
        if (r->at_ms > newest_ms)
            newest_ms = r->at_ms;
    }
    buf_add(buf, "}", 1);
    return newest_ms;
}

void store_latest_put(struct store *store, int64_t miner_id, const struct store_reading *readings,
                      size_t n, double best_ever, int64_t best_ever_at_ms)
{
    struct buf json = {0};
    struct put put;
    int64_t at_ms = readings_json(&json, readings, n);
    if (put_begin(&put, store, CLASS_DATA, REC_LATEST)) {
        rec_i64(&put.rec, miner_id);
        rec_i64(&put.rec, at_ms ? at_ms : clock_wall_ms());
        rec_text_n(&put.rec, json.data, json.len);
        rec_f64(&put.rec, best_ever);
        rec_id(&put.rec, best_ever_at_ms);
        put_end(&put, false);
    }
    buf_free(&json);
}

/* ---- for services ---- */

void store_summary_put(struct store *store, const struct shep_summary *s)
{
    struct put put;
    if (!put_begin(&put, store, CLASS_DATA, REC_SUMMARY))
        return;
    rec_i64(&put.rec, s->miner_id);
    rec_i64(&put.rec, s->at_ms ? s->at_ms : clock_wall_ms());
    rec_f64(&put.rec, s->hashrate_1h);
    rec_f64(&put.rec, s->hashrate_24h);
    rec_f64(&put.rec, s->hashes_total);
    rec_f64(&put.rec, s->shares_total);
    rec_f64(&put.rec, s->best_difficulty_ever);
    rec_f64(&put.rec, s->online_share_24h);
    put_end(&put, false);
}

void store_rollup_put(struct store *store, const struct shep_rollup *r, const char *metric_name)
{
    struct put put;
    if (r->n == 0 || !put_begin(&put, store, CLASS_DATA, REC_ROLLUP))
        return;
    rec_i64(&put.rec, r->period_s);
    rec_i64(&put.rec, r->t_ms);
    rec_i64(&put.rec, r->miner_id);
    rec_text(&put.rec, metric_name);
    rec_i64(&put.rec, r->n);
    rec_f64(&put.rec, r->min);
    rec_f64(&put.rec, r->max);
    rec_f64(&put.rec, r->avg);
    rec_f64(&put.rec, r->last);
    put_end(&put, false);
}

static void put_job(struct store *store, const struct job *job)
{
    pthread_mutex_lock(&store->queue.lock);
    if (!queue_job(&store->queue, job))
        store->stats.records_dropped++;
    pthread_mutex_unlock(&store->queue.lock);
}

void store_rollup_fold(struct store *store, uint32_t from_s, uint32_t to_s, int64_t from_ms,
                       int64_t to_ms)
{
    struct job job = {JOB_FOLD, from_s, to_s, from_ms, to_ms};
    if (from_s && to_s > from_s && from_ms >= 0)
        put_job(store, &job);
}

void store_rollup_drop(struct store *store, uint32_t period_s, int64_t before_ms)
{
    struct job job = {.type = JOB_DROP, .from_s = period_s, .to_ms = before_ms};
    put_job(store, &job);
}

void store_rollup_get(struct store *store, uint32_t period_s, uint32_t metric,
                      const char *metric_name, int64_t from_ms, int64_t to_ms, shep_rollup_fn fn,
                      void *arg)
{
    struct get *get = shep_alloc(sizeof *get);
    *get = (struct get){.period_s = period_s,
                        .metric = metric,
                        .metric_name = shep_strdup(metric_name),
                        .from_ms = from_ms,
                        .to_ms = to_ms,
                        .fn = fn,
                        .arg = arg};
    queue_ask(&store->queue, get);
}

void store_when_saved(struct store *store, store_saved_fn fn, void *arg)
{
    struct get *get = shep_alloc(sizeof *get);
    get->saved_fn = fn;
    get->arg = arg;
    queue_ask(&store->queue, get);
}

void store_kv_put(struct store *store, const char *plugin, const char *key, const char *value)
{
    struct put put;
    if (!put_begin(&put, store, CLASS_KEPT, value ? REC_KV_PUT : REC_KV_DELETE))
        return;
    rec_text(&put.rec, plugin);
    rec_text(&put.rec, key);
    if (value)
        rec_text(&put.rec, value);
    put_end(&put, false);
}
