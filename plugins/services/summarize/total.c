/* Counters across resets. A board counts from zero after each boot, or from what it last saved in
 * its flash (NerdMiner with saveStatsToNVS); NerdMiner's Khashes also wrap at 32 bits. */
#include "summarize.h"

#include <math.h>

/* NerdMiner prints a u32 of Khashes; we hear it in hashes. */
static const double wrap_hashes = 4294967296000.0;

/* How far from the wrap both values may be when the rate is not known. */
static const double wrap_near = 0.001;

static bool wrapped(const struct total *total, double value, double limit)
{
    double growth = wrap_hashes - total->last + value;
    if (total->last >= wrap_hashes || total->last < wrap_hashes * 0.9)
        return false;
    if (isnan(limit))
        return growth < wrap_hashes * 2 * wrap_near;
    return growth <= limit;
}

enum total_step total_add(struct total *total, double value, double limit, double *growth_out)
{
    enum total_step step = TOTAL_GREW;
    double growth = value - total->last;
    if (isnan(total->last)) {
        step = TOTAL_FIRST;
        growth = value;
    } else if (growth < 0 && wrapped(total, value, limit)) {
        step = TOTAL_WRAPPED;
        growth = wrap_hashes - total->last + value;
    } else if (growth < 0 && (isnan(limit) || value <= limit)) {
        step = TOTAL_RESET; /* it counts from zero, and all of it is new */
        growth = value;
    } else if (growth < 0) {
        step = TOTAL_RESTORED; /* it counts from a saved value: that was counted before */
        growth = 0;
    }
    total->sum = isnan(total->sum) ? growth : total->sum + growth;
    total->last = value;
    *growth_out = growth;
    return step;
}
