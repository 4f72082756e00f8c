/* The configuration: evaluated by a script process, checked here, key by key. */
#include "cli/config.h"

#include "util/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <unistd.h>

enum { LISTEN_MAX = 16, LIST_MAX = 64 };
#define DEFAULT_LISTEN "127.0.0.1:8080"

static const char *const known_keys[] = {"listen",       "hosts",   "data_dir", "view_dirs",
                                         "plugin_dirs",  "offline", "miners",   "plugins",
                                         "silent_after", "keep",    "display",  "access"};

/* The line of a key: its own when it is known, else that of the nearest key around it. */
static int line_of(const struct checker *checker, const char *where)
{
    char *place = shep_strdup(where);
    int line = 0;
    for (;;) {
        const json_t *value = json_object_get(checker->lines, place);
        if (json_is_integer(value)) {
            line = (int)json_integer_value(value);
            break;
        }
        char *dot = strrchr(place, '.'), *bracket = strrchr(place, '[');
        char *cut = dot > bracket ? dot : bracket;
        if (!cut)
            break;
        *cut = '\0';
    }
    free(place);
    return line;
}

void config_mistake(const char *where, const char *what, void *arg)
{
    struct checker *checker = arg;
    int line = line_of(checker, where);
    checker->n_mistakes++;
    if (line > 0)
        fprintf(stderr, "%s:%d: %s: %s\n", checker->file, line, where, what);
    else
        fprintf(stderr, "%s: %s: %s\n", checker->file, where, what);
}

void config_mistakef(struct checker *checker, const char *where, const char *fmt, ...)
{
    char what[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    config_mistake(where, what, checker);
}

/* ---- addresses ---- */

static bool listen_parse(const char *text, struct listen_addr *out)
{
    const char *colon = strrchr(text, ':');
    int64_t port;
    if (!colon || colon == text || !str_to_i64(colon + 1, &port) || port < 0 || port > 65535)
        return false;
    bool brackets = text[0] == '[' && colon[-1] == ']';
    char *addr = brackets ? shep_strndup(text + 1, (size_t)(colon - text) - 2)
                          : shep_strndup(text, (size_t)(colon - text));
    unsigned char bin[16];
    bool valid = strcmp(addr, "localhost") == 0 || inet_pton(AF_INET, addr, bin) == 1 ||
                 (brackets && inet_pton(AF_INET6, addr, bin) == 1);
    if (!valid) {
        free(addr);
        return false;
    }
    *out = (struct listen_addr){.addr = addr, .port = (uint16_t)port};
    return true;
}

bool listen_is_loopback(const struct listen_addr *listen)
{
    return strcmp(listen->addr, "localhost") == 0 || strcmp(listen->addr, "::1") == 0 ||
           strncmp(listen->addr, "127.", 4) == 0;
}

static void listen_add(struct checker *checker, struct config *config, const char *where,
                       const char *text)
{
    struct listen_addr addr;
    if (!text || !listen_parse(text, &addr)) {
        config_mistakef(
            checker, where,
            "'%.100s' is no address; write \"127.0.0.1:8080\", \"[::1]:8080\" or \"0.0.0.0:80\"",
            text ? text : "?");
        return;
    }
    if (config->n_listen == LISTEN_MAX) {
        free(addr.addr);
        config_mistakef(checker, where, "at most %d addresses", LISTEN_MAX);
        return;
    }
    config->listen = shep_realloc(config->listen, (config->n_listen + 1) * sizeof *config->listen);
    config->listen[config->n_listen++] = addr;
}

static void take_listen(struct checker *checker, struct config *config,
                        const struct config_overrides *overrides)
{
    const json_t *value = json_object_get(config->keys, "listen");
    if (overrides->n_listen) {
        for (size_t i = 0; i < overrides->n_listen; i++)
            listen_add(checker, config, "--listen", overrides->listen[i]);
    } else if (json_is_array(value)) {
        size_t i;
        json_t *item;
        json_array_foreach(value, i, item)
            listen_add(checker, config, "listen", json_string_value(item));
    } else if (value) {
        listen_add(checker, config, "listen", json_string_value(value));
    } else {
        listen_add(checker, config, "listen", DEFAULT_LISTEN);
    }
}

/* ---- plain keys ---- */

static const char **take_list(struct checker *checker, const struct config *config, const char *key,
                              size_t *n_out)
{
    const json_t *value = json_object_get(config->keys, key);
    *n_out = 0;
    if (!value)
        return NULL;
    if (!json_is_array(value) || json_array_size(value) > LIST_MAX) {
        if (json_is_object(value) && json_object_size(value) == 0)
            return NULL; /* {} */
        config_mistakef(checker, key, "must be a list of at most %d texts", LIST_MAX);
        return NULL;
    }
    const char **list = shep_alloc_array(json_array_size(value) + 1, sizeof *list);
    size_t i;
    json_t *item;
    json_array_foreach(value, i, item)
    {
        if (json_is_string(item))
            list[(*n_out)++] = json_string_value(item);
        else
            config_mistake(key, "must be a list of texts", checker);
    }
    return list;
}

static double take_number(struct checker *checker, const json_t *table, const char *where,
                          const char *key, double dflt, double min, double max)
{
    const json_t *value = json_object_get(table, key);
    if (!value)
        return dflt;
    if (json_is_number(value) && json_number_value(value) >= min && json_number_value(value) <= max)
        return json_number_value(value);
    config_mistakef(checker, where, "must be a number from %g to %g", min, max);
    return dflt;
}

static char *default_data_dir(void)
{
    const char *state = getenv("STATE_DIRECTORY"); /* systemd's StateDirectory= */
    const char *xdg = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    if (state && state[0] == '/')
        return shep_strndup(state, strcspn(state, ":"));
    if (xdg && xdg[0] == '/')
        return path_join_dup(xdg, "shepherd");
    if (home && home[0] == '/')
        return path_join_dup(home, ".local/share/shepherd");
    return shep_strdup("/var/lib/shepherd");
}

static void take_plain(struct checker *checker, struct config *config,
                       const struct config_overrides *overrides)
{
    const json_t *keys = config->keys;
    const json_t *dir = json_object_get(keys, "data_dir"),
                 *offline = json_object_get(keys, "offline");
    if (dir && (!json_is_string(dir) || json_string_value(dir)[0] != '/'))
        config_mistake("data_dir", "must be an absolute path", checker);
    if (overrides->data_dir)
        config->data_dir = shep_strdup(overrides->data_dir);
    else if (json_is_string(dir))
        config->data_dir = shep_strdup(json_string_value(dir));
    else
        config->data_dir = default_data_dir();
    if (offline && !json_is_boolean(offline))
        config_mistake("offline", "must be true or false", checker);
    config->offline = json_is_true(offline);
    config->silent_after_ms =
        (int64_t)(1000 * take_number(checker, keys, "silent_after", "silent_after", 60, 5, 86400));
    const json_t *keep = json_object_get(keys, "keep");
    if (keep && !json_is_object(keep))
        config_mistake("keep", "must be a table: { days = 7, megabytes = 512 }", checker);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)keep, key,
                        value) if (strcmp(key, "days") != 0 && strcmp(key, "megabytes") != 0)
        config_mistakef(checker, "keep", "unknown key '%.60s'; there are days and megabytes", key);
    config->keep_ms =
        (int64_t)(86400000 * take_number(checker, keep, "keep.days", "days", 7, 0.05, 36500));
    config->keep_bytes =
        (int64_t)(1048576 * take_number(checker, keep, "keep.megabytes", "megabytes", 512, 1, 1e7));
}

bool config_name_check(struct checker *checker, const char *where, const char *what,
                       const char *name, const char *const *known, size_t n_known)
{
    for (size_t i = 0; i < n_known; i++)
        if (str_eq(known[i], name))
            return true;
    const char *near = str_nearest(name, known, n_known);
    if (near)
        config_mistakef(checker, where, "unknown %s; did you mean '%s'?", what, near);
    else
        config_mistakef(checker, where, "unknown %s", what);
    return false;
}

static void check_names(struct checker *checker, const json_t *keys)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)keys, key, value)
        config_name_check(checker, key, "key", key, known_keys, ARRAY_LEN(known_keys));
}

/* ---- plugins ---- */

static void check_plugins(struct checker *checker, struct config *config,
                          const struct plugins *plugins)
{
    const json_t *options = json_object_get(config->keys, "plugins");
    if (!options || (json_is_array(options) && json_array_size(options) == 0))
        return;
    if (!json_is_object(options)) {
        config_mistake("plugins", "must be a table: { price = { … }, udp = false }", checker);
        return;
    }
    config->plugins = options;
    plugins_check(plugins, options, config_mistake, checker);
}

/* ---- the file ---- */

static char *default_file(void)
{
    const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    char *candidates[2] = {NULL, shep_strdup("/etc/shepherd/shepherd.lua")};
    if (xdg && xdg[0] == '/')
        candidates[0] = path_join_dup(xdg, "shepherd/shepherd.lua");
    else if (home && home[0] == '/')
        candidates[0] = path_join_dup(home, ".config/shepherd/shepherd.lua");
    char *found = NULL;
    for (size_t i = 0; i < ARRAY_LEN(candidates); i++) {
        if (!found && candidates[i] && access(candidates[i], F_OK) == 0)
            found = candidates[i];
        else
            free(candidates[i]);
    }
    return found;
}

/* One that the next start finds. Root's home is nobody else's, and the daemon may be. */
static char *usual_place(void)
{
    const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    if (xdg && xdg[0] == '/')
        return path_join_dup(xdg, "shepherd/shepherd.lua");
    if (geteuid() != 0 && home && home[0] == '/')
        return path_join_dup(home, ".config/shepherd/shepherd.lua");
    return shep_strdup("/etc/shepherd/shepherd.lua");
}

static int read_file(const struct paths *paths, struct config *config, json_t **lines_out)
{
    char *text, err[1024];
    if (access(config->file, R_OK) != 0) {
        fprintf(stderr, "%s: cannot be read: %s\n", config->file, strerror(errno));
        return SHEP_E_CONFIG;
    }
    if (script_eval_config(paths->script_exe, config->file, &text, err, sizeof err) != 0) {
        fprintf(stderr, "%s\n", err);
        return SHEP_E_CONFIG;
    }
    json_error_t json_err;
    json_t *whole = json_loads(text, 0, &json_err);
    free(text);
    config->keys = json_incref(json_object_get(whole, "keys"));
    *lines_out = json_incref(json_object_get(whole, "lines"));
    json_decref(whole);
    if (json_is_object(config->keys))
        return 0;
    fprintf(stderr, "%s: the script process gave no configuration: %s\n", config->file,
            json_err.text);
    return SHEP_E_CONFIG;
}

/* *plugins NULL: load them once plugin_dirs is known. */
static int load(const struct paths *paths, const struct config_overrides *overrides,
                struct config *out, struct plugins **plugins)
{
    *out = (struct config){0};
    out->file = overrides->file ? shep_strdup(overrides->file) : default_file();
    out->place = out->file ? shep_strdup(out->file) : usual_place();
    json_t *lines = NULL;
    if (out->file) {
        int err = read_file(paths, out, &lines);
        if (err) {
            json_decref(lines);
            return err;
        }
    } else {
        out->keys = json_object();
    }
    struct checker checker = {.file = out->file ? out->file : "shepherd", .lines = lines};
    check_names(&checker, out->keys);
    take_plain(&checker, out, overrides);
    take_listen(&checker, out, overrides);
    out->hosts = take_list(&checker, out, "hosts", &out->n_hosts);
    out->view_dirs = take_list(&checker, out, "view_dirs", &out->n_view_dirs);
    out->plugin_dirs = take_list(&checker, out, "plugin_dirs", &out->n_plugin_dirs);
    if (!*plugins) {
        struct plugins_conf conf = {.shipped_dir = paths->plugins_dir,
                                    .dirs = (const char *const *)out->plugin_dirs,
                                    .n_dirs = out->n_plugin_dirs};
        *plugins = plugins_load(&conf);
    }
    check_access(&checker, json_object_get(out->keys, "access"), out);
    check_display(&checker, json_object_get(out->keys, "display"));
    out->miners = check_miners(&checker, json_object_get(out->keys, "miners"), *plugins);
    check_plugins(&checker, out, *plugins);
    json_decref(lines);
    return checker.n_mistakes ? SHEP_E_CONFIG : 0;
}

int config_load(const struct paths *paths, const struct config_overrides *overrides,
                struct config *out, struct plugins **plugins_out)
{
    *plugins_out = NULL;
    return load(paths, overrides, out, plugins_out);
}

int config_reload(const struct paths *paths, const struct config_overrides *overrides,
                  const struct plugins *plugins, struct config *out)
{
    struct plugins *running = (struct plugins *)plugins;
    return load(paths, overrides, out, &running);
}

void config_display_take(struct config *config, const struct config *fresh)
{
    json_t *display = json_object_get(fresh->keys, "display");
    if (display)
        json_object_set(config->keys, "display", display);
    else
        json_object_del(config->keys, "display");
}

void config_free(struct config *config)
{
    for (size_t i = 0; i < config->n_listen; i++)
        free(config->listen[i].addr);
    free(config->listen);
    free(config->hosts);
    free(config->view_dirs);
    free(config->plugin_dirs);
    free(config->data_dir);
    free(config->file);
    free(config->place);
    json_decref(config->keys);
    *config = (struct config){0};
}
