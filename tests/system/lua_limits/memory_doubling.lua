-- ends: error needs more than 24 MiB
local text = "a"
while true do text = text .. text end
