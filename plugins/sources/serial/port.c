/* One configured port: closed, being opened (opening.c), or open and read. Owns its descriptor and
 * watch. Thread: loop.
 *
 * Promises: a hang-up closes the port at once (while it is open the kernel cannot give its number
 * to the board that comes back); a port that is gone is tried again for ever, ever more slowly, but
 * at once when its path appears. */
#include "port.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    RETRY_FIRST_MS = 1000, /* then 2, 4 … s */
    RETRY_LAST_MS = 30000,
    STABLE_MS = 10000,   /* open for this long: the next failure starts from the beginning */
    EMPTY_READS_MAX = 64 /* a hang-up that poll() does not show; the loop must not spin on it */
};

/* xorshift64: spreads retries, nothing secret. */
static uint64_t random_next(struct serial *self)
{
    uint64_t x = self->random;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return self->random = x;
}

static int64_t retry_delay_ms(struct port *port)
{
    int64_t delay = RETRY_FIRST_MS;
    for (unsigned i = 1; i < port->fails && delay < RETRY_LAST_MS; i++)
        delay *= 2;
    if (delay > RETRY_LAST_MS)
        delay = RETRY_LAST_MS;
    return delay - (int64_t)(random_next(port->self) % (uint64_t)(delay / 4)); /* 75 to 100 % */
}

void port_retry(struct port *port)
{
    port->state = PORT_CLOSED;
    port->fails++;
    port->due_ms = port->self->host->mono_ms(port->self->ctx) + retry_delay_ms(port);
}

void port_down(struct port *port, const char *why)
{
    port->self->host->device_link(port->self->ctx, port->dev, 0, why);
}

static void port_close(struct port *port)
{
    if (port->watch)
        port->self->host->watch_cancel(port->self->ctx, port->watch);
    port->watch = NULL;
    serial_close(&port->handle);
}

void port_lost(struct port *port, const char *what)
{
    struct serial *self = port->self;
    char why[SERIAL_WHY_MAX];
    port_close(port);
    if (self->host->mono_ms(self->ctx) - port->opened_ms >= STABLE_MS)
        port->fails = port->flaps = 0;
    else
        port->flaps++;
    port_retry(port);
    port->look = true; /* is its path there still? */
    serial_look_soon(self);
    snprintf(why, sizeof why, "%s: %s", port->path, what);
    port_down(port, why);
    port_pump_soon(self);
}

/* ---- reading ---- */

/* Nothing was read: of a port that hung up, or because there was nothing (the port is set up so).
 */
static bool hung_up(int fd)
{
    struct pollfd probe = {.fd = fd, .events = POLLIN};
    return poll(&probe, 1, 0) > 0 && (probe.revents & (POLLHUP | POLLERR | POLLNVAL));
}

static const char hang_up_text[] =
    "unplugged or switched off (the port hung up); it is opened again as soon as it is back";

static void port_readable(int fd, uint32_t what, void *arg)
{
    struct port *port = arg;
    char bytes[SERIAL_READ_BYTES];
    ssize_t len = read(fd, bytes, sizeof bytes);
    if (len > 0) {
        port->empty_reads = 0;
        port->self->host->feed(port->self->ctx, port->dev, bytes, (size_t)len);
    } else if (len == 0) {
        if (hung_up(fd) || ++port->empty_reads > EMPTY_READS_MAX)
            port_lost(port, hang_up_text);
    } else if (errno != EAGAIN && errno != EINTR) {
        port_lost(port, hang_up_text); /* EIO, ENXIO, ENODEV: the device went away */
    }
}

/* ---- what an opening brought ---- */

static void port_opened(struct port *port, const struct open_result *result)
{
    struct serial *self = port->self;
    port->handle = result->handle;
    port->rdev = result->rdev;
    port->has_lines = result->has_lines;
    port->native = result->native;
    port->empty_reads = 0;
    if (self->host->watch_fd(self->ctx, port->handle.fd, SHEP_WATCH_READ | SHEP_WATCH_STREAM,
                             port_readable, port, &port->watch) < 0) {
        port->watch = NULL;
        serial_close(&port->handle);
        port_retry(port);
        port_down(port, "the port cannot be watched; is the limit on file descriptors reached?");
        return;
    }
    port->state = PORT_OPEN;
    port->opened_ms = self->host->mono_ms(self->ctx);
    self->host->log(self->ctx, SHEP_LOG_INFO, "%s: open for %s", port->path,
                    self->host->device_name(self->ctx, port->dev));
    if (result->sharer[0])
        self->host->log(self->ctx, SHEP_LOG_WARN,
                        "%s: %s has the port open too and takes bytes away; stop it", port->path,
                        result->sharer);
    self->host->device_link(self->ctx, port->dev, 1, NULL);
}

void port_answered(struct port *port, const struct open_result *result)
{
    struct serial *self = port->self;
    port->job = NULL;
    port->look = true; /* what events told meanwhile may be about another device */
    port->tried_ms = self->host->mono_ms(self->ctx);
    if (result->err < 0) {
        if (result->missing) {
            port->missing = true;
            port->flaps++;
        }
        port_retry(port);
        port_down(port, result->why);
    } else {
        port_opened(port, result);
    }
    serial_look_soon(self);
}

/* ---- life ---- */

/* What is wrong with the options of a miner is said on its own row, not by refusing the plugin. */
static bool options_read(struct port *port)
{
    const struct shep_host *host = port->self->host;
    struct shep_ctx *ctx = port->self->ctx;
    const char *path = "", *lines = "leave";
    char why[SERIAL_WHY_MAX] = "";
    host->device_opt_str(ctx, port->dev, "path", &path);
    host->device_opt_str(ctx, port->dev, "dtr_rts", &lines);
    host->device_opt_int(ctx, port->dev, "baud", &port->baud);
    port->deassert = !strcmp(lines, "deassert");
    if (path[0] != '/')
        snprintf(why, sizeof why, "path \"%.200s\" must be absolute, like /dev/ttyUSB0", path);
    else if (snprintf(port->path, sizeof port->path, "%s", path) >= (int)sizeof port->path)
        snprintf(why, sizeof why, "path \"%.200s…\" is too long", path);
    else if (!serial_baud_known(port->baud))
        snprintf(why, sizeof why,
                 "%s: baud %lld is not a standard rate; miners use 115200 (also possible: 2400 to "
                 "2000000, not 1200, which sends some boards to their boot loader)",
                 path, (long long)port->baud);
    if (why[0])
        port_down(port, why);
    return !why[0];
}

int port_new(struct serial *self, struct shep_device *dev)
{
    struct port *port = calloc(1, sizeof *port);
    if (!port)
        return SHEP_E_NOMEM;
    port->self = self;
    port->dev = dev;
    port->id = ++self->next_id;
    port->handle.fd = -1;
    port->baud = 115200;
    port->due_ms = self->host->mono_ms(self->ctx);
    port->state = options_read(port) ? PORT_CLOSED : PORT_REFUSED;
    port->missing = true;
    port->look = port->state == PORT_CLOSED;
    struct port **end = &self->ports; /* opened in the order of the configuration */
    while (*end)
        end = &(*end)->next;
    *end = port;
    if (port->state == PORT_CLOSED)
        opening_adopt(port);
    if (look_hangs(self, port->path))
        port_hangs(self, port->path);
    serial_look_soon(self);
    return 0;
}

static void port_destroy(struct port *port)
{
    if (port->job)
        port->job->port = NULL;
    if (port->reset)
        port->reset->port = NULL;
    port_close(port);
    port_watch(port, NULL, 0);
    free(port);
}

void port_free(struct serial *self, struct shep_device *dev)
{
    for (struct port **at = &self->ports; *at; at = &(*at)->next)
        if ((*at)->dev == dev) {
            struct port *port = *at;
            *at = port->next;
            port_destroy(port);
            return;
        }
}

void port_free_all(struct serial *self)
{
    while (self->ports) {
        struct port *port = self->ports;
        self->ports = port->next;
        port_destroy(port);
    }
    openings_leave(self);
}
