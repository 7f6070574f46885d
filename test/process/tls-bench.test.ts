/** The benchmark of TLS still runs against the compiled binary: its lines, not its figures. */

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import t from "tap";
import { ROOT } from "../../bench/children.ts";
import { HALO, isBuilt } from "../../bench/halo.ts";

const LIMIT_MS = 90_000;

t.test("bench/tls.ts --smoke answers its question", async (t) => {
  if (!t.ok(isBuilt(HALO), "dist/halo is built (make build)")) return;
  const bun = join(ROOT, "node_modules/.bin/bun");
  const run = spawnSync(bun, [join(ROOT, "bench/tls.ts"), "--smoke"], { encoding: "utf8", timeout: LIMIT_MS });
  t.equal(run.status, 0, run.stderr);
  t.comment(run.stdout);
  for (const what of ["get", "put"]) t.match(run.stdout, new RegExp(`^${what}  plain \\d+/s  TLS \\d+/s  ratio \\d`, "m"));
});
