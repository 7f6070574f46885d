/**
 * A row of the table of faults (rows.ts): what `make crash` runs at full size and the suites
 * at a small one, by the same function.
 */

import type { Check } from "./suite.ts";

/** What was done, in words and numbers, in the order of the words. */
export type Counts = Record<string, number>;

/** How much of it: numbers by name, from the environment. */
export class Sizes {
  readonly #given: Readonly<Record<string, string | undefined>>;

  constructor(given: Readonly<Record<string, string | undefined>>) {
    this.#given = given;
  }

  get seed(): number {
    return this.get("SEED", 1);
  }

  /** @throws RangeError where what is given is no whole number */
  get(name: string, fallback: number): number {
    const text = this.#given[name];
    if (text === undefined) return fallback;
    const number = Number(text);
    if (Number.isSafeInteger(number) && number >= 0) return number;
    throw new RangeError(`${name} is '${text}', want a whole number`);
  }
}

export interface Row {
  /** "B1" */
  readonly id: string;
  readonly title: string;
  /** The sizes that it reads, for the command that repeats it. */
  readonly reads: readonly string[];
  run(sizes: Sizes, check: Check): Counts | Promise<Counts>;
}
