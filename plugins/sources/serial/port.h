/* One configured port, for the files that make it up: port.c reads it, opening.c opens it, paths.c
 * knows whether its path is there, reset.c boots its board again. Thread: loop. */
#ifndef SERIAL_PORT_H
#define SERIAL_PORT_H

#include "serial.h"

enum port_state { PORT_CLOSED, PORT_OPENING, PORT_OPEN, PORT_REFUSED /* its options are wrong */ };

struct open_job { /* outlives the port when that is detached meanwhile */
    struct open_job *next;
    struct port *port;       /* NULL: detached */
    struct serial *self;     /* NULL: stopped */
    struct shep_timer *slow; /* NULL: it takes too long, and was told so */
    struct open_request request;
    struct open_result result;
};

struct reset_job {
    struct port *port; /* NULL: detached */
    int fd;            /* of its own: the port may be closed meanwhile */
    bool native;
    int error;
};

struct port {
    struct port *next;
    struct serial *self;
    struct shep_device *dev;
    unsigned id;
    char path[SERIAL_PATH_MAX];
    int64_t baud;
    bool deassert;
    enum port_state state;
    struct open_job *job;
    struct serial_handle handle;
    struct shep_watch *watch;
    dev_t rdev;
    bool look, touched; /* to be looked at; its path was, or its rights */
    bool missing;       /* the path was not there when it was last looked at, or nobody looked */
    bool has_lines, native;
    struct reset_job *reset;
    struct watch_point points[SERIAL_POINTS_MAX];
    size_t n_points;
    unsigned fails, flaps, empty_reads;
    int64_t due_ms, opened_ms, tried_ms; /* monotonic */
};

void port_down(struct port *port, const char *why);
void port_lost(struct port *port, const char *what); /* closes it; it is tried again */
void port_retry(struct port *port);                  /* later, and later each time */
void port_answered(struct port *port, const struct open_result *result);

/* ---- opening.c ---- */
/* The same port is attached again while its opening is under way: that is its opening. */
void opening_adopt(struct port *port);
void openings_leave(struct serial *self); /* the plugin stops; they end by themselves */
void port_pump_soon(struct serial *self);

/* ---- paths.c ---- */
/* What its path depends on from now on; what nobody needs any more is not watched any more. */
void port_watch(struct port *port, const struct watch_point *points, size_t n);
#endif
