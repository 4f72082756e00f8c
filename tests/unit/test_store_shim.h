/* A layer between SQLite and the file system (a VFS) that fails, or ends the process, where a test
 * wants it. Needs no rights. setup_all() is the group's setup. */
#ifndef TEST_STORE_SHIM_H
#define TEST_STORE_SHIM_H

#include "test_store_util.h"

#include <signal.h>
#include <stdatomic.h>

enum fault { NONE, FULL, SYNC, NTH, NTH_LATE, DIES };
static _Atomic int fault;
static _Atomic int countdown; /* NTH, DIES: the operation that it is, once */
static _Atomic int n_faults;
static _Atomic int n_opens; /* of databases */

struct shim_file {
    sqlite3_file base;
    sqlite3_file *real;
};

static sqlite3_file *real_of(sqlite3_file *file)
{
    return ((struct shim_file *)file)->real;
}

/* One write, sync or truncate: does it fail, and only after it was done? DIES: the process ends
 * there, as by kill -9, with the bytes written so far. */
static bool is_due(enum fault want)
{
    if (fault == DIES && want == NTH && atomic_fetch_sub(&countdown, 1) == 1)
        raise(SIGKILL);
    if (fault != (int)want || atomic_fetch_sub(&countdown, 1) != 1)
        return false;
    n_faults++;
    return true;
}

static int shim_close(sqlite3_file *f)
{
    sqlite3_file *real = real_of(f);
    return real->pMethods ? real->pMethods->xClose(real) : SQLITE_OK;
}

static void (*shim_on_read)(void); /* a test's, before each read */

static int shim_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
    if (shim_on_read)
        shim_on_read();
    return real_of(f)->pMethods->xRead(real_of(f), to, n, at);
}

static int shim_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
    sqlite3_int64 size = 0;
    real_of(f)->pMethods->xFileSize(real_of(f), &size);
    if (fault == FULL && at + n > size) {
        n_faults++;
        return SQLITE_FULL;
    }
    if (is_due(NTH))
        return SQLITE_IOERR_WRITE;
    int rc = real_of(f)->pMethods->xWrite(real_of(f), from, n, at);
    return is_due(NTH_LATE) ? SQLITE_IOERR_WRITE : rc;
}

static int shim_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    if (is_due(NTH))
        return SQLITE_IOERR_TRUNCATE;
    return real_of(f)->pMethods->xTruncate(real_of(f), size);
}

static int shim_sync(sqlite3_file *f, int flags)
{
    if (fault == SYNC) {
        n_faults++;
        return SQLITE_IOERR_FSYNC;
    }
    return is_due(NTH) || is_due(NTH_LATE) ? SQLITE_IOERR_FSYNC : SQLITE_OK;
}

#define FORWARD(name, params, ...)                                                                 \
    static int shim_##name params                                                                  \
    {                                                                                              \
        return real_of(f)->pMethods->x##name(real_of(f), ##__VA_ARGS__);                           \
    }
FORWARD(FileSize, (sqlite3_file * f, sqlite3_int64 *size), size)
FORWARD(Lock, (sqlite3_file * f, int lock), lock)
FORWARD(Unlock, (sqlite3_file * f, int lock), lock)
FORWARD(CheckReservedLock, (sqlite3_file * f, int *out), out)
FORWARD(FileControl, (sqlite3_file * f, int op, void *arg), op, arg)
FORWARD(SectorSize, (sqlite3_file * f))
FORWARD(DeviceCharacteristics, (sqlite3_file * f))
FORWARD(ShmMap, (sqlite3_file * f, int page, int size, int extend, void volatile **out), page, size,
        extend, out)
FORWARD(ShmLock, (sqlite3_file * f, int at, int n, int flags), at, n, flags)
FORWARD(ShmUnmap, (sqlite3_file * f, int remove), remove)

static void shim_ShmBarrier(sqlite3_file *f)
{
    real_of(f)->pMethods->xShmBarrier(real_of(f));
}

static const sqlite3_io_methods shim_methods = {
    .iVersion = 2,
    .xClose = shim_close,
    .xRead = shim_read,
    .xWrite = shim_write,
    .xTruncate = shim_truncate,
    .xSync = shim_sync,
    .xFileSize = shim_FileSize,
    .xLock = shim_Lock,
    .xUnlock = shim_Unlock,
    .xCheckReservedLock = shim_CheckReservedLock,
    .xFileControl = shim_FileControl,
    .xSectorSize = shim_SectorSize,
    .xDeviceCharacteristics = shim_DeviceCharacteristics,
    .xShmMap = shim_ShmMap,
    .xShmLock = shim_ShmLock,
    .xShmBarrier = shim_ShmBarrier,
    .xShmUnmap = shim_ShmUnmap,
};

static sqlite3_vfs *unix_vfs, shim_vfs;

static int shim_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
    struct shim_file *file = (struct shim_file *)f;
    n_opens += (flags & SQLITE_OPEN_MAIN_DB) != 0;
    file->real = (sqlite3_file *)(file + 1);
    int rc = unix_vfs->xOpen(unix_vfs, name, file->real, flags, out);
    file->base.pMethods = rc == SQLITE_OK ? &shim_methods : NULL;
    return rc;
}

static int setup_all(void **state)
{
    sqlite3_initialize();
    unix_vfs = sqlite3_vfs_find(NULL);
    shim_vfs = *unix_vfs;
    shim_vfs.zName = "shim";
    shim_vfs.szOsFile = (int)sizeof(struct shim_file) + unix_vfs->szOsFile;
    shim_vfs.xOpen = shim_open;
    return sqlite3_vfs_register(&shim_vfs, 1);
}
#endif
