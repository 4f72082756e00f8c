// /play: the chosen views one after the other, for months, with nobody there.
//
// What is due, and how dark it is: play_plan.js. How a view comes on: play_stage.js. What may
// interrupt: play_focus.js. What is said over the views: play_panel.js. This file decides which view
// is on, and remembers where it was.

import { clock_now } from "./clock.js";
import { events_pulse } from "./events.js";
import { input_listen } from "./input.js";
import { focus_make, FOCUS_KINDS, share_text } from "./play_focus.js";
import { night_start } from "./play_night.js";
import * as panel from "./play_panel.js";
import { minute_of_day, plan_due, plan_next_minute, plan_parse, plan_step } from "./play_plan.js";
import { stage_make } from "./play_stage.js";

const LEAD_MS = 4000; // the next view begins to load so long before its turn
const RETRY_MS = 2000; // the daemon did not answer
const ALL_WRONG_MS = 10_000; // no view of the list can be shown: how long until the next try
const LOOK_MS = 20_000; // when there is nothing to change, is there now?
const PASSED_ON = ["timezone", "hour12", "seconds", "date", "lang", "theme"]; // to the views
const FOCUS_PATHS = { offline: "/dash/health", best_share: "/dash/nerdminer" };
const HERE = "shepherd.play"; // where we are, for a reload
const BLOCK = "shepherd.play.block"; // found, and nobody has seen it yet
const LOOKED = "shepherd.play.looked"; // blocks until then (ms) were shown
const LOOK_BACK_MS = 5 * 60_000; // the stream may have been broken just when it was said

const root = document.documentElement;
const stage = stage_make(document.getElementById("play-stage"));

let set = null; // settings
let entries = [];
let current = null; // the entry whose turn it is, also while something interrupts
let shown_path = null; // what is on the stage
let turn_ms = 0; // when this turn began, and how long it is
let turn_long_ms = 0;
let paused = false;
let away = false;
let stolen = null; // what has the screen now
const waiting = new Map(); // kind → what wants it next
let block_on = false;
let turn_timer = 0;
let steal_timer = 0;
let wanted = 0; // counts: an answer to an older wish is dropped

// ---- settings -------------------------------------------------------------------------------

function read_settings() {
    const data = document.getElementById("play-settings").dataset;
    return {
        views: data.views,
        dwell_s: Number(data.dwell),
        dim: data.dim,
        dim_level: Math.min(Math.max(Number(data.dimLevel), 0.05), 1),
        red: data.red === "yes",
        latitude: Number(data.latitude),
        longitude: Number(data.longitude),
        shift: data.shift === "yes",
        timezone: root.dataset.timezone ?? "",
        focus: new Set(data.focus.split(",").map((kind) => kind.trim())),
        focus_ms: Math.max(1, Number(data.focusS)) * 1000,
        simulate: data.simulate,
        words: JSON.parse(data.words),
        titles: JSON.parse(data.titles),
    };
}

/** The configuration may change under us: the page is morphed, and says so. */
function take_settings() {
    const had = set;
    set = read_settings();
    if (had && had.views === set.views && had.dwell_s === set.dwell_s) return;
    const plan = plan_parse(set.views, set.dwell_s);
    if (plan.wrong.length) panel.note_show(panel.words_fill(set.words.unknown, { view: plan.wrong.join(", ") }));
    const text = current?.text ?? remember_read(sessionStorage, HERE);
    entries = plan.entries;
    current = entries.find((entry) => entry.text === text) ?? null;
    dots.fill(entries, title_of);
    dots.mark(entries.indexOf(current));
}

function title_of({ name }) {
    return Object.hasOwn(set.titles, name) ? set.titles[name] : name;
}

function url_of(path) {
    const url = new URL(path, location.origin);
    const ours = new URLSearchParams(location.search);
    for (const name of PASSED_ON) {
        if (ours.has(name) && !url.searchParams.has(name)) url.searchParams.set(name, ours.get(name));
    }
    return url.pathname + url.search;
}

// ---- what is remembered over a reload -------------------------------------------------------------

function remember_read(storage, key) {
    try {
        return storage.getItem(key);
    } catch {
        return null; // the browser forbids it
    }
}

function remember(storage, key, text) {
    try {
        if (text === null) storage.removeItem(key);
        else storage.setItem(key, text);
    } catch {
        // forbidden, or full: then a reload begins at the beginning
    }
}

// ---- turns ----------------------------------------------------------------------------------

function minute_now() {
    return minute_of_day(clock_now(), set.timezone);
}

function turn_after(ms, next) {
    clearTimeout(turn_timer);
    turn_timer = setTimeout(next, ms);
}

function is_held() {
    return paused || away || stolen !== null || block_on || document.hidden;
}

/** A new turn of the current view. */
function turn_begin() {
    turn_ms = performance.now();
    turn_long_ms = current.dwell_s * 1000;
    turn_plan();
}

function turn_left_ms() {
    return turn_ms + turn_long_ms - performance.now();
}

function turn_plan() {
    turn_after(Math.max(0, turn_left_ms() - Math.min(LEAD_MS, turn_long_ms / 2)), turn_end);
}

function turn_end() {
    if (is_held()) return; // whoever holds it lets go by go() or turn_begin()
    const next = plan_step(entries, current, 1, minute_now());
    if (next && next === current) turn_after(Math.min(current.dwell_s * 1000, LOOK_MS), turn_end);
    else go(next, { on_time: true });
}

/** The words in place of a view when none is due. */
function nothing_text() {
    const minute = plan_next_minute(entries, minute_now());
    if (minute === null) return set.words.nothing;
    const at = new Date(Date.UTC(2000, 0, 1, 0, minute));
    const hour12 = root.dataset.hour12 === "yes";
    const options = { hour: hour12 ? "numeric" : "2-digit", minute: "2-digit", hour12, timeZone: "UTC" };
    return panel.words_fill(set.words.later, { time: new Intl.DateTimeFormat(root.lang, options).format(at) });
}

function show_nothing() {
    stage.clear();
    shown_path = null;
    panel.empty_show(nothing_text());
    dots.mark(-1);
    turn_after(LOOK_MS, turn_end);
}

function wait_until(ms) {
    return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms - performance.now())));
}

/**
 * Give the stage to an entry, or to the next one (step) that can be shown.
 * on_time: not before the turn that is on now is over. null: nothing is due.
 */
async function go(entry, { step = 1, on_time = false } = {}) {
    const wish = ++wanted;
    const is_stale = () => wish !== wanted;
    clearTimeout(turn_timer);
    if (!entry) return show_nothing();
    for (let tried = 0; entry && tried < entries.length; tried++) {
        const wrong = await stage.prepare(url_of(entry.path), title_of(entry));
        if (is_stale() || wrong?.stale) return;
        if (!wrong) {
            if (on_time) await wait_until(turn_ms + turn_long_ms);
            if (is_stale()) return;
            if (on_time && is_held()) return stage.drop();
            return come_on(entry);
        }
        if (wrong.away) return turn_after(RETRY_MS, () => go(entry, { step, on_time }));
        panel.note_show(panel.words_fill(set.words[wrong.word], { view: title_of(entry), status: wrong.status }));
        entry = plan_step(entries, entry, step, minute_now());
    }
    turn_after(ALL_WRONG_MS, turn_end);
}

function come_on(entry) {
    stage.show();
    shown_path = entry.path;
    current = entry;
    panel.empty_show(null);
    remember(sessionStorage, HERE, entry.text);
    dots.mark(entries.indexOf(entry));
    turn_begin();
}

/** On from where it stood: after a pause, an interruption, an absence. */
function resume({ anew = false } = {}) {
    if (away || stolen || block_on || document.hidden) return;
    if (paused && shown_path === current?.path) return; // else it is given back first
    const is_due = current && plan_due([current], minute_now()).length > 0;
    if (!is_due) go(plan_step(entries, current, 1, minute_now()));
    else if (anew || shown_path !== current.path) go(current);
    else turn_begin();
}

// ---- interruptions --------------------------------------------------------------------------

/** A miner that goes while others just went, a share that is better still: the same interruption. */
function steal_merge(old, { kind, ...news }) {
    if (old?.kind !== kind) return { kind, ...news };
    if (kind === "offline") return { ...old, miners: [...new Set([...old.miners, ...news.miners])] };
    return news.value > old.value ? { kind, ...news } : old;
}

function steal(news) {
    if (!set.focus.has(news.kind) && !news.simulated) return;
    if (news.kind === "block_found") return block_begin(news);
    if (stolen?.kind === news.kind) {
        stolen = steal_merge(stolen, news);
        strip_now();
        return;
    }
    waiting.set(news.kind, steal_merge(waiting.get(news.kind), news));
    if (!stolen && !block_on) steal_next();
}

function strip_now() {
    const share = stolen?.value ? share_text(stolen.value) : "";
    panel.strip_show(stolen, stolen && panel.strip_text(set.words, { ...stolen, share }));
}

function steal_next() {
    const [news] = waiting.values(); // in the order in which they came
    clearTimeout(steal_timer);
    stolen = news ?? null;
    strip_now();
    if (!news) return resume();
    waiting.delete(news.kind);
    clearTimeout(turn_timer);
    steal_timer = setTimeout(steal_next, set.focus_ms);
    steal_view(FOCUS_PATHS[news.kind]);
}

/** The view that shows more of it. When it cannot be shown, the strip alone must do. */
async function steal_view(path) {
    const wish = ++wanted;
    stage.drop();
    if (shown_path === path) return;
    const name = path === FOCUS_PATHS.offline ? "health" : "nerdminer";
    const wrong = await stage.prepare(url_of(path), title_of({ name }));
    if (wrong || wish !== wanted) return;
    stage.show();
    shown_path = path;
    panel.empty_show(null);
}

// ---- a block --------------------------------------------------------------------------------

function block_begin(block) {
    if (!block.simulated) {
        remember(localStorage, BLOCK, JSON.stringify(block));
        remember(localStorage, LOOKED, String(block.at_ms));
    }
    block_on = true;
    wanted++;
    clearTimeout(turn_timer);
    clearTimeout(steal_timer);
    stage.drop();
    block_show(block);
    night_look();
}

function block_seen() {
    remember(localStorage, BLOCK, null);
    block_on = false;
    night_look();
    steal_next();
}

/** One that was found before this page was loaded, and that nobody has seen. */
function block_remembered() {
    try {
        return JSON.parse(remember_read(localStorage, BLOCK));
    } catch {
        return null;
    }
}

/** Blocks that nobody told us of: while this page was away, or the stream was. */
async function block_look_back() {
    if (!set.focus.has("block_found")) return;
    const looked_ms = Number(remember_read(localStorage, LOOKED) ?? NaN);
    let events = [];
    try {
        const response = await fetch("/api/events?limit=100");
        if (response.ok) ({ events } = await response.json());
    } catch {
        return; // nobody answers: the next time
    }
    const missed = events.find(({ event, at_ms }) => event === "block.found" && at_ms > looked_ms); // newest first
    if (missed) block_begin({ kind: "block_found", miner: missed.miner, at_ms: missed.at_ms });
    else if (Number.isNaN(looked_ms)) remember(localStorage, LOOKED, String(clock_now()));
}

// ---- people ---------------------------------------------------------------------------------

function pause_toggle() {
    paused = !paused;
    panel.paused_show(paused);
    if (paused) {
        wanted++;
        clearTimeout(turn_timer);
        stage.drop();
    } else resume();
}

function go_by_hand(entry, step) {
    if (stolen) {
        waiting.clear();
        return steal_next(); // gives the screen back first
    }
    if (entry && !away) go(entry, { step });
}

function obey(wish) {
    if (document.querySelector("dialog[open]")) return; // the menu has the keys
    dots.wake();
    if (wish === "next") go_by_hand(plan_step(entries, current, 1, minute_now()), 1);
    else if (wish === "previous") go_by_hand(plan_step(entries, current, -1, minute_now()), -1);
    else if (wish === "pause") pause_toggle();
}

// ---- the daemon -----------------------------------------------------------------------------

/** live.js marks <html> while nobody answers. */
function follow_away() {
    const was = away;
    away = root.hasAttribute("data-away");
    if (away && !was) {
        wanted++;
        clearTimeout(turn_timer);
        stage.drop();
    } else if (!away && was) {
        focus.started();
        block_look_back();
        if (paused || stolen || block_on) return; // what is shown mends itself
        resume({ anew: true });
    }
}

// ---- start ----------------------------------------------------------------------------------

function simulate(kind) {
    if (!FOCUS_KINDS.includes(kind)) return;
    const invented = { kind, simulated: true, miner: "BARN-02", miners: ["BARN-01"], value: 12.34e6 };
    steal({ ...invented, at_ms: clock_now() });
}

const dots = panel.dots_make({
    go: (entry) => {
        dots.wake();
        go_by_hand(entry, 1);
    },
    progress: () => (turn_long_ms ? Math.min(1, Math.max(0, 1 - turn_left_ms() / turn_long_ms)) : 0),
});
const block_show = panel.block_make(block_seen);
const focus = focus_make({
    steal,
    kinds: () => set.focus,
    now: () => performance.now(),
    later: (then, ms) => setTimeout(then, ms),
});

take_settings();
const night_look = night_start({
    pane: document.getElementById("play-night"),
    moved: [document.getElementById("play-stage"), document.getElementById("play-block")],
    settings: () => set,
    is_lifted: () => block_on,
});
document.addEventListener("shepherd:update", () => {
    take_settings();
    night_look();
});
new MutationObserver(follow_away).observe(root, { attributeFilter: ["data-away"] });
document.addEventListener("visibilitychange", () => resume());
input_listen(obey);
window.addEventListener("message", (event) => {
    if (event.origin === location.origin && event.data?.shepherd === "input") obey(event.data.kind);
});
for (const kind of ["pointerdown", "pointermove"]) document.addEventListener(kind, () => dots.wake());
events_pulse((event) => focus.hear(event));

const found = set.focus.has("block_found") ? block_remembered() : null;
if (found) block_begin(found);
else if (set.simulate) simulate(set.simulate);
resume();
block_look_back();
setInterval(block_look_back, LOOK_BACK_MS);
