/* Inside the serial source. Three parts may block and run on a worker thread: opening a port
 * (open.c), looking who holds it (holder.c) and looking for USB ports (discover.c). They touch
 * nothing but their arguments. The rest (serial.c, port.c) lives on the loop. */
#ifndef SERIAL_H
#define SERIAL_H

#include "shepherd/plugin.h"

#include <stdbool.h>
#include <sys/types.h>

enum {
    SERIAL_PATH_MAX = 512,   /* by-path names of deep hub trees reach 150 bytes */
    SERIAL_TEXT_MAX = 128,   /* USB string descriptors have at most 126 characters */
    SERIAL_WHY_MAX = 768,    /* a sentence for people, with two paths in it */
    SERIAL_FOUND_MAX = 256,  /* USB allows 127 devices a bus; more ports than this are not shown */
    SERIAL_SCAN_MS = 2000,   /* a new port is seen within this */
    SERIAL_READ_BYTES = 4096 /* one tty buffer; others get their turn between */
};

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
    char why[SERIAL_WHY_MAX];     /* when err < 0: what, where, what to do */
    char sharer[SERIAL_TEXT_MAX]; /* somebody who has the port open besides us; empty: nobody */
};
void serial_open(const struct open_request *request, struct open_result *result);
void serial_close(struct serial_handle *handle);
bool serial_baud_known(int64_t baud);

/* ---- discover.c ---- */
struct usb_port {
    char name[64], node[SERIAL_PATH_MAX]; /* ttyUSB0, /dev/ttyUSB0 */
    char base_key[SERIAL_PATH_MAX];       /* identity without regard to the other ports */
    char key[SERIAL_PATH_MAX];            /* identity among all ports; set by the loop */
    char port_path[SERIAL_TEXT_MAX];      /* 1-1.2, where it is plugged in */
    char description[2 * SERIAL_TEXT_MAX + 4];
    char serial[SERIAL_TEXT_MAX], vid[5], pid[5];
    dev_t rdev;
};
/* USB serial ports that sysfs lists and whose device node exists, sorted by name. */
size_t discover_scan(const char *sysfs_root, const char *dev_root, struct usb_port *out,
                     size_t max);
enum { MODEL_LIKELY = 1, MODEL_NATIVE = 2, MODEL_BOOTLOADER = 4 };
/* What the table of known bridges and chips says about a VID:PID. */
unsigned discover_model(const char *vid, const char *pid);
/* "/dev/ttyUSB0, /dev/ttyACM1" or "none" */
void discover_list(const char *sysfs_root, const char *dev_root, char *out, size_t cap);

/* ---- port.c: one configured miner ---- */
struct serial;
struct port;
int port_new(struct serial *self, struct shep_device *dev);
void port_free(struct serial *self, struct shep_device *dev);
void port_free_all(struct serial *self);
void port_pump(struct serial *self); /* starts the openings that are due */
/* What a scan saw of the path of port <id>. */
void port_seen(struct serial *self, unsigned id, bool exists, dev_t rdev);

struct port_view { /* for the scan */
    unsigned id;
    char path[SERIAL_PATH_MAX];
    bool exists;
    dev_t rdev;
};
size_t port_views(const struct serial *self, struct port_view *out, size_t max);
size_t port_count(const struct serial *self);

/* ---- serial.c ---- */
struct serial {
    struct shep_ctx *ctx;
    const struct shep_host *host;
    char sysfs_root[SERIAL_PATH_MAX], dev_root[SERIAL_PATH_MAX];
    struct port *ports;
    unsigned next_id, opening;
    int64_t next_open_ms; /* monotonic; openings are staggered */
    struct shep_timer *pump;
    uint64_t random;
    bool discover;
    enum { LISTEN_KNOWN, LISTEN_ALL } listen;
    struct scan *scan;                       /* under way; NULL: none */
    struct usb_port known[SERIAL_FOUND_MAX]; /* what the core was told of, and not told lost */
    size_t n_known;
};
#endif
