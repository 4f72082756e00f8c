-- GET /api/history?metric=hashrate&miner=BARN-01&range=24h: history for a chart, in columns; without a
-- miner, of the herd. A point for every period of the range; null where nobody said anything.
-- Of a counter (kind) avg is the growth within the period.

local chart = require "chart"
local json = require "json"

local params = shepherd.params { metric = "hashrate", miner = "", range = "24h" }
local data, problem = chart.data {
    metric = params.metric,
    miner = params.miner ~= "" and params.miner or nil,
    range = params.range,
}
if not data then
    shepherd.respond { status = 404 }
    return { success = false, message = problem }
end
data.miner = json.or_null(params.miner ~= "" and params.miner or nil)
return data
