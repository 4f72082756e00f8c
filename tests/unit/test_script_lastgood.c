/* A careless edit takes no page away: the code that worked last stands in, then the shipped view.
 */
#include "script_fixture.h"

static void assert_errors(struct fixture *f, uint64_t n)
{
    struct script_stats stats;
    script_stats_get(f->pool, &stats);
    assert_int_equal(stats.errors, n);
}

static void test_edit_shows_at_the_next_request(void **state)
{
    struct fixture *f = *state;
    fixture_write(f, "views/partials/p.html", "p0");
    for (int i = 0; i < 20; i++) { /* as fast as an editor never is, with the same size */
        char *text = shep_asprintf("<%%- include('partials/p') %%>%d", i % 10);
        char *part = shep_asprintf("p%d", i % 10), *both = shep_asprintf("p%d%d", i % 10, i % 10);
        fixture_write(f, "views/index.html", text);
        fixture_write(f, "views/partials/p.html", part);
        assert_body(fixture_render(f, "/"), both);
        free(text);
        free(part);
        free(both);
    }
}

static void test_new_override_of_a_partial(void **state)
{
    struct fixture *f = *state;
    fixture_write(f, "views/index.html", "<%- include('partials/p') %>");
    fixture_write(f, "views/partials/p.html", "shipped");
    struct script_page *page = fixture_render(f, "/");
    assert_body(page, "shipped");
    fixture_write(f, "over/partials/p.html", "mine");
    assert_false(script_deps_fresh(page->deps, page->n_deps));
    assert_body(fixture_render(f, "/"), "mine");
    fixture_remove(f, "over/partials/p.html");
    assert_body(fixture_render(f, "/"), "shipped");
}

static void check_stand_in(struct fixture *f, const char *body, const char *says)
{
    struct script_page *page = fixture_render(f, "/");
    assert_int_equal(page->status, 200);
    assert_true(page->degraded);
    assert_has(page, body);
    assert_has(page, says);
    assert_has(page, "<body class=\"a>b\"><div class=\"shep-banner");
    assert_has(page, "role=\"alert\"");
}

/* Any file of it may be the edited one; views ask in the order in which files are used. */
static void test_edited(void **state)
{
    struct fixture *f = *state;
    fixture_write(f, "views/p.html",
                  "<%= shepherd.edited() %> <%- include('partials/x') %> <%= shepherd.edited() %>"
                  "<% layout('partials/frame') %>");
    fixture_write(f, "views/partials/frame.html",
                  "<body>[<%- content %>] <%= shepherd.edited() %>");
    fixture_write(f, "views/partials/x.html", "x");
    struct script_page *page = fixture_render(f, "/p");
    assert_has(page, "[false x false] false");
    assert_false(page->edited);
    fixture_write(f, "over/partials/x.html", "y");
    page = fixture_render(f, "/p");
    assert_has(page, "[false y true] true");
    assert_true(page->edited);
    fixture_write(f, "over/partials/x.html", "<% error('no') %>"); /* its last version is shown */
    page = fixture_render(f, "/p");
    assert_has(page, "[false y true] true");
    assert_true(page->edited && page->degraded);
    fixture_remove(f, "over/partials/x.html");
    assert_false(fixture_render(f, "/p")->edited);
    fixture_write(f, "over/partials/frame.html", "<body>{<%- content %>} <%= shepherd.edited() %>");
    assert_has(fixture_render(f, "/p"), "{false x false} true");
    fixture_remove(f, "over/partials/frame.html");
    fixture_write(f, "over/p.lua", "return tostring(shepherd.edited())");
    assert_has(fixture_render(f, "/p"), "true");
    fixture_remove(f, "over/p.lua");
    fixture_write(f, "views/partials/m.lua", "return {}");
    fixture_write(f, "views/p.html", "<% require 'partials.m' %><%= shepherd.edited() %>");
    assert_body(fixture_render(f, "/p"), "false");
    fixture_write(f, "over/partials/m.lua", "return {}");
    assert_body(fixture_render(f, "/p"), "true");
}

static void test_broken_edit_shows_last_good(void **state)
{
    struct fixture *f = *state;
    static const char good[] = "<body class=\"a>b\"><%- include('partials/p', {n = 1}) %> "
                               "<%= shepherd.params{ v = 0 }.v %></body>";
    fixture_write(f, "views/index.html", good);
    fixture_write(f, "views/partials/p.html", "<p><%= n %></p>");
    assert_body(fixture_render(f, "/?v=1"), "<body class=\"a>b\"><p>1</p> 1</body>");

    fixture_write(f, "views/index.html", "<body>\n\n<%= 1 + %>");
    check_stand_in(f, "<p>1</p> 0</body>", "views/index.html:3: unexpected symbol");
    fixture_write(f, "views/index.html", "<body>\n<%= nil + 1 %>");
    check_stand_in(f, "<p>1</p> 0</body>", "views/index.html:2: attempt to perform arithmetic");
    fixture_write(f, "views/partials/p.html", "<%= html.raw(1, %>"); /* the partial too */
    check_stand_in(f, "<p>1</p> 0</body>", "views/index.html:2:");
    fixture_write(f, "views/index.html", good);
    check_stand_in(f, "<p>1</p> 0</body>", "views/partials/p.html:1:");
    fixture_remove(f, "views/partials/p.html");
    check_stand_in(f, "<p>1</p> 0</body>", "there is no views/partials/p.html");

    struct script_page *page = fixture_render(f, "/?v=2"); /* current data and parameters */
    assert_has(page, "<p>1</p> 2</body>");
    fixture_write(f, "views/partials/p.html", "<i><%= n %></i>");
    assert_false(script_deps_fresh(page->deps, page->n_deps));
    page = fixture_render(f, "/");
    assert_body(page, "<body class=\"a>b\"><i>1</i> 0</body>");
    assert_false(page->degraded);
}

static void test_broken_library_shows_last_good(void **state)
{
    struct fixture *f = *state;
    fixture_copy_lua(f);
    fixture_write(f, "views/index.html", "<body class=\"a>b\"><%= format.number(1234) %>");
    fixture_pool(f);
    assert_body(fixture_render(f, "/"), "<body class=\"a>b\">1,234");
    fixture_write(f, "lua/format.lua", "return {\n\nnumber = function(");
    check_stand_in(f, ">1,234", "lua/format.lua:3:");
    fixture_write(f, "lua/template.lua", "nonsense");
    check_stand_in(f, ">1,234", "lua/template.lua:1:");
}

/* The same code on other data: there is no better code to show. */
static void test_unchanged_code_that_fails_is_an_error(void **state)
{
    struct fixture *f = *state;
    fixture_write(f, "views/index.html", "\n<%= 1 // shepherd.params{ v = 1 }.v %>");
    struct script_page *page;
    do /* until the file is older than what counts as just written */
        page = fixture_render(f, "/");
    while (!script_deps_fresh(page->deps, page->n_deps));
    assert_int_equal(page->status, 200);
    page = fixture_render(f, "/?v=0");
    assert_int_equal(page->status, 500);
    assert_has(page, "views/index.html:2: attempt to");
    assert_int_equal(page->n_params, 0);
    assert_errors(f, 1); /* nothing else was tried */
    assert_int_equal(fixture_render(f, "/?v=2")->status, 200);
}

static void test_after_a_restart_the_shipped_view(void **state)
{
    struct fixture *f = *state;
    fixture_write(f, "views/index.html",
                  "<body class=\"a>b\">shipped <%- include('partials/p') %>");
    fixture_write(f, "views/partials/p.html", "p");
    fixture_write(f, "over/index.html", "\n<% broken( %>");
    check_stand_in(f, "shipped p", "/over/index.html:2:");
    fixture_remove(f, "over/index.html");
    assert_body(fixture_render(f, "/"), "<body class=\"a>b\">shipped p");
    fixture_pool(f); /* an overridden partial breaks a shipped page */
    fixture_write(f, "over/partials/p.html", "<% broken( %>");
    check_stand_in(f, "shipped p", "/over/partials/p.html:1:");
    fixture_pool(f);
    fixture_write(f, "over/index.lua", "return nil + 1"); /* of another kind */
    check_stand_in(f, "shipped p", "/over/index.lua:1:");
}

static void test_nothing_to_show(void **state)
{
    struct fixture *f = *state;
    fixture_write(f, "views/index.html", "\n\n<% error('<b>boom') %>");
    struct script_page *page = fixture_render(f, "/");
    assert_int_equal(page->status, 500);
    assert_has(page, "views/index.html:3: &lt;b&gt;boom");
    assert_errors(f, 1);
    assert_lacks(page, "traceback");
    fixture_write(f, "views/api/x.lua", "\nerror('boom')");
    page = fixture_render(f, "/api/x");
    assert_int_equal(page->status, 500);
    assert_string_equal(page->content_type, "application/json; charset=utf-8");
    assert_body(page, "{\"success\":false,\"message\":\"views/api/x.lua:2: boom\"}");
}

static void test_json_gets_no_banner(void **state)
{
    struct fixture *f = *state;
    fixture_write(f, "views/api/x.lua", "return { a = 1 }");
    assert_body(fixture_render(f, "/api/x"), "{\"a\":1}");
    fixture_write(f, "views/api/x.lua", "return { a = ");
    struct script_page *page = fixture_render(f, "/api/x");
    assert_body(page, "{\"a\":1}");
    assert_true(page->degraded);
}

/* A .lua replaced the .html: the last good one is a template still. */
static void test_kind_changes(void **state)
{
    struct fixture *f = *state;
    fixture_write(f, "views/index.html", "<body class=\"a>b\">html");
    assert_has(fixture_render(f, "/"), "html");
    fixture_write(f, "over/index.lua", "return 1 +");
    check_stand_in(f, ">html", "/over/index.lua:1:");
}

static void test_parts_move_with_the_banner(void **state)
{
    struct fixture *f = *state;
    fixture_write(f, "views/index.html", "<body class=\"a>b\"><%- live.row('k', '<p>x</p>') %>");
    fixture_render(f, "/");
    fixture_write(f, "views/index.html", "<% nonsense");
    struct script_page *page = fixture_render(f, "/");
    assert_true(page->degraded);
    assert_int_equal(page->n_parts, 1);
    assert_memory_equal(page->body + page->parts[0].offset, "<p data-key=\"k\">x</p>", 21);
}

/* Sources of views that were not asked for in a long time make room. */
static void test_last_good_is_bounded(void **state)
{
    struct fixture *f = *state;
    struct buf text = {0};
    buf_add_str(&text, "<body class=\"a>b\"><% --[[ ");
    for (int i = 0; i < 20000; i++)
        buf_printf(&text, "%08d ", i);
    for (int i = 0; i < 60; i++) {
        char *name = shep_asprintf("views/v%d.html", i), *path = shep_asprintf("/v%d", i);
        struct buf view = {0};
        buf_add(&view, text.data, text.len);
        buf_printf(&view, "]] %%>%d", i);
        fixture_write(f, name, view.data);
        assert_int_equal(fixture_render(f, path)->status, 200);
        buf_free(&view);
        free(name);
        free(path);
    }
    fixture_write(f, "views/v0.html", "<% nonsense");
    assert_int_equal(fixture_render(f, "/v0")->status, 500);
    fixture_write(f, "views/v59.html", "<% nonsense");
    assert_int_equal(fixture_render(f, "/v59")->status, 200);
    buf_free(&text);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_edit_shows_at_the_next_request),
        T(test_new_override_of_a_partial),
        T(test_edited),
        T(test_broken_edit_shows_last_good),
        T(test_broken_library_shows_last_good),
        T(test_unchanged_code_that_fails_is_an_error),
        T(test_after_a_restart_the_shipped_view),
        T(test_nothing_to_show),
        T(test_json_gets_no_banner),
        T(test_kind_changes),
        T(test_parts_move_with_the_banner),
        T(test_last_good_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
