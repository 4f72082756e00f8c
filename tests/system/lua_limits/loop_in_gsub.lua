-- ends: hook
(("a"):rep(10)):gsub("a", function() while true do end end)
