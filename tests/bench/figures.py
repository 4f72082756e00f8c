"""The figures: each function measures one thing and yields dictionaries, one a line of the output. README.md says what
each means. `aim` repeats what the project wants of it, for the reader; nothing compares."""

import re
import select
import shutil
import socket
import sqlite3
import subprocess
import threading
import time
from pathlib import Path

from harness import Daemon, Feed, Missing, cpu_s, median, percentile, status_kb, wait_for, written_bytes

QUIET = "plugins = { serial = { discover = false } }"
MINERS = 100
CONNECTIONS = 64


def made_log(bench, lines):
    """A log of one board: the eight lines that pty_feed writes, over and over."""
    out = bench.scratch / f"board-{lines}.log"
    with out.open("w") as log:
        turn = written = 0
        while written < lines:
            turn += 1
            log.write(f">>> Completed {turn // 77} share(s), {turn} Khashes, "
                      f"avg. hashrate {50 + turn % 10}.{turn % 100:02} KH/s\n"
                      f">>> Valid blocks: 0\n>>> Block templates: {1 + turn // 30}\n"
                      f">>> Best difficulty: {1 + turn // 1000}.{turn % 1000:03}K\n>>> 32Bit shares: {turn // 77}\n"
                      f">>> Temperature: {45 + turn % 3}\n>>> Total MHashes: {turn // 1000}\n"
                      f">>> Time mining: {turn // 86400}  {turn // 3600 % 24:02}:{turn // 60 % 60:02}:{turn % 60:02}\n")
            written += 8
    return out, written


def parse(bench):
    """Lines a second through splitter, secrets, fingerprint and parser: `shepherd parse --summary` on one core."""
    seconds = {}
    for lines in (8, 200_000 if bench.quick else 2_000_000):
        log, written = made_log(bench, lines)
        runs = []
        for _ in range(3):
            begun = time.perf_counter()
            process = bench.pin.start([bench.shepherd, "parse", "--summary", log], bench.pin.daemon,
                                      stdout=subprocess.DEVNULL)
            if process.wait():
                raise RuntimeError(f"shepherd parse: exit {process.returncode}")
            runs.append(time.perf_counter() - begun)
        seconds[written] = min(runs)
    (small, base), (large, took) = sorted(seconds.items())
    size = (bench.scratch / f"board-{lines}.log").stat().st_size
    yield {"name": "parse", "lines": large, "lines_per_s": round((large - small) / (took - base)),
           "mb_per_s": round(size / (took - base) / 1e6, 1), "process_ms": round(base * 1e3, 1)}


def parser(bench):
    """The NerdMiner parser alone, called through the plugin interface with a host that throws readings away."""
    plugin = bench.build / "plugins" / "parser_nerdminer.so"
    if not plugin.exists():
        raise Missing(f"{plugin} is not built")
    log, _ = made_log(bench, 8 * 1000)
    out = bench.pin.start([bench.helper("parser_alone"), plugin, log, 1 if bench.quick else 4], bench.pin.daemon,
                          stdout=subprocess.PIPE, text=True).communicate()[0].split()
    lines, seconds, readings = int(out[0]), float(out[1]), int(out[2])
    yield {"name": "parser", "lines": lines, "readings": readings, "lines_per_s": round(lines / seconds),
           "ns_per_line": round(seconds / lines * 1e9, 1)}


def order_faults(data, sent):
    """Compares the database with what was sent: per miner the count, and that `Completed` counts 1, 2, 3 … Returns
    (lines lost, lines too many, places out of order)."""
    lost = extra = disorder = 0
    completed = re.compile(r">>> Completed \d+ share\(s\), (\d+) Khashes")
    with sqlite3.connect(f"file:{data}/shepherd.db?mode=ro", uri=True) as db:
        ids = dict(db.execute("SELECT miner_id, id FROM miners"))
        for index, lines in enumerate(sent):
            rows = expected = 0
            for (line,) in db.execute("SELECT line FROM miner_logs WHERE miner_id = ? ORDER BY id",
                                      (ids[f"BENCH-{index:04}"],)):
                rows += 1
                found = completed.match(line)
                if found:
                    expected += 1
                    if int(found.group(1)) != expected:
                        disorder += 1
                        expected = int(found.group(1))
            lost += max(0, lines - rows)
            extra += max(0, rows - lines)
    return lost, extra, disorder


def ingest_run(bench, name, rate, seconds, aim, ports=MINERS):
    feed = Feed(bench, ports)
    daemon = Daemon(bench, feed.paths, QUIET)
    before, scripts_before = daemon.cpu_s()
    begun = time.monotonic()
    sent = feed.run(rate, seconds)
    rows = daemon.settle(sent["lines"])
    took = time.monotonic() - begun
    after, scripts_after = daemon.cpu_s()
    memory = status_kb(daemon.pid)
    daemon.stop()
    feed.close()
    lost, extra, disorder = order_faults(daemon.data, sent["per_port"])
    yield {"name": name, "ports": ports, "lines": sent["lines"], "bytes": sent["bytes"], "secs": sent["secs"],
           "lines_per_s": round(sent["lines"] / sent["secs"]), "rows": rows, "lost": lost, "extra": extra,
           "disorder": disorder, "unsent": sent["unsent"], "late_ms": sent["late_ms"], "stored_after_s": round(took, 2),
           "cpu_ms_per_1000_lines": round((after - before) / sent["lines"] * 1e6, 2),
           "script_cpu_ms_per_1000_lines": round((scripts_after - scripts_before) / sent["lines"] * 1e6, 2),
           "cpu_pct": round((after - before) / took * 100, 2), "rss_peak_kb": memory.get("VmHWM"), "aim": aim}


def ingest_farm(bench):
    """100 boards as they are: eight lines a second each."""
    yield from ingest_run(bench, "ingest_farm", 8 * MINERS, 8 if bench.quick else 30, "25 ms CPU per 1,000 lines")


def ingest_10k(bench):
    yield from ingest_run(bench, "ingest_10k", 10_000, 5 if bench.quick else 15, "8 ms CPU per 1,000 lines")


def ingest_flat_out(bench):
    """As fast as the daemon takes them."""
    yield from ingest_run(bench, "ingest_flat_out", 0, 3 if bench.quick else 8, "100,000 lines/s, none lost")


class Yardsticks:
    """Servers that serve the daemon's bytes: bare evhttp, and nginx where it is installed."""

    def __init__(self, bench, body, content_type):
        self.bench, self.servers = bench, {}
        folder = Path(bench.scratch / f"www-{time.monotonic_ns()}")
        folder.mkdir()
        (folder / "body").write_bytes(body)
        bare = bench.pin.start([bench.helper("bare_evhttp", "libevent"), folder / "body", content_type],
                               bench.pin.daemon, stdout=subprocess.PIPE, text=True)
        self.servers["bare_evhttp"] = (bare, int(bare.stdout.readline()), "/")
        if shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"):
            self.nginx(folder, content_type)

    def nginx(self, folder, content_type):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        folder.chmod(0o755)
        (folder / "nginx.conf").write_text(
            f"daemon off; master_process off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;\n"
            f"events {{ worker_connections 4096; }}\n"
            f"http {{ access_log off; sendfile on; tcp_nopush off; tcp_nodelay on; keepalive_requests 100000000;\n"
            f"  default_type {content_type.split(';')[0]}; open_file_cache max=10;\n"
            + "".join(f"  {kind}_temp_path {folder}/{kind};\n"
                      for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
            + f"  server {{ listen 127.0.0.1:{port}; root {folder}; }} }}\n")
        server = self.bench.pin.start([shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"),
                                       "-c", folder / "nginx.conf", "-p", folder], self.bench.pin.daemon,
                                      stderr=subprocess.DEVNULL)

        def listening():
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0
        wait_for(listening, "nginx")
        self.servers["nginx"] = (server, port, "/body")

    def close(self):
        for process, _, _ in self.servers.values():
            process.terminate()
            process.wait()


def compared(bench, daemon, name, path, aim):
    """The daemon and the yardsticks in turns, so that a slow moment of the machine falls on all of them."""
    reply, body = daemon.get(path)
    yardsticks = Yardsticks(bench, body, reply.headers["Content-Type"])
    servers = {"shepherd": (daemon.process, daemon.port, path), **yardsticks.servers}
    rounds, seconds = (2, 1) if bench.quick else (5, 3)
    runs = {server: [] for server in servers}
    for server, (_, port, where) in servers.items():
        bench.load(port, where, CONNECTIONS, 0.5)
    for _ in range(rounds):
        for server, (_, port, where) in servers.items():
            runs[server].append(bench.load(port, where, CONNECTIONS, seconds))
    yardsticks.close()
    figure = {"name": name, "path": path, "connections": CONNECTIONS, "rounds": rounds, "body_bytes": len(body)}
    for server, results in runs.items():
        figure[f"{server}_rps"] = round(median([run["rps"] for run in results]))
        figure[f"{server}_p99_ms"] = round(median([run["p99_ms"] for run in results]), 2)
        if server != "shepherd":
            figure[f"to_{server}"] = round(median([mine["rps"] / other["rps"] for mine, other
                                                   in zip(runs["shepherd"], results)]), 3)
    figure["errors"] = sum(run["not_200"] + run["broken"] for run in runs["shepherd"])
    figure["aim"] = aim
    return figure


def flock(bench, settings=QUIET):
    """100 miners that have said something of everything."""
    feed = Feed(bench, MINERS)
    daemon = Daemon(bench, feed.paths, settings)
    sent = feed.run(8 * MINERS * 4, 3)
    daemon.settle(sent["lines"])
    return feed, daemon


def http(bench):
    """/api/herd_data and / with 100 miners: at rest, then with each miner saying a line a second."""
    feed, daemon = flock(bench)
    yield compared(bench, daemon, "http_api", "/api/herd_data", "0.8 of bare_evhttp")
    yield compared(bench, daemon, "http_page", "/", "")
    feed.begin(MINERS, 300)
    figure = compared(bench, daemon, "http_api_live", "/api/herd_data", "")
    yield {**figure, "note": "100 lines a second come in meanwhile; the yardsticks serve what stood at the beginning"}
    daemon.stop()
    feed.process.kill()


def render_cpu_ms(daemon, turns, headers):
    """CPU of the script process for a render of the front page. A column that does not exist makes each request a page
    of its own."""
    for turn in range(5):
        daemon.get(f"/?cols=warm{turn}", headers)
    before = daemon.cpu_s()[1]
    for turn in range(turns):
        daemon.get(f"/?cols=none{turn}", headers)
    return (daemon.cpu_s()[1] - before) / turns * 1e3


def page_of_many(bench):
    """The front page with 1,000 miners, most of which have not spoken yet, beside the one with 10, and as a viewer gets
    it: CPU for a render, and bytes on the wire."""
    said = bench.scratch / "said.log"
    said.write_text("a word of long ago\n")
    turns = 20 if bench.quick else 100
    cpu_ms = {}
    for miners in (10, 1000):
        rows = "".join(f'{{ id = "BENCH-{i}", source = "replay", path = "{said}", loop = false }},\n'
                       for i in range(miners))
        settings = f'{QUIET}\naccess = {{ lan = "viewer" }}\nminers = {{\n{rows}}}\n'
        daemon = Daemon(bench, (), settings, own_miners=True)
        cpu_ms[miners] = render_cpu_ms(daemon, turns, {})
        viewer_cpu_ms = render_cpu_ms(daemon, turns, {"X-Forwarded-For": "192.0.2.7"})
        compressed = len(daemon.get("/", {"Accept-Encoding": "gzip"})[1])
        daemon.stop()
    yield {"name": "page_of_1000", "cpu_ms": round(cpu_ms[1000], 1), "viewer_cpu_ms": round(viewer_cpu_ms, 1),
           "to_page_of_10": round(cpu_ms[1000] / cpu_ms[10], 1), "compressed_bytes": compressed, "aim": "20 ms, 60,000 bytes"}


def keepalive(bench):
    """Many open connections: is each answered?"""
    feed, daemon = flock(bench)
    for connections in (1, 256, 1000):
        run = bench.load(daemon.port, "/api/herd_data", connections, 2 if bench.quick else 5)
        yield {"name": f"keepalive_{connections}", **run, "aim": "never_answered 0"}
    daemon.stop()
    feed.close()


def disk(bench):
    """Bytes handed to the disk for each byte of log, at one line a second from each of 100 miners: first the short lines
    of boards without a display, then the one long line that the others print."""
    for name, forms in (("disk", 8), ("disk_long_lines", 1)):
        feed = Feed(bench, MINERS, forms)
        daemon = Daemon(bench, feed.paths, QUIET)
        warm = feed.run(MINERS, 3)  # the database is made, its first pages are there
        daemon.settle(warm["lines"])
        before = written_bytes(daemon.pid)
        sent = feed.run(MINERS, 20 if bench.quick else 120)
        daemon.settle(warm["lines"] + sent["lines"])
        running = written_bytes(daemon.pid) - before
        _, usage = daemon.stop()
        feed.close()
        whole = usage.ru_oublock * 512 - before
        figure = {"name": name, "lines": sent["lines"], "log_bytes": sent["bytes"], "secs": sent["secs"],
                  "written_bytes": running, "written_with_stop_bytes": whole,
                  "per_log_byte": round(running / sent["bytes"], 2),
                  "per_log_byte_with_stop": round(whole / sent["bytes"], 2),
                  "bytes_per_1000_lines": round(running / sent["lines"] * 1000), "aim": "5 bytes per byte of log"}
        if not before:
            figure["note"] = "the kernel counted nothing: the build folder is not on a disk"
        yield figure


def memory(bench):
    """RSS of each process with 100 miners, after every page was rendered and served to many."""
    feed, daemon = flock(bench)
    for path in ("/", "/raw_logs", "/details/system", "/api/herd_data", "/api/device_state"):
        bench.load(daemon.port, path, 8, 1)
    feed.run(8 * MINERS, 5 if bench.quick else 30)
    for kind, pids in (("daemon", [daemon.pid]), ("script", daemon.scripts())):
        for pid in pids:
            now = status_kb(pid)
            yield {"name": f"memory_{kind}", "miners": MINERS, "rss_kb": now["VmRSS"], "anonymous_kb": now["RssAnon"],
                   "file_kb": now["RssFile"], "peak_kb": now["VmHWM"],
                   "aim": "20,480 kB, anonymous 6,144" if kind == "daemon" else "12,288 kB"}
    daemon.stop()
    feed.close()


def idle(bench):
    """CPU with nothing to do: no miners (ports are looked for, as always), then 100 silent ones."""
    seconds = 10 if bench.quick else 30
    feed = Feed(bench, MINERS)
    for name, paths, settings in (("idle", (), ""), ("idle_100_silent", feed.paths, QUIET)):
        daemon = Daemon(bench, paths, settings)
        daemon.get("/")
        time.sleep(2)  # what start-up left to do
        before = daemon.cpu_s()
        begun = time.monotonic()
        time.sleep(seconds)
        took = time.monotonic() - begun
        after = daemon.cpu_s()
        yield {"name": name, "secs": round(took, 1), "cpu_pct": round((after[0] - before[0]) / took * 100, 4),
               "script_cpu_pct": round((after[1] - before[1]) / took * 100, 4),
               "aim": "0.1 % of a core" if name == "idle" else ""}
        daemon.stop()
    feed.close()


def first_200(bench, path, data):
    """One start: ms to the first 200 of `path`, ms to stop."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    begun = time.perf_counter()
    process = bench.pin.start([bench.shepherd, "run", "--config", data / "empty.lua", "--data-dir", data, "--listen",
                               f"127.0.0.1:{port}"], bench.pin.daemon, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    while time.perf_counter() - begun < 20:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
                client.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
                if b" 200 " in client.recv(64):
                    break
        except OSError:
            pass
        time.sleep(0.0003)
    else:
        raise TimeoutError(f"no 200 from {path}")
    answered = time.perf_counter()
    process.terminate()
    process.wait()
    return (answered - begun) * 1e3, (time.perf_counter() - answered) * 1e3


def startup(bench):
    """From exec to the first 200, and from SIGTERM to the end, with a database that is there already."""
    data = bench.scratch / "startup"
    data.mkdir()
    (data / "empty.lua").write_text("offline = true\n")
    for path in ("/healthz", "/api/herd_data", "/"):
        first_200(bench, path, data)
        runs = [first_200(bench, path, data) for _ in range(5 if bench.quick else 15)]
        yield {"name": "startup", "path": path, "runs": len(runs),
               "first_200_ms": round(median([run[0] for run in runs]), 1),
               "worst_ms": round(max(run[0] for run in runs), 1), "stop_ms": round(median([run[1] for run in runs]), 1),
               "stop_worst_ms": round(max(run[1] for run in runs), 1), "aim": "50 ms, stop 100 ms"}


MARKER = re.compile(rb'"Total MHashes":\s*(1\d{6})(?:\.0*)?\s*[,}]')


def newest_mark(body):
    """The newest marker that an answer shows: pty_feed writes marker K as one million and K million hashes."""
    return max((int(value) - 1_000_000 for value in MARKER.findall(body)), default=0)


class Client:
    """A keep-alive connection that asks for the herd."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def herd(self):
        self.socket.sendall(b"GET /api/herd_data HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        data = b""
        while b"\r\n\r\n" not in data:
            data += self.socket.recv(1 << 20)
        head, _, body = data.partition(b"\r\n\r\n")
        length = int(re.search(rb"(?i)content-length: *(\d+)", head).group(1))
        parts, have = [body], len(body)
        while have < length:
            parts.append(self.socket.recv(1 << 20))
            have += len(parts[-1])
        return b"".join(parts)


def events(port):
    """A socket that gets /events. http.client would buffer them."""
    stream = socket.create_connection(("127.0.0.1", port))
    stream.sendall(b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n")
    return stream


class Marks(threading.Thread):
    """Collects when each marker was written, while the main thread watches for it."""

    def __init__(self, feed):
        super().__init__(daemon=True)
        self.feed, self.at, self.report = feed, {}, None

    def run(self):
        for item in self.feed.marks():
            if isinstance(item, dict):
                self.report = item
            else:
                self.at[item[0]] = item[1]


def delays(marks, seen):
    """ms from each marker to the first look at which it, or a newer one, was there. seen: [(time, marker)] in order."""
    out, look = [], 0
    for number, written in sorted(marks.items()):
        while look < len(seen) and seen[look][1] < number:
            look += 1
        if look < len(seen):
            out.append(max(0.0, (seen[look][0] - written) * 1e3))
    return out


def latency(bench):
    """From a line on the wire to /api/herd_data, and to the event that tells browsers; each miner says one a second."""
    for name, look in (("latency_api", look_api), ("latency_events", look_events)):
        feed, daemon = flock(bench)
        feed.begin(MINERS, 8 if bench.quick else 30, 103)  # 103: no beat with the event every 250 ms
        marks = Marks(feed)
        marks.start()
        seen = look(daemon, marks)
        waits = delays(marks.at, seen)
        yield {"name": name, "miners": MINERS, "marks": len(marks.at), "seen": len(waits), "looks": len(seen),
               "p50_ms": round(percentile(waits, 0.5), 2), "p99_ms": round(percentile(waits, 0.99), 2),
               "max_ms": round(max(waits), 2), "aim": "p99 300 ms"}
        daemon.stop()
        feed.close()


def look_api(daemon, marks):
    """Asks again and again, 2 ms apart; what counts is when the answer was there."""
    client, seen = Client(daemon.port), []
    while marks.is_alive() or (seen and seen[-1][1] < max(marks.at, default=0) and time.monotonic() - seen[-1][0] < 3):
        mark = newest_mark(client.herd())
        seen.append((time.monotonic(), mark))
        time.sleep(0.002)
    return seen


def look_events(daemon, marks):
    """Waits for an event and then asks what the herd is, as a browser does; what counts is when the event was there."""
    stream, client, seen = events(daemon.port), Client(daemon.port), []
    quiet_since = None
    while marks.is_alive() or quiet_since is None or time.monotonic() - quiet_since < 1:
        quiet_since = None if marks.is_alive() else quiet_since or time.monotonic()
        if not select.select([stream], [], [], 0.1)[0]:
            continue
        arrived = time.monotonic()
        if b"event: herd" in stream.recv(65536):
            seen.append((arrived, newest_mark(client.herd())))
    stream.close()
    return seen


FIGURES = [parse, parser, ingest_farm, ingest_10k, ingest_flat_out, http, page_of_many, keepalive, disk, memory, idle, startup,
           latency]
