/* A copy of the database beside the running daemon: one consistent state (a read transaction), as a
 * file of its own, packed. The writer starts it, between batches, with all before it in the file;
 * then a thread of its own works with a connection that only reads ours, so that nothing waits for
 * it. Lines are left out by not copying them.
 *
 * What is copied: our tables, views and triggers as the migrations make them, with all rows, and
 * people's own plain tables with their indexes. Threads: store_copy() loop, copy_begin() and
 * copy_join() writer, the rest the copier. */
#include "store/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
    TICK_OPS = 20000,                    /* a few ms of copying */
    LEAVES_FREE_BYTES = 8 * 1024 * 1024, /* the daemon's own disk is never filled by a copy */
    BUSY_MS = 2000,
    CACHE_KIB = 2048
};

struct copy {
    char *path, *db_path;
    bool with_logs;
    store_copy_fn done;
    void *arg;
    const atomic_bool *cancel;
    bool *running; /* the loop's: cleared with the answer; NULL: this one never ran */
    struct mailbox *mail;
    bool no_room, not_ours;
    char message[512];
};

static int say(struct get *get, int err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static int say(struct get *get, int err, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(get->copy->message, sizeof get->copy->message, fmt, args);
    va_end(args);
    get->err = err;
    return err;
}

/* ---- rows ---- */

static int exec_with(sqlite3 *db, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *sql = sqlite3_vmprintf(fmt, args); /* %w: a name, quoted */
    va_end(args);
    int rc = sql ? sqlite3_exec(db, sql, NULL, NULL, NULL) : SQLITE_NOMEM;
    sqlite3_free(sql);
    return rc;
}

/* fn with each row of texts; SQLITE_OK or what went wrong. */
static int each_text(sqlite3 *db, const char *sql, int (*fn)(sqlite3_stmt *row, void *arg),
                     void *arg)
{
    sqlite3_stmt *row = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &row, NULL);
    while (rc == SQLITE_OK && (rc = sqlite3_step(row)) == SQLITE_ROW)
        rc = fn(row, arg);
    sqlite3_finalize(row);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

struct copying {
    sqlite3 *db;
    bool with_logs;
};

static int make_object(sqlite3_stmt *row, void *arg)
{
    const struct copying *c = arg;
    return sqlite3_exec(c->db, (const char *)sqlite3_column_text(row, 0), NULL, NULL, NULL);
}

static int copy_rows(sqlite3_stmt *row, void *arg)
{
    const struct copying *c = arg;
    const char *name = (const char *)sqlite3_column_text(row, 0);
    if (!c->with_logs && (str_eq(name, "miner_logs") || str_eq(name, "log_index")))
        return SQLITE_OK;
    if (str_eq(name, "sessions")) /* who logged out must not be logged in again by a restore */
        return SQLITE_OK;
    /* REPLACE: log_state has its row already */
    return exec_with(c->db, "INSERT OR REPLACE INTO main.\"%w\" SELECT * FROM live.\"%w\"", name,
                     name);
}

/* Ids of lines go on where they were, so log_state stays, but for what was counted. */
static int forget_lines(sqlite3 *db)
{
    return sqlite3_exec(db,
                        "UPDATE main.log_state SET n = 0, bytes = 0,"
                        " last_id = max(last_id, (SELECT coalesce(max(id), 0) FROM"
                        " live.miner_logs))",
                        NULL, NULL, NULL);
}

#define NOT_MADE                                                                                   \
    " AND rootpage > 0 AND sql IS NOT NULL"                                                        \
    " AND NOT EXISTS (SELECT 1 FROM main.sqlite_schema m WHERE m.name = l.name)"

static int copy_all(sqlite3 *db, bool with_logs)
{
    struct copying c = {db, with_logs};
    int rc = each_text(db,
                       "SELECT l.sql FROM live.sqlite_schema l WHERE l.type = 'table'" NOT_MADE
                       " AND l.name NOT LIKE 'sqlite%'",
                       make_object, &c);
    if (rc == SQLITE_OK)
        rc = each_text(db,
                       "SELECT name FROM live.sqlite_schema l WHERE type = 'table'"
                       " AND rootpage > 0 AND name NOT LIKE 'sqlite%'",
                       copy_rows, &c);
    if (rc == SQLITE_OK)
        rc = each_text(db, "SELECT l.sql FROM live.sqlite_schema l WHERE l.type = 'index'" NOT_MADE,
                       make_object, &c);
    if (rc == SQLITE_OK && !with_logs)
        rc = forget_lines(db);
    return rc;
}

/* ---- the file ---- */

static int on_tick(void *arg)
{
    struct copy *copy = arg;
    struct statvfs fs;
    if (*copy->cancel)
        return 1;
    copy->no_room = statvfs(copy->path, &fs) == 0 &&
                    (int64_t)fs.f_bavail * (int64_t)fs.f_frsize < LEAVES_FREE_BYTES;
    return copy->no_room;
}

static int attach(sqlite3 *db, const char *db_path)
{
    char *uri = db_uri_dup(db_path, "mode=ro");
    int rc = exec_with(db, "ATTACH %Q AS live", uri);
    free(uri);
    return rc;
}

/* As the live one is: an older one, when no daemon of this version opened it yet. */
static int make_schema(sqlite3 *db, struct copy *copy)
{
    int64_t version = 0, app = 0;
    int rc = db_ints(db, "PRAGMA live.user_version", NULL, 0, &version, 1);
    if (rc == SQLITE_OK)
        rc = db_ints(db, "PRAGMA live.application_id", NULL, 0, &app, 1);
    if (rc != SQLITE_OK)
        return rc;
    copy->not_ours = app != STORE_APPLICATION_ID || version < 1 || version > migrations_newest();
    return copy->not_ours ? SQLITE_MISMATCH : migrations_run(db, 0, (int)version);
}

static int open_both(struct copy *copy, sqlite3 **db)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE |
                SQLITE_OPEN_URI | SQLITE_OPEN_EXRESCODE;
    int rc = sqlite3_open_v2(copy->path, db, flags, NULL);
    if (rc != SQLITE_OK)
        return rc;
    sqlite3_busy_timeout(*db, BUSY_MS);
    sqlite3_db_config(*db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL); /* ours is the writer's */
    sqlite3_wal_autocheckpoint(*db, 0);
    rc = exec_with(*db,
                   "PRAGMA page_size=%d; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;"
                   "PRAGMA foreign_keys=OFF; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-%d;",
                   DB_PAGE_BYTES, CACHE_KIB);
    if (rc == SQLITE_OK)
        rc = attach(*db, copy->db_path);
    if (rc == SQLITE_OK)
        rc = make_schema(*db, copy);
    sqlite3_progress_handler(*db, TICK_OPS, on_tick, copy);
    return rc;
}

static int explain(struct get *get, sqlite3 *db, int rc)
{
    struct copy *copy = get->copy;
    if (*copy->cancel)
        return say(get, SHEP_E_GONE, "the copy was broken off: the daemon stops");
    if (copy->not_ours)
        return say(get, SHEP_E_UNSUPPORTED, "%s is no database of this Shepherd, or of a newer one",
                   copy->db_path);
    if (copy->no_room || (rc & 0xff) == SQLITE_FULL)
        return say(get, SHEP_E_IO,
                   "the disk of %s has no room for a copy of the database: make room there, or "
                   "leave the log lines out",
                   copy->path);
    return say(get, SHEP_E_IO, "cannot copy the database to %s: %s", copy->path,
               db ? sqlite3_errmsg(db) : sqlite3_errstr(rc));
}

static int copy_database(struct get *get)
{
    struct copy *copy = get->copy;
    sqlite3 *db = NULL;
    int rc = open_both(copy, &db);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = copy_all(db, copy->with_logs);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    int err = rc == SQLITE_OK ? 0 : explain(get, db, rc);
    sqlite3_close(db);
    return err;
}

/* A new file, or an empty one that somebody made for it. */
static int make_file(struct get *get)
{
    const char *path = get->copy->path;
    struct stat st;
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return say(get, SHEP_E_IO, "cannot make %s: %s", path, strerror(errno));
    int failed = fstat(fd, &st);
    close(fd);
    if (failed || !S_ISREG(st.st_mode) || st.st_size > 0)
        return say(get, SHEP_E_IO, "%s is there already; choose another name", path);
    return 0;
}

static int sync_file(struct get *get)
{
    int fd = open(get->copy->path, O_RDONLY | O_CLOEXEC);
    int failed = fd < 0 || fsync(fd) != 0 ? errno : 0;
    if (fd >= 0)
        close(fd);
    return failed ? say(get, SHEP_E_IO, "cannot write %s: %s", get->copy->path, strerror(failed))
                  : 0;
}

static void *copy_main(void *arg)
{
    struct get *get = arg;
    if (make_file(get) == 0 && (copy_database(get) != 0 || sync_file(get) != 0))
        unlink(get->copy->path);
    mail_get(get->copy->mail, get);
    return NULL;
}

int store_copy_file(const char *db_path, const char *path, bool with_logs, char *err,
                    size_t err_cap)
{
    static const atomic_bool never;
    struct copy copy = {
        .path = (char *)path, .db_path = (char *)db_path, .with_logs = with_logs, .cancel = &never};
    struct get get = {.copy = &copy};
    if (make_file(&get) == 0 && (copy_database(&get) != 0 || sync_file(&get) != 0))
        unlink(path);
    snprintf(err, err_cap, "%s", copy.message);
    return get.err;
}

/* ---- asking, starting, answering ---- */

void store_copy(struct store *store, const char *path, bool with_logs, store_copy_fn done,
                void *arg)
{
    struct get *get = shep_alloc(sizeof *get);
    struct copy *copy = get->copy = shep_alloc(sizeof *copy);
    *copy = (struct copy){.path = shep_strdup(path),
                          .db_path = shep_strdup(store->db_path),
                          .with_logs = with_logs,
                          .done = done,
                          .arg = arg,
                          .cancel = &store->copy_cancel,
                          .mail = store->mail};
    if (store->copy_running) {
        say(get, SHEP_E_BUSY, "a copy is being made already; wait for it");
        mail_get(store->mail, get);
        return;
    }
    store->copy_running = true;
    copy->running = &store->copy_running;
    queue_ask(&store->queue, get);
}

void copy_begin(struct store *store, struct get *get)
{
    struct writer *w = &store->writer;
    copy_join(w, 0); /* the one before answered, so it is at its end */
    if (store->copy_cancel) {
        say(get, SHEP_E_GONE, "the copy was not made: the daemon stops");
        mail_get(store->mail, get);
        return;
    }
    int failed = pthread_create(&w->copier, NULL, copy_main, get); /* get is its own from here on */
    w->has_copier = failed == 0;
    if (failed) {
        say(get, SHEP_E_IO, "cannot start a thread for the copy: %s", strerror(failed));
        mail_get(store->mail, get);
    }
}

bool copy_join(struct writer *w, int64_t wait_ms)
{
    if (!w->has_copier)
        return true;
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += wait_ms / 1000;
    int failed =
        wait_ms ? pthread_timedjoin_np(w->copier, NULL, &until) : pthread_join(w->copier, NULL);
    w->has_copier = failed != 0;
    return !failed;
}

void copy_answer(struct get *get)
{
    struct copy *copy = get->copy;
    if (copy->running)
        *copy->running = false; /* done may ask for another one */
    copy->done(get->err, copy->message, copy->arg);
    free(copy->path);
    free(copy->db_path);
    free(copy);
}
