-- ends: hook
load("while true do end")()
