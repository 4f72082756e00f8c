// sources: core/backup/names.c core/util/*.c
// link: PkgConfig::JANSSON
// options: -max_len=700
/* Names in an archive: what passes stays in the folder that it is unpacked into. */
#include "backup/internal.h"

static void check(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *name = shep_strndup((const char *)data, size);
    struct part_name part;
    if (part_name_parse(name, &part)) {
        check(name[0] != '/' && strlen(name) <= NAME_BYTES_MAX);
        check(!strstr(name, "..") || part.part == PART_VIEW); /* "a..b" is a name */
        for (const char *p = name; p; p = strchr(p, '/')) {
            p += *p == '/';
            check(*p && *p != '.' && *p != '/');
        }
        for (const char *p = name; *p; p++)
            check((unsigned char)*p >= 0x20 && *p != '\\' && *p != 0x7f);
        if (part.part == PART_VIEW)
            check(part.view_dir >= 0 && part.view_dir < VIEW_DIRS_MAX && part.rest[0]);
        else
            check(strcmp(part_file(part.part), name) == 0);
    }
    part_component_ok(name);
    free(name);
    return 0;
}
