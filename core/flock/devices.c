/* What is plugged in: listened to, ignored, accepted, assigned. Who it is knows core/plugin. */
#include "flock/internal.h"

/* ---- looking one up ---- */

struct device_look {
    const char *key, *miner;
    struct device *out;
    bool found;
};

static void look(const struct plugin_found *found, void *arg)
{
    struct device_look *look = arg;
    bool it_is = look->key ? str_eq(found->key, look->key)
                           : found->miner && str_eq(found->miner, look->miner);
    if (look->found || !it_is)
        return;
    look->found = true;
    *look->out = (struct device){.key = shep_strdup(found->key),
                                 .path = shep_strdup(found->path),
                                 .port_path = shep_strdup(found->port_path),
                                 .source = shep_strdup(found->source),
                                 .miner = shep_strdup(found->miner),
                                 .description = shep_strdup(found->description),
                                 .listened = found->listened,
                                 .ignored = found->ignored,
                                 .stranger = found->stranger,
                                 .bootloader = found->bootloader};
}

bool device_by_key(const struct flock *flock, const char *key, struct device *out)
{
    struct device_look request = {.key = key ? key : "", .out = out};
    *out = (struct device){0};
    plugins_found_each(flock->plugins, look, &request);
    return request.found;
}

bool device_of_miner(const struct flock *flock, const char *name, struct device *out)
{
    struct device_look request = {.miner = name, .out = out};
    *out = (struct device){0};
    plugins_found_each(flock->plugins, look, &request);
    return request.found;
}

void device_clear(struct device *device)
{
    free(device->key);
    free(device->path);
    free(device->port_path);
    free(device->source);
    free(device->miner);
    free(device->description);
    *device = (struct device){0};
}

static int gone(char why[FLOCK_WHY_MAX])
{
    return refuse(SHEP_E_GONE, why, "no such device is plugged in (any more)");
}

/* ---- changes ---- */

int flock_device_listen(struct flock *flock, const char *key, size_t *n_out,
                        char why[FLOCK_WHY_MAX])
{
    size_t n = 0;
    int rc = plugins_found_listen(flock->plugins, key, &n);
    if (n_out)
        *n_out = n;
    if (rc == SHEP_E_GONE)
        return gone(why);
    if (rc)
        return refuse(rc, why, "nothing here opens such a device, or it waits in its boot loader");
    flock_touch(flock);
    return 0;
}

int flock_device_ignore(struct flock *flock, const char *key, bool ignored, char why[FLOCK_WHY_MAX])
{
    int rc = plugins_found_ignore(flock->plugins, key, ignored);
    if (rc == SHEP_E_GONE)
        return gone(why);
    if (rc)
        return refuse(rc, why, "it belongs to a miner; delete that first");
    flock_touch(flock);
    return 0;
}

/* The fields with a name in them: the one that its log suggests where the person gave none. */
static json_t *named(const struct flock *flock, const struct device *device,
                     const struct miner *stranger, const json_t *fields)
{
    json_t *out = json_copy((json_t *)fields);
    const char *name = field(fields, "name");
    if (!name) {
        char *suggested = suggested_name_dup(flock, stranger, device->port_path, NULL);
        json_object_set_new(out, "name", text_json(suggested));
        free(suggested);
    }
    json_object_set_new(out, "source", text_json(device->source)); /* whoever opens it */
    json_object_set_new(out, "device", text_json(device->key));
    json_object_del(out, "path"); /* wherever it is plugged in */
    json_object_del(out, "pool_url");
    json_object_del(out, "wallet_address");
    return out;
}

static int accept(struct flock *flock, const struct device *device, const struct miner *stranger,
                  const json_t *fields, char **name_out, char why[FLOCK_WHY_MAX])
{
    json_t *all = named(flock, device, stranger, fields), *entry;
    int rc = entry_from_fields(flock, NULL, all, &entry, why);
    json_decref(all);
    if (rc)
        return rc;
    *name_out = shep_strdup(field(entry, "id"));
    const struct miner *other = herd_miner_by_name(flock->herd, *name_out);
    rc = other && other != stranger ? SHEP_E_BUSY
                                    : plugins_found_accept(flock->plugins, device->key, entry);
    json_decref(entry);
    if (rc == SHEP_E_BUSY)
        refuse(rc, why, "Miner ID '%s' is already in use.", *name_out);
    else if (rc == SHEP_E_GONE)
        gone(why);
    else if (rc)
        refuse(rc, why, "the device at %s cannot be accepted", device->path);
    return rc;
}

int flock_device_accept(struct flock *flock, const char *key, const json_t *fields, int64_t *id_out,
                        char why[FLOCK_WHY_MAX])
{
    struct device device;
    char *name = NULL;
    int rc;
    if (!device_by_key(flock, key, &device))
        return gone(why);
    const struct miner *stranger =
        device.miner ? herd_miner_by_name(flock->herd, device.miner) : NULL;
    if (!device.stranger)
        rc = refuse(SHEP_E_BUSY, why, "This device is already '%s'.", device.miner);
    else
        rc = accept(flock, &device, stranger, fields, &name, why);
    struct miner *miner = rc ? NULL : herd_miner_by_name(flock->herd, name);
    if (miner) {
        const char *pool = miner_text(miner, SHEP_A_POOL, NULL),
                   *wallet = miner_text(miner, SHEP_A_WALLET, NULL);
        wallet = wallet ? wallet : field(fields, "wallet_address");
        expect_as_said(flock, miner, pool ? pool : field(fields, "pool_url"),
                       wallet && wallet[0] ? newcomer_address(flock, wallet) : NULL, "accepted");
        if (id_out)
            *id_out = miner_id(miner);
        flock_touch(flock);
    }
    free(name);
    device_clear(&device);
    return rc;
}

int flock_device_assign(struct flock *flock, const char *key, int64_t id, char why[FLOCK_WHY_MAX])
{
    struct miner *miner;
    int rc = miner_find(flock, id, &miner, why);
    if (rc)
        return rc;
    rc = plugins_found_assign(flock->plugins, key, miner_name(miner));
    if (rc == SHEP_E_GONE)
        return gone(why);
    if (rc)
        return refuse(rc, why, "this device cannot be '%s'", miner_name(miner));
    flock_touch(flock);
    return 0;
}
