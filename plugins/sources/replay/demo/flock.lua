-- The demo flock: what `shepherd --demo` shows. A data file like the configuration; paths are
-- relative to this file. The logs are invented: see make.py.
miners = {
    { id = "DEMO-CYD", source = "replay", path = "01-cyd.log", location = "shelf 2" },
    { id = "DEMO-WEACT", source = "replay", path = "02-weact.log", location = "window sill" },
    { id = "DEMO-S3", source = "replay", path = "03-tdisplay.log", location = "desk" },
    { id = "DEMO-M5", source = "replay", path = "04-m5stack.log", location = "kitchen" },
    { id = "DEMO-OLED", source = "replay", path = "05-oled.log", location = "barn, north wall" },
    { id = "DEMO-DEVKIT", source = "replay", path = "06-devkit.log", location = "attic" },
    { id = "DEMO-C3", source = "replay", path = "07-c3.log", location = "shelf 1" },
    { id = "DEMO-OLD", source = "replay", path = "08-veteran.log", location = "hall" },
}
