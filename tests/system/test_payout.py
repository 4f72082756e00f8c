"""The payout guard: a miner whose pool or wallet is swapped cannot do so unseen."""
import json
import pathlib
import signal

from conftest import miner_lua, wait_for
from formlib import GOOD, OTHER, PASSWORD, admin_head, api, audit, form, make_admin

LOG = (pathlib.Path(__file__).parent.parent / "data/nerdminer/v183-tdisplay.log").read_text()
LOG_WALLET, LOG_POOL = "bc1qmadeup0shepherd7barn5flock3wool9meadow2", "pool.example.org"
THIRD = "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy"
POOL, EVIL_POOL = "pool.example.org", "pool.evil.example"


def start(daemon, ports, tmp_path):
    """A miner of the file that was told nothing yet, an admin, and a view that shows the fact."""
    views = tmp_path / "views"
    views.mkdir()
    (views / "payout_fact.lua").write_text('return shepherd.facts("payout")\n')
    pipe = ports(1)[0]
    d = daemon(f'view_dirs = {{ "{views}" }}\nminers = {{\n' + miner_lua("M", pipe.path) + "}\n")
    d.wait_miner("M", lambda m: m["status"] != "offline", "to be attached")
    make_admin(d)
    return d, pipe


def fact(daemon):
    return json.loads(daemon.get("/payout_fact", {"Accept": "application/json"})[1])


def say(daemon, pipe, wallet, pool=POOL):
    """The board boots and tells all of its configuration, each thing several times."""
    pipe.write(LOG.replace(LOG_WALLET, wallet).replace(LOG_POOL, pool) + "\n")
    daemon.wait_miner("M", lambda m: (m["wallet_address"], m["pool_url"]) == (wallet, pool + ":3333"), "to have said it")


def expect(daemon, pool=POOL + ":3333", address=GOOD):
    answer = api(daemon, "/miners/expect/%d" % daemon.miner("M")["id"], pool=pool, address=address, password=PASSWORD)
    assert answer.status == 200, answer.body
    return answer


def acknowledge(daemon, **fields):
    return api(daemon, "/miners/acknowledge/%d" % daemon.miner("M")["id"], **fields)


def changes(daemon):
    return [row[0] for row in daemon.rows("SELECT text FROM events WHERE event = 'payout.changed' ORDER BY id")]


def alarm(daemon):
    return wait_for(lambda: fact(daemon)["alarms"], "an alarm")[0]


def test_a_swapped_address_rings_once_and_stays(daemon, ports, tmp_path):
    d, pipe = start(daemon, ports, tmp_path)
    say(d, pipe, GOOD)
    expect(d)
    say(d, pipe, GOOD)
    assert fact(d)["alarms"] == [] and changes(d) == []

    say(d, pipe, OTHER)
    seen = alarm(d)
    assert (seen["miner"], seen["expected_address"], seen["address"], seen["pool"]) == ("M", GOOD, OTHER, None)
    assert seen["expected_pool"] == POOL + ":3333" and seen["miner_id"] == d.miner("M")["id"] and seen["since_ms"] > 0
    wait_for(lambda: len(changes(d)) == 1, "one event")
    assert OTHER in changes(d)[0] and GOOD in changes(d)[0]

    say(d, pipe, OTHER)  # the same again is no news
    say(d, pipe, GOOD)   # the right thing does not make it unseen
    assert alarm(d)["address"] == OTHER and len(changes(d)) == 1
    say(d, pipe, THIRD)  # something third is
    wait_for(lambda: len(changes(d)) == 2, "a second event")
    assert alarm(d)["address"] == THIRD and alarm(d)["since_ms"] == seen["since_ms"]
    assert "M" in d.text("/") and THIRD[:6] in d.text("/")


def test_it_survives_a_kill(daemon, ports, tmp_path):
    d, pipe = start(daemon, ports, tmp_path)
    expect(d)
    say(d, pipe, OTHER, EVIL_POOL)
    wait_for(lambda: len(changes(d)) == 2, "pool and address")
    seen = alarm(d)
    assert (seen["address"], seen["pool"]) == (OTHER, EVIL_POOL + ":3333")
    d.stop(signal.SIGKILL)
    d.start()
    assert alarm(d) == seen
    assert acknowledge(d, password=PASSWORD).status == 200
    assert "acknowledged_by" in d.rows("SELECT alarm FROM expected")[0][0]
    d.stop(signal.SIGKILL)
    d.start()
    d.wait_miner("M", lambda m: m["status"] != "offline", "to be attached")
    say(d, pipe, OTHER, EVIL_POOL)
    assert fact(d)["alarms"] == [] and len(changes(d)) == 2


def test_acknowledging(daemon, ports, tmp_path):
    d, pipe = start(daemon, ports, tmp_path)
    expect(d)
    assert acknowledge(d, password=PASSWORD).status == 404  # nothing to acknowledge
    say(d, pipe, OTHER)
    alarm(d)
    assert acknowledge(d).status == 403 and acknowledge(d, password="wrong password").status == 403
    assert fact(d)["alarms"]
    login = api(d, "/login", user="admin", password=PASSWORD)
    answer = api(d, "/miners/acknowledge/%d" % d.miner("M")["id"], admin_head(login))  # an admin's login is enough
    assert answer.status == 200 and fact(d)["alarms"] == []
    say(d, pipe, OTHER)  # the expectation is what it was, and somebody has seen this
    assert fact(d)["alarms"] == [] and len(changes(d)) == 1
    say(d, pipe, THIRD)
    assert alarm(d)["address"] == THIRD
    assert acknowledge(d, password=PASSWORD).status == 200
    say(d, pipe, GOOD)
    say(d, pipe, OTHER)  # again, after it was right
    assert alarm(d)["address"] == OTHER
    wait_for(lambda: len(changes(d)) == 3, "three events")
    wait_for(lambda: d.rows("SELECT count(*) FROM events WHERE event = 'payout.acknowledged'") == [(2,)], "who saw it")
    assert {"payout.expect", "payout.acknowledge"} <= {row[1] for row in audit(d)}


def test_ways_to_write_a_pool_are_no_difference(daemon, ports, tmp_path):
    d, pipe = start(daemon, ports, tmp_path)
    for pool in ("stratum+tcp://POOL.example.org:3333/", "backup.example:1, pool.example.org.", "Pool.Example.org"):
        expect(d, pool=pool, address="")
        say(d, pipe, OTHER)
        assert fact(d)["alarms"] == [], pool
    expect(d, pool="pool.example.org:4444", address="")
    assert alarm(d)["pool"] == POOL + ":3333"  # what it said last counts at once
    expect(d, pool="", address="")
    assert fact(d)["alarms"] == []
    assert d.rows("SELECT pool, address FROM expected") == [(None, None)]


def test_an_address_in_capitals_is_the_same(daemon, ports, tmp_path):
    d, pipe = start(daemon, ports, tmp_path)
    expect(d, pool="", address=GOOD.upper())
    say(d, pipe, GOOD)
    assert fact(d)["alarms"] == []


def test_expecting_is_dear_and_checked(daemon, ports, tmp_path):
    d, pipe = start(daemon, ports, tmp_path)
    path = "/miners/expect/%d" % d.miner("M")["id"]
    assert api(d, path, pool="a.b:1").status == 403
    assert api(d, path, pool="a.b:1", password="wrong password").status == 403
    assert api(d, path, address=GOOD[:-1] + "w", password=PASSWORD).status == 400
    for pool in ("a b:1", "a.b:99999", "a.b:x", ",", "a.b:1,", "x" * 600):
        assert api(d, path, pool=pool, password=PASSWORD).status == 400, pool
    assert api(d, "/miners/expect/999", pool="a.b:1", password=PASSWORD).status == 404
    answer = expect(d)
    assert "not watched" in answer.json["old"] and GOOD in answer.json["new"]
    assert form(d, path, pool="", password=PASSWORD).status == 302  # the address stays
    assert d.rows("SELECT pool, address FROM expected") == [(None, GOOD)]


def test_an_address_that_comes_late(daemon, ports, tmp_path):
    """A miner that is taken in before it told an address: the first that it says is compared with those of the others."""
    d, _ = start(daemon, ports, tmp_path)
    ours, evil = ports(2)
    expect(d)
    head = admin_head(api(d, "/login", user="admin", password=PASSWORD))
    for name, pipe in ("OURS", ours), ("EVIL", evil):
        assert api(d, "/miners/add", head, name=name, source="serial", path=pipe.path).status == 200
        d.wait_miner(name, lambda m: m["status"] != "offline", "to be attached")
    d.stop(signal.SIGKILL)  # that an address is awaited is not forgotten
    d.start()
    for name, pipe, wallet in ("OURS", ours, GOOD), ("EVIL", evil, OTHER):
        d.wait_miner(name, lambda m: m["status"] != "offline", "to be attached")
        pipe.write(LOG.replace(LOG_WALLET, wallet) + "\n")
        d.wait_miner(name, lambda m: m["wallet_address"] == wallet, "to have said it")  # noqa: B023
    seen = alarm(d)
    assert (seen["miner"], seen["expected_address"], seen["address"]) == ("EVIL", GOOD, OTHER)
    assert len(fact(d)["alarms"]) == 1
    wait_for(lambda: len(changes(d)) == 1, "one event")
    d.stop(signal.SIGKILL)
    d.start()
    assert alarm(d) == seen
    identity = d.miner("EVIL")["id"]
    assert api(d, f"/miners/acknowledge/{identity}").status == 403
    assert api(d, f"/miners/acknowledge/{identity}", password=PASSWORD).status == 200
    assert fact(d)["alarms"] == []


def test_an_alarm_cannot_be_deleted(daemon, ports, tmp_path):
    """Of a miner that the browser added: deleting, merging and adding it anew all keep the guard."""
    d, pipe = start(daemon, ports, tmp_path)
    other = ports(1)[0]
    head = admin_head(api(d, "/login", user="admin", password=PASSWORD))
    assert api(d, "/miners/add", head, name="B", source="serial", path=other.path).status == 200
    b = d.miner("B")["id"]
    assert api(d, f"/miners/expect/{b}", address=GOOD, password=PASSWORD).status == 200
    d.wait_miner("B", lambda m: m["status"] != "offline", "to be attached")
    other.write(LOG.replace(LOG_WALLET, OTHER) + "\n")
    assert alarm(d)["miner"] == "B"
    assert api(d, f"/miners/delete/{b}").status == 409
    assert api(d, f"/miners/merge/{b}", into=d.miner("M")["id"]).status == 409
    assert api(d, f"/miners/edit/{b}", name="C").status == 200 and alarm(d)["miner"] == "C"
    assert api(d, f"/miners/acknowledge/{b}", password=PASSWORD).status == 200
    assert api(d, f"/miners/delete/{b}").status == 200
    assert api(d, "/miners/add", head, name="C", source="serial", path=other.path).status == 200
    assert d.rows("SELECT address FROM expected WHERE id = ?", d.miner("C")["id"]) == [(GOOD,)]
