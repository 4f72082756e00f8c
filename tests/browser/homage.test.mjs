// The NerdMiner homage and the digital stream: the device's formats, the grid's and the rain's life.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { axe, browser_launch, is_marked, mark, page_of, page_open, settled, SIZES, until, wait_text } from "./lib/browser.mjs";
import { daemon_make, pty_open } from "./lib/daemon.mjs";
import { login, statistics } from "./lib/nerdminer.mjs";
import { qr_read } from "./lib/qr.mjs";

const SCREENS = ["miner", "clock", "global", "price", "grid", "setup"];

// The number rules of the device, and the two screens that need a price, with one that we made up.
const FORMATS = `
local device = require "partials.nerdminer.device"
local function each(fn, ...) local out = {} for i, v in ipairs { ... } do out[i] = fn(v) end return out end
local usd = { price_usd = 68432.4 }
return {
    hashrate = each(function(v) return table.concat({ device.hashrate(v) }, " ") end, 78500, 99990, 133750, 1653000, 9999499, 12345678, 5e12),
    suffix = each(device.suffix, 0, 0.0123, 5.07, 12.5, 812.4, 1234, 12340, 123400000, 4.2e9),
    uptime = each(device.uptime, 0, 3723, 93784),
    supply = each(device.supply, 0, 209999, 210000, 840000, 6929999),
    price = { device.price(usd), device.price_exact(usd), device.sats_for_one(usd), device.market_cap(usd, 840000),
              device.price { price = 61000.2, currency = "chf", price_usd = 1 } },
    network = { device.network_difficulty(109.78e12), device.exahash(812.4e18), device.million(123456789) },
    unknown = { device.hashrate(nil), device.suffix(nil), device.uptime(nil), device.whole(nil), device.price(nil),
                device.market_cap(usd, nil), device.network_difficulty(nil), device.exahash(nil), device.sats_for_one {} },
}`;
const NETWORK = `<% layout("partials/screen", { title = "n", path = "/n", class = "nerd", scripts = { "nerdminer.js" } })
local device = require "partials.nerdminer.device"
local data = { f = device.figures(), price = { price_usd = 68432.4 }, network = { height = 871234, difficulty = 109.78e12,
    hashrate = 812.4e18, fee_half_hour = 12, halving_blocks = 178766, halving_percent = 50, tip_at_ms = 1 } } %>
<h1 class="sr-only">n</h1><div id="nerd">
<% for _, name in ipairs { "clock", "global", "price", "grid" } do %>
<section id="nerd-<%= name %>"><svg class="nerd-stage" viewBox="0 0 320 170"><%- include("partials/nerdminer/" .. name, data) %></svg></section>
<% end %></div>`;

let browser, barn, shed, daemon, empty;
before(async () => {
    browser = await browser_launch();
    [barn, shed] = await Promise.all([pty_open(), pty_open()]);
    daemon = daemon_make({
        miners: [
            { id: "BARN-01", link: barn.link },
            { id: "SHED-02", link: shed.link },
        ],
        views: { "api/formats.lua": FORMATS, "n.html": NETWORK },
    });
    empty = daemon_make();
    await Promise.all([daemon.start(), empty.start()]);
    barn.say(...login("bc1qexample.left"), ...statistics({ khs: 78.5, best: "12.34K", templates: 5, shares: 2, celsius: 51, seconds: 3723 }));
    shed.say(...login("bc1qexample.right"), ...statistics({ khs: 55.25, best: "845.2", templates: 7, shares: 1, celsius: 64, seconds: 93784 }));
    await herd_has((stats) => stats.total_block_templates === 12 && stats.total_shares === 3 && stats.online_miners === 2);
});
after(async () => {
    await browser?.close();
    await Promise.all([daemon?.remove(), empty?.remove()]);
    await Promise.all([barn?.close(), shed?.close()]);
});

async function herd_has(fits) {
    const deadline = performance.now() + 20_000;
    while (!fits((await daemon.json("/api/herd_data")).herd_stats)) {
        if (performance.now() > deadline) throw new Error("the herd is not as it should be");
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
}

const open = (t, url, options) => page_of(t, browser, url, options);

/** What a screen shows, by the names of its figures; spaces as they are. */
function figures(page, screen) {
    return page.evaluate((screen) => {
        const nodes = document.querySelectorAll(`#nerd-${screen} [data-figure]`);
        return Object.fromEntries([...nodes].map((node) => [node.dataset.figure, node.textContent]));
    }, screen);
}

/** The device's way with numbers, once more, for figures of the API. */
const by_size = (khs) => khs.toFixed(khs > 999.94 ? 0 : khs > 99.994 ? 1 : 2);

test("numbers are written as the device writes them", async () => {
    const said = await daemon.json("/api/formats");
    assert.deepEqual(said.hashrate, ["78.50 KH/s", "99.99 KH/s", "133.8 KH/s", "1653 KH/s", "9999 KH/s", "12.35 MH/s", "5000 GH/s"]);
    assert.deepEqual(said.suffix, ["0.0000", "0.0123", "5.0700", "12.500", "812.40", "1.234K", "12.34K", "123.4M", "4.200G"]);
    assert.deepEqual(said.uptime, ["0  00:00:00", "0  01:02:03", "1  02:03:04"]);
    assert.deepEqual(said.supply.map((btc) => Math.round(btc * 1e8)), [5e9, 1050000e9, 1050002.5e9, 1968750312500000, 2099999997690000]);
    assert.deepEqual(said.price, ["$68432", "$68432.40", "1461 sats", "$1.35T", "61000 CHF"]);
    assert.deepEqual(said.network, ["109.78T", "812.4", "123"]);
    assert.ok(said.unknown.every((text) => text === "–" || text === "KH/s"), said.unknown.join());
});

test("MINER and CLOCK show the herd's figures", async (t) => {
    const page = await open(t, `${daemon.url}/dash/nerdminer?screen=miner`);
    await settled(page);
    const { herd_stats: stats, miners_list: miners } = await daemon.json("/api/herd_data");
    const shown = await figures(page, "miner");
    assert.equal(shown.hashrate, by_size(stats.total_hash_khs));
    assert.equal(shown.hashrate, "133.8");
    assert.equal(shown.templates, String(stats.total_block_templates));
    assert.equal(shown.shares, String(stats.total_shares));
    assert.equal(shown.best, "12.34K");
    assert.equal(stats.best_difficulty, 12340);
    assert.equal(shown.valid, "0");
    assert.equal(shown.temperature, "64");
    const million = miners.reduce((sum, miner) => sum + miner["Total MHashes"], 0);
    assert.equal(shown.million, String(Math.floor(million)));
    assert.match(shown.uptime, /^1 {2}02:0\d:\d\d$/, "that of the miner which runs longest");
    const clock = await open(t, `${daemon.url}/dash/nerdminer?screen=clock&timezone=Asia/Tokyo`, { timezoneId: "UTC" });
    await until(clock, () => /^\d\d:\d\d$/.test(document.querySelector(".nerd-time").textContent));
    const tokyo = new Intl.DateTimeFormat("en", { hour: "2-digit", hourCycle: "h23", timeZone: "Asia/Tokyo" });
    const hour = await clock.textContent(".nerd-time");
    assert.ok([Date.now(), Date.now() - 60_000].some((at) => tokyo.format(at) === hour.slice(0, 2)), hour);
    assert.equal((await figures(clock, "clock")).hashrate, "133.8");
    assert.equal((await figures(clock, "clock")).height, "–", "what nobody said is not 0");
});

test("one miner by its name; its uptime ticks; a line changes the figures in place", async (t) => {
    const page = await open(t, `${daemon.url}/dash/nerdminer?screen=miner&miner=BARN-01`);
    await settled(page);
    await mark(page);
    assert.equal((await figures(page, "miner")).hashrate, "78.50");
    const uptime = (await figures(page, "miner")).uptime;
    assert.match(uptime, /^0 {2}01:0\d:\d\d$/);
    await until(page, (was) => document.querySelector("[data-uptime]").textContent !== was, uptime);
    barn.say(...statistics({ khs: 81.25, best: "12.34K", templates: 5, shares: 2, celsius: 51, seconds: 3724 }));
    await wait_text(page, "#nerd-miner [data-figure=hashrate]", "81.25");
    assert.equal((await figures(page, "miner")).hashrate, "81.25", "the name is not hidden in it");
    assert.ok(await is_marked(page));
    const stranger = await open(t, `${daemon.url}/dash/nerdminer?miner=NOBODY`);
    await wait_text(stranger, "#nerd-waiting", "NOBODY");
});

test("GLOBAL, PRICE and GRID show the network and the price", async (t) => {
    const page = await page_open(browser, `${daemon.url}/n`); // an edited page: it may use inline styles
    t.after(() => page.context().close());
    const text = (screen) => page.evaluate((screen) => document.querySelector(`#nerd-${screen}`).textContent.replace(/\s+/g, " "), screen);
    const world = await figures(page, "global");
    assert.deepEqual([world.height, world.difficulty, world.world], ["871234", "109.78T", "812.4"]);
    assert.equal(await page.getAttribute("#nerd-global .nerd-bar", "width"), "69.0", "half of 138");
    for (const words of ["$68432", "MEDIUM FEE", "12 sat/vB", "CURRENT BLOCK", "HALVING", "178766 BLOCKS", "GLOBAL HASHRATE", "EH/s"]) {
        assert.ok((await text("global")).includes(words), words);
    }
    assert.ok((await text("price")).includes("$68432"));
    assert.equal((await figures(page, "price")).height, "871234");
    assert.ok((await text("clock")).includes("$68432"));
    const grid = await figures(page, "grid");
    assert.deepEqual([grid.price, grid.cap, grid.sats, grid.difficulty], ["$68432.40", "$1.35T", "1461 sats", "109.78T"]);
    await until(page, () => /Last block found: \d+ d ago/.test(document.querySelector("#nerd-grid").textContent));
});

test("a click is the device's button, keys choose, m opens the menu, time turns the page", async (t) => {
    const page = await open(t, `${daemon.url}/dash/nerdminer?screen_s=600`);
    await settled(page);
    const shown = () => page.locator(".nerd-screen:visible").getAttribute("data-screen");
    assert.equal(await shown(), "miner");
    for (const name of ["clock", "global", "price", "grid", "miner"]) {
        await page.mouse.click(300, 300);
        assert.equal(await shown(), name);
    }
    await page.keyboard.press("4");
    assert.equal(await shown(), "price");
    await page.keyboard.press("m");
    await page.locator("#menu").waitFor({ state: "visible" });
    const turning = await open(t, `${daemon.url}/dash/nerdminer?screen_s=2`);
    await until(turning, () => document.documentElement.dataset.nerd === "clock");
});

test("a share on the wire lights a cell of the grid, which fades; a quiet flock leaves it dark", async (t) => {
    const page = await open(t, `${daemon.url}/dash/nerdminer?screen=grid`);
    await settled(page);
    const lit = () => document.querySelectorAll("#nerd-cells [fill]").length;
    await until(page, () => document.querySelectorAll("#nerd-cells [fill]").length === 0); // from the login
    assert.equal(await page.locator("#nerd-cells rect").count(), 256);
    barn.say(
        '  Sending  : {"id":5,"method":"mining.submit","params":["bc1qexample.left","a1b2c3","00000001","692529a1","f6be6abf"]}',
        "   - Current diff share: 2.500000000000",
        "   - Current pool diff : 0.000150000000",
        "   - TX SHARE: 0d7c1c1e21862ab8a18a8902073fec8df4f50947aaeb26c57d21fa5d32820000",
        '  Receiving: {"id":5,"error":null,"result":true}',
    );
    await until(page, () => document.querySelector('#nerd-cells [fill="#fde047"], #nerd-cells [fill="#fbbf24"]') !== null);
    assert.ok((await page.evaluate(lit)) <= 3, "submitted, accepted, perhaps the best: no more than happened");
    await until(page, () => document.querySelectorAll("#nerd-cells [fill]").length === 0);
});

test("without a miner the device waits", async (t) => {
    const page = await open(t, `${empty.url}/dash/nerdminer`);
    await wait_text(page, "#nerd-waiting", "WAITING FOR A MINER");
    const matrix = await open(t, `${empty.url}/dash/matrix`);
    await until(matrix, () => document.querySelector("#online-miners").textContent === "0 / 0");
});

test("a display that is not wide has the strip: the herd's best, who reports, their hash rate", async (t) => {
    for (const [width, height, has_strip] of [[480, 320, true], [640, 480, true], [390, 844, true], [800, 480, false], [1280, 720, false]]) {
        const page = await open(t, `${daemon.url}/dash/nerdminer?screen=clock&miner=BARN-01`, { viewport: { width, height } });
        assert.equal(await page.locator(".nerd-strip").isVisible(), has_strip, `${width}x${height}`);
        if (!has_strip) continue;
        const [stage, strip] = await Promise.all([".nerd-stage", ".nerd-strip"].map((each) => page.locator(each).boundingBox()));
        assert.ok(strip.y >= stage.y + stage.height - 1, "below the stage");
        assert.ok(Math.abs(stage.width - width) < 1 && strip.y + strip.height <= height + 0.5, "nothing gets smaller for it");
        const words = await page.locator(".nerd-strip :is(dt, dd)").evaluateAll((nodes) => nodes.map((node) => node.getBoundingClientRect().toJSON()));
        for (const word of words) assert.ok(word.top >= strip.y && word.bottom <= strip.y + strip.height, "no word is cut");
    }
    const page = await open(t, `${daemon.url}/dash/nerdminer?miner=BARN-01`, { viewport: { width: 640, height: 480 } });
    const { herd_stats: stats } = await daemon.json("/api/herd_data");
    const said = await page.locator(".nerd-strip dd").allTextContents();
    assert.equal(stats.best_difficulty, 12340);
    assert.deepEqual(said, ["12.34K", String(stats.online_miners), `${by_size(stats.total_hash_khs)} KH/s`]);
});

test("a miner that waits for its Wi-Fi comes first, with its network as a QR code, until it has one", async (t) => {
    const gate = await pty_open();
    const waits = daemon_make({ miners: [{ id: "GATE-03", link: gate.link }] });
    let page;
    t.after(async () => {
        await page?.context().close(); // first: it would miss its daemon
        await waits.remove();
        await gate.close();
    });
    await waits.start();
    gate.say("NerdMiner v2 starting......", "Entered Configuration Mode", 'Config SSID: Shed;"2"', "Config IP Address: 192.168.4.1");
    page = await page_open(browser, `${waits.url}/dash/nerdminer?screen_s=600`, { viewport: { width: 480, height: 320 } });
    await wait_text(page, "#nerd-setup", "GATE-03");
    await wait_text(page, "#nerd-setup", 'WIFI SSID: Shed;"2"');
    await page.reload();
    assert.equal(await page.locator(".nerd-screen:visible").getAttribute("data-screen"), "setup");
    assert.equal(await page.locator(".nerd-strip").isVisible(), false, "who waits has none");
    const code = () => page.getAttribute("#nerd-setup .nerd-code", "d");
    assert.equal(qr_read(await code()), String.raw`WIFI:S:Shed\;\"2\";T:WPA;P:MineYourCoins;;`);
    await page.keyboard.press("1");
    assert.equal(await page.locator(".nerd-screen:visible").getAttribute("data-screen"), "miner", "1 is MINER, whoever waits");
    await page.keyboard.press("0");
    assert.equal(await page.locator(".nerd-screen:visible").getAttribute("data-screen"), "setup");
    gate.say("*wm:AutoConnect: SUCCESS", ...login("bc1qexample.gate"), ...statistics());
    await until(page, () => !document.querySelector("#nerd-setup"));
    await until(page, () => document.documentElement.dataset.nerd === "miner");
    await page.goto(`${waits.url}/dash/nerdminer?screen=setup`);
    assert.equal(qr_read(await code()), "WIFI:S:NerdMinerAP;T:WPA;P:MineYourCoins;;");
    assert.deepEqual(page.wrong, []);
});

test("axe-core finds nothing on any screen", async (t) => {
    for (const viewport of [SIZES[0], { width: 640, height: 480 }, SIZES[2]]) {
        for (const screen of SCREENS) await accessible(await open(t, `${daemon.url}/dash/nerdminer?screen=${screen}`, { viewport }), screen);
        await accessible(await open(t, `${daemon.url}/dash/nerdminer`, { viewport }), "all in turn");
        await accessible(await open(t, `${empty.url}/dash/nerdminer`, { viewport }), "waiting");
    }
});

async function accessible(page, what) {
    await settled(page);
    assert.deepEqual(await axe(page), [], what);
}

test("every size shows a whole stage", async (t) => {
    for (const viewport of SIZES) {
        const page = await open(t, `${daemon.url}/dash/nerdminer`, { viewport });
        const box = await page.locator(".nerd-stage").first().boundingBox();
        assert.ok(box.x >= 0 && box.x + box.width <= viewport.width + 0.5 && box.y + box.height <= viewport.height + 0.5);
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
    }
});

// ---- the digital stream -----------------------------------------------------------------------------

test("the stream moves, and its figures are those of the API", async (t) => {
    const page = await open(t, `${daemon.url}/dash/matrix`);
    await settled(page);
    const { herd_stats: stats } = await daemon.json("/api/herd_data");
    const value = async (id) => Number(await page.getAttribute(`#${id}`, "value"));
    assert.equal(await value("online-miners"), stats.online_miners);
    assert.ok(Math.abs((await value("total-hashrate")) / 1000 - stats.total_hash_khs) < 1e-6);
    assert.equal(await value("total-shares"), stats.total_shares);
    assert.equal(await value("total-templates"), stats.total_block_templates);
    assert.equal(await page.textContent("#online-miners"), `${stats.online_miners} / ${stats.total_miners}`);
    assert.ok((await page.textContent(".matrix-price")).includes("–"), "no price is no 0");
    const first = await picture(page);
    await differs(page, first);
});

test("new lines are fetched when the daemon says that there are some, and a share flashes", async (t) => {
    const page = await open(t, `${daemon.url}/dash/matrix`);
    await settled(page);
    await requested(page, /\/api\/logs\?limit=/);
    shed.say("a line for the stream");
    await requested(page, /\/api\/logs\?after=\d+/);
    barn.say(
        '  Sending  : {"id":6,"method":"mining.submit","params":["bc1qexample.left","a1b2c3","00000002","692529a1","f6be6abe"]}',
        "   - Current diff share: 2.400000000000",
        '  Receiving: {"id":6,"error":null,"result":true}',
    );
    await until(page, () => document.querySelector("#matrix-flashes .share") !== null);
    await until(page, () => document.querySelector("#matrix-flashes .share") === null);
    barn.say("CONGRATULATIONS! Valid block found");
    await until(page, () => document.documentElement.classList.contains("matrix-gold"));
});

test("with reduced motion nothing falls", async (t) => {
    const page = await open(t, `${empty.url}/dash/matrix`, { reducedMotion: "reduce" });
    await settled(page);
    await until(page, () => document.querySelector(".matrix-time").textContent !== "");
    await page.waitForTimeout(1500); // the first picture, and time enough for a second one
    const first = await picture(page);
    await page.waitForTimeout(1500);
    assert.ok(first.equals(await picture(page)), "the picture stands still");
});

/** The rain alone: the figures may change at any time. */
function picture(page) {
    return page.screenshot({ clip: { x: 0, y: 240, width: 1280, height: 170 } });
}

async function differs(page, first) {
    const deadline = performance.now() + 15_000;
    while (first.equals(await picture(page))) assert.ok(performance.now() < deadline, "nothing moves");
}

async function requested(page, pattern) {
    const deadline = performance.now() + 15_000;
    while (!page.requests.some((url) => pattern.test(url))) {
        assert.ok(performance.now() < deadline, `no request for ${pattern}`);
        await new Promise((resolve) => setTimeout(resolve, 25));
    }
}
