-- HTML. What goes through here is escaped unless it was made here or by html.raw.
local _, core = ...
local format = require "format"
local locale = require "locale"

local html = {}

--- A value that is HTML already and passes `<%= … %>` unescaped. Only for what you wrote yourself:
-- names of miners, log lines and replies of pools are written by others.
-- @function html.raw
html.raw = core.raw

--- Text in which nothing is markup; control characters are gone; nil is "".
-- @function html.escape
html.escape = core.escape

--- Whether a value was made by html.raw.
-- @function html.is_raw
html.is_raw = core.is_raw

local VOID = { area = true, br = true, col = true, hr = true, img = true, input = true, link = true,
               meta = true, source = true, wbr = true }

--- Attributes: { class = "a", hidden = true, title = nil } → ` class="a" hidden`, sorted by name.
function html.attrs(attributes)
    local out = {}
    for name, value in sorted_pairs(attributes or {}) do
        if not tostring(name):match("^[%w:_-]+$") then
            error(("html.attrs: %q is no name of an attribute"):format(tostring(name)), 2)
        end
        if value == true then
            out[#out + 1] = " " .. name
        elseif value then
            out[#out + 1] = (' %s="%s"'):format(name, html.escape(tostring(value)))
        end
    end
    return html.raw(table.concat(out))
end

--- An element: html.el("a", { href = "/" }, "text", html.el("b", nil, "more")) → raw.
-- Children are escaped unless they are raw; nil is left out.
function html.el(name, attributes, ...)
    if not name:match("^[%a][%w-]*$") then
        error(("html.el: %q is no name of an element"):format(name), 2)
    end
    local out = { "<", name, tostring(html.attrs(attributes)), ">" }
    for i = 1, select("#", ...) do
        out[#out + 1] = tostring(html.escape((select(i, ...))))
    end
    if not VOID[name] then out[#out + 1] = "</" .. name .. ">" end
    return html.raw(table.concat(out))
end

--- A list of values as one: html.join({ a, b }, ", "). Each is escaped unless it is raw.
function html.join(list, separator)
    local out = {}
    for i, value in ipairs(list) do out[i] = tostring(html.escape(value)) end
    return html.raw(table.concat(out, tostring(html.escape(separator or ""))))
end

--- A text as a part of a URL: "a/b c" is "a%2Fb%20c".
function html.url_text(text)
    return (text:gsub("[^%w._~-]", function(c) return ("%%%02X"):format(c:byte()) end))
end

--- When something was; the browser turns it into "4 min ago" and keeps it right. Pages never
-- contain an age themselves: they do not depend on the time of rendering.
-- @param at_ms Unix time in ms, or nil
-- @param style "short" for "4 min"; nothing for "4 min ago"
-- @param never what stands there for nil; "never", in the language of the page
function html.time(at_ms, style, never)
    if not at_ms or at_ms <= 0 then return html.raw(html.escape(never or locale.translate("never"))) end
    return html.raw(('<time datetime="%s" data-age%s>%s</time>'):format(
        format.iso(at_ms), style and ('="%s"'):format(html.escape(style)) or "", format.utc(at_ms)))
end

return html
