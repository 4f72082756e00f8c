// Full-screen pages: the pointer goes away when nobody moves it, the menu comes when it is wanted,
// the display stays awake. Keys and gestures are in input.js; "f" fills the screen.
//
// In an iframe (/play shows the screens in some) there is no menu: gestures are passed on to the
// page around it, as { shepherd: "input", kind }, and links open there.

import { input_listen } from "./input.js";

const POINTER_STAYS_MS = 3000;
const MENU_STAYS_MS = 20000;

const root = document.documentElement;
const is_framed = window.parent !== window;

// ---- the pointer ----------------------------------------------------------------------------

let pointer_timer = 0;

function show_pointer() {
    clearTimeout(pointer_timer);
    root.classList.remove("no-pointer");
    pointer_timer = setTimeout(() => root.classList.add("no-pointer"), POINTER_STAYS_MS);
}

// ---- the menu -------------------------------------------------------------------------------

const menu = document.getElementById("menu");
let menu_timer = 0;

function menu_stay() {
    clearTimeout(menu_timer);
    menu_timer = setTimeout(menu_close, MENU_STAYS_MS);
}

function menu_close() {
    clearTimeout(menu_timer);
    menu?.close(); // gives the focus back
}

/** The settings in the URL of this screen stay with it from view to view. */
function screen_links() {
    const links = [...(menu?.querySelectorAll("a[data-screen]") ?? [])];
    for (const link of links) link.search = location.search;
    return links;
}

function menu_open() {
    if (!menu) return;
    screen_links();
    menu.showModal();
    (menu.querySelector("[aria-current]") ?? menu.querySelector("a")).focus();
    menu_stay();
}

/** Opens it, or closes it. */
export function menu_toggle() {
    if (menu?.open) menu_close();
    else menu_open();
}

/** Up and down go from entry to entry, round and round. */
function menu_step(step) {
    const entries = [...menu.querySelectorAll("a, button")];
    const at = entries.indexOf(document.activeElement);
    entries[(at + step + entries.length) % entries.length].focus();
}

function menu_start() {
    if (!menu) return;
    for (const kind of ["pointermove", "pointerdown", "keydown"]) menu.addEventListener(kind, menu_stay);
    menu.addEventListener("click", (event) => {
        if (event.target === menu || event.target.closest("[data-close]")) menu_close(); // beside it
    });
    menu.addEventListener("keydown", (event) => {
        if (event.key === "ArrowDown") menu_step(1);
        else if (event.key === "ArrowUp") menu_step(-1);
        else return;
        event.preventDefault();
    });
}

// ---- from screen to screen ------------------------------------------------------------------

function go(step) {
    const links = screen_links();
    const at = links.findIndex((link) => link.pathname === location.pathname);
    if (at < 0) return; // /play has its own way of doing this
    location.assign(links[(at + step + links.length) % links.length].href);
}

function obey(wish) {
    if (wish === "menu") menu_toggle();
    else if (menu?.open) return;
    else if (wish === "next") go(1);
    else if (wish === "previous") go(-1);
}

function is_message_of_frame(event) {
    return event.origin === location.origin && event.data?.shepherd === "input";
}

function listen_alone() {
    menu_start();
    input_listen(obey);
    window.addEventListener("message", (event) => {
        if (is_message_of_frame(event) && event.data.kind === "menu") menu_toggle();
    });
}

function listen_framed() {
    root.classList.add("framed");
    input_listen((kind) => window.parent.postMessage({ shepherd: "input", kind }, location.origin));
    document.addEventListener("click", (event) => {
        const link = event.target.closest?.("a[href]");
        if (link) link.target = "_top";
    });
}

// ---- the whole display, and awake -----------------------------------------------------------

/** The document that fills the window: ours, or the one around us. */
function outer_document() {
    try {
        return window.top.document;
    } catch {
        return document; // of another origin
    }
}

function toggle_fullscreen() {
    const page = outer_document();
    const done = page.fullscreenElement ? page.exitFullscreen() : page.documentElement.requestFullscreen?.();
    done?.catch(() => {}); // the browser does not allow it: then not
}

async function stay_awake() {
    if (document.hidden) return; // the lock is lost with sight; visibilitychange asks again
    try {
        await navigator.wakeLock?.request("screen");
    } catch {
        // battery low, or not allowed: the display's own settings decide
    }
}

// ---- start ----------------------------------------------------------------------------------

for (const kind of ["pointermove", "pointerdown"]) document.addEventListener(kind, show_pointer);
show_pointer();
document.addEventListener("keydown", (event) => {
    const plain = !event.ctrlKey && !event.altKey && !event.metaKey && !event.repeat;
    if (plain && event.key.toLowerCase() === "f") toggle_fullscreen();
});
if (is_framed) {
    listen_framed();
} else {
    listen_alone();
    document.addEventListener("visibilitychange", stay_awake);
    stay_awake();
}
