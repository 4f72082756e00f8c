#include "unit/test_http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

struct http_test t;

int setup_with(struct http_conf conf)
{
    memset(&t, 0, sizeof t);
    t.loop = loop_new(0);
    t.topics = topics_new(t.loop);
    fake_pool_init(&t.pool, t.loop, t.topics);
    const char *dirs[2];
    for (int i = 0; i < 2; i++) {
        snprintf(t.dir[i], sizeof t.dir[i], "/tmp/test_http_XXXXXX");
        dirs[i] = mkdtemp(t.dir[i]);
        assert_non_null(dirs[i]);
    }
    conf.static_dirs = dirs;
    conf.n_static_dirs = 2;
    conf.version = "1.2.3";
    t.http = http_new(t.loop, t.topics, &t.pool, &conf);
    char err[256];
    assert_int_equal(http_listen(t.http, "127.0.0.1", 0, &t.port, err, sizeof err), 0);
    return 0;
}

int setup(void **state)
{
    return setup_with((struct http_conf){0});
}

int teardown(void **state)
{
    http_free(t.http);
    fake_pool_finish(&t.pool);
    for (int i = 0; i < 5; i++)
        loop_run_once(t.loop, 1); /* renders that were in flight land */
    for (int i = 0; i < 2; i++) {
        char *command = shep_asprintf("rm -rf '%s'", t.dir[i]);
        assert_int_equal(system(command), 0);
        free(command);
    }
    topics_free(t.topics);
    loop_free(t.loop);
    assert_int_equal(t.pool.n_pages, 0);
    return 0;
}

/* ---- a client ---- */

int client_open(void)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons(t.port),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof addr), 0);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

void client_send(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

void reply_free(struct reply *reply)
{
    buf_free(&reply->bytes);
    *reply = (struct reply){0};
}

/* One header's value in the reply; NULL: not there. */
const char *header(const struct reply *reply, const char *name)
{
    static char value[1024];
    char *line = shep_asprintf("\r\n%s: ", name);
    const char *found = strcasestr(reply->bytes.data, line);
    size_t skip = strlen(line);
    free(line);
    if (!found || (reply->body && found > reply->body))
        return NULL;
    found += skip;
    str_copy(value, sizeof value, found, strcspn(found, "\r"));
    return value;
}

static bool complete(struct reply *reply, bool head)
{
    const char *end = reply->bytes.data ? strstr(reply->bytes.data, "\r\n\r\n") : NULL;
    if (!end)
        return false;
    reply->body = end + 4;
    reply->body_len = reply->bytes.len - (size_t)(reply->body - reply->bytes.data);
    reply->status = atoi(reply->bytes.data + strlen("HTTP/1.1 "));
    const char *length = header(reply, "Content-Length");
    if (head || reply->status == 304)
        return true;
    return length && reply->body_len >= (size_t)atol(length);
}

void read_some(int fd, struct reply *reply)
{
    char piece[65536];
    ssize_t n;
    while ((n = recv(fd, piece, sizeof piece, 0)) > 0)
        buf_add(&reply->bytes, piece, (size_t)n);
    if (n == 0 || (n < 0 && errno != EAGAIN))
        reply->closed = true;
}

/* Turns the loop until the reply is whole, or the connection ended. */
void client_read(int fd, struct reply *reply, bool head)
{
    reply_free(reply);
    int64_t until_ms = clock_mono_ms() + ANSWER_WITHIN_MS;
    while (!complete(reply, head) && !reply->closed) {
        if (clock_mono_ms() > until_ms)
            fail_msg("no answer; so far: %s", reply->bytes.data ? reply->bytes.data : "nothing");
        loop_run_once(t.loop, 1);
        read_some(fd, reply);
    }
}

struct reply the_reply;

const struct reply *ask_raw(const char *text)
{
    int fd = client_open();
    client_send(fd, text);
    client_read(fd, &the_reply, strncmp(text, "HEAD", 4) == 0);
    close(fd);
    loop_run_once(t.loop, 1);
    return &the_reply;
}

/* method and path, further header lines ("A: b\r\n"). */
const struct reply *ask(const char *line, const char *lines)
{
    char *text = shep_asprintf("%s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", line, lines);
    ask_raw(text);
    free(text);
    return &the_reply;
}

bool run_until(bool (*done)(void))
{
    int64_t until_ms = clock_mono_ms() + ANSWER_WITHIN_MS;
    while (!done() && clock_mono_ms() < until_ms)
        loop_run_once(t.loop, 1);
    return done();
}

void move(enum topic topic)
{
    uint64_t seq = topic_seq(t.topics, topic);
    topic_touch(t.topics, topic);
    int64_t until_ms = clock_mono_ms() + ANSWER_WITHIN_MS;
    while (topic_seq(t.topics, topic) == seq && clock_mono_ms() < until_ms)
        loop_run_once(t.loop, 1);
    assert_true(topic_seq(t.topics, topic) > seq);
}

struct http_stats stats(void)
{
    struct http_stats now;
    http_stats_get(t.http, &now);
    return now;
}
