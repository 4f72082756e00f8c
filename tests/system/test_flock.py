"""A flock of ptys fed with whole logs: pages and API show for each miner what its log states last, and
statuses follow what happens to the ports. Truth tables are written by hand from the logs (tests/data)."""
import json
import os
import pathlib
import re

import pytest

from conftest import miners_lua, wait_for

DATA = pathlib.Path(__file__).parent.parent / "data"
CAPTURES = os.environ.get("SHEPHERD_CAPTURES")
MONITOR_TIME = re.compile(rb"^\d\d:\d\d:\d\d\.\d\d\d > ", re.M)

# key of the truth table → key of the API and the factor between them
KEYS = {"hashrate": ("KH/s", 1e-3), "shares_32bit": ("Shares", 1), "best_difficulty": ("Best difficulty", 1),
        "block_templates": ("Block templates", 1), "temperature": ("Temperature", 1), "valid_blocks": ("Valid blocks", 1),
        "hashes_total": ("Total MHashes", 1e-6), "shares_accepted": ("shares_accepted", 1),
        "shares_rejected": ("shares_rejected", 1), "pool": ("pool_url", None), "wallet": ("wallet_address", None),
        "worker": ("worker", None), "firmware": ("firmware", None), "version": ("nerdminer_vrs", None)}


def time_mining(seconds):
    seconds = int(seconds)
    return f"{seconds // 86400}  {seconds // 3600 % 24:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def truth_of(folder, logs):
    """(name, last readings, log) of every truth table in a folder whose log is NerdMiner's and is there."""
    for path in sorted(folder.glob("*.json")):
        truth = json.loads(path.read_text())
        log = logs / truth["log"]
        if truth.get("parser") == "nerdminer" and truth.get("last") and log.exists():
            yield path.stem, truth["last"], log


def check_flock(daemon, ports, chosen):
    pipes = dict(zip((name for name, _, _ in chosen), ports(len(chosen))))
    d = daemon(miners_lua((name, pipe.path) for name, pipe in pipes.items()))
    for name in pipes:
        d.wait_miner(name, lambda m: m["status"] != "offline", "to be attached")
    for name, _, log in chosen:
        pipes[name].write(MONITOR_TIME.sub(b"", log.read_bytes()) + b"\n")  # some end within a line
    for name, last, _ in chosen:
        wanted = {KEYS[k][0]: v if KEYS[k][1] is None else v * KEYS[k][1] for k, v in last.items() if k in KEYS}
        if "uptime" in last:
            wanted["Time mining"] = time_mining(last["uptime"])

        def differing(miner):
            return {k: (miner[k], v) for k, v in wanted.items()
                    if not (miner[k] == v or (isinstance(v, float) and miner[k] == pytest.approx(v, rel=1e-6)))}
        wait_for(lambda: not differing(d.miner(name)), f"{name}: API and truth differ: {differing(d.miner(name))}")
    page = d.text("/")
    for name, last, _ in chosen:
        assert name in page
        if last.get("hashrate"):
            assert f"{last['hashrate'] / 1000:.4g}"[:4] in page, name
    return d, pipes


def test_ten_made_logs(daemon, ports):
    made = list(truth_of(DATA / "truth", DATA))
    assert len(made) >= 10, "tests/data has too few logs"
    check_flock(daemon, ports, made)


@pytest.mark.skipif(not CAPTURES, reason="SHEPHERD_CAPTURES is not set: no real captures")
def test_ten_captures(daemon, ports):
    made = list(truth_of(DATA / "truth" / "captures", pathlib.Path(CAPTURES or "")))
    assert len(made) >= 10
    check_flock(daemon, ports, made)


def stat_line(n=1):
    return f">>> Completed {n} share(s), {n * 100} Khashes, avg. hashrate 55.12 KH/s\n"


def test_status_follows_the_port(daemon, ports):
    port, = ports(1)
    d = daemon("silent_after = 5\n" + miners_lua([("ONE", port.path)]))
    port.write("NerdMiner v2 starting......\n")
    d.wait_miner("ONE", lambda m: m["status"] in ("idle", "resetting"), "to be idle: a line, no hashes")
    port.write(stat_line())
    d.wait_miner("ONE", lambda m: m["status"] == "online", "to be online")
    d.wait_miner("ONE", lambda m: m["status"] == "silent", "to be silent after 5 s")
    assert d.miner("ONE")["KH/s"] == 55.12  # silence erases nothing
    assert d.herd()["herd_stats"]["total_hash_khs"] == 0  # but it counts nothing
    port.write(stat_line(2))
    d.wait_miner("ONE", lambda m: m["status"] == "online", "to be online again")
    port.write("ets Jul 29 2019 12:21:46\n\nrst:0xc (SW_CPU_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\n")
    d.wait_miner("ONE", lambda m: m["status"] == "resetting", "to be resetting")
    port.write(stat_line(3))
    d.wait_miner("ONE", lambda m: m["status"] == "online", "to be online after the reset")
    port.unplug()
    miner = d.wait_miner("ONE", lambda m: m["status"] == "offline", "to be offline")
    assert miner["why"] and miner["KH/s"] == 55.12
    kinds = lambda: [row[0] for row in d.rows("SELECT event FROM events ORDER BY id")]
    wait_for(lambda: {"link.up", "miner.reset", "link.down"} <= set(kinds()), "the events")


def test_readings_survive_a_restart_with_their_age(daemon, ports):
    port, = ports(1)
    d = daemon(miners_lua([("ONE", port.path)]))
    port.write(stat_line())
    before = d.wait_miner("ONE", lambda m: m["KH/s"] == 55.12, "a hash rate")
    assert d.stop() == 0
    d.start()
    after = d.wait_miner("ONE", lambda m: m["KH/s"] is not None, "the restored reading")
    assert after["last_seen"] == before["last_seen"]
    assert after["status"] != "online"


def test_secrets_reach_nothing(daemon, ports, tmp_path):
    port, = ports(1)
    d = daemon(miners_lua([("ONE", port.path)]), ["-v"])
    port.write('  "poolPassword": "hunter2-pool",\n"WifiPW":"hunter2-wifi"\npoolPassword: hunter2-line\n'
               '  Sending  : {"params": ["bc1qdemo.x", "hunter2-auth"], "id": 2, "method": "mining.authorize"}\n')
    port.write(stat_line())
    d.wait_miner("ONE", lambda m: m["KH/s"], "the last line")
    wait_for(lambda: len(d.rows("SELECT line FROM miner_logs")) >= 5, "the lines")
    assert d.text("/raw_logs").count("***") >= 4
    for page in ("/", "/raw_logs", "/details/system", "/api/herd_data"):
        assert "hunter2" not in d.text(page)
    d.stop()
    assert "hunter2" not in d.log
    for path in d.data.rglob("*"):
        assert not path.is_file() or b"hunter2" not in path.read_bytes(), path


def test_demo_is_labelled_and_elsewhere(daemon):
    d = daemon(args=["--demo"])
    wait_for(lambda: d.herd()["herd_stats"]["online_miners"] > 0, "the demo flock to hash")
    assert d.herd()["demo"] is True
    assert "Demo" in d.text("/")
    assert (d.data / "demo" / "shepherd.db").exists() and not (d.data / "shepherd.db").exists()
