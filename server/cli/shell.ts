/**
 * halo shell: the commands at a prompt, against one node.
 *
 *   halo> use cart
 *   cart> get user-17          short for get cart/user-17; what it showed is remembered
 *   cart> put user-17 'new'    goes on from there: replaces it, siblings and all
 *   cart> list                 short for list cart
 *   cart> get a/b              the key a/b of cart; /other/b is b of another bucket
 *
 * A line is what follows `halo` elsewhere, quoted as in other shells. With standard input from elsewhere it is a
 * script: it ends at the first line that fails, with that line's exit code, or goes on (--keep-going) and ends with
 * that code. Standard input is where the lines come from, and no value.
 */

import { environment, homeFolder, writeError, writeOut } from "../ports/process.ts";
import { type Completion, LineEditor } from "../ports/line-editor.ts";
import { type Api, apiOf, NODE_OPTIONS } from "./api.ts";
import type { Command } from "./command.ts";
import {
  type CommandLine,
  environmentName,
  type Environment,
  type OnContext,
  option,
  readCommandLine,
  UsageError,
} from "./command-line.ts";
import { candidates } from "./completion.ts";
import { CommandFailure, DONE, SIBLINGS, USAGE } from "./exit-code.ts";
import type { KeyPage } from "./key-pages.ts";
import { quoteWord, splitTyped, splitWords } from "./shell-words.ts";

/** Runs the command that words name, as the program does; says what is wrong, and ends with its exit code. */
export type RunWords = (
  words: readonly string[],
  surroundings: Environment,
  onContext: OnContext,
) => Promise<number>;

/** Commands that are about one object, and about one bucket. */
const OF_OBJECTS = ["put", "get", "delete", "explain"];
const OF_BUCKETS = ["list", "export", "import", "bucket get", "bucket set", "bucket reset", "bucket empty"];
/** Commands that are no lines of a shell. */
const NOT_HERE = ["shell", "serve", "dev", "completion"];
const OWN = ["use", "exit"];
const KEYS_OFFERED = "20";
/** Who presses the tabulator waits no longer. */
const COMPLETE_MS_MAX = 500;
/** Contexts that are remembered, at most 1 KiB each; of more, those of the names that were shown longest ago go. */
const CONTEXTS_MAX = 1_000;
/** Where these stand for the value, or nothing does, they read standard input. */
const READING: Readonly<Record<string, number>> = { put: 1, batch: 0, import: 1 };
const HELP = `use BUCKET   names mean keys of this one, and commands about a bucket this one; use alone: none
             (/BUCKET/KEY is a name of another bucket)
exit         or the end of the input
All else is a command without its "halo": help lists them, "COMMAND --help" explains one.
`;

export function shellCommand(commands: () => readonly Command[], run: RunWords): Command {
  return {
    name: "shell",
    takes: "[BUCKET]",
    summary: "type commands at a prompt",
    examples: ["halo shell cart"],
    about: `${HELP}
A put or delete goes on from what the last get or put of that name showed, so it makes no sibling of it. Lines are
edited, completed (tabulator) and remembered. A script from standard input ends at the first line that fails.`,
    options: [option("keep-going", "", "a script goes on where a line fails, and ends with the first failure's code"), ...NODE_OPTIONS],
    positionalsMin: 0,
    positionalsMax: 1,
    run: (line) => new Shell(line, commands(), run).run(),
  };
}

class Shell {
  readonly #commands: readonly Command[];
  readonly #run: RunWords;
  readonly #api: Api;
  readonly #surroundings: Environment;
  readonly #editor: LineEditor;
  /** Contexts by name, of what was shown last. */
  readonly #contexts = new Map<string, string>();
  readonly #isKeepGoing: boolean;
  #bucket = "";

  /** @throws UsageError */
  constructor(line: CommandLine, commands: readonly Command[], run: RunWords) {
    this.#commands = commands.filter(({ name }) => !NOT_HERE.includes(name));
    this.#run = run;
    this.#api = apiOf(line);
    this.#isKeepGoing = line.flag("keep-going");
    this.#use(line.positionals);
    const given = NODE_OPTIONS.map(({ name }) => [environmentName(name), line.text(name)]);
    this.#surroundings = { ...environment, ...Object.fromEntries(given.filter(([, value]) => value !== "")) };
    this.#editor = new LineEditor((text) => this.#complete(text), historyFile());
  }

  async run(): Promise<number> {
    const { isTerminal } = this.#editor;
    if (isTerminal) writeError(`${HELP}\n`);
    let failure = DONE;
    for (let number = 1;; number++) {
      const line = await this.#editor.next(`${this.#bucket === "" ? "halo" : this.#bucket}> `);
      const code = line === null ? null : await this.#take(line);
      if (code === null) return this.#end(failure);
      if (isTerminal || code === DONE || code === SIBLINGS) continue;
      writeError(`halo: line ${number} failed\n`);
      if (failure === DONE) failure = code;
      if (!this.#isKeepGoing) return this.#end(failure);
    }
  }

  #end(code: number): number {
    this.#editor.close();
    return code;
  }

  /** Does what a line says; null: it says that this is the end. */
  async #take(line: string): Promise<number | null> {
    try {
      const words = splitWords(line);
      const [first = "", ...rest] = words;
      if (first === "" || first.startsWith("#")) return DONE;
      if (first === "exit" || first === "quit") return null;
      if (first === "use") return this.#use(rest);
      if (first === "help" && rest.length === 0) writeOut(`${HELP}\n`);
      if (NOT_HERE.includes(first)) throw new UsageError(`'${first}' is not for this shell`);
      const code = await this.#run(this.#whole(words), this.#surroundings, this.#remember);
      // A value ends where it ends, and the prompt begins a line.
      if (first === "get" && code === DONE && this.#editor.isTerminal) writeOut("\n");
      return code;
    } catch (error) {
      if (!(error instanceof UsageError) && !(error instanceof CommandFailure)) throw error;
      writeError(`halo: ${error.message}\n`);
      return error instanceof CommandFailure ? error.exitCode : USAGE;
    }
  }

  readonly #remember = (name: string, context: string): void => {
    this.#contexts.delete(name);
    this.#contexts.set(name, context);
    if (this.#contexts.size <= CONTEXTS_MAX) return;
    for (const oldest of this.#contexts.keys()) {
      this.#contexts.delete(oldest);
      break;
    }
  };

  #use(rest: readonly string[]): number {
    const [bucket = "", more] = rest;
    if (more !== undefined || bucket.includes("/")) throw new UsageError(`use is given '${rest.join(" ")}', want one BUCKET`);
    this.#bucket = bucket;
    return DONE;
  }

  /** The words as they would be given elsewhere: with the bucket, and with the context of what was shown. */
  #whole(words: readonly string[]): string[] {
    const command = this.#commandOf(words);
    if (command === null) return [...words];
    const count = command.name.split(" ").length;
    const head = words.slice(0, count);
    const rest = words.slice(count);
    const given = positionalsOf(command, rest, this.#surroundings);
    const lacksBucket = OF_BUCKETS.includes(command.name) && this.#bucket !== "" && !namesBucket(command.name, given);
    const bucket = lacksBucket ? [this.#bucket] : [];
    checkInput(command.name, [...bucket, ...given]);
    if (lacksBucket) return [...head, ...bucket, ...rest];
    if (!OF_OBJECTS.includes(command.name) || rest.length === 0) return [...words];
    const [name = "", ...more] = rest;
    const whole = this.#wholeName(name);
    return [...head, whole, ...more, ...this.#contextFor(command.name, whole, more)];
  }

  /** As with folders and files: what begins with a slash begins with its bucket. */
  #wholeName(name: string): string {
    if (name.startsWith("/")) return name.slice(1);
    return this.#bucket === "" ? name : `${this.#bucket}/${name}`;
  }

  #contextFor(command: string, name: string, given: readonly string[]): string[] {
    const context = this.#contexts.get(name);
    const goesOn = command === "put" || command === "delete";
    const isTold = given.some((word) => /^--(context|if-absent|if-match)\b/.test(word));
    return context === undefined || !goesOn || isTold ? [] : ["--context", context];
  }

  #commandOf([first = "", second = ""]: readonly string[]): Command | null {
    return this.#commands.find(({ name }) => name === first || name === `${first} ${second}`) ?? null;
  }

  // Completion.

  async #complete(text: string): Promise<Completion> {
    const { words, raw } = splitTyped(text);
    const current = words.at(-1) ?? "";
    const offered = candidates(this.#commands, words);
    if (words.length === 1) offered.push(...OWN.filter((word) => word.startsWith(current)));
    if (words.length === 1 || offered.length > 0 || current.startsWith("-")) return { replaced: raw, words: offered };
    try {
      const names = await this.#names(words, current);
      return { replaced: raw, words: names.map(quoteWord) };
    } catch {
      // Whoever cannot be asked has nothing to offer; the command will say why.
      return { replaced: raw, words: [] };
    }
  }

  async #names(words: readonly string[], current: string): Promise<string[]> {
    const name = this.#commandOf(words)?.name ?? words[0];
    if (name === "use" || OF_BUCKETS.includes(name)) return this.#buckets(current);
    if (!OF_OBJECTS.includes(name) || words.length !== 2) return [];
    const isInBucket = this.#bucket !== "" && !current.startsWith("/");
    const start = current.startsWith("/") ? 1 : 0;
    const slash = current.indexOf("/", start);
    if (!isInBucket && slash < 0) {
      const buckets = await this.#buckets(current.slice(start));
      return buckets.map((bucket) => `${current.slice(0, start)}${bucket}/`);
    }
    const bucket = isInBucket ? this.#bucket : current.slice(start, slash);
    const before = isInBucket ? "" : current.slice(0, slash + 1);
    const prefix = encodeURIComponent(current.slice(before.length));
    const target = `/kv/${encodeURIComponent(bucket)}?limit=${KEYS_OFFERED}&prefix=${prefix}`;
    const { keys } = await this.#ask<KeyPage>(target);
    return keys.map((key) => before + decodeURIComponent(key));
  }

  #ask<Shape>(target: string): Promise<Shape> {
    return this.#api.json<Shape>({ method: "GET", target, signal: AbortSignal.timeout(COMPLETE_MS_MAX) });
  }

  async #buckets(current: string): Promise<string[]> {
    const { buckets } = await this.#ask<{ buckets: { bucket: string }[] }>("/buckets");
    return buckets.map(({ bucket }) => bucket).filter((bucket) => bucket.startsWith(current));
  }
}

/** What is given beside options; all of it where that cannot be told, which the command itself will say. */
function positionalsOf({ options }: Command, rest: readonly string[], surroundings: Environment): readonly string[] {
  try {
    return readCommandLine(options, rest, surroundings).positionals;
  } catch {
    return rest;
  }
}

/** Whether a command about a bucket is given one, where it could mean the one at hand. */
function namesBucket(command: string, given: readonly string[]): boolean {
  if (command === "bucket set") return !(given[0] ?? "").includes("=");
  // One word is the file: standard input is none here.
  return given.length > (command === "import" ? 1 : 0);
}

/** @throws UsageError where a command would read the lines that are to come */
function checkInput(command: string, given: readonly string[]): void {
  const place = READING[command];
  if (place === undefined) return;
  const isReading = given[place] === "-" || (command !== "put" && given.length === place);
  if (!isReading) return;
  const wanted = command === "put" ? "a value, or --file FILE" : "a FILE";
  throw new UsageError(`${command} would read standard input, where the lines come from; want ${wanted}`);
}

/** Where shells keep what was typed (XDG Base Directory Specification). */
function historyFile(): string {
  const state = environment["XDG_STATE_HOME"] ?? (homeFolder === "" ? "" : `${homeFolder}/.local/state`);
  return state === "" ? "" : `${state}/halo/history`;
}
