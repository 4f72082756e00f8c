/* The NerdMiner parser, line by line: resets, crashes, forks, Wi-Fi, pool link and configuration.
 */
#include "parser_host.h"

#include <stdio.h>
#include <string.h>

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
    assert_known("btcString: bc1qmade.w");
    size_t readings = said.n_readings;
    assert_known("btcString: bc1qmade.w");
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

/* Old versions hash on while the pool is away; that is not mining. */
static void test_hashing_without_pool(void **state)
{
    assert_known("Imposible to connect to : 192.0.2.7");
    assert_known(">>> Completed 0 share(s), 10 Khashes, avg. hashrate 5.00 KH/s");
    assert_known(">>> Completed 0 share(s), 15 Khashes, avg. hashrate 5.00 KH/s");
    assert_text(SHEP_A_STATE, "no pool");
    assert_known(">>> Hashrate: 355.2 KH/s | Shares: 3 | Best diff: 12.34K");
    assert_text(SHEP_A_STATE, "no pool");
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

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(reset),
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
                                       TEST(hashing_without_pool),
                                       TEST(info_line)};
    return cmocka_run_group_tests_name("parser_nerdminer_boot", tests, NULL, NULL);
}
