// Sends forms without a reload, and says what came of it.
//
//   <form method="post" action="/pools/add" data-form>   sent by fetch, with the CSRF token of the cookie shepherd_csrf
//     data-next="/config#pools"   where to go when it worked; a dialog closes instead
//     data-slow="text"            shown while the answer takes long
//   <a href="/config/pool" data-dialog>   its <article data-sheet> is shown in the page's dialog
//   data-must-be="text" on a field: this has to be typed
//   data-skip-empty on a field: when it is empty, what is there stays
//
// The answer is {"success", "message", "field"}: what is wrong is shown at its field (or below the form), and in a toast; what
// worked in a toast; an "url" in it is a file to save. `shepherd:sent` (detail: the answer) is the event on the form. A flash message (cookie shepherd_flash,
// "ok:text" or "error:text", URL-encoded) is a toast too. Without script, forms post and links open pages.

import { clock_tick } from "./clock.js";
import { say } from "./sentence.js";

const TOAST_MS = 6000;
const ERROR_TOAST_MS = 12000;
const TOASTS_MAX = 4;
const ANSWER_WITHIN_MS = 90_000; // a board boots, a backup is packed

const words = document.documentElement.dataset;

// ---- cookies --------------------------------------------------------------------------------------

function cookie(name) {
    const start = `${name}=`;
    const found = document.cookie.split("; ").find((each) => each.startsWith(start));
    return found ? found.slice(start.length) : null;
}

/** The token that shows that a page of ours sends this. */
function csrf_headers() {
    const token = cookie("shepherd_csrf");
    return token ? { "X-Shepherd-CSRF": token } : {};
}

function flash_take() {
    const text = cookie("shepherd_flash");
    if (text === null) return;
    document.cookie = "shepherd_flash=; Path=/; Max-Age=0; SameSite=Strict";
    let message;
    try {
        message = decodeURIComponent(text.replaceAll("+", " "));
    } catch {
        return; // not ours
    }
    const [, kind, words] = message.match(/^(ok|error):(.*)$/s) ?? [null, "ok", message];
    toast(say(words), kind === "error");
}

// ---- toasts ---------------------------------------------------------------------------------------

/** A line that goes by itself. Errors stay longer; a click takes it away. */
export function toast(text, is_error = false) {
    const list = document.getElementById("toasts");
    if (!list || !text) return;
    const item = document.createElement("p");
    item.className = is_error ? "toast is-error" : "toast";
    item.textContent = text;
    item.addEventListener("click", () => item.remove());
    // What is shown above a modal dialog has to come to the top again. Before the text comes: a live region that is
    // not shown says nothing.
    if (list.showPopover) {
        if (list.matches(":popover-open")) list.hidePopover();
        list.showPopover();
    }
    list.append(item);
    while (list.childElementCount > TOASTS_MAX) list.firstElementChild.remove();
    setTimeout(() => toast_end(list, item), is_error ? ERROR_TOAST_MS : TOAST_MS);
}

function toast_end(list, item) {
    item.remove();
    if (!list.firstElementChild && list.matches(":popover-open")) list.hidePopover();
}

// ---- what is wrong, at its place ------------------------------------------------------------------

function error_clear(form) {
    for (const line of form.querySelectorAll(".field-error")) line.hidden = true;
    for (const field of form.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
}

/** The line for what is wrong with the form as a whole. */
function form_error_line(form) {
    let line = form.querySelector(":scope > .form-error");
    if (!line) {
        line = document.createElement("p");
        line.className = "field-error form-error";
        line.setAttribute("role", "alert");
        form.append(line);
    }
    return line;
}

function field_of(form, name) {
    const field = form.elements.namedItem(name ?? "");
    return field instanceof HTMLElement && field.type !== "hidden" ? field : null;
}

function error_show(form, message, name) {
    const field = field_of(form, name);
    const line = (field?.id && document.getElementById(`${field.id}-error`)) || form_error_line(form);
    line.textContent = message;
    line.hidden = false;
    if (!field) return;
    field.setAttribute("aria-invalid", "true");
    field.focus();
}

// ---- sending --------------------------------------------------------------------------------------

function is_multipart(form) {
    return form.enctype === "multipart/form-data";
}

function body_of(form, submitter) {
    const data = new FormData(form, submitter?.name ? submitter : undefined);
    if (is_multipart(form)) return data;
    const body = new URLSearchParams();
    for (const [name, value] of data) {
        const stays = value === "" && form.elements.namedItem(name)?.dataset?.skipEmpty !== undefined;
        if (typeof value === "string" && !stays) body.append(name, value);
    }
    return body;
}

/** The name of the field that the answer is about: it says it, or its words begin with it ("pool_port must be …"). */
function field_in(answer) {
    return answer?.field ?? answer?.message?.match(/^\w+(?=[: ])/)?.[0];
}

/** { success, message (in the language of the page), field, … }, whatever happens. */
export async function post(url, body, signal = AbortSignal.timeout(ANSWER_WITHIN_MS)) {
    let reply;
    try {
        reply = await fetch(url, {
            method: "POST",
            headers: { Accept: "application/json", ...csrf_headers() },
            body,
            signal,
        });
    } catch {
        return { success: false, status: 0, message: words.noAnswer ?? "no answer" };
    }
    const answer = await reply.json().catch(() => null);
    const success = Boolean(answer?.success ?? reply.ok) && reply.ok;
    const message = answer?.message ? say(answer.message) : `${reply.status} ${reply.statusText}`;
    return { ...answer, status: reply.status, success, message, field: field_in(answer) };
}

function set_busy(form, is_busy) {
    form.toggleAttribute("data-busy", is_busy);
    form.setAttribute("aria-busy", String(is_busy));
    // Not disabled: then the focus would be lost. send() sees to it that nothing is sent twice.
    for (const button of form.querySelectorAll("button")) button.setAttribute("aria-disabled", String(is_busy));
    const note = form.dataset.slow;
    if (!note) return;
    let line = form.querySelector(".form-slow");
    if (is_busy && !line) {
        line = document.createElement("p");
        line.className = "form-slow";
        line.setAttribute("role", "status");
        line.textContent = note;
        form.append(line);
    } else if (!is_busy) {
        line?.remove();
    }
}

function must_be(form) {
    for (const field of form.querySelectorAll("[data-must-be]")) {
        if (field.value === field.dataset.mustBe) continue;
        error_show(form, (words.mustBe ?? "{text}").replace("{text}", field.dataset.mustBe), field.name);
        return false;
    }
    return true;
}

async function send(form, submitter) {
    if (form.hasAttribute("data-busy") || !must_be(form)) return;
    error_clear(form);
    const body = body_of(form, submitter);
    set_busy(form, true);
    const answer = await post(form.action, body);
    set_busy(form, false);
    form.dispatchEvent(new CustomEvent("shepherd:sent", { bubbles: true, detail: answer }));
    if (answer.success) sent(form, answer);
    else refused(form, answer);
}

function sent(form, answer) {
    toast(answer.message);
    document.dispatchEvent(new CustomEvent("shepherd:ask"));
    const dialog = form.closest("dialog");
    if (dialog) return dialog.close();
    if (answer.url) download(answer.url);
    if (form.dataset.next) return go(form.dataset.next);
    form.reset();
    form.closest("details.add")?.removeAttribute("open");
}

function refused(form, answer) {
    if (answer.status === 401) answer.message = words.logIn ?? answer.message;
    const is_password = answer.status === 403 && form.elements.namedItem("password");
    error_show(form, answer.message, field_of(form, answer.field) ? answer.field : is_password ? "password" : undefined);
    toast(answer.message, true);
}

/** A file that the daemon made, such as a backup: the browser saves it. */
function download(path) {
    const link = document.createElement("a");
    link.href = new URL(path, location.origin).pathname;
    link.download = "";
    link.click();
}

/** To a path of this host, whole: the role may be another now. */
function go(path) {
    const url = new URL(path, location.origin);
    if (url.origin !== location.origin) return;
    const is_here = url.pathname === location.pathname && url.search === location.search;
    if (!is_here) return location.assign(url);
    history.replaceState(history.state, "", url);
    location.reload();
}

document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.hasAttribute("data-form") || event.defaultPrevented) return;
    event.preventDefault();
    send(form, event.submitter);
});

// What is wrong is gone as soon as somebody mends it.
document.addEventListener("input", (event) => {
    const field = event.target;
    if (field.getAttribute?.("aria-invalid") !== "true") return;
    field.removeAttribute("aria-invalid");
    const line = document.getElementById(`${field.id}-error`);
    if (line) line.hidden = true;
});

// ---- the dialog -----------------------------------------------------------------------------------

const dialog = document.getElementById("dialog");
let opened_by = null; // its link: the focus goes back there, also when the row was made anew

async function sheet_of(url) {
    const reply = await fetch(url, { headers: { Accept: "text/html" } });
    if (!reply.ok || reply.redirected) return null;
    const page = new DOMParser().parseFromString(await reply.text(), "text/html");
    const sheet = page.querySelector("[data-sheet]");
    return sheet && document.importNode(sheet, true);
}

async function dialog_open(link) {
    let sheet = null;
    try {
        sheet = await sheet_of(link.href);
    } catch {
        // then the browser says what is wrong, on the page itself
    }
    if (!sheet) return location.assign(link.href);
    opened_by = link.getAttribute("href");
    clock_tick(sheet);
    dialog.querySelector("[data-dialog-body]").replaceChildren(sheet);
    dialog.showModal();
    const first = sheet.querySelector(":scope > form :is(input:not([type=hidden]), select, textarea)");
    if (matchMedia("(pointer: fine)").matches) first?.focus(); // a touch keyboard would hide what it is about
    dialog.scrollTop = 0;
    document.dispatchEvent(new CustomEvent("shepherd:sheet", { detail: sheet }));
}

function is_plain_click(event) {
    return event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
}

function dialog_start() {
    document.addEventListener("click", (event) => {
        const link = event.target.closest?.("a[data-dialog]");
        if (!link || !is_plain_click(event)) return;
        event.preventDefault();
        dialog_open(link);
    });
    dialog.addEventListener("click", (event) => {
        if (event.target.closest("[data-close]")) dialog.close();
    });
    dialog.addEventListener("close", () => {
        dialog.querySelector("[data-dialog-body]").replaceChildren();
        document.querySelector(`a[data-dialog][href="${CSS.escape(opened_by ?? "")}"]`)?.focus();
    });
}

// ---- start ----------------------------------------------------------------------------------------

if (dialog) dialog_start();
// Who has a session may end it; who has none may begin one. The page is the same for both.
document.documentElement.toggleAttribute("data-session", cookie("shepherd_csrf") !== null);
flash_take();
