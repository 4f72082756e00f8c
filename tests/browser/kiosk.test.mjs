// The screens on the wall: the clock is right across daylight saving time, the figures are those of the API, 500 miners
// fit, the menu comes by key, tap and in an iframe not at all.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { axe, browser_launch, is_marked, mark, page_of, settled, SIZES, until, wait_text } from "./lib/browser.mjs";
import { daemon_make, pty_open } from "./lib/daemon.mjs";
import { login, statistics } from "./lib/nerdminer.mjs";

const ROUTES = ["/kiosk", "/dash/health"];
const MANY = 500;

let browser, barn, daemon, nobody, many;
before(async () => {
    browser = await browser_launch();
    barn = await pty_open();
    daemon = daemon_make({
        miners: [
            { id: "BARN-01", link: barn.link },
            { id: "ATTIC-02", link: `${barn.link}-none` },
        ],
    });
    nobody = daemon_make();
    const name = (i) => `BARN-${String(i + 1).padStart(3, "0")}`;
    many = daemon_make({
        miners: Array.from({ length: MANY }, (_, i) => ({ id: name(i), link: `${barn.link}-${i}` })),
    });
    await Promise.all([daemon.start(), nobody.start(), many.start()]);
    barn.say(...login("bc1qexample.left"));
});
after(async () => {
    await browser?.close();
    await Promise.all([daemon?.remove(), nobody?.remove(), many?.remove()]);
    await barn?.close();
});

/** The miner at the pty is online for the next minute. */
function say_something() {
    barn.say(...statistics({ khs: 78.5, shares: 12, templates: 34 }));
}

const open = (t, url, options) => page_of(t, browser, url, options);

/** What is cut off by the window or by an ellipsis, of what can be seen. */
function clipped(page) {
    return page.evaluate(() => {
        const hidden = (e) => e.closest("dialog, .sr-only, .symbols") || getComputedStyle(e).clipPath !== "none";
        const found = [];
        if (document.documentElement.scrollHeight > innerHeight || document.documentElement.scrollWidth > innerWidth) {
            found.push("the page scrolls");
        }
        for (const e of document.querySelectorAll("main *")) {
            if (hidden(e)) continue;
            const { left, top, right, bottom, width } = e.getBoundingClientRect();
            const outside = left < -1 || top < -1 || right > innerWidth + 1 || bottom > innerHeight + 1;
            if (width && outside) found.push(e.outerHTML.slice(0, 100));
        }
        return found.slice(0, 5);
    });
}

// ---- looks --------------------------------------------------------------------------------------

const WALLS = [...SIZES, { width: 1024, height: 600 }, { width: 1920, height: 1080 }, { width: 3840, height: 2160 }];

for (const route of ROUTES) {
    for (const viewport of WALLS) {
        test(`${route} fills ${viewport.width}x${viewport.height}, nothing is cut off`, async (t) => {
            say_something();
            for (const herd of [daemon, nobody]) {
                const page = await open(t, herd.url + route, { viewport });
                await settled(page);
                assert.deepEqual(await clipped(page), []);
            }
        });
    }
    for (const colorScheme of ["dark", "light"]) {
        test(`${route}: axe finds nothing, ${colorScheme}`, async (t) => {
            for (const herd of [daemon, nobody]) {
                const page = await open(t, herd.url + route, { viewport: SIZES[0], colorScheme, reducedMotion: "reduce" });
                await settled(page);
                assert.deepEqual(await axe(page), []);
            }
        });
    }
}

test("without a miner the screens say how to begin", async (t) => {
    for (const route of ROUTES) {
        const page = await open(t, nobody.url + route);
        assert.equal(await page.getByText("No miner yet").count(), 1);
    }
});

// ---- the clock ----------------------------------------------------------------------------------

/** What static/clock.js of the page shows at these times. */
function shown(page, times, style, settings) {
    return page.evaluate(
        async ([times, style, settings]) => {
            const { clock_parts } = await import("/static/clock.js");
            const all = { locale: "en", hour12: false, seconds: true, date: "full", ...settings };
            return times.map((time) =>
                clock_parts(Date.parse(time), style, all)
                    .map(({ value }) => value)
                    .join(""),
            );
        },
        [times, style, settings],
    );
}

test("the clock is right in the second of a change to or from daylight saving time", async (t) => {
    const page = await open(t, nobody.url + "/kiosk");
    const cases = [
        ["Europe/Vienna", "2026-03-29T00:59:59Z", "01:59:59", "2026-03-29T01:00:00Z", "03:00:00"],
        ["Europe/Vienna", "2026-10-25T00:59:59Z", "02:59:59", "2026-10-25T01:00:00Z", "02:00:00"],
        ["Australia/Lord_Howe", "2026-04-04T14:59:59Z", "01:59:59", "2026-04-04T15:00:00Z", "01:30:00"],
        ["Australia/Lord_Howe", "2026-10-03T15:29:59Z", "01:59:59", "2026-10-03T15:30:00Z", "02:30:00"],
        ["Asia/Kolkata", "2026-03-29T00:59:59Z", "06:29:59", "2026-03-29T01:00:00Z", "06:30:00"],
    ];
    for (const [timezone, before, reads, then, reads_then] of cases) {
        assert.deepEqual(await shown(page, [before, then], "time", { timezone }), [reads, reads_then], timezone);
    }
    assert.deepEqual(await shown(page, ["2026-10-18T12:05:09Z"], "date", { timezone: "UTC", date: "iso" }), ["2026-10-18"]);
    assert.deepEqual(await shown(page, ["2026-10-18T23:05:09Z"], "weekday", { timezone: "Asia/Kolkata" }), ["Monday"]);
    assert.deepEqual(await shown(page, ["2026-10-18T12:05:09Z"], "seconds", { timezone: "UTC" }), ["09"]);
});

/** From now on this page hears another time from the daemon. */
async function daemon_says(page, url, time) {
    const shift_ms = Date.parse(time) - Date.now();
    await page.route(url, async (route) => {
        const response = await route.fetch();
        const date = new Date(Date.now() + shift_ms).toUTCString();
        await route.fulfill({ response, headers: { ...response.headers(), date } });
    });
}

test("the daemon's time is the truth, and the screen goes over the change by itself", async (t) => {
    const page = await open(t, nobody.url + "/details/system");
    const url = `${nobody.url}/kiosk?timezone=Europe/Vienna`;
    await daemon_says(page, url, "2026-03-29T00:59:56Z");
    await page.goto(url);
    const seen = new Set();
    const deadline = performance.now() + 15_000;
    while (![...seen].some((text) => text.startsWith("03:00"))) {
        assert.ok(performance.now() < deadline, [...seen].join());
        seen.add(await page.locator(".kiosk-clock .time").innerText().then((text) => text.replace(/\s/g, "")));
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.ok([...seen].some((text) => /^01:59/.test(text)), [...seen].join());
    assert.ok(![...seen].some((text) => text.startsWith("02")), [...seen].join());
    assert.equal(await page.locator(".kiosk-clock .date").textContent(), "Sunday, March 29, 2026");
});

test("hour12, seconds, date and language come from the URL; an unknown time zone is told", async (t) => {
    const page = await open(t, `${nobody.url}/kiosk?hour12=yes&seconds=no&date=iso&timezone=Nowhere/Land&lang=de`);
    const time = page.locator(".kiosk-clock .time");
    await time.locator(".clock-dayPeriod").waitFor();
    assert.equal(await time.locator(".clock-second").count(), 0);
    assert.match(await page.locator(".kiosk-clock .date").textContent(), /^\d{4}-\d\d-\d\d$/);
    assert.match(await page.locator("#timezone-unknown").innerText(), /Nowhere\/Land/);
    await page.goto(`${nobody.url}/kiosk?timezone=Asia/Kolkata`);
    await page.locator(".kiosk-clock .clock-second").waitFor();
    assert.equal(await page.locator("#timezone-unknown").isVisible(), false);
});

test("the digits do not move when they change", async (t) => {
    const page = await open(t, nobody.url + "/kiosk");
    await page.locator(".clock-second").waitFor();
    const widths = await page.evaluate(() => {
        const span = document.querySelector(".clock-minute");
        return ["11", "00", "44", "59"].map((digits) => {
            span.textContent = digits;
            return span.getBoundingClientRect().width;
        });
    });
    assert.equal(new Set(widths).size, 1, widths.join());
});

// ---- figures ------------------------------------------------------------------------------------

async function figures(page, ids) {
    const read = (ids) => ids.map((id) => Number(document.getElementById(id)?.value ?? NaN));
    return page.evaluate(read, ids);
}

async function equals_api(page, ids, of_api) {
    const deadline = performance.now() + 15_000;
    for (;;) {
        const { herd_stats } = await daemon.json("/api/herd_data");
        const expected = of_api(herd_stats);
        const found = await figures(page, ids);
        if (herd_stats.total_hash_khs > 0 && expected.every((value, i) => value === found[i])) return;
        assert.ok(performance.now() < deadline, `${ids}: ${found} instead of ${expected}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
}

test("the figures are those of /api/herd_data", async (t) => {
    say_something();
    const kiosk = await open(t, daemon.url + "/kiosk");
    await equals_api(
        kiosk,
        ["total-hashrate", "online-miners", "total-shares", "total-templates", "best-difficulty"],
        (api) => [
            api.total_hash_khs * 1000,
            api.online_miners,
            api.total_shares_accepted || api.total_shares,
            api.total_block_templates,
            api.best_difficulty,
        ],
    );
    const health = await open(t, daemon.url + "/dash/health");
    await equals_api(health, ["total-hashrate", "count-online"], (api) => [api.total_hash_khs * 1000, api.online_miners]);
});

test("a line on a wire changes the screens within a second, with no reload", async (t) => {
    for (const route of ROUTES) {
        const page = await open(t, daemon.url + route);
        await settled(page);
        await mark(page);
        for (const khs of [91.25, 64.75, 83.5]) {
            await new Promise((resolve) => setTimeout(resolve, 1100)); // the point is the first change after quiet
            const said_at = performance.now();
            barn.say(...statistics({ khs }));
            await wait_text(page, "#total-hashrate", khs.toFixed(2));
            const took_ms = performance.now() - said_at;
            assert.ok(took_ms < 1000, `${route}: ${took_ms} ms`);
        }
        assert.equal(await is_marked(page), true, "no reload");
    }
});

test("what is wrong comes first, and a tile says it in words", async (t) => {
    say_something();
    const page = await open(t, daemon.url + "/dash/health");
    await wait_text(page, "#count-online", "1");
    assert.deepEqual(await page.locator(".tile b").allTextContents(), ["ATTIC-02", "BARN-01"]);
    await page.getByRole("link", { name: /^ATTIC-02, offline since / }).waitFor();
    await page.goto(daemon.url + "/dash/health?sort=name");
    assert.deepEqual(await page.locator(".tile b").allTextContents(), ["ATTIC-02", "BARN-01"]);
    const id = (await daemon.json("/api/herd_data")).miners_list.find((miner) => miner.miner_id === "BARN-01").id;
    assert.equal(await page.getByRole("link", { name: /^BARN-01, online/ }).getAttribute("href"), `/details/miner/${id}`);
});

for (const viewport of [SIZES[0], SIZES[2], { width: 1920, height: 1080 }]) {
    test(`${MANY} miners fit into ${viewport.width}x${viewport.height}`, async (t) => {
        const page = await open(t, many.url + "/dash/health", { viewport });
        await settled(page);
        assert.equal(await page.locator(".tile").count(), MANY);
        assert.deepEqual(await clipped(page), []);
        const { width, height } = await page.locator(".tile").last().boundingBox();
        assert.ok(width > 8 && height > 8, `${width} x ${height}`);
        const name = await page.locator(".tile .rest").first().boundingBox();
        if (viewport.width >= 1280) assert.ok(name.width > 15, "there is room for a short name");
    });
}

// ---- pointer, keys, menu ------------------------------------------------------------------------

test("the pointer goes away after 3 s, and comes back when it is moved", async (t) => {
    const page = await open(t, nobody.url + "/details/system");
    await page.clock.install();
    await page.goto(nobody.url + "/kiosk");
    await settled(page);
    const cursor = () => page.evaluate(() => getComputedStyle(document.querySelector("main")).cursor);
    await page.mouse.move(100, 100);
    assert.notEqual(await cursor(), "none");
    await page.clock.runFor(3100);
    assert.equal(await cursor(), "none");
    await page.mouse.move(120, 100);
    assert.notEqual(await cursor(), "none");
});

const menu_is = (page, open) => until(page, (open) => document.getElementById("menu").open === open, open);

test("the menu by keyboard: focus goes in and back", async (t) => {
    const page = await open(t, daemon.url + "/dash/health?sort=name");
    await settled(page);
    await page.locator(".tile a").first().focus();
    await page.keyboard.press("m");
    await menu_is(page, true);
    const focused = () => page.evaluate(() => document.activeElement.textContent);
    assert.equal(await focused(), "Herd health");
    await page.keyboard.press("ArrowDown");
    assert.equal(await focused(), "NerdMiner");
    assert.deepEqual(await axe(page), []);
    await page.keyboard.press("Escape");
    await menu_is(page, false);
    assert.match(await focused(), /^ATTIC-02/);
    await page.keyboard.press("Escape");
    await menu_is(page, true);
    await page.keyboard.press("Tab");
    await page.keyboard.press("m");
    await menu_is(page, false);
});

test("the menu by a tap; it goes by itself after 20 s", async (t) => {
    const page = await open(t, nobody.url + "/details/system");
    await page.clock.install();
    await page.goto(nobody.url + "/kiosk");
    await settled(page);
    await page.mouse.click(200, 300);
    await menu_is(page, true);
    for (const link of await page.locator("#menu a").all()) {
        assert.ok((await link.boundingBox()).height >= 44, "large enough for a finger");
    }
    await page.clock.runFor(20_100);
    await menu_is(page, false);
});

test("arrow keys go from screen to screen, and the settings of the URL stay", async (t) => {
    const page = await open(t, daemon.url + "/kiosk?hour12=yes");
    await settled(page);
    await page.keyboard.press("ArrowRight");
    await page.waitForURL(daemon.url + "/dash/health?hour12=yes");
    await settled(page);
    await page.keyboard.press("ArrowLeft");
    await page.waitForURL(daemon.url + "/kiosk?hour12=yes");
});

test("in an iframe there is no menu: gestures go to the page around", async (t) => {
    const page = await open(t, nobody.url + "/details/system");
    await page.evaluate(() => {
        const frame = document.createElement("iframe");
        frame.src = "/kiosk";
        document.body.append(frame);
        window.heard = [];
        addEventListener("message", (event) => window.heard.push(event.data));
    });
    const frame = page.frameLocator("iframe");
    await frame.locator("html.framed").waitFor();
    await frame.locator("main").click();
    await page.keyboard.press("ArrowRight");
    await until(page, () => window.heard.length === 2);
    assert.deepEqual(await page.evaluate(() => window.heard), [
        { shepherd: "input", kind: "menu" },
        { shepherd: "input", kind: "next" },
    ]);
    assert.equal(await frame.locator("#menu").isVisible(), false);
});
