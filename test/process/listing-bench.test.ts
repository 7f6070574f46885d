/** The benchmark of listings still runs against the compiled binary: its lines, not its figures. */

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import t from "tap";
import { ROOT } from "../../bench/children.ts";
import { HALO, isBuilt } from "../../bench/halo.ts";

const LIMIT_MS = 90_000;

t.test("bench/listing.ts --smoke answers its question", async (t) => {
  if (!t.ok(isBuilt(HALO), "dist/halo is built (make build)")) return;
  const bun = join(ROOT, "node_modules/.bin/bun");
  const args = [join(ROOT, "bench/listing.ts"), "--smoke"];
  const run = spawnSync(bun, args, { encoding: "utf8", timeout: LIMIT_MS });
  t.equal(run.status, 0, run.stderr);
  t.comment(run.stdout);
  const lines = [/^100 keys of 2000: /m, /^listing alone +\d/m, /^without a listing +\d/m, /^with a listing +\d/m];
  for (const line of lines) t.match(run.stdout, line);
});
