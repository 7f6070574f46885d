/** A command of the program: what it is called, what it takes, what it does. */

import { type CommandLine, type Option, option } from "./command-line.ts";

export interface Command {
  /** One word or two: "put", "cluster status". */
  readonly name: string;
  /** What follows the name, as help shows it: "BUCKET/KEY [VALUE]". */
  readonly takes: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** Lines to type, as in a shell; help shows them. At least one. */
  readonly examples: readonly string[];
  /** More for the command's own help; "" where the summary says it all. */
  readonly about: string;
  readonly options: readonly Option[];
  /** How many arguments it takes. */
  readonly positionalsMin: number;
  readonly positionalsMax: number;
  /** Ends with the exit code. @throws UsageError, CommandFailure */
  run(line: CommandLine): Promise<number>;
}

/** Of each command that answers anything: one document on standard output, and failures on standard error, too. */
export const JSON_OPTION = option("json", "", "answer in JSON, one line; failures as well");

export const EXIT_CODES =
  "exit codes: 0 done, 1 error, 2 usage, 3 not found, 4 siblings, 5 outcome unknown";
