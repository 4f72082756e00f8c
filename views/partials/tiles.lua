-- The miners of /dash/health in order, and one tile of it.
local format = require "format"
local html = require "html"
local payout = require "partials.payout"
local order = require "order"
local sentence = require "sentence"
local shapes = require "partials.shapes"

local tiles = {}

--- From what is wrong to what is well.
tiles.statuses = { "offline", "silent", "resetting", "idle", "online" }
tiles.words = { online = t("online"), idle = t("idle"), silent = t("silent"), resetting = t("resetting"),
                offline = t("offline") }

local SINCE = { silent = t("silent since"), offline = t("offline since") }
local LABEL_CELLS = 2 -- the name of a group takes the room of so many tiles
-- Steps of style/health.css: tiles are made for the next one up.
local STEPS = { 1, 2, 3, 4, 6, 8, 10, 12, 15, 18, 21, 24, 28, 32, 36, 40, 50, 60, 70, 80, 100, 120, 150, 180, 220, 260,
                300, 350, 400, 450, 500, 600, 800, 1000, 1500, 2000 }

local rank = {}
for i, status in ipairs(tiles.statuses) do rank[status] = i end

-- ---- order -----------------------------------------------------------------------------------

-- Sorts in place, by name or what is wrong first.
local function sort(miners, trouble_first)
    local keys = {}
    for _, miner in ipairs(miners) do
        keys[miner] = (trouble_first and rank[miner.status] or 0) .. order.natural(miner.name)
    end
    table.sort(miners, function(a, b)
        if keys[a] ~= keys[b] then return keys[a] < keys[b] end
        return a.id < b.id
    end)
end

--- A list of { name = group or nil, miners = … }; those without a group come last.
-- @param by "status": groups, in each what is wrong first; "name": one list; "group": groups, in each by name
function tiles.sections(miners, by)
    local groups, names, rest = {}, {}, {}
    for _, miner in ipairs(miners) do
        local group = by ~= "name" and miner.group
        if group and not groups[group] then
            groups[group] = {}
            names[#names + 1] = group
        end
        local list = group and groups[group] or rest
        list[#list + 1] = miner
    end
    table.sort(names)
    local sections = {}
    for i, name in ipairs(names) do sections[i] = { name = name, miners = groups[name] } end
    if #rest > 0 then sections[#sections + 1] = { name = #names > 0 and t("Others") or nil, miners = rest } end
    for _, section in ipairs(sections) do sort(section.miners, by == "status") end
    return sections
end

--- The step of the style sheet that has room for all of them.
function tiles.step(sections)
    local cells = 0
    for _, section in ipairs(sections) do
        cells = cells + #section.miners + (section.name and LABEL_CELLS or 0)
    end
    for _, size in ipairs(STEPS) do
        if cells <= size then return size end
    end
    return STEPS[#STEPS]
end

--- { offline = 2, online = 6 }
function tiles.count(miners)
    local count = {}
    for _, miner in ipairs(miners) do count[miner.status] = (count[miner.status] or 0) + 1 end
    return count
end

-- ---- one tile --------------------------------------------------------------------------------

--- All shapes once; tiles.shape refers to them.
function tiles.symbols()
    local out = {}
    for i, status in ipairs(tiles.statuses) do
        out[i] = ('<symbol id="shape-%s" viewBox="0 0 12 12">%s</symbol>'):format(status, shapes[status])
    end
    return html.raw(table.concat(out))
end

function tiles.shape(status)
    return ('<svg><use href="#shape-%s"/></svg>'):format(rank[status] and status or "silent")
end

-- BARN-01: what stands before the last - . or _ is left out where there is no room.
local function name_html(name)
    local before, rest = name:match("^(.*[-._])([^-._]+)$")
    if not before then before, rest = "", name end
    return ('<b><span class="pre">%s</span><span class="rest">%s</span></b>'):format(
        html.escape(before), html.escape(rest))
end

-- Four digits, so that tiles side by side compare: 184.0, 53.57
local function steady(number)
    local digits = select(2, number:gsub("%d", ""))
    if digits == 0 or digits >= 4 then return number end
    return number .. (number:find(".", 1, true) and "" or ".") .. ("0"):rep(4 - digits)
end

-- For a miner that is gone: since when, to be read, and how long ago, to be seen.
local function gone(miner)
    local seen_ms = miner.last_seen_ms or 0
    local iso = format.iso(seen_ms > 0 and seen_ms or miner.status_at_ms)
    local read = ('%s <time datetime="%s" data-local="date">%s</time>'):format(html.escape(SINCE[miner.status]), iso, iso)
    if seen_ms <= 0 then return read, html.escape(tiles.words[miner.status]) end
    return read, ('<time datetime="%s" data-age="short">%s</time>'):format(iso, iso)
end

-- For one that is there: its hash rate, or that it has none.
local function here(miner)
    local word = html.escape(tiles.words[miner.status] or miner.status)
    if miner.status == "resetting" or not miner.hashrate then return word, word end
    local number, unit = format.hashrate_parts(miner.hashrate)
    return ("%s, %s %s"):format(word, number, unit), ('%s<span class="unit">%s</span>'):format(steady(number), unit)
end

local function more(miner)
    if SINCE[miner.status] then return html.escape(sentence.say(miner.why) or "") end
    local list = {}
    if miner.temperature then list[#list + 1] = format.temperature(miner.temperature) end
    if miner.shares_accepted then list[#list + 1] = t("%s shares", format.number(miner.shares_accepted)) end
    if miner.best_difficulty then list[#list + 1] = t("best %s", format.difficulty(miner.best_difficulty)) end
    return html.escape(table.concat(list, " · "))
end

local TILE = '<li id="m%d" class="tile is-%s%s" data-status="%s"><a href="/details/miner/%d"><span class="sr-only">%s, %s</span>'
    .. '<span class="face" aria-hidden="true">%s%s<span class="state">%s</span>%s</span></a></li>'

--- One miner: a text to be read, "BARN-01, offline since …", and a face to be seen.
-- @param with_details a line of further figures, or why it is gone
function tiles.tile(miner, with_details)
    local read, seen
    if SINCE[miner.status] then read, seen = gone(miner) else read, seen = here(miner) end
    local line = with_details and ('<span class="more">%s</span>'):format(more(miner)) or ""
    local alarm = payout.of(miner.id)
    if alarm then
        local words = html.escape(t("Payout changed"))
        read, line = read .. ", " .. words, ('<span class="more tile-alarm">▲ %s</span>'):format(words)
    end
    return TILE:format(miner.id, miner.status, alarm and " has-alarm" or "", miner.status, miner.id, html.escape(miner.name), read,
        tiles.shape(miner.status), name_html(miner.name), seen, line)
end

return tiles
