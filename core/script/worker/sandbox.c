/* What scripts may call: the libraries without what reaches outside or escapes the limits.
 *
 * Not there: io, debug, package, dofile, loadfile, string.dump, os but for time, date, clock and
 * difftime, collectgarbage but for "count". Replaced: load (text only), setmetatable (refuses __gc:
 * finalizers run with hooks off, even while the state is closed), xpcall (its message handler would
 * run with hooks off), pcall (ends captures that the error left open), require (lua/ and partials
 * only). Everybody's globals are one table that nobody can write to, which finds typing errors:
 * write `local`. */
#include "script/worker/worker.h"

#include <time.h>

static const char globals_key; /* registry: what scripts see as _ENV */

/* Written in Lua because a C function that calls back could not be yielded across. Gets the table
 * `core` and the real functions; returns the replacements. */
static const char PRELUDE[] =
    "local core, real_pcall, pack, unpack = ...\n"
    "local function settle(depth, in_row, ok, ...)\n"
    "    if not ok then core.unwind(depth, in_row) end\n"
    "    return ok, ...\n"
    "end\n"
    "local function pcall(f, ...)\n"
    "    local depth, in_row = core.depth()\n"
    "    return settle(depth, in_row, real_pcall(f, ...))\n"
    "end\n"
    "local function xpcall(f, handler, ...)\n"
    "    local result = pack(pcall(f, ...))\n"
    "    if result[1] then return unpack(result, 1, result.n) end\n"
    "    local ok, message = pcall(handler, result[2])\n"
    "    return false, message\n"
    "end\n"
    "local function sorted_pairs(t)\n"
    "    local keys, n, i = {}, 0, 0\n"
    "    for key in pairs(t) do n = n + 1; keys[n] = key end\n"
    "    table.sort(keys, function(a, b)\n"
    "        if type(a) == type(b) and type(a) ~= 'boolean' then return a < b end\n"
    "        return tostring(a) < tostring(b)\n"
    "    end)\n"
    "    return function()\n"
    "        i = i + 1\n"
    "        if keys[i] ~= nil then return keys[i], t[keys[i]] end\n"
    "    end\n"
    "end\n"
    "return pcall, xpcall, sorted_pairs\n";

static int l_depth(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)render_of(L)->out.depth);
    lua_pushboolean(L, render_of(L)->out.in_row);
    return 2;
}

static int l_unwind(lua_State *L)
{
    struct out *out = &render_of(L)->out;
    lua_Integer depth = luaL_checkinteger(L, 1);
    if (depth >= 0 && depth < (lua_Integer)out->depth)
        out->depth = (unsigned)depth;
    out->in_row = lua_toboolean(L, 2);
    return 0;
}

static int l_setmetatable(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_argexpected(L, lua_isnil(L, 2) || lua_istable(L, 2), 2, "nil or table");
    if (lua_istable(L, 2)) {
        lua_pushliteral(L, "__gc");
        if (lua_rawget(L, 2) != LUA_TNIL)
            return luaL_error(L, "a metatable may not have __gc here");
        lua_pop(L, 1);
    }
    if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
        return luaL_error(L, "cannot change a protected metatable");
    lua_settop(L, 2);
    lua_setmetatable(L, 1);
    return 1;
}

/* load(text [, name [, mode [, env]]]): text only. */
static int l_load(lua_State *L)
{
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    const char *name = luaL_optstring(L, 2, text);
    int rc = luaL_loadbufferx(L, text, len, name, "t");
    if (rc != LUA_OK) {
        lua_pushnil(L);
        lua_insert(L, -2);
        return 2;
    }
    if (lua_isnoneornil(L, 4))
        lua_rawgetp(L, LUA_REGISTRYINDEX, &globals_key);
    else
        lua_pushvalue(L, 4);
    lua_setupvalue(L, -2, 1);
    return 1;
}

static int l_collectgarbage(lua_State *L)
{
    if (strcmp(luaL_optstring(L, 1, "collect"), "count") != 0)
        return luaL_error(L, "collectgarbage knows only \"count\" here");
    lua_pushnumber(L, (lua_Number)render_of(L)->limits.mem_used / 1024);
    return 1;
}

/* ---- os ---- */

static int call_os(lua_State *L, const char *name, int n_args)
{
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_getfield(L, -1, name);
    lua_remove(L, -2);
    lua_insert(L, 1);
    lua_call(L, n_args, 1);
    return 1;
}

static void read_clock(lua_State *L)
{
    render_lasts(render_of(L), MAX_AGE_CLOCK_MS);
    lua_pushinteger(L, render_of(L)->request->now_ms / 1000);
}

/* os.time() is the time of this rendering; such a page lasts 10 s unless it says otherwise. */
static int l_time(lua_State *L)
{
    if (!lua_isnoneornil(L, 1)) {
        lua_settop(L, 1);
        return call_os(L, "time", 1);
    }
    read_clock(L);
    return 1;
}

static int l_date(lua_State *L)
{
    lua_settop(L, 2);
    if (lua_isnil(L, 1)) {
        lua_pushliteral(L, "%c");
        lua_replace(L, 1);
    }
    if (lua_isnil(L, 2)) {
        read_clock(L);
        lua_replace(L, 2);
    }
    return call_os(L, "date", 2);
}

static void open_os(lua_State *L)
{
    static const char *const kept[] = {"clock", "difftime"};
    luaL_requiref(L, "os", luaopen_os, 0);
    int os = lua_gettop(L);
    lua_createtable(L, 0, 4);
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        lua_getfield(L, os, kept[i]);
        lua_setfield(L, -2, kept[i]);
    }
    lua_pushvalue(L, os);
    lua_pushcclosure(L, l_time, 1);
    lua_setfield(L, -2, "time");
    lua_pushvalue(L, os);
    lua_pushcclosure(L, l_date, 1);
    lua_setfield(L, -2, "date");
    lua_setglobal(L, "os");
    lua_settop(L, os - 1);
}

/* ---- require ---- */

static void set_environment(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &globals_key);
    lua_setupvalue(L, -2, 1);
}

/* "html" → lua/html.lua; "partials.x" and "partials/x" → views/partials/x.lua */
static void module_file(lua_State *L, const char *name, char *file, size_t cap)
{
    char path[PROTO_NAME_MAX];
    size_t len = strlen(name);
    bool plain = len > 0 && len < 200 && !strstr(name, "..") && name[0] != '/' && name[0] != '.';
    for (size_t i = 0; plain && i < len; i++)
        plain = (unsigned char)name[i] > 0x20 && !strchr("\\:*?", name[i]);
    if (!plain)
        luaL_error(L, "require: \"%s\" is no name of a module", name);
    for (size_t i = 0; i <= len; i++)
        path[i] = name[i] == '.' ? '/' : name[i];
    bool partial = strncmp(path, "partials/", 9) == 0;
    snprintf(file, cap, "%s/%s.lua", partial ? "views" : "lua", path);
}

/* require(name): once for each page. Modules of lua/ are called with (name, core). */
static int l_require(lua_State *L)
{
    char file[PROTO_NAME_MAX + 16];
    const char *name = luaL_checkstring(L, 1);
    module_file(L, name, file, sizeof file);
    lua_settop(L, 1);
    lua_pushvalue(L, lua_upvalueindex(1)); /* 2: loaded */
    if (lua_getfield(L, 2, file) != LUA_TNIL) {
        if (lua_islightuserdata(L, -1))
            return luaL_error(L, "require: %s requires itself, by way of others", file);
        return 1;
    }
    lua_pushlightuserdata(L, NULL);
    lua_setfield(L, 2, file);
    files_load(L, file);
    set_environment(L);
    lua_pushvalue(L, 1);
    if (strncmp(file, "lua/", 4) == 0)
        lua_pushvalue(L, lua_upvalueindex(2));
    else
        lua_pushnil(L);
    lua_call(L, 2, 1);
    if (lua_isnil(L, -1)) {
        lua_pushboolean(L, 1);
        lua_replace(L, -2);
    }
    lua_pushvalue(L, -1);
    lua_setfield(L, 2, file);
    return 1;
}

/* core.has_module(name): would require(name) find a file? */
static int l_has_module(lua_State *L)
{
    char file[PROTO_NAME_MAX + 16];
    module_file(L, luaL_checkstring(L, 1), file, sizeof file);
    lua_pushboolean(L, files_exists(L, file));
    return 1;
}

/* core.template(name): the compiled function of views/NAME.html. */
static int l_template(lua_State *L)
{
    char file[PROTO_NAME_MAX + 16];
    size_t len;
    const char *name = luaL_checklstring(L, 1, &len);
    bool whole = len > 5 && strcmp(name + len - 5, ".html") == 0;
    luaL_argcheck(L, len > 0 && len < PROTO_NAME_MAX - 16, 1, "no name of a template");
    snprintf(file, sizeof file, "views/%s%s", name, whole ? "" : ".html");
    files_load(L, file);
    return 1;
}

/* core.environment(t): t with the globals behind it; other names in it cannot be set. */
static int l_environment(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &globals_key);
    lua_getmetatable(L, 2);
    lua_setmetatable(L, 1);
    lua_settop(L, 1);
    return 1;
}

/* core.global(name, value): for the library, before any view runs. */
static int l_global(lua_State *L)
{
    lua_settop(L, 2);
    lua_setglobal(L, luaL_checkstring(L, 1));
    return 0;
}

/* ---- frozen globals ---- */

static int refuse_write(lua_State *L)
{
    const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?";
    return luaL_error(L, "global \"%s\" cannot be set; write `local %s = …`", name, name);
}

static int refuse_change(lua_State *L)
{
    return luaL_error(L, "%s is read-only", lua_tostring(L, lua_upvalueindex(1)));
}

/* `format` and the other modules of the library are there without require. Called for names that
 * the real globals do not have. */
static int find_global(lua_State *L)
{
    static const char *const modules[] = {"html", "format", "json", "live"};
    const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
    for (size_t i = 0; i < ARRAY_LEN(modules); i++) {
        if (strcmp(modules[i], name) != 0)
            continue;
        lua_getfield(L, 1, "require");
        lua_pushvalue(L, 2);
        lua_call(L, 1, 1);
        lua_pushvalue(L, -1);
        lua_setfield(L, 1, name);
        return 1;
    }
    return 0;
}

static int frozen_next(lua_State *L)
{
    lua_settop(L, 2);
    return lua_next(L, lua_upvalueindex(1)) ? 2 : 0;
}

/* An iterator of its own: next would need the table itself, which could then be written to. */
static int frozen_pairs(lua_State *L)
{
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushcclosure(L, frozen_next, 1);
    return 1;
}

/* Replaces the table on top by one that reads it and refuses writes. */
static void freeze(lua_State *L, const char *name)
{
    lua_newtable(L);
    lua_createtable(L, 0, 4);
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, "__index");
    lua_pushvalue(L, -3);
    lua_pushcclosure(L, frozen_pairs, 1);
    lua_setfield(L, -2, "__pairs");
    lua_pushstring(L, name);
    lua_pushcclosure(L, refuse_change, 1);
    lua_setfield(L, -2, "__newindex");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_remove(L, -2);
}

static void make_globals(lua_State *L)
{
    lua_pushglobaltable(L);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, find_global);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
    lua_pop(L, 1);
    lua_newtable(L); /* what scripts see */
    lua_createtable(L, 0, 3);
    lua_pushglobaltable(L);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, refuse_write);
    lua_setfield(L, -2, "__newindex");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    lua_setglobal(L, "_G");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &globals_key);
}

static void drop(lua_State *L, const char *table, const char *name)
{
    if (table)
        lua_getglobal(L, table);
    else
        lua_pushglobaltable(L);
    lua_pushnil(L);
    lua_setfield(L, -2, name);
    lua_pop(L, 1);
}

static void open_libraries(lua_State *L)
{
    static const luaL_Reg libraries[] = {
        {LUA_GNAME, luaopen_base},       {LUA_COLIBNAME, luaopen_coroutine},
        {LUA_TABLIBNAME, luaopen_table}, {LUA_STRLIBNAME, luaopen_string},
        {LUA_MATHLIBNAME, luaopen_math}, {LUA_UTF8LIBNAME, luaopen_utf8},
    };
    for (size_t i = 0; i < ARRAY_LEN(libraries); i++) {
        luaL_requiref(L, libraries[i].name, libraries[i].func, 1);
        lua_pop(L, 1);
    }
    open_os(L);
    drop(L, NULL, "dofile");
    drop(L, NULL, "loadfile");
    drop(L, "string", "dump");
    lua_register(L, "setmetatable", l_setmetatable);
    lua_register(L, "load", l_load);
    lua_register(L, "collectgarbage", l_collectgarbage);
    /* Pages do not depend on chance either: equal data, equal bytes. */
    lua_getglobal(L, "math");
    lua_getfield(L, -1, "randomseed");
    lua_pushinteger(L, 1);
    lua_call(L, 1, 0);
    lua_pop(L, 1);
}

static void open_prelude(lua_State *L, int core)
{
    if (luaL_loadbufferx(L, PRELUDE, sizeof PRELUDE - 1, "=prelude", "t") != LUA_OK)
        lua_error(L);
    lua_pushvalue(L, core);
    lua_getglobal(L, "pcall");
    lua_getglobal(L, "table");
    lua_getfield(L, -1, "pack");
    lua_getfield(L, -2, "unpack");
    lua_remove(L, -3);
    lua_call(L, 4, 3);
    lua_setglobal(L, "sorted_pairs");
    lua_setglobal(L, "xpcall");
    lua_setglobal(L, "pcall");
}

void sandbox_open(lua_State *L)
{
    static const luaL_Reg functions[] = {{"depth", l_depth},
                                         {"unwind", l_unwind},
                                         {"template", l_template},
                                         {"environment", l_environment},
                                         {"global", l_global},
                                         {"has_module", l_has_module},
                                         {NULL, NULL}};
    open_libraries(L);
    lua_newtable(L);
    int core = lua_gettop(L);
    luaL_setfuncs(L, functions, 0);
    out_open(L);
    rows_open(L);
    json_open(L);
    open_prelude(L, core);
    api_open(L);
    freeze(L, "shepherd");
    lua_setglobal(L, "shepherd");
    make_globals(L);
    lua_newtable(L);
    lua_pushvalue(L, core);
    lua_pushcclosure(L, l_require, 2);
    lua_setglobal(L, "require");
    lua_settop(L, core - 1);
}
