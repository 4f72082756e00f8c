/* Plugins: found, checked, loaded, given a host table, metered. A refused plugin costs one log line
 * and a row on /details/system; the daemon goes on. Never unloaded: stopping a plugin keeps its
 * code mapped. Thread: loop. */
#ifndef SHEP_PLUGIN_CORE_H
#define SHEP_PLUGIN_CORE_H

#include "ingest/ingest.h"
#include "shepherd/plugin.h"

struct plugins;
struct plugin;

struct plugins_conf {
    const char *shipped_dir;
    const char *const *dirs; /* further ones; each .so in them is tried */
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

/* Loads (dlopen and checks) everything; starts nothing. */
struct plugins *plugins_load(const struct plugins_conf *conf);
void plugins_free(struct plugins *plugins);
typedef void (*plugin_info_fn)(const struct plugin_info *info, void *arg);
void plugins_each(const struct plugins *plugins, plugin_info_fn fn, void *arg);
const struct ingest_parsers *plugins_parsers(const struct plugins *plugins);
const char *plugin_kind_name(uint32_t kind);
#endif
