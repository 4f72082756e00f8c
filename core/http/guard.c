/* Connections and their bounds: how many in all and for each peer, how long a request may take to
 * arrive and a reply to leave, what happens when descriptors run out. evhttp has none of these: its
 * timeouts start anew with each byte. Thread: loop. */
#include "http/internal.h"

#include "util/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

enum {
    /* A body and the request behind it; what more a client sends waits in its own socket. */
    READ_HIGH_WATER = HTTP_BODY_MAX + HTTP_HEADERS_MAX,
    WRITE_AT_ONCE = 1 << 20 /* bufferevent's 16 KiB makes large replies 20 times slower */
};

/* ---- deadlines ----
 * All deadlines of a list are equally long, so the list is in order and a restart is a move to its
 * end: no timer is touched for a request. One timer stands at the earliest front. */

static void deadlines_run(void *arg);

static int64_t earliest_deadline(const struct guard *guard)
{
    const struct conn *reading = TAILQ_FIRST(&guard->lists[CONN_READING]);
    const struct conn *busy = TAILQ_FIRST(&guard->lists[CONN_BUSY]);
    int64_t due_ms = reading ? reading->deadline_ms : INT64_MAX;
    return busy && busy->deadline_ms < due_ms ? busy->deadline_ms : due_ms;
}

static void deadlines_arm(struct http *http, int64_t due_ms, int64_t now_ms)
{
    struct guard *guard = &http->guard;
    if (due_ms == INT64_MAX || (guard->deadline_timer && guard->deadline_due_ms <= due_ms))
        return;
    loop_timer_free(guard->deadline_timer);
    guard->deadline_due_ms = due_ms;
    guard->deadline_timer =
        loop_timer_new(http->loop, &http->owner, due_ms - now_ms + 1, 0, deadlines_run, http);
}

static void deadlines_run(void *arg)
{
    struct http *http = arg;
    struct guard *guard = &http->guard;
    guard->deadline_timer = NULL;
    int64_t now_ms = clock_mono_ms();
    static const enum conn_state timed[] = {CONN_READING, CONN_BUSY};
    for (size_t i = 0; i < ARRAY_LEN(timed); i++) {
        struct conn *conn;
        while ((conn = TAILQ_FIRST(&guard->lists[timed[i]])) && conn->deadline_ms <= now_ms) {
            if (conn->state == CONN_BUSY || conn->scan.begun)
                http->stats.rejected_deadline++;
            conn_cut(conn);
        }
    }
    deadlines_arm(http, earliest_deadline(guard), now_ms);
}

void conn_state_set(struct conn *conn, enum conn_state state)
{
    struct http *http = conn->http;
    TAILQ_REMOVE(&http->guard.lists[conn->state], conn, link);
    conn->state = state;
    TAILQ_INSERT_TAIL(&http->guard.lists[state], conn, link);
    if (state == CONN_STREAM || state == CONN_FRESH)
        return;
    int64_t now_ms = clock_mono_ms();
    conn->deadline_ms = now_ms + (state == CONN_READING ? http->guard.deadline_ms : HTTP_REPLY_MS);
    deadlines_arm(http, conn->deadline_ms, now_ms);
}

void conn_cut(struct conn *conn)
{
    evhttp_connection_free(conn->evcon); /* calls conn_closed() */
}

/* ---- peers ---- */

static bool peer_address(int fd, bool own_end, unsigned char out[16])
{
    struct sockaddr_storage addr;
    socklen_t len = sizeof addr;
    if ((own_end ? getsockname : getpeername)(fd, (struct sockaddr *)&addr, &len) != 0)
        return false;
    memset(out, 0, 16);
    if (addr.ss_family == AF_INET6) {
        memcpy(out, &((struct sockaddr_in6 *)&addr)->sin6_addr, 16);
    } else {
        out[10] = out[11] = 0xFF;
        memcpy(out + 12, &((struct sockaddr_in *)&addr)->sin_addr, 4);
    }
    return true;
}

static bool is_loopback(const unsigned char addr[16])
{
    struct in6_addr in6;
    memcpy(&in6, addr, 16);
    return IN6_IS_ADDR_LOOPBACK(&in6) || (IN6_IS_ADDR_V4MAPPED(&in6) && addr[12] == 127);
}

static void address_text(const unsigned char addr[16], char *out, size_t cap)
{
    struct in6_addr in6;
    memcpy(&in6, addr, 16);
    bool v4 = IN6_IS_ADDR_V4MAPPED(&in6);
    if (!inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? addr + 12 : addr, out, (socklen_t)cap))
        out[0] = '\0';
}

static struct peer **peer_slot(struct guard *guard, const unsigned char addr[16])
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < 16; i++)
        hash = (hash ^ addr[i]) * 16777619u;
    struct peer **slot = &guard->peers[hash % ARRAY_LEN(guard->peers)];
    while (*slot && memcmp((*slot)->addr, addr, 16) != 0)
        slot = &(*slot)->next;
    return slot;
}

static bool peer_join(struct conn *conn, const unsigned char addr[16])
{
    struct guard *guard = &conn->http->guard;
    struct peer **slot = peer_slot(guard, addr);
    if (!*slot) {
        *slot = shep_alloc(sizeof **slot);
        memcpy((*slot)->addr, addr, 16);
    }
    if ((*slot)->n_conns >= guard->max_per_peer)
        return false;
    (*slot)->n_conns++;
    conn->peer = *slot;
    return true;
}

static void peer_leave(struct conn *conn)
{
    if (!conn->peer || --conn->peer->n_conns > 0)
        return;
    struct peer **slot = peer_slot(&conn->http->guard, conn->peer->addr);
    *slot = conn->peer->next;
    free(conn->peer);
}

/* ---- the life of a connection ---- */

static void scan_input(struct conn *conn, struct evbuffer *input, size_t from, size_t len)
{
    while (len > 0 && !conn->scan.done) {
        struct evbuffer_ptr at;
        struct evbuffer_iovec piece;
        if (evbuffer_ptr_set(input, &at, from, EVBUFFER_PTR_SET) != 0 ||
            evbuffer_peek(input, (ev_ssize_t)len, &at, &piece, 1) < 1)
            return;
        size_t n = piece.iov_len < len ? piece.iov_len : len;
        wire_scan_bytes(&conn->scan, piece.iov_base, n);
        from += n;
        len -= n;
    }
}

/* Every byte passes here before evhttp sees it. */
static void on_bytes(struct evbuffer *input, const struct evbuffer_cb_info *info, void *arg)
{
    struct conn *conn = arg;
    if (info->n_added == 0 || conn->state != CONN_READING)
        return;
    if (!conn->scan.begun)
        conn_state_set(conn, CONN_READING); /* the deadline runs from the first byte */
    scan_input(conn, input, info->orig_size, info->n_added);
}

void conn_idle(struct conn *conn)
{
    conn->scan = (struct wire_scan){0};
    conn_state_set(conn, CONN_READING);
    struct evbuffer *input = bufferevent_get_input(conn->bev);
    scan_input(conn, input, 0, evbuffer_get_length(input)); /* pipelined: here already */
}

static void conn_closed(struct evhttp_connection *evcon, void *arg)
{
    struct conn *conn = arg;
    struct http *http = conn->http;
    if (conn->request)
        request_conn_closed(conn->request);
    evbuffer_remove_cb_entry(bufferevent_get_input(conn->bev), conn->bytes_cb);
    TAILQ_REMOVE(&http->guard.lists[conn->state], conn, link);
    http->guard.by_fd[conn->fd] = NULL;
    http->guard.n_conns--;
    peer_leave(conn);
    free(conn->spare);
    free(conn);
    server_conn_closed(http);
}

static void register_fd(struct conn *conn)
{
    struct guard *guard = &conn->http->guard;
    size_t fd = (size_t)conn->fd;
    if (fd >= guard->by_fd_cap) {
        size_t cap = fd + 64;
        guard->by_fd = shep_realloc(guard->by_fd, cap * sizeof(struct conn *));
        memset(guard->by_fd + guard->by_fd_cap, 0,
               (cap - guard->by_fd_cap) * sizeof(struct conn *));
        guard->by_fd_cap = cap;
    }
    guard->by_fd[fd] = conn;
}

/* evhttp has set itself as the argument of the bufferevent's callbacks; when it gave the connection
 * up meanwhile, it has cleared them. */
static bool conn_adopt(struct conn *conn)
{
    struct http *http = conn->http;
    void *evcon = NULL;
    bufferevent_getcb(conn->bev, NULL, NULL, NULL, &evcon);
    conn->fd = bufferevent_getfd(conn->bev);
    bool alive = evcon && conn->fd >= 0;
    bufferevent_decref(conn->bev);
    if (!alive)
        return false;
    conn->evcon = evcon;
    register_fd(conn);
    evhttp_connection_set_closecb(conn->evcon, conn_closed, conn);
    struct evbuffer *input = bufferevent_get_input(conn->bev);
    conn->bytes_cb = evbuffer_add_cb(input, on_bytes, conn);
    conn_state_set(conn, CONN_READING);
    unsigned char peer[16], own[16];
    if (!peer_address(conn->fd, false, peer) || !peer_address(conn->fd, true, own)) {
        conn_cut(conn); /* reset before we looked */
        return true;
    }
    conn->local = is_loopback(peer) || memcmp(peer, own, 16) == 0;
    address_text(peer, conn->peer_text, sizeof conn->peer_text);
    if ((!conn->local || http->guard.cap_local) && !peer_join(conn, peer)) {
        complain(&http->guard.peer_complaint, SHEP_LOG_WARN, "http",
                 "%s has %u connections open; its next ones are closed", conn->peer_text,
                 http->guard.max_per_peer);
        http->stats.rejected_limit++;
        conn_cut(conn);
    }
    return true;
}

/* The descriptor is not known yet inside evhttp's callback; this runs before the loop polls again,
 * so before the first byte is read. */
static void on_fresh(evutil_socket_t fd, short what, void *arg)
{
    struct http *http = arg;
    int64_t begun_us = loop_meter_begin();
    struct conn *conn;
    while ((conn = TAILQ_FIRST(&http->guard.lists[CONN_FRESH]))) {
        if (conn_adopt(conn))
            continue;
        TAILQ_REMOVE(&http->guard.lists[CONN_FRESH], conn, link);
        http->guard.n_conns--;
        free(conn);
    }
    loop_meter_end(&http->owner, begun_us);
}

struct bufferevent *guard_accept(struct event_base *base, void *arg)
{
    struct http *http = arg;
    struct bufferevent *bev = bufferevent_socket_new(base, -1, 0);
    if (!bev)
        return NULL; /* evhttp tries once more; request_arrived() refuses what we do not know */
    bufferevent_setwatermark(bev, EV_READ, 0, READ_HIGH_WATER);
    bufferevent_set_max_single_write(bev, WRITE_AT_ONCE);
    bufferevent_incref(bev); /* until conn_adopt() */
    struct conn *conn = shep_alloc(sizeof *conn);
    conn->http = http;
    conn->bev = bev;
    conn->state = CONN_FRESH;
    TAILQ_INSERT_TAIL(&http->guard.lists[CONN_FRESH], conn, link);
    event_active(http->guard.fresh_event, EV_TIMEOUT, 0);
    http->guard.n_conns++;
    guard_accept_update(http);
    return bev;
}

struct conn *guard_conn(struct http *http, struct evhttp_request *ev)
{
    struct evhttp_connection *evcon = evhttp_request_get_connection(ev);
    int fd = bufferevent_getfd(evhttp_connection_get_bufferevent(evcon));
    struct conn *conn =
        fd >= 0 && (size_t)fd < http->guard.by_fd_cap ? http->guard.by_fd[fd] : NULL;
    return conn && conn->evcon == evcon ? conn : NULL;
}

/* ---- accepting ---- */

void guard_accept_update(struct http *http)
{
    struct guard *guard = &http->guard;
    bool full = guard->n_conns >= guard->max_conns;
    if (full) {
        http->stats.rejected_limit++;
        complain(&guard->cap_complaint, SHEP_LOG_WARN, "http",
                 "%u connections are open, the most there may be; new ones wait", guard->n_conns);
    }
    bool pause = full || guard->accept_timer;
    if (pause == guard->paused)
        return;
    guard->paused = pause;
    for (size_t i = 0; i < guard->n_bound; i++) {
        struct evconnlistener *listener = evhttp_bound_socket_get_listener(guard->bound[i]);
        if (pause)
            evconnlistener_disable(listener);
        else
            evconnlistener_enable(listener);
    }
}

static void accept_again(void *arg)
{
    struct http *http = arg;
    http->guard.accept_timer = NULL;
    guard_accept_update(http);
}

/* Out of descriptors: the listener stays readable, so the loop would spin on accept(). */
void guard_accept_error(struct http *http)
{
    struct guard *guard = &http->guard;
    int error = errno;
    complain(&guard->fds_complaint, SHEP_LOG_ERROR, "http",
             "accepting a connection failed: %s; open connections go on, new ones wait %d ms",
             strerror(error), HTTP_EMFILE_PAUSE_MS);
    http->stats.accept_pauses++;
    if (!guard->accept_timer)
        guard->accept_timer =
            loop_timer_new(http->loop, &http->owner, HTTP_EMFILE_PAUSE_MS, 0, accept_again, http);
    guard_accept_update(http);
}

void guard_init(struct http *http, const struct http_conf *conf)
{
    struct guard *guard = &http->guard;
    for (size_t i = 0; i < CONN_STATES; i++)
        TAILQ_INIT(&guard->lists[i]);
    guard->deadline_ms = conf->deadline_ms ? conf->deadline_ms : HTTP_DEADLINE_MS;
    guard->max_conns = conf->max_connections ? conf->max_connections : HTTP_CONNECTIONS_MAX;
    guard->max_per_peer = conf->max_per_peer ? conf->max_per_peer : HTTP_PER_PEER_MAX;
    guard->cap_local = conf->cap_local;
    guard->fresh_event = event_new(loop_base(http->loop), -1, 0, on_fresh, http);
    if (!guard->fresh_event)
        abort(); /* only out of memory */
}

void guard_free(struct http *http)
{
    struct guard *guard = &http->guard;
    struct conn *conn;
    while ((conn = TAILQ_FIRST(&guard->lists[CONN_FRESH]))) {
        TAILQ_REMOVE(&guard->lists[CONN_FRESH], conn, link);
        bufferevent_decref(conn->bev);
        free(conn);
    }
    event_free(guard->fresh_event);
    loop_timer_free(guard->deadline_timer);
    loop_timer_free(guard->accept_timer);
    free(guard->by_fd);
}
