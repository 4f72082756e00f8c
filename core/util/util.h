/* Small things that every room uses: memory that aborts when it runs out, byte buffers, bounded
 * strings. Any thread; no state. */
#ifndef SHEP_UTIL_H
#define SHEP_UTIL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
/* before the poison below */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_LEN(a)           (sizeof(a) / sizeof((a)[0]))
#define SHEP_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* Zeroed memory, never NULL: the daemon is supervised, so running out of memory ends it with a
 * message. Sizes that come from outside are bounded before they get here. */
void *shep_alloc(size_t n_bytes);
void *shep_alloc_array(size_t n, size_t each_bytes); /* overflow checked */
void *shep_realloc(void *old, size_t n_bytes);       /* new bytes are not zeroed */
char *shep_strdup(const char *text);                 /* NULL stays NULL */
char *shep_strndup(const char *text, size_t len);
char *shep_asprintf(const char *fmt, ...) SHEP_PRINTF(1, 2);

/* Growable bytes; always one NUL behind len once something was added. Zero-initialise to start. */
struct buf {
    char *data;
    size_t len, cap;
};
void buf_reserve(struct buf *buf, size_t more_bytes);
void buf_add(struct buf *buf, const void *bytes, size_t len);
void buf_add_str(struct buf *buf, const char *text);
void buf_printf(struct buf *buf, const char *fmt, ...) SHEP_PRINTF(2, 3);
void buf_clear(struct buf *buf); /* keeps the memory */
void buf_free(struct buf *buf);
char *buf_take(struct buf *buf); /* the caller owns the bytes; the buffer is empty again */

/* Copy with an end, cut at a UTF-8 boundary. Returns the bytes copied. */
size_t str_copy(char *dst, size_t cap_bytes, const char *src, size_t len);
bool str_eq(const char *a, const char *b); /* NULL equals only NULL */
/* Edit distance based: the nearest of <n> names, or NULL when none is near enough to be a typo. */
const char *str_nearest(const char *typo, const char *const *names, size_t n);
/* Whole-string numbers; false for empty, trailing bytes, overflow. */
bool str_to_i64(const char *text, int64_t *out);
bool str_to_f64(const char *text, double *out);

/* A small file, at most max_bytes. NULL and errno (EFBIG when larger, ESPIPE for a pipe: without a
 * writer it would look like an empty file); owned by the caller, NUL-terminated. */
char *file_read_dup(const char *path, size_t max_bytes, size_t *len_out);
int fd_write_all(int fd, const void *data, size_t len); /* 0 or -errno; may block */
/* Temporary file, fsync, rename. 0 or -errno. May block. */
int file_write_atomic(const char *path, const void *bytes, size_t len, unsigned mode);
/* The same, and when root does it the file belongs to the owner of like. */
int file_write_atomic_as(const char *path, const void *bytes, size_t len, unsigned mode,
                         const char *like);
int dir_make(const char *path, unsigned mode); /* with parents; 0 or -errno */
char *path_join_dup(const char *dir, const char *name);

#pragma GCC poison strcpy strcat sprintf vsprintf strtok
#endif
