"""Moving over: `shepherd import` with databases of several versions of the Python Shepherd and with its CSV.
The old file is only read; twice is the same as once."""
import hashlib
import json
import os
import sqlite3

import pytest
import pythonold
from conftest import run
from formlib import GOOD, flock_of

CONFIG = "offline = true\nplugins = { serial = { discover = false }, udev = false }\n"


@pytest.fixture
def place(tmp_path):
    """(data directory, command) of an import of its own."""
    config = tmp_path / "shepherd.lua"
    config.write_text(CONFIG)
    data = tmp_path / "data"
    return data, lambda *args: run("import", *args, "--config", config, "--data-dir", data)


def state(path):
    """Everything that anybody could see of a file and of what lies beside it."""
    stat = os.stat(path)
    beside = sorted(name for name in os.listdir(path.parent) if name.startswith(path.name))
    return hashlib.sha256(path.read_bytes()).hexdigest(), stat.st_mtime_ns, stat.st_ino, stat.st_mode, beside


def tables(data):
    """What an import changes; times of day left out."""
    db = sqlite3.connect(f"file:{data}/shepherd.db?mode=ro", uri=True)
    try:
        return {table: db.execute(f"SELECT {columns} FROM {table} ORDER BY 1, 2").fetchall() for table, columns in {
            "miners": "id, miner_id, location_notes, source, path, options, origin, removed_at_ms",
            "pools": "*", "coin_addresses": "*", "expected": "id, pool, address, set_by",
            "devices": "id, key, miner_id, path, port_path, serial, vendor_id, product_id, mac",
            "latest": "miner_id, best_ever, best_ever_at_ms", "summaries": "miner_id, best_difficulty_ever"}.items()}
    finally:
        db.close()


@pytest.mark.parametrize("version", pythonold.VERSIONS)
def test_every_version_and_twice(place, tmp_path, version):
    data, do = place
    old = tmp_path / "old" / "shepherd.db"
    old.parent.mkdir()
    pythonold.VERSIONS[version](old).close()
    before = state(old)
    code, out, err = do(old)
    assert code == 0, err
    n = 3 if version == "last" else 4
    assert f"miners: {n} added, 0 updated, 0 as before, 0 left out\n" in out
    assert ("pools: 2 added" in out) == ("addresses: 2 added" in out) == (version != "first")
    assert "summary: 1 added" in out
    once = tables(data)
    assert len(once["miners"]) == n and once["latest"][0][1] == {"last": 2.25e6}.get(version, 1500)
    code, out, err = do(old)
    assert code == 0, err
    assert f"miners: 0 added, 0 updated, {n} as before, 0 left out\n" in out
    assert "added" not in out.replace(" 0 added", "") and "updated" not in out.replace(" 0 updated", "")
    assert tables(data) == once
    assert state(old) == before


def test_what_comes(place, tmp_path):
    data, do = place
    pythonold.last(tmp_path / "old.db").close()
    assert do(tmp_path / "old.db")[0] == 0
    got = tables(data)
    assert [row[1:5] for row in got["miners"]] == [(f"BARN-{i:02}", "barn", "serial", None) for i in (1, 2, 3)]
    assert json.loads(got["miners"][0][5])["device"].replace(":", "") == "macb8f862000001"
    assert got["pools"][0][1:] == ("Public", "public-pool.io", 21496, pythonold.ADDRESS, "x", 1)
    assert got["pools"][1][1:] == ("Solo", "solo.example.org", 3333, pythonold.LEGACY, "x", 0)
    assert [row[1:] for row in got["coin_addresses"]] == [("BTC", pythonold.ADDRESS, "cold"), ("BTC", pythonold.LEGACY, None)]
    # what each miner said it mines for is what is expected of it from now on
    assert got["expected"][0][1:] == ("public-pool.io:21496", pythonold.ADDRESS, "imported")
    assert "1-2" in got["devices"][0][1]  # behind a CH340: only its place tells it from others
    assert got["devices"][0][2:8] == (None, "/dev/ttyUSB9", "1-2", "PORT_1-2", "1a86", "7523")


def test_the_daemon_shows_it(place, tmp_path, daemon):
    data, do = place
    pythonold.last(tmp_path / "old.db").close()
    assert do(tmp_path / "old.db")[0] == 0
    d = daemon(CONFIG, start=False)
    d.data = data
    d.start()
    assert set(flock_of(d)) == {"BARN-01", "BARN-02", "BARN-03"}
    assert d.miner("BARN-01")["status"] == "offline"
    assert d.rows("SELECT port_path FROM unconfigured_devices") == [("1-2",)]
    # while it runs, the command says whom to ask
    code, out, err = do(tmp_path / "old.db")
    assert code == 69 and str(d.process.pid) in err and "Settings, Import" in err and out == ""
    code, out, err = do(tmp_path / "old.db", "--dry-run")
    assert code == 0 and "3 as before" in out, err


def test_csv(place, tmp_path):
    data, do = place
    old = tmp_path / "miners_tbl.csv"
    old.write_text(pythonold.CSV)
    before = state(old)
    code, out, err = do(old, "--dry-run")
    assert code == 0 and "miners: 4 added" in out and "Nothing was changed" in out, err
    assert not data.exists()
    code, out, err = do(old)
    assert code == 0 and "miners: 4 added" in out, err
    assert [row[1] for row in tables(data)["miners"]] == [f"MINER_{i:03}" for i in range(1, 5)]
    assert "miners: 0 added, 0 updated, 4 as before" in do(old)[1]
    assert state(old) == before


def test_dry_run_changes_nothing(tmp_path):
    config, data, tmp = tmp_path / "shepherd.lua", tmp_path / "data", tmp_path / "tmp"
    config.write_text(CONFIG)
    tmp.mkdir()

    def do(*args):
        return run("import", *args, "--config", config, "--data-dir", data, env={"TMPDIR": str(tmp)})

    pythonold.first(tmp_path / "first.db").close()
    pythonold.last(tmp_path / "last.db").close()
    assert do(tmp_path / "first.db")[0] == 0
    before = tables(data)
    code, out, err = do(tmp_path / "last.db", "--dry-run")
    assert code == 0 and "pools: 2 added" in out, err
    assert tables(data) == before
    assert not os.listdir(tmp)


def test_while_the_old_one_writes(place, tmp_path):
    """Its newest commits lie in its -wal, which stays as it is."""
    data, do = place
    old = tmp_path / "old" / "shepherd.db"
    old.parent.mkdir()
    db = pythonold.last(old)
    db.execute("UPDATE miners SET location_notes = 'kitchen'")
    assert (old.parent / "shepherd.db-wal").stat().st_size > 0
    before = state(old), state(old.parent / "shepherd.db-wal")
    code, out, err = do(old)
    assert code == 0, err
    assert tables(data)["miners"][0][2] == "kitchen"
    assert (state(old), state(old.parent / "shepherd.db-wal")) == before
    db.close()


def test_a_folder_that_cannot_be_written(place, tmp_path):
    data, do = place
    old = tmp_path / "old" / "shepherd.db"
    old.parent.mkdir()
    pythonold.last(old).close()
    os.chmod(old, 0o444)
    os.chmod(old.parent, 0o555)
    before = state(old)
    try:
        assert do(old)[0] == 0
        assert state(old) == before
    finally:
        os.chmod(old.parent, 0o755)


def test_miners_of_the_file_stay(tmp_path):
    config = tmp_path / "shepherd.lua"
    config.write_text(CONFIG + 'miners = { { id = "BARN-01", source = "serial", path = "/dev/null" } }\n')
    pythonold.last(tmp_path / "old.db").close()
    code, out, err = run("import", tmp_path / "old.db", "--config", config, "--data-dir", tmp_path / "data")
    assert code == 0 and "miners: 2 added, 0 updated, 1 as before" in out, err
    assert "note: miner BARN-01: stands in the configuration file" in out


def test_hostile_names(place, tmp_path):
    data, do = place
    db = pythonold.last(tmp_path / "old.db")
    db.execute("UPDATE miners SET miner_id = '<script>alert(1)</script>' WHERE id = 1")
    db.execute("UPDATE miners SET miner_id = ?, location_notes = ? WHERE id = 2", ("x" * 5000, "a\x1b[31m\x00b"))
    db.execute("UPDATE coin_addresses SET address = 'bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdx' WHERE id = 1")
    db.close()
    code, out, err = do(tmp_path / "old.db")
    assert code == 0, err
    assert "<" not in json.dumps(tables(data)["miners"])
    assert "\x1b" not in out + err + json.dumps(tables(data))
    assert "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdx: left out" in out  # the last character is wrong


@pytest.mark.parametrize("what, code", [("missing", 66), ("folder", 65), ("empty", 65), ("text", 65), ("ours", 65),
                                        ("damaged", 65), ("binary", 65), ("huge", 65)])
def test_what_is_no_such_file(place, tmp_path, what, code):
    data, do = place
    old = tmp_path / "x"
    if what == "folder":
        old.mkdir()
    elif what == "ours":
        pythonold.first(tmp_path / "py.db").close()
        assert do(tmp_path / "py.db")[0] == 0
        old.write_bytes((data / "shepherd.db").read_bytes())
    elif what == "damaged":
        pythonold.first(old).close()
        content = bytearray(old.read_bytes())
        content[100:4096] = os.urandom(3996)
        old.write_bytes(content)
    elif what == "huge":
        with open(old, "wb") as file:
            file.truncate(100 << 20)
    elif what != "missing":
        old.write_bytes({"empty": b"", "text": b"hello,world\n1,2\n", "binary": bytes(range(256)) * 20}[what])
    got, out, err = do(old)
    assert (got, out) == (code, ""), err
    assert str(old) in err and err.startswith("shepherd import: ")


def test_usage(place):
    data, do = place
    assert do()[0] == 64
    assert do("a", "b")[0] == 64
    assert do("--nonsense", "a")[0] == 64
    code, out, err = run("import", "--help")
    assert code == 0 and "--dry-run" in out and GOOD not in out
