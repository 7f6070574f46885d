/**
 * The process and its surroundings, as the command line sees them: arguments, environment, the
 * three streams, signals, files that a person names, and child processes of this same program.
 */

import { spawn } from "node:child_process";
import {
  closeSync,
  createReadStream,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { homedir, hostname } from "node:os";
import { dirname } from "node:path";
import process from "node:process";

export interface ChildHandler {
  /** A line on the child's standard output. */
  line(text: string): void;
  /** The child is gone; called once and last. `how` reads on: "with exit code 1", "by SIGKILL". */
  ended(how: string): void;
}

export interface Child {
  readonly pid: number;
  /** Asks it to end (SIGTERM), or ends it (SIGKILL). */
  signal(name: "SIGTERM" | "SIGKILL"): void;
}

/** What followed the program's name. */
export const programArguments: readonly string[] = process.argv.slice(2);
export const environment: Readonly<Record<string, string | undefined>> = process.env;
export const machineName = hostname();
/** The user's; "" where there is none. */
export const homeFolder: string = process.env["HOME"] ?? homedir();
export const processId = process.pid;

export function isTerminal(): boolean {
  return process.stdout.isTTY === true;
}

/** Whether standard error is one. */
export function isErrorTerminal(): boolean {
  return process.stderr.isTTY === true;
}

/** Whether a person can be asked: standard input is a terminal, and so is standard error. */
export function isInputTerminal(): boolean {
  return process.stdin.isTTY === true && isErrorTerminal();
}

/** The next line on standard input; "" where it ends. */
export function askLine(): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    const take = (chunk: string): void => {
      text += chunk;
      if (text.includes("\n")) end();
    };
    const end = (): void => {
      process.stdin.off("data", take).off("end", end).pause();
      resolve(text.split("\n")[0]?.trimEnd() ?? "");
    };
    process.stdin.setEncoding("utf8").on("data", take).on("end", end);
  });
}

export function writeOut(bytes: string | Uint8Array): void {
  process.stdout.write(bytes);
}

export function writeError(text: string): void {
  process.stderr.write(text);
}

/** Ends the process once everything that was written has left it. */
export function exit(code: number): void {
  process.stdout.write("", () => process.exit(code));
}

/** A reader that went away (`halo get … | head`) is no error of ours. */
export function endQuietlyWithoutReader(): void {
  process.stdout.on("error", () => process.exit(0));
}

/** Bytes that come one piece after the other. `length` null: nobody knows it before the end. */
export interface Pieces {
  readonly pieces: AsyncIterable<Uint8Array>;
  readonly length: number | null;
}

const PIECE_BYTES = 256 << 10;

export function inputPieces(): Pieces {
  return { pieces: process.stdin, length: null };
}

/** The bytes of a file. @throws Error as the system says it, here and while they are read */
export function filePieces(path: string): Pieces {
  const file = openSync(path, "r");
  const status = fstatSync(file);
  const pieces = createReadStream(path, { fd: file, highWaterMark: PIECE_BYTES });
  return { pieces, length: status.isFile() ? status.size : null };
}

/** Writes to standard output; comes back when that has taken it. */
export function writeOutPiece(bytes: Uint8Array): Promise<void> {
  return new Promise((resolve) => void process.stdout.write(bytes, () => resolve()));
}

/** A file that a person named, written piece by piece. All of it throws Error as the system says it. */
export class OutFile {
  readonly #file: number;

  constructor(path: string) {
    mkdirSync(dirname(path), { recursive: true });
    this.#file = openSync(path, "w");
  }

  write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) at += writeSync(this.#file, bytes, at);
  }

  close(): void {
    closeSync(this.#file);
  }
}

/** @throws Error as the system says it */
export function readWholeFile(path: string): Uint8Array {
  return readFileSync(path);
}

/** @throws Error as the system says it */
export function writeWholeFile(path: string, bytes: Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
}

/** Calls back at every SIGTERM, SIGINT or SIGHUP; the process no longer ends by them. */
export function onStopSignal(callback: (signal: string) => void): void {
  onTermination(callback);
  onHangup(() => callback("SIGHUP"));
}

/** The same, and SIGHUP is left to others. */
export function onTermination(callback: (signal: string) => void): void {
  for (const name of ["SIGTERM", "SIGINT"] as const) process.on(name, () => callback(name));
}

/** Calls back at every SIGHUP; the process does not end by it. */
export function onHangup(callback: () => void): void {
  process.on("SIGHUP", callback);
}

/** Calls back when standard input ends: for a child, when its parent is gone by whatever cause. */
export function onInputEnd(callback: () => void): void {
  process.stdin.on("end", callback);
  process.stdin.on("error", callback);
  process.stdin.resume();
}

/** The command that runs this program again: the binary, or a runtime and its script. */
export function programCommand(): string[] {
  const script = process.argv[1] ?? "";
  if (script.startsWith("/$bunfs/")) return [process.execPath];
  const isDeno = "Deno" in globalThis;
  return isDeno ? [process.execPath, "run", "-A", script] : [process.execPath, script];
}

/**
 * Starts this program again with other arguments. The child's standard input is a pipe that ends
 * with this process; its standard error goes to the end of the file at `logPath`. It has a
 * process group of its own, so that ^C reaches this process alone. @throws Error as the system
 * says it
 */
export function startProgram(
  programArguments: readonly string[],
  logPath: string,
  handler: ChildHandler,
): Child {
  mkdirSync(dirname(logPath), { recursive: true });
  const log = openSync(logPath, "a");
  const [command = "", ...before] = programCommand();
  const child = spawn(command, [...before, ...programArguments], {
    stdio: ["pipe", "pipe", log],
    detached: true,
  });
  closeSync(log);
  let rest = "";
  child.stdout?.setEncoding("utf8");
  child.stdout?.on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) handler.line(line);
  });
  child.on("error", (error) => handler.ended(`before it ran: ${error.message}`));
  child.on("close", (code, signal) => {
    handler.ended(signal === null ? `with exit code ${code}` : `by ${signal}`);
  });
  return { pid: child.pid ?? 0, signal: (name) => void child.kill(name) };
}
