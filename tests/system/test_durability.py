"""Nothing a miner said is lost: load, SIGKILL at random moments, a full disk."""
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import time

import pytest

from conftest import DEADLINE_S, miners_lua, wait_for


def stored(path):
    connection = sqlite3.connect(f"file:{path}/shepherd.db?mode=ro", uri=True, timeout=10)
    rows = connection.execute("SELECT m.miner_id, l.line FROM miner_logs l JOIN miners m ON m.id = l.miner_id "
                              "ORDER BY l.id").fetchall()
    connection.close()
    return rows


def per_miner(rows):
    lines = {}
    for name, line in rows:
        lines.setdefault(name, []).append(int(line.rsplit(" ", 1)[1]))
    return lines


def test_a_hundred_ports_in_order_and_none_twice(daemon, ports):
    """100 ptys, 20 lines each a round, 60 rounds as fast as the daemon takes them: 120,000 lines."""
    n_ports, rounds, per_round = 100, 60, 20
    pipes = {f"M{i:03}": pipe for i, pipe in enumerate(ports(n_ports))}
    d = daemon(miners_lua((name, pipe.path) for name, pipe in pipes.items()))
    wait_for(lambda: all(m["status"] != "offline" for m in d.herd()["miners_list"]), "all ports open")
    for turn in range(rounds):
        for name, pipe in pipes.items():
            pipe.write("".join(f"line {name} {turn * per_round + i}\n" for i in range(per_round)))
    total = n_ports * rounds * per_round
    wait_for(lambda: d.rows("SELECT count(*) FROM miner_logs")[0][0] >= total, "all lines stored")
    lines = per_miner(stored(d.data))
    assert set(lines) == set(pipes)
    for name, numbers in lines.items():
        assert numbers == list(range(rounds * per_round)), name


def test_sigkill_at_thirty_random_moments(daemon, ports):
    """Holds every line that was sent 2 s before the kill, in order, none twice, and carries on."""
    port, = ports(1)
    d = daemon(miners_lua([("ONE", port.path)]))
    rng = random.Random(20261122)
    sent = []  # when line N was sent
    lost_before = set()  # by earlier kills, within their 2 s
    for kill in range(30):
        d.wait_miner("ONE", lambda m: m["status"] != "offline", "the port to be open")
        end = time.monotonic() + rng.uniform(0.05, 2.6 if kill % 6 == 0 else 0.6)
        while time.monotonic() < end:
            port.write(f"line {len(sent)}\n")
            sent.append(time.monotonic())
            time.sleep(0.002)
        killed = time.monotonic()
        d.stop(signal.SIGKILL)
        connection = sqlite3.connect(d.data / "shepherd.db")
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        numbers = [int(row[0].split()[1]) for row in connection.execute("SELECT line FROM miner_logs ORDER BY id")
                   if row[0].count(" ") == 1 and row[0].split()[1].isdigit()]
        connection.close()
        assert numbers == sorted(set(numbers)), "out of order or twice"
        due = {number for number, at in enumerate(sent) if at < killed - 2}
        old = due - set(numbers) - lost_before
        assert not old, f"kill {kill}: lines lost that were sent more than 2 s before: {sorted(old)[:5]}"
        lost_before.update(set(range(len(sent))) - set(numbers))
        d.start()
    assert len(lost_before) < len(sent)


def test_full_disk_degrades_and_recovers(daemon, ports, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("mounting a small tmpfs needs root")
    mount = tmp_path / "small"
    mount.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", mount], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"mounting a tmpfs is not allowed here: {done.stderr.strip()}")
    try:
        port, = ports(1)
        d = daemon(miners_lua([("ONE", port.path)]), start=False)
        d.data = mount
        d.start()
        filler = "x" * 900
        n = 0
        end = time.monotonic() + DEADLINE_S
        while d.get("/healthz")[0].status == 200:
            assert time.monotonic() < end, "4 MB are never full"
            for _ in range(50):
                port.write(f"{filler} {n}\n")
                n += 1
        assert "disk" in d.get("/healthz")[1].decode().lower() or "full" in d.get("/healthz")[1].decode().lower()
        wait_for(lambda: 'role="alert"' in d.text("/"), "the banner")
        assert d.process.poll() is None
        subprocess.run(["mount", "-o", "remount,size=64m", mount], check=True)
        wait_for(lambda: d.get("/healthz")[0].status == 200, "recovery without a restart")
        port.write("after the recovery 1\n")
        wait_for(lambda: d.rows("SELECT 1 FROM miner_logs WHERE line = 'after the recovery 1'"), "new lines")
        numbers = [int(line.rsplit(" ", 1)[1]) for _, line in stored(mount) if line.startswith("xxx")]
        assert numbers == sorted(set(numbers)), "out of order or twice"
        dropped = n - len(numbers)
        assert d.miner("ONE")["lines_dropped"] == dropped if dropped else True
        assert d.stop() == 0
        d.close()
    finally:
        subprocess.run(["umount", "-l", mount], check=False)
        shutil.rmtree(mount, ignore_errors=True)
