/* Pages: from what a script process sent, or of our own when there is nothing to show. */
#include "script/internal.h"

#include <jansson.h>

struct script_page *script_page_ref(struct script_page *page)
{
    page->refs++;
    return page;
}

void script_page_unref(struct script_page *page)
{
    if (!page || --page->refs)
        return;
    struct deps deps = {page->deps, page->n_deps};
    deps_clear(&deps);
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

void page_set_deps(struct script_page *page, const struct deps *deps)
{
    struct deps copy = {page->deps, page->n_deps};
    deps_add_all(&copy, deps->items, deps->n);
    page->deps = copy.items;
    page->n_deps = copy.n;
}

void page_set_params(struct script_page *page, char **params, size_t n)
{
    page->params = n ? shep_alloc_array(n, sizeof *page->params) : NULL;
    for (size_t i = 0; i < n; i++) {
        page->params[i] = params[i];
        params[i] = NULL;
    }
    page->n_params = n;
}

/* ---- from the script process: believe nothing ---- */

static bool is_header_text(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return false;
    return true;
}

static char *get_header_dup(struct cursor *c)
{
    const char *text = get_str(c, PROTO_TEXT_MAX);
    if (!is_header_text(text))
        c->bad = true;
    return *text ? shep_strdup(text) : NULL;
}

/* Parts lie in order, within the body, without overlap. */
static void get_parts(struct cursor *c, struct script_page *page)
{
    uint32_t n = get_count(c, PROTO_PARTS_MAX);
    page->parts = n ? shep_alloc_array(n, sizeof *page->parts) : NULL;
    uint64_t end = 0;
    for (uint32_t i = 0; i < n && !c->bad; i++) {
        struct script_part *part = &page->parts[page->n_parts++];
        part->key = shep_strdup(get_str(c, PROTO_KEY_MAX));
        part->offset = get_u32(c);
        part->len = get_u32(c);
        part->hash = get_u64(c);
        if (part->offset < end)
            c->bad = true;
        end = (uint64_t)part->offset + part->len;
    }
    const struct script_part *last = page->n_parts ? &page->parts[page->n_parts - 1] : NULL;
    size_t body_len, gzip_len;
    const char *body = get_bytes(c, SCRIPT_OUTPUT_MAX * 2, &body_len);
    const char *gzip = get_bytes(c, SCRIPT_OUTPUT_MAX * 2, &gzip_len);
    if (last && (uint64_t)last->offset + last->len > body_len)
        c->bad = true;
    page->body = shep_strndup(body, body_len);
    page->body_len = body_len;
    page->gzip = gzip_len ? shep_strndup(gzip, gzip_len) : NULL;
    page->gzip_len = gzip_len;
}

static void get_page(struct cursor *c, struct done *done)
{
    struct script_page *page = shep_alloc(sizeof *page);
    page->refs = 1;
    uint32_t status = get_u32(c);
    if (status < 200 || status > 599)
        c->bad = true;
    page->status = (int)status;
    uint32_t flags = get_u32(c);
    if (flags >= PAGE_FLAGS_END)
        c->bad = true;
    page->localized = flags & PAGE_LOCALIZED;
    page->edited = flags & PAGE_EDITED;
    page->content_type = get_header_dup(c);
    page->location = get_header_dup(c);
    char *etag = get_header_dup(c);
    if (etag)
        str_copy(page->etag, sizeof page->etag, etag, strlen(etag));
    free(etag);
    page->skeleton_hash = get_u64(c);
    done->sources_hash = get_u64(c);
    get_parts(c, page);
    page->topics = done->topics;
    page->max_age_ms = done->max_age_ms;
    done->page = page;
}

bool page_decode(const struct frame *frame, struct done *out)
{
    struct cursor c = cursor_of(frame);
    *out = (struct done){.outcome = get_u8(&c)};
    out->topics = get_u32(&c);
    out->max_age_ms = get_i64(&c);
    uint32_t n = get_count(&c, PROTO_PARAMS_MAX);
    for (uint32_t i = 0; i < n; i++)
        out->params[out->n_params++] = shep_strdup(get_str(&c, PROTO_NAME_MAX));
    if (out->topics >> TOPIC_COUNT || out->max_age_ms < -1)
        c.bad = true;
    if (out->outcome == DONE_PAGE) {
        get_page(&c, out);
    } else if (out->outcome == DONE_NOT_FOUND || out->outcome == DONE_FAILED) {
        out->file = shep_strdup(get_str(&c, PROTO_TEXT_MAX));
        out->line = get_u32(&c);
        out->message = shep_strdup(get_str(&c, PROTO_TEXT_MAX));
    } else {
        c.bad = true;
    }
    if (cursor_done(&c))
        return true;
    done_clear(out);
    return false;
}

void done_clear(struct done *done)
{
    script_page_unref(done->page);
    free(done->file);
    free(done->message);
    for (size_t i = 0; i < done->n_params; i++)
        free(done->params[i]);
    *done = (struct done){0};
}

/* ---- our own ---- */

static void add_escaped(struct buf *out, const char *text)
{
    for (; *text; text++) {
        const char *entity = *text == '&'   ? "&amp;"
                             : *text == '<' ? "&lt;"
                             : *text == '>' ? "&gt;"
                             : *text == '"' ? "&quot;"
                                            : NULL;
        if (entity)
            buf_add_str(out, entity);
        else
            buf_add(out, text, 1);
    }
}

static void error_html(struct buf *out, int status, const char *title, const char *message)
{
    buf_printf(out,
               "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
               "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
               "<meta name=\"color-scheme\" content=\"dark light\">\n"
               "<title>%d %s</title>\n<link rel=\"stylesheet\" href=\"/static/app.css\">\n"
               "</head>\n<body>\n<main class=\"page error\">\n<h1>%s</h1>\n<p>",
               status, title, title);
    add_escaped(out, message);
    buf_add_str(out,
                "</p>\n<p><a href=\"/\">Back to the flock</a></p>\n</main>\n</body>\n</html>\n");
}

static void error_json(struct buf *out, const char *message)
{
    json_t *text = json_string(message); /* NULL: not UTF-8 */
    json_t *reply = json_pack("{s:b,s:o}", "success", 0, "message",
                              text ? text : json_string("the view failed"));
    char *dumped = json_dumps(reply, JSON_COMPACT);
    buf_add_str(out, dumped ? dumped : "{}");
    free(dumped);
    json_decref(reply);
}

struct script_page *page_error(int status, const char *title, const char *message, bool json)
{
    struct buf body = {0};
    struct script_page *page = shep_alloc(sizeof *page);
    if (json)
        error_json(&body, message);
    else
        error_html(&body, status, title, message);
    page->refs = 1;
    page->status = status;
    page->content_type =
        shep_strdup(json ? "application/json; charset=utf-8" : "text/html; charset=utf-8");
    page->body_len = body.len;
    page->body = buf_take(&body);
    page->max_age_ms = -1;
    return page;
}
