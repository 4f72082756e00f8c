/* What a role sees: nobody next to nothing, a viewer no address whole, an operator all but the
 * settings of access and the audit, an admin all. */
#include "script_fixture.h"

#include "store/store.h"

#define SEGWIT "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4" /* the example of BIP 173 */
#define SHORT  "bc1qw50\xe2\x80\xa6"                        /* and what a viewer sees of it */
#define OTHER  "kaspa1qpauqsvk7yf9unexwmxsnmg547mhyga37csh0kj53q6xxgl24ydxjsgzthw5j"

static void say(struct fixture *f, struct miner *miner, uint32_t metric, const char *text)
{
    struct shep_reading reading = {.size = sizeof reading,
                                   .metric = metric,
                                   .at_ms = 1760797800000,
                                   .text = text,
                                   .text_len = strlen(text)};
    assert_int_equal(herd_reading(f->herd, miner, &reading), 0);
}

static void fill_store(struct fixture *f)
{
    struct store *store = NULL;
    char err[512] = "";
    static const char line[] = "authorize [\"" SEGWIT ".barn\"] and " SEGWIT;
    assert_int_equal(store_open(&(struct store_conf){.data_dir = f->dir}, f->loop, &store, err,
                                sizeof err, NULL),
                     0);
    int64_t a = store_miner_put(store, &(struct store_miner){.name = "A", .source = "serial"});
    assert_int_equal(store_line(store, a, 1760797800000, line, sizeof line - 1), 0);
    json_t *row = json_pack("{s:i, s:s, s:s, s:s}", "id", 1, "coin_ticker", "KAS", "address", OTHER,
                            "label", "mine");
    assert_int_equal(store_row_put(store, TABLE_ADDRESSES, row), 0);
    json_decref(row);
    row = json_pack("{s:i, s:i, s:s, s:s}", "id", 1, "at_ms", 7, "who", "admin", "action", "login");
    assert_int_equal(store_row_put(store, TABLE_AUDIT, row), 0);
    json_decref(row);
    store_close(store);
}

static int setup(void **state)
{
    fixture_setup(state);
    struct fixture *f = *state;
    fill_store(f);
    f->conf.db_path = f->db;
    f->config = "{\"access\":{\"has_admin\":true,\"users\":[{\"name\":\"eve\"}]},"
                "\"display\":{\"theme\":\"dark\"},\"data_dir\":\"/var/lib/shepherd\","
                "\"flock\":{\"addresses\":[{\"address\":\"" OTHER "\"},\"" SEGWIT "\"]}}";
    struct miner *miner = herd_miner_put(f->herd, &(struct miner_conf){.id = 1, .name = "A"});
    say(f, miner, SHEP_A_WALLET, SEGWIT);
    say(f, miner, SHEP_A_WORKER, "barn");
    say(f, miner, SHEP_A_ERROR, "rejected for " SEGWIT "!");
    miner = herd_miner_put(f->herd, &(struct miner_conf){.id = 2, .name = "B"});
    say(f, miner, SHEP_A_WALLET, OTHER);
    facts_put(f->facts, "payout", "{\"said\":\"" SEGWIT "\",\"n\":1}", 62);
    return 0;
}

static struct script_page *view(void **state, const char *role, const char *text)
{
    struct fixture *f = *state;
    f->role = role;
    fixture_write(f, "views/api/x.lua", text);
    fixture_pool(f);
    return fixture_render(f, "/api/x");
}

static const char everything[] =
    "local out = { shepherd.herd(), shepherd.miner(1), shepherd.facts('payout') or false,\n"
    "  shepherd.config(), shepherd.logs{}, shepherd.events{},\n"
    "  shepherd.query('SELECT * FROM coin_addresses'),\n"
    "  shepherd.query('SELECT line, ? AS mine FROM miner_logs', '" SEGWIT "') }\n"
    "for _, miner in ipairs(shepherd.herd().miners) do for k, v in pairs(miner) do\n"
    "  out[#out + 1] = k .. '=' .. tostring(v) end end\n"
    "return out";

static void test_viewer_sees_no_address_whole(void **state)
{
    struct script_page *page = view(state, "viewer", everything);
    assert_int_equal(page->status, 200);
    assert_lacks(page, SEGWIT);
    assert_lacks(page, OTHER);
    assert_has(page, "rejected for " SHORT "f3t4!");
    assert_has(page, "authorize [\\\"" SHORT "f3t4.barn\\\"] and " SHORT "f3t4\"");
    assert_has(page, "\"worker\":\"barn\"");
    assert_has(page, "\"label\":\"mine\"");
    assert_has(page, "\"wallet\":\"" SHORT "f3t4\"");
    assert_has(page, "kaspa1q\xe2\x80\xa6"); /* of a coin that we cannot check, by its place */
}

static void test_operator_sees_them(void **state)
{
    struct script_page *page = view(state, "operator", everything);
    assert_int_equal(page->status, 200);
    assert_has(page, "\"wallet\":\"" SEGWIT "\"");
    assert_has(page, "rejected for " SEGWIT "!");
    assert_has(page, OTHER);
    assert_lacks(page, "\xe2\x80\xa6");
}

static void test_nobody_sees_nothing(void **state)
{
    struct script_page *page = view(state, "none", everything);
    assert_int_equal(page->status, 500); /* shepherd.miner(1) is nil: a hole in the list */
    page = view(state, "none",
                "return { herd = shepherd.herd(), miner = shepherd.miner(1) or false,\n"
                "  facts = shepherd.facts('payout') or false, logs = shepherd.logs{},\n"
                "  events = shepherd.events{}, system = shepherd.system(),\n"
                "  config = shepherd.config(), sql = shepherd.query('SELECT * FROM miners'),\n"
                "  history = shepherd.history{ metric = 'hashrate' } }");
    assert_int_equal(page->status, 200);
    assert_has(page, "\"miners\":{}");
    assert_has(page, "\"miner\":false");
    assert_has(page, "\"facts\":false");
    assert_has(page,
               "\"config\":{\"access\":{\"has_admin\":true},\"display\":{\"theme\":\"dark\"}}");
    assert_lacks(page, "authorize");
    assert_lacks(page, "data_dir");
    assert_lacks(page, "kaspa");
    page = view(state, "something new", "return shepherd.config()"); /* unknown: as nobody */
    assert_lacks(page, "data_dir");
}

static void test_access_is_for_admins(void **state)
{
    static const char text[] = "return shepherd.config()";
    assert_has(view(state, "viewer", text), "\"access\":{\"has_admin\":true}");
    assert_has(view(state, "operator", text), "\"access\":{\"has_admin\":true}");
    assert_has(view(state, "operator", text), "\"data_dir\":\"/var/lib/shepherd\"");
    assert_lacks(view(state, "operator", text), "eve");
    assert_has(view(state, "admin", text), "{\"name\":\"eve\"}");
}

static void test_audit_is_for_admins(void **state)
{
    struct fixture *f = *state;
    static const char text[] = "return shepherd.query('SELECT who, action FROM audit')";
    assert_body(view(state, "admin", text), "[{\"action\":\"login\",\"who\":\"admin\"}]");
    assert_int_equal(view(state, "operator", text)->status, 500);
    assert_int_equal(view(state, "viewer", text)->status, 500);
    f->role = "admin"; /* and the same process, one after the other */
    assert_int_equal(fixture_render(f, "/api/x")->status, 200);
    f->role = "operator";
    assert_int_equal(fixture_render(f, "/api/x")->status, 500);
}

/* Nobody's SQL reads what one could log in with. */
static void test_secrets_are_for_nobody(void **state)
{
    static const char *const views[] = {"return shepherd.query('SELECT * FROM kv')",
                                        "return shepherd.query('SELECT hash FROM sessions')",
                                        "return shepherd.query('SELECT hash FROM tokens')",
                                        "return shepherd.query('SELECT password_hash FROM users')"};
    for (size_t i = 0; i < ARRAY_LEN(views); i++)
        assert_int_equal(view(state, "admin", views[i])->status, 500);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_viewer_sees_no_address_whole), TEST(test_operator_sees_them),
        TEST(test_nobody_sees_nothing),          TEST(test_access_is_for_admins),
        TEST(test_audit_is_for_admins),          TEST(test_secrets_are_for_nobody),
    };
    return cmocka_run_group_tests_name("script_role", tests, NULL, NULL);
}
