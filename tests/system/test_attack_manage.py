"""What an attacker tries against what people manage: each row of a table is one try and the status that it deserves.

Whose page is it (CSRF, DNS rebinding), who is it (sessions, tokens, kiosks, passwords), what is in it (paths, SQL, markup,
broken bodies), which files does it reach (uploads, archives, databases, ports), and what when two come at once. The
routes are read from the sources: a new one is attacked too."""
import concurrent.futures
import http.client
import io
import json
import pathlib
import re
import sqlite3
import tarfile
import urllib.parse

import pytest

from conftest import DEADLINE_S, miner_lua, run, wait_for
from formlib import GOOD, OTHER, PASSWORD, add_miner, api, audit, form, send
from httpraw import Client, Closed, get
from test_forms import alive, multipart, python_database, upload

SOURCES = pathlib.Path(__file__).parents[2] / "core/forms"
ROUTES = sorted({path for file in SOURCES.glob("*.c") for path in re.findall(r'\.path = "(/[^"]+)"', file.read_text())})
LAN = {"X-Forwarded-For": "192.168.1.7"}
OCTETS = {"Content-Type": "application/octet-stream"}
URLENCODED = "application/x-www-form-urlencoded"
OPEN = ("/login", "/setup", "/logout")  # who may come in or go: everybody
FOR_VIEWERS = ("/password", "/addresses/check")
# What an admin does, and gives the password for once more.
DEAR = {"/users/add": {"name": "mallory", "role": "admin", "new_password": PASSWORD},
        "/users/put": {"name": "mallory", "role": "admin", "new_password": PASSWORD},
        "/users/edit/1": {"role": "admin"}, "/users/delete/1": {}, "/tokens/add": {"name": "t", "role": "admin"},
        "/tokens/delete/1": {}, "/backup": {"with_logs": True}, "/restore": {"upload": "f" * 32, "confirm": "RESTORE"},
        "/restore/apply": {"upload": "f" * 32}, "/miners/expect/1": {"address": OTHER},
        "/miners/delete/1": {"erase": True}}
FOR_ADMINS = {"/service/restart/all": {}, "/miners/acknowledge/1": {}}  # the login of one is enough


def address_of(route):
    return route.replace("*", "1")


def path_of(route):
    return "/service/restart/all" if route == "/service/restart/*" else address_of(route)


def with_admin(daemon, config="", **kwargs):
    d = daemon(config, start=False, **kwargs)
    assert run("passwd", "--data-dir", d.data, stdin=PASSWORD + "\n")[0] == 0
    return d.start()


def cookies_of(answer):
    return {"Cookie": f"shepherd_session={answer.cookies['shepherd_session']}",
            "X-Shepherd-CSRF": answer.cookies["shepherd_csrf"]}


def login(d, user="admin"):
    answer = api(d, "/login", user=user, password=PASSWORD)
    assert answer.status == 200, answer.body
    return cookies_of(answer)


def user(d, role):
    assert api(d, "/users/put", name=f"{role}1", role=role, new_password=PASSWORD, password=PASSWORD).status == 200
    return login(d, f"{role}1")


def token(d, role):
    answer = api(d, "/tokens/add", name=f"{role} token", role=role, password=PASSWORD)
    assert answer.status == 200, answer.body
    return answer.json["token"]


def bearer(d, role):
    return {"Authorization": f"Bearer {token(d, role)}"}


def from_address(d, source, path, fields, headers=None):
    """As somebody else of this machine, for what counts by address."""
    connection = http.client.HTTPConnection("127.0.0.1", d.port, timeout=DEADLINE_S, source_address=(source, 0))
    head = {"Content-Type": "application/json", "Accept": "application/json", **(headers or {})}
    connection.request("POST", path, json.dumps(fields), head)
    response = connection.getresponse()
    response.read()
    connection.close()
    return response


def managed(d):
    """Everything that people manage, as it stands in the database."""
    tables = ("pools", "coin_addresses", "users", "expected")
    state = {table: d.rows(f"SELECT * FROM {table}") for table in tables}
    state["tokens"] = d.rows("SELECT id, name, role FROM tokens")
    state["miners"] = d.rows("SELECT id, miner_id, source, path, options, removed_at_ms FROM miners")
    return state


def unharmed(d, before=None):
    """It answers, and nothing has changed."""
    assert alive(d) and d.process.poll() is None, d.log[-3000:]
    if before is not None:
        assert managed(d) == before


def test_the_routes_are_known():
    assert len(ROUTES) > 30 and {"/miners/add", "/restore", "/service/restart/*"} <= set(ROUTES)
    assert {path_of(route) for route in ROUTES} >= set(DEAR) | set(FOR_ADMINS) | set(OPEN) | set(FOR_VIEWERS)


# ---- files of this host ---------------------------------------------------------------------------------


def test_miners_that_are_files(daemon):
    """Whoever manages miners read any file of the daemon's through /raw_logs, with a miner of source replay."""
    d = with_admin(daemon)
    miner = add_miner(d, "REAL")
    before = managed(d)
    secret = str(d.data / "admin_password")
    who = [{}, login(d), user(d, "operator"), bearer(d, "admin")]
    before["users"] = managed(d)["users"]
    before["tokens"] = managed(d)["tokens"]
    for head in who:
        for path in ("/etc/passwd", secret, "/dev/stdin"):
            for fields in ({"source": "replay", "path": path}, {"source": "replay", "path": path, "speed": "100"},
                           {"source": "replay", "path": path, "device": "port:1-1"}):
                assert api(d, "/miners/add", head, name="SPY", **fields).status == 400, (head, fields)
                assert api(d, f"/miners/edit/{miner}", head, **fields).status == 400, (head, fields)
            assert api(d, "/devices/accept", head, key="port:1-1", source="replay", path=path).status == 404
    unharmed(d, before)
    for text in (b"root:x:0", b"$argon2id"):
        assert text not in d.get("/api/logs?limit=1000")[1]


def test_ports_that_are_terminals(daemon, ports):
    """Another one's terminal is no miner, unless an admin says so."""
    pty, = ports(1)
    d = with_admin(daemon)
    miner = add_miner(d, "REAL")
    operators = [{}, user(d, "operator"), bearer(d, "operator")]
    for path in (pty.path, "/dev/tty1", "/dev/tty", "/etc/passwd", "/dev/ttyUSB0/../pts/3", "/dev/serial/by-id/../../pts/3"):
        for head in operators:
            answer = api(d, "/miners/add", head, name="SPY", source="serial", path=path)
            assert answer.status == 403 and "admin" in answer.json["message"] and answer.json["field"] == "path", answer.body
            assert api(d, f"/miners/edit/{miner}", head, path=path).status == 403
            stray = {"miner_id": "SPY", "currency": "BTC", "dev_path": path, "port_path": "9-9", "serial_number": "1"}
            assert form(d, "/miners/onboard_stray", head, **stray).status == 403
    csv = "miner_id,tty_symlink\nSPY,pts/3\nSPY2,/etc/passwd\nSPY3,../etc/passwd\n"
    assert multipart(d, "/miners/upload", "miner_file", csv.encode()).status == 302
    assert [m["miner_id"] for m in d.herd()["miners_list"]] == ["REAL"]
    assert api(d, "/miners/add", login(d), name="MINE", source="serial", path=pty.path).status == 200
    mine = d.miner("MINE")["id"]
    assert api(d, f"/miners/edit/{mine}", bearer(d, "admin"), path="/dev/tty1").status == 200
    assert api(d, f"/miners/edit/{mine}", location="attic").status == 200  # it stays what an admin made it
    assert api(d, f"/miners/edit/{mine}", path=pty.path).status == 403


def test_a_database_that_names_files(daemon):
    """The database of somebody else's backup opens no files of this host."""
    d = daemon()
    add_miner(d, "REAL")
    d.stop()
    db = sqlite3.connect(d.data / "shepherd.db")
    columns = "source, path, parser, options, origin, created_at_ms"
    options = json.dumps({"id": "SPY", "source": "replay", "path": "/etc/passwd"})
    db.execute(f"INSERT INTO miners (miner_id, {columns}) SELECT 'SPY', 'replay', '/etc/passwd', parser, ?, origin,"
               " created_at_ms FROM miners WHERE miner_id = 'REAL'", (options,))
    db.commit()
    db.close()
    d.start()
    assert d.miner("REAL") and d.miner("SPY") is None
    wait_for(lambda: "SPY: its source 'replay' is not there, or for the configuration file only" in d.log, "it is said")
    assert b"root:x" not in d.get("/api/logs?limit=1000")[1]


def test_what_viewers_cannot_find_out(daemon, ports):
    """Who sees addresses shortened found them all the same, by searching for one piece after the other."""
    pty, = ports(1)
    d = with_admin(daemon, "miners = {\n" + miner_lua("ONE", pty.path) + "}\n")
    head = {**LAN, **bearer(d, "viewer")}
    lines = "".join(f"E ({n}) pool said {GOOD} is not {n}\n" for n in range(300))
    pty.write(lines + "the last line\n")
    wait_for(lambda: json.loads(d.get("/api/logs?q=the+last+line")[1])["lines"], "all lines")
    ask = lambda path, head=head: d.get(path, {**head, "Accept": "application/json"})[1].decode()
    hidden, shown, nowhere = GOOD[10:24], GOOD[:7], "zzzzyyyyxxxxww"
    assert len(hidden) == len(nowhere)
    for query in ("q={}", "q={}&limit=1", "q={}&level=error", "q={}&from_id=1&limit=2", "q={}&miner=ONE", "q={}&format=text"):
        answer = ask("/api/logs?" + query.format(hidden))
        assert answer == ask("/api/logs?" + query.format(nowhere)) and GOOD not in answer, query
        assert hidden in ask("/api/logs?" + query.format(hidden), {}), query
    assert json.loads(ask(f"/api/logs?q={shown}"))["lines"]
    page = d.get(f"/raw_logs?q={hidden.upper()}", head)[1].decode()
    assert "is not 29" not in page and GOOD not in page
    assert GOOD not in ask("/api/logs?limit=1000") and GOOD in ask("/api/logs?limit=1000", {})


def test_what_the_pulse_tells_viewers(daemon, ports):
    pty, = ports(1)
    d = with_admin(daemon, "miners = {\n" + miner_lua("ONE", pty.path) + "}\n")
    one = d.wait_miner("ONE", lambda m: m["status"] != "offline", "to be attached")["id"]
    assert api(d, f"/miners/expect/{one}", address=GOOD, password=PASSWORD).status == 200
    connection = http.client.HTTPConnection("127.0.0.1", d.port, timeout=DEADLINE_S)
    connection.request("GET", "/events?topics=config&pulse=1", headers={**LAN, **bearer(d, "viewer")})
    stream = connection.getresponse()
    assert stream.status == 200
    while stream.readline() != b"event: config\n":
        pass
    log = (pathlib.Path(__file__).parent.parent / "data/nerdminer/v183-tdisplay.log").read_text()
    pty.write(log.replace("bc1qmadeup0shepherd7barn5flock3wool9meadow2", OTHER) + "\n")
    told = ""
    while "payout.changed" not in told:
        told += stream.readline().decode()
    unknown = "Zz9madeup0coin7barn5flock3wool9meadow2x"  # of a coin whose addresses nobody here can tell from other words
    pty.write(log.replace("bc1qmadeup0shepherd7barn5flock3wool9meadow2", unknown) + "\n")
    while told.count("payout.changed") < 2:
        told += stream.readline().decode()
    connection.close()
    assert GOOD not in told and OTHER not in told and unknown not in told
    wait_for(lambda: any(OTHER in row[0] for row in d.rows("SELECT text FROM events WHERE event = 'payout.changed'")),
             "the event has it, for admins")


def test_merging_is_no_way_around_the_guard(daemon):
    d = with_admin(daemon)
    a, b = add_miner(d, "A", "/dev/ttyUSB1"), add_miner(d, "B", "/dev/ttyUSB2")
    assert api(d, f"/miners/expect/{a}", address=GOOD, password=PASSWORD).status == 200
    assert api(d, f"/miners/merge/{a}", into=b).status == 200
    assert d.rows("SELECT id, address FROM expected") == [(b, GOOD)]


# ---- whose page is it -----------------------------------------------------------------------------------


BODIES = [(URLENCODED, "pool_name=P&pool_url=evil.example&pool_port=1&password=" + urllib.parse.quote(PASSWORD)),
          ("text/plain", json.dumps({"pool_name": "P", "pool_url": "evil.example", "pool_port": 1, "password": PASSWORD})),
          ("text/plain", '{"pool_name":"P","pool_url":"evil.example","pool_port":1,"x":"="}'),
          ("application/json", json.dumps({"pool_name": "P", "pool_url": "evil.example", "pool_port": 1})),
          ("multipart/form-data; boundary=b", '--b\r\nContent-Disposition: form-data; name="pool_name"\r\n\r\nP\r\n--b--\r\n')]


def test_pages_of_others(daemon):
    """CSRF: every route, each type of body that a page elsewhere can send, with and without the victim's cookies."""
    d = with_admin(daemon)
    add_miner(d, "A")
    session = login(d)["Cookie"]
    kiosk = f"shepherd_kiosk={token(d, 'viewer')}"
    before = managed(d)
    evil = [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": ""}, {"Origin": f"http://127.0.0.1:{d.port + 1}"},
            {"Origin": "http://127.0.0.1"}, {"Origin": f"http://127.0.0.1:{d.port}.evil.example"},
            {"Origin": f"http://evil.example?http://127.0.0.1:{d.port}"}, {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"}]
    for route in [*ROUTES, "/upload"]:
        for i, headers in enumerate(evil):
            kind, body = BODIES[i % len(BODIES)]
            for cookie in ({}, {"Cookie": session}, {"Cookie": kiosk}):
                answer = send(d, path_of(route), body, {"Content-Type": kind, **headers, **cookie})
                assert answer.status == 403, (route, headers, cookie, answer.status)
        own = {"Origin": f"http://127.0.0.1:{d.port}", "Content-Type": URLENCODED, "Cookie": session}
        for token_of in ({}, {"X-Shepherd-CSRF": "A" * 43}, {"X-Shepherd-CSRF": ""}):  # of ours, but of no page of this session
            assert send(d, path_of(route), BODIES[0][1], {**own, **token_of}).status == 403, (route, token_of)
        for cookie in (session, kiosk):  # says nothing of where it comes from
            answer = send(d, path_of(route), BODIES[0][1], {"Content-Type": URLENCODED, "Cookie": cookie})
            assert answer.status == 403, (route, cookie)
    # a page elsewhere cannot send JSON without asking first, nor give another type out as JSON
    for kind, body in BODIES[1:3]:
        assert send(d, "/pools/add", body, {"Content-Type": kind}).status == 400
        assert send(d, "/pools/add", body, {}).status == 400
    for path in ("/pools/add", "/users/put"):
        answer = send(d, path, b"", {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}, "OPTIONS")
        assert answer.status == 405 and not [h for h in answer.headers if h.lower().startswith("access-control")]
    for route in ROUTES:  # a link or an image is no form
        if not pathlib.Path(SOURCES / f"../../views{path_of(route)}.html").exists():
            assert send(d, path_of(route), method="GET").status in (404, 405), route
    unharmed(d, before)


def test_names_of_others(daemon):
    """DNS rebinding: the page's own name leads here; its Origin and Host agree."""
    d = with_admin(daemon)
    before = managed(d)
    for route in [*ROUTES, "/upload"]:
        for host in ("evil.example", f"evil.example:{d.port}", "127.0.0.1.evil.example", "localhost.evil.example"):
            head = {"Host": host, "Origin": f"http://{host}", "Content-Type": URLENCODED}
            assert send(d, path_of(route), BODIES[0][1], head).status == 421, (route, host)
    body = BODIES[0][1]
    tail = f"Content-Type: {URLENCODED}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    for hosts in ("", "Host:\r\n", "Host: localhost\r\nHost: localhost\r\n", "Host: localhost\r\nHost: evil.example\r\n",
                  "Host: localhost, evil.example\r\n", "Host: user@localhost\r\n", "Host: localhost/\r\n", "Host: \x01\r\n",
                  "host : localhost\r\n", "Host: localhost\r\n folded\r\n"):
        with Client(d.port) as client:
            client.send(f"POST /pools/add HTTP/1.1\r\n{hosts}{tail}")
            assert client.reply().status in (400, 421), hosts
    with Client(d.port) as client:
        client.send(f"POST http://evil.example/pools/add HTTP/1.1\r\nHost: localhost\r\n{tail}")
        assert client.reply().status == 400
    unharmed(d, before)


# ---- who is it ------------------------------------------------------------------------------------------


def test_roles_and_scopes(daemon):
    """Every route as nobody, viewer, kiosk, operator and admin by token; none of them does what is dear."""
    d = with_admin(daemon)
    add_miner(d, "A")
    viewer, operator, admin = (bearer(d, role) for role in ("viewer", "operator", "admin"))
    kiosk = {"Cookie": "shepherd_kiosk=" + viewer["Authorization"].split()[1], "Origin": f"http://127.0.0.1:{d.port}"}
    operator_user = user(d, "operator")
    before = managed(d)
    for route in [*ROUTES, "/upload"]:
        path = path_of(route)
        if path in OPEN:
            continue
        assert api(d, path, LAN).status == 401, path
        assert api(d, path, {"Authorization": "Bearer shp_" + "A" * 43}).status == 401, path
        for head in (viewer, {**LAN, **viewer}, {**LAN, **kiosk}):
            assert path in FOR_VIEWERS or api(d, path, head).status == 403, (path, head)
    for head in (operator, admin):  # what does more than look is no cookie of a screen in the living room
        screen = {**LAN, "Cookie": "shepherd_kiosk=" + head["Authorization"].split()[1], "Origin": f"http://127.0.0.1:{d.port}"}
        assert api(d, "/pools/add", screen).status == 401 and send(d, "/kiosk", headers=screen, method="GET").status == 303
    for path, fields in {**DEAR, **FOR_ADMINS}.items():
        assert api(d, path, operator, **fields).status == 403, path
        assert api(d, path, operator_user, password=PASSWORD, **fields).status == 403, path  # not an admin's password
        assert api(d, path, **fields).status == 403, path  # this host, without a login
    for path, fields in DEAR.items():
        for password in ({}, {"password": ""}, {"password": None}, {"password": [PASSWORD + "x"]}, {"password": {"a": PASSWORD}}):
            assert from_address(d, "127.0.0.3", path, {**fields, **password}, admin).status in (403, 429), (path, password)
    assert send(d, "/backup/" + "0" * 32, headers=viewer, method="GET").status == 403
    assert send(d, "/backup/" + "0" * 32, headers=operator, method="GET").status == 404
    unharmed(d, before)


def test_sessions(daemon):
    d = with_admin(daemon)
    for planted in ("A" * 43, "shepherd", "..", "' OR 1=1 --", "0"):  # fixation: what was there before is not taken
        head = {"Cookie": f"shepherd_session={planted}; shepherd_csrf={planted}", "X-Shepherd-CSRF": planted}
        answer = api(d, "/login", {**head, "Sec-Fetch-Site": "same-origin"}, user="admin", password=PASSWORD)
        assert answer.status == 200 and planted not in answer.cookies.values()
        assert api(d, "/pools/add", {**LAN, **head}).status in (401, 403)
        assert send(d, "/config", headers={**LAN, **head}, method="GET").status == 303
    one, two = login(d), login(d)
    assert one != two
    mixed = {**LAN, "Cookie": one["Cookie"], "X-Shepherd-CSRF": two["X-Shepherd-CSRF"]}
    assert api(d, "/pools/add", mixed, pool_name="P").status == 403
    double = {**LAN, "Cookie": "shepherd_session=" + "A" * 43 + "; " + one["Cookie"]}
    assert send(d, "/config", headers=double, method="GET").status == 303  # the first counts, also when it is wrong
    assert form(d, "/logout", {**LAN, **one}).status == 302
    for head in (one, {**one, "Sec-Fetch-Site": "same-origin"}):  # replayed
        assert api(d, "/pools/add", {**LAN, **head}, pool_name="P").status in (401, 403)
        assert send(d, "/config", headers={**LAN, **head}, method="GET").status == 303
    assert send(d, "/config", headers={**LAN, **two}, method="GET").status == 200


FOREIGN = ["//evil.example/", "/\\evil.example/", "\\\\evil.example", "http://evil.example/", "https:evil.example", "javascript:alert(1)",
           "/\t/evil.example", "/x\r\nSet-Cookie: a=b", "/x\nLocation: http://evil.example", "/%0d%0aSet-Cookie:a=b", "/\r/evil.example",
           "evil.example", " //evil.example", "/" + "a" * 600, "/é\u2028", "///evil.example", "/;//evil.example", "data:text/html,x"]


def test_where_it_goes_on(daemon):
    """next= and Referer lead nowhere else, and nothing that was sent becomes a header line."""
    d = with_admin(daemon)
    for text in FOREIGN:
        answer = form(d, "/login", user="admin", password=PASSWORD, next=text)
        assert answer.status == 302, text
        where = urllib.parse.urlsplit(urllib.parse.urljoin(f"http://127.0.0.1:{d.port}/login", answer.location))
        assert where.netloc == f"127.0.0.1:{d.port}" and "\\" not in answer.location, (text, answer.location)
        assert set(answer.cookies) == {"shepherd_session", "shepherd_csrf", "shepherd_flash"}, text
        page = send(d, "/login?next=" + urllib.parse.quote(text), method="GET", headers={"Accept": "text/html"})
        assert page.status == 200 and not re.search(rb'(action|href)="(//|https?:|javascript:|data:)', page.body), text
        host = f"http://127.0.0.1:{d.port}"
        for referer in (text, host + text, f"{host}@evil.example/", f"{host}.evil.example/", f"http://evil.example/{host}/"):
            if re.search(r"[\r\n]|[^\x00-\xff]", referer):
                continue  # no client can send it
            answer = form(d, "/miners/action/1", {"Referer": referer})
            answer = form(d, "/devices/listen", {"Referer": referer}, key="x")
            where = urllib.parse.urlsplit(urllib.parse.urljoin(host, answer.location))
            assert answer.status == 302 and where.netloc == f"127.0.0.1:{d.port}", (referer, answer.location)
    for name in ("x\r\nSet-Cookie: evil=1", "x; evil=1", "x, evil=1", '"', "é\u2028\u202e", "%0d%0a"):
        for answer in (form(d, "/miners/add", name=name, source="serial", path="/dev/ttyUSB1"),
                       form(d, "/pools/add", pool_name=name, pool_url=name, pool_port=name),
                       form(d, "/service/restart/" + urllib.parse.quote(name, safe=""))):
            assert answer.status in (302, 400, 404), (name, answer.status)
            assert "evil" not in answer.cookies and set(answer.cookies) <= {"shepherd_flash"}, name
            assert re.fullmatch("[A-Za-z0-9%]*", answer.cookies.get("shepherd_flash", "")), name


def test_passwords_by_guessing(daemon):
    """Each door where a password is asked counts, together with the others, and by address."""
    d = with_admin(daemon)
    doors = [("/login", {"user": "admin"}), *DEAR.items(), *FOR_ADMINS.items()]
    for n, (path, fields) in enumerate(doors):
        source = f"127.0.2.{n + 1}"
        for guess in range(3):
            assert from_address(d, source, path, {**fields, "password": f"guess {guess}"}).status == 403, path
        for guess in range(2):
            assert from_address(d, source, "/login", {"user": "admin", "password": f"guess {guess}"}).status == 403, path
        answer = from_address(d, source, path, {**fields, "password": PASSWORD})
        assert answer.status == 429 and 0 < int(answer.getheader("Retry-After")) <= 60, path
        if n == 8:
            break  # 60 a minute for all addresses together: the rest would find that shut
    assert d.get("/kiosk")[0].status == 200


def test_expectations_need_the_password(daemon):
    d = with_admin(daemon)
    miner = add_miner(d, "A")
    path = f"/miners/expect/{miner}"
    assert api(d, path, address=GOOD, password=PASSWORD).status == 200
    for head in ({}, login(d), bearer(d, "admin")):
        for fields in ({}, {"password": ""}, {"password": "wrong password"}):
            assert from_address(d, "127.0.0.4", path, {"address": OTHER, **fields}, head).status in (403, 429), (head, fields)
    for way in (f"/miners/edit/{miner}", "/miners/add"):  # nor by another form
        for name in ("address", "expected_address", "wallet", "wallet_address", "expected"):
            api(d, way, name="A", source="serial", path="/dev/ttyUSB77", **{name: OTHER})
    old = python_database(d.directory / "old.db").replace(b"OLD_1", b"AAAAA")  # what it mined for is another address
    assert api(d, f"/miners/edit/{miner}", name="AAAAA").status == 200
    assert api(d, "/import", upload=upload(d, old)).status == 200
    assert d.rows("SELECT id, address FROM expected") == [(miner, GOOD)]


def test_the_audit_stays(daemon):
    """No route leads there, and the database itself refuses: what was done stays written."""
    d = with_admin(daemon)
    add_miner(d, "A")
    head = bearer(d, "admin")
    rows = audit(d)
    assert [row for row in rows if row[1] == "miner.add"]
    for path in ("/audit", "/audit/delete/1", "/audit/edit/1", "/api/audit"):
        for method in ("POST", "DELETE", "PUT", "PATCH"):
            assert send(d, path, b"", {**head, "Content-Type": URLENCODED}, method).status in (404, 405), path
    assert audit(d)[:len(rows)] == rows
    d.stop()
    db = sqlite3.connect(d.data / "shepherd.db")
    for sql in ("DELETE FROM audit", "UPDATE audit SET who = 'nobody'", "INSERT OR REPLACE INTO audit SELECT * FROM audit"):
        with pytest.raises(sqlite3.Error):
            db.execute("PRAGMA recursive_triggers = ON")
            db.execute(sql)
    db.close()


# ---- what is in it --------------------------------------------------------------------------------------


UPS = ["../1", "..%2f1", "%2e%2e%2f1", "..%5c1", "....//1", "%252e%252e%252f1", "..;/1", "./1", "%00", "1%00", "1/../../..", "1%0a", "-1", "1e3", "0x1",
       "1 ", "9223372036854775808", "99999999999999999999999", "..", ".", "%c0%ae%c0%ae%c0%af", "etc/passwd", "%2fetc%2fpasswd", "a" * 3000]


def test_paths(daemon):
    """Traversal in every parameter of a path, as raw bytes; and in every field that names a file."""
    d = with_admin(daemon)
    add_miner(d, "A")
    before = managed(d)
    stars = [route[:-1] for route in ROUTES if route.endswith("/*")]
    for prefix in [*stars, "/backup/", "/static/", "/details/miner/", "/config/miner/", "/api/", "/", "/upload/", "/views/"]:
        for up in UPS:
            for method in ("POST", "GET"):
                with Client(d.port) as client:
                    client.send(get(prefix + up, "Content-Length: 0", method=method))
                    reply = client.reply()
                shown = (prefix, up, reply.status)
                assert reply.status in (302, 303, 400, 403, 404, 405, 414), shown
                assert b"root:x:" not in reply.body and b"$argon2id" not in reply.body, shown
                flash = urllib.parse.unquote(reply.headers.get("set-cookie", ""))
                assert reply.status != 302 or "shepherd_flash=error:" in flash or up in ("1 ", "./1"), shown
    for name in ("../admin_password", "/etc/passwd", "..", "", "a" * 32, "F" * 32, "0" * 31 + "/", "0" * 33, "0" * 31 + "\n"):
        for path in ("/import", "/restore/check"):
            assert api(d, path, upload=name).status == 404, (path, name)
        assert api(d, "/restore/apply", upload=name, password=PASSWORD).status == 404, name
        if name and not re.fullmatch("[0-9a-f]{32}", name):
            assert send(d, "/upload?id=" + urllib.parse.quote(name, safe=""), b"x", OCTETS).status == 400, name
    unharmed(d, before)
    assert {p.name for p in (d.data / "uploads").iterdir()} <= {"a" * 32}


FIELDS = {"/miners/add": ["name", "source", "path", "location", "group", "tags", "notes", "parser", "baud", "chipset", "device", "dtr_rts", "mac"],
          "/miners/edit/1": ["name", "miner_id", "location_notes", "chipset", "nerdminer_vrs", "notes", "tags", "group", "device", "parser"],
          "/miners/onboard_stray": ["miner_id", "currency", "dev_path", "port_path", "serial_number", "mac_address", "pool_url", "wallet_address"],
          "/miners/onboard": ["unconfigured_id", "miner_id"], "/miners/action": ["action", "dev_path", "port_path", "serial_number", "miner_db_id"],
          "/miners/merge": ["from", "into"], "/miners/expect/1": ["pool", "address"],
          "/pools/add": ["pool_name", "pool_url", "pool_port", "user_type", "text_user_address", "dynamic_user_address", "pool_pass"],
          "/pools/edit/1": ["pool_name", "pool_url", "pool_port", "pool_pass"],
          "/addresses/add": ["coin_ticker", "address", "label"], "/addresses/edit/1": ["label", "coin_ticker", "address"],
          "/addresses/check": ["address", "coin_ticker"], "/devices/accept": ["key", "keys", "name"], "/devices/listen": ["key"],
          "/devices/assign": ["key", "miner_id", "miner"], "/devices/ignore": ["key", "ignored"], "/devices/reset": ["key", "miner_id"],
          "/users/put": ["name", "role"], "/tokens/add": ["name", "role"], "/import": ["upload"], "/restore/check": ["upload"],
          "/login": ["user", "next"]}
VALID = {"/miners/add": {"name": "N", "source": "serial", "path": "/dev/ttyUSB5"},
         "/pools/add": {"pool_name": "P2", "pool_url": "a.b", "pool_port": "1"}, "/addresses/add": {"coin_ticker": "BTC", "address": OTHER},
         "/users/put": {"name": "u", "role": "viewer", "new_password": PASSWORD}, "/tokens/add": {"name": "t", "role": "viewer"},
         "/login": {"user": "admin"}}
SQL = ["' OR '1'='1", "'; DROP TABLE miners; --", '" OR ""="', "1; DELETE FROM audit", "%' AND 1=1 --", "\\'; --", "1 UNION SELECT * FROM users",
       "x' || (SELECT hash FROM users) || '", "?1", ":a", "$1", "`", "NULL", "\u02bc; --"]
MARKUP = "<script>window.pwned=1</script>"


def test_metacharacters_in_every_field(daemon):
    d = with_admin(daemon)
    miner = add_miner(d, "A")
    api(d, "/pools/add", pool_name="P", pool_url="a.b", pool_port=1)
    api(d, "/addresses/add", coin_ticker="BTC", address=GOOD, label="l")
    assert miner == 1
    schema = d.rows("SELECT name, sql FROM sqlite_schema ORDER BY name")
    password_hash = d.data / "admin_password"
    before = password_hash.read_bytes()
    for path, names in FIELDS.items():
        for name in names:
            for value in [*SQL, MARKUP, "a" * 5000, "\u202e\u0000".replace("\u0000", ""), "-1", "1e999", "[]", "\ud7ff\uffff"]:
                fields = {**VALID.get(path, {}), "password": PASSWORD, name: value}
                answer = form(d, path, **fields)
                assert answer.status < 500 or path == "/miners/action", (path, name, value, answer.status, answer.body)
                for odd in ([value], {"a": value}, 7, 1e300, True, None, [[value]]):
                    if value in (SQL[1], MARKUP):
                        answer = api(d, path, **{**fields, name: odd})
                        assert answer.status < 500 or path == "/miners/action", (path, name, odd, answer.status, answer.body)
                        assert answer.headers["Content-Type"].startswith("application/json")
    unharmed(d)
    assert d.rows("SELECT name, sql FROM sqlite_schema ORDER BY name") == schema and password_hash.read_bytes() == before
    assert d.rows("SELECT count(*) FROM miners WHERE id = 1") == [(1,)]
    for page in ("/", "/config", "/config/miner/1", "/details", "/details/miner/1", "/details/system", "/summary", "/raw_logs", "/kiosk"):
        response, body = d.get(page, {"Accept": "text/html"})
        assert response.status == 200 and MARKUP.encode() not in body and b"<script>window" not in body, page
    assert d.stop() == 0, d.log[-3000:]
    d.start()
    assert d.get("/config")[0].status == 200


def test_markup_from_outside_is_text(daemon, ports):
    """Worker name, pool, log line, CSV, pool and address labels: on no page an element, in no JSON a page."""
    pty, = ports(1)
    d = with_admin(daemon, "miners = {\n" + miner_lua("ONE", pty.path) + "}\n")
    log = (pathlib.Path(__file__).parent.parent / "data/nerdminer/v183-tdisplay.log").read_text()
    pty.write(log.replace("bc1qmadeup0shepherd7barn5flock3wool9meadow2", MARKUP) + f"{MARKUP}\nPoolString: {MARKUP}\n"
              + '  Receiving: {"id":9,"result":null,"error":[21,"' + MARKUP + '",null]}\n')
    csv = f'miner_id,chipset,attrs_idVendor,attrs_idProduct,attrs_serial,tty_symlink,nerdminer_rom,nerdminer_vrs\n"{MARKUP}","{MARKUP}",1a86,55d4,5A4B048716,ttyM,"{MARKUP}","{MARKUP}"\n'
    assert "Successfully" in multipart(d, "/miners/upload", "miner_file", csv.encode()).flash
    assert api(d, "/pools/add", pool_name=MARKUP, pool_url="a.b", pool_port=1, pool_user=MARKUP).status == 200
    assert api(d, "/addresses/add", coin_ticker="BTC", address=GOOD, label=MARKUP).status == 200
    assert api(d, "/miners/add", name="T", source="serial", path="/dev/ttyUSB1", notes=MARKUP, location=MARKUP, group=MARKUP, tags=MARKUP[:31]).status == 200
    assert api(d, "/tokens/add", name=MARKUP, role="viewer", password=PASSWORD).status in (200, 400)
    d.wait_miner("ONE", lambda m: m["wallet_address"], "to have spoken")
    head = {**login(d), "Accept": "text/html"}
    pages = ["/", "/config", "/details", "/details/system", "/summary", "/raw_logs", f"/raw_logs?q={urllib.parse.quote(MARKUP)}", "/kiosk", "/dashboards",
             "/dash/health", "/dash/nerdminer", "/dash/matrix", "/play", "/login?next=" + urllib.parse.quote(f'/"><i id=pwned>{MARKUP}'), "/setup", "/help/lua"]
    pages += [f"/{kind}/miner/{m['id']}" for m in d.herd()["miners_list"] for kind in ("details", "config")]
    for page in pages:
        response, body = d.get(page, head)
        assert response.status in (200, 303), page
        assert b"<script>window" not in body and b"<i id=pwned>" not in body, page
        assert "script-src 'self'" in response.getheader("Content-Security-Policy") or response.status == 303
    for route in ("/api/herd_data", "/api/device_state", "/api/logs", "/api/events", "/api/unconfigured_devices", f"/api/nothing{MARKUP}"):
        response, body = d.get(urllib.parse.quote(route), head)
        assert response.getheader("Content-Type").startswith("application/json") and response.getheader("X-Content-Type-Options") == "nosniff", route


def part(name, value, filename=None):
    return f'--b\r\nContent-Disposition: form-data; name="{name}"' + (f'; filename="{filename}"' if filename else "") + f"\r\n\r\n{value}\r\n"


MULTIPART = "multipart/form-data; boundary=b"
BROKEN = [
    (URLENCODED, "a=%zz"), (URLENCODED, "a=%"), (URLENCODED, "=x"), (URLENCODED, "a" * 65 + "=x"), (URLENCODED, "a=%00"), (URLENCODED, "a=%ff%fe"),
    (URLENCODED, "&".join(f"f{n}=1" for n in range(257))), (URLENCODED, "&".join("f=1" for n in range(5000))), (URLENCODED, "a=\x01"),
    ("application/json", "["), ("application/json", "[]"), ("application/json", '"x"'), ("application/json", "null"), ("application/json", ""),
    ("application/json", '{"a":1,"a":2}'), ("application/json", '{"a":"\\u0000"}'), ("application/json", '{"a":1}x'), ("application/json", '{"a":NaN}'),
    ("application/json", "[" * 30000), ("application/json", '{"a":' * 5000 + "1" + "}" * 5000), ("application/json", '{"a":' + "[" * 20 + "]" * 20 + "}"),
    ("application/json", '{"a":1e99999}'), ("application/json", '{"a":"\ud83d"}'.encode("utf-8", "surrogatepass")), ("application/json", b'{"a":"\xff"}'),
    ("application/json", json.dumps({f"f{n}": 1 for n in range(300)})), ("application/json", json.dumps({"keys": [1] * 20000})),
    (MULTIPART, ""), (MULTIPART, "--b"), (MULTIPART, "--b\r\n"), (MULTIPART, part("a", "x")), (MULTIPART, part("a", "x") + "--b"),
    (MULTIPART, "x" + part("a", "x") + "--b--\r\n"), (MULTIPART, "--b\r\n\r\nx\r\n--b--\r\n"), (MULTIPART, "--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n"),
    (MULTIPART, part("a" * 100, "x") + "--b--\r\n"), (MULTIPART, part("a", "x").replace("\r\n\r\n", "\r\n" + "X: y\r\n" * 500 + "\r\n") + "--b--\r\n"),
    (MULTIPART, "".join(part(f"f{n}", "") for n in range(300)) + "--b--\r\n"), ("multipart/form-data", part("a", "x") + "--b--\r\n"),
    ("multipart/form-data; boundary=", part("a", "x")), ("multipart/form-data; boundary=" + "b" * 100, part("a", "x")),
    ("multipart/form-data; boundary=\"b", part("a", "x") + "--b--\r\n"), ("multipart/mixed; boundary=b", part("a", "x") + "--b--\r\n"),
    ("text/xml", "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><x>&e;</x>"), ("application/x-java-serialized-object", "\xac\xed"),
]


def test_broken_bodies(daemon):
    d = with_admin(daemon)
    add_miner(d, "A")
    before = managed(d)
    for route in ROUTES:
        for kind, body in BROKEN:
            answer = send(d, path_of(route), body.encode("latin-1", "replace") if isinstance(body, str) else body,
                          {"Content-Type": kind, "Accept": "application/json"})
            empty = body == "" and kind == "application/json"
            assert answer.status == 400 or (empty and answer.status < 500), (route, kind, body[:80], answer.status, answer.body[:200])
        big = send(d, path_of(route), b"a=" + b"x" * 66000, {"Content-Type": URLENCODED})
        assert big.status == 413, (route, big.status)
    for head in ("Content-Length: 100", "Content-Length: 99999999999999999999", "Content-Length: -1", "Content-Length: 5\r\nContent-Length: 6",
                 "Transfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 3", "Content-Length: 0x5", "Expect: 200-maybe\r\nContent-Length: 5"):
        with Client(d.port) as client:  # cut off, or a lie about its length
            client.send(f"POST /pools/add HTTP/1.1\r\nHost: localhost\r\nContent-Type: {URLENCODED}\r\n{head}\r\n\r\na=b")
            client.socket.shutdown(1)
            try:
                assert client.reply().status in (302, 400, 411, 413, 417, 501), head
            except Closed:
                pass
    with Client(d.port) as client:  # nothing is smuggled behind a body
        client.send("POST /pools/add HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
                    + get("/pools/delete/1", method="POST"))
        assert client.reply().status in (400, 501)
    unharmed(d, before)


# ---- files that are sent --------------------------------------------------------------------------------


def test_uploads(daemon):
    d = with_admin(daemon)
    folder = d.data / "uploads"
    one = "0123456789abcdef" * 2
    put = lambda query, body=b"x", head=OCTETS: send(d, "/upload?" + query, body, head).status
    for query, status in (("offset=-1", 400), ("offset=1e3", 400), ("offset=" + "9" * 30, 400), (f"id={one}&offset=1", 404),
                          (f"id={one}&offset=9223372036854775807", 404), ("id=" + "G" * 32, 400), ("id=" + "A" * 32, 400), (f"id={one}0", 400)):
        assert put(query) == status, query
    for kind in (URLENCODED, "text/plain", "multipart/form-data; boundary=b", "application/json"):
        assert put("offset=0", b"x", {"Content-Type": kind}) == 415, kind
    assert put("offset=0", b"") == 400
    assert put(f"id={one}&offset=0", b"begin") == 200
    for offset, status in ((0, 409), (4, 409), (6, 409), (9223372036854775807, 409), (5, 200)):
        assert put(f"id={one}&offset={offset}", b"!") == status, offset
    assert (folder / one).read_bytes() == b"begin!"
    # two at once send the same piece: it is there once
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        two = list(pool.map(lambda n: put(f"id={one}&offset=6", bytes([65 + n]) * 1000), range(8)))
    assert sorted(two) == [200] + [409] * 7 and (folder / one).stat().st_size == 1006
    # as many as there may be, also when all come at once
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        many = list(pool.map(lambda n: put("offset=0"), range(16)))
    assert sorted(many) == [200] * 7 + [429] * 9 and len(list(folder.iterdir())) == 8
    assert all(p.stat().st_mode & 0o777 == 0o600 for p in folder.iterdir()) and folder.stat().st_mode & 0o777 == 0o700
    # a link in the place of an upload is not followed
    (folder / one).unlink()
    (folder / one).symlink_to(d.directory / "elsewhere")
    (d.directory / "elsewhere").write_text("")
    assert put(f"id={one}&offset=1006", b"evil") == 500 and (d.directory / "elsewhere").read_text() == ""
    unharmed(d)


def archive(*members):
    """(name, bytes or a dict of TarInfo's attributes)…"""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, what in members:
            info = tarfile.TarInfo(name)
            data = what if isinstance(what, bytes) else b""
            info.size = len(data)
            for key, value in ({} if isinstance(what, bytes) else what).items():
                setattr(info, key, value)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def test_hostile_archives(daemon):
    """Over HTTP, with the admin's password: nothing is put anywhere, and the daemon goes on."""
    d = with_admin(daemon)
    add_miner(d, "A")
    answer = api(d, "/backup", password=PASSWORD)
    good = send(d, answer.json["url"], method="GET").body
    with tarfile.open(fileobj=io.BytesIO(good)) as tar:
        whole = [(m.name, tar.extractfile(m).read()) for m in tar.getmembers() if m.isfile()]
    target = d.directory / "evil"
    link = {"type": tarfile.SYMTYPE, "linkname": str(d.directory)}
    hostile = {
        "nothing": b"", "no gzip": b"PK\x03\x04" + b"x" * 1000, "cut off": good[:-20], "a bit": good[:200] + bytes([good[200] ^ 1]) + good[201:],
        "empty": archive(), "up": archive(*whole, ("../evil", b"x")), "up in views": archive(*whole, ("views/../../evil", b"x")),
        "absolute": archive(*whole, (str(target), b"x")), "through a link": archive(*whole, ("views", link), ("views/evil", b"x")),
        "a link": archive(*whole, ("views/x", {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"})),
        "a hard link": archive(*whole, ("views/x", {"type": tarfile.LNKTYPE, "linkname": "/etc/passwd"})),
        "a device": archive(*whole, ("views/x", {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 3})),
        "a pipe": archive(*whole, ("views/x", {"type": tarfile.FIFOTYPE})), "twice": archive(*whole, *whole),
        "a password": archive(*whole, ("admin_password", b"$argon2id$v=19$m=8,t=1,p=1$YWFhYWFhYWE$YWFh"), ("admin_password", b"")),
        "no database": archive(("shepherd.db", b"no database at all" * 100)),
        "a bomb": archive(*whole, ("views/zero.html", b"\0" * (64 << 20))),
    }
    before = managed(d)
    password = (d.data / "admin_password").read_bytes()
    for what, data in hostile.items():
        for path in ("/restore/check", "/restore/apply", "/restore"):
            if not data:
                continue
            there = upload(d, data, piece=60000)
            answer = api(d, path, upload=there, confirm="RESTORE", password=PASSWORD)
            assert answer.status == 400, (what, path, answer.status, answer.body)
            d.stop()  # also makes room: eight uploads at most
            d.start()
        assert not target.exists(), what
    assert (d.data / "admin_password").read_bytes() == password
    assert not [p.name for p in d.data.iterdir() if p.name.startswith(("restore.", "views"))]
    assert d.miner("A")
    unharmed(d, before)


def hostile_databases(directory):
    """Files that say they are databases of the Python Shepherd."""
    made = {}

    def make(name, *script, base=True):
        path = directory / f"{name}.db"
        if base:
            python_database(path)
        db = sqlite3.connect(path, isolation_level=None)
        for sql in script:
            db.execute(sql)
        db.close()
        made[name] = path.read_bytes()

    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS id, 'M' || i AS miner_id FROM n"
    make("view", "DROP TABLE miners", f"CREATE VIEW miners AS {endless}")
    make("triggers", "CREATE TRIGGER t AFTER INSERT ON miners BEGIN DELETE FROM pools; END")
    make("names", "UPDATE miners SET miner_id = ''';DROP TABLE miners;--', location_notes = '" + MARKUP + "', chipset = x'ff00ff'")
    make("long", "UPDATE miners SET location_notes = hex(zeroblob(2000000)), attrs_serial = hex(zeroblob(1000000))")
    make("types", "UPDATE miners SET miner_id = 7, chipset = 1e300, port_path = x'00', attrs_idVendor = 9, mac_address = NULL")
    make("paths", "UPDATE miners SET dev_path = '/etc/passwd', port_path = NULL, attrs_serial = NULL, mac_address = NULL")
    make("empty", base=False)
    make("other", "CREATE TABLE miners (a)", "INSERT INTO miners VALUES (1)", base=False)
    good = made["triggers"]
    made["torn"] = good[:5000]
    made["scrambled"] = good[:100] + bytes(b ^ 0x5A for b in good[100:8000]) + good[8000:]
    return {name: data for name, data in made.items() if data}


def test_hostile_databases(daemon, tmp_path):
    d = with_admin(daemon)
    schema = d.rows("SELECT name, sql FROM sqlite_schema ORDER BY name")
    for n, (name, data) in enumerate(hostile_databases(tmp_path).items()):
        answer = api(d, "/import", upload=upload(d, data, piece=60000))
        assert answer.status in (200, 400), (name, answer.status, answer.body)
        assert alive(d), (name, d.log[-2000:])
        if n % 4 == 3:
            d.stop()
            d.start()
    assert d.rows("SELECT name, sql FROM sqlite_schema ORDER BY name") == schema
    assert MARKUP.encode() not in d.get("/config", {"Accept": "text/html"})[1]
    assert not [m for m in d.herd()["miners_list"] if m.get("dev_path") == "/etc/passwd"]
    for csv in (b"miner_id\n" + b"x" * 600 + b"\n", b'miner_id\n"x\n', b"miner_id" + b",x" * 100 + b"\n", b"\xff\xfe", b"miner_id\nA\0B\n",
                b"miner_id\n" + b"\n" * 50000, b",,,\n", b'miner_id,miner_id\nA,B\n', b"miner_id\n=cmd|' /C calc'!A0\n"):
        assert multipart(d, "/miners/upload", "miner_file", csv).status == 302, csv[:40]
    unharmed(d)


# ---- two at once ----------------------------------------------------------------------------------------


def at_once(n, call):
    with concurrent.futures.ThreadPoolExecutor(n) as pool:
        return sorted(answer.status for answer in pool.map(call, range(n)))


def test_two_at_once(daemon):
    d = daemon()
    code = json.loads(d.get("/api/setup")[1])["code"]
    won = at_once(4, lambda n: from_address(d, f"127.0.3.{n + 1}", "/setup", {"code": code, "password": f"{PASSWORD} {n}"}))
    assert won.count(200) == 1 and set(won) <= {200, 400, 403, 409}, won
    d.stop()
    assert run("passwd", "--data-dir", d.data, stdin=PASSWORD + "\n")[0] == 0
    d.start()
    assert at_once(6, lambda n: api(d, "/miners/add", name="A", source="serial", path="/dev/ttyUSB1")) == [200] + [409] * 5
    assert at_once(6, lambda n: api(d, "/miners/add", name=f"B{n}", source="serial", path="/dev/ttyUSB2")) == [200] + [409] * 5
    a = d.miner("A")["id"]
    assert at_once(6, lambda n: api(d, f"/miners/delete/{a}")) == [200] + [404] * 5
    add_miner(d, "C", "/dev/ttyUSB3")
    c = d.miner("C")["id"]
    erased = at_once(4, lambda n: api(d, f"/miners/delete/{c}", erase=True, password=PASSWORD))
    assert erased == [200] + [404] * 3, erased
    assert at_once(6, lambda n: api(d, "/pools/add", pool_name="P", pool_url="a.b", pool_port=1)) == [200] + [409] * 5
    assert at_once(6, lambda n: api(d, "/pools/delete/1")) == [200] + [404] * 5
    assert at_once(6, lambda n: api(d, "/addresses/add", coin_ticker="BTC", address=(GOOD, GOOD.upper())[n % 2])) == [200] + [409] * 5
    x, y = add_miner(d, "X", "/dev/ttyUSB4"), add_miner(d, "Y", "/dev/ttyUSB5")
    crossed = at_once(2, lambda n: api(d, f"/miners/merge/{(x, y)[n]}", into=(y, x)[n]))
    assert crossed == [200, 404] and len([m for m in d.herd()["miners_list"] if m["miner_id"] in "XY"]) == 1
    assert at_once(4, lambda n: api(d, "/devices/accept", key="usb:1a86:55d4:gone", name=f"V{n}")) == [404] * 4
    assert at_once(4, lambda n: api(d, "/devices/capture", key="usb:1a86:55d4:gone")) == [404] * 4
    made = at_once(8, lambda n: from_address(d, f"127.0.4.{n + 1}", "/backup", {"password": PASSWORD}))
    assert set(made) <= {200, 409} and made.count(200) <= 8, made
    restarts = at_once(4, lambda n: from_address(d, f"127.0.5.{n + 1}", "/pools/add", {"pool_name": f"R{n}", "pool_url": "a.b", "pool_port": 1}))
    assert restarts == [200] * 4
    unharmed(d)
    assert d.stop() == 0, d.log[-3000:]
