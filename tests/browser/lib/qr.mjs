// Reads a QR code from its path of one unit a module, as a phone does after it has found it: format, mask, bytes. Versions 1
// to 5 of one block; errors are not corrected, there should be none.

const MASKS = [
    (x, y) => (x + y) % 2 === 0,
    (x, y) => y % 2 === 0,
    (x) => x % 3 === 0,
    (x, y) => (x + y) % 3 === 0,
    (x, y) => (Math.floor(y / 2) + Math.floor(x / 3)) % 2 === 0,
    (x, y) => ((x * y) % 2) + ((x * y) % 3) === 0,
    (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2 === 0,
    (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2 === 0,
];
const FORMAT_XOR = 0b101010000010010;

function dark_modules(path) {
    const dark = new Set();
    let size = 0;
    for (const [, x, y, width] of path.matchAll(/M(\d+) (\d+)h(\d+)v1h-\3z/g)) {
        for (let i = 0; i < Number(width); i++) dark.add(`${Number(x) + i},${y}`);
        size = Math.max(size, Number(x) + Number(width));
    }
    return { size, is_dark: (x, y) => dark.has(`${x},${y}`) };
}

function is_function(x, y, size) {
    if (x === 6 || y === 6) return true;
    if ((x < 9 && y < 9) || (x >= size - 8 && y < 9) || (x < 9 && y >= size - 8)) return true;
    return size > 21 && Math.abs(x - (size - 7)) <= 2 && Math.abs(y - (size - 7)) <= 2;
}

function mask_of(is_dark) {
    let format = 0;
    for (const x of [0, 1, 2, 3, 4]) format = format * 2 + Number(is_dark(x, 8)); // level and mask, then their own correction
    return MASKS[(format ^ (FORMAT_XOR >> 10)) & 7];
}

function bits_of({ size, is_dark }) {
    const is_flipped = mask_of(is_dark);
    const bits = [];
    let upward = true;
    for (let right = size - 1; right > 0; right -= 2) {
        if (right === 6) right = 5;
        for (let step = 0; step < size; step++) {
            const y = upward ? size - 1 - step : step;
            for (const x of [right, right - 1]) {
                if (!is_function(x, y, size)) bits.push(Number(is_dark(x, y) !== is_flipped(x, y)));
            }
        }
        upward = !upward;
    }
    return bits;
}

/** The text of a code. */
export function qr_read(path) {
    const bits = bits_of(dark_modules(path));
    const number = (from, length) => parseInt(bits.slice(from, from + length).join(""), 2);
    if (number(0, 4) !== 4) throw new Error("not in bytes");
    const bytes = Array.from({ length: number(4, 8) }, (_, i) => number(12 + 8 * i, 8));
    return new TextDecoder().decode(new Uint8Array(bytes));
}
