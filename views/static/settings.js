// The settings: which section is shown, names that are suggested, addresses that are checked while they are typed, what a
// confirmation shows, copying, uploads.

import { post, toast } from "./forms.js";
import { upload_start } from "./upload.js";

const CHECK_AFTER_MS = 300; // of quiet
const ADDRESS_MAX = 128;

// ---- sections -------------------------------------------------------------------------------------

/** The section of the address bar is the current one; without one, the first. */
function sections_mark() {
    const links = [...document.querySelectorAll("#sections a")];
    if (links.length === 0) return;
    const pane = document.querySelector(".pane:target, .pane:has(:target)");
    const current = links.find((link) => link.hash === `#${pane?.id}`) ?? links[0];
    for (const link of links) {
        if (link === current) link.setAttribute("aria-current", "true");
        else link.removeAttribute("aria-current");
    }
    const strip = current.parentElement; // on a narrow display it scrolls to the side
    strip.scrollLeft = current.offsetLeft - (strip.clientWidth - current.clientWidth) / 2;
}

// ---- names that are suggested ---------------------------------------------------------------------

/** A log may tell the name later: it goes into the field as long as nobody has written there. */
function suggestions_take() {
    for (const field of document.querySelectorAll("input[data-suggested-by]")) {
        const name = document.getElementById(field.dataset.suggestedBy)?.value;
        if (!name || name === field.defaultValue || field === document.activeElement) continue;
        if (field.value === field.defaultValue) field.value = name;
        field.defaultValue = name;
    }
}

// ---- addresses, while they are typed --------------------------------------------------------------

const checks = new WeakMap(); // field → { timer, round }

function check_line(field) {
    const id = `${field.id}-check`;
    let line = document.getElementById(id);
    if (!line) {
        line = document.createElement("div");
        line.className = "address-check";
        line.id = id;
        line.setAttribute("role", "status");
        field.after(line);
    }
    return line;
}

/** The address again, with the wrong characters marked: by a box and a line below it, not by colour alone. */
function marked_text(address, at) {
    const box = document.createElement("p");
    box.className = "code marked";
    const wrong = new Set(at);
    [...address].forEach((character, i) => {
        const piece = document.createElement(wrong.has(i) ? "mark" : "span");
        piece.textContent = character;
        box.append(piece);
    });
    return box;
}

function check_show(field, answer) {
    const line = check_line(field);
    const text = document.createElement("p");
    text.className = answer.success ? "check-good" : "check-bad";
    text.textContent = `${answer.success ? "✓" : "✕"} ${answer.message}`;
    const at = Array.isArray(answer.at) ? answer.at : [];
    line.replaceChildren(text, ...(at.length > 0 ? [marked_text(field.value.trim(), at)] : []));
}

async function check_now(field, state) {
    const round = ++state.round;
    const address = field.value.trim();
    if (!address) return check_line(field).replaceChildren();
    const coin = field.dataset.checkAddress && document.getElementById(field.dataset.checkAddress)?.value;
    const answer = await post("/addresses/check", new URLSearchParams({ address, coin_ticker: coin || "" }));
    if (round === state.round && answer.status !== 0) check_show(field, answer);
}

function check_soon(field) {
    if (field.value.length > ADDRESS_MAX) return;
    let state = checks.get(field);
    if (!state) checks.set(field, (state = { timer: 0, round: 0 }));
    clearTimeout(state.timer);
    state.timer = setTimeout(check_now, CHECK_AFTER_MS, field, state);
}

function address_fields_of(field) {
    if (field.hasAttribute("data-check-address")) return [field];
    return field.id ? document.querySelectorAll(`[data-check-address="${CSS.escape(field.id)}"]`) : [];
}

// ---- what is shown of what is typed ---------------------------------------------------------------

function outputs_update(field) {
    for (const output of document.querySelectorAll(`[data-shows="${CSS.escape(field.id)}"]`)) {
        output.textContent = field.value.trim() || "–";
    }
}

function reveal(field) {
    const hidden = document.getElementById(field.dataset.reveals);
    if (!hidden) return;
    hidden.hidden = !field.checked;
    for (const inner of hidden.querySelectorAll("input")) inner.required = field.checked;
}

/** A form that came: of the page, or in a dialog. */
function sheet_start(root) {
    for (const field of root.querySelectorAll("[data-reveals]")) reveal(field);
    for (const field of root.querySelectorAll("[data-check-address]")) {
        check_line(field); // at once: what comes later does not move what is below
        if (field.value) check_soon(field);
    }
}

// ---- tokens ---------------------------------------------------------------------------------------

function token_show(box, token) {
    box.querySelector("#token-text").value = token;
    const link = new URL("/play", location.origin);
    link.searchParams.set("token", token);
    box.querySelector("#token-link").value = link.href;
    box.hidden = false;
    box.querySelector("#token-text").focus();
}

async function copy(button) {
    const field = document.getElementById(button.dataset.copy);
    field.select();
    try {
        await navigator.clipboard.writeText(field.value);
    } catch {
        if (!document.execCommand("copy")) return; // a page that is not on localhost: it is selected, Ctrl+C
    }
    toast(button.dataset.copied);
}

// ---- start ----------------------------------------------------------------------------------------

document.addEventListener("input", (event) => {
    const field = event.target;
    for (const address of address_fields_of(field)) check_soon(address);
    if (field.id) outputs_update(field);
});
document.addEventListener("change", (event) => {
    if (event.target.dataset.reveals) reveal(event.target);
});
document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-copy]");
    if (button) copy(button);
});
document.addEventListener("shepherd:sent", (event) => {
    const box = document.getElementById(event.target.dataset.shows ?? "");
    if (box && event.detail.token) token_show(box, event.detail.token);
});
document.addEventListener("shepherd:sheet", (event) => sheet_start(event.detail));
document.addEventListener("shepherd:update", suggestions_take);
document.addEventListener("shepherd:update", sections_mark);
window.addEventListener("hashchange", sections_mark);
window.addEventListener("resize", sections_mark); // a tablet that is turned has another strip
sections_mark();
suggestions_take();
sheet_start(document);
upload_start(document);
