-- ends: killed
-- One call of a C function that backtracks for years: no hook can stop it.
local text = ("a"):rep(30)
return tostring(text:find(("a?"):rep(30) .. ("a"):rep(30) .. "b"))
