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
 * entry again changes nothing. 0; SHEP_E_CONFIG: no such source. */
int plugins_miner_put(struct plugins *plugins, const json_t *entry, enum miner_origin origin);
/* Detaches and removes it from the herd; its history stays. SHEP_E_GONE: no such miner. */
int plugins_miner_remove(struct plugins *plugins, const char *name);

/* Ports and devices that nobody configured. */
struct plugin_found {
    const char *key, *path, *port_path, *description, *vendor_id, *product_id, *serial, *source;
    bool listened;
};
typedef void (*plugin_found_fn)(const struct plugin_found *found, void *arg);
void plugins_found_each(const struct plugins *plugins, plugin_found_fn fn, void *arg);
#endif
