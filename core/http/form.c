#include "http/form.h"

#include "http/http.h"
#include "http/wire.h"

#include <math.h>
#include <strings.h>

static const char too_many[] = "The form has too many fields.";
static const char no_text[] =
    "A field of the form is not plain text (UTF-8 without control bytes).";

const char *form_add(struct http_form *form, const char *name, size_t name_len, const char *bytes,
                     size_t len, bool is_file)
{
    if (form->n == FORM_FIELDS_MAX)
        return too_many;
    if (name_len == 0 || name_len > FORM_NAME_MAX || !wire_text_ok(name, name_len, false))
        return "A field of the form has no name, or one that is too long.";
    if (!is_file && !wire_text_ok(bytes, len, true))
        return no_text;
    struct form_field *field = &form->fields[form->n++];
    field->name = shep_strndup(name, name_len);
    field->bytes = shep_alloc(len + 1);
    if (len)
        memcpy(field->bytes, bytes, len);
    field->len = len;
    field->is_file = is_file;
    return NULL;
}

/* ---- application/x-www-form-urlencoded ---- */

static const char *pair_add(struct http_form *form, const char *pair, size_t len, char *store)
{
    const char *equals = memchr(pair, '=', len);
    size_t name_raw = equals ? (size_t)(equals - pair) : len;
    int name_len = wire_decode(store, pair, name_raw, true);
    char *value = store + name_raw + 1;
    int value_len = equals ? wire_decode(value, equals + 1, len - name_raw - 1, true) : 0;
    if (name_len < 0 || value_len < 0)
        return "The form has a broken escape (a percent sign without two hexadecimal digits).";
    return form_add(form, store, (size_t)name_len, value, (size_t)value_len, false);
}

static const char *urlencoded(struct http_form *form, const char *bytes, size_t len)
{
    char *store = shep_alloc(len + 2); /* a pair: name, NUL, value, NUL */
    const char *wrong = NULL;
    for (size_t at = 0; at < len && !wrong;) {
        const char *end = memchr(bytes + at, '&', len - at);
        size_t n = end ? (size_t)(end - bytes) - at : len - at;
        if (n)
            wrong = pair_add(form, bytes + at, n, store);
        at += n + 1;
    }
    free(store);
    return wrong;
}

/* ---- JSON ---- */

static const char *json_check(const json_t *value, unsigned depth)
{
    if (depth > FORM_JSON_DEPTH_MAX)
        return "The JSON of the request is nested too deeply.";
    if (json_is_string(value))
        return wire_text_ok(json_string_value(value), json_string_length(value), true) ? NULL
                                                                                       : no_text;
    const char *wrong = NULL, *name;
    size_t i;
    json_t *member;
    json_array_foreach((json_t *)value, i,
                       member) if ((wrong = json_check(member, depth + 1))) return wrong;
    json_object_foreach((json_t *)value, name, member)
    {
        if (!wire_text_ok(name, strlen(name), false))
            return no_text;
        if ((wrong = json_check(member, depth + 1)))
            return wrong;
    }
    return NULL;
}

/* What a form would have sent for it. Objects, null and lists in lists are only in the JSON. */
static const char *scalar_add(struct http_form *form, const char *name, const json_t *value)
{
    char number[40] = "";
    const char *text = number;
    if (json_is_string(value))
        text = json_string_value(value);
    else if (json_is_boolean(value))
        text = json_is_true(value) ? "1" : "0";
    else if (json_is_integer(value))
        snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
    else if (json_is_real(value) && isfinite(json_real_value(value)))
        snprintf(number, sizeof number, "%.17g", json_real_value(value));
    else
        return NULL;
    return form_add(form, name, strlen(name), text, strlen(text), false);
}

static const char *json_fields(struct http_form *form)
{
    const char *wrong = json_check(form->json, 0), *name;
    json_t *value, *member;
    json_object_foreach(form->json, name, value)
    {
        if (!wrong && !json_is_array(value))
            wrong = scalar_add(form, name, value);
        size_t i;
        json_array_foreach(value, i, member) wrong = wrong ? wrong : scalar_add(form, name, member);
    }
    return wrong;
}

static const char *json_body(struct http_form *form, const char *bytes, size_t len)
{
    form->json = json_loadb(bytes, len, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(form->json))
        return "The body of the request is not a JSON object.";
    return json_fields(form);
}

/* ---- all of it ---- */

static bool type_is(const char *content_type, const char *name)
{
    size_t len = strlen(name);
    return strncasecmp(content_type, name, len) == 0 &&
           (content_type[len] == '\0' || strchr("; \t", content_type[len]));
}

static const char *body_parse(struct http_form *form, const char *content_type, const char *bytes,
                              size_t len)
{
    if (!content_type)
        content_type = "";
    if (type_is(content_type, "application/x-www-form-urlencoded"))
        return urlencoded(form, bytes, len);
    if (type_is(content_type, "application/json"))
        return json_body(form, bytes, len);
    if (type_is(content_type, "multipart/form-data"))
        return form_multipart(form, content_type, bytes, len);
    return len == 0 ? NULL
                    : "The body of the request is no form and no JSON (see its Content-Type).";
}

struct http_form *form_parse(const char *content_type, const char *bytes, size_t len,
                             const char **why)
{
    struct http_form *form = shep_alloc(sizeof *form);
    const char *wrong = body_parse(form, content_type, bytes ? bytes : "", bytes ? len : 0);
    if (!wrong)
        return form;
    *why = wrong;
    http_form_free(form);
    return NULL;
}

void http_form_free(struct http_form *form)
{
    if (!form)
        return;
    for (size_t i = 0; i < form->n; i++) {
        /* it may be a password: what is freed is not left lying about */
        explicit_bzero(form->fields[i].bytes, form->fields[i].len);
        free(form->fields[i].name);
        free(form->fields[i].bytes);
    }
    json_decref(form->json);
    free(form);
}

/* ---- what handlers ask ---- */

static const struct form_field *field_find(const struct http_form *form, const char *name,
                                           size_t nth)
{
    for (size_t i = 0; i < form->n; i++)
        if (strcmp(form->fields[i].name, name) == 0 && nth-- == 0)
            return &form->fields[i];
    return NULL;
}

const char *http_form_nth(const struct http_form *form, const char *name, size_t nth)
{
    const struct form_field *field = field_find(form, name, nth);
    return field && !field->is_file ? field->bytes : NULL;
}

const char *http_form_get(const struct http_form *form, const char *name)
{
    return http_form_nth(form, name, 0);
}

const char *http_form_bytes(const struct http_form *form, const char *name, size_t *len_out)
{
    const struct form_field *field = field_find(form, name, 0);
    *len_out = field ? field->len : 0;
    return field ? field->bytes : NULL;
}

const json_t *http_form_json(const struct http_form *form)
{
    if (form->json)
        return form->json;
    json_t *json = json_object();
    for (size_t i = 0; i < form->n; i++) {
        const struct form_field *field = &form->fields[i];
        if (!field->is_file && !json_object_get(json, field->name))
            json_object_set_new(json, field->name, json_stringn(field->bytes, field->len));
    }
    ((struct http_form *)form)->json = json; /* made once, on the thread that holds the form */
    return json;
}
