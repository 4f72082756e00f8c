// Chromium, and a page that remembers everything that should not have happened.

import assert from "node:assert/strict";
import fs from "node:fs";
import { createRequire } from "node:module";

import { chromium } from "playwright-core";

const AXE = fs.readFileSync(createRequire(import.meta.url).resolve("axe-core"), "utf8");

export const SIZES = [
    { width: 480, height: 320 }, // 3.5" display on a Pi
    { width: 800, height: 480 }, // 7" display on a Pi
    { width: 1280, height: 720 },
    { width: 390, height: 844 }, // a phone
];

export function browser_launch() {
    return chromium.launch({
        executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
        args: [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ],
    });
}

/** A page in a context of its own. `page.wrong` lists console errors, exceptions, foreign requests, dialogs. */
export async function page_open(browser, url, options = {}) {
    const context = options.context ?? (await browser.newContext({ viewport: SIZES[2], ...options }));
    const page = await context.newPage();
    page.wrong = [];
    page.requests = [];
    page.on("console", (message) => {
        if (message.type() === "error") page.wrong.push(`console: ${message.text()}`);
    });
    page.on("pageerror", (error) => page.wrong.push(`exception: ${error.message}`));
    page.on("dialog", (dialog) => {
        page.wrong.push(`dialog: ${dialog.message()}`);
        dialog.dismiss();
    });
    page.on("request", (request) => {
        page.requests.push(request.url());
        const { origin, protocol } = new URL(request.url());
        if (origin !== new URL(url).origin && protocol !== "data:") page.wrong.push(`foreign request: ${request.url()}`);
    });
    await page.goto(url);
    await page.evaluate(() => document.fonts.ready);
    return page;
}

/** The same for a test: at its end nothing was wrong, and the page goes (its context too, unless it was given). */
export async function page_of(t, browser, url, options) {
    const page = await page_open(browser, url, options);
    t.after(async () => {
        assert.deepEqual(page.wrong, []);
        await (options?.context ? page : page.context()).close();
    });
    return page;
}

/** Mark the document: gone after a reload. */
export function mark(page) {
    return page.evaluate(() => (window.marked = true));
}

export function is_marked(page) {
    return page.evaluate(() => window.marked === true);
}

/** Wait until fn(arg), run in the page, is true. Not page.waitForFunction(): that needs eval, which our policy forbids. */
export async function until(page, fn, arg, { within_ms = 15_000, every_ms = 25 } = {}) {
    const deadline = performance.now() + within_ms;
    while (!(await page.evaluate(fn, arg))) {
        if (performance.now() > deadline) throw new Error(`not within ${within_ms} ms: ${fn} (${JSON.stringify(arg)})`);
        await new Promise((resolve) => setTimeout(resolve, every_ms));
    }
}

/** Wait until text is to be seen in the first element that fits. */
export function wait_text(page, selector, text) {
    return until(page, ([selector, text]) => Boolean(document.querySelector(selector)?.textContent.includes(text)), [
        selector,
        text,
    ]);
}

/** The page knows its ETag and hears the stream: from here on a change comes by event. */
export function settled(page) {
    return until(page, () => document.documentElement.dataset.live === "on");
}

/** What axe-core finds, a text each. options are its own. */
export async function axe(page, options = {}) {
    await page.evaluate(AXE); // by the debugger: the page's own policy would not let it in
    const { violations } = await page.evaluate((options) => window.axe.run({ resultTypes: ["violations"], ...options }), options);
    return violations.map((v) => `${v.id}: ${v.help}\n  ${v.nodes.map((n) => n.html.slice(0, 160)).join("\n  ")}`);
}

/**
 * What is wider than the window, a text each. whole: nothing of a full-screen page may stand out on any side, and the page
 * itself does not scroll (a part of it may: the screens of /dash/nerdminer one below the other on a phone).
 */
export function overflow(page, { whole = false } = {}) {
    return page.evaluate((whole) => {
        const root = document.documentElement;
        const [width, height] = [root.clientWidth, root.clientHeight];
        const found = [];
        const wide = root.scrollWidth > width;
        const high = whole && root.scrollHeight > height;
        if (wide) found.push(`width ${root.scrollWidth} > ${width}`);
        if (high) found.push(`height ${root.scrollHeight} > ${height}`);
        if (!wide && !whole) return found;
        const scrolls = (e) => e && e !== document.body && (/auto|scroll/.test(getComputedStyle(e).overflowY) || scrolls(e.parentElement));
        const unseen = "dialog, .sr-only, .symbols, svg *, canvas, [hidden], .matrix-flashes *, .play-view";
        for (const element of document.body.querySelectorAll(whole ? "main *" : "*")) {
            const box = element.getBoundingClientRect();
            const outside = box.right > width + 1 || box.left < -1 || (whole && (box.top < -1 || box.bottom > height + 1));
            if (!outside || box.width === 0 || element.closest(unseen) || scrolls(element.parentElement)) continue;
            if (found.length < 4) found.push(element.outerHTML.slice(0, 120));
        }
        return found;
    }, whole);
}
