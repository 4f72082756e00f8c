/* Inside the summarize service: what its files share. All on the loop; every interval is measured
 * with the monotonic clock, the wall clock only labels rows, so that neither NTP nor DST nor a
 * board without a clock makes a rate negative or a gap of years. */
#ifndef SUMMARIZE_H
#define SUMMARIZE_H

#include "shepherd/plugin.h"

#include <stdbool.h>

enum {
    TICK_MS = 5000,
    FRESH_MS = 60000, /* a value not said again for this long is not sampled any more */
    MINUTE_MS = 60000,
    HOUR_MS = 3600000,
    DAY_MS = 86400000,
    WINDOW_MINUTES = 1440, /* 24 h */
    MINERS_MAX = 1024,     /* 14 KB each at most; beyond it miners have no summary, says the log */
    METRICS_MAX = 64       /* with history, ours and of plugins; the log says what has no rows */
};

/* ---- total.c: a counter of a board, across its resets. Pure. ---- */
struct total {
    double sum, last; /* all growth so far, and the board's latest word; NAN: never heard */
};
enum total_step { TOTAL_FIRST, TOTAL_GREW, TOTAL_WRAPPED, TOTAL_RESET, TOTAL_RESTORED };
/* Takes the board's word and says what it was. limit: the most that can have been counted since the
 * last word; NAN: not known. *growth_out: what it added. */
enum total_step total_add(struct total *total, double value, double limit, double *growth_out);

/* ---- window.c: the last 24 h in minutes of the monotonic clock. Pure. ---- */
struct window {
    int64_t
        newest; /* monotonic minute of the latest sample; minutes before newest - 1439 are gone */
    float avg[WINDOW_MINUTES];
    uint8_t n[WINDOW_MINUTES];      /* samples behind avg */
    uint8_t online[WINDOW_MINUTES]; /* samples that found the miner online */
};
void window_init(struct window *window, int64_t minute);
/* value NAN: nothing heard. */
void window_add(struct window *window, int64_t minute, double value, bool online);
/* A minute from before the start; false when it is outside or not empty. */
bool window_restore(struct window *window, int64_t minute, double avg, uint32_t n);
/* Mean over the last <minutes> up to now, weighted by time heard; NAN: nothing heard. */
double window_mean(const struct window *window, int64_t now_minute, int minutes);
/* Samples that found it online, from minute <since> on. */
uint32_t window_online(const struct window *window, int64_t now_minute, int64_t since);

/* ---- one metric of one miner ---- */
struct series {
    int64_t at_ms;     /* label of the latest word; 0: none yet */
    int64_t seen_mono; /* when we saw that it is new */
    int64_t prev_mono; /* counters: when the last sample was taken; 0: none */
    struct total total;
    uint32_t n; /* of the running minute */
    double min, max, sum, last;
};

struct metric { /* one with history; its place in summarize.metrics is that in series[] */
    uint32_t id;
    bool counter;
    bool shares; /* counts shares: that bounds how fast it can grow */
};

struct herd_member {
    int64_t id;
    struct window window;
    int64_t since_minute;        /* monotonic minute from which on it is known */
    uint32_t missed;             /* our samples in that minute before it was known */
    double rate_hps;             /* latest hash rate, for what a counter can have grown; NAN */
    double best_ever;            /* NAN */
    enum total_step hashes_step; /* how the hash counter last went back, and when */
    int64_t hashes_step_mono;
    bool online, urgent;
    int64_t put_mono, seen_mono;
    struct shep_summary put; /* what was put last; size 0: nothing */
    struct series series[];  /* summarize.n_metrics */
};

struct fold {
    uint32_t from_s, to_s;
    int64_t from_ms, to_ms, due_mono;
};
enum { FOLDS_MAX = 16 };

struct summarize {
    struct shep_ctx *ctx;
    const struct shep_host *host;
    int64_t keep_minutes_ms, keep_hours_ms; /* 0: for ever */
    struct metric metrics[METRICS_MAX];     /* does not change after the start */
    int n_metrics;
    int metrics_over; /* those for which there was no room */
    struct herd_member **members;
    size_t n_members;
    bool full_told;
    struct window taken; /* its n counts our samples: time in which we were watching */
    int64_t wall, mono;  /* of this tick */
    int64_t offset;      /* wall - mono of the last tick */
    int64_t minute_ms;   /* wall start of the running minute; -1: none */
    int64_t last_row_ms; /* label of the latest row written */
    int64_t leftover_ms; /* last row of the previous run, still to be folded; 0: none */
    struct fold folds[FOLDS_MAX];
    size_t n_folds;
    int64_t drop_mono, jumped_mono; /* last retention run; last jump forward by days */
    int64_t keep_mono;              /* last time the baselines were kept */
    bool keep_soon;
    int64_t kept_wall; /* when the previous run kept its baselines; 0: no previous run */
};

/* ---- rows.c: minute rows, folding, retention ---- */
/* Asks the host what has history; once, at the start. SHEP_E_UNSUPPORTED: not even what we need. */
int rows_metrics(struct summarize *self);
/* Place in series[] of SHEP_M_HASHRATE, _HASHES_TOTAL, _SHARES_ACCEPTED or _SHARES_32BIT. */
int rows_index(const struct summarize *self, uint32_t metric);
void rows_sample(struct summarize *self, struct herd_member *member,
                 const struct shep_miner *miner);
/* Follows the wall clock: closes the running minute when it is over. True when it was. */
bool rows_clock(struct summarize *self);
void rows_close(struct summarize *self);
void rows_upkeep(struct summarize *self); /* folds and drops that are due */

/* ---- keep.c: baselines over a restart ---- */
void keep_load(struct summarize *self);
void keep_save(struct summarize *self);

/* ---- summarize.c ---- */
struct herd_member *member_get(struct summarize *self, int64_t id); /* made when new; NULL: full */
#endif
