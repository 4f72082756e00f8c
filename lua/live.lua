-- Parts of a page that travel alone when only they changed.
local _, core = ...

local live = {}

--- A keyed part: one element, which the browser gets alone when nothing but such parts changed.
-- It is given the attribute data-key when it has none. Rows do not nest, and each key is there once.
--
--     <% for _, m in ipairs(herd.miners) do live.row(m.id, function() %>
--     <tr><td><%= m.name %></td></tr>
--     <% end) end %>
--
--     <%- live.row("totals", function() return include("partials/totals", { … }) end) %>
--
-- @param key     text or number, the same for the same thing from page to page
-- @param content the element's HTML (text or html.raw), or a function that prints or returns it
-- @return the row for `<%- … %>`; nothing when the function printed it
function live.row(key, content)
    key = tostring(key)
    core.begin_row(key)
    if type(content) ~= "function" then return core.end_row(key, tostring(content)) end
    core.push()
    local result = content()
    local printed = core.pop()
    if result ~= nil then return core.end_row(key, tostring(printed) .. tostring(result)) end
    core.print_raw(core.end_row(key, tostring(printed)))
end

return live
