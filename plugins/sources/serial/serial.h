/* Inside the serial source. What may block runs on a worker thread: opening a port (open.c),
 * looking who holds it (holder.c), looking whether paths are there (look.c) and the reset pulse
 * (lines.c). Those touch nothing but their arguments. The rest lives on the loop. */
#ifndef SERIAL_H
#define SERIAL_H

#include "shepherd/plugin.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

enum {
    SERIAL_PATH_MAX = 512,   /* by-path names of deep hub trees reach 150 bytes */
    SERIAL_TEXT_MAX = 128,   /* a program's name, a user's, a group's */
    SERIAL_WHY_MAX = 768,    /* a sentence for people, with two paths in it */
    SERIAL_IDS_MAX = 64,     /* VID:PIDs that the configuration adds; nobody has more kinds */
    SERIAL_STALE_MAX = 64,   /* watches that are dropped after a look; more stay until the end */
    SERIAL_POINTS_MAX = 16,  /* watched directories of one path: one a link, and some spare */
    SERIAL_READ_BYTES = 4096 /* one tty buffer; others get their turn between */
};

/* ---- models.c: which USB devices miners are ---- */
struct model_ids { /* those that the configuration adds */
    size_t n;
    char ids[SERIAL_IDS_MAX][10]; /* "2e8a:000a" */
};
/* False: bad is the word that is no VID:PID. */
bool models_parse(const char *text, struct model_ids *out, char bad[static 32]);
/* SHEP_JUDGE_… bits. text: what the device says of itself. */
unsigned models_judge(const struct model_ids *more, bool listen_all, const char *vid,
                      const char *pid, const char *text);
bool models_native(const char *vid, const char *pid);
/* SHEP_ADD_…: a plain serial port, or something else that can be read like one. */
int models_may_add(const char *path);

/* ---- holder.c ---- */
/* Names a program that has the device open: "minicom (pid 4711)". False: none that we may see. */
bool holder_find(dev_t rdev, char *out, size_t cap);

/* ---- open.c ---- */
struct sp_port;
struct serial_handle {
    int fd;             /* -1: closed */
    struct sp_port *sp; /* NULL: opened without libserialport */
};
struct open_request {
    char path[SERIAL_PATH_MAX], sysfs_root[SERIAL_PATH_MAX], dev_root[SERIAL_PATH_MAX];
    int64_t baud;
    bool deassert;
};
struct open_result {
    struct serial_handle handle;
    int err; /* enum shep_err */
    dev_t rdev;
    bool missing;                 /* the path does not exist */
    bool has_lines, native;       /* DTR and RTS are there; USB of the chip itself */
    char why[SERIAL_WHY_MAX];     /* when err < 0: what, where, what to do */
    char sharer[SERIAL_TEXT_MAX]; /* somebody who has the port open besides us; empty: nobody */
};
void serial_open(const struct open_request *request, struct open_result *result);
void serial_close(struct serial_handle *handle);
bool serial_baud_known(int64_t baud);

/* ---- lines.c: DTR and RTS ---- */
bool lines_there(int fd);
/* Both low by one request; 0 or an errno. A port without them has nothing to lower. */
int lines_deassert(int fd);
/* One clean reset pulse, some 0.3 s long; 0 or an errno. Never leaves the board held. */
int lines_reset(int fd, bool native);

/* ---- look.c ---- */
struct watch_point { /* something that decides whether a path is there: a name in a directory */
    int wd;          /* of inotify */
    uint32_t name;   /* name_hash() */
};
struct look_view {
    unsigned id; /* of the port */
    char path[SERIAL_PATH_MAX];
    bool exists;
    dev_t rdev; /* 0: no character device */
    struct watch_point points[SERIAL_POINTS_MAX];
    size_t n_points;
};
struct look {
    struct serial *self;     /* NULL: stopped meanwhile */
    struct look *next;       /* of those that hang */
    struct shep_timer *slow; /* NULL: it takes too long */
    size_t hung_at;          /* the view that hangs, once it does */
    _Atomic size_t at;       /* the view that is being looked at; written by the worker */
    atomic_bool leave;       /* nobody waits for the other views any more */
    char sysfs_root[SERIAL_PATH_MAX], dev_root[SERIAL_PATH_MAX];
    int inotify;                 /* a descriptor of its own; -1: none */
    bool blind;                  /* some directory cannot be watched: the kernel's limit */
    char known[SERIAL_PATH_MAX]; /* the ports that are there, when some path is not */
    size_t n_views;
    struct look_view views[];
};
void look_run(void *arg);
uint32_t name_hash(const char *name);
/* The directory and the target of a link, as a path; false with errno: no link, or none that fits.
 */
bool link_target(const char *path, char out[static SERIAL_PATH_MAX]);
enum { SERIAL_LINKS_MAX = 8 }; /* by-id is one link; a longer chain is a loop */
/* "/dev/ttyUSB0, /dev/ttyACM1" or "none" */
void ports_list(const char *sysfs_root, const char *dev_root, char *out, size_t cap);

/* ---- port.c: one configured miner ---- */
struct port;
int port_new(struct serial *self, struct shep_device *dev);
void port_free(struct serial *self, struct shep_device *dev);
void port_free_all(struct serial *self);
int port_reset(struct serial *self, struct shep_device *dev);
/* Ports whose path somebody touched. wd -1: all of them; name 0: whatever the name. */
bool ports_touched(struct serial *self, int wd, uint32_t name);
void port_look_again(struct serial *self, unsigned id);
void port_hangs(struct serial *self, const char *path); /* looking at it does not end */
size_t ports_to_look(const struct serial *self);
void ports_fill(struct serial *self, struct look *look, size_t max);
/* What a look saw of the path of a port. */
void port_seen(struct serial *self, const struct look *look, const struct look_view *view);
bool ports_watch(const struct serial *self, int wd); /* some port still needs this watch */

/* ---- opening.c ---- */
void port_pump(struct serial *self); /* starts the openings that are due */

/* ---- serial.c ---- */
struct serial {
    struct shep_ctx *ctx;
    const struct shep_host *host;
    char sysfs_root[SERIAL_PATH_MAX], dev_root[SERIAL_PATH_MAX];
    bool discover, listen_all;
    struct model_ids ids;
    struct port *ports;
    unsigned next_id;
    struct open_job *openings;  /* under way, also those whose port was detached */
    unsigned n_opening, n_hung; /* of these: in time yet, and those that take too long */
    int64_t next_open_ms;       /* monotonic; openings are staggered */
    struct shep_timer *pump;
    uint64_t random;
    int inotify; /* -1: none */
    struct shep_watch *inotify_watch;
    bool blind;        /* not every path is watched: look at all of them every 2 s */
    struct look *look; /* under way; NULL: none */
    struct look *hung; /* those that take too long */
    int64_t looked_ms;
    struct shep_timer *look_timer, *sweep_timer;
    int stale[SERIAL_STALE_MAX]; /* watches that may be needless, until the look is over */
    size_t n_stale;
};

/* ---- watch.c ---- */
void watch_start(struct serial *self);
void watch_stop(struct serial *self);
bool look_hangs(const struct serial *self, const char *path);
/* Starts a look at what was touched, at once or when the one under way is done. */
void serial_look(struct serial *self);
void serial_look_soon(struct serial *self); /* in the next turn, with all that come in this one */
void serial_unwatch(struct serial *self, int wd); /* unless another port needs it */
#endif
