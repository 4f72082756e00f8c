// The focus of who works with the keyboard, when what it is on goes: with its row, when a board was taken in, or with its
// button, when an alarm was acknowledged. It goes on to the same control of the next row, else of the one before, else to
// the heading of the section: not back to the top of the page.

const CONTROLS = ":is(a[href], button, input:not([type=hidden]), select, textarea, summary):not(:disabled)";
const HEADINGS = "h1, h2, h3";

function row_of(node) {
    return node.closest("li[id], tr[id]");
}

/** The ids of the other rows, in the order in which they are looked at. */
function rows_around(row) {
    const ids = [...(row?.parentElement.children ?? [])].map((each) => each.id);
    const at = ids.indexOf(row?.id);
    return [...ids.slice(at + 1), ...ids.slice(0, Math.max(at, 0)).reverse()].filter(Boolean);
}

/** Where the focus is, to be given to focus_keep(); null: nowhere. */
export function focus_place() {
    const node = document.activeElement;
    if (!node || node === document.body) return null;
    const action = node.form?.getAttribute("action");
    const section = node.closest(".pane, main") ?? document.querySelector("main");
    return { node, kind: node.localName, action, rows: rows_around(row_of(node)), section };
}

function is_lost(place) {
    const now = document.activeElement;
    return !place.node.isConnected && (!now || now === document.body);
}

function control_in(row, { kind, action }) {
    const same = action ? `form[action="${CSS.escape(action)}"] ${kind}:not([type=hidden])` : kind;
    return row.querySelector(same) ?? row.querySelector(CONTROLS);
}

function heading_of(section) {
    const heading = [...section.querySelectorAll(HEADINGS)].find((each) => each.checkVisibility()) ?? section;
    if (!heading.hasAttribute("tabindex")) heading.tabIndex = -1;
    return heading;
}

/** After a change of the page: if what had the focus is gone, what is next to its place has it. */
export function focus_keep(place) {
    if (!place || !is_lost(place)) return;
    const rows = place.rows.map((id) => document.getElementById(id)).filter(Boolean);
    const next = rows.map((row) => control_in(row, place)).find(Boolean);
    const target = next ?? (place.section?.isConnected ? heading_of(place.section) : null);
    target?.focus();
}
