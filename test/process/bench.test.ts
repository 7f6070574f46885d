/**
 * The cluster benchmark runs: a smoke size of it against the compiled binary, so that it does not
 * rot. Its figures mean nothing here and are not looked at; that each row has its figures is.
 */

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import t from "tap";
import { findProgram, ROOT } from "../../bench/children.ts";
import { HALO, isBuilt } from "../../bench/halo.ts";

const LIMIT_MS = 90_000;

t.test("bench/cluster.ts --smoke prints every row with halo in it", async (t) => {
  if (!t.ok(isBuilt(HALO), "dist/halo is built (make build)")) return;
  const bun = join(ROOT, "node_modules/.bin/bun");
  const args = [join(ROOT, "bench/cluster.ts"), "--smoke"];
  const run = spawnSync(bun, args, { encoding: "utf8", timeout: LIMIT_MS });
  t.equal(run.status, 0, run.stderr);
  const text = run.stdout;
  t.comment(text);
  const rows = [
    "halo / empty cluster",
    "halo get / empty server",
    "halo put dw=1 / empty server",
    "halo put dw=0 / empty server",
  ];
  for (const row of rows) t.ok(text.includes(`${row} = `), row);
  t.notMatch(text, /first failure/, "no request failed");
  const peers = { etcd: "etcd", "redis-server": "Redis everysec" };
  for (const [program, name] of Object.entries(peers)) {
    const line = text.split("\n").find((one) => one.trimStart().startsWith(name)) ?? "";
    t.equal(line.includes("not installed"), findProgram(program) === "", line);
  }
});
