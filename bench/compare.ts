/**
 * The working tree against another commit: is it faster, and does it allocate less?
 *
 *   build/ref-1a2b3c4/          that commit, as it was
 *                    /core …    its own product
 *                    /bench-now the benchmarks of the working tree, on that product
 *
 * Each round runs a file once on either side, in fresh processes (A B, B A, …), so that neither what
 * a process has compiled nor where the machine drifts to favours one. Medians over the rounds;
 * the ratio's spread over the rounds stands beside it.
 *
 * Works that need a function which the other commit does not have are left out there (stand-ins);
 * where a file does not run on the other product at all, that commit's own file of that name answers,
 * as far as it can. Lines go together by task and name, and one that is missing on a side is said to
 * be.
 */

import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./children.ts";
import { medianOf } from "./median.ts";
import { type Answer, figure, type Line } from "./question.ts";
import { type Outcome, runOn, type Runtime } from "./runtimes.ts";
import { standIn } from "./stand-ins.ts";

const ROUNDS = 5;
const SECONDS_MAX = 2;
/** Garbage of the runtime itself comes and goes with collections. */
const BYTES_NOISE = 0.1;
const BENCHES_NOW = "bench-now";

/** Answers of one side, a round each, and why there are none. */
interface Side {
  readonly answers: Answer[];
  complaint: string;
}

/** Prints a table a file and runtime. Returns false where a file does not run as it is now. */
export function compareWith(
  ref: string,
  files: readonly string[],
  runtimes: readonly Runtime[],
  seconds: number,
): boolean {
  const commit = git(["rev-parse", "--short", `${ref}^{commit}`]);
  const tree = unpack(commit);
  for (const file of files) standIn(join(tree, BENCHES_NOW, file));
  const secondsEach = Math.min(SECONDS_MAX, seconds / files.length / runtimes.length / ROUNDS / 2);
  console.log(`against   ${ref} (${commit}), ${ROUNDS} rounds of fresh processes`);
  let isComplete = true;
  for (const file of files) {
    for (const runtime of runtimes) {
      const now: Side = { answers: [], complaint: "" };
      const then: Side = { answers: [], complaint: "" };
      for (let round = 0; round < ROUNDS; round++) {
        const options = ["--json", "--rounds", "1", "--seconds", String(secondsEach)];
        const runNow = () => add(now, runOn(runtime, ROOT, join("bench", file), options));
        const runThen = () => add(then, runThere(runtime, tree, file, options));
        for (const runSide of round % 2 === 0 ? [runNow, runThen] : [runThen, runNow]) runSide();
      }
      console.log(comparison(file, runtime, commit, now, then));
      isComplete &&= now.complaint === "";
    }
  }
  return isComplete;
}

/** The commit's tree under build/, with the benchmarks of now beside its own. */
function unpack(commit: string): string {
  const tree = join(ROOT, "build", `ref-${commit}`);
  const benches = join(tree, BENCHES_NOW);
  if (!existsSync(tree)) {
    const archive = `${tree}.tar`;
    mkdirSync(tree, { recursive: true });
    git(["archive", `--output=${archive}`, commit]);
    must("tar", ["-xf", archive, "-C", tree]);
    rmSync(archive);
  }
  rmSync(benches, { recursive: true, force: true });
  cpSync(join(ROOT, "bench"), benches, { recursive: true });
  return tree;
}

/** The file of now on that tree; where that does not run, the tree's own. */
function runThere(
  runtime: Runtime,
  tree: string,
  file: string,
  options: readonly string[],
): Outcome {
  const outcome = runOn(runtime, tree, join(BENCHES_NOW, file), options);
  const own = join("bench", file);
  if (outcome.complaint === "" || !existsSync(join(tree, own))) return outcome;
  const second = runOn(runtime, tree, own, options);
  return second.complaint === "" ? second : outcome;
}

function add(side: Side, { output, complaint }: Outcome): void {
  side.complaint = complaint;
  // What --json prints is an Answer.
  if (complaint === "") side.answers.push(JSON.parse(output) as Answer);
}

function comparison(
  file: string,
  runtime: Runtime,
  commit: string,
  now: Side,
  then: Side,
): string {
  const question = now.answers[0]?.question ?? then.answers[0]?.question ?? file;
  const text = ["", `${question.padEnd(80)}  ${runtime}`];
  if (now.complaint !== "") text.push(`  does not run as it is now: ${now.complaint}`);
  if (then.complaint !== "") text.push(`  does not run at ${commit}: ${then.complaint}`);
  const lines = new Map([...linesOf(now), ...linesOf(then)].map((line) => [keyOf(line), line]));
  let task = "";
  for (const [key, line] of lines) {
    if (line.task !== task) text.push("", row(line.task, ["ns now", commit, "ratio", "bytes/op"]));
    task = line.task;
    text.push(compareLine(line, linesAlike(now, key), linesAlike(then, key), commit));
  }
  return text.join("\n");
}

function compareLine(
  line: Line,
  now: readonly Line[],
  then: readonly Line[],
  commit: string,
): string {
  const label = `  ${line.name}${line.isReference ? " *" : ""}`;
  const [nowNs, thenNs] = [now, then].map((side) => medianOf(side.map((one) => one.nanoseconds)));
  if (then.length === 0) return `${row(label, [figure(nowNs)]).trimEnd()}   not at ${commit}`;
  if (now.length === 0) return `${row(label, ["", figure(thenNs)]).trimEnd()}   only at ${commit}`;
  const pairs = Array.from({ length: Math.min(now.length, then.length) }, (_, round) => {
    return now[round].nanoseconds / then[round].nanoseconds;
  });
  const cells = [figure(nowNs), figure(thenNs), (nowNs / thenNs).toFixed(2), bytesOf(now, then)];
  const spread = `${Math.min(...pairs).toFixed(2)} … ${Math.max(...pairs).toFixed(2)}`;
  return `${row(label, cells)}   rounds ${spread}`;
}

/** Bytes of an operation; of both sides where they differ by more than readings do. */
function bytesOf(now: readonly Line[], then: readonly Line[]): string {
  const [ours, theirs] = [now, then].map((side) => medianOf(side.map((one) => one.bytes)));
  const [text, thenText] = [ours, theirs].map((bytes) => Math.round(bytes).toLocaleString("en-US"));
  return Math.abs(ours - theirs) < 1 + BYTES_NOISE * theirs ? text : `${text}, was ${thenText}`;
}

function row(label: string, cells: readonly string[]): string {
  const [now = "", then = "", ratio = "", bytes = ""] = cells;
  const figures = now.padStart(11) + then.padStart(11) + ratio.padStart(8) + bytes.padStart(20);
  return label.padEnd(52) + figures;
}

function linesOf(side: Side): readonly Line[] {
  return side.answers[0]?.lines ?? [];
}

function linesAlike(side: Side, key: string): Line[] {
  return side.answers.flatMap(({ lines }) => lines.filter((line) => keyOf(line) === key));
}

function keyOf(line: Line): string {
  return `${line.task}\n${line.name}`;
}

function git(options: readonly string[]): string {
  return must("git", ["-C", ROOT, ...options]).trim();
}

/** @throws Error with what the command said, where it failed */
function must(command: string, options: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(command, options, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${options.join(" ")}: ${stderr.trim()}`);
  return stdout;
}
