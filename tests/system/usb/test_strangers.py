"""Devices that nobody configured: listed, opened only if they may be, listened to at a click, taken into the flock. And the ways in
which the daemon hears of them when udev does not tell. Row 55, the payout guard, ends the story: a stranger has become a miner."""
import signal

import pytest

from bench import CH340, CP2102, NATIVE, accept, config_text, events, flock, found, mac_line, options_lua, post, post_later, says, stats, strays, wait_events, wait_for, wait_found

GPS = {"vid": "1546", "pid": "01a8", "product": "u-blox GNSS receiver", "maker": "u-blox AG"}
ZIGBEE = {"vid": "1cf1", "pid": "0030", "product": "ConBee II", "maker": "dresden elektronik"}
SONOFF = {**CP2102, "product": "Sonoff Zigbee 3.0 USB Dongle Plus"}  # a bridge like those of miners
BOOTLOADER = {"vid": "303a", "pid": "0002"}
WALLET, THIEF = "bc1qmadeup0shepherd7barn5flock3wool9meadow2", "bc1qmadeup0thief0thief0thief0thief0thief0thi"


def opened(bench, board):
    return [e for e in bench.edges(f"/dev/{board.name}") if e.what == "OPEN"]


@pytest.mark.parametrize("listen", ["known", "all"])
def test_what_is_opened_unasked(bench, listen):
    """known: chips with Espressif's own USB. all: bridges that miners use as well. Never a GPS, a Zigbee stick, a boot loader."""
    boards = {"1-1.1": bench.plug("ttyACM0", "1-1.1", GPS), "1-1.2": bench.plug("ttyACM1", "1-1.2", ZIGBEE, serial="DE2474109"),
              "1-1.3": bench.plug("ttyACM2", "1-1.3", BOOTLOADER), "1-1.6": bench.plug("ttyUSB6", "1-1.6", SONOFF, serial="8e5c"),
              "1-1.4": bench.plug("ttyUSB0", "1-1.4", CH340)}
    d = bench.daemon(options_lua(serial={"listen": listen}))
    # The last one that is plugged in is opened: all before it have been looked at.
    bench.plug("ttyACM3", "1-1.5", NATIVE, serial="F0:F5:BD:4A:AB:CC").wait_open()
    if listen == "all":
        boards.pop("1-1.4").wait_open()
    wait_for(lambda: set(boards) <= set(strays(d)), "the others are listed, and not opened")
    assert strays(d)["1-1.2"]["serial_number"] == "DE2474109" and "ConBee" in strays(d)["1-1.2"]["state_msg"]
    assert found(d, "1-1.3")["bootloader"] and not found(d, "1-1.1")["plausible"]
    if listen == "known":
        assert found(d, "1-1.4")["plausible"]
    post(d, "/devices/listen", all="1")
    if listen == "known":
        boards.pop("1-1.4").wait_open()
    for place in boards:
        assert not found(d, place)["listened"] and place in strays(d)
    assert [opened(bench, board) for board in boards.values()] == [[]] * 4


def test_a_stranger_is_shown_within_two_seconds(bench):
    """By udev's event, not by a look every two seconds: twenty are seen in less time than ten such looks would take."""
    d = bench.daemon()
    for i in range(20):
        board = bench.plug("ttyUSB0", "1-1.1", CH340)
        wait_for(lambda: "1-1.1" in strays(d), "it is listed", deadline_s=15)
        board.unplug()
        wait_for(lambda: "1-1.1" not in strays(d), "it is listed no more", deadline_s=15)
    assert "looking every" not in d.log, d.log


def test_hostile_texts(bench):
    """What a device says of itself is text in every page."""
    d = bench.daemon()
    bench.plug("ttyUSB0", "1-1.1", product="<script>alert(1)</script>\x1b[2J", maker="';DROP TABLE miners;--", serial="a\"b<i>'%,\u00fc")
    stray = wait_for(lambda: strays(d).get("1-1.1"), "it is listed")
    assert "\x1b" not in stray["state_msg"]
    for page in ("/config", "/", "/details/system"):
        text = d.text(page)
        assert "<script>alert(1)" not in text and "b<i>" not in text and "\x1b" not in text, page
    assert d.herd()["miners_list"] == []


# ---- how it is heard of ----

def test_overrun(bench):
    """udev's socket overflowed while the daemon stood still: what is there is looked at anew, what went is gone."""
    gone = bench.plug("ttyACM0", "1-1.1", NATIVE, serial="F0:F5:BD:4A:AB:CC")
    stays = bench.plug("ttyACM9", "1-1.9", NATIVE, serial="F0:F5:BD:4A:AB:D0")
    d = bench.daemon()
    gone.wait_open()
    stays.wait_open().hum(stats(55))
    wait_for(lambda: found(d, "1-1.1") and found(d, "1-1.9"), "both are found")
    d.process.send_signal(signal.SIGSTOP)
    bench.mute()
    gone.remove()  # its hang-up is lost as well: only a new look can tell
    for i in range(2, 9):
        bench.plug(f"ttyUSB{i}", f"1-1.{i}", CH340)
    bench.unmute(overrun_by=stays)
    d.process.send_signal(signal.SIGCONT)
    wait_for(lambda: {f"1-1.{i}" for i in range(2, 9)} <= set(strays(d)), "all that came are listed",
             deadline_s=30)  # a look at all of them is due after 60 s anyhow
    wait_for(lambda: not gone.is_open(), "what went is closed")
    assert found(d, "1-1.1") is None
    wait_for(lambda: "socket" in d.log, "it is said")
    assert stays.is_open() and len(opened(bench, stays)) == 1
    later = bench.plug("ttyACM5", "1-2", NATIVE, serial="F0:F5:BD:4A:AB:D8").wait_open()
    assert later.is_open()


def test_many_events_while_it_stood_still(bench):
    """Stopped while a board came, went and came under another number: at the end it is that board, once."""
    board = bench.plug("ttyACM0", "1-1.1", NATIVE, serial="F0:F5:BD:4A:AB:CC")
    d = bench.daemon()
    board.wait_open().hum(stats(55))
    wait_for(lambda: d.herd()["herd_stats"]["online_miners"] == 1, "it is read")
    d.process.send_signal(signal.SIGSTOP)
    bench.mute()  # the queue of a socket is shorter in the bed than in life
    for i in (3, 4):
        board.unplug()
        board = bench.plug(f"ttyACM{i}", "1-1.1", NATIVE, serial="F0:F5:BD:4A:AB:CC")
    bench.unmute()
    board.event("add")
    d.process.send_signal(signal.SIGCONT)
    board.wait_open().hum(stats(77))
    wait_for(lambda: [m["KH/s"] for m in d.herd()["miners_list"]] == [77], "it is read again, and alone")
    assert d.herd()["miners_list"][0]["dev_path"] == "/dev/ttyACM4"


def test_without_udevd(bench):
    """In a container nobody tells: ports that come and go are found by looking."""
    bench.end_udevd()
    first = bench.plug("ttyACM0", "1-1.1", NATIVE, serial="F0:F5:BD:4A:AB:CC")
    d = bench.daemon()
    bench.mute()  # the daemon's own socket, if it has one, came after
    first.wait_open().hum(stats(55))
    bench.plug("ttyUSB1", "1-1.2", CH340)
    wait_for(lambda: "1-1.2" in strays(d), "what came is listed")
    first.unplug()
    wait_for(lambda: found(d, "1-1.1") is None, "what went is gone")
    again = bench.plug("ttyACM4", "1-1.3", NATIVE, serial="F0:F5:BD:4A:AB:CC").wait_open()
    again.hum(stats(77))
    wait_for(lambda: [m["KH/s"] for m in d.herd()["miners_list"]] == [77], "it is read again at its new place")
    assert "no udevd" in d.log


# ---- onboarding ----

def test_listened_to_and_accepted(bench):
    """Listen, read what its log tells, accept under a name: what was heard before is its history, and it is found again."""
    board = bench.plug("ttyUSB0", "1-1.2", CH340)
    d = bench.daemon()
    stranger = wait_found(d, "1-1.2")
    assert "1-1.2" in strays(d) and not stranger["listened"]
    post(d, "/devices/listen", key=stranger["key"])
    board.wait_open().say(config_text(WALLET) + mac_line("F0:F5:BD:4A:AB:CC") + stats(55))
    told = wait_found(d, "1-1.2", lambda f: f.get("wallet"), "tells its wallet")
    assert (told["wallet"], told["pool"], told["worker"]) == (WALLET, "pool.example.org:3333", "shelf"), told
    assert told["mac"] == "f0:f5:bd:4a:ab:cc" and told["suggested_name"] == "shelf", told
    before = next(m for m in d.herd()["miners_list"] if m["KH/s"] == 55)
    miner = accept(d, "1-1.2", "BARN-01")
    assert miner["id"] == before["id"] and miner["KH/s"] == 55
    assert len(opened(bench, board)) == 1, "accepting it does not open it anew"
    board.hum(stats(66))
    says(d, "BARN-01", 66)
    def lines():
        return [r[0] for r in d.rows("SELECT line FROM miner_logs WHERE miner_id = ? ORDER BY id", miner["id"])]
    wait_for(lambda: any("66.00" in line for line in lines()), "its lines are stored")
    assert any("55.00" in line for line in lines()), "and those from before it had a name"
    assert "1-1.2" not in strays(d)
    board.unplug()
    d.wait_miner("BARN-01", lambda m: m["status"] == "offline", "is offline")
    d.stop()
    d.start()
    bench.plug("ttyUSB5", "1-1.2", CH340).wait_open().hum(stats(77))
    assert says(d, "BARN-01", 77)["id"] == miner["id"]


def test_ignored_for_ever(bench):
    """Never offered again, not after a restart either, and not opened; offered again when somebody says so."""
    d = bench.daemon(options_lua(serial={"listen": "all"}))
    board = bench.plug("ttyUSB0", "1-1.2", CP2102, serial="4711-A").wait_open()
    post(d, "/devices/ignore", key=wait_found(d, "1-1.2")["key"], ignored="1")
    wait_for(lambda: not board.is_open(), "it is closed")
    n = len(opened(bench, board))
    d.stop()
    d.start()
    device = wait_found(d, "1-1.2")
    assert device["ignored"] and not device["listened"]
    witness = bench.plug("ttyUSB1", "1-1.3", CH340).wait_open()
    assert witness.is_open() and not board.is_open() and len(opened(bench, board)) == n
    post(d, "/devices/ignore", key=device["key"], ignored="0")
    assert not wait_found(d, "1-1.2")["ignored"]


def test_a_name_that_is_taken(bench):
    """Two boards cannot have one name: 409, and the second is a stranger as before."""
    one, two = bench.plug("ttyUSB0", "1-1.1", CH340), bench.plug("ttyUSB1", "1-1.2", CH340)
    d = bench.daemon(options_lua(serial={"listen": "all"}))
    one.wait_open()
    two.wait_open()
    accept(d, "1-1.1", "BARN-01")
    status, body = post_later(d, "/devices/accept", {"key": wait_found(d, "1-1.2")["key"], "name": "BARN-01"})()
    assert status == 409 and body["success"] is False and "BARN-01" in body["message"], (status, body)
    assert wait_found(d, "1-1.2")["stranger"]
    status, _ = post_later(d, "/devices/accept", {"key": "port:9-9", "name": "BARN-02"})()
    assert status == 404


def test_55_the_payout_address_changes(bench):
    """A miner that mines for another address than it did when it was accepted: an alarm, once, that stays."""
    board = bench.plug("ttyUSB0", "1-1.2", CH340)
    d = bench.daemon(options_lua(serial={"listen": "all"}))
    board.wait_open().say(config_text(WALLET) + stats(55))
    wait_found(d, "1-1.2", lambda f: f.get("wallet") == WALLET, "tells its wallet")
    miner = accept(d, "1-1.2", "BARN-01")
    assert flock(d)["miners"][str(miner["id"])]["expected_address"] == WALLET
    assert not events(d, "payout.changed")
    board.say(config_text(THIEF) + stats(66))
    told, = wait_events(d, "payout.changed")
    assert THIEF in told["text"] and WALLET in told["text"], told
    wait_for(lambda: flock(d)["miners"][str(miner["id"])].get("alarm"), "it shows")
    board.say(config_text(WALLET) + stats(77))
    says(d, "BARN-01", 77)
    assert flock(d)["miners"][str(miner["id"])].get("alarm"), "it stays until somebody has seen it"
    board.unplug()
    d.stop()
    d.start()
    assert flock(d)["miners"][str(miner["id"])].get("alarm"), "a restart does not silence it"


def test_55_the_same_board_under_another_name(bench):
    """A guarded miner is deleted, its board pays elsewhere now and is taken in anew: the address that nobody here knows rings."""
    board = bench.plug("ttyUSB0", "1-1.2", CH340)
    d = bench.daemon(options_lua(serial={"listen": "all"}))
    board.wait_open().say(config_text(WALLET) + stats(55))
    wait_found(d, "1-1.2", lambda f: f.get("wallet") == WALLET, "tells its wallet")
    miner = accept(d, "1-1.2", "BARN-01")
    post(d, f"/miners/delete/{miner['id']}")
    post(d, "/devices/listen", key=wait_found(d, "1-1.2", lambda f: f["stranger"], "is a stranger again")["key"])
    board.wait_open().say(config_text(THIEF) + stats(66))
    wait_found(d, "1-1.2", lambda f: f.get("wallet") == THIEF, "tells the other wallet")
    again = accept(d, "1-1.2", "SHELF-01")
    entry = flock(d)["miners"][str(again["id"])]
    assert entry["expected_address"] == WALLET and entry["alarm"], entry
    assert len(wait_events(d, "payout.changed")) == 1
