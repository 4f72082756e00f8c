-- What the visitor may do. A page leaves out the controls that its visitor may not use; the daemon checks each request itself.
local locale = require "locale"

local role = {}
local t = locale.translate

local RANK = { none = 0, viewer = 1, operator = 2, admin = 3 }

--- The roles that a user or a token can have, each includes those before it.
role.all = { "viewer", "operator", "admin" }

--- Whether the visitor has a role, or one that includes it.
--
--     <% if require("role").may("operator") then %> … <% end %>
-- @param name "viewer" looks, "operator" manages miners, pools, addresses and devices, "admin" may do everything
-- @return true or false
function role.may(name)
    local wanted = RANK[name] or error(("role.may: there is no role %q"):format(tostring(name)), 2)
    return (RANK[shepherd.request.role] or 0) >= wanted
end

--- Why a page has nothing for this visitor, when it is for that of a role and those above it.
-- @param name of the role
-- @return text; nil when the visitor may
function role.missing(name)
    return not role.may(name) and t("Log in first: your session is over, or this is not for everybody.") or nil
end

local WORDS = { none = t("nobody"), viewer = t("viewer"), operator = t("operator"), admin = t("admin") }
local ABOUT = {
    viewer = t("looks; addresses are shortened"),
    operator = t("manages miners, pools, addresses and devices"),
    admin = t("everything; users, tokens, payouts and backups too"),
}

--- A role in the language of the page: "operator".
-- @param name of the role
-- @return text; a name that is none as it is
function role.word(name)
    return WORDS[name] or name
end

--- What a role may do, in words.
-- @param name of the role
-- @return text; nil for none
function role.about(name)
    return ABOUT[name]
end

--- All of them for partials/field: { { "viewer", "viewer: looks; …" }, … }.
function role.choices()
    local out = {}
    for i, name in ipairs(role.all) do out[i] = { name, ("%s: %s"):format(WORDS[name], ABOUT[name]) } end
    return out
end

return role
