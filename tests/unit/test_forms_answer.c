/* When a form is answered: core/forms/answer.c with a store and a web server that do what the test
 * says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "forms/internal.h"

enum { REPLIES = 64 };

/* ---- the rooms around it ---- */

static struct {
    store_saved_fn fn;
    void *arg;
    int asked;
} store;

static struct { /* of core/loop: just one */
    loop_fn fn;
    void *arg;
} timer;

static struct {
    int status;
    char body[2048];
} replies[REPLIES];
static size_t n_replies;

void store_when_saved(struct store *unused, store_saved_fn fn, void *arg)
{
    assert_null(store.fn); /* one question at a time, however many wait */
    store.fn = fn;
    store.arg = arg;
    store.asked++;
}

static void store_says(int err, const char *message)
{
    store_saved_fn fn = store.fn;
    store.fn = NULL;
    fn(err, message, store.arg);
}

struct loop_timer *loop_timer_new(struct loop *loop, struct loop_owner *owner, int64_t first_ms,
                                  int64_t every_ms, loop_fn fn, void *arg)
{
    assert_null(timer.fn);
    assert_true(first_ms > 0 && first_ms <= 20000 && every_ms == 0);
    timer.fn = fn;
    timer.arg = arg;
    return (struct loop_timer *)&timer;
}

void loop_timer_free(struct loop_timer *one)
{
    if (one)
        timer.fn = NULL;
}

static void time_passes(void)
{
    loop_fn fn = timer.fn;
    timer.fn = NULL;
    fn(timer.arg);
}

void http_reply(struct http_request *request, int status, const char *type, const void *bytes,
                size_t len)
{
    assert_non_null(request);
    assert_true(n_replies < REPLIES);
    replies[n_replies].status = status;
    snprintf(replies[n_replies++].body, sizeof replies->body, "%.*s", (int)len,
             (const char *)bytes);
}

void http_reply_error(struct http_request *request, int status, const char *message)
{
    http_reply(request, status, "text/plain", message, strlen(message));
}

void http_reply_redirect(struct http_request *request, int status, const char *location)
{
    http_reply(request, status, "text/plain", location, strlen(location));
}

void http_reply_header(struct http_request *request, const char *name, const char *value)
{
    assert_null(strchr(value, '\n'));
}

void http_form_free(struct http_form *form)
{
    assert_null(form);
}

void flock_show(struct flock *flock)
{
}

json_t *forms_text_json(const char *text)
{
    return json_string(text);
}

/* ---- forms ---- */

static int setup(void **state)
{
    struct forms *forms = shep_alloc(sizeof *forms);
    memset(&store, 0, sizeof store);
    memset(&timer, 0, sizeof timer);
    memset(replies, 0, sizeof replies);
    n_replies = 0;
    LIST_INIT(&forms->asks);
    saver_new(forms);
    *state = forms;
    return 0;
}

static void forms_end(struct forms *forms)
{
    while (!LIST_EMPTY(&forms->asks))
        ask_end(LIST_FIRST(&forms->asks));
    saver_free(forms);
    free(forms);
    assert_null(timer.fn);
}

static int teardown(void **state)
{
    if (*state)
        forms_end(*state);
    return 0;
}

static struct ask *ask_of(struct forms *forms, bool changed)
{
    static char request;
    struct ask *ask = shep_alloc(sizeof *ask);
    ask->forms = forms;
    ask->request = (struct http_request *)&request;
    ask->json = true;
    ask->changed = changed;
    LIST_INSERT_HEAD(&forms->asks, ask, link);
    return ask;
}

static void check_reply(size_t i, int status, const char *words)
{
    assert_true(i < n_replies);
    assert_int_equal(replies[i].status, status);
    if (!strstr(replies[i].body, words))
        fail_msg("\"%s\" is not in %s", words, replies[i].body);
}

/* ---- tests ---- */

static void what_changed_nothing_is_answered_at_once(void **state)
{
    ask_answer(ask_of(*state, false), 0, "Looked.", NULL);
    struct ask *login = ask_of(*state, true);
    login->at_once = true;
    ask_answer(login, 0, "In.", NULL);
    assert_int_equal(n_replies, 2);
    assert_int_equal(store.asked, 0);
}

static void the_others_wait_and_share_a_question(void **state)
{
    ask_answer(ask_of(*state, true), 0, "One.", NULL);
    ask_answer(ask_of(*state, true), 0, "Two.", NULL); /* after the question: not of its answer */
    ask_answer(ask_of(*state, true), SHEP_E_CONFIG, "Three, but half.", NULL);
    assert_int_equal(n_replies, 0);
    store_says(0, "");
    assert_int_equal(n_replies, 1);
    check_reply(0, 200, "One.");
    assert_int_equal(store.asked, 2);
    store_says(SHEP_E_IO, "the disk is full: make room there");
    assert_int_equal(n_replies, 3);
    check_reply(1, 503, "is not saved: the disk is full: make room there.");
    check_reply(2, 503, "\"saved\":false");
    assert_null(store.fn);
}

/* A write that hangs in the kernel: the store says nothing any more. */
static void a_store_that_never_answers_holds_nobody(void **state)
{
    struct forms *forms = *state;
    ask_answer(ask_of(forms, true), 0, "One.", NULL);
    ask_answer(ask_of(forms, true), 0, "Two.", json_pack("{s:i}", "id", 7));
    time_passes();
    assert_int_equal(n_replies, 2);
    check_reply(0, 503, "does not answer");
    check_reply(1, 503, "does not answer");
    for (int i = 0; i < 20; i++) {
        ask_answer(ask_of(forms, true), 0, "Another.", NULL); /* no 10 s each */
        check_reply(2 + (size_t)i, 503, "does not answer");
    }
    assert_int_equal(store.asked, 1);
    assert_true(LIST_EMPTY(&forms->asks));
    assert_null(timer.fn);
    store_says(0, ""); /* it was a long moment */
    ask_answer(ask_of(forms, true), 0, "Last.", NULL);
    assert_int_equal(n_replies, 22);
    store_says(0, "");
    check_reply(22, 200, "Last.");
}

static void who_waits_at_the_end_is_told(void **state)
{
    struct forms *forms = *state;
    ask_answer(ask_of(forms, true), 0, "One.", NULL);
    struct ask *elsewhere = ask_of(forms, true); /* a worker has it */
    forms_end(forms);
    *state = NULL;
    assert_int_equal(n_replies, 2);
    check_reply(0, 503, "stops");
    check_reply(1, 503, "One. The Shepherd stops");
    store_says(0, ""); /* frees what is left */
    assert_true(ask_is_over(elsewhere));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_changed_nothing_is_answered_at_once),
        TEST(the_others_wait_and_share_a_question),
        TEST(a_store_that_never_answers_holds_nobody),
        TEST(who_waits_at_the_end_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
