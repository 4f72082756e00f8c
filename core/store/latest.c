/* Latest readings wait here for their minute: each miner's newest word, written all together in one
 * commit, since a row a miner spread over the minute would dirty a page each. Thread: the writer.
 */
#include "store/internal.h"

static struct latest_slot *slot_of(struct latest *latest, int64_t miner_id)
{
    bool is_new;
    uint32_t number = idmap_get(&latest->by_miner, miner_id, &is_new);
    if (number >= latest->cap) {
        size_t cap = latest->cap ? latest->cap * 2 : 64;
        latest->slots = shep_realloc(latest->slots, cap * sizeof *latest->slots);
        memset(latest->slots + latest->cap, 0, (cap - latest->cap) * sizeof *latest->slots);
        latest->cap = cap;
    }
    return &latest->slots[number];
}

void latest_keep(struct latest *latest, const char *params, const struct rec_head *head)
{
    const char *at = params;
    struct latest_slot *slot = slot_of(latest, rec_param_next(&at).i);
    if (!slot->record.len)
        latest->n_waiting++;
    buf_clear(&slot->record);
    buf_add(&slot->record, params, head->len);
    slot->n_params = head->n_params;
}

void latest_forget(struct latest *latest, int64_t miner_id)
{
    struct latest_slot *slot = slot_of(latest, miner_id);
    latest->n_waiting -= slot->record.len != 0;
    buf_clear(&slot->record);
}

static int slot_write(const struct latest_slot *slot, sqlite3_stmt *stmt)
{
    db_bind(stmt, slot->record.data, slot->n_params);
    return db_step(stmt);
}

int latest_flush(struct latest *latest, sqlite3_stmt *const *stmts)
{
    for (size_t i = 0; i < latest->by_miner.n; i++) {
        const struct latest_slot *slot = &latest->slots[i];
        if (!slot->record.len)
            continue;
        int rc = slot_write(slot, stmts[STMT_LATEST]);
        if (rc == SQLITE_OK)
            rc = slot_write(slot, stmts[STMT_MINER_LATEST]);
        if (rc != SQLITE_OK && !rc_is_record(rc))
            return rc;
    }
    return SQLITE_OK;
}

void latest_flushed(struct latest *latest, int64_t now_us)
{
    for (size_t i = 0; i < latest->by_miner.n; i++)
        buf_clear(&latest->slots[i].record);
    latest->n_waiting = 0;
    latest->flushed_us = now_us;
}

void latest_free(struct latest *latest)
{
    for (size_t i = 0; i < latest->cap; i++)
        buf_free(&latest->slots[i].record);
    free(latest->slots);
    idmap_free(&latest->by_miner);
    *latest = (struct latest){0};
}
