// node screenshots.mjs URL FOLDER [PATH...]: each page (or those named) at each size, dark and light, into FOLDER.

import fs from "node:fs";
import path from "node:path";

import { browser_launch, page_open, SIZES, until } from "./lib/browser.mjs";
import { is_ready, PAGES } from "./lib/pages.mjs";

const [, , url, folder, ...paths] = process.argv;
if (!folder) {
    console.error("usage: node screenshots.mjs http://127.0.0.1:8080 FOLDER [/PATH...]");
    process.exit(64);
}
fs.mkdirSync(folder, { recursive: true });
const browser = await browser_launch();
for (const route of paths.length ? paths : PAGES.map((page) => page.route)) {
    for (const viewport of SIZES) {
        for (const colorScheme of ["dark", "light"]) {
            const page = await page_open(browser, url + route, { viewport, colorScheme });
            await until(page, is_ready);
            const name = route.replaceAll(/[/?=]/g, "-").slice(1) || "index";
            const file = path.join(folder, `${name}-${viewport.width}x${viewport.height}-${colorScheme}.png`);
            await page.screenshot({ path: file });
            console.log(file, page.wrong.join("; "));
            await page.context().close();
        }
    }
}
await browser.close();
