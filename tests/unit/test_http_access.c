/* Who may do what through HTTP, and what handlers answer with: a real server, access and store,
 * asked through sockets. "LAN" is a request that a proxy passes on: it is not from this host. */
#include "unit/test_http_server.h"

#include "access/internal.h"
#include "unit/test_store_util.h"

#include <fcntl.h>

#define LAN  "X-Forwarded-For: 192.168.1.7\r\n"
#define OWN  "Origin: http://localhost\r\n"
#define FORM "Content-Type: application/x-www-form-urlencoded\r\n"

static struct fix f;
static struct access *a;
static struct {
    unsigned n;
    char who[80], rest[64], field[64], peer[64];
    enum access_role role;
} seen; /* by the handlers */

static void note(struct http_request *request)
{
    const struct access_grant *grant = http_request_grant(request);
    const char *rest = http_request_rest(request);
    seen.n++;
    seen.role = grant->role;
    snprintf(seen.who, sizeof seen.who, "%s", grant->who);
    snprintf(seen.rest, sizeof seen.rest, "%s", rest ? rest : "(none)");
    snprintf(seen.peer, sizeof seen.peer, "%s", http_request_peer(request));
}

static void change(struct http_request *request, void *arg)
{
    const char *why = "";
    struct http_form *form = http_form_parse(request, &why);
    const char *field = form ? http_form_get(form, "field") : why;
    note(request);
    snprintf(seen.field, sizeof seen.field, "%s", field ? field : "(none)");
    http_form_free(form);
    http_reply(request, 200, NULL, "done\n", 5);
}

static void say(struct http_request *request, void *arg)
{
    note(request);
    http_reply(request, 200, NULL, arg, strlen(arg));
}

static void go(struct http_request *request, void *arg)
{
    http_reply_header(request, "Set-Cookie", "one=1; Path=/");
    http_reply_header(request, "Set-Cookie", "two=2; Path=/");
    http_reply_header(request, "X-Bad\r\nX-Evil", "1");
    http_reply_header(request, "X-Evil", "1\r\nX-Evil: 2");
    http_reply_redirect(request, 302, http_request_query(request, "to"));
}

static void fail_with(struct http_request *request, void *arg)
{
    http_reply_header(request, "Retry-After", "30");
    http_reply_error(request, 429, http_request_query(request, "text"));
}

static void download(struct http_request *request, void *arg)
{
    char *path = path_join_dup(t.dir[0], "file");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    http_reply_file(request, fd, lseek(fd, 0, SEEK_END), "application/gzip",
                    "a b\"\r\n;\xc3\xa4.tar.gz");
    free(path);
}

static struct http_request *held;
static void hold(struct http_request *request, void *arg)
{
    http_reply_header(request, "X-Late", "1");
    held = request;
}

static void add_routes(void)
{
    http_route_for(t.http, HTTP_POST, "/change", ROLE_OPERATOR, change, NULL);
    http_route_for(t.http, HTTP_POST, "/dear", ROLE_ADMIN, change, NULL);
    http_route_for(t.http, HTTP_POST, "/login", ROLE_NONE, change, NULL);
    http_route_for(t.http, HTTP_POST, "/miners/edit/*", ROLE_OPERATOR, change, NULL);
    http_route_for(t.http, HTTP_GET, "/both", ROLE_VIEWER, say, (char *)"got");
    http_route_for(t.http, HTTP_POST, "/both", ROLE_OPERATOR, say, (char *)"posted");
    http_route_for(t.http, HTTP_GET, "/go", ROLE_NONE, go, NULL);
    http_route_for(t.http, HTTP_GET, "/fails", ROLE_NONE, fail_with, NULL);
    http_route_for(t.http, HTTP_GET, "/api/fails", ROLE_NONE, fail_with, NULL);
    http_route_for(t.http, HTTP_GET, "/download", ROLE_NONE, download, NULL);
    http_route_for(t.http, HTTP_POST, "/hold", ROLE_NONE, hold, NULL);
    http_route(t.http, HTTP_GET, "/plain", say, (char *)"plain");
}

static int begin(void **state)
{
    setup(state);
    fix_make(&f);
    loop_free(f.loop);
    f.loop = t.loop;
    fix_open(&f);
    a = access_new(t.loop, f.store,
                   &(struct access_conf){.data_dir = f.dir, .loopback = ROLE_OPERATOR});
    http_access_set(t.http, a);
    add_routes();
    memset(&seen, 0, sizeof seen);
    held = NULL;
    return 0;
}

static int end(void **state)
{
    access_free(a);
    fix_close(&f);
    remove_tree(f.dir);
    reply_free(&the_reply);
    return teardown(state);
}

/* ---- credentials ---- */

static struct user *make_user(const char *name, enum access_role role)
{
    struct user *user = &a->users[a->n_users++];
    *user = (struct user){.id = access_id_next(a, TABLE_USERS), .role = role};
    str_copy(user->name, sizeof user->name, name, strlen(name));
    return user;
}

struct session_of {
    char cookie[128], csrf[SECRET_CHARS + 1]; /* cookie: a header line */
    int64_t id;
};

static struct session_of log_in(enum access_role role)
{
    char secret[SECRET_CHARS + 1];
    struct session_of of;
    struct user *user = make_user(access_role_name(role), role);
    of.id = session_add(a, user->id, secret);
    secret_csrf(secret, of.csrf);
    snprintf(of.cookie, sizeof of.cookie, "Cookie: a=b; shepherd_session=%s; c=d\r\n", secret);
    return of;
}

static void keep_token(const struct access_result *result, void *arg)
{
    str_copy(arg, TOKEN_CHARS + 1, result->token, strlen(result->token));
}

static char *make_token(const char *role)
{
    static char token[TOKEN_CHARS + 1];
    struct access_grant by = {.role = ROLE_ADMIN, .who = "admin"};
    token[0] = '\0';
    access_token_add(a, &by, "127.0.0.1", role, role, keep_token, token);
    WAIT_FOR(&f, token[0]);
    return token;
}

static char *lines(const char *fmt, ...) SHEP_PRINTF(1, 2);
static char *lines(const char *fmt, ...)
{
    static char text[2048];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return text;
}

static int status(const char *line, const char *headers)
{
    return ask(line, headers)->status;
}

static int post(const char *path, const char *headers, const char *body)
{
    char *text =
        shep_asprintf("POST %s HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %zu\r\n\r\n%s",
                      path, headers, strlen(body), body);
    int code = ask_raw(text)->status;
    free(text);
    return code;
}

/* ---- pages ---- */

static void test_without_access_everybody_is_operator(void **state)
{
    http_access_set(t.http, NULL);
    assert_string_equal(ask("GET /role", "")->body, "operator");
    assert_string_equal(ask("GET /role", LAN)->body, "operator");
    assert_int_equal(post("/change", "", ""), 200);
    assert_string_equal(seen.who, "loopback");
    assert_int_equal(post("/dear", "", ""), 403);
}

static void test_this_host_and_others(void **state)
{
    assert_string_equal(ask("GET /role", "")->body, "operator");
    assert_int_equal(status("GET /role?a=1&b=%20x", LAN), 303);
    assert_string_equal(header(&the_reply, "Location"), "/login?next=/role%3Fa%3D1%26b%3D%2520x");
    assert_int_equal(status("GET /", LAN), 303);
    assert_string_equal(header(&the_reply, "Location"), "/login");
    assert_int_equal(status("GET /no/such/page", LAN), 303); /* tells nothing about pages */
    assert_int_equal(status("HEAD /role", LAN), 303);
    struct access_conf conf = {.data_dir = f.dir, .loopback = ROLE_NONE, .lan = ROLE_VIEWER};
    access_conf_set(a, &conf);
    assert_string_equal(ask("GET /role", LAN)->body, "viewer");
    assert_int_equal(status("GET /role", ""), 303);
}

static void test_others_get_401(void **state)
{
    static const char *const paths[] = {"GET /api/herd_data", "GET /events", "GET /plain",
                                        "GET /both", "POST /change"};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        assert_int_equal(status(paths[i], LAN "Content-Length: 0\r\n"), 401);
        assert_string_equal(header(&the_reply, "WWW-Authenticate"), "Bearer");
    }
    assert_int_equal(seen.n, 0);
    assert_int_equal(status("GET /role", LAN "Accept: application/json\r\n"), 401);
    assert_non_null(strstr(the_reply.body, "\"success\":false"));
    /* a script that asks for what changed must not get the login for it */
    assert_int_equal(status("GET /role", LAN "X-Shepherd-Have: W/\"1\"\r\n"), 401);
}

static void test_open_to_all(void **state)
{
    char *path = path_join_dup(t.dir[0], "a.css");
    assert_int_equal(file_write_atomic(path, "x", 1, 0644), 0);
    free(path);
    assert_int_equal(status("GET /static/a.css", LAN), 200);
    assert_int_equal(status("GET /healthz", LAN), 200);
    assert_string_equal(ask("GET /login", LAN)->body, "none");
    assert_int_equal(post("/login", LAN, ""), 200);
    assert_int_equal(seen.role, ROLE_NONE);
    assert_int_equal(status("GET /setup", LAN), 404); /* passed; this server has none */
}

/* What was made for one role is never shown to another. */
static void test_each_role_its_page(void **state)
{
    struct session_of viewer = log_in(ROLE_VIEWER), admin = log_in(ROLE_ADMIN);
    for (int i = 0; i < 2; i++) {
        assert_string_equal(ask("GET /role", lines(LAN "%s", viewer.cookie))->body, "viewer");
        assert_string_equal(ask("GET /role", lines(LAN "%s", admin.cookie))->body, "admin");
        assert_string_equal(ask("GET /role", "")->body, "operator");
    }
    assert_int_equal(t.pool.n_renders, 3);
}

static void test_logged_out_counts_at_once(void **state)
{
    struct session_of admin = log_in(ROLE_ADMIN);
    assert_int_equal(status("GET /role", lines(LAN "%s", admin.cookie)), 200);
    access_logout(a, admin.id);
    assert_int_equal(status("GET /role", lines(LAN "%s", admin.cookie)), 303);
    assert_int_equal(post("/change", lines(LAN OWN "%s", admin.cookie), ""), 401);
}

/* ---- changes ---- */

static void test_roles_of_routes(void **state)
{
    struct session_of viewer = log_in(ROLE_VIEWER), operator= log_in(ROLE_OPERATOR),
                      admin = log_in(ROLE_ADMIN);
    const struct session_of *all[] = {&viewer, &operator, & admin };
    static const int want[][2] = {{403, 403}, {200, 403}, {200, 200}};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        char *with = lines(LAN OWN "%sX-Shepherd-CSRF: %s\r\n", all[i]->cookie, all[i]->csrf);
        assert_int_equal(post("/change", with, ""), want[i][0]);
        assert_int_equal(post("/dear", with, ""), want[i][1]);
    }
    assert_int_equal(seen.n, 3);
    assert_string_equal(seen.who, "admin");
}

static void test_csrf(void **state)
{
    struct session_of mine = log_in(ROLE_ADMIN), other = log_in(ROLE_OPERATOR);
    char field[128];
    snprintf(field, sizeof field, "field=x&csrf=%s", mine.csrf);
    assert_int_equal(post("/change", lines("%s", mine.cookie), ""), 403);
    assert_int_equal(post("/change", lines(OWN "%s", mine.cookie), ""), 403); /* no token */
    assert_int_equal(post("/change", lines(OWN FORM "%s", mine.cookie), "csrf="), 403);
    assert_int_equal(
        post("/change", lines(OWN "%sX-Shepherd-CSRF: %s\r\n", mine.cookie, other.csrf), ""), 403);
    assert_int_equal(seen.n, 0);
    assert_int_equal(
        post("/change", lines(OWN "%sX-Shepherd-CSRF: %s\r\n", mine.cookie, mine.csrf), ""), 200);
    assert_int_equal(post("/change", lines(OWN FORM "%s", mine.cookie), field), 200);
    assert_string_equal(seen.field, "x"); /* the form is still whole */
    assert_int_equal(post("/change", lines(FORM "%s", mine.cookie), field), 200);
    assert_int_equal(post("/change", lines("Sec-Fetch-Site: same-origin\r\n%s", mine.cookie), ""),
                     200);
}

static void test_from_another_page(void **state)
{
    struct session_of mine = log_in(ROLE_ADMIN);
    static const char *const from[] = {
        "Origin: http://evil.example\r\n",
        "Origin: null\r\n",
        "Origin: http://localhost.evil\r\n",
        "Origin: http://localhost:81\r\n",
        "Origin: localhost\r\n",
        "Origin: \r\n",
        "Sec-Fetch-Site: cross-site\r\n" OWN,
        "Sec-Fetch-Site: same-site\r\n" OWN,
        "Origin: http://evil.example\r\nAuthorization: Bearer x\r\n",
        "Origin: http://evil.example\r\nSec-Fetch-Site: same-origin\r\n"};
    for (size_t i = 0; i < ARRAY_LEN(from); i++) {
        /* somebody at this host without a login is an operator: just as dear to an attacker */
        int code = post("/change", from[i], "");
        assert_true(code == 403 || code == 401);
        code = post("/change",
                    lines("%s%sX-Shepherd-CSRF: %s\r\n", from[i], mine.cookie, mine.csrf), "");
        assert_true(code == 403 || code == 401);
    }
    assert_int_equal(seen.n, 0);
    assert_int_equal(post("/change", OWN, ""), 200);
    assert_int_equal(post("/change", "", ""), 200); /* curl, the scripts of the Python one */
}

/* A cookie comes by itself, so it must be said from which page: also one that is worth nothing. */
static void test_cookie_without_origin(void **state)
{
    assert_int_equal(post("/change", "Cookie: shepherd_session=stale\r\n", ""), 403);
    assert_int_equal(post("/change", "Cookie: shepherd_kiosk=stale\r\n", ""), 403);
    assert_int_equal(post("/change", "Cookie: shepherd_session=stale\r\n" OWN, ""), 200);
    assert_int_equal(post("/change", "Cookie: shepherd_flash=ok\r\n", ""), 200); /* gives nothing */
}

/* ---- tokens ---- */

static void test_bearer(void **state)
{
    char viewer[64], operator_[64];
    snprintf(viewer, sizeof viewer, "%s", make_token("viewer"));
    snprintf(operator_, sizeof operator_, "%s", make_token("operator"));
    assert_string_equal(ask("GET /role", lines(LAN "Authorization: Bearer %s\r\n", viewer))->body,
                        "viewer");
    assert_int_equal(post("/change", lines(LAN "Authorization: Bearer %s\r\n", viewer), ""), 403);
    assert_int_equal(post("/change", lines(LAN "authorization: bearer %s\r\n", operator_), ""),
                     200);
    assert_string_equal(seen.who, "token:operator");
    assert_int_equal(post("/dear", lines(LAN "Authorization: Bearer %s\r\n", operator_), ""), 403);
    static const char *const bad[] = {"Bearer", "Bearer ", "Bearer shp_", "Bearer x"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) /* told, also at this host */
        assert_int_equal(status("GET /api/herd_data", lines("Authorization: %s\r\n", bad[i])), 401);
    assert_int_equal(status("GET /api/herd_data", lines("Authorization: Bearer %.20s\r\n", viewer)),
                     401);
    /* another scheme is somebody else's (a proxy's) */
    assert_int_equal(status("GET /api/herd_data", "Authorization: Basic eDp5\r\n"), 200);
}

static void test_kiosk(void **state)
{
    char token[64];
    snprintf(token, sizeof token, "%s", make_token("viewer"));
    char *line = shep_asprintf("GET /role?x=%%26&token=%s&a=1", token);
    assert_int_equal(status(line, LAN), 303);
    free(line);
    assert_string_equal(header(&the_reply, "Location"), "/role?x=%26&a=1");
    const char *cookie = header(&the_reply, "Set-Cookie");
    assert_non_null(strstr(cookie, token));
    assert_non_null(strstr(cookie, "; HttpOnly; SameSite=Strict; Path=/"));
    char *with = shep_asprintf(LAN "Cookie: shepherd_kiosk=%s\r\n", token);
    assert_string_equal(ask("GET /role", with)->body, "viewer");
    assert_int_equal(post("/change", lines("%s" OWN, with), ""), 403);
    free(with);
    line = shep_asprintf("GET /role?token=%s", token);
    assert_int_equal(status(line, LAN), 303);
    assert_string_equal(header(&the_reply, "Location"), "/role");
    free(line);
}

static void test_kiosk_tokens_that_are_none(void **state)
{
    char token[64];
    snprintf(token, sizeof token, "%s", make_token("viewer"));
    char *spelled = shep_asprintf("GET /role?%%74oken=%s", token);
    assert_int_equal(status(spelled, LAN), 303); /* no circle: to the login */
    assert_non_null(strstr(header(&the_reply, "Location"), "/login?next="));
    free(spelled);
    char *op = shep_asprintf("GET /role?token=%s", make_token("operator"));
    static const char *const bad[] = {"GET /role?token=", "GET /role?token=shp_x"};
    assert_null((ask(op, LAN), header(&the_reply, "Set-Cookie"))); /* may do too much */
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_null((ask(bad[i], LAN), header(&the_reply, "Set-Cookie")));
    free(op);
}

/* ---- routes ---- */

static void test_routes_with_a_rest(void **state)
{
    assert_int_equal(post("/miners/edit/7", "", ""), 200);
    assert_string_equal(seen.rest, "7");
    assert_int_equal(post("/miners/edit/a%20b", "", ""), 200);
    assert_string_equal(seen.rest, "a b");
    assert_int_equal(post("/miners/edit/", "", ""), 404);
    assert_int_equal(post("/miners/edit", "", ""), 404);
    assert_int_equal(post("/miners/edit/7/8", "", ""), 404);
    assert_int_equal(post("/miners/edit/7%2F8", "", ""), 404);
    assert_int_equal(status("GET /miners/edit/7", ""), 405);
    assert_int_equal(post("/change", "", ""), 200);
    assert_string_equal(seen.rest, "(none)");
    assert_string_equal(seen.peer, "127.0.0.1");
}

static void test_one_path_two_methods(void **state)
{
    assert_string_equal(ask("GET /both", "")->body, "got");
    assert_int_equal(post("/both", "", ""), 200);
    assert_string_equal(the_reply.body, "posted");
    assert_string_equal(ask("GET /login", "")->body, "operator"); /* the page beside the form */
    assert_int_equal(status("GET /change", ""), 405);
    assert_string_equal(header(&the_reply, "Allow"), "POST");
}

/* ---- answers ---- */

static void test_redirects_stay_here(void **state)
{
    static const struct {
        const char *to, *location;
    } cases[] = {{"/kiosk?a=1%23b", "/kiosk?a=1#b"},
                 {"//evil.example/", "/"},
                 {"/%5Cevil.example", "/"},
                 {"http://evil.example/", "/"},
                 {"javascript:alert(1)", "/"},
                 {"/a%0D%0AX-Evil:+1", "/"},
                 {"", "/"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(status(lines("GET /go?to=%s", cases[i].to), ""), 302);
        assert_string_equal(header(&the_reply, "Location"), cases[i].location);
        assert_null(header(&the_reply, "X-Evil"));
    }
    assert_int_equal(status("GET /go", ""), 302);
    const char *one = strstr(the_reply.bytes.data, "\r\nSet-Cookie: one=1; Path=/\r\n");
    const char *two = strstr(the_reply.bytes.data, "\r\nSet-Cookie: two=2; Path=/\r\n");
    assert_true(one && two && one < two);
    ask("GET /plain", ""); /* not on the next reply of that memory */
    assert_null(header(&the_reply, "Set-Cookie"));
}

static void test_errors_are_text(void **state)
{
    static const char text[] = "%3Cscript%3E%22%27%26%C3%A4";
    assert_int_equal(status(lines("GET /fails?text=%s", text), ""), 429);
    assert_string_equal(header(&the_reply, "Retry-After"), "30");
    assert_non_null(strstr(the_reply.body, "&lt;script&gt;&quot;&#39;&amp;\xc3\xa4"));
    assert_null(strstr(the_reply.body, "<script"));
    ask(lines("GET /api/fails?text=%s", text), "");
    assert_string_equal(the_reply.body,
                        "{\"success\":false,\"message\":\"<script>\\\"'&\xc3\xa4\"}\n");
    ask(lines("GET /fails?text=%s", text), "Accept: application/json\r\n");
    assert_string_equal(header(&the_reply, "Content-Type"), "application/json");
}

static void test_download(void **state)
{
    enum { BYTES = 3 << 20 };
    char *path = path_join_dup(t.dir[0], "file"), *bytes = shep_alloc(BYTES);
    for (size_t i = 0; i < BYTES; i++)
        bytes[i] = (char)(i * 7 + i / 4096);
    assert_int_equal(file_write_atomic(path, bytes, BYTES, 0644), 0);
    assert_int_equal(status("GET /download", ""), 200);
    assert_int_equal(the_reply.body_len, BYTES);
    assert_memory_equal(the_reply.body, bytes, BYTES);
    assert_string_equal(header(&the_reply, "Content-Disposition"),
                        "attachment; filename=\"a_b______.tar.gz\"");
    assert_string_equal(header(&the_reply, "Content-Type"), "application/gzip");
    assert_int_equal(status("HEAD /download", ""), 200);
    assert_string_equal(header(&the_reply, "Content-Length"), "3145728");
    assert_int_equal(file_write_atomic(path, "", 0, 0644), 0);
    assert_int_equal(status("GET /download", ""), 200);
    assert_int_equal(the_reply.body_len, 0);
    free(path);
    free(bytes);
}

static bool is_held(void)
{
    return held != NULL;
}

static void answer_held(int kind)
{
    if (kind == 0)
        http_reply(held, 200, NULL, "late", 4);
    else if (kind == 1)
        http_reply_file(held, open("/dev/null", O_RDONLY | O_CLOEXEC), 0, "text/plain", "x");
    else if (kind == 2)
        http_reply_redirect(held, 302, "/");
    else
        http_reply_error(held, 400, "late");
}

static int ask_to_hold(const struct session_of *mine)
{
    int fd = client_open();
    char *text = shep_asprintf("POST /hold HTTP/1.1\r\nHost: localhost\r\n" OWN FORM
                               "%sContent-Length: %zu\r\n\r\ncsrf=%s",
                               mine->cookie, 5 + strlen(mine->csrf), mine->csrf);
    held = NULL;
    client_send(fd, text);
    free(text);
    assert_true(run_until(is_held));
    return fd;
}

/* Who asked has gone, or the whole server has, before the answer: the form, header lines and all of
 * it are freed. */
static void test_answer_to_nobody(void **state)
{
    struct session_of mine = log_in(ROLE_ADMIN);
    for (int kind = 0; kind < 4; kind++) {
        close(ask_to_hold(&mine));
        answer_held(kind);
        int fd = ask_to_hold(&mine);
        answer_held(kind);
        client_read(fd, &the_reply, false);
        assert_string_equal(header(&the_reply, "X-Late"), "1");
        close(fd);
    }
    for (int kind = 0; kind < 4; kind++) {
        int fd = ask_to_hold(&mine);
        http_free(t.http);
        answer_held(kind);
        close(fd);
        char err[256];
        t.http = http_new(t.loop, t.topics, &t.pool, &(struct http_conf){0});
        assert_int_equal(http_listen(t.http, "127.0.0.1", 0, &t.port, err, sizeof err), 0);
        http_access_set(t.http, a);
        add_routes();
    }
}

static void test_cookies(void **state)
{
    static const struct {
        const char *before, *after;
        int status;
    } cases[] = {{"shepherd_session=", "", 200},
                 {"a;;  shepherd_session=", " ;b", 200},
                 {"xshepherd_session=1;shepherd_session=", "", 200},
                 {"shepherd_session=", "; shepherd_session=other", 200},
                 {"shepherd_session=other; shepherd_session=", "", 303},
                 {"Shepherd_session=", "", 303},
                 {"shepherd_session", "", 303}};
    struct session_of mine = log_in(ROLE_VIEWER);
    char *secret = strstr(mine.cookie, "shepherd_session=") + strlen("shepherd_session=");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(status("GET /role", lines(LAN "Cookie: %s%.*s%s\r\n", cases[i].before,
                                                   SECRET_CHARS, secret, cases[i].after)),
                         cases[i].status);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_without_access_everybody_is_operator),
        TEST(test_this_host_and_others),
        TEST(test_others_get_401),
        TEST(test_open_to_all),
        TEST(test_each_role_its_page),
        TEST(test_logged_out_counts_at_once),
        TEST(test_roles_of_routes),
        TEST(test_csrf),
        TEST(test_from_another_page),
        TEST(test_cookie_without_origin),
        TEST(test_bearer),
        TEST(test_kiosk),
        TEST(test_kiosk_tokens_that_are_none),
        TEST(test_routes_with_a_rest),
        TEST(test_one_path_two_methods),
        TEST(test_redirects_stay_here),
        TEST(test_errors_are_text),
        TEST(test_download),
        TEST(test_answer_to_nobody),
        TEST(test_cookies),
    };
    return cmocka_run_group_tests_name("http_access", tests, NULL, NULL);
}
