// Ages and clocks. Pages never contain "4 min ago": they say when something was, and this ticks.
//
//   <time datetime="2026-10-18T14:30:00Z" data-age>          → "4 min ago"
//   <time datetime="…" data-age="short">                     → "4 min"
//   <time datetime="…" data-local="time|minute|date">        → local clock time
//   <td data-at="1760797800000" data-stale-after="300">      → data-stale="4 min" once it is older
//
// The text between the tags is what people see without script: write the UTC time there.

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const SKEW_IGNORED_MS = 2 * SECOND; // the Date header has whole seconds and a network between

let skew_ms = 0; // server minus browser: a wall display without a clock battery is often wrong

/** Learn the difference to the daemon's clock from a reply. */
export function clock_learn(response) {
    const server_ms = Date.parse(response.headers.get("Date") ?? "");
    if (!Number.isFinite(server_ms)) return;
    const difference = server_ms - Date.now();
    skew_ms = Math.abs(difference) > SKEW_IGNORED_MS ? difference : 0;
}

export function clock_now() {
    return Date.now() + skew_ms;
}

/** "12 s", "4 min", "3 h", "2 d" for a span in ms. */
export function span_text(ms) {
    if (ms < MINUTE) return `${Math.floor(ms / SECOND)} s`;
    if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min`;
    if (ms < 2 * DAY) return `${Math.floor(ms / HOUR)} h`;
    return `${Math.floor(ms / DAY)} d`;
}

function age_text(at_ms, style) {
    const age_ms = Math.max(0, clock_now() - at_ms);
    if (style === "short") return span_text(age_ms);
    return age_ms < 5 * SECOND ? "now" : `${span_text(age_ms)} ago`;
}

const LOCAL = {
    time: { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" },
    minute: { hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
    date: { dateStyle: "medium", timeStyle: "medium" },
};
const formats = {};

export function local_text(at_ms, style) {
    const name = LOCAL[style] ? style : "date";
    formats[name] ??= new Intl.DateTimeFormat(undefined, LOCAL[name]);
    return formats[name].format(at_ms);
}

function write(node, text) {
    if (node.textContent !== text) node.textContent = text;
}

function set_attribute(node, name, value) {
    if (node.getAttribute(name) === value) return;
    if (value === null) node.removeAttribute(name);
    else node.setAttribute(name, value);
}

/** Write every age and clock below root; also used on a fetched page before it is shown. */
export function clock_tick(root = document) {
    for (const node of root.querySelectorAll("time[data-age]")) {
        const at_ms = Date.parse(node.dateTime);
        if (Number.isFinite(at_ms)) write(node, age_text(at_ms, node.dataset.age));
    }
    for (const node of root.querySelectorAll("time[data-local]")) {
        const at_ms = Date.parse(node.dateTime);
        if (!Number.isFinite(at_ms)) continue;
        write(node, local_text(at_ms, node.dataset.local));
        if (!node.title) node.title = node.dateTime;
    }
    for (const node of root.querySelectorAll("[data-stale-after]")) {
        const at_ms = Number(node.dataset.at);
        const age_ms = clock_now() - at_ms;
        const stale = at_ms > 0 && age_ms > Number(node.dataset.staleAfter) * SECOND;
        set_attribute(node, "data-stale", stale ? span_text(age_ms) : null);
        if (stale) node.title = `said ${span_text(age_ms)} ago`;
        else if (node.title.startsWith("said ")) node.removeAttribute("title");
    }
}

/** Tick once a second, on the second, while the page is visible. */
export function clock_start() {
    let timer = 0;
    const step = () => {
        clock_tick();
        timer = setTimeout(step, SECOND - (clock_now() % SECOND) + 5);
    };
    const run = () => {
        clearTimeout(timer);
        if (!document.hidden) step();
    };
    document.addEventListener("visibilitychange", run);
    run();
}
