// The page of a miner and the summary: charts from a history that was made, gaps that stay gaps, the keyboard, every size,
// what is hostile, and a line on a wire.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import path from "node:path";
import { after, before, test } from "node:test";

import { axe, browser_launch, is_marked, mark, page_of, settled, SIZES, until, wait_text } from "./lib/browser.mjs";
import { daemon_make, pty_open } from "./lib/daemon.mjs";
import { login, statistics } from "./lib/nerdminer.mjs";

const HOUR = 3600;

// Rows of a day in minutes and of a year in hours and days, with a hole from 12 to 6 hours ago.
const FILL = `
import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1])
now = int(time.time())
for name, base in (("BARN-01", 78000.0), ("SHED-02", 350000.0)):
    miner, = db.execute("SELECT id FROM miners WHERE miner_id = ?", (name,)).fetchone()
    for period, span in ((60, 86400), (3600, 365 * 86400), (86400, 365 * 86400)):
        for t in range((now - span) // period * period, now // period * period, period):
            if period < 86400 and now - 12 * 3600 <= t < now - 6 * 3600:
                continue
            wave = 1 + 0.1 * ((t // period) % 7 - 3) / 3
            rows = (("hashrate", base * wave * 0.97, base * wave * 1.02, base * wave), ("temperature", 55, 57, 56),
                    ("shares_32bit", 0, 1, 1), ("shares_accepted", 0, 2, 2))
            db.executemany("INSERT OR REPLACE INTO rollups(period_s, t_ms, miner_id, metric, n, min, max, avg, last)"
                           " VALUES (?, ?, ?, ?, 12, ?, ?, ?, ?)",
                           [(period, t * 1000, miner, metric, low, high, avg, avg) for metric, low, high, avg in rows])
db.execute("INSERT OR REPLACE INTO herd_rollups SELECT period_s, t_ms, metric, count(avg), sum(avg) FROM rollups"
           " GROUP BY period_s, t_ms, metric")
db.commit()
`;

const SPARKS = `<% layout("partials/layout", { title = "Sparks" })
local chart = require "chart"
local ids = {}
for i, m in ipairs(shepherd.herd().miners) do ids[i] = m.id end
local sparks = chart.sparks { metric = "hashrate", range = "24h", miners = ids } %>
<% for _, id in ipairs(ids) do %><p><%- sparks[id] %></p><% end %>`;

const HEAT = `<% layout("partials/layout", { title = "Heat" })
local chart = require "chart" %>
<% for _, miner in ipairs(shepherd.herd().miners) do %>
<%- chart.history { miner = miner.name, metric = "temperature", range = "24h" } %>
<% end %>`;

let browser, barn, shed, daemon;
before(async () => {
    browser = await browser_launch();
    [barn, shed] = await Promise.all([pty_open(), pty_open()]);
    daemon = daemon_make({
        miners: [
            { id: "BARN-01", link: barn.link, location: "shelf 2" },
            { id: "SHED-02", link: shed.link },
        ],
        views: { "sparks.html": SPARKS, "heat.html": HEAT },
    });
    await daemon.start(); // makes the database
    await daemon.stop();
    execFileSync("python3", ["-c", FILL, path.join(daemon.folder, "data", "shepherd.db")]);
    await daemon.start();
});
after(async () => {
    await browser?.close();
    await daemon?.remove();
    await Promise.all([barn?.close(), shed?.close()]);
});

const open = (t, route, options) => page_of(t, browser, daemon.url + route, options);

/** Where in the chart, from its first to its last painted column, the colour of the line is: a list of 0 and 1. */
function painted(page, metric) {
    return page.evaluate((metric) => {
        const figure = document.querySelector(`figure[data-chart="${metric}"]`);
        const canvas = figure.querySelector("canvas");
        if (!canvas) return [];
        const probe = document.createElement("i");
        probe.style.color = `var(--color-${figure.dataset.tone})`;
        document.body.append(probe);
        const [r, g, b] = getComputedStyle(probe).color.match(/\d+/g).map(Number);
        probe.remove();
        const { data, width, height } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        const columns = Array(width).fill(0);
        for (let i = 0; i < width * height; i++) {
            const [pr, pg, pb, pa] = data.subarray(4 * i, 4 * i + 4);
            if (pa > 200 && Math.abs(pr - r) + Math.abs(pg - g) + Math.abs(pb - b) < 30) columns[i % width] = 1;
        }
        return columns.slice(columns.indexOf(1), columns.lastIndexOf(1) + 1);
    }, metric);
}

async function drawn(page, metric = "hashrate") {
    await until(page, (metric) => document.querySelector(`figure[data-chart="${metric}"] canvas`), metric);
    await until(page, () => document.querySelector("figure[data-chart] .chart-note").textContent.includes("mean"));
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
}

const share = (columns, from, to) => {
    const part = columns.slice(Math.floor(columns.length * from), Math.ceil(columns.length * to));
    return part.reduce((sum, value) => sum + value, 0) / part.length;
};

test("a chart is drawn, and a gap stays a gap", async (t) => {
    const page = await open(t, "/details/miner/BARN-01");
    await drawn(page);
    const columns = await painted(page, "hashrate");
    assert.ok(columns.length > 500, `the line spans the chart: ${columns.length} columns`);
    assert.ok(share(columns, 0, 0.48) > 0.9, "the line before the gap");
    assert.equal(share(columns, 0.52, 0.73), 0, "nothing where nothing was heard");
    assert.ok(share(columns, 0.77, 1) > 0.9, "the line after the gap");
});

test("the history says null where nothing was heard, and has a point for every period", async () => {
    const data = await daemon.json("/api/history?metric=hashrate&miner=BARN-01&range=24h");
    assert.equal(data.period_s, 60);
    assert.equal(data.unit, "H/s");
    for (const name of ["t", "avg", "min", "max"]) assert.equal(data[name].length, 1440, name);
    assert.ok(data.t.every((at, i) => i === 0 || at - data.t[i - 1] === 60));
    const now = data.t.at(-1);
    data.t.forEach((at, i) => {
        const age = now - at;
        if (age > 6.1 * HOUR && age < 11.9 * HOUR) assert.equal(data.avg[i], null);
        if (age > 12.1 * HOUR && age < 23.9 * HOUR) assert.ok(data.min[i] <= data.avg[i] && data.avg[i] <= data.max[i]);
    });

    const herd = await daemon.json("/api/history?metric=hashrate&range=30d");
    assert.equal(herd.avg.length, 720);
    assert.equal(herd.n[100], 2);
    assert.ok(herd.avg[100] > 0.85 * 428000 && herd.avg[100] < 1.15 * 428000, "of the herd the sum");
    const warm = await daemon.json("/api/history?metric=temperature&range=1y");
    assert.equal(warm.avg[100], 56, "of temperatures the mean");
    const shares = await daemon.json("/api/history?metric=shares_32bit&range=7d");
    assert.equal(shares.kind, "counter");
    assert.equal(shares.avg[10], 2);
    const wrong = await fetch(`${daemon.url}/api/history?range=8d`);
    assert.equal(wrong.status, 404);
});

test("a range is chosen by keyboard, kept in the URL, and read by arrow keys", async (t) => {
    const page = await open(t, "/details/miner/BARN-01");
    await drawn(page);
    await page.locator('[data-chart-range="24h"]').focus();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await until(page, () => document.querySelector('[data-chart-range="7d"]').getAttribute("aria-pressed") === "true");
    assert.equal(await page.locator('[data-chart-range="24h"]').getAttribute("aria-pressed"), "false");
    const slider = page.getByRole("slider", { name: /^Hash rate, 7d: lowest .* mean .* highest .*kH\/s$/ });
    await slider.waitFor();
    assert.equal(new URL(page.url()).hash, "#7d");

    await page.locator('[data-chart-range="1y"]').focus();
    for (let i = 0; i < 10; i++) {
        await page.keyboard.press("Tab");
        if (await page.evaluate(() => document.activeElement.getAttribute("role") === "slider")) break;
    }
    await page.keyboard.press("Home");
    assert.equal(await slider.getAttribute("aria-valuenow"), "0");
    const first = await slider.getAttribute("aria-valuetext");
    assert.match(first, /kH\/s/);
    await page.keyboard.press("ArrowRight");
    assert.equal(await slider.getAttribute("aria-valuenow"), "1");
    assert.notEqual(await slider.getAttribute("aria-valuetext"), first);
    assert.equal(await page.locator('figure[data-chart="hashrate"] .chart-note').textContent(), await slider.getAttribute("aria-valuetext"));

    await page.reload();
    await slider.waitFor();
    assert.equal(await page.locator('[data-chart-range="7d"]').getAttribute("aria-pressed"), "true");
});

test("colours follow the theme", async (t) => {
    const page = await open(t, "/details/miner/BARN-01", { colorScheme: "dark" });
    await drawn(page);
    await page.emulateMedia({ colorScheme: "light" });
    let columns = [];
    for (const end = performance.now() + 15_000; columns.length <= 500 && performance.now() < end; ) columns = await painted(page, "hashrate");
    assert.ok(columns.length > 500, "painted in the light theme's colour");
});

test("a line on the wire moves the page, its figures and its log; charts stay", async (t) => {
    const page = await open(t, "/details/miner/BARN-01");
    await settled(page);
    await drawn(page);
    await mark(page);
    await page.evaluate(() => (document.querySelector('figure[data-chart="hashrate"] canvas').mine = true));
    barn.say(...login("bc1qexample.left"), ...statistics({ khs: 78.5 }));
    await until(page, () => Number(document.querySelector("#hashrate").value) === 78500);
    await page.waitForTimeout(1100); // the page asks once a second: be sure that it may
    const said = performance.now();
    barn.say("a line for the log, with its own words");
    await wait_text(page, "#line-list", "a line for the log, with its own words");
    t.diagnostic(`line to page: ${Math.round(performance.now() - said)} ms`);
    assert.ok(await is_marked(page), "the page was not loaded again");
    assert.ok(await page.evaluate(() => document.querySelector('figure[data-chart="hashrate"] canvas').mine), "the chart was not touched");
    await until(page, () => document.querySelector("#verdict").dataset.verdict === "good");
    const { miners_list } = await daemon.json("/api/herd_data");
    const { hashrate, Temperature: temperature } = miners_list.find((miner) => miner.miner_id === "BARN-01");
    assert.equal(Number(await page.locator("#hashrate").getAttribute("value")), hashrate);
    assert.equal(Number(await page.locator("#temperature").getAttribute("value")), temperature);
});

test("what a miner says is text, never markup", async (t) => {
    const evil = '<img src=x onerror="alert(1)">';
    const page = await open(t, "/details/miner/SHED-02");
    await settled(page);
    shed.say(...login(`bc1qexample.${evil}`), `hello ${evil}`, ...statistics({ khs: 66.5 }));
    await wait_text(page, "#line-list", `hello ${evil}`);
    const { miners_list } = await daemon.json("/api/herd_data");
    const { worker } = miners_list.find((miner) => miner.miner_id === "SHED-02");
    if (worker) await wait_text(page, "#identity-facts", worker);
    assert.equal(await page.locator("main img").count(), 0);
});

test("the summary: figures of the API, every miner a row, a hundred rows a page", async (t) => {
    barn.say(...statistics({ khs: 81.25, templates: 9 }));
    shed.say(...statistics({ khs: 47.5, templates: 7 }));
    const page = await open(t, "/summary");
    await drawn(page);
    await until(page, () => Number(document.querySelector("#total-hashrate").value) === 128750);
    const { miners_list } = await daemon.json("/api/herd_data");
    for (const miner of miners_list) {
        const row = page.locator(`#m${miner.id}`);
        await row.filter({ hasText: miner["KH/s"].toFixed(2) }).waitFor();
        assert.ok((await row.textContent()).includes(miner.miner_id));
    }
    await page.locator('.summary a:text-is("BARN-01")').click();
    await page.locator('h1:text-is("BARN-01")').waitFor();

    const many = daemon_make({
        miners: Array.from({ length: 120 }, (_, i) => ({ id: `M-${i + 1}`, link: `/dev/ttyNOWHERE${i}` })),
    });
    t.after(() => many.remove());
    await many.start();
    const first = await (await fetch(`${many.url}/summary`)).text();
    const second = await (await fetch(`${many.url}/summary?page=2`)).text();
    assert.deepEqual([first, second].map((text) => text.match(/<tr [^>]*id="m/g).length), [100, 20]);
});

test("sparklines: a hole is a hole, and their words say from where to where", async (t) => {
    const page = await open(t, "/sparks");
    const sparks = page.locator("svg.spark");
    await sparks.nth(1).waitFor();
    assert.equal(await sparks.count(), 2);
    assert.match(await sparks.first().getAttribute("aria-label"), /^from [\d.]+ kH\/s to [\d.]+ kH\/s$/);
    const strokes = (await sparks.first().locator("path").getAttribute("d")).match(/M/g);
    assert.equal(strokes.length, 2);
});

test("a view of somebody else has a chart by one call, several on a page", async (t) => {
    const page = await open(t, "/heat");
    await until(page, () => document.querySelectorAll("figure[data-chart] canvas").length === 2);
    const ids = await page.evaluate(() => [...document.querySelectorAll("figure[data-chart]")].map((figure) => figure.id));
    assert.equal(new Set(ids).size, 2);
});

for (const viewport of SIZES) {
    for (const route of ["/details/miner/BARN-01", "/summary"]) {
        test(`${route} at ${viewport.width}x${viewport.height}: nothing overflows, axe finds nothing`, async (t) => {
            const page = await open(t, route, { viewport });
            await settled(page);
            await drawn(page);
            const { wide, room } = await page.evaluate(() => ({
                wide: document.documentElement.scrollWidth,
                room: document.documentElement.clientWidth,
            }));
            assert.ok(wide <= room, `${wide} > ${room}`);
            assert.deepEqual(await axe(page), []);
        });
    }
}
