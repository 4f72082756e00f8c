/* Who one is: login, logout, the first admin, one's own password. */
#include "forms/internal.h"

/* A session ends by itself earlier, in core/access; this is when the browser forgets it. */
#define SESSION_COOKIE "; Max-Age=7776000"

/* ---- coming in ---- */

/* "/dash/health" of the field next; what is not a path of ours becomes "/" in
 * http_reply_redirect().
 */
static void go_on_to_next(struct ask *ask)
{
    const char *next = ask_field(ask, "next");
    snprintf(ask->back, sizeof ask->back, "%s", next && next[0] == '/' ? next : "/");
}

static void on_came_in(const struct access_result *result, void *arg)
{
    struct ask *ask = arg;
    if (ask_is_over(ask))
        return;
    if (result->err) {
        ask_limited(ask, result);
        return;
    }
    reply_cookie(ask->request, "shepherd_session", result->session, "; HttpOnly" SESSION_COOKIE);
    reply_cookie(ask->request, "shepherd_csrf", result->csrf, SESSION_COOKIE);
    json_t *extra = json_object();
    json_object_set_new(extra, "who", forms_text_json(result->grant.who));
    json_object_set_new(extra, "role", json_string(access_role_name(result->grant.role)));
    ask_answer(ask, 0, result->message, extra);
}

static void on_login_result(const struct access_result *result, void *arg)
{
    struct ask *ask = arg;
    if (ask->forms && !result->err)
        go_on_to_next(ask);
    on_came_in(result, ask);
}

static void login(struct ask *ask)
{
    access_login(ask->forms->conf.access, ask->peer, ask_field(ask, "user"),
                 ask_field(ask, "password"), on_login_result, ask);
}

static void setup(struct ask *ask)
{
    access_setup(ask->forms->conf.access, ask->peer, ask_field(ask, "code"),
                 ask_field(ask, "password"), on_login_result, ask);
}

void forms_get_setup(struct http_request *request, void *arg)
{
    struct forms *forms = arg;
    bool needed = !access_has_admin(forms->conf.access);
    const char *code =
        needed && http_request_is_local(request) ? access_setup_code(forms->conf.access) : NULL;
    json_t *body = json_object();
    json_object_set_new(body, "needed", json_boolean(needed));
    if (code)
        json_object_set_new(body, "code", forms_text_json(code));
    char *text = json_dumps(body, JSON_COMPACT);
    http_reply_header(request, "Cache-Control", "no-store");
    http_reply(request, 200, "application/json", text, strlen(text));
    free(text);
    json_decref(body);
}

/* ---- going ---- */

static void logout(struct ask *ask)
{
    if (ask->grant.session_id) {
        ask_audit(ask, "logout", ask->grant.who, NULL, NULL);
        access_logout(ask->forms->conf.access, ask->grant.session_id);
    }
    reply_cookie(ask->request, "shepherd_session", "", "; HttpOnly; Max-Age=0");
    reply_cookie(ask->request, "shepherd_csrf", "", "; Max-Age=0");
    reply_cookie(ask->request, "shepherd_kiosk", "", "; HttpOnly; Max-Age=0");
    ask_answer(ask, 0, "You are logged out.", NULL);
}

/* ---- one's own password ---- */

static void on_password_result(const struct access_result *result, void *arg)
{
    struct ask *ask = arg;
    if (ask_is_over(ask))
        return;
    ask->changed = !result->err;
    ask_answer(ask, result->err, result->err ? result->message : "Your password is changed.", NULL);
}

static void password_confirmed(const struct access_result *result, void *arg)
{
    struct ask *ask = arg;
    if (ask_is_over(ask))
        return;
    if (result->err)
        ask_limited(ask, result);
    else
        access_user_put(ask->forms->conf.access, &ask->grant, ask->peer, ask->grant.who,
                        access_role_name(ask->grant.role), ask_field(ask, "new_password"),
                        on_password_result, ask);
}

static void password(struct ask *ask)
{
    const char *old = ask_field(ask, "password"), *fresh = ask_field(ask, "new_password");
    if (!ask->grant.session_id)
        ask_answer_status(ask, 403, false, "Log in first: it is your own password that changes.",
                          NULL);
    else if (!old || !fresh || !fresh[0])
        ask_answer(ask, SHEP_E_CONFIG, "new_password: the old and the new one are needed.", NULL);
    else
        access_confirm(ask->forms->conf.access, &ask->grant, ask->peer, old, password_confirmed,
                       ask);
}

const struct form_route session_routes[] = {
    {.path = "/login", .role = ROLE_NONE, .fn = login, .back = "/login", .at_once = true},
    {.path = "/setup", .role = ROLE_NONE, .fn = setup, .back = "/setup", .at_once = true},
    {.path = "/logout", .role = ROLE_NONE, .fn = logout, .back = "/"},
    {.path = "/password", .role = ROLE_VIEWER, .fn = password},
    {0}};
