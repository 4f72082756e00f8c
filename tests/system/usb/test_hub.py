"""Forty boards on hubs that brown out: gone at once, back in another order. Row 21 of the fault table."""
import random

from bench import CH340, NATIVE, accept, events, options_lua, stats, wait_events, wait_for, wait_links

N = 40


def mac(i):
    return f"F0:F5:BD:4A:00:{i * 2:02X}"


def place(i):
    return f"1-{1 + i // 7}.{1 + i % 7}"


def plug(bench, i, number):
    """Every other one is native and known by its MAC, the others are CH340 and known by their place."""
    if i % 2:
        return bench.plug(f"ttyACM{number}", place(i), NATIVE, serial=mac(i))
    return bench.plug(f"ttyUSB{number}", place(i), CH340)


def test_21_forty_at_once(bench):
    """One event when they go and one when they are back, not forty; opened one after the other; each under its own name."""
    boards = [plug(bench, i, i) for i in range(N)]
    d = bench.daemon(options_lua(serial={"listen": "all"}))
    for i, board in enumerate(boards):
        board.wait_open().hum(stats(100 + i), every_ms=500)
    for i in range(N):
        accept(d, place(i), f"SHEEP-{i:02}")

    def each_its_own(first):
        return {m["miner_id"]: m["KH/s"] for m in d.herd()["miners_list"]} == {f"SHEEP-{i:02}": first + i for i in range(N)}
    wait_for(lambda: each_its_own(100), "each is read under its own name")
    ids = {m["miner_id"]: m["id"] for m in d.herd()["miners_list"]}
    wait_events(d, "link.up", N)

    bench.unplug_all(boards)
    wait_for(lambda: d.herd()["herd_stats"]["online_miners"] == 0, "all are offline")
    wait_events(d, "ports.lost")
    n_edges = len(bench.edges())
    order = list(range(N))
    random.Random(21).shuffle(order)
    bench.mute()  # all are there when the first is told of
    back = {i: plug(bench, i, number) for number, i in enumerate(order)}
    bench.unmute()
    back[0].event("add")
    for i, board in back.items():
        board.wait_open().hum(stats(200 + i), every_ms=500)
    wait_for(lambda: each_its_own(200), "each is read under its own name again")
    assert {m["miner_id"]: m["id"] for m in d.herd()["miners_list"]} == ids
    wait_events(d, "ports.back")
    lost, = events(d, "ports.lost")
    assert "40" in lost["text"], lost
    opens = sorted(e.at_us for e in bench.edges()[n_edges:] if e.what == "OPEN")
    assert len(opens) == N, "each is opened once"
    assert opens[-1] - opens[0] >= (N - 1) * 40_000, f"all within {(opens[-1] - opens[0]) / 1000} ms"

    back[7].unplug()  # what is told after all that
    told, = wait_events(d, "link.down")
    assert told["miner"] == "SHEEP-07", "the forty are not told one by one"
    assert len(events(d, "link.up")) == N, f"nor when they come back; log:\n{d.log}"


def test_21_one_stays_away(bench):
    """Eight go at once, seven come back: the eighth is offline, and told of by itself."""
    boards = [plug(bench, i, i) for i in range(8)]
    d = bench.daemon(options_lua(serial={"listen": "all"}))
    for i, board in enumerate(boards):
        board.wait_open().hum(stats(100 + i))
    wait_for(lambda: d.herd()["herd_stats"]["online_miners"] == 8, "all are read")
    names = {m["KH/s"]: m["miner_id"] for m in d.herd()["miners_list"]}
    bench.unplug_all(boards)
    wait_for(lambda: d.herd()["herd_stats"]["online_miners"] == 0, "all are offline")
    for i in range(7):
        plug(bench, i, i).wait_open().hum(stats(200 + i))
    wait_for(lambda: d.herd()["herd_stats"]["online_miners"] == 7, "seven are back")
    told, = wait_events(d, "ports.back")
    assert "7" in told["text"] and "8" in told["text"], told
    assert d.miner(names[107])["status"] == "offline"


def test_21_few_are_told_one_by_one(bench):
    """Two boards pulled by hand are no brown-out."""
    boards = [plug(bench, i, i) for i in range(2)]
    d = bench.daemon(options_lua(serial={"listen": "all"}))
    for i, board in enumerate(boards):
        board.wait_open().hum(stats(100 + i))
    wait_for(lambda: d.herd()["herd_stats"]["online_miners"] == 2, "both are read")
    names = [m["miner_id"] for m in d.herd()["miners_list"]]
    bench.unplug_all(boards)
    for name in names:
        wait_links(d, name, ["up", "down"])
    assert not events(d, "ports.lost")
