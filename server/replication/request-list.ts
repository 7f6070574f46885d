/**
 * A few writes, as replicas tell each other of them and note them in their logs: request id, and the
 * checksum of the payload.
 *
 *   ┌───────────────┬─────────────┐
 *   │ id 16         │ crc32c u32  │  … at most REQUESTS_MAX of them
 *   └───────────────┴─────────────┘
 *
 * Of more than that the first ones stand for all: who knows one fewer has to ask.
 */

import { copyBytes, readU32, writeU32 } from "../../core/bytes.ts";
import { REQUEST_ID_KEPT_MS } from "../../core/limits.ts";
import { REQUESTS_MAX, REQUEST_BYTES } from "../../core/replica-frames.ts";
import { requestTimeMs } from "../../core/request-id.ts";
import { REQUEST_ID_BYTES } from "../../core/version-set.ts";

export const NO_REQUESTS = new Uint8Array(0);

export class RequestList {
  readonly #bytes = new Uint8Array(REQUESTS_MAX * REQUEST_BYTES);
  count = 0;

  clear(): void {
    this.count = 0;
  }

  /** Adds the id at bytes[offset, offset + 16), if there is room. */
  add(bytes: Uint8Array, offset: number, checksum: number): void {
    if (this.count === REQUESTS_MAX) return;
    const at = this.count++ * REQUEST_BYTES;
    copyBytes(bytes, offset, this.#bytes, at, REQUEST_ID_BYTES);
    writeU32(this.#bytes, at + REQUEST_ID_BYTES, checksum);
  }

  toBytes(): Uint8Array {
    return this.#bytes.slice(0, this.count * REQUEST_BYTES);
  }
}

/** A clock here may be ahead by so much, and still nothing is taken for too old to be worth a word. */
const CLOCK_AHEAD_MS = 3_600_000;

/** Whether a write with this id may still be retried. */
export function requestIsYoung(bytes: Uint8Array, offset: number, nowMs: number): boolean {
  return nowMs - requestTimeMs(bytes, offset) < REQUEST_ID_KEPT_MS + CLOCK_AHEAD_MS;
}

/** Calls back for each request of a list; a rest that is none is left out. */
export function eachRequest(
  list: Uint8Array,
  visit: (offset: number, checksum: number) => void,
): void {
  for (let at = 0; at + REQUEST_BYTES <= list.length; at += REQUEST_BYTES) {
    visit(at, readU32(list, at + REQUEST_ID_BYTES));
  }
}
