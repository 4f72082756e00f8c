/* Which port is opened next, and what becomes of an opening that takes too long. Thread: loop; the
 * opening itself is a worker's (open.c).
 *
 * Promises: a path that is not there never takes a turn of those that are; no port waits for
 * another. open() of a wedged USB device, or of a path on a disk far away, may block for ever: such
 * a one is told after OPEN_SLOW_MS and takes no turn of the others from then on. No path is tried
 * while an opening of it is under way. */
#include "port.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    OPEN_AT_ONCE = 4,     /* a hub with 40 ports must not brown out */
    OPEN_STAGGER_MS = 50, /* 40 ports are open after 2 s */
    OPEN_SLOW_MS = 5000,  /* requests to a USB device end after 5 s; then it is worse than slow */
    OPEN_HUNG_MAX = 32    /* each holds a thread; the host has 48 for all that may hang */
};

/* ---- when ---- */

static void pump_fire(void *arg)
{
    struct serial *self = arg;
    self->pump = NULL;
    port_pump(self);
}

static void pump_arm(struct serial *self, int64_t in_ms)
{
    self->host->timer_cancel(self->ctx, self->pump);
    self->pump = NULL;
    if (self->host->timer(self->ctx, in_ms, 0, pump_fire, self, &self->pump) < 0)
        self->pump = NULL; /* the next look calls port_pump() */
}

void port_pump_soon(struct serial *self)
{
    pump_arm(self, 0);
}

/* ---- one that hangs ---- */

static struct open_job *opening_find(const struct serial *self, const char *path)
{
    struct open_job *job = self->openings;
    while (job && strcmp(job->request.path, path) != 0)
        job = job->next;
    return job;
}

static void hang_tell(struct port *port)
{
    char why[SERIAL_WHY_MAX];
    snprintf(why, sizeof why,
             "%s: opening it hangs: its device, or the disk that the path leads to, does not "
             "answer; plug it out and in again. It is tried again when this opening has ended",
             port->path);
    port_down(port, why);
}

static void opening_slow(void *arg)
{
    struct open_job *job = arg;
    struct serial *self = job->self;
    job->slow = NULL;
    self->n_opening--;
    if (++self->n_hung == OPEN_HUNG_MAX)
        self->host->log(self->ctx, SHEP_LOG_ERROR,
                        "the opening of %d ports hangs; no other is opened until one of them ends. "
                        "A restart of the shepherd gives up on them",
                        OPEN_HUNG_MAX);
    for (struct port *port = self->ports; port; port = port->next)
        if (port->state != PORT_OPEN && !strcmp(port->path, job->request.path))
            hang_tell(port);
    port_pump(self);
}

/* ---- one opening ---- */

static void opening_run(void *arg)
{
    struct open_job *job = arg;
    serial_open(&job->request, &job->result);
}

static void opening_end(struct open_job *job)
{
    struct serial *self = job->self;
    struct open_job **at = &self->openings;
    while (*at != job)
        at = &(*at)->next;
    *at = job->next;
    if (job->slow) {
        self->host->timer_cancel(self->ctx, job->slow);
        self->n_opening--;
    } else {
        self->n_hung--;
    }
    port_pump_soon(self);
}

static void opening_done(void *arg)
{
    struct open_job *job = arg;
    if (job->self)
        opening_end(job);
    if (job->port)
        port_answered(job->port, &job->result);
    else
        serial_close(&job->result.handle);
    free(job);
}

static struct open_job *opening_new(struct port *port)
{
    struct serial *self = port->self;
    struct open_job *job = calloc(1, sizeof *job);
    if (!job)
        return NULL;
    job->port = port;
    job->self = self;
    memcpy(job->request.path, port->path, sizeof port->path);
    memcpy(job->request.sysfs_root, self->sysfs_root, sizeof self->sysfs_root);
    memcpy(job->request.dev_root, self->dev_root, sizeof self->dev_root);
    job->request.baud = port->baud;
    job->request.deassert = port->deassert;
    job->result.handle.fd = -1;
    if (self->host->timer(self->ctx, OPEN_SLOW_MS, 0, opening_slow, job, &job->slow) < 0) {
        free(job);
        return NULL;
    }
    return job;
}

static void port_open(struct port *port)
{
    struct serial *self = port->self;
    struct open_job *job = opening_new(port);
    if (!job || self->host->work(self->ctx, opening_run, opening_done, job) < 0) {
        if (job)
            self->host->timer_cancel(self->ctx, job->slow);
        free(job);
        port_retry(port); /* no memory, or the queue of jobs is full: later */
        return;
    }
    port->job = job;
    port->state = PORT_OPENING;
    job->next = self->openings;
    self->openings = job;
    self->n_opening++;
}

void opening_adopt(struct port *port)
{
    struct open_job *job = opening_find(port->self, port->path);
    if (!job)
        return;
    if (!job->slow)
        hang_tell(port);
    if (job->port || job->request.baud != port->baud || job->request.deassert != port->deassert)
        return; /* another's, or not what is wanted: its own comes after it */
    job->port = port;
    port->job = job;
    port->state = PORT_OPENING;
}

void openings_leave(struct serial *self)
{
    for (struct open_job *job = self->openings; job; job = job->next) {
        self->host->timer_cancel(self->ctx, job->slow);
        job->self = NULL;
    }
    self->openings = NULL;
}

/* ---- all of them ---- */

static bool may_open(const struct serial *self)
{
    return self->n_opening < OPEN_AT_ONCE && self->n_opening + self->n_hung < OPEN_HUNG_MAX;
}

void port_pump(struct serial *self)
{
    int64_t now = self->host->mono_ms(self->ctx), next = INT64_MAX;
    for (struct port *port = self->ports; port && may_open(self); port = port->next) {
        if (port->state != PORT_CLOSED || port->missing || opening_find(self, port->path))
            continue;
        if (port->due_ms <= now && now >= self->next_open_ms) {
            self->next_open_ms = now + OPEN_STAGGER_MS;
            port_open(port);
        } else if (port->due_ms < next) {
            next = port->due_ms;
        }
    }
    if (next == INT64_MAX || !may_open(self))
        return; /* the end of an opening comes here again */
    int64_t wait = next - now;
    pump_arm(self, wait > OPEN_STAGGER_MS ? wait : OPEN_STAGGER_MS);
}
