/**
 * All micro-benchmarks, one file a question, on every runtime; or against another commit.
 *
 *   make bench                          every question on Bun, Deno and Node
 *   make bench FILE=md5 RUNTIME=bun     the files whose name contains the word; on that runtime
 *   make bench REF=main~3               the working tree against that commit (on Bun, if no other
 *                                       runtime is named): bench/compare.ts
 *
 *   bun bench/suite.ts [--file WORD] [--runtime bun|deno|node] [--ref REF] [--seconds 150]
 *
 * `--seconds` is what all measurements take together, setting up apart: a question gets its part of
 * them, and 4 at most. Nothing here fails over a figure; a file that does not run does.
 */

import { readdirSync } from "node:fs";
import { basename, join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { ROOT } from "./children.ts";
import { compareWith } from "./compare.ts";
import { describeMachine } from "./report.ts";
import { runOn, RUNTIMES, type Runtime } from "./runtimes.ts";

/** Where the questions are: each file answers one. */
const FOLDERS = ["core", "http"];
const SECONDS_EACH_MAX = 4;

const { values } = parseArgs({
  options: {
    file: { type: "string", default: "" },
    runtime: { type: "string", default: "" },
    ref: { type: "string", default: "" },
    seconds: { type: "string", default: "150" },
  },
});

const files = questionFiles(values.file);
const runtimes = RUNTIMES.filter((runtime) => values.runtime === "" || values.runtime === runtime);
process.exit(files.length > 0 && runtimes.length > 0 ? answerAll() : complain());

/** Paths in the bench folder. */
function questionFiles(word: string): string[] {
  return FOLDERS
    .flatMap((folder) => readdirSync(join(ROOT, "bench", folder)).map((file) => `${folder}/${file}`))
    .filter((path) => path.endsWith(".ts") && basename(path).includes(word))
    .sort();
}

function complain(): number {
  console.log(`No benchmark is called "${values.file}", or no runtime "${values.runtime}"`);
  return 1;
}

function answerAll(): number {
  console.log(describeMachine(ROOT, "working tree"));
  const seconds = Number(values.seconds);
  if (values.ref === "") return answerEach(seconds) ? 0 : 1;
  const chosen: readonly Runtime[] = values.runtime === "" ? ["bun"] : runtimes;
  return compareWith(values.ref, files, chosen, seconds) ? 0 : 1;
}

function answerEach(seconds: number): boolean {
  const secondsEach = Math.min(SECONDS_EACH_MAX, seconds / files.length / runtimes.length);
  let isComplete = true;
  for (const file of files) {
    for (const runtime of runtimes) {
      const options = ["--seconds", String(secondsEach)];
      const { output, complaint } = runOn(runtime, ROOT, join("bench", file), options);
      console.log(complaint === "" ? output : `\n${file} does not run on ${runtime}: ${complaint}`);
      isComplete &&= complaint === "";
    }
  }
  return isComplete;
}
