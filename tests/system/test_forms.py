"""Every route that changes something, over loopback as the Python Shepherd's own scripts would use it
(no login, forms without a token), and ours with their answers for programs and for pages."""
import json
import re
import sqlite3
import tarfile
import threading

from conftest import DEADLINE_S, miner_lua, wait_for
from formlib import GOOD, OTHER, PASSWORD, add_miner, admin_head, api, audit, flock_of, form, make_admin, send

# ---- the Python one's routes: paths, fields, texts, codes --------------------------------------------


def test_edit_as_the_original(daemon):
    d = daemon()
    miner = add_miner(d, "A")
    add_miner(d, "B", "/dev/ttyUSB78")
    answer = form(d, f"/miners/edit/{miner}", miner_id=" A2 ", chipset="ESP32", nerdminer_vrs="1.8.3",
                  location_notes="shelf 2")
    assert (answer.status, answer.location, answer.flash) == (302, "/config#miners", "ok:Updated 'A2'.")
    row = flock_of(d)["A2"]
    assert (row["chipset"], row["version"], row["location_notes"]) == ("ESP32", "1.8.3", "shelf 2")
    answer = form(d, f"/miners/edit/{miner}", miner_id="")
    assert (answer.location, answer.flash) == ("/config#miners", "error:Miner ID cannot be empty.")
    answer = form(d, f"/miners/edit/{miner}", miner_id="B")
    assert answer.flash == "error:Miner ID 'B' is already in use."
    assert form(d, "/miners/edit/99999", miner_id="C").flash == "error:Miner not found."


def test_delete_as_the_original(daemon):
    d = daemon()
    miner = add_miner(d, "A")
    answer = form(d, f"/miners/delete/{miner}")
    assert (answer.status, answer.location, answer.flash) == (302, "/config#miners", "ok:Miner deleted successfully.")
    assert d.miner("A") is None
    assert form(d, f"/miners/delete/{miner}").flash.startswith("error:")
    # its row stays: the same name is the same miner again
    assert add_miner(d, "A") == miner


def test_onboard_stray_as_the_original(daemon):
    d = daemon()
    fields = {"miner_id": "GARAGE-1", "currency": "BTC", "dev_path": "/dev/ttyUSB5", "port_path": "1-1.4",
              "serial_number": "0001", "vendor_id": "10c4", "product_id": "ea60", "location_notes": "garage",
              "chipset": "ESP32-D0WD"}
    for missing in ("miner_id", "currency", "dev_path", "port_path", "serial_number"):
        answer = form(d, "/miners/onboard_stray", **{**fields, missing: ""})
        assert (answer.status, answer.json) == (400, {"success": False, "message": "Missing required info."})
    answer = form(d, "/miners/onboard_stray", **fields)
    assert (answer.status, answer.json) == (200, {"success": True, "message": "Added 'GARAGE-1'. Status: 'Active'."})
    assert flock_of(d)["GARAGE-1"]["chipset"] == "ESP32-D0WD"
    answer = form(d, "/miners/onboard_stray", **{**fields, "dev_path": "/dev/ttyUSB6"})
    assert (answer.status, answer.json["message"]) == (409, "ID 'GARAGE-1' exists.")
    answer = form(d, "/miners/onboard_stray", **{**fields, "miner_id": "GARAGE-2"})
    assert answer.status == 409 and "GARAGE-1" in answer.json["message"]
    answer = form(d, "/miners/onboard_stray", **{**fields, "miner_id": "X" * 65, "dev_path": "/dev/ttyUSB9"})
    assert answer.status == 400 and not answer.json["success"]


def test_onboard_and_unconfigured_devices(daemon):
    d = daemon()
    assert json.loads(d.get("/api/unconfigured_devices")[1]) == []
    answer = form(d, "/miners/onboard", unconfigured_id="", miner_id="A")
    assert (answer.location, answer.flash) == ("/config#miners", "error:Missing required information for onboarding.")
    assert form(d, "/miners/onboard", unconfigured_id=3, miner_id="A").flash == "error:Device not found."


def test_action_as_the_original(daemon):
    d = daemon()
    assert api(d, "/miners/action", action="reset_capture", dev_path="/dev/x").status == 400
    known = {"dev_path": "/dev/ttyUSB5", "port_path": "1-1.4", "serial_number": "0001"}
    answer = api(d, "/miners/action", action="dance", **known)
    assert (answer.status, answer.json["message"]) == (400, "Unknown action requested: dance")
    answer = api(d, "/miners/action", action="reset_capture", miner_db_id=None, **known)
    assert answer.status == 500 and answer.json["success"] is False and "data" in answer.json


def test_pools_as_the_original(daemon):
    d = daemon()
    fields = {"pool_name": "One", "pool_url": "public-pool.io", "pool_port": "21496", "pool_pass": "x"}
    answer = form(d, "/pools/add", user_type="dynamic", dynamic_user_address=GOOD, text_user_address="no", **fields)
    assert (answer.status, answer.location) == (302, "/config#pools")
    assert answer.flash == "ok:New pool added successfully."
    answer = form(d, "/pools/add", user_type="text", text_user_address="me.x", **{**fields, "pool_name": "Two"})
    rows = d.rows("SELECT pool_name, pool_url, pool_port, pool_user, pool_pass, is_active FROM pools ORDER BY id")
    assert rows == [("One", "public-pool.io", 21496, GOOD, "x", 1), ("Two", "public-pool.io", 21496, "me.x", "x", 0)]
    assert form(d, "/pools/add", user_type="text", text_user_address="me", **fields).flash.startswith("error:")
    for port in ("0", "70000", "x", ""):
        assert form(d, "/pools/add", **{**fields, "pool_name": "P", "pool_port": port}).flash.startswith("error:pool_port")
    answer = form(d, "/pools/set_active/2")
    assert (answer.location, answer.flash) == ("/config#pools", "ok:Active pool has been updated.")
    assert d.rows("SELECT id FROM pools WHERE is_active") == [(2,)]
    answer = form(d, "/pools/delete/2")
    assert (answer.location, answer.flash) == ("/config#pools", "ok:Pool successfully deleted.")
    assert d.rows("SELECT id FROM pools WHERE is_active") == [(1,)]
    assert form(d, "/pools/delete/2").flash == "error:Pool not found."


def test_addresses_as_the_original(daemon):
    d = daemon()
    answer = form(d, "/addresses/add", coin_ticker="btc", address=f" {GOOD}\n", label="savings")
    assert (answer.status, answer.location) == (302, "/config#addresses")
    assert answer.flash == "ok:New address successfully added."
    assert d.rows("SELECT coin_ticker, address, label FROM coin_addresses") == [("BTC", GOOD, "savings")]
    assert form(d, "/addresses/add", coin_ticker="BTC", address=GOOD.upper(), label="").flash.startswith("error:")
    assert form(d, "/addresses/add", coin_ticker="BTC", address=GOOD[:-1] + "w", label="").flash.startswith("error:")
    assert form(d, "/addresses/add", coin_ticker="BTC", address="", label="").flash.startswith("error:")
    answer = form(d, "/addresses/delete/1")
    assert (answer.location, answer.flash) == ("/config#addresses", "ok:Address successfully deleted.")


CSV = """id,miner_id,chipset,attrs_idVendor,attrs_idProduct,attrs_serial,tty_symlink,nerdminer_rom,nerdminer_vrs
1,MINER_001,ESP32,1a86,55d4,5A4B048716,ttyMINER_001,NerdminerV2,1.8.3
2,"MINER 002",ESP32,10c4,ea60,0001,ttyMINER_002,NerdminerV2,"1.8,3"
"""


def multipart(daemon, path, name, data, headers=None):
    boundary = "----forms"
    body = (f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="m.csv"\r\n'
            f"Content-Type: text/csv\r\n\r\n").encode() + data + f"\r\n--{boundary}--\r\n".encode()
    return send(daemon, path, body, {"Content-Type": f"multipart/form-data; boundary={boundary}", "Accept": "text/html",
                                      **(headers or {})})


def test_upload_of_the_old_csv(daemon):
    d = daemon()
    answer = multipart(d, "/miners/upload", "miner_file", CSV.replace("ttyMINER_002", "pts/3").encode())
    assert answer.flash.startswith("error:An error occurred: 1 of 2") and "/dev/pts/3" in answer.flash  # no plain port
    head = admin_head(make_admin(d))
    for _ in range(2):  # twice is the same as once
        answer = multipart(d, "/miners/upload", "miner_file", CSV.encode(), head)
        assert (answer.status, answer.location) == (302, "/config#miners")
        assert answer.flash == "ok:Successfully uploaded and processed 2 miners."
    flock = flock_of(d)
    assert sorted(flock) == ["MINER-002", "MINER_001"]
    assert flock["MINER-002"]["version"] == "1.8,3"
    assert multipart(d, "/miners/upload", "other", b"x").flash == "error:No file part"
    assert multipart(d, "/miners/upload", "miner_file", b"a,b\n1,2\n").flash.startswith("error:An error occurred: line 1")
    assert multipart(d, "/miners/upload", "miner_file", b'miner_id\n"x\n').flash.startswith("error:An error occurred: line 2")


def test_service_restart(daemon):
    d = daemon()
    answer = form(d, "/service/restart/sshd")
    assert (answer.location, answer.flash) == ("/config#developer", "error:Invalid service name.")
    assert form(d, "/service/restart/all").flash.startswith("error:")  # nobody here is an admin
    make_admin(d)
    before = d.process.pid
    answer = form(d, "/service/restart/all", password=PASSWORD)
    assert answer.flash == "ok:Successfully restarted all services."
    wait_for(lambda: d.log.count("stopping") == 1, "it stops")
    wait_for(lambda: alive(d), "it is back at the same address")
    assert d.process.pid == before and d.process.poll() is None
    assert ("admin (loopback)", "restart", "all", None, None) in audit(d)


def alive(daemon):
    try:
        return daemon.get("/healthz")[0].status == 200
    except OSError:
        return False


# ---- for programs ------------------------------------------------------------------------------------


def test_json_answers(daemon):
    d = daemon()
    miner = add_miner(d, "A", baud="9600", notes="two\nlines", tags="a, b", group="barn")
    row = d.miner("A")
    assert (row["group"], row["tags"], row["dev_path"]) == ("barn", ["a", "b"], "/dev/ttyUSB77")
    assert api(d, "/miners/edit/%d" % miner, location="attic").json == {"success": True, "message": "Updated 'A'."}
    assert d.miner("A")["location_notes"] == "attic" and d.miner("A")["group"] == "barn"
    for fields, status, text in (({"name": "A", "source": "serial", "path": "/dev/x"}, 409, "already in use"),
                                 ({"name": "B", "source": "seriall", "path": "/dev/x"}, 400, "did you mean 'serial'"),
                                 ({"name": "B", "source": "serial"}, 400, "path"),
                                 ({"name": "B", "source": "serial", "path": "/dev/x", "baud": "fast"}, 400, "baud"),
                                 ({"name": "B", "source": "serial", "path": "/dev/x", "bauds": "1"}, 400, "baud"),
                                 ({"name": "a b", "source": "serial", "path": "/dev/x"}, 400, "name"),
                                 ({"name": "B", "source": "serial", "path": "/dev/ttyUSB77"}, 409, "'A'"),
                                 ({"name": "B", "source": "serial", "path": "/dev/x", "location": "a\x01"}, 400, "control bytes"),
                                 ({"name": "B", "source": "serial", "path": "/dev/x", "location": "a\nb"}, 400, "location")):
        answer = api(d, "/miners/add", **fields)
        assert answer.status == status and text in answer.json["message"], (fields, answer.body)
    answer = api(d, "/miners/add", name="a b", source="serial", path="/dev/x")
    assert answer.json["field"] == "name"


def test_file_miners_are_read_only(daemon):
    d = daemon("miners = {\n" + miner_lua("F", "/dev/ttyUSB3") + "}\n")
    miner = d.miner("F")["id"]
    for path in (f"/miners/edit/{miner}", f"/miners/delete/{miner}"):
        answer = api(d, path, name="G")
        assert answer.status == 409 and "configuration file" in answer.json["message"]
    assert d.miner("F")


def test_address_check(daemon):
    d = daemon()
    answer = form(d, "/addresses/check", address=GOOD, coin_ticker="BTC").json
    assert answer["success"] and answer["network"] == "main" and answer["at"] == []
    answer = form(d, "/addresses/check", address=GOOD[:-1] + "w", coin_ticker="BTC").json
    assert not answer["success"] and answer["at"]
    assert form(d, "/addresses/check", address=OTHER).json["kind"] == "P2PKH"


def test_merge_and_erase(daemon):
    d = daemon()
    a, b = add_miner(d, "A", "/dev/ttyUSB1"), add_miner(d, "B", "/dev/ttyUSB2")
    assert api(d, f"/miners/merge/{a}", into=a).status == 400
    assert api(d, f"/miners/merge/{a}", into=b).status == 200
    assert d.miner("A") is None and d.miner("B")
    answer = api(d, f"/miners/delete/{b}", erase=True)
    assert answer.status == 403 and d.miner("B")  # with its history: dear
    make_admin(d)
    assert api(d, f"/miners/delete/{b}", erase=True, password="wrong password").status == 403 and d.miner("B")
    assert api(d, f"/miners/delete/{b}", erase=True, password=PASSWORD).status == 200
    assert d.rows("SELECT 1 FROM miners WHERE miner_id = 'B'") == []


def test_devices_that_are_not_there(daemon):
    d = daemon()
    for path in ("listen", "ignore", "accept", "reset", "capture"):
        assert api(d, f"/devices/{path}", key="usb:no:such:thing").status == 404, path
        assert api(d, f"/devices/{path}").status == 400, path
    assert api(d, "/devices/assign", key="usb:no:such:thing", miner_id=1).status == 404
    # the audit is kept for ever: it has nothing of what is not there
    assert api(d, "/devices/reset", key="usb:" + "x" * 1900).status == 404
    assert api(d, "/miners/reset/999").status == 404
    assert api(d, "/miners/action", action="reset_capture", dev_path="/dev/" + "x" * 1900, port_path="1-1").status in (400, 500)
    assert d.rows("SELECT * FROM audit") == []
    answer = api(d, "/devices/accept", keys=["a:1", "b:2"]).json
    assert [row["key"] for row in answer["results"]] == ["a:1", "b:2"] and not answer["success"]


# ---- who -----------------------------------------------------------------------------------------------


def test_login_logout_password(daemon):
    d = daemon()
    state = json.loads(d.get("/api/setup")[1])
    assert state["needed"] and re.fullmatch(r"[A-Z0-9]{4}-[A-Z0-9]{4}", state["code"])
    assert api(d, "/setup", code="AAAA-AAAA", password=PASSWORD).status == 403
    first = make_admin(d)
    assert json.loads(d.get("/api/setup")[1]) == {"needed": False}
    assert {"shepherd_session", "shepherd_csrf"} <= set(first.cookies)
    assert api(d, "/login", user="admin", password="wrong password").status == 403
    answer = form(d, "/login", user="admin", password=PASSWORD, next="/dash/health")
    assert (answer.status, answer.location) == (302, "/dash/health")
    assert form(d, "/login", user="admin", password=PASSWORD, next="//evil.example/").location == "/"
    cookies = admin_head(answer)
    fresh = "another horse battery"
    assert api(d, "/password", cookies, password="wrong password", new_password=fresh).status == 403
    assert api(d, "/password", cookies, password=PASSWORD, new_password=fresh).status == 200
    assert api(d, "/password", password=fresh, new_password=PASSWORD).status == 403  # nobody is logged in
    answer = form(d, "/logout", cookies)
    assert answer.status == 302 and answer.cookies["shepherd_session"] == ""
    assert api(d, "/password", cookies, password=fresh, new_password=PASSWORD).status in (401, 403)


def test_users_and_tokens(daemon):
    d = daemon()
    assert api(d, "/users/put", name="eve", role="operator", new_password=PASSWORD, password="x").status == 403
    make_admin(d)
    new = {"name": "eve", "role": "operator", "new_password": "a long enough one"}
    assert api(d, "/users/put", **new).status == 403
    assert api(d, "/users/put", password=PASSWORD, **{**new, "role": "king"}).status == 400
    assert api(d, "/users/put", password=PASSWORD, **new).status == 200
    eve = api(d, "/login", user="eve", password=new["new_password"])
    assert eve.json["role"] == "operator"
    cookies = admin_head(eve)
    # her own password is no admin's
    answer = api(d, "/tokens/add", cookies, name="t", role="admin", password=new["new_password"])
    assert answer.status == 403 and "token" not in answer.json
    answer = api(d, "/tokens/add", name="grafana", role="viewer", password=PASSWORD)
    assert answer.json["token"].startswith("shp_")
    bearer = {"Authorization": f"Bearer {answer.json['token']}"}
    assert api(d, "/pools/add", bearer, pool_name="P", pool_url="a.b", pool_port=1).status == 403
    assert api(d, "/tokens/delete/1", password=PASSWORD).status == 200
    assert api(d, "/tokens/delete/1", password=PASSWORD).status == 404
    user = d.rows("SELECT id FROM users WHERE name = 'eve'")[0][0]
    assert api(d, f"/users/delete/{user}", password=PASSWORD).status == 200
    assert {"user.add", "user.delete", "token.add", "token.delete"} <= {row[1] for row in audit(d)}
    for who, action, subject, old, new_text in audit(d):
        for text in (who, action, subject, old, new_text):
            assert PASSWORD not in (text or "") and new["new_password"] not in (text or "")


# ---- files -----------------------------------------------------------------------------------------------


def upload(daemon, data, piece=40000, upload_id=""):
    for offset in range(0, len(data), piece):
        answer = send(daemon, f"/upload?id={upload_id}&offset={offset}", data[offset:offset + piece],
                      {"Content-Type": "application/octet-stream"})
        assert answer.status == 200, answer.body
        upload_id = answer.json["id"]
    assert answer.json["size"] == len(data)
    return upload_id


def test_upload_in_pieces(daemon):
    d = daemon()
    data = bytes(range(256)) * 500
    upload_id = upload(d, data, upload_id="0123456789abcdef" * 2)
    assert (d.data / "uploads" / upload_id).read_bytes() == data
    raw = {"Content-Type": "application/octet-stream"}
    answer = send(d, f"/upload?id={upload_id}&offset=5", b"x", raw)
    assert answer.status == 409 and answer.json["size"] == len(data)
    for path, status in (("/upload?id=../../../etc/passwd&offset=0", 400), ("/upload?id=abc", 400),
                         (f"/upload?id={'f' * 32}&offset=7", 404), ("/upload?offset=-1", 400)):
        assert send(d, path, b"x", raw).status == status, path
    assert send(d, "/upload?offset=0", b"", raw).status == 400
    assert send(d, "/upload?offset=0", b"a=b", {"Content-Type": "application/x-www-form-urlencoded"}).status == 415
    assert send(d, "/upload?offset=0", b"x" * 70000, raw).status == 413
    for _ in range(7):
        upload(d, b"x")
    assert send(d, "/upload?offset=0", b"x", raw).status == 429
    d.stop()
    d.start()
    assert list((d.data / "uploads").iterdir()) == []


def python_database(path):
    old = sqlite3.connect(path)
    old.executescript("""
        CREATE TABLE miners (id INTEGER PRIMARY KEY AUTOINCREMENT, miner_id TEXT UNIQUE NOT NULL, chipset TEXT, dev_path TEXT,
            port_path TEXT, location_notes TEXT, attrs_idVendor TEXT, attrs_idProduct TEXT, attrs_serial TEXT,
            mac_address TEXT UNIQUE, nerdminer_rom TEXT, nerdminer_vrs TEXT, status TEXT DEFAULT 'Inactive', state TEXT,
            currency TEXT, pool_url TEXT, wallet_address TEXT, last_seen TEXT, UNIQUE (port_path, attrs_serial));
        CREATE TABLE stray_devices (id INTEGER PRIMARY KEY AUTOINCREMENT, dev_path TEXT UNIQUE NOT NULL, port_path TEXT NOT NULL,
            vendor_id TEXT, product_id TEXT, serial_number TEXT, mac_address TEXT, chipset TEXT, discovered_at TEXT NOT NULL,
            status TEXT, state TEXT, dumped_pool_url TEXT, dumped_wallet_address TEXT, dumped_firmware_version TEXT);
        CREATE TABLE miner_summary (miner_id INTEGER PRIMARY KEY, last_updated TEXT, "KH/s" TEXT, "Temperature" TEXT,
            "Valid blocks" TEXT, "Best difficulty" TEXT, "Total MHashes" TEXT, "Submits" TEXT, "Shares" TEXT,
            "Time mining" TEXT, "Block templates" TEXT, last_mhashes_cumulative REAL, last_mhashes_timestamp TEXT);
        CREATE TABLE pools (id INTEGER PRIMARY KEY AUTOINCREMENT, pool_name TEXT NOT NULL UNIQUE, pool_url TEXT NOT NULL,
            pool_port INTEGER NOT NULL, pool_user TEXT NOT NULL, pool_pass TEXT DEFAULT 'x', is_active INTEGER DEFAULT 0);
        CREATE TABLE coin_addresses (id INTEGER PRIMARY KEY AUTOINCREMENT, coin_ticker TEXT NOT NULL, address TEXT NOT NULL UNIQUE,
            label TEXT);
        INSERT INTO pools (pool_name, pool_url, pool_port, pool_user, is_active) VALUES ('p1', 'a.example', 3333, 'me', 0),
            ('p2', 'b.example', 3333, 'me', 1);
        INSERT INTO stray_devices (dev_path, port_path, vendor_id, product_id, serial_number, discovered_at)
            VALUES ('/dev/ttyUSB9', '1-1.9', '1a86', '7523', 'PORT_1-1.9_VID_1a86', '2026-01-01');
        INSERT INTO miner_summary (miner_id, last_updated, "Best difficulty") VALUES (1, '2026-01-02T03:04:05', '1.5M');
    """)
    old.execute("INSERT INTO miners (miner_id, chipset, port_path, attrs_idVendor, attrs_idProduct, attrs_serial, mac_address,"
                " location_notes, pool_url, wallet_address) VALUES ('OLD_1', 'ESP32-S3', '1-1.2', '303a', '1001',"
                " 'F0:F5:BD:4A:AB:CC', 'F0:F5:BD:4A:AB:CC', 'attic', 'pool.example:3333', ?)", (GOOD + ".w",))
    old.execute("INSERT INTO coin_addresses (coin_ticker, address, label) VALUES ('BTC', ?, 'mine'), ('BTC', 'nonsense', 'bad')",
                (GOOD,))
    old.commit()
    old.close()
    return path.read_bytes()


def test_import_of_an_old_database(daemon, tmp_path):
    d = daemon()
    data = python_database(tmp_path / "old.db")
    answer = api(d, "/import", upload=upload(d, data))
    assert answer.status == 200, answer.body
    counts = answer.json["counts"]
    assert counts["miners"]["added"] == 1 and counts["pools"]["added"] == 2 and counts["strays"]["added"] == 1
    assert counts["addresses"]["added"] == 1 and counts["addresses"]["left_out"] == 1
    assert counts["summary"]["added"] == 1
    row = flock_of(d)["OLD_1"]
    assert (row["chipset"], row["location_notes"]) == ("ESP32-S3", "attic")
    assert d.miner("OLD_1")["best_difficulty_ever"] == 1.5e6
    assert d.rows("SELECT pool, address, set_by FROM expected") == [("pool.example:3333", GOOD, "imported")]
    again = api(d, "/import", upload=upload(d, data)).json["counts"]
    for kind in ("miners", "pools", "addresses", "strays", "summary"):
        assert again[kind]["added"] == 0 and again[kind]["updated"] == 0, (kind, again)
    assert api(d, "/import", upload="f" * 32).status == 404
    assert api(d, "/import", upload=upload(d, b"\x00\x01 no csv")).status == 400
    assert api(d, "/import", upload=upload(d, b"SQLite format 3\x00" + b"x" * 5000)).status == 400


def test_backup_and_restore(daemon, tmp_path):
    d = daemon()
    add_miner(d, "KEPT", location="attic")
    assert api(d, "/backup", password=PASSWORD).status == 403  # no admin yet
    make_admin(d)
    assert api(d, "/backup").status == 403
    answer = api(d, "/backup", with_logs=True, password=PASSWORD)
    assert answer.status == 200, answer.body
    archive = send(d, answer.json["url"], method="GET")
    assert archive.status == 200 and archive.headers["Content-Disposition"].startswith("attachment")
    assert send(d, answer.json["url"], method="GET").status == 404  # once
    (tmp_path / "b.tar.gz").write_bytes(archive.body)
    assert "shepherd.db" in tarfile.open(tmp_path / "b.tar.gz").getnames()
    assert [p.name for p in (d.data / "uploads").iterdir()] == []

    add_miner(d, "LATER", "/dev/ttyUSB78")
    upload_id = upload(d, archive.body)
    answer = api(d, "/restore/check", upload=upload_id)
    assert answer.status == 200 and answer.json["about"]["miners"] == 1, answer.body
    assert api(d, "/restore", upload=upload_id, password=PASSWORD).json["about"]["miners"] == 1
    assert d.miner("LATER")
    assert api(d, "/restore", upload=upload_id, confirm="RESTORE").status == 403
    bad = upload(d, archive.body[:len(archive.body) // 2])
    assert api(d, "/restore/apply", upload=bad, password=PASSWORD).status == 400
    answer = api(d, "/restore", upload=upload_id, confirm="RESTORE", password=PASSWORD)
    assert answer.status == 200, answer.body
    wait_for(lambda: "the backup is in its place" in d.log, "it is restored; log:\n" + d.log)
    wait_for(lambda: alive(d) and d.miner("KEPT"), "it is back")
    assert d.miner("LATER") is None and d.miner("KEPT")["location_notes"] == "attic"
    assert api(d, "/login", user="admin", password=PASSWORD).status == 200
    assert not [p.name for p in d.data.iterdir() if p.name.startswith("restore.")]


def test_what_is_changed_survives_a_kill(daemon):
    d = daemon()
    miner = add_miner(d, "A", notes="n1", baud="9600")
    api(d, "/pools/add", pool_name="P", pool_url="a.b", pool_port=1, pool_user="u")
    form(d, "/addresses/add", coin_ticker="BTC", address=GOOD, label="l")
    make_admin(d)
    assert api(d, f"/miners/expect/{miner}", pool="a.b:1", address=GOOD, password=PASSWORD).status == 200
    assert api(d, f"/miners/edit/{miner}", name="A2", notes="n2").status == 200
    d.stop(9)
    d.start()
    assert d.miner("A2")["id"] == miner
    assert d.rows("SELECT pool, address FROM expected") == [("a.b:1", GOOD)]
    assert json.loads(d.rows("SELECT options FROM miners")[0][0])["about"]["notes"] == "n2"
    assert api(d, "/pools/edit/1", pool_name="P2").status == 200
    assert api(d, "/addresses/edit/1", label="m").status == 200


def test_audit_tells_who_what_old_new(daemon):
    d = daemon()
    miner = add_miner(d, "A")
    form(d, f"/miners/edit/{miner}", miner_id="B", location_notes="attic")
    who, action, subject, old, new = audit(d)[1]
    assert (who, action, subject) == ("loopback", "miner.edit", "A")
    assert 'name="A"' in old and 'name="B"' in new and 'location="attic"' in new


def test_forms_that_cannot_be_read(daemon):
    d = daemon()
    head = {"Accept": "application/json"}
    for body, kind in ((b"{", "application/json"), (b"[1]", "application/json"), (b"a=%zz", "application/x-www-form-urlencoded"),
                       (b"\xff\xfe=1", "application/x-www-form-urlencoded"), (b"x", "text/plain"),
                       (b"&".join(b"a%d=1" % i for i in range(100)), "application/x-www-form-urlencoded")):
        answer = send(d, "/pools/add", body, {**head, "Content-Type": kind})
        assert answer.status == 400 and answer.json["success"] is False, (body, answer.body)
    assert send(d, "/pools/add", method="GET").status in (404, 405)
    for text in ("'; DROP TABLE pools; --", "<script>alert(1)</script>", "x" * 60):
        assert api(d, "/pools/add", pool_name=text, pool_url="a.b", pool_port=1).status == 200
    assert len(d.rows("SELECT 1 FROM pools")) == 3


def test_a_page_that_queries_before_it_reads_the_config(daemon, tmp_path):
    """Both are of now: a query of the database must not stand for having fetched the configuration."""
    views = tmp_path / "views"
    views.mkdir()
    (views / "n.lua").write_text('shepherd.query("SELECT 1")\nreturn { n = #shepherd.config().flock.pools }\n')
    d = daemon(f'view_dirs = {{ "{views}" }}\n')
    for n in range(1, 6):
        assert api(d, "/pools/add", pool_name=f"P{n}", pool_url="a.b", pool_port=1).status == 200
        assert json.loads(d.get("/n", {"Accept": "application/json"})[1]) == {"n": n}


def test_who_waits_is_answered_when_the_daemon_stops(daemon):
    """A reset waits for its port to open; the end comes first."""
    d = daemon()
    miner = add_miner(d, "A", "/dev/ttyUSB99")
    answers = []
    thread = threading.Thread(target=lambda: answers.append(api(d, f"/miners/reset/{miner}")))
    thread.start()
    wait_for(lambda: d.rows("SELECT 1 FROM audit WHERE action = 'device.reset'"), "it is under way")
    assert api(d, f"/miners/reset/{miner}").status == 409  # once at a time
    assert d.stop() == 0
    thread.join(DEADLINE_S)
    assert answers[0].status == 503 and not answers[0].json["success"]
