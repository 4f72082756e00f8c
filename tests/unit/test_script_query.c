/* What views read from a database that the store itself wrote. */
#include "script_fixture.h"

#include "store/store.h"

#include <sys/stat.h>

enum { T0 = 1760797800 }; /* s */

static int64_t at(int s)
{
    return (int64_t)(T0 + s) * 1000;
}

static void fill(struct fixture *f)
{
    struct store *store = NULL;
    char err[512] = "";
    int pid;
    struct store_conf conf = {.data_dir = f->dir};
    assert_int_equal(store_open(&conf, f->loop, &store, err, sizeof err, &pid), 0);
    int64_t a = store_miner_put(store, &(struct store_miner){.name = "A", .source = "serial"});
    int64_t b = store_miner_put(store, &(struct store_miner){.name = "B", .source = "serial"});
    assert_int_equal(a, 1);
    for (int i = 0; i < 300; i++) {
        char text[64];
        int len = snprintf(text, sizeof text, "line %d of %s", i, i % 3 ? "A" : "B");
        assert_int_equal(store_line(store, i % 3 ? a : b, at(i), text, (size_t)len), 0);
    }
    for (int i = 0; i < 5; i++) {
        struct shep_event event = {.size = sizeof event,
                                   .event = i % 2 ? SHEP_EV_RESET : SHEP_EV_BLOCK_FOUND,
                                   .at_ms = at(i),
                                   .miner_id = i % 2 ? a : b,
                                   .value = 1.5,
                                   .text = "why",
                                   .text_len = 3};
        store_event(store, &event);
    }
    for (int i = 0; i < 10; i++) {
        struct shep_rollup rollup = {.size = sizeof rollup,
                                     .metric = SHEP_M_HASHRATE,
                                     .period_s = 60,
                                     .n = 60,
                                     .miner_id = i % 2 ? a : b,
                                     .t_ms = at(0) + i / 2 * 60000,
                                     .min = 1,
                                     .max = 3,
                                     .avg = 2 + i,
                                     .last = 2};
        store_rollup_put(store, &rollup, "hashrate");
    }
    store_close(store);
}

static int setup(void **state)
{
    fixture_setup(state);
    struct fixture *f = *state;
    fill(f);
    f->conf.db_path = f->db;
    return 0;
}

static struct script_page *view(void **state, const char *text)
{
    struct fixture *f = *state;
    fixture_write(f, "views/api/x.lua", text);
    fixture_pool(f);
    return fixture_render(f, "/api/x");
}

static void test_logs(void **state)
{
    struct script_page *page = view(
        state, "local r = shepherd.logs{ limit = 2 }\n"
               "return { n = #r, id = r[1].id, next = r[2].id, line = r[1].line, m = r[1].miner,\n"
               "  mid = r[1].miner_id, at = r[1].at_ms }");
    assert_body(page, "{\"at\":1760798099000,\"id\":300,\"line\":\"line 299 of A\",\"m\":\"A\","
                      "\"mid\":1,\"n\":2,\"next\":299}");
    assert_int_equal(page->topics, 1u << TOPIC_LOGS);
    page =
        view(state, "local out = {}\n"
                    "local function add(o) for _, r in ipairs(shepherd.logs(o)) do\n"
                    "  out[#out + 1] = r.id end out[#out + 1] = '' end\n"
                    "add{ limit = 2, before = 10 } add{ after = 298 } add{ miner = 2, limit = 3 }\n"
                    "add{ miner = 'B', before = 10 } add{ miner = 'A', limit = 2, after = 100 }\n"
                    "add{ miner = 'nobody' } add{ miner = 2, after = 290 }\n"
                    "return html.raw(table.concat(out, ' '))");
    assert_body(page, "9 8  300 299  298 295 292  7 4 1  300 299   298 295 292 ");
    page = view(state,
                "local n = 0 for _, r in ipairs(shepherd.logs{ miner = 'A', limit = 1000 }) do\n"
                "n = n + 1 assert(r.miner == 'A' and r.line:find('of A')) end return '' .. n");
    assert_body(page, "200");
}

static void test_log_queries_walk_the_index(void **state)
{
    struct script_page *page = view(
        state,
        "local plan = shepherd.query([[EXPLAIN QUERY PLAN SELECT l.id FROM log_index x\n"
        "  CROSS JOIN miner_logs l ON l.id BETWEEN x.first_id AND x.last_id\n"
        "  WHERE x.miner_id = 1 AND +l.miner_id = 1 ORDER BY x.minute DESC, l.id DESC LIMIT 3]])\n"
        "local out = {} for i, r in ipairs(plan) do out[i] = r.detail end\n"
        "return html.raw(table.concat(out, '|'))");
    assert_has(page, "SEARCH l USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)");
    assert_lacks(page, "AUTOMATIC");
}

static void test_events(void **state)
{
    struct script_page *page =
        view(state, "local r = shepherd.events{ limit = 1 }\n"
                    "local m = shepherd.events{ miner = 'A', before = r[1].id }\n"
                    "return { e = r[1].event, m = r[1].miner, t = r[1].text, v = r[1].value,\n"
                    "  at = r[1].at_ms, n = #shepherd.events(), na = #m, ea = m[1].event }");
    assert_body(page,
                "{\"at\":1760797804000,\"e\":\"block.found\",\"ea\":\"miner.reset\",\"m\":\"B\","
                "\"n\":5,\"na\":2,\"t\":\"why\",\"v\":1.5}");
    assert_int_equal(page->topics, 1u << TOPIC_EVENTS);
}

static void test_history(void **state)
{
    struct script_page *page =
        view(state,
             "local h = shepherd.history{ miner = 'A', metric = 'hashrate', period = 60,\n"
             "  from_ms = 1760797860000, to_ms = 1760797980001 }\n"
             "local all = shepherd.history{ metric = 'hashrate' }\n"
             "return { n = #h, first = h[1].t_ms, avg = h[1].avg, last = h[#h].t_ms, all = #all,\n"
             "  none = #shepherd.history{ metric = 'power', period = 3600 } }");
    assert_body(page,
                "{\"all\":10,\"avg\":5,\"first\":1760797860000,\"last\":1760797980000,\"n\":3,"
                "\"none\":0}");
    assert_int_equal(page->max_age_ms, 30000);
}

/* Gaps stay gaps, wherever they are; of one miner and of all together. */
static void test_history_with_gaps(void **state)
{
    struct fixture *f = *state;
    static const struct {
        int minute, miner;
        double avg;
    } rows[] = {{100, 1, 5}, {101, 1, 6}, {101, 2, 60}, {105, 2, 70}, {3000, 1, 7}, {3001, 2, 80}};
    struct store *store = NULL;
    char err[512] = "";
    int pid;
    struct store_conf conf = {.data_dir = f->dir};
    assert_int_equal(store_open(&conf, f->loop, &store, err, sizeof err, &pid), 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct shep_rollup rollup = {.size = sizeof rollup,
                                     .metric = SHEP_M_POWER,
                                     .period_s = 60,
                                     .n = 1,
                                     .miner_id = rows[i].miner,
                                     .t_ms = at(rows[i].minute * 60),
                                     .avg = rows[i].avg};
        store_rollup_put(store, &rollup, "power");
    }
    store_close(store);
    struct script_page *page = view(
        state,
        "local T, out = 1760797800000, {}\n"
        "local function at(minute) return minute and T + minute * 60000 end\n"
        "local function show(o, from, to)\n"
        "  o.metric, o.period, o.from_ms, o.to_ms = 'power', 60, at(from), at(to)\n"
        "  local texts = {}\n"
        "  for i, r in ipairs(shepherd.history(o)) do texts[i] = ('%d:%g%s'):format(\n"
        "    (r.t_ms - T) // 60000, r.avg, r.n_miners and 'x' .. r.n_miners or '') end\n"
        "  out[#out + 1] = table.concat(texts, ' ') end\n"
        "show({ miner = 'A' }) show({ miner = 1 }, 0) show({ miner = 'A' }, 100, 101)\n"
        "show({ miner = 'A' }, 101, 3000) show({ miner = 2 }, 1100) show({ miner = 'nobody' })\n"
        "show({ miner = 'A' }, 99.5 // 1 + 1, 3001) show({ sum = true }, 0, 200)\n"
        "show({ sum = true }) show({ sum = true }, 102, 105) show({ sum = false }, 0, 102)\n"
        "show({ miner = 'A' }, 4000) show({ miner = 'A' }, nil, 50)\n"
        "return html.raw(table.concat(out, '|'))");
    assert_body(page, "3000:7|100:5 101:6 3000:7|100:5|101:6|3001:80||100:5 101:6 3000:7|"
                      "100:5x1 101:66x2 105:70x1|100:5x1 101:66x2 105:70x1 3000:7x1 "
                      "3001:80x1||100:5 101:6 101:60||");
    page = view(state, "local r = shepherd.history{ metric = 'hashrate', sum = true }\n"
                       "return { n = #r, avg = r[1].avg, miners = r[1].n_miners, max = r[1].max }");
    assert_body(page, "{\"avg\":5,\"miners\":2,\"n\":5}");
}

/* Rows of one miner are looked up by their whole key; the herd's are read in their order. */
static void test_history_plans(void **state)
{
    struct script_page *page = view(
        state, "local out = {}\n"
               "local function plan(sql) for _, r in ipairs(shepherd.query('EXPLAIN QUERY PLAN ' "
               ".. sql)) do out[#out + 1] = r.detail end end\n"
               "plan [[WITH times(t) AS (SELECT 0) SELECT r.t_ms FROM times CROSS JOIN rollups r\n"
               "  ON r.period_s = 60 AND r.t_ms = times.t AND r.miner_id = 1\n"
               "  AND r.metric = 'power' WHERE times.t >= 0 ORDER BY r.t_ms]]\n"
               "plan [[SELECT t_ms, n_miners, avg FROM herd_rollups WHERE period_s = 60\n"
               "  AND t_ms >= 0 AND metric = 'power' ORDER BY t_ms DESC LIMIT 9]]\n"
               "return html.raw(table.concat(out, '|'))");
    assert_has(page,
               "SEARCH r USING PRIMARY KEY (period_s=? AND t_ms=? AND miner_id=? AND metric=?)");
    assert_has(page, "SEARCH herd_rollups USING PRIMARY KEY (period_s=? AND t_ms>?)");
    assert_lacks(page, "SCAN herd_rollups");
}

static void test_query(void **state)
{
    struct script_page *page = view(
        state,
        "local r = shepherd.query([[SELECT id, miner_id AS name, ? AS a, ? AS b, ? AS c, ? AS d,\n"
        "  NULL AS e FROM miners WHERE miner_id = ?]], 7, 1.5, true, 'x\\'y', 'A')\n"
        "return { rows = r, n = #r }");
    assert_body(page, "{\"n\":1,\"rows\":[{\"a\":7,\"b\":1.5,\"c\":1,\"d\":\"x'y\",\"id\":1,"
                      "\"name\":\"A\"}]}");
    assert_int_equal(page->topics, 1u << TOPIC_LOGS | 1u << TOPIC_EVENTS | 1u << TOPIC_CONFIG);
}

static void test_query_refuses(void **state)
{
    static const struct {
        const char *view, *says;
    } cases[] = {
        {"shepherd.query('SELEC 1')", "views/api/x.lua:1: SQL: "},
        {"shepherd.query('DELETE FROM miners')", "SQL: "},
        {"shepherd.query('SELECT * FROM kv')", "SQL: "},
        {"shepherd.query(\"ATTACH 'x' AS y\")", "SQL: "},
        {"shepherd.query('PRAGMA query_only = 0')", "SQL: "},
        {"shepherd.query(\"SELECT load_extension('x')\")", "SQL: "},
        {"shepherd.query('SELECT 1; SELECT 2')", "SQL: "},
        {"shepherd.query('SELECT ?', {})", "takes texts, numbers, booleans and nil"},
        {"for _ = 1, 65 do shepherd.query('SELECT 1') end", "more than 64 queries"},
        {"shepherd.query('WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
         " SELECT i FROM n')",
         "SQL: "},
        {"shepherd.query('WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 20)"
         " SELECT hex(zeroblob(400000)) FROM n')",
         "is over 8 MiB"},
        {"shepherd.logs{ limt = 3 }", "there is no option \\\"limt\\\""},
        {"shepherd.logs{ limit = 'x' }", "\\\"limit\\\" must be a whole number"},
        {"shepherd.logs{ miner = {} }", "must be the id or name of a miner"},
        {"shepherd.history{ miner = 1 }", "\\\"metric\\\" is missing"},
        {"shepherd.history{ metric = 'a', miner = 1, sum = true }", "leave \\\"miner\\\" out"},
        {"shepherd.history{ metric = 'a', period = 61 }", "\\\"period\\\" is 60, 3600 or 86400"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct script_page *page = view(state, cases[i].view);
        assert_int_equal(page->status, 500);
        assert_has(page, cases[i].says);
    }
}

static void test_no_database(void **state)
{
    struct fixture *f = *state;
    fixture_remove(f, "shepherd.db");
    assert_body(view(state,
                     "return { #shepherd.logs(), #shepherd.events(),\n"
                     "#shepherd.history{ metric = 'hashrate' }, #shepherd.logs{ miner = 'A' } }"),
                "[0,0,0,0]");
    assert_has(view(state, "return shepherd.query('SELECT 1')"), "the database is not there");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_logs),
        T(test_log_queries_walk_the_index),
        T(test_events),
        T(test_history),
        T(test_query),
        T(test_query_refuses),
        T(test_history_with_gaps),
        T(test_history_plans),
        T(test_no_database),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
