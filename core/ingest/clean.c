/* Bytes of a device to text that is safe to store and show. Pure; the result does not depend on how
 * the bytes are cut.
 *
 * NUL, other C0 controls except TAB, DEL and C1 controls become U+FFFD: a device must not draw on
 * somebody's terminal. Invalid UTF-8 becomes one U+FFFD for each longest start of a character that
 * is no character (as Unicode recommends and Python does), so a run of n bytes 0xFF becomes n of
 * them. ESC [ … final byte 0x40..0x7e goes away, because miners colour their lines; it may hold
 * only bytes 0x20..0x3f before its final one and be ESC_MAX bytes long. Bytes that turn out to be
 * no such sequence stay, with U+FFFD for ESC; one that the end of the line cuts goes away. */
#include "ingest/internal.h"

#define REPLACEMENT "\xEF\xBF\xBD"

static bool plain_byte(unsigned char c)
{
    return (c >= 0x20 && c < 0x7f) || c == '\t';
}

/* Eight bytes at a time: any below 0x20, any 0x7f, any from 0x80 up? */
static bool plain_word(const char *bytes)
{
    const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
    uint64_t word;
    memcpy(&word, bytes, sizeof(word));
    uint64_t low = (word - ones * 0x20) & ~word;
    uint64_t del = word ^ (ones * 0x7f);
    return (((low | word) | ((del - ones) & ~del)) & high) == 0;
}

size_t clean_plain_run(const char *bytes, size_t len)
{
    size_t at = 0;
    while (at < len) {
        if (len - at >= 8 && plain_word(bytes + at)) {
            at += 8;
            continue;
        }
        size_t stop = len - at < 8 ? len : at + 8;
        while (at < stop && plain_byte((unsigned char)bytes[at]))
            at++;
        if (at < stop)
            return at;
    }
    return at;
}

static void put(struct cleaner *c, const char *text, size_t len)
{
    if (c->full || len > c->max - c->out.len) {
        c->full = true;
        return;
    }
    buf_add(&c->out, text, len);
}

/* A run of plain bytes may be cut anywhere. */
static void put_plain(struct cleaner *c, const char *text, size_t len)
{
    size_t room = c->max - c->out.len;
    if (len > room) {
        put(c, text, room);
        c->full = true;
    } else {
        put(c, text, len);
    }
}

static void put_bad(struct cleaner *c, size_t n_bytes)
{
    if (c->full)
        return;
    c->bad_bytes += n_bytes;
    put(c, REPLACEMENT, 3);
}

/* ---- characters ---- */

static void utf8_start(struct cleaner *c, unsigned char byte)
{
    uint8_t need = 0;
    if (byte >= 0xC2 && byte <= 0xDF)
        need = 2;
    else if (byte >= 0xE0 && byte <= 0xEF)
        need = 3;
    else if (byte >= 0xF0 && byte <= 0xF4)
        need = 4;
    if (need == 0) {
        put_bad(c, 1);
        return;
    }
    c->utf8[0] = byte;
    c->utf8_len = 1;
    c->utf8_need = need;
}

/* No overlong forms, no surrogates, nothing above U+10FFFF. */
static bool utf8_continues(const struct cleaner *c, unsigned char byte)
{
    unsigned char low = 0x80, high = 0xBF;
    if (c->utf8_len == 1) {
        switch (c->utf8[0]) {
        case 0xE0:
            low = 0xA0;
            break;
        case 0xED:
            high = 0x9F;
            break;
        case 0xF0:
            low = 0x90;
            break;
        case 0xF4:
            high = 0x8F;
            break;
        default:
            break;
        }
    }
    return byte >= low && byte <= high;
}

static void utf8_drop(struct cleaner *c)
{
    if (c->utf8_len)
        put_bad(c, c->utf8_len);
    c->utf8_len = 0;
}

/* true: the byte belonged to the character. */
static bool utf8_next(struct cleaner *c, unsigned char byte)
{
    if (!utf8_continues(c, byte)) {
        utf8_drop(c);
        return false;
    }
    c->utf8[c->utf8_len++] = byte;
    if (c->utf8_len == c->utf8_need) {
        bool is_c1 = c->utf8[0] == 0xC2 && c->utf8[1] < 0xA0;
        if (is_c1)
            put_bad(c, 2);
        else
            put(c, (const char *)c->utf8, c->utf8_need);
        c->utf8_len = 0;
    }
    return true;
}

/* ---- escape sequences ---- */

/* It was none: what was collected is text. */
static void esc_give_up(struct cleaner *c)
{
    put_bad(c, 1);
    if (c->esc_len > 1)
        put_plain(c, c->esc + 1, c->esc_len - 1u);
    c->esc_len = 0;
}

static bool esc_goes_on(const struct cleaner *c, unsigned char byte)
{
    if (c->esc_len == 1)
        return byte == '[';
    bool is_parameter = byte >= 0x30 && byte < 0x40, is_intermediate = byte >= 0x20 && byte < 0x30;
    bool had_intermediate = c->esc[c->esc_len - 1] < 0x30;
    return c->esc_len < ESC_MAX && (is_intermediate || (is_parameter && !had_intermediate));
}

/* true: the byte belonged to the sequence. */
static bool esc_next(struct cleaner *c, unsigned char byte)
{
    if (esc_goes_on(c, byte)) {
        c->esc[c->esc_len++] = (char)byte;
        return true;
    }
    if (c->esc_len > 1 && byte >= 0x40 && byte < 0x7f) {
        c->esc_len = 0;
        return true;
    }
    esc_give_up(c);
    return false;
}

static void clean_byte(struct cleaner *c, unsigned char byte)
{
    if (c->utf8_len && utf8_next(c, byte))
        return;
    if (c->esc_len && esc_next(c, byte))
        return;
    if (byte == 0x1b) {
        c->esc[0] = 0x1b;
        c->esc_len = 1;
    } else if (byte >= 0x80) {
        utf8_start(c, byte);
    } else if (plain_byte(byte)) {
        char text = (char)byte;
        put(c, &text, 1);
    } else {
        put_bad(c, 1);
    }
}

static size_t skip_to_end(const char *bytes, size_t len)
{
    const char *lf = memchr(bytes, '\n', len);
    if (lf)
        len = (size_t)(lf - bytes);
    const char *cr = memchr(bytes, '\r', len);
    return cr ? (size_t)(cr - bytes) : len;
}

size_t clean_feed(struct cleaner *c, const char *bytes, size_t len)
{
    size_t at = 0;
    while (at < len) {
        if (c->full)
            return at + skip_to_end(bytes + at, len - at);
        if (bytes[at] == '\r' || bytes[at] == '\n')
            return at;
        if (!clean_pending(c)) {
            size_t run = clean_plain_run(bytes + at, len - at);
            put_plain(c, bytes + at, run);
            at += run;
            if (run)
                continue;
        }
        clean_byte(c, (unsigned char)bytes[at++]);
    }
    return at;
}

void clean_end(struct cleaner *c)
{
    utf8_drop(c);
    c->esc_len = 0;
}

void clean_reset(struct cleaner *c)
{
    buf_clear(&c->out);
    c->full = false;
    c->utf8_len = 0;
    c->esc_len = 0;
}

bool clean_pending(const struct cleaner *c)
{
    return c->utf8_len > 0 || c->esc_len > 0;
}
