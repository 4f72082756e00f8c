-- include() and layout(), on top of compiled templates. Views need not require this: both functions
-- are there in every view.
local _, core = ...

local template = {}

local compiled = {} -- name → function, for this page
local frames = {} -- depth of capture → what layout() said there

local function function_of(name)
    local run = compiled[name]
    if not run then
        run = core.template(name)
        compiled[name] = run
    end
    return run
end

-- The variables of a template: what it was given, and behind it the globals.
local function environment(params)
    local env = {}
    if params ~= nil then
        for name, value in pairs(params) do env[name] = value end
    end
    return core.environment(env)
end

local function capture(name, params)
    local run = function_of(name)
    local depth = core.push()
    frames[depth] = {}
    run(core.emit, core.print_escaped, core.print_raw, environment(params))
    local frame = frames[depth]
    frames[depth] = nil
    return core.pop(), frame
end

local function render(name, params)
    local content, frame = capture(name, params)
    if not frame.name then return content end
    local outer = {}
    for key, value in pairs(frame.params or {}) do outer[key] = value end
    outer.content = content
    return render(frame.name, outer)
end

--- Render another template of views/ and return it, ready to print.
-- @param name   such as "partials/miner_row": the first directory that has it wins
-- @param params table: its fields are the template's variables
-- @return a value for `<%- … %>`; it passes `<%= … %>` unescaped too
function template.include(name, params)
    return render(name, params)
end

--- Put this page into a frame: the template `name` prints it with `<%- content %>`.
-- @param name   such as "partials/layout"
-- @param params table: further variables of the layout, such as title
function template.layout(name, params)
    local frame = frames[core.depth()]
    if not frame then
        error("layout() belongs into the template itself, not into a function that is captured", 2)
    end
    function_of(name) -- a name that is none is a mistake of this line
    frame.name, frame.params = name, params
end

--- A whole page (called by the program).
function template.page(name)
    core.print_raw(render(name))
end

require "locale" -- t() is there in every view
core.global("include", template.include)
core.global("layout", template.layout)
return template
