/* The list `miners` of the configuration: what every miner has. What its source wants besides is
 * checked by the plugins. */
#include "cli/config.h"

enum { MINERS_MAX = 2000, GROUP_MAX = 64, TAGS_MAX = 16, TAG_MAX = 32, PLACE_MAX = 80 };

static bool miner_id_is_valid(const char *id)
{
    size_t len = id ? strlen(id) : 0;
    return len >= 1 && len <= 64 &&
           id[strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")] == 0;
}

/* A word for people: not empty, in one line. */
static bool label_is_valid(const json_t *value, size_t max_bytes)
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

static bool is_there_before(const json_t *tags, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (json_equal(json_array_get(tags, i), json_array_get(tags, at)))
            return true;
    return false;
}

/* They travel as one text with commas. */
static void check_tags(struct checker *checker, const char *where, const json_t *tags)
{
    char place[PLACE_MAX];
    snprintf(place, sizeof place, "%s.tags", where);
    if (!tags || (json_is_object(tags) && json_object_size(tags) == 0))
        return;
    if (!json_is_array(tags) || json_array_size(tags) > TAGS_MAX) {
        config_mistakef(checker, place, "must be a list of at most %d texts: { \"loud\", \"old\" }",
                        TAGS_MAX);
        return;
    }
    size_t i;
    json_t *tag;
    json_array_foreach((json_t *)tags, i, tag)
    {
        if (!label_is_valid(tag, TAG_MAX) || strchr(json_string_value(tag), ','))
            config_mistakef(checker, place, "number %zu must be a text of 1 to %d bytes, no comma",
                            i + 1, TAG_MAX);
        else if (is_there_before(tags, i))
            config_mistakef(checker, place, "'%s' is there twice", json_string_value(tag));
    }
}

static void check_labels(struct checker *checker, const char *where, const json_t *miner)
{
    const json_t *location = json_object_get(miner, "location"),
                 *group = json_object_get(miner, "group");
    char place[PLACE_MAX];
    if (location && !json_is_string(location))
        config_mistake(where, "location must be a text", checker);
    snprintf(place, sizeof place, "%s.group", where);
    if (group && !label_is_valid(group, GROUP_MAX))
        config_mistakef(checker, place, "must be a text of 1 to %d bytes", GROUP_MAX);
    check_tags(checker, where, json_object_get(miner, "tags"));
}

static void check_id(struct checker *checker, const char *where, const char *id, json_t *seen)
{
    char place[PLACE_MAX];
    snprintf(place, sizeof place, "%s.id", where);
    if (!miner_id_is_valid(id))
        config_mistake(place, "must be 1 to 64 of A-Z a-z 0-9 . _ -", checker);
    else if (json_object_get(seen, id))
        config_mistakef(checker, place, "'%s' is there twice; every miner needs a name of its own",
                        id);
    else
        json_object_set_new(seen, id, json_true());
}

const json_t *check_miners(struct checker *checker, const json_t *miners,
                           const struct plugins *plugins)
{
    if (!miners || (json_is_object(miners) && json_object_size(miners) == 0))
        return NULL;
    if (!json_is_array(miners) || json_array_size(miners) > MINERS_MAX) {
        config_mistakef(
            checker, "miners",
            "must be a list of at most %d tables: { { id = \"…\", source = \"…\", path = \"…\" } }",
            MINERS_MAX);
        return NULL;
    }
    json_t *seen = json_object(), *miner;
    size_t i;
    json_array_foreach((json_t *)miners, i, miner)
    {
        char where[64];
        snprintf(where, sizeof where, "miners[%zu]", i + 1);
        if (!json_is_object(miner)) {
            config_mistake(where, "must be a table: { id = \"…\", source = \"…\", path = \"…\" }",
                           checker);
            continue;
        }
        check_id(checker, where, json_string_value(json_object_get(miner, "id")), seen);
        check_labels(checker, where, miner);
        plugins_check_miner(plugins, where, miner, config_mistake, checker);
    }
    json_decref(seen);
    return miners;
}
