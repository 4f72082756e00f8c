-- The Shepherd's settings: every one of them, each with its default. Nothing here is needed to start: copy this file
-- to ~/.config/shepherd/shepherd.lua (or /etc/shepherd/shepherd.lua), take the `--` from what you want to change, and
-- run `shepherd check`: it names every mistake with its line. After a change: `kill -HUP` the daemon, or
-- `systemctl reload shepherd`. A file with a mistake changes nothing and the log says why.
--
-- It is Lua, but only data: assignments, no functions. An unknown name is an error, not a silence.

-- Where the pages are served. A list serves several: { "127.0.0.1:8080", "[::1]:8080" }. Anything beyond this machine,
-- like "0.0.0.0:8080", needs an admin password first: run `shepherd passwd`.
-- listen = "127.0.0.1:8080"

-- Names by which browsers may call us, besides addresses, localhost and this machine's own name.
-- hosts = { "pi.local" }

-- The database and the last price. By hand it is ~/.local/share/shepherd; the systemd unit uses /var/lib/shepherd.
-- data_dir = "/var/lib/shepherd"

-- Your own views: a file here replaces the shipped one of the same name. The first folder that has it wins.
-- view_dirs = { "/etc/shepherd/views" }

-- Your own plugins (.so), besides the shipped ones.
-- plugin_dirs = { "/usr/local/lib/shepherd" }

-- Seconds without a line after which a connected miner counts as silent.
-- silent_after = 60

-- How long log lines are kept, and how many of them: whichever comes first. Readings and history stay.
-- keep = { days = 7, megabytes = 512 }

-- true: nothing ever leaves this machine, not even the questions for the price and the network.
-- offline = false

-- What somebody may do who has not logged in: at this machine ("none", "viewer", "operator" or "admin"), and from
-- anywhere else ("none" or "viewer"). A viewer looks, and sees the addresses of coins shortened; an operator manages
-- miners, pools, addresses and devices; an admin everything. What guards the payout, and users, tokens and restoring a
-- backup, ask for the admin password in any case. A kiosk elsewhere needs no login with a token: /kiosk?token=shp_…
-- access = { loopback = "operator", lan = "none" }

-- How screens show things. What a page's address says counts more, so that two screens may differ:
-- /play?dwell=60&dim=22-6
-- display = {
--   locale = "auto",                   -- language: "auto" is what the browser asks for; or "en", "de", "es"
--   theme = "auto",                    -- "auto" is what the browser prefers; or "dark", "light", "contrast"
--   timezone = "Europe/Vienna",        -- of the clocks; "" is that of the screen
--   hour12 = false, seconds = true,    -- how clocks read
--   date = "full",                     -- "full", "long", "medium", "short" as the language writes them; or "iso"
--   views = { "kiosk", "health", "nerdminer", "matrix:30@18-23" }, -- of /play: name[:seconds][@from-to]
--   dwell = 20,                        -- seconds that a view of /play stays
--   dim = "22-6",                      -- hours of the night; "sun" from sunset to sunrise; "" never
--   dim_level = 0.3, red = true,       -- brightness of the night, 0.05 to 1, and whether it is red
--   latitude = 48.2, longitude = 16.4, -- degrees, for "sun"
--   shift = true,                      -- move the picture by a few pixels now and then, against burn-in
--   focus = { "offline", "best_share", "block_found" }, focus_s = 30, -- what interrupts /play, and for how many seconds
-- }

-- The miners. id (1 to 64 of A-Z a-z 0-9 . _ -), source and path are required.
--   path      a device, a link to one (the names in /dev/serial/by-id/ stay the same after a reboot) or a pty
--   baud      115200
--   parser    "auto" listens until it knows the firmware; or the name of one, as `shepherd plugins` lists them
--   location  a word for people: where it stands
--   group     a word for people: miners that belong together. tags: up to 16 of them, to search for
--   dtr_rts   "leave" does not touch the two lines that reset a board; "deassert" is for boards that hang otherwise
-- miners = {
--   { id = "BARN-01", source = "serial", path = "/dev/ttyUSB0", baud = 115200, parser = "auto", location = "shelf 2" },
--   { id = "BARN-02", source = "serial", path = "/dev/serial/by-id/usb-Espressif_USB_JTAG_serial_debug_unit-if00" },
--   { id = "SHED-01", source = "serial", path = "/dev/ttyUSB1", group = "shed", tags = { "loud", "esp32-s3" } },
-- }

-- Options of plugins, by the plugin's name; false switches one off.
--   price    provider, interval (seconds)
--   network  url of a server with the API of mempool.space, interval (seconds)
--   serial   discover: offer USB ports that nobody configured. listen: which of them are opened unasked: "known" (only
--            Espressif's own USB: opening a stranger's port may reset somebody's 3D printer) or "all" plausible ones.
--            ids: further USB ids (vendor:product) that your miners have, as `lsusb` prints them
--   udev     finds the ports; false: only those in `miners` are opened. sysfs_root, dev_root: in a container
-- plugins = {
--   price = { provider = "coincodex", interval = 1200 },
--   network = { url = "https://mempool.space", interval = 120 },
--   serial = { discover = true, listen = "known", ids = "2e8a:000a, 1209:4d4d" },
--   udev = { sysfs_root = "/sys", dev_root = "/dev" },
-- }
