-- ends: killed
-- Nothing, 9 quintillion times.
return ("").rep("", math.maxinteger)
