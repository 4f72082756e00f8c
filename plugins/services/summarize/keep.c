/* Baselines of the counters over a restart, in the plugin's key-value store: lines of
 *     miner-id best-ever hashes-sum hashes-last accepted-sum accepted-last 32bit-sum 32bit-last
 * with nan for what is not known, so many miners to a page, and under "state" when that was and the
 * label of the last row. Kept every 5 minutes, not every tick: as the board's own counter goes on,
 * nothing is lost unless it was reset in between, and a reset is kept within a minute. */
#include "summarize.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE_MINERS = 200, LINE_BYTES = 240 }; /* a page stays under the store's 64 KiB */

static const uint32_t kept_metrics[] = {SHEP_M_HASHES_TOTAL, SHEP_M_SHARES_ACCEPTED,
                                        SHEP_M_SHARES_32BIT};
enum { N_KEPT = sizeof kept_metrics / sizeof *kept_metrics };

static struct total *total_of(const struct summarize *self, struct herd_member *member, int i)
{
    return &member->series[rows_index(self, kept_metrics[i])].total;
}

static void line_load(struct summarize *self, const char *line)
{
    long long id;
    double best;
    struct total totals[N_KEPT];
    if (sscanf(line, "%lld %lf %lf %lf %lf %lf %lf %lf", &id, &best, &totals[0].sum,
               &totals[0].last, &totals[1].sum, &totals[1].last, &totals[2].sum,
               &totals[2].last) != 8 ||
        id <= 0)
        return; /* a damaged line costs one miner its past */
    struct herd_member *member = member_get(self, id);
    if (!member)
        return;
    member->best_ever = isfinite(best) ? best : NAN;
    for (int i = 0; i < N_KEPT; i++)
        if (isfinite(totals[i].sum) && isfinite(totals[i].last) && totals[i].sum >= 0)
            *total_of(self, member, i) = totals[i];
}

void keep_load(struct summarize *self)
{
    const char *text;
    char key[32];
    if (self->host->kv_get(self->ctx, "state", &text) >= 0 && text)
        sscanf(text, "%" SCNd64 " %" SCNd64, &self->kept_wall, &self->leftover_ms);
    for (unsigned page = 0; page <= MINERS_MAX / PAGE_MINERS; page++) {
        snprintf(key, sizeof key, "base.%u", page);
        if (self->host->kv_get(self->ctx, key, &text) < 0 || !text)
            return;
        while (*text) {
            line_load(self, text);
            text += strcspn(text, "\n");
            text += *text == '\n';
        }
    }
}

static size_t line_save(const struct summarize *self, struct herd_member *member, char *out,
                        size_t cap)
{
    int len = snprintf(out, cap, "%" PRId64 " %.17g", member->id, member->best_ever);
    for (int i = 0; i < N_KEPT; i++) {
        const struct total *total = total_of(self, member, i);
        len += snprintf(out + len, cap - (size_t)len, " %.17g %.17g", total->sum, total->last);
    }
    len += snprintf(out + len, cap - (size_t)len, "\n");
    return (size_t)len;
}

void keep_save(struct summarize *self)
{
    char key[32], state[64];
    char *text = malloc((size_t)PAGE_MINERS * LINE_BYTES + 1);
    if (!text)
        return;
    for (size_t first = 0; first < self->n_members; first += PAGE_MINERS) {
        size_t len = 0;
        for (size_t i = first; i < self->n_members && i < first + PAGE_MINERS; i++)
            len += line_save(self, self->members[i], text + len, LINE_BYTES);
        snprintf(key, sizeof key, "base.%zu", first / PAGE_MINERS);
        self->host->kv_put(self->ctx, key, text);
    }
    free(text);
    int64_t last = self->last_row_ms ? self->last_row_ms : self->leftover_ms;
    snprintf(state, sizeof state, "%" PRId64 " %" PRId64, self->wall, last);
    self->host->kv_put(self->ctx, "state", state);
    self->keep_mono = self->mono;
    self->keep_soon = false;
}
