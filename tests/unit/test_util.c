#include "unit/check.h"

#include "util/clock.h"
#include "util/util.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

static void nearest_finds_typos_only(void **state)
{
    static const char *const names[] = {"listen", "hosts", "data_dir", "interval"};
    assert_string_equal(str_nearest("lisen", names, 4), "listen");
    assert_string_equal(str_nearest("intervall", names, 4), "interval");
    assert_string_equal(str_nearest("datadir", names, 4), "data_dir");
    assert_null(str_nearest("zebra", names, 4));
    assert_null(str_nearest("", names, 0));
}

static void copies_are_cut_at_characters(void **state)
{
    char out[6];
    assert_int_equal(str_copy(out, sizeof out, "abcdefgh", 8), 5);
    assert_string_equal(out, "abcde");
    assert_int_equal(str_copy(out, sizeof out, "abcd\xC3\xA9", 6), 4); /* é would be halved */
    assert_string_equal(out, "abcd");
    assert_int_equal(str_copy(out, sizeof out, "abc\xE2\x82\xBF", 6), 3); /* so would ₿ */
    assert_string_equal(out, "abc");
    assert_int_equal(str_copy(out, 0, "abc", 3), 0);
}

static void numbers_are_whole_strings(void **state)
{
    int64_t i;
    double f;
    assert_true(str_to_i64("-42", &i) && i == -42);
    assert_false(str_to_i64("42x", &i));
    assert_false(str_to_i64("", &i));
    assert_false(str_to_i64("99999999999999999999", &i));
    assert_true(str_to_f64("1.5e3", &f) && f == 1500);
    assert_false(str_to_f64("nan", &f));
    assert_false(str_to_f64("inf", &f));
    assert_false(str_to_f64("1.5 ", &f));
}

static void buffers_grow_and_end_in_nul(void **state)
{
    struct buf buf = {0};
    for (int i = 0; i < 1000; i++)
        buf_printf(&buf, "%03d,", i);
    assert_int_equal(buf.len, 4000);
    assert_int_equal(buf.data[4000], 0);
    assert_memory_equal(buf.data + 3996, "999,", 4);
    char *taken = buf_take(&buf);
    assert_null(buf.data);
    free(taken);
}

static void files_are_replaced_whole(void **state)
{
    char dir[] = "/tmp/shep-util-XXXXXX";
    assert_non_null(mkdtemp(dir));
    char *nested = path_join_dup(dir, "a/b"), *path = path_join_dup(nested, "x");
    assert_int_equal(dir_make(nested, 0750), 0);
    assert_int_equal(file_write_atomic(path, "one", 3, 0600), 0);
    assert_int_equal(file_write_atomic(path, "second", 6, 0600), 0);
    size_t len;
    char *text = file_read_dup(path, 100, &len);
    assert_string_equal(text, "second");
    assert_int_equal(len, 6);
    free(text);
    assert_null(file_read_dup(path, 3, NULL));
    assert_int_equal(errno, EFBIG);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    unlink(path);
    rmdir(nested);
    assert_int_equal(file_write_atomic(path, "x", 1, 0600), -ENOENT);
    char *a = path_join_dup(dir, "a");
    rmdir(a);
    rmdir(dir);
    free(a);
    free(path);
    free(nested);
}

static void the_clock_stands_still_when_told(void **state)
{
    char text[21];
    clock_set_fake(1792333800000, 5000);
    assert_int_equal(clock_wall_ms(), 1792333800000);
    assert_int_equal(clock_mono_ms(), 5000);
    clock_format_utc(clock_wall_ms(), text);
    assert_string_equal(text, "2026-10-18T14:30:00Z");
    clock_set_fake(-1, 0);
    assert_true(clock_mono_ms() > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nearest_finds_typos_only),
        cmocka_unit_test(copies_are_cut_at_characters),
        cmocka_unit_test(numbers_are_whole_strings),
        cmocka_unit_test(buffers_grow_and_end_in_nul),
        cmocka_unit_test(files_are_replaced_whole),
        cmocka_unit_test(the_clock_stands_still_when_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
