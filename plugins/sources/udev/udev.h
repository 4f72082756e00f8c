/* Inside the source "udev". The scan (scan.c, text.c) runs on a worker thread: the kernel locks a
 * USB device while it reads one of its strings, for seconds when the device is in trouble. It
 * touches nothing but its arguments and makes a libudev context of its own: libudev's objects
 * belong to one thread for all their life. The rest lives on the loop. */
#ifndef UDEV_SOURCE_H
#define UDEV_SOURCE_H

#include "shepherd/plugin.h"

#include <stdbool.h>

enum {
    UDEV_PATH_MAX = 512,  /* sysfs paths of deep hub trees reach 200 bytes */
    UDEV_NAME_MAX = 64,   /* ttyUSB0, ttyACM12 */
    UDEV_PLACE_MAX = 64,  /* "1-1.2.3.4.5:1.0": USB allows seven levels */
    UDEV_TEXT_MAX = 128,  /* USB string descriptors have at most 126 characters */
    UDEV_PORTS_MAX = 256, /* USB allows 127 devices a bus; more ports than this are not told */
    UDEV_DIRTY_MAX = 64,  /* events during one scan, which takes milliseconds; more: all of it */
    UDEV_POLL_MS = 2000,  /* without udevd a port is seen within this */
    UDEV_CHECK_MS = 60000 /* with udevd: whether it tells us everything */
};

struct usb_port { /* zeroed before it is filled, so that two can be compared as a whole */
    char name[UDEV_NAME_MAX];     /* ttyUSB0 */
    char key[2 * UDEV_PLACE_MAX]; /* usb:1-1.2:1.0, its place */
    char node[UDEV_PATH_MAX];     /* /dev/ttyUSB0 */
    char port_path[UDEV_PLACE_MAX] /* 1-1.2 */, hub[UDEV_PLACE_MAX] /* 1-1; empty: none */;
    char description[2 * UDEV_TEXT_MAX + 4];
    char serial[UDEV_TEXT_MAX], mac[18], vid[5], pid[5];
    unsigned unit; /* which port of the chip: 0, or its interface's number, or 256 and more */
};

/* ---- text.c: what devices say of themselves ---- */
/* Valid UTF-8 without control characters, cut at a whole character. */
void text_clean(char *dst, size_t cap, const char *src);
/* A serial number as udev would write it; one that udev drops (odd bytes, commas) keeps its
 * differences as %XX. */
void text_serial(char *dst, size_t cap, const char *src);
/* "A0B1C2D3E4F5" or with separators → "a0:b1:c2:d3:e4:f5"; false when it is no MAC of a device. */
bool text_mac(char out[static 18], const char *serial);
bool text_hex4(char out[static 5], const char *src);

/* ---- scan.c ---- */
struct scan_result {
    size_t n_ports, n_waiting; /* waiting: there, but udev is not done with it */
    struct usb_port ports[UDEV_PORTS_MAX];
};
/* Serial ports with a USB parent, in order of their names. raw: also those that udev did not
 * finish. */
void ports_scan(const char *sysfs_root, const char *dev_root, bool raw, struct scan_result *out);
bool port_name_wanted(const char *name); /* may be a USB serial port, by its name */

/* ---- udev.c ---- */
struct scan;
struct udev_source {
    struct shep_ctx *ctx;
    const struct shep_host *host;
    char sysfs_root[UDEV_PATH_MAX], dev_root[UDEV_PATH_MAX];
    struct monitor *monitor; /* NULL: it could not be opened, or it died */
    bool deaf;               /* events do not reach us: look every 2 s */
    bool told_limit, told_mute;
    struct scan *scan; /* under way; NULL: none */
    bool again;        /* scan once more after it */
    unsigned waits;    /* scans in a row that left something waiting */
    int64_t scanned_ms;
    struct shep_timer *timer; /* the next scan */
    int64_t due_ms;
    struct usb_port known[UDEV_PORTS_MAX]; /* what the core was told of, and not told lost */
    size_t n_known;
};
/* What the monitor heard. */
void source_event(struct udev_source *self, const char *action, const char *name);
void source_overrun(struct udev_source *self);
void source_mute(struct udev_source *self, int error); /* said once, not every 2 s */
void source_monitor_died(struct udev_source *self, int error);

/* ---- known.c: what the core knows ---- */
/* Which names a scan may say nothing about, since they changed while it ran. */
typedef bool (*known_dirty_fn)(const void *arg, const char *name);
/* Tells the differences; true: there were some. */
bool known_update(struct udev_source *self, const struct scan_result *now, known_dirty_fn dirty,
                  const void *arg);
void known_remove(struct udev_source *self, const char *name);

/* ---- monitor.c ---- */
struct monitor *monitor_open(struct udev_source *self); /* NULL: says why in the log */
void monitor_close(struct monitor *monitor);
/* Hands over what waits, a bounded number. May end in source_monitor_died(), which closes it. 0:
 * nothing waited. */
unsigned monitor_drain(struct monitor *monitor);
#endif
