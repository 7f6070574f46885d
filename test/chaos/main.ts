/**
 * Real processes under load while the cluster changes and things fail, from the command line (hours; root, for a
 * network that can be cut; `make chaos`):
 *
 *   bun test/chaos/main.ts                  all rows
 *   ROWS=D4 RUNS=20 SEED=7 …                some of them
 *
 * A line for each row: what was done, how often, and whether all held. Sizes: rows.ts.
 */

import { spawnSync } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { runRows } from "../rows.ts";
import { ROWS } from "./rows.ts";

const INSIDE = "CHAOS_INSIDE";

/** Begins again in a network namespace of its own, which goes when it ends. */
function inOwnNetwork(): number {
  const { execPath, execArgv, env } = process;
  const words = ["--net", "--", execPath, ...execArgv, fileURLToPath(import.meta.url)];
  const { status, error } = spawnSync("unshare", words, { stdio: "inherit", env: { ...env, [INSIDE]: "1" } });
  if (error === undefined && status !== null) return status;
  process.stdout.write("make chaos wants a network of its own: Linux, util-linux, iproute2, and root\n");
  return 1;
}

if (process.env[INSIDE] === undefined) process.exit(inOwnNetwork());
process.exit((await runRows("make chaos", ROWS)) ? 0 : 1);
