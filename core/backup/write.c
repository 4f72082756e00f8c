/* A backup is written: parts in a fixed order, what it says of itself first, the checksums of all
 * last. Into a temporary file beside the target, which takes its place only when it is whole. */
#include "backup/internal.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct writing {
    struct archive *archive;
    char *tmp, *why, *chunk;
    struct buf sums; /* as sha256sum(1) prints them */
    int fd, err;
    int64_t written, space_at; /* bytes on the disk; when it was asked for room last */
    int64_t mtime_s;
    size_t n_files, n_views, left_out;
};

/* ---- bytes to the disk ---- */

/* libarchive's: how many were taken, -1. A full disk would make the daemon beside us lose lines, so
 * the reserve is left alone. */
static la_ssize_t write_out(struct archive *archive, void *arg, const void *bytes, size_t len)
{
    struct writing *w = arg;
    if (w->written >= w->space_at) {
        w->space_at = w->written + SPACE_EVERY_BYTES;
        if (free_bytes(w->tmp) == 0) {
            archive_set_error(archive, ENOSPC, "%s", strerror(ENOSPC));
            return -1;
        }
    }
    int err = fd_write_all(w->fd, bytes, len);
    if (err) {
        archive_set_error(archive, -err, "%s", strerror(-err));
        return -1;
    }
    w->written += (int64_t)len;
    return (la_ssize_t)len;
}

static int archive_failed(struct writing *w)
{
    int n = archive_errno(w->archive);
    return backup_fail(w->why, SHEP_E_IO, "cannot write %s: %s%s", w->tmp,
                       archive_error_string(w->archive) ? archive_error_string(w->archive) : "?",
                       n == ENOSPC ? "; make room, or choose another disk" : "");
}

/* ---- one file ---- */

static int header_put(struct writing *w, const char *name, int64_t size)
{
    struct archive_entry *entry = archive_entry_new();
    archive_entry_set_pathname(entry, name);
    archive_entry_set_size(entry, size);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0600);
    archive_entry_set_mtime(entry, w->mtime_s, 0);
    int rc = archive_write_header(w->archive, entry);
    archive_entry_free(entry);
    return rc == ARCHIVE_OK ? 0 : archive_failed(w);
}

static void sum_add(struct writing *w, const char *name, crypto_hash_sha256_state *state)
{
    unsigned char sum[crypto_hash_sha256_BYTES];
    char hex[2 * sizeof sum + 1];
    crypto_hash_sha256_final(state, sum);
    buf_printf(&w->sums, "%s  %s\n", sodium_bin2hex(hex, sizeof hex, sum, sizeof sum), name);
}

static int bytes_put(struct writing *w, const char *name, const void *bytes, size_t len)
{
    crypto_hash_sha256_state state;
    int rc = header_put(w, name, (int64_t)len);
    if (rc)
        return rc;
    if (archive_write_data(w->archive, bytes, len) != (la_ssize_t)len)
        return archive_failed(w);
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, bytes, len);
    sum_add(w, name, &state);
    return 0;
}

static int content_put(struct writing *w, int fd, int64_t size, const char *path,
                       crypto_hash_sha256_state *state)
{
    while (size > 0) {
        size_t want = size < CHUNK_BYTES ? (size_t)size : CHUNK_BYTES;
        ssize_t n = read(fd, w->chunk, want);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return backup_fail(w->why, SHEP_E_IO, "cannot read %s: %s", path,
                               n < 0 ? strerror(errno) : "it became shorter meanwhile; try again");
        if (archive_write_data(w->archive, w->chunk, (size_t)n) != n)
            return archive_failed(w);
        crypto_hash_sha256_update(state, (unsigned char *)w->chunk, (unsigned long long)n);
        size -= n;
    }
    return 0;
}

/* Not there: nothing, and 0. */
static int file_put(struct writing *w, const char *name, const char *path)
{
    int64_t size;
    struct part_name part;
    crypto_hash_sha256_state state;
    int fd = path ? file_open_regular(path, &size) : -1, rc;
    if (fd < 0 && (!path || errno == ENOENT))
        return 0;
    if (fd < 0)
        return backup_fail(w->why, SHEP_E_IO, "cannot read %s: %s", path, strerror(errno));
    if (!part_name_parse(name, &part) || (part.max_bytes && size > part.max_bytes)) {
        close(fd);
        return backup_fail(w->why, SHEP_E_IO,
                           "%s is too large for a backup (%lld bytes); move it "
                           "out of the way",
                           path, (long long)size);
    }
    crypto_hash_sha256_init(&state);
    rc = header_put(w, name, size);
    if (!rc)
        rc = content_put(w, fd, size, path, &state);
    if (!rc)
        sum_add(w, name, &state);
    w->n_files++;
    close(fd);
    return rc;
}

/* ---- views ---- */

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int views_put(struct writing *w, const char *name, const char *path, int depth);

static int view_put(struct writing *w, const char *name, const char *path, int depth)
{
    struct stat st;
    if (lstat(path, &st) != 0)
        return 0; /* deleted meanwhile */
    if (S_ISDIR(st.st_mode))
        return views_put(w, name, path, depth + 1);
    if (!S_ISREG(st.st_mode) || strlen(name) > NAME_BYTES_MAX) {
        w->left_out++;
        return 0;
    }
    if (++w->n_views > FILES_MAX)
        return backup_fail(w->why, SHEP_E_IO,
                           "view_dirs hold more than %d files; is %s a folder of views?", FILES_MAX,
                           path);
    return file_put(w, name, path);
}

/* Hidden files (an editor's, .git) and links are left out, and counted. */
static int views_put(struct writing *w, const char *name, const char *path, int depth)
{
    struct dirent **list = NULL;
    int rc = 0, n = depth < DEPTH_MAX ? scandir(path, &list, NULL, by_name) : 0;
    if (n < 0 && errno != ENOENT)
        return backup_fail(w->why, SHEP_E_IO, "cannot read %s: %s", path, strerror(errno));
    for (int i = 0; i < n; i++) {
        const char *entry = list[i]->d_name;
        bool dots = strcmp(entry, ".") == 0 || strcmp(entry, "..") == 0;
        if (rc == 0 && part_component_ok(entry)) {
            char *inner = path_join_dup(path, entry), *inner_name = path_join_dup(name, entry);
            rc = view_put(w, inner_name, inner, depth);
            free(inner_name);
            free(inner);
        } else if (!dots) {
            w->left_out++;
        }
        free(list[i]);
    }
    free(list);
    return rc;
}

/* ---- the whole ---- */

/* SQLite's file format: the user version is at byte 60, most significant byte first. */
static int64_t schema_of(const char *db)
{
    enum { OFFSET = 60, SIZE = 4 };
    unsigned char bytes[SIZE];
    int64_t size;
    int fd = db ? file_open_regular(db, &size) : -1;
    bool got = fd >= 0 && pread(fd, bytes, SIZE, OFFSET) == SIZE;
    if (fd >= 0)
        close(fd);
    return got ? (int64_t)bytes[0] << 24 | bytes[1] << 16 | bytes[2] << 8 | bytes[3] : 0;
}

static int about_put(struct writing *w, const struct backup_parts *parts)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    w->mtime_s = now.tv_sec;
    json_t *about =
        json_pack("{s:i, s:s, s:I, s:I, s:b}", "format", BACKUP_FORMAT, "version", SHEP_VERSION,
                  "made_at_ms", (json_int_t)now.tv_sec * 1000 + now.tv_nsec / 1000000, "schema",
                  (json_int_t)schema_of(parts->db_copy), "with_logs", (int)parts->with_logs);
    char *text = about ? json_dumps(about, JSON_COMPACT) : NULL;
    int rc = text ? bytes_put(w, part_file(PART_ABOUT), text, strlen(text)) : SHEP_E_NOMEM;
    free(text);
    json_decref(about);
    return rc;
}

static int parts_put(struct writing *w, const struct backup_parts *parts)
{
    int rc = about_put(w, parts);
    if (!rc)
        rc = file_put(w, part_file(PART_DB), parts->db_copy);
    static const enum part beside[] = {PART_PASSWORD, PART_PRICE};
    for (size_t i = 0; !rc && parts->data_dir && i < ARRAY_LEN(beside); i++) {
        char *path = path_join_dup(parts->data_dir, part_file(beside[i]));
        rc = file_put(w, part_file(beside[i]), path);
        free(path);
    }
    char *config = parts->config_file ? realpath(parts->config_file, NULL) : NULL;
    if (!rc)
        rc = file_put(w, part_file(PART_CONFIG), config);
    free(config);
    for (size_t i = 0; !rc && i < parts->n_view_dirs && i < VIEW_DIRS_MAX; i++) {
        char *name = shep_asprintf("views/%zu", i);
        rc = views_put(w, name, parts->view_dirs[i], 0);
        free(name);
    }
    if (!rc)
        rc = header_put(w, part_file(PART_SUMS), (int64_t)w->sums.len);
    if (!rc && archive_write_data(w->archive, w->sums.data, w->sums.len) != (la_ssize_t)w->sums.len)
        rc = archive_failed(w);
    return rc;
}

static int archive_put(struct writing *w, const struct backup_parts *parts)
{
    w->archive = archive_write_new();
    archive_write_add_filter_gzip(w->archive);
    archive_write_set_format_pax_restricted(w->archive);
    archive_write_set_bytes_in_last_block(w->archive, 1); /* a file, not a tape */
    int rc = archive_write_open(w->archive, w, NULL, write_out, NULL) == ARCHIVE_OK
                 ? parts_put(w, parts)
                 : archive_failed(w);
    if (!rc && archive_write_close(w->archive) != ARCHIVE_OK)
        rc = archive_failed(w);
    archive_write_free(w->archive);
    return rc;
}

/* On the disk, under its name, and the name on the disk. */
static int into_place(struct writing *w, const char *out_path)
{
    char *dir = dir_of_dup(out_path);
    int err = fsync(w->fd) == 0 && rename(w->tmp, out_path) == 0 ? 0 : -errno;
    if (!err)
        err = dir_sync(dir);
    free(dir);
    return err ? backup_fail(w->why, SHEP_E_IO, "cannot write %s: %s", out_path, strerror(-err))
               : 0;
}

int backup_write(const struct backup_parts *parts, const char *out_path, char why[BACKUP_WHY_MAX])
{
    struct writing w = {.why = why};
    why[0] = '\0';
    w.tmp = shep_asprintf("%s.tmp%d", out_path, (int)getpid());
    unlink(w.tmp); /* of a run with the same number that was killed */
    w.fd = open(w.tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    int rc =
        w.fd < 0 ? backup_fail(why, SHEP_E_IO, "cannot write %s: %s", w.tmp, strerror(errno)) : 0;
    w.chunk = shep_alloc(CHUNK_BYTES);
    if (!rc)
        rc = archive_put(&w, parts);
    if (!rc)
        rc = into_place(&w, out_path);
    if (w.fd >= 0)
        close(w.fd);
    if (rc && w.fd >= 0)
        unlink(w.tmp);
    if (!rc && w.left_out)
        backup_fail(why, 0, "%zu hidden files or links in view_dirs were left out", w.left_out);
    buf_free(&w.sums);
    free(w.chunk);
    free(w.tmp);
    return rc;
}
