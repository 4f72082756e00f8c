// The night of /play: one pane over the page takes light away, and the picture moves against burn-in.
//
// A grey night is black glass. A red one is a colour that multiplies what is below: both are done by
// the compositor, and only where something is drawn anyway. Measured over /dash/matrix in software: the
// page itself pays for neither; the GPU process takes 5 % of a core by day, 6 % with black glass, 9 % with
// a colour that multiplies, 15 % with a CSS filter on the stage instead.

import { clock_now } from "./clock.js";
import { night_darkness, night_light, night_parse, shift_at } from "./play_plan.js";

const STEP_MS = 10_000; // at dusk less than 1 % of the light goes in that time
const MINUTE = 60_000;

function percent(part) {
    return `${Math.round(part * 1000) / 10}%`;
}

/** settings(): { dim, dim_level, red, latitude, longitude, shift, timezone }; is_lifted(): no night now. */
export function night_start({ pane, moved, settings, is_lifted }) {
    let painted = "";

    function paint(light) {
        const text = JSON.stringify(light);
        if (text === painted) return;
        painted = text;
        const is_grey = light.red === light.blue;
        pane.hidden = light.red === 1 && is_grey;
        pane.classList.toggle("is-red", !is_grey);
        pane.style.opacity = is_grey ? 1 - light.red : 1;
        pane.style.background = is_grey ? "#000" : `rgb(${[light.red, light.green, light.blue].map(percent).join(" ")})`;
    }

    function move({ shift }) {
        const { x, y } = shift ? shift_at(Math.floor(clock_now() / MINUTE)) : { x: 0, y: 0 };
        const place = x || y ? `translate(${x}px, ${y}px)` : "";
        for (const element of moved) {
            element.classList.toggle("is-shifting", shift);
            if (element.style.transform !== place) element.style.transform = place;
        }
    }

    function look() {
        const now = settings();
        const darkness = is_lifted() ? 0 : night_darkness(night_parse(now.dim), clock_now(), now);
        paint(night_light(darkness, { level: now.dim_level, red: now.red }));
        move(now);
    }

    look();
    setInterval(look, STEP_MS);
    return look;
}
