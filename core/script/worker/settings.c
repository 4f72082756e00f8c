/* shepherd.config(): the configuration as far as the role may see it. Objects fill themselves, each
 * field when a view first looks at it: the flock of a thousand miners is large, every page asks for
 * the configuration, and hardly one for all of it. The same table each time within one page. */
#include "script/worker/worker.h"

static const char config_key, meta_key;
static const char parts_key; /* table → the JSON object that it is filled from */

static void push_object(lua_State *L, const json_t *object)
{
    luaL_checkstack(L, 5, "the configuration");
    lua_newtable(L);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &meta_key);
    lua_setmetatable(L, -2);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &parts_key);
    lua_pushvalue(L, -2);
    lua_pushlightuserdata(L, (void *)object); /* it stays as it is until the page is done */
    lua_rawset(L, -3);
    lua_pop(L, 1);
}

static void push_part(lua_State *L, const char *name, const json_t *value)
{
    if (json_is_object(value))
        push_object(L, value);
    else
        json_push(L, name, value, false);
}

/* What the table at index is filled from; NULL: it is full, or none of ours. */
static const json_t *object_of(lua_State *L, int index)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &parts_key);
    lua_pushvalue(L, index);
    lua_rawget(L, -2);
    const json_t *object = lua_touserdata(L, -1);
    lua_pop(L, 2);
    return object;
}

static int l_index(lua_State *L)
{
    const json_t *object = object_of(L, 1);
    const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : NULL;
    const json_t *value = name ? json_object_get(object, name) : NULL;
    if (!value)
        return 0;
    push_part(L, name, value);
    lua_pushvalue(L, 2);
    lua_pushvalue(L, -2);
    lua_rawset(L, 1);
    return 1;
}

void settings_fill(lua_State *L, int index)
{
    if (!has_meta(L, index, &meta_key))
        return;
    luaL_checkstack(L, 4, "the configuration");
    const json_t *object = object_of(L, index), *value;
    const char *name;
    json_object_foreach((json_t *)object, name, value)
    {
        lua_pushstring(L, name);
        if (lua_rawget(L, index) == LUA_TNIL) { /* else it was looked at, or set */
            push_part(L, name, value);
            lua_setfield(L, index, name);
        }
        lua_pop(L, 1);
    }
    lua_rawgetp(L, LUA_REGISTRYINDEX, &parts_key);
    lua_pushvalue(L, index);
    lua_pushnil(L);
    lua_rawset(L, -3);
    lua_pop(L, 1);
}

static int l_next(lua_State *L)
{
    lua_settop(L, 2);
    return lua_next(L, 1) ? 2 : 0;
}

static int l_pairs(lua_State *L)
{
    lua_settop(L, 1);
    luaL_checktype(L, 1, LUA_TTABLE);
    settings_fill(L, 1);
    lua_pushcfunction(L, l_next);
    lua_pushvalue(L, 1);
    return 2;
}

static void make_meta(lua_State *L)
{
    static const luaL_Reg functions[] = {{"__index", l_index}, {"__pairs", l_pairs}, {NULL, NULL}};
    luaL_newlib(L, functions);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &meta_key);
    lua_newtable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &parts_key);
}

int settings_push(lua_State *L)
{
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &config_key) == LUA_TTABLE)
        return 1;
    const json_t *config = data_topic_json(L, TOPIC_CONFIG);
    make_meta(L);
    push_object(L, config);
    role_trim_config(L, config);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &config_key);
    return 1;
}
