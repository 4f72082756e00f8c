/* Starting and stopping plugins, and the check of their options. */
#include "plugin/internal.h"

#include "util/log.h"

#include <math.h>

static void add_kv(const char *key, const char *value, void *arg)
{
    struct plugin *plugin = arg;
    if (plugin->n_kv == KV_KEYS_MAX)
        return;
    plugin->kv = shep_realloc(plugin->kv, (plugin->n_kv + 1) * sizeof *plugin->kv);
    plugin->kv[plugin->n_kv++] = (struct kv){.key = shep_strdup(key), .value = shep_strdup(value)};
}

static bool declare_metrics(struct plugin *plugin)
{
    struct herd *herd = plugin->plugins->env.herd;
    const char *at = (const char *)plugin->desc.metrics;
    for (size_t i = 0; at; i++, at += plugin->desc.metric_size) {
        const struct shep_metric_info *info = (const struct shep_metric_info *)(const void *)at;
        if (!info->name)
            break;
        uint32_t id;
        if (!strchr(info->name, '.') || !info->unit || !isfinite(info->min) ||
            !isfinite(info->max) || herd_metric_declare(herd, info, &id) != 0) {
            plugin_problem(plugin,
                           "refused: its metric '%s' is not valid, is another plugin's with "
                           "another unit, or there are too many",
                           info->name);
            return false;
        }
        if (herd_metric_info(herd, id)->counter) /* whoever declared it first */
            store_rollup_counter(plugin->plugins->env.store, info->name);
    }
    return true;
}

/* true: the plugin is switched off by `name = false`. */
static bool find_options(struct plugin *plugin)
{
    const json_t *value = json_object_get(plugin->plugins->env.options, plugin->desc.name);
    plugin->options = json_is_object(value) ? value : NULL;
    return json_is_false(value);
}

static int call_start(struct plugin *plugin)
{
    return plugin->desc.kind == SHEP_KIND_SOURCE
               ? plugin->ops.source.start(&plugin->ctx, &plugin_host, &plugin->self)
               : plugin->ops.service.start(&plugin->ctx, &plugin_host, &plugin->self);
}

/* Before the readings of the last run are restored: they may be of metrics that plugins declare. */
static void prepare(struct plugin *plugin)
{
    plugin->disabled = find_options(plugin);
    if (!plugin->disabled && !declare_metrics(plugin))
        plugin->loaded = false;
}

static void start(struct plugin *plugin)
{
    if (plugin->disabled || plugin->desc.kind == SHEP_KIND_PARSER)
        return; /* a parser is opened for each stream */
    store_kv_each(plugin->plugins->env.store, plugin->desc.name, add_kv, plugin);
    int64_t begun_us = loop_meter_begin();
    int err = call_start(plugin);
    loop_meter_end(&plugin->owner, begun_us);
    if (err == 0) {
        plugin->started = true;
        return;
    }
    loop_sweep(plugin->plugins->env.loop, &plugin->owner);
    if (!plugin->problem)
        plugin_problem(plugin, "did not start (error %d)", err);
    char *text = shep_asprintf("%s: %s", plugin->desc.name, plugin->problem);
    struct shep_event event = {.size = sizeof event,
                               .event = SHEP_EV_PLUGIN_REFUSED,
                               .text = text,
                               .text_len = strlen(text)};
    herd_event(plugin->plugins->env.herd, NULL, &event);
    free(text);
}

static void on_topic(enum topic topic, uint64_t seq, void *arg)
{
    struct plugins *plugins = arg;
    if (topic != TOPIC_HERD || !plugins->running)
        return;
    for (size_t i = 0; i < plugins->n; i++) {
        struct plugin *plugin = plugins->items[i];
        bool listens = plugin->started && (plugin->desc.kind == SHEP_KIND_SERVICE ||
                                           plugin->desc.kind == SHEP_KIND_SINK);
        if (!listens || !plugin->ops.service.herd_changed)
            continue;
        int64_t begun_us = loop_meter_begin();
        plugin->ops.service.herd_changed(plugin->self, seq);
        loop_meter_end(&plugin->owner, begun_us);
    }
}

static int find_metric(const char *name, uint32_t *id_out, void *arg)
{
    return herd_metric_by_name(arg, name, id_out);
}

void plugins_prepare(struct plugins *plugins, const struct plugin_env *env)
{
    plugins->env = *env;
    ingest_host_set_metric_id(find_metric, env->herd);
    for (size_t i = 0; i < plugins->n; i++)
        if (plugins->items[i]->loaded)
            prepare(plugins->items[i]);
    topic_subscribe(env->topics, on_topic, plugins);
}

void plugins_start(struct plugins *plugins)
{
    for (size_t i = 0; i < plugins->n; i++)
        if (plugins->items[i]->loaded)
            start(plugins->items[i]);
    plugins->running = true;
    members_attach_all(plugins);
    found_settle_all(plugins);
}

void plugins_stop(struct plugins *plugins)
{
    plugins->running = false;
    members_close(plugins);
    found_close(plugins);
    ports_close(plugins);
    known_close(plugins);
    for (size_t i = plugins->n; i-- > 0;) {
        struct plugin *plugin = plugins->items[i];
        if (!plugin->started)
            continue;
        if (plugin->desc.kind == SHEP_KIND_SOURCE)
            plugin->ops.source.stop(plugin->self);
        else
            plugin->ops.service.stop(plugin->self);
        plugin->started = false;
        loop_sweep(plugins->env.loop, &plugin->owner);
    }
    ingest_host_set_metric_id(NULL, NULL);
}

void plugins_check(const struct plugins *plugins, const json_t *options, plugin_mistake_fn fn,
                   void *arg)
{
    const char *names[PLUGINS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < plugins->n; i++)
        if (plugins->items[i]->loaded)
            names[n++] = plugins->items[i]->desc.name;
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)options, name, value)
    {
        char where[128], what[256];
        snprintf(where, sizeof where, "plugins.%s", name);
        if (json_is_false(value))
            continue; /* switched off, whether it is there or not */
        const struct plugin *plugin = plugin_find(plugins, 0, name);
        if (!plugin) {
            const char *near = str_nearest(name, names, n);
            snprintf(what, sizeof what,
                     near ? "no such plugin; did you mean '%s'?" : "no such plugin", near);
            fn(where, what, arg);
        } else if (!json_is_object(value)) {
            fn(where, "must be a table of options, or false to switch it off", arg);
        } else {
            options_check(plugin->desc.options, plugin->desc.option_size, value, where, NULL, 0, fn,
                          arg);
        }
    }
}
