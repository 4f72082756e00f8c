/* log_index: which ids hold the lines of a miner in a minute. Kept in memory until its minute is
 * over, so that it costs one row a miner and minute and not one a commit; after a crash it is made
 * again from the lines behind log_state.last_id. Thread: whoever writes. */
#include "store/internal.h"

enum {
    MINUTE_MS = 60000,
    UNINDEXED_MAX = 100000,      /* lines to read again at start: 50 ms here */
    FLUSH_GAP_US = 20 * 1000000, /* lines with times of their own (a replay) may change the minute
                                    with each line */
};

static size_t idmap_slot(const struct idmap *map, int64_t key)
{
    size_t at = (size_t)((uint64_t)key * 0x9E3779B97F4A7C15u >> 32) & (map->cap - 1);
    while (map->values[at] && map->keys[at] != key)
        at = (at + 1) & (map->cap - 1);
    return at;
}

static void idmap_grow(struct idmap *map)
{
    struct idmap old = *map;
    map->cap = old.cap ? old.cap * 2 : 64;
    map->keys = shep_alloc_array(map->cap, sizeof *map->keys);
    map->values = shep_alloc_array(map->cap, sizeof *map->values);
    for (size_t i = 0; i < old.cap; i++) {
        if (!old.values[i])
            continue;
        size_t at = idmap_slot(map, old.keys[i]);
        map->keys[at] = old.keys[i];
        map->values[at] = old.values[i];
    }
    free(old.keys);
    free(old.values);
}

uint32_t idmap_get(struct idmap *map, int64_t key, bool *is_new)
{
    if ((map->n + 1) * 2 > map->cap)
        idmap_grow(map);
    size_t at = idmap_slot(map, key);
    *is_new = map->values[at] == 0;
    if (*is_new) {
        map->keys[at] = key;
        map->values[at] = (uint32_t)++map->n; /* 0 stands for empty */
    }
    return map->values[at] - 1;
}

void idmap_free(struct idmap *map)
{
    free(map->keys);
    free(map->values);
    *map = (struct idmap){0};
}

static void slot_retire(struct logs *logs, struct log_slot *slot)
{
    if (logs->n_ready == logs->ready_cap) {
        logs->ready_cap = logs->ready_cap ? logs->ready_cap * 2 : 64;
        logs->ready = shep_realloc(logs->ready, logs->ready_cap * sizeof *logs->ready);
    }
    logs->ready[logs->n_ready++] = *slot;
    slot->n = 0;
}

static struct log_slot *slot_of(struct logs *logs, int64_t miner_id)
{
    bool is_new;
    uint32_t number = idmap_get(&logs->by_miner, miner_id, &is_new);
    if (number >= logs->open_cap) {
        size_t cap = logs->open_cap ? logs->open_cap * 2 : 64;
        logs->open = shep_realloc(logs->open, cap * sizeof *logs->open);
        memset(logs->open + logs->open_cap, 0, (cap - logs->open_cap) * sizeof *logs->open);
        logs->open_cap = cap;
    }
    return &logs->open[number];
}

void logs_add(struct logs *logs, int64_t id, int64_t miner_id, int64_t at_ms, size_t len)
{
    int64_t minute = at_ms / MINUTE_MS;
    struct log_slot *slot = slot_of(logs, miner_id);
    if (slot->n && slot->minute != minute)
        slot_retire(logs, slot);
    if (!slot->n)
        *slot = (struct log_slot){.minute = minute, .miner_id = miner_id, .first_id = id};
    slot->last_id = id;
    slot->n++;
    slot->bytes += (int64_t)len;
    logs->bytes += (int64_t)len;
    logs->unindexed_bytes += (int64_t)len;
    logs->unindexed_n++;
    logs->newest_id = id;
    logs->newest_minute = minute;
}

bool logs_flush_due(const struct logs *logs, int64_t now_us)
{
    if (logs->unindexed_n >= UNINDEXED_MAX)
        return true;
    return logs->unindexed_n && logs->newest_minute != logs->flushed_minute &&
           now_us - logs->flushed_us >= FLUSH_GAP_US;
}

static int slot_put(const struct log_slot *slot, sqlite3_stmt *stmt)
{
    sqlite3_bind_int64(stmt, 1, slot->minute);
    sqlite3_bind_int64(stmt, 2, slot->miner_id);
    sqlite3_bind_int64(stmt, 3, slot->first_id);
    sqlite3_bind_int64(stmt, 4, slot->last_id);
    sqlite3_bind_int64(stmt, 5, slot->n);
    sqlite3_bind_int64(stmt, 6, slot->bytes);
    return db_step(stmt);
}

int logs_flush(struct logs *logs, sqlite3_stmt *const *stmts)
{
    int rc = SQLITE_OK;
    for (size_t i = 0; rc == SQLITE_OK && i < logs->n_ready; i++)
        rc = slot_put(&logs->ready[i], stmts[STMT_INDEX_PUT]);
    for (size_t i = 0; rc == SQLITE_OK && i < logs->by_miner.n; i++)
        if (logs->open[i].n)
            rc = slot_put(&logs->open[i], stmts[STMT_INDEX_PUT]);
    if (rc != SQLITE_OK)
        return rc;
    sqlite3_stmt *stmt = stmts[STMT_STATE_PUT];
    sqlite3_bind_int64(stmt, 1, logs->newest_id);
    sqlite3_bind_int64(stmt, 2, logs->unindexed_n);
    sqlite3_bind_int64(stmt, 3, logs->unindexed_bytes);
    return db_step(stmt);
}

void logs_flushed(struct logs *logs, int64_t now_us)
{
    logs->flushed_us = now_us;
    logs->n_ready = 0;
    for (size_t i = 0; i < logs->by_miner.n; i++)
        logs->open[i].n = 0;
    logs->indexed_last_id = logs->newest_id;
    logs->indexed_n += logs->unindexed_n;
    logs->indexed_bytes += logs->unindexed_bytes;
    logs->unindexed_n = logs->unindexed_bytes = 0;
    logs->flushed_minute = logs->newest_minute;
}

int logs_load(struct logs *logs, sqlite3 *db)
{
    logs_free(logs);
    int64_t state[3] = {0};
    int rc = db_ints(db, "SELECT last_id, n, bytes FROM log_state", NULL, 0, state, 3);
    if (rc != SQLITE_OK)
        return rc;
    logs->indexed_last_id = logs->newest_id = state[0];
    logs->indexed_n = state[1];
    logs->indexed_bytes = logs->bytes = state[2];
    sqlite3_stmt *stmt = NULL;
    rc = sqlite3_prepare_v2(db,
                            "SELECT id, miner_id, at_ms, length(CAST(line AS BLOB))"
                            " FROM miner_logs WHERE id > ? ORDER BY id",
                            -1, &stmt, NULL);
    if (rc != SQLITE_OK)
        return rc;
    sqlite3_bind_int64(stmt, 1, logs->indexed_last_id);
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW)
        logs_add(logs, sqlite3_column_int64(stmt, 0), sqlite3_column_int64(stmt, 1),
                 sqlite3_column_int64(stmt, 2), (size_t)sqlite3_column_int64(stmt, 3));
    sqlite3_finalize(stmt);
    logs->flushed_minute = logs->newest_minute;
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

void logs_free(struct logs *logs)
{
    idmap_free(&logs->by_miner);
    free(logs->open);
    free(logs->ready);
    *logs = (struct logs){0};
}
