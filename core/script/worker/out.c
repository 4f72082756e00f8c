/* The page as it grows: a stack of buffers (include, layout and live.row capture what is printed
 * within them), escaping, and values that are HTML already. */
#include "script/worker/worker.h"

static struct buf *current(lua_State *L)
{
    struct out *out = &render_of(L)->out;
    return &out->bufs[out->depth];
}

static const char raw_key; /* its address names the metatable of html.raw() values */

void out_free(struct out *out)
{
    for (size_t i = 0; i < LIMIT_CAPTURE; i++)
        buf_free(&out->bufs[i]);
    for (size_t i = 0; i < out->n_keys; i++)
        free(out->keys[i]);
    out->n_keys = 0;
}

static void check_room(lua_State *L, const struct buf *buf, size_t more)
{
    if (buf->len + more > LIMIT_OUTPUT)
        limits_raise(L, "the page is over %d MiB", LIMIT_OUTPUT >> 20);
}

void out_add(lua_State *L, const char *text, size_t len)
{
    struct buf *buf = current(L);
    check_room(L, buf, len);
    buf_add(buf, text, len);
}

static const char *entity_of(unsigned char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return "";
    }
}

void out_escape_to(struct buf *buf, const char *text, size_t len)
{
    size_t from = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        bool control = (c < 0x20 && c != '\t' && c != '\n') || c == 0x7f;
        if (!control && c != '&' && c != '<' && c != '>' && c != '"' && c != '\'')
            continue;
        buf_add(buf, text + from, i - from);
        buf_add_str(buf, entity_of(c));
        from = i + 1;
    }
    buf_add(buf, text + from, len - from);
}

void out_escaped(lua_State *L, const char *text, size_t len)
{
    struct buf *buf = current(L);
    check_room(L, buf, len);
    out_escape_to(buf, text, len); /* at most six times as much */
    check_room(L, buf, 0);
}

void out_push(lua_State *L)
{
    struct out *out = &render_of(L)->out;
    if (out->depth + 1 >= LIMIT_CAPTURE)
        limits_raise(L, "includes, layouts and rows are more than %d deep", LIMIT_CAPTURE - 1);
    buf_clear(&out->bufs[++out->depth]);
}

/* ---- values that are HTML already ---- */

static void push_raw_meta(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &raw_key);
}

static bool is_raw(lua_State *L, int index)
{
    if (lua_type(L, index) != LUA_TTABLE || !lua_getmetatable(L, index))
        return false;
    push_raw_meta(L);
    bool same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same;
}

/* Replaces the string on top by a raw value around it. */
void out_make_raw(lua_State *L)
{
    lua_createtable(L, 1, 0);
    lua_insert(L, -2);
    lua_rawseti(L, -2, 1);
    push_raw_meta(L);
    lua_setmetatable(L, -2);
}

/* The text of a value as `<%= %>` prints it, left on the stack. NULL: it prints nothing. */
static const char *text_of(lua_State *L, int index, size_t *len, bool *raw)
{
    *raw = false;
    switch (lua_type(L, index)) {
    case LUA_TNONE:
    case LUA_TNIL:
    case LUA_TLIGHTUSERDATA: /* json.null */
        return NULL;
    case LUA_TNUMBER:
        lua_pushvalue(L, index);
        return lua_tolstring(L, -1, len);
    case LUA_TSTRING:
        lua_pushvalue(L, index);
        return lua_tolstring(L, -1, len);
    default:
        if (is_raw(L, index)) {
            *raw = true;
            lua_rawgeti(L, index, 1);
            return lua_tolstring(L, -1, len);
        }
        return luaL_tolstring(L, index, len);
    }
}

static int l_emit(lua_State *L) /* text of the template itself */
{
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    out_add(L, text, len);
    return 0;
}

static int l_print_escaped(lua_State *L) /* <%= e %> */
{
    size_t len;
    bool raw;
    const char *text = text_of(L, 1, &len, &raw);
    if (text && raw)
        out_add(L, text, len);
    else if (text)
        out_escaped(L, text, len);
    return 0;
}

static int l_print_raw(lua_State *L) /* <%- e %> */
{
    size_t len;
    bool raw;
    const char *text = text_of(L, 1, &len, &raw);
    if (text)
        out_add(L, text, len);
    return 0;
}

/* html.raw(text): a value that is HTML already and passes through unescaped. */
static int l_raw(lua_State *L)
{
    size_t len;
    bool raw;
    lua_settop(L, 1);
    if (!text_of(L, 1, &len, &raw))
        lua_pushliteral(L, "");
    out_make_raw(L);
    return 1;
}

/* html.escape(value): a string in which nothing is markup; a raw value stays what it is. */
static int l_escape(lua_State *L)
{
    size_t len;
    bool raw;
    lua_settop(L, 1);
    const char *text = text_of(L, 1, &len, &raw);
    if (!text) {
        lua_pushliteral(L, "");
    } else if (raw) {
        lua_settop(L, 1);
    } else {
        struct buf *scratch = &render_of(L)->scratch;
        buf_clear(scratch);
        check_room(L, scratch, len);
        out_escape_to(scratch, text, len);
        lua_pushlstring(L, scratch->data ? scratch->data : "", scratch->len);
    }
    return 1;
}

static int l_is_raw(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_pushboolean(L, is_raw(L, 1));
    return 1;
}

static void push_text(lua_State *L, int index)
{
    size_t len;
    bool raw;
    if (!text_of(L, index, &len, &raw))
        lua_pushliteral(L, "");
}

static int raw_tostring(lua_State *L)
{
    push_text(L, 1);
    return 1;
}

/* raw .. text is a plain string: only a whole raw value passes unescaped. */
static int raw_concat(lua_State *L)
{
    lua_settop(L, 2);
    push_text(L, 1);
    push_text(L, 2);
    lua_concat(L, 2);
    return 1;
}

static int raw_len(lua_State *L)
{
    lua_rawgeti(L, 1, 1);
    lua_pushinteger(L, (lua_Integer)lua_rawlen(L, -1));
    return 1;
}

/* Begins a capture; returns how deep it is. */
static int l_push(lua_State *L)
{
    out_push(L);
    lua_pushinteger(L, (lua_Integer)render_of(L)->out.depth);
    return 1;
}

/* Ends a capture: what was printed within, as a raw value. */
static int l_pop(lua_State *L)
{
    struct out *out = &render_of(L)->out;
    if (out->depth == 0)
        limits_raise(L, "no capture to end");
    struct buf *buf = &out->bufs[out->depth--];
    lua_pushlstring(L, buf->data ? buf->data : "", buf->len);
    out_make_raw(L);
    return 1;
}

void out_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"emit", l_emit},
        {"print_escaped", l_print_escaped},
        {"print_raw", l_print_raw},
        {"raw", l_raw},
        {"escape", l_escape},
        {"is_raw", l_is_raw},
        {"push", l_push},
        {"pop", l_pop},
        {NULL, NULL},
    };
    static const luaL_Reg meta[] = {
        {"__tostring", raw_tostring},
        {"__concat", raw_concat},
        {"__len", raw_len},
        {NULL, NULL},
    };
    lua_createtable(L, 0, 4);
    luaL_setfuncs(L, meta, 0);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &raw_key);
    luaL_setfuncs(L, functions, 0);
}
