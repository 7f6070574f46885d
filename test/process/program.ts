/**
 * Runs the compiled program for tests: to its end, or in the background until it has said
 * something. What was started is killed with the test that started it.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));
export const HALO = join(ROOT, "dist/halo");

const RUN_MS_MAX = 30_000;
const WAIT_MS_MAX = 30_000;

/** What a test needs of tap: something that is done when it is over. */
interface Test {
  teardown(callback: () => void): void;
}

/** @throws Error with a sentence where the program has not been built */
export function checkIsBuilt(): void {
  if (!existsSync(HALO)) throw new Error("dist/halo is not there, want `make build` first");
}

/** A folder that is gone when the test is over. */
export function temporaryFolder(test: Test): string {
  const folder = mkdtempSync(join(tmpdir(), "halo-test-"));
  test.teardown(() => rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 }));
  return folder;
}

/** The environment without what tap adds for Node, and without settings of the caller's own. */
function cleanEnvironment(more: Record<string, string>): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => {
    return !name.startsWith("HALO_") && name !== "NODE_OPTIONS" && name !== "JOURNAL_STREAM";
  });
  return { ...Object.fromEntries(kept), ...more };
}

export interface Ended {
  readonly code: number | null;
  readonly bytes: Buffer;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string | Uint8Array;
  readonly env?: Record<string, string>;
  readonly cwd?: string;
}

/** Runs dist/halo to its end. */
export function halo(given: readonly string[], options: RunOptions = {}): Promise<Ended> {
  checkIsBuilt();
  return runProgram(HALO, given, options);
}

export function runProgram(
  program: string,
  given: readonly string[],
  { input = "", env = {}, cwd = ROOT }: RunOptions = {},
): Promise<Ended> {
  const child = spawn(program, given, { env: cleanEnvironment(env), cwd });
  const timer = setTimeout(() => child.kill("SIGKILL"), RUN_MS_MAX);
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
  child.stdin.on("error", () => undefined);
  child.stdin.end(input);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      clearTimeout(timer);
      const bytes = Buffer.concat(out);
      resolve({ code, bytes, stdout: bytes.toString(), stderr: Buffer.concat(err).toString() });
    });
  });
}

/** A program in the background. */
export class Background {
  readonly #child: ChildProcess;
  /** All that it has printed, both streams. */
  output = "";
  readonly ended: Promise<number | null>;

  constructor(test: Test, program: string, given: readonly string[], cwd = ROOT) {
    checkIsBuilt();
    this.#child = spawn(program, given, { env: cleanEnvironment({}), cwd });
    const take = (chunk: Buffer): void => {
      this.output += chunk.toString();
    };
    this.#child.stdout?.on("data", take);
    this.#child.stderr?.on("data", take);
    this.ended = new Promise((resolve) => this.#child.on("close", resolve));
    test.teardown(() => void this.#child.kill("SIGKILL"));
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** What the pattern finds in the output, as soon as it is there. */
  async until(pattern: RegExp): Promise<RegExpExecArray> {
    const deadline = Date.now() + WAIT_MS_MAX;
    for (;;) {
      const found = pattern.exec(this.output);
      if (found !== null) return found;
      if (Date.now() > deadline) throw new Error(`waited for ${pattern}, got: ${this.output}`);
      await pause(20);
    }
  }
}

export interface ServedNode {
  readonly process: Background;
  readonly url: string;
  readonly tcp: string;
}

/** A node of its own on free ports, with its data in `folder`; ready when this resolves. */
export async function serveNode(
  test: Test,
  folder: string,
  more: readonly string[] = [],
  command: readonly string[] = [HALO],
): Promise<ServedNode> {
  const places = ["--http", "127.0.0.1:0", "--tcp", "127.0.0.1:0", "--data", folder];
  const [program = "", ...before] = command;
  const child = new Background(test, program, [...before, "serve", ...places, ...more]);
  const found = await child.until(/listens on (http:\/\/[^,]+), peers on ([^,]+),/);
  const url = found[1] ?? "";
  await untilTrue(async () => (await fetch(`${url}/readyz?for=write`)).status === 200);
  return { process: child, url, tcp: found[2] ?? "" };
}

/** Counters and gauges of a node, by name. */
export async function statsOf(url: string): Promise<Record<string, number>> {
  return (await fetch(`${url}/stats`)).json() as Promise<Record<string, number>>;
}

/** Waits until something holds. */
export async function untilTrue(holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + WAIT_MS_MAX;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`waited ${WAIT_MS_MAX} ms for ${holds}`);
    await pause(20);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
