-- What miners said, looked through: by miner, by level, by text, from a time on. Behind /raw_logs and /api/logs.
local format = require "format"
local order = require "order"
local role = require "role"

local logs = {}

-- How much one page may look through: a line costs a microsecond here and ten times that on the smallest Pi, a page has
-- 250 ms. What is left is told as `more`, and where to go on as `next`.
local SCAN_IDS = 20000 -- with a text or a level
local SCAN_IDS_ONE = 60000 -- of one miner: the lines of others are passed over quickly
local WINDOW = 2000 -- ids of one query: between two of them it may stop
local CLOCK_S = 0.1 -- of processor time for looking: lines may be 16 KiB long
local ROWS = 250 -- of one query: even lines of 16 KiB fit into its memory
local QUERIES = 48
local LEVEL_BYTES = 1000 -- of a line that tell its level
local HITS = 20 -- shown of one line: one of 16 KiB may have 16,000

-- ---- levels -----------------------------------------------------------------------------------

-- What the firmware says itself: ESP-IDF "E (1234) tag: …", with colours or without, and Arduino "[ 1234][E][file.cpp:12] …".
local TAGS = { "^([EWIDV]) %(%d", "^\27%[[%d;]*m([EWIDV]) %(%d", "^%[[ %d]*%]%[([EWIDV])%]" }
local OF_TAG = { E = "error", W = "warning" }

-- Else words decide. Small letters; those of errors first.
local ERRORS = { "error", "fail", "panic", "guru meditation", "brownout", "abort()", "backtrace:", "exception" }
local WARNINGS = { "warn", "disconnect", "timeout", "timed out", "lost", "reject", "retry" }
-- What has such a word in it and is none: replies of a pool that say `"error":null`, counters.
local NO_ERROR = '"error":null' -- with it the word "error" says nothing
local HARMLESS = { '"error"%s*:%s*null', '"error"%s*:%s*""', "errors?%s*[:=]%s*0%f[%D]", "[%w]_rejected", "rejected\"?%s*[:=]%s*0%f[%D]" }

local function has_word(text, words)
    for _, word in ipairs(words) do
        if text:find(word, 1, true) then return true end
    end
    return false
end

--- How bad a line is: "error", "warning" or "info". The letter that ESP-IDF and Arduino put before a line decides (E, W;
-- I, D and V are "info"); a line without one is an error when it has one of error, fail, panic, Guru Meditation, brownout,
-- abort(), Backtrace:, exception in it, a warning with warn, disconnect, timeout, timed out, lost, reject, retry.
-- `"error":null` and counters at 0 do not count, nor what comes after the first 1,000 bytes.
-- @param line text
function logs.level(line)
    for _, tag in ipairs(TAGS) do
        local letter = line:match(tag)
        if letter then return OF_TAG[letter] or "info" end
    end
    local text = line:sub(1, LEVEL_BYTES):lower()
    if not has_word(text, ERRORS) and not has_word(text, WARNINGS) then return "info" end
    if text:find(NO_ERROR, 1, true) then text = text:gsub("error", "") end
    for _, harmless in ipairs(HARMLESS) do text = text:gsub(harmless, "") end
    return has_word(text, ERRORS) and "error" or has_word(text, WARNINGS) and "warning" or "info"
end

-- For SQL: every line of that level fulfils it, and some others; then logs.level() decides.
local function level_condition(level)
    local words = level == "error" and ERRORS or level == "warning" and WARNINGS
    if not words then return "" end
    local letter = level == "error" and "E" or "W"
    local head = ("substr(l.line, 1, %d)"):format(LEVEL_BYTES)
    local tests = { ("instr(%s, '%s (')"):format(head, letter), ("instr(%s, '[%s]')"):format(head, letter) }
    for _, word in ipairs(words) do -- LIKE is three times as quick as lower() and instr()
        local test = ("%s LIKE '%%%s%%'"):format(head, word)
        if word == "error" then test = ("(%s AND %s NOT LIKE '%%%s%%')"):format(test, head, NO_ERROR) end
        tests[#tests + 1] = test
    end
    return " AND (" .. table.concat(tests, " OR ") .. ")"
end

-- ---- looking through --------------------------------------------------------------------------

local COLUMNS = "SELECT l.id, l.miner_id, m.miner_id AS miner, l.at_ms, l.line FROM miner_logs l LEFT JOIN miners m ON m.id = l.miner_id"

-- The id of a miner by its name; nil: there is none.
local function miner_id(name)
    local rows = shepherd.query("SELECT id FROM miners WHERE miner_id = ?", name)
    return rows[1] and rows[1].id
end

-- Whether the database may look for the text. It compares whole lines: who sees addresses shortened must not find out by
-- searching what was left out, not even by how far a search comes. For them the text is looked for in what they see.
local function sees_whole_lines()
    return role.may("operator")
end

local function is_wanted(row, want)
    return (want.level == "" or want.level == row.level) and (want.text == "" or row.line:lower():find(want.text, 1, true))
end

-- Rows in an order of ids, at most n, with ids in (above, below). A superset of what is wanted.
local function fetch(want, above, below, n)
    local direction = want.forward and "ASC" or "DESC"
    return shepherd.query(COLUMNS
        .. " WHERE l.id > ?1 AND l.id < ?2 AND (?3 IS NULL OR l.miner_id = ?3) AND l.at_ms >= ?4"
        .. " AND (?5 = '' OR instr(lower(l.line), ?5) > 0)" .. level_condition(want.level)
        .. " ORDER BY l.id " .. direction .. " LIMIT ?6", above, below, want.miner_id, want.from_ms or 0,
        sees_whole_lines() and want.text or "", n)
end

-- The newest id, and with it what there is to look through. nil: nothing.
local function newest_id()
    local rows = shepherd.logs { limit = 1 }
    return rows[1] and rows[1].id
end

-- All lines before this id are older than from_ms. log_index knows the first line of each minute; it is written once a
-- minute, and the lines behind log_state.last_id are not in it yet.
local function id_at(from_ms)
    local rows = shepherd.query([[
        SELECT coalesce((SELECT min(first_id) FROM log_index WHERE minute =
          (SELECT minute FROM log_index WHERE minute >= ?1 ORDER BY minute LIMIT 1)),
          (SELECT last_id + 1 FROM log_state)) AS id]], from_ms // 60000)
    return rows[1] and rows[1].id or 1
end

local function add_rows(found, rows, want)
    for _, row in ipairs(rows) do
        if #found.lines == want.limit or found.bytes > want.bytes then return false end
        row.level = logs.level(row.line)
        if is_wanted(row, want) then
            found.lines[#found.lines + 1] = row
            found.bytes = found.bytes + #row.line
        end
        found.at = row.id
    end
    return true
end

-- Without a text or a level: shepherd.logs knows the way to the lines of one miner.
local function plain_rows(want, above, below, n)
    return shepherd.logs { miner = want.miner, after = above, before = below, limit = n }
end

-- The next stretch of ids in (above, below): all of them, or with a text or a level a window.
local function stretch(want, above, below)
    if want.text == "" and want.level == "" then return above, below end
    if want.forward then return above, math.min(below, above + WINDOW + 1) end
    return math.max(above, below - WINDOW - 1), below
end

-- Fills `found` from ids in (above, below); found.at is the last id that was looked at. True: nothing is left there.
local function collect(found, want, above, below)
    local get = (want.forward or want.text ~= "" or want.level ~= "") and fetch or plain_rows
    local begun = os.clock()
    for _ = 1, QUERIES do
        local n = sees_whole_lines() and math.min(ROWS, want.limit - #found.lines + 1) or ROWS
        local low, high = stretch(want, above, below)
        local rows = get(want, low, high, n)
        if not add_rows(found, rows, want) then return false end
        if #rows < n then
            if low == above and high == below then return true end
            found.at = want.forward and high - 1 or low + 1
        end
        if want.forward then above = found.at else below = found.at end
        if os.clock() - begun > CLOCK_S then return false end
    end
    return false
end

local function scan_ids(want)
    return want.miner and SCAN_IDS_ONE or SCAN_IDS
end

-- The oldest lines first, from an id or a time on.
local function find_forward(want, found, newest)
    local above = want.from_id and want.from_id - 1 or id_at(want.from_ms) - 1
    local below = math.min(newest, above + scan_ids(want)) + 1
    local all = collect(found, want, above, below)
    found.more = not all or below <= newest
    if found.more then found.next = (all and below - 1 or found.at) + 1 end
    found.lines = order.reversed(found.lines)
end

local function find_back(want, found, newest)
    local top = math.min(want.before or math.maxinteger, newest + 1)
    local filtered = want.text ~= "" or want.level ~= ""
    local bottom = filtered and math.max(want.after, top - scan_ids(want) - 1) or want.after
    local all = collect(found, want, bottom, top)
    if all then
        local rows = bottom > want.after and plain_rows(want, want.after, bottom + 1, 1) or {}
        found.more = rows[1] ~= nil
        if found.more then found.next = bottom + 1 end
    else
        found.more, found.next = true, found.at
    end
end

--- Lines, newest first.
-- @param options { miner = name, q = text, level = "error" | "warning" | "info", limit = 200,
--   before = id, after = id    ids between these;
--   from_ms = ms or from_id = id    the first lines from there on (they too come newest first);
--   bytes = 600000    of lines, at most }; what is nil or "" does not matter
-- @return { lines = { { id, miner_id, miner, at_ms, line, level } }, newest = id of the newest line of all, more = true
--   when there are further lines that were not looked at, next = where to go on: `before`, or `from_id` when it was asked
--   for the first lines }
function logs.find(options)
    local want = {
        miner = options.miner ~= "" and options.miner or nil,
        text = (options.q or ""):lower(),
        level = options.level or "",
        limit = math.max(1, options.limit or 200),
        before = options.before,
        after = math.max(0, options.after or 0),
        from_ms = options.from_ms,
        from_id = options.from_id,
        bytes = options.bytes or 600000,
    }
    want.forward = want.from_ms ~= nil or want.from_id ~= nil
    local found = { lines = {}, bytes = 0, more = false }
    local newest = newest_id()
    if not newest then return found end
    found.newest = newest
    if want.miner then
        want.miner_id = miner_id(want.miner)
        if not want.miner_id then return found end
    end
    if want.forward then find_forward(want, found, newest) else find_back(want, found, newest) end
    return found
end

-- ---- for pages --------------------------------------------------------------------------------

-- Days since 1970-01-01 of a date.
local function days_of(year, month, day)
    local y = month <= 2 and year - 1 or year
    local era = y // 400
    local doy = (153 * (month + (month > 2 and -3 or 9)) + 2) // 5 + day - 1
    local yoe = y - era * 400
    return era * 146097 + yoe * 365 + yoe // 4 - yoe // 100 + doy - 719468
end

--- A time out of a URL as ms: Unix time in ms, or "2026-10-18T14:30" with or without seconds, in UTC. nil: no time.
function logs.time_ms(text)
    if text:match("^%d+$") and #text <= 15 then return math.tointeger(tonumber(text)) end
    local year, month, day, hour, minute, rest = text:match("^(%d%d%d%d)%-(%d%d)%-(%d%d)[T ](%d%d):(%d%d)(.*)$")
    if not year then return nil end
    local second = rest:match("^:(%d%d)") or 0
    local days = days_of(math.tointeger(tonumber(year)), math.tointeger(tonumber(month)), math.tointeger(tonumber(day)))
    return ((days * 24 + tonumber(hour)) * 60 + tonumber(minute)) * 60000 + tonumber(second) * 1000
end

--- Lines as a text file: oldest first, "2026-10-18T14:30:00.123Z BARN-01 line".
function logs.text(lines)
    local out = {}
    for i = #lines, 1, -1 do
        local row = lines[i]
        out[#out + 1] = ("%s.%03dZ %s %s\n"):format(
            format.iso(row.at_ms):sub(1, -2), row.at_ms % 1000, row.miner or row.miner_id, row.line)
    end
    return table.concat(out)
end

--- The stretches of a line for showing a search: { { text, is hit }, … }; its first 20 hits.
function logs.stretches(line, wanted)
    local text, out, from = line:lower(), {}, 1
    wanted = wanted:lower()
    for _ = 1, wanted ~= "" and HITS or 0 do
        local first, last = text:find(wanted, from, true)
        if not first then break end
        if first > from then out[#out + 1] = { line:sub(from, first - 1), false } end
        out[#out + 1] = { line:sub(first, last), true }
        from = last + 1
    end
    if from <= #line then out[#out + 1] = { line:sub(from), false } end
    return out
end

return logs
