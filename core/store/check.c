/* Is a file a database of ours, whole, and not newer than the program? Asked before a backup takes
 * the place of what is there. A crafted one must not bring anything along that acts later: its
 * tables are made as ours are, there is no view or trigger but ours, and nothing else in it can
 * make a write of ours fail, or overflow. Any thread; blocks as long as reading the whole file
 * takes. */
#include "store/internal.h"

/* Each object as one line of text. Of tables too the whole SQL, where CHECK, UNIQUE and REFERENCES
 * stand: an audit that refuses some rows would be no audit. Blanks do not count (ALTER TABLE). */
#define OBJECTS                                                                                    \
    "SELECT s.type || ' ' || s.name || ' ' || CASE s.type WHEN 'table' THEN"                       \
    " replace(replace(s.sql, ' ', ''), char(10), '') ELSE s.sql END AS line, s.type, s.name"       \
    " FROM sqlite_schema s WHERE s.name NOT LIKE 'sqlite%'"

/* What acts, by its name; and what may refuse a row of the table named last: an index that is
 * unique, partial, of an expression or in an order of somebody's own, and a table that refers to
 * it. */
#define ACTING                                                                                     \
    "SELECT type || ' ' || name, name, NULL FROM sqlite_schema"                                    \
    " WHERE type NOT IN ('table', 'index') OR rootpage = 0"                                        \
    " UNION ALL SELECT 'index ' || s.name, s.name, s.tbl_name FROM sqlite_schema s"                \
    " WHERE s.type = 'index' AND s.sql IS NOT NULL AND (EXISTS (SELECT 1"                          \
    "  FROM pragma_index_list(s.tbl_name) l WHERE l.name = s.name AND (l.\"unique\" OR "           \
    "l.partial))"                                                                                  \
    "  OR EXISTS (SELECT 1 FROM pragma_index_xinfo(s.name) x WHERE x.cid = -2"                     \
    "   OR x.coll NOT IN ('BINARY', 'NOCASE', 'RTRIM')))"                                          \
    " UNION ALL SELECT 'table ' || s.name, s.name, f.\"table\""                                    \
    " FROM sqlite_schema s, pragma_foreign_key_list(s.name) f WHERE s.type = 'table'"

/* Of each table the condition that a number in it is none that we write: sums of two of them do not
 * overflow, and a browser reads them as they are (2^53). An id begins with 1. */
#define OUT_OF_RANGE                                                                               \
    "SELECT t.name, 'SELECT 1 FROM \"' || t.name || '\" WHERE ' || group_concat('\"' || c.name"    \
    "  || '\" NOT BETWEEN ' || CASE c.name WHEN 'id' THEN 1 ELSE -9007199254740992 END"            \
    "  || ' AND 9007199254740992', ' OR ') || ' LIMIT 1'"                                          \
    " FROM sqlite_schema t, pragma_table_info(t.name) c"                                           \
    " WHERE t.type = 'table' AND c.type = 'INTEGER' GROUP BY t.name"

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

/* No view, trigger or virtual table that is not ours, and nothing that binds ours. People's own
 * plain tables may stay, with their indexes, and plain indexes on ours. */
static int check_no_more(sqlite3 *ours, sqlite3 *db, const char *path, char *err, size_t err_cap)
{
    sqlite3_stmt *row = NULL, *bad = NULL;
    int result = 0;
    int rc = sqlite3_prepare_v2(db, ACTING, -1, &row, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(ours,
                                "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM sqlite_schema"
                                " WHERE name = ?1) AND (?2 IS NULL OR EXISTS (SELECT 1"
                                " FROM sqlite_schema WHERE name = ?2 COLLATE NOCASE))",
                                -1, &bad, NULL);
    while (!result && rc == SQLITE_OK && (rc = sqlite3_step(row)) == SQLITE_ROW) {
        sqlite3_bind_value(bad, 1, sqlite3_column_value(row, 1));
        sqlite3_bind_value(bad, 2, sqlite3_column_value(row, 2));
        if (sqlite3_step(bad) == SQLITE_ROW)
            result = format(err, err_cap, path, "it has something that is not ours; delete the",
                            (const char *)sqlite3_column_text(row, 0));
        sqlite3_reset(bad);
        rc = SQLITE_OK;
    }
    if (rc != SQLITE_OK && rc != SQLITE_DONE)
        result = atrest_explain(path, db, rc, err, err_cap);
    sqlite3_finalize(row);
    sqlite3_finalize(bad);
    return result;
}

static int check_numbers(sqlite3 *ours, sqlite3 *db, const char *path, char *err, size_t err_cap)
{
    sqlite3_stmt *table = NULL, *row = NULL;
    int result = 0, rc = sqlite3_prepare_v2(ours, OUT_OF_RANGE, -1, &table, NULL);
    while (!result && rc == SQLITE_OK && sqlite3_step(table) == SQLITE_ROW) {
        rc = sqlite3_prepare_v2(db, (const char *)sqlite3_column_text(table, 1), -1, &row, NULL);
        int found = rc == SQLITE_OK ? sqlite3_step(row) : rc;
        if (found == SQLITE_ROW)
            result = format(err, err_cap, path, "it holds a number that nobody wrote, in the table",
                            (const char *)sqlite3_column_text(table, 0));
        else if (found != SQLITE_DONE)
            result = atrest_explain(path, db, found, err, err_cap);
        sqlite3_finalize(row);
    }
    if (!result && rc != SQLITE_OK)
        result = atrest_explain(path, ours, rc, err, err_cap);
    sqlite3_finalize(table);
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
    if (!result)
        result = check_numbers(ours, db, path, err, err_cap);
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
