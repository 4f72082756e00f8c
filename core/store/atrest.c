/* Databases that are not ours to write: another program's, or one out of a backup. Opened so that
 * nothing changes: not the file, nor a -wal or -shm beside it, nor the folder that they are in.
 *
 * SQLite has two ways that write nothing. "immutable" does not look at a -wal. Where there is one
 * with something in it, its newest commits count: then without locks (unix-none) and with the index
 * of the -wal in memory (locking_mode EXCLUSIVE), which is what it needs the -shm for otherwise.
 * Without locks somebody may write meanwhile; so the files are looked at before and after. Never
 * for a database that this process has open: closing would drop its locks. Any thread. */
#include "store/internal.h"

#include <sys/stat.h>

static void look(const char *path, const char *end, struct atrest_file *file)
{
    char *name = shep_asprintf("%s%s", path, end);
    struct stat st;
    *file = (struct atrest_file){0};
    if (stat(name, &st) == 0)
        *file = (struct atrest_file){.is_file = S_ISREG(st.st_mode),
                                     .dev = st.st_dev,
                                     .ino = st.st_ino,
                                     .bytes = st.st_size,
                                     .changed = st.st_mtim};
    free(name);
}

void atrest_look(const char *path, struct atrest_look *out)
{
    look(path, "", &out->db);
    look(path, "-wal", &out->wal);
    look(path, "-journal", &out->journal);
}

static bool same_file(const struct atrest_file *a, const struct atrest_file *b)
{
    return a->is_file == b->is_file && a->dev == b->dev && a->ino == b->ino &&
           a->bytes == b->bytes && a->changed.tv_sec == b->changed.tv_sec &&
           a->changed.tv_nsec == b->changed.tv_nsec;
}

bool atrest_same(const struct atrest_look *a, const struct atrest_look *b)
{
    return same_file(&a->db, &b->db) && same_file(&a->wal, &b->wal) &&
           same_file(&a->journal, &b->journal);
}

/* What a file of a stranger may not do to us. */
static int distrust(sqlite3 *db)
{
    static const int switches[][2] = {
        {SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1},      {SQLITE_DBCONFIG_DEFENSIVE, 1},
        {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},        {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0},
        {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(switches); i++)
        sqlite3_db_config(db, switches[i][0], switches[i][1], NULL);
    sqlite3_extended_result_codes(db, 1);
    sqlite3_limit(db, SQLITE_LIMIT_LENGTH, ATREST_VALUE_MAX);
    sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
    return sqlite3_exec(
        db,
        "PRAGMA query_only=1; PRAGMA cell_size_check=1; PRAGMA mmap_size=0;"
        "PRAGMA temp_store=MEMORY; PRAGMA automatic_index=0; PRAGMA cache_size=-4096;",
        NULL, NULL, NULL);
}

int atrest_open(const char *path, const struct atrest_look *look, sqlite3 **out)
{
    bool wal = look->wal.bytes > 0;
    char *uri = db_uri_dup(path, wal ? "mode=ro&vfs=unix-none" : "mode=ro&immutable=1");
    int flags =
        SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_URI;
    int rc = sqlite3_open_v2(uri, out, flags, NULL);
    free(uri);
    if (rc == SQLITE_OK && wal)
        rc = sqlite3_exec(*out, "PRAGMA locking_mode=EXCLUSIVE", NULL, NULL, NULL);
    return rc == SQLITE_OK ? distrust(*out) : rc;
}

int atrest_begin(const char *path, struct atrest_look *out, char *err, size_t err_cap)
{
    enum { LEAST_BYTES = 512 }; /* the smallest page; of an empty file SQLite deletes the -wal */
    atrest_look(path, out);
    if (!out->db.ino) {
        snprintf(err, err_cap, "cannot find %s", path);
        return SHEP_E_IO;
    }
    if (!out->db.is_file || out->db.bytes < LEAST_BYTES) {
        snprintf(err, err_cap, "%s is no SQLite database", path);
        return SHEP_E_FORMAT;
    }
    if (out->journal.bytes > 0) {
        snprintf(
            err, err_cap,
            "%s-journal says that a change was broken off: start the program that the database "
            "belongs to and stop it again, then try again",
            path);
        return SHEP_E_FORMAT;
    }
    return 0;
}

int atrest_explain(const char *path, sqlite3 *db, int rc, char *err, size_t err_cap)
{
    const char *why = db ? sqlite3_errmsg(db) : sqlite3_errstr(rc);
    switch (rc & 0xff) {
    case SQLITE_NOTADB:
        snprintf(err, err_cap, "%s is no SQLite database", path);
        return SHEP_E_FORMAT;
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_IOERR:
        snprintf(err, err_cap, "cannot read %s: %s; check who owns it, and its disk", path, why);
        return SHEP_E_IO;
    case SQLITE_INTERRUPT:
        snprintf(err, err_cap, "reading %s took too long; it may be damaged", path);
        return SHEP_E_FORMAT;
    default:
        snprintf(err, err_cap, "%s is damaged: %s", path, why);
        return SHEP_E_FORMAT;
    }
}
