#include "unit/check.h"

#include "plugin/internal.h"

static const struct shep_option table[] = {
    {"interval", "seconds between polls", "1200", NULL, SHEP_OPT_INT, 0, 60, 86400},
    {"provider", "who is asked", "coincodex", "coincodex|coingecko", SHEP_OPT_STRING, 0, 0, 0},
    {"factor", "a factor", NULL, NULL, SHEP_OPT_FLOAT, 0, 0, 0},
    {"discover", "look for ports", "true", NULL, SHEP_OPT_BOOL, 0, 0, 0},
    {"path", "the port", NULL, NULL, SHEP_OPT_STRING, SHEP_OPT_REQUIRED, 0, 0},
    {0},
};
enum { STRIDE = sizeof(struct shep_option) };

static char mistakes[1024];

static void on_mistake(const char *where, const char *what, void *arg)
{
    size_t used = strlen(mistakes);
    snprintf(mistakes + used, sizeof mistakes - used, "%s: %s\n", where, what);
}

static const char *check(const char *json)
{
    mistakes[0] = '\0';
    json_t *values = json_loads(json, 0, NULL);
    assert_non_null(values);
    static const char *const also[] = {"id"};
    options_check(table, STRIDE, values, "miners[1]", also, 1, on_mistake, NULL);
    json_decref(values);
    return mistakes;
}

static void good_options_have_no_mistakes(void **state)
{
    assert_string_equal(check("{\"path\":\"/dev/x\",\"id\":\"A\",\"interval\":60}"), "");
    assert_string_equal(check("{\"path\":\"x\",\"factor\":1.5,\"discover\":false}"), "");
}

static void mistakes_name_place_and_remedy(void **state)
{
    assert_string_equal(check("{\"path\":\"x\",\"intervall\":60}"),
                        "miners[1].intervall: unknown key; did you mean 'interval'?\n");
    assert_string_equal(check("{}"), "miners[1].path: is missing: the port\n");
    assert_string_equal(check("{\"path\":\"x\",\"interval\":5}"),
                        "miners[1].interval: must be from 60 to 86400\n");
    assert_string_equal(check("{\"path\":\"x\",\"interval\":60.5}"),
                        "miners[1].interval: must be a whole number\n");
    assert_string_equal(check("{\"path\":7}"), "miners[1].path: must be a text\n");
    assert_string_equal(check("{\"path\":\"x\",\"provider\":\"coin\"}"),
                        "miners[1].provider: must be one of coincodex|coingecko\n");
    assert_string_equal(check("{\"path\":\"x\",\"discover\":\"yes\"}"),
                        "miners[1].discover: must be true or false\n");
}

static void lookups_give_value_or_default(void **state)
{
    json_t *values = json_loads("{\"interval\":90,\"path\":\"p\"}", 0, NULL);
    int64_t number = 0;
    const char *text = NULL;
    double factor = 0;
    int flag = 0;
    assert_int_equal(option_int(table, STRIDE, values, "interval", &number), 0);
    assert_int_equal(number, 90);
    assert_int_equal(option_int(table, STRIDE, NULL, "interval", &number), 0);
    assert_int_equal(number, 1200);
    assert_int_equal(option_str(table, STRIDE, values, "provider", &text), 0);
    assert_string_equal(text, "coincodex");
    assert_int_equal(option_float(table, STRIDE, values, "factor", &factor), SHEP_E_GONE);
    assert_int_equal(option_bool(table, STRIDE, values, "discover", &flag), 0);
    assert_int_equal(flag, 1);
    assert_int_equal(option_str(table, STRIDE, values, "interval", &text), SHEP_E_BUG);
    assert_int_equal(option_str(table, STRIDE, values, "nothing", &text), SHEP_E_BUG);
    json_decref(values);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_options_have_no_mistakes),
        cmocka_unit_test(mistakes_name_place_and_remedy),
        cmocka_unit_test(lookups_give_value_or_default),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
