/* Miners as Lua tables that fill themselves: a value comes out of the snapshot when somebody reads
 * it and stays in the table. A page of 1,000 miners that sorts by one field reads one of each; to
 * make all of their 50 fields took longer than the page.
 *
 * What was in the table once (`seen`) is not brought back: a view that sets a field to nil finds
 * nil. pairs() and JSON bring everything first; rawget() and next() see what was read so far. */
#include "script/worker/snapshot.h"

#include <math.h>

static const char lazy_key, miner_meta_key, times_meta_key; /* in the registry */

enum kind {
    KIND_COUNT,
    KIND_NUMBER,
    KIND_BEST,
    KIND_TIME,
    KIND_TEXT,
    KIND_TAGS,
    KIND_STATUS,
    KIND_FLAG
};
static const struct field {
    const char *name;
    enum kind kind;
    size_t at; /* in struct snap_miner; the bit of a flag */
} fields[] = {
    {"id", KIND_COUNT, offsetof(struct snap_miner, id)},
    {"name", KIND_TEXT, offsetof(struct snap_miner, name_off)},
    {"location", KIND_TEXT, offsetof(struct snap_miner, location_off)},
    {"group", KIND_TEXT, offsetof(struct snap_miner, group_off)},
    {"tags", KIND_TAGS, offsetof(struct snap_miner, tags_off)},
    {"source", KIND_TEXT, offsetof(struct snap_miner, source_off)},
    {"path", KIND_TEXT, offsetof(struct snap_miner, path_off)},
    {"parser", KIND_TEXT, offsetof(struct snap_miner, parser_off)},
    {"why", KIND_TEXT, offsetof(struct snap_miner, why_off)},
    {"status", KIND_STATUS, offsetof(struct snap_miner, status)},
    {"last_seen_ms", KIND_TIME, offsetof(struct snap_miner, last_seen_ms)},
    {"status_at_ms", KIND_TIME, offsetof(struct snap_miner, status_at_ms)},
    {"lines", KIND_COUNT, offsetof(struct snap_miner, lines)},
    {"lines_dropped", KIND_COUNT, offsetof(struct snap_miner, lines_dropped)},
    {"lines_unparsed", KIND_COUNT, offsetof(struct snap_miner, lines_unparsed)},
    {"hashrate_1h", KIND_NUMBER, offsetof(struct snap_miner, hashrate_1h)},
    {"hashrate_24h", KIND_NUMBER, offsetof(struct snap_miner, hashrate_24h)},
    {"hashes_ever", KIND_NUMBER, offsetof(struct snap_miner, hashes_ever)},
    {"best_difficulty_ever", KIND_BEST, offsetof(struct snap_miner, best_difficulty_ever)},
    {"best_difficulty_ever_at_ms", KIND_TIME,
     offsetof(struct snap_miner, best_difficulty_ever_at_ms)},
    {"demo", KIND_FLAG, SNAP_DEMO},
    {"from_file", KIND_FLAG, SNAP_FROM_FILE},
    {"found", KIND_FLAG, SNAP_FOUND},
};
enum { N_FIELDS = ARRAY_LEN(fields) };

/* A field by its number: those above, then the metrics, then the attributes; the last is `at`. */
struct lazy {
    struct snapshot s;
    uint32_t n_fields, row_bytes;
    unsigned char seen[]; /* of each miner: a bit a field, then the same for the table `at` */
};

/* Upvalues of the functions below: names → number of the field; table → its row; struct lazy. */
enum { UP_NAMES = 1, UP_ROWS, UP_LAZY, UP_TIMES, UP_NEXT = UP_TIMES };

/* ---- values ---- */

static const char *status_text(uint32_t status)
{
    static const char *const names[] = {"offline", "silent", "resetting", "idle", "online"};
    return status < ARRAY_LEN(names) ? names[status] : "offline";
}

static bool push_double(lua_State *L, double value)
{
    if (isnan(value))
        return false;
    push_number(L, value);
    return true;
}

static bool push_time(lua_State *L, int64_t at_ms)
{
    if (at_ms > 0)
        lua_pushinteger(L, at_ms);
    return at_ms > 0;
}

/* "a,b" → { "a", "b" }; never nil, so that views may walk it. */
static bool push_tags(lua_State *L, const char *tags)
{
    lua_newtable(L);
    for (lua_Integer n = 1; *tags; n++) {
        size_t len = strcspn(tags, ",");
        lua_pushlstring(L, tags, len);
        lua_rawseti(L, -2, n);
        tags += len + (tags[len] == ',');
    }
    return true;
}

/* Pushes the value; false: it is not known, and nothing is pushed. */
static bool push_field(lua_State *L, const struct snapshot *s, const struct snap_miner *miner,
                       const struct field *field)
{
    const void *at = (const char *)miner + field->at;
    const char *text;
    switch (field->kind) {
    case KIND_COUNT:
        lua_pushinteger(L, *(const int64_t *)at);
        return true;
    case KIND_NUMBER:
        return push_double(L, *(const double *)at);
    case KIND_BEST:
        return miner->best_difficulty_ever_at_ms > 0 && push_double(L, *(const double *)at);
    case KIND_TIME:
        return push_time(L, *(const int64_t *)at);
    case KIND_TEXT:
        text = snapshot_text(s, *(const uint32_t *)at);
        if (*text)
            role_push_text(L, NULL, text, strlen(text));
        return *text != '\0';
    case KIND_TAGS:
        return push_tags(L, snapshot_text(s, *(const uint32_t *)at));
    case KIND_STATUS:
        lua_pushstring(L, status_text(*(const uint32_t *)at));
        return true;
    case KIND_FLAG:
        lua_pushboolean(L, (miner->flags & (uint32_t)field->at) != 0);
        return true;
    }
    return false;
}

static bool push_value(lua_State *L, const struct snapshot *s, uint32_t row, uint32_t field)
{
    const struct snap_miner *miner = snapshot_miner(s, row);
    if (field < N_FIELDS)
        return push_field(L, s, miner, &fields[field]);
    field -= N_FIELDS;
    if (field < s->head->n_metrics) {
        const struct snap_cell *cell = &snapshot_cells(miner)[field];
        if (cell->at_ms != 0)
            push_number(L, cell->value);
        return cell->at_ms != 0;
    }
    const struct snap_text *text = &snapshot_texts(s, miner)[field - s->head->n_metrics];
    if (text->at_ms == 0 || (uint64_t)text->off + text->len > s->len)
        return false;
    const struct snap_column *attrs =
        (const struct snap_column *)(const void *)(s->bytes + s->head->attrs_off);
    const char *name = snapshot_text(s, attrs[field - s->head->n_metrics].name_off);
    role_push_text(L, name, s->bytes + text->off, text->len);
    return true;
}

/* When the miner said it. */
static bool push_value_time(lua_State *L, const struct snapshot *s, uint32_t row, uint32_t field)
{
    const struct snap_miner *miner = snapshot_miner(s, row);
    if (field < N_FIELDS)
        return false;
    field -= N_FIELDS;
    return push_time(L, field < s->head->n_metrics
                            ? snapshot_cells(miner)[field].at_ms
                            : snapshot_texts(s, miner)[field - s->head->n_metrics].at_ms);
}

/* ---- tables that fill themselves ---- */

static void push_table(lua_State *L, int rows, uint32_t row, const void *meta, int size)
{
    lua_createtable(L, 0, size);
    lua_rawgetp(L, LUA_REGISTRYINDEX, meta);
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    lua_pushinteger(L, row);
    lua_rawset(L, rows);
}

/* true: the first time. times: of the table `at`. */
static bool see(struct lazy *lazy, uint32_t row, uint32_t field, bool times)
{
    uint32_t bit = field + (times ? lazy->n_fields : 0);
    unsigned char *byte = &lazy->seen[(size_t)row * lazy->row_bytes + bit / 8];
    unsigned char mask = (unsigned char)(1u << bit % 8);
    bool first = !(*byte & mask);
    *byte |= mask;
    return first;
}

/* The field and row that an access means; false: no field of ours. */
static bool find_field(lua_State *L, uint32_t *row, uint32_t *field)
{
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(UP_NAMES)) != LUA_TNUMBER)
        return false;
    *field = (uint32_t)lua_tointeger(L, -1);
    lua_pushvalue(L, 1);
    if (lua_rawget(L, lua_upvalueindex(UP_ROWS)) != LUA_TNUMBER)
        return false;
    *row = (uint32_t)lua_tointeger(L, -1);
    return true;
}

static int l_index(lua_State *L)
{
    struct lazy *lazy = lua_touserdata(L, lua_upvalueindex(UP_LAZY));
    bool times = lua_toboolean(L, lua_upvalueindex(UP_TIMES));
    uint32_t row, field;
    if (!find_field(L, &row, &field) || !see(lazy, row, field, times))
        return 0;
    if (field == lazy->n_fields - 1) {
        if (times)
            return 0;
        push_table(L, lua_upvalueindex(UP_ROWS), row, &times_meta_key, 4);
    } else if (!(times ? push_value_time : push_value)(L, &lazy->s, row, field)) {
        return 0;
    }
    lua_pushvalue(L, 2);
    lua_pushvalue(L, -2);
    lua_rawset(L, 1);
    return 1;
}

/* What a view sets is what it reads from then on. */
static int l_newindex(lua_State *L)
{
    uint32_t row, field;
    if (find_field(L, &row, &field))
        see(lua_touserdata(L, lua_upvalueindex(UP_LAZY)), row, field,
            lua_toboolean(L, lua_upvalueindex(UP_TIMES)));
    lua_settop(L, 3);
    lua_rawset(L, 1);
    return 0;
}

static void fill(lua_State *L, int table, struct lazy *lazy, uint32_t row, bool times)
{
    const struct snap_head *head = lazy->s.head;
    const struct snap_column *metrics =
        (const struct snap_column *)(const void *)(lazy->s.bytes + head->metrics_off);
    const struct snap_column *attrs =
        (const struct snap_column *)(const void *)(lazy->s.bytes + head->attrs_off);
    luaL_checkstack(L, 4, "a miner");
    for (uint32_t i = 0; i + 1 < lazy->n_fields; i++) {
        if (!see(lazy, row, i, times) ||
            !(times ? push_value_time : push_value)(L, &lazy->s, row, i))
            continue;
        uint32_t column = i - N_FIELDS;
        if (i < N_FIELDS)
            lua_pushstring(L, fields[i].name);
        else
            lua_pushstring(L,
                           snapshot_text(&lazy->s, column < head->n_metrics
                                                       ? metrics[column].name_off
                                                       : attrs[column - head->n_metrics].name_off));
        lua_insert(L, -2);
        lua_rawset(L, table);
    }
}

static bool row_of(lua_State *L, int table, int rows, uint32_t *row)
{
    lua_pushvalue(L, table);
    bool found = lua_rawget(L, rows) == LUA_TNUMBER;
    *row = (uint32_t)lua_tointeger(L, -1);
    lua_pop(L, 1);
    return found;
}

void miner_fill(lua_State *L, int index)
{
    uint32_t row;
    bool times = has_meta(L, index, &times_meta_key);
    if (!times && !has_meta(L, index, &miner_meta_key))
        return;
    luaL_checkstack(L, 6, "a miner");
    lua_rawgetp(L, LUA_REGISTRYINDEX, &lazy_key); /* with what belongs to it */
    struct lazy *lazy = lua_touserdata(L, -1);
    lua_getiuservalue(L, -1, 1);
    if (row_of(L, index, lua_gettop(L), &row))
        fill(L, index, lazy, row, times);
    lua_pop(L, 2);
}

static int l_pairs(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    miner_fill(L, 1);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushvalue(L, 1);
    lua_pushnil(L);
    return 3;
}

/* ---- of one page ---- */

static void push_names(lua_State *L, const struct snapshot *s)
{
    const struct snap_head *head = s->head;
    lua_createtable(L, 0, (int)(N_FIELDS + head->n_metrics + head->n_attrs + 1));
    for (uint32_t kind = 0; kind < 2; kind++) {
        const struct snap_column *columns =
            (const struct snap_column *)(const void *)(s->bytes + (kind ? head->attrs_off
                                                                        : head->metrics_off));
        for (uint32_t i = 0; i < (kind ? head->n_attrs : head->n_metrics); i++) {
            lua_pushinteger(L, N_FIELDS + (kind ? head->n_metrics : 0) + i);
            lua_setfield(L, -2, snapshot_text(s, columns[i].name_off));
        }
    }
    for (uint32_t i = 0; i < N_FIELDS; i++) { /* these win */
        lua_pushinteger(L, i);
        lua_setfield(L, -2, fields[i].name);
    }
    lua_pushinteger(L, N_FIELDS + head->n_metrics + head->n_attrs);
    lua_setfield(L, -2, "at");
}

static void set_closure(lua_State *L, const char *name, lua_CFunction function, int names,
                        bool times)
{
    for (int i = 0; i < UP_LAZY; i++)
        lua_pushvalue(L, names + i);
    lua_pushboolean(L, times);
    lua_pushcclosure(L, function, UP_TIMES);
    lua_setfield(L, -2, name);
}

static void make_meta(lua_State *L, int names, const void *key)
{
    bool times = key == &times_meta_key;
    lua_createtable(L, 0, 4);
    set_closure(L, "__index", l_index, names, times);
    set_closure(L, "__newindex", l_newindex, names, times);
    lua_getglobal(L, "next");
    lua_pushcclosure(L, l_pairs, 1);
    lua_setfield(L, -2, "__pairs");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_rawsetp(L, LUA_REGISTRYINDEX, key);
}

/* The registry's struct lazy holds two tables: table → row, and row + 1 → miner. */
static void make_lazy(lua_State *L)
{
    struct snapshot s = snapshot_of(L);
    uint32_t n_fields = N_FIELDS + s.head->n_metrics + s.head->n_attrs + 1;
    uint32_t row_bytes = (2 * n_fields + 7) / 8;
    size_t seen = (size_t)s.head->n_miners * row_bytes;
    push_names(L, &s);
    int names = lua_gettop(L);
    lua_createtable(L, 0, (int)s.head->n_miners);
    struct lazy *lazy = lua_newuserdatauv(L, sizeof *lazy + seen, 2);
    *lazy = (struct lazy){s, n_fields, row_bytes};
    memset(lazy->seen, 0, seen);
    lua_pushvalue(L, names + 1);
    lua_setiuservalue(L, -2, 1);
    lua_createtable(L, (int)s.head->n_miners, 0);
    lua_setiuservalue(L, -2, 2);
    make_meta(L, names, &miner_meta_key);
    make_meta(L, names, &times_meta_key);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &lazy_key);
    lua_settop(L, names - 1);
}

void miner_push(lua_State *L, uint32_t row)
{
    enum { FIELDS_READ = 8 }; /* a page usually reads a few */
    luaL_checkstack(L, 10, "a miner");
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &lazy_key) == LUA_TNIL) {
        lua_pop(L, 1);
        make_lazy(L);
        lua_rawgetp(L, LUA_REGISTRYINDEX, &lazy_key);
    }
    lua_getiuservalue(L, -1, 2);
    if (lua_rawgeti(L, -1, (lua_Integer)row + 1) == LUA_TNIL) {
        lua_pop(L, 1);
        lua_getiuservalue(L, -2, 1);
        push_table(L, lua_gettop(L), row, &miner_meta_key, FIELDS_READ);
        lua_remove(L, -2);
        lua_pushvalue(L, -1);
        lua_rawseti(L, -3, (lua_Integer)row + 1);
    }
    lua_replace(L, -3);
    lua_pop(L, 1);
}
