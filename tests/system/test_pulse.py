"""The pulse: what happens in the daemon, told to who listens to /events?pulse=1, event by event."""
import http.client
import json
import sqlite3

from conftest import DEADLINE_S, miners_lua


class Pulse:
    """A browser that listens."""

    def __init__(self, daemon):
        self.connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=DEADLINE_S)
        self.connection.request("GET", "/events?topics=config&pulse=1")
        self.response = self.connection.getresponse()
        assert self.response.status == 200
        self.seen = []
        while self.response.readline() != b"event: config\n":
            pass  # greeted: from here on it hears

    def wait(self, name):
        """The next event of that name; a silence longer than the deadline ends the test."""
        while True:
            while self.seen:
                event = self.seen.pop(0)
                if event["event"] == name:
                    return event
            if self.response.readline() == b"event: pulse\n":
                line = self.response.readline()
                assert line.startswith(b"data: ")
                self.seen = json.loads(line[len(b"data: "):])
                assert 1 <= len(self.seen) <= 64

    def close(self):
        self.connection.close()


def test_what_happens_to_miners_is_told(daemon, ports):
    port, = ports(1)
    d = daemon(miners_lua([("ONE", port.path)]))
    d.wait_miner("ONE", lambda m: m["status"] != "offline", "to be attached")
    pulse = Pulse(d)
    port.write("NerdMiner v2 starting......\n"
               '  Receiving: {"id":null,"method":"mining.notify","params":["job \xfc7","00","01","02",[],"20","17","65",true]}\n')
    status = pulse.wait("miner.status")
    assert status["miner"] == "ONE" and status["miner_id"] == d.miner("ONE")["id"]
    assert " > " in status["text"] and status["value"] is None and status["at_ms"] > 1.7e12
    port.unplug()
    down = pulse.wait("link.down")
    assert down["miner"] == "ONE" and len(down["text"].encode()) <= 200
    pulse.close()


def test_a_database_that_cannot_be_written_is_told(daemon, ports):
    port, = ports(1)
    d = daemon(miners_lua([("ONE", port.path)]))
    d.wait_miner("ONE", lambda m: m["status"] != "offline", "to be attached")
    pulse = Pulse(d)
    other = sqlite3.connect(d.data / "shepherd.db", isolation_level=None, timeout=DEADLINE_S)
    other.execute("BEGIN IMMEDIATE")
    port.write("a line that cannot be stored\n")
    degraded = pulse.wait("store.degraded")
    assert degraded["miner"] is None and degraded["miner_id"] is None
    assert "another program holds" in degraded["text"] and "close it" in degraded["text"]
    response, body = d.get("/healthz")
    assert response.status == 503 and b"another program holds" in body
    other.execute("ROLLBACK")
    other.close()
    pulse.wait("store.recovered")
    pulse.close()
    assert d.stop() == 0
    kept = [name for name, in d.rows("SELECT event FROM events WHERE event LIKE 'store.%' ORDER BY id")]
    assert kept == ["store.degraded", "store.recovered"]
