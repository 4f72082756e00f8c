// /dash/health: a tile pulses once when the status of its miner changed, and at no other time.

const PULSE = [
    { boxShadow: "inset 0 0 0 100vmax currentColor", opacity: 0.4 },
    { boxShadow: "inset 0 0 0 0 currentColor", opacity: 1 },
];
const PULSE_MS = 1200;
const still = matchMedia("(prefers-reduced-motion: reduce)");
const seen = new Map(); // id of a tile → the status that it showed last

/** Compare what is shown with what was: tiles are moved and made anew, their ids stay. */
function look() {
    const tiles = document.querySelectorAll("[data-status]");
    for (const tile of tiles) {
        const was = seen.get(tile.id);
        const now = tile.dataset.status;
        seen.set(tile.id, now);
        if (was && was !== now && !still.matches) tile.animate(PULSE, { duration: PULSE_MS, easing: "ease-out" });
    }
    if (tiles.length < seen.size) forget();
}

function forget() {
    for (const id of seen.keys()) if (!document.getElementById(id)) seen.delete(id);
}

look();
document.addEventListener("shepherd:update", look);
