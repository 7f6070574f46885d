/** The benchmark of large values still runs against the compiled binary: its lines, not its figures. */

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import t from "tap";
import { ROOT } from "../../bench/children.ts";
import { HALO, isBuilt } from "../../bench/halo.ts";

const LIMIT_MS = 90_000;

t.test("bench/large-values.ts --smoke answers its question", async (t) => {
  if (!t.ok(isBuilt(HALO), "dist/halo is built (make build)")) return;
  const bun = join(ROOT, "node_modules/.bin/bun");
  const args = [join(ROOT, "bench/large-values.ts"), "--smoke"];
  const run = spawnSync(bun, args, { encoding: "utf8", timeout: LIMIT_MS });
  t.equal(run.status, 0, run.stderr);
  t.comment(run.stdout);
  const lines = [
    /^4 values of 2097169 bytes at once, 3 nodes, N=3$/m,
    /^put +\d+\.\d s +\d+ MB\/s/m,
    /^get +\d+\.\d s +\d+ MB\/s/m,
    /^every value has its SHA-256$/m,
  ];
  for (const line of lines) t.match(run.stdout, line);
});
