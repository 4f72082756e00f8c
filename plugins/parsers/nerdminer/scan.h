/* Reading text that is bytes with a length: a span is what is left of a line, and each helper takes
 * something off its front or leaves it as it was. Nothing here copies, allocates or looks past
 * `end`. */
#ifndef NERDMINER_SCAN_H
#define NERDMINER_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct span {
    const char *at, *end;
};

static inline struct span span_of(const char *text)
{
    return (struct span){text, text + strlen(text)};
}

static inline size_t span_len(struct span s)
{
    return (size_t)(s.end - s.at);
}

static inline bool span_take(struct span *s, const char *text, size_t len)
{
    if (span_len(*s) < len || memcmp(s->at, text, len) != 0) {
        return false;
    }
    s->at += len;
    return true;
}

/* Takes a literal off the front. */
#define span_lit(s, literal) span_take((s), "" literal, sizeof(literal) - 1)
/* The whole span is this literal. */
#define span_is(s, literal)                                                                        \
    (span_len(s) == sizeof(literal) - 1 && memcmp((s).at, "" literal, sizeof(literal) - 1) == 0)
#define span_has(s, literal) (span_find((s), "" literal, sizeof(literal) - 1) != NULL)

static inline const char *span_find(struct span s, const char *text, size_t len)
{
    return s.at < s.end ? memmem(s.at, span_len(s), text, len) : NULL;
}

static inline bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static inline void span_blanks(struct span *s)
{
    while (s->at < s->end && is_blank(*s->at)) {
        s->at++;
    }
}

static inline struct span span_trim(struct span s)
{
    span_blanks(&s);
    while (s.end > s.at && is_blank(s.end[-1])) {
        s.end--;
    }
    return s;
}

/* Nothing but blanks is left, or a blank comes next: a value before it was whole. */
static inline bool span_at_break(const struct span *s)
{
    return s->at == s->end || is_blank(*s->at);
}

/* Takes everything up to a byte (which stays), or to the end. */
static inline struct span span_until(struct span *s, char stop)
{
    const char *hit = s->at < s->end ? memchr(s->at, stop, span_len(*s)) : NULL;
    struct span taken = {s->at, hit != NULL ? hit : s->end};

    s->at = taken.end;
    return taken;
}

/* At most `max` bytes of it, never half a UTF-8 character: for texts made by others. */
static inline struct span span_clip(struct span s, size_t max)
{
    if (span_len(s) > max) {
        s.end = s.at + max;
        while (s.end > s.at && ((unsigned char)*s.end & 0xC0) == 0x80) {
            s.end--;
        }
    }
    return s;
}

#endif
