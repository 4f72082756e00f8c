-- ends: error needs more than 24 MiB
local keep = {}
for i = 1, 1000 do keep[i] = table.concat({ ("x"):rep(100000), i }) end
