-- ends: error needs more than 24 MiB
local text = ("a"):rep(1000000)
return text:gsub("a", ("b"):rep(1000))
