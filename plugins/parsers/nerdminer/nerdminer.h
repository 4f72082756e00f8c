/* What the files of this parser share: the state of one stream, and what they may say.
 *
 * The way of a line: nerdminer.c looks for the markers of markers.c anywhere in it, from left to
 * right, and hands the text behind each to a reader (stats.c, stratum.c, boot.c, net.c), which says
 * what it read through emit.c. Lines get glued (firmware.md 1.2), and what comes last wins.
 *
 * Citations: NM2 is BitMaker-hub/NerdMiner_v2 @ e3a04b7; older tags are named (NM2 Release-1.3);
 * WEACT is greennbeast/NerdMiner_weact_build @ d5dd9cc, AXEHUB dwespl/nerdminer-axehub @ 970b1a9,
 * WEIS WeisTekEng/NerdMiner_v2 @ 186f246. */
#ifndef NERDMINER_H
#define NERDMINER_H

#include "scan.h"
#include "shepherd/plugin.h"

enum {
    NM_ATTRS = SHEP_A_ERROR - SHEP_ATTR_FIRST + 1,
    NM_PENDING = 32,    /* submits that wait for a reply: a pool answers within seconds, the fastest
                           board sends one or two a second */
    NM_HOST_MAX = 200,  /* a DNS name has at most 253; a pool's is far shorter */
    NM_LOOP_RESETS = 3, /* so many resets … */
    NM_LOOP_MS = 60000, /* … within this time are a boot loop (events.def) */
    NM_CUT_MESSAGES = 8, /* messages of one line that never close: a few can be glued, and each is
                            read to the line's end */
    NM_LOOK_BEHIND = 40, /* bytes before a marker that may belong to it */
    NM_MARKERS_MAX = 400 /* rows of markers.c */
};

enum nm_link { NM_LINK_UNKNOWN = 0, NM_LINK_DOWN, NM_LINK_UP };

enum nm_state {
    NM_STATE_UNKNOWN = 0,
    NM_STATE_BOOTING,
    NM_STATE_CRASHED,
    NM_STATE_BOOTLOADER,
    NM_STATE_NO_FIRMWARE,
    NM_STATE_BOOT_LOOP,
    NM_STATE_WIFI_SETUP,
    NM_STATE_NO_WIFI,
    NM_STATE_CONNECTING,
    NM_STATE_NO_POOL,
    NM_STATE_WAITING,
    NM_STATE_MINING
};

/* What the attribute `error` speaks of; it is over when the same thing works again. */
enum nm_trouble { NM_FINE = 0, NM_TROUBLE_BOOT, NM_TROUBLE_WIFI, NM_TROUBLE_POOL };

struct nm_attr { /* what was last said in this boot, so that repeating it costs nothing */
    bool said;
    size_t len;
    char text[SHEP_TEXT_MAX];
};

struct nm_submit {
    uint64_t id;
    double difficulty; /* of the share, 0 until the firmware printed it */
};

struct nm {
    struct shep_ctx *ctx;
    const struct shep_host *host;
    int64_t at_ms;         /* of the line being read */
    unsigned cut_messages; /* in it */

    enum nm_state state;
    enum nm_trouble trouble;
    enum nm_link wifi, pool;
    const char *fork; /* a fork's name that this log told; NULL: plain NerdMiner_v2 */
    bool booting;     /* from a reset to the first statistics line */
    bool rom_reset;   /* a reset was told, the firmware's banner not yet */
    bool crashed;     /* a panic was told, the reset after it not yet */
    bool setup;       /* in the Wi-Fi set-up portal */
    bool bootloader;  /* said since the last reset */
    bool looping;
    unsigned resets;
    int64_t reset_ms[NM_LOOP_RESETS]; /* a ring of the last ones */

    bool have_hashes, have_valids, have_difficulty, block_told;
    double hashes, valids, difficulty;

    char host_name[NM_HOST_MAX]; /* of the pool, until its port is known too */
    size_t host_len;
    uint64_t port; /* 0: not known yet */

    uint64_t subscribe_id, authorize_id;  /* 0: none is waiting */
    struct nm_submit pending[NM_PENDING]; /* a ring; id 0: empty */
    unsigned next_pending, last_pending;
    double accepted, rejected;

    struct nm_attr attrs[NM_ATTRS];
    uint16_t head[256];            /* first marker with this first byte, + 1 */
    uint16_t next[NM_MARKERS_MAX]; /* the one after it, + 1 */
};

/* ---- markers.c: what to look for ---- */

enum nm_read {
    NM_NO = -1,  /* not what the marker promised: look on behind its first byte */
    NM_SKIP = 0, /* nothing that this parser knows, but do not look into it */
    NM_KNOWN = 1
};

struct nm_hit {
    const char *line, *marker; /* start of the line; start of the marker in it */
    int arg;                   /* of the marker's row */
};

/* Reads the text behind a marker and takes off `rest` what it understood. */
typedef enum nm_read (*nm_reader)(struct nm *nm, struct span *rest, const struct nm_hit *hit);

struct nm_marker {
    const char *text;
    size_t len;
    nm_reader read; /* NULL: the line is known and says nothing more */
    int arg;
};

extern const struct nm_marker nm_markers[];
extern const size_t nm_markers_n;

/* ---- probe.c ---- */

int nm_probe(const char *text, size_t len);

/* ---- emit.c: what the parser says ---- */

void nm_metric(struct nm *nm, uint32_t metric, double value);
/* Says an attribute unless it said the same in this boot. */
void nm_text(struct nm *nm, uint32_t attr, const char *text, size_t len);
void nm_words(struct nm *nm, uint32_t attr, const char *text);
void nm_event(struct nm *nm, uint32_t event, double value, const char *text, size_t len);
void nm_set_state(struct nm *nm, enum nm_state state);
void nm_set_trouble(struct nm *nm, enum nm_trouble trouble, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void nm_trouble_over(struct nm *nm, enum nm_trouble trouble);
/* The line is NerdMiner's own: say the firmware's name if it was not said. */
void nm_say_firmware(struct nm *nm);

/* ---- stats.c ---- */

enum nm_read nm_read_stats(struct nm *nm, struct span *rest, const struct nm_hit *hit);
enum nm_read nm_read_udp(struct nm *nm, struct span *rest, const struct nm_hit *hit);
enum nm_read nm_read_gauge(struct nm *nm, struct span *rest, const struct nm_hit *hit);
enum nm_read nm_read_heap(struct nm *nm, struct span *rest, const struct nm_hit *hit);

/* ---- stratum.c ---- */

enum nm_read nm_read_json(struct nm *nm, struct span *rest, const struct nm_hit *hit);
enum nm_read nm_read_share_difficulty(struct nm *nm, struct span *rest, const struct nm_hit *hit);
enum nm_read nm_read_difficulty(struct nm *nm, struct span *rest, const struct nm_hit *hit);
enum nm_read nm_read_refused(struct nm *nm, struct span *rest, const struct nm_hit *hit);
enum nm_read nm_read_block(struct nm *nm, struct span *rest, const struct nm_hit *hit);
void nm_forget_submits(struct nm *nm);

/* ---- boot.c ---- */

enum nm_read nm_read_rst(struct nm *nm, struct span *rest, const struct nm_hit *hit);
enum nm_read nm_read_rst_cut(struct nm *nm, struct span *rest, const struct nm_hit *hit);
enum nm_read nm_read_rom(struct nm *nm, struct span *rest, const struct nm_hit *hit);
enum nm_read nm_read_esp_rom(struct nm *nm, struct span *rest, const struct nm_hit *hit);
enum nm_read nm_read_bootloader(struct nm *nm, struct span *rest, const struct nm_hit *hit);
enum nm_read nm_read_no_firmware(struct nm *nm, struct span *rest, const struct nm_hit *hit);
enum nm_read nm_read_panic(struct nm *nm, struct span *rest, const struct nm_hit *hit);
enum nm_read nm_read_banner(struct nm *nm, struct span *rest, const struct nm_hit *hit);
enum nm_read nm_read_boot_reason(struct nm *nm, struct span *rest, const struct nm_hit *hit);
enum nm_read nm_read_board(struct nm *nm, struct span *rest, const struct nm_hit *hit);
enum nm_read nm_read_chip(struct nm *nm, struct span *rest, const struct nm_hit *hit);
/* A line that no other firmware prints and that says nothing more. */
enum nm_read nm_read_own(struct nm *nm, struct span *rest, const struct nm_hit *hit);
enum nm_read nm_read_fork(struct nm *nm, struct span *rest, const struct nm_hit *hit);
enum nm_read nm_read_raw_flash(struct nm *nm, struct span *rest, const struct nm_hit *hit);
/* A statistics line came: what happened before it is over. */
void nm_running(struct nm *nm);

/* ---- net.c ---- */

enum nm_read nm_read_net(struct nm *nm, struct span *rest, const struct nm_hit *hit);
enum nm_read nm_read_config(struct nm *nm, struct span *rest, const struct nm_hit *hit);
enum nm_read nm_read_ip(struct nm *nm, struct span *rest, const struct nm_hit *hit);
enum nm_read nm_read_wifi_line(struct nm *nm, struct span *rest, const struct nm_hit *hit);
/* "WALLET.worker" as the log gives it; ignored when it is not text. */
void nm_say_user(struct nm *nm, struct span user);
void nm_say_pool(struct nm *nm, struct span host_port);
void nm_forget_config(struct nm *nm);
void nm_wifi_up(struct nm *nm);
void nm_wifi_down(struct nm *nm, const char *why);
void nm_pool_up(struct nm *nm);
/* tell: an event even if this stream never saw it connected. */
void nm_pool_down(struct nm *nm, bool tell, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* args of nm_read_net */
enum nm_net_arg {
    NM_NET_CONNECTING_POOL,
    NM_NET_CONNECTING_POOL_TO,
    NM_NET_POOL_UNREACHABLE,
    NM_NET_POOL_SILENT,
    NM_NET_POOL_GARBLED,
    NM_NET_WIFI_UP,
    NM_NET_WIFI_FAILED,
    NM_NET_WIFI_STATUS,
    NM_NET_WIFI_TRYING,
    NM_NET_SETUP,
    NM_NET_SETUP_NAME,
    NM_NET_SETUP_FAILED,
    NM_NET_SETUP_OVER
};

/* args of nm_read_config */
enum nm_config_arg {
    NM_CONFIG_HOST,      /* bare to the next blank */
    NM_CONFIG_HOST_JSON, /* in quotes */
    NM_CONFIG_PORT,
    NM_CONFIG_USER,
    NM_CONFIG_USER_JSON
};

/* args of nm_read_gauge */
enum nm_gauge_arg {
    NM_GAUGE_RSSI,
    NM_GAUGE_HEAP,
    NM_GAUGE_MHZ,
    NM_GAUGE_VOLT,
    NM_GAUGE_TEMPERATURE
};

/* args of nm_read_panic */
enum nm_panic_arg {
    NM_PANIC_GURU,
    NM_PANIC_DETAIL,
    NM_PANIC_ASSERT,
    NM_PANIC_ABORT,
    NM_PANIC_STACK,
    NM_PANIC_TASK_WDT,
    NM_PANIC_BROWNOUT
};

/* args of nm_read_fork */
enum nm_fork_arg { NM_FORK_AXEHUB, NM_FORK_WEIS, NM_FORK_MODDED };

#endif
