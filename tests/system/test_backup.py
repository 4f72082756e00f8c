"""Backup and restore by command: the API answers the same afterwards; nothing is replaced before all was checked;
beside a running daemon, killed, and with files that somebody made to harm."""
import hashlib
import io
import json
import os
import re
import signal
import sqlite3
import subprocess
import tarfile

import pytest
from conftest import DEADLINE_S, SHEPHERD, miner_lua, run, wait_for
from formlib import GOOD, OTHER, PASSWORD, add_miner, api, flock_of, make_admin, send
from test_forms import alive, upload

MOVING = ("last_seen", "last_updated", "age_s",  # time goes on
          "status", "why")  # known when the port was looked at, a moment after the start
PAGE = "<h1>my own page</h1>"


def own_view(directory):
    """A folder of views of the user's own; what the configuration says of it."""
    views = directory / "views"
    (views / "deep").mkdir(parents=True, exist_ok=True)
    (views / "mine.html").write_text(PAGE)
    (views / "deep" / "er.html").write_text("<p>deeper</p>")
    return f'view_dirs = {{ "{views}" }}\n'


def make(daemon, ports):
    """A daemon with a miner of the file that talks, one of the browser, a user, a token, a pool, an address."""
    port, = ports(1)
    d = daemon(start=False)
    d.config.write_text('offline = true\nplugins = { serial = { discover = false }, udev = false }\n' + own_view(d.directory)
                        + "miners = {\n" + miner_lua("TALKER", port.path, location="shelf 2") + "}\n")
    d.start()
    make_admin(d)
    add_miner(d, "BROWSER", location="attic")
    assert api(d, "/pools/add", pool_name="Public", pool_url="public-pool.io", pool_port="21496", user_type="text",
               text_user_address=GOOD, password=PASSWORD).status == 200
    assert api(d, "/addresses/add", coin_ticker="BTC", address=OTHER, label="cold", password=PASSWORD).status == 200
    port.write(">>> Completed 12 share(s), 20481 Khashes, avg. hashrate 78.53 KH/s\r\n" * 3)
    d.wait_miner("TALKER", lambda m: m["KH/s"] == 78.53, "a hash rate")
    wait_for(lambda: d.rows("SELECT count(*) FROM miner_logs")[0][0] >= 3, "lines in the file")
    assert d.stop() == 0  # latest readings are written once a minute and at the end
    return d.start()


def answers(d):
    """What a restore must bring back; what moves with time is left out."""
    herd = d.herd()["miners_list"]
    for miner in herd:
        for key in MOVING:
            miner.pop(key, None)
    herd.sort(key=lambda miner: miner["miner_id"])
    config = json.loads(d.get("/api/device_state")[1])
    names = sorted(row["miner_id"] for row in config if row["type"] == "miner")
    tables = {table: d.rows(f"SELECT * FROM {table} ORDER BY id") for table in ("pools", "coin_addresses", "users", "expected")}
    return herd, names, tables, d.get("/mine")[1].decode().count(PAGE), d.get("/deep/er")[0].status


def backup(d, name="b.tar.gz", *more):
    file = d.directory / name
    code, out, err = run("backup", file, "--config", d.config, "--data-dir", d.data, *more)
    assert code == 0, err
    assert out.startswith(f"{file}: ")
    return file


def restore(file, directory, *more):
    return run("restore", file, "--config", directory / "shepherd.lua", "--data-dir", directory / "data", *more)


def test_into_an_empty_directory(daemon, ports, tmp_path):
    old = make(daemon, ports)
    before = answers(old)
    file = backup(old)
    assert file.stat().st_mode & 0o777 == 0o600
    assert old.stop() == 0
    new = daemon(start=False)
    os.unlink(new.config)
    # the folder of views is where the configuration says; it went with the old machine
    os.rename(old.directory / "views", old.directory / "views.gone")
    code, out, err = restore(file, new.directory)
    assert code == 0, err
    assert "2 miners, without log lines, 2 files of views, configuration, admin password" in out
    assert f"Restored: {new.data}/shepherd.db, {new.config}" in out and f"Views: {old.directory}/views" in out
    assert new.config.read_text() == old.config.read_text()
    new.start()
    assert answers(new) == before
    # who could log in can log in, with the same password
    assert api(new, "/login", user="admin", password=PASSWORD).status == 200
    assert new.rows("SELECT count(*) FROM miner_logs") == [(0,)]
    assert new.rows("SELECT count(*) FROM audit")[0][0] > 0


def test_over_what_is_there(daemon, ports):
    d = make(daemon, ports)
    before = answers(d)
    file = backup(d, "b.tar.gz", "--with-logs")
    miner = d.miner("BROWSER")["id"]
    assert api(d, f"/miners/delete/{miner}").status == 200
    (d.directory / "views" / "mine.html").write_text("spoilt")
    (d.directory / "views" / "later.html").write_text("made later")
    d.stop(signal.SIGKILL)  # leaves its -wal behind
    d.config.write_text(d.config.read_text() + 'silent_after = 77\n')
    code, out, err = restore(file, d.directory)
    assert code == 0, err
    kept = re.search(r"What was there before: (.*)\n", out).group(1)
    d.start()
    assert answers(d) == before
    assert "silent_after" not in d.config.read_text()
    assert not (d.directory / "views" / "later.html").exists()
    assert d.rows("SELECT count(*) FROM miner_logs")[0][0] >= 3
    names = os.listdir(kept)
    assert {"shepherd.db", "admin_password", "config_shepherd.lua", "views_0"} <= set(names), names
    assert (d.data / kept / "views_0" / "later.html").read_text() == "made later"


def test_while_the_daemon_runs(daemon, ports):
    d = make(daemon, ports)
    file = backup(d)
    inside = (d.data / "shepherd.db").stat().st_ino
    code, out, err = restore(file, d.directory)
    assert code == 69 and str(d.process.pid) in err and out == ""
    code, out, err = restore(file, d.directory, "--check")
    assert code == 0 and "2 miners" in out, err
    assert (d.data / "shepherd.db").stat().st_ino == inside
    assert d.miner("TALKER") and not [name for name in os.listdir(d.data) if "restore" in name]
    assert d.stop() == 0


def test_many_backups_beside_a_busy_daemon(daemon, ports):
    """The copy reads while the writer writes; each one is whole."""
    port, = ports(1)
    d = daemon("miners = {\n" + miner_lua("A", port.path) + "}\n")
    sent = 0
    for i in range(4):
        for _ in range(200):
            port.write(f"line {sent} of a busy miner\r\n")
            sent += 1
        file = backup(d, f"b{i}.tar.gz", "--with-logs")
        assert restore(file, d.directory, "--check")[0] == 0
    wait_for(lambda: d.rows("SELECT count(*) FROM miner_logs")[0][0] == sent, "all lines, none lost")
    assert not [name for name in os.listdir(d.directory) if ".tmp" in name or ".db" in name]


def test_the_python_in_the_middle(daemon, tmp_path):
    """Its database is no backup; a backup is a plain tar file that people can look into."""
    d = daemon()
    file = backup(d)
    with tarfile.open(file) as tar:
        names = tar.getnames()
        about = json.load(tar.extractfile("shepherd-backup.json"))
        tar.extract("shepherd.db", tmp_path, filter="data") if hasattr(tarfile, "data_filter") else \
            tar.extract("shepherd.db", tmp_path)
    assert names[0] == "shepherd-backup.json" and names[-1] == "shepherd-backup.sha256"
    assert about["format"] == 1 and about["schema"] == d.rows("PRAGMA user_version")[0][0]
    assert sqlite3.connect(tmp_path / "shepherd.db").execute("PRAGMA integrity_check").fetchone() == ("ok",)
    code, out, err = restore(d.data / "shepherd.db", d.directory, "--check")
    assert code == 65 and "no backup of ours" in err


# ---- what is refused; nothing is changed ------------------------------------------------------------


def everything(directory):
    """Each file with its content, so that a change shows; the lock of whoever looked last does not count."""
    return {str(path.relative_to(directory)): path.read_bytes() for path in sorted(directory.rglob("*"))
            if path.is_file() and path.name != "shepherd.pid"}


def rewrite(file, out, change):
    """The archive again, each member through change(name, bytes) -> [(TarInfo, bytes)]."""
    with tarfile.open(file) as tar, tarfile.open(out, "w:gz", format=tarfile.PAX_FORMAT) as new:
        for member in tar.getmembers():
            for info, content in change(member, tar.extractfile(member).read()):
                info.size = len(content)
                new.addfile(info, io.BytesIO(content))
    return out


def signed(name, content):
    """A change for rewrite(): one file through content(bytes), and checksums that fit."""
    digests = []

    def change(member, old):
        new = content(old) if member.name == name else old
        if member.name == "shepherd-backup.sha256":
            new = "".join(digests).encode()
        digests.append(f"{hashlib.sha256(new).hexdigest()}  {member.name}\n")
        return [(member, new)]
    return change


@pytest.fixture
def stopped(daemon, ports):
    d = make(daemon, ports)
    file = backup(d)
    d.stop()
    return d, file


def test_hostile_archives(stopped, tmp_path):
    d, file = stopped
    (tmp_path / "outside").write_text("untouched")

    def add(name, kind=tarfile.REGTYPE, link="", content=b"evil"):
        def change(member, old):
            extra = tarfile.TarInfo(name)
            extra.type, extra.linkname = kind, link
            last = member.name == "shepherd-backup.sha256"
            return ([(extra, content if kind == tarfile.REGTYPE else b"")] if last else []) + [(member, old)]
        return change

    def replace(name, content):
        return lambda member, old: [(member, content if member.name == name else old)]

    later = b'{"format":2,"version":"9.9","made_at_ms":1}'
    hostile = {
        "up": (65, add("../../outside")), "absolute": (65, add(str(tmp_path / "outside"))),
        "view up": (65, add("views/0/../../../outside")),
        "link": (65, add("views/0/link", tarfile.SYMTYPE, str(tmp_path))),
        "hard link": (65, add("views/0/hard", tarfile.LNKTYPE, "shepherd.db")),
        "device": (65, add("views/0/null", tarfile.CHRTYPE)), "twice": (65, add("shepherd.db")),
        "one more": (65, add("views/0/new.html")),  # not in the checksums
        "newer": (78, signed("shepherd-backup.json", lambda old: later)),
        "damaged, so that it looks newer": (65, replace("shepherd-backup.json", later)),
        "not ours": (65, replace("shepherd-backup.json", b"{}")),
        "other password": (65, replace("admin_password", b"$argon2id$evil")),
        "no database": (65, replace("shepherd.db", b"")),
    }
    before = everything(d.directory)
    for what, (code, change) in hostile.items():
        bad = rewrite(file, tmp_path / "bad.tar.gz", change)
        got, out, err = restore(bad, d.directory)
        assert (got, out) == (code, ""), (what, err)
        assert err.startswith("shepherd restore: ") and "nothing was changed" in err, what
        assert everything(d.directory) == before, what
    assert (tmp_path / "outside").read_text() == "untouched"


def test_a_damaged_database_inside(stopped, tmp_path):
    d, file = stopped
    before = everything(d.directory)

    assert restore(rewrite(file, tmp_path / "same.tar.gz", signed("shepherd.db", bytes)), d.directory, "--check")[0] == 0
    for what, content in {"noise": lambda db: db[:2048] + os.urandom(2048) + db[4096:], "short": lambda db: db[:-1024],
                          "text": lambda db: b"x" * 5000, "other": other_database}.items():
        bad = rewrite(file, tmp_path / "bad.tar.gz", signed("shepherd.db", content))
        code, out, err = restore(bad, d.directory)
        assert (code, out) == (65, ""), (what, err)
        assert "database" in err and everything(d.directory) == before, what
    bad = rewrite(file, tmp_path / "bad.tar.gz", signed("shepherd.db", lambda db: db[:60] + (999).to_bytes(4, "big") + db[64:]))
    assert restore(bad, d.directory)[0] == 78
    assert everything(d.directory) == before


def other_database(old):
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE miners(id)")
    return db.serialize() if hasattr(db, "serialize") else b"SQLite format 3\0" + bytes(4096)


def reconfigured(file, out, more):
    """The archive with more lines in its configuration, as somebody would make it who edits one: sums in order."""
    digests = []

    def change(member, old):
        new = old + f"\n{more}\n".encode() if member.name == "config/shepherd.lua" else old
        if member.name == "shepherd-backup.sha256":
            new = "".join(digests).encode()
        digests.append(f"{hashlib.sha256(new).hexdigest()}  {member.name}\n")
        return [(member, new)]
    return rewrite(file, out, change)


def test_a_configuration_with_mistakes(daemon, tmp_path):
    d = daemon(start=False)
    good = d.config.read_text()
    d.start()
    d.stop()
    d.config.write_text(good + "silent_aftre = 5\n")
    file = tmp_path / "b.tar.gz"
    code, out, err = run("backup", file, "--data-dir", d.data, "--config", d.config)
    assert code == 78 and not file.exists()  # with such a configuration it is not known what belongs to it
    d.config.write_text(good)
    backup_file = backup(d)

    bad = reconfigured(backup_file, tmp_path / "bad.tar.gz", "silent_aftre = 5")
    before = everything(d.directory)
    code, out, err = restore(bad, d.directory)
    assert code == 78 and "silent_aftre" in err and "--without-config" in err and out == ""
    assert everything(d.directory) == before
    code, out, err = restore(bad, d.directory, "--without-config")
    assert code == 0 and d.config.read_text() == good, err
    # a broken one here is no reason not to restore a good one
    d.config.write_text("x = {")
    assert restore(backup_file, d.directory)[0] == 0
    assert d.config.read_text() == good
    d.config.write_text("x = {")
    code, out, err = run("restore", backup_file, "--config", d.config)
    assert code == 78 and "--data-dir" in err


def test_a_configuration_with_mistakes_in_the_browser(daemon, ports, tmp_path):
    """It is the check of the command, with its words, before anything is replaced; the daemon goes on."""
    d = make(daemon, ports)
    bad = reconfigured(backup(d), tmp_path / "bad.tar.gz", "silent_aftre = 5\nplugins.moon = {}")
    code, out, err = restore(bad, d.directory, "--check")
    assert code == 78 and "config/shepherd.lua:" in err and "silent_aftre" in err and str(d.data) not in err, err
    pid, good = d.process.pid, d.config.read_text()
    for path in ("/restore/check", "/restore/apply", "/restore"):
        answer = api(d, path, upload=upload(d, bad.read_bytes()), confirm="RESTORE", password=PASSWORD)
        assert answer.status == 400, answer.body
        assert answer.json["message"] in err, (path, answer.json["message"], err)
    assert d.process.poll() is None and d.process.pid == pid and d.config.read_text() == good
    assert not [name for name in os.listdir(d.data) if "restore" in name]
    answer = api(d, "/restore/check", upload=upload(d, backup(d, "good.tar.gz").read_bytes()))
    assert answer.status == 200 and answer.json["about"]["miners"] == 2, answer.body


def test_in_the_browser_views_go_where_the_backup_says(daemon, ports, tmp_path):
    d = make(daemon, ports)
    elsewhere = tmp_path / "elsewhere"
    moved = reconfigured(backup(d), tmp_path / "moved.tar.gz", f'view_dirs = {{ "{elsewhere}" }}')
    (d.directory / "views" / "mine.html").write_text("stays")
    assert api(d, "/restore/apply", upload=upload(d, moved.read_bytes()), password=PASSWORD).status == 200
    wait_for(lambda: (elsewhere / "mine.html").exists(), "the views in their new place")
    wait_for(lambda: alive(d) and PAGE in d.get("/mine")[1].decode(), "the daemon again, with the views")
    assert (d.directory / "views" / "mine.html").read_text() == "stays"


def test_a_backup_in_the_browser_is_of_its_moment(daemon, ports, tmp_path):
    """Latest readings are written once a minute; a backup has what was said a moment before."""
    port, = ports(1)
    d = daemon("miners = {\n" + miner_lua("TALKER", port.path) + "}\n")
    make_admin(d)
    port.write(">>> Completed 12 share(s), 20481 Khashes, avg. hashrate 78.53 KH/s\r\n" * 3)
    d.wait_miner("TALKER", lambda m: m["KH/s"] == 78.53, "a hash rate")
    answer = api(d, "/backup", password=PASSWORD)
    assert answer.status == 200, answer.body
    archive = send(d, answer.json["url"], method="GET").body
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        (tmp_path / "copy.db").write_bytes(tar.extractfile("shepherd.db").read())
    copy = sqlite3.connect(tmp_path / "copy.db")
    assert copy.execute("SELECT json_extract(readings, '$.hashrate.v') FROM latest").fetchall() == [(78530.0,)]


def test_cut_off_anywhere(stopped, tmp_path):
    d, file = stopped
    whole = file.read_bytes()
    before = everything(d.directory)
    cut = tmp_path / "cut.tar.gz"
    for n in range(0, len(whole), 512):
        cut.write_bytes(whole[:n])
        code, out, err = restore(cut, d.directory)
        assert (code, out) == (65, ""), (n, err)
    assert everything(d.directory) == before


# ---- killed -----------------------------------------------------------------------------------------


def test_killed_while_it_restores(daemon, ports, tmp_path):
    """Killed at many moments: the daemon that starts afterwards is wholly the old one or wholly the new one."""
    old = make(daemon, ports)
    file = backup(old)
    miner = old.miner("BROWSER")["id"]
    assert api(old, f"/miners/delete/{miner}").status == 200
    (old.directory / "views" / "mine.html").write_text("OLD")
    old.stop()
    seen = set()
    for delay_ms in (0, 5, 10, 20, 40, 60, 80, 120, 200, 400):
        process = subprocess.Popen([SHEPHERD, "restore", str(file), "--config", str(old.config), "--data-dir", str(old.data)],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(delay_ms / 1000)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(DEADLINE_S)
        old.start()
        has_miner = old.miner("BROWSER") is not None
        has_page = PAGE in old.get("/mine")[1].decode()
        assert has_miner == has_page, f"killed after {delay_ms} ms: half of it"
        seen.add(has_miner)
        assert not (old.data / "restore.json").exists()
        old.stop()
        if has_miner:
            break
    assert seen, "no round was made"
    assert restore(file, old.directory)[0] == 0  # and it goes on from whatever was left


# ---- words and codes --------------------------------------------------------------------------------


def test_exit_codes(tmp_path):
    config = tmp_path / "shepherd.lua"
    config.write_text("offline = true\n")
    usual = ("--config", config, "--data-dir", tmp_path / "data")
    assert run("backup", *usual)[0] == 64
    assert run("backup", "a", "b", *usual)[0] == 64
    assert run("restore", *usual)[0] == 64
    code, out, err = run("backup", tmp_path / "b", *usual)
    assert code == 66 and "no database" in err and not (tmp_path / "b").exists()
    assert run("restore", tmp_path / "none", *usual)[0] == 66
    assert not (tmp_path / "data" / "shepherd.db").exists()
    for command in ("backup", "restore"):
        code, out, err = run(command, "--help")
        assert code == 0 and "--data-dir" in out and "Exit" in out


def test_a_place_that_cannot_be_written(daemon):
    d = daemon()
    for place in ("/proc/b.tar.gz", d.directory / "none" / "b", d.directory):
        code, out, err = run("backup", place, "--config", d.config, "--data-dir", d.data)
        assert (code, out) == (74, ""), err
        assert str(place) in err
