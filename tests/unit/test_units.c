/* Units of devices, with texts that firmwares print (CONTRACT "Metrics"). */
#include "check.h"

#include "ingest/units.h"

#include <math.h>
#include <string.h>

static void scaled(void **state)
{
    static const struct {
        const char *text;
        double value;
    } good[] = {
        {"0", 0},
        {"42", 42},
        {"0.0032", 0.0032},       /* NMMiner pool difficulty */
        {"0.0000", 0},            /* NerdMiner best difficulty */
        {"1.234K", 1234},         /* NerdMiner 1.6.3 and later */
        {"12.34K", 12340},        /* CONTRACT */
        {"54.97K", 54970},        /* 54.97 * 1000 is 54970.000000000007 */
        {"1.2M", 1.2e6},          /* CONTRACT */
        {"3.00G", 3e9},           /* AxeOS bestDiff until 2.10 */
        {"999.99E", 999.99e18},   /* NerdMiner's cap */
        {"1.5Z", 1.5e21},         /* */
        {"1.5EH/s", 1.5e18},      /* E is a suffix here … */
        {"1.04858e+06", 1048580}, /* … and an exponent there: AxeOS 2.15 prints %g */
        {"2E3", 2000},
        {"462.00KH/s", 462000}, /* NMMiner 1.x table */
        {"0.0000 H/s", 0},      /* NMMiner 2.x table */
        {"113.13K", 113130},    /* NMMiner UDP */
        {"78.5 kH/s", 78500},
        {"355.2 KH/s", 355200},
        {"20 MHashes", 20e6},
        {"103586 Khashes", 103586e3},
        {"85.4T", 85.4e12}, /* ckpool */
        {"44.4 K", 44400},
        {"7 hashes", 7},
        {"5 Hash", 5},
        {"5 H", 5},
        {"9 khash/s", 9000},
        {"  1.5\t", 1.5},
        {".5", 0.5},
        {"5.", 5},
        {"9999999999999999999999", 1e22},
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        double value = -1;
        if (!unit_parse_scaled(good[i].text, strlen(good[i].text), &value) ||
            value != good[i].value)
            fail_msg("%s: %.17g, expected %.17g", good[i].text, value, good[i].value);
    }
}

static void not_scaled(void **state)
{
    static const char *const bad[] = {"",      " ",      "nan", "inf",     "-1",    "-41dBm",
                                      "+1",    "K",      ".",   ".K",      "1.2.3", "28,612.3768",
                                      "1 2",   "1.2m",   "1KK", "12.34Kx", "0x10",  "1e6K",
                                      "1e400", "1e",     "1e+", "95 s",    "N/A",   "112.1 TT",
                                      "1 KW",  "7/2123", "--",  "1\n",     "5%",    "1K H/s x"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        double value = -7;
        if (unit_parse_scaled(bad[i], strlen(bad[i]), &value) || value != -7)
            fail_msg("'%s' became %g", bad[i], value);
    }
    char many[70];
    memset(many, '1', sizeof(many));
    double value;
    assert_false(unit_parse_scaled(many, sizeof(many), &value));
    assert_true(unit_parse_scaled("12345", 2, &value)); /* the length counts, not a NUL */
    assert_true(value == 12);
    assert_false(unit_parse_scaled("12\0003", 4, &value));
}

static void duration(void **state)
{
    static const struct {
        const char *text;
        double seconds;
    } good[] = {
        {"0  01:02:03", 3723},     /* NerdMiner: two blanks */
        {"12  23:59:59", 1123199}, /* */
        {"000d 00:10:42", 642},    /* NMMiner */
        {"001d 01:23:46", 91426},  /* */
        {"12:34:56", 45296},       {"123:00:01", 442801}, {" 1d 00:00:00 ", 86400},
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        double seconds = -1;
        if (!unit_parse_duration(good[i].text, strlen(good[i].text), &seconds) ||
            seconds != good[i].seconds)
            fail_msg("%s: %g, expected %g", good[i].text, seconds, good[i].seconds);
    }
    static const char *const bad[] = {
        "",       "5",          "01:02",        "0  24:00:00", "1:60:00",      "1:00:60",
        "1:0:00", "0d01:02:03", "0 d 1:00",     "-1 01:02:03", "1  01:02:03x", "1234567  01:02:03",
        "1d",     "d 01:02:03", "1  1 01:02:03"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        double seconds = -7;
        if (unit_parse_duration(bad[i], strlen(bad[i]), &seconds) || seconds != -7)
            fail_msg("'%s' became %g", bad[i], seconds);
    }
}

static void check_user(const char *user, const char *wallet, const char *worker)
{
    const char *got;
    size_t wallet_len, worker_len;
    unit_split_user(user, strlen(user), &wallet_len, &got, &worker_len);
    assert_int_equal(wallet_len, strlen(wallet));
    assert_memory_equal(user, wallet, wallet_len);
    assert_int_equal(worker_len, strlen(worker));
    assert_memory_equal(got, worker, worker_len);
}

static void user(void **state)
{
    check_user("bc1qexample.worker", "bc1qexample", "worker");
    check_user("bc1qexample", "bc1qexample", "");
    check_user("bc1qexample.", "bc1qexample", "");
    check_user("bc1qexample.IoT 2.w3", "bc1qexample", "IoT 2.w3");
    check_user(".w", "", "w");
    check_user("", "", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scaled),
        cmocka_unit_test(not_scaled),
        cmocka_unit_test(duration),
        cmocka_unit_test(user),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
