"""Ports that cannot be opened, that block, and boards that say rubbish. Rows 23, 24, 25, 27, 28 of the fault table."""
import ctypes
import grp
import os
import random
import signal

import pytest

from bench import miner_lua, options_lua, post_later, run, says, stats, wait_for, wait_links

ALL = options_lua(serial={"listen": "all"})
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2


def without_rights():
    """Root, but permissions hold for it as for everybody: nothing to do for a user who is not root."""
    prctl = ctypes.CDLL(None).prctl
    for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
        prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


def test_23_permission_denied(bench):
    """Not in the port's group: says which group and the command; works as soon as it may."""
    board = bench.plug("ttyUSB0", "1-1.2")
    gid = grp.getgrnam("dialout").gr_gid if os.getuid() == 0 else -1
    board.mode("0060", gid)
    group = grp.getgrgid(os.stat(f"/dev/pts/{board.state()['pts']}").st_gid).gr_name
    d = bench.daemon(ALL, preexec=without_rights)
    m = d.wait_miner("1-1.2", lambda m: m["why"] and "permission" in m["why"], "is denied")
    assert m["status"] == "offline"
    assert f"group {group}" in m["why"] and "adduser" in m["why"] and f" {group}`" in m["why"], m["why"]
    board.mode("0660", -1)
    board.wait_open().hum(stats(55))
    says(d, "1-1.2", 55)


def test_24_busy(bench):
    """Another program has the port: named with its pid; taken as soon as it is free; and ours is locked against others."""
    board = bench.plug("ttyUSB0", "1-1.2")
    board.lock()
    d = bench.daemon(ALL)
    m = d.wait_miner("1-1.2", lambda m: m["why"] and "in use" in m["why"], "is in use")
    assert m["status"] == "offline" and f"plugger (pid {bench.process.pid})" in m["why"], m["why"]
    state = board.state()
    assert (state["hupcl"], state["baud"]) == (1, -1), "the other program's port was set up under it"
    board.unlock()
    wait_for(lambda: d.miner("1-1.2")["why"] is None, "it is taken over")
    assert (board.state()["hupcl"], board.state()["baud"]) == (0, 115200)
    board.hum(stats(55))
    says(d, "1-1.2", 55)
    assert board.is_exclusive(), "programs that do not ask for locks are kept out as well"
    with pytest.raises(AssertionError, match="error lock"):
        board.lock()


def test_25_open_blocks(bench):
    """A port whose open() blocks stops nobody: the others are opened, pages are served."""
    stuck = bench.plug("ttyUSB0", "1-1.1")
    bench.hold("open", "ttyUSB0")
    others = [bench.plug(f"ttyUSB{i}", f"1-1.{i + 1}") for i in (1, 2, 3)]
    d = bench.daemon(ALL)
    for i, board in enumerate(others):
        board.wait_open().hum(stats(60 + i))
    for i in range(3):
        says(d, f"1-1.{i + 2}", 60 + i)
    assert not stuck.is_open()
    bench.let_go("open", "ttyUSB0")
    stuck.wait_open().hum(stats(55))
    says(d, "1-1.1", 55)


def test_25_many_opens_block(bench):
    """More of them than the daemon has threads for other work: each says so, all else goes on: ports, passwords, the end."""
    stuck = [bench.plug(f"ttyUSB{i}", f"1-1.{i + 1}") for i in range(6)]
    for board in stuck:
        bench.hold("open", board.name)
    d = bench.daemon(ALL, start=False)
    assert run("passwd", "--data-dir", d.data, stdin="a good password\n")[0] == 0
    d.start()
    for i in range(6):
        d.wait_miner(f"1-1.{i + 1}", lambda m: m["why"] and "opening it hangs" in m["why"], "says that it hangs")
    bench.plug("ttyUSB9", "1-2").wait_open().hum(stats(55))
    says(d, "1-2", 55)
    status, body = post_later(d, "/login", {"user": "admin", "password": "a good password"})()
    assert status == 200 and body["success"], body
    for board in stuck[:3]:
        bench.let_go("open", board.name)
        board.wait_open()
    assert all(not board.is_open() for board in stuck[3:])
    assert d.stop(signal.SIGTERM) == 0


def test_25_unplugged_while_open_blocks(bench):
    """What comes back from an open() that took too long is not taken for the board that is there by then."""
    stuck = bench.plug("ttyUSB0", "1-1.1")
    bench.hold("open", "ttyUSB0")
    d = bench.daemon(ALL)
    wait_for(lambda: d.miner("1-1.1"), "it is seen")
    stuck.unplug()
    again = bench.plug("ttyUSB1", "1-1.1")
    bench.let_go("open", "ttyUSB0")
    again.wait_open().hum(stats(55))
    says(d, "1-1.1", 55)
    assert d.miner("1-1.1")["dev_path"] == "/dev/ttyUSB1"


def test_25_ends_though_open_blocks(bench):
    """A blocked open() does not keep the daemon from its end: clean, and nothing that was heard is lost."""
    board = bench.plug("ttyUSB1", "1-1.2")
    d = bench.daemon(ALL)
    board.wait_open().say(stats(55))
    miner = says(d, "1-1.2", 55)
    bench.hold("open", "ttyUSB0")
    bench.plug("ttyUSB0", "1-1.1")
    wait_for(lambda: d.miner("1-1.1"), "it is seen")
    board.say(stats(77))
    says(d, "1-1.2", 77)
    assert d.stop(signal.SIGTERM) == 0
    assert "does not answer" in d.log
    lines = [r[0] for r in d.rows("SELECT line FROM miner_logs WHERE miner_id = ?", miner["id"])]
    assert any("77.00" in line for line in lines)
    assert d.rows("SELECT count(*) FROM events WHERE event = 'daemon.stop'")[0][0] == 1


def test_27_garbage(bench):
    """Binary rubbish, ROM text at another speed, NULs: the parser finds its feet at the next line; what is stored is text."""
    board = bench.plug("ttyUSB0", "1-1.2")
    d = bench.daemon(ALL)
    board.wait_open().say(stats(55))
    miner = says(d, "1-1.2", 55)
    rubbish = random.Random(27)
    for _ in range(50):
        # From 1: the plugger's words end at NUL; the unit tests of the splitter have it.
        noise = bytes(rubbish.randrange(1, 256) for _ in range(200))
        board.say(noise)
    board.say("\n" + stats(77))
    says(d, "1-1.2", 77)
    d.herd()
    board.say("<script>alert(1)</script>\x1b[2J end of garbage\n")
    def stored():
        return [r[0] for r in d.rows("SELECT line FROM miner_logs WHERE miner_id = ?", miner["id"])]
    wait_for(lambda: any("end of garbage" in line for line in stored()), "its lines are stored")
    for line in stored():
        assert line.encode("utf-8")
    page = d.text("/raw_logs")
    assert "<script>alert(1)" not in page and "\x1b" not in page
    wait_links(d, "1-1.2", ["up"])


def test_28_a_line_without_end(bench):
    """4 MB without a line end: cut at 16 KiB, the rest dropped, no memory; the next line is whole, others go on."""
    board, other = bench.plug("ttyUSB0", "1-1.2"), bench.plug("ttyUSB1", "1-1.3")
    d = bench.daemon(ALL)
    other.wait_open().hum(stats(66))
    board.wait_open().say(stats(55))
    miner = says(d, "1-1.2", 55)
    before = memory_kb(d)
    assert board.flood(4 << 20, "0123456789abcdef") == 4 << 20
    board.say("\n" + stats(77))
    says(d, "1-1.2", 77)
    assert memory_kb(d) - before < 64 << 10, "the daemon keeps what it should drop"
    def longest():
        return d.rows("SELECT max(length(CAST(line AS BLOB))) FROM miner_logs WHERE miner_id = ?", miner["id"])[0][0]
    wait_for(lambda: longest() > 1000, "its beginning is stored")
    assert longest() <= 16 << 10
    says(d, "1-1.3", 66)


def memory_kb(daemon):
    with open(f"/proc/{daemon.process.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


def test_two_miners_of_the_file_by_their_links(bench):
    """The file may name a port by udev's links; one that is not there yet is opened when it comes."""
    links = [f"/dev/serial/by-path/pci-0000:00:14.0-usb-0:1.{i}:1.0-port0" for i in (1, 2)]
    first = bench.plug("ttyUSB0", "1-1.1")
    d = bench.daemon(options_lua(serial={"listen": "known"}) + "miners = {\n" + miner_lua("ONE", links[0]) +
                     miner_lua("TWO", links[1]) + "}\n")
    first.wait_open().hum(stats(55))
    says(d, "ONE", 55)
    assert "no such port" in d.miner("TWO")["why"]
    bench.plug("ttyUSB1", "1-1.2").wait_open().hum(stats(66))
    says(d, "TWO", 66)
    assert d.herd()["herd_stats"]["total_miners"] == 2
