/* The miners that were put, by the configuration, in the browser, or found: their entries, their
 * names, and when they are there. Thread: loop. */
#include "plugin/internal.h"

#include "util/log.h"

/* What a miner's entry may have besides the options of its source. */
static const char *const entry_keys[] = {"id",    "source", "parser", "location",
                                         "group", "tags",   "device", "about"};

/* Words for people: when only these change, the miner's port stays open. */
static const char *const label_keys[] = {"id", "location", "group", "tags", "about", "device"};

static const char *text_of(const json_t *entry, const char *key)
{
    return json_string_value(json_object_get(entry, key));
}

const char *member_text(const struct member *member, const char *key)
{
    return text_of(member->entry, key);
}

struct member *member_by_name(const struct plugins *plugins, const char *name)
{
    struct member *member;
    LIST_FOREACH(member, &plugins->members, link)
    {
        if (str_eq(member->name, name))
            return member;
    }
    return NULL;
}

struct member *member_by_id(const struct plugins *plugins, int64_t id)
{
    struct member *member;
    LIST_FOREACH(member, &plugins->members, link)
    {
        if (miner_id(member->miner) == id)
            return member;
    }
    return NULL;
}

void member_link(struct member *member, const char *why)
{
    bool up = false;
    struct shep_device *way;
    LIST_FOREACH(way, &member->ways, link)
    {
        up = up || way->up;
    }
    herd_link(member->plugins->env.herd, member->miner, up, up ? NULL : why);
}

/* ---- putting ---- */

/* "a,b"; NULL: none. */
static char *tags_of(const json_t *entry)
{
    struct buf tags = {0};
    size_t i;
    json_t *tag;
    json_array_foreach(json_object_get(entry, "tags"), i, tag)
    {
        buf_add_str(&tags, i ? "," : "");
        buf_add_str(&tags, json_string_value(tag));
    }
    return tags.len ? buf_take(&tags) : NULL;
}

static bool only_labels_differ(const json_t *a, const json_t *b)
{
    json_t *copies[2] = {json_copy((json_t *)a), json_copy((json_t *)b)};
    for (size_t i = 0; i < ARRAY_LEN(label_keys); i++) {
        json_object_del(copies[0], label_keys[i]);
        json_object_del(copies[1], label_keys[i]);
    }
    bool same = json_equal(copies[0], copies[1]);
    json_decref(copies[0]);
    json_decref(copies[1]);
    return same;
}

/* path: where it is now, or where the entry says. */
static struct miner *member_store(struct plugins *plugins, const json_t *entry, const char *path,
                                  const struct plugin *source, enum miner_origin origin)
{
    const char *parser = text_of(entry, "parser");
    char *options = json_dumps(entry, JSON_COMPACT | JSON_SORT_KEYS), *tags = tags_of(entry);
    struct store_miner row = {.name = text_of(entry, "id"),
                              .location = text_of(entry, "location"),
                              .source = source->desc.name,
                              .path = path,
                              .parser = parser ? parser : "auto",
                              .options_json = options,
                              .group = text_of(entry, "group"),
                              .tags = tags,
                              .origin = (int)origin};
    struct miner_conf conf = {.id = store_miner_put(plugins->env.store, &row),
                              .name = row.name,
                              .location = row.location,
                              .source = row.source,
                              .path = row.path,
                              .group = row.group,
                              .tags = tags,
                              .origin = origin};
    struct miner *miner = herd_miner_put(plugins->env.herd, &conf);
    free(options);
    free(tags);
    return miner;
}

/* Where it is now: by its entry, or by what is plugged in. */
static const char *path_of(const struct member *member, const json_t *entry)
{
    const char *path = text_of(entry, "path");
    const struct shep_device *way;
    LIST_FOREACH(way, &member->ways, link)
    {
        if (!path && way->found)
            path = way->found->path;
    }
    return path;
}

void member_moved(struct member *member)
{
    member_store(member->plugins, member->entry, path_of(member, member->entry), member->source,
                 member->origin);
}

/* An entry that names a device, and no path, waits for that device. */
static bool has_own_way(const json_t *entry)
{
    return text_of(entry, "path") || !text_of(entry, "device");
}

struct shep_device *member_own_way(const struct member *member)
{
    struct shep_device *way;
    LIST_FOREACH(way, &member->ways, link)
    {
        if (way->own)
            return way;
    }
    return NULL;
}

void member_await(struct member *member)
{
    struct shep_device *way = member_own_way(member);
    found_review(member->plugins);
    if (way && !way->found && LIST_NEXT(LIST_FIRST(&member->ways), link) == NULL)
        way_attach(way);
}

/* Another source, path or speed: every way in is opened anew. */
static void member_reopen(struct member *member)
{
    struct shep_device *way = member_own_way(member);
    if (way)
        way_free(way, NULL);
    LIST_FOREACH(way, &member->ways, link)
    {
        way_detach(way, NULL);
        way_configure(way);
    }
    if (has_own_way(member->entry))
        way_new(member, NULL);
    if (!member->plugins->running)
        return;
    LIST_FOREACH(way, &member->ways, link)
    {
        way_attach(way);
    }
    if (LIST_EMPTY(&member->ways))
        member_link(member, "not plugged in");
}

int plugins_miner_put(struct plugins *plugins, const json_t *entry, enum miner_origin origin)
{
    const char *name = text_of(entry, "id"), *parser = text_of(entry, "parser");
    struct plugin *source = plugin_find(plugins, SHEP_KIND_SOURCE, text_of(entry, "source"));
    struct member *member = member_by_name(plugins, name);
    if (!source)
        return SHEP_E_CONFIG;
    if (member && member->origin == origin && json_equal(member->entry, entry))
        return 0;
    bool labels = member && only_labels_differ(member->entry, entry) &&
                  has_own_way(member->entry) == has_own_way(entry);
    const char *path = member ? path_of(member, entry) : text_of(entry, "path");
    struct miner *miner = member_store(plugins, entry, path, source, origin);
    if (!member) {
        member = shep_alloc(sizeof *member);
        *member = (struct member){.plugins = plugins, .name = shep_strdup(name)};
        LIST_INSERT_HEAD(&plugins->members, member, link);
    }
    const char *before = member_text(member, "device");
    if (before && !str_eq(before, text_of(entry, "device")))
        known_renounce(plugins, before, member);
    free(member->parser);
    json_decref(member->entry);
    member->miner = miner;
    member->origin = origin;
    member->source = source;
    member->parser = shep_strdup(parser ? parser : "auto");
    member->entry = json_deep_copy(entry);
    if (member_text(member, "device"))
        known_claim(plugins, member_text(member, "device"), member);
    if (!labels)
        member_reopen(member);
    found_review(plugins);
    return 0;
}

int member_rename(struct member *member, const char *name)
{
    struct plugins *plugins = member->plugins;
    struct miner *other = herd_miner_by_name(plugins->env.herd, name);
    if (other && other != member->miner)
        return SHEP_E_BUSY;
    if (strcmp(member->name, name) == 0)
        return 0;
    int64_t id = miner_id(member->miner);
    store_miner_rename(plugins->env.store, id, name);
    int err = herd_miner_rename(plugins->env.herd, member->miner, name);
    if (err)
        return err;
    log_info("plugins", "%s is called %s from now on", member->name, name);
    free(member->name);
    member->name = shep_strdup(name);
    json_object_set_new(member->entry, "id", json_string(name));
    member_moved(member);
    topic_touch(plugins->env.topics, TOPIC_CONFIG);
    return 0;
}

void member_set_device(struct member *member, const char *key)
{
    const char *before = member_text(member, "device");
    if (!before || member->origin == MINER_FROM_FILE || strcmp(before, key) == 0)
        return; /* the file is people's */
    json_object_set_new(member->entry, "device", json_string(key));
    member_moved(member);
}

static bool is_name(const char *name)
{
    size_t len = name ? strlen(name) : 0;
    char plain[ID_NAME_MAX];
    if (len == 0 || len >= ID_NAME_MAX)
        return false;
    id_name(name, plain);
    return strcmp(name, plain) == 0;
}

int plugins_miner_rename(struct plugins *plugins, const char *old_name, const char *new_name)
{
    struct member *member = member_by_name(plugins, old_name);
    if (!member)
        return SHEP_E_GONE;
    if (member->origin == MINER_FROM_FILE || member->origin == MINER_DEMO)
        return SHEP_E_UNSUPPORTED;
    return is_name(new_name) ? member_rename(member, new_name) : SHEP_E_CONFIG;
}

const json_t *plugins_miner_entry(const struct plugins *plugins, const char *name)
{
    const struct member *member = member_by_name(plugins, name);
    return member ? member->entry : NULL;
}

int plugins_miner_reset(struct plugins *plugins, const char *name)
{
    struct member *member = member_by_name(plugins, name);
    struct shep_device *way;
    int err = SHEP_E_GONE;
    if (!member)
        return err;
    LIST_FOREACH(way, &member->ways, link)
    {
        struct plugin *source = way->source;
        if (!way->attached || !way->up)
            continue;
        if (!source->ops.source.reset) {
            err = SHEP_E_UNSUPPORTED;
            continue;
        }
        int64_t begun_us = loop_meter_begin();
        err = source->ops.source.reset(source->self, way);
        loop_meter_end(&source->owner, begun_us);
        if (err == 0)
            return 0;
    }
    return err;
}

/* ---- the end ---- */

void member_free(struct member *member)
{
    struct plugins *plugins = member->plugins;
    for (size_t i = 0; i < plugins->n_found; i++)
        if (plugins->found[i]->owner == member)
            found_unbind(plugins->found[i], NULL);
    while (!LIST_EMPTY(&member->ways))
        way_free(LIST_FIRST(&member->ways), NULL);
    LIST_REMOVE(member, link);
    json_decref(member->entry);
    free(member->name);
    free(member->parser);
    free(member);
}

int plugins_miner_remove(struct plugins *plugins, const char *name)
{
    struct member *member = member_by_name(plugins, name);
    if (!member)
        return SHEP_E_GONE;
    struct miner *miner = member->miner;
    known_forget_miner(plugins, miner_id(miner), "");
    member_free(member);
    herd_miner_remove(plugins->env.herd, miner);
    found_review(plugins);
    return 0;
}

void members_attach_all(struct plugins *plugins)
{
    struct member *member;
    struct shep_device *way;
    LIST_FOREACH(member, &plugins->members, link)
    {
        LIST_FOREACH(way, &member->ways, link)
        {
            way_attach(way);
        }
        if (LIST_EMPTY(&member->ways))
            member_link(member, "not plugged in");
    }
}

void members_close(struct plugins *plugins)
{
    while (!LIST_EMPTY(&plugins->members))
        member_free(LIST_FIRST(&plugins->members));
}

/* ---- the check of an entry ---- */

/* It is kept for every miner and in the table of known devices. */
static void check_device(const json_t *device, const char *where, plugin_mistake_fn fn, void *arg)
{
    char place[256];
    const char *key = json_string_value(device);
    size_t len = json_string_length(device);
    bool good = key && len > 0 && len < ID_KEY_MAX;
    for (size_t i = 0; good && i < len; i++)
        good = (unsigned char)key[i] >= ' ' && key[i] != 0x7f;
    if (!device || good)
        return;
    snprintf(place, sizeof place, "%s.device", where);
    fn(place, "must be the key of a device, like \"mac:a0b1c2d3e4f5\"", arg);
}

int plugins_may_add(const struct plugins *plugins, const char *source, const char *path)
{
    const struct plugin *opener = source ? plugin_find(plugins, SHEP_KIND_SOURCE, source) : NULL;
    return opener && opener->ops.source.may_add ? opener->ops.source.may_add(path)
                                                : SHEP_ADD_NOBODY;
}

/* There is no source of that name; NULL: none is named. */
static void no_source(const struct plugins *plugins, const char *name, const char *where,
                      plugin_mistake_fn fn, void *arg)
{
    char place[256], what[512];
    const char *names[PLUGINS_MAX];
    size_t n = 0;
    struct buf known = {0};
    for (size_t i = 0; i < plugins->n; i++) {
        if (!plugins->items[i]->loaded || plugins->items[i]->desc.kind != SHEP_KIND_SOURCE)
            continue;
        names[n++] = plugins->items[i]->desc.name;
        buf_printf(&known, "%s%s", known.len ? ", " : "", plugins->items[i]->desc.name);
    }
    const char *near = name ? str_nearest(name, names, n) : NULL, *there = n ? known.data : "none";
    snprintf(place, sizeof place, "%s.source", where);
    if (!name)
        snprintf(what, sizeof what, "is missing; sources are: %s", there);
    else if (near)
        snprintf(what, sizeof what, "no source '%.64s'; did you mean '%s'?", name, near);
    else
        snprintf(what, sizeof what, "no source '%.64s'; there are: %s", name, there);
    fn(place, what, arg);
    buf_free(&known);
}

static void check_parser(const struct plugins *plugins, const json_t *miner, const char *where,
                         plugin_mistake_fn fn, void *arg)
{
    char place[256], what[512];
    const char *parser = text_of(miner, "parser"), *names[PLUGINS_MAX + 1] = {"auto"};
    if (!json_object_get(miner, "parser") ||
        (parser && (strcmp(parser, "auto") == 0 || plugin_find(plugins, SHEP_KIND_PARSER, parser))))
        return;
    for (size_t i = 0; i < plugins->parser_list.n; i++)
        names[i + 1] = plugins->parsers[i].name;
    const char *near = parser ? str_nearest(parser, names, plugins->parser_list.n + 1) : NULL;
    snprintf(place, sizeof place, "%s.parser", where);
    snprintf(what, sizeof what, "no parser '%.64s'; did you mean '%s'?", parser ? parser : "?",
             near ? near : "auto");
    fn(place, what, arg);
}

void plugins_check_miner(const struct plugins *plugins, const char *where, const json_t *miner,
                         plugin_mistake_fn fn, void *arg)
{
    const char *name = text_of(miner, "source");
    const struct plugin *source = name ? plugin_find(plugins, SHEP_KIND_SOURCE, name) : NULL;
    if (!source) {
        no_source(plugins, name, where, fn, arg);
        return;
    }
    check_parser(plugins, miner, where, fn, arg);
    check_device(json_object_get(miner, "device"), where, fn, arg);
    json_t *whole = json_copy((json_t *)miner);
    if (text_of(miner, "device") && !text_of(miner, "path")) /* it is where it is plugged in */
        json_object_set_new(whole, "path", json_string("/dev/null"));
    options_check(source->ops.source.device_options, source->desc.option_size, whole, where,
                  entry_keys, ARRAY_LEN(entry_keys), fn, arg);
    json_decref(whole);
}
