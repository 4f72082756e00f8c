// The figures on every page are those of /api/herd_data, price and network among them: the plain number of each <data>, and
// what people read. The API is asked before and after the page was read; it counts when nothing moved in between.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { browser_launch, page_open, until } from "./lib/browser.mjs";
import { daemon_make, pty_open } from "./lib/daemon.mjs";
import { login, statistics } from "./lib/nerdminer.mjs";
import { is_ready, PAGES } from "./lib/pages.mjs";
import { NETWORK, PRICE, world_open } from "./lib/world.mjs";

let browser, world, barn, shed, daemon, page;
before(async () => {
    [browser, world] = await Promise.all([browser_launch(), world_open()]);
    [barn, shed] = await Promise.all([pty_open(), pty_open()]);
    daemon = daemon_make({
        miners: [
            { id: "BARN-01", link: barn.link, location: "Barn / shelf 2" },
            { id: "SHED-02", link: shed.link, location: "Shed" },
        ],
        world: world.url,
    });
    await daemon.start();
    barn.say(...login("bc1qexample.left"), ...statistics({ khs: 78.5, best: "12.34K", templates: 5, shares: 2, celsius: 51 }));
    shed.say(...login("bc1qexample.right"), ...statistics({ khs: 55.25, best: "845.2", templates: 7, shares: 1, celsius: 64 }));
    const deadline = performance.now() + 20_000;
    for (;;) {
        const { herd_stats: stats, btc_price_data: price, network } = await daemon.json("/api/herd_data");
        if (stats.total_block_templates === 12 && stats.total_shares === 3 && price.price_usd && network.hashrate) break;
        assert.ok(performance.now() < deadline, "the miners are heard, price and network are known");
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
    page = await page_open(browser, daemon.url + "/");
});
after(async () => {
    await browser?.close();
    await daemon?.remove();
    await Promise.all([barn?.close(), shed?.close(), world?.close()]);
});

// ---- what the API says, under the names that pages use ----------------------------------------------

const sum = (list, key) => list.reduce((total, miner) => total + (miner[key] ?? 0), 0);
const known = (list, key) => list.some((miner) => miner[key] !== null);
const chance = (hashrate, { network }) => (hashrate * 86400) / (2 ** 32 * network.difficulty);

/** Figures of the herd by the id of their element. */
function of_herd(api) {
    const { herd_stats: stats, miners_list: miners, btc_price_data: price } = api;
    return {
        "total-hashrate": stats.total_hash_khs * 1000,
        "online-miners": stats.online_miners,
        "total-accepted": stats.total_shares_accepted,
        "total-shares": stats.total_shares,
        "total-templates": stats.total_block_templates,
        "best-difficulty": stats.best_difficulty,
        "btc-price": price.price_usd,
        "btc-change": price.change_24h,
        "count-online": miners.filter(({ status }) => status === "online").length,
        "total-1h": known(miners, "hashrate_1h") ? sum(miners, "hashrate_1h") : null,
        "total-24h": known(miners, "hashrate_24h") ? sum(miners, "hashrate_24h") : null,
    };
}

const on_summary = (api) => ({
    ...of_herd(api),
    "best-difficulty": api.herd_stats.best_difficulty_ever,
    odds: chance(api.herd_stats.total_hash_khs * 1000, api),
});

function of_miner(api) {
    const miner = api.miners_list.find(({ id }) => id === 1);
    return {
        hashrate: miner.hashrate,
        hashrate_1h: miner.hashrate_1h,
        hashrate_24h: miner.hashrate_24h,
        temperature: miner.Temperature,
        shares_32bit: miner.Shares,
        best_difficulty_ever: miner.best_difficulty_ever,
        block_templates: miner["Block templates"],
        uptime: miner.uptime_s,
        odds: chance(miner.hashrate_24h ?? miner.hashrate, api),
    };
}

const UNNAMED = new Set(["total-hashes", "matrix-miners"]); // the API has no such key
const WORDS = new Set(["odds", "uptime"]); // not a number to read

// ---- what the page says -----------------------------------------------------------------------------

const SUFFIXES = { k: 1e3, K: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15, E: 1e18 };

/** "133.8 kH/s" → 133800, "12.34K" → 12340, "$68,432" → 68432, "−1.36 %" → -1.36; null when there is no digit in it. */
function number_read(text) {
    const found = text.replace(/[\s,$]/g, "").replace("−", "-").match(/([+-]?\d+(?:\.\d+)?)([kKMGTPE]?)/);
    return found ? Number(found[1]) * (SUFFIXES[found[2]] ?? 1) : null;
}

/** Four digits are written. */
const is_near = (read, value) => read !== null && Math.abs(read - value) <= Math.abs(value) * 6e-4 + 1e-9;
const is_same = (a, b) => a === b || (a !== null && b !== null && Math.abs(a - b) <= Math.abs(b) * 1e-9);

function data_of_page() {
    const read = (data) => (data.id === "wall-number" ? [...document.querySelectorAll("main p")].map((p) => p.textContent).join("") : data.textContent);
    return [...document.querySelectorAll("main data[value]")].map((data) => ({ id: data.id, value: data.value, text: read(data) }));
}

/** What of the page is not as the API says, a text each. */
function differences(shown, expected) {
    const found = [];
    for (const { id, value, text } of shown) {
        if (UNNAMED.has(id)) continue;
        if (!(id in expected)) found.push(`${id} is compared with nothing`);
        else if (!is_same(value === "" ? null : Number(value), expected[id])) found.push(`${id} is ${value}, API ${expected[id]}`);
        else if (expected[id] === null) continue;
        else if (!WORDS.has(id) && !is_near(number_read(text), expected[id])) found.push(`${id} reads ${text}, API ${expected[id]}`);
    }
    return found;
}

/** Ask until read(api) finds no difference, with the API the same before and after. */
async function agrees(read) {
    const deadline = performance.now() + 15_000;
    for (;;) {
        const before = await daemon.json("/api/herd_data");
        const wrong = await read(before);
        const after = await daemon.json("/api/herd_data");
        if (wrong.length === 0 && before.seq === after.seq) return;
        assert.ok(performance.now() < deadline, `${wrong.join("; ")} (sequence ${before.seq} to ${after.seq})`);
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
}

async function open(route) {
    await page.goto(daemon.url + route);
    await until(page, is_ready);
}

async function data_agree(route, expect, n_least) {
    await open(route);
    await agrees(async (api) => {
        const shown = await page.evaluate(data_of_page);
        const wrong = differences(shown, expect(api));
        if (shown.length < n_least) wrong.push(`${shown.length} figures, not ${n_least}`);
        return wrong;
    });
}

/** Texts of elements, each a number: as the API says. */
async function texts_agree(route, selector, expect) {
    await open(route);
    await agrees(async (api) => {
        const texts = await page.locator(selector).allTextContents();
        const values = expect(api);
        const wrong = values.filter((value, i) => !is_near(number_read(texts[i] ?? ""), value));
        if (texts.length !== values.length || wrong.length > 0) return [`${selector}: ${texts.join(" | ")}, API ${values.join(" | ")}`];
        return [];
    });
}

// ---- the pages --------------------------------------------------------------------------------------

const on_kiosk = (api) => ({ ...of_herd(api), "total-shares": api.herd_stats.total_shares_accepted || api.herd_stats.total_shares });
const hashrates = (api) => api.miners_list.map(({ hashrate }) => hashrate);
const total = (api) => api.herd_stats.total_hash_khs * 1000;
const wall = (key) => (api) => ({ "wall-number": key(api) });

const CASES = {
    "/": [
        () => data_agree("/", of_herd, 6),
        () => texts_agree("/", ".flock tbody .hash", hashrates),
    ],
    "/summary": [
        () => data_agree("/summary", on_summary, 7),
        () => texts_agree("/summary", ".summary tbody td:nth-child(3)", (api) => hashrates(api).map((hps) => hps / 1000)),
        () => texts_agree("/summary", ".summary tbody td:nth-child(9)", (api) => api.miners_list.map((m) => m["Best difficulty"])),
        () => texts_agree("/summary", ".summary tbody td:nth-child(10)", (api) => api.miners_list.map((m) => m.Shares)),
    ],
    "/details": [() => texts_agree("/details", ".miner-links .hash", hashrates)],
    "/details/miner/1": [() => data_agree("/details/miner/1", of_miner, 8)],
    "/dashboards": [
        () => texts_agree("/dashboards", ".shot-kiosk .shot-hash", (api) => [total(api)]),
        () => texts_agree("/dashboards", ".shot-kiosk .shot-1", (api) => [
            api.btc_price_data.price_usd, api.herd_stats.online_miners, on_kiosk(api)["total-shares"]]),
        () => texts_agree("/dashboards", ".shot-nerdminer .shot-digits text", (api) => [
            api.herd_stats.total_block_templates, api.herd_stats.best_difficulty, api.herd_stats.total_shares]),
    ],
    "/examples/rooms": [() => texts_agree("/examples/rooms", "main li .tabular-nums", hashrates)],
    "/examples/leaderboard": [
        () => texts_agree("/examples/leaderboard", "main td:nth-child(3)", (api) =>
            api.miners_list.map((m) => m.best_difficulty_ever).sort((a, b) => b - a)),
    ],
    "/examples/wall": [
        () => data_agree("/examples/wall", wall(total), 1),
        () => data_agree("/examples/wall?metric=best", wall((api) => api.herd_stats.best_difficulty_ever), 1),
        () => data_agree("/examples/wall?metric=shares", wall((api) => api.herd_stats.total_shares_accepted), 1),
        () => data_agree("/examples/wall?metric=online", wall((api) => api.herd_stats.online_miners), 1),
        () => data_agree("/examples/wall?metric=price", wall((api) => api.btc_price_data.price_usd), 1),
    ],
    "/kiosk": [() => data_agree("/kiosk", on_kiosk, 7)],
    "/dash/health": [
        () => data_agree("/dash/health", of_herd, 4),
        () => texts_agree("/dash/health", ".tile .state", hashrates),
    ],
    "/dash/matrix": [() => data_agree("/dash/matrix", of_herd, 6)],
    "/dash/nerdminer": [() => device_agrees("/dash/nerdminer", ["miner", "clock", "global", "price", "grid"])],
    ...Object.fromEntries(
        ["miner", "clock", "global", "price", "grid"].map((name) => {
            const route = `/dash/nerdminer?screen=${name}`;
            return [route, [() => device_agrees(route, [name])]];
        }),
    ),
};
const WITHOUT_FIGURES = new Set([
    ...["/help/lua", "/play", "/login", "/setup"], // the views that are played have their own row
    ...["/miner/1", "/pool", "/address", "/user", "#pools", "#addresses", "#screens", "#access", "#backup", "#about"].map((rest) => `/config${rest}`),
]);
const OTHER_FIGURES = new Set(["/raw_logs", "/details/system", "/config"]); // tested below

/** A screen of the device says its figures in the device's own way, by data-figure; KH/s stands beside. */
function device_figures({ herd_stats: stats, miners_list: miners, btc_price_data: price, network }) {
    return {
        hashrate: stats.total_hash_khs,
        templates: stats.total_block_templates,
        best: stats.best_difficulty,
        shares: stats.total_shares,
        valid: sum(miners, "Valid blocks"),
        million: Math.floor(sum(miners, "Total MHashes")),
        temperature: Math.max(...miners.map(({ Temperature }) => Temperature)),
        height: network.height,
        difficulty: network.difficulty,
        world: network.hashrate / 1e18,
        price: price.price_usd,
        sats: 1e8 / price.price_usd,
    };
}

async function device_agrees(route, screens) {
    await open(route);
    await agrees(async (api) => {
        const expected = device_figures(api);
        const wrong = [];
        for (const screen of screens) {
            const shown = await page.locator(`#nerd-${screen} [data-figure]`).evaluateAll((nodes) =>
                nodes.map((node) => [node.dataset.figure, node.textContent]),
            );
            const compared = shown.filter(([name]) => name in expected);
            if (compared.length === 0) wrong.push(`${screen} has no figure`);
            for (const [name, text] of compared) {
                const is_right = Math.abs(number_read(text) - expected[name]) <= Math.abs(expected[name]) * 1e-3 + 1e-9;
                if (!is_right) wrong.push(`${screen} ${name} reads ${text}, API ${expected[name]}`);
            }
        }
        return wrong;
    });
}

for (const [route, cases] of Object.entries(CASES)) {
    test(`${route}: its figures are those of the API`, async () => {
        page.wrong.length = 0;
        for (const agree of cases) await agree();
        assert.deepEqual(page.wrong, []);
    });
}

test("raw logs: its lines are those of the API", async () => {
    await open("/raw_logs");
    const { lines } = await daemon.json("/api/logs?limit=200");
    assert.ok(lines.length > 10);
    await until(page, (n) => document.querySelectorAll("#log li[id]").length === n, lines.length);
    assert.deepEqual(await page.locator("#log .text").allTextContents(), lines.map(({ line }) => line));
});

test("settings: its miners, and what they use, are those of the API", async () => {
    await open("/config");
    const { miners_list: miners } = await daemon.json("/api/herd_data");
    assert.deepEqual(await page.locator("tr[id^=c] th a").allTextContents(), miners.map((miner) => miner.miner_id));
    assert.equal(await page.locator('[aria-labelledby="used-title"] tbody tr').count() > 0, miners.some((miner) => miner.pool_url));
});

test("system: as many lines are stored as the API has", async () => {
    const { lines } = await daemon.json("/api/logs?limit=1000");
    await open("/details/system");
    await until(page, (n) => {
        const fact = [...document.querySelectorAll(".facts div")].find((div) => div.firstElementChild.textContent === "Lines stored");
        return Number(fact?.lastElementChild.textContent.replace(",", "")) === n;
    }, lines.length);
});

test("every page is compared, or has no figure", () => {
    const compared = new Set([...Object.keys(CASES), ...OTHER_FIGURES, ...WITHOUT_FIGURES]);
    assert.deepEqual(PAGES.map(({ route }) => route).filter((route) => !compared.has(route)), []);
});

test("the API says what the miner and the world said", async () => {
    const { herd_stats: stats, miners_list: miners, btc_price_data: price, network } = await daemon.json("/api/herd_data");
    assert.ok(Math.abs(stats.total_hash_khs - 133.75) < 1e-9);
    const { "KH/s": khs, "Best difficulty": best, Temperature, "Time mining": time, worker, location_notes } = miners[0];
    assert.deepEqual(
        { khs, best, Temperature, time, worker, location_notes },
        { khs: 78.5, best: 12340, Temperature: 51, time: "0  01:02:03", worker: "left", location_notes: "Barn / shelf 2" },
    );
    assert.deepEqual([price.price_usd, price.change_24h], [PRICE.usd, PRICE.change]);
    assert.deepEqual([network.height, network.difficulty, network.fee_half_hour], [NETWORK.height, NETWORK.difficulty, NETWORK.fee_half_hour]);
});
