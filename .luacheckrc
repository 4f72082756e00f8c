-- luacheck's knowledge of our Lua: views and the library run in Lua 5.4 with a few globals of our own (lua/README.md).
std = "lua54"
max_line_length = 140
codes = true

local view_globals = {
    "shepherd", "html", "format", "json", "live", "include", "layout", "sorted_pairs", "t",
}

files["lua/*.lua"] = { read_globals = view_globals }
files["lua/locale"] = { max_line_length = false } -- one line a text
files["views"] = { read_globals = view_globals }
-- The configuration is nothing but assignments to globals.
files["config/*.lua"] = { allow_defined_top = true, ignore = { "131" } }
files["plugins/sources/replay/demo/flock.lua"] = { allow_defined_top = true, ignore = { "131" } }
-- Scripts that do what they must not.
files["tests/system/lua_limits/*.lua"] = { read_globals = view_globals, ignore = { "2..", "3..", "4..", "5..", "113", "142", "143", "122" } }
