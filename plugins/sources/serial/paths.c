/* Whether the paths of the ports are there: what inotify told, what a look saw, and what follows.
 * Thread: loop. */
#include "port.h"

#include <stdio.h>
#include <string.h>

enum {
    FLAPS_TOLERATED = 3, /* short-lived openings in a row before reappearing is no reason any
                            more to open at once */
    TOUCHED_MS = 200     /* a refused port whose rights change is tried again after this */
};

static struct port *port_by_id(struct serial *self, unsigned id)
{
    struct port *port = self->ports;
    while (port && port->id != id)
        port = port->next;
    return port;
}

static bool port_depends(const struct port *port, int wd, uint32_t name)
{
    for (size_t i = 0; i < port->n_points; i++)
        if (port->points[i].wd == wd && (name == 0 || port->points[i].name == name))
            return true;
    return false;
}

bool ports_touched(struct serial *self, int wd, uint32_t name)
{
    bool some = false;
    for (struct port *port = self->ports; port; port = port->next) {
        if (port->state == PORT_REFUSED || (wd >= 0 && !port_depends(port, wd, name)))
            continue;
        port->look = some = true;
        port->touched |= wd >= 0;
    }
    return some;
}

bool ports_watch(const struct serial *self, int wd)
{
    for (const struct port *port = self->ports; port; port = port->next)
        if (port_depends(port, wd, 0))
            return true;
    return false;
}

void port_look_again(struct serial *self, unsigned id)
{
    struct port *port = port_by_id(self, id);
    if (port)
        port->look = true;
}

size_t ports_to_look(const struct serial *self)
{
    size_t n = 0;
    for (const struct port *port = self->ports; port; port = port->next)
        n += port->look && !look_hangs(self, port->path);
    return n;
}

void ports_fill(struct serial *self, struct look *look, size_t max)
{
    for (struct port *port = self->ports; port && look->n_views < max; port = port->next) {
        if (!port->look || look_hangs(self, port->path))
            continue;
        port->look = false;
        struct look_view *view = &look->views[look->n_views++];
        view->id = port->id;
        memcpy(view->path, port->path, sizeof port->path);
    }
}

void port_watch(struct port *port, const struct watch_point *points, size_t n)
{
    struct watch_point old[SERIAL_POINTS_MAX];
    size_t n_old = port->n_points;
    memcpy(old, port->points, sizeof old);
    if (n > 0)
        memcpy(port->points, points, n * sizeof *points);
    port->n_points = n;
    for (size_t i = 0; i < n_old; i++)
        if (!port_depends(port, old[i].wd, 0))
            serial_unwatch(port->self, old[i].wd);
}

void port_hangs(struct serial *self, const char *path)
{
    char why[SERIAL_WHY_MAX];
    snprintf(why, sizeof why,
             "%s: looking whether it is there hangs: the disk or the device that the path leads to "
             "does not answer. It is opened when that ends",
             path);
    for (struct port *port = self->ports; port; port = port->next)
        if (port->state == PORT_CLOSED && !strcmp(port->path, path))
            port_down(port, why);
}

static void missing_tell(struct port *port, const char *known)
{
    char why[SERIAL_WHY_MAX];
    snprintf(why, sizeof why, "%s: no such port; is it plugged in? known ports: %s", port->path,
             known);
    port_down(port, why);
}

/* Open at once when the path is new, or when somebody changed its rights and it was refused. */
static void port_hurry(struct port *port, bool back, bool touched)
{
    int64_t now = port->self->host->mono_ms(port->self->ctx);
    int64_t due = back ? now : port->tried_ms + TOUCHED_MS;
    if ((back || touched) && port->flaps < FLAPS_TOLERATED && due < port->due_ms)
        port->due_ms = due;
}

void port_seen(struct serial *self, const struct look *look, const struct look_view *view)
{
    struct port *port = port_by_id(self, view->id);
    if (!port)
        return; /* detached since the look began */
    bool back = port->missing && view->exists, touched = port->touched;
    port_watch(port, view->points, view->n_points);
    port->touched = false;
    port->missing = !view->exists;
    if (port->state == PORT_OPEN && !view->exists)
        port_lost(port, "unplugged (its path is gone); it is opened again as soon as it is back");
    else if (port->state == PORT_OPEN && view->rdev != port->rdev)
        port_lost(port, "now another device; it is opened anew");
    else if (port->state == PORT_CLOSED && !view->exists)
        missing_tell(port, look->known);
    if (port->state == PORT_CLOSED)
        port_hurry(port, back, touched);
}
