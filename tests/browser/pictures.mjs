// node pictures.mjs [NAME...]: makes the pictures of the README, shots/NAME.png, from the demo flock with a made history, a made
// price and a made network (a server on loopback stands for both). SHEPHERD names the daemon, CHROMIUM the browser.

import { execFileSync } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import http from "node:http";
import path from "node:path";

import { browser_launch, page_open, settled } from "./lib/browser.mjs";
import { daemon_make } from "./lib/daemon.mjs";

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

async function picture(browser, flock, name, { path: route, viewport, colorScheme = "dark", wait_ms = 1500 }) {
    const page = await page_open(browser, flock.url + route, { viewport, colorScheme });
    await settled(page);
    await page.waitForTimeout(wait_ms); // charts are drawn, the rain falls: there is no event for "looks like a wall"
    await page.mouse.move(0, 0);
    await page.screenshot({ path: `shots/${name}.png` });
    console.log(name, page.wrong.join("; "));
    await page.context().close();
}

process.chdir(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname));
const names = process.argv.slice(2).length ? process.argv.slice(2) : Object.keys(PICTURES);
const world = await world_open();
const flock = await flock_open(world.address().port);
const browser = await browser_launch();
for (const name of names) await picture(browser, flock, name, PICTURES[name]);
await browser.close();
await flock.remove();
world.close();
