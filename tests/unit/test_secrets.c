/* Every form of secrets.def, as firmwares print it and uglier. "hunter2" stands for any secret and
 * must never be in the result. */
#include "check.h"

#include "ingest/ingest.h"

static void check_state(struct secrets_state *state, const char *in, const char *expected)
{
    char text[SHEP_LINE_MAX + 1];
    size_t len = strlen(in);
    memcpy(text, in, len);
    len = secrets_mask(state, text, len, SHEP_LINE_MAX);
    text[len] = '\0';
    assert_string_equal(text, expected);
    struct secrets_state fresh = {0};
    len = secrets_mask(&fresh, text, len, SHEP_LINE_MAX);
    text[len] = '\0';
    assert_string_equal(text, expected); /* once more changes nothing */
}

static void check(const char *in, const char *expected)
{
    struct secrets_state state = {0};
    check_state(&state, in, expected);
}

static void same(const char *in)
{
    check(in, in);
}

static void json_keys(void **state)
{
    static const char *const keys[] = {"WifiPW",
                                       "WiFiPWD",
                                       "wifi_password",
                                       "wifiPass",
                                       "poolPassword",
                                       "PoolPassword",
                                       "stratumPassword",
                                       "stratum.pwd",
                                       "pwd",
                                       "password",
                                       "PrimaryPassword",
                                       "SecondaryPassword",
                                       "wifi_pass",
                                       "poolPass",
                                       "pass",
                                       "passphrase",
                                       "wifiPassword",
                                       "WIFI_PASSWORD",
                                       "psk",
                                       "stratumPassword1",
                                       "fallbackStratumPassword",
                                       "ap-password",
                                       "poolpass",
                                       "wifipw"};
    static const char *const shapes[][2] = {
        {"  \"%s\": \"hunter2\",", "  \"%s\": \"***\","},
        {"{\"a\":1,\"%s\":\"hunter2\"}", "{\"a\":1,\"%s\":\"***\"}"},
        {"\t\"%s\"\t:\t\"x\",", "\t\"%s\"\t:\t\"***\","},
        {"{\"%s\": \"hun\\\"ter2\", \"b\": 2}", "{\"%s\": \"***\", \"b\": 2}"},
        {"{\"%s\": \"hunter2\\\\\", \"b\": 2}", "{\"%s\": \"***\", \"b\": 2}"},
        {"{\"%s\": \"hun\"ter2\", \"b\": 2}", "{\"%s\": \"***\", \"b\": 2}"},
        {"{\"%s\": 12345678, \"b\": 2}", "{\"%s\": ***, \"b\": 2}"},
        {"\"{\\\"%s\\\": \\\"hunter2\\\", \\\"b\\\": 2}\"",
         "\"{\\\"%s\\\": \\\"***\\\", \\\"b\\\": 2}\""},
        {"{\"%s\": \"hunter2", "{\"%s\": \"***"},
        {"{\"%s\": \"\", \"b\": 2}", "{\"%s\": \"\", \"b\": 2}"},
        {"{\"%s\": null, \"b\": 2}", "{\"%s\": null, \"b\": 2}"},
        {"{'%s': 'hunter2'}", "{'%s': '***'}"},
    };
    for (size_t k = 0; k < ARRAY_LEN(keys); k++) {
        for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
            char in[256], expected[256];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
            snprintf(in, sizeof(in), shapes[i][0], keys[k]);
            snprintf(expected, sizeof(expected), shapes[i][1], keys[k]);
#pragma GCC diagnostic pop
            check(in, expected);
        }
    }
}

static void plain_lines(void **state)
{
    check("poolPassword: x", "poolPassword: ***");
    check("poolPassword: hunter2", "poolPassword: ***");
    check("AP password: hunter2", "AP password: ***");
    check("Password:   hunter2", "Password:   ***");
    check("[I] Configuration: wifi_password: hunter2 with blanks",
          "[I] Configuration: wifi_password: ***");
    check("[I] Configuration: pool_password: ", "[I] Configuration: pool_password: ");
    check("[AP] SSID: Spark, Pass: hunter2, IP: 192.168.4.1",
          "[AP] SSID: Spark, Pass: ***, IP: 192.168.4.1");
    check("[AP] SSID: Spark, Pass: hun, ter2, IP: 192.168.4.1",
          "[AP] SSID: Spark, Pass: ***, IP: 192.168.4.1");
    check("E (123) StratumConfig: loaded [P] pass: hunter2",
          "E (123) StratumConfig: loaded [P] pass: ***");
    check("I (600) wifi softAP: finished. SSID:a password:hunter2 channel:6",
          "I (600) wifi softAP: finished. SSID:a password:*** channel:6");
    check("I (600) wifi: connected to ap SSID:a password:hunter2",
          "I (600) wifi: connected to ap SSID:a password:***");
    check("GET /save?ssid=a&wifi_pass=hunter2&pool=b", "GET /save?ssid=a&wifi_pass=***&pool=b");
    check("wifi_pass=hunter2&more", "wifi_pass=***");
    check("psk=hunter2", "psk=***");
    check("password=\"hunter2\"", "password=\"***\"");
    check("password=\"hunter2", "password=\"***");
    check("*wm:Using Password: hunter2", "*wm:Using Password: ***");
}

static void glued(void **state)
{
    check("poolPassword: hunter2>>> Completed 0 share(s), 0 Khashes, avg. hashrate 0 KH/s",
          "poolPassword: ***>>> Completed 0 share(s), 0 Khashes, avg. hashrate 0 KH/s");
    check("TimeClient NTPupdateTime poolPassword: hunter2btcString: bc1q.w",
          "TimeClient NTPupdateTime poolPassword: ***btcString: bc1q.w");
    check(
        "PoolString: a.org portNumber: 3333 poolPassword: x btcString: b.test TimeZone fromUTC: 1",
        "PoolString: a.org portNumber: 3333 poolPassword: *** btcString: b.test TimeZone fromUTC: "
        "1");
    check("  \"poolPassword\": \"hunter2\">>> Completed 1 share(s)",
          "  \"poolPassword\": \"***\">>> Completed 1 share(s)");
    check("{\"pwd\":\"hunter2\",\"wifiPass\":\"hunter2\",\"user\":\"w\"}",
          "{\"pwd\":\"***\",\"wifiPass\":\"***\",\"user\":\"w\"}");
}

static void authorize(void **state)
{
    /* NerdMiner: params first */
    check("  Sending  : {\"params\": [\"bc1q.w\", \"x\"], \"id\": 2, \"method\": "
          "\"mining.authorize\"}",
          "  Sending  : {\"params\": [\"bc1q.w\", \"***\"], \"id\": 2, \"method\": "
          "\"mining.authorize\"}");
    /* AxeOS, LeafMiner */
    check("I (9) stratum_api: tx: {\"id\": 4, \"method\": \"mining.authorize\", \"params\": "
          "[\"w.a\", \"hunter2\"]}",
          "I (9) stratum_api: tx: {\"id\": 4, \"method\": \"mining.authorize\", \"params\": "
          "[\"w.a\", \"***\"]}");
    check("[I] Network: >>> "
          "{\"id\":2,\"method\":\"mining.authorize\",\"params\":[\"w\",\"hunter2\"]}",
          "[I] Network: >>> {\"id\":2,\"method\":\"mining.authorize\",\"params\":[\"w\",\"***\"]}");
    /* any spacing, escapes, brackets and bare quotes in the password */
    check("{ \"method\" : \"mining.authorize\" , \"params\" : [ \"w\" , \"hunter2\" ] }",
          "{ \"method\" : \"mining.authorize\" , \"params\" : [ \"w\" , \"***\" ] }");
    check("{\"method\":\"mining.authorize\",\"params\":[\"w\",\"hun\\\"]ter2\"],\"id\":1}",
          "{\"method\":\"mining.authorize\",\"params\":[\"w\",\"***\"],\"id\":1}");
    check("{\"method\":\"mining.authorize\",\"params\":[\"w\",\"hun\", \"ter2\"],\"id\":1}",
          "{\"method\":\"mining.authorize\",\"params\":[\"w\",\"***\"],\"id\":1}");
    check("{\"method\":\"mining.authorize\",\"params\":[\"w\"a\",\"hun\"ter2\"],\"id\":1}",
          "{\"method\":\"mining.authorize\",\"params\":[\"w\"a\",\"***\"],\"id\":1}");
    check("{\"params\":[\"w\",\"hun}ter]2{\"],\"id\":1,\"method\":\"mining.authorize\"}",
          "{\"params\":[\"w\",\"***\"],\"id\":1,\"method\":\"mining.authorize\"}");
    check("{\\\"method\\\":\\\"mining.authorize\\\",\\\"params\\\":[\\\"w\\\","
          "\\\"hun\\\\\\\"ter2\\\"]}",
          "{\\\"method\\\":\\\"mining.authorize\\\",\\\"params\\\":[\\\"w\\\",\\\"***\\\"]}");
    check("{\"method\":\"mining.authorize\",\"params\":[\"w\",12345]}",
          "{\"method\":\"mining.authorize\",\"params\":[\"w\",***]}");
    /* two on one line, and another request behind */
    check("{\"params\":[\"w\",\"x\"],\"method\":\"mining.authorize\"}{\"params\":[\"w\",\"x\"],"
          "\"method\":"
          "\"mining.authorize\"}{\"params\":[\"w\",\"1a\"],\"method\":\"mining.submit\"}",
          "{\"params\":[\"w\",\"***\"],\"method\":\"mining.authorize\"}{\"params\":[\"w\",\"***\"],"
          "\"method\":"
          "\"mining.authorize\"}{\"params\":[\"w\",\"1a\"],\"method\":\"mining.submit\"}");
    /* one secret in another: all of it */
    check("{\"params\":[\"pwd: a\",\"hunter2\"],\"method\":\"mining.authorize\"} more",
          "{\"params\":[\"pwd: ***");
    /* NerdMiner 1.1 to 1.3 says it when subscribing */
    check("{\"id\": 1, \"method\": \"mining.subscribe\", \"params\": [\"3N7e\", \"hunter2\"]}",
          "{\"id\": 1, \"method\": \"mining.subscribe\", \"params\": [\"3N7e\", \"***\"]}");
}

static void authorize_cut(void **state)
{
    check("{\"method\":\"mining.authorize\",\"params\":[\"w\",\"hunter2",
          "{\"method\":\"mining.authorize\",\"params\":[\"w\",\"***");
    check("{\"params\":[\"w\",\"hunter2\"],\"id\":1,\"method\":\"mining.auth",
          "{\"params\":[\"w\",\"***\"],\"id\":1,\"method\":\"mining.auth");
    check("{\"params\":[\"w\",\"hunter2\"],\"id\":1,\"meth",
          "{\"params\":[\"w\",\"***\"],\"id\":1,\"meth");
    check("{\"params\":[\"w\",\"hunter2", "{\"params\":[\"w\",\"***");
    check("�?/\", \"hunter2\"], \"id\": 2, \"method\": \"mining.authorize\"}",
          "�?/\", \"***\"], \"id\": 2, \"method\": \"mining.authorize\"}");
    check("ter2\"], \"id\": 2, \"method\": \"mining.authorize\"}",
          "***\"], \"id\": 2, \"method\": \"mining.authorize\"}");
    /* a line end inside */
    struct secrets_state s = {0};
    check_state(&s, "{\"method\":\"mining.authorize\",\"params\":[\"w",
                "{\"method\":\"mining.authorize\",\"params\":[\"w");
    check_state(&s, "allet\", \"hunter2\"], \"id\":1}", "allet\", \"***\"], \"id\":1}");
    check_state(&s, "allet\", \"plain\"], \"id\":1}", "allet\", \"plain\"], \"id\":1}");
    s = (struct secrets_state){0};
    check_state(&s, "  \"poolPassword\":", "  \"poolPassword\":");
    check_state(&s, "    \"hunter2\",", "    \"***\",");
    s = (struct secrets_state){0};
    check_state(&s, "  \"poolPassword\": ", "  \"poolPassword\": ");
    check_state(&s, "  \"btcString\": \"w\",", "  \"btcString\": \"w\",");
}

static void licence(void **state)
{
    check("[I/NM] NMMiner Device licence: [562caad7c5ceff61]",
          "[I/NM] NMMiner Device licence: [***]");
    check("[I/NM] NMMiner Device code   : [1d226c1e378af7c4]",
          "[I/NM] NMMiner Device code   : [***]");
    check("Licence not found in nvs, Waiting a license from UART, Device code [1d226c1e]",
          "Licence not found in nvs, Waiting a license from UART, Device code [***]");
    check("Device code [1d226c", "Device code [***");
    check("license: 562caad7c5ceff618d48094dc28a383b ok", "license: *** ok");
    check("{\"license\": \"562caad7\", \"b\": 1}", "{\"license\": \"***\", \"b\": 1}");
}

static void left_alone(void **state)
{
    same("");
    same(">>> Completed 3 share(s), 103586 Khashes, avg. hashrate 355.2 KH/s");
    same(
        "  Receiving: "
        "{\"id\":1,\"error\":null,\"result\":[[[\"mining.notify\",\"67e5f117\"]],\"5421e067\",8]}");
    same("{\"id\":12,\"method\":\"mining.submit\",\"params\":[\"w.a\",\"job\",\"en2\",\"ntime\","
         "\"nonce\"]}");
    same("{\"params\":[\"w.a\",\"job\",\"en2\"],\"id\":12,\"method\":\"mining.submit\"}");
    same("{\"id\":null,\"method\":\"mining.notify\",\"params\":[\"1a\",\"prev\",\"cb1\",[\"m1\","
         "\"m2\"],true]}");
    same("{\"id\": 1, \"method\": \"mining.subscribe\", \"params\": [\"NerdMinerV2/V1.8.3\"]}");
    same("{\"method\":\"mining.subscribe\",\"params\":[\"LeafMiner/0.0.11\", "
         "null]}{\"x\":[\"a\",\"b\"]}");
    same("{\"id\": 3, \"method\": \"mining.suggest_difficulty\", \"params\": [0.00015]}");
    same("PoolString: pool.example.org");
    same("btcString: bc1qexample.worker");
    same("\"stratumUser\": \"bc1qexample.worker\", \"stratumURL\": \"public-pool.io\"");
    same("\"ssid\": \"my net\", \"hasPassword\": true");
    same("I (14927) wifi:security: WPA2-PSK, phy: bgn, rssi: -42");
    same("[SHA-S3] self-test PASSED");
    same("reply [\"a\", \"b\"] unauthorized");
    same("bypass: 1, compass: 2");
    same("License verification passed");
    same("License: MIT");
    same("Passwordless: yes");
    same("the password is not set");
}

static void bounds(void **state)
{
    struct secrets_state s = {0};
    char text[16] = "pwd: x";
    assert_int_equal(secrets_mask(&s, text, 6, 8), 8);
    assert_memory_equal(text, "pwd: ***", 8);
    char small[16] = "pwd: x";
    assert_int_equal(secrets_mask(&s, small, 6, 7), 7);
    assert_memory_equal(small, "pwd: **", 7);
    char utf8[] = "abc°";
    assert_int_equal(secrets_mask(&s, utf8, 5, 4), 3); /* not half a character */
    /* more secrets than there is room to note: none shows */
    struct buf many = {0};
    for (int i = 0; i < 500; i++)
        buf_add_str(&many, "{\"pwd\":\"hunter2\"}");
    size_t len = secrets_mask(&s, many.data, many.len, many.cap);
    assert_null(memmem(many.data, len, "hunter2", 7));
    buf_free(&many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_keys),  cmocka_unit_test(plain_lines),   cmocka_unit_test(glued),
        cmocka_unit_test(authorize),  cmocka_unit_test(authorize_cut), cmocka_unit_test(licence),
        cmocka_unit_test(left_alone), cmocka_unit_test(bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
