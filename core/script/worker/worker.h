/* What the files of the script process share. One process, one thread, one render at a time; a
 * fresh lua_State for each render.
 *
 * Two lifetimes: `struct worker` lives as long as the process (connection, caches), `struct render`
 * for one page. Lua errors are longjmps: a C function that Lua calls keeps nothing that must be
 * freed in local variables across a call that may raise; temporaries live in struct render and are
 * freed with it. */
#ifndef SHEP_SCRIPT_WORKER_H
#define SHEP_SCRIPT_WORKER_H

#include "herd/snapshot.h"
#include "herd/topic.h"
#include "script/proto/proto.h"
#include "store/store.h"

#include <jansson.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

enum {
    LIMIT_MEMORY = 24 << 20,     /* of its lua_State */
    LIMIT_OUTPUT = 4 << 20,      /* bytes of the page */
    LIMIT_HOOK_STEPS = 10000,    /* instructions between two looks at the clock */
    LIMIT_QUERIES = 64,          /* of one render */
    LIMIT_ROWS = 10000,          /* of one query */
    LIMIT_QUERY_BYTES = 8 << 20, /* of one query's result */
    LIMIT_PRINTS = 20,           /* lines that a render may log */
    LIMIT_PRINT_BYTES = 512,     /* of one such line */
    LIMIT_PARAM_BYTES = 256,     /* of a string parameter */
    LIMIT_JSON_DEPTH = 64,       /* nested tables of json.encode */
    LIMIT_JSON_BYTES = 1 << 20,  /* of the text that json.decode takes */
    LIMIT_CAPTURE = 24,          /* includes, layouts and rows within each other */
    LIMIT_ADDRESS_SPACE = 512,   /* MiB; the allocator's cap comes long before it */
    CACHE_FILES = 192,           /* compiled files that are kept */
    CACHE_BYTES = 6 << 20,       /* their sources and byte code */
    REQUEST_QUERY_MAX = 64,      /* query parameters that come with a request */
    GZIP_MIN = 1024,             /* smaller bodies are not worth it */
    GZIP_LEVEL = 6,
    /* How long a page lasts that did not say it by shepherd.expires(): */
    MAX_AGE_CLOCK_MS = 10000,  /* when it read the clock */
    MAX_AGE_HISTORY_MS = 30000 /* when it read roll-ups, which no topic announces */
};

/* ---- limits.c: memory, processor time, wall time ---- */
struct where {
    char file[PROTO_NAME_MAX]; /* logical name; "" not known */
    int line;
};
struct limits {
    size_t mem_used, mem_max;
    int64_t cpu_end_us, wall_end_ms;
    char tripped[256]; /* "took more than 250 ms of processor time"; empty: no */
    struct where tripped_at;
};
void limits_begin(struct limits *limits, int64_t cpu_ms, int64_t wall_end_ms);
/* A new state whose memory, from its first byte on, is bounded by limits, and whose hook is set
 * before anything else exists. extra goes into lua_getextraspace(). NULL: no memory. */
lua_State *limits_new_state(struct limits *limits, void *extra);
/* An error without a position of its own: for what the library calls on behalf of a view, whose
 * line limits_call() then finds. */
_Noreturn void limits_raise(lua_State *L, const char *fmt, ...);
/* "views/a.html:12: text" → where, and the text within message. */
const char *limits_split(const char *message, struct where *where);
/* Run the function with n_args on the stack. LUA_OK, or an error with its message and where it came
 * from, as far as that is known; never calls a metamethod of an error value. */
int limits_call(lua_State *L, struct limits *limits, int n_args, int n_results, char *message,
                size_t cap, struct where *where);

/* ---- out.c: the page as it grows ---- */
struct out {
    struct buf bufs[LIMIT_CAPTURE]; /* the page, and what include() and the like capture */
    unsigned depth;                 /* of the one that is written to */
    char nonce[33];                 /* of this render, in the marks around rows */
    char *keys[PROTO_PARTS_MAX];
    size_t n_keys;
    bool in_row;
};
struct part {
    const char *key; /* owned by struct out */
    uint32_t offset, len;
    uint64_t hash;
};
void out_free(struct out *out);
void out_add(lua_State *L, const char *text, size_t len); /* raises over LIMIT_OUTPUT */
void out_escaped(lua_State *L, const char *text, size_t len);
void out_escape_to(struct buf *buf, const char *text, size_t len);
void out_push(lua_State *L);     /* capture; raises when too deep */
void out_make_raw(lua_State *L); /* the text on top becomes a value that passes unescaped */
void out_open(lua_State *L);     /* adds emit, escape, raw, push, pop … to the table on top */

/* ---- rows.c: live.row ---- */
/* Takes the marks of rows out of page, fills parts and the hash of what is between them. false:
 * marks that do not fit (a row that was cut up by string functions): then there are no parts, and
 * still no marks. */
bool rows_split(const struct out *out, struct buf *page, struct part *parts, size_t *n_parts,
                uint64_t *skeleton_hash);
void rows_banner(struct buf *page, const char *text); /* after <body …> */
void rows_open(lua_State *L); /* adds begin_row, end_row to the table on top */

/* ---- files.c: names, directories, compiled code ---- */
struct conf {
    char *lua_dir, *views_dir, *db_path; /* db_path NULL: none */
    int64_t cpu_ms;                      /* processor time of one render */
    char *view_dirs[16];
    size_t n_view_dirs;
};
struct source { /* a file as the render uses it */
    char *name; /* "views/a.html", "lua/html.lua" */
    char *path;
    const char *text;
    size_t len;
    uint64_t hash;
};
struct cached;
struct files { /* of one render */
    struct source used[PROTO_SOURCES_MAX];
    size_t n_used;
    struct source *given; /* last good sources */
    size_t n_given;
    char *looked_at[PROTO_DEPS_MAX];
    size_t n_looked_at;
    bool edited; /* one that was used is of an override directory */
};
/* Compile "views/x.html" or "lua/x.lua" and push the function; raises with a message for people. */
void files_load(lua_State *L, const char *name);
bool files_exists(lua_State *L, const char *name);
void files_push_source(lua_State *L, const char *name); /* the text of "lua/html.lua"; raises */
void files_push_sources(lua_State *L);                  /* the names of all of those, sorted */
void files_end(struct files *files);
uint64_t files_hash(const struct files *files); /* of all that was used */
void files_trim(void);                          /* between renders: keep the cache within bounds */
void files_forget(void);                        /* at exit */

/* ---- json.c ---- */
void json_open(
    lua_State *L); /* adds json_encode, json_decode, json_null, json_array to the table */
/* The value at index to buf; raises for what JSON cannot say. indent 0: one line. */
void json_write(lua_State *L, int index, struct buf *buf, int indent);
/* null becomes nil unless keep_null. Texts are what the role may see of them. name: the key that
 * the value stands under; NULL: none. */
void json_push(lua_State *L, const char *name, const json_t *value, bool keep_null);

/* ---- data.c: the topics ---- */
/* The bytes of a topic as this render sees them; asked for once. Marks it as read. */
const char *data_topic(lua_State *L, enum topic topic, size_t *len);
const json_t *data_topic_json(lua_State *L, enum topic topic);

/* ---- herd.c, query.c, api.c: the table `shepherd` ---- */
int herd_push(lua_State *L);              /* shepherd.herd() */
int herd_push_miner(lua_State *L);        /* shepherd.miner(id or name) */
void miner_fill(lua_State *L, int index); /* miner.c; a miner reads all its fields; else nothing */
int query_rows(lua_State *L);             /* shepherd.query(sql, ...) */
int query_logs(lua_State *L);             /* shepherd.logs{…} */
int query_events(lua_State *L);           /* shepherd.events{…} */
int query_history(lua_State *L);          /* shepherd.history{…} */
struct render;
void query_end(struct render *render); /* frees what a query left behind when Lua raised */
void api_open(lua_State *L);           /* pushes the table, not yet frozen */

/* ---- role.c: what a role may see ---- */
enum sight { SIGHT_NOTHING, SIGHT_SHORT, SIGHT_WHOLE, SIGHT_ADMIN };
enum sight role_sight(const char *role);
/* Pushes a text from outside, with addresses shortened for who may not see them whole. name: the
 * key or column that it stands under; NULL: none. */
void role_push_text(lua_State *L, const char *name, const char *text, size_t len);
void role_trim_config(lua_State *L, const json_t *config); /* the table on top */

/* ---- settings.c: shepherd.config() ---- */
int settings_push(lua_State *L);             /* a C function for Lua */
void settings_fill(lua_State *L, int index); /* a table of it; does nothing to others */

/* ---- sandbox.c: what scripts may call ---- */
void sandbox_open(lua_State *L); /* libraries, require, frozen globals; raises */

/* ---- render.c ---- */
struct query_result;
struct request {
    const char *file, *view; /* path on disk; logical name "views/a/b.html" */
    const char *route;       /* "a/b" */
    const char *path, *param_name, *param_value, *role, *locale, *banner;
    uint32_t flags;
    int64_t now_ms, deadline_ms; /* wall clock of the page; monotonic end */
    uint64_t seqs[TOPIC_COUNT];
    uint64_t known_hash; /* sources that the daemon has already */
    struct {
        const char *name, *value;
    } query[REQUEST_QUERY_MAX];
    size_t n_query;
};
struct render {
    const struct request *request;
    enum sight sight; /* of its role */
    struct limits limits;
    struct files files;
    struct out out;
    uint32_t topics;  /* read, as bits; by queries too */
    uint32_t fetched; /* whose data this render has begun with */
    unsigned n_needs, n_queries, n_prints;
    int64_t expires_ms; /* by shepherd.expires; -1: not said */
    int64_t max_age_ms; /* by what it read; -1: for ever */
    int status;
    char *content_type, *location, *body; /* of shepherd.respond; NULL: not said */
    size_t body_len;
    char *params[PROTO_PARAMS_MAX];
    size_t n_params;
    bool not_found;
    bool localized;     /* it asked for its language */
    struct buf scratch; /* of one C function at a time */
    json_t *decoded;    /* of json.decode, until it is in Lua */
    struct query_result *rows;
};
/* Shortens the life of a page that did not say how long it lasts. */
static inline void render_lasts(struct render *render, int64_t ms)
{
    if (render->max_age_ms < 0 || ms < render->max_age_ms)
        render->max_age_ms = ms;
}
static inline struct render *render_of(lua_State *L)
{
    return *(struct render **)lua_getextraspace(L);
}
/* Does the value at index have the metatable that the registry keeps under key? */
static inline bool has_meta(lua_State *L, int index, const void *key)
{
    if (!lua_getmetatable(L, index))
        return false;
    lua_rawgetp(L, LUA_REGISTRYINDEX, key);
    bool same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same;
}
struct page {
    enum done_outcome outcome;
    struct buf body, gzip;
    int status;
    char etag[40];
    struct part parts[PROTO_PARTS_MAX];
    size_t n_parts;
    uint64_t skeleton_hash;
    char message[PROTO_TEXT_MAX];
    struct where where;
};
void render_run(struct render *render, struct page *page);
void render_end(struct render *render, struct page *page);

/* ---- serve.c: the process ---- */
struct worker {
    int fd;
    struct conf conf;
    struct buf in;
    size_t in_used;
    struct {
        uint64_t seq;
        bool known;
        struct buf bytes;
        json_t *json;
    } topics[TOPIC_COUNT];
    struct reader *reader;
    struct file_id reader_id;
};
extern struct worker worker;
int serve(void);                     /* until the daemon closes the socket */
bool serve_ask(enum topic topic);    /* one NEED, one DATA */
void serve_send(struct buf *frames); /* and clears it; ends the process on EPIPE */
void serve_log(enum shep_log level, const char *text);
void serve_dep(const char *path, const struct file_id *id);

/* ---- config.c ---- */
int config_main(const char *file); /* shepherd-script --config FILE */

#endif
