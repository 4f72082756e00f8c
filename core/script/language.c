/* The languages that views speak: English, which is in the views themselves, and each that has a
 * catalogue in lua/locale/ when the daemon starts. */
#include "script/internal.h"

#include <dirent.h>
#include <strings.h>

enum { LANGUAGE_MAX = 35 }; /* bytes of a tag such as "zh-Hant-TW" (RFC 5646 4.4.1) */

static bool is_tag(const char *name, size_t len)
{
    if (len < 2 || len > LANGUAGE_MAX || name[0] == '-' || name[len - 1] == '-')
        return false;
    for (size_t i = 0; i < len; i++) {
        bool letter = (name[i] | 0x20) >= 'a' && (name[i] | 0x20) <= 'z';
        if (!letter && name[i] != '-' && !(name[i] >= '0' && name[i] <= '9'))
            return false;
    }
    return true;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void languages_read(struct languages *languages, const char *lua_dir)
{
    char *path = path_join_dup(lua_dir, "locale");
    DIR *dir = opendir(path);
    struct dirent *entry;
    languages->names[languages->n++] = shep_strdup("en");
    while (dir && languages->n < ARRAY_LEN(languages->names) && (entry = readdir(dir))) {
        size_t len = strlen(entry->d_name);
        if (len < 5 || strcmp(entry->d_name + len - 4, ".lua") != 0 ||
            !is_tag(entry->d_name, len - 4) || strcmp(entry->d_name, "en.lua") == 0)
            continue;
        languages->names[languages->n++] = shep_strndup(entry->d_name, len - 4);
    }
    if (dir)
        closedir(dir);
    free(path);
    qsort(languages->names, languages->n, sizeof *languages->names, compare);
}

void languages_clear(struct languages *languages)
{
    for (size_t i = 0; i < languages->n; i++)
        free(languages->names[i]);
    languages->n = 0;
}

const char *script_language_find(const struct script_pool *pool, const char *tag, size_t len)
{
    for (size_t i = 0; i < pool->languages.n; i++) {
        const char *name = pool->languages.names[i];
        if (strlen(name) == len && strncasecmp(name, tag, len) == 0)
            return name;
    }
    return NULL;
}
