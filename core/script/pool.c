/* What becomes of each render: a job waits (queue.c) for a free process and comes back as a page.
 * When the view's code fails, what is tried next is, in this order: the last code that worked, if
 * it was edited since; the shipped view, if an override directory has a part in it; an error page.
 * The first two carry a banner (job.c).
 *
 * One view occupies at most one process, so one that hangs leaves the others to the rest. Thread:
 * loop. */
#include "script/internal.h"

#include "util/clock.h"

#include <sys/wait.h>

static void pump(struct script_pool *pool);
static void start_processes(struct script_pool *pool);

/* ---- rendering ---- */

static void remember_seqs(const struct script_pool *pool, struct job *job)
{
    for (unsigned t = 0; t < TOPIC_COUNT; t++)
        job->seqs[t] = topic_seq(pool->topics, (enum topic)t);
}

void script_render(struct script_pool *pool, const struct script_request *request,
                   script_done_fn done, void *arg)
{
    struct job *job = job_new(request, done, arg);
    job->generation = pool->generation;
    script_route_find(pool, job->path, false, &job->route);
    deps_add_all(&job->deps, job->route.deps, job->route.n_deps);
    remember_seqs(pool, job);
    if (!job->route.file) {
        job_finish_error(pool, job, 404, "Not found", "There is no such page.");
        return;
    }
    job->view = memory_view(&pool->memory, job->route.name);
    job->view->n_waiting++;
    job_wait(pool, job);
    pump(pool);
}

static void put_source(struct buf *out, const struct good_source *source)
{
    size_t mark = frame_begin(out, FRAME_SOURCE);
    put_str(out, source->name);
    put_str(out, source->path);
    put_bytes(out, source->text, source->len);
    frame_end(out, mark);
}

static uint32_t render_flags(const struct job *job)
{
    return (job->route.is_html ? RENDER_HTML : 0u) | (job->want_gzip ? RENDER_GZIP : 0u) |
           (job->stage == STAGE_SHIPPED ? RENDER_SHIPPED : 0u) |
           (job->stage == STAGE_LAST_GOOD ? RENDER_LAST_GOOD : 0u);
}

static void render_put(const struct script_pool *pool, const struct job *job, struct buf *out)
{
    enum { END_EARLY = 10 }; /* the script's own deadline is 1/10 before the process is killed */
    char *view = job_view_file_dup(job);
    size_t mark = frame_begin(out, FRAME_RENDER);
    put_str(out, job->route.file);
    put_str(out, view);
    put_str(out, job->route.name);
    put_str(out, job->path);
    put_str(out, job->route.param_name);
    put_str(out, job->route.param_value);
    put_str(out, job->role);
    put_str(out, job->locale);
    put_str(out, job->stage == STAGE_NORMAL ? "" : job->hint);
    put_u32(out, render_flags(job));
    put_i64(out, pool->fixed_now_ms ? pool->fixed_now_ms : clock_wall_ms());
    put_i64(out, clock_mono_ms() + pool->deadline_ms - pool->deadline_ms / END_EARLY);
    put_u64(out, job->view->good.hash);
    for (unsigned t = 0; t < TOPIC_COUNT; t++)
        put_u64(out, job->seqs[t]);
    put_u32(out, (uint32_t)job->n_query);
    for (size_t i = 0; i < job->n_query; i++) {
        put_str(out, job->query[i][0]);
        put_str(out, job->query[i][1]);
    }
    frame_end(out, mark);
    free(view);
}

static void on_deadline(void *arg)
{
    struct process *process = arg;
    process->deadline = NULL;
    pool_lost(process, "it took too long", true);
}

static void send_job(struct process *process, struct job *job)
{
    struct script_pool *pool = process->pool;
    process->job = job;
    process->n_needs = 0;
    job->view->n_running++;
    job->begun_ms = clock_wall_ms();
    remember_seqs(pool, job);
    if (job->stage == STAGE_LAST_GOOD)
        for (size_t i = 0; i < job->view->good.n; i++)
            put_source(&process->out, job->view->good.sources[i]);
    render_put(pool, job, &process->out);
    process->deadline =
        loop_timer_new(pool->loop, &pool->owner, pool->deadline_ms, 0, on_deadline, process);
    process_flush(process);
}

static void pump(struct script_pool *pool)
{
    for (unsigned i = 0; i < pool->n_processes; i++) {
        struct process *process = &pool->processes[i];
        struct job *job = NULL;
        if (!process->pid || process->job)
            continue;
        while ((job = job_next(pool)) && job_answer_blocked(pool, job))
            continue;
        if (!job)
            return;
        send_job(process, job);
    }
}

static struct job *job_back(struct process *process)
{
    struct job *job = process->job;
    process->job = NULL;
    loop_timer_free(process->deadline);
    process->deadline = NULL;
    if (job)
        job->view->n_running--;
    return job;
}

/* ---- what a process says ---- */

static bool on_need(struct process *process, const struct frame *frame)
{
    struct script_pool *pool = process->pool;
    struct cursor c = cursor_of(frame);
    unsigned topic = get_u8(&c);
    if (!cursor_done(&c) || topic >= TOPIC_COUNT || process->n_needs++ >= PROTO_NEEDS_MAX)
        return false;
    size_t len = 0;
    const void *bytes =
        pool->topic_data ? pool->topic_data((enum topic)topic, &len, pool->arg) : NULL;
    size_t mark = frame_begin(&process->out, FRAME_DATA);
    put_u8(&process->out, (uint8_t)topic);
    put_u64(&process->out, topic_seq(pool->topics, (enum topic)topic));
    if (bytes && len < PROTO_TO_WORKER_MAX / 2)
        buf_add(&process->out, bytes, len);
    frame_end(&process->out, mark);
    process_flush(process);
    return true;
}

static bool on_dep(struct job *job, const struct frame *frame)
{
    struct cursor c = cursor_of(frame);
    struct file_id id;
    id.mtime_ns = get_i64(&c);
    id.size = get_i64(&c);
    id.inode = get_i64(&c);
    const char *path = get_str(&c, PROTO_TEXT_MAX);
    if (!cursor_done(&c))
        return false;
    deps_add(&job->deps, path, &id);
    return true;
}

static bool on_source(struct script_pool *pool, struct job *job, const struct frame *frame)
{
    struct cursor c = cursor_of(frame);
    size_t len;
    const char *name = get_str(&c, PROTO_NAME_MAX);
    const char *path = get_str(&c, PROTO_TEXT_MAX);
    const char *text = get_bytes(&c, PROTO_SOURCE_MAX, &len);
    if (!cursor_done(&c) || job->n_sources == PROTO_SOURCES_MAX)
        return false;
    job->sources[job->n_sources++] = good_source_get(&pool->memory, name, path, text, len);
    return true;
}

static bool on_log(struct script_pool *pool, const struct job *job, const struct frame *frame)
{
    struct cursor c = cursor_of(frame);
    unsigned level = get_u8(&c);
    const char *text = get_str(&c, PROTO_TEXT_MAX);
    if (!cursor_done(&c) || level > SHEP_LOG_DEBUG)
        return false;
    if (log_allowed(pool))
        log_msg((enum shep_log)level, "script", "%s: %s", job->route.name, text);
    return true;
}

static void on_page(struct script_pool *pool, struct job *job, struct done *done)
{
    struct script_page *page = done->page;
    done->page = NULL;
    pool->n_renders++;
    if (job->stage == STAGE_NORMAL) {
        job->view->strikes = 0;
        view_problem_set(pool, job->view, NULL);
        if (done->sources_hash != job->view->good.hash) {
            good_set(&pool->memory, job->view, job->sources, &job->n_sources, done->sources_hash,
                     &job->deps);
            job->view->good.is_html = job->route.is_html;
        } else {
            good_settle(job->view, &job->deps);
        }
    } else {
        page->degraded = true;
        pool->n_errors++;
    }
    page_set_params(page, done->params, done->n_params);
    job_finish(pool, job, page);
}

static void on_failure(struct script_pool *pool, struct job *job, const struct done *done)
{
    char *problem = done->line ? shep_asprintf("%s:%u: %s", done->file, done->line, done->message)
                               : shep_asprintf("%s: %s", done->file, done->message);
    pool->n_errors++;
    if (job->stage == STAGE_NORMAL)
        view_problem_set(pool, job->view, problem);
    job_problem_set(job, problem);
    job_fall_back(pool, job);
}

static bool on_done(struct process *process, const struct frame *frame)
{
    struct script_pool *pool = process->pool;
    struct done done;
    if (!page_decode(frame, &done))
        return false;
    struct job *job = job_back(process);
    process->n_pages++;
    pool->backoff_ms = 0;
    job->topics |= done.topics;
    if (done.outcome == DONE_PAGE) {
        on_page(pool, job, &done);
    } else if (done.outcome == DONE_NOT_FOUND) {
        struct script_page *page = page_error(404, "Not found", done.message, job->want_json);
        page->max_age_ms = done.max_age_ms;
        page_set_params(page, done.params, done.n_params);
        job_finish(pool, job, page);
    } else {
        on_failure(pool, job, &done);
    }
    done_clear(&done);
    return true;
}

static void renew(struct process *process)
{
    process_stop(process);
    start_processes(process->pool);
}

void pool_frame(struct process *process, const struct frame *frame)
{
    struct job *job = process->job;
    bool ok = job != NULL; /* it speaks when it is spoken to */
    if (ok && frame->type == FRAME_NEED)
        ok = on_need(process, frame);
    else if (ok && frame->type == FRAME_DEP)
        ok = on_dep(job, frame);
    else if (ok && frame->type == FRAME_SOURCE)
        ok = on_source(process->pool, job, frame);
    else if (ok && frame->type == FRAME_LOG)
        ok = on_log(process->pool, job, frame);
    else if (ok && frame->type == FRAME_DONE)
        ok = on_done(process, frame);
    else
        ok = false;
    if (!ok)
        pool_lost(process, "it sent a frame that does not fit", false);
    else if (!process->job && process->stale)
        renew(process);
    else if (!process->job)
        pump(process->pool);
}

/* ---- lost processes ---- */

/* A view that is stopped again and again is not tried any more until it is edited. */
static void strike(struct script_pool *pool, struct job *job)
{
    struct view *view = job->view;
    if (job->stage == STAGE_LAST_GOOD)
        good_forget(&pool->memory, view);
    else if (job->stage == STAGE_SHIPPED)
        view->shipped_is_bad = true;
    else if (++view->strikes >= SCRIPT_STRIKES && !view->blocked.n)
        view_block(view, &job->deps, job->begun_ms);
}

static void job_lost(struct script_pool *pool, struct job *job, const char *why, bool deadline)
{
    char *view = job_view_file_dup(job);
    char *problem =
        deadline ? shep_asprintf("%s: took longer than %.1f s and was stopped", view,
                                 (double)pool->deadline_ms / 1000)
                 : shep_asprintf("%s: the script process was lost while it ran (%s)", view, why);
    free(view);
    job_drop_sources(pool, job);
    strike(pool, job);
    pool->n_errors++;
    if (!deadline && job->crashes++ == 0) { /* it may have been killed from outside */
        free(problem);
        job_wait_again(pool, job);
        return;
    }
    if (job->stage == STAGE_NORMAL)
        view_problem_set(pool, job->view, problem);
    job->error_status = 503;
    job_problem_set(job, problem);
    job_fall_back(pool, job);
}

static void back_off(struct script_pool *pool)
{
    pool->backoff_ms = pool->backoff_ms ? pool->backoff_ms * 2 : SCRIPT_BACKOFF_FIRST_MS;
    if (pool->backoff_ms > SCRIPT_BACKOFF_MAX_MS)
        pool->backoff_ms = SCRIPT_BACKOFF_MAX_MS;
}

static void on_start(void *arg)
{
    struct script_pool *pool = arg;
    pool->start_timer = NULL;
    start_processes(pool);
}

static void start_later(struct script_pool *pool)
{
    if (!pool->start_timer)
        pool->start_timer =
            loop_timer_new(pool->loop, &pool->owner, pool->backoff_ms, 0, on_start, pool);
}

void pool_lost(struct process *process, const char *why, bool deadline)
{
    struct script_pool *pool = process->pool;
    struct job *job = job_back(process);
    bool young = process->n_pages == 0 && clock_mono_ms() - process->begun_ms < SCRIPT_YOUNG_MS;
    pool->n_killed++;
    log_warn("script", "process %d stopped: %s%s%s; another one is started", (int)process->pid, why,
             job ? ", at " : "", job ? job->route.name : "");
    process_stop(process);
    if (young)
        back_off(pool);
    if (job)
        job_lost(pool, job, why, deadline);
    if (pool->backoff_ms)
        start_later(pool);
    else
        start_processes(pool);
}

static void start_processes(struct script_pool *pool)
{
    for (unsigned i = 0; i < pool->n_processes; i++) {
        if (pool->processes[i].pid)
            continue;
        int rc = process_start(&pool->processes[i]);
        if (rc == 0)
            continue;
        complain(&pool->start_complaint, SHEP_LOG_ERROR, "script",
                 "%s cannot be started: %s; no page can be made until it can", pool->exe,
                 strerror(-rc));
        char *message = shep_asprintf("%s cannot be started: %s", pool->exe, strerror(-rc));
        jobs_answer_all(pool, message);
        free(message);
        back_off(pool);
        start_later(pool);
        return;
    }
    complain_over(&pool->start_complaint, "script", "%s runs again", pool->exe);
    pump(pool);
}

/* ---- the pool ---- */

static void view_dirs_clear(struct script_pool *pool)
{
    while (pool->n_view_dirs > 0)
        free(pool->view_dirs[--pool->n_view_dirs]);
}

static void view_dirs_copy(struct script_pool *pool, const char *const *dirs, size_t n_dirs)
{
    for (size_t i = 0; i < n_dirs && i < ARRAY_LEN(pool->view_dirs); i++)
        pool->view_dirs[pool->n_view_dirs++] = shep_strdup(dirs[i]);
}

void script_view_dirs_set(struct script_pool *pool, const char *const *dirs, size_t n_dirs)
{
    bool same = n_dirs == pool->n_view_dirs;
    for (size_t i = 0; same && i < n_dirs; i++)
        same = strcmp(dirs[i], pool->view_dirs[i]) == 0;
    if (same)
        return;
    view_dirs_clear(pool);
    view_dirs_copy(pool, dirs, n_dirs);
    pool->generation++;
    for (unsigned i = 0; i < pool->n_processes; i++) { /* a page under way is finished */
        pool->processes[i].stale = pool->processes[i].job != NULL;
        if (pool->processes[i].pid && !pool->processes[i].stale)
            process_stop(&pool->processes[i]);
    }
    start_processes(pool);
}

bool script_page_is_old(const struct script_pool *pool, const struct script_page *page)
{
    return page->generation != pool->generation;
}

struct script_pool *script_pool_new(struct loop *loop, struct topics *topics,
                                    const struct script_conf *conf)
{
    struct script_pool *pool = shep_alloc(sizeof *pool);
    pool->loop = loop;
    pool->topics = topics;
    pool->owner.name = "script";
    pool->exe = shep_strdup(conf->exe);
    pool->lua_dir = shep_strdup(conf->lua_dir);
    pool->views_dir = shep_strdup(conf->views_dir);
    pool->db_path = shep_strdup(conf->db_path);
    view_dirs_copy(pool, conf->view_dirs, conf->n_view_dirs);
    pool->fixed_now_ms = conf->fixed_now_ms;
    pool->deadline_ms = conf->deadline_ms > 0 ? conf->deadline_ms : SCRIPT_DEADLINE_MS;
    pool->cpu_ms = conf->cpu_ms > 0 ? conf->cpu_ms : SCRIPT_CPU_MS;
    pool->topic_data = conf->topic_data;
    pool->arg = conf->arg;
    pool->n_processes = conf->n_processes ? conf->n_processes : 1;
    if (pool->n_processes > SCRIPT_PROCESSES_MAX)
        pool->n_processes = SCRIPT_PROCESSES_MAX;
    for (unsigned i = 0; i < pool->n_processes; i++)
        pool->processes[i].pool = pool;
    TAILQ_INIT(&pool->queue);
    TAILQ_INIT(&pool->finished);
    LIST_INIT(&pool->memory.views);
    LIST_INIT(&pool->memory.sources);
    languages_read(&pool->languages, pool->lua_dir);
    start_processes(pool);
    return pool;
}

static void answer_pending(struct script_pool *pool)
{
    for (unsigned i = 0; i < pool->n_processes; i++) {
        struct job *job = job_back(&pool->processes[i]);
        if (job)
            job_finish_error(pool, job, 503, "Stopping", "The daemon is stopping.");
    }
    jobs_answer_all(pool, "The daemon is stopping.");
    jobs_deliver(pool);
}

void script_pool_free(struct script_pool *pool)
{
    if (!pool)
        return;
    answer_pending(pool);
    for (unsigned i = 0; i < pool->n_processes; i++)
        process_stop(&pool->processes[i]);
    for (size_t i = 0; i < pool->n_dead; i++)
        waitpid(pool->dead[i], NULL, 0); /* killed: it dies at once */
    loop_sweep(pool->loop, &pool->owner);
    free(pool->owner.complaint);
    memory_clear(&pool->memory);
    languages_clear(&pool->languages);
    view_dirs_clear(pool);
    free(pool->exe);
    free(pool->lua_dir);
    free(pool->views_dir);
    free(pool->db_path);
    free(pool);
}

void script_stats_get(const struct script_pool *pool, struct script_stats *out)
{
    *out = (struct script_stats){.waiting = (unsigned)pool->n_queued,
                                 .renders = pool->n_renders,
                                 .errors = pool->n_errors,
                                 .killed = pool->n_killed};
    for (unsigned i = 0; i < pool->n_processes; i++) {
        out->pids[i] = (int)pool->processes[i].pid;
        out->n_processes += pool->processes[i].pid != 0;
        out->n_busy += pool->processes[i].job != NULL;
    }
    size_t len = 0;
    const struct view *view;
    LIST_FOREACH(view, &pool->memory.views, link)
    {
        if (!view->blocked.n || len + 3 > sizeof out->blocked)
            continue;
        if (len)
            len += str_copy(out->blocked + len, sizeof out->blocked - len, ", ", 2);
        len +=
            str_copy(out->blocked + len, sizeof out->blocked - len, view->name, strlen(view->name));
    }
}
