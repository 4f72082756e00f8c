/* What handlers ask of a request: its path, query, headers, cookies, body, who it is from.
 * Thread: loop. */
#include "http/internal.h"

#include <event2/http_struct.h>
#include <strings.h>

const char *http_request_header(const struct http_request *request, const char *name)
{
    return request->ev ? evhttp_find_header(request->ev->input_headers, name) : NULL;
}

const char *http_request_path(const struct http_request *request)
{
    return request->target.path;
}

const char *http_request_rest(const struct http_request *request)
{
    return request->rest;
}

const char *http_request_query(const struct http_request *request, const char *name)
{
    return wire_query_get(&request->target, name);
}

enum http_method http_request_method(const struct http_request *request)
{
    return (enum http_method)request->method;
}

const struct access_grant *http_request_grant(const struct http_request *request)
{
    return &request->grant;
}

const char *http_request_peer(const struct http_request *request)
{
    return request->peer;
}

/* What proxies add: who asks is somewhere behind them. One that adds nothing cannot be told. */
bool http_request_is_local(const struct http_request *request)
{
    static const char *const proxied[] = {"X-Forwarded-For",   "X-Forwarded-Host",
                                          "X-Forwarded-Proto", "X-Real-IP",
                                          "Forwarded",         "Via"};
    for (size_t i = 0; i < ARRAY_LEN(proxied); i++)
        if (http_request_header(request, proxied[i]))
            return false;
    return request->conn && request->conn->local;
}

bool http_request_wants_json(const struct http_request *request)
{
    if (strncmp(request->target.path, "/api/", 5) == 0)
        return true;
    const char *accept = http_request_header(request, "Accept");
    const char *type = http_request_header(request, "Content-Type");
    return (accept && strstr(accept, "application/json") && !strstr(accept, "text/html")) ||
           (type && strncasecmp(type, "application/json", 16) == 0);
}

/* "a=1; b=2". Of two with one name the first: browsers send the one with the longer path first, and
 * ours all have the path "/". */
bool http_request_cookie(const struct http_request *request, const char *name, char *out,
                         size_t cap)
{
    const char *p = http_request_header(request, "Cookie");
    size_t name_len = strlen(name);
    while (p && *p) {
        p += strspn(p, " \t;");
        size_t len = strcspn(p, ";");
        if (len > name_len && strncmp(p, name, name_len) == 0 && p[name_len] == '=') {
            const char *value = p + name_len + 1;
            size_t n = len - name_len - 1;
            while (n && (value[n - 1] == ' ' || value[n - 1] == '\t'))
                n--;
            if (n >= cap)
                return false;
            memcpy(out, value, n);
            out[n] = '\0';
            return true;
        }
        p += len;
    }
    return false;
}

const void *http_request_body(const struct http_request *request, size_t *len_out)
{
    struct evbuffer *input = request->ev ? evhttp_request_get_input_buffer(request->ev) : NULL;
    *len_out = input ? evbuffer_get_length(input) : 0;
    return *len_out ? evbuffer_pullup(input, -1) : NULL;
}

struct http_form *http_form_parse(struct http_request *request, const char **why)
{
    struct http_form *form = request->form;
    request->form = NULL;
    if (form)
        return form; /* parsed already, for its token */
    size_t len;
    const char *body = http_request_body(request, &len);
    return form_parse(http_request_header(request, "Content-Type"), body, len, why);
}
