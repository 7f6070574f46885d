/**
 * Lines that a person types: edited, completed with the tabulator, remembered from one time to the next.
 * Where no person is there, the lines of standard input, one after the other.
 */

import { appendFileSync, mkdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import process from "node:process";
import { createInterface, type Interface } from "node:readline";

/** What may stand in the place of a line's end, which is `replaced`. */
export interface Completion {
  readonly replaced: string;
  readonly words: readonly string[];
}
export type Complete = (line: string) => Promise<Completion>;

const HISTORY_MAX = 1_000;

export class LineEditor {
  /** Whether a person types. */
  readonly isTerminal = process.stdin.isTTY === true;
  readonly #lines: Interface;
  readonly #historyFile: string;
  readonly #waiting: string[] = [];
  #taker: ((line: string | null) => void) | null = null;
  #isEnded = false;

  /** @param historyFile where lines are remembered; "": nowhere */
  constructor(complete: Complete, historyFile: string) {
    this.#historyFile = this.isTerminal ? historyFile : "";
    this.#lines = createInterface({
      input: process.stdin,
      ...(this.isTerminal ? { output: process.stdout } : {}),
      history: readHistory(this.#historyFile),
      historySize: HISTORY_MAX,
      completer: (line: string, done: (error: null, result: [string[], string]) => void) => {
        void complete(line).then(({ words, replaced }) => done(null, [words.map((one) => `${one} `), replaced]));
      },
    });
    this.#lines.on("line", (line) => this.#came(line));
    this.#lines.on("close", () => this.#ended());
    // ^C gives up the line, as shells do.
    this.#lines.on("SIGINT", () => {
      process.stdout.write("^C\n");
      this.#lines.write(null, { ctrl: true, name: "u" });
      this.#lines.prompt();
    });
  }

  /** The next line; null: there is none any more. */
  next(prompt: string): Promise<string | null> {
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) return Promise.resolve(waiting);
    if (this.#isEnded) return Promise.resolve(null);
    if (this.isTerminal) {
      this.#lines.setPrompt(prompt);
      this.#lines.prompt();
    }
    return new Promise((resolve) => (this.#taker = resolve));
  }

  close(): void {
    this.#lines.close();
  }

  #came(line: string): void {
    if (this.#historyFile !== "" && line.trim() !== "") remember(this.#historyFile, line);
    const taker = this.#taker;
    this.#taker = null;
    if (taker === null) this.#waiting.push(line);
    else taker(line);
  }

  #ended(): void {
    this.#isEnded = true;
    if (this.isTerminal) process.stdout.write("\n");
    this.#taker?.(null);
    this.#taker = null;
  }
}

/** The newest first. */
function readHistory(file: string): string[] {
  try {
    return file === "" ? [] : readFileSync(file, "utf8").trimEnd().split("\n").reverse().slice(0, HISTORY_MAX);
  } catch {
    // Nothing was typed yet, or it cannot be read: then there is no history.
    return [];
  }
}

function remember(file: string, line: string): void {
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    appendFileSync(file, `${line}\n`, { mode: 0o600 });
  } catch {
    // A history that cannot be written is none.
  }
}
