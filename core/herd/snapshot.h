/* An immutable picture of the herd: one block of bytes without pointers, so that it can be sent to
 * a script process as it is. Made at most once per sequence and only when asked for. Both programs
 * are built from one tree: the layout is checked by magic and sizes, not versioned. All offsets are
 * from the start of the block; strings are NUL-terminated. */
#ifndef SHEP_SNAPSHOT_H
#define SHEP_SNAPSHOT_H

#include <stdint.h>

#define SNAPSHOT_MAGIC 0x53485032u /* "SHP2" */

struct snap_head {
    uint32_t magic, total_bytes;
    uint64_t seq;
    int64_t made_at_ms;
    uint32_t n_miners, miner_stride; /* miners follow this head */
    uint32_t n_metrics, n_attrs;     /* columns of every miner */
    uint32_t metrics_off, attrs_off; /* tables of struct snap_column */
    uint32_t demo, silent_after_s;
    /* totals: of miners that are online or idle (CONTRACT "HTTP") */
    uint32_t total_miners, online_miners, reporting_miners, reserved;
    double total_hashrate, total_shares, total_block_templates, total_accepted, total_rejected;
    double best_difficulty, best_difficulty_ever; /* over all miners */
};

struct snap_column {
    uint32_t id, name_off, unit_off, counter;
};

struct snap_cell { /* one metric of one miner; at_ms 0: never said */
    double value;
    int64_t at_ms;
};

struct snap_text { /* one attribute; at_ms 0: never said */
    uint32_t off, len;
    int64_t at_ms;
};

struct snap_miner { /* followed by n_metrics cells, then n_attrs texts */
    int64_t id;
    uint32_t status, flags; /* enum shep_status; SNAP_… */
    uint32_t name_off, location_off, source_off, path_off, parser_off, why_off;
    uint32_t group_off, tags_off; /* tags: one text, with commas between them */
    int64_t last_seen_ms;         /* last line or poll; 0: never */
    int64_t status_at_ms;         /* when the status became what it is */
    uint64_t lines, lines_dropped, lines_unparsed;
    double hashrate_1h, hashrate_24h; /* NaN: not known */
    double best_difficulty_ever;
    int64_t best_difficulty_ever_at_ms;
    double hashes_ever; /* across resets; NaN: not known */
};
#define SNAP_DEMO      1u
#define SNAP_FROM_FILE 2u /* configured in shepherd.lua: read-only in the browser */
#define SNAP_FOUND     4u /* listened to, nobody named it yet */
#endif
