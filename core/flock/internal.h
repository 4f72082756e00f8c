/* What the files of core/flock share. */
#ifndef SHEP_FLOCK_INTERNAL_H
#define SHEP_FLOCK_INTERNAL_H

#include "flock/entry.h"
#include "flock/flock.h"

#include <sys/queue.h>

enum {
    POOLS_MAX = 256,      /* what people manage by hand, with room to spare */
    ADDRESSES_MAX = 1024, /* an address for each miner is a habit of some */
    CAPTURES_MAX = 16,    /* boards that boot at once */
    NOTES_MAX = 2000,     /* bytes; a paragraph */
    WORD_MAX = 256        /* bytes of location, chipset and the like */
};

/* What a miner should mine for, and what it says instead. */
struct expected {
    LIST_ENTRY(expected) link;
    int64_t miner_id, set_at_ms;
    char *pool, *address, *set_by; /* pool, address NULL: not watched */
    bool awaits_address;           /* it told none yet; address is NULL */
    json_t *alarm;                 /* payout.c; NULL: it never said anything else */
};

struct capture;

struct flock {
    struct loop *loop;
    struct loop_owner owner;
    struct store *store;
    struct herd *herd;
    struct facts *facts;
    struct topics *topics;
    struct plugins *plugins;
    json_t *pools, *addresses; /* arrays of rows, in order of id */
    LIST_HEAD(, expected) expected;
    LIST_HEAD(, capture) captures;
    struct loop_timer *first_look; /* at the restored miners; NULL once it is done */
};

/* Says why and returns err. */
int refuse(int err, char why[FLOCK_WHY_MAX], const char *fmt, ...) SHEP_PRINTF(3, 4);
void flock_touch(struct flock *flock); /* something that pages show was changed */

/* ---- flock.c: rows ---- */
const char *field(const json_t *fields, const char *name); /* a text; NULL: absent */
json_t *text_json(const char *text);                       /* any bytes; NULL: null */
json_t *row_by_id(const json_t *rows, int64_t id);         /* borrowed; NULL: none */
int64_t row_id(const json_t *row);
int64_t rows_next_id(const json_t *rows);
void row_replace(json_t *rows, json_t *row); /* takes the row: new, or instead of its id's */
void row_remove(json_t *rows, int64_t id);
/* The trimmed field as a text of one line; SHEP_E_CONFIG over max_bytes, not UTF-8, control bytes.
 * *out NULL: absent, or empty; owned. */
int word_dup(const json_t *fields, const char *name, size_t max_bytes, char **out,
             char why[FLOCK_WHY_MAX]);

/* ---- fields.c: texts of a form become an entry ---- */
/* base: the entry as it is, NULL: a new miner. */
int entry_from_fields(const struct flock *flock, const json_t *base, const json_t *fields,
                      json_t **out, char why[FLOCK_WHY_MAX]);

/* Whether people may give a miner this source and path, which another one (base, NULL: a new miner)
 * does not have yet: 0, SHEP_E_CONFIG or FLOCK_DENIED. */
int entry_is_allowed(const struct flock *flock, const json_t *base, const json_t *entry,
                     bool by_admin, char why[FLOCK_WHY_MAX]);

/* ---- miners.c ---- */
int miner_find(const struct flock *flock, int64_t id, struct miner **out, char why[FLOCK_WHY_MAX]);

/* ---- devices.c ---- */
/* A copy of what plugins_found_each() says of one device. */
struct device {
    char *key, *path, *port_path, *source, *miner, *description;
    bool listened, ignored, bootloader, stranger;
};
bool device_by_key(const struct flock *flock, const char *key, struct device *out);
bool device_of_miner(const struct flock *flock, const char *name, struct device *out);
void device_clear(struct device *device);

/* ---- suggest.c: "garage-3", unique; owned. stranger: the miner that it is as long as it is
 * listened to, NULL: nobody listens. taken: names (an object) that were given away in this answer;
 * NULL. ---- */
char *suggested_name_dup(const struct flock *flock, const struct miner *stranger,
                         const char *port_path, const json_t *taken);

/* ---- payout.c ---- */
void payout_restore(struct flock *flock);
void payout_free(struct flock *flock);
struct expected *expected_find(const struct flock *flock, int64_t miner_id);
/* What is known of a miner when people take it in is what it should say: only when nothing is
 * expected. Compared with what it said at once. */
void expect_as_said(struct flock *flock, struct miner *miner, const char *pool, const char *address,
                    const char *who);
void payout_look(struct flock *flock, struct miner *miner); /* at what it said last */
/* What a newcomer that says this address should pay to: it, if somebody here should pay there or
 * nobody is watched yet. Else the one that most should pay to (those that were deleted count too):
 * then the guard rings. Who has a board deleted and taken in again under another name gets no other
 * address past it so; that an address is saved counts for nothing, since saving asks for no
 * password. Borrowed. */
const char *newcomer_address(const struct flock *flock, const char *said);
bool addresses_are_known(const struct flock *flock); /* somebody here is watched, or was */
void expected_drop(struct flock *flock, int64_t miner_id);
/* What one miner should mine for is expected of another one, unless that has an expectation of its
 * own: merging is no way around the guard. */
void expected_move(struct flock *flock, int64_t from_id, int64_t into_id);
bool alarm_is_open(const struct expected *expected);
json_t *alarm_json(const struct expected *expected); /* null: no open one */
void payout_publish(struct flock *flock);

/* ---- pool.c: one way to write a pool ---- */
bool pool_list_is_valid(const char *pools, char why[FLOCK_WHY_MAX]);
bool pool_is_in(const char *pools, const char *said);

/* ---- capture.c ---- */
json_t *capture_data(const struct flock *flock, const struct miner *miner,
                     const struct device *device, int64_t since_ms);
void captures_end(struct flock *flock);
#endif
