-- ends: hook
-- A hook that only raises is swallowed by each pcall.
local function loop() while true do end end
while true do pcall(loop) end
