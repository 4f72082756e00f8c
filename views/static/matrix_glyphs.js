// The glyphs of the digital stream, drawn once into an atlas: a picture with every glyph in every
// colour and brightness, from which the rain copies cells.
//
// ASCII is JetBrains Mono, which we ship. No font of ours has katakana, and a display need not have
// one either: these we draw ourselves, as strokes on a field of 8 × 10, mirrored as in the film.

const KATAKANA_FIELD = { width: 8, height: 10 };
const KATAKANA = [
    "M1 2H7L5 5M4 4Q4 7 2 9", // a
    "M6 1Q4 4 1 5.5M4.2 4V9", // i
    "M4 .8V2.4M1.2 5V2.6H6.8Q6.8 7 3 9.2", // u
    "M1.4 2.4H6.6M4 2.4V8M.8 8H7.2", // e
    "M1 3.4H7M5 1V9L3.8 8.4M4.8 3.8Q3.6 6.4 1 8", // o
    "M1 3.4H6.6Q6.6 8 5.6 9L4.4 8.4M3.6 1Q3.6 6.4 1 9", // ka
    "M1.6 3 6.2 2.2M1 5.8 7 4.8M3.4 .8 4.8 9.2", // ki
    "M3.4 1Q3 3.4 1 5M3 2.6H6.6Q6 7 2 9.2", // ku
    "M2.8 1Q2.6 3.6 1 5.4M2.4 3.2H7M5 3.2Q5 7 2.4 9.2", // ke
    "M1.2 2H6.6V8.4M1 8.4H6.8", // ko
    "M.8 3.4H7.2M2.6 1V6M5.4 1V4.6Q5.4 7.6 3 9.2", // sa
    "M1.6 1.6 3.4 2.8M1 4.2 2.8 5.4M1.4 8.8Q5.4 7.6 6.8 2.8", // shi
    "M1.2 2.2H6.2Q5 6.4 1 9M4.4 5.8 7 8.8", // su
    "M.8 4.4 7 3.4 5.4 6M2.8 1.2V7.6Q2.8 8.6 4 8.6H6.8", // se
    "M1.4 1.8 2.8 4.6M6.6 1.8Q6.2 6.6 2.4 9", // so
    "M3.2 1Q2.8 3.4 1 5M2.8 2.6H6.6Q6 7 2 9.2M2.6 4.6 5.6 6.8", // ta
    "M6.2 1.4Q4 2.4 1.6 2.4M.8 4.8H7.2M4.2 2.2V5Q4.2 8 1.8 9.2", // chi
    "M1.2 2.6 2 4.8M3.6 2 4.4 4.2M6.8 2.2Q6.4 7 2.6 9", // tsu
    "M2 1.8H6M.8 4.4H7.2M4.2 4.4Q4.2 7.8 2 9.2", // te
    "M2.8 1V9.2M2.8 4 6.2 6", // to
    "M.8 3.6H7.2M4.2 1V4.4Q4.2 8 1.8 9.2", // na
    "M2 2.6H6M.8 7.8H7.2", // ni
    "M1.4 2H6.2Q5.4 6.6 1 9M2.6 4.6 6.4 8", // nu
    "M4 .8V2.2M1.2 2.8H6.4Q4.6 5.6.8 7.4M4 5V9.2M5 5.4 7 7", // ne
    "M6.4 1.4Q5.6 6.6 1.2 8.8", // no
    "M2.8 2.4Q2.6 5.8.8 8.4M5 2.4Q6.2 5 7.2 8.4", // ha
    "M1.8 1.2V7.4Q1.8 8.4 3 8.4H6.8M1.8 4.6Q4.6 4.4 6.4 3", // hi
    "M1.2 2H6.8Q6.4 7 2 9.2", // fu
    "M.8 5.8 3 3.2 7.2 7.6", // he
    "M.8 3.2H7.2M4 1V9.2L3 8.6M2.2 5Q2 6.8.8 8M5.8 5Q6 6.6 7.2 8", // ho
    "M1 2H7Q6 4.4 4.2 6.4M2.6 4.6 5 7.8", // ma
    "M2 1.6 6 2.8M2 4.4 5.8 5.6M1.4 7.4 6.4 9", // mi
    "M3.6 1.2Q2.8 5 1.4 8.4L6.4 7.4M5 5 7.2 9.2", // mu
    "M6.4 1.2Q5.4 6.4 1 9M2.2 3.4 6.6 7.4", // me
    "M1.8 2H6.2M1 4.8H7M3.6 2V7.6Q3.6 8.6 4.8 8.6H6.8", // mo
    "M.8 3.8 7 2.6 5.4 5.2M2.4 1.2 4.2 9.2", // ya
    "M1.8 2.6H5.8L5.2 7.8M.8 8H7.2", // yu
    "M1.4 2H6.4V8.8M1.8 5.2H6.4M1.2 8.4H6.4", // yo
    "M1.8 1.6H6.2M1 4H6.8Q6.4 7.6 2.4 9.2", // ra
    "M2 1.2V6M6 1.2V5Q6 7.8 3 9.2", // ri
    "M2.4 1.8V5Q2.4 7.4.8 9M5 1.4V8.4Q6.6 7.4 7.4 5.4", // ru
    "M2 1.4V8.6Q5.6 7.6 7 4.4", // re
    "M1.4 2.2H6.6V8.4H1.4Z", // ro
    "M1.2 5V2.2H6.8Q6.8 7 3 9.2", // wa
    "M1.4 2 3.4 3.4M1.4 8.8Q5.6 7.6 7 3.2", // n
];
const ASCII_FIRST = 32;
const ASCII_COUNT = 95;
export const GLYPHS = ASCII_COUNT + KATAKANA.length;
export const BLANK = 0; // the space

/** The glyph of a letter; for what is neither ASCII nor a sign, one of the katakana. */
export function glyph_of(code_point) {
    if (code_point >= ASCII_FIRST && code_point < ASCII_FIRST + ASCII_COUNT) return code_point - ASCII_FIRST;
    if (code_point < ASCII_FIRST) return BLANK;
    return ASCII_COUNT + (code_point % KATAKANA.length);
}

const RAIN_SIGNS = [..."0123456789ABCDEFGHJKLMNPQRSTUVXYZ:=*+<>"].map((c) => glyph_of(c.codePointAt(0)));

/** A glyph of the rain: mostly katakana, now and then a digit or a letter. */
export function glyph_random() {
    if (Math.random() < 0.68) return ASCII_COUNT + Math.floor(Math.random() * KATAKANA.length);
    return RAIN_SIGNS[Math.floor(Math.random() * RAIN_SIGNS.length)];
}

// ---- colours ------------------------------------------------------------------------------------

/** Each colour with its brightnesses: the first is that of the foremost glyph, the last is nearly gone. */
export const LEVELS = 6;
const COLOURS = {
    rain: [[206, 255, 218], [34, 222, 92], [24, 170, 70], [16, 122, 50], [10, 78, 33], [6, 42, 19]],
    online: [[255, 255, 255], [94, 255, 146], [70, 232, 120], [44, 180, 88], [24, 112, 54], [10, 54, 26]],
    idle: [[255, 255, 255], [241, 212, 91], [214, 186, 74], [166, 143, 54], [104, 89, 34], [50, 43, 18]],
    silent: [[255, 255, 255], [255, 149, 88], [226, 128, 72], [176, 98, 54], [110, 62, 34], [54, 31, 18]],
    resetting: [[255, 255, 255], [138, 184, 255], [112, 154, 222], [84, 117, 172], [53, 74, 109], [27, 37, 54]],
    offline: [[255, 255, 255], [255, 122, 118], [222, 100, 96], [172, 76, 74], [108, 48, 47], [54, 25, 25]],
    hash: [[255, 255, 255], [196, 255, 244], [150, 240, 222], [104, 190, 174], [60, 122, 110], [28, 60, 54]],
    job: [[255, 255, 255], [92, 207, 230], [74, 176, 198], [55, 134, 152], [34, 84, 96], [17, 42, 48]],
    gold: [[255, 255, 255], [255, 190, 60], [236, 166, 44], [186, 128, 34], [118, 80, 22], [58, 40, 12]],
};
const NAMES = Object.keys(COLOURS);

/** The number of a colour. */
export function colour_of(name) {
    return Math.max(0, NAMES.indexOf(name));
}

// ---- the atlas ----------------------------------------------------------------------------------

function draw_glyph(context, glyph, paths, cell) {
    if (glyph < ASCII_COUNT) {
        context.fillText(String.fromCharCode(ASCII_FIRST + glyph), cell.width / 2, cell.height * 0.53);
        return;
    }
    const scale = Math.min(cell.width / (KATAKANA_FIELD.width + 1), cell.height / (KATAKANA_FIELD.height + 1.5));
    context.save();
    context.translate(cell.width / 2, cell.height / 2);
    context.scale(-scale, scale);
    context.translate(-KATAKANA_FIELD.width / 2, -KATAKANA_FIELD.height / 2);
    context.lineWidth = 1.15;
    context.stroke(paths[glyph - ASCII_COUNT]);
    context.restore();
}

function draw_row(context, row, paths, cell) {
    const [red, green, blue] = COLOURS[NAMES[Math.floor(row / LEVELS)]][row % LEVELS];
    context.fillStyle = context.strokeStyle = `rgb(${red} ${green} ${blue})`;
    for (let glyph = 0; glyph < GLYPHS; glyph++) {
        context.save();
        context.translate(glyph * cell.width, row * cell.height);
        context.beginPath();
        context.rect(0, 0, cell.width, cell.height);
        context.clip();
        draw_glyph(context, glyph, paths, cell);
        context.restore();
    }
}

/**
 * Every glyph in every colour, on black: column = glyph, row = colour · LEVELS + level.
 * cell: { width, height } in pixels of the canvas.
 */
export function atlas_make(cell) {
    const atlas = document.createElement("canvas");
    atlas.width = GLYPHS * cell.width;
    atlas.height = NAMES.length * LEVELS * cell.height;
    const context = atlas.getContext("2d", { alpha: false });
    context.font = `500 ${Math.round(cell.height * 0.94)}px "JetBrains Mono Variable", monospace`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineCap = "round";
    context.lineJoin = "round";
    const paths = KATAKANA.map((d) => new Path2D(d));
    for (let row = 0; row < NAMES.length * LEVELS; row++) draw_row(context, row, paths, cell);
    return atlas;
}
