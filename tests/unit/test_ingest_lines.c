/* Bytes to rows (CONTRACT "Lines"). Every case runs whole, byte by byte and cut at random. */
#include "check.h"

#include "unit/recorder.h"
#include "unit/toy_parser.h"

#include <sys/resource.h>

#define FFFD "\xEF\xBF\xBD"

static void check_len(const char *bytes, size_t len, const char *expected,
                      struct ingest_stats *stats)
{
    char *log = recorder_run(NULL, bytes, len, CUT_WHOLE, 0, stats);
    assert_string_equal(log, expected);
    free(log);
    for (unsigned seed = 0; seed < 20; seed++) {
        struct ingest_stats again;
        log = recorder_run(NULL, bytes, len, seed ? CUT_RANDOM : CUT_BYTES, seed, &again);
        assert_string_equal(log, expected);
        free(log);
        assert_memory_equal(&again, stats, sizeof(again));
    }
}

#define CHECK(bytes, expected)                                                                     \
    do {                                                                                           \
        struct ingest_stats stats_;                                                                \
        check_len(bytes, sizeof(bytes) - 1, expected, &stats_);                                    \
    } while (0)

static void ends(void **state)
{
    CHECK("a\nb\r\nc\rd\n", "row 1 a\nrow 2 b\nrow 3 c\nrow 4 d\n");
    CHECK("a\r\r\nb\n", "row 1 a\nrow 2 b\n");
    CHECK("a\r\r\r\nb\n", "row 1 a\nrow 2 b\n");
    CHECK("a\r\r\nb\rc\n", "row 1 a\nrow 2 b\nrow 3 c\n");
    CHECK("a\r\rb\n", "row 1 a\nrow 3 b\n"); /* a blank line between two CRs */
    CHECK("a\n\nb\n", "row 1 a\nrow 3 b\n");
    CHECK("a\n\r\nb\n", "row 1 a\nrow 3 b\n");
    CHECK("\r\n\r\n", "");
    CHECK("a", "row 1 a\n");
    CHECK("a\r", "row 1 a\n");
    CHECK("", "");
}

static void blank(void **state)
{
    struct ingest_stats stats;
    static const char text[] = "\n \t \nx\n\r\n\x1b[0m\r\n  \x1b[33m \n";
    check_len(text, sizeof(text) - 1, "row 3 x\n", &stats);
    assert_int_equal(stats.blank, 5);
    assert_int_equal(stats.lines, 1);
    static const char crs[] = "\r\r\r";
    check_len(crs, 3, "", &stats);
    assert_int_equal(stats.blank, 3);
}

static void bad_bytes(void **state)
{
    struct ingest_stats stats;
    static const char nul[] = "a\0b\x01\x7f\tc\n";
    check_len(nul, sizeof(nul) - 1, "row 1 a" FFFD "b" FFFD FFFD "\tc\n", &stats);
    assert_int_equal(stats.bad_bytes, 3);
    static const char cut[] = "\xe2\x82x\n";
    check_len(cut, sizeof(cut) - 1, "row 1 " FFFD "x\n", &stats); /* two bytes, one U+FFFD */
    assert_int_equal(stats.bad_bytes, 2);
    CHECK("\xf0\x80\x80\x80|\n", "row 1 " FFFD FFFD FFFD FFFD "|\n"); /* overlong */
    CHECK("\xff\xff\xff\n", "row 1 " FFFD FFFD FFFD "\n");
    CHECK("25 °C → ₿ 😀\n", "row 1 25 °C → ₿ 😀\n");
    CHECK("\xe2\x82x\n", "row 1 " FFFD "x\n"); /* cut character: one */
    CHECK("\xe2\x82\n", "row 1 " FFFD "\n");   /* by the line end too */
    CHECK("\xe2\x82", "row 1 " FFFD "\n");     /* and the stream's */
    CHECK("\xf0\x9f\x98\xe2\x82\xbf\n", "row 1 " FFFD "₿\n");
    CHECK("\xc0\xaf|\n", "row 1 " FFFD FFFD "|\n");                   /* overlong */
    CHECK("\xe0\x80\x80|\n", "row 1 " FFFD FFFD FFFD "|\n");          /* */
    CHECK("\xed\xa0\x80|\n", "row 1 " FFFD FFFD FFFD "|\n");          /* surrogate */
    CHECK("\xf4\x90\x80\x80|\n", "row 1 " FFFD FFFD FFFD FFFD "|\n"); /* over U+10FFFF */
    CHECK("\xf5|\x80|\n", "row 1 " FFFD "|" FFFD "|\n");
    CHECK("\xc2\x9b"
          "31m\n",
          "row 1 " FFFD "31m\n"); /* C1 control CSI */
    CHECK("caf\xe9 au lait\n", "row 1 caf" FFFD " au lait\n");
}

static void escapes(void **state)
{
    CHECK("\x1b[32m[I/NM] text\x1b[0m\r\n", "row 1 [I/NM] text\n");
    CHECK("\x1b[0;32mI (123) tag: msg\x1b[0m\n", "row 1 I (123) tag: msg\n");
    CHECK("code [\x1b[0m\x1b[33m1d\x1b[0m\x1b[33m22\x1b[33m]\n", "row 1 code [1d22]\n");
    CHECK("a\x1b[2Jb\x1b[1;1Hc\x1b[?25ld\x1b[0 qe\x1b[@f\x1b[~g\n", "row 1 abcdefg\n");
    CHECK("a\x1b[0;3\r\nrest of it\n", "row 1 a\nrow 2 rest of it\n"); /* cut by the line end */
    CHECK("a\x1b[0;3", "row 1 a\n");                                   /* by the stream's */
    CHECK("a\x1b[31\xc2\xb0"
          "C\n",
          "row 1 a" FFFD "[31°C\n"); /* none: stays */
    CHECK("a\x1b[1\x1b[0mb\n", "row 1 a" FFFD "[1b\n");
    CHECK("a\x1b"
          "cb\x1b\x1b[0mc\n",
          "row 1 a" FFFD "cb" FFFD "c\n");
    CHECK("a\x1b[ 12 345 shares\n", "row 1 a" FFFD "[ 12 345 shares\n"); /* its end was lost */
    CHECK("a\x1b[1111111111111111111111111111111111111111 tail\n",
          "row 1 a" FFFD "[1111111111111111111111111111111111111111 tail\n");
}

static void truncation(void **state)
{
    struct buf in = {0}, expected = {0};
    struct ingest_stats stats;
    for (int extra = 0; extra < 2; extra++) {
        buf_clear(&in);
        buf_clear(&expected);
        buf_add_str(&expected, extra ? "row 1 T " : "row 1 ");
        for (int i = 0; i < SHEP_LINE_MAX + extra; i++)
            buf_add(&in, "x", 1);
        buf_add(&expected, in.data, SHEP_LINE_MAX);
        buf_add_str(&in, "\x1b[0m\r\nnext\n");
        buf_add_str(&expected, "\nrow 2 next\n");
        check_len(in.data, in.len, expected.data, &stats);
        assert_int_equal(stats.truncated, extra);
    }
    /* never half a character: three bytes each, 16,384 is no multiple of three */
    buf_clear(&in);
    buf_clear(&expected);
    buf_add_str(&expected, "row 1 T ");
    for (int i = 0; i < SHEP_LINE_MAX / 3 + 1; i++)
        buf_add_str(&in, "₿");
    buf_add(&expected, in.data, SHEP_LINE_MAX / 3 * 3);
    buf_add_str(&in, "x\n");
    buf_add_str(&expected, "\n");
    check_len(in.data, in.len, expected.data, &stats);
    /* what follows a character that did not fit is dropped, though it would */
    buf_clear(&in);
    buf_clear(&expected);
    for (int i = 0; i < SHEP_LINE_MAX - 2; i++)
        buf_add(&in, "x", 1);
    buf_add_str(&expected, "row 1 T ");
    buf_add(&expected, in.data, in.len);
    buf_add_str(&expected, "\n");
    buf_add_str(&in, "\x1b[1°\n");
    check_len(in.data, in.len, expected.data, &stats);
    /* a secret at the cut is masked, though the mask does not fit either */
    buf_clear(&in);
    for (int i = 0; i < SHEP_LINE_MAX - 7; i++)
        buf_add(&in, "x", 1);
    buf_add_str(&in, " pwd: hunter2\n");
    char *log = recorder_run(NULL, in.data, in.len, CUT_WHOLE, 0, &stats);
    assert_null(strstr(log, "hu"));
    assert_non_null(strstr(log, " pwd: *\n"));
    assert_int_equal(stats.truncated, 1);
    free(log);
    buf_free(&in);
    buf_free(&expected);
}

/* A line of 1 GB in chunks of 64 KiB: constant memory, and the next line is there. */
static void endless_line(void **state)
{
    enum { CHUNK = 65536 };
    char *chunk = shep_alloc(CHUNK);
    memset(chunk, 'x', CHUNK);
    struct recorder rec;
    struct rusage before, after;
    recorder_open(&rec, NULL, "auto", false);
    getrusage(RUSAGE_SELF, &before);
    for (int i = 0; i < 16384; i++)
        ingest_feed(rec.stream, chunk, CHUNK, 1000);
    recorder_feed(&rec, "\nnext\n");
    getrusage(RUSAGE_SELF, &after);
    assert_true(after.ru_maxrss - before.ru_maxrss < 4096); /* KiB */
    struct ingest_stats stats;
    char *log = recorder_close(&rec, &stats);
    assert_int_equal(stats.lines, 2);
    assert_int_equal(stats.truncated, 1);
    assert_int_equal(strlen(log), strlen("row 1 T \nrow 2 next\n") + SHEP_LINE_MAX);
    free(log);
    free(chunk);
}

static void garbage(void **state)
{
    enum { SIZE = 200000 };
    char *bytes = shep_alloc(SIZE);
    unsigned seed = 7;
    for (size_t i = 0; i < SIZE; i++) {
        seed = seed * 1103515245u + 12345u;
        bytes[i] = (char)(seed >> 16);
    }
    struct ingest_stats stats, again;
    char *log = recorder_run(&toy_parsers, bytes, SIZE, CUT_WHOLE, 0, &stats);
    for (unsigned s = 0; s < 4; s++) {
        char *other =
            recorder_run(&toy_parsers, bytes, SIZE, s ? CUT_RANDOM : CUT_BYTES, s, &again);
        assert_string_equal(log, other);
        assert_memory_equal(&stats, &again, sizeof(stats));
        free(other);
    }
    assert_true(stats.bad_bytes > SIZE / 3);
    free(log);
    free(bytes);
}

static void monitor_time(void **state)
{
    struct recorder rec;
    recorder_open(&rec, NULL, "auto", true);
    recorder_feed(&rec,
                  "21:43:26.553 > hello\r\n21:43:26.553 > \r\n21:43:26.553 >\n21:43:26.553 > ° \n"
                  "21:43:26.553> no\n1:43:26.553 > no\n a 21:43:26.553 > no\n"
                  "21:43:26.553 > 21:43:26.553 > once\n21:43:26.553 > pwd: x\n");
    char *log = recorder_close(&rec, NULL);
    assert_string_equal(log,
                        "row 1 hello\nrow 4 ° \nrow 5 21:43:26.553> no\nrow 6 1:43:26.553 > no\n"
                        "row 7  a 21:43:26.553 > no\nrow 8 21:43:26.553 > once\nrow 9 pwd: ***\n");
    free(log);
    recorder_open(&rec, NULL, "auto", false);
    recorder_feed(&rec, "21:43:26.553 > hello\n");
    log = recorder_close(&rec, NULL);
    assert_string_equal(log, "row 1 21:43:26.553 > hello\n");
    free(log);
}

/* A value on the line behind its key, which looks harmless alone. */
static void secret_over_lines(void **state)
{
    CHECK("\"poolPassword\":\n\n\"hunter2\"\n\"hunter2\"\n",
          "row 1 \"poolPassword\":\nrow 3 \"***\"\nrow 4 \"hunter2\"\n");
}

/* ---- silence in a line ---- */

static void check_partial(const char *const *pieces, size_t n, const char *expected)
{
    struct recorder rec;
    int64_t now = 1000;
    recorder_open(&rec, &toy_parsers, "toy", false);
    for (size_t i = 0; i < n; i++) {
        ingest_feed(rec.stream, pieces[i], strlen(pieces[i]), now);
        now += INGEST_PARTIAL_MS;
        assert_int_equal(ingest_tick(rec.stream, now), -1);
    }
    char *log = recorder_without(recorder_close(&rec, NULL), "chosen");
    assert_string_equal(log, expected);
    free(log);
}

#define PARTIAL(expected, ...)                                                                     \
    do {                                                                                           \
        static const char *const pieces_[] = {__VA_ARGS__};                                        \
        check_partial(pieces_, ARRAY_LEN(pieces_), expected);                                      \
    } while (0)

static void partial_rows(void **state)
{
    /* two rows, but one line for the parser */
    PARTIAL("row 1 P rate 12\nrow 2 345\nreading 2 1 12345\nparsed 2 1\n", "rate 12", "345\n");
    PARTIAL("row 1 P rate\nrow 2 P  1\nrow 3 2\nreading 3 1 12\nparsed 3 1\n", "rate", " 1", "2\n");
    PARTIAL("row 1 P rate 5\nreading 1 1 5\nparsed 1 1\nrow 2 x\nparsed 2 0\n", "rate 5",
            "\r\nx\n");
    PARTIAL("row 1 P rate 7\nreading 1 1 7\nparsed 1 1\n", "rate 7"); /* the stream's end */
    PARTIAL("row 1 a\nparsed 1 0\nrow 2 P b\nparsed 2 0\n", "a\nb", "\n");
    PARTIAL("row 2 a\nparsed 2 0\n", "  ", "\x1b[3", "\n", "a\n"); /* blanks are no row */
}

static void partial_secrets(void **state)
{
    PARTIAL("row 1 P poolPassword: \nrow 2 ***\nparsed 2 0\n", "poolPassword: ", "hunter2\n");
    PARTIAL("row 1 P poolPassword: ***\nrow 2 ***\nparsed 2 0\n", "poolPassword: hun", "ter2\n");
    PARTIAL("row 1 P poolPass\nrow 2 word: ***\nparsed 2 0\n", "poolPass", "word: hunter2\n");
    PARTIAL("row 1 P {\"pwd\": \"***\nrow 2 ***\", \"a\": 1}\nparsed 2 0\n", "{\"pwd\": \"hun",
            "ter2\", \"a\": 1}\n");
    PARTIAL("row 1 \"pwd\":\nparsed 1 0\nrow 2 P \"***\nrow 3 ***\"\nparsed 3 0\n",
            "\"pwd\":\n\"hun", "ter2\"\n");
    PARTIAL(
        "row 1 P {\"params\":[\"w\",\"***\"],\"id\":2,\nrow 2 \"method\":\"mining.authorize\"}\n"
        "parsed 2 0\n",
        "{\"params\":[\"w\",\"hunter2\"],\"id\":2,", "\"method\":\"mining.authorize\"}\n");
    PARTIAL("row 1 P {\"method\":\"mining.authorize\",\"params\":[\"w\nrow 2 P al\",\"***\nrow 3 "
            "***\"]}\n"
            "parsed 3 0\n",
            "{\"method\":\"mining.authorize\",\"params\":[\"w", "al\",\"hun", "ter2\"]}\n");
}

static void ticks(void **state)
{
    struct recorder rec;
    recorder_open(&rec, NULL, "auto", false);
    assert_int_equal(ingest_tick(rec.stream, 0), -1);
    ingest_feed(rec.stream, "abc", 3, 5000);
    assert_int_equal(ingest_tick(rec.stream, 5000), 2000);
    assert_int_equal(ingest_tick(rec.stream, 6500), 500);
    ingest_feed(rec.stream, "d", 1, 6500); /* a byte starts the silence anew */
    assert_int_equal(ingest_tick(rec.stream, 7000), 1500);
    assert_int_equal(ingest_tick(rec.stream, 1000), 2000); /* clock set back an hour */
    assert_int_equal(ingest_tick(rec.stream, 3000), -1);
    assert_int_equal(ingest_tick(rec.stream, 99000), -1); /* once */
    ingest_feed(rec.stream, "\xe2\x82", 2, 99000);        /* a character's half is no text */
    assert_int_equal(ingest_tick(rec.stream, 199000), -1);
    ingest_feed(rec.stream, "\xbf\n", 2, 199000);
    assert_int_equal(ingest_tick(rec.stream, 299000), -1);
    char *log = recorder_close(&rec, NULL);
    assert_string_equal(log, "row 1 P abcd\nrow 2 ₿\n");
    free(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends),
        cmocka_unit_test(blank),
        cmocka_unit_test(bad_bytes),
        cmocka_unit_test(escapes),
        cmocka_unit_test(truncation),
        cmocka_unit_test(endless_line),
        cmocka_unit_test(secret_over_lines),
        cmocka_unit_test(garbage),
        cmocka_unit_test(monitor_time),
        cmocka_unit_test(partial_rows),
        cmocka_unit_test(partial_secrets),
        cmocka_unit_test(ticks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
