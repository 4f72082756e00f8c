#include "unit/test_http_fake.h"

#include <assert.h>
#include <strings.h>

static struct script_pool *the_pool; /* script_deps_fresh() has no pool */

enum { HERD_DATA_BYTES = 82000, GZIP_MARK = 6 };

struct job {
    struct script_pool *pool;
    struct script_page *page;
    script_done_fn done;
    void *arg;
};

void fake_pool_init(struct script_pool *pool, struct loop *loop, struct topics *topics)
{
    *pool = (struct script_pool){.loop = loop, .topics = topics, .slow_ms = 200, .bytes = 1000};
    pool->owner.name = "fake";
    the_pool = pool;
}

/* ---- routes ---- */

static const char *const routes[] = {"/",       "/parts", "/api/herd_data", "/slow",   "/never",
                                     "/query",  "/bulk",  "/fail",          "/busy",   "/once",
                                     "/brief",  "/moved", "/hostile",       "/system", "/words",
                                     "/edited", "/role",  "/login"};

const char *script_language_find(const struct script_pool *pool, const char *tag, size_t len)
{
    static const char *const known[] = {"de", "en", "es", "pt-BR"};
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (strlen(known[i]) == len && strncasecmp(known[i], tag, len) == 0)
            return known[i];
    return NULL;
}

void script_route_find(struct script_pool *pool, const char *path, bool shipped_only,
                       struct script_route *out)
{
    *out = (struct script_route){0};
    for (size_t i = 0; i < ARRAY_LEN(routes) && !pool->gone; i++)
        if (strcmp(path, routes[i]) == 0)
            out->file = shep_asprintf("views%s.html", path);
}

void script_route_free(struct script_route *route)
{
    free(route->file);
    *route = (struct script_route){0};
}

bool script_page_is_old(const struct script_pool *pool, const struct script_page *page)
{
    return page->generation != pool->generation;
}

bool script_deps_fresh(const struct script_dep *deps, size_t n)
{
    the_pool->n_dep_checks++;
    return !the_pool->deps_stale;
}

/* ---- pages ---- */

struct script_page *script_page_ref(struct script_page *page)
{
    page->refs++;
    return page;
}

void script_page_unref(struct script_page *page)
{
    if (!page || --page->refs > 0)
        return;
    the_pool->n_pages--;
    for (size_t i = 0; i < page->n_params; i++)
        free(page->params[i]);
    for (size_t i = 0; i < page->n_parts; i++)
        free((char *)page->parts[i].key);
    free(page->params);
    free(page->parts);
    free(page->content_type);
    free(page->location);
    free(page->body);
    free(page->gzip);
    free(page);
}

static uint64_t hash_of(const char *bytes, size_t len)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * 1099511628211u;
    return hash;
}

static void add_row(struct script_page *page, struct buf *body, unsigned row, uint64_t value)
{
    page->parts = shep_realloc(page->parts, (page->n_parts + 1) * sizeof *page->parts);
    struct script_part *part = &page->parts[page->n_parts++];
    part->key = shep_asprintf("row-%u", row);
    part->offset = (uint32_t)body->len;
    buf_printf(body, "<tr data-key=\"row-%u\"><td>%llu</td></tr>", row, (unsigned long long)value);
    part->len = (uint32_t)(body->len - part->offset);
    part->hash = hash_of(body->data + part->offset, part->len);
}

static void parts_body(struct script_pool *pool, struct script_page *page, struct buf *body)
{
    page->topics = 1u << TOPIC_HERD | 1u << TOPIC_LOGS;
    page->skeleton_hash = pool->skeleton;
    buf_printf(body, "<table class=\"s%u\">", pool->skeleton);
    add_row(page, body, 0, topic_seq(pool->topics, TOPIC_HERD));
    add_row(page, body, 1, topic_seq(pool->topics, TOPIC_LOGS));
    for (unsigned i = 2; i < 5; i++)
        add_row(page, body, i, i);
    buf_add_str(body, "</table>");
}

static void declare(struct script_page *page, const char *name)
{
    page->params = shep_realloc(page->params, (page->n_params + 1) * sizeof *page->params);
    page->params[page->n_params++] = shep_strdup(name);
}

static void fill(struct script_pool *pool, const struct script_request *request,
                 struct script_page *page, struct buf *body)
{
    const char *path = request->path;
    if (strcmp(path, "/") == 0) {
        page->topics = 1u << TOPIC_HERD;
        buf_printf(body, "<h1>herd %llu</h1>",
                   (unsigned long long)topic_seq(pool->topics, TOPIC_HERD));
    } else if (strcmp(path, "/parts") == 0) {
        parts_body(pool, page, body);
    } else if (strcmp(path, "/api/herd_data") == 0) {
        page->content_type = shep_strdup("application/json");
        page->topics = 1u << TOPIC_HERD;
        buf_printf(body, "{\"seq\":%llu,\"fill\":\"",
                   (unsigned long long)topic_seq(pool->topics, TOPIC_HERD));
        while (body->len < HERD_DATA_BYTES)
            buf_add_str(body, "0123456789abcdef");
        buf_add_str(body, "\"}");
    } else if (strcmp(path, "/query") == 0 || strcmp(path, "/bulk") == 0) {
        declare(page, strcmp(path, "/query") == 0 ? "a" : "n");
        for (size_t i = 0; i < request->n_query; i++)
            buf_printf(body, "%s=%s;", request->query[i].name, request->query[i].value);
        while (strcmp(path, "/bulk") == 0 && body->len < pool->bytes)
            buf_add_str(body, "................................................................");
    } else if (strcmp(path, "/system") == 0) {
        page->topics = 1u << TOPIC_SYSTEM;
        buf_printf(body, "system %llu", (unsigned long long)topic_seq(pool->topics, TOPIC_SYSTEM));
    } else if (strcmp(path, "/edited") == 0) {
        page->edited = true;
    } else if (strcmp(path, "/role") == 0 || strcmp(path, "/login") == 0) {
        declare(page, "a");
        buf_add_str(body, request->role);
    } else if (strcmp(path, "/words") == 0) {
        page->localized = true;
        buf_add_str(body, request->locale);
    } else if (strcmp(path, "/fail") == 0) {
        page->status = 500;
        buf_add_str(body, "views/fail.html:12: boom");
    } else if (strcmp(path, "/busy") == 0) {
        page->status = 503;
        buf_add_str(body, "too much to do");
    } else if (strcmp(path, "/moved") == 0) {
        page->status = 303;
        page->location = shep_strdup("/elsewhere");
    } else if (strcmp(path, "/hostile") == 0) {
        page->content_type = shep_strdup("text/html\r\nX-Evil: 1");
        page->location = shep_strdup("/\r\nX-Evil: 2");
        buf_add_str(body, "x");
    } else {
        page->topics = 1u << TOPIC_HERD;
        buf_printf(body, "render %u of %s, herd %llu", pool->n_renders, path,
                   (unsigned long long)topic_seq(pool->topics, TOPIC_HERD));
        page->max_age_ms = strcmp(path, "/once") == 0 ? 0 : strcmp(path, "/brief") == 0 ? 50 : -1;
    }
}

static struct script_page *make(struct script_pool *pool, const struct script_request *request)
{
    struct script_page *page = shep_alloc(sizeof *page);
    pool->n_pages++;
    page->refs = 1;
    page->generation = pool->generation;
    page->status = 200;
    page->max_age_ms = -1;
    struct buf body = {0};
    fill(pool, request, page, &body);
    if (!page->content_type)
        page->content_type = shep_strdup("text/html; charset=utf-8");
    for (unsigned t = 0; t < TOPIC_COUNT; t++)
        page->seqs[t] = topic_seq(pool->topics, (enum topic)t);
    page->body_len = body.len;
    page->body = buf_take(&body);
    snprintf(page->etag, sizeof page->etag, "W/\"%016llx\"",
             (unsigned long long)hash_of(page->body, page->body_len));
    if (request->want_gzip && page->body_len) {
        page->gzip = shep_asprintf("GZIP: %s", page->body); /* nobody here unpacks it */
        page->gzip_len = page->body_len + GZIP_MARK;
    }
    return page;
}

static void deliver(void *arg)
{
    struct job *job = arg;
    job->done(job->page, job->arg);
    free(job);
}

void fake_pool_finish(struct script_pool *pool)
{
    while (pool->n_never)
        deliver(pool->never[--pool->n_never]);
}

void script_render(struct script_pool *pool, const struct script_request *request,
                   script_done_fn done, void *arg)
{
    pool->n_renders++;
    struct job *job = shep_alloc(sizeof *job);
    *job = (struct job){pool, make(pool, request), done, arg};
    if (strcmp(request->path, "/never") == 0) {
        assert(pool->n_never < ARRAY_LEN(pool->never));
        pool->never[pool->n_never++] = job;
        return;
    }
    if (strcmp(request->path, "/slow") == 0)
        loop_timer_new(pool->loop, &pool->owner, pool->slow_ms, 0, deliver, job);
    else
        loop_post(pool->loop, deliver, job);
}

/* Nothing waits for a process here. */
void script_render_shared(struct script_pool *pool, const void *arg, uint64_t asker)
{
}
