/* The replay source on files made here, with a clock that stands still. */
#include "unit/fakehost.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct bench {
    struct fake *fake;
    struct shep_device *dev;
    char path[64];
};

static void file_write(const char *path, const char *bytes, size_t len)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    fclose(file);
}

static struct bench *bench_new(const char *bytes, size_t len)
{
    struct bench *b = calloc(1, sizeof *b);
    snprintf(b->path, sizeof b->path, "/tmp/shep-replay-XXXXXX");
    int fd = mkstemp(b->path);
    assert_true(fd >= 0);
    close(fd);
    file_write(b->path, bytes, len);
    b->fake = fake_new("source_replay.so");
    assert_int_equal(fake_start(b->fake), 0);
    b->dev = fake_device(b->fake, "DEMO");
    fake_device_opt(b->dev, "path", b->path);
    return b;
}

static void bench_free(struct bench *b)
{
    fake_free(b->fake);
    unlink(b->path);
    free(b);
}

/* Time goes on in small steps, and bytes flow when they may. */
static void play(struct bench *b, int64_t ms)
{
    for (int64_t step = ms < 10 ? ms : 10; ms > 0; ms -= step) {
        fake_advance(b->fake, step);
        while (fake_poll(b->fake, 0) > 0)
            fake_advance(b->fake, 0);
    }
}

static struct bench *bench_play(const char *text)
{
    struct bench *b = bench_new(text, strlen(text));
    assert_int_equal(fake_attach(b->fake, b->dev), 0);
    play(b, 1);
    return b;
}

#define THREE "10:00:00.000 > one\r\n10:00:00.500 > two\n10:00:02.000 > three\n"

static void stamps_set_the_pace_and_are_taken_away(void **state)
{
    struct bench *b = bench_play(THREE);
    assert_int_equal(fake_link(b->dev), 1);
    assert_string_equal(fake_fed(b->dev, NULL), "one\r\n");
    play(b, 480);
    assert_string_equal(fake_fed(b->dev, NULL), "one\r\n");
    play(b, 30);
    assert_string_equal(fake_fed(b->dev, NULL), "one\r\ntwo\n");
    play(b, 1000);
    assert_string_equal(fake_fed(b->dev, NULL), "one\r\ntwo\n");
    play(b, 600);
    assert_string_equal(fake_fed(b->dev, NULL), "one\r\ntwo\nthree\n");
    bench_free(b);
}

static void speed_divides_the_pace(void **state)
{
    struct bench *b = bench_new(THREE, strlen(THREE));
    fake_device_opt(b->dev, "speed", "10");
    fake_attach(b->fake, b->dev);
    play(b, 180);
    assert_string_equal(fake_fed(b->dev, NULL), "one\r\ntwo\n");
    play(b, 30);
    assert_string_equal(fake_fed(b->dev, NULL), "one\r\ntwo\nthree\n");
    bench_free(b);
}

static void speed_may_be_a_fraction(void **state)
{
    struct bench *b = bench_new(THREE, strlen(THREE));
    fake_device_opt(b->dev, "speed", "0.5");
    fake_attach(b->fake, b->dev);
    play(b, 980);
    assert_string_equal(fake_fed(b->dev, NULL), "one\r\n");
    play(b, 40);
    assert_string_equal(fake_fed(b->dev, NULL), "one\r\ntwo\n");
    play(b, 2940);
    assert_string_equal(fake_fed(b->dev, NULL), "one\r\ntwo\n");
    play(b, 80);
    assert_string_equal(fake_fed(b->dev, NULL), "one\r\ntwo\nthree\n");
    bench_free(b);
}

static void almost_no_speed_waits_and_overflows_nothing(void **state)
{
    struct bench *b = bench_new(THREE, strlen(THREE));
    fake_device_opt(b->dev, "speed", "1e-300");
    fake_attach(b->fake, b->dev);
    play(b, 5000);
    assert_string_equal(fake_fed(b->dev, NULL), "one\r\n");
    assert_true(fake_next_timer_ms(b->fake) > INT64_C(1000000000));
    bench_free(b);
}

static void loop_starts_again_with_its_own_pace(void **state)
{
    struct bench *b = bench_play(THREE);
    play(b, 2100);
    fake_fed_clear(b->dev);
    play(b, 1000);
    assert_string_equal(fake_fed(b->dev, NULL), "one\r\n");
    play(b, 2100);
    assert_string_equal(fake_fed(b->dev, NULL), "one\r\ntwo\nthree\n");
    assert_int_equal(fake_link_changes(b->dev), 1);
    bench_free(b);
}

static void end_without_loop_is_told(void **state)
{
    struct bench *b = bench_new(THREE, strlen(THREE));
    fake_device_opt(b->dev, "loop", "false");
    fake_attach(b->fake, b->dev);
    play(b, 5000);
    assert_int_equal(fake_link(b->dev), 0);
    assert_non_null(strstr(fake_link_why(b->dev), "end of file"));
    assert_string_equal(fake_fed(b->dev, NULL), "one\r\ntwo\nthree\n");
    play(b, 20000);
    assert_string_equal(fake_fed(b->dev, NULL), "one\r\ntwo\nthree\n");
    assert_int_equal(fake_watches(b->fake), 0);
    bench_free(b);
}

static void logs_without_stamps_play_ten_lines_a_second(void **state)
{
    struct bench *b = bench_play("a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\nl\nm\n");
    play(b, 1009);
    assert_string_equal(fake_fed(b->dev, NULL), "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n");
    bench_free(b);
}

static void lines_between_stamps_come_with_the_line_before(void **state)
{
    struct bench *b = bench_play("10:00:00.000 > a\n>>> b\n12:61:00.000 > c\n10:00:01.000 > d\n");
    assert_string_equal(fake_fed(b->dev, NULL), "a\n>>> b\n12:61:00.000 > c\n");
    bench_free(b);
}

static void midnight_and_steps_back_do_not_stop_it(void **state)
{
    struct bench *b = bench_play("23:59:59.900 > a\n00:00:00.100 > b\n00:00:20.000 >\n"
                                 "00:00:10.000 > c\n00:00:10.300 > d\n");
    play(b, 150);
    assert_string_equal(fake_fed(b->dev, NULL), "a\n");
    play(b, 100);
    assert_string_equal(fake_fed(b->dev, NULL), "a\nb\n");
    play(b, 19900);
    assert_string_equal(fake_fed(b->dev, NULL), "a\nb\n\nc\n");
    play(b, 300);
    assert_string_equal(fake_fed(b->dev, NULL), "a\nb\n\nc\nd\n");
    bench_free(b);
}

static void last_line_without_end_is_played(void **state)
{
    struct bench *b = bench_play("a\n10:00:00.000 > b");
    assert_string_equal(fake_fed(b->dev, NULL), "a\nb");
    bench_free(b);
}

static void all_bytes_arrive_as_they_are(void **state)
{
    enum { N = 300000 };
    struct bench *b;
    char *bytes = malloc(N);
    unsigned seed = 1;
    size_t len;
    for (int i = 0; i < N; i++)
        bytes[i] = (char)rand_r(&seed);
    b = bench_new(bytes, N);
    fake_device_opt(b->dev, "speed", "0");
    fake_device_opt(b->dev, "loop", "false");
    fake_attach(b->fake, b->dev);
    play(b, 1000);
    const char *fed = fake_fed(b->dev, &len);
    assert_int_equal(len, N);
    assert_memory_equal(fed, bytes, N);
    bench_free(b);
    free(bytes);
}

static void endless_line_is_played_in_pieces(void **state)
{
    enum { N = 200000 };
    char *bytes = malloc(N + 1);
    size_t len;
    memset(bytes, 'x', N);
    for (int at = 32768; at < N - 20; at += 32768) /* wherever a piece may begin */
        memcpy(bytes + at, "10:00:00.000 > ", 15);
    bytes[N] = '\n';
    struct bench *b = bench_new(bytes, N + 1);
    fake_device_opt(b->dev, "speed", "0");
    fake_device_opt(b->dev, "loop", "false");
    fake_attach(b->fake, b->dev);
    play(b, 1000);
    fake_fed(b->dev, &len);
    assert_int_equal(len, N + 1);
    bench_free(b);
    free(bytes);
}

static void full_speed_yields_after_each_block(void **state)
{
    enum { N = 200000 };
    char *bytes = malloc(N);
    size_t len, before = 0;
    for (int i = 0; i < N; i++)
        bytes[i] = i % 50 == 49 ? '\n' : 'y';
    struct bench *b = bench_new(bytes, N);
    fake_device_opt(b->dev, "speed", "0");
    fake_attach(b->fake, b->dev);
    fake_advance(b->fake, 1);
    for (int turn = 0; turn < 50; turn++) {
        fake_poll(b->fake, 0);
        fake_advance(b->fake, 0);
        fake_fed(b->dev, &len);
        assert_true(len - before <= 16384 + 50);
        before = len;
    }
    assert_true(before > N); /* and the loop goes round */
    bench_free(b);
    free(bytes);
}

static void pauses_while_the_database_is_behind(void **state)
{
    struct bench *b = bench_new(THREE, strlen(THREE));
    fake_choke(b->fake, true);
    fake_attach(b->fake, b->dev);
    play(b, 5000);
    assert_string_equal(fake_fed(b->dev, NULL), "");
    fake_choke(b->fake, false);
    play(b, 20);
    assert_string_equal(fake_fed(b->dev, NULL), "one\r\ntwo\nthree\n");
    bench_free(b);
}

static void nothing_is_lost_when_the_core_is_busy(void **state)
{
    struct bench *b = bench_new(THREE, strlen(THREE));
    fake_feed_busy(b->dev, true);
    fake_attach(b->fake, b->dev);
    play(b, 3000);
    fake_feed_busy(b->dev, false);
    play(b, 200);
    assert_string_equal(fake_fed(b->dev, NULL), "one\r\ntwo\nthree\n");
    bench_free(b);
}

static void file_that_is_not_there_is_told_and_tried_again(void **state)
{
    struct bench *b = bench_new("", 0);
    unlink(b->path);
    fake_attach(b->fake, b->dev);
    play(b, 10);
    assert_int_equal(fake_link(b->dev), 0);
    assert_non_null(strstr(fake_link_why(b->dev), "No such file"));
    file_write(b->path, "x\n", 2);
    play(b, 11000);
    assert_int_equal(fake_link(b->dev), 1);
    assert_int_equal(strncmp(fake_fed(b->dev, NULL), "x\n", 2), 0);
    bench_free(b);
}

static void what_is_no_file_is_told(void **state)
{
    struct bench *b = bench_new("", 0);
    fake_attach(b->fake, b->dev);
    play(b, 10);
    assert_non_null(strstr(fake_link_why(b->dev), "the file is empty"));
    struct shep_device *dir = fake_device(b->fake, "DIR");
    fake_device_opt(dir, "path", "/tmp");
    fake_attach(b->fake, dir);
    play(b, 10);
    assert_non_null(strstr(fake_link_why(dir), "not a file"));
    bench_free(b);
}

static void detaching_leaves_nothing(void **state)
{
    struct bench *b = bench_play(THREE);
    fake_detach(b->fake, b->dev);
    assert_int_equal(fake_watches(b->fake), 0);
    assert_int_equal(fake_timers(b->fake), 0);
    fake_hold_jobs(b->fake, true);
    fake_attach(b->fake, b->dev);
    assert_int_equal(fake_jobs_waiting(b->fake), 1);
    fake_detach(b->fake, b->dev);
    fake_hold_jobs(b->fake, false);
    play(b, 10);
    assert_int_equal(fake_watches(b->fake), 0);
    bench_free(b);
}

static void demo_logs_speak(void **state)
{
    static const char *const logs[] = {"01-cyd",  "02-weact",  "03-tdisplay", "04-m5stack",
                                       "05-oled", "06-devkit", "07-c3",       "08-veteran"};
    struct bench *b = bench_new("", 0);
    struct shep_device *devs[8];
    for (int i = 0; i < 8; i++) {
        char path[512];
        snprintf(path, sizeof path, TEST_SOURCE_DIR "/plugins/sources/replay/demo/%s.log", logs[i]);
        devs[i] = fake_device(b->fake, logs[i]);
        fake_device_opt(devs[i], "path", path);
        fake_attach(b->fake, devs[i]);
    }
    play(b, 10000); /* who looks at a demo does not wait for long */
    for (int i = 0; i < 8; i++) {
        assert_int_equal(fake_link(devs[i]), 1);
        assert_non_null(strstr(fake_fed(devs[i], NULL), "\n>>> "));
        assert_null(strstr(fake_fed(devs[i], NULL), " > ets"));
    }
    bench_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stamps_set_the_pace_and_are_taken_away),
        cmocka_unit_test(speed_divides_the_pace),
        cmocka_unit_test(speed_may_be_a_fraction),
        cmocka_unit_test(almost_no_speed_waits_and_overflows_nothing),
        cmocka_unit_test(loop_starts_again_with_its_own_pace),
        cmocka_unit_test(end_without_loop_is_told),
        cmocka_unit_test(logs_without_stamps_play_ten_lines_a_second),
        cmocka_unit_test(lines_between_stamps_come_with_the_line_before),
        cmocka_unit_test(midnight_and_steps_back_do_not_stop_it),
        cmocka_unit_test(last_line_without_end_is_played),
        cmocka_unit_test(all_bytes_arrive_as_they_are),
        cmocka_unit_test(endless_line_is_played_in_pieces),
        cmocka_unit_test(full_speed_yields_after_each_block),
        cmocka_unit_test(pauses_while_the_database_is_behind),
        cmocka_unit_test(nothing_is_lost_when_the_core_is_busy),
        cmocka_unit_test(file_that_is_not_there_is_told_and_tried_again),
        cmocka_unit_test(what_is_no_file_is_told),
        cmocka_unit_test(detaching_leaves_nothing),
        cmocka_unit_test(demo_logs_speak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
