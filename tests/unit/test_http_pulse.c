/* The pulse: what happens, told to the browsers that asked for it. */
#include "unit/test_http_server.h"

#include <unistd.h>

static void listen_to(const char *line, int *fd, struct reply *reply)
{
    *fd = client_open();
    char *text = shep_asprintf("GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", line);
    client_send(*fd, text);
    free(text);
    int64_t until_ms = clock_mono_ms() + ANSWER_WITHIN_MS;
    while (!(reply->bytes.data && strstr(reply->bytes.data, "\"seq\""))) {
        assert_true(clock_mono_ms() < until_ms);
        loop_run_once(t.loop, 1);
        read_some(*fd, reply);
    }
}

static void wait_for(int fd, struct reply *reply, const char *what)
{
    int64_t until_ms = clock_mono_ms() + ANSWER_WITHIN_MS;
    while (!strstr(reply->bytes.data, what)) {
        if (clock_mono_ms() > until_ms)
            fail_msg("'%s' did not come; so far: %s", what, reply->bytes.data);
        loop_run_once(t.loop, 1);
        read_some(fd, reply);
    }
}

static unsigned count(const struct reply *reply, const char *what)
{
    unsigned n = 0;
    for (const char *p = reply->bytes.data; (p = strstr(p, what)); p++)
        n++;
    return n;
}

static void put(const char *name, int i, bool keep)
{
    char json[64];
    snprintf(json, sizeof json, "{\"%s\":%d}", name, i);
    http_pulse(t.http, json, keep);
}

static void let_go(int fd, struct reply *reply)
{
    unsigned before = stats().sse_clients;
    close(fd);
    reply_free(reply);
    int64_t until_ms = clock_mono_ms() + ANSWER_WITHIN_MS;
    while (stats().sse_clients == before && clock_mono_ms() < until_ms)
        loop_run_once(t.loop, 1);
}

static void test_only_who_asked_hears(void **state)
{
    struct reply plain = {0}, asked = {0};
    int plain_fd, asked_fd;
    listen_to("/events?topics=herd", &plain_fd, &plain);
    assert_false(http_pulse_wanted(t.http));
    http_pulse(t.http, "{\"n\":0}", true); /* to nobody: not kept for later */
    listen_to("/events?topics=herd&pulse=1", &asked_fd, &asked);
    assert_true(http_pulse_wanted(t.http));
    http_pulse(t.http, "{\"n\":1}", false);
    http_pulse(t.http, "{\"n\":2}", false);
    wait_for(asked_fd, &asked, "event: pulse\ndata: [{\"n\":1},{\"n\":2}]\n\n");
    assert_null(strstr(asked.bytes.data, "{\"n\":0}"));
    move(TOPIC_HERD);
    wait_for(plain_fd, &plain, "event: herd\ndata: {\"seq\":2}\n\n");
    assert_null(strstr(plain.bytes.data, "pulse"));
    assert_int_equal(stats().pulse_sent, 2);
    let_go(asked_fd, &asked);
    assert_false(http_pulse_wanted(t.http));
    let_go(plain_fd, &plain);
}

static void test_one_message_for_many(void **state)
{
    struct reply reply = {0};
    int fd, n = 0;
    listen_to("/events?topics=herd&pulse=1", &fd, &reply);
    int64_t begun_ms = clock_mono_ms();
    while (clock_mono_ms() < begun_ms + 1200) {
        put("n", ++n, false);
        loop_run_once(t.loop, 20);
        read_some(fd, &reply);
    }
    int64_t took_ms = clock_mono_ms() - begun_ms;
    char last[32];
    snprintf(last, sizeof last, "{\"n\":%d}]", n);
    wait_for(fd, &reply, last);
    assert_in_range(count(&reply, "event: pulse"), 2, 2 + (unsigned)(took_ms / 250));
    assert_int_equal(count(&reply, "{\"n\":"), n); /* and nothing is lost on the way */
    let_go(fd, &reply);
}

/* The newest win, but what is to be kept is never pushed out. */
static void test_flood(void **state)
{
    struct reply reply = {0};
    int fd;
    listen_to("/events?topics=herd&pulse=1", &fd, &reply);
    put("kept", 1, true);
    for (int i = 0; i < 200; i++)
        put("n", i, false);
    wait_for(fd, &reply, "{\"n\":199}]");
    assert_non_null(strstr(reply.bytes.data, "data: [{\"kept\":1},{\"n\":137},"));
    assert_int_equal(count(&reply, "{\"n\":"), PULSE_MAX - 1);
    assert_int_equal(stats().pulse_dropped, 200 - (PULSE_MAX - 1));
    for (int i = 0; i < PULSE_MAX + 5; i++)
        put("kept", 100 + i, true);
    put("n", 999, false); /* no room: only kept ones are there */
    wait_for(fd, &reply, "{\"kept\":163}]");
    assert_null(strstr(reply.bytes.data, "{\"n\":999}"));
    let_go(fd, &reply);
}

static void test_one_line_only(void **state)
{
    struct reply reply = {0};
    int fd;
    listen_to("/events?topics=herd&pulse=1", &fd, &reply);
    static char large[8192];
    memset(large, ' ', sizeof large - 1);
    http_pulse(t.http, "{\n\nevent: hello}", true);
    http_pulse(t.http, large, true);
    http_pulse(t.http, "{\"n\":1}", true);
    wait_for(fd, &reply, "data: [{\"n\":1}]\n\n");
    assert_int_equal(stats().pulse_dropped, 2);
    let_go(fd, &reply);
}

/* Gone while events wait for it: nothing is sent, nothing leaks. */
static void test_client_leaves(void **state)
{
    struct reply reply = {0};
    int fd;
    listen_to("/events?topics=herd&pulse=1", &fd, &reply);
    put("n", 1, false);
    wait_for(fd, &reply, "{\"n\":1}");
    put("n", 2, true);
    let_go(fd, &reply);
    listen_to("/events?topics=herd&pulse=1", &fd, &reply);
    put("n", 3, false);
    wait_for(fd, &reply, "data: [{\"n\":3}]");
    put("n", 4, false); /* and the server goes with one waiting */
    close(fd);
    reply_free(&reply);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_only_who_asked_hears), TEST(test_one_message_for_many), TEST(test_flood),
        TEST(test_one_line_only),        TEST(test_client_leaves),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    reply_free(&the_reply);
    return failed;
}
