-- ends: ok
local function set() undeclared = 1 end -- luacheck: ignore
local ok, why = pcall(set)
assert(not ok and why:find('global "undeclared" cannot be set', 1, true))
assert(not pcall(function() print = nil end)) -- luacheck: ignore
assert(not pcall(function() shepherd.herd = nil end)) -- luacheck: ignore
assert(not pcall(setmetatable, _G, {}))
assert(not pcall(setmetatable, shepherd, {}))
assert(getmetatable(_G) == false and getmetatable(html.raw("")) == false)
return "ok"
