/* What the files of core/herd share. */
#ifndef SHEP_HERD_INTERNAL_H
#define SHEP_HERD_INTERNAL_H

#include "herd/herd.h"
#include "util/log.h"

enum {
    HERD_METRICS_OWN_MAX = 64, /* metrics that plugins declare */
    HERD_LISTENERS_MAX = 8,
    RESETTING_MAX_MS = 120000,  /* CONTRACT "HTTP": resetting lasts at most 120 s */
    HASHING_MAX_AGE_MS = 60000, /* evidence of hashing older than this does not count */
    QUIET_MAX_MS = 120000,      /* after a hub browned out boards mine again within it */
    SWEEP_MS = 1000,
    TEXT_AGAIN_MS = 60000, /* the same text after this long unsaid is news: a board that booted */
    EVENT_IDS = 64,        /* events.def has ids below this */
    EVENT_BURST = 30,      /* of one kind and miner at once; people and boards make fewer */
    EVENT_EVERY_MS = 5000  /* then one in this time: a crazy board must not wear out the SD card */
};

struct value {
    double value;
    int64_t at_ms; /* 0: never said */
};
struct text {
    char *text;
    int64_t at_ms;
    int64_t heard_mono_ms; /* 0: not since we run */
};

struct miner {
    struct herd *herd;
    int64_t id;
    char *name, *location, *source, *path, *group, *tags, *parser, *why;
    enum miner_origin origin;

    enum shep_status status;
    int64_t status_at_ms;
    enum shep_status status_told;    /* what listeners heard last */
    int64_t event_due_ms[EVENT_IDS]; /* monotonic; see allowed() */
    struct complain too_many;
    bool link_up, link_told; /* as it is; as listeners heard it last */
    bool hushed;
    int64_t quiet_until_ms; /* monotonic: its status is no news until then; 0: it is */
    int64_t down_at_ms;     /* hushed: when it went down after it was told up; 0: it did not */
    int64_t last_seen_ms;   /* wall: a label */
    int64_t line_mono_ms, hash_mono_ms, reset_mono_ms; /* 0: never, or over */
    uint64_t lines, lines_dropped, lines_unparsed, readings_refused;

    struct value *metrics; /* one per column; grown when plugins declare more */
    size_t n_metrics;
    struct text attrs[SHEP_ATTR_END - SHEP_ATTR_FIRST];
    double best_ever;
    int64_t best_ever_at_ms; /* 0: not known */
    double hashrate_1h, hashrate_24h, hashes_ever;
};

struct herd {
    struct loop *loop;
    struct topics *topics;
    struct loop_owner owner;
    struct loop_timer *sweep;
    int64_t silent_after_ms;
    struct miner **miners; /* sorted by name */
    size_t n, cap;
    struct shep_metric_info columns[SHEP_METRIC_MAX + HERD_METRICS_OWN_MAX];
    uint32_t column_ids[SHEP_METRIC_MAX + HERD_METRICS_OWN_MAX];
    size_t n_columns, n_core_columns;
    struct herd_listener listeners[HERD_LISTENERS_MAX];
    size_t n_listeners;
    struct buf snapshot;
    uint64_t snapshot_seq; /* 0: none */
};

/* Column of a metric id; -1: unknown. */
int herd_column(const struct herd *herd, uint32_t id);
#endif
