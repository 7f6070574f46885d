/** The benchmark of coordination still runs against the compiled binary: its lines, not its figures. */

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import t from "tap";
import { ROOT } from "../../bench/children.ts";
import { HALO, isBuilt } from "../../bench/halo.ts";

const LIMIT_MS = 90_000;

t.test("bench/coordination.ts --smoke answers its question", async (t) => {
  if (!t.ok(isBuilt(HALO), "dist/halo is built (make build)")) return;
  const bun = join(ROOT, "node_modules/.bin/bun");
  const args = [join(ROOT, "bench/coordination.ts"), "--smoke"];
  const run = spawnSync(bun, args, { encoding: "utf8", timeout: LIMIT_MS });
  t.equal(run.status, 0, run.stderr);
  t.comment(run.stdout);
  const figures = String.raw`( +\d+\.\d\d){6}`;
  const lines = [
    /^4 nodes, 100 requests a second, 6 turns of 500 ms$/m,
    new RegExp(`^at random${figures} +\\d+ +0 `, "m"),
    new RegExp(`^client-driven${figures} +\\d+ +0 `, "m"),
    new RegExp(`^client / at random${figures}$`, "m"),
    // Where HAProxy is there, so are its figures.
    new RegExp(`^(client / server-driven${figures}|HAProxy is not installed: no balancer was measured)$`, "m"),
  ];
  for (const line of lines) t.match(run.stdout, line);
});
