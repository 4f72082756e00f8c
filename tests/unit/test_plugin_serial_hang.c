/* The serial source: what is done when opening a path, or looking at one, does not end. */
#include "unit/serialbench.h"

enum { N_MANY = 40, SLOW_MS = 5100 };

static struct shep_device *device_at(struct bench *b, const char *path)
{
    struct shep_device *dev = fake_device(b->fake, "M");
    fake_device_opt(dev, "path", path);
    assert_int_equal(fake_attach(b->fake, dev), 0);
    return dev;
}

/* The paths are looked at; the openings that follow hang. */
static void openings_hang(struct bench *b)
{
    fake_hold_jobs(b->fake, true);
    fake_advance(b->fake, 1);
    fake_hold_jobs(b->fake, false);
    assert_true(fake_run_jobs(b->fake));
    fake_hold_jobs(b->fake, true);
    fake_advance(b->fake, 500);
    fake_hang_jobs(b->fake);
    fake_hold_jobs(b->fake, false);
}

static size_t looks_and_openings(struct bench *b, int64_t in_ms)
{
    fake_hold_jobs(b->fake, true);
    fake_advance(b->fake, in_ms);
    size_t n = fake_jobs_waiting(b->fake);
    fake_hold_jobs(b->fake, false);
    return n;
}

static void openings_that_hang_hold_up_nobody(void **state)
{
    struct bench *b = bench_new();
    struct shep_device *devs[4];
    int masters[4];
    bench_start(b);
    for (int i = 0; i < 4; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/tty%d", b->root, i);
        masters[i] = pty_make(path);
        devs[i] = device_at(b, path);
    }
    openings_hang(b);
    b->master = pty_make(b->path);
    fake_attach(b->fake, b->dev);
    fake_advance(b->fake, SLOW_MS);
    assert_int_equal(fake_link(b->dev), 1);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(fake_link(devs[i]), 0);
        assert_true(has(fake_link_why(devs[i]), "opening it hangs"));
        assert_int_equal(fake_link_changes(devs[i]), 1);
    }
    fake_let_go_jobs(b->fake);
    fake_advance(b->fake, 1);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(fake_link(devs[i]), 1);
        close(masters[i]);
    }
    bench_free(b);
}

/* Every one of them holds a thread: at some number it is enough. */
static void openings_that_hang_are_bounded(void **state)
{
    struct bench *b = bench_new();
    struct shep_device *devs[N_MANY];
    int masters[N_MANY], told = 0;
    bench_start(b);
    for (int i = 0; i < N_MANY; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/tty%d", b->root, i);
        masters[i] = pty_make(path);
        devs[i] = device_at(b, path);
    }
    openings_hang(b);
    fake_hold_jobs(b->fake, true);
    for (int i = 0; i < N_MANY / 4; i++) {
        fake_advance(b->fake, SLOW_MS);
        fake_hang_jobs(b->fake);
    }
    fake_hold_jobs(b->fake, false);
    for (int i = 0; i < N_MANY; i++)
        told += fake_link(devs[i]) == 0;
    assert_int_equal(told, 32);
    assert_true(fake_logged(b->fake, "opening of 32 ports hangs"));
    fake_let_go_jobs(b->fake);
    fake_advance(b->fake, 3000);
    for (int i = 0; i < N_MANY; i++) {
        assert_int_equal(fake_link(devs[i]), 1);
        close(masters[i]);
    }
    bench_free(b);
}

static void a_path_that_hangs_is_not_opened_twice(void **state)
{
    struct bench *b = bench_new();
    b->master = pty_make(b->path);
    bench_start(b);
    fake_attach(b->fake, b->dev);
    openings_hang(b);
    fake_advance(b->fake, SLOW_MS);
    assert_true(has(fake_link_why(b->dev), "opening it hangs"));
    fake_detach(b->fake, b->dev);
    struct shep_device *other = fake_device(b->fake, "OTHER");
    fake_device_opt(other, "path", b->path);
    fake_device_opt(other, "baud", "9600");
    fake_attach(b->fake, other);
    struct shep_device *again = device_at(b, b->path);
    fake_advance(b->fake, 1000); /* they are looked at */
    assert_int_equal(looks_and_openings(b, 20000), 0);
    assert_true(has(fake_link_why(other), "opening it hangs"));
    assert_true(has(fake_link_why(again), "opening it hangs"));
    fake_let_go_jobs(b->fake);
    fake_advance(b->fake, 1);
    assert_int_equal(fake_link(again), 1);
    fake_detach(b->fake, again);
    fake_advance(b->fake, 30000);
    assert_int_equal(fake_link(other), 1);
    bench_free(b);
}

/* The first of several paths lies on a disk far away that does not answer. */
static void a_look_that_hangs_holds_up_nobody(void **state)
{
    struct bench *b = bench_new();
    char path[128];
    b->master = pty_make(b->path);
    bench_start(b);
    snprintf(path, sizeof path, "%s/far", b->root);
    int far_master = pty_make(path);
    struct shep_device *far = device_at(b, path);
    fake_attach(b->fake, b->dev);
    fake_hold_jobs(b->fake, true);
    fake_advance(b->fake, 1);
    assert_int_equal(fake_jobs_waiting(b->fake), 1);
    fake_hang_jobs(b->fake);
    fake_hold_jobs(b->fake, false);
    fake_advance(b->fake, SLOW_MS);
    assert_int_equal(fake_link(b->dev), 1);
    assert_true(has(fake_link_why(far), "looking whether it is there hangs"));

    fake_detach(b->fake, far);
    fake_detach(b->fake, b->dev);
    far = device_at(b, path);
    assert_true(has(fake_link_why(far), "looking whether it is there hangs"));
    assert_int_equal(looks_and_openings(b, 70000), 0);

    fake_let_go_jobs(b->fake);
    fake_advance(b->fake, 100);
    assert_int_equal(fake_link(far), 1);
    close(far_master);
    bench_free(b);
}

static void stopping_while_they_hang_leaves_nothing(void **state)
{
    struct bench *b = bench_new();
    char path[128];
    b->master = pty_make(b->path);
    bench_start(b);
    fake_attach(b->fake, b->dev);
    openings_hang(b);
    fake_advance(b->fake, SLOW_MS);
    snprintf(path, sizeof path, "%s/far", b->root);
    device_at(b, path);
    fake_hold_jobs(b->fake, true);
    fake_advance(b->fake, 1);
    fake_hang_jobs(b->fake);
    fake_advance(b->fake, SLOW_MS);
    fake_stop(b->fake);
    bench_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(openings_that_hang_hold_up_nobody),
        cmocka_unit_test(openings_that_hang_are_bounded),
        cmocka_unit_test(a_path_that_hangs_is_not_opened_twice),
        cmocka_unit_test(a_look_that_hangs_holds_up_nobody),
        cmocka_unit_test(stopping_while_they_hang_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
