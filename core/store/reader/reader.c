/* Reading the database from outside the writer: SQL of people, on a connection that can only look.
 * Each query has an end (time, rows, size of a value), and its statement is finished before the
 * call returns, so that it never keeps the writer's log from being taken up. Any one thread at a
 * time. */
#include "store/store.h"

#include "util/clock.h"

#include <sqlite3.h>
#include <sys/stat.h>

enum {
    ROWS_DEFAULT = 10000,
    TIME_DEFAULT_MS = 2000,
    TICK_OPS = 1000, /* the deadline is looked at every so many steps of SQLite's machine: 20 us */
    BUSY_MS = 500,
    CACHE_KIB = 512
};

struct reader {
    sqlite3 *db;
    char *path;
    dev_t dev; /* of the file that was opened: another one may stand there later */
    ino_t ino;
    int64_t deadline_ms;
    bool admin;
};

/* What one statement may be. Sizes are guesses that no page comes near. */
static const struct {
    int id, value;
} sql_limits[] = {
    {SQLITE_LIMIT_LENGTH, 1000000},
    {SQLITE_LIMIT_SQL_LENGTH, 65536},
    {SQLITE_LIMIT_COLUMN, 100},
    {SQLITE_LIMIT_EXPR_DEPTH, 100},
    {SQLITE_LIMIT_COMPOUND_SELECT, 20},
    {SQLITE_LIMIT_VDBE_OP, 25000},
    {SQLITE_LIMIT_FUNCTION_ARG, 32},
    {SQLITE_LIMIT_ATTACHED, 0},
    {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 100},
    {SQLITE_LIMIT_VARIABLE_NUMBER, 250},
    {SQLITE_LIMIT_TRIGGER_DEPTH, 1},
    {SQLITE_LIMIT_WORKER_THREADS, 0},
};

/* Passwords, keys and settings are for nobody's SQL; what people did is for admins. */
static bool may_read(const struct reader *reader, const char *table)
{
    static const char *const never[] = {"kv", "settings", "users", "sessions", "tokens"};
    for (size_t i = 0; i < ARRAY_LEN(never); i++)
        if (sqlite3_stricmp(table, never[i]) == 0)
            return false;
    return reader->admin || sqlite3_stricmp(table, "audit") != 0;
}

static int authorize(void *arg, int action, const char *a, const char *b, const char *db_name,
                     const char *view)
{
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_RECURSIVE: /* ended by the deadline */
        return SQLITE_OK;
    case SQLITE_FUNCTION: /* b: its name */
        return b && sqlite3_stricmp(b, "load_extension") == 0 ? SQLITE_DENY : SQLITE_OK;
    case SQLITE_READ: /* a: table, b: column */
        if (!may_read(arg, a))
            return SQLITE_DENY;
        if (sqlite3_strnicmp(a, "sqlite_", 7) == 0 && sqlite3_stricmp(a, "sqlite_master") != 0)
            return SQLITE_DENY; /* sqlite_dbpage would show the pages of kv */
        if (sqlite3_stricmp(a, "pools") == 0 && sqlite3_stricmp(b, "pool_pass") == 0)
            return SQLITE_IGNORE; /* reads as NULL, so that SELECT * goes on working */
        return SQLITE_OK;
    case SQLITE_UPDATE: /* json_each() declares itself so; a true UPDATE ends at query_only */
        return sqlite3_stricmp(a, "sqlite_master") == 0 ? SQLITE_OK : SQLITE_DENY;
    default:
        return SQLITE_DENY;
    }
}

static int on_tick(void *arg)
{
    const struct reader *reader = arg;
    return clock_mono_ms() >= reader->deadline_ms;
}

static int configure(struct reader *reader)
{
    sqlite3 *db = reader->db;
    char pragmas[128]; /* automatic_index: SQLite would index the whole log for one join with it */
    for (size_t i = 0; i < ARRAY_LEN(sql_limits); i++)
        sqlite3_limit(db, sql_limits[i].id, sql_limits[i].value);
    sqlite3_extended_result_codes(db, 1);
    sqlite3_busy_timeout(db, BUSY_MS);
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
    snprintf(pragmas, sizeof pragmas,
             "PRAGMA query_only=1; PRAGMA automatic_index=0; PRAGMA cache_size=-%d;", CACHE_KIB);
    int rc = sqlite3_exec(db, pragmas, NULL, NULL, NULL);
    if (rc == SQLITE_OK) /* is it a database at all, and readable? */
        rc = sqlite3_exec(db, "SELECT 1 FROM miners LIMIT 1", NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_set_authorizer(db, authorize, reader);
    sqlite3_progress_handler(db, TICK_OPS, on_tick, reader);
    return rc;
}

struct reader *reader_open(const char *db_path)
{
    struct stat st;
    if (stat(db_path, &st) != 0)
        return NULL;
    struct reader *reader = shep_alloc(sizeof *reader);
    reader->path = shep_strdup(db_path);
    reader->dev = st.st_dev;
    reader->ino = st.st_ino;
    int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    int rc = sqlite3_open_v2(db_path, &reader->db, flags, NULL);
    if (rc == SQLITE_OK)
        rc = configure(reader);
    if (rc == SQLITE_OK)
        return reader;
    reader_close(reader);
    return NULL;
}

void reader_close(struct reader *reader)
{
    if (!reader)
        return;
    sqlite3_close(reader->db);
    free(reader->path);
    free(reader);
}

void reader_admin(struct reader *reader, bool admin)
{
    reader->admin = admin;
}

void reader_limit_memory(int64_t bytes)
{
    sqlite3_hard_heap_limit64(bytes);
}

/* ---- one query ---- */

static int fail(int code, char *err, size_t err_cap, const char *text)
{
    if (err_cap)
        str_copy(err, err_cap, text, strlen(text));
    return code;
}

static int explain(const struct reader *reader, int rc, char *err, size_t err_cap)
{
    switch (rc & 0xff) {
    case SQLITE_INTERRUPT:
        return fail(
            SHEP_E_LIMIT, err, err_cap,
            "the query took too long and was stopped; ask for fewer rows or a shorter time");
    case SQLITE_NOMEM:
        return fail(SHEP_E_LIMIT, err, err_cap,
                    "the query needs too much memory and was stopped; ask for fewer rows");
    case SQLITE_CANTOPEN:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_IOERR:
    case SQLITE_BUSY:
    case SQLITE_PROTOCOL:
        return fail(SHEP_E_GONE, err, err_cap, sqlite3_errmsg(reader->db));
    default:
        return fail(SHEP_E_FORMAT, err, err_cap, sqlite3_errmsg(reader->db));
    }
}

static bool is_blank(const char *sql)
{
    while (*sql && strchr(" \t\r\n;", *sql))
        sql++;
    return *sql == '\0';
}

static int prepare(struct reader *reader, const char *sql, sqlite3_stmt **stmt, char *err,
                   size_t err_cap)
{
    const char *tail = NULL;
    int rc = sqlite3_prepare_v2(reader->db, sql, -1, stmt, &tail);
    if (rc != SQLITE_OK)
        return explain(reader, rc, err, err_cap);
    if (!*stmt)
        return fail(SHEP_E_FORMAT, err, err_cap, "there is no statement");
    if (!is_blank(tail))
        return fail(SHEP_E_FORMAT, err, err_cap, "one statement at a time");
    if (!sqlite3_stmt_readonly(*stmt) || sqlite3_column_count(*stmt) == 0)
        return fail(SHEP_E_FORMAT, err, err_cap, "only SELECT is allowed");
    return 0;
}

static int bind_all(struct reader *reader, sqlite3_stmt *stmt, const struct reader_value *params,
                    size_t n_params, char *err, size_t err_cap)
{
    int want = sqlite3_bind_parameter_count(stmt);
    if ((size_t)want != n_params) {
        char text[80];
        snprintf(text, sizeof text, "the statement has %d parameters, %zu were given", want,
                 n_params);
        return fail(SHEP_E_FORMAT, err, err_cap, text);
    }
    for (int i = 0; i < want; i++) {
        const struct reader_value *p = &params[i];
        int rc;
        if (p->type == READER_INT)
            rc = sqlite3_bind_int64(stmt, i + 1, p->i);
        else if (p->type == READER_REAL)
            rc = sqlite3_bind_double(stmt, i + 1, p->r);
        else if (p->type == READER_TEXT)
            rc = sqlite3_bind_text64(stmt, i + 1, p->text, p->len, SQLITE_STATIC, SQLITE_UTF8);
        else
            rc = sqlite3_bind_null(stmt, i + 1);
        if (rc != SQLITE_OK)
            return explain(reader, rc, err, err_cap);
    }
    return 0;
}

static struct reader_value value_of(sqlite3_stmt *stmt, int column)
{
    switch (sqlite3_column_type(stmt, column)) {
    case SQLITE_INTEGER:
        return (struct reader_value){.type = READER_INT, .i = sqlite3_column_int64(stmt, column)};
    case SQLITE_FLOAT:
        return (struct reader_value){.type = READER_REAL, .r = sqlite3_column_double(stmt, column)};
    case SQLITE_NULL:
        return (struct reader_value){.type = READER_NULL};
    default: { /* a BLOB is handed over as the bytes that it is */
        const void *text = sqlite3_column_type(stmt, column) == SQLITE_BLOB
                               ? sqlite3_column_blob(stmt, column)
                               : (const void *)sqlite3_column_text(stmt, column);
        return (struct reader_value){.type = READER_TEXT,
                                     .text = text ? text : "",
                                     .len = (size_t)sqlite3_column_bytes(stmt, column)};
    }
    }
}

struct row { /* of the statement as it is now */
    struct reader_value *columns;
    const char **names;
    size_t n;
};

/* Names and number are known with the first row and not before: where the schema changed since, the
 * first step prepares the statement anew. */
static void row_make(struct row *row, sqlite3_stmt *stmt)
{
    row->n = (size_t)sqlite3_column_count(stmt);
    row->columns = shep_alloc_array(row->n, sizeof *row->columns);
    row->names = shep_alloc_array(row->n, sizeof *row->names);
    for (size_t i = 0; i < row->n; i++)
        row->names[i] = sqlite3_column_name(stmt, (int)i);
}

static int run(struct reader *reader, sqlite3_stmt *stmt, uint32_t max_rows, reader_row_fn fn,
               void *arg, char *err, size_t err_cap)
{
    struct row row = {0};
    uint32_t n_rows = 0;
    int rc, result = 0;
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        if (n_rows++ >= max_rows) {
            result = fail(SHEP_E_LIMIT, err, err_cap, "the query has too many rows; add a LIMIT");
            break;
        }
        if (!row.names)
            row_make(&row, stmt);
        for (size_t i = 0; i < row.n; i++)
            row.columns[i] = value_of(stmt, (int)i);
        if (!fn(row.columns, row.names, row.n, arg))
            break;
    }
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        result = explain(reader, rc, err, err_cap);
    free(row.columns);
    free(row.names);
    return result;
}

int reader_query(struct reader *reader, const char *sql, const struct reader_value *params,
                 size_t n_params, const struct reader_limits *limits, reader_row_fn fn, void *arg,
                 char *err, size_t err_cap)
{
    struct stat st;
    sqlite3_stmt *stmt = NULL;
    bool timed = limits && limits->deadline_mono_ms;
    reader->deadline_ms = timed ? limits->deadline_mono_ms : clock_mono_ms() + TIME_DEFAULT_MS;
    if (err_cap)
        err[0] = '\0';
    if (stat(reader->path, &st) != 0 || st.st_dev != reader->dev || st.st_ino != reader->ino)
        return fail(SHEP_E_GONE, err, err_cap, "the database was replaced; open it again");
    int result = prepare(reader, sql, &stmt, err, err_cap);
    if (!result)
        result = bind_all(reader, stmt, params, n_params, err, err_cap);
    if (!result)
        result = run(reader, stmt, limits && limits->max_rows ? limits->max_rows : ROWS_DEFAULT, fn,
                     arg, err, err_cap);
    sqlite3_finalize(stmt);
    return result;
}
