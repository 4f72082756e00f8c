// What /play itself says over its views: the dots, "Paused", notes, the strip of an interruption and
// the celebration of a block.

import { clock_tick } from "./clock.js";

const AWAKE_MS = 3000; // how long the dots stay bright
const NOTE_MS = 8000;
const NAMES_MAX = 3; // miners that are named one by one

function find(name) {
    return document.getElementById(`play-${name}`);
}

/** "{miner} is offline" with its values; a value is put in as it is. */
export function words_fill(text, values) {
    return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

// ---- dots -----------------------------------------------------------------------------------

/** go(entry) is called when one is pressed; progress() gives 0 to 1. */
export function dots_make({ go, progress }) {
    const nav = find("dots");
    let awake_timer = 0;
    let progress_timer = 0;

    function show_progress() {
        nav.querySelector("[aria-current]")?.style.setProperty("--progress", progress().toFixed(2));
    }

    function sleep() {
        nav.classList.remove("is-awake");
        clearInterval(progress_timer);
        progress_timer = 0;
    }

    return {
        fill(entries, title_of) {
            const buttons = entries.map((entry) => {
                const button = document.createElement("button");
                button.type = "button";
                button.className = "play-dot";
                button.title = title_of(entry);
                button.setAttribute("aria-label", title_of(entry));
                button.addEventListener("click", () => go(entry));
                return button;
            });
            nav.replaceChildren(...buttons);
            nav.hidden = entries.length < 2;
        },
        mark(index) {
            [...nav.children].forEach((button, at) => {
                if (at === index) button.setAttribute("aria-current", "true");
                else button.removeAttribute("aria-current");
                button.style.removeProperty("--progress");
            });
            if (progress_timer) show_progress();
        },
        /** Bright for a while: somebody is here. */
        wake() {
            clearTimeout(awake_timer);
            awake_timer = setTimeout(sleep, AWAKE_MS);
            nav.classList.add("is-awake");
            progress_timer ||= setInterval(show_progress, 250);
            show_progress();
        },
    };
}

// ---- words ----------------------------------------------------------------------------------

let note_timer = 0;

/** A word at the edge, for a few seconds. */
export function note_show(text) {
    const note = find("note");
    clearTimeout(note_timer);
    note.textContent = text;
    note.hidden = false;
    note_timer = setTimeout(() => (note.hidden = true), NOTE_MS);
}

export function paused_show(is_paused) {
    find("paused").hidden = !is_paused;
}

/** In place of a view; null: there is one. */
export function empty_show(text) {
    const empty = find("empty");
    empty.hidden = text === null;
    if (text !== null && empty.textContent !== text) empty.textContent = text;
}

// ---- interruptions --------------------------------------------------------------------------

function miners_text(words, miners) {
    if (miners.length > NAMES_MAX) return words_fill(words.offline_many, { count: miners.length });
    return words_fill(miners.length > 1 ? words.offline_some : words.offline, { miners: miners.join(", ") });
}

export function strip_text(words, { kind, miners, miner, share }) {
    return kind === "offline" ? miners_text(words, miners) : words_fill(words.best_share, { miner, share });
}

/** The strip that says what happened; null takes it away. */
export function strip_show(stolen, text) {
    const strip = find("strip");
    strip.parentElement.classList.toggle("has-strip", stolen !== null); // not <body>: that is morphed
    strip.hidden = stolen === null;
    if (!stolen) return;
    strip.dataset.kind = stolen.kind;
    strip.querySelector("[data-simulated]").hidden = !stolen.simulated;
    const place = find("strip-text");
    if (place.textContent !== text) place.textContent = text;
}

/** The celebration, until somebody touches the screen: then seen() is called. */
export function block_make(seen) {
    const block = find("block");
    const done = (event) => {
        if (block.hidden) return;
        event.preventDefault(); // neither the menu nor the next view
        event.stopPropagation();
        block.hidden = true;
        seen();
    };
    block.addEventListener("click", done);
    window.addEventListener("keydown", done, { capture: true });
    return ({ miner, at_ms, simulated }) => {
        find("block-miner").textContent = miner ?? "–";
        block.querySelector("[data-simulated]").hidden = !simulated;
        block.querySelector("time").dateTime = new Date(at_ms).toISOString();
        clock_tick(block);
        block.hidden = false;
        find("block-seen").focus();
    };
}
