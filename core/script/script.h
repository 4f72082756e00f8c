/* The daemon's side of scripting: finds the file of a route, has it rendered by a script process,
 * keeps the last code that worked. No Lua runs in the daemon. A script process that misses its
 * deadline is killed and started anew; a view that did it twice is blocked until its file changes.
 * Thread: loop. */
#ifndef SHEP_SCRIPT_H
#define SHEP_SCRIPT_H

#include "herd/topic.h"
#include "loop/loop.h"

struct script_pool;

enum {
    SCRIPT_DEADLINE_MS = 5000,  /* wall time of one render before its process is killed */
    SCRIPT_CPU_MS = 250,        /* CPU time of one render before the hook raises (a setting) */
    SCRIPT_QUEUE_MAX = 64,      /* renders that may wait; more: 503 to who has most of them */
    SCRIPT_OUTPUT_MAX = 4 << 20 /* bytes of a page */
};

struct script_conf {
    const char *exe;              /* shepherd-script beside the daemon */
    const char *lua_dir;          /* the library: lua/ */
    const char *views_dir;        /* the shipped views */
    const char *const *view_dirs; /* override directories, first wins; may be NULL */
    size_t n_view_dirs;
    const char *db_path;  /* NULL: no database for views */
    unsigned n_processes; /* 1 or 2 */
    int64_t fixed_now_ms; /* `shepherd render --now`; 0: the clock */
    int64_t deadline_ms;  /* 0: SCRIPT_DEADLINE_MS; tests shorten it */
    int64_t cpu_ms;       /* 0: SCRIPT_CPU_MS */
    /* The bytes of a topic for the script: HERD → struct snap_head, FACTS, CONFIG and SYSTEM →
     * JSON. Borrowed. */
    const void *(*topic_data)(enum topic topic, size_t *len_out, void *arg);
    void *arg;
};

struct script_pool *script_pool_new(struct loop *loop, struct topics *topics,
                                    const struct script_conf *conf);
void script_pool_free(struct script_pool *pool); /* pending renders are answered 503 first */

/* Other override directories, for a configuration that was read again. Copied. Pages that were made
 * before count as old (script_page_is_old). */
void script_view_dirs_set(struct script_pool *pool, const char *const *dirs, size_t n_dirs);

/* ---- routes ---- */
struct script_route {
    char *file;                     /* path of the view that serves it; NULL: no such route */
    char *name;                     /* "details/miner/[id]" */
    bool is_html;                   /* .html template; else .lua */
    char *param_name, *param_value; /* of [id]; NULL: none */
    /* every path looked at on the way, so that a new override is noticed */
    struct script_dep *deps;
    size_t n_deps;
};
struct script_dep {
    char *path;
    int64_t mtime_ns, size, inode; /* size -1: it was not there */
};
/* path is decoded, begins with "/", has no "..", no "//", no "_name" segment: anything else is no
 * route. `shipped_only` leaves the override directories out. */
void script_route_find(struct script_pool *pool, const char *path, bool shipped_only,
                       struct script_route *out);
void script_route_free(struct script_route *route);
bool script_deps_fresh(const struct script_dep *deps, size_t n); /* stat each: unchanged? */

/* ---- rendering ---- */
struct script_param {
    const char *name, *value;
};
struct script_request {
    const char *path; /* decoded route path */
    const struct script_param
        *query; /* decoded query parameters; undeclared ones never reach the view */
    size_t n_query;
    const char *role, *locale; /* "viewer", "en" */
    uint64_t asker;            /* who asks, a hash: renders of one wait in turn with the others' */
    bool want_gzip;
    bool want_json; /* errors as {"success":false,"message":…}; below /api/ they always are */
};

struct script_part { /* a live.row(): a piece of the body with a key */
    const char *key;
    uint32_t offset, len; /* in the body, the element itself */
    uint64_t hash;
};

/* Reference counted; shared by the cache and by replies in flight. */
struct script_page {
    int refs;
    int status; /* HTTP */
    char *content_type;
    char *location;    /* redirect target, or NULL */
    char *body, *gzip; /* gzip NULL: not made */
    size_t body_len, gzip_len;
    char etag[40];              /* quoted, weak: W/"…": hash of the body */
    uint32_t topics;            /* bit per enum topic that was read */
    uint64_t seqs[TOPIC_COUNT]; /* what they were when the render began */
    char **params; /* names of the declared parameters: the only ones of the cache key */
    size_t n_params;
    struct script_dep *deps; /* route, view, requires, partials */
    size_t n_deps;
    struct script_part *parts;
    size_t n_parts;
    uint64_t skeleton_hash; /* of the body without its parts, and of the order of their keys */
    bool localized;         /* it asked for its language: another one may make another page */
    bool edited;            /* a file that it used came from an override directory */
    bool degraded;       /* last good code or shipped view with a banner: rendered again when a dep
                            changes */
    uint64_t generation; /* of the override directories */
    int64_t max_age_ms;  /* how long it may be served although no topic moved; -1: for ever */
};
/* It was made with other override directories than those of now. */
bool script_page_is_old(const struct script_pool *pool, const struct script_page *page);
struct script_page *script_page_ref(struct script_page *page);
void script_page_unref(struct script_page *page);

/* done is called once, later, on the loop, with a page whose reference it owns. Errors are pages
 * too (404, 500 with file and line for the loopback viewer, 503 with Retry-After semantics). */
typedef void (*script_done_fn)(struct script_page *page, void *arg);
void script_render(struct script_pool *pool, const struct script_request *request,
                   script_done_fn done, void *arg);
/* This asker waits for that render as well: it comes at their turn, if that is earlier. */
void script_render_shared(struct script_pool *pool, const void *arg, uint64_t asker);

/* The language by that name in whatever case: "en", or one with a catalogue in lua/locale/ when the
 * pool was made. Borrowed; NULL: none. */
const char *script_language_find(const struct script_pool *pool, const char *tag, size_t len);

struct script_stats {
    unsigned n_processes, n_busy, waiting;
    uint64_t renders, errors, killed;
    int pids[4];
    char blocked[512]; /* views that are blocked, comma separated */
};
void script_stats_get(const struct script_pool *pool, struct script_stats *out);

/* ---- the configuration is Lua too: evaluated in a script process that lives for the call ---- */
/* Blocks at most 2 s. 0 and *json_out (owned):
 * {"keys":{…values…},"lines":{"listen":3,"miners":7,"miners[1].id":8}}; or SHEP_E_CONFIG with a
 * message that names file and line. An empty table is [], also where names are expected. */
int script_eval_config(const char *exe, const char *file, char **json_out, char *err,
                       size_t err_cap);
#endif
