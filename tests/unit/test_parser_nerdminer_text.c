/* The NerdMiner parser: numbers and JSON, which lines are known, any bytes at all, and the
 * fingerprint. */
#include "parser_host.h"

#include "json.h"
#include "number.h"

#include <string.h>

/* ---- numbers ---- */

static double number(const char *text, size_t *left)
{
    struct span s = {text, text + strlen(text)};
    double value = -1;
    assert_true(number_take(&s, &value));
    *left = span_len(s);
    return value;
}

static void test_number(void **state)
{
    static const struct {
        const char *text;
        double want;
        size_t left;
    } good[] = {
        {"0", 0, 0},
        {"0.00", 0, 0},
        {"355.2 KH/s", 355.2, 5},
        {"-83", -83, 0},
        {"0.00015", 0.00015, 0},
        {"0.0010927152271872208", 0.0010927152271872208, 0},
        {"6.741666971837283E-08", 6.741666971837283e-08, 0},
        {"4294967295", 4294967295.0, 0},
        {"100000000000000000000", 1e20, 0},
        {"0.000000000000000000000000000001", 1e-30, 0},
        {"12.", 12, 1},
        {"2E", 2, 1},
        {"7e+3", 7000, 0},
    };
    static const char *const bad[] = {"", "nan", "inf", "-", ".5", "K", "1e400"};

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        size_t left;
        double got = number(good[i].text, &left);
        double slack = good[i].want < 0 ? -good[i].want : good[i].want;
        assert_near(got, good[i].want, slack * 1e-15);
        assert_int_equal(left, good[i].left);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct span s = {bad[i], bad[i] + strlen(bad[i])};
        double value;
        assert_false(number_take(&s, &value));
        assert_ptr_equal(s.at, bad[i]);
    }
}

static void test_suffixes(void **state)
{
    static const struct {
        const char *text;
        double want;
    } good[] = {{"0.0016", 0.0016}, {"1.234K", 1234},   {"12.34k", 12340}, {"1.2M", 1.2e6},
                {"3.00G", 3e9},     {"85.4T", 85.4e12}, {"2.5P", 2.5e15},  {"999.99E", 999.99e18},
                {"1Z", 1e21},       {"0.000", 0}};

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct span s = {good[i].text, good[i].text + strlen(good[i].text)};
        double value;
        assert_true(number_take_scaled(&s, &value));
        assert_near(value, good[i].want, good[i].want * 1e-12);
        assert_ptr_equal(s.at, s.end);
    }
}

static void test_duration_and_address(void **state)
{
    static const char *const bad_times[] = {"0  24:00:00", "0  1:02:03", "01:02:03", "0  00:60:00",
                                            "0  00:00:6"};
    static const char *const bad_ips[] = {"0.0.0.0", "1.2.3", "256.1.1.1", "1.2.3.", "a.b.c.d"};
    struct span s = {"12  23:59:58", NULL};
    struct span ip;
    double seconds;

    s.end = s.at + strlen(s.at);
    assert_true(number_take_duration(&s, &seconds));
    assert_near(seconds, 12 * 86400.0 + 86398.0, 0);
    for (size_t i = 0; i < sizeof(bad_times) / sizeof(bad_times[0]); i++) {
        s = (struct span){bad_times[i], bad_times[i] + strlen(bad_times[i])};
        assert_false(number_take_duration(&s, &seconds));
    }
    for (size_t i = 0; i < sizeof(bad_ips) / sizeof(bad_ips[0]); i++) {
        s = (struct span){bad_ips[i], bad_ips[i] + strlen(bad_ips[i])};
        assert_false(number_take_ipv4(&s, &ip));
    }
}

static void test_json(void **state)
{
    const char *text = "{\"a\": [1, {\"b\": \"x]}\\\"\"}], \"c\":null} tail";
    struct span s = {text, text + strlen(text)};
    struct span object;
    struct span key;
    struct span value;
    char buf[8];
    struct span out;

    assert_true(json_take_value(&s, &object));
    assert_true(span_is(s, " tail"));
    struct span in = json_inside(object);
    assert_true(json_next_member(&in, &key, &value) && span_is(key, "a"));
    assert_true(json_next_member(&in, &key, &value) && span_is(key, "c") && span_is(value, "null"));
    assert_false(json_next_member(&in, &key, &value));
    value = (struct span){"\"a\\\"b\"", NULL};
    value.end = value.at + 6;
    assert_true(json_string(value, buf, sizeof(buf), &out) && span_is(out, "a\"b"));
    s = (struct span){"{\"a\": [1, 2", NULL};
    s.end = s.at + strlen(s.at);
    assert_false(json_take_value(&s, &value));
}

/* ---- known and unknown ---- */

static void test_known_lines(void **state)
{
    static const char *const lines[] = {
        "configsip: 0, SPIWP:0xee",
        "clk_drv:0x00,q_drv:0x00,d_drv:0x00,cs0_drv:0x00,hd_drv:0x00",
        "mode:DIO, clock div:2",
        "load:0x3fff0030,len:1184",
        "entry 0x400805e4",
        "Saved PC:0x40378d03",
        "Build:Mar 27 2021",
        "Initializing...",
        "DEBUG: Attempting to read custom AP name from flash at 0x3F0000...",
        "DEBUG: Raw flash data: '\xEF\xBF\xBD\xEF\xBF\xBD rst:0x1 '",
        "\xE2\x9C\x85 Custom AP name from webflasher: Barn",
        "SPIFS: Mounted",
        "AllDone: ",
        "*wm:AutoConnect ",
        "Initiating tasks...",
        "[MONITOR] started",
        "[MONITOR] Saving stats",
        "[WORKER] Started. Running (Stratum) on core 1",
        "[WORKER] ==> Mining subscribe",
        "TimeClient setup done",
        "Resolved DNS and save ip (first time) got: 38.51.144.240",
        "    sub_details: 8e6d630c",
        "    extranonce2_size: 4",
        "    target: 00000000000000000001d9360000000000000000000000000000000000000000",
        "    coinbase: 0200000001",
        "    merkle sha         : 91810b5720",
        "####### Pool Data HTTP Error!",
        "####### Pool Data OK!",
        "[ 10091][E][ssl_client.cpp:37] _handle_error(): SSL",
        "E (2679) SPIFFS: mount failed, -10025",
        "I2C init: SDA=21, SCL=22",
        "MINER WORK ABORTED >> waiting new job",
        "01 00 00 00 01 00 00 00 ff 14",
        "00000020fb2b6b203cf136d6---",
        "version",
        "}",
        "   ",
        "Parsing error, need restart",
        "| Hello #TeamNerdMiner |",
        "------------------------"};
    static const char *const strangers[] = {
        "I (684078) bm1368Module: Job ID: 5D",
        "[I/NM] |  462.00KH/s |    1/149   |",
        "[STATS] Hashrate: 526.03 H/s | Shares: 0/0 | Ping: 212 ms | Best: 0.0070",
        "[D] Current: Hashrate: 11.34 kH/s",
        "hello world",
        "l",
        "\xEF\xBF\xBD",
        ">>> Completed",
        ">>> {\"id\":1}"};

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        again();
        if (line(lines[i]) != 1) {
            fail_msg("not known: %s", lines[i]);
        }
        assert_int_equal(events(SHEP_EV_RESET), 0);
    }
    for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++) {
        if (line(strangers[i]) != 0) {
            fail_msg("known: %s", strangers[i]);
        }
    }
}

/* Every byte, and long runs of what starts a marker: bounded, no crash, nothing said. */
static void test_any_bytes(void **state)
{
    static char text[SHEP_LINE_MAX];

    for (int c = 0; c < 256; c++) {
        memset(text, c, sizeof(text));
        assert_in_range(line_of(text, sizeof(text)), 0, 1);
        ops()->probe(text, sizeof(text));
    }
    assert_int_equal(line_of("", 0), 1);
    for (size_t i = 0; i + 4 <= sizeof(text); i += 4) {
        memcpy(text + i, "{\"[{", 4);
    }
    assert_int_equal(line_of(text, sizeof(text)), 0);
    assert_int_equal(said.n_events, 0);
}

/* A pool name or worker of hundreds of bytes. */
static void test_long_texts(void **state)
{
    char text[1200] = "btcString: ";
    memset(text + 11, 'w', 600);
    assert_known(text);
    assert_int_equal(strlen(said.text[SHEP_A_WALLET]), SHEP_TEXT_MAX);
    strcpy(text, "PoolString: ");
    memset(text + 12, 'p', 600);
    text[612] = '\0';
    assert_known(text);
    assert_known("portNumber: 3333");
    assert_false(said.have[SHEP_A_POOL]);
    /* nothing behind the name was overwritten: no submit has the id "pppppppp" */
    assert_known("{\"id\":8102099357864587376,\"error\":null,\"result\":true}");
    assert_false(said.have[SHEP_M_SHARES_ACCEPTED]);
    again();
    assert_known("PoolString: pool.example.org");
    assert_known("portNumber: 70000");
    assert_known("portNumber: 0");
    assert_false(said.have[SHEP_A_POOL]);
}

/* ---- fingerprint ---- */

static int probe(const char *text)
{
    return ops()->probe(text, strlen(text));
}

static void test_probe(void **state)
{
    static const char *const sure[] = {
        "NerdMiner v2 starting......",
        "  Sending  : {\"id\": 1, \"method\": \"mining.subscribe\", \"params\": "
        "[\"NerdMinerV2/V1.8.3\"]}",
        ">>> Completed 0 share(s), 0 Khashes, avg. hashrate nan KH/s",
        ">>> Completed 0 share(s), 0 hashes, avg. hashrate 0.000 KH/s",
        "garbage>>> Completed 0 share(s), 0 Khashes, avg. hashrate 0.00 KH/s",
        ">>> Hashrate: 355.2 KH/s | Shares: 0 | Best diff: 0.0000",
        ">>> shares:0  valids:0  Khashes:0  avg:0.00 KH/s",
        ">>> 0 shares, 0 Khashes, avg 0.00 KH/s",
        ">>> Best difficulty: 0.0000",
        ">>> [i] Miner: newJob>true / inRun>false)",
        "SPIFS: No config file available!",
        "Config SSID: NerdMinerAP",
        "[AxeHub] API listening on :80 (compat 1)",
        "DEBUG: CUSTOM FIRMWARE ACTIVE - UDP ENABLED"};
    static const char *const weak[] = {
        "ets Jul 29 2019 12:21:46",
        "rst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)",
        "ESP-ROM:esp32s3-20210327",
        "waiting for download",
        "invalid header: 0xffffffff",
        "Guru Meditation Error: Core  1 panic'ed (LoadProhibited). Exception was unhandled.",
        "Debug exception reason: Stack canary watchpoint triggered (Monitor) ",
        "*wm:AutoConnect ",
        "entry 0x400805e4",
        "",
        "\xEF\xBF\xBD"};
    static const char *const others[] = {
        "I (684078) stratum_api: tx: {\"id\": 1, \"params\": [\"NerdMinerV2/V1.8.3\"]}",
        "\x1b[0;32mI (10) main: >>> Valid blocks: 0\x1b[0m",
        "[I/NM] NMMiner version [v1.8.22] starting...",
        "\x1b[32m[I/NM] >>> Valid blocks: 0",
        "[09/15 21:27:08:403] stratum: connected, NerdMiner v2 starting",
        "\xE2\x82\xBF Pool connecting... NerdMiner v2 starting",
        "[I] Network: >>> {\"id\":20,\"method\":\"mining.submit\"}",
        "[D] Network: >>> Valid blocks: 0",
        "[STATS] Hashrate: 526.03 H/s | Shares: 0/0 | Ping: 212 ms | Best: 0.0070",
        ">>>stack>>>",
        ">>> {\"id\":1}",
        "=== SparkMiner v2.9.1 ===",
        "|  0.0000 H/s |     1/59     |  127.5T  |"};

    for (size_t i = 0; i < sizeof(sure) / sizeof(sure[0]); i++) {
        if (probe(sure[i]) < 80) {
            fail_msg("not sure of: %s", sure[i]);
        }
    }
    for (size_t i = 0; i < sizeof(weak) / sizeof(weak[0]); i++) {
        if (probe(weak[i]) >= 30) {
            fail_msg("too sure of: %s", weak[i]);
        }
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (probe(others[i]) != 0) {
            fail_msg("claims: %s", others[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(number),      TEST(suffixes),  TEST(duration_and_address), TEST(json),
        TEST(known_lines), TEST(any_bytes), TEST(long_texts),           TEST(probe)};
    return cmocka_run_group_tests_name("parser_nerdminer_text", tests, NULL, NULL);
}
