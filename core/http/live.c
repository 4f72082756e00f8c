/* Server-sent events: tells browsers that a topic moved, never what moved (what happens is
 * pulse.c's to tell). One text for all clients, at most HTTP_SSE_PER_S a topic; the first move
 * after a pause goes out at once. A client that does not read is cut at HTTP_SSE_BACKLOG_MAX, or
 * when nothing of it moved for HTTP_SSE_STALLS_MAX heartbeats. No timer runs without a client.
 * Thread: loop. */
#include "http/internal.h"

#include "util/clock.h"

enum { GAP_MS = 1000 / HTTP_SSE_PER_S, EVENT_MAX = 64 };
#define ALL_TOPICS ((1u << TOPIC_COUNT) - 1u)

static void flush_due(void *arg);

/* false: the client was cut, since it has not taken what it was sent. */
static bool has_room(struct conn *conn, size_t len)
{
    struct http *http = conn->http;
    size_t waiting = evbuffer_get_length(bufferevent_get_output(conn->bev));
    if (waiting + len > HTTP_SSE_BACKLOG_MAX) {
        http->stats.sse_dropped++;
        conn_cut(conn);
        return false;
    }
    return true;
}

static void send_text(struct conn *conn, const char *text, size_t len)
{
    if (!has_room(conn, len))
        return;
    evbuffer_add(conn->http->live.scratch, text, len);
    evhttp_send_reply_chunk(conn->request->ev, conn->http->live.scratch);
}

static size_t event_format(char *out, size_t cap, enum topic topic, uint64_t seq)
{
    int n = snprintf(out, cap, "event: %s\ndata: {\"seq\":%llu}\n\n", topic_name(topic),
                     (unsigned long long)seq);
    return n > 0 && (size_t)n < cap ? (size_t)n : 0;
}

static struct conn *next_client(struct http *http, struct conn *conn)
{
    return conn ? TAILQ_NEXT(conn, link) : TAILQ_FIRST(&http->guard.lists[CONN_STREAM]);
}

static void send_topics(struct http *http, uint32_t due)
{
    char text[TOPIC_COUNT][EVENT_MAX];
    size_t len[TOPIC_COUNT];
    for (unsigned t = 0; t < TOPIC_COUNT; t++)
        len[t] = due & 1u << t
                     ? event_format(text[t], EVENT_MAX, (enum topic)t, http->live.topics[t].seq)
                     : 0;
    for (struct conn *conn = next_client(http, NULL), *next; conn; conn = next) {
        next = next_client(http, conn);
        char all[TOPIC_COUNT * EVENT_MAX];
        size_t n = 0;
        for (unsigned t = 0; t < TOPIC_COUNT; t++) {
            if (!(conn->request->topics & due & 1u << t))
                continue;
            memcpy(all + n, text[t], len[t]);
            n += len[t];
        }
        if (n)
            send_text(conn, all, n);
    }
}

/* Sends the dirty topics whose gap is over and sets the timer for the others. */
static void flush(struct http *http)
{
    struct live *live = &http->live;
    int64_t now_ms = clock_mono_ms(), wait_ms = INT64_MAX;
    uint32_t due = 0;
    for (unsigned t = 0; t < TOPIC_COUNT; t++) {
        if (!live->topics[t].dirty)
            continue;
        int64_t left_ms = live->topics[t].sent_ms + GAP_MS - now_ms;
        if (left_ms > 0) {
            wait_ms = left_ms < wait_ms ? left_ms : wait_ms;
            continue;
        }
        due |= 1u << t;
        live->topics[t].dirty = false;
        live->topics[t].sent_ms = now_ms;
    }
    if (due)
        send_topics(http, due);
    if (wait_ms != INT64_MAX && !live->flush_timer)
        live->flush_timer = loop_timer_new(http->loop, &http->owner, wait_ms, 0, flush_due, http);
}

static void flush_due(void *arg)
{
    struct http *http = arg;
    http->live.flush_timer = NULL;
    flush(http);
}

static void on_topic(enum topic topic, uint64_t seq, void *arg)
{
    struct http *http = arg;
    if (http->live.n_clients > 0) {
        http->live.topics[topic].seq = seq;
        http->live.topics[topic].dirty = true;
        flush(http);
    }
    if (topic == TOPIC_SYSTEM) {
        http->live.system_moved_ms = clock_mono_ms();
        cache_system_moved(http);
    }
}

/* A comment keeps proxies from closing the stream, and finds clients that went without a word. */
static void heartbeat(void *arg)
{
    struct http *http = arg;
    for (struct conn *conn = next_client(http, NULL), *next; conn; conn = next) {
        next = next_client(http, conn);
        bool moving = evbuffer_get_length(bufferevent_get_output(conn->bev)) == 0;
        conn->request->stalls = moving ? 0 : conn->request->stalls + 1;
        if (conn->request->stalls >= HTTP_SSE_STALLS_MAX) {
            http->stats.sse_dropped++;
            conn_cut(conn);
        } else {
            send_text(conn, ": hb\n\n", 6);
        }
    }
}

static void touch_system(void *arg)
{
    struct http *http = arg;
    topic_touch(http->topics, TOPIC_SYSTEM);
}

/* "herd,facts"; unknown names are left out. NULL or nothing known: every topic. */
static uint32_t topics_parse(const char *list)
{
    uint32_t topics = 0;
    while (list && *list) {
        char name[16];
        size_t len = strcspn(list, ",");
        str_copy(name, sizeof name, list, len);
        int topic = len < sizeof name ? topic_by_name(name) : -1;
        if (topic >= 0)
            topics |= 1u << topic;
        list += len + (list[len] == ',');
    }
    return topics;
}

static void client_added(struct http *http, struct http_request *request)
{
    struct live *live = &http->live;
    if (live->n_clients++ == 0) {
        for (unsigned t = 0; t < TOPIC_COUNT; t++)
            live->topics[t].dirty = false; /* left over from the last client */
        live->beat_timer = loop_timer_new(http->loop, &http->owner, live->heartbeat_ms,
                                          live->heartbeat_ms, heartbeat, http);
    }
    if (request->pulse)
        pulse_joined(http);
    if (request->asked_system && live->n_system++ == 0)
        live->system_timer = loop_timer_new(http->loop, &http->owner, HTTP_SYSTEM_MS,
                                            HTTP_SYSTEM_MS, touch_system, http);
}

static void greet(struct http_request *request)
{
    struct http *http = request->http;
    struct buf hello = {0};
    buf_printf(&hello, "retry: 2000\n\nevent: hello\ndata: {\"version\":\"%s\"}\n\n",
               http->version ? http->version : "");
    for (unsigned t = 0; t < TOPIC_COUNT; t++) {
        char text[EVENT_MAX];
        if (request->topics & 1u << t)
            buf_add(&hello, text,
                    event_format(text, sizeof text, (enum topic)t,
                                 topic_seq(http->topics, (enum topic)t)));
    }
    send_text(request->conn, hello.data, hello.len);
    buf_free(&hello);
}

void live_serve(struct http_request *request, void *arg)
{
    struct http *http = arg;
    if (request->head) {
        http_reply(request, 200, "text/event-stream", "", 0);
        return;
    }
    if (http->live.n_clients >= HTTP_SSE_MAX) {
        http->stats.rejected_limit++;
        reply_error(request, 503, "\r\nRetry-After: 10", "Too many browsers listen already.");
        return;
    }
    uint32_t asked = topics_parse(http_request_query(request, "topics"));
    request->topics = asked ? asked : ALL_TOPICS;
    request->asked_system = (asked & 1u << TOPIC_SYSTEM) != 0;
    request->pulse = str_eq(http_request_query(request, "pulse"), "1");
    reply_stream(request, "text/event-stream");
    client_added(http, request);
    greet(request);
}

void live_gone(struct http_request *request)
{
    struct live *live = &request->http->live;
    if (--live->n_clients == 0) {
        loop_timer_free(live->beat_timer);
        loop_timer_free(live->flush_timer);
        live->beat_timer = live->flush_timer = NULL;
    }
    if (request->pulse)
        pulse_left(request->http);
    if (request->asked_system && --live->n_system == 0) {
        loop_timer_free(live->system_timer);
        live->system_timer = NULL;
    }
}

void live_end(struct http *http)
{
    for (struct conn *conn = next_client(http, NULL), *next; conn; conn = next) {
        next = next_client(http, conn);
        struct http_request *request = conn->request;
        live_gone(request);
        request->state = REQUEST_ANSWERED;
        conn_state_set(conn, CONN_BUSY);
        evhttp_add_header(evhttp_request_get_output_headers(request->ev), "Connection", "close");
        evhttp_send_reply_end(request->ev); /* sent already; this makes evhttp close behind it */
    }
}

void live_send_all(struct http *http, const char *text, size_t len)
{
    for (struct conn *conn = next_client(http, NULL), *next; conn; conn = next) {
        next = next_client(http, conn);
        send_text(conn, text, len);
    }
}

void live_send_pulse(struct http *http, struct blob *blob)
{
    for (struct conn *conn = next_client(http, NULL), *next; conn; conn = next) {
        next = next_client(http, conn);
        if (!conn->request->pulse || !has_room(conn, blob->len))
            continue;
        blob_add(http->live.scratch, blob);
        evhttp_send_reply_chunk(conn->request->ev, http->live.scratch);
    }
}

void live_init(struct http *http, const struct http_conf *conf)
{
    http->live.heartbeat_ms = conf->heartbeat_ms ? conf->heartbeat_ms : HTTP_SSE_HEARTBEAT_MS;
    http->live.scratch = evbuffer_new();
    if (!http->live.scratch)
        abort(); /* only out of memory */
    http->live.system_moved_ms = clock_mono_ms();
    int64_t long_ago_ms = http->live.system_moved_ms - GAP_MS;
    for (unsigned t = 0; t < TOPIC_COUNT; t++)
        http->live.topics[t].sent_ms = long_ago_ms;
    topic_subscribe(http->topics, on_topic, http);
}

void live_free(struct http *http)
{
    evbuffer_free(http->live.scratch);
}
