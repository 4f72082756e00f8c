/* The table `shepherd`: everything that a view can ask and say. What a function reads is marked, so
 * that the page is made again when that moves and not before. */
#include "script/worker/worker.h"

#include <math.h>

static const double PARAM_NUMBER_MAX = 1e15; /* whole numbers below are exact */

/* shepherd.facts("price") → the fact as a table, or nil. */
static int l_facts(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    if (render_of(L)->sight == SIGHT_NOTHING)
        return 0;
    const json_t *fact = json_object_get(data_topic_json(L, TOPIC_FACTS), name);
    if (!fact)
        return 0;
    json_push(L, NULL, fact, false);
    return 1;
}

/* shepherd.system() → what the daemon says about itself; moves every 2 s. */
static int l_system(lua_State *L)
{
    bool shown = render_of(L)->sight != SIGHT_NOTHING;
    const json_t *value = shown ? data_topic_json(L, TOPIC_SYSTEM) : NULL;
    if (value)
        json_push(L, NULL, value, false);
    else
        lua_newtable(L);
    return 1;
}

/* ---- parameters ---- */

static const char *query_value(const struct request *request, const char *name)
{
    for (size_t i = 0; i < request->n_query; i++)
        if (strcmp(request->query[i].name, name) == 0)
            return request->query[i].value;
    return NULL;
}

static void declare(lua_State *L, const char *name)
{
    struct render *render = render_of(L);
    for (size_t i = 0; i < render->n_params; i++)
        if (strcmp(render->params[i], name) == 0)
            return;
    if (render->n_params == PROTO_PARAMS_MAX)
        luaL_error(L, "more than %d parameters", PROTO_PARAMS_MAX);
    if (!*name || strlen(name) > 64)
        luaL_error(L, "the name of a parameter has 1 to 64 bytes");
    render->params[render->n_params++] = shep_strdup(name);
}

/* false: text is no such thing, so the default stays. */
static bool push_number_param(lua_State *L, int dflt, const char *text)
{
    double value;
    int64_t whole;
    if (lua_isinteger(L, dflt)) {
        if (!str_to_i64(text, &whole) || (double)whole > PARAM_NUMBER_MAX ||
            (double)whole < -PARAM_NUMBER_MAX)
            return false;
        lua_pushinteger(L, whole);
        return true;
    }
    if (!str_to_f64(text, &value) || !isfinite(value) || fabs(value) > PARAM_NUMBER_MAX)
        return false;
    lua_pushnumber(L, value);
    return true;
}

static bool push_bool_param(lua_State *L, const char *text)
{
    static const char *const yes[] = {"1", "true", "yes", "on", ""};
    static const char *const no[] = {"0", "false", "no", "off"};
    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        bool is_yes = strcmp(text, yes[i]) == 0;
        if (!is_yes && (i >= ARRAY_LEN(no) || strcmp(text, no[i]) != 0))
            continue;
        lua_pushboolean(L, is_yes);
        return true;
    }
    return false;
}

static bool push_param(lua_State *L, int dflt, const char *text)
{
    char cut[LIMIT_PARAM_BYTES + 1];
    switch (lua_type(L, dflt)) {
    case LUA_TNUMBER:
        return push_number_param(L, dflt, text);
    case LUA_TBOOLEAN:
        return push_bool_param(L, text);
    default:
        lua_pushlstring(L, cut, str_copy(cut, sizeof cut, text, strlen(text)));
        return true;
    }
}

/* shepherd.params{ page = 1, q = "", all = false } → values. Declares what this page depends on:
 * the type is that of the default, which also stands for what is missing or wrong. Numbers are
 * within ±1e15, texts are cut at 256 bytes. Other query parameters never reach a view. */
static int l_params(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_newtable(L);
    for (lua_pushnil(L); lua_next(L, 1); lua_settop(L, 3)) { /* 3: name, 4: default */
        if (lua_type(L, 3) != LUA_TSTRING)
            return luaL_error(L, "shepherd.params{ name = default }: a name is missing");
        int type = lua_type(L, 4);
        const char *name = lua_tostring(L, 3);
        if (type != LUA_TNUMBER && type != LUA_TBOOLEAN && type != LUA_TSTRING)
            return luaL_error(L, "parameter \"%s\": the default is a number, a boolean or a text",
                              name);
        declare(L, name);
        const char *text = query_value(render_of(L)->request, name);
        if (!text || !push_param(L, 4, text))
            lua_pushvalue(L, 4);
        lua_setfield(L, 2, name);
    }
    lua_settop(L, 2);
    return 1;
}

/* ---- the reply ---- */

static bool is_header_text(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return false;
    return true;
}

static char *header_field(lua_State *L, const char *name, char **out)
{
    lua_getfield(L, 1, name);
    if (!lua_isnil(L, -1)) {
        const char *text = luaL_checkstring(L, -1);
        if (!is_header_text(text) || strlen(text) >= PROTO_TEXT_MAX)
            luaL_error(L, "shepherd.respond: \"%s\" is no text for a header", name);
        free(*out);
        *out = shep_strdup(text);
    }
    lua_pop(L, 1);
    return *out;
}

/* shepherd.respond{ status = 302, type = "text/csv", location = "/", body = "…" }: what is left out
 * stays as it is. body replaces what the view prints or returns. */
static int l_respond(lua_State *L)
{
    struct render *render = render_of(L);
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_getfield(L, 1, "status");
    if (!lua_isnil(L, -1)) {
        lua_Integer status = luaL_checkinteger(L, -1);
        if (status < 200 || status > 599)
            return luaL_error(L, "shepherd.respond: status is 200 to 599");
        render->status = (int)status;
    }
    header_field(L, "type", &render->content_type);
    if (header_field(L, "location", &render->location) && render->status == 200)
        render->status = 302;
    lua_getfield(L, 1, "body");
    if (!lua_isnil(L, -1)) {
        size_t len;
        const char *body = luaL_tolstring(L, -1, &len);
        if (len > LIMIT_OUTPUT)
            return luaL_error(L, "the page is over %d MiB", LIMIT_OUTPUT >> 20);
        free(render->body);
        render->body = shep_strndup(body, len);
        render->body_len = len;
    }
    return 0;
}

/* shepherd.expires(ms): the page may be served that long although nothing that it read moved. */
static int l_expires(lua_State *L)
{
    lua_Integer ms = luaL_checkinteger(L, 1);
    luaL_argcheck(L, ms >= 0, 1, "a time in milliseconds, 0 or more");
    render_of(L)->expires_ms = ms;
    return 0;
}

/* shepherd.not_found(message): ends the page; the visitor gets a 404. */
static int l_not_found(lua_State *L)
{
    const char *message = luaL_optstring(L, 1, "There is nothing here.");
    lua_settop(L, 1);
    render_of(L)->not_found = true;
    lua_pushstring(L, message);
    return lua_error(L);
}

/* shepherd.edited(): has a file that this page used so far come from an override directory? Such a
 * page may have inline styles. */
static int l_edited(lua_State *L)
{
    lua_pushboolean(L, render_of(L)->files.edited);
    return 1;
}

/* shepherd.source("lua/format.lua") → its text; files of the library and no others. */
static int l_source(lua_State *L)
{
    files_push_source(L, luaL_checkstring(L, 1));
    return 1;
}

/* shepherd.sources() → { "lua/display.lua", … } */
static int l_sources(lua_State *L)
{
    files_push_sources(L);
    return 1;
}

/* print(…) goes to the daemon's log, with the view's name. At most 20 lines a page. */
static int l_print(lua_State *L)
{
    struct render *render = render_of(L);
    char text[LIMIT_PRINT_BYTES];
    size_t len = 0;
    int n = lua_gettop(L);
    if (render->n_prints++ >= LIMIT_PRINTS)
        return 0;
    for (int i = 1; i <= n; i++) {
        size_t part_len;
        const char *part = luaL_tolstring(L, i, &part_len);
        if (i > 1 && len + 1 < sizeof text)
            text[len++] = '\t';
        len += str_copy(text + len, sizeof text - len, part, part_len);
        lua_pop(L, 1);
    }
    text[len] = '\0';
    serve_log(SHEP_LOG_INFO, text);
    return 0;
}

static void set_field(lua_State *L, const char *name, const char *value)
{
    lua_pushstring(L, value);
    lua_setfield(L, -2, name);
}

/* The language is told when somebody asks for it: a page that does not is the same for all. */
static int request_index(lua_State *L)
{
    if (lua_type(L, 2) != LUA_TSTRING || strcmp(lua_tostring(L, 2), "locale") != 0)
        return 0;
    render_of(L)->localized = true;
    lua_pushstring(L, render_of(L)->request->locale);
    return 1;
}

/* shepherd.request: path, name, role, locale; of a page [id]: id. */
static void push_request(lua_State *L, const struct request *request)
{
    lua_createtable(L, 0, 8);
    if (*request->param_name)
        set_field(L, request->param_name, request->param_value);
    set_field(L, "path", request->path);
    set_field(L, "name", request->route);
    set_field(L, "role", request->role);
    lua_createtable(L, 0, 2);
    lua_pushcfunction(L, request_index);
    lua_setfield(L, -2, "__index");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
}

void api_open(lua_State *L)
{
    static const luaL_Reg functions[] = {{"herd", herd_push},
                                         {"miner", herd_push_miner},
                                         {"facts", l_facts},
                                         {"system", l_system},
                                         {"config", settings_push},
                                         {"logs", query_logs},
                                         {"events", query_events},
                                         {"history", query_history},
                                         {"query", query_rows},
                                         {"params", l_params},
                                         {"respond", l_respond},
                                         {"expires", l_expires},
                                         {"not_found", l_not_found},
                                         {"edited", l_edited},
                                         {"source", l_source},
                                         {"sources", l_sources},
                                         {NULL, NULL}};
    luaL_newlib(L, functions);
    push_request(L, render_of(L)->request);
    lua_setfield(L, -2, "request");
    lua_pushcfunction(L, l_print);
    lua_setglobal(L, "print");
}
