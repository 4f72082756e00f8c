#include "access/access.h"

static const char *const names[] = {"none", "viewer", "operator", "admin"};

const char *access_role_name(enum access_role role)
{
    return (size_t)role < ARRAY_LEN(names) ? names[role] : names[ROLE_NONE];
}

int access_role_by_name(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq(name, names[i]))
            return (int)i;
    return -1;
}
