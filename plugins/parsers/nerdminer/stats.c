/* The statistics lines: everything behind ">>> ", the fork's UDP report and the odd gauge. A value
 * is taken only when something shows that it is whole (its unit, a blank, the end of the line),
 * since a console that drops bytes cuts figures too. */
#include "json.h"
#include "nerdminer.h"
#include "number.h"

#include <limits.h>

/* An average over an interval of 0 ms is infinite; drivers that print an integer cast it, and the
 * log says 2147483647 KH/s (WEACT src/monitor.cpp, getCurrentHashRate). As `nan`, no reading. */
#define KHS_OVERFLOW ((double)INT_MAX)

static void say_hashrate(struct nm *nm, double khs)
{
    if (khs >= 0 && khs != KHS_OVERFLOW) {
        nm_metric(nm, SHEP_M_HASHRATE, khs * 1000.0);
    }
}

/* The count of hashes moved since the line before: the board is mining. */
static void say_hashes(struct nm *nm, double hashes)
{
    bool moved = nm->have_hashes && hashes != nm->hashes;

    nm->have_hashes = true;
    nm->hashes = hashes;
    nm_metric(nm, SHEP_M_HASHES_TOTAL, hashes);
    if (moved && nm->pool != NM_LINK_DOWN) {
        nm_set_state(nm, NM_STATE_MINING);
    }
}

static void say_valids(struct nm *nm, double valids)
{
    if (nm->have_valids && valids > nm->valids && !nm->block_told) {
        nm_event(nm, SHEP_EV_BLOCK_FOUND, 0, NULL, 0); /* its own line was lost */
    }
    nm->have_valids = true;
    nm->valids = valids;
    nm->block_told = false;
    nm_metric(nm, SHEP_M_VALID_BLOCKS, valids);
}

/* "355.2 KH/s", or a figure that is not one (nan, inf): then only what it is called is taken. */
static void take_khs(struct nm *nm, struct span *s, bool *rate, double *khs)
{
    struct span t = *s;

    *rate = number_take(&t, khs) && span_lit(&t, " KH/s");
    if (*rate) {
        *s = t;
        say_hashrate(nm, *khs);
    }
}

/* ">>> Completed 0 share(s), 0 Khashes, avg. hashrate 0.00 KH/s"   NM2 noDisplayDriver.cpp:33 and
 * every driver but ssd1306; "hashes" without K: the prototype of 2023-03; "%.3f": until 1.3. */
static enum nm_read read_completed(struct nm *nm, struct span *s)
{
    uint64_t shares;
    uint64_t hashes;
    double khs = 0;
    bool rate;

    if (!number_take_uint(s, &shares) || !span_lit(s, " share")) {
        return NM_NO;
    }
    nm_metric(nm, SHEP_M_SHARES_32BIT, (double)shares);
    (void)(span_lit(s, "(s)") || span_lit(s, "s"));
    if (!span_lit(s, ", ") || !number_take_uint(s, &hashes)) {
        return NM_KNOWN;
    }
    if (span_lit(s, " Khashes")) {
        say_hashes(nm, (double)hashes * 1000.0);
    } else if (span_lit(s, " hashes")) {
        say_hashes(nm, (double)hashes);
    } else {
        return NM_KNOWN;
    }
    /* "avg 0.00 KH/s": the weact fork's older form, ">>> 0 shares, 103 Khashes, avg 1.2 KH/s" */
    if (span_lit(s, ", avg. hashrate ") || span_lit(s, ", avg ")) {
        take_khs(nm, s, &rate, &khs);
    }
    return NM_KNOWN;
}

/* ">>> Hashrate: 355.2 KH/s | Shares: 3 | Best diff: 1.234K"   NM2 ssd1306DisplayDriver.cpp:22 */
static enum nm_read read_ssd1306(struct nm *nm, struct span *s)
{
    double value = 0;
    uint64_t shares;
    bool rate;

    take_khs(nm, s, &rate, &value);
    if (!rate && !(span_lit(s, "nan KH/s") || span_lit(s, "inf KH/s"))) {
        return NM_NO;
    }
    if (rate && value > 0 && nm->pool != NM_LINK_DOWN) {
        nm_set_state(nm, NM_STATE_MINING);
    }
    if (!span_lit(s, " | Shares: ") || !number_take_uint(s, &shares) ||
        !span_lit(s, " | Best diff: ")) {
        return NM_KNOWN;
    }
    nm_metric(nm, SHEP_M_SHARES_32BIT, (double)shares);
    if (number_take_scaled(s, &value) && span_at_break(s)) {
        nm_metric(nm, SHEP_M_BEST_DIFFICULTY, value);
    }
    return NM_KNOWN;
}

/* ">>> shares:0  valids:0  Khashes:103586  avg:366.4 KH/s"   WEACT oled096DisplayDriver.cpp:23 */
static enum nm_read read_weact(struct nm *nm, struct span *s)
{
    uint64_t value;
    double khs;
    bool rate;

    if (!number_take_uint(s, &value) || s->at == s->end) {
        return NM_NO;
    }
    nm_metric(nm, SHEP_M_SHARES_32BIT, (double)value);
    span_blanks(s);
    if (!span_lit(s, "valids:") || !number_take_uint(s, &value) || s->at == s->end) {
        return NM_KNOWN;
    }
    say_valids(nm, (double)value);
    span_blanks(s);
    if (!span_lit(s, "Khashes:") || !number_take_uint(s, &value) || s->at == s->end) {
        return NM_KNOWN;
    }
    say_hashes(nm, (double)value * 1000.0);
    span_blanks(s);
    if (span_lit(s, "avg:")) {
        take_khs(nm, s, &rate, &khs);
    }
    return NM_KNOWN;
}

static bool flag(struct span s, const char *name, size_t len, bool *known)
{
    const char *hit = span_find(s, name, len);
    struct span value = {hit != NULL ? hit + len : s.end, s.end};

    *known = span_lit(&value, "true") || span_lit(&value, "false");
    return *known && value.at[-2] == 'u';
}

/* ">>> [i] Miner: newJob>true / inRun>false) - Client: connected>true / subscribed>false /
 * wificonnected>true": only in a second without a hash.   NM2 mining.cpp:1250 */
static enum nm_read read_info(struct nm *nm, struct span *s)
{
    enum { INFO_MAX = 140 }; /* longer than the line gets */
    bool known;
    struct span info = {s->at, span_len(*s) > INFO_MAX ? s->at + INFO_MAX : s->end};
    bool wifi = flag(info, "wificonnected>", 14, &known);

    if (known && !wifi) {
        nm_wifi_down(nm, "no Wi-Fi");
        return NM_KNOWN;
    }
    if (known) {
        nm_wifi_up(nm);
    }
    bool connected = flag(info, " connected>", 11, &known);
    if (known && !connected) {
        nm_pool_down(nm, false, "no connection to the pool");
        nm_set_state(nm, NM_STATE_NO_POOL);
        return NM_KNOWN;
    }
    bool subscribed = flag(info, "subscribed>", 11, &known);
    if (known) {
        nm_set_state(nm, subscribed ? NM_STATE_WAITING : NM_STATE_CONNECTING);
    }
    return NM_KNOWN;
}

enum field {
    FIELD_VALIDS,
    FIELD_TEMPLATES,
    FIELD_DIFFICULTY,
    FIELD_SHARES,
    FIELD_TEMPERATURE,
    FIELD_MHASHES,
    FIELD_TIME
};

static enum nm_read say_field(struct nm *nm, enum field field, double value)
{
    switch (field) {
    case FIELD_VALIDS:
        say_valids(nm, value);
        break;
    case FIELD_TEMPLATES:
        nm_metric(nm, SHEP_M_BLOCK_TEMPLATES, value);
        break;
    case FIELD_DIFFICULTY:
        nm_metric(nm, SHEP_M_BEST_DIFFICULTY, value);
        break;
    case FIELD_SHARES:
        nm_metric(nm, SHEP_M_SHARES_32BIT, value);
        break;
    case FIELD_TEMPERATURE:
        nm_metric(nm, SHEP_M_TEMPERATURE, value);
        break;
    case FIELD_TIME:
        nm_metric(nm, SHEP_M_UPTIME, value);
        break;
    case FIELD_MHASHES: /* moves only with a new job (NM2 mining.cpp:355): Khashes says it better */
        break;
    }
    return NM_KNOWN;
}

/* The seven lines behind Completed; values as println or printf gives them.
 * NM2 noDisplayDriver.cpp:37-43, ledDisplayDriver.cpp:55-61, oled042DisplayDriver.cpp:57-63 */
static enum nm_read read_field(struct nm *nm, enum field field, struct span *s)
{
    struct span t = *s;
    double value;
    bool ok =
        field == FIELD_TIME ? number_take_duration(&t, &value) : number_take_scaled(&t, &value);

    if (!ok && (span_lit(&t, "nan") || span_lit(&t, "inf"))) {
        *s = t;
        return NM_KNOWN;
    }
    if (!ok) {
        return NM_NO;
    }
    *s = t;
    return span_at_break(&t) ? say_field(nm, field, value) : NM_KNOWN;
}

static enum nm_read read_named(struct nm *nm, struct span *s, bool *stats)
{
    *stats = true;
    switch (*s->at) {
    case 'C':
        return span_lit(s, "Completed ") ? read_completed(nm, s) : NM_NO;
    case 'V':
        return span_lit(s, "Valid blocks: ") ? read_field(nm, FIELD_VALIDS, s) : NM_NO;
    case 'B':
        if (span_lit(s, "Block templates: ")) {
            return read_field(nm, FIELD_TEMPLATES, s);
        }
        return span_lit(s, "Best difficulty: ") ? read_field(nm, FIELD_DIFFICULTY, s) : NM_NO;
    case '3':
        if (span_lit(s, "32Bit shares: ")) {
            return read_field(nm, FIELD_SHARES, s);
        }
        return read_completed(nm, s);
    case 'T':
        if (span_lit(s, "Temperature: ")) {
            return read_field(nm, FIELD_TEMPERATURE, s);
        }
        if (span_lit(s, "Total MHashes: ")) {
            return read_field(nm, FIELD_MHASHES, s);
        }
        return span_lit(s, "Time mining: ") ? read_field(nm, FIELD_TIME, s) : NM_NO;
    case 'H':
        return span_lit(s, "Hashrate: ") ? read_ssd1306(nm, s) : NM_NO;
    case 's':
        return span_lit(s, "shares:") ? read_weact(nm, s) : NM_NO;
    default:
        *stats = false;
        if (is_digit(*s->at)) {
            *stats = true;
            return read_completed(nm, s);
        }
        return span_lit(s, "[i] Miner: ") ? read_info(nm, s) : NM_NO;
    }
}

/* Lines with ">>> " that say nothing to us:
 * NM2 Release1.6.0 src/mining.cpp:333,376; Release-1.3 src/mining.cpp; utils.cpp:398;
 * AXEHUB ledDisplayDriver.cpp:67 */
static bool is_known_rest(struct span *s)
{
    return span_lit(s, "Finished job") || span_lit(s, "Resetting watchdog timer") ||
           span_lit(s, "STARTING TO HASH") || span_lit(s, "bytearray_blockheader") ||
           span_lit(s, "Work aborted") || span_lit(s, "Worker aborted") || span_lit(s, "hw_khs: ");
}

enum nm_read nm_read_stats(struct nm *nm, struct span *rest, const struct nm_hit *hit)
{
    struct span t = *rest;
    bool stats;

    if (t.at == t.end) {
        return NM_NO;
    }
    enum nm_read what = read_named(nm, &t, &stats);
    if (what == NM_NO) {
        return is_known_rest(rest) ? NM_KNOWN : NM_NO; /* ">>> {json}" is LeafMiner's */
    }
    *rest = t;
    if (stats) {
        nm_running(nm);
    }
    nm_say_firmware(nm);
    return what;
}

struct udp_field {
    const char *key;
    uint32_t metric;
    double factor;
};

/* Figures of the report; some are strings, some numbers.   WEIS mining.cpp:1264-1276 */
static const struct udp_field udp_fields[] = {
    {"bestDiff", SHEP_M_BEST_DIFFICULTY, 1},
    {"hashrate", SHEP_M_HASHRATE, 1000},
    {"shares", SHEP_M_SHARES_32BIT, 1},
    {"templates", SHEP_M_BLOCK_TEMPLATES, 1},
    {"valid", SHEP_M_VALID_BLOCKS, 1},
    {"temp", SHEP_M_TEMPERATURE, 1},
    {"uptime", SHEP_M_UPTIME, 1},
};

/* "AA:BB:CC:DD:EE:FF" in lower case, as metrics.def has it. */
static void say_mac(struct nm *nm, struct span mac)
{
    char text[17];

    if (span_len(mac) != sizeof(text)) {
        return;
    }
    for (size_t i = 0; i < sizeof(text); i++) {
        char c = mac.at[i];

        if (i % 3 == 2 ? c != ':' : !is_hex(c)) {
            return;
        }
        text[i] = (char)(c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c);
    }
    nm_text(nm, SHEP_A_MAC, text, sizeof(text));
}

static void read_udp_member(struct nm *nm, struct span key, struct span value)
{
    char buf[SHEP_TEXT_MAX];
    struct span text = value;
    double number;

    (void)json_string(value, buf, sizeof(buf), &text);
    for (size_t i = 0; i < sizeof(udp_fields) / sizeof(udp_fields[0]); i++) {
        const struct udp_field *f = &udp_fields[i];

        if (span_len(key) == strlen(f->key) && memcmp(key.at, f->key, span_len(key)) == 0) {
            if (number_take(&text, &number) && text.at == text.end) {
                nm_metric(nm, f->metric, number * f->factor);
            }
            return;
        }
    }
    if (span_is(key, "id")) {
        say_mac(nm, text);
    } else if (span_is(key, "pool")) {
        nm_say_pool(nm, text);
    } else if (span_is(key, "ip") && number_take_ipv4(&(struct span){text.at, text.end}, &text)) {
        nm_text(nm, SHEP_A_IP, text.at, span_len(text));
    }
}

/* "UDP Packet Sent: {"id":"AA:BB:…","miner":"desk","pool":"host:port",…}": all in one line. */
enum nm_read nm_read_udp(struct nm *nm, struct span *rest, const struct nm_hit *hit)
{
    struct span object;
    struct span key;
    struct span value;

    if (nm->cut_messages == NM_CUT_MESSAGES || !json_take_value(rest, &object) ||
        *object.at != '{') {
        nm->cut_messages += nm->cut_messages < NM_CUT_MESSAGES;
        return NM_KNOWN;
    }
    for (struct span in = json_inside(object); json_next_member(&in, &key, &value);) {
        read_udp_member(nm, key, value);
    }
    nm->fork = "WeisTekEng";
    nm_words(nm, SHEP_A_FIRMWARE, nm->fork);
    return NM_KNOWN;
}

/* "RSSI: -83", "$$ Free Heap:151384", "CPU frequency: 240MHz", "Battery voltage: 4.12" */
enum nm_read nm_read_gauge(struct nm *nm, struct span *rest, const struct nm_hit *hit)
{
    double value;

    span_blanks(rest);
    if (!number_take(rest, &value)) {
        return NM_KNOWN;
    }
    switch (hit->arg) {
    case NM_GAUGE_RSSI:
        nm_metric(nm, SHEP_M_RSSI, value);
        break;
    case NM_GAUGE_HEAP:
        nm_metric(nm, SHEP_M_FREE_HEAP, value);
        break;
    case NM_GAUGE_MHZ:
        nm_metric(nm, SHEP_M_FREQUENCY, value * 1e6);
        break;
    case NM_GAUGE_VOLT:
        nm_metric(nm, SHEP_M_VOLTAGE, value);
        break;
    case NM_GAUGE_TEMPERATURE:
        nm_metric(nm, SHEP_M_TEMPERATURE, value);
        break;
    default:
        break;
    }
    return NM_KNOWN;
}

/* "### [Total Heap / Free heap / Min free heap]: 351320 / 250156 / 240000"   NM2 mining.cpp:1257 */
enum nm_read nm_read_heap(struct nm *nm, struct span *rest, const struct nm_hit *hit)
{
    struct span t = *rest;
    uint64_t total;
    uint64_t free_bytes;

    (void)span_until(&t, ']');
    if (span_lit(&t, "]: ") && number_take_uint(&t, &total) && span_lit(&t, " / ") &&
        number_take_uint(&t, &free_bytes)) {
        nm_metric(nm, SHEP_M_FREE_HEAP, (double)free_bytes);
        *rest = t;
    }
    return NM_KNOWN;
}
