// Every page that we ship: its address (one of them), the file that it is made of, and whether it fills the screen.
// pages.test.mjs fails when a file of views/ is in no row.

const ordinary = (route, view) => ({ route, view, screen: false });
const screen = (route, view) => ({ route, view, screen: true });

export const PAGES = [
    ordinary("/", "index.html"),
    ordinary("/raw_logs", "raw_logs.html"),
    ordinary("/summary", "summary.html"),
    ordinary("/details", "details/index.html"),
    ordinary("/details/miner/1", "details/miner/[id].html"),
    ordinary("/details/system", "details/system.html"),
    ordinary("/dashboards", "dashboards.html"),
    ordinary("/config", "config.html"),
    ...["pools", "addresses", "screens", "access", "backup", "about"].map((name) => ordinary(`/config#${name}`, "config.html")),
    ordinary("/config/miner/1", "config/miner/[id].html"),
    ordinary("/config/pool", "config/pool.html"),
    ordinary("/config/address", "config/address.html"),
    ordinary("/config/user", "config/user.html"),
    ordinary("/login", "login.html"),
    ordinary("/setup", "setup.html"),
    ordinary("/help/lua", "help/lua.html"),
    ordinary("/examples/rooms", "examples/rooms.html"),
    ordinary("/examples/leaderboard", "examples/leaderboard.html"),
    screen("/examples/wall", "examples/wall.html"),
    screen("/kiosk", "kiosk.html"),
    screen("/dash/health", "dash/health.html"),
    screen("/dash/matrix", "dash/matrix.html"),
    screen("/dash/nerdminer", "dash/nerdminer.html"),
    ...["miner", "clock", "global", "price", "grid"].map((name) =>
        screen(`/dash/nerdminer?screen=${name}`, "dash/nerdminer.html"),
    ),
    screen("/play", "play.html"),
];

/** The page is as it should be looked at: it hears the stream, its charts have their answer, a view plays. */
export function is_ready() {
    const root = document.documentElement;
    const charts = [...document.querySelectorAll("figure[data-chart] .chart-note")];
    const is_playing = !document.getElementById("play-stage") || document.querySelector(".play-view.is-shown") !== null;
    return root.dataset.live === "on" && charts.every((note) => note.textContent !== "") && is_playing;
}
