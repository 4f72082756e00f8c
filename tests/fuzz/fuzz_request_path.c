// sources: core/http/wire.c core/util/*.c
// options: -max_len=2048
/* Bytes from the wire through every pure check of core/http: whatever passes must keep its
 * promises. */
#include "http/wire.h"

#include <stdlib.h>

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void fuzz_target(const char *text)
{
    char *store = malloc(strlen(text) + 2); /* exactly what the header asks for */
    struct wire_target target;
    if (store && wire_target_parse(text, store, &target) == 0) {
        size_t len = strlen(target.path);
        check(target.path[0] == '/' && target.path[1] != '/');
        check(len <= WIRE_PATH_MAX && len <= strlen(text));
        check(!strchr(target.path, '\\'));
        check(!strstr(target.path, "/../") && !strstr(target.path, "/./"));
        check(len < 3 || strcmp(target.path + len - 3, "/..") != 0);
        for (size_t i = 0; i < len; i++)
            check((unsigned char)target.path[i] >= 0x20 && target.path[i] != 0x7F);
        check(target.n_query <= WIRE_QUERY_MAX);
        for (size_t i = 0; i < target.n_query; i++)
            check(wire_query_get(&target, target.query[i].name) != NULL);
    }
    free(store);
}

static void fuzz_host(const char *text)
{
    char name[64];
    if (wire_host_parse(text, name, sizeof name) == WIRE_HOST_BAD)
        return;
    check(name[0] && strlen(name) < sizeof name);
    for (const char *p = name; *p; p++)
        check((unsigned char)*p > 0x20 && !strchr("/@<>\"'", *p));
}

/* However the bytes are cut into pieces, the verdict is the same. */
static void fuzz_scan(const uint8_t *data, size_t size)
{
    struct wire_scan whole = {0}, pieces = {0};
    wire_scan_bytes(&whole, data, size);
    for (size_t i = 0; i < size; i++)
        wire_scan_bytes(&pieces, data + i, 1);
    check(whole.bad == pieces.bad && whole.done == pieces.done && whole.lines == pieces.lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = shep_strndup((const char *)data, size);
    fuzz_target(text);
    fuzz_host(text);
    fuzz_scan(data, size);
    wire_accepts_gzip(text);
    wire_etag_in(text, "W/\"0123456789abcdef\"");
    check(!wire_name_ok(text) || (*text && !strpbrk(text, " :\r\n\t")));
    check(!wire_value_safe(text) || !strpbrk(text, "\r\n"));
    free(text);
    return 0;
}
