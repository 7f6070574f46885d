/**
 * The frame of every micro-benchmark: one file, one question, its answer a table.
 *
 *   What does the position of a name cost?                              Bun 1.4.5
 *
 *   16-byte name                        ns/op        ops/s     bytes/op   × Bun.MD5.hash
 *     md5Into                            55.1       18.1 M            0             0.87
 *     Bun.MD5.hash *                     63.1       15.8 M            0             1.00
 *
 *   *   a reference: the same work done by other means, in the same run
 *   ×   relative to the first reference that this runtime has
 *
 * Works of a task alternate (A B A B …) for some rounds, so that whatever drifts on the machine
 * drifts for all; what is shown are medians over the rounds, of mitata's median of each.
 *
 *   bun bench/core/md5.ts          deno run -A bench/core/md5.ts          make bench FILE=md5
 *
 *   --rounds 5     how often the works alternate
 *   --seconds 4    to spend on timing, over all works and rounds
 *   --json         one line for a program: an Answer
 *   --smoke        every work once, untimed: does the file still run?
 */

import process from "node:process";
import { parseArgs } from "node:util";
import { measure } from "mitata";
import { bytesPerCall } from "./allocation.ts";
import { medianOf } from "./median.ts";
import { NotThere } from "./stand-ins.ts";

const WARM_UP_MS = 30;
/** A work slower than this is timed call by call, a faster one in batches. */
const BATCH_NS_MAX = 4096;

/** One way of doing a task. */
export interface Work {
  /** In words that stay the same: a comparison with another commit goes by task and name. */
  readonly name: string;
  /**
   * Does it once. A result that nothing else depends on goes to `keep`, inputs should vary: a
   * compiler leaves out what it can foresee.
   */
  readonly run: () => void;
  /** Not our way, but the yardstick. */
  readonly isReference?: boolean;
  /** Operations in one call of `run`, where it does several at once; 1 if not said. */
  readonly operations?: number;
}

/** Works that do the same, beside each other; null for one that this runtime does not have. */
export interface Task {
  readonly title: string;
  readonly works: readonly (Work | null)[];
}

/** What was measured of a work. */
export interface Line {
  readonly task: string;
  readonly name: string;
  readonly isReference: boolean;
  readonly nanoseconds: number;
  readonly bytes: number;
}

/** What a benchmark answers with --json. */
export interface Answer {
  readonly question: string;
  readonly runtime: string;
  readonly lines: readonly Line[];
}

let kept = 0;

/** Takes a result in, so that the work is not left out. Whole numbers. */
export function keep(value: number): void {
  kept = (kept + value) | 0;
}

/** Measures all works and prints the answer. */
export async function ask(question: string, tasks: readonly Task[]): Promise<void> {
  const { values } = parseArgs({
    strict: false,
    options: {
      rounds: { type: "string", default: "5" },
      seconds: { type: "string", default: "4" },
      json: { type: "boolean", default: false },
      smoke: { type: "boolean", default: false },
    },
  });
  const rounds = Number(values.rounds);
  const workCount = tasks.reduce((sum, task) => sum + present(task).length, 0);
  const secondsEach = Number(values.seconds) / rounds / workCount;
  const lines: Line[] = [];
  for (const task of tasks) {
    if (values.smoke === true) lines.push(...runOnce(task));
    else lines.push(...(await measureTask(task, rounds, secondsEach)));
  }
  const answer = { question, runtime: runtimeName(), lines };
  if (values.json === true) console.log(JSON.stringify(answer));
  else console.log(answerTable(answer));
}

/** The answer as a table. */
export function answerTable({ question, runtime, lines }: Answer): string {
  const text = ["", `${question.padEnd(78)}  ${runtime}`];
  for (const task of new Set(lines.map((line) => line.task))) {
    const mates = lines.filter((line) => line.task === task);
    const yardstick = mates.find((line) => line.isReference);
    const heading = yardstick === undefined ? "" : `   × ${yardstick.name}`;
    text.push("", row(task, ["ns/op", "ops/s", "bytes/op"]) + heading);
    for (const line of mates) {
      const label = `  ${line.name}${line.isReference ? " *" : ""}`;
      const cells = [figure(line.nanoseconds), rate(line.nanoseconds), wholeBytes(line.bytes)];
      const share = yardstick === undefined ? "" : ratio(line, yardstick);
      text.push(row(label, cells) + share);
    }
  }
  return [...text, `  checksum ${kept}`].join("\n");
}

function ratio(line: Line, yardstick: Line): string {
  return (line.nanoseconds / yardstick.nanoseconds).toFixed(2).padStart(9);
}

function row(label: string, cells: readonly string[]): string {
  return label.padEnd(52) + cells.map((cell) => cell.padStart(13)).join("");
}

/** 3 or 4 digits, as many as mean something. */
export function figure(value: number): string {
  if (value < 100) return value.toFixed(value < 10 ? 2 : 1);
  return Math.round(value).toLocaleString("en-US");
}

function rate(nanoseconds: number): string {
  const perSecond = 1e9 / nanoseconds;
  if (perSecond >= 1e6) return `${(perSecond / 1e6).toPrecision(3)} M`;
  if (perSecond >= 1e3) return `${(perSecond / 1e3).toPrecision(3)} k`;
  return perSecond.toPrecision(3);
}

function wholeBytes(bytes: number): string {
  return Math.round(bytes).toLocaleString("en-US");
}

/** What this runtime and this product have. */
function present(task: Task): Work[] {
  return task.works.filter((work) => work !== null).filter(isThere);
}

function isThere({ run }: Work): boolean {
  try {
    run();
    return true;
  } catch (error) {
    if (error instanceof NotThere) return false;
    throw error;
  }
}

/** Lines without figures: looking whether a work is there runs it. */
function runOnce(task: Task): Line[] {
  return present(task).map(({ name, isReference = false }) => {
    return { task: task.title, name, isReference, nanoseconds: 0, bytes: 0 };
  });
}

async function measureTask(task: Task, rounds: number, secondsEach: number): Promise<Line[]> {
  const works = present(task);
  const samples = works.map(() => [] as number[]);
  for (const { run } of works) warmUp(run);
  for (let round = 0; round < rounds; round++) {
    for (const [index, work] of works.entries()) {
      samples[index].push(await nanosecondsOf(work, secondsEach));
    }
  }
  const lines: Line[] = [];
  for (const [index, { name, run, isReference = false, operations = 1 }] of works.entries()) {
    const nanoseconds = medianOf(samples[index]);
    const bytes = (await bytesPerCall(run)) / operations;
    lines.push({ task: task.title, name, isReference, nanoseconds, bytes });
  }
  return lines;
}

/** Until it is compiled, so that mitata sees from the first call whether to batch. */
function warmUp(run: () => void): void {
  const end = performance.now() + WARM_UP_MS;
  do run();
  while (performance.now() < end);
}

async function nanosecondsOf({ run, operations = 1 }: Work, seconds: number): Promise<number> {
  const stats = await measure(run, {
    batch_threshold: BATCH_NS_MAX,
    min_cpu_time: seconds * 1e9,
    min_samples: 3,
  });
  return stats.p50 / operations;
}

function runtimeName(): string {
  const { bun, deno, node } = process.versions;
  if (bun !== undefined) return `Bun ${bun}`;
  return deno !== undefined ? `Deno ${deno}` : `Node ${node}`;
}
