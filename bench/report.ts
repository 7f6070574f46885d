/**
 * How results are printed: a table a row of the targets, and below it ours / theirs with the
 * target.
 *
 *   system              median/s  rounds (k/s)          p50 ms  p99 ms  p99.9 ms  failed  cpu
 *   empty cluster         60,123  60.1 59.8 61.0          0.45     2.5       5.9       0  1.5 + 0.4
 *   halo                  30,456  …
 *     halo / empty cluster = 0.51 (rounds 0.49 … 0.52)   target ≥ 0.60, first step ≥ 0.35: reached
 *
 * "cpu" is in cores: of the system, and of the generator that drove it.
 */

import { spawnSync } from "node:child_process";
import { readFileSync, statfsSync } from "node:fs";
import { cpus, release, totalmem, type as systemType } from "node:os";
import { join } from "node:path";
import { ROOT } from "./children.ts";
import { medianOf } from "./median.ts";
import type { SeriesResult } from "./rounds.ts";

const GIB = 2 ** 30;
const LABEL_COLUMNS = 26;
const HEADINGS = ["median/s", "p50 ms", "p99 ms", "p99.9 ms", "failed", "cpu", "rounds (k/s)"];
const WIDTHS = [10, 8, 8, 10, 8, 13, 0];
/** Magic numbers of statfs(2). */
const FILE_SYSTEMS: Readonly<Record<number, string>> = {
  0xef53: "ext4",
  0x58465342: "xfs",
  0x9123683e: "btrfs",
  0x01021994: "tmpfs",
  0x794c7630: "overlay",
};

export interface Target {
  /** At least this share of the other's rate. */
  readonly wanted: number;
  /** What the first version must reach; 0: nothing special. */
  readonly firstStep: number;
}

/** The machine, the versions and the commit: what a figure means nothing without. */
export function describeMachine(folder: string, halo: string): string {
  const processors = cpus();
  const model = processors[0]?.model ?? "unknown processor";
  const memory = `${Math.round(totalmem() / GIB)} GiB`;
  const fileSystem = FILE_SYSTEMS[statfsSync(folder).type] ?? "unknown file system";
  return [
    `machine   ${model}, ${processors.length} cores, ${memory}, ` +
      `${systemType()} ${release()}, data on ${fileSystem}`,
    `versions  ${runtimeVersion()}, hono ${honoVersion()}, ${halo}`,
    `commit    ${commit()}`,
    `date      ${new Date().toISOString()}`,
  ].join("\n");
}

/** A table of results. */
export function table(results: readonly SeriesResult[]): string {
  const rows = results.map((result) => [
    wholeNumber(result.median),
    result.latency.quantileMs(0.5).toFixed(2),
    result.latency.quantileMs(0.99).toFixed(2),
    result.latency.quantileMs(0.999).toFixed(2),
    String(result.failed),
    `${result.systemCpu.toFixed(2)} + ${result.generatorCpu.toFixed(2)}`,
    result.perSecond.map((figure) => (figure / 1000).toFixed(1)).join(" "),
  ]);
  const lines = [line("system", HEADINGS)];
  for (const [index, result] of results.entries()) {
    lines.push(line(result.label, rows[index]));
    if (result.complaint !== "") lines.push(`      first failure: ${result.complaint}`);
  }
  return lines.join("\n");
}

/** "ours / theirs = ratio", with the spread over the rounds and the target. */
export function ratio(ours: SeriesResult, theirs: SeriesResult, target: Target | null): string {
  const pairs = ours.perSecond.map((figure, round) => figure / theirs.perSecond[round]);
  const value = medianOf(ours.perSecond) / medianOf(theirs.perSecond);
  const spread = `${Math.min(...pairs).toFixed(2)} … ${Math.max(...pairs).toFixed(2)}`;
  const text = `${ours.label} / ${theirs.label} = ${value.toFixed(2)} (rounds ${spread})`;
  return `    ${text}${target === null ? "" : `   ${verdict(value, target)}`}`;
}

/** 1234567.8 as "1,234,568". */
export function wholeNumber(figure: number): string {
  return Math.round(figure).toLocaleString("en-US");
}

/** A row that cannot be given, and why. */
export function missing(label: string, why: string): string {
  return `  ${label.padEnd(LABEL_COLUMNS)}${why}`;
}

function verdict(value: number, { wanted, firstStep }: Target): string {
  const first = firstStep > 0 ? `, first step ≥ ${firstStep}` : "";
  if (value >= wanted) return `target ≥ ${wanted}${first}: reached`;
  const isFirst = firstStep > 0 && value >= firstStep;
  return `target ≥ ${wanted}${first}: ${isFirst ? "first step reached" : "missed"}`;
}

function line(label: string, cells: readonly string[]): string {
  const padded = cells.map((cell, index) => {
    return WIDTHS[index] === 0 ? `  ${cell}` : cell.padStart(WIDTHS[index]);
  });
  return `  ${label.padEnd(LABEL_COLUMNS)}${padded.join("")}`;
}

function runtimeVersion(): string {
  const bun = process.versions["bun"];
  return bun === undefined ? `node ${process.versions.node}` : `bun ${bun}`;
}

function honoVersion(): string {
  const text = readFileSync(join(ROOT, "node_modules/hono/package.json"), "utf8");
  // Every package.json has a version.
  return (JSON.parse(text) as { version: string }).version;
}

function commit(): string {
  const head = spawnSync("git", ["rev-parse", "--short", "HEAD"], { cwd: ROOT, encoding: "utf8" });
  if (head.status !== 0) return "unknown (no git)";
  const status = spawnSync("git", ["status", "--porcelain"], { cwd: ROOT, encoding: "utf8" });
  return head.stdout.trim() + (status.stdout.trim() === "" ? "" : ", with local changes");
}
