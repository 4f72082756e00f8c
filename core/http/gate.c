/* Who asks, and may they: judged once for each request, before any handler sees it. What a browser
 * sends by itself (cookies) is not enough for a change: it must also come from a page of ours.
 * Thread: loop. */
#include "http/internal.h"

#include <strings.h>

enum { SECRET_MAX = 128 }; /* cookies and tokens of ours have at most 47 bytes */

enum access_role gate_page_role(const char *path)
{
    bool open = strcmp(path, "/login") == 0 || strcmp(path, "/setup") == 0;
    return open ? ROLE_NONE : ROLE_VIEWER;
}

/* ---- who ---- */

/* The bytes behind "Bearer "; NULL: no such header. */
static const char *bearer(const struct http_request *request)
{
    const char *value = http_request_header(request, "Authorization");
    if (!value || strncasecmp(value, "Bearer", 6) != 0 || (value[6] != ' ' && value[6] != '\0'))
        return NULL;
    return value + 6 + strspn(value + 6, " ");
}

/* Of the header, else of the form. A form that cannot be read has none; the handler says why. */
static const char *csrf_token(struct http_request *request)
{
    const char *token = http_request_header(request, "X-Shepherd-CSRF");
    if (token || request->method != HTTP_POST)
        return token;
    const char *why;
    if (!request->form)
        request->form = http_form_parse(request, &why);
    return request->form ? http_form_get(request->form, "csrf") : NULL;
}

static void judge(struct http_request *request)
{
    struct http *http = request->http;
    bool local = http_request_is_local(request);
    if (!http->access) {
        request->grant = (struct access_grant){.role = ROLE_OPERATOR};
        snprintf(request->grant.who, sizeof request->grant.who, local ? "loopback" : "lan");
        return;
    }
    char session[SECRET_MAX], kiosk[SECRET_MAX];
    bool has_session = http_request_cookie(request, "shepherd_session", session, sizeof session);
    struct access_credentials credentials = {
        .is_local = local,
        .peer = request->peer,
        .session = has_session ? session : NULL,
        .kiosk = http_request_cookie(request, "shepherd_kiosk", kiosk, sizeof kiosk) ? kiosk : NULL,
        .bearer = bearer(request),
        .csrf = has_session ? csrf_token(request) : NULL};
    access_judge(http->access, &credentials, &request->grant);
}

/* ---- where from ---- */

static bool site_is_own(const struct http_request *request)
{
    const char *site = http_request_header(request, "Sec-Fetch-Site");
    return site && strcmp(site, "same-origin") == 0;
}

/* A page elsewhere may send a form here, but its browser says where it comes from. */
static bool from_elsewhere(const struct http_request *request)
{
    const char *site = http_request_header(request, "Sec-Fetch-Site");
    if (site && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0)
        return true;
    const char *origin = http_request_header(request, "Origin");
    const char *host = http_request_header(request, "Host");
    if (!origin)
        return false;
    const char *rest = strstr(origin, "://");
    return !rest || !host || strcasecmp(rest + 3, host) != 0;
}

static bool has_cookie(const struct http_request *request)
{
    char value[SECRET_MAX];
    return http_request_cookie(request, "shepherd_session", value, sizeof value) ||
           http_request_cookie(request, "shepherd_kiosk", value, sizeof value);
}

/* NULL: a change may be made. */
static const char *change_refused(const struct http_request *request)
{
    const struct access_grant *grant = &request->grant;
    if (from_elsewhere(request))
        return "This request comes from a page of another origin.";
    if (grant->csrf_ok || site_is_own(request) || bearer(request))
        return NULL;
    if (grant->by_cookie)
        return "This form has no valid token (csrf): open its page again.";
    if (has_cookie(request) && !http_request_header(request, "Origin"))
        return "This request has a cookie, but does not say which page it comes from.";
    return NULL;
}

/* ---- what is not allowed ---- */

static void add_escaped(struct buf *out, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        bool plain = (*p >= '0' && *p <= '9') || ((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z') ||
                     strchr("-._~/", *p);
        if (plain)
            buf_add(out, p, 1);
        else
            buf_printf(out, "%%%02X", *p);
    }
}

/* To the login, and from there back to where they wanted. */
static void send_to_login(struct http_request *request)
{
    const char *target = evhttp_request_get_uri(request->ev);
    struct buf location = {0};
    buf_add_str(&location, "/login");
    if (strcmp(target, "/") != 0) {
        buf_add_str(&location, "?next=");
        add_escaped(&location, target);
    }
    http_reply_redirect(request, 303, location.data);
    buf_free(&location);
}

static void deny(struct http_request *request, bool is_page)
{
    bool nobody = request->grant.role == ROLE_NONE;
    /* a script that asks a page for what changed would take the login for it */
    bool to_login = is_page && request->method == HTTP_GET && !http_request_wants_json(request) &&
                    !http_request_header(request, "X-Shepherd-Have");
    if (nobody && to_login)
        send_to_login(request);
    else if (nobody)
        reply_error(request, 401, "\r\nWWW-Authenticate: Bearer", "Log in first, at /login.");
    else
        reply_error(request, 403, "", "You may look here, but not change this.");
}

/* ---- /any/page?token=shp_…: how a kiosk logs in ---- */

/* false: it is there only in another spelling (%74oken), and would be there again after that. */
static bool without_token(const char *target, struct buf *out)
{
    const char *query = strchr(target, '?');
    char mark = '?';
    bool found = false;
    buf_add(out, target, strcspn(target, "?"));
    for (query = query ? query + 1 : ""; *query;) {
        size_t len = strcspn(query, "&");
        if (strncmp(query, "token=", 6) == 0) {
            found = true;
        } else {
            buf_add(out, &mark, 1);
            buf_add(out, query, len);
            mark = '&';
        }
        query += len + (query[len] == '&');
    }
    return found;
}

/* The cookie, then the same address without the token, so that it stands in no history. */
static bool take_kiosk_token(struct http_request *request)
{
    const char *token = http_request_query(request, "token");
    if (!request->http->access || !token || request->method != HTTP_GET)
        return false;
    struct access_credentials credentials = {.peer = request->peer, .kiosk = token};
    struct access_grant grant;
    access_judge(request->http->access, &credentials, &grant);
    if (strncmp(grant.who, "token:", 6) != 0)
        return false; /* it is none, or may do more than look */
    struct buf location = {0}, cookie = {0};
    if (!without_token(evhttp_request_get_uri(request->ev), &location)) {
        buf_free(&location);
        return false;
    }
    buf_printf(&cookie, "shepherd_kiosk=%s; HttpOnly; SameSite=Strict; Path=/; Max-Age=34560000",
               token); /* 400 days: the longest that browsers keep one */
    http_reply_header(request, "Set-Cookie", cookie.data);
    http_reply_redirect(request, 303, location.data);
    buf_free(&cookie);
    buf_free(&location);
    return true;
}

bool gate_pass(struct http_request *request, enum access_role role, bool is_page)
{
    if (is_page && take_kiosk_token(request))
        return false;
    judge(request);
    if (request->grant.role < role) {
        deny(request, is_page);
        return false;
    }
    const char *refused = request->method == HTTP_POST ? change_refused(request) : NULL;
    if (refused)
        reply_error(request, 403, "", refused);
    return !refused;
}

void http_access_set(struct http *http, struct access *access)
{
    http->access = access;
}
