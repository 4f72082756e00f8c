-- GET /api/events?miner=BARN-01&limit=100&before=ID: what happened, newest first.

local json = require "json"

local params = shepherd.params { miner = "", limit = 100, before = "" }
local events = shepherd.events {
    miner = params.miner ~= "" and params.miner or nil,
    limit = math.min(params.limit, 1000),
    before = math.tointeger(tonumber(params.before)),
}
return { events = json.array(events) }
