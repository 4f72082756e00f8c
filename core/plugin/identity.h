/* Who is it? The rules that tell boards apart, and nothing else: no state, no clock, no I/O. Any
 * thread. The table of the rules stands in README.md, "Identity"; what the rest of the room does
 * with an answer is owner.c's and proof.c's business.
 *
 * Texts from devices are hostile: whatever a serial number says, a key is at most ID_KEY_MAX - 1
 * plain characters, and two texts that differ make two keys that differ. */
#ifndef SHEP_PLUGIN_IDENTITY_H
#define SHEP_PLUGIN_IDENTITY_H

#include "util/util.h"

enum {
    ID_MAC_MAX = 13,   /* twelve digits, and the end */
    ID_NAME_MAX = 65,  /* CONTRACT: 1 to 64 characters */
    ID_PLACE_MAX = 64, /* a port of USB is at most seven hubs deep: "12-1.2.3.4.5.6" */
    ID_KEY_MAX = 192   /* "usb:1a86:7523:" + 64 + "@" + place */
};

/* "A0:B1:C2:D3:E4:F5", with : or - or nothing between, as "a0b1c2d3e4f5". false: that is no address
 * of a board (wrong form, all zeros, all ones, a group address). */
bool id_mac(const char *text, char out[static ID_MAC_MAX]);
/* A serial number that two units of a kind do not share: not what a vendor leaves in all of them.
 */
bool id_serial_trusted(const char *serial);
/* Text from outside for people: at most max bytes, no control bytes, valid UTF-8. NULL stays NULL;
 * owned. */
char *id_clean_dup(const char *text, size_t max);
/* A name for a miner from where it is plugged in: letters, digits, . _ - only, never empty. */
void id_name(const char *place, char out[static ID_NAME_MAX]);
/* The hub that a port hangs on: "1-1.2" → "1-1", "1-1" → "usb1". false: this is no port path. */
bool id_hub(const char *port_path, char *out, size_t cap);

/* What is known of one device that is plugged in. */
struct id_facts {
    char mac[ID_MAC_MAX];        /* known without opening it; "": not known */
    char vid[8], pid[8];         /* "": not USB */
    char place[ID_PLACE_MAX];    /* "1-1.2"; another tty of the same chip: "1-1.2#1" */
    char serial_key[ID_KEY_MAX]; /* "usb:VID:PID:SERIAL"; "": no serial number to be trusted */
    bool shared;                 /* two boards were seen with that serial number */
};
/* unit: which tty of the chip; 0: the first. */
void id_facts_make(struct id_facts *out, const char *mac, const char *vid, const char *pid,
                   const char *serial, const char *place, unsigned unit);
void id_key_mac(char out[static ID_KEY_MAX], const char *mac);
void id_key_place(char out[static ID_KEY_MAX], const struct id_facts *facts);
/* "usb:VID:PID:SERIAL@PLACE": one of several with that serial number. */
void id_key_shared(char out[static ID_KEY_MAX], const struct id_facts *facts);

/* A key that was seen before, and whose it is. */
struct known {
    char *key, *port_path, *vid, *pid;
    int64_t miner_id; /* 0: nobody's */
    int64_t seen_ms;
    bool ignored;
};

/* Where a miner is, leaving aside the device that is asked about. */
enum id_presence {
    ID_NO_MINER, /* there is no such miner (any more) */
    ID_ABSENT,
    ID_ASSUMED, /* there is a device in its place */
    ID_PROVEN   /* there by its MAC, its serial number, or as configured */
};
struct id_world {
    struct known *const *known;
    size_t n_known;
    enum id_presence (*presence)(int64_t miner_id, bool *stranger_out, void *arg);
    void *arg;
};

enum id_by { ID_BY_NOTHING, ID_BY_PLACE, ID_BY_SERIAL, ID_BY_MAC, ID_BY_FILE, ID_BY_WORD };
enum id_doubt {
    ID_NO_DOUBT,
    ID_OTHER_KIND, /* another kind of device in the place of an absent miner */
    ID_MOVED,      /* new here, and a miner of its kind is missing elsewhere */
    ID_OTHER_MAC,  /* another board in the place of a miner */
    ID_SAME_MAC,   /* two ways in, of two miners, say the same MAC */
    ID_OTHER_WORKER,
    ID_OTHER_BOARD, /* the file names its path for one miner, it is the board of another */
    ID_PUSHED_OUT   /* the miner that it was taken for has proven to be elsewhere */
};
struct id_verdict {
    enum id_by by;
    int64_t miner_id; /* whose it is; 0: a stranger */
    enum id_doubt doubt;
    const struct known *maybe; /* the miner that the doubt is about, and where it was */
    size_t n_maybe;            /* how many could be meant */
    char key[ID_KEY_MAX];
};
void id_decide(const struct id_facts *facts, const struct id_world *world, struct id_verdict *out);
#endif
