/* Files of views: found in the override directories first, compiled once, and again when they
 * change.
 *
 * Names are logical: "views/partials/x.html" stands for the first directory that has it,
 * "lua/html.lua" for the library. Lua sees "@views/partials/x.html" as the chunk's name, so that
 * messages are short; the daemon is told the path. Every path that was looked at goes to the daemon
 * as a dependency, those that were not there too: a new override shows at the next request. */
#include "script/worker/template.h"
#include "script/worker/worker.h"

#include <dirent.h>
#include <errno.h>

struct cached {
    char *name, *path;
    struct file_id id;
    char *text;
    size_t text_len;
    uint64_t hash;
    struct buf code; /* made by lua_dump() in this process, never read from outside */
    uint64_t used_at;
    struct cached *next;
};

static struct cached *cache;
static size_t cache_count, cache_bytes;
static uint64_t cache_clock;

static void cached_free(struct cached *c)
{
    cache_count--;
    cache_bytes -= c->text_len + c->code.len;
    free(c->name);
    free(c->path);
    free(c->text);
    buf_free(&c->code);
    free(c);
}

static void cache_drop(struct cached *victim)
{
    for (struct cached **at = &cache; *at; at = &(*at)->next) {
        if (*at == victim) {
            *at = victim->next;
            cached_free(victim);
            return;
        }
    }
}

void files_trim(void)
{
    for (struct cached *c = cache, *next; c; c = next) {
        next = c->next;
        if (c->used_at == 0)
            cache_drop(c);
    }
    while (cache_count > CACHE_FILES || cache_bytes > CACHE_BYTES) {
        struct cached *oldest = cache;
        for (struct cached *c = cache; c; c = c->next)
            if (c->used_at < oldest->used_at)
                oldest = c;
        cache_drop(oldest);
    }
}

void files_forget(void)
{
    while (cache)
        cache_drop(cache);
}

/* ---- finding ---- */

static void look_at(struct render *render, const char *path, const struct file_id *id)
{
    struct files *files = &render->files;
    for (size_t i = 0; i < files->n_looked_at; i++)
        if (strcmp(files->looked_at[i], path) == 0)
            return;
    if (files->n_looked_at == PROTO_DEPS_MAX)
        return;
    files->looked_at[files->n_looked_at++] = shep_strdup(path);
    serve_dep(path, id);
}

static bool name_is_plain(const char *name)
{
    if (name[0] == '/' || strlen(name) >= PROTO_NAME_MAX)
        return false;
    for (const char *p = name; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == '\\' ||
            (p[0] == '.' && p[1] == '.' && (p == name || p[-1] == '/')))
            return false;
    return true;
}

/* The path that has the name now (owned), with how it looked; NULL: none. */
static char *find(struct render *render, const char *name, struct file_id *id)
{
    const struct conf *conf = &worker.conf;
    bool is_view = strncmp(name, "views/", 6) == 0;
    bool overrides = is_view && !(render->request->flags & RENDER_SHIPPED);
    const char *rest = name + (is_view ? 6 : 4);
    size_t n = overrides ? conf->n_view_dirs : 0;
    for (size_t i = 0; i <= n; i++) {
        const char *last = is_view ? conf->views_dir : conf->lua_dir;
        char *path = path_join_dup(i < n ? conf->view_dirs[i] : last, rest);
        *id = file_id_record(path);
        look_at(render, path, id);
        if (id->size >= 0)
            return path;
        free(path);
    }
    return NULL;
}

static const struct source *given(const struct files *files, const char *name)
{
    for (size_t i = 0; i < files->n_given; i++)
        if (strcmp(files->given[i].name, name) == 0)
            return &files->given[i];
    return NULL;
}

bool files_exists(lua_State *L, const char *name)
{
    struct render *render = render_of(L);
    struct file_id id;
    if (!name_is_plain(name))
        return false;
    if (given(&render->files, name))
        return true;
    char *path = find(render, name, &id);
    free(path);
    return path != NULL;
}

/* ---- compiling ---- */

static int add_code(lua_State *L, const void *bytes, size_t len, void *buf)
{
    buf_add(buf, bytes, len);
    return 0;
}

static bool is_template(const char *name)
{
    size_t len = strlen(name);
    return len > 5 && strcmp(name + len - 5, ".html") == 0;
}

/* Pushes the compiled function; raises "name:line: message". */
static void compile(lua_State *L, const char *name, const char *text, size_t len)
{
    char chunk[PROTO_NAME_MAX + 1], err[256];
    struct buf *lua = &render_of(L)->scratch;
    snprintf(chunk, sizeof chunk, "@%s", name);
    if (is_template(name)) {
        buf_clear(lua);
        int line = template_translate(text, len, lua, err, sizeof err);
        if (line)
            limits_raise(L, "%s:%d: %s", name, line, err);
        text = lua->data;
        len = lua->len;
    }
    struct where where = {0};
    int rc = luaL_loadbufferx(L, text, len, chunk, "t");
    if (rc == LUA_ERRSYNTAX) { /* Lua may have cut the name */
        const char *message = limits_split(lua_tostring(L, -1), &where);
        limits_raise(L, "%s:%d: %s", name, where.line, message);
    }
    if (rc != LUA_OK)
        lua_error(L);
}

static bool is_override(const char *path)
{
    const struct conf *conf = &worker.conf;
    for (size_t i = 0; i < conf->n_view_dirs; i++) {
        size_t len = strlen(conf->view_dirs[i]);
        if (strncmp(path, conf->view_dirs[i], len) == 0 && path[len] == '/')
            return true;
    }
    return false;
}

static void use(lua_State *L, const char *name, const char *path, const char *text, size_t len,
                uint64_t hash)
{
    struct files *files = &render_of(L)->files;
    for (size_t i = 0; i < files->n_used; i++)
        if (strcmp(files->used[i].name, name) == 0)
            return;
    if (files->n_used == PROTO_SOURCES_MAX)
        limits_raise(L, "a page may use at most %d files", PROTO_SOURCES_MAX);
    files->used[files->n_used++] =
        (struct source){shep_strdup(name), shep_strdup(path), text, len, hash};
    files->edited = files->edited || is_override(path);
}

static struct cached *cache_find(const char *name, const char *path, const struct file_id *id)
{
    for (struct cached *c = cache; c; c = c->next) {
        if (strcmp(c->path, path) != 0 || strcmp(c->name, name) != 0)
            continue;
        if (file_id_eq(&c->id, id) && id->mtime_ns >= 0) {
            c->used_at = ++cache_clock;
            return c;
        }
    }
    return NULL;
}

static struct cached *cache_add(const char *name, const char *path, const struct file_id *id,
                                char *text, size_t len)
{
    for (struct cached *old = cache; old; old = old->next)
        if (strcmp(old->path, path) == 0)
            old->used_at = 0; /* another version of it; this render may still hold its text */
    struct cached *c = shep_alloc(sizeof *c);
    *c = (struct cached){.name = shep_strdup(name),
                         .path = shep_strdup(path),
                         .id = *id,
                         .text = text,
                         .text_len = len,
                         .hash = hash_bytes(HASH_START, text, len),
                         .used_at = ++cache_clock,
                         .next = cache};
    cache = c;
    cache_count++;
    cache_bytes += len;
    return c;
}

static struct cached *read_file(lua_State *L, const char *name, const char *path,
                                const struct file_id *id)
{
    size_t len;
    char *text = file_read_dup(path, PROTO_SOURCE_MAX, &len);
    if (!text && errno == EFBIG)
        limits_raise(L, "%s is larger than %d KiB", path, PROTO_SOURCE_MAX >> 10);
    if (!text)
        limits_raise(L, "%s cannot be read: %s", path, strerror(errno));
    return cache_add(name, path, id, text, len);
}

static void load_from_disk(lua_State *L, const char *name, const char *path,
                           const struct file_id *id)
{
    char chunk[PROTO_NAME_MAX + 1];
    struct cached *c = cache_find(name, path, id);
    if (!c)
        c = read_file(L, name, path, id);
    use(L, name, path, c->text, c->text_len, c->hash);
    if (c->code.len) {
        snprintf(chunk, sizeof chunk, "@%s", name);
        if (luaL_loadbufferx(L, c->code.data, c->code.len, chunk, "b") != LUA_OK)
            lua_error(L);
        return;
    }
    compile(L, name, c->text, c->text_len);
    size_t before = c->code.len;
    lua_dump(L, add_code, &c->code, 0);
    cache_bytes += c->code.len - before;
}

void files_load(lua_State *L, const char *name)
{
    struct render *render = render_of(L);
    struct file_id id;
    if (!name_is_plain(name))
        limits_raise(L, "\"%s\" is no name of a file here", name);
    const struct source *last_good = given(&render->files, name);
    if (last_good) {
        use(L, name, last_good->path, last_good->text, last_good->len, last_good->hash);
        compile(L, name, last_good->text, last_good->len);
        return;
    }
    char *path = find(render, name, &id);
    if (!path)
        limits_raise(L, "there is no %s", name);
    lua_pushstring(L, path); /* Lua frees it also when something below raises */
    free(path);
    load_from_disk(L, name, lua_tostring(L, -1), &id);
    lua_remove(L, -2);
}

/* ---- the library as text, for the page that shows its comments ---- */

enum { SOURCE_NAME_MAX = 64 };

static bool is_source(const char *name)
{
    size_t len = strlen(name);
    size_t plain = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
    return plain > 0 && len < SOURCE_NAME_MAX && strcmp(name + plain, ".lua") == 0;
}

void files_push_source(lua_State *L, const char *name)
{
    struct render *render = render_of(L);
    struct file_id id;
    if (strncmp(name, "lua/", 4) != 0 || !is_source(name + 4))
        luaL_error(L, "\"%s\" is no file of the library; shepherd.sources() names them", name);
    char *path = find(render, name, &id);
    if (!path)
        luaL_error(L, "there is no %s", name);
    lua_pushstring(L, path); /* Lua frees it also when something below raises */
    free(path);
    struct cached *c = cache_find(name, lua_tostring(L, -1), &id);
    if (!c)
        c = read_file(L, name, lua_tostring(L, -1), &id);
    lua_pushlstring(L, c->text, c->text_len);
    lua_remove(L, -2);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

void files_push_sources(lua_State *L)
{
    struct render *render = render_of(L);
    struct buf *names = &render->scratch;
    struct file_id id = file_id_record(worker.conf.lua_dir); /* moves with what is in it */
    look_at(render, worker.conf.lua_dir, &id);
    buf_clear(names);
    DIR *dir = opendir(worker.conf.lua_dir);
    const struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        char name[SOURCE_NAME_MAX] = "";
        if (!is_source(entry->d_name))
            continue;
        str_copy(name, sizeof name, entry->d_name, strlen(entry->d_name));
        buf_add(names, name, sizeof name);
    }
    if (dir)
        closedir(dir);
    size_t n = names->len / SOURCE_NAME_MAX;
    if (n)
        qsort(names->data, n, SOURCE_NAME_MAX, compare_names);
    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        lua_pushfstring(L, "lua/%s", names->data + i * SOURCE_NAME_MAX);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

uint64_t files_hash(const struct files *files)
{
    uint64_t sum = HASH_START; /* of all files, in whatever order they were used */
    for (size_t i = 0; i < files->n_used; i++) {
        const struct source *s = &files->used[i];
        sum += hash_bytes(s->hash, s->name, strlen(s->name));
    }
    return sum;
}

void files_end(struct files *files)
{
    for (size_t i = 0; i < files->n_used; i++) {
        free(files->used[i].name);
        free(files->used[i].path);
    }
    for (size_t i = 0; i < files->n_looked_at; i++)
        free(files->looked_at[i]);
    for (size_t i = 0; i < files->n_given; i++) {
        free(files->given[i].name);
        free(files->given[i].path);
        free((char *)files->given[i].text);
    }
    free(files->given);
    *files = (struct files){0};
}
