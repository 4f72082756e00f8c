// Ages and clocks. Pages never contain "4 min ago": they say when something was, and this ticks.
//
//   <time data-clock="time|hm|seconds|date|weekday|short-date">  → what a wall clock shows now
//   <time datetime="2026-10-18T14:30:00Z" data-age>          → "4 min ago"
//   <time datetime="…" data-age="short">                     → "4 min"
//   <time datetime="…" data-local="time|minute|date">        → local clock time
//   <td data-at="1760797800000" data-stale-after="300">      → data-stale="4 min" once it is older
//   <time datetime="…" data-stale-after="300">               → the same
//
// The text between the tags is what people see without script: write the UTC time there.
//
// Clocks go by attributes of <html>: lang, data-timezone (IANA name; none: that of the screen),
// data-hour12, data-seconds, data-date ("full", "long", "medium", "short", "iso"). Zones and
// daylight saving time are known to Intl alone. A zone that it does not know is not guessed: the
// clock shows that of the screen, and the element #timezone-unknown says so.

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

let skew_ms = 0; // server minus browser: a wall display without a clock battery is often wrong

/**
 * Learn the difference to the daemon's clock from a reply to what was asked at asked_ms. The Date
 * header has whole seconds and was written between the question and now: that bounds the
 * difference. What we believe stays as long as it fits, so that the clock does not jump about.
 */
export function clock_learn(response, asked_ms = Date.now()) {
    const server_ms = Date.parse(response.headers.get("Date") ?? "");
    if (!Number.isFinite(server_ms)) return;
    const least = server_ms - Date.now();
    const most = server_ms + SECOND - asked_ms;
    const fits = (difference) => least <= difference && difference <= most;
    if (!fits(skew_ms)) skew_ms = fits(0) ? 0 : (least + most) / 2;
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

// In the language of the page: <html> carries these words (partials/head.html).
const WORDS = { now: "now", ago: "{span} ago", said: "said {span} ago" };

function words(name, age_ms) {
    const text = globalThis.document?.documentElement.getAttribute(`data-${name}`) ?? WORDS[name];
    return text.replace("{span}", span_text(age_ms));
}

function age_text(at_ms, style) {
    const age_ms = Math.max(0, clock_now() - at_ms);
    if (style === "short") return span_text(age_ms);
    return words(age_ms < 5 * SECOND ? "now" : "ago", age_ms);
}

// ---- how clocks read ------------------------------------------------------------------------

/** The region of the visitor is kept (en-GB, de-AT) when it speaks the language of the page. */
function page_locale(lang) {
    const spoken = globalThis.navigator?.languages ?? [];
    return spoken.find((name) => name === lang || name.startsWith(`${lang}-`)) ?? (lang || undefined);
}

const DATES = ["full", "long", "medium", "short", "iso"];

/** What <html> says about clocks. */
export function clock_settings(root = document.documentElement) {
    const { timezone, hour12, seconds, date } = root.dataset;
    return {
        locale: page_locale(root.lang),
        timezone: timezone || undefined,
        hour12: hour12 !== undefined,
        seconds: seconds !== undefined,
        date: DATES.includes(date) ? date : DATES[0],
    };
}

const HOUR_MINUTE = { hour: "2-digit", minute: "2-digit" };
const ISO_DAY = { year: "numeric", month: "2-digit", day: "2-digit" };
const STYLES = {
    // in the text of a page
    "local-time": () => ({ ...HOUR_MINUTE, second: "2-digit" }),
    "local-minute": () => HOUR_MINUTE,
    "local-date": () => ({ dateStyle: "medium", timeStyle: "medium" }),
    // on the wall
    time: ({ seconds }) => ({ ...HOUR_MINUTE, ...(seconds && { second: "2-digit" }) }),
    hm: () => HOUR_MINUTE,
    seconds: () => ({ minute: "2-digit", second: "2-digit" }), // a second alone has no leading zero
    date: ({ date }) => (date === "iso" ? ISO_DAY : { dateStyle: date }),
    weekday: () => ({ weekday: "long" }),
    "short-date": ({ date }) =>
        date === "iso" ? ISO_DAY : { weekday: "short", day: "numeric", month: "short" },
};

function is_iso_day(style, { date }) {
    return date === "iso" && (style === "date" || style === "short-date");
}

/** The time zone if Intl does not know it, else null. */
export function unknown_timezone({ timezone }) {
    try {
        new Intl.DateTimeFormat("en", { timeZone: timezone });
        return null;
    } catch {
        return timezone;
    }
}

function format_make(style, settings) {
    const options = { ...STYLES[style](settings), timeZone: settings.timezone };
    options.hourCycle = settings.hour12 ? "h12" : "h23";
    if (settings.hour12 && options.hour) options.hour = "numeric";
    // only Swedish and a few others write a day as ISO 8601 does
    const locale = is_iso_day(style, settings) ? "sv-SE" : settings.locale;
    if (unknown_timezone(settings) !== null) delete options.timeZone;
    return new Intl.DateTimeFormat(locale, options);
}

let formats = {};
let formats_for = "";

function format_of(style, settings) {
    const key = JSON.stringify(settings);
    if (key !== formats_for) formats = {}; // somebody changed the settings
    formats_for = key;
    formats[style] ??= format_make(style, settings);
    return formats[style];
}

export function local_text(at_ms, style) {
    const name = STYLES[`local-${style}`] ? `local-${style}` : "local-date";
    return format_of(name, clock_settings()).format(at_ms);
}

/** What a clock of this style shows at a time: [{ type: "hour", value: "14" }, …], as Intl gives it. */
export function clock_parts(at_ms, style, settings) {
    const name = STYLES[style] && !style.startsWith("local-") ? style : "time";
    const parts = format_of(name, settings).formatToParts(at_ms);
    return name === "seconds" ? parts.filter(({ type }) => type === "second") : parts;
}

function write(node, text) {
    if (node.textContent !== text) node.textContent = text;
}

function set_attribute(node, name, value) {
    if (node.getAttribute(name) === value) return;
    if (value === null) node.removeAttribute(name);
    else node.setAttribute(name, value);
}

// Digits stand in spans of their own, whose width the style sheet fixes: nothing moves but the
// digit that changes. Dates are plain text.
const CLOCK_FACES = new Set(["time", "hm", "seconds"]);

function write_face(node, parts) {
    const fits = node.children.length === parts.length && node.childNodes.length === parts.length;
    if (!fits) node.replaceChildren(...parts.map(() => document.createElement("span")));
    parts.forEach(({ type, value }, i) => {
        const span = node.children[i];
        set_attribute(span, "class", `clock-${type}`);
        write(span, value);
    });
}

function write_clock(node, settings) {
    const parts = clock_parts(clock_now(), node.dataset.clock, settings);
    if (CLOCK_FACES.has(node.dataset.clock)) write_face(node, parts);
    else write(node, parts.map(({ value }) => value).join(""));
}

let timezone_checked = null;

function tell_timezone(settings) {
    if (settings.timezone === timezone_checked) return;
    timezone_checked = settings.timezone;
    const note = document.getElementById("timezone-unknown");
    if (!note) return;
    const name = unknown_timezone(settings);
    note.hidden = name === null;
    if (name !== null) write(note.querySelector("b"), name);
}

function tick_clocks(root) {
    const clocks = root.querySelectorAll("time[data-clock]");
    if (clocks.length === 0) return;
    const settings = clock_settings();
    tell_timezone(settings);
    for (const node of clocks) write_clock(node, settings);
}

/** Write every age and clock below root; also used on a fetched page before it is shown. */
export function clock_tick(root = document) {
    tick_clocks(root);
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
        const at_ms = Number(node.dataset.at ?? Date.parse(node.dateTime));
        const age_ms = clock_now() - at_ms;
        const stale = at_ms > 0 && age_ms > Number(node.dataset.staleAfter) * SECOND;
        const was_stale = node.hasAttribute("data-stale");
        set_attribute(node, "data-stale", stale ? span_text(age_ms) : null);
        if (stale) node.title = words("said", age_ms);
        else if (was_stale) node.removeAttribute("title");
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
