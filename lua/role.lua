-- What the visitor may do. A page leaves out the controls that its visitor may not use; the daemon checks each request itself.
local role = {}

local RANK = { none = 0, viewer = 1, operator = 2, admin = 3 }

--- Whether the visitor has a role, or one that includes it.
--
--     <% if require("role").may("operator") then %> … <% end %>
-- @param name "viewer" looks, "operator" manages miners, pools, addresses and devices, "admin" may do everything
-- @return true or false
function role.may(name)
    local wanted = RANK[name] or error(("role.may: there is no role %q"):format(tostring(name)), 2)
    return (RANK[shepherd.request.role] or 0) >= wanted
end

return role
