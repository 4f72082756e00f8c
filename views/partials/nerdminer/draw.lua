-- The pen of the NerdMiner homage: words, digits, icons and panels as SVG, on a stage of 320 × 170 as
-- that of the device's display. All shapes are ours.
--
-- The device places its numbers by the top of the line (x, y, size); digits() takes just these, so the
-- numbers in the screens can be compared with the device's.
local html = require "html"

local draw = {}

-- DSEG's digits fill the whole em, those of the device's font three quarters of it.
local EM = 0.76
local BASELINE = 0.86

local function num(value)
    return (("%.2f"):format(value):gsub("0+$", ""):gsub("%.$", ""))
end

-- ---- text ---------------------------------------------------------------------------------------

--- A number in seven segments; a step or symbol that has no segments is in small plain letters.
-- @param x, y, size as the device's driver has them
-- @param text  "12.34K"
-- @param more  { anchor = "end", class = "dark", attributes = {…} }
function draw.digits(x, y, size, text, more)
    more = more or {}
    local number, rest = text:match("^([%d.:%s-]+)(.*)$")
    local attributes = {
        class = "nerd-digits " .. (more.class or ""),
        x = num(x), y = num(y + size * BASELINE),
        ["font-size"] = num(size * EM),
        ["text-anchor"] = more.anchor,
    }
    for name, value in sorted_pairs(more.attributes or {}) do attributes[name] = value end
    if not number then return html.el("text", attributes, text) end
    if rest == "" then return html.el("text", attributes, number) end
    return html.el("text", attributes, number, html.el("tspan", { class = "nerd-step" }, rest))
end

--- The size in which a number of this many characters is at most `width` wide.
function draw.fitting(text, size, width)
    local digits = select(2, text:gsub("[%dA-Z]", ""))
    local wide = digits * 0.816 * EM
    return math.min(size, width / math.max(wide, 0.1))
end

--- Plain letters. more: { anchor, class, weight }
function draw.text(x, y, size, text, more)
    more = more or {}
    return html.el("text", {
        class = more.class or "nerd-label", x = num(x), y = num(y), ["font-size"] = num(size),
        ["text-anchor"] = more.anchor, ["data-at"] = more.at_ms, id = more.id,
    }, text)
end

-- ---- the words of the logos ---------------------------------------------------------------------

-- Each letter: width, and strokes on a field 14 high. Drawn by hand, so not quite straight.
local LETTERS = {
    A = { 10, "M0 14 4.8 0 10 13.8M1.8 9.6 8.4 9.2" },
    B = { 9.6, "M0 14 .4 0Q9 -.6 8.6 3.4 8.4 6.6 .6 6.8 10 6.4 9.6 10.4 9.2 14 0 14Z" },
    C = { 9.6, "M9.4 2.6Q7 -1 3.4 .5 -.8 3 .2 8.4 1.4 14.4 6 13.8 8.6 13.4 9.6 11" },
    D = { 9.8, "M0 14 .5 0Q10.2 .6 9.8 7 9.2 13.6 0 14Z" },
    E = { 8.8, "M8.8 .4.5 0 0 14 8.8 13.4M.4 7 7.4 6.6" },
    G = { 9.8, "M9.4 2.8Q7 -1 3.4 .5 -.8 3 .2 8.4 1.4 14.4 6 13.8 9.4 13 9.6 8L6 8.3" },
    H = { 9.8, "M.5 0 0 14M9.8 .2 9.4 14M.4 7.2 9.4 6.8" },
    I = { 1.4, "M.9 0 .4 14" },
    K = { 9.4, "M.5 0 0 14M9 .2.8 8.2M3.4 6.2 9.4 14" },
    L = { 8, "M.5 0 0 14 8 13.4" },
    M = { 12, "M0 14 1.2 .2 6 8.8 10.8 0 12 14" },
    N = { 9.6, "M0 14 .7 .2 8.8 13.8 9.6 0" },
    O = { 10, "M5 0Q10.4 .4 10 7.2 9.6 14.2 4.8 14 -.4 13.6 0 6.8 .4 0 5 0Z" },
    P = { 9, "M0 14 .5 .2Q9.6 -.8 9 4 8.4 7.9.6 7.8" },
    R = { 9.4, "M0 14 .5 .2Q9.4 -.6 9 3.8 8.4 7.4.6 7.6M4.4 7.4 9.4 14" },
    S = { 8.8, "M8.4 2Q6 -1 2.6 .7 -.6 3.4 2.2 5.8 4.2 7 6.4 7.8 10.2 9.6 8 12.4 4.6 15.2.2 12.2" },
    T = { 9.6, "M0 .5 9.6 0M5 .4 4.6 14" },
    ["2"] = { 7.6, "M.4 3.6Q1.4 -.8 4.6 .1 8.6 1.4 6.8 5.6L0 14 7.6 13.4" },
}
-- How each letter in turn stands: turned by degrees, and lifted.
local STANCE = { { -3, 0 }, { 2, .5 }, { -2, -.4 }, { 3, .3 }, { -1, 0 }, { 2, -.3 } }
local GAP = 5.2

local function strokes(word)
    local out, x = {}, 0
    local at = 0
    for letter in word:gmatch(".") do
        local shape = assert(LETTERS[letter], "no such letter in the logo")
        local stance = STANCE[at % #STANCE + 1]
        at = at + 1
        out[#out + 1] = ('<path d="%s" transform="translate(%s %s) rotate(%d 5 7)"/>'):format(
            shape[2], num(x), num(stance[2]), stance[1])
        x = x + shape[1] + GAP
    end
    return table.concat(out), x - GAP
end

--- A word of a logo, its letters outlined in black.
-- @param height of the letters; class "nerd-white", "nerd-yellow", "nerd-cyan"
-- @return the drawing, and where it ends
function draw.word(word, x, y, height, class)
    local scale = height / 14
    local paths, width = strokes(word)
    local group = ('<g transform="translate(%s %s) scale(%s)"><g class="nerd-rim">%s</g><g class="nerd-word %s">%s</g></g>')
        :format(num(x), num(y), ("%.3f"):format(scale), paths, class, paths)
    return html.raw(group), x + width * scale
end

--- Two words, one above the other, with the small ² and the pick-axe after the first.
-- @param top, bottom { word, class }
function draw.logo(top, bottom, x, y, height)
    local upper, ends = draw.word(top[1], x, y, height, top[2])
    local lower = draw.word(bottom[1], x + 5, y + height * 1.36, height * 1.1, bottom[2])
    local two, two_ends = draw.word("2", ends + height * 0.2, y - height * 0.06, height * 0.4, top[2])
    return html.join { upper, two, draw.pickaxe(two_ends + 2, y - 2, height * 0.9, "nerd-tool"), lower }
end

-- ---- icons --------------------------------------------------------------------------------------

local function icon(x, y, size, field, class, paths)
    return html.raw(('<g class="nerd-icon %s" transform="translate(%s %s) scale(%s)">%s</g>'):format(
        class or "", num(x), num(y), ("%.3f"):format(size / field), paths))
end

function draw.pickaxe(x, y, size, class)
    return icon(x, y, size, 14, class, '<path class="nerd-handle" d="M2 13 9.4 4.4"/>' ..
        '<path class="nerd-head" d="M3 2.6Q5 .6 8.2 1.6 11.8 3 12.8 6.6 13.6 9.4 12.2 11.6 11.6 7.4 9.2 5.2 6.8 3.2 3 2.6Z"/>')
end

function draw.wifi(x, y, size, class)
    return icon(x, y, size, 14, class, '<path d="M1 5.6Q7 0 13 5.6M3.2 8.2Q7 4.8 10.8 8.2M5.4 10.6Q7 9.2 8.6 10.6"/>' ..
        '<circle class="nerd-dot" cx="7" cy="12.6" r="1.1"/>')
end

function draw.alarm(x, y, size)
    return icon(x, y, size, 14, "nerd-alarm", '<circle cx="7" cy="8" r="4.6"/>' ..
        '<path d="M7 5.4V8L9 9.2M1.4 4.6Q1.4 2 4.2 1.6M12.6 4.6Q12.6 2 9.8 1.6M3.6 11.6 2.4 13.2M10.4 11.6 11.6 13.2"/>')
end

--- ₿ on a coin.
function draw.coin(x, y, size, class)
    return icon(x, y, size, 14, class or "nerd-coin", '<circle cx="7" cy="7" r="6.6"/>' ..
        '<path class="nerd-b" transform="rotate(13 7 7)" d="M4.6 4H8Q9.8 4 9.8 5.5 9.8 6.9 8 6.9H5.6' ..
        'M8 6.9Q10.3 6.9 10.3 8.6 10.3 10.2 8.2 10.2H4.6M5.7 4V10.2M6.3 2.7V4M8 2.7V4M6.3 10.2V11.5M8 10.2V11.5"/>')
end

-- ---- panels -------------------------------------------------------------------------------------

--- The grey tab at the top right; its left edge is slanted.
-- @param height 14 when nothing is said
function draw.tab(x, height)
    height = height or 14
    return html.raw(('<path class="nerd-tab" d="M%d 0H320V%dH%sZ"/>'):format(x, height, num(x + height * 0.64)))
end

--- A thin white line with a connector at each end.
function draw.wire(x1, x2, y)
    return html.raw(('<path class="nerd-wire" d="M%s %sH%s"/><rect class="nerd-plug" x="%s" y="%s" width="5" height="3"/>' ..
        '<rect class="nerd-plug" x="%s" y="%s" width="5" height="3"/>'):format(
        num(x1), num(y), num(x2), num(x1 - 1), num(y - 1.5), num(x2 - 4), num(y - 1.5)))
end

--- The white edge of panels, with a connector where it begins and where it ends.
function draw.edge(path, x1, y1, x2, y2)
    return html.raw(('<path class="nerd-edge" d="%s"/><rect class="nerd-plug" x="%s" y="%s" width="13" height="5"/>' ..
        '<rect class="nerd-plug" x="%s" y="%s" width="13" height="5"/>'):format(
        path, num(x1), num(y1 - 4), num(x2), num(y2 - 4)))
end

--- A panel: a path in one of the colours "nerd-yellow", "nerd-cyan", "nerd-red".
function draw.panel(path, class)
    return html.raw(('<path class="nerd-panel %s" d="%s"/>'):format(class, path))
end

-- ---- the world ----------------------------------------------------------------------------------

-- From north to south, every 6 degrees: where there is land, from and to which longitude.
local LAND = {
    { 78, -95, -75, -68, -22, 14, 24, 96, 104 },
    { 72, -124, -80, -54, -24, 52, 56, 80, 140 },
    { 66, -165, -88, -72, -64, -52, -36, -22, -16, 14, 180 },
    { 60, -162, -96, -78, -66, -46, -44, 6, 18, 22, 162 },
    { 54, -130, -84, -78, -60, -9, -6, -4, 0, 9, 138, 156, 160 },
    { 48, -124, -66, -58, -54, 0, 138, 142, 142 },
    { 42, -124, -72, -8, 3, 12, 15, 20, 28, 32, 48, 53, 130, 141, 144 },
    { 36, -121, -78, -6, 10, 28, 120, 126, 129, 134, 140 },
    { 30, -115, -94, -84, -82, -9, 120 },
    { 24, -110, -98, -82, -78, -15, 35, 39, 56, 67, 116, 121, 121 },
    { 18, -103, -90, -76, -68, -16, 38, 43, 54, 73, 84, 94, 106, 121, 121 },
    { 12, -88, -84, -72, -70, -16, 43, 75, 80, 99, 108, 122, 125 },
    { 6, -77, -54, -10, 48, 80, 80, 101, 103, 116, 118 },
    { 0, -79, -50, 10, 43, 99, 104, 109, 118, 121, 121, 132, 134 },
    { -6, -80, -36, 13, 39, 106, 112, 138, 147 },
    { -12, -77, -39, 14, 40, 49, 49, 131, 136, 143, 143 },
    { -18, -70, -41, 13, 36, 44, 48, 122, 145 },
    { -24, -69, -46, 15, 35, 44, 46, 114, 150 },
    { -30, -71, -51, 18, 30, 116, 152 },
    { -36, -72, -57, 138, 149, 174, 176 },
    { -42, -72, -65, 146, 148, 171, 173 },
    { -48, -73, -67 },
    { -54, -71, -67 },
}
local STEP = 6

--- The world as a field of dots.
-- @param scale pixels a degree
function draw.world(x, y, scale)
    local out = {}
    for _, row in ipairs(LAND) do
        for i = 2, #row, 2 do
            local west = math.ceil(row[i] / STEP) * STEP
            for lon = west, math.max(row[i + 1], west), STEP do
                out[#out + 1] = ("M%s %sh0"):format(num(x + (lon + 180) * scale), num(y + (78 - row[1]) * scale))
            end
        end
    end
    return html.raw(('<path class="nerd-world" d="%s"/>'):format(table.concat(out)))
end

return draw
