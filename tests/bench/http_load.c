/* http_load PORT PATH CONNECTIONS SECS: asks 127.0.0.1 over CONNECTIONS keep-alive connections,
 * each again as soon as it was answered, and prints one JSON line: requests a second, time from
 * asking to the last byte, and how many connections were never answered at all (a mean hides
 * those). One thread; bodies are counted and thrown away. Replies need a Content-Length. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    HEAD_CAP = 8192,
    READ_CAP = 1 << 20,
    SAMPLES_MAX = 8 << 20, /* times kept for the percentiles; later ones only count */
    CONNECTIONS_MAX = 20000
};

struct client {
    int fd;
    uint64_t answers;
    int64_t asked_ns;
    size_t head_len;
    int64_t body_left; /* -1: still in the head */
    char head[HEAD_CAP];
};

static struct {
    int epoll;
    char request[512];
    size_t request_len;
    uint64_t answers, not_200, broken, bytes;
    int64_t body_len;
    uint32_t *us;
    size_t n_us;
    char *chunk;
} load;

static int64_t mono_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void ask(struct client *c)
{
    c->head_len = 0;
    c->body_left = -1;
    c->asked_ns = mono_ns();
    if (send(c->fd, load.request, load.request_len, MSG_NOSIGNAL) != (ssize_t)load.request_len)
        load.broken++;
}

static int client_open(struct client *c, const struct sockaddr_in *to)
{
    int on = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (const struct sockaddr *)to, sizeof *to))
        return -1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    return epoll_ctl(load.epoll, EPOLL_CTL_ADD, c->fd, &event);
}

static void client_close(struct client *c)
{
    load.broken++;
    close(c->fd);
    c->fd = -1;
}

static void answered(struct client *c)
{
    int64_t us = (mono_ns() - c->asked_ns) / 1000;
    if (load.n_us < SAMPLES_MAX)
        load.us[load.n_us++] = us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
    load.answers++;
    c->answers++;
    ask(c);
}

/* Takes bytes of the head; returns how many belonged to it, or -1 for a reply that we cannot read.
 */
static ssize_t head_take(struct client *c, const char *bytes, size_t len)
{
    size_t before = c->head_len;
    size_t n = len < HEAD_CAP - 1 - before ? len : HEAD_CAP - 1 - before;
    memcpy(c->head + before, bytes, n);
    c->head_len += n;
    c->head[c->head_len] = '\0';
    char *end = strstr(c->head, "\r\n\r\n");
    if (!end)
        return c->head_len + 1 < HEAD_CAP ? (ssize_t)n : -1;
    end[2] = '\0';
    const char *length = strcasestr(c->head, "\r\ncontent-length:");
    if (!length)
        return -1;
    c->body_left = load.body_len = strtoll(length + 17, NULL, 10);
    if (strncmp(c->head + 8, " 200", 4) != 0)
        load.not_200++;
    return end + 4 - c->head - (ssize_t)before;
}

static void client_read(struct client *c)
{
    ssize_t got = recv(c->fd, load.chunk, READ_CAP, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        client_close(c);
        return;
    }
    load.bytes += (uint64_t)got;
    for (const char *at = load.chunk; got > 0;) {
        ssize_t used = c->body_left < got ? (ssize_t)c->body_left : got;
        if (c->body_left >= 0)
            c->body_left -= used;
        else
            used = head_take(c, at, (size_t)got);
        if (used < 0) {
            client_close(c);
            return;
        }
        at += used;
        got -= used;
        if (c->body_left == 0)
            answered(c);
    }
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static double percentile_ms(double share)
{
    return load.n_us ? load.us[(size_t)((double)(load.n_us - 1) * share)] / 1e3 : 0;
}

static void report(const struct client *clients, int n, double secs)
{
    int never = 0;
    uint64_t least = UINT64_MAX;
    for (int i = 0; i < n; i++) {
        never += clients[i].answers == 0;
        least = clients[i].answers < least ? clients[i].answers : least;
    }
    qsort(load.us, load.n_us, sizeof *load.us, by_size);
    printf("{\"connections\":%d,\"secs\":%.3f,\"answers\":%llu,\"rps\":%.1f,\"body_bytes\":%lld,"
           "\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f,\"never_answered\":%d,"
           "\"fewest_answers\":%llu,\"not_200\":%llu,\"broken\":%llu}\n",
           n, secs, (unsigned long long)load.answers, (double)load.answers / secs,
           (long long)load.body_len, percentile_ms(0.5), percentile_ms(0.99), percentile_ms(1),
           never, (unsigned long long)least, (unsigned long long)load.not_200,
           (unsigned long long)load.broken);
}

static int run(const struct sockaddr_in *to, int n, double secs)
{
    struct client *clients = calloc((size_t)n, sizeof *clients);
    struct epoll_event events[256];
    if (!clients)
        return 1;
    for (int i = 0; i < n; i++)
        if (client_open(&clients[i], to)) {
            fprintf(stderr, "http_load: connection %d: %s\n", i, strerror(errno));
            return 1;
        }
    int64_t begin = mono_ns(), end = begin + (int64_t)(secs * 1e9);
    for (int i = 0; i < n; i++)
        ask(&clients[i]);
    while (mono_ns() < end) {
        int ready = epoll_wait(load.epoll, events, 256, 50);
        for (int i = 0; i < ready; i++)
            client_read(events[i].data.ptr);
    }
    report(clients, n, (double)(mono_ns() - begin) / 1e9);
    free(clients);
    return 0;
}

int main(int argc, char **argv)
{
    struct rlimit files;
    int n = argc == 5 ? atoi(argv[3]) : 0;
    if (n < 1 || n > CONNECTIONS_MAX) {
        fprintf(stderr, "usage: http_load PORT PATH CONNECTIONS SECS   (1 to %d connections)\n",
                CONNECTIONS_MAX);
        return 64;
    }
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    load.request_len =
        (size_t)snprintf(load.request, sizeof load.request,
                         "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%s\r\n\r\n", argv[2], argv[1]);
    load.us = malloc(SAMPLES_MAX * sizeof *load.us);
    load.chunk = malloc(READ_CAP);
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (load.request_len >= sizeof load.request || !load.us || !load.chunk || load.epoll < 0)
        return 1;
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)atoi(argv[1])),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return run(&to, n, atof(argv[4]));
}
