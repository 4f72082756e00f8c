"""DTR and RTS: what resets an ESP32, and what must not. Row 26 of the fault table.

The fixture `bench` asserts after every test of this folder that no line ever stood at DTR=0, RTS=1; here are the moments that are
dangerous, and the one reset that somebody asked for.
"""
import signal

import pytest

from bench import CH340, CP2102, NATIVE, config_text, options_lua, post_later, says, stats, wait_for, wait_links

ALL = options_lua(serial={"listen": "all"})
KINDS = [("ttyUSB0", CH340, None), ("ttyUSB1", CP2102, "0001"), ("ttyACM0", NATIVE, "F0:F5:BD:4A:AB:CC")]


def flock(bench):
    return [bench.plug(name, f"1-1.{i + 1}", kind, serial=serial) for i, (name, kind, serial) in enumerate(KINDS)]


def changes(edges):
    return [e for e in edges if e.before != e.after]


def opens(bench, board):
    return [e for e in bench.edges(f"/dev/{board.name}") if e.what == "OPEN"]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_26_restart(bench, how):
    """Ended and started again, cleanly and not: no edge but the kernel's own, which raises both lines together."""
    boards = flock(bench)
    first = bench.daemon(ALL)
    for board in boards:
        board.wait_open().hum(stats(55))
    for i in range(len(boards)):
        says(first, f"1-1.{i + 1}", 55)
    for board in boards:
        state = board.state()
        assert state["hupcl"] == 0, f"{board.name}: the kernel would drop the lines when the daemon is killed"
        assert (state["raw"], state["baud"]) == (1, 115200)
    first.stop(how)
    for board in boards:
        wait_for(lambda: not board.is_open(), f"{board.name} is closed")
    second = bench.daemon(ALL)
    for i, board in enumerate(boards):
        board.wait_open()
        says(second, f"1-1.{i + 1}", 55)
    for board in boards:
        assert [(e.what, e.before, e.after) for e in changes(bench.edges(f"/dev/{board.name}"))] == [("OPEN", "00", "11")]
        assert len(opens(bench, board)) == 2


def test_26_killed_again_and_again(bench):
    """Killed at ten moments of its start, while ports are being opened: never half a change of the lines."""
    boards = flock(bench)
    for i in range(10):
        d = bench.daemon(ALL, start=False).start(wait=False)
        n = len(bench.edges())
        wait_for(lambda: len(bench.edges()) >= n + i, f"{i} steps of opening")
        d.stop(signal.SIGKILL)
    bench.daemon(ALL)
    for board in boards:
        board.wait_open()
        assert len(changes(bench.edges(f"/dev/{board.name}"))) <= 1 + 2 * 10


def test_26_nothing_is_ever_written_to_a_board(bench):
    """A miner's console may have commands. Nothing is sent to it, so nothing can fill up and block either (row 25)."""
    boards = flock(bench)
    d = bench.daemon(ALL)
    for board in boards:
        board.wait_open().hum(stats(55))
    for i, board in enumerate(boards):
        says(d, f"1-1.{i + 1}", 55)
        assert board.heard() == b""
    assert d.stop() == 0
    assert [board.heard() for board in boards] == [b""] * len(boards)


def test_26_the_board_says_that_it_booted(bench):
    """Its own boot banner is a reset (the counters begin anew), whoever caused it."""
    board = bench.plug("ttyUSB0", "1-1.2")
    d = bench.daemon(ALL)
    board.wait_open().say(stats(55))
    says(d, "1-1.2", 55)
    board.say("ets Jul 29 2019 12:21:46\r\n\r\nrst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\n")
    d.wait_miner("1-1.2", lambda m: m["status"] == "resetting", "boots")
    board.hum(stats(77))
    says(d, "1-1.2", 77)
    wait_links(d, "1-1.2", ["up"])


def test_26_deassert_is_one_request(bench):
    """Boards that hang in reset while a port is open: both lines go low together."""
    board = bench.plug("ttyUSB0", "1-1.2")
    d = bench.daemon(ALL + 'miners = { { id = "BARE-01", source = "serial", path = "/dev/ttyUSB0", dtr_rts = "deassert" } }\n')
    board.wait_open().hum(stats(55))
    says(d, "BARE-01", 55)
    assert [(e.what, e.after) for e in changes(bench.edges("/dev/ttyUSB0"))] == [("OPEN", "11"), ("SET", "00")]
    d.stop()
    assert bench.edges("/dev/ttyUSB0")[-1].after == "00"


def reset(daemon, board, serial=None):
    """Reset and capture, as the original's page asks for it."""
    return post_later(daemon, "/miners/action", {
        "action": "reset_capture", "dev_path": f"/dev/{board.name}", "port_path": board.where,
        "serial_number": serial or f"PORT_{board.where}_VID_1a86", "miner_db_id": None})


@pytest.mark.resets
@pytest.mark.parametrize("kind,serial,name,least_ms", [(CH340, None, "ttyUSB0", 100),
                                                       (NATIVE, "F0:F5:BD:4A:AB:CC", "ttyACM0", 200)])
def test_26_a_reset_that_was_asked_for(bench, kind, serial, name, least_ms):
    """One pulse: DTR=0, RTS=1 by one request, 100 ms (200 on native USB), then RTS=0; never DTR=1 with RTS=0 (boot loader)."""
    board = bench.plug(name, "1-1.2", kind, serial=serial)
    d = bench.daemon(ALL)
    board.wait_open().hum(stats(55))
    says(d, "1-1.2", 55)
    n = len(bench.edges())
    answer = reset(d, board, serial)
    wait_for(lambda: [e.after for e in changes(bench.edges()[n:])][2:], "the pulse is over")
    board.hum("")
    board.say(config_text("bc1qmadeup0shepherd7barn5flock3wool9meadow2"))
    status, body = answer()
    assert status == 200 and body["success"], body
    assert body["data"]["pool_url"] == "pool.example.org:3333", body
    pulse = changes(bench.edges()[n:])
    assert [(e.what, e.after) for e in pulse[:2]] == [("SET", "01"), ("SET", "00")], pulse
    assert least_ms * 1000 <= pulse[1].at_us - pulse[0].at_us, pulse
    assert [(e.what, e.after) for e in pulse[2:]] == [("SET", "11")], "and both up again together, as they were before"
    assert board.state()["hupcl"] == 0
    assert board.is_open()


@pytest.mark.resets
def test_26_a_reset_that_blocks_holds_up_nobody(bench):
    """The requests of a device that is going away block for seconds: pages are served and other boards read meanwhile."""
    board, other = bench.plug("ttyUSB0", "1-1.2"), bench.plug("ttyUSB1", "1-1.3")
    d = bench.daemon(ALL)
    board.wait_open().hum(stats(55))
    other.wait_open().hum(stats(66))
    says(d, "1-1.2", 55)
    bench.hold("pulse", "ttyUSB0")
    answer = reset(d, board)
    wait_for(lambda: bench.edges("/dev/ttyUSB0")[-1].after == "01", "it is held in reset")
    other.hum(stats(67))
    says(d, "1-1.3", 67)
    bench.let_go("pulse", "ttyUSB0")
    wait_for(lambda: bench.edges("/dev/ttyUSB0")[-1].after == "11", "the pulse is over")
    board.hum(config_text("bc1qmadeup0shepherd7barn5flock3wool9meadow2") + stats(77))
    assert answer()[0] == 200


@pytest.mark.resets
def test_26_killed_while_it_resets(bench):
    """The kernel lets both lines go when the daemon is killed in the middle of a pulse: no board is held until somebody pulls it."""
    board = bench.plug("ttyUSB0", "1-1.2")
    d = bench.daemon(ALL)
    board.wait_open().hum(stats(55))
    says(d, "1-1.2", 55)
    bench.hold("pulse", "ttyUSB0")
    reset(d, board)
    wait_for(lambda: bench.edges("/dev/ttyUSB0")[-1].after == "01", "it is held in reset")
    assert board.state()["hupcl"] == 1, "the kernel would leave it held"
    d.stop(signal.SIGKILL)
    bench.let_go("pulse", "ttyUSB0")
    wait_for(lambda: not board.is_open(), "it is closed")
    bench.daemon(ALL)
    board.wait_open().hum(stats(77))
    wait_for(lambda: board.state()["hupcl"] == 0, "and the lines stay again")
    assert bench.edges("/dev/ttyUSB0")[-1].after == "11"
