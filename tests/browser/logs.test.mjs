// The live tail: /raw_logs with its filter, its pauses and its gaps, and /api/logs behind it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { browser_launch, is_marked, mark, page_of, settled, until, wait_text } from "./lib/browser.mjs";
import { daemon_make, pty_open } from "./lib/daemon.mjs";

const RING = 500;
const PAGE_LINES = 200; // as the server makes it
const SHELVES = 10;
const LINES_A_SECOND = 100; // of each
const FLOOD_S = 5;

let browser, shelves, daemon;
before(async () => {
    browser = await browser_launch();
    const names = Array.from({ length: SHELVES }, (_, i) => `SHELF-${i + 1}`);
    shelves = await Promise.all(names.map(() => pty_open()));
    daemon = daemon_make({ miners: names.map((id, i) => ({ id, link: shelves[i].link })) });
    await daemon.start();
});
after(async () => {
    await browser?.close();
    await daemon?.remove();
    await Promise.all((shelves ?? []).map((shelf) => shelf.close()));
});

const open = (t, route, options) => page_of(t, browser, daemon.url + route, options);

async function stored(text, query = "") {
    const deadline = Date.now() + 15_000;
    for (;;) {
        const { lines } = await daemon.json(`/api/logs?q=${encodeURIComponent(text)}${query}`);
        if (lines.length > 0) return lines;
        assert.ok(Date.now() < deadline, `"${text}" is stored`);
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
}

/** Wait until the page has fetched lines that it does not show. */
function waiting(page) {
    return until(page, () => !document.querySelector("#log-new").hidden);
}

test("/api/logs finds by miner, text, level, id and time", async () => {
    shelves[0].say("alpha one", "E (120) wifi: lost", 'reply {"error":null,"result":true}', "Client disconnected");
    shelves[1].say("ALPHA two", "Guru Meditation Error: Core 0 panic'ed", "[ 12][W][WiFi.cpp:7] slow");
    await stored("slow");
    await stored("Client disconnected");
    const get = (query) => daemon.json(`/api/logs?${query}`);
    const said = async (query) => (await get(query)).lines.map(({ line }) => line).sort();

    assert.deepEqual(await said("q=alpha"), ["ALPHA two", "alpha one"]);
    assert.deepEqual(await said("q=alpha&miner=SHELF-2"), ["ALPHA two"]);
    assert.deepEqual(await said("level=error"), ["E (120) wifi: lost", "Guru Meditation Error: Core 0 panic'ed"]);
    assert.deepEqual(await said("level=warning"), ["Client disconnected", "[ 12][W][WiFi.cpp:7] slow"]);
    assert.ok((await said("level=info")).includes('reply {"error":null,"result":true}'));
    assert.deepEqual(await said("miner=NOBODY"), []);

    const all = await get("limit=1000");
    const ids = all.lines.map(({ id }) => id);
    assert.deepEqual(ids, [...ids].sort((a, b) => b - a), "newest first");
    assert.deepEqual([all.newest, all.more], [ids[0], false]);
    const some = await get("limit=2");
    assert.deepEqual([some.lines.length, some.more, some.next], [2, true, ids[1]]);
    assert.deepEqual((await get(`limit=2&before=${some.next}`)).lines.map(({ id }) => id), ids.slice(2, 4));
    assert.deepEqual((await get(`after=${ids[2]}`)).lines.map(({ id }) => id), ids.slice(0, 2));
    const from_ms = all.lines.at(-1).at_ms;
    assert.deepEqual((await get(`from_ms=${from_ms}&limit=1`)).lines.map(({ id }) => id), ids.slice(-1));
    assert.deepEqual((await get(`from_ms=${from_ms + 3_600_000}`)).lines, []);

    const file = await fetch(`${daemon.url}/api/logs?format=text&miner=SHELF-2`);
    assert.match(file.headers.get("content-type"), /^text\/plain/);
    assert.match(await file.text(), /^\d{4}-\d\d-\d\dT[\d:.]+Z SHELF-2 ALPHA two\n/);
    assert.equal((await fetch(`${daemon.url}/api/logs?level=loud`)).status, 400);
});

test("without script it is the newest lines, with the same filter and its hits marked", async (t) => {
    const page = await open(t, "/raw_logs?q=alpha&miner=SHELF-1", { javaScriptEnabled: false });
    assert.deepEqual(await page.locator("#log .text").allTextContents(), ["alpha one"]);
    assert.equal(await page.locator("#log mark").textContent(), "alpha");
    await page.locator("input[name=q]").fill("");
    await page.locator("select[name=level]").selectOption("error");
    await page.getByRole("button", { name: "Show" }).click();
    assert.match(page.url(), /miner=SHELF-1&level=error/);
    assert.deepEqual(await page.locator("#log .text").allTextContents(), ["E (120) wifi: lost"]);
});

test("new lines come to the top; the page itself is not asked for each time", async (t) => {
    const page = await open(t, "/raw_logs");
    await settled(page);
    await mark(page);
    const asked_before = page.requests.length;
    for (const word of ["first", "second", "third", "fourth"]) {
        shelves[2].say(`${word} of the tail`);
        await until(page, (text) => document.querySelector("#log li .text").textContent === text, `${word} of the tail`);
    }
    const pages = page.requests.slice(asked_before).filter((url) => new URL(url).pathname === "/raw_logs");
    assert.ok(pages.length <= 1, "once when the stream of events stands, then no more");
    assert.ok(await is_marked(page));
});

test("typing filters, marks the hits, and stands in the URL", async (t) => {
    const page = await open(t, "/raw_logs");
    await settled(page);
    await mark(page);
    await page.locator("input[name=q]").pressSequentially("ALPHA");
    const marked = () => Array.from(document.querySelectorAll("#log mark"), (hit) => hit.textContent).sort().join(" ");
    await until(page, `(${marked})() === "ALPHA alpha"`); // and not those of the letters before
    assert.equal(await page.locator("#log li").count(), 2);
    assert.equal(new URL(page.url()).search, "?q=ALPHA");
    assert.match(await page.locator("#log-file").getAttribute("href"), /q=ALPHA.*format=text/);
    assert.equal(await page.evaluate(() => document.activeElement.name), "q");
    shelves[3].say("beta", "alpha three <img src=x>");
    await wait_text(page, "#log li", "alpha three <img src=x>");
    assert.equal(await page.locator("#log li").count(), 3);
    await page.locator("input[name=q]").fill("never said");
    await wait_text(page, "#log", "No such line");
    await page.locator("input[name=q]").fill("");
    await wait_text(page, "#log", "beta");
    assert.ok(await is_marked(page));
});

test("pause holds the list, the pill brings what came since", async (t) => {
    const page = await open(t, "/raw_logs");
    await settled(page);
    await page.getByRole("button", { name: "Pause" }).click();
    await wait_text(page, "#log-state", "Paused");
    shelves[4].say("while paused 1", "while paused 2");
    await waiting(page);
    assert.equal(await page.getByText("while paused").count(), 0);
    assert.match(await page.locator("#log-new").textContent(), /^[12] new lines$/);
    await page.locator("#log-new").click();
    await wait_text(page, "#log", "while paused 2");
    await wait_text(page, "#log-state", "Live");
});

test("scrolled away it stands still, and goes on at the top", async (t) => {
    shelves[5].say(...Array.from({ length: 120 }, (_, i) => `filler ${i}`));
    await stored("filler 119");
    const page = await open(t, "/raw_logs");
    await settled(page);
    await page.evaluate(() => window.scrollTo(0, 900));
    await wait_text(page, "#log-state", "Paused");
    shelves[5].say("behind the back");
    await waiting(page);
    assert.equal(await page.getByText("behind the back").count(), 0);
    await page.evaluate(() => window.scrollTo(0, 0));
    await wait_text(page, "#log li", "behind the back");
});

test("more than an answer can bring: a gap says how much, and loads it", async (t) => {
    const page = await open(t, "/raw_logs");
    await settled(page);
    await page.evaluate(() => {
        Object.defineProperty(document, "hidden", { configurable: true, get: () => true });
        document.dispatchEvent(new Event("visibilitychange"));
    });
    shelves[6].say(...Array.from({ length: 900 }, (_, i) => `burst ${i}.`));
    await stored("burst 899.");
    await page.evaluate(() => {
        delete document.hidden;
        document.dispatchEvent(new Event("visibilitychange"));
    });
    await wait_text(page, "#log .gap", "401 lines not shown");
    assert.equal(await page.locator("#log li").count(), RING);
    await page.locator("#log .gap button").click();
    await wait_text(page, "#log", "burst 0.");
    assert.equal(await page.locator("#log .gap").count(), 0);
    assert.ok((await page.locator("#log li").count()) <= RING);
});

test("a jump to a time shows the first lines from then on", async (t) => {
    const { lines } = await daemon.json("/api/logs?limit=1000");
    const page = await open(t, `/raw_logs?from=${lines[0].at_ms}`);
    await settled(page);
    const shown = await page.locator("#log li").evaluateAll((nodes) => nodes.map((node) => Number(node.id.slice(1))));
    const from_then = lines.filter(({ at_ms }) => at_ms >= lines[0].at_ms).map(({ id }) => id);
    assert.deepEqual(shown, from_then.slice(-PAGE_LINES), "the first of them, newest first");
    assert.ok(await page.locator("#logs-from").inputValue(), "the field shows that time");
    await page.getByRole("link", { name: "Back to the newest" }).click();
    await wait_text(page, "#log-state", "Live");
});

test("1,000 lines a second: the page stays responsive and small", async (t) => {
    const page = await open(t, "/raw_logs");
    await settled(page);
    const cdp = await page.context().newCDPSession(page);
    await cdp.send("Performance.enable");
    const spent = async () => {
        const { metrics } = await cdp.send("Performance.getMetrics");
        const value = (name) => metrics.find((metric) => metric.name === name).value;
        return { task_s: value("TaskDuration"), at_s: value("Timestamp") };
    };
    let n = 0;
    const pouring = setInterval(() => {
        n += 1;
        for (const shelf of shelves) shelf.say(...Array.from({ length: LINES_A_SECOND / 10 }, (_, i) => `flood ${n}.${i}`));
    }, 100);
    t.after(() => clearInterval(pouring));
    await wait_text(page, "#log li", "flood ");
    const start = await spent();
    await page.waitForTimeout(FLOOD_S * 1000); // a measurement: this long
    const end = await spent();
    const share = (end.task_s - start.task_s) / (end.at_s - start.at_s);
    t.diagnostic(`main thread ${(share * 100).toFixed(1)} % at ${SHELVES * LINES_A_SECOND} lines a second`);
    assert.ok(share < 0.5, `main thread busy ${share}`);
    assert.ok((await page.locator("#log li").count()) <= RING);

    const typed = await page.evaluate(async () => {
        const field = document.querySelector("input[name=q]");
        field.focus();
        const begun = performance.now();
        await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
        return performance.now() - begun;
    });
    t.diagnostic(`a frame under flood: ${typed.toFixed(0)} ms`);
    await page.locator("input[name=q]").pressSequentially("flood 1");
    assert.equal(await page.locator("input[name=q]").inputValue(), "flood 1");
    clearInterval(pouring);
    await until(page, () => [...document.querySelectorAll("#log .text")].every((node) => node.textContent.includes("flood 1")));
});
