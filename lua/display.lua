-- How a screen on the wall shows things: the table `display` of the configuration, and what the URL
-- of this screen says instead (/kiosk?hour12=yes&timezone=Europe/Vienna).
local display = {}

--- Every setting with its default; the type of the default is the type of the setting.
-- locale    "auto" (what the browser asks for), "en", "de", "es"
-- theme     "auto" (what the browser prefers), "dark", "light", "contrast"
-- timezone  IANA name such as "Europe/Vienna"; "" is that of the screen
-- hour12, seconds   how the clock reads
-- date      "full", "long", "medium", "short" (as the language writes them) or "iso"
-- views     of /play, in order: name[:seconds][@from-to], such as "kiosk:30", "matrix@18-23"
-- dwell     seconds that a view of /play stays
-- dim       hours in which the screen is dark: "22-6", "22:30-6:15", "sun" (from sunset to sunrise), "" never
-- dim_level brightness in the night, 0.05 to 1
-- red       whether the night is red too
-- latitude, longitude   degrees, for "sun"
-- shift     move the picture by a few pixels now and then, against burn-in
-- focus     what may interrupt /play: "offline", "best_share", "block_found"
-- focus_s   seconds that an interruption stays
display.defaults = {
    locale = "auto",
    theme = "auto",
    timezone = "",
    hour12 = false,
    seconds = true,
    date = "full",
    views = "kiosk,health,nerdminer,matrix",
    dwell = 20,
    dim = "",
    dim_level = 0.3,
    red = true,
    latitude = 0.0,
    longitude = 0.0,
    shift = true,
    focus = "offline,best_share,block_found",
    focus_s = 30,
}

--- The settings of this page: default, configuration, URL, the later wins. Declares those names as
-- parameters of the page.
-- @param names list of the settings that this page uses: only those are declared and returned
-- @return table by name; lists (views, focus) are texts with commas
function display.settings(names)
    local configured = shepherd.config().display or {}
    local values = {}
    for _, name in ipairs(names) do
        local value = configured[name]
        if type(value) == "table" then value = table.concat(value, ",") end
        if value == nil then value = display.defaults[name] end
        if math.type(display.defaults[name]) == "float" then value = value + 0.0 end
        values[name] = value
    end
    return shepherd.params(values)
end

return display
