-- What the classic NerdMiner's screens say, in its own number formats. nil is "–", never 0.
--
--   local device = require "partials.nerdminer.device"
--   local figures = device.figures(miner)     -- nil: the whole herd
local device = {}

local UNKNOWN = "–"
local COINS_PER_BLOCK = 5000000000 -- satoshi in a block of the first era
local BLOCKS_PER_ERA = 210000
local SATS = 100000000

local function known(value)
    return type(value) == "number" and value == value and math.abs(value) < 1e30
end

-- 99.99, 999.9, 9999: the decimals of its hash rate
local function by_size(value)
    if value > 999.94 then return ("%.0f"):format(value) end
    if value > 99.994 then return ("%.1f"):format(value) end
    return ("%.2f"):format(value)
end

--- Hash rate in H/s → "78.50", "KH/s". The device counts in KH/s to 9999; a herd may do more, then
-- the unit takes the next step and the four digits stay.
function device.hashrate(hps)
    if not known(hps) then return UNKNOWN, "KH/s" end
    local value = hps / 1000
    for _, unit in ipairs { "KH/s", "MH/s", "GH/s", "TH/s", "PH/s" } do
        if value < 9999.5 then return by_size(value), unit end
        value = value / 1000
    end
    return by_size(value), "EH/s"
end

--- A difficulty as its suffix_string() writes it: "0.0123", "812.40", "12.34K", "123.4M".
function device.suffix(value)
    if not known(value) then return UNKNOWN end
    if value < 0.001 then value = 0 end
    local step = ""
    for _, next_step in ipairs { "K", "M", "G", "T", "P", "E" } do
        if value < 1000 then break end
        value, step = value / 1000, next_step
    end
    local decimals = value > 99.999 and 2 or value > 9.999 and 3 or 4
    if step ~= "" then decimals = decimals - 1 end
    return ("%." .. decimals .. "f%s"):format(value, step)
end

--- Seconds → "1  02:03:04".
function device.uptime(seconds)
    if not known(seconds) or seconds < 0 then return UNKNOWN end
    local s = math.floor(seconds)
    return ("%d  %02d:%02d:%02d"):format(s // 86400, s % 86400 // 3600, s % 3600 // 60, s % 60)
end

--- A whole number without separators: "871234".
function device.whole(value)
    return known(value) and ("%.0f"):format(value) or UNKNOWN
end

--- Million hashes, as it counts them: whole ones, the rest is cut off.
function device.million(hashes)
    return known(hashes) and ("%.0f"):format(math.floor(hashes / 1e6)) or UNKNOWN
end

local SYMBOLS = { USD = "$", EUR = "€", GBP = "£" }

--- What one bitcoin costs, and in which money: the fact "price" has it in the currency that is set,
-- and in USD. nil when it is not known.
function device.quote(price)
    local amount = price and (price.price or price.price_usd)
    if not known(amount) then return nil, "USD" end
    return amount, price.price and price.currency and price.currency:upper() or "USD"
end

--- An amount with the sign of its money: "$68432", "61000 CHF".
local function money(text, currency)
    return SYMBOLS[currency] and SYMBOLS[currency] .. text or text .. " " .. currency
end

--- "$68432", as on the device: whole, without separators.
function device.price(price)
    local amount, currency = device.quote(price)
    return amount and money(("%.0f"):format(amount), currency) or UNKNOWN
end

--- "$68432.40", as in the grid.
function device.price_exact(price)
    local amount, currency = device.quote(price)
    return amount and money(("%.2f"):format(amount), currency) or UNKNOWN
end

--- Difficulty of the network → "126.27T".
function device.network_difficulty(value)
    if not known(value) then return UNKNOWN end
    local step = 1
    local steps = { "", "K", "M", "G", "T", "P", "E" }
    while value >= 1000 and step < #steps do value, step = value / 1000, step + 1 end
    return ("%.2f%s"):format(value, steps[step])
end

--- Hash rate of the world in H/s → "812.55", in EH/s.
function device.exahash(hps)
    return known(hps) and by_size(hps / 1e18) or UNKNOWN
end

--- How many bitcoins there are after the block of this height. The subsidy is 50 BTC, halved every
-- 210,000 blocks and rounded down to a satoshi; heights begin at 0. Supply = Σ over the whole eras of
-- 210,000 · subsidy, plus the blocks of this era so far · its subsidy.
-- @return BTC, or nil
function device.supply(height)
    if not known(height) or height < 0 then return nil end
    local blocks = math.floor(height) + 1
    local sats, subsidy = 0, COINS_PER_BLOCK
    while blocks > 0 and subsidy > 0 do
        local era = math.min(blocks, BLOCKS_PER_ERA)
        sats = sats + era * subsidy
        blocks, subsidy = blocks - era, subsidy // 2
    end
    return sats / SATS
end

--- What one unit of money buys → "1471 sats".
function device.sats_for_one(price)
    local amount = device.quote(price)
    return amount and amount > 0 and ("%.0f sats"):format(SATS / amount) or UNKNOWN
end

--- Price × supply → "$1.35T".
function device.market_cap(price, height)
    local supply = device.supply(height)
    local amount, currency = device.quote(price)
    if not supply or not amount then return UNKNOWN end
    local cap = amount * supply
    local steps, step = { "", "K", "M", "B", "T", "Q" }, 1
    while cap >= 1000 and step < #steps do cap, step = cap / 1000, step + 1 end
    return money(("%.2f%s"):format(cap, steps[step]), currency)
end

-- ---- figures ------------------------------------------------------------------------------------

local function reports(miner)
    return miner.status == "online" or miner.status == "idle"
end

local function sum(miners, name)
    local total
    for _, miner in ipairs(miners) do
        if miner[name] then total = (total or 0) + miner[name] end
    end
    return total
end

local function most(miners, name)
    local top
    for _, miner in ipairs(miners) do
        if miner[name] and (not top or miner[name] > top) then top = miner[name] end
    end
    return top
end

-- The one that mines longest: the earliest start, whenever it said so.
local function longest(miners)
    local first, first_start
    for _, miner in ipairs(miners) do
        if miner.uptime and miner.at.uptime then
            local start = miner.at.uptime - miner.uptime * 1000
            if not first or start < first_start then first, first_start = miner, start end
        end
    end
    return first
end

local SETUP_NETWORK = "NerdMinerAP"    -- unless it was flashed with a name of its own: then it says it
local SETUP_PASSWORD = "MineYourCoins" -- every one of them has this

--- The Wi-Fi that a miner opens for its set-up.
-- @param only this miner; nil: the first that waits
-- @return { name (nil: none waits), more = how many others wait, network, password }
function device.setup(only)
    local waiting = {}
    for _, miner in ipairs(only and { only } or shepherd.herd().miners) do
        if miner.state == "wifi setup" and miner.status ~= "offline" then waiting[#waiting + 1] = miner end
    end
    local first = waiting[1]
    local said = first and (first.error or ""):match("join the network (.+)$")
    return {
        name = first and first.name,
        more = math.max(0, #waiting - 1),
        network = said or SETUP_NETWORK,
        password = SETUP_PASSWORD,
    }
end

--- The three figures of the strip: those that the device asks its pool for, here of the whole herd.
function device.herd_figures()
    local totals = shepherd.herd().totals
    local hashrate, unit = device.hashrate(totals.hashrate)
    return {
        best = device.suffix(totals.best_difficulty_ever or totals.best_difficulty),
        workers = device.whole(totals.reporting_miners),
        hashrate = hashrate,
        unit = unit,
    }
end

--- What the screens show. Of the herd only who reports counts, as in the totals.
-- @param miner one of shepherd.herd().miners; nil for all of them
function device.figures(miner)
    local herd = shepherd.herd()
    local counted = {}
    if miner then
        counted[1] = miner
    else
        for _, each in ipairs(herd.miners) do
            if reports(each) then counted[#counted + 1] = each end
        end
    end
    local oldest = longest(counted)
    return {
        name = miner and miner.name,
        status = miner and miner.status,
        online = herd.totals.online_miners,
        total = herd.totals.total_miners,
        hashrate = sum(counted, "hashrate"),
        templates = sum(counted, "block_templates"),
        best = most(counted, "best_difficulty"),
        shares = sum(counted, "shares_32bit"),
        valid = sum(counted, "valid_blocks"),
        hashes = sum(counted, "hashes_total"),
        temperature = most(counted, "temperature"),
        uptime = oldest and oldest.uptime,
        uptime_at_ms = oldest and oldest.at.uptime,
        uptime_moves = oldest ~= nil and reports(oldest),
    }
end

return device
