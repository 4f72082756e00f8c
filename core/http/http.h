/* HTTP on evhttp, with every bound that evhttp does not have: sizes, deadlines, connections in all
 * and for each peer, EMFILE, back-pressure, Host allow-list, clean drain. Only core/http sees
 * evhttp, so that it could be replaced. Pages come from core/script through a cache that keeps one
 * rendering per (view, declared parameters, role, locale) and sequence. Thread: loop. */
#ifndef SHEP_HTTP_H
#define SHEP_HTTP_H

#include "access/access.h"
#include "herd/topic.h"
#include "loop/loop.h"
#include "script/script.h"

struct http;

enum {
    HTTP_HEADERS_MAX = 8192,
    HTTP_BODY_MAX = 65536,
    HTTP_CONNECTIONS_MAX = 1024,
    HTTP_PER_PEER_MAX = 32, /* connections from this host itself are exempt */
    HTTP_DEADLINE_MS =
        10000, /* from the first byte of a request to its last; also for an idle keep-alive */
    HTTP_SSE_BACKLOG_MAX = 262144,
    HTTP_SSE_HEARTBEAT_MS = 15000,
    HTTP_SSE_PER_S = 4, /* events of one topic to one client */
    HTTP_CACHE_BYTES_MAX = 32 << 20
};

struct http_conf {
    const char *const
        *hosts; /* names besides IP literals, localhost and our own host name (+ .local) */
    size_t n_hosts;
    const char *const
        *static_dirs; /* served under /static/, first wins: overrides, built assets, views/static */
    size_t n_static_dirs;
    int64_t deadline_ms;                    /* 0: HTTP_DEADLINE_MS; tests shorten it */
    int64_t heartbeat_ms;                   /* 0: HTTP_SSE_HEARTBEAT_MS; likewise */
    unsigned max_connections, max_per_peer; /* 0: the defaults */
    bool cap_local; /* tests: connections from this host count for max_per_peer too */
    const char
        *version; /* for the Server-less X-Shepherd header used to reload kiosks after an upgrade */
};

struct http *http_new(struct loop *loop, struct topics *topics, struct script_pool *pool,
                      const struct http_conf *conf);
/* addr: an IP literal or "localhost"; port 0: the kernel chooses. 0; SHEP_E_BUSY (in use),
 * SHEP_E_CONFIG (no such address), SHEP_E_IO; text in err. */
int http_listen(struct http *http, const char *addr, uint16_t port, uint16_t *port_out, char *err,
                size_t err_cap);
/* Stop accepting, answer what is in flight, end SSE, then call done; at most 2 s. */
void http_drain(struct http *http, loop_fn done, void *arg);
/* After the loop has stopped, before topics_free(); script_pool_free() may come before or after. */
void http_free(struct http *http);
/* Replaces http_conf.static_dirs, likewise. */
void http_static_dirs_set(struct http *http, const char *const *dirs, size_t n_dirs);
/* Replaces http_conf.hosts, for a configuration that was read again. Copied. */
void http_hosts_set(struct http *http, const char *const *hosts, size_t n_hosts);

/* The configured language of the pages: used when a request has no ?lang= of its own. NULL, "auto"
 * or one that the views do not have: what the browser asks for. */
void http_locale_set(struct http *http, const char *locale);

/* ---- routes in C: /healthz, /events and /static/ are built in; others may be added before
 * http_listen() ---- */
struct http_request; /* valid until http_reply() */
typedef void (*http_handler)(struct http_request *request, void *arg);
enum http_method { HTTP_GET = 1, HTTP_POST = 2 }; /* HEAD comes with GET */
void http_route(struct http *http, unsigned methods, const char *path, http_handler handler,
                void *arg);
const char *http_request_path(const struct http_request *request);
const char *http_request_query(const struct http_request *request,
                               const char *name); /* decoded; NULL: absent */
const char *http_request_header(const struct http_request *request, const char *name);
/* The peer is this host, and no proxy says that it speaks for another. */
bool http_request_is_local(const struct http_request *request);
enum http_method http_request_method(const struct http_request *request);
/* The body of a POST, at most HTTP_BODY_MAX; valid until http_reply(). NULL when there is none. */
const void *http_request_body(const struct http_request *request, size_t *len_out);
/* Bytes are copied. content_type NULL: text/plain. */
void http_reply(struct http_request *request, int status, const char *content_type,
                const void *bytes, size_t len);

/* ---- who asks: judged once for each request, before anything else sees it. NULL (the default, for
 * tests of this room): everybody is an operator. Without the role that a path needs, a page answers
 * 303 to /login, everything else 401 (nobody) or 403 (not enough). Pages need viewer; /static/,
 * /healthz, /login and /setup nobody. A POST by session cookie needs its CSRF token, or a browser
 * that says Sec-Fetch-Site: same-origin. ---- */
void http_access_set(struct http *http, struct access *access);
/* A route that needs a role; http_route() needs viewer. A path that ends in a slash and an asterisk
 * takes one further segment, see http_request_rest(). */
void http_route_for(struct http *http, unsigned methods, const char *path, enum access_role role,
                    http_handler handler, void *arg);
const char *http_request_rest(const struct http_request *request); /* "7" of /miners/edit/7 */
const struct access_grant *http_request_grant(const struct http_request *request);
const char *http_request_peer(const struct http_request *request); /* "192.168.1.7" */
bool http_request_wants_json(const struct http_request *request);
/* The value of a cookie; false: absent or longer than cap. */
bool http_request_cookie(const struct http_request *request, const char *name, char *out,
                         size_t cap);
/* A header for the reply that comes: Set-Cookie may come several times. A value with control bytes
 * is left out. */
void http_reply_header(struct http_request *request, const char *name, const char *value);
/* 302 or 303. location: a path on this host, from wherever it came (a form's next): anything else
 * becomes "/". */
void http_reply_redirect(struct http_request *request, int status, const char *location);
/* A file as a download; takes the descriptor. Bytes of the name other than letters, digits and
 * "._-" become "_". */
void http_reply_file(struct http_request *request, int fd, int64_t len, const char *content_type,
                     const char *file_name);
/* An error page or {"success":false,"message":…}, as the request wants it. The message may hold
 * what a client sent. */
void http_reply_error(struct http_request *request, int status, const char *message);

/* ---- forms: application/x-www-form-urlencoded, multipart/form-data or a JSON object, bounded by
 * HTTP_BODY_MAX and FORM_FIELDS_MAX (form.h). Of JSON, texts, numbers, true ("1"), false ("0") and
 * lists of these are fields too. No body is a form without fields. Texts are UTF-8 without control
 * bytes but line ends and tabs. ---- */
struct http_form;
/* NULL: the body is none of these, cut off or too much; *why says what. */
struct http_form *http_form_parse(struct http_request *request, const char **why);
void http_form_free(struct http_form *form);
const char *http_form_get(const struct http_form *form, const char *name); /* NULL: absent */
/* Of several fields of one name, or a list in JSON: the nth, from 0; NULL: there are no more. */
const char *http_form_nth(const struct http_form *form, const char *name, size_t nth);
/* The bytes of a field or an uploaded file. */
const char *http_form_bytes(const struct http_form *form, const char *name, size_t *len_out);
/* Its fields as an object of texts, of several with one name the first (of a JSON body: the object
 * itself); borrowed. */
const json_t *http_form_json(const struct http_form *form);

/* What /healthz answers: NULL or "": 200 ok; else 503 with the text. */
void http_health_set(struct http *http, const char *(*fn)(void *arg), void *arg);

/* What happens, for browsers that asked with /events?pulse=1: one JSON object in one line, at most
 * 4 KiB; copied. Many at once: some are left out, never those to keep. */
void http_pulse(struct http *http, const char *json, bool keep);
bool http_pulse_wanted(const struct http *http); /* false: nobody would hear it */

struct http_stats {
    unsigned connections, sse_clients;
    uint64_t requests, cache_hits, cache_misses, not_modified, parts_replies;
    uint64_t rejected_host, rejected_deadline, rejected_limit, accept_pauses, sse_dropped;
    uint64_t pulse_sent, pulse_dropped; /* events */
    size_t cache_bytes, cache_entries;
};
void http_stats_get(const struct http *http, struct http_stats *out);
#endif
