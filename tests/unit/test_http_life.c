/* Files, events, draining, deadlines: a real server asked through sockets. */
#include "unit/test_http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- files ---- */

static void file_put(int dir, const char *name, const char *text)
{
    char *path = path_join_dup(t.dir[dir], name);
    assert_int_equal(file_write_atomic(path, text, strlen(text), 0644), 0);
    free(path);
}

static void test_files(void **state)
{
    file_put(1, "app.css", "body{}");
    const struct reply *r = ask("GET /static/app.css", "");
    assert_int_equal(r->status, 200);
    assert_string_equal(r->body, "body{}");
    assert_string_equal(header(r, "Content-Type"), "text/css; charset=utf-8");
    assert_string_equal(header(r, "Cache-Control"), "no-cache");
    char *lines = shep_asprintf("If-None-Match: %s\r\n", header(r, "ETag"));
    assert_int_equal(ask("GET /static/app.css", lines)->status, 304);
    free(lines);
    r = ask("GET /static/app.css?v=abc", "");
    assert_string_equal(header(r, "Cache-Control"), "max-age=31536000, immutable");
    file_put(1, "app.css", "body{color:red}"); /* edited */
    assert_string_equal(ask("GET /static/app.css", "")->body, "body{color:red}");
    file_put(0, "app.css", "override"); /* a directory before it */
    assert_string_equal(ask("GET /static/app.css", "")->body, "override");
    char *path = path_join_dup(t.dir[0], "app.css");
    unlink(path);
    free(path);
    assert_string_equal(ask("GET /static/app.css", "")->body, "body{color:red}");
    assert_int_equal(ask("GET /static/none.css", "")->status, 404);
    assert_int_equal(ask("GET /static/", "")->status, 404);
    assert_int_equal(ask("HEAD /static/app.css", "")->status, 200);
}

static void test_file_compressed_before(void **state)
{
    file_put(1, "a.js", "plain");
    file_put(1, "a.js.gz", "packed");
    const struct reply *r = ask("GET /static/a.js", "Accept-Encoding: gzip\r\n");
    assert_string_equal(r->body, "packed");
    assert_string_equal(header(r, "Content-Encoding"), "gzip");
    assert_string_equal(header(r, "Content-Type"), "text/javascript; charset=utf-8");
    assert_string_equal(ask("GET /static/a.js", "")->body, "plain");
    char *path = path_join_dup(t.dir[1], "a.js.gz");
    struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
    free(path);
    file_put(1, "a.js", "edited"); /* its twin is of before the edit */
    r = ask("GET /static/a.js", "Accept-Encoding: gzip\r\n");
    assert_string_equal(r->body, "edited");
    assert_null(header(r, "Content-Encoding"));
}

static void test_file_directory_made_anew(void **state)
{
    file_put(1, "a.txt", "one");
    assert_string_equal(ask("GET /static/a.txt", "")->body, "one");
    char *path = path_join_dup(t.dir[1], "a.txt");
    unlink(path);
    free(path);
    assert_int_equal(rmdir(t.dir[1]), 0);
    assert_int_equal(mkdir(t.dir[1], 0755), 0);
    file_put(1, "a.txt", "two");
    assert_string_equal(ask("GET /static/a.txt", "")->body, "two");
}

static void test_files_stay_below(void **state)
{
    char *sub = path_join_dup(t.dir[1], "sub"), *link = path_join_dup(t.dir[1], "link");
    char *dirlink = path_join_dup(t.dir[1], "dir");
    mkdir(sub, 0755);
    file_put(1, "sub/in.txt", "in");
    assert_int_equal(symlink("/etc/passwd", link), 0);
    assert_int_equal(symlink("/etc", dirlink), 0);
    assert_string_equal(ask("GET /static/sub/in.txt", "")->body, "in");
    static const char *const outside[] = {"GET /static/link", "GET /static/dir/passwd",
                                          "GET /static/sub", "GET /static//etc/passwd"};
    for (size_t i = 0; i < ARRAY_LEN(outside); i++)
        assert_int_equal(ask(outside[i], "")->status, 404);
    static const char *const refused[] = {"GET /static/../x", "GET /static/%2e%2e/x",
                                          "GET /static/sub/..%2f..%2fx", "GET /static/a%00b"};
    for (size_t i = 0; i < ARRAY_LEN(refused); i++)
        assert_int_equal(ask(refused[i], "")->status, 400);
    free(sub);
    free(link);
    free(dirlink);
}

/* ---- events ---- */

static int listen_to(const char *line, struct reply *reply)
{
    int fd = client_open();
    char *text = shep_asprintf("GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", line);
    client_send(fd, text);
    free(text);
    int64_t until_ms = clock_mono_ms() + ANSWER_WITHIN_MS;
    while (!(reply->bytes.data && strstr(reply->bytes.data, "\"seq\"")) &&
           clock_mono_ms() < until_ms) {
        loop_run_once(t.loop, 1);
        read_some(fd, reply);
    }
    return fd;
}

static unsigned count(const struct reply *reply, const char *what)
{
    unsigned n = 0;
    for (const char *p = reply->bytes.data; p && (p = strstr(p, what)); p++)
        n++;
    return n;
}

static void listen_for(int fd, struct reply *reply, int64_t ms)
{
    int64_t until_ms = clock_mono_ms() + ms;
    while (clock_mono_ms() < until_ms) {
        loop_run_once(t.loop, 1);
        read_some(fd, reply);
    }
}

static void test_events(void **state)
{
    struct reply reply = {0};
    int fd = listen_to("/events?topics=herd,facts,unknown", &reply);
    assert_non_null(strstr(reply.bytes.data, "Content-Type: text/event-stream"));
    assert_non_null(strstr(reply.bytes.data, "retry: 2000\n\n"));
    assert_non_null(strstr(reply.bytes.data, "event: hello\ndata: {\"version\":\"1.2.3\"}\n\n"));
    assert_non_null(strstr(reply.bytes.data, "event: herd\ndata: {\"seq\":1}\n\n"));
    assert_non_null(strstr(reply.bytes.data, "event: facts\ndata: {\"seq\":1}\n\n"));
    assert_null(strstr(reply.bytes.data, "event: logs"));
    assert_int_equal(stats().sse_clients, 1);
    move(TOPIC_LOGS);
    move(TOPIC_HERD);
    listen_for(fd, &reply, 20); /* the first change goes out at once */
    assert_non_null(strstr(reply.bytes.data, "event: herd\ndata: {\"seq\":2}\n\n"));
    assert_null(strstr(reply.bytes.data, "event: logs"));
    close(fd);
    reply_free(&reply);
    int64_t until_ms = clock_mono_ms() + ANSWER_WITHIN_MS;
    while (stats().sse_clients && clock_mono_ms() < until_ms)
        loop_run_once(t.loop, 1);
    assert_int_equal(stats().sse_clients, 0);
}

static void test_events_four_a_second(void **state)
{
    struct reply reply = {0};
    int fd = listen_to("/events?topics=herd", &reply);
    int64_t begun_ms = clock_mono_ms();
    while (clock_mono_ms() < begun_ms + 1200) {
        topic_touch(t.topics, TOPIC_HERD);
        loop_run_once(t.loop, 5);
        read_some(fd, &reply);
    }
    int64_t took_ms = clock_mono_ms() - begun_ms;
    assert_in_range(count(&reply, "event: herd"), 3, 2 + (unsigned)(took_ms / 250));
    assert_true(topic_seq(t.topics, TOPIC_HERD) > 8); /* ten a second were published */
    listen_for(fd, &reply, 400);
    char last[64]; /* and the last one is not lost */
    snprintf(last, sizeof last, "{\"seq\":%llu}",
             (unsigned long long)topic_seq(t.topics, TOPIC_HERD));
    assert_non_null(strstr(reply.bytes.data, last));
    close(fd);
    reply_free(&reply);
}

static void test_system_moves_while_asked_for(void **state)
{
    struct reply reply = {0};
    int fd = listen_to("/events?topics=system", &reply);
    listen_for(fd, &reply, HTTP_SYSTEM_MS + 300);
    assert_non_null(strstr(reply.bytes.data, "event: system\ndata: {\"seq\":2}\n\n"));
    close(fd);
    reply_free(&reply);
    fd = listen_to("/events", &reply); /* everything, but nobody asked for system by name */
    uint64_t seq = topic_seq(t.topics, TOPIC_SYSTEM);
    listen_for(fd, &reply, HTTP_SYSTEM_MS + 300);
    assert_int_equal(topic_seq(t.topics, TOPIC_SYSTEM), seq);
    close(fd);
    reply_free(&reply);
}

static int setup_beats(void **state)
{
    return setup_with((struct http_conf){.heartbeat_ms = 50});
}

/* A laptop asleep: its socket takes nothing, and what waits for it stays far below the backlog. */
static void test_events_to_nobody(void **state)
{
    struct reply reply = {0};
    int fd = listen_to("/events", &reply);
    const struct conn *conn = TAILQ_FIRST(&t.http->guard.lists[CONN_STREAM]);
    struct evbuffer *output = bufferevent_get_output(conn->bev);
    static char comment[32768];
    memset(comment, '.', sizeof comment);
    int64_t until_ms = clock_mono_ms() + ANSWER_WITHIN_MS;
    while (stats().sse_clients && clock_mono_ms() < until_ms) {
        if (evbuffer_get_length(output) == 0) /* the kernel took it all: give it more */
            live_send_all(t.http, comment, sizeof comment);
        loop_run_once(t.loop, 5);
    }
    assert_int_equal(stats().sse_clients, 0);
    assert_int_equal(stats().sse_dropped, 1);
    close(fd);
    reply_free(&reply);
}

static void test_events_bound(void **state)
{
    enum { MORE = 3 };
    static int fds[HTTP_SSE_MAX + MORE];
    unsigned n = 0;
    for (; n < HTTP_SSE_MAX; n++) {
        fds[n] = client_open();
        client_send(fds[n], "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
        while (stats().sse_clients <= n)
            loop_run_once(t.loop, 1);
    }
    assert_int_equal(ask("GET /events", "")->status, 503);
    assert_int_equal(ask("GET /", "")->status, 200);
    while (n > 0)
        close(fds[--n]);
}

/* ---- life ---- */

static void on_drained(void *arg)
{
    t.drained = true;
}
static bool is_drained(void)
{
    return t.drained;
}

static void test_drain(void **state)
{
    struct reply events = {0}, slow = {0};
    int idle = client_open(), waiting = client_open();
    int stream = listen_to("/events", &events);
    client_send(waiting, "GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n");
    while (t.pool.n_renders == 0)
        loop_run_once(t.loop, 1);
    http_drain(t.http, on_drained, NULL);
    int late = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons(t.port),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(late, (struct sockaddr *)&addr, sizeof addr), -1);
    assert_int_equal(errno, ECONNREFUSED);
    client_read(waiting, &slow, false); /* what was in flight is answered */
    assert_int_equal(slow.status, 200);
    assert_string_equal(header(&slow, "Connection"), "close");
    assert_true(run_until(is_drained));
    read_some(stream, &events);
    assert_true(events.closed);
    assert_non_null(strstr(events.bytes.data, "\r\n0\r\n\r\n")); /* a clean end */
    assert_int_equal(stats().connections, 0);
    close(idle);
    close(waiting);
    close(stream);
    close(late);
    reply_free(&events);
    reply_free(&slow);
}

static void test_drain_gives_up(void **state)
{
    int fd = client_open();
    client_send(fd, "GET /never HTTP/1.1\r\nHost: localhost\r\n\r\n");
    while (t.pool.n_renders == 0)
        loop_run_once(t.loop, 1);
    int64_t begun_ms = clock_mono_ms();
    http_drain(t.http, on_drained, NULL);
    assert_true(run_until(is_drained));
    assert_in_range(clock_mono_ms() - begun_ms, HTTP_DRAIN_MS - 100, ANSWER_WITHIN_MS);
    close(fd);
}

static void test_drain_with_nobody(void **state)
{
    http_drain(t.http, on_drained, NULL);
    assert_false(t.drained); /* never from within the call */
    assert_true(run_until(is_drained));
}

/* Taken down with a stream, a waiting request and an idle connection: AddressSanitizer watches. */
static void test_freed_in_flight(void **state)
{
    struct reply events = {0};
    int fds[] = {client_open(), client_open(), client_open(), listen_to("/events", &events)};
    client_send(fds[0], "GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n");
    client_send(fds[1], "GET /never HTTP/1.1\r\nHost: localhost\r\n\r\n");
    while (t.pool.n_renders < 2)
        loop_run_once(t.loop, 1);
    http_free(t.http);
    t.http = NULL;
    int64_t until_ms = clock_mono_ms() + t.pool.slow_ms + 50;
    while (clock_mono_ms() < until_ms)
        loop_run_once(t.loop, 5); /* /slow lands nowhere */
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        close(fds[i]);
    reply_free(&events);
}

/* A client that went while its page was rendered costs nothing but the render. */
static void test_client_leaves_while_waiting(void **state)
{
    int fd = client_open();
    client_send(fd, "GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n");
    while (t.pool.n_renders == 0)
        loop_run_once(t.loop, 1);
    struct linger hard = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(fd); /* a reset */
    int64_t until_ms = clock_mono_ms() + ANSWER_WITHIN_MS;
    while (stats().connections && clock_mono_ms() < until_ms)
        loop_run_once(t.loop, 5);
    assert_int_equal(stats().connections, 0);
    assert_int_equal(ask("GET /slow", "")->status, 200);
    assert_int_equal(t.pool.n_renders, 1); /* the page was kept */
}

/* Rule 22: 16 KiB a write and Nagle make large replies 10 to 40 times slower. */
static void test_written_at_once(void **state)
{
    int fd = client_open(), nodelay = 0;
    while (stats().connections == 0)
        loop_run_once(t.loop, 1);
    const struct conn *conn = TAILQ_FIRST(&t.http->guard.lists[CONN_READING]);
    socklen_t len = sizeof nodelay;
    assert_int_equal(getsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &nodelay, &len), 0);
    assert_true(nodelay);
    assert_int_equal(bufferevent_get_max_single_write(conn->bev), 1 << 20);
    close(fd);
}

static void test_listen_errors(void **state)
{
    char err[256];
    uint16_t port;
    assert_int_equal(http_listen(t.http, "127.0.0.1", t.port, &port, err, sizeof err), SHEP_E_BUSY);
    assert_non_null(strstr(err, "another program listens there"));
    assert_int_equal(http_listen(t.http, "pi.local", 0, &port, err, sizeof err), SHEP_E_CONFIG);
    assert_non_null(strstr(err, "not an IP address"));
    assert_int_equal(http_listen(t.http, "203.0.113.1", 0, &port, err, sizeof err), SHEP_E_CONFIG);
    assert_int_equal(http_listen(t.http, "localhost", 0, &port, err, sizeof err), 0);
    assert_int_equal(http_listen(t.http, "[::1]", 0, &port, err, sizeof err), 0);
    assert_true(port > 0);
    assert_int_equal(http_listen(t.http, "::1", 0, &port, err, sizeof err), 0);
}

/* ---- the guard ---- */

static int setup_guard(void **state)
{
    return setup_with((struct http_conf){.deadline_ms = 300, .max_connections = 6});
}

static void test_deadline(void **state)
{
    int silent = client_open(), slow = client_open();
    client_send(slow, "GET / HT");
    int64_t begun_ms = clock_mono_ms();
    struct reply a = {0}, b = {0};
    while (!(a.closed && b.closed)) {
        assert_true(clock_mono_ms() < begun_ms + ANSWER_WITHIN_MS);
        loop_run_once(t.loop, 5);
        read_some(silent, &a);
        read_some(slow, &b);
    }
    assert_true(clock_mono_ms() >= begun_ms + 300);
    assert_int_equal(stats().rejected_deadline, 1);
    assert_int_equal(stats().connections, 0);
    close(silent);
    close(slow);
}

/* At the cap nobody is accepted; the deadline of the idle makes room again. */
static void test_cap(void **state)
{
    int fds[8];
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        fds[i] = client_open();
    for (int i = 0; i < 10; i++)
        loop_run_once(t.loop, 1);
    assert_int_equal(stats().connections, 6);
    assert_int_equal(ask("GET /", "")->status, 200);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        close(fds[i]);
}

#define TEST(fn)       cmocka_unit_test_setup_teardown(fn, setup, teardown)
#define GUARD_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup_guard, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_files),
        TEST(test_file_compressed_before),
        TEST(test_file_directory_made_anew),
        TEST(test_files_stay_below),
        TEST(test_events),
        TEST(test_events_four_a_second),
        TEST(test_system_moves_while_asked_for),
        TEST(test_events_bound),
        cmocka_unit_test_setup_teardown(test_events_to_nobody, setup_beats, teardown),
        TEST(test_drain),
        TEST(test_drain_gives_up),
        TEST(test_drain_with_nobody),
        TEST(test_freed_in_flight),
        TEST(test_client_leaves_while_waiting),
        TEST(test_written_at_once),
        TEST(test_listen_errors),
        GUARD_TEST(test_deadline),
        GUARD_TEST(test_cap),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    reply_free(&the_reply);
    return failed;
}
