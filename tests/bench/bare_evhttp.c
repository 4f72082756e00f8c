/* bare_evhttp FILE TYPE: the yardstick. The least that libevent's own HTTP server can be: every
 * request is answered with FILE's bytes, held in memory. With the two settings that make large
 * replies fast (TCP_NODELAY, and up to 1 MiB a write instead of 16 KiB) and nothing else: no
 * routes, no cache, no limits, no headers but the type. Prints its port. */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>

enum { ONE_WRITE = 1 << 20 };

struct page {
    char *bytes;
    size_t len;
    const char *type;
};

static void answer(struct evhttp_request *request, void *arg)
{
    const struct page *page = arg;
    struct evhttp_connection *connection = evhttp_request_get_connection(request);
    bufferevent_set_max_single_write(evhttp_connection_get_bufferevent(connection), ONE_WRITE);
    evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type", page->type);
    evbuffer_add_reference(evhttp_request_get_output_buffer(request), page->bytes, page->len, NULL,
                           NULL);
    evhttp_send_reply(request, 200, "OK", NULL);
}

static int page_read(const char *file, struct page *page)
{
    FILE *f = fopen(file, "rb");
    if (!f || fseek(f, 0, SEEK_END))
        return -1;
    page->len = (size_t)ftell(f);
    rewind(f);
    page->bytes = malloc(page->len + 1);
    int bad = !page->bytes || fread(page->bytes, 1, page->len, f) != page->len;
    fclose(f);
    return bad ? -1 : 0;
}

int main(int argc, char **argv)
{
    struct page page = {.type = argc == 3 ? argv[2] : NULL};
    struct rlimit files;
    int on = 1;
    if (argc != 3 || page_read(argv[1], &page)) {
        fprintf(stderr, "usage: bare_evhttp FILE TYPE\n");
        return 64;
    }
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    signal(SIGPIPE, SIG_IGN);
    struct event_base *base = event_base_new();
    struct evhttp *http = evhttp_new(base);
    evhttp_set_gencb(http, answer, &page);
    struct evhttp_bound_socket *bound = evhttp_bind_socket_with_handle(http, "127.0.0.1", 0);
    if (!bound)
        return 1;
    evutil_socket_t fd = evhttp_bound_socket_get_fd(bound);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* accepted sockets inherit it */
    struct sockaddr_in at;
    socklen_t len = sizeof at;
    getsockname(fd, (struct sockaddr *)&at, &len);
    printf("%d\n", ntohs(at.sin_port));
    fflush(stdout);
    return event_base_dispatch(base) < 0;
}
