/* Frames, and how a file looks from outside. Any thread; no state. */
#include "script/proto/proto.h"

#include "shepherd/plugin.h"

#include <sys/stat.h>
#include <time.h>

struct head {
    uint32_t len; /* of the payload */
    uint8_t type, zero[3];
};
_Static_assert(sizeof(struct head) == 8, "the head has no padding");

size_t frame_begin(struct buf *out, enum frame_type type)
{
    struct head head = {.type = (uint8_t)type};
    size_t mark = out->len;
    buf_add(out, &head, sizeof head);
    return mark;
}

void frame_end(struct buf *out, size_t mark)
{
    uint32_t len = (uint32_t)(out->len - mark - sizeof(struct head));
    memcpy(out->data + mark, &len, sizeof len);
}

void put_u8(struct buf *out, uint8_t value)
{
    buf_add(out, &value, sizeof value);
}

void put_u32(struct buf *out, uint32_t value)
{
    buf_add(out, &value, sizeof value);
}

void put_u64(struct buf *out, uint64_t value)
{
    buf_add(out, &value, sizeof value);
}

void put_i64(struct buf *out, int64_t value)
{
    buf_add(out, &value, sizeof value);
}

void put_bytes(struct buf *out, const void *bytes, size_t len)
{
    put_u32(out, (uint32_t)len);
    buf_add(out, bytes, len);
    put_u8(out, 0);
}

void put_str(struct buf *out, const char *text)
{
    put_bytes(out, text ? text : "", text ? strlen(text) : 0);
}

int frame_next(const char *bytes, size_t len, size_t max, struct frame *out, size_t *used)
{
    struct head head;
    if (len < sizeof head)
        return 0;
    memcpy(&head, bytes, sizeof head);
    if (head.len > max || head.type == 0 || head.type >= FRAME_TYPE_END || head.zero[0] ||
        head.zero[1] || head.zero[2])
        return SHEP_E_FORMAT;
    if (len - sizeof head < head.len)
        return 0;
    *out = (struct frame){(enum frame_type)head.type, bytes + sizeof head, head.len};
    *used = sizeof head + head.len;
    return 1;
}

struct cursor cursor_of(const struct frame *frame)
{
    return (struct cursor){frame->bytes, frame->bytes + frame->len, false};
}

static void get(struct cursor *c, void *out, size_t len)
{
    if (c->bad || (size_t)(c->end - c->at) < len) {
        c->bad = true;
        memset(out, 0, len);
        return;
    }
    memcpy(out, c->at, len);
    c->at += len;
}

uint8_t get_u8(struct cursor *c)
{
    uint8_t value;
    get(c, &value, sizeof value);
    return value;
}

uint32_t get_u32(struct cursor *c)
{
    uint32_t value;
    get(c, &value, sizeof value);
    return value;
}

uint64_t get_u64(struct cursor *c)
{
    uint64_t value;
    get(c, &value, sizeof value);
    return value;
}

int64_t get_i64(struct cursor *c)
{
    int64_t value;
    get(c, &value, sizeof value);
    return value;
}

const char *get_bytes(struct cursor *c, size_t max, size_t *len)
{
    uint32_t n = get_u32(c);
    *len = 0;
    if (c->bad || n > max || (size_t)(c->end - c->at) < (size_t)n + 1 || c->at[n] != '\0') {
        c->bad = true;
        return "";
    }
    const char *bytes = c->at;
    c->at += (size_t)n + 1;
    *len = n;
    return bytes;
}

const char *get_str(struct cursor *c, size_t max)
{
    size_t len;
    const char *text = get_bytes(c, max, &len);
    if (!c->bad && strlen(text) == len)
        return text;
    c->bad = true;
    return "";
}

uint32_t get_count(struct cursor *c, uint32_t max)
{
    uint32_t n = get_u32(c);
    if (n <= max)
        return n;
    c->bad = true;
    return 0;
}

bool cursor_done(const struct cursor *c)
{
    return !c->bad && c->at == c->end;
}

struct file_id file_id_of(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return (struct file_id){.size = -1};
    return (struct file_id){
        .mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec,
        .size = S_ISDIR(st.st_mode) ? 0 : (int64_t)st.st_size,
        .inode = (int64_t)st.st_ino,
    };
}

struct file_id file_id_record(const char *path)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct file_id id = file_id_of(path);
    int64_t age_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec - id.mtime_ns;
    if (id.size >= 0 && age_ns < FILE_ID_RACY_NS && age_ns > -FILE_ID_RACY_NS)
        id.mtime_ns = -1;
    return id;
}

bool file_id_eq(const struct file_id *a, const struct file_id *b)
{
    return a->mtime_ns == b->mtime_ns && a->size == b->size && a->inode == b->inode;
}

uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t len)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ p[i]) * 1099511628211u;
    return hash;
}
