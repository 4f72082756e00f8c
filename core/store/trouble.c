/* When the database cannot be written: what people are told, and what helps without them. Nothing
 * is lost while the queue has room; the batch that failed is done again until it succeeds. Thread:
 * the writer. */
#include "store/internal.h"

#include "util/log.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    MOVES_MAX = 3,        /* damage that comes back is the disk's: no endless row of moved files */
    NO_ROOM = 1024 * 1024 /* with less free, an I/O error may well be the lack of room */
};

static bool must_reopen(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_IOERR: /* after a failed fsync nothing in the caches can be trusted */
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return true;
    default:
        return false;
    }
}

void writer_failed(struct writer *w, int rc)
{
    if (w->db && !sqlite3_get_autocommit(w->db))
        sqlite3_exec(w->db, "ROLLBACK", NULL, NULL, NULL);
    w->reload = true;
    chores_reset(&w->chores);
    if (w->db && must_reopen(rc))
        writer_detach(w);
    else if (w->db) /* it may have been raised for an alarm */
        sqlite3_exec(w->db, "PRAGMA synchronous=NORMAL", NULL, NULL, NULL);
}

static void describe(struct store *store, int rc)
{
    struct writer *w = &store->writer;
    char *text = w->problem;
    const size_t cap = sizeof w->problem;
    switch (rc & 0xff) {
    case SQLITE_FULL:
        snprintf(text, cap, "the disk of %s is full (%lld kB free): make room there", store->dir,
                 (long long)(w->free_bytes / 1024));
        break;
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
        snprintf(text, cap,
                 "%s cannot be written (%s): check its owner, and whether its disk is mounted "
                 "read-only",
                 store->db_path, sqlite3_errstr(rc));
        break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        snprintf(text, cap, "another program holds %s locked: close it", store->db_path);
        break;
    default:
        snprintf(text, cap, "%s cannot be written (%s, code %d): check the disk (dmesg)",
                 store->db_path, sqlite3_errstr(rc), rc);
    }
}

/* Told as trouble that is over: from here on there is a file again. */
static void tell_new_file(struct store *store)
{
    struct writer *w = &store->writer;
    log_error("store", "%s", w->notice);
    pthread_mutex_lock(&store->queue.lock);
    memcpy(store->stats.problem, w->notice, sizeof w->notice);
    pthread_mutex_unlock(&store->queue.lock);
    mail_state(store->mail, true, w->notice);
    mail_state(store->mail, false, "a new database was made");
}

static bool move_damaged(struct store *store)
{
    struct writer *w = &store->writer;
    char aside[400];
    if (w->n_moved_aside >= MOVES_MAX || !db_move_aside(store->db_path, aside, sizeof aside))
        return false;
    w->n_moved_aside++;
    snprintf(w->notice, sizeof w->notice,
             "the database was damaged and moved to %.180s; a new one was made", aside);
    tell_new_file(store);
    return true;
}

/* The log before the log must never meet another database; readers of the old one keep what they
 * have open. What is in it went into the old file, if that could be. */
static void forget_side_files(const char *db_path, bool emptied)
{
    char *wal = shep_asprintf("%s-wal", db_path), *shm = shep_asprintf("%s-shm", db_path);
    struct stat st;
    if (!emptied || (stat(wal, &st) == 0 && st.st_size == 0)) /* else it is the new file's own */
        unlink(wal);
    unlink(shm);
    free(wal);
    free(shm);
}

void trouble_look_for_file(struct store *store)
{
    struct writer *w = &store->writer;
    int moved = 0;
    if (!w->db ||
        sqlite3_file_control(w->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) != SQLITE_OK || !moved)
        return;
    int rc = sqlite3_wal_checkpoint_v2(w->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    writer_detach(w);
    forget_side_files(store->db_path, rc == SQLITE_OK);
    w->anew = true;
    snprintf(w->notice, sizeof w->notice,
             "%.90s was deleted or moved away while it was in use; from here on a new one is. To "
             "have the old one back, stop the daemon, put it there and start again",
             store->db_path);
    tell_new_file(store);
}

/* The disk is full: checkpoint with what the ballast gives back, and let retention do early what it
 * would do anyway. */
static bool make_room(struct store *store)
{
    struct writer *w = &store->writer;
    bool had = ballast_drop(&w->ballast);
    if (had) {
        w->ballast_spent = true;
        log_warn("store", "the disk of %s is full; the ballast file was given up", store->dir);
    }
    if (w->db) {
        writer_checkpoint(store, SQLITE_CHECKPOINT_PASSIVE);
        int rc = w->db ? retention_run(store, true) : SQLITE_OK;
        if (rc != SQLITE_OK)
            writer_failed(w, rc);
    }
    return had;
}

bool trouble_begin(struct store *store, int rc)
{
    struct writer *w = &store->writer;
    bool gained = false, begins;
    writer_failed(w, rc);
    writer_space(store);
    if (db_is_damage(rc))
        gained = move_damaged(store);
    else if ((rc & 0xff) == SQLITE_FULL || ((rc & 0xff) == SQLITE_IOERR && w->free_bytes < NO_ROOM))
        gained = make_room(store);
    char text[sizeof store->stats.problem];
    describe(store, rc);
    snprintf(text, sizeof text, "%s; until then lines wait in memory, then are dropped and counted",
             w->problem);
    pthread_mutex_lock(&store->queue.lock);
    store->stats.commit_errors++;
    begins = !gained && !store->stats.degraded;
    if (!gained) {
        store->stats.degraded = true;
        str_copy(store->stats.problem, sizeof store->stats.problem, text, strlen(text));
    }
    pthread_mutex_unlock(&store->queue.lock);
    if (begins)
        mail_state(store->mail, true, text);
    if (!gained)
        complain(&w->trouble, SHEP_LOG_ERROR, "store", "%s", text);
    return gained;
}

static void still_low(const struct store *store, char *text, size_t cap)
{
    const struct writer *w = &store->writer;
    if (w->ballast_spent)
        snprintf(text, cap, "the disk of %s is nearly full (%lld kB free): make room there",
                 store->dir, (long long)(w->free_bytes / 1024));
    else
        str_copy(text, cap, w->notice, strlen(w->notice));
}

void trouble_over(struct store *store)
{
    struct writer *w = &store->writer;
    char text[sizeof store->stats.problem];
    still_low(store, text, sizeof text);
    pthread_mutex_lock(&store->queue.lock);
    bool was = store->stats.degraded;
    store->stats.degraded = false;
    memcpy(store->stats.problem, text, sizeof text);
    pthread_mutex_unlock(&store->queue.lock);
    if (!was)
        return;
    complain_over(&w->trouble, "store", "the database can be written again");
    mail_state(store->mail, false, "the database can be written again");
    w->duty_us = 0; /* soon: the ballast, if there is room for it again */
}
