/**
 * halo shell: the commands at a prompt, against one node.
 *
 *   halo> use cart
 *   cart> get user-17          short for get cart/user-17; what it showed is remembered
 *   cart> put user-17 'new'    goes on from there: replaces it, siblings and all
 *   cart> list                 short for list cart
 *
 * A line is what follows `halo` elsewhere, quoted as in other shells. With standard input from elsewhere it is a
 * script: it ends at the first line that fails, with that line's exit code.
 */

import { environment, homeFolder, writeError, writeOut } from "../ports/process.ts";
import { LineEditor } from "../ports/line-editor.ts";
import { type Api, apiOf, NODE_OPTIONS } from "./api.ts";
import type { Command } from "./command.ts";
import { type CommandLine, environmentName, type Environment, type OnContext, UsageError } from "./command-line.ts";
import { candidates } from "./completion.ts";
import { CommandFailure, DONE, SIBLINGS, USAGE } from "./exit-code.ts";
import type { KeyPage } from "./key-pages.ts";
import { splitWords } from "./shell-words.ts";

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
const HELP = `use BUCKET   names without a bucket, and commands about a bucket, mean this one; use alone: none
exit         or the end of the input
All else is a command without its "halo": help lists them, "COMMAND --help" explains one.
`;

export function shellCommand(commands: () => readonly Command[], run: RunWords): Command {
  return {
    name: "shell",
    takes: "",
    summary: "type commands at a prompt",
    examples: ["halo shell"],
    about: `${HELP}
A put or delete goes on from what the last get or put of that name showed, so it makes no sibling of it. Lines are
edited, completed (tabulator) and remembered. A script from standard input ends at the first line that fails.`,
    options: [...NODE_OPTIONS],
    positionalsMin: 0,
    positionalsMax: 0,
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
  #bucket = "";

  constructor(line: CommandLine, commands: readonly Command[], run: RunWords) {
    this.#commands = commands.filter(({ name }) => !NOT_HERE.includes(name));
    this.#run = run;
    this.#api = apiOf(line);
    const given = NODE_OPTIONS.map(({ name }) => [environmentName(name), line.text(name)]);
    this.#surroundings = { ...environment, ...Object.fromEntries(given.filter(([, value]) => value !== "")) };
    this.#editor = new LineEditor((text) => this.#complete(text), historyFile());
  }

  async run(): Promise<number> {
    if (this.#editor.isTerminal) writeError(`${HELP}\n`);
    for (;;) {
      const line = await this.#editor.next(`${this.#bucket === "" ? "halo" : this.#bucket}> `);
      if (line === null) return DONE;
      const code = await this.#take(line);
      if (code === null) break;
      const isWell = code === DONE || code === SIBLINGS;
      if (!isWell && !this.#editor.isTerminal) return this.#end(code);
    }
    return this.#end(DONE);
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
    this.#contexts.set(name, context);
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
    if (OF_BUCKETS.includes(command.name)) return [...head, ...this.#withBucket(rest)];
    if (!OF_OBJECTS.includes(command.name) || rest.length === 0) return [...words];
    const [name = "", ...more] = rest;
    const whole = name.includes("/") || this.#bucket === "" ? name : `${this.#bucket}/${name}`;
    return [...head, whole, ...more, ...this.#contextFor(command.name, whole, more)];
  }

  #withBucket(rest: readonly string[]): readonly string[] {
    const isNamed = rest.length > 0 && !rest[0].startsWith("-");
    return isNamed || this.#bucket === "" ? rest : [this.#bucket, ...rest];
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

  async #complete(text: string): Promise<readonly string[]> {
    const words = text.trimStart().split(/\s+/);
    const current = words.at(-1) ?? "";
    const offered = candidates(this.#commands, words);
    if (words.length === 1) offered.push(...OWN.filter((word) => word.startsWith(current)));
    if (words.length === 1 || offered.length > 0 || current.startsWith("-")) return offered;
    try {
      return await this.#names(words, current);
    } catch {
      // Whoever cannot be asked has nothing to offer; the command will say why.
      return [];
    }
  }

  async #names(words: readonly string[], current: string): Promise<string[]> {
    const name = this.#commandOf(words)?.name ?? words[0];
    if (name === "use" || OF_BUCKETS.includes(name)) return this.#buckets(current);
    if (!OF_OBJECTS.includes(name) || words.length !== 2) return [];
    const slash = current.indexOf("/");
    if (slash < 0 && this.#bucket === "") return (await this.#buckets(current)).map((bucket) => `${bucket}/`);
    const bucket = slash < 0 ? this.#bucket : current.slice(0, slash);
    const prefix = current.slice(slash + 1);
    const target = `/kv/${encodeURIComponent(bucket)}?limit=${KEYS_OFFERED}&prefix=${encodeURIComponent(prefix)}`;
    const { keys } = await this.#api.json<KeyPage>({ method: "GET", target });
    return keys.map((key) => current.slice(0, slash + 1) + decodeURIComponent(key));
  }

  async #buckets(current: string): Promise<string[]> {
    const { buckets } = await this.#api.json<{ buckets: { bucket: string }[] }>({ method: "GET", target: "/buckets" });
    return buckets.map(({ bucket }) => bucket).filter((bucket) => bucket.startsWith(current));
  }
}

/** Where shells keep what was typed (XDG Base Directory Specification). */
function historyFile(): string {
  const state = environment["XDG_STATE_HOME"] ?? (homeFolder === "" ? "" : `${homeFolder}/.local/state`);
  return state === "" ? "" : `${state}/halo/history`;
}
