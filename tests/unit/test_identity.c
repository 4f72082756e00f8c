/* The rules that tell boards apart, each by itself. */
#include "unit/check.h"

#include "plugin/identity.h"

static void addresses(void **state)
{
    static const char *const good[] = {"A0:B1:C2:D3:E4:F5", "a0-b1-c2-d3-e4-f5", "a0b1c2d3e4f5"};
    static const char *const bad[] = {"",
                                      "a0:b1:c2:d3:e4",
                                      "a0:b1:c2:d3:e4:f5:00",
                                      "00:00:00:00:00:00",
                                      "ff:ff:ff:ff:ff:ff",
                                      "01:00:5e:00:00:01", /* a group */
                                      "a:0b1:c2:d3:e4:f5",
                                      "a0b1c2d3e4f5 ",
                                      "::a0b1c2d3e4f5",
                                      "g0:b1:c2:d3:e4:f5"};
    char mac[ID_MAC_MAX];
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_true(id_mac(good[i], mac));
        assert_string_equal(mac, "a0b1c2d3e4f5");
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (id_mac(bad[i], mac))
            fail_msg("'%s' is no address", bad[i]);
    assert_false(id_mac(NULL, mac));
}

static void serial_numbers(void **state)
{
    static const char *const good[] = {"01A2B3C4D5", "dc414a79f2b1ec11b1f4c28a8fcc3fa0", "5423",
                                       "F0:F5:BD:4A:AB:CC"};
    static const char *const bad[] = {"",
                                      "0",
                                      "0001",
                                      "00000000",
                                      "1",
                                      "abc",
                                      "123456",
                                      "12345678",
                                      "FFFFFFFF",
                                      "    ",
                                      "????",
                                      "0123456789",
                                      "0123456789ABCDEF"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        if (!id_serial_trusted(good[i]))
            fail_msg("'%s' is a serial number", good[i]);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (id_serial_trusted(bad[i]))
            fail_msg("'%s' is in every unit", bad[i]);
    assert_false(id_serial_trusted(NULL));
}

static void hubs(void **state)
{
    char hub[32];
    assert_true(id_hub("1-1.2.3", hub, sizeof hub));
    assert_string_equal(hub, "1-1.2");
    assert_true(id_hub("2-4", hub, sizeof hub));
    assert_string_equal(hub, "usb2");
    assert_false(id_hub("192.0.2.1", hub, sizeof hub));
    assert_false(id_hub(NULL, hub, sizeof hub));
}

static void texts_are_made_harmless(void **state)
{
    char name[ID_NAME_MAX], *clean = id_clean_dup("a\n\x1b[2J\xff", 100);
    assert_string_equal(clean, "a??[2J?");
    free(clean);
    clean = id_clean_dup("Z\xc3\xbcrich", 100);
    assert_string_equal(clean, "Z\xc3\xbcrich");
    free(clean);
    assert_null(id_clean_dup(NULL, 100));
    id_name("", name);
    assert_string_equal(name, "device");
    id_name("a/b<c>", name);
    assert_string_equal(name, "a-b-c-");
}

static void serial_key(char out[static ID_KEY_MAX], const char *serial)
{
    struct id_facts facts;
    id_facts_make(&facts, NULL, "1a86", "55d4", serial, "1-1.2", 0);
    memcpy(out, facts.serial_key, ID_KEY_MAX);
}

static void different_texts_make_different_keys(void **state)
{
    char a[ID_KEY_MAX], b[ID_KEY_MAX], text[127];
    serial_key(a, "AB/CD");
    serial_key(b, "AB_CD");
    assert_string_not_equal(a, b);
    assert_string_equal(b, "usb:1a86:55d4:AB_CD");
    serial_key(b, "AB@CD");
    assert_string_not_equal(a, b);
    assert_null(strchr(b, '@')); /* that stands before a place */
    memset(text, 'x', 126);
    text[0] = 'y';
    text[126] = '\0';
    serial_key(a, text);
    text[125] = 'z';
    serial_key(b, text);
    assert_string_not_equal(a, b);
    assert_true(strlen(a) < ID_KEY_MAX - ID_PLACE_MAX);
}

static void what_is_no_usb_has_no_serial_key(void **state)
{
    struct id_facts facts;
    id_facts_make(&facts, "A0:B1:C2:D3:E4:F5", NULL, NULL, "01A2B3C4", "lan", 0);
    assert_string_equal(facts.serial_key, "");
    assert_string_equal(facts.mac, "a0b1c2d3e4f5");
    id_facts_make(&facts, NULL, "1a8", "55d4/", "01A2B3C4", "1-1", 0);
    assert_string_equal(facts.serial_key, "");
}

/* ---- whose it is ---- */

enum { ABSENT_1 = 1, ASSUMED_2, PROVEN_3, STRANGER_4, REMOVED_5 };

static enum id_presence presence(int64_t miner_id, bool *stranger, void *arg)
{
    static const enum id_presence is[] = {ID_NO_MINER, ID_ABSENT, ID_ASSUMED,
                                          ID_PROVEN,   ID_ABSENT, ID_NO_MINER};
    *stranger = miner_id == STRANGER_4;
    return is[miner_id];
}

static struct id_verdict decide(const struct id_facts *facts, struct known *rows, size_t n)
{
    struct known *list[8];
    struct id_verdict verdict;
    for (size_t i = 0; i < n; i++)
        list[i] = &rows[i];
    id_decide(facts, &(struct id_world){.known = list, .n_known = n, .presence = presence},
              &verdict);
    return verdict;
}

#define DECIDE(facts, ...)                                                                         \
    decide(facts, (struct known[]){__VA_ARGS__},                                                   \
           sizeof((struct known[]){__VA_ARGS__}) / sizeof(struct known))
#define ROW(key_, port_, pid_, miner_)                                                             \
    {                                                                                              \
        .key = key_, .port_path = port_, .vid = "1a86", .pid = pid_, .miner_id = miner_            \
    }

static struct id_facts plain(const char *serial, const char *place)
{
    struct id_facts facts;
    id_facts_make(&facts, NULL, "1a86", "7523", serial, place, 0);
    return facts;
}

static void the_address_comes_first(void **state)
{
    struct id_facts facts;
    id_facts_make(&facts, "a0:b1:c2:d3:e4:f5", "1a86", "7523", "01A2B3C4", "1-1.2", 0);
    struct id_verdict v = DECIDE(&facts, ROW("usb:1a86:7523:01A2B3C4", "1-1.2", "7523", ASSUMED_2),
                                 ROW("mac:a0b1c2d3e4f5", "9-9", "7523", PROVEN_3));
    assert_int_equal(v.miner_id, PROVEN_3); /* a second way in */
    assert_int_equal(v.by, ID_BY_MAC);
    assert_string_equal(v.key, "mac:a0b1c2d3e4f5");
    v = DECIDE(&facts, ROW("usb:1a86:7523:01A2B3C4", "9-9", "7523", ABSENT_1));
    assert_int_equal(v.miner_id, ABSENT_1); /* known by its serial number only */
    assert_string_equal(v.key, "mac:a0b1c2d3e4f5");
    v = DECIDE(&facts, ROW("port:1-1.2", "1-1.2", "7523", ABSENT_1));
    assert_int_equal(v.miner_id, 0); /* who tells its address is not told by its place */
}

static void then_the_serial_number(void **state)
{
    struct id_facts facts = plain("01A2B3C4", "1-1.2");
    struct id_verdict v = DECIDE(&facts, ROW("usb:1a86:7523:01A2B3C4", "9-9", "7523", ABSENT_1));
    assert_int_equal(v.by, ID_BY_SERIAL);
    assert_int_equal(v.doubt, ID_NO_DOUBT);
    v = DECIDE(&facts, ROW("usb:1a86:7523:01A2B3C4", "9-9", "7523", REMOVED_5));
    assert_int_equal(v.miner_id, 0);
    facts.shared = true;
    v = DECIDE(&facts, ROW("usb:1a86:7523:01A2B3C4@1-1.2", "1-1.2", "7523", ABSENT_1));
    assert_int_equal(v.by, ID_BY_PLACE);
    v = DECIDE(&facts, ROW("usb:1a86:7523:01A2B3C4@1-1.3", "1-1.3", "7523", ABSENT_1),
               ROW("usb:1a86:7523:01A2B3C4D5@1-1.4", "1-1.4", "7523", ABSENT_1));
    assert_int_equal(v.miner_id, 0);
    assert_int_equal(v.doubt, ID_MOVED);
    assert_int_equal(v.n_maybe, 1); /* a longer serial number is another one */
    assert_string_equal(v.key, "usb:1a86:7523:01A2B3C4@1-1.2");
}

static void then_the_place(void **state)
{
    struct id_facts facts = plain(NULL, "1-1.2");
    struct id_verdict v = DECIDE(&facts, ROW("port:1-1.2", "1-1.2", "7523", ABSENT_1));
    assert_int_equal(v.by, ID_BY_PLACE);
    assert_int_equal(v.miner_id, ABSENT_1);
    v = DECIDE(&facts, ROW("port:1-1.2", "1-1.2", "7523", STRANGER_4));
    assert_int_equal(v.miner_id, STRANGER_4);
    v = DECIDE(&facts, ROW("port:1-1.2", "1-1.2", "7523", PROVEN_3));
    assert_int_equal(v.miner_id, 0); /* that one is elsewhere */
    v = DECIDE(&facts, {.key = "port:1-1.2", .miner_id = ABSENT_1});
    assert_int_equal(v.miner_id, ABSENT_1); /* written down by a person */
    v = DECIDE(&facts, ROW("port:1-1.2", "1-1.2", "5523", ABSENT_1));
    assert_int_equal(v.miner_id, 0);
    assert_int_equal(v.doubt, ID_OTHER_KIND);
    assert_string_equal(v.key, "port:1-1.2+1a86:7523"); /* the place stays the miner's */
    v = DECIDE(&facts, ROW("port:1-1.2", "1-1.2", "5523", PROVEN_3));
    assert_int_equal(v.doubt, ID_NO_DOUBT); /* that one is not missing */
}

static void who_may_have_moved_is_asked(void **state)
{
    struct id_facts facts = plain(NULL, "1-1.2");
    struct id_verdict v = DECIDE(&facts, ROW("port:1-1.3", "1-1.3", "7523", ABSENT_1));
    assert_int_equal(v.doubt, ID_MOVED);
    assert_int_equal(v.maybe->miner_id, ABSENT_1);
    assert_int_equal(v.miner_id, 0);
    v = DECIDE(&facts, ROW("port:1-1.3", "1-1.3", "7523", ASSUMED_2),
               ROW("port:1-1.4", "1-1.4", "7523", PROVEN_3),
               ROW("port:1-1.5", "1-1.5", "7523", STRANGER_4),
               ROW("port:1-1.6", "1-1.6", "5523", ABSENT_1),
               ROW("usb:1a86:7523:SN4711", "1-1.7", "7523", ABSENT_1),
               ROW("port:1-1.8", "1-1.8", "7523", REMOVED_5));
    assert_int_equal(v.doubt, ID_NO_DOUBT); /* none of these is missing and of its kind */
    v = DECIDE(&facts, ROW("port:1-1.3", "1-1.3", "7523", ABSENT_1),
               ROW("port:1-1.2", "1-1.2", "7523", 0));
    assert_int_equal(v.doubt, ID_NO_DOUBT); /* the stranger that is always there */
    facts = plain("01A2B3C4", "1-1.2");
    v = DECIDE(&facts, ROW("port:1-1.3", "1-1.3", "7523", ABSENT_1));
    assert_int_equal(v.doubt, ID_NO_DOUBT); /* with a serial number it would be known by it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses),
        cmocka_unit_test(serial_numbers),
        cmocka_unit_test(hubs),
        cmocka_unit_test(texts_are_made_harmless),
        cmocka_unit_test(different_texts_make_different_keys),
        cmocka_unit_test(what_is_no_usb_has_no_serial_key),
        cmocka_unit_test(the_address_comes_first),
        cmocka_unit_test(then_the_serial_number),
        cmocka_unit_test(then_the_place),
        cmocka_unit_test(who_may_have_moved_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
