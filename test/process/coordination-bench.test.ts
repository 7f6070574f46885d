/** The benchmark of coordination by clients and by servers still runs: its lines, not its figures. */

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import t from "tap";
import { ROOT } from "../../bench/children.ts";
import { HALO, isBuilt } from "../../bench/halo.ts";

const LIMIT_MS = 90_000;

t.setTimeout(120_000);

t.test("bench/coordination.ts --smoke answers its question", async (t) => {
  if (!t.ok(isBuilt(HALO), "dist/halo is built (make build)")) return;
  const bun = join(ROOT, "node_modules/.bin/bun");
  const run = spawnSync(bun, [join(ROOT, "bench/coordination.ts"), "--smoke"], { encoding: "utf8", timeout: LIMIT_MS });
  t.equal(run.status, 0, run.stderr);
  t.comment(run.stdout);
  for (const label of ["server-driven", "client-driven"]) {
    t.match(run.stdout, new RegExp(`^${label}( +\\d+\\.\\d\\d){4} +\\d+ +0 `, "m"), `${label}, nothing failed`);
  }
  t.match(run.stdout, /^client \/ server( +\d+\.\d\d){4}$/m);
});
