// A daemon of its own for a test: temporary data, a port that the kernel chooses, miners on ptys.

import { spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import readline from "node:readline";

const START_WITHIN_MS = 30_000; // sanitizers on a slow machine
const STOP_WITHIN_MS = 10_000;
const FEEDER = new URL("../pty_feed.py", import.meta.url).pathname;

async function first_line(stream, what, errors) {
    const lines = readline.createInterface({ input: stream });
    const timeout = AbortSignal.timeout(START_WITHIN_MS);
    try {
        const [line] = await Promise.race([
            once(lines, "line", { signal: timeout }),
            once(lines, "close", { signal: timeout }).then(() => [null]),
        ]);
        if (line === null) throw new Error("it ended");
        return line;
    } catch (error) {
        throw new Error(`${what} did not start: ${error.message}\n${errors()}`);
    }
}

async function stop_process(child, signal) {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    child.kill(signal);
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_WITHIN_MS);
    await gone;
    clearTimeout(timer);
}

/** A pty with a lasting name, and somebody who writes lines into it. */
export async function pty_open() {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "shepherd-pty-"));
    const link = path.join(folder, "tty");
    const child = spawn("python3", [FEEDER, link], { stdio: ["pipe", "pipe", "inherit"] });
    await first_line(child.stdout, "pty_feed.py", () => "");
    return {
        link,
        /** Lines as a NerdMiner sends them. */
        say: (...lines) => child.stdin.write(lines.map((line) => line + "\n").join("")),
        async close() {
            await stop_process(child, "SIGTERM");
            fs.rmSync(folder, { recursive: true, force: true });
        },
    };
}

function lua_string(text) {
    return JSON.stringify(text); // no control characters in what we pass
}

/** No port of this machine is looked for; those of a made one (usb.mjs) are. */
function ports_text(usb) {
    if (!usb) return "serial = { discover = false }";
    const roots = `sysfs_root = ${lua_string(usb.sysfs_root)}, dev_root = ${lua_string(usb.dev_root)}`;
    return `serial = { discover = true }, udev = { ${roots} }`;
}

/** Nothing is asked of the world, or (world: a URL) price and network are, of a server of our own. */
function services_text(world, usb) {
    if (!world) return ["offline = true", `plugins = { ${ports_text(usb)} }`];
    const price = `price = { url = ${lua_string(`${world}/price`)} }`;
    return [`plugins = { ${ports_text(usb)}, ${price}, network = { url = ${lua_string(world)} } }`];
}

function config_text(miners, view_dir, world, usb, access) {
    const rows = miners.map(
        ({ id, link, location, source = "serial" }) =>
            `    { id = ${lua_string(id)}, source = ${lua_string(source)}, path = ${lua_string(link)}` +
            (source === "replay" ? ", loop = false" : "") +
            (location ? `, location = ${lua_string(location)}` : "") +
            " },",
    );
    return [
        ...services_text(world, usb),
        `miners = {\n${rows.join("\n")}\n}`,
        access ? `access = { loopback = ${lua_string(access)} }` : "",
        view_dir ? `view_dirs = { ${lua_string(view_dir)} }` : "",
        "",
    ].join("\n");
}

/**
 * A folder for one daemon; it may be started, killed and started again on the same port.
 * miners: [{ id, link, location?, source? }] (source "replay": link is a log, played once), demo: true for the invented flock,
 * views: { "x.html": text }, world: URL of a server for price and network (world.mjs); without it the daemon is offline.
 * usb: boards that can be plugged in (usb.mjs), access: what who has not logged in may do ("viewer"; default operator).
 */
export function daemon_make({ miners = [], demo = false, views = null, world = null, usb = null, access = null } = {}) {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "shepherd-browser-"));
    const view_dir = views ? path.join(folder, "views") : null;
    for (const [name, text] of Object.entries(views ?? {})) {
        fs.mkdirSync(path.dirname(path.join(view_dir, name)), { recursive: true });
        fs.writeFileSync(path.join(view_dir, name), text);
    }
    const config = path.join(folder, "shepherd.lua");
    fs.writeFileSync(config, config_text(miners, view_dir, world, usb, access));

    let child = null;
    let log = "";
    const self = {
        folder,
        url: null,
        log: () => log,
        async start() {
            const listen = self.url ? new URL(self.url).host : "127.0.0.1:0";
            const args = ["run", "--config", config, "--data-dir", path.join(folder, "data"), "--listen", listen];
            if (demo) args.push("--demo");
            child = spawn(process.env.SHEPHERD, args, { stdio: ["ignore", "pipe", "pipe"] });
            child.stderr.on("data", (bytes) => (log = (log + bytes).slice(-100_000)));
            const line = await first_line(child.stdout, "the daemon", () => log);
            self.url = line.match(/http:\/\/\S+/)[0].replace(/\/$/, "");
        },
        stop: () => stop_process(child, "SIGTERM"),
        kill: () => stop_process(child, "SIGKILL"),
        async json(route) {
            const reply = await fetch(self.url + route);
            if (!reply.ok) throw new Error(`${route}: ${reply.status}`);
            return reply.json();
        },
        async remove() {
            if (child) await self.stop();
            fs.rmSync(folder, { recursive: true, force: true });
        },
    };
    return self;
}
