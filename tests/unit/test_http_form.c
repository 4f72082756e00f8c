/* Bodies of forms, as browsers and programs send them, and as those do who mean harm. */
#include "unit/check.h"

#include "http/form.h"
#include "http/http.h"
#include "util/util.h"

#define URLENCODED "application/x-www-form-urlencoded"
#define MULTIPART  "multipart/form-data; boundary=XyZ"

static struct http_form *parse_len(const char *type, const char *body, size_t len)
{
    const char *why = NULL;
    char *copy = shep_alloc(len + 1); /* its own memory: a byte too far is seen */
    memcpy(copy, body, len);
    char *exact = malloc(len ? len : 1);
    memcpy(exact, copy, len);
    struct http_form *form = form_parse(type, exact, len, &why);
    assert_true((form == NULL) == (why != NULL));
    free(exact);
    free(copy);
    return form;
}

static struct http_form *parse(const char *type, const char *body)
{
    return parse_len(type, body, strlen(body));
}

static void refused(const char *type, const char *body)
{
    struct http_form *form = parse(type, body);
    if (form)
        fail_msg("taken: %s", body);
}

/* ---- urlencoded ---- */

static void test_urlencoded(void **state)
{
    struct http_form *form =
        parse(URLENCODED "; charset=UTF-8", "name=BARN+01&note=a%26b%3D%C3%A4&empty=&bare&&x=1=2");
    assert_non_null(form);
    assert_string_equal(http_form_get(form, "name"), "BARN 01");
    assert_string_equal(http_form_get(form, "note"), "a&b=\xc3\xa4");
    assert_string_equal(http_form_get(form, "empty"), "");
    assert_string_equal(http_form_get(form, "bare"), "");
    assert_string_equal(http_form_get(form, "x"), "1=2");
    assert_null(http_form_get(form, "Name"));
    assert_null(http_form_get(form, ""));
    assert_int_equal(json_object_size(http_form_json(form)), 5);
    assert_string_equal(json_string_value(json_object_get(http_form_json(form), "note")),
                        "a&b=\xc3\xa4");
    http_form_free(form);
}

static void test_several_of_one_name(void **state)
{
    struct http_form *form = parse(URLENCODED, "key=a&key=b&other=1&key=c");
    assert_string_equal(http_form_get(form, "key"), "a");
    assert_string_equal(http_form_nth(form, "key", 1), "b");
    assert_string_equal(http_form_nth(form, "key", 2), "c");
    assert_null(http_form_nth(form, "key", 3));
    assert_string_equal(json_string_value(json_object_get(http_form_json(form), "key")), "a");
    http_form_free(form);
}

static void test_urlencoded_refused(void **state)
{
    refused(URLENCODED, "a=%");
    refused(URLENCODED, "a=%4");
    refused(URLENCODED, "a=%zz");
    refused(URLENCODED, "%zz=a");
    refused(URLENCODED, "a=%00");
    refused(URLENCODED, "a%00b=1");
    refused(URLENCODED, "a=%01");
    refused(URLENCODED, "a=%1b[31m");
    refused(URLENCODED, "a=%ff");
    refused(URLENCODED, "a=%ED%A0%80"); /* a surrogate */
    refused(URLENCODED, "a=%C0%AF");    /* an overlong slash */
    refused(URLENCODED, "=nameless");
    refused(URLENCODED, "a%0Ab=1"); /* a line end in a name; in a value it may be */
    assert_null(parse_len(URLENCODED, "a=\0b", 4));
    struct http_form *form = parse(URLENCODED, "a=1%0D%0A2%093");
    assert_string_equal(http_form_get(form, "a"), "1\r\n2\t3");
    http_form_free(form);
}

static void test_too_many_fields(void **state)
{
    struct buf body = {0};
    for (int i = 0; i < FORM_FIELDS_MAX; i++)
        buf_printf(&body, "%sf%d=%d", i ? "&" : "", i, i);
    struct http_form *form = parse(URLENCODED, body.data);
    assert_string_equal(http_form_get(form, "f255"), "255");
    http_form_free(form);
    buf_add_str(&body, "&one=more");
    refused(URLENCODED, body.data);
    buf_clear(&body);
    for (int i = 0; i <= FORM_NAME_MAX; i++)
        buf_add_str(&body, "n");
    buf_add_str(&body, "=1");
    refused(URLENCODED, body.data);
    refused(URLENCODED, "=");
    form = parse(URLENCODED, body.data + 1);
    assert_non_null(form);
    http_form_free(form);
    buf_free(&body);
}

/* ---- no body, other bodies ---- */

static void test_no_body(void **state)
{
    const char *types[] = {NULL, "", URLENCODED, "text/plain", "application/octet-stream"};
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        struct http_form *form = parse(types[i], "");
        assert_non_null(form);
        assert_int_equal(json_object_size(http_form_json(form)), 0);
        http_form_free(form);
    }
}

/* A page elsewhere may send text/plain without being asked; it is no form. */
static void test_other_types(void **state)
{
    refused(NULL, "a=1");
    refused("text/plain", "{\"a\":1}");
    refused("application/octet-stream", "a=1");
    refused("application/jsonp", "{}");
    refused(URLENCODED "x", "a=1");
    refused("multipart/mixed; boundary=x", "--x--");
}

/* ---- JSON ---- */

static void test_json(void **state)
{
    struct http_form *form =
        parse("application/json; charset=utf-8",
              "{\"action\":\"reset_capture\",\"miner_db_id\":7,\"on\":true,\"off\":false,"
              "\"gone\":null,\"share\":0.5,\"keys\":[\"a\",\"b\",3],\"deep\":{\"x\":[1]}}");
    assert_non_null(form);
    assert_string_equal(http_form_get(form, "action"), "reset_capture");
    assert_string_equal(http_form_get(form, "miner_db_id"), "7");
    assert_string_equal(http_form_get(form, "on"), "1");
    assert_string_equal(http_form_get(form, "off"), "0");
    assert_string_equal(http_form_get(form, "share"), "0.5");
    assert_null(http_form_get(form, "gone"));
    assert_null(http_form_get(form, "deep"));
    assert_string_equal(http_form_nth(form, "keys", 2), "3");
    assert_int_equal(json_integer_value(json_object_get(http_form_json(form), "miner_db_id")), 7);
    http_form_free(form);
}

static void test_json_refused(void **state)
{
    static const char *const bodies[] = {"",
                                         "[]",
                                         "7",
                                         "\"x\"",
                                         "null",
                                         "{",
                                         "{\"a\":1",
                                         "{\"a\":1}x",
                                         "{\"a\":1,\"a\":2}",
                                         "{\"a\":\"\\u0000\"}",
                                         "{\"a\":\"\\u0007\"}",
                                         "{\"a\\n\":1}",
                                         "{\"a\":{\"b\":\"\x01\"}}",
                                         "{\"a\":\"\xff\"}",
                                         "{\"a\":[[[[[[[[[[1]]]]]]]]]]}",
                                         "{\"\":1}",
                                         "{'a':1}"};
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++)
        refused("application/json", bodies[i]);
    struct buf deep = {0};
    for (int i = 0; i < 30000; i++)
        buf_add_str(&deep, "[");
    refused("application/json", deep.data);
    buf_free(&deep);
}

/* ---- multipart ---- */

static const char upload[] =
    "--XyZ\r\n"
    "Content-Disposition: form-data; name=\"label\"\r\n"
    "\r\n"
    "a\r\nb --XyZ c\r\n"
    "--XyZ\r\n"
    "content-disposition: form-data; name=\"miner_file\"; filename=\"a;b \\\"c\\\".csv\"\r\n"
    "Content-Type: text/csv\r\n"
    "\r\n"
    "id,miner_id\r\n1,A\x01\xff\r\n"
    "\r\n"
    "--XyZ\r\n"
    "Content-Disposition: form-data; name=empty\r\n"
    "\r\n"
    "\r\n"
    "--XyZ--\r\n";

static void test_multipart(void **state)
{
    struct http_form *form = parse(MULTIPART, upload);
    size_t len;
    assert_non_null(form);
    assert_string_equal(http_form_get(form, "label"), "a\r\nb --XyZ c");
    const char *bytes = http_form_bytes(form, "miner_file", &len);
    assert_int_equal(len, strlen("id,miner_id\r\n1,A\x01\xff\r\n"));
    assert_memory_equal(bytes, "id,miner_id\r\n1,A\x01\xff\r\n", len);
    assert_null(http_form_get(form, "miner_file")); /* bytes are no text */
    assert_string_equal(http_form_get(form, "empty"), "");
    assert_null(json_object_get(http_form_json(form), "miner_file"));
    assert_null(http_form_bytes(form, "other", &len));
    assert_int_equal(len, 0);
    http_form_free(form);
    form = parse("Multipart/Form-Data; charset=x; Boundary=\"XyZ\"", upload);
    assert_non_null(form);
    http_form_free(form);
}

/* Cut anywhere, it is no form. */
static void test_multipart_cut(void **state)
{
    size_t whole = sizeof upload - 1;
    for (size_t len = 0; len < whole - 2; len++) { /* the last line end may be missing */
        struct http_form *form = parse_len(MULTIPART, upload, len);
        assert_null(form);
    }
}

static void test_multipart_refused(void **state)
{
    refused("multipart/form-data", upload);
    refused("multipart/form-data; boundary=", upload);
    refused("multipart/form-data; boundary=\"", upload);
    refused("multipart/form-data; boundary=other", upload);
    refused("multipart/form-data; xboundary=XyZ", upload);
    refused(MULTIPART, "--XyZ\r\n\r\nno head\r\n--XyZ--");
    refused(MULTIPART, "--XyZ\r\nContent-Disposition: form-data\r\n\r\nx\r\n--XyZ--");
    refused(MULTIPART, "--XyZ\r\nContent-Disposition: attachment; name=\"a\"\r\n\r\nx\r\n--XyZ--");
    refused(MULTIPART, "--XyZ\r\nContent-Disposition: form-data; name=\"a\r\n\r\nx\r\n--XyZ--");
    refused(MULTIPART, "--XyZ\r\nContent-Disposition: form-data; name=\"a\"\r\n"
                       "Content-Disposition: form-data; name=\"b\"\r\n\r\nx\r\n--XyZ--");
    refused(MULTIPART,
            "--XyZ\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\x01\r\n--XyZ--");
    refused(MULTIPART,
            "--XyZjunk\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n--XyZ--");
    struct buf head = {0};
    buf_add_str(&head, "--XyZ\r\nContent-Disposition: form-data; name=\"a\"\r\nX-Fill: ");
    for (int i = 0; i < FORM_PART_HEAD_MAX; i++)
        buf_add_str(&head, "x");
    buf_add_str(&head, "\r\n\r\nx\r\n--XyZ--");
    refused(MULTIPART, head.data);
    buf_free(&head);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urlencoded),
        cmocka_unit_test(test_several_of_one_name),
        cmocka_unit_test(test_urlencoded_refused),
        cmocka_unit_test(test_too_many_fields),
        cmocka_unit_test(test_no_body),
        cmocka_unit_test(test_other_types),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_json_refused),
        cmocka_unit_test(test_multipart),
        cmocka_unit_test(test_multipart_cut),
        cmocka_unit_test(test_multipart_refused),
    };
    return cmocka_run_group_tests_name("http_form", tests, NULL, NULL);
}
