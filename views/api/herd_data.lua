-- GET /api/herd_data: the herd as JSON, keys as the Python Shepherd had them; numbers are numbers,
-- null is "not known". More keys may be added; none is ever renamed.
--
-- age_s counts from the moment this picture was made (made_at_ms) to the miner's last line. A client
-- that wants an age right now takes last_seen and its own clock.

local format = require "format"
local json = require "json"

local herd = shepherd.herd()
local totals = herd.totals
local price = shepherd.facts("price") or {}
local network = shepherd.facts("network") or {}

local known = json.or_null

local function divided(value, by)
    if value == nil then return json.null end
    return value / by
end

local function whole(value)
    if value == nil then return json.null end
    return math.tointeger(value) or value
end

local function time(ms)
    if not ms or ms == 0 then return json.null end
    return format.iso(ms)
end

-- 93784 → "1  02:03:04", as NerdMiner prints it
local function time_mining(seconds)
    if not seconds then return json.null end
    local s = math.floor(seconds)
    return ("%d  %02d:%02d:%02d"):format(s // 86400, s % 86400 // 3600, s % 3600 // 60, s % 60)
end

local function last_updated(miner)
    local newest = 0
    for _, at_ms in pairs(miner.at or {}) do newest = math.max(newest, at_ms) end
    return newest
end

local function row(miner)
    return {
        id = miner.id,
        miner_id = miner.name,
        status = miner.status,
        why = known(miner.why),
        firmware = known(miner.firmware),
        nerdminer_vrs = known(miner.version and miner.version:gsub("^[vV]", "") or nil),
        board = known(miner.board),
        chipset = known(miner.chip),
        mac_address = known(miner.mac),
        location_notes = known(miner.location),
        group = known(miner.group),
        tags = json.array(miner.tags),
        source = known(miner.source),
        dev_path = known(miner.path),
        parser = known(miner.parser),

        ["KH/s"] = divided(miner.hashrate, 1000),
        hashrate = known(miner.hashrate),
        hashrate_1h = known(miner.hashrate_1h),
        hashrate_24h = known(miner.hashrate_24h),
        ["Total MHashes"] = divided(miner.hashes_total, 1e6),
        ["Shares"] = whole(miner.shares_32bit),
        shares_accepted = whole(miner.shares_accepted),
        shares_rejected = whole(miner.shares_rejected),
        ["Best difficulty"] = known(miner.best_difficulty),
        best_difficulty_ever = known(miner.best_difficulty_ever),
        ["Block templates"] = whole(miner.block_templates),
        ["Valid blocks"] = whole(miner.valid_blocks),
        ["Temperature"] = known(miner.temperature),
        ["Time mining"] = time_mining(miner.uptime),
        uptime_s = known(miner.uptime),

        pool_url = known(miner.pool),
        wallet_address = known(miner.wallet),
        worker = known(miner.worker),
        state = known(miner.state),
        error = known(miner.error),

        last_seen = time(miner.last_seen_ms),
        last_updated = time(last_updated(miner)),
        age_s = miner.last_seen_ms and miner.last_seen_ms > 0
            and math.max(0, (herd.made_at_ms - miner.last_seen_ms) // 1000) or json.null,
        demo = miner.demo or false,
    }
end

local NETWORK = {
    "height", "tip_at_ms", "difficulty", "hashrate", "fee_fastest", "fee_half_hour", "fee_hour", "fee_minimum",
    "halving_blocks", "halving_percent", "retarget_blocks", "retarget_percent", "last_updated",
}

local function network_row()
    local out = {}
    for _, key in ipairs(NETWORK) do out[key] = known(network[key]) end
    return out
end

local miners = json.array {}
for i, miner in ipairs(herd.miners) do miners[i] = row(miner) end

return {
    herd_stats = {
        total_miners = totals.total_miners,
        online_miners = totals.online_miners,
        reporting = totals.reporting_miners,
        total_hash_khs = totals.hashrate / 1000,
        total_shares = whole(totals.shares),
        total_shares_accepted = whole(totals.accepted),
        total_shares_rejected = whole(totals.rejected),
        total_block_templates = whole(totals.block_templates),
        best_difficulty = known(totals.best_difficulty),
        best_difficulty_ever = known(totals.best_difficulty_ever),
    },
    btc_price_data = {
        price_usd = known(price.price_usd),
        change_24h = known(price.change_24h),
        last_updated = known(price.last_updated),
    },
    network = network_row(),
    miners_list = miners,
    demo = herd.demo or false,
    seq = herd.seq,
    made_at = time(herd.made_at_ms),
}
