-- ends: killed
-- The coroutine dies in the hook with its hooks off, and then its __close runs that way: only the
-- daemon can end this.
local function loop() while true do end end
local thread = coroutine.create(function()
    local guard <close> = setmetatable({}, { __close = loop })
    loop()
end)
coroutine.resume(thread)
coroutine.close(thread)
