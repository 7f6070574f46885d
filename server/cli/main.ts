/**
 * The program: finds the command, reads its line, runs it, and ends with an exit code.
 *
 *   halo put cart/user-17 …      one word, or two: halo cluster status
 *   usage errors                 one sentence and where to look, exit code 2
 *   failures                     one sentence, exit code 1 (or as the command says)
 *   either, with --json          the same as {"error", "code", "exitCode"} on one line
 */

import {
  endQuietlyWithoutReader,
  environment,
  exit,
  programArguments,
  writeError,
  writeOut,
} from "../ports/process.ts";
import { bucketEmptyCommand } from "./bucket-empty.ts";
import {
  bucketGetCommand,
  bucketListCommand,
  bucketResetCommand,
  bucketSetCommand,
} from "./bucket.ts";
import { clusterStatusCommand, explainCommand } from "./cluster.ts";
import { CLUSTER_CHANGES } from "./cluster-changes.ts";
import { backupCommand, restoreCommand } from "./backup.ts";
import { batchCommand } from "./batch.ts";
import { benchCommand } from "./bench.ts";
import { type Command, JSON_OPTION } from "./command.ts";
import {
  checkEnvironment,
  type CommandLine,
  describeOptions,
  type Environment,
  type OnContext,
  option,
  readCommandLine,
  UsageError,
} from "./command-line.ts";
import { completionCommand } from "./completion.ts";
import { devCommand } from "./dev.ts";
import { CommandFailure, DONE, FAILED, USAGE } from "./exit-code.ts";
import { exportCommand } from "./export.ts";
import { importCommand } from "./import.ts";
import { listCommand } from "./list.ts";
import { deleteCommand, getCommand, putCommand } from "./objects.ts";
import { clusterRepairCommand } from "./repair.ts";
import { serveCommand } from "./serve.ts";
import { shellCommand } from "./shell.ts";
import { formatTable } from "./table.ts";
import { TOKEN_COMMANDS } from "./token.ts";
import { verifyCommand } from "./verify.ts";
import { VERSION } from "./version.ts";
import { WORK_COMMANDS } from "./work.ts";

const versionCommand: Command = {
  name: "version",
  takes: "",
  summary: "print the version",
  examples: ["halo version"],
  about: "",
  options: [JSON_OPTION],
  positionalsMin: 0,
  positionalsMax: 0,
  run: async (line) => {
    writeOut(line.flag("json") ? `${JSON.stringify({ version: VERSION })}\n` : `halo ${VERSION}\n`);
    return DONE;
  },
};

const helpCommand: Command = {
  name: "help",
  takes: "[COMMAND]",
  summary: "explain a command, or list them all",
  examples: ["halo help cluster"],
  about: "",
  options: [],
  positionalsMin: 0,
  positionalsMax: 2,
  run: help,
};

const COMMANDS: readonly Command[] = [
  serveCommand,
  devCommand,
  putCommand,
  getCommand,
  deleteCommand,
  listCommand,
  batchCommand,
  exportCommand,
  importCommand,
  explainCommand,
  clusterStatusCommand,
  ...CLUSTER_CHANGES,
  clusterRepairCommand,
  ...WORK_COMMANDS,
  bucketGetCommand,
  bucketSetCommand,
  bucketResetCommand,
  bucketListCommand,
  bucketEmptyCommand,
  ...TOKEN_COMMANDS,
  backupCommand,
  restoreCommand,
  verifyCommand,
  benchCommand,
  shellCommand(() => COMMANDS, run),
  completionCommand(() => COMMANDS),
  versionCommand,
  helpCommand,
];

/** Does what the words after the program's name say. @throws UsageError where they name no command */
async function run(
  given: readonly string[],
  surroundings: Environment,
  onContext: OnContext = () => {},
): Promise<number> {
  const [first = "", second = ""] = given;
  if (asksForHelp([second]) && groupOf(first).length > 0) {
    writeOut(describeGroup(first));
    return DONE;
  }
  const command = findCommand(given);
  const rest = given.slice(command.name.split(" ").length);
  if (asksForHelp(rest)) {
    writeOut(describeCommand(command));
    return DONE;
  }
  try {
    checkEnvironment(surroundings, COMMANDS.flatMap(({ options }) => options));
    const line = readLine(command, rest, surroundings);
    line.onContext = onContext;
    return await command.run(line);
  } catch (error) {
    return fail(error, command.name, isAsked(rest, ["--json"]) && command.options.some((known) => known.name === "json"));
  }
}

/** The command that the first words name. @throws UsageError */
function findCommand(given: readonly string[]): Command {
  const [first = "help", second = ""] = given;
  if (first === "--help" || first === "-h") return helpCommand;
  if (first === "--version") return versionCommand;
  const found = COMMANDS.find(({ name }) => name === first || name === `${first} ${second}`);
  if (found !== undefined) return found;
  const group = groupOf(first);
  if (group.length === 0) throw new UsageError(`'${first}' is not a command`);
  const wanted = group.map(({ name }) => name).join(", ");
  throw new UsageError(`'${`${first} ${second}`.trim()}' is not a command, want ${wanted}`);
}

/** Commands of two words that begin with this one. */
function groupOf(first: string): readonly Command[] {
  return COMMANDS.filter(({ name }) => name.startsWith(`${first} `));
}

function asksForHelp(rest: readonly string[]): boolean {
  return isAsked(rest, ["--help", "-h"]);
}

/** Whether one of these flags stands among the words, before a "--" that ends the options. */
function isAsked(rest: readonly string[], flags: readonly string[]): boolean {
  const end = rest.indexOf("--");
  const own = end < 0 ? rest : rest.slice(0, end);
  return own.some((word) => flags.includes(word));
}

/** @throws UsageError */
function readLine(command: Command, rest: readonly string[], surroundings: Environment): CommandLine {
  const line = readCommandLine(command.options, rest, surroundings);
  const count = line.positionals.length;
  if (count < command.positionalsMin || count > command.positionalsMax) {
    const given = count === 0 ? "nothing" : `'${line.positionals.join(" ")}'`;
    throw new UsageError(
      `${given} follows ${command.name}, want ${command.takes || "options alone"}`,
    );
  }
  return line;
}

/** Says what went wrong; how the program ends. */
function fail(error: unknown, name: string, isJson: boolean): number {
  const { sentence, code, exitCode } = failureIn(error);
  const topic = code === "usage" ? ` (${name === "" ? "halo help" : `halo ${name} --help`})` : "";
  if (isJson) writeError(`${JSON.stringify({ error: sentence, code, exitCode })}\n`);
  else writeError(`halo: ${sentence}${topic}\n`);
  return exitCode;
}

function failureIn(error: unknown): { sentence: string; code: string; exitCode: number } {
  if (error instanceof UsageError) return { sentence: error.message, code: "usage", exitCode: USAGE };
  if (error instanceof CommandFailure) {
    return { sentence: error.message, code: error.code || "failed", exitCode: error.exitCode };
  }
  const sentence = error instanceof Error ? error.stack ?? error.message : String(error);
  return { sentence, code: "failed", exitCode: FAILED };
}

async function help(line: CommandLine): Promise<number> {
  const [first] = line.positionals;
  if (first === undefined) writeOut(describeProgram());
  else if (line.positionals.length === 1 && groupOf(first).length > 0) writeOut(describeGroup(first));
  else writeOut(describeCommand(findCommand(line.positionals)));
  return DONE;
}

function describeGroup(first: string): string {
  return `usage: halo ${first} COMMAND [OPTIONS]\n\n${tableOf(groupOf(first))}`;
}

function tableOf(commands: readonly Command[]): string {
  return formatTable(commands.map(({ name, summary }) => [`  ${name}`, summary]));
}

function describeProgram(): string {
  return `halo ${VERSION}, an always-on replicated key-value store

usage: halo COMMAND [OPTIONS]

${tableOf(COMMANDS)}
halo COMMAND --help explains one. Start with halo dev: three nodes on this machine.
`;
}

function describeCommand({ name, takes, summary, examples, about, options }: Command): string {
  const usage = `usage: halo ${name} ${takes}${options.length > 0 ? " [OPTIONS]" : ""}`;
  const all = [...options, option("help", "", "this text")];
  const typed = examples.map((example) => `  ${example}`).join("\n");
  const parts = [usage.replace(/ +/g, " "), summary, typed, about, describeOptions(all)];
  return `${parts.filter((part) => part !== "").join("\n\n")}\n`;
}

/** The way in: a command that cannot even be found is a usage error as well. */
async function main(): Promise<void> {
  endQuietlyWithoutReader();
  let code: number;
  try {
    code = await run(programArguments, environment);
  } catch (error) {
    code = fail(error, "", false);
  }
  exit(code);
}

await main();
