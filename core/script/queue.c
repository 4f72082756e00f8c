/* Renders that wait for a process: bounded, and fair among those who ask. They take turns, so who
 * asks for much waits behind who asks for little; when all places are taken, whoever holds most of
 * them gives one up. Thread: loop. */
#include "script/internal.h"

#include "util/clock.h"

static const char busy[] = "Too many pages are being made. Try again in a moment.";

static void take_out(struct script_pool *pool, struct job *job)
{
    TAILQ_REMOVE(&pool->queue, job, link);
    pool->n_queued--;
}

static void turn_away(struct script_pool *pool, struct job *job, const char *message)
{
    take_out(pool, job);
    job_finish_error(pool, job, 503, "Busy", message);
}

static void on_wait(void *arg)
{
    struct script_pool *pool = arg;
    struct job *job, *next;
    int64_t now_ms = clock_mono_ms();
    for (job = TAILQ_FIRST(&pool->queue); job; job = next) {
        next = TAILQ_NEXT(job, link);
        if (now_ms - job->queued_ms >= SCRIPT_WAIT_MS)
            turn_away(pool, job, "Every script process is busy. Try again in a moment.");
    }
    if (TAILQ_EMPTY(&pool->queue)) {
        loop_timer_free(pool->wait_timer);
        pool->wait_timer = NULL;
    }
}

/* How many of this asker's wait in front of that job; NULL: in all. */
static unsigned count_before(const struct script_pool *pool, uint64_t asker, const struct job *end)
{
    unsigned n = 0;
    const struct job *job;
    for (job = TAILQ_FIRST(&pool->queue); job != end; job = TAILQ_NEXT(job, link))
        n += job->asker == asker;
    return n;
}

/* The last render of whoever has most waiting. */
static struct job *most_dispensable(const struct script_pool *pool, unsigned *most_out)
{
    struct job *job, *last = NULL;
    *most_out = 0;
    TAILQ_FOREACH(job, &pool->queue, link)
    {
        unsigned n = count_before(pool, job->asker, NULL);
        if (n < *most_out)
            continue;
        *most_out = n;
        last = job;
    }
    return last;
}

static bool make_room(struct script_pool *pool, uint64_t asker)
{
    unsigned most;
    if (pool->n_queued < SCRIPT_QUEUE_MAX)
        return true;
    struct job *last = most_dispensable(pool, &most);
    if (count_before(pool, asker, NULL) + 1 >= most)
        return false;
    turn_away(pool, last, busy);
    return true;
}

static void enqueue(struct script_pool *pool, struct job *job)
{
    enum { LOOK_EVERY_MS = 500 };
    job->queued_ms = clock_mono_ms();
    pool->n_queued++;
    if (!pool->wait_timer)
        pool->wait_timer =
            loop_timer_new(pool->loop, &pool->owner, LOOK_EVERY_MS, LOOK_EVERY_MS, on_wait, pool);
}

void job_wait(struct script_pool *pool, struct job *job)
{
    if (!make_room(pool, job->asker)) {
        job_finish_error(pool, job, 503, "Busy", busy);
        return;
    }
    TAILQ_INSERT_TAIL(&pool->queue, job, link);
    enqueue(pool, job);
}

void job_wait_again(struct script_pool *pool, struct job *job)
{
    TAILQ_INSERT_HEAD(&pool->queue, job, link);
    enqueue(pool, job);
}

/* Those behind it, of the same asker: the others come first now. */
static void yield_turn(struct script_pool *pool, const struct job *job)
{
    struct job_list later = TAILQ_HEAD_INITIALIZER(later);
    struct job *other, *next;
    for (other = TAILQ_NEXT(job, link); other; other = next) {
        next = TAILQ_NEXT(other, link);
        if (other->asker != job->asker)
            continue;
        TAILQ_REMOVE(&pool->queue, other, link);
        TAILQ_INSERT_TAIL(&later, other, link);
    }
    TAILQ_CONCAT(&pool->queue, &later, link);
}

struct job *job_next(struct script_pool *pool)
{
    struct job *job;
    TAILQ_FOREACH(job, &pool->queue, link)
    {
        if (job->view->n_running == 0)
            break;
    }
    if (job) {
        yield_turn(pool, job);
        take_out(pool, job);
    }
    return job;
}

/* Else who asks for many pages would hold back all who wait for one of them. */
void script_render_shared(struct script_pool *pool, const void *arg, uint64_t asker)
{
    struct job *job;
    TAILQ_FOREACH(job, &pool->queue, link)
    {
        if (job->arg == arg)
            break;
    }
    if (!job || count_before(pool, asker, NULL) >= count_before(pool, job->asker, job))
        return; /* it is being made, or comes no later where it is */
    job->asker = asker;
    job->queued_ms = clock_mono_ms();
    TAILQ_REMOVE(&pool->queue, job, link);
    TAILQ_INSERT_TAIL(&pool->queue, job, link);
}

/* Without any process there is nothing to wait for. */
void jobs_answer_all(struct script_pool *pool, const char *message)
{
    struct job *job;
    while ((job = TAILQ_FIRST(&pool->queue))) {
        take_out(pool, job);
        job_finish_error(pool, job, 503, "No scripts", message);
    }
}
