/* Long work in small steps: all that a miner has is erased, or becomes another's. A step is one
 * transaction of a few ms, between two batches. What is still to do stands in the table chores; a
 * step that is done again changes nothing, so after a kill or an error the first chore begins from
 * its start and finds less. Thread: the writer.
 *
 * miner_logs has no index by miner (README.md, "What it writes"). log_index tells which stretches
 * of ids may hold lines of the miner; they are read once, in order, a chunk a step. Its rows of the
 * miner go only when all lines are done, for until then they are the list of what to look through.
 */
#include "store/internal.h"

#include "util/log.h"

enum {
    WINDOW_ROWS = 5000, /* of log_index, events, rollups: a few ms to look through */
    ROWS_FIRST = 1000,  /* ids of lines in a step */
    ROWS_LEAST = 200,
    ROWS_MOST = 50000,    /* most are another's and only passed over */
    STEP_SLOW_US = 20000, /* as in retention.c */
    STEP_QUICK_US = 5000,
    GAP_IDS = 5000,     /* a gap between stretches that is not worth a step */
    RANGES_MAX = 20000, /* 320 kB; then the last one grows */
    RETRY_FIRST_US = 250 * 1000,
    RETRY_MOST_US = 10 * 1000 * 1000
};

/* ---- one transaction of a step ---- */

static int txn_begin(struct writer *w)
{
    return db_step(w->stmts[STMT_BEGIN]);
}

static int txn_end(struct writer *w, int rc)
{
    return rc == SQLITE_OK ? db_step(w->stmts[STMT_COMMIT]) : rc;
}

/* ---- lines: find the stretches, go through them, then their index ---- */

static void range_add(struct chore *c, int64_t first_id, int64_t last_id)
{
    struct id_range *last = c->n_ranges ? &c->ranges[c->n_ranges - 1] : NULL;
    if (last && (c->n_ranges == RANGES_MAX ||
                 (first_id >= last->first_id && first_id <= last->last_id + GAP_IDS))) {
        last->first_id = first_id < last->first_id ? first_id : last->first_id;
        last->last_id = last_id > last->last_id ? last_id : last->last_id;
        return;
    }
    if (c->n_ranges == c->cap) {
        c->cap = c->cap ? c->cap * 2 : 64;
        c->ranges = shep_realloc(c->ranges, c->cap * sizeof *c->ranges);
    }
    c->ranges[c->n_ranges++] = (struct id_range){first_id, last_id};
}

static int by_first_id(const void *a, const void *b)
{
    const struct id_range *x = a, *y = b;
    return (x->first_id > y->first_id) - (x->first_id < y->first_id);
}

/* By id, each id in one of them at most: clocks that jumped mix up the minutes. */
static void ranges_tidy(struct chore *c)
{
    size_t n = 0;
    if (c->n_ranges == 0)
        return;
    qsort(c->ranges, c->n_ranges, sizeof *c->ranges, by_first_id);
    for (size_t i = 1; i < c->n_ranges; i++) {
        struct id_range *last = &c->ranges[n];
        if (c->ranges[i].first_id > last->last_id + GAP_IDS)
            c->ranges[++n] = c->ranges[i];
        else if (c->ranges[i].last_id > last->last_id)
            last->last_id = c->ranges[i].last_id;
    }
    c->n_ranges = n + 1;
}

/* The next minutes of the index, as many as have WINDOW_ROWS rows: [*from, *before). */
static int index_window(struct writer *w, int64_t at, int64_t *from, int64_t *before)
{
    int64_t minutes[2] = {-1, -1};
    int rc =
        db_ints(w->db, "SELECT minute FROM log_index WHERE minute >= ? ORDER BY minute LIMIT 1",
                &at, 1, &minutes[0], 1);
    if (rc == SQLITE_OK && minutes[0] >= 0)
        rc = db_ints(w->db,
                     "SELECT minute FROM log_index WHERE minute >= ? ORDER BY minute LIMIT 1"
                     " OFFSET ?",
                     (int64_t[]){minutes[0], WINDOW_ROWS}, 2, &minutes[1], 1);
    *from = minutes[0];
    *before = minutes[1] < 0 ? INT64_MAX : minutes[1];
    if (*before == *from)
        (*before)++;
    return rc;
}

static int step_find(struct writer *w, struct chore *c)
{
    int64_t before;
    sqlite3_stmt *row = NULL;
    int rc = index_window(w, c->at, &c->at, &before);
    if (rc == SQLITE_OK && c->at >= 0)
        rc = sqlite3_prepare_v2(w->db,
                                "SELECT first_id, last_id FROM log_index"
                                " WHERE minute >= ? AND minute < ? AND miner_id = ?",
                                -1, &row, NULL);
    if (rc != SQLITE_OK)
        return rc;
    if (c->at < 0) {
        ranges_tidy(c);
        c->stage = CHORE_LINES;
        c->at = 0;
        return SQLITE_OK;
    }
    sqlite3_bind_int64(row, 1, c->at);
    sqlite3_bind_int64(row, 2, before);
    sqlite3_bind_int64(row, 3, c->miner_id);
    while ((rc = sqlite3_step(row)) == SQLITE_ROW)
        range_add(c, sqlite3_column_int64(row, 0), sqlite3_column_int64(row, 1));
    sqlite3_finalize(row);
    c->at = before;
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* The books of retention, in memory and in the file, lose what is erased. */
static int erase_lines(struct writer *w, const int64_t range[3], const int64_t gone[2])
{
    int rc = db_exec_ints(w->db, "DELETE FROM miner_logs WHERE id >= ? AND id < ? AND miner_id = ?",
                          range, 3);
    if (rc == SQLITE_OK)
        rc = db_exec_ints(w->db, "UPDATE log_state SET n = n - ?, bytes = bytes - ?", gone, 2);
    return rc;
}

static int move_lines(struct writer *w, const struct chore *c, const int64_t range[3])
{
    return db_exec_ints(w->db,
                        "UPDATE miner_logs SET miner_id = ?4"
                        " WHERE id >= ?1 AND id < ?2 AND miner_id = ?3",
                        (int64_t[]){range[0], range[1], range[2], c->into_id}, 4);
}

static int lines_chunk(struct writer *w, const struct chore *c, const int64_t range[3])
{
    int64_t gone[2] = {0};
    int rc = db_ints(w->db,
                     "SELECT count(*), coalesce(sum(length(CAST(line AS BLOB))), 0) FROM miner_logs"
                     " WHERE id >= ? AND id < ? AND miner_id = ?",
                     range, 3, gone, 2);
    if (rc != SQLITE_OK || gone[0] == 0)
        return rc;
    rc = txn_begin(w);
    if (rc == SQLITE_OK)
        rc = c->into_id ? move_lines(w, c, range) : erase_lines(w, range, gone);
    rc = txn_end(w, rc);
    if (rc == SQLITE_OK && !c->into_id) {
        w->logs.indexed_n -= gone[0];
        w->logs.indexed_bytes -= gone[1];
        w->logs.bytes -= gone[1];
    }
    return rc;
}

static int step_lines(struct writer *w, struct chore *c)
{
    if (c->range_at == c->n_ranges) {
        c->stage = CHORE_INDEX;
        c->at = 0;
        return SQLITE_OK;
    }
    const struct id_range *range = &c->ranges[c->range_at];
    int64_t from = c->at > range->first_id ? c->at : range->first_id;
    int64_t before = from + c->rows <= range->last_id ? from + c->rows : range->last_id + 1;
    int64_t begun_us = real_mono_us();
    int rc = lines_chunk(w, c, (int64_t[]){from, before, c->miner_id});
    if (rc != SQLITE_OK)
        return rc;
    int64_t took_us = real_mono_us() - begun_us;
    if (took_us > STEP_SLOW_US && c->rows > ROWS_LEAST)
        c->rows /= 2;
    else if (took_us < STEP_QUICK_US && c->rows < ROWS_MOST)
        c->rows *= 2;
    c->at = before;
    c->range_at += before > range->last_id;
    return SQLITE_OK;
}

/* Two statements of one transaction: ?1, ?2 the window, ?3 the miner, ?4 whose it becomes. The
 * first only when it becomes another's. */
static int move_and_delete(struct writer *w, const struct chore *c, int64_t from, int64_t before,
                           const char *move, const char *del)
{
    int64_t params[4] = {from, before, c->miner_id, c->into_id};
    int rc = txn_begin(w);
    if (rc == SQLITE_OK && c->into_id)
        rc = db_exec_ints(w->db, move, params, 4);
    if (rc == SQLITE_OK)
        rc = db_exec_ints(w->db, del, params, 3);
    return txn_end(w, rc);
}

static int step_index(struct writer *w, struct chore *c)
{
    int64_t before, any = 0;
    int rc = index_window(w, c->at, &c->at, &before);
    if (rc == SQLITE_OK && c->at >= 0)
        rc = db_ints(w->db,
                     "SELECT count(*) FROM log_index WHERE minute >= ? AND minute < ?"
                     " AND miner_id = ?",
                     (int64_t[]){c->at, before, c->miner_id}, 3, &any, 1);
    if (rc == SQLITE_OK && c->at < 0) {
        c->stage = CHORE_EVENTS;
        c->at = 0;
        return SQLITE_OK;
    }
    if (rc == SQLITE_OK && any)
        rc = move_and_delete(
            w, c, c->at, before,
            "INSERT INTO log_index(minute, miner_id, first_id, last_id, n, bytes)"
            " SELECT minute, ?4, first_id, last_id, n, bytes FROM log_index"
            " WHERE minute >= ?1 AND minute < ?2 AND miner_id = ?3"
            " ON CONFLICT(minute, miner_id) DO UPDATE SET"
            " first_id = min(first_id, excluded.first_id),"
            " last_id = max(last_id, excluded.last_id), n = n + excluded.n,"
            " bytes = bytes + excluded.bytes",
            "DELETE FROM log_index WHERE minute >= ?1 AND minute < ?2 AND miner_id = ?3");
    c->at = before;
    return rc;
}

/* ---- events and history ---- */

static int step_events(struct writer *w, struct chore *c)
{
    int64_t next = 0, any = 0, before;
    int rc = db_ints(w->db, "SELECT id FROM events WHERE id >= ? ORDER BY id LIMIT 1", &c->at, 1,
                     &next, 1);
    if (rc != SQLITE_OK || next == 0) {
        c->stage = CHORE_ROLLUPS;
        c->at = 0;
        return rc;
    }
    before = next + WINDOW_ROWS;
    rc = db_ints(w->db, "SELECT count(*) FROM events WHERE id >= ? AND id < ? AND miner_id = ?",
                 (int64_t[]){next, before, c->miner_id}, 3, &any, 1);
    if (rc == SQLITE_OK && any)
        rc = move_and_delete(w, c, next, before,
                             "UPDATE events SET miner_id = ?4"
                             " WHERE id >= ?1 AND id < ?2 AND miner_id = ?3",
                             "DELETE FROM events WHERE id >= ?1 AND id < ?2 AND miner_id = ?3");
    c->at = before;
    return rc;
}

/* The next rows of history, in the order of their key: one period, times [*from, *before). */
static int rollup_window(struct writer *w, struct chore *c, int64_t *from, int64_t *before)
{
    int64_t first[2] = {0}, end = -1;
    int rc = db_ints(w->db,
                     "SELECT period_s, t_ms FROM rollups WHERE (period_s, t_ms) >= (?, ?)"
                     " ORDER BY period_s, t_ms LIMIT 1",
                     (int64_t[]){c->period_s, c->at}, 2, first, 2);
    c->period_s = first[0]; /* 0: no more */
    if (rc == SQLITE_OK && first[0])
        rc = db_ints(w->db,
                     "SELECT t_ms FROM rollups WHERE period_s = ? AND t_ms >= ? ORDER BY t_ms"
                     " LIMIT 1 OFFSET ?",
                     (int64_t[]){first[0], first[1], WINDOW_ROWS}, 3, &end, 1);
    *from = first[1];
    *before = end < 0 ? INT64_MAX : end > *from ? end : *from + 1;
    return rc;
}

#define ROLLUPS "period_s = ?4 AND t_ms >= ?1 AND t_ms < ?2 AND miner_id = ?3"

static int step_rollups(struct writer *w, struct chore *c)
{
    int64_t from, before, any = 0;
    int rc = rollup_window(w, c, &from, &before);
    if (rc != SQLITE_OK || c->period_s == 0) {
        c->stage = CHORE_END;
        return rc;
    }
    int64_t params[5] = {from, before, c->miner_id, c->period_s, c->into_id};
    rc = db_ints(w->db, "SELECT count(*) FROM rollups WHERE " ROLLUPS, params, 4, &any, 1);
    if (rc == SQLITE_OK && any) {
        rc = txn_begin(w);
        if (rc == SQLITE_OK && c->into_id)
            rc = db_exec_ints(w->db, "UPDATE OR IGNORE rollups SET miner_id = ?5 WHERE " ROLLUPS,
                              params, 5);
        if (rc == SQLITE_OK) /* after a move: where the other one has a row of its own */
            rc = db_exec_ints(w->db, "DELETE FROM rollups WHERE " ROLLUPS, params, 4);
        if (rc == SQLITE_OK)
            rc = herd_sum(w, c->period_s, from, before);
        rc = txn_end(w, rc);
    }
    c->at = before;
    return rc;
}

/* ---- the rest, which is small ---- */

/* best_ever is of both; what was said last is of who stays, if it ever said anything. */
static int end_of_merge(struct writer *w, const struct chore *c)
{
    static const char *const sql[] = {
        "UPDATE latest SET best_ever = o.best_ever, best_ever_at_ms = o.best_ever_at_ms"
        " FROM (SELECT best_ever, best_ever_at_ms FROM latest WHERE miner_id = ?1) AS o"
        " WHERE latest.miner_id = ?2 AND o.best_ever > coalesce(latest.best_ever, 0)",
        "UPDATE OR IGNORE latest SET miner_id = ?2 WHERE miner_id = ?1",
        "UPDATE OR IGNORE summaries SET miner_id = ?2 WHERE miner_id = ?1",
    };
    int rc = SQLITE_OK;
    for (size_t i = 0; rc == SQLITE_OK && i < ARRAY_LEN(sql); i++)
        rc = db_exec_ints(w->db, sql[i], (int64_t[]){c->miner_id, c->into_id}, 2);
    return rc;
}

static int step_end(struct writer *w, const struct chore *c)
{
    int rc = txn_begin(w);
    if (rc == SQLITE_OK && c->into_id)
        rc = end_of_merge(w, c);
    if (rc == SQLITE_OK)
        rc = db_exec_ints(w->db, "DELETE FROM latest WHERE miner_id = ?", &c->miner_id, 1);
    if (rc == SQLITE_OK)
        rc = db_exec_ints(w->db, "DELETE FROM summaries WHERE miner_id = ?", &c->miner_id, 1);
    if (rc == SQLITE_OK)
        rc = db_exec_ints(w->db, "DELETE FROM chores WHERE id = ?", &c->id, 1);
    return txn_end(w, rc);
}

/* ---- one after the other ---- */

void chores_reset(struct chores *chores)
{
    free(chores->now.ranges);
    chores->now = (struct chore){0};
    chores->maybe = true;
}

int chores_find(struct writer *w)
{
    int64_t got[3] = {0};
    if (w->chores.now.id)
        return SQLITE_OK;
    int rc = db_ints(w->db, "SELECT id, miner_id, into_id FROM chores ORDER BY id LIMIT 1", NULL, 0,
                     got, 3);
    w->chores.now =
        (struct chore){.id = got[0], .miner_id = got[1], .into_id = got[2], .rows = ROWS_FIRST};
    w->chores.maybe = rc != SQLITE_OK || got[0] != 0;
    return rc;
}

static int step(struct writer *w, struct chore *c)
{
    switch (c->stage) {
    case CHORE_FIND:
        return step_find(w, c);
    case CHORE_LINES:
        return step_lines(w, c);
    case CHORE_INDEX:
        return step_index(w, c);
    case CHORE_EVENTS:
        return step_events(w, c);
    case CHORE_ROLLUPS:
        return step_rollups(w, c);
    default:
        return step_end(w, c);
    }
}

/* The order itself cannot be carried out, now or ever: somebody changed the tables by hand. */
static int give_up(struct writer *w, const struct chore *c, int rc)
{
    log_error("store", "miner %lld cannot be %s: %s; what was done so far stays",
              (long long)c->miner_id, c->into_id ? "merged" : "erased", sqlite3_errstr(rc));
    if (!sqlite3_get_autocommit(w->db))
        sqlite3_exec(w->db, "ROLLBACK", NULL, NULL, NULL);
    return db_exec_ints(w->db, "DELETE FROM chores WHERE id = ?", &c->id, 1);
}

int chores_step(struct writer *w)
{
    struct chore *c = &w->chores.now;
    bool at_end = c->stage == CHORE_END;
    int rc = step(w, c);
    if (rc_is_record(rc)) {
        rc = give_up(w, c, rc);
        at_end = true;
    }
    if (rc == SQLITE_OK)
        w->chores.wait_us = 0;
    if (rc == SQLITE_OK && at_end)
        chores_reset(&w->chores);
    return rc;
}

void chores_failed(struct chores *chores)
{
    int64_t wait_us = chores->wait_us ? chores->wait_us : RETRY_FIRST_US;
    chores->retry_us = real_mono_us() + wait_us;
    chores->wait_us = wait_us * 2 < RETRY_MOST_US ? wait_us * 2 : RETRY_MOST_US;
}
