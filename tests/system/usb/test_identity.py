"""Who is who: boards that swap, that cannot be told apart, that move. Rows 19 and 20 of the fault table."""
import pytest

from bench import CH340, CP2102, NATIVE, accept, events, found, mac_line, options_lua, post, says, stats, wait_events, wait_for, wait_found

ALL = options_lua(serial={"listen": "all"})
MACS = ["F0:F5:BD:4A:AB:CC", "F0:F5:BD:4A:AB:D4"]


def accepted(bench, daemon, boards):
    """Boards that speak, taken into the flock under names of their own: { name: id }."""
    ids = {}
    for name, (board, rate, mac) in boards.items():
        board.wait_open().hum((mac_line(mac) if mac else "") + stats(rate))
        wait_for(lambda: next((m for m in daemon.herd()["miners_list"] if m["KH/s"] == rate), None), f"{board.name} is heard")
        ids[name] = accept(daemon, board.where, name)["id"]
    for name, (board, rate, mac) in boards.items():
        daemon.wait_miner(name, lambda m: m["KH/s"] == rate and (not mac or m["mac_address"] == mac.lower()), "is itself")
    return ids


def test_19_two_native_boards_swap(bench):
    """Their serial number is their MAC: each keeps its name and history at the other's port and number."""
    one = bench.plug("ttyACM0", "1-1.1", NATIVE, serial=MACS[0])
    two = bench.plug("ttyACM1", "1-1.2", NATIVE, serial=MACS[1])
    d = bench.daemon()
    ids = accepted(bench, d, {"ONE": (one, 51, None), "TWO": (two, 52, None)})
    one.unplug()
    two.unplug()
    bench.plug("ttyACM1", "1-1.2", NATIVE, serial=MACS[0]).wait_open().hum(stats(61))
    bench.plug("ttyACM0", "1-1.1", NATIVE, serial=MACS[1]).wait_open().hum(stats(62))
    assert says(d, "ONE", 61)["id"] == ids["ONE"] and says(d, "TWO", 62)["id"] == ids["TWO"]
    assert d.herd()["herd_stats"]["total_miners"] == 2
    assert d.miner("ONE")["dev_path"] == "/dev/ttyACM1"
    assert not events(d, "device.doubt")


def test_19_two_bridges_swap(bench):
    """Bridges say nothing of themselves; the log says the MAC, and then it is known: lines under the wrong name end there."""
    one, two = bench.plug("ttyUSB0", "1-1.1"), bench.plug("ttyUSB1", "1-1.2")
    d = bench.daemon(ALL)
    ids = accepted(bench, d, {"ONE": (one, 51, MACS[0]), "TWO": (two, 52, MACS[1])})
    one.unplug()
    two.unplug()
    for name in ids:
        d.wait_miner(name, lambda m: m["status"] == "offline", "is offline")
    there = bench.plug("ttyUSB0", "1-1.2").wait_open()
    here = bench.plug("ttyUSB1", "1-1.1").wait_open()
    there.hum(mac_line(MACS[0]) + stats(61))
    here.hum(mac_line(MACS[1]) + stats(62))
    assert says(d, "ONE", 61)["id"] == ids["ONE"] and says(d, "TWO", 62)["id"] == ids["TWO"]
    assert d.herd()["herd_stats"]["total_miners"] == 2
    assert {found(d, "1-1.2")["miner"], found(d, "1-1.1")["miner"]} == {"ONE", "TWO"}
    assert found(d, "1-1.2")["miner"] == "ONE"


def test_19_swapped_while_the_daemon_was_away(bench):
    """What it knew when it ended holds when it starts: it looks at boards, not at where they were."""
    one = bench.plug("ttyACM0", "1-1.1", NATIVE, serial=MACS[0])
    two = bench.plug("ttyACM1", "1-1.2", NATIVE, serial=MACS[1])
    d = bench.daemon()
    ids = accepted(bench, d, {"ONE": (one, 51, None), "TWO": (two, 52, None)})
    d.stop()
    one.unplug()
    two.unplug()
    two = bench.plug("ttyACM0", "1-1.1", NATIVE, serial=MACS[1]).hum(stats(62))
    one = bench.plug("ttyACM1", "1-1.2", NATIVE, serial=MACS[0]).hum(stats(61))
    d.start()
    assert says(d, "ONE", 61)["id"] == ids["ONE"] and says(d, "TWO", 62)["id"] == ids["TWO"]
    assert d.herd()["herd_stats"]["total_miners"] == 2


def test_20_two_boards_with_one_serial_number(bench):
    """CP2102 leaves the factory with 0001: told apart by where they are plugged in, both read, each its own."""
    one = bench.plug("ttyUSB0", "1-1.1", CP2102, serial="0001")
    d = bench.daemon(ALL)
    two = bench.plug("ttyUSB1", "1-1.2", CP2102, serial="0001")
    ids = accepted(bench, d, {"ONE": (one, 51, None), "TWO": (two, 52, None)})
    assert len(set(ids.values())) == 2
    bench.unplug_all([one, two])
    for name in ids:
        d.wait_miner(name, lambda m: m["status"] == "offline", "is offline")
    bench.plug("ttyUSB0", "1-1.2", CP2102, serial="0001").wait_open().hum(stats(62))
    bench.plug("ttyUSB1", "1-1.1", CP2102, serial="0001").wait_open().hum(stats(61))
    assert says(d, "ONE", 61)["id"] == ids["ONE"] and says(d, "TWO", 62)["id"] == ids["TWO"]
    assert d.herd()["herd_stats"]["total_miners"] == 2


def test_20_a_serial_number_that_turns_out_to_be_shared(bench):
    """It looked unique until the second board came: the first keeps its name, the second is a board of its own."""
    one = bench.plug("ttyUSB0", "1-1.1", CP2102, serial="SN-4711")
    d = bench.daemon(ALL)
    ids = accepted(bench, d, {"ONE": (one, 51, None)})
    two = bench.plug("ttyUSB1", "1-1.2", CP2102, serial="SN-4711")
    ids |= accepted(bench, d, {"TWO": (two, 52, None)})
    assert ids["ONE"] != ids["TWO"]
    one.hum(stats(71))
    assert says(d, "ONE", 71)["id"] == ids["ONE"]
    wait_for(lambda: "SN-4711" in d.log and ("unique" in d.log or "share" in d.log or "same" in d.log), "it is said")


@pytest.mark.parametrize("kind,serial", [(CH340, None), (CP2102, "0001")])
def test_20_boards_without_a_serial_number(bench, kind, serial):
    """CH340 has none, CP2102 the same on every unit: the place tells them apart; one that moved is asked about, not guessed."""
    one, two = bench.plug("ttyUSB0", "1-1.1", kind, serial=serial), bench.plug("ttyUSB1", "1-1.2", CH340)
    d = bench.daemon(ALL)
    ids = accepted(bench, d, {"ONE": (one, 51, None), "TWO": (two, 52, None)})
    one.unplug()
    d.wait_miner("ONE", lambda m: m["status"] == "offline", "is offline")
    moved = bench.plug("ttyUSB0", "1-1.4", kind, serial=serial)
    device = wait_found(d, "1-1.4", lambda f: f["doubt"], "is asked about")
    assert device["maybe"] == "ONE" or device["maybe"] == ids["ONE"], device
    assert device["miner"] != "ONE" and d.miner("ONE")["status"] == "offline", "it is not guessed"
    wait_events(d, "device.doubt")
    moved.wait_open().hum(stats(71))
    post(d, "/devices/assign", key=device["key"], miner_id=ids["ONE"])
    assert says(d, "ONE", 71)["id"] == ids["ONE"]
    assert found(d, "1-1.4")["doubt"] is None and found(d, "1-1.4")["miner"] == "ONE"
    wait_for(lambda: d.herd()["herd_stats"]["total_miners"] == 2, "no third miner is left")


def test_20_another_board_in_the_place_of_a_miner(bench):
    """Unplugged, and a board whose log says another MAC is plugged into the same port: asked, and not mixed up."""
    one = bench.plug("ttyUSB0", "1-1.1")
    d = bench.daemon(ALL)
    ids = accepted(bench, d, {"ONE": (one, 51, MACS[0])})
    one.unplug()
    d.wait_miner("ONE", lambda m: m["status"] == "offline", "is offline")
    bench.plug("ttyUSB0", "1-1.1").wait_open().hum(mac_line(MACS[1]) + stats(62))
    device = wait_found(d, "1-1.1", lambda f: f["miner"] != "ONE" or f["doubt"], "is another board")
    wait_for(lambda: any(m["KH/s"] == 62 and m["id"] != ids["ONE"] for m in d.herd()["miners_list"])
             or found(d, "1-1.1")["doubt"], "it is not taken for the first")
    assert device
    assert d.miner("ONE")["mac_address"] == MACS[0].lower()


def test_two_ports_of_one_chip(bench):
    """An FT2232 has two serial ports under one serial number: they are two, and stay the ones they are."""
    kind = {"vid": "0403", "pid": "6010"}
    a = bench.plug("ttyUSB0", "1-1.1", kind, serial="FT4711", iface="00")
    b = bench.plug("ttyUSB1", "1-1.1", kind, serial="FT4711", iface="01")
    d = bench.daemon(ALL)
    a.wait_open().hum(stats(51))
    b.wait_open().hum(stats(52))
    def rates():
        return sorted(m["KH/s"] or 0 for m in d.herd()["miners_list"])
    wait_for(lambda: rates() == [51, 52], "both are heard, each its own")
    before = {m["KH/s"]: m["id"] for m in d.herd()["miners_list"]}
    bench.unplug_all([a, b])
    wait_for(lambda: all(m["status"] == "offline" for m in d.herd()["miners_list"]), "both are offline")
    bench.plug("ttyUSB4", "1-1.1", kind, serial="FT4711", iface="01").wait_open().hum(stats(62))
    bench.plug("ttyUSB3", "1-1.1", kind, serial="FT4711", iface="00").wait_open().hum(stats(61))
    wait_for(lambda: rates() == [61, 62], "both are heard again")
    assert {m["KH/s"]: m["id"] for m in d.herd()["miners_list"]} == {61: before[51], 62: before[52]}
