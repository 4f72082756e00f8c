// One stream of /events for all pages of a browser, and the word when it breaks.
//
// Pages in sight ask for the lock "shepherd-events"; the one that has it holds the EventSource and
// passes on what it hears over a BroadcastChannel. A hidden page lets go of both. Browsers give
// locks only to pages from localhost or over https; elsewhere each page in sight has a stream of
// its own, and hidden ones still have none.
//
// The stream asks for the topics that some page in sight was made from. "system" costs the daemon a
// look at itself every second, so it matters that nobody asks for it who does not show it.
// The pulse (what happens, event by event) flows only while some page in sight wants it.

const USUAL = ["herd", "logs", "events", "facts", "config"]; // as long as a page does not know better
const LOCK = "shepherd-events";
const AWAY_AFTER_MS = 3000; // a restart is quicker than this: no banner for it
const RETRY_MS = 1000;
const QUIET_MS = 30000; // heartbeats cannot be seen from here: after this silence, ask
const PROBE_WITHIN_MS = 5000;

const me = Math.random().toString(36).slice(2);
const needs = new Map(); // page → { topics, pulse }; the page that holds the stream knows all
const pulse_listeners = []; // of this page
let told = null; // the callbacks of events_start()
let version = null;
let away_since = null; // ms when the stream broke; null: it is there
let away_timer = 0;
let channel = null;
let let_go = null; // gives the lock back
let wanted = null; // AbortController of the request for the lock
let source = null;
let source_url = "";
let retry_timer = 0;
let watchdog = 0;
let heard_at = 0;

// ---- what was heard, here or by another page --------------------------------------------------

function hear(message) {
    if (message.kind === "topic") told.on_topic(message.topic);
    else if (message.kind === "pulse") hear_pulse(message.events);
    else if (message.kind === "hello") hear_hello(message.version);
    else if (message.kind === "away") set_away(message.since_ms);
    else if (message.kind === "need") hear_need(message);
    else if (message.kind === "bye") hear_bye(message);
    else if (message.kind === "who") answer_who();
}

function hear_hello(new_version) {
    const was = version;
    version = new_version ?? was;
    set_away(null);
    if (was && version !== was) told.on_version();
    else told.on_back();
}

function hear_pulse(events) {
    for (const event of events) for (const listener of pulse_listeners) listener(event);
}

function set_away(since_ms) {
    if (since_ms === null) {
        clearTimeout(away_timer);
        away_timer = 0;
        if (away_since !== null) told.on_away(null);
        away_since = null;
        return;
    }
    if (away_since !== null) return;
    away_since = since_ms;
    away_timer = setTimeout(() => told.on_away(away_since), AWAY_AFTER_MS);
}

function tell_others(message) {
    channel?.postMessage(message);
}

function tell(message) {
    tell_others(message);
    hear(message);
}

/** A page came into sight, or took over the stream and wants to know who is there. */
function answer_who() {
    tell_others({ kind: "need", page: me, ...needs.get(me) });
    if (!let_go) return;
    if (away_since !== null) tell_others({ kind: "away", since_ms: away_since });
    else if (source && version) tell_others({ kind: "hello", version });
}

function hear_need({ page, topics, pulse }) {
    needs.set(page, { topics, pulse });
    if (source && wanted_url() !== source_url) stream_anew();
}

/** Topics too many do no harm until the next change; a pulse that nobody wants is work for nothing. */
function hear_bye({ page }) {
    const had_pulse = is_pulse_wanted();
    needs.delete(page);
    if (source && had_pulse && !is_pulse_wanted()) stream_anew();
}

function is_pulse_wanted() {
    return [...needs.values()].some(({ pulse }) => pulse);
}

function wanted_topics() {
    const topics = [...new Set([...needs.values()].flatMap(({ topics }) => topics))];
    return topics.sort().join(",") || "config"; // none would mean all
}

function wanted_url() {
    return `/events?topics=${wanted_topics()}${is_pulse_wanted() ? "&pulse=1" : ""}`;
}

function set_need(need) {
    const message = { kind: "need", page: me, ...need };
    if (told && !document.hidden) tell(message);
    else hear_need(message);
}

/** This page was made from these topics. */
export function events_need(topics) {
    const need = needs.get(me);
    if (need?.topics.join() !== topics.join()) set_need({ topics, pulse: need?.pulse ?? false });
}

/**
 * Hear what happens: listener({ event, miner_id, miner, value, text, at_ms }) for each event of
 * events.def; what is not known is null. Not each one: at most 64 in 250 ms.
 */
export function events_pulse(listener) {
    pulse_listeners.push(listener);
    set_need({ topics: needs.get(me)?.topics ?? USUAL, pulse: true });
}

// ---- the stream -----------------------------------------------------------------------------

function stream_open() {
    source_url = wanted_url();
    source = new EventSource(source_url);
    heard_at = performance.now();
    source.onerror = stream_broke;
    source.addEventListener("hello", (event) => {
        heard_at = performance.now();
        tell({ kind: "hello", version: read_version(event.data) });
    });
    for (const topic of wanted_topics().split(",")) {
        source.addEventListener(topic, () => {
            heard_at = performance.now();
            tell({ kind: "topic", topic });
        });
    }
    source.addEventListener("pulse", (event) => {
        heard_at = performance.now();
        tell({ kind: "pulse", events: JSON.parse(event.data) });
    });
    clearInterval(watchdog);
    watchdog = setInterval(stream_watch, QUIET_MS / 3);
}

function read_version(data) {
    try {
        return JSON.parse(data).version ?? null;
    } catch {
        return null;
    }
}

/** We open it again ourselves: after an HTTP error the browser would not. */
function stream_broke() {
    stream_shut();
    tell({ kind: "away", since_ms: away_since ?? Date.now() });
    retry_timer = setTimeout(stream_open, RETRY_MS);
}

/** A cable pulled out sends no error: after a long silence, see whether anybody is there. */
async function stream_watch() {
    if (performance.now() - heard_at < QUIET_MS) return;
    const watched = source;
    try {
        await fetch("/healthz", { cache: "no-store", signal: AbortSignal.timeout(PROBE_WITHIN_MS) });
        heard_at = performance.now(); // any answer will do: there was nothing to tell
    } catch {
        if (source && source === watched) stream_broke();
    }
}

function stream_anew() {
    stream_shut();
    stream_open();
}

function stream_shut() {
    clearTimeout(retry_timer);
    clearInterval(watchdog);
    source?.close();
    source = null;
}

// ---- who holds it ---------------------------------------------------------------------------

function join() {
    if (wanted || let_go) return;
    if (!navigator.locks) {
        let_go = () => {};
        stream_open();
        return;
    }
    wanted = new AbortController();
    const { signal } = wanted;
    navigator.locks
        .request(LOCK, { signal }, () => {
            wanted = null;
            stream_open();
            tell_others({ kind: "who" });
            return new Promise((resolve) => (let_go = resolve));
        })
        .catch(() => {}); // aborted: the page was hidden before its turn came
    tell_others({ kind: "need", page: me, ...needs.get(me) });
    tell_others({ kind: "who" });
}

function leave() {
    wanted?.abort();
    wanted = null;
    stream_shut();
    for (const page of needs.keys()) if (page !== me) needs.delete(page);
    tell_others({ kind: "bye", page: me });
    let_go?.();
    let_go = null;
}

/**
 * Begin to listen, whenever the page is in sight.
 * on_topic(name): it moved. on_back(): the stream is there (again), anything may have moved.
 * on_version(): the daemon is another one now. on_away(ms since when | null: it is back).
 */
export function events_start(callbacks) {
    told = callbacks;
    if (!needs.has(me)) needs.set(me, { topics: USUAL, pulse: false });
    if (navigator.locks) {
        channel = new BroadcastChannel(LOCK);
        channel.onmessage = (event) => {
            if (!document.hidden) hear(event.data);
        };
    }
    const follow = () => (document.hidden ? leave() : join());
    document.addEventListener("visibilitychange", follow);
    window.addEventListener("pagehide", leave);
    window.addEventListener("pageshow", follow);
    follow();
}
