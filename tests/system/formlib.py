"""Forms as browsers and programs send them, for the tests of what people change."""
import http.client
import json
import urllib.parse

from conftest import DEADLINE_S

PASSWORD = "correct horse battery staple"
GOOD = "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"
OTHER = "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2"


class Answer:
    def __init__(self, response, body):
        self.status = response.status
        self.location = response.getheader("Location")
        self.headers = response.headers
        self.body = body
        cookies = [value for name, value in response.getheaders() if name == "Set-Cookie"]
        self.cookies = dict(line.split(";")[0].split("=", 1) for line in cookies)
        self.flash = urllib.parse.unquote(self.cookies.get("shepherd_flash", ""))

    @property
    def json(self):
        return json.loads(self.body)


def send(daemon, path, body=b"", headers=None, method="POST"):
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=DEADLINE_S)
    connection.request(method, path, body, headers or {})
    response = connection.getresponse()
    answer = Answer(response, response.read())
    connection.close()
    return answer


def form(daemon, path, headers=None, /, **fields):
    """As a browser posts it."""
    head = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/html", **(headers or {})}
    return send(daemon, path, urllib.parse.urlencode(fields, doseq=True), head)


def api(daemon, path, headers=None, /, **fields):
    """As a program asks."""
    head = {"Content-Type": "application/json", "Accept": "application/json", **(headers or {})}
    return send(daemon, path, json.dumps(fields), head)


def flock_of(daemon):
    return {row["miner_id"]: row for row in json.loads(daemon.get("/api/device_state")[1]) if row["type"] == "miner"}


def make_admin(daemon):
    """The first admin; the answer holds the session."""
    code = json.loads(daemon.get("/api/setup")[1])["code"]
    answer = api(daemon, "/setup", code=code, password=PASSWORD)
    assert answer.status == 200, answer.body
    return answer


def admin_head(answer):
    """Headers of somebody who came in by this answer of /setup or /login."""
    return {"Cookie": f"shepherd_session={answer.cookies['shepherd_session']}",
            "X-Shepherd-CSRF": answer.cookies["shepherd_csrf"]}


def audit(daemon):
    return daemon.rows("SELECT who, action, subject, old, new FROM audit ORDER BY id")


def add_miner(daemon, name, path="/dev/ttyUSB77", **fields):
    answer = api(daemon, "/miners/add", name=name, source="serial", path=path, **fields)
    assert answer.status == 200, answer.body
    return daemon.miner(name)["id"]
