/* What the log of a board says about whose it is: its MAC address is proof, its worker name a hint.
 * Thread: loop.
 *
 * All of this runs while a line is parsed, so nothing here closes the stream that it came from: a
 * device that turns out to be another miner's is moved, bytes and all. */
#include "plugin/internal.h"

#include "util/log.h"

/* ---- moving ---- */

void found_move(struct found *found, struct member *member, enum id_by by, const char *why)
{
    struct plugins *plugins = found->finder->plugins;
    doubt_clear(found);
    if (found->owner != member) {
        if (found->owner)
            log_info("plugins", "%s: %s, not %s", found->path, member->name, found->owner->name);
        if (found->way)
            way_move(found->way, member, why);
        found->owner = member;
    }
    found->by = by;
    if (!found->way)
        found_bind(found, member, by);
    doubt_resolve(plugins, member);
}

void found_estrange(struct found *found, const char *why)
{
    if (!found->opener || !found->way) {
        found_unbind(found, why);
        return;
    }
    if (found->mac[0]) /* its place stays its owner's */
        id_key_mac(found->key, found->mac);
    found_move(found, found_stranger_member(found), ID_BY_PLACE, why);
    if (found->mac[0])
        proof_address(found);
    found_save(found, true);
}

/* ---- addresses ---- */

static bool heard_elsewhere(const struct plugins *plugins, const struct found *except,
                            const char *key)
{
    char other[ID_KEY_MAX];
    for (size_t i = 0; i < plugins->n_found; i++) {
        const struct found *found = plugins->found[i];
        id_key_mac(other, found->mac);
        if (found != except && found->mac[0] && strcmp(other, key) == 0)
            return true;
    }
    return false;
}

void proof_address(struct found *found)
{
    struct plugins *plugins = found->finder->plugins;
    int64_t id = miner_id(found->owner->miner);
    char key[ID_KEY_MAX];
    id_key_mac(key, found->mac);
    for (size_t i = plugins->n_known; i-- > 0;) {
        const struct known *row = plugins->known[i];
        if (row->miner_id == id && strncmp(row->key, "mac:", 4) == 0 &&
            strcmp(row->key, key) != 0 && !heard_elsewhere(plugins, found, row->key))
            known_forget(plugins, row->key); /* the board that it was */
    }
    known_put(plugins, key, found, id, true);
}

/* Two boards changed places, or one moved. The device that was taken for the owner until now is
 * nobody's we know; perhaps it is the one whose place this was. */
static void go_to(struct found *found, struct member *owner)
{
    struct plugins *plugins = found->finder->plugins;
    struct member *before = found->owner;
    bool was_known = before->origin != MINER_FOUND;
    for (size_t i = 0; i < plugins->n_found; i++) {
        struct found *other = plugins->found[i];
        if (other == found || other->owner != owner || other->by != ID_BY_PLACE)
            continue;
        found_estrange(other, "another board is in its place");
        if (was_known)
            doubt_set(other, ID_PUSHED_OUT, before, NULL,
                      "it was taken for %s, which is at port %s by its MAC; it may be %s",
                      owner->name, found->facts.place, before->name);
        else
            doubt_set(other, ID_PUSHED_OUT, owner, NULL,
                      "it was taken for %s, which is at port %s by its "
                      "MAC; which board is it?",
                      owner->name, found->facts.place);
    }
    found->moves++;
    known_forget_places(plugins, miner_id(owner->miner), found);
    found_move(found, owner, ID_BY_MAC, "another board is in its place");
    found_save(found, true);
    member_set_device(owner, found->key);
    stranger_retire(before, owner);
}

static void other_board(struct found *found)
{
    struct member *before = found->owner;
    if (found->facts.serial_key[0] && found->by == ID_BY_SERIAL)
        found_share_serial(found);
    bool known = before->origin != MINER_FOUND;
    found->moves++;
    found_estrange(found, "another board is in its place");
    if (known)
        doubt_set(found, ID_OTHER_MAC, before, found->mac,
                  "another board, with MAC %s, is where %s was (port %s)", found->mac, before->name,
                  found->facts.place);
}

static void heard_found(struct found *found, const char *mac)
{
    struct plugins *plugins = found->finder->plugins;
    struct member *member = found->owner;
    char key[ID_KEY_MAX];
    id_key_mac(key, mac);
    const struct known *row = known_find(plugins, key);
    struct member *owner = row ? member_by_id(plugins, row->miner_id) : NULL;
    bool fixed = found->by == ID_BY_FILE || found->moves >= MOVES_MAX;
    if (owner == member && strcmp(found->mac, mac) == 0 && found->by != ID_BY_PLACE &&
        !found->doubt)
        return; /* as ever */
    memcpy(found->mac, mac, sizeof found->mac);
    if (owner == member || (!owner && !known_has_mac(plugins, miner_id(member->miner)))) {
        found->by = found->by == ID_BY_FILE ? ID_BY_FILE : ID_BY_MAC;
        doubt_clear(found);
        proof_address(found);
        doubt_resolve(plugins, member);
    } else if (owner && (fixed || found_presence(found, owner) == ID_PROVEN)) {
        doubt_set(found, ID_SAME_MAC, owner, NULL,
                  "%s says the MAC of %s (%s): two ways in to one miner?", member->name,
                  owner->name, mac);
    } else if (owner) {
        go_to(found, owner);
    } else if (fixed) {
        doubt_set(found, ID_OTHER_MAC, member, mac,
                  "%s says another MAC than before (%s): another board?", member->name, mac);
    } else {
        other_board(found);
    }
}

/* A way in that no finder tells of: the network, a pseudo-terminal. Its miner is as configured. */
static void heard_configured(struct shep_device *dev, const char *mac)
{
    struct plugins *plugins = dev->member->plugins;
    int64_t id = miner_id(dev->member->miner);
    char key[ID_KEY_MAX];
    id_key_mac(key, mac);
    const struct known *row = known_find(plugins, key);
    const struct member *owner = row ? member_by_id(plugins, row->miner_id) : NULL;
    if (owner == dev->member || dev->member->origin == MINER_DEMO)
        return;
    if (!owner) {
        known_forget_miner(plugins, id, "mac:");
        known_put(plugins, key, NULL, id, true);
        return;
    }
    for (size_t i = 0; i < plugins->n_found; i++)
        if (plugins->found[i]->owner == owner)
            doubt_set(plugins->found[i], ID_SAME_MAC, dev->member, NULL,
                      "%s and %s say the same MAC (%s): two ways in to one miner?", owner->name,
                      dev->member->name, mac);
}

/* ---- worker names ---- */

struct same_worker {
    const char *worker;
    const struct found *found;
    struct member *one;
    size_t n;
};

static void count_same(struct miner *miner, void *arg)
{
    struct same_worker *same = arg;
    struct member *member = member_by_id(same->found->finder->plugins, miner_id(miner));
    if (!member || member == same->found->owner || member->origin == MINER_FOUND ||
        !str_eq(miner_text(miner, SHEP_A_WORKER, NULL), same->worker) ||
        found_presence(same->found, member) != ID_ABSENT)
        return;
    same->one = member;
    same->n++;
}

/* People give each board a worker name of its own. The first one after plugging in counts: later
 * ones are a change of the settings. */
static void heard_worker(struct found *found, const char *worker)
{
    const struct member *member = found->owner;
    const char *before = miner_text(member->miner, SHEP_A_WORKER, NULL);
    if (found->worker_heard || found->by != ID_BY_PLACE || member->origin == MINER_FOUND)
        return;
    found->worker_heard = true;
    if (!before || strcmp(before, worker) == 0)
        return;
    struct same_worker same = {.worker = worker, .found = found};
    herd_each(member->plugins->env.herd, count_same, &same);
    if (same.n == 1)
        doubt_set(found, ID_OTHER_WORKER, same.one, worker,
                  "it is taken for %s by its port, and says the worker name of %s (%s)",
                  member->name, same.one->name, worker);
    else
        doubt_set(found, ID_OTHER_WORKER, member, worker,
                  "it is taken for %s by its port, and says another worker name than before (%s, "
                  "not %s)",
                  member->name, worker, before);
}

void proof_heard(struct shep_device *dev, const struct shep_reading *reading)
{
    char text[SHEP_TEXT_MAX + 1], mac[ID_MAC_MAX];
    if ((reading->metric != SHEP_A_MAC && reading->metric != SHEP_A_WORKER) || !reading->text)
        return;
    str_copy(text, sizeof text, reading->text, reading->text_len);
    if (reading->metric == SHEP_A_WORKER && dev->found)
        heard_worker(dev->found, text);
    else if (reading->metric == SHEP_A_MAC && id_mac(text, mac) && dev->found)
        heard_found(dev->found, mac);
    else if (reading->metric == SHEP_A_MAC && id_mac(text, mac))
        heard_configured(dev, mac);
}
