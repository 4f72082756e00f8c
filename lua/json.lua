-- JSON. Keys are written sorted, so equal tables give equal bytes.
local _, core = ...

local json = {}

--- Value → text. NaN and infinity become null; an empty table is {} unless json.array made it.
-- @function json.encode
-- @param value   nil, boolean, number, text, list or table with names
-- @param options { indent = 2 } for people
json.encode = core.json_encode

--- Text → value; nil and a message when it is no JSON. null becomes json.null.
-- @function json.decode
json.decode = core.json_decode

--- Mark a table as a list, so that it is [] when it is empty. Returns it.
-- @function json.array
-- @param list table, or nothing for a new one
json.array = core.json_array

--- null: for a field that shall be there although it is not known. It prints as nothing.
json.null = core.json_null

--- The value, or json.null when it is nil.
-- @param value anything
function json.or_null(value)
    if value == nil then return json.null end
    return value
end

return json
