/* What is plugged in: told by one source, judged by those that could open it, and tied to the miner
 * whose it is (identity.c decides, README.md "Identity" has the table). Thread: loop.
 *
 * Promises: a miner's device is opened once, wherever it turns up, under whatever number; one that
 * is unplugged takes its miner down, never away; a miner whose entry names a path owns what that
 * path leads to; nothing is opened that nobody asked for. */
#include "plugin/internal.h"

#include "util/clock.h"
#include "util/log.h"

#include <limits.h>
#include <sys/stat.h>

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

static bool may_open(const struct found *found)
{
    return found->opener && !(found->judged & SHEP_JUDGE_BOOTLOADER);
}

/* ---- whose it is ---- */

struct asked {
    const struct plugins *plugins;
    const struct found *except;
};

static enum id_presence presence(int64_t miner_id_, bool *stranger, void *arg)
{
    const struct asked *asked = arg;
    const struct member *member = member_by_id(asked->plugins, miner_id_);
    const struct shep_device *way;
    if (!member)
        return ID_NO_MINER;
    enum id_presence best = ID_ABSENT;
    *stranger = member->origin == MINER_FOUND;
    for (size_t i = 0; i < asked->plugins->n_found; i++) {
        const struct found *found = asked->plugins->found[i];
        if (found == asked->except || found->owner != member)
            continue;
        enum id_presence here = found->by == ID_BY_PLACE ? ID_ASSUMED : ID_PROVEN;
        best = here > best ? here : best;
    }
    LIST_FOREACH(way, &member->ways, link)
    {
        if (way->own && way->up && !way->found)
            best = ID_PROVEN;
    }
    return best;
}

enum id_presence found_presence(const struct found *except, const struct member *member)
{
    struct asked asked = {.plugins = member->plugins, .except = except};
    bool stranger;
    return presence(miner_id(member->miner), &stranger, &asked);
}

/* Two nodes are one when they are the same special file, whatever links lead there. */
static bool leads_to(const char *path, const char *node)
{
    char a[PATH_MAX], b[PATH_MAX];
    struct stat sa, sb;
    if (strcmp(path, node) == 0)
        return true;
    if (path[0] != '/')
        return false;
    if (stat(path, &sa) == 0 && stat(node, &sb) == 0 && S_ISCHR(sa.st_mode) && S_ISCHR(sb.st_mode))
        return sa.st_rdev == sb.st_rdev;
    return realpath(path, a) && realpath(node, b) && strcmp(a, b) == 0;
}

/* A board that is proven to be this miner came under another number: then its old one is any
 * other's. */
static bool is_elsewhere(const struct found *except, const struct member *member)
{
    for (size_t i = 0; i < member->plugins->n_found; i++) {
        const struct found *found = member->plugins->found[i];
        if (found != except && found->owner == member && found->way && !found->way->own &&
            (found->by == ID_BY_SERIAL || found->by == ID_BY_MAC || found->by == ID_BY_WORD))
            return true;
    }
    return false;
}

/* The way in of a miner whose entry names the path of this device; NULL: nobody's does. */
static struct shep_device *way_by_path(const struct found *found)
{
    struct member *member;
    struct shep_device *way;
    LIST_FOREACH(member, &found->finder->plugins->members, link)
    {
        LIST_FOREACH(way, &member->ways, link)
        {
            const char *path = member_text(member, "path");
            if (way->own && path && way->source == found->opener && leads_to(path, found->path) &&
                (way->found == found || !is_elsewhere(found, member)))
                return way;
        }
    }
    return NULL;
}

/* Opened at once, unless its port comes and goes: its source forgets it each time, so the waiting
 * is here. */
static void attach(struct found *found)
{
    struct plugins *plugins = found->finder->plugins;
    int64_t wait_ms = plugins->running ? ports_wait_ms(found) : 0;
    if (!plugins->running)
        return;
    if (!wait_ms) {
        way_attach(found->way);
        return;
    }
    char why[96];
    snprintf(why, sizeof why, "its port comes and goes; it is opened in %lld s",
             (long long)wait_ms / 1000);
    found->due_ms = clock_mono_ms() + wait_ms;
    member_link(found->owner, why);
    ports_watch(plugins);
}

static void take_over(struct found *found, struct shep_device *way, bool fresh)
{
    if (found->way == way)
        return;
    if (found->owner)
        found_unbind(found, "its port belongs to another miner now");
    if (way->found) /* two names for one place: the newest counts */
        way->found->way = NULL;
    way->found = found;
    found->way = way;
    found->owner = way->member;
    found->by = ID_BY_FILE;
    doubt_clear(found);
    if (fresh && way->attached && !way->up)
        way_detach(way, NULL); /* no waiting for its next try */
    if (!way->attached)
        attach(found);
}

void found_bind(struct found *found, struct member *owner, enum id_by by)
{
    found->by = by;
    if (found->owner == owner && found->way)
        return;
    found->owner = owner;
    if (may_open(found)) {
        struct shep_device *own = member_own_way(owner);
        if (own && !own->found && !own->up)
            way_detach(own, NULL); /* that path may be anybody's now */
        way_new(owner, found);
        attach(found);
    }
    doubt_resolve(owner->plugins, owner);
}

void found_unbind(struct found *found, const char *why)
{
    struct shep_device *way = found->way;
    struct member *owner = found->owner;
    found->way = NULL;
    found->owner = NULL;
    found->by = ID_BY_NOTHING;
    found->contested = false;
    if (way && way->own) {
        way->found = NULL;
        way_detach(way, why);
    } else if (way) {
        way_free(way, why);
    }
    if (owner && why && owner->plugins->running)
        member_moved(owner); /* it is nowhere now, or where its other way in is */
}

/* ---- keys ---- */

static bool shared_before(const struct plugins *plugins, const char *serial_key)
{
    size_t len = strlen(serial_key);
    for (size_t i = 0; i < plugins->n_known; i++)
        if (strncmp(plugins->known[i]->key, serial_key, len) == 0 &&
            plugins->known[i]->key[len] == '@')
            return true;
    return false;
}

/* Its serial number is not its own: from here on it is told by it and its place. */
void found_share_serial(struct found *found)
{
    struct plugins *plugins = found->finder->plugins;
    char old[ID_KEY_MAX];
    if (found->facts.shared || !found->facts.serial_key[0])
        return;
    memcpy(old, found->key, sizeof old);
    found->facts.shared = true;
    if (strcmp(old, found->facts.serial_key) != 0)
        return; /* it is told by its address */
    id_key_shared(found->key, &found->facts);
    if (found->by == ID_BY_SERIAL)
        found->by = ID_BY_PLACE;
    log_warn("plugins",
             "%s: its USB serial number %s is not unique; it is told apart by the port "
             "that it is plugged into (%s)",
             found->path, found->serial, found->port_path);
    known_put(plugins, found->key, found, found->owner ? miner_id(found->owner->miner) : 0, true);
    known_forget(plugins, old);
    if (found->owner && str_eq(member_text(found->owner, "device"), old))
        member_set_device(found->owner, found->key);
}

static void facts_make(struct found *found)
{
    const struct plugins *plugins = found->finder->plugins;
    id_facts_make(&found->facts, found->mac, found->vendor_id, found->product_id, found->serial,
                  found->port_path, found->unit);
    if (!found->facts.serial_key[0])
        return;
    found->facts.shared = shared_before(plugins, found->facts.serial_key);
    for (size_t i = 0; i < plugins->n_found; i++) {
        struct found *other = plugins->found[i];
        if (other == found || !str_eq(other->facts.serial_key, found->facts.serial_key) ||
            str_eq(other->facts.mac, found->mac) != (found->mac[0] == '\0'))
            continue; /* one that tells its address needs no serial number */
        found_share_serial(other);
        found->facts.shared = true;
    }
}

void found_save(struct found *found, bool present)
{
    struct plugins *plugins = found->finder->plugins;
    char key[ID_KEY_MAX];
    int64_t id = found->owner ? miner_id(found->owner->miner) : 0;
    if (found->contested)
        return;
    known_put(plugins, found->key, found, id, present);
    id_key_mac(key, found->mac);
    const struct known *row = found->mac[0] ? known_find(plugins, key) : NULL;
    if (row && row->miner_id == id && strcmp(key, found->key) != 0)
        known_put(plugins, key, found, id, present);
}

/* ---- a device comes ---- */

static void ask(struct found *found, const struct id_verdict *verdict)
{
    const struct member *maybe =
        verdict->maybe ? member_by_id(found->finder->plugins, verdict->maybe->miner_id) : NULL;
    if (!maybe || (found->judged & SHEP_JUDGE_BOOTLOADER))
        return;
    const char *was = verdict->maybe->port_path ? verdict->maybe->port_path : "another port";
    if (verdict->doubt == ID_OTHER_KIND)
        doubt_set(found, verdict->doubt, maybe, NULL,
                  "another kind of device (%s:%s) is at port %s, where %s was", found->facts.vid,
                  found->facts.pid, found->facts.place, maybe->name);
    else if (verdict->n_maybe == 1)
        doubt_set(found, verdict->doubt, maybe, NULL, "it may be %s, which was at port %s",
                  maybe->name, was);
    else
        doubt_set(found, verdict->doubt, maybe, NULL,
                  "it may be %s, which was at port %s, or another one of %zu that are missing",
                  maybe->name, was, verdict->n_maybe);
}

/* The file says one miner by its path, the board says another one by what it is: the file has its
 * way, but what is known of the board is kept. */
static void contest(struct found *found, const struct id_verdict *verdict)
{
    const struct member *other = member_by_id(found->finder->plugins, verdict->miner_id);
    found->contested = other && other != found->owner && other->origin != MINER_FOUND &&
                       (verdict->by == ID_BY_SERIAL || verdict->by == ID_BY_MAC);
    if (found->contested)
        doubt_set(found, ID_OTHER_BOARD, other, NULL,
                  "its path is configured for %s, but it is the board of %s", found->owner->name,
                  other->name);
}

static void settle(struct found *found, bool fresh)
{
    struct plugins *plugins = found->finder->plugins;
    struct asked asked = {.plugins = plugins, .except = found};
    struct id_world world = {
        .known = plugins->known, .n_known = plugins->n_known, .presence = presence, .arg = &asked};
    struct id_verdict verdict;
    struct shep_device *way = way_by_path(found);
    if (fresh)
        facts_make(found);
    world.known = plugins->known; /* making facts may have moved it */
    world.n_known = plugins->n_known;
    if (!found->owner || way) {
        id_decide(&found->facts, &world, &verdict);
        memcpy(found->key, verdict.key, sizeof found->key);
        const struct known *row = known_find(plugins, found->key);
        found->ignored = row && row->ignored;
        if (way) {
            take_over(found, way, fresh);
            contest(found, &verdict);
        } else if (verdict.miner_id)
            found_bind(found, member_by_id(plugins, verdict.miner_id), verdict.by);
        else if (!found->doubt && !found->ignored)
            ask(found, &verdict);
    }
    if (!found->owner && (found->judged & SHEP_JUDGE_LISTEN) && may_open(found) && !found->ignored)
        found_bind(found, found_stranger_member(found), ID_BY_PLACE);
    found_save(found, true);
}

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

static void arrive(struct found *found, bool fresh)
{
    struct plugins *plugins = found->finder->plugins;
    plugins->settling++;
    judge(found);
    settle(found, fresh);
    plugins->settling--;
    tell_new(found);
    if (!found->way) /* else it is there when it is open */
        ports_came(found);
}

void found_review(struct plugins *plugins)
{
    if (!plugins->running || plugins->settling)
        return;
    plugins->settling++;
    for (size_t i = 0; i < plugins->n_found; i++) {
        struct found *found = plugins->found[i];
        if (!found->owner || found->owner->origin == MINER_FOUND)
            settle(found, false);
    }
    plugins->settling--;
    topic_touch(plugins->env.topics, TOPIC_CONFIG);
}

void found_settle_all(struct plugins *plugins)
{
    for (size_t i = 0; i < plugins->n_found; i++)
        arrive(plugins->found[i], true);
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

static bool same_board(const struct found *found, const struct shep_found *news)
{
    char *serial = id_clean_dup(news->serial, FOUND_TEXT_MAX);
    bool same = found->unit == news->unit && str_eq(found->serial, serial) &&
                str_eq(found->vendor_id, news->vendor_id) &&
                str_eq(found->product_id, news->product_id) &&
                str_eq(found->port_path, news->port_path);
    free(serial);
    return same;
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
        attach(found);
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
        arrive(found, true);
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
    topic_touch(plugins->env.topics, TOPIC_CONFIG);
    return 0;
}

void found_close(struct plugins *plugins)
{
    for (size_t i = 0; i < plugins->n_found; i++)
        found_free(plugins->found[i]);
    plugins->n_found = 0;
}
