#include "util/util.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void out_of_memory(size_t n_bytes)
{
    fprintf(stderr,
            "shepherd: out of memory (%zu bytes wanted); ending, the supervisor restarts it\n",
            n_bytes);
    abort();
}

void *shep_alloc(size_t n_bytes)
{
    void *mem = calloc(1, n_bytes ? n_bytes : 1);
    if (!mem)
        out_of_memory(n_bytes);
    return mem;
}

void *shep_alloc_array(size_t n, size_t each_bytes)
{
    size_t total;
    if (__builtin_mul_overflow(n, each_bytes, &total))
        out_of_memory(SIZE_MAX);
    return shep_alloc(total);
}

void *shep_realloc(void *old, size_t n_bytes)
{
    void *mem = realloc(old, n_bytes ? n_bytes : 1);
    if (!mem)
        out_of_memory(n_bytes);
    return mem;
}

char *shep_strndup(const char *text, size_t len)
{
    char *copy = shep_alloc(len + 1);
    if (len)
        memcpy(copy, text, len);
    return copy;
}

char *shep_strdup(const char *text)
{
    return text ? shep_strndup(text, strlen(text)) : NULL;
}

char *shep_asprintf(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *text = NULL;
    if (vasprintf(&text, fmt, args) < 0)
        out_of_memory(0);
    va_end(args);
    return text;
}

void buf_reserve(struct buf *buf, size_t more_bytes)
{
    size_t need;
    if (__builtin_add_overflow(buf->len, more_bytes, &need) || need >= SIZE_MAX / 2)
        out_of_memory(SIZE_MAX);
    need++;
    if (need <= buf->cap)
        return;
    size_t cap = buf->cap ? buf->cap : 64;
    while (cap < need)
        cap *= 2;
    buf->data = shep_realloc(buf->data, cap);
    buf->cap = cap;
}

void buf_add(struct buf *buf, const void *bytes, size_t len)
{
    buf_reserve(buf, len);
    if (len)
        memcpy(buf->data + buf->len, bytes, len);
    buf->len += len;
    buf->data[buf->len] = '\0';
}

void buf_add_str(struct buf *buf, const char *text)
{
    buf_add(buf, text, strlen(text));
}

void buf_printf(struct buf *buf, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (len > 0) {
        buf_reserve(buf, (size_t)len);
        vsnprintf(buf->data + buf->len, (size_t)len + 1, fmt, again);
        buf->len += (size_t)len;
    }
    va_end(again);
}

void buf_clear(struct buf *buf)
{
    buf->len = 0;
    if (buf->data)
        buf->data[0] = '\0';
}

void buf_free(struct buf *buf)
{
    free(buf->data);
    *buf = (struct buf){0};
}

char *buf_take(struct buf *buf)
{
    buf_reserve(buf, 0);
    buf->data[buf->len] = '\0';
    char *data = buf->data;
    *buf = (struct buf){0};
    return data;
}

size_t str_copy(char *dst, size_t cap_bytes, const char *src, size_t len)
{
    if (cap_bytes == 0)
        return 0;
    if (len >= cap_bytes) {
        len = cap_bytes - 1;
        while (len > 0 && ((unsigned char)src[len] & 0xC0) == 0x80)
            len--;
    }
    if (len)
        memcpy(dst, src, len);
    dst[len] = '\0';
    return len;
}

bool str_eq(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Optimal string alignment: insert, delete, replace, swap neighbours. Names are short, so the table
 * is small. */
static unsigned edit_distance(const char *a, const char *b)
{
    enum { NAME_MAX_LEN = 48 };
    size_t la = strlen(a), lb = strlen(b);
    if (la > NAME_MAX_LEN || lb > NAME_MAX_LEN)
        return UINT32_MAX;
    unsigned d[NAME_MAX_LEN + 1][NAME_MAX_LEN + 1];
    for (size_t i = 0; i <= la; i++)
        d[i][0] = (unsigned)i;
    for (size_t j = 0; j <= lb; j++)
        d[0][j] = (unsigned)j;
    for (size_t i = 1; i <= la; i++) {
        for (size_t j = 1; j <= lb; j++) {
            unsigned best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            if (d[i - 1][j] + 1 < best)
                best = d[i - 1][j] + 1;
            if (d[i][j - 1] + 1 < best)
                best = d[i][j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                d[i - 2][j - 2] + 1 < best)
                best = d[i - 2][j - 2] + 1;
            d[i][j] = best;
        }
    }
    return d[la][lb];
}

const char *str_nearest(const char *typo, const char *const *names, size_t n)
{
    const char *best = NULL;
    unsigned limit = (unsigned)strlen(typo) / 3 + 1, best_distance = limit + 1;
    for (size_t i = 0; i < n; i++) {
        unsigned distance = edit_distance(typo, names[i]);
        if (distance < best_distance) {
            best = names[i];
            best_distance = distance;
        }
    }
    return best;
}

bool str_to_i64(const char *text, int64_t *out)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end || errno)
        return false;
    *out = value;
    return true;
}

bool str_to_f64(const char *text, double *out)
{
    char *end;
    errno = 0;
    double value = strtod(text, &end);
    if (end == text || *end || errno || !isfinite(value))
        return false;
    *out = value;
    return true;
}

char *file_read_dup(const char *path, size_t max_bytes, size_t *len_out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return NULL;
    struct buf buf = {0};
    struct stat st;
    int err = fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode) ? ESPIPE : 0;
    while (!err) {
        buf_reserve(&buf, 16384);
        ssize_t n = read(fd, buf.data + buf.len, 16384);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            err = errno;
        if (n <= 0)
            break;
        buf.len += (size_t)n;
        if (buf.len > max_bytes) {
            err = EFBIG;
            break;
        }
    }
    close(fd);
    if (err) {
        buf_free(&buf);
        errno = err;
        return NULL;
    }
    if (len_out)
        *len_out = buf.len;
    return buf_take(&buf);
}

int fd_write_all(int fd, const void *data, size_t len)
{
    const char *bytes = data;
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        bytes += n;
        len -= (size_t)n;
    }
    return 0;
}

/* owner NULL: who runs this. EPERM: a disk without owners. */
static int write_atomic(const char *path, const void *bytes, size_t len, unsigned mode,
                        const struct stat *owner)
{
    char *tmp = shep_asprintf("%s.tmp%d", path, (int)getpid());
    int err = 0;
    unlink(tmp); /* of a process that was killed, or laid there: never written into */
    int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, (mode_t)mode);
    if (fd < 0) {
        err = -errno;
        goto out;
    }
    err = fd_write_all(fd, bytes, len);
    if (!err && owner && fchown(fd, owner->st_uid, owner->st_gid) != 0 && errno != EPERM)
        err = -errno;
    if (!err && fsync(fd) != 0)
        err = -errno;
    if (close(fd) != 0 && !err)
        err = -errno;
    if (!err && rename(tmp, path) != 0)
        err = -errno;
    if (err)
        unlink(tmp);
out:
    free(tmp);
    return err;
}

int file_write_atomic(const char *path, const void *bytes, size_t len, unsigned mode)
{
    return write_atomic(path, bytes, len, mode, NULL);
}

int file_write_atomic_as(const char *path, const void *bytes, size_t len, unsigned mode,
                         const char *like)
{
    struct stat st;
    if (stat(like, &st) != 0)
        return -errno;
    return write_atomic(path, bytes, len, mode, geteuid() == 0 ? &st : NULL);
}

int dir_make(const char *path, unsigned mode)
{
    char *copy = shep_strdup(path);
    int err = 0;
    for (char *p = copy + 1; !err; p++) {
        if (*p != '/' && *p != '\0')
            continue;
        char end = *p;
        *p = '\0';
        if (mkdir(copy, (mode_t)mode) != 0 && errno != EEXIST)
            err = -errno;
        *p = end;
        if (end == '\0')
            break;
    }
    free(copy);
    return err;
}

char *path_join_dup(const char *dir, const char *name)
{
    size_t len = strlen(dir);
    return shep_asprintf("%s%s%s", dir, len && dir[len - 1] == '/' ? "" : "/", name);
}
