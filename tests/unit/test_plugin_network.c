/* The network service with replies made up here; no network. */
#include "unit/fakehost.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define START_MS INT64_C(1792333800000) /* 2026-10-18T14:30:00Z */
#define MINUTE   (60 * 1000)

static const char fees[] = "{\"fastestFee\":12,\"halfHourFee\":8.5,\"hourFee\":5,\"economyFee\":2,"
                           "\"minimumFee\":1}";
static const char retarget[] =
    "{\"progressPercent\":44.4,\"difficultyChange\":-2.25,\"estimatedRetargetDate\":1793000000000,"
    "\"remainingBlocks\":1121,\"remainingTime\":665977,\"previousRetarget\":-4.8}";
static const char hashrate[] =
    "{\"hashrates\":[{\"timestamp\":1652486400,\"avgHashrate\":236499762108771800000}],"
    "\"difficulty\":[],\"currentHashrate\":1052033247355212300000,"
    "\"currentDifficulty\":150839487445890.5}";
static const char blocks[] =
    "[{\"height\":919999,\"timestamp\":1792332000,\"extras\":{\"height\":1}},"
    "{\"height\":920000,\"timestamp\":1792333500},{\"height\":919998,\"timestamp\":1792333600}]";

static const struct {
    const char *path, *reply;
} answers[] = {
    {"/api/blocks/tip/height", "920000"},
    {"/api/v1/fees/recommended", fees},
    {"/api/v1/difficulty-adjustment", retarget},
    {"/api/v1/mining/hashrate/3d", hashrate},
    {"/api/v1/blocks", blocks},
};
enum { ANSWERS = sizeof answers / sizeof *answers };

static struct fake *network_new(void)
{
    struct fake *fake = fake_new("service_network.so");
    fake_clock(fake, START_MS, 1000000);
    return fake;
}

static struct fake *network_asked(void)
{
    struct fake *fake = network_new();
    assert_int_equal(fake_start(fake), 0);
    assert_false(fake_fetch_open(fake)); /* the start does not wait */
    fake_advance(fake, 2000);
    assert_true(fake_fetch_open(fake));
    return fake;
}

static bool asked(const struct fake *fake, const char *path)
{
    const char *url = fake_fetch_url(fake);
    size_t url_len = strlen(url), len = strlen(path);
    return fake_fetch_open(fake) && url_len > len && !strcmp(url + url_len - len, path);
}

static void expect(struct fake *fake, const char *path)
{
    if (!asked(fake, path))
        fail_msg("asked %s, wanted %s", fake_fetch_open(fake) ? fake_fetch_url(fake) : "nothing",
                 path);
}

/* Answers a round; the path that is left_out gets status and body instead. */
static void answer_but(struct fake *fake, const char *left_out, int status, const char *body)
{
    size_t i = 0;
    while (fake_fetch_open(fake)) {
        while (i < ANSWERS && !asked(fake, answers[i].path))
            i++;
        assert_true(i < ANSWERS); /* in this order, each once */
        if (left_out && !strcmp(left_out, answers[i].path))
            fake_reply(fake, status, 0, body);
        else
            fake_reply(fake, 200, 0, answers[i].reply);
        i++;
    }
}

static void answer_all(struct fake *fake)
{
    answer_but(fake, NULL, 0, NULL);
}

/* NAN: the fact does not have it. */
static double fact(struct fake *fake, const char *key)
{
    json_t *doc = json_loads(fake_fact(fake, "network"), 0, NULL);
    assert_non_null(doc);
    const json_t *value = json_object_get(doc, key);
    double number = json_is_number(value) ? json_number_value(value) : NAN;
    json_decref(doc);
    return number;
}

static void near(double value, double wanted)
{
    if (!(fabs(value - wanted) <= 1e-9 * fabs(wanted)))
        fail_msg("%g, wanted %g", value, wanted);
}

static void fact_has(struct fake *fake, const char *part)
{
    if (!strstr(fake_fact(fake, "network"), part))
        fail_msg("no '%s' in %s", part, fake_fact(fake, "network"));
}

static void a_round_becomes_the_fact(void **state)
{
    struct fake *fake = network_asked();
    assert_string_equal(fake_fact(fake, "network"), "{}");
    assert_string_equal(fake_fetch_url(fake), "https://mempool.space/api/blocks/tip/height");
    answer_all(fake);
    assert_int_equal(fake_fetches(fake), ANSWERS);
    fact_has(fake, "\"height\":920000,");
    fact_has(fake, "\"tip_at_ms\":1792333500000,");
    near(fact(fake, "difficulty"), 150839487445890.5);
    near(fact(fake, "hashrate"), 1052033247355212300000.0);
    near(fact(fake, "fee_fastest"), 12);
    near(fact(fake, "fee_half_hour"), 8.5);
    near(fact(fake, "fee_hour"), 5);
    near(fact(fake, "fee_minimum"), 1);
    near(fact(fake, "halving_blocks"), 130000);
    near(fact(fake, "halving_percent"), 100.0 * 80000 / 210000);
    fact_has(fake, "\"retarget_blocks\":1121,");
    near(fact(fake, "retarget_percent"), -2.25);
    fact_has(fake, "\"last_updated\":\"2026-10-18T14:30:02Z\"");
    assert_null(strstr(fake_fact(fake, "network"), "error"));
    fake_free(fake);
}

static void asks_the_dear_questions_only_at_a_block(void **state)
{
    struct fake *fake = network_asked();
    answer_all(fake);
    fake_advance(fake, 135 * 1000);
    assert_int_equal(fake_fetches(fake), ANSWERS + 1);
    expect(fake, "/api/blocks/tip/height");
    answer_all(fake);
    assert_int_equal(fake_fetches(fake), ANSWERS + 2); /* the fees, and that is all */
    fake_advance(fake, 135 * 1000);
    fake_reply(fake, 200, 0, "920001\n");
    expect(fake, "/api/v1/fees/recommended");
    answer_all(fake);
    assert_int_equal(fake_fetches(fake), 2 * ANSWERS + 2);
    near(fact(fake, "halving_blocks"), 129999);
    for (int i = 0; i < 15; i++) { /* no block for half an hour: once more */
        fake_advance(fake, 135 * 1000);
        if (asked(fake, "/api/blocks/tip/height"))
            fake_reply(fake, 200, 0, "920001");
        answer_all(fake);
    }
    assert_int_equal(fake_fetches(fake), 2 * ANSWERS + 2 + 2 * 15 + 3);
    fake_free(fake);
}

static void what_cannot_be_had_is_absent(void **state)
{
    static const struct {
        const char *path;
        const char *const absent[5];
    } cases[] = {
        {"/api/blocks/tip/height", {"height", "halving_blocks", "halving_percent"}},
        {"/api/v1/fees/recommended", {"fee_fastest", "fee_half_hour", "fee_hour", "fee_minimum"}},
        {"/api/v1/difficulty-adjustment", {"retarget_blocks", "retarget_percent"}},
        {"/api/v1/mining/hashrate/3d", {"hashrate", "difficulty"}},
        {"/api/v1/blocks", {"tip_at_ms"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fake *fake = network_asked();
        answer_but(fake, cases[i].path, 404, "not here");
        for (size_t k = 0; k < 5 && cases[i].absent[k]; k++)
            assert_true(isnan(fact(fake, cases[i].absent[k])));
        fact_has(fake, cases[i].path); /* in the error */
        fact_has(fake, "HTTP 404");
        fact_has(fake, "\"last_updated\":\"2026-10-18T14:30:02Z\"");
        near(i == 1 ? fact(fake, "hashrate") : fact(fake, "fee_fastest"),
             i == 1 ? 1052033247355212300000.0 : 12);
        assert_int_equal(fake_logs(fake), 0);
        fake_free(fake);
    }
}

/* Numbers that cannot be, types that are not numbers, no JSON at all. Nothing may come of it. */
static void nonsense_is_refused(void **state)
{
    static const struct {
        const char *path, *body;
    } ugly[] = {
        {"/api/blocks/tip/height", ""},
        {"/api/blocks/tip/height", "-5"},
        {"/api/blocks/tip/height", "0"},
        {"/api/blocks/tip/height", "920000.5"},
        {"/api/blocks/tip/height", "999999999"},
        {"/api/blocks/tip/height", "92000000000000000000000000000000"},
        {"/api/blocks/tip/height", "920000 920001"},
        {"/api/blocks/tip/height", "<html>920000</html>"},
        {"/api/v1/fees/recommended", "[]"},
        {"/api/v1/fees/recommended", "null"},
        {"/api/v1/fees/recommended", "{\"fastestFee\":\"12\",\"hourFee\":-1,\"minimumFee\":1e9}"},
        {"/api/v1/fees/recommended", "{\"fastestFee\":1e999}"},
        {"/api/v1/difficulty-adjustment", "{\"remainingBlocks\":2017,\"difficultyChange\":-76}"},
        {"/api/v1/difficulty-adjustment", "{\"remainingBlocks\":1.5,\"difficultyChange\":301}"},
        {"/api/v1/difficulty-adjustment", "{\"remainingBlocks\":{},\"difficultyChange\":[1]}"},
        {"/api/v1/mining/hashrate/3d", "{\"currentHashrate\":0,\"currentDifficulty\":-1}"},
        {"/api/v1/mining/hashrate/3d", "{\"currentHashrate\":1e40,\"currentDifficulty\":1e40}"},
        {"/api/v1/mining/hashrate/3d", "{\"currentHashrate\":true"},
        {"/api/v1/blocks", "[]"},
        {"/api/v1/blocks", "{\"height\":1,\"timestamp\":1792333500}"},
        {"/api/v1/blocks", "[null,7,\"x\",{\"height\":\"9\"},{\"timestamp\":1792333500}]"},
        {"/api/v1/blocks", "[{\"height\":920000,\"timestamp\":1}]"},
        {"/api/v1/blocks", "[{\"height\":920000,\"timestamp\":1792350000}]"}, /* in the future */
        {"/api/v1/blocks", "[{\"height\":920000,\"timestamp\":1e300}]"},
    };
    static const char *const watched[] = {"height", "fee_fastest", "retarget_blocks", "hashrate",
                                          "tip_at_ms"};
    for (size_t i = 0; i < sizeof ugly / sizeof *ugly; i++) {
        struct fake *fake = network_asked();
        answer_but(fake, ugly[i].path, 200, ugly[i].body);
        for (size_t k = 0; k < ANSWERS; k++) {
            bool absent = isnan(fact(fake, watched[k]));
            if (absent != !strcmp(answers[k].path, ugly[i].path))
                fail_msg("%s: %s is %s", ugly[i].body, watched[k], absent ? "absent" : "there");
        }
        fact_has(fake, "no such number");
        fake_free(fake);
    }
}

static void one_bad_number_costs_that_number_only(void **state)
{
    struct fake *fake = network_asked();
    answer_but(fake, "/api/v1/fees/recommended", 200,
               "{\"fastestFee\":-3,\"halfHourFee\":4,\"hourFee\":{},\"minimumFee\":1}");
    assert_true(isnan(fact(fake, "fee_fastest")));
    assert_true(isnan(fact(fake, "fee_hour")));
    near(fact(fake, "fee_half_hour"), 4);
    fake_free(fake);
}

static void deep_nesting_is_refused(void **state)
{
    enum { DEPTH = 30000 };
    char *text = malloc(DEPTH + 1);
    memset(text, '[', DEPTH);
    text[DEPTH] = 0;
    struct fake *fake = network_asked();
    answer_but(fake, "/api/v1/blocks", 200, text);
    assert_true(isnan(fact(fake, "tip_at_ms")));
    fake_free(fake);
    free(text);
}

/* A part that stays away while the others come is no longer true some day. */
static void old_parts_are_left_out(void **state)
{
    struct fake *fake = network_asked();
    answer_all(fake);
    near(fact(fake, "fee_fastest"), 12);
    int64_t begun_ms = fake_wall_ms(fake);
    while (fake_wall_ms(fake) - begun_ms < 90 * MINUTE) {
        fake_advance(fake, 135 * 1000);
        answer_but(fake, "/api/v1/fees/recommended", 500, "");
        if (fake_wall_ms(fake) - begun_ms < 55 * MINUTE)
            near(fact(fake, "fee_fastest"), 12);
    }
    assert_true(isnan(fact(fake, "fee_fastest")));
    near(fact(fake, "hashrate"), 1052033247355212300000.0);
    fake_free(fake);
}

static void a_long_reply_costs_that_part_only(void **state)
{
    struct fake *fake = network_asked();
    fake_reply(fake, 200, 0, "920000");
    fake_reply_error(fake, SHEP_E_LIMIT, "over 4096 bytes");
    expect(fake, "/api/v1/difficulty-adjustment");
    answer_all(fake);
    fact_has(fake, "too long");
    near(fact(fake, "height"), 920000);
    fake_free(fake);
}

static void nobody_there_keeps_the_last_facts(void **state)
{
    struct fake *fake = network_asked();
    answer_all(fake);
    fake_advance(fake, 135 * 1000);
    fake_reply_error(fake, SHEP_E_IO, "could not resolve host");
    assert_false(fake_fetch_open(fake)); /* the round is over */
    fact_has(fake, "https://mempool.space cannot be reached: could not resolve host");
    fact_has(fake, "\"last_updated\":\"2026-10-18T14:30:02Z\"");
    near(fact(fake, "height"), 920000);
    for (int i = 0; i < 60; i++) {
        fake_advance(fake, fake_next_timer_ms(fake));
        fake_reply_error(fake, SHEP_E_IO, "could not resolve host");
    }
    near(fact(fake, "height"), 920000); /* a day and more */
    assert_int_equal(fake_logs(fake), 1);
    fake_advance(fake, fake_next_timer_ms(fake));
    answer_all(fake);
    assert_true(fake_logged(fake, "facts of the network again"));
    assert_null(strstr(fake_fact(fake, "network"), "error"));
    fake_free(fake);
}

static int64_t wait_after(struct fake *fake, int status, int retry_after_s)
{
    fake_reply(fake, status, retry_after_s, "{}");
    assert_false(fake_fetch_open(fake));
    int64_t wait = fake_next_timer_ms(fake);
    fake_advance(fake, wait);
    assert_true(fake_fetch_open(fake));
    return wait;
}

static void backs_off_and_honours_retry_after(void **state)
{
    struct fake *fake = network_asked();
    int64_t first = wait_after(fake, 429, 0), second = wait_after(fake, 503, 0);
    assert_in_range(first, 54000, 66000);
    assert_in_range(second, 108000, 132000);
    for (int i = 0; i < 10; i++)
        assert_true(wait_after(fake, 429, 0) <= 3600000 * 11 / 10);
    assert_in_range(wait_after(fake, 429, 5000), 5000000, 5003000);
    assert_true(wait_after(fake, 429, 2000000000) <= 6 * 3600 * 1000 + 3000);
    answer_all(fake);
    fake_advance(fake, fake_next_timer_ms(fake));
    fake_reply(fake, 200, 0, "920000");
    assert_in_range(wait_after(fake, 429, 119), 119000, 122000); /* within a round too */
    fake_free(fake);
}

static void all_wrong_backs_off(void **state)
{
    struct fake *fake = network_asked();
    while (fake_fetch_open(fake))
        fake_reply(fake, 404, 0, "");
    assert_int_equal(fake_fetches(fake), ANSWERS);
    assert_in_range(fake_next_timer_ms(fake), 54000, 66000);
    fact_has(fake, "/api/blocks/tip/height: HTTP 404");
    fake_advance(fake, fake_next_timer_ms(fake));
    while (fake_fetch_open(fake))
        fake_reply(fake, 404, 0, "");
    assert_int_equal(fake_fetches(fake), ANSWERS + 2); /* the dear ones wait five minutes */
    assert_in_range(fake_next_timer_ms(fake), 108000, 132000);
    fake_free(fake);
}

static void offline_is_silent(void **state)
{
    struct fake *fake = network_new();
    fake_offline(fake, true);
    assert_int_equal(fake_start(fake), 0);
    fake_advance(fake, 24 * 60 * MINUTE);
    assert_int_equal(fake_fetches(fake), 0);
    assert_int_equal(fake_logs(fake), 0);
    fact_has(fake, "offline = true");
    fake_free(fake);
}

static void last_facts_survive_a_restart(void **state)
{
    struct fake *fake = network_asked();
    answer_all(fake);
    struct fake *again = network_new();
    fake_kv_copy(again, fake);
    fake_free(fake);
    fake_start(again);
    near(fact(again, "height"), 920000);
    near(fact(again, "hashrate"), 1052033247355212300000.0);
    near(fact(again, "tip_at_ms"), 1792333500000.0);
    near(fact(again, "halving_blocks"), 130000);
    near(fact(again, "retarget_percent"), -2.25);
    fact_has(again, "\"last_updated\":\"2026-10-18T14:30:02Z\"");
    fake_advance(again, 2000);
    answer_all(again);
    assert_int_equal(fake_fetches(again), ANSWERS); /* all is asked anew */
    fake_free(again);
}

static void the_database_is_spared(void **state)
{
    struct fake *fake = network_asked();
    answer_all(fake);
    size_t before = fake_kv_puts(fake);
    assert_int_equal(before, 1);
    for (int i = 0; i < 20; i++) { /* 45 minutes without a block */
        fake_advance(fake, 135 * 1000);
        answer_all(fake);
    }
    assert_in_range(fake_kv_puts(fake), before + 3, before + 5);
    fake_free(fake);
}

static void damaged_memory_is_ignored(void **state)
{
    static const char *const kept[] = {"",
                                       "x",
                                       "[]",
                                       "{}",
                                       "{\"height\":920000}",
                                       "{\"at_ms\":-1,\"height\":920000}",
                                       "{\"at_ms\":\"x\",\"height\":920000}",
                                       "{\"at_ms\":1792333800000,\"height\":-1}",
                                       "{\"at_ms\":1792333800000,\"height\":\"920000\"}"};
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        struct fake *fake = network_new();
        fake_kv_set(fake, "last", kept[i]);
        assert_int_equal(fake_start(fake), 0);
        assert_true(isnan(fact(fake, "height")));
        fake_free(fake);
    }
}

static void wrong_urls_are_refused_with_a_remedy(void **state)
{
    static const char *const wrong[] = {"ftp://example.org", "mempool.space", "http://", "",
                                        "http://a/?b",       "http://a b"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct fake *fake = network_new();
        fake_opt(fake, "url", wrong[i]);
        assert_int_equal(fake_start(fake), SHEP_E_CONFIG);
        assert_non_null(strstr(fake_failure(fake), "as in"));
        fake_free(fake);
    }
    char url[700] = "http://";
    memset(url + 7, 'a', 394);
    struct fake *fake = network_new();
    fake_opt(fake, "url", url);
    assert_int_equal(fake_start(fake), SHEP_E_CONFIG);
    fake_free(fake);
}

static void own_server_is_used(void **state)
{
    struct fake *fake = network_new();
    fake_opt(fake, "url", "http://127.0.0.1:3006/");
    fake_opt(fake, "interval", "30");
    fake_start(fake);
    fake_advance(fake, 2000);
    assert_string_equal(fake_fetch_url(fake), "http://127.0.0.1:3006/api/blocks/tip/height");
    answer_all(fake);
    assert_in_range(fake_next_timer_ms(fake), 27000, 33000);
    fake_free(fake);
}

static void stopping_during_a_fetch_is_safe(void **state)
{
    struct fake *fake = network_asked();
    fake_reply(fake, 200, 0, "920000");
    fake_stop(fake); /* the reply comes after stop(), as in the daemon */
    assert_false(fake_fetch_open(fake));
    fake_free(fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_round_becomes_the_fact),
        cmocka_unit_test(asks_the_dear_questions_only_at_a_block),
        cmocka_unit_test(what_cannot_be_had_is_absent),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(one_bad_number_costs_that_number_only),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(old_parts_are_left_out),
        cmocka_unit_test(a_long_reply_costs_that_part_only),
        cmocka_unit_test(nobody_there_keeps_the_last_facts),
        cmocka_unit_test(backs_off_and_honours_retry_after),
        cmocka_unit_test(all_wrong_backs_off),
        cmocka_unit_test(offline_is_silent),
        cmocka_unit_test(last_facts_survive_a_restart),
        cmocka_unit_test(the_database_is_spared),
        cmocka_unit_test(damaged_memory_is_ignored),
        cmocka_unit_test(wrong_urls_are_refused_with_a_remedy),
        cmocka_unit_test(own_server_is_used),
        cmocka_unit_test(stopping_during_a_fetch_is_safe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
