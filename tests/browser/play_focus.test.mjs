// What interrupts /play, without a browser and with a clock of its own.

import assert from "node:assert/strict";
import { test } from "node:test";

import { static_import } from "./lib/static.mjs";

const { focus_make, share_text } = await static_import("play_focus.js");
const { words_fill } = await static_import("play_panel.js");

/** A focus whose time passes by pass(ms); `stolen` lists what it wanted. */
function make(kinds = ["offline", "best_share", "block_found"]) {
    let now_ms = 0;
    let due = [];
    const stolen = [];
    const focus = focus_make({
        steal: (news) => stolen.push(news),
        kinds: () => new Set(kinds),
        now: () => now_ms,
        later: (then, ms) => due.push({ then, at_ms: now_ms + ms }),
    });
    const pass = (ms) => {
        now_ms += ms;
        const ready = due.filter(({ at_ms }) => at_ms <= now_ms);
        due = due.filter(({ at_ms }) => at_ms > now_ms);
        for (const { then } of ready) then();
    };
    const hear = (event, miner_id, more = {}) =>
        focus.hear({ event, miner_id, miner: `BARN-0${miner_id}`, value: null, text: null, at_ms: 1, ...more });
    return { focus, stolen, pass, hear };
}

const OFFLINE = { text: "online > offline" };

test("a miner goes offline: told once, after it stayed away", () => {
    const { stolen, pass, hear } = make();
    pass(20_000);
    hear("link.down", 1, { text: "unplugged" });
    hear("miner.status", 1, OFFLINE);
    pass(4000);
    assert.deepEqual(stolen, []);
    pass(1000);
    assert.deepEqual(stolen, [{ kind: "offline", miners: ["BARN-01"] }]);
    hear("link.up", 1);
    hear("miner.status", 1, OFFLINE);
    pass(60_000);
    assert.equal(stolen.length, 1, "one that comes and goes is not news each time");
    pass(600_000);
    hear("link.down", 1);
    pass(5000);
    assert.equal(stolen.length, 2);
});

test("replugged within seconds: nothing", () => {
    const { stolen, pass, hear } = make();
    pass(20_000);
    hear("miner.status", 1, OFFLINE);
    hear("miner.status", 2, OFFLINE);
    pass(2000);
    hear("link.up", 1);
    hear("miner.status", 2, { text: "offline > online" });
    pass(10_000);
    assert.deepEqual(stolen, []);
});

test("a storm is one message", () => {
    const { stolen, pass, hear } = make();
    pass(20_000);
    for (let id = 1; id <= 9; id++) hear("miner.status", id, OFFLINE);
    pass(5000);
    assert.equal(stolen.length, 1);
    assert.equal(stolen[0].miners.length, 9);
});

test("not at the start, and not when the daemon starts again", () => {
    const { stolen, pass, hear, focus } = make();
    hear("miner.status", 1, OFFLINE);
    pass(20_000);
    hear("miner.status", 2, OFFLINE);
    hear("daemon.start", null);
    hear("miner.status", 3, OFFLINE);
    pass(9000);
    hear("miner.status", 4, OFFLINE);
    pass(60_000);
    focus.started();
    hear("link.down", 5);
    pass(60_000);
    assert.deepEqual(stolen, []);
    hear("link.down", 5);
    pass(5000);
    assert.equal(stolen.length, 1);
});

test("best shares: the better one, and after a minute any", () => {
    const { stolen, pass, hear } = make();
    const shares = () => stolen.map(({ value }) => value);
    hear("share.best", 1, { value: 100 });
    hear("share.best", 2, { value: 50 });
    hear("share.best", 2, { value: 200 });
    pass(60_000);
    hear("share.best", 3, { value: 10 });
    hear("share.best", 4, { value: null });
    assert.deepEqual(shares(), [100, 200, 10]);
});

test("a block at any time; what is not wanted does not come", () => {
    const { stolen, hear } = make();
    hear("block.found", 2, { at_ms: 77 });
    assert.deepEqual(stolen, [{ kind: "block_found", miner: "BARN-02", at_ms: 77 }]);
    const nothing = make([]);
    nothing.pass(20_000);
    for (const event of ["block.found", "link.down", "share.best"]) nothing.hear(event, 1, { value: 5 });
    nothing.pass(20_000);
    assert.deepEqual(nothing.stolen, []);
});

test("shares as people say them; a name is no template", () => {
    const said = [0.0123, 812.4, 999.97, 1234567, 12.34e6, 5e20].map(share_text);
    assert.deepEqual(said, ["0.0123", "812.4", "1K", "1.235M", "12.34M", "500E"]);
    assert.equal(words_fill("{miner} is offline {what}", { miner: "{count}$&" }), "{count}$& is offline {what}");
});
