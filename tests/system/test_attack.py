"""What a hostile device, a hostile client, a careless author and a hurried operator found out. Each test is
one fault that was there."""
import http.client
import json
import os
import signal
import subprocess

import pytest

from conftest import miners_lua, wait_for

HASHING = ">>> Completed 1 share(s), 100 Khashes, avg. hashrate 55.12 KH/s\n"


def answers(daemon, condition):
    """Polls the herd through a restart: nobody may listen, or who stops says 503."""
    def check():
        try:
            response, body = daemon.get("/api/herd_data")
        except (OSError, http.client.HTTPException):
            return None
        return condition(json.loads(body)) if response.status == 200 else None
    return check


def test_the_end_of_the_demo_is_no_end(daemon, ports):
    """It once took the deadline of the stop along, which ended the real daemon 10 s later, and forgot the
    second address."""
    port, = ports(1)
    d = daemon(args=["--demo", "--listen", "127.0.0.2:0"])
    wait_for(lambda: "as well" in d.log, "the second address")
    second = d.log.split("http://127.0.0.2:")[1].split()[0]
    d.config.write_text(d.config.read_text() + miners_lua([("REAL", port.path)]))
    d.process.send_signal(signal.SIGHUP)
    wait_for(answers(d, lambda herd: [m for m in herd["miners_list"] if m["miner_id"] == "REAL"]), "the reload")
    port.write(HASHING)
    wait_for(answers(d, lambda herd: herd["demo"] is False), "the end of the demo")
    wait_for(lambda: d.log.count(f"http://127.0.0.2:{second} as well") == 2, "the second address again")
    with pytest.raises(subprocess.TimeoutExpired):
        d.process.wait(12)
    assert d.stop() == 0


def test_a_device_cannot_flood_events_and_log(daemon, ports):
    """Each panic line was a row, a commit and a log line: 1,800 a second on a fast USB port."""
    port, = ports(1)
    d = daemon(miners_lua([("MAD", port.path)]))
    port.write("NerdMiner v2 starting......\n" + HASHING)
    d.wait_miner("MAD", lambda m: m["status"] == "online", "to hash")
    port.write("rst:0xc (SW_CPU_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\n"
               "Guru Meditation Error: Core  1 panic'ed (LoadProhibited). Exception was unhandled.\n" * 3000)
    port.write(HASHING.replace("55.12", "66.12"))
    d.wait_miner("MAD", lambda m: m["KH/s"] == 66.12, "the last line")
    kinds = lambda: dict(d.rows("SELECT event, count(*) FROM events GROUP BY event"))
    wait_for(lambda: kinds().get("miner.panic"), "a panic")
    assert d.stop() == 0
    assert 30 <= kinds()["miner.panic"] < 100 and 30 <= kinds()["miner.reset"] < 100, kinds()
    assert d.log.count("\n") < 200, d.log[-1000:]


def test_a_configuration_that_became_a_pipe_changes_nothing(daemon, ports):
    """A pipe without a writer reads as an empty file: every miner was gone."""
    port, = ports(1)
    d = daemon(miners_lua([("ONE", port.path)]))
    d.config.unlink()
    os.mkfifo(d.config)
    d.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "the old one stays" in d.log or "read again" in d.log, "the reload")
    assert "is a pipe" in d.log
    assert d.miner("ONE")
