/* The writer: the one thread that writes and checkpoints. Takes batches from the queue, one
 * transaction each; once a minute, when idle, does what has to be done now and then. Promises: a
 * batch is stored whole, once, in order, or not yet.
 *
 * A COMMIT that fails may have reached the disk all the same. So after every error what memory
 * believes is thrown away and read again (writer_load), and lines and events whose ids are in the
 * file already are passed over when the batch is repeated. */
#include "store/internal.h"

#include "util/clock.h"
#include "util/log.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
    RETRY_FIRST_MS = 250,
    RETRY_MAX_MS = 10000,
    WAL_FRAME_HEAD_BYTES = 24,
    WAL_LIMIT_MAX = 4 * 1024 * 1024, /* README.md, "What it writes" */
    WAL_LIMIT_MIN = 256 * 1024,
    WAL_FAR_TOO_LONG =
        8, /* times the limit: then wait for the readers that keep it from restarting */
    CLOSE_BUSY_MS = 200,
    CLOSE_COPY_MS = 1000, /* it was told to end */
    FINISH_TRIES = 2      /* the index and the latest readings; no line depends on it */
};

static int on_wal(void *arg, sqlite3 *db, const char *name, int n_pages)
{
    struct writer *w = arg;
    w->wal_bytes = (int64_t)n_pages * (w->page_bytes + WAL_FRAME_HEAD_BYTES);
    return SQLITE_OK;
}

static int writer_load(struct writer *w)
{
    int rc = logs_load(&w->logs, w->db);
    w->max_line_id = w->logs.newest_id;
    w->max_event_id = 0;
    if (rc == SQLITE_OK)
        rc = db_ints(w->db, "SELECT max(id) FROM events", NULL, 0, &w->max_event_id, 1);
    if (rc == SQLITE_OK)
        rc = db_ints(w->db, "PRAGMA page_size", NULL, 0, &w->page_bytes, 1);
    w->reload = rc != SQLITE_OK;
    return rc;
}

static void finalize_all(sqlite3_stmt *stmts[STMT_COUNT])
{
    for (size_t i = 0; i < STMT_COUNT; i++) {
        sqlite3_finalize(stmts[i]);
        stmts[i] = NULL;
    }
}

int writer_attach(struct writer *w, sqlite3 *db)
{
    int rc = db_prepare(db, w->stmts);
    w->db = db;
    if (rc == SQLITE_OK)
        rc = writer_load(w);
    if (rc != SQLITE_OK) {
        finalize_all(w->stmts);
        w->db = NULL;
        return rc;
    }
    sqlite3_wal_hook(db, on_wal, w);
    chores_reset(&w->chores); /* one may have been under way at the end of the last run */
    return SQLITE_OK;
}

void writer_detach(struct writer *w)
{
    finalize_all(w->stmts);
    sqlite3_close(w->db);
    w->db = NULL;
}

/* A new database in the place of a damaged one: the miners first, everything refers to them. Then
 * what people manage, for its owners will not say it again. */
static int put_people_again(struct store *store)
{
    struct writer *w = &store->writer;
    struct batch all = {0};
    pthread_mutex_lock(&store->queue.lock);
    miners_again(store, &all.data);
    rows_again(store, &all.data);
    pthread_mutex_unlock(&store->queue.lock);
    int rc = db_step(w->stmts[STMT_BEGIN]);
    if (rc == SQLITE_OK)
        rc = apply_batch(store, &all);
    if (rc == SQLITE_OK)
        rc = db_step(w->stmts[STMT_COMMIT]);
    buf_free(&all.data);
    return rc;
}

static int writer_reopen(struct store *store)
{
    struct writer *w = &store->writer;
    struct db_open_result res;
    sqlite3 *db = db_open(store->db_path, &res);
    if (res.text[0])
        log_error("store", "%s", res.text);
    if (!db)
        return SQLITE_CANTOPEN;
    int rc = writer_attach(w, db);
    if (rc != SQLITE_OK)
        sqlite3_close(db);
    else if (res.moved_aside || w->n_moved_aside || w->anew)
        rc = put_people_again(store);
    w->anew = w->anew && rc != SQLITE_OK;
    return rc;
}

static int writer_ready(struct store *store)
{
    struct writer *w = &store->writer;
    if (!w->db)
        return writer_reopen(store);
    return w->reload ? writer_load(w) : SQLITE_OK;
}

/* ---- the disk ---- */

void writer_space(struct store *store)
{
    struct writer *w = &store->writer;
    struct statvfs fs;
    struct stat st;
    if (statvfs(store->dir, &fs) == 0)
        w->free_bytes = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
    int64_t db_bytes = stat(store->db_path, &st) == 0 ? st.st_size : 0;
    /* On a small disk the log before the log must be small too: the ballast has to be enough to
     * move what is in it into the database. */
    int64_t limit = w->ballast.bytes ? w->ballast.bytes : WAL_LIMIT_MIN;
    w->wal_limit_bytes = limit > WAL_LIMIT_MAX ? WAL_LIMIT_MAX : limit;
    pthread_mutex_lock(&store->queue.lock);
    store->stats.free_bytes = w->free_bytes;
    store->stats.db_bytes = db_bytes;
    store->stats.wal_bytes = w->wal_bytes;
    pthread_mutex_unlock(&store->queue.lock);
}

int writer_checkpoint(struct store *store, int mode)
{
    struct writer *w = &store->writer;
    int n_wal = 0, n_done = 0;
    int rc = sqlite3_wal_checkpoint_v2(w->db, NULL, mode, &n_wal, &n_done);
    bool all = rc == SQLITE_OK && n_wal == n_done;
    w->wal_checkpoint_at = all ? 0 : w->wal_bytes + w->wal_limit_bytes / 4;
    if (rc != SQLITE_OK && rc != SQLITE_BUSY) {
        complain(&w->odd, SHEP_LOG_WARN, "store", "cannot checkpoint %s: %s; it is tried again",
                 store->db_path, sqlite3_errmsg(w->db));
        writer_failed(w, rc);
    }
    return rc;
}

static void checkpoint_if_due(struct store *store)
{
    struct writer *w = &store->writer;
    if (w->wal_bytes < w->wal_limit_bytes || w->wal_bytes < w->wal_checkpoint_at)
        return;
    bool far = w->wal_bytes > WAL_FAR_TOO_LONG * w->wal_limit_bytes;
    int rc = writer_checkpoint(store, far ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_PASSIVE);
    if ((rc & 0xff) == SQLITE_FULL && w->db && ballast_drop(&w->ballast)) {
        w->ballast_spent = true;
        writer_checkpoint(store, SQLITE_CHECKPOINT_PASSIVE);
    }
}

/* ---- transactions ---- */

struct extras { /* what goes along with the batch */
    bool index, latest;
};

static int write_extras(struct writer *w, bool everything, struct extras *extras)
{
    int64_t now_us = clock_mono_us();
    int rc = SQLITE_OK;
    extras->index = logs_flush_due(&w->logs, now_us) || (everything && w->logs.unindexed_n);
    extras->latest = w->latest.n_waiting && (everything || !w->latest.flushed_us ||
                                             now_us - w->latest.flushed_us >= DUTY_US);
    if (extras->index)
        rc = logs_flush(&w->logs, w->stmts);
    if (rc == SQLITE_OK && extras->latest)
        rc = latest_flush(&w->latest, w->stmts);
    return rc;
}

/* batch may be NULL. everything: also what would wait for its minute. */
static int write_txn(struct store *store, const struct batch *batch, bool everything)
{
    struct writer *w = &store->writer;
    struct extras extras = {0};
    bool sync = batch && batch->urgent;
    int rc = writer_ready(store);
    /* NORMAL syncs at checkpoints only. An alarm shall outlive a power cut at once. */
    if (rc == SQLITE_OK && sync)
        rc = sqlite3_exec(w->db, "PRAGMA synchronous=FULL", NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = db_step(w->stmts[STMT_BEGIN]);
    if (rc == SQLITE_OK && batch)
        rc = apply_batch(store, batch);
    if (rc == SQLITE_OK)
        rc = write_extras(w, everything, &extras);
    if (rc == SQLITE_OK)
        rc = db_step(w->stmts[STMT_COMMIT]);
    if (rc != SQLITE_OK)
        return rc;
    if (sync)
        sqlite3_exec(w->db, "PRAGMA synchronous=NORMAL", NULL, NULL, NULL);
    if (extras.index)
        logs_flushed(&w->logs, clock_mono_us());
    if (extras.latest)
        latest_flushed(&w->latest, clock_mono_us());
    return SQLITE_OK;
}

static int try_job(struct store *store, const struct job *job)
{
    int rc = writer_ready(store);
    if (rc == SQLITE_OK)
        rc = job_run(store, job);
    if (rc_is_record(rc)) { /* again would end the same */
        log_error("store", "history could not be folded: %s", sqlite3_errmsg(store->writer.db));
        writer_failed(&store->writer, rc);
        rc = SQLITE_OK;
    }
    return rc;
}

static void count_commit(struct store *store, const struct batch *batch, int64_t took_us)
{
    struct store_stats *stats = &store->stats;
    pthread_mutex_lock(&store->queue.lock);
    stats->commits++;
    stats->lines += batch->n_lines;
    stats->events += batch->n_events;
    stats->commit_last_us = took_us;
    if (took_us > stats->commit_max_us)
        stats->commit_max_us = took_us;
    stats->last_commit_ms = clock_wall_ms();
    stats->wal_bytes = store->writer.wal_bytes;
    bool degraded = stats->degraded;
    pthread_mutex_unlock(&store->queue.lock);
    if (degraded || store->writer.ballast_spent)
        trouble_over(store);
    uint32_t bits = (batch->n_lines ? MAIL_LINES : 0u) | (batch->n_events ? MAIL_EVENTS : 0u);
    if (bits)
        mail_bits(store->mail, bits);
}

/* Asked for before its time: the file cannot be written. */
static void say_saved(struct store *store, struct get *get)
{
    const struct writer *w = &store->writer;
    if (w->gave_up || !queue_is_past(&store->queue, get->after)) {
        get->err = SHEP_E_IO;
        memcpy(get->problem, w->problem, sizeof get->problem);
    }
    mail_get(store->mail, get);
}

/* What memory holds back goes into the file first, if that can be: a copy is of all there is. */
static void answer(struct store *store, struct get *get)
{
    if (get->saved_fn) {
        say_saved(store, get);
        return;
    }
    if (get->copy) {
        int rc = store->writer.db ? write_txn(store, NULL, true) : SQLITE_OK;
        if (rc != SQLITE_OK)
            writer_failed(&store->writer, rc);
        copy_begin(store, get);
        return;
    }
    get_run(&store->writer, get);
    mail_get(store->mail, get);
}

static void pause_between(struct store *store, int64_t pause_ms)
{
    struct get *get;
    while ((get = queue_pause(&store->queue, pause_ms)))
        answer(store, get);
}

static void give_up(struct store *store, const struct batch *batch)
{
    if (batch->n_lines || batch->n_events)
        log_error("store", "%u lines and %u events could not be written before the end",
                  batch->n_lines, batch->n_events);
    store->writer.gave_up = true;
    pthread_mutex_lock(&store->queue.lock);
    store->stats.lines_dropped += batch->n_lines;
    pthread_mutex_unlock(&store->queue.lock);
}

static void write_batch(struct store *store, struct batch *batch)
{
    int64_t pause_ms = RETRY_FIRST_MS;
    for (;;) {
        if (queue_time_up(&store->queue)) {
            give_up(store, batch);
            break;
        }
        int64_t begun_us = real_mono_us();
        int rc = batch->has_job ? try_job(store, &batch->job) : write_txn(store, batch, false);
        if (rc == SQLITE_OK) {
            count_commit(store, batch, real_mono_us() - begun_us);
            break;
        }
        if (trouble_begin(store, rc))
            continue;
        pause_between(store, pause_ms);
        pause_ms = pause_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : pause_ms * 2;
    }
    queue_done(store, batch);
    if (store->writer.db)
        checkpoint_if_due(store);
}

/* ---- now and then ---- */

static void duties(struct store *store)
{
    struct writer *w = &store->writer;
    w->duty_us = clock_mono_us() + DUTY_US;
    writer_space(store);
    ballast_make(&w->ballast, w->free_bytes);
    if (w->ballast.bytes && w->ballast_spent) {
        w->ballast_spent = false;
        trouble_over(store);
    }
    writer_space(store);
    trouble_look_for_file(store);
    int rc = writer_ready(store);
    if (rc == SQLITE_OK)
        rc = write_txn(store, NULL, false);
    if (rc == SQLITE_OK)
        rc = retention_run(store, false);
    if (rc != SQLITE_OK)
        writer_failed(w, rc); /* the next batch says so if it lasts */
    else
        checkpoint_if_due(store);
    if (rc == SQLITE_OK && w->retention.unfinished)
        w->duty_us = 0; /* go on behind the batch that waits */
}

/* A step of what takes long: between two batches, and one after the other when none come. */
static void do_chore(struct store *store)
{
    struct writer *w = &store->writer;
    int rc = writer_ready(store);
    if (rc == SQLITE_OK)
        rc = chores_find(w);
    if (rc == SQLITE_OK && w->chores.now.id) {
        if (w->chores.now.stage == CHORE_BEGIN) {
            rc = write_txn(store, NULL, true);
            w->chores.now.stage = CHORE_FIND;
        } else {
            rc = chores_step(w);
        }
    }
    if (rc == SQLITE_OK) {
        checkpoint_if_due(store);
        return;
    }
    complain(&w->odd, SHEP_LOG_WARN, "store", "cannot go on erasing or merging: %s; tried again",
             sqlite3_errstr(rc));
    writer_failed(w, rc);
    chores_failed(&w->chores);
}

static void finish(struct store *store)
{
    struct writer *w = &store->writer;
    if (!copy_join(w, CLOSE_COPY_MS))
        log_error("store", "the copy of the database does not end; its disk does not answer");
    if (w->db)
        sqlite3_busy_timeout(w->db, CLOSE_BUSY_MS);
    for (int tries = 0; tries < FINISH_TRIES; tries++) {
        int rc = write_txn(store, NULL, true);
        if (rc == SQLITE_OK)
            break;
        writer_failed(w, rc);
    }
    if (w->db)
        writer_checkpoint(store, SQLITE_CHECKPOINT_TRUNCATE);
    if (w->db)
        writer_detach(w);
    logs_free(&w->logs);
    latest_free(&w->latest);
    chores_reset(&w->chores);
    free(w->ballast.path);
}

void *writer_main(void *arg)
{
    struct store *store = arg;
    struct writer *w = &store->writer;
    struct batch *batch;
    struct get *get;
    enum queue_says says;
    do {
        /* The minute is that of the mockable clock, waiting is real. */
        int64_t wake_us = real_mono_us() + w->duty_us - clock_mono_us();
        if (w->chores.maybe && w->chores.retry_us < wake_us)
            wake_us = w->chores.retry_us;
        says = queue_next(&store->queue, wake_us, &batch, &get);
        if (says == QUEUE_BATCH) {
            write_batch(store, batch);
        } else if (says == QUEUE_GET) {
            answer(store, get);
        }
        if (clock_mono_us() >= w->duty_us && !queue_closing(&store->queue))
            duties(store);
        if (w->chores.maybe && real_mono_us() >= w->chores.retry_us &&
            !queue_closing(&store->queue))
            do_chore(store);
    } while (says != QUEUE_CLOSED);
    finish(store);
    return NULL;
}
