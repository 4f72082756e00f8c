-- ends: hook
::again:: goto again
