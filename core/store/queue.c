/* The queue between the loop and the writer: batches of records, bounded by bytes. Owns its lock,
 * which also guards what both sides look at (stats, names). The loop only ever appends; nothing
 * here waits but queue_next(), queue_pause() (writer) and store_flush() (start-up, tests). */
#include "store/internal.h"

#include "util/clock.h"

#include <errno.h>
#include <time.h>

enum {
    RESERVE_SHARE = 4,      /* each reserve is a quarter of the limit more */
    BATCH_OVERHEAD = 256,   /* struct batch, rounded up */
    GET_WAITS_US = 1000000, /* a question does not wait longer than this for batches */
};

int64_t real_mono_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

void queue_init(struct queue *q, int64_t limit_bytes)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->wake, &attr);
    pthread_cond_init(&q->done, &attr);
    pthread_condattr_destroy(&attr);
    q->last = &q->first;
    q->gets_last = &q->gets;
    q->limit_bytes = limit_bytes;
}

static void batch_free(struct batch *batch)
{
    if (batch)
        buf_free(&batch->data);
    free(batch);
}

void queue_free(struct queue *q)
{
    while (q->first) {
        struct batch *next = q->first->next;
        batch_free(q->first);
        q->first = next;
    }
    batch_free(q->filling);
    batch_free(q->spare);
    pthread_mutex_destroy(&q->lock);
    pthread_cond_destroy(&q->wake);
    pthread_cond_destroy(&q->done);
}

static void seal(struct queue *q)
{
    struct batch *batch = q->filling;
    if (!batch)
        return;
    q->filling = NULL;
    *q->last = batch;
    q->last = &batch->next;
}

static void wake(struct queue *q)
{
    if (q->waiting)
        pthread_cond_signal(&q->wake);
}

static struct batch *batch_new(struct queue *q)
{
    struct batch *batch = q->spare;
    q->spare = NULL;
    if (!batch)
        batch = shep_alloc(sizeof *batch);
    batch->first_us = real_mono_us();
    q->bytes += BATCH_OVERHEAD;
    q->n_in++;
    return batch;
}

static bool is_full(const struct queue *q, enum rec_class cls)
{
    int64_t reserve = q->limit_bytes / RESERVE_SHARE * (int64_t)cls;
    return cls != CLASS_NEVER_FULL && q->bytes >= q->limit_bytes + reserve;
}

struct batch *queue_begin(struct queue *q, enum rec_class cls)
{
    if (is_full(q, cls))
        return NULL;
    if (!q->filling) {
        q->filling = batch_new(q);
        wake(q); /* from now on it waits for that batch, not for ever */
    }
    return q->filling;
}

void queue_end(struct queue *q, struct batch *batch, size_t before_bytes, bool urgent)
{
    q->bytes += (int64_t)(batch->data.len - before_bytes);
    batch->rows++;
    if (urgent)
        batch->urgent = true;
    /* Behind a batch that waits already what is urgent gathers: an import is not a sync for each
     * row. */
    bool now = urgent && !q->first;
    if (now || batch->rows >= BATCH_ROWS || batch->data.len >= BATCH_BYTES) {
        seal(q);
        wake(q);
    }
}

bool queue_job(struct queue *q, const struct job *job)
{
    if (is_full(q, CLASS_DATA))
        return false;
    seal(q);
    struct batch *batch = q->filling = batch_new(q);
    batch->has_job = true;
    batch->job = *job;
    seal(q);
    wake(q);
    return true;
}

void queue_ask(struct queue *q, struct get *get)
{
    get->asked_us = real_mono_us();
    pthread_mutex_lock(&q->lock);
    get->after = q->n_in;
    *q->gets_last = get;
    q->gets_last = &get->next;
    pthread_cond_signal(&q->wake);
    pthread_mutex_unlock(&q->lock);
}

bool queue_is_past(struct queue *q, uint64_t n_out)
{
    pthread_mutex_lock(&q->lock);
    bool past = q->n_out >= n_out;
    pthread_mutex_unlock(&q->lock);
    return past;
}

static struct batch *take_first(struct queue *q)
{
    struct batch *batch = q->first;
    q->first = batch->next;
    if (!q->first)
        q->last = &q->first;
    batch->next = NULL;
    return batch;
}

/* A question waits for what was handed over before it, but not long; the others as long as it
 * takes. */
static bool get_due(const struct queue *q, const struct get *get, int64_t now_us)
{
    if (get->copy || get->saved_fn)
        return q->n_out >= get->after;
    return !q->first || now_us - get->asked_us > GET_WAITS_US;
}

/* The first that is due; failing: the file cannot be written, so nothing is waited for. */
static struct get *take_get(struct queue *q, int64_t now_us, bool failing)
{
    struct get **at = &q->gets;
    while (*at && !failing && !get_due(q, *at, now_us))
        at = &(*at)->next;
    struct get *get = *at;
    if (get) {
        *at = get->next;
        if (!*at)
            q->gets_last = at;
        get->next = NULL;
    }
    return get;
}

static void wait_until(struct queue *q, pthread_cond_t *cond, int64_t until_us)
{
    struct timespec ts = {.tv_sec = (time_t)(until_us / 1000000),
                          .tv_nsec = (long)(until_us % 1000000) * 1000};
    pthread_cond_timedwait(cond, &q->lock, &ts);
}

/* A batch a second, and the first one after a pause at once: somebody may be looking. */
static int64_t filling_due_us(const struct queue *q)
{
    int64_t first_us = q->filling->first_us;
    int64_t quiet_us = first_us + BATCH_QUIET_US, gap_us = q->taken_us + BATCH_WAIT_US;
    int64_t due_us = quiet_us > gap_us ? quiet_us : gap_us;
    return due_us < first_us + BATCH_WAIT_US ? due_us : first_us + BATCH_WAIT_US;
}

static bool filling_due(const struct queue *q, int64_t now_us)
{
    return q->filling &&
           (q->closing || q->gets || q->filling->urgent || now_us >= filling_due_us(q));
}

/* Lock held. What there is to do now; QUEUE_TIME when nothing is. Closing is looked at together
 * with the queue: asked for a moment later it would leave behind what came in between. */
static enum queue_says look(struct queue *q, int64_t now_us, struct batch **batch, struct get **get)
{
    if (filling_due(q, now_us))
        seal(q);
    if ((*get = take_get(q, now_us, false)))
        return QUEUE_GET;
    if (q->first) {
        *batch = take_first(q);
        q->taken_us = now_us;
        return QUEUE_BATCH;
    }
    return q->closing ? QUEUE_CLOSED : QUEUE_TIME;
}

enum queue_says queue_next(struct queue *q, int64_t wake_us, struct batch **batch, struct get **get)
{
    enum queue_says says;
    pthread_mutex_lock(&q->lock);
    for (;;) {
        int64_t now_us = real_mono_us();
        says = look(q, now_us, batch, get);
        if (says != QUEUE_TIME || now_us >= wake_us)
            break;
        int64_t until_us = wake_us;
        if (q->filling && filling_due_us(q) < until_us)
            until_us = filling_due_us(q);
        q->waiting = true;
        wait_until(q, &q->wake, until_us);
        q->waiting = false;
    }
    pthread_mutex_unlock(&q->lock);
    return says;
}

bool queue_has_work(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    bool work = q->first || q->gets || q->closing || filling_due(q, real_mono_us());
    pthread_mutex_unlock(&q->lock);
    return work;
}

bool queue_closing(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    bool closing = q->closing;
    pthread_mutex_unlock(&q->lock);
    return closing;
}

void queue_done(struct store *store, struct batch *batch)
{
    struct queue *q = &store->queue;
    bool relief = false;
    pthread_mutex_lock(&q->lock);
    q->bytes -= (int64_t)batch->data.len + BATCH_OVERHEAD;
    q->n_out++;
    if (q->behind && q->bytes < q->limit_bytes / 8) {
        q->behind = false;
        relief = true;
    }
    if (!q->spare && !batch->has_job && batch->data.cap <= BATCH_BYTES) {
        buf_clear(&batch->data);
        *batch = (struct batch){.data = batch->data};
        q->spare = batch;
        batch = NULL;
    }
    pthread_cond_broadcast(&q->done);
    pthread_mutex_unlock(&q->lock);
    batch_free(batch);
    if (relief)
        mail_bits(store->mail, MAIL_PRESSURE);
}

struct get *queue_pause(struct queue *q, int64_t pause_ms)
{
    enum { CLOSING_PAUSE_US = 100 * 1000 }; /* in a hurry: the disk may come back any moment */
    struct get *get = NULL;
    pthread_mutex_lock(&q->lock);
    int64_t begun_us = real_mono_us(), until_us = begun_us + pause_ms * 1000;
    while (!(get = take_get(q, 0, true))) {
        if (q->closing && until_us > begun_us + CLOSING_PAUSE_US)
            until_us = begun_us + CLOSING_PAUSE_US;
        if (real_mono_us() >= until_us)
            break;
        q->waiting = true;
        wait_until(q, &q->wake, until_us);
        q->waiting = false;
    }
    pthread_mutex_unlock(&q->lock);
    return get;
}

bool queue_time_up(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    bool up = q->closing && real_mono_us() >= q->close_by_us;
    pthread_mutex_unlock(&q->lock);
    return up;
}

int store_flush(struct store *store, int64_t wait_ms)
{
    struct queue *q = &store->queue;
    int64_t until_us = real_mono_us() + wait_ms * 1000;
    pthread_mutex_lock(&q->lock);
    seal(q);
    wake(q);
    uint64_t want = q->n_in;
    while (q->n_out < want && real_mono_us() < until_us)
        wait_until(q, &q->done, until_us);
    bool all = q->n_out >= want;
    pthread_mutex_unlock(&q->lock);
    return all ? 0 : SHEP_E_BUSY;
}
