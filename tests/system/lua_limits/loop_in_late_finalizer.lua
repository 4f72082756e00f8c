-- ends: ok
-- Lua looks for __gc when the metatable is set, not later.
local meta = {}
for _ = 1, 100 do setmetatable({}, meta) end
meta.__gc = function() while true do end end
for _ = 1, 20000 do local _ = {} end
return "ok"
