/* The script process and its socket: reads RENDER, answers DONE, asks for topics in between. One
 * thread; blocks on the socket, which the daemon never lets it do for longer than a page may take.
 */
#include "script/worker/worker.h"

#include "util/clock.h"

#include <errno.h>
#include <unistd.h>

struct worker worker = {.fd = PROTO_FD};

static _Noreturn void leave(const char *why)
{
    if (why)
        fprintf(stderr, "shepherd-script: %s\n", why);
    exit(why ? 1 : 0);
}

void serve_send(struct buf *frames)
{
    size_t sent = 0;
    while (sent < frames->len) {
        ssize_t n = write(worker.fd, frames->data + sent, frames->len - sent);
        if (n < 0 && errno != EINTR)
            leave(NULL); /* the daemon is gone */
        if (n > 0)
            sent += (size_t)n;
    }
    buf_clear(frames);
}

/* The next frame; valid until the one after it. */
static struct frame next_frame(void)
{
    enum { READ_MIN = 65536 };
    struct frame frame;
    size_t used;
    buf_reserve(&worker.in, READ_MIN);
    memmove(worker.in.data, worker.in.data + worker.in_used, worker.in.len - worker.in_used);
    worker.in.len -= worker.in_used;
    worker.in_used = 0;
    for (;;) {
        int rc = frame_next(worker.in.data, worker.in.len, PROTO_TO_WORKER_MAX, &frame, &used);
        if (rc < 0)
            leave("the daemon sent something that is no frame");
        if (rc == 1) {
            worker.in_used = used;
            return frame;
        }
        buf_reserve(&worker.in, READ_MIN);
        ssize_t n = read(worker.fd, worker.in.data + worker.in.len, READ_MIN);
        if (n == 0 || (n < 0 && errno != EINTR))
            leave(NULL);
        if (n > 0)
            worker.in.len += (size_t)n;
    }
}

bool serve_ask(enum topic topic)
{
    struct buf out = {0};
    size_t mark = frame_begin(&out, FRAME_NEED);
    put_u8(&out, (uint8_t)topic);
    frame_end(&out, mark);
    serve_send(&out);
    buf_free(&out);
    struct frame frame = next_frame();
    struct cursor c = cursor_of(&frame);
    if (frame.type != FRAME_DATA || get_u8(&c) != topic)
        leave("the daemon answered something else");
    worker.topics[topic].seq = get_u64(&c);
    worker.topics[topic].known = true;
    buf_clear(&worker.topics[topic].bytes);
    buf_add(&worker.topics[topic].bytes, c.at, (size_t)(c.end - c.at));
    return !c.bad;
}

void serve_log(enum shep_log level, const char *text)
{
    struct buf out = {0};
    size_t mark = frame_begin(&out, FRAME_LOG);
    put_u8(&out, (uint8_t)level);
    put_str(&out, text);
    frame_end(&out, mark);
    serve_send(&out);
    buf_free(&out);
}

void serve_dep(const char *path, const struct file_id *id)
{
    struct buf out = {0};
    size_t mark = frame_begin(&out, FRAME_DEP);
    put_i64(&out, id->mtime_ns);
    put_i64(&out, id->size);
    put_i64(&out, id->inode);
    put_str(&out, path);
    frame_end(&out, mark);
    serve_send(&out);
    buf_free(&out);
}

/* ---- INIT and SOURCE ---- */

static char *dup_or_null(const char *text)
{
    return *text ? shep_strdup(text) : NULL;
}

static void init_get(const struct frame *frame)
{
    struct conf *conf = &worker.conf;
    struct cursor c = cursor_of(frame);
    conf->lua_dir = shep_strdup(get_str(&c, PROTO_TEXT_MAX));
    conf->views_dir = shep_strdup(get_str(&c, PROTO_TEXT_MAX));
    conf->db_path = dup_or_null(get_str(&c, PROTO_TEXT_MAX));
    conf->cpu_ms = get_i64(&c);
    conf->n_view_dirs = get_count(&c, ARRAY_LEN(conf->view_dirs));
    for (size_t i = 0; i < conf->n_view_dirs; i++)
        conf->view_dirs[i] = shep_strdup(get_str(&c, PROTO_TEXT_MAX));
    if (!cursor_done(&c))
        leave("the daemon's first frame does not fit; are both programs of one build?");
}

static void source_get(const struct frame *frame, struct files *files)
{
    struct cursor c = cursor_of(frame);
    if (files->n_given == PROTO_SOURCES_MAX)
        leave("too many sources");
    if (!files->given)
        files->given = shep_alloc_array(PROTO_SOURCES_MAX, sizeof *files->given);
    struct source *source = &files->given[files->n_given++];
    source->name = shep_strdup(get_str(&c, PROTO_NAME_MAX));
    source->path = shep_strdup(get_str(&c, PROTO_TEXT_MAX));
    const char *text = get_bytes(&c, PROTO_SOURCE_MAX, &source->len);
    source->text = shep_strndup(text, source->len);
    source->hash = hash_bytes(HASH_START, text, source->len);
    if (!cursor_done(&c))
        leave("a source does not fit");
}

static void source_put(struct buf *out, const struct source *source)
{
    size_t mark = frame_begin(out, FRAME_SOURCE);
    put_str(out, source->name);
    put_str(out, source->path);
    put_bytes(out, source->text, source->len);
    frame_end(out, mark);
}

/* ---- RENDER and DONE ---- */

static bool render_get(struct cursor *c, struct request *r)
{
    r->file = get_str(c, PROTO_TEXT_MAX);
    r->view = get_str(c, PROTO_NAME_MAX);
    r->route = get_str(c, PROTO_NAME_MAX);
    r->path = get_str(c, PROTO_TEXT_MAX);
    r->param_name = get_str(c, PROTO_NAME_MAX);
    r->param_value = get_str(c, PROTO_TEXT_MAX);
    r->role = get_str(c, PROTO_NAME_MAX);
    r->locale = get_str(c, PROTO_NAME_MAX);
    r->banner = get_str(c, 2 * PROTO_TEXT_MAX);
    r->flags = get_u32(c);
    r->now_ms = get_i64(c);
    r->deadline_ms = get_i64(c);
    r->known_hash = get_u64(c);
    for (size_t i = 0; i < TOPIC_COUNT; i++)
        r->seqs[i] = get_u64(c);
    r->n_query = get_count(c, REQUEST_QUERY_MAX);
    for (size_t i = 0; i < r->n_query; i++) {
        r->query[i].name = get_str(c, PROTO_TEXT_MAX);
        r->query[i].value = get_str(c, PROTO_TO_WORKER_MAX);
    }
    return cursor_done(c) && strncmp(r->view, "views/", 6) == 0;
}

/* The path behind a logical name, for messages: of an override people want to see which file. */
static const char *shown_name(const struct render *render, const char *name)
{
    const struct files *files = &render->files;
    size_t shipped = strlen(worker.conf.views_dir);
    for (size_t i = 0; i < files->n_used; i++)
        if (strcmp(files->used[i].name, name) == 0 && strncmp(name, "views/", 6) == 0 &&
            strncmp(files->used[i].path, worker.conf.views_dir, shipped) != 0)
            return files->used[i].path;
    return name;
}

static void page_put(struct buf *out, const struct render *render, const struct page *page)
{
    put_u32(out, (uint32_t)page->status);
    put_u32(out,
            (render->localized ? PAGE_LOCALIZED : 0u) | (render->files.edited ? PAGE_EDITED : 0u));
    put_str(out, render->content_type);
    put_str(out, render->location);
    put_str(out, page->etag);
    put_u64(out, page->skeleton_hash);
    put_u64(out, files_hash(&render->files));
    put_u32(out, (uint32_t)page->n_parts);
    for (size_t i = 0; i < page->n_parts; i++) {
        put_str(out, page->parts[i].key);
        put_u32(out, page->parts[i].offset);
        put_u32(out, page->parts[i].len);
        put_u64(out, page->parts[i].hash);
    }
    put_bytes(out, page->body.data, page->body.len);
    put_bytes(out, page->gzip.data, page->gzip.len);
}

static void done_send(const struct render *render, const struct page *page)
{
    struct buf out = {0};
    const struct files *files = &render->files;
    if (page->outcome == DONE_PAGE && !(render->request->flags & RENDER_LAST_GOOD) &&
        files_hash(files) != render->request->known_hash)
        for (size_t i = 0; i < files->n_used; i++)
            source_put(&out, &files->used[i]);
    size_t mark = frame_begin(&out, FRAME_DONE);
    put_u8(&out, (uint8_t)page->outcome);
    put_u32(&out, render->topics);
    put_i64(&out, render->expires_ms >= 0 ? render->expires_ms : render->max_age_ms);
    put_u32(&out, (uint32_t)render->n_params);
    for (size_t i = 0; i < render->n_params; i++)
        put_str(&out, render->params[i]);
    if (page->outcome == DONE_PAGE) {
        page_put(&out, render, page);
    } else {
        const char *file = page->where.file[0] ? page->where.file : render->request->view;
        put_str(&out, shown_name(render, file));
        put_u32(&out, (uint32_t)page->where.line);
        put_str(&out, page->message);
    }
    frame_end(&out, mark);
    serve_send(&out);
    buf_free(&out);
}

static void render_one(const struct frame *frame, struct files *given)
{
    /* The request is borrowed from the frame, which asking for a topic overwrites. */
    char *bytes = shep_strndup(frame->bytes, frame->len);
    struct cursor c = {bytes, bytes + frame->len, false};
    struct request request;
    struct render *render = shep_alloc(sizeof *render);
    struct page *page = shep_alloc(sizeof *page);
    if (!render_get(&c, &request))
        leave("a request does not fit; are both programs of one build?");
    render->request = &request;
    render->sight = role_sight(request.role);
    render->files = *given;
    *given = (struct files){0};
    render_run(render, page);
    done_send(render, page);
    render_end(render, page);
    files_end(&render->files);
    files_trim();
    free(render);
    free(page);
    free(bytes);
}

int serve(void)
{
    struct files given = {0};
    struct frame frame = next_frame();
    if (frame.type != FRAME_INIT)
        leave("the daemon did not introduce itself; this program is started by it alone");
    init_get(&frame);
    for (;;) {
        frame = next_frame();
        if (frame.type == FRAME_SOURCE)
            source_get(&frame, &given);
        else if (frame.type == FRAME_RENDER)
            render_one(&frame, &given);
        else
            leave("a frame that does not belong here");
    }
}
