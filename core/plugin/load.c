/* Finding, checking and loading shared objects. The order of the checks matters: dlopen() already
 * runs the file's constructors, so the file is checked before it. */
#include "plugin/internal.h"

#include "util/log.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENTRY_SYMBOL "shep_plugin_v1"
enum { OPTIONS_MAX = 64, METRICS_MAX = 64 };

void plugin_vproblem(struct plugin *plugin, const char *fmt, va_list args)
{
    char *text = NULL;
    if (vasprintf(&text, fmt, args) < 0)
        abort();
    if (str_eq(text, plugin->problem)) {
        free(text);
        return;
    }
    free(plugin->problem);
    plugin->problem = text;
    log_warn("plugin", "%s: %s", plugin->desc.name ? plugin->desc.name : plugin->file, text);
}

void plugin_problem(struct plugin *plugin, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    plugin_vproblem(plugin, fmt, args);
    va_end(args);
}

const char *plugin_kind_name(uint32_t kind)
{
    static const char *const names[] = {"unknown", "parser", "source", "service", "sink"};
    return kind < ARRAY_LEN(names) ? names[kind] : names[0];
}

struct plugin *plugin_find(const struct plugins *plugins, uint32_t kind, const char *name)
{
    for (size_t i = 0; i < plugins->n; i++) {
        struct plugin *plugin = plugins->items[i];
        if (plugin->loaded && (!kind || plugin->desc.kind == kind) &&
            strcmp(plugin->desc.name, name) == 0)
            return plugin;
    }
    return NULL;
}

/* Code that somebody else may replace is not ours to run. */
static bool file_is_safe(struct plugin *plugin, const char *path)
{
    char *slash = strrchr(path, '/');
    char *folder = slash ? shep_strndup(path, (size_t)(slash - path)) : shep_strdup(".");
    const char *places[] = {path, folder};
    bool safe = true;
    for (size_t i = 0; safe && i < ARRAY_LEN(places); i++) {
        struct stat st;
        if (stat(places[i], &st) != 0) {
            plugin_problem(plugin, "cannot look at %s: %s", places[i], strerror(errno));
            safe = false;
        } else if (i == 0 && !S_ISREG(st.st_mode)) {
            plugin_problem(plugin, "%s is not a regular file", path);
            safe = false;
        } else if (st.st_mode & S_IWOTH && (i == 0 || !(st.st_mode & S_ISVTX))) {
            plugin_problem(plugin,
                           "refused: %s can be written by everybody; mend it with chmod o-w %s",
                           places[i], places[i]);
            safe = false;
        } else if (st.st_uid != 0 && st.st_uid != geteuid()) {
            plugin_problem(plugin,
                           "refused: %s belongs to user %u, not to root or to the daemon's user",
                           places[i], (unsigned)st.st_uid);
            safe = false;
        }
    }
    free(folder);
    return safe;
}

static bool name_is_valid(const char *name)
{
    if (!name || !(name[0] >= 'a' && name[0] <= 'z') || strlen(name) > 32)
        return false;
    return name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

/* The parts of the description that version 1.0 has are required; what is newer is zero. */
static bool copy_description(struct plugin *plugin, const struct shep_plugin *desc)
{
    if (!desc || desc->size < sizeof *desc) {
        plugin_problem(plugin,
                       "refused: its description is %u bytes, this program needs %zu; rebuild it",
                       desc ? desc->size : 0u, sizeof *desc);
        return false;
    }
    plugin->desc = *desc;
    if (desc->abi_major != SHEP_ABI_MAJOR || desc->abi_minor > SHEP_ABI_MINOR) {
        plugin_problem(
            plugin,
            "refused: built for plugin interface %d.%d, this program has %d.%d; rebuild the "
            "plugin or upgrade the daemon",
            desc->abi_major, desc->abi_minor, SHEP_ABI_MAJOR, SHEP_ABI_MINOR);
        return false;
    }
    if (!name_is_valid(desc->name) || desc->kind < SHEP_KIND_PARSER ||
        desc->kind > SHEP_KIND_SINK) {
        plugin->desc.name = NULL;
        plugin_problem(plugin, "refused: its name or kind is not valid");
        return false;
    }
    if (plugin_find(plugin->plugins, desc->kind, desc->name)) {
        plugin_problem(plugin, "refused: a %s of this name is loaded already",
                       plugin_kind_name(desc->kind));
        return false;
    }
    return true;
}

/* What the first version of the interface had is required; functions that came later are NULL. */
static bool copy_ops(struct plugin *plugin)
{
    static const size_t first[] = {[SHEP_KIND_PARSER] = sizeof(struct shep_parser_ops),
                                   [SHEP_KIND_SOURCE] = offsetof(struct shep_source_ops, judge),
                                   [SHEP_KIND_SERVICE] = sizeof(struct shep_service_ops),
                                   [SHEP_KIND_SINK] = sizeof(struct shep_service_ops)};
    static const size_t whole[] = {[SHEP_KIND_PARSER] = sizeof(struct shep_parser_ops),
                                   [SHEP_KIND_SOURCE] = sizeof(struct shep_source_ops),
                                   [SHEP_KIND_SERVICE] = sizeof(struct shep_service_ops),
                                   [SHEP_KIND_SINK] = sizeof(struct shep_service_ops)};
    size_t want = whole[plugin->desc.kind];
    uint32_t has = plugin->desc.ops ? *(const uint32_t *)plugin->desc.ops : 0;
    if (has < first[plugin->desc.kind]) {
        plugin_problem(plugin,
                       "refused: its functions take %u bytes, this program needs %zu; rebuild it",
                       has, first[plugin->desc.kind]);
        return false;
    }
    memcpy(&plugin->ops, plugin->desc.ops, has < want ? has : want);
    bool complete = plugin->desc.kind == SHEP_KIND_PARSER
                        ? plugin->ops.parser.probe && plugin->ops.parser.open &&
                              plugin->ops.parser.line && plugin->ops.parser.close
                    : plugin->desc.kind == SHEP_KIND_SOURCE
                        ? plugin->ops.source.start && plugin->ops.source.attach &&
                              plugin->ops.source.detach && plugin->ops.source.stop
                        : plugin->ops.service.start && plugin->ops.service.stop;
    if (!complete)
        plugin_problem(plugin, "refused: a function that its kind needs is missing");
    return complete;
}

static bool tables_are_valid(struct plugin *plugin)
{
    const struct shep_plugin *desc = &plugin->desc;
    bool has_options =
        desc->options || (desc->kind == SHEP_KIND_SOURCE && plugin->ops.source.device_options);
    if ((has_options && desc->option_size < sizeof(struct shep_option)) ||
        (desc->metrics && desc->metric_size < sizeof(struct shep_metric_info))) {
        plugin_problem(plugin,
                       "refused: its option or metric table is of another version; rebuild it");
        return false;
    }
    for (size_t i = 0; desc->options; i++) {
        const struct shep_option *option = option_at(desc->options, desc->option_size, i);
        if (!option->name)
            break;
        if (i == OPTIONS_MAX || !option->help || option->type < SHEP_OPT_STRING ||
            option->type > SHEP_OPT_BOOL) {
            plugin_problem(plugin, "refused: option %zu of its table is not valid", i + 1);
            return false;
        }
    }
    return true;
}

static void *open_object(struct plugin *plugin)
{
    void *handle = dlopen(plugin->file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!handle)
        plugin_problem(plugin, "cannot be loaded: %s", dlerror());
    return handle;
}

static void load_file(struct plugins *plugins, const char *path)
{
    if (plugins->n == PLUGINS_MAX) {
        log_warn("plugin", "%s: over %d plugins; left out", path, PLUGINS_MAX);
        return;
    }
    struct plugin *plugin = shep_alloc(sizeof *plugin);
    plugins->items[plugins->n++] = plugin;
    plugin->plugins = plugins;
    plugin->ctx.plugin = plugin;
    plugin->file = shep_strdup(path);
    plugin->owner.name = plugin->file;
    if (!file_is_safe(plugin, path))
        return;
    void *handle = open_object(plugin);
    if (!handle)
        return;
    shep_plugin_fn entry;
    *(void **)&entry = dlsym(handle, ENTRY_SYMBOL);
    if (!entry) {
        plugin_problem(plugin,
                       "refused: no symbol " ENTRY_SYMBOL
                       ": not a plugin of The Shepherd, or built for another major version of "
                       "its interface");
        return;
    }
    if (!copy_description(plugin, entry()) || !copy_ops(plugin) || !tables_are_valid(plugin))
        return;
    plugin->owner.name = plugin->desc.name;
    plugin->loaded = true;
}

static int is_object(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);
    return len > 3 && strcmp(entry->d_name + len - 3, ".so") == 0 && entry->d_name[0] != '.';
}

static void load_dir(struct plugins *plugins, const char *dir)
{
    struct dirent **names;
    int n = scandir(dir, &names, is_object, alphasort);
    if (n < 0) {
        log_warn("plugin", "cannot read the plugin folder %s: %s; going on without it", dir,
                 strerror(errno));
        return;
    }
    for (int i = 0; i < n; i++) {
        char *path = path_join_dup(dir, names[i]->d_name);
        load_file(plugins, path);
        free(path);
        free(names[i]);
    }
    free(names);
}

struct plugins *plugins_load(const struct plugins_conf *conf)
{
    struct plugins *plugins = shep_alloc(sizeof *plugins);
    LIST_INIT(&plugins->members);
    if (conf->shipped_dir)
        load_dir(plugins, conf->shipped_dir);
    for (size_t i = 0; i < conf->n_dirs; i++)
        load_dir(plugins, conf->dirs[i]);
    for (size_t i = 0; i < plugins->n; i++) {
        struct plugin *plugin = plugins->items[i];
        if (plugin->loaded && plugin->desc.kind == SHEP_KIND_PARSER)
            plugins->parsers[plugins->parser_list.n++] =
                (struct ingest_parser){.name = plugin->desc.name, .ops = &plugin->ops.parser};
    }
    plugins->parser_list.items = plugins->parsers;
    return plugins;
}

void plugins_free(struct plugins *plugins)
{
    if (!plugins)
        return;
    for (size_t i = 0; i < plugins->n; i++) {
        struct plugin *plugin = plugins->items[i];
        for (size_t k = 0; k < plugin->n_kv; k++) {
            free(plugin->kv[k].key);
            free(plugin->kv[k].value);
        }
        free(plugin->kv);
        free(plugin->owner.complaint);
        free(plugin->problem);
        free(plugin->file);
        free(plugin);
    }
    free(plugins);
}

const struct ingest_parsers *plugins_parsers(const struct plugins *plugins)
{
    return &plugins->parser_list;
}

void plugins_each(const struct plugins *plugins, plugin_info_fn fn, void *arg)
{
    for (size_t i = 0; i < plugins->n; i++) {
        const struct plugin *plugin = plugins->items[i];
        struct plugin_info info = {.file = plugin->file,
                                   .kind = plugin_kind_name(plugin->desc.kind),
                                   .name = plugin->desc.name,
                                   .version = plugin->desc.version,
                                   .summary = plugin->desc.summary,
                                   .abi_major = plugin->desc.abi_major,
                                   .abi_minor = plugin->desc.abi_minor,
                                   .loaded = plugin->loaded,
                                   .started = plugin->started,
                                   .problem = plugin->disabled ? "switched off in the configuration"
                                                               : plugin->problem,
                                   .n_calls = plugin->owner.n_calls,
                                   .n_slow = plugin->owner.n_slow,
                                   .total_us = plugin->owner.total_us,
                                   .max_us = plugin->owner.max_us};
        fn(&info, arg);
    }
}
