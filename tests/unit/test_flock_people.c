/* The flock with a real store and herd, and a source made by hand: what people add and change, the
 * payout guard, names that are suggested, an import that is made twice. */
#include "unit/check.h"

#include "flock/internal.h"
#include "plugin/internal.h"
#include "unit/test_store_util.h"

#define GOOD  "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"
#define OTHER "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2"

static const struct shep_option device_options[] = {
    {"path", "where", NULL, NULL, SHEP_OPT_STRING, SHEP_OPT_REQUIRED, 0, 0},
    {"baud", "bits", "115200", NULL, SHEP_OPT_INT, 0, 300, 4e6},
    {"invert", "lines", "false", NULL, SHEP_OPT_BOOL, 0, 0, 0},
    {"title", "any text", NULL, NULL, SHEP_OPT_STRING, 0, 0, 0},
    {0},
};

static int on_attach(void *self, struct shep_device *dev)
{
    return 0;
}

static void on_detach(void *self, struct shep_device *dev)
{
}

/* Whatever begins with "/dev/" is a port; the rest only an admin adds. */
static int may_add(const char *path)
{
    return !path || strncmp(path, "/dev/", 5) == 0 ? SHEP_ADD_OPERATOR : SHEP_ADD_ADMIN;
}

static struct {
    struct fix fix;
    struct topics *topics;
    struct facts *facts;
    struct herd *herd;
    struct plugins plugins;
    struct plugin source;
    struct flock *flock;
    size_t n_changed; /* events payout.changed */
} t;

static void on_event(const struct shep_event *event, const struct miner *miner, void *arg)
{
    t.n_changed += event->event == SHEP_EV_PAYOUT_CHANGED;
}

static void begin(void)
{
    memset(&t.plugins, 0, sizeof t.plugins);
    memset(&t.source, 0, sizeof t.source);
    fix_open(&t.fix);
    t.topics = topics_new(t.fix.loop);
    t.facts = facts_new(t.topics);
    t.herd = herd_new(t.fix.loop, t.topics, &(struct herd_conf){0});
    herd_listen(t.herd, &(struct herd_listener){.event = on_event});
    t.source = (struct plugin){.plugins = &t.plugins,
                               .loaded = true,
                               .started = true,
                               .owner = {.name = "serial"},
                               .desc = {.name = "serial",
                                        .kind = SHEP_KIND_SOURCE,
                                        .option_size = sizeof(struct shep_option)},
                               .ops = {.source = {.size = sizeof(struct shep_source_ops),
                                                  .device_options = device_options,
                                                  .attach = on_attach,
                                                  .detach = on_detach,
                                                  .may_add = may_add}}};
    t.plugins.items[t.plugins.n++] = &t.source;
    plugins_prepare(&t.plugins, &(struct plugin_env){.loop = t.fix.loop,
                                                     .topics = t.topics,
                                                     .facts = t.facts,
                                                     .herd = t.herd,
                                                     .store = t.fix.store});
    t.flock = flock_new(t.fix.loop, t.fix.store, t.herd, t.facts, t.topics, &t.plugins);
    flock_restore(t.flock);
}

static void end(void)
{
    t.source.started = false; /* it has no ops.stop() to call */
    plugins_stop(&t.plugins);
    flock_free(t.flock);
    herd_free(t.herd);
    facts_free(t.facts);
    topics_free(t.topics);
}

static int setup(void **state)
{
    memset(&t, 0, sizeof t);
    fix_make(&t.fix);
    begin();
    return 0;
}

static int teardown(void **state)
{
    end();
    fix_end(&t.fix);
    return 0;
}

/* The daemon ends and starts again on the same data. */
static void again(void)
{
    end();
    fix_close(&t.fix);
    begin();
    for (int i = 0; i < 3; i++)
        loop_run_once(t.fix.loop, 0); /* the first look */
}

/* ---- helpers ---- */

static char why[FLOCK_WHY_MAX];

static json_t *fields(const char *text)
{
    json_t *json = json_loads(text, 0, NULL);
    assert_non_null(json);
    return json;
}

static int add(const char *text)
{
    json_t *json = fields(text);
    why[0] = 0;
    int rc = flock_miner_add(t.flock, json, true, why);
    json_decref(json);
    return rc;
}

static int edit_as(bool admin, int64_t id, const char *text)
{
    json_t *json = fields(text);
    int rc = flock_miner_edit(t.flock, id, json, admin, why);
    json_decref(json);
    return rc;
}

static int edit(int64_t id, const char *text)
{
    return edit_as(true, id, text);
}

static struct miner *miner(const char *name)
{
    struct miner *one = herd_miner_by_name(t.herd, name);
    assert_non_null(one);
    return one;
}

static void say(const char *name, uint32_t attr, const char *text)
{
    struct shep_reading reading = {
        .size = sizeof reading, .metric = attr, .text = text, .text_len = strlen(text)};
    assert_int_equal(herd_reading(t.herd, miner(name), &reading), 0);
}

static size_t n_alarms(void)
{
    json_t *fact = fields(facts_get(t.facts, "payout"));
    size_t n = json_array_size(json_object_get(fact, "alarms"));
    json_decref(fact);
    return n;
}

/* ---- miners ---- */

static void texts_become_options(void **state)
{
    assert_int_equal(
        add("{\"name\":\"A\",\"source\":\"serial\",\"path\":\"/dev/x\",\"baud\":\"9600\","
            "\"invert\":\"on\",\"title\":\"12\",\"tags\":\" a,, b \",\"notes\":\"n\"}"),
        0);
    const json_t *entry = plugins_miner_entry(&t.plugins, "A");
    assert_int_equal(json_integer_value(json_object_get(entry, "baud")), 9600);
    assert_true(json_is_true(json_object_get(entry, "invert")));
    assert_string_equal(field(entry, "title"), "12"); /* a text that looks like a number */
    assert_int_equal(json_array_size(json_object_get(entry, "tags")), 2);
    assert_string_equal(field(json_object_get(entry, "about"), "notes"), "n");
}

static void what_is_wrong_is_said(void **state)
{
    static const struct {
        const char *form;
        int err;
        const char *says;
    } bad[] = {
        {"{\"source\":\"serial\",\"path\":\"/dev/x\"}", SHEP_E_CONFIG, "Miner ID cannot be empty."},
        {"{\"name\":\" \",\"source\":\"serial\"}", SHEP_E_CONFIG, "Miner ID cannot be empty."},
        {"{\"name\":\"A\",\"source\":\"seriall\"}", SHEP_E_CONFIG, "source: "},
        {"{\"name\":\"A\",\"source\":\"serial\"}", SHEP_E_CONFIG, "path: "},
        {"{\"name\":\"a b\",\"source\":\"serial\",\"path\":\"/d\"}", SHEP_E_CONFIG, "name: "},
        {"{\"name\":\"A\",\"source\":\"serial\",\"path\":\"/d\",\"baud\":\"1\"}", SHEP_E_CONFIG,
         "baud: "},
        {"{\"name\":\"A\",\"source\":\"serial\",\"path\":\"/d\",\"baud\":\"x\"}", SHEP_E_CONFIG,
         "baud: "},
        {"{\"name\":\"A\",\"source\":\"serial\",\"path\":\"/d\",\"bauds\":\"9600\"}", SHEP_E_CONFIG,
         "bauds: "},
        {"{\"name\":\"A\",\"source\":\"serial\",\"path\":\"/d\",\"group\":\"a\\u0001\"}",
         SHEP_E_CONFIG, "group: "},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(add(bad[i].form), bad[i].err);
        if (strncmp(why, bad[i].says, strlen(bad[i].says)) != 0)
            fail_msg("%s: says '%s'", bad[i].form, why);
    }
    assert_int_equal(herd_count(t.herd), 0);
}

static void a_path_that_is_no_port_is_an_admins(void **state)
{
    json_t *form = fields("{\"name\":\"A\",\"source\":\"serial\",\"path\":\"/etc/shadow\"}");
    assert_int_equal(flock_miner_add(t.flock, form, false, why), FLOCK_DENIED);
    assert_int_equal(flock_miner_add(t.flock, form, true, why), 0);
    json_decref(form);
    int64_t id = miner_id(miner("A"));
    assert_int_equal(edit_as(false, id, "{\"location\":\"attic\"}"), 0); /* it had that path */
    assert_int_equal(edit_as(false, id, "{\"path\":\"/etc/passwd\"}"), FLOCK_DENIED);
    assert_int_equal(edit_as(false, id, "{\"path\":\"/dev/x\"}"), 0);
    t.source.ops.source.may_add = NULL; /* a source for the file only */
    assert_int_equal(edit(id, "{\"path\":\"/dev/y\"}"), SHEP_E_CONFIG);
}

static void edits_keep_the_rest(void **state)
{
    assert_int_equal(
        add("{\"name\":\"A\",\"source\":\"serial\",\"path\":\"/dev/x\",\"group\":\"g\","
            "\"notes\":\"n\"}"),
        0);
    int64_t id = miner_id(miner("A"));
    assert_int_equal(edit(id, "{\"location\":\"attic\"}"), 0);
    assert_int_equal(edit(id, "{\"name\":\"B\",\"notes\":\"\"}"), 0);
    assert_null(herd_miner_by_name(t.herd, "A"));
    assert_int_equal(miner_id(miner("B")), id);
    again();
    assert_int_equal(miner_id(miner("B")), id);
    const json_t *entry = plugins_miner_entry(&t.plugins, "B");
    assert_string_equal(field(entry, "location"), "attic");
    assert_string_equal(field(entry, "group"), "g");
    assert_null(json_object_get(entry, "about"));
    assert_int_equal(edit(id, "{\"name\":\"\"}"), SHEP_E_CONFIG);
    assert_int_equal(edit(id + 7, "{\"name\":\"C\"}"), SHEP_E_GONE);
}

static void a_merge_keeps_the_best(void **state)
{
    int64_t at_ms;
    assert_int_equal(add("{\"name\":\"A\",\"source\":\"serial\",\"path\":\"/dev/x\"}"), 0);
    assert_int_equal(add("{\"name\":\"B\",\"source\":\"serial\",\"path\":\"/dev/y\"}"), 0);
    herd_restore_best(miner("A"), 812, 5000);
    herd_restore_best(miner("B"), 9, 6000);
    assert_int_equal(flock_miner_merge(t.flock, miner_id(miner("A")), miner_id(miner("B")), why),
                     0);
    assert_null(herd_miner_by_name(t.herd, "A"));
    assert_true(miner_best_ever(miner("B"), &at_ms) == 812 && at_ms == 5000);
}

static void file_miners_stay(void **state)
{
    json_t *entry = fields("{\"id\":\"F\",\"source\":\"serial\",\"path\":\"/dev/f\"}");
    assert_int_equal(plugins_miner_put(&t.plugins, entry, MINER_FROM_FILE), 0);
    json_decref(entry);
    int64_t id = miner_id(miner("F"));
    assert_int_equal(edit(id, "{\"name\":\"G\"}"), SHEP_E_UNSUPPORTED);
    assert_int_equal(flock_miner_delete(t.flock, id, true, why), SHEP_E_UNSUPPORTED);
    assert_int_equal(flock_expect(t.flock, id, "a.b:1", NULL, "admin", why), 0);
    again();
    assert_null(herd_miner_by_name(t.herd, "F")); /* the file brings it, not the flock */
}

/* ---- names ---- */

static void suggested(const char *want, const char *port, const json_t *taken)
{
    char *name = suggested_name_dup(t.flock, herd_miner_by_name(t.herd, "1-1.2"), port, taken);
    assert_string_equal(name, want);
    assert_true(entry_name_is_valid(name));
    free(name);
}

static void names_are_suggested(void **state)
{
    json_t *entry = fields("{\"id\":\"1-1.2\",\"source\":\"serial\",\"path\":\"/dev/f\"}");
    assert_int_equal(plugins_miner_put(&t.plugins, entry, MINER_FOUND), 0);
    json_decref(entry);
    suggested("miner-1-1.2", "1-1.2", NULL);
    say("1-1.2", SHEP_A_FIRMWARE, "nerd miner");
    suggested("nerd-miner-1-1.2", "1-1.2", NULL);
    say("1-1.2", SHEP_A_WORKER, "<b>barn left</b>");
    suggested("b-barn-left-b", "1-1.2", NULL);
    say("1-1.2", SHEP_A_WORKER, "\xe2\x82\xbf");
    suggested("nerd-miner-1-1.2", "1-1.2", NULL);
    say("1-1.2", SHEP_A_WORKER, "barn");
    suggested("barn", "1-1.2", NULL);
    assert_int_equal(add("{\"name\":\"barn\",\"source\":\"serial\",\"path\":\"/dev/x\"}"), 0);
    suggested("barn-2", "1-1.2", NULL);
    json_t *taken = fields("{\"barn-2\":true}");
    suggested("barn-3", "1-1.2", taken);
    json_decref(taken);
    char worker[200];
    memset(worker, 'w', sizeof worker - 1);
    worker[sizeof worker - 1] = 0;
    say("1-1.2", SHEP_A_WORKER, worker);
    char *name = suggested_name_dup(t.flock, miner("1-1.2"), "1-1.2", NULL);
    assert_true(entry_name_is_valid(name));
    free(name);
}

/* ---- payout ---- */

static void guarded(void)
{
    assert_int_equal(add("{\"name\":\"A\",\"source\":\"serial\",\"path\":\"/dev/x\"}"), 0);
    assert_int_equal(flock_expect(t.flock, miner_id(miner("A")), "pool.example:3333, b.example",
                                  GOOD, "admin", why),
                     0);
}

static void a_difference_rings_once(void **state)
{
    guarded();
    say("A", SHEP_A_POOL, "b.example:1");
    say("A", SHEP_A_WALLET, GOOD);
    assert_int_equal(n_alarms(), 0);
    say("A", SHEP_A_WALLET, OTHER);
    assert_int_equal(n_alarms(), 1);
    say("A", SHEP_A_WALLET, GOOD);
    say("A", SHEP_A_WALLET, OTHER);
    assert_int_equal(t.n_changed, 1);
    assert_int_equal(n_alarms(), 1);
    say("A", SHEP_A_POOL, "evil.example:1");
    assert_int_equal(t.n_changed, 2);
    assert_int_equal(n_alarms(), 1);
}

static void a_newcomer_pays_where_the_flock_pays(void **state)
{
    assert_string_equal(newcomer_address(t.flock, OTHER), OTHER);
    guarded();
    assert_string_equal(newcomer_address(t.flock, OTHER), GOOD);
    assert_string_equal(newcomer_address(t.flock, GOOD), GOOD);
    assert_int_equal(flock_miner_delete(t.flock, miner_id(miner("A")), false, why), 0);
    again();
    assert_string_equal(newcomer_address(t.flock, OTHER), GOOD); /* deleting hides nothing */
}

static int add_named(const char *name)
{
    char text[128];
    snprintf(text, sizeof text, "{\"name\":\"%s\",\"source\":\"serial\",\"path\":\"/dev/%s\"}",
             name, name);
    return add(text);
}

static const char *address_of(const char *name)
{
    const struct expected *expected = expected_find(t.flock, miner_id(miner(name)));
    return expected && expected->address ? expected->address : "";
}

static void the_first_address_is_judged_whenever_it_is_said(void **state)
{
    guarded();
    assert_int_equal(add_named("B"), 0);
    assert_int_equal(add_named("C"), 0);
    again();
    say("B", SHEP_A_POOL, "pool.example:3333");
    say("B", SHEP_A_WALLET, "");
    assert_int_equal(n_alarms(), 0);
    say("B", SHEP_A_WALLET, GOOD); /* an address of ours: its own from here on */
    assert_string_equal(address_of("B"), GOOD);
    assert_int_equal(n_alarms(), 0);
    say("C", SHEP_A_WALLET, OTHER);
    assert_string_equal(address_of("C"), GOOD);
    assert_int_equal(n_alarms(), 1);
    assert_int_equal(t.n_changed, 1);
    say("C", SHEP_A_WALLET, GOOD);
    again();
    assert_int_equal(n_alarms(), 1); /* until an admin has seen it */
    assert_int_equal(flock_acknowledge(t.flock, miner_id(miner("C")), "admin", why), 0);
    assert_int_equal(n_alarms(), 0);
}

static void who_knows_no_address_takes_the_first(void **state)
{
    assert_int_equal(add_named("A"), 0);
    say("A", SHEP_A_WALLET, OTHER);
    assert_string_equal(address_of("A"), OTHER);
    assert_int_equal(n_alarms(), 0);
    say("A", SHEP_A_WALLET, GOOD); /* and watches it */
    assert_int_equal(n_alarms(), 1);
}

static void not_watched_is_an_admins_word(void **state)
{
    guarded();
    assert_int_equal(add_named("B"), 0);
    assert_int_equal(flock_expect(t.flock, miner_id(miner("B")), NULL, NULL, "admin", why), 0);
    again();
    say("B", SHEP_A_WALLET, OTHER);
    assert_int_equal(n_alarms(), 0);
    assert_int_equal(add_named("C"), 0); /* merging passes that word on to nobody */
    assert_int_equal(flock_miner_merge(t.flock, miner_id(miner("B")), miner_id(miner("C")), why),
                     0);
    say("C", SHEP_A_WALLET, OTHER);
    assert_int_equal(n_alarms(), 1);
    assert_string_equal(address_of("C"), GOOD);
}

static void who_told_its_pool_only_awaits_an_address(void **state)
{
    guarded();
    assert_int_equal(add_named("B"), 0);
    expect_as_said(t.flock, miner("B"), "pool.example:1", NULL, "accepted");
    again();
    assert_string_equal(address_of("B"), "");
    char *text = flock_expected_dup(t.flock, miner_id(miner("B")));
    assert_string_equal(text, "pool → pool.example:1; address → (not watched)");
    free(text);
    say("B", SHEP_A_WALLET, OTHER);
    assert_int_equal(n_alarms(), 1);
    say("B", SHEP_A_POOL, "evil.example:1");
    assert_int_equal(t.n_changed, 2);
}

static void a_miner_of_the_file_awaits_nothing(void **state)
{
    guarded();
    json_t *entry =
        fields("{\"id\":\"F\",\"source\":\"serial\",\"path\":\"/dev/f\",\"baud\":115200}");
    assert_int_equal(plugins_miner_put(&t.plugins, entry, MINER_FROM_FILE), 0);
    json_decref(entry);
    say("F", SHEP_A_WALLET, OTHER);
    assert_null(expected_find(t.flock, miner_id(miner("F"))));
    assert_int_equal(n_alarms(), 0);
}

static void an_import_makes_no_address_known(void **state)
{
    json_t *plan = fields("{\"miners\":[{\"miner_id\":\"N1\",\"dev_path\":\"/dev/n1\","
                          "\"wallet_address\":\"" OTHER "\"},"
                          "{\"miner_id\":\"N2\",\"dev_path\":\"/dev/n2\"}]}");
    guarded();
    json_decref(flock_import(t.flock, plan, true));
    assert_string_equal(address_of("N1"), GOOD);
    assert_string_equal(newcomer_address(t.flock, OTHER), GOOD);
    assert_string_equal(address_of("N2"), "");
    say("N2", SHEP_A_WALLET, OTHER);
    assert_int_equal(n_alarms(), 1);
    json_decref(plan);
}

static void what_was_seen_is_quiet_until_it_was_right(void **state)
{
    guarded();
    int64_t id = miner_id(miner("A"));
    assert_int_equal(flock_acknowledge(t.flock, id, "admin", why), SHEP_E_GONE);
    say("A", SHEP_A_WALLET, OTHER);
    assert_int_equal(flock_acknowledge(t.flock, id, "admin", why), 0);
    assert_int_equal(n_alarms(), 0);
    again();
    say("A", SHEP_A_WALLET, OTHER);
    assert_int_equal(n_alarms(), 0);
    assert_int_equal(t.n_changed, 1);
    say("A", SHEP_A_WALLET, "third");
    assert_int_equal(n_alarms(), 1);
    assert_int_equal(flock_acknowledge(t.flock, id, "admin", why), 0);
    say("A", SHEP_A_WALLET, GOOD);
    say("A", SHEP_A_WALLET, OTHER);
    assert_int_equal(n_alarms(), 1);
    assert_int_equal(t.n_changed, 3);
}

static void an_alarm_is_bounded_and_survives(void **state)
{
    guarded();
    char text[32];
    for (int i = 0; i < 1000; i++) {
        snprintf(text, sizeof text, "wallet%d", i);
        say("A", SHEP_A_WALLET, text);
    }
    assert_int_equal(t.n_changed, 8);
    again();
    assert_int_equal(n_alarms(), 1);
    assert_int_equal(flock_miner_delete(t.flock, miner_id(miner("A")), false, why),
                     SHEP_E_UNSUPPORTED);
}

static void expectations_are_checked(void **state)
{
    assert_int_equal(add("{\"name\":\"A\",\"source\":\"serial\",\"path\":\"/dev/x\"}"), 0);
    int64_t id = miner_id(miner("A"));
    assert_int_equal(flock_expect(t.flock, id, "a b", NULL, "x", why), SHEP_E_CONFIG);
    assert_int_equal(flock_expect(t.flock, id, NULL, GOOD "x", "x", why), SHEP_E_CONFIG);
    assert_int_equal(flock_expect(t.flock, id + 5, NULL, GOOD, "x", why), SHEP_E_GONE);
    assert_int_equal(flock_expect(t.flock, id, NULL, "account", "x", why), 0); /* a user name */
    char *text = flock_expected_dup(t.flock, id);
    assert_string_equal(text, "pool → (not watched); address → account");
    free(text);
    assert_int_equal(flock_expect(t.flock, id, NULL, NULL, "x", why), 0);
    say("A", SHEP_A_WALLET, OTHER);
    assert_string_equal(address_of("A"), "");
}

/* ---- pools, addresses ---- */

static int put_pool(int64_t id, const char *text)
{
    json_t *json = fields(text);
    int rc = flock_pool_put(t.flock, id, json, &id, why);
    json_decref(json);
    return rc;
}

static size_t n_active(void)
{
    size_t i, n = 0;
    json_t *row;
    json_array_foreach(t.flock->pools, i, row)
    {
        n += json_integer_value(json_object_get(row, "is_active")) != 0;
    }
    return n;
}

static void just_one_pool_is_active(void **state)
{
    assert_int_equal(put_pool(0, "{\"pool_name\":\"a\",\"pool_url\":\"a.b\",\"pool_port\":\"1\"}"),
                     0);
    assert_int_equal(put_pool(0, "{\"pool_name\":\"b\",\"pool_url\":\"a.b\",\"pool_port\":2}"), 0);
    assert_int_equal(put_pool(0, "{\"pool_name\":\"b\",\"pool_url\":\"a.b\",\"pool_port\":2}"),
                     SHEP_E_BUSY);
    assert_int_equal(n_active(), 1);
    assert_int_equal(flock_pool_activate(t.flock, 2, why), 0);
    assert_int_equal(put_pool(1, "{\"pool_user\":\"me\"}"), 0);
    again();
    assert_int_equal(n_active(), 1);
    assert_string_equal(field(row_by_id(t.flock->pools, 1), "pool_user"), "me");
    assert_int_equal(json_integer_value(json_object_get(row_by_id(t.flock->pools, 2), "is_active")),
                     1);
    assert_int_equal(flock_pool_delete(t.flock, 2, why), 0);
    assert_int_equal(n_active(), 1);
    json_t *all = flock_json(t.flock);
    assert_null(json_object_get(json_array_get(json_object_get(all, "pools"), 0), "pool_pass"));
    json_decref(all);
}

/* Asked for alone, each is what it is among all. */
static void one_is_as_among_all(void **state)
{
    json_t *address = fields("{\"coin_ticker\":\"BTC\",\"address\":\"" GOOD "\"}"),
           *new_miner = fields("{\"name\":\"A\",\"source\":\"serial\","
                               "\"path\":\"/dev/ttyUSB7\",\"notes\":\"n\"}");
    assert_int_equal(flock_miner_add(t.flock, new_miner, false, why), 0);
    assert_int_equal(flock_address_put(t.flock, 0, address, NULL, why), 0);
    assert_int_equal(put_pool(0, "{\"pool_name\":\"a\",\"pool_url\":\"a.b\",\"pool_port\":1,"
                                 "\"pool_pass\":\"secret\"}"),
                     0);
    int64_t id = miner_id(miner("A"));
    char key[32];
    snprintf(key, sizeof key, "%lld", (long long)id);
    json_t *all = flock_json(t.flock);
    json_t *ones[] = {flock_miner_json(t.flock, id), flock_address_json(t.flock, 1),
                      flock_pool_json(t.flock, 1)};
    assert_true(json_equal(ones[0], json_object_get(json_object_get(all, "miners"), key)));
    assert_true(json_equal(ones[1], json_array_get(json_object_get(all, "addresses"), 0)));
    assert_true(json_equal(ones[2], json_array_get(json_object_get(all, "pools"), 0)));
    assert_string_equal(field(ones[0], "notes"), "n");
    assert_string_equal(field(ones[1], "network"), "main");
    assert_string_equal(field(ones[2], "pool_name"), "a");
    assert_null(json_object_get(ones[2], "pool_pass"));
    assert_null(flock_miner_json(t.flock, 99));
    assert_null(flock_address_json(t.flock, 99));
    assert_null(flock_pool_json(t.flock, 0));
    for (size_t i = 0; i < ARRAY_LEN(ones); i++)
        json_decref(ones[i]);
    json_decref(all);
    json_decref(address);
    json_decref(new_miner);
}

/* ---- import ---- */

static const char plan_text[] =
    "{\"miners\":[{\"id\":1,\"miner_id\":\"OLD 1\",\"attrs_idVendor\":\"1A86\","
    "\"attrs_idProduct\":\"55d4\",\"attrs_serial\":\"5A4B048716\",\"dev_path\":\"/dev/ttyUSB0\","
    "\"pool_url\":\"a.b:1\",\"wallet_address\":\"" GOOD ".w\"},"
    "{\"id\":2,\"miner_id\":\"OLD2\",\"dev_path\":\"/dev/ttyUSB1\"},"
    "{\"id\":3,\"miner_id\":null},{\"id\":4,\"miner_id\":\"NOWHERE\"}],"
    "\"pools\":[{\"pool_name\":\"p\",\"pool_url\":\"a.b\",\"pool_port\":\"1\",\"is_active\":1},{}],"
    "\"addresses\":[{\"coin_ticker\":\"BTC\",\"address\":\"" GOOD "\"},{\"address\":\"x\"}],"
    "\"strays\":[{\"serial_number\":\"S1\",\"vendor_id\":\"303a\",\"product_id\":\"1001\",\"port_"
    "path\":\"1-2\"},{}],"
    "\"summary\":[{\"miner_id\":2,\"Best difficulty\":\"2.5K\"}],\"notes\":[\"n\"]}";

static json_int_t counted(const json_t *counts, const char *what, const char *how)
{
    return json_integer_value(json_object_get(json_object_get(counts, what), how));
}

static void twice_is_once(void **state)
{
    static const char *const kinds[] = {"miners", "pools", "addresses", "strays", "summary"};
    json_t *plan = fields(plan_text), *counts = flock_import(t.flock, plan, true);
    assert_int_equal(counted(counts, "pools", "added"), 1);
    assert_int_equal(counted(counts, "addresses", "added"), 1);
    assert_int_equal(counted(counts, "addresses", "left_out"), 1);
    assert_int_equal(counted(counts, "summary", "added"), 1);
    assert_int_equal(counted(counts, "strays", "added"), 1);
    assert_int_equal(counted(counts, "strays", "left_out"), 1);
    assert_int_equal(counted(counts, "miners", "left_out"), 2);
    json_decref(counts);
    int64_t at_ms;
    assert_true(miner_best_ever(miner("OLD2"), &at_ms) == 2500);
    counts = flock_import(t.flock, plan, true);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        assert_int_equal(counted(counts, kinds[i], "added"), 0);
        assert_int_equal(counted(counts, kinds[i], "updated"), 0);
    }
    json_decref(counts);
    json_decref(plan);
}

#define WITH_FLOCK(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FLOCK(texts_become_options),
        WITH_FLOCK(what_is_wrong_is_said),
        WITH_FLOCK(a_path_that_is_no_port_is_an_admins),
        WITH_FLOCK(edits_keep_the_rest),
        WITH_FLOCK(a_merge_keeps_the_best),
        WITH_FLOCK(file_miners_stay),
        WITH_FLOCK(names_are_suggested),
        WITH_FLOCK(a_difference_rings_once),
        WITH_FLOCK(a_newcomer_pays_where_the_flock_pays),
        WITH_FLOCK(the_first_address_is_judged_whenever_it_is_said),
        WITH_FLOCK(who_knows_no_address_takes_the_first),
        WITH_FLOCK(not_watched_is_an_admins_word),
        WITH_FLOCK(who_told_its_pool_only_awaits_an_address),
        WITH_FLOCK(a_miner_of_the_file_awaits_nothing),
        WITH_FLOCK(an_import_makes_no_address_known),
        WITH_FLOCK(what_was_seen_is_quiet_until_it_was_right),
        WITH_FLOCK(an_alarm_is_bounded_and_survives),
        WITH_FLOCK(expectations_are_checked),
        WITH_FLOCK(just_one_pool_is_active),
        WITH_FLOCK(one_is_as_among_all),
        WITH_FLOCK(twice_is_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
