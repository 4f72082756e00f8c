-- ends: ok
getmetatable("").__gc = function() while true do end end
return ("ok"):lower()
