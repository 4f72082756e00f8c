/* The page as it grows: a stack of buffers (include, layout and live.row capture what is printed
 * within them), escaping, and the marks around keyed rows.
 *
 * A row may be moved about inside strings before it reaches the page, so its place is marked in the
 * text itself: ESC, the nonce of this render, then '<' KEY-NUMBER ';' or '>'. Text that views print
 * escaped loses its control characters, and nobody can guess the nonce, so no miner can forge one.
 */
#include "script/worker/worker.h"

#include <ctype.h>
#include <sodium.h>

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
static void make_raw(lua_State *L)
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
    make_raw(L);
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
    make_raw(L);
    return 1;
}

/* ---- rows ---- */

static bool is_tag_name(char c)
{
    return isalnum((unsigned char)c) || c == '-' || c == '_' || c == ':';
}

/* Where the attributes of the row's own element begin: behind "<tr". NULL: it does not begin with
 * one. */
static const char *after_tag(const char *html, const char *end)
{
    if (html == end || *html != '<')
        return NULL;
    const char *p = html + 1;
    while (p < end && is_tag_name(*p))
        p++;
    return p > html + 1 ? p : NULL;
}

static bool tag_has_key(const char *p, const char *end)
{
    static const char name[] = " data-key=";
    const char *close = memchr(p, '>', (size_t)(end - p));
    return memmem(p, (size_t)((close ? close : end) - p), name, sizeof name - 1) != NULL;
}

static void check_key(lua_State *L, const char *key, size_t len)
{
    struct out *out = &render_of(L)->out;
    luaL_argcheck(L, len > 0 && len <= PROTO_KEY_MAX, 1, "a key has 1 to 128 bytes");
    for (size_t i = 0; i < len; i++)
        luaL_argcheck(L, (unsigned char)key[i] >= 0x20 && key[i] != 0x7f, 1,
                      "a key has no control characters");
    if (out->n_keys == PROTO_PARTS_MAX)
        limits_raise(L, "more than %d live rows on one page", PROTO_PARTS_MAX);
    for (size_t i = 0; i < out->n_keys; i++)
        if (strcmp(out->keys[i], key) == 0)
            limits_raise(L, "live.row(\"%s\") is there twice; each row needs a key of its own",
                         key);
}

/* begin_row(key): checks the key; rows do not nest. */
static int l_begin_row(lua_State *L)
{
    struct out *out = &render_of(L)->out;
    size_t len;
    const char *key = luaL_checklstring(L, 1, &len);
    if (out->in_row)
        limits_raise(L, "live.row(\"%s\") is inside another live.row; rows do not nest", key);
    check_key(L, key, len);
    out->in_row = true;
    return 0;
}

/* end_row(key, html) → the row with its marks, as a raw value. The element gets data-key if it has
 * none, because the browser finds it by that. */
static int l_end_row(lua_State *L)
{
    struct out *out = &render_of(L)->out;
    struct buf *buf = &render_of(L)->scratch;
    size_t key_len, len;
    const char *key = luaL_checklstring(L, 1, &key_len);
    const char *html = luaL_checklstring(L, 2, &len);
    const char *end = html + len;
    while (html < end && isspace((unsigned char)*html))
        html++;
    while (html < end && isspace((unsigned char)end[-1]))
        end--;
    const char *attrs = after_tag(html, end);
    if (!attrs)
        limits_raise(L, "live.row(\"%s\") must be one element: it begins with a tag", key);
    out->keys[out->n_keys] = shep_strndup(key, key_len);
    buf_clear(buf);
    buf_printf(buf, "\x1b%s<%zu;", out->nonce, out->n_keys++);
    buf_add(buf, html, (size_t)(attrs - html));
    if (!tag_has_key(attrs, end)) {
        buf_add_str(buf, " data-key=\"");
        out_escape_to(buf, key, key_len);
        buf_add_str(buf, "\"");
    }
    buf_add(buf, attrs, (size_t)(end - attrs));
    buf_printf(buf, "\x1b%s>", out->nonce);
    out->in_row = false;
    lua_pushlstring(L, buf->data, buf->len);
    make_raw(L);
    return 1;
}

struct splitter {
    const struct out *out;
    char *data;
    size_t len, at, to; /* read to `at`, written to `to` */
    crypto_generichash_state skeleton;
    bool fits;
};

static uint64_t hash64(const void *bytes, size_t len)
{
    unsigned char digest[crypto_generichash_BYTES_MIN];
    uint64_t value;
    crypto_generichash(digest, sizeof digest, bytes, len, NULL, 0);
    memcpy(&value, digest, sizeof value);
    return value;
}

/* The next mark: its offset and what it is; false: none. */
static bool next_mark(const struct splitter *s, size_t *at, size_t *mark_len, bool *opens,
                      size_t *key)
{
    char head[40];
    int head_len = snprintf(head, sizeof head, "\x1b%s", s->out->nonce);
    const char *p = memmem(s->data + s->at, s->len - s->at, head, (size_t)head_len);
    if (!p)
        return false;
    const char *q = p + head_len; /* the buffer ends with a NUL */
    *at = (size_t)(p - s->data);
    *opens = *q == '<';
    *key = PROTO_PARTS_MAX;
    if (*opens) {
        char *end;
        *key = strtoul(q + 1, &end, 10);
        q = end;
    }
    if (*q == ';' || *q == '>')
        q++;
    *mark_len = (size_t)(q - p);
    return true;
}

static void copy_to(struct splitter *s, size_t end)
{
    memmove(s->data + s->to, s->data + s->at, end - s->at);
    s->to += end - s->at;
    s->at = end;
}

bool out_parts(const struct out *out, struct buf *page, struct part *parts, size_t *n_parts,
               uint64_t *skeleton_hash)
{
    struct splitter s = {.out = out, .data = page->data, .len = page->len, .fits = true};
    size_t mark, mark_len, key, n = 0, skeleton_from = 0;
    bool opens, open = false;
    bool used[PROTO_PARTS_MAX] = {false};
    crypto_generichash_init(&s.skeleton, NULL, 0, crypto_generichash_BYTES_MIN);
    while (page->len && next_mark(&s, &mark, &mark_len, &opens, &key)) {
        copy_to(&s, mark);
        s.at += mark_len;
        if (opens == open || (opens && (key >= out->n_keys || used[key] || n == PROTO_PARTS_MAX))) {
            s.fits = false;
        } else if (opens) {
            used[key] = true;
            crypto_generichash_update(&s.skeleton, (unsigned char *)s.data + skeleton_from,
                                      s.to - skeleton_from);
            crypto_generichash_update(&s.skeleton, (const unsigned char *)out->keys[key],
                                      strlen(out->keys[key]) + 1);
            parts[n] = (struct part){.key = out->keys[key], .offset = (uint32_t)s.to};
        } else {
            parts[n].len = (uint32_t)s.to - parts[n].offset;
            parts[n].hash = hash64(s.data + parts[n].offset, parts[n].len);
            skeleton_from = s.to;
            n++;
        }
        open = opens;
    }
    copy_to(&s, s.len);
    page->len = s.to;
    if (page->data)
        page->data[page->len] = '\0';
    unsigned char digest[crypto_generichash_BYTES_MIN];
    crypto_generichash_update(&s.skeleton, (unsigned char *)s.data + skeleton_from,
                              s.to - skeleton_from);
    crypto_generichash_final(&s.skeleton, digest, sizeof digest);
    memcpy(skeleton_hash, digest, sizeof *skeleton_hash);
    *n_parts = s.fits && !open ? n : 0;
    return s.fits && !open;
}

/* ---- the banner ---- */

/* Behind the '>' of <body …>, or 0: there is none. Quoted attributes may hold a '>'. */
static size_t behind_body(const struct buf *page)
{
    const char *p = page->data ? strcasestr(page->data, "<body") : NULL;
    char quote = '\0';
    for (; p && *p; p++) {
        if (quote)
            quote = *p == quote ? '\0' : quote;
        else if (*p == '"' || *p == '\'')
            quote = *p;
        else if (*p == '>')
            return (size_t)(p + 1 - page->data);
    }
    return 0;
}

void out_banner(struct buf *page, const char *text)
{
    size_t at = behind_body(page);
    struct buf with = {0};
    buf_add(&with, page->data, at);
    buf_add_str(&with, "<div class=\"shep-banner banner\" role=\"alert\">");
    out_escape_to(&with, text, strlen(text));
    buf_add_str(&with, "</div>");
    if (page->len > at)
        buf_add(&with, page->data + at, page->len - at);
    buf_free(page);
    *page = with;
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
        {"begin_row", l_begin_row},
        {"end_row", l_end_row},
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
