/* What a role may see. Nobody: only what the page of the login needs. A viewer: everything, but an
 * address of a coin is shortened wherever it comes from, in lines of logs too. Operators and
 * admins: all of it; settings of access and the audit are for admins. */
#include "script/worker/worker.h"

#include "coin/coin.h"

#include <ctype.h>
#include <strings.h>

enum { WALLET_MIN = 20 }; /* shorter user names of a pool are names, not addresses */

enum sight role_sight(const char *role)
{
    static const struct {
        const char *role;
        enum sight sight;
    } sights[] = {{"viewer", SIGHT_SHORT}, {"operator", SIGHT_WHOLE}, {"admin", SIGHT_ADMIN}};
    for (size_t i = 0; i < ARRAY_LEN(sights); i++)
        if (strcmp(sights[i].role, role) == 0)
            return sights[i].sight;
    return SIGHT_NOTHING;
}

/* A name under which an address is kept: of coins whose form we do not know, too. */
static bool names_wallet(const char *name)
{
    return name && (strcasestr(name, "wallet") || strcasestr(name, "address"));
}

static bool like_wallet(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)text[i]))
            return false;
    return len >= WALLET_MIN;
}

static void add_short(luaL_Buffer *out, const char *address, size_t len)
{
    char text[64];
    coin_address_shorten(address, len, text, sizeof text);
    luaL_addstring(out, text);
}

void role_push_text(lua_State *L, const char *name, const char *text, size_t len)
{
    size_t at, address_len, from = 0;
    if (render_of(L)->sight >= SIGHT_WHOLE) {
        lua_pushlstring(L, text, len);
        return;
    }
    bool found = coin_address_find(text, len, 0, &at, &address_len);
    bool whole = !found && names_wallet(name) && like_wallet(text, len);
    if (!found && !whole) {
        lua_pushlstring(L, text, len);
        return;
    }
    luaL_Buffer out;
    luaL_buffinit(L, &out);
    if (whole)
        add_short(&out, text, len);
    for (; !whole && found; found = coin_address_find(text, len, from, &at, &address_len)) {
        luaL_addlstring(&out, text + from, at - from);
        add_short(&out, text + at, address_len);
        from = at + address_len;
    }
    if (!whole)
        luaL_addlstring(&out, text + from, len - from);
    luaL_pushresult(&out);
}

/* The table on top, of shepherd.config(): what this role has no business with is taken out. */
void role_trim_config(lua_State *L, const json_t *config)
{
    static const char *const for_nobody[] = {"access", "display", "demo"};
    enum sight sight = render_of(L)->sight;
    if (sight == SIGHT_ADMIN)
        return;
    if (sight == SIGHT_NOTHING) {
        lua_createtable(L, 0, ARRAY_LEN(for_nobody));
        for (size_t i = 0; i < ARRAY_LEN(for_nobody); i++) {
            lua_getfield(L, -2, for_nobody[i]);
            lua_setfield(L, -2, for_nobody[i]);
        }
        lua_remove(L, -2);
    }
    const json_t *access = json_object_get(config, "access");
    if (!access)
        return;
    lua_createtable(L, 0, 1);
    lua_pushboolean(L, json_is_true(json_object_get(access, "has_admin")));
    lua_setfield(L, -2, "has_admin");
    lua_setfield(L, -2, "access");
}
