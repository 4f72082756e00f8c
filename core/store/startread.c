/* Reading back at start-up: miners, latest readings, settings. Each call opens a connection of its
 * own, read-only, after the writer has written what was queued before. Blocks. Thread: loop. */
#include "store/internal.h"

#include "herd/herd.h"
#include "util/log.h"

#include <jansson.h>
#include <math.h>

enum { FLUSH_MS = 2000 };

int read_each(struct store *store, const char *sql, const char *param,
              void (*fn)(sqlite3_stmt *row, void *arg), void *arg)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *row = NULL;
    store_flush(store, FLUSH_MS);
    int rc = sqlite3_open_v2(store->db_path, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_busy_timeout(db, FLUSH_MS);
        rc = sqlite3_prepare_v2(db, sql, -1, &row, NULL);
    }
    if (rc == SQLITE_OK) {
        if (param)
            sqlite3_bind_text(row, 1, param, -1, SQLITE_STATIC);
        while ((rc = sqlite3_step(row)) == SQLITE_ROW)
            fn(row, arg);
    }
    if (rc != SQLITE_DONE)
        log_error("store", "cannot read %s: %s; going on without", store->db_path,
                  db ? sqlite3_errmsg(db) : sqlite3_errstr(rc));
    sqlite3_finalize(row);
    sqlite3_close(db);
    return rc == SQLITE_DONE ? 0 : SHEP_E_IO;
}

static const char *text_of(sqlite3_stmt *row, int column)
{
    return (const char *)sqlite3_column_text(row, column);
}

/* ---- miners ---- */

struct miner_arg {
    store_miner_fn fn;
    void *arg;
};

static void miner_row(sqlite3_stmt *row, void *arg)
{
    const struct miner_arg *to = arg;
    struct store_miner miner = miner_of_row(row);
    to->fn(&miner, to->arg);
}

int store_miners_each(struct store *store, store_miner_fn fn, void *arg)
{
    struct miner_arg to = {fn, arg};
    return read_each(store,
                     "SELECT " MINER_COLUMNS " FROM miners WHERE removed_at_ms IS NULL ORDER BY id",
                     NULL, miner_row, &to);
}

/* ---- devices ---- */

struct device_arg {
    store_device_fn fn;
    void *arg;
};

static void device_row(sqlite3_stmt *row, void *arg)
{
    const struct device_arg *to = arg;
    struct store_device device = {.id = sqlite3_column_int64(row, 0),
                                  .miner_id = sqlite3_column_int64(row, 1),
                                  .key = text_of(row, 2),
                                  .path = text_of(row, 3),
                                  .port_path = text_of(row, 4),
                                  .description = text_of(row, 5),
                                  .serial = text_of(row, 6),
                                  .vendor_id = text_of(row, 7),
                                  .product_id = text_of(row, 8),
                                  .mac = text_of(row, 9),
                                  .ignored = sqlite3_column_int(row, 10) != 0,
                                  .first_seen_ms = sqlite3_column_int64(row, 11),
                                  .last_seen_ms = sqlite3_column_int64(row, 12)};
    to->fn(&device, to->arg);
}

int store_devices_each(struct store *store, store_device_fn fn, void *arg)
{
    struct device_arg to = {fn, arg};
    return read_each(store,
                     "SELECT id, miner_id, key, path, port_path, description, serial, vendor_id,"
                     " product_id, mac, ignored, first_seen_ms, last_seen_ms FROM devices"
                     " ORDER BY key",
                     NULL, device_row, &to);
}

/* ---- latest readings ---- */

struct latest_arg {
    store_latest_fn fn;
    void *arg;
    struct store_reading *readings;
    size_t cap;
};

/* One member of the JSON object: "hashrate": {"v": 55123, "t": 1792333800000}. */
static bool reading_from(const char *name, json_t *value, struct store_reading *reading)
{
    json_t *v = json_object_get(value, "v"), *t = json_object_get(value, "t");
    if (!json_is_integer(t) || !(json_is_number(v) || json_is_string(v)))
        return false;
    *reading = (struct store_reading){.metric = metric_by_name(name),
                                      .name = name,
                                      .at_ms = json_integer_value(t),
                                      .value = json_number_value(v),
                                      .text = json_string_value(v)};
    return true;
}

static void latest_row(sqlite3_stmt *row, void *arg)
{
    struct latest_arg *to = arg;
    json_t *readings = json_loads(text_of(row, 1), JSON_REJECT_DUPLICATES, NULL);
    size_t n = 0;
    const char *name;
    json_t *value;
    if (!json_is_object(readings)) {
        log_warn("store", "latest readings of miner %lld are not JSON; they are left out",
                 (long long)sqlite3_column_int64(row, 0));
        json_decref(readings);
        return;
    }
    if (json_object_size(readings) > to->cap) {
        to->cap = json_object_size(readings);
        to->readings = shep_realloc(to->readings, to->cap * sizeof *to->readings);
    }
    json_object_foreach(readings, name, value) if (reading_from(name, value, &to->readings[n])) n++;
    double best = sqlite3_column_type(row, 2) == SQLITE_NULL ? NAN : sqlite3_column_double(row, 2);
    to->fn(sqlite3_column_int64(row, 0), to->readings, n, best, sqlite3_column_int64(row, 3),
           to->arg);
    json_decref(readings);
}

int store_latest_each(struct store *store, store_latest_fn fn, void *arg)
{
    struct latest_arg to = {.fn = fn, .arg = arg};
    int err = read_each(store,
                        "SELECT miner_id, readings, best_ever, best_ever_at_ms FROM latest"
                        " ORDER BY miner_id",
                        NULL, latest_row, &to);
    free(to.readings);
    return err;
}

/* ---- settings ---- */

struct kv_arg {
    store_kv_fn fn;
    void *arg;
};

static void kv_row(sqlite3_stmt *row, void *arg)
{
    const struct kv_arg *to = arg;
    to->fn(text_of(row, 0), text_of(row, 1), to->arg);
}

int store_kv_each(struct store *store, const char *plugin, store_kv_fn fn, void *arg)
{
    struct kv_arg to = {fn, arg};
    return read_each(store, "SELECT key, value FROM kv WHERE plugin = ? ORDER BY key", plugin,
                     kv_row, &to);
}
