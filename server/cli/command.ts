/** A command of the program: what it is called, what it takes, what it does. */

import type { CommandLine, Option } from "./command-line.ts";

export interface Command {
  /** One word or two: "put", "cluster status". */
  readonly name: string;
  /** What follows the name, as help shows it: "BUCKET/KEY [VALUE]". */
  readonly takes: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** More for the command's own help; "" where the summary says it all. */
  readonly about: string;
  readonly options: readonly Option[];
  /** How many arguments it takes. */
  readonly positionalsMin: number;
  readonly positionalsMax: number;
  /** Ends with the exit code. @throws UsageError, CommandFailure */
  run(line: CommandLine): Promise<number>;
}

export const EXIT_CODES =
  "exit codes: 0 done, 1 error, 2 usage, 3 not found, 4 siblings, 5 outcome unknown";
