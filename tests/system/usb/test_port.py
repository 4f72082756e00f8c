"""Plugged in, read, unplugged, back again: what becomes of one port. Rows 16, 17, 18, 22 of the fault table."""
import pytest

from bench import NATIVE, Pty, found, miner_lua, options_lua, says, stats, wait_events, wait_for, wait_found, wait_links

ALL = options_lua(serial={"listen": "all"})


def only_miner(daemon):
    miners = daemon.herd()["miners_list"]
    assert len(miners) == 1, [m["miner_id"] for m in miners]
    return miners[0]


def lines_of(daemon, miner):
    return [row[0] for row in daemon.rows("SELECT line FROM miner_logs WHERE miner_id = ? ORDER BY id", miner["id"])]


def test_16_unplugged_while_it_is_read(bench):
    """Offline at once with the reason; half a line is not glued to what comes later; others go on."""
    gone, stays = bench.plug("ttyUSB0", "1-1.2"), bench.plug("ttyUSB1", "1-1.3")
    d = bench.daemon(ALL)
    stays.wait_open().hum(stats(66))
    gone.wait_open().say(stats(55) + ">>> Completed 4 share(s), 99")
    says(d, "1-1.2", 55)
    says(d, "1-1.3", 66)
    gone.unplug()
    m = d.wait_miner("1-1.2", lambda m: m["status"] == "offline", "is offline")
    assert "unplugged" in m["why"], m
    assert m["KH/s"] == 55, "what it said last stays"
    bench.plug("ttyUSB0", "1-1.2").wait_open().hum(stats(77))
    says(d, "1-1.2", 77)
    wait_links(d, "1-1.2", ["up", "down", "up"])
    wait_for(lambda: any("77.00" in line for line in lines_of(d, m)), "its lines are stored")
    assert not [line for line in lines_of(d, m) if "99>>>" in line]
    wait_links(d, "1-1.3", ["up"])
    assert d.miner("1-1.3")["status"] == "online"


def test_16_half_a_line_of_a_miner_of_the_file(bench):
    """Nobody tells of a remove here: the hang-up alone ends the line. What follows would make it a whole one."""
    link = bench.directory / "tty"

    def plug():
        port = Pty()
        link.unlink(missing_ok=True)
        link.symlink_to(port.path)
        return port
    port = plug()
    d = bench.daemon("plugins = { udev = false, serial = { discover = false } }\nminers = {\n" + miner_lua("BARN-01", str(link)) + "}\n")
    port.write(stats(55) + ">>> Temp")
    d.wait_miner("BARN-01", lambda m: m["Temperature"] == 50, "is read")
    port.unplug()
    d.wait_miner("BARN-01", lambda m: m["status"] == "offline", "is offline")
    port = plug()
    port.write("erature: 61\n" + stats(77).splitlines(keepends=True)[0])
    assert says(d, "BARN-01", 77)["Temperature"] == 50
    port.unplug()


@pytest.mark.parametrize("order", ["hup,remove", "remove,hup", "remove"])
def test_17_both_orders_end_the_same(bench, order):
    """Hang-up before udev's remove, after it, or none at all: closed once, told once, and back again once."""
    board = bench.plug("ttyUSB0", "1-1.2")
    d = bench.daemon(ALL)
    board.wait_open().hum(stats(55))
    says(d, "1-1.2", 55)
    for step in order.split(","):
        {"hup": board.hup, "remove": board.remove}[step]()
        d.wait_miner("1-1.2", lambda m: m["status"] == "offline", f"is offline after {step}")
    if order == "remove":
        wait_for(lambda: not board.is_open(), "closed though nobody hung up")
        board.hup()
    bench.plug("ttyUSB0", "1-1.2").wait_open().hum(stats(77))
    says(d, "1-1.2", 77)
    wait_links(d, "1-1.2", ["up", "down", "up"])
    assert [e.what for e in bench.edges() if e.what in ("OPEN", "CLOSE")] == ["OPEN", "CLOSE", "OPEN"]


@pytest.mark.parametrize("name", ["ttyUSB0", "ttyUSB3"])
def test_18_replugged_at_the_same_port(bench, name):
    """The same miner under the same or another number; its history goes on."""
    board = bench.plug("ttyUSB0", "1-1.2")
    d = bench.daemon(ALL)
    board.wait_open().say(stats(55))
    before = says(d, "1-1.2", 55)
    board.unplug()
    d.wait_miner("1-1.2", lambda m: m["status"] == "offline", "is offline")
    bench.plug(name, "1-1.2").wait_open().hum(stats(77))
    says(d, "1-1.2", 77)
    after = only_miner(d)
    assert after["id"] == before["id"]
    assert after["dev_path"] == f"/dev/{name}"
    wait_for(lambda: any("77.00" in line for line in lines_of(d, after)), "its lines are stored")
    assert "55.00" in lines_of(d, after)[0]


def test_18_replugged_at_another_port(bench):
    """A board that says who it is keeps its history wherever it is plugged in."""
    board = bench.plug("ttyACM0", "1-1.2", NATIVE, serial="F0:F5:BD:4A:AB:CC")
    d = bench.daemon()
    board.wait_open().say(stats(55))
    before = wait_for(lambda: only_miner(d) if only_miner(d)["KH/s"] == 55 else None, "it is heard")
    board.unplug()
    wait_for(lambda: only_miner(d)["status"] == "offline", "it is offline")
    bench.plug("ttyACM5", "1-1.4.2", NATIVE, serial="F0:F5:BD:4A:AB:CC").wait_open().hum(stats(77))
    after = wait_for(lambda: only_miner(d) if only_miner(d)["KH/s"] == 77 else None, "it is heard again")
    assert after["id"] == before["id"] and after["status"] == "online"


def test_18_replugged_before_anybody_looked(bench):
    """Out and in again within a moment, under another number: the old descriptor is not kept."""
    board = bench.plug("ttyUSB0", "1-1.2")
    d = bench.daemon(ALL)
    board.wait_open().say(stats(55))
    before = says(d, "1-1.2", 55)
    board.unplug()
    bench.plug("ttyUSB1", "1-1.2").wait_open().hum(stats(77))
    assert says(d, "1-1.2", 77)["id"] == before["id"]
    assert only_miner(d)["dev_path"] == "/dev/ttyUSB1"


def test_22_flapping(bench):
    """Comes and goes: tried ever more slowly, told once, others unharmed; calm again, it is read again."""
    steady = bench.plug("ttyUSB9", "1-1.3")
    d = bench.daemon(ALL)
    steady.wait_open().hum(stats(66))
    cycles = 12
    for i in range(cycles):
        board = bench.plug("ttyUSB0", "1-1.2")
        wait_found(d, "1-1.2")
        if i < 3:
            board.wait_open()
        else:  # opened after it, if it were its turn
            bench.plug(f"ttyACM{i}", f"1-2.{i}", NATIVE, serial=f"F0:F5:BD:4A:AB:{2 * i:02X}").wait_open().unplug()
        board.unplug()
        wait_for(lambda: found(d, "1-1.2") is None, "its end is seen")
    opens = [e for e in bench.edges("/dev/ttyUSB0") if e.what == "OPEN"]
    assert 3 <= len(opens) < cycles, f"{len(opens)} opens for {cycles} plugs"
    wait_events(d, "port.flapping")
    bench.plug("ttyUSB0", "1-1.2").wait_open().hum(stats(77))
    says(d, "1-1.2", 77)
    assert d.miner("1-1.3")["status"] == "online"
    wait_links(d, "1-1.3", ["up"])
