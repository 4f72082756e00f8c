-- ends: hook
local function loop() while true do end end
do local guard <close> = setmetatable({}, { __close = loop }) end
