/* shepherd.herd() and shepherd.miner(): Lua tables from the daemon's snapshot (herd/snapshot.h). */
#include "script/worker/snapshot.h"

#include <math.h>

static const char herd_key; /* in the registry: the herd of this render */

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

struct snapshot snapshot_of(lua_State *L)
{
    static const struct snap_head nothing = {.magic = SNAPSHOT_MAGIC,
                                             .total_bytes = sizeof nothing,
                                             .miner_stride = sizeof(struct snap_miner)};
    struct snapshot s = {(const char *)&nothing, sizeof nothing, &nothing};
    if (render_of(L)->sight == SIGHT_NOTHING)
        return s;
    s.bytes = data_topic(L, TOPIC_HERD, &s.len);
    s.head = (const struct snap_head *)(const void *)s.bytes;
    check_snapshot(L, &s);
    return s;
}

void push_number(lua_State *L, double value)
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

static void set_flag(lua_State *L, const char *name, bool value)
{
    lua_pushboolean(L, value);
    lua_setfield(L, -2, name);
}

/* false: there is none. */
static bool find_miner(const struct snapshot *s, int64_t id, const char *name, uint32_t *row)
{
    static uint32_t last; /* pages ask for miners in order */
    for (uint32_t n = 0; n < s->head->n_miners; n++) {
        uint32_t i = (last + n) % s->head->n_miners;
        const struct snap_miner *miner = snapshot_miner(s, i);
        if (name ? strcmp(snapshot_text(s, miner->name_off), name) == 0 : miner->id == id) {
            *row = last = i;
            return true;
        }
    }
    return false;
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
    lua_createtable(L, 0, 6);
    set_integer(L, "seq", s.head->seq);
    set_integer(L, "made_at_ms", (uint64_t)s.head->made_at_ms);
    set_integer(L, "silent_after_s", s.head->silent_after_s);
    set_flag(L, "demo", s.head->demo != 0);
    push_totals(L, s.head);
    lua_setfield(L, -2, "totals");
    int herd = lua_gettop(L);
    lua_createtable(L, (int)s.head->n_miners, 0);
    for (uint32_t i = 0; i < s.head->n_miners; i++) {
        miner_push(L, i);
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
    uint32_t row;
    int64_t id;
    luaL_argcheck(L, lua_isnumber(L, 1) || lua_isstring(L, 1), 1, "the id or name of a miner");
    struct snapshot s = snapshot_of(L);
    const char *name = lua_type(L, 1) == LUA_TSTRING ? lua_tostring(L, 1) : NULL;
    bool found = name && find_miner(&s, 0, name, &row);
    if (!found && lua_isinteger(L, 1))
        found = find_miner(&s, lua_tointeger(L, 1), NULL, &row);
    if (!found && name && str_to_i64(name, &id))
        found = find_miner(&s, id, NULL, &row);
    if (!found)
        return 0;
    miner_push(L, row);
    return 1;
}
