// The digital stream: feeds the rain with the flock's own words. Each line of a log becomes a drop in
// the colour of its miner's status; jobs, shares and blocks fall as they happen. How dense the rain is
// says how hard the flock works.

import { events_pulse } from "./events.js";
import { atlas_make } from "./matrix_glyphs.js";

const LINES_FIRST = 24; // of the past, to begin with
const LINES_MOST = 24; // at a time: more cannot be read
const ASK_EVERY_MS = 1000;
const LETTERS_MOST = 120; // of a line: no screen has more rows
const FLASHES_MOST = 12;
const GOLD_MS = 15000;
const FIT_AFTER_MS = 150; // a window that is being drawn larger
const PIXELS_MOST = 2.1e6; // 1920 × 1080: beyond, each pixel of the canvas is several of the screen's
const RATIO_MOST = 1.5;

const root = document.documentElement;
const canvas = document.getElementById("matrix-rain");
const flashes = document.getElementById("matrix-flashes");
const reduced = matchMedia("(prefers-reduced-motion: reduce)");
const worker = new Worker("/static/matrix_worker.js", { type: "module" });

// ---- the flock ----------------------------------------------------------------------------------

let statuses = new Map(); // id of a miner → its status
const LETTERS = { o: "online", i: "idle", s: "silent", r: "resetting", x: "offline" };

function number_of(id) {
    const value = document.getElementById(id)?.getAttribute("value");
    return value === null || value === undefined || value === "" ? 0 : Number(value);
}

/** The part of the columns in which it rains: a few drops for a flock that sleeps, 85 % at most. */
export function density_of({ online, total, hashrate }) {
    const share = total > 0 ? online / total : 0;
    const work = Math.log10(1 + hashrate / 1000);
    return Math.min(0.85, 0.08 + 0.4 * share + 0.06 * work);
}

function flock_read() {
    const text = document.getElementById("matrix-miners")?.getAttribute("value") ?? "";
    statuses = new Map(text.split(" ").map((entry) => [Number(entry.slice(1)), LETTERS[entry[0]]]));
    const figures = {
        online: number_of("online-miners"),
        total: Number(document.getElementById("online-miners")?.dataset.total ?? 0),
        hashrate: number_of("total-hashrate"),
    };
    worker.postMessage({ kind: "density", density: density_of(figures) });
}

// ---- log lines ----------------------------------------------------------------------------------

let newest = null; // id of the newest line that we have
let asking = false;
let dirty = false;
let ask_timer = 0;

async function lines_fetch() {
    const query = newest === null ? `limit=${LINES_FIRST}` : `after=${newest}&limit=${LINES_MOST}`;
    const reply = await fetch(`/api/logs?${query}`, { signal: AbortSignal.timeout(10000) });
    if (!reply.ok) return;
    const { lines, newest: last } = await reply.json();
    if (newest !== null && last < newest) newest = null; // another data base: from the beginning
    newest = last ?? newest;
    for (const line of lines.reverse()) {
        worker.postMessage({ kind: "say", text: line_text(line.line), colour: statuses.get(line.miner_id) ?? "online" });
    }
}

/** Without the signs before it: half of all lines begin with ">>> ", and they would fall in step. */
function line_text(line) {
    return line.replace(/^[\s>*=-]+/, "").slice(0, LETTERS_MOST);
}

/** At most once a second; what is hidden asks for nothing. */
async function lines_ask() {
    dirty = true;
    if (asking || ask_timer || document.hidden) return;
    asking = true;
    dirty = false;
    try {
        await lines_fetch();
    } catch {
        // the banner of events.js says when the daemon is away; the next line asks again
    }
    asking = false;
    ask_timer = setTimeout(() => {
        ask_timer = 0;
        if (dirty) lines_ask();
    }, ASK_EVERY_MS);
}

// ---- what happens -------------------------------------------------------------------------------

const DROPS = {
    "miner.job": { word: "JOB", colour: "job" },
    "share.submitted": { word: "SHARE", colour: "job" },
    "share.accepted": { word: "SHARE ACCEPTED", colour: "hash", flash: "share" },
    "share.rejected": { word: "SHARE REJECTED", colour: "offline", flash: "rejected" },
    "share.best": { word: "BEST SHARE", colour: "gold", flash: "best" },
    "block.found": { word: "BLOCK FOUND", colour: "gold", flash: "best" },
};

/** A bar of light over a column; the style sheet lets it go out. */
function flash_show({ data: { left, width, flash } }) {
    const bar = flashes.children.length < FLASHES_MOST ? document.createElement("i") : flashes.firstElementChild;
    bar.className = flash;
    bar.style.left = `${left * 100}%`;
    bar.style.width = `${width * 100}%`;
    flashes.append(bar); // moved or new: its animation starts
}

let gold_timer = 0;

function gild() {
    clearTimeout(gold_timer);
    root.classList.add("matrix-gold");
    worker.postMessage({ kind: "gild", golden: true });
    gold_timer = setTimeout(() => {
        root.classList.remove("matrix-gold");
        worker.postMessage({ kind: "gild", golden: false });
    }, GOLD_MS);
}

function event_fall(event) {
    const drop = DROPS[event.event];
    if (!drop || document.hidden) return;
    const value = event.value === null || event.value === undefined ? "" : String(event.value);
    const text = [drop.word, event.miner, event.text, value].filter(Boolean).join(" ");
    const flash = reduced.matches ? undefined : drop.flash;
    worker.postMessage({ kind: "now", text: text.slice(0, LETTERS_MOST), colour: drop.colour, flash });
    if (event.event === "block.found") gild();
}

// ---- start --------------------------------------------------------------------------------------

let in_sight = true; // /play keeps the frame of a screen that is not shown

function follow() {
    const rains = in_sight && !document.hidden;
    worker.postMessage(rains ? { kind: "run", still: reduced.matches } : { kind: "pause" });
}

let fit_timer = 0;

/** As many pixels as the display has, within reason, and glyphs of a size to be read from afar. */
async function fit() {
    const { clientWidth: width, clientHeight: height } = canvas;
    if (width === 0 || height === 0) return;
    const ratio = Math.min(devicePixelRatio, RATIO_MOST, Math.sqrt(PIXELS_MOST / (width * height)));
    const high = Math.min(44, Math.max(14, height / 36, width / 90)) * ratio;
    const cell = { width: Math.round(high * 0.74), height: Math.round(high) };
    const atlas = await createImageBitmap(atlas_make(cell));
    const size = { width: Math.round(width * ratio), height: Math.round(height * ratio) };
    worker.postMessage({ kind: "fit", ...size, cell, atlas }, [atlas]);
    follow();
}

function fit_soon() {
    clearTimeout(fit_timer);
    fit_timer = setTimeout(fit, FIT_AFTER_MS);
}

const offscreen = canvas.transferControlToOffscreen();
worker.postMessage({ kind: "begin", canvas: offscreen }, [offscreen]);
worker.addEventListener("message", flash_show);
root.dataset.liveOwn = "logs"; // the page itself shows no line
document.addEventListener("shepherd:update", flock_read);
document.addEventListener("shepherd:topic", ({ detail }) => {
    if (detail === "logs" || detail === null) lines_ask();
});
document.addEventListener("visibilitychange", () => {
    follow();
    if (!document.hidden) lines_ask();
});
reduced.addEventListener("change", follow);
flashes.addEventListener("animationend", (event) => event.target.remove());
await document.fonts.load('500 16px "JetBrains Mono Variable"', "A").catch(() => {});
flock_read();
new ResizeObserver(fit_soon).observe(canvas);
new IntersectionObserver((entries) => {
    const now = entries.at(-1).isIntersecting;
    if (now === in_sight) return;
    in_sight = now;
    follow();
}).observe(canvas);
events_pulse(event_fall);
lines_ask();
