/* The herd: the one truth about all miners, in memory, owned by the loop.
 *
 * Per miner: latest readings with their times, link state, status, counters. A reading stays what
 * the miner last said; reboot, silence and unplugging change only the status. Anything visible that
 * moves touches TOPIC_HERD; a one-second sweep does so when time alone changes a status. Thread:
 * loop. */
#ifndef SHEP_HERD_H
#define SHEP_HERD_H

#include "herd/snapshot.h"
#include "herd/topic.h"
#include "loop/loop.h"
#include "shepherd/plugin.h"

struct herd;
struct miner; /* valid until herd_miner_remove() */

enum miner_origin { MINER_FROM_FILE, MINER_FROM_DB, MINER_FOUND, MINER_DEMO };

struct miner_conf {
    int64_t id;                           /* miners.id */
    const char *name;                     /* miner_id, 1..64 of A-Za-z0-9._- */
    const char *location, *source, *path; /* may be NULL, as may the next ones */
    const char *group;                    /* for people: miners that belong together */
    const char *tags;                     /* with commas between them */
    enum miner_origin origin;
};

struct herd_conf {
    int64_t silent_after_ms; /* default 60,000 */
};

/* Told of events and of values to keep. All on the loop, pointers borrowed. */
struct herd_listener {
    void (*event)(const struct shep_event *event, const struct miner *miner,
                  void *arg); /* NULL: not interested */
    /* It says this attribute for the first time, or another text than before, or the same one again
     * after a pause; not what herd_restore() brings back. NULL: not interested. */
    void (*text)(struct miner *miner, uint32_t attr, const char *text, void *arg);
    void *arg;
};

struct herd *herd_new(struct loop *loop, struct topics *topics, const struct herd_conf *conf);
void herd_free(struct herd *herd);
void herd_listen(struct herd *herd, const struct herd_listener *listener); /* at most 8 */

/* The miner of that name, made when there is none; its configuration is brought up to date. */
struct miner *herd_miner_put(struct herd *herd, const struct miner_conf *conf);
void herd_miner_remove(struct herd *herd, struct miner *miner);
/* Another name for the same miner; its readings stay. SHEP_E_BUSY: another miner has it. */
int herd_miner_rename(struct herd *herd, struct miner *miner, const char *name);
struct miner *herd_miner_by_id(const struct herd *herd, int64_t id);
struct miner *herd_miner_by_name(const struct herd *herd, const char *name);
size_t herd_count(const struct herd *herd);
typedef void (*herd_miner_fn)(struct miner *miner, void *arg);
void herd_each(struct herd *herd, herd_miner_fn fn, void *arg);

int64_t miner_id(const struct miner *miner);
const char *miner_name(const struct miner *miner);
enum shep_status miner_status(const struct miner *miner);
enum miner_origin miner_origin(const struct miner *miner);
int64_t miner_last_seen_ms(const struct miner *miner);
/* The highest difficulty ever seen; *at_ms 0: none yet. */
double miner_best_ever(const struct miner *miner, int64_t *at_ms);
/* false: never said. at_ms may be NULL, here and for miner_text(). */
bool miner_value(const struct miner *miner, uint32_t metric, double *value, int64_t *at_ms);
const char *miner_text(const struct miner *miner, uint32_t attr,
                       int64_t *at_ms); /* NULL: never said */
/* Every metric and attribute that it ever said. */
typedef void (*miner_reading_fn)(const char *name, const struct shep_reading *reading, void *arg);
void miner_each_reading(const struct miner *miner, miner_reading_fn fn, void *arg);

/* What happens to a miner. Times are wall ms of the event; 0: now. */
void herd_line(struct herd *herd, struct miner *miner, int64_t at_ms);
void herd_line_unknown(struct miner *miner); /* the parser does not know it */
void herd_lines_dropped(struct herd *herd, struct miner *miner, uint64_t n);
/* 0, SHEP_E_LIMIT (outside the plausible range), SHEP_E_FORMAT (not finite), SHEP_E_BUG (unknown
 * id): counted. */
int herd_reading(struct herd *herd, struct miner *miner, const struct shep_reading *reading);
/* miner may be NULL. Of the kinds that are kept, listeners hear 30 of a miner at once and then one
 * in 5 s of each kind. */
void herd_event(struct herd *herd, struct miner *miner, const struct shep_event *event);
void herd_link(struct herd *herd, struct miner *miner, bool up, const char *why);
/* While a miner is hushed, what happens to its link and status shows, but is no event yet: whoever
 * hushed it knows whether it is one of many (a hub went). told: there was one event for all of
 * them, and its status is quiet for two minutes more, or until it is what it was before; else what
 * was kept back is told now. */
void herd_hush(struct miner *miner);
void herd_unhush(struct herd *herd, struct miner *miner, bool told);
void herd_parser(struct herd *herd, struct miner *miner, const char *parser);
void herd_summary(struct herd *herd, struct miner *miner, const struct shep_summary *summary);
/* A reading from the database at start-up: shown with its age, never makes a miner online. */
void herd_restore(struct herd *herd, struct miner *miner, const struct shep_reading *reading);

void herd_restore_best(struct miner *miner, double difficulty, int64_t at_ms);
/* Two miners become one: the better of their best difficulties is into's. */
void herd_merge_best(struct miner *into, const struct miner *from);
/* The board of from is into's: what it said is what into says now, and news to listeners. */
void herd_merge_texts(struct miner *into, const struct miner *from);

/* Metrics that plugins declare. 0 and *id_out; SHEP_E_LIMIT over 64, SHEP_E_CONFIG when the name is
 * taken otherwise. */
int herd_metric_declare(struct herd *herd, const struct shep_metric_info *info, uint32_t *id_out);
int herd_metric_by_name(const struct herd *herd, const char *name, uint32_t *id_out);
/* "kH/s"-less facts about a metric: name, unit, counter, history. NULL: unknown id. */
const struct shep_metric_info *herd_metric_info(const struct herd *herd, uint32_t id);
/* Every metric, ours first, then those that plugins declared, in order of their ids. info lives as
 * long as the herd. */
void herd_metric_each(const struct herd *herd, shep_metric_fn fn, void *arg);

/* The picture of now, for the current sequence of TOPIC_HERD. Borrowed until the next call of
 * herd_snapshot(). */
const struct snap_head *herd_snapshot(struct herd *herd);

/* Metric and attribute tables of metrics.def. NULL: no such id. */
const char *metric_name(uint32_t id);
uint32_t metric_by_name(const char *name); /* 0: none */
const char *event_name(uint32_t id);
int event_severity(uint32_t id);
bool event_keep(uint32_t id);
const char *status_name(enum shep_status status); /* "online" … */
#endif
