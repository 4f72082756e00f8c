/* What the files of the fake host share. Each owns the host functions of its part and puts them
 * into the table by its _fill(); fakehost.c makes, starts and stops the whole. */
#ifndef FAKEHOST_INTERNAL_H
#define FAKEHOST_INTERNAL_H

#include "fakehost.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Bounds of a test, not of the daemon: reaching one is a failed test. */
enum { MAX_OPTS = 32, MAX_TIMERS = 256, MAX_WATCHES = 128, MAX_JOBS = 256, MAX_DEVICES = 64 };
enum { MAX_FOUND = 64, MAX_MINERS = 64, MAX_NAMED = 64, MAX_LOGS = 256, MAX_RANGES = 512 };
enum { MAX_EMITTED = 256, MAX_VALUES = 256, MAX_GETS = 16, MAX_METRICS = 96 };

struct opt {
    char name[64], value[512];
};

struct job {
    shep_work_fn run, done;
    void *arg;
};

struct named {
    char name[64];
    char *value;
};

struct shep_device {
    struct fake *fake;
    char name[65];
    struct opt opts[MAX_OPTS];
    size_t n_opts;
    int link;
    char why[1024];
    size_t link_changes;
    char *fed;
    size_t fed_len;
    bool attached, busy;
};

struct miner {
    struct shep_miner seen;
    char name[65];
    double value[MAX_VALUES];
    int64_t at_ms[MAX_VALUES];
};

struct rollup_request {
    uint32_t period_s, metric;
    int64_t from_ms, to_ms;
    shep_rollup_fn fn;
    void *arg;
};

struct shep_ctx {
    struct fake *fake;
};

struct fake {
    struct shep_ctx ctx;
    struct shep_host host;
    void *so;
    const struct shep_plugin *plugin;
    void *self;
    bool started;
    pthread_t thread;
    int64_t wall_ms, mono_ms;
    struct opt opts[MAX_OPTS];
    size_t n_opts;
    struct shep_timer *timers[MAX_TIMERS];
    size_t n_timers;
    uint64_t timer_order;
    struct shep_watch *watches[MAX_WATCHES];
    size_t n_watches;
    bool choked, hold_jobs;
    struct job jobs[MAX_JOBS], hung[MAX_JOBS];
    size_t n_jobs, n_hung;
    char *logs[MAX_LOGS];
    size_t n_logs;
    char failure[1024];
    struct shep_device *devices[MAX_DEVICES];
    size_t n_devices;
    struct fake_found found[MAX_FOUND];
    size_t n_found, found_calls, lost_calls;
    struct shep_reading emitted[MAX_EMITTED];
    char emitted_text[MAX_EMITTED][SHEP_TEXT_MAX + 1];
    size_t n_emitted;
    struct miner *miners[MAX_MINERS];
    size_t n_miners;
    struct named facts[MAX_NAMED], files[MAX_NAMED], kv[MAX_NAMED];
    size_t n_facts, n_files, n_kv, kv_puts;
    struct shep_summary summaries[MAX_MINERS];
    size_t n_summaries, summary_puts;
    struct shep_rollup *rollups;
    size_t n_rollups;
    struct rollup_request gets[MAX_GETS];
    size_t n_gets;
    struct fake_range folds[MAX_RANGES], drops[MAX_RANGES];
    size_t n_folds, n_drops;
    char fetch_url[1024];
    shep_fetch_fn fetch_done;
    void *fetch_arg;
    size_t n_fetches;
    bool offline;
    struct shep_metric_info metrics[MAX_METRICS]; /* declared; ids from SHEP_METRIC_OWN on */
    size_t n_metrics;
};

/* ---- fakehost.c ---- */
struct fake *host_of(struct shep_ctx *ctx); /* every host call goes through here */
void copy_text(char *dst, size_t cap, const char *src);
/* The value, else the default of the table, else NULL; a name or type not in the table ends the
 * test. */
const char *opt_value(const struct opt *opts, size_t n, const struct shep_option *table,
                      const char *name, uint32_t type);
void opt_put(struct opt *opts, size_t *n, const char *name, const char *value);

/* ---- fakehost_loop.c ---- */
void loop_fill(struct shep_host *host);
void loop_stop(struct fake *fake); /* what the core removes or finishes after stop() */

/* ---- fakehost_device.c ---- */
void device_fill(struct shep_host *host);
void devices_detach(struct fake *fake);
void devices_free(struct fake *fake);

/* ---- fakehost_herd.c ---- */
void herd_fill(struct shep_host *host);
void herd_answer(struct fake *fake); /* the rollup_get() calls that wait */
void herd_forget(struct fake *fake);
#endif
