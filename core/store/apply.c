/* One batch of records into the open transaction. Knows which errors are a record's own fault (it
 * is left out, counted, complained about) and which are the disk's (the whole batch is done again).
 * Thread: the writer. */
#include "store/internal.h"

#include "util/log.h"

bool rc_is_record(int rc)
{
    int primary = rc & 0xff;
    return primary == SQLITE_CONSTRAINT || primary == SQLITE_MISMATCH || primary == SQLITE_TOOBIG ||
           primary == SQLITE_RANGE;
}

static int apply_line(struct writer *w, const struct rec_head *head, const char *payload)
{
    struct rec_line line;
    memcpy(&line, payload, sizeof line);
    if (line.id <= w->max_line_id)
        return SQLITE_OK; /* the commit that seemed to fail had reached the disk */
    size_t len = head->len - sizeof line;
    sqlite3_stmt *stmt = w->stmts[STMT_LINE];
    sqlite3_bind_int64(stmt, 1, line.id);
    sqlite3_bind_int64(stmt, 2, line.miner_id);
    sqlite3_bind_int64(stmt, 3, line.at_ms);
    sqlite3_bind_text(stmt, 4, payload + sizeof line, (int)len, SQLITE_STATIC);
    int rc = db_step(stmt);
    if (rc == SQLITE_OK)
        logs_add(&w->logs, line.id, line.miner_id, line.at_ms, len);
    return rc;
}

static int apply_params(struct writer *w, const struct rec_head *head, const char *payload)
{
    if (head->type == REC_EVENT) {
        const char *at = payload;
        if (rec_param_next(&at).i <= w->max_event_id)
            return SQLITE_OK;
    }
    if (head->type == REC_MINER_RENAME) {
        db_bind(w->stmts[STMT_NAME_FREE], payload, head->n_params);
        int rc = db_step(w->stmts[STMT_NAME_FREE]);
        if (rc != SQLITE_OK)
            return rc;
    }
    if (head->type == REC_MINER_NAMELESS) { /* else its readings would come back in a minute */
        const char *at = payload;
        latest_forget(&w->latest, rec_param_next(&at).i);
    }
    if (head->type == REC_CHORE)
        w->chores.maybe = true;
    db_bind(w->stmts[head->type], payload, head->n_params);
    return db_step(w->stmts[head->type]);
}

static int apply_one(struct writer *w, const struct rec_head *head, const char *payload)
{
    if (head->type == REC_LINE)
        return apply_line(w, head, payload);
    if (head->type == REC_LATEST) {
        latest_keep(&w->latest, payload, head);
        return SQLITE_OK;
    }
    return apply_params(w, head, payload);
}

/* The period whose row of the herd is to be made anew. Miners' rows of one period come one after
 * the other. */
struct herd_due {
    int64_t period_s, t_ms; /* period_s 0: none */
};

static int herd_end(struct writer *w, struct herd_due *due)
{
    int rc = due->period_s ? herd_sum(w, due->period_s, due->t_ms, due->t_ms + 1) : SQLITE_OK;
    *due = (struct herd_due){0};
    return rc;
}

static int herd_note(struct writer *w, struct herd_due *due, const char *payload)
{
    const char *at = payload;
    int64_t period_s = rec_param_next(&at).i, t_ms = rec_param_next(&at).i;
    int rc = SQLITE_OK;
    if (due->period_s != period_s || due->t_ms != t_ms)
        rc = herd_end(w, due);
    *due = (struct herd_due){period_s, t_ms};
    return rc;
}

int apply_batch(struct store *store, const struct batch *batch)
{
    struct writer *w = &store->writer;
    struct herd_due due = {0};
    const char *at = batch->data.data, *end = at + batch->data.len;
    uint64_t refused = 0;
    while (at && at < end) {
        struct rec_head head;
        memcpy(&head, at, sizeof head);
        at += sizeof head;
        int rc = apply_one(w, &head, at);
        if (rc == SQLITE_OK && head.type == REC_ROLLUP)
            rc = herd_note(w, &due, at);
        if (rc != SQLITE_OK && !rc_is_record(rc))
            return rc;
        if (rc != SQLITE_OK) {
            refused++;
            complain(&w->odd, SHEP_LOG_ERROR, "store",
                     "a record of kind %d was refused and left out: %s", head.type,
                     sqlite3_errmsg(w->db));
        }
        at += head.len;
    }
    int rc = herd_end(w, &due);
    if (rc != SQLITE_OK)
        return rc;
    if (refused) {
        pthread_mutex_lock(&store->queue.lock);
        store->stats.records_dropped += refused;
        pthread_mutex_unlock(&store->queue.lock);
    }
    return SQLITE_OK;
}
