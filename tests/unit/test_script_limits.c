/* The scripts of tests/system/lua_limits, each of which hangs a naive guard or gets round one. The
 * first line of each says how it must end:
 *   -- ends: hook          stopped by the instruction hook, within the process
 *   -- ends: killed        only the daemon can end it, and does; other pages are served meanwhile
 *   -- ends: error TEXT    an error page that says so
 *   -- ends: ok            the script itself checks, and returns "ok" */
#include "script_fixture.h"

#include <dirent.h>

enum { DEADLINE_MS = 4000 }; /* long enough for the hook to come first on a busy machine */

static const char folder[] = TEST_SOURCE_DIR "/tests/system/lua_limits";

static char *read_script(const char *name, char *ends, size_t cap)
{
    static const char head[] = "-- ends: ";
    char *path = path_join_dup(folder, name);
    char *text = file_read_dup(path, 1 << 16, NULL);
    free(path);
    assert_non_null(text);
    assert_memory_equal(text, head, sizeof head - 1);
    str_copy(ends, cap, text + sizeof head - 1, strcspn(text + sizeof head - 1, "\n"));
    return text;
}

/* The script, and a page that another process makes while it runs. */
static void run_script(struct fixture *f, const char *name)
{
    char ends[128];
    char *text = read_script(name, ends, sizeof ends);
    static const char *const targets[] = {"/bad", "/good"};
    struct script_page *pages[2];
    struct script_stats stats;
    print_message("           %s: %s\n", name, ends);
    fixture_write(f, "views/bad.lua", text);
    fixture_write(f, "views/good.html", "good");
    f->conf.deadline_ms = DEADLINE_MS;
    f->conf.n_processes = 2;
    fixture_pool(f);
    fixture_render_all(f, targets, 2, pages);
    script_stats_get(f->pool, &stats);
    assert_body(pages[1], "good");
    assert_int_equal(stats.killed, strcmp(ends, "killed") == 0);
    if (strcmp(ends, "ok") == 0) {
        assert_body(pages[0], "ok");
    } else if (strcmp(ends, "killed") == 0) {
        assert_int_equal(pages[0]->status, 503);
        assert_has(pages[0], "views/bad.lua: took longer than 4.0 s and was stopped");
    } else {
        assert_int_equal(pages[0]->status, 500);
        assert_has(pages[0], "views/bad.lua");
        bool by_wall =
            strstr(pages[0]->body, "took too long") != NULL; /* others had the processor */
        if (strcmp(ends, "hook") != 0)
            assert_has(pages[0], ends + strlen("error "));
        else if (!by_wall)
            assert_has(pages[0], "used up its processor time");
    }
    script_page_unref(pages[0]);
    script_page_unref(pages[1]);
    free(text);
}

static int is_script(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    return dot && strcmp(dot, ".lua") == 0;
}

static void test_every_script(void **state)
{
    struct dirent **names;
    int n = scandir(folder, &names, is_script, alphasort);
    assert_true(n >= 30);
    for (int i = 0; i < n; i++) {
        run_script(*state, names[i]->d_name);
        free(names[i]);
    }
    free(names);
}

enum { SHORT_MS = 1500 }; /* a page that works has to be made within it on a busy machine too */

/* Twice stopped: not tried again before it is edited; a process is not wasted on it. */
static void test_hanging_view_is_blocked_until_it_changes(void **state)
{
    struct fixture *f = *state;
    char ends[128];
    char *text = read_script("bomb_pattern.lua", ends, sizeof ends);
    struct script_stats stats;
    fixture_write(f, "views/bad.lua", text);
    free(text);
    f->conf.deadline_ms = SHORT_MS;
    fixture_pool(f);
    assert_int_equal(fixture_render(f, "/bad")->status, 503);
    script_stats_get(f->pool, &stats);
    assert_string_equal(stats.blocked, "");
    assert_int_equal(fixture_render(f, "/bad")->status, 503);
    script_stats_get(f->pool, &stats);
    assert_int_equal(stats.killed, 2);
    assert_string_equal(stats.blocked, "bad");
    struct script_page *page = fixture_render(f, "/bad");
    assert_int_equal(page->status, 503);
    assert_has(page, "not tried again before one of its files changes");
    assert_true(page->n_deps > 0);
    script_stats_get(f->pool, &stats);
    assert_int_equal(stats.killed, 2);
    fixture_write(f, "views/bad.lua", "return 'mended'");
    assert_body(fixture_render(f, "/bad"), "mended");
    script_stats_get(f->pool, &stats);
    assert_string_equal(stats.blocked, "");
}

/* An edit that hangs costs one deadline; then the last version that worked is there again. */
static void test_hanging_edit_shows_last_good(void **state)
{
    struct fixture *f = *state;
    struct script_stats stats;
    fixture_write(f, "views/bad.html", "<body><p>worked</p>");
    f->conf.deadline_ms = SHORT_MS;
    fixture_pool(f);
    assert_body(fixture_render(f, "/bad"), "<body><p>worked</p>");
    fixture_write(f, "views/bad.html", "<% (''):rep(math.maxinteger) %>");
    for (int i = 0; i < 4; i++) {
        struct script_page *page = fixture_render(f, "/bad");
        assert_int_equal(page->status, 200);
        assert_true(page->degraded);
        assert_has(page, "was stopped");
        assert_has(page, "<p>worked</p>");
    }
    script_stats_get(f->pool, &stats);
    assert_int_equal(stats.killed, 2);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_every_script),
        T(test_hanging_view_is_blocked_until_it_changes),
        T(test_hanging_edit_shows_last_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
