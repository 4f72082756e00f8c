/* shepherd-script --config FILE: runs the configuration in an empty environment and prints
 * {"keys":{…},"lines":{…}} or {"error":"FILE:LINE: …"}. Every assignment to a global is a key. The
 * lines of nested keys are found by reading the source (config_lines.c). */
#include "script/worker/config.h"

#include <errno.h>
#include <math.h>

enum {
    CONFIG_BYTES = 256 << 10,
    CONFIG_DEPTH = 8,         /* tables within each other */
    CONFIG_VALUES = 20000,    /* values in all */
    CONFIG_TEXT_BYTES = 4096, /* of one text */
    CONFIG_PATH_BYTES = 512   /* "plugins.price.interval", for messages */
};

struct config {
    const char *file;
    struct limits limits;
    json_t *keys, *lines;
    const char *source;
    size_t source_len, n_values;
};

static struct config *config_of(lua_State *L)
{
    return *(struct config **)lua_getextraspace(L);
}

/* A value that cannot be a setting: raises "FILE:LINE: PATH is a function …". */
static void refuse(lua_State *L, const char *path, const char *what)
{
    const json_t *line = json_object_get(config_of(L)->lines, path);
    if (!line) { /* the line of what it is in */
        char outer[CONFIG_PATH_BYTES];
        snprintf(outer, sizeof outer, "%s", path);
        outer[strcspn(outer, ".[")] = '\0';
        line = json_object_get(config_of(L)->lines, outer);
    }
    luaL_error(L, "%s:%d: \"%s\" %s", config_of(L)->file, (int)json_integer_value(line), path,
               what);
}

/* Where a value belongs: what is made is put there at once, so that nothing is lost when something
 * raises. */
struct place {
    json_t *in;       /* array or object */
    const char *name; /* in an object */
};

static void put(lua_State *L, const char *path, struct place place, json_t *value)
{
    int rc = place.name ? json_object_set_new(place.in, place.name, value)
                        : json_array_append_new(place.in, value);
    if (!value || rc != 0)
        refuse(L, path, "is not UTF-8");
}

static void put_value(lua_State *L, const char *path, struct place place, int depth);

/* Whether the table on top has the keys 1 … n and no others. */
static bool is_list(lua_State *L)
{
    size_t n = 0;
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1), n++) {
        if (!lua_isinteger(L, -2)) {
            lua_pop(L, 2);
            return false;
        }
    }
    return n == lua_rawlen(L, -1);
}

static void put_list(lua_State *L, const char *path, json_t *list, int depth)
{
    char inner[CONFIG_PATH_BYTES];
    lua_Integer n = (lua_Integer)lua_rawlen(L, -1);
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, -1, i);
        snprintf(inner, sizeof inner, "%s[%lld]", path, (long long)i);
        put_value(L, inner, (struct place){list, NULL}, depth);
        lua_pop(L, 1);
    }
}

static void put_names(lua_State *L, const char *path, json_t *object, int depth)
{
    char inner[CONFIG_PATH_BYTES];
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            refuse(L, path, "is neither a list nor a table of names");
        const char *name = lua_tostring(L, -2);
        snprintf(inner, sizeof inner, "%s.%s", path, name);
        put_value(L, inner, (struct place){object, name}, depth);
    }
}

static void put_table(lua_State *L, const char *path, struct place place, int depth)
{
    if (depth >= CONFIG_DEPTH)
        refuse(L, path, "is nested too deep, or contains itself");
    luaL_checkstack(L, 8, "configuration");
    bool list = is_list(L);
    json_t *value = list ? json_array() : json_object();
    put(L, path, place, value);
    if (list)
        put_list(L, path, value, depth + 1);
    else
        put_names(L, path, value, depth + 1);
}

static void put_number(lua_State *L, const char *path, struct place place)
{
    if (lua_isinteger(L, -1))
        put(L, path, place, json_integer(lua_tointeger(L, -1)));
    else if (isfinite(lua_tonumber(L, -1)))
        put(L, path, place, json_real(lua_tonumber(L, -1)));
    else
        refuse(L, path, "is not a finite number");
}

static void put_text(lua_State *L, const char *path, struct place place)
{
    size_t len;
    const char *text = lua_tolstring(L, -1, &len);
    if (len > CONFIG_TEXT_BYTES)
        refuse(L, path, "is longer than 4 KiB");
    if (strlen(text) != len)
        refuse(L, path, "contains a NUL byte");
    put(L, path, place, json_string(text));
}

/* The value on top. */
static void put_value(lua_State *L, const char *path, struct place place, int depth)
{
    if (++config_of(L)->n_values > CONFIG_VALUES)
        refuse(L, path, "is one value too many");
    switch (lua_type(L, -1)) {
    case LUA_TBOOLEAN:
        put(L, path, place, json_boolean(lua_toboolean(L, -1)));
        break;
    case LUA_TNUMBER:
        put_number(L, path, place);
        break;
    case LUA_TSTRING:
        put_text(L, path, place);
        break;
    case LUA_TTABLE:
        put_table(L, path, place, depth);
        break;
    default:
        lua_pushfstring(L, "is a %s; a setting is a text, a number, true, false or a table",
                        luaL_typename(L, -1));
        refuse(L, path, lua_tostring(L, -1));
    }
}

/* __newindex of the environment: remembers value and line. Upvalue 1: the values. */
static int on_assign(lua_State *L)
{
    struct config *config = config_of(L);
    lua_Debug ar;
    int line = 0;
    if (lua_type(L, 2) != LUA_TSTRING)
        return luaL_error(L, "a setting has a name");
    if (lua_getstack(L, 1, &ar) && lua_getinfo(L, "l", &ar))
        line = ar.currentline;
    lua_settop(L, 3);
    lua_pushvalue(L, 2);
    lua_pushvalue(L, 3);
    lua_rawset(L, lua_upvalueindex(1));
    json_object_set_new(config->lines, lua_tostring(L, 2), json_integer(line));
    return 0;
}

static int run_config(lua_State *L)
{
    struct config *config = config_of(L);
    char chunk[1024];
    snprintf(chunk, sizeof chunk, "@%s", config->file);
    if (luaL_loadbufferx(L, config->source, config->source_len, chunk, "t") != LUA_OK)
        return lua_error(L);
    lua_newtable(L); /* 2: the values */
    lua_newtable(L); /* 3: the environment, always empty */
    lua_createtable(L, 0, 2);
    lua_pushvalue(L, 2);
    lua_setfield(L, -2, "__index");
    lua_pushvalue(L, 2);
    lua_pushcclosure(L, on_assign, 1);
    lua_setfield(L, -2, "__newindex");
    lua_setmetatable(L, 3);
    lua_pushvalue(L, 3);
    lua_setupvalue(L, 1, 1);
    lua_pushvalue(L, 1);
    lua_call(L, 0, 0);
    for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1)) {
        const char *name = lua_tostring(L, -2);
        int line = (int)json_integer_value(json_object_get(config->lines, name));
        config_lines(config->source, config->source_len, name, line, config->lines);
        put_value(L, name, (struct place){config->keys, name}, 0);
    }
    return 0;
}

static void print_json(json_t *value)
{
    json_dumpf(value, stdout, JSON_COMPACT | JSON_SORT_KEYS);
    fputc('\n', stdout);
    json_decref(value);
}

static void print_error(const char *file, int line, const char *message)
{
    char *text = line > 0 ? shep_asprintf("%s:%d: %s", file, line, message)
                          : shep_asprintf("%s: %s", file, message);
    json_t *string = json_string(text);
    print_json(json_pack("{s:o}", "error", string ? string : json_string("the file is not UTF-8")));
    free(text);
}

/* Errors of ours carry the position already; those of Lua had it taken off by limits_call(). */
static void run_state(struct config *config)
{
    char message[PROTO_TEXT_MAX];
    struct where where;
    lua_State *L = limits_new_state(&config->limits, config);
    if (!L) {
        print_error(config->file, 0, "no memory to read it");
        return;
    }
    lua_pushcfunction(L, run_config);
    int rc = limits_call(L, &config->limits, 0, 0, message, sizeof message, &where);
    if (rc == LUA_OK)
        print_json(json_pack("{s:O,s:O}", "keys", config->keys, "lines", config->lines));
    else
        print_error(config->file, where.line, message);
    lua_close(L);
}

int config_main(const char *file)
{
    struct config config = {.file = file};
    char *source = file_read_dup(file, CONFIG_BYTES, &config.source_len);
    if (!source) {
        print_error(file, 0,
                    errno == EFBIG    ? "is larger than 256 KiB; is it the right file?"
                    : errno == ESPIPE ? "is a pipe; it is read again later, so it must be a file"
                                      : strerror(errno));
        return 0;
    }
    enum { CPU_MS = 250, WALL_MS = 1500 };
    limits_begin(&config.limits, CPU_MS, clock_mono_ms() + WALL_MS);
    config.source = source;
    config.keys = json_object();
    config.lines = json_object();
    run_state(&config);
    json_decref(config.keys);
    json_decref(config.lines);
    free(source);
    return 0;
}
