/**
 * Figure 8 of the paper on every runtime: the strategies lie on the paper's plot, our assignment lies
 * where whole partitions let it, and the table that readers find is what the simulation says.
 */

import { readFileSync } from "node:fs";
import {
  PAPER_STRATEGY_1,
  PAPER_STRATEGY_2,
  PAPER_STRATEGY_3,
  type Readings,
} from "../../bench/figure-8/paper.ts";
import {
  COPIES,
  NODES,
  strategy1,
  strategy2,
  strategy3,
  strategy3Assigned,
} from "../../bench/figure-8/simulation.ts";
import { everyHere } from "../random.ts";
import type { Case, Check } from "../suite.ts";

const RINGS = 20;
/** How far the paper's plot can be read, and chance in this many rings. */
const TOLERANCE = 0.02;

function checkCurve(
  check: Check,
  name: string,
  readings: Readings,
  simulate: (entries: number) => number,
): void {
  for (let index = 0; index < readings.length; index += everyHere(1)) {
    const [entries, wanted] = readings[index];
    const found = simulate(entries);
    const what = `${name} at ${entries} entries: ${found.toFixed(4)}, in the paper ${wanted}`;
    check.ok(Math.abs(found - wanted) <= TOLERANCE, what);
  }
}

function tokensFor(entries: number): number {
  return Math.round(entries / NODES);
}

function bitsFor(entries: number): number {
  return Math.round(Math.log2(entries));
}

export const suite: readonly Case[] = [
  {
    name: "Figure 8: strategy 1 lies within 0.02 of the paper's plot",
    run(check) {
      checkCurve(check, "strategy 1", PAPER_STRATEGY_1, (entries) => {
        return strategy1(tokensFor(entries), RINGS).mean;
      });
    },
  },
  {
    name: "Figure 8: strategy 2 lies within 0.02 of the paper's plot, its fall as well",
    run(check) {
      checkCurve(check, "strategy 2", PAPER_STRATEGY_2, (entries) => {
        return strategy2(tokensFor(entries), RINGS).mean;
      });
    },
  },
  {
    name: "Figure 8: strategy 3 with random assignment lies within 0.02 of the paper's plot",
    run(check) {
      checkCurve(check, "strategy 3", PAPER_STRATEGY_3, (entries) => {
        return strategy3(bitsFor(entries), RINGS).mean;
      });
    },
  },
  {
    name: "Figure 8: our assignment is ≥ 0.99 at Q = 1,024, ≥ 0.98 at Q = 256, the most there can be",
    run(check) {
      for (const [bits, wanted] of [
        [8, 0.98],
        [10, 0.99],
        [13, 0.99],
      ]) {
        const reached = strategy3Assigned(bits);
        const mean = (2 ** bits * COPIES) / NODES;
        check.ok(reached >= wanted, `Q = ${2 ** bits}: ${reached}`);
        const bound = mean / Math.ceil(mean);
        check.ok(Math.abs(reached - bound) < 1e-9, `Q = ${2 ** bits}: ${reached}, bound ${bound}`);
      }
    },
  },
  {
    name: "The table beside the plot is what the simulation says",
    run(check) {
      const path = new URL("../../bench/figure-8/figure-8.md", import.meta.url);
      const line = /^\| 1,000 \|(.*)\|$/m.exec(readFileSync(path, "utf8"))?.[1] ?? "";
      const cells = line.split("|").map((cell) => cell.trim());
      const found = [strategy1(33, 100), strategy2(33, 100), strategy3(10, 100)];
      const wanted = [...found.map(({ mean }) => mean), strategy3Assigned(10)];
      const rows = [cells[0], cells[2], cells[4], cells[6]];
      check.same(rows, wanted.map((value) => value.toFixed(4)), "again: make bench-figure8");
    },
  },
];
