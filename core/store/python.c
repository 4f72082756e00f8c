/* The database of the Python Shepherd, of any version, as JSON. Its tables grew over time: what is
 * not there is left out, what we do not know too, and said. The file is hostile: only plain tables
 * are read, each value, row, table and the whole has a limit, and there is an end in time. It may
 * be in use; then it is read again until it held still. Any thread; blocks. */
#include "store/internal.h"

#include "util/clock.h"

#include <time.h>

enum {
    FILE_MAX_MB = 4096, /* its log table may be long; it is not read */
    ROWS_MAX = 10000,   /* of a table */
    TEXT_MAX = 4096,    /* of a value: no name, path or address is near */
    ALL_MAX = 32 << 20, /* of all texts */
    NOTES_MAX = 100,
    COLUMNS_MAX = 20,
    TIME_MAX_MS = 20000,
    TICK_OPS = 10000,
    TRIES = 30, /* 3 s: its monitors write every few seconds */
    BETWEEN_TRIES_MS = 100,
    SETTLED_MS = 50 /* times of files are as exact as the tick of the kernel, 1 to 10 ms */
};

static const struct py_table {
    const char *name, *as;
    const char *columns[COLUMNS_MAX];
} tables[] = {
    {"miners",
     "miners",
     {"id", "miner_id", "chipset", "dev_path", "port_path", "location_notes", "attrs_idVendor",
      "attrs_idProduct", "attrs_serial", "tty_symlink", "mac_address", "nerdminer_rom",
      "nerdminer_vrs", "status", "state", "currency", "pool_url", "wallet_address", "last_seen"}},
    {"pools",
     "pools",
     {"id", "pool_name", "pool_url", "pool_port", "pool_user", "pool_pass", "is_active"}},
    {"coin_addresses", "addresses", {"id", "coin_ticker", "address", "label"}},
    {"unconfigured_devices",
     "strays",
     {"id", "dev_path", "port_path", "vendor_id", "product_id", "serial_number", "discovered_at"}},
    {"stray_devices",
     "strays",
     {"id", "dev_path", "port_path", "vendor_id", "product_id", "serial_number", "mac_address",
      "chipset", "discovered_at", "status", "state", "dumped_pool_url", "dumped_wallet_address",
      "dumped_firmware_version"}},
    {"miner_summary",
     "summary",
     {"miner_id", "last_updated", "KH/s", "Temperature", "Valid blocks", "Best difficulty",
      "Total MHashes", "Submits", "Shares", "Time mining", "Block templates",
      "last_mhashes_cumulative", "last_mhashes_timestamp"}},
};

struct py {
    sqlite3 *db;
    json_t *out, *notes;
    size_t bytes;
    int64_t end_ms;
};

SHEP_PRINTF(2, 3) static void note(struct py *py, const char *fmt, ...)
{
    char text[300];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    json_t *value = json_string(text); /* NULL: a name in it is no UTF-8 */
    if (json_array_size(py->notes) < NOTES_MAX)
        json_array_append_new(py->notes, value ? value : json_string("a name is no text"));
    else
        json_decref(value);
}

static int on_tick(void *arg)
{
    const struct py *py = arg;
    return clock_mono_ms() >= py->end_ms;
}

/* Asking only: whatever the file's schema says. */
static int authorize(void *arg, int action, const char *a, const char *b, const char *db_name,
                     const char *view)
{
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
        return SQLITE_OK;
    case SQLITE_PRAGMA:
        return sqlite3_stricmp(a, "table_xinfo") == 0 ? SQLITE_OK : SQLITE_DENY;
    default:
        return SQLITE_DENY;
    }
}

/* ---- which of the columns are there ---- */

static bool is_plain_table(struct py *py, const char *name)
{
    sqlite3_stmt *row = NULL;
    int rc = sqlite3_prepare_v2(py->db,
                                "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
                                " AND rootpage > 0",
                                -1, &row, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_bind_text(row, 1, name, -1, SQLITE_STATIC);
        rc = sqlite3_step(row);
    }
    sqlite3_finalize(row);
    return rc == SQLITE_ROW;
}

static int column_index(const struct py_table *table, const char *name)
{
    for (int i = 0; i < COLUMNS_MAX && table->columns[i]; i++)
        if (sqlite3_stricmp(table->columns[i], name) == 0)
            return i;
    return -1;
}

/* Marks the columns that the file has. A generated one could run functions: left out. */
static int columns_find(struct py *py, const struct py_table *table, bool has[COLUMNS_MAX])
{
    enum { NAME = 1, HIDDEN = 6 };
    sqlite3_stmt *row = NULL;
    char sql[80];
    int rc, n = 0;
    snprintf(sql, sizeof sql, "PRAGMA table_xinfo(\"%s\")", table->name);
    if (sqlite3_prepare_v2(py->db, sql, -1, &row, NULL) != SQLITE_OK)
        return 0;
    while ((rc = sqlite3_step(row)) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(row, NAME);
        int at = name ? column_index(table, name) : -1;
        if (at >= 0 && sqlite3_column_int(row, HIDDEN) == 0) {
            has[at] = true;
            n++;
        } else {
            note(py, "%s: the column \"%.60s\" is not known and was left out", table->name,
                 name ? name : "");
        }
    }
    sqlite3_finalize(row);
    return n;
}

static char *select_dup(const struct py_table *table, const bool has[COLUMNS_MAX])
{
    struct buf sql = {0};
    buf_add_str(&sql, "SELECT");
    for (int i = 0, n = 0; i < COLUMNS_MAX; i++)
        if (has[i])
            buf_printf(&sql, "%s \"%s\" AS \"%s\"", n++ ? "," : "", table->columns[i],
                       table->columns[i]); /* names are ours, whatever their case there */
    buf_printf(&sql, " FROM \"%s\"", table->name);
    return buf_take(&sql);
}

/* ---- rows ---- */

/* NULL: not to be taken, and why. */
static json_t *text_value(struct py *py, sqlite3_stmt *row, int column, const char **why)
{
    const char *text = (const char *)sqlite3_column_text(row, column);
    size_t len = (size_t)sqlite3_column_bytes(row, column);
    *why = "is too long";
    if (!text || len > TEXT_MAX)
        return NULL;
    py->bytes += len;
    *why = "is no text in UTF-8";
    return memchr(text, '\0', len) ? NULL : json_stringn(text, len);
}

static json_t *value_of(struct py *py, sqlite3_stmt *row, int column, const char **why)
{
    switch (sqlite3_column_type(row, column)) {
    case SQLITE_NULL:
        return json_null();
    case SQLITE_INTEGER:
        return json_integer(sqlite3_column_int64(row, column));
    case SQLITE_FLOAT:
        *why = "is no number";
        return json_real(sqlite3_column_double(row, column)); /* NULL: infinite */
    case SQLITE_TEXT:
        return text_value(py, row, column, why);
    default:
        *why = "is a blob";
        return NULL;
    }
}

static void row_add(struct py *py, const struct py_table *table, sqlite3_stmt *row, int number)
{
    json_t *object = json_object();
    for (int i = 0; i < sqlite3_column_count(row); i++) {
        const char *name = sqlite3_column_name(row, i), *why = "";
        json_t *value = value_of(py, row, i, &why);
        if (!value)
            note(py, "%s, row %d: %s %s and was left out", table->name, number, name, why);
        json_object_set_new(object, name, value ? value : json_null());
        py->bytes += sizeof(json_t);
    }
    json_array_append_new(json_object_get(py->out, table->as), object);
}

static int rows_read(struct py *py, const struct py_table *table, sqlite3_stmt *row)
{
    int rc, n = 0;
    while ((rc = sqlite3_step(row)) == SQLITE_ROW) {
        if (n++ >= ROWS_MAX || py->bytes > ALL_MAX) {
            note(py, "%s has too many rows; those after the first %d were left out", table->name,
                 n - 1);
            return SQLITE_OK;
        }
        row_add(py, table, row, n);
    }
    if (rc == SQLITE_TOOBIG) {
        note(py, "%s, row %d holds something huge; from there on rows were left out", table->name,
             n + 1);
        return SQLITE_OK;
    }
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int table_read(struct py *py, const struct py_table *table)
{
    bool has[COLUMNS_MAX] = {false};
    sqlite3_stmt *row = NULL;
    if (!json_object_get(py->out, table->as))
        json_object_set_new(py->out, table->as, json_array());
    if (!is_plain_table(py, table->name) || columns_find(py, table, has) == 0)
        return SQLITE_OK; /* an older version, or a newer one */
    char *sql = select_dup(table, has);
    int rc = sqlite3_prepare_v2(py->db, sql, -1, &row, NULL);
    free(sql);
    if (rc == SQLITE_OK)
        rc = rows_read(py, table, row);
    sqlite3_finalize(row);
    return rc;
}

/* ---- the file ---- */

static int check_whose(struct py *py, const char *path, char *err, size_t err_cap)
{
    int64_t app = 0, miners = 0;
    int rc = db_ints(py->db, "PRAGMA application_id", NULL, 0, &app, 1);
    if (rc == SQLITE_OK)
        rc = db_ints(py->db,
                     "SELECT count(*) FROM sqlite_master m, pragma_table_info(m.name) c"
                     " WHERE m.type = 'table' AND m.name = 'miners' AND c.name = 'miner_id'",
                     NULL, 0, &miners, 1);
    if (rc != SQLITE_OK)
        return atrest_explain(path, py->db, rc, err, err_cap);
    if (app == STORE_APPLICATION_ID) {
        snprintf(
            err, err_cap,
            "%s is a database of this Shepherd, not of the Python one; to bring back a backup, "
            "use restore",
            path);
        return SHEP_E_FORMAT;
    }
    if (!miners) {
        snprintf(err, err_cap,
                 "%s is no database of the Python Shepherd: it has no table of miners; it usually "
                 "is ~/shepherd_data/shepherd.db",
                 path);
        return SHEP_E_FORMAT;
    }
    return 0;
}

static int read_all(struct py *py, const char *path, char *err, size_t err_cap)
{
    py->end_ms = clock_mono_ms() + TIME_MAX_MS;
    sqlite3_progress_handler(py->db, TICK_OPS, on_tick, py);
    int result = check_whose(py, path, err, err_cap);
    if (result)
        return result;
    sqlite3_set_authorizer(py->db, authorize, NULL);
    int rc = sqlite3_exec(py->db, "SELECT 1", NULL, NULL, NULL);
    for (size_t i = 0; rc == SQLITE_OK && i < ARRAY_LEN(tables); i++)
        rc = table_read(py, &tables[i]);
    return rc == SQLITE_OK ? 0 : atrest_explain(path, py->db, rc, err, err_cap);
}

static int read_once(const char *path, const struct atrest_look *look, json_t **out, char *err,
                     size_t err_cap)
{
    struct py py = {.out = json_object(), .notes = json_array()};
    json_object_set_new(py.out, "notes", py.notes);
    int rc = atrest_open(path, look, &py.db);
    int result = rc == SQLITE_OK ? read_all(&py, path, err, err_cap)
                                 : atrest_explain(path, py.db, rc, err, err_cap);
    sqlite3_close(py.db);
    if (result)
        json_decref(py.out);
    else
        *out = py.out;
    return result;
}

/* Written just now: another write at the same tick would not show. */
static bool just_written(const struct atrest_file *file)
{
    int64_t at_ms = (int64_t)file->changed.tv_sec * 1000 + file->changed.tv_nsec / 1000000;
    int64_t age_ms = clock_wall_ms() - at_ms;
    return file->ino && age_ms > -SETTLED_MS && age_ms < SETTLED_MS;
}

static bool held_still(const struct atrest_look *before, const char *path)
{
    struct atrest_look after;
    atrest_look(path, &after);
    return atrest_same(before, &after) && !just_written(&before->db) && !just_written(&before->wal);
}

int store_read_python(const char *path, json_t **out, char *err, size_t err_cap)
{
    struct atrest_look before;
    for (int tries = 0; tries < TRIES; tries++) {
        *out = NULL;
        int result = atrest_begin(path, &before, err, err_cap);
        if (!result && before.db.bytes >> 20 >= FILE_MAX_MB) {
            snprintf(err, err_cap, "%s has over %d MB, too many to be it", path, FILE_MAX_MB);
            result = SHEP_E_FORMAT;
        }
        if (result)
            return result;
        result = read_once(path, &before, out, err, err_cap);
        if (held_still(&before, path))
            return result;
        json_decref(*out);
        *out = NULL;
        nanosleep(&(struct timespec){.tv_nsec = BETWEEN_TRIES_MS * 1000000l}, NULL);
    }
    snprintf(err, err_cap, "%s changes all the time: stop the Python Shepherd, then try again",
             path);
    return SHEP_E_IO;
}
