"""One rendering for all: what 200 clients of one view cost goes by the changes, not by the clients. They ask again and again
while lines arrive, some thousand requests. The view prints the sequence that it was made from and its script's own clock, so that
each rendering is a text of its own: for each sequence all clients must have seen the same one. (Two are right when a line
arrives between the beginning of a rendering and its look at the herd: it is made once more.)"""
import http.client
import re
import threading
import time

from conftest import DEADLINE_S, miners_lua, wait_for

CLIENTS = 200
CHANGES = 3
RENDERS_OF_ONE_SEQUENCE = 2

VIEW = 'seq <%= shepherd.herd().seq %>; shares <%= shepherd.miner("BARN-1").shares_32bit %>; made at <%= os.clock() %>\n'


class Client(threading.Thread):
    """Keeps one connection and asks for the view until it shows what it waits for."""

    def __init__(self, port, wanted):
        super().__init__(daemon=True)
        self.port, self.wanted, self.asked, self.seen = port, wanted, 0, set()
        self.done = False

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        end = time.monotonic() + DEADLINE_S
        while not self.done and time.monotonic() < end:
            connection.request("GET", "/shares")
            body = connection.getresponse().read().decode()
            self.seen.add(body)
            self.asked += 1
            self.done = self.wanted in body
        connection.close()


def test_200_viewers_share_the_renders_of_each_change(daemon, ports, tmp_path):
    port, = ports(1)
    (tmp_path / "views").mkdir()
    (tmp_path / "views" / "shares.html").write_text(VIEW)
    d = daemon(f'view_dirs = {{ "{tmp_path / "views"}" }}\n' + miners_lua([("BARN-1", port.path)]))
    wait_for(lambda: d.miner("BARN-1")["status"] != "offline", "the port is open")
    port.write(">>> 32Bit shares: 0\r\n")
    wait_for(lambda: "shares 0;" in d.text("/shares"), "the line is read")
    for change in range(1, CHANGES + 1):
        clients = [Client(d.port, f"shares {change};") for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        port.write(f">>> 32Bit shares: {change}\r\n")
        for client in clients:
            client.join(DEADLINE_S)
        assert all(client.done for client in clients), f"{sum(c.done for c in clients)} of {CLIENTS} saw it"
        assert sum(client.asked for client in clients) >= CLIENTS
        by_seq = {}
        for body in set().union(*(client.seen for client in clients)):
            by_seq.setdefault(int(re.match(r"seq (\d+);", body).group(1)), []).append(body)
        assert max(len(bodies) for bodies in by_seq.values()) <= RENDERS_OF_ONE_SEQUENCE, by_seq
