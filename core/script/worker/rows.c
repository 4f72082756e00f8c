/* Keyed rows: parts of a page that travel alone when only they changed; and the banner.
 *
 * A row may be moved about inside strings before it reaches the page, so its place is marked in the
 * text itself: ESC, the nonce of this render, then '<' KEY-NUMBER ';' or '>'. Text that views print
 * escaped loses its control characters, and nobody can guess the nonce, so no miner can forge one.
 */
#include "script/worker/worker.h"

#include <ctype.h>
#include <sodium.h>

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
    out_make_raw(L);
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

bool rows_split(const struct out *out, struct buf *page, struct part *parts, size_t *n_parts,
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

void rows_banner(struct buf *page, const char *text)
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

void rows_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"begin_row", l_begin_row}, {"end_row", l_end_row}, {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
}
