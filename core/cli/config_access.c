/* The table `access` of the configuration: what who has not logged in may do. */
#include "cli/config.h"

static const char *const keys_known[] = {"loopback", "lan"};

struct allowed {
    const char *const *roles;
    size_t n;
    const char *what;
};
static const char *const local_roles[] = {"none", "viewer", "operator", "admin"};
static const char *const lan_roles[] = {"none", "viewer"};

static enum access_role take_role(struct checker *checker, const json_t *table, const char *key,
                                  const struct allowed *allowed, enum access_role dflt)
{
    char where[32];
    const json_t *value = json_object_get(table, key);
    const char *name = json_string_value(value);
    if (!value)
        return dflt;
    snprintf(where, sizeof where, "access.%s", key);
    if (!name) {
        config_mistakef(checker, where, "must be a text: %s", allowed->what);
        return dflt;
    }
    char what[96];
    snprintf(what, sizeof what, "role; here it is %s", allowed->what);
    if (!config_name_check(checker, where, what, name, allowed->roles, allowed->n))
        return dflt;
    return (enum access_role)access_role_by_name(name);
}

void check_access(struct checker *checker, const json_t *access, struct config *out)
{
    static const struct allowed local = {local_roles, ARRAY_LEN(local_roles),
                                         "none, viewer, operator or admin"};
    static const struct allowed lan = {lan_roles, ARRAY_LEN(lan_roles),
                                       "none or viewer (others log in)"};
    bool empty = json_is_array(access) && json_array_size(access) == 0; /* {} */
    if (access && !json_is_object(access) && !empty)
        config_mistake("access", "must be a table: { loopback = \"operator\", lan = \"none\" }",
                       checker);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)access, key, value)
    {
        char where[80];
        snprintf(where, sizeof where, "access.%.60s", key);
        config_name_check(checker, where, "key", key, keys_known, ARRAY_LEN(keys_known));
    }
    out->loopback_role = take_role(checker, access, "loopback", &local, ROLE_OPERATOR);
    out->lan_role = take_role(checker, access, "lan", &lan, ROLE_NONE);
}
