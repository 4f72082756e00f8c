/* What the tests of core/access share: the room over a real store, a clock that is held still, and
 * each question as one call. */
#ifndef TEST_ACCESS_UTIL_H
#define TEST_ACCESS_UTIL_H

#include "unit/test_store_util.h"

#include "access/internal.h"

#define T0_MS  INT64_C(1800000000000)
#define DAY_MS INT64_C(86400000)

static struct fix f;
static struct access *a;
static const struct access_conf usual = {.loopback = ROLE_OPERATOR, .lan = ROLE_NONE};
static const struct access_grant by_admin = {.role = ROLE_ADMIN, .who = "admin"};

struct got {
    int n, err;
    char message[256], session[64], csrf[64], token[64];
    int64_t retry_s;
    struct access_grant grant;
};

static void copy(char *out, size_t cap, const char *text)
{
    str_copy(out, cap, text ? text : "", text ? strlen(text) : 0);
}

static void on_done(const struct access_result *result, void *arg)
{
    struct got *got = arg;
    got->n++;
    got->err = result->err;
    got->retry_s = result->retry_after_s;
    got->grant = result->grant;
    copy(got->message, sizeof got->message, result->message);
    copy(got->session, sizeof got->session, result->session);
    copy(got->csrf, sizeof got->csrf, result->csrf);
    copy(got->token, sizeof got->token, result->token);
}

static int64_t mono_ms = 1000000, wall_ms = T0_MS;

static void pass(int64_t ms)
{
    mono_ms += ms;
    wall_ms += ms;
    clock_set_fake(wall_ms, mono_ms);
}

static void open_access(void)
{
    struct access_conf conf = usual;
    conf.data_dir = f.dir;
    fix_open(&f);
    a = access_new(f.loop, f.store, &conf);
}

static int setup(void **state)
{
    mono_ms = 1000000;
    wall_ms = T0_MS;
    fix_make(&f);
    pass(0);
    open_access();
    return 0;
}

static void close_access(void)
{
    access_free(a);
    a = NULL;
    fix_close(&f);
}

static void restart(void)
{
    close_access();
    open_access();
}

static int teardown(void **state)
{
    loop_work_finish(f.loop);
    if (a)
        close_access();
    clock_set_fake(-1, 0);
    fix_end(&f);
    return 0;
}

static struct got wait_done(struct got *got)
{
    WAIT_FOR(&f, got->n == 1);
    return *got;
}

static struct got login_from(const char *peer, const char *user, const char *password)
{
    struct got got = {0};
    access_login(a, peer, user, password, on_done, &got);
    assert_int_equal(got.n, 0); /* later, on the loop */
    return wait_done(&got);
}

static struct got login(const char *user, const char *password)
{
    return login_from("192.168.1.7", user, password);
}

static struct got confirm(const struct access_grant *grant, const char *password)
{
    struct got got = {0};
    access_confirm(a, grant, "192.168.1.7", password, on_done, &got);
    return wait_done(&got);
}

static struct got put_user(const char *name, const char *role, const char *password)
{
    struct got got = {0};
    access_user_put(a, &by_admin, "192.168.1.7", name, role, password, on_done, &got);
    return wait_done(&got);
}

static struct got add_token(const char *name, const char *role)
{
    struct got got = {0};
    access_token_add(a, &by_admin, "192.168.1.7", name, role, on_done, &got);
    return wait_done(&got);
}

/* `shepherd passwd`, from another process. */
static void set_admin(const char *password)
{
    char hash[PASSWORD_HASH_MAX];
    assert_int_equal(password_hash(password, hash), 0);
    assert_int_equal(password_file_write(f.dir, hash), 0);
    pass(1001); /* it is looked at once a second */
    assert_true(!a || access_has_admin(a));
}

static struct access_grant judge(struct access_credentials credentials)
{
    struct access_grant grant;
    access_judge(a, &credentials, &grant);
    return grant;
}

static struct access_grant judge_session(const char *session)
{
    return judge((struct access_credentials){.session = session});
}

static int64_t rows(const char *sql)
{
    flush(&f);
    return sql_int(&f, sql);
}
#endif
