-- ends: hook
local function loop() while true do end end
local guard <close> = setmetatable({}, { __close = loop })
loop()
