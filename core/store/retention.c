/* What is deleted and when: lines by age and by size of their text, events by number. Small chunks
 * by id, each a transaction of its own that holds the write lock for a few ms; it stops as soon as
 * a batch waits. The newest hour stays, by the clock on the wall and by the one that never jumps.
 *
 * Ids rise in order of arrival; times may not (a Pi without a clock starts in the past). So what is
 * deleted is always a prefix of the ids, and the times only say how long it may be. Thread: the
 * writer. */
#include "store/internal.h"

#include "util/clock.h"

enum {
    HOUR_US = 3600 * 1000 * 1000ll,
    CHUNK_FEW = 200,
    CHUNK_MANY = 20000,
    CHUNK_SLOW_US = 20000, /* half of what README.md promises; then smaller chunks */
    CHUNK_QUICK_US = 5000,
    INDEX_ROWS = 2000
};

/* First id of the first minute at or after <minute> that has lines; all before it arrived earlier.
 */
static int first_id_since(struct writer *w, int64_t minute, int64_t *id)
{
    *id = 0;
    int rc = db_ints(w->db,
                     "SELECT min(first_id) FROM log_index WHERE minute ="
                     " (SELECT minute FROM log_index WHERE minute >= ? ORDER BY minute LIMIT 1)",
                     &minute, 1, id, 1);
    if (*id == 0)
        *id = w->logs.indexed_last_id + 1;
    return rc;
}

/* Remember, once a minute, where the log ended. */
static void hour_note(struct writer *w, int64_t now_us)
{
    struct retention *r = &w->retention;
    if (r->hour_n && now_us - r->hour_us[r->hour_n - 1] < HOUR_US / 60)
        return;
    if (r->hour_n == ARRAY_LEN(r->hour_ids)) {
        memmove(r->hour_ids, r->hour_ids + 1, (r->hour_n - 1) * sizeof *r->hour_ids);
        memmove(r->hour_us, r->hour_us + 1, (r->hour_n - 1) * sizeof *r->hour_us);
        r->hour_n--;
    }
    r->hour_ids[r->hour_n] = w->logs.newest_id + 1;
    r->hour_us[r->hour_n++] = now_us;
}

static int64_t hour_hold(struct writer *w)
{
    const struct retention *r = &w->retention;
    int64_t now_us = clock_mono_us(), hold = r->run_first_id;
    hour_note(w, now_us);
    for (size_t i = 0; i < r->hour_n && now_us - r->hour_us[i] >= HOUR_US; i++)
        hold = r->hour_ids[i];
    return hold;
}

struct holds { /* the first id that stays */
    int64_t by_time, by_size;
};

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int find_holds(struct writer *w, struct holds *holds)
{
    int64_t now_minute = clock_wall_ms() / 60000, newest_minute = 0, id;
    int64_t old_minute = (clock_wall_ms() - w->retention.keep_ms) / 60000;
    int64_t hold = least(hour_hold(w), w->logs.indexed_last_id + 1);
    hold = least(hold, w->logs.newest_id); /* never all: ids go on from the newest */
    int rc = first_id_since(w, now_minute - 60, &id);
    holds->by_size = least(hold, id);
    holds->by_time = 0;
    if (rc == SQLITE_OK)
        rc = db_ints(w->db, "SELECT max(minute) FROM log_index", NULL, 0, &newest_minute, 1);
    /* A clock behind what is stored cannot say what is old. */
    if (rc == SQLITE_OK && now_minute >= newest_minute) {
        rc = first_id_since(w, old_minute, &id);
        holds->by_time = least(holds->by_size, id);
    }
    return rc;
}

/* Deletes lines with ids in [from_id, before_id), one chunk. */
static int delete_chunk(struct writer *w, int64_t from_id, int64_t before_id, int64_t *next_id)
{
    int64_t range[2] = {from_id, least(from_id + w->retention.chunk_rows, before_id)};
    int64_t gone[2] = {0};
    int rc = db_ints(w->db,
                     "SELECT count(*), coalesce(sum(length(CAST(line AS BLOB))), 0) FROM miner_logs"
                     " WHERE id >= ? AND id < ?",
                     range, 2, gone, 2);
    int64_t begun_us = real_mono_us();
    if (rc == SQLITE_OK)
        rc = db_step(w->stmts[STMT_BEGIN]);
    if (rc == SQLITE_OK)
        rc = db_exec_ints(w->db, "DELETE FROM miner_logs WHERE id >= ? AND id < ?", range, 2);
    if (rc == SQLITE_OK)
        rc = db_exec_ints(w->db, "UPDATE log_state SET n = n - ?, bytes = bytes - ?", gone, 2);
    if (rc == SQLITE_OK)
        rc = db_step(w->stmts[STMT_COMMIT]);
    if (rc != SQLITE_OK)
        return rc;
    int64_t took_us = real_mono_us() - begun_us;
    if (took_us > CHUNK_SLOW_US && w->retention.chunk_rows > CHUNK_FEW)
        w->retention.chunk_rows /= 2;
    else if (took_us < CHUNK_QUICK_US && w->retention.chunk_rows < CHUNK_MANY)
        w->retention.chunk_rows *= 2;
    w->logs.indexed_n -= gone[0];
    w->logs.indexed_bytes -= gone[1];
    w->logs.bytes -= gone[1];
    *next_id = range[1];
    return SQLITE_OK;
}

static int delete_index(struct store *store, int64_t oldest_id)
{
    struct writer *w = &store->writer;
    int64_t minute = 0;
    int rc = db_ints(w->db, "SELECT at_ms / 60000 FROM miner_logs ORDER BY id LIMIT 1", NULL, 0,
                     &minute, 1);
    while (rc == SQLITE_OK) {
        rc = db_exec_ints(w->db,
                          "DELETE FROM log_index WHERE (minute, miner_id) IN"
                          " (SELECT minute, miner_id FROM log_index"
                          "  WHERE minute <= ? AND last_id < ? LIMIT 2000)",
                          (int64_t[]){minute, oldest_id}, 2);
        if (sqlite3_changes(w->db) < INDEX_ROWS || queue_has_work(&store->queue))
            break;
    }
    return rc;
}

static int trim_events(struct writer *w)
{
    int64_t ends[2] = {0};
    int rc = db_ints(w->db, "SELECT min(id) FROM events", NULL, 0, &ends[0], 1);
    if (rc == SQLITE_OK)
        rc = db_ints(w->db, "SELECT max(id) FROM events", NULL, 0, &ends[1], 1);
    int64_t before = least(ends[1] - EVENTS_KEPT, ends[0] + CHUNK_MANY);
    if (rc == SQLITE_OK && before > ends[0])
        rc = db_exec_ints(w->db, "DELETE FROM events WHERE id < ?", &before, 1);
    return rc;
}

int retention_run(struct store *store, bool urgent)
{
    struct writer *w = &store->writer;
    struct holds holds;
    int64_t oldest = 0, begun_at;
    int rc = find_holds(w, &holds);
    if (rc == SQLITE_OK)
        rc = db_ints(w->db, "SELECT min(id) FROM miner_logs", NULL, 0, &oldest, 1);
    begun_at = oldest;
    w->retention.unfinished = false;
    while (rc == SQLITE_OK && oldest) {
        int64_t hold = w->logs.bytes > w->retention.keep_bytes ? holds.by_size : holds.by_time;
        if (oldest >= hold)
            break;
        if (oldest > begun_at && (urgent || queue_has_work(&store->queue))) {
            w->retention.unfinished = true;
            break;
        }
        rc = delete_chunk(w, oldest, hold, &oldest);
    }
    if (rc == SQLITE_OK && oldest > begun_at)
        rc = delete_index(store, oldest);
    return rc == SQLITE_OK ? trim_events(w) : rc;
}
