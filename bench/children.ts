/**
 * The processes that a benchmark starts, and the promise that none outlives it.
 *
 * Each child is ended by its process id: by `kill` in the ordinary case, by the handlers of `exit`
 * and of the signals when the bench is interrupted, and by the guard when the bench itself is
 * killed. The guard is a shell that reads from a pipe which process ids are alive, and kills those
 * when the pipe ends, however it ends:
 *
 *   bench ──"+ 4711", "- 4711"──► guard        (end of file: kill -9 what is left)
 *
 * What a child prints goes to a file beside its data, whose tail is shown when it fails to start.
 */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join, resolve } from "node:path";
import type { Writable } from "node:stream";
import { fileURLToPath } from "node:url";

const PROBE_MS = 25;
const REPLY_MS = 2_000;
const LOG_TAIL_CHARS = 2_000;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const GUARD = `trap '' INT TERM HUP; alive=' '
while read -r sign id; do case $sign in
  +) alive="$alive$id ";;
  -) alive="\${alive%% $id *} \${alive#* $id }";;
esac; done
for id in $alive; do kill -9 "$id" 2>/dev/null; done`;

/** The root of the checkout. */
export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "..");

/** One running child. */
export class Child {
  readonly name: string;
  readonly pid: number;
  readonly #process: ChildProcess;
  readonly #logPath: string;
  /** Resolves when the process is gone. */
  readonly ended: Promise<void>;

  constructor(name: string, child: ChildProcess, pid: number, logPath: string) {
    this.name = name;
    this.pid = pid;
    this.#process = child;
    this.#logPath = logPath;
    this.ended = new Promise((resolveEnd) => child.once("exit", () => resolveEnd()));
  }

  get isRunning(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** The end of what it printed. */
  get logTail(): string {
    return readFileSync(this.#logPath, "utf8").slice(-LOG_TAIL_CHARS);
  }

  /** SIGKILL, as nobody needs its data any more; resolves when it is gone. */
  async kill(): Promise<void> {
    if (this.isRunning) this.#process.kill("SIGKILL");
    await this.ended;
  }
}

/** All children of one bench and the folder that they write in. */
export class Children {
  readonly folder: string;
  readonly #running: Set<Child>;
  readonly #guard: ChildProcess;
  readonly #onExit: () => void;
  readonly #onSignal: (signal: NodeJS.Signals) => void;

  /** @param parent where the folder is made, on the disk that is to be measured */
  constructor(parent: string) {
    mkdirSync(parent, { recursive: true });
    this.folder = mkdtempSync(join(parent, "bench-"));
    this.#running = new Set();
    this.#guard = spawn("sh", ["-c", GUARD], { stdio: ["pipe", "ignore", "ignore"] });
    this.#onExit = () => this.#killAll();
    this.#onSignal = (signal) => this.#interrupted(signal);
    process.on("exit", this.#onExit);
    for (const signal of SIGNALS) process.on(signal, this.#onSignal);
  }

  /** Starts a program; its log is `<folder>/<name>.log`. */
  start(name: string, program: string, args: readonly string[]): Child {
    const logPath = join(this.folder, `${name}.log`);
    const log = openSync(logPath, "a");
    const started = spawn(program, args, { cwd: this.folder, stdio: ["ignore", log, log] });
    closeSync(log);
    started.on("error", () => {});
    if (started.pid === undefined) throw new Error(`cannot start ${program}`);
    const child = new Child(name, started, started.pid, logPath);
    this.#running.add(child);
    this.#tellGuard(`+ ${child.pid}\n`);
    started.once("exit", () => {
      this.#running.delete(child);
      this.#tellGuard(`- ${child.pid}\n`);
    });
    return child;
  }

  /** Ends all that still runs and removes the folder. */
  async end(): Promise<void> {
    await Promise.all([...this.#running].map((child) => child.kill()));
    process.off("exit", this.#onExit);
    for (const signal of SIGNALS) process.off(signal, this.#onSignal);
    this.#guardInput?.end();
    rmSync(this.folder, { recursive: true, force: true });
  }

  get #guardInput(): Writable | null {
    return this.#guard.stdin;
  }

  #tellGuard(line: string): void {
    this.#guardInput?.write(line);
  }

  #killAll(): void {
    for (const child of this.#running) {
      try {
        process.kill(child.pid, "SIGKILL");
      } catch {
        // It ended by itself in this moment.
      }
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  #interrupted(signal: NodeJS.Signals): void {
    this.#killAll();
    process.exit(signal === "SIGINT" ? 130 : 143);
  }
}

/** Where a program is, or "" where it is not installed. */
export function findProgram(name: string): string {
  const found = spawnSync("sh", ["-c", 'command -v "$1"', "sh", name], { encoding: "utf8" });
  return found.stdout.trim();
}

/** Loopback ports that were free a moment ago. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(Array.from({ length: count }, () => listenAnywhere()));
  const ports = servers.map((server) => {
    const address = server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  });
  await Promise.all(
    servers.map((server) => new Promise<void>((closed) => server.close(() => closed()))),
  );
  return ports;
}

function listenAnywhere(): Promise<ReturnType<typeof createServer>> {
  return new Promise((listening, failed) => {
    const server = createServer();
    server.once("error", failed);
    server.listen(0, "127.0.0.1", () => listening(server));
  });
}

/**
 * Waits until `isReady` says yes, looking every 25 ms.
 * @throws Error when a child ended or the time is over, with the end of the child's log
 */
export async function waitUntil(
  isReady: () => Promise<boolean>,
  what: string,
  children: readonly Child[],
  timeoutMs: number,
): Promise<void> {
  const untilMs = performance.now() + timeoutMs;
  while (!(await isReady())) {
    const ended = children.find((child) => !child.isRunning);
    if (ended !== undefined) throw new Error(`${ended.name} ended: ${ended.logTail}`);
    if (performance.now() > untilMs) {
      const logs = children.map((child) => `${child.name}: ${child.logTail}`).join("\n");
      throw new Error(`waited ${timeoutMs} ms in vain for ${what}\n${logs}`);
    }
    await new Promise((resume) => setTimeout(resume, PROBE_MS));
  }
}

/** The body of a GET that answers 200 within two seconds, else null. */
export async function fetchText(url: string): Promise<string | null> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(REPLY_MS) });
    const text = await answer.text();
    return answer.ok ? text : null;
  } catch {
    return null;
  }
}
