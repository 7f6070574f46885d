/**
 * A payload that is too large to be held in memory: a description of where its bytes are, which gives
 * them out a slice at a time.
 *
 *   set.payloads   [ Uint8Array │ LargePayload │ null ]
 *                     small         large         left out: "the one that is stored under this dot"
 *
 * What is small stays an array, on every road, as it was. What is beyond `streamBytesMin` is never whole
 * in memory: it comes in through a stage (Engine.stage), lies in pieces with a checksum each, and goes
 * out by readInto(), which checks every piece that it reads *before* a byte of it is handed on. So
 * nobody has to read a value twice to be sure of it, and no wrong byte leaves.
 *
 * A description promises nothing about tomorrow: once another version has taken its place its bytes may
 * go ("gone": read the set again). Who needs them for longer, such as an answer to a slow client, holds
 * it, and releases it whatever happens.
 */

/** read: all bytes are there, and right. gone: no longer stored. failed: the disk does not answer. */
export type SliceStatus = "read" | "damaged" | "gone" | "failed";

export interface LargePayload {
  /** Bytes in all: metadata block and value. */
  readonly length: number;
  /** crc32c of all of them, as the version's head says it. */
  readonly checksum: number;
  /**
   * Fills target[start, end) with the bytes from `position` on. Cheapest where a read begins and ends
   * at a multiple of SLICE_BYTES (core/limits), which is how the pieces lie.
   * REQUIRES: position + end - start ≤ length
   */
  readInto(position: number, target: Uint8Array, start: number, end: number): SliceStatus;
  /** Keeps the bytes where they are until release(); false: they are gone already. */
  hold(): boolean;
  release(): void;
}

export type Payload = Uint8Array | LargePayload;

export function isLarge(payload: Payload | null): payload is LargePayload {
  return payload !== null && !(payload instanceof Uint8Array);
}

export function hasLarge(set: { readonly payloads: readonly (Payload | null)[] }): boolean {
  for (let index = 0; index < set.payloads.length; index++) {
    if (isLarge(set.payloads[index])) return true;
  }
  return false;
}

/** A small payload's bytes; null for a large one and for none. */
export function smallBytes(payload: Payload | null): Uint8Array | null {
  return payload instanceof Uint8Array ? payload : null;
}

/** The payload with bytes of its own, for who keeps it beyond the frame that it came in. */
export function ownPayload(payload: Payload | null): Payload | null {
  return payload instanceof Uint8Array ? payload.slice() : payload;
}

/** Where the slice that begins at `position` ends, if slices end at multiples of `sliceBytes`. */
export function sliceEnd(position: number, length: number, sliceBytes: number): number {
  return Math.min(length, (Math.floor(position / sliceBytes) + 1) * sliceBytes);
}

/**
 * The whole payload in one array: for who has to have it so, and knows that it fits. @throws Error where
 * it cannot be read
 */
export function wholeBytes(payload: Payload): Uint8Array {
  if (!isLarge(payload)) return payload;
  const bytes = new Uint8Array(payload.length);
  const status = payload.readInto(0, bytes, 0, bytes.length);
  if (status !== "read") throw new Error(`A payload of ${bytes.length} bytes is ${status}`);
  return bytes;
}
