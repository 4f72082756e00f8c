/* The store as a whole: opening, closing, callbacks, figures. Thread: loop, but for the writer that
 * store_open() starts and store_close() joins. */
#include "store/internal.h"

#include "util/clock.h"
#include "util/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    KEEP_DEFAULT_MS = 7 * 24 * 3600 * 1000,
    KEEP_LEAST_MS = 3600 * 1000, /* CONTRACT: at least the newest hour */
    KEEP_DEFAULT_BYTES = 512 * 1024 * 1024,
    QUEUE_DEFAULT_BYTES = 16 * 1024 * 1024,
    QUEUE_LEAST_BYTES = 64 * 1024,
    CHUNK_ROWS_FIRST = 1000
};

/* ---- opening ---- */

static int64_t or_default(int64_t value, int64_t dflt, int64_t least)
{
    value = value ? value : dflt;
    return value < least ? least : value;
}

static struct store *store_new(const struct store_conf *conf, struct loop *loop)
{
    struct store *store = shep_alloc(sizeof *store);
    store->loop = loop;
    store->pid_fd = -1;
    store->dir = shep_strdup(conf->data_dir);
    store->db_path = path_join_dup(conf->data_dir, "shepherd.db");
    queue_init(&store->queue,
               or_default(conf->queue_bytes, QUEUE_DEFAULT_BYTES, QUEUE_LEAST_BYTES));
    store->stats.queue_limit_bytes = store->queue.limit_bytes;
    store->writer.retention =
        (struct retention){.keep_ms = or_default(conf->keep_ms, KEEP_DEFAULT_MS, KEEP_LEAST_MS),
                           .keep_bytes = or_default(conf->keep_bytes, KEEP_DEFAULT_BYTES, 1),
                           .chunk_rows = CHUNK_ROWS_FIRST};
    store->next_miner_id = 1;
    return store;
}

static void store_free(struct store *store)
{
    for (size_t i = 0; i < store->n_counters; i++)
        free(store->counters[i]);
    miners_free(store);
    rows_free(store);
    free(store->devices);
    if (store->pid_fd >= 0)
        close(store->pid_fd);
    queue_free(&store->queue);
    free(store->db_path);
    free(store->dir);
    free(store);
}

static int load(struct store *store, sqlite3 *db)
{
    struct writer *w = &store->writer;
    int rc = writer_attach(w, db);
    if (rc == SQLITE_OK)
        rc = miners_load(store);
    if (rc == SQLITE_OK)
        rc = rows_load(store);
    if (rc != SQLITE_OK)
        return rc;
    store->next_line_id = w->max_line_id + 1;
    store->next_event_id = w->max_event_id + 1;
    w->retention.run_first_id = store->next_line_id;
    return SQLITE_OK;
}

/* The connection of the writer, and what it knows. Damage that shows only now is moved aside, too.
 */
static int open_db(struct store *store, char *err, size_t err_cap)
{
    struct db_open_result res;
    for (int tries = 0; tries < 2; tries++) {
        sqlite3 *db = db_open(store->db_path, &res);
        if (!db)
            break;
        int rc = load(store, db);
        if (rc == SQLITE_OK)
            break;
        char aside[400];
        snprintf(res.text, sizeof res.text, "cannot read the database %s: %s; restore a backup",
                 store->db_path, sqlite3_errmsg(db));
        res.err = SHEP_E_IO;
        if (store->writer.db)
            writer_detach(&store->writer);
        else
            sqlite3_close(db);
        if (tries > 0 || !db_is_damage(rc) || !db_move_aside(store->db_path, aside, sizeof aside))
            break;
        snprintf(
            err, err_cap,
            "the database was damaged; it was moved to %s and a new one was made; to save what "
            "is in it: sqlite3 %s .recover",
            aside, aside);
    }
    if (res.text[0])
        snprintf(err, err_cap, "%s", res.text);
    str_copy(store->writer.notice, sizeof store->writer.notice, err, strlen(err));
    memcpy(store->stats.problem, store->writer.notice, sizeof store->stats.problem);
    return res.err;
}

/* Signals are the loop's. */
static int start_writer(struct store *store)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&store->thread, NULL, writer_main, store);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}

static int open_all(struct store *store, char *err, size_t err_cap, int *pid_out)
{
    int failed = dir_make(store->dir, 0750);
    if (failed) {
        snprintf(err, err_cap,
                 "cannot make the directory %s: %s; make it, or choose another data_dir",
                 store->dir, strerror(-failed));
        return SHEP_E_IO;
    }
    store->pid_fd = store_lock(store->dir, err, err_cap, pid_out);
    int result = store->pid_fd < 0 ? store->pid_fd : open_db(store, err, err_cap);
    if (result)
        return result;
    ballast_find(&store->writer.ballast, store->dir);
    store->mail = mail_new(store);
    failed = start_writer(store);
    if (failed) {
        snprintf(err, err_cap, "cannot start the writer's thread: %s", strerror(failed));
        mail_close(store->mail);
        writer_detach(&store->writer);
        logs_free(&store->writer.logs);
        free(store->writer.ballast.path);
        return SHEP_E_IO;
    }
    return 0;
}

int store_open(const struct store_conf *conf, struct loop *loop, struct store **out, char *err,
               size_t err_cap, int *pid_out)
{
    char text[1200] = "";
    struct store *store = store_new(conf, loop);
    int result = open_all(store, text, sizeof text, pid_out);
    if (err_cap)
        str_copy(err, err_cap, text, strlen(text));
    if (result)
        store_free(store);
    else
        *out = store;
    return result;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    struct queue *q = &store->queue;
    store->copy_cancel = true;
    pthread_mutex_lock(&q->lock);
    q->closing = true;
    q->close_by_us = real_mono_us() + CLOSE_WRITE_MS * 1000;
    pthread_cond_signal(&q->wake);
    pthread_mutex_unlock(&q->lock);
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += CLOSE_MS / 1000;
    if (pthread_timedjoin_np(store->thread, NULL, &until) != 0) {
        /* It hangs in the kernel. The process is about to end; freeing would pull the ground away.
         */
        log_error("store", "the disk of %s does not answer; not waiting any longer", store->dir);
        return;
    }
    if (store->writer.has_copier) /* as above: it will still look at the store */
        return;
    mail_close(store->mail);
    store_free(store);
}

/* ---- callbacks and figures ---- */

void store_on_pressure(struct store *store, void (*fn)(bool behind, void *arg), void *arg)
{
    store->pressure_fn = fn;
    store->pressure_arg = arg;
}

void store_on_commit(struct store *store, void (*fn)(bool lines, bool events, void *arg), void *arg)
{
    store->commit_fn = fn;
    store->commit_arg = arg;
}

void store_on_state(struct store *store, void (*fn)(bool degraded, const char *problem, void *arg),
                    void *arg)
{
    store->state_fn = fn;
    store->state_arg = arg;
}

void store_rollup_counter(struct store *store, const char *metric_name)
{
    if (counter_known(store, metric_name))
        return;
    pthread_mutex_lock(&store->queue.lock);
    if (store->n_counters < COUNTERS_MAX)
        store->counters[store->n_counters++] = shep_strdup(metric_name);
    pthread_mutex_unlock(&store->queue.lock);
}

bool counter_known(struct store *store, const char *name)
{
    enum { GAUGE, COUNTER };
    static const struct {
        const char *name;
        int kind;
    } known[] = {
#define SHEP_METRIC(id, sym, metric, unit, kind, min, max, history, doc) {#metric, kind},
#include "shepherd/metrics.def"
    };
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (strcmp(known[i].name, name) == 0)
            return known[i].kind == COUNTER;
    bool found = false;
    pthread_mutex_lock(&store->queue.lock);
    for (size_t i = 0; i < store->n_counters && !found; i++)
        found = strcmp(store->counters[i], name) == 0;
    pthread_mutex_unlock(&store->queue.lock);
    return found;
}

void store_stats_get(struct store *store, struct store_stats *out)
{
    pthread_mutex_lock(&store->queue.lock);
    *out = store->stats;
    out->queue_bytes = store->queue.bytes;
    pthread_mutex_unlock(&store->queue.lock);
}

const char *store_db_path(const struct store *store)
{
    return store->db_path;
}
