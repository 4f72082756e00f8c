/* The rules of entry.h. */
#include "flock/entry.h"

enum { GROUP_MAX = 64, TAGS_MAX = 16, TAG_MAX = 32, PLACE_MAX = 96, WHAT_MAX = 256 };

bool entry_name_is_valid(const char *name)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t len = name ? strlen(name) : 0;
    return len >= 1 && len <= ENTRY_NAME_MAX && name[strspn(name, letters)] == 0;
}

bool entry_label_is_valid(const json_t *value, size_t max_bytes)
{
    const char *text = json_string_value(value);
    size_t len = json_string_length(value);
    if (!text || len < 1 || len > max_bytes)
        return false;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            return false;
    return true;
}

/* Where a mistake is and whom to tell. */
struct teller {
    const char *where;
    plugin_mistake_fn fn;
    void *arg;
};

static void tell(const struct teller *teller, const char *key, const char *fmt, ...)
    SHEP_PRINTF(3, 4);

static void tell(const struct teller *teller, const char *key, const char *fmt, ...)
{
    char place[PLACE_MAX], what[WHAT_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    snprintf(place, sizeof place, "%s.%s", teller->where, key);
    teller->fn(place, what, teller->arg);
}

static bool is_there_before(const json_t *tags, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (json_equal(json_array_get(tags, i), json_array_get(tags, at)))
            return true;
    return false;
}

/* They travel as one text with commas. */
static void check_tags(const struct teller *teller, const json_t *tags)
{
    if (!tags || (json_is_object(tags) && json_object_size(tags) == 0))
        return;
    if (!json_is_array(tags) || json_array_size(tags) > TAGS_MAX) {
        tell(teller, "tags", "must be a list of at most %d texts: { \"loud\", \"old\" }", TAGS_MAX);
        return;
    }
    size_t i;
    json_t *tag;
    json_array_foreach((json_t *)tags, i, tag)
    {
        if (!entry_label_is_valid(tag, TAG_MAX) || strchr(json_string_value(tag), ','))
            tell(teller, "tags", "number %zu must be a text of 1 to %d bytes, no comma", i + 1,
                 TAG_MAX);
        else if (is_there_before(tags, i))
            tell(teller, "tags", "'%s' is there twice", json_string_value(tag));
    }
}

void entry_check(const char *where, const json_t *entry, plugin_mistake_fn fn, void *arg)
{
    struct teller teller = {.where = where, .fn = fn, .arg = arg};
    const json_t *location = json_object_get(entry, "location"),
                 *group = json_object_get(entry, "group");
    if (!entry_name_is_valid(json_string_value(json_object_get(entry, "id"))))
        tell(&teller, "id", "must be 1 to 64 of A-Z a-z 0-9 . _ -");
    if (location && !json_is_string(location))
        fn(where, "location must be a text", arg);
    if (group && !entry_label_is_valid(group, GROUP_MAX))
        tell(&teller, "group", "must be a text of 1 to %d bytes", GROUP_MAX);
    check_tags(&teller, json_object_get(entry, "tags"));
}
