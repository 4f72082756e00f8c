/* Who may come in by a database that is not in use: asked before a backup takes the place of what
 * is there. For a file that store_check_file() found to be ours; any thread; blocks. */
#include "store/internal.h"

enum {
    LISTED_MAX = 16, /* as many names as people read; all are counted */
    NAME_CHARS = 32  /* core/access takes no longer ones */
};

/* For a terminal and for a page: what is no part of a user's name is a question mark. */
static json_t *plain(const unsigned char *text)
{
    char out[NAME_CHARS + 1];
    size_t n = 0;
    for (; text && text[n] && n < NAME_CHARS; n++) {
        unsigned char c = text[n], lower = c | 0x20;
        bool ok = (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
                  c == '_' || c == '-';
        out[n] = ok ? (char)c : '?';
    }
    return json_stringn(out, n);
}

/* Schemas before the third have no people. */
static int count_rows(sqlite3 *db, const char *table, int64_t *out)
{
    char sql[96];
    int64_t is_there = 0;
    *out = 0;
    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = '%s'", table);
    int rc = db_ints(db, sql, NULL, 0, &is_there, 1);
    if (rc != SQLITE_OK || !is_there)
        return rc;
    snprintf(sql, sizeof sql, "SELECT count(*) FROM \"%s\"", table);
    return db_ints(db, sql, NULL, 0, out, 1);
}

static int list_users(sqlite3 *db, json_t *list)
{
    sqlite3_stmt *row = NULL;
    int rc = sqlite3_prepare_v2(
        db, "SELECT name, role FROM users ORDER BY role = 'admin' DESC, id LIMIT ?", -1, &row,
        NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int(row, 1, LISTED_MAX);
    while (rc == SQLITE_OK && (rc = sqlite3_step(row)) == SQLITE_ROW) {
        json_array_append_new(list,
                              json_pack("{s:o, s:o}", "name", plain(sqlite3_column_text(row, 0)),
                                        "role", plain(sqlite3_column_text(row, 1))));
        rc = SQLITE_OK;
    }
    sqlite3_finalize(row);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int look(sqlite3 *db, json_t *out)
{
    static const char *const tables[] = {"users", "tokens", "sessions"};
    json_t *list = json_array();
    int rc = SQLITE_OK;
    json_object_set_new(out, "user_list", list); /* always: a crafted one may be there */
    for (size_t i = 0; rc == SQLITE_OK && i < ARRAY_LEN(tables); i++) {
        int64_t n;
        rc = count_rows(db, tables[i], &n);
        json_object_set_new(out, tables[i], json_integer((json_int_t)n));
    }
    if (rc == SQLITE_OK && json_integer_value(json_object_get(out, "users")) > 0)
        rc = list_users(db, list);
    return rc;
}

int store_people(const char *path, json_t *out, char *err, size_t err_cap)
{
    struct atrest_look look_at;
    sqlite3 *db = NULL;
    int result = atrest_begin(path, &look_at, err, err_cap);
    if (result)
        return result;
    int rc = atrest_open(path, &look_at, &db);
    if (rc == SQLITE_OK)
        rc = look(db, out);
    if (rc != SQLITE_OK)
        result = atrest_explain(path, db, rc, err, err_cap);
    sqlite3_close(db);
    return result;
}
