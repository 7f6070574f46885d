/**
 * A large payload in memory: slices that were copied in, which are never changed. Nothing can be damaged
 * and nothing goes as long as somebody has it, so there is nothing to be held.
 */

import { crc32c } from "../../core/crc32c.ts";
import type { Stage, WriteOutcome } from "../engine.ts";
import type { LargePayload, SliceStatus } from "../large-payload.ts";

const DONE: WriteOutcome = { status: "done" };

export class MemoryPayload implements LargePayload {
  readonly length: number;
  readonly checksum: number;
  readonly #slices: readonly Uint8Array[];
  readonly #sliceBytes: number;

  /** @param slices of `sliceBytes` bytes each, but for the last */
  constructor(length: number, checksum: number, slices: readonly Uint8Array[], sliceBytes: number) {
    this.length = length;
    this.checksum = checksum;
    this.#slices = slices;
    this.#sliceBytes = sliceBytes;
  }

  readInto(position: number, target: Uint8Array, start: number, end: number): SliceStatus {
    while (start < end) {
      const slice = this.#slices[Math.floor(position / this.#sliceBytes)];
      const from = position % this.#sliceBytes;
      const count = Math.min(slice.length - from, end - start);
      target.set(slice.subarray(from, from + count), start);
      position += count;
      start += count;
    }
    return "read";
  }

  hold(): boolean {
    return true;
  }

  release(): void {}
}

export class MemoryStage implements Stage {
  length: number;
  checksum: number;
  readonly #sliceBytes: number;
  readonly #slices: Uint8Array[];
  /** Bytes of the slice that is being filled, and the slice. */
  #filled: number;
  #slice: Uint8Array;

  constructor(sliceBytes: number) {
    this.length = 0;
    this.checksum = 0;
    this.#sliceBytes = sliceBytes;
    this.#slices = [];
    this.#filled = 0;
    this.#slice = new Uint8Array(sliceBytes);
  }

  append(source: Uint8Array, start: number, end: number): WriteOutcome {
    this.checksum = crc32c(source, start, end, this.checksum);
    this.length += end - start;
    while (start < end) {
      const count = Math.min(end - start, this.#sliceBytes - this.#filled);
      this.#slice.set(source.subarray(start, start + count), this.#filled);
      this.#filled += count;
      start += count;
      if (this.#filled === this.#sliceBytes) this.#next();
    }
    return DONE;
  }

  finish(): { readonly status: "staged"; readonly payload: MemoryPayload } {
    if (this.#filled > 0) {
      this.#slice = this.#slice.slice(0, this.#filled);
      this.#next();
    }
    const { length, checksum } = this;
    const payload = new MemoryPayload(length, checksum, this.#slices, this.#sliceBytes);
    return { status: "staged", payload };
  }

  drop(): void {}

  #next(): void {
    this.#slices.push(this.#slice);
    this.#slice = new Uint8Array(this.#sliceBytes);
    this.#filled = 0;
  }
}
