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

import { execFileSync } from "node:child_process";
import process from "node:process";
import { Tally } from "../tally.ts";
import { type Counts, type Row, Sizes } from "./row.ts";
import { ROWS } from "./rows.ts";

async function main(): Promise<boolean> {
  const sizes = new Sizes(process.env);
  const wanted = process.env.ROWS?.split(",");
  const unknown = wanted?.filter((id) => !ROWS.some((row) => row.id === id)) ?? [];
  if (unknown.length > 0) {
    say(`ROWS has ${unknown.join(", ")}, want some of ${ROWS.map(({ id }) => id).join(",")}`);
    return false;
  }
  const rows = ROWS.filter(({ id }) => wanted === undefined || wanted.includes(id));
  say(`seed ${sizes.seed}, ${runtimeName()}, commit ${commit()}`);
  let isAllRight = true;
  for (const row of rows) isAllRight = (await runRow(row, sizes)) && isAllRight;
  return isAllRight;
}

async function runRow(row: Row, sizes: Sizes): Promise<boolean> {
  const tally = new Tally();
  const began = performance.now();
  let counts: Counts = {};
  let thrown: unknown;
  try {
    counts = await row.run(sizes, tally);
  } catch (error) {
    thrown = error ?? new Error("threw nothing in particular");
  }
  tally.close(thrown);
  const seconds = Math.round((performance.now() - began) / 1000);
  const told = Object.entries(counts).map(([name, count]) => `${count} ${spaced(name)}`);
  const verdict = tally.failed === 0 ? "all held" : `${tally.failed} of ${tally.checks} FAILED`;
  say(`${row.id} ${row.title}: ${told.join(", ")}; ${tally.checks} checks, ${verdict}; ${seconds} s`);
  for (const failure of tally.failures) say(`  ${failure}`);
  if (tally.failed > 0) say(`repeat with: ${repeating(row, sizes)}`);
  return tally.failed === 0;
}

/** failedSyncs → failed syncs */
function spaced(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

function repeating({ id, reads }: Row, sizes: Sizes): string {
  const given = reads.filter((name) => process.env[name] !== undefined);
  const told = given.map((name) => `${name}=${process.env[name]}`);
  return ["make crash", `ROWS=${id}`, `SEED=${sizes.seed}`, ...told].join(" ");
}

function runtimeName(): string {
  const { bun, deno, node } = process.versions;
  return bun !== undefined ? `Bun ${bun}` : deno !== undefined ? `Deno ${deno}` : `Node ${node}`;
}

function commit(): string {
  try {
    const changed = execFileSync("git", ["status", "--porcelain"]).toString() === "" ? "" : " and changes";
    return execFileSync("git", ["rev-parse", "--short", "HEAD"]).toString().trim() + changed;
  } catch {
    return "unknown: no git here";
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

process.exit((await main()) ? 0 : 1);
