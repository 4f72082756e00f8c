/* The names that an archive of ours may hold. Pure. */
#include "backup/internal.h"

static const struct {
    const char *name;
    enum part part;
    int64_t max_bytes;
} fixed[] = {
    {"shepherd-backup.json", PART_ABOUT, SMALL_BYTES_MAX},
    {"shepherd.db", PART_DB, 0},
    {"admin_password", PART_PASSWORD, 4096},
    {"btc_price.json", PART_PRICE, SMALL_BYTES_MAX},
    {"config/shepherd.lua", PART_CONFIG, SMALL_BYTES_MAX},
    {"shepherd-backup.sha256", PART_SUMS, (NAME_BYTES_MAX + 80) * FILES_MAX},
};

const char *part_file(enum part part)
{
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++) {
        if (fixed[i].part == part)
            return fixed[i].name;
    }
    return NULL;
}

/* Never a plugin among the views: with a configuration that names their folder in plugin_dirs, an
 * archive would bring native code along, and run it as soon as that is checked. */
static bool component_ok(const char *name, size_t len)
{
    if (len == 0 || len > 255 || name[0] == '.' || (len > 3 && !memcmp(name + len - 3, ".so", 3)))
        return false;
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f || name[i] == '\\' || name[i] == '/')
            return false;
    }
    return true;
}

bool part_component_ok(const char *name)
{
    return component_ok(name, strlen(name));
}

static bool path_ok(const char *path)
{
    int depth = 0;
    for (;;) {
        size_t len = strcspn(path, "/");
        if (++depth > DEPTH_MAX || !component_ok(path, len))
            return false;
        if (path[len] == '\0')
            return true;
        path += len + 1;
    }
}

/* "views/3/…" */
static bool view_parse(const char *name, struct part_name *out)
{
    int dir = 0, digits = 0;
    const char *p = name + strlen("views/");
    for (; *p >= '0' && *p <= '9' && digits < 3; p++, digits++)
        dir = dir * 10 + (*p - '0');
    if (digits == 0 || dir >= VIEW_DIRS_MAX || (digits > 1 && name[strlen("views/")] == '0') ||
        *p != '/' || !path_ok(p + 1))
        return false;
    *out = (struct part_name){
        .part = PART_VIEW, .max_bytes = VIEW_BYTES_MAX, .view_dir = dir, .rest = p + 1};
    return true;
}

bool part_name_parse(const char *name, struct part_name *out)
{
    if (!name || strlen(name) > NAME_BYTES_MAX)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++) {
        if (strcmp(fixed[i].name, name) != 0)
            continue;
        *out = (struct part_name){.part = fixed[i].part, .max_bytes = fixed[i].max_bytes};
        return true;
    }
    return strncmp(name, "views/", 6) == 0 && view_parse(name, out);
}
