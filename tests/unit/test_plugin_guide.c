/* The example of plugins/README.md, compiled as it stands there (tests/unit/plugins.cmake). */
#include "unit/fakehost.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <string.h>

static int line_of(const struct shep_parser_ops *ops, void *self, const char *text)
{
    struct shep_line line = {.size = sizeof line, .text = text, .len = strlen(text), .seq = 1};
    return ops->line(self, &line);
}

static double emitted(const struct fake *fake, uint32_t metric)
{
    const struct shep_reading *reading = fake_emitted(fake, metric);
    assert_non_null(reading);
    return reading->value;
}

static void example_reads_its_firmware(void **state)
{
    struct fake *fake = fake_new(GUIDE_PLUGIN);
    const struct shep_parser_ops *ops = fake_plugin(fake)->ops;
    char longer[4000];
    void *self;
    assert_int_equal(fake_plugin(fake)->kind, SHEP_KIND_PARSER);
    assert_int_equal(ops->probe("ToastMiner 0.3", 14), 100);
    assert_int_equal(ops->probe("NerdMiner v2 starting", 21), 0);
    assert_int_equal(ops->open(fake_ctx(fake), fake_host(fake), &self), 0);
    assert_int_equal(line_of(ops, self, "ToastMiner 0.3"), 1);
    assert_int_equal(line_of(ops, self, "[stats] 54.20 kH/s, 3 accepted, 1 rejected"), 1);
    assert_int_equal(line_of(ops, self, "something else"), 0);
    memset(longer, 'T', sizeof longer);
    longer[sizeof longer - 1] = 0;
    assert_int_equal(line_of(ops, self, longer), 0);
    assert_string_equal(fake_emitted(fake, SHEP_A_VERSION)->text, "0.3");
    assert_true(emitted(fake, SHEP_M_HASHRATE) == 54200);
    assert_true(emitted(fake, SHEP_M_SHARES_ACCEPTED) == 3);
    assert_true(emitted(fake, SHEP_M_SHARES_REJECTED) == 1);
    ops->close(self);
    fake_free(fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(example_reads_its_firmware)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
