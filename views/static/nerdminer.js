// The NerdMiner homage: one screen after the other, its clock and uptime between two lines of a
// miner, and the grid, in which jobs and shares light up and fade.
//
// A click or tap is the device's button: the next screen. Keys 1 to 5 choose one, 0 the set-up while it
// is there. What the menu and the arrow keys do is in screen.js; in an iframe clicks are passed on as everywhere.

import { clock_now, span_text } from "./clock.js";
import { events_pulse } from "./events.js";

const root = document.documentElement; // what live.js never touches: the screen in turn is told here
const is_framed = window.parent !== window;
const SCREEN_S_LEAST = 2;

// ---- which screen -----------------------------------------------------------------------------

let turn_timer = 0;

function screens() {
    return [...document.querySelectorAll(".nerd-screen")];
}

function screen_show(name) {
    root.dataset.nerd = name;
    tick();
    clearTimeout(turn_timer);
    const stay_s = Number(document.getElementById("nerd")?.dataset.screenS);
    turn_timer = setTimeout(screen_next, Math.max(SCREEN_S_LEAST, stay_s || 0) * 1000);
}

function screen_next() {
    const names = screens().map((screen) => screen.dataset.screen);
    if (names.length > 0) screen_show(names[(names.indexOf(root.dataset.nerd) + 1) % names.length]);
}

function screen_check() {
    const names = screens().map((screen) => screen.dataset.screen);
    if (!names.includes(root.dataset.nerd)) screen_next(); // the first miner came, or the last one went
}

function button_press(event) {
    if (is_framed || event.defaultPrevented || !event.target.closest(".nerd-room")) return;
    event.preventDefault(); // not the menu
    screen_next();
}

function key_press(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || document.querySelector("dialog[open]")) return;
    if (!/^[0-9]$/.test(event.key)) return;
    const is_setup = (screen) => screen.dataset.screen === "setup";
    const others = screens().filter((screen) => !is_setup(screen)); // 1 is MINER, whoever waits
    const screen = event.key === "0" ? screens().find(is_setup) : others[Number(event.key) - 1];
    if (screen) screen_show(screen.dataset.screen);
}

// ---- clock, uptime, ages ------------------------------------------------------------------------

let hour_format = null;

function hour_text() {
    if (!hour_format) {
        const options = { hour: "2-digit", minute: "2-digit", hourCycle: root.dataset.hour12 ? "h12" : "h23" };
        try {
            hour_format = new Intl.DateTimeFormat("en", { ...options, timeZone: root.dataset.timezone });
        } catch {
            hour_format = new Intl.DateTimeFormat("en", options); // a zone that nobody knows
        }
    }
    const parts = hour_format.formatToParts(clock_now());
    const part = (type) => parts.find((each) => each.type === type).value;
    return `${part("hour")}:${part("minute")}`;
}

/** As the device writes it: "1  02:03:04". */
export function uptime_text(seconds) {
    const two = (n) => String(Math.floor(n)).padStart(2, "0");
    return `${Math.floor(seconds / 86400)}  ${two((seconds % 86400) / 3600)}:${two((seconds % 3600) / 60)}:${two(seconds % 60)}`;
}

function write(node, text) {
    if (node.textContent !== text) node.textContent = text;
}

function tick() {
    for (const node of document.querySelectorAll("[data-hour]")) write(node, hour_text());
    for (const node of document.querySelectorAll("[data-uptime]")) {
        const passed_ms = Math.max(0, clock_now() - Number(node.dataset.at));
        write(node, uptime_text(Number(node.dataset.uptime) + passed_ms / 1000));
    }
    for (const node of document.querySelectorAll("[data-since]")) {
        write(node, span_text(Math.max(0, clock_now() - Number(node.dataset.since))));
    }
}

let tick_timer = 0;

function tick_on() {
    clearTimeout(tick_timer);
    if (document.hidden) return;
    tick();
    tick_timer = setTimeout(tick_on, 1000 - (clock_now() % 1000) + 5);
}

// ---- the grid -----------------------------------------------------------------------------------

const CELLS = 256;
const FADE_STEP_MS = 700;
const HEAT = ["#2a1a06", "#5a3206", "#92520a", "#d07c08", "#fbbf24", "#fde047"]; // the embers of every cell
// What happens, and the colours it goes through, brightest last.
const KINDS = {
    "miner.job": HEAT.slice(0, 4),
    "share.submitted": HEAT.slice(0, 5),
    "share.accepted": HEAT,
    "share.best": [...HEAT, "#ffffff"],
    "block.found": [...HEAT, "#ffffff", "#ffffff", "#ffffff"],
    "share.rejected": ["#3a0d0c", "#7b1513", "#d2302a"],
};

const lit = new Map(); // cell → { colours, step }
let fade_timer = 0;

/** Which cell an event lights: the same event the same cell, on every screen of the house. */
export function cell_of(event) {
    let hash = 2166136261;
    for (const letter of `${event.miner_id}/${event.event}/${event.text ?? ""}/${event.at_ms}`) {
        hash = Math.imul(hash ^ letter.codePointAt(0), 16777619);
    }
    return ((hash ^ (hash >>> 15)) >>> 0) % CELLS;
}

function cell_paint(cell) {
    const node = document.getElementById("nerd-cells")?.children[cell];
    if (!node) return;
    const light = lit.get(cell);
    if (light) node.setAttribute("fill", light.colours[light.step]);
    else node.removeAttribute("fill");
}

function fade() {
    for (const [cell, light] of lit) {
        light.step -= 1;
        if (light.step < 0) lit.delete(cell);
        cell_paint(cell);
    }
    fade_timer = lit.size > 0 ? setTimeout(fade, FADE_STEP_MS) : 0;
}

function event_light(event) {
    const colours = KINDS[event.event];
    const only = new URLSearchParams(location.search).get("miner");
    if (!colours || (only && event.miner !== only)) return;
    const cell = cell_of(event);
    lit.set(cell, { colours, step: colours.length - 1 });
    cell_paint(cell);
    if (!fade_timer) fade_timer = setTimeout(fade, FADE_STEP_MS);
}

// ---- start --------------------------------------------------------------------------------------

document.addEventListener("shepherd:update", () => {
    screen_check();
    tick(); // before anybody sees what the page was sent with
});
document.addEventListener("visibilitychange", tick_on);
document.addEventListener("click", button_press, { capture: true });
document.addEventListener("keydown", key_press);
events_pulse(event_light);
screen_next();
tick_on();
