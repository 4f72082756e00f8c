/* An archive is unpacked, as if an enemy had made it: names from the list (names.c) only, regular
 * files only, each once, sizes bounded by what is there and by what the disk has room for, the
 * checksums of all at the end. What it says of itself comes first, so that nothing more of a newer
 * Shepherd's is unpacked; it is believed when the checksums match, for a damaged byte may say the
 * same. Whatever is wrong, nothing stays. */
#include "backup/internal.h"

#include "store/store.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

enum { INPUT_BLOCK = 64 * 1024 };

struct unpacking {
    struct archive *archive;
    const char *file, *into;
    char *why;
    struct buf sums; /* as they must stand at the end */
    int64_t packed_bytes, bytes;
    size_t n_files, n_views;
    bool has[PART_SUMS + 1];
    bool whole; /* the sums were there, and right */
    bool newer; /* it says that its format is a later one */
    json_t *about;
};

static int broken(struct unpacking *u, const char *what)
{
    return backup_fail(u->why, SHEP_E_FORMAT, "%s is no backup of ours, or it is damaged: %s",
                       u->file, what);
}

static int archive_broken(struct unpacking *u)
{
    const char *text = archive_error_string(u->archive);
    if (archive_errno(u->archive) == ENOMEM)
        return backup_fail(u->why, SHEP_E_NOMEM, "not enough memory to read %s", u->file);
    return broken(u, text ? text : "it cannot be read");
}

/* ---- where a file goes ---- */

/* Folders are made on the way. Nothing in into was made by anybody but us, so there is no link in
 * it. */
static int file_make(struct unpacking *u, const char *name, char **path_out, int *fd_out)
{
    char *path = *path_out = path_join_dup(u->into, name);
    for (char *p = path + strlen(u->into) + 1; (p = strchr(p, '/')); p++) {
        *p = '\0';
        bool made = mkdir(path, 0700) == 0 || errno == EEXIST;
        *p = '/';
        if (!made)
            break;
    }
    *fd_out = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (*fd_out >= 0)
        return 0;
    if (errno == EEXIST || errno == ENOTDIR || errno == EISDIR)
        return broken(u, "it has a name twice");
    return backup_fail(u->why, SHEP_E_IO, "cannot write %s: %s", path, strerror(errno));
}

static int no_room(struct unpacking *u)
{
    return backup_fail(u->why, SHEP_E_LIMIT,
                       "there is not enough room in %s to unpack %s; make room and try again",
                       u->into, u->file);
}

/* ---- what is in it ---- */

static int chunk_take(struct unpacking *u, int fd, const void *bytes, size_t len,
                      crypto_hash_sha256_state *state)
{
    u->bytes += (int64_t)len;
    if (u->bytes > RATIO_FREE_BYTES && u->bytes / RATIO_MAX > u->packed_bytes)
        return broken(u, "far more comes out than went in");
    int err = fd < 0 ? 0 : fd_write_all(fd, bytes, len);
    if (err == -ENOSPC || err == -EDQUOT || err == -EFBIG)
        return no_room(u);
    if (err)
        return backup_fail(u->why, SHEP_E_IO, "cannot write in %s: %s", u->into, strerror(-err));
    crypto_hash_sha256_update(state, bytes, len);
    return 0;
}

/* fd -1: it is not kept. */
static int content_take(struct unpacking *u, int fd, int64_t size, crypto_hash_sha256_state *state)
{
    const void *bytes;
    size_t len;
    la_int64_t offset, at = 0;
    int rc = 0;
    while (rc == 0) {
        int got = archive_read_data_block(u->archive, &bytes, &len, &offset);
        if (got == ARCHIVE_EOF)
            break;
        if (got != ARCHIVE_OK)
            return archive_broken(u);
        if (offset != at || at + (la_int64_t)len > size)
            return broken(u, "a file in it has holes");
        at += (la_int64_t)len;
        rc = chunk_take(u, fd, bytes, len, state);
    }
    return rc ? rc : (at == size ? 0 : broken(u, "a file in it is cut off"));
}

static int sum_take(struct unpacking *u, int fd, const char *name, int64_t size)
{
    unsigned char sum[crypto_hash_sha256_BYTES];
    char hex[2 * sizeof sum + 1];
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    int rc = content_take(u, fd, size, &state);
    crypto_hash_sha256_final(&state, sum);
    buf_printf(&u->sums, "%s  %s\n", sodium_bin2hex(hex, sizeof hex, sum, sizeof sum), name);
    return rc;
}

static int file_take(struct unpacking *u, const char *name, int64_t size)
{
    char *path;
    int64_t room = free_bytes(u->into);
    if (room >= 0 && size > room)
        return no_room(u);
    int fd, rc = file_make(u, name, &path, &fd);
    if (!rc)
        rc = sum_take(u, fd, name, size);
    if (fd >= 0 && close(fd) != 0 && !rc)
        rc = backup_fail(u->why, SHEP_E_IO, "cannot write %s: %s", path, strerror(errno));
    free(path);
    return rc;
}

/* ---- the first and the last ---- */

static int about_check(struct unpacking *u)
{
    char *path = path_join_dup(u->into, part_file(PART_ABOUT));
    u->about = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
    free(path);
    const json_t *format = json_object_get(u->about, "format");
    if (!json_is_integer(format) || json_integer_value(format) < 1 ||
        !json_is_string(json_object_get(u->about, "version")) ||
        !json_is_integer(json_object_get(u->about, "made_at_ms")))
        return broken(u, "it does not say what it is");
    u->newer = json_integer_value(format) > BACKUP_FORMAT;
    return 0;
}

static int newer(struct unpacking *u)
{
    return backup_fail(u->why, SHEP_E_UNSUPPORTED,
                       "%s was made by a newer Shepherd (%.32s); this is " SHEP_VERSION
                       ": install the newer one first",
                       u->file, json_string_value(json_object_get(u->about, "version")));
}

static int sums_check(struct unpacking *u, int64_t size)
{
    char *text = shep_alloc((size_t)size + 1);
    la_ssize_t n = archive_read_data(u->archive, text, (size_t)size);
    bool same = n == (la_ssize_t)u->sums.len && n == size && n > 0 &&
                memcmp(text, u->sums.data, (size_t)n) == 0;
    free(text);
    u->whole = same;
    return same ? 0 : n < 0 ? archive_broken(u) : broken(u, "its checksums do not match");
}

/* ---- the way through ---- */

/* What a newer Shepherd keeps behind the first we do not know. It is only looked through. */
static int newer_take(struct unpacking *u, const char *name, int64_t size)
{
    struct part_name part;
    if (!name || strlen(name) > NAME_BYTES_MAX || ++u->n_files > FILES_MAX + 16)
        return broken(u, "it holds too many files, or a name that is too long");
    if (part_name_parse(name, &part) && part.part == PART_SUMS && size <= part.max_bytes)
        return sums_check(u, size);
    return sum_take(u, -1, name, size);
}

static int entry_take(struct unpacking *u, struct archive_entry *entry)
{
    struct part_name part;
    const char *name = archive_entry_pathname(entry);
    int64_t size = archive_entry_size(entry);
    if (u->whole)
        return broken(u, "something follows its end");
    if (u->newer)
        return newer_take(u, name, size);
    if (!part_name_parse(name, &part))
        return broken(u, "it holds a file with a name that no backup has");
    if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry) ||
        archive_entry_symlink(entry) || archive_entry_sparse_count(entry) > 0 ||
        !archive_entry_size_is_set(entry) || size < 0)
        return broken(u, "it holds something else than plain files");
    if ((u->n_files == 0) != (part.part == PART_ABOUT))
        return broken(u, u->n_files ? "it has a name twice" : "it does not say what it is");
    if (part.max_bytes && size > part.max_bytes)
        return broken(u, "a file in it is too large");
    if (++u->n_files > FILES_MAX + 16)
        return broken(u, "it holds too many files");
    if (part.part == PART_SUMS)
        return sums_check(u, size);
    int rc = file_take(u, name, size);
    u->has[part.part] = true;
    u->n_views += part.part == PART_VIEW;
    return rc ? rc : (part.part == PART_ABOUT ? about_check(u) : 0);
}

static int entries_take(struct unpacking *u)
{
    struct archive_entry *entry;
    for (;;) {
        int got = archive_read_next_header(u->archive, &entry);
        if (got == ARCHIVE_EOF)
            return u->whole ? 0 : broken(u, "its end is missing");
        if (got != ARCHIVE_OK)
            return archive_broken(u);
        int rc = entry_take(u, entry);
        if (rc)
            return rc;
    }
}

static int archive_take(struct unpacking *u, int fd)
{
    u->archive = archive_read_new();
    archive_read_support_filter_gzip(u->archive);
    archive_read_support_format_tar(u->archive);
    int rc = archive_read_open_fd(u->archive, fd, INPUT_BLOCK) == ARCHIVE_OK ? entries_take(u)
                                                                             : archive_broken(u);
    archive_read_free(u->archive);
    return rc;
}

/* ---- what it holds ---- */

static bool count_row(const struct reader_value *columns, const char *const *names, size_t n,
                      void *arg)
{
    *(json_int_t *)arg = columns[0].i;
    return false;
}

/* The database is whole, ours and not newer; how many miners are in it? */
static int database_check(struct unpacking *u)
{
    if (!u->has[PART_DB])
        return broken(u, "it has no database");
    char err[BACKUP_WHY_MAX / 2] = "", *path = path_join_dup(u->into, part_file(PART_DB));
    json_int_t miners = 0;
    int rc = store_check_file(path, err, sizeof err);
    if (!rc)
        rc = store_people(path, u->about, err, sizeof err);
    if (rc) {
        backup_fail(u->why, rc, "the database in %s cannot be used: %s", u->file, err);
    } else {
        struct reader *reader = reader_open(path);
        if (reader)
            reader_query(reader, "SELECT count(*) FROM miners WHERE removed_at_ms IS NULL", NULL, 0,
                         NULL, count_row, &miners, err, sizeof err);
        reader_close(reader);
        json_object_set_new(u->about, "miners", json_integer(miners));
    }
    free(path);
    return rc;
}

static void about_add(struct unpacking *u)
{
    json_object_set_new(u->about, "views", json_integer((json_int_t)u->n_views));
    json_object_set_new(u->about, "bytes", json_integer(u->bytes));
    json_object_set_new(u->about, "config", json_boolean(u->has[PART_CONFIG]));
    json_object_set_new(u->about, "admin_password", json_boolean(u->has[PART_PASSWORD]));
}

static int unpack(struct unpacking *u, int fd)
{
    if (mkdir(u->into, 0700) != 0)
        return backup_fail(u->why, SHEP_E_IO, "cannot make %s: %s", u->into, strerror(errno));
    int rc = archive_take(u, fd);
    if (!rc)
        rc = u->newer ? newer(u) : database_check(u);
    if (!rc)
        about_add(u);
    else
        tree_remove(u->into);
    return rc;
}

int backup_unpack(const char *file, const char *into_dir, json_t **about_out,
                  char why[BACKUP_WHY_MAX])
{
    struct unpacking u = {.file = file, .into = into_dir, .why = why};
    why[0] = '\0';
    *about_out = NULL;
    int fd = file_open_regular(file, &u.packed_bytes);
    if (fd < 0)
        return backup_fail(why, errno == EINVAL ? SHEP_E_FORMAT : SHEP_E_IO, "cannot read %s: %s",
                           file, errno == EINVAL ? "it is not a file" : strerror(errno));
    int rc = unpack(&u, fd);
    close(fd);
    buf_free(&u.sums);
    if (rc)
        json_decref(u.about);
    else
        *about_out = u.about;
    return rc;
}
