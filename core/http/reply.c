/* Replies. Every one carries the security headers. evhttp allocates three times and prints once for
 * each header, so ours go into one, whose value holds the further lines; they are built from
 * constants and from text that passed wire_value_safe(). Thread: loop. */
#include "http/internal.h"

#include "util/clock.h"

#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <unistd.h>

/* ---- blobs ---- */

struct blob *blob_new(size_t len)
{
    struct blob *blob = shep_alloc(sizeof *blob + len);
    blob->refs = 1;
    blob->len = len;
    return blob;
}

struct blob *blob_ref(struct blob *blob)
{
    blob->refs++;
    return blob;
}

void blob_unref(struct blob *blob)
{
    if (blob && --blob->refs == 0)
        free(blob);
}

static void blob_sent(const void *bytes, size_t len, void *blob)
{
    blob_unref(blob);
}

void blob_add(struct evbuffer *out, struct blob *blob)
{
    if (evbuffer_add_reference(out, blob->bytes, blob->len, blob_sent, blob_ref(blob)) != 0)
        blob_unref(blob);
}

/* ---- header lines ---- */

/* As evhttp_add_header(), which refuses line ends. evhttp frees it with free(); malloc() and not
 * shep_alloc(), since nothing of it needs clearing. */
static void add_lines(struct evkeyvalq *headers, const char *name, const char *value)
{
    struct evkeyval *header = malloc(sizeof *header);
    char *key = strdup(name), *text = strdup(value);
    if (!header || !key || !text)
        abort(); /* out of memory ends the daemon, as in shep_alloc() */
    *header = (struct evkeyval){.key = key, .value = text};
    header->next.tqe_prev = headers->tqh_last;
    *headers->tqh_last = header;
    headers->tqh_last = &header->next.tqe_next;
}

/* evhttp would format the date anew for each reply. */
static const char *date_now(struct http *http)
{
    int64_t now_s = clock_wall_ms() / 1000;
    if (now_s != http->date_s) {
        http->date_s = now_s;
        time_t seconds = (time_t)now_s;
        struct tm tm;
        gmtime_r(&seconds, &tm);
        evutil_date_rfc1123(http->date, sizeof http->date, &tm);
    }
    return http->date;
}

static const char *reason(int status)
{
    static const struct {
        int status;
        const char *text;
    } reasons[] = {{200, "OK"},
                   {302, "Found"},
                   {303, "See Other"},
                   {304, "Not Modified"},
                   {400, "Bad Request"},
                   {401, "Unauthorized"},
                   {403, "Forbidden"},
                   {404, "Not Found"},
                   {405, "Method Not Allowed"},
                   {409, "Conflict"},
                   {413, "Content Too Large"},
                   {414, "URI Too Long"},
                   {421, "Misdirected Request"},
                   {429, "Too Many Requests"},
                   {500, "Internal Server Error"},
                   {503, "Service Unavailable"},
                   {505, "HTTP Version Not Supported"}};
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
        if (reasons[i].status == status)
            return reasons[i].text;
    return status < 400 ? "OK" : status < 500 ? "Client Error" : "Server Error";
}

/* ---- sending ---- */

struct evbuffer *reply_body(struct http_request *request)
{
    if (request->ev && evhttp_request_get_connection(request->ev))
        return evhttp_request_get_output_buffer(request->ev);
    if (request->ev)
        evhttp_request_free(request->ev); /* cut loose when its connection went: ours to free */
    request_free(request);
    return NULL;
}

/* Each of them begins with "\r\n": the first name is cut off for evhttp. */
static void add_further_lines(struct evkeyvalq *headers, struct buf *lines)
{
    if (!lines->len)
        return;
    char *name = lines->data + 2, *colon = strchr(name, ':');
    *colon = '\0';
    add_lines(headers, name, colon + 2);
    buf_clear(lines);
}

static void add_head(struct http_request *request, const char *name, const char *value)
{
    enum { HEAD_BYTES = 900 }; /* a usual head in one piece: evhttp prints it once, not twice */
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request->ev);
    evbuffer_expand(bufferevent_get_output(request->conn->bev), HEAD_BYTES);
    if (request->ev->minor > 0)
        add_lines(headers, "Date", date_now(request->http));
    add_lines(headers, name, value);
    add_further_lines(headers, &request->lines);
    if (request->close || request->http->draining)
        evhttp_add_header(headers, "Connection", "close");
}

void reply_send(struct http_request *request, int status, const char *name, const char *value,
                size_t len)
{
    add_head(request, name, value);
    if (request->head) {
        char text[24];
        snprintf(text, sizeof text, "%zu", len);
        evhttp_add_header(evhttp_request_get_output_headers(request->ev), "Content-Length", text);
    }
    request->state = REQUEST_ANSWERED;
    evhttp_send_reply(request->ev, status, reason(status), NULL);
}

void reply_stream(struct http_request *request, const char *type)
{
    char value[1024];
    snprintf(value, sizeof value,
             "%s\r\nCache-Control: no-store\r\nX-Accel-Buffering: no" HTTP_SECURITY_HEAD, type);
    add_head(request, "Content-Type", value);
    request->state = REQUEST_STREAM;
    conn_state_set(request->conn, CONN_STREAM);
    evhttp_send_reply_start(request->ev, 200, "OK");
}

void reply_bytes(struct http_request *request, int status, const char *type, const char *lines,
                 const void *bytes, size_t len)
{
    struct evbuffer *body = reply_body(request);
    if (!body)
        return;
    if (!request->head)
        evbuffer_add(body, bytes, len);
    struct buf value = {0};
    buf_add_str(&value, type && wire_value_safe(type) ? type : "text/plain; charset=utf-8");
    if (!strstr(lines, "Cache-Control:"))
        buf_add_str(&value, "\r\nCache-Control: no-store");
    buf_add_str(&value, lines);
    buf_add_str(&value, HTTP_SECURITY_HEAD);
    reply_send(request, status, "Content-Type", value.data, len);
    buf_free(&value);
}

void http_reply(struct http_request *request, int status, const char *content_type,
                const void *bytes, size_t len)
{
    reply_bytes(request, status, content_type, "", bytes, len);
}

void reply_blob(struct http_request *request, int status, const char *head, struct blob *blob)
{
    struct evbuffer *body = reply_body(request);
    if (!body)
        return;
    if (!request->head)
        blob_add(body, blob);
    reply_send(request, status, "Content-Type", head, blob->len);
}

/* A message may name what a stranger sent: it is text here, whatever it holds. */
static void add_html(struct buf *out, const char *text)
{
    static const struct {
        char c;
        const char *as;
    } marks[] = {{'<', "&lt;"}, {'>', "&gt;"}, {'&', "&amp;"}, {'"', "&quot;"}, {'\'', "&#39;"}};
    for (; *text; text++) {
        const char *as = NULL;
        for (size_t i = 0; i < ARRAY_LEN(marks); i++)
            as = marks[i].c == *text ? marks[i].as : as;
        if (as)
            buf_add_str(out, as);
        else
            buf_add(out, text, 1);
    }
}

/* Looks like the other pages, and needs no script process: it is also what is said when there is
 * none. */
static void error_page(struct buf *out, int status, const char *message)
{
    buf_printf(out,
               "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
               "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
               "<meta name=\"color-scheme\" content=\"dark light\">"
               "<link rel=\"icon\" href=\"/static/icon.svg\" type=\"image/svg+xml\">"
               "<link rel=\"stylesheet\" href=\"/static/app.css\">"
               "<title>%d %s - The Shepherd</title></head>\n<body><main class=\"page error\">"
               "<h1>%d %s</h1>\n<p>",
               status, reason(status), status, reason(status));
    add_html(out, message);
    buf_add_str(out, "</p>\n<p><a href=\"/\">The Shepherd</a></p></main></body></html>\n");
}

static void error_json(struct buf *out, const char *message)
{
    json_t *json = json_pack("{s:b, s:s?}", "success", 0, "message", message);
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL; /* NULL: it is not UTF-8 */
    buf_printf(out, "%s\n", text ? text : "{\"success\":false,\"message\":\"\"}");
    free(text);
    json_decref(json);
}

void reply_error(struct http_request *request, int status, const char *lines, const char *message)
{
    struct buf body = {0};
    bool json = http_request_wants_json(request);
    if (json)
        error_json(&body, message);
    else
        error_page(&body, status, message);
    reply_bytes(request, status, json ? "application/json" : "text/html; charset=utf-8", lines,
                body.data, body.len);
    buf_free(&body);
}

void http_reply_error(struct http_request *request, int status, const char *message)
{
    reply_error(request, status, "", message);
}

/* ---- what handlers add and send ---- */

void http_reply_header(struct http_request *request, const char *name, const char *value)
{
    if (wire_name_ok(name) && wire_value_safe(value))
        buf_printf(&request->lines, "\r\n%s: %s", name, value);
}

/* "/x" and not "//host/x", which a browser reads as another host; nor "/\\host", which some do. */
static bool path_is_own(const char *path)
{
    return path && path[0] == '/' && path[1] != '/' && !strchr(path, '\\') && wire_value_safe(path);
}

void http_reply_redirect(struct http_request *request, int status, const char *location)
{
    char *lines = shep_asprintf("\r\nLocation: %s", path_is_own(location) ? location : "/");
    reply_bytes(request, status, NULL, lines, "", 0);
    free(lines);
}

static void file_lines(struct buf *out, const char *content_type, const char *file_name)
{
    buf_printf(out, "%s\r\nCache-Control: no-store\r\nContent-Disposition: attachment; filename=\"",
               content_type);
    for (const char *p = file_name; *p; p++) {
        bool plain = (*p >= '0' && *p <= '9') || ((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z') ||
                     strchr("._-", *p);
        buf_add(out, plain ? p : "_", 1);
    }
    buf_add_str(out, "\"" HTTP_SECURITY_HEAD);
}

void http_reply_file(struct http_request *request, int fd, int64_t len, const char *content_type,
                     const char *file_name)
{
    struct evbuffer *body = reply_body(request);
    if (!body || request->head || len == 0) {
        close(fd);
    } else if (evbuffer_add_file(body, fd, 0, len) != 0) { /* closes it when it was sent */
        close(fd);
        reply_error(request, 500, "", "The file cannot be read.");
        return;
    }
    if (!body)
        return;
    struct buf lines = {0};
    file_lines(&lines, content_type, file_name);
    reply_send(request, 200, "Content-Type", lines.data, (size_t)len);
    buf_free(&lines);
}
