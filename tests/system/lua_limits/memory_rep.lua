-- ends: error needs more than 24 MiB
return ("a"):rep(1e9)
