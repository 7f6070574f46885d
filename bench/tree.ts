/**
 * Question: does a whole tree of real files survive the death of a node, and how fast does it go
 * in?
 *
 * Stores every file below a folder (by default node_modules: tens of thousands, from 0 bytes to
 * megabytes, with all the names that people give files) as `files/<path>` through all three nodes
 * of a cluster of its own, kills one node half-way, starts it again, and reads every acknowledged
 * file back from every node. bench/tree/run.ts has the course of it.
 *
 *   bun bench/tree.ts [--folder node_modules] [--limit N] [--concurrency 16] [--data FOLDER]
 *                     [--binary dist/halo]
 *
 * Exit code: 0 when nothing was lost, 1 when anything was or it could not be run, 2 for bad usage.
 */

import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { Children, ROOT } from "./children.ts";
import { HALO, haloVersion, isBuilt } from "./halo.ts";
import { describeMachine, wholeNumber } from "./report.ts";
import { filesBelow, sampleOf } from "./tree/files.ts";
import { storeTree, type TreeFigures } from "./tree/run.ts";

const MEGABYTE = 1e6;
/** The whole run is ended after this. */
const LIMIT_MS = 1_800_000;

const { values: given } = parseArgs({
  options: {
    folder: { type: "string", default: join(ROOT, "node_modules") },
    limit: { type: "string", default: "Infinity" },
    concurrency: { type: "string", default: "16" },
    data: { type: "string", default: join(ROOT, ".data") },
    binary: { type: "string", default: HALO },
  },
});
const limit = Number(given.limit);
const concurrency = Number(given.concurrency);
if (!(limit > 0) || !(concurrency > 0)) {
  end(2, `--limit is '${given.limit}', --concurrency '${given.concurrency}', want numbers above 0`);
}
const binary = resolve(given.binary);
if (!isBuilt(binary)) end(1, `${binary} is not there, build it first (make build)`);
const folder = resolve(given.folder);
mkdirSync(given.data, { recursive: true });

const children = new Children(resolve(given.data));
const timer = setTimeout(() => end(1, `gave up after ${LIMIT_MS / 1000} s`), LIMIT_MS);
let lost = 1;
try {
  print(`halo tree: ${folder}\n${describeMachine(given.data, haloVersion(binary))}`);
  const paths = sampleOf(filesBelow(folder), limit);
  const options = { children, binary, folder, paths, concurrency, report: print };
  const figures = await storeTree(options);
  print(describe(figures));
  lost = figures.lost;
} finally {
  clearTimeout(timer);
  await children.end();
}
process.exitCode = lost > 0 ? 1 : 0;

function describe(figures: TreeFigures): string {
  const { acknowledged, acknowledgedBytes, writeSeconds, readSeconds, readsRight } = figures;
  const filesRate = wholeNumber(acknowledged / writeSeconds);
  const bytesRate = (acknowledgedBytes / MEGABYTE / writeSeconds).toFixed(1);
  const total = `${wholeNumber(acknowledged)} of ${wholeNumber(figures.files)} files`;
  const refused = `${figures.refused} otherwise, unreadable on disk: ${figures.unreadable}`;
  const lines = [
    `acknowledged   ${total}, ${(acknowledgedBytes / MEGABYTE).toFixed(1)} MB`,
    `written        ${filesRate} files/s, ${bytesRate} MB/s, ${figures.retried} needed a retry`,
    `refused        ${figures.tooLarge} as too large, ${refused}`,
    `unknown        ${figures.unknown}`,
    `read back      ${wholeNumber(readsRight)} right, ${wholeNumber(readsRight / readSeconds)}/s`,
    `hints          ${figures.hintsDelivered} delivered, ${figures.hintsPending} pending`,
    `replicas       ${figures.replicasMissing} missing or different`,
    ...figures.losses.map((loss) => `  ${loss}`),
    ...(figures.complaint === "" ? [] : [`first refusal  ${figures.complaint}`]),
    `lost: ${figures.lost}`,
  ];
  return lines.join("\n");
}

function end(code: number, sentence: string): never {
  process.stderr.write(`${sentence}\n`);
  process.exit(code);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
