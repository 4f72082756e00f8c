// From a line on a wire to pixels, without a reload.

import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";

import { browser_launch, is_marked, mark, page_open, settled, until, wait_text } from "./lib/browser.mjs";
import { daemon_make, pty_open } from "./lib/daemon.mjs";
import { login, statistics } from "./lib/nerdminer.mjs";

const PLAIN = `<% layout("partials/layout", { title = "Plain" }) %>
<p id="plain">Miners online: <%= shepherd.herd().totals.online_miners %>, <%= shepherd.herd().totals.hashrate %></p>
<div data-live-keep id="kept">from the server</div>
<label>Note <input id="note"></label>`;

let browser, folder, barn, shed, daemon;
before(async () => {
    browser = await browser_launch();
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "shepherd-pty-"));
    [barn, shed] = await Promise.all(["barn", "shed"].map((name) => pty_open(path.join(folder, name))));
    daemon = daemon_make({
        miners: [
            { id: "BARN-01", link: barn.link, location: "shelf 2" },
            { id: "SHED-02", link: shed.link },
        ],
        views: { "plain.html": PLAIN },
    });
    await daemon.start();
});
after(async () => {
    await browser?.close();
    await daemon?.remove();
    await Promise.all([barn?.close(), shed?.close()]);
    if (folder) fs.rmSync(folder, { recursive: true, force: true });
});

async function open(t, route, options) {
    const page = await page_open(browser, daemon.url + route, options);
    t.after(async () => {
        assert.deepEqual(page.wrong, []);
        if (!options?.context) await page.context().close();
    });
    return page;
}

const row = (name) => `tr:has(.name:text-is("${name}"))`;

async function wait_row(page, name, text) {
    await page.locator(row(name), { hasText: text }).waitFor({ timeout: 15_000 });
}

test("a line changes the page at once, with no reload", async (t) => {
    const page = await open(t, "/");
    await settled(page);
    await mark(page);
    barn.say(...login("bc1qexample.left"), ...statistics({ khs: 78.5 }));
    await wait_row(page, "BARN-01", "78.5");
    for (const khs of [91.25, 64.75, 83.5]) {
        await page.waitForTimeout(1100); // the page asks once a second: be sure that it may
        const said = performance.now();
        barn.say(...statistics({ khs }));
        await until(page, (khs) => document.querySelector(".flock").textContent.includes(khs), String(khs));
        t.diagnostic(`line to page: ${Math.round(performance.now() - said)} ms`);
    }
    assert.ok(await is_marked(page), "the page was not loaded again");
});

test("figures on the page are those of the API", async (t) => {
    barn.say(...statistics({ khs: 78.5, best: "12.34K", templates: 5 }));
    shed.say(...login("bc1qexample.right"), ...statistics({ khs: 55.25, best: "845.2", templates: 7 }));
    const page = await open(t, "/");
    await wait_row(page, "BARN-01", "78.5");
    await wait_row(page, "SHED-02", "55.25");
    const shown = () =>
        page.evaluate(() =>
            Object.fromEntries([...document.querySelectorAll("#totals data")].map((d) => [d.id, Number(d.value)])),
        );
    const { herd_stats, miners_list } = await daemon.json("/api/herd_data");
    assert.equal(herd_stats.online_miners, 2);
    assert.ok(Math.abs(herd_stats.total_hash_khs - 133.75) < 1e-9);
    await until(
        page,
        (hps) => Math.abs(Number(document.querySelector("#total-hashrate").value) - hps) < 1e-6,
        herd_stats.total_hash_khs * 1000,
    );
    const totals = await shown();
    assert.equal(totals["online-miners"], herd_stats.online_miners);
    assert.equal(totals["total-accepted"], herd_stats.total_shares_accepted);
    assert.equal(totals["total-templates"], herd_stats.total_block_templates);
    assert.equal(totals["best-difficulty"], herd_stats.best_difficulty);
    const first = miners_list.find((miner) => miner.miner_id === "BARN-01");
    assert.equal(first["KH/s"], 78.5);
    assert.equal(first["Best difficulty"], 12340);
    assert.equal(first["Temperature"], 51);
    assert.equal(first["Time mining"], "0  01:02:03");
    assert.equal(first.worker, "left");
    assert.equal(first.location_notes, "shelf 2");
});

test("what a miner says is text, never markup", async (t) => {
    const evil = '<img src=x onerror="alert(1)">';
    shed.say(...login(`bc1qexample.${evil}`), `hello ${evil}`, ...statistics({ khs: 66.5 }));
    const page = await open(t, "/");
    await wait_row(page, "SHED-02", "66.5");
    assert.equal(await page.locator("main img").count(), 0);
    const { miners_list } = await daemon.json("/api/herd_data");
    const { worker } = miners_list.find((miner) => miner.miner_id === "SHED-02");
    if (worker?.includes("<")) await wait_row(page, "SHED-02", worker);

    const logs = await open(t, "/raw_logs?miner=SHED-02");
    await wait_text(logs, "#log", `hello ${evil}`);
    assert.equal(await logs.locator("main img").count(), 0);
});

test("raw logs move, the filter keeps the focus, a selection holds them still", async (t) => {
    const page = await open(t, "/raw_logs?miner=BARN-01");
    await settled(page);
    await mark(page);
    await page.locator("select[name=miner]").focus();
    barn.say("a line for the log, first");
    await wait_text(page, "#log li", "a line for the log, first");
    assert.equal(await page.evaluate(() => document.activeElement.tagName), "SELECT");
    assert.equal(await page.locator("select[name=miner]").inputValue(), "BARN-01");

    await page.evaluate(() => getSelection().selectAllChildren(document.querySelector("#log li .text")));
    barn.say("a line for the log, second");
    await daemon_has(page, "a line for the log, second");
    await page.waitForTimeout(1500); // longer than the page would wait to ask
    assert.ok((await page.textContent("#log")).includes("a line for the log, second") === false, "held still");
    await page.evaluate(() => getSelection().removeAllRanges());
    await wait_text(page, "#log", "a line for the log, second");
    assert.ok(await is_marked(page));
});

async function daemon_has(page, line) {
    await until(page, async (line) => (await (await fetch("/raw_logs")).text()).includes(line), line);
}

test("a view of nothing but HTML and Lua is live, and keeps what the browser owns", async (t) => {
    const page = await open(t, "/plain");
    await settled(page);
    await mark(page);
    await page.evaluate(() => (document.querySelector("#kept").textContent = "from the browser"));
    await page.locator("#note").pressSequentially("my own words");
    barn.say(...statistics({ khs: 47.5 }));
    shed.say(...statistics({ khs: 1.25 }));
    await wait_text(page, "#plain", "48750");
    assert.equal(await page.textContent("#kept"), "from the browser");
    assert.equal(await page.locator("#note").inputValue(), "my own words");
    assert.equal(await page.evaluate(() => document.activeElement.id), "note");
    assert.ok(await is_marked(page));
});

test("one stream for all pages of a browser; another page takes over", async (t) => {
    const context = await browser.newContext();
    t.after(() => context.close());
    const streams = (page) => page.requests.filter((url) => new URL(url).pathname === "/events").length;
    const first = await open(t, "/", { context });
    await settled(first);
    const second = await open(t, "/", { context });
    await settled(second);
    assert.deepEqual([streams(first), streams(second)], [1, 0]);
    barn.say(...statistics({ khs: 33.25 }));
    await wait_row(second, "BARN-01", "33.25");
    await first.close();
    barn.say(...statistics({ khs: 44.75 }));
    await wait_row(second, "BARN-01", "44.75");
    assert.equal(streams(second), 1);
});

test("ages are counted in the browser, and what is old says so", async (t) => {
    const page = await open(t, "/");
    const seen = await page.evaluate(async () => {
        const { clock_tick } = await import("/static/clock.js");
        const box = document.createElement("div");
        const ages_s = [2, 42, 400, 7200, 300000];
        const iso = (s) => new Date(Date.now() - s * 1000).toISOString();
        box.innerHTML =
            ages_s.map((s) => `<time data-age datetime="${iso(s)}">UTC</time>`).join("") +
            `<b data-at="${Date.now() - 400_000}" data-stale-after="300"></b>` +
            `<b data-at="${Date.now() - 200_000}" data-stale-after="300" data-stale="1 h"></b>`;
        clock_tick(box);
        return [...box.children].map((e) => (e.tagName === "B" ? (e.dataset.stale ?? null) : e.textContent));
    });
    assert.deepEqual(seen, ["now", "42 s ago", "6 min ago", "2 h ago", "3 d ago", "6 min", null]);
});
