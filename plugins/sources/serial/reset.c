/* Booting a board again on request. The pulse takes 0.3 s, and with a device that is going away
 * seconds: it runs on a worker, with a descriptor of its own. Thread: loop. */
#include "port.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void reset_run(void *arg)
{
    struct reset_job *job = arg;
    job->error = lines_reset(job->fd, job->native);
    close(job->fd);
}

static void reset_done(void *arg)
{
    struct reset_job *job = arg;
    struct port *port = job->port;
    if (port) {
        struct serial *self = port->self;
        const char *name = self->host->device_name(self->ctx, port->dev);
        port->reset = NULL;
        if (job->error == 0)
            self->host->log(self->ctx, SHEP_LOG_INFO, "%s: %s was reset", port->path, name);
        else
            self->host->log(self->ctx, SHEP_LOG_WARN, "%s: %s could not be reset: %s", port->path,
                            name, strerror(job->error));
    }
    free(job);
}

int port_reset(struct serial *self, struct shep_device *dev)
{
    struct port *port = self->ports;
    while (port && port->dev != dev)
        port = port->next;
    if (!port || port->state != PORT_OPEN)
        return SHEP_E_GONE;
    if (!port->has_lines)
        return SHEP_E_UNSUPPORTED;
    if (port->reset)
        return SHEP_E_BUSY;
    struct reset_job *job = calloc(1, sizeof *job);
    if (!job)
        return SHEP_E_NOMEM;
    job->port = port;
    job->native = port->native;
    job->fd = fcntl(port->handle.fd, F_DUPFD_CLOEXEC, 0);
    int err = job->fd < 0 ? SHEP_E_LIMIT : self->host->work(self->ctx, reset_run, reset_done, job);
    if (err < 0) {
        if (job->fd >= 0)
            close(job->fd);
        free(job);
        return err;
    }
    port->reset = job;
    return 0;
}
