/* The schema, as numbered steps. Step N brings user_version from N - 1 to N, in one transaction.
 * A step that was released is never edited: append another. What is here for ever and what each
 * column means stands in README.md. Thread: whoever opens the database. */
#include "store/internal.h"

/* Columns of the Python Shepherd keep their names and their order in miners, pools, coin_addresses
 * and miner_summary, so that people's SQL goes on working. */
static const char *const migrations[] = {
    /* 1 */
    "CREATE TABLE miners ("
    " id INTEGER PRIMARY KEY,"
    " miner_id TEXT NOT NULL UNIQUE,"
    " chipset TEXT, dev_path TEXT, port_path TEXT, location_notes TEXT,"
    " attrs_idVendor TEXT, attrs_idProduct TEXT, attrs_serial TEXT, mac_address TEXT,"
    " nerdminer_rom TEXT, nerdminer_vrs TEXT,"
    " status TEXT NOT NULL DEFAULT 'unknown', state TEXT, currency TEXT NOT NULL DEFAULT 'BTC',"
    " pool_url TEXT, wallet_address TEXT, last_seen TEXT,"
    " source TEXT, path TEXT, parser TEXT, options TEXT,"
    " origin INTEGER NOT NULL DEFAULT 0,"
    " created_at_ms INTEGER NOT NULL, removed_at_ms INTEGER"
    ") STRICT;"

    "CREATE TABLE devices ("
    " id INTEGER PRIMARY KEY,"
    " key TEXT NOT NULL UNIQUE,"
    " miner_id INTEGER REFERENCES miners(id),"
    " path TEXT, port_path TEXT, description TEXT, serial TEXT, vendor_id TEXT, product_id TEXT,"
    " first_seen_ms INTEGER NOT NULL, last_seen_ms INTEGER NOT NULL,"
    " present INTEGER NOT NULL DEFAULT 1"
    ") STRICT;"
    "CREATE VIEW unconfigured_devices AS"
    " SELECT id, key, path AS dev_path, port_path, serial AS serial_number, vendor_id, product_id,"
    " description, present, first_seen_ms, last_seen_ms"
    " FROM devices WHERE miner_id IS NULL;"

    /* No index: see README.md, "What it writes". */
    "CREATE TABLE miner_logs ("
    " id INTEGER PRIMARY KEY,"
    " miner_id INTEGER NOT NULL REFERENCES miners(id),"
    " at_ms INTEGER NOT NULL,"
    " line TEXT NOT NULL"
    ") STRICT;"
    "CREATE TABLE log_index ("
    " minute INTEGER NOT NULL, miner_id INTEGER NOT NULL,"
    " first_id INTEGER NOT NULL, last_id INTEGER NOT NULL,"
    " n INTEGER NOT NULL, bytes INTEGER NOT NULL,"
    " PRIMARY KEY (minute, miner_id)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE log_state ("
    " id INTEGER PRIMARY KEY CHECK (id = 1),"
    " last_id INTEGER NOT NULL, n INTEGER NOT NULL, bytes INTEGER NOT NULL"
    ") STRICT;"
    "INSERT INTO log_state(id, last_id, n, bytes) VALUES (1, 0, 0, 0);"

    "CREATE TABLE events ("
    " id INTEGER PRIMARY KEY,"
    " at_ms INTEGER NOT NULL, event TEXT NOT NULL,"
    " miner_id INTEGER REFERENCES miners(id),"
    " value REAL, text TEXT"
    ") STRICT;"

    "CREATE TABLE latest ("
    " miner_id INTEGER PRIMARY KEY REFERENCES miners(id),"
    " at_ms INTEGER NOT NULL, readings TEXT NOT NULL,"
    " best_ever REAL, best_ever_at_ms INTEGER"
    ") STRICT;"
    "CREATE TABLE summaries ("
    " miner_id INTEGER PRIMARY KEY REFERENCES miners(id),"
    " at_ms INTEGER NOT NULL,"
    " hashrate_1h REAL, hashrate_24h REAL, hashes_total REAL, shares_total REAL,"
    " best_difficulty_ever REAL, online_share_24h REAL"
    ") STRICT;"
    "CREATE VIEW miner_summary AS SELECT"
    " m.id AS miner_id,"
    " strftime('%Y-%m-%dT%H:%M:%SZ', max(coalesce(l.at_ms, 0), coalesce(s.at_ms, 0)) / 1000,"
    "          'unixepoch') AS last_updated,"
    " json_extract(l.readings, '$.hashrate.v') / 1000.0 AS \"KH/s\","
    " json_extract(l.readings, '$.temperature.v') AS \"Temperature\","
    " json_extract(l.readings, '$.valid_blocks.v') AS \"Valid blocks\","
    " json_extract(l.readings, '$.best_difficulty.v') AS \"Best difficulty\","
    " json_extract(l.readings, '$.hashes_total.v') / 1e6 AS \"Total MHashes\","
    " json_extract(l.readings, '$.shares_accepted.v')"
    "  + coalesce(json_extract(l.readings, '$.shares_rejected.v'), 0) AS \"Submits\","
    " json_extract(l.readings, '$.shares_32bit.v') AS \"Shares\","
    " CASE WHEN json_extract(l.readings, '$.uptime.v') IS NOT NULL THEN"
    "  printf('%d  %02d:%02d:%02d',"
    "   CAST(json_extract(l.readings, '$.uptime.v') AS INTEGER) / 86400,"
    "   CAST(json_extract(l.readings, '$.uptime.v') AS INTEGER) / 3600 % 24,"
    "   CAST(json_extract(l.readings, '$.uptime.v') AS INTEGER) / 60 % 60,"
    "   CAST(json_extract(l.readings, '$.uptime.v') AS INTEGER) % 60) END AS \"Time mining\","
    " json_extract(l.readings, '$.block_templates.v') AS \"Block templates\","
    " m.miner_id AS name, s.at_ms, s.hashrate_1h, s.hashrate_24h, s.hashes_total, s.shares_total,"
    " coalesce(s.best_difficulty_ever, l.best_ever) AS best_difficulty_ever, s.online_share_24h"
    " FROM miners m LEFT JOIN latest l ON l.miner_id = m.id"
    " LEFT JOIN summaries s ON s.miner_id = m.id"
    " WHERE m.removed_at_ms IS NULL AND (l.miner_id IS NOT NULL OR s.miner_id IS NOT NULL);"

    "CREATE TABLE pools ("
    " id INTEGER PRIMARY KEY,"
    " pool_name TEXT NOT NULL UNIQUE, pool_url TEXT NOT NULL, pool_port INTEGER NOT NULL,"
    " pool_user TEXT NOT NULL, pool_pass TEXT NOT NULL DEFAULT 'x',"
    " is_active INTEGER NOT NULL DEFAULT 0"
    ") STRICT;"
    "CREATE TABLE coin_addresses ("
    " id INTEGER PRIMARY KEY,"
    " coin_ticker TEXT NOT NULL, address TEXT NOT NULL UNIQUE, label TEXT"
    ") STRICT;"

    "CREATE TABLE rollups ("
    " period_s INTEGER NOT NULL, t_ms INTEGER NOT NULL, miner_id INTEGER NOT NULL,"
    " metric TEXT NOT NULL,"
    " n INTEGER NOT NULL, min REAL, max REAL, avg REAL, last REAL,"
    " PRIMARY KEY (period_s, t_ms, miner_id, metric)"
    ") STRICT, WITHOUT ROWID;"

    "CREATE TABLE kv ("
    " plugin TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,"
    " PRIMARY KEY (plugin, key)"
    ") STRICT, WITHOUT ROWID;",

    /* 2: words of people about their miners; tags with commas between them */
    "ALTER TABLE miners ADD COLUMN group_name TEXT;"
    "ALTER TABLE miners ADD COLUMN tags TEXT;"
    "ALTER TABLE miners ADD COLUMN notes TEXT;",

    /* 3: the flock is managed in the browser */
    "ALTER TABLE devices ADD COLUMN mac TEXT;"
    "ALTER TABLE devices ADD COLUMN ignored INTEGER NOT NULL DEFAULT 0;"
    "DROP VIEW unconfigured_devices;"
    "CREATE VIEW unconfigured_devices AS"
    " SELECT id, key, path AS dev_path, port_path, serial AS serial_number, vendor_id, product_id,"
    " description, present, first_seen_ms, last_seen_ms, mac AS mac_address"
    " FROM devices WHERE miner_id IS NULL AND NOT ignored;"
    /* what a miner should mine for; alarm: JSON of what it says instead, until acknowledged */
    "CREATE TABLE expected ("
    " id INTEGER PRIMARY KEY REFERENCES miners(id), pool TEXT, address TEXT,"
    " set_at_ms INTEGER NOT NULL, set_by TEXT NOT NULL, alarm TEXT"
    ") STRICT;"
    "CREATE TABLE users ("
    " id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, role TEXT NOT NULL,"
    " password_hash TEXT NOT NULL, created_at_ms INTEGER NOT NULL"
    ") STRICT;"
    "CREATE TABLE sessions ("
    " id INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE, user_id INTEGER NOT NULL,"
    " role TEXT NOT NULL, created_at_ms INTEGER NOT NULL, used_at_ms INTEGER NOT NULL"
    ") STRICT;"
    "CREATE TABLE tokens ("
    " id INTEGER PRIMARY KEY, name TEXT NOT NULL, hash TEXT NOT NULL UNIQUE, role TEXT NOT NULL,"
    " created_at_ms INTEGER NOT NULL, used_at_ms INTEGER, created_by TEXT NOT NULL"
    ") STRICT;"
    "CREATE TABLE audit ("
    " id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, who TEXT NOT NULL, peer TEXT,"
    " action TEXT NOT NULL, subject TEXT, old TEXT, new TEXT"
    ") STRICT;"
    "CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit"
    " BEGIN SELECT RAISE(ABORT, 'audit is only appended to'); END;"
    "CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit"
    " BEGIN SELECT RAISE(ABORT, 'audit is only appended to'); END;"
    "CREATE TABLE settings (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, value TEXT) STRICT;",

    /* 4: long work of the writer that goes on after a restart: all that a miner has is erased, or
     * becomes another's. Gone when it is done. */
    "CREATE TABLE chores (id INTEGER PRIMARY KEY, miner_id INTEGER NOT NULL, into_id INTEGER) "
    "STRICT;",

    /* 5: sums over all miners, so that a chart of the herd does not read every miner's rows. Filled
     * with what charts show: older minutes and hours would keep the start waiting. A trigger, since
     * one GROUP BY over all rows sorts them in memory. */
    "CREATE TABLE herd_rollups ("
    " period_s INTEGER NOT NULL, t_ms INTEGER NOT NULL, metric TEXT NOT NULL,"
    " n_miners INTEGER NOT NULL, avg REAL NOT NULL,"
    " PRIMARY KEY (period_s, t_ms, metric)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE herd_times (period_s INTEGER, t_ms INTEGER);"
    "CREATE TRIGGER herd_times_sum AFTER INSERT ON herd_times BEGIN"
    " INSERT INTO herd_rollups SELECT period_s, t_ms, metric, count(avg), sum(avg) FROM rollups"
    " WHERE period_s = new.period_s AND t_ms = new.t_ms AND avg IS NOT NULL GROUP BY metric;"
    " END;"
    /* from one time to the next by the key, over all rows between */
    "WITH RECURSIVE since(period_s, t_ms) AS (VALUES"
    "  (60, (SELECT max(t_ms) FROM rollups WHERE period_s = 60) - 86400000),"
    "  (3600, (SELECT max(t_ms) FROM rollups WHERE period_s = 3600) - 31 * 86400000),"
    "  (86400, 0)),"
    " times(period_s, t_ms) AS (SELECT period_s, (SELECT min(r.t_ms) FROM rollups r"
    "   WHERE r.period_s = since.period_s AND r.t_ms >= since.t_ms) FROM since"
    "  UNION ALL SELECT period_s, (SELECT min(r.t_ms) FROM rollups r"
    "   WHERE r.period_s = times.period_s AND r.t_ms > times.t_ms)"
    "  FROM times WHERE t_ms IS NOT NULL)"
    " INSERT INTO herd_times SELECT period_s, t_ms FROM times WHERE t_ms IS NOT NULL;"
    "DROP TABLE herd_times;",
};

int migrations_newest(void)
{
    return (int)ARRAY_LEN(migrations);
}

static int run_step(sqlite3 *db, const char *sql, int version)
{
    char pragma[96];
    snprintf(pragma, sizeof pragma, "PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT;",
             STORE_APPLICATION_ID, version);
    int rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, pragma, NULL, NULL, NULL);
    if (rc != SQLITE_OK && !sqlite3_get_autocommit(db))
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

int migrations_run(sqlite3 *db, int from_version, int to_version)
{
    int rc = SQLITE_OK;
    for (int v = from_version; rc == SQLITE_OK && v < to_version; v++)
        rc = run_step(db, migrations[v], v + 1);
    return rc;
}
