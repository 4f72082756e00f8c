/* The HTTP room as a program: a server with a script pool made for tests, so that what guards it
 * can be tried without the rest of the daemon. Prints its port, ends at SIGTERM as the daemon does.
 *
 *     httpd_fixture [--deadline MS] [--heartbeat MS] [--max N] [--per-peer N] [--nofile N]
 *                   [--static DIR] [--listen ADDR]
 *
 * Besides the pages of unit/test_http_fake.h: /stats, /flood (64 KiB to every stream),
 * /touch?topic=, POST /echo. */
#include "http/internal.h"
#include "unit/test_http_fake.h"

#include <getopt.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

static struct {
    struct loop *loop;
    struct topics *topics;
    struct script_pool pool;
    struct http *http;
    struct loop_owner owner;
} f;

static void get_stats(struct http_request *request, void *arg)
{
    struct http_stats s;
    http_stats_get(f.http, &s);
    char text[1024];
    int n = snprintf(text, sizeof text,
                     "{\"connections\":%u,\"sse_clients\":%u,\"requests\":%llu,\"cache_hits\":%llu,"
                     "\"rejected_host\":%llu,\"rejected_deadline\":%llu,\"rejected_limit\":%llu,"
                     "\"accept_pauses\":%llu,\"sse_dropped\":%llu,\"renders\":%u}\n",
                     s.connections, s.sse_clients, (unsigned long long)s.requests,
                     (unsigned long long)s.cache_hits, (unsigned long long)s.rejected_host,
                     (unsigned long long)s.rejected_deadline, (unsigned long long)s.rejected_limit,
                     (unsigned long long)s.accept_pauses, (unsigned long long)s.sse_dropped,
                     f.pool.n_renders);
    http_reply(request, 200, "application/json", text, (size_t)n);
}

static void flood(struct http_request *request, void *arg)
{
    static char comment[65536];
    memset(comment, '.', sizeof comment);
    memcpy(comment, ": ", 2);
    memcpy(comment + sizeof comment - 2, "\n\n", 2);
    live_send_all(f.http, comment, sizeof comment);
    http_reply(request, 200, NULL, "", 0);
}

static void touch(struct http_request *request, void *arg)
{
    const char *name = http_request_query(request, "topic");
    int topic = name ? topic_by_name(name) : -1;
    if (topic >= 0)
        topic_touch(f.topics, (enum topic)topic);
    http_reply(request, topic >= 0 ? 200 : 400, NULL, "", 0);
}

static void echo(struct http_request *request, void *arg)
{
    size_t len;
    const void *body = http_request_body(request, &len);
    http_reply(request, 200, NULL, body ? body : "", len);
}

static void on_drained(void *arg)
{
    loop_stop(f.loop);
}

static void on_signal(int fd, uint32_t what, void *arg)
{
    struct signalfd_siginfo info;
    if (read(fd, &info, sizeof info) == sizeof info)
        http_drain(f.http, on_drained, NULL);
}

static int watch_sigterm(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void limit_files(const char *text)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = (rlim_t)atoi(text);
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        perror("setrlimit");
}

static void read_options(int argc, char **argv, struct http_conf *conf, const char **dir,
                         const char **listen)
{
    static const struct option options[] = {
        {"deadline", required_argument, NULL, 'd'}, {"heartbeat", required_argument, NULL, 'h'},
        {"max", required_argument, NULL, 'm'},      {"per-peer", required_argument, NULL, 'p'},
        {"nofile", required_argument, NULL, 'n'},   {"static", required_argument, NULL, 's'},
        {"listen", required_argument, NULL, 'l'},   {0}};
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'd':
            conf->deadline_ms = atoi(optarg);
            break;
        case 'h':
            conf->heartbeat_ms = atoi(optarg);
            break;
        case 'm':
            conf->max_connections = (unsigned)atoi(optarg);
            break;
        case 'p':
            conf->max_per_peer = (unsigned)atoi(optarg);
            conf->cap_local = true;
            break;
        case 'n':
            limit_files(optarg);
            break;
        case 's':
            *dir = optarg;
            break;
        case 'l':
            *listen = optarg;
            break;
        default:
            exit(64);
        }
    }
}

int main(int argc, char **argv)
{
    const char *dir = "/nonexistent", *listen = "127.0.0.1";
    struct http_conf conf = {.version = "fixture"};
    read_options(argc, argv, &conf, &dir, &listen);
    conf.static_dirs = &dir;
    conf.n_static_dirs = 1;
    f.owner.name = "fixture";
    int signals = watch_sigterm();
    f.loop = loop_new(0);
    f.topics = topics_new(f.loop);
    fake_pool_init(&f.pool, f.loop, f.topics);
    f.http = http_new(f.loop, f.topics, &f.pool, &conf);
    http_route(f.http, HTTP_GET, "/stats", get_stats, NULL);
    http_route(f.http, HTTP_GET, "/flood", flood, NULL);
    http_route(f.http, HTTP_GET, "/touch", touch, NULL);
    http_route(f.http, HTTP_POST, "/echo", echo, NULL);
    char err[256];
    uint16_t port;
    if (http_listen(f.http, listen, 0, &port, err, sizeof err) != 0) {
        fprintf(stderr, "%s\n", err);
        return 69;
    }
    struct loop_watch *watch =
        loop_watch_new(f.loop, &f.owner, signals, SHEP_WATCH_READ, on_signal, NULL);
    printf("%u\n", port);
    fflush(stdout);
    loop_run(f.loop);
    http_free(f.http);
    fake_pool_finish(&f.pool);
    loop_watch_free(watch);
    close(signals);
    topics_free(f.topics);
    loop_free(f.loop);
    return 0;
}
