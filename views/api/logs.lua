-- GET /api/logs: lines of the miners, newest first.
--
--   miner    only of this one (name)
--   q        only with this text in it; A to Z as a to z
--   level    error, warning or info: lua/logs.lua says how a line comes to its level
--   after, before   only ids between these: after=<newest> brings what came since
--   from_ms  the first lines at or after that time; from_id: the first ones from that id on
--   limit    1 to 1,000; 200
--   format   "text": a text file, oldest first, at most 10,000 lines (limit counts here too)
--
-- { "lines": [ { "id", "miner_id", "miner", "at_ms", "line", "level" } ], "newest": id of the newest line of all,
--   "more": true, "next": id }
-- "more": there are further lines, older ones (newer ones with from_…), that were not looked at: because of the limit, or
-- because a search looks through some 20,000 lines at a time. Go on with before=next (from_id=next).
local json = require "json"
local logs = require "logs"

local JSON_MAX, TEXT_MAX = 1000, 10000
local LEVELS = { error = true, warning = true, info = true }

local params = shepherd.params {
    miner = "", q = "", level = "", after = "", before = "", from_ms = "", from_id = "", limit = 0, format = "",
}

local function whole(text)
    return math.tointeger(tonumber(text))
end

local function bad(message)
    shepherd.respond { status = 400 }
    return { success = false, message = message }
end

if params.level ~= "" and not LEVELS[params.level] then return bad("level is error, warning or info") end

local is_text = params.format == "text"
local most = is_text and TEXT_MAX or JSON_MAX
local usual = is_text and TEXT_MAX or 200
local found = logs.find {
    miner = params.miner,
    q = params.q,
    level = params.level,
    after = whole(params.after),
    before = whole(params.before),
    from_ms = params.from_ms ~= "" and logs.time_ms(params.from_ms) or nil,
    from_id = whole(params.from_id),
    limit = math.min(params.limit > 0 and params.limit or usual, most),
    bytes = is_text and 3000000 or nil,
}

if is_text then
    shepherd.respond { type = "text/plain; charset=utf-8" }
    return logs.text(found.lines)
end
return {
    lines = json.array(found.lines),
    newest = json.or_null(found.newest),
    more = found.more,
    next = json.or_null(found.next),
}
