// The worker in which it rains: the page itself stays free for figures and clock. It is told
//   { kind: "begin", canvas }                       once
//   { kind: "fit", width, height, cell, atlas }     the size, and the glyphs as an ImageBitmap
//   { kind: "run", still } · { kind: "pause" }
//   { kind: "density", density } · { kind: "gild", golden }
//   { kind: "say", text, colour }                   a line: falls when a column is free
//   { kind: "now", text, colour, flash }            falls at once; answered with { left, width, flash }

import { Rain } from "./matrix_rain.js";

let rain = null;

function fall_now({ text, colour, flash }) {
    if (!rain.atlas) return;
    const column = rain.say_now(text, colour);
    if (flash) postMessage({ ...rain.place(column), flash });
}

const TASKS = {
    begin: ({ canvas }) => (rain = new Rain(canvas)),
    fit: (message) => rain.fit(message),
    run: ({ still }) => rain.run(still),
    pause: () => rain.pause(),
    density: ({ density }) => (rain.density = density),
    gild: ({ golden }) => rain.gild(golden),
    say: ({ text, colour }) => rain.say(text, colour),
    now: fall_now,
};

addEventListener("message", ({ data }) => TASKS[data.kind](data));
