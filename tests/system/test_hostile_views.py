"""Pages and JSON views against hostile visitors and hostile devices: whatever stands in an address or comes from a port, a
view answers, prints it as text, and is never "broken"."""
import html.parser
import http.client
import json
import pathlib
import re
import urllib.parse

import pytest

from conftest import DEADLINE_S, Daemon, Pty, wait_for

VIEWS = pathlib.Path(__file__).parents[2] / "views"

TEXTS = ['<img src=x onerror=alert(1)>', '"><script>alert(1)</script>', "'><zz9 onload=alert(1)>", "</script><zz9>",
         "javascript:alert(1)", "{{7*7}}", "<% error(1) %>", "\u2028line\u2029", "%s%d%n", "&lt;zz9&gt;", "--><zz9>", "]]><zz9>"]
LONG = 16300  # of a line; the daemon keeps 16 KiB

FRAME = ["theme", "timezone", "hour12", "seconds", "date", "lang"]
FURTHER = ["miner", "q", "level", "before", "after", "from", "limit", "format", "page", "range", "metric", "views", "dwell"]
VALUES = ["", "-1", "0", "1.5", "1e309", "-1e15", "nan", "99999999999999999999", "-9223372036854775808", "9223372036854775807",
          "0x7fffffffffffffff", "%09", "'", "%22%3E%3Cscript%3Ealert(1)%3C/script%3E", "%3Czz9%20onload=alert(1)%3E",
          "..%2F..%2Fetc%2Fpasswd", "[", "%25%25%25", ".*", "%25b()", "%25f[", "a" * 4000, "%D7%A9%D7%9C%E2%80%AE%CC%81%CC%81", "9999-99-99T99:99",
          "000000000000000", "javascript:alert(1)", "//evil.example", "__index"]
MALFORMED = ["%00", "%01", "%FF%FE", "%C0%AF", "%ED%A0%80", "%", "%zz", "%u0041"]
IDS = ["HOSTILE-1", "0", "-1", "1.5", "1e9", "99999999999999999999", "..%2f", "..%2f..%2fetc%2fpasswd", "%00", "%3Cb%3E%3Czz9%3E",
       "a" * 5000, "%FF", "'", "%2e%2e", "%25", "__index"]


def path_of(file):
    path = "/" + file.relative_to(VIEWS).with_suffix("").as_posix()
    return re.sub(r"/index$", "", path) or "/"


def sources():
    for file in sorted(VIEWS.rglob("*")):
        parts = file.relative_to(VIEWS).parts
        if file.suffix in (".html", ".lua") and parts[0] not in ("partials", "node_modules", "static"):
            yield path_of(file), file.read_text()


def names_of(route):
    """What a view declares. Two of them get all: what every frame takes, and what only others know."""
    source = ROUTES[route]
    declared = re.findall(r"(?:params\s*\(?|settings)\s*\{(.*?)\}", source, re.S)
    named = [name for text in declared for name in re.findall(r"(\w+)\s*=", text) + re.findall(r'"(\w+)"', text)]
    if "partials.flock" in source:
        named += ["q", "status", "group", "tag", "sort", "dir", "by", "cols", "page"]
    return list(dict.fromkeys(named + (FRAME + FURTHER if route in ("/", "/kiosk") else ["lang"])))


ROUTES = dict(sources())
PAGES = [path.replace("[id]", name) for path in ROUTES for name in (["1", "2", "3"] if "[id]" in path else [""])]


class Page(html.parser.HTMLParser):
    """Fails at what no view of ours prints."""

    def __init__(self, text, where):
        super().__init__()
        self.where = where
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        there = f"{self.where}: <{tag} {attrs}>"
        assert tag not in ("zz9", "img", "iframe", "object", "embed", "base"), there
        for name, value in attrs:
            assert re.fullmatch(r"[a-zA-Z][\w:-]*", name) and not name.startswith("on"), there
            assert name != "style" and name != "srcdoc", there
            if name in ("href", "src", "action", "formaction", "xlink:href"):
                assert re.match(r"(/(?![/\\])|#)", value or ""), there
        if tag == "script":
            assert dict(attrs).get("src", "").startswith("/static/"), there

    def handle_decl(self, decl):
        assert decl.lower() == "doctype html", f"{self.where}: {decl}"

    def handle_comment(self, data):
        raise AssertionError(f"{self.where}: comment {data!r}")


def check(response, body, where, allowed=(200, 302, 404)):
    """A good answer, and a whole one: text is text, JSON is JSON."""
    assert response.status in allowed, f"{where}: {response.status} {body[:600]!r}"
    assert b"shep-banner" not in body, f"{where}: {body[body.index(b'shep-banner'):][:400]!r}"
    kind = response.getheader("Content-Type", "")
    if kind.startswith("text/html"):
        Page(body.decode(), where)
    elif kind.startswith("application/json"):
        json.loads(body)


class Visitor:
    """One connection for many questions."""

    def __init__(self, daemon):
        self.connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=DEADLINE_S)

    def get(self, path):
        accept = "application/json" if path.startswith("/api/") else "text/html"
        self.connection.request("GET", path, headers={"Accept": accept})
        response = self.connection.getresponse()
        return response, response.read()


def said(text):
    """What a NerdMiner says whose every text is this one."""
    quoted = json.dumps(text)
    return "".join(line + "\r\n" for line in (
        "NerdMiner v2 starting......", f"PoolString: {text}", "portNumber: 3333", f"btcString: {text}.{text}",
        f"*wm:Connecting to SAVED AP: {text}", f"IP address: {text}", f"Config SSID: {text}",
        f'  Sending  : {{"id": 1, "method": "mining.subscribe", "params": ["NerdMinerV2/{text}"]}}',
        f'  Sending  : {{"params": [{quoted}, "x"], "id": 2, "method": "mining.authorize"}}',
        f'  Receiving: {{"id":null,"method":"mining.notify","params":[{quoted},"00","01","02",[],"20","17","65",true]}}',
        f'  Receiving: {{"id":9,"result":null,"error":[21,{quoted},null]}}',
        f"Guru Meditation Error: Core  1 panic'ed ({text}). Exception was unhandled.",
        f"E (1234) {text}: {text}", f"\x1b[31m{text}\x1b[0m \x1b]0;{text}\x07", f"W [{text}] warn reject retry",
        ">>> Completed 2 share(s), 292019 Khashes, avg. hashrate 1e300 KH/s", ">>> Best difficulty: 999999999999999.99P",
        ">>> Temperature: -273.99", ">>> Completed 2 share(s), 292019 Khashes, avg. hashrate 78.50 KH/s", text, text + text))


# Lines that are as long as they may be, of what HTML and JSON make longest, and of what people search for.
LONG_LINES = ['"' * LONG, "'" * LONG, "a" * LONG, "<" * LONG, "\x01\x02" * (LONG // 2), ("error " * LONG)[:LONG],
              ('"error"' + " " * 60) * (LONG // 67), "\u202e\u05e9" * (LONG // 5), ("-a" * LONG)[:LONG]]


def config_of(ports):
    hostile = ", ".join(json.dumps(text.replace(",", ""), ensure_ascii=False)[:30].rstrip('"\\') + '"' for text in TEXTS[:6])
    rows = "".join(
        f'  {{ id = "{name}", source = "serial", path = "{port.path}", location = {json.dumps(TEXTS[i] * 2)},'
        f' group = {json.dumps(TEXTS[i + 1][:60])}, tags = {{ {hostile} }} }},\n'
        for i, (name, port) in enumerate(zip(("HOSTILE-1", "HOSTILE-2", "HOSTILE-3"), ports)))
    return "miners = {\n" + rows + "}\n"


def started(directory, say, least):
    """A daemon that heard this much; stops it, and looks what it left behind."""
    ports = [Pty() for _ in range(3)]
    daemon = Daemon(directory, config_of(ports)).start()
    try:
        say(ports)
        wait_for(lambda: daemon.rows("SELECT count(*) FROM miner_logs")[0][0] >= least, "the lines")
        yield daemon
        assert daemon.stop() == 0, daemon.log[-4000:]
        assert "Sanitizer" not in daemon.log
    finally:
        daemon.close()
        for port in ports:
            port.close()


@pytest.fixture(scope="module")
def flock(tmp_path_factory):
    """Its first miner says every hostile text."""
    def say(ports):
        for text in TEXTS:
            ports[0].write(said(text))
    yield from started(tmp_path_factory.mktemp("hostile"), say, 20 * len(TEXTS))


@pytest.fixture(scope="module")
def long_flock(tmp_path_factory):
    """The others say long lines."""
    def say(ports):
        for line in LONG_LINES:
            ports[1].write((line + "\r\n") * 45)
        ports[2].write("rst:0x10 (RTCWDT_RTC_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\n" + ('"' * LONG + "\r\n") * 300)
    yield from started(tmp_path_factory.mktemp("long"), say, 45 * len(LONG_LINES) + 300)


@pytest.mark.parametrize("route", ROUTES)
def test_parameters(flock, route):
    visitor = Visitor(flock)
    path = route.replace("[id]", "1")
    names = names_of(route)
    for value in VALUES:
        for query in [f"{name}={value}" for name in names] + ["&".join(f"{name}={value}" for name in names[:30])]:
            long = value.startswith("aaa")
            if long and query.count("=") > 1:
                continue  # the request line would be too long, which is another test
            where = f"{path}?{query}"
            check(*visitor.get(where), where[:300], (200, 302, 404, 400) if "level=" in query else (200, 302, 404))
    for value in MALFORMED:
        check(*visitor.get(f"{path}?{names[0]}={value}"), f"{path}?{names[0]}={value}", (400,))
    for query in ("q=a&q=b&q=%3Czz9%3E", "&&&=&=a&%00=1", "a" * 3000, "&".join(f"p{i}={i}" for i in range(60))):
        check(*visitor.get(f"{path}?{query}"), f"{path}?{query[:60]}", (200, 302, 404, 400))


@pytest.mark.parametrize("name", IDS, ids=lambda name: name[:20])
def test_names_in_the_path(flock, name):
    visitor = Visitor(flock)
    for route in (route for route in ROUTES if "[id]" in route):
        path = route.replace("[id]", name)
        check(*visitor.get(path), path[:100], (200, 302, 404, 400, 414))
    for path in (f"/{name}", f"/api/{name}", f"/dash/{name}", f"/static/{name}"):
        check(*visitor.get(path), path[:100], (200, 302, 404, 400, 414))


def test_what_devices_say_is_text(flock):
    visitor = Visitor(flock)
    for path in PAGES + ["/?cols=status,name,pool,tags,group,location,firmware,ip,seen&by=group", "/?by=pool", "/?by=location",
                         "/dash/health?sort=group", "/dash/nerdminer?miner=HOSTILE-1", "/raw_logs?miner=HOSTILE-1",
                         "/raw_logs?level=error", "/api/logs?limit=1000", "/api/events?limit=1000"]:
        check(*visitor.get(path), path)
    assert b"]]&gt;&lt;zz9&gt;" in visitor.get("/raw_logs?miner=HOSTILE-1")[1]


def test_long_lines(long_flock):
    visitor = Visitor(long_flock)
    for path in PAGES + ["/raw_logs?miner=HOSTILE-3", "/raw_logs?level=warning&miner=HOSTILE-2", "/raw_logs?level=error",
                         "/api/logs?limit=1000", "/api/logs?limit=1000&miner=HOSTILE-2", "/api/logs?limit=1000&level=error",
                         "/api/logs?from_id=1&limit=1000"]:
        check(*visitor.get(path), path)
    response, body = visitor.get("/api/logs?format=text")
    assert response.status == 200, body[:400]
    assert response.getheader("Content-Type").startswith("text/plain")
    assert response.getheader("X-Content-Type-Options") == "nosniff"


@pytest.mark.parametrize("text", ["a", "%22", "%3C", "%27", "-", "error", "e", "%20"])
def test_a_search_that_hits_everywhere(long_flock, text):
    """A line of 16 KiB of one letter has 16,000 hits."""
    visitor = Visitor(long_flock)
    for path in (f"/raw_logs?q={text}", f"/raw_logs?miner=HOSTILE-2&q={text}", f"/api/logs?q={text}&limit=1000",
                 f"/raw_logs?q={text}&level=error", f"/?q={text}"):
        check(*visitor.get(path), path)


def test_links_keep_what_they_were_given(flock):
    """Values go from the address into links of the page: as the same value."""
    value = "a&status=b#c+d %\"'<zz9>\u05e9"
    body = Visitor(flock).get("/raw_logs?" + urllib.parse.urlencode({"q": value, "before": 5000}))[1].decode()
    links = re.findall(r'href="(/(?:api/logs|raw_logs)\?[^"]*)"', body)
    kept = [urllib.parse.parse_qs(urllib.parse.urlsplit(link.replace("&amp;", "&")).query).get("q") for link in links]
    assert [value] in kept, links


def test_the_pulse_is_one_line_of_json(tmp_path):
    """Every event that a hostile device can cause, told to who listens."""
    port = Pty()
    daemon = Daemon(tmp_path, config_of([port])).start()
    try:
        daemon.wait_miner("HOSTILE-1", lambda m: m["status"] != "offline", "to be attached")
        connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=DEADLINE_S)
        connection.request("GET", "/events?topics=config&pulse=1")
        stream = connection.getresponse()
        while stream.readline() != b"event: config\n":
            pass
        for text in TEXTS + ["\x00\xff\x1b", "\n", "\\", "x" * LONG]:
            port.write(said(text).encode("latin-1", "replace") + said(text).encode())
        port.unplug()
        seen = []
        while not any(event["event"] == "link.down" for event in seen):
            line = stream.readline()
            if line == b"event: pulse\n":
                data = stream.readline()
                assert data.startswith(b"data: ") and stream.readline() == b"\n"
                assert len(data) < 64 * 4096
                seen += json.loads(data[len(b"data: "):])
            else:
                assert re.match(rb"(event: \w+|data: .*|: hb|)\n$", line), line
        assert len(seen) > 10
        connection.close()
        assert daemon.stop() == 0
    finally:
        daemon.close()
        port.close()
