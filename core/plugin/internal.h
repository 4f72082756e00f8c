/* What the files of core/plugin share. */
#ifndef SHEP_PLUGIN_INTERNAL_H
#define SHEP_PLUGIN_INTERNAL_H

#include "plugin/identity.h"
#include "plugin/plugin.h"

#include <sys/queue.h>

enum {
    PLUGINS_MAX = 128,
    FOUND_MAX = 256,         /* USB has 127 devices on a bus; more than that are not ours */
    FOUND_TEXT_MAX = 256,    /* a USB string has at most 126 characters; a description, two */
    FOUND_PATH_MAX = 512,    /* by-path names of deep hub trees reach 150 bytes */
    KNOWN_NOBODYS_MAX = 512, /* of devices that came once and are nobody's, the newest */
    STRANGERS_AWAY_MAX = 64, /* listened to, never taken in, and unplugged: the newest */
    MOVES_MAX = 8,        /* a board that says ever other addresses is not moved about for ever */
    KV_VALUE_MAX = 65536, /* plugin.h promises it */
    KV_KEYS_MAX = 1024
};

struct kv {
    char *key, *value;
};

/* Who is calling: a source, service or sink. Parser streams have a context of core/ingest. */
struct shep_ctx {
    struct plugin *plugin;
};

struct plugin {
    struct plugins *plugins;
    struct loop_owner owner;
    struct shep_ctx ctx;
    char *file;
    struct shep_plugin desc; /* copied up to its size; what is past that is zero */
    union {
        struct shep_parser_ops parser;
        struct shep_source_ops source;
        struct shep_service_ops service;
    } ops; /* likewise */
    bool loaded, started, disabled;
    char *problem;
    const json_t *options;
    void *self;
    struct kv *kv;
    size_t n_kv;
};

/* A miner that was put: its entry, and its ways in. */
struct member {
    LIST_ENTRY(member) link;
    struct plugins *plugins;
    struct plugin *source;
    struct miner *miner;
    enum miner_origin origin;
    char *name, *parser;
    json_t *entry;
    LIST_HEAD(, shep_device) ways;
};

/* One way in to one miner. */
struct shep_device {
    LIST_ENTRY(shep_device) link;
    struct plugin *source;        /* that opens it */
    struct member *member;        /* whose lines these are; may change while it is open (proof.c) */
    struct found *found;          /* what is plugged in there; NULL: no finder tells of it */
    bool own;                     /* the entry says where it is: it stays when it is unplugged */
    json_t *entry;                /* the member's, with "path" where it is now */
    const char *parser;           /* chosen; NULL: not yet */
    struct ingest_stream *stream; /* NULL until the first byte */
    struct loop_timer *tick;      /* armed while an unfinished line waits */
    bool heard_out;               /* after the silence, the port was read once more */
    bool attached, up;
};

/* What is plugged in. */
struct found {
    struct plugin *finder, *opener; /* opener NULL: nobody opens such a device */
    char *finder_key, *path, *port_path, *hub, *description, *vendor_id, *product_id, *serial;
    char mac[ID_MAC_MAX]; /* told, or heard; "": not known */
    unsigned unit;
    struct id_facts facts;
    char key[ID_KEY_MAX];
    uint32_t judged; /* SHEP_JUDGE_… */
    struct member *owner;
    struct shep_device *way; /* NULL: not opened */
    enum id_by by;           /* what ties it to its owner */
    enum id_doubt doubt;
    char *doubt_text, *question; /* in words; in doubt.c's */
    int64_t maybe_id;
    bool ignored, worker_heard;
    bool gone;      /* hung up or lost, and told to ports.c */
    bool contested; /* its owner's by the file, another's by what it is */
    unsigned moves;
    int64_t since_ms;
    int64_t due_ms; /* monotonic; its port comes and goes, so it is opened then; 0: it was */
};

/* doubt.c: what people were told of by an event, and have not answered. */
enum { TOLD_MAX = 256 /* as many as devices */ };
struct told {
    char place[ID_PLACE_MAX];
    enum id_doubt doubt;
    int64_t maybe_id, at_ms; /* monotonic */
};

struct ports; /* ports.c */

struct plugins {
    struct plugin *items[PLUGINS_MAX];
    size_t n;
    struct ingest_parser parsers[PLUGINS_MAX];
    struct ingest_parsers parser_list;
    struct plugin_env env;
    LIST_HEAD(, member) members;
    struct found *found[FOUND_MAX];
    size_t n_found;
    struct known **known;
    size_t n_known, cap_known;
    json_t *answers; /* doubt.c: by key */
    struct told told[TOLD_MAX];
    size_t n_told;
    struct ports *ports; /* NULL until something is unplugged */
    bool running;
    int settling; /* over 0: found_review() would be called from within itself */
};

extern const struct shep_host plugin_host; /* host.c */

/* load.c: keeps what is wrong for /details/system and logs it; the same text again says nothing. */
void plugin_vproblem(struct plugin *plugin, const char *fmt, va_list args) SHEP_PRINTF(2, 0);
void plugin_problem(struct plugin *plugin, const char *fmt, ...) SHEP_PRINTF(2, 3);
struct plugin *plugin_find(const struct plugins *plugins, uint32_t kind, const char *name);

/* options.c: tables of plugins have the stride of the plugin that made them. */
const struct shep_option *option_at(const struct shep_option *table, uint32_t stride, size_t i);
const struct shep_option *option_find(const struct shep_option *table, uint32_t stride,
                                      const char *name);
void options_check(const struct shep_option *table, uint32_t stride, const json_t *values,
                   const char *where, const char *const *also, size_t n_also, plugin_mistake_fn fn,
                   void *arg);
/* Lookups: value of the configuration, else the default. Results as plugin.h says of opt_str() … */
int option_str(const struct shep_option *table, uint32_t stride, const json_t *values,
               const char *name, const char **out);
int option_int(const struct shep_option *table, uint32_t stride, const json_t *values,
               const char *name, int64_t *out);
int option_float(const struct shep_option *table, uint32_t stride, const json_t *values,
                 const char *name, double *out);
int option_bool(const struct shep_option *table, uint32_t stride, const json_t *values,
                const char *name, int *out);

/* device.c: one way in, and the stream from its bytes to the herd and the store */
int device_feed(struct shep_device *dev, const void *bytes, size_t len);
int device_reading(struct shep_device *dev, const struct shep_reading *reading);
void device_link(struct shep_device *dev, bool up, const char *why);
/* found NULL: where the member's entry says. */
struct shep_device *way_new(struct member *member, struct found *found);
void way_attach(struct shep_device *dev);
void way_detach(struct shep_device *dev, const char *why);
void way_free(struct shep_device *dev, const char *why);
/* The same bytes, another miner's from here on. */
void way_move(struct shep_device *dev, struct member *member, const char *why);
/* From the entry of its member, as it is now. */
void way_configure(struct shep_device *dev);

/* miner.c: the miners that were put */
struct member *member_by_name(const struct plugins *plugins, const char *name);
struct member *member_by_id(const struct plugins *plugins, int64_t id);
const char *member_text(const struct member *member, const char *key);
struct shep_device *member_own_way(const struct member *member);
/* What came under another number is gone: from here on it is where its entry says. */
void member_await(struct member *member);
/* Up when any of its ways is. */
void member_link(struct member *member, const char *why);
int member_rename(struct member *member, const char *name);
/* It is plugged in somewhere else, under another number, or no more. */
void member_moved(struct member *member);
void member_set_device(struct member *member, const char *key);
void member_free(struct member *member);
void members_attach_all(struct plugins *plugins);
void members_close(struct plugins *plugins);

/* known.c: every key that was ever seen, and whose it is */
struct known *known_find(const struct plugins *plugins, const char *key);
/* The member's entry names this key. */
void known_claim(struct plugins *plugins, const char *key, const struct member *member);
/* Its entry names another one now: a key that somebody typed is not kept for ever. */
void known_renounce(struct plugins *plugins, const char *key, const struct member *member);
/* Writes it through. found NULL: nothing is known but the key. */
void known_put(struct plugins *plugins, const char *key, const struct found *found,
               int64_t miner_id, bool present);
void known_forget(struct plugins *plugins, const char *key);
void known_forget_miner(struct plugins *plugins, int64_t miner_id, const char *prefix);
/* The places that stand for the miner, but that of this device. */
void known_forget_places(struct plugins *plugins, int64_t miner_id, const struct found *except);
/* Does the miner have an address? */
bool known_has_mac(const struct plugins *plugins, int64_t miner_id);
void known_close(struct plugins *plugins);

/* found.c: what is plugged in */
int device_found(struct plugin *source, const struct shep_found *found);
int device_lost(struct plugin *source, const char *key);
void found_settle_all(struct plugins *plugins);
void found_close(struct plugins *plugins);
void found_event(struct plugins *plugins, uint32_t event_id, const struct member *member,
                 const char *text);

/* owner.c: whose it is */
/* fresh: it was plugged in just now. */
void found_settle(struct found *found, bool fresh);
/* Something about the miners changed: whose is what? */
void found_review(struct plugins *plugins);
/* Its rows in the store: whose it is, and that it is there. */
void found_save(struct found *found, bool present);
/* Where a miner is, leaving one device aside. */
enum id_presence found_presence(const struct found *except, const struct member *member);
void found_share_serial(struct found *found);
void found_bind(struct found *found, struct member *owner, enum id_by by);
/* why NULL: its owner is about to go. */
void found_unbind(struct found *found, const char *why);
void found_attach(struct found *found); /* opens its way in, now or later */

/* adopt.c: what people say about them */
/* A miner of the herd for a stranger; the device is not tied to it yet. */
struct member *found_stranger_member(struct found *found);
/* A stranger's miner that nothing is tied to any more goes; its lines become another's, or stay. */
void stranger_retire(struct member *stranger, const struct member *into);
/* One stick that calls itself something else each second makes no miner each second. */
void strangers_bound(struct plugins *plugins);

/* proof.c: what their logs say */
void proof_heard(struct shep_device *dev, const struct shep_reading *reading);
/* The address that was heard is its owner's from here on. */
void proof_address(struct found *found);
/* Another miner's from here on; why: for the one whose it was. */
void found_move(struct found *found, struct member *member, enum id_by by, const char *why);
/* It is not its owner, and nobody else we know. */
void found_estrange(struct found *found, const char *why);

/* doubt.c: what is asked about them, and what was answered. reason: what makes it doubtful, if
 * another one would be another question; NULL. */
void doubt_set(struct found *found, enum id_doubt doubt, const struct member *maybe,
               const char *reason, const char *fmt, ...) SHEP_PRINTF(5, 6);
void doubt_clear(struct found *found);
/* People said whose it is: what is asked about its place from here on is news. */
void doubt_heard(struct found *found);
/* It is whose it is taken for: no doubt, now and later. */
void doubt_answer(struct found *found);
/* The miner has turned up: nobody else is taken for it. */
void doubt_resolve(struct plugins *plugins, const struct member *member);
void answers_forget(struct plugins *plugins, const char *key);
void answers_restore(struct plugins *plugins);

/* ports.c: many at once, and again and again */
void ports_went(struct found *found);
void ports_came(struct found *found); /* open, or there and not to be opened */
void ports_stranger(struct found *found, uint32_t event_id); /* device.found, device.lost */
/* How long to let it wait before it is opened: 0, or ever longer while it comes and goes. */
int64_t ports_wait_ms(const struct found *found);
void ports_watch(struct plugins *plugins); /* from here on ports_tick() looks */
void ports_tick(struct plugins *plugins);
void ports_close(struct plugins *plugins);
#endif
