/* The NerdMiner parser, line by line: statistics of each version, driver and fork, and the talk
 * with the pool. */
#include "parser_host.h"

#include <string.h>

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

/* A fork authorizes four workers and submits as any of them: its name does not change each time. */
static void test_authorize_names_better_than_submit(void **state)
{
    submit(4);
    assert_text(SHEP_A_WORKER, "w"); /* joined late: nothing better */
    again();
    assert_known("{\"params\": [\"bc1qmade.desk\", \"***\"], \"id\": 2, \"method\": "
                 "\"mining.authorize\"}");
    submit(4);
    assert_text(SHEP_A_WORKER, "desk");
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

/* Some messages of a line may be cut; thousands are no messages, and reading each to the end of the
 * line would stop the daemon. */
static void test_many_cut_messages(void **state)
{
    char text[4096] = "";

    for (int i = 0; i < 20; i++) {
        strcat(text, "{\"method\":\"mining.notify\",\"params\":[\"j\" ");
    }
    strcat(text, ">>> Valid blocks: 4");
    assert_known(text);
    assert_int_equal(events(SHEP_EV_JOB), 8);
    assert_value(SHEP_M_VALID_BLOCKS, 4);
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

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(completed),
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
                                       TEST(authorize_names_better_than_submit),
                                       TEST(garbage_user),
                                       TEST(shares),
                                       TEST(ids_start_again),
                                       TEST(more_submits_than_room),
                                       TEST(jobs_and_difficulty),
                                       TEST(many_cut_messages),
                                       TEST(hostile_text)};
    return cmocka_run_group_tests_name("parser_nerdminer", tests, NULL, NULL);
}
