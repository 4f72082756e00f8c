/* The price service with replies made up here; no network. */
#include "unit/fakehost.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char coincodex[] =
    "[{\"symbol\":\"BTC\",\"description\":\"<p>a \\/ b<\\/p>\",\"last_price_usd\":68000.5,"
    "\"price_change_1D_percent\":\"-1.250000000\",\"last_update\":\"2026-10-18 14:08:03\"}]";

static struct fake *price_new(const char *provider)
{
    struct fake *fake = fake_new("service_price.so");
    if (provider)
        fake_opt(fake, "provider", provider);
    fake_clock(fake, INT64_C(1792333800000), 1000000); /* 2026-10-18T14:30:00Z */
    return fake;
}

static struct fake *price_asked(const char *provider)
{
    struct fake *fake = price_new(provider);
    assert_int_equal(fake_start(fake), 0);
    assert_false(fake_fetch_open(fake)); /* the start does not wait */
    fake_advance(fake, 1000);
    assert_true(fake_fetch_open(fake));
    return fake;
}

static json_t *json_of(const char *text)
{
    assert_non_null(text);
    json_t *doc = json_loads(text, 0, NULL);
    assert_non_null(doc);
    return doc;
}

static double fact_number(struct fake *fake, const char *key)
{
    json_t *doc = json_of(fake_fact(fake, "price"));
    const json_t *value = json_object_get(doc, key);
    assert_non_null(value);
    double number = json_is_number(value) ? json_number_value(value) : NAN;
    json_decref(doc);
    return number;
}

static bool fact_says(struct fake *fake, const char *key, const char *part)
{
    json_t *doc = json_of(fake_fact(fake, "price"));
    const char *text = json_string_value(json_object_get(doc, key));
    bool says = part ? text && strstr(text, part) : !text;
    json_decref(doc);
    return says;
}

static void near(double value, double wanted)
{
    assert_true(fabs(value - wanted) < 1e-9);
}

static void coincodex_reply_becomes_fact_and_file(void **state)
{
    struct fake *fake = price_asked(NULL);
    assert_string_equal(fake_fetch_url(fake), "https://coincodex.com/api/coincodex/get_coin/BTC");
    assert_true(isnan(fact_number(fake, "price_usd")));
    fake_reply(fake, 200, 0, coincodex);
    near(fact_number(fake, "price_usd"), 68000.5);
    near(fact_number(fake, "price"), 68000.5);
    near(fact_number(fake, "change_24h"), -1.25);
    assert_true(fact_says(fake, "currency", "usd"));
    assert_true(fact_says(fake, "provider", "coincodex"));
    assert_true(fact_says(fake, "last_updated", "2026-10-18T14:30:01Z"));
    assert_true(fact_says(fake, "error", NULL));
    assert_string_equal(fake_file(fake, "btc_price.json"),
                        "{\"price_usd\":68000.5,\"change_24h\":-1.25,"
                        "\"last_updated\":\"2026-10-18T14:30:01Z\"}");
    fake_free(fake);
}

static void coingecko_speaks_other_currencies(void **state)
{
    struct fake *fake = price_new("coingecko");
    fake_opt(fake, "currency", "eur");
    fake_start(fake);
    fake_advance(fake, 1000);
    assert_non_null(strstr(fake_fetch_url(fake), "vs_currencies=eur,usd&"));
    fake_reply(fake, 200, 0,
               "{\"bitcoin\":{\"eur\":90000,\"eur_24h_change\":2.5,\"usd\":97284.65}}");
    near(fact_number(fake, "price"), 90000);
    near(fact_number(fake, "price_usd"), 97284.65);
    near(fact_number(fake, "change_24h"), 2.5);
    assert_true(fact_says(fake, "currency", "eur"));
    assert_non_null(strstr(fake_fact(fake, "price"), "97284.65,"));
    fake_free(fake);
}

static void mempool_has_no_change(void **state)
{
    struct fake *fake = price_asked("mempool");
    fake_reply(fake, 200, 0, "{\"time\":1703252411,\"USD\":43753,\"EUR\":40545}");
    near(fact_number(fake, "price_usd"), 43753);
    assert_true(isnan(fact_number(fake, "change_24h")));
    assert_non_null(strstr(fake_file(fake, "btc_price.json"), "\"change_24h\":null"));
    fake_free(fake);
}

static void asks_again_after_the_interval(void **state)
{
    struct fake *fake = price_asked(NULL);
    fake_reply(fake, 200, 0, coincodex);
    fake_advance(fake, 1070 * 1000);
    assert_int_equal(fake_fetches(fake), 1);
    fake_advance(fake, 260 * 1000);
    assert_int_equal(fake_fetches(fake), 2);
    fake_free(fake);
}

/* Replies that have no price in them. None may replace the last good one. */
static void nonsense_keeps_the_last_price(void **state)
{
    static const char *const replies[] = {
        "",
        "<html>sorry</html>",
        "null",
        "[]",
        "{}",
        "[[[[]]]]",
        "{\"last_price_usd\":null}",
        "{\"last_price_usd\":0}",
        "{\"last_price_usd\":-5}",
        "{\"last_price_usd\":1e300}",
        "{\"last_price_usd\":\"nan\"}",
        "{\"last_price_usd\":\"inf\"}",
        "{\"last_price_usd\":\"0x10\"}",
        "{\"last_price_usd\":\"12 dollars\"}",
        "{\"last_price_usd\":{\"a\":1}}",
        "{\"last_price_usd\":true}",
        "{\"last_price_usd\":68000.5",
        "{\"status\":{\"error_code\":429,\"error_message\":\"too often\"}}",
    };
    struct fake *fake = price_asked(NULL);
    fake_reply(fake, 200, 0, coincodex);
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
        while (!fake_fetch_open(fake))
            fake_advance(fake, 10000);
        fake_reply(fake, 200, 0, replies[i]);
        near(fact_number(fake, "price_usd"), 68000.5);
        assert_true(fact_says(fake, "last_updated", "2026-10-18T14:30:01Z"));
        if (!fact_says(fake, "error", "has no price in usd"))
            fail_msg("taken for a price: %s", replies[i]);
    }
    assert_non_null(strstr(fake_file(fake, "btc_price.json"), "68000.5"));
    fake_free(fake);
}

static void numbers_may_be_strings_and_large(void **state)
{
    struct fake *fake = price_asked(NULL);
    fake_reply(fake, 200, 0,
               "{\"last_price_usd\":\"123456.75\",\"price_change_1D_percent\":99999999999999999999,"
               "\"volume\":123456789012345678901234567890}");
    near(fact_number(fake, "price_usd"), 123456.75);
    assert_true(isnan(fact_number(fake, "change_24h")));
    fake_free(fake);
}

static void deep_nesting_is_refused(void **state)
{
    enum { DEPTH = 30000 };
    char *text = malloc(DEPTH + 1);
    memset(text, '[', DEPTH);
    text[DEPTH] = 0;
    struct fake *fake = price_asked(NULL);
    fake_reply(fake, 200, 0, text);
    assert_true(fact_says(fake, "error", "has no price"));
    fake_free(fake);
    free(text);
}

static void failures_are_told_in_words(void **state)
{
    struct fake *fake = price_asked(NULL);
    fake_reply_error(fake, SHEP_E_IO, "could not resolve host");
    assert_true(fact_says(fake, "error", "coincodex cannot be reached: could not resolve host"));
    fake_advance(fake, 70 * 1000);
    fake_reply(fake, 503, 0, "busy");
    assert_true(fact_says(fake, "error", "HTTP 503"));
    fake_advance(fake, 140 * 1000);
    fake_reply(fake, 302, 0, "");
    assert_true(fact_says(fake, "error", "is the url right?"));
    assert_int_equal(fake_logs(fake), 1); /* once, not each time */
    fake_advance(fake, 280 * 1000);
    fake_reply(fake, 200, 0, coincodex);
    assert_true(fact_says(fake, "error", NULL));
    assert_true(fake_logged(fake, "a price again"));
    fake_free(fake);
}

static int64_t wait_after(struct fake *fake, int status, int retry_after_s)
{
    fake_reply(fake, status, retry_after_s, "{}");
    int64_t wait = fake_next_timer_ms(fake);
    fake_advance(fake, wait);
    assert_true(fake_fetch_open(fake));
    return wait;
}

static void backs_off_and_honours_retry_after(void **state)
{
    struct fake *fake = price_asked(NULL);
    int64_t first = wait_after(fake, 500, 0), second = wait_after(fake, 500, 0);
    assert_in_range(first, 54000, 66000);
    assert_in_range(second, 108000, 132000);
    for (int i = 0; i < 10; i++)
        assert_true(wait_after(fake, 500, 0) <= 3600000 * 11 / 10);
    assert_in_range(wait_after(fake, 429, 5000), 5000000, 5003000);
    assert_true(wait_after(fake, 429, 2000000000) <= 6 * 3600 * 1000 + 3000);
    fake_reply(fake, 200, 0, coincodex);
    fake_advance(fake, fake_next_timer_ms(fake));
    assert_in_range(wait_after(fake, 429, 119), 119000, 122000);
    fake_free(fake);
}

static void offline_says_so_and_keeps_the_price(void **state)
{
    struct fake *fake = price_asked(NULL);
    fake_reply(fake, 200, 0, coincodex);
    fake_offline(fake, true);
    fake_advance(fake, fake_next_timer_ms(fake));
    assert_true(fact_says(fake, "error", "offline = true"));
    near(fact_number(fake, "price_usd"), 68000.5);
    assert_int_equal(fake_fetches(fake), 1);
    assert_true(fake_next_timer_ms(fake) >= 1000 * 1000);
    fake_free(fake);
}

static void last_price_survives_a_restart(void **state)
{
    struct fake *fake = price_asked("mempool");
    fake_reply(fake, 200, 0, "{\"USD\":43753.25}");
    struct fake *again = price_new(NULL);
    fake_kv_copy(again, fake);
    fake_free(fake);
    fake_start(again);
    near(fact_number(again, "price_usd"), 43753.25);
    assert_true(isnan(fact_number(again, "change_24h")));
    assert_true(fact_says(again, "provider", "mempool")); /* who said it, not who is asked now */
    assert_true(fact_says(again, "last_updated", "2026-10-18T14:30:01Z"));
    fake_free(again);
}

static void damaged_or_foreign_memory_is_ignored(void **state)
{
    static const char *const kept[] = {"",
                                       "x",
                                       "a b c",
                                       "mempool eur 1792333801000 1 1 nan",
                                       "m usd -5 1 1 1",
                                       "m usd 1792333801000 -1 -1 1"};
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        struct fake *fake = price_new(NULL);
        fake_kv_set(fake, "last", kept[i]);
        assert_int_equal(fake_start(fake), 0);
        assert_true(isnan(fact_number(fake, "price")));
        fake_free(fake);
    }
}

static void refused(const char *option, const char *value, const char *part)
{
    struct fake *fake = price_new(NULL);
    fake_opt(fake, option, value);
    assert_int_equal(fake_start(fake), SHEP_E_CONFIG);
    if (!strstr(fake_failure(fake), part))
        fail_msg("said \"%s\", wanted \"%s\"", fake_failure(fake), part);
    fake_free(fake);
}

static void wrong_options_are_refused_with_a_remedy(void **state)
{
    refused("currency", "eur", "set provider = \"coingecko\" or \"mempool\"");
    refused("currency", "US$", "small letters");
    refused("currency", "averylongcurrency", "small letters");
    refused("url", "ftp://example.org/", "http:// or https://");
    char url[700] = "http://";
    memset(url + 7, 'a', sizeof url - 8);
    url[511] = 0;
    struct fake *fake = price_new(NULL);
    fake_opt(fake, "url", url);
    assert_int_equal(fake_start(fake), 0); /* the longest that fits */
    fake_free(fake);
}

static void own_url_is_used(void **state)
{
    struct fake *fake = price_new(NULL);
    fake_opt(fake, "url", "http://127.0.0.1:9/x?%s");
    fake_start(fake);
    fake_advance(fake, 1000);
    assert_string_equal(fake_fetch_url(fake), "http://127.0.0.1:9/x?%s");
    fake_free(fake);
}

static void stopping_during_a_fetch_is_safe(void **state)
{
    struct fake *fake = price_asked(NULL);
    fake_stop(fake); /* the reply comes after stop(), as in the daemon */
    assert_false(fake_fetch_open(fake));
    fake_free(fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(coincodex_reply_becomes_fact_and_file),
        cmocka_unit_test(coingecko_speaks_other_currencies),
        cmocka_unit_test(mempool_has_no_change),
        cmocka_unit_test(asks_again_after_the_interval),
        cmocka_unit_test(nonsense_keeps_the_last_price),
        cmocka_unit_test(numbers_may_be_strings_and_large),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(failures_are_told_in_words),
        cmocka_unit_test(backs_off_and_honours_retry_after),
        cmocka_unit_test(offline_says_so_and_keeps_the_price),
        cmocka_unit_test(last_price_survives_a_restart),
        cmocka_unit_test(damaged_or_foreign_memory_is_ignored),
        cmocka_unit_test(wrong_options_are_refused_with_a_remedy),
        cmocka_unit_test(own_url_is_used),
        cmocka_unit_test(stopping_during_a_fetch_is_safe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
