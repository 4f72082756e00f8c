// The table of the flock without page loads: a click on a head, a filter or the pager, and what is
// typed into the search, change the URL, and live.js brings the page that stands there. Without
// script the same links and the same form load it.

const TYPING_MS = 250;
const form = () => document.getElementById("find");

/** The URL that the form would load: what is empty is left out, and it begins at page 1. */
function form_url() {
    const query = new URLSearchParams();
    for (const [name, value] of new FormData(form())) if (value) query.set(name, value);
    const text = query.toString();
    return text ? `${location.pathname}?${text}` : location.pathname;
}

function go(url, { replace = false } = {}) {
    if (replace) history.replaceState(history.state, "", url);
    else history.pushState(null, "", url);
    document.dispatchEvent(new CustomEvent("shepherd:ask"));
}

function is_plain_click(event) {
    return event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
}

/** A page of the table that is not the first begins at its top. */
function show_top(link) {
    if (link.rel) document.querySelector(".flock-page").scrollIntoView();
}

// ---- the small charts ---------------------------------------------------------------------------

const SPARKS_MS = 120_000;
const sparks = new Map(); // id of the box → svg, of the miners seen so far
let sparks_of = null; // the URL that they were asked for
let sparks_at = -Infinity;

async function fetch_sparks() {
    sparks_of = location.search;
    sparks_at = performance.now();
    try {
        const reply = await fetch(`/api/sparks${location.search}`, { cache: "no-store" });
        if (!reply.ok) return;
        const parser = new DOMParser(); // of our own server, as the page is
        for (const [id, text] of Object.entries(await reply.json())) {
            sparks.set(`s${id}`, parser.parseFromString(text, "text/html").querySelector("svg"));
        }
        show_sparks(true);
    } catch {
        sparks_at = -Infinity; // the daemon is away: with the next update
    }
}

/** Boxes without a line get theirs; `anew`: all of them. Asks for what is not known or old. */
function show_sparks(anew = false) {
    const boxes = document.querySelectorAll(".spark-box");
    for (const box of boxes) {
        if (anew || !box.firstChild) box.replaceChildren(...[sparks.get(box.id)].filter(Boolean));
    }
    const is_old = sparks_of !== location.search || performance.now() - sparks_at > SPARKS_MS;
    if (!anew && boxes.length > 0 && is_old && !document.hidden) fetch_sparks();
}

document.addEventListener("shepherd:update", () => show_sparks());
show_sparks();

// ---- links and the form --------------------------------------------------------------------------

let timer = 0;

function search() {
    clearTimeout(timer);
    timer = 0;
    if (form_url() !== location.pathname + location.search) go(form_url(), { replace: true });
}

document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-soft]");
    if (!link || !is_plain_click(event)) return;
    event.preventDefault();
    go(link.href);
    show_top(link);
});
document.addEventListener("input", (event) => {
    if (event.target.closest("#find") !== form()) return;
    clearTimeout(timer);
    timer = setTimeout(search, event.target.type === "search" ? TYPING_MS : 0);
});
document.addEventListener("submit", (event) => {
    if (event.target !== form()) return;
    event.preventDefault();
    search();
});
window.addEventListener("popstate", () => document.dispatchEvent(new CustomEvent("shepherd:ask")));
