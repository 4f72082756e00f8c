/* The Shepherd's plugin interface: the only header a plugin includes.
 *
 * A plugin is one shared object with one exported symbol, shep_plugin_v1(). Its name carries the
 * major number of the interface: a plugin for another major simply has no such symbol. It returns a
 * constant description; the core then calls the functions in it and hands over a table of its own
 * functions (struct shep_host), so that a plugin links with no undefined symbol and can be tested
 * with a host made for the test.
 *
 * Rules
 *  - Every call happens on the loop thread, except work.run. A callback returns within 5 ms; one
 * that takes more than 20 ms is logged and shown on /details/system with the plugin's name. Nothing
 * may block or sleep.
 *  - Every struct begins with its own size as its author compiled it. Fields past that size count
 * as zero. Test SHEP_HOST_HAS(host, function) before you call a function that a later minor version
 * appended.
 *  - Pointers are borrowed for the call unless a comment says otherwise. Nobody frees the other's
 * memory.
 *  - Text is bytes with a length, UTF-8 where it can be; a NUL at the end only where a comment says
 * so.
 *  - at_ms is Unix time in ms, UTC; mono_ms is the monotonic clock and never goes back. Units are
 * SI base units: H/s, hashes, °C, s, W, V, Hz, bytes. What is unknown is absent: nobody emits 0 for
 * it.
 *  - int results: 0 or more is success, negative is an enum shep_err.
 *  - Timers, watches, fetches and jobs belong to the plugin; the core removes what is left when the
 * plugin stops.
 *  - A plugin is never unloaded while the daemon runs.
 *
 * Build one out of the tree:   cc -std=c11 -shared -fPIC -fvisibility=hidden $(pkg-config --cflags
 * shepherd) -o x.so x.c or with CMake:               find_package(Shepherd) then
 * shepherd_add_plugin(parser_x x.c) The guide with a whole example is plugins/README.md. */
#ifndef SHEPHERD_PLUGIN_H
#define SHEPHERD_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SHEP_ABI_MAJOR 1 /* raised: the entry symbol gets another name */
#define SHEP_ABI_MINOR 1 /* raised: fields or functions were appended */

#define SHEP_TEXT_MAX   256   /* bytes of an attribute; a user name at a pool is rarely over 100 */
#define SHEP_LINE_MAX   16384 /* bytes of a line; mining.notify reaches 4 kB */
#define SHEP_METRIC_MAX 64    /* metric ids of the core are below this */
#define SHEP_ATTR_FIRST 64    /* attribute ids are 64..127 */
#define SHEP_ATTR_END   128
#define SHEP_METRIC_OWN 128 /* ids of metrics that plugins declare start here */

#define SHEP_EXPORT __attribute__((visibility("default")))

enum shep_err {
    SHEP_OK = 0,
    SHEP_E_NOMEM = -1,
    SHEP_E_CONFIG = -2,      /* an option or a file of the user's is wrong */
    SHEP_E_IO = -3,          /* a system call failed; errno's text goes into fail() */
    SHEP_E_GONE = -4,        /* the device or its way in is not there */
    SHEP_E_BUSY = -5,        /* somebody else has it, or a queue is full; try again later */
    SHEP_E_FORMAT = -6,      /* bytes that are not what they claim to be */
    SHEP_E_LIMIT = -7,       /* over a bound */
    SHEP_E_UNSUPPORTED = -8, /* not here, not now (for example offline = true) */
    SHEP_E_BUG = -9          /* a rule of this header was broken */
};

enum shep_kind {
    SHEP_KIND_PARSER = 1,
    SHEP_KIND_SOURCE = 2,
    SHEP_KIND_SERVICE = 3,
    SHEP_KIND_SINK = 4
};
enum shep_log { SHEP_LOG_ERROR = 0, SHEP_LOG_WARN = 1, SHEP_LOG_INFO = 2, SHEP_LOG_DEBUG = 3 };

/* Metric and attribute ids: SHEP_M_HASHRATE, SHEP_A_POOL and so on, from metrics.def. */
enum shep_metric_id {
#define SHEP_METRIC(id, sym, name, unit, kind, min, max, history, doc) SHEP_M_##sym = id,
#define SHEP_ATTR(id, sym, name, doc)                                  SHEP_A_##sym = id,
#include "metrics.def"
    SHEP_M_NONE = 0
};

enum shep_event_id {
#define SHEP_EVENT(id, sym, name, keep, severity, doc) SHEP_EV_##sym = id,
#include "events.def"
    SHEP_EV_NONE = 0
};

enum shep_status {
    SHEP_STATUS_OFFLINE = 0, /* port gone, or polls failing */
    SHEP_STATUS_SILENT = 1,  /* connected, no line for silent_after */
    SHEP_STATUS_RESETTING = 2,
    SHEP_STATUS_IDLE = 3,  /* lines, no hashes */
    SHEP_STATUS_ONLINE = 4 /* lines and hashes */
};

struct shep_ctx;    /* who is calling: one per plugin, one more per parser stream; the core's */
struct shep_device; /* one way in to one miner; the core's, valid from attach() to the end of
                       detach() */
struct shep_timer;
struct shep_watch;

/* ---- options: data, so that defaults, help, ranges and error messages come from the core ---- */

enum shep_option_type {
    SHEP_OPT_STRING = 1,
    SHEP_OPT_INT = 2,
    SHEP_OPT_FLOAT = 3,
    SHEP_OPT_BOOL = 4
};
#define SHEP_OPT_REQUIRED 1u
#define SHEP_OPT_SECRET   2u /* never logged, never shown, never given to Lua */

struct shep_option {     /* a table ends with name == NULL; its stride is shep_plugin.option_size */
    const char *name;    /* [a-z][a-z0-9_]* */
    const char *help;    /* one line */
    const char *dflt;    /* default, as it would stand in the configuration; NULL: none */
    const char *choices; /* "a|b|c" for a string that must be one of them, else NULL */
    uint32_t type;       /* enum shep_option_type */
    uint32_t flags;
    double min, max; /* for INT and FLOAT when min < max */
};

/* A metric that only this plugin knows, named vendor.name; get its id by host->metric_id(). */
struct shep_metric_info {
    const char *name, *unit, *doc;
    uint32_t counter; /* 1: counter, 0: gauge */
    uint32_t history; /* 1: roll-ups are kept */
    double min, max;
};

struct shep_plugin {
    uint32_t size; /* sizeof(struct shep_plugin) */
    uint16_t abi_major, abi_minor;
    uint32_t kind;        /* enum shep_kind */
    uint32_t option_size; /* sizeof(struct shep_option) */
    uint32_t metric_size; /* sizeof(struct shep_metric_info) */
    const char *name;     /* [a-z][a-z0-9_]*, unique within its kind: "nerdminer", "serial" */
    const char *version, *summary, *license;
    const struct shep_option *options;      /* NULL: none */
    const struct shep_metric_info *metrics; /* NULL: none; else ends with name == NULL */
    const void *ops; /* struct shep_parser_ops, shep_source_ops or shep_service_ops, by kind */
};

typedef const struct shep_plugin *(*shep_plugin_fn)(void);
SHEP_EXPORT const struct shep_plugin *shep_plugin_v1(void);

/* ---- what goes back and forth ---- */

#define SHEP_LINE_TRUNCATED 1u /* the line was longer than SHEP_LINE_MAX; its end is missing */

struct shep_line {
    uint32_t size, flags;
    const char
        *text; /* valid UTF-8 without CR, LF, NUL and with secrets masked; not NUL-terminated */
    size_t len;
    int64_t at_ms; /* when its last byte arrived */
    uint64_t seq;  /* 1, 2, 3 … within the stream */
};

struct shep_reading {
    uint32_t size;
    uint32_t metric;  /* SHEP_M_…, SHEP_A_… or an id from metric_id() */
    int64_t at_ms;    /* 0: now (for a parser: the time of the line) */
    double value;     /* for a metric; not finite: dropped and counted */
    const char *text; /* for an attribute; over SHEP_TEXT_MAX bytes are cut */
    size_t text_len;
};

struct shep_event {
    uint32_t size;
    uint32_t event;   /* SHEP_EV_… */
    int64_t at_ms;    /* 0: now */
    int64_t miner_id; /* 0: no miner in particular; ignored from parsers and for a device */
    double value;     /* for example a difficulty; 0 when there is none */
    const char *text; /* at most 1 KiB; may be NULL */
    size_t text_len;
};

/* A way in that is there now: a serial port, a device on the network. Who finds it says what it is;
 * whose it is and whether it is opened is not the finder's business: the core knows identities
 * (core/plugin/README.md, "Identity"), and the source that can open it judges whether it looks like
 * a miner (shep_source_ops.judge). */
struct shep_found {
    uint32_t size, flags; /* flags: 0 */
    /* key: what the finder calls it, the same as long as it stays in its place, unique among what
     * is there: never /dev/ttyUSB0, which the next one may get. port_path: where it is plugged in,
     * "1-1.2". All NUL-terminated; description may be NULL. */
    const char *key, *path, *port_path, *description;
    const char *serial, *vendor_id, *product_id; /* NUL-terminated, hex lower case; NULL: none */
    /* since 1.1 */
    const char *mac; /* "a0:b1:c2:d3:e4:f5" when it is known without opening; NULL: it is not */
    const char *hub; /* port path of the hub that it hangs on, "1-1"; NULL: not known, or none */
    uint32_t unit; /* which of several serial ports of one chip it is; 0: the first, or the only */
};

struct shep_miner { /* what services and sinks see; borrowed for the call */
    uint32_t size;
    uint32_t status;      /* enum shep_status */
    int64_t id;           /* miners.id */
    const char *name;     /* miner_id, NUL-terminated */
    int64_t last_line_ms; /* 0: never */
    uint32_t demo;        /* 1: invented */
};

struct shep_summary { /* one row of miner_summary; a value that is not known is NAN */
    uint32_t size;
    int64_t miner_id, at_ms;
    double hashrate_1h, hashrate_24h;  /* time-weighted averages, H/s */
    double hashes_total, shares_total; /* across resets of the board's counters */
    double best_difficulty_ever;
    double online_share_24h; /* 0..1 */
};

struct shep_rollup {
    uint32_t size;
    uint32_t metric;
    uint32_t period_s; /* 60, 3600 or 86400 */
    uint32_t n;        /* samples behind it; 0 rows are not written: gaps stay gaps */
    int64_t miner_id;
    int64_t t_ms; /* start of the period, UTC */
    double min, max, avg,
        last; /* of a counter: avg is the growth within the period, last its value */
};

struct shep_fetch {
    uint32_t size;
    uint32_t timeout_ms; /* 0: 10 s; at most 60 s */
    uint32_t max_bytes;  /* 0: 1 MiB */
    uint32_t flags;
    const char *url; /* http or https, NUL-terminated; redirects are not followed */
};
struct shep_fetch_result {
    uint32_t size;
    int32_t err;           /* 0 when a reply came, whatever its status */
    int32_t status;        /* HTTP status */
    int32_t retry_after_s; /* from Retry-After, 0: none */
    const char *body;      /* NUL-terminated for convenience */
    size_t body_len;
    const char *message; /* when err < 0: what went wrong */
};

typedef void (*shep_timer_fn)(void *arg);
typedef void (*shep_watch_fn)(int fd, uint32_t what, void *arg);
typedef void (*shep_fetch_fn)(const struct shep_fetch_result *result, void *arg);
typedef void (*shep_work_fn)(void *arg); /* run: on a worker thread, may block; done: on the loop */
typedef void (*shep_metric_fn)(uint32_t id, const struct shep_metric_info *info, void *arg);
typedef void (*shep_miner_fn)(const struct shep_miner *miner, void *arg);
typedef void (*shep_rollup_fn)(const struct shep_rollup *rows, size_t n, int err, void *arg);

#define SHEP_WATCH_READ  1u
#define SHEP_WATCH_WRITE 2u
#define SHEP_WATCH_STREAM                                                                          \
    4u /* bytes for feed(): the core pauses this watch while the database is behind */

/* ---- what the core offers ---- */

struct shep_host {
    uint32_t size;
    uint16_t abi_major, abi_minor;

    /* all kinds */
    void (*log)(struct shep_ctx *ctx, int level, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));
    /* Keeps the text for /details/system, logs it once, returns err. Say what, where and what to
     * do. */
    int (*fail)(struct shep_ctx *ctx, int err, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));
    int64_t (*now_ms)(struct shep_ctx *ctx);
    int64_t (*mono_ms)(struct shep_ctx *ctx);
    /* Options: the configured or default value. The strings live as long as the plugin. A name that
     * is not in the option table, or another type: SHEP_E_BUG. No value and no default: *out
     * untouched, SHEP_E_GONE. */
    int (*opt_str)(struct shep_ctx *ctx, const char *name, const char **out);
    int (*opt_int)(struct shep_ctx *ctx, const char *name, int64_t *out);
    int (*opt_float)(struct shep_ctx *ctx, const char *name, double *out);
    int (*opt_bool)(struct shep_ctx *ctx, const char *name, int *out);
    int (*metric_id)(struct shep_ctx *ctx, const char *name, uint32_t *out);
    /* Calls fn for every metric: ours first, then those that plugins declared, with or without
     * history. All are declared before the first start(), so the list stays as it is. info is
     * borrowed for the call, the strings in it live for ever. NULL for parsers. */
    int (*metric_each)(struct shep_ctx *ctx, shep_metric_fn fn, void *arg);

    /* parsers (ctx: of the stream) */
    int (*emit)(struct shep_ctx *ctx,
                const struct shep_reading *reading); /* copied before it returns */
    int (*event)(struct shep_ctx *ctx,
                 const struct shep_event *event); /* also for services and sinks */

    /* sources, services, sinks */
    int (*timer)(struct shep_ctx *ctx, int64_t first_ms, int64_t every_ms, shep_timer_fn fn,
                 void *arg,
                 struct shep_timer **out); /* every_ms 0: once, and the handle dies when it fires */
    void (*timer_cancel)(struct shep_ctx *ctx, struct shep_timer *timer);
    int (*watch_fd)(struct shep_ctx *ctx, int fd, uint32_t what, shep_watch_fn fn, void *arg,
                    struct shep_watch **out);
    void (*watch_cancel)(struct shep_ctx *ctx,
                         struct shep_watch *watch); /* before you close the fd */
    int (*work)(struct shep_ctx *ctx, shep_work_fn run, shep_work_fn done,
                void *arg); /* done is always called */
    /* 0: done is called exactly once; after stop() it may still come, with err SHEP_E_GONE. */
    int (*http_fetch)(struct shep_ctx *ctx, const struct shep_fetch *fetch, shep_fetch_fn done,
                      void *arg);

    /* sources */
    /* Raw bytes of a device's stream, at most 64 KiB a call; what is complete is parsed before it
     * returns. */
    int (*feed)(struct shep_ctx *ctx, struct shep_device *dev, const void *bytes, size_t len);
    int (*device_reading)(struct shep_ctx *ctx, struct shep_device *dev,
                          const struct shep_reading *reading);
    int (*device_event)(struct shep_ctx *ctx, struct shep_device *dev,
                        const struct shep_event *event);
    /* The way in works (up = 1) or not; why is shown to people: what, where, what to do. NULL when
     * up. Repeating the same state with the same why is free. Going down ends the stream: the next
     * byte starts a new one. */
    int (*device_link)(struct shep_ctx *ctx, struct shep_device *dev, int up, const char *why);
    int (*device_opt_str)(struct shep_ctx *ctx, struct shep_device *dev, const char *name,
                          const char **out);
    int (*device_opt_int)(struct shep_ctx *ctx, struct shep_device *dev, const char *name,
                          int64_t *out);
    int (*device_opt_float)(struct shep_ctx *ctx, struct shep_device *dev, const char *name,
                            double *out);
    int (*device_opt_bool)(struct shep_ctx *ctx, struct shep_device *dev, const char *name,
                           int *out);
    const char *(*device_name)(struct shep_ctx *ctx,
                               struct shep_device *dev); /* the miner's name */
    int (*device_found)(struct shep_ctx *ctx,
                        const struct shep_found *found); /* again: updates it */
    int (*device_lost)(struct shep_ctx *ctx, const char *key);

    /* services and sinks */
    int (*each_miner)(struct shep_ctx *ctx, shep_miner_fn fn, void *arg);
    /* Latest value of a miner within each_miner(); SHEP_E_GONE if it never said one. Text is
     * NUL-terminated. at_ms may be NULL. */
    int (*miner_value)(struct shep_ctx *ctx, const struct shep_miner *miner, uint32_t metric,
                       double *value, int64_t *at_ms);
    int (*miner_text)(struct shep_ctx *ctx, const struct shep_miner *miner, uint32_t attr,
                      const char **text, int64_t *at_ms);
    /* A fact is a small JSON document (at most 64 KiB) that views read by name: "price". NULL json
     * takes it away. */
    int (*fact_put)(struct shep_ctx *ctx, const char *name, const char *json, size_t len);
    /* A few values that survive a restart, private to the plugin; value at most 64 KiB,
     * NUL-terminated. */
    int (*kv_get)(struct shep_ctx *ctx, const char *key, const char **value);
    int (*kv_put)(struct shep_ctx *ctx, const char *key, const char *value);
    /* Replace DATA_DIR/<name> atomically, in the background; name is [a-z0-9_.-]+. */
    int (*file_put)(struct shep_ctx *ctx, const char *name, const void *bytes, size_t len);
    int (*summary_put)(struct shep_ctx *ctx, const struct shep_summary *summary);
    int (*rollup_put)(struct shep_ctx *ctx,
                      const struct shep_rollup *rollup); /* the same key again replaces */
    /* Make the rows of period to_s that start in [from_ms, to_ms) from those of from_s. In the
     * background. */
    int (*rollup_fold)(struct shep_ctx *ctx, uint32_t from_s, uint32_t to_s, int64_t from_ms,
                       int64_t to_ms);
    /* Rows in order of time, at most 200,000; fn is called once, on the loop. */
    int (*rollup_get)(struct shep_ctx *ctx, uint32_t period_s, uint32_t metric, int64_t from_ms,
                      int64_t to_ms, shep_rollup_fn fn, void *arg);
    /* Delete rows of a period that are older than before_ms. In the background. */
    int (*rollup_drop)(struct shep_ctx *ctx, uint32_t period_s, int64_t before_ms);
};

#define SHEP_HOST_HAS(host, fn)                                                                    \
    ((host)->size >= offsetof(struct shep_host, fn) + sizeof((host)->fn) && (host)->fn != NULL)

/* ---- what a plugin offers, by kind ---- */

struct shep_parser_ops { /* PURE: lines in, readings out. No descriptor, no clock, no sleep, no
                            state outside self. */
    uint32_t size;
    /* How sure this one line makes you that the firmware is yours: 0 not at all … 100 it says its
     * name. Called for lines of streams whose parser is not known yet. Be strict: 30 and more means
     * that no other firmware prints it. */
    int (*probe)(const char *text, size_t len);
    int (*open)(struct shep_ctx *ctx, const struct shep_host *host,
                void **self); /* one per stream */
    int (*line)(
        void *self,
        const struct shep_line *line); /* 1: known line; 0: unknown line, counted; < 0: error */
    void (*close)(void *self);
};

struct shep_source_ops {
    uint32_t size;
    const struct shep_option
        *device_options; /* what a miner of this source may have besides id, location, parser */
    int (*start)(struct shep_ctx *ctx, const struct shep_host *host, void **self);
    int (*attach)(
        void *self,
        struct shep_device *dev); /* a miner was configured; failing to open it is no error here */
    void (*detach)(void *self, struct shep_device *dev); /* forget it now */
    void (*stop)(void *self);
    /* since 1.1; each may be NULL */
    /* Somebody found this: would you open it? SHEP_JUDGE_… bits; SHEP_E_UNSUPPORTED: not my kind,
     * or switched off. Looks at what is said of it, never at the device. */
    int (*judge)(void *self, const struct shep_found *found);
    /* Make the board boot again, cleanly and never into its boot loader. Returns at once; the lines
     * that follow tell the rest. SHEP_E_GONE: not open; SHEP_E_UNSUPPORTED: it has no such line. */
    int (*reset)(void *self, struct shep_device *dev);
    /* Who may add a miner with this path in the browser: SHEP_ADD_… NULL: nobody, such miners stand
     * in the configuration file; so it is for whatever could read files of this host. path NULL: it
     * is known by what is plugged in. Looks at the text alone; works before start(). */
    int (*may_add)(const char *path);
};
#define SHEP_ADD_NOBODY       0
#define SHEP_ADD_ADMIN        1  /* it may be something else than what this source is for */
#define SHEP_ADD_OPERATOR     2  /* whoever manages miners */
#define SHEP_JUDGE_PLAUSIBLE  1u /* a kind of device that miners have: opened when asked */
#define SHEP_JUDGE_LISTEN     2u /* open it unasked */
#define SHEP_JUDGE_NATIVE     4u /* USB of the chip itself: its serial number is its MAC */
#define SHEP_JUDGE_BOOTLOADER 8u /* the chip waits in its boot loader: shown, not opened */

struct shep_service_ops { /* services and sinks */
    uint32_t size;
    int (*start)(struct shep_ctx *ctx, const struct shep_host *host, void **self);
    void (*herd_changed)(void *self,
                         uint64_t seq); /* NULL: not interested; at most ten times a second */
    void (*stop)(void *self);
};

#ifdef __cplusplus
}
#endif
#endif
