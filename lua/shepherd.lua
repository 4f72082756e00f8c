-- The table `shepherd` and the other names that are there in every view without `require`.
-- They are made by the program; this file describes them.
--
-- What a function reads is what the page depends on: it is made again when that moves, and not before. Units are SI:
-- H/s, °C, s, W, V, Hz, bytes; times that end in `_ms` are milliseconds since 1970. What is not known is nil, never 0.
-- A wrong argument is an error with the view's file and line.
--
-- `shepherd.request` is a table: `path` as it was asked for ("/details/miner/7"), `name` of the route
-- ("details/miner/[id]"), `role` of who asks ("none", "viewer", "operator" or "admin"; a page is made for each role that
-- asks, and for viewers every address is shortened before the page sees it), `locale` ("en": by `?lang=`, which every page
-- takes, else the setting `display.locale`, else what the browser asks for), and of a view named `[id]` the text `id`.

--- All miners and their totals. Depends on the herd.
--
--     for _, m in ipairs(shepherd.herd().miners) do print(m.name, m.hashrate) end
--
-- A miner has: id, name, location, group, tags (a list), source, path, parser, why (it has no figures: text), status ("online", "idle",
-- "silent", "resetting", "offline"), status_at_ms, last_seen_ms, lines, lines_dropped, lines_unparsed, hashrate_1h,
-- hashrate_24h (means), hashes_ever, best_difficulty_ever, best_difficulty_ever_at_ms, demo, from_file, found; and all that it
-- ever said, under its own name: `m.hashrate`, `m.temperature`, `m.pool`, `m["vendor.name"]` of a plugin. `m.at.hashrate`
-- is when it said so (ms).
--
-- A miner's values are read when they are used: 1,000 miners cost little as long as a page touches a few fields of each.
-- `pairs(m)` and `json.encode(m)` give all of them; `next(m)` and `rawget` do not.
-- @function shepherd.herd()
-- @return { seq, made_at_ms, demo, silent_after_s, totals, miners }: the same table each time within a page. totals: { total_miners,
-- online_miners, reporting_miners, hashrate, shares, accepted, rejected, block_templates, best_difficulty,
-- best_difficulty_ever }; miners: a list

--- One miner of the herd. Depends on the herd.
-- @function shepherd.miner(id)
-- @param id its number, or its name; a text of digits that is no name is a number, as in /details/miner/7
-- @return the same table as in `shepherd.herd().miners`, or nil

--- What a service of the program publishes, such as "price", "network" or "store". Depends on the facts.
-- @function shepherd.facts(name)
-- @param name of the fact
-- @return a table, or nil when there is none (yet)

--- The configuration, without secrets. Depends on it. The same table each time; it fills itself, as miners do.
-- @function shepherd.config()
-- @return a table as in shepherd.lua; what is not written there is not in it. Besides: `flock`, what is managed in the browser
-- ({ miners (by id, as text), pools, addresses, devices }: core/flock/flock.h, flock_json), and `access`
-- ({ has_admin }; for admins also users, tokens, sessions)

--- What the daemon says of itself: memory, connections, script processes, storage. Moves every second while somebody looks.
-- @function shepherd.system()
-- @return a table; /details/system shows all of it

--- Lines that miners wrote, newest first. Depends on the logs.
-- @function shepherd.logs{ miner, limit, before, after }
-- @param miner id or name; none: of all. A name that nobody has: no lines
-- @param limit how many at most: 100; up to 10,000
-- @param before only those with a smaller id, to go on where a page ended
-- @param after only those with a larger id
-- @return a list of { id, miner_id, miner (name), at_ms, line }; {} without a database

--- What happened: shares, jobs, resets, miners that came and went, newest first. Depends on the events.
-- @function shepherd.events{ miner, limit, before }
-- @param miner id or name; none: of all
-- @param limit how many at most: 100; up to 10,000
-- @param before only those with a smaller id
-- @return a list of { id, at_ms, event ("share.accepted"), miner_id, miner (name), value, text }

--- A metric over time, oldest first. A period of which nothing is known has no row: gaps are gaps. The page lasts 30 s.
--
--     local day = shepherd.history{ miner = 7, metric = "hashrate", period = 60, from_ms = now_ms - 86400000 }
--     local flock = shepherd.history{ metric = "hashrate", period = 3600, sum = true }
-- @function shepherd.history{ metric, miner, sum, period, from_ms, to_ms }
-- @param metric name, such as "hashrate" or "shares_accepted"
-- @param miner id or name; none: a row for each miner
-- @param sum true: all miners together, one row for each time; not with `miner`
-- @param period seconds that a row stands for: 60 (the default), 3600 or 86400
-- @param from_ms, to_ms from when, and before when; the ends of what there is
-- @return a list of { t_ms (when the period began), n (readings), min, max, avg, last, miner_id }; avg of a counter is how much it grew.
-- With `sum` of { t_ms, n_miners (that had a row), avg (all of theirs together) }.
-- Of one miner the newest 10,000 periods, without from_ms 2,000; of the sum 2,000 rows; of each miner 10,000 rows, without
-- from_ms 1,500. The sum of 1,000 miners over 60 periods takes 30 ms: for a longer time take a longer period

--- Your own question in SQL, read-only. Depends on logs, events, configuration.
-- At most 64 questions a page, 10,000 rows and 8 MiB each.
--
--     local row = shepherd.query("SELECT max(value) AS best FROM events WHERE miner_id = ?", 7)[1]
-- @function shepherd.query(sql, ...)
-- @param sql one statement; each `?` takes one of the values, in order
-- @param ... texts, numbers, booleans, nil; at most 32
-- @return a list of tables by name of the column. An error when SQL has a mistake or there is no database

--- The values of the URL that this page takes: `/mine?page=2&q=barn`. Only what is declared so reaches a view.
--
--     local p = shepherd.params{ page = 1, q = "", all = false }
-- @function shepherd.params(defaults)
-- @param defaults table by name; at most 32. The default gives the type, and stands for what is missing or wrong.
-- Numbers are within ±1e15, texts are cut at 256 bytes
-- @return a table with the same names

--- Other than a page with status 200. What is left out stays as it is.
-- @function shepherd.respond{ status, type, location, body }
-- @param status 200 to 599
-- @param type of the content: "text/csv; charset=utf-8"
-- @param location where to go instead; makes the status 302 when nobody said another
-- @param body instead of what the view prints or returns
-- @return nothing

--- How long the page may be shown although nothing moved that it read. A page that asks for the time lasts 10 s, one that
-- reads history 30 s, any other as long as its data.
-- @function shepherd.expires(ms)
-- @param ms 0 for "never keep it"
-- @return nothing

--- End this page: the visitor gets a 404 with your message.
-- @function shepherd.not_found(message)
-- @param message text for people
-- @return does not return

--- Whether a file that this page used so far lies in a directory of `view_dirs`. Such a page may have inline styles.
-- @function shepherd.edited()
-- @return true or false

--- The text of a file of this library: what /help/lua reads.
-- @function shepherd.source(name)
-- @param name one of shepherd.sources(); anything else is an error
-- @return text

--- The files of this library.
-- @function shepherd.sources()
-- @return a sorted list of names, such as "lua/format.lua"

--- Another template of views/, ready to print: `<%- include("partials/status", { status = "online" }) %>`.
-- @function include(name, variables)
-- @param name below views/, without ".html"; the first directory that has it wins
-- @param variables table: its fields are the template's variables
-- @return a value for `<%- … %>`; it passes `<%= … %>` unescaped too

--- Put this page into a frame, which prints it with `<%- content %>`.
-- @function layout(name, variables)
-- @param name such as "partials/layout"
-- @param variables table: further variables of the frame
-- @return nothing

--- A text in the language of the visitor: `t("%d of %d report", 8, 10)`.
-- @function t(text, ...)
-- @param text English, as it stands in the catalogues (lua/locale/); one that a catalogue does not have stays English
-- @param ... put in by string.format after the translation
-- @return text, not escaped: print it with `<%= … %>`

--- `pairs` in the order of the keys. Plain `pairs` has another order each time: a page made with it changes when nothing did.
-- @function sorted_pairs(t)
-- @param t a table
-- @return for a `for` loop: key, value

--- A line in the daemon's log, with the view's name; at most 20 a page, 512 bytes each.
-- @function print(...)
-- @param ... anything
-- @return nothing

return shepherd
