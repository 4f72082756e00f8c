/* The flock's pure rules: ways to write a pool, names, the old CSV. */
#include "unit/check.h"

#include "flock/internal.h"

/* ---- pools ---- */

static void same_pool(void **state)
{
    static const char *const same[][2] = {
        {"pool.example.org:3333", "pool.example.org:3333"},
        {"pool.example.org:3333", "stratum+tcp://pool.example.org:3333"},
        {"stratum+ssl://POOL.Example.Org:3333/", "pool.example.org:3333"},
        {"pool.example.org", "pool.example.org:21496"},
        {"pool.example.org:21496", "pool.example.org"},
        {"pool.example.org.", "pool.example.org:1"},
        {"a.example:1, pool.example.org:2", "pool.example.org:2"},
        {"user@pool.example.org:2", "pool.example.org:2"},
        {"192.168.1.9:3333", "192.168.1.9:3333"},
        {"[2001:db8::1]:3333", "stratum+tcp://[2001:DB8::1]:3333"},
        {"2001:db8::1", "2001:db8::1"},
    };
    for (size_t i = 0; i < ARRAY_LEN(same); i++)
        if (!pool_is_in(same[i][0], same[i][1]))
            fail_msg("'%s' is not '%s'", same[i][1], same[i][0]);
}

static void other_pool(void **state)
{
    static const char *const other[][2] = {
        {"pool.example.org:3333", "pool.example.org:3334"},
        {"pool.example.org", "pool.example.org.evil.example"},
        {"pool.example.org", "evil-pool.example.org"},
        {"pool.example.org", "pool.example.or"},
        {"pool.example.org:3333", "evil.example/pool.example.org:3333"},
        {"pool.example.org:3333", "pool.example.org:3333@evil.example"},
        {"pool.example.org:3333", "evil.example:1#pool.example.org:3333"},
        {"pool.example.org", ""},
        {"pool.example.org", "://"},
        {"pool.example.org", "pool.example.org:"},
        {"pool.example.org", "pool.example.org:0"},
        {"pool.example.org", "pool.example.org:65536"},
        {"pool.example.org", "pool.example.org:3333x"},
        {"a.example:1,b.example:2", "a.example:2"},
    };
    for (size_t i = 0; i < ARRAY_LEN(other); i++)
        if (pool_is_in(other[i][0], other[i][1]))
            fail_msg("'%s' passes for '%s'", other[i][1], other[i][0]);
}

static void pool_lists(void **state)
{
    char why[FLOCK_WHY_MAX], longest[700];
    assert_true(pool_list_is_valid("a.example", why));
    assert_true(pool_list_is_valid("a.example:1, b.example:2 ,c.example", why));
    static const char *const wrong[] = {"",       ",",         "a:1,",          "a b:1",
                                        "a:x",    "a:99999",   "a\tb",          "1,2,3,4,5,6,7,8,9",
                                        "a:1,,b", "a\x01.org", "stratum+tcp://"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        if (pool_list_is_valid(wrong[i], why))
            fail_msg("'%s' is taken for a list of pools", wrong[i]);
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    assert_false(pool_list_is_valid(longest, why));
}

/* ---- entries ---- */

static void names(void **state)
{
    assert_true(entry_name_is_valid("BARN-01.a_b"));
    static const char *const wrong[] = {NULL, "", "a b", "a/b", "ä", "a\n", "<b>", "a'b"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        assert_false(entry_name_is_valid(wrong[i]));
    char name[66];
    memset(name, 'n', 65);
    name[64] = 0;
    assert_true(entry_name_is_valid(name));
    name[64] = 'n';
    name[65] = 0;
    assert_false(entry_name_is_valid(name));
}

static void note_mistake(const char *where, const char *what, void *arg)
{
    json_object_set_new(arg, where, json_string(what));
}

static void entries(void **state)
{
    json_t *mistakes = json_object();
    json_t *good = json_pack("{s:s, s:s, s:s, s:[s,s]}", "id", "A", "location", "", "group", "barn",
                             "tags", "a", "b");
    entry_check("m", good, note_mistake, mistakes);
    assert_int_equal(json_object_size(mistakes), 0);
    json_t *bad = json_pack("{s:s, s:i, s:s, s:[s,s]}", "id", "a b", "location", 5, "group", "",
                            "tags", "x", "x");
    entry_check("m", bad, note_mistake, mistakes);
    static const char *const places[] = {"m.id", "m", "m.group", "m.tags"};
    for (size_t i = 0; i < ARRAY_LEN(places); i++)
        assert_non_null(json_object_get(mistakes, places[i]));
    json_decref(good);
    json_decref(bad);
    json_decref(mistakes);
}

/* ---- the old CSV ---- */

static json_t *plan_of(const char *text, char why[FLOCK_WHY_MAX])
{
    json_t *plan;
    why[0] = 0;
    int rc = flock_csv_plan(text, strlen(text), &plan, why);
    assert_true((rc == 0) == (plan != NULL));
    assert_true(rc == 0 || rc == SHEP_E_FORMAT);
    return plan;
}

static void csv_good(void **state)
{
    char why[FLOCK_WHY_MAX];
    json_t *plan = plan_of("\xef\xbb\xbfid,miner_id,chipset\r\n1,A,ESP32\r\n\r\n"
                           "2,\"B \"\"x\"\", y\",\"two\nlines\"\n3,C",
                           why);
    const json_t *miners = json_object_get(plan, "miners");
    assert_int_equal(json_array_size(miners), 3);
    assert_string_equal(field(json_array_get(miners, 0), "chipset"), "ESP32");
    assert_string_equal(field(json_array_get(miners, 1), "miner_id"), "B \"x\", y");
    assert_string_equal(field(json_array_get(miners, 1), "chipset"), "two\nlines");
    assert_null(field(json_array_get(miners, 2), "chipset"));
    json_decref(plan);
}

static void csv_bad(void **state)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"", "line 1"},
        {"a,b\n1,2\n", "line 1"},
        {"miner_id\n\"A\n", "line 2"},
        {"miner_id\n\"A\"x\n", "line 2"},
        {"miner_id\nA\nB,C\n", "line 3"},
        {"miner_id,chipset\nA,1\n,2\n", "line 3"},
        {"miner_id\n\xff\xfe\n", "line 2"},
    };
    char why[FLOCK_WHY_MAX];
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_null(plan_of(bad[i].text, why));
        if (strncmp(why, bad[i].says, strlen(bad[i].says)) != 0)
            fail_msg("%zu: says '%s'", i, why);
    }
    json_t *plan;
    assert_int_equal(flock_csv_plan("miner_id\nA\0B\n", 13, &plan, why), SHEP_E_FORMAT);
}

static void csv_bounds(void **state)
{
    char why[FLOCK_WHY_MAX];
    struct buf text = {0};
    buf_add_str(&text, "miner_id\n");
    for (int i = 0; i <= ENTRY_MINERS_MAX; i++)
        buf_printf(&text, "M%d\n", i);
    assert_null(plan_of(text.data, why));
    buf_clear(&text);
    buf_add_str(&text, "miner_id\n");
    for (int i = 0; i < 2000; i++)
        buf_add_str(&text, "A");
    assert_null(plan_of(text.data, why));
    buf_clear(&text);
    for (int i = 0; i < 100; i++)
        buf_add_str(&text, "miner_id,");
    assert_null(plan_of(text.data, why));
    buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_pool), cmocka_unit_test(other_pool), cmocka_unit_test(pool_lists),
        cmocka_unit_test(names),     cmocka_unit_test(entries),    cmocka_unit_test(csv_good),
        cmocka_unit_test(csv_bad),   cmocka_unit_test(csv_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
