/* Devices: one way in to one miner, and the stream from its bytes to the herd and the store. */
#include "plugin/internal.h"

#include "util/clock.h"
#include "util/log.h"

/* What a miner's entry may have besides the options of its source. */
static const char *const entry_keys[] = {"id", "source", "parser", "location", "group", "tags"};

/* Words for people: when only these change, the miner's port stays open. */
static const char *const label_keys[] = {"location", "group", "tags", "about"};

enum {
    HEAR_OUT_MS = 50, /* longer than ports are left alone (loop/stream.c) */
    FULL_BYTES = 2048 /* half of what the kernel keeps of a tty */
};

static struct plugin_env *env_of(const struct shep_device *dev)
{
    return &dev->source->plugins->env;
}

/* ---- the stream ---- */

static void on_line(const struct ingest_line *line, void *arg)
{
    struct shep_device *dev = arg;
    struct plugin_env *env = env_of(dev);
    herd_line(env->herd, dev->miner, line->at_ms);
    if (store_line(env->store, miner_id(dev->miner), line->at_ms, line->text, line->len) != 0)
        herd_lines_dropped(env->herd, dev->miner, 1);
}

static void on_parsed(const struct ingest_line *line, bool known, void *arg)
{
    struct shep_device *dev = arg;
    if (!known)
        herd_line_unknown(dev->miner);
}

static void on_chosen(const char *parser, int confidence, void *arg)
{
    struct shep_device *dev = arg;
    log_info("ingest", "%s: parser %s (confidence %d)", dev->name, parser, confidence);
    herd_parser(env_of(dev)->herd, dev->miner, parser);
}

static int on_reading(const struct shep_reading *reading, uint64_t line_number, void *arg)
{
    struct shep_device *dev = arg;
    return herd_reading(env_of(dev)->herd, dev->miner, reading);
}

static int on_event(const struct shep_event *event, uint64_t line_number, void *arg)
{
    struct shep_device *dev = arg;
    if (!event_name(event->event))
        return SHEP_E_BUG;
    herd_event(env_of(dev)->herd, dev->miner, event);
    return 0;
}

static void stream_open(struct shep_device *dev)
{
    struct ingest_stream_conf conf = {.parsers = &dev->source->plugins->parser_list,
                                      .parser = dev->parser,
                                      .callbacks = {.line = on_line,
                                                    .parsed = on_parsed,
                                                    .chosen = on_chosen,
                                                    .reading = on_reading,
                                                    .event = on_event},
                                      .arg = dev};
    dev->stream = ingest_stream_new(&conf);
}

static void stream_close(struct shep_device *dev)
{
    loop_timer_free(dev->tick);
    dev->tick = NULL;
    if (!dev->stream)
        return;
    ingest_end(dev->stream, clock_wall_ms());
    ingest_stream_free(dev->stream);
    dev->stream = NULL;
}

static void on_tick(void *arg);

/* An unfinished line is stored after a silence; the timer stands only while one waits. */
static void tick_arm(struct shep_device *dev)
{
    int64_t wait_ms = ingest_tick(dev->stream, clock_wall_ms());
    if (wait_ms >= 0 && !dev->tick)
        dev->tick =
            loop_timer_new(env_of(dev)->loop, &dev->source->owner, wait_ms + 1, 0, on_tick, dev);
}

/* It is the miner's silence that counts, not ours: bytes may wait in the port while the loop was
 * busy or reading was paused. So when the time is over, one more turn of the loop reads what is
 * there. */
static void on_tick(void *arg)
{
    struct shep_device *dev = arg;
    struct loop *loop = env_of(dev)->loop;
    dev->tick = NULL; /* it fired and freed itself */
    if (!dev->stream)
        return;
    if (loop_is_choked(loop) || !dev->heard_out) {
        dev->heard_out = !loop_is_choked(loop);
        dev->tick = loop_timer_new(loop, &dev->source->owner, HEAR_OUT_MS, 0, on_tick, dev);
        return;
    }
    tick_arm(dev);
}

int device_feed(struct shep_device *dev, const void *bytes, size_t len)
{
    if (!dev->attached || len > 65536)
        return SHEP_E_BUG;
    if (!dev->stream)
        stream_open(dev);
    if (!dev->stream)
        return SHEP_E_CONFIG; /* its parser is not there (any more) */
    if (len >= FULL_BYTES)
        loop_hurry(env_of(dev)->loop);
    dev->heard_out = false;
    ingest_feed(dev->stream, bytes, len, clock_wall_ms());
    tick_arm(dev);
    return 0;
}

void device_link(struct shep_device *dev, bool up, const char *why)
{
    if (!up)
        stream_close(dev);
    herd_link(env_of(dev)->herd, dev->miner, up, why);
}

/* ---- attach and detach ---- */

static void attach(struct shep_device *dev)
{
    struct plugin *source = dev->source;
    if (!source->started) {
        char *why = shep_asprintf("its source '%s' does not run: %s", source->desc.name,
                                  source->disabled  ? "switched off in the configuration"
                                  : source->problem ? source->problem
                                                    : "it was not started");
        herd_link(env_of(dev)->herd, dev->miner, false, why);
        free(why);
        return;
    }
    dev->attached = true;
    int64_t begun_us = loop_meter_begin();
    int err = source->ops.source.attach(source->self, dev);
    loop_meter_end(&source->owner, begun_us);
    if (err) {
        dev->attached = false;
        herd_link(env_of(dev)->herd, dev->miner, false,
                  source->problem ? source->problem : "its source refused it");
    }
}

static void detach(struct shep_device *dev)
{
    if (dev->attached) {
        int64_t begun_us = loop_meter_begin();
        dev->source->ops.source.detach(dev->source->self, dev);
        loop_meter_end(&dev->source->owner, begun_us);
    }
    dev->attached = false;
    stream_close(dev);
}

static void device_free(struct shep_device *dev)
{
    detach(dev);
    LIST_REMOVE(dev, link);
    json_decref(dev->entry);
    free(dev->name);
    free(dev->parser);
    free(dev->key);
    free(dev);
}

static struct shep_device *device_by_name(const struct plugins *plugins, const char *name)
{
    struct shep_device *dev;
    LIST_FOREACH(dev, &plugins->devices, link)
    {
        if (strcmp(dev->name, name) == 0)
            return dev;
    }
    return NULL;
}

static const char *text_of(const json_t *entry, const char *key)
{
    return json_string_value(json_object_get(entry, key));
}

static struct shep_device *device_new(struct plugins *plugins, const char *name,
                                      struct miner *miner)
{
    struct shep_device *dev = shep_alloc(sizeof *dev);
    dev->name = shep_strdup(name);
    dev->miner = miner;
    LIST_INSERT_HEAD(&plugins->devices, dev, link);
    return dev;
}

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

int plugins_miner_put(struct plugins *plugins, const json_t *entry, enum miner_origin origin)
{
    const char *name = text_of(entry, "id"), *parser = text_of(entry, "parser");
    struct plugin *source = plugin_find(plugins, SHEP_KIND_SOURCE, text_of(entry, "source"));
    struct shep_device *dev = device_by_name(plugins, name);
    if (!source)
        return SHEP_E_CONFIG;
    if (dev && json_equal(dev->entry, entry))
        return 0;
    char *options = json_dumps(entry, JSON_COMPACT | JSON_SORT_KEYS), *tags = tags_of(entry);
    struct store_miner row = {.name = name,
                              .location = text_of(entry, "location"),
                              .source = source->desc.name,
                              .path = text_of(entry, "path"),
                              .parser = parser ? parser : "auto",
                              .options_json = options,
                              .group = text_of(entry, "group"),
                              .tags = tags,
                              .origin = (int)origin};
    struct miner_conf conf = {.id = store_miner_put(plugins->env.store, &row),
                              .name = name,
                              .location = row.location,
                              .source = row.source,
                              .path = row.path,
                              .group = row.group,
                              .tags = tags,
                              .origin = origin};
    struct miner *miner = herd_miner_put(plugins->env.herd, &conf);
    free(options);
    free(tags);
    if (dev && only_labels_differ(dev->entry, entry)) {
        json_decref(dev->entry);
        dev->entry = json_deep_copy(entry);
        return 0;
    }
    if (dev)
        detach(dev);
    if (!dev)
        dev = device_new(plugins, name, miner);
    free(dev->parser);
    json_decref(dev->entry);
    dev->source = source;
    dev->parser = shep_strdup(row.parser);
    dev->entry = json_deep_copy(entry);
    if (plugins->running)
        attach(dev);
    return 0;
}

int plugins_miner_remove(struct plugins *plugins, const char *name)
{
    struct shep_device *dev = device_by_name(plugins, name);
    if (!dev)
        return SHEP_E_GONE;
    struct miner *miner = dev->miner;
    device_free(dev);
    herd_miner_remove(plugins->env.herd, miner);
    return 0;
}

void devices_attach_all(struct plugins *plugins)
{
    struct shep_device *dev;
    LIST_FOREACH(dev, &plugins->devices, link)
    {
        attach(dev);
    }
}

static void found_free(struct found *found)
{
    free(found->key);
    free(found->path);
    free(found->port_path);
    free(found->description);
    free(found->vendor_id);
    free(found->product_id);
    free(found->serial);
    *found = (struct found){0};
}

void devices_close(struct plugins *plugins)
{
    while (!LIST_EMPTY(&plugins->devices))
        device_free(LIST_FIRST(&plugins->devices));
    for (size_t i = 0; i < plugins->n_found; i++)
        found_free(&plugins->found[i]);
    plugins->n_found = 0;
}

void plugins_check_miner(const struct plugins *plugins, const char *where, const json_t *miner,
                         plugin_mistake_fn fn, void *arg)
{
    char place[256], what[512];
    const char *source_name = text_of(miner, "source"), *parser = text_of(miner, "parser");
    struct plugin *source =
        source_name ? plugin_find(plugins, SHEP_KIND_SOURCE, source_name) : NULL;
    if (!source) {
        const char *names[PLUGINS_MAX];
        size_t n = 0;
        struct buf known = {0};
        for (size_t i = 0; i < plugins->n; i++) {
            if (!plugins->items[i]->loaded || plugins->items[i]->desc.kind != SHEP_KIND_SOURCE)
                continue;
            names[n++] = plugins->items[i]->desc.name;
            buf_printf(&known, "%s%s", known.len ? ", " : "", plugins->items[i]->desc.name);
        }
        const char *near = source_name ? str_nearest(source_name, names, n) : NULL;
        snprintf(place, sizeof place, "%s.source", where);
        if (!source_name)
            snprintf(what, sizeof what, "is missing; sources are: %s", known.data);
        else if (near)
            snprintf(what, sizeof what, "no source '%.64s'; did you mean '%s'?", source_name, near);
        else
            snprintf(what, sizeof what, "no source '%.64s'; there are: %s", source_name,
                     known.data);
        fn(place, what, arg);
        buf_free(&known);
        return;
    }
    if (json_object_get(miner, "parser") &&
        (!parser ||
         (strcmp(parser, "auto") != 0 && !plugin_find(plugins, SHEP_KIND_PARSER, parser)))) {
        const char *names[PLUGINS_MAX] = {"auto"};
        for (size_t i = 0; i < plugins->parser_list.n; i++)
            names[i + 1] = plugins->parsers[i].name;
        const char *near = parser ? str_nearest(parser, names, plugins->parser_list.n + 1) : NULL;
        snprintf(place, sizeof place, "%s.parser", where);
        snprintf(what, sizeof what, "no parser '%.64s'; did you mean '%s'?", parser ? parser : "?",
                 near ? near : "auto");
        fn(place, what, arg);
    }
    options_check(source->ops.source.device_options, source->desc.option_size, miner, where,
                  entry_keys, ARRAY_LEN(entry_keys), fn, arg);
}

/* ---- devices that nobody configured ---- */

static struct found *found_find(struct plugins *plugins, const char *key)
{
    for (size_t i = 0; i < plugins->n_found; i++)
        if (strcmp(plugins->found[i].key, key) == 0)
            return &plugins->found[i];
    return NULL;
}

static void found_set(struct found *slot, struct plugin *source, const struct shep_found *found)
{
    struct found fresh = {.key = shep_strdup(found->key),
                          .path = shep_strdup(found->path),
                          .port_path = shep_strdup(found->port_path),
                          .description = shep_strdup(found->description),
                          .vendor_id = shep_strdup(found->vendor_id),
                          .product_id = shep_strdup(found->product_id),
                          .serial = shep_strdup(found->serial),
                          .source = source,
                          .listened = (found->flags & SHEP_FOUND_LISTEN) != 0};
    found_free(slot);
    *slot = fresh;
}

static struct shep_device *device_by_key(const struct plugins *plugins, const char *key)
{
    struct shep_device *dev;
    LIST_FOREACH(dev, &plugins->devices, link)
    {
        if (str_eq(dev->key, key))
            return dev;
    }
    return NULL;
}

/* A name from the port path: letters, digits, dot, dash and underscore only. */
static void name_from(const struct shep_found *found, char *out, size_t cap)
{
    size_t n = str_copy(out, cap, found->port_path, strlen(found->port_path));
    for (size_t i = 0; i < n; i++) {
        bool plain = (out[i] >= '0' && out[i] <= '9') || (out[i] >= 'a' && out[i] <= 'z') ||
                     (out[i] >= 'A' && out[i] <= 'Z') || out[i] == '.' || out[i] == '_';
        if (!plain)
            out[i] = '-';
    }
}

static void listen_to(struct plugin *source, const struct shep_found *found)
{
    struct plugins *plugins = source->plugins;
    struct shep_device *dev = device_by_key(plugins, found->key);
    char name[65];
    name_from(found, name, sizeof name);
    if (dev && dev->attached && str_eq(text_of(dev->entry, "path"), found->path))
        return;
    if (dev) /* it is back, perhaps under another device name: the same miner */
        str_copy(name, sizeof name, dev->name, strlen(dev->name));
    json_t *entry =
        json_pack("{s:s, s:s, s:s}", "id", name, "source", source->desc.name, "path", found->path);
    if (dev && json_equal(dev->entry, entry))
        attach(dev);
    else if (plugins_miner_put(plugins, entry, MINER_FOUND) == 0 && !dev)
        device_by_name(plugins, name)->key = shep_strdup(found->key);
    json_decref(entry);
}

static void found_event(struct plugin *source, uint32_t event_id, const char *text)
{
    struct shep_event event = {
        .size = sizeof event, .event = event_id, .text = text, .text_len = strlen(text)};
    herd_event(source->plugins->env.herd, NULL, &event);
}

int device_found(struct plugin *source, const struct shep_found *found)
{
    struct plugins *plugins = source->plugins;
    if (!found->key || !found->key[0] || !found->path || !found->port_path)
        return SHEP_E_BUG;
    struct found *slot = found_find(plugins, found->key);
    bool first = !slot;
    if (first) {
        if (plugins->n_found == FOUND_MAX)
            return SHEP_E_LIMIT;
        slot = &plugins->found[plugins->n_found++];
        *slot = (struct found){0};
    }
    found_set(slot, source, found);
    if (found->flags & SHEP_FOUND_LISTEN)
        listen_to(source, found);
    struct shep_device *dev = device_by_key(plugins, found->key);
    store_device_put(plugins->env.store, found, dev ? miner_id(dev->miner) : 0, true);
    if (first) {
        log_info(source->desc.name, "%s: %s at port %s (%s:%s)%s", found->path,
                 found->description ? found->description : "a serial device", found->port_path,
                 found->vendor_id ? found->vendor_id : "?",
                 found->product_id ? found->product_id : "?",
                 dev ? "" : "; not opened: nobody configured it");
        found_event(source, SHEP_EV_FOUND, found->path);
        topic_touch(plugins->env.topics, TOPIC_CONFIG);
    }
    return 0;
}

int device_lost(struct plugin *source, const char *key)
{
    struct plugins *plugins = source->plugins;
    struct found *slot = found_find(plugins, key);
    if (!slot)
        return SHEP_E_GONE;
    struct shep_device *dev = device_by_key(plugins, key);
    struct shep_found gone = {.size = sizeof gone,
                              .key = slot->key,
                              .path = slot->path,
                              .port_path = slot->port_path,
                              .description = slot->description,
                              .vendor_id = slot->vendor_id,
                              .product_id = slot->product_id,
                              .serial = slot->serial};
    store_device_put(plugins->env.store, &gone, dev ? miner_id(dev->miner) : 0, false);
    found_event(source, SHEP_EV_LOST, slot->path);
    if (dev) { /* the miner stays, with its readings; when it is back it is listened to again */
        detach(dev);
        herd_link(plugins->env.herd, dev->miner, false, "unplugged");
    }
    found_free(slot);
    *slot = plugins->found[--plugins->n_found];
    topic_touch(plugins->env.topics, TOPIC_CONFIG);
    return 0;
}

void plugins_found_each(const struct plugins *plugins, plugin_found_fn fn, void *arg)
{
    for (size_t i = 0; i < plugins->n_found; i++) {
        const struct found *found = &plugins->found[i];
        struct plugin_found view = {.key = found->key,
                                    .path = found->path,
                                    .port_path = found->port_path,
                                    .description = found->description,
                                    .vendor_id = found->vendor_id,
                                    .product_id = found->product_id,
                                    .serial = found->serial,
                                    .source = found->source->desc.name,
                                    .listened = found->listened};
        fn(&view, arg);
    }
}
