/* JSON for scripts. Reading is jansson's. Writing goes straight from Lua's tables into the buffer:
 * jansson's objects would be a second copy of all of it that is not under the script's memory cap.
 * Keys are sorted, so that equal tables give equal bytes (the ETag is the hash of the bytes). */
#include "script/worker/worker.h"

#include <math.h>

static const char array_key; /* names the metatable of json.array() */

struct writer {
    lua_State *L;
    struct buf *buf;
    int indent, depth;
};

static void write_value(struct writer *w, int index);

static void check_size(struct writer *w)
{
    if (w->buf->len > LIMIT_OUTPUT)
        luaL_error(w->L, "json: the text is over %d MiB", LIMIT_OUTPUT >> 20);
}

/* The length of the UTF-8 sequence at p, or 0 when it is none (overlong forms and surrogates
 * included). */
static size_t utf8_len(const unsigned char *p, size_t left)
{
    size_t n = p[0] < 0x80                   ? 1
               : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
               : (p[0] & 0xf0) == 0xe0       ? 3
               : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
                                             : 0;
    if (n == 0 || n > left)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    bool wrong = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
                 (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f);
    return wrong ? 0 : n;
}

static void write_escape(struct buf *buf, unsigned char c)
{
    static const char names[] = "btn\0fr"; /* 8 … 13 */
    if (c == '"' || c == '\\')
        buf_add(buf, (char[]){'\\', (char)c}, 2);
    else if (c >= 8 && c <= 13 && names[c - 8])
        buf_add(buf, (char[]){'\\', names[c - 8]}, 2);
    else
        buf_printf(buf, "\\u%04x", c);
}

static void write_string(struct buf *buf, const char *text, size_t len)
{
    buf_add(buf, "\"", 1);
    size_t from = 0, i = 0;
    while (i < len) {
        unsigned char c = (unsigned char)text[i];
        size_t n = utf8_len((const unsigned char *)text + i, len - i);
        /* "<" so that JSON inside a page's <script> cannot end it */
        bool plain =
            n > 1 || (n == 1 && c >= 0x20 && c != '"' && c != '\\' && c != '<' && c != 127);
        if (!plain) {
            buf_add(buf, text + from, i - from);
            if (n)
                write_escape(buf, c);
            else
                buf_add_str(buf, "\xef\xbf\xbd");
            from = i + 1;
        }
        i += n ? n : 1;
    }
    buf_add(buf, text + from, len - from);
    buf_add(buf, "\"", 1);
}

static void write_integer(struct buf *buf, lua_Integer value)
{
    char digits[24], *p = digits + sizeof digits;
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        *--p = (char)('0' + left % 10);
        left /= 10;
    } while (left);
    if (value < 0)
        *--p = '-';
    buf_add(buf, p, (size_t)(digits + sizeof digits - p));
}

/* The shortest of 15 or 17 digits that reads back as the same number; NaN and infinity are null. */
static void write_float(struct buf *buf, double value)
{
    char text[40];
    if (!isfinite(value)) {
        buf_add_str(buf, "null");
        return;
    }
    snprintf(text, sizeof text, "%.15g", value);
    if (strtod(text, NULL) != value)
        snprintf(text, sizeof text, "%.17g", value);
    buf_add_str(buf, text);
}

static void write_newline(struct writer *w)
{
    if (!w->indent)
        return;
    buf_add(w->buf, "\n", 1);
    for (int i = 0; i < w->depth * w->indent; i++)
        buf_add(w->buf, " ", 1);
}

static void write_array(struct writer *w, int index, lua_Integer n)
{
    buf_add(w->buf, "[", 1);
    w->depth++;
    for (lua_Integer i = 1; i <= n; i++) {
        if (i > 1)
            buf_add(w->buf, ",", 1);
        write_newline(w);
        lua_rawgeti(w->L, index, i);
        write_value(w, lua_gettop(w->L));
        lua_pop(w->L, 1);
    }
    w->depth--;
    if (n)
        write_newline(w);
    buf_add(w->buf, "]", 1);
}

struct key {
    const char *text;
    size_t len;
};

static int compare_keys(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    int order = memcmp(x->text, y->text, x->len < y->len ? x->len : y->len);
    return order ? order : (x->len > y->len) - (x->len < y->len);
}

/* The keys of the table at index, sorted, in a userdata that is left on the stack. Strings stay
 * where they are while the table holds them. */
static struct key *sorted_keys(struct writer *w, int index, size_t n)
{
    lua_State *L = w->L;
    struct key *keys = lua_newuserdatauv(L, (n ? n : 1) * sizeof *keys, 0);
    size_t i = 0;
    for (lua_pushnil(L); lua_next(L, index) && i < n; lua_pop(L, 1), i++)
        keys[i].text = lua_tolstring(L, -2, &keys[i].len);
    qsort(keys, n, sizeof *keys, compare_keys);
    return keys;
}

static void write_object(struct writer *w, int index, size_t n)
{
    struct key *keys = sorted_keys(w, index, n);
    buf_add(w->buf, "{", 1);
    w->depth++;
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_add(w->buf, ",", 1);
        write_newline(w);
        write_string(w->buf, keys[i].text, keys[i].len);
        buf_add(w->buf, w->indent ? ": " : ":", w->indent ? 2 : 1);
        lua_pushlstring(w->L, keys[i].text, keys[i].len);
        lua_rawget(w->L, index);
        write_value(w, lua_gettop(w->L));
        lua_pop(w->L, 1);
    }
    w->depth--;
    if (n)
        write_newline(w);
    buf_add(w->buf, "}", 1);
    lua_pop(w->L, 1);
}

static void write_table(struct writer *w, int index)
{
    lua_State *L = w->L;
    size_t n_strings = 0, n_others = 0;
    if (w->depth >= LIMIT_JSON_DEPTH)
        luaL_error(L, "json: tables are nested more than %d deep (or in a circle)",
                   LIMIT_JSON_DEPTH);
    luaL_checkstack(L, 8, "json");
    check_size(w);
    if (has_meta(L, index, &array_key)) {
        write_array(w, index, (lua_Integer)lua_rawlen(L, index));
        return;
    }
    miner_fill(L, index);
    settings_fill(L, index);
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1))
        *(lua_type(L, -2) == LUA_TSTRING ? &n_strings : &n_others) += 1;
    if (n_others == 0)
        write_object(w, index, n_strings);
    else if (n_strings == 0 && n_others == lua_rawlen(L, index))
        write_array(w, index, (lua_Integer)n_others);
    else
        luaL_error(L, "json: a table is either a list (1, 2, 3 …) or has names, not both");
}

static void write_value(struct writer *w, int index)
{
    size_t len;
    const char *text;
    switch (lua_type(w->L, index)) {
    case LUA_TNIL:
    case LUA_TLIGHTUSERDATA:
        buf_add_str(w->buf, "null");
        break;
    case LUA_TBOOLEAN:
        buf_add_str(w->buf, lua_toboolean(w->L, index) ? "true" : "false");
        break;
    case LUA_TNUMBER:
        if (lua_isinteger(w->L, index))
            write_integer(w->buf, lua_tointeger(w->L, index));
        else
            write_float(w->buf, lua_tonumber(w->L, index));
        break;
    case LUA_TSTRING:
        text = lua_tolstring(w->L, index, &len);
        write_string(w->buf, text, len);
        break;
    case LUA_TTABLE:
        write_table(w, index);
        break;
    default:
        luaL_error(w->L, "json: there is no way to write a %s", luaL_typename(w->L, index));
    }
}

void json_write(lua_State *L, int index, struct buf *buf, int indent)
{
    struct writer w = {.L = L, .buf = buf, .indent = indent};
    write_value(&w, lua_absindex(L, index));
    check_size(&w);
}

/* json.encode(value, { indent = 2 }) → text. Keys are sorted; integers stay integers; NaN and
 * infinity are null; an empty table is {} unless json.array made it. */
static int l_encode(lua_State *L)
{
    struct buf *scratch = &render_of(L)->scratch;
    lua_Integer indent = 0;
    luaL_checkany(L, 1);
    if (lua_istable(L, 2)) {
        lua_getfield(L, 2, "indent");
        indent = luaL_optinteger(L, -1, 0);
        luaL_argcheck(L, indent >= 0 && indent <= 8, 2, "indent is 0 to 8");
    }
    buf_clear(scratch);
    json_write(L, 1, scratch, (int)indent);
    lua_pushlstring(L, scratch->data, scratch->len);
    return 1;
}

void json_push(lua_State *L, const char *name, const json_t *value, bool keep_null)
{
    luaL_checkstack(L, 6, "json");
    switch (json_typeof(value)) {
    case JSON_OBJECT: {
        const char *key;
        json_t *item;
        lua_createtable(L, 0, (int)json_object_size(value));
        json_object_foreach((json_t *)value, key, item)
        {
            json_push(L, key, item, keep_null);
            lua_setfield(L, -2, key);
        }
        break;
    }
    case JSON_ARRAY: {
        size_t i;
        json_t *item;
        lua_createtable(L, (int)json_array_size(value), 0);
        json_array_foreach((json_t *)value, i, item)
        {
            json_push(L, name, item, true); /* a nil would be a hole */
            lua_rawseti(L, -2, (lua_Integer)i + 1);
        }
        lua_rawgetp(L, LUA_REGISTRYINDEX, &array_key);
        lua_setmetatable(L, -2);
        break;
    }
    case JSON_STRING:
        role_push_text(L, name, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        lua_pushinteger(L, json_integer_value(value));
        break;
    case JSON_REAL:
        lua_pushnumber(L, json_real_value(value));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        lua_pushboolean(L, json_is_true(value));
        break;
    case JSON_NULL:
        if (keep_null)
            lua_pushlightuserdata(L, NULL);
        else
            lua_pushnil(L);
        break;
    }
}

/* json.decode(text) → value, or nil and a message. null is json.null. */
static int l_decode(lua_State *L)
{
    struct render *render = render_of(L);
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    json_error_t err;
    luaL_argcheck(L, len <= LIMIT_JSON_BYTES, 1, "a text over 1 MiB is not decoded");
    json_decref(render->decoded);
    render->decoded = json_loadb(text, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &err);
    if (!render->decoded) {
        lua_pushnil(L);
        lua_pushfstring(L, "json: line %d, column %d: %s", err.line, err.column, err.text);
        return 2;
    }
    json_push(L, NULL, render->decoded, true);
    json_decref(render->decoded);
    render->decoded = NULL;
    return 1;
}

/* json.array(t) → t, marked as a list: {} becomes []. */
static int l_array(lua_State *L)
{
    if (lua_isnoneornil(L, 1)) {
        lua_settop(L, 0);
        lua_newtable(L);
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &array_key);
    lua_setmetatable(L, 1);
    return 1;
}

void json_open(lua_State *L)
{
    static const luaL_Reg functions[] = {{"json_encode", l_encode},
                                         {"json_decode", l_decode},
                                         {"json_array", l_array},
                                         {NULL, NULL}};
    lua_createtable(L, 0, 1);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable"); /* nobody puts a __gc in there */
    lua_rawsetp(L, LUA_REGISTRYINDEX, &array_key);
    luaL_setfuncs(L, functions, 0);
    lua_pushlightuserdata(L, NULL);
    lua_setfield(L, -2, "json_null");
}
