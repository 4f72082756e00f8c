-- The table of the flock: which columns there are, who is shown, in which order, and the links that
-- change it. All of it stands in the URL, so that a bookmark or a kiosk keeps it.
--
--   q        text in name, location, worker, pool or firmware
--   status   online, idle, silent, resetting or offline
--   group, tag   as the configuration names them
--   sort, dir    id of a column; "asc" or "desc"
--   by       group, location, firmware, pool or status: a heading with totals for each
--   cols     ids of the columns to show, with commas
--   page     1, 2, … of at most `flock.page_rows` miners each
--
-- With 1,000 miners a page has to be made in some milliseconds: filtering and sorting touch only the
-- fields that they need, the rest is made for the rows that are shown.
local order = require "order"

local flock = {}

flock.page_rows = 100
flock.params = { q = "", status = "", group = "", tag = "", sort = "name", dir = "", by = "", cols = "", page = 1 }
flock.statuses = { "online", "idle", "silent", "resetting", "offline" }
flock.groupings = { "group", "location", "firmware", "pool", "status" }

local ORDER = {}
for i, status in ipairs(flock.statuses) do ORDER[status] = i end
local URL_ORDER = { "q", "status", "group", "tag", "sort", "dir", "by", "cols", "page" }
local SEARCHED = { "name", "location", "worker", "pool", "firmware" }

local function is_gone(miner)
    local status = miner.status
    return status == "offline" or status == "silent"
end

local function shares(miner)
    return miner.shares_accepted or miner.shares_32bit
end

-- What a miner says all the time is no news when the miner is gone: it is sorted as unknown.
local function current(field)
    return function(miner)
        if is_gone(miner) then return nil end
        return miner[field]
    end
end

local function last(field)
    return function(miner) return miner[field] end
end

local function text(field)
    return function(miner)
        local value = miner[field]
        return value and value ~= "" and order.natural(value) or nil
    end
end

-- id, title, and
--   key    what it is sorted by; nil is unknown and goes to the end. None: it cannot be sorted
--   down   large values first, as long as nobody says otherwise
--   num    numbers: to the right
--   tag    a shorter title, for a narrow display
--   usual  shown as long as nobody chose; "wide": on wide screens
--   unit, decimals   of columns that show a number as it is
flock.columns = {
    { id = "status", title = t("Status"), key = function(m) return ORDER[m.status] or 9 end, usual = true },
    { id = "name", title = t("Miner"), key = last "name", usual = true },
    { id = "hashrate", title = t("Hash rate"), key = current "hashrate", down = true, num = true, usual = true },
    { id = "spark", title = t("24 h"), usual = "wide" },
    { id = "shares", title = t("Shares"), key = shares, down = true, num = true, usual = true },
    { id = "best", title = t("Best difficulty"), tag = t("Best"), key = last "best_difficulty", down = true, num = true, usual = true },
    { id = "jobs", title = t("Jobs"), key = last "block_templates", down = true, num = true, usual = "wide" },
    { id = "temp", title = t("Temp."), key = current "temperature", down = true, num = true, usual = true },
    { id = "uptime", title = t("Uptime"), key = current "uptime", down = true, num = true, usual = "wide" },
    { id = "pool", title = t("Pool, worker"), key = text "pool", usual = "wide" },
    { id = "group", title = t("Group"), key = text "group" },
    { id = "tags", title = t("Tags") },
    { id = "location", title = t("Location"), key = text "location" },
    { id = "firmware", title = t("Firmware"), key = text "firmware" },
    { id = "ip", title = t("IP address"), key = text "ip" },
    { id = "hashrate_24h", title = t("24 h mean"), key = last "hashrate_24h", down = true, num = true, unit = "H/s" },
    { id = "best_difficulty_ever", title = t("Best ever"), key = last "best_difficulty_ever", down = true, num = true },
    { id = "power", title = t("Power"), key = current "power", down = true, num = true, unit = "W" },
    { id = "voltage", title = t("Voltage"), key = current "voltage", down = true, num = true, unit = "V" },
    { id = "frequency", title = t("Frequency"), key = current "frequency", down = true, num = true, unit = "Hz" },
    { id = "fan_speed", title = t("Fan"), key = current "fan_speed", down = true, num = true, unit = "rpm", decimals = 0 },
    { id = "rssi", title = t("Signal"), key = current "rssi", down = true, num = true, unit = "dBm", decimals = 0 },
    { id = "seen", title = t("Seen"), key = last "last_seen_ms", down = true, num = true, usual = true },
}
local column_of = {}
for _, column in ipairs(flock.columns) do column_of[column.id] = column end

--- The columns to show, in their order, with the class of their cells; the name is always there. Second: whether somebody
-- chose.
function flock.shown_columns(cols)
    local chosen, any = { name = true }, false
    for id in cols:gmatch("[%w_]+") do
        if column_of[id] then chosen[id], any = true, true end
    end
    local shown = {}
    for _, column in ipairs(flock.columns) do
        if any and chosen[column.id] or not any and column.usual then
            local wide = not any and column.usual == "wide"
            column.class = "c-" .. column.id .. (column.num and " num" or "") .. (wide and " wide" or "")
            shown[#shown + 1] = column
        end
    end
    return shown, any
end

--- The link to this table with something else: flock.url(params, { page = 2, q = false }).
-- What stands at its default is left out. Any change but that of the page goes back to page 1.
function flock.url(params, changes)
    local out = {}
    for _, name in ipairs(URL_ORDER) do
        local value = params[name]
        if name == "page" then value = 1 end
        if changes[name] ~= nil then value = changes[name] or flock.params[name] end
        if value ~= flock.params[name] then
            out[#out + 1] = name .. "=" .. tostring(value):gsub("[^%w._~,-]", function(c)
                return ("%%%02X"):format(c:byte())
            end)
        end
    end
    return #out > 0 and "/?" .. table.concat(out, "&") or "/"
end

--- Which way a column is sorted: "asc", "desc"; nil: by another one.
function flock.direction(params, column)
    if params.sort ~= column.id then return nil end
    if params.dir == "asc" or params.dir == "desc" then return params.dir end
    return column.down and "desc" or "asc"
end

--- The link of a column's head: sort by it; the other way round if that is so already.
function flock.sort_url(params, column)
    local now = flock.direction(params, column)
    local usual = column.down and "desc" or "asc"
    local next_way = now == usual and (usual == "asc" and "desc" or "asc") or usual
    return flock.url(params, { sort = column.id, dir = next_way ~= usual and next_way or false })
end

--- The link that shows a column, or takes it away.
function flock.column_url(params, column)
    local ids, was = {}, false
    for _, shown in ipairs(flock.shown_columns(params.cols)) do
        if shown.id == column.id then was = true else ids[#ids + 1] = shown.id end
    end
    if not was then ids[#ids + 1] = column.id end
    return flock.url(params, { cols = table.concat(ids, ",") })
end

-- ---- who is shown -----------------------------------------------------------------------------

local function has_tag(miner, tag)
    for _, value in ipairs(miner.tags or {}) do
        if value == tag then return true end
    end
    return false
end

local function has_text(miner, wanted)
    for _, field in ipairs(SEARCHED) do
        local value = miner[field]
        if value and value:lower():find(wanted, 1, true) then return true end
    end
    return false
end

--- Whether anything but everybody was asked for.
function flock.is_filtered(params)
    return params.q ~= "" or params.status ~= "" or params.group ~= "" or params.tag ~= ""
end

function flock.filter(miners, params)
    if not flock.is_filtered(params) then return miners end
    local wanted = params.q:lower()
    local out = {}
    for _, miner in ipairs(miners) do
        if (params.status == "" or miner.status == params.status)
            and (params.group == "" or miner.group == params.group)
            and (params.tag == "" or has_tag(miner, params.tag))
            and (wanted == "" or has_text(miner, wanted)) then
            out[#out + 1] = miner
        end
    end
    return out
end

--- The groups and tags that there are, sorted.
function flock.labels(miners)
    local groups, tags, seen = {}, {}, {}
    local function add(list, kind, value)
        if not value or value == "" or seen[kind .. value] then return end
        seen[kind .. value] = true
        list[#list + 1] = value
    end
    for _, miner in ipairs(miners) do
        add(groups, "g", miner.group)
        local list = miner.tags
        for i = 1, list and #list or 0 do add(tags, "t", list[i]) end
    end
    table.sort(groups)
    table.sort(tags)
    return groups, tags
end

-- ---- in which order ---------------------------------------------------------------------------

-- Entries { miner, rank } by name. Texts are compared in C: with 1,000 miners a comparison in Lua would be half the page.
local function by_name(miners)
    local keys, at = {}, {}
    for i, miner in ipairs(miners) do
        local key = order.natural(miner.name) .. "\0" .. i
        keys[i], at[key] = key, miner
    end
    table.sort(keys)
    local entries = {}
    for i, key in ipairs(keys) do entries[i] = { miner = at[key], rank = i } end
    return entries
end

-- Unknown values are at the end, whichever way; equal ones stay in the order of the names.
local function by_key(entries, key, down)
    local known, unknown = {}, {}
    for _, entry in ipairs(entries) do
        entry.key = key(entry.miner)
        local list = entry.key == nil and unknown or known
        list[#list + 1] = entry
    end
    table.sort(known, function(a, b)
        local x, y = a.key, b.key
        if x == y then return a.rank < b.rank end
        if down then return x > y end
        return x < y
    end)
    return table.move(unknown, 1, #unknown, #known + 1, known)
end

-- The same order within each group; those without one are last.
local function by_group(entries, by)
    local members, keys = {}, {}
    for _, entry in ipairs(entries) do
        local value = entry.miner[by]
        if value and value ~= "" then
            entry.group = value
            entry.group_key = "1" .. (by == "status" and ORDER[value] or order.natural(value)) .. "\0" .. value
        else
            entry.group_key = "2"
        end
        local list = members[entry.group_key]
        if not list then
            list = {}
            members[entry.group_key] = list
            keys[#keys + 1] = entry.group_key
        end
        list[#list + 1] = entry
    end
    table.sort(keys)
    local out = {}
    for _, key in ipairs(keys) do table.move(members[key], 1, #members[key], #out + 1, out) end
    return out
end

--- Entries { miner } in the order of the page; grouped ones also have group (nil: none) and group_key.
function flock.sort(miners, params)
    local column = column_of[params.sort]
    if not column or not column.key then column = column_of.name end
    local down = flock.direction(params, column) == "desc"
    local entries = by_name(miners)
    if column.id ~= "name" then
        entries = by_key(entries, column.key, down)
    elseif down then
        entries = order.reversed(entries)
    end
    local by = flock.grouping(params)
    return by and by_group(entries, by) or entries
end

--- What the rows are grouped by; nil: nothing.
function flock.grouping(params)
    for _, by in ipairs(flock.groupings) do
        if params.by == by then return by end
    end
    return nil
end

--- Totals of the group that begins with entry `first`: { miners, reporting, hashrate }.
function flock.group_totals(entries, first)
    local totals = { miners = 0, reporting = 0 }
    for i = first, #entries do
        if entries[i].group_key ~= entries[first].group_key then break end
        local miner = entries[i].miner
        local status = miner.status
        totals.miners = totals.miners + 1
        if status == "online" or status == "idle" then
            totals.reporting = totals.reporting + 1
            if miner.hashrate then totals.hashrate = (totals.hashrate or 0) + miner.hashrate end
        end
    end
    return totals
end

--- Which entries are on a page: first, last, page (a wrong one is put right), number of pages.
function flock.page_of(n, page)
    local pages = math.max(1, (n + flock.page_rows - 1) // flock.page_rows)
    page = math.max(1, math.min(page, pages))
    return (page - 1) * flock.page_rows + 1, math.min(page * flock.page_rows, n), page, pages
end

return flock
