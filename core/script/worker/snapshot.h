/* The daemon's snapshot of the herd (herd/snapshot.h) as herd.c and miner.c read it. */
#ifndef SHEP_SCRIPT_SNAPSHOT_H
#define SHEP_SCRIPT_SNAPSHOT_H

#include "script/worker/worker.h"

struct snapshot { /* checked: every offset of a table lies within */
    const char *bytes;
    size_t len;
    const struct snap_head *head;
};
struct snapshot snapshot_of(lua_State *L); /* herd.c; marks the topic as read */

static inline const struct snap_miner *snapshot_miner(const struct snapshot *s, uint32_t row)
{
    const char *at = s->bytes + sizeof *s->head + (size_t)row * s->head->miner_stride;
    return (const struct snap_miner *)(const void *)at;
}

static inline const struct snap_cell *snapshot_cells(const struct snap_miner *miner)
{
    return (const struct snap_cell *)(const void *)(miner + 1);
}

static inline const struct snap_text *snapshot_texts(const struct snapshot *s,
                                                     const struct snap_miner *miner)
{
    return (const struct snap_text *)(const void *)(snapshot_cells(miner) + s->head->n_metrics);
}

static inline const char *snapshot_text(const struct snapshot *s, uint32_t off)
{
    return off && off < s->len ? s->bytes + off : ""; /* the copy ends with a NUL */
}

void push_number(lua_State *L, double value); /* a whole one as a Lua integer: 55123, not 55123.0 */

/* miner.c: the table of that row; the same each time within one page. */
void miner_push(lua_State *L, uint32_t row);
#endif
