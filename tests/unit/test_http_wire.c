/* What arrives on the wire: the pure checks of core/http/wire.c, table by table. */
#include "unit/check.h"

#include "http/wire.h"

static struct wire_target target;
static char store[16384];

static int parse(const char *text)
{
    memset(store, 'X', sizeof store);
    return wire_target_parse(text, store, &target);
}

static void test_paths(void **state)
{
    static const struct {
        const char *target;
        int status;
        const char *path;
    } cases[] = {
        {"/", 0, "/"},
        {"/details/miner/BARN-01", 0, "/details/miner/BARN-01"},
        {"/a%20b", 0, "/a b"},
        {"/a+b", 0, "/a+b"},
        {"/gr%C3%BCn", 0, "/grün"},
        {"/grün", 0, "/grün"},
        {"/a%252e", 0, "/a%2e"}, /* decoded once, not twice */
        {"/...", 0, "/..."},
        {"/..a/b..", 0, "/..a/b.."},
        {"", 400, NULL},
        {"*", 400, NULL},
        {"x", 400, NULL},
        {"http://evil/x", 400, NULL},
        {"//evil/x", 400, NULL},
        {"/%2fevil", 400, NULL},
        {"/%2Fevil", 400, NULL},
        {"/..", 400, NULL},
        {"/.", 400, NULL},
        {"/a/../b", 400, NULL},
        {"/a/./b", 400, NULL},
        {"/a/..", 400, NULL},
        {"/%2e%2e/etc/passwd", 400, NULL},
        {"/a/%2E%2e", 400, NULL},
        {"/a%2f..%2fb", 400, NULL},
        {"/a%00b", 400, NULL},
        {"/a%0ab", 400, NULL},
        {"/a%7f", 400, NULL},
        {"/a%5cb", 400, NULL},
        {"/a\\b", 400, NULL},
        {"/a b", 400, NULL},
        {"/a\tb", 400, NULL},
        {"/a#b", 400, NULL},
        {"/a%", 400, NULL},
        {"/a%4", 400, NULL},
        {"/a%zz", 400, NULL},
        {"/a%4z", 400, NULL},
        {"/%ff", 400, NULL},
        {"/%c0%ae%c0%ae/x", 400, NULL}, /* overlong dots */
        {"/%ed%a0%80", 400, NULL},      /* a surrogate */
        {"/%f4%90%80%80", 400, NULL},   /* past the last code point */
        {"/%c3", 400, NULL},            /* cut short */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int status = parse(cases[i].target);
        if (status != cases[i].status)
            fail_msg("%s: %d, not %d", cases[i].target, status, cases[i].status);
        if (status == 0)
            assert_string_equal(target.path, cases[i].path);
    }
}

static void test_path_length(void **state)
{
    char text[WIRE_PATH_MAX + 3] = "/";
    memset(text + 1, 'a', WIRE_PATH_MAX - 1);
    assert_int_equal(parse(text), 0);
    text[WIRE_PATH_MAX] = 'a';
    assert_int_equal(parse(text), 414);
}

static void test_query(void **state)
{
    assert_int_equal(parse("/p?a=1&b=x+y%26z&&c&d=&=e&a=2"), 0);
    assert_string_equal(target.path, "/p");
    assert_string_equal(wire_query_get(&target, "a"), "1");
    assert_string_equal(wire_query_get(&target, "b"), "x y&z");
    assert_string_equal(wire_query_get(&target, "c"), "");
    assert_string_equal(wire_query_get(&target, "d"), "");
    assert_null(wire_query_get(&target, "e"));
    assert_int_equal(target.n_query, 5);
    assert_int_equal(parse("/p?text=a%0ab%09c"), 0); /* lines in a value are text */
    assert_string_equal(wire_query_get(&target, "text"), "a\nb\tc");
    assert_int_equal(parse("/p?a=%00"), 400);
    assert_int_equal(parse("/p?a=%1b"), 400);
    assert_int_equal(parse("/p?a%0a=1"), 400);
    assert_int_equal(parse("/p?a=%ff"), 400);
    assert_int_equal(parse("/p?a=%2"), 400);
    assert_int_equal(parse("/p?"), 0);
    assert_int_equal(target.n_query, 0);
}

static void test_query_count(void **state)
{
    char text[512] = "/p?";
    for (int i = 0; i < WIRE_QUERY_MAX; i++)
        strncat(text, "k&", sizeof text - strlen(text) - 1);
    assert_int_equal(parse(text), 0);
    assert_int_equal(target.n_query, WIRE_QUERY_MAX);
    strncat(text, "k", sizeof text - strlen(text) - 1);
    assert_int_equal(parse(text), 400);
}

/* The store is as large as the header says, and not a byte more is written. */
static void test_store_bound(void **state)
{
    static const char *const texts[] = {"/?a&b&c", "/?a=&b=&c=", "/a?b=c", "/?a=1&b",
                                        "/a%41?%41=%41"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        size_t size = strlen(texts[i]) + 2;
        char *small = malloc(size); /* AddressSanitizer watches its end */
        assert_int_equal(wire_target_parse(texts[i], small, &target), 0);
        free(small);
    }
}

static struct wire_scan scan(const char *bytes, size_t len, size_t step)
{
    struct wire_scan state = {0};
    for (size_t i = 0; i < len; i += step)
        wire_scan_bytes(&state, bytes + i, len - i < step ? len - i : step);
    return state;
}

static void test_scan(void **state)
{
#define CASE(text, bad, done)                                                                      \
    {                                                                                              \
        text, sizeof(text) - 1, bad, done                                                          \
    }
    static const struct {
        const char *bytes;
        size_t len;
        bool bad, done;
    } cases[] = {
        CASE("GET / HTTP/1.1\r\nHost: a\r\n\r\n", false, true),
        CASE("GET / HTTP/1.0\nHost: a\n\n", false, true),
        CASE("GET / HTTP/1.1\r\nHost: a\r\n", false, false),
        CASE("GET / HTTP/1.1\r\nA: x\ty\r\n\r\n", false, true),
        CASE("GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", true, true),
        CASE("GET / HTTP/1.1\r\nA: b\r\n\tc\r\n\r\n", true, true),
        CASE("GET / HTTP/1.1\r\nA: b\0c\r\n\r\n", true, true),
        CASE("GET / HTTP/1.1\r\nA: b\x1b\r\n\r\n", true, true),
        CASE("GET / HTTP/1.1\r\nA: b\x7f\r\n\r\n", true, true),
        CASE("GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n", true, true),
        CASE("GET / HTTP/1.1\r\r\n\r\n", true, true),
        CASE("POST / HTTP/1.1\r\nA: b\r\n\r\n\0\0 body\r", false, true),
        CASE("", false, false),
    };
#undef CASE
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (size_t step = 1; step < 5; step++) {
            struct wire_scan got = scan(cases[i].bytes, cases[i].len, step);
            if (got.bad != cases[i].bad || got.done != cases[i].done)
                fail_msg("case %zu in pieces of %zu: bad %d done %d", i, step, got.bad, got.done);
        }
}

static void test_scan_lines(void **state)
{
    struct buf text = {0};
    buf_add_str(&text, "GET / HTTP/1.1\r\n");
    for (int i = 1; i < WIRE_HEADER_LINES_MAX; i++)
        buf_printf(&text, "h%d: x\r\n", i);
    assert_false(scan(text.data, text.len, 1000).bad);
    buf_add_str(&text, "more: x\r\n");
    assert_true(scan(text.data, text.len, 1000).bad);
    buf_free(&text);
}

static void test_header_names(void **state)
{
    assert_true(wire_name_ok("X-Forwarded-For"));
    assert_false(wire_name_ok(""));
    assert_false(wire_name_ok("Host "));
    assert_false(wire_name_ok("Ho st"));
    assert_false(wire_name_ok("a\x80"));
    assert_false(wire_name_ok("a(b)"));
    assert_true(wire_name_may_repeat("Accept-Encoding"));
    assert_true(wire_name_may_repeat("x-forwarded-for"));
    assert_false(wire_name_may_repeat("Host"));
    assert_false(wire_name_may_repeat("Content-Length"));
    assert_false(wire_name_may_repeat("Cookie"));
    assert_true(wire_value_safe("text/html; charset=utf-8"));
    assert_false(wire_value_safe("a\r\nb"));
    assert_false(wire_value_safe("a\nb"));
}

static void test_accept_encoding(void **state)
{
    static const struct {
        const char *value;
        bool gzip;
    } cases[] = {{NULL, false},
                 {"", false},
                 {"gzip", true},
                 {"GZIP", true},
                 {"gzip, deflate, br", true},
                 {"br,gzip", true},
                 {"br;q=1.0, gzip;q=0.8", true},
                 {"gzip;q=0", false},
                 {"gzip; q=0.0", false},
                 {"gzip;q=0.01", true},
                 {"gzipped", false},
                 {"x-gzip", false},
                 {"identity", false}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (wire_accepts_gzip(cases[i].value) != cases[i].gzip)
            fail_msg("%s", cases[i].value);
}

static void test_etags(void **state)
{
    assert_true(wire_etag_in("W/\"abc\"", "W/\"abc\""));
    assert_true(wire_etag_in("\"abc\"", "W/\"abc\""));
    assert_true(wire_etag_in("\"x\", W/\"abc\"", "W/\"abc\""));
    assert_true(wire_etag_in("*", "W/\"abc\""));
    assert_false(wire_etag_in("\"abcd\"", "W/\"abc\""));
    assert_false(wire_etag_in("abc", "W/\"abc\""));
    assert_false(wire_etag_in(NULL, "W/\"abc\""));
    assert_false(wire_etag_in("*", ""));
}

static void test_hosts(void **state)
{
    static const struct {
        const char *host;
        enum wire_host kind;
        const char *name;
    } cases[] = {{"127.0.0.1", WIRE_HOST_IP, "127.0.0.1"},
                 {"127.0.0.1:8080", WIRE_HOST_IP, "127.0.0.1"},
                 {"192.168.1.20:80", WIRE_HOST_IP, "192.168.1.20"},
                 {"[::1]", WIRE_HOST_IP, "::1"},
                 {"[fe80::1]:8080", WIRE_HOST_IP, "fe80::1"},
                 {"LocalHost:1", WIRE_HOST_NAME, "localhost"},
                 {"pi.local.", WIRE_HOST_NAME, "pi.local"},
                 {"evil.com", WIRE_HOST_NAME, "evil.com"},
                 {"127.0.0.1.evil.com", WIRE_HOST_NAME, "127.0.0.1.evil.com"},
                 {"2130706433", WIRE_HOST_NAME, "2130706433"},
                 {"", WIRE_HOST_BAD, NULL},
                 {":80", WIRE_HOST_BAD, NULL},
                 {"a:b", WIRE_HOST_BAD, NULL},
                 {"a:80:90", WIRE_HOST_BAD, NULL},
                 {"a:123456", WIRE_HOST_BAD, NULL},
                 {"user@pi", WIRE_HOST_BAD, NULL},
                 {"a/b", WIRE_HOST_BAD, NULL},
                 {"a b", WIRE_HOST_BAD, NULL},
                 {"[::1", WIRE_HOST_BAD, NULL},
                 {"[::1]x", WIRE_HOST_BAD, NULL},
                 {"[evil]", WIRE_HOST_BAD, NULL},
                 {"::1", WIRE_HOST_BAD, NULL}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char name[64];
        enum wire_host kind = wire_host_parse(cases[i].host, name, sizeof name);
        if (kind != cases[i].kind)
            fail_msg("%s: %d", cases[i].host, kind);
        if (cases[i].name)
            assert_string_equal(name, cases[i].name);
    }
    char tiny[4];
    assert_int_equal(wire_host_parse("long", tiny, sizeof tiny), WIRE_HOST_BAD);
    assert_int_equal(wire_host_parse("[::1:2]", tiny, sizeof tiny), WIRE_HOST_BAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),           cmocka_unit_test(test_path_length),
        cmocka_unit_test(test_query),           cmocka_unit_test(test_query_count),
        cmocka_unit_test(test_store_bound),     cmocka_unit_test(test_scan),
        cmocka_unit_test(test_scan_lines),      cmocka_unit_test(test_header_names),
        cmocka_unit_test(test_accept_encoding), cmocka_unit_test(test_etags),
        cmocka_unit_test(test_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
