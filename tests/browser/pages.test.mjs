// Every page at every size, with the demo flock and without a miner: nothing goes wrong, nothing leaves the host, nothing
// overflows, axe-core finds nothing. Light, contrast and German once. No page of views/ may be missing here.

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";

import { axe, browser_launch, overflow, page_open, SIZES, until } from "./lib/browser.mjs";
import { daemon_make } from "./lib/daemon.mjs";
import { is_ready, PAGES } from "./lib/pages.mjs";
import { world_open } from "./lib/world.mjs";

const VIEWS = new URL("../../views", import.meta.url).pathname;
const [SMALL, , LARGE, PHONE] = SIZES;
const NO_PAGES = new Set(["node_modules", "partials", "static", "style"]);

let browser, world, flock, nobody;
const tabs = []; // one page for each size, used again and again: a new one costs more than all that is looked at
before(async () => {
    [browser, world] = await Promise.all([browser_launch(), world_open()]);
    flock = daemon_make({ demo: true, world: world.url });
    nobody = daemon_make();
    await Promise.all([flock.start(), nobody.start()]);
    await flock_has((api) => api.herd_stats.online_miners > 0 && api.btc_price_data.price_usd && api.network.height);
});
after(async () => {
    await browser?.close();
    await Promise.all([flock?.remove(), nobody?.remove()]);
    await world?.close();
});

async function flock_has(fits) {
    const deadline = performance.now() + 30_000;
    while (!fits(await flock.json("/api/herd_data"))) {
        assert.ok(performance.now() < deadline, "the demo flock is online, price and network are known");
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
}

/** The tab of this daemon at this size goes to an address. */
async function go(daemon, viewport, route, media = { colorScheme: "dark" }) {
    let tab = tabs.find((tab) => tab.daemon === daemon && tab.viewport === viewport);
    if (!tab) {
        tab = { daemon, viewport, page: await page_open(browser, daemon.url + "/details/system", { viewport }) };
        tabs.push(tab);
    }
    const { page } = tab;
    await page.emulateMedia({ contrast: "no-preference", ...media });
    page.wrong.length = 0;
    const reply = (await page.goto(daemon.url + route)) ?? (await page.reload()); // only another #section
    assert.equal(reply.status(), 200);
    await until(page, is_ready);
    return page;
}

async function is_well(page, { screen }) {
    assert.deepEqual(await overflow(page, { whole: screen }), [], "nothing overflows");
    assert.deepEqual(await axe(page, { iframes: false }), []); // a view that is played has its own row
    assert.deepEqual(page.wrong, []);
}

// ---- the matrix -----------------------------------------------------------------------------------

for (const viewport of SIZES) {
    const size = `${viewport.width}x${viewport.height}`;
    for (const each of PAGES) {
        test(`${each.route} at ${size}`, async () => is_well(await go(flock, viewport, each.route), each));
    }
    for (const each of PAGES.filter(({ route }) => !/[?]|miner\/\d/.test(route))) {
        test(`${each.route} at ${size}, no miner`, async () => is_well(await go(nobody, viewport, each.route), each));
    }
}

for (const each of PAGES) {
    test(`${each.route} in the light and with contrast`, async () => {
        const page = await go(flock, LARGE, each.route, { colorScheme: "light" });
        const colours = { runOnly: ["color-contrast"], iframes: false };
        assert.deepEqual(await axe(page, colours), [], "light");
        await page.emulateMedia({ contrast: "more" });
        assert.deepEqual(await axe(page, colours), [], "contrast");
        assert.deepEqual(page.wrong, []);
    });
    test(`${each.route} in German`, async () => {
        for (const viewport of [SMALL, PHONE]) {
            const [address, section = ""] = each.route.split(/(?=#)/);
            const page = await go(flock, viewport, `${address}${address.includes("?") ? "&" : "?"}lang=de${section}`);
            assert.equal(await page.evaluate(() => document.documentElement.lang), "de");
            assert.deepEqual(await overflow(page, { whole: each.screen }), []);
            assert.deepEqual(page.wrong, []);
        }
    });
}

// ---- none is missing ------------------------------------------------------------------------------

function files_of(folder) {
    return fs.readdirSync(path.join(VIEWS, folder), { withFileTypes: true }).flatMap((entry) => {
        const name = path.posix.join(folder, entry.name);
        if (entry.name.startsWith("_") || NO_PAGES.has(name)) return [];
        return entry.isDirectory() ? files_of(name) : [name];
    });
}

test("every view is in the list of pages", () => {
    const views = files_of("").filter((name) => name.endsWith(".html"));
    const listed = new Set(PAGES.map(({ view }) => view));
    assert.deepEqual([...listed].sort(), views.sort(), "lib/pages.mjs names every page of views/, and nothing else");
});

// ---- what some of them say ------------------------------------------------------------------------

test("the demo says that it is one", async () => {
    const page = await go(flock, LARGE, "/");
    assert.equal(await page.getByText("Demo data").count(), 1);
    assert.equal((await flock.json("/api/herd_data")).demo, true);
});

test("without a miner the page teaches", async () => {
    const page = await go(nobody, LARGE, "/");
    assert.equal(await page.getByText("No miner yet").count(), 1);
});

test("a page that is not there says so, in HTML", async () => {
    for (const route of ["/nowhere", "/details/miner/1"]) {
        const reply = await fetch(nobody.url + route, { headers: { Accept: "text/html" } });
        assert.equal(reply.status, 404);
        assert.match(reply.headers.get("content-type"), /^text\/html/);
    }
});

test("the system page knows the plugins", async () => {
    const page = await go(nobody, LARGE, "/details/system");
    const row = page.locator("tr", { has: page.getByRole("rowheader", { name: "nerdminer", exact: true }) });
    assert.match(await row.textContent(), /nerdminer\s*parser.*(running|loaded)/s);
});
