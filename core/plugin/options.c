/* Options as data: checked against the plugin's table, looked up with its defaults. */
#include "plugin/internal.h"

#include <math.h>

enum { KNOWN_MAX = 80, OPTION_TEXT_MAX = 4096 };

const struct shep_option *option_at(const struct shep_option *table, uint32_t stride, size_t i)
{
    return (const struct shep_option *)(const void *)((const char *)table + i * stride);
}

const struct shep_option *option_find(const struct shep_option *table, uint32_t stride,
                                      const char *name)
{
    for (size_t i = 0; table; i++) {
        const struct shep_option *option = option_at(table, stride, i);
        if (!option->name)
            break;
        if (strcmp(option->name, name) == 0)
            return option;
    }
    return NULL;
}

static bool is_choice(const char *choices, const char *value)
{
    size_t len = strcspn(value, "|");
    if (value[len]) /* several of them are none */
        return false;
    for (const char *p = choices; p && *p; p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL)
        if (strncmp(p, value, len) == 0 && (p[len] == '|' || p[len] == '\0'))
            return true;
    return false;
}

/* NULL: fine. Else what is wrong, in buf. */
static const char *value_mistake(const struct shep_option *option, const json_t *value, char *buf,
                                 size_t cap)
{
    double number = json_number_value(value);
    switch (option->type) {
    case SHEP_OPT_STRING:
        if (!json_is_string(value) || json_string_length(value) > OPTION_TEXT_MAX)
            return "must be a text";
        if (option->choices && !is_choice(option->choices, json_string_value(value))) {
            snprintf(buf, cap, "must be one of %s", option->choices);
            return buf;
        }
        return NULL;
    case SHEP_OPT_BOOL:
        return json_is_boolean(value) ? NULL : "must be true or false";
    default:
        if (!json_is_number(value) || (option->type == SHEP_OPT_INT && number != floor(number)))
            return option->type == SHEP_OPT_INT ? "must be a whole number" : "must be a number";
        if (option->min < option->max && (number < option->min || number > option->max)) {
            snprintf(buf, cap, "must be from %g to %g", option->min, option->max);
            return buf;
        }
        return NULL;
    }
}

static void unknown_key(const struct shep_option *table, uint32_t stride, const char *key,
                        const char *const *also, size_t n_also, char *buf, size_t cap)
{
    const char *known[KNOWN_MAX];
    size_t n = 0;
    for (size_t i = 0; i < n_also && n < KNOWN_MAX; i++)
        known[n++] = also[i];
    for (size_t i = 0; table && n < KNOWN_MAX; i++) {
        const struct shep_option *option = option_at(table, stride, i);
        if (!option->name)
            break;
        known[n++] = option->name;
    }
    const char *near = str_nearest(key, known, n);
    if (near)
        snprintf(buf, cap, "unknown key; did you mean '%s'?", near);
    else
        snprintf(buf, cap, "unknown key");
}

void options_check(const struct shep_option *table, uint32_t stride, const json_t *values,
                   const char *where, const char *const *also, size_t n_also, plugin_mistake_fn fn,
                   void *arg)
{
    char buf[256], place[256];
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)values, key, value)
    {
        snprintf(place, sizeof place, "%s.%s", where, key);
        bool known = false;
        for (size_t i = 0; i < n_also; i++)
            known = known || strcmp(also[i], key) == 0;
        if (known)
            continue;
        const struct shep_option *option = option_find(table, stride, key);
        const char *what = buf;
        if (!option)
            unknown_key(table, stride, key, also, n_also, buf, sizeof buf);
        else
            what = value_mistake(option, value, buf, sizeof buf);
        if (what)
            fn(place, what, arg);
    }
    for (size_t i = 0; table; i++) {
        const struct shep_option *option = option_at(table, stride, i);
        if (!option->name)
            break;
        if ((option->flags & SHEP_OPT_REQUIRED) && !json_object_get(values, option->name)) {
            snprintf(place, sizeof place, "%s.%s", where, option->name);
            snprintf(buf, sizeof buf, "is missing: %s", option->help);
            fn(place, buf, arg);
        }
    }
}

/* The option and the configured value, NULL when the default counts. */
static const struct shep_option *lookup(const struct shep_option *table, uint32_t stride,
                                        const json_t *values, const char *name, uint32_t type,
                                        const json_t **value_out)
{
    const struct shep_option *option = option_find(table, stride, name);
    if (!option || option->type != type)
        return NULL;
    *value_out = json_object_get(values, name);
    return option;
}

int option_str(const struct shep_option *table, uint32_t stride, const json_t *values,
               const char *name, const char **out)
{
    const json_t *value;
    const struct shep_option *option = lookup(table, stride, values, name, SHEP_OPT_STRING, &value);
    if (!option)
        return SHEP_E_BUG;
    if (!value && !option->dflt)
        return SHEP_E_GONE;
    *out = value ? json_string_value(value) : option->dflt;
    return 0;
}

int option_int(const struct shep_option *table, uint32_t stride, const json_t *values,
               const char *name, int64_t *out)
{
    const json_t *value;
    const struct shep_option *option = lookup(table, stride, values, name, SHEP_OPT_INT, &value);
    if (!option)
        return SHEP_E_BUG;
    if (value)
        *out = (int64_t)json_number_value(value);
    else if (!option->dflt)
        return SHEP_E_GONE;
    else if (!str_to_i64(option->dflt, out))
        return SHEP_E_BUG;
    return 0;
}

int option_float(const struct shep_option *table, uint32_t stride, const json_t *values,
                 const char *name, double *out)
{
    const json_t *value;
    const struct shep_option *option = lookup(table, stride, values, name, SHEP_OPT_FLOAT, &value);
    if (!option)
        return SHEP_E_BUG;
    if (value)
        *out = json_number_value(value);
    else if (!option->dflt)
        return SHEP_E_GONE;
    else if (!str_to_f64(option->dflt, out))
        return SHEP_E_BUG;
    return 0;
}

int option_bool(const struct shep_option *table, uint32_t stride, const json_t *values,
                const char *name, int *out)
{
    const json_t *value;
    const struct shep_option *option = lookup(table, stride, values, name, SHEP_OPT_BOOL, &value);
    if (!option)
        return SHEP_E_BUG;
    if (!value && !option->dflt)
        return SHEP_E_GONE;
    *out = value ? json_is_true(value) : strcmp(option->dflt, "true") == 0;
    return 0;
}
