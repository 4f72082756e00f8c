/* What views read from the database: their own SQL, lines, events, history.
 *
 * Rows are collected in C memory first and pushed to Lua when the statement is finished: a Lua
 * error (no memory) must not jump over it, and a script that hangs must not hold the database's
 * log. */
#include "script/worker/worker.h"

#include "util/clock.h"

enum {
    QUERY_PARAMS_MAX = 32,
    QUERY_COLUMNS_MAX = 64,
    LOGS_DEFAULT = 100,      /* rows of shepherd.logs and shepherd.events */
    QUERY_END_EARLY_MS = 300 /* a query ends before the page's own deadline */
};

struct cell {
    int type;
    uint32_t len; /* of a text */
    union {
        int64_t i;
        double r;
        size_t off; /* of a text, in texts */
    } value;
};

struct query_result {
    struct buf cells, texts;
    char *names[QUERY_COLUMNS_MAX];
    size_t n_columns, n_rows;
    bool too_large;
};

static void result_free(struct render *render)
{
    struct query_result *rows = render->rows;
    if (!rows)
        return;
    for (size_t i = 0; i < rows->n_columns; i++)
        free(rows->names[i]);
    buf_free(&rows->cells);
    buf_free(&rows->texts);
    free(rows);
    render->rows = NULL;
}

void query_end(struct render *render)
{
    result_free(render);
}

static struct cell cell_of(struct query_result *rows, const struct reader_value *value)
{
    struct cell cell = {.type = value->type};
    if (value->type == READER_INT) {
        cell.value.i = value->i;
    } else if (value->type == READER_REAL) {
        cell.value.r = value->r;
    } else if (value->type == READER_TEXT) {
        cell.len = (uint32_t)value->len;
        cell.value.off = rows->texts.len;
        buf_add(&rows->texts, value->text, value->len);
    }
    return cell;
}

static bool add_row(const struct reader_value *columns, const char *const *names, size_t n,
                    void *arg)
{
    struct query_result *rows = arg;
    if (n > QUERY_COLUMNS_MAX)
        n = QUERY_COLUMNS_MAX;
    if (rows->n_rows == 0) {
        for (size_t i = 0; i < n; i++)
            rows->names[i] = shep_strdup(names[i]);
        rows->n_columns = n;
    }
    size_t bytes = rows->cells.len + rows->texts.len;
    for (size_t i = 0; i < n; i++)
        bytes += sizeof(struct cell) + columns[i].len * (columns[i].type == READER_TEXT);
    rows->too_large = bytes > LIMIT_QUERY_BYTES;
    if (rows->too_large)
        return false;
    for (size_t i = 0; i < n; i++) {
        struct cell cell = cell_of(rows, &columns[i]);
        buf_add(&rows->cells, &cell, sizeof cell);
    }
    rows->n_rows++;
    return true;
}

/* The connection; opened again when the file is another one. NULL: no database (yet). */
static struct reader *reader_get(void)
{
    if (!worker.conf.db_path)
        return NULL;
    struct file_id id = file_id_of(worker.conf.db_path);
    if (worker.reader && id.inode != worker.reader_id.inode) {
        reader_close(worker.reader);
        worker.reader = NULL;
    }
    if (!worker.reader && id.size >= 0)
        worker.reader = reader_open(worker.conf.db_path);
    worker.reader_id = id;
    return worker.reader;
}

static void push_cell(lua_State *L, const struct query_result *rows, const char *name,
                      const struct cell *cell)
{
    switch (cell->type) {
    case READER_INT:
        lua_pushinteger(L, cell->value.i);
        break;
    case READER_REAL:
        lua_pushnumber(L, cell->value.r);
        break;
    case READER_TEXT:
        role_push_text(L, name, cell->len ? rows->texts.data + cell->value.off : "", cell->len);
        break;
    default:
        lua_pushnil(L);
    }
}

static void push_rows(lua_State *L, const struct query_result *rows)
{
    int first = lua_gettop(L) + 1;
    if (rows->n_rows == 0) {
        lua_newtable(L);
        return;
    }
    luaL_checkstack(L, (int)rows->n_columns + 8, "columns");
    for (size_t i = 0; i < rows->n_columns; i++)
        lua_pushstring(L, rows->names[i]);
    const struct cell *cell = (const struct cell *)(const void *)rows->cells.data;
    lua_createtable(L, (int)rows->n_rows, 0);
    for (size_t row = 0; row < rows->n_rows; row++) {
        lua_createtable(L, 0, (int)rows->n_columns);
        for (size_t i = 0; i < rows->n_columns; i++, cell++) {
            lua_pushvalue(L, first + (int)i);
            push_cell(L, rows, rows->names[i], cell);
            lua_rawset(L, -3);
        }
        lua_rawseti(L, -2, (lua_Integer)row + 1);
    }
    lua_replace(L, first);
    lua_settop(L, first);
}

/* Runs sql and pushes its rows. Raises; where there is no database, pushes {} or raises. */
static void run(lua_State *L, const char *sql, const struct reader_value *params, size_t n_params,
                bool must_exist)
{
    struct render *render = render_of(L);
    char err[512] = "";
    if (++render->n_queries > LIMIT_QUERIES)
        luaL_error(L, "more than %d queries on one page", LIMIT_QUERIES);
    struct reader *reader = render->sight == SIGHT_NOTHING ? NULL : reader_get();
    if (!reader) {
        if (must_exist && render->sight != SIGHT_NOTHING)
            luaL_error(L, "the database is not there");
        lua_newtable(L);
        return;
    }
    result_free(render);
    render->rows = shep_alloc(sizeof *render->rows);
    reader_admin(reader, render->sight == SIGHT_ADMIN);
    struct reader_limits limits = {.max_rows = LIMIT_ROWS,
                                   .deadline_mono_ms =
                                       render->limits.wall_end_ms - QUERY_END_EARLY_MS};
    int rc = reader_query(reader, sql, params, n_params, &limits, add_row, render->rows, err,
                          sizeof err);
    if (render->rows->too_large)
        luaL_error(L, "the query's result is over %d MiB; ask for less", LIMIT_QUERY_BYTES >> 20);
    if (rc < 0)
        luaL_error(L, "SQL: %s", err[0] ? err : "the query failed");
    push_rows(L, render->rows);
    result_free(render);
}

static struct reader_value value_at(lua_State *L, int index)
{
    struct reader_value value = {.type = READER_NULL};
    switch (lua_type(L, index)) {
    case LUA_TNIL:
    case LUA_TLIGHTUSERDATA:
        break;
    case LUA_TBOOLEAN:
        value.type = READER_INT;
        value.i = lua_toboolean(L, index);
        break;
    case LUA_TNUMBER:
        if (lua_isinteger(L, index)) {
            value.type = READER_INT;
            value.i = lua_tointeger(L, index);
        } else {
            value.type = READER_REAL;
            value.r = lua_tonumber(L, index);
        }
        break;
    case LUA_TSTRING:
        value.type = READER_TEXT;
        value.text = lua_tolstring(L, index, &value.len);
        break;
    default:
        luaL_argerror(L, index, "a query takes texts, numbers, booleans and nil");
    }
    return value;
}

static void reads(lua_State *L, uint32_t topics)
{
    render_of(L)->topics |= topics;
}

/* shepherd.query(sql, ...) → rows: a list of tables by column name. Read-only; `?` takes the
 * values. At most 64 queries a page, 10,000 rows each, 2 s in all. */
int query_rows(lua_State *L)
{
    struct reader_value params[QUERY_PARAMS_MAX];
    const char *sql = luaL_checkstring(L, 1);
    int n = lua_gettop(L) - 1;
    luaL_argcheck(L, n <= QUERY_PARAMS_MAX, QUERY_PARAMS_MAX + 2, "at most 32 values");
    for (int i = 0; i < n; i++)
        params[i] = value_at(L, i + 2);
    reads(L, 1u << TOPIC_LOGS | 1u << TOPIC_EVENTS | 1u << TOPIC_CONFIG);
    run(L, sql, params, (size_t)n, true);
    return 1;
}

/* ---- named arguments: shepherd.logs{ miner = 7, limit = 50 } ---- */

static void check_names(lua_State *L, const char *const *known)
{
    if (lua_isnoneornil(L, 1)) {
        lua_settop(L, 0);
        lua_newtable(L);
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "a number";
        bool found = false;
        for (size_t i = 0; known[i]; i++)
            found = found || strcmp(known[i], name) == 0;
        if (!found)
            luaL_error(L, "there is no option \"%s\" here", name);
    }
}

static lua_Integer option(lua_State *L, const char *name, lua_Integer otherwise)
{
    lua_getfield(L, 1, name);
    int is_number = 1;
    lua_Integer value = lua_isnil(L, -1) ? otherwise : lua_tointegerx(L, -1, &is_number);
    if (!is_number)
        luaL_error(L, "\"%s\" must be a whole number", name);
    lua_pop(L, 1);
    return value;
}

static lua_Integer limit_option(lua_State *L)
{
    lua_Integer limit = option(L, "limit", LOGS_DEFAULT);
    return limit < 1 ? 1 : limit > LIMIT_ROWS ? LIMIT_ROWS : limit;
}

/* The miner's id, from its id or name; 0: no such option. An unknown name is -1: no rows. */
static int64_t miner_option(lua_State *L)
{
    int64_t id = 0;
    lua_getfield(L, 1, "miner");
    if (lua_type(L, -1) == LUA_TSTRING) {
        struct reader_value name = value_at(L, lua_gettop(L));
        render_of(L)->n_queries--; /* ours, not the script's */
        run(L,
            "SELECT id FROM miners WHERE miner_id = ?1 OR id = ?1 ORDER BY miner_id = ?1 DESC "
            "LIMIT 1",
            &name, 1, false);
        id = -1;
        if (lua_rawgeti(L, -1, 1) == LUA_TTABLE) {
            lua_getfield(L, -1, "id");
            id = lua_tointeger(L, -1);
            lua_pop(L, 1);
        }
        lua_pop(L, 2);
    } else if (!lua_isnil(L, -1)) {
        int is_number;
        id = lua_tointegerx(L, -1, &is_number);
        if (!is_number || id == 0)
            luaL_error(L, "\"miner\" must be the id or name of a miner");
    }
    lua_pop(L, 1);
    return id;
}

static struct reader_value integer(int64_t i)
{
    return (struct reader_value){.type = READER_INT, .i = i};
}

/* shepherd.logs{ miner = id, limit = 100, before = id, after = id } → rows { id, miner_id, miner,
 * at_ms, line }, newest first. By row id; for one miner by way of log_index, which knows in which
 * stretch of ids each minute of a miner lies (miner_logs itself has no second index). The store
 * writes it once a minute: the rows behind log_state.last_id are looked through as they are. */
int query_logs(lua_State *L)
{
    static const char *const names[] = {"miner", "limit", "before", "after", NULL};
    static const char all[] = "SELECT l.id, l.miner_id, m.miner_id AS miner, l.at_ms, l.line"
                              " FROM miner_logs l LEFT JOIN miners m ON m.id = l.miner_id"
                              " WHERE l.id < ?1 AND l.id > ?2 ORDER BY l.id DESC LIMIT ?3";
    static const char one[] =
        "SELECT id, miner_id, (SELECT miner_id FROM miners WHERE id = ?4) AS miner, at_ms, line"
        " FROM (SELECT * FROM miner_logs WHERE id > max(?2, (SELECT last_id FROM log_state))"
        "  AND id < ?1 AND miner_id = ?4"
        " UNION ALL SELECT * FROM (SELECT l.* FROM log_index x CROSS JOIN miner_logs l"
        "  ON l.id BETWEEN x.first_id AND x.last_id"
        "  WHERE x.miner_id = ?4 AND x.first_id < ?1 AND x.last_id > ?2 AND +l.miner_id = ?4"
        "  AND l.id < ?1 AND l.id > ?2 AND l.id <= (SELECT last_id FROM log_state)"
        "  ORDER BY x.minute DESC, l.id DESC LIMIT ?3))"
        " ORDER BY id DESC LIMIT ?3";
    check_names(L, names);
    int64_t miner = miner_option(L);
    struct reader_value params[] = {integer(option(L, "before", INT64_MAX)),
                                    integer(option(L, "after", 0)), integer(limit_option(L)),
                                    integer(miner)};
    reads(L, 1u << TOPIC_LOGS);
    run(L, miner ? one : all, params, miner ? 4 : 3, false);
    return 1;
}

/* shepherd.events{ miner = id, limit = 100, before = id } → rows { id, at_ms, event, miner_id,
 * miner, value, text }, newest first. */
int query_events(lua_State *L)
{
    static const char *const names[] = {"miner", "limit", "before", NULL};
    static const char sql[] =
        "SELECT e.id, e.at_ms, e.event, e.miner_id, m.miner_id AS miner, e.value, e.text"
        " FROM events e LEFT JOIN miners m ON m.id = e.miner_id"
        " WHERE e.id < ?1 AND (?3 = 0 OR e.miner_id = ?3) ORDER BY e.id DESC LIMIT ?2";
    check_names(L, names);
    int64_t miner = miner_option(L);
    struct reader_value params[] = {integer(option(L, "before", INT64_MAX)),
                                    integer(limit_option(L)), integer(miner)};
    reads(L, 1u << TOPIC_EVENTS);
    run(L, sql, params, 3, false);
    return 1;
}

/* ---- shepherd.history ---- */

/* ?1 period in seconds, ?2 from, ?3 to, ?4 metric, ?5 miner, ?6 the most rows. */
static const char HISTORY_ALL[] =
    "SELECT * FROM (SELECT t_ms, n, min, max, avg, last, miner_id FROM rollups"
    " WHERE period_s = ?1 AND t_ms >= ?2 AND t_ms < ?3 AND metric = ?4 AND ?5 = 0"
    " ORDER BY t_ms DESC LIMIT ?6) ORDER BY t_ms, miner_id";

/* The key of the table is (period_s, t_ms, miner_id, metric): a stretch of time is all miners and
 * all metrics of it. So the times are counted down, newest first, and each row is looked up by its
 * whole key: a year of days is 365 look-ups, however many miners there are. ?6: the most times. */
static const char HISTORY_ONE[] =
    "WITH RECURSIVE ends(low, high) AS (SELECT"
    "  max(?2, (SELECT t_ms FROM rollups WHERE period_s = ?1 ORDER BY t_ms LIMIT 1)),"
    "  min(?3 - 1, (SELECT t_ms FROM rollups WHERE period_s = ?1 ORDER BY t_ms DESC LIMIT 1))),"
    " times(t) AS (SELECT high - high % (?1 * 1000) FROM ends WHERE high >= low"
    "  UNION ALL SELECT t - ?1 * 1000 FROM times, ends WHERE t - ?1 * 1000 >= low LIMIT ?6)"
    " SELECT r.t_ms, r.n, r.min, r.max, r.avg, r.last, r.miner_id"
    " FROM times CROSS JOIN rollups r ON r.period_s = ?1 AND r.t_ms = times.t"
    "  AND r.miner_id = ?5 AND r.metric = ?4"
    " WHERE times.t >= ?2 ORDER BY r.t_ms";

/* Of a gauge the sum of the means, of a counter that of the growths: the store keeps them. */
static const char HISTORY_SUM[] =
    "SELECT * FROM (SELECT t_ms, n_miners, avg FROM herd_rollups"
    " WHERE period_s = ?1 AND t_ms >= ?2 AND t_ms < ?3 AND metric = ?4 AND ?5 = 0"
    " ORDER BY t_ms DESC LIMIT ?6) ORDER BY t_ms";

static bool flag_option(lua_State *L, const char *name)
{
    lua_getfield(L, 1, name);
    bool value = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return value;
}

/* shepherd.history{ metric = "hashrate", miner = id, sum = false, period = 60 | 3600 | 86400,
 * from_ms =, to_ms = } → rows, oldest first; periods without samples are not there. */
int query_history(lua_State *L)
{
    static const char *const names[] = {"miner",   "metric", "sum", "period",
                                        "from_ms", "to_ms",  NULL};
    enum { TIMES_MAX = 2000, ROWS_DEFAULT = 1500 };
    check_names(L, names);
    lua_Integer period = option(L, "period", 60);
    if (period != 60 && period != 3600 && period != 86400)
        luaL_error(L, "\"period\" is 60, 3600 or 86400 (seconds)");
    bool sum = flag_option(L, "sum");
    int64_t miner = miner_option(L);
    if (sum && miner)
        luaL_error(L, "\"sum\" is of all miners: leave \"miner\" out");
    lua_getfield(L, 1, "metric");
    if (lua_type(L, -1) != LUA_TSTRING)
        luaL_error(L, "\"metric\" is missing: the name of a metric, for example \"hashrate\"");
    bool open = option(L, "from_ms", -1) < 0;
    lua_Integer most = sum || (miner && open) ? TIMES_MAX : open ? ROWS_DEFAULT : LIMIT_ROWS;
    struct reader_value params[] = {integer(period),
                                    integer(option(L, "from_ms", 0)),
                                    integer(option(L, "to_ms", INT64_MAX)),
                                    value_at(L, lua_gettop(L)),
                                    integer(miner),
                                    integer(most)};
    render_lasts(render_of(L), MAX_AGE_HISTORY_MS);
    run(L, sum ? HISTORY_SUM : miner ? HISTORY_ONE : HISTORY_ALL, params, ARRAY_LEN(params), false);
    return 1;
}
