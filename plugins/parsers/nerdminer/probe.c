/* How sure one line makes us (firmware.md 0). 80 and more: only NerdMiner's source prints it. 30 to
 * 79: no other miner firmware that we know does, but the words are common enough to wait for
 * better. Below 30: ROM text, panics and libraries, which every ESP32 prints. */
#include "nerdminer.h"
#include "number.h"

enum { SURE = 95, LIKELY = 60, PERHAPS = 35, WEAK = 10 };

/* Lines of other firmwares may quote anything, for example a pool's worker name: their own shape
 * decides. ESP-IDF "I (123) tag:", NMMiner "[I/NM] " and "[09/15 21:27:07:993]", LeafMiner
 * "[I] Network: ", NMAxe's coin sign, SparkMiner "[STATS] ". */
static bool is_foreign(struct span s)
{
    if (s.at < s.end && *s.at == '\x1b') {
        const char *m = memchr(s.at, 'm', span_len(s));

        s.at = m != NULL ? m + 1 : s.end; /* an ESC colour first: NerdMiner has none */
    }
    if (span_len(s) > 8 && s.at[1] == ' ' && s.at[2] == '(' && is_digit(s.at[3])) {
        return memchr("EWIDV", s.at[0], 5) != NULL;
    }
    if (span_len(s) > 6 && s.at[0] == '[' && s.at[2] == ']') {
        return memchr("EWIDV", s.at[1], 5) != NULL;
    }
    if (span_len(s) > 6 && s.at[0] == '[' && s.at[3] == '/' && is_digit(s.at[1])) {
        return true;
    }
    return (span_len(s) > 6 && s.at[0] == '[' && memcmp(s.at + 2, "/NM]", 4) == 0) ||
           span_lit(&s, "\xE2\x82\xBF ") || span_lit(&s, "[STATS] ");
}

static bool completed(struct span s)
{
    uint64_t n;
    double khs;

    if (!number_take_uint(&s, &n) || !span_lit(&s, " share")) {
        return false;
    }
    (void)(span_lit(&s, "(s)") || span_lit(&s, "s"));
    if (!span_lit(&s, ", ") || !number_take_uint(&s, &n) ||
        !(span_lit(&s, " Khashes, avg") || span_lit(&s, " hashes, avg"))) {
        return false;
    }
    return span_lit(&s, ". hashrate ") || (span_lit(&s, " ") && number_take(&s, &khs));
}

static bool field(struct span s)
{
    double value;

    if (span_lit(&s, "Time mining: ")) {
        return number_take_duration(&s, &value);
    }
    return (span_lit(&s, "Valid blocks: ") || span_lit(&s, "Block templates: ") ||
            span_lit(&s, "Best difficulty: ") || span_lit(&s, "32Bit shares: ") ||
            span_lit(&s, "Total MHashes: ")) &&
           number_take(&s, &value);
}

/* The text behind ">>> ". */
static int probe_stats(struct span s)
{
    struct span t = s;
    double value;
    uint64_t n;

    if ((span_lit(&t, "Completed ") || (t.at < t.end && is_digit(*t.at))) && completed(t)) {
        return SURE;
    }
    t = s;
    if (span_lit(&t, "Hashrate: ") && number_take(&t, &value) && span_lit(&t, " KH/s | Shares: ")) {
        return SURE;
    }
    t = s;
    if (span_lit(&t, "shares:") && number_take_uint(&t, &n) && span_lit(&t, "  valids:")) {
        return SURE;
    }
    if (field(s) || span_lit(&t, "[i] Miner: newJob>") || span_lit(&t, "STARTING TO HASH NONCES") ||
        span_lit(&t, "Finished job waiting new data from pool")) {
        return SURE;
    }
    return span_lit(&t, "Temperature: ") && number_take(&t, &value) ? LIKELY : 0;
}

static int probe_all_stats(struct span s)
{
    static const char mark[] = ">>> ";
    int best = 0;
    const char *hit;

    while ((hit = span_find(s, mark, sizeof(mark) - 1)) != NULL) {
        s.at = hit + sizeof(mark) - 1;
        int sure = probe_stats(s);
        best = sure > best ? sure : best;
    }
    return best;
}

struct evidence {
    const char *text;
    int sure;
};

/* Looked for anywhere: lines get glued. */
static const struct evidence anywhere[] = {
    {"\"NerdMinerV2/", 100},
    {"\"NerdMinerV2\"", 100},
    {"\"HAN_SOLOminer/", 100},
    {"NerdMiner v2 start", 100},
    {"NerdMiner v2 UDP ENABLED", 100},
    {"NerdMinerv2 started", 100},
    {"DEBUG: CUSTOM FIRMWARE ACTIVE - UDP ENABLED", SURE},
    {"[AxeHub] ", SURE},
    {"[PriceHist] ", LIKELY},
    {"[BOOT] reset_reason=", LIKELY},
    {"[WEBCFG] Settings page available at http://", LIKELY},
    {"UDP Packet Sent: {\"id\":", LIKELY},
    {"[WORKER] ==> Mining subscribe", SURE},
    {"[WORKER] ==> Autorize work", SURE},
    {" Started minerWorker", SURE},
    {" Started runMiner Task!", SURE},
    {"Parsing Method [MINING NOTIFY]", SURE},
    {"Parsing Method [SET DIFFICULTY]", SURE},
    {"   - Current diff share: ", SURE},
    {"   - Current pool diff : ", SURE},
    {"    - TX SHARE: ", SURE},
    {"TimeClient NTPupdateTime", SURE},
    {"TimeClient setup done", LIKELY},
    {"Imposible to connect to : ", SURE},
    {"Client not connected, trying to connect", LIKELY},
    {"####### Pool Data ", LIKELY},
    {"Pool workers:", LIKELY},
    {"CONNECTED - Current ip: ", LIKELY},
    {"[WORKER] Started. Running ", SURE},
    {"[MONITOR] started", LIKELY},
    {"\"poolString\": \"", SURE},
    {"\"btcString\": \"", SURE},
    {"PoolString: ", LIKELY},
    {"btcString: ", LIKELY},
    {"Carteira Lida SDs:", SURE},
    {"Config SSID: NerdMinerAP", SURE},
    {"SSID:  NerdMinerAP", SURE},
    {"Config SSID: HanSoloAP", SURE},
    {"Access Point started: NerdMinerAP", SURE},
    {"SPIFS: No config file available!", SURE},
    {"SPIFS: Loading config file", SURE},
    {"SPIFS: Mount", LIKELY},
    {"WEBFLASHER_CONFIG marker", SURE},
    {" display driver initialized", LIKELY},
    /* words of a well-known Wi-Fi tutorial, which NerdMiner took over */
    {"Config SSID: ", PERHAPS},
    {"Config IP Address: ", PERHAPS},
    {"*wm:", WEAK},
    {"rst:0x", WEAK},
    {"ets J", WEAK},
    {"Guru Meditation Error: Core ", WEAK},
};

int nm_probe(const char *text, size_t len)
{
    struct span s = span_trim((struct span){text, text + len});
    int best;

    if (s.at == s.end || is_foreign(s)) {
        return 0;
    }
    best = probe_all_stats(s);
    for (size_t i = 0; i < sizeof(anywhere) / sizeof(anywhere[0]) && best < 100; i++) {
        if (anywhere[i].sure > best &&
            span_find(s, anywhere[i].text, strlen(anywhere[i].text)) != NULL) {
            best = anywhere[i].sure;
        }
    }
    return best;
}
