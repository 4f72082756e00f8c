/* Is a file a database of ours, whole, and not newer than the program? Asked before a backup takes
 * the place of what is there. A crafted one must not bring anything along that acts later: its
 * tables have the columns that ours have, and there is no view or trigger but ours. Any thread;
 * blocks as long as reading the whole file takes. */
#include "store/internal.h"

/* Each object as one line of text: a table by its columns (ALTER TABLE leaves its own traces in the
 * SQL), a view or a trigger by its SQL. */
#define OBJECTS                                                                                    \
    "SELECT s.type || ' ' || s.name || ' ' || CASE s.type WHEN 'table' THEN"                       \
    " (SELECT group_concat(c.name || ' ' || c.type || ' ' || c.\"notnull\" || ' '"                 \
    "  || coalesce(c.dflt_value, '') || ' ' || c.pk || ' ' || c.hidden)"                           \
    "  FROM pragma_table_xinfo(s.name) c) ELSE s.sql END AS line, s.type, s.name"                  \
    " FROM sqlite_schema s WHERE s.name NOT LIKE 'sqlite%'"

static int format(char *err, size_t err_cap, const char *path, const char *what, const char *name)
{
    snprintf(err, err_cap, "%s cannot be taken: %s %.100s", path, what, name);
    return SHEP_E_FORMAT;
}

static int check_version(sqlite3 *db, const char *path, int *version, char *err, size_t err_cap)
{
    int64_t is = 0, app = 0;
    int rc = db_ints(db, "PRAGMA user_version", NULL, 0, &is, 1);
    if (rc == SQLITE_OK)
        rc = db_ints(db, "PRAGMA application_id", NULL, 0, &app, 1);
    if (rc != SQLITE_OK)
        return atrest_explain(path, db, rc, err, err_cap);
    if (app != STORE_APPLICATION_ID || is < 1) {
        snprintf(err, err_cap, "%s is no database of the Shepherd", path);
        return SHEP_E_FORMAT;
    }
    if (is > migrations_newest()) {
        snprintf(err, err_cap,
                 "%s has schema version %lld and this program (" SHEP_VERSION
                 ") knows versions up to %d; install the newer program first",
                 path, (long long)is, migrations_newest());
        return SHEP_E_UNSUPPORTED;
    }
    *version = (int)is;
    return 0;
}

/* "ok", or the first thing that is wrong. */
static int check_whole(sqlite3 *db, const char *path, char *err, size_t err_cap)
{
    sqlite3_stmt *row = NULL;
    int result = 0, rc = sqlite3_prepare_v2(db, "PRAGMA integrity_check(1)", -1, &row, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(row);
    if (rc != SQLITE_ROW)
        result = atrest_explain(path, db, rc, err, err_cap);
    else if (!str_eq((const char *)sqlite3_column_text(row, 0), "ok"))
        result =
            format(err, err_cap, path, "it is damaged:", (const char *)sqlite3_column_text(row, 0));
    sqlite3_finalize(row);
    return result;
}

/* Every object of <ours> is in <db> just so. */
static int check_has(sqlite3 *ours, sqlite3 *db, const char *path, char *err, size_t err_cap)
{
    sqlite3_stmt *want = NULL, *has = NULL;
    int result = 0;
    int rc = sqlite3_prepare_v2(ours, OBJECTS, -1, &want, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(db, "SELECT 1 FROM (" OBJECTS ") WHERE line = ?", -1, &has, NULL);
    while (!result && rc == SQLITE_OK && sqlite3_step(want) == SQLITE_ROW) {
        sqlite3_bind_value(has, 1, sqlite3_column_value(want, 0));
        int found = sqlite3_step(has);
        if (found == SQLITE_DONE)
            result = format(err, err_cap, path, "it lacks or has changed the",
                            (const char *)sqlite3_column_text(want, 0));
        else if (found != SQLITE_ROW)
            result = atrest_explain(path, db, found, err, err_cap);
        sqlite3_reset(has);
    }
    if (rc != SQLITE_OK)
        result = atrest_explain(path, db, rc, err, err_cap);
    sqlite3_finalize(want);
    sqlite3_finalize(has);
    return result;
}

/* No view, trigger or virtual table that is not ours. People's own plain tables may stay. */
static int check_no_more(sqlite3 *ours, sqlite3 *db, const char *path, char *err, size_t err_cap)
{
    sqlite3_stmt *row = NULL, *known = NULL;
    int result = 0;
    int rc = sqlite3_prepare_v2(db,
                                "SELECT type || ' ' || name, name FROM sqlite_schema"
                                " WHERE type NOT IN ('table', 'index') OR rootpage = 0",
                                -1, &row, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(ours, "SELECT 1 FROM sqlite_schema WHERE name = ?", -1, &known,
                                NULL);
    while (!result && rc == SQLITE_OK && (rc = sqlite3_step(row)) == SQLITE_ROW) {
        sqlite3_bind_value(known, 1, sqlite3_column_value(row, 1));
        if (sqlite3_step(known) != SQLITE_ROW)
            result = format(err, err_cap, path, "it has something that is not ours; delete the",
                            (const char *)sqlite3_column_text(row, 0));
        sqlite3_reset(known);
        rc = SQLITE_OK;
    }
    if (rc != SQLITE_OK && rc != SQLITE_DONE)
        result = atrest_explain(path, db, rc, err, err_cap);
    sqlite3_finalize(row);
    sqlite3_finalize(known);
    return result;
}

static int check_schema(sqlite3 *db, int version, const char *path, char *err, size_t err_cap)
{
    sqlite3 *ours = NULL;
    int rc = sqlite3_open_v2(":memory:", &ours, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK)
        rc = migrations_run(ours, 0, version);
    int result = rc == SQLITE_OK ? 0 : atrest_explain(path, ours, rc, err, err_cap);
    if (!result)
        result = check_has(ours, db, path, err, err_cap);
    if (!result)
        result = check_no_more(ours, db, path, err, err_cap);
    sqlite3_close(ours);
    return result;
}

int store_check_file(const char *path, char *err, size_t err_cap)
{
    struct atrest_look look;
    sqlite3 *db = NULL;
    int version = 0, result = atrest_begin(path, &look, err, err_cap);
    if (result)
        return result;
    int rc = atrest_open(path, &look, &db);
    result = rc == SQLITE_OK ? check_version(db, path, &version, err, err_cap)
                             : atrest_explain(path, db, rc, err, err_cap);
    if (!result)
        result = check_whole(db, path, err, err_cap);
    if (!result)
        result = check_schema(db, version, path, err, err_cap);
    sqlite3_close(db);
    return result;
}
