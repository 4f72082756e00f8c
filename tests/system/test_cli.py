"""Commands, exit codes and messages: what, where, what to do."""
import json
import os
import signal
import socket
import sqlite3

from conftest import miner_lua, miners_lua, run, wait_for


def write(path, text):
    path.write_text(text)
    return path


def test_help_version_and_unknown_words(tmp_path):
    code, out, _ = run("help")
    assert code == 0 and "usage: shepherd" in out
    for word in ("run", "check", "parse", "plugins", "render", "passwd", "help", "version"):
        code, out, _ = run("help", word)
        assert code == 0 and "usage: shepherd" in out and word in out
        assert run(word, "--help")[:2] == (0, out)
    assert run("version")[1].startswith("shepherd ")
    code, _, err = run("chekc")
    assert code == 64 and "did you mean 'check'?" in err
    code, _, err = run("run", "--no-such-option")
    assert code == 64 and "no-such-option" in err
    assert run("help", "rnu")[0] == 64


def test_check_says_every_mistake_with_its_line(tmp_path):
    config = write(tmp_path / "c.lua", """-- a comment
lisen = "127.0.0.1:8080"
offline = "yes"
miners = {
  { id = "A", source = "serial", path = "/dev/ttyUSB0" },
  { id = "A", source = "seriall", path = "/dev/ttyUSB1" },
  { id = "bad name", source = "serial", path = "/dev/x", boud = 9600 },
}
plugins = { price = { intervall = 60, provider = "nobody" }, nonsense = { } }
""")
    code, _, err = run("check", "--config", config)
    assert code == 78
    for text in (f"{config}:2: lisen: unknown key; did you mean 'listen'?",
                 f"{config}:3: offline: must be true or false",
                 "'A' is there twice",
                 "no source 'seriall'; did you mean 'serial'?",
                 "must be 1 to 64 of A-Z",
                 "boud: unknown key; did you mean 'baud'?",
                 "price.intervall: unknown key; did you mean 'interval'?",
                 "price.provider: must be one of",
                 "plugins.nonsense: no such plugin"):
        assert text in err, f"{text!r} is not in:\n{err}"
    assert f"{config}:7:" in err  # a nested key has its own line


LABEL_MISTAKES = [
    ("group = 1", "group: must be a text of 1 to 64 bytes"),
    ('group = ""', "group: must be a text of 1 to 64 bytes"),
    (f'group = "{"g" * 65}"', "group: must be a text of 1 to 64 bytes"),
    ('group = "two\\nlines"', "group: must be a text of 1 to 64 bytes"),
    ('tags = "loud"', "tags: must be a list of at most 16 texts"),
    ('tags = { "ok", "a,b" }', "tags: number 2 must be a text of 1 to 32 bytes, no comma"),
    (f'tags = {{ "{"t" * 33}" }}', "tags: number 1 must be a text"),
    ("tags = { 7 }", "tags: number 1 must be a text"),
    ('tags = { "old", "old" }', "tags: 'old' is there twice"),
    ("tags = { " + ", ".join(f'"{n}"' for n in range(17)) + " }", "tags: must be a list of at most 16"),
    ('grup = "barn"', "grup: unknown key; did you mean 'group'?"),
]


def test_check_of_groups_and_tags(tmp_path):
    line = 'miners = {{ {{ id = "A", source = "serial", path = "/dev/ttyUSB0",\n{} }} }}\n'
    for label, message in LABEL_MISTAKES:
        config = write(tmp_path / "c.lua", line.format(label))
        code, _, err = run("check", "--config", config)
        assert code == 78 and f"miners[1].{message}" in err, f"{label}:\n{err}"
    good = write(tmp_path / "c.lua", line.format(f'group = "{"g" * 64}", tags = {{ "{"t" * 32}", "esp32 s3" }}'))
    assert run("check", "--config", good)[::2] == (0, "")
    assert run("check", "--config", write(tmp_path / "c.lua", line.format("tags = {}")))[::2] == (0, "")


def test_groups_and_tags_are_told_and_change_without_touching_the_port(daemon, ports):
    port, = ports(1)
    base = "offline = true\nplugins = { serial = { discover = false } }\n"
    miner = 'miners = {{ {{ id = "ONE", source = "serial", path = "{}"{} }} }}\n'
    d = daemon(base + miner.format(port.path, ""))
    one = d.wait_miner("ONE", lambda m: m["status"] != "offline", "to be attached")
    assert one["group"] is None and one["tags"] == []
    for labels, group, tags in ((', group = "barn", tags = { "loud", "old" }', "barn", ["loud", "old"]),
                                (', group = "shed"', "shed", [])):
        d.config.write_text(base + miner.format(port.path, labels))
        d.process.send_signal(signal.SIGHUP)
        d.wait_miner("ONE", lambda m: (m["group"], m["tags"]) == (group, tags), f"{group} {tags}")
    port.write(">>> Completed 3 share(s), 12345 Khashes, avg. hashrate 55.12 KH/s\n")
    d.wait_miner("ONE", lambda m: m["KH/s"] == 55.12, "its hash rate")
    assert d.stop() == 0
    assert d.rows("SELECT group_name, tags FROM miners") == [("shed", None)]
    assert d.rows("SELECT count(*) FROM events WHERE event = 'link.up'") == [(1,)]
    code, out, _ = run("render", "/api/herd_data", "--config", d.config, "--data-dir", d.data)
    assert code == 0 and '"group":"shed"' in out


DISPLAY_MISTAKES = [
    ('locale = "deu"', "locale: must be \"auto\" or two small letters"),
    ("locale = 1", "locale: must be a text"),
    ('theme = "drak"', "theme: unknown theme; there are auto, dark, light and contrast; did you mean 'dark'?"),
    ('timezone = "../etc/passwd"', "timezone: is no name of a time zone"),
    ('timezone = "/etc/passwd"', "timezone: is no name of a time zone"),
    ('hour12 = "yes"', "hour12: must be true or false"),
    ("seconds = 1", "seconds: must be true or false"),
    ('date = "ISO"', "date: unknown form of a date; there are full, long, medium, short and iso"),
    ('views = "kiosk"', "views: must be a list"),
    ("views = {}", "views: must name a view at least"),
    ('views = { "kiosk", "matrix:" }', "views[2]: 'matrix:' is no view; write name[:seconds][@from-to]"),
    ('views = { "kiosk:0" }', "views[1]: 'kiosk:0' is no view"),
    ('views = { "kiosk@18" }', "views[1]: 'kiosk@18' is no view"),
    ('views = { "a,b" }', "views[1]: 'a,b' is no view"),
    ("dwell = 0", "dwell: must be a whole number from 1 to 86400"),
    ("dwell = 1.5", "dwell: must be a whole number"),
    ('dim = "22-25"', 'dim: must be "sun"'),
    ('dim = "22:60-6"', 'dim: must be "sun"'),
    ('dim = "6-6"', 'dim: must be "sun"'),
    ('dim = "sun"', 'dim: "sun" needs latitude and longitude'),
    ("dim_level = 0", "dim_level: must be a number from 0.05 to 1"),
    ("latitude = 91", "latitude: must be a number from -90 to 90"),
    ("longitude = -181", "longitude: must be a number from -180 to 180"),
    ('focus = { "ofline" }', "focus[1]: unknown interruption"),
    ("focus_s = 3601", "focus_s: must be a whole number from 1 to 3600"),
    ("dimm = 1", "dimm: unknown key; did you mean 'dim'?"),
]


def test_check_of_display(tmp_path):
    for line, message in DISPLAY_MISTAKES:
        config = write(tmp_path / "c.lua", f"display = {{\n  {line}\n}}\n")
        code, _, err = run("check", "--config", config)
        assert code == 78 and f"{config}:2: display.{message}" in err, f"{line}:\n{err}"
        assert err.count("\n") == 1, err
    code, _, err = run("check", "--config", write(tmp_path / "c.lua", 'display = "dark"\n'))
    assert code == 78 and ":1: display: must be a table" in err
    if os.path.isdir("/usr/share/zoneinfo/Europe"):
        for zone in ("Europe/Viena", "Europe"):
            code, _, err = run("check", "--config", write(tmp_path / "c.lua", f'display = {{ timezone = "{zone}" }}\n'))
            assert code == 78 and f"there is no time zone '{zone}'" in err
    good = write(tmp_path / "c.lua", """display = {
        locale = "de", theme = "contrast", timezone = "UTC", hour12 = true, seconds = false, date = "iso",
        views = { "kiosk", "examples/wall:30", "matrix:86400@22:30-6:15", "health@0-24" }, dwell = 86400, dim = "sun",
        dim_level = 1, red = false, latitude = -33.9, longitude = 18, shift = false, focus = {}, focus_s = 1 }
    """)
    assert run("check", "--config", good)[::2] == (0, "")
    assert run("check", "--config", write(tmp_path / "c.lua", "display = {}\n"))[::2] == (0, "")


def test_views_are_told_what_is_configured_for_screens(daemon, tmp_path):
    (tmp_path / "views/api").mkdir(parents=True)
    write(tmp_path / "views/api/display.lua", 'return shepherd.config().display or { "none" }\n')
    base = f'view_dirs = {{ "{tmp_path}/views" }}\n'
    d = daemon(base + 'display = { theme = "dark", focus = { "offline" }, dwell = 7 }\n')
    shown = lambda: json.loads(d.text("/api/display"))
    assert shown() == {"theme": "dark", "focus": ["offline"], "dwell": 7}
    for text, wanted in (('display = { dim_level = 0.5 }\n', {"dim_level": 0.5}), ("", ["none"])):
        d.config.write_text(base + "offline = true\nplugins = { serial = { discover = false } }\n" + text)
        d.process.send_signal(signal.SIGHUP)
        wait_for(lambda: shown() == wanted, f"{wanted} to be told")


def test_check_of_what_is_no_configuration(tmp_path):
    code, _, err = run("check", "--config", tmp_path / "absent.lua")
    assert code == 78 and "absent.lua" in err and "No such file" in err
    code, _, err = run("check", "--config", write(tmp_path / "s.lua", "listen = {\n\n"))
    assert code == 78 and "s.lua:" in err
    code, _, err = run("check", "--config", write(tmp_path / "l.lua", "while true do end\n"))
    assert code == 78 and "l.lua" in err
    code, _, err = run("check", "--config", write(tmp_path / "f.lua", "listen = os.getenv('HOME')\n"))
    assert code == 78 and "f.lua:1" in err


def test_the_contracts_example_has_no_mistakes(tmp_path):
    config = write(tmp_path / "c.lua", f"""
listen      = "127.0.0.1:8080"
hosts       = {{ "pi.local" }}
data_dir    = "{tmp_path}/data"
view_dirs   = {{ "{tmp_path}/views" }}
plugin_dirs = {{ "{tmp_path}" }}
offline     = false
miners      = {{ {{ id = "BARN-01", source = "serial", path = "/dev/ttyUSB0", baud = 115200, parser = "auto", location = "shelf 2" }} }}
plugins     = {{ price = {{ provider = "coincodex", interval = 1200 }}, serial = {{ discover = true, listen = "known" }}, udp = false }}
""")
    code, out, err = run("check", "--config", config)
    assert (code, err) == (0, "")
    assert "1 miners" in out


def test_one_line_on_stdout_and_a_clean_end(daemon):
    d = daemon()
    assert d.get("/healthz")[1].strip() == b"ok"
    d.process.send_signal(signal.SIGTERM)
    assert d.process.stdout.read() == ""
    assert d.process.wait(30) == 0
    connection = sqlite3.connect(d.data / "shepherd.db")
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    kinds = [row[0] for row in connection.execute("SELECT event FROM events ORDER BY id")]
    assert kinds[0] == "daemon.start" and kinds[-1] == "daemon.stop"
    connection.close()


def test_sigint_ends_it_too(daemon):
    assert daemon().stop(signal.SIGINT) == 0


def test_port_in_use_is_69(daemon):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        d = daemon(start=False)
        code, _, err = run("run", "--config", d.config, "--data-dir", d.data, "--listen", f"127.0.0.1:{port}")
    assert code == 69
    assert f"127.0.0.1 port {port}" in err and "in use" in err and "--listen" in err


def test_second_daemon_on_one_directory_is_69_and_names_the_first(daemon):
    d = daemon()
    code, _, err = run("run", "--config", d.config, "--data-dir", d.data, "--listen", "127.0.0.1:0")
    assert code == 69
    assert str(d.process.pid) in err


def test_newer_database_is_78(daemon):
    d = daemon()
    assert d.stop() == 0
    connection = sqlite3.connect(d.data / "shepherd.db")
    connection.execute("PRAGMA user_version = 900")
    connection.close()
    code, _, err = run("run", "--config", d.config, "--data-dir", d.data, "--listen", "127.0.0.1:0")
    assert code == 78
    assert "900" in err and "newer" in err


def test_data_directory_that_cannot_be_made_is_74(tmp_path, daemon):
    d = daemon(start=False)
    blocked = write(tmp_path / "file", "")
    code, _, err = run("run", "--config", d.config, "--data-dir", blocked / "sub", "--listen", "127.0.0.1:0")
    assert code == 74
    assert str(blocked) in err


def test_beyond_loopback_only_with_a_password(daemon):
    d = daemon(start=False)
    code, _, err = run("run", "--config", d.config, "--data-dir", d.data, "--listen", "0.0.0.0:0")
    assert code == 78 and "shepherd passwd" in err
    assert run("passwd", "--data-dir", d.data, stdin="short\n")[0] == 65
    assert run("passwd", "--data-dir", d.data, stdin="")[0] == 66
    code, out, err = run("passwd", "--data-dir", d.data, stdin="correct horse\n")
    assert code == 0, err
    stored = d.data / "admin_password"
    assert stored.stat().st_mode & 0o777 == 0o600
    assert stored.read_text().startswith("$argon2id$") and "correct" not in stored.read_text()
    d.args = ["--listen", "0.0.0.0:0"]
    assert d.start().get("/healthz")[0].status == 200


def test_sighup_applies_miners_and_refuses_mistakes(daemon, ports):
    first, second = ports(2)
    d = daemon(miners_lua([("ONE", first.path)]))
    first.write("NerdMiner v2 starting......\n")
    d.wait_miner("ONE", lambda m: m["last_seen"], "a line")
    base = "offline = true\nplugins = { serial = { discover = false } }\n"
    d.config.write_text(base + miners_lua([("ONE", first.path), ("TWO", second.path)]))
    d.process.send_signal(signal.SIGHUP)
    d.wait_miner("TWO", lambda m: m["status"] != "offline", "to be attached")
    d.config.write_text("miners = {{ id = 'ONE' }}\n")
    d.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "the old one stays" in d.log, "the refusal")
    assert len(d.herd()["miners_list"]) == 2
    d.config.write_text(base + miners_lua([("TWO", second.path)]))
    d.process.send_signal(signal.SIGHUP)
    wait_for(lambda: [m["miner_id"] for m in d.herd()["miners_list"]] == ["TWO"], "ONE to go")


def test_ports_that_cannot_be_opened_say_why(daemon, tmp_path, ports):
    plain = write(tmp_path / "no-tty", "x")
    busy, = ports(1)
    d = daemon("miners = {\n" + miner_lua("ABSENT", "/dev/ttyUSB99") + miner_lua("FILE", str(plain)) +
               miner_lua("BUSY", busy.path) + "}\n")
    d.wait_miner("ABSENT", lambda m: "/dev/ttyUSB99" in (m["why"] or ""), "the reason")
    d.wait_miner("FILE", lambda m: str(plain) in (m["why"] or ""), "the reason")
    d.wait_miner("BUSY", lambda m: m["status"] != "offline", "to be open")
    other = daemon(miners_lua([("BUSY", busy.path)]))
    miner = other.wait_miner("BUSY", lambda m: m["why"], "the reason")
    assert str(d.process.pid) in miner["why"] or "use" in miner["why"], miner["why"]


def test_render_prints_views_without_a_daemon(daemon, ports):
    port, = ports(1)
    d = daemon(miners_lua([("ONE", port.path)]))
    port.write(">>> Completed 3 share(s), 12345 Khashes, avg. hashrate 55.12 KH/s\n")
    d.wait_miner("ONE", lambda m: m["KH/s"] == 55.12, "its hash rate")
    assert d.stop() == 0
    code, out, err = run("render", "/api/herd_data", "--config", d.config, "--data-dir", d.data,
                         "--now", "1792333800000")
    assert code == 0, err
    assert '"miner_id":"ONE"' in out.replace(": ", ":")
    code, out, _ = run("render", "/", "--config", d.config, "--data-dir", d.data)
    assert code == 0 and "ONE" in out and "</html>" in out
    for name in ("index", "index.html"):
        assert run("render", name, "--config", d.config, "--data-dir", d.data)[:2] == (0, out)
    assert run("render", "api/herd_data.lua", "--config", d.config, "--data-dir", d.data)[0] == 0
    assert run("render", "/no/such/view", "--config", d.config, "--data-dir", d.data)[0] != 0
    assert run("render")[0] == 64


def test_plugins_lists_all(daemon):
    d = daemon(start=False)
    code, out, _ = run("plugins", "--config", d.config)
    assert code == 0
    for name in ("nerdminer", "serial", "replay", "summarize", "price", "network"):
        assert name in out


def test_systemd_is_told(daemon, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(tmp_path / "n"))
        notify.settimeout(30)
        d = daemon(env={"NOTIFY_SOCKET": str(tmp_path / "n"), "WATCHDOG_USEC": "300000"})
        assert notify.recv(100) == b"READY=1"
        assert notify.recv(100) == b"WATCHDOG=1"
        d.process.send_signal(signal.SIGHUP)
        said = [notify.recv(100)]
        while said[-1] != b"READY=1":
            said.append(notify.recv(100))
        assert b"RELOADING=1" in said
        d.process.send_signal(signal.SIGTERM)
        while notify.recv(100) != b"STOPPING=1":
            pass
        assert d.process.wait(30) == 0
