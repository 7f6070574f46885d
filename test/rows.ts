/**
 * Runs the rows of a table of faults (row.ts) from the command line: a line for each, with what was done, how
 * often, and whether all held. Each failure is told with the command that repeats it.
 */

import { execFileSync } from "node:child_process";
import process from "node:process";
import { type Counts, type Row, Sizes } from "./row.ts";
import { Tally } from "./tally.ts";

/** Runs the rows that ROWS names, or all of them; false where something failed. @param command "make crash" */
export async function runRows(command: string, all: readonly Row[]): Promise<boolean> {
  const sizes = new Sizes(process.env);
  const wanted = process.env.ROWS?.split(",");
  const unknown = wanted?.filter((id) => !all.some((row) => row.id === id)) ?? [];
  if (unknown.length > 0) {
    say(`ROWS has ${unknown.join(", ")}, want some of ${all.map(({ id }) => id).join(",")}`);
    return false;
  }
  const rows = all.filter(({ id }) => wanted === undefined || wanted.includes(id));
  say(`seed ${sizes.seed}, ${runtimeName()}, commit ${commit()}`);
  let isAllRight = true;
  for (const row of rows) isAllRight = (await runRow(command, row, sizes)) && isAllRight;
  return isAllRight;
}

async function runRow(command: string, row: Row, sizes: Sizes): Promise<boolean> {
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
  if (tally.failed > 0) say(`repeat with: ${repeating(command, row, sizes)}`);
  return tally.failed === 0;
}

/** failedSyncs → failed syncs */
function spaced(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

function repeating(command: string, { id, reads }: Row, sizes: Sizes): string {
  const given = reads.filter((name) => process.env[name] !== undefined);
  const told = given.map((name) => `${name}=${process.env[name]}`);
  return [command, `ROWS=${id}`, `SEED=${sizes.seed}`, ...told].join(" ");
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
