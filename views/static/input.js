// What people do with a screen on the wall, as four wishes: "next", "previous", "pause", "menu".
//
//   arrow right, page down, swipe to the left     next
//   arrow left, page up, swipe to the right       previous
//   space                                         pause
//   m, Escape, a tap or click beside all controls menu

const KEYS = {
    ArrowRight: "next",
    PageDown: "next",
    ArrowLeft: "previous",
    PageUp: "previous",
    " ": "pause",
    m: "menu",
    M: "menu",
    Escape: "menu",
};
const SWIPE_PX = 50;
const SWIPE_MS = 800;
const TAP_PX = 12; // a finger is not steady
const CONTROLS = "a, button, input, select, textarea, label, summary, dialog, [contenteditable]";
const WRITING = "input, select, textarea, [contenteditable]";

function wish_of_key(event) {
    if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return null;
    if (event.target.closest?.(WRITING)) return null;
    const wish = KEYS[event.key] ?? null;
    if (wish === "pause" && event.target.closest?.(CONTROLS)) return null; // space presses a button
    if (wish === "menu" && event.repeat) return null;
    return wish;
}

function wish_of_swipe(start, event) {
    const dx = event.clientX - start.x;
    const dy = event.clientY - start.y;
    if (event.timeStamp - start.at > SWIPE_MS) return null;
    if (Math.abs(dx) < SWIPE_PX || Math.abs(dx) < 2 * Math.abs(dy)) return null;
    return dx < 0 ? "next" : "previous";
}

const handlers = [];

function tell(wish) {
    for (const handler of handlers) handler(wish);
}

/** Call handler(wish) for each gesture and key on this page, as every other that listens. */
export function input_listen(handler) {
    handlers.push(handler);
    if (handlers.length === 1) start_listening();
}

function start_listening() {
    let start = null; // where the finger or the button went down
    document.addEventListener("keydown", (event) => {
        const wish = wish_of_key(event);
        if (!wish) return;
        event.preventDefault(); // Escape would close again what it opened; space would scroll
        tell(wish);
    });
    document.addEventListener("pointerdown", (event) => {
        start = event.isPrimary ? { x: event.clientX, y: event.clientY, at: event.timeStamp } : null;
    });
    document.addEventListener("pointerup", (event) => {
        // with a mouse people mark text
        const wish = start && event.isPrimary && event.pointerType !== "mouse" && wish_of_swipe(start, event);
        if (wish) tell(wish);
    });
    // Not pointerup: the click after it would land on the menu that it opened.
    document.addEventListener("click", (event) => {
        if (event.defaultPrevented || event.target.closest?.(CONTROLS)) return;
        const moved = start && Math.hypot(event.clientX - start.x, event.clientY - start.y) > TAP_PX;
        if (!moved) tell("menu");
    });
}
