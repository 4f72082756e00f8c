/* Which parser a stream gets, what is replayed to it, and what the host lets it say. */
#include "check.h"

#include "unit/recorder.h"
#include "unit/toy_parser.h"

#include "util/log.h"

#include <math.h>

/* Runs the text whole and byte by byte; rows are left out of the log. */
static void check(const char *text, const char *expected)
{
    for (int cut = CUT_WHOLE; cut <= CUT_RANDOM; cut++) {
        char *log = recorder_run(&toy_parsers, text, strlen(text), (enum cut)cut, 3, NULL);
        assert_string_equal(recorder_without(log, "row"), expected);
        free(log);
    }
    assert_int_equal(toy_open_count, 0);
}

static void sure(void **state)
{
    /* what was heard before is replayed, under its own number */
    check("rate 1\n\nhm\nthis is a toy miner\nrate 2\n",
          "chosen toy 90\nreading 1 1 1\nparsed 1 1\nparsed 3 0\nparsed 4 0\nreading 5 1 2\nparsed "
          "5 1\n");
    check("toy miner, other miner\n", "chosen other 95\nparsed 1 0\n"); /* the surer one */
    /* sure beats plausible; once chosen, another's name changes nothing */
    check("toy rate 1\nother miner\ntoy miner\n",
          "chosen other 95\nreading 1 1 10\nparsed 1 1\nparsed 2 0\nparsed 3 0\n");
}

static void plausible(void **state)
{
    check("toy rate 1\nmaybe other\n", "chosen toy 40\nreading 1 1 1\nparsed 1 1\nparsed 2 0\n");
    check("rate 1\n", "");
    struct ingest_stats stats;
    char *log = recorder_run(&toy_parsers, "rate 1\n\nx\n", 10, CUT_WHOLE, 0, &stats);
    assert_null(stats.parser);
    assert_int_equal(stats.lines, 2);
    assert_int_equal(stats.unparsed, 0);
    assert_int_equal(stats.confidence, 0);
    free(log);
}

static void does_not_open(void **state)
{
    log_set_level(SHEP_LOG_ERROR);
    check("shut miner\nrate 1\nshut miner\ntoy miner\n",
          "chosen toy 90\nparsed 1 0\nreading 2 1 1\nparsed 2 1\nparsed 3 0\nparsed 4 0\n");
    assert_int_equal(toy_shut_count, 3); /* once a stream */
    check("shut miner\ntoy rate 1\n", "chosen toy 40\nparsed 1 0\nreading 2 1 1\nparsed 2 1\n");
    check("shut miner\n", "");
}

/* 64 KiB are kept: the newest; when they are full plausible is enough. */
static void window(void **state)
{
    struct buf text = {0};
    for (int i = 0; i < 8192; i++)
        buf_printf(&text, "line %06d rate %d\n", i, i); /* 17 to 20 bytes each with the end */
    size_t unknown = text.len;
    buf_add_str(&text, "toy miner\n");
    struct ingest_stats stats;
    char *log = recorder_run(&toy_parsers, text.data, text.len, CUT_WHOLE, 0, &stats);
    recorder_without(log, "row");
    unsigned long long first;
    double value;
    assert_int_equal(sscanf(log, "chosen toy 90\nreading %llu 1 %lf\n", &first, &value), 2);
    size_t kept = strlen("toy miner\n");
    for (size_t line = 8192; line >= first; line--) {
        char copy[64];
        kept += (size_t)snprintf(copy, sizeof(copy), "line %06zu rate %zu\n", line - 1, line - 1);
    }
    assert_true(kept <= INGEST_REPLAY_MAX && kept > INGEST_REPLAY_MAX - 64);
    assert_true(value == (double)first - 1);
    assert_int_equal(stats.lines, 8193);
    assert_int_equal(stats.readings, 8193 - first);
    free(log);
    text.len = unknown;
    buf_add_str(&text, "toy rate 1\nother miner\n"); /* too late for the other */
    log = recorder_run(&toy_parsers, text.data, text.len, CUT_WHOLE, 0, &stats);
    assert_string_equal(stats.parser, "toy");
    assert_int_equal(stats.confidence, 40);
    free(log);
    buf_free(&text);
    assert_int_equal(toy_open_count, 0);
}

static void by_name(void **state)
{
    struct recorder rec;
    recorder_open(&rec, &toy_parsers, "nobody", false);
    assert_null(rec.stream);
    recorder_open(&rec, &toy_parsers, "other", false);
    recorder_feed(&rec, "rate 1\ntoy miner\nreset\ntoy miner\nrate 2\n");
    struct ingest_stats stats;
    char *log = recorder_close(&rec, &stats);
    assert_string_equal(recorder_without(recorder_without(log, "row"), "parsed"),
                        "chosen other 100\nreading 1 1 10\nevent 3 1\nreading 5 1 20\n");
    assert_int_equal(stats.confidence, 100);
    free(log);
}

static void reflashed(void **state)
{
    check("toy miner\nreset\nother miner\nrate 2\n",
          "chosen toy 90\nparsed 1 0\nevent 2 1\nparsed 2 1\nchosen other 95\nparsed 3 0\n"
          "reading 4 1 20\nparsed 4 1\n");
    /* not without a reset, not by a parser that is only plausible, nor on a line that is ours too
     */
    check("toy miner\nother miner\n", "chosen toy 90\nparsed 1 0\nparsed 2 0\n");
    check("toy miner\nreset\nmaybe other\n",
          "chosen toy 90\nparsed 1 0\nevent 2 1\nparsed 2 1\nparsed 3 0\n");
    check("other miner\nreset\ntoy miner, other miner\n",
          "chosen other 95\nparsed 1 0\nevent 2 1\nparsed 2 1\nparsed 3 0\n");
    /* the new one does not open: ours goes on */
    check("toy miner\nreset\nshut miner\nrate 3\n", "chosen toy 90\nparsed 1 0\nevent 2 1\nparsed "
                                                    "2 1\nparsed 3 0\nreading 4 1 3\nparsed 4 1\n");
    /* not long after the reset */
    struct buf text = {0};
    for (int lines = INGEST_REPROBE_LINES - 1; lines <= INGEST_REPROBE_LINES; lines++) {
        struct ingest_stats stats;
        buf_clear(&text);
        buf_add_str(&text, "toy miner\nreset\n");
        for (int i = 0; i < lines; i++)
            buf_add_str(&text, "x\n");
        buf_add_str(&text, "other miner\n");
        free(recorder_run(&toy_parsers, text.data, text.len, CUT_WHOLE, 0, &stats));
        assert_string_equal(stats.parser, lines < INGEST_REPROBE_LINES ? "other" : "toy");
    }
    buf_free(&text);
}

static void host(void **state)
{
    struct ingest_stats stats;
    struct buf text = {0};
    buf_printf(&text,
               "toy miner\nrate nan\nrate 1e999\nown 1\nflood %d\nrate 5\npool a\tb %s\xe2\x82\n",
               INGEST_EMIT_MAX + 10, "");
    char *log = recorder_run(&toy_parsers, text.data, text.len, CUT_WHOLE, 0, &stats);
    recorder_without(recorder_without(log, "row"), "parsed");
    assert_non_null(strstr(log, "\nreading 6 1 5\nreading 7 71 a\tb "));
    assert_int_equal(stats.readings, INGEST_EMIT_MAX + 2);
    assert_int_equal(stats.refused, 2 + 1 + 10); /* not finite; toy.own is no metric; too many */
    free(log);
    buf_free(&text);
    /* text is cut at a character */
    buf_add_str(&text, "toy miner pool xx");
    for (int i = 0; i < 100; i++)
        buf_add_str(&text, "₿");
    buf_add_str(&text, "\n");
    log = recorder_run(&toy_parsers, text.data, text.len, CUT_WHOLE, 0, &stats);
    char *at = strstr(log, "reading 1 71 xx");
    assert_non_null(at);
    assert_int_equal(strcspn(at, "\n"), strlen("reading 1 71 xx") + (SHEP_TEXT_MAX - 2) / 3 * 3);
    free(log);
    buf_free(&text);
}

static int own_metric(const char *name, uint32_t *id_out, void *arg)
{
    *id_out = SHEP_METRIC_OWN + 3;
    return strcmp(name, "toy.own") == 0 ? 0 : SHEP_E_GONE;
}

static void declared_metric(void **state)
{
    const struct shep_host *h = ingest_host();
    uint32_t id = 0;
    assert_int_equal(h->metric_id(NULL, "hashrate", &id), 0);
    assert_int_equal(id, SHEP_M_HASHRATE);
    assert_int_equal(h->metric_id(NULL, "pool", &id), 0);
    assert_int_equal(id, SHEP_A_POOL);
    assert_int_equal(h->metric_id(NULL, "toy.own", &id), SHEP_E_GONE);
    ingest_host_set_metric_id(own_metric, NULL);
    check("toy miner\nown 4\n", "chosen toy 90\nparsed 1 0\nreading 2 131 4\nparsed 2 1\n");
    ingest_host_set_metric_id(NULL, NULL);
    double number = 1;
    assert_int_equal(h->opt_float(NULL, "x", &number), SHEP_E_GONE);
    assert_true(number == 1);
    assert_false(SHEP_HOST_HAS(h, timer));
}

/* The parser sees what the store sees: no secret. */
static void masked(void **state)
{
    check("toy miner\npool x pwd: hunter2\n",
          "chosen toy 90\nparsed 1 0\nreading 2 71 x pwd: ***\nparsed 2 1\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sure),          cmocka_unit_test(plausible),
        cmocka_unit_test(does_not_open), cmocka_unit_test(window),
        cmocka_unit_test(by_name),       cmocka_unit_test(reflashed),
        cmocka_unit_test(host),          cmocka_unit_test(declared_metric),
        cmocka_unit_test(masked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
