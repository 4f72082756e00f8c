-- The lottery, in honest words. A hash is a block with a chance of 1 in 2^32 times the difficulty.
local format = require "format"
local locale = require "locale"

local odds = {}
local t = locale.translate

local HASHES = 2.0 ^ 32
local SMALL = 1e-6 -- below this 1 - exp(-x) loses its digits, and x is as good

--- How probable it is to find at least one block.
-- @param hashrate   H/s
-- @param difficulty of the network
-- @param seconds    how long; a day
-- @return 0 to 1, or nil when something is not known
function odds.of_block(hashrate, difficulty, seconds)
    if not hashrate or not difficulty or hashrate <= 0 or difficulty <= 0 then return nil end
    local expected = hashrate * (seconds or 86400) / (HASHES * difficulty)
    return expected < SMALL and expected or 1 - math.exp(-expected)
end

local WORDS = {
    { 1e12, function(n) return t("%s trillion", n) end },
    { 1e9, function(n) return t("%s billion", n) end },
    { 1e6, function(n) return t("%s million", n) end },
}

-- Two digits: nobody needs to know the chance better.
local function rounded(value)
    return format.number(value, value < 10 and 1 or 0)
end

--- A large number in words: 5.4e9 → "5.4 billion"; below a million "123,456".
function odds.words(value)
    if value >= 1e15 then return ("%.1e"):format(value) end
    for _, each in ipairs(WORDS) do
        if value >= each[1] * 0.9995 then return each[2](rounded(value / each[1])) end
    end
    return format.number(value, value < 10 and 1 or 0)
end

--- A probability as "1 in 5.4 billion"; nil is "–".
function odds.text(probability)
    if not probability then return "–" end
    return t("1 in %s", odds.words(1 / probability))
end

return odds
