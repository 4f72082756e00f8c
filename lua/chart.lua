-- Charts and sparklines from the history of the miners (rollups: what is not known is a gap, never 0).
-- A chart is drawn by the browser (static/chart.js asks /api/history), a sparkline here, as SVG.
local format = require "format"
local html = require "html"
local json = require "json"
local locale = require "locale"

local chart = {}
local t = locale.translate

local MINUTE, HOUR, DAY = 60, 3600, 86400
local DIGITS = "%.7g" -- of a value on its way to the browser: more than any screen shows

--- The ranges of a chart, shortest first: name, length of a period in seconds, how many periods.
chart.ranges = {
    { name = "1h", period_s = MINUTE, n = 60 },
    { name = "6h", period_s = MINUTE, n = 360 },
    { name = "24h", period_s = MINUTE, n = 1440 },
    { name = "7d", period_s = HOUR, n = 168 },
    { name = "30d", period_s = HOUR, n = 720 },
    { name = "1y", period_s = DAY, n = 365 },
}

-- How the metrics of metrics.def are shown. A plugin's own has its name for a title and no unit.
-- counter: a row's avg is the growth within the period; mean: of the herd the mean, not the sum.
local METRICS = {
    hashrate = { title = "Hash rate", unit = "H/s", band = true, tone = "hash" },
    temperature = { title = "Temperature", unit = "°C", mean = true, band = true },
    shares_accepted = { title = "Shares accepted", unit = "", counter = true },
    shares_rejected = { title = "Shares rejected", unit = "", counter = true },
    shares_32bit = { title = "Shares", unit = "", counter = true },
    hashes_total = { title = "Hashes", unit = "H", counter = true },
    power = { title = "Power", unit = "W" },
    voltage = { title = "Voltage", unit = "V", mean = true },
    fan_speed = { title = "Fan speed", unit = "rpm", mean = true },
    rssi = { title = "Wi-Fi signal", unit = "dBm", mean = true },
}

local function range_named(name)
    for _, range in ipairs(chart.ranges) do
        if range.name == name then return range end
    end
    return nil
end

local function metric_named(name)
    return METRICS[name] or { title = name, unit = "" }
end

-- ---- rows -----------------------------------------------------------------------------------

-- Rows { t_ms, avg } of one miner (with min, max), or of the herd together (with n_miners), oldest first.
local function rows_of(metric, miner, period_s, from_ms, to_ms)
    local rows = shepherd.history { miner = miner, sum = not miner or nil, metric = metric, period = period_s,
                                    from_ms = from_ms, to_ms = to_ms }
    if miner or not metric_named(metric).mean then return rows end
    for _, row in ipairs(rows) do
        if row.avg then row.avg = row.avg / math.max(row.n_miners, 1) end
    end
    return rows
end

-- Several rows as one: of a counter the growth is added up, of a gauge the mean is taken.
local function fold(rows, t_ms, counter)
    local out = { t_ms = t_ms, n_miners = 0 }
    local sum, n = 0, 0
    for _, row in ipairs(rows) do
        if row.avg then sum, n = sum + row.avg, n + 1 end
        if row.min then out.min = math.min(out.min or row.min, row.min) end
        if row.max then out.max = math.max(out.max or row.max, row.max) end
        out.n_miners = math.max(out.n_miners, row.n_miners or 0)
    end
    if n == 0 then return nil end
    out.avg = counter and sum or sum / n
    return out
end

-- The hour or day that still runs has no row: it is made from the shorter ones it has so far.
local function open_row(metric, miner, period_s, t_ms, counter)
    local step = period_s == DAY and HOUR or MINUTE
    local rows = rows_of(metric, miner, step, t_ms, t_ms + period_s * 1000)
    if step == HOUR then
        local last = rows[#rows]
        local from_ms = last and last.t_ms + HOUR * 1000 or t_ms
        local newest = fold(rows_of(metric, miner, MINUTE, from_ms, t_ms + period_s * 1000), from_ms, counter)
        rows[#rows + 1] = newest
    end
    return fold(rows, t_ms, counter)
end

-- The last periods that a range has; of minutes only those that are over.
local function window(range, now_s)
    local open = range.period_s == MINUTE and 0 or 1
    local to_s = (now_s // range.period_s + open) * range.period_s
    return (to_s - range.n * range.period_s) * 1000, to_s * 1000
end

local function number(value)
    if not value then return json.null end
    return math.tointeger(value) or tonumber(DIGITS:format(value))
end

local function columns(rows, metric, herd, range, from_ms)
    local by_time = {}
    for _, row in ipairs(rows) do by_time[row.t_ms] = row end
    local out = { t = json.array {}, avg = json.array {}, min = json.array {}, max = json.array {} }
    if herd then out.n = json.array {} end
    for i = 1, range.n do
        local t_ms = from_ms + (i - 1) * range.period_s * 1000
        local row = by_time[t_ms] or {}
        out.t[i] = t_ms // 1000
        out.avg[i] = number(row.avg)
        out.min[i] = number(not metric.counter and row.min or nil)
        out.max[i] = number(not metric.counter and row.max or nil)
        if herd then out.n[i] = row.avg and row.n_miners or json.null end
    end
    return out
end

--- What a chart shows: a point for every period of a range, in columns; what is missing is json.null.
-- @param options { metric = "hashrate", miner = id or name (none: the whole herd), range = "24h" }
-- @return { metric, title, unit, kind, range, period_s, t = { seconds }, avg, min, max } and, of the herd, n: how
-- many miners a point is made of; nil and a message when there is no such range or miner
function chart.data(options)
    local range = range_named(options.range or "24h")
    if not range then return nil, "range is one of 1h, 6h, 24h, 7d, 30d, 1y" end
    local miner = options.miner and shepherd.miner(options.miner)
    if options.miner and not miner then return nil, "there is no such miner" end
    local metric = metric_named(options.metric)
    local from_ms, to_ms = window(range, os.time())
    local id = miner and miner.id
    local rows = rows_of(options.metric, id, range.period_s, from_ms, to_ms)
    local last_ms = to_ms - range.period_s * 1000
    if range.period_s ~= MINUTE and (#rows == 0 or rows[#rows].t_ms < last_ms) then
        rows[#rows + 1] = open_row(options.metric, id, range.period_s, last_ms, metric.counter)
    end
    local out = columns(rows, metric, not miner, range, from_ms)
    out.metric, out.title, out.unit = options.metric, metric.title, metric.unit
    out.kind = metric.counter and "counter" or "gauge"
    out.range, out.period_s = range.name, range.period_s
    return out
end

-- ---- in a page ------------------------------------------------------------------------------

--- Buttons for the range that every chart of the page shows. Print it once, above the charts.
-- @param range the one that is chosen at first; "24h"
function chart.buttons(range)
    local names = {}
    for i, each in ipairs(chart.ranges) do names[i] = each.name end
    return include("partials/chart", { buttons = names, range = range or "24h" })
end

local script_printed = false -- on this page

--- A chart that the browser draws and keeps up to date.
--
--     <%- chart.history{ miner = m.name, metric = "hashrate", range = "24h" } %>
--
-- @param options miner    name; none: the whole herd
--                metric   name, such as "temperature"; or metrics, a list of them: one chart for each
--                range    "1h", "6h", "24h", "7d", "30d" or "1y"; "24h". Buttons of the page (chart.buttons) change it
--                title    instead of the metric's own
function chart.history(options)
    local out = {}
    local miner = options.miner and shepherd.miner(options.miner)
    for i, name in ipairs(options.metrics or { options.metric or "hashrate" }) do
        local metric = metric_named(name)
        out[i] = include("partials/chart", {
            id = "chart-" .. (miner and miner.id .. "-" or "") .. name:gsub("[^%w_-]", "-"), miner = options.miner,
            metric = name, range = options.range or "24h", title = options.title or t(metric.title),
            unit = metric.unit, bars = metric.counter, band = metric.band, tone = metric.tone or "link",
            script = not script_printed,
        })
        script_printed = true
    end
    return html.join(out)
end

-- ---- sparklines -----------------------------------------------------------------------------

local WIDTH, HEIGHT, MARGIN = 96, 24, 2

-- Bounds of a list that may have holes; n is how many places it has.
local function bounds(values, n)
    local low, high
    for i = 1, n do
        local value = values[i]
        if value then
            low = math.min(low or value, value)
            high = math.max(high or value, value)
        end
    end
    return low, high
end

-- One stroke for each stretch without a hole; a lone value is a short dash.
local function spark_path(values, n, low, high)
    local out, drawing = {}, false
    local span = math.max(high - low, math.abs(high) * 0.1, 1e-9) -- steady: no mountains out of nothing
    local middle = (low + high) / 2
    for i = 1, n do
        local value = values[i]
        if value then
            local x = n > 1 and MARGIN + (WIDTH - 2 * MARGIN) * (i - 1) / (n - 1) or WIDTH / 2
            local y = HEIGHT / 2 - (HEIGHT - 2 * MARGIN) * (value - middle) / span
            out[#out + 1] = ("%s%.1f %.1f"):format(drawing and "L" or "M", x, y)
            if not drawing and not values[i + 1] then out[#out + 1] = "h1.5" end
        end
        drawing = value ~= nil and value ~= false
    end
    return table.concat(out)
end

local function with_unit(value, unit)
    local text, step = format.si(value, unit)
    return step == "" and text or text .. " " .. step
end

--- A small line without axes, made on the server: the shape of a day at a glance.
-- @param values list of numbers, oldest first; a hole is false or nil
-- @param n      how many places the list has; holes at its end count
-- @param unit   for the description that a screen reader reads: "H/s"
-- @return an SVG element for `<%- … %>`; an empty one where nothing is known
function chart.spark(values, n, unit)
    n = n or #values
    local low, high = bounds(values, n)
    local attributes = { class = "spark", viewBox = ("0 0 %d %d"):format(WIDTH, HEIGHT), width = WIDTH, height = HEIGHT,
        role = "img", ["aria-label"] = t("No history yet") }
    if not low then return html.el("svg", attributes) end
    attributes["aria-label"] = t("from %s to %s", with_unit(low, unit), with_unit(high, unit))
    return html.el("svg", attributes, html.el("path", { d = spark_path(values, n, low, high) }))
end

local OPEN_EVERY_MS = 5 * MINUTE * 1000

-- Rows that a sparkline is made of, and into how many places they go.
local SPARKS = {
    ["1h"] = { period_s = MINUTE, step_s = 120, n = 30 },
    ["6h"] = { period_s = MINUTE, step_s = 900, n = 24 },
    ["24h"] = { period_s = HOUR, step_s = HOUR, n = 24 },
    ["7d"] = { period_s = HOUR, step_s = 6 * HOUR, n = 28 },
    ["30d"] = { period_s = HOUR, step_s = DAY, n = 30 },
    ["1y"] = { period_s = DAY, step_s = 14 * DAY, n = 26 },
}

-- The rows are looked up one by one: the table is ordered by time, and a day of a thousand miners is
-- far more than a day of these. One row a miner comes back, "place:value place:value …".
local SPARKS_SQL = [[
    WITH RECURSIVE times(t_ms) AS (SELECT ?1 UNION ALL SELECT t_ms + ?3 FROM times WHERE t_ms + ?3 < ?2)
    SELECT miner_id, group_concat(place || ':' || value, ' ') AS points FROM (
      SELECT r.miner_id, (r.t_ms - ?4) / ?5 AS place, round(avg(r.avg), 3) AS value
      FROM times CROSS JOIN json_each(?8) ids CROSS JOIN rollups r
        ON r.period_s = ?6 AND r.t_ms = times.t_ms AND r.miner_id = ids.value AND r.metric = ?7
      WHERE r.avg IS NOT NULL GROUP BY r.miner_id, place)
    GROUP BY miner_id]]

-- Add the rows from since_ms on, every `every_ms`, to the places of values[miner id].
local function sparks_add(values, options, rows)
    local found = shepherd.query(SPARKS_SQL, rows.since_ms, options.to_ms, rows.every_ms, options.from_ms, options.step_ms,
        rows.period_s, options.metric, options.ids)
    for _, row in ipairs(found) do
        local places = values[row.miner_id] or {}
        for place, value in (row.points or ""):gmatch("(%d+):(%S+)") do
            place = math.tointeger(place) + 1
            places[place] = places[place] or tonumber(value)
        end
        values[row.miner_id] = places
    end
end

--- Sparklines of many miners at once: two queries, however many they are.
-- @param options { metric = "hashrate", range = "24h", miners = { ids } }
-- @return table by id of what chart.spark() makes; every id of the list is in it
function chart.sparks(options)
    local metric = options.metric or "hashrate"
    local spark = SPARKS[options.range or "24h"] or error("chart.sparks: there is no range " .. tostring(options.range), 2)
    local step_ms = spark.step_s * 1000
    local now_ms = shepherd.herd().made_at_ms
    local from_ms = (now_ms // step_ms + 1 - spark.n) * step_ms
    local wanted = { metric = metric, ids = json.encode(json.array(options.miners)), step_ms = step_ms, from_ms = from_ms,
                     to_ms = from_ms + spark.n * step_ms }
    local values = {}
    sparks_add(values, wanted, { period_s = spark.period_s, every_ms = spark.period_s * 1000, since_ms = from_ms })
    if spark.period_s == HOUR then -- of the hour that still runs, some minutes will do
        sparks_add(values, wanted, { period_s = MINUTE, every_ms = OPEN_EVERY_MS, since_ms = now_ms // (HOUR * 1000) * HOUR * 1000 })
    end
    local out = {}
    for _, id in ipairs(options.miners) do
        out[id] = chart.spark(values[id] or {}, spark.n, metric_named(metric).unit)
    end
    return out
end

return chart
