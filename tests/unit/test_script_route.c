/* From a path to the file that serves it. */
#include "script_fixture.h"

#include <fcntl.h>
#include <sys/stat.h>

static void check(struct fixture *f, const char *path, const char *file, const char *name)
{
    struct script_route route;
    script_route_find(f->pool, path, false, &route);
    char *want = file ? fixture_path(f, file) : NULL;
    if (!str_eq(route.file, want) || !str_eq(route.name, name))
        fail_msg("%s: %s, %s instead of %s, %s", path, route.file ? route.file : "no route",
                 route.name ? route.name : "-", want ? want : "no route", name ? name : "-");
    free(want);
    script_route_free(&route);
}

static int setup(void **state)
{
    static const char *const files[] = {
        "views/index.html",
        "views/a.html",
        "views/b/c.lua",
        "views/b/index.html",
        "views/both.html",
        "views/both.lua",
        "views/partials/x.html",
        "views/static/x.html",
        "views/_hidden.html",
        "views/d/_x.html",
        "views/.dot.html",
        "views/d/miner/[id].html",
        "views/d/miner/new.html",
        "views/d/[kind]/x.html",
        "views/e/[id]/index.lua",
        "views/text.txt",
        "views/node_modules/x.html",
        "views/static2/x.html",
        "over/a.lua",
        "over/b/only.html",
        "over/d/miner/[id].html",
    };
    fixture_setup(state);
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        fixture_write(*state, files[i], "x");
    fixture_pool(*state);
    return 0;
}

static void test_routes(void **state)
{
    struct fixture *f = *state;
    check(f, "/", "views/index.html", "index");
    check(f, "/a", "over/a.lua", "a");
    check(f, "/b", "views/b/index.html", "b/index");
    check(f, "/b/c", "views/b/c.lua", "b/c");
    check(f, "/b/only", "over/b/only.html", "b/only");
    check(f, "/both", "views/both.html", "both");
    check(f, "/d/miner/7", "over/d/miner/[id].html", "d/miner/[id]");
    check(f, "/d/miner/new", "views/d/miner/new.html", "d/miner/new");
    check(f, "/d/pool/x", "views/d/[kind]/x.html", "d/[kind]/x");
    check(f, "/e/7", "views/e/[id]/index.lua", "e/[id]/index");
    check(f, "/static2/x", "views/static2/x.html", "static2/x");
}

static void test_no_routes(void **state)
{
    static const char *const paths[] = {
        "",
        "a",
        "//",
        "/a/",
        "//a",
        "/a//b",
        "/index",
        "/b/index",
        "/_hidden",
        "/d/_x",
        "/.dot",
        "/partials/x",
        "/static/x",
        "/node_modules/x",
        "/..",
        "/../a",
        "/b/../a",
        "/./a",
        "/d/miner/[id]",
        "/d/miner/_7",
        "/d/miner/.7",
        "/nothing",
        "/b/c/d",
        "/text.txt",
        "/a.lua",
        "/a\\b",
        "/a\nb",
        "/d/miner",
        "/d/miner/7/8",
    };
    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        check(*state, paths[i], NULL, NULL);
    struct buf deep = {0}, longest = {0};
    for (int i = 0; i < 2000; i++)
        buf_add_str(&deep, "/a");
    buf_add_str(&longest, "/d/miner/");
    for (int i = 0; i < 129; i++)
        buf_add_str(&longest, "7");
    check(*state, deep.data, NULL, NULL);
    check(*state, longest.data, NULL, NULL);
    longest.data[longest.len - 1] = '\0';
    check(*state, longest.data, "over/d/miner/[id].html", "d/miner/[id]");
    buf_free(&deep);
    buf_free(&longest);
}

static void test_shipped_only(void **state)
{
    struct fixture *f = *state;
    struct script_route route;
    char *shipped = fixture_path(f, "views/a.html");
    script_route_find(f->pool, "/a", true, &route);
    assert_string_equal(route.file, shipped);
    assert_true(route.is_html);
    free(shipped);
    script_route_free(&route);
    script_route_find(f->pool, "/b/only", true, &route);
    assert_null(route.file);
    script_route_free(&route);
}

static void test_param(void **state)
{
    struct fixture *f = *state;
    struct script_route route;
    script_route_find(f->pool, "/d/miner/B\xc3\xa4rn 1", false, &route);
    assert_string_equal(route.param_name, "id");
    assert_string_equal(route.param_value, "B\xc3\xa4rn 1");
    script_route_free(&route);
    script_route_find(f->pool, "/d/miner/new", false, &route);
    assert_null(route.param_name);
    script_route_free(&route);
}

/* So old that its time counts. */
static void age(struct fixture *f, const char *name)
{
    struct timespec old[2] = {{1000000000, 0}, {1000000000, 0}};
    char *path = fixture_path(f, name);
    assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
    free(path);
}

static bool stays_fresh(struct fixture *f, const char *path, const char *add)
{
    struct script_route route;
    script_route_find(f->pool, path, false, &route);
    assert_true(script_deps_fresh(route.deps, route.n_deps));
    if (add)
        fixture_write(f, add, "x");
    bool fresh = script_deps_fresh(route.deps, route.n_deps);
    script_route_free(&route);
    return fresh;
}

static void test_deps_notice(void **state)
{
    struct fixture *f = *state;
    static const char *const aged[] = {"views/index.html",
                                       "views/b/c.lua",
                                       "over/d/miner/[id].html",
                                       "views/d/miner",
                                       "over/d/miner",
                                       "views/d",
                                       "over/d",
                                       "views",
                                       "over",
                                       "views/d/miner/new.html"};
    for (size_t i = 0; i < ARRAY_LEN(aged); i++)
        age(f, aged[i]);
    assert_true(stays_fresh(f, "/", NULL));
    assert_true(stays_fresh(f, "/", "over/other.html"));
    assert_false(stays_fresh(f, "/", "over/index.lua"));    /* a new override */
    assert_false(stays_fresh(f, "/b/c", "views/b/c.html")); /* .html goes before .lua */
    fixture_remove(f, "views/b/c.html");
    assert_false(stays_fresh(f, "/b/c", "over/b/c.html"));
    assert_true(stays_fresh(f, "/d/miner/7", NULL));
    assert_false(stays_fresh(f, "/d/miner/7", "over/d/miner/7.html"));
    age(f, "over");
    age(f, "views");
    assert_false(stays_fresh(f, "/nothing/here", "over/nothing/here.html"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_routes, setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_no_routes, setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_shipped_only, setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_param, setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_deps_notice, setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
