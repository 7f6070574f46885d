/**
 * The requests of one link that wait for an answer.
 *
 *   correlation numbers  … 4097 4098 4099 …     a counter; a request lies in place number % capacity
 *   places               [4097][4098][    ]     a place that is still in use is passed over
 *
 * A reply counts only if the place holds exactly its number, so a reply that comes after its
 * request has ended (timed out, or answered by a twin) finds nothing: numbers come again after four
 * billion requests. At most half of the places are in use, so the next free one is near; the table
 * doubles when that no longer holds, up to the limit. Entries are columns of arrays: nothing is
 * allocated for a request. 0 is no correlation (it belongs to the handshake).
 */

import type { ReplyHandler } from "./reply-handler.ts";

const CAPACITY_START = 64;

export class Correlations {
  /** Requests that wait. */
  count = 0;
  readonly #limit: number;
  #capacity = CAPACITY_START;
  #numbers = new Uint32Array(CAPACITY_START);
  #kinds = new Uint8Array(CAPACITY_START);
  #handlers: (ReplyHandler | null)[] = new Array<ReplyHandler | null>(CAPACITY_START).fill(null);
  #tags = new Float64Array(CAPACITY_START);
  #startsMs = new Float64Array(CAPACITY_START);
  #timers = new Float64Array(CAPACITY_START);
  /** The next number to try. */
  #next: number;

  /** @param limit requests that may wait at one time  @param first the number to begin with */
  constructor(limit: number, first = 1) {
    this.#limit = limit;
    this.#next = first >>> 0;
  }

  /** The number that the next `open` will take, 0 when no more may wait. */
  peek(): number {
    if (this.count >= this.#limit) return 0;
    if (this.count * 2 >= this.#capacity) this.#double();
    while (this.#next === 0 || this.#numbers[this.#next & (this.#capacity - 1)] !== 0) {
      this.#next = (this.#next + 1) >>> 0;
    }
    return this.#next;
  }

  /** Enters a request under the number that `peek` gave. REQUIRES: nothing was opened since. */
  open(
    number: number,
    kind: number,
    handler: ReplyHandler,
    tag: number,
    startMs: number,
    timer: number,
  ): void {
    const place = number & (this.#capacity - 1);
    this.#numbers[place] = number;
    this.#kinds[place] = kind;
    this.#handlers[place] = handler;
    this.#tags[place] = tag;
    this.#startsMs[place] = startMs;
    this.#timers[place] = timer;
    this.#next = (number + 1) >>> 0;
    this.count++;
  }

  /** The place of a request that waits, or -1. Valid until the next `peek`. */
  find(number: number): number {
    const place = number & (this.#capacity - 1);
    return number !== 0 && this.#numbers[place] === number ? place : -1;
  }

  kind(place: number): number {
    return this.#kinds[place];
  }

  handler(place: number): ReplyHandler | null {
    return this.#handlers[place];
  }

  tag(place: number): number {
    return this.#tags[place];
  }

  startMs(place: number): number {
    return this.#startsMs[place];
  }

  timer(place: number): number {
    return this.#timers[place];
  }

  /** Forgets the request at a place. */
  end(place: number): void {
    this.#numbers[place] = 0;
    this.#handlers[place] = null;
    this.count--;
  }

  /** The numbers that wait, oldest first. Allocates: for the end of a connection. */
  waiting(): number[] {
    const next = this.#next;
    const age = (number: number): number => (next - number) >>> 0;
    const numbers = Array.from(this.#numbers.filter((number) => number !== 0));
    return numbers.sort((left, right) => age(right) - age(left));
  }

  #double(): void {
    const numbers = this.#numbers;
    const kinds = this.#kinds;
    const handlers = this.#handlers;
    const [tags, startsMs, timers] = [this.#tags, this.#startsMs, this.#timers];
    this.#capacity *= 2;
    this.#numbers = new Uint32Array(this.#capacity);
    this.#kinds = new Uint8Array(this.#capacity);
    this.#handlers = new Array<ReplyHandler | null>(this.#capacity).fill(null);
    this.#tags = new Float64Array(this.#capacity);
    this.#startsMs = new Float64Array(this.#capacity);
    this.#timers = new Float64Array(this.#capacity);
    // Different places of the smaller table are different places of the larger one.
    for (let old = 0; old < numbers.length; old++) {
      if (numbers[old] === 0) continue;
      const place = numbers[old] & (this.#capacity - 1);
      this.#numbers[place] = numbers[old];
      this.#kinds[place] = kinds[old];
      this.#handlers[place] = handlers[old];
      this.#tags[place] = tags[old];
      this.#startsMs[place] = startsMs[old];
      this.#timers[place] = timers[old];
    }
  }
}
