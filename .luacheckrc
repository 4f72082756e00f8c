-- luacheck . : what the script process gives to Lua beside the language (core/script/worker/sandbox.c).
std = "lua54"
max_line_length = 120
exclude_files = { "**/node_modules", "build*" }
read_globals = { "shepherd", "sorted_pairs" }

-- Data files: assignments that the daemon reads.
files["config/shepherd.lua"].allow_defined = true
files["**/flock.lua"].globals = { "miners" }
