/* Frames are believed in nothing; files are told apart. */
#include "script_fixture.h"

#include "script/proto/proto.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_round_trip(void **state)
{
    struct buf out = {0};
    struct frame frame;
    size_t used;
    size_t mark = frame_begin(&out, FRAME_DEP);
    put_u8(&out, 200);
    put_u32(&out, 4000000000u);
    put_u64(&out, UINT64_MAX);
    put_i64(&out, INT64_MIN);
    put_str(&out, "text");
    put_str(&out, NULL);
    put_bytes(&out, "a\0b", 3);
    frame_end(&out, mark);
    assert_int_equal(frame_next(out.data, out.len, 1 << 20, &frame, &used), 1);
    assert_int_equal(used, out.len);
    assert_int_equal(frame.type, FRAME_DEP);
    struct cursor c = cursor_of(&frame);
    size_t len;
    assert_int_equal(get_u8(&c), 200);
    assert_int_equal(get_u32(&c), 4000000000u);
    assert_true(get_u64(&c) == UINT64_MAX);
    assert_true(get_i64(&c) == INT64_MIN);
    assert_string_equal(get_str(&c, 4), "text");
    assert_string_equal(get_str(&c, 4), "");
    assert_memory_equal(get_bytes(&c, 3, &len), "a\0b", 4);
    assert_int_equal(len, 3);
    assert_true(cursor_done(&c));
    for (size_t n = 0; n < out.len; n++) /* a part of it is no frame yet */
        assert_int_equal(frame_next(out.data, n, 1 << 20, &frame, &used), 0);
    assert_int_equal(frame_next(out.data, out.len, 8, &frame, &used), SHEP_E_FORMAT);
    out.data[5] = 1; /* must be zero */
    assert_int_equal(frame_next(out.data, out.len, 1 << 20, &frame, &used), SHEP_E_FORMAT);
    out.data[5] = 0;
    out.data[4] = FRAME_TYPE_END;
    assert_int_equal(frame_next(out.data, out.len, 1 << 20, &frame, &used), SHEP_E_FORMAT);
    buf_free(&out);
}

static void test_cursor_refuses(void **state)
{
    struct buf out = {0};
    put_u32(&out, 4000000000u); /* a length far behind the end */
    put_str(&out, "x");
    struct cursor c = {out.data, out.data + out.len, false};
    size_t len;
    assert_string_equal(get_bytes(&c, SIZE_MAX, &len), "");
    assert_true(c.bad);
    assert_int_equal(get_u32(&c), 0);
    assert_false(cursor_done(&c));
    buf_clear(&out);
    put_bytes(&out, "a\0b", 3);
    c = (struct cursor){out.data, out.data + out.len, false};
    assert_string_equal(get_str(&c, 10), ""); /* a NUL inside */
    assert_true(c.bad);
    c = (struct cursor){out.data, out.data + out.len, false};
    get_bytes(&c, 2, &len); /* longer than allowed */
    assert_true(c.bad);
    c = (struct cursor){out.data, out.data + out.len - 1, false};
    get_bytes(&c, 10, &len); /* without its NUL */
    assert_true(c.bad);
    buf_clear(&out);
    put_u32(&out, 100);
    c = (struct cursor){out.data, out.data + out.len, false};
    assert_int_equal(get_count(&c, 99), 0);
    assert_true(c.bad);
    buf_free(&out);
}

/* A file that was written a moment ago may be written again without a new time. */
static void test_young_files_are_never_taken_for_unchanged(void **state)
{
    struct fixture *f = *state;
    fixture_write(f, "views/a", "1");
    char *path = fixture_path(f, "views/a");
    struct file_id young = file_id_record(path), now = file_id_of(path);
    assert_false(file_id_eq(&young, &now));
    struct timespec old[2] = {{1000000000, 5}, {1000000000, 5}};
    assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
    struct file_id aged = file_id_record(path);
    now = file_id_of(path);
    assert_true(file_id_eq(&aged, &now));
    assert_true(aged.mtime_ns == 1000000000000000005);
    fixture_remove(f, "views/a");
    now = file_id_of(path);
    assert_false(file_id_eq(&aged, &now));
    assert_int_equal(now.size, -1);
    aged = file_id_record(path);
    assert_true(file_id_eq(&aged, &now));
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_cursor_refuses),
        cmocka_unit_test_setup_teardown(test_young_files_are_never_taken_for_unchanged,
                                        fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
