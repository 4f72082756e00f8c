// Every page at every size, with the demo flock: nothing goes wrong, nothing leaves the host, nothing overflows, axe-core
// finds nothing.

import assert from "node:assert/strict";
import fs from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";

import { browser_launch, page_open, settled, SIZES } from "./lib/browser.mjs";
import { daemon_make } from "./lib/daemon.mjs";

const AXE = fs.readFileSync(createRequire(import.meta.url).resolve("axe-core"), "utf8");
const PAGES = ["/", "/raw_logs", "/details/system", "/dashboards", "/details", "/config"];

let browser, flock, nobody;
before(async () => {
    browser = await browser_launch();
    flock = daemon_make({ demo: true });
    nobody = daemon_make();
    await Promise.all([flock.start(), nobody.start()]);
});
after(async () => {
    await browser?.close();
    await Promise.all([flock?.remove(), nobody?.remove()]);
});

async function overflow(page) {
    return page.evaluate(() => {
        const room = document.documentElement.clientWidth;
        if (document.documentElement.scrollWidth <= room) return null;
        const wide = [...document.body.querySelectorAll("*")].find((e) => e.getBoundingClientRect().right > room + 1);
        return `${document.documentElement.scrollWidth} > ${room}: ${wide?.outerHTML.slice(0, 120)}`;
    });
}

async function axe(page) {
    await page.evaluate(AXE); // by the debugger: the page's own policy would not let it in
    const { violations } = await page.evaluate(() => window.axe.run());
    return violations.map((v) => `${v.id}: ${v.help}\n  ${v.nodes.map((n) => n.html.slice(0, 160)).join("\n  ")}`);
}

async function check(t, url, options) {
    const page = await page_open(browser, url, options);
    t.after(() => page.context().close());
    await settled(page);
    assert.equal(await overflow(page), null, "no horizontal scroll");
    assert.deepEqual(await axe(page), []);
    assert.deepEqual(page.wrong, []);
}

for (const path of PAGES) {
    for (const viewport of SIZES) {
        const size = `${viewport.width}x${viewport.height}`;
        test(`${path} at ${size}`, async (t) => {
            if (path === "/") await wait_for_flock();
            await check(t, flock.url + path, { viewport });
        });
        test(`${path} at ${size}, no miner`, (t) => check(t, nobody.url + path, { viewport }));
    }
    test(`${path} in the light`, (t) => check(t, flock.url + path, { colorScheme: "light" }));
}

async function wait_for_flock() {
    const deadline = Date.now() + 20_000;
    for (;;) {
        const { herd_stats } = await flock.json("/api/herd_data");
        if (herd_stats.online_miners > 0) return;
        assert.ok(Date.now() < deadline, "the demo flock comes online");
        await new Promise((resolve) => setTimeout(resolve, 100));
    }
}

test("the demo says that it is one", async (t) => {
    const page = await page_open(browser, flock.url + "/");
    t.after(() => page.context().close());
    assert.equal(await page.getByText("Demo data").count(), 1);
    assert.equal((await flock.json("/api/herd_data")).demo, true);
});

test("without a miner the page teaches", async (t) => {
    const page = await page_open(browser, nobody.url + "/");
    t.after(() => page.context().close());
    assert.equal(await page.getByText("No miner yet").count(), 1);
});

test("a page that is not there says so, in HTML", async (t) => {
    const page = await page_open(browser, nobody.url + "/");
    t.after(() => page.context().close());
    const reply = await page.goto(nobody.url + "/nowhere");
    assert.equal(reply.status(), 404);
    assert.match(reply.headers()["content-type"], /^text\/html/);
});

test("the system page knows the plugins", async (t) => {
    const page = await page_open(browser, nobody.url + "/details/system");
    t.after(() => page.context().close());
    const row = page.locator("tr", { has: page.getByRole("rowheader", { name: "nerdminer", exact: true }) });
    assert.match(await row.textContent(), /nerdminer\s*parser.*(running|loaded)/s);
});
