/* What the files of the daemon's side of scripting share. Thread: loop. */
#ifndef SHEP_SCRIPT_INTERNAL_H
#define SHEP_SCRIPT_INTERNAL_H

#include "script/proto/proto.h"
#include "script/script.h"
#include "util/log.h"

#include <sys/queue.h>
#include <sys/types.h>

enum {
    SCRIPT_PROCESSES_MAX = 4,
    SCRIPT_QUERY_MAX = 64,            /* query parameters that reach a script */
    SCRIPT_VIEWS_MAX = 256,           /* views that are remembered */
    SCRIPT_STRIKES = 2,               /* so often stopped: blocked until a file of it changes */
    SCRIPT_GOOD_BYTES = 8 << 20,      /* last good sources of all views */
    SCRIPT_GOOD_VIEW_BYTES = 1 << 20, /* of one view; larger ones have none */
    SCRIPT_WAIT_MS = 10000,           /* a render that no process took by then is answered 503 */
    SCRIPT_YOUNG_MS = 1000,           /* a process that ends sooner, without a page, backs off */
    SCRIPT_BACKOFF_FIRST_MS = 100,
    SCRIPT_BACKOFF_MAX_MS = 10000,
    SCRIPT_REAP_MS = 20,
    SCRIPT_LOG_LINES = 50, /* print()s and mistakes of views that reach the log in … */
    SCRIPT_LOG_WINDOW_MS = 10000
};

/* ---- route.c: lists of paths with how they looked ---- */
struct deps {
    struct script_dep *items;
    size_t n;
};
void deps_add(struct deps *deps, const char *path, const struct file_id *id); /* once each */
void deps_add_all(struct deps *deps, const struct script_dep *more, size_t n);
void deps_clear(struct deps *deps);

/* ---- lastgood.c: what is remembered of each view ---- */
struct good_source { /* shared by the views that use the file */
    LIST_ENTRY(good_source) link;
    char *name, *path, *text;
    size_t len;
    uint64_t hash;
    unsigned refs;
};
struct good { /* the code that worked last */
    struct good_source *sources[PROTO_SOURCES_MAX];
    size_t n;
    uint64_t hash; /* as the script process computes it; 0: there is none */
    bool is_html;
    struct deps deps;
};
struct view {
    LIST_ENTRY(view) link;
    char *name; /* of the route */
    uint64_t used_at;
    unsigned n_running; /* renders under way, in whatever stage */
    unsigned n_waiting; /* jobs that hold it */
    unsigned strikes;
    bool shipped_is_bad; /* the shipped page was stopped too */
    struct deps blocked; /* not empty: blocked while these are as they were */
    char *problem;       /* what is wrong with its code now; NULL: nothing known */
    struct good good;
};
struct memory {
    LIST_HEAD(, view) views;
    LIST_HEAD(, good_source) sources;
    size_t n_views, bytes;
    uint64_t clock;
};
struct view *memory_view(struct memory *memory, const char *name); /* made when there is none */
void memory_clear(struct memory *memory);
struct good_source *good_source_get(struct memory *memory, const char *name, const char *path,
                                    const char *text, size_t len);
void good_source_put(struct memory *memory, struct good_source *source);
/* Takes the sources (n is 0 afterwards) and copies deps. */
void good_set(struct memory *memory, struct view *view, struct good_source **sources, size_t *n,
              uint64_t hash, const struct deps *deps);
/* The same sources worked again: what was too young to be compared may be old enough now. */
void good_settle(struct view *view, const struct deps *deps);
void good_forget(struct memory *memory, struct view *view);
void view_block(struct view *view, const struct deps *deps, int64_t begun_ms); /* wall clock */
bool view_is_blocked(struct view *view); /* and ends the blocking when a file changed */

/* ---- language.c ---- */
struct languages {
    char *names[64]; /* "de", "en", "pt-BR": sorted */
    size_t n;
};
void languages_read(struct languages *languages, const char *lua_dir);
void languages_clear(struct languages *languages);

/* ---- one render ---- */
enum stage { STAGE_NORMAL, STAGE_LAST_GOOD, STAGE_SHIPPED };
struct job {
    TAILQ_ENTRY(job) link;
    char *path, *role, *locale;
    uint64_t asker;
    char *query[SCRIPT_QUERY_MAX][2];
    size_t n_query;
    bool want_gzip, want_json;
    uint64_t generation; /* of the override directories when it began */
    script_done_fn done;
    void *arg;

    struct script_route route; /* the current stage's */
    struct view *view;
    enum stage stage;
    unsigned crashes;
    int64_t queued_ms, begun_ms; /* monotonic; wall clock */
    uint64_t seqs[TOPIC_COUNT];
    uint32_t topics; /* of all stages */
    struct deps deps;
    struct good_source *sources[PROTO_SOURCES_MAX]; /* that came with this page */
    size_t n_sources;
    char *problem; /* "file:line: message" of the first stage that failed */
    char *hint;    /* the same for the page: what is shown instead */
    int error_status;
    struct script_page *page; /* when it is finished */
};
TAILQ_HEAD(job_list, job);

/* ---- job.c ---- */
struct job *job_new(const struct script_request *request, script_done_fn done, void *arg);
void job_free(struct script_pool *pool, struct job *job);
void job_drop_sources(struct script_pool *pool, struct job *job);
char *job_view_file_dup(const struct job *job); /* "views/a/b.html" */
/* Ends it with this page. The caller may be script_render() itself, and done is promised for later:
 * it is called in the next turn. */
void job_finish(struct script_pool *pool, struct job *job, struct script_page *page);
void job_finish_error(struct script_pool *pool, struct job *job, int status, const char *title,
                      const char *message);
void jobs_deliver(struct script_pool *pool); /* calls done of all that are finished */
/* Takes problem. The first one stays: it is what the view's author has to mend. */
void job_problem_set(struct job *job, char *problem);
void job_fall_back(struct script_pool *pool, struct job *job);      /* job->problem says why */
bool job_answer_blocked(struct script_pool *pool, struct job *job); /* false: not blocked */
/* Logs what changed; NULL: it works. */
void view_problem_set(struct script_pool *pool, struct view *view, const char *problem);
bool log_allowed(struct script_pool *pool); /* what views make us log is bounded */

/* ---- queue.c ---- */
void job_wait(struct script_pool *pool, struct job *job);       /* or it is answered 503 */
void job_wait_again(struct script_pool *pool, struct job *job); /* in front: it had its turn */
struct job *job_next(struct script_pool *pool); /* out of it: one whose view is not running */
void jobs_answer_all(struct script_pool *pool, const char *message); /* 503 */

/* ---- page.c ---- */
struct done { /* a decoded FRAME_DONE */
    enum done_outcome outcome;
    uint64_t sources_hash;
    struct script_page *page; /* DONE_PAGE: owned by who decoded */
    uint32_t topics;
    int64_t max_age_ms;
    char *file, *message; /* else; owned */
    uint32_t line;
    char *params[PROTO_PARAMS_MAX];
    size_t n_params;
};
bool page_decode(const struct frame *frame, struct done *out); /* false: nothing in it to free */
void done_clear(struct done *done);
struct script_page *page_error(int status, const char *title, const char *message, bool json);
void page_set_deps(struct script_page *page, const struct deps *deps);
void page_set_params(struct script_page *page, char **params, size_t n); /* takes the strings */

/* ---- process.c ---- */
struct process {
    struct script_pool *pool;
    pid_t pid; /* 0: none */
    int fd;
    struct loop_watch *read_watch, *write_watch;
    struct loop_timer *deadline;
    struct buf in, out;
    size_t out_used;
    int64_t begun_ms;
    unsigned n_pages, n_needs;
    bool stale; /* started with other override directories: ends when its page is done */
    struct job *job;
};
/* 0 or -errno. The new process has read INIT from out when it gets to it. */
int process_start(struct process *process);
void process_stop(struct process *process); /* SIGKILL, reaped later; drops job without answer */
void process_flush(struct process *process);
void reap_later(struct script_pool *pool, pid_t pid);

struct script_pool {
    struct loop *loop;
    struct topics *topics;
    struct loop_owner owner;
    char *exe, *lua_dir, *views_dir, *db_path;
    char *view_dirs[16];
    size_t n_view_dirs;
    uint64_t generation; /* of view_dirs: moves when they change */
    int64_t fixed_now_ms, deadline_ms, cpu_ms;
    const void *(*topic_data)(enum topic topic, size_t *len_out, void *arg);
    void *arg;

    struct process processes[SCRIPT_PROCESSES_MAX];
    unsigned n_processes;
    struct job_list queue, finished;
    size_t n_queued;
    struct loop_timer *flush_timer, *wait_timer, *start_timer, *reap_timer;
    int64_t backoff_ms;
    struct complain start_complaint;
    pid_t dead[32]; /* killed, not reaped yet */
    size_t n_dead;
    struct memory memory;
    struct languages languages;
    uint64_t n_renders, n_errors, n_killed;
    unsigned log_left;
    int64_t log_window_ms;
};
/* pool.c, for process.c: what came from a process */
void pool_frame(struct process *process, const struct frame *frame);
void pool_lost(struct process *process, const char *why, bool deadline);
#endif
