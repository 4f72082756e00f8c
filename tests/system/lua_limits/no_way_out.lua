-- ends: ok
assert(debug == nil and io == nil and package == nil and dofile == nil and loadfile == nil)
assert(os.execute == nil and os.exit == nil and os.getenv == nil and os.remove == nil)
assert(os.rename == nil and os.tmpname == nil and os.setlocale == nil and string.dump == nil)
assert(not pcall(collectgarbage, "stop") and collectgarbage("count") > 0)
return "ok"
