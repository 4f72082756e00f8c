/* What the daemon and a script process say to each other over their socket pair.
 *
 * A frame is a head of 8 bytes and a payload of numbers and strings in host byte order: both
 * programs are built from one tree and run on one host. The script process runs code that people
 * write, so the daemon believes no length in what it sends: every read is checked, and one bad
 * frame ends that process. No thread of its own; no state. */
#ifndef SHEP_SCRIPT_PROTO_H
#define SHEP_SCRIPT_PROTO_H

#include "util/util.h"

/* Raised when a frame changes its layout; given on the command line, so that a program that was
 * left from another build says so at once. */
#define PROTO_VERSION "3"
enum {
    PROTO_FD = 3,                     /* the script process finds its socket here */
    PROTO_TO_WORKER_MAX = 16 << 20,   /* a snapshot of 1,000 miners is about 1.5 MB */
    PROTO_FROM_WORKER_MAX = 10 << 20, /* body 4 MiB, its gzip, and the head */
    PROTO_NAME_MAX = 512,             /* bytes of a logical file name: "views/a/b.html" */
    PROTO_SOURCE_MAX = 512 << 10,     /* bytes of one view or module */
    PROTO_DEPS_MAX = 512,             /* files looked at for one page */
    PROTO_SOURCES_MAX = 128,          /* files used for one page */
    PROTO_PARAMS_MAX = 32,            /* declared parameters of one view */
    PROTO_PARTS_MAX = 4096,           /* live.row() on one page */
    PROTO_KEY_MAX = 128,              /* bytes of the key of a live.row() */
    PROTO_NEEDS_MAX = 16,             /* topics asked for in one render */
    PROTO_TEXT_MAX = 4096             /* bytes of a log line, a message, a content type */
};

enum frame_type {
    /* to the script process */
    FRAME_INIT =
        1,        /* lua_dir, views_dir, db_path (or ""), i64 cpu_ms, u32 n, override directories */
    FRAME_SOURCE, /* name, path, text: a file as it was when the view last worked. Before RENDER:
                     use it; from the process, before DONE: keep it. */
    FRAME_RENDER, /* see render_put() in pool.c and render_get() in worker/serve.c */
    FRAME_DATA,   /* u8 topic, u64 sequence, then the bytes */
    /* from the script process */
    FRAME_NEED, /* u8 topic */
    FRAME_DEP,  /* i64 mtime_ns, i64 size, i64 inode, path: looked at on the way */
    FRAME_LOG,  /* u8 level, text */
    FRAME_DONE, /* see page_decode() in page.c and done_send() in worker/serve.c */
    FRAME_TYPE_END
};

enum { /* flags of FRAME_RENDER */
       RENDER_HTML = 1,
       RENDER_GZIP = 2,
       RENDER_SHIPPED = 4,   /* leave the override directories out */
       RENDER_LAST_GOOD = 8, /* SOURCE frames came before */
};

enum {                     /* flags of a page in FRAME_DONE */
       PAGE_LOCALIZED = 1, /* it asked for its language */
       PAGE_EDITED = 2,    /* a file of it came from an override directory */
       PAGE_FLAGS_END = 4
};

enum done_outcome { DONE_PAGE = 1, DONE_NOT_FOUND, DONE_FAILED };

struct frame {
    enum frame_type type;
    const char *bytes;
    size_t len;
};

/* Write: begin returns a mark for end, which fills in the length. */
size_t frame_begin(struct buf *out, enum frame_type type);
void frame_end(struct buf *out, size_t mark);
void put_u8(struct buf *out, uint8_t value);
void put_u32(struct buf *out, uint32_t value);
void put_u64(struct buf *out, uint64_t value);
void put_i64(struct buf *out, int64_t value);
void put_bytes(struct buf *out, const void *bytes, size_t len); /* with length and a NUL */
void put_str(struct buf *out, const char *text);                /* NULL is sent as "" */

/* The first frame in bytes. 1 and *used: it is whole; 0: more bytes are needed; SHEP_E_FORMAT: not
 * a frame, or longer than max. */
int frame_next(const char *bytes, size_t len, size_t max, struct frame *out, size_t *used);

/* Read: after the first thing that does not fit, bad is set and everything reads as 0 or "". */
struct cursor {
    const char *at, *end;
    bool bad;
};
struct cursor cursor_of(const struct frame *frame);
uint8_t get_u8(struct cursor *c);
uint32_t get_u32(struct cursor *c);
uint64_t get_u64(struct cursor *c);
int64_t get_i64(struct cursor *c);
const char *get_bytes(struct cursor *c, size_t max, size_t *len); /* NUL-terminated; borrowed */
const char *get_str(struct cursor *c, size_t max);                /* the same, without NUL inside */
uint32_t get_count(struct cursor *c, uint32_t max); /* a count of things that follow */
bool cursor_done(const struct cursor *c);           /* everything was read and fitted */

/* How a file looks from outside; size -1: not there. A file that changed within the last moment may
 * change again without a new time (the kernel's clock tick is 4 ms), so it is recorded with a time
 * that never compares equal. */
struct file_id {
    int64_t mtime_ns, size, inode;
};
enum { FILE_ID_RACY_NS = 50000000 };
struct file_id file_id_of(const char *path);     /* as it is */
struct file_id file_id_record(const char *path); /* for a later comparison */
bool file_id_eq(const struct file_id *a, const struct file_id *b);

/* FNV-1a, for tables and change marks; not against attackers. */
uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t len);
#define HASH_START 14695981039346656037u
#endif
