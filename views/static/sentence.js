// What the daemon says to people, in the language of the page. It answers in English; the sentences that are met most are in
// data-sentences of #toasts, by lua/sentence.lua: [["It is '%s'.", "Es ist „%s“."], …]. Any other one stays English.

const TEXT_MAX = 512; // characters; a longer one is no sentence of ours

function pattern(text) {
    const pieces = text.split("%s").map((piece) => piece.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
    return new RegExp(`^${pieces.join("(.*?)")}$`, "s");
}

const known = JSON.parse(document.getElementById("toasts")?.dataset.sentences ?? "[]").map(([text, words]) => ({ is: pattern(text), words }));

/** A sentence of the daemon in the language of the page. */
export function say(text) {
    if (text.length > TEXT_MAX) return text;
    for (const { is, words } of known) {
        const found = text.match(is);
        if (!found) continue;
        const parts = found.slice(1).map(say); // "character 21"
        return words.replace(/%s/g, () => parts.shift() ?? "");
    }
    return text;
}
