-- ends: error raised an error that is a table
-- Nobody calls the __tostring of an error value.
error(setmetatable({}, { __tostring = function() while true do end end }))
