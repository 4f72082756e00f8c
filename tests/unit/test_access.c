/* core/access with a real store: who may come in, for how long, how often somebody may be wrong,
 * and what is written down. The clock is held still; only hashing takes real time. */
#include "unit/test_access_util.h"

/* ---- roles, and who has not logged in ---- */

static void test_names_of_roles(void **state)
{
    for (int role = ROLE_NONE; role <= ROLE_ADMIN; role++)
        assert_int_equal(access_role_by_name(access_role_name((enum access_role)role)), role);
    assert_int_equal(access_role_by_name("root"), -1);
    assert_int_equal(access_role_by_name(""), -1);
    assert_int_equal(access_role_by_name(NULL), -1);
}

static void test_without_a_login(void **state)
{
    struct access_grant here = judge((struct access_credentials){.is_local = true});
    struct access_grant there = judge((struct access_credentials){.is_local = false});
    assert_int_equal(here.role, ROLE_OPERATOR);
    assert_string_equal(here.who, "loopback");
    assert_int_equal(there.role, ROLE_NONE);
    assert_string_equal(there.who, "lan");
    assert_false(here.by_cookie || here.csrf_ok || here.session_id);
    struct access_conf other = {.data_dir = f.dir, .loopback = ROLE_VIEWER, .lan = ROLE_ADMIN};
    access_conf_set(a, &other);
    assert_int_equal(judge((struct access_credentials){.is_local = true}).role, ROLE_VIEWER);
    assert_int_equal(judge((struct access_credentials){0}).role, ROLE_VIEWER); /* at most */
}

/* ---- the first admin ---- */

static struct got do_setup(const char *code, const char *password)
{
    struct got got = {0};
    access_setup(a, "192.168.1.7", code, password, on_done, &got);
    return wait_done(&got);
}

static void test_setup(void **state)
{
    assert_false(access_has_admin(a));
    char code[16];
    copy(code, sizeof code, access_setup_code(a));
    assert_int_equal(strlen(code), 9);
    assert_int_equal(code[4], '-');
    assert_int_equal(do_setup(code, "short").err, SHEP_E_CONFIG);
    assert_int_equal(do_setup("AAAA-AAAA", "correct horse").err, SHEP_E_CONFIG);
    assert_int_equal(do_setup("", "correct horse").err, SHEP_E_CONFIG);
    assert_int_equal(do_setup(NULL, NULL).err, SHEP_E_CONFIG);
    assert_false(access_has_admin(a));
    for (char *p = code; *p; p++)
        *p = *p >= 'A' && *p <= 'Z' ? (char)(*p | 0x20) : *p; /* as a person types it */
    struct got got = do_setup(code, "correct horse");
    assert_int_equal(got.err, 0);
    assert_int_equal(strlen(got.session), SECRET_CHARS);
    assert_int_equal(got.grant.role, ROLE_ADMIN);
    assert_true(access_has_admin(a));
    assert_null(access_setup_code(a));
    assert_int_equal(do_setup(code, "another horse").err, SHEP_E_CONFIG); /* used */
    assert_int_equal(login("admin", "another horse").err, SHEP_E_CONFIG);
    assert_int_equal(login("admin", "correct horse").err, 0);
    assert_int_equal(judge_session(got.session).role, ROLE_ADMIN);
    assert_int_equal(rows("SELECT count(*) FROM audit WHERE action = 'setup' AND who = 'admin'"),
                     1);
}

static void test_setup_code_lasts_an_hour(void **state)
{
    char code[16];
    copy(code, sizeof code, access_setup_code(a));
    pass(HOUR_MS + 1);
    assert_null(access_setup_code(a));
    assert_int_equal(do_setup(code, "correct horse").err, SHEP_E_CONFIG);
    restart(); /* a new one at each start */
    assert_non_null(access_setup_code(a));
    assert_string_not_equal(access_setup_code(a), code);
}

/* Two who send the right code at once: one of them is the admin. */
static void test_setup_twice_at_once(void **state)
{
    struct got first = {0}, second = {0};
    const char *code = access_setup_code(a);
    access_setup(a, "192.168.1.7", code, "first password", on_done, &first);
    access_setup(a, "192.168.1.8", code, "second password", on_done, &second);
    WAIT_FOR(&f, first.n == 1 && second.n == 1);
    assert_int_equal(first.err, 0);
    assert_int_equal(second.err, SHEP_E_CONFIG);
    assert_int_equal(login("admin", "first password").err, 0);
}

/* ---- login and sessions ---- */

static void test_login(void **state)
{
    set_admin("correct horse");
    struct got wrong = login("admin", "wrong horse"), unknown = login("nobody", "correct horse");
    assert_int_equal(wrong.err, SHEP_E_CONFIG);
    assert_int_equal(unknown.err, SHEP_E_CONFIG);
    assert_string_equal(wrong.message, unknown.message); /* tells nothing about names */
    struct got one = login("admin", "correct horse"), two = login("admin", "correct horse");
    assert_int_equal(one.err, 0);
    assert_string_equal(one.grant.who, "admin");
    assert_string_not_equal(one.session, two.session); /* new at each login */
    assert_string_not_equal(one.csrf, two.csrf);
    assert_int_equal(judge_session(one.session).role, ROLE_ADMIN);
    assert_int_equal(judge_session(two.session).role, ROLE_ADMIN);
    assert_int_equal(rows("SELECT count(*) FROM audit WHERE action = 'login.failed'"), 2);
    char *sql = shep_asprintf("SELECT count(*) FROM sessions WHERE instr(hash, '%s')", one.session);
    assert_int_equal(rows(sql), 0); /* only its hash is kept */
    free(sql);
}

static void test_csrf_belongs_to_the_session(void **state)
{
    set_admin("correct horse");
    struct got one = login("admin", "correct horse"), two = login("admin", "correct horse");
    struct access_credentials c = {.session = one.session, .csrf = one.csrf};
    assert_true(judge(c).by_cookie && judge(c).csrf_ok);
    c.csrf = two.csrf;
    assert_false(judge(c).csrf_ok);
    c.csrf = "";
    assert_false(judge(c).csrf_ok);
    c.csrf = NULL;
    assert_false(judge(c).csrf_ok);
    char cut[64];
    copy(cut, sizeof cut, one.csrf);
    cut[strlen(cut) - 1] = '\0';
    c.csrf = cut;
    assert_false(judge(c).csrf_ok);
}

static void test_a_session_of_ones_own_making(void **state)
{
    set_admin("correct horse");
    static const char *const made_up[] = {"", "a", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                                          "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                                          "' OR 1=1 --"};
    for (size_t i = 0; i < ARRAY_LEN(made_up); i++) {
        assert_int_equal(judge_session(made_up[i]).role, ROLE_NONE);
        assert_false(judge_session(made_up[i]).by_cookie);
    }
}

static void test_logout(void **state)
{
    set_admin("correct horse");
    struct got one = login("admin", "correct horse"), two = login("admin", "correct horse");
    access_logout(a, judge_session(one.session).session_id);
    assert_int_equal(judge_session(one.session).role, ROLE_NONE);
    assert_int_equal(judge_session(two.session).role, ROLE_ADMIN);
    restart();
    assert_int_equal(judge_session(one.session).role, ROLE_NONE);
    assert_int_equal(judge_session(two.session).role, ROLE_ADMIN); /* a restart logs nobody out */
}

static void test_session_ends_when_idle(void **state)
{
    set_admin("correct horse");
    struct got got = login("admin", "correct horse");
    pass(30 * DAY_MS - 1000);
    assert_int_equal(judge_session(got.session).role, ROLE_ADMIN); /* used: 30 more */
    pass(30 * DAY_MS - 1000);
    assert_int_equal(judge_session(got.session).role, ROLE_ADMIN);
    pass(30 * DAY_MS + 1000);
    assert_int_equal(judge_session(got.session).role, ROLE_NONE);
    assert_int_equal(rows("SELECT count(*) FROM sessions"), 0);
}

static void test_session_ends_after_90_days(void **state)
{
    set_admin("correct horse");
    struct got got = login("admin", "correct horse");
    for (int day = 0; day < 89; day += 10) {
        assert_int_equal(judge_session(got.session).role, ROLE_ADMIN);
        pass(10 * DAY_MS);
    }
    pass(DAY_MS);
    assert_int_equal(judge_session(got.session).role, ROLE_NONE);
}

static void test_use_is_written_once_an_hour(void **state)
{
    set_admin("correct horse");
    struct got got = login("admin", "correct horse");
    int64_t at = rows("SELECT used_at_ms FROM sessions");
    for (int i = 0; i < 100; i++) {
        pass(30000);
        judge_session(got.session);
    }
    assert_int_equal(rows("SELECT used_at_ms FROM sessions"), at); /* 50 minutes */
    pass(HOUR_MS);
    judge_session(got.session);
    assert_true(rows("SELECT used_at_ms FROM sessions") > at);
}

static void test_many_sessions_are_bounded(void **state)
{
    char secret[SECRET_CHARS + 1], first[SECRET_CHARS + 1];
    set_admin("correct horse");
    session_add(a, 0, first);
    for (int i = 0; i < SESSIONS_MAX; i++) {
        pass(1);
        session_add(a, 0, secret);
    }
    assert_int_equal(a->n_sessions, SESSIONS_MAX);
    assert_int_equal(judge_session(first).role, ROLE_NONE); /* away longest */
    assert_int_equal(judge_session(secret).role, ROLE_ADMIN);
}

static void test_who_logs_in_often_logs_out_nobody_else(void **state)
{
    char admin[SECRET_CHARS + 1], secret[SECRET_CHARS + 1];
    set_admin("correct horse");
    put_user("eve", "viewer", "long enough");
    session_add(a, 0, admin);
    for (int i = 0; i < SESSIONS_MAX + 10; i++) {
        pass(1);
        session_add(a, user_by_name(a, "eve")->id, secret);
    }
    assert_int_equal(a->n_sessions, SESSIONS_MAX);
    assert_int_equal(judge_session(admin).role, ROLE_ADMIN);
    assert_int_equal(judge_session(secret).role, ROLE_VIEWER);
}

/* `shepherd passwd` because the old password was stolen: who has it is out, also after a restart.
 */
static void test_a_new_admin_password_ends_sessions(void **state)
{
    set_admin("correct horse");
    struct got got = login("admin", "correct horse");
    assert_int_equal(judge_session(got.session).role, ROLE_ADMIN);
    set_admin("better horse");
    assert_int_equal(judge_session(got.session).role, ROLE_NONE);
    assert_int_equal(login("admin", "correct horse").err, SHEP_E_CONFIG);
    got = login("admin", "better horse");
    assert_int_equal(got.err, 0);
    close_access();
    set_admin("best horse"); /* while nobody runs */
    open_access();
    assert_int_equal(judge_session(got.session).role, ROLE_NONE);
    assert_int_equal(login("admin", "best horse").err, 0);
}

static void test_password_file_that_is_no_hash(void **state)
{
    assert_int_equal(password_file_write(f.dir, "hunter2hunter2"), 0);
    pass(1001);
    assert_true(access_has_admin(a)); /* /setup is not open again */
    assert_int_equal(login("admin", "hunter2hunter2").err, SHEP_E_CONFIG);
    assert_int_equal(login("admin", "").err, SHEP_E_CONFIG);
}

/* Another owner, no descriptors left, a disk that fails: nobody is logged out, and nobody becomes
 * the first admin a second time. */
static void test_password_file_that_cannot_be_read(void **state)
{
    set_admin("correct horse");
    struct got got = login("admin", "correct horse");
    char *path = password_file_path_dup(f.dir), *aside = path_join_dup(f.dir, "aside");
    assert_int_equal(rename(path, aside), 0);
    assert_int_equal(symlink(path, path), 0); /* ELOOP, for root too */
    pass(1001);
    assert_int_equal(judge_session(got.session).role, ROLE_ADMIN);
    assert_true(access_has_admin(a));
    restart();
    assert_true(access_has_admin(a));
    assert_null(access_setup_code(a));
    assert_int_equal(judge_session(got.session).role, ROLE_ADMIN);
    assert_int_equal(confirm(&by_admin, "correct horse").err, SHEP_E_CONFIG);
    assert_int_equal(rename(aside, path), 0);
    pass(1001);
    assert_int_equal(confirm(&by_admin, "correct horse").err, 0);
    free(path);
    free(aside);
}

/* ---- users ---- */

static void test_users(void **state)
{
    set_admin("correct horse");
    assert_int_equal(put_user("eve", "viewer", NULL).err, SHEP_E_CONFIG); /* no password */
    assert_int_equal(put_user("eve", "viewer", "short").err, SHEP_E_CONFIG);
    assert_int_equal(put_user("eve", "root", "long enough").err, SHEP_E_CONFIG);
    assert_int_equal(put_user("eve", "none", "long enough").err, SHEP_E_CONFIG);
    assert_int_equal(put_user("", "viewer", "long enough").err, SHEP_E_CONFIG);
    assert_int_equal(put_user("<b>", "viewer", "long enough").err, SHEP_E_CONFIG);
    assert_int_equal(put_user("loopback", "viewer", "long enough").err, SHEP_E_CONFIG);
    assert_int_equal(put_user("Admin", "viewer", "long enough").err, SHEP_E_CONFIG);
    assert_int_equal(put_user("eve", "viewer", "long enough").err, 0);
    struct got got = login("EVE", "long enough");
    assert_int_equal(got.err, 0);
    assert_string_equal(got.grant.who, "eve");
    assert_int_equal(judge_session(got.session).role, ROLE_VIEWER);
    assert_int_equal(put_user("eve", "operator", NULL).err, 0); /* counts at once */
    assert_int_equal(judge_session(got.session).role, ROLE_OPERATOR);
    restart();
    assert_int_equal(judge_session(got.session).role, ROLE_OPERATOR);
    assert_int_equal(put_user("eve", "operator", "another one").err, 0); /* ends sessions */
    assert_int_equal(judge_session(got.session).role, ROLE_NONE);
    assert_int_equal(rows("SELECT count(*) FROM audit WHERE subject = 'eve'"), 3);
    assert_int_equal(rows("SELECT count(*) FROM users WHERE password_hash LIKE '$argon2id$%'"), 1);
    json_t *row = json_pack("{s:i, s:s, s:s, s:s, s:i}", "id", 9, "name", "Admin", "role", "viewer",
                            "password_hash", "$argon2id$", "created_at_ms", 1);
    store_row_put(f.store, TABLE_USERS,
                  row); /* a restored database: not a second way to be admin */
    json_decref(row);
    restart();
    assert_null(user_by_id(a, 9));
}

static void test_deleted_user_is_out(void **state)
{
    set_admin("correct horse");
    put_user("eve", "admin", "long enough");
    struct got got = login("eve", "long enough");
    int64_t id = got.grant.user_id;
    assert_int_equal(access_user_delete(a, &by_admin, "192.168.1.7", id), 0);
    assert_int_equal(judge_session(got.session).role, ROLE_NONE);
    assert_int_equal(login("eve", "long enough").err, SHEP_E_CONFIG);
    assert_int_equal(access_user_delete(a, &by_admin, "192.168.1.7", id), SHEP_E_GONE);
    assert_int_equal(access_user_delete(a, &by_admin, "192.168.1.7", 0), SHEP_E_UNSUPPORTED);
    assert_int_equal(rows("SELECT count(*) FROM users"), 0);
    assert_int_equal(rows("SELECT count(*) FROM sessions"), 0);
}

/* Else /setup would open for whoever comes first. */
static void test_the_last_admin_stays(void **state)
{
    put_user("eve", "admin", "long enough");
    put_user("bob", "admin", "long enough");
    int64_t eve = user_by_name(a, "eve")->id, bob = user_by_name(a, "bob")->id;
    struct got one = {0}, two = {0}; /* both at once: one of them stays */
    access_user_put(a, &by_admin, "192.168.1.7", "eve", "viewer", "long enough", on_done, &one);
    access_user_put(a, &by_admin, "192.168.1.7", "bob", "viewer", "long enough", on_done, &two);
    WAIT_FOR(&f, one.n == 1 && two.n == 1);
    assert_int_equal(one.err, 0);
    assert_int_equal(two.err, SHEP_E_BUSY);
    assert_non_null(strstr(two.message, "last admin"));
    assert_int_equal(access_user_delete(a, &by_admin, "192.168.1.7", bob), SHEP_E_BUSY);
    assert_int_equal(put_user("bob", "operator", NULL).err, SHEP_E_BUSY);
    assert_int_equal(put_user("bob", "operator", "another one").err, SHEP_E_BUSY);
    assert_int_equal(put_user("bob", "admin", "another one").err, 0);
    assert_int_equal(access_user_delete(a, &by_admin, "192.168.1.7", eve), 0);
    assert_int_equal(login("bob", "another one").grant.role, ROLE_ADMIN);
    restart();
    assert_null(access_setup_code(a));
    set_admin("correct horse"); /* another way in */
    assert_int_equal(access_user_delete(a, &by_admin, "192.168.1.7", bob), 0);
}

/* While the worker hashes, the user is deleted: nobody comes in. */
static void test_deleted_while_logging_in(void **state)
{
    set_admin("correct horse");
    put_user("eve", "admin", "long enough");
    struct got got = {0};
    access_login(a, "192.168.1.7", "eve", "long enough", on_done, &got);
    access_user_delete(a, &by_admin, "192.168.1.7", user_by_name(a, "eve")->id);
    assert_int_equal(wait_done(&got).err, SHEP_E_CONFIG);
}

/* While the worker hashes one's own new password, an admin deletes the user, or takes a role away:
 * that stands. */
static void test_changed_while_changing_the_password(void **state)
{
    struct got got = {0}, asked = {0};
    set_admin("correct horse");
    put_user("eve", "admin", "long enough");
    struct access_grant eve = judge_session(login("eve", "long enough").session);
    access_user_put(a, &eve, "192.168.1.7", "eve", "admin", "another one", on_done, &got);
    assert_int_equal(put_user("eve", "viewer", NULL).err, 0);
    assert_int_equal(wait_done(&got).err, SHEP_E_GONE);
    assert_int_equal(user_by_name(a, "eve")->role, ROLE_VIEWER);
    eve = judge_session(login("eve", "long enough").session);
    access_user_put(a, &eve, "192.168.1.7", "eve", "viewer", "another one", on_done, &asked);
    access_user_delete(a, &by_admin, "192.168.1.7", eve.user_id);
    assert_int_equal(wait_done(&asked).err, SHEP_E_GONE);
    assert_null(user_by_name(a, "eve"));
    assert_int_equal(rows("SELECT count(*) FROM users"), 0);
}

static void test_changed_while_confirming(void **state)
{
    struct got got = {0}, asked = {0};
    set_admin("correct horse");
    put_user("eve", "admin", "long enough");
    struct access_grant eve = judge_session(login("eve", "long enough").session);
    access_confirm(a, &eve, "192.168.1.7", "long enough", on_done, &got);
    put_user("eve", "operator", NULL);
    assert_int_equal(wait_done(&got).err, SHEP_E_CONFIG);
    eve.role = ROLE_OPERATOR;
    access_confirm(a, &eve, "192.168.1.7", "long enough", on_done, &asked);
    access_user_delete(a, &by_admin, "192.168.1.7", eve.user_id);
    assert_int_equal(wait_done(&asked).err, SHEP_E_CONFIG);
}

static void test_admin_password_in_the_browser(void **state)
{
    set_admin("correct horse");
    struct got mine = login("admin", "correct horse"), other = login("admin", "correct horse");
    struct access_grant grant = judge_session(mine.session);
    struct got got = {0};
    access_user_put(a, &grant, "192.168.1.7", "admin", "admin", "better horse", on_done, &got);
    assert_int_equal(wait_done(&got).err, 0);
    assert_int_equal(judge_session(mine.session).role, ROLE_ADMIN); /* who did it stays */
    assert_int_equal(judge_session(other.session).role, ROLE_NONE);
    assert_int_equal(login("admin", "better horse").err, 0);
    assert_int_equal(login("admin", "correct horse").err, SHEP_E_CONFIG);
}

/* ---- the fresh password ---- */

static void test_confirm(void **state)
{
    struct access_grant local = {.role = ROLE_OPERATOR, .who = "loopback"};
    assert_int_equal(confirm(&local, "anything").err, SHEP_E_CONFIG);
    assert_non_null(strstr(confirm(&local, "anything").message, "/setup"));
    set_admin("correct horse");
    put_user("eve", "admin", "long enough");
    assert_int_equal(confirm(&local, "correct horse").err, 0); /* the admin's */
    assert_int_equal(confirm(&local, "long enough").err, SHEP_E_CONFIG);
    assert_int_equal(confirm(&local, "").err, SHEP_E_CONFIG);
    assert_int_equal(confirm(&local, NULL).err, SHEP_E_CONFIG);
    pass(61000);
    struct access_grant eve = judge_session(login("eve", "long enough").session);
    assert_int_equal(confirm(&eve, "long enough").err, 0); /* one's own */
    assert_int_equal(confirm(&eve, "correct horse").err, SHEP_E_CONFIG);
    assert_string_equal(confirm(&eve, "long enough").grant.who, "eve");
}

static void test_long_passwords(void **state)
{
    char longest[PASSWORD_MAX + 1], longer[PASSWORD_MAX + 2];
    memset(longest, 'x', sizeof longest);
    longest[PASSWORD_MAX] = '\0';
    memset(longer, 'x', sizeof longer);
    longer[PASSWORD_MAX + 1] = '\0';
    assert_int_equal(put_user("eve", "viewer", longer).err, SHEP_E_CONFIG);
    assert_int_equal(put_user("eve", "viewer", longest).err, 0);
    assert_int_equal(login("eve", longest).err, 0);
    assert_int_equal(login("eve", longer).err, SHEP_E_CONFIG);
    assert_null(
        password_problem("\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f"));
    assert_non_null(password_problem("\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f")); /* four characters */
}

/* ---- tokens ---- */

static void test_tokens(void **state)
{
    static const char *const bad[] = {"", "shp_", "nonsense"};
    struct got got = add_token("grafana", "viewer"), op = add_token("script", "operator");
    assert_int_equal(got.err, 0);
    assert_memory_equal(got.token, "shp_", 4);
    assert_int_equal(strlen(got.token), TOKEN_CHARS);
    assert_int_equal(add_token("grafana", "viewer").err, SHEP_E_CONFIG); /* taken */
    assert_int_equal(add_token("", "viewer").err, SHEP_E_CONFIG);
    assert_int_equal(add_token("x", "root").err, SHEP_E_CONFIG);
    assert_int_equal(add_token("x\ny", "viewer").err, SHEP_E_CONFIG);
    assert_int_equal(add_token("\xff", "viewer").err, SHEP_E_CONFIG);
    struct access_grant grant = judge((struct access_credentials){.bearer = got.token});
    assert_int_equal(grant.role, ROLE_VIEWER);
    assert_string_equal(grant.who, "token:grafana");
    assert_false(grant.by_cookie);
    assert_int_equal(judge((struct access_credentials){.bearer = op.token}).role, ROLE_OPERATOR);
    char cut[64];
    copy(cut, sizeof cut, got.token);
    for (size_t len = strlen(cut); len-- > 0;) { /* no part of it is enough */
        cut[len] = '\0';
        assert_int_equal(judge((struct access_credentials){.bearer = cut}).role, ROLE_NONE);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) { /* a wrong one is told, also at this host */
        struct access_credentials c = {.bearer = bad[i], .is_local = true};
        assert_int_equal(judge(c).role, ROLE_NONE);
    }
    restart();
    assert_int_equal(judge((struct access_credentials){.bearer = op.token}).role, ROLE_OPERATOR);
    assert_int_equal(rows("SELECT count(*) FROM tokens WHERE hash LIKE 'shp_%'"), 0);
    int64_t id = rows("SELECT id FROM tokens WHERE name = 'script'");
    assert_int_equal(access_token_delete(a, &by_admin, "192.168.1.7", id), 0);
    assert_int_equal(judge((struct access_credentials){.bearer = op.token}).role, ROLE_NONE);
    assert_int_equal(access_token_delete(a, &by_admin, "192.168.1.7", id), SHEP_E_GONE);
}

static void test_kiosk_may_only_look(void **state)
{
    struct got view = add_token("wall", "viewer"), op = add_token("script", "operator");
    struct access_credentials c = {.kiosk = view.token};
    assert_int_equal(judge(c).role, ROLE_VIEWER);
    assert_string_equal(judge(c).who, "token:wall");
    c.kiosk = op.token; /* it would lie about in the browser of a screen */
    assert_int_equal(judge(c).role, ROLE_NONE);
    c = (struct access_credentials){.kiosk = view.token, .is_local = true};
    assert_int_equal(judge(c).role, ROLE_OPERATOR); /* takes nothing away */
}

/* ---- how often ---- */

static void test_five_a_minute(void **state)
{
    set_admin("correct horse");
    for (int i = 0; i < LIMIT_PEER_MINUTE; i++) {
        pass(1000);
        assert_int_equal(login("admin", "guess").err, SHEP_E_CONFIG);
    }
    struct got got = login("admin", "correct horse"); /* even the right one */
    assert_int_equal(got.err, SHEP_E_LIMIT);
    assert_in_range(got.retry_s, 50, 60);
    assert_int_equal(login_from("192.168.1.8", "admin", "correct horse").err, 0); /* others may */
    pass(got.retry_s * 1000);
    assert_int_equal(login("admin", "correct horse").err, 0);
}

static void test_twenty_an_hour(void **state)
{
    set_admin("correct horse");
    for (int i = 0; i < LIMIT_PEER_HOUR; i++) {
        assert_int_equal(login("admin", "guess").err, SHEP_E_CONFIG);
        pass(61000);
    }
    struct got got = login("admin", "guess");
    assert_int_equal(got.err, SHEP_E_LIMIT);
    assert_in_range(got.retry_s, 2000, 2400);
}

static void test_who_is_right_is_not_limited(void **state)
{
    set_admin("correct horse");
    for (int i = 0; i < 30; i++)
        assert_int_equal(login("admin", "correct horse").err, 0);
}

static void test_confirm_and_setup_count_too(void **state)
{
    struct access_grant local = {.role = ROLE_OPERATOR, .who = "loopback"};
    assert_int_equal(do_setup("AAAA-AAAA", "correct horse").err, SHEP_E_CONFIG);
    set_admin("correct horse");
    for (int i = 1; i < LIMIT_PEER_MINUTE; i++)
        assert_int_equal(confirm(&local, "guess").err, SHEP_E_CONFIG);
    assert_int_equal(confirm(&local, "correct horse").err, SHEP_E_LIMIT);
}

/* A storm of 200 at once: 16 wait for the worker, 60 a minute are looked at, the rest is turned
 * away at once; then all is as before. */
static void test_storm(void **state)
{
    static struct got got[200];
    int tried = 0, answered = 0;
    memset(got, 0, sizeof got);
    set_admin("correct horse");
    for (size_t i = 0; i < ARRAY_LEN(got); i++) {
        char peer[32];
        snprintf(peer, sizeof peer, "10.0.0.%zu", i % 250);
        access_login(a, peer, "admin", "guess", on_done, &got[i]);
        assert_true(a->n_jobs <= JOBS_MAX);
    }
    for (size_t i = 0; i < ARRAY_LEN(got); i++) {
        WAIT_FOR(&f, got[i].n == 1);
        answered++;
        tried += got[i].err == SHEP_E_CONFIG;
        assert_true(got[i].err == SHEP_E_CONFIG || got[i].retry_s > 0);
    }
    assert_int_equal(answered, 200);
    assert_in_range(tried, 1, JOBS_MAX + 1);
    pass(61000);
    assert_int_equal(login("admin", "correct horse").err, 0);
}

static void test_limit_alone(void **state)
{
    static struct limit limit;
    int64_t now = 5000000;
    char peer[64];
    int passed = 0;
    memset(&limit, 0, sizeof limit);
    for (int i = 0; i < 500; i++) { /* many peers, one try each: the overall limit */
        snprintf(peer, sizeof peer, "10.1.%d.%d", i / 250, i % 250);
        passed += limit_try(&limit, peer, now) == 0;
    }
    assert_int_equal(passed, LIMIT_ALL_MINUTE);
    memset(&limit, 0, sizeof limit);
    passed = 0;
    for (int i = 0; i < 50; i++) { /* one customer has a whole /64 */
        snprintf(peer, sizeof peer, "2001:db8:1:2::%x", i + 1);
        passed += limit_try(&limit, peer, now) == 0;
    }
    assert_int_equal(passed, LIMIT_PEER_MINUTE);
    assert_int_equal(limit_try(&limit, "2001:db8:1:3::1", now), 0);
    assert_int_equal(limit_try(&limit, "::ffff:10.0.0.1", now), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(limit_try(&limit, "10.0.0.1", now), 0); /* the same address */
    assert_int_equal(limit_try(&limit, "10.0.0.1", now), 60000);
    memset(&limit, 0, sizeof limit);
    for (int i = 0; i < 4 * LIMIT_PEERS; i++) { /* the table is bounded */
        snprintf(peer, sizeof peer, "10.%d.%d.1", i / 256, i % 256);
        limit_try(&limit, peer, now += 1001);
    }
    assert_int_equal(limit.n_peers, LIMIT_PEERS);
}

/* ---- written down ---- */

static void test_audit(void **state)
{
    char text[4000];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    access_audit(a, &by_admin, "192.168.1.7", "payout", "BARN-01", "bc1qold", text);
    access_audit(a, NULL, NULL, "odd", "\xff\xfe", NULL, NULL);
    assert_int_equal(rows("SELECT count(*) FROM audit WHERE who = 'admin' AND peer = "
                          "'192.168.1.7' AND action = 'payout' AND subject = 'BARN-01' AND old = "
                          "'bc1qold' AND length(new) BETWEEN 2000 AND 2048 AND at_ms > 0"),
                     1);
    assert_int_equal(rows("SELECT count(*) FROM audit WHERE who = 'nobody' AND old IS NULL"), 1);
    access_audit(a, &by_admin, "192.168.1.7", "long", text, NULL, NULL);
    assert_int_equal(rows("SELECT length(subject) FROM audit WHERE action = 'long'"), 256);
    restart();
    access_audit(a, &by_admin, "192.168.1.7", "again", NULL, NULL, NULL); /* an id of its own */
    assert_int_equal(rows("SELECT count(*) FROM audit"), 4);
}

static void test_failures_are_bounded_in_the_audit(void **state)
{
    for (int i = 0; i < 5 * FAILURES_AUDITED; i++)
        audit_failure(a, "10.0.0.1", "admin");
    assert_int_equal(rows("SELECT count(*) FROM audit"), FAILURES_AUDITED + 1);
    assert_int_equal(rows("SELECT count(*) FROM audit WHERE action = 'login.failures_left_out'"),
                     1);
    pass(HOUR_MS + 1);
    audit_failure(a, "10.0.0.1", "admin");
    assert_int_equal(rows("SELECT count(*) FROM audit"), FAILURES_AUDITED + 2);
}

static void count_change(void *arg)
{
    ++*(int *)arg;
}

static void test_json_for_admins(void **state)
{
    int changes = 0;
    access_on_change(a, count_change, &changes);
    set_admin("correct horse");
    put_user("eve", "viewer", "long enough");
    struct got got = add_token("grafana", "viewer");
    assert_true(changes >= 3);
    json_t *json = access_json(a);
    char *text = json_dumps(json, JSON_COMPACT);
    assert_true(json_is_true(json_object_get(json, "has_admin")));
    assert_int_equal(json_array_size(json_object_get(json, "users")), 2);
    assert_int_equal(json_array_size(json_object_get(json, "tokens")), 1);
    assert_null(strstr(text, "argon2")); /* nothing in it helps to log in */
    assert_null(strstr(text, got.token));
    assert_null(strstr(text, "hash"));
    free(text);
    json_decref(json);
}

/* The daemon stops while passwords wait: everybody is answered once. */
static void test_end_with_passwords_waiting(void **state)
{
    struct got got[6];
    memset(got, 0, sizeof got);
    set_admin("correct horse");
    for (size_t i = 0; i < ARRAY_LEN(got); i++)
        access_login(a, i < 3 ? "10.0.0.1" : "10.0.0.2", "admin", "correct horse", on_done,
                     &got[i]);
    access_free(a);
    a = NULL;
    for (size_t i = 0; i < ARRAY_LEN(got); i++) {
        assert_int_equal(got[i].n, 1);
        assert_int_equal(got[i].err, SHEP_E_GONE);
    }
    loop_work_finish(f.loop);
    for (size_t i = 0; i < ARRAY_LEN(got); i++)
        assert_int_equal(got[i].n, 1);
    fix_close(&f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_names_of_roles),
        TEST(test_without_a_login),
        TEST(test_setup),
        TEST(test_setup_code_lasts_an_hour),
        TEST(test_setup_twice_at_once),
        TEST(test_login),
        TEST(test_csrf_belongs_to_the_session),
        TEST(test_a_session_of_ones_own_making),
        TEST(test_logout),
        TEST(test_session_ends_when_idle),
        TEST(test_session_ends_after_90_days),
        TEST(test_use_is_written_once_an_hour),
        TEST(test_many_sessions_are_bounded),
        TEST(test_who_logs_in_often_logs_out_nobody_else),
        TEST(test_a_new_admin_password_ends_sessions),
        TEST(test_password_file_that_is_no_hash),
        TEST(test_password_file_that_cannot_be_read),
        TEST(test_users),
        TEST(test_deleted_user_is_out),
        TEST(test_the_last_admin_stays),
        TEST(test_deleted_while_logging_in),
        TEST(test_changed_while_changing_the_password),
        TEST(test_admin_password_in_the_browser),
        TEST(test_confirm),
        TEST(test_changed_while_confirming),
        TEST(test_long_passwords),
        TEST(test_tokens),
        TEST(test_kiosk_may_only_look),
        TEST(test_five_a_minute),
        TEST(test_twenty_an_hour),
        TEST(test_who_is_right_is_not_limited),
        TEST(test_confirm_and_setup_count_too),
        TEST(test_storm),
        TEST(test_limit_alone),
        TEST(test_audit),
        TEST(test_failures_are_bounded_in_the_audit),
        TEST(test_json_for_admins),
        TEST(test_end_with_passwords_waiting),
    };
    return cmocka_run_group_tests_name("access", tests, NULL, NULL);
}
