-- What is wrong with a miner, in plain words. Every verdict rests on something the miner, its port or
-- its pool said: that is shown beside it, with its age. Where nothing tells the cause, this says so.
--
-- Nothing here asks what time it is: "lately" is counted back from the last thing that was heard.
local format = require "format"
local locale = require "locale"
local sentence = require "sentence"

local health = {}
local t = locale.translate

local HOUR_MS = 3600 * 1000
local OPENED_MS = 15 * 1000 -- a restart this close to the opening of its port belongs to it
local MANY_REJECTED, REJECTED_SHARE = 3, 0.1
local MANY_RESETS = 3
local EXAMPLE_WALLET = "yourBtcAddress" -- what NerdMiner has in it before anybody configured it

local function has(text, part)
    return type(text) == "string" and text:lower():find(part, 1, true) ~= nil
end

-- ---- what is known --------------------------------------------------------------------------

-- The newest line with one of these texts in it.
local function line_with(lines, parts)
    for _, line in ipairs(lines) do
        for _, part in ipairs(parts) do
            if has(line.line, part) then return line end
        end
    end
    return nil
end

local function event_named(events, names)
    for _, event in ipairs(events) do
        for _, name in ipairs(names) do
            if event.event == name then return event end
        end
    end
    return nil
end

-- Events of one name in the last hour that something was heard; the newest is the first.
local function lately(seen, name)
    local out = {}
    local since_ms = (seen.miner.last_seen_ms or 0) - HOUR_MS
    for _, event in ipairs(seen.events) do
        if event.event == name and event.at_ms >= since_ms then out[#out + 1] = event end
    end
    return out
end

-- Restarts in that hour that nobody asked for: opening a port restarts many boards, and so does its plug.
local function restarts(seen)
    local out, link_up_ms = {}, {}
    for _, event in ipairs(seen.events) do
        if event.event == "link.up" then link_up_ms[#link_up_ms + 1] = event.at_ms end
    end
    for _, event in ipairs(lately(seen, "miner.reset")) do
        local asked = false
        for _, at_ms in ipairs(link_up_ms) do
            asked = asked or math.abs(event.at_ms - at_ms) < OPENED_MS
        end
        if not asked then out[#out + 1] = event end
    end
    return out
end

local function count_with(events, part)
    local n = 0
    for _, event in ipairs(events) do
        if has(event.text, part) then n = n + 1 end
    end
    return n
end

-- More bytes that are no text than a firmware ever prints: another speed, or a loose wire.
local function is_garbage(lines)
    local bad, all = 0, 0
    for _, line in ipairs(lines) do
        all = all + #line.line
        for _ in line.line:gmatch("\u{FFFD}") do bad = bad + 3 end
        for _ in line.line:gmatch("\\x%x%x") do bad = bad + 4 end
    end
    return all > 0 and bad > all * 0.3
end

local function rejected_share(miner)
    local rejected, accepted = miner.shares_rejected or 0, miner.shares_accepted or 0
    return rejected + accepted > 0 and rejected / (rejected + accepted) or 0
end

-- ---- rules ----------------------------------------------------------------------------------

-- id      for programs and tests
-- when    whether it is this, from what was seen { miner, state, error, why, status, lines, events }
-- say     headline, remedy
-- lines   texts (small letters) of the log that show it; events: names of events that do
-- The first that fits is the verdict: what is nearest to the wire comes first.
local RULES = {}

local function rule(id, fields)
    fields.id = id
    RULES[#RULES + 1] = fields
end

local function is_offline(part)
    return function(seen) return seen.status == "offline" and (not part or has(seen.why, part)) end
end

-- A miner that hashed a moment ago is in these for a second now and then.
local PASSING = { booting = true, connecting = true, ["waiting for work"] = true }

local function in_state(...)
    local states = { ... }
    return function(seen, part)
        if seen.status == "offline" or seen.status == "online" and PASSING[seen.state] then return false end
        for _, state in ipairs(states) do
            if seen.state == state then return not part or has(seen.error, part) end
        end
        return false
    end
end

-- The port.
rule("port_denied", { when = is_offline("permission denied"), events = { "link.down" }, say = function()
    return t("Offline: the port may not be opened"),
        t("Give the user that runs The Shepherd the right to use serial ports (group dialout), then start it again.")
end })
rule("port_busy", { when = is_offline("in use"), events = { "link.down" }, say = function()
    return t("Offline: another program holds the port"), t("Close that program; the port is tried again by itself.")
end })
rule("port_missing", { when = is_offline("no such port"), events = { "link.down" }, say = function()
    return t("Offline: its port is gone"),
        t("It is unplugged, has no power, or hangs at another port. Plug it in: it comes back by itself.")
end })
rule("port_dead", { when = is_offline("does not answer"), events = { "link.down" }, say = function()
    return t("Offline: the port is there, its device is dead"), t("Plug it out and in again; if that does not help, try another cable.")
end })
rule("offline", { when = is_offline(), events = { "link.down" }, say = function(seen)
    if not seen.why then
        return t("Offline, and nothing tells why"), t("Look whether it has power and its cable is in.")
    end
    return t("Offline: its port does not work"), t("Look whether it has power and its cable is in. It is tried again by itself.")
end })

-- Every ESP32 prints its ROM's text: where no parser knows the firmware yet, the lines themselves tell.
local function in_rom(seen, parts)
    return seen.status ~= "offline" and not seen.miner.parser and line_with(seen.lines, parts) ~= nil
end

-- The board.
local bootloader = in_state("bootloader")
rule("bootloader", { when = function(seen) return bootloader(seen) or in_rom(seen, { "waiting for download" }) end,
    lines = { "waiting for download", "download_boot" }, events = { "miner.bootloader" }, say = function()
        return t("It waits in its boot loader and does not mine"),
            t("Press reset, or pull the plug, without touching the BOOT button. If it comes back to this, GPIO0 is held low.")
    end })
local no_firmware = in_state("no firmware")
rule("no_firmware", { when = function(seen) return no_firmware(seen) or in_rom(seen, { "invalid header" }) end,
    lines = { "invalid header" }, say = function()
        return t("There is no firmware in its flash"), t("Flash it again.")
    end })
local looping = in_state("boot loop", "crashed", "booting")
rule("brownout", { when = function(seen)
        return looping(seen) and (has(seen.error, "brownout") or count_with(lately(seen, "miner.reset"), "brown") > 0)
            or in_rom(seen, { "brown_out", "brownout" })
    end, lines = { "brown" }, events = { "miner.reset", "miner.panic" }, say = function()
        return t("It restarts because its supply voltage dips"),
            t("Try a shorter or thicker USB cable, another port, or a supply of its own: a hub shared by many is often too weak.")
    end })
rule("boot_loop", { when = function(seen)
        return looping(seen) and (seen.state == "boot loop" or #lately(seen, "miner.boot_loop") > 0)
    end, lines = { "guru meditation", "abort()", "assert failed", "rst:0x" },
    events = { "miner.panic", "miner.boot_loop" }, say = function()
        return t("It restarts again and again"),
            t("If it crashes, flash the newest firmware, and erase the flash before. If the log names no crash, suspect cable and power.")
    end })
rule("panic", { when = function(seen)
        return looping(seen) and (seen.state == "crashed" or has(seen.error, "crashed"))
    end, lines = { "guru meditation", "assert failed", "abort()", "stack overflow", "watchdog" }, events = { "miner.panic" },
    say = function()
        return t("Its firmware crashed"),
            t("It restarts by itself. If that happens often, flash a newer firmware, or try another pool: some replies crash old versions.")
    end })

-- Wi-Fi.
rule("wifi_setup", { when = in_state("wifi setup"), lines = { "config ssid", "startap", "entered configuration mode" },
    events = { "wifi.setup" }, say = function(seen)
        local network = seen.error and seen.error:match("join the network (.+)$")
        local what = t("It waits for its Wi-Fi set-up")
        if not network then return what, t("Join the network it opens, with a phone, and enter Wi-Fi and pool there.") end
        return what, t("Join the network “%s” with a phone, and enter Wi-Fi and pool there.", network)
    end })
local no_wifi = in_state("no wifi")
rule("wifi_not_found", { when = function(seen) return no_wifi(seen, "was not found") end, lines = { "current status: 1" },
    events = { "wifi.lost" }, say = function()
        return t("No Wi-Fi: its network was not found"),
            t("Is the access point on, and near enough? These boards know 2.4 GHz only: a network on 5 GHz does not exist for them.")
    end })
rule("wifi_password", { when = function(seen) return no_wifi(seen, "wrong password") end, lines = { "current status: 4" },
    events = { "wifi.lost" }, say = function()
        return t("No Wi-Fi: the network refused it"),
            t("Most often the password is wrong: start its Wi-Fi set-up again. Else the network filters addresses, or allows WPA3 only.")
    end })
rule("wifi_join", { when = function(seen) return no_wifi(seen, "could not be joined") end, lines = { "autoconnect: failed" },
    events = { "wifi.lost" }, say = function()
        return t("No Wi-Fi: the saved network could not be joined"),
            t("Is the access point on, at 2.4 GHz, with the same name and password as when it was set up?")
    end })
rule("wifi_unset", { when = function(seen) return no_wifi(seen, "set-up page") end,
    lines = { "portal has timed out", "config portal" }, events = { "wifi.setup", "wifi.lost" }, say = function()
        return t("No Wi-Fi: nobody used its set-up page in time"),
            t("Restart it, join the network it opens, and enter Wi-Fi and pool there.")
    end })
rule("no_wifi", { when = no_wifi, lines = { "wificonnected>false", "current status:" }, events = { "wifi.lost" }, say = function()
    return t("No Wi-Fi"), t("Is the access point on, and near enough? It joins again by itself when it is.")
end })

-- The pool.
local no_pool = in_state("no pool", "connecting")
local no_work = in_state("no pool", "connecting", "waiting for work")
rule("example_address", { when = function(seen) return no_work(seen) and seen.miner.wallet == EXAMPLE_WALLET end,
    lines = { EXAMPLE_WALLET:lower() }, say = function()
        return t("Its Bitcoin address was never entered"), t("It still has the example in it. Enter your address in its Wi-Fi set-up.")
    end })
rule("bad_address", { when = function(seen) return no_work(seen, "refused the wallet") end,
    lines = { "invalid address", "invalid username", "invalid wallet", "unauthorized", "not authorized", "\"result\":false" },
    events = { "pool.lost" }, say = function()
        return t("The pool refused its address or worker name"),
            t("Compare the address letter by letter. Some pools take no taproot address (bc1p…), and some want no worker name.")
    end })
rule("pool_refused", { when = function(seen) return no_pool(seen, "refused the connection") end,
    lines = { "\"error\":[", "\"error\":{", "\"result\":null" }, events = { "pool.lost" }, say = function()
        return t("The pool refused the login"),
            t("It answers, but does not want this miner. Look at the pool's own page, or take another pool.")
    end })
rule("dns", { when = function(seen)
        return no_pool(seen) and line_with(seen.lines, { "dns failed", "got: 0.0.0.0", "got: 1.1.1.1" }) ~= nil
    end, lines = { "dns failed", "got: 0.0.0.0", "got: 1.1.1.1" }, events = { "pool.lost" }, say = function(seen)
        local host = (seen.miner.pool or ""):match("^(.-):?%d*$")
        if host == "" then host = t("the pool's name") end
        return t("The name of its pool cannot be resolved"),
            t("Is “%s” spelt right? Then the DNS of its network is at fault: restart the router, or enter the pool's IP address.", host)
    end })
rule("pool_unreachable", { when = function(seen) return no_pool(seen, "cannot be reached") end, lines = { "imposible to connect" },
    events = { "pool.lost" }, say = function()
        return t("The pool cannot be reached"),
            t("Is the port number right? Is the pool up? Does the network reach the Internet, and let this port through?")
    end })
rule("pool_silent", { when = function(seen) return no_pool(seen, "sent nothing") end,
    lines = { "without data form stratum", "more than 2 min" }, events = { "pool.lost" }, say = function()
        return t("The pool fell silent"),
            t("It connects again by itself. If that happens often, the network or the pool is at fault.")
    end })
rule("pool_garbled", { when = function(seen) return no_pool(seen, "could not be read") end, lines = { "parsing error" },
    events = { "pool.lost" }, say = function()
        return t("The pool sent something that its firmware cannot read"),
            t("It connects again by itself. If not, take another pool or a newer firmware.")
    end })
rule("no_pool", { when = no_pool, lines = { "client not connected", "connected>false", "imposible to connect" },
    events = { "pool.lost" }, say = function(seen)
        if seen.state == "connecting" then
            return t("It is connecting to its pool"), t("If this lasts more than a minute, look at the pool's name and port.")
        end
        return t("No connection to its pool"),
            t("It tries again by itself. Look at the pool's name and port, and whether the network reaches the Internet.")
    end })
rule("no_jobs", { when = in_state("waiting for work"), lines = { "subscribed>true", "mining.authorize" }, events = { "pool.connected" },
    say = function()
        return t("Connected, but the pool sends it no work"),
            t("Most often the pool does not like its address, and says nothing. Compare the address, or try another pool.")
    end })

-- Whoever listens.
rule("garbage", { when = function(seen)
        return seen.status ~= "online" and seen.status ~= "offline" and is_garbage(seen.lines)
    end, lines = { "\u{FFFD}", "\\x" }, say = function()
        return t("What it says is no text"), t("Its port has another speed than 115200 baud, or a wire is loose.")
    end })
rule("silent_mining", { when = function(seen) return seen.status == "silent" end, say = function(seen)
    if seen.state == "mining" then
        return t("Silent: it said nothing for a while, though it was mining"),
            t("Some screens of some boards print nothing: press its button once. Else it hangs: pull its plug for a moment.")
    end
    return t("Silent: its port is open, and nothing comes"), t("Pull its plug for a moment. If that does not help: is it the right port?")
end })
rule("restarting", { level = "look", when = function(seen) return seen.status == "resetting" end, lines = { "rst:0x", "starting..." },
    events = { "miner.reset" }, say = function()
        return t("It restarts"), t("This takes half a minute. If it comes again, the reason is in the events below.")
    end })
rule("not_understood", { when = function(seen) return seen.status == "idle" and not seen.miner.parser end, say = function()
    return t("It talks, but nobody understands it"), t("No parser knows this firmware. Its lines are below.")
end })
rule("unknown", { when = function(seen) return seen.status ~= "online" end, say = function()
    return t("It talks, but does not mine, and nothing tells why"), t("Look at its last lines below, or restart it and see how it starts.")
end })

-- It mines, and yet.
rule("brownouts", { level = "look", when = function(seen) return count_with(lately(seen, "miner.reset"), "brown") > 0 end,
    events = { "miner.reset" }, say = function(seen)
        return t("It mines, but its supply voltage dips: %d restarts within an hour", count_with(lately(seen, "miner.reset"), "brown")),
            t("Try a shorter or thicker USB cable, another port, or a supply of its own: a hub shared by many is often too weak.")
    end })
rule("restarts", { level = "look", when = function(seen) return #restarts(seen) >= MANY_RESETS end,
    events = { "miner.panic", "miner.reset" }, say = function(seen)
        return t("It mines, but restarted %d times within an hour", #restarts(seen)),
            t("The reasons are in the events below. Suspect cable and power first, then the firmware.")
    end })
rule("rejected", { level = "look", when = function(seen)
        return #lately(seen, "share.rejected") >= MANY_REJECTED and rejected_share(seen.miner) > REJECTED_SHARE
    end, events = { "share.rejected" }, say = function(seen)
        return t("It mines, but the pool refuses many of its shares: %d of %d", seen.miner.shares_rejected or 0,
            (seen.miner.shares_rejected or 0) + (seen.miner.shares_accepted or 0)),
            t("“Job not found” and “stale” mean a slow network or pool; “low difficulty” or “duplicate” mean its firmware.")
    end })
rule("trouble", { level = "look", when = function(seen) return seen.error ~= nil end, say = function(seen)
    return t("It mines, and reports: %s", seen.error), nil
end })
rule("good", { level = "good", when = function() return true end, say = function()
    return t("It mines, and nothing is wrong"), nil
end })

-- ---- events in words ------------------------------------------------------------------------

-- name → severity (0 good or plain, 1 worth a look, 2 alarm), words
local EVENTS = {
    ["miner.reset"] = { 1, function() return t("Restarted") end },
    ["miner.panic"] = { 2, function() return t("Its firmware crashed") end },
    ["miner.boot_loop"] = { 2, function() return t("Restarts again and again") end },
    ["miner.bootloader"] = { 2, function() return t("Waits in its boot loader") end },
    ["share.rejected"] = { 1, function() return t("The pool refused a share") end },
    ["share.best"] = { 0, function() return t("New best difficulty") end },
    ["block.found"] = { 2, function() return t("Found a block") end },
    ["pool.lost"] = { 1, function() return t("Lost its pool") end },
    ["pool.connected"] = { 0, function() return t("Connected to its pool") end },
    ["wifi.lost"] = { 1, function() return t("Lost its Wi-Fi") end },
    ["wifi.setup"] = { 1, function() return t("Waits for its Wi-Fi set-up") end },
    ["link.up"] = { 0, function() return t("Its port is there") end },
    ["link.down"] = { 1, function() return t("Its port is gone") end },
    ["daemon.start"] = { 0, function() return t("The Shepherd started") end },
    ["daemon.stop"] = { 0, function() return t("The Shepherd stopped") end },
    ["store.degraded"] = { 2, function() return t("Nothing is being stored") end },
    ["store.recovered"] = { 0, function() return t("Storing again") end },
    ["plugin.refused"] = { 2, function() return t("A plugin was refused") end },
    ["device.found"] = { 0, function() return t("An unknown device appeared") end },
    ["device.lost"] = { 0, function() return t("An unknown device went away") end },
    ["device.doubt"] = { 1, function() return t("Which board is this?") end },
    ["payout.changed"] = { 2, function() return t("Payout changed") end },
    ["payout.acknowledged"] = { 0, function() return t("Payout alarm acknowledged") end },
    ["ports.lost"] = { 2, function() return t("Many ports went at once") end },
    ["ports.back"] = { 0, function() return t("Ports are back") end },
    ["port.flapping"] = { 1, function() return t("Its port comes and goes") end },
}
local STATUS = {
    online = function() return t("online") end, idle = function() return t("idle") end,
    silent = function() return t("silent") end, resetting = function() return t("resetting") end,
    offline = function() return t("offline") end,
}

local function status_words(name)
    return STATUS[name] and STATUS[name]() or name
end

--- An event in words for people.
-- @param event one of shepherd.events()
-- @return severity (0 good or plain, 1 worth a look, 2 alarm), words, and what was said besides, or nil
function health.event_words(event)
    local detail = event.text ~= "" and event.text or nil
    if event.event == "miner.status" then
        local old, new = (detail or ""):match("^(%a+) > (%a+)$")
        if not old then return 0, t("Status changed"), detail end
        return 0, t("%s, was %s", status_words(new), status_words(old)), nil
    end
    local known = EVENTS[event.event]
    if not known then return 0, event.event, detail end
    if event.value and event.value > 0 and (event.event == "share.best" or event.event == "block.found") then
        detail = format.difficulty(event.value)
    end
    return known[1], known[2](), detail
end

-- ---- the verdict ----------------------------------------------------------------------------

-- What the verdict rests on: a line of the log, else an event, else the miner's own word.
local function evidence(found, seen)
    local line = found.lines and line_with(seen.lines, found.lines)
    if line then return { kind = "line", text = line.line, at_ms = line.at_ms } end
    local event = found.events and event_named(seen.events, found.events)
    if event then return { kind = "event", event = event, at_ms = event.at_ms } end
    local at = seen.miner.at or {}
    if seen.status == "offline" and seen.why then
        return { kind = "word", text = sentence.say(seen.why), at_ms = seen.miner.status_at_ms }
    end
    if seen.error then return { kind = "word", text = seen.error, at_ms = at.error } end
    if seen.state and found.level ~= "good" then return { kind = "word", text = seen.state, at_ms = at.state } end
    return nil
end

--- Why a miner is as it is.
-- @param miner one of shepherd.herd().miners
-- @param heard { events = shepherd.events{ … }, lines = shepherd.logs{ … } }, newest first; either may be missing
-- @return { id, level = "good" | "look" | "bad", headline, remedy (or nil), evidence = { kind = "line" | "event" | "word",
-- text, at_ms, or of an event: event } or nil }. The words are not escaped: print them with `<%= %>`
function health.diagnose(miner, heard)
    local function said(text) return text ~= "" and text or nil end
    local seen = {
        miner = miner, status = miner.status, state = said(miner.state), error = said(miner.error), why = said(miner.why),
        lines = heard and heard.lines or {}, events = heard and heard.events or {},
    }
    for _, each in ipairs(RULES) do
        if each.when(seen) then
            local headline, remedy = each.say(seen)
            return { id = each.id, level = each.level or "bad", headline = headline, remedy = remedy,
                     evidence = evidence(each, seen) }
        end
    end
end

--- Whether a miner's state needs its log to be explained: then read more lines than are shown.
-- @param miner one of shepherd.herd().miners
function health.is_plain(miner)
    return miner.status == "online" and (miner.error == nil or miner.error == "")
end

return health
