/* Pages through the cache, parts, errors, methods, names: a real server asked through sockets. */
#include "unit/test_http_server.h"

#include <unistd.h>

/* ---- pages and their cache ---- */

static void test_page(void **state)
{
    const struct reply *r = ask("GET /", "");
    assert_int_equal(r->status, 200);
    assert_string_equal(r->body, "<h1>herd 1</h1>");
    assert_string_equal(header(r, "Content-Type"), "text/html; charset=utf-8");
    assert_string_equal(header(r, "Cache-Control"), "no-cache");
    assert_string_equal(header(r, "Vary"), "Accept-Encoding");
    assert_string_equal(header(r, "X-Shepherd-Topics"), "herd");
    assert_string_equal(header(r, "X-Shepherd-Version"), "1.2.3");
    assert_non_null(header(r, "ETag"));
    assert_non_null(header(r, "Date"));
    ask("GET /parts", "");
    assert_string_equal(header(r, "X-Shepherd-Topics"), "herd,logs");
}

static void test_rendered_once_while_current(void **state)
{
    for (int i = 0; i < 10; i++)
        assert_string_equal(ask("GET /", "")->body, "<h1>herd 1</h1>");
    assert_int_equal(t.pool.n_renders, 1);
    assert_int_equal(stats().cache_hits, 9);
    move(TOPIC_LOGS); /* the page did not read it */
    ask("GET /", "");
    assert_int_equal(t.pool.n_renders, 1);
    move(TOPIC_HERD);
    assert_string_equal(ask("GET /", "")->body, "<h1>herd 2</h1>");
    assert_int_equal(t.pool.n_renders, 2);
}

static void test_files_changed(void **state)
{
    ask("GET /", "");
    t.pool.deps_stale = true;
    ask("GET /", "");
    assert_int_equal(t.pool.n_renders, 2);
    t.pool.deps_stale = false;
    ask("GET /", "");
    assert_int_equal(t.pool.n_renders, 2);
    t.pool.generation++; /* other override directories */
    ask("GET /", "");
    ask("GET /", "");
    assert_int_equal(t.pool.n_renders, 3);
    t.pool.deps_stale = t.pool.gone = true; /* the view was deleted */
    assert_int_equal(ask("GET /", "")->status, 404);
    assert_int_equal(stats().cache_entries, 0);
}

/* Requests of one turn share one look at the files. */
static void test_files_looked_at_once_a_turn(void **state)
{
    ask("GET /", "");
    unsigned before = t.pool.n_dep_checks;
    int fd = client_open();
    struct buf many = {0};
    enum { REQUESTS = 20 };
    for (int i = 0; i < REQUESTS; i++)
        buf_add_str(&many, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    client_send(fd, many.data);
    buf_free(&many);
    uint64_t hits = stats().cache_hits;
    int64_t until_ms = clock_mono_ms() + ANSWER_WITHIN_MS;
    while (stats().cache_hits < hits + REQUESTS && clock_mono_ms() < until_ms)
        loop_run_once(t.loop, 1);
    assert_int_equal(stats().cache_hits, hits + REQUESTS);
    assert_in_range(t.pool.n_dep_checks - before, 1, REQUESTS);
    close(fd);
}

static void test_max_age(void **state)
{
    ask("GET /brief", "");
    ask("GET /brief", "");
    assert_int_equal(t.pool.n_renders, 1);
    int64_t until_ms = clock_mono_ms() + 60;
    while (clock_mono_ms() < until_ms)
        loop_run_once(t.loop, 5);
    ask("GET /brief", "");
    assert_int_equal(t.pool.n_renders, 2);
    ask("GET /once", "");
    ask("GET /once", "");
    assert_int_equal(t.pool.n_renders, 4);
}

static void test_single_flight(void **state)
{
    enum { CLIENTS = 8 };
    int fds[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = client_open();
        client_send(fds[i], "GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n");
        loop_run_once(t.loop, 1);
    }
    for (int i = 0; i < CLIENTS; i++) {
        client_read(fds[i], &the_reply, false);
        assert_int_equal(the_reply.status, 200);
        close(fds[i]);
    }
    assert_int_equal(t.pool.n_renders, 1);
}

/* Who asks after a topic moved must not get a page that was begun before. */
static void test_no_older_than_the_question(void **state)
{
    int early = client_open(), late = client_open();
    client_send(early, "GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n");
    while (t.pool.n_renders == 0)
        loop_run_once(t.loop, 1);
    move(TOPIC_HERD);
    client_send(late, "GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n");
    client_read(early, &the_reply, false);
    assert_non_null(strstr(the_reply.body, "herd 1"));
    client_read(late, &the_reply, false);
    assert_non_null(strstr(the_reply.body, "herd 2"));
    assert_int_equal(t.pool.n_renders, 2);
    close(early);
    close(late);
}

static void test_declared_parameters_are_the_key(void **state)
{
    assert_string_equal(ask("GET /query?a=1", "")->body, "a=1;");
    assert_string_equal(ask("GET /query?a=1&junk=2", "")->body, "a=1;");
    assert_string_equal(ask("GET /query?junk=3&a=1", "")->body, "a=1;");
    assert_int_equal(t.pool.n_renders, 1);
    assert_string_equal(ask("GET /query?a=2", "")->body, "a=2;");
    assert_string_equal(ask("GET /query", "")->body, "");
    assert_string_equal(ask("GET /query?a=", "")->body, "a=;");
    assert_string_equal(ask("GET /query?a=x%20y", "")->body, "a=x y;");
    assert_int_equal(t.pool.n_renders, 5);
    assert_int_equal(stats().cache_entries, 5);
}

/* ---- the language of a page ---- */

static void test_language_of_a_request(void **state)
{
    static const struct {
        const char *accept, *language;
    } cases[] = {
        {"de", "de"},
        {"DE-at,de;q=0.9", "de"},
        {"fr,es;q=0.5,de;q=0.7", "de"},
        {"es;q=0.5 , de ; q=0.5", "es"},
        {"de;q=0, es;q=0.001", "es"},
        {"fr-CH, fr;q=0.9", "en"},
        {"pt-br;q=0.3,de;q=0.29", "pt-BR"},
        {"pt", "en"},
        {"*, de;q=0.9", "en"},
        {"de;q=", "en"},
        {"de;q=x;q=1", "en"},
        {",,; ,-,--,;q=1,de-", "de"},
        {"de;q=1.5,es;q=0.999", "de"},
        {"dee,d,de-DE-1996", "de"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *line = shep_asprintf("Accept-Language: %s\r\n", cases[i].accept);
        assert_string_equal(ask("GET /words", line)->body, cases[i].language);
        free(line);
    }
    assert_string_equal(ask("GET /words", "")->body, "en");
    assert_string_equal(ask("GET /words?lang=es", "Accept-Language: de\r\n")->body, "es");
    assert_string_equal(ask("GET /words?lang=xx", "Accept-Language: de\r\n")->body, "de");
    http_locale_set(t.http, "de");
    assert_string_equal(ask("GET /words", "Accept-Language: es\r\n")->body, "de");
    assert_string_equal(ask("GET /words?lang=en", "Accept-Language: es\r\n")->body, "en");
    http_locale_set(t.http, "auto");
    assert_string_equal(ask("GET /words", "Accept-Language: es\r\n")->body, "es");
}

/* A language is rendered once; a page that has no words is rendered once for all. */
static void test_language_is_in_the_key(void **state)
{
    static const char *const languages[] = {"", "Accept-Language: de\r\n",
                                            "Accept-Language: es\r\n"};
    for (size_t i = 0; i < 9; i++)
        ask("GET /words", languages[i % 3]);
    assert_int_equal(t.pool.n_renders, 3);
    assert_string_equal(header(&the_reply, "Vary"), "Accept-Encoding, Accept-Language");
    char *etag =
        shep_asprintf("Accept-Language: es\r\nIf-None-Match: %s\r\n", header(&the_reply, "ETag"));
    assert_int_equal(ask("GET /words", etag)->status, 304);
    assert_string_equal(header(&the_reply, "Vary"), "Accept-Encoding, Accept-Language");
    free(etag);
    t.pool.n_renders = 0;
    ask("GET /api/herd_data", "");
    for (size_t i = 0; i < 6; i++)
        ask("GET /api/herd_data", languages[i % 3]);
    assert_int_equal(t.pool.n_renders, 1);
    assert_string_equal(header(&the_reply, "Vary"), "Accept-Encoding");
}

/* Two who wait for one rendering each, in their own language. */
static void test_languages_in_flight(void **state)
{
    int german = client_open(), spanish = client_open();
    client_send(german, "GET /words HTTP/1.1\r\nHost: localhost\r\nAccept-Language: de\r\n\r\n");
    client_send(spanish, "GET /words?lang=es HTTP/1.1\r\nHost: localhost\r\n\r\n");
    client_read(german, &the_reply, false);
    assert_string_equal(the_reply.body, "de");
    client_read(spanish, &the_reply, false);
    assert_string_equal(the_reply.body, "es");
    close(german);
    close(spanish);
}

static void test_not_modified(void **state)
{
    char etag[64];
    snprintf(etag, sizeof etag, "%s", header(ask("GET /", ""), "ETag"));
    char *lines = shep_asprintf("If-None-Match: %s\r\n", etag);
    const struct reply *r = ask("GET /", lines);
    assert_int_equal(r->status, 304);
    assert_int_equal(r->body_len, 0);
    assert_string_equal(header(r, "ETag"), etag);
    assert_null(header(r, "Content-Length"));
    assert_non_null(header(r, "Content-Security-Policy"));
    move(TOPIC_HERD);
    assert_int_equal(ask("GET /", lines)->status, 200);
    free(lines);
    assert_int_equal(stats().not_modified, 1);
}

static void test_gzip(void **state)
{
    const struct reply *r = ask("GET /", "");
    assert_null(header(r, "Content-Encoding"));
    r = ask("GET /", "Accept-Encoding: gzip, br\r\n"); /* made now that somebody wants it */
    assert_string_equal(header(r, "Content-Encoding"), "gzip");
    assert_memory_equal(r->body, "GZIP: <h1>", 10);
    r = ask("GET /", "Accept-Encoding: gzip\r\n");
    assert_string_equal(header(r, "Content-Encoding"), "gzip");
    r = ask("GET /", "Accept-Encoding: gzip;q=0\r\n");
    assert_null(header(r, "Content-Encoding"));
    assert_string_equal(r->body, "<h1>herd 1</h1>");
    assert_int_equal(t.pool.n_renders, 2);
}

static void test_head(void **state)
{
    const struct reply *r = ask("HEAD /", "");
    assert_int_equal(r->status, 200);
    assert_int_equal(r->body_len, 0);
    assert_string_equal(header(r, "Content-Length"), "15");
    assert_int_equal(ask("HEAD /healthz", "")->status, 200);
}

static void test_cache_is_bounded(void **state)
{
    t.pool.bytes = 1 << 20;
    for (int i = 0; i < 40; i++) {
        char line[32];
        snprintf(line, sizeof line, "GET /bulk?n=%d", i);
        ask(line, "");
    }
    assert_in_range(stats().cache_bytes, 30 << 20, HTTP_CACHE_BYTES_MAX);
    assert_int_equal(t.pool.n_renders, 40);
    ask("GET /bulk?n=39", "");
    assert_int_equal(t.pool.n_renders, 40);
    ask("GET /bulk?n=0", ""); /* the first one went */
    assert_int_equal(t.pool.n_renders, 41);
}

static void test_history_of_versions_is_bounded(void **state)
{
    for (int i = 0; i < HTTP_VERSIONS + 3; i++) {
        ask("GET /", "");
        move(TOPIC_HERD);
    }
    assert_int_equal(t.pool.n_pages, HTTP_VERSIONS);
}

/* The daemon's own state stands still while nobody looks: who looks gets it as it is now. */
static void test_system_is_never_old(void **state)
{
    assert_string_equal(ask("GET /system", "")->body, "system 1");
    ask("GET /system", "");
    assert_int_equal(t.pool.n_renders, 1);
    t.http->live.system_moved_ms -= 60000;
    assert_string_equal(ask("GET /system", "")->body, "system 2");
    assert_string_equal(ask("GET /system", "")->body, "system 2");
    assert_int_equal(t.pool.n_renders, 2);
    t.http->live.system_moved_ms -= 60000; /* and also with the first page that is made of it */
    assert_string_equal(ask("GET /system", "Accept: application/json\r\n")->body, "system 3");
    assert_int_equal(t.pool.n_renders, 4);
}

/* ---- parts ---- */

static void test_parts(void **state)
{
    char *have = shep_asprintf("X-Shepherd-Have: %s\r\n", header(ask("GET /parts", ""), "ETag"));
    assert_int_equal(ask("GET /parts", have)->status, 304);
    move(TOPIC_LOGS);
    const struct reply *r = ask("GET /parts", have);
    assert_int_equal(r->status, 200);
    assert_string_equal(header(r, "Content-Type"), "text/vnd.shepherd.parts+html; charset=utf-8");
    assert_string_equal(r->body, "<tr data-key=\"row-1\"><td>2</td></tr>");
    assert_string_equal(header(r, "Cache-Control"), "no-store");
    assert_string_equal(header(r, "X-Shepherd-Topics"), "herd,logs");
    move(TOPIC_HERD);
    r = ask("GET /parts", have); /* from two versions back */
    assert_string_equal(r->body, "<tr data-key=\"row-0\"><td>2</td></tr>"
                                 "<tr data-key=\"row-1\"><td>2</td></tr>");
    assert_int_equal(stats().parts_replies, 2);
    char *now = shep_asprintf("X-Shepherd-Have: %s\r\n", header(r, "ETag"));
    assert_int_equal(ask("GET /parts", now)->status, 304);
    t.pool.skeleton = 7; /* the page around the parts is another */
    move(TOPIC_HERD);
    r = ask("GET /parts", now);
    assert_string_equal(header(r, "Content-Type"), "text/html; charset=utf-8");
    assert_memory_equal(r->body, "<table class=\"s7\">", 18);
    r = ask("GET /parts", "X-Shepherd-Have: W/\"unknown\"\r\n");
    assert_memory_equal(r->body, "<table", 6);
    free(have);
    free(now);
}

static void test_parts_of_a_version_long_gone(void **state)
{
    char *have = shep_asprintf("X-Shepherd-Have: %s\r\n", header(ask("GET /parts", ""), "ETag"));
    for (int i = 0; i < HTTP_VERSIONS; i++) {
        move(TOPIC_HERD);
        ask("GET /parts", "");
    }
    assert_memory_equal(ask("GET /parts", have)->body, "<table", 6);
    free(have);
}

/* ---- errors ---- */

static void test_errors_for_people_and_programs(void **state)
{
    const struct reply *r = ask("GET /nothing", "Accept: text/html\r\n");
    assert_int_equal(r->status, 404);
    assert_non_null(strstr(r->body, "<h1>404 Not Found</h1>"));
    assert_non_null(
        strstr(r->body, "href=\"/static/app.css\"")); /* it looks like the other pages */
    assert_string_equal(header(r, "Content-Type"), "text/html; charset=utf-8");
    r = ask("GET /api/nothing", "Accept: text/html\r\n");
    assert_int_equal(r->status, 404);
    assert_memory_equal(r->body, "{\"success\":false,\"message\":\"", 28);
    assert_string_equal(header(r, "Content-Type"), "application/json");
    r = ask("GET /nothing", "Accept: application/json\r\n");
    assert_memory_equal(r->body, "{\"success\":false", 16);
    assert_int_equal(t.pool.n_renders, 0);
}

static void test_failure_is_for_local_eyes(void **state)
{
    const struct reply *r = ask("GET /fail", "");
    assert_int_equal(r->status, 500);
    assert_non_null(strstr(r->body, "fail.html:12"));
    r = ask("GET /fail", "X-Forwarded-For: 10.0.0.9\r\n");
    assert_int_equal(r->status, 500);
    assert_null(strstr(r->body, "fail.html"));
    assert_int_equal(t.pool.n_renders, 2); /* failures are not kept */
    r = ask("GET /busy", "");
    assert_int_equal(r->status, 503);
    assert_string_equal(header(r, "Retry-After"), "2");
    assert_string_equal(header(r, "Cache-Control"), "no-store");
}

static void test_redirect_and_hostile_headers(void **state)
{
    const struct reply *r = ask("GET /moved", "");
    assert_int_equal(r->status, 303);
    assert_string_equal(header(r, "Location"), "/elsewhere");
    r = ask("GET /hostile", "");
    assert_int_equal(r->status, 200);
    assert_null(header(r, "X-Evil"));
    assert_null(header(r, "Location"));
    assert_string_equal(header(r, "Content-Type"), "text/plain; charset=utf-8");
}

static void test_security_headers(void **state)
{
    static const char *const lines[] = {
        "GET /", "GET /nothing", "GET /healthz", "GET /static/a.css", "POST /", "GET /fail"};
    static const char *const names[][2] = {
        {"X-Content-Type-Options", "nosniff"},
        {"Referrer-Policy", "same-origin"},
        {"Cross-Origin-Opener-Policy", "same-origin"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
        {"Content-Security-Policy",
         "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
         "object-src 'none'; base-uri 'none'; frame-ancestors 'self'; form-action 'self'"}};
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        const struct reply *r = ask(lines[i], "");
        for (size_t k = 0; k < ARRAY_LEN(names); k++) {
            const char *value = header(r, names[k][0]);
            if (!value || strcmp(value, names[k][1]) != 0)
                fail_msg("%s: %s: %s", lines[i], names[k][0], value ? value : "not there");
        }
        assert_null(header(r, "Access-Control-Allow-Origin"));
        assert_null(header(r, "Server"));
    }
}

/* Whoever edits a page may style in place; scripts stay what they are. */
static void test_edited_pages_may_style(void **state)
{
    static const char head[] = "Content-Security-Policy";
    char *etag = NULL;
    for (int i = 0; i < 2; i++) {
        const struct reply *r = ask("GET /edited", i ? etag : "");
        assert_int_equal(r->status, i ? 304 : 200);
        assert_non_null(strstr(header(r, head), "; style-src 'self' 'unsafe-inline'; "));
        assert_non_null(strstr(header(r, head), "; script-src 'self'; "));
        assert_string_equal(header(r, "X-Content-Type-Options"), "nosniff");
        if (!etag)
            etag = shep_asprintf("If-None-Match: %s\r\n", header(r, "ETag"));
    }
    free(etag);
}

/* ---- methods and routes ---- */

static void echo(struct http_request *request, void *arg)
{
    size_t len;
    const void *body = http_request_body(request, &len);
    assert_int_equal(http_request_method(request), HTTP_POST);
    http_reply(request, 200, "text/plain", body ? body : "", len);
}

static void test_methods(void **state)
{
    http_route(t.http, HTTP_POST, "/echo", echo, NULL);
    const struct reply *r = ask("POST /", "Content-Length: 0\r\n");
    assert_int_equal(r->status, 405);
    assert_string_equal(header(r, "Allow"), "GET, HEAD");
    static const char *const others[] = {"PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "FROB"};
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        char line[32];
        snprintf(line, sizeof line, "%s /", others[i]);
        r = ask(line, "");
        assert_int_equal(r->status, 405);
        assert_string_equal(header(r, "Allow"), "GET, HEAD");
        assert_string_equal(header(r, "Connection"), "close");
    }
    r = ask("GET /echo", "");
    assert_int_equal(r->status, 405);
    assert_string_equal(header(r, "Allow"), "POST");
    assert_int_equal(ask("POST /nothing", "Content-Length: 0\r\n")->status, 404);
    assert_int_equal(ask("POST /static/x", "Content-Length: 0\r\n")->status, 405);
    r = ask("POST /echo", "Content-Length: 7\r\n\r\nhello");
    assert_int_equal(r->status, 200);
    assert_string_equal(r->body, "hello\r\n");
}

static void test_post_from_elsewhere(void **state)
{
    http_route(t.http, HTTP_POST, "/echo", echo, NULL);
    static const struct {
        const char *lines;
        int status;
    } cases[] = {{"", 200},
                 {"Origin: http://localhost\r\n", 200},
                 {"Origin: http://evil.com\r\n", 403},
                 {"Origin: http://localhost:81\r\n", 403},
                 {"Origin: null\r\n", 403},
                 {"Sec-Fetch-Site: cross-site\r\n", 403},
                 {"Sec-Fetch-Site: same-site\r\n", 403},
                 {"Sec-Fetch-Site: same-origin\r\n", 200}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char lines[128];
        snprintf(lines, sizeof lines, "%sContent-Length: 0\r\n", cases[i].lines);
        int status = ask("POST /echo", lines)->status;
        if (status != cases[i].status)
            fail_msg("%s: %d", cases[i].lines, status);
    }
}

static const char *trouble;
static const char *health(void *arg)
{
    return trouble;
}

static void test_healthz(void **state)
{
    assert_string_equal(ask("GET /healthz", "")->body, "ok\n");
    http_health_set(t.http, health, NULL);
    trouble = "";
    assert_int_equal(ask("GET /healthz", "")->status, 200);
    trouble = "the disk is full";
    const struct reply *r = ask("GET /healthz", "");
    assert_int_equal(r->status, 503);
    assert_string_equal(r->body, "the disk is full");
}

static void test_hosts(void **state)
{
    char own[128] = "", lines[512];
    assert_int_equal(gethostname(own, sizeof own - 1), 0);
    const struct {
        const char *host;
        int status;
    } cases[] = {{"127.0.0.1", 200}, {"localhost:99", 200}, {"[::1]:8080", 200},    {own, 200},
                 {"evil.com", 421},  {"farm.lan", 421},     {"localhost.evil", 421}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        snprintf(lines, sizeof lines, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", cases[i].host);
        int status = ask_raw(lines)->status;
        if (status != cases[i].status)
            fail_msg("%s: %d", cases[i].host, status);
    }
    snprintf(lines, sizeof lines, "GET / HTTP/1.1\r\nHost: %.100s.local\r\n\r\n", own);
    assert_int_equal(ask_raw(lines)->status, 200);
    const char *more[] = {"farm.lan"};
    http_hosts_set(t.http, more, 1);
    assert_int_equal(ask_raw("GET / HTTP/1.1\r\nHost: FARM.lan:80\r\n\r\n")->status, 200);
    assert_int_equal(stats().rejected_host, 3);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_page),
        TEST(test_rendered_once_while_current),
        TEST(test_files_changed),
        TEST(test_files_looked_at_once_a_turn),
        TEST(test_max_age),
        TEST(test_single_flight),
        TEST(test_no_older_than_the_question),
        TEST(test_declared_parameters_are_the_key),
        TEST(test_language_of_a_request),
        TEST(test_language_is_in_the_key),
        TEST(test_languages_in_flight),
        TEST(test_edited_pages_may_style),
        TEST(test_not_modified),
        TEST(test_gzip),
        TEST(test_head),
        TEST(test_cache_is_bounded),
        TEST(test_history_of_versions_is_bounded),
        TEST(test_system_is_never_old),
        TEST(test_parts),
        TEST(test_parts_of_a_version_long_gone),
        TEST(test_errors_for_people_and_programs),
        TEST(test_failure_is_for_local_eyes),
        TEST(test_redirect_and_hostile_headers),
        TEST(test_security_headers),
        TEST(test_methods),
        TEST(test_post_from_elsewhere),
        TEST(test_healthz),
        TEST(test_hosts),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    reply_free(&the_reply);
    return failed;
}
