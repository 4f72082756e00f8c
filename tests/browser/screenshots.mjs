// node screenshots.mjs URL FOLDER [PATH...]: each page at each size, dark and light, into FOLDER.

import fs from "node:fs";
import path from "node:path";

import { browser_launch, page_open, SIZES } from "./lib/browser.mjs";

const [, , url, folder, ...paths] = process.argv;
if (!folder) {
    console.error("usage: node screenshots.mjs http://127.0.0.1:8080 FOLDER [/PATH...]");
    process.exit(64);
}
fs.mkdirSync(folder, { recursive: true });
const browser = await browser_launch();
for (const route of paths.length ? paths : ["/", "/raw_logs", "/details/system"]) {
    for (const viewport of SIZES) {
        for (const colorScheme of ["dark", "light"]) {
            const page = await page_open(browser, url + route, { viewport, colorScheme });
            await page.waitForLoadState("load");
            const name = route.replaceAll("/", "-").slice(1) || "index";
            const file = path.join(folder, `${name}-${viewport.width}x${viewport.height}-${colorScheme}.png`);
            await page.screenshot({ path: file });
            console.log(file, page.wrong.join("; "));
            await page.context().close();
        }
    }
}
await browser.close();
