-- GET /api/unconfigured_devices: what is plugged in and belongs to nobody yet, under the names that
-- the Python Shepherd had for it; key is ours, for /devices/accept and the like.

local format = require "format"
local json = require "json"
local strays = require "partials.strays"

local known = json.or_null

local out = json.array {}
for _, device in ipairs(strays.list()) do
    out[#out + 1] = {
        id = known(device.id),
        key = device.key,
        dev_path = known(device.path),
        port_path = known(device.port_path),
        vendor_id = known(device.vendor_id),
        product_id = known(device.product_id),
        serial_number = known(device.serial),
        mac_address = known(device.mac),
        description = known(device.description),
        discovered_at = device.first_seen_ms and format.iso(device.first_seen_ms) or json.null,
        listened = device.listened,
        plausible = device.plausible,
        suggested_name = known(device.suggested_name),
    }
end

return out
