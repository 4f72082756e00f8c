// The live tail of /raw_logs.
//
// The page comes with the newest lines, newest first. From then on this file brings what is new: the
// topic "logs" moves, /api/logs?after=… is asked, at most twice a second, and each answer is one write
// at the top of the list. At most RING lines stay in the page. What a single answer cannot bring is a
// gap in the list, with its size and a button.
//
// The list stands still while text in it is selected, while it is scrolled away from the top, and
// after "Pause". Lines go on to be fetched then, and wait; a button says how many.
//
// The filter is the form: its state is in the URL. A page of older lines (?before=, ?from=) is not live.

import { clock_learn, local_text } from "./clock.js";

const RING = 500;
const ASK_EVERY_MS = 500;
const RETRY_MS = 3000;
const TYPING_MS = 250;
const ANSWER_WITHIN_MS = 10000;
const LIMIT = RING - 1; // of lines in one answer: with a gap behind them they just fit
const FIRST = 200; // lines of a new filter
const ENOUGH = 50; // a search goes on by itself until it has found so many …
const SEARCH_ANSWERS_MAX = 25; // … or has asked so often
const HITS = 20; // marked in one line: one of 16 KiB may have 16,000
const LETTERS = { error: "E", warning: "W" };

const list = document.getElementById("log");
const bar = document.getElementById("log-bar");
const form = document.getElementById("logs-form");
const state = document.getElementById("log-state");
const pause_button = document.getElementById("log-pause");
const pill = document.getElementById("log-new");
const more = document.getElementById("log-more");
const words = bar.dataset;

let newest = Number(list.dataset.newest); // the id up to which everything was asked for
let era = 0; // moves with the filter: answers of an older one are thrown away
let asking = false;
let is_beginning = false; // the list of a new filter is on its way
let dirty = false;
let asked_at = -Infinity;
let timer = 0;
let is_stopped = false; // by the button
let is_cut = false; // the newest lines shown were dropped: going on begins anew
let waiting = []; // fetched while the list stands still: lines and gaps, newest first
let n_waiting = 0;
let exact = true; // n_waiting is not just "at least"

// ---- the filter -------------------------------------------------------------------------------

function filter() {
    const data = new FormData(form);
    const query = new URLSearchParams();
    for (const name of ["miner", "level", "q"]) if (data.get(name)) query.set(name, data.get(name));
    return query;
}

function with_query(path, query) {
    const text = query.toString();
    return text ? `${path}?${text}` : path;
}

function searched() {
    return small(form.elements.q.value);
}

function small(text) {
    return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase()); // as the daemon does; keeps the length
}

// ---- asking -----------------------------------------------------------------------------------

async function fetch_lines(options) {
    const query = filter();
    for (const [name, value] of Object.entries(options)) query.set(name, value);
    try {
        const response = await fetch(with_query("/api/logs", query), {
            cache: "no-store",
            signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
        });
        clock_learn(response);
        return response.ok ? await response.json() : null;
    } catch {
        return null; // refused, cut or too late
    }
}

function ask_soon(wait_ms = 0) {
    dirty = true;
    if (asking || is_beginning || timer || document.hidden) return;
    const due_ms = Math.max(wait_ms, asked_at + ASK_EVERY_MS - performance.now());
    timer = setTimeout(ask, Math.max(0, due_ms));
}

async function ask() {
    timer = 0;
    if (is_beginning) return;
    dirty = false;
    asking = true;
    asked_at = performance.now();
    const [asked_era, after] = [era, newest];
    const reply = await fetch_lines({ after, limit: LIMIT });
    asking = false;
    if (asked_era === era) {
        if (reply) take(reply, after);
        else return ask_soon(RETRY_MS);
    }
    if (dirty) ask_soon();
}

function take(reply, after) {
    newest = Math.max(newest, reply.newest ?? 0);
    const items = reply.lines.slice();
    if (reply.more) items.push(gap_of(after, reply.next, filter().toString() === ""));
    if (items.length === 0) return;
    if (is_held()) wait_with(items);
    else put_on_top(items);
}

/** Lines with ids between these are not shown. Ids count all lines, so without a filter we know how many. */
function gap_of(after, before, is_exact) {
    return { after, before, n: is_exact ? before - after - 1 : null };
}

// ---- standing still -----------------------------------------------------------------------------

function is_selecting() {
    const selection = document.getSelection();
    return Boolean(selection && !selection.isCollapsed && list.contains(selection.anchorNode));
}

function is_away_from_top() {
    return window.scrollY > 0 && list.getBoundingClientRect().top < bar.getBoundingClientRect().bottom - 8;
}

function is_held() {
    return is_stopped || is_cut || is_selecting() || is_away_from_top();
}

function count(items) {
    for (const item of items) {
        if (item.line !== undefined) n_waiting += 1;
        else if (item.n !== null) n_waiting += item.n;
        else exact = false;
    }
}

function wait_with(items) {
    count(items);
    waiting = items.concat(waiting);
    if (waiting.length > RING) waiting = waiting.slice(0, RING).concat(rest_as_gap(waiting.slice(RING)));
    show_state();
}

/** What does not fit into the page any more is a gap down to what it shows. */
function rest_as_gap(items) {
    const top = items[0].line === undefined ? items[0].before : items[0].id + 1;
    return [gap_of(newest_shown(), top, filter().toString() === "")];
}

function newest_shown() {
    const first = list.querySelector("li[id]");
    return first ? Number(first.id.slice(1)) : 0;
}

/** Go on, if nothing holds the list any more. */
function release() {
    if (!is_held() && waiting.length > 0) {
        const items = waiting;
        forget_waiting();
        put_on_top(items);
    }
    show_state();
}

function forget_waiting() {
    waiting = [];
    n_waiting = 0;
    exact = true;
}

/** "1,234 new lines" was pressed: back to the live end, whatever held the list. */
function go_on() {
    is_stopped = false;
    document.getSelection().removeAllRanges();
    window.scrollTo(0, 0);
    if (is_cut) begin_anew();
    else release();
}

function toggle_pause() {
    if (is_stopped || is_held()) return go_on();
    is_stopped = true;
    show_state();
}

function write(node, text) {
    if (node.textContent !== text) node.textContent = text;
}

function number(n) {
    return n.toLocaleString(document.documentElement.lang);
}

function show_state() {
    if (!state) return;
    const held = is_held();
    bar.classList.toggle("is-held", held);
    write(state, held ? words.paused : words.live);
    write(pause_button, held ? words.go : words.pause);
    pill.hidden = !held || n_waiting === 0;
    write(pill, words.new.replace("%s", number(n_waiting) + (exact ? "" : "+")));
}

// ---- the list -----------------------------------------------------------------------------------

const line_template = document.createElement("template");
line_template.innerHTML =
    '<li><time class="faint"></time><span class="lv"></span><a class="who"></a><span class="text"></span></li>';
const gap_template = document.createElement("template");
gap_template.innerHTML = '<li class="gap"><span></span><button type="button"></button></li>';

function write_marked(node, line, wanted) {
    const text = wanted ? small(line) : "";
    let from = 0;
    let left = HITS;
    for (let at = wanted ? text.indexOf(wanted) : -1; at >= 0 && left > 0; at = text.indexOf(wanted, from), left--) {
        const mark = document.createElement("mark");
        mark.textContent = line.slice(at, at + wanted.length);
        node.append(line.slice(from, at), mark);
        from = at + wanted.length;
    }
    node.append(line.slice(from));
}

function line_node({ id, at_ms, miner, line, level }, wanted) {
    const node = line_template.content.firstElementChild.cloneNode(true);
    const [time, letter, who, text] = node.children;
    node.id = `l${id}`;
    if (LETTERS[level]) node.className = `is-${level}`;
    time.dateTime = time.title = new Date(at_ms).toISOString();
    time.textContent = local_text(at_ms, "time");
    letter.title = level;
    letter.textContent = LETTERS[level] ?? "";
    who.href = `/raw_logs?miner=${encodeURIComponent(miner ?? "")}`;
    who.textContent = miner ?? "";
    write_marked(text, line, wanted);
    return node;
}

function gap_text(gap) {
    if (gap.is_search) return words.further;
    return gap.n === null ? words.some : words.missing.replace("%s", number(gap.n));
}

function gap_node(gap) {
    const node = gap_template.content.firstElementChild.cloneNode(true);
    const [label, button] = node.children;
    label.textContent = gap_text(gap);
    button.textContent = gap.is_search ? words.look : words.load;
    button.addEventListener("click", () => load_gap(node, gap, button));
    return node;
}

function nodes_of(items) {
    const wanted = searched();
    const fragment = document.createDocumentFragment();
    for (const item of items) fragment.append(item.line === undefined ? gap_node(item) : line_node(item, wanted));
    return fragment;
}

/** One write, however many lines came. */
function put_on_top(items) {
    performance.mark("logs:write");
    if (items.length >= RING) list.replaceChildren(nodes_of(items));
    else list.prepend(nodes_of(items));
    trim_end();
    show_older();
    show_empty(false);
    performance.measure("logs:write", "logs:write");
}

function trim_end() {
    while (list.childElementCount > RING) list.lastElementChild.remove();
}

/** Older lines were loaded below: the newest ones make room. */
function trim_top() {
    while (list.childElementCount > RING) {
        list.firstElementChild.remove();
        is_cut = true;
    }
}

function show_older() {
    const link = more.querySelector("a");
    let last = list.lastElementChild;
    while (last && !last.id) last = last.previousElementSibling;
    if (!link || !last) return;
    const query = filter();
    query.set("before", last.id.slice(1));
    link.href = with_query("/raw_logs", query);
}

function show_empty(is_empty) {
    const empty = document.getElementById("log-empty");
    if (empty && !is_empty) empty.remove();
}

/**
 * Lines with ids between after and before. A search looks through a stretch at a time: it goes on until
 * there are enough. { lines, newest, next: where to go on, null: nothing is left }; null: no answer.
 */
async function collect(options, limit) {
    const lines = [];
    let first = null;
    let next = null;
    for (let i = 0; i < SEARCH_ANSWERS_MAX; i++) {
        const reply = await fetch_lines({ ...options, limit: limit - lines.length });
        if (!reply) break;
        first ??= reply;
        lines.push(...reply.lines);
        next = reply.more ? reply.next : null;
        if (next === null || lines.length >= Math.min(ENOUGH, limit)) break;
        options.before = next;
    }
    return first && { lines, newest: first.newest ?? 0, next };
}

async function load_gap(node, gap, button) {
    button.disabled = true;
    button.textContent = words.looking;
    const found = await collect({ after: gap.after, before: gap.before }, LIMIT);
    if (!node.isConnected) return;
    const fresh = nodes_of(found?.lines ?? []);
    if (!found) fresh.append(gap_node(gap));
    else if (found.next !== null) fresh.append(gap_node({ ...gap_of(gap.after, found.next, gap.n !== null), is_search: gap.is_search }));
    node.replaceWith(fresh);
    trim_top();
    show_older();
    show_state();
}

// ---- another filter -------------------------------------------------------------------------------

function show_links() {
    const query = filter();
    history.replaceState(history.state, "", with_query(location.pathname, query));
    query.set("format", "text");
    document.getElementById("log-file").href = with_query("/api/logs", query);
}

/** Everything anew: the filter changed, or the newest lines are not in the page any more. */
async function begin_anew() {
    const begun = ++era;
    is_beginning = true;
    is_cut = false;
    forget_waiting();
    write(state, words.looking);
    const found = await collect({}, FIRST);
    if (begun !== era) return; // changed again meanwhile
    is_beginning = false;
    if (found) show_found(found);
    show_state();
    ask_soon(found ? 0 : RETRY_MS);
}

function show_found({ lines, newest: up_to, next }) {
    newest = up_to;
    const nodes = nodes_of(lines);
    const is_short = next !== null && lines.length < ENOUGH;
    if (is_short) nodes.append(gap_node({ after: 0, before: next, n: null, is_search: true }));
    else if (lines.length === 0) nodes.append(note_node(words.none));
    list.replaceChildren(nodes);
    show_empty(false);
    more.replaceChildren(...(next !== null && !is_short ? [older_link()] : []));
    show_older();
}

function note_node(text) {
    const node = document.createElement("li");
    node.className = "gap";
    node.textContent = text;
    return node;
}

function older_link() {
    const link = document.createElement("a");
    link.rel = "next";
    link.textContent = words.older;
    return link;
}

let typing = 0;
let shown_filter = filter().toString();

function filter_changed() {
    clearTimeout(typing);
    if (filter().toString() === shown_filter) return;
    shown_filter = filter().toString();
    show_links();
    window.scrollTo(0, 0);
    begin_anew();
}

// ---- jump to a time -------------------------------------------------------------------------------

const when = form.elements.from;

function local_value(at_ms) {
    const shifted = new Date(at_ms - new Date(at_ms).getTimezoneOffset() * 60000);
    return shifted.toISOString().slice(0, 16);
}

/** The field shows local time here; the URL has Unix time. */
function jump() {
    const query = filter();
    const at_ms = new Date(when.value).getTime();
    if (Number.isFinite(at_ms)) query.set("from", at_ms);
    location.href = with_query("/raw_logs", query);
}

// ---- start ----------------------------------------------------------------------------------------

function start_live() {
    document.documentElement.dataset.liveOwn = "logs,herd,events"; // live.js need not bring the page for these
    for (const node of [list, bar, more]) node.toggleAttribute("data-live-keep", true);
    pause_button.hidden = false;
    document.addEventListener("shepherd:topic", (event) => {
        if (event.detail === "logs" || event.detail === null) ask_soon();
    });
    document.addEventListener("visibilitychange", () => ask_soon());
    document.addEventListener("selectionchange", release);
    document.addEventListener("shepherd:update", () => show_empty(list.childElementCount === 0));
    window.addEventListener("scroll", release, { passive: true });
    pause_button.addEventListener("click", toggle_pause);
    pill.addEventListener("click", go_on);
    form.addEventListener("input", (event) => {
        clearTimeout(typing);
        if (event.target === when) return;
        typing = setTimeout(filter_changed, event.target.type === "search" ? TYPING_MS : 0);
    });
    show_state();
    ask_soon(); // what came since the page was sent
}

function start() {
    if (when.dataset.at) when.value = local_value(Number(when.dataset.at));
    when.addEventListener("change", jump);
    const is_live = list.dataset.mode === "live";
    form.addEventListener("submit", (event) => {
        event.preventDefault();
        if (is_live && !when.value) filter_changed();
        else jump();
    });
    if (is_live) start_live();
    else form.addEventListener("change", (event) => event.target !== when && jump());
}

start();
