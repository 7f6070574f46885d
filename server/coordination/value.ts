/**
 * A value as a client is shown it: bytes, or for a large one the payload that it is the end of. A payload
 * begins with the metadata block (core/payload), which no client sees.
 */

import { type LargePayload, type Payload, isLarge } from "../../storage/large-payload.ts";

export class LargeValue {
  readonly payload: LargePayload;
  /** Where the value begins in the payload. */
  readonly start: number;

  constructor(payload: LargePayload, start: number) {
    this.payload = payload;
    this.start = start;
  }

  get length(): number {
    return this.payload.length - this.start;
  }
}

export type Value = Uint8Array | LargeValue;

/** The value behind `start` bytes of metadata. */
export function valueIn(payload: Payload, start: number): Value {
  return isLarge(payload) ? new LargeValue(payload, start) : payload.subarray(start);
}

/**
 * The value in one array, for who has to have it so and knows that it fits. @throws Error where it cannot
 * be read any more
 */
export function valueBytes(value: Value): Uint8Array {
  if (value instanceof Uint8Array) return value;
  const bytes = new Uint8Array(value.length);
  const status = value.payload.readInto(value.start, bytes, 0, bytes.length);
  if (status !== "read") throw new Error(`A value of ${bytes.length} bytes is ${status}`);
  return bytes;
}
