/* Whose is what is plugged in: identity.c decides, README.md "Identity" has the table. Here it gets
 * its key and is tied to its miner, or asked about. Thread: loop.
 *
 * Promises: a miner's device is opened once, wherever it turns up, under whatever number; a miner
 * whose entry names a path owns what that path leads to; nothing is opened that nobody asked for.
 */
#include "plugin/internal.h"

#include "util/clock.h"
#include "util/log.h"

#include <limits.h>
#include <sys/stat.h>

static bool may_open(const struct found *found)
{
    return found->opener && !(found->judged & SHEP_JUDGE_BOOTLOADER);
}

/* ---- where a miner is ---- */

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
void found_attach(struct found *found)
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
        found_attach(found);
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
        found_attach(found);
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

void found_settle(struct found *found, bool fresh)
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

void found_review(struct plugins *plugins)
{
    if (!plugins->running || plugins->settling)
        return;
    plugins->settling++;
    for (size_t i = 0; i < plugins->n_found; i++) {
        struct found *found = plugins->found[i];
        if (!found->owner || found->owner->origin == MINER_FOUND)
            found_settle(found, false);
    }
    plugins->settling--;
    topic_touch(plugins->env.topics, TOPIC_CONFIG);
}
