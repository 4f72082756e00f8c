/* The server as a whole: made, listening, drained, taken down. Thread: loop. */
#include "http/internal.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 1024 }; /* connections that wait while the loop does something else */

/* The accept error callback of libevent gets the struct evhttp, not an argument of ours. */
static LIST_HEAD(, http) instances = LIST_HEAD_INITIALIZER(instances);

static void on_accept_error(struct evconnlistener *listener, void *evhttp)
{
    struct http *http;
    LIST_FOREACH(http, &instances, instances)
    if (http->ev == evhttp) {
        guard_accept_error(http);
        return;
    }
}

static char **strings_dup(const char *const *strings, size_t n)
{
    char **copy = shep_alloc_array(n ? n : 1, sizeof *copy);
    for (size_t i = 0; i < n; i++)
        copy[i] = shep_strdup(strings[i]);
    return copy;
}

static void strings_free(char **strings, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(strings[i]);
    free(strings);
}

/* A write to a closed socket must be an error, not the end; main() does this too. */
static void ignore_sigpipe(void)
{
    struct sigaction now;
    if (sigaction(SIGPIPE, NULL, &now) == 0 && now.sa_handler == SIG_DFL)
        signal(SIGPIPE, SIG_IGN);
}

struct http *http_new(struct loop *loop, struct topics *topics, struct script_pool *pool,
                      const struct http_conf *conf)
{
    ignore_sigpipe();
    struct http *http = shep_alloc(sizeof *http);
    http->loop = loop;
    http->topics = topics;
    http->pool = pool;
    http->owner.name = "http";
    http->version = shep_strdup(conf->version);
    http_hosts_set(http, conf->hosts, conf->n_hosts);
    http->ev = evhttp_new(loop_base(loop));
    if (!http->ev)
        abort(); /* only out of memory */
    evhttp_set_max_headers_size(http->ev, HTTP_HEADERS_MAX);
    evhttp_set_max_body_size(http->ev, HTTP_BODY_MAX);
    evhttp_set_default_content_type(http->ev, "text/plain; charset=utf-8");
    evhttp_set_allowed_methods(http->ev, 0xFFFF); /* we answer the wrong ones ourselves: 405 */
    evhttp_set_bevcb(http->ev, guard_accept, http);
    evhttp_set_gencb(http->ev, request_arrived, http);
    guard_init(http, conf);
    cache_init(http);
    static_init(http, conf);
    live_init(http, conf);
    route_init(http);
    LIST_INSERT_HEAD(&instances, http, instances);
    return http;
}

void http_hosts_set(struct http *http, const char *const *hosts, size_t n_hosts)
{
    strings_free(http->hosts, http->n_hosts);
    http->hosts = strings_dup(hosts, n_hosts);
    http->n_hosts = n_hosts;
}

/* ---- listening ---- */

static int address_parse(const char *addr, uint16_t port, struct sockaddr_storage *out,
                         socklen_t *len_out)
{
    char name[128], service[8];
    size_t len = strlen(addr);
    bool bracketed = len > 1 && addr[0] == '[' && addr[len - 1] == ']';
    str_copy(name, sizeof name, addr + bracketed, len - 2u * bracketed);
    if (strcmp(name, "localhost") == 0)
        str_copy(name, sizeof name, "127.0.0.1", 9);
    snprintf(service, sizeof service, "%u", port);
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
                             .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL; /* numeric only: no name is looked up, nothing blocks */
    if (getaddrinfo(name, service, &hints, &found) != 0)
        return SHEP_E_CONFIG;
    memcpy(out, found->ai_addr, found->ai_addrlen);
    *len_out = found->ai_addrlen;
    freeaddrinfo(found);
    return 0;
}

static int socket_open(const struct sockaddr_storage *addr, socklen_t len)
{
    int fd = socket(addr->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* accepted sockets inherit it */
    if (addr->ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on,
                   sizeof on); /* 0.0.0.0 and [::] side by side */
    if (bind(fd, (const struct sockaddr *)addr, len) != 0 || listen(fd, BACKLOG) != 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

static uint16_t socket_port(int fd)
{
    struct sockaddr_storage addr;
    socklen_t len = sizeof addr;
    if (getsockname(fd, (struct sockaddr *)&addr, &len) != 0)
        return 0;
    return ntohs(addr.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&addr)->sin6_port
                                            : ((struct sockaddr_in *)&addr)->sin_port);
}

static int listen_failed(const char *addr, uint16_t port, int error, char *err, size_t err_cap)
{
    const char *remedy = "";
    int result = SHEP_E_IO;
    if (error == EADDRINUSE) {
        result = SHEP_E_BUSY;
        remedy = "; another program listens there: stop it (ss -ltnp shows which) or choose "
                 "another port with listen or --listen";
    } else if (error == EADDRNOTAVAIL) {
        result = SHEP_E_CONFIG;
        remedy = "; this host has no such address (ip addr shows them)";
    } else if (error == EACCES) {
        remedy = "; ports below 1024 need CAP_NET_BIND_SERVICE: choose a port above";
    }
    snprintf(err, err_cap, "cannot listen on %s port %u: %s%s", addr, port, strerror(error),
             remedy);
    return result;
}

int http_listen(struct http *http, const char *addr, uint16_t port, uint16_t *port_out, char *err,
                size_t err_cap)
{
    struct sockaddr_storage sockaddr;
    socklen_t len;
    if (address_parse(addr, port, &sockaddr, &len) != 0) {
        snprintf(err, err_cap,
                 "cannot listen on \"%s\": not an IP address; write one (127.0.0.1, 0.0.0.0, "
                 "[::1]) or localhost",
                 addr);
        return SHEP_E_CONFIG;
    }
    if (http->guard.n_bound == HTTP_LISTENERS_MAX) {
        snprintf(err, err_cap, "cannot listen on %s: %d addresses are the most there may be", addr,
                 HTTP_LISTENERS_MAX);
        return SHEP_E_CONFIG;
    }
    int fd = socket_open(&sockaddr, len);
    if (fd < 0)
        return listen_failed(addr, port, -fd, err, err_cap);
    struct evconnlistener *listener = evconnlistener_new(
        loop_base(http->loop), NULL, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
    struct evhttp_bound_socket *bound = listener ? evhttp_bind_listener(http->ev, listener) : NULL;
    if (!bound)
        abort(); /* only out of memory */
    evconnlistener_set_error_cb(listener, on_accept_error);
    http->guard.bound[http->guard.n_bound++] = bound;
    if (port_out)
        *port_out = socket_port(fd);
    return 0;
}

/* ---- the end ---- */

static void drain_finish(struct http *http)
{
    loop_timer_free(http->drain_timer);
    http->drain_timer = NULL;
    loop_fn done = http->drained;
    http->drained = NULL;
    if (done)
        loop_post(http->loop, done, http->drained_arg);
}

static void drain_timeout(void *arg)
{
    struct http *http = arg;
    http->drain_timer = NULL; /* it fired and freed itself */
    log_info("http", "%u connections did not end within %d ms; closing them", http->guard.n_conns,
             HTTP_DRAIN_MS);
    drain_finish(http);
}

void server_conn_closed(struct http *http)
{
    if (http->draining && http->guard.n_conns == 0 && http->drained)
        drain_finish(http);
    else if (http->guard.n_conns == http->guard.max_conns - 1)
        guard_accept_update(http);
}

static void close_idle(struct http *http)
{
    struct conn *conn = TAILQ_FIRST(&http->guard.lists[CONN_READING]);
    while (conn) {
        struct conn *next = TAILQ_NEXT(conn, link);
        if (!conn->scan.begun)
            conn_cut(conn);
        conn = next;
    }
}

void http_drain(struct http *http, loop_fn done, void *arg)
{
    if (http->draining)
        return;
    http->draining = true;
    for (size_t i = 0; i < http->guard.n_bound; i++)
        evhttp_del_accept_socket(http->ev, http->guard.bound[i]);
    http->guard.n_bound = 0;
    live_end(http);
    close_idle(http);
    http->drained = done;
    http->drained_arg = arg;
    if (http->guard.n_conns == 0)
        drain_finish(http);
    else
        http->drain_timer =
            loop_timer_new(http->loop, &http->owner, HTTP_DRAIN_MS, 0, drain_timeout, http);
}

void http_free(struct http *http)
{
    if (!http)
        return;
    http->drained = NULL;
    http->guard.n_bound = 0; /* evhttp_free() takes the listeners first */
    evhttp_free(http->ev);   /* closes every connection: each goes through conn_closed() */
    live_free(http);
    cache_free(http);
    static_free(http);
    guard_free(http);
    loop_timer_free(http->drain_timer);
    LIST_REMOVE(http, instances);
    for (size_t i = 0; i < http->n_routes; i++)
        free(http->routes[i].path);
    strings_free(http->hosts, http->n_hosts);
    free(http->version);
    free(http->owner.complaint);
    free(http);
}

void http_health_set(struct http *http, const char *(*fn)(void *arg), void *arg)
{
    http->health = fn;
    http->health_arg = arg;
}

void http_stats_get(const struct http *http, struct http_stats *out)
{
    *out = http->stats;
    out->connections = http->guard.n_conns;
    out->sse_clients = http->live.n_clients;
}
