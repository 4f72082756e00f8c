// The rain of the digital stream, on one canvas, in a worker (matrix_worker.js). What is drawn is only what moved: a drop that goes one
// cell further draws its foremost glyph and the few cells of its tail that change their brightness.
// Nothing is painted over the whole canvas, and nothing is allocated while it rains.
//
// Memory is bounded: two drops a column (one begins at the top while the tail of the other leaves at
// the bottom), at most COLUMNS_MOST columns and ROWS_MOST rows.

import { BLANK, LEVELS, colour_of, glyph_of, glyph_random } from "./matrix_glyphs.js";

const COLUMNS_MOST = 240;
const ROWS_MOST = 120;
const TEXTS_MOST = 48; // waiting for a free column; the oldest go
const FRAME_MS = 1000 / 30;
const STEP_MOST_MS = 200; // after a pause the rain goes on, it does not catch up
const FADES = [0, 0.07, 0.22, 0.45, 0.7, 1]; // where in a tail each brightness begins
const TEXT_FADES = [0, 0.02, 0.55, 0.72, 0.86, 1]; // words stay readable longer
const TEXTS_PART = 0.35; // of what falls may be words: the rest is rain
const FLICKERS = 6; // glyphs of the rain that change, a frame
const SPAWN_MS = 500; // how soon missing rain comes
const FADE_IN_MS = 160; // a step of a new line's slow fade, when motion is reduced
const NEW_LINE_MS = 2500;

const RAIN = colour_of("rain");
const HASH = colour_of("hash");
const GOLD = colour_of("gold");
const HEX = /[0-9a-f]{16,}/gi;

function make_drop() {
    return { on: false, head: 0, row: -1, speed: 10, length: 12, colour: RAIN, text: null, top: 0, fades: FADES };
}

/** Which letters of a line are those of a hash: they have a colour of their own. */
function hex_spans(text) {
    return [...text.matchAll(HEX)].map((match) => [match.index, match.index + match[0].length]);
}

export class Rain {
    constructor(canvas) {
        this.canvas = canvas;
        this.context = canvas.getContext("2d", { alpha: false });
        this.drops = Array.from({ length: 2 * COLUMNS_MOST }, make_drop); // column c has c and c + COLUMNS_MOST
        this.atlas = null;
        this.glyphs = new Uint8Array(COLUMNS_MOST * ROWS_MOST);
        this.colours = new Uint8Array(COLUMNS_MOST * ROWS_MOST);
        this.texts = [];
        this.density = 0.2;
        this.golden = false;
        this.still = false;
        this.timer = 0;
        this.request = 0;
        this.last_ms = 0;
    }

    // ---- size -----------------------------------------------------------------------------------

    /** The canvas has width × height pixels, a cell is one of this atlas; the rain begins anew. */
    fit({ width, height, cell, atlas }) {
        this.atlas?.close();
        this.atlas = atlas;
        this.cell = cell;
        this.canvas.width = width;
        this.canvas.height = height;
        this.columns = Math.min(COLUMNS_MOST, Math.ceil(width / cell.width));
        this.rows = Math.min(ROWS_MOST, Math.ceil(height / cell.height));
        this.begin();
    }

    /** Where a column stands on the page: { left, width } as parts of the canvas' width. */
    place(column) {
        return { left: (column * this.cell.width) / this.canvas.width, width: this.cell.width / this.canvas.width };
    }

    // ---- what falls -----------------------------------------------------------------------------

    /** A line of a miner, or what happened: falls as soon as a column is free. */
    say(text, colour_name) {
        this.texts.push({ text, colour: colour_of(colour_name) });
        if (this.texts.length > TEXTS_MOST) this.texts.shift();
    }

    /** A text that does not wait: takes a column at once. Which one is returned. */
    say_now(text, colour_name) {
        const colour = colour_of(colour_name);
        const column = this.free_column() ?? Math.floor(Math.random() * this.columns);
        if (this.still) this.write_still(column, text, colour);
        else this.start_text(column, text, colour);
        return column;
    }

    /** All that falls from now on is golden, or no longer. */
    gild(golden) {
        this.golden = golden;
    }

    /** The drop of a column that may begin now; null while the top is taken. */
    free_drop(column) {
        const [first, second] = [this.drops[column], this.drops[column + COLUMNS_MOST]];
        const free = first.on ? second : first;
        const other = first.on ? first : second;
        if (free.on || (other.on && other.row - other.length < 2)) return null;
        free.speed_most = other.on ? other.speed : Infinity; // or its head would run into the other's tail
        return free;
    }

    free_column() {
        const from = Math.floor(Math.random() * this.columns);
        for (let i = 0; i < this.columns; i++) {
            const column = (from + i) % this.columns;
            if (this.free_drop(column)) return column;
        }
        return null;
    }

    start(drop, top, speed, length) {
        Object.assign(drop, { on: true, top, head: top - 1, row: top - 1, length, hex: null });
        drop.speed = Math.min(drop.speed_most, speed);
    }

    start_text(column, text, colour) {
        let drop = this.free_drop(column);
        if (!drop) {
            this.clear_column(column);
            drop = this.free_drop(column);
        }
        const letters = text.slice(0, this.rows);
        const room = Math.max(0, Math.min(this.rows - letters.length, this.rows / 2));
        const top = drop.speed_most < Infinity ? 0 : Math.floor(Math.random() * room);
        this.start(drop, top, 14 + Math.random() * 8, letters.length + 8);
        Object.assign(drop, { text: letters, hex: hex_spans(letters), colour, fades: TEXT_FADES });
    }

    start_rain(column) {
        const drop = this.free_drop(column);
        if (!drop) return;
        this.start(drop, 0, 7 + Math.random() * 13, Math.round(this.rows * (0.3 + Math.random() * 0.5)));
        Object.assign(drop, { text: null, colour: this.golden ? GOLD : RAIN, fades: FADES });
    }

    // ---- cells ----------------------------------------------------------------------------------

    paint(column, row, level) {
        if (row < 0 || row >= this.rows) return;
        const { width, height } = this.cell;
        const at = column * ROWS_MOST + row;
        const glyph = level < LEVELS ? this.glyphs[at] : BLANK;
        const source_row = this.colours[at] * LEVELS + Math.min(level, LEVELS - 1);
        this.context.drawImage(
            this.atlas, glyph * width, source_row * height, width, height, column * width, row * height, width, height,
        );
    }

    clear_column(column) {
        for (const at of [column, column + COLUMNS_MOST]) this.drops[at].on = false;
        this.context.fillStyle = "#000";
        this.context.fillRect(column * this.cell.width, 0, this.cell.width, this.canvas.height);
    }

    set_glyph(drop, column, row) {
        const at = column * ROWS_MOST + row;
        this.colours[at] = drop.colour;
        if (!drop.text) {
            this.glyphs[at] = glyph_random();
        } else if (row - drop.top < drop.text.length) {
            const letter = row - drop.top;
            this.glyphs[at] = glyph_of(drop.text.charCodeAt(letter));
            if (drop.hex.some(([from, to]) => letter >= from && letter < to)) this.colours[at] = HASH;
        } else {
            this.glyphs[at] = BLANK;
        }
    }

    /** One cell further down: the new head, and each cell of the tail that gets darker now. */
    advance(drop, column) {
        drop.row += 1;
        if (drop.row < this.rows) this.set_glyph(drop, column, drop.row);
        for (let level = 0; level < LEVELS; level++) {
            this.paint(column, drop.row - Math.round(drop.fades[level] * drop.length), level);
        }
        const end = drop.row - drop.length - 1;
        this.paint(column, end, LEVELS);
        if (end >= this.rows) drop.on = false;
    }

    // ---- time -----------------------------------------------------------------------------------

    step(passed_ms) {
        for (let i = 0; i < this.drops.length; i++) {
            const drop = this.drops[i];
            if (!drop.on) continue;
            drop.head += (drop.speed * passed_ms) / 1000;
            while (drop.on && drop.row < Math.floor(drop.head)) this.advance(drop, i % COLUMNS_MOST);
        }
        this.flicker();
        this.spawn(passed_ms);
    }

    flicker() {
        for (let i = 0; i < FLICKERS; i++) {
            const column = Math.floor(Math.random() * this.columns);
            const drop = this.drops[column];
            const back = Math.floor(Math.random() * drop.length);
            const row = drop.row - back;
            if (!drop.on || drop.text || row < 0 || row >= this.rows) continue;
            this.glyphs[column * ROWS_MOST + row] = glyph_random();
            let level = 0;
            while (level + 1 < LEVELS && back >= Math.round(drop.fades[level + 1] * drop.length)) level++;
            this.paint(column, row, level);
        }
    }

    /** Words first; then rain, until as many columns rain as the density says. */
    spawn(passed_ms) {
        let falling = 0; // heads in sight
        let speaking = 0;
        for (const drop of this.drops) {
            if (!drop.on || drop.row >= this.rows) continue;
            falling++;
            if (drop.text) speaking++;
        }
        if (this.texts.length > 0 && speaking < this.columns * this.density * TEXTS_PART) {
            const column = this.free_column();
            if (column !== null) {
                const { text, colour } = this.texts.shift();
                this.start_text(column, text, this.golden ? GOLD : colour);
            }
        }
        const missing = this.density * this.columns - falling;
        const likely = missing * Math.min(1, passed_ms / SPAWN_MS);
        for (let i = 0; i < likely; i++) {
            if (Math.random() < likely - i) this.start_rain(Math.floor(Math.random() * this.columns));
        }
    }

    // ---- running --------------------------------------------------------------------------------

    /** Rain, or stand still: when motion is unwelcome. Begins again after pause(). */
    run(still) {
        this.pause();
        this.still = still;
        if (!this.atlas) return;
        if (still) this.begin();
        this.last_ms = performance.now();
        if (still) this.timer = setInterval(() => this.new_line(), NEW_LINE_MS);
        else this.next_frame();
    }

    pause() {
        clearTimeout(this.timer);
        clearInterval(this.timer);
        cancelAnimationFrame(this.request);
    }

    // Not simply requestAnimationFrame again: displays do 60 or 144, and each one asked for costs.
    next_frame() {
        const wait_ms = Math.max(0, FRAME_MS - (performance.now() - this.last_ms) - 4);
        this.timer = setTimeout(() => {
            this.request = requestAnimationFrame(() => {
                const now_ms = performance.now(); // the frame's own time may be a frame late already
                this.step(Math.min(STEP_MOST_MS, now_ms - this.last_ms));
                this.last_ms = now_ms;
                this.next_frame();
            });
        }, wait_ms);
    }

    // ---- a picture that stands --------------------------------------------------------------------

    /** The first picture: as if it had rained for a while. */
    begin() {
        this.context.fillStyle = "#000";
        this.context.fillRect(0, 0, this.canvas.width, this.canvas.height);
        for (const drop of this.drops) drop.on = false;
        for (let column = 0; column < this.columns; column++) {
            if (Math.random() > this.density) continue;
            this.start_rain(column);
            const drop = this.drops[column];
            drop.head = Math.floor(Math.random() * (this.rows + drop.length));
            while (drop.on && drop.row < drop.head) this.advance(drop, column);
        }
    }

    new_line() {
        const next = this.texts.shift();
        if (next) this.write_still(Math.floor(Math.random() * this.columns), next.text, next.colour);
    }

    /** A text comes up in its column, from dark to bright, and stays. */
    write_still(column, text, colour) {
        this.clear_column(column);
        const drop = Object.assign(this.drops[column], {
            on: false, text: text.slice(0, this.rows), top: 0, hex: hex_spans(text), colour,
        });
        for (let row = 0; row < drop.text.length; row++) this.set_glyph(drop, column, row);
        for (let level = LEVELS - 1; level > 0; level--) {
            setTimeout(() => {
                for (let row = 0; row < drop.text.length; row++) this.paint(column, row, level);
            }, (LEVELS - 1 - level) * FADE_IN_MS);
        }
    }
}
