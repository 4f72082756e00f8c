/* Which handler answers a path: routes in C, /static/, else a page. Thread: loop. */
#include "http/internal.h"

static const char no_such[] = "There is nothing at this address.";

void http_route(struct http *http, unsigned methods, const char *path, http_handler handler,
                void *arg)
{
    if (http->n_routes == HTTP_ROUTES_MAX)
        abort(); /* routes are added by the daemon itself, at start-up */
    http->routes[http->n_routes++] = (struct route){shep_strdup(path), methods, handler, arg};
}

static void method_refuse(struct http_request *request, unsigned methods)
{
    const char *lines = methods == HTTP_GET    ? "\r\nAllow: GET, HEAD"
                        : methods == HTTP_POST ? "\r\nAllow: POST"
                                               : "\r\nAllow: GET, HEAD, POST";
    reply_error(request, 405, lines, "This address does not answer to that method.");
}

static const struct route *route_find(const struct http *http, const char *path)
{
    for (size_t i = 0; i < http->n_routes; i++)
        if (strcmp(http->routes[i].path, path) == 0)
            return &http->routes[i];
    return NULL;
}

static void route_call(const struct route *route, struct http_request *request)
{
    if (!(route->methods & request->method)) {
        method_refuse(request, route->methods);
    } else if (request->method == HTTP_POST && !request_same_origin(request)) {
        reply_error(request, 403, "", "This request comes from a page of another origin.");
    } else {
        route->handler(request, route->arg);
    }
}

static bool page_exists(struct http_request *request)
{
    struct script_route route;
    script_route_find(request->http->pool, request->target.path, false, &route);
    bool found = route.file != NULL;
    script_route_free(&route);
    return found;
}

void route_dispatch(struct http_request *request)
{
    const char *path = request->target.path;
    const struct route *route = route_find(request->http, path);
    if (route)
        route_call(route, request);
    else if (strncmp(path, "/static/", 8) == 0 && request->method != HTTP_GET)
        method_refuse(request, HTTP_GET);
    else if (strncmp(path, "/static/", 8) == 0)
        static_serve(request);
    else if (request->method == HTTP_GET)
        cache_serve(request);
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
    http_route(http, HTTP_GET, "/healthz", healthz, http);
    http_route(http, HTTP_GET, "/events", live_serve, http);
}
