/**
 * The faults of a node's disk at full size, from the command line:
 *
 *   bun test/crash/main.ts                  all rows (hours)
 *   ROWS=B1,B8 SEED=7 …                     some of them
 *   ROWS=B5 KILLS=200 SEED=9 …              a piece of the campaign of kills; the last line tells how to go on
 *
 * A line for each row: what was done, how often, and whether all held. Each failure is told with the
 * command that repeats it. Ends with exit code 1 where something failed. Sizes: rows.ts.
 */

import process from "node:process";
import { runRows } from "../rows.ts";
import { ROWS } from "./rows.ts";

process.exit((await runRows("make crash", ROWS)) ? 0 : 1);
