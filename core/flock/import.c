/* Moving over from the Python Shepherd: its rows become miners, pools, addresses and known devices
 * of ours. Twice is the same as once: what is there already is compared and left as it is. A miner
 * of the configuration file is never touched. Thread: loop. */
#include "flock/internal.h"

#include "coin/coin.h"
#include "ingest/units.h"
#include "plugin/identity.h"
#include "util/clock.h"

#include <ctype.h>
#include <math.h>
#include <time.h>

enum { NOTES_LISTED_MAX = 200 };

struct import {
    struct flock *flock;
    const json_t *plan;
    json_t *counts, *notes;
    bool by_admin;
    bool had_addresses; /* somebody here was watched before */
};

/* ---- what is said about it ---- */

static void note(struct import *import, const char *fmt, ...) SHEP_PRINTF(2, 3);

static void note(struct import *import, const char *fmt, ...)
{
    char text[FLOCK_WHY_MAX + 128];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (json_array_size(import->notes) < NOTES_LISTED_MAX)
        json_array_append_new(import->notes, text_json(text));
}

static void count(struct import *import, const char *what, const char *how)
{
    json_t *counts = json_object_get(import->counts, what);
    json_int_t n = json_integer_value(json_object_get(counts, how));
    json_object_set_new(counts, how, json_integer(n + 1));
}

/* ---- identity ---- */

/* Only chips with USB of their own tell their MAC before they are opened; boards behind a bridge
 * are known by the serial number of the bridge, or by where they are plugged in. */
static bool is_native(const char *vendor)
{
    return vendor && strcmp(vendor, "303a") == 0;
}

static void lower(char *out, size_t cap, const char *text)
{
    str_copy(out, cap, text ? text : "", text ? strlen(text) : 0);
    for (; *out; out++)
        *out = (char)tolower((unsigned char)*out);
}

/* As core/plugin names devices, see plugin/identity.h. What the Python one wrote where a board has
 * no serial number is none. false: it said nothing to know it by. */
static bool device_key(const json_t *row, const char *serial, const char *vendor,
                       const char *product, char out[static ID_KEY_MAX])
{
    const char *mac = field(row, "mac_address"), *port = field(row, "port_path");
    char vid[8], pid[8], own[ID_MAC_MAX];
    struct id_facts facts;
    lower(vid, sizeof vid, vendor);
    lower(pid, sizeof pid, product);
    if (serial && strncmp(serial, "PORT_", 5) == 0)
        serial = NULL;
    id_facts_make(&facts, mac, vid, pid, serial, port ? port : "", 0);
    bool has_own_mac = is_native(vid) && (facts.mac[0] || (serial && id_mac(serial, own)));
    if (has_own_mac)
        id_key_mac(out, facts.mac[0] ? facts.mac : own);
    else if (facts.serial_key[0])
        snprintf(out, ID_KEY_MAX, "%s", facts.serial_key);
    else if (facts.place[0])
        id_key_place(out, &facts);
    return has_own_mac || facts.serial_key[0] || facts.place[0];
}

/* ---- miners ---- */

static char *name_dup(const char *old)
{
    struct buf name = {0};
    for (const char *p = old; *p && name.len < ENTRY_NAME_MAX; p++) {
        char c[2] = {*p, 0};
        buf_add(&name, entry_name_is_valid(c) ? c : "-", 1);
    }
    return buf_take(&name);
}

static void put_field(json_t *fields, const char *name, const json_t *row, const char *column)
{
    const char *text = field(row, column);
    if (text && text[0])
        json_object_set_new(fields, name, text_json(text));
}

static json_t *fields_of(const json_t *row, const char *name)
{
    char key[ID_KEY_MAX];
    const char *path = field(row, "tty_symlink");
    json_t *fields = json_object();
    json_object_set_new(fields, "name", text_json(name));
    json_object_set_new(fields, "source", json_string("serial"));
    put_field(fields, "location", row, "location_notes");
    put_field(fields, "chipset", row, "chipset");
    put_field(fields, "version", row, "nerdminer_vrs");
    put_field(fields, "rom", row, "nerdminer_rom");
    put_field(fields, "currency", row, "currency");
    put_field(fields, "mac", row, "mac_address");
    if (device_key(row, field(row, "attrs_serial"), field(row, "attrs_idVendor"),
                   field(row, "attrs_idProduct"), key)) {
        json_object_set_new(fields, "device", text_json(key));
    } else {
        path = path && path[0] ? path : field(row, "dev_path");
        if (path && path[0] && path[0] != '/') {
            char *full = path_join_dup("/dev", path);
            json_object_set_new(fields, "path", text_json(full));
            free(full);
        } else if (path && path[0]) {
            json_object_set_new(fields, "path", text_json(path));
        }
    }
    return fields;
}

struct owner_look {
    const struct flock *flock;
    const char *key, *name, *owner;
};

static void look_for_owner(struct miner *miner, void *arg)
{
    struct owner_look *look = arg;
    const json_t *entry = plugins_miner_entry(look->flock->plugins, miner_name(miner));
    if (miner_origin(miner) != MINER_FOUND && strcmp(miner_name(miner), look->name) != 0 &&
        str_eq(field(entry, "device"), look->key))
        look->owner = miner_name(miner);
}

/* Somebody else's already, under another name. */
static const char *owner_of(const struct flock *flock, const char *key, const char *name)
{
    struct owner_look look = {.flock = flock, .key = key, .name = name};
    if (key)
        herd_each(flock->herd, look_for_owner, &look);
    return look.owner;
}

/* A board that is plugged in as a stranger now keeps what was heard of it. */
static int put_entry(struct flock *flock, const json_t *entry, bool is_new)
{
    struct device device = {0};
    const char *key = field(entry, "device");
    bool plugged = is_new && key && device_by_key(flock, key, &device);
    int rc = plugged ? plugins_found_accept(flock->plugins, key, entry)
                     : plugins_miner_put(flock->plugins, entry, MINER_FROM_DB);
    device_clear(&device);
    return rc;
}

/* The user name at the pool has the worker behind its first dot. */
static void expect_row(const struct import *import, const json_t *row, struct miner *miner)
{
    struct flock *flock = import->flock;
    const char *user = field(row, "wallet_address");
    char *said = user && user[0] ? shep_strndup(user, strcspn(user, ".")) : NULL;
    const char *address = said && import->had_addresses ? newcomer_address(flock, said) : said;
    expect_as_said(flock, miner, field(row, "pool_url"), address, "imported");
    free(said);
}

static void import_entry(struct import *import, const json_t *row, const json_t *entry,
                         const json_t *old)
{
    struct flock *flock = import->flock;
    const char *name = field(entry, "id");
    if (json_equal(old, entry)) {
        count(import, "miners", "same");
        return;
    }
    if (put_entry(flock, entry, !old) != 0) {
        note(import, "miner %s: left out, its source is not there or its device is taken", name);
        count(import, "miners", "left_out");
        return;
    }
    struct miner *miner = herd_miner_by_name(flock->herd, name);
    if (miner)
        expect_row(import, row, miner);
    count(import, "miners", old ? "updated" : "added");
}

static void import_miner(struct import *import, const json_t *row)
{
    struct flock *flock = import->flock;
    const char *old_name = field(row, "miner_id");
    char *name = name_dup(old_name ? old_name : ""), why[FLOCK_WHY_MAX];
    struct miner *miner = name ? herd_miner_by_name(flock->herd, name) : NULL;
    const json_t *old = miner ? plugins_miner_entry(flock->plugins, name) : NULL;
    json_t *fields = name ? fields_of(row, name) : NULL, *entry = NULL;
    const char *owner = name ? owner_of(flock, field(fields, "device"), name) : NULL;
    if (!name) {
        note(import, "a miner without a name: left out");
        count(import, "miners", "left_out");
    } else if (miner && miner_origin(miner) != MINER_FROM_DB) {
        note(import, "miner %s: %s, left as it is", name,
             miner_origin(miner) == MINER_FROM_FILE ? "stands in the configuration file"
                                                    : "is a found device");
        count(import, "miners", "same");
    } else if (owner) {
        note(import, "miner %s: its device is '%s' already; left out", name, owner);
        count(import, "miners", "left_out");
    } else if (entry_from_fields(flock, old, fields, &entry, why) != 0 ||
               entry_is_allowed(flock, old, entry, import->by_admin, why) != 0) {
        note(import, "miner %s: left out: %s", name, why);
        count(import, "miners", "left_out");
    } else {
        if (strcmp(name, old_name) != 0)
            note(import, "miner '%.64s' is called %s here", old_name, name);
        import_entry(import, row, entry, old);
    }
    json_decref(entry);
    json_decref(fields);
    free(name);
}

/* ---- pools, addresses ---- */

static const json_t *row_by_text(const json_t *rows, const char *column, const char *text)
{
    size_t i;
    json_t *row;
    json_array_foreach((json_t *)rows, i, row)
    {
        if (str_eq(field(row, column), text))
            return row;
    }
    return NULL;
}

static bool truth(const json_t *value)
{
    const char *text = json_string_value(value);
    return json_integer_value(value) != 0 || (text && strcmp(text, "1") == 0);
}

static void import_pool(struct import *import, const json_t *row)
{
    struct flock *flock = import->flock;
    char why[FLOCK_WHY_MAX];
    const char *name = field(row, "pool_name");
    const json_t *old = row_by_text(flock->pools, "pool_name", name ? name : "");
    json_t *fields = json_copy((json_t *)row), *before = json_deep_copy(flock->pools);
    int64_t id = old ? row_id(old) : 0;
    json_object_del(fields, "id");
    if (flock_pool_put(flock, id, fields, &id, why) != 0) {
        note(import, "pool %.64s: left out: %s", name ? name : "?", why);
        count(import, "pools", "left_out");
    } else {
        bool active = truth(json_object_get(row, "is_active"));
        if (active && flock_pool_activate(flock, id, why) != 0)
            note(import, "pool %.64s: %s", name, why);
        bool same = json_equal(before, flock->pools);
        count(import, "pools", !old ? "added" : same ? "same" : "updated");
    }
    json_decref(fields);
    json_decref(before);
}

static const json_t *address_of(const struct flock *flock, const char *address)
{
    size_t i;
    json_t *row;
    json_array_foreach(flock->addresses, i, row)
    {
        if (coin_address_same(field(row, "address"), address))
            return row;
    }
    return NULL;
}

static void import_address(struct import *import, const json_t *row)
{
    struct flock *flock = import->flock;
    char why[FLOCK_WHY_MAX];
    const char *address = field(row, "address");
    const json_t *old = address_of(flock, address ? address : "");
    json_t *fields = json_copy((json_t *)row), *before = json_deep_copy(old);
    int64_t id = old ? row_id(old) : 0;
    json_object_del(fields, "id");
    if (json_is_null(json_object_get(fields, "label")))
        json_object_del(fields, "label");
    if (flock_address_put(flock, id, fields, &id, why) != 0) {
        note(import, "address %.90s: left out: %s", address ? address : "?", why);
        count(import, "addresses", "left_out");
    } else {
        bool same = json_equal(before, row_by_id(flock->addresses, id));
        count(import, "addresses", !before ? "added" : same ? "same" : "updated");
    }
    json_decref(fields);
    json_decref(before);
}

/* ---- strays: boards that were seen and belong to nobody yet ---- */

static void import_stray(struct import *import, const json_t *row)
{
    char key[ID_KEY_MAX];
    const char *serial = field(row, "serial_number"), *vendor = field(row, "vendor_id"),
               *product = field(row, "product_id");
    if (!device_key(row, serial, vendor, product, key)) {
        note(import, "an unconfigured device without port, serial number or MAC: left out");
        count(import, "strays", "left_out");
        return;
    }
    struct shep_found found = {.size = sizeof found,
                               .key = key,
                               .path = field(row, "dev_path"),
                               .port_path = field(row, "port_path"),
                               .serial = serial,
                               .vendor_id = vendor,
                               .product_id = product,
                               .mac = field(row, "mac_address")};
    bool is_new = !owner_of(import->flock, key, "") &&
                  plugins_device_remember(import->flock->plugins, &found);
    count(import, "strays", is_new ? "added" : "same");
}

/* ---- summary: the best share of a miner's life ---- */

/* "YYYY-MM-DD HH:MM:SS" or with a T, as SQLite and Python write it; 0: not known. */
static int64_t time_ms(const char *text)
{
    struct tm tm = {0};
    if (!text || sscanf(text, "%4d-%2d-%2d%*1[ T]%2d:%2d:%2d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
                        &tm.tm_hour, &tm.tm_min, &tm.tm_sec) != 6)
        return 0;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    time_t seconds = timegm(&tm);
    return seconds > 0 ? (int64_t)seconds * 1000 : 0;
}

static double number_of(const json_t *value)
{
    double number = json_number_value(value);
    const char *text = json_string_value(value);
    if (text && !unit_parse_scaled(text, strlen(text), &number))
        return 0;
    return number;
}

/* Its summaries name the miner by row id or by name, as the schema of the time had it. */
static struct miner *miner_of(const struct import *import, const json_t *summary)
{
    const json_t *wanted = json_object_get(summary, "miner_id"),
                 *miners = json_object_get(import->plan, "miners");
    size_t i;
    json_t *row;
    json_array_foreach((json_t *)miners, i, row)
    {
        if (!json_equal(json_object_get(row, "id"), wanted) &&
            !json_equal(json_object_get(row, "miner_id"), wanted))
            continue;
        char *name = name_dup(field(row, "miner_id") ? field(row, "miner_id") : "");
        struct miner *miner = name ? herd_miner_by_name(import->flock->herd, name) : NULL;
        free(name);
        return miner;
    }
    return NULL;
}

static void import_summary(struct import *import, const json_t *row)
{
    struct miner *miner = miner_of(import, row);
    double best = number_of(json_object_get(row, "Best difficulty"));
    int64_t at_ms = time_ms(field(row, "last_updated")), known_at_ms;
    if (!miner) {
        count(import, "summary", "left_out");
        return;
    }
    double known = miner_best_ever(miner, &known_at_ms);
    if (best <= 0 || (known_at_ms && known >= best)) {
        count(import, "summary", "same");
        return;
    }
    at_ms = at_ms ? at_ms : clock_wall_ms();
    herd_restore_best(miner, best, at_ms);
    struct shep_summary summary = {.size = sizeof summary,
                                   .miner_id = miner_id(miner),
                                   .at_ms = at_ms,
                                   .hashrate_1h = NAN,
                                   .hashrate_24h = NAN,
                                   .hashes_total = NAN,
                                   .shares_total = NAN,
                                   .best_difficulty_ever = best,
                                   .online_share_24h = NAN};
    store_summary_put(import->flock->store, &summary);
    store_latest_put(import->flock->store, miner_id(miner), NULL, 0, best, at_ms);
    count(import, "summary", "added");
}

/* ---- all ---- */

static void each(struct import *import, const char *list,
                 void (*fn)(struct import *import, const json_t *row))
{
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(import->plan, list), i, row)
    {
        if (json_is_object(row))
            fn(import, row);
    }
}

json_t *flock_import(struct flock *flock, const json_t *plan, bool by_admin)
{
    static const char *const kinds[] = {"miners", "pools", "addresses", "strays", "summary"};
    struct import import = {.flock = flock,
                            .plan = plan,
                            .by_admin = by_admin,
                            .had_addresses = addresses_are_known(flock),
                            .counts = json_object()};
    const json_t *notes = json_object_get(plan, "notes");
    import.notes = json_is_array(notes) ? json_deep_copy(notes) : json_array();
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        json_object_set_new(
            import.counts, kinds[i],
            json_pack("{s:i, s:i, s:i, s:i}", "added", 0, "updated", 0, "same", 0, "left_out", 0));
    each(&import, "miners", import_miner);
    each(&import, "pools", import_pool);
    each(&import, "addresses", import_address);
    each(&import, "strays", import_stray);
    each(&import, "summary", import_summary);
    json_object_set_new(import.counts, "notes", import.notes);
    payout_publish(flock);
    flock_touch(flock);
    return import.counts;
}
