"""Who may do what, against the whole daemon: login, setup, roles, tokens, a kiosk elsewhere, CSRF, session fixation,
brute force, names of the host, and who is not from this host.

Somebody else is made in two ways: by a connection from another address of this machine than the one that is asked, and
by what a proxy on this machine adds (X-Forwarded-For)."""
import fcntl
import http.client
import json
import re
import signal
import socket
import struct
import threading

import pytest
from conftest import DEADLINE_S, miners_lua, run, wait_for
from httpraw import Client, get

PASSWORD = "correct horse battery"
LAN = {"X-Forwarded-For": "192.168.1.7"}
ADDRESS = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"  # the example of BIP 173: nobody's
PAGES = ["/", "/raw_logs", "/details/system", "/kiosk", "/dashboards", "/dash/health", "/dash/nerdminer", "/dash/matrix",
         "/details", "/details/miner/1", "/summary", "/config", "/play", "/help/lua", "/no/such/page"]
APIS = ["/api/herd_data", "/api/device_state", "/api/unconfigured_devices", "/events", "/api/no/such"]
CHANGES = ["/miners/edit/1", "/miners/delete/1", "/miners/onboard_stray", "/miners/action", "/miners/upload", "/pools/add",
           "/pools/delete/1", "/pools/set_active/1", "/addresses/add", "/addresses/delete/1", "/service/restart/x",
           "/users/add", "/users/delete/1", "/tokens/add", "/tokens/delete/1", "/upload", "/restore", "/import"]


class Answer:
    def __init__(self, response, body):
        self.status = response.status
        self.headers = response.headers
        self.body = body
        self.cookies, self.attributes = {}, {}
        for line in response.headers.get_all("Set-Cookie") or []:
            name, _, rest = line.partition("=")
            self.cookies[name], _, self.attributes[name] = rest.partition(";")

    def json(self):
        return json.loads(self.body)


def ask(d, method, path, headers=None, body=None, source=None):
    connection = http.client.HTTPConnection("127.0.0.1", d.port, timeout=DEADLINE_S,
                                            source_address=(source, 0) if source else None)
    connection.request(method, path, body, headers or {})
    response = connection.getresponse()
    answer = Answer(response, b"" if path == "/events" and response.status == 200 else response.read())
    connection.close()
    return answer


def post(d, path, fields=None, headers=None, source=None):
    """As a program would: JSON there and back."""
    return ask(d, "POST", path, {"Content-Type": "application/json", "Accept": "application/json", **(headers or {})},
               json.dumps(fields or {}), source)


def cookies_of(answer):
    """What a page of ours sends with a form."""
    return {"Cookie": f"shepherd_session={answer.cookies['shepherd_session']}",
            "X-Shepherd-CSRF": answer.cookies["shepherd_csrf"]}


def login(d, user="admin", password=PASSWORD, headers=None, source=None):
    return post(d, "/login", {"user": user, "password": password}, headers, source)


def with_admin(daemon, config="", **kwargs):
    d = daemon(config, start=False, **kwargs)
    assert run("passwd", "--data-dir", d.data, stdin=PASSWORD + "\n")[0] == 0
    return d.start()


def add_user(d, name, role):
    answer = post(d, "/users/add", {"name": name, "role": role, "new_password": PASSWORD, "password": PASSWORD})
    assert answer.status == 200, answer.body
    return cookies_of(login(d, name))


def add_token(d, name, role):
    answer = post(d, "/tokens/add", {"name": name, "role": role, "password": PASSWORD})
    assert answer.status == 200, answer.body
    return answer.json()["token"]


def addresses(d):
    return d.rows("SELECT count(*) FROM coin_addresses")[0][0]


def other_address():
    """An address of this machine that is not loopback; None: it has no other."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for _, name in socket.if_nameindex():
            try:
                packed = fcntl.ioctl(s, 0x8915, struct.pack("256s", name.encode()[:15]))  # SIOCGIFADDR
            except OSError:
                continue
            address = socket.inet_ntoa(packed[20:24])
            if not address.startswith("127."):
                return address
    return None


# ---- the first admin ------------------------------------------------------------------------------------------------


def test_setup(daemon):
    d = daemon()
    code = re.search(r"no admin yet; setup code ([A-Z0-9]{4}-[A-Z0-9]{4}), valid for an hour, at /setup", d.log).group(1)
    assert ask(d, "GET", "/api/setup").json() == {"needed": True, "code": code}
    assert ask(d, "GET", "/api/setup", LAN).json() == {"needed": True}  # a stranger gets no code
    assert ask(d, "GET", "/setup", LAN).status == 200
    assert post(d, "/setup", {"code": "AAAA-AAAA", "password": PASSWORD}, LAN).status == 403
    assert post(d, "/setup", {"code": code, "password": "short"}, LAN).status in (400, 403)
    assert not (d.data / "admin_password").exists()
    answer = post(d, "/setup", {"code": code.lower().replace("-", ""), "password": PASSWORD}, LAN)
    assert answer.status == 200, answer.body
    assert (d.data / "admin_password").stat().st_mode & 0o777 == 0o600
    assert "HttpOnly" in answer.attributes["shepherd_session"]
    for name in ("shepherd_session", "shepherd_csrf"):
        assert "SameSite=Strict" in answer.attributes[name] and "Path=/" in answer.attributes[name]
    assert "HttpOnly" not in answer.attributes["shepherd_csrf"]
    assert ask(d, "GET", "/config", {**LAN, **cookies_of(answer)}).status == 200
    assert post(d, "/setup", {"code": code, "password": "another password"}).status in (400, 403)
    assert ask(d, "GET", "/api/setup").json() == {"needed": False}
    assert login(d).status == 200
    assert d.stop() == 0
    assert "setup code" not in d.log.split("at /setup", 1)[1]
    d.log = ""
    d.start()
    assert "setup code" not in d.log


# ---- roles ----------------------------------------------------------------------------------------------------------


def test_who_is_not_from_here_logs_in(daemon):
    d = with_admin(daemon)
    source = other_address()
    for path in PAGES:
        for answer in [ask(d, "GET", path, LAN)] + ([ask(d, "GET", path, source=source)] if source else []):
            assert answer.status == 303, path
            assert answer.headers["Location"] == ("/login" if path == "/" else f"/login?next={path}")
            assert answer.body == b""
    for path in APIS:
        assert ask(d, "GET", path, LAN).status == 401, path
    for path in CHANGES:
        assert post(d, path, headers=LAN).status == 401, path
    for path in ("/healthz", "/login", "/setup", "/static/live.js"):
        assert ask(d, "GET", path, LAN).status == 200, path
    for header in ("Forwarded", "Via"):
        assert ask(d, "GET", "/config", {header: "for=1.2.3.4"}).status == 303
    assert ask(d, "GET", "/config").status == 200


def test_login_page_tells_nothing(daemon, ports):
    port, = ports(1)
    d = with_admin(daemon, miners_lua([("SECRET-BARN", port.path)]))
    wait_for(lambda: d.miner("SECRET-BARN"), "the miner")
    for path in ("/login", "/setup", "/login?next=/config"):
        page = ask(d, "GET", path, LAN).body.decode()
        assert "SECRET-BARN" not in page and str(d.data) not in page and port.path not in page


def test_roles(daemon):
    d = with_admin(daemon)
    who = {role: add_user(d, role[:3], role) for role in ("viewer", "operator", "admin")}
    for role, headers in who.items():
        headers = {**LAN, **headers}
        assert ask(d, "GET", "/kiosk", headers).status == 200
        answer = post(d, "/addresses/add", {"coin_ticker": "BTC", "address": ADDRESS, "label": role}, headers)
        assert answer.status == (403 if role == "viewer" else 200 if role == "operator" else 409), role
        # what is dear: an admin, and the password again
        dear = {"name": "x" + role, "role": "viewer", "new_password": PASSWORD}
        assert post(d, "/users/add", dear, headers).status == 403
        answer = post(d, "/users/add", {**dear, "password": PASSWORD}, headers)
        assert answer.status == (200 if role == "admin" else 403), role
        assert post(d, "/users/add", {**dear, "password": "wrong one"}, headers).status == 403
    for path in CHANGES:
        assert post(d, path, headers={**LAN, **who["viewer"]}).status == 403, path
    assert d.rows("SELECT name FROM users WHERE name LIKE 'x%'") == [("xadmin",)]


def test_viewers_see_addresses_shortened(daemon, ports):
    port, = ports(1)
    d = with_admin(daemon, miners_lua([("ONE", port.path)]))
    viewer = {**LAN, **add_user(d, "eve", "viewer")}
    operator = {**LAN, **add_user(d, "bob", "operator")}
    port.write(f'  Sending  : {{"params": ["{ADDRESS}.barn", "x"], "id": 2, "method": "mining.authorize"}}\n'
               f"a line with {ADDRESS} in it\n"
               ">>> Completed 3 share(s), 12345 Khashes, avg. hashrate 55.12 KH/s\n")
    d.wait_miner("ONE", lambda m: m["wallet_address"] == ADDRESS, "its wallet")
    assert post(d, "/addresses/add", {"coin_ticker": "BTC", "address": ADDRESS, "label": "mine"}).status == 200
    wait_for(lambda: ADDRESS in d.text("/raw_logs") and ADDRESS in d.text("/config"), "the line and the address")
    for path in PAGES + APIS[:3]:
        assert ADDRESS not in ask(d, "GET", path, viewer).body.decode(), path
    miner, = ask(d, "GET", "/api/herd_data", viewer).json()["miners_list"]
    assert miner["wallet_address"].startswith(ADDRESS[:6]) and len(miner["wallet_address"]) < 20
    assert ask(d, "GET", "/api/herd_data", operator).json()["miners_list"][0]["wallet_address"] == ADDRESS
    assert ADDRESS in ask(d, "GET", "/raw_logs", operator).body.decode()


def test_what_anybody_may_do_is_a_setting(daemon):
    d = with_admin(daemon)
    base = d.config.read_text()
    for here, there in (("viewer", "viewer"), ("none", "none"), ("operator", "viewer")):
        d.config.write_text(base + f'access = {{ loopback = "{here}", lan = "{there}" }}\n')
        d.process.send_signal(signal.SIGHUP)
        want = {"none": 303, "viewer": 200, "operator": 200}
        wait_for(lambda: (ask(d, "GET", "/kiosk").status, ask(d, "GET", "/kiosk", LAN).status) ==
                 (want[here], want[there]), f"{here} {there}")
        changes = post(d, "/addresses/delete/999").status
        assert changes == {"none": 401, "viewer": 403, "operator": 404}[here]
        assert post(d, "/addresses/delete/999", headers=LAN).status == {"none": 401, "viewer": 403}[there]


MISTAKES = [
    ('access = { loopback = "operater" }', "access.loopback: unknown role; here it is none, viewer, operator or admin; did you mean 'operator'?"),
    ('access = { lan = "operator" }', "access.lan: unknown role; here it is none or viewer (others log in)"),
    ('access = { lam = "viewer" }', "access.lam: unknown key; did you mean 'lan'?"),
    ("access = { lan = 1 }", "access.lan: must be a text: none or viewer"),
    ('access = "viewer"', "access: must be a table"),
    ('access = { "viewer" }', "access: must be a table"),
    ('acces = { lan = "viewer" }', "acces: unknown key; did you mean 'access'?"),
]


@pytest.mark.parametrize("line,says", MISTAKES)
def test_mistakes_in_the_setting(tmp_path, line, says):
    file = tmp_path / "shepherd.lua"
    file.write_text("\n" + line + "\n")
    code, _, err = run("check", "--config", file)
    assert code == 78 and f"{file}:2: {says}" in err
    file.write_text("access = {}\n")
    assert run("check", "--config", file)[0] == 0


# ---- sessions -------------------------------------------------------------------------------------------------------


def test_session_fixation(daemon):
    d = with_admin(daemon)
    chosen = "A" * 43  # what an attacker has put into the browser before
    answer = login(d, headers={**LAN, "Cookie": f"shepherd_session={chosen}", "Origin": f"http://127.0.0.1:{d.port}"})
    assert answer.status == 200
    assert answer.cookies["shepherd_session"] != chosen
    assert ask(d, "GET", "/kiosk", {**LAN, "Cookie": f"shepherd_session={chosen}"}).status == 303
    before = cookies_of(answer)
    again = login(d, headers={**LAN, **before})
    assert again.cookies["shepherd_session"] != answer.cookies["shepherd_session"]
    stored = "".join(row[0] for row in d.rows("SELECT hash FROM sessions"))
    assert again.cookies["shepherd_session"] not in stored


def test_sessions_end(daemon):
    d = with_admin(daemon)
    one, two = cookies_of(login(d)), cookies_of(login(d))
    assert d.stop(signal.SIGKILL) != 0
    d.start()  # a login is on disk before it is answered
    assert ask(d, "GET", "/kiosk", {**LAN, **one}).status == 200
    stream = socket.create_connection(("127.0.0.1", d.port), timeout=DEADLINE_S)
    stream.sendall(f"GET /events HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 1.2.3.4\r\nCookie: {one['Cookie']}\r\n\r\n".encode())
    assert b" 200 " in stream.recv(100)
    assert ask(d, "POST", "/logout", {**LAN, **one}).status == 302
    assert ask(d, "GET", "/kiosk", {**LAN, **one}).status == 303
    assert ask(d, "GET", "/events", {**LAN, **one}).status == 401
    assert ask(d, "GET", "/kiosk", {**LAN, **two}).status == 200
    stream.setblocking(False)  # what runs already is not cut in the middle
    while True:
        try:
            assert stream.recv(65536) != b""
        except BlockingIOError:
            break
    stream.close()
    assert run("passwd", "--data-dir", d.data, stdin="a better password\n")[0] == 0
    wait_for(lambda: ask(d, "GET", "/kiosk", {**LAN, **two}).status == 303, "the old password's sessions to end")
    assert login(d).status == 403
    assert login(d, password="a better password").status == 200


# ---- tokens ---------------------------------------------------------------------------------------------------------


def test_tokens(daemon):
    d = with_admin(daemon)
    tokens = {role: add_token(d, role, role) for role in ("viewer", "operator", "admin")}
    bearer = {role: {**LAN, "Authorization": f"Bearer {token}"} for role, token in tokens.items()}
    for role, headers in bearer.items():
        assert ask(d, "GET", "/api/herd_data", headers).status == 200
        assert post(d, "/addresses/delete/999", headers=headers).status == (403 if role == "viewer" else 404)
        # a stolen token makes no users, whatever its role
        dear = {"name": "mallory", "role": "admin", "new_password": PASSWORD}
        assert post(d, "/users/add", dear, headers).status == 403
    good = tokens["viewer"]
    for bad in ("", "shp_", good[:-1], good + "A", good.swapcase(), "shp_" + "A" * 43, f"{good} {good}"):
        for more in ({}, LAN):
            assert ask(d, "GET", "/api/herd_data", {**more, "Authorization": f"Bearer {bad}"}).status == 401, bad
    d.stop(signal.SIGKILL)
    d.start()
    assert ask(d, "GET", "/api/herd_data", bearer["viewer"]).status == 200
    row, = d.rows("SELECT id FROM tokens WHERE name = 'viewer'")
    assert post(d, f"/tokens/delete/{row[0]}", {"password": PASSWORD}).status == 200
    assert ask(d, "GET", "/api/herd_data", bearer["viewer"]).status == 401
    assert all(token not in path.read_bytes().decode("latin-1")
               for path in d.data.glob("shepherd.db*") for token in tokens.values())


def test_kiosk_elsewhere(daemon):
    d = with_admin(daemon)
    token = add_token(d, "wall", "viewer")
    answer = ask(d, "GET", f"/play?dwell=5&token={token}&dim=22-6", LAN)
    assert answer.status == 303 and answer.headers["Location"] == "/play?dwell=5&dim=22-6"
    assert answer.cookies["shepherd_kiosk"] == token
    assert "HttpOnly" in answer.attributes["shepherd_kiosk"] and "SameSite=Strict" in answer.attributes["shepherd_kiosk"]
    cookie = {**LAN, "Cookie": f"shepherd_kiosk={token}"}
    for path in ("/play", "/kiosk", "/api/herd_data", "/events"):
        assert ask(d, "GET", path, cookie).status == 200, path
    origin = {"Origin": f"http://127.0.0.1:{d.port}"}
    for path in CHANGES:
        assert post(d, path, headers={**cookie, **origin}).status == 403, path
    for role in ("operator", "admin"):
        answer = ask(d, "GET", f"/play?token={add_token(d, role, role)}", LAN)
        assert answer.status == 303 and answer.headers["Location"].startswith("/login") and not answer.cookies


# ---- CSRF -----------------------------------------------------------------------------------------------------------


def test_csrf(daemon):
    """What a page elsewhere can make a browser send: forms of three types, with its cookies, from its Origin."""
    d = with_admin(daemon)
    session = cookies_of(login(d))
    own = {"Origin": f"http://127.0.0.1:{d.port}"}
    body = f"coin_ticker=BTC&address={ADDRESS}&label=x"
    evil = [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": f"http://127.0.0.1:{d.port + 1}"},
            {"Origin": "http://localhost"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site", **own}]
    types = ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"]
    for headers in evil:
        for kind in types:
            for cookie in ({}, {"Cookie": session["Cookie"]}, session):
                answer = ask(d, "POST", "/addresses/add", {"Content-Type": kind, **headers, **cookie}, body)
                assert answer.status == 403, (headers, kind, answer.status)
    form = {"Content-Type": types[0], "Cookie": session["Cookie"]}
    assert ask(d, "POST", "/addresses/add", form, body).status == 403  # no Origin, no token
    assert ask(d, "POST", "/addresses/add", {**form, **own}, body).status == 403  # no token
    assert ask(d, "POST", "/addresses/add", {**form, **own}, body + "&csrf=" + "A" * 43).status == 403
    other = cookies_of(login(d))["X-Shepherd-CSRF"]
    assert ask(d, "POST", "/addresses/add", {**form, **own}, body + "&csrf=" + other).status == 403
    assert addresses(d) == 0
    assert ask(d, "POST", "/addresses/add", {**form, **own}, body + "&csrf=" + session["X-Shepherd-CSRF"]).status == 302
    wait_for(lambda: addresses(d) == 1, "the form of our own page")
    answer = ask(d, "OPTIONS", "/addresses/add", {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"})
    assert answer.status == 405 and not [name for name in answer.headers if name.lower().startswith("access-control")]


# ---- names of the host ----------------------------------------------------------------------------------------------


def test_dns_rebinding(daemon):
    d = with_admin(daemon)
    session = cookies_of(login(d))
    for host in ("evil.example", "127.0.0.1.evil.example", "localhost.evil.example", f"evil.example:{d.port}"):
        for headers in ({}, session):
            assert ask(d, "GET", "/api/herd_data", {"Host": host, **headers}).status == 421, host
            assert post(d, "/addresses/delete/1", headers={"Host": host, "Origin": f"http://{host}", **headers}).status == 421
    for raw in ("GET /api/herd_data HTTP/1.1\r\n\r\n",
                "GET /api/herd_data HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
                get("/api/herd_data", host="")):
        with Client(d.port) as client:
            client.send(raw)
            assert client.reply().status == 400


# ---- brute force ----------------------------------------------------------------------------------------------------


def test_brute_force(daemon):
    d = with_admin(daemon)
    texts = set()
    for guess in range(5):
        answer = login(d, ("admin", "nobody")[guess % 2], f"guess {guess}")
        assert answer.status == 403
        texts.add(answer.json()["message"])
    assert len(texts) == 1  # says nothing about which names there are
    answer = login(d)
    assert answer.status == 429 and 0 < int(answer.headers["Retry-After"]) <= 60  # also with the right one
    dear = {"name": "x", "role": "viewer", "new_password": PASSWORD, "password": PASSWORD}
    assert post(d, "/users/add", dear).status == 429  # nor by another door
    assert login(d, source="127.0.0.2").status == 200  # others are not locked out
    wait_for(lambda: d.rows("SELECT count(*) FROM audit WHERE action = 'login.failed'")[0][0] == 5, "the audit")


def test_password_storm(daemon):
    """Row 46: 200 logins at once from 40 addresses. One hash at a time, a bounded queue; the kiosk does not notice."""
    d = with_admin(daemon)
    statuses, errors = [], []

    def guess(n):
        try:
            statuses.append(login(d, "admin", f"guess {n}", source=f"127.0.1.{n % 40 + 1}").status)
        except Exception as error:  # noqa: BLE001: shown below, with all of them
            errors.append(error)

    threads = [threading.Thread(target=guess, args=(n,)) for n in range(200)]
    for thread in threads:
        thread.start()
    pages = 0
    while any(thread.is_alive() for thread in threads):
        assert ask(d, "GET", "/kiosk").status == 200
        pages += 1
    for thread in threads:
        thread.join()
    assert not errors and len(statuses) == 200 and pages > 0
    assert set(statuses) <= {403, 429}
    assert statuses.count(403) <= 60  # so many a minute are looked at, in all
    assert statuses.count(429) >= 140
    assert d.stop() == 0
