-- GET /api/device_state: every way in, as the Python Shepherd listed them: miners first, then
-- "strays", devices that were found and belong to nobody yet.

local format = require "format"
local json = require "json"

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

local out = json.array {}

local device_of = {}
for _, device in ipairs(shepherd.query("SELECT miner_id, port_path, serial FROM devices WHERE miner_id IS NOT NULL")) do
    device_of[device.miner_id] = device
end

for _, miner in ipairs(shepherd.herd().miners) do
    local device = device_of[miner.id] or {}
    out[#out + 1] = {
        type = "miner",
        id = miner.id,
        miner_id = miner.name,
        dev_path = known(miner.path),
        port_path = known(device.port_path),
        serial_number = known(device.serial),
        mac_address = known(miner.mac),
        status = miner.status,
        state_msg = known(miner.state or miner.why),
        display_status = DISPLAY[miner.status] or miner.status,
        pool_url = known(miner.pool),
        wallet_address = known(miner.wallet),
        version = known(miner.version),
        chipset = known(miner.chip),
        last_seen = time(miner.last_seen_ms),
        location_notes = known(miner.location),
    }
end

local strays = shepherd.query [[
    SELECT id, dev_path, port_path, serial_number, vendor_id, product_id, description, last_seen_ms
    FROM unconfigured_devices WHERE present ORDER BY id]]
for _, stray in ipairs(strays) do
    out[#out + 1] = {
        type = "stray",
        id = stray.id,
        miner_id = json.null,
        dev_path = known(stray.dev_path),
        port_path = known(stray.port_path),
        serial_number = known(stray.serial_number),
        mac_address = json.null,
        vendor_id = known(stray.vendor_id),
        product_id = known(stray.product_id),
        status = "unconfigured",
        state_msg = known(stray.description),
        display_status = "Unconfigured",
        pool_url = json.null,
        wallet_address = json.null,
        version = json.null,
        chipset = json.null,
        last_seen = time(stray.last_seen_ms),
        location_notes = json.null,
    }
end

return out
