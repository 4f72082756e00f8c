"""Someone who asks for ever new pages fills the queue of renders, gets 503 for it, and nobody else does."""
import http.client
import threading

import pytest

from conftest import DEADLINE_S, wait_for

FLOODERS = 100  # more than may wait
ASKED = 30

# A page that nobody had before, and that takes a while: no data, so that only the queue counts.
VIEW = """<%
local params = shepherd.params { q = "" }
local sum = 0
for i = 1, 500000 do sum = (sum + i) % 7 end
%>new <%= params.q %>
"""


class Flooder(threading.Thread):
    """Asks for one new page after the other and waits for nothing."""

    def __init__(self, flood, number):
        super().__init__(daemon=True)
        self.flood, self.number = flood, number

    def run(self):
        connection = self.flood.connect()
        count = 0
        while not self.flood.over.is_set():
            count += 1
            connection.request("GET", f"/slow?q=flood-{self.number}-{count}", headers=self.flood.headers)
            answer = connection.getresponse()
            answer.read()
            self.flood.answers.append((answer.status, answer.getheader("Retry-After")))
            if answer.status == 503:
                self.flood.over.wait(0.05)  # the test's own CPU
        connection.close()


class Flood:
    def __init__(self, port, source, headers):
        self.port, self.source, self.headers = port, source, headers
        self.over, self.answers = threading.Event(), []
        self.threads = [Flooder(self, number) for number in range(FLOODERS)]

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S, source_address=(self.source, 0))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *failure):
        self.over.set()
        for thread in self.threads:
            thread.join(DEADLINE_S)

    def refused(self):
        return [after for status, after in self.answers if status == 503]


@pytest.mark.parametrize("source, headers", [("127.0.0.2", {}), ("127.0.0.1", {"X-Forwarded-For": "192.0.2.7"})],
                         ids=["another address", "through a proxy at this host"])
def test_a_flood_of_new_pages_takes_no_place_from_others(daemon, tmp_path, source, headers):
    (tmp_path / "views").mkdir()
    (tmp_path / "views" / "slow.html").write_text(VIEW)
    d = daemon(f'access = {{ lan = "viewer" }}\nview_dirs = {{ "{tmp_path / "views"}" }}\n')
    with Flood(d.port, source, headers) as flood:
        wait_for(flood.refused, "the queue is full")
        before = len(flood.answers)
        for number in range(ASKED):
            answer, body = d.get(f"/slow?q=mine-{number}")
            assert answer.status == 200 and f"new mine-{number}".encode() in body, body
            assert d.get(f"/raw_logs?q={number}")[0].status == 200
        assert not flood.over.is_set() and len(flood.answers) > before
    assert all(after and int(after) > 0 for after in flood.refused())
    assert {status for status, _ in flood.answers} == {200, 503}
