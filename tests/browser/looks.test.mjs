// What all pages have in common: themes, languages, the menu, less motion, the web app, Tailwind in edited pages.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { browser_launch, page_open, settled, until } from "./lib/browser.mjs";
import { daemon_make } from "./lib/daemon.mjs";

const PHONE = { width: 390, height: 844 };
const EDITED = `<% layout("partials/layout", { title = "Mine", path = "/mine" }) %>
<p id="mine" class="mt-[37px] text-hash" style="width: 123px"><%= shepherd.herd().seq %></p>`;

let browser, flock, edited;
before(async () => {
    browser = await browser_launch();
    flock = daemon_make({ demo: true });
    edited = daemon_make({ demo: true, views: { "mine.html": EDITED } });
    await Promise.all([flock.start(), edited.start()]);
});
after(async () => {
    await browser?.close();
    await Promise.all([flock?.remove(), edited?.remove()]);
});

async function open(t, route, options = {}) {
    const page = await page_open(browser, flock.url + route, options);
    t.after(() => page.context().close());
    return page;
}

function ground(page) {
    return page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
}

test("the browser's wish is the theme, and data-theme wins over it", async (t) => {
    const wanted = { dark: "rgb(10, 14, 19)", light: "rgb(242, 244, 247)", contrast: "rgb(0, 0, 0)" };
    for (const colorScheme of ["dark", "light"]) {
        assert.equal(await ground(await open(t, "/details", { colorScheme })), wanted[colorScheme]);
        for (const [theme, colour] of Object.entries(wanted)) {
            const page = await open(t, `/details?theme=${theme}`, { colorScheme });
            assert.equal(await ground(page), colour, `theme=${theme} in a browser that prefers ${colorScheme}`);
        }
    }
    const more = await open(t, "/details", { contrast: "more" });
    assert.equal(await ground(more), wanted.contrast);
});

test("a German page is German: words, numbers, ages, lang", async (t) => {
    const page = await open(t, "/?lang=de");
    await settled(page);
    assert.equal(await page.evaluate(() => document.documentElement.lang), "de");
    assert.equal(await page.locator("#pages a").first().textContent(), "Herde");
    assert.equal(await page.getByText("Hashrate der Herde").count(), 1);
    const value = page.locator("#total-hashrate");
    await until(page, () => Number(document.querySelector("#total-hashrate").value) > 0);
    assert.match(await value.textContent(), /^\d+,\d+[kM]H\/s$/);
    assert.match(await value.getAttribute("value"), /^\d+(\.\d+)?$/, "programs read a point");
    await until(page, () =>
        [...document.querySelectorAll("time[data-age]")].every((e) => /^(jetzt|vor \d+ (s|min|h|d))$/.test(e.textContent)),
    );
    const { miners_list } = await (await fetch(`${flock.url}/api/herd_data?lang=de`)).json();
    assert.ok(miners_list.every(({ status }) => /^[a-z]+$/.test(status) && status !== "stumm"));
});

test("Accept-Language chooses, ?lang= wins", async (t) => {
    const spanish = await open(t, "/details", { locale: "es-MX" });
    assert.equal(await spanish.evaluate(() => document.documentElement.lang), "es");
    assert.equal(await spanish.locator("h1").textContent(), "Detalles");
    const english = await open(t, "/details?lang=en", { locale: "es-MX" });
    assert.equal(await english.locator("h1").textContent(), "Details");
});

test("the keyboard reaches the menu and every page in it", async (t) => {
    const page = await open(t, "/details", { viewport: PHONE });
    await settled(page);
    const focused = () => page.evaluate(() => document.activeElement.className || document.activeElement.getAttribute("href"));
    const nav = page.locator("#pages");
    assert.equal(await nav.isVisible(), false);
    for (const wanted of ["skip", "brand", "menu-button"]) {
        await page.keyboard.press("Tab");
        assert.equal(await focused(), wanted);
    }
    const ring = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
    assert.equal(ring, "solid", "the focus is to be seen");
    await page.keyboard.press("Enter");
    await nav.waitFor({ state: "visible" });
    for (const wanted of ["/", "/dashboards", "/summary", "/raw_logs", "/details", "/config", "menu-only"]) {
        await page.keyboard.press("Tab");
        assert.equal(await focused(), wanted);
    }
    assert.equal(await page.locator('#pages [aria-current="page"]').getAttribute("href"), "/details");
    await page.keyboard.press("Escape");
    await nav.waitFor({ state: "hidden" });
    assert.deepEqual(page.wrong, []);
});

test("without script the menu opens and closes", async (t) => {
    const page = await open(t, "/details", { viewport: PHONE, javaScriptEnabled: false });
    await page.locator(".menu-button").click();
    await page.locator("#pages").waitFor({ state: "visible" });
    await page.mouse.click(20, 700);
    await page.locator("#pages").waitFor({ state: "hidden" });
});

test("every page of the menu is there", async () => {
    const html = await (await fetch(`${flock.url}/details`)).text();
    const routes = [...html.matchAll(/href="(\/[a-z_/]*)"/g)].map(([, route]) => route);
    assert.ok(routes.includes("/config") && routes.includes("/help/lua"));
    for (const route of new Set(routes)) assert.equal((await fetch(flock.url + route)).status, 200, route);
});

test("the chooser draws each screen, with the figures of now", async (t) => {
    const page = await open(t, "/dashboards");
    await settled(page);
    assert.deepEqual(
        await page.locator(".shot").evaluateAll((all) => all.map((e) => e.getAttribute("href"))),
        ["/kiosk", "/dash/health", "/dash/nerdminer", "/dash/matrix"],
    );
    const { miners_list } = await flock.json("/api/herd_data");
    assert.equal(await page.locator(".shot-tile").count(), miners_list.length);
    await until(page, () => /^\d?\d:\d\d$/.test(document.querySelector(".shot-clock time").textContent));
});

test("settings: miners, pools, addresses, display", async (t) => {
    const page = await open(t, "/config");
    const { miners_list } = await flock.json("/api/herd_data");
    assert.equal(await page.locator("tr[id^=c]").count(), miners_list.length);
    assert.equal(await page.getByText("No pool is kept here.").count(), 1, "nothing stored: it teaches");
    assert.match(await page.locator(".settings").textContent(), /dwell.*20/s);
});

test("who asked for less motion sees none", async (t) => {
    for (const route of ["/", "/dashboards", "/kiosk", "/dash/health", "/dash/nerdminer"]) {
        const page = await open(t, route, { reducedMotion: "reduce" });
        await settled(page);
        const running = await page.evaluate(() =>
            document.getAnimations().filter((a) => a.playState === "running").map((a) => a.animationName ?? a.transitionProperty),
        );
        assert.deepEqual(running, [], route);
    }
});

test("it can be installed: the manifest is whole and its icons load", async () => {
    const url = new URL("/static/manifest.webmanifest", flock.url);
    const reply = await fetch(url);
    assert.match(reply.headers.get("content-type"), /^application\/manifest\+json/);
    const manifest = await reply.json();
    assert.equal(manifest.name, "The Shepherd");
    assert.deepEqual(manifest.icons.map(({ purpose }) => purpose).sort(), ["any", "maskable"]);
    for (const { src, type } of manifest.icons) {
        const icon = await fetch(new URL(src, url));
        assert.equal(icon.status, 200, src);
        assert.ok(icon.headers.get("content-type").startsWith(type), src);
    }
    for (const { url: page } of [{ url: manifest.start_url }, ...manifest.shortcuts]) {
        assert.equal((await fetch(new URL(page, url))).status, 200, page);
    }
});

test("any Tailwind class works in an edited page, also after an update; shipped pages stay strict", async (t) => {
    const page = await page_open(browser, `${edited.url}/mine`);
    t.after(() => page.context().close());
    await settled(page);
    const styled = () => getComputedStyle(document.getElementById("mine")).marginTop === "37px";
    await until(page, styled);
    const before = await page.locator("#mine").textContent();
    await until(page, (before) => document.getElementById("mine").textContent !== before, before);
    assert.ok(await page.evaluate(styled), "the update left the made style alone");
    const look = await page.evaluate(() => {
        const { width, color } = getComputedStyle(document.getElementById("mine"));
        return { width, color, token: getComputedStyle(document.querySelector(".brand svg")).color };
    });
    assert.equal(look.width, "123px");
    assert.equal(look.color, look.token, "text-hash is our token");
    assert.deepEqual(page.wrong, []);
    const shipped = await (await fetch(`${edited.url}/details`)).text();
    assert.ok(!shipped.includes("tailwind.js"));
});
