// The flock managed in the browser, from the first run on: admin, plug in, take in, rename, another port, addresses and pools,
// the payout guard, import, backup, restore. One story: each test goes on where the one before it ended.

import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";

import { axe, browser_launch, is_marked, mark, overflow, page_of, page_open, settled, SIZES, until, wait_text } from "./lib/browser.mjs";
import { daemon_make, pty_open } from "./lib/daemon.mjs";
import { login, statistics } from "./lib/nerdminer.mjs";
import { usb_make } from "./lib/usb.mjs";

const PASSWORD = "correct horse";
const WALLET = "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"; // of BIP 173
const THIEF = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"; // likewise
const TYPO_AT = 20;
const TYPO = `${WALLET.slice(0, TYPO_AT)}q${WALLET.slice(TYPO_AT + 1)}`;
const POOL = "pool.example.org:3333";
const CSV = "id,miner_id,chipset,attrs_idVendor,attrs_idProduct,attrs_serial,tty_symlink,nerdminer_rom,nerdminer_vrs";
const ESPRESSIF = { vendor: "303a", product_id: "1001", serial: "F4:12:FA:81:00:11", product: "USB JTAG/serial debug unit" };

let browser, folder, usb, board, other, daemon, admin, kiosk;
before(async () => {
    browser = await browser_launch();
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "shepherd-manage-"));
    [board, other] = await Promise.all([pty_open(), pty_open()]);
    usb = usb_make();
    daemon = daemon_make({ usb, access: "viewer" });
    await daemon.start();
    await daemon.stop();
    await daemon.start(); // on the port that it had: a restore starts it again with the same arguments
});
after(async () => {
    await browser?.close();
    await daemon?.remove();
    await Promise.all([board?.close(), other?.close()]);
    usb?.remove();
    if (folder) fs.rmSync(folder, { recursive: true, force: true });
});

/** Nothing went wrong but what was meant to: refused forms are in the console of the browser. */
function nothing_wrong(page, ...expected) {
    const wrong = page.wrong.filter((text) => !expected.some((each) => text.includes(each)));
    page.wrong.length = 0;
    assert.deepEqual(wrong, []);
}

const talk = (wallet = WALLET) =>
    board.say(
        `Client not connected, trying to connect (${POOL}, fallback=0)...`,
        ...login(`${wallet}.garage`).slice(1),
        ...statistics({ khs: 78.5 }),
    );
const toast = (page, text) => wait_text(page, "#toasts", text);
const dialog = (page) => page.getByRole("dialog");
const row = (page, name) => page.locator("tr", { has: page.getByRole("rowheader", { name }) });

async function go(page, hash) {
    await page.goto(`${daemon.url}/config${hash}`);
    await settled(page);
}

async function miner_id(name) {
    const { miners_list } = await daemon.json("/api/herd_data");
    return miners_list.find((miner) => miner.miner_id === name)?.id;
}

/** The daemon says of its miners what is asked for. */
async function flock_is(fits) {
    const deadline = performance.now() + 30_000;
    const list = async () => (await daemon.json("/api/herd_data").catch(() => ({ miners_list: [] }))).miners_list;
    while (!fits(await list())) {
        assert.ok(performance.now() < deadline, `the flock is: ${fits}`);
        await new Promise((resolve) => setTimeout(resolve, 100));
    }
}

// ---- the first run ----------------------------------------------------------------------------------

test("first run: the code is there for who sits at this computer, and makes the first admin", async () => {
    admin = await page_open(browser, `${daemon.url}/config#access`);
    await admin.getByRole("link", { name: "Make the first admin" }).click();
    await until(admin, () => /^\w{4}-\w{4}$/.test(document.querySelector("#setup-code").value));
    assert.deepEqual(await axe(admin), []);

    await admin.getByLabel("New password").fill(PASSWORD);
    await admin.getByRole("button", { name: "Make the admin" }).click();
    await admin.waitForURL(/\/config$/);
    assert.equal(await admin.locator(".session .label").textContent(), "admin");
    assert.ok(await admin.getByRole("button", { name: "Log out" }).isVisible());

    await admin.goto(`${daemon.url}/setup`);
    await admin.getByText("There is an admin already.").waitFor();
    nothing_wrong(admin);
});

test("log out, a wrong password, log in, and on to where one wanted", async () => {
    await admin.goto(`${daemon.url}/`);
    await admin.getByRole("button", { name: "Log out" }).click();
    await admin.getByRole("link", { name: "Log in" }).click();
    await admin.getByLabel("Password").waitFor();
    assert.equal(await admin.getByText("No admin yet?").count(), 0, "there is one");
    await admin.getByLabel("Password").fill("wrong");
    await admin.getByRole("button", { name: "Log in" }).click();
    await admin.locator(".field-error:visible").waitFor();
    nothing_wrong(admin, "401", "403", "400");

    await admin.goto(`${daemon.url}/login?next=%2Fconfig%23access`);
    await admin.getByLabel("Password").fill(PASSWORD);
    await admin.getByRole("button", { name: "Log in" }).click();
    await admin.waitForURL(/\/config#access$/);
    await admin.getByRole("heading", { name: "Users" }).waitFor();
    nothing_wrong(admin);
});

// ---- devices ----------------------------------------------------------------------------------------

test("plug in: it is shown with what its log tells, under the name that the log suggests", async () => {
    await go(admin, "");
    await mark(admin);
    usb.plug("ttyACM0", "1-1.2", board.link, ESPRESSIF);
    const stranger = admin.locator(".stranger");
    await stranger.waitFor({ timeout: 15_000 });
    talk();
    await stranger.getByText(POOL).waitFor({ timeout: 15_000 });
    await until(admin, () => document.querySelector(".accept input[name=name]").value === "garage");
    assert.ok(await is_marked(admin), "without a reload");
    assert.deepEqual(await axe(admin), []);
});

test("what somebody types survives that the flock changes underneath, and dialogs stay open", async () => {
    const [name, location] = ["name", "location"].map((field) => admin.locator(`.accept input[name=${field}]`).first());
    await name.fill("mine");
    await location.fill("shelf");
    await location.press("End");
    usb.plug("ttyUSB0", "1-1.3", other.link, { product: "USB2.0-Serial" });
    await admin.locator(".stranger").nth(1).waitFor({ timeout: 15_000 });
    await admin.keyboard.type(" 2");
    assert.equal(await location.inputValue(), "shelf 2");
    assert.equal(await name.inputValue(), "mine", "nor does what the log suggests replace it");
    assert.ok(await location.evaluate((field) => field === document.activeElement), "the focus is there as well");

    await admin.getByRole("link", { name: "Pools", exact: true }).click();
    await admin.getByRole("link", { name: "Add a pool" }).click();
    await dialog(admin).getByLabel("Name").fill("half a na");
    usb.unplug("ttyUSB0");
    await until(admin, () => document.querySelectorAll(".stranger").length === 1);
    assert.equal(await dialog(admin).getByLabel("Name").inputValue(), "half a na");
    await dialog(admin).getByRole("button", { name: "Close" }).click();
    assert.ok(await is_marked(admin));
});

test("take it in at one click; its history stays its own", async () => {
    await go(admin, "");
    const before = await miner_id("1-1.2");
    await admin.locator(".accept input[name=location]").fill("shelf 2");
    await admin.getByRole("button", { name: "Accept", exact: true }).click();
    await row(admin, "garage").waitFor();
    await until(admin, () => document.querySelectorAll(".stranger").length === 0);
    assert.equal(await miner_id("garage"), before);
    assert.match(await row(admin, "garage").textContent(), /shelf 2.*watched/s, "what it said is what is expected now");
    nothing_wrong(admin);
});

test("taken in by keyboard: the focus goes on to the next board, after the last to the heading, and it is said", async (t) => {
    const made = usb_make();
    t.after(() => made.remove());
    const ports = await Promise.all([1, 2, 3].map(() => pty_open()));
    t.after(() => Promise.all(ports.map((port) => port.close())));
    const herd = daemon_make({ usb: made });
    t.after(() => herd.remove());
    await herd.start();
    ports.forEach((port, i) => made.plug(`ttyACM${i}`, `1-1.${i + 1}`, port.link, { ...ESPRESSIF, serial: `F4:12:FA:83:00:1${i}` }));
    const page = await page_of(t, browser, `${herd.url}/config`);
    await settled(page);
    await until(page, () => document.querySelectorAll(".stranger").length === 3);
    const take_in = async (name, field) => {
        const form = page.locator(".accept").first();
        await form.getByLabel("Name").fill(name);
        await form.locator(field).press("Enter");
        await row(page, name).waitFor();
        await until(page, (left) => document.querySelectorAll(".stranger").length === left, ports.length - ++taken);
        await toast(page, "Added.");
    };
    const focus_is = (selector) => until(page, (selector) => document.activeElement === document.querySelector(selector), selector);
    let taken = 0;
    await take_in("A-1", "button");
    await focus_is(".accept button");
    await take_in("A-2", "[name=location]");
    await focus_is(".accept input:not([type=hidden])");
    await take_in("A-3", "button");
    await focus_is("#miners-title");
    await page.evaluate(() => document.addEventListener("shepherd:update", () => (window.updated = true)));
    ports[0].say(...statistics());
    await until(page, () => window.updated);
    await focus_is("#miners-title");
    assert.deepEqual(await axe(page), []);
});

test("rename in the dialog, by keyboard; a name that cannot be is said at its field", async () => {
    const id = await miner_id("garage");
    await admin.getByRole("link", { name: "Change garage" }).press("Enter");
    const name = dialog(admin).getByLabel("Name");
    await name.fill("no/good");
    await name.evaluate((field) => field.removeAttribute("pattern")); // the daemon is to refuse it
    await name.press("Enter");
    await dialog(admin).locator(".field-error:visible").waitFor();
    nothing_wrong(admin, "400");
    await name.fill("BARN-01");
    await name.press("Enter");
    await row(admin, "BARN-01").waitFor();
    await until(admin, () => !document.querySelector("dialog[open]"));
    assert.equal(await miner_id("BARN-01"), id);
    assert.equal(await miner_id("garage"), undefined);
    nothing_wrong(admin);
});

test("another port: the same miner", async () => {
    const id = await miner_id("BARN-01");
    usb.unplug("ttyACM0");
    await row(admin, "BARN-01").getByText("offline").waitFor({ timeout: 15_000 });
    usb.plug("ttyACM1", "1-1.4", board.link, ESPRESSIF);
    await until(admin, () => document.querySelector(".port:not(.port-offline) a")?.textContent === "BARN-01");
    assert.equal(await admin.locator(".port:not(.port-offline) .port-number").textContent(), "4");
    talk();
    await row(admin, "BARN-01").getByText("online").waitFor({ timeout: 15_000 });
    assert.equal(await miner_id("BARN-01"), id);
    assert.equal(await admin.locator(".stranger").count(), 0);
    nothing_wrong(admin);
});

test("a board that nothing tells apart is asked about, and the answer is one click", async () => {
    const plain = { product: "USB2.0-Serial" }; // no serial number, no MAC
    usb.plug("ttyUSB0", "1-1.3", other.link, plain);
    await admin.getByRole("button", { name: "Listen", exact: true }).click();
    await until(admin, () => document.querySelector(".stranger .is-silent, .stranger .is-online"));
    await admin.locator(".accept input[name=name]").fill("SHED-09");
    await admin.getByRole("button", { name: "Accept", exact: true }).click();
    await row(admin, "SHED-09").waitFor();
    const id = await miner_id("SHED-09");
    usb.unplug("ttyUSB0");
    await row(admin, "SHED-09").getByText("offline").waitFor({ timeout: 15_000 });

    usb.plug("ttyUSB1", "1-1.5", other.link, plain);
    await admin.locator(".doubt").waitFor({ timeout: 15_000 });
    assert.match(await admin.locator(".doubt").textContent(), /Which board is this\?.*SHED-09/s);
    assert.ok(await admin.getByRole("button", { name: "It is a new one" }).isVisible());
    assert.deepEqual(await axe(admin), []);
    const german = await (await fetch(`${daemon.url}/config?lang=de`)).text();
    assert.match(german, /Welches Board ist das\?<\/b> vielleicht ist es SHED-09; der war an Port 1-1\.3</);
    await admin.getByRole("button", { name: "It is SHED-09" }).click();
    await until(admin, () => document.querySelectorAll(".stranger").length === 0);
    other.say(...statistics({ khs: 50 }));
    await row(admin, "SHED-09").getByText("online").waitFor({ timeout: 15_000 });
    assert.equal(await miner_id("SHED-09"), id);
    nothing_wrong(admin);
});

test("many ports that go at once are shown as what they are: the power", async (t) => {
    const ports = await Promise.all([1, 2, 3, 4, 5].map(() => pty_open()));
    t.after(() => Promise.all(ports.map((port) => port.close())));
    ports.forEach((port, i) => usb.plug(`ttyACM${20 + i}`, `1-4.${i + 1}`, port.link, { ...ESPRESSIF, serial: `F4:12:FA:82:00:1${i}` }));
    await until(admin, () => document.querySelectorAll(".stranger .is-silent, .stranger .is-online").length === 5);
    await flock_is((miners) => miners.filter(({ miner_id, status }) => miner_id.startsWith("1-4.") && status === "idle").length === 5);
    assert.equal(await admin.locator('.hub[aria-label="Hub 1-4"] .port').count(), 5);
    ports.forEach((_, i) => usb.unplug(`ttyACM${20 + i}`));
    await admin.locator(".power", { hasText: "Many ports went at once" }).waitFor({ timeout: 15_000 });
    await until(admin, () => document.querySelectorAll(".stranger").length === 0);
    nothing_wrong(admin);
});

// ---- addresses and pools ----------------------------------------------------------------------------

test("an address with a typing error is marked where it is wrong; the right one is kept", async () => {
    await go(admin, "#addresses");
    await admin.getByRole("link", { name: "Add an address" }).click();
    await dialog(admin).getByLabel("Label").fill("Savings");
    await dialog(admin).getByLabel("Address").fill(TYPO);
    await dialog(admin).locator("mark").waitFor();
    const marked = await dialog(admin).locator(".marked > *").evaluateAll((all) => all.findIndex((e) => e.tagName === "MARK"));
    assert.equal(marked, TYPO_AT);
    assert.deepEqual(await axe(admin), []);
    await dialog(admin).getByRole("button", { name: "Add" }).click();
    await dialog(admin).locator("#address-address-error:visible").waitFor();
    nothing_wrong(admin, "400");

    await dialog(admin).getByLabel("Address").fill(WALLET);
    await dialog(admin).locator(".check-good").waitFor();
    await dialog(admin).getByRole("button", { name: "Add" }).click();
    await admin.getByRole("cell", { name: WALLET }).waitFor();
    assert.match(await row(admin, "BTC").textContent(), /P2WPKH, main network/);
    nothing_wrong(admin);
});

test("pools: with one of the addresses, as plain text, the other one active, deleted", async () => {
    await go(admin, "#pools");
    const add = async (name, fill) => {
        await admin.getByRole("link", { name: "Add a pool" }).click();
        await dialog(admin).getByLabel("Name").fill(name);
        await dialog(admin).getByLabel("Host").fill("pool.example.org");
        await dialog(admin).getByLabel("Port").fill("3333");
        await fill(dialog(admin));
        await dialog(admin).getByRole("button", { name: "Add" }).click();
        await row(admin, name).waitFor();
    };
    await add("Mine", async (box) => assert.ok(await box.getByText("Miner ID is appended automatically").isVisible()));
    await add("Theirs", async (box) => {
        await box.getByLabel("Plain text").check();
        await box.getByLabel("User", { exact: true }).fill("account.worker");
    });
    assert.match(await row(admin, "Mine").textContent(), /active/);
    await admin.getByRole("button", { name: "Set active: Theirs" }).click();
    await admin.getByRole("button", { name: "Set active: Mine" }).waitFor();
    await admin.getByRole("link", { name: "Change Theirs" }).click();
    assert.equal(await dialog(admin).getByLabel("User", { exact: true }).inputValue(), "account.worker");
    await dialog(admin).getByRole("button", { name: "Delete Theirs" }).click();
    await until(admin, () => ![...document.querySelectorAll("#pools th")].some((th) => th.textContent === "Theirs"));
    nothing_wrong(admin);
});

// ---- the payout -------------------------------------------------------------------------------------

/** What is to be seen beside the button that closes, when its dialog is scrolled to the end. */
function beside_close(box) {
    box.scrollTop = box.scrollHeight;
    const { left, top, height } = box.querySelector("[data-close]").getBoundingClientRect();
    return box.scrollTop > 0 && document.elementFromPoint(left - 2, top + height / 2)?.tagName;
}

test("what is expected is changed with the old and the new side by side, and with the password", async () => {
    await go(admin, "");
    await admin.getByRole("link", { name: "Change BARN-01" }).click();
    await dialog(admin).getByText("Change what is expected").click();
    const form = dialog(admin).locator("#expect-form");
    await form.getByLabel("Expected pool").fill(`${POOL}, backup.example.org:3333`);
    assert.match(await form.locator(".side-by-side").textContent(), new RegExp(`Now.*${POOL}.*Then.*backup.example.org`, "s"));
    assert.equal(await dialog(admin).evaluate(beside_close), "H1", "no address goes on below the button that closes");
    await form.getByLabel(/I have compared/).check();
    await form.getByLabel("Your password").fill("not this");
    await form.getByRole("button", { name: "Expect this" }).click();
    await form.locator("#expect-password-error:visible").waitFor();
    nothing_wrong(admin, "403");
    await form.getByLabel("Your password").fill(PASSWORD);
    await form.getByRole("button", { name: "Expect this" }).click();
    await toast(admin, "This is expected from now on.");
    nothing_wrong(admin);
});

test("a token for a kiosk is shown once; its screen may look and nothing else", async () => {
    await go(admin, "#access");
    await admin.getByText("Make a token").click();
    const form = admin.locator("#token-add");
    await form.getByLabel("Name").fill("kiosk");
    await form.getByLabel("Your password").fill(PASSWORD);
    await form.getByRole("button", { name: "Make", exact: true }).click();
    await admin.getByLabel("Link for a kiosk").waitFor();
    const link = await admin.getByLabel("Link for a kiosk").inputValue();
    await row(admin, "kiosk").waitFor();
    assert.deepEqual(await axe(admin), []);

    kiosk = await page_open(browser, link.replace("/play?", "/kiosk?"), { viewport: SIZES[0] });
    assert.equal(new URL(kiosk.url()).search, "", "the token is in no history");
    assert.ok((await kiosk.context().cookies()).some(({ name, httpOnly }) => name === "shepherd_kiosk" && httpOnly));
    const list = await page_open(browser, `${daemon.url}/config`, { context: kiosk.context() });
    for (const hash of ["#miners", "#pools", "#addresses", "#access", "#backup", "#about"]) {
        await go(list, hash);
        assert.equal(await list.locator(".session .label").textContent(), "viewer");
        const controls = list.locator("main :is(form, button, a[data-dialog]):visible").filter({ hasNotText: "Show" });
        assert.equal(await controls.count(), 0, `${hash}: no controls for who may not`);
    }
    assert.equal(await list.getByText(WALLET).count(), 0, "addresses are shortened");
    nothing_wrong(list);
    await list.close();
    nothing_wrong(admin);
});

test("another address: an alarm on every page and screen, until an admin acknowledges it", async () => {
    await settled(kiosk);
    await mark(kiosk);
    talk(THIEF);
    await kiosk.locator("#payout").waitFor({ timeout: 15_000 });
    const words = await kiosk.locator("#payout").textContent();
    assert.match(words, /Payout changed.*BARN-01.*pays to bc1q\S*…\S*f3t4 instead of bc1q\S*…\S*5mdq/s);
    assert.equal(await kiosk.locator("#payout button").count(), 0, "a kiosk cannot wave it away");
    assert.ok(await is_marked(kiosk));
    assert.deepEqual(await overflow(kiosk, { whole: true }), []);
    assert.deepEqual(await axe(kiosk), []);

    for (const route of ["/play", "/dash/health", "/dash/matrix", "/dash/nerdminer"]) {
        for (const viewport of SIZES) {
            const page = await page_open(browser, daemon.url + route, { viewport });
            await settled(page);
            assert.ok(await page.locator("#payout").isVisible(), route);
            assert.deepEqual(await overflow(page, { whole: true }), [], `${route} at ${viewport.width}`);
            nothing_wrong(page);
            await page.context().close();
        }
    }
    talk(); // the right one again: who swapped it and swapped it back is seen all the same
    await go(admin, "");
    assert.match(await row(admin, "BARN-01").textContent(), /alarm/);
    await admin.goto(`${daemon.url}/details/miner/${await miner_id("BARN-01")}`);
    await admin.locator("#payout-card").waitFor();
    assert.equal(await admin.locator(".level-good").count(), 0, "who mines for a thief is not well");
    await admin.goto(`${daemon.url}/`);
    await admin.locator(".payout-flag").waitFor();
    assert.deepEqual(await axe(admin), []);
    await admin.getByRole("button", { name: "Acknowledge: BARN-01" }).click();
    await until(admin, () => !document.querySelector("#payout"));
    await until(kiosk, () => !document.querySelector("#payout"));
    assert.ok(await is_marked(kiosk));
    nothing_wrong(admin);
    nothing_wrong(kiosk);
});

// ---- import, backup, restore --------------------------------------------------------------------------

test("import: the old CSV, and what became of each row; twice is the same as once", async () => {
    const file = path.join(folder, "old.csv");
    fs.writeFileSync(file, `${CSV}\n1,SHED-01,ESP32-S3,303a,1001,AA:BB,ttyACM9,,1.7.0\n2,SHED-02,ESP32,1a86,7523,,ttyUSB9,,1.8.3\n`);
    await go(admin, "#backup");
    const form = admin.locator("#import");
    for (const word of ["2 added", "2 the same"]) {
        await form.getByLabel("Database or CSV").setInputFiles(file);
        await form.getByRole("button", { name: "Import" }).click();
        await form.locator("[data-result]", { hasText: word }).waitFor();
    }
    await go(admin, "");
    await row(admin, "SHED-02").waitFor();
    nothing_wrong(admin);
});

test("backup, changes, restore: looked into, typed, and everything is as it was", async () => {
    await go(admin, "#backup");
    const make = admin.locator("#backup-make");
    await make.getByLabel("With the log lines").check();
    await make.getByLabel("Your password").fill(PASSWORD);
    const [download] = await Promise.all([
        admin.waitForEvent("download"),
        make.getByRole("button", { name: "Make and download" }).click(),
    ]);
    assert.match(download.suggestedFilename(), /^shepherd-.*\.tar\.gz$/);
    const file = path.join(folder, "backup.tar.gz");
    await download.saveAs(file);

    await go(admin, "");
    await admin.getByRole("link", { name: "Change SHED-01" }).click();
    await dialog(admin).getByText("Delete", { exact: true }).click();
    const form = dialog(admin).locator("#delete-form");
    await form.getByLabel("Type SHED-01 to delete it").fill("SHED");
    await form.getByRole("button", { name: "Delete SHED-01" }).click();
    await form.locator("#delete-confirm-error:visible").waitFor();
    await form.getByLabel("Type SHED-01 to delete it").fill("SHED-01");
    await form.getByRole("button", { name: "Delete SHED-01" }).click();
    await until(admin, () => ![...document.querySelectorAll("#miners th")].some((th) => th.textContent.includes("SHED-01")));
    assert.equal(await miner_id("SHED-01"), undefined);

    await go(admin, "#backup");
    const restore = admin.locator("#restore");
    const broken = path.join(folder, "broken.tar.gz");
    fs.writeFileSync(broken, fs.readFileSync(file).subarray(0, 1000));
    await restore.getByLabel("Backup file").setInputFiles(broken);
    await until(admin, () => document.querySelector("#restore progress").value === 1);
    await until(admin, () => document.querySelector("#restore [data-upload-state] span").textContent.length > 0);
    assert.ok(await restore.getByRole("button", { name: "Restore" }).isHidden(), "half a file is none");
    nothing_wrong(admin, "400");

    await restore.getByLabel("Backup file").setInputFiles(file);
    await restore.getByText("This is a backup.").waitFor();
    const about = await restore.locator("[data-upload-about]").textContent();
    assert.match(about, /Miners\s*\d/);
    assert.match(about, /Configuration\S*shepherd\.lua\s*Users\s*\d+(: \S+ \((viewer|operator|admin)\).*)?\s*Tokens\s*\d/, "where it goes, who comes along");
    await restore.getByLabel(/Type RESTORE/).fill("RESTORE");
    await restore.getByLabel("Your password").fill(PASSWORD);
    assert.deepEqual(await axe(admin), []);
    await restore.getByRole("button", { name: "Restore" }).click();
    await toast(admin, "put back");
    await flock_is((miners) => miners.some((miner) => miner.miner_id === "SHED-01"));
    const page = await page_open(browser, `${daemon.url}/config`, { context: admin.context() });
    await row(page, "SHED-01").waitFor();
    await row(page, "BARN-01").waitFor();
    nothing_wrong(page);
    assert.equal(await page.locator("#pages .session .label").textContent(), "viewer", "a backup holds no sessions");
    await page.goto(`${daemon.url}/login`);
    await page.getByLabel("Password").fill(PASSWORD);
    await page.getByRole("button", { name: "Log in" }).click();
    await page.waitForURL(`${daemon.url}/`);
    await page.close();
});

test("without script the same forms post, and lead back to their section", async (t) => {
    const plain = daemon_make(); // who sits at this computer may manage without a login
    t.after(() => plain.remove());
    await plain.start();
    const context = await browser.newContext({ javaScriptEnabled: false });
    t.after(() => context.close());
    const page = await context.newPage();
    await page.goto(`${plain.url}/config#addresses`);
    await page.getByRole("link", { name: "Add an address" }).click();
    await page.getByRole("textbox", { name: "Address" }).fill(WALLET);
    await page.getByRole("button", { name: "Add" }).click();
    await page.waitForURL(/\/config#addresses$/);
    await page.getByRole("cell", { name: WALLET, exact: true }).waitFor();
    assert.ok(await page.getByRole("heading", { name: "Coin addresses" }).isVisible());
    assert.ok(await page.getByRole("heading", { name: "Make a backup" }).isHidden());
});

/** What is done with a row of a table and cannot be seen without scrolling to the side. */
function actions_outside() {
    const controls = [...document.querySelectorAll(".actions-cell :is(a, button, summary, input)")];
    return controls.filter((e) => e.checkVisibility() && e.getBoundingClientRect().right > innerWidth).map((e) => e.outerHTML.slice(0, 120));
}

// ---- looks ------------------------------------------------------------------------------------------

test("all sections and sheets at every size: nothing overflows, axe-core finds nothing", async () => {
    const id = await miner_id("BARN-01");
    usb.plug("ttyUSB5", "1-1.3", other.link, { vendor: "10c4", product_id: "ea60", serial: "A1B2", product: "CP2102 USB to UART Bridge", maker: "A maker with a name that is long" });
    usb.plug("ttyACM9", "1-3", other.link, { vendor: "1cf1", product_id: "0030", serial: "DE2", product: "ConBee II" });
    const page = await page_open(browser, `${daemon.url}/config`, { context: admin.context() });
    await page.locator(".stranger").first().waitFor({ timeout: 15_000 });
    await page.getByRole("heading", { name: "Also plugged in" }).waitFor({ timeout: 15_000 });
    for (const viewport of SIZES) {
        await page.setViewportSize(viewport);
        for (const route of ["#miners", "#pools", "#addresses", "#access", "#backup", "#about", `/miner/${id}`, "/miner/new", "/pool", "/user"]) {
            await page.goto(`${daemon.url}/config${route}`);
            await settled(page);
            for (const summary of await page.locator("main summary:visible").all()) await summary.click();
            assert.deepEqual(await overflow(page), [], `${route} at ${viewport.width}x${viewport.height}`);
            assert.deepEqual(await page.evaluate(actions_outside), [], `${route} at ${viewport.width}x${viewport.height}`);
            assert.deepEqual(await axe(page), [], `${route} at ${viewport.width}x${viewport.height}`);
        }
    }
    nothing_wrong(page);
});
