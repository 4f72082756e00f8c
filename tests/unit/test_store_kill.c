/* SIGKILL at random moments, 30 times: the database opens clean, every line that the store counted
 * as written is there, in order, none twice, and the next run goes on. Children write as fast as a
 * flock of 100 would, or much faster, and tell through a pipe what they handed over and when.
 *
 * That this counts within 2 s hangs on the machine: a busy one may let a writer wait for so long.
 * So it must hold for one of the 18 that write slowly (a batch of the others is full before its
 * time), unless their commits took long; a store that collects for longer fails them all, with
 * short commits or none. */
#include "test_store_util.h"

#include <signal.h>
#include <sys/wait.h>

enum {
    CHILDREN = 10,
    ROUNDS = 3,
    LIFE_LEAST_MS = 3000, /* so that something is older than 2 s */
    LIFE_MORE_MS = 1200,
    PROMISE_MS = 2000,
    BUSY_US = 250 * 1000, /* a commit takes some ms */
    FAST_LINES = 500,     /* of a turn of every third child */
    SLOW_LINES = 3,
    TOLD_MAX = 100000
};

struct told {
    int64_t at_ms, lines, events;          /* handed over */
    int64_t written_lines, written_events; /* the store says so */
    int64_t commit_max_us;
};

struct child {
    struct fix fix;
    pid_t pid;
    int fd;
    struct told *told;
    size_t n_told;
};

static void child_run(struct fix *fix, int fd, int per_turn)
{
    struct told told = {0};
    char text[32];
    fix->loop = loop_new(1);
    if (fix_try_open(fix) != 0)
        _exit(1);
    int64_t a = put_miner(fix, "A");
    told.lines = sql_int(fix, "SELECT coalesce(max(id), 0) FROM miner_logs");
    told.events = sql_int(fix, "SELECT coalesce(max(id), 0) FROM events");
    const struct told before = told;
    for (;;) {
        struct store_stats stats;
        store_stats_get(fix->store, &stats);
        told.written_lines = before.lines + (int64_t)stats.lines;
        told.written_events = before.events + (int64_t)stats.events;
        told.commit_max_us = stats.commit_max_us;
        for (int i = 0; i < per_turn; i++) {
            snprintf(text, sizeof text, "%lld", (long long)told.lines + 1);
            told.lines += put_line(fix, a, clock_wall_ms(), text) == 0;
        }
        struct shep_event event = {.size = sizeof event, .event = SHEP_EV_RESET, .miner_id = a};
        store_event(fix->store, &event);
        told.events++;
        told.at_ms = wait_clock_ms();
        if (write(fd, &told, sizeof told) != sizeof told)
            _exit(2);
        loop_run_once(fix->loop, 10);
    }
}

static bool is_fast(int number)
{
    return number % 3 == 0;
}

static void child_start(struct child *child, int number)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    child->n_told = 0;
    child->pid = fork();
    if (child->pid == 0) {
        close(fds[0]);
        child_run(&child->fix, fds[1], is_fast(number) ? FAST_LINES : SLOW_LINES);
    }
    close(fds[1]);
    child->fd = fds[0];
}

static void child_began(struct child *child)
{
    struct told told;
    assert_int_equal(read(child->fd, &told, sizeof told), sizeof told);
    child->told[child->n_told++] = told;
}

static void child_listen(struct child *child)
{
    struct told told;
    while (child->n_told < TOLD_MAX && read(child->fd, &told, sizeof told) == sizeof told)
        child->told[child->n_told++] = told;
    close(child->fd);
}

/* Was all there that was handed over 2 s before? */
static bool child_check(struct child *child, int64_t killed_ms)
{
    struct fix *fix = &child->fix;
    struct told promised = {0};
    for (size_t i = 0; i < child->n_told; i++)
        if (child->told[i].at_ms <= killed_ms - PROMISE_MS)
            promised = child->told[i];
    const struct told *last = &child->told[child->n_told - 1];
    assert_int_equal(sql_int(fix, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
    int64_t n = sql_int(fix, "SELECT count(*) FROM miner_logs");
    int64_t n_events = sql_int(fix, "SELECT count(*) FROM events");
    assert_true(n >= last->written_lines);
    assert_true(n <= last->lines + FAST_LINES); /* what was not told yet */
    assert_int_equal(sql_int(fix, "SELECT max(id) FROM miner_logs"), n);
    assert_int_equal(sql_int(fix, "SELECT count(*) FROM miner_logs WHERE id <> CAST(line AS INT)"),
                     0);
    assert_true(n_events >= last->written_events);
    assert_int_equal(sql_int(fix, "SELECT coalesce(max(id), 0) FROM events"), n_events);
    return promised.lines > 0 && n >= promised.lines && n_events >= promised.events;
}

/* The daemon carries on, and its books are right. */
static void child_goes_on(struct child *child)
{
    struct fix *fix = &child->fix;
    int64_t n = sql_int(fix, "SELECT count(*) FROM miner_logs");
    fix->loop = loop_new(1);
    fix_open(fix);
    assert_string_equal(fix->err, "");
    fix_close(fix);
    loop_free(fix->loop);
    assert_int_equal(sql_int(fix, "SELECT n FROM log_state"), n);
    assert_int_equal(sql_int(fix, "SELECT sum(n) FROM log_index"), n);
}

static void kill_loses_two_seconds_at_most(void **state)
{
    static struct child children[CHILDREN];
    bool kept = false, busy = false;
    srandom((unsigned)wait_clock_ms());
    for (int i = 0; i < CHILDREN; i++) {
        fix_make(&children[i].fix);
        loop_free(children[i].fix.loop); /* each child makes its own */
        children[i].told = shep_alloc_array(TOLD_MAX, sizeof *children[i].told);
    }
    for (int round = 0; round < ROUNDS; round++) {
        int64_t killed_ms[CHILDREN];
        for (int i = 0; i < CHILDREN; i++)
            child_start(&children[i], i);
        for (int i = 0; i < CHILDREN; i++) /* a busy machine starts them late */
            child_began(&children[i]);
        int64_t begun = wait_clock_ms();
        for (int i = 0; i < CHILDREN; i++) { /* one after the other, at random distances */
            int64_t at = begun + LIFE_LEAST_MS + LIFE_MORE_MS * i / CHILDREN + random() % 100;
            while (wait_clock_ms() < at)
                usleep(500);
            killed_ms[i] = wait_clock_ms();
            assert_int_equal(kill(children[i].pid, SIGKILL), 0);
        }
        for (int i = 0; i < CHILDREN; i++) {
            child_listen(&children[i]);
            waitpid(children[i].pid, NULL, 0);
            bool in_time = child_check(&children[i], killed_ms[i]);
            if (is_fast(i))
                continue;
            kept |= in_time;
            busy |= children[i].told[children[i].n_told - 1].commit_max_us > BUSY_US;
        }
        for (int i = 0; i < CHILDREN; i++)
            child_goes_on(&children[i]);
    }
    assert_true(kept || busy);
    for (int i = 0; i < CHILDREN; i++) {
        free(children[i].told);
        remove_tree(children[i].fix.dir);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(kill_loses_two_seconds_at_most)};
    cmocka_set_test_filter(argc > 1 ? argv[1] : NULL); /* "one_test" or "a*" */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
