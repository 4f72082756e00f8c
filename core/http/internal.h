/* What the files of this room share. Nobody outside core/http (and its tests) includes it.
 *
 * Who owns what: a conn lives from accept to libevent's close callback. An http_request lives from
 * evhttp's request callback to the end of its reply or of its connection, whichever comes first; a
 * request whose answer is still awaited when its connection goes stays until http_reply(). */
#ifndef SHEP_HTTP_INTERNAL_H
#define SHEP_HTTP_INTERNAL_H

#include "http/form.h"
#include "http/http.h"
#include "http/wire.h"
#include "util/log.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <sys/queue.h>

enum {
    HTTP_REPLY_MS = 60000,       /* from a request's last byte to the last byte of its reply */
    HTTP_EMFILE_PAUSE_MS = 1000, /* no accept for so long when descriptors have run out */
    HTTP_DRAIN_MS = 2000,
    HTTP_LISTENERS_MAX = 16,
    HTTP_ROUTES_MAX = 128,   /* 40 are the forms' */
    HTTP_SSE_MAX = 256,      /* streams hold connections: leave most of them to requests */
    HTTP_SSE_STALLS_MAX = 3, /* heartbeats in a row with output that nobody takes */
    HTTP_SYSTEM_MS = 1000,   /* TOPIC_SYSTEM while somebody looks */
    HTTP_VERSIONS = 4,       /* of a page, kept to tell a browser only what changed */
    HTTP_CACHE_ENTRIES_MAX = 2048,
    HTTP_STATIC_FILE_MAX = 4 << 20, /* read in one go on the loop; the largest asset is 0.4 MB */
    HTTP_STATIC_CACHE_MAX = 8 << 20,
    HTTP_BUCKETS = 1024,
    PULSE_MAX = 64 /* events in one message */
};

#define HTTP_SECURITY_HEAD_STYLE(style)                                                            \
    "\r\nContent-Security-Policy: default-src 'self'; script-src 'self'; style-src " style         \
    "; img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'self'; "         \
    "form-action 'self'"                                                                           \
    "\r\nX-Content-Type-Options: nosniff"                                                          \
    "\r\nReferrer-Policy: same-origin"                                                             \
    "\r\nCross-Origin-Opener-Policy: same-origin"                                                  \
    "\r\nCross-Origin-Resource-Policy: same-origin"
#define HTTP_SECURITY_HEAD HTTP_SECURITY_HEAD_STYLE("'self'")

/* ---- connections (guard.c) ---- */
enum conn_state { CONN_FRESH, CONN_READING, CONN_BUSY, CONN_STREAM, CONN_STATES };

struct peer { /* one address; lives while it has connections */
    struct peer *next;
    unsigned char addr[16]; /* IPv4 as ::ffff:a.b.c.d */
    unsigned n_conns;
};

struct conn {
    TAILQ_ENTRY(conn) link; /* in guard.lists[state], oldest deadline first */
    struct http *http;
    struct bufferevent *bev;
    struct evhttp_connection *evcon;
    struct evbuffer_cb_entry *bytes_cb;
    struct peer *peer;            /* NULL: exempt */
    struct http_request *request; /* in flight; one at most */
    struct http_request *spare;   /* memory for the next one */
    enum conn_state state;
    int fd;
    bool local; /* the peer is this host */
    char peer_text[46];
    int64_t deadline_ms;
    struct wire_scan scan;
    char host_ok[64]; /* the last Host header that passed */
};
TAILQ_HEAD(conn_list, conn);

struct guard {
    struct conn_list lists[CONN_STATES];
    struct conn **by_fd;
    size_t by_fd_cap;
    unsigned n_conns, max_conns, max_per_peer;
    int64_t deadline_ms;
    struct peer *peers[256];
    bool cap_local;
    bool paused; /* not accepting: full, or out of descriptors */
    struct event *fresh_event;
    struct loop_timer *deadline_timer, *accept_timer;
    int64_t deadline_due_ms;
    struct evhttp_bound_socket *bound[HTTP_LISTENERS_MAX];
    size_t n_bound;
    struct complain fds_complaint, cap_complaint, peer_complaint;
};

/* ---- requests ---- */
enum request_state { REQUEST_PENDING, REQUEST_ANSWERED, REQUEST_STREAM };

struct http_request {
    struct http *http;
    struct conn *conn;         /* NULL: the connection is gone */
    struct evhttp_request *ev; /* NULL: libevent has freed it */
    enum request_state state;
    unsigned method; /* enum http_method */
    bool head, close;
    /* who asks */
    struct access_grant grant;
    char peer[46];
    const char *rest;       /* of a route that ends in an asterisk; in the target */
    struct http_form *form; /* parsed for its token, until a handler takes it */
    struct buf lines;       /* further headers of the reply: "\r\nName: value" */
    /* waiting for a page */
    TAILQ_ENTRY(http_request) wait;
    uint64_t want[TOPIC_COUNT]; /* sequences at its arrival: an older page will not do */
    unsigned tries;
    /* a stream */
    uint32_t topics;
    bool asked_system, pulse;
    unsigned stalls;
    /* from here on not cleared for each request */
    size_t store_size;
    struct wire_target target;
    char store[]; /* of target */
};
TAILQ_HEAD(request_list, http_request);

struct route {
    char *path;
    bool rest; /* the path goes on by one segment */
    unsigned methods;
    enum access_role role;
    http_handler handler;
    void *arg;
};

/* ---- pages (cache.c) ---- */
struct blob { /* bytes shared by replies in flight */
    int refs;
    size_t len;
    char bytes[];
};

struct version {
    struct script_page *page;
    char *head, *head_gzip, *head_304, *head_parts; /* ready header lines; see reply.c */
    struct blob *delta; /* what changed from here to the newest; NULL: no parts will do */
    bool delta_known;
};

struct view;
struct entry { /* one view with one set of declared parameters */
    struct entry *chain;
    TAILQ_ENTRY(entry) lru;
    LIST_ENTRY(entry) of_view;
    struct view *view;
    char *key;
    size_t hash, bytes;
    struct version versions[HTTP_VERSIONS]; /* newest first */
    size_t n_versions;
    uint64_t checked_turn;
    bool deps_fresh;
    bool gzip_wanted, gzip_tried; /* somebody accepts it; the newest was rendered with it in mind */
    int64_t rendered_ms;
};

struct flight { /* one render, and who waits for it */
    LIST_ENTRY(flight) of_view;
    struct http *http; /* NULL: the server is gone */
    struct view *view;
    char *key;
    enum access_role role;
    const char *locale; /* borrowed from the pool */
    struct script_param query[WIRE_QUERY_MAX];
    size_t n_query;
    char *store;
    struct request_list waiters;
    bool gzip, json;
};

struct view { /* one path; lives while it has an entry or a flight */
    struct view *chain;
    char *path;
    size_t hash;
    char **params; /* the declared ones; known once a page came */
    size_t n_params;
    bool known, pinned;
    bool localized; /* a page of it asked for its language: that is part of the key */
    LIST_HEAD(, entry) entries;
    LIST_HEAD(, flight) flights;
};

struct cache {
    struct view *views[HTTP_BUCKETS];
    struct entry *entries[HTTP_BUCKETS];
    struct buf key;                    /* of the request at hand */
    struct request_list looking;       /* wait for TOPIC_SYSTEM to move, which they caused */
    TAILQ_HEAD(entry_list, entry) lru; /* the front is the next to go */
};

/* ---- files (static.c) ---- */
struct file {
    TAILQ_ENTRY(file) lru;
    struct file *chain;
    char *name; /* below /static/ */
    struct blob *bytes, *gzip;
    uint64_t dev, ino, checked_turn;
    int64_t mtime_ns;
    char etag[48];
    const char *type;
};
struct statics {
    char **dirs;
    int *dir_fds;
    size_t n_dirs;
    struct file *files[256];
    TAILQ_HEAD(file_list, file) lru;
    size_t bytes;
};

/* ---- events (live.c) ---- */
struct live {
    struct {
        uint64_t seq;
        int64_t sent_ms;
        bool dirty;
    } topics[TOPIC_COUNT];
    int64_t heartbeat_ms;
    struct loop_timer *flush_timer, *beat_timer, *system_timer;
    unsigned n_clients, n_system;
    int64_t system_moved_ms;
    struct evbuffer *scratch;
};

/* ---- what happens (pulse.c) ---- */
struct pulse {
    struct pulse_item {
        char *json;
        bool keep;
    } waiting[PULSE_MAX]; /* the oldest first */
    size_t n;
    unsigned n_clients;
    int64_t sent_ms;
    struct loop_timer *timer;
};

struct http {
    LIST_ENTRY(http) instances;
    struct loop *loop;
    struct topics *topics;
    struct script_pool *pool;
    struct evhttp *ev;
    struct loop_owner owner;
    char **hosts;
    size_t n_hosts;
    char *version;
    const char *locale; /* configured; NULL: by each request. Borrowed from the pool */
    char date[40];      /* of date_s */
    int64_t date_s;
    const char *(*health)(void *arg);
    void *health_arg;
    struct access *access; /* NULL: everybody is an operator */
    struct guard guard;
    struct route routes[HTTP_ROUTES_MAX];
    size_t n_routes;
    struct cache cache;
    struct statics statics;
    struct live live;
    struct pulse pulse;
    struct http_stats stats;
    struct complain host_complaint;
    bool draining;
    loop_fn drained;
    void *drained_arg;
    struct loop_timer *drain_timer;
};

/* guard.c */
void guard_init(struct http *http, const struct http_conf *conf);
void guard_free(struct http *http); /* after evhttp_free() */
struct bufferevent *guard_accept(struct event_base *base, void *http);
struct conn *guard_conn(struct http *http, struct evhttp_request *ev); /* NULL: unknown */
void conn_state_set(struct conn *conn, enum conn_state state);
void conn_idle(struct conn *conn); /* its reply has left; the next request may come */
void conn_cut(struct conn *conn);  /* at once, whatever it does */
void guard_accept_update(struct http *http);
void guard_accept_error(struct http *http);

/* server.c */
void server_conn_closed(struct http *http);

/* request.c */
void request_arrived(struct evhttp_request *ev, void *http);
void request_complete(struct evhttp_request *ev, void *request);
void request_conn_closed(struct http_request *request);
bool request_host_allowed(struct http *http, const char *host);
void request_free(struct http_request *request);

/* gate.c */
enum access_role gate_page_role(const char *path);
/* Who asks, and whether that is enough; else the request is answered, and false. */
bool gate_pass(struct http_request *request, enum access_role role, bool is_page);

/* route.c */
void route_init(struct http *http);
void route_dispatch(struct http_request *request);
bool page_exists(const struct http_request *request); /* a view answers this path */

/* reply.c */
struct evbuffer *reply_body(struct http_request *request); /* NULL: nobody is there any more */
/* Header lines: "name: " and value, which may hold further "\r\nName: value" lines of ours. len is
 * the body's (HEAD adds no body). Ends the request. */
void reply_send(struct http_request *request, int status, const char *name, const char *value,
                size_t len);
void reply_stream(struct http_request *request, const char *type);
/* type, further lines ("\r\nAllow: GET"; "" for none), bytes copied. */
void reply_bytes(struct http_request *request, int status, const char *type, const char *lines,
                 const void *bytes, size_t len);
void reply_error(struct http_request *request, int status, const char *lines, const char *message);
void reply_blob(struct http_request *request, int status, const char *head, struct blob *blob);
struct blob *blob_new(size_t len);
struct blob *blob_ref(struct blob *blob);
void blob_unref(struct blob *blob);
void blob_add(struct evbuffer *out, struct blob *blob); /* by reference */

/* locale.c */
const char *request_locale(const struct http_request *request);
const char *locale_accepted(struct http *http, const char *accept_language); /* NULL: none */

/* cache.c */
void cache_init(struct http *http);
void cache_free(struct http *http);
void cache_serve(struct http_request *request);
void cache_system_moved(struct http *http);

/* page.c */
void version_init(struct http *http, struct version *version, struct script_page *page);
void version_clear(struct version *version);
void version_forget_delta(struct version *version);
size_t version_bytes(const struct version *version);
void page_reply(struct http_request *request, struct entry *entry);
void page_reply_once(struct http_request *request, struct script_page *page);

/* static.c */
void static_init(struct http *http, const struct http_conf *conf);
void static_free(struct http *http);
void static_serve(struct http_request *request);

/* live.c */
void live_init(struct http *http, const struct http_conf *conf);
void live_free(struct http *http);
void live_serve(struct http_request *request, void *arg);
void live_gone(struct http_request *request);
void live_end(struct http *http); /* end every stream, politely */
void live_send_all(struct http *http, const char *text, size_t len);
void live_send_pulse(struct http *http, struct blob *blob); /* to those who asked for it */

/* pulse.c */
void pulse_joined(struct http *http);
void pulse_left(struct http *http);
void pulse_clear(struct http *http);
#endif
