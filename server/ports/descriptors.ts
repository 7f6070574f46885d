/**
 * File descriptors of this process: how many it may have, how many it has, and some in reserve.
 *
 * Connections and files draw on one stock. Where the last one has gone to a connection (a flood comes
 * faster than anybody looks), a data file must open all the same: the reserve holds a few descriptors
 * that mean nothing, gives one of them back at that moment, and the file opens in its place. All of it
 * happens within one call, so nobody else can take the place in between.
 */

import * as fs from "node:fs";

export interface Descriptors {
  /** How many this process may have open; Infinity where the system does not say. */
  readonly max: number;
  /** How many it has open; 0 where the system does not say. */
  open(): number;
}

const OWN = "/proc/self/fd";
const NOTHING = "/dev/null";

/** Those of this process, where Linux tells of them. */
export const systemDescriptors: Descriptors = { max: softLimit(), open: countOpen };

function softLimit(): number {
  if (!fs.existsSync("/proc/self/limits")) return Infinity;
  const limits = fs.readFileSync("/proc/self/limits", "utf8");
  return Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? Infinity);
}

/** Newer kernels tell the number as the folder's size, which takes no descriptor; older ones tell 0. */
function countOpen(): number {
  try {
    return fs.statSync(OWN).size || fs.readdirSync(OWN).length;
  } catch (error) {
    if (isExhausted(error)) return systemDescriptors.max;
    if (error instanceof Error && "code" in error) return 0;
    throw error;
  }
}

function isExhausted(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EMFILE";
}

export class DescriptorReserve {
  readonly #count: number;
  readonly #held: number[] = [];

  /** @param count descriptors that are held */
  constructor(count: number) {
    this.#count = count;
    this.#fill();
  }

  /** How many are held now. */
  get held(): number {
    return this.#held.length;
  }

  /** Runs a call that opens a file; if no descriptor is left for it, once more with one of these. */
  open<Result>(call: () => Result): Result {
    if (this.#held.length < this.#count) this.#fill();
    try {
      return call();
    } catch (error) {
      const spare = isExhausted(error) ? this.#held.pop() : undefined;
      if (spare === undefined) throw error;
      fs.closeSync(spare);
      return call();
    }
  }

  release(): void {
    for (const descriptor of this.#held.splice(0)) fs.closeSync(descriptor);
  }

  #fill(): void {
    try {
      while (this.#held.length < this.#count) this.#held.push(fs.openSync(NOTHING, "r"));
    } catch (error) {
      // None is left: the next file that opens tries again.
      if (!isExhausted(error)) throw error;
    }
  }
}
