/**
 * Every runtime-neutral suite on Node: one tap test a case, its failures as tap's own. Bun and Deno
 * run the same suites in runtimes.test.ts.
 *
 * All in one process: what they test is compiled and warmed up once. SUITES="core/md5 storage/log"
 * runs those whose path contains one of the words.
 */

import { fileURLToPath, pathToFileURL } from "node:url";
import t from "tap";
import type { Case } from "./suite.ts";
import { suiteFiles } from "./suite-files.ts";
import { tallyOf } from "./tally.ts";

const root = fileURLToPath(new URL(".", import.meta.url));
const words = (process.env.SUITES ?? "").split(" ").filter((word) => word !== "");

// Long, since suites share the machine with others; one that hangs still ends.
t.setTimeout(600_000);

function runUnderTap(file: string, suite: readonly Case[]): void {
  for (const one of suite) {
    void t.test(`${file}: ${one.name}`, async (tt) => {
      const tally = await tallyOf(one);
      for (const failure of tally.failures) tt.fail(failure);
      tt.equal(tally.failed, 0, `all of ${tally.checks} checks hold`);
    });
  }
}

for (const path of suiteFiles(root, words)) {
  const { suite }: { suite: readonly Case[] } = await import(pathToFileURL(path).href);
  runUnderTap(path.slice(root.length), suite);
}
