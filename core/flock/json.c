/* The flock as pages read it: shepherd.config().flock. Passwords of pools are not in it. */
#include "flock/internal.h"

#include "coin/coin.h"
#include "plugin/identity.h"

static const char *const origins[] = {[MINER_FROM_FILE] = "file",
                                      [MINER_FROM_DB] = "db",
                                      [MINER_FOUND] = "found",
                                      [MINER_DEMO] = "demo"};

struct build {
    const struct flock *flock;
    json_t *out;
    json_t *taken; /* names that were suggested in this answer */
};

/* ---- miners ---- */

static void put_expected(json_t *out, const struct expected *expected)
{
    json_object_set_new(out, "expected_pool", text_json(expected ? expected->pool : NULL));
    json_object_set_new(out, "expected_address", text_json(expected ? expected->address : NULL));
    json_object_set_new(out, "expected_by", text_json(expected ? expected->set_by : NULL));
    json_object_set_new(out, "expected_at_ms",
                        expected ? json_integer(expected->set_at_ms) : json_null());
    json_object_set_new(out, "alarm", expected ? alarm_json(expected) : json_null());
}

/* What its source wants besides: the entry without what has a place of its own. Options that are
 * secret stay out: only the core of a plugin's table knows which, so none that is named like one.
 */
static json_t *options_of(const json_t *entry)
{
    static const char *const own[] = {"id",       "source", "path", "device",
                                      "location", "group",  "tags", "about"};
    static const char *const secret[] = {"pass", "secret", "token", "key"};
    json_t *out = json_copy((json_t *)entry), *value;
    const char *name;
    void *next;
    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        json_object_del(out, own[i]);
    json_object_foreach_safe(out, next, name, value)
    {
        for (size_t i = 0; i < ARRAY_LEN(secret); i++) {
            if (strstr(name, secret[i])) {
                json_object_del(out, name);
                break;
            }
        }
    }
    return out;
}

static json_t *miner_json(const struct flock *flock, const struct miner *miner)
{
    json_t *item = json_object(), *value;
    const json_t *entry = plugins_miner_entry(flock->plugins, miner_name(miner));
    const char *key;
    json_object_set_new(item, "name", text_json(miner_name(miner)));
    json_object_set_new(item, "origin", json_string(origins[miner_origin(miner)]));
    json_object_set_new(item, "source", text_json(field(entry, "source")));
    json_object_set_new(item, "path", text_json(field(entry, "path")));
    json_object_set_new(item, "device", text_json(field(entry, "device")));
    json_object_set_new(item, "parser", text_json(field(entry, "parser")));
    json_object_set_new(item, "location", text_json(field(entry, "location")));
    json_object_set_new(item, "group", text_json(field(entry, "group")));
    if (json_object_get(entry, "tags"))
        json_object_set(item, "tags", json_object_get(entry, "tags"));
    json_object_set_new(item, "notes", json_null());
    json_object_foreach(json_object_get(entry, "about"), key, value)
    {
        json_object_set(item, key, value);
    }
    if (entry)
        json_object_set_new(item, "options", options_of(entry));
    put_expected(item, expected_find(flock, miner_id(miner)));
    return item;
}

static void add_miner(struct miner *miner, void *arg)
{
    struct build *build = arg;
    char id[32];
    snprintf(id, sizeof id, "%lld", (long long)miner_id(miner));
    json_object_set_new(build->out, id, miner_json(build->flock, miner));
}

/* ---- devices ---- */

/* "a0:b1:…", as logs have it. */
static json_t *mac_json(const char *mac)
{
    char digits[ID_MAC_MAX], out[18];
    if (!mac || !id_mac(mac, digits))
        return text_json(mac);
    snprintf(out, sizeof out, "%.2s:%.2s:%.2s:%.2s:%.2s:%.2s", digits, digits + 2, digits + 4,
             digits + 6, digits + 8, digits + 10);
    return json_string(out);
}

static void put_found(json_t *out, const struct plugin_found *found)
{
    const struct {
        const char *name, *text;
    } texts[] = {{"key", found->key},
                 {"path", found->path},
                 {"port_path", found->port_path},
                 {"hub", found->hub},
                 {"description", found->description},
                 {"vendor_id", found->vendor_id},
                 {"product_id", found->product_id},
                 {"serial", found->serial},
                 {"source", found->source},
                 {"miner", found->miner},
                 {"doubt", found->doubt},
                 {"maybe", found->maybe}};
    const struct {
        const char *name;
        bool is_so;
    } flags[] = {{"listened", found->listened},     {"stranger", found->stranger},
                 {"plausible", found->plausible},   {"native", found->native},
                 {"bootloader", found->bootloader}, {"ignored", found->ignored}};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        json_object_set_new(out, texts[i].name, text_json(texts[i].text));
    for (size_t i = 0; i < ARRAY_LEN(flags); i++)
        json_object_set_new(out, flags[i].name, json_boolean(flags[i].is_so));
    json_object_set_new(out, "mac", mac_json(found->mac));
    json_object_set_new(out, "since_ms", json_integer((json_int_t)found->since_ms));
}

/* What the log of a stranger tells, and a name from it. */
static void put_told(struct build *build, json_t *out, const struct plugin_found *found)
{
    static const struct {
        const char *name;
        uint32_t attr;
    } told[] = {{"firmware", SHEP_A_FIRMWARE}, {"version", SHEP_A_VERSION}, {"board", SHEP_A_BOARD},
                {"chip", SHEP_A_CHIP},         {"worker", SHEP_A_WORKER},   {"pool", SHEP_A_POOL},
                {"wallet", SHEP_A_WALLET}};
    const struct flock *flock = build->flock;
    struct miner *miner = found->miner ? herd_miner_by_name(flock->herd, found->miner) : NULL;
    for (size_t i = 0; miner && i < ARRAY_LEN(told); i++)
        json_object_set_new(out, told[i].name, text_json(miner_text(miner, told[i].attr, NULL)));
    if (miner && !found->mac)
        json_object_set_new(out, "mac", text_json(miner_text(miner, SHEP_A_MAC, NULL)));
    json_object_set_new(out, "miner_id", miner ? json_integer(miner_id(miner)) : json_null());
    if (!found->stranger)
        return;
    char *name = suggested_name_dup(flock, miner, found->port_path, build->taken);
    json_object_set_new(out, "suggested_name", text_json(name));
    json_object_set_new(build->taken, name, json_true());
    free(name);
}

static void add_device(const struct plugin_found *found, void *arg)
{
    struct build *build = arg;
    json_t *item = json_object();
    put_found(item, found);
    put_told(build, item, found);
    json_array_append_new(build->out, item);
}

/* ---- pools, addresses ---- */

static json_t *pool_json(const json_t *row)
{
    json_t *out = json_copy((json_t *)row);
    json_object_del(out, "pool_pass");
    return out;
}

static json_t *address_json(const json_t *row)
{
    struct coin_verdict verdict;
    const char *address = field(row, "address");
    json_t *out = json_copy((json_t *)row);
    coin_address_check(address, strlen(address), field(row, "coin_ticker"), &verdict);
    json_object_set_new(out, "network", text_json(verdict.network));
    json_object_set_new(out, "kind", text_json(verdict.kind));
    return out;
}

static json_t *rows_json(const json_t *rows, json_t *(*row_json)(const json_t *row))
{
    json_t *out = json_array(), *row;
    size_t i;
    json_array_foreach((json_t *)rows, i, row)
    {
        json_array_append_new(out, row_json(row));
    }
    return out;
}

/* ---- one of them ---- */

json_t *flock_miner_json(const struct flock *flock, int64_t id)
{
    const struct miner *miner = herd_miner_by_id(flock->herd, id);
    return miner ? miner_json(flock, miner) : NULL;
}

json_t *flock_pool_json(const struct flock *flock, int64_t id)
{
    const json_t *row = row_by_id(flock->pools, id);
    return row ? pool_json(row) : NULL;
}

json_t *flock_address_json(const struct flock *flock, int64_t id)
{
    const json_t *row = row_by_id(flock->addresses, id);
    return row ? address_json(row) : NULL;
}

/* ---- all of it ---- */

json_t *flock_json(const struct flock *flock)
{
    struct build miners = {.flock = flock, .out = json_object()},
                 devices = {.flock = flock, .out = json_array(), .taken = json_object()};
    herd_each(flock->herd, add_miner, &miners);
    plugins_found_each(flock->plugins, add_device, &devices);
    json_decref(devices.taken);
    json_t *out = json_object();
    json_object_set_new(out, "miners", miners.out);
    json_object_set_new(out, "pools", rows_json(flock->pools, pool_json));
    json_object_set_new(out, "addresses", rows_json(flock->addresses, address_json));
    json_object_set_new(out, "devices", devices.out);
    return out;
}
