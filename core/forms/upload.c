/* Files that are larger than a request may be: POST /upload?id=ID&offset=N, a piece at a time, into
 * DATA_DIR/uploads. Whoever sends chooses the id (32 hexadecimal digits) or gets one with the first
 * piece. Bounded by number, size and what is free; gone an hour after the last piece, and when the
 * daemon starts. Thread: loop. */
#include "forms/internal.h"

#include "util/clock.h"
#include "util/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { UPLOADS_MAX = 8, KEEP_MS = 3600 * 1000, LOOK_EVERY_MS = 60 * 1000 };
static const int64_t size_max = 2LL << 30;   /* a backup with two years of a large flock */
static const int64_t leave_free = 256 << 20; /* bytes: what the database needs for some days */

struct upload {
    char id[TOKEN_HEX + 1];
    int64_t size, last_mono_ms;
};

struct uploads {
    struct forms *forms;
    char *dir;
    struct upload items[UPLOADS_MAX];
    size_t n;
    struct loop_timer *timer;
};

/* ---- ids ---- */

void token_make(char out[TOKEN_HEX + 1])
{
    unsigned char bytes[TOKEN_HEX / 2];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        abort(); /* cannot fail for so few bytes once the system is up */
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

static bool id_is_valid(const char *id)
{
    return id && strlen(id) == TOKEN_HEX && id[strspn(id, "0123456789abcdef")] == 0;
}

static struct upload *find(struct uploads *uploads, const char *id)
{
    for (size_t i = 0; id && i < uploads->n; i++)
        if (strcmp(uploads->items[i].id, id) == 0)
            return &uploads->items[i];
    return NULL;
}

static char *path_of(const struct uploads *uploads, const char *id)
{
    return path_join_dup(uploads->dir, id);
}

const char *uploads_dir(const struct uploads *uploads)
{
    return uploads->dir;
}

char *upload_path_dup(struct uploads *uploads, const char *id)
{
    struct upload *upload = find(uploads, id);
    if (!upload)
        return NULL;
    upload->last_mono_ms = clock_mono_ms(); /* it is read now: the hour begins again */
    return path_of(uploads, upload->id);
}

/* ---- taking away ---- */

static void drop(struct uploads *uploads, struct upload *upload)
{
    char *path = path_of(uploads, upload->id);
    if (unlink(path) != 0 && errno != ENOENT)
        log_warn("forms", "%s: cannot be removed: %s", path, strerror(errno));
    free(path);
    *upload = uploads->items[--uploads->n];
}

void upload_done(struct uploads *uploads, const char *id)
{
    struct upload *upload = find(uploads, id);
    if (upload)
        drop(uploads, upload);
}

static void on_look(void *arg)
{
    struct uploads *uploads = arg;
    for (size_t i = uploads->n; i-- > 0;)
        if (clock_mono_ms() - uploads->items[i].last_mono_ms > KEEP_MS)
            drop(uploads, &uploads->items[i]);
}

/* What an earlier run left; only files that are ours by their place. */
static void empty_dir(const char *dir)
{
    DIR *list = opendir(dir);
    struct dirent *item;
    while (list && (item = readdir(list)))
        if (item->d_name[0] != '.' && unlinkat(dirfd(list), item->d_name, 0) != 0)
            log_warn("forms", "%s/%s: cannot be removed: %s", dir, item->d_name, strerror(errno));
    if (list)
        closedir(list);
}

struct uploads *uploads_new(struct forms *forms)
{
    struct uploads *uploads = shep_alloc(sizeof *uploads);
    uploads->forms = forms;
    uploads->dir = path_join_dup(forms->conf.data_dir, "uploads");
    int rc = dir_make(uploads->dir, 0700);
    if (rc != 0)
        log_error("forms", "%s cannot be made: %s; no backup, restore or import in the browser",
                  uploads->dir, strerror(-rc));
    empty_dir(uploads->dir);
    uploads->timer = loop_timer_new(forms->conf.loop, &forms->owner, LOOK_EVERY_MS, LOOK_EVERY_MS,
                                    on_look, uploads);
    return uploads;
}

void uploads_free(struct uploads *uploads)
{
    loop_timer_free(uploads->timer);
    free(uploads->dir);
    free(uploads);
}

/* ---- a piece ---- */

static bool has_room(const char *dir, size_t len)
{
    struct statvfs fs;
    return statvfs(dir, &fs) == 0 &&
           (int64_t)fs.f_bavail * (int64_t)fs.f_frsize > leave_free + (int64_t)len;
}

static void reply(struct http_request *request, int status, const char *message,
                  const struct upload *upload)
{
    json_t *body = json_object();
    json_object_set_new(body, "success", json_boolean(status == 200));
    json_object_set_new(body, "message", forms_text_json(message));
    if (upload) {
        json_object_set_new(body, "id", forms_text_json(upload->id));
        json_object_set_new(body, "size", json_integer((json_int_t)upload->size));
    }
    char *text = json_dumps(body, JSON_COMPACT);
    http_reply(request, status, "application/json", text, strlen(text));
    free(text);
    json_decref(body);
}

static struct upload *begin(struct uploads *uploads, const char *id)
{
    struct upload *upload = &uploads->items[uploads->n++];
    *upload = (struct upload){.last_mono_ms = clock_mono_ms()};
    if (id && *id)
        str_copy(upload->id, sizeof upload->id, id, strlen(id));
    else
        token_make(upload->id);
    return upload;
}

/* 0 or errno. A piece that is half there is sent again from the size that is told. */
static int append(const struct uploads *uploads, struct upload *upload, const void *bytes,
                  size_t len)
{
    char *path = path_of(uploads, upload->id);
    int flags = O_WRONLY | O_CLOEXEC | O_NOFOLLOW | (upload->size ? 0 : O_CREAT | O_EXCL);
    int fd = open(path, flags, 0600);
    free(path);
    if (fd < 0)
        return errno;
    ssize_t n = pwrite(fd, bytes, len, (off_t)upload->size);
    int err = n < 0 ? errno : 0;
    close(fd);
    if (n > 0)
        upload->size += n;
    upload->last_mono_ms = clock_mono_ms();
    return err ? err : (size_t)n == len ? 0 : ENOSPC;
}

static void take_piece(struct uploads *uploads, struct http_request *request, struct upload *upload,
                       const void *bytes, size_t len)
{
    int err = append(uploads, upload, bytes, len);
    if (err == 0) {
        reply(request, 200, "Received.", upload);
        return;
    }
    char message[MESSAGE_MAX];
    snprintf(message, sizeof message, "The piece cannot be kept: %s", strerror(err));
    reply(request, err == ENOSPC ? 507 : 500, message, upload);
    if (upload->size == 0)
        drop(uploads, upload);
}

void forms_post_upload(struct http_request *request, void *arg)
{
    struct uploads *uploads = ((struct forms *)arg)->uploads;
    const char *id = http_request_query(request, "id"),
               *offset_text = http_request_query(request, "offset"),
               *type = http_request_header(request, "Content-Type");
    size_t len;
    const void *bytes = http_request_body(request, &len);
    int64_t offset = 0;
    struct upload *upload = find(uploads, id);
    if (type && strncmp(type, "application/octet-stream", 24) != 0)
        reply(request, 415, "A piece of a file is application/octet-stream.", NULL);
    else if (!bytes || (id && *id && !id_is_valid(id)) ||
             (offset_text && !str_to_i64(offset_text, &offset)) || offset < 0)
        reply(request, 400, "id is 32 hexadecimal digits, offset a number, the body a piece.",
              NULL);
    else if (!upload && offset > 0)
        reply(request, 404, "There is no such upload (any more); begin again.", NULL);
    else if (!upload && uploads->n == UPLOADS_MAX)
        reply(request, 429, "There are eight uploads already; they go within an hour.", NULL);
    else if (upload && offset != upload->size)
        reply(request, 409, "That is not where the next piece begins.", upload);
    else if (offset + (int64_t)len > size_max)
        reply(request, 413, "An upload is at most 2 GiB.", upload);
    else if (!has_room(uploads->dir, len))
        reply(request, 507, "There is not enough room on the disk of the data directory.", NULL);
    else
        take_piece(uploads, request, upload ? upload : begin(uploads, id), bytes, len);
}
