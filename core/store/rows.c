/* What people manage: small tables, whole in their owners' memory. A row comes as JSON and goes
 * into the columns that are listed here, and no others. The newest record of each row is kept, so
 * that a new database (the old one was damaged or deleted) has users, pools and expectations at
 * once; the audit table is only appended to and not kept. Thread: loop; rows_again() is the
 * writer's. */
#include "store/internal.h"

enum {
    ROW_BYTES_MAX = 256 * 1024, /* all texts of a row; a setting is a small JSON document */
    COLUMNS_MAX = 8
};

struct column {
    const char *name;
    enum { COLUMN_NONE, COLUMN_INT, COLUMN_TEXT } kind;
    bool required;
    const char *dflt; /* SQL, for a column that may be left out and is never NULL */
};

static const struct table {
    const char *name;
    struct column columns[COLUMNS_MAX]; /* the first is id */
} tables[STORE_TABLES] = {
    [TABLE_POOLS] = {"pools",
                     {{"id", COLUMN_INT, true, NULL},
                      {"pool_name", COLUMN_TEXT, true, NULL},
                      {"pool_url", COLUMN_TEXT, true, NULL},
                      {"pool_port", COLUMN_INT, true, NULL},
                      {"pool_user", COLUMN_TEXT, true, NULL},
                      {"pool_pass", COLUMN_TEXT, false, "'x'"},
                      {"is_active", COLUMN_INT, false, "0"}}},
    [TABLE_ADDRESSES] = {"coin_addresses",
                         {{"id", COLUMN_INT, true, NULL},
                          {"coin_ticker", COLUMN_TEXT, true, NULL},
                          {"address", COLUMN_TEXT, true, NULL},
                          {"label", COLUMN_TEXT, false, NULL}}},
    [TABLE_EXPECTED] = {"expected",
                        {{"id", COLUMN_INT, true, NULL},
                         {"pool", COLUMN_TEXT, false, NULL},
                         {"address", COLUMN_TEXT, false, NULL},
                         {"set_at_ms", COLUMN_INT, true, NULL},
                         {"set_by", COLUMN_TEXT, true, NULL},
                         {"alarm", COLUMN_TEXT, false, NULL}}},
    [TABLE_USERS] = {"users",
                     {{"id", COLUMN_INT, true, NULL},
                      {"name", COLUMN_TEXT, true, NULL},
                      {"role", COLUMN_TEXT, true, NULL},
                      {"password_hash", COLUMN_TEXT, true, NULL},
                      {"created_at_ms", COLUMN_INT, true, NULL}}},
    [TABLE_SESSIONS] = {"sessions",
                        {{"id", COLUMN_INT, true, NULL},
                         {"hash", COLUMN_TEXT, true, NULL},
                         {"user_id", COLUMN_INT, true, NULL},
                         {"role", COLUMN_TEXT, true, NULL},
                         {"created_at_ms", COLUMN_INT, true, NULL},
                         {"used_at_ms", COLUMN_INT, true, NULL}}},
    [TABLE_TOKENS] = {"tokens",
                      {{"id", COLUMN_INT, true, NULL},
                       {"name", COLUMN_TEXT, true, NULL},
                       {"hash", COLUMN_TEXT, true, NULL},
                       {"role", COLUMN_TEXT, true, NULL},
                       {"created_at_ms", COLUMN_INT, true, NULL},
                       {"used_at_ms", COLUMN_INT, false, NULL},
                       {"created_by", COLUMN_TEXT, true, NULL}}},
    [TABLE_AUDIT] = {"audit",
                     {{"id", COLUMN_INT, true, NULL},
                      {"at_ms", COLUMN_INT, true, NULL},
                      {"who", COLUMN_TEXT, true, NULL},
                      {"peer", COLUMN_TEXT, false, NULL},
                      {"action", COLUMN_TEXT, true, NULL},
                      {"subject", COLUMN_TEXT, false, NULL},
                      {"old", COLUMN_TEXT, false, NULL},
                      {"new", COLUMN_TEXT, false, NULL}}},
    [TABLE_SETTINGS] = {"settings",
                        {{"id", COLUMN_INT, true, NULL},
                         {"name", COLUMN_TEXT, true, NULL},
                         {"value", COLUMN_TEXT, false, NULL}}},
};

static size_t n_columns(const struct table *table)
{
    size_t n = 0;
    while (n < COLUMNS_MAX && table->columns[n].kind)
        n++;
    return n;
}

/* ---- SQL ---- */

static void add_names(struct buf *sql, const struct table *table)
{
    for (size_t i = 0; i < n_columns(table); i++)
        buf_printf(sql, "%s\"%s\"", i ? ", " : "", table->columns[i].name);
}

/* A row takes the place of any that has its id or what must be unique: when a batch is repeated the
 * newest word is the last one, and holds. */
static void add_insert(struct buf *sql, enum store_table number)
{
    const struct table *table = &tables[number];
    buf_printf(sql, "INSERT %sINTO %s(", number == TABLE_AUDIT ? "" : "OR REPLACE ", table->name);
    add_names(sql, table);
    buf_add_str(sql, ") VALUES (");
    for (size_t i = 0; i < n_columns(table); i++) {
        const struct column *column = &table->columns[i];
        buf_add_str(sql, i ? ", " : "");
        if (column->dflt)
            buf_printf(sql, "coalesce(?%zu, %s)", i + 1, column->dflt);
        else
            buf_printf(sql, "?%zu", i + 1);
    }
    buf_add_str(sql, number == TABLE_AUDIT ? ") ON CONFLICT(id) DO NOTHING" : ")");
}

char *row_sql_dup(enum rec_type type)
{
    struct buf sql = {0};
    if (type < REC_ROW_DELETE)
        add_insert(&sql, (enum store_table)(type - REC_ROW_PUT));
    else
        buf_printf(&sql, "DELETE FROM %s WHERE id = ?1", tables[type - REC_ROW_DELETE].name);
    return buf_take(&sql);
}

static char *select_dup(enum store_table number, bool newest_only)
{
    enum { NEWEST = 1000 };
    struct buf sql = {0};
    buf_add_str(&sql, "SELECT ");
    add_names(&sql, &tables[number]);
    if (newest_only)
        buf_printf(&sql, " FROM (SELECT * FROM %s ORDER BY id DESC LIMIT %d) ORDER BY id",
                   tables[number].name, NEWEST);
    else
        buf_printf(&sql, " FROM %s ORDER BY id", tables[number].name);
    return buf_take(&sql);
}

/* ---- kept rows ---- */

static size_t kept_at(const struct kept_rows *kept, int64_t id)
{
    size_t low = 0, high = kept->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (kept->rows[mid].id < id)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* Where the record of that row goes; empty. */
static struct buf *kept_put(struct kept_rows *kept, int64_t id)
{
    size_t at = kept_at(kept, id);
    if (at == kept->n || kept->rows[at].id != id) {
        if (kept->n == kept->cap) {
            kept->cap = kept->cap ? kept->cap * 2 : 16;
            kept->rows = shep_realloc(kept->rows, kept->cap * sizeof *kept->rows);
        }
        memmove(&kept->rows[at + 1], &kept->rows[at], (kept->n - at) * sizeof *kept->rows);
        kept->rows[at] = (struct kept_row){.id = id};
        kept->n++;
    }
    buf_clear(&kept->rows[at].record);
    return &kept->rows[at].record;
}

void rows_forget(struct store *store, enum store_table table, int64_t id)
{
    struct kept_rows *kept = &store->kept[table];
    size_t at = kept_at(kept, id);
    if (at == kept->n || kept->rows[at].id != id)
        return;
    buf_free(&kept->rows[at].record);
    kept->n--;
    memmove(&kept->rows[at], &kept->rows[at + 1], (kept->n - at) * sizeof *kept->rows);
}

void rows_again(struct store *store, struct buf *buf)
{
    for (size_t t = 0; t < STORE_TABLES; t++)
        for (size_t i = 0; i < store->kept[t].n; i++) {
            const struct buf *record = &store->kept[t].rows[i].record;
            buf_add(buf, record->data, record->len);
        }
}

void rows_free(struct store *store)
{
    for (size_t t = 0; t < STORE_TABLES; t++) {
        for (size_t i = 0; i < store->kept[t].n; i++)
            buf_free(&store->kept[t].rows[i].record);
        free(store->kept[t].rows);
    }
}

/* ---- putting and deleting ---- */

static const struct column *column_named(const struct table *table, const char *name)
{
    for (size_t i = 0; i < n_columns(table); i++)
        if (str_eq(table->columns[i].name, name))
            return &table->columns[i];
    return NULL;
}

static bool value_fits(const struct column *column, const json_t *value)
{
    if (!value || json_is_null(value))
        return !column->required;
    return column->kind == COLUMN_TEXT ? json_is_string(value)
                                       : json_is_integer(value) || json_is_boolean(value);
}

/* 0; SHEP_E_BUG: a column that is none, or a value of another kind; SHEP_E_LIMIT: too long. */
static int row_check(const struct table *table, const json_t *row)
{
    const char *name;
    json_t *value;
    size_t bytes = 0;
    json_object_foreach((json_t *)row, name, value)
    {
        if (!column_named(table, name))
            return SHEP_E_BUG;
        bytes += json_string_length(value);
    }
    for (size_t i = 0; i < n_columns(table); i++)
        if (!value_fits(&table->columns[i], json_object_get(row, table->columns[i].name)))
            return SHEP_E_BUG;
    if (json_integer_value(json_object_get(row, "id")) <= 0)
        return SHEP_E_BUG;
    return bytes > ROW_BYTES_MAX ? SHEP_E_LIMIT : 0;
}

static void row_record(struct buf *buf, enum store_table number, const json_t *row)
{
    const struct table *table = &tables[number];
    struct rec_writer rec;
    rec_begin(&rec, buf, (enum rec_type)(REC_ROW_PUT + number));
    for (size_t i = 0; i < n_columns(table); i++) {
        const json_t *value = json_object_get(row, table->columns[i].name);
        if (json_is_string(value))
            rec_text_n(&rec, json_string_value(value), json_string_length(value));
        else if (json_is_integer(value))
            rec_i64(&rec, json_integer_value(value));
        else if (json_is_boolean(value))
            rec_i64(&rec, json_is_true(value));
        else
            rec_text(&rec, NULL);
    }
    rec_end(&rec);
}

/* Whom the daemon lets in has no way to undo it by itself, and there are only so many. A row of the
 * others may be refused; taking one out never is: there are only so many to take out. */
static enum rec_class class_of(enum store_table table)
{
    return table == TABLE_USERS || table == TABLE_TOKENS ? CLASS_NEVER_FULL : CLASS_KEPT;
}

int store_row_put(struct store *store, enum store_table table, const json_t *row)
{
    int err = row_check(&tables[table], row);
    int64_t id = json_integer_value(json_object_get(row, "id"));
    struct kept_rows *kept = &store->kept[table];
    struct queue *q = &store->queue;
    if (!err && table == TABLE_AUDIT && id <= kept->last_id)
        err = SHEP_E_BUG;
    if (err)
        return err;
    struct buf record = {0};
    row_record(&record, table, row);
    pthread_mutex_lock(&q->lock);
    struct batch *batch = queue_begin(q, class_of(table));
    if (batch) {
        size_t before = batch->data.len;
        buf_add(&batch->data, record.data, record.len);
        queue_end(q, batch, before, true);
        if (table != TABLE_AUDIT)
            buf_add(kept_put(kept, id), record.data, record.len);
        if (id > kept->last_id)
            kept->last_id = id;
    } else {
        store->stats.records_dropped++;
    }
    pthread_mutex_unlock(&q->lock);
    buf_free(&record);
    return batch ? 0 : SHEP_E_LIMIT;
}

int store_row_delete(struct store *store, enum store_table table, int64_t id)
{
    struct put put;
    if (table == TABLE_AUDIT)
        return SHEP_E_BUG;
    put_begin(&put, store, CLASS_NEVER_FULL, (enum rec_type)(REC_ROW_DELETE + table));
    rec_i64(&put.rec, id);
    rows_forget(store, table, id);
    put_end(&put, true);
    return 0;
}

/* ---- reading back ---- */

static json_t *text_json(sqlite3_stmt *row, int column)
{
    const char *text = (const char *)sqlite3_column_text(row, column);
    size_t len = (size_t)sqlite3_column_bytes(row, column);
    json_t *value = text ? json_stringn(text, len) : NULL;
    return value ? value : json_null(); /* no UTF-8: not written by us */
}

static json_t *row_json(const struct table *table, sqlite3_stmt *row)
{
    json_t *object = json_object();
    for (size_t i = 0; i < n_columns(table); i++) {
        json_t *value;
        if (sqlite3_column_type(row, (int)i) == SQLITE_NULL)
            value = json_null();
        else if (table->columns[i].kind == COLUMN_INT)
            value = json_integer(sqlite3_column_int64(row, (int)i));
        else
            value = text_json(row, (int)i);
        json_object_set_new(object, table->columns[i].name, value);
    }
    return object;
}

struct rows_arg {
    enum store_table table;
    store_row_fn fn;
    void *arg;
};

static void on_row(sqlite3_stmt *row, void *arg)
{
    const struct rows_arg *to = arg;
    json_t *object = row_json(&tables[to->table], row);
    to->fn(object, to->arg);
    json_decref(object);
}

int store_rows_each(struct store *store, enum store_table table, store_row_fn fn, void *arg)
{
    struct rows_arg to = {table, fn, arg};
    char *sql = select_dup(table, table == TABLE_AUDIT);
    int err = read_each(store, sql, NULL, on_row, &to);
    free(sql);
    return err;
}

static int table_load(struct store *store, enum store_table table)
{
    struct kept_rows *kept = &store->kept[table];
    sqlite3_stmt *row = NULL;
    char *sql = select_dup(table, false);
    int rc = sqlite3_prepare_v2(store->writer.db, sql, -1, &row, NULL);
    free(sql);
    while (rc == SQLITE_OK && (rc = sqlite3_step(row)) == SQLITE_ROW) {
        json_t *object = row_json(&tables[table], row);
        kept->last_id = sqlite3_column_int64(row, 0);
        row_record(kept_put(kept, kept->last_id), table, object);
        json_decref(object);
        rc = SQLITE_OK;
    }
    sqlite3_finalize(row);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int rows_load(struct store *store)
{
    int rc = SQLITE_OK;
    for (int t = 0; rc == SQLITE_OK && t < STORE_TABLES; t++)
        if (t != TABLE_AUDIT)
            rc = table_load(store, (enum store_table)t);
    if (rc == SQLITE_OK)
        rc = db_ints(store->writer.db, "SELECT max(id) FROM audit", NULL, 0,
                     &store->kept[TABLE_AUDIT].last_id, 1);
    return rc;
}
