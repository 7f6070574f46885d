/**
 * Question: how evenly do the paper's three strategies spread load, for how much metadata? (Figure 8)
 *
 *   make bench-figure8      bun bench/figure-8/main.ts      deno run -A bench/figure-8/main.ts
 *
 * Prints a table, and writes it with a plot to build/ and beside this file, where readers find it;
 * the figures are the same on every machine and runtime. simulation.ts says what is simulated,
 * paper.ts what the paper's plot shows.
 */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../children.ts";
import { PAPER_STRATEGY_1, PAPER_STRATEGY_2, PAPER_STRATEGY_3, type Readings } from "./paper.ts";
import { type Curve, type Plot, plotToSvg, type Point } from "./plot.ts";
import {
  type Efficiency,
  NODES,
  strategy1,
  strategy2,
  strategy3,
  strategy3Assigned,
} from "./simulation.ts";

const RINGS = 100;
const TOKENS = [5, 6, 8, 12, 17, 24, 33, 47, 67, 94, 133, 188, 267, 366, 500, 710, 1000];
const PARTITION_BITS = [7, 8, 9, 10, 11, 12, 13, 14, 15];
/** Rows of the table: entries as the paper's axis has them, and what comes next to them here. */
const ROWS = [
  { entries: 150, tokens: 5, partitionBits: 7 },
  { entries: 250, tokens: 8, partitionBits: 8 },
  { entries: 500, tokens: 17, partitionBits: 9 },
  { entries: 1_000, tokens: 33, partitionBits: 10 },
  { entries: 2_000, tokens: 67, partitionBits: 11 },
  { entries: 4_000, tokens: 133, partitionBits: 12 },
  { entries: 8_000, tokens: 267, partitionBits: 13 },
  { entries: 15_000, tokens: 500, partitionBits: 14 },
  { entries: 30_000, tokens: 1000, partitionBits: 15 },
];

const first = new Map(TOKENS.map((tokens) => [tokens, strategy1(tokens, RINGS)]));
const second = new Map(TOKENS.map((tokens) => [tokens, strategy2(tokens, RINGS)]));
const third = new Map(PARTITION_BITS.map((bits) => [bits, strategy3(bits, RINGS)]));
const ours = new Map(PARTITION_BITS.map((bits) => [bits, exactly(strategy3Assigned(bits))]));

const table = tableText();
console.log(table);
for (const folder of ["build", "bench/figure-8"]) {
  mkdirSync(join(ROOT, folder), { recursive: true });
  writeFileSync(join(ROOT, folder, "figure-8.md"), table);
  writeFileSync(join(ROOT, folder, "figure-8.svg"), plotToSvg(figure()));
  console.log(`${folder}/figure-8.md and ${folder}/figure-8.svg written`);
}

function exactly(value: number): Efficiency {
  return { mean: value, low: value, high: value };
}

function tableText(): string {
  const rows = ROWS.map(({ entries, tokens, partitionBits }) => [
    entries.toLocaleString("en-US"),
    meanAt(first, tokens),
    readingAt(PAPER_STRATEGY_1, entries),
    meanAt(second, tokens),
    readingAt(PAPER_STRATEGY_2, entries),
    meanAt(third, partitionBits),
    readingAt(PAPER_STRATEGY_3, entries),
    meanAt(ours, partitionBits),
  ]);
  return [
    "# Figure 8: load-balance efficiency, simulated and in the paper",
    "",
    "Efficiency = mean load / load of the hottest node; 30 nodes, 3 copies, keys spread evenly. Means",
    `of ${RINGS} random rings. An entry is a token (strategies 1 and 2) or a partition (strategy 3, whose`,
    "rows are the powers of two from 128 on). The paper does not say how many partitions strategy 2 had:",
    "1,024 give its curve. \"strategy 3\" deals partitions at random, a copy going to the next distinct",
    "node; \"in halo\" is the assignment that the store uses, and the most that whole partitions allow.",
    "Made by `make bench-figure8`.",
    "",
    "![Figure 8](figure-8.svg)",
    "",
    "| entries | strategy 1 | paper | strategy 2 | paper | strategy 3 | paper | in halo |",
    "| --: | --: | --: | --: | --: | --: | --: | --: |",
    ...rows.map((cells) => `| ${cells.join(" | ")} |`),
    "",
  ].join("\n");
}

function meanAt(found: ReadonlyMap<number, Efficiency>, key: number): string {
  return found.get(key)?.mean.toFixed(4) ?? "";
}

function readingAt(readings: Readings, entries: number): string {
  return readings.find(([at]) => at === entries)?.[1].toFixed(2) ?? "–";
}

function figure(): Plot {
  const tokens = (key: number) => key * NODES;
  const partitions = (bits: number) => 2 ** bits;
  const plain = { width: 2, notes: [] };
  const curves: Curve[] = [
    {
      ...plain,
      name: "strategy 1",
      colour: "#c2571a",
      points: pointsOf(first, tokens),
      marks: PAPER_STRATEGY_1,
    },
    {
      ...plain,
      name: "strategy 2",
      colour: "#7a4fb5",
      points: pointsOf(second, tokens),
      marks: PAPER_STRATEGY_2,
    },
    {
      ...plain,
      name: "strategy 3, published",
      colour: "#2f6fb3",
      points: pointsOf(third, partitions),
      marks: PAPER_STRATEGY_3,
    },
    {
      name: "strategy 3 in halo",
      colour: "#12805c",
      width: 3,
      points: pointsOf(ours, partitions),
      marks: [],
      notes: [8, 10].map((bits) => {
        const y = ours.get(bits)?.mean ?? 0;
        return { x: 2 ** bits, y, text: y.toFixed(3) };
      }),
    },
  ];
  return {
    title: "Figure 8 of the Dynamo paper, simulated",
    subtitle:
      "Load-balance efficiency: mean load / load of the hottest node. 30 nodes, 3 copies of each key.",
    xLabel: "entries of metadata that each node keeps (tokens or partitions)",
    yLabel: "efficiency",
    legend: {
      curve: `simulated, mean of ${RINGS} rings`,
      band: "eight of ten rings lie here",
      mark: "read off the plot in the paper",
    },
    xTicks: [128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768],
    yTicks: [0.5, 0.6, 0.7, 0.8, 0.9, 1],
    curves,
  };
}

/** Points by rising entries. */
function pointsOf(
  found: ReadonlyMap<number, Efficiency>,
  entriesOf: (key: number) => number,
): Point[] {
  return [...found].map(([key, { mean, low, high }]) => ({ x: entriesOf(key), y: mean, low, high }));
}
