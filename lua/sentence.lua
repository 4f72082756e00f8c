-- What the daemon itself says to people, in the language of the page: why a miner is offline, which board this may be, what came
-- of a form. It says all of it in English, in the API, in the log and in its answers. Those sentences that people meet most are
-- known here; any other one stays English. static/sentence.js does the same in the browser.
local locale = require "locale"

local TEXT_MAX = 512 -- bytes; a longer one is no sentence of ours

local sentence = {}
local known = {} -- { English, translation }: %s is filled in, with a name, a number, an address

local function translate(text) known[#known + 1] = { text, locale.translate(text) } end

-- Who you are
translate("The name or the password is wrong.")
translate("The password is wrong.")
translate("The password is too short: take at least 8 characters.")
translate("The setup code is wrong or too old. It stands in the log since the last start, and is valid for an hour.")
translate("Too many tries: wait %s %s.")
translate("seconds")
translate("minutes")
translate("There is no admin yet: /setup comes first.")
translate("There is an admin already: log in.")
translate("The admin password is set.")
translate("You are logged in.")
translate("You are logged out.")
translate("Your password is changed.")
translate("You may look here, but not change this.")
translate("An admin has to do this.")
translate("This is the last admin: make another one first, or set the admin's password with `shepherd passwd`.")
translate("This form has no valid token (csrf): open its page again.")

-- What is plugged in
translate("unplugged")
translate("not plugged in")
translate("it may be %s, which was at port %s")
translate("it may be %s, which was at port %s, or another one of %s that are missing")
translate("another kind of device (%s:%s) is at port %s, where %s was")
translate("its path is configured for %s, but it is the board of %s")
translate("no such device is plugged in (any more)")
translate("Listening.")
translate("Listening to %s.")
translate("Added.")
translate("It is '%s'.")
translate("It is ignored from now on.")
translate("It is offered again.")

-- Miners
translate("Added '%s'.")
translate("Updated '%s'.")
translate("Miner deleted successfully.")
translate("'%s' is part of '%s' now.")
translate("Miner ID '%s' is already in use.")
translate("Miner ID cannot be empty.")
translate("name: must be 1 to 64 of A-Z a-z 0-9 . _ -")
translate("This is expected from now on.")
translate("The alarm is acknowledged.")

-- Addresses and pools
translate("New address successfully added.")
translate("Address updated.")
translate("Address successfully deleted.")
translate("Coin ticker and address cannot be empty.")
translate("This address is already in the list.")
translate("%s, main network, %s")
translate("There is no address.")
translate("character %s")
translate("characters %s and %s")
translate("Look at %s: such an address never has a 0, O, I or l.")
translate("Look at %s: after the first 1, such an address never has a 1, b, i or o.")
translate("The checksum is wrong. Most likely the mistake is at %s; compare it with your wallet.")
translate("The checksum is wrong. More than two characters differ; compare it with your wallet, character by character.")
-- luacheck: push ignore 631 (a literal is one line: tests/lint/words.py reads it)
translate("The checksum is wrong: a character is mistyped or missing, or two are swapped. This kind of address cannot tell which; compare it with your wallet.")
-- luacheck: pop
translate("It has %s characters; such an address has %s to %s.")
translate("New pool added successfully.")
translate("Pool updated.")
translate("Pool successfully deleted.")
translate("Active pool has been updated.")
translate("Pool '%s' is already in the list.")
translate("pool_port must be a number from 1 to 65535.")

-- What is not saved
-- luacheck: push ignore 631 (a literal is one line: tests/lint/words.py reads it)
translate("%s It counts, but is not saved: %s. It will be, by itself, as soon as that works; if The Shepherd ends before, it is lost.")
-- luacheck: pop
translate("%s The Shepherd stops, and saves it on its way; look when it is back.")
translate("another program holds %s locked: close it")
translate("the disk of %s is full (%s kB free): make room there")
translate("the disk of the data directory does not answer: see dmesg")
translate("%s cannot be written (%s, code %s): check the disk (dmesg)")
translate("%s cannot be written (%s): check its owner, and whether its disk is mounted read-only")

--- What is said otherwise in the language of the page: { { English, translation }, … }, those with fewer gaps first.
-- @return a list, in English an empty one
function sentence.list()
    local out = {}
    for i, each in ipairs(known) do
        if each[1] ~= each[2] then out[#out + 1] = { each[1], each[2], place = i, gaps = select(2, each[1]:gsub("%%s", "")) } end
    end
    table.sort(out, function(a, b)
        if a.gaps ~= b.gaps then return a.gaps < b.gaps end
        return a.place < b.place
    end)
    for i, each in ipairs(out) do out[i] = { each[1], each[2] } end
    return out
end

local list
local said = {} -- English → translation

-- "It is '%s'." as a pattern that takes what is filled in
local function pattern(text)
    return "^" .. text:gsub("[%^%$%(%)%.%[%]%*%+%-%?]", "%%%0"):gsub("%%s", "(.-)") .. "$"
end

local function find(text)
    for _, each in ipairs(list) do
        local parts = { text:match(each[3]) }
        if parts[1] then
            if not each[1]:find("%s", 1, true) then return each[2] end
            for i, part in ipairs(parts) do parts[i] = sentence.say(part) end
            return each[2]:format(table.unpack(parts))
        end
    end
    return text
end

--- A sentence of the daemon in the language of the page: sentence.say(miner.why).
-- @param text in English, or nil
-- @return text; what is not known as it is
function sentence.say(text)
    if text == nil or #text > TEXT_MAX then return text end
    if not list then
        list = sentence.list()
        for _, each in ipairs(list) do each[3] = pattern(each[1]) end
    end
    said[text] = said[text] or find(text)
    return said[text]
end

return sentence
