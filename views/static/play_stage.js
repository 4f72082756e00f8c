// The stage of /play: a view in an iframe, and the next one behind it until it is there.
//
// A view is asked for first and shown only when it is a page of ours that loaded: a wall never
// shows a browser's error page. What left the stage is emptied before it is taken away, so that
// its scripts, streams and timers end.

const LOAD_WITHIN_MS = 20_000; // a Raspberry Pi, a large flock
const FRESH_WITHIN_MS = 3000; // for a page with live.js to hear its first word
const FADE_MS = 700; // a little more than in style/play.css

function wait(ms) {
    return new Promise((resolve) => setTimeout(resolve, ms));
}

/** What is wrong with a view before it is loaded: null, { away: true } or { word, status }. */
async function probe(url, signal) {
    let response;
    try {
        response = await fetch(url, {
            method: "HEAD",
            headers: { Accept: "text/html" },
            cache: "no-store",
            signal: AbortSignal.any([signal, AbortSignal.timeout(LOAD_WITHIN_MS)]),
        });
    } catch (error) {
        return error.name === "TimeoutError" ? { word: "slow" } : { away: true };
    }
    if (response.status === 502 || response.status === 503 || response.status === 504) return { away: true };
    if (!response.ok) return { word: "status", status: response.status };
    const is_page = (response.headers.get("Content-Type") ?? "").startsWith("text/html");
    return is_page && new URL(response.url).origin === location.origin ? null : { word: "no_page" };
}

/** The document of a frame if it is a page that the daemon answered with 200; else null. */
function page_of(frame) {
    try {
        const [navigation] = frame.contentWindow.performance.getEntriesByType("navigation");
        const page = frame.contentDocument;
        return page?.body && page.URL !== "about:blank" && (navigation?.responseStatus ?? 200) === 200 ? page : null;
    } catch {
        return null; // the browser's own error page belongs to nobody
    }
}

async function loaded(stage, frame, url) {
    const load = new Promise((resolve) => frame.addEventListener("load", resolve, { once: true }));
    frame.src = url;
    stage.append(frame);
    await Promise.race([load, wait(LOAD_WITHIN_MS)]);
    const page = page_of(frame);
    if (!page || page.readyState !== "complete") return null;
    await Promise.race([page.fonts.ready, wait(FRESH_WITHIN_MS)]);
    return page;
}

/** Pages with live.js say on <html> that from now on changes come by themselves. */
async function fresh(page) {
    if (!page.querySelector('script[src*="/static/live.js"]')) return;
    const until_ms = performance.now() + FRESH_WITHIN_MS;
    while (!page.documentElement.dataset.live && performance.now() < until_ms) await wait(50);
}

function frame_make(title) {
    const frame = document.createElement("iframe");
    frame.className = "play-view";
    frame.title = title;
    frame.inert = true;
    return frame;
}

async function frame_end(frame) {
    const empty = new Promise((resolve) => frame.addEventListener("load", resolve, { once: true }));
    try {
        frame.contentWindow?.location.replace("about:blank"); // leaves nothing in the history
    } catch {
        frame.src = "about:blank";
    }
    await Promise.race([empty, wait(FADE_MS)]);
    frame.remove();
}

/** A stage in this element. */
export function stage_make(stage) {
    let shown = null;
    let next = null; // loading, or loaded and not shown yet
    let aborted = null;

    function drop() {
        aborted?.abort();
        aborted = null;
        if (next) frame_end(next);
        next = null;
    }

    /** Load a page out of sight. null: it can be shown; { stale } (another was wanted since), { away } or { word, status }. */
    async function prepare(url, title) {
        drop();
        const mine = (aborted = new AbortController());
        const wrong = await probe(url, mine.signal);
        if (mine.signal.aborted) return { stale: true };
        if (wrong) return wrong;
        const frame = (next = frame_make(title));
        const page = await loaded(stage, frame, url);
        if (page && !mine.signal.aborted) await fresh(page);
        if (mine.signal.aborted) return { stale: true };
        if (page) return null;
        drop();
        return { word: "slow" };
    }

    /** Bring what prepare() loaded to the front. */
    function show() {
        if (!next) return;
        const old = shown;
        shown = next;
        next = null;
        shown.inert = false;
        shown.classList.add("is-shown");
        // A view that knows no gestures would swallow them: then we look through a pane of glass.
        stage.classList.toggle("has-glass", !page_of(shown)?.documentElement.classList.contains("framed"));
        if (old) setTimeout(frame_end, FADE_MS, old);
    }

    function clear() {
        drop();
        if (shown) frame_end(shown);
        shown = null;
    }

    return { prepare, show, drop, clear };
}
