"""One rendering for all: what 200 clients of one view cost goes by the changes, not by the clients. They ask again and
again while lines arrive, some thousand requests; the view is made at most once for each number of the herd's sequence."""
import http.client
import json
import threading
import time

from conftest import DEADLINE_S, miners_lua, wait_for

CLIENTS = 200
CHANGES = 3

VIEWS = {
    "shares.html": '<p>shares <%= shepherd.miner("BARN-1").shares_32bit %>;</p>\n',
    "api/renders.lua": "return { asked = shepherd.params { n = 0 }.n, renders = shepherd.system().scripts.renders }\n",
}


def with_views(daemon, tmp_path, config):
    for name, text in VIEWS.items():
        path = tmp_path / "views" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return daemon(f'view_dirs = {{ "{tmp_path / "views"}" }}\n' + config)


class Counter:
    """How many pages were made, without those that the asking itself takes: each asking is a page of its own. The daemon
    looks at itself every other second only, so a number is of now when it is another one than that of the first asking."""

    def __init__(self, daemon):
        self.daemon, self.asked = daemon, 0

    def ask(self):
        response, body = self.daemon.get(f"/api/renders?n={self.asked}")
        assert response.status == 200, body
        self.asked += 1
        return json.loads(body)["renders"]

    def now(self):
        first = self.ask()
        fresh = wait_for(lambda: (lambda n: n if n != first else None)(self.ask()), "the daemon looks at itself", every_s=0.1)
        return fresh - (self.asked - 1)


class Client(threading.Thread):
    """Keeps one connection and asks for the view until it shows what it waits for."""

    def __init__(self, port, wanted):
        super().__init__(daemon=True)
        self.port, self.wanted, self.asked, self.seen = port, wanted, 0, False

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        end = time.monotonic() + DEADLINE_S
        while not self.seen and time.monotonic() < end:
            connection.request("GET", "/shares")
            self.seen = self.wanted in connection.getresponse().read()
            self.asked += 1
        connection.close()


def test_200_viewers_share_the_renders_of_each_change(daemon, ports, tmp_path):
    port, = ports(1)
    d = with_views(daemon, tmp_path, miners_lua([("BARN-1", port.path)]))
    wait_for(lambda: d.miner("BARN-1")["status"] != "offline", "the port is open")
    port.write(">>> 32Bit shares: 0\r\n")
    wait_for(lambda: "shares 0;" in d.text("/shares"), "the line is read")
    pages = Counter(d)
    for change in range(1, CHANGES + 1):
        clients = [Client(d.port, f"shares {change};".encode()) for _ in range(CLIENTS)]
        before, seq = pages.now(), d.herd()["seq"]
        for client in clients:
            client.start()
        port.write(f">>> 32Bit shares: {change}\r\n")
        for client in clients:
            client.join(DEADLINE_S)
        assert all(client.seen for client in clients), f"{sum(c.seen for c in clients)} of {CLIENTS} saw it"
        assert sum(client.asked for client in clients) >= CLIENTS
        made = pages.now() - before - 1  # one is herd_data
        changes = d.herd()["seq"] - seq
        # the first of them may be made for the sequence of before, after the look at the other page
        assert 1 <= made <= changes + 1, f"{made} renders of {changes} changes for {sum(c.asked for c in clients)} requests"
