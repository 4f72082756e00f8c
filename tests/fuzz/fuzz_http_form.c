// sources: core/http/form.c core/http/form_multipart.c core/http/wire.c core/util/*.c
// link: PkgConfig::JANSSON
// options: -max_len=8192

/* Any bytes as the body of a form of any type: the first line is its Content-Type. What passes
 * keeps the promises of form.h. */
#include "http/form.h"
#include "http/http.h"
#include "http/wire.h"

#include <stdlib.h>
#include <string.h>

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_field(const struct http_form *form, const struct form_field *field)
{
    size_t len;
    check(field->name[0] && strlen(field->name) <= FORM_NAME_MAX);
    check(wire_text_ok(field->name, strlen(field->name), false));
    check(field->bytes[field->len] == '\0');
    check(field->is_file || wire_text_ok(field->bytes, field->len, true));
    check(http_form_bytes(form, field->name, &len) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = memchr(data, '\n', size);
    size_t type_len = end ? (size_t)(end - data) : 0, skip = end ? type_len + 1 : 0;
    char *type = shep_strndup((const char *)data, type_len);
    char *body = malloc(size - skip + 1); /* one more: malloc(0) may be NULL */
    const char *why = NULL;
    check(body != NULL);
    memcpy(body, data + skip, size - skip);
    struct http_form *form = form_parse(type, body, size - skip, &why);
    check((form == NULL) == (why != NULL));
    for (size_t i = 0; form && i < form->n; i++)
        check_field(form, &form->fields[i]);
    check(!form || json_is_object(http_form_json(form)));
    http_form_free(form);
    free(body);
    free(type);
    return 0;
}
