// Pages whose every text was written by somebody who wants them to break: no script of his runs, nothing
// that he wrote becomes an element, no page stops.

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";

import { browser_launch, page_open, settled, until } from "./lib/browser.mjs";
import { daemon_make, pty_open } from "./lib/daemon.mjs";
import { login, statistics } from "./lib/nerdminer.mjs";
import { static_import } from "./lib/static.mjs";
import { usb_make } from "./lib/usb.mjs";

const { plan_parse } = await static_import("play_plan.js");

const TEXTS = [
    "<img src=x onerror=window.pwned=1>",
    '"><script>window.pwned=1</script>',
    "</script><script>window.pwned=1</script>",
    "'><svg onload=window.pwned=1>",
    "javascript:window.pwned=1",
    "{{constructor.constructor('window.pwned=1')()}} <% error(1) %>",
    "\u2028\u202e\u05e9\u0301\u0301 {miner} {share} %s $& $1",
];
const LONG = 16_000; // letters in a line
const PAGES = [
    "/", "/?by=group&cols=name,status,pool,tags,group,location,firmware,spark", "/summary", "/details", "/details/miner/1", "/details/system",
    "/raw_logs", "/raw_logs?q=pwned", "/raw_logs?before=100000&q=script", "/config", "/config#pools", "/config/miner/1", "/config/pool",
    "/login?next=javascript:window.pwned=1&user=%22%3E%3Cimg+src%3Dx+onerror%3Dwindow.pwned%3D1%3E", "/setup", "/dashboards", "/help/lua", "/kiosk", "/dash/health",
    "/dash/nerdminer", "/dash/nerdminer?miner=%3Cimg+src%3Dx+onerror%3Dwindow.pwned%3D1%3E", "/dash/nerdminer?miner=HOSTILE-1", "/dash/matrix",
    "/examples/wall", "/examples/rooms", "/examples/leaderboard",
];

function lines_of(text) {
    const quoted = JSON.stringify(text);
    return [
        ...login(`${text}.${text}`),
        `PoolString: ${text}`,
        "portNumber: 3333",
        `btcString: ${text}`,
        `IP address: ${text}`,
        `Config SSID: ${text}`,
        `  Sending  : {"id": 1, "method": "mining.subscribe", "params": ["NerdMinerV2/${text}"]}`,
        `  Receiving: {"id":9,"result":null,"error":[21,${quoted},null]}`,
        `Guru Meditation Error: Core  1 panic'ed (${text}). Exception was unhandled.`,
        `\x1b[31mE (1234) ${text}\x1b[0m`,
        ...statistics(),
        text,
    ];
}

let browser, port, daemon, usb;
before(async () => {
    browser = await browser_launch();
    port = await pty_open();
    usb = usb_make();
    TEXTS.forEach((text, i) => usb.plug(`ttyUSB${i}`, `1-${i + 1}`, "/dev/null", { product: text, maker: text, serial: text }));
    daemon = daemon_make({ miners: [] });
    const ports = `udev = { sysfs_root = ${JSON.stringify(usb.sysfs_root)}, dev_root = ${JSON.stringify(usb.dev_root)} }`;
    const miner = { id: "HOSTILE-1", source: "serial", path: port.link, location: TEXTS[0], group: TEXTS[1] };
    const fields = Object.entries(miner).map(([name, value]) => `${name} = ${JSON.stringify(value)}`);
    const tags = TEXTS.slice(0, 2).map((text) => JSON.stringify(text.slice(0, 32)));
    fs.writeFileSync(
        path.join(daemon.folder, "shepherd.lua"),
        `offline = true\nplugins = { ${ports} }\nminers = { { ${fields.join(", ")}, tags = { ${tags.join(", ")} } } }\n`,
    );
    await daemon.start();
    for (const text of TEXTS) port.say(...lines_of(text));
    port.say("a".repeat(LONG), "the last line");
    await stored("the last line");
});
after(async () => {
    await browser?.close();
    await daemon?.remove();
    await port?.close();
    usb?.remove();
});

async function stored(text) {
    const deadline = Date.now() + 20_000;
    while ((await daemon.json(`/api/logs?q=${encodeURIComponent(text)}`)).lines.length === 0) {
        assert.ok(Date.now() < deadline, `"${text}" is stored`);
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
}

/** No dialog, no error, no script of somebody else, in no frame. */
async function assert_unhurt(page) {
    assert.deepEqual(page.wrong, []);
    for (const frame of page.frames()) {
        const is_empty = ["", "about:blank"].includes(frame.url());
        assert.equal(new URL(is_empty ? daemon.url : frame.url()).origin, daemon.url, frame.url());
        const found = await frame.evaluate(() => ({
            pwned: window.pwned === undefined ? null : String(window.pwned),
            elements: document.querySelectorAll("img, [onerror], [onload], script:not([src])").length,
            links: [...document.querySelectorAll("[href], [src]")].filter((node) => /^\s*javascript:/i.test(node.getAttribute("href") ?? node.getAttribute("src"))).length,
        }));
        assert.deepEqual(found, { pwned: null, elements: 0, links: 0 }, frame.url());
    }
}

async function open(t, route, { events = null, ...options } = {}) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 720 }, ...options });
    t.after(() => context.close());
    await context.addInitScript(() => {
        addEventListener("securitypolicyviolation", (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`));
    });
    if (events) await context.route("**/events?*", (request) => request.fulfill({ contentType: "text/event-stream", body: events }));
    return page_open(browser, daemon.url + route, { context });
}

for (const route of PAGES) {
    test(`${route} shows hostile texts as texts`, async (t) => {
        const page = await open(t, route);
        await settled(page);
        const news = `${TEXTS[1]} ${route}`;
        port.say(news, ...lines_of(TEXTS[0])); // and what comes while it is open
        await stored(news);
        if (route === "/raw_logs") await until(page, (text) => document.body.textContent.includes(text), news);
        await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(resolve)));
        await assert_unhurt(page);
    });
}

test("a line of one letter, searched for that letter, has few marks in the live tail too", async (t) => {
    const page = await open(t, "/raw_logs");
    await settled(page);
    await page.fill("[name=q]", "aaa");
    await until(page, () => document.querySelectorAll("#log li mark").length > 0);
    assert.equal(await page.locator("#log li mark").count(), 20);
    assert.equal(await page.evaluate(() => document.querySelector("#log li .text").textContent.length), LONG, "nothing of it is lost");
    await assert_unhurt(page);
});

test("charts of hostile miners can be read", async (t) => {
    const page = await open(t, "/details/miner/1");
    await settled(page);
    await until(page, () => document.querySelector(".chart-plot[role=slider]"));
    await page.locator(".chart-plot").first().hover();
    await page.locator(".chart-plot").first().focus();
    for (const key of ["End", "ArrowLeft", "Home", "Escape"]) await page.keyboard.press(key);
    await assert_unhurt(page);
});

for (const address of ["/summary?timezone=Nowhere%2FLand", "/summary?timezone=%3Cimg%20src=x%3E", "/summary#%", "/summary?timezone=%27#24h"]) {
    test(`${address}: charts are drawn all the same`, async (t) => {
        const page = await open(t, address);
        await settled(page);
        await until(page, () => document.querySelector("figure[data-chart] .chart-plot[role=slider]"));
        await assert_unhurt(page);
    });
}

for (const address of ["/kiosk", "/dash/nerdminer", "/dash/matrix", "/raw_logs", "/play"]) {
    test(`${address} with a time zone that is none`, async (t) => {
        const page = await open(t, `${address}?timezone=%22%3E%3Cscript%3Ewindow.pwned=1%3C/script%3E&lang=%3Cb%3E&date=%27&theme=%3Cb%3E`);
        await settled(page);
        await assert_unhurt(page);
    });
}

// ---- /play ----------------------------------------------------------------------------------------

const FOREIGN = [
    "//evil.example", "/\\evil.example", "\\\\evil.example", "javascript:window.pwned=1", "data:text/html,x", "http://evil.example/", "https:evil.example",
    "/\t/evil.example", "x/..//evil.example", "/./\\evil.example", "//user@evil.example", "//[", "//%", "x/..//[", "///evil.example", "blob:x",
];

test("a playlist has paths of this daemon and nothing else", () => {
    for (const text of FOREIGN) {
        for (const { path } of plan_parse(text, 20).entries) {
            const url = new URL(path, "http://here");
            assert.equal(url.host, "here", `${text} is ${path}`);
        }
    }
    for (const text of ["play", "/play", "play/", "./play", "x/../play", "%70lay", "//here/play", "x/..//here/play", "/\t/here/play", "play?views=kiosk"]) {
        assert.deepEqual(plan_parse(text, 20).entries, [], `${text} would be a playlist in itself`);
    }
});

for (const text of FOREIGN) {
    test(`/play refuses ${JSON.stringify(text)} and goes on`, async (t) => {
        const page = await open(t, `/play?views=${encodeURIComponent(text)},kiosk&dwell=1`);
        await until(page, () => document.querySelector("iframe.is-shown")?.contentWindow.location.pathname === "/kiosk");
        page.wrong = page.wrong.filter((what) => !/404/.test(what)); // a path that nobody has
        await assert_unhurt(page);
    });
}

function stream_of(...events) {
    const data = events.map((event) => ({ miner_id: 1, text: TEXTS[0], value: null, at_ms: Date.now(), ...event }));
    return `event: hello\ndata: {"version":"x"}\n\nevent: pulse\ndata: ${JSON.stringify(data)}\n\n`;
}

test("/play says what hostile miners did, in words", async (t) => {
    const name = TEXTS.join(" ");
    const page = await open(t, "/play?views=kiosk", { events: stream_of({ event: "share.best", miner: name, value: 5e6 }) });
    await until(page, () => !document.querySelector("#play-strip").hidden);
    const shown = await page.textContent("#play-strip-text");
    assert.ok(shown.includes(name), shown);
    await assert_unhurt(page);
});

test("/play celebrates a block of a hostile miner", async (t) => {
    const page = await open(t, "/play?views=kiosk", { events: stream_of({ event: "block.found", miner: TEXTS[1], text: TEXTS[2] }) });
    await until(page, () => !document.querySelector("#play-block").hidden);
    assert.equal(await page.textContent("#play-block-miner"), TEXTS[1]);
    await page.reload();
    await until(page, () => !document.querySelector("#play-block").hidden);
    await assert_unhurt(page);
});

test("/play obeys only its own views", async (t) => {
    const page = await open(t, "/play?views=kiosk");
    await until(page, () => document.querySelector("iframe.is-shown"));
    await page.evaluate(() => {
        const foreign = document.createElement("iframe");
        foreign.sandbox = "allow-scripts"; // of an origin of its own
        document.body.append(foreign);
        const message = { data: { shepherd: "input", kind: "pause" } };
        dispatchEvent(new MessageEvent("message", { ...message, origin: "http://evil.example" }));
        dispatchEvent(new MessageEvent("message", { ...message, origin: "null", source: foreign.contentWindow }));
        for (const data of [null, 1, "input", { shepherd: "input" }, { shepherd: "input", kind: "constructor" }, []]) {
            dispatchEvent(new MessageEvent("message", { data, origin: location.origin }));
        }
        foreign.remove();
    });
    assert.equal(await page.isHidden("#play-paused"), true);
    await assert_unhurt(page);
});

for (const route of ["/dash/matrix", "/dash/nerdminer?screen=grid"]) {
    test(`${route} takes events that are not as they should be`, async (t) => {
        const odd = [{ event: "share.accepted", miner: TEXTS[0], value: 1e308 }, { event: "__proto__", miner: null }, { event: "constructor", miner: "x", text: null },
            { event: "share.best", miner: "\u202e".repeat(200), text: "\ud83d\udc11".repeat(100), value: -1 }, { event: "block.found", miner: null, at_ms: null }];
        const page = await open(t, route, { events: stream_of(...odd) });
        await settled(page);
        await until(page, () => document.documentElement.classList.contains("matrix-gold") || document.querySelector("#nerd-cells [fill]"));
        await assert_unhurt(page);
    });
}

// ---- what people manage ---------------------------------------------------------------------------

const PASSWORD = "correct horse";
const MANAGED = ["/config#miners", "/config#pools", "/config#addresses", "/config#access", "/config#backup", "/config/miner/:id", "/config/pool?id=1",
    "/config/address?id=1", "/config/user", "/details/miner/:id", "/details", "/", "/summary", "/kiosk"];
let cookies, managed_id;

async function post(route, fields, headers = {}) {
    const reply = await fetch(daemon.url + route, {
        method: "POST",
        headers: { "Content-Type": "application/json", Accept: "application/json", ...headers },
        body: JSON.stringify(fields),
    });
    return { status: reply.status, set: reply.headers.get("set-cookie") ?? "", ...(await reply.json()) };
}

/** Everything that a person, a CSV or a pool may have written, and the first admin, who sees all of it. */
async function manage() {
    if (cookies) return;
    const words = { location: TEXTS[0], group: TEXTS[1].slice(0, 60), notes: TEXTS.join("\n"), tags: TEXTS[0].slice(0, 30), chipset: TEXTS[2], version: TEXTS[3] };
    assert.equal((await post("/miners/add", { name: "MANAGED", source: "serial", path: "/dev/ttyUSB9", ...words })).status, 200);
    managed_id = (await daemon.json("/api/herd_data")).miners_list.find((miner) => miner.miner_id === "MANAGED").id;
    assert.equal((await post("/pools/add", { pool_name: TEXTS[0], pool_url: "a.b", pool_port: 1, pool_user: TEXTS[1], pool_pass: TEXTS[2] })).status, 200);
    const address = { coin_ticker: "BTC", address: "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq", label: TEXTS[1] };
    assert.equal((await post("/addresses/add", address)).status, 200);
    const { code } = await daemon.json("/api/setup");
    const made = await post("/setup", { code, password: PASSWORD });
    assert.equal(made.status, 200);
    cookies = [...made.set.matchAll(/(shepherd_\w+)=([^;,]+)/g)].map(([, name, value]) => ({ name, value, url: daemon.url }));
    const token = await post("/tokens/add", { name: TEXTS[0], role: "viewer", password: PASSWORD });
    assert.ok([200, 400].includes(token.status), token.message);
    assert.equal((await post(`/miners/expect/${managed_id}`, { address: "<img src=x>", pool: "<img>:1", password: PASSWORD })).status, 200);
}

async function open_as_admin(t, route) {
    await manage();
    const page = await open(t, "/login");
    await page.context().addCookies(cookies);
    await page.goto(daemon.url + route.replace(":id", managed_id));
    await settled(page);
    return page;
}

for (const route of MANAGED) {
    test(`${route}: what was written in forms is text for an admin too`, async (t) => {
        await assert_unhurt(await open_as_admin(t, route));
    });
}

test("dialogs of hostile miners, pools and addresses open, and hold the texts in their fields", async (t) => {
    const page = await open_as_admin(t, "/config#pools");
    for (const [pane, wanted] of [["pools", TEXTS[0]], ["addresses", TEXTS[1]], ["miners", TEXTS[0]]]) {
        await page.goto(`${daemon.url}/config#${pane}`);
        await settled(page);
        const row = pane === "miners" ? page.locator("#miners tr", { hasText: "MANAGED" }) : page.locator(`#${pane} tbody tr`).first();
        await row.getByRole("link", { name: /^Change/ }).first().click();
        await until(page, (text) => [...document.querySelectorAll("dialog[open] input")].some((field) => field.value === text), wanted);
        await assert_unhurt(page);
        await page.keyboard.press("Escape");
    }
});

test("what the daemon answers to a hostile form is text: at its field, in a toast, in a flash", async (t) => {
    const page = await open_as_admin(t, "/config/pool");
    await page.getByLabel("Name").fill(TEXTS[0]); // there is one of that name
    await page.locator("[name=pool_url]").fill("a.b");
    await page.locator("[name=pool_port]").fill("1");
    await page.locator("main form [type=submit], main form button:not([type=button])").first().click();
    await until(page, (text) => document.querySelector("#toasts").textContent.includes(text), TEXTS[0]);
    page.wrong = page.wrong.filter((what) => !/409/.test(what));
    await assert_unhurt(page);
    for (const text of TEXTS) {
        await page.context().addCookies([{ name: "shepherd_flash", value: encodeURIComponent(`error:${text}`), url: daemon.url }]);
        await page.goto(`${daemon.url}/config`);
        await until(page, (wanted) => document.querySelector("#toasts").textContent.includes(wanted), text);
        await assert_unhurt(page);
    }
    await page.context().addCookies([{ name: "shepherd_flash", value: "%ff%zz", url: daemon.url }]);
    await page.goto(`${daemon.url}/config`);
    await settled(page);
    await assert_unhurt(page);
});
