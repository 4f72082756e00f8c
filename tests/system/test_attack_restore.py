"""Backups that somebody doctored, checksums and all: what is in them must not act, crash or stay behind.

test_attack_manage.py has archives that are broken as archives; these are whole."""
import concurrent.futures
import hashlib
import io
import sqlite3
import tarfile

import pytest

from conftest import run, wait_for
from formlib import PASSWORD, add_miner, api, send
from test_attack_manage import with_admin
from test_forms import alive, upload

SUMS = "shepherd-backup.sha256"


def unpack(archive):
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {m.name: tar.extractfile(m).read() for m in tar.getmembers()}


def pack(parts):
    """An archive with the sums that belong to it."""
    out, sums = io.BytesIO(), ""
    with tarfile.open(fileobj=out, mode="w:gz", format=tarfile.PAX_FORMAT) as tar:
        for name, data in parts.items():
            sums += f"{hashlib.sha256(data).hexdigest()}  {name}\n" if name != SUMS else ""
        for name, data in {**{n: d for n, d in parts.items() if n != SUMS}, SUMS: sums.encode()}.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def with_sql(parts, file, *sql):
    file.write_bytes(parts["shepherd.db"])
    db = sqlite3.connect(file, isolation_level=None)
    for statement in sql:
        db.execute(statement)
    db.close()
    return {**parts, "shepherd.db": file.read_bytes()}


@pytest.fixture
def made(daemon):
    """A daemon, and a backup of it."""
    d = with_admin(daemon)
    add_miner(d, "A")
    return d, unpack(send(d, api(d, "/backup", password=PASSWORD).json["url"], method="GET").body)


def check(d, parts):
    return api(d, "/restore/check", upload=upload(d, pack(parts), piece=60000))


REWRITE = "UPDATE sqlite_schema SET sql = replace(sql, {!r}, {!r}) WHERE name = {!r}"
BIG = 2**63 - 1
DOCTORED = {
    # an audit that leaves out what is done to pools
    "unique": ["CREATE UNIQUE INDEX quiet ON audit(action) WHERE action LIKE 'pool%'"],
    "expression": ["CREATE INDEX quiet ON audit(abs(CASE WHEN action LIKE 'pool%' THEN -9223372036854775808 ELSE 1 END))"],
    "check": ["PRAGMA writable_schema = 1", REWRITE.format("subject TEXT", "subject TEXT CHECK (action NOT LIKE ''pool%'')", "audit").replace('"', "'")],
    # a miner that cannot be erased
    "reference": ["CREATE TABLE mine (m INTEGER REFERENCES Miners(id))", "INSERT INTO mine SELECT id FROM miners"],
    # numbers that overflow at the next row, or in a difference of two times
    "id": [f"INSERT INTO pools VALUES ({BIG}, 'p', 'u', 1, 'u', 'x', 0)"],
    "miner": [f"UPDATE miners SET id = {BIG}"],
    "time": [f"INSERT INTO sessions VALUES (1, '{'b' * 64}', 0, 'admin', {-BIG}, {-BIG})"],
    "state": [f"UPDATE log_state SET last_id = {BIG}"],
    "nobody": [f"INSERT INTO users VALUES (0, 'eve', 'viewer', '$argon2id$', 1)"],
}


def test_doctored_databases(made, tmp_path):
    d, parts = made
    for what, sql in DOCTORED.items():
        answer = check(d, with_sql(parts, tmp_path / "x.db", *sql))
        assert answer.status == 400 and "cannot be taken" in answer.json["message"], (what, answer.body)
        if len(list((d.data / "uploads").iterdir())) == 8:
            d.stop()
            d.start()
    own = ["CREATE TABLE mine (a INTEGER UNIQUE, b TEXT)", "CREATE INDEX by_time ON miner_logs(at_ms)", "CREATE UNIQUE INDEX by_b ON mine(b) WHERE a"]
    assert check(d, with_sql(parts, tmp_path / "x.db", *own)).status == 200  # what people made for themselves stays


def test_a_plugin_among_the_views(made, tmp_path):
    """plugin_dirs of its configuration may name where its views are unpacked, or go: no native code comes along."""
    d, parts = made
    d.stop()
    folder = d.data / "restore.unpacked/views/0"
    config = parts["config/shepherd.lua"] + f'\nplugin_dirs = {{ "{folder}" }}\n'.encode()
    file = tmp_path / "b.tar.gz"
    for name in ("views/0/evil.so", "views/0/a/evil.so"):
        file.write_bytes(pack({**parts, "config/shepherd.lua": config, name: b"\x7fELF"}))
        code, out, err = run("restore", file, "--data-dir", d.data, "--config", d.config)
        assert code == 65 and "a name that no backup has" in err and "evil.so" not in err, err


def test_restores_at_once(made):
    """Two that were unpacked when the daemon stopped for the first: its jobs landed in freed memory."""
    d, parts = made
    archive = pack(parts)
    uploads = [upload(d, archive, piece=60000) for _ in range(2)]
    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        seen = list(pool.map(lambda n: api(d, "/restore/apply", upload=uploads[n % 2], password=PASSWORD).status, range(5)))
    assert seen.count(200) == 1 and set(seen) <= {200, 404, 409, 429, 503}, seen
    wait_for(lambda: d.log.count("the backup is in its place") == 1, "it is restored; log:\n" + d.log)
    wait_for(lambda: alive(d) and d.miner("A"), "it started again")
    assert not [p.name for p in d.data.iterdir() if p.name.startswith("restore.")]
    assert d.stop() == 0, d.log[-3000:]
