-- The reference of the library, read from the comments of its own files: what /help/lua shows.
-- A function is documented by a block that begins with three dashes, above it:
--
--     --- Hash rate in H/s → "55.12 kH/s".
--     -- @param hps number, or nil
--     function format.hashrate(hps)
--
-- `@function name` stands for the line with `function` where there is none. Lines of a comment that
-- are indented by four more are an example.
local reference = {}

-- Comment lines of one block → { text, params, returns, name }.
local function block_read(lines)
    local block = { text = {}, params = {}, returns = {} }
    local target = block.text
    for _, line in ipairs(lines) do
        local tag, rest = line:match("^@(%a+)%s*(.*)$")
        if tag == "param" then
            local name, about = rest:match("^(%S+)%s*(.*)$")
            target = { about }
            block.params[#block.params + 1] = { name = name, about = target }
        elseif tag == "return" then
            target = { rest }
            block.returns[#block.returns + 1] = target
        elseif tag == "function" then
            block.name = rest
            target = block.text
        else
            target[#target + 1] = line
        end
    end
    return block
end

-- "a", "b", "    code" → paragraphs: { text } or { code = text }
local function paragraphs(lines)
    local out = {}
    local current
    local function add(kind, line)
        if not current or current.kind ~= kind then
            current = { kind = kind, lines = {} }
            out[#out + 1] = current
        end
        current.lines[#current.lines + 1] = line
    end
    for _, line in ipairs(lines) do
        local code = line:match("^    (.*)$")
        if code then add("code", code)
        elseif line:match("%S") then add("text", line)
        elseif current and current.kind == "code" then add("code", "")
        else current = nil end
    end
    for _, paragraph in ipairs(out) do
        local separator = paragraph.kind == "code" and "\n" or " "
        paragraph.text = table.concat(paragraph.lines, separator):gsub("%s+$", "")
    end
    return out
end

local function entry_make(lines, code)
    local block = block_read(lines)
    local name, args = code:match("^function%s+([%w_.]+)%s*(%b())")
    if not block.name and not name then return nil end
    local entry = { name = block.name or name, params = {}, returns = {}, text = paragraphs(block.text) }
    local shown = {}
    for i, param in ipairs(block.params) do
        shown[i] = param.name
        entry.params[i] = { name = param.name, text = table.concat(param.about, " ") }
    end
    for i, lines_of_return in ipairs(block.returns) do entry.returns[i] = table.concat(lines_of_return, " ") end
    local bare, given = entry.name:match("^([^({]+)(.*)$")
    entry.name = bare:gsub("%s+$", "")
    entry.args = given ~= "" and given or args or ("(" .. table.concat(shown, ", ") .. ")")
    return entry
end

--- The documentation in a file of the library.
-- @param source text of a Lua file
-- @return { about = paragraphs, entries = { { name, args, text, params, returns }, … } } in the order of the file;
-- paragraphs are { { kind = "text" or "code", text = "…" }, … }, params { { name, text }, … }, returns a list of texts
function reference.read(source)
    local about, entries, block = {}, {}, nil
    local in_head = true
    for line in (source .. "\n"):gmatch("(.-)\r?\n") do
        local start = line:match("^%-%-%-%s?(.*)$")
        local comment = line:match("^%-%-%s?(.*)$")
        if start and not start:match("^%-") then
            block, in_head = { start }, false
        elseif comment and block then
            block[#block + 1] = comment
        elseif comment and in_head then
            about[#about + 1] = comment
        else
            if block then entries[#entries + 1] = entry_make(block, line) end
            block, in_head = nil, in_head and line == ""
        end
    end
    return { about = paragraphs(about), entries = entries }
end

return reference
