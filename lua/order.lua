-- The order of things.
local order = {}

--- A key by which names are sorted as people expect it: BARN-2 comes before BARN-10. Keys are compared as texts.
-- @param text a name
-- @return text; equal for names that differ only in large and small letters or in zeros before a number
function order.natural(text)
    return (text:lower():gsub("%d+", function(digits)
        local value = digits:match("^0*(.*)$")
        return ("%03d"):format(#value) .. value
    end))
end

--- The same values, the last one first.
-- @param values list
-- @return a new list
function order.reversed(values)
    local out = {}
    for i = #values, 1, -1 do out[#out + 1] = values[i] end
    return out
end

return order
