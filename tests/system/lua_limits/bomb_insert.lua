-- ends: killed
-- Moves nothing up by one, a quadrillion times.
table.insert(setmetatable({}, { __len = function() return 1000000000000000 end }), 1, 1)
