/* The body of a form, judged byte by byte: application/x-www-form-urlencoded, multipart/form-data
 * or a JSON object. Pure: no socket, no clock, so that it can be fuzzed. A body that is not whole
 * in its own format is refused as a whole; texts are UTF-8 without NUL and control bytes other
 * than line ends and tabs. Only the bytes of an uploaded file may be anything. Any thread. */
#ifndef SHEP_HTTP_FORM_H
#define SHEP_HTTP_FORM_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum {
    FORM_FIELDS_MAX = 256,     /* 64 found devices accepted at once, with three fields each */
    FORM_NAME_MAX = 64,        /* bytes; the longest name of ours has 20 */
    FORM_PART_HEAD_MAX = 1024, /* header lines of a multipart part; browsers send 150 bytes */
    FORM_JSON_DEPTH_MAX = 8
};

struct form_field {
    char *name, *bytes; /* a NUL stands behind the bytes */
    size_t len;
    bool is_file;
};

struct http_form {
    struct form_field fields[FORM_FIELDS_MAX];
    size_t n;
    json_t *json; /* of a JSON body: that object; else made when somebody asks */
};

/* NULL: *why says what is wrong, in words for people. No type and no bytes: a form without fields.
 */
struct http_form *form_parse(const char *content_type, const char *bytes, size_t len,
                             const char **why);
/* For form_multipart.c: takes a copy. NULL, or what is wrong. */
const char *form_add(struct http_form *form, const char *name, size_t name_len, const char *bytes,
                     size_t len, bool is_file);
const char *form_multipart(struct http_form *form, const char *content_type, const char *bytes,
                           size_t len);
#endif
