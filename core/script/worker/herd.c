/* shepherd.herd() and shepherd.miner(): Lua tables from the daemon's snapshot (herd/snapshot.h).
 *
 * Names of metrics are put on the stack once and pushed from there: 1,000 miners with 35 values
 * each have to take less than 5 ms. The times of the values (m.at) are made when somebody asks. */
#include "script/worker/worker.h"

#include <math.h>

static const char herd_key,
    miner_meta_key; /* registry: the herd of this render; __index of miners */

struct snapshot {
    const char *bytes;
    size_t len;
    const struct snap_head *head;
};

static void check_snapshot(lua_State *L, const struct snapshot *s)
{
    const struct snap_head *head = s->head;
    bool fits = s->len >= sizeof *head && head->magic == SNAPSHOT_MAGIC &&
                head->total_bytes == s->len && head->n_metrics < 4096 && head->n_attrs < 4096;
    if (fits) {
        uint64_t each = sizeof(struct snap_miner) + head->n_metrics * sizeof(struct snap_cell) +
                        head->n_attrs * sizeof(struct snap_text);
        fits = head->miner_stride >= each && head->miner_stride % 8 == 0 &&
               head->metrics_off % 4 == 0 && head->attrs_off % 4 == 0 &&
               sizeof *head + (uint64_t)head->n_miners * head->miner_stride <= s->len &&
               head->metrics_off + head->n_metrics * sizeof(struct snap_column) <= s->len &&
               head->attrs_off + head->n_attrs * sizeof(struct snap_column) <= s->len;
    }
    if (!fits)
        luaL_error(L, "the daemon's snapshot has another layout; are both programs of one build?");
}

static struct snapshot snapshot_of(lua_State *L)
{
    struct snapshot s;
    s.bytes = data_topic(L, TOPIC_HERD, &s.len);
    s.head = (const struct snap_head *)(const void *)s.bytes;
    check_snapshot(L, &s);
    return s;
}

static const struct snap_miner *miner_at(const struct snapshot *s, uint32_t i)
{
    const char *at = s->bytes + sizeof *s->head + (size_t)i * s->head->miner_stride;
    return (const struct snap_miner *)(const void *)at;
}

static const struct snap_cell *cells_of(const struct snap_miner *miner)
{
    return (const struct snap_cell *)(const void *)(miner + 1);
}

static const struct snap_text *texts_of(const struct snapshot *s, const struct snap_miner *miner)
{
    return (const struct snap_text *)(const void *)(cells_of(miner) + s->head->n_metrics);
}

static const struct snap_column *columns(const struct snapshot *s, uint32_t off)
{
    return (const struct snap_column *)(const void *)(s->bytes + off);
}

static const char *text_at(const struct snapshot *s, uint32_t off)
{
    return off && off < s->len ? s->bytes + off : ""; /* the copy ends with a NUL */
}

/* Whole numbers are Lua integers: 55123, not 55123.0. */
static void push_number(lua_State *L, double value)
{
    if (value >= -9007199254740992.0 && value <= 9007199254740992.0 && value == floor(value))
        lua_pushinteger(L, (lua_Integer)value);
    else
        lua_pushnumber(L, value);
}

static void set_number(lua_State *L, const char *name, double value)
{
    if (isnan(value))
        return;
    push_number(L, value);
    lua_setfield(L, -2, name);
}

static void set_integer(lua_State *L, const char *name, uint64_t value)
{
    lua_pushinteger(L, (lua_Integer)value);
    lua_setfield(L, -2, name);
}

static void set_time(lua_State *L, const char *name, int64_t at_ms)
{
    if (at_ms > 0)
        set_integer(L, name, (uint64_t)at_ms);
}

static void set_text(lua_State *L, const struct snapshot *s, const char *name, uint32_t off)
{
    const char *text = text_at(s, off);
    if (*text == '\0')
        return;
    lua_pushstring(L, text);
    lua_setfield(L, -2, name);
}

static void set_flag(lua_State *L, const char *name, bool value)
{
    lua_pushboolean(L, value);
    lua_setfield(L, -2, name);
}

static const char *status_text(uint32_t status)
{
    static const char *const names[] = {"offline", "silent", "resetting", "idle", "online"};
    return status < ARRAY_LEN(names) ? names[status] : "offline";
}

/* Push the names of all columns; returns the index of the first. */
static int push_names(lua_State *L, const struct snapshot *s)
{
    int first = lua_gettop(L) + 1;
    const struct snap_head *head = s->head;
    luaL_checkstack(L, (int)(head->n_metrics + head->n_attrs) + 16, "columns");
    for (uint32_t i = 0; i < head->n_metrics; i++)
        lua_pushstring(L, text_at(s, columns(s, head->metrics_off)[i].name_off));
    for (uint32_t i = 0; i < head->n_attrs; i++)
        lua_pushstring(L, text_at(s, columns(s, head->attrs_off)[i].name_off));
    return first;
}

static void set_readings(lua_State *L, const struct snapshot *s, const struct snap_miner *miner,
                         int names)
{
    const struct snap_head *head = s->head;
    const struct snap_cell *cells = cells_of(miner);
    const struct snap_text *texts = texts_of(s, miner);
    for (uint32_t i = 0; i < head->n_metrics; i++) {
        if (cells[i].at_ms == 0)
            continue;
        lua_pushvalue(L, names + (int)i);
        push_number(L, cells[i].value);
        lua_rawset(L, -3);
    }
    for (uint32_t i = 0; i < head->n_attrs; i++) {
        if (texts[i].at_ms == 0 || (uint64_t)texts[i].off + texts[i].len > s->len)
            continue;
        lua_pushvalue(L, names + (int)(head->n_metrics + i));
        lua_pushlstring(L, s->bytes + texts[i].off, texts[i].len);
        lua_rawset(L, -3);
    }
}

/* "a,b" → { "a", "b" }; never nil, so that views may walk it. */
static void set_tags(lua_State *L, const char *tags)
{
    lua_newtable(L);
    for (lua_Integer n = 1; *tags; n++) {
        size_t len = strcspn(tags, ",");
        lua_pushlstring(L, tags, len);
        lua_rawseti(L, -2, n);
        tags += len + (tags[len] == ',');
    }
    lua_setfield(L, -2, "tags");
}

static void push_miner(lua_State *L, const struct snapshot *s, const struct snap_miner *miner,
                       int names)
{
    lua_createtable(L, 0, 24 + (int)(s->head->n_metrics / 2 + s->head->n_attrs / 2));
    set_readings(L, s, miner, names);
    set_integer(L, "id", (uint64_t)miner->id);
    set_text(L, s, "name", miner->name_off);
    set_text(L, s, "location", miner->location_off);
    set_text(L, s, "group", miner->group_off);
    set_tags(L, text_at(s, miner->tags_off));
    set_text(L, s, "source", miner->source_off);
    set_text(L, s, "path", miner->path_off);
    set_text(L, s, "parser", miner->parser_off);
    set_text(L, s, "why", miner->why_off);
    lua_pushstring(L, status_text(miner->status));
    lua_setfield(L, -2, "status");
    set_time(L, "last_seen_ms", miner->last_seen_ms);
    set_time(L, "status_at_ms", miner->status_at_ms);
    set_integer(L, "lines", miner->lines);
    set_integer(L, "lines_dropped", miner->lines_dropped);
    set_integer(L, "lines_unparsed", miner->lines_unparsed);
    set_number(L, "hashrate_1h", miner->hashrate_1h);
    set_number(L, "hashrate_24h", miner->hashrate_24h);
    set_number(L, "hashes_ever", miner->hashes_ever);
    if (miner->best_difficulty_ever_at_ms > 0)
        set_number(L, "best_difficulty_ever", miner->best_difficulty_ever);
    set_time(L, "best_difficulty_ever_at_ms", miner->best_difficulty_ever_at_ms);
    set_flag(L, "demo", miner->flags & SNAP_DEMO);
    set_flag(L, "from_file", miner->flags & SNAP_FROM_FILE);
    set_flag(L, "found", miner->flags & SNAP_FOUND);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &miner_meta_key);
    lua_setmetatable(L, -2);
}

static const struct snap_miner *find_miner(const struct snapshot *s, int64_t id, const char *name)
{
    static uint32_t last; /* pages ask for miners in order */
    for (uint32_t n = 0; n < s->head->n_miners; n++) {
        uint32_t i = (last + n) % s->head->n_miners;
        const struct snap_miner *miner = miner_at(s, i);
        if (name ? strcmp(text_at(s, miner->name_off), name) == 0 : miner->id == id) {
            last = i;
            return miner;
        }
    }
    return NULL;
}

/* m.at = { hashrate = at_ms, … }: when the miner said each of its values. */
static void push_times(lua_State *L, const struct snapshot *s, const struct snap_miner *miner)
{
    const struct snap_head *head = s->head;
    lua_newtable(L);
    for (uint32_t i = 0; miner && i < head->n_metrics; i++)
        set_time(L, text_at(s, columns(s, head->metrics_off)[i].name_off),
                 cells_of(miner)[i].at_ms);
    for (uint32_t i = 0; miner && i < head->n_attrs; i++)
        set_time(L, text_at(s, columns(s, head->attrs_off)[i].name_off),
                 texts_of(s, miner)[i].at_ms);
}

static int miner_index(lua_State *L)
{
    const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
    if (strcmp(key, "at") != 0)
        return 0;
    struct snapshot s = snapshot_of(L);
    lua_pushliteral(L, "id");
    lua_rawget(L, 1);
    push_times(L, &s, find_miner(&s, lua_tointeger(L, -1), NULL));
    lua_pushliteral(L, "at");
    lua_pushvalue(L, -2);
    lua_rawset(L, 1);
    return 1;
}

static void make_miner_meta(lua_State *L)
{
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &miner_meta_key) == LUA_TNIL) {
        lua_createtable(L, 0, 2);
        lua_pushcfunction(L, miner_index);
        lua_setfield(L, -2, "__index");
        lua_pushboolean(L, 0);
        lua_setfield(L, -2, "__metatable");
        lua_rawsetp(L, LUA_REGISTRYINDEX, &miner_meta_key);
    }
    lua_pop(L, 1);
}

static void push_totals(lua_State *L, const struct snap_head *head)
{
    lua_createtable(L, 0, 12);
    set_integer(L, "total_miners", head->total_miners);
    set_integer(L, "online_miners", head->online_miners);
    set_integer(L, "reporting_miners", head->reporting_miners);
    set_number(L, "hashrate", head->total_hashrate);
    set_number(L, "shares", head->total_shares);
    set_number(L, "accepted", head->total_accepted);
    set_number(L, "rejected", head->total_rejected);
    set_number(L, "block_templates", head->total_block_templates);
    set_number(L, "best_difficulty", head->best_difficulty);
    set_number(L, "best_difficulty_ever", head->best_difficulty_ever);
}

/* shepherd.herd() → { seq, made_at_ms, demo, silent_after_s, totals = {…}, miners = {…} }
 * The same table each time within one page. Absent values are nil. */
int herd_push(lua_State *L)
{
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &herd_key) == LUA_TTABLE)
        return 1;
    struct snapshot s = snapshot_of(L);
    make_miner_meta(L);
    lua_createtable(L, 0, 6);
    set_integer(L, "seq", s.head->seq);
    set_integer(L, "made_at_ms", (uint64_t)s.head->made_at_ms);
    set_integer(L, "silent_after_s", s.head->silent_after_s);
    set_flag(L, "demo", s.head->demo != 0);
    push_totals(L, s.head);
    lua_setfield(L, -2, "totals");
    int herd = lua_gettop(L);
    int names = push_names(L, &s);
    lua_createtable(L, (int)s.head->n_miners, 0);
    for (uint32_t i = 0; i < s.head->n_miners; i++) {
        push_miner(L, &s, miner_at(&s, i), names);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, herd, "miners");
    lua_settop(L, herd);
    lua_pushvalue(L, herd);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &herd_key);
    return 1;
}

/* shepherd.miner(7) or shepherd.miner("BARN-01") → the miner, or nil. A text of digits that is no
 * name is an id, as it stands in /details/miner/7. */
int herd_push_miner(lua_State *L)
{
    const struct snap_miner *miner = NULL;
    luaL_argcheck(L, lua_isnumber(L, 1) || lua_isstring(L, 1), 1, "the id or name of a miner");
    struct snapshot s = snapshot_of(L);
    if (lua_type(L, 1) == LUA_TSTRING)
        miner = find_miner(&s, 0, lua_tostring(L, 1));
    if (!miner && lua_isinteger(L, 1))
        miner = find_miner(&s, lua_tointeger(L, 1), NULL);
    if (!miner && lua_type(L, 1) == LUA_TSTRING) {
        int64_t id;
        if (str_to_i64(lua_tostring(L, 1), &id))
            miner = find_miner(&s, id, NULL);
    }
    if (!miner)
        return 0;
    make_miner_meta(L);
    push_miner(L, &s, miner, push_names(L, &s));
    return 1;
}
