-- GET /api/sparks: the small charts of the miners on one page of the table of the flock, { "7": "<svg …>" }. It takes the
-- parameters of that page. Not in the page itself, because they move slowly and cost much: flock.js asks now and then.
local flock = require "partials.flock"
local chart = require "chart"

local params = shepherd.params(flock.params)
local entries = flock.sort(flock.filter(shepherd.herd().miners, params), params)
local first, last = flock.page_of(#entries, params.page)

local ids = {}
for i = first, last do ids[#ids + 1] = entries[i].miner.id end
local out = {}
if #ids > 0 then
    for id, spark in pairs(chart.sparks { metric = "hashrate", range = "24h", miners = ids }) do
        out[tostring(id)] = tostring(spark)
    end
end
return out
