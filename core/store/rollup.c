/* History: folding short periods into long ones, dropping old ones, answering questions about them.
 * Thread: the writer, between batches. */
#include "store/internal.h"

#include <math.h>

enum { DROP_ROWS = 2000 }; /* a few ms of write lock */

static int txn(struct writer *w, const char *sql, const int64_t *params, size_t n_params)
{
    int rc = db_step(w->stmts[STMT_BEGIN]);
    if (rc == SQLITE_OK)
        rc = db_exec_ints(w->db, sql, params, n_params);
    return rc == SQLITE_OK ? db_step(w->stmts[STMT_COMMIT]) : rc;
}

static int drop_of(struct writer *w, const struct job *job, const char *sql)
{
    int64_t params[3] = {job->from_s, job->to_ms, DROP_ROWS};
    int rc;
    do {
        rc = txn(w, sql, params, ARRAY_LEN(params));
    } while (rc == SQLITE_OK && sqlite3_changes(w->db) >= DROP_ROWS);
    return rc;
}

static int drop(struct writer *w, const struct job *job)
{
    int rc = drop_of(w, job,
                     "DELETE FROM rollups WHERE (period_s, t_ms, miner_id, metric) IN"
                     " (SELECT period_s, t_ms, miner_id, metric FROM rollups"
                     "  WHERE period_s = ?1 AND t_ms < ?2 LIMIT ?3)");
    if (rc != SQLITE_OK)
        return rc;
    return drop_of(w, job,
                   "DELETE FROM herd_rollups WHERE (period_s, t_ms, metric) IN"
                   " (SELECT period_s, t_ms, metric FROM herd_rollups"
                   "  WHERE period_s = ?1 AND t_ms < ?2 LIMIT ?3)");
}

/* ---- the herd's rows ---- */

/* Whole periods anew, so that doing it again gives the same. */
int herd_sum(struct writer *w, int64_t period_s, int64_t from_ms, int64_t before_ms)
{
    int64_t params[3] = {period_s, from_ms, before_ms};
    int rc = db_exec_ints(w->db,
                          "DELETE FROM herd_rollups"
                          " WHERE period_s = ?1 AND t_ms >= ?2 AND t_ms < ?3",
                          params, 3);
    if (rc == SQLITE_OK)
        rc = db_exec_ints(w->db,
                          "INSERT INTO herd_rollups(period_s, t_ms, metric, n_miners, avg)"
                          " SELECT period_s, t_ms, metric, count(avg), sum(avg) FROM rollups"
                          " WHERE period_s = ?1 AND t_ms >= ?2 AND t_ms < ?3 AND avg IS NOT NULL"
                          " GROUP BY period_s, t_ms, metric",
                          params, 3);
    return rc;
}

/* ---- folding ---- */

struct fold { /* the row in the making */
    int64_t miner_id, n, gauge_n;
    char *metric;
    bool counter;
    double min, max, sum, last;
};

static double column_f64(sqlite3_stmt *stmt, int column)
{
    return sqlite3_column_type(stmt, column) == SQLITE_NULL ? NAN
                                                            : sqlite3_column_double(stmt, column);
}

static void bind_f64(sqlite3_stmt *stmt, int column, double value)
{
    if (isfinite(value))
        sqlite3_bind_double(stmt, column, value);
    else
        sqlite3_bind_null(stmt, column);
}

static int fold_end(struct writer *w, struct fold *fold, const struct job *job, int64_t t_ms)
{
    if (!fold->metric)
        return SQLITE_OK;
    /* A counter's avg is its growth within the period, so that of the whole is the sum. */
    double avg = fold->counter ? fold->sum : fold->sum / (double)fold->gauge_n;
    sqlite3_stmt *stmt = w->stmts[REC_ROLLUP];
    sqlite3_bind_int64(stmt, 1, job->to_s);
    sqlite3_bind_int64(stmt, 2, t_ms);
    sqlite3_bind_int64(stmt, 3, fold->miner_id);
    sqlite3_bind_text(stmt, 4, fold->metric, -1, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 5, fold->n);
    bind_f64(stmt, 6, fold->min);
    bind_f64(stmt, 7, fold->max);
    bind_f64(stmt, 8, avg);
    bind_f64(stmt, 9, fold->last);
    int rc = db_step(stmt);
    sqlite3_bind_null(stmt, 4);
    free(fold->metric);
    *fold = (struct fold){0};
    return rc;
}

static void fold_add(struct fold *fold, sqlite3_stmt *row)
{
    int64_t n = sqlite3_column_int64(row, 2);
    double avg = column_f64(row, 5), last = column_f64(row, 6);
    fold->n += n;
    fold->min = fmin(fold->min, column_f64(row, 3));
    fold->max = fmax(fold->max, column_f64(row, 4));
    if (!isnan(avg)) {
        fold->sum += fold->counter ? avg : avg * (double)n;
        fold->gauge_n += n;
    }
    if (!isnan(last))
        fold->last = last;
}

/* Rows of one long period, in order of miner, metric and time. */
static int fold_rows(struct store *store, const struct job *job, int64_t t_ms, sqlite3_stmt *row)
{
    struct writer *w = &store->writer;
    struct fold fold = {0};
    int rc;
    while ((rc = sqlite3_step(row)) == SQLITE_ROW) {
        int64_t miner_id = sqlite3_column_int64(row, 0);
        const char *metric = (const char *)sqlite3_column_text(row, 1);
        if (!metric)
            return SQLITE_NOMEM;
        if (fold.metric && (fold.miner_id != miner_id || strcmp(fold.metric, metric) != 0) &&
            (rc = fold_end(w, &fold, job, t_ms)) != SQLITE_OK)
            return rc;
        if (!fold.metric)
            fold = (struct fold){.miner_id = miner_id,
                                 .metric = shep_strdup(metric),
                                 .counter = counter_known(store, metric),
                                 .min = NAN,
                                 .max = NAN,
                                 .last = NAN};
        fold_add(&fold, row);
    }
    if (rc == SQLITE_DONE)
        rc = fold_end(w, &fold, job, t_ms);
    free(fold.metric);
    return rc;
}

static int fold_period(struct store *store, const struct job *job, int64_t t_ms)
{
    struct writer *w = &store->writer;
    sqlite3_stmt *row = NULL;
    int rc = db_step(w->stmts[STMT_BEGIN]);
    if (rc == SQLITE_OK) /* sorted, hence read to its end before the first row is written */
        rc = sqlite3_prepare_v2(w->db,
                                "SELECT miner_id, metric, n, min, max, avg, last FROM rollups"
                                " WHERE period_s = ?1 AND t_ms >= ?2 AND t_ms < ?3"
                                " ORDER BY miner_id, metric, t_ms",
                                -1, &row, NULL);
    if (rc != SQLITE_OK)
        return rc;
    sqlite3_bind_int64(row, 1, job->from_s);
    sqlite3_bind_int64(row, 2, t_ms);
    sqlite3_bind_int64(row, 3, t_ms + (int64_t)job->to_s * 1000);
    rc = fold_rows(store, job, t_ms, row);
    sqlite3_finalize(row);
    if (rc == SQLITE_OK)
        rc = herd_sum(w, job->to_s, t_ms, t_ms + 1);
    return rc == SQLITE_OK ? db_step(w->stmts[STMT_COMMIT]) : rc;
}

/* Each period by itself: the write lock is never held for more than one. */
static int fold(struct store *store, const struct job *job)
{
    int64_t step_ms = (int64_t)job->to_s * 1000, t_ms = job->from_ms;
    int64_t end_ms = (job->to_ms + step_ms - 1) / step_ms * step_ms;
    for (;;) {
        /* the next short row there is, so that a gap of years costs nothing */
        int64_t next = -1;
        int rc = db_ints(store->writer.db,
                         "SELECT t_ms FROM rollups WHERE period_s = ?1 AND t_ms >= ?2 AND t_ms < ?3"
                         " ORDER BY t_ms LIMIT 1",
                         (int64_t[]){job->from_s, t_ms, end_ms}, 3, &next, 1);
        if (rc != SQLITE_OK || next < 0)
            return rc;
        int64_t begin = next - next % step_ms;
        if (begin >= job->from_ms && (rc = fold_period(store, job, begin)) != SQLITE_OK)
            return rc;
        t_ms = begin + step_ms;
    }
}

int job_run(struct store *store, const struct job *job)
{
    return job->type == JOB_FOLD ? fold(store, job) : drop(&store->writer, job);
}

/* ---- questions ---- */

static void get_row(struct get *get, sqlite3_stmt *row, size_t *cap)
{
    if (get->n_rows == *cap) {
        *cap = *cap ? *cap * 2 : 256;
        get->rows = shep_realloc(get->rows, *cap * sizeof *get->rows);
    }
    get->rows[get->n_rows++] = (struct shep_rollup){.size = sizeof *get->rows,
                                                    .metric = get->metric,
                                                    .period_s = get->period_s,
                                                    .t_ms = sqlite3_column_int64(row, 0),
                                                    .miner_id = sqlite3_column_int64(row, 1),
                                                    .n = (uint32_t)sqlite3_column_int64(row, 2),
                                                    .min = column_f64(row, 3),
                                                    .max = column_f64(row, 4),
                                                    .avg = column_f64(row, 5),
                                                    .last = column_f64(row, 6)};
}

void get_run(struct writer *w, struct get *get)
{
    sqlite3_stmt *row = NULL;
    size_t cap = 0;
    int rc = !w->db
                 ? SQLITE_CANTOPEN
                 : sqlite3_prepare_v2(w->db,
                                      "SELECT * FROM (SELECT t_ms, miner_id, n, min, max, avg, last"
                                      " FROM rollups WHERE period_s = ? AND t_ms >= ? AND t_ms < ?"
                                      " AND metric = ? ORDER BY t_ms DESC, miner_id DESC LIMIT ?)"
                                      " ORDER BY t_ms, miner_id",
                                      -1, &row, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_bind_int64(row, 1, get->period_s);
        sqlite3_bind_int64(row, 2, get->from_ms);
        sqlite3_bind_int64(row, 3, get->to_ms);
        sqlite3_bind_text(row, 4, get->metric_name, -1, SQLITE_STATIC);
        sqlite3_bind_int(row, 5, ROLLUP_ROWS_MAX);
        while ((rc = sqlite3_step(row)) == SQLITE_ROW)
            get_row(get, row, &cap);
        sqlite3_finalize(row);
    }
    if (rc != SQLITE_DONE) {
        get->err = SHEP_E_IO;
        get->n_rows = 0;
    }
}
