/* A daemon's worth of rooms around core/plugin, with two sources made by hand: one that finds, and
 * one that judges and opens. Boards are plugged in and speak as the test says. */
#ifndef TEST_FOUND_FIXTURE_H
#define TEST_FOUND_FIXTURE_H

#include "unit/check.h"

#include "plugin/internal.h"
#include "unit/test_store_util.h"

enum { OPEN_MAX = 64, TEXT_MAX = 16384 };

struct board { /* as a finder tells of it; what is NULL is not known */
    const char *key, *path, *port, *vid, *pid, *serial, *mac, *hub;
    unsigned unit;
};

struct opened {
    struct shep_device *dev;
    char path[128];
};

struct found_fixture {
    struct fix fix;
    struct topics *topics;
    struct herd *herd;
    struct plugins plugins;
    struct plugin finder, opener, other, parser;
    struct opened opened[OPEN_MAX];
    size_t n_opened, n_attached; /* open now; how often one was attached */
    uint32_t judge;              /* what the opener says; SHEP_JUDGE_NATIVE is added for 303a */
    bool connects;               /* the opener says at once that the link is up */
    int64_t wall_ms, mono_ms;
    char events[TEXT_MAX]; /* "link.down(BARN-01: unplugged) …" */
};
extern struct found_fixture t;

int found_setup(void **state);
int found_teardown(void **state);
void daemon_start(void); /* on the same directory again after daemon_stop() */
void daemon_stop(void);

void start(void);
void two_boards(
    void); /* and two accepted CH340 boards: k2, k3, BARN-01 and -02 in 1-1.2 and 1-1.3 */

void advance(int64_t ms); /* with what happens in time */
void plug(const struct board *board);
void unplug(const char *key);
void hang_up(const char *path);
void link_up(const char *path);
/* The board on that path says a line of the parser here: "mac=a0:…", "worker=x", "rate=5". */
void say(const char *path, const char *line);
struct shep_device *opened_at(const char *path);
/* The miner that has this path open; "": nobody. */
const char *who(const char *path);
const char *status_of(const char *miner);
size_t events_of(const char *name); /* how many; forget_events() begins anew */
void forget_events(void);

void put(const char *entry_json, enum miner_origin origin);
int accept(const char *key, const char *name);
/* What plugins_found_each says of the device on that path, as JSON; valid until the next call. */
const json_t *shown(const char *path);
const char *shown_text(const char *path, const char *field); /* "": null */
#define CH340(key_, path_, port_)                                                                  \
    &(struct board)                                                                                \
    {                                                                                              \
        .key = key_, .path = path_, .port = port_, .vid = "1a86", .pid = "7523"                    \
    }
#define CP2102(key_, path_, port_, serial_)                                                        \
    &(struct board)                                                                                \
    {                                                                                              \
        .key = key_, .path = path_, .port = port_, .vid = "10c4", .pid = "ea60", .serial = serial_ \
    }

#define TEST(name) cmocka_unit_test_setup_teardown(name, found_setup, found_teardown)
#endif
