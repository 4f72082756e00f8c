/* Files below /static/: the first directory that has one wins. openat2() keeps every lookup below
 * its directory, with no link of any kind followed. Small files stay in memory; each is looked at
 * again at most once a turn of the loop, so an edit shows at once. Thread: loop. */
#include "http/internal.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char no_such_file[] = "There is no such file.";

static const char *type_of(const char *name)
{
    static const char *const types[][2] = {{".html", "text/html; charset=utf-8"},
                                           {".css", "text/css; charset=utf-8"},
                                           {".js", "text/javascript; charset=utf-8"},
                                           {".mjs", "text/javascript; charset=utf-8"},
                                           {".json", "application/json"},
                                           {".map", "application/json"},
                                           {".webmanifest", "application/manifest+json"},
                                           {".txt", "text/plain; charset=utf-8"},
                                           {".md", "text/plain; charset=utf-8"},
                                           {".csv", "text/csv; charset=utf-8"},
                                           {".xml", "application/xml"},
                                           {".svg", "image/svg+xml"},
                                           {".png", "image/png"},
                                           {".jpg", "image/jpeg"},
                                           {".jpeg", "image/jpeg"},
                                           {".webp", "image/webp"},
                                           {".avif", "image/avif"},
                                           {".gif", "image/gif"},
                                           {".ico", "image/x-icon"},
                                           {".woff2", "font/woff2"},
                                           {".woff", "font/woff"},
                                           {".ttf", "font/ttf"},
                                           {".wasm", "application/wasm"},
                                           {".mp3", "audio/mpeg"},
                                           {".ogg", "audio/ogg"},
                                           {".mp4", "video/mp4"},
                                           {".gz", "application/gzip"},
                                           {".pdf", "application/pdf"}};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < ARRAY_LEN(types); i++)
        if (strcmp(dot, types[i][0]) == 0)
            return types[i][1];
    return "application/octet-stream";
}

/* ---- the file system ---- */

/* A build may replace the directory under a descriptor: then it has no name any more. */
static int dir_fd(struct statics *statics, size_t i)
{
    struct stat st;
    if (statics->dir_fds[i] >= 0 && (fstat(statics->dir_fds[i], &st) != 0 || st.st_nlink == 0)) {
        close(statics->dir_fds[i]);
        statics->dir_fds[i] = -1;
    }
    if (statics->dir_fds[i] < 0)
        statics->dir_fds[i] = open(statics->dirs[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
    return statics->dir_fds[i];
}

static int open_beneath(int dir, const char *name)
{
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
                           .resolve =
                               RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS};
    return (int)syscall(SYS_openat2, dir, name, &how, sizeof how);
}

/* A regular file that fits, or -1. */
static int open_file(int dir, const char *name, struct stat *st)
{
    int fd = open_beneath(dir, name);
    if (fd < 0)
        return -1;
    if (fstat(fd, st) == 0 && S_ISREG(st->st_mode) && st->st_size <= HTTP_STATIC_FILE_MAX)
        return fd;
    if (S_ISREG(st->st_mode))
        log_warn("http", "static file %s is over %d bytes: not served", name, HTTP_STATIC_FILE_MAX);
    close(fd);
    return -1;
}

static struct blob *read_all(int fd, size_t size)
{
    struct blob *blob = blob_new(size);
    size_t at = 0;
    while (at < size) {
        ssize_t n = read(fd, blob->bytes + at, size - at);
        if (n <= 0) {
            blob_unref(blob); /* it shrank under us: the next request sees it whole */
            return NULL;
        }
        at += (size_t)n;
    }
    return blob;
}

static int64_t mtime_ns(const struct stat *st)
{
    return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

/* ---- memory ---- */

static struct file **file_slot(struct statics *statics, const char *name)
{
    uint32_t hash = 2166136261u;
    for (const unsigned char *p = (const unsigned char *)name; *p; p++)
        hash = (hash ^ *p) * 16777619u;
    struct file **slot = &statics->files[hash % ARRAY_LEN(statics->files)];
    while (*slot && strcmp((*slot)->name, name) != 0)
        slot = &(*slot)->chain;
    return slot;
}

static size_t file_bytes(const struct file *file)
{
    return file->bytes->len + (file->gzip ? file->gzip->len : 0) + sizeof *file;
}

static void file_drop(struct statics *statics, struct file *file)
{
    *file_slot(statics, file->name) = file->chain;
    TAILQ_REMOVE(&statics->lru, file, lru);
    statics->bytes -= file_bytes(file);
    blob_unref(file->bytes);
    blob_unref(file->gzip);
    free(file->name);
    free(file);
}

static void file_keep(struct statics *statics, struct file *file)
{
    struct file **slot = file_slot(statics, file->name);
    file->chain = *slot;
    *slot = file;
    TAILQ_INSERT_TAIL(&statics->lru, file, lru);
    statics->bytes += file_bytes(file);
    while (statics->bytes > HTTP_STATIC_CACHE_MAX && TAILQ_FIRST(&statics->lru) != file)
        file_drop(statics, TAILQ_FIRST(&statics->lru));
}

/* The compressed twin made by the build, unless the file was edited after it. */
static void load_gzip(struct file *file, int dir)
{
    char *name = shep_asprintf("%s.gz", file->name);
    struct stat st;
    int fd = open_file(dir, name, &st);
    free(name);
    if (fd < 0)
        return;
    if (mtime_ns(&st) >= file->mtime_ns)
        file->gzip = read_all(fd, (size_t)st.st_size);
    close(fd);
}

static struct file *file_load(const char *name, int dir, int fd, const struct stat *st)
{
    struct blob *bytes = read_all(fd, (size_t)st->st_size);
    if (!bytes)
        return NULL;
    struct file *file = shep_alloc(sizeof *file);
    file->name = shep_strdup(name);
    file->bytes = bytes;
    file->dev = st->st_dev;
    file->ino = st->st_ino;
    file->mtime_ns = mtime_ns(st);
    file->type = type_of(name);
    snprintf(file->etag, sizeof file->etag, "W/\"%llx-%llx\"", (unsigned long long)file->mtime_ns,
             (unsigned long long)st->st_size);
    load_gzip(file, dir);
    return file;
}

static bool file_unchanged(const struct file *file, const struct stat *st)
{
    return file->dev == st->st_dev && file->ino == st->st_ino && file->mtime_ns == mtime_ns(st) &&
           file->bytes->len == (size_t)st->st_size;
}

/* The file as it is now: from memory, or read again. */
static struct file *file_get(struct http *http, const char *name)
{
    struct statics *statics = &http->statics;
    uint64_t turn = loop_turn(http->loop);
    struct file *known = *file_slot(statics, name);
    if (known && known->checked_turn == turn)
        return known;
    struct stat st;
    int dir = -1, fd = -1;
    for (size_t i = 0; i < statics->n_dirs && fd < 0; i++)
        if ((dir = dir_fd(statics, i)) >= 0)
            fd = open_file(dir, name, &st);
    if (known && (fd < 0 || !file_unchanged(known, &st))) {
        file_drop(statics, known);
        known = NULL;
    }
    if (fd < 0)
        return NULL;
    if (!known && (known = file_load(name, dir, fd, &st)))
        file_keep(statics, known);
    close(fd);
    if (known)
        known->checked_turn = turn;
    return known;
}

/* ---- serving ---- */

void static_serve(struct http_request *request)
{
    const char *name = request->target.path + strlen("/static/");
    struct file *file = *name ? file_get(request->http, name) : NULL;
    if (!file) {
        reply_error(request, 404, "", no_such_file);
        return;
    }
    /* ?v= carries the hash of the bytes: another version has another address */
    const char *cache =
        http_request_query(request, "v") ? "max-age=31536000, immutable" : "no-cache";
    char head[1024];
    if (wire_etag_in(http_request_header(request, "If-None-Match"), file->etag)) {
        request->http->stats.not_modified++;
        request->head = false;
        snprintf(head, sizeof head, "%s\r\nCache-Control: %s\r\nVary: Accept-Encoding%s",
                 file->etag, cache, HTTP_SECURITY_HEAD);
        if (reply_body(request))
            reply_send(request, 304, "ETag", head, 0);
        return;
    }
    bool gzip = file->gzip && wire_accepts_gzip(http_request_header(request, "Accept-Encoding"));
    snprintf(head, sizeof head, "%s\r\nETag: %s\r\nCache-Control: %s\r\nVary: Accept-Encoding%s%s",
             file->type, file->etag, cache, gzip ? "\r\nContent-Encoding: gzip" : "",
             HTTP_SECURITY_HEAD);
    reply_blob(request, 200, head, gzip ? file->gzip : file->bytes);
}

static void dirs_clear(struct statics *statics)
{
    while (!TAILQ_EMPTY(&statics->lru))
        file_drop(statics, TAILQ_FIRST(&statics->lru));
    for (size_t i = 0; i < statics->n_dirs; i++) {
        if (statics->dir_fds[i] >= 0)
            close(statics->dir_fds[i]);
        free(statics->dirs[i]);
    }
    free(statics->dirs);
    free(statics->dir_fds);
}

void http_static_dirs_set(struct http *http, const char *const *dirs, size_t n_dirs)
{
    struct statics *statics = &http->statics;
    dirs_clear(statics);
    statics->n_dirs = n_dirs;
    statics->dirs = shep_alloc_array(n_dirs + 1, sizeof *statics->dirs);
    statics->dir_fds = shep_alloc_array(n_dirs + 1, sizeof *statics->dir_fds);
    for (size_t i = 0; i < n_dirs; i++) {
        statics->dirs[i] = shep_strdup(dirs[i]);
        statics->dir_fds[i] = -1;
    }
}

void static_init(struct http *http, const struct http_conf *conf)
{
    TAILQ_INIT(&http->statics.lru);
    http_static_dirs_set(http, conf->static_dirs, conf->n_static_dirs);
}

void static_free(struct http *http)
{
    dirs_clear(&http->statics);
}
