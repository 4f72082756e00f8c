/* Templates: what is printed, how it is escaped, and that every mistake names its own line. */
#include "script_fixture.h"

static struct fixture *view(void **state, const char *text)
{
    struct fixture *f = *state;
    fixture_write(f, "views/index.html", text);
    return f;
}

static void test_prints(void **state)
{
    struct fixture *f = view(state, "<p><%= '<a>' .. \"&'\\\"\" %></p>\n"
                                    "<%# a comment\n over two lines %><% for i = 1, 3 do -%>\n"
                                    "<%= i %>,<% end %>\n<%- '<b>' %> <%= nil %><%%= no tag %>\n"
                                    "<% -- a comment at the end %>after\n<%= 'x' -- here too %>!");
    struct script_page *page = fixture_render(f, "/");
    assert_int_equal(page->status, 200);
    assert_string_equal(page->content_type, "text/html; charset=utf-8");
    assert_body(page, "<p>&lt;a&gt;&amp;&#39;&quot;</p>\n1,2,3,\n<b> <%= no tag %>\nafter\nx!");
    assert_int_equal(page->topics, 0);
    assert_int_equal(page->max_age_ms, -1);
    assert_false(page->degraded);
}

static void test_text_is_kept_byte_for_byte(void **state)
{
    struct fixture *f =
        view(state, "a\\b\"c'\r\n\t[[x]] --[[ no ]] \xc3\xa9 \x01 ]]\n\n<% (print)() %>"
                    "(1)\n--x\n\\0\n");
    assert_body(fixture_render(f, "/"),
                "a\\b\"c'\r\n\t[[x]] --[[ no ]] \xc3\xa9 \x01 ]]\n\n(1)\n--x\n\\0\n");
}

static void test_escape_drops_control_characters(void **state)
{
    struct fixture *f = view(state, "<%= 'a\\0b\\27[31mc\\127\\n\\td' %>");
    assert_body(fixture_render(f, "/"), "ab[31mc\n\td");
}

static void test_raw_values_pass(void **state)
{
    struct fixture *f =
        view(state,
             "<%= html.raw('<i>') %><%= html.el('b', {class='x\"y', hidden=true, n=nil}, '<', 7) %>"
             "<%= html.escape(html.raw('<u>')) %>|<%= 'a' .. html.raw('<s>') %>|"
             "<%= html.join({'<', html.raw('<')}, ', ') %><%= html.time(0) %>"
             "<%= html.time(1760797800000) %><%= html.el('br') %><%= #html.raw('abc') %>");
    assert_body(fixture_render(f, "/"),
                "<i><b class=\"x&quot;y\" hidden>&lt;7</b><u>|a&lt;s&gt;|&lt;, <never"
                "<time datetime=\"2025-10-18T14:30:00Z\" data-age>2025-10-18 14:30:00 UTC</time>"
                "<br>3");
}

static void test_include_and_layout(void **state)
{
    struct fixture *f = *state;
    fixture_write(f, "views/partials/layout.html",
                  "<html><title><%= title %></title><body class='>'><%- content %></body></html>");
    fixture_write(f, "views/partials/item.html", "<li><%= name %><%= missing %></li>");
    view(
        state,
        "<% layout('partials/layout', { title = 'T&T' }) %>"
        "<% for _, n in ipairs{'a','<b>'} do %><%- include('partials/item', {name=n}) %><% end %>");
    struct script_page *page = fixture_render(f, "/");
    assert_body(page, "<html><title>T&amp;T</title><body class='>'>"
                      "<li>a</li><li>&lt;b&gt;</li></body></html>");
    fixture_write(f, "views/partials/layout.html",
                  "<% layout('partials/outer') %>[<%= content %>]");
    fixture_write(f, "views/partials/outer.html", "{<%- content %>}");
    assert_body(fixture_render(f, "/"), "{[<li>a</li><li>&lt;b&gt;</li>]}");
}

static void test_caught_error_in_include_leaves_the_page_whole(void **state)
{
    struct fixture *f = *state;
    fixture_write(f, "views/partials/bad.html", "half<% error('no') %>");
    view(state, "a<% local ok = pcall(include, 'partials/bad') %><%= tostring(ok) %>b"
                "<%- include('partials/good') %>c");
    fixture_write(f, "views/partials/good.html", "+");
    assert_body(fixture_render(f, "/"), "afalseb+c");
}

static void check_error(struct fixture *f, const char *text, const char *where)
{
    fixture_write(f, "views/index.html", text);
    struct script_page *page = fixture_render(f, "/");
    assert_int_equal(page->status, 500);
    assert_has(page, where);
}

static void test_mistakes_name_their_line(void **state)
{
    struct fixture *f = *state;
    check_error(f, "1\n2\n<% local x = = 1 %>\n", "views/index.html:3: unexpected symbol");
    check_error(f, "1\n<%= nothing.here %>\n", "views/index.html:2: attempt to index a nil value");
    check_error(f, "1\n\n<%= 1", "views/index.html:3: &lt;% is not closed");
    check_error(f, "1\n<%= %>", "views/index.html:2: &lt;%= %&gt; has nothing to print");
    check_error(f, "<% for i = 1, 2 do %>\n\n", "views/index.html:3:");
    check_error(f, "a\n<%# c\nc %>\n<% if true then -%>\n\n<% x = 1 end %>",
                "views/index.html:6: global &quot;x&quot; cannot be set");
    check_error(f, "a\n<% html.el('b\"') %>", "views/index.html:2: html.el");
    check_error(f, "a\n\n<% error({}) %>", "views/index.html:3: raised an error that is a table");
    fixture_write(f, "views/partials/p.html", "\n\n\n<%= a.b.c %>");
    check_error(f, "\n<%- include('partials/p') %>", "views/partials/p.html:4:");
    check_error(f, "\n<%- include('partials/none') %>", "there is no views/partials/none.html");
    check_error(f, "\n<%- include('../x') %>", "is no name of a file here");
    fixture_write(f, "views/partials/m.lua", "\n\nlocal a = nil + 1");
    check_error(f, "\n<% require 'partials.m' %>", "views/partials/m.lua:3: attempt to perform");
}

static void test_long_names_keep_their_line(void **state)
{
    struct fixture *f = *state;
    fixture_write(f,
                  "views/a_rather_long_folder_name/another_long_folder_name/the_view_itself.html",
                  "\n\n<%= x.y %>");
    struct script_page *page =
        fixture_render(f, "/a_rather_long_folder_name/another_long_folder_name/the_view_itself");
    assert_has(page,
               "views/a_rather_long_folder_name/another_long_folder_name/the_view_itself.html:3:");
    fixture_write(f,
                  "views/a_rather_long_folder_name/another_long_folder_name/the_view_itself.html",
                  "\n\n\n<%= x. %>");
    page = fixture_render(f, "/a_rather_long_folder_name/another_long_folder_name/the_view_itself");
    assert_has(page,
               "views/a_rather_long_folder_name/another_long_folder_name/the_view_itself.html:4:");
}

static void test_bounds(void **state)
{
    struct fixture *f =
        view(state, "<% while true do %>0123456789012345678901234567890123456789<% end %>");
    assert_has(fixture_render(f, "/"), "the page is over 4 MiB");
    view(state, "<%= ('&'):rep(3000000) %>");
    assert_has(fixture_render(f, "/"), "the page is over 4 MiB");
    fixture_write(f, "views/partials/self.html", "<%- include('partials/self') %>");
    view(state, "<%- include('partials/self') %>");
    assert_has(fixture_render(f, "/"), "deep");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_prints, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_text_is_kept_byte_for_byte, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_escape_drops_control_characters, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_raw_values_pass, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_include_and_layout, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_caught_error_in_include_leaves_the_page_whole,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_mistakes_name_their_line, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_long_names_keep_their_line, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_bounds, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
