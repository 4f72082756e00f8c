"""The real daemon on loopback, fed through ptys. Each test has a data directory and a port of its own.

Nothing here sleeps for luck: wait_for() polls a condition until a deadline that is far beyond what any
machine needs, so a slow machine is slow and a broken program fails.
"""
import http.client
import json
import os
import pathlib
import pty
import signal
import sqlite3
import subprocess
import termios
import threading
import time
import tty

import pytest

BUILD = pathlib.Path(os.environ.get("BUILD", "build"))
SHEPHERD = os.environ.get("SHEPHERD", str(BUILD / "shepherd"))
DEADLINE_S = 60


def wait_for(condition, what, deadline_s=DEADLINE_S, every_s=0.02):
    """The condition's first true value; fails with `what` and the last value seen after the deadline."""
    end = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"{what}: not within {deadline_s} s; last seen: {value!r}"
        time.sleep(every_s)


class Pty:
    """A serial port that the test is the other end of."""

    def __init__(self):
        self.master, slave = pty.openpty()
        tty.setraw(self.master)
        self.path = os.ttyname(slave)
        self.slave = slave
        os.set_blocking(self.master, False)

    def write(self, data):
        if isinstance(data, str):
            data = data.encode()
        end = time.monotonic() + DEADLINE_S
        while data:
            try:
                data = data[os.write(self.master, data):]
            except BlockingIOError:
                assert time.monotonic() < end, "the daemon does not read its port"
                time.sleep(0.002)

    def unplug(self):
        """The other side hangs up: what a pulled USB cable looks like to the reader."""
        for fd in (self.slave, self.master):
            if fd is not None:
                os.close(fd)
        self.master = self.slave = None

    def close(self):
        if self.master is not None:
            self.unplug()


class Daemon:
    def __init__(self, directory, config="", args=(), env=None, preexec=None):
        self.directory = pathlib.Path(directory)
        self.data = self.directory / "data"
        self.config = self.directory / "shepherd.lua"
        self.config.write_text("offline = true\nplugins = { serial = { discover = false } }\n" + config
                               if "plugins" not in config else config)
        self.args = list(args)
        self.env = {**os.environ, **(env or {})}
        self.preexec = preexec
        self.process = None
        self.log = ""

    def start(self, wait=True):
        config = ["--config", str(self.config)] if self.config else []
        command = [SHEPHERD, "run", *config, "--data-dir", str(self.data), "--listen", "127.0.0.1:0", *self.args]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        env=self.env, preexec_fn=self.preexec, errors="replace")
        self.log_thread = threading.Thread(target=self._collect, args=(self.process.stderr,), daemon=True)
        self.log_thread.start()
        if wait:
            line = self.process.stdout.readline()
            assert line.startswith("shepherd: listening on http://"), f"{line!r}\n{self.log}"
            self.port = int(line.rsplit(":", 1)[1])
        return self

    def _collect(self, stream):
        for line in stream:
            self.log += line

    def get(self, path, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        connection.request("GET", path, headers=headers or {})
        response = connection.getresponse()
        body = response.read()
        connection.close()
        return response, body

    def text(self, path):
        return self.get(path, {"Accept": "text/html"})[1].decode()

    def herd(self):
        response, body = self.get("/api/herd_data")
        assert response.status == 200, body
        return json.loads(body)

    def miner(self, name):
        return next((m for m in self.herd()["miners_list"] if m["miner_id"] == name), None)

    def wait_miner(self, name, condition, what):
        def check():
            miner = self.miner(name)
            return miner if miner and condition(miner) else None
        return wait_for(check, f"{name}: {what}; log:\n{self.log[-2000:]}")

    def rows(self, sql, *params):
        """Another program that reads the database while the daemon runs."""
        connection = sqlite3.connect(f"file:{self.data}/shepherd.db?mode=ro", uri=True, timeout=10)
        try:
            return connection.execute(sql, params).fetchall()
        finally:
            connection.close()

    def stop(self, how=signal.SIGTERM, deadline_s=30):
        self.process.send_signal(how)
        code = self.process.wait(deadline_s)
        self.log_thread.join(deadline_s)
        self.process.stdout.close()
        self.process.stderr.close()
        return code

    def close(self):
        if self.process and self.process.poll() is None:
            self.stop(signal.SIGKILL)


@pytest.fixture
def daemon(tmp_path):
    """daemon(config, args) starts one; all are ended after the test."""
    made = []

    def make(config="", args=(), start=True, **kwargs):
        directory = tmp_path / f"d{len(made)}"
        directory.mkdir()
        made.append(Daemon(directory, config, args, **kwargs))
        return made[-1].start() if start else made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def ports():
    """ports(n) makes n ptys; what is left open is closed after the test."""
    made = []

    def make(n=1):
        new = [Pty() for _ in range(n)]
        made.extend(new)
        return new

    yield make
    for one in made:
        one.close()


def miner_lua(name, path, **more):
    extra = "".join(f", {key} = {json.dumps(value)}" for key, value in more.items())
    return f'  {{ id = "{name}", source = "serial", path = "{path}"{extra} }},\n'


def miners_lua(pairs):
    return "miners = {\n" + "".join(miner_lua(name, path) for name, path in pairs) + "}\n"


def run(*args, stdin=None, env=None):
    """One command of the program: (exit code, stdout, stderr)."""
    done = subprocess.run([SHEPHERD, *map(str, args)], capture_output=True, text=True, input=stdin,
                          timeout=DEADLINE_S, env={**os.environ, **(env or {})}, errors="replace")
    return done.returncode, done.stdout, done.stderr
