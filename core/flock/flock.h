/* The flock as people manage it: miners added in the browser, pools, coin addresses, what is
 * plugged in, and the payout guard. Memory is the truth, the store keeps it; each call checks
 * everything that it is given and says in words what is wrong.
 *
 * Results: 0; SHEP_E_CONFIG (a value is wrong: why names it, and the remedy), SHEP_E_GONE (no such
 * thing), SHEP_E_BUSY (a name or address is taken), SHEP_E_UNSUPPORTED (it stands in the file and
 * is read-only here; or the device cannot do it), FLOCK_DENIED (an admin has to do this).
 * Thread: loop. */
#ifndef SHEP_FLOCK_H
#define SHEP_FLOCK_H

#include "plugin/plugin.h"

struct flock;
enum { FLOCK_WHY_MAX = 512, FLOCK_DENIED = -100 /* beside enum shep_err */ };

struct flock *flock_new(struct loop *loop, struct store *store, struct herd *herd,
                        struct facts *facts, struct topics *topics, struct plugins *plugins);
void flock_free(struct flock *flock);
/* The miners of the database, pools, addresses, expectations. After plugins_prepare() and the
 * miners of the file, before plugins_start(). */
void flock_restore(struct flock *flock);

/* Before a change is answered: who asks next sees it. */
void flock_show(struct flock *flock);

/* ---- miners. Fields are an object of texts: name, location, notes, group, tags ("a, b"), source,
 * path, parser, baud, chipset, version …; what is absent stays. by_admin: an admin is logged in, or
 * it is a command on this host: he may set a path that is no plain serial port (plugins_may_add()).
 * ---- */
int flock_miner_add(struct flock *flock, const json_t *fields, bool by_admin,
                    char why[FLOCK_WHY_MAX]);
int flock_miner_edit(struct flock *flock, int64_t id, const json_t *fields, bool by_admin,
                     char why[FLOCK_WHY_MAX]);
/* erase: its lines and history go too; else they stay, and so does its row. */
int flock_miner_delete(struct flock *flock, int64_t id, bool erase, char why[FLOCK_WHY_MAX]);
int flock_miner_merge(struct flock *flock, int64_t from_id, int64_t into_id,
                      char why[FLOCK_WHY_MAX]);

/* ---- what is plugged in. key of plugin_found; fields as above. Accepting takes what its log told
 * so far as the expectation (pool, wallet); a wallet that nobody here knows rings, at once or when
 * it is told. ---- */
int flock_device_listen(struct flock *flock, const char *key, size_t *n_out,
                        char why[FLOCK_WHY_MAX]); /* key NULL: all plausible ones */
int flock_device_ignore(struct flock *flock, const char *key, bool ignored,
                        char why[FLOCK_WHY_MAX]);
int flock_device_accept(struct flock *flock, const char *key, const json_t *fields, int64_t *id_out,
                        char why[FLOCK_WHY_MAX]);
int flock_device_assign(struct flock *flock, const char *key, int64_t miner_id,
                        char why[FLOCK_WHY_MAX]);
/* Boots the board (listening to it first if nobody does) and waits for its configuration line, at
 * most 30 s. Else than 0: nothing is begun, why says it. 0: done is called once, later, on the
 * loop: err as above, or SHEP_E_LIMIT: it said nothing in time; data: what is known of it by then:
 * {"pool_url","wallet_address","version","mac_address","chipset","serial_number","firmware",
 * "worker","suggested_name"}, null where unknown. */
typedef void (*flock_capture_fn)(int err, const char *message, const json_t *data, void *arg);
int flock_reset_capture(struct flock *flock, const char *device_key, int64_t miner_id,
                        flock_capture_fn done, void *arg, char why[FLOCK_WHY_MAX]);

/* ---- pools and addresses ---- */
int flock_pool_put(struct flock *flock, int64_t id, const json_t *fields, int64_t *id_out,
                   char why[FLOCK_WHY_MAX]); /* id 0: a new one */
int flock_pool_delete(struct flock *flock, int64_t id, char why[FLOCK_WHY_MAX]);
int flock_pool_activate(struct flock *flock, int64_t id, char why[FLOCK_WHY_MAX]); /* just one is */
int flock_address_put(struct flock *flock, int64_t id, const json_t *fields, int64_t *id_out,
                      char why[FLOCK_WHY_MAX]);
int flock_address_delete(struct flock *flock, int64_t id, char why[FLOCK_WHY_MAX]);

/* ---- the payout guard (payout.c): what each miner should mine for, compared with all that it
 * says. A difference is an event, the fact "payout" (a banner on every screen), and stays until an
 * admin acknowledges it, whatever the miner says meanwhile. NULL: not watched. pool: "host:port",
 * several with commas between them. ---- */
int flock_expect(struct flock *flock, int64_t miner_id, const char *pool, const char *address,
                 const char *who, char why[FLOCK_WHY_MAX]);
int flock_acknowledge(struct flock *flock, int64_t miner_id, const char *who,
                      char why[FLOCK_WHY_MAX]);
/* "pool → …; address → …" of now, for the audit and for people; owned. */
char *flock_expected_dup(const struct flock *flock, int64_t miner_id);

/* ---- moving over: a plan as of store_read_python(), or made from the old CSV. Twice is the same
 * as once. counts: {"miners":{"added":3,"updated":1,"same":4},"pools":{…},…,"notes":[…]}; owned.
 * ---- */
json_t *flock_import(struct flock *flock, const json_t *plan, bool by_admin);
/* The old CSV (header id,miner_id,chipset,…) as such a plan. SHEP_E_FORMAT: why names the line. */
int flock_csv_plan(const char *text, size_t len, json_t **plan_out, char why[FLOCK_WHY_MAX]);
/* Either of them from a file, told by its first bytes; SHEP_E_IO, too. Any thread; blocks. */
int flock_old_read(const char *path, json_t **plan_out, char why[FLOCK_WHY_MAX]);

/* {"miners":{"7":{origin,source,path,device,notes,expected_pool,expected_address,expected_by,
 * expected_at_ms,alarm,options…}},"pools":[…],"addresses":[{id,coin_ticker,address,label,network,
 * kind}],"devices":[plugin_found, with what its log tells: firmware, version, worker, pool, wallet,
 * mac, suggested_name]}: what pages read as shepherd.config().flock. Owned by the caller. */
json_t *flock_json(const struct flock *flock);
/* Just one of them, as it is there; owned; NULL: no such id. */
json_t *flock_miner_json(const struct flock *flock, int64_t id);
json_t *flock_pool_json(const struct flock *flock, int64_t id);
json_t *flock_address_json(const struct flock *flock, int64_t id);
#endif
