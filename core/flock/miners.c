/* Miners as people manage them: added, edited, deleted, merged. Those of the configuration file are
 * read-only here, those of the demo are nobody's. A found miner that is edited becomes one that was
 * added: somebody has named it. */
#include "flock/internal.h"

#include "util/log.h"

#include <sys/stat.h>

int miner_find(const struct flock *flock, int64_t id, struct miner **out, char why[FLOCK_WHY_MAX])
{
    *out = herd_miner_by_id(flock->herd, id);
    return *out ? 0 : refuse(SHEP_E_GONE, why, "Miner not found.");
}

/* Those that the browser may change. */
static int changeable(const struct flock *flock, int64_t id, struct miner **out,
                      char why[FLOCK_WHY_MAX])
{
    int rc = miner_find(flock, id, out, why);
    if (rc)
        return rc;
    if (miner_origin(*out) == MINER_FROM_FILE)
        return refuse(
            SHEP_E_UNSUPPORTED, why,
            "'%s' stands in the configuration file and is read-only here; change it there",
            miner_name(*out));
    if (miner_origin(*out) == MINER_DEMO)
        return refuse(SHEP_E_UNSUPPORTED, why, "'%s' is a miner of the demo", miner_name(*out));
    return 0;
}

static int put(struct flock *flock, const json_t *entry, char why[FLOCK_WHY_MAX])
{
    int rc = plugins_miner_put(flock->plugins, entry, MINER_FROM_DB);
    if (rc)
        refuse(rc, why, "its source '%s' is not there", field(entry, "source"));
    return rc;
}

/* ---- add ---- */

/* The same port opened twice would tear every line apart. */
struct port_look {
    const char *path;
    char *key, *miner;
};

static bool same_port(const char *a, const char *b)
{
    struct stat sa, sb;
    if (!a || !b)
        return false;
    return strcmp(a, b) == 0 || (stat(a, &sa) == 0 && stat(b, &sb) == 0 && S_ISCHR(sa.st_mode) &&
                                 S_ISCHR(sb.st_mode) && sa.st_rdev == sb.st_rdev);
}

static void look_at_found(const struct plugin_found *found, void *arg)
{
    struct port_look *look = arg;
    if (look->key || !same_port(found->path, look->path))
        return;
    look->key = shep_strdup(found->key);
    look->miner = shep_strdup(found->miner);
}

struct way_look {
    const struct flock *flock;
    const json_t *entry;
    const char *name; /* whose way in it is already */
};

static void look_at_miner(struct miner *miner, void *arg)
{
    struct way_look *look = arg;
    const json_t *other = plugins_miner_entry(look->flock->plugins, miner_name(miner));
    if (!look->name && str_eq(field(other, "source"), field(look->entry, "source")) &&
        same_port(field(look->entry, "path"), field(other, "path")))
        look->name = miner_name(miner);
}

/* Somebody typed the path of a device that is plugged in and nobody's: that device is accepted, so
 * that it goes on wherever it is plugged in next. */
static int add_entry(struct flock *flock, const json_t *entry, char why[FLOCK_WHY_MAX])
{
    struct port_look port = {.path = field(entry, "path")};
    struct way_look other = {.flock = flock, .entry = entry};
    plugins_found_each(flock->plugins, look_at_found, &port);
    struct miner *owner = port.miner ? herd_miner_by_name(flock->herd, port.miner) : NULL;
    int rc;
    if (port.key && (!owner || miner_origin(owner) == MINER_FOUND)) {
        rc = plugins_found_accept(flock->plugins, port.key, entry);
        if (rc)
            refuse(rc, why, "the device at %s cannot be accepted", port.path);
    } else {
        herd_each(flock->herd, look_at_miner, &other);
        rc = other.name ? refuse(SHEP_E_BUSY, why, "%s is already the way to '%s'.",
                                 field(entry, "path"), other.name)
                        : put(flock, entry, why);
    }
    free(port.key);
    free(port.miner);
    return rc;
}

int flock_miner_add(struct flock *flock, const json_t *fields, bool by_admin,
                    char why[FLOCK_WHY_MAX])
{
    json_t *entry;
    if (herd_count(flock->herd) >= ENTRY_MINERS_MAX)
        return refuse(SHEP_E_CONFIG, why, "at most %d miners", ENTRY_MINERS_MAX);
    int rc = entry_from_fields(flock, NULL, fields, &entry, why);
    if (rc)
        return rc;
    if (herd_miner_by_name(flock->herd, field(entry, "id")))
        rc = refuse(SHEP_E_BUSY, why, "Miner ID '%s' is already in use.", field(entry, "id"));
    else
        rc = entry_is_allowed(flock, NULL, entry, by_admin, why);
    if (!rc)
        rc = add_entry(flock, entry, why);
    if (rc == 0) {
        payout_look(flock, herd_miner_by_name(flock->herd, field(entry, "id")));
        flock_touch(flock);
    }
    json_decref(entry);
    return rc;
}

/* ---- edit ---- */

static int rename_to(struct flock *flock, const char *old_name, const char *new_name,
                     char why[FLOCK_WHY_MAX])
{
    if (str_eq(old_name, new_name))
        return 0;
    int rc = plugins_miner_rename(flock->plugins, old_name, new_name);
    if (rc == SHEP_E_BUSY)
        refuse(rc, why, "Miner ID '%s' is already in use.", new_name);
    else if (rc)
        refuse(rc, why, "'%s' cannot get another name", old_name);
    return rc;
}

static int apply_edit(struct flock *flock, const struct miner *miner, const json_t *entry,
                      char why[FLOCK_WHY_MAX])
{
    struct device device;
    if (miner_origin(miner) == MINER_FOUND && device_of_miner(flock, miner_name(miner), &device)) {
        int rc = plugins_found_accept(flock->plugins, device.key, entry);
        if (rc == SHEP_E_BUSY)
            refuse(rc, why, "Miner ID '%s' is already in use.", field(entry, "id"));
        else if (rc)
            refuse(rc, why, "the device cannot be accepted");
        device_clear(&device);
        return rc;
    }
    int rc = rename_to(flock, miner_name(miner), field(entry, "id"), why);
    return rc ? rc : put(flock, entry, why);
}

int flock_miner_edit(struct flock *flock, int64_t id, const json_t *fields, bool by_admin,
                     char why[FLOCK_WHY_MAX])
{
    struct miner *miner;
    json_t *entry;
    int rc = changeable(flock, id, &miner, why);
    if (rc)
        return rc;
    const json_t *old = plugins_miner_entry(flock->plugins, miner_name(miner));
    rc = entry_from_fields(flock, old, fields, &entry, why);
    if (rc)
        return rc;
    struct miner *other = herd_miner_by_name(flock->herd, field(entry, "id"));
    if (other && other != miner)
        rc = refuse(SHEP_E_BUSY, why, "Miner ID '%s' is already in use.", field(entry, "id"));
    else
        rc = entry_is_allowed(flock, old, entry, by_admin, why);
    if (!rc)
        rc = apply_edit(flock, miner, entry, why);
    json_decref(entry);
    if (rc == 0) {
        payout_look(flock, miner); /* a stranger until now? */
        payout_publish(flock);     /* it may show the old name */
        flock_touch(flock);
    }
    return rc;
}

/* ---- delete, merge ---- */

/* An alarm cannot be got rid of by getting rid of the miner. */
static int not_while_alarmed(const struct flock *flock, const struct miner *miner,
                             char why[FLOCK_WHY_MAX])
{
    const struct expected *expected = expected_find(flock, miner_id(miner));
    if (!expected || !alarm_is_open(expected))
        return 0;
    return refuse(SHEP_E_UNSUPPORTED, why,
                  "the payout alarm of '%s' is open; an admin acknowledges it first",
                  miner_name(miner));
}

int flock_miner_delete(struct flock *flock, int64_t id, bool erase, char why[FLOCK_WHY_MAX])
{
    struct miner *miner;
    struct device device;
    int rc = changeable(flock, id, &miner, why);
    if (!rc)
        rc = not_while_alarmed(flock, miner, why);
    if (rc)
        return rc;
    bool found = miner_origin(miner) == MINER_FOUND;
    if (found && device_of_miner(flock, miner_name(miner), &device)) {
        /* else it would be listened to again at once */
        plugins_found_ignore(flock->plugins, device.key, true);
        device_clear(&device);
    }
    miner = herd_miner_by_id(flock->herd, id);
    if (miner)
        plugins_miner_remove(flock->plugins, miner_name(miner));
    if (erase) {
        expected_drop(flock, id);
        store_miner_erase(flock->store, id);
    } else {
        store_miner_remove(flock->store, id);
    }
    payout_publish(flock);
    flock_touch(flock);
    return 0;
}

int flock_miner_merge(struct flock *flock, int64_t from_id, int64_t into_id,
                      char why[FLOCK_WHY_MAX])
{
    struct miner *from, *into;
    struct device device = {0};
    int rc = changeable(flock, from_id, &from, why);
    if (!rc)
        rc = miner_find(flock, into_id, &into, why);
    if (!rc && from == into)
        rc = refuse(SHEP_E_CONFIG, why, "a miner cannot be merged into itself");
    if (!rc)
        rc = not_while_alarmed(flock, from, why);
    if (rc)
        return rc;
    bool plugged = device_of_miner(flock, miner_name(from), &device);
    herd_merge_best(into, from);
    if (plugged) /* its board is into's from here on */
        herd_merge_texts(into, from);
    plugins_miner_remove(flock->plugins, miner_name(from));
    expected_move(flock, from_id, into_id);
    store_miner_merge(flock->store, from_id, into_id);
    if (plugged && plugins_found_assign(flock->plugins, device.key, miner_name(into)) != 0)
        log_warn("flock", "%s stays a device of its own; assign it to %s", device.path,
                 miner_name(into));
    device_clear(&device);
    payout_look(flock, into); /* at what from should mine for */
    payout_publish(flock);
    flock_touch(flock);
    return 0;
}
