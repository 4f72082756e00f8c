-- ends: hook
-- Lua runs a message handler with hooks off when a hook raised.
local function loop() while true do end end
xpcall(loop, function() loop() end)
