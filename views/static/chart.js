// Draws the charts of a page: every <figure data-chart> that lua/chart.lua printed.
//
// The rows come from /api/history and are asked for again when the page got data, at most every
// 30 s. One range for all charts of the page: the buttons [data-chart-range] change it, the URL
// (#7d) keeps it. A chart can be read without seeing it: its name says lowest, mean and highest, and
// with the arrow keys it is a slider whose value is what was at that time.

import uPlot from "./uplot.js";
import { bars_grouped, bounds_of, time_ticks, known, number_text, point_text, step_of, STEPS, summary_text, zone } from "./chart_text.js";

const ASK_EVERY_MS = 30000;
const SMALLEST = { "°C": 5, dBm: 5 }; // the y axis never shows less than this: no mountains out of noise

const WHOLE = Array.from({ length: 18 }, (_, i) => 10 ** i).flatMap((n) => [n, 2 * n, 5 * n]); // steps of an axis that counts

const charts = new Map(); // figure → its state
let range = null; // of the page; null: each chart its own

// ---- drawing --------------------------------------------------------------------------------

function token(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(`--color-${name}`).trim();
}

function faded(colour, share) {
    return `color-mix(in srgb, ${colour} ${share}%, transparent)`;
}

/** What canvas takes for a colour: it does not know color-mix() everywhere. */
function paint(state) {
    const probe = state.plot_box;
    const resolve = (colour) => {
        probe.style.color = colour;
        const resolved = getComputedStyle(probe).color;
        probe.style.removeProperty("color");
        return resolved;
    };
    const tone = token(state.figure.dataset.tone);
    state.colours = {
        line: resolve(tone),
        band: resolve(faded(tone, 22)),
        fill: resolve(faded(tone, 75)),
        text: token("ink-3"),
        grid: resolve(faded(token("line"), 80)),
        font: `12px ${token_font()}`,
    };
}

function token_font() {
    return getComputedStyle(document.body).fontFamily || "sans-serif";
}

function value_axis(unit) {
    return (plot, splits) => {
        const step = unit === "" || unit === "H/s" || unit === "H" || unit === "W" ? step_of(splits.at(-1) ?? 0) : 0;
        const scale = 1000 ** step;
        const between = splits.length > 1 ? (splits[1] - splits[0]) / scale : 1;
        const digits = Math.max(0, Math.min(3, -Math.floor(Math.log10(between) + 1e-9)));
        return splits.map((value, i) => {
            const text = number_text(value / scale, digits);
            return i === splits.length - 1 && unit !== "" ? `${text} ${STEPS[step]}${unit}` : text + (unit === "" ? STEPS[step] : "");
        });
    };
}

/** Room for the labels of the y axis, whatever they are. */
function axis_width(plot, values) {
    if (!values?.length) return 40;
    plot.ctx.save();
    plot.ctx.font = `${12 * uPlot.pxRatio}px ${token_font()}`;
    const widest = values.reduce((most, text) => Math.max(most, plot.ctx.measureText(text).width), 0);
    plot.ctx.restore();
    return Math.ceil(widest / uPlot.pxRatio) + 12;
}

function value_range(state) {
    return (plot, low, high) => {
        if (low === null || high === null) return [0, 1];
        const { unit } = state.figure.dataset;
        if (state.bars) return [0, Math.max(high * 1.08, 1)];
        const least = SMALLEST[unit] ?? Math.abs(high) * 0.1;
        const middle = (low + high) / 2;
        const half = Math.max((high - low) * 0.58, least / 2, 1e-9);
        const bottom = low >= 0 ? Math.max(0, middle - half) : middle - half;
        return [bottom, middle + half];
    };
}

/** Points that stand alone between two gaps have no line: they are drawn as dots. */
function lonely(plot, series) {
    const values = plot.data[series];
    const found = [];
    values.forEach((value, i) => {
        if (value !== null && (values[i - 1] ?? null) === null && (values[i + 1] ?? null) === null) found.push(i);
    });
    return found;
}

function series_of(state) {
    const { colours } = state;
    const main = {
        stroke: () => state.colours.line,
        width: 1.5,
        spanGaps: false,
        points: { show: false, filter: lonely, size: 4, fill: () => state.colours.line },
    };
    if (state.bars) {
        return [{}, { ...main, width: 0, fill: () => state.colours.fill, points: { show: false }, paths: uPlot.paths.bars({ size: [0.78, 28], align: 1 }) }];
    }
    if (!state.band) return [{}, main];
    const edge = { stroke: colours.band, width: 0, points: { show: false }, spanGaps: false };
    return [{}, edge, { ...edge }, main];
}

function options_of(state, width, height) {
    const axis = { stroke: () => state.colours.text, font: state.colours.font, grid: { stroke: () => state.colours.grid, width: 1 }, ticks: { show: false } };
    return {
        width,
        height,
        padding: [8, 22, 0, 0],
        legend: { show: false },
        tzDate: zone ? (at_s) => uPlot.tzDate(new Date(at_s * 1000), zone) : undefined,
        cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
        scales: { x: { time: true, range: () => state.span }, y: { range: value_range(state) } },
        axes: [
            { ...axis, values: time_ticks, space: 64, size: 26, gap: 6 },
            { ...axis, values: value_axis(state.figure.dataset.unit), space: 34, size: axis_width, gap: 6, ...(state.bars && { incrs: WHOLE }) },
        ],
        series: series_of(state),
        bands: state.band && !state.bars ? [{ series: [2, 1], fill: () => state.colours.band }] : [],
        hooks: { setCursor: [(plot) => point_show(state, plot.cursor.idx)] },
    };
}

function columns_of(state) {
    const { shown } = state;
    if (!state.band || state.bars) return [shown.t, shown.avg];
    // of the herd there is no lowest and highest: the band is as thin as the line
    const has_band = known(shown.min).length > 0;
    return [shown.t, has_band ? shown.min : shown.avg, has_band ? shown.max : shown.avg, shown.avg];
}

/** A chart of another range, size or theme is made anew; the same with other rows is only filled. */
function draw(state) {
    const width = Math.floor(state.plot_box.clientWidth);
    const height = Math.floor(state.plot_box.clientHeight);
    if (!state.data || width < 40 || height < 40) return;
    const { data } = state;
    state.shown = state.bars ? bars_grouped(data, width) : data;
    state.span = [data.t[0], data.t.at(-1) + data.period_s];
    if (state.plot) {
        if (state.plot.width !== width || state.plot.height !== height) state.plot.setSize({ width, height });
        state.plot.setData(columns_of(state));
    } else {
        paint(state);
        state.plot = new uPlot(options_of(state, width, height), columns_of(state), state.plot_box);
        state.plot.root.setAttribute("aria-hidden", "true"); // the box around it speaks
    }
    describe(state);
}

// ---- reading it -----------------------------------------------------------------------------

/** Lowest, mean and highest, above the chart and for those who do not see it. */
function describe(state) {
    const { words, figure, shown, data } = state;
    const { unit } = figure.dataset;
    const bounds = bounds_of(shown);
    state.summary = bounds ? summary_text(state, bounds) : words.nothing;
    if (state.read_at === null) state.note.textContent = state.summary;
    const box = state.plot_box;
    box.setAttribute("role", "slider");
    box.setAttribute("aria-label", `${state.title}, ${data.range}: ${state.summary}`);
    box.setAttribute("aria-valuemin", "0");
    box.setAttribute("aria-valuemax", String(shown.t.length - 1));
    const index = state.read_at ?? shown.t.length - 1;
    box.setAttribute("aria-valuenow", String(index));
    box.setAttribute("aria-valuetext", point_text(state, Math.min(index, shown.t.length - 1), unit));
    box.tabIndex = 0;
    figure.toggleAttribute("data-empty", bounds === null);
}

/** What is under the pointer or chosen by keys; nothing: the summary again. */
function point_show(state, index) {
    state.read_at = index ?? null;
    if (state.read_at === null) {
        state.note.textContent = state.summary;
        return;
    }
    const text = point_text(state, index, state.figure.dataset.unit);
    state.note.textContent = text;
    state.plot_box.setAttribute("aria-valuenow", String(index));
    state.plot_box.setAttribute("aria-valuetext", text);
}

const KEYS = { ArrowLeft: -1, ArrowRight: 1, ArrowDown: -1, ArrowUp: 1, PageDown: -10, PageUp: 10 };

function key_pressed(state, event) {
    if (!state.plot) return;
    const last = state.shown.t.length - 1;
    const from = state.read_at ?? last;
    let index = null;
    if (event.key === "Home") index = 0;
    else if (event.key === "End") index = last;
    else if (KEYS[event.key]) index = state.read_at === null ? last : Math.max(0, Math.min(last, from + KEYS[event.key]));
    else if (event.key === "Escape" && state.read_at !== null) state.plot.setCursor({ left: -10, top: -10 });
    if (index === null) return;
    event.preventDefault();
    state.plot.setCursor({ left: state.plot.valToPos(state.shown.t[index], "x"), top: 10 }, false);
    point_show(state, index);
}

// ---- asking ---------------------------------------------------------------------------------

async function ask(state) {
    clearTimeout(state.timer);
    state.timer = 0;
    if (state.asking) return;
    const wanted = range ?? state.figure.dataset.range;
    state.asking = true;
    state.asked_at = performance.now();
    const data = await history_fetch(state.figure.dataset, wanted);
    state.asking = false;
    if ((range ?? state.figure.dataset.range) !== wanted) return ask(state); // another range meanwhile
    if (data) take(state, data);
    else if (!state.data) state.note.textContent = state.words.failed;
}

async function history_fetch({ chart, miner }, wanted) {
    const query = new URLSearchParams({ metric: chart, range: wanted });
    if (miner) query.set("miner", miner);
    try {
        const response = await fetch(`/api/history?${query}`, { headers: { Accept: "application/json" } });
        return response.ok ? await response.json() : null;
    } catch {
        return null; // the page itself says that the daemon is away
    }
}

function take(state, data) {
    const other = state.data?.range !== data.range;
    state.data = data;
    if (other) undraw(state);
    draw(state);
}

function undraw(state) {
    state.plot?.destroy();
    state.plot = null;
    state.read_at = null;
}

/** The page got data: so may we, but not more often than every 30 s. */
function ask_soon(state) {
    if (state.timer || document.hidden) return;
    const due_ms = state.asked_at + ASK_EVERY_MS - performance.now();
    if (due_ms <= 0) ask(state);
    else state.timer = setTimeout(() => ask(state), due_ms);
}

// ---- the page -------------------------------------------------------------------------------

function chart_start(figure) {
    const plot_box = figure.querySelector(".chart-plot");
    const state = {
        figure,
        plot_box,
        note: figure.querySelector(".chart-note"),
        title: figure.querySelector(".chart-title").textContent,
        words: JSON.parse(figure.dataset.words),
        bars: figure.hasAttribute("data-bars"),
        band: figure.hasAttribute("data-band"),
        plot: null,
        data: null,
        read_at: null,
        summary: "",
        asked_at: -Infinity,
        asking: false,
        timer: 0,
    };
    state.size = new ResizeObserver(() => draw(state));
    state.size.observe(plot_box);
    plot_box.addEventListener("keydown", (event) => key_pressed(state, event));
    plot_box.addEventListener("blur", () => state.plot?.setCursor({ left: -10, top: -10 }));
    charts.set(figure, state);
    ask(state);
}

/** Charts come and go with the page. */
function charts_find() {
    for (const [figure, state] of charts) {
        if (figure.isConnected) continue;
        clearTimeout(state.timer);
        state.size.disconnect();
        undraw(state);
        charts.delete(figure);
    }
    for (const figure of document.querySelectorAll("figure[data-chart]")) {
        if (!charts.has(figure)) chart_start(figure);
    }
}

function ranges_there() {
    return [...document.querySelectorAll("[data-chart-range]")].map((button) => button.dataset.chartRange);
}

function range_show() {
    const shown = range ?? document.querySelector("figure[data-chart]")?.dataset.range;
    for (const button of document.querySelectorAll("[data-chart-range]")) {
        button.setAttribute("aria-pressed", String(button.dataset.chartRange === shown));
    }
}

function range_choose(name) {
    if (!ranges_there().includes(name) || name === range) return;
    range = name;
    range_show();
    for (const state of charts.values()) ask(state);
}

function range_of_url() {
    return location.hash.slice(1);
}

function theme_changed() {
    for (const state of charts.values()) {
        if (!state.plot) continue;
        paint(state);
        state.plot.redraw(false, true);
    }
}

document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-chart-range]");
    if (!button) return;
    history.replaceState(history.state, "", `#${button.dataset.chartRange}`);
    range_choose(button.dataset.chartRange);
});
window.addEventListener("hashchange", () => range_choose(range_of_url()));
document.addEventListener("shepherd:update", () => {
    charts_find();
    for (const state of charts.values()) ask_soon(state);
});
matchMedia("(prefers-color-scheme: light)").addEventListener("change", theme_changed);
matchMedia("(prefers-contrast: more)").addEventListener("change", theme_changed);
new MutationObserver(theme_changed).observe(document.documentElement, { attributeFilter: ["data-theme", "class"] });

if (ranges_there().includes(range_of_url())) range = range_of_url();
range_show();
charts_find();
