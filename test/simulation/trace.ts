/**
 * What happened in a simulated run, line by line, and a hash over it: two runs with one hash took
 * the same steps, on whatever runtime. The lines themselves are kept only when somebody wants to
 * read them.
 *
 *      12.250  client 3  put  sib/k4 #118 through node 2: done (2+0)
 *      └ simulated milliseconds since the start of the run
 *
 * The hash has two independent 32-bit lanes over the UTF-16 units of every line (FNV-1a with two
 * primes): integers only, so that Bun, Deno and Node agree.
 */

export class Trace {
  readonly #lines: string[] | null;
  #lane0 = 0x811c9dc5 | 0;
  #lane1 = 0x01000193 | 0;
  #count = 0;

  /** @param keep whether the lines are wanted, or only their hash */
  constructor(keep: boolean) {
    this.#lines = keep ? [] : null;
  }

  /** Adds one line; `atMs` is simulated time. */
  add(atMs: number, text: string): void {
    const line = `${atMs.toFixed(3).padStart(11)}  ${text}`;
    this.#count++;
    this.#mix(line);
    this.#lines?.push(line);
  }

  /** Lines so far. */
  get count(): number {
    return this.#count;
  }

  /** 16 hexadecimal digits over all lines so far. */
  get hash(): string {
    return hex32(this.#lane0) + hex32(this.#lane1);
  }

  /** The lines, if they were kept. */
  get lines(): readonly string[] {
    return this.#lines ?? [];
  }

  #mix(line: string): void {
    let lane0 = this.#lane0;
    let lane1 = this.#lane1;
    for (let index = 0; index < line.length; index++) {
      const unit = line.charCodeAt(index);
      lane0 = Math.imul(lane0 ^ unit, 0x01000193);
      lane1 = Math.imul(lane1 ^ unit, 0x85ebca6b);
      lane1 ^= lane1 >>> 15;
    }
    this.#lane0 = lane0;
    this.#lane1 = lane1;
  }
}

function hex32(word: number): string {
  return (word >>> 0).toString(16).padStart(8, "0");
}
