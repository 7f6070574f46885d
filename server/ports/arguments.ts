/** Splitting a command line into options and positional arguments: node:util, on every runtime. */

import { parseArgs } from "node:util";

export interface OptionShape {
  readonly name: string;
  /** Whether a value follows (`--data DIR`, `--data=DIR`), or the name alone says it (`--json`). */
  readonly takesValue: boolean;
}

export interface SplitOption {
  readonly name: string;
  /** As it was written, for messages: "--data", "-h". */
  readonly written: string;
  /** Null where none was given. */
  readonly value: string | null;
}

/** In the order given; nothing is judged here: unknown names and missing values come through. */
export function splitArguments(
  given: readonly string[],
  shapes: readonly OptionShape[],
): { options: SplitOption[]; positionals: string[] } {
  const { tokens } = parseArgs({
    args: [...given],
    options: Object.fromEntries(
      shapes.map(({ name, takesValue }) => [name, { type: takesValue ? "string" : "boolean" }]),
    ),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const options: SplitOption[] = [];
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") positionals.push(token.value);
    if (token.kind !== "option") continue;
    options.push({ name: token.name, written: token.rawName, value: token.value ?? null });
  }
  return { options, positionals };
}
