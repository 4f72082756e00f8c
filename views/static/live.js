// Keeps a page up to date without a reload.
//
// The daemon says over /events that a topic moved (herd, logs, …). A page that was made from that
// topic (header X-Shepherd-Topics) asks for itself again, at most once a second (and once more after
// a quiet time: a line moves the herd, and a moment later, when it is stored, the log), with the ETag that
// it shows. The answer is nothing (304), the keyed parts that changed, or the whole page; it is
// morphed in, so that focus, selection, charts and scroll position stay.
//
// A page needs nothing for this but the layout. It may use
//   data-key="…"       a part that can travel alone: the element of a live.row()
//   data-live-keep     the browser's own element: never touched while the page still has it
//   data-live-pause    while text is selected in here, updates wait
//   data-live-own      on <html>, by a script of the page: topics that it looks after itself
// and hear on document
//   shepherd:update    after each change
//   shepherd:topic     detail is the name of a topic that moved, or null: anything may have
// A script that changed the URL (history.replaceState) sends `shepherd:ask` to document: the page is
// asked for at once, as it is at the new URL.
// Each update leaves a performance measure "shepherd:update".

import { Idiomorph } from "./idiomorph.js";
import { clock_learn, clock_start, clock_tick } from "./clock.js";
import { events_need, events_start } from "./events.js";
import { focus_keep, focus_place } from "./focus.js";

const ASK_EVERY_MS = 1000;
const AGAIN_MS = 250; // once, after a quiet time
const QUIET_MS = 1200;
const RETRY_MS = 3000;
const ANSWER_WITHIN_MS = 10000;
const PARTS_TYPE = "text/vnd.shepherd.parts+html";

let etag = null; // of what is shown; null: not known yet
let shown_url = page_url(); // of what is shown
let topics = null; // Set; null: not known yet, then anything may matter
let asking = false;
let dirty = false; // something moved while we were asking
let asked_at = -Infinity;
let ask_gap_ms = ASK_EVERY_MS; // until the next question
let timer = 0;

// ---- asking ---------------------------------------------------------------------------------

/** Ask soon: at once after a quiet time, else when the second is over. */
function ask_soon(wait_ms = 0) {
    dirty = true;
    if (asking || timer || document.hidden) return;
    const due_ms = Math.max(wait_ms, asked_at + ask_gap_ms - performance.now());
    if (due_ms <= 0) ask();
    else timer = setTimeout(ask, due_ms);
}

async function ask() {
    clearTimeout(timer);
    timer = 0;
    if (is_paused()) return; // selectionchange asks again
    dirty = false;
    asking = true;
    const now = performance.now();
    ask_gap_ms = now - asked_at >= QUIET_MS ? AGAIN_MS : ASK_EVERY_MS;
    asked_at = now;
    const url = page_url();
    if (url !== shown_url) etag = null; // that was another page's
    const reply = await fetch_page(url);
    asking = false;
    if (url !== page_url()) return ask(); // the visitor went on meanwhile
    if (reply) take(reply, url);
    if (!reply) ask_soon(RETRY_MS);
    else if (dirty) ask_soon();
}

/** The visitor wants another page, and not in a second. */
function ask_now() {
    clearTimeout(timer);
    timer = 0;
    if (!asking) ask();
}

function page_url() {
    return location.href.split("#")[0];
}

/** { response, text }; null: no usable answer. If that lasts, events.js tells the visitor. */
async function fetch_page(url) {
    const headers = { Accept: "text/html" };
    if (etag) {
        headers["If-None-Match"] = etag;
        headers["X-Shepherd-Have"] = etag;
    }
    const asked_ms = Date.now();
    try {
        const response = await fetch(url, {
            headers,
            cache: "no-store", // we do our own revalidation and want to see the 304
            signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
        });
        clock_learn(response, asked_ms);
        if (response.status !== 304 && !response.ok) return null;
        return { response, text: await response.text() };
    } catch {
        return null; // refused, cut or too late
    }
}

function take({ response, text }, url) {
    const type = response.headers.get("Content-Type") ?? "";
    if (response.status === 304 || show(text, type)) {
        shown_url = url;
        learn(response);
    } else {
        etag = null; // a part that this page does not have: next time the whole page
        dirty = true;
    }
}

function learn(response) {
    etag = response.headers.get("ETag") ?? etag;
    if (response.status === 304) return; // does not repeat the topics
    const names = response.headers.get("X-Shepherd-Topics") ?? "";
    topics = new Set(names.split(",").filter(Boolean));
    events_need([...topics]);
}

// ---- showing --------------------------------------------------------------------------------

const MORPH = {
    ignoreActiveValue: true, // what somebody is typing stays
    restoreFocus: true,
    callbacks: {
        beforeNodeMorphed: (old) => !(old instanceof Element && old.hasAttribute("data-live-keep")),
        beforeAttributeUpdated: (name, node) => !is_visitors(name, node),
    },
};

/** What the visitor opened stays open; what focus_keep() led to stays where the focus can be. */
function is_visitors(name, node) {
    return (name === "open" && node.tagName === "DETAILS") || (name === "tabindex" && node === document.activeElement);
}

/** false: the reply does not fit to this page. */
function show(text, type) {
    const start = performance.now();
    const place = focus_place();
    const fits = type.startsWith(PARTS_TYPE) ? show_parts(text) : show_page(text);
    focus_keep(place);
    if (fits) document.dispatchEvent(new CustomEvent("shepherd:update"));
    performance.measure("shepherd:update", { start });
    return fits;
}

function show_page(text) {
    const fresh = new DOMParser().parseFromString(text, "text/html");
    clock_tick(fresh); // so that morphing does not touch ages at all
    if (document.title !== fresh.title) document.title = fresh.title;
    patch(document.body, fresh.body);
    return true;
}

// Elements stand one after the other, each with its data-key in its first tag.
const BETWEEN_PARTS = /(?=<[a-z][^<>]*\sdata-key=")/i;

/** The parts as elements. Parsed together where they have the same tag: a <tr> behind a <section> would not be one. */
function parse_parts(text) {
    const by_tag = new Map();
    for (const chunk of text.split(BETWEEN_PARTS)) {
        const tag = chunk.match(/^<([a-z][a-z0-9-]*)/i)?.[1] ?? "";
        by_tag.set(tag, (by_tag.get(tag) ?? "") + chunk);
    }
    return [...by_tag.values()].flatMap((html) => {
        const box = document.createElement("template");
        box.innerHTML = html;
        clock_tick(box.content);
        return [...box.content.children];
    });
}

function show_parts(text) {
    const shown = new Map();
    for (const node of document.querySelectorAll("[data-key]")) shown.set(node.dataset.key, node);
    const parts = parse_parts(text);
    if (!parts.every((part) => shown.has(part.dataset.key))) return false;
    for (const part of parts) patch(shown.get(part.dataset.key), part);
    return true;
}

// Most updates change texts and attributes and nothing else, or the order of rows: that is done here, in a tenth of the
// time. Whatever else it is, and everything that a visitor operates, is Idiomorph's.

const OPERATED = new Set(["DETAILS", "DIALOG", "INPUT", "OPTION", "SELECT", "TEXTAREA"]);

/** Make `old` like `fresh`, changing as little as can be. */
function patch(old, fresh) {
    if (old.isEqualNode(fresh)) return;
    if (old.nodeType !== Node.ELEMENT_NODE) {
        old.nodeValue = fresh.nodeValue;
    } else if (!old.hasAttribute("data-live-keep")) {
        patch_element(old, fresh);
    }
}

function patch_element(old, fresh) {
    const is_ours = old.nodeName === fresh.nodeName && !OPERATED.has(old.nodeName);
    if (is_ours && has_same_children(old, fresh)) {
        patch_attributes(old, fresh);
        const news = [...fresh.childNodes];
        [...old.childNodes].forEach((child, i) => patch(child, news[i]));
    } else if (is_ours && is_keyed(old) && is_keyed(fresh) && !old.contains(document.activeElement)) {
        patch_attributes(old, fresh);
        patch_rows(old, fresh);
    } else {
        Idiomorph.morph(old, fresh, { ...MORPH, morphStyle: "outerHTML" });
    }
}

function has_same_children(old, fresh) {
    if (old.childNodes.length !== fresh.childNodes.length) return false;
    let other = fresh.firstChild;
    for (let child = old.firstChild; child; child = child.nextSibling, other = other.nextSibling) {
        if (child.nodeName !== other.nodeName || child.id !== other.id) return false;
    }
    return true;
}

function patch_attributes(old, fresh) {
    for (const { name, value } of fresh.attributes) {
        if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    if (old.attributes.length === fresh.attributes.length) return;
    for (const { name } of [...old.attributes]) {
        if (!fresh.hasAttribute(name) && !is_visitors(name, old)) old.removeAttribute(name);
    }
}

/** A body of a table, or the like: rows with an id and nothing but space between them. */
function is_keyed(node) {
    const rows = [...node.children];
    return rows.length > 1 && rows.every((row) => row.id) && node.childNodes.length <= 2 * rows.length + 1;
}

/** Rows that are there are moved, not rewritten. */
function patch_rows(old, fresh) {
    const rows = new Map([...old.children].map((row) => [row.id, row]));
    let place = old.firstElementChild;
    for (const wanted of [...fresh.children]) {
        const row = rows.get(wanted.id) ?? document.importNode(wanted, true);
        rows.delete(wanted.id);
        if (row === place) place = place.nextElementSibling;
        else old.insertBefore(row, place);
        patch(row, wanted);
    }
    for (const row of rows.values()) row.remove();
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

function hear_topic(topic) {
    document.dispatchEvent(new CustomEvent("shepherd:topic", { detail: topic }));
    const own = document.documentElement.dataset.liveOwn?.split(",") ?? [];
    if (!own.includes(topic) && (!topics || topics.has(topic))) ask_soon();
}

document.addEventListener("shepherd:ask", ask_now);
clock_start();
await ask(); // learns ETag and topics, and shows what moved since the page was sent
events_start({
    on_topic: hear_topic,
    on_back: () => {
        document.documentElement.dataset.live = "on"; // from here on a change comes by itself
        document.dispatchEvent(new CustomEvent("shepherd:topic", { detail: null }));
        ask_soon(); // whatever moved while we could not hear
    },
    on_version: () => location.reload(), // the daemon was upgraded: new scripts, new styles
    on_away: show_away,
});
