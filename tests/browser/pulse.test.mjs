// What happens reaches the pages that want to know, event by event, over the one stream of the browser.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { browser_launch, page_open, settled, until } from "./lib/browser.mjs";
import { daemon_make, pty_open } from "./lib/daemon.mjs";
import { login, statistics } from "./lib/nerdminer.mjs";

const PULSED = `<% layout("partials/layout", { title = "Pulsed" }) %>
<p>Miners: <%= #shepherd.herd().miners %></p>
<ol id="heard" data-live-keep></ol>
<script type="module" src="/static/probe.js"></script>`;
const PROBE = `import { events_pulse } from "./events.js";
events_pulse((event) => {
    const item = document.createElement("li");
    item.textContent = JSON.stringify(event);
    document.getElementById("heard").append(item);
});`;

let browser, barn, daemon, context;
before(async () => {
    browser = await browser_launch();
    barn = await pty_open();
    daemon = daemon_make({
        miners: [{ id: "BARN-01", link: barn.link }],
        views: { "pulsed.html": PULSED, "static/probe.js": PROBE },
    });
    await daemon.start();
    context = await browser.newContext();
});
after(async () => {
    await browser?.close();
    await daemon?.remove();
    await barn?.close();
});

async function open(t, route) {
    const page = await page_open(browser, daemon.url + route, { context });
    t.after(() => assert.deepEqual(page.wrong, []));
    await settled(page);
    return page;
}

const streams = (page) => page.requests.filter((url) => new URL(url).pathname === "/events");

let share_id = 3;
/** A share found and taken by the pool: events that are not kept in the database. */
function say_share(difficulty) {
    share_id++;
    barn.say(
        `  Sending  : {"id":${share_id},"method":"mining.submit","params":["bc1qexample.left","j1","00000001","692529a1","4c45cf80"]}`,
        `   - Current diff share: ${difficulty.toFixed(12)}`,
        "   - Current pool diff : 0.000150000000",
        `  Receiving: {"id":${share_id},"error":null,"result":true}`,
    );
}

function heard(page) {
    return page.evaluate(() => [...document.querySelectorAll("#heard li")].map((item) => JSON.parse(item.textContent)));
}

function wait_heard(page, name, n) {
    return until(
        page,
        ([name, n]) => {
            const items = [...document.querySelectorAll("#heard li")];
            return items.filter((item) => JSON.parse(item.textContent).event === name).length >= n;
        },
        [name, n],
    );
}

test("the pulse comes to who wants it, over a stream that another page holds", async (t) => {
    const plain = await open(t, "/");
    assert.equal(streams(plain).length, 1);
    assert.ok(!streams(plain)[0].includes("pulse"), "nobody wants it: it is not asked for");

    const pulsed = await open(t, "/pulsed");
    await waits_for(plain, (urls) => urls.at(-1).includes("pulse=1"));
    assert.deepEqual(streams(pulsed), [], "the stream is the first page's");

    barn.say(...login("bc1qexample.left"), ...statistics({ khs: 78.5 }));
    const said = performance.now();
    say_share(0.0002);
    await wait_heard(pulsed, "share.accepted", 1);
    t.diagnostic(`line to listener: ${Math.round(performance.now() - said)} ms`);
    const events = await heard(pulsed);
    const submitted = events.find(({ event }) => event === "share.submitted");
    assert.equal(submitted.miner, "BARN-01");
    const [miner] = (await daemon.json("/api/herd_data")).miners_list;
    assert.equal(submitted.miner_id, miner.id);
    assert.ok(Math.abs(submitted.at_ms - Date.now()) < 60_000);
    for (const event of events) {
        assert.deepEqual(Object.keys(event).sort(), ["at_ms", "event", "miner", "miner_id", "text", "value"]);
    }

    await plain.close(); // the other page takes over, and goes on hearing
    await waits_for(pulsed, (urls) => urls.at(-1)?.includes("pulse=1"));
    await settled(pulsed);
    await say_until_heard(pulsed, "share.accepted", 2);

    const again = await open(t, "/"); // and when nobody wants it any more, it ends
    await pulsed.close();
    await waits_for(again, (urls) => urls.length > 0 && !urls.at(-1).includes("pulse"));
});

/** Say it until it is heard: while a stream changes hands some are missed, as they may be. */
async function say_until_heard(page, name, n) {
    const deadline = performance.now() + 15_000;
    while ((await heard(page)).filter(({ event }) => event === name).length < n) {
        if (performance.now() > deadline) assert.fail(`${name} was not heard ${n} times`);
        say_share(0.0003);
        await new Promise((resolve) => setTimeout(resolve, 300));
    }
}

async function waits_for(page, fits) {
    const deadline = performance.now() + 15_000;
    while (!fits(streams(page))) {
        if (performance.now() > deadline) assert.fail(`streams asked for: ${streams(page).join(" ")}`);
        await new Promise((resolve) => setTimeout(resolve, 25));
    }
}
