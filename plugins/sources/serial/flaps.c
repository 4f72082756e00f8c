/* Boards that come and go. Each time one is plugged in its port is a new one, and would be opened
 * at once; so what a port learnt of short-lived openings is kept by the name of its miner, and its
 * next port goes on with it: tried ever more slowly. Forgotten after a minute. Thread: loop. */
#include "port.h"

#include <string.h>

enum { FORGET_MS = 60000 }; /* twice the longest wait between two tries */

static struct flap *find(struct serial *self, const char *name)
{
    for (size_t i = 0; i < SERIAL_FLAPS_MAX; i++)
        if (strcmp(self->flaps[i].name, name) == 0)
            return &self->flaps[i];
    return NULL;
}

static struct flap *oldest(struct serial *self)
{
    struct flap *found = &self->flaps[0];
    for (size_t i = 1; i < SERIAL_FLAPS_MAX; i++)
        if (self->flaps[i].at_ms < found->at_ms)
            found = &self->flaps[i];
    return found;
}

void flaps_remember(const struct port *port)
{
    struct serial *self = port->self;
    const char *name = self->host->device_name(self->ctx, port->dev);
    struct flap *flap = find(self, name);
    if (port->flaps == 0) {
        if (flap)
            *flap = (struct flap){0};
        return;
    }
    if (!flap)
        flap = oldest(self);
    *flap = (struct flap){
        .flaps = port->flaps, .fails = port->fails, .at_ms = self->host->mono_ms(self->ctx)};
    strncpy(flap->name, name, sizeof flap->name - 1);
}

void flaps_recall(struct port *port)
{
    struct serial *self = port->self;
    const struct flap *flap = find(self, self->host->device_name(self->ctx, port->dev));
    if (!flap || self->host->mono_ms(self->ctx) - flap->at_ms > FORGET_MS)
        return;
    port->flaps = flap->flaps;
    port->fails = flap->fails;
}
