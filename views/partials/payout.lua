-- The alarms of the payout guard: miners that say another pool or address than the one expected.
local json = require "json"

local payout = {}

local function known(value)
    if value == json.null or value == "" then return nil end
    return value
end

-- What is different, address before pool: an address is where the money goes.
local function difference(alarm, what)
    local expected, said = known(alarm["expected_" .. what]), known(alarm[what])
    if expected and said and expected ~= said then return { what = what, expected = expected, said = said } end
    return nil
end

--- All of them, the oldest first: { miner_id, miner, since_ms, differences = { { what = "address", expected, said } } }.
function payout.alarms()
    local out = {}
    for _, alarm in ipairs((shepherd.facts("payout") or {}).alarms or {}) do
        local row = {
            miner_id = known(alarm.miner_id), miner = known(alarm.miner) or "?", since_ms = known(alarm.since_ms),
            differences = {},
        }
        for _, what in ipairs { "address", "pool" } do
            row.differences[#row.differences + 1] = difference(alarm, what)
        end
        out[#out + 1] = row
    end
    table.sort(out, function(a, b)
        if a.since_ms ~= b.since_ms then return (a.since_ms or 0) < (b.since_ms or 0) end
        return a.miner < b.miner
    end)
    return out
end

--- How many there are in all; beyond a bound not each is listed.
function payout.total()
    local fact = shepherd.facts("payout") or {}
    return fact.total or #(fact.alarms or {})
end

local by_id

--- The alarm of a miner, or nil.
function payout.of(miner_id)
    if not by_id then
        by_id = {}
        for _, alarm in ipairs(payout.alarms()) do by_id[alarm.miner_id or 0] = alarm end
    end
    return by_id[miner_id]
end

--- A text shortened in the middle: both ends are what people compare. Pools keep more of it.
function payout.shorten(text)
    local length = utf8.len(text)
    if not length or length <= 24 then return text end
    return text:sub(1, utf8.offset(text, 11) - 1) .. "…" .. text:sub(utf8.offset(text, -8))
end

return payout
