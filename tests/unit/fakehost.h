/* A host made for tests: a plugin's .so is loaded and driven without the daemon.
 *
 * Time stands still until fake_advance(). Timers fire in order of their due time; jobs run on a
 * thread of their own and are joined, and every host call is checked to come from the test's
 * thread, so that a plugin that calls the host from work.run fails here. Watches are polled by
 * fake_poll() with real descriptors. What the plugin says is recorded and asked for by the
 * functions below. Everything is owned by the fake and freed by fake_free(). Thread: the test's.
 *
 * fakehost.c has the plugin's life, fakehost_loop.c time, fakehost_device.c devices,
 * fakehost_herd.c miners and what is kept. */
#ifndef FAKEHOST_H
#define FAKEHOST_H

#include "shepherd/plugin.h"

#include <stdbool.h>

struct fake;

/* Loads TEST_BUILD_DIR/plugins/<so> and checks its descriptor. Never NULL: a failure fails the
 * test. */
struct fake *fake_new(const char *so);
void fake_free(struct fake *fake); /* stops the plugin, runs what is left, checks for leaks */
const struct shep_plugin *fake_plugin(const struct fake *fake);
const struct shep_host *fake_host(struct fake *fake);
struct shep_ctx *fake_ctx(struct fake *fake);

/* Before fake_start(). Values as text, as they would stand in the configuration. */
void fake_opt(struct fake *fake, const char *name, const char *value);
int fake_start(struct fake *fake); /* the plugin's start() */
void fake_stop(struct fake *fake); /* stop(), then what the core removes: timers, watches */
void *fake_self(struct fake *fake);

/* ---- time, timers, jobs, watches ---- */
void fake_clock(struct fake *fake, int64_t wall_ms, int64_t mono_ms);
int64_t fake_wall_ms(const struct fake *fake);
int64_t fake_mono_ms(const struct fake *fake);
/* Both clocks go on by ms; timers and jobs that fall due run. */
void fake_advance(struct fake *fake, int64_t ms);
void fake_wall_jump(struct fake *fake, int64_t ms); /* the wall clock alone */
bool fake_run_jobs(struct fake *fake);              /* what waits now; true if something ran */
void fake_hold_jobs(struct fake *fake, bool hold);
size_t fake_jobs_waiting(const struct fake *fake);
/* Those that wait now hang, until they are let go; others run meanwhile. */
void fake_hang_jobs(struct fake *fake);
void fake_let_go_jobs(struct fake *fake);
size_t fake_timers(const struct fake *fake);
int64_t fake_next_timer_ms(const struct fake *fake); /* from now; -1: none */
size_t fake_watches(const struct fake *fake);
/* Polls the watched descriptors for at most timeout_ms, calls what is ready once; number of calls.
 */
int fake_poll(struct fake *fake, int timeout_ms);
void fake_choke(struct fake *fake, bool choked); /* STREAM watches pause */

/* ---- what was said ---- */
bool fake_logged(const struct fake *fake, const char *part); /* some log line contains it */
const char *fake_failure(const struct fake *fake);           /* last fail(); "" none */
size_t fake_logs(const struct fake *fake);

/* ---- devices ---- */
struct shep_device *fake_device(struct fake *fake, const char *name);
void fake_device_opt(struct shep_device *dev, const char *name, const char *value);
int fake_attach(struct fake *fake, struct shep_device *dev);
void fake_detach(struct fake *fake, struct shep_device *dev);
int fake_link(const struct shep_device *dev);             /* 1 up, 0 down, -1 nothing said yet */
const char *fake_link_why(const struct shep_device *dev); /* "" when up */
size_t fake_link_changes(const struct shep_device *dev);
const char *fake_fed(const struct shep_device *dev, size_t *len_out); /* all bytes so far */
void fake_fed_clear(struct shep_device *dev);
void fake_feed_busy(struct shep_device *dev, bool busy); /* feed() answers SHEP_E_BUSY */

struct fake_found { /* a device that was found and not lost since */
    char key[256], path[256], port_path[128], description[256], serial[128], vendor_id[8],
        product_id[8], mac[32], hub[128];
    uint32_t flags;
};
size_t fake_found_count(const struct fake *fake);
const struct fake_found *fake_found(const struct fake *fake, const char *key); /* NULL: not there */
size_t fake_found_calls(const struct fake *fake);
size_t fake_lost_calls(const struct fake *fake);

/* ---- parsers ---- */
/* A metric that some plugin declares; before fake_start(). Those of the plugin itself are there
 * already. Its id. The texts must live as long as the fake. */
uint32_t fake_metric(struct fake *fake, const struct shep_metric_info *info);
/* Last reading of a metric or attribute that was emitted; NULL: none. */
const struct shep_reading *fake_emitted(const struct fake *fake, uint32_t metric);

/* ---- services ---- */
void fake_miner(struct fake *fake, int64_t id, const char *name, uint32_t status);
void fake_miner_remove(struct fake *fake, int64_t id);
void fake_miner_say(struct fake *fake, int64_t id, uint32_t metric, double value); /* now */
const char *fake_fact(const struct fake *fake, const char *name);                  /* NULL: none */
const char *fake_file(const struct fake *fake, const char *name);
const char *fake_kv(const struct fake *fake, const char *key);
void fake_kv_set(struct fake *fake, const char *key, const char *value);
void fake_kv_copy(struct fake *to, const struct fake *from); /* a restart */
size_t fake_kv_puts(const struct fake *fake);
const struct shep_summary *fake_summary(const struct fake *fake, int64_t miner_id); /* the latest */
size_t fake_summaries(const struct fake *fake); /* calls of summary_put */

const struct shep_rollup *fake_rollups(const struct fake *fake, size_t *n_out);
const struct shep_rollup *fake_rollup(const struct fake *fake, int64_t miner_id, uint32_t metric,
                                      int64_t t_ms); /* of 60 s */
void fake_rollups_copy(struct fake *to, const struct fake *from);
struct fake_range {
    uint32_t from_s, to_s; /* to_s 0: a drop */
    int64_t from_ms, to_ms;
};
const struct fake_range *fake_folds(const struct fake *fake, size_t *n_out);
const struct fake_range *fake_drops(const struct fake *fake, size_t *n_out);

/* ---- fetches ---- */
size_t fake_fetches(const struct fake *fake);        /* made so far */
const char *fake_fetch_url(const struct fake *fake); /* of the latest; "" none */
bool fake_fetch_open(const struct fake *fake);       /* one waits for its reply */
void fake_offline(struct fake *fake, bool offline);  /* http_fetch: SHEP_E_UNSUPPORTED */
void fake_reply(struct fake *fake, int status, int retry_after_s, const char *body);
void fake_reply_error(struct fake *fake, int err, const char *message);
#endif
