// The modules of pages, for tests that need no page. Node 18 takes a .js file for CommonJS unless a package.json above it says
// otherwise; one in views/ would be served. So they are copied to a folder that has one.

import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const copy = fs.mkdtempSync(path.join(os.tmpdir(), "shepherd-static-"));
process.on("exit", () => fs.rmSync(copy, { recursive: true, force: true }));
fs.cpSync(fileURLToPath(new URL("../../../views/static", import.meta.url)), copy, { recursive: true });
fs.writeFileSync(path.join(copy, "package.json"), '{"type":"module"}');

/** What views/static/NAME exports. */
export const static_import = (name) => import(pathToFileURL(path.join(copy, name)));
