/* What the core was told of. Differences are told once: a port that is in the same place with the
 * same facts is no news, however often it is looked at. Thread: loop. */
#include "udev.h"

#include <string.h>

static void tell(struct udev_source *self, const struct usb_port *port)
{
    struct shep_found found = {
        .size = sizeof found,
        .key = port->key,
        .path = port->node,
        .port_path = port->port_path,
        .description = port->description,
        .serial = port->serial[0] ? port->serial : NULL,
        .vendor_id = port->vid,
        .product_id = port->pid,
        .mac = port->mac[0] ? port->mac : NULL,
        .hub = port->hub[0] ? port->hub : NULL,
        .unit = port->unit,
    };
    self->host->device_found(self->ctx, &found);
}

static void drop(struct udev_source *self, size_t i)
{
    char key[sizeof self->known[i].key];
    memcpy(key, self->known[i].key, sizeof key);
    self->known[i] = self->known[--self->n_known];
    self->host->device_lost(self->ctx, key);
}

void known_remove(struct udev_source *self, const char *name)
{
    for (size_t i = self->n_known; i-- > 0;)
        if (!strcmp(self->known[i].name, name))
            drop(self, i);
}

static const struct usb_port *result_find(const struct scan_result *now, const char *key)
{
    for (size_t i = 0; i < now->n_ports; i++)
        if (!strcmp(now->ports[i].key, key))
            return &now->ports[i];
    return NULL;
}

/* The same plugging-in of the same board: not one that came back, nor another in its place. */
static bool same_board(const struct usb_port *a, const struct usb_port *b)
{
    return !strcmp(a->name, b->name) && !strcmp(a->serial, b->serial) && !strcmp(a->vid, b->vid) &&
           !strcmp(a->pid, b->pid);
}

static bool known_forget(struct udev_source *self, const struct scan_result *now,
                         known_dirty_fn dirty, const void *arg)
{
    bool changed = false;
    for (size_t i = self->n_known; i-- > 0;) {
        const struct usb_port *port = result_find(now, self->known[i].key);
        if (dirty(arg, self->known[i].name) || (port && same_board(port, &self->known[i])))
            continue;
        drop(self, i);
        changed = true;
    }
    return changed;
}

static bool known_add(struct udev_source *self, const struct usb_port *port)
{
    size_t i = 0;
    while (i < self->n_known && strcmp(self->known[i].key, port->key) != 0)
        i++;
    if (i < self->n_known &&
        (!same_board(&self->known[i], port) || !memcmp(&self->known[i], port, sizeof *port)))
        return false; /* known as it is; or its place is taken: the board is back and the kernel
                         still has its old port, whose removal will be told */
    if (i == UDEV_PORTS_MAX) {
        if (!self->told_limit)
            self->host->log(self->ctx, SHEP_LOG_WARN,
                            "more than %d serial ports: %s and those after it are not shown",
                            UDEV_PORTS_MAX, port->node);
        self->told_limit = true;
        return false;
    }
    self->known[i] = *port;
    if (i == self->n_known)
        self->n_known++;
    tell(self, port);
    return true;
}

bool known_update(struct udev_source *self, const struct scan_result *now, known_dirty_fn dirty,
                  const void *arg)
{
    bool changed = known_forget(self, now, dirty, arg);
    for (size_t i = 0; i < now->n_ports; i++)
        if (!dirty(arg, now->ports[i].name))
            changed |= known_add(self, &now->ports[i]);
    return changed;
}
