-- ends: ok
local chunk, why = load("\27Lua\x54\0\x19\x93\r\n\x1a\n")
assert(chunk == nil and why:find("attempt to load a binary chunk"))
assert(load("\27Lua", "x", "b") == nil)
return load("return 'ok'", "x", "b", {})()
