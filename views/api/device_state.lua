-- GET /api/device_state: every way in, as the Python Shepherd listed them: miners first, then
-- "strays", devices that were found and belong to nobody yet.

local format = require "format"
local json = require "json"
local strays = require "partials.strays"

-- What the settings page of the original shows for each status.
local DISPLAY = {
    online = "Online",
    idle = "Inactive", -- it talks, but computes nothing
    silent = "Stale",
    resetting = "Resetting",
    offline = "Offline",
}

local known = json.or_null

local function time(ms)
    if not ms or ms == 0 then return json.null end
    return format.iso(ms)
end

local device_of = {}
for _, device in ipairs(shepherd.query [[
    SELECT miner_id, port_path, serial, mac FROM devices WHERE miner_id IS NOT NULL ORDER BY last_seen_ms]]) do
    device_of[device.miner_id] = device
end

-- What people wrote, or an import brought, where the log does not say it.
local written = (shepherd.config().flock or {}).miners or {}

local function miner_row(miner)
    local device, words = device_of[miner.id] or {}, written[tostring(miner.id)] or {}
    return {
        type = "miner",
        id = miner.id,
        miner_id = miner.name,
        dev_path = known(miner.path),
        port_path = known(device.port_path),
        serial_number = known(device.serial),
        mac_address = known(miner.mac or device.mac or words.mac),
        status = miner.status,
        state_msg = known(miner.state or miner.why),
        display_status = DISPLAY[miner.status] or miner.status,
        pool_url = known(miner.pool),
        wallet_address = known(miner.wallet),
        version = known(miner.version or words.version),
        chipset = known(miner.chip or words.chipset),
        last_seen = time(miner.last_seen_ms),
        location_notes = known(miner.location),
    }
end

-- A stranger whose log told pool and wallet is what the original called captured.
local function stray_row(device)
    local captured = device.pool and device.wallet
    return {
        type = "stray",
        id = known(device.id),
        key = device.key,
        miner_id = json.null,
        dev_path = known(device.path),
        port_path = known(device.port_path),
        serial_number = known(device.serial),
        mac_address = known(device.mac),
        vendor_id = known(device.vendor_id),
        product_id = known(device.product_id),
        status = "unconfigured",
        state_msg = known(device.doubt or device.description),
        display_status = captured and "Unconfigured (Captured)" or "Unconfigured",
        pool_url = known(device.pool),
        wallet_address = known(device.wallet),
        version = known(device.version),
        chipset = known(device.chip),
        last_seen = time(device.last_seen_ms),
        location_notes = json.null,
        suggested_name = known(device.suggested_name),
    }
end

local out, stranger = json.array {}, {}
local waiting = strays.list()
for _, device in ipairs(waiting) do
    if device.miner then stranger[device.miner] = true end
end
for _, miner in ipairs(shepherd.herd().miners) do
    if not stranger[miner.name] then out[#out + 1] = miner_row(miner) end
end
for _, device in ipairs(waiting) do out[#out + 1] = stray_row(device) end

return out
