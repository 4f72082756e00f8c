/* What the files of core/plugin share. */
#ifndef SHEP_PLUGIN_INTERNAL_H
#define SHEP_PLUGIN_INTERNAL_H

#include "plugin/plugin.h"

#include <sys/queue.h>

enum {
    PLUGINS_MAX = 128,
    FOUND_MAX = 256,      /* USB has 127 devices on a bus; more strangers than that are not ours */
    KV_VALUE_MAX = 65536, /* plugin.h promises it */
    KV_KEYS_MAX = 1024
};

struct kv {
    char *key, *value;
};

/* Who is calling: a source, service or sink. Parser streams have a context of core/ingest. */
struct shep_ctx {
    struct plugin *plugin;
};

struct plugin {
    struct plugins *plugins;
    struct loop_owner owner;
    struct shep_ctx ctx;
    char *file;
    struct shep_plugin desc; /* copied up to its size; what is past that is zero */
    union {
        struct shep_parser_ops parser;
        struct shep_source_ops source;
        struct shep_service_ops service;
    } ops; /* likewise */
    bool loaded, started, disabled;
    char *problem;
    const json_t *options;
    uint32_t *metric_ids; /* of desc.metrics */
    void *self;
    struct kv *kv;
    size_t n_kv;
};

struct shep_device {
    LIST_ENTRY(shep_device) link;
    struct plugin *source;
    struct miner *miner;
    char *name, *parser, *key; /* key: of a found device that is listened to; else NULL */
    json_t *entry;
    struct ingest_stream *stream; /* NULL until the first byte */
    struct loop_timer *tick;      /* armed while an unfinished line waits */
    bool heard_out;               /* after the silence, the port was read once more */
    bool attached;
};

struct found {
    char *key, *path, *port_path, *description, *vendor_id, *product_id, *serial;
    struct plugin *source;
    bool listened;
};

struct plugins {
    struct plugin *items[PLUGINS_MAX];
    size_t n;
    struct ingest_parser parsers[PLUGINS_MAX];
    struct ingest_parsers parser_list;
    struct plugin_env env;
    LIST_HEAD(, shep_device) devices;
    struct found found[FOUND_MAX];
    size_t n_found;
    bool running;
};

extern const struct shep_host plugin_host; /* host.c */

/* load.c: keeps what is wrong for /details/system and logs it; the same text again says nothing. */
void plugin_vproblem(struct plugin *plugin, const char *fmt, va_list args) SHEP_PRINTF(2, 0);
void plugin_problem(struct plugin *plugin, const char *fmt, ...) SHEP_PRINTF(2, 3);
struct plugin *plugin_find(const struct plugins *plugins, uint32_t kind, const char *name);

/* options.c: tables of plugins have the stride of the plugin that made them. */
const struct shep_option *option_at(const struct shep_option *table, uint32_t stride, size_t i);
const struct shep_option *option_find(const struct shep_option *table, uint32_t stride,
                                      const char *name);
void options_check(const struct shep_option *table, uint32_t stride, const json_t *values,
                   const char *where, const char *const *also, size_t n_also, plugin_mistake_fn fn,
                   void *arg);
/* Lookups: value of the configuration, else the default. Results as plugin.h says of opt_str() … */
int option_str(const struct shep_option *table, uint32_t stride, const json_t *values,
               const char *name, const char **out);
int option_int(const struct shep_option *table, uint32_t stride, const json_t *values,
               const char *name, int64_t *out);
int option_float(const struct shep_option *table, uint32_t stride, const json_t *values,
                 const char *name, double *out);
int option_bool(const struct shep_option *table, uint32_t stride, const json_t *values,
                const char *name, int *out);

/* device.c */
int device_feed(struct shep_device *dev, const void *bytes, size_t len);
void device_link(struct shep_device *dev, bool up, const char *why);
int device_found(struct plugin *source, const struct shep_found *found);
int device_lost(struct plugin *source, const char *key);
void devices_close(struct plugins *plugins);
void devices_attach_all(struct plugins *plugins);
#endif
