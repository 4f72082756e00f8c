-- ends: killed
return tostring((("a"):rep(200000)):find(".-.-.-b"))
