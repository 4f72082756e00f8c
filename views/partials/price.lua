-- The price of a bitcoin and how it moved, as short texts with markup.
local format = require "format"
local html = require "html"

local price = {}

local SYMBOLS = { USD = "$", EUR = "€", GBP = "£" }
local ARROWS = { up = "M6 1l5.5 10H.5z", down = "M6 11L.5 1h11z" }

--- $97,406; nil when nothing is known.
-- @param fact what the service "price" published, or nil
function price.amount(fact)
    local amount = fact and (fact.price or fact.price_usd)
    if not amount then return nil end
    local currency = (fact.price and fact.currency or "usd"):upper()
    local text = format.number(amount, amount < 100 and 2 or 0)
    if SYMBOLS[currency] then return SYMBOLS[currency] .. text end
    return html.join { text, html.el("span", { class = "currency" }, currency) }
end

--- ▲ +1.25 %: arrow, sign and colour; nil when it is not known.
function price.change(fact)
    local percent = fact and fact.change_24h
    if not percent then return nil end
    local way = percent < 0 and "down" or "up"
    local arrow = html.raw(('<svg viewBox="0 0 12 12" aria-hidden="true"><path d="%s" fill="currentColor"/></svg>'):format(
        ARROWS[way]))
    return html.el("data", { class = way, id = "btc-change", value = percent }, arrow,
        (" %s%s %%"):format(percent < 0 and "−" or "+", format.number(math.abs(percent), 2)))
end

return price
