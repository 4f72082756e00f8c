// The daemon dies and comes back: the page says so, and takes it back by itself.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { browser_launch, is_marked, mark, page_open, settled } from "./lib/browser.mjs";
import { daemon_make } from "./lib/daemon.mjs";

let browser, daemon;
before(async () => {
    browser = await browser_launch();
    daemon = daemon_make();
    await daemon.start();
});
after(async () => {
    await browser?.close();
    await daemon?.remove();
});

test("killed: a banner; started again on the same port: it goes by itself", async (t) => {
    const page = await page_open(browser, daemon.url + "/");
    t.after(() => page.context().close());
    await settled(page);
    await mark(page);
    assert.ok(await page.locator("#away").isHidden());

    const killed = performance.now();
    await daemon.kill();
    await page.locator("#away").waitFor({ state: "visible", timeout: 15_000 });
    t.diagnostic(`banner after ${Math.round(performance.now() - killed)} ms`);
    assert.match(await page.textContent("#away"), /does not answer since \d\d:\d\d; trying again/);

    await daemon.start();
    const started = performance.now();
    await page.locator("#away").waitFor({ state: "hidden", timeout: 15_000 });
    t.diagnostic(`gone after ${Math.round(performance.now() - started)} ms`);
    assert.ok(await is_marked(page), "same version: no reload");
});
