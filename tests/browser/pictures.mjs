// node pictures.mjs [NAME...]: makes the pictures of the README, shots/NAME.png, from the demo flock with a made history, a made
// price and a made network (a server on loopback stands for both); that of the settings from boards on a made USB. SHEPHERD
// names the daemon, CHROMIUM the browser.

import { execFileSync } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import http from "node:http";
import path from "node:path";

import { browser_launch, page_open, settled, until } from "./lib/browser.mjs";
import { daemon_make, pty_open } from "./lib/daemon.mjs";
import { login, statistics } from "./lib/nerdminer.mjs";
import { usb_make } from "./lib/usb.mjs";

const WALL = { width: 1280, height: 720 };
const SMALL = { width: 800, height: 480 };
const PHONE = { width: 390, height: 844 };
const STREAM_MS = 12_000; // until the rain has filled the screen

const PICTURES = {
    flock: { path: "/", viewport: WALL },
    "flock-phone": { path: "/", viewport: PHONE, colorScheme: "light" },
    kiosk: { path: "/kiosk", viewport: SMALL },
    health: { path: "/dash/health", viewport: SMALL },
    nerdminer: { path: "/dash/nerdminer?screen=miner", viewport: SMALL },
    "nerdminer-clock": { path: "/dash/nerdminer?screen=clock", viewport: SMALL },
    "nerdminer-global": { path: "/dash/nerdminer?screen=global", viewport: SMALL },
    "nerdminer-price": { path: "/dash/nerdminer?screen=price", viewport: SMALL },
    "nerdminer-grid": { path: "/dash/nerdminer?screen=grid", viewport: SMALL, wait_ms: STREAM_MS },
    matrix: { path: "/dash/matrix", viewport: SMALL, wait_ms: STREAM_MS },
    screens: { path: "/dashboards", viewport: WALL },
    play: { path: "/play?simulate=block_found", viewport: SMALL, wait_ms: 3_000 },
    miner: { path: "/details/miner/DEMO-WEACT", viewport: WALL },
    summary: { path: "/summary#range=30d", viewport: WALL },
    logs: { path: "/raw_logs", viewport: WALL },
    rooms: { path: "/examples/rooms", viewport: WALL },
    wall: { path: "/examples/wall", viewport: SMALL },
    leaderboard: { path: "/examples/leaderboard", viewport: SMALL },
    settings: { path: "/config", viewport: WALL, plugged: true },
};

const TIP = { height: 924_817, timestamp: Math.floor(Date.now() / 1000) - 340 };
const REPLIES = {
    "/price": { last_price_usd: 97284.65, price_change_1D_percent: 1.84 },
    "/api/v1/fees/recommended": { fastestFee: 6, halfHourFee: 4, hourFee: 3, economyFee: 2, minimumFee: 1 },
    "/api/v1/mining/hashrate/3d": { hashrates: [], difficulty: [], currentHashrate: 1.094e21, currentDifficulty: 1.5227e14 },
    "/api/v1/difficulty-adjustment": { progressPercent: 73.2, difficultyChange: 1.7, remainingBlocks: 540, remainingTime: 324_000_000 },
    "/api/v1/blocks": [{ id: "0".repeat(64), ...TIP }],
};

async function world_open() {
    const server = http.createServer((request, response) => {
        if (request.url === "/api/blocks/tip/height") return response.end(String(TIP.height));
        const reply = REPLIES[request.url];
        response.writeHead(reply ? 200 : 404, { "Content-Type": "application/json" });
        response.end(JSON.stringify(reply ?? {}));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return server;
}

async function wait_until(condition, what) {
    const deadline = Date.now() + 60_000;
    while (!(await condition())) {
        if (Date.now() > deadline) throw new Error(`not within a minute: ${what}`);
        await new Promise((resolve) => setTimeout(resolve, 200));
    }
}

async function flock_open(port) {
    const flock = daemon_make({ demo: true });
    const url = `http://127.0.0.1:${port}`;
    fs.writeFileSync(
        path.join(flock.folder, "shepherd.lua"),
        `plugins = { serial = { discover = false }, price = { url = "${url}/price" }, network = { url = "${url}" } }\n`,
    );
    const all_online = async () => {
        const { herd_stats, btc_price_data, network } = await flock.json("/api/herd_data");
        return herd_stats.online_miners === herd_stats.total_miners && btc_price_data.price_usd && network.height;
    };
    await flock.start();
    await wait_until(all_online, "the flock is online");
    await flock.stop();
    execFileSync("python3", ["made_history.py", path.join(flock.folder, "data/demo/shepherd.db")]);
    await flock.start();
    await wait_until(all_online, "the flock is online again");
    return flock;
}

const ESPRESSIF = { vendor: "303a", product_id: "1001", product: "USB JTAG/serial debug unit", maker: "Espressif" };
const BRIDGE = { vendor: "10c4", product_id: "ea60", serial: "0001", product: "CP2102 USB to UART Bridge Controller", maker: "Silicon Labs" };
const POOL = "public-pool.io:21496";
const WALLET = "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"; // of BIP 173

/** Four boards that were taken in, one that waits for it, and one that nobody listens to. */
async function plugged_open(browser) {
    const usb = usb_make();
    const flock = daemon_make({ usb });
    const boards = [];
    const plug = async (tty, port, chip, name, khs) => {
        const board = await pty_open();
        boards.push({ board, name, khs });
        usb.plug(tty, port, board.link, chip);
    };
    const talk = ({ board, name, khs }) =>
        board.say(`Client not connected, trying to connect (${POOL}, fallback=0)...`, ...login(`${WALLET}.${name}`), ...statistics({ khs }));
    await flock.start();
    const page = await page_open(browser, `${flock.url}/config`);
    const names = ["BARN-01", "BARN-02", "ATTIC-01", "SHED-01"];
    for (const [i, name] of names.entries()) {
        await plug(`ttyACM${i}`, `1-1.${i + 1}`, { ...ESPRESSIF, serial: `F4:12:FA:81:00:1${i}` }, name, 76.2 + 1.7 * i);
    }
    await until(page, () => document.querySelectorAll(".stranger :is(.is-silent, .is-online)").length === 4);
    boards.forEach(talk);
    await page.getByRole("button", { name: "Accept all 4" }).click();
    await until(page, () => document.querySelectorAll(".managed tbody tr").length === 4);
    await plug("ttyACM4", "1-1.5", { ...ESPRESSIF, serial: "F4:12:FA:81:00:77" }, "LOFT-01", 78.4);
    await until(page, () => document.querySelector(".stranger :is(.is-silent, .is-online)"));
    boards.forEach(talk);
    await until(page, () => document.querySelector(".accept input[name=name]").value === "LOFT-01");
    await plug("ttyUSB0", "1-1.6", BRIDGE);
    await until(page, () => document.querySelectorAll(".stranger").length === 2);
    await page.context().close();
    return {
        ...flock,
        url: flock.url,
        neutral: (page) => ports_neutral(page, usb.dev_root),
        async remove() {
            await flock.remove();
            await Promise.all(boards.map(({ board }) => board.close()));
            usb.remove();
        },
    };
}

/** Where the made devices lie is written as on any machine: /dev. */
function ports_neutral(page, dev_root) {
    return page.evaluate((root) => {
        const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        while (texts.nextNode()) texts.currentNode.data = texts.currentNode.data.replaceAll(root, "/dev");
    }, dev_root);
}

async function picture(browser, flock, name, { path: route, viewport, colorScheme = "dark", wait_ms = 1500 }) {
    const page = await page_open(browser, flock.url + route, { viewport, colorScheme });
    await settled(page);
    await page.waitForTimeout(wait_ms); // charts are drawn, the rain falls: there is no event for "looks like a wall"
    await page.mouse.move(0, 0);
    await flock.neutral?.(page);
    await page.screenshot({ path: `shots/${name}.png` });
    console.log(name, page.wrong.join("; "));
    await page.context().close();
}

process.chdir(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname));
const names = process.argv.slice(2).length ? process.argv.slice(2) : Object.keys(PICTURES);
const browser = await browser_launch();
const [plugged, demo] = [true, false].map((which) => names.filter((name) => Boolean(PICTURES[name].plugged) === which));
if (demo.length > 0) {
    const world = await world_open();
    const flock = await flock_open(world.address().port);
    for (const name of demo) await picture(browser, flock, name, PICTURES[name]);
    await flock.remove();
    world.close();
}
if (plugged.length > 0) {
    const flock = await plugged_open(browser);
    for (const name of plugged) await picture(browser, flock, name, PICTURES[name]);
    await flock.remove();
}
await browser.close();
