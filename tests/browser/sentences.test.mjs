// The daemon says what it says in English; people read it in the language of the page: each sentence of lua/sentence.lua is still
// one that the daemon says, and an answer of a form is translated with what is filled in.

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { test } from "node:test";

import { browser_launch, page_open } from "./lib/browser.mjs";
import { daemon_make } from "./lib/daemon.mjs";

const ROOT = new URL("../../", import.meta.url).pathname;

function sources(folder) {
    return fs.readdirSync(path.join(ROOT, folder), { recursive: true }).filter((name) => name.endsWith(".c")).map((name) => path.join(ROOT, folder, name));
}

/** The texts of C: literals that follow each other are one; whatever is filled in is %s. */
function texts_of(source) {
    const literal = /"((?:[^"\\\n]|\\.)*)"/g;
    const joined = source.replace(/"\s*\n\s*"/g, "");
    return [...joined.matchAll(literal)].map(([, text]) => text.replace(/%[.\d*]*(?:ll|z|l)?[disu]/g, "%s"));
}

test("each sentence of lua/sentence.lua is one of the daemon's", () => {
    const said = new Set(["core", "plugins"].flatMap(sources).flatMap((file) => texts_of(fs.readFileSync(file, "utf8"))));
    const known = [...fs.readFileSync(path.join(ROOT, "lua/sentence.lua"), "utf8").matchAll(/^translate\("(.*)"\)$/gm)].map(([, text]) => text);
    assert.ok(known.length > 20, "the list is found");
    // "name: " is put before what a field must be; of the network of an address only the one for money is translated
    const PARTS = ["character %s", "characters %s and %s"]; // made of pieces
    const is_said = (text) => [text, text.replace(/^\w+: /, ""), text.replace("main network", "%s network")].some((each) => said.has(each));
    assert.deepEqual(known.filter((text) => !is_said(text) && !PARTS.includes(text)), []);
});

test("what came of a form is said in the language of the page, at its field as well", async (t) => {
    const daemon = daemon_make();
    t.after(() => daemon.remove());
    await daemon.start();
    const browser = await browser_launch();
    t.after(() => browser.close());
    const page = await page_open(browser, `${daemon.url}/config/pool?lang=de`);
    const add = async (port) => {
        await page.goto(`${daemon.url}/config/pool?lang=de`);
        await page.getByLabel("Name").fill("Bei uns (100 %s)");
        await page.getByLabel("Host").fill("pool.example.org");
        await page.getByLabel("Port").evaluate((field, port) => (field.value = port), port);
        await page.locator("#pool-form").evaluate((form) => {
            form.noValidate = true; // the daemon is to refuse it
            form.requestSubmit();
        });
    };
    await add("0");
    await page.locator("#pool-pool_port-error", { hasText: "Der Port ist eine Zahl von 1 bis 65535." }).waitFor();
    await add("3333");
    await page.waitForURL(/\/config#pools$/);
    await add("3333");
    await page.locator("#toasts", { hasText: "Der Pool „Bei uns (100 %s)“ steht schon in der Liste." }).waitFor();

    await page.goto(`${daemon.url}/config/address?lang=es`);
    await page.getByRole("textbox", { name: "Dirección" }).fill("bc1qar0srrr7xfkvy5l64qlydnw9re59gtzzwf5mdq");
    await page.locator(".check-bad", { hasText: /La suma de control no cuadra\. .* esté en el carácter 22; / }).waitFor();
});
