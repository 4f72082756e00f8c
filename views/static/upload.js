// Files that are larger than a request may be: sent in pieces, then the form that they belong to.
//
//   <form data-upload="backup" …>   with an <input type="file"> that is not sent itself, [data-upload-state] for how far it is,
//   [data-upload-about] for what the daemon found in it, [data-after-upload] for what is asked when it is there, a hidden field
//   "upload" for its name, [data-result] for what came of the form. data-words: the words, as JSON.
//
// POST /upload?id=ID&offset=N takes 48 KiB at once.

import { post } from "./forms.js";

const PIECE_BYTES = 48 * 1024;
const ID_BYTES = 16;

function words_of(form) {
    return JSON.parse(form.dataset.words ?? "{}");
}

function id_make() {
    return [...crypto.getRandomValues(new Uint8Array(ID_BYTES))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

// ---- how far it is --------------------------------------------------------------------------------

function state_show(form, part, text) {
    const state = form.querySelector("[data-upload-state]");
    state.hidden = false;
    state.querySelector("progress").value = part;
    state.querySelector("span").textContent = text;
}

function percent(part) {
    return new Intl.NumberFormat(document.documentElement.lang, { style: "percent" }).format(part);
}

// ---- sending --------------------------------------------------------------------------------------

async function piece_send(id, offset, piece) {
    const query = new URLSearchParams({ id, offset: String(offset) });
    return post(`/upload?${query}`, piece);
}

/** The id of what lies at the daemon now; null: it did not work, and the form says why. */
async function file_send(form, file, words, is_current) {
    const id = id_make();
    for (let offset = 0; offset < file.size && is_current(); offset += PIECE_BYTES) {
        const answer = await piece_send(id, offset, file.slice(offset, offset + PIECE_BYTES));
        if (!answer.success) {
            state_show(form, offset / file.size, words.failed.replace("{why}", answer.message));
            return null;
        }
        const part = Math.min(1, (offset + PIECE_BYTES) / file.size);
        state_show(form, part, words.sending.replace("{percent}", percent(part)));
    }
    return is_current() ? id : null;
}

// ---- what was found in it -------------------------------------------------------------------------

function row(label, text) {
    const box = document.createElement("div");
    for (const [tag, value] of [["dt", label], ["dd", text]]) {
        const cell = document.createElement(tag);
        cell.textContent = value;
        box.append(cell);
    }
    return box;
}

function value_text(value, words) {
    if (typeof value === "boolean") return value ? words.yes : words.no;
    if (typeof value === "number") return new Intl.NumberFormat(document.documentElement.lang).format(value);
    return String(value);
}

function date_text(ms) {
    return new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" }).format(ms);
}

const ABOUT = ["version", "made_at_ms", "miners", "views", "with_logs", "config_file", "users", "tokens"];
const ABOUT_WORDS = { made_at_ms: "made", with_logs: "logs", config_file: "config" };

/** An archive of somebody else's making may let somebody else in: who, not only how many. */
function users_text(about, words) {
    const names = (about.user_list ?? []).map((user) => `${user.name} (${user.role})`);
    const more = about.users > names.length ? ["…"] : [];
    return [value_text(about.users, words), [...names, ...more].join(", ")].filter((part) => part !== "").join(": ");
}

function about_text(key, about, words) {
    if (key === "made_at_ms") return date_text(about[key]);
    return key === "users" ? users_text(about, words) : value_text(about[key], words);
}

function about_show(form, about, words) {
    const list = form.querySelector("[data-upload-about]");
    const rows = ABOUT.filter((key) => about[key] !== undefined && about[key] !== null).map((key) =>
        row(words[ABOUT_WORDS[key] ?? key] ?? key, about_text(key, about, words)),
    );
    list.replaceChildren(...rows);
    list.hidden = false;
}

async function backup_check(form, id, words) {
    state_show(form, 1, words.checking);
    const answer = await post("/restore/check", new URLSearchParams({ upload: id }));
    if (!answer.success) {
        state_show(form, 1, answer.message);
        return false;
    }
    state_show(form, 1, words.good);
    about_show(form, answer.about ?? {}, words);
    return true;
}

async function file_chosen(form, file, round) {
    const words = words_of(form);
    const after = form.querySelector("[data-after-upload]");
    const is_current = () => form.upload_round === round;
    after.hidden = true;
    const id = await file_send(form, file, words, is_current);
    if (!id || (form.dataset.upload === "backup" && !(await backup_check(form, id, words))) || !is_current()) return;
    form.elements.namedItem("upload").value = id;
    after.hidden = false;
    after.querySelector("input:not([type=hidden]), button")?.focus();
}

// ---- what came of an import -----------------------------------------------------------------------

const OUTCOMES = ["added", "updated", "same", "left_out"];

function counts_text(counts, words) {
    const parts = OUTCOMES.filter((key) => counts[key] > 0).map((key) => `${value_text(counts[key], words)} ${words[key]}`);
    return parts.join(", ") || "–";
}

function import_show(box, counts, words) {
    const list = document.createElement("dl");
    list.className = "facts";
    for (const [kind, value] of Object.entries(counts)) {
        if (value && typeof value === "object" && !Array.isArray(value)) list.append(row(words[kind] ?? kind, counts_text(value, words)));
    }
    const notes = document.createElement("ul");
    notes.className = "import-notes";
    for (const note of counts.notes ?? []) {
        const item = document.createElement("li");
        item.textContent = note;
        notes.append(item);
    }
    box.replaceChildren(list, ...(notes.childElementCount > 0 ? [notes] : []));
    box.hidden = false;
}

/** As it was before a file was chosen. */
function upload_reset(form) {
    form.upload_round = (form.upload_round ?? 0) + 1;
    for (const selector of ["[data-upload-state]", "[data-upload-about]", "[data-after-upload]"]) {
        const part = form.querySelector(selector);
        if (part) part.hidden = true;
    }
}

// ---- start ----------------------------------------------------------------------------------------

function form_start(form) {
    form.querySelector("input[type=file]").addEventListener("change", (event) => {
        upload_reset(form);
        const [file] = event.target.files;
        if (file) file_chosen(form, file, form.upload_round);
    });
    form.addEventListener("reset", () => upload_reset(form));
    form.addEventListener("shepherd:sent", ({ detail }) => {
        const box = form.querySelector("[data-result]");
        if (box && detail.success) import_show(box, detail.counts ?? {}, words_of(form));
    });
}

export function upload_start(root) {
    for (const form of root.querySelectorAll("form[data-upload]")) form_start(form);
}
