/* The rules that tell boards apart. Pure; the table stands in README.md, "Identity". */
#include "plugin/identity.h"

#include <ctype.h>
#include <jansson.h>

enum {
    SERIAL_SHORTEST = 4, /* shorter ones are counters of a factory, or nothing */
    SERIAL_IN_KEY = 64   /* the longest honest one has 32 hex digits; more is told by its hash */
};

/* ---- texts ---- */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool id_mac(const char *text, char out[static ID_MAC_MAX])
{
    size_t n = 0;
    unsigned first = 0, any = 0, all = 15;
    for (; text && *text; text++) {
        int digit = hex_value(*text);
        if (digit < 0 && (*text == ':' || *text == '-') && n % 2 == 0 && n > 0 && n < 12)
            continue;
        if (digit < 0 || n == 12)
            return false;
        first = n < 2 ? first * 16 + (unsigned)digit : first;
        any |= (unsigned)digit;
        all &= (unsigned)digit;
        out[n++] = "0123456789abcdef"[digit];
    }
    out[n == 12 ? 12 : 0] = '\0';
    return n == 12 && any != 0 && all != 15 && !(first & 1);
}

/* 0000…, 123456…: what vendors leave in every unit. CP2102 leaves the factory with "0001". */
bool id_serial_trusted(const char *serial)
{
    static const char counting[] = "0123456789";
    size_t len = serial ? strlen(serial) : 0;
    if (len < SERIAL_SHORTEST || strspn(serial, " ") == len)
        return false;
    if (strspn(serial, "0") >= len - 1) /* "0001", "00000000" */
        return false;
    if (strspn(serial, (char[]){serial[0], '\0'}) == len)
        return false;
    return !strstr(counting, serial) && !strstr("1234567890", serial) &&
           strcasecmp(serial, "0123456789abcdef") != 0 &&
           strcasecmp(serial, "123456789abcdef") != 0;
}

static bool is_utf8(const char *text)
{
    json_t *string = json_string(text);
    bool yes = string != NULL;
    json_decref(string);
    return yes;
}

char *id_clean_dup(const char *text, size_t max)
{
    if (!text)
        return NULL;
    size_t len = strnlen(text, max);
    char *out = shep_alloc(len + 1);
    str_copy(out, len + 1, text, len);
    bool plain = is_utf8(out);
    for (char *c = out; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f || (!plain && (unsigned char)*c >= 0x80))
            *c = '?';
    return out;
}

static bool is_plain(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
           c == '_' || c == '-';
}

void id_name(const char *place, char out[static ID_NAME_MAX])
{
    size_t n = str_copy(out, ID_NAME_MAX, place, strlen(place));
    if (n == 0)
        n = str_copy(out, ID_NAME_MAX, "device", 6);
    for (size_t i = 0; i < n; i++)
        if (!is_plain(out[i]))
            out[i] = '-';
}

bool id_hub(const char *port_path, char *out, size_t cap)
{
    const char *dash = port_path ? strchr(port_path, '-') : NULL;
    const char *dot = port_path ? strrchr(port_path, '.') : NULL;
    if (!dash || dash == port_path || strspn(port_path, "0123456789-.#") != strlen(port_path))
        return false;
    if (dot)
        str_copy(out, cap, port_path, (size_t)(dot - port_path));
    else
        snprintf(out, cap, "usb%.*s", (int)(dash - port_path), port_path);
    return true;
}

/* ---- keys ---- */

/* The text as part of a key. One that has other characters than plain ones, or is too long, ends
 * with a hash of the whole, so that "a/b" and "a_b" stay two. */
static void key_part(char *out, size_t cap, const char *text, size_t max)
{
    uint64_t hash = 0xcbf29ce484222325u;
    bool honest = strlen(text) <= max;
    size_t n = 0;
    for (const char *c = text; *c; c++) {
        hash = (hash ^ (unsigned char)*c) * 0x100000001b3u; /* FNV-1a */
        honest = honest && (is_plain(*c) || *c == '#');
        if (n < max - 17 || (honest && n < max))
            out[n++] = is_plain(*c) || *c == '#' ? *c : '_';
    }
    out[n] = '\0';
    if (honest)
        return;
    n = n > max - 17 ? max - 17 : n;
    snprintf(out + n, cap - n, "~%016llx", (unsigned long long)hash);
}

static bool is_hex4(const char *text)
{
    return text && strlen(text) == 4 && hex_value(text[0]) >= 0 && hex_value(text[1]) >= 0 &&
           hex_value(text[2]) >= 0 && hex_value(text[3]) >= 0;
}

void id_facts_make(struct id_facts *out, const char *mac, const char *vid, const char *pid,
                   const char *serial, const char *place, unsigned unit)
{
    char part[SERIAL_IN_KEY + 1], place_part[ID_PLACE_MAX - 16], suffix[16] = "";
    *out = (struct id_facts){0};
    if (unit > 0)
        snprintf(suffix, sizeof suffix, "#%u", unit);
    if (!id_mac(mac, out->mac))
        out->mac[0] = '\0';
    key_part(place_part, sizeof place_part, place, sizeof place_part - 1);
    snprintf(out->place, sizeof out->place, "%s%s", place_part, suffix);
    if (!is_hex4(vid) || !is_hex4(pid))
        return; /* not USB */
    memcpy(out->vid, vid, 5);
    memcpy(out->pid, pid, 5);
    if (!id_serial_trusted(serial))
        return;
    key_part(part, sizeof part, serial, SERIAL_IN_KEY);
    snprintf(out->serial_key, sizeof out->serial_key, "usb:%s:%s:%s%s", out->vid, out->pid, part,
             suffix);
}

void id_key_mac(char out[static ID_KEY_MAX], const char *mac)
{
    snprintf(out, ID_KEY_MAX, "mac:%.12s", mac);
}

void id_key_place(char out[static ID_KEY_MAX], const struct id_facts *facts)
{
    snprintf(out, ID_KEY_MAX, "port:%s", facts->place);
}

void id_key_shared(char out[static ID_KEY_MAX], const struct id_facts *facts)
{
    snprintf(out, ID_KEY_MAX, "%.*s@%s", ID_KEY_MAX - ID_PLACE_MAX - 2, facts->serial_key,
             facts->place);
}

/* ---- whose it is ---- */

static const struct known *find(const struct id_world *world, const char *key)
{
    for (size_t i = 0; i < world->n_known; i++)
        if (strcmp(world->known[i]->key, key) == 0)
            return world->known[i];
    return NULL;
}

static enum id_presence presence(const struct id_world *world, const struct known *row,
                                 bool *stranger)
{
    *stranger = false;
    return row && row->miner_id ? world->presence(row->miner_id, stranger, world->arg)
                                : ID_NO_MINER;
}

static bool has_miner(const struct id_world *world, const struct known *row)
{
    bool stranger;
    return presence(world, row, &stranger) != ID_NO_MINER;
}

/* A miner that people know, and that is missing. */
static bool is_missed(const struct id_world *world, const struct known *row)
{
    bool stranger;
    return presence(world, row, &stranger) == ID_ABSENT && !stranger;
}

/* A key that a person wrote down says nothing of the kind. */
static bool same_kind(const struct id_facts *facts, const struct known *row)
{
    if (!row->vid || !row->pid)
        return true;
    return strcmp(row->vid, facts->vid) == 0 && strcmp(row->pid, facts->pid) == 0;
}

static bool belongs(const struct id_world *world, const struct known *row, enum id_by by,
                    struct id_verdict *out)
{
    bool stranger;
    enum id_presence where = presence(world, row, &stranger);
    if (where == ID_NO_MINER || (by == ID_BY_PLACE && where == ID_PROVEN))
        return false; /* who is proven to be elsewhere is not here */
    out->by = by;
    out->miner_id = row->miner_id;
    return true;
}

/* Absent miners of its kind: those with that serial number, or those told by their place. */
static void ask_moved(const struct id_facts *facts, const struct id_world *world,
                      const char *prefix, struct id_verdict *out)
{
    size_t len = strlen(prefix);
    for (size_t i = 0; i < world->n_known; i++) {
        const struct known *row = world->known[i];
        if (strncmp(row->key, prefix, len) != 0 || !same_kind(facts, row) || !is_missed(world, row))
            continue;
        if (prefix[len - 1] != ':' && row->key[len] && row->key[len] != '@')
            continue; /* a longer serial number */
        out->n_maybe++;
        if (!out->maybe || row->seen_ms > out->maybe->seen_ms)
            out->maybe = row;
    }
    out->doubt = out->maybe ? ID_MOVED : ID_NO_DOUBT;
}

static void ask_other_kind(const struct id_facts *facts, const struct id_world *world,
                           struct id_verdict *out)
{
    for (size_t i = 0; i < world->n_known && !out->maybe; i++) {
        const struct known *row = world->known[i];
        if (str_eq(row->port_path, facts->place) && !same_kind(facts, row) && facts->vid[0] &&
            is_missed(world, row))
            out->maybe = row;
    }
    out->n_maybe = out->maybe != NULL;
    out->doubt = out->maybe ? ID_OTHER_KIND : ID_NO_DOUBT;
}

static bool decide_place(const struct id_facts *facts, const struct id_world *world,
                         struct id_verdict *out)
{
    id_key_place(out->key, facts);
    const struct known *row = find(world, out->key);
    if (row && !same_kind(facts, row) && has_miner(world, row)) {
        char key[ID_KEY_MAX]; /* the place is a miner's of another kind, and stays its */
        snprintf(key, sizeof key, "port:%s+%s:%s", facts->place, facts->vid, facts->pid);
        memcpy(out->key, key, sizeof key);
        row = find(world, key);
    }
    if (belongs(world, row, ID_BY_PLACE, out))
        return true;
    ask_other_kind(facts, world, out);
    bool seen_here =
        row && same_kind(facts, row); /* a stranger that was here before is no riddle */
    if (!out->doubt && facts->vid[0] && !seen_here)
        ask_moved(facts, world, "port:", out);
    return false;
}

static bool decide_serial(const struct id_facts *facts, const struct id_world *world,
                          struct id_verdict *out)
{
    if (!facts->shared) {
        memcpy(out->key, facts->serial_key, sizeof out->key);
        if (belongs(world, find(world, out->key), ID_BY_SERIAL, out))
            return true;
    } else {
        id_key_shared(out->key, facts);
        if (belongs(world, find(world, out->key), ID_BY_PLACE, out))
            return true;
        ask_moved(facts, world, facts->serial_key, out);
    }
    if (!out->doubt)
        ask_other_kind(facts, world, out);
    return false;
}

void id_decide(const struct id_facts *facts, const struct id_world *world, struct id_verdict *out)
{
    char key[ID_KEY_MAX];
    *out = (struct id_verdict){0};
    id_key_mac(key, facts->mac);
    if (facts->mac[0] && belongs(world, find(world, key), ID_BY_MAC, out)) {
        memcpy(out->key, key, sizeof key);
        return;
    }
    if (facts->serial_key[0])
        decide_serial(facts, world, out);
    else if (!facts->mac[0])
        decide_place(facts, world, out);
    else
        ask_other_kind(facts, world, out);
    if (facts->mac[0])
        memcpy(out->key, key, sizeof key);
}
