-- Numbers and times for people, as the language of the page writes them: 1,234.5 or 1.234,5. nil becomes "–": what is
-- not known is never shown as 0. Nothing here depends on the clock or the language of the host.
local locale = require "locale"

local format = {}

local UNKNOWN = "–"
local STEPS = { "", "k", "M", "G", "T", "P", "E", "Z", "Y" }

-- Languages that write 1.234,5. Whoever speaks none of them gets 1,234.5.
local DECIMAL_COMMA = { de = true, es = true }
local point, group -- what stands before the fraction, and between thousands

--- How the language of the page writes numbers: ".", "," in English, ",", "." in German.
-- @return what stands before the fraction, and between thousands
function format.separators()
    if not point then -- asked only now: a page without numbers is the same in every language
        point, group = ".", ","
        if DECIMAL_COMMA[shepherd.request.locale:match("^%a+")] then point, group = group, point end
    end
    return point, group
end

local function known(value)
    return type(value) == "number" and value == value
end

local function bounded(value)
    return math.abs(value) < 1e300
end

-- C's "12.5" → as the language writes it
local function written(text)
    return (text:gsub("%.", (format.separators())))
end

-- 1234567 → "1,234,567"
local function grouped(digits)
    local rest = #digits % 3
    local out = {}
    if rest > 0 then out[1] = digits:sub(1, rest) end
    for i = rest + 1, #digits, 3 do out[#out + 1] = digits:sub(i, i + 2) end
    return table.concat(out, select(2, format.separators()))
end

-- Four significant digits: 55.12, 1.2, 999.9. steady: with trailing zeros, so that a figure that
-- moves does not change its width.
local function significant(value, steady)
    local text
    local size = math.abs(value)
    if size >= 999.95 then text = ("%.0f"):format(value)
    elseif size >= 99.995 then text = ("%.1f"):format(value)
    elseif size >= 9.9995 then text = ("%.2f"):format(value)
    else text = ("%.3f"):format(value) end
    if text:find(".", 1, true) and not (steady and value ~= 0) then text = text:gsub("0+$", ""):gsub("%.$", "") end
    return written(text)
end

local function scaled(value, steady)
    local step = 1
    while math.abs(value) >= 999.95 and step < #STEPS do
        value = value / 1000
        step = step + 1
    end
    return significant(value, steady), STEPS[step]
end

--- 1234567.891, 1 → "1,234,567.9". decimals: 0 for whole numbers, else at most 2, unless given.
function format.number(value, decimals)
    if not known(value) or not bounded(value) then return UNKNOWN end
    if not decimals then decimals = value == math.floor(value) and 0 or 2 end
    local text = ("%." .. math.tointeger(decimals) .. "f"):format(value)
    local sign, digits, fraction = text:match("^(%-?)(%d+)(.*)$")
    return sign .. grouped(digits) .. written(fraction)
end

--- A value with a step of 1000 before its unit: (55123, "H/s") → "55.12", "kH/s".
-- @param value  number, or nil
-- @param unit   "H/s"; none: the step alone
-- @param steady true: always four digits, "1.200", for a figure that moves
-- @return text, and its unit ("" when nothing is known)
function format.si(value, unit, steady)
    if not known(value) or not bounded(value) then return UNKNOWN, "" end
    local number, step = scaled(value, steady)
    return number, step .. (unit or "")
end

--- Hash rate in H/s → "55.12 kH/s", always four digits.
function format.hashrate(hps)
    local number, unit = format.hashrate_parts(hps)
    return unit == "" and number or number .. " " .. unit
end

--- Hash rate in H/s → "55.12", "kH/s": for a small unit beside a large number.
function format.hashrate_parts(hps)
    return format.si(hps, "H/s", true)
end

--- Hash rate in H/s → kH/s with two decimals: "55.12".
function format.khs(hps)
    return known(hps) and format.number(hps / 1000, 2) or UNKNOWN
end

--- Difficulty with its step: 1234567 → "1.235M".
function format.difficulty(value)
    if not known(value) or not bounded(value) then return UNKNOWN end
    local number, step = scaled(value)
    return number .. step:upper()
end

--- Seconds → "1d 02:03:04"; without days "02:03:04".
function format.duration(seconds)
    if not known(seconds) or not bounded(seconds) or seconds < 0 then return UNKNOWN end
    local s = math.floor(math.min(seconds, 1e12))
    local clock = ("%02d:%02d:%02d"):format(s % 86400 // 3600, s % 3600 // 60, s % 60)
    return s >= 86400 and ("%dd %s"):format(s // 86400, clock) or clock
end

--- °C → "61.5 °C".
function format.temperature(celsius)
    return known(celsius) and written(("%.1f"):format(celsius)) .. " °C" or UNKNOWN
end

--- Bytes → "1.5 MB" (steps of 1000).
function format.bytes(bytes)
    local number, unit = format.si(bytes, "B")
    return unit == "" and number or number .. " " .. unit
end

--- 0.125 → "12.5 %".
function format.percent(share)
    return known(share) and written(("%.1f"):format(share * 100)) .. " %" or UNKNOWN
end

local statuses

--- The word for a status: "online", in German also "online", "bereit", "still"… Classes (is-online) stay English.
function format.status(status)
    local translate = locale.translate
    statuses = statuses or {
        online = translate("online"),
        idle = translate("idle"),
        silent = translate("silent"),
        resetting = translate("resetting"),
        offline = translate("offline"),
    }
    return statuses[status] or status or UNKNOWN
end

-- Days since 1970-01-01 → year, month, day (proleptic Gregorian).
local function civil(days)
    local z = days + 719468
    local era = z // 146097
    local doe = z - era * 146097
    local yoe = (doe - doe // 1460 + doe // 36524 - doe // 146096) // 365
    local doy = doe - (365 * yoe + yoe // 4 - yoe // 100)
    local mp = (5 * doy + 2) // 153
    local month = mp < 10 and mp + 3 or mp - 9
    return yoe + era * 400 + (month <= 2 and 1 or 0), month, doy - (153 * mp + 2) // 5 + 1
end

local function stamp(at_ms, pattern)
    if not known(at_ms) or math.abs(at_ms) > 8.64e15 then return UNKNOWN end
    local s = math.floor(at_ms / 1000)
    local year, month, day = civil(s // 86400)
    return pattern:format(year, month, day, s % 86400 // 3600, s % 3600 // 60, s % 60)
end

--- Unix time in ms → "2026-10-18T14:30:00Z".
function format.iso(at_ms)
    return stamp(at_ms, "%04d-%02d-%02dT%02d:%02d:%02dZ")
end

--- Unix time in ms → "2026-10-18 14:30:00 UTC".
function format.utc(at_ms)
    return stamp(at_ms, "%04d-%02d-%02d %02d:%02d:%02d UTC")
end

return format
