/* Which handler answers a path: routes in C, /static/, else a page. Thread: loop. */
#include "http/internal.h"

static const char no_such[] = "There is nothing at this address.";

void http_route_for(struct http *http, unsigned methods, const char *path, enum access_role role,
                    http_handler handler, void *arg)
{
    if (http->n_routes == HTTP_ROUTES_MAX)
        abort(); /* routes are added by the daemon itself, at start-up */
    size_t len = strlen(path);
    bool rest = len > 2 && strcmp(path + len - 2, "/*") == 0;
    http->routes[http->n_routes++] =
        (struct route){shep_strndup(path, len - rest), rest, methods, role, handler, arg};
}

void http_route(struct http *http, unsigned methods, const char *path, http_handler handler,
                void *arg)
{
    http_route_for(http, methods, path, ROLE_VIEWER, handler, arg);
}

static void method_refuse(struct http_request *request, unsigned methods)
{
    const char *lines = methods == HTTP_GET    ? "\r\nAllow: GET, HEAD"
                        : methods == HTTP_POST ? "\r\nAllow: POST"
                                               : "\r\nAllow: GET, HEAD, POST";
    reply_error(request, 405, lines, "This address does not answer to that method.");
}

static bool route_matches(const struct route *route, const char *path)
{
    if (!route->rest)
        return strcmp(route->path, path) == 0;
    size_t len = strlen(route->path);
    return strncmp(route->path, path, len) == 0 && path[len] && !strchr(path + len, '/');
}

/* The one that answers to the method, else any of that path. */
static const struct route *route_find(const struct http *http, const char *path, unsigned method)
{
    const struct route *other = NULL;
    for (size_t i = 0; i < http->n_routes; i++) {
        const struct route *route = &http->routes[i];
        if (!route_matches(route, path))
            continue;
        if (route->methods & method)
            return route;
        other = route;
    }
    return other;
}

bool page_exists(const struct http_request *request)
{
    struct script_route route;
    script_route_find(request->http->pool, request->target.path, false, &route);
    bool found = route.file != NULL;
    script_route_free(&route);
    return found;
}

static void route_call(const struct route *route, struct http_request *request)
{
    if (!gate_pass(request, route->role, false))
        return;
    if (route->rest)
        request->rest = request->target.path + strlen(route->path);
    route->handler(request, route->arg);
}

static void file_call(struct http_request *request)
{
    if (request->method != HTTP_GET)
        method_refuse(request, HTTP_GET);
    else if (gate_pass(request, ROLE_NONE, false))
        static_serve(request);
}

static void page_call(struct http_request *request)
{
    if (gate_pass(request, gate_page_role(request->target.path), true))
        cache_serve(request);
}

void route_dispatch(struct http_request *request)
{
    const char *path = request->target.path;
    const struct route *route = route_find(request->http, path, request->method);
    if (route && (route->methods & request->method))
        route_call(route, request);
    else if (strncmp(path, "/static/", 8) == 0)
        file_call(request);
    else if (request->method == HTTP_GET && (!route || page_exists(request)))
        page_call(request); /* a form and its page may have one address */
    else if (route)
        method_refuse(request, route->methods);
    else if (page_exists(request))
        method_refuse(request, HTTP_GET);
    else
        reply_error(request, 404, "", no_such);
}

static void healthz(struct http_request *request, void *arg)
{
    struct http *http = arg;
    const char *trouble = http->health ? http->health(http->health_arg) : NULL;
    if (!trouble || !*trouble)
        http_reply(request, 200, NULL, "ok\n", 3);
    else
        http_reply(request, 503, NULL, trouble, strlen(trouble));
}

void route_init(struct http *http)
{
    http_route_for(http, HTTP_GET, "/healthz", ROLE_NONE, healthz, http);
    http_route(http, HTTP_GET, "/events", live_serve, http);
}
