/**
 * The simulator from the command line:
 *
 *   SEED=7 bun test/simulation/main.ts             replays one seed and prints the hash of its
 *                                                  trace
 *   SEED=7 TRACE=1 …                               and the trace itself
 *   SEEDS=1-200 …                                  runs a range and sums up
 *   HASHES=1 …                                     and prints the hash of each seed's trace
 *   OPERATIONS=5000 …                              client operations a seed (1,000)
 *   FAMILY=C4 SEEDS=1-45 …                         one kind of trouble (families.ts)
 *   FAMILY=C13 OTHER=../halo-0.1 …                 the folder of another version, which C13 mixes in
 *
 * Ends with exit code 1 when a seed failed. Runs on Bun, Deno (-A) and, bundled, on Node.
 */

import { resolve } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import type { Node } from "../../server/node.ts";
import { FAMILIES } from "./families.ts";
import { type Report, simulate } from "./simulation.ts";

const OPERATIONS_DEFAULT = 1_000;

interface Total {
  seeds: number;
  operations: number;
  acknowledged: number;
  refused: number;
  unknown: number;
  reads: number;
  faults: number;
  changes: number;
  losses: number;
  falseSiblings: number;
  lateTwins: number;
  simulatedMs: number;
  lost: number;
  readonly failed: number[];
}

async function main(): Promise<void> {
  const { SEED, SEEDS, TRACE, HASHES, OPERATIONS, FAMILY, OTHER } = process.env;
  const operations = Number(OPERATIONS ?? OPERATIONS_DEFAULT);
  const range = rangeOf(SEEDS ?? SEED ?? "1");
  if (range === null || !Number.isSafeInteger(operations) || operations < 1) {
    say(`SEEDS is "${SEEDS ?? SEED}", wanted is a number or a range such as 1-200`);
    process.exitCode = 2;
    return;
  }
  const family = FAMILIES.find(({ id }) => id === FAMILY);
  if (FAMILY !== undefined && family === undefined) {
    say(`FAMILY is "${FAMILY}", wanted is one of ${FAMILIES.map(({ id }) => id).join(", ")}`);
    process.exitCode = 2;
    return;
  }
  if ((FAMILY === "C13") !== (OTHER !== undefined)) {
    say("Family C13 and OTHER, the folder of another version, belong together");
    process.exitCode = 2;
    return;
  }
  const otherVersion = OTHER === undefined ? undefined : await nodeOf(OTHER);
  const isOne = range[0] === range[1];
  const total = emptyTotal();
  for (let seed = range[0]; seed <= range[1]; seed++) {
    const keepTrace = isOne && TRACE === "1";
    const report = simulate(seed, { operations, keepTrace, otherVersion, ...(family === undefined ? {} : { family }) });
    for (const line of report.lines) say(line);
    if (isOne) tellOne(report);
    else if (HASHES === "1") say(`seed ${seed} trace ${report.hash}`);
    if (report.violations.length > 0) tellFailure(report, operations);
    add(total, report);
  }
  if (!isOne) tellTotal(total);
  process.exitCode = total.failed.length === 0 ? 0 : 1;
}

/** The node of another version. */
async function nodeOf(folder: string): Promise<typeof Node> {
  const version: { Node: typeof Node } = await import(pathToFileURL(resolve(folder, "server/node.ts")).href);
  return version.Node;
}

/** "7" or "1-200" as first and last. */
function rangeOf(text: string): [number, number] | null {
  const parts = text.split("-").map(Number);
  const [first, last] = parts.length === 1 ? [parts[0], parts[0]] : parts;
  const isRange = Number.isSafeInteger(first) && Number.isSafeInteger(last) && parts.length <= 2;
  return isRange && first >= 1 && first <= last ? [first, last] : null;
}

function tellOne(report: Report): void {
  const { seed, shape, counts, hash, faults, changes, losses, events, simulatedMs } = report;
  const { network, engine, partitions } = shape;
  say(
    `seed ${seed}: ${shape.nodes} nodes, ${partitions} partitions, engine ${engine}, ` +
      `loss ${network.lossPercent} %, duplicates ${network.duplicatePercent} %, ` +
      `delay ${network.delayMeanMs} ms, ${faults} faults, ${changes} changes, ${losses} losses`,
  );
  say(
    `${counts.operations} operations: ${counts.writes} writes, ` +
      `${counts.acknowledged} acknowledged, ${counts.refused} refused, ` +
      `${counts.unknown} unknown; ${counts.readsDone} of ${counts.reads} reads done; ` +
      `${counts.listings} listings in ${counts.pages} pages`,
  );
  say(`${events} events in ${Math.floor(simulatedMs / 1000)} simulated seconds`);
  say(`trace ${hash}`);
}

function tellFailure({ seed, violations }: Report, operations: number): void {
  for (const { verdict, key, detail } of violations.slice(0, 10)) {
    say(`seed ${seed}: ${verdict.toUpperCase()} ${key} ${detail}`);
  }
  if (violations.length > 10) say(`seed ${seed}: … and ${violations.length - 10} more`);
  const custom = operations === OPERATIONS_DEFAULT ? "" : ` OPERATIONS=${operations}`;
  const { FAMILY, OTHER } = process.env;
  const family = (FAMILY === undefined ? "" : ` FAMILY=${FAMILY}`) + (OTHER === undefined ? "" : ` OTHER=${OTHER}`);
  say(`repeat with: make sim SEED=${seed}${custom}${family} TRACE=1`);
}

function emptyTotal(): Total {
  return {
    seeds: 0,
    operations: 0,
    acknowledged: 0,
    refused: 0,
    unknown: 0,
    reads: 0,
    faults: 0,
    changes: 0,
    losses: 0,
    falseSiblings: 0,
    lateTwins: 0,
    simulatedMs: 0,
    lost: 0,
    failed: [],
  };
}

function add(total: Total, report: Report): void {
  const { counts } = report;
  total.seeds++;
  total.operations += counts.operations;
  total.acknowledged += counts.acknowledged;
  total.refused += counts.refused;
  total.unknown += counts.unknown;
  total.reads += counts.readsDone;
  total.faults += report.faults;
  total.changes += report.changes;
  total.losses += report.losses;
  total.falseSiblings += report.falseSiblings;
  total.lateTwins += report.lateTwins;
  total.simulatedMs += report.simulatedMs;
  total.lost += report.violations.filter(({ verdict }) => verdict === "lost").length;
  if (report.violations.length > 0) total.failed.push(report.seed);
}

function tellTotal(total: Total): void {
  say(
    `${total.seeds} seeds, ${total.operations} operations, ${total.acknowledged} acknowledged ` +
      `writes, ${total.lost} lost, ${total.refused} refused, ${total.unknown} unknown, ` +
      `${total.reads} reads, ${total.falseSiblings} false siblings, ` +
      `${total.lateTwins} late twins; ${total.faults} faults, ${total.changes} changes of the ` +
      `membership, ${total.losses} disks or powers lost, ${Math.floor(total.simulatedMs / 3_600_000)} simulated hours`,
  );
  if (total.failed.length === 0) return;
  say(`${total.failed.length} seeds failed: ${total.failed.join(" ")}`);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

await main();
