-- What is plugged in and belongs to nobody yet, listened to or not: for /api/device_state and
-- /api/unconfigured_devices. Each is a device of shepherd.config().flock without json.null, with the
-- id of its row, by which /miners/onboard knows it.

local json = require "json"

local function clean(row)
    local out = {}
    for key, value in pairs(row) do
        if value ~= json.null then out[key] = value end
    end
    return out
end

local function rows_by_key()
    local rows = {}
    for _, row in ipairs(shepherd.query("SELECT id, key, first_seen_ms, last_seen_ms FROM devices")) do
        rows[row.key] = row
    end
    return rows
end

local strays = {}

--- Those that are offered: a person may have said "never" of others.
function strays.list()
    local out, rows = {}, rows_by_key()
    local flock = shepherd.config().flock
    for _, row in ipairs(flock and flock.devices or {}) do
        local device = clean(row)
        if device.stranger and not device.ignored then
            local known = rows[device.key] or {}
            device.id = known.id
            device.first_seen_ms, device.last_seen_ms = known.first_seen_ms, known.last_seen_ms
            out[#out + 1] = device
        end
    end
    return out
end

return strays
