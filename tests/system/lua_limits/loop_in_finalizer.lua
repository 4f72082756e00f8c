-- ends: error a metatable may not have __gc
-- A finalizer would run with hooks off, even while the state is closed.
setmetatable({}, { __gc = function() while true do end end })
