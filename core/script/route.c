/* From a path to the view that serves it. Only stat() and, for [id], one directory listing: the
 * route's dependencies name every path that was looked at, so a caller can keep a route until one
 * of them changes. */
#include "script/internal.h"

#include <ctype.h>
#include <dirent.h>

enum {
    ROUTE_DEPTH = 12,        /* segments of a path */
    ROUTE_SEGMENT_MAX = 128, /* bytes of one */
    ROUTE_PATH_MAX = 1024
};

/* ---- dependencies ---- */

void deps_add(struct deps *deps, const char *path, const struct file_id *id)
{
    if (deps->n >= PROTO_DEPS_MAX)
        return;
    for (size_t i = 0; i < deps->n; i++)
        if (strcmp(deps->items[i].path, path) == 0)
            return; /* the first look counts: if it was another one, the page is made again */
    if (deps->n % 16 == 0)
        deps->items = shep_realloc(deps->items, (deps->n + 16) * sizeof *deps->items);
    deps->items[deps->n++] =
        (struct script_dep){shep_strdup(path), id->mtime_ns, id->size, id->inode};
}

void deps_add_all(struct deps *deps, const struct script_dep *more, size_t n)
{
    for (size_t i = 0; i < n; i++)
        deps_add(deps, more[i].path,
                 &(struct file_id){more[i].mtime_ns, more[i].size, more[i].inode});
}

void deps_clear(struct deps *deps)
{
    for (size_t i = 0; i < deps->n; i++)
        free(deps->items[i].path);
    free(deps->items);
    *deps = (struct deps){0};
}

bool script_deps_fresh(const struct script_dep *deps, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct file_id now = file_id_of(deps[i].path);
        struct file_id then = {deps[i].mtime_ns, deps[i].size, deps[i].inode};
        if (!file_id_eq(&now, &then))
            return false;
    }
    return true;
}

/* ---- the path ---- */

struct search {
    const struct script_pool *pool;
    bool shipped_only;
    char segments[ROUTE_DEPTH][ROUTE_SEGMENT_MAX + 1];
    size_t n;
    struct deps deps;
    struct script_route *out;
    char param_name[ROUTE_SEGMENT_MAX], param_value[ROUTE_SEGMENT_MAX + 1];
};

static bool segment_ok(const char *segment, size_t len, bool first)
{
    static const char *const not_routes[] = {"partials", "static", "node_modules"};
    if (len == 0 || len > ROUTE_SEGMENT_MAX || strchr("_.[", segment[0]))
        return false;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)segment[i] < 0x20 || segment[i] == 0x7f || segment[i] == '\\')
            return false;
    for (size_t i = 0; first && i < ARRAY_LEN(not_routes); i++)
        if (strlen(not_routes[i]) == len && memcmp(segment, not_routes[i], len) == 0)
            return false;
    return !(len == 5 && memcmp(segment, "index", 5) == 0);
}

static bool split(const char *path, struct search *s)
{
    if (path[0] != '/' || strlen(path) >= ROUTE_PATH_MAX)
        return false;
    if (path[1] == '\0')
        return true;
    for (const char *p = path; *p == '/';) {
        const char *segment = p + 1;
        size_t len = strcspn(segment, "/");
        if (s->n == ROUTE_DEPTH || !segment_ok(segment, len, s->n == 0))
            return false;
        str_copy(s->segments[s->n++], sizeof s->segments[0], segment, len);
        p = segment + len;
    }
    return true;
}

/* ---- looking ---- */

static const char *dir_at(const struct search *s, size_t i)
{
    return i < s->pool->n_view_dirs ? s->pool->view_dirs[i] : s->pool->views_dir;
}

static size_t first_dir(const struct search *s)
{
    return s->shipped_only ? s->pool->n_view_dirs : 0;
}

static void take(struct search *s, char *path, const char *name, bool is_html)
{
    *s->out = (struct script_route){.file = path, .name = shep_strdup(name), .is_html = is_html};
}

/* NAME.html, NAME.lua, NAME/index.html, NAME/index.lua in each directory, overrides first. */
static bool try_file(struct search *s, const char *name)
{
    static const char *const ends[] = {".html", ".lua", "/index.html", "/index.lua"};
    for (size_t d = first_dir(s); d <= s->pool->n_view_dirs; d++) {
        for (size_t i = *name ? 0 : 2; i < ARRAY_LEN(ends); i++) {
            bool index = i >= 2;
            char *route = shep_asprintf("%s%s", name, index ? (*name ? "/index" : "index") : "");
            char *path = shep_asprintf("%s/%s%s", dir_at(s, d), *name ? name : "",
                                       *name ? ends[i] : ends[i] + 1);
            struct file_id id = file_id_record(path);
            deps_add(&s->deps, path, &id);
            if (id.size >= 0) {
                take(s, path, route, i % 2 == 0);
                free(route);
                return true;
            }
            free(path);
            free(route);
        }
    }
    return false;
}

static bool is_folder(struct search *s, const char *name)
{
    bool found = false;
    for (size_t d = first_dir(s); d <= s->pool->n_view_dirs; d++) {
        char *path = path_join_dup(dir_at(s, d), name);
        struct file_id id = file_id_of(path);
        found = found || id.size >= 0;
        if (id.size < 0) /* of one that is there only what is in it counts */
            deps_add(&s->deps, path, &id);
        free(path);
    }
    return found;
}

/* "[id].html", "[id].lua" or "[id]" → "[id]" */
static bool param_entry(const char *entry, char *out, size_t cap)
{
    const char *close = strchr(entry, ']');
    if (entry[0] != '[' || !close || close == entry + 1 || close - entry > 64)
        return false;
    for (const char *p = entry + 1; p < close; p++)
        if (!isalnum((unsigned char)*p) && *p != '_')
            return false;
    if (close[1] && strcmp(close + 1, ".html") != 0 && strcmp(close + 1, ".lua") != 0)
        return false;
    str_copy(out, cap, entry, (size_t)(close + 1 - entry));
    return true;
}

/* The first [name] of a folder, in order of the alphabet, so that it does not depend on the disk.
 */
static bool find_param(struct search *s, const char *folder, char *out, size_t cap)
{
    out[0] = '\0';
    for (size_t d = first_dir(s); d <= s->pool->n_view_dirs; d++) {
        char *path = path_join_dup(dir_at(s, d), folder);
        struct file_id id = file_id_record(path);
        deps_add(&s->deps, path, &id);
        DIR *dir = id.size >= 0 ? opendir(path) : NULL;
        struct dirent *entry;
        char name[ROUTE_SEGMENT_MAX];
        while (dir && (entry = readdir(dir)))
            if (param_entry(entry->d_name, name, sizeof name) && (!out[0] || strcmp(name, out) < 0))
                str_copy(out, cap, name, strlen(name));
        if (dir)
            closedir(dir);
        free(path);
    }
    return out[0] != '\0';
}

static bool descend(struct search *s, size_t i, const char *folder, bool has_param);

static bool step(struct search *s, size_t i, const char *folder, const char *segment,
                 bool has_param)
{
    char *name = *folder ? shep_asprintf("%s/%s", folder, segment) : shep_strdup(segment);
    bool found = i + 1 == s->n ? try_file(s, name)
                               : is_folder(s, name) && descend(s, i + 1, name, has_param);
    free(name);
    return found;
}

/* What is written out goes before [name]; a route has one [name]. */
static bool descend(struct search *s, size_t i, const char *folder, bool has_param)
{
    char param[ROUTE_SEGMENT_MAX];
    if (step(s, i, folder, s->segments[i], has_param))
        return true;
    if (has_param || !find_param(s, folder, param, sizeof param))
        return false;
    str_copy(s->param_name, sizeof s->param_name, param + 1, strlen(param) - 2);
    str_copy(s->param_value, sizeof s->param_value, s->segments[i], strlen(s->segments[i]));
    if (step(s, i, folder, param, true))
        return true;
    s->param_name[0] = '\0';
    return false;
}

void script_route_find(struct script_pool *pool, const char *path, bool shipped_only,
                       struct script_route *out)
{
    struct search s = {.pool = pool, .shipped_only = shipped_only, .out = out};
    *out = (struct script_route){0};
    if (split(path, &s)) {
        bool found = s.n ? descend(&s, 0, "", false) : try_file(&s, "");
        if (found && s.param_name[0]) {
            out->param_name = shep_strdup(s.param_name);
            out->param_value = shep_strdup(s.param_value);
        }
    }
    out->deps = s.deps.items;
    out->n_deps = s.deps.n;
}

void script_route_free(struct script_route *route)
{
    struct deps deps = {route->deps, route->n_deps};
    deps_clear(&deps);
    free(route->file);
    free(route->name);
    free(route->param_name);
    free(route->param_value);
    *route = (struct script_route){0};
}
