/* The configuration: keys, lines, and every mistake with its line. */
#include "script_fixture.h"

#include "shepherd/plugin.h"

#include <jansson.h>
#include <sys/stat.h>

static int eval(struct fixture *f, const char *text, char **json, char *err, size_t cap)
{
    fixture_write(f, "shepherd.lua", text);
    char *file = fixture_path(f, "shepherd.lua");
    int rc = script_eval_config(f->exe, file, json, err, cap);
    free(file);
    return rc;
}

static void test_keys_and_lines(void **state)
{
    static const char text[] =
        "-- comment with listen = 1 in it\n"
        "listen = \"127.0.0.1:8080\" -- after\n"
        "local pi = 'pi.local'\n"
        "hosts = { pi,\n"
        "  'b' }\n"
        "--[[ long\n"
        "miners = {} ]]\n"
        "miners = {\n"
        "  { id = 'A', source = 'serial' },\n"
        "  { id = 'B', [ 'path' ] = '/dev/' .. ('x'), baud = (115200),\n"
        "    options = { 1, { deep = true } } },\n"
        "}\n"
        "offline = false\n"
        "plugins = { price = { interval = 1.5, provider = [[a}b]] }, udp = false, [2] = nil }\n"
        "view_dirs = {}\n"
        "keep = hosts[1] .. '/x'\n";
    char *json = NULL, err[512] = "";
    int rc = eval(*state, text, &json, err, sizeof err);
    assert_string_equal(err, "");
    assert_int_equal(rc, 0);
    json_t *got = json_loads(json, 0, NULL);
    json_t *want = json_loads(
        "{\"keys\":{\"hosts\":[\"pi.local\",\"b\"],\"keep\":\"pi.local/x\","
        "\"listen\":\"127.0.0.1:8080\",\"miners\":[{\"id\":\"A\",\"source\":\"serial\"},"
        "{\"baud\":115200,\"id\":\"B\",\"options\":[1,{\"deep\":true}],\"path\":\"/dev/x\"}],"
        "\"offline\":false,\"plugins\":{\"price\":{\"interval\":1.5,\"provider\":\"a}b\"},"
        "\"udp\":false},\"view_dirs\":[]},"
        "\"lines\":{\"hosts\":4,\"hosts[1]\":4,\"hosts[2]\":5,\"keep\":16,\"listen\":2,"
        "\"miners\":8,\"miners[1]\":9,\"miners[1].id\":9,\"miners[1].source\":9,\"miners[2]\":10,"
        "\"miners[2].baud\":10,\"miners[2].id\":10,\"miners[2].options\":11,"
        "\"miners[2].options[1]\":11,\"miners[2].options[2]\":11,"
        "\"miners[2].options[2].deep\":11,\"miners[2].path\":10,\"offline\":13,\"plugins\":14,"
        "\"plugins.price\":14,\"plugins.price.interval\":14,\"plugins.price.provider\":14,"
        "\"plugins.udp\":14,\"plugins[2]\":14,\"view_dirs\":15}}",
        0, NULL);
    assert_non_null(want);
    if (!json_equal(got, want))
        fail_msg("%s", json);
    json_decref(got);
    json_decref(want);
    free(json);
}

static void test_mistakes(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"listen = 'a'\nhosts = {\n  'b',\n", "shepherd.lua:4: unexpected symbol near <eof>"},
        {"listen = 'a'\nlisten = = 1", "shepherd.lua:2: unexpected symbol"},
        {"\nlisten = function() end", "shepherd.lua:2: \"listen\" is a function"},
        {"\nplugins = {\n  x = print }\nplugins.x = function() end",
         "shepherd.lua:3: \"plugins.x\" is"},
        {"a = {}\na.b = { c = a }", "shepherd.lua:1: \"a.b.c.b.c.b.c.b.c\" is nested too deep"},
        {"a = { 1, b = 2 }", "shepherd.lua:1: \"a\" is neither a list"},
        {"a = { [3] = 1 }", "shepherd.lua:1: \"a\" is neither a list"},
        {"a = 1/0", "shepherd.lua:1: \"a\" is not a finite number"},
        {"a = '\\xff'", "shepherd.lua:1: \"a\" is not UTF-8"},
        {"a = 'x\\0y'", "shepherd.lua:1: \"a\" contains a NUL"},
        {"os.execute('reboot')", "shepherd.lua:1: attempt to index a nil value (global 'os')"},
        {"require 'x'", "shepherd.lua:1: attempt to call a nil value (global 'require')"},
        {"a = {\n  b = {\n    c = function() end } }", "shepherd.lua:3: \"a.b.c\" is a function"},
        {"local s = 'a' while true do s = s .. s end", "shepherd.lua: needs more than 24 MiB"},
        {"\33Lua", "binary chunk"},
        {"error('my\\nown')", "shepherd.lua:1: attempt to call a nil value"},
        {"a = ('x'):rep(10)", "shepherd.lua:1: attempt to index a string value"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *json = NULL, err[1024] = "";
        assert_int_equal(eval(f, cases[i].text, &json, err, sizeof err), SHEP_E_CONFIG);
        assert_null(json);
        if (!strstr(err, cases[i].says))
            fail_msg("%s\nsays: %s\nnot:  %s", cases[i].text, err, cases[i].says);
    }
}

/* Stopped by its processor time; on a machine that gave it none, by the clock on the wall. */
static void test_a_loop_is_stopped(void **state)
{
    struct fixture *f = *state;
    char *json = NULL, err[1024] = "";
    assert_int_equal(eval(f, "while true do end", &json, err, sizeof err), SHEP_E_CONFIG);
    assert_null(json);
    assert_true(strstr(err, "shepherd.lua:1: used up its processor time") ||
                strstr(err, "shepherd.lua:1: took too long"));
}

static void test_bounds(void **state)
{
    struct fixture *f = *state;
    char *json = NULL, err[1024] = "";
    struct buf text = {0};
    buf_add_str(&text, "a = '");
    for (int i = 0; i < 5000; i++)
        buf_add(&text, "x", 1);
    buf_add_str(&text, "'");
    assert_int_equal(eval(f, text.data, &json, err, sizeof err), SHEP_E_CONFIG);
    assert_non_null(strstr(err, "is longer than 4 KiB"));
    buf_clear(&text);
    while (text.len < 300000)
        buf_add_str(&text, "-- comment\n");
    assert_int_equal(eval(f, text.data, &json, err, sizeof err), SHEP_E_CONFIG);
    assert_non_null(strstr(err, "larger than 256 KiB"));
    buf_free(&text);
    assert_int_equal(script_eval_config(f->exe, "/nonexistent.lua", &json, err, sizeof err),
                     SHEP_E_CONFIG);
    assert_string_equal(err, "/nonexistent.lua: No such file or directory");
    assert_int_equal(script_eval_config("/nonexistent", "/etc/hostname", &json, err, sizeof err),
                     SHEP_E_CONFIG);
    assert_non_null(strstr(err, "/nonexistent cannot be started"));
    assert_int_equal(script_eval_config("/bin/true", "/etc/hostname", &json, err, sizeof err),
                     SHEP_E_CONFIG);
    assert_non_null(strstr(err, "could not be evaluated"));
}

/* A program in its place that never ends: silent, with its output closed, or talking. */
static void test_deadline(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *script, *says;
    } cases[] = {
        {"#!/bin/sh\nexec tail -f /dev/null\n", "/x.lua: took longer than 2 s"},
        {"#!/bin/sh\nexec cat /dev/zero > /dev/null\n", "/x.lua: could not be evaluated"},
        {"#!/bin/sh\nexec cat /dev/zero\n", "/x.lua: took longer than 2 s"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *json = NULL, err[256];
        fixture_write(f, "hang", cases[i].script);
        char *hang = fixture_path(f, "hang");
        assert_int_equal(chmod(hang, 0755), 0);
        assert_int_equal(script_eval_config(hang, "/x.lua", &json, err, sizeof err), SHEP_E_CONFIG);
        assert_memory_equal(err, cases[i].says, strlen(cases[i].says));
        free(hang);
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {T(test_keys_and_lines), T(test_mistakes),
                                       T(test_a_loop_is_stopped), T(test_bounds), T(test_deadline)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
