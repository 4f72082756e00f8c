/* The NerdMiner parser, line by line: each form of each version, driver and fork, what is known and
 * what is not, and the state that lines leave behind. The host is a recorder. The parser's own
 * sources are linked in. */
#include "check.h"

#include "json.h"
#include "number.h"
#include "shepherd/plugin.h"

#include <stdio.h>
#include <string.h>

enum { SAID_MAX = 256 };

struct said_event {
    uint32_t event;
    double value;
    char text[256];
};

struct shep_ctx {
    bool have[SHEP_ATTR_END];
    double value[SHEP_ATTR_END];
    char text[SHEP_ATTR_END][SHEP_TEXT_MAX + 1];
    struct said_event events[SAID_MAX];
    size_t n_events, n_readings;
};

static struct shep_ctx said;
static void *self;
static int64_t now_ms;

static const struct shep_parser_ops *ops(void)
{
    return shep_plugin_v1()->ops;
}

static int on_emit(struct shep_ctx *ctx, const struct shep_reading *r)
{
    assert_int_equal(r->size, sizeof(*r));
    assert_in_range(r->metric, 1, SHEP_ATTR_END - 1);
    ctx->n_readings++;
    ctx->have[r->metric] = true;
    ctx->value[r->metric] = r->value;
    if (r->metric >= SHEP_ATTR_FIRST) {
        assert_true(r->text_len <= SHEP_TEXT_MAX);
        memcpy(ctx->text[r->metric], r->text, r->text_len);
        ctx->text[r->metric][r->text_len] = '\0';
    }
    return SHEP_OK;
}

static int on_event(struct shep_ctx *ctx, const struct shep_event *e)
{
    assert_true(ctx->n_events < SAID_MAX);
    struct said_event *to = &ctx->events[ctx->n_events++];
    to->event = e->event;
    to->value = e->value;
    snprintf(to->text, sizeof(to->text), "%.*s", (int)e->text_len, e->text ? e->text : "");
    return SHEP_OK;
}

static const struct shep_host host = {.size = sizeof(host),
                                      .abi_major = SHEP_ABI_MAJOR,
                                      .abi_minor = SHEP_ABI_MINOR,
                                      .emit = on_emit,
                                      .event = on_event};

static int setup(void **state)
{
    memset(&said, 0, sizeof(said));
    now_ms = 1000000;
    return ops()->open(&said, &host, &self);
}

static int teardown(void **state)
{
    ops()->close(self);
    return 0;
}

/* A fresh stream in the middle of a test. */
static void again(void)
{
    ops()->close(self);
    assert_int_equal(setup(NULL), 0);
}

static int line_of(const char *text, size_t len)
{
    struct shep_line line = {
        .size = sizeof(line), .text = text, .len = len, .at_ms = now_ms, .seq = 1};
    return ops()->line(self, &line);
}

static int line(const char *text)
{
    return line_of(text, strlen(text));
}

static void assert_near(double got, double want, double slack)
{
    if (!(got - want <= slack && want - got <= slack)) {
        fail_msg("%.17g is not %.17g", got, want);
    }
}

#define assert_known(text)   assert_int_equal(line(text), 1)
#define assert_unknown(text) assert_int_equal(line(text), 0)

static void assert_value(uint32_t metric, double want)
{
    assert_true(said.have[metric]);
    assert_near(said.value[metric], want, want < 0 ? -want * 1e-12 : want * 1e-12);
}

static void assert_text(uint32_t attr, const char *want)
{
    assert_true(said.have[attr]);
    assert_string_equal(said.text[attr], want);
}

static size_t events(uint32_t event)
{
    size_t n = 0;
    for (size_t i = 0; i < said.n_events; i++) {
        n += said.events[i].event == event;
    }
    return n;
}

static const struct said_event *last_event(uint32_t event)
{
    for (size_t i = said.n_events; i-- > 0;) {
        if (said.events[i].event == event) {
            return &said.events[i];
        }
    }
    fail_msg("no event %u", event);
    return NULL;
}

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

/* ---- statistics ---- */

static void test_completed(void **state)
{
    assert_known(">>> Completed 3 share(s), 12345 Khashes, avg. hashrate 355.2 KH/s");
    assert_value(SHEP_M_SHARES_32BIT, 3);
    assert_value(SHEP_M_HASHES_TOTAL, 12345000);
    assert_value(SHEP_M_HASHRATE, 355200);
    assert_text(SHEP_A_FIRMWARE, "NerdMiner_v2");
    assert_int_equal(events(SHEP_EV_RUNNING), 0); /* joined while it ran */
}

static void test_prototype(void **state)
{
    assert_known(">>> Completed 0 share(s), 1802240 hashes, avg. hashrate 18.412 KH/s");
    assert_value(SHEP_M_HASHES_TOTAL, 1802240);
    assert_value(SHEP_M_HASHRATE, 18412);
}

static void test_no_number_is_no_reading(void **state)
{
    assert_known(">>> Completed 0 share(s), 0 Khashes, avg. hashrate nan KH/s");
    assert_false(said.have[SHEP_M_HASHRATE]);
    assert_value(SHEP_M_HASHES_TOTAL, 0);
    assert_known(">>> shares:0  valids:0  Khashes:8714  avg:2147483647 KH/s");
    assert_false(said.have[SHEP_M_HASHRATE]);
    assert_known(">>> Temperature: nan");
    assert_false(said.have[SHEP_M_TEMPERATURE]);
    assert_known(">>> Hashrate: inf KH/s | Shares: 2 | Best diff: 0.5");
    assert_false(said.have[SHEP_M_HASHRATE]);
    assert_value(SHEP_M_SHARES_32BIT, 2);
}

static void test_eight_lines(void **state)
{
    assert_known(">>> Valid blocks: 0");
    assert_known(">>> Block templates: 17");
    assert_known(">>> Best difficulty: 1.234K");
    assert_known(">>> 32Bit shares: 4");
    assert_known(">>> Temperature: 53");
    assert_known(">>> Total MHashes: 41654");
    assert_known(">>> Time mining: 1  02:03:04");
    assert_value(SHEP_M_VALID_BLOCKS, 0);
    assert_value(SHEP_M_BLOCK_TEMPLATES, 17);
    assert_value(SHEP_M_BEST_DIFFICULTY, 1234);
    assert_value(SHEP_M_SHARES_32BIT, 4);
    assert_value(SHEP_M_TEMPERATURE, 53);
    assert_value(SHEP_M_UPTIME, 93784);
    assert_false(said.have[SHEP_M_HASHES_TOTAL]); /* never from Total MHashes */
}

static void test_ssd1306(void **state)
{
    assert_known(">>> Hashrate: 355.2 KH/s | Shares: 3 | Best diff: 12.34K");
    assert_value(SHEP_M_HASHRATE, 355200);
    assert_value(SHEP_M_SHARES_32BIT, 3);
    assert_value(SHEP_M_BEST_DIFFICULTY, 12340);
    assert_text(SHEP_A_STATE, "mining");
}

static void test_weact(void **state)
{
    assert_known(">>> 2 shares, 103 Khashes, avg 1.50 KH/s");
    assert_value(SHEP_M_SHARES_32BIT, 2);
    assert_value(SHEP_M_HASHES_TOTAL, 103000);
    assert_value(SHEP_M_HASHRATE, 1500);
    assert_known(">>> shares:5  valids:1  Khashes:103586  avg:0 KH/s");
    assert_value(SHEP_M_SHARES_32BIT, 5);
    assert_value(SHEP_M_VALID_BLOCKS, 1);
    assert_value(SHEP_M_HASHES_TOTAL, 103586000);
    assert_value(SHEP_M_HASHRATE, 0);
    assert_text(SHEP_A_STATE, "mining"); /* the hashes moved, whatever the average says */
    assert_known("Pool workers:0  poolHash:0.0000");
    assert_known("WiFi: my net 2 192.168.0.185");
    assert_text(SHEP_A_IP, "192.168.0.185");
}

/* Serial.print without an end glues both ways; what stands last wins. */
static void test_glued(void **state)
{
    assert_known("TimeClient NTPupdateTime >>> Completed 1 share(s), 20 Khashes, avg. hashrate "
                 "0.50 KH/s");
    assert_value(SHEP_M_HASHRATE, 500);
    assert_known("    extranonce1: a08930fd>>> Completed 1 share(s), 30 Khashes, avg. hashrate "
                 "0.70 KH/s");
    assert_value(SHEP_M_HASHRATE, 700);
    assert_known(" *wm:[ERR>>> Completed 1 share(s), 40 Khashes, avg. hashrate 0.80 KH/s");
    assert_value(SHEP_M_HASHRATE, 800);
    assert_known(">>> Finished job waiting new data from pool>>> Completed 2 share(s), 41 Khashes, "
                 "avg. hashrate 0.90 KH/s");
    assert_value(SHEP_M_SHARES_32BIT, 2);
    assert_known(">>> Completed 2 share(s), 42 Khashes, avg. hashrate 1.00 KH/s>>> Completed 3 "
                 "share(s), 43 Khashes, avg. hashrate 1.10 KH/s");
    assert_value(SHEP_M_SHARES_32BIT, 3);
    assert_value(SHEP_M_HASHRATE, 1100);
    assert_known("{\"id\":null,\"method\":\"mining.notify\",\"params\":[\"77\",\"00\"]}>>> Valid "
                 "blocks: 2");
    assert_value(SHEP_M_VALID_BLOCKS, 2);
    assert_string_equal(last_event(SHEP_EV_JOB)->text, "77");
}

/* A console that drops bytes cuts figures: nothing is better than a wrong one. */
static void test_cut(void **state)
{
    assert_known(">>> Completed 1 share(s), 1234");
    assert_value(SHEP_M_SHARES_32BIT, 1);
    assert_false(said.have[SHEP_M_HASHES_TOTAL]);
    assert_known(">>> Completed 1 share(s), 1234 Khashes, avg. hashrate 35");
    assert_false(said.have[SHEP_M_HASHRATE]);
    assert_known(">>> Block templates: 1>>> Best difficulty: 0.5");
    assert_false(said.have[SHEP_M_BLOCK_TEMPLATES]);
    assert_value(SHEP_M_BEST_DIFFICULTY, 0.5);
    assert_unknown(">>> Completed many share(s)");
    assert_unknown(">>> ");
    assert_unknown(">>");
}

static void test_false_friends(void **state)
{
    assert_known("80 ->  >>> bytearray_blockheader     : 00000020");
    assert_known(">>> STARTING TO HASH NONCES");
    assert_known("[WORKER] >>>>>>>>> Work aborted");
    assert_known(">>> Resetting watchdog timer");
    assert_unknown(">>>stack>>>");
    assert_int_equal(events(SHEP_EV_SHARE_SUBMITTED), 0);
    for (uint32_t m = 1; m < SHEP_METRIC_MAX; m++) {
        assert_false(said.have[m]);
    }
}

static void test_gauges(void **state)
{
    assert_known("RSSI: -83");
    assert_value(SHEP_M_RSSI, -83);
    assert_known("signal strength (RSSI):-76");
    assert_value(SHEP_M_RSSI, -76);
    assert_known("### [Total Heap / Free heap / Min free heap]: 351320 / 250156 / 240000 ");
    assert_value(SHEP_M_FREE_HEAP, 250156);
    assert_known("$$ Free Heap:151384");
    assert_value(SHEP_M_FREE_HEAP, 151384);
    assert_known("CPU frequency: 240MHz");
    assert_value(SHEP_M_FREQUENCY, 240e6);
    assert_known("Battery voltage: 4.12");
    assert_value(SHEP_M_VOLTAGE, 4.12);
    assert_known("[THERMAL] Temperature 81.5\xC2\xB0"
                 "C >= 80\xC2\xB0"
                 "C, throttling mining...");
    assert_value(SHEP_M_TEMPERATURE, 81.5);
}

static void test_valid_block(void **state)
{
    assert_known("CONGRATULATIONS! Valid block found");
    assert_int_equal(events(SHEP_EV_BLOCK_FOUND), 1);
    assert_known(">>> Valid blocks: 0");
    assert_known(">>> Valid blocks: 1");
    assert_int_equal(events(SHEP_EV_BLOCK_FOUND), 2); /* its own line was lost */
    assert_known("[WORKER] 0 CONGRATULATIONS! Valid completed with nonce: 12 | 0xc");
    assert_known(">>> Valid blocks: 2");
    assert_int_equal(events(SHEP_EV_BLOCK_FOUND), 3); /* told once */
}

/* ---- stratum ---- */

static void test_subscribe(void **state)
{
    assert_known("  Sending  : {\"id\": 1, \"method\": \"mining.subscribe\", \"params\": "
                 "[\"NerdMinerV2/V1.8.3\"]}");
    assert_text(SHEP_A_VERSION, "1.8.3");
    assert_text(SHEP_A_FIRMWARE, "NerdMiner_v2");
    assert_text(SHEP_A_STATE, "connecting");
    again();
    assert_known("Sending : {\"id\": 1, \"method\": \"mining.subscribe\", \"params\": "
                 "[\"HAN_SOLOminer/V1.6.3\"]}");
    assert_text(SHEP_A_VERSION, "1.6.3");
    assert_text(SHEP_A_FIRMWARE, "HAN_SOLOminer");
    again();
    assert_known("  Sending  : {\"id\": 1, \"method\": \"mining.subscribe\", \"params\": "
                 "[\"NerdMinerV2\"]}");
    assert_false(said.have[SHEP_A_VERSION]);
    again();
    assert_known("  Sending  : {\"id\": 1, \"method\": \"mining.subscribe\", \"params\": "
                 "[\"1NotAnAgent\", \"***\"]}");
    assert_false(said.have[SHEP_A_VERSION]);
}

static void test_authorize(void **state)
{
    assert_known("  Sending  : {\"params\": [\"bc1qmade.barn.IoT 2\", \"***\"], \"id\": 2, "
                 "\"method\": \"mining.authorize\"}");
    assert_text(SHEP_A_WALLET, "bc1qmade");
    assert_text(SHEP_A_WORKER, "barn.IoT 2");
    assert_known("  Receiving: {\"id\":2,\"error\":[24,\"Unauthorized worker\",null],\"result\":"
                 "false}");
    assert_text(SHEP_A_STATE, "no pool");
    assert_non_null(strstr(said.text[SHEP_A_ERROR], "Unauthorized worker"));
    assert_known("  Sending  : {\"params\": [\"bc1qother\", \"***\"], \"id\": 3, \"method\": "
                 "\"mining.authorize\"}");
    assert_text(SHEP_A_WALLET, "bc1qother");
    assert_text(SHEP_A_WORKER, ""); /* it has none any more */
    assert_known("  Receiving: {\"id\":3,\"error\":null,\"result\":true}");
    assert_text(SHEP_A_ERROR, "");
}

static void test_garbage_user(void **state)
{
    assert_known(
        "  Sending  : {\"params\": [\"\xEF\xBF\xBD\x0f\xEF\xBF\xBD?/\", \"x\"], \"id\": 2, "
        "\"method\": \"mining.authorize\"}");
    assert_false(said.have[SHEP_A_WALLET]);
    assert_known("  Sending  : {\"params\": [\"H"); /* a line end was in the memory */
    assert_false(said.have[SHEP_A_WALLET]);
}

static void submit(unsigned id)
{
    char text[200];
    snprintf(
        text, sizeof(text),
        "  Sending  : {\"id\":%u,\"method\":\"mining.submit\",\"params\":[\"bc1qmade.w\",\"j\","
        "\"00000001\",\"6924f954\",\"da5b9574\"]}",
        id);
    assert_known(text);
}

static void test_shares(void **state)
{
    submit(4);
    assert_text(SHEP_A_WALLET, "bc1qmade");
    assert_text(SHEP_A_WORKER, "w");
    assert_false(said.have[SHEP_M_SHARES_ACCEPTED]); /* nothing was paired yet */
    assert_known("   - Current diff share: 0.001575298610");
    assert_known("   - Current pool diff : 0.000150000000");
    assert_known("   - TX SHARE: be292a2c2a3bd15113cea68789e4e5b493ae5ab2948626da326564ca7a020000");
    assert_known("  Receiving: {\"id\":4,\"error\":null,\"result\":true}");
    assert_value(SHEP_M_SHARES_ACCEPTED, 1);
    assert_value(SHEP_M_SHARES_REJECTED, 0);
    assert_near(last_event(SHEP_EV_SHARE_ACCEPTED)->value, 0.00157529861, 1e-12);
    assert_known("  Receiving: {\"id\":4,\"error\":null,\"result\":true}"); /* not twice */
    assert_value(SHEP_M_SHARES_ACCEPTED, 1);
    submit(5);
    submit(6);
    submit(7);
    assert_known("  Receiving: {\"id\":6,\"error\":[21,\"Job not found\",null],\"result\":null}");
    assert_string_equal(last_event(SHEP_EV_SHARE_REJECTED)->text, "Job not found");
    assert_known("ERROR: 21 | reason: Job not found ");
    assert_known("Refuse submition 6");
    assert_value(SHEP_M_SHARES_REJECTED, 1);
    assert_known("  Receiving: {\"result\":false,\"error\":{\"code\":22,\"message\":\"duplicate "
                 "share\",\"data\":null},\"id\":5}");
    assert_string_equal(last_event(SHEP_EV_SHARE_REJECTED)->text, "duplicate share");
    assert_known("Refuse submition 7"); /* its reply was lost */
    assert_value(SHEP_M_SHARES_REJECTED, 3);
    assert_value(SHEP_M_SHARES_ACCEPTED, 1);
    submit(8);
    assert_known("  Receiving: {\"result\":true,\"id\":8}"); /* no member error */
    assert_value(SHEP_M_SHARES_ACCEPTED, 2);
    assert_int_equal(events(SHEP_EV_SHARE_SUBMITTED), 5);
}

static void test_ids_start_again(void **state)
{
    submit(4);
    assert_known(
        "{\"id\": 1, \"method\": \"mining.subscribe\", \"params\": [\"NerdMinerV2/V1.8.3\"]}");
    assert_known("{\"id\":4,\"error\":null,\"result\":true}"); /* of suggest_difficulty by now */
    assert_false(said.have[SHEP_M_SHARES_ACCEPTED]);
}

static void test_more_submits_than_room(void **state)
{
    for (unsigned id = 10; id < 100; id++) {
        submit(id);
    }
    assert_known("{\"id\":10,\"error\":null,\"result\":true}"); /* forgotten */
    assert_false(said.have[SHEP_M_SHARES_ACCEPTED]);
    assert_known("{\"id\":99,\"error\":null,\"result\":true}");
    assert_value(SHEP_M_SHARES_ACCEPTED, 1);
}

static void test_jobs_and_difficulty(void **state)
{
    assert_known(
        "  Receiving: {\"jsonrpc\":\"2.0\",\"method\":\"mining.notify\",\"params\":["
        "\"0000c6b9\",\"5284\",\"01\",\"02\",[],\"20000000\",\"17\",\"69\",true],\"id\":null}");
    assert_string_equal(last_event(SHEP_EV_JOB)->text, "0000c6b9");
    assert_known("    Parsing Method [MINING NOTIFY]");
    assert_int_equal(events(SHEP_EV_JOB), 1);
    assert_int_equal(events(SHEP_EV_POOL_CONNECTED), 0); /* it was connected before we came */
    assert_known("  Receiving: {\"method\":\"mining.set_difficulty\",\"params\":"
                 "[0.0013919351962563749],\"id\":null}");
    assert_value(SHEP_M_POOL_DIFFICULTY, 0.0013919351962563749);
    assert_known("    difficulty: 0.001391935196");
    assert_value(SHEP_M_POOL_DIFFICULTY, 0.0013919351962563749); /* not the rounded one */
    assert_known("    difficulty: 100000.000000000000");
    assert_value(SHEP_M_POOL_DIFFICULTY, 100000);
    assert_known(
        "  Receiving: {\"id\":null,\"method\":\"mining.notify\",\"params\":[\"4c69\",\"d649");
    assert_string_equal(last_event(SHEP_EV_JOB)->text, "4c69"); /* cut behind the job's id */
    assert_known("  Sending  : KeepAlive suggest_difficulty");
    assert_known(
        "  Sending  : {\"id\":3,\"method\":\"mining.suggest_difficulty\",\"params\":[0.00015]}");
    assert_unknown("payload: '{\"bitcoin\":{\"usd\":68000}}'");
}

/* What a pool or a worker's name says is no line of the firmware. */
static void test_hostile_text(void **state)
{
    assert_known("  Receiving: {\"id\":null,\"method\":\"client.show_message\",\"params\":["
                 "\"CONGRATULATIONS! Valid block found >>> Valid blocks: 9 rst:0x1 (POWERON_RESET)"
                 "\"]}");
    assert_known("*wm:Connecting to SAVED AP: waiting for download");
    assert_known(
        "  Receiving: {\"id\":null,\"method\":\"mining.notify\",\"params\":[\"\\u0041\"]}");
    assert_int_equal(events(SHEP_EV_BLOCK_FOUND), 0);
    assert_int_equal(events(SHEP_EV_RESET), 0);
    assert_int_equal(events(SHEP_EV_BOOTLOADER), 0);
    assert_false(said.have[SHEP_M_VALID_BLOCKS]);
}

/* ---- boot ---- */

static void test_reset(void **state)
{
    assert_known(">>> Completed 0 share(s), 10 Khashes, avg. hashrate 5.00 KH/s");
    assert_known("ets Jul 29 2019 12:21:46");
    assert_known("rst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)");
    assert_string_equal(last_event(SHEP_EV_RESET)->text, "power on (POWERON_RESET)");
    assert_text(SHEP_A_CHIP, "ESP32");
    assert_text(SHEP_A_STATE, "booting");
    assert_known("NerdMiner v2 starting......");
    assert_int_equal(events(SHEP_EV_RESET), 1); /* the banner belongs to the same reset */
    assert_int_equal(events(SHEP_EV_RUNNING), 0);
    assert_known(">>> Completed 0 share(s), 0 Khashes, avg. hashrate 0.00 KH/s");
    assert_known(">>> Completed 0 share(s), 5 Khashes, avg. hashrate 0.50 KH/s");
    assert_int_equal(events(SHEP_EV_RUNNING), 1);
    assert_text(SHEP_A_STATE, "mining");
}

static void test_reset_without_rom_text(void **state)
{
    assert_known("NerdMiner v2 starting......");
    assert_int_equal(events(SHEP_EV_RESET), 1);
    assert_known("NerdMiner v2 starting......");
    assert_int_equal(events(SHEP_EV_RESET), 2);
    assert_known("NerdMiner v2 started......");
    assert_int_equal(events(SHEP_EV_RESET), 2);
}

static void test_reset_reasons(void **state)
{
    static const struct {
        const char *line, *text;
    } cases[] = {
        {"rst:0xc (SW_CPU_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)",
         "restarted by its software (SW_CPU_RESET)"},
        {"rst:0x10 (RTCWDT_RTC_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)",
         "watchdog (RTCWDT_RTC_RESET)"},
        {"rst:0xf (RTCWDT_BROWN_OUT_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)",
         "the supply voltage dipped (RTCWDT_BROWN_OUT_RESET)"},
        {"rst:0x15 (USB_UART_CHIP_RESET),boot:0x28 (SPI_FAST_FLASH_BOOT)",
         "reset over USB (USB_UART_CHIP_RESET)"},
        {"\x01\x08\x04 e0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)",
         "power on (POWERON_RESET)"},
        {"rst:0x7f (NEW_THING),boot:0x13 (X)", "NEW_THING"},
        {"rst:0x1", "reason not told"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        now_ms += 100000;
        assert_known(cases[i].line);
        assert_int_equal(events(SHEP_EV_RESET), i + 1);
        assert_string_equal(last_event(SHEP_EV_RESET)->text, cases[i].text);
    }
    assert_int_equal(events(SHEP_EV_BOOT_LOOP), 0);
}

static void test_chips(void **state)
{
    assert_known("ESP-ROM:esp32s3-20210327");
    assert_text(SHEP_A_CHIP, "ESP32-S3");
    again();
    assert_known("ESP-ROM:esp32c3-api1-20210207");
    assert_text(SHEP_A_CHIP, "ESP32-C3");
    again();
    assert_known("Chip: ESP32-D0WD-V3");
    assert_known("[MINER] 0 Started minerWorkerHwEsp32D Task!");
    assert_text(SHEP_A_CHIP, "ESP32-D0WD-V3");
    again();
    assert_known("[MINER] 0 Started minerWorkerHwEsp32D Task!");
    assert_text(SHEP_A_CHIP, "ESP32");
}

static void test_boards(void **state)
{
    static const struct {
        const char *line, *board;
    } cases[] = {
        {"No display driver initialized", "No display"},
        {"Led display driver initialized", "Led display"},
        {"OLED 0.42 display driver initialized", "OLED 0.42 display"},
        {"OLED 0.96 128x64 display driver initialized", "OLED 0.96 128x64 display"},
        {"M5stack display driver initialized", "M5stack display"},
        {"SSD1306 128x64 display driver initialized", "SSD1306 128x64 display"},
        {"M5Stack Core2 display driver initialized", "M5Stack Core2 display"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_known(cases[i].line);
        assert_text(SHEP_A_BOARD, cases[i].board);
    }
}

static void test_panic(void **state)
{
    assert_known("Guru Meditation Error: Core  1 panic'ed (LoadProhibited). Exception was "
                 "unhandled.");
    assert_string_equal(last_event(SHEP_EV_PANIC)->text, "LoadProhibited");
    assert_text(SHEP_A_STATE, "crashed");
    assert_text(SHEP_A_ERROR, "crashed: LoadProhibited");
    assert_known("Debug exception reason: Stack canary watchpoint triggered (Monitor) ");
    assert_text(SHEP_A_ERROR, "crashed: Stack canary watchpoint triggered (Monitor)");
    assert_known("Core  1 register dump:");
    assert_known(
        "PC      : 0x4008d601  PS      : 0x00060e30  A0      : 0x80180e00  A1      : 0x3f");
    assert_known("Backtrace: 0x4008d5fe:0x3ffd4f10 0x40180dfd:0x3ffd4f20 |<-CORRUPTED");
    assert_known("ELF file SHA256: ed4461f33eee1725");
    assert_known("Rebooting...");
    assert_known("abort() was called at PC 0x400d1234 on core 0");
    assert_int_equal(events(SHEP_EV_PANIC), 1);
    assert_known("rst:0xc (SW_CPU_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)");
    assert_text(SHEP_A_ERROR, "crashed: Stack canary watchpoint triggered (Monitor)");
    assert_known(">>> Valid blocks: 0");
    assert_text(SHEP_A_ERROR, "");
    assert_int_equal(events(SHEP_EV_RUNNING), 1);
}

static void test_other_crashes(void **state)
{
    static const struct {
        const char *line, *reason;
    } cases[] = {
        {"assert failed: xQueueSemaphoreTake queue.c:1554 (pxQueue)",
         "assert failed: xQueueSemaphoreTake queue.c:1554 (pxQueue)"},
        {"abort() was called at PC 0x400d1234 on core 0", "abort"},
        {"***ERROR*** A stack overflow in task Monitor has been detected.",
         "A stack overflow in task Monitor has been detected."},
        {"E (10234) task_wdt: Task watchdog got triggered. The following tasks did not reset the "
         "watchdog in time:",
         "task watchdog"},
        {"Brownout detector was triggered", "brownout (supply voltage dipped)"},
        {">>> Completed 0 share(s), 1Guru Meditation Error: Core  0 panic'ed (Double exception). ",
         "Double exception"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        again();
        assert_known(cases[i].line);
        assert_string_equal(last_event(SHEP_EV_PANIC)->text, cases[i].reason);
    }
}

static void test_boot_loop(void **state)
{
    for (int i = 0; i < 6; i++) {
        assert_known("rst:0x3 (SW_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)");
        now_ms += 1000;
        assert_int_equal(events(SHEP_EV_BOOT_LOOP), i >= 2);
    }
    assert_text(SHEP_A_STATE, "boot loop");
    assert_non_null(strstr(said.text[SHEP_A_ERROR], "again and again"));
    now_ms += 100000; /* a reset by itself ends it */
    assert_known("rst:0x3 (SW_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)");
    assert_text(SHEP_A_STATE, "booting");
    assert_known(">>> Valid blocks: 0");
    assert_text(SHEP_A_ERROR, "");
}

static void test_three_resets_in_longer_than_a_minute(void **state)
{
    for (int i = 0; i < 5; i++) {
        assert_known("rst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)");
        now_ms += 30001;
    }
    assert_int_equal(events(SHEP_EV_BOOT_LOOP), 0);
}

static void test_bootloader(void **state)
{
    assert_known("rst:0x1 (POWERON_RESET),boot:0x3 (DOWNLOAD_BOOT(UART0/UART1/SDIO_REI_REO_V2))");
    assert_known("waiting for download");
    assert_known("waiting for download");
    assert_int_equal(events(SHEP_EV_BOOTLOADER), 1);
    assert_text(SHEP_A_STATE, "bootloader");
    assert_known("rst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)");
    assert_known(">>> Valid blocks: 0");
    assert_text(SHEP_A_ERROR, "");
}

static void test_erased_flash(void **state)
{
    assert_known("invalid header: 0xffffffff");
    assert_text(SHEP_A_STATE, "no firmware");
    assert_known("invalid headeets Jul 29 2019 12:21:46");
}

/* After a reset each attribute is said again, and our counts begin at nothing. */
static void test_per_boot_state(void **state)
{
    submit(4);
    assert_known("{\"id\":4,\"error\":null,\"result\":true}");
    submit(5);
    assert_known("rst:0xc (SW_CPU_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)");
    said.have[SHEP_A_WALLET] = said.have[SHEP_M_SHARES_ACCEPTED] = false;
    assert_known("{\"id\":5,\"error\":null,\"result\":true}"); /* of before */
    assert_false(said.have[SHEP_M_SHARES_ACCEPTED]);
    submit(4);
    assert_true(said.have[SHEP_A_WALLET]);
    assert_known("{\"id\":4,\"error\":null,\"result\":true}");
    assert_value(SHEP_M_SHARES_ACCEPTED, 1);
}

static void test_repeating_costs_nothing(void **state)
{
    submit(4);
    size_t readings = said.n_readings;
    submit(5);
    assert_int_equal(said.n_readings, readings);
}

/* ---- forks ---- */

static void test_axehub(void **state)
{
    assert_known("[BOOT] reset_reason=9 (BROWNOUT) heap_free=250000 min_free=249000");
    assert_string_equal(last_event(SHEP_EV_RESET)->text, "the supply voltage dipped (BROWNOUT)");
    assert_value(SHEP_M_FREE_HEAP, 250000);
    assert_known("NerdMiner v2 starting......");
    assert_int_equal(events(SHEP_EV_RESET), 1);
    assert_text(SHEP_A_FIRMWARE, "AxeHub");
    assert_known("[AxeHub] Post-overclock: actual=260 MHz (api_ok=1)");
    assert_value(SHEP_M_FREQUENCY, 260e6);
    assert_known("Client not connected, trying to connect (pool.example.org:3333, fallback=0)...");
    assert_text(SHEP_A_POOL, "pool.example.org:3333");
    assert_known(">>> hw_khs: 300  sw_khs: 55  pool_eff: 340");
    assert_known("[PriceHist] HTTP 200");
    assert_known(">>> Valid blocks: 0");
    assert_text(SHEP_A_FIRMWARE, "AxeHub");
}

static void test_weistekeng(void **state)
{
    assert_known("NerdMiner v2 UDP ENABLED......");
    assert_text(SHEP_A_FIRMWARE, "WeisTekEng");
    assert_known("UDP Packet Sent: {\"id\":\"AA:BB:CC:DD:EE:0F\",\"miner\":\"desk\",\"pool\":"
                 "\"pool.example.org:3333\",\"bestDiff\":\"12.50000\",\"hashrate\":\"355.20\","
                 "\"shares\":2,\"templates\":7,\"valid\":0,\"temp\":\"53.3\",\"uptime\":61,\"ip\":"
                 "\"192.168.1.20\"}");
    assert_text(SHEP_A_MAC, "aa:bb:cc:dd:ee:0f");
    assert_text(SHEP_A_POOL, "pool.example.org:3333");
    assert_text(SHEP_A_IP, "192.168.1.20");
    assert_value(SHEP_M_BEST_DIFFICULTY, 12.5);
    assert_value(SHEP_M_HASHRATE, 355200);
    assert_value(SHEP_M_SHARES_32BIT, 2);
    assert_value(SHEP_M_BLOCK_TEMPLATES, 7);
    assert_value(SHEP_M_VALID_BLOCKS, 0);
    assert_value(SHEP_M_TEMPERATURE, 53.3);
    assert_value(SHEP_M_UPTIME, 61);
    again();
    assert_known("DEBUG: CUSTOM FIRMWARE ACTIVE - UDP ENABLED");
    assert_text(SHEP_A_FIRMWARE, "WeisTekEng");
}

/* ---- network and configuration ---- */

static void test_config_dump(void **state)
{
    assert_known("{");
    assert_known("  \"poolString\": \"public-pool.io\",");
    assert_false(said.have[SHEP_A_POOL]);
    assert_known("  \"portNumber\": 21496,");
    assert_text(SHEP_A_POOL, "public-pool.io:21496");
    assert_known("  \"poolPassword\": \"***\",");
    assert_known("  \"btcString\": \"bc1qmade.IoT 2\",");
    assert_text(SHEP_A_WALLET, "bc1qmade");
    assert_text(SHEP_A_WORKER, "IoT 2");
    assert_known("  \"gmtZone\": 2,");
    assert_known("  \"saveStatsToNVS\": false,");
    assert_known("  \"invertColors\": false,");
    assert_known("  \"Brightness\": 250");
    assert_known("}");
}

static void test_sd_card(void **state)
{
    assert_known("SDCard: Loading config file");
    assert_known("{");
    assert_known("  \"SSID\": \"made up\",");
    assert_known("  \"WifiPW\": \"***\",");
    assert_known("  \"PoolPort\": 3333,"); /* the order is that of the file on the card */
    assert_known("  \"PoolUrl\": \"pool.example.org\",");
    assert_known("  \"BtcWallet\": \"bc1qmade.sd\"");
    assert_known("}");
    assert_text(SHEP_A_POOL, "pool.example.org:3333");
    assert_text(SHEP_A_WORKER, "sd");
    assert_known("Carteira Lida SDs:bc1qmade.card");
    assert_text(SHEP_A_WORKER, "card");
}

static void test_config_lines(void **state)
{
    assert_known("PoolString: public-pool.io");
    assert_known("portNumber: 21496");
    assert_known("poolPassword: ***");
    assert_known("btcString: bc1qmade");
    assert_known("TimeZone fromUTC: 2");
    assert_text(SHEP_A_POOL, "public-pool.io:21496");
    assert_text(SHEP_A_WALLET, "bc1qmade");
    assert_false(said.have[SHEP_A_WORKER]);
}

/* As in an issue: line ends became blanks, leading blanks went. */
static void test_pasted_lines(void **state)
{
    assert_known(
        "WiFi connected IP address: 192.168.1.111 PoolString: pool.nerdminers.org "
        "portNumber: 3333 poolPassword: *** btcString: xxx.test TimeZone fromUTC: 1 Invert "
        "Colors: 1 Brightness: 250");
    assert_text(SHEP_A_IP, "192.168.1.111");
    assert_text(SHEP_A_POOL, "pool.nerdminers.org:3333");
    assert_text(SHEP_A_WALLET, "xxx");
    assert_text(SHEP_A_WORKER, "test");
}

static void test_addresses(void **state)
{
    assert_known("*wm:AP IP address: 192.168.4.1");
    assert_known("Config IP Address: 192.168.4.1");
    assert_known("AP IP address: 192.168.4.1");
    assert_unknown("P IP address: 192.168.4.1"); /* its first byte was lost */
    assert_known("IP address: 0.0.0.0");
    assert_false(said.have[SHEP_A_IP]);
    assert_known("*wm:STA IP Address: 192.168.0.185");
    assert_text(SHEP_A_IP, "192.168.0.185");
    assert_known("CONNECTED - Current ip: 192.168.0.186");
    assert_text(SHEP_A_IP, "192.168.0.186");
    assert_known("Connecting to WiFi .........192.168.0.33");
    assert_text(SHEP_A_IP, "192.168.0.33");
    assert_known("*wm:192.168.1.159 ");
    assert_text(SHEP_A_IP, "192.168.1.159");
}

static void test_wifi_setup(void **state)
{
    assert_known("*wm:AutoConnect: FAILED for  50523 ms");
    assert_int_equal(events(SHEP_EV_WIFI_LOST), 1);
    assert_text(SHEP_A_STATE, "no wifi");
    assert_known("Entered Configuration Mode");
    assert_known("Config SSID: NerdMinerAP");
    assert_known("Config IP Address: 192.168.4.1");
    assert_int_equal(events(SHEP_EV_WIFI_SETUP), 1);
    assert_text(SHEP_A_STATE, "wifi setup");
    assert_non_null(strstr(said.text[SHEP_A_ERROR], "NerdMinerAP"));
    assert_known("*wm:Connect to new AP [SUCCESS] ");
    assert_text(SHEP_A_ERROR, "");
    assert_known("failed to connect and hit timeout"); /* printed all the same */
    assert_text(SHEP_A_STATE, "connecting");
}

static void test_wifi_setup_timed_out(void **state)
{
    assert_known("Entered Configuration Mode");
    assert_known("*wm:config portal has timed out ");
    assert_text(SHEP_A_STATE, "no wifi");
    assert_known(">>> Completed 0 share(s), 0 Khashes, avg. hashrate 0.00 KH/s");
    assert_known(">>> [i] Miner: newJob>true / inRun>false) - Client: connected>false / "
                 "subscribed>false / wificonnected>false");
    assert_text(SHEP_A_STATE, "no wifi");
    assert_true(said.text[SHEP_A_ERROR][0] != '\0');
    again();
    assert_known("Entered Configuration Mode");
    assert_known("Failed to connect and hit timeout");
    assert_text(SHEP_A_STATE, "no wifi");
}

static void test_wifi_lost(void **state)
{
    assert_known("CONNECTED - Current ip: 192.168.0.185");
    assert_known("[Error] - current status: 1");
    assert_known("[Error] - current status: 6");
    assert_int_equal(events(SHEP_EV_WIFI_LOST), 1);
    assert_text(SHEP_A_ERROR, "no Wi-Fi: the network was not found");
    assert_known("CONNECTED - Current ip: 192.168.0.185");
    assert_text(SHEP_A_ERROR, "");
}

static void test_pool_lost(void **state)
{
    assert_known("Client not connected, trying to connect...");
    assert_int_equal(events(SHEP_EV_POOL_LOST), 0); /* it never was connected */
    assert_known("PoolString: pool.example.org");
    assert_known("portNumber: 3333");
    assert_known(
        "{\"id\": 1, \"method\": \"mining.subscribe\", \"params\": [\"NerdMinerV2/V1.8.3\"]}");
    assert_known("{\"id\":1,\"error\":null,\"result\":[[[\"mining.notify\",\"8e\"]],\"8e\",4]}");
    assert_int_equal(events(SHEP_EV_POOL_CONNECTED), 1);
    assert_string_equal(last_event(SHEP_EV_POOL_CONNECTED)->text, "pool.example.org:3333");
    assert_known("Client not connected, trying to connect...");
    assert_int_equal(events(SHEP_EV_POOL_LOST), 1);
    assert_text(SHEP_A_STATE, "connecting");
    assert_known("Imposible to connect to : pool.example.org");
    assert_known("Imposible to connect to : pool.example.org");
    assert_int_equal(events(SHEP_EV_POOL_LOST), 1);
    assert_text(SHEP_A_STATE, "no pool");
    assert_text(SHEP_A_ERROR, "the pool pool.example.org cannot be reached");
    assert_known(
        "{\"id\": 1, \"method\": \"mining.subscribe\", \"params\": [\"NerdMinerV2/V1.8.3\"]}");
    assert_known("{\"id\":1,\"error\":null,\"result\":[[[\"mining.notify\",\"8e\"]],\"8e\",4]}");
    assert_int_equal(events(SHEP_EV_POOL_CONNECTED), 2);
    assert_text(SHEP_A_ERROR, "");
    assert_known("  Detected more than 2 min without data form stratum server. Closing socket and "
                 "reopening...");
    assert_int_equal(events(SHEP_EV_POOL_LOST), 2);
}

static void test_unreachable_from_the_start(void **state)
{
    assert_known("Client not connected, trying to connect...");
    assert_known("Imposible to connect to : 192.0.2.7");
    assert_int_equal(events(SHEP_EV_POOL_LOST), 1);
    assert_text(SHEP_A_ERROR, "the pool 192.0.2.7 cannot be reached");
}

static void test_info_line(void **state)
{
    static const char format[] = ">>> [i] Miner: newJob>true / inRun>%s) - Client: connected>%s / "
                                 "subscribed>%s / wificonnected>%s";
    static const struct {
        const char *connected, *subscribed, *wifi, *want;
    } cases[] = {{"true", "true", "true", "waiting for work"},
                 {"true", "false", "true", "connecting"},
                 {"false", "false", "true", "no pool"},
                 {"false", "false", "false", "no wifi"}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[200];
        again();
        snprintf(text, sizeof(text), format, cases[i].subscribed, cases[i].connected,
                 cases[i].subscribed, cases[i].wifi);
        assert_known(text);
        assert_text(SHEP_A_STATE, cases[i].want);
    }
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
    assert_known("portNumber: 70000");
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

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(number),
                                       TEST(suffixes),
                                       TEST(duration_and_address),
                                       TEST(json),
                                       TEST(completed),
                                       TEST(prototype),
                                       TEST(no_number_is_no_reading),
                                       TEST(eight_lines),
                                       TEST(ssd1306),
                                       TEST(weact),
                                       TEST(glued),
                                       TEST(cut),
                                       TEST(false_friends),
                                       TEST(gauges),
                                       TEST(valid_block),
                                       TEST(subscribe),
                                       TEST(authorize),
                                       TEST(garbage_user),
                                       TEST(shares),
                                       TEST(ids_start_again),
                                       TEST(more_submits_than_room),
                                       TEST(jobs_and_difficulty),
                                       TEST(hostile_text),
                                       TEST(reset),
                                       TEST(reset_without_rom_text),
                                       TEST(reset_reasons),
                                       TEST(chips),
                                       TEST(boards),
                                       TEST(panic),
                                       TEST(other_crashes),
                                       TEST(boot_loop),
                                       TEST(three_resets_in_longer_than_a_minute),
                                       TEST(bootloader),
                                       TEST(erased_flash),
                                       TEST(per_boot_state),
                                       TEST(repeating_costs_nothing),
                                       TEST(axehub),
                                       TEST(weistekeng),
                                       TEST(config_dump),
                                       TEST(sd_card),
                                       TEST(config_lines),
                                       TEST(pasted_lines),
                                       TEST(addresses),
                                       TEST(wifi_setup),
                                       TEST(wifi_setup_timed_out),
                                       TEST(wifi_lost),
                                       TEST(pool_lost),
                                       TEST(unreachable_from_the_start),
                                       TEST(info_line),
                                       TEST(known_lines),
                                       TEST(any_bytes),
                                       TEST(long_texts),
                                       TEST(probe)};
    return cmocka_run_group_tests_name("parser_nerdminer", tests, NULL, NULL);
}
