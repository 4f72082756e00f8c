/* A rendered page on its way out: header lines made once for each version, bodies sent by
 * reference, 304 for who has it already, and only the changed parts for who has an earlier version
 * of the same skeleton (DESIGN "The way of the data" 7). Thread: loop. */
#include "http/internal.h"

static void page_sent(const void *bytes, size_t len, void *page)
{
    script_page_unref(page);
}

/* ---- header lines ---- */

static void lines_common(struct http *http, struct buf *out, const struct script_page *page)
{
    if (page->etag[0])
        buf_printf(out, "\r\nETag: %s", page->etag);
    bool first = true;
    for (unsigned t = 0; t < TOPIC_COUNT; t++) {
        if (!(page->topics & 1u << t))
            continue;
        buf_printf(out, "%s%s", first ? "\r\nX-Shepherd-Topics: " : ",", topic_name((enum topic)t));
        first = false;
    }
    if (http->version)
        buf_printf(out, "\r\nX-Shepherd-Version: %s", http->version);
    if (page->location && wire_value_safe(page->location))
        buf_printf(out, "\r\nLocation: %s", page->location);
    if (page->status == 503)
        buf_add_str(out, "\r\nRetry-After: 2");
}

static void lines_kept(struct buf *out, const struct script_page *page)
{
    buf_printf(out, "\r\nCache-Control: no-cache\r\nVary: Accept-Encoding%s",
               page->localized ? ", Accept-Language" : "");
}

/* Who edits a page may write style="…", and use classes that the shipped style does not have: those
 * are made in the browser, as a <style>. Shipped pages need neither. */
static const char *security_head(const struct script_page *page)
{
    return page->edited ? HTTP_SECURITY_HEAD_STYLE("'self' 'unsafe-inline'") : HTTP_SECURITY_HEAD;
}

enum head_kind { HEAD_PLAIN, HEAD_GZIP, HEAD_NOT_KEPT };

static char *head_make(struct http *http, const struct script_page *page, const char *type,
                       enum head_kind kind)
{
    struct buf head = {0};
    buf_add_str(&head, type && wire_value_safe(type) ? type : "text/plain; charset=utf-8");
    if (kind == HEAD_GZIP)
        buf_add_str(&head, "\r\nContent-Encoding: gzip");
    if (kind == HEAD_NOT_KEPT)
        buf_add_str(&head, "\r\nCache-Control: no-store");
    else
        lines_kept(&head, page);
    lines_common(http, &head, page);
    buf_add_str(&head, security_head(page));
    return buf_take(&head);
}

void version_init(struct http *http, struct version *version, struct script_page *page)
{
    *version = (struct version){.page = page};
    version->head =
        head_make(http, page, page->content_type, page->status < 500 ? HEAD_PLAIN : HEAD_NOT_KEPT);
    if (page->gzip)
        version->head_gzip = head_make(http, page, page->content_type, HEAD_GZIP);
    struct buf head = {0};
    buf_add_str(&head, page->etag);
    lines_kept(&head, page);
    buf_add_str(&head, security_head(page));
    version->head_304 = buf_take(&head);
}

void version_clear(struct version *version)
{
    script_page_unref(version->page);
    free(version->head);
    free(version->head_gzip);
    free(version->head_304);
    free(version->head_parts);
    blob_unref(version->delta);
    *version = (struct version){0};
}

void version_forget_delta(struct version *version)
{
    blob_unref(version->delta);
    version->delta = NULL;
    version->delta_known = false;
}

size_t version_bytes(const struct version *version)
{
    const struct script_page *page = version->page;
    return sizeof *page + page->body_len + page->gzip_len + page->n_parts * 64 +
           page->n_deps * 128 + 3 * 768; /* the header lines */
}

/* ---- whole pages ---- */

static void reply_version(struct http_request *request, const struct version *version)
{
    struct script_page *page = version->page;
    bool gzip =
        version->head_gzip && wire_accepts_gzip(http_request_header(request, "Accept-Encoding"));
    struct evbuffer *body = reply_body(request);
    if (!body)
        return;
    size_t len = gzip ? page->gzip_len : page->body_len;
    if (!request->head && len &&
        evbuffer_add_reference(body, gzip ? page->gzip : page->body, len, page_sent,
                               script_page_ref(page)) != 0)
        script_page_unref(page);
    reply_send(request, page->status, "Content-Type", gzip ? version->head_gzip : version->head,
               len);
}

static void reply_not_modified(struct http_request *request, const struct version *version)
{
    request->http->stats.not_modified++;
    if (!reply_body(request))
        return;
    request->head = false; /* no Content-Length: it would say that the page is empty */
    reply_send(request, 304, "ETag", version->head_304, 0);
}

/* A failure may name files and lines of this host; only who sits at it sees them. */
static bool hide_failure(const struct http_request *request, const struct script_page *page)
{
    return page->status >= 500 && page->status != 503 && !http_request_is_local(request);
}

void page_reply_once(struct http_request *request, struct script_page *page)
{
    if (hide_failure(request, page)) {
        reply_error(request, page->status, "",
                    "This page failed. Its message is in the log and on this address, seen from "
                    "the host itself.");
        return;
    }
    struct version version;
    version_init(request->http, &version, script_page_ref(page));
    reply_version(request, &version);
    version_clear(&version);
}

/* ---- parts ---- */

static bool same_skeleton(const struct script_page *from, const struct script_page *to)
{
    if (from->status != to->status || from->skeleton_hash != to->skeleton_hash ||
        from->n_parts != to->n_parts || to->n_parts == 0)
        return false;
    for (size_t i = 0; i < to->n_parts; i++)
        if (!str_eq(from->parts[i].key, to->parts[i].key))
            return false;
    return true;
}

static struct blob *delta_make(const struct script_page *from, const struct script_page *to)
{
    size_t len = 0;
    for (size_t i = 0; i < to->n_parts; i++) {
        const struct script_part *part = &to->parts[i];
        if (part->offset > to->body_len || part->len > to->body_len - part->offset)
            return NULL; /* never trust an offset from another process */
        if (part->hash != from->parts[i].hash)
            len += part->len;
    }
    struct blob *delta = blob_new(len);
    size_t at = 0;
    for (size_t i = 0; i < to->n_parts; i++) {
        const struct script_part *part = &to->parts[i];
        if (part->hash == from->parts[i].hash)
            continue;
        memcpy(delta->bytes + at, to->body + part->offset, part->len);
        at += part->len;
    }
    return delta;
}

/* The same delta for every browser that has that version: made once. */
static struct blob *delta_get(struct version *from, const struct script_page *to)
{
    if (!from->delta_known) {
        from->delta = same_skeleton(from->page, to) ? delta_make(from->page, to) : NULL;
        from->delta_known = true;
    }
    return from->delta;
}

static bool reply_parts(struct http_request *request, struct entry *entry, const char *have)
{
    struct version *newest = &entry->versions[0];
    for (size_t i = 1; i < entry->n_versions; i++) {
        struct version *old = &entry->versions[i];
        if (!wire_etag_in(have, old->page->etag))
            continue;
        struct blob *delta = delta_get(old, newest->page);
        if (!delta)
            return false;
        /* no-store: a browser's own cache must not take the parts for the page */
        if (!newest->head_parts)
            newest->head_parts =
                head_make(request->http, newest->page,
                          "text/vnd.shepherd.parts+html; charset=utf-8", HEAD_NOT_KEPT);
        request->http->stats.parts_replies++;
        reply_blob(request, 200, newest->head_parts, delta);
        return true;
    }
    return false;
}

void page_reply(struct http_request *request, struct entry *entry)
{
    struct version *newest = &entry->versions[0];
    const char *etag = newest->page->etag;
    const char *have = http_request_header(request, "X-Shepherd-Have");
    bool known = newest->page->status == 200 && etag[0];
    if (known && (wire_etag_in(http_request_header(request, "If-None-Match"), etag) ||
                  wire_etag_in(have, etag)))
        reply_not_modified(request, newest);
    else if (!known || !have || !reply_parts(request, entry, have))
        reply_version(request, newest);
}
