"""What a form was told is saved outlives a SIGKILL a moment later; what is not saved is said to be not.

Another program that holds the database locked stands for every disk that cannot be written: the writer
waits 2 s for it, then the store is degraded until it is let go."""
import contextlib
import re
import signal
import socket
import sqlite3
import threading
import urllib.parse

from conftest import DEADLINE_S, wait_for
from formlib import GOOD, PASSWORD, admin_head, api, flock_of, form, make_admin

POOL = {"pool_url": "pool.example", "pool_port": 3333, "user_type": "text", "text_user_address": GOOD}


@contextlib.contextmanager
def locked(daemon):
    other = sqlite3.connect(daemon.data / "shepherd.db", timeout=DEADLINE_S, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


def pools(daemon):
    return [name for name, in daemon.rows("SELECT pool_name FROM pools ORDER BY id")]


def later(call):
    """Its answer, when it comes: a list that is empty until then."""
    answers = []
    thread = threading.Thread(target=lambda: answers.append(call()), daemon=True)
    thread.start()
    return thread, answers


def test_what_was_answered_outlives_a_kill(daemon):
    d = daemon()
    for n in range(5):
        assert api(d, "/pools/add", pool_name=f"P{n}", **POOL).status == 200
        answer = api(d, "/miners/add", name=f"M{n}", source="serial", path=f"/dev/ttyUSB7{n}")
        d.stop(signal.SIGKILL)
        assert answer.status == 200
        assert pools(d) == [f"P{i}" for i in range(n + 1)]
        d.start()
        assert d.miner(f"M{n}"), n
        assert d.rows("SELECT count(*) FROM audit WHERE action IN ('pool.add', 'miner.add')") == [(2 * n + 2,)]


def test_who_is_told_not_saved_and_why(daemon):
    d = daemon()
    make_admin(d)
    with locked(d):
        answer = api(d, "/miners/add", name="A", source="serial", path="/dev/ttyUSB77")
        assert (answer.status, answer.json["success"], answer.json["saved"]) == (503, False, False)
        assert answer.json["message"].startswith("Added 'A'. It counts, but is not saved: another program holds ")
        assert "shepherd.db locked: close it. It will be" in answer.json["message"]
        assert "A" in flock_of(d)
        # what every form says while it lasts, also to a page, and with what the program needs to go on
        answer = form(d, "/pools/add", pool_name="P", **POOL)
        assert (answer.status, answer.location) == (302, "/config#pools")
        assert answer.flash.startswith("error:New pool added successfully. It counts, but is not saved: ")
        assert api(d, "/pools/add", pool_name="Q", **POOL).json["id"] == 2
        # what changes nothing has nothing to say about it, and one can come in to mend it
        assert api(d, "/pools/add", pool_name="Q", **POOL).status == 409
        assert api(d, "/addresses/check", address=GOOD).json["success"] is True
        login = api(d, "/login", user="admin", password=PASSWORD)
        assert login.status == 200
        assert api(d, "/login", user="admin", password="wrong").status == 403
        answer = api(d, "/tokens/add", admin_head(login), name="t", role="viewer", password=PASSWORD)
        assert answer.status == 503 and answer.json["token"].startswith("shp_")
        # a row is looked up in the file, but not by the loop: it would wait there for what is not written
        answer = form(d, "/miners/onboard", unconfigured_id=7, miner_id="X")
        assert answer.flash == "error:Device not found."
        assert not [ms for ms in re.findall(r"held the loop for (\d+) ms", d.log) if int(ms) >= 2000]
        assert pools(d) == []
    wait_for(lambda: pools(d) == ["P", "Q"], "it is saved by itself")
    assert api(d, "/pools/delete/2").status == 200  # and so is all that came before it
    assert (pools(d), d.rows("SELECT name FROM tokens")) == (["P"], [("t",)])


def test_the_answer_waits_for_the_file(daemon):
    """Answered at the earliest when the lock is let go; or, where this takes longer than the writer waits, not as saved."""
    d = daemon()
    with locked(d):
        thread, answers = later(lambda: api(d, "/pools/add", pool_name="P", **POOL))
        wait_for(lambda: "pool.example" in d.text("/config"), "memory has it")
        assert not answers or answers[0].status == 503
    thread.join(DEADLINE_S)
    assert answers[0].status == 503 or pools(d) == ["P"]
    assert answers[0].json["success"] == (answers[0].status == 200)


def test_stop_while_a_form_waits(daemon):
    d = daemon()
    with locked(d):
        thread, answers = later(lambda: api(d, "/pools/add", pool_name="P", **POOL))
        wait_for(lambda: "pool.example" in d.text("/config"), "memory has it")
        d.process.send_signal(signal.SIGTERM)
        wait_for(lambda: "stopping" in d.log, "it stops")
        thread.join(DEADLINE_S)
    assert answers[0].status == 503 and answers[0].json["success"] is False
    assert "New pool added successfully. " in answers[0].json["message"]
    assert d.stop() == 0
    assert pools(d) == ["P"]


def test_clients_that_hang_up_while_they_wait(daemon):
    d = daemon()
    with locked(d):
        for n in range(20):
            body = urllib.parse.urlencode({**POOL, "pool_name": f"P{n}"}).encode()
            with socket.create_connection(("127.0.0.1", d.port), DEADLINE_S) as gone:
                gone.sendall(b"POST /pools/add HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n"
                             b"Content-Type: application/x-www-form-urlencoded\r\n\r\n" % len(body) + body)
        wait_for(lambda: all(f">P{n}<" in d.text("/config") or f'"P{n}"' in d.text("/config") for n in range(20)), "all came in")
    assert wait_for(lambda: (a := api(d, "/pools/add", pool_name="last", **POOL)).status in (200, 409) and a, "an answer")
    wait_for(lambda: len(pools(d)) == 21, "all are saved")
    assert d.stop() == 0
