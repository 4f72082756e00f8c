/* One render that was asked for: what it carries, what is shown when its view fails, and how its
 * page reaches who asked. Thread: loop. */
#include "script/internal.h"

#include "util/clock.h"

/* ---- jobs ---- */

void job_free(struct script_pool *pool, struct job *job)
{
    for (size_t i = 0; i < job->n_query; i++) {
        free(job->query[i][0]);
        free(job->query[i][1]);
    }
    for (size_t i = 0; i < job->n_sources; i++)
        good_source_put(&pool->memory, job->sources[i]);
    script_route_free(&job->route);
    deps_clear(&job->deps);
    free(job->path);
    free(job->role);
    free(job->locale);
    free(job->problem);
    free(job->hint);
    free(job);
}

void job_drop_sources(struct script_pool *pool, struct job *job)
{
    for (size_t i = 0; i < job->n_sources; i++)
        good_source_put(&pool->memory, job->sources[i]);
    job->n_sources = 0;
}

struct job *job_new(const struct script_request *request, script_done_fn done, void *arg)
{
    struct job *job = shep_alloc(sizeof *job);
    job->path = shep_strdup(request->path);
    job->role = shep_strdup(request->role ? request->role : "viewer");
    job->locale = shep_strdup(request->locale ? request->locale : "en");
    for (size_t i = 0; i < request->n_query && i < SCRIPT_QUERY_MAX; i++) {
        job->query[i][0] = shep_strdup(request->query[i].name);
        job->query[i][1] = shep_strdup(request->query[i].value);
        job->n_query++;
    }
    job->asker = request->asker;
    job->want_gzip = request->want_gzip;
    job->want_json = request->want_json || strncmp(request->path, "/api/", 5) == 0;
    job->done = done;
    job->arg = arg;
    return job;
}

void jobs_deliver(struct script_pool *pool)
{
    struct job *job;
    while ((job = TAILQ_FIRST(&pool->finished))) {
        TAILQ_REMOVE(&pool->finished, job, link);
        script_done_fn done = job->done;
        void *arg = job->arg;
        struct script_page *page = job->page;
        job_free(pool, job);
        done(page, arg);
    }
}

static void on_flush(void *arg)
{
    struct script_pool *pool = arg;
    pool->flush_timer = NULL;
    jobs_deliver(pool);
}

void job_finish(struct script_pool *pool, struct job *job, struct script_page *page)
{
    if (job->view)
        job->view->n_waiting--;
    page_set_deps(page, &job->deps);
    page->topics |= job->topics;
    memcpy(page->seqs, job->seqs, sizeof page->seqs);
    page->generation = job->generation;
    job->page = page;
    TAILQ_INSERT_TAIL(&pool->finished, job, link);
    if (!pool->flush_timer)
        pool->flush_timer = loop_timer_new(pool->loop, &pool->owner, 0, 0, on_flush, pool);
}

void job_finish_error(struct script_pool *pool, struct job *job, int status, const char *title,
                      const char *message)
{
    job_finish(pool, job, page_error(status, title, message, job->want_json));
}

/* ---- what to show instead ---- */

/* Only when it was edited since: else the same code would fail on the same data again. */
static bool use_last_good(struct job *job)
{
    const struct good *good = &job->view->good;
    if (job->stage >= STAGE_LAST_GOOD || !good->n ||
        script_deps_fresh(good->deps.items, good->deps.n))
        return false;
    job->stage = STAGE_LAST_GOOD;
    job->route.is_html = good->is_html; /* a .lua may have taken the place of a .html */
    free(job->hint);
    job->hint = shep_asprintf("%s. This is the last version that worked.", job->problem);
    return true;
}

static bool used_override(const struct script_pool *pool, const struct job *job)
{
    for (size_t d = 0; d < pool->n_view_dirs; d++) {
        size_t len = strlen(pool->view_dirs[d]);
        for (size_t i = 0; i < job->deps.n; i++)
            if (job->deps.items[i].size >= 0 &&
                strncmp(job->deps.items[i].path, pool->view_dirs[d], len) == 0 &&
                job->deps.items[i].path[len] == '/')
                return true;
    }
    return false;
}

static bool use_shipped(struct script_pool *pool, struct job *job)
{
    struct script_route shipped;
    if (job->stage >= STAGE_SHIPPED || job->view->shipped_is_bad || !used_override(pool, job))
        return false;
    script_route_find(pool, job->path, true, &shipped);
    if (!shipped.file) {
        script_route_free(&shipped);
        return false;
    }
    script_route_free(&job->route);
    job->route = shipped;
    job->stage = STAGE_SHIPPED;
    free(job->hint);
    job->hint = shep_asprintf("%s. This is the page that came with the program.", job->problem);
    return true;
}

/* job->problem says what is wrong. */
void job_fall_back(struct script_pool *pool, struct job *job)
{
    job_drop_sources(pool, job);
    if (use_last_good(job) || use_shipped(pool, job)) {
        job_wait_again(pool, job);
    } else if (job->error_status == 503) {
        job_finish_error(pool, job, 503, "Stopped", job->problem);
    } else {
        job_finish_error(pool, job, 500, "This view does not work", job->problem);
    }
}

void job_problem_set(struct job *job, char *problem)
{
    if (job->problem) /* the first one is what its author has to mend */
        free(problem);
    else
        job->problem = problem;
}

bool log_allowed(struct script_pool *pool)
{
    int64_t now_ms = clock_mono_ms();
    if (now_ms - pool->log_window_ms >= SCRIPT_LOG_WINDOW_MS) {
        pool->log_window_ms = now_ms;
        pool->log_left = SCRIPT_LOG_LINES;
    }
    return pool->log_left && pool->log_left--;
}

void view_problem_set(struct script_pool *pool, struct view *view, const char *problem)
{
    if (problem && !str_eq(view->problem, problem) && log_allowed(pool))
        log_warn("script", "%s", problem);
    if (!problem && view->problem && log_allowed(pool))
        log_info("script", "%s works again", view->name);
    free(view->problem);
    view->problem = shep_strdup(problem);
}

/* The logical name of the view's file: that of its route, with its kind. */
char *job_view_file_dup(const struct job *job)
{
    return shep_asprintf("views/%s.%s", job->route.name, job->route.is_html ? "html" : "lua");
}

bool job_answer_blocked(struct script_pool *pool, struct job *job)
{
    struct view *view = job->view;
    if (job->stage != STAGE_NORMAL || !view_is_blocked(view))
        return false;
    deps_add_all(&job->deps, view->blocked.items, view->blocked.n);
    job_problem_set(job, shep_asprintf("%s; it is not tried again before one of its files changes",
                                       view->problem ? view->problem : view->name));
    job->error_status = 503;
    job_fall_back(pool, job);
    return true;
}
