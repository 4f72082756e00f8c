/* Every key that was ever seen, and whose it is: the table `devices`, whole in memory and written
 * through. Thread: loop.
 *
 * A device that is nobody's is remembered too, so that it is no news when it comes again; but only
 * the newest KNOWN_NOBODYS_MAX of them: a hostile stick may call itself something else each second.
 */
#include "plugin/internal.h"

#include "util/clock.h"
#include "util/log.h"

static size_t place_of(const struct plugins *plugins, const char *key)
{
    size_t i = 0;
    while (i < plugins->n_known && strcmp(plugins->known[i]->key, key) != 0)
        i++;
    return i;
}

struct known *known_find(const struct plugins *plugins, const char *key)
{
    size_t i = place_of(plugins, key);
    return i < plugins->n_known ? plugins->known[i] : NULL;
}

static void set_text(char **slot, const char *text)
{
    free(*slot);
    *slot = shep_strdup(text);
}

static void row_free(struct known *row)
{
    set_text(&row->key, NULL);
    set_text(&row->port_path, NULL);
    set_text(&row->vid, NULL);
    set_text(&row->pid, NULL);
    free(row);
}

static void row_drop(struct plugins *plugins, size_t i)
{
    row_free(plugins->known[i]);
    plugins->known[i] = plugins->known[--plugins->n_known];
}

static void row_forget(struct plugins *plugins, size_t i)
{
    store_device_delete(plugins->env.store, plugins->known[i]->key);
    answers_forget(plugins, plugins->known[i]->key);
    row_drop(plugins, i);
}

void known_forget(struct plugins *plugins, const char *key)
{
    size_t i = place_of(plugins, key);
    if (i < plugins->n_known)
        row_forget(plugins, i);
}

void known_forget_miner(struct plugins *plugins, int64_t miner_id, const char *prefix)
{
    size_t len = strlen(prefix);
    for (size_t i = plugins->n_known; i-- > 0;) {
        const struct known *row = plugins->known[i];
        if (row->miner_id == miner_id && strncmp(row->key, prefix, len) == 0)
            row_forget(plugins, i);
    }
}

void known_forget_places(struct plugins *plugins, int64_t miner_id, const struct found *except)
{
    for (size_t i = plugins->n_known; i-- > 0;) {
        const struct known *row = plugins->known[i];
        if (row->miner_id == miner_id && strcmp(row->key, except->key) != 0 &&
            (strncmp(row->key, "port:", 5) == 0 || strchr(row->key, '@')))
            row_forget(plugins, i);
    }
}

bool known_has_mac(const struct plugins *plugins, int64_t miner_id)
{
    for (size_t i = 0; i < plugins->n_known; i++)
        if (plugins->known[i]->miner_id == miner_id &&
            strncmp(plugins->known[i]->key, "mac:", 4) == 0)
            return true;
    return false;
}

static bool is_present(const struct plugins *plugins, const char *key)
{
    for (size_t i = 0; i < plugins->n_found; i++)
        if (strcmp(plugins->found[i]->key, key) == 0)
            return true;
    return false;
}

/* The oldest of nobody's that is not there, when there are too many. What a person said to ignore
 * is kept longest. */
static void make_room(struct plugins *plugins)
{
    size_t n = 0, oldest = plugins->n_known;
    for (size_t i = 0; i < plugins->n_known; i++) {
        const struct known *row = plugins->known[i];
        if (row->miner_id || is_present(plugins, row->key))
            continue;
        n++;
        const struct known *old = oldest < plugins->n_known ? plugins->known[oldest] : NULL;
        if (!old || old->ignored > row->ignored ||
            (old->ignored == row->ignored && old->seen_ms > row->seen_ms))
            oldest = i;
    }
    if (n >= KNOWN_NOBODYS_MAX && oldest < plugins->n_known)
        row_forget(plugins, oldest);
}

static struct known *row_new(struct plugins *plugins, const char *key)
{
    if (plugins->n_known == plugins->cap_known) {
        plugins->cap_known = plugins->cap_known ? plugins->cap_known * 2 : 64;
        plugins->known = shep_realloc(plugins->known, plugins->cap_known * sizeof(struct known *));
    }
    struct known *row = shep_alloc(sizeof *row);
    row->key = shep_strdup(key);
    return plugins->known[plugins->n_known++] = row;
}

void known_put(struct plugins *plugins, const char *key, const struct found *found,
               int64_t miner_id, bool present)
{
    struct known *row = known_find(plugins, key);
    if (!row && !miner_id)
        make_room(plugins);
    if (!row)
        row = row_new(plugins, key);
    row->miner_id = miner_id;
    row->seen_ms = clock_wall_ms();
    struct shep_found out = {.size = sizeof out, .key = key};
    if (found) { /* else a way in that no finder tells of */
        set_text(&row->port_path, found->facts.place);
        set_text(&row->vid, found->facts.vid);
        set_text(&row->pid, found->facts.pid);
        out.path = found->path;
        out.port_path = found->facts.place;
        out.description = found->description;
        out.vendor_id = found->vendor_id;
        out.product_id = found->product_id;
        out.serial = found->serial;
        out.mac = found->mac[0] ? found->mac : NULL;
        out.hub = found->hub;
    }
    store_device_put(plugins->env.store, &out, miner_id, present);
}

bool plugins_device_remember(struct plugins *plugins, const struct shep_found *found)
{
    if (known_find(plugins, found->key))
        return false;
    make_room(plugins);
    struct known *row = row_new(plugins, found->key);
    row->seen_ms = clock_wall_ms();
    set_text(&row->port_path, found->port_path);
    set_text(&row->vid, found->vendor_id);
    set_text(&row->pid, found->product_id);
    store_device_put(plugins->env.store, found, 0, false);
    return true;
}

void known_claim(struct plugins *plugins, const char *key, const struct member *member)
{
    struct known *row = known_find(plugins, key);
    const struct member *before = row ? member_by_id(plugins, row->miner_id) : NULL;
    if (before && before->origin != MINER_FOUND && member->origin != MINER_FROM_FILE)
        return;
    if (!row)
        row = row_new(plugins, key);
    row->miner_id = miner_id(member->miner); /* written when it is plugged in */
}

void known_renounce(struct plugins *plugins, const char *key, const struct member *member)
{
    const struct known *row = known_find(plugins, key);
    if (row && row->miner_id == miner_id(member->miner) && !is_present(plugins, key))
        known_forget(plugins, key);
}

void known_close(struct plugins *plugins)
{
    while (plugins->n_known)
        row_drop(plugins, plugins->n_known - 1);
    free(plugins->known);
    plugins->known = NULL;
    plugins->cap_known = 0;
    json_decref(plugins->answers);
    plugins->answers = NULL;
}

/* ---- what was known when the daemon ended ---- */

static void restore_device(const struct store_device *device, void *arg)
{
    struct plugins *plugins = arg;
    struct known *row = known_find(plugins, device->key);
    const struct member *claimed = row ? member_by_id(plugins, row->miner_id) : NULL;
    if (!row)
        row = row_new(plugins, device->key);
    if (!claimed || (claimed->origin != MINER_FROM_FILE && device->miner_id))
        row->miner_id = device->miner_id; /* boards move; what the file says stays */
    row->ignored = device->ignored;
    row->seen_ms = device->last_seen_ms;
    set_text(&row->port_path, device->port_path);
    set_text(&row->vid, device->vendor_id);
    set_text(&row->pid, device->product_id);
}

struct strays {
    struct plugins *plugins;
    json_t *entries;
};

/* A stranger that was listened to is a miner of the herd again, with its readings; unless what it
 * was heard on is known no more. */
static void collect_stranger(const struct store_miner *miner, void *arg)
{
    struct strays *strays = arg;
    if (miner->origin != MINER_FOUND || member_by_name(strays->plugins, miner->name))
        return;
    for (size_t i = 0; i < strays->plugins->n_known; i++) {
        const struct known *row = strays->plugins->known[i];
        if (row->miner_id != miner->id || row->ignored)
            continue;
        json_array_append_new(strays->entries,
                              json_pack("{s:s, s:s, s:s}", "id", miner->name, "source",
                                        miner->source ? miner->source : "", "device", row->key));
        return;
    }
}

void plugins_found_restore(struct plugins *plugins)
{
    struct strays strays = {.plugins = plugins, .entries = json_array()};
    if (store_devices_each(plugins->env.store, restore_device, plugins) != 0)
        log_warn("plugins", "the list of known devices cannot be read; what is plugged in may be "
                            "taken for strangers until it is assigned again");
    answers_restore(plugins);
    store_miners_each(plugins->env.store, collect_stranger, &strays);
    size_t i;
    json_t *entry;
    json_array_foreach(strays.entries, i, entry) plugins_miner_put(plugins, entry, MINER_FOUND);
    json_decref(strays.entries);
}
