/* Wi-Fi, the way to the pool, and what the configuration names: pool, wallet, worker, address.
 * Two links are watched, wifi and pool; an event is told when one changes, not when a line repeats
 * it. Joining a running miner changes nothing: a link that turns out to be up was up before. */
#include "json.h"
#include "nerdminer.h"
#include "number.h"

#include <stdarg.h>
#include <stdio.h>

enum {
    NAME_MAX_SHOWN = 64 /* of a network or host in a message */
};

/* ---- links ---- */

void nm_wifi_up(struct nm *nm)
{
    nm->wifi = NM_LINK_UP;
    nm->setup = false;
    nm_trouble_over(nm, NM_TROUBLE_WIFI);
    if (nm->state == NM_STATE_WIFI_SETUP || nm->state == NM_STATE_NO_WIFI ||
        nm->state == NM_STATE_BOOTING || nm->state == NM_STATE_BOOT_LOOP) {
        nm_set_state(nm, NM_STATE_CONNECTING);
    }
}

void nm_wifi_down(struct nm *nm, const char *why)
{
    nm->pool = NM_LINK_DOWN;
    if (nm->wifi != NM_LINK_DOWN) {
        nm->wifi = NM_LINK_DOWN;
        nm_set_trouble(nm, NM_TROUBLE_WIFI, "%s", why);
        nm_event(nm, SHEP_EV_WIFI_LOST, 0, why, strlen(why));
    }
    nm_set_state(nm, NM_STATE_NO_WIFI);
}

void nm_pool_up(struct nm *nm)
{
    const struct nm_attr *pool = &nm->attrs[SHEP_A_POOL - SHEP_ATTR_FIRST];
    bool news = nm->pool == NM_LINK_DOWN || nm->state == NM_STATE_CONNECTING;

    if (nm->pool == NM_LINK_UP) {
        return;
    }
    nm->pool = NM_LINK_UP;
    nm_wifi_up(nm);
    nm_trouble_over(nm, NM_TROUBLE_POOL);
    if (news) {
        nm_event(nm, SHEP_EV_POOL_CONNECTED, 0, pool->text, pool->len);
        nm_set_state(nm, NM_STATE_WAITING);
    }
}

void nm_pool_down(struct nm *nm, bool tell, const char *fmt, ...)
{
    char why[SHEP_TEXT_MAX];
    va_list args;
    bool news = nm->pool == NM_LINK_UP || (tell && nm->pool != NM_LINK_DOWN);

    va_start(args, fmt);
    int n = vsnprintf(why, sizeof(why), fmt, args);
    va_end(args);
    if (tell) {
        nm_set_trouble(nm, NM_TROUBLE_POOL, "%s", why);
    }
    if (news) {
        nm_event(nm, SHEP_EV_POOL_LOST, 0, why,
                 (size_t)n < sizeof(why) ? (size_t)n : sizeof(why) - 1);
    }
    if (news || tell) {
        nm->pool = NM_LINK_DOWN;
    }
}

/* ---- Wi-Fi ---- */

/* arduino-esp32's wl_status_t, printed when it changes.   NM2 wManager.cpp:440 */
static const char *wifi_status_words(uint64_t status)
{
    switch (status) {
    case 1:
        return "no Wi-Fi: the network was not found";
    case 4:
        return "no Wi-Fi: the network refused it (wrong password?)";
    case 5:
        return "no Wi-Fi: the connection was lost";
    default:
        return "no Wi-Fi: not connected";
    }
}

static void setup_started(struct nm *nm)
{
    nm_set_state(nm, NM_STATE_WIFI_SETUP);
    if (!nm->setup) {
        nm->setup = true;
        nm->wifi = NM_LINK_DOWN;
        nm_set_trouble(nm, NM_TROUBLE_WIFI, "it waits for its Wi-Fi set-up");
        nm_event(nm, SHEP_EV_WIFI_SETUP, 0, NULL, 0);
    }
}

/* "Config SSID: NerdMinerAP": the network to join for the set-up. */
static void setup_name(struct nm *nm, struct span *rest)
{
    struct span name = span_clip(span_trim(*rest), NAME_MAX_SHOWN);

    setup_started(nm);
    nm_set_trouble(nm, NM_TROUBLE_WIFI, "it waits for its Wi-Fi set-up: join the network %.*s",
                   (int)span_len(name), name.at);
    rest->at = rest->end;
}

/* ---- the pool ---- */

static void pool_unreachable(struct nm *nm, struct span *rest)
{
    struct span host = span_clip(span_until(rest, ' '), NAME_MAX_SHOWN);

    nm_pool_down(nm, true, "the pool %.*s cannot be reached", (int)span_len(host), host.at);
    nm_set_state(nm, NM_STATE_NO_POOL);
}

static void pool_connecting(struct nm *nm)
{
    nm_pool_down(nm, false, "connection to the pool lost");
    if (nm->state != NM_STATE_NO_POOL) {
        nm_set_state(nm, NM_STATE_CONNECTING);
    }
}

/* "(HOST:PORT, fallback=0)..."   AXEHUB mining.cpp:135 */
static void pool_connecting_to(struct nm *nm, struct span *rest)
{
    struct span t = *rest;
    struct span pool = span_until(&t, ',');

    pool_connecting(nm);
    nm->fork = "AxeHub";
    nm_words(nm, SHEP_A_FIRMWARE, nm->fork);
    if (span_lit(&t, ", fallback=")) {
        nm_say_pool(nm, pool);
        *rest = t;
    }
}

/* The name of a network is anybody's text: nothing in it is a marker, but statistics may be glued
 * behind it. */
static void skip_name(struct span *rest)
{
    const char *stop = span_find(*rest, ">>> ", 4);

    rest->at = stop != NULL ? stop : rest->end;
}

enum nm_read nm_read_net(struct nm *nm, struct span *rest, const struct nm_hit *hit)
{
    uint64_t status;

    switch (hit->arg) {
    case NM_NET_CONNECTING_POOL: /* NM2 mining.cpp:85 */
        pool_connecting(nm);
        break;
    case NM_NET_CONNECTING_POOL_TO:
        pool_connecting_to(nm, rest);
        break;
    case NM_NET_POOL_UNREACHABLE: /* "Imposible to connect to : HOST"   NM2 mining.cpp:95 */
        pool_unreachable(nm, rest);
        break;
    case NM_NET_POOL_SILENT: /* NM2 mining.cpp:303 */
        nm_pool_down(nm, true, "the pool sent nothing for more than 2 minutes");
        nm_set_state(nm, NM_STATE_CONNECTING);
        break;
    case NM_NET_POOL_GARBLED: /* "Parsing error, need restart"   NM2 mining.cpp:429 */
        nm_pool_down(nm, true, "the pool sent something that could not be read");
        nm_set_state(nm, NM_STATE_CONNECTING);
        break;
    case NM_NET_WIFI_UP:
        nm_wifi_up(nm);
        break;
    case NM_NET_WIFI_FAILED: /* "*wm:AutoConnect: FAILED for  50523 ms" */
        nm_wifi_down(nm, "no Wi-Fi: the saved network could not be joined");
        rest->at = rest->end;
        break;
    case NM_NET_WIFI_STATUS:
        if (number_take_uint(rest, &status) && !nm->setup) {
            nm_wifi_down(nm, wifi_status_words(status));
        }
        break;
    case NM_NET_WIFI_TRYING: /* "*wm:Connecting to SAVED AP: SSID" */
        nm_set_state(nm, NM_STATE_CONNECTING);
        skip_name(rest);
        break;
    case NM_NET_SETUP: /* NM2 wManager.cpp:113 */
        setup_started(nm);
        break;
    case NM_NET_SETUP_NAME: /* NM2 wManager.cpp:115 */
        setup_name(nm, rest);
        break;
    case NM_NET_SETUP_FAILED: /* printed after a set-up that worked, too   NM2 wManager.cpp:276,307
                               */
        if (nm->wifi == NM_LINK_UP) {
            break;
        }
        /* fall through */
    case NM_NET_SETUP_OVER: /* "*wm:config portal has timed out" */
        nm->setup = false;
        nm->wifi = NM_LINK_UNKNOWN;
        nm_wifi_down(nm, "no Wi-Fi: nobody used its set-up page in time");
        break;
    default:
        break;
    }
    return NM_KNOWN;
}

/* ---- addresses ---- */

/* "IP address: 192.168.0.185" and its like; the access point's own is consumed by another marker.
 */
enum nm_read nm_read_ip(struct nm *nm, struct span *rest, const struct nm_hit *hit)
{
    struct span ip;

    if (hit->marker > hit->line && hit->arg == 1) {
        struct span before = {hit->line, hit->marker};

        if (span_len(before) > NM_LOOK_BEHIND) {
            before.at = before.end - NM_LOOK_BEHIND;
        }
        /* "AP IP address: " whose head was lost ends in a blank; a paste says "WiFi connected " */
        if (is_blank(before.end[-1]) && !span_has(before, "WiFi connected")) {
            return NM_NO;
        }
    }
    while (rest->at < rest->end && (is_blank(*rest->at) || *rest->at == '.')) {
        rest->at++; /* "Connecting to WiFi ........192.168.0.226" */
    }
    if (!number_take_ipv4(rest, &ip)) {
        return NM_KNOWN;
    }
    nm_text(nm, SHEP_A_IP, ip.at, span_len(ip));
    nm_wifi_up(nm);
    return NM_KNOWN;
}

/* "WiFi: SSID 192.168.0.185": the network's name may hold blanks, the address is the last word.
 * WEACT oled096DisplayDriver.cpp:29 */
enum nm_read nm_read_wifi_line(struct nm *nm, struct span *rest, const struct nm_hit *hit)
{
    struct span t = span_trim(*rest);
    const char *word = t.end;
    struct span ip;

    while (word > t.at && !is_blank(word[-1])) {
        word--;
    }
    struct span last = {word, t.end};
    if (number_take_ipv4(&last, &ip) && last.at == last.end) {
        nm_text(nm, SHEP_A_IP, ip.at, span_len(ip));
    }
    rest->at = rest->end;
    return NM_KNOWN;
}

/* ---- configuration ---- */

/* Early firmwares print uninitialised memory as user name (captures old-03 … old-06): what is not
 * printable text says nothing. U+FFFD stands for a byte that was none. */
static bool is_text(struct span s)
{
    for (const char *p = s.at; p < s.end; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f) {
            return false;
        }
    }
    return span_len(s) > 0 && !span_has(s, "\xEF\xBF\xBD");
}

void nm_say_user(struct nm *nm, struct span user)
{
    const struct nm_attr *worker = &nm->attrs[SHEP_A_WORKER - SHEP_ATTR_FIRST];
    struct span rest = span_trim(user);

    if (!is_text(rest)) {
        return;
    }
    struct span wallet = span_until(&rest, '.');
    nm_text(nm, SHEP_A_WALLET, wallet.at, span_len(wallet));
    if (span_lit(&rest, ".")) {
        nm_text(nm, SHEP_A_WORKER, rest.at, span_len(rest));
    } else if (worker->len > 0) {
        nm_text(nm, SHEP_A_WORKER, "", 0); /* it had one */
    }
}

void nm_say_pool(struct nm *nm, struct span host_port)
{
    if (is_text(host_port)) {
        nm_text(nm, SHEP_A_POOL, host_port.at, span_len(host_port));
    }
}

void nm_forget_config(struct nm *nm)
{
    nm->host_len = 0;
    nm->port = 0;
}

/* Host and port come in two lines, in either order; together they are the pool. */
static void say_pool_when_whole(struct nm *nm)
{
    char pool[NM_HOST_MAX + 8];

    if (nm->host_len == 0 || nm->port == 0) {
        return;
    }
    int n = snprintf(pool, sizeof(pool), "%.*s:%u", (int)nm->host_len, nm->host_name,
                     (unsigned)nm->port);
    nm_say_pool(nm, (struct span){pool, pool + n});
    nm_forget_config(nm);
}

static void config_host(struct nm *nm, struct span host)
{
    host = span_trim(host);
    if (is_text(host) && span_len(host) < NM_HOST_MAX) {
        memcpy(nm->host_name, host.at, span_len(host));
        nm->host_len = span_len(host);
        say_pool_when_whole(nm);
    }
}

static void config_port(struct nm *nm, struct span *rest)
{
    uint64_t port;

    (void)span_lit(rest, "\"");
    if (number_take_uint(rest, &port) && port > 0 && port < 65536) {
        nm->port = port;
        say_pool_when_whole(nm);
    }
}

/* The value runs to the end of the line; a worker may hold blanks ("IoT 2"). In pastes the next
 * item follows behind a blank. */
static struct span config_user(struct span *rest)
{
    static const char next[] = " TimeZone fromUTC:";
    const char *stop = span_find(*rest, next, sizeof(next) - 1);
    struct span user = {rest->at, stop != NULL ? stop : rest->end};

    rest->at = user.end;
    return user;
}

/* NM2 wManager.cpp:344-360, nvMemory.cpp:88, SDCard.cpp:107,137 */
enum nm_read nm_read_config(struct nm *nm, struct span *rest, const struct nm_hit *hit)
{
    char buf[SHEP_TEXT_MAX];
    struct span value;
    struct span text;

    nm_say_firmware(nm);
    switch (hit->arg) {
    case NM_CONFIG_HOST:
        config_host(nm, span_until(rest, ' '));
        break;
    case NM_CONFIG_PORT:
        config_port(nm, rest);
        break;
    case NM_CONFIG_USER:
        nm_say_user(nm, config_user(rest));
        break;
    default:
        if (rest->at < rest->end && *rest->at == '"' && json_take_value(rest, &value) &&
            json_string(value, buf, sizeof(buf), &text)) {
            if (hit->arg == NM_CONFIG_HOST_JSON) {
                config_host(nm, text);
            } else {
                nm_say_user(nm, text);
            }
        }
        break;
    }
    return NM_KNOWN;
}
