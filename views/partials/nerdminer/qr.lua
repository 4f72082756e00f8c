-- QR codes for the screen SETUP: bytes, versions 1 to 5, level L. These have one block each, so there
-- is nothing to interleave.
--
--   local qr = require "partials.nerdminer.qr"
--   local path, modules = qr.path(qr.wifi("NerdMinerAP", "MineYourCoins"))   -- for <path d=…>, one unit a module
local qr = {}

-- Of each version: bytes of data, bytes of error correction, middle of the lower right alignment pattern.
local VERSIONS = { { 19, 7 }, { 34, 10, 18 }, { 55, 15, 22 }, { 80, 20, 26 }, { 108, 26, 30 } }
local HEAD_BYTES = 2 -- mode, length and terminator: 4 + 8 + 4 bits
-- Any of the eight masks makes a code that can be read; this one is 0, a chessboard. The format's 15
-- bits say so, and level L.
local FORMAT = 0x77C4
local function is_flipped(x, y) return (x + y) % 2 == 0 end

-- ---- bytes --------------------------------------------------------------------------------------

local function product(a, b) -- in GF(256), modulo x⁸ + x⁴ + x³ + x² + 1
    local out = 0
    while b > 0 do
        if b & 1 == 1 then out = out ~ a end
        a = a << 1
        if a > 255 then a = a ~ 0x11D end
        b = b >> 1
    end
    return out
end

-- The factors of (x - 1)(x - 2)(x - 4)…, without that of the highest power.
local function generator(degree)
    local out, root = { 1 }, 1
    for _ = 1, degree do
        out[#out + 1] = 0
        for i = #out, 2, -1 do out[i] = out[i] ~ product(out[i - 1], root) end
        root = product(root, 2)
    end
    table.remove(out, 1)
    return out
end

-- What is left of the data, divided by the generator.
local function correction(data, degree)
    local factors = generator(degree)
    local rest = {}
    for i = 1, degree do rest[i] = 0 end
    for _, byte in ipairs(data) do
        local lead = byte ~ table.remove(rest, 1)
        rest[degree] = 0
        for i = 1, degree do rest[i] = rest[i] ~ product(factors[i], lead) end
    end
    return rest
end

-- Mode "bytes" and the length are 12 bits: everything stands half a byte further on.
local function codewords(text, version)
    local size, degree = version[1], version[2]
    local halves = { 4, #text >> 4, #text & 15 }
    for i = 1, #text do
        halves[#halves + 1] = text:byte(i) >> 4
        halves[#halves + 1] = text:byte(i) & 15
    end
    halves[#halves + 1] = 0 -- the end
    local data = {}
    for i = 1, #halves, 2 do data[#data + 1] = halves[i] << 4 | halves[i + 1] end
    for i = 1, size - #data do data[#data + 1] = i % 2 == 1 and 0xEC or 0x11 end
    table.move(correction(data, degree), 1, degree, #data + 1, data)
    return data
end

-- ---- modules ------------------------------------------------------------------------------------

-- A field of modules, from 0: nil is free, true is dark.
local function field_make(size)
    local field = { size = size }
    for y = 0, size - 1 do field[y] = {} end
    return field
end

-- Rings around a middle: those whose distance is in `light` are light.
local function rings(field, x, y, reach, light)
    for dy = -reach, reach do
        for dx = -reach, reach do
            local row, column = field[y + dy], x + dx
            local ring = math.max(math.abs(dx), math.abs(dy))
            if row and column >= 0 and column < field.size then row[column] = not light[ring] end
        end
    end
end

local function format_draw(field)
    local last = field.size - 1
    for i = 0, 14 do
        local dark = FORMAT >> i & 1 == 1
        local near = i < 6 and i or i < 8 and i + 1 or nil -- past the timing pattern
        if near then field[near][8] = dark else field[8][i == 8 and 7 or 14 - i] = dark end
        if i < 8 then field[8][last - i] = dark else field[last - 14 + i][8] = dark end
    end
    field[last - 7][8] = true
end

local function patterns_draw(field, align)
    local last = field.size - 1
    for i = 0, last do
        field[6][i] = i % 2 == 0
        field[i][6] = i % 2 == 0
    end
    local finder = { [2] = true, [4] = true }
    rings(field, 3, 3, 4, finder)
    rings(field, last - 3, 3, 4, finder)
    rings(field, 3, last - 3, 4, finder)
    if align then rings(field, align, align, 2, { true }) end
    format_draw(field)
end

-- Two columns at a time from the right, up and down in turn, past the upright timing pattern.
local function data_draw(field, bytes)
    local bit = 0
    local upward = true
    local right = field.size - 1
    while right > 0 do
        if right == 6 then right = 5 end
        for step = 0, field.size - 1 do
            local y = upward and field.size - 1 - step or step
            for x = right, right - 1, -1 do
                if field[y][x] == nil then
                    local byte = bytes[bit // 8 + 1] or 0
                    field[y][x] = (byte >> (7 - bit % 8) & 1 == 1) ~= is_flipped(x, y)
                    bit = bit + 1
                end
            end
        end
        upward = not upward
        right = right - 2
    end
end

--- The modules of a text.
-- @return a table of rows from 0, true is dark, and `size`; nil when the text is too long
function qr.modules(text)
    for number, version in ipairs(VERSIONS) do
        if #text <= version[1] - HEAD_BYTES then
            local field = field_make(17 + 4 * number)
            patterns_draw(field, version[3])
            data_draw(field, codewords(text, version))
            return field
        end
    end
    return nil
end

--- The dark modules as a path, one unit each.
-- @return the path, how many modules wide; nil when the text is too long
function qr.path(text)
    local field = qr.modules(text)
    if not field then return nil end
    local out = {}
    for y = 0, field.size - 1 do
        local x = 0
        while x < field.size do
            local from = x
            while x < field.size and field[y][x] do x = x + 1 end
            if x > from then out[#out + 1] = ("M%d %dh%dv1h-%dz"):format(from, y, x - from, x - from) end
            x = x + 1
        end
    end
    return table.concat(out), field.size
end

--- What a phone reads to join a Wi-Fi with a password.
function qr.wifi(name, password)
    local function escaped(part) return (part:gsub('[\\;,:"]', "\\%0")) end
    return ("WIFI:S:%s;T:WPA;P:%s;;"):format(escaped(name), escaped(password))
end

return qr
