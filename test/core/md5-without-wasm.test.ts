/** MD5 of many names where a runtime has no WebAssembly. */

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import t from "tap";

const TIMEOUT_MS = 60_000;

const deno = fileURLToPath(new URL("../../node_modules/.bin/deno", import.meta.url));
const module = new URL("../../core/md5-batch.ts", import.meta.url).href;
/** Nine names, "" to "abcdefgh"; the positions' first words. */
const program = `
  import { md5BatchInto } from "${module}";
  const target = new Uint32Array(36);
  const bytes = new TextEncoder().encode("aababcabcdabcdeabcdefabcdefgabcdefgh");
  md5BatchInto(bytes, Uint32Array.of(0, 0, 1, 3, 6, 10, 15, 21, 28, 36), 9, target);
  const first = Array.from({ length: 9 }, (_, name) => target[4 * name].toString(16)).join(" ");
  console.log(typeof WebAssembly, first);
`;
/** As md5sum has them, but for a leading zero. */
const firstWords = "d41d8cd9 cc175b9 187ef443 90015098 e2fc714c ab56b4d9 e80b5017 7ac66c0f e8dc4081";

function positions(...flags: string[]): string {
  const child = spawnSync(deno, ["eval", ...flags, program], {
    encoding: "utf8",
    timeout: TIMEOUT_MS,
  });
  return child.status === 0 ? child.stdout.trim() : child.stderr;
}

t.test("md5BatchInto() gives the same where a runtime has no WebAssembly", (tt) => {
  tt.equal(positions(), `object ${firstWords}`, "with it");
  tt.equal(positions("--v8-flags=--jitless"), `undefined ${firstWords}`, "without it");
  tt.end();
});
