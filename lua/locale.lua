-- Words for people, in the visitor's language. English is the key: a text that a catalogue does not
-- have is shown in English. A catalogue is lua/locale/<language>.lua: it returns a table
-- { ["Raw logs"] = "Rohdaten", … }.
local _, core = ...

local locale = {}

local function catalogue(language)
    local name = "locale." .. language
    return core.has_module(name) and require(name) or {}
end

local words

--- A text in the language of this page: t("Raw logs"); with values: t("%d of %d report", 8, 10).
-- It is there in every view as `t`. Values are put in by string.format, after translation.
-- @param text English, as it stands in the catalogues
-- @return text, not escaped: print it with `<%= %>`
function locale.translate(text, ...)
    words = words or catalogue(shepherd.request.locale)
    local translated = words[text] or text
    if select("#", ...) == 0 then return translated end
    return translated:format(...)
end

core.global("t", locale.translate)
return locale
