#include "herd/facts.h"

#include <jansson.h>

struct facts {
    struct topics *topics;
    struct {
        char *name, *json;
    } items[FACT_MAX_COUNT];
    size_t n;
    struct buf all; /* rebuilt when asked for after a change */
    bool all_fresh;
};

struct facts *facts_new(struct topics *topics)
{
    struct facts *facts = shep_alloc(sizeof *facts);
    facts->topics = topics;
    return facts;
}

void facts_free(struct facts *facts)
{
    if (!facts)
        return;
    for (size_t i = 0; i < facts->n; i++) {
        free(facts->items[i].name);
        free(facts->items[i].json);
    }
    buf_free(&facts->all);
    free(facts);
}

static size_t find(const struct facts *facts, const char *name)
{
    size_t i = 0;
    while (i < facts->n && strcmp(facts->items[i].name, name) != 0)
        i++;
    return i;
}

static void changed(struct facts *facts)
{
    facts->all_fresh = false;
    topic_touch(facts->topics, TOPIC_FACTS);
}

static int removed(struct facts *facts, size_t i)
{
    if (i == facts->n)
        return 0;
    free(facts->items[i].name);
    free(facts->items[i].json);
    facts->items[i] = facts->items[--facts->n];
    changed(facts);
    return 0;
}

int facts_put(struct facts *facts, const char *name, const char *json, size_t len)
{
    size_t i = find(facts, name);
    if (!json)
        return removed(facts, i);
    if (len > FACT_MAX_BYTES || i == FACT_MAX_COUNT)
        return SHEP_E_LIMIT;
    json_t *parsed = json_loadb(json, len, JSON_REJECT_DUPLICATES, NULL);
    if (!parsed)
        return SHEP_E_FORMAT;
    json_decref(parsed);
    if (i == facts->n) {
        facts->items[facts->n++].name = shep_strdup(name);
    } else {
        if (strlen(facts->items[i].json) == len && memcmp(facts->items[i].json, json, len) == 0)
            return 0;
        free(facts->items[i].json);
    }
    facts->items[i].json = shep_strndup(json, len);
    changed(facts);
    return 0;
}

const char *facts_get(const struct facts *facts, const char *name)
{
    size_t i = find(facts, name);
    return i < facts->n ? facts->items[i].json : NULL;
}

const char *facts_all(struct facts *facts, size_t *len_out)
{
    if (!facts->all_fresh) {
        buf_clear(&facts->all);
        buf_add_str(&facts->all, "{");
        for (size_t i = 0; i < facts->n; i++) /* names are [a-z0-9_.-]: nothing to escape */
            buf_printf(&facts->all, "%s\"%s\":%s", i ? "," : "", facts->items[i].name,
                       facts->items[i].json);
        buf_add_str(&facts->all, "}");
        facts->all_fresh = true;
    }
    *len_out = facts->all.len;
    return facts->all.data;
}
