/** The benchmark of background work still runs against the compiled binary: its lines, not its figures. */

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import t from "tap";
import { ROOT } from "../../bench/children.ts";
import { HALO, isBuilt } from "../../bench/halo.ts";

const LIMIT_MS = 90_000;

t.test("bench/background.ts --smoke: a node joins beside the load, and all of it comes to an end", async (t) => {
  if (!t.ok(isBuilt(HALO), "dist/halo is built (make build)")) return;
  const bun = join(ROOT, "node_modules/.bin/bun");
  const args = [join(ROOT, "bench/background.ts"), "--smoke"];
  const run = spawnSync(bun, args, { encoding: "utf8", timeout: LIMIT_MS });
  t.equal(run.status, 0, run.stderr);
  t.comment(run.stdout);
  const lines = [/^nothing beside them +\d/m, /^a node joins +\d/m, /^nothing again +\d/m, /mean of both without = \d/];
  for (const line of lines) t.match(run.stdout, line);
  t.notMatch(run.stdout, /has not finished/);
});
