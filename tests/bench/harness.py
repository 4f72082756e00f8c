"""What the figures are measured with: helper programs, the daemon under load, its CPU, memory and disk.

Nothing here judges. Everything is started by us, on loopback and pseudo terminals, and ended by us."""

import http.client
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
START_DEADLINE_S = 20


class Missing(Exception):
    """A program that a figure needs is not there: the figure is left out, by name."""


def wait_for(condition, what, seconds=START_DEADLINE_S):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        time.sleep(0.01)
    raise TimeoutError(f"waited {seconds} s for {what}")


class Pin:
    """The daemon on one core, the load on another, so that neither steals from the other. One core: no pinning."""

    def __init__(self):
        cores = sorted(os.sched_getaffinity(0))
        self.daemon, self.load = ({cores[0]}, {cores[1]}) if len(cores) > 1 else (None, None)

    def start(self, command, cores, **more):
        def pin():
            if cores:
                os.sched_setaffinity(0, cores)
        return subprocess.Popen([str(word) for word in command], preexec_fn=pin, **more)


class Bench:
    """Where things are: the build, the helpers (compiled here, they are no part of the build), a scratch folder."""

    def __init__(self, build, quick):
        self.build, self.quick, self.pin = build, quick, Pin()
        self.shepherd = build / "shepherd"
        if not self.shepherd.exists():
            sys.exit(f"bench: {self.shepherd} is not there: run config/quickstart --no-run, or set BUILD")
        # Not /tmp: where that is a tmpfs, nothing would be written to a disk.
        self.scratch = Path(tempfile.mkdtemp(prefix="bench-", dir=build))

    def helper(self, name, *libraries):
        out = self.scratch / name
        if not out.exists():
            flags = []
            if libraries:
                flags = subprocess.run(["pkg-config", "--cflags", "--libs", *libraries], check=True,
                                       capture_output=True, text=True).stdout.split()
            subprocess.run(["cc", "-O2", f"-I{ROOT}/core/include", "-o", out, HERE / f"{name}.c", *flags, "-lm",
                            "-ldl"], check=True)
        return out

    def load(self, port, path, connections, seconds):
        done = self.pin.start([self.helper("http_load"), port, path, connections, seconds], self.pin.load,
                              stdout=subprocess.PIPE, text=True)
        return json.loads(done.communicate()[0])

    def clean(self):
        shutil.rmtree(self.scratch, ignore_errors=True)


class Feed:
    """A flock on pseudo terminals: pty_feed.c. forms: 8 as boards without a display print, 1 as those with one."""

    def __init__(self, bench, ports, forms=8):
        self.process = bench.pin.start([bench.helper("pty_feed"), ports, forms], bench.pin.load, stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, text=True, bufsize=1)
        self.paths = [self.process.stdout.readline().strip() for _ in range(ports)]
        if self.process.stdout.readline().strip() != "ready":
            raise RuntimeError("pty_feed could not make its ports: see above")

    def begin(self, rate, seconds, mark_ms=0):
        self.process.stdin.write(f"feed {rate} {seconds} {mark_ms}\n")

    def marks(self):
        """Yields (number, monotonic seconds) of each marker as it is written, then the report."""
        for line in self.process.stdout:
            if line.startswith("mark"):
                _, number, nanoseconds = line.split()
                yield int(number), int(nanoseconds) / 1e9
            else:
                yield json.loads(line)
                return

    def end(self):
        *_, report = self.marks()
        return report

    def run(self, rate, seconds):
        self.begin(rate, seconds)
        return self.end()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Daemon:
    """The daemon with its own empty data directory, miners on `paths`, and whatever else the configuration says."""

    def __init__(self, bench, paths=(), settings="", data=None, own_miners=False):
        self.bench = bench
        self.data = Path(data or tempfile.mkdtemp(prefix="data-", dir=bench.scratch))
        self.conf = self.data.with_suffix(".lua")
        miners = "".join(f'  {{ id = "BENCH-{i:04}", source = "serial", path = "{path}" }},\n'
                         for i, path in enumerate(paths))
        miners = "" if own_miners else f"miners = {{\n{miners}}}\n"  # they stand in the settings
        self.conf.write_text(f'listen = "127.0.0.1:0"\ndata_dir = "{self.data}"\noffline = true\n{settings}\n{miners}')
        self.log = (self.data.with_suffix(".log")).open("w")
        self.begun = time.monotonic()
        self.process = bench.pin.start([bench.shepherd, "run", "--config", self.conf], bench.pin.daemon,
                                       stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.process.stdout.readline()
        if "listening on" not in line:
            self.process.wait()
            sys.exit(f"bench: the daemon did not start:\n{self.data.with_suffix('.log').read_text()}")
        self.port = int(line.rsplit(":", 1)[1])
        self.pid = self.process.pid
        if paths:
            wait_for(lambda: self.open_ports() >= len(paths), f"{len(paths)} open ports")

    def open_ports(self):
        count = 0
        for fd in Path(f"/proc/{self.pid}/fd").iterdir():
            try:
                count += os.readlink(fd).startswith("/dev/pts/")
            except OSError:
                pass
        return count

    def scripts(self):
        """Its script processes."""
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[1]) == self.pid:
                found.append(int(stat.parent.name))
        return sorted(found)

    def cpu_s(self):
        """CPU seconds of the daemon and of its script processes, user and system, to the nanosecond."""
        return cpu_s(self.pid), sum(cpu_s(pid) for pid in self.scripts())

    def get(self, path, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", path, headers=headers or {})
        reply = connection.getresponse()
        body = reply.read()
        connection.close()
        return reply, body

    def rows(self):
        """Lines in the database, as any SQLite program sees them."""
        with sqlite3.connect(f"file:{self.data}/shepherd.db?mode=ro", uri=True) as db:
            return db.execute("SELECT count(*) FROM miner_logs").fetchone()[0]

    def settle(self, lines):
        """Waits until so many lines are stored, or no more come; returns how many there are."""
        seen, since = -1, time.monotonic()
        while True:
            rows = self.rows()
            if rows >= lines:
                return rows
            if rows != seen:
                seen, since = rows, time.monotonic()
            elif time.monotonic() - since > 5:
                return rows
            time.sleep(0.2)

    def stop(self):
        """Ends it; returns (seconds until it was gone, its resource usage over its whole life)."""
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        _, status, usage = os.wait4(self.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self.log.close()
        return time.monotonic() - begun, usage


def cpu_s(pid):
    total = 0
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
    except OSError:  # a thread or the process ended meanwhile
        pass
    return total / 1e9


def status_kb(pid):
    """{"VmRSS": kB, "RssAnon": kB, …} of a process."""
    fields = (line.split() for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {words[0][:-1]: int(words[1]) for words in fields if len(words) == 3 and words[2] == "kB"}


def written_bytes(pid):
    """What a process handed to the disk so far (pages made dirty, as the kernel counts them)."""
    fields = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    return int(fields["write_bytes"])


def median(values):
    values = sorted(values)
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))]
