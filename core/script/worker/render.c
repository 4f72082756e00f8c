/* One page: a fresh Lua state, the view, and what comes of it. */
#include "script/worker/worker.h"

#include <sodium.h>
#include <zlib.h>

/* ---- what the view gave back ---- */

static void set_type(struct render *render, const char *type)
{
    if (!render->content_type)
        render->content_type = shep_strdup(type);
}

static bool is_api(const struct request *request)
{
    return strncmp(request->path, "/api/", 5) == 0;
}

/* A .lua view returns a text, a value of html.raw, or a table, which becomes JSON. */
static void take_result(lua_State *L, struct render *render)
{
    const struct request *request = render->request;
    struct buf *page = &render->out.bufs[0];
    size_t len;
    bool plain_table = false;
    if (lua_type(L, -1) == LUA_TTABLE) {
        bool is_printable = luaL_getmetafield(L, -1, "__tostring") != LUA_TNIL;
        lua_pop(L, is_printable ? 1 : 0);
        plain_table = !is_printable;
    }
    if (plain_table) {
        json_write(L, -1, page, 0);
        set_type(render, "application/json; charset=utf-8");
        return;
    }
    if (!lua_isnil(L, -1)) {
        const char *text = luaL_tolstring(L, -1, &len);
        out_add(L, text, len);
    }
    set_type(render,
             is_api(request) ? "application/json; charset=utf-8" : "text/html; charset=utf-8");
}

/* Runs protected: Lua code of people from here on. */
static int run_view(lua_State *L)
{
    struct render *render = render_of(L);
    const struct request *request = render->request;
    sandbox_open(L);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "template");
    lua_call(L, 1, 1); /* include() and layout() */
    if (request->flags & RENDER_HTML) {
        lua_getfield(L, -1, "page");
        lua_pushstring(L, request->view + strlen("views/"));
        lua_call(L, 1, 0);
        set_type(render, "text/html; charset=utf-8");
        return 0;
    }
    files_load(L, request->view);
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
    lua_getfield(L, -1, "_G");
    lua_setupvalue(L, -3, 1);
    lua_pop(L, 1);
    lua_call(L, 0, 1);
    take_result(L, render);
    return 0;
}

/* ---- from text to a reply ---- */

static bool may_gzip(const struct render *render, const struct buf *body)
{
    const char *type = render->content_type;
    return (render->request->flags & RENDER_GZIP) && body->len > GZIP_MIN &&
           (strncmp(type, "text/", 5) == 0 || strncmp(type, "application/json", 16) == 0 ||
            strncmp(type, "image/svg+xml", 13) == 0);
}

/* The head of a gzip file has neither time nor name: equal bodies, equal bytes. */
static void make_gzip(const struct buf *body, struct buf *gzip)
{
    z_stream z = {0};
    enum { WINDOW_GZIP = 15 + 16, MEMORY_DEFAULT = 8 };
    if (deflateInit2(&z, GZIP_LEVEL, Z_DEFLATED, WINDOW_GZIP, MEMORY_DEFAULT, Z_DEFAULT_STRATEGY))
        return;
    uLong bound = deflateBound(&z, (uLong)body->len);
    buf_clear(gzip);
    buf_reserve(gzip, bound);
    z.next_in = (Bytef *)body->data;
    z.avail_in = (uInt)body->len;
    z.next_out = (Bytef *)gzip->data;
    z.avail_out = (uInt)bound;
    if (deflate(&z, Z_FINISH) == Z_STREAM_END && z.total_out < body->len)
        gzip->len = z.total_out;
    deflateEnd(&z);
}

static void make_etag(const struct buf *body, char etag[static 40])
{
    unsigned char digest[crypto_generichash_BYTES_MIN];
    char hex[sizeof digest * 2 + 1];
    crypto_generichash(digest, sizeof digest, (unsigned char *)body->data, body->len, NULL, 0);
    sodium_bin2hex(hex, sizeof hex, digest, sizeof digest);
    snprintf(etag, 40, "W/\"%s\"", hex);
}

static void finish_page(struct render *render, struct page *page)
{
    struct buf *out = &render->out.bufs[0];
    if (render->body) {
        buf_clear(out);
        buf_add(out, render->body, render->body_len);
    }
    buf_reserve(out, 0);
    if (render->request->banner[0] && strncmp(render->content_type, "text/html", 9) == 0)
        rows_banner(out, render->request->banner);
    if (!rows_split(&render->out, out, page->parts, &page->n_parts, &page->skeleton_hash))
        serve_log(SHEP_LOG_WARN,
                  "a live.row() was cut up by string functions; the page is sent whole");
    page->body = *out;
    *out = (struct buf){0};
    page->outcome = DONE_PAGE;
    page->status = render->status;
    make_etag(&page->body, page->etag);
    if (may_gzip(render, &page->body))
        make_gzip(&page->body, &page->gzip);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void render_run(struct render *render, struct page *page)
{
    const struct request *request = render->request;
    unsigned char nonce[16];
    randombytes_buf(nonce, sizeof nonce);
    sodium_bin2hex(render->out.nonce, sizeof render->out.nonce, nonce, sizeof nonce);
    render->status = 200;
    render->expires_ms = render->max_age_ms = -1;
    limits_begin(&render->limits, worker.conf.cpu_ms, request->deadline_ms);
    lua_State *L = limits_new_state(&render->limits, render);
    if (!L) {
        page->outcome = DONE_FAILED;
        snprintf(page->message, sizeof page->message, "no memory for a script");
        return;
    }
    lua_pushcfunction(L, run_view);
    int rc =
        limits_call(L, &render->limits, 0, 0, page->message, sizeof page->message, &page->where);
    if (rc == LUA_OK)
        finish_page(render, page);
    else
        page->outcome = render->not_found && rc == LUA_ERRRUN && !render->limits.tripped[0]
                            ? DONE_NOT_FOUND
                            : DONE_FAILED;
    lua_close(L); /* no finalizers of scripts can be in there */
    qsort(render->params, render->n_params, sizeof *render->params, compare_names);
}

void render_end(struct render *render, struct page *page)
{
    out_free(&render->out);
    query_end(render);
    for (size_t i = 0; i < render->n_params; i++)
        free(render->params[i]);
    free(render->content_type);
    free(render->location);
    free(render->body);
    buf_free(&render->scratch);
    json_decref(render->decoded);
    buf_free(&page->body);
    buf_free(&page->gzip);
}
