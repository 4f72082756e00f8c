/* The database file: opening, its settings, statements, and what to do when it is damaged. The only
 * place that says how our connections are set up. Thread: the one that owns the connection. */
#include "store/internal.h"

#include "util/clock.h"
#include "util/log.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUSY_MS = 2000 }; /* another program writes; the queue grows meanwhile */

/* What each record does; those of people's tables are made in rows.c. All can be done again with
 * the same result: after a commit whose outcome is not known the batch is repeated (lines and
 * events are told apart by their ids). */
static const char *const statements[STMT_COUNT] = {
    [REC_LINE] = "INSERT INTO miner_logs(id, miner_id, at_ms, line) VALUES (?, ?, ?, ?)",
    [REC_EVENT] = "INSERT INTO events(id, at_ms, event, miner_id, value, text)"
                  " VALUES (?, ?, ?, ?, ?, ?)",
    [REC_STATUS] = "UPDATE miners SET status = ?2 WHERE id = ?1",
    [REC_MINER] =
        "INSERT INTO miners(id, miner_id, location_notes, source, path, dev_path, parser, options,"
        " origin, created_at_ms, group_name, tags)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
        " ON CONFLICT(id) DO UPDATE SET location_notes = ?3, source = ?4, path = ?5,"
        " dev_path = ?5, parser = ?6, options = ?7, origin = ?8, group_name = ?10, tags = ?11,"
        " removed_at_ms = NULL",
    [REC_MINER_REMOVE] = "UPDATE miners SET removed_at_ms = ?2 WHERE id = ?1",
    [REC_DEVICE] =
        "INSERT INTO devices(key, miner_id, path, port_path, description, serial, vendor_id,"
        " product_id, first_seen_ms, last_seen_ms, present, mac)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, ?10, ?11)"
        " ON CONFLICT(key) DO UPDATE SET miner_id = ?2, path = ?3, port_path = ?4,"
        " description = ?5, serial = ?6, vendor_id = ?7, product_id = ?8,"
        " last_seen_ms = ?9, present = ?10,"
        /* a MAC once heard is known until another kind of thing is in its place */
        " mac = CASE WHEN ?11 IS NOT NULL THEN ?11 WHEN serial IS ?6 AND vendor_id IS ?7"
        " AND product_id IS ?8 THEN mac END",
    [REC_DEVICE_IGNORE] = "UPDATE devices SET ignored = ?2 WHERE key = ?1",
    [REC_DEVICE_DELETE] = "DELETE FROM devices WHERE key = ?1",
    [REC_DEVICES_MOVE] = "UPDATE devices SET miner_id = ?2 WHERE miner_id = ?1",
    [REC_MINER_RENAME] = "UPDATE miners SET miner_id = ?2 WHERE id = ?1",
    [REC_MINER_NAMELESS] =
        "UPDATE miners SET miner_id = '~' || id, chipset = NULL, dev_path = NULL,"
        " port_path = NULL, location_notes = NULL, attrs_idVendor = NULL, attrs_idProduct = NULL,"
        " attrs_serial = NULL, mac_address = NULL, nerdminer_rom = NULL, nerdminer_vrs = NULL,"
        " status = 'unknown', state = NULL, pool_url = NULL, wallet_address = NULL,"
        " last_seen = NULL, source = NULL, path = NULL, parser = NULL, options = NULL,"
        " group_name = NULL, tags = NULL, notes = NULL, removed_at_ms = ?2 WHERE id = ?1",
    [REC_CHORE] = "INSERT INTO chores(id, miner_id, into_id) VALUES (?1, ?2, ?3)"
                  " ON CONFLICT(id) DO NOTHING",
    [STMT_NAME_FREE] = "UPDATE miners SET miner_id = miner_id || '~' || id"
                       " WHERE miner_id = ?2 AND id <> ?1",
    [REC_LATEST] = "INSERT INTO latest(miner_id, at_ms, readings, best_ever, best_ever_at_ms)"
                   " VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT(miner_id) DO UPDATE SET"
                   " at_ms = ?2, readings = ?3, best_ever = ?4, best_ever_at_ms = ?5",
    [REC_SUMMARY] =
        "INSERT INTO summaries(miner_id, at_ms, hashrate_1h, hashrate_24h, hashes_total,"
        " shares_total, best_difficulty_ever, online_share_24h) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7,"
        " ?8) ON CONFLICT(miner_id) DO UPDATE SET at_ms = ?2, hashrate_1h = ?3, hashrate_24h = ?4,"
        " hashes_total = ?5, shares_total = ?6, best_difficulty_ever = ?7, online_share_24h = ?8",
    [REC_ROLLUP] = "INSERT INTO rollups(period_s, t_ms, miner_id, metric, n, min, max, avg, last)"
                   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
                   " ON CONFLICT(period_s, t_ms, miner_id, metric)"
                   " DO UPDATE SET n = ?5, min = ?6, max = ?7, avg = ?8, last = ?9",
    [REC_KV_PUT] = "INSERT INTO kv(plugin, key, value) VALUES (?1, ?2, ?3)"
                   " ON CONFLICT(plugin, key) DO UPDATE SET value = ?3",
    [REC_KV_DELETE] = "DELETE FROM kv WHERE plugin = ? AND key = ?",
    /* The same parameters as REC_LATEST. A column that the miner never said keeps its value. */
    [STMT_MINER_LATEST] =
        "UPDATE miners SET last_seen = strftime('%Y-%m-%dT%H:%M:%SZ', ?2 / 1000, 'unixepoch'),"
        " chipset = coalesce(json_extract(?3, '$.chip.v'), chipset),"
        " mac_address = coalesce(json_extract(?3, '$.mac.v'), mac_address),"
        " nerdminer_rom = coalesce(json_extract(?3, '$.firmware.v'), nerdminer_rom),"
        " nerdminer_vrs = coalesce(json_extract(?3, '$.version.v'), nerdminer_vrs),"
        " state = coalesce(json_extract(?3, '$.state.v'), state),"
        " pool_url = coalesce(json_extract(?3, '$.pool.v'), pool_url),"
        " wallet_address = coalesce(json_extract(?3, '$.wallet.v'), wallet_address)"
        " WHERE id = ?1",
    [STMT_BEGIN] = "BEGIN IMMEDIATE",
    [STMT_COMMIT] = "COMMIT",
    [STMT_INDEX_PUT] =
        "INSERT INTO log_index(minute, miner_id, first_id, last_id, n, bytes)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT(minute, miner_id) DO UPDATE SET"
        " first_id = min(first_id, ?3), last_id = max(last_id, ?4), n = n + ?5, bytes = bytes + ?6",
    [STMT_STATE_PUT] = "UPDATE log_state SET last_id = ?1, n = n + ?2, bytes = bytes + ?3",
};

bool db_is_damage(int rc)
{
    return (rc & 0xff) == SQLITE_CORRUPT || (rc & 0xff) == SQLITE_NOTADB;
}

int db_prepare(sqlite3 *db, sqlite3_stmt *stmts[STMT_COUNT])
{
    for (size_t i = 0; i < STMT_COUNT; i++) {
        bool of_people = i >= REC_ROW_PUT && i < REC_COUNT;
        char *made = of_people ? row_sql_dup((enum rec_type)i) : NULL;
        int rc = sqlite3_prepare_v3(db, of_people ? made : statements[i], -1,
                                    SQLITE_PREPARE_PERSISTENT, &stmts[i], NULL);
        free(made);
        if (rc != SQLITE_OK)
            return rc;
    }
    return SQLITE_OK;
}

int db_step(sqlite3_stmt *stmt)
{
    int rc = sqlite3_step(stmt);
    int reset = sqlite3_reset(stmt);
    return rc == SQLITE_DONE || rc == SQLITE_ROW ? SQLITE_OK : (reset ? reset : rc);
}

void db_bind(sqlite3_stmt *stmt, const char *params, unsigned n_params)
{
    const char *at = params;
    for (int i = 1; i <= (int)n_params; i++) {
        struct rec_param param = rec_param_next(&at);
        if (param.kind == PARAM_INT)
            sqlite3_bind_int64(stmt, i, param.i);
        else if (param.kind == PARAM_REAL)
            sqlite3_bind_double(stmt, i, param.r);
        else if (param.kind == PARAM_TEXT)
            sqlite3_bind_text(stmt, i, param.text, (int)param.len, SQLITE_STATIC);
        else
            sqlite3_bind_null(stmt, i);
    }
}

int db_ints(sqlite3 *db, const char *sql, const int64_t *params, size_t n_params, int64_t *out,
            size_t n_out)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
    if (rc != SQLITE_OK)
        return rc;
    for (size_t i = 0; i < n_params; i++)
        sqlite3_bind_int64(stmt, (int)i + 1, params[i]);
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        for (size_t i = 0; i < n_out; i++)
            out[i] = sqlite3_column_int64(stmt, (int)i);
    int end = sqlite3_finalize(stmt);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : end;
}

int db_exec_ints(sqlite3 *db, const char *sql, const int64_t *params, size_t n_params)
{
    return db_ints(db, sql, params, n_params, NULL, 0);
}

char *db_uri_dup(const char *path, const char *params)
{
    struct buf uri = {0};
    buf_add_str(&uri, path[0] == '/' ? "file://" : "file:");
    for (const char *c = path; *c; c++) {
        if (*c == '%' || *c == '?' || *c == '#')
            buf_printf(&uri, "%%%02x", (unsigned char)*c);
        else
            buf_add(&uri, c, 1);
    }
    buf_printf(&uri, "?%s", params);
    return buf_take(&uri);
}

/* ---- opening ---- */

static int configure(sqlite3 *db)
{
    sqlite3_extended_result_codes(db, 1);
    sqlite3_busy_timeout(db, BUSY_MS);
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_wal_autocheckpoint(db, 0);
    /* auto_vacuum stays off: its pointer map is one more page with each commit, and pages that
     * retention frees are used again. */
    char sql[256];
    snprintf(sql, sizeof sql,
             "PRAGMA page_size=%d; PRAGMA auto_vacuum=NONE; PRAGMA secure_delete=OFF;"
             "PRAGMA foreign_keys=ON; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-1024;"
             "PRAGMA temp_store=MEMORY;",
             DB_PAGE_BYTES);
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

static int use_wal(sqlite3 *db)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db, "PRAGMA journal_mode=WAL", -1, &stmt, NULL);
    if (rc != SQLITE_OK)
        return rc;
    rc = sqlite3_step(stmt);
    bool wal = rc == SQLITE_ROW && str_eq((const char *)sqlite3_column_text(stmt, 0), "wal");
    int end = sqlite3_finalize(stmt);
    return end ? end : (wal ? SQLITE_OK : SQLITE_CANTOPEN);
}

/* Whose file is it, and of which version? */
static int check_version(sqlite3 *db, const char *path, int *version, struct db_open_result *res)
{
    int64_t got[3] = {0};
    int rc = db_ints(db, "PRAGMA user_version", NULL, 0, &got[0], 1);
    if (rc == SQLITE_OK)
        rc = db_ints(db, "PRAGMA application_id", NULL, 0, &got[1], 1);
    if (rc == SQLITE_OK)
        rc = db_ints(db, "SELECT count(*) FROM sqlite_schema", NULL, 0, &got[2], 1);
    if (rc != SQLITE_OK)
        return rc;
    *version = (int)got[0];
    bool empty = got[0] == 0 && got[2] == 0;
    if (!empty && got[1] != STORE_APPLICATION_ID) {
        res->err = SHEP_E_UNSUPPORTED;
        snprintf(res->text, sizeof res->text,
                 "%s is a database of another program; move it away, or choose another data_dir",
                 path);
    } else if (*version > migrations_newest()) {
        res->err = SHEP_E_UNSUPPORTED;
        snprintf(res->text, sizeof res->text,
                 "%s has schema version %d and this program (" SHEP_VERSION
                 ") knows versions up to %d; install the newer program again, or restore a backup",
                 path, *version, migrations_newest());
    }
    return SQLITE_OK;
}

static int open_once(const char *path, sqlite3 **db, struct db_open_result *res)
{
    int version = 0;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
                SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE;
    int rc = sqlite3_open_v2(path, db, flags, NULL);
    if (rc == SQLITE_OK)
        rc = configure(*db);
    if (rc == SQLITE_OK)
        rc = check_version(*db, path, &version, res);
    if (rc == SQLITE_OK && res->err)
        return SQLITE_OK;
    if (rc == SQLITE_OK)
        rc = use_wal(*db);
    if (rc == SQLITE_OK)
        rc = migrations_run(*db, version, migrations_newest());
    return rc;
}

/* SQLite would make it with the umask's mode; it holds the password hash. -wal and -shm follow. */
static void make_private(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd >= 0)
        close(fd);
}

sqlite3 *db_open(const char *path, struct db_open_result *res)
{
    *res = (struct db_open_result){0};
    for (int tries = 0;; tries++) {
        sqlite3 *db = NULL;
        if (access(path, F_OK) != 0)
            make_private(path);
        int rc = open_once(path, &db, res);
        if (rc == SQLITE_OK && !res->err)
            return db;
        char why[200];
        snprintf(why, sizeof why, "%s", db ? sqlite3_errmsg(db) : sqlite3_errstr(rc));
        int sys_errno = db ? sqlite3_system_errno(db) : 0;
        sqlite3_close(db);
        if (res->err)
            return NULL;
        char aside[400];
        if (db_is_damage(rc) && tries == 0 && db_move_aside(path, aside, sizeof aside)) {
            res->moved_aside = true;
            snprintf(res->text, sizeof res->text,
                     "the database was damaged (%s); it was moved to %s and a new one was made; "
                     "to save what is in it: sqlite3 %s .recover",
                     why, aside, aside);
            continue;
        }
        res->err = SHEP_E_IO;
        snprintf(res->text, sizeof res->text,
                 "cannot open the database %s: %s%s%s; check that the directory can be written and "
                 "that its disk has room",
                 path, why, sys_errno ? ": " : "", sys_errno ? strerror(sys_errno) : "");
        return NULL;
    }
}

static void move_one(const char *path, const char *new_path, const char *end)
{
    char *from = shep_asprintf("%s%s", path, end), *to = shep_asprintf("%s%s", new_path, end);
    if (rename(from, to) != 0 && errno != ENOENT)
        log_warn("store", "cannot move %s to %s: %s; it is deleted", from, to, strerror(errno));
    unlink(from); /* a -wal of the old file must never meet the new one */
    free(from);
    free(to);
}

bool db_move_aside(const char *path, char *new_path, size_t cap)
{
    char when[21];
    clock_format_utc(clock_wall_ms(), when);
    for (int i = 0; i < 100; i++) {
        if (i == 0)
            snprintf(new_path, cap, "%s.corrupt.%s", path, when);
        else
            snprintf(new_path, cap, "%s.corrupt.%s.%d", path, when, i);
        if (access(new_path, F_OK) == 0)
            continue;
        if (rename(path, new_path) != 0)
            return false;
        move_one(path, new_path, "-wal");
        move_one(path, new_path, "-shm");
        return true;
    }
    return false;
}
