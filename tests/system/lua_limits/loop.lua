-- ends: hook
while true do end
