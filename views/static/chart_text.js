// What charts say: numbers with their units, times, the rows of a bar, and the summary of what is shown.

import { unknown_timezone } from "./clock.js";

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86400;
const BAR_PX = 7; // so many pixels for a bar and its gap, at least
const GROUPS = { 60: [1, 2, 5, 10, 15, 30, 60], 3600: [1, 2, 3, 6, 12, 24], 86400: [1, 7, 14] };

export const STEPS = ["", "k", "M", "G", "T", "P", "E"];

// ---- words and numbers ----------------------------------------------------------------------

export const zone = known_zone(document.documentElement.dataset.timezone);
const language = document.documentElement.lang || undefined;
const formats = new Map();

/** undefined, the zone of the screen, where Intl does not know this one. */
function known_zone(timezone) {
    return !timezone || unknown_timezone({ timezone }) !== null ? undefined : timezone;
}

function date_text(at_s, options) {
    const key = JSON.stringify(options);
    if (!formats.has(key)) {
        formats.set(key, new Intl.DateTimeFormat(language, { hourCycle: "h23", timeZone: zone, ...options }));
    }
    return formats.get(key).format(at_s * 1000);
}

const CLOCK = { hour: "2-digit", minute: "2-digit" };
const DATE = { day: "numeric", month: "short" };
const MONTH = { month: "short" };

function time_text(at_s, period_s) {
    if (period_s >= DAY) return date_text(at_s, { ...DATE, year: "numeric", timeZone: "UTC" }); // days are kept in UTC
    return date_text(at_s, { ...DATE, ...CLOCK });
}

/** The step of 1000 that fits to a value: 78500 → 1 ("k"). */
export function step_of(value) {
    let step = 0;
    while (Math.abs(value) >= 999.5 && step < STEPS.length - 1) {
        value /= 1000;
        step += 1;
    }
    return step;
}

export function number_text(value, digits) {
    return value.toLocaleString(language, { maximumFractionDigits: digits, minimumFractionDigits: digits });
}

/** "78.50 kH/s", "61.5 °C", "1,204". */
function value_text(value, unit) {
    if (unit === "" || unit === "°C" || unit === "dBm") {
        const text = number_text(value, Number.isInteger(value) || unit === "" ? 0 : 1);
        return unit ? `${text} ${unit}` : text;
    }
    const step = step_of(value);
    const scaled = value / 1000 ** step;
    const digits = scaled === 0 ? 0 : Math.abs(scaled) < 10 ? 3 : Math.abs(scaled) < 100 ? 2 : 1;
    return `${number_text(scaled, digits)} ${STEPS[step]}${unit}`;
}

/** "15 min", "6 h", "1 d". */
function span_words(seconds) {
    if (seconds < HOUR) return `${seconds / MINUTE} min`;
    return seconds < DAY ? `${seconds / HOUR} h` : `${seconds / DAY} d`;
}

/** Time below the chart: clock, then days, then months, whatever the step is. */
export function time_ticks(plot, splits, axis, space, step_s) {
    return splits.map((at_s) => {
        if (step_s >= 28 * DAY) return date_text(at_s, MONTH);
        if (step_s >= DAY) return date_text(at_s, DATE);
        const clock = date_text(at_s, CLOCK);
        return clock === "00:00" ? date_text(at_s, DATE) : clock;
    });
}

// ---- rows -----------------------------------------------------------------------------------

/** Growth of several periods in one bar; a bar of nothing but gaps is a gap. */
export function bars_grouped(data, width_px) {
    const sizes = GROUPS[data.period_s];
    const fits = sizes.find((size) => data.t.length / size <= width_px / BAR_PX) ?? sizes.at(-1);
    const group_s = fits * data.period_s;
    const t = [];
    const avg = [];
    data.t.forEach((at_s, i) => {
        const start = at_s - (at_s % group_s);
        if (t.at(-1) !== start) {
            t.push(start);
            avg.push(null);
        }
        const value = data.avg[i];
        if (value !== null) avg[avg.length - 1] = (avg.at(-1) ?? 0) + value;
    });
    return { t, avg, period_s: group_s };
}

export function known(values) {
    return values.filter((value) => value !== null);
}

/** { low, mean, high, total } of what is shown, or null when nothing is known. */
export function bounds_of(shown) {
    const values = known(shown.avg);
    if (values.length === 0) return null;
    const total = values.reduce((sum, value) => sum + value, 0);
    const least = (list) => list.reduce((a, b) => Math.min(a, b));
    const most = (list) => list.reduce((a, b) => Math.max(a, b));
    const lows = shown.min ? known(shown.min) : [];
    const highs = shown.max ? known(shown.max) : [];
    return {
        low: least(lows.length ? lows : values),
        mean: total / values.length,
        high: most(highs.length ? highs : values),
        total,
    };
}

// ---- sentences ------------------------------------------------------------------------------

export function summary_text({ words, figure, bars, shown, data }, { low, mean, high, total }) {
    const { unit } = figure.dataset;
    if (bars) return `${value_text(total, unit)} ${words.total} · ${words.per} ${span_words(shown.period_s)}`;
    const parts = [`${words.lowest} ${value_text(low, unit)}`, `${words.mean} ${value_text(mean, unit)}`, `${words.highest} ${value_text(high, unit)}`];
    return (data.min ? parts : [parts[1]]).join(" · ");
}

export function point_text(state, index, unit) {
    const { shown, words, data } = state;
    const at = time_text(shown.t[index], shown.period_s);
    const value = shown.avg[index];
    if (value === null || value === undefined) return `${at} · ${words.gap}`;
    let text = `${at} · ${value_text(value, unit)}`;
    const low = shown.min?.[index] ?? null;
    const high = shown.max?.[index] ?? null;
    if (!state.bars && low !== null && high !== null && low !== high) text += ` (${value_text(low, unit)} – ${value_text(high, unit)})`;
    if (!state.bars && data.n) text += ` · ${data.n[index]} ${words.miners}`;
    return text;
}
