-- ends: hook
-- The program itself asks for the text of what a view returns.
return setmetatable({}, { __tostring = function() while true do end end })
