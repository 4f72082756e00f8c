// What /play shows, and how bright, at a given time: the playlist, the hours, the night's curve, the burn-in shift.
// Nothing in here touches a page or asks for the time: tests/browser/play_plan.test.mjs runs it in Node.

import { sun_night } from "./play_sun.js";

const MINUTE = 60_000;
const DAY_MINUTES = 1440;
const VIEWS_MAX = 32; // more dots than that fit on no small screen
const DWELL_MAX_S = 86_400;
const RAMP_MS = 30 * MINUTE; // dusk and dawn
const RED_CUT = { green: 0.5, blue: 0.85 }; // how much of these a red night takes away
const SHIFT_PX = 4;

const KNOWN = {
    kiosk: "/kiosk",
    health: "/dash/health",
    nerdminer: "/dash/nerdminer",
    matrix: "/dash/matrix",
    flock: "/",
    summary: "/summary",
};

// ---- the playlist -----------------------------------------------------------------------------

/** "22" or "22:30" in minutes of the day; null: no such time. 24 is the end of the day. */
function clock_minutes(text) {
    const [, hour, minute] = /^(\d{1,2})(?::(\d{2}))?$/.exec(text.trim()) ?? [];
    const minutes = Number(hour) * 60 + Number(minute ?? 0);
    return Number(minute ?? 0) < 60 && minutes <= DAY_MINUTES ? minutes % DAY_MINUTES : null;
}

/** "22-6" or "22:30-6:15" → { from, to } in minutes; null: not understood. */
export function hours_parse(text) {
    const [from, to, ...rest] = text.split("-").map(clock_minutes);
    if (rest.length || (from ?? null) === null || (to ?? null) === null) return null;
    return { from, to };
}

/** Whether a minute of the day lies in these hours, also over midnight. From 8 to 8 is the whole day. */
export function hours_have({ from, to }, minute) {
    if (from === to) return true;
    return from < to ? minute >= from && minute < to : minute >= from || minute < to;
}

/** Path of a view on this daemon: a known name, the name of an own view, a path; null: not one that may be shown. */
function view_path(name) {
    const path = Object.hasOwn(KNOWN, name) ? KNOWN[name] : "/" + name.replace(/^\//, "");
    try {
        const { host, pathname, search } = new URL(path, "http://wall");
        // A slash or a backslash too many and it would be another host; a playlist in itself has no end.
        const is_here = host === "wall" && !path.startsWith("//") && !pathname.startsWith("//") && !path.includes("\\");
        return is_here && !/^\/play\/?$/.test(decodeURIComponent(pathname)) ? pathname + search : null;
    } catch {
        return null; // no address at all: "//["
    }
}

function entry_parse(text, dwell_s) {
    const [, name, seconds, hours] = /^(.+?)(?::(\d+))?(?:@([\d:]+-[\d:]+))?$/.exec(text) ?? [];
    const path = name && !name.includes("@") ? view_path(name) : null;
    const within = hours ? hours_parse(hours) : null;
    if (path === null || (hours && !within)) return null;
    const stay_s = Number(seconds ?? dwell_s);
    return { text, name, path, hours: within, dwell_s: Math.min(Math.max(stay_s || 1, 1), DWELL_MAX_S) };
}

/**
 * "kiosk:30,health,matrix@18-23" → { entries, wrong }: entries { text, name, path, dwell_s, hours } in order,
 * wrong the parts that were not understood.
 */
export function plan_parse(text, dwell_s) {
    const entries = [];
    const wrong = [];
    for (const part of text.split(",").map((part) => part.trim()).filter(Boolean)) {
        const entry = entries.length < VIEWS_MAX ? entry_parse(part, dwell_s) : null;
        if (entry) entries.push(entry);
        else wrong.push(part);
    }
    return { entries, wrong };
}

/** Those of the entries whose hours it is. */
export function plan_due(entries, minute) {
    return entries.filter(({ hours }) => !hours || hours_have(hours, minute));
}

/** The due entry after (step 1) or before (-1) this one, which need not be due any more; null: none. */
export function plan_step(entries, current, step, minute) {
    const due = new Set(plan_due(entries, minute));
    const at = entries.indexOf(current);
    const start = at < 0 ? (step > 0 ? -1 : 0) : at;
    for (let i = 1; i <= entries.length; i++) {
        const entry = entries[(((start + step * i) % entries.length) + entries.length) % entries.length];
        if (due.has(entry)) return entry;
    }
    return null;
}

/** The minute of the day at which something is due again; null: nothing ever is. */
export function plan_next_minute(entries, minute) {
    const starts = entries.filter(({ hours }) => hours).map(({ hours }) => hours.from);
    if (!starts.length) return null;
    const wait = (start) => (start - minute + DAY_MINUTES) % DAY_MINUTES;
    return starts.reduce((best, start) => (wait(start) < wait(best) ? start : best));
}

// ---- time of day --------------------------------------------------------------------------------

const clocks = new Map(); // by time zone: making one costs a millisecond

/** Minutes since midnight with their fraction, by the clock on the wall of this time zone ("" is that of the screen). */
export function minute_of_day(at_ms, timezone) {
    let clock = clocks.get(timezone);
    if (!clock) {
        const options = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
        try {
            clock = new Intl.DateTimeFormat("en", { ...options, timeZone: timezone || undefined });
        } catch {
            clock = new Intl.DateTimeFormat("en", options); // no such zone: the screen's own
        }
        clocks.set(timezone, clock);
    }
    const part = Object.fromEntries(clock.formatToParts(at_ms).map(({ type, value }) => [type, Number(value)]));
    return part.hour * 60 + part.minute + part.second / 60;
}

// ---- night --------------------------------------------------------------------------------------

/** "22-6", "sun" or "" → what night_darkness() takes; null: never dark. */
export function night_parse(text) {
    const wanted = text.trim();
    if (wanted === "sun") return "sun";
    return wanted ? hours_parse(wanted) : null;
}

function smooth(x) {
    return x * x * (3 - 2 * x);
}

/** Hours as { since_ms, until_ms } around now; null: not now. */
function hours_night(hours, minute) {
    if (!hours_have(hours, minute)) return null;
    const to_ms = (minutes) => ((minutes + DAY_MINUTES) % DAY_MINUTES) * MINUTE;
    if (hours.from === hours.to) return { since_ms: Infinity, until_ms: Infinity };
    return { since_ms: to_ms(minute - hours.from), until_ms: to_ms(hours.to - minute) };
}

/**
 * 0 by day to 1 in the night, with half an hour of dusk after the beginning and of dawn before the end.
 * A night shorter than that does not get quite dark.
 */
export function night_darkness(night, at_ms, { timezone = "", latitude = 0, longitude = 0 } = {}) {
    if (!night) return 0;
    const span =
        night === "sun" ? sun_night(at_ms, latitude, longitude) : hours_night(night, minute_of_day(at_ms, timezone));
    if (!span) return 0;
    return smooth(Math.min(1, span.since_ms / RAMP_MS)) * smooth(Math.min(1, span.until_ms / RAMP_MS));
}

/** What is left of red, green and blue (0 to 1, in thousandths) at this darkness. */
export function night_light(darkness, { level, red }) {
    const all = 1 - darkness * (1 - level);
    const left = (cut) => Math.round(1000 * all * (red ? 1 - darkness * cut : 1)) / 1000;
    return { red: left(0), green: left(RED_CUT.green), blue: left(RED_CUT.blue) };
}

// ---- burn-in ------------------------------------------------------------------------------------

/** Where the picture stands in this minute: at most 4 px aside, one small step at a time, back after some hours. */
export function shift_at(minute) {
    const along = (period) => Math.round(SHIFT_PX * Math.sin((2 * Math.PI * minute) / period));
    return { x: along(61), y: along(83) };
}
