-- What the settings show, from shepherd.config() and the herd: nil instead of json.null, lists in order, ways to look
-- things up. Without a flock in the configuration (a page rendered by hand) all lists are empty.
local json = require "json"
local order = require "order"

local data = {}

-- A copy without json.null. What is in it is a few fields of some hundred things.
local function clean(value)
    if value == json.null then return nil end
    if type(value) ~= "table" then return value end
    local out = {}
    for key, inner in pairs(value) do out[key] = clean(inner) end
    return out
end

local config = shepherd.config()
local flock = config.flock or {}
local access = clean(config.access or {})

local function sorted(list, key)
    local out = {}
    for i, value in ipairs(list or {}) do out[i] = value end
    table.sort(out, function(a, b)
        local left, right = key(a), key(b)
        if left ~= right then return left < right end
        return tostring(a.id or a.key) < tostring(b.id or b.key)
    end)
    return out
end

data.pools = sorted(clean(flock.pools), function(pool) return order.natural(pool.pool_name or "") end)
data.addresses = sorted(clean(flock.addresses), function(row)
    return (row.coin_ticker or "") .. order.natural(row.label or "") .. (row.address or "")
end)
data.devices = sorted(clean(flock.devices), function(device) return order.natural(device.port_path or device.path or device.key) end)
data.has_admin = access.has_admin
data.users = sorted(access.users, function(user) return order.natural(user.name) end) -- admin, who has no number, too
data.tokens = sorted(access.tokens, function(token) return order.natural(token.name) end)
data.sessions = access.sessions

local by_name

--- The miner of the herd that has this name, or nil.
function data.miner_named(name)
    if not by_name then
        by_name = {}
        for _, miner in ipairs(shepherd.herd().miners) do by_name[miner.name] = miner end
    end
    return by_name[name or ""]
end

--- What is managed of a miner: origin, device, notes, expected_pool, expected_address, alarm, … A table always. Of a
-- thousand miners only those are read that are asked for.
function data.managed(miner) return clean((flock.miners or {})[tostring(miner.id)] or {}) end

--- Where a miner stands: "file", "browser", "found" (listened to, nobody's yet) or "demo".
function data.origin(miner)
    if miner.demo then return "demo" end
    if miner.from_file then return "file" end
    return miner.found and "found" or "browser"
end

data.origin_words = {
    demo = t("demo"), file = t("the file"), browser = t("the browser"), found = t("found by itself"),
}

--- Whose a device is: a miner of the herd that was accepted, or nil.
function data.owner(device)
    local miner = device.miner and data.miner_named(device.miner)
    return miner and not miner.found and miner or nil
end

--- Whether its log told what it is: then it can be accepted at a click.
function data.is_known(device) return device.firmware ~= nil and not device.doubt end

--- Devices that are nobody's, or about which there is a question: { strangers (worth a look), others (no miner, by the
-- look of them), ignored }.
function data.newcomers()
    local out = { strangers = {}, others = {}, ignored = {} }
    for _, device in ipairs(data.devices) do
        if device.doubt or not data.owner(device) then
            local list = device.ignored and out.ignored
                or (device.plausible or device.listened or device.doubt) and out.strangers or out.others
            list[#list + 1] = device
        end
    end
    return out
end

--- Where miners stand, for a list to choose from.
function data.locations()
    local known, list = {}, {}
    for _, miner in ipairs(shepherd.herd().miners) do
        local location = miner.location
        if location and location ~= "" and not known[location] then
            known[location] = true
            list[#list + 1] = location
        end
    end
    table.sort(list)
    return list
end

--- A device's key as a part of an id. Two keys never become the same.
function data.id_of(key)
    return (key:gsub("[^%w]", function(c) return ("_%02x"):format(c:byte()) end))
end

--- An address in little room: "bc1qar0srrr…wf5mdq". What is short stays.
function data.shorten(address)
    if not address or utf8.len(address) == nil or utf8.len(address) <= 18 then return address end
    return address:sub(1, utf8.offset(address, 11) - 1) .. "…" .. address:sub(utf8.offset(address, -6))
end

return data
