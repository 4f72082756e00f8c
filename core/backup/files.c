/* Files and folders: removed, copied, brought to the disk. Links are never followed. */
#include "backup/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

int backup_fail(char why[BACKUP_WHY_MAX], int err, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(why, BACKUP_WHY_MAX, fmt, args);
    va_end(args);
    return err;
}

int64_t free_bytes(const char *path)
{
    struct statvfs fs;
    if (statvfs(path, &fs) != 0)
        return -1;
    int64_t n = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize - RESERVE_BYTES;
    return n > 0 ? n : 0;
}

bool exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

int file_open_regular(const char *path, int64_t *size_out)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        errno = EINVAL;
        return -1;
    }
    *size_out = st.st_size;
    return fd;
}

char *dir_of_dup(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return shep_strdup(".");
    return slash == path ? shep_strdup("/") : shep_strndup(path, (size_t)(slash - path));
}

int dir_sync(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int err = fsync(fd) == 0 ? 0 : -errno;
    close(fd);
    return err;
}

/* ---- trees ---- */

/* Calls fn with each entry's path; stops at the first that is not 0. */
static int each_entry(const char *path, int (*fn)(const char *entry, int depth, void *arg),
                      int depth, void *arg)
{
    DIR *dir = opendir(path);
    int err = 0;
    if (!dir)
        return -errno;
    for (struct dirent *entry; err == 0 && (entry = readdir(dir));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        char *inner = path_join_dup(path, entry->d_name);
        err = fn(inner, depth + 1, arg);
        free(inner);
    }
    closedir(dir);
    return err;
}

static bool is_folder(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int remove_entry(const char *path, int depth, void *arg)
{
    int err = 0;
    if (depth > 2 * DEPTH_MAX)
        return -ELOOP;
    if (!is_folder(path))
        return unlink(path) == 0 || errno == ENOENT ? 0 : -errno;
    err = each_entry(path, remove_entry, depth, arg);
    return err ? err : (rmdir(path) == 0 ? 0 : -errno);
}

int tree_remove(const char *path)
{
    return remove_entry(path, 0, NULL);
}

static int copy_bytes(int from, int to)
{
    char *chunk = shep_alloc(CHUNK_BYTES);
    int err = 0;
    ssize_t n;
    while (!err && (n = read(from, chunk, CHUNK_BYTES)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        err = n < 0 ? -errno : fd_write_all(to, chunk, (size_t)n);
    }
    free(chunk);
    return err;
}

static int copy_file(const char *from, const char *to)
{
    int64_t size;
    int in = file_open_regular(from, &size), err;
    if (in < 0)
        return -errno;
    int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    err = out < 0 ? -errno : copy_bytes(in, out);
    if (out >= 0 && close(out) != 0 && !err)
        err = -errno;
    close(in);
    return err;
}

struct copy {
    const char *from, *to;
};

static int copy_entry(const char *path, int depth, void *arg)
{
    const struct copy *copy = arg;
    char *to = shep_asprintf("%s%s", copy->to, path + strlen(copy->from));
    int err;
    if (depth > 2 * DEPTH_MAX)
        err = -ELOOP;
    else if (!is_folder(path))
        err = copy_file(path, to);
    else if ((err = mkdir(to, 0755) == 0 ? 0 : -errno) == 0)
        err = each_entry(path, copy_entry, depth, arg);
    free(to);
    return err;
}

int tree_copy(const char *from, const char *to)
{
    struct copy copy = {from, to};
    return copy_entry(from, 0, &copy);
}

static int sync_entry(const char *path, int depth, void *arg)
{
    if (depth > 2 * DEPTH_MAX)
        return -ELOOP;
    if (is_folder(path)) {
        int err = each_entry(path, sync_entry, depth, arg);
        return err ? err : dir_sync(path);
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return errno == ELOOP ? 0 : -errno;
    int err = fsync(fd) == 0 ? 0 : -errno;
    close(fd);
    return err;
}

int tree_sync(const char *path)
{
    return sync_entry(path, 0, NULL);
}

struct owner {
    uid_t uid;
    gid_t gid;
};

static int give_entry(const char *path, int depth, void *arg)
{
    const struct owner *owner = arg;
    if (lchown(path, owner->uid, owner->gid) != 0)
        return 0; /* a disk without owners; the files can be read all the same */
    return is_folder(path) && depth <= 2 * DEPTH_MAX ? each_entry(path, give_entry, depth, arg) : 0;
}

void tree_give(const char *path, uid_t uid, gid_t gid)
{
    struct owner owner = {uid, gid};
    if (geteuid() == 0)
        give_entry(path, 0, &owner);
}

static int open_entry(const char *path, int depth, void *arg)
{
    bool folder = is_folder(path);
    if (chmod(path, folder ? 0755 : 0644) != 0)
        return 0; /* a disk without modes */
    return folder && depth <= 2 * DEPTH_MAX ? each_entry(path, open_entry, depth, arg) : 0;
}

void tree_open(const char *path)
{
    if (exists(path))
        open_entry(path, 0, NULL);
}
