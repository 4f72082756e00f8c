/* The store: SQLite, DATA_DIR/shepherd.db. One writer thread does every write and every checkpoint;
 * nothing else in the process writes. The loop hands over values and never waits.
 *
 * Promises: lines of one miner keep their order, none is stored twice; a SIGKILL loses at most the
 * last 2 s of lines and no event that store_event() was called for more than 2 s before; a full
 * disk degrades to memory (bounded, counted) and recovers by itself (a ballast file is given up
 * first). Batches of at most 1 s or 2,000 rows, BEGIN IMMEDIATE. Thread: loop, unless a comment
 * says otherwise. Only core/store sees sqlite3.h. */
#ifndef SHEP_STORE_H
#define SHEP_STORE_H

#include "loop/loop.h"
#include "shepherd/plugin.h"

#include <jansson.h>

struct store;

struct store_conf {
    const char *data_dir; /* made with mode 0750 when it is not there */
    int64_t keep_ms;    /* retention of miner_logs in time; 0: default 7 days, never under 1 hour */
    int64_t keep_bytes; /* and in size of the text; 0: default 512 MiB */
    int64_t queue_bytes; /* lines that may wait for the writer; 0: default 16 MiB */
};

/* The daemon holds DATA_DIR/shepherd.pid locked while it runs.
 * Opens or creates the database, migrates, starts the writer. Blocks (start-up only). On failure a
 * message for people is put into err[]: what, where, what to do. Results: 0; SHEP_E_BUSY (another
 * daemon: *pid_out; exit 69); SHEP_E_UNSUPPORTED (newer than the program; exit 78); SHEP_E_IO (exit
 * 74). A damaged database is moved aside to shepherd.db.corrupt.<time> and a new one made; the
 * message then is a warning with result 0. */
int store_open(const struct store_conf *conf, struct loop *loop, struct store **out, char *err,
               size_t err_cap, int *pid_out);
void store_close(struct store *store); /* writes everything, checkpoints, joins; at most 5 s */
/* The same lock without a database, for a command that replaces it: a descriptor, closed when all
 * is done; SHEP_E_BUSY, SHEP_E_IO with text. Any thread. */
int store_lock(const char *data_dir, char *err, size_t err_cap, int *pid_out);

/* ---- miners: small, so start-up reads are synchronous and later changes go through the writer
 * ---- */
struct store_miner {
    int64_t id;
    const char *name, *location, *source, *path, *parser, *options_json;
    const char *group, *tags; /* tags: with commas between them; both may be NULL */
    int origin;               /* enum miner_origin */
};
typedef void (*store_miner_fn)(const struct store_miner *miner, void *arg);
int store_miners_each(struct store *store, store_miner_fn fn,
                      void *arg); /* blocks: start-up only */
/* Id of the miner of that name, made when there is none; its columns are brought up to date. The id
 * is known at once (the loop keeps the name → id table), the row is written by the writer before
 * any line that refers to it. */
int64_t store_miner_put(struct store *store, const struct store_miner *miner);
/* Its row stays (its lines refer to it) with removed_at_ms; putting the name again brings it back.
 */
void store_miner_remove(struct store *store, int64_t miner_id);
/* devices: one way in. key: lasting identity. miner_id 0: nobody's; then it is in
 * unconfigured_devices too. */
void store_device_put(struct store *store, const struct shep_found *found, int64_t miner_id,
                      bool present);

/* What was ever plugged in, in order of key. Blocks: start-up only. */
struct store_device {
    int64_t id, miner_id; /* miner_id 0: nobody's */
    const char *key, *path, *port_path, *description, *serial, *vendor_id, *product_id, *mac;
    bool ignored; /* a person said: never offer this one again */
    int64_t first_seen_ms, last_seen_ms;
};
typedef void (*store_device_fn)(const struct store_device *device, void *arg);
int store_devices_each(struct store *store, store_device_fn fn, void *arg);
void store_device_ignore(struct store *store, const char *key, bool ignored);
void store_device_delete(struct store *store, const char *key);
/* Another name for the same row. A removed miner that has the name gives it up ("NAME~ID"). The
 * caller has seen to it that no living miner has it. */
void store_miner_rename(struct store *store, int64_t miner_id, const char *name);
/* With all its lines, events, readings, history and expectation, in chunks in the background, also
 * after a restart. Its name is free at once; an empty row "~ID" stays, for its id is never given
 * again. */
void store_miner_erase(struct store *store, int64_t miner_id);
/* All that from_id has (lines, events, history, devices) becomes into_id's, in chunks in the
 * background, also after a restart; from_id is removed at once. Where both have a row of history,
 * into_id's stays. Expectations are left alone. */
void store_miner_merge(struct store *store, int64_t from_id, int64_t into_id);

/* ---- what people manage: small tables; their owners keep them whole in memory and give out the
 * ids, so that a change counts at once. Each is committed at once and synced; who says that it is
 * saved waits for store_when_saved(). ---- */
enum store_table {
    TABLE_POOLS,     /* id pool_name pool_url pool_port pool_user pool_pass is_active */
    TABLE_ADDRESSES, /* coin_addresses: id coin_ticker address label */
    TABLE_EXPECTED,  /* id (of the miner) pool address set_at_ms set_by alarm (JSON text or null) */
    TABLE_USERS,     /* id name role password_hash created_at_ms */
    TABLE_SESSIONS,  /* id hash user_id role created_at_ms used_at_ms */
    TABLE_TOKENS,    /* id name hash role created_at_ms used_at_ms created_by */
    TABLE_AUDIT,     /* id at_ms who peer action subject old new; is only appended to */
    TABLE_SETTINGS,  /* id name value (JSON text) */
    STORE_TABLES
};
/* A row by its columns; "id" (over 0) is required, what is left out becomes NULL or its default; a
 * name that is no column, a value of another kind, or none where one is needed, is SHEP_E_BUG. The
 * same id again replaces. TABLE_AUDIT: ids rise, else SHEP_E_BUG. SHEP_E_LIMIT: over 256 KiB, or
 * the disk has been full for so long that even these wait no more, but TABLE_USERS and
 * TABLE_TOKENS. */
int store_row_put(struct store *store, enum store_table table, const json_t *row);
/* SHEP_E_BUG: TABLE_AUDIT. */
int store_row_delete(struct store *store, enum store_table table, int64_t id);
typedef void (*store_row_fn)(const json_t *row, void *arg);
/* In order of id; of TABLE_AUDIT the newest 1,000. Blocks: start-up only. */
int store_rows_each(struct store *store, enum store_table table, store_row_fn fn, void *arg);

/* When all that was handed over before is in the file, and what people changed of it synced: fn is
 * called once, on the loop, also while the store closes. 0; SHEP_E_IO: the database cannot be
 * written now, so it waits in memory and is tried again; message: why, and what to do. A disk that
 * does not answer at all is waited for without end: bound it by a time of your own. */
typedef void (*store_saved_fn)(int err, const char *message, void *arg);
void store_when_saved(struct store *store, store_saved_fn fn, void *arg);

/* A copy of the whole database as one packed file of its own, of one moment, with all that was
 * handed over before; made beside the running daemon by a thread that nothing waits for. The
 * miners' log lines are left out unless with_logs. path: not there yet, or empty. Done is called
 * once, on the loop: 0, or SHEP_E_IO, SHEP_E_BUSY (one is under way), SHEP_E_GONE with text; then
 * there is no file. */
typedef void (*store_copy_fn)(int err, const char *message, void *arg);
void store_copy(struct store *store, const char *path, bool with_logs, store_copy_fn done,
                void *arg);
/* The same for a command beside a running daemon, or without one: a connection of its own that
 * reads, and never writes or checkpoints. 0, SHEP_E_IO, SHEP_E_UNSUPPORTED (not ours, or newer)
 * with text. Blocks; not in the process that has the database open. */
int store_copy_file(const char *db_path, const char *path, bool with_logs, char *err,
                    size_t err_cap);
/* Is this a database of ours, whole, and not newer than the program, and without views or triggers
 * of others? 0; SHEP_E_FORMAT, SHEP_E_UNSUPPORTED, SHEP_E_IO, with text. Any thread; changes
 * nothing. Not for a database that this process has open. */
int store_check_file(const char *path, char *err, size_t err_cap);
/* Who may come in by such a database, after that check: sets "users", "tokens" and "sessions" of
 * out to how many, and "user_list" to [{"name","role"}] of the first, admins before the others.
 * Their texts are plain letters, digits and ._-, whatever is in the file. Else as before. */
int store_people(const char *path, json_t *out, char *err, size_t err_cap);

/* The Python Shepherd's database, of any of its schema versions, as one JSON document:
 * {"miners":[{miner_id, chipset, …}],"pools":[…],"addresses":[…],"strays":[…],"summary":[…],
 * "notes":["what was left out and why", …]} with its columns' names, texts as they are. The file is
 * opened read-only: nothing of it, nor a -wal or -shm beside it, is changed. Any thread; blocks,
 * 3 s when it is being written all the time. 0 and *out (owned); SHEP_E_FORMAT, SHEP_E_IO with
 * text. Not for a database that this process has open. */
int store_read_python(const char *path, json_t **out, char *err, size_t err_cap);

/* ---- the stream ---- */
/* 0; SHEP_E_LIMIT: the queue is full, the line was dropped and counted; SHEP_E_BUG: no such miner.
 * A copy under a lock, about 100 ns. */
int store_line(struct store *store, int64_t miner_id, int64_t at_ms, const char *text, size_t len);
/* Events that events.def does not keep are passed over. Alarms (severity 2), start and stop are
 * committed at once and synced; the others within a second. */
void store_event(struct store *store, const struct shep_event *event);
/* Called on the loop when the queue is half full (true) and when it is nearly empty again (false).
 */
void store_on_pressure(struct store *store, void (*fn)(bool behind, void *arg), void *arg);
/* Called on the loop after each commit that wrote lines (logs) or events. */
void store_on_commit(struct store *store, void (*fn)(bool lines, bool events, void *arg),
                     void *arg);
/* Called on the loop when the database cannot be written any more (problem: why, and what to do)
 * and when it can be again. Who sets it tells the herd (SHEP_EV_STORE_DEGRADED, _RECOVERED), whose
 * listener brings the event back here; without it the store records the event itself. */
void store_on_state(struct store *store, void (*fn)(bool degraded, const char *problem, void *arg),
                    void *arg);
/* Blocks until all that was handed over before is committed, at most wait_ms: start-up and tests
 * only. 0; SHEP_E_BUSY: not all. */
int store_flush(struct store *store, int64_t wait_ms);

/* ---- latest readings: all of a miner's, as one row; written at most once a minute and at close
 * ---- */
struct store_reading {
    uint32_t metric; /* ids of plugin metrics are stored by name */
    const char *name;
    int64_t at_ms;
    double value;
    const char *text; /* attributes; NULL for metrics */
};
void store_latest_put(struct store *store, int64_t miner_id, const struct store_reading *readings,
                      size_t n, double best_ever, int64_t best_ever_at_ms);
typedef void (*store_latest_fn)(int64_t miner_id, const struct store_reading *readings, size_t n,
                                double best_ever, int64_t best_ever_at_ms, void *arg);
int store_latest_each(struct store *store, store_latest_fn fn,
                      void *arg); /* blocks: start-up only */

/* ---- for services ---- */
void store_summary_put(struct store *store, const struct shep_summary *summary);
void store_rollup_put(struct store *store, const struct shep_rollup *rollup,
                      const char *metric_name);
/* Counters of metrics.def are known; those that plugins declare must be named here, for folding
 * (the growth of a counter adds up, a gauge is averaged). */
void store_rollup_counter(struct store *store, const char *metric_name);
void store_rollup_fold(struct store *store, uint32_t from_s, uint32_t to_s, int64_t from_ms,
                       int64_t to_ms);
void store_rollup_drop(struct store *store, uint32_t period_s, int64_t before_ms);
/* The writer looks it up between batches (at most 200,000 rows); fn is called once, on the loop,
 * with SHEP_E_GONE when the store closes first. It sees what was handed over before, unless the
 * database cannot be written. metric_name borrowed for the call. */
void store_rollup_get(struct store *store, uint32_t period_s, uint32_t metric,
                      const char *metric_name, int64_t from_ms, int64_t to_ms, shep_rollup_fn fn,
                      void *arg);
void store_kv_put(struct store *store, const char *plugin, const char *key,
                  const char *value); /* NULL deletes */
typedef void (*store_kv_fn)(const char *key, const char *value, void *arg);
int store_kv_each(struct store *store, const char *plugin, store_kv_fn fn,
                  void *arg); /* blocks: start-up only */
/* Admin password hash and other settings: plugin "core", same table. */

struct store_stats {
    uint64_t lines, lines_dropped, events, commits, commit_errors;
    uint64_t records_dropped; /* summaries, roll-ups and so on; past all reserves, events; and what
                                 SQLite refused by itself */
    int64_t queue_bytes, queue_limit_bytes, commit_last_us, commit_max_us, last_commit_ms;
    int64_t db_bytes, wal_bytes, free_bytes;
    bool degraded;     /* the database cannot be written */
    char problem[256]; /* why, and what to do; empty: none */
};
void store_stats_get(struct store *store, struct store_stats *out);
const char *store_db_path(const struct store *store);

/* ---- reading, for the script process and `shepherd passwd`: a read-only connection of its own
 * ---- */
struct reader;
/* SQLITE_OPEN_READONLY, query_only, no checkpoint on close, an authorizer that allows SELECT of
 * tables other than `kv`, `settings`, `users`, `sessions`, `tokens` (and `audit`, but for admins),
 * functions but load_extension, and nothing else; pools.pool_pass reads as NULL. NULL: not there
 * (yet). Any one thread. */
struct reader *reader_open(const char *db_path);
void reader_close(struct reader *reader);
void reader_admin(struct reader *reader, bool admin); /* from here on: may it read `audit`? */
/* For the script process: all of SQLite's memory in this process together. A query over it ends
 * with SHEP_E_LIMIT. 0: no limit. */
void reader_limit_memory(int64_t bytes);
struct reader_value {
    enum { READER_NULL, READER_INT, READER_REAL, READER_TEXT } type;
    int64_t i;
    double r;
    const char *text;
    size_t len;
};
struct reader_limits {
    uint32_t max_rows;        /* 0: 10,000 */
    int64_t deadline_mono_ms; /* the query is interrupted when it passes; 0: 2 s from now */
};
/* fn gets each row: n columns with names; it returns false to stop. The statement is finished
 * before this returns. 0, or SHEP_E_FORMAT (SQL error), SHEP_E_LIMIT (time, rows or memory),
 * SHEP_E_GONE (cannot be read, or the file was replaced: open it again); text in err. */
typedef bool (*reader_row_fn)(const struct reader_value *columns, const char *const *names,
                              size_t n, void *arg);
int reader_query(struct reader *reader, const char *sql, const struct reader_value *params,
                 size_t n_params, const struct reader_limits *limits, reader_row_fn fn, void *arg,
                 char *err, size_t err_cap);
#endif
