/**
 * The unit tests of the core, the server and the client library, of the load generator, and those of bugs found, in one
 * process: what they test is compiled and warmed up once (162 CPU-s in processes of their own, 37
 * here). Each of these files also runs by itself: make test TESTS=test/server/http/limits.test.ts
 */

import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import t from "tap";

/** The same folders are left out of the Makefile's list. */
const FOLDERS = ["core", "server", "client", "regression", "bench/load"];

t.setTimeout(600_000);

for (const folder of FOLDERS) {
  const files = readdirSync(fileURLToPath(new URL(`${folder}/`, import.meta.url)), {
    recursive: true,
    encoding: "utf8",
  });
  for (const file of files.filter((path) => path.endsWith(".test.ts")).sort()) {
    await import(new URL(`${folder}/${file}`, import.meta.url).href);
  }
}
