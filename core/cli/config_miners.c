/* The list `miners` of the configuration. The rules for one miner are those of core/flock/entry.h,
 * which forms keep as well; what its source wants besides is checked by the plugins. */
#include "cli/config.h"
#include "flock/entry.h"

enum { PLACE_MAX = 80 };

static void check_twice(struct checker *checker, const char *where, const char *id, json_t *seen)
{
    char place[PLACE_MAX];
    if (!id)
        return;
    snprintf(place, sizeof place, "%s.id", where);
    if (json_object_get(seen, id))
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
    if (!json_is_array(miners) || json_array_size(miners) > ENTRY_MINERS_MAX) {
        config_mistakef(
            checker, "miners",
            "must be a list of at most %d tables: { { id = \"…\", source = \"…\", path = \"…\" } }",
            ENTRY_MINERS_MAX);
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
        entry_check(where, miner, config_mistake, checker);
        check_twice(checker, where, json_string_value(json_object_get(miner, "id")), seen);
        plugins_check_miner(plugins, where, miner, config_mistake, checker);
    }
    json_decref(seen);
    return miners;
}
