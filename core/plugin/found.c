/* What is plugged in: told by one source, and judged by those that could open it; owner.c ties it
 * to the miner whose it is. Thread: loop.
 *
 * Promises: one that is unplugged takes its miner down, never away; what finders tell is bounded
 * and clean. */
#include "plugin/internal.h"

#include "util/clock.h"
#include "util/log.h"

void found_event(struct plugins *plugins, uint32_t event_id, const struct member *member,
                 const char *text)
{
    struct shep_event event = {
        .size = sizeof event, .event = event_id, .text = text, .text_len = strlen(text)};
    herd_event(plugins->env.herd, member ? member->miner : NULL, &event);
}

/* ---- who opens it ---- */

static struct shep_found told(const struct found *found)
{
    return (struct shep_found){.size = sizeof(struct shep_found),
                               .key = found->finder_key,
                               .path = found->path,
                               .port_path = found->port_path,
                               .description = found->description,
                               .serial = found->serial,
                               .vendor_id = found->vendor_id,
                               .product_id = found->product_id,
                               .mac = found->mac[0] ? found->mac : NULL,
                               .hub = found->hub};
}

static void judge(struct found *found)
{
    struct plugins *plugins = found->finder->plugins;
    struct shep_found view = told(found);
    found->opener = NULL;
    found->judged = 0;
    for (size_t i = 0; i < plugins->n && !found->opener; i++) {
        struct plugin *source = plugins->items[i];
        if (!source->started || source->desc.kind != SHEP_KIND_SOURCE || !source->ops.source.judge)
            continue;
        int64_t begun_us = loop_meter_begin();
        int verdict = source->ops.source.judge(source->self, &view);
        loop_meter_end(&source->owner, begun_us);
        if (verdict < 0)
            continue;
        found->opener = source;
        found->judged = (uint32_t)verdict;
    }
    if (!found->mac[0] && (found->judged & SHEP_JUDGE_NATIVE) && !id_mac(found->serial, found->mac))
        found->mac[0] = '\0';
}

/* ---- it comes ---- */

static bool is_stranger(const struct found *found)
{
    return !found->owner || found->owner->origin == MINER_FOUND;
}

static void tell_new(struct found *found)
{
    struct plugins *plugins = found->finder->plugins;
    log_info("plugins", "%s: %s at port %s (%s:%s)%s%s", found->path,
             found->description ? found->description : "a device", found->port_path,
             found->vendor_id ? found->vendor_id : "?", found->product_id ? found->product_id : "?",
             found->owner ? ": " : "; not opened: nobody configured it",
             found->owner ? found->owner->name : "");
    if (is_stranger(found))
        ports_stranger(found, SHEP_EV_FOUND);
    topic_touch(plugins->env.topics, TOPIC_CONFIG);
}

static void arrive(struct found *found)
{
    struct plugins *plugins = found->finder->plugins;
    plugins->settling++;
    judge(found);
    found_settle(found, true);
    plugins->settling--;
    tell_new(found);
    if (!found->way) /* else it is there when it is open */
        ports_came(found);
}

void found_settle_all(struct plugins *plugins)
{
    for (size_t i = 0; i < plugins->n_found; i++)
        arrive(plugins->found[i]);
}

/* ---- what finders say ---- */

static void set_text(char **slot, const char *text)
{
    free(*slot);
    *slot = id_clean_dup(text, FOUND_TEXT_MAX);
}

static void found_free(struct found *found)
{
    free(found->finder_key);
    free(found->path);
    free(found->port_path);
    free(found->hub);
    free(found->description);
    free(found->vendor_id);
    free(found->product_id);
    free(found->serial);
    free(found->doubt_text);
    free(found->question);
    free(found);
}

static struct found *find(const struct plugin *finder, const char *key, size_t *at)
{
    const struct plugins *plugins = finder->plugins;
    for (*at = 0; *at < plugins->n_found; ++*at)
        if (plugins->found[*at]->finder == finder &&
            strcmp(plugins->found[*at]->finder_key, key) == 0)
            return plugins->found[*at];
    return NULL;
}

static void update_texts(struct found *found, const struct shep_found *news)
{
    char mac[ID_MAC_MAX];
    set_text(&found->description, news->description);
    set_text(&found->hub, news->hub);
    if (id_mac(news->mac, mac))
        memcpy(found->mac, mac, sizeof mac);
}

static bool same_text(const char *kept, const char *told)
{
    char *clean = id_clean_dup(told, FOUND_TEXT_MAX);
    bool same = str_eq(kept, clean);
    free(clean);
    return same;
}

static bool same_board(const struct found *found, const struct shep_found *news)
{
    return found->unit == news->unit && same_text(found->serial, news->serial) &&
           same_text(found->vendor_id, news->vendor_id) &&
           same_text(found->product_id, news->product_id) &&
           same_text(found->port_path, news->port_path);
}

/* The same one again: perhaps under another number. */
static void update(struct found *found, const struct shep_found *news)
{
    bool moved = strcmp(found->path, news->path) != 0;
    update_texts(found, news);
    if (!moved)
        return;
    log_info("plugins", "%s is %s now", found->path, news->path);
    free(found->path);
    found->path = shep_strdup(news->path);
    struct shep_device *way = found->way;
    if (way && !way->own) {
        way_detach(way, "unplugged");
        way_configure(way);
        member_moved(way->member);
        found_attach(found);
    }
    found_save(found, true);
    topic_touch(found->finder->plugins->env.topics, TOPIC_CONFIG);
}

int device_found(struct plugin *finder, const struct shep_found *told_by)
{
    struct plugins *plugins = finder->plugins;
    struct shep_found all = {0}, *news = &all;
    size_t at;
    memcpy(&all, told_by, told_by->size < sizeof all ? told_by->size : sizeof all);
    if (!news->key || !news->key[0] || !news->path || !news->path[0] || !news->port_path)
        return SHEP_E_BUG;
    if (strlen(news->path) >= FOUND_PATH_MAX || strlen(news->key) >= FOUND_PATH_MAX)
        return SHEP_E_LIMIT;
    struct found *found = find(finder, news->key, &at);
    if (found && same_board(found, news)) {
        update(found, news);
        return 0;
    }
    if (found) /* it was swapped between two looks */
        device_lost(finder, news->key);
    if (plugins->n_found == FOUND_MAX)
        return SHEP_E_LIMIT;
    found = shep_alloc(sizeof *found);
    *found = (struct found){.finder = finder,
                            .finder_key = shep_strdup(news->key),
                            .path = shep_strdup(news->path),
                            .unit = news->unit,
                            .since_ms = clock_wall_ms()};
    set_text(&found->port_path, news->port_path);
    set_text(&found->vendor_id, news->vendor_id);
    set_text(&found->product_id, news->product_id);
    set_text(&found->serial, news->serial);
    update_texts(found, news);
    plugins->found[plugins->n_found++] = found;
    if (plugins->running)
        arrive(found);
    return 0;
}

int device_lost(struct plugin *finder, const char *key)
{
    struct plugins *plugins = finder->plugins;
    size_t at;
    struct found *found = find(finder, key, &at);
    if (!found)
        return SHEP_E_GONE;
    if (plugins->running) {
        bool stranger = is_stranger(found);
        ports_went(found);
        found_save(found, false);
        if (stranger)
            ports_stranger(found, SHEP_EV_LOST);
        log_info("plugins", "%s at port %s: unplugged", found->path, found->port_path);
    }
    struct member *owner = found->way && !found->way->own ? found->owner : NULL;
    found_unbind(found, "unplugged");
    found_free(found);
    memmove(plugins->found + at, plugins->found + at + 1,
            (--plugins->n_found - at) * sizeof plugins->found[0]);
    if (owner && plugins->running)
        member_await(owner);
    if (owner && owner->origin == MINER_FOUND)
        strangers_bound(plugins);
    topic_touch(plugins->env.topics, TOPIC_CONFIG);
    return 0;
}

void found_close(struct plugins *plugins)
{
    for (size_t i = 0; i < plugins->n_found; i++)
        found_free(plugins->found[i]);
    plugins->n_found = 0;
}
