/**
 * How a micro-benchmark is started, in a fresh process, on each runtime.
 *
 *   bun    bun FILE               the source as it is
 *   deno   deno run -A FILE       the source as it is
 *   node   bun build FILE, node   Node 20 reads no TypeScript: types are taken off and the modules
 *                                 joined in one file; packages stay outside
 */

import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { basename, join } from "node:path";
import { ROOT } from "./children.ts";

const BIN = join(ROOT, "node_modules/.bin");
const BUN = join(BIN, "bun");
/** A file that takes longer hangs. */
const PATIENCE_MS = 60_000;

export const RUNTIMES = ["bun", "deno", "node"] as const;
export type Runtime = (typeof RUNTIMES)[number];

/** What a process printed, or why it failed. */
export interface Outcome {
  readonly output: string;
  /** The line that says what went wrong; "" where nothing did. */
  readonly complaint: string;
}

/** Runs the benchmark `file` of the tree at `root`. */
export function runOn(
  runtime: Runtime,
  root: string,
  file: string,
  options: readonly string[],
): Outcome {
  const path = join(root, file);
  if (runtime === "bun") return run(root, BUN, [path, ...options]);
  if (runtime === "deno") return run(root, join(BIN, "deno"), ["run", "-A", path, ...options]);
  const folder = join(root, "build/bench");
  const bundle = join(folder, `${basename(file, ".ts")}.mjs`);
  mkdirSync(folder, { recursive: true });
  const flags = ["build", "--target=node", "--packages=external", path, "--outfile", bundle];
  const built = run(root, BUN, flags);
  return built.complaint === "" ? run(root, "node", [bundle, ...options]) : built;
}

function run(cwd: string, command: string, options: readonly string[]): Outcome {
  const child = spawnSync(command, options, { cwd, encoding: "utf8", timeout: PATIENCE_MS });
  if (child.error !== undefined) return { output: "", complaint: child.error.message };
  return { output: child.stdout, complaint: child.status === 0 ? "" : complaintIn(child.stderr) };
}

function complaintIn(errors: string): string {
  const lines = errors.split("\n").map((line) => line.trim());
  return lines.find((line) => /error/i.test(line)) ?? "it ended with an error and said nothing";
}
