/* Miners and their names. The loop knows the id of each name without asking the file; the newest
 * record of each miner is kept, to be written again into a new database. Thread: loop. */
#include "store/internal.h"

#include "util/clock.h"

/* Where the name is, or would go. */
static size_t name_at(const struct store *store, const char *name, bool *found)
{
    size_t low = 0, high = store->n_names;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = strcmp(store->names[mid].name, name);
        if (order == 0) {
            *found = true;
            return mid;
        }
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    *found = false;
    return low;
}

struct name_entry *name_put(struct store *store, const char *name, int64_t id)
{
    bool found;
    size_t at = name_at(store, name, &found);
    if (found)
        return &store->names[at];
    if (store->n_names == store->cap_names) {
        store->cap_names = store->cap_names ? store->cap_names * 2 : 32;
        store->names = shep_realloc(store->names, store->cap_names * sizeof *store->names);
    }
    memmove(&store->names[at + 1], &store->names[at], (store->n_names - at) * sizeof *store->names);
    store->n_names++;
    store->names[at] = (struct name_entry){.name = shep_strdup(name), .id = id};
    if (id >= store->next_miner_id)
        store->next_miner_id = id + 1;
    return &store->names[at];
}

static struct name_entry *entry_of(struct store *store, int64_t miner_id)
{
    for (size_t i = 0; i < store->n_names; i++)
        if (store->names[i].id == miner_id)
            return &store->names[i];
    return NULL;
}

static void entry_free(struct name_entry *entry)
{
    free(entry->name);
    buf_free(&entry->record);
}

static void name_drop(struct store *store, size_t at)
{
    entry_free(&store->names[at]);
    store->n_names--;
    memmove(&store->names[at], &store->names[at + 1], (store->n_names - at) * sizeof *store->names);
}

void miners_free(struct store *store)
{
    for (size_t i = 0; i < store->n_names; i++)
        entry_free(&store->names[i]);
    free(store->names);
}

/* ---- records ---- */

static void miner_record(struct buf *buf, const struct store_miner *miner, int64_t id,
                         int64_t now_ms)
{
    struct rec_writer rec;
    rec_begin(&rec, buf, REC_MINER);
    rec_i64(&rec, id);
    rec_text(&rec, miner->name);
    rec_text(&rec, miner->location);
    rec_text(&rec, miner->source);
    rec_text(&rec, miner->path);
    rec_text(&rec, miner->parser);
    rec_text(&rec, miner->options_json);
    rec_i64(&rec, miner->origin);
    rec_i64(&rec, now_ms);
    rec_text(&rec, miner->group);
    rec_text(&rec, miner->tags);
    rec_end(&rec);
}

int64_t store_miner_put(struct store *store, const struct store_miner *miner)
{
    struct queue *q = &store->queue;
    pthread_mutex_lock(&q->lock);
    struct name_entry *entry = name_put(store, miner->name, store->next_miner_id);
    int64_t id = entry->id;
    entry->removed_ms = 0;
    buf_clear(&entry->record);
    miner_record(&entry->record, miner, id, clock_wall_ms());
    /* Never refused: lines refer to it, and there are only as many as there are miners. */
    struct batch *batch = queue_begin(q, CLASS_NEVER_FULL);
    size_t before = batch->data.len;
    buf_add(&batch->data, entry->record.data, entry->record.len);
    queue_end(q, batch, before, false);
    pthread_mutex_unlock(&q->lock);
    return id;
}

/* What people do with miners is committed at once, and never refused: names in memory and in the
 * file must not part. */

static void put_removed(struct put *put, int64_t miner_id, int64_t now_ms)
{
    struct name_entry *entry = entry_of(put->store, miner_id);
    if (entry)
        entry->removed_ms = now_ms;
    rec_i64(&put->rec, miner_id);
    rec_i64(&put->rec, now_ms);
}

void store_miner_remove(struct store *store, int64_t miner_id)
{
    struct put put;
    put_begin(&put, store, CLASS_NEVER_FULL, REC_MINER_REMOVE);
    put_removed(&put, miner_id, clock_wall_ms());
    put_end(&put, true);
}

/* ---- another name ---- */

/* The same REC_MINER with another name. */
static void record_rename(struct buf *record, const char *name)
{
    enum { NAME_AT = 1 };
    struct buf renamed = {0};
    struct rec_writer rec;
    struct rec_head head;
    memcpy(&head, record->data, sizeof head);
    const char *at = record->data + sizeof head;
    rec_begin(&rec, &renamed, REC_MINER);
    for (int i = 0; i < head.n_params; i++) {
        struct rec_param param = rec_param_next(&at);
        if (i == NAME_AT)
            rec_text(&rec, name);
        else
            rec_param(&rec, &param);
    }
    rec_end(&rec);
    buf_free(record);
    *record = renamed;
}

/* Takes the entry to the place of its new name, which is free. */
static void entry_rename(struct store *store, struct name_entry *entry, const char *name)
{
    struct name_entry moved = *entry;
    bool found;
    store->n_names--;
    memmove(entry, entry + 1,
            (size_t)(store->names + store->n_names - entry) * sizeof *store->names);
    size_t at = name_at(store, name, &found);
    memmove(&store->names[at + 1], &store->names[at], (store->n_names - at) * sizeof *store->names);
    store->n_names++;
    free(moved.name);
    moved.name = shep_strdup(name);
    record_rename(&moved.record, name);
    store->names[at] = moved;
}

/* As STMT_NAME_FREE does it in the file. */
static void name_free_up(struct store *store, const char *name, int64_t for_id)
{
    bool found;
    size_t at = name_at(store, name, &found);
    if (!found || store->names[at].id == for_id)
        return;
    char *other = shep_asprintf("%s~%lld", name, (long long)store->names[at].id);
    entry_rename(store, &store->names[at], other);
    free(other);
}

void store_miner_rename(struct store *store, int64_t miner_id, const char *name)
{
    struct put put;
    if (!entry_of(store, miner_id))
        return;
    put_begin(&put, store, CLASS_NEVER_FULL, REC_MINER_RENAME);
    name_free_up(store, name, miner_id);
    struct name_entry *entry = entry_of(store, miner_id);
    if (!str_eq(entry->name, name))
        entry_rename(store, entry, name);
    rec_i64(&put.rec, miner_id);
    rec_text(&put.rec, name);
    put_end(&put, true);
}

/* ---- erasing and merging: what is small at once, the rest is a chore of the writer ---- */

static void put_chore(struct put *put, int64_t miner_id, int64_t into_id)
{
    put_next(put, REC_DEVICES_MOVE);
    rec_i64(&put->rec, miner_id);
    rec_id(&put->rec, into_id);
    put_next(put, REC_CHORE);
    rec_i64(&put->rec, put->store->next_chore_id++);
    rec_i64(&put->rec, miner_id);
    rec_id(&put->rec, into_id);
    put->store->n_devices = 0; /* what was written of them is not so any more */
}

void store_miner_erase(struct store *store, int64_t miner_id)
{
    struct put put;
    struct name_entry *entry = entry_of(store, miner_id);
    if (!entry)
        return;
    put_begin(&put, store, CLASS_NEVER_FULL, REC_MINER_NAMELESS);
    rec_i64(&put.rec, miner_id);
    rec_i64(&put.rec, clock_wall_ms());
    put_next(&put, (enum rec_type)(REC_ROW_DELETE + TABLE_EXPECTED));
    rec_i64(&put.rec, miner_id);
    rows_forget(store, TABLE_EXPECTED, miner_id);
    name_drop(store, (size_t)(entry - store->names));
    put_chore(&put, miner_id, 0);
    put_end(&put, true);
}

void store_miner_merge(struct store *store, int64_t from_id, int64_t into_id)
{
    struct put put;
    if (from_id == into_id || !entry_of(store, from_id) || !entry_of(store, into_id))
        return;
    put_begin(&put, store, CLASS_NEVER_FULL, REC_MINER_REMOVE);
    put_removed(&put, from_id, clock_wall_ms());
    put_chore(&put, from_id, into_id);
    put_end(&put, true);
}

/* ---- at the start, and when there is a new database ---- */

struct store_miner miner_of_row(sqlite3_stmt *row)
{
    const char *texts[MINER_TEXTS];
    for (int i = 0; i < MINER_TEXTS; i++)
        texts[i] = (const char *)sqlite3_column_text(row, 2 + i);
    return (struct store_miner){.id = sqlite3_column_int64(row, 0),
                                .origin = sqlite3_column_int(row, 1),
                                .name = texts[0],
                                .location = texts[1],
                                .source = texts[2],
                                .path = texts[3],
                                .parser = texts[4],
                                .options_json = texts[5],
                                .group = texts[6],
                                .tags = texts[7]};
}

static void miner_load(struct store *store, sqlite3_stmt *row)
{
    enum { CREATED = 2 + MINER_TEXTS, REMOVED };
    struct store_miner miner = miner_of_row(row);
    struct name_entry *entry = name_put(store, miner.name, miner.id);
    entry->removed_ms = sqlite3_column_int64(row, REMOVED);
    miner_record(&entry->record, &miner, miner.id, sqlite3_column_int64(row, CREATED));
}

int miners_load(struct store *store)
{
    sqlite3_stmt *row = NULL;
    int rc = sqlite3_prepare_v2(store->writer.db,
                                "SELECT " MINER_COLUMNS ", created_at_ms, removed_at_ms"
                                " FROM miners ORDER BY miner_id",
                                -1, &row, NULL);
    if (rc != SQLITE_OK)
        return rc;
    while ((rc = sqlite3_step(row)) == SQLITE_ROW)
        miner_load(store, row);
    sqlite3_finalize(row);
    if (rc == SQLITE_DONE)
        rc = db_ints(store->writer.db, "SELECT coalesce(max(id), 0) + 1 FROM chores", NULL, 0,
                     &store->next_chore_id, 1);
    return rc;
}

void miners_again(struct store *store, struct buf *buf)
{
    for (size_t i = 0; i < store->n_names; i++) {
        const struct name_entry *entry = &store->names[i];
        struct rec_writer rec;
        buf_add(buf, entry->record.data, entry->record.len);
        if (!entry->removed_ms)
            continue;
        rec_begin(&rec, buf, REC_MINER_REMOVE);
        rec_i64(&rec, entry->id);
        rec_i64(&rec, entry->removed_ms);
        rec_end(&rec);
    }
}
