/* A request from evhttp's callback to its end: what evhttp lets pass is refused here, then it is
 * routed. Thread: loop. */
#include "http/internal.h"

#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <strings.h>
#include <unistd.h>

/* ---- Host: the defence against DNS rebinding ---- */

static bool own_name(const char *host)
{
    char name[256] = "";
    if (gethostname(name, sizeof name - 1) != 0 || !name[0])
        return false;
    size_t len = strlen(name), short_len = strcspn(name, ".");
    if (strcasecmp(host, name) == 0)
        return true;
    if (strncasecmp(host, name, len) == 0 && strcmp(host + len, ".local") == 0)
        return true;
    return strncasecmp(host, name, short_len) == 0 &&
           (host[short_len] == '\0' || strcmp(host + short_len, ".local") == 0);
}

bool request_host_allowed(struct http *http, const char *host)
{
    char name[256];
    switch (wire_host_parse(host, name, sizeof name)) {
    case WIRE_HOST_BAD:
        return false;
    case WIRE_HOST_IP:
        return true;
    case WIRE_HOST_NAME:
        break;
    }
    if (strcmp(name, "localhost") == 0)
        return true;
    for (size_t i = 0; i < http->n_hosts; i++)
        if (strcasecmp(name, http->hosts[i]) == 0)
            return true;
    return own_name(name);
}

static bool host_passes(struct http_request *request, const char *host)
{
    struct conn *conn = request->conn;
    if (strcmp(conn->host_ok, host) == 0)
        return true; /* the same as last time on this connection */
    if (!request_host_allowed(request->http, host))
        return false;
    if (strlen(host) < sizeof conn->host_ok)
        str_copy(conn->host_ok, sizeof conn->host_ok, host, strlen(host));
    return true;
}

/* ---- headers ---- */

/* Names that came before, as 64 bits: only where a bit is taken are the names compared. */
static unsigned name_bit(const char *name)
{
    size_t len = strlen(name);
    unsigned first = (unsigned char)name[0] | 0x20u, last = (unsigned char)name[len - 1] | 0x20u;
    return (unsigned)(len * 7 + first * 5 + last) & 63u;
}

static bool name_seen_before(const struct evkeyvalq *headers, const struct evkeyval *header)
{
    const struct evkeyval *other;
    for (other = headers->tqh_first; other != header; other = other->next.tqe_next)
        if (strcasecmp(other->key, header->key) == 0)
            return true;
    return false;
}

static const char *headers_check(const struct evkeyvalq *headers)
{
    uint64_t seen = 0;
    for (const struct evkeyval *h = headers->tqh_first; h; h = h->next.tqe_next) {
        if (!wire_name_ok(h->key))
            return "a header name is empty or has bytes that no name may have";
        uint64_t bit = (uint64_t)1 << name_bit(h->key);
        if ((seen & bit) && name_seen_before(headers, h) && !wire_name_may_repeat(h->key))
            return "a header came twice that may come once";
        seen |= bit;
    }
    return NULL;
}

/* ---- checks, in the order in which they decide ---- */

static bool refuse(struct http_request *request, int status, const char *message)
{
    request->close = true; /* whatever follows on this connection is not to be trusted */
    reply_error(request, status, "", message);
    return false;
}

static bool check_form(struct http_request *request)
{
    struct evhttp_request *ev = request->ev;
    if (request->conn->scan.bad)
        return refuse(request, 400, "The request has control bytes, folded or too many headers.");
    if (ev->major != 1) {
        ev->major = ev->minor = 1; /* evhttp would print theirs */
        return refuse(request, 505, "Only HTTP/1.0 and HTTP/1.1 are spoken here.");
    }
    const char *wrong = headers_check(ev->input_headers);
    if (wrong)
        return refuse(request, 400, wrong);
    /* evhttp reads no body with HEAD and unknown methods: it would be taken for the next request */
    if (ev->type != EVHTTP_REQ_GET && ev->type != EVHTTP_REQ_POST)
        request->close = ev->type != EVHTTP_REQ_HEAD ||
                         http_request_header(request, "Content-Length") ||
                         http_request_header(request, "Transfer-Encoding");
    return true;
}

static bool check_host(struct http_request *request)
{
    struct http *http = request->http;
    const char *host = http_request_header(request, "Host");
    if (!host || !*host) {
        http->stats.rejected_host++;
        return refuse(request, 400, "The request names no Host.");
    }
    if (host_passes(request, host))
        return true;
    http->stats.rejected_host++;
    complain(&http->host_complaint, SHEP_LOG_WARN, "http",
             "a browser called us \"%.100s\", which is not one of our names: refused. If it is "
             "yours, add it to hosts in shepherd.lua",
             host);
    return refuse(request, 421,
                  "This host does not go by that name. If it is one of yours, add it to hosts in "
                  "shepherd.lua.");
}

static bool check_target(struct http_request *request)
{
    const char *target = evhttp_request_get_uri(request->ev);
    int status = wire_target_parse(target, request->store, &request->target);
    if (status == 0)
        return true;
    request->target.path = "/";
    request->target.n_query = 0;
    return refuse(request, status,
                  status == 414 ? "The path is too long." : "The path or query is malformed.");
}

/* ---- from arrival to the end ---- */

/* Each connection keeps the memory of its last request: a cleared kilobyte for each would cost more
 * than everything else that is done for it here. */
static struct http_request *request_alloc(struct conn *conn, size_t store_size)
{
    struct http_request *request = conn->spare;
    conn->spare = NULL;
    if (request && request->store_size < store_size) {
        free(request);
        request = NULL;
    }
    if (!request) {
        request = shep_alloc(sizeof *request + store_size);
        request->store_size = store_size;
    }
    memset(request, 0, offsetof(struct http_request, store_size));
    str_copy(request->peer, sizeof request->peer, conn->peer_text, strlen(conn->peer_text));
    request->target.n_query = 0;
    return request;
}

static struct http_request *request_new(struct http *http, struct conn *conn,
                                        struct evhttp_request *ev)
{
    enum { STORE_SMALL = 256 }; /* enough for nearly every target */
    size_t need = strlen(evhttp_request_get_uri(ev)) + 2;
    struct http_request *request = request_alloc(conn, need < STORE_SMALL ? STORE_SMALL : need);
    request->http = http;
    request->conn = conn;
    request->ev = ev;
    request->head = ev->type == EVHTTP_REQ_HEAD;
    request->method = ev->type == EVHTTP_REQ_GET || request->head ? HTTP_GET
                      : ev->type == EVHTTP_REQ_POST               ? HTTP_POST
                                                                  : 0;
    request->target.path = "/"; /* until it is parsed, for the form of an error */
    if (ev->type == EVHTTP_REQ_CONNECT)
        ev->type = EVHTTP_REQ_OPTIONS; /* evhttp would neither frame nor close the refusal */
    conn->request = request;
    evhttp_request_set_on_complete_cb(ev, request_complete, request);
    return request;
}

void request_arrived(struct evhttp_request *ev, void *arg)
{
    struct http *http = arg;
    int64_t begun_us = loop_meter_begin();
    struct conn *conn = guard_conn(http, ev);
    http->stats.requests++;
    if (!conn) {
        evhttp_send_error(ev, 503, NULL); /* accepted while memory was short */
        return;
    }
    conn_state_set(conn, CONN_BUSY);
    struct http_request *request = request_new(http, conn, ev);
    if (check_form(request) && check_host(request) && check_target(request)) {
        if (http->draining)
            refuse(request, 503, "The Shepherd is stopping; try again in a moment.");
        else
            route_dispatch(request);
    }
    loop_meter_end(&http->owner, begun_us);
}

static void request_clear(struct http_request *request)
{
    http_form_free(request->form);
    buf_free(&request->lines);
    request->form = NULL;
}

void request_free(struct http_request *request)
{
    request_clear(request);
    free(request);
}

/* The last byte of the reply is in the kernel. evhttp frees its request after this. */
void request_complete(struct evhttp_request *ev, void *arg)
{
    struct http_request *request = arg;
    struct conn *conn = request->conn;
    conn->request = NULL;
    request_clear(request);
    conn->spare = request;
    conn_idle(conn);
}

void request_conn_closed(struct http_request *request)
{
    /* When evhttp has cut the tie, the evhttp request is ours to end; else it frees it itself. */
    bool ours = request->ev && !evhttp_request_get_connection(request->ev);
    request->conn = NULL;
    switch (request->state) {
    case REQUEST_PENDING: /* whoever holds it still answers; reply_body() sees that nobody is there
                           */
        if (!ours)
            request->ev = NULL;
        return;
    case REQUEST_STREAM:
        live_gone(request);
        if (ours)
            evhttp_send_reply_end(request->ev);
        break;
    case REQUEST_ANSWERED:
        break;
    }
    request_free(request);
}
