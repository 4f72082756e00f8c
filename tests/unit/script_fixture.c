#include "script_fixture.h"

#include <dirent.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WAIT_MS = 20000 };

static struct script_page *last_page;

static const void *topic_bytes(enum topic topic, size_t *len, void *arg)
{
    struct fixture *f = arg;
    static const char config[] = "{\"listen\":[\"127.0.0.1:8080\"],\"offline\":false}";
    const struct snap_head *head;
    switch (topic) {
    case TOPIC_HERD:
        head = herd_snapshot(f->herd);
        *len = head->total_bytes;
        return head;
    case TOPIC_FACTS:
        return facts_all(f->facts, len);
    case TOPIC_CONFIG:
        *len = f->config ? strlen(f->config) : sizeof config - 1;
        return f->config ? f->config : config;
    default:
        *len = 0;
        return NULL;
    }
}

char *fixture_path(struct fixture *f, const char *name)
{
    return path_join_dup(f->dir, name);
}

void fixture_write(struct fixture *f, const char *name, const char *text)
{
    char *path = fixture_path(f, name);
    char *slash = strrchr(path, '/');
    *slash = '\0';
    assert_int_equal(dir_make(path, 0755), 0);
    *slash = '/';
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    free(path);
}

void fixture_remove(struct fixture *f, const char *name)
{
    char *path = fixture_path(f, name);
    assert_int_equal(unlink(path), 0);
    free(path);
}

void fixture_copy_lua(struct fixture *f)
{
    DIR *dir = opendir(TEST_SOURCE_DIR "/lua");
    struct dirent *entry;
    while ((entry = readdir(dir))) {
        if (entry->d_name[0] == '.' || !strstr(entry->d_name, ".lua"))
            continue;
        char *from = path_join_dup(TEST_SOURCE_DIR "/lua", entry->d_name);
        char *to = path_join_dup("lua", entry->d_name);
        char *text = file_read_dup(from, 1 << 20, NULL);
        fixture_write(f, to, text);
        free(text);
        free(from);
        free(to);
    }
    closedir(dir);
    f->conf.lua_dir = f->lua;
}

int fixture_setup(void **state)
{
    struct fixture *f = shep_alloc(sizeof *f);
    snprintf(f->dir, sizeof f->dir, "/tmp/shep-script-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->views = fixture_path(f, "views");
    f->over = fixture_path(f, "over");
    f->lua = fixture_path(f, "lua");
    f->db = fixture_path(f, "shepherd.db");
    f->exe = path_join_dup(TEST_BUILD_DIR, "shepherd-script");
    dir_make(f->views, 0755);
    dir_make(f->over, 0755);
    f->loop = loop_new(1);
    f->topics = topics_new(f->loop);
    f->herd = herd_new(f->loop, f->topics, &(struct herd_conf){.silent_after_ms = 60000});
    f->facts = facts_new(f->topics);
    f->view_dirs[0] = f->over;
    f->conf = (struct script_conf){.exe = f->exe,
                                   .lua_dir = TEST_SOURCE_DIR "/lua",
                                   .views_dir = f->views,
                                   .view_dirs = f->view_dirs,
                                   .n_view_dirs = 1,
                                   .n_processes = 1,
                                   .fixed_now_ms = 1760797800000,
                                   .topic_data = topic_bytes,
                                   .arg = f};
    *state = f;
    return 0;
}

void fixture_pool(struct fixture *f)
{
    script_pool_free(f->pool);
    f->pool = script_pool_new(f->loop, f->topics, &f->conf);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    return remove(path);
}

int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    script_page_unref(last_page);
    last_page = NULL;
    script_pool_free(f->pool);
    facts_free(f->facts);
    herd_free(f->herd);
    topics_free(f->topics);
    loop_free(f->loop);
    nftw(f->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(f->views);
    free(f->over);
    free(f->lua);
    free(f->db);
    free(f->exe);
    free(f);
    return 0;
}

void fixture_wait(struct fixture *f, const bool *done)
{
    int64_t end_ms = clock_mono_ms() + WAIT_MS;
    while (!*done) {
        loop_run_once(f->loop, 2);
        if (clock_mono_ms() > end_ms)
            fail_msg("nothing came within %d s", WAIT_MS / 1000);
    }
}

struct waiting {
    size_t left;
    bool done;
    struct slot {
        struct waiting *all;
        struct script_page **page;
    } slots[128];
};

static void on_page(struct script_page *page, void *arg)
{
    struct slot *slot = arg;
    *slot->page = page;
    slot->all->done = --slot->all->left == 0;
}

static void ask(struct fixture *f, const char *target, struct slot *slot)
{
    struct script_param query[80];
    size_t n = 0;
    char *copy = shep_strdup(target);
    char *at = strchr(copy, '?');
    if (at)
        *at++ = '\0';
    while (at && *at && n < ARRAY_LEN(query)) {
        char *next = strchr(at, '&');
        if (next)
            *next++ = '\0';
        char *value = strchr(at, '=');
        if (value)
            *value++ = '\0';
        query[n++] = (struct script_param){at, value ? value : ""};
        at = next;
    }
    struct script_request request = {.path = copy,
                                     .query = query,
                                     .n_query = n,
                                     .role = f->role ? f->role : "viewer",
                                     .locale = f->locale ? f->locale : "en",
                                     .want_gzip = true};
    script_render(f->pool, &request, on_page, slot);
    free(copy);
}

void fixture_render_all(struct fixture *f, const char *const *targets, size_t n,
                        struct script_page **pages)
{
    struct waiting *waiting = shep_alloc(sizeof *waiting);
    assert_true(n <= ARRAY_LEN(waiting->slots));
    waiting->left = n;
    for (size_t i = 0; i < n; i++) {
        waiting->slots[i] = (struct slot){waiting, &pages[i]};
        ask(f, targets[i], &waiting->slots[i]);
    }
    fixture_wait(f, &waiting->done);
    free(waiting);
}

struct script_page *fixture_render(struct fixture *f, const char *target)
{
    struct script_page *page = NULL;
    if (!f->pool)
        fixture_pool(f);
    fixture_render_all(f, &target, 1, &page);
    script_page_unref(last_page);
    return last_page = page;
}

void fixture_settle(struct fixture *f)
{
    int64_t end_ms = clock_mono_ms() + 3 * TOPIC_TICK_MS;
    while (clock_mono_ms() < end_ms)
        loop_run_once(f->loop, TOPIC_TICK_MS);
}

void assert_body(const struct script_page *page, const char *text)
{
    assert_string_equal(page->body, text);
}

void assert_has(const struct script_page *page, const char *text)
{
    if (!strstr(page->body, text))
        fail_msg("\"%s\" is not in %d: %s", text, page->status, page->body);
}

void assert_lacks(const struct script_page *page, const char *text)
{
    if (strstr(page->body, text))
        fail_msg("\"%s\" is in %d: %s", text, page->status, page->body);
}
