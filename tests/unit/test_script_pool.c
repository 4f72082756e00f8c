/* Script processes that die, lie, hang or are not there: the daemon's side survives each and says
 * what happened. The lying ones are this very program, started under a name that says how it lies.
 */
#include "script_fixture.h"

#include "script/proto/proto.h"

#include <errno.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DIES_WITHIN_MS = 30000 }; /* far beyond what any machine needs */

/* ---- the lying process ---- */

static void fake_send(struct buf *out)
{
    if (write(PROTO_FD, out->data, out->len) < 0)
        _exit(0);
    buf_clear(out);
}

static void fake_wait_for(enum frame_type type)
{
    struct buf in = {0};
    struct frame frame;
    size_t used;
    for (;;) {
        while (frame_next(in.data, in.len, PROTO_TO_WORKER_MAX, &frame, &used) == 1) {
            bool found = frame.type == type;
            memmove(in.data, in.data + used, in.len - used);
            in.len -= used;
            if (found) {
                buf_free(&in);
                return;
            }
        }
        buf_reserve(&in, 65536);
        ssize_t n = read(PROTO_FD, in.data + in.len, 65536);
        if (n <= 0)
            _exit(0);
        in.len += (size_t)n;
    }
}

static void put_page(struct buf *out, uint32_t status, uint32_t flags, const char *type,
                     uint32_t offset)
{
    size_t mark = frame_begin(out, FRAME_DONE);
    put_u8(out, DONE_PAGE);
    put_u32(out, 0);  /* topics */
    put_i64(out, -1); /* max age */
    put_u32(out, 0);  /* parameters */
    put_u32(out, status);
    put_u32(out, flags);
    put_str(out, type);
    put_str(out, "");
    put_str(out, "W/\"x\"");
    put_u64(out, 0);
    put_u64(out, 0);
    put_u32(out, 1); /* parts */
    put_str(out, "key");
    put_u32(out, offset);
    put_u32(out, 2);
    put_u64(out, 0);
    put_str(out, "body");
    put_str(out, "");
    frame_end(out, mark);
}

static void put_done(struct buf *out, uint32_t status, const char *type, uint32_t offset)
{
    put_page(out, status, 0, type, offset);
}

static void put_empty(struct buf *out, enum frame_type type)
{
    frame_end(out, frame_begin(out, type));
}

/* What each lie sends when it is asked for a page. */
static void fake_answer(const char *lie, struct buf *out)
{
    if (strcmp(lie, "status") == 0) {
        put_done(out, 999, "text/html", 0);
    } else if (strcmp(lie, "header") == 0) {
        put_done(out, 200, "text/html\r\nSet-Cookie: a=b", 0);
    } else if (strcmp(lie, "part") == 0) {
        put_done(out, 200, "text/html", 3);
    } else if (strcmp(lie, "far-part") == 0) {
        put_done(out, 200, "text/html", UINT32_MAX);
    } else if (strcmp(lie, "flags") == 0) {
        put_page(out, 200, PAGE_FLAGS_END, "text/html", 0);
    } else if (strcmp(lie, "empty") == 0) {
        put_empty(out, FRAME_DONE);
    } else if (strcmp(lie, "dep") == 0) {
        put_empty(out, FRAME_DEP);
    } else if (strcmp(lie, "source") == 0) {
        put_empty(out, FRAME_SOURCE);
    } else if (strcmp(lie, "log") == 0) {
        put_empty(out, FRAME_LOG);
    } else if (strcmp(lie, "direction") == 0) {
        put_empty(out, FRAME_RENDER);
    } else if (strcmp(lie, "topic") == 0) {
        size_t mark = frame_begin(out, FRAME_NEED);
        put_u8(out, 200);
        frame_end(out, mark);
    } else if (strcmp(lie, "needs") == 0) {
        for (int i = 0; i < 1000; i++) {
            size_t mark = frame_begin(out, FRAME_NEED);
            put_u8(out, 0);
            frame_end(out, mark);
        }
    } else if (strcmp(lie, "length") == 0) {
        buf_add(out, "\xff\xff\xff\xff\x08\0\0\0", 8);
    } else if (strcmp(lie, "garbage") == 0) {
        buf_add_str(out, "garbage, garbage, garbage");
    } else if (strcmp(lie, "dies") == 0) {
        _exit(3);
    }
}

static int fake_main(void)
{
    const char *path = (const char *)getauxval(AT_EXECFN);
    const char *lie = strrchr(path, '/') + 1;
    struct buf out = {0};
    if (strcmp(lie, "exits") == 0)
        return 1;
    if (strcmp(lie, "early") == 0) {
        put_empty(&out, FRAME_LOG);
        fake_send(&out);
    }
    for (;;) {
        fake_wait_for(FRAME_RENDER);
        fake_answer(lie, &out);
        fake_send(&out);
        if (strcmp(lie, "once") == 0)
            put_done(&out, 200, "text/html", 0);
    }
}

/* ---- tests ---- */

static void use_fake(struct fixture *f, const char *lie)
{
    char self[512];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    assert_true(n > 0);
    self[n] = '\0';
    char *path = fixture_path(f, lie);
    assert_int_equal(symlink(self, path), 0);
    free(f->exe);
    f->conf.exe = f->exe = path;
    fixture_write(f, "views/index.html", "real");
    fixture_pool(f);
}

static void test_lies_end_the_process_not_the_daemon(void **state)
{
    static const char *const lies[] = {"status", "header", "part",   "far-part", "flags",
                                       "empty",  "dep",    "source", "log",      "direction",
                                       "topic",  "needs",  "length", "garbage",  "dies"};
    struct fixture *f = *state;
    for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
        use_fake(f, lies[i]);
        struct script_page *page = fixture_render(f, "/");
        struct script_stats stats;
        script_stats_get(f->pool, &stats);
        assert_int_equal(page->status, 503);
        assert_has(page, "the script process was lost");
        assert_int_equal(stats.killed, 2); /* it was tried again once */
        assert_string_equal(stats.blocked, "index");
    }
}

static void test_speaking_unasked_or_dying_at_once_backs_off(void **state)
{
    static const char *const lies[] = {"early", "exits"};
    struct fixture *f = *state;
    for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
        struct script_stats stats;
        use_fake(f, lies[i]);
        int64_t begun_ms = clock_mono_ms();
        do {
            loop_run_once(f->loop, 50);
            script_stats_get(f->pool, &stats);
        } while (stats.killed < 4 && clock_mono_ms() - begun_ms < DIES_WITHIN_MS);
        assert_int_equal(stats.killed, 4);
        assert_true(clock_mono_ms() - begun_ms >= 700); /* the pauses are 100, 200 and 400 ms */
    }
}

static void test_missing_program(void **state)
{
    struct fixture *f = *state;
    free(f->exe);
    f->conf.exe = f->exe = shep_strdup("/nonexistent/shepherd-script");
    fixture_write(f, "views/index.html", "real");
    f->conf.n_processes = 2;
    fixture_pool(f);
    struct script_page *page = fixture_render(f, "/");
    assert_int_equal(page->status, 503);
    assert_has(page, "/nonexistent/shepherd-script cannot be started: No such file or directory");
}

static int only_pid(const struct fixture *f)
{
    struct script_stats stats;
    script_stats_get(f->pool, &stats);
    return stats.pids[0];
}

static void test_killed_from_outside_is_started_again(void **state)
{
    struct fixture *f = *state;
    fixture_write(f, "views/index.html", "fine");
    assert_body(fixture_render(f, "/"), "fine");
    for (int i = 0; i < 5; i++) {
        int pid = only_pid(f);
        assert_int_equal(kill(pid, SIGKILL), 0);
        struct script_page *page = fixture_render(f, "/"); /* noticed while it is asked */
        assert_body(page, "fine");
        assert_false(page->degraded);
        assert_int_not_equal(only_pid(f), pid);
    }
    struct script_stats stats;
    script_stats_get(f->pool, &stats);
    assert_int_equal(stats.killed, 5);
    assert_string_equal(stats.blocked, "");
}

static bool has_child(void)
{
    return waitpid(-1, NULL, WNOHANG) >= 0 || errno != ECHILD;
}

static void test_no_zombies(void **state)
{
    struct fixture *f = *state;
    fixture_write(f, "views/index.html", "fine");
    fixture_render(f, "/");
    script_pool_free(f->pool);
    f->pool = NULL;
    assert_false(has_child());
}

static void ignore_page(struct script_page *page, void *arg)
{
    script_page_unref(page);
}

/* The daemon is killed: its script processes go with it, also one that cannot hear that its socket
 * is closed because a script hangs in it. */
static void test_processes_die_with_the_daemon(void **state)
{
    struct fixture *f = *state;
    int fds[2], worker = 0;
    assert_int_equal(pipe(fds), 0);
    enum { UNTIL_IT_HANGS_MS = 500 };
    fixture_write(f, "views/slow.lua", "return ('').rep('', math.maxinteger)");
    pid_t daemon = fork();
    if (daemon == 0) {
        struct loop *loop = loop_new(1);
        struct topics *topics = topics_new(loop);
        struct script_pool *pool = script_pool_new(loop, topics, &f->conf);
        struct script_stats stats;
        script_stats_get(pool, &stats);
        script_render(pool, &(struct script_request){.path = "/slow"}, ignore_page, NULL);
        loop_run_once(loop, UNTIL_IT_HANGS_MS);
        if (write(fds[1], &stats.pids[0], sizeof stats.pids[0]) > 0)
            kill(getpid(), SIGKILL);
        _exit(1);
    }
    assert_int_equal(read(fds[0], &worker, sizeof worker), sizeof worker);
    assert_true(worker > 0);
    waitpid(daemon, NULL, 0);
    int64_t end_ms = clock_mono_ms() + 5000;
    char path[64];
    bool gone = false;
    while (!gone && clock_mono_ms() < end_ms) {
        char state_of[512] = "";
        snprintf(path, sizeof path, "/proc/%d/stat", worker);
        FILE *file = fopen(path, "r");
        gone = !file || !fgets(state_of, sizeof state_of, file) || strstr(state_of, ") Z ");
        if (file)
            fclose(file);
    }
    close(fds[0]);
    close(fds[1]);
    assert_true(gone);
}

struct answer {
    struct script_page **pages;
    size_t n;
};

static void take(struct script_page *page, void *arg)
{
    struct answer *answer = arg;
    answer->pages[answer->n++] = page;
}

static void test_stopping_answers_what_waits(void **state)
{
    struct fixture *f = *state;
    static const char *const targets[] = {"/slow", "/x", "/y"};
    fixture_write(f, "views/slow.lua", "return ('').rep('', math.maxinteger)");
    fixture_write(f, "views/x.html", "x");
    fixture_write(f, "views/y.html", "y");
    fixture_pool(f);
    struct script_page *pages[3] = {0};
    struct answer answer = {pages, 0};
    for (size_t i = 0; i < 3; i++)
        script_render(f->pool, &(struct script_request){.path = targets[i]}, take, &answer);
    assert_int_equal(answer.n, 0); /* never within the call */
    loop_run_once(f->loop, 100);
    script_pool_free(f->pool);
    f->pool = NULL;
    assert_int_equal(answer.n, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pages[i]->status, 503);
        assert_has(pages[i], "is stopping");
        script_page_unref(pages[i]);
    }
}

static void test_queue_is_bounded(void **state)
{
    struct fixture *f = *state;
    enum { N = 100 };
    const char *targets[N];
    struct script_page *pages[N];
    size_t n_busy = 0, n_fine = 0;
    fixture_write(f, "views/index.html", "fine");
    fixture_pool(f);
    for (size_t i = 0; i < N; i++)
        targets[i] = "/";
    fixture_render_all(f, targets, N, pages);
    for (size_t i = 0; i < N; i++) {
        n_busy += pages[i]->status == 503;
        n_fine += pages[i]->status == 200;
        script_page_unref(pages[i]);
    }
    assert_int_equal(n_fine + n_busy, N);
    assert_int_equal(n_fine, SCRIPT_QUEUE_MAX + 1);
}

/* Renders of who, and in which order they came back. */
struct asked {
    uint64_t asker;
    struct script_page *page;
    size_t place;
};

static size_t n_came;

static void on_asked(struct script_page *page, void *arg)
{
    struct asked *asked = arg;
    asked->page = page;
    asked->place = n_came++;
}

static void ask_as(struct fixture *f, struct asked *asked, size_t n, uint64_t asker)
{
    for (size_t i = 0; i < n; i++) {
        asked[i].asker = asker;
        script_render(f->pool, &(struct script_request){.path = "/", .asker = asker}, on_asked,
                      &asked[i]);
    }
}

static void wait_asked(struct fixture *f, size_t n)
{
    int64_t end_ms = clock_mono_ms() + 20000;
    while (n_came < n && clock_mono_ms() < end_ms)
        loop_run_once(f->loop, 2);
    assert_int_equal(n_came, n);
}

static size_t fine_and_free(struct asked *asked, size_t n)
{
    size_t n_fine = 0;
    for (size_t i = 0; i < n; i++) {
        n_fine += asked[i].page->status == 200;
        script_page_unref(asked[i].page);
    }
    return n_fine;
}

static void pool_with_index(struct fixture *f)
{
    n_came = 0;
    fixture_write(f, "views/index.html", "fine");
    fixture_pool(f);
}

static void test_askers_take_turns(void **state)
{
    struct fixture *f = *state;
    static const uint64_t turns[] = {1, 1, 2, 3, 1, 2, 1, 2, 1};
    struct asked asked[9] = {0};
    pool_with_index(f);
    ask_as(f, asked, 5, 1); /* one is begun at once */
    ask_as(f, asked + 5, 3, 2);
    ask_as(f, asked + 8, 1, 3);
    wait_asked(f, 9);
    for (size_t i = 0; i < 9; i++)
        assert_int_equal(asked[i].asker, turns[asked[i].place]);
    assert_int_equal(fine_and_free(asked, 9), 9);
}

/* Of one asker's hundred and more, those give way that came last. */
static void test_who_asks_for_much_makes_room(void **state)
{
    struct fixture *f = *state;
    enum { MUCH = 120, FEW = 20 };
    struct asked much[MUCH] = {0}, few[2 * FEW] = {0};
    pool_with_index(f);
    ask_as(f, much, MUCH, 1);
    ask_as(f, few, FEW, 2);
    ask_as(f, few + FEW, FEW, 3);
    wait_asked(f, MUCH + 2 * FEW);
    for (size_t i = 0; i < MUCH; i++)
        assert_int_equal(much[i].page->status, i < SCRIPT_QUEUE_MAX + 1 - 2 * FEW ? 200 : 503);
    fine_and_free(much, MUCH);
    assert_int_equal(fine_and_free(few, 2 * FEW), 2 * FEW);
}

/* A page that somebody else waits for as well neither comes as late as the many in front of it, nor
 * makes room as the last of them. */
static void test_shared_render_comes_at_the_earlier_turn(void **state)
{
    struct fixture *f = *state;
    enum { MUCH = SCRIPT_QUEUE_MAX + 1 };
    struct asked much[MUCH] = {0}, few[2] = {0};
    pool_with_index(f);
    ask_as(f, much, MUCH, 1);
    struct asked *shared = &much[MUCH - 1];
    script_render_shared(f->pool, shared, 2);
    script_render_shared(f->pool, shared, 1); /* nobody gets it back into the end of a queue */
    ask_as(f, few, 2, 3);
    wait_asked(f, MUCH + 2);
    assert_int_equal(shared->page->status, 200);
    assert_true(shared->place <= 5);
    assert_int_equal(fine_and_free(few, 2), 2);
    assert_int_equal(fine_and_free(much, MUCH), MUCH - 2);
}

/* Two processes, and a view that hangs is asked for three times: others are served all the while.
 */
static void test_one_view_takes_one_process(void **state)
{
    struct fixture *f = *state;
    static const char *const targets[] = {"/slow?a=1", "/slow?a=2", "/x", "/slow?a=3", "/x"};
    struct script_page *pages[5];
    fixture_write(f, "views/slow.lua", "return ('').rep('', math.maxinteger)");
    fixture_write(f, "views/x.html", "x");
    f->conf.n_processes = 2;
    f->conf.deadline_ms = 1000;
    fixture_pool(f);
    fixture_render_all(f, targets, 5, pages);
    assert_body(pages[2], "x");
    assert_body(pages[4], "x");
    struct script_stats stats;
    script_stats_get(f->pool, &stats);
    assert_int_equal(stats.killed, 2); /* the third was not tried */
    for (size_t i = 0; i < 5; i++)
        script_page_unref(pages[i]);
}

static void test_not_found(void **state)
{
    struct fixture *f = *state;
    struct script_page *page = fixture_render(f, "/nothing");
    assert_int_equal(page->status, 404);
    assert_string_equal(page->content_type, "text/html; charset=utf-8");
    assert_true(page->n_deps > 0);
    page = fixture_render(f, "/api/nothing");
    assert_body(page, "{\"success\":false,\"message\":\"There is no such page.\"}");
}

static void test_environment_is_clean(void **state)
{
    struct fixture *f = *state;
    char path[64], text[65536];
    setenv("SHEP_TEST_SECRET", "do not tell", 1);
    fixture_write(f, "views/index.html", "fine");
    fixture_render(f, "/");
    unsetenv("SHEP_TEST_SECRET");
    snprintf(path, sizeof path, "/proc/%d/environ", only_pid(f));
    FILE *file = fopen(path, "r");
    if (!file) /* PR_SET_DUMPABLE: not even we may look */
        return;
    size_t n = fread(text, 1, sizeof text, file);
    fclose(file);
    assert_null(memmem(text, n, "do not tell", 11));
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "--serve") == 0)
        return fake_main();
    const struct CMUnitTest tests[] = {
        T(test_lies_end_the_process_not_the_daemon),
        T(test_speaking_unasked_or_dying_at_once_backs_off),
        T(test_missing_program),
        T(test_killed_from_outside_is_started_again),
        T(test_no_zombies),
        T(test_processes_die_with_the_daemon),
        T(test_stopping_answers_what_waits),
        T(test_queue_is_bounded),
        T(test_askers_take_turns),
        T(test_who_asks_for_much_makes_room),
        T(test_shared_render_comes_at_the_earlier_turn),
        T(test_one_view_takes_one_process),
        T(test_not_found),
        T(test_environment_is_clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
