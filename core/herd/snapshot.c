/* The picture of the herd as one block of bytes (snapshot.h). */
#include "herd/internal.h"

#include "util/clock.h"

#include <math.h>

static uint32_t add_string(struct buf *out, const char *text)
{
    if (!text)
        return 0;
    uint32_t off = (uint32_t)out->len;
    buf_add(out, text, strlen(text) + 1);
    return off;
}

static void align(struct buf *out)
{
    static const char zeros[8];
    buf_add(out, zeros, (8 - out->len % 8) % 8);
}

static void *zeroed(struct buf *out, size_t n_bytes)
{
    buf_reserve(out, n_bytes);
    void *at = out->data + out->len;
    memset(at, 0, n_bytes);
    out->len += n_bytes;
    return at;
}

static void add_totals(struct snap_head *head, const struct miner *miner)
{
    head->total_miners++;
    double value;
    if (miner_value(miner, SHEP_M_BEST_DIFFICULTY, &value, NULL) && value > head->best_difficulty)
        head->best_difficulty = value;
    if (miner->best_ever_at_ms && miner->best_ever > head->best_difficulty_ever)
        head->best_difficulty_ever = miner->best_ever;
    if (miner->origin == MINER_DEMO)
        head->demo = 1;
    if (miner->status != SHEP_STATUS_ONLINE && miner->status != SHEP_STATUS_IDLE)
        return;
    head->reporting_miners++;
    if (miner->status == SHEP_STATUS_ONLINE)
        head->online_miners++;
    static const uint32_t metrics[] = {SHEP_M_HASHRATE, SHEP_M_SHARES_32BIT, SHEP_M_BLOCK_TEMPLATES,
                                       SHEP_M_SHARES_ACCEPTED, SHEP_M_SHARES_REJECTED};
    double *sums[] = {&head->total_hashrate, &head->total_shares, &head->total_block_templates,
                      &head->total_accepted, &head->total_rejected};
    for (size_t i = 0; i < ARRAY_LEN(metrics); i++)
        if (miner_value(miner, metrics[i], &value, NULL))
            *sums[i] += value;
}

static uint32_t miner_flags(const struct miner *miner)
{
    return (miner->origin == MINER_DEMO ? SNAP_DEMO : 0u) |
           (miner->origin == MINER_FROM_FILE ? SNAP_FROM_FILE : 0u) |
           (miner->origin == MINER_FOUND ? SNAP_FOUND : 0u);
}

/* Strings are appended while the record is filled, so the record is addressed by offset. */
static void fill_miner(struct herd *herd, const struct miner *miner, size_t at)
{
    struct buf *out = &herd->snapshot;
    struct snap_miner head = {
        .id = miner->id,
        .status = miner->status,
        .flags = miner_flags(miner),
        .name_off = add_string(out, miner->name),
        .location_off = add_string(out, miner->location),
        .source_off = add_string(out, miner->source),
        .path_off = add_string(out, miner->path),
        .parser_off = add_string(out, miner->parser),
        .why_off = add_string(out, miner->why),
        .group_off = add_string(out, miner->group),
        .tags_off = add_string(out, miner->tags),
        .last_seen_ms = miner->last_seen_ms,
        .status_at_ms = miner->status_at_ms,
        .lines = miner->lines,
        .lines_dropped = miner->lines_dropped,
        .lines_unparsed = miner->lines_unparsed,
        .hashrate_1h = miner->hashrate_1h,
        .hashrate_24h = miner->hashrate_24h,
        .best_difficulty_ever = miner->best_ever_at_ms ? miner->best_ever : NAN,
        .best_difficulty_ever_at_ms = miner->best_ever_at_ms,
        .hashes_ever = miner->hashes_ever,
    };
    memcpy(out->data + at, &head, sizeof head);
    at += sizeof head;
    for (size_t i = 0; i < herd->n_columns; i++, at += sizeof(struct snap_cell)) {
        struct snap_cell cell = {0};
        if (i < miner->n_metrics)
            cell = (struct snap_cell){miner->metrics[i].value, miner->metrics[i].at_ms};
        memcpy(out->data + at, &cell, sizeof cell);
    }
    for (uint32_t id = SHEP_ATTR_FIRST; id < SHEP_ATTR_END; id++) {
        if (!metric_name(id))
            continue;
        const struct text *text = &miner->attrs[id - SHEP_ATTR_FIRST];
        struct snap_text cell = {0};
        if (text->text)
            cell = (struct snap_text){add_string(out, text->text), (uint32_t)strlen(text->text),
                                      text->at_ms};
        memcpy(out->data + at, &cell, sizeof cell);
        at += sizeof cell;
    }
}

static uint32_t count_attrs(void)
{
    uint32_t n = 0;
    for (uint32_t id = SHEP_ATTR_FIRST; id < SHEP_ATTR_END; id++)
        n += metric_name(id) != NULL;
    return n;
}

static void fill_columns(struct herd *herd, struct snap_head *head)
{
    struct buf *out = &herd->snapshot;
    for (size_t i = 0; i < herd->n_columns; i++) {
        struct snap_column column = {.id = herd->column_ids[i],
                                     .name_off = add_string(out, herd->columns[i].name),
                                     .unit_off = add_string(out, herd->columns[i].unit),
                                     .counter = herd->columns[i].counter};
        memcpy(out->data + head->metrics_off + i * sizeof column, &column, sizeof column);
    }
    size_t n = 0;
    for (uint32_t id = SHEP_ATTR_FIRST; id < SHEP_ATTR_END; id++) {
        if (!metric_name(id))
            continue;
        struct snap_column column = {.id = id, .name_off = add_string(out, metric_name(id))};
        memcpy(out->data + head->attrs_off + n++ * sizeof column, &column, sizeof column);
    }
}

const struct snap_head *herd_snapshot(struct herd *herd)
{
    uint64_t seq = topic_seq(herd->topics, TOPIC_HERD);
    if (herd->snapshot_seq == seq)
        return (const struct snap_head *)(const void *)herd->snapshot.data;
    struct buf *out = &herd->snapshot;
    buf_clear(out);
    struct snap_head head = {.magic = SNAPSHOT_MAGIC,
                             .seq = seq,
                             .made_at_ms = clock_wall_ms(),
                             .n_miners = (uint32_t)herd->n,
                             .n_metrics = (uint32_t)herd->n_columns,
                             .n_attrs = count_attrs(),
                             .silent_after_s = (uint32_t)(herd->silent_after_ms / 1000)};
    head.miner_stride =
        (uint32_t)(sizeof(struct snap_miner) + head.n_metrics * sizeof(struct snap_cell) +
                   head.n_attrs * sizeof(struct snap_text));
    zeroed(out, sizeof head);
    zeroed(out, (size_t)head.miner_stride * head.n_miners);
    head.metrics_off = (uint32_t)out->len;
    zeroed(out, head.n_metrics * sizeof(struct snap_column));
    head.attrs_off = (uint32_t)out->len;
    zeroed(out, head.n_attrs * sizeof(struct snap_column));
    fill_columns(herd, &head);
    for (size_t i = 0; i < herd->n; i++) {
        fill_miner(herd, herd->miners[i], sizeof head + i * head.miner_stride);
        add_totals(&head, herd->miners[i]);
    }
    align(out);
    head.total_bytes = (uint32_t)out->len;
    memcpy(out->data, &head, sizeof head);
    herd->snapshot_seq = seq;
    return (const struct snap_head *)(const void *)out->data;
}
