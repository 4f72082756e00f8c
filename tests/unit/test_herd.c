/* The herd under a clock that stands still: statuses, readings, totals, topics, facts, the
 * snapshot. */
#include "unit/check.h"

#include "herd/facts.h"
#include "herd/herd.h"
#include "util/clock.h"

#include <math.h>

enum { WALL0 = 1000000 };

static struct {
    struct loop *loop;
    struct topics *topics;
    struct herd *herd;
    struct miner *miner;
    int64_t mono_ms;
    char events[4096], texts[1024], last_status[64];
} t;

static void on_event(const struct shep_event *event, const struct miner *miner, void *arg)
{
    size_t used = strlen(t.events);
    snprintf(t.events + used, sizeof t.events - used, "%s ", event_name(event->event));
    if (event->event == SHEP_EV_STATUS)
        snprintf(t.last_status, sizeof t.last_status, "%.*s", (int)event->text_len, event->text);
}

static void on_text(struct miner *miner, uint32_t attr, const char *text, void *arg)
{
    size_t used = strlen(t.texts);
    snprintf(t.texts + used, sizeof t.texts - used, "%s=%s ", metric_name(attr), text);
}

static void advance(int64_t ms)
{
    t.mono_ms += ms;
    clock_set_fake(WALL0 + t.mono_ms, t.mono_ms);
}

/* Let the herd's own timers pass: they are libevent's, which does not know the held clock. */
static void sweep(void)
{
    clock_set_fake(-1, 0);
    int64_t until_ms = clock_mono_ms() + 1100;
    clock_set_fake(WALL0 + t.mono_ms, t.mono_ms);
    for (;;) {
        loop_run_once(t.loop, 200);
        clock_set_fake(-1, 0);
        int64_t now_ms = clock_mono_ms();
        clock_set_fake(WALL0 + t.mono_ms, t.mono_ms);
        if (now_ms >= until_ms)
            break;
    }
}

static int setup(void **state)
{
    memset(&t, 0, sizeof t);
    t.mono_ms = 100000;
    advance(0);
    t.loop = loop_new(0);
    t.topics = topics_new(t.loop);
    struct herd_conf conf = {0};
    t.herd = herd_new(t.loop, t.topics, &conf);
    struct herd_listener listener = {.event = on_event, .text = on_text};
    herd_listen(t.herd, &listener);
    struct miner_conf miner = {.id = 7, .name = "BARN-01", .source = "serial", .path = "/dev/x"};
    t.miner = herd_miner_put(t.herd, &miner);
    return 0;
}

static int teardown(void **state)
{
    herd_free(t.herd);
    topics_free(t.topics);
    loop_free(t.loop);
    clock_set_fake(-1, 0);
    return 0;
}

static int tell(uint32_t metric, double value)
{
    struct shep_reading reading = {.size = sizeof reading, .metric = metric, .value = value};
    return herd_reading(t.herd, t.miner, &reading);
}

static void say(uint32_t event_id)
{
    struct shep_event event = {.size = sizeof event, .event = event_id};
    herd_event(t.herd, t.miner, &event);
}

static size_t heard(const char *name)
{
    size_t n = 0;
    for (const char *at = t.events; (at = strstr(at, name)); at += strlen(name))
        n++;
    return n;
}

static void say_text(uint32_t attr, const char *text)
{
    struct shep_reading reading = {
        .size = sizeof reading, .metric = attr, .text = text, .text_len = strlen(text)};
    assert_int_equal(herd_reading(t.herd, t.miner, &reading), 0);
}

static void texts_are_told_when_they_are_news(void **state)
{
    struct shep_reading old = {
        .size = sizeof old, .metric = SHEP_A_POOL, .at_ms = 5, .text = "a:1", .text_len = 3};
    herd_restore(t.herd, t.miner, &old);
    assert_string_equal(t.texts, "");
    say_text(SHEP_A_POOL, "a:1"); /* the first time that it says so to us */
    say_text(SHEP_A_POOL, "a:1");
    advance(59000);
    say_text(SHEP_A_POOL, "a:1"); /* it goes on saying so */
    advance(59000);
    say_text(SHEP_A_POOL, "a:1");
    assert_string_equal(t.texts, "pool=a:1 ");
    say_text(SHEP_A_POOL, "b:1");
    say_text(SHEP_A_WALLET, "bc1q");
    advance(60001); /* a pause */
    say_text(SHEP_A_POOL, "b:1");
    assert_string_equal(t.texts, "pool=a:1 pool=b:1 wallet=bc1q pool=b:1 ");
}

static void a_miner_gets_another_name(void **state)
{
    struct miner_conf conf = {.id = 8, .name = "BARN-2"};
    herd_miner_put(t.herd, &conf);
    tell(SHEP_M_HASHRATE, 5);
    assert_int_equal(herd_miner_rename(t.herd, t.miner, "BARN-2"), SHEP_E_BUSY);
    assert_string_equal(miner_name(t.miner), "BARN-01");
    assert_int_equal(herd_miner_rename(t.herd, t.miner, "BARN-10"), 0);
    assert_ptr_equal(herd_miner_by_name(t.herd, "BARN-10"), t.miner);
    assert_null(herd_miner_by_name(t.herd, "BARN-01"));
    double value = 0;
    assert_true(miner_value(t.miner, SHEP_M_HASHRATE, &value, NULL));
    /* the list stays in order, so that its old name may be put again */
    conf = (struct miner_conf){.id = 9, .name = "BARN-01"};
    assert_ptr_not_equal(herd_miner_put(t.herd, &conf), t.miner);
    conf = (struct miner_conf){.id = 7, .name = "BARN-10"};
    assert_ptr_equal(herd_miner_put(t.herd, &conf), t.miner);
    assert_int_equal(herd_count(t.herd), 3);
}

static void a_hushed_miner_is_told_of_later(void **state)
{
    herd_hush(t.miner);
    herd_link(t.herd, t.miner, true, NULL);
    assert_int_equal(miner_status(t.miner), SHEP_STATUS_IDLE); /* it shows */
    assert_string_equal(t.events, "");
    herd_unhush(t.herd, t.miner, false);
    assert_int_equal(heard("link.up"), 1);
    assert_int_equal(heard("miner.status"), 1);
    t.events[0] = '\0';
    herd_hush(t.miner); /* gone for a moment */
    herd_link(t.herd, t.miner, false, "unplugged");
    herd_link(t.herd, t.miner, true, NULL);
    herd_unhush(t.herd, t.miner, false);
    assert_string_equal(t.events, "link.down link.up ");
    t.events[0] = '\0';
    herd_hush(t.miner); /* one of many */
    herd_link(t.herd, t.miner, false, "unplugged");
    herd_unhush(t.herd, t.miner, true);
    sweep();
    assert_string_equal(t.events, "");
    herd_link(t.herd, t.miner, true, NULL);
    assert_int_equal(heard("link.up"), 1);
}

static void hash(void)
{
    struct shep_reading reading = {
        .size = sizeof reading, .metric = SHEP_M_HASHRATE, .value = 50000};
    herd_line(t.herd, t.miner, 0);
    assert_int_equal(herd_reading(t.herd, t.miner, &reading), 0);
}

static void brown_out(int64_t gone_ms)
{
    herd_hush(t.miner);
    herd_link(t.herd, t.miner, false, "unplugged");
    herd_unhush(t.herd, t.miner, true);
    advance(gone_ms);
    sweep();
    herd_hush(t.miner);
    herd_link(t.herd, t.miner, true, NULL);
    herd_unhush(t.herd, t.miner, true);
}

static void after_a_brown_out_it_is_quiet_until_it_is_as_before(void **state)
{
    herd_link(t.herd, t.miner, true, NULL);
    hash();
    t.events[0] = '\0';
    brown_out(5000);
    assert_int_equal(miner_status(t.miner), SHEP_STATUS_IDLE); /* it shows */
    hash();
    assert_int_equal(miner_status(t.miner), SHEP_STATUS_ONLINE);
    assert_string_equal(t.events, "");
    advance(61000); /* what comes then is news */
    sweep();
    assert_string_equal(t.last_status, "online > silent");
    hash();
    t.events[0] = '\0';
    brown_out(5000);
    advance(119000);
    sweep();
    assert_string_equal(t.events, "");
    advance(2000); /* it mines no more */
    sweep();
    assert_string_equal(t.events, "miner.status ");
    assert_string_equal(t.last_status, "online > silent");
    hash();
    t.events[0] = '\0';
    brown_out(121000); /* a long one: once that it is gone */
    assert_string_equal(t.events, "miner.status ");
    assert_string_equal(t.last_status, "online > offline");
}

static void a_storm_of_events_is_bounded(void **state)
{
    herd_link(t.herd, t.miner, true, NULL);
    for (int i = 0; i < 1000; i++)
        say(SHEP_EV_PANIC);
    assert_int_equal(heard("miner.panic"), 30);
    say(SHEP_EV_BLOCK_FOUND); /* a storm of one kind pushes out no other */
    assert_int_equal(heard("block.found"), 1);
    advance(5000);
    say(SHEP_EV_PANIC);
    say(SHEP_EV_PANIC);
    assert_int_equal(heard("miner.panic"), 31);
    for (int i = 0; i < 100; i++)
        say(SHEP_EV_JOB); /* costs nothing */
    assert_int_equal(heard("miner.job"), 100);
}

static void a_status_that_flaps_is_told_in_the_end(void **state)
{
    herd_link(t.herd, t.miner, true, NULL);
    for (int i = 0; i < 100; i++) {
        say(SHEP_EV_RESET);
        say(SHEP_EV_RUNNING);
    }
    assert_int_equal(heard("miner.status"), 30);
    say(SHEP_EV_RUNNING);
    herd_link(t.herd, t.miner, false, "gone");
    assert_int_equal(miner_status(t.miner), SHEP_STATUS_OFFLINE);
    assert_int_equal(heard("miner.status"), 30);
    advance(5000);
    sweep();
    assert_int_equal(heard("miner.status"), 31);
    assert_non_null(strstr(t.last_status, "> offline"));
    advance(5000);
    sweep();
    assert_int_equal(heard("miner.status"), 31); /* nothing was left untold */
}

static void a_miner_goes_through_its_statuses(void **state)
{
    assert_int_equal(miner_status(t.miner), SHEP_STATUS_OFFLINE);
    herd_link(t.herd, t.miner, true, NULL);
    assert_int_equal(miner_status(t.miner), SHEP_STATUS_IDLE);
    herd_line(t.herd, t.miner, 0);
    tell(SHEP_M_HASHRATE, 55000);
    assert_int_equal(miner_status(t.miner), SHEP_STATUS_ONLINE);
    say(SHEP_EV_RESET);
    assert_int_equal(miner_status(t.miner), SHEP_STATUS_RESETTING);
    say(SHEP_EV_RUNNING);
    herd_line(t.herd, t.miner, 0);
    assert_int_equal(miner_status(t.miner), SHEP_STATUS_ONLINE);
    herd_link(t.herd, t.miner, false, "unplugged");
    assert_int_equal(miner_status(t.miner), SHEP_STATUS_OFFLINE);
    assert_non_null(strstr(t.events, "link.up miner.status"));
    assert_non_null(strstr(t.events, "link.down"));
}

static void silence_is_found_by_the_sweep(void **state)
{
    herd_link(t.herd, t.miner, true, NULL);
    herd_line(t.herd, t.miner, 0);
    tell(SHEP_M_HASHRATE, 55000);
    advance(60000);
    sweep();
    assert_int_equal(miner_status(t.miner), SHEP_STATUS_ONLINE);
    advance(1);
    sweep();
    assert_int_equal(miner_status(t.miner), SHEP_STATUS_SILENT);
    double value;
    assert_true(miner_value(t.miner, SHEP_M_HASHRATE, &value, NULL)); /* silence erases nothing */
    assert_float_equal(value, 55000, 0);
    herd_line(t.herd, t.miner, 0);
    assert_int_equal(miner_status(t.miner), SHEP_STATUS_IDLE); /* a line, but no hashes yet */
}

static void hashes_moving_make_it_online(void **state)
{
    herd_link(t.herd, t.miner, true, NULL);
    herd_line(t.herd, t.miner, 0);
    tell(SHEP_M_HASHRATE, 0);
    tell(SHEP_M_HASHES_TOTAL, 1000);
    assert_int_equal(miner_status(t.miner), SHEP_STATUS_IDLE);
    tell(SHEP_M_HASHES_TOTAL, 2000);
    assert_int_equal(miner_status(t.miner), SHEP_STATUS_ONLINE);
    tell(SHEP_M_HASHES_TOTAL, 10); /* a reset counter is no hashing */
    advance(60001);
    herd_line(t.herd, t.miner, 0);
    sweep();
    assert_int_equal(miner_status(t.miner), SHEP_STATUS_IDLE);
}

static void resetting_lasts_two_minutes_at_most(void **state)
{
    herd_link(t.herd, t.miner, true, NULL);
    say(SHEP_EV_RESET);
    advance(119999);
    herd_line(t.herd, t.miner, 0);
    assert_int_equal(miner_status(t.miner), SHEP_STATUS_RESETTING);
    advance(2);
    herd_line(t.herd, t.miner, 0);
    assert_int_equal(miner_status(t.miner), SHEP_STATUS_IDLE);
}

static void implausible_readings_are_refused(void **state)
{
    double value;
    assert_int_equal(tell(SHEP_M_HASHRATE, NAN), SHEP_E_FORMAT);
    assert_int_equal(tell(SHEP_M_HASHRATE, INFINITY), SHEP_E_FORMAT);
    assert_int_equal(tell(SHEP_M_HASHRATE, -1), SHEP_E_LIMIT);
    assert_int_equal(tell(SHEP_M_TEMPERATURE, 1000), SHEP_E_LIMIT);
    assert_int_equal(tell(60, 1), SHEP_E_BUG);
    assert_int_equal(tell(5000, 1), SHEP_E_BUG);
    assert_false(miner_value(t.miner, SHEP_M_HASHRATE, &value, NULL));
}

static void attributes_are_bounded(void **state)
{
    char longest[1000];
    memset(longest, 'x', sizeof longest);
    struct shep_reading reading = {
        .size = sizeof reading, .metric = SHEP_A_POOL, .text = longest, .text_len = sizeof longest};
    assert_int_equal(herd_reading(t.herd, t.miner, &reading), 0);
    assert_int_equal(strlen(miner_text(t.miner, SHEP_A_POOL, NULL)), SHEP_TEXT_MAX);
    reading.metric = 99; /* no such attribute */
    assert_int_equal(herd_reading(t.herd, t.miner, &reading), SHEP_E_BUG);
}

static void the_first_best_share_is_no_news(void **state)
{
    int64_t at_ms;
    tell(SHEP_M_BEST_DIFFICULTY, 12.5);
    assert_null(strstr(t.events, "share.best"));
    tell(SHEP_M_BEST_DIFFICULTY, 3); /* the device forgot: ours stays */
    assert_float_equal(miner_best_ever(t.miner, &at_ms), 12.5, 0);
    tell(SHEP_M_BEST_DIFFICULTY, 13);
    assert_non_null(strstr(t.events, "share.best"));
    assert_float_equal(miner_best_ever(t.miner, &at_ms), 13, 0);
}

static void restored_readings_keep_their_age(void **state)
{
    struct shep_reading reading = {
        .size = sizeof reading, .metric = SHEP_M_HASHRATE, .value = 5, .at_ms = 123};
    herd_restore(t.herd, t.miner, &reading);
    double value;
    int64_t at_ms;
    assert_true(miner_value(t.miner, SHEP_M_HASHRATE, &value, &at_ms));
    assert_int_equal(at_ms, 123);
    herd_link(t.herd, t.miner, true, NULL);
    assert_int_equal(miner_status(t.miner), SHEP_STATUS_IDLE); /* a memory is no hashing */
}

static void plugin_metrics_live_beside_ours(void **state)
{
    uint32_t id, again;
    const struct shep_metric_info info = {
        .name = "acme.humidity", .unit = "%", .min = 0, .max = 100};
    const struct shep_metric_info other = {
        .name = "acme.humidity", .unit = "g", .min = 0, .max = 1};
    tell(SHEP_M_HASHRATE, 1);
    assert_int_equal(herd_metric_declare(t.herd, &info, &id), 0);
    assert_int_equal(id, SHEP_METRIC_OWN);
    assert_int_equal(herd_metric_declare(t.herd, &info, &again), 0);
    assert_int_equal(again, id);
    assert_int_equal(herd_metric_declare(t.herd, &other, &again), SHEP_E_CONFIG);
    assert_int_equal(tell(id, 40), 0);
    double value;
    assert_true(miner_value(t.miner, id, &value, NULL));
    assert_float_equal(value, 40, 0);
    assert_true(miner_value(t.miner, SHEP_M_HASHRATE, &value, NULL));
}

static void note_metric(uint32_t id, const struct shep_metric_info *info, void *arg)
{
    uint32_t known;
    assert_int_equal(herd_metric_by_name(t.herd, info->name, &known), 0);
    assert_int_equal(known, id);
    uint32_t *last = arg;
    assert_true(id > *last);
    *last = id;
}

static void every_metric_is_listed_in_order(void **state)
{
    uint32_t last = 0, id;
    const struct shep_metric_info info = {.name = "acme.humidity", .unit = "%", .max = 100};
    herd_metric_each(t.herd, note_metric, &last);
    assert_int_equal(last, SHEP_M_VALID_BLOCKS);
    assert_int_equal(herd_metric_declare(t.herd, &info, &id), 0);
    last = 0;
    herd_metric_each(t.herd, note_metric, &last);
    assert_int_equal(last, id);
}

static void time_of_a_reading_may_be_left_out(void **state)
{
    double value;
    struct shep_reading board = {
        .size = sizeof board, .metric = SHEP_A_BOARD, .text = "S3", .text_len = 2};
    assert_null(miner_text(t.miner, SHEP_A_BOARD, NULL));
    assert_int_equal(herd_reading(t.herd, t.miner, &board), 0);
    assert_string_equal(miner_text(t.miner, SHEP_A_BOARD, NULL), "S3");
    tell(SHEP_M_HASHRATE, 7);
    assert_true(miner_value(t.miner, SHEP_M_HASHRATE, &value, NULL));
}

static const struct snap_miner *snap_miner_at(const struct snap_head *head, uint32_t i)
{
    return (const struct snap_miner *)((const char *)(head + 1) + i * head->miner_stride);
}

static void the_snapshot_tells_what_the_herd_knows(void **state)
{
    struct miner_conf second = {.id = 8, .name = "BARN-02", .group = "barn", .tags = "loud,old"},
                      tenth = {.id = 10, .name = "BARN-10"};
    herd_link(t.herd, t.miner, true, NULL);
    herd_line(t.herd, t.miner, 0);
    tell(SHEP_M_HASHRATE, 55000);
    tell(SHEP_M_SHARES_32BIT, 3);
    struct miner *offline = herd_miner_put(t.herd, &tenth);
    herd_miner_put(t.herd, &second);
    struct shep_reading reading = {.size = sizeof reading, .metric = SHEP_M_HASHRATE, .value = 1e6};
    herd_reading(t.herd, offline, &reading);
    const struct snap_head *head = herd_snapshot(t.herd);
    assert_int_equal(head->magic, SNAPSHOT_MAGIC);
    assert_int_equal(head->n_miners, 3);
    assert_int_equal(head->total_miners, 3);
    assert_int_equal(head->reporting_miners, 1);
    assert_float_equal(head->total_hashrate, 55000, 0); /* who is offline counts nothing */
    const char *bytes = (const char *)head;
    assert_string_equal(bytes + snap_miner_at(head, 0)->name_off, "BARN-01");
    assert_string_equal(bytes + snap_miner_at(head, 1)->name_off, "BARN-02");
    assert_string_equal(bytes + snap_miner_at(head, 2)->name_off, "BARN-10");
    assert_string_equal(bytes + snap_miner_at(head, 1)->group_off, "barn");
    assert_string_equal(bytes + snap_miner_at(head, 1)->tags_off, "loud,old");
    assert_int_equal(snap_miner_at(head, 2)->group_off, 0);
    const struct snap_cell *cells = (const struct snap_cell *)(snap_miner_at(head, 0) + 1);
    assert_float_equal(cells[0].value, 55000, 0);
    assert_int_equal(cells[0].at_ms, WALL0 + t.mono_ms);
    assert_int_equal(cells[1].at_ms, 0); /* hashes_total: never said */
    const struct snap_column *columns = (const void *)(bytes + head->metrics_off);
    assert_string_equal(bytes + columns[0].name_off, "hashrate");
}

static int n_published;
static void on_publish(enum topic topic, uint64_t seq, void *arg)
{
    n_published++;
}

static void a_burst_is_published_once_a_tick(void **state)
{
    clock_set_fake(-1, 0);
    n_published = 0;
    struct topics *topics = topics_new(t.loop);
    topic_subscribe(topics, on_publish, NULL);
    int64_t begun_ms = clock_mono_ms();
    while (clock_mono_ms() - begun_ms < 350) {
        topic_touch(topics, TOPIC_LOGS);
        loop_run_once(t.loop, 1);
    }
    /* at once, then every 100 ms: 4 in 350 ms, and never more however slow the machine is */
    assert_in_range(n_published, 2, 5);
    assert_int_equal(topic_seq(topics, TOPIC_LOGS), 1 + n_published);
    assert_int_equal(topic_seq(topics, TOPIC_HERD), 1);
    topics_free(topics);
}

static void facts_are_checked_and_joined(void **state)
{
    struct facts *facts = facts_new(t.topics);
    size_t len;
    assert_int_equal(facts_put(facts, "price", "{\"a\":1}", 7), 0);
    assert_int_equal(facts_put(facts, "bad", "{\"a\":", 5), SHEP_E_FORMAT);
    assert_int_equal(facts_put(facts, "store", "[2]", 3), 0);
    assert_string_equal(facts_all(facts, &len), "{\"price\":{\"a\":1},\"store\":[2]}");
    assert_int_equal(facts_put(facts, "price", NULL, 0), 0);
    assert_string_equal(facts_all(facts, &len), "{\"store\":[2]}");
    char *big = shep_alloc(FACT_MAX_BYTES + 2);
    memset(big, '1', FACT_MAX_BYTES + 1);
    assert_int_equal(facts_put(facts, "big", big, FACT_MAX_BYTES + 1), SHEP_E_LIMIT);
    free(big);
    facts_free(facts);
}

static void names_and_ids_agree(void **state)
{
    assert_string_equal(metric_name(SHEP_M_HASHRATE), "hashrate");
    assert_int_equal(metric_by_name("worker"), SHEP_A_WORKER);
    assert_int_equal(metric_by_name("nonsense"), 0);
    assert_null(metric_name(63));
    assert_true(event_keep(SHEP_EV_RESET));
    assert_false(event_keep(SHEP_EV_JOB));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_storm_of_events_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(texts_are_told_when_they_are_news, setup, teardown),
        cmocka_unit_test_setup_teardown(a_miner_gets_another_name, setup, teardown),
        cmocka_unit_test_setup_teardown(a_hushed_miner_is_told_of_later, setup, teardown),
        cmocka_unit_test_setup_teardown(after_a_brown_out_it_is_quiet_until_it_is_as_before, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_status_that_flaps_is_told_in_the_end, setup, teardown),
        cmocka_unit_test_setup_teardown(a_miner_goes_through_its_statuses, setup, teardown),
        cmocka_unit_test_setup_teardown(silence_is_found_by_the_sweep, setup, teardown),
        cmocka_unit_test_setup_teardown(hashes_moving_make_it_online, setup, teardown),
        cmocka_unit_test_setup_teardown(resetting_lasts_two_minutes_at_most, setup, teardown),
        cmocka_unit_test_setup_teardown(implausible_readings_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(attributes_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(the_first_best_share_is_no_news, setup, teardown),
        cmocka_unit_test_setup_teardown(restored_readings_keep_their_age, setup, teardown),
        cmocka_unit_test_setup_teardown(plugin_metrics_live_beside_ours, setup, teardown),
        cmocka_unit_test_setup_teardown(every_metric_is_listed_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(time_of_a_reading_may_be_left_out, setup, teardown),
        cmocka_unit_test_setup_teardown(the_snapshot_tells_what_the_herd_knows, setup, teardown),
        cmocka_unit_test_setup_teardown(a_burst_is_published_once_a_tick, setup, teardown),
        cmocka_unit_test_setup_teardown(facts_are_checked_and_joined, setup, teardown),
        cmocka_unit_test(names_and_ids_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
