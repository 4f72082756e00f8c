/* Routes, and the way of one request: read, handed to its handler, answered. Who waits when the
 * daemon stops is answered by forms_stop(); callbacks that come after that find an ask without
 * forms. Thread: loop. */
#include "forms/internal.h"

#include "util/log.h"

struct bound {
    struct forms *forms;
    const struct form_route *route;
};

/* ---- fields ---- */

const char *ask_field(const struct ask *ask, const char *name)
{
    return http_form_get(ask->form, name);
}

bool ask_flag(const struct ask *ask, const char *name)
{
    const char *text = ask_field(ask, name);
    return text && (strcmp(text, "1") == 0 || strcmp(text, "true") == 0 ||
                    strcmp(text, "on") == 0 || strcmp(text, "yes") == 0);
}

int64_t ask_number(const struct ask *ask, const char *name)
{
    int64_t number = 0;
    const char *text = ask_field(ask, name);
    return text && str_to_i64(text, &number) ? number : 0;
}

bool ask_is_admin(const struct ask *ask)
{
    return ask->grant.role >= ROLE_ADMIN;
}

json_t *ask_fields_dup(const struct ask *ask)
{
    static const char *const not_ours[] = {"csrf", "password", "new_password", "confirm",
                                           "back", "next",     "key",          "keys"};
    json_t *fields = json_copy((json_t *)ask->fields);
    for (size_t i = 0; i < ARRAY_LEN(not_ours); i++)
        json_object_del(fields, not_ours[i]);
    return fields;
}

json_t *forms_text_json(const char *text)
{
    json_t *json = text ? json_string(text) : json_null();
    return json ? json : json_string("(not UTF-8)");
}

/* ---- audit ---- */

void ask_audit(struct ask *ask, const char *action, const char *subject, const char *old_text,
               const char *new_text)
{
    ask->changed = true;
    access_audit(ask->forms->conf.access, &ask->grant, ask->peer, action, subject, old_text,
                 new_text);
}

char *ask_words_dup(const json_t *object)
{
    static const char *const secret[] = {"pass", "secret", "token", "csrf"};
    struct buf out = {0};
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value)
    {
        bool hidden = json_is_null(value) || (json_is_object(value) && !json_object_size(value));
        for (size_t i = 0; i < ARRAY_LEN(secret); i++)
            hidden = hidden || strstr(key, secret[i]);
        char *text = hidden ? NULL : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
        if (text)
            buf_printf(&out, "%s%s=%s", out.len ? " " : "", key, text);
        free(text);
    }
    return out.len ? buf_take(&out) : shep_strdup("");
}

json_t *rows_find(const json_t *rows, int64_t id)
{
    json_t *row;
    size_t i;
    json_array_foreach((json_t *)rows, i, row)
    {
        if (json_integer_value(json_object_get(row, "id")) == id)
            return row;
    }
    return NULL;
}

const char *row_title(const json_t *row, const char *title)
{
    const char *text = json_string_value(json_object_get(row, title));
    return text ? text : "?";
}

void ask_row_put(struct ask *ask, const char *action, const char *title, const json_t *old,
                 json_t *now, const char *good)
{
    json_t *id = json_object_get(now, "id");
    char *before = old ? ask_words_dup(old) : NULL, *after = ask_words_dup(now);
    ask_audit(ask, action, row_title(now, title), before, after);
    free(before);
    free(after);
    ask_answer(ask, 0, good, json_pack("{s:O}", "id", id));
    json_decref(now);
}

void ask_row_deleted(struct ask *ask, const char *action, const char *title, const json_t *old,
                     const char *good)
{
    char *before = ask_words_dup(old);
    ask_audit(ask, action, row_title(old, title), before, NULL);
    free(before);
    ask_answer(ask, 0, good, NULL);
}

/* ---- what is dear ---- */

static void on_confirmed(const struct access_result *result, void *arg)
{
    struct ask *ask = arg;
    if (ask_is_over(ask))
        return;
    if (result->err) {
        ask_limited(ask, result);
        return;
    }
    if (!ask->grant.session_id) { /* it was the admin's password, given without a login */
        char who[sizeof ask->grant.who];
        snprintf(who, sizeof who, "admin (%.60s)", ask->grant.who);
        memcpy(ask->grant.who, who, sizeof who);
    }
    ask->then(ask);
}

/* Who is logged in as somebody else than an admin is not asked: it would be no use. Who has not
 * logged in (this host, tokens) gives the admin's password. */
void ask_dear(struct ask *ask, void (*then)(struct ask *ask))
{
    const char *password = ask_field(ask, "password");
    struct access *access = ask->forms->conf.access;
    if (ask->grant.by_cookie && ask->grant.role < ROLE_ADMIN) {
        ask_answer_status(ask, 403, false, "An admin has to do this.", NULL);
    } else if (!access_has_admin(access)) {
        ask_answer_status(ask, 403, false, "There is no admin yet: /setup comes first.", NULL);
    } else if (!password || !password[0]) {
        ask_answer_status(ask, 403, false, "password: is asked for again, because this is dear.",
                          NULL);
    } else {
        ask->then = then;
        access_confirm(access, &ask->grant, ask->peer, password, on_confirmed, ask);
    }
}

/* ---- a request becomes an ask ---- */

/* The path of the page that it came from, if that was one of ours. */
static bool referer_path(const struct http_request *request, char out[BACK_MAX])
{
    const char *referer = http_request_header(request, "Referer"),
               *host = http_request_header(request, "Host");
    const char *rest = referer ? strstr(referer, "://") : NULL;
    size_t len = host ? strlen(host) : 0;
    if (!rest || !len || strncmp(rest + 3, host, len) != 0 || rest[3 + len] != '/')
        return false;
    const char *path = rest + 3 + len;
    if (strlen(path) >= BACK_MAX)
        return false;
    str_copy(out, BACK_MAX, path, strlen(path));
    return true;
}

static struct ask *ask_new(struct forms *forms, struct http_request *request,
                           const struct form_route *route)
{
    const char *why = NULL, *rest = http_request_rest(request);
    struct http_form *form = http_form_parse(request, &why);
    if (!form) {
        http_reply_error(request, 400, why ? why : "This form cannot be read.");
        return NULL;
    }
    struct ask *ask = shep_alloc(sizeof *ask);
    ask->forms = forms;
    ask->request = request;
    ask->form = form;
    ask->fields = http_form_json(form);
    ask->grant = *http_request_grant(request);
    snprintf(ask->peer, sizeof ask->peer, "%s", http_request_peer(request));
    ask->at_once = route->at_once;
    ask->json = route->json || http_request_wants_json(request);
    if (route->back || !referer_path(request, ask->back))
        snprintf(ask->back, sizeof ask->back, "%s", route->back ? route->back : "/config");
    if (!rest || !str_to_i64(rest, &ask->id) || ask->id < 0)
        ask->id = 0;
    LIST_INSERT_HEAD(&forms->asks, ask, link);
    return ask;
}

static void on_post(struct http_request *request, void *arg)
{
    const struct bound *bound = arg;
    struct ask *ask = ask_new(bound->forms, request, bound->route);
    if (ask)
        bound->route->fn(ask);
}

/* ---- life ---- */

static const struct form_route *const groups[] = {
    session_routes, miners_routes, python_routes, devices_routes, pools_routes,  addresses_routes,
    users_routes,   payout_routes, backup_routes, restore_routes, service_routes};

static void add_routes(struct forms *forms)
{
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(groups); i++)
        for (const struct form_route *route = groups[i]; route->path; route++)
            n++;
    forms->bound = shep_alloc_array(n, sizeof *forms->bound);
    n = 0;
    for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
        for (const struct form_route *route = groups[i]; route->path; route++, n++) {
            forms->bound[n] = (struct bound){.forms = forms, .route = route};
            http_route_for(forms->conf.http, HTTP_POST, route->path, route->role, on_post,
                           &forms->bound[n]);
        }
    }
}

struct forms *forms_new(const struct forms_conf *conf)
{
    struct forms *forms = shep_alloc(sizeof *forms);
    forms->conf = *conf;
    forms->owner.name = "forms";
    LIST_INIT(&forms->asks);
    forms->uploads = uploads_new(forms);
    saver_new(forms);
    add_routes(forms);
    http_route_for(conf->http, HTTP_GET, "/api/setup", ROLE_NONE, forms_get_setup, forms);
    http_route_for(conf->http, HTTP_GET, "/backup/*", ROLE_OPERATOR, forms_get_backup, forms);
    http_route_for(conf->http, HTTP_POST, "/upload", ROLE_OPERATOR, forms_post_upload, forms);
    return forms;
}

void forms_stop(struct forms *forms)
{
    while (!LIST_EMPTY(&forms->asks))
        ask_end(LIST_FIRST(&forms->asks));
}

void forms_free(struct forms *forms)
{
    if (!forms)
        return;
    forms_stop(forms);
    downloads_free(forms);
    uploads_free(forms->uploads);
    saver_free(forms);
    loop_sweep(forms->conf.loop, &forms->owner);
    free(forms->owner.complaint);
    free(forms->bound);
    free(forms);
}
