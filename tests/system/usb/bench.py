"""USB boards without USB: a Bench is the hand that plugs them, and the daemon that sees them.

plugger (C, umockdev) makes the devices; the real daemon runs under two preloads and takes them for real. README.md says how.
"""
import http.client
import importlib.util
import json
import os
import pathlib
import re
import signal
import subprocess
import threading
import urllib.parse

HERE = pathlib.Path(__file__).parent
# The daemon of the other system tests. Not imported by its name: this folder has a conftest of its own.
_spec = importlib.util.spec_from_file_location("shepherd_daemon", HERE.parent / "conftest.py")
_daemon = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_daemon)
Daemon, Pty, run, wait_for = _daemon.Daemon, _daemon.Pty, _daemon.run, _daemon.wait_for
miner_lua, DEADLINE_S = _daemon.miner_lua, _daemon.DEADLINE_S

TOOLS = pathlib.Path(os.environ.get("USB_TOOLS", _daemon.BUILD / "tests" / "usb")).resolve()
BED = "libumockdev-preload.so.0"
CH340 = {"vid": "1a86", "pid": "7523"}      # a bridge; no serial number
CP2102 = {"vid": "10c4", "pid": "ea60"}     # a bridge; "0001" on every unit
NATIVE = {"vid": "303a", "pid": "1001"}     # the chip's own USB; its serial number is its MAC
STATS = ">>> Completed 3 share(s), 5512 Khashes, avg. hashrate {khs:.2f} KH/s\n>>> Temperature: 50\n"
EDGE = re.compile(r"(\d+) (\d+) (pts\d+) (\S+) (\w+) ([01])([01])>([01])([01])$")


def stats(khs):
    """What a NerdMiner says each second. A rate of its own tells a board apart from the others."""
    return STATS.format(khs=khs)


def mac_line(mac):
    """A line of a bridge board's log that says who it is."""
    return f'UDP Packet Sent: {{"id":"{mac}","miner":"desk","pool":"pool.example.org:3333"}}\n'


def config_text(wallet, worker="shelf"):
    """What a NerdMiner says of its configuration when it boots."""
    return ('SPIFS: Loading config file\r\n{\r\n  "poolString": "pool.example.org",\r\n  "portNumber": 3333,\r\n'
            f'  "poolPassword": "x",\r\n  "btcString": "{wallet}.{worker}",\r\n  "gmtZone": 1\r\n}}\r\n')


def options_lua(**options):
    """options_lua(serial={"listen": "all"}): the setting `plugins`."""
    def one(value):
        return "{ " + ", ".join(f"{k} = {json.dumps(v)}" for k, v in value.items()) + " }"
    return "plugins = { " + ", ".join(f"{name} = {one(value)}" for name, value in options.items()) + " }\n"


def _quote(word):
    """One word of a command, text or bytes."""
    return urllib.parse.quote(word if isinstance(word, bytes) else str(word), safe="/:.,-_=>+") or "%20"


class Board:
    """One board: its name is its node's, and its port is where it is plugged in."""

    def __init__(self, bench, name, where):
        self.bench, self.name, self.where = bench, name, where

    def _do(self, command, *words):
        return self.bench.command(command, self.name, *words)

    def state(self):
        return {k: int(v) for k, v in (pair.split("=") for pair in self._do("state").split())}

    def is_open(self):
        """Somebody has it open."""
        return self.state()["open"] == 1

    def wait_open(self):
        def check():
            self.bench.assert_alive()
            return self.is_open()
        wait_for(check, f"{self.name} ({self.where}) is opened; log:\n{self.bench.tail()}")
        return self

    def say(self, text):
        self._do("say", text)

    def hum(self, text, every_ms=100):
        """It says this again and again, as long as somebody listens. "": no more."""
        self._do("hum", every_ms if text else 0, text)
        return self

    def flood(self, n_bytes, text):
        return int(self._do("flood", n_bytes, text))

    def heard(self):
        """What was written to it since the last time."""
        return bytes.fromhex(self._do("heard").replace("%", ""))

    def hup(self):
        self._do("hup")

    def remove(self):
        self._do("remove")

    def unplug(self):
        """The order of life: readers are hung up on, then udev tells."""
        self.hup()
        self.remove()

    def lock(self):
        """Another program opens and locks it."""
        self._do("lock")
        self.bench.hold("held", self.name)

    def is_exclusive(self):
        return self._do("exclusive") == "1"

    def unlock(self):
        self._do("unlock")
        self.bench.let_go("held", self.name)

    def mode(self, octal, gid=0):
        self._do("mode", octal, gid)

    def event(self, action):
        self._do("event", action)


class Bench:
    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.shim = self.directory / "shim"
        self.shim.mkdir()
        (self.shim / "udevd").touch()
        self.views = self.directory / "views"
        (self.views / "api").mkdir(parents=True)
        (self.views / "api" / "flock.lua").write_text("return shepherd.config().flock\n")
        self.daemons = []
        env = {**os.environ, "LD_PRELOAD": BED, **sanitizer_env(leaks=False)}
        self.process = subprocess.Popen([str(TOOLS / "plugger")], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, errors="replace", env=env)
        self.bed = self._answer("bed")

    # ---- the hand ----

    def _answer(self, wanted):
        line = self.process.stdout.readline().rstrip("\n")
        word, _, rest = line.partition(" ")
        assert word == wanted, f"plugger: {line!r}"
        return rest

    def _send(self, *words):
        self.process.stdin.write(" ".join(_quote(w) for w in words) + "\n")

    def command(self, *words):
        self._send(*words)
        self.process.stdin.flush()
        return self._answer("ok")

    def plug(self, name, port, kind=CH340, **more):
        self.command("plug", name, *self._options(port, kind, more))
        return Board(self, name, port)

    @staticmethod
    def _options(port, kind, more):
        return [f"{key}={value}" for key, value in {"port": port, **kind, **more}.items() if value is not None]

    def unplug_all(self, boards):
        """All at once, as when a hub loses its power: every hang-up, then every event. The daemon is stopped until all have hung
        up, so that they are at once on a busy machine too."""
        running = self.daemons[-1].process
        running.send_signal(signal.SIGSTOP)
        try:
            for board in boards:
                board.hup()
        finally:
            running.send_signal(signal.SIGCONT)
        for board in boards:
            board.remove()

    def mute(self):
        """udev events reach nobody from here on that listens now."""
        self.command("mute")

    def unmute(self, overrun_by=None):
        """They do again. With a board: and the next thing that is heard is that some were thrown away."""
        if overrun_by:
            (self.shim / "overrun").touch()
        self.command("unmute")
        if overrun_by:
            overrun_by.event("change")

    def end_udevd(self):
        """As in a container: sysfs and nodes come and go, and nobody tells."""
        (self.shim / "udevd").unlink()
        self.mute()

    def hold(self, what, name):
        """open() of the port, requests about its modem lines, or the end of a reset ("open", "modem", "pulse") block until
        let_go()."""
        (self.shim / f"{what}.{name}").touch()

    def let_go(self, what, name):
        (self.shim / f"{what}.{name}").unlink()

    # ---- the lines ----

    def edges(self, path=None):
        """Every open, close and request about DTR and RTS so far, in order."""
        try:
            text = (self.shim / "edges").read_text()
        except FileNotFoundError:
            return []
        found = [EDGE.match(line) for line in text.splitlines()]
        assert all(found), text
        edges = [Edge(int(m[1]), int(m[2]), m[3], m[4], m[5], m[6] + m[7], m[8] + m[9]) for m in found]
        return [e for e in edges if path is None or e.path == path]

    def assert_no_reset(self):
        """No board was reset: never DTR=0 with RTS=1, and no close that pulls the lines."""
        for edge in self.edges():
            assert edge.after not in ("01", "10"), f"{edge}: resets or holds the board"
            assert edge.what != "HUPCL", f"{edge}: the lines dropped at the close"

    # ---- the daemon ----

    def daemon(self, config="", start=True, **kwargs):
        directory = self.directory / f"d{len(self.daemons)}"
        directory.mkdir()
        env = {"LD_PRELOAD": f"{TOOLS / 'ttyshim.so'}:{BED}", "UMOCKDEV_DIR": self.bed, "TTYSHIM_DIR": str(self.shim),
               **sanitizer_env(), **kwargs.pop("env", {})}
        if "plugins" not in config:
            config = options_lua(serial={"listen": "known"}) + config
        config = f'offline = true\nview_dirs = {{ "{self.views}" }}\n' + config
        self.daemons.append(Daemon(directory, config, env=env, **kwargs))
        return self.daemons[-1].start() if start else self.daemons[-1]

    def assert_alive(self):
        """The daemon that was started last has not ended by itself."""
        assert self.daemons and self.daemons[-1].process.poll() is None, f"the daemon ended; log:\n{self.tail()}"

    def tail(self):
        return "\n".join(d.log[-3000:] for d in self.daemons)

    def close(self):
        crashed = [d for d in self.daemons if d.process.poll() not in (None, 0, -signal.SIGKILL)]
        for daemon in self.daemons:
            daemon.close()
        self.process.stdin.close()
        code = self.process.wait(DEADLINE_S)
        self.process.stdout.close()
        assert code == 0, f"plugger ended with {code}"
        assert not crashed, f"the daemon ended with {crashed[0].process.returncode}; log:\n{crashed[0].log}"


class Edge:
    def __init__(self, at_us, pid, pts, path, what, before, after):
        self.at_us, self.pid, self.pts, self.path, self.what = at_us, pid, pts, path, what
        self.before, self.after = before, after

    def __repr__(self):
        return f"{self.at_us} {self.path} {self.what} {self.before}>{self.after}"


def sanitizer_env(leaks=True):
    """The preloads come before the sanitizer's own library; it has to bear that."""
    asan = os.environ.get("ASAN_OPTIONS", "")
    return {"ASAN_OPTIONS": ":".join(filter(None, [asan, "verify_asan_link_order=0", "" if leaks else "detect_leaks=0"]))}


# ---- what the daemon says ----

def devices(daemon):
    """GET /api/device_state."""
    response, body = daemon.get("/api/device_state")
    assert response.status == 200, body
    return json.loads(body)


def post_later(daemon, path, fields):
    """A POST as a program sends it, on a thread: a function that waits for (status, answer)."""
    result = {}

    def run():
        connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=DEADLINE_S)
        try:
            connection.request("POST", path, json.dumps(fields),
                               {"Content-Type": "application/json", "Accept": "application/json"})
            response = connection.getresponse()
            result["status"], result["body"] = response.status, response.read()
        except OSError as error:  # wait() says that there is no answer
            result["error"] = error
        finally:
            connection.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def wait():
        thread.join(DEADLINE_S)
        assert "body" in result, f"POST {path}: no answer ({result.get('error')}); log:\n{daemon.log[-2000:]}"
        try:
            return result["status"], json.loads(result["body"])
        except ValueError:
            raise AssertionError(f"POST {path}: {result}") from None
    return wait


def post(daemon, path, **fields):
    """A POST that must be taken; the answer."""
    status, body = post_later(daemon, path, fields)()
    assert status == 200 and body["success"] is True, (path, fields, status, body)
    return body


def strays(daemon):
    return {d["port_path"]: d for d in devices(daemon) if d["type"] == "stray"}


def flock(daemon):
    """What the settings page reads: shepherd.config().flock, through a view of the bench."""
    response, body = daemon.get("/api/flock")
    assert response.status == 200, body
    return json.loads(body)


def found(daemon, port_path):
    """What is plugged in there; None: nothing."""
    return next((d for d in flock(daemon)["devices"] if d["port_path"] == port_path), None)


def wait_found(daemon, port_path, condition=lambda device: True, what="is found"):
    def check():
        device = found(daemon, port_path)
        return device if device and condition(device) else None
    return wait_for(check, f"{port_path}: {what}; log:\n{daemon.log[-2000:]}")


def accept(daemon, port_path, name):
    """Takes what is plugged in there into the flock, under this name."""
    post(daemon, "/devices/accept", key=wait_found(daemon, port_path)["key"], name=name)
    return wait_for(lambda: daemon.miner(name), f"{name} is a miner")


def events(daemon, name=None):
    """GET /api/events, oldest first; of that name."""
    response, body = daemon.get("/api/events?limit=1000")
    assert response.status == 200, body
    found = reversed(json.loads(body)["events"])
    return [e for e in found if name is None or e["event"] == name]


def wait_links(daemon, miner, wanted):
    """Waits until just this happened to the miner's port: ["up", "down", "up"]. Events reach the API through the database."""
    def links():
        return [e["event"][5:] for e in events(daemon) if e.get("miner") == miner and e["event"].startswith("link.")]
    try:
        wait_for(lambda: links() == wanted, f"{miner}: {wanted}")
    except AssertionError:
        assert links() == wanted, events(daemon)


def wait_events(daemon, name, n=1):
    """Waits until it was told n times; returns them."""
    found = wait_for(lambda: len(events(daemon, name)) >= n and events(daemon, name), f"{name}, {n} times")
    assert len(found) == n, found
    return found


def says(daemon, name, khs):
    """Waits until the miner of that name has this rate: so it is this board, and nobody else's, that is read under it."""
    return daemon.wait_miner(name, lambda m: m["KH/s"] == khs and m["status"] == "online", f"says {khs} kH/s")
