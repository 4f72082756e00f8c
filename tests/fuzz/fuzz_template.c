// sources: core/script/worker/template.c core/util/*.c
// options: -max_len=4096

/* Any bytes as a template. What must hold: the Lua code has each line of the template as the same
 * line, a mistake is named at a line that exists, and text outside of tags stays in the quotes that
 * it was put into: no template of text alone can become code. */
#include "script/worker/template.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t newlines(const char *text, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++)
        n += text[i] == '\n';
    return n;
}

/* Behind the prologue there is _emit"…"; and nothing else. */
static void check_text_only(const char *lua, size_t len)
{
    const char *p = memchr(lua, ';', len), *end = lua + len;
    if (!p)
        abort();
    p++;
    while (p < end) {
        static const char head[] = "_emit\"";
        if ((size_t)(end - p) < sizeof head - 1 || memcmp(p, head, sizeof head - 1) != 0)
            abort();
        for (p += sizeof head - 1; p < end && *p != '"'; p++) {
            if (*p == '\n' || *p == '\r' || *p == '\0')
                abort(); /* only behind a backslash */
            if (*p == '\\')
                p++;
        }
        if (end - p < 2 || p[1] != ';')
            abort();
        p += 2;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct buf lua = {0};
    char err[256] = "";
    int line = template_translate(text, size, &lua, err, sizeof err);
    size_t lines = newlines(text, size);
    if (line < 0 || (size_t)line > lines + 1 || (line && !err[0]))
        abort();
    if (line == 0 && newlines(lua.data, lua.len) > lines)
        abort();
    if (line == 0 && !memmem(text, size, "<%", 2)) {
        if (newlines(lua.data, lua.len) != lines)
            abort();
        check_text_only(lua.data, lua.len);
    }
    buf_free(&lua);
    return 0;
}
