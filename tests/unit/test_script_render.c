/* What a view can ask for, and what the page then says of itself: topics, parameters, parts, age.
 */
#include "script_fixture.h"

#include <zlib.h>

static struct fixture *lua_view(void **state, const char *text)
{
    struct fixture *f = *state;
    fixture_write(f, "views/api/x.lua", text);
    fixture_pool(f); /* a new one remembers no last good code */
    return f;
}

static void say(struct fixture *f, struct miner *miner, uint32_t metric, double value)
{
    struct shep_reading reading = {
        .size = sizeof reading, .metric = metric, .at_ms = 1760797790000, .value = value};
    assert_int_equal(herd_reading(f->herd, miner, &reading), 0);
}

static void say_text(struct fixture *f, struct miner *miner, uint32_t attr, const char *text)
{
    struct shep_reading reading = {.size = sizeof reading,
                                   .metric = attr,
                                   .at_ms = 1760797790001,
                                   .text = text,
                                   .text_len = strlen(text)};
    assert_int_equal(herd_reading(f->herd, miner, &reading), 0);
}

static struct miner *add_miner(struct fixture *f, int64_t id, const char *name)
{
    struct miner_conf conf = {
        .id = id, .name = name, .source = "serial", .path = "/dev/x", .origin = MINER_FROM_FILE};
    struct miner *miner = herd_miner_put(f->herd, &conf);
    say(f, miner, SHEP_M_HASHRATE, 55123);
    say(f, miner, SHEP_M_TEMPERATURE, 61.5);
    say_text(f, miner, SHEP_A_POOL, "public-pool.io:21496");
    return miner;
}

static void test_herd(void **state)
{
    struct fixture *f = lua_view(
        state, "local h = shepherd.herd()\nlocal m = h.miners[1]\n"
               "assert(shepherd.herd() == h)\n"
               "return { n = #h.miners, hashrate = m.hashrate, t = m.temperature, pool = m.pool,\n"
               " at = m.at.hashrate, pool_at = m.at.pool, absent = m.power == nil, id = m.id,\n"
               " name = m.name, status = m.status, file = m.from_file, demo = h.demo,\n"
               " total = h.totals.total_miners, location = m.location == nil }");
    add_miner(f, 7, "BARN-01");
    fixture_settle(f);
    struct script_page *page = fixture_render(f, "/api/x");
    assert_string_equal(page->content_type, "application/json; charset=utf-8");
    assert_body(page, "{\"absent\":true,\"at\":1760797790000,\"demo\":false,\"file\":true,"
                      "\"hashrate\":55123,\"id\":7,\"location\":true,\"n\":1,\"name\":\"BARN-01\","
                      "\"pool\":\"public-pool.io:21496\",\"pool_at\":1760797790001,"
                      "\"status\":\"offline\",\"t\":61.5,\"total\":1}");
    assert_int_equal(page->topics, 1u << TOPIC_HERD);
    assert_int_equal(page->seqs[TOPIC_HERD], topic_seq(f->topics, TOPIC_HERD));
}

/* A group may be absent; tags are a list always. */
static void test_herd_groups(void **state)
{
    struct fixture *f = lua_view(state, "local a, b = shepherd.miner('A'), shepherd.miner('B')\n"
                                        "return { a.group, a.tags[1], a.tags[2], #a.tags,\n"
                                        " b.group == nil, #b.tags }");
    struct miner_conf conf = {.id = 1, .name = "A", .group = "barn", .tags = "loud,esp32 s3"};
    herd_miner_put(f->herd, &conf);
    herd_miner_put(f->herd, &(struct miner_conf){.id = 2, .name = "B"});
    fixture_settle(f);
    assert_body(fixture_render(f, "/api/x"), "[\"barn\",\"loud\",\"esp32 s3\",2,true,0]");
}

/* Miners fill themselves when they are read; nobody can tell. */
static void test_miners_are_filled_when_read(void **state)
{
    struct fixture *f = lua_view(
        state,
        "local h = shepherd.herd()\n"
        "local a, b = h.miners[1], h.miners[2]\n"
        "assert(rawequal(a, shepherd.miner(7)) and rawequal(a, shepherd.miner('A')) and a ~= b)\n"
        "assert(rawequal(a.at, a.at) and a.at ~= b.at and a.at.name == nil and a.at.id == nil)\n"
        "local function all(m, t) local out = {}\n"
        "  for k, v in sorted_pairs(t or m) do out[#out + 1] = k .. '=' .. tostring(v) end\n"
        "  return table.concat(out, ' ') end\n"
        "local first = all(b)\n"
        "assert(a.hashrate == 55123 and a.nothing == nil and a[1] == nil and a[0/0] == nil)\n"
        "assert(first == all(b) and #a == 0)\n"
        "a.hashrate = nil assert(a.hashrate == nil)\n"
        "a.temperature = nil assert(a.temperature == nil)\n"
        "a.pool = 'mine' assert(a.pool == 'mine') a.pool = nil assert(a.pool == nil)\n"
        "a.name = false assert(a.name == false) a.own = 1 assert(a.own == 1)\n"
        "a.at.pool = 5 assert(a.at.pool == 5) a.at.pool = nil assert(a.at.pool == nil)\n"
        "assert(a.at.temperature == 1760797790000)\n"
        "assert(not pcall(setmetatable, a, {}) and getmetatable(a) == false)\n"
        "local copy = {} for k, v in pairs(a) do copy[k] = v end\n"
        "assert(copy.hashrate == nil and copy.pool == nil and copy.name == false and copy.own == "
        "1)\n"
        "assert(all(a.at) == 'hashrate=1760797790000 temperature=1760797790000')\n"
        "local swapped = { h.miners[2], h.miners[1] } h.miners[1], h.miners[2] = b, a\n"
        "assert(shepherd.miner(7) == a and shepherd.herd().miners[1] == b)\n"
        "return html.raw(first .. '|' .. json.encode(shepherd.miner('B')) .. '|' .. "
        "json.encode(b.at))");
    add_miner(f, 7, "A");
    add_miner(f, 8, "B");
    struct script_page *page = fixture_render(f, "/api/x");
    assert_has(page, "demo=false found=false from_file=true hashrate=55123 id=8 lines=0");
    assert_has(page, "source=serial status=offline status_at_ms=");
    assert_has(page, "temperature=61.5|{\"at\":{\"hashrate\":1760797790000,\"pool\":");
    assert_has(page, "\"path\":\"/dev/x\",\"pool\":\"public-pool.io:21496\",\"source\"");
    assert_has(page, "|{\"hashrate\":1760797790000,\"pool\":1760797790001,\"temperature\":");
    lua_view(state, "local m = shepherd.miner(7) return include('partials/x', m)");
    fixture_write(f, "views/partials/x.html", "<%= name %> <%= hashrate %>");
    assert_body(fixture_render(f, "/api/x"), "A 55123");
}

static void test_herd_moves(void **state)
{
    struct fixture *f = lua_view(state, "return { rate = shepherd.miner('M').hashrate }");
    struct miner *miner = add_miner(f, 1, "M");
    assert_body(fixture_render(f, "/api/x"), "{\"rate\":55123}");
    uint64_t seq = topic_seq(f->topics, TOPIC_HERD);
    say(f, miner, SHEP_M_HASHRATE, 60000);
    for (int i = 0; i < 50 && topic_seq(f->topics, TOPIC_HERD) == seq; i++)
        loop_run_once(f->loop, 20);
    assert_body(fixture_render(f, "/api/x"), "{\"rate\":60000}");
}

static void test_miner_by_id_and_name(void **state)
{
    struct fixture *f = lua_view(state, "local by = shepherd.params{ by = '' }.by\n"
                                        "local m = shepherd.miner(by ~= '' and by or 8)\n"
                                        "if not m then shepherd.not_found('no miner ' .. by) end\n"
                                        "return m.name .. ' ' .. m.at.temperature");
    add_miner(f, 7, "A");
    add_miner(f, 8, "B");
    assert_body(fixture_render(f, "/api/x"), "B 1760797790000");
    assert_body(fixture_render(f, "/api/x?by=A"), "A 1760797790000");
    assert_body(fixture_render(f, "/api/x?by=7"), "A 1760797790000");
    struct script_page *page = fixture_render(f, "/api/x?by=C");
    assert_int_equal(page->status, 404);
    assert_body(page, "{\"success\":false,\"message\":\"no miner C\"}");
    assert_int_equal(page->topics, 1u << TOPIC_HERD);
    assert_int_equal(page->n_params, 1);
    assert_string_equal(page->params[0], "by");
}

static void test_params(void **state)
{
    struct fixture *f = lua_view(
        state, "return shepherd.params{ n = 5, x = 0.5, all = false, q = 'dflt', yes = true }");
    struct script_page *page = fixture_render(f, "/api/x?undeclared=1");
    assert_body(page, "{\"all\":false,\"n\":5,\"q\":\"dflt\",\"x\":0.5,\"yes\":true}");
    assert_int_equal(page->n_params, 5);
    assert_string_equal(page->params[0], "all");
    assert_string_equal(page->params[4], "yes");
    assert_body(fixture_render(f, "/api/x?n=7&x=1e3&all=1&q=%3c&yes=off"),
                "{\"all\":true,\"n\":7,\"q\":\"%3c\",\"x\":1000,\"yes\":false}");
    assert_body(fixture_render(f, "/api/x?n=7x&x=inf&all=maybe&q=&yes=2"),
                "{\"all\":false,\"n\":5,\"q\":\"\",\"x\":0.5,\"yes\":true}");
    assert_body(fixture_render(f, "/api/x?n=99999999999999999&x=nan"),
                "{\"all\":false,\"n\":5,\"q\":\"dflt\",\"x\":0.5,\"yes\":true}");
    lua_view(state, "return #shepherd.params{ q = '' }.q .. ''");
    struct buf target = {0};
    buf_add_str(&target, "/api/x?q=");
    for (int i = 0; i < 300; i++)
        buf_add_str(&target, "\xc3\xa9");
    assert_body(fixture_render(f, target.data), "256");
    buf_free(&target);
}

static void test_facts_config_system(void **state)
{
    struct fixture *f = lua_view(
        state, "return { price = shepherd.facts('price'), none = shepherd.facts('none') == nil,\n"
               " c = shepherd.config().listen[1], s = next(shepherd.system()) == nil }");
    static const char price[] = "{\"price_usd\":68000.5,\"change_24h\":null,\"n\":[]}";
    facts_put(f->facts, "price", price, sizeof price - 1);
    struct script_page *page = fixture_render(f, "/api/x");
    assert_body(page, "{\"c\":\"127.0.0.1:8080\",\"none\":true,\"price\":{\"n\":[],"
                      "\"price_usd\":68000.5},\"s\":true}");
    assert_int_equal(page->topics, 1u << TOPIC_FACTS | 1u << TOPIC_CONFIG | 1u << TOPIC_SYSTEM);
}

/* Every page asks for the configuration, and the flock of a thousand miners is in it. */
static void test_config_fills_itself(void **state)
{
    struct fixture *f = lua_view(
        state, "local before = collectgarbage('count')\n"
               "local c = shepherd.config()\n"
               "local display, same = c.display.theme, c == shepherd.config()\n"
               "local one = c.flock.miners['77'].notes\n"
               "local little = collectgarbage('count') - before < 50\n"
               "local n, fields = 0, {}\n"
               "for id, miner in pairs(c.flock.miners) do n = n + 1 end\n"
               "for name in pairs(c) do fields[#fields + 1] = name end\n"
               "table.sort(fields)\n"
               "c.display.theme = 'mine'\n"
               "return { display, same, one, little, n, fields, c.none == nil, c.gone == nil,\n"
               "  json.encode(c.display), c.flock.miners['9'] == c.flock.miners['9'] }");
    struct buf config = {0};
    buf_add_str(&config, "{\"display\":{\"theme\":\"dark\",\"tz\":\"UTC\"},\"gone\":null,"
                         "\"flock\":{\"miners\":{\"0\":{}");
    for (int i = 1; i < 2000; i++)
        buf_printf(&config, ",\"%d\":{\"notes\":\"note %d\"}", i, i);
    buf_add_str(&config, "}}}");
    f->config = config.data;
    assert_body(fixture_render(f, "/api/x"),
                "[\"dark\",true,\"note 77\",true,2000,[\"display\",\"flock\"],true,true,"
                "\"{\\\"theme\\\":\\\"mine\\\",\\\"tz\\\":\\\"UTC\\\"}\",true]");
    f->config = NULL;
    buf_free(&config);
}

static void test_request(void **state)
{
    struct fixture *f = *state;
    fixture_write(f, "views/details/miner/[id].lua",
                  "local r = shepherd.request\n"
                  "return html.raw(table.concat({r.path, r.name, r.role, r.locale, r.id}, ' '))");
    struct script_page *page = fixture_render(f, "/details/miner/7");
    assert_body(page, "/details/miner/7 details/miner/[id] viewer en 7");
    assert_string_equal(page->content_type, "text/html; charset=utf-8");
}

/* A catalogue is a file: nothing else has to know of it. What it does not have is English. */
static void test_words(void **state)
{
    struct fixture *f = lua_view(state, "return html.raw(t('Hello') .. t('%d of %d', 1, 2) ..\n"
                                        "t('Raw logs') .. shepherd.request.locale)");
    fixture_copy_lua(f);
    fixture_write(f, "lua/locale/pt-BR.lua", "return { Hello = 'Oi', ['%d of %d'] = '%d/%d' }");
    fixture_pool(f);
    f->locale = "pt-BR";
    assert_body(fixture_render(f, "/api/x"), "Oi1/2Raw logspt-BR");
    assert_true(fixture_render(f, "/api/x")->localized);
    f->locale = "fr";
    assert_body(fixture_render(f, "/api/x"), "Hello1 of 2Raw logsfr");
    fixture_write(f, "lua/locale/fr.lua", "return {\n Hello = = 'Salut' }");
    assert_has(fixture_render(f, "/api/x"), "lua/locale/fr.lua:2");
    lua_view(state, "return { shepherd.request.path }");
    assert_false(fixture_render(f, "/api/x")->localized);
    assert_string_equal(script_language_find(f->pool, "PT-br", 5), "pt-BR");
    assert_string_equal(script_language_find(f->pool, "en", 2), "en");
    assert_null(script_language_find(f->pool, "pt-BR", 2));
    assert_null(script_language_find(f->pool, "auto", 4));
}

static void test_respond(void **state)
{
    struct fixture *f = lua_view(state, "shepherd.respond{ location = '/config#pools' }");
    struct script_page *page = fixture_render(f, "/api/x");
    assert_int_equal(page->status, 302);
    assert_string_equal(page->location, "/config#pools");
    lua_view(state, "shepherd.respond{ status = 201, type = 'text/csv', body = 'a,b' }");
    page = fixture_render(f, "/api/x");
    assert_int_equal(page->status, 201);
    assert_string_equal(page->content_type, "text/csv");
    assert_body(page, "a,b");
    lua_view(state, "shepherd.respond{ location = '/\\r\\nSet-Cookie: x' }");
    assert_int_equal(fixture_render(f, "/api/x")->status, 500);
}

static void test_age(void **state)
{
    struct fixture *f = lua_view(state, "return { t = os.time(), d = os.date('!%Y-%m-%d %H:%M') }");
    struct script_page *page = fixture_render(f, "/api/x");
    assert_body(page, "{\"d\":\"2025-10-18 14:30\",\"t\":1760797800}");
    assert_int_equal(page->max_age_ms, 10000);
    lua_view(state, "shepherd.expires(1234) return { os.time{year=2020,month=1,day=2} > 0 }");
    page = fixture_render(f, "/api/x");
    assert_int_equal(page->max_age_ms, 1234);
    lua_view(state, "return { os.time{year=2020,month=1,day=2} > 0 }");
    assert_int_equal(fixture_render(f, "/api/x")->max_age_ms, -1);
}

static void test_json(void **state)
{
    struct fixture *f = lua_view(
        state, "local json = require 'json'\n"
               "local t = { b = 1, a = 2.5, z = 1/0, y = 0/0, i = 3, f = 1e300, s = "
               "'\\1<\\n\\xff\\xc3\\xa9',\n"
               "  e = {}, l = json.array(), n = json.null, big = math.maxinteger, min = "
               "math.mininteger }\n"
               "local s = json.encode(t)\n"
               "local back = json.decode(s)\n"
               "assert(back.a == 2.5 and math.type(back.i) == 'integer' and back.n == json.null)\n"
               "assert(json.encode(back) == s:gsub('1e%+300', '1e+300'))\n"
               "local bad, why = json.decode('{\"a\":')\n"
               "assert(bad == nil and why:find('line 1'))\n"
               "return html.raw(s .. '|' .. json.encode({1, {a = {}}}, {indent = 2}))");
    assert_body(fixture_render(f, "/api/x"),
                "{\"a\":2.5,\"b\":1,\"big\":9223372036854775807,\"e\":{},\"f\":1e+300,\"i\":3,"
                "\"l\":[],\"min\":-9223372036854775808,\"n\":null,"
                "\"s\":\"\\u0001\\u003c\\n\xef\xbf\xbd\xc3\xa9\",\"y\":null,\"z\":null}|"
                "[\n  1,\n  {\n    \"a\": {}\n  }\n]");
    lua_view(state, "local t = {} t.t = t return t");
    assert_has(fixture_render(f, "/api/x"), "nested more than");
    lua_view(state, "return { 1, a = 2 }");
    assert_has(fixture_render(f, "/api/x"), "not both");
    lua_view(state, "return { f = print }");
    assert_has(fixture_render(f, "/api/x"), "no way to write a function");
}

static void test_same_data_same_bytes(void **state)
{
    struct fixture *f = lua_view(
        state, "local t = {} for i = 1, 200 do t['k' .. i * 7919 % 1000] = math.random(1000) end\n"
               "local s = {} for k, v in sorted_pairs(t) do s[#s + 1] = k .. v end\n"
               "return { t = t, s = s }");
    struct script_page *first = script_page_ref(fixture_render(f, "/api/x"));
    fixture_pool(f);
    struct script_page *second = fixture_render(f, "/api/x");
    assert_string_equal(first->etag, second->etag);
    assert_memory_equal(first->etag, "W/\"", 3);
    assert_int_equal(strlen(first->etag), 36);
    assert_int_equal(first->gzip_len, second->gzip_len);
    assert_memory_equal(first->gzip, second->gzip, first->gzip_len);
    script_page_unref(first);
    lua_view(state, "local first = math.random(1 << 40) math.randomseed(1)\n"
                    "return { first == math.random(1 << 40) }");
    assert_body(fixture_render(f, "/api/x"), "[true]");
}

static void test_gzip(void **state)
{
    struct fixture *f = lua_view(state, "return ('x'):rep(1024)");
    assert_null(fixture_render(f, "/api/x")->gzip);
    lua_view(state, "return ('x'):rep(100000)");
    struct script_page *page = fixture_render(f, "/api/x");
    assert_non_null(page->gzip);
    char *back = shep_alloc(100001);
    z_stream z = {.next_in = (Bytef *)page->gzip,
                  .avail_in = (uInt)page->gzip_len,
                  .next_out = (Bytef *)back,
                  .avail_out = 100001};
    assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    inflateEnd(&z);
    assert_int_equal(z.total_out, page->body_len);
    assert_memory_equal(back, page->body, page->body_len);
    free(back);
    lua_view(state, "shepherd.respond{ type = 'image/png' } return ('x'):rep(100000)");
    assert_null(fixture_render(f, "/api/x")->gzip);
}

/* ---- parts ---- */

static char *part_text(const struct script_page *page, size_t i)
{
    return shep_strndup(page->body + page->parts[i].offset, page->parts[i].len);
}

static void test_parts(void **state)
{
    struct fixture *f = *state;
    static const char rows[] =
        "<% layout('partials/l') %><% local v = shepherd.params{ v = 1, order = 'ab' } %>"
        "<% for k in v.order:gmatch('.') do live.row(k, function() %>\n"
        " <tr class=\"x\"><td><%= k == 'b' and v.v or 0 %></td></tr>\n<% end) end %>"
        "<%- live.row('t', '<p data-key=\"t\">' .. v.v .. '</p>') %>"
        "<%- live.row(12, function() return include('partials/i') end) %>end";
    fixture_write(f, "views/partials/l.html", "<body><%- content %></body>");
    fixture_write(f, "views/partials/i.html", "<i>i</i>");
    fixture_write(f, "views/index.html", rows);
    struct script_page *one = script_page_ref(fixture_render(f, "/?v=1"));
    assert_int_equal(one->n_parts, 4);
    static const char *const texts[] = {"<tr data-key=\"a\" class=\"x\"><td>0</td></tr>",
                                        "<tr data-key=\"b\" class=\"x\"><td>1</td></tr>",
                                        "<p data-key=\"t\">1</p>", "<i data-key=\"12\">i</i>"};
    static const char *const keys[] = {"a", "b", "t", "12"};
    for (size_t i = 0; i < 4; i++) {
        char *text = part_text(one, i);
        assert_string_equal(text, texts[i]);
        assert_string_equal(one->parts[i].key, keys[i]);
        free(text);
    }
    assert_body(one, "<body><tr data-key=\"a\" class=\"x\"><td>0</td></tr>"
                     "<tr data-key=\"b\" class=\"x\"><td>1</td></tr><p data-key=\"t\">1</p>"
                     "<i data-key=\"12\">i</i>end</body>");
    struct script_page *two = script_page_ref(fixture_render(f, "/?v=2"));
    assert_int_equal(one->skeleton_hash, two->skeleton_hash);
    assert_int_equal(one->parts[0].hash, two->parts[0].hash);
    assert_int_not_equal(one->parts[1].hash, two->parts[1].hash);
    assert_string_not_equal(one->etag, two->etag);
    assert_int_not_equal(one->skeleton_hash, fixture_render(f, "/?v=1&order=ba")->skeleton_hash);
    script_page_unref(one);
    script_page_unref(two);
}

static void test_parts_refuse_nonsense(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *view, *says;
    } cases[] = {
        {"<% live.row('a', function() live.row('b', '<p></p>') end) %>", "rows do not nest"},
        {"<%- live.row('a', '<p></p>') %><%- live.row('a', '<p></p>') %>", "is there twice"},
        {"<%- live.row('a', 'text') %>", "must be one element"},
        {"<%- live.row('', '<p></p>') %>", "1 to 128 bytes"},
        {"<%- live.row('\\n', '<p></p>') %>", "no control characters"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        fixture_write(f, "views/index.html", cases[i].view);
        struct script_page *page = fixture_render(f, "/");
        assert_int_equal(page->status, 500);
        assert_has(page, cases[i].says);
        assert_has(page, "views/index.html:1:");
    }
}

/* Somebody names his miner so that it looks like a mark of ours; and a row that string functions
 * cut in two. Neither confuses the page, and no mark stays in it. */
static void test_marks_cannot_be_forged(void **state)
{
    struct fixture *f = *state;
    fixture_write(f, "views/index.html",
                  "<%= '\\27' .. ('0'):rep(32) .. '<0;' %><%- live.row('a', '<p>x</p>') %>");
    struct script_page *page = fixture_render(f, "/");
    assert_int_equal(page->n_parts, 1);
    assert_null(memchr(page->body, 27, page->body_len));
    fixture_write(f, "views/index.html",
                  "<%- tostring(live.row('a', '<p>x</p>')):gsub('</p>.*', '') %>");
    page = fixture_render(f, "/");
    assert_int_equal(page->n_parts, 0);
    assert_body(page, "<p data-key=\"a\">x");
}

static void test_modules(void **state)
{
    struct fixture *f = *state;
    fixture_write(f, "views/partials/tools.lua",
                  "local name, core = ...\nassert(core == nil)\nlocal t = { name = name, n = 0 }\n"
                  "function t.up() t.n = t.n + 1 return t.n end\nreturn t");
    lua_view(state, "local a = require 'partials.tools' local b = require 'partials/tools'\n"
                    "assert(a == b and require 'format' == format and _G.json == require 'json')\n"
                    "a.up() return a.name .. b.up()");
    assert_body(fixture_render(f, "/api/x"), "partials.tools2");
    static const char *const bad[] = {"../x", "/etc/passwd", "a..b", "", "x y", ".hidden"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char *text = shep_asprintf("require '%s'", bad[i]);
        lua_view(state, text);
        free(text);
        assert_has(fixture_render(f, "/api/x"), "is no name of a module");
    }
    lua_view(state, "require 'nothing'");
    assert_has(fixture_render(f, "/api/x"), "there is no lua/nothing.lua");
    fixture_write(f, "views/partials/a.lua", "require 'partials.b'");
    fixture_write(f, "views/partials/b.lua", "require 'partials.a'");
    lua_view(state, "require 'partials.a'");
    assert_has(fixture_render(f, "/api/x"), "requires itself");
}

static void test_sources(void **state)
{
    struct fixture *f = lua_view(
        state,
        "local names = shepherd.sources()\n"
        "for i = 2, #names do assert(names[i - 1] < names[i]) end\n"
        "assert(shepherd.source('lua/format.lua'):find('function format.number', 1, true))\n"
        "for _, bad in ipairs{ 'lua/none.lua', 'lua/README.md', 'lua/../a.lua', 'lua/.lua',\n"
        "    'views/api/x.lua', '/etc/passwd', '', 'lua/locale/de.lua', 'lua/a.lua\\0' } do\n"
        "  assert(not pcall(shepherd.source, bad), bad) end\n"
        "return html.raw(table.concat(names, ' '))");
    fixture_copy_lua(f);
    fixture_write(f, "lua/zz.lua", "-- last");
    fixture_write(f, "lua/.hidden.lua", "");
    fixture_pool(f);
    assert_has(fixture_render(f, "/api/x"), "lua/chart.lua lua/display.lua lua/format.lua");
    assert_has(fixture_render(f, "/api/x"), " lua/zz.lua");
    assert_lacks(fixture_render(f, "/api/x"), "hidden");
    lua_view(state, "return shepherd.source('lua/zz.lua')");
    struct script_page *page = fixture_render(f, "/api/x");
    assert_body(page, "-- last");
    fixture_write(f, "lua/zz.lua", "-- edited");
    assert_false(script_deps_fresh(page->deps, page->n_deps));
    assert_body(fixture_render(f, "/api/x"), "-- edited");
}

/* Every function that a view may call has its description in lua/shepherd.lua, and no other. */
static void test_reference_is_whole(void **state)
{
    lua_view(state,
             "local described = {}\n"
             "for _, entry in ipairs(require('reference').read(shepherd.source('lua/shepherd.lua'))"
             ".entries) do\n"
             "  local name = entry.name\n"
             "  assert(#entry.text > 0 and #entry.returns > 0, name)\n"
             "  local short = name:match('^shepherd%.([%w_]+)$')\n"
             "  local value = short and shepherd[short] or _G[name]\n"
             "  assert(type(value) == 'function', name .. ' is no function')\n"
             "  assert(not described[name], name .. ' is described twice')\n"
             "  described[name] = true end\n"
             "local n = 0\n"
             "for name, value in pairs(shepherd) do if type(value) == 'function' then n = n + 1\n"
             "  assert(described['shepherd.' .. name], name .. ' is not described') end end\n"
             "assert(n > 10 and require 'shepherd' == shepherd)\n"
             "for _, name in ipairs{ 'include', 'layout', 't', 'sorted_pairs', 'print' } do\n"
             "  assert(described[name], name .. ' is not described') end\n"
             "assert(not pcall(function() shepherd.herd = 1 end))\n"
             "return 'ok'");
    assert_body(fixture_render(*state, "/api/x"), "ok");
}

static void test_format(void **state)
{
    struct fixture *f = lua_view(
        state,
        "local f, out = format, {}\n"
        "local function is(got, want) if got ~= want then error(got .. ' is not ' .. want, 2) end "
        "end\n"
        "is(f.hashrate(55123), '55.12 kH/s') is(f.hashrate(0), '0 H/s') is(f.hashrate(nil), '–')\n"
        "is(f.hashrate(999.96e3), '1.000 MH/s') is(f.hashrate(1.2e12), '1.200 TH/s')\n"
        "local v, u = f.hashrate_parts(55123) is(v .. '|' .. u, '55.12|kH/s')\n"
        "is(f.number(1234567.891), '1,234,567.89') is(f.number(1000), '1,000') is(f.number(-12), "
        "'-12')\n"
        "is(f.number(999), '999') is(f.number(0.5), '0.50') is(f.number(1e15), "
        "'1,000,000,000,000,000')\n"
        "is(f.number(0/0), '–') is(f.number(1/0), '–') is(f.number(12.345, 1), '12.3')\n"
        "is(f.difficulty(1234567), '1.235M') is(f.difficulty(0.001), '0.001') "
        "is(f.difficulty(5e18), '5E')\n"
        "is(f.duration(93784), '1d 02:03:04') is(f.duration(59.9), '00:00:59') is(f.duration(nil), "
        "'–')\n"
        "is(f.temperature(61.5), '61.5 °C') is(f.bytes(1500), '1.5 kB') is(f.khs(55123), '55.12')\n"
        "is(f.percent(0.125), '12.5 %') is(f.iso(0), '1970-01-01T00:00:00Z')\n"
        "is(f.iso(951782400000), '2000-02-29T00:00:00Z') is(f.utc(1760797800999), '2025-10-18 "
        "14:30:00 UTC')\n"
        "is(f.iso(-1), '1969-12-31T23:59:59Z') is(f.iso(4102444800000), '2100-01-01T00:00:00Z')\n"
        "return 'ok'");
    assert_body(fixture_render(f, "/api/x"), "ok");
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_herd),
        T(test_miners_are_filled_when_read),
        T(test_herd_moves),
        T(test_herd_groups),
        T(test_miner_by_id_and_name),
        T(test_params),
        T(test_facts_config_system),
        T(test_config_fills_itself),
        T(test_request),
        T(test_words),
        T(test_respond),
        T(test_age),
        T(test_json),
        T(test_same_data_same_bytes),
        T(test_gzip),
        T(test_parts),
        T(test_parts_refuse_nonsense),
        T(test_marks_cannot_be_forged),
        T(test_modules),
        T(test_sources),
        T(test_reference_is_whole),
        T(test_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
