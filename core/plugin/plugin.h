/* Plugins: found, checked, loaded, given a host table, metered; and the devices that sources read.
 *
 * A refused plugin costs one log line and a row on /details/system; the daemon goes on. Never
 * unloaded: stopping a plugin keeps its code mapped. A device ties one way in (a source plugin and
 * its options) to one miner of the herd and owns the ingest stream between them. Thread: loop. */
#ifndef SHEP_PLUGIN_CORE_H
#define SHEP_PLUGIN_CORE_H

#include "herd/facts.h"
#include "herd/herd.h"
#include "ingest/ingest.h"
#include "shepherd/plugin.h"
#include "store/store.h"

#include <jansson.h>

struct plugins;

struct plugins_conf {
    const char *shipped_dir;
    const char *const *dirs; /* further ones; every .so in them is tried */
    size_t n_dirs;
};

struct plugin_info {
    const char *file, *kind, *name, *version, *summary;
    int abi_major, abi_minor;
    bool loaded, started;
    const char *problem; /* why it was refused or what it last complained about; NULL: nothing */
    uint64_t n_calls, n_slow;
    int64_t total_us, max_us;
};

/* Loads (checks and dlopen) everything; starts nothing. */
struct plugins *plugins_load(const struct plugins_conf *conf);
void plugins_free(struct plugins *plugins);
typedef void (*plugin_info_fn)(const struct plugin_info *info, void *arg);
void plugins_each(const struct plugins *plugins, plugin_info_fn fn, void *arg);
const struct ingest_parsers *plugins_parsers(const struct plugins *plugins);
const char *plugin_kind_name(uint32_t kind);

/* ---- the configuration's part: told of each mistake with its place ("plugins.price.interval")
 * ---- */
typedef void (*plugin_mistake_fn)(const char *where, const char *what, void *arg);
void plugins_check(const struct plugins *plugins, const json_t *options, plugin_mistake_fn fn,
                   void *arg);
/* A miner's entry: known source, known parser, options of that source. */
void plugins_check_miner(const struct plugins *plugins, const char *where, const json_t *miner,
                         plugin_mistake_fn fn, void *arg);

/* Who may add a miner with this source and path (NULL: none) in the browser: SHEP_ADD_… */
int plugins_may_add(const struct plugins *plugins, const char *source, const char *path);

/* ---- running ---- */
struct plugin_env { /* all borrowed for the life of the plugins */
    struct loop *loop;
    struct topics *topics;
    struct herd *herd;
    struct facts *facts;
    struct store *store;
    const char *data_dir;
    bool offline;
    const json_t *options; /* object: plugin name → object of options, or false */
};
/* Hands over the rooms; from here on miners may be put. Then start everything and attach them. */
void plugins_prepare(struct plugins *plugins, const struct plugin_env *env);
void plugins_start(struct plugins *plugins);
void plugins_stop(struct plugins *plugins);

/* A configured miner: makes or changes its row in the store, its miner in the herd (readings stay)
 * and its device. The entry is an object that plugins_check_miner() found no mistake in; the same
 * entry again changes nothing, and one that differs in words for people only (location, group,
 * tags, and the object "about", which core/flock keeps there: notes and the like) leaves the port
 * open. 0; SHEP_E_CONFIG: no such source. */
int plugins_miner_put(struct plugins *plugins, const json_t *entry, enum miner_origin origin);
/* Detaches and removes it from the herd; its history stays. SHEP_E_GONE: no such miner. */
int plugins_miner_remove(struct plugins *plugins, const char *name);

/* Another name for a miner that was added in the browser or found; it goes on where it was. 0;
 * SHEP_E_GONE, SHEP_E_BUSY (the name is taken), SHEP_E_UNSUPPORTED (it stands in the file). */
int plugins_miner_rename(struct plugins *plugins, const char *old_name, const char *new_name);
/* The entry that the miner was put with, borrowed; NULL: no such miner. */
const json_t *plugins_miner_entry(const struct plugins *plugins, const char *name);
/* Its board is booted again by its source. 0; SHEP_E_GONE (not there, not open),
 * SHEP_E_UNSUPPORTED. */
int plugins_miner_reset(struct plugins *plugins, const char *name);

/* ---- what is plugged in, whoever's it is (found.c; README.md "Identity") ----
 *
 * A miner of a source that opens found devices may have no path of its own: its entry then has
 * "device": a key below, and it is attached wherever that device turns up. */
struct plugin_found { /* borrowed for the call */
    const char *key;  /* its lasting identity: "mac:…", "usb:VID:PID:SERIAL", "port:1-1.2" */
    const char *path, *port_path, *hub, *description, *vendor_id, *product_id, *serial, *mac;
    const char *source; /* that opens it; NULL: nobody does */
    const char *miner; /* whose it is; of a stranger that is listened to: its MINER_FOUND one; NULL:
                          a stranger that is not listened to */
    const char *doubt; /* a question for people: which board is this? NULL: none */
    const char *maybe; /* the miner that the doubt is about; NULL: none */
    bool listened;     /* open, or to be opened again and again */
    bool stranger;     /* not accepted: nobody's, or a MINER_FOUND one's */
    bool plausible, native, bootloader, ignored;
    int64_t since_ms; /* when it was plugged in, or the daemon started */
};
typedef void (*plugin_found_fn)(const struct plugin_found *found, void *arg);
void plugins_found_each(const struct plugins *plugins, plugin_found_fn fn, void *arg);
/* Open a stranger: makes a miner (MINER_FOUND) named by its port path. Listening to all: key NULL,
 * plausible ones only; *n_out how many (may be NULL). 0; SHEP_E_GONE (no such key),
 * SHEP_E_UNSUPPORTED (nothing opens such a device, or it is in its boot loader). */
int plugins_found_listen(struct plugins *plugins, const char *key, size_t *n_out);
/* Never offered again, or offered again. A stranger that is listened to is closed. */
int plugins_found_ignore(struct plugins *plugins, const char *key, bool ignored);
/* A stranger becomes the miner of that entry (its "device" is set to the key; parser and so on may
 * be in it); when it was listened to, readings and history stay its own. 0; SHEP_E_GONE,
 * SHEP_E_BUSY (the name is taken), SHEP_E_CONFIG. */
int plugins_found_accept(struct plugins *plugins, const char *key, const json_t *entry);
/* "This board is that miner": the answer to a doubt, and how a miner gets another way in. What was
 * heard from it as a stranger is merged into the miner. 0; SHEP_E_GONE, SHEP_E_UNSUPPORTED. */
int plugins_found_assign(struct plugins *plugins, const char *key, const char *miner_name);
/* A board that was seen elsewhere, as another program's database tells, is known as nobody's. Key
 * as in plugin/identity.h. false: it is known already. */
bool plugins_device_remember(struct plugins *plugins, const struct shep_found *found);
/* After plugins_prepare(), before plugins_start(): what was known when the daemon ended. */
void plugins_found_restore(struct plugins *plugins);
#endif
