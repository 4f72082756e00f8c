// Keeps a page up to date without a reload.
//
// The daemon says over /events that a topic moved (herd, logs, …). A page that was made from that
// topic (header X-Shepherd-Topics) asks for itself again, at most once a second, with the ETag that
// it shows. The answer is nothing (304), the keyed parts that changed, or the whole page; it is
// morphed in, so that focus, selection, charts and scroll position stay.
//
// A page needs nothing for this but the layout. It may use
//   data-key="…"       a part that can travel alone: the element of a live.row()
//   data-live-keep     the browser's own element: never touched while the page still has it
//   data-live-pause    while text is selected in here, updates wait
// and hear `shepherd:update` on document after each change.

import { Idiomorph } from "./idiomorph.js";
import { clock_learn, clock_start, clock_tick } from "./clock.js";
import { events_start } from "./events.js";

const ASK_EVERY_MS = 1000;
const RETRY_MS = 3000;
const ANSWER_WITHIN_MS = 10000;
const PARTS_TYPE = "text/vnd.shepherd.parts+html";

let etag = null; // of what is shown; null: not known yet
let topics = null; // Set; null: not known yet, anything may matter
let asking = false;
let dirty = false; // something moved while we were asking
let asked_at = -Infinity;
let timer = 0;

// ---- asking ---------------------------------------------------------------------------------

/** Ask soon: at once after a quiet second, else when the second is over. */
function ask_soon(wait_ms = 0) {
    dirty = true;
    if (asking || timer || document.hidden) return;
    const due_ms = Math.max(wait_ms, asked_at + ASK_EVERY_MS - performance.now());
    if (due_ms <= 0) ask();
    else timer = setTimeout(ask, due_ms);
}

async function ask() {
    clearTimeout(timer);
    timer = 0;
    if (is_paused()) return; // selectionchange asks again
    dirty = false;
    asking = true;
    asked_at = performance.now();
    let failed = false;
    try {
        await ask_page();
    } catch (error) {
        failed = true; // the daemon is away or stopped half way: events.js says so if it lasts
        if (error.name === "SyntaxError") console.error(error);
    }
    asking = false;
    if (failed) ask_soon(RETRY_MS);
    else if (dirty) ask_soon();
}

async function ask_page() {
    const headers = { Accept: "text/html" };
    if (etag) {
        headers["If-None-Match"] = etag;
        headers["X-Shepherd-Have"] = etag;
    }
    const response = await fetch(location.href.split("#")[0], {
        headers,
        cache: "no-store", // we do our own revalidation and want to see the 304
        signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    });
    clock_learn(response);
    if (response.status === 304) {
        learn(response);
        return;
    }
    if (!response.ok) throw new Error(`${location.pathname}: ${response.status}`);
    const text = await response.text();
    const type = response.headers.get("Content-Type") ?? "";
    if (!show(text, type)) {
        etag = null; // a part that this page does not have: next time the whole page
        dirty = true;
        return;
    }
    learn(response);
}

function learn(response) {
    etag = response.headers.get("ETag") ?? etag;
    const names = response.headers.get("X-Shepherd-Topics");
    if (names !== null) topics = new Set(names.split(/[\s,]+/).filter(Boolean));
}

// ---- showing --------------------------------------------------------------------------------

const MORPH = {
    ignoreActiveValue: true, // what somebody is typing stays
    restoreFocus: true,
    callbacks: {
        beforeNodeMorphed: (old) => !(old instanceof Element && old.hasAttribute("data-live-keep")),
        // what the visitor opened stays open
        beforeAttributeUpdated: (name, node) => !(name === "open" && node.tagName === "DETAILS"),
    },
};

/** false: the reply does not fit to this page. */
function show(text, type) {
    const fits = type.startsWith(PARTS_TYPE) ? show_parts(text) : show_page(text);
    if (fits) document.dispatchEvent(new CustomEvent("shepherd:update"));
    return fits;
}

function show_page(text) {
    const fresh = new DOMParser().parseFromString(text, "text/html");
    clock_tick(fresh); // so that morphing does not touch ages at all
    if (document.title !== fresh.title) document.title = fresh.title;
    Idiomorph.morph(document.body, fresh.body, { ...MORPH, morphStyle: "outerHTML" });
    return true;
}

/** Each part comes in a <template>, which parses a lone <tr> as well as a <section>. */
function show_parts(text) {
    const box = document.createElement("template");
    box.innerHTML = text;
    const parts = [];
    for (const wrapper of box.content.children) {
        const fresh = wrapper.content?.firstElementChild;
        const key = fresh?.dataset.key;
        const old = key && document.querySelector(`[data-key="${CSS.escape(key)}"]`);
        if (!old) return false;
        parts.push([old, fresh]);
    }
    for (const [old, fresh] of parts) {
        clock_tick(fresh.parentNode);
        Idiomorph.morph(old, fresh, { ...MORPH, morphStyle: "outerHTML" });
    }
    return true;
}

// ---- pausing --------------------------------------------------------------------------------

function is_paused() {
    const selection = document.getSelection();
    if (!selection || selection.isCollapsed) return false;
    const node = selection.anchorNode;
    const element = node instanceof Element ? node : node?.parentElement;
    return Boolean(element?.closest("[data-live-pause]"));
}

// ---- the daemon is away ---------------------------------------------------------------------

function show_away(since_ms) {
    const banner = document.getElementById("away");
    if (!banner) return;
    document.documentElement.toggleAttribute("data-away", since_ms !== null);
    if (since_ms !== null) {
        const since = banner.querySelector("time");
        since.dateTime = new Date(since_ms).toISOString();
        clock_tick(banner);
    }
    banner.hidden = since_ms === null;
}

// ---- start ----------------------------------------------------------------------------------

document.addEventListener("visibilitychange", () => {
    if (!document.hidden) ask_soon();
});
document.addEventListener("selectionchange", () => {
    if (dirty && !is_paused()) ask_soon();
});
window.addEventListener("pageshow", (event) => {
    if (event.persisted) ask_soon();
});

clock_start();
events_start({
    on_topic: (topic) => {
        if (!topics || topics.has(topic)) ask_soon();
    },
    on_back: () => ask_soon(), // whatever moved while we could not hear
    on_version: () => location.reload(), // the daemon was upgraded: new scripts, new styles
    on_away: show_away,
});
ask_soon(); // learns ETag and topics, and shows what moved since the page was sent
