/* What people say about what is plugged in: listen to it, ignore it, it is a new miner, it is that
 * miner. Thread: loop. */
#include "plugin/internal.h"

#include "util/log.h"

void plugins_found_each(const struct plugins *plugins, plugin_found_fn fn, void *arg)
{
    for (size_t i = 0; i < plugins->n_found; i++) {
        const struct found *found = plugins->found[i];
        const struct member *maybe =
            found->maybe_id ? member_by_id(plugins, found->maybe_id) : NULL;
        struct plugin_found view = {.key = found->key,
                                    .path = found->path,
                                    .port_path = found->port_path,
                                    .hub = found->hub,
                                    .description = found->description,
                                    .vendor_id = found->vendor_id,
                                    .product_id = found->product_id,
                                    .serial = found->serial,
                                    .mac = found->mac[0] ? found->mac : NULL,
                                    .source = found->opener ? found->opener->desc.name : NULL,
                                    .miner = found->owner ? found->owner->name : NULL,
                                    .doubt = found->doubt_text,
                                    .maybe = maybe ? maybe->name : NULL,
                                    .listened = found->way != NULL,
                                    .stranger =
                                        !found->owner || found->owner->origin == MINER_FOUND,
                                    .plausible = (found->judged & SHEP_JUDGE_PLAUSIBLE) != 0,
                                    .native = (found->judged & SHEP_JUDGE_NATIVE) != 0,
                                    .bootloader = (found->judged & SHEP_JUDGE_BOOTLOADER) != 0,
                                    .ignored = found->ignored,
                                    .since_ms = found->since_ms};
        fn(&view, arg);
    }
}

/* By its key, or by another name that it may have been shown under a moment ago. */
static struct found *find(const struct plugins *plugins, const char *key)
{
    char other[ID_KEY_MAX];
    for (size_t i = 0; i < plugins->n_found; i++)
        if (strcmp(plugins->found[i]->key, key) == 0)
            return plugins->found[i];
    for (size_t i = 0; i < plugins->n_found; i++) {
        struct found *found = plugins->found[i];
        id_key_place(other, &found->facts);
        if (strcmp(other, key) == 0 || str_eq(found->facts.serial_key, key))
            return found;
        id_key_mac(other, found->mac);
        if (found->mac[0] && strcmp(other, key) == 0)
            return found;
    }
    return NULL;
}

/* ---- listening ---- */

struct member *found_stranger_member(struct found *found)
{
    struct plugins *plugins = found->finder->plugins;
    char name[ID_NAME_MAX], stem[ID_NAME_MAX];
    id_name(found->facts.place, stem);
    memcpy(name, stem, sizeof name);
    for (unsigned i = 2; herd_miner_by_name(plugins->env.herd, name); i++)
        snprintf(name, sizeof name, "%.48s_%u", stem, i);
    json_t *entry = json_pack("{s:s, s:s, s:s}", "id", name, "source", found->opener->desc.name,
                              "device", found->key);
    plugins->settling++;
    plugins_miner_put(plugins, entry, MINER_FOUND);
    plugins->settling--;
    json_decref(entry);
    return member_by_name(plugins, name);
}

static int listen_to(struct found *found)
{
    if (!found->opener || (found->judged & SHEP_JUDGE_BOOTLOADER))
        return SHEP_E_UNSUPPORTED;
    if (found->way)
        return 0;
    if (found->ignored) {
        found->ignored = false;
        struct known *row = known_find(found->finder->plugins, found->key);
        if (row)
            row->ignored = false;
        store_device_ignore(found->finder->plugins->env.store, found->key, false);
    }
    found_bind(found, found_stranger_member(found), ID_BY_PLACE);
    found_save(found, true);
    found_review(found->finder->plugins); /* another way in to the same board */
    return 0;
}

int plugins_found_listen(struct plugins *plugins, const char *key, size_t *n_out)
{
    size_t n = 0;
    int err = 0;
    if (key) {
        struct found *found = find(plugins, key);
        bool before = found && found->way;
        err = found ? listen_to(found) : SHEP_E_GONE;
        n = err == 0 && !before;
    }
    for (size_t i = 0; !key && i < plugins->n_found; i++) {
        struct found *found = plugins->found[i];
        if ((found->judged & SHEP_JUDGE_PLAUSIBLE) && !found->ignored && !found->way)
            n += listen_to(found) == 0;
    }
    if (n_out)
        *n_out = n;
    return err;
}

void stranger_retire(struct member *stranger, const struct member *into)
{
    struct plugins *plugins = stranger->plugins;
    struct miner *miner = stranger->miner;
    int64_t id = miner_id(miner);
    if (stranger->origin != MINER_FOUND || !LIST_EMPTY(&stranger->ways))
        return;
    char gone[ID_NAME_MAX];
    snprintf(gone, sizeof gone, "%.40s~%lld", miner_name(miner), (long long)id);
    if (into) {
        herd_merge_best(into->miner, miner);
        herd_merge_texts(into->miner, miner); /* boards tell their wallet when they boot, once */
    }
    known_forget_miner(plugins, id, "");
    member_free(stranger);
    herd_miner_remove(plugins->env.herd, miner);
    if (into) {
        store_miner_merge(plugins->env.store, id, miner_id(into->miner));
    } else { /* the next stranger at this port must not get its name, and with it its history */
        store_miner_rename(plugins->env.store, id, gone);
        store_miner_remove(plugins->env.store, id);
    }
}

void strangers_bound(struct plugins *plugins)
{
    struct member *member, *oldest = NULL;
    size_t n = 0;
    LIST_FOREACH(member, &plugins->members, link)
    {
        if (member->origin != MINER_FOUND || !LIST_EMPTY(&member->ways))
            continue;
        n++;
        if (!oldest || miner_id(member->miner) < miner_id(oldest->miner))
            oldest = member;
    }
    if (n <= STRANGERS_AWAY_MAX)
        return;
    int64_t id = miner_id(oldest->miner);
    stranger_retire(oldest, NULL);
    store_miner_erase(plugins->env.store, id);
}

int plugins_found_ignore(struct plugins *plugins, const char *key, bool ignored)
{
    struct found *found = find(plugins, key);
    if (!found)
        return SHEP_E_GONE;
    struct member *owner = found->owner;
    doubt_heard(found);
    topic_touch(plugins->env.topics, TOPIC_CONFIG);
    if (owner && owner->origin != MINER_FOUND) {
        doubt_answer(found);
        return 0;
    }
    doubt_clear(found);
    if (owner && ignored) {
        found_unbind(found, "ignored");
        stranger_retire(owner, NULL);
    }
    found->ignored = ignored;
    found_save(found, true);
    struct known *row = known_find(plugins, found->key);
    row->ignored = ignored;
    store_device_ignore(plugins->env.store, found->key, ignored);
    if (!ignored)
        found_review(plugins);
    return 0;
}

/* ---- a new miner, or a known one ---- */

/* Where it is plugged in stands for it from here on, unless something better does. */
static void claim_place(struct found *found)
{
    char key[ID_KEY_MAX];
    if (found->facts.serial_key[0] || found->facts.mac[0])
        return;
    id_key_place(key, &found->facts);
    known_put(found->finder->plugins, key, found, miner_id(found->owner->miner), true);
}

int plugins_found_accept(struct plugins *plugins, const char *key, const json_t *entry)
{
    struct found *found = find(plugins, key);
    const char *name = json_string_value(json_object_get(entry, "id"));
    if (!found || !found->opener)
        return found ? SHEP_E_UNSUPPORTED : SHEP_E_GONE;
    struct member *stranger = found->owner;
    if (stranger && stranger->origin != MINER_FOUND)
        return SHEP_E_BUSY;
    struct miner *taken = herd_miner_by_name(plugins->env.herd, name);
    if (taken && (!stranger || taken != stranger->miner))
        return SHEP_E_BUSY;
    json_t *whole = json_deep_copy(entry);
    json_object_set_new(whole, "device", json_string(found->key));
    json_object_del(whole, "path"); /* it is where it is plugged in */
    if (!json_object_get(whole, "source"))
        json_object_set_new(whole, "source", json_string(found->opener->desc.name));
    int err = stranger ? member_rename(stranger, name) : 0;
    plugins->settling++;
    if (!err)
        err = plugins_miner_put(plugins, whole, MINER_FROM_DB);
    plugins->settling--;
    json_decref(whole);
    if (err)
        return err;
    doubt_heard(found);
    doubt_clear(found);
    if (!stranger)
        found_bind(found, member_by_name(plugins, name), ID_BY_WORD);
    found->by = ID_BY_WORD;
    if (found->mac[0])
        proof_address(found);
    claim_place(found);
    found_save(found, true);
    found_review(plugins);
    return 0;
}

/* A board has one USB port: what was only thought to be the miner is not. */
static void push_out(struct member *member, const struct found *except)
{
    struct plugins *plugins = member->plugins;
    for (size_t i = 0; i < plugins->n_found; i++) {
        struct found *found = plugins->found[i];
        if (found != except && found->owner == member && found->by == ID_BY_PLACE &&
            found->opener == except->opener)
            found_estrange(found, NULL);
    }
}

int plugins_found_assign(struct plugins *plugins, const char *key, const char *miner_name)
{
    struct found *found = find(plugins, key);
    struct member *member = member_by_name(plugins, miner_name);
    if (!found || !member)
        return SHEP_E_GONE;
    if (!found->opener || (found->judged & SHEP_JUDGE_BOOTLOADER) ||
        (found->way && found->way->own && found->owner != member))
        return SHEP_E_UNSUPPORTED;
    if (found->ignored)
        plugins_found_ignore(plugins, key, false);
    struct member *before = found->owner;
    doubt_heard(found);
    if (before == member)
        doubt_answer(found);
    push_out(member, found);
    found_move(found, member, ID_BY_WORD, "it is another miner's, as was said");
    if (found->mac[0])
        proof_address(found);
    claim_place(found);
    found_save(found, true);
    if (found->opener == member->source)
        member_set_device(member, found->key);
    if (before && before != member)
        stranger_retire(before, member);
    found_review(plugins);
    return 0;
}
