/**
 * A large value on its way out: a stream that reads a slice when the client has taken the one before.
 *
 *   pieces   head of a part │ large value │ head of a part │ large value as base64 │ end
 *   pull     ─► one slice, checked by the engine ─► the client
 *
 * The first slice is read before there is an answer, so that what is damaged or gone becomes an error like
 * any other. Damage that is met later is made good where that is possible: the object is read again, which
 * by then comes from another replica, and the answer goes on at the same byte. Where that fails the
 * connection is broken off: never is an answer complete and wrong. What is streamed is held until the
 * stream has ended, however slow the client is.
 */

import { SLICE_BYTES } from "../../core/limits.ts";
import { sliceEnd } from "../../storage/large-payload.ts";
import { LargeValue } from "../coordination/value.ts";
import { encodeBase64 } from "./bytes.ts";
import { Refusal } from "./problem.ts";
import type { ByteRange } from "./range.ts";

/** A large value as base64 text. */
export class Base64Value {
  readonly value: LargeValue;
  constructor(value: LargeValue) {
    this.value = value;
  }

  get length(): number {
    return Math.ceil(this.value.length / 3) * 4;
  }
}

export type Piece = Uint8Array | LargeValue | Base64Value;

/** Reads the object of a value again: the same value from where it can be read now, or null. */
export type ReadAgain = (value: LargeValue, done: (other: LargeValue | null) => void) => void;

/** A slice of base64 ends where three bytes do. */
const BASE64_SLICE_BYTES = 3 << 16;
const encoder = new TextEncoder();

export function lengthOf(pieces: readonly Piece[]): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0);
}

/** @param range what is wanted of the one piece; null: all @throws Refusal where the first large slice cannot be read */
export function streamOf(
  pieces: readonly Piece[],
  again: ReadAgain,
  range: ByteRange | null = null,
): ReadableStream<Uint8Array> {
  const source = new ValueSource(pieces, again, range);
  return new ReadableStream<Uint8Array>(
    {
      pull: (controller) => source.pull(controller),
      cancel: () => source.end(),
    },
    { highWaterMark: 0 },
  );
}

class ValueSource {
  readonly #pieces: Piece[];
  readonly #again: ReadAgain;
  readonly #held: LargeValue[] = [];
  /** The piece at hand, and how much of it has gone out. */
  #index = 0;
  #position: number;
  /** Where a range ends in its piece. */
  readonly #end: number;
  #first: Uint8Array | null = null;
  #isEnded = false;

  constructor(pieces: readonly Piece[], again: ReadAgain, range: ByteRange | null) {
    this.#pieces = [...pieces];
    this.#position = range?.start ?? 0;
    this.#end = range?.end ?? Infinity;
    this.#again = again;
    for (const piece of pieces) if (!(piece instanceof Uint8Array)) this.#hold(valueOf(piece));
    this.#first = this.#next();
    if (this.#first !== null || pieces.length === 0) return;
    this.end();
    throw new Refusal("read-timeout", "The value can no longer be read as it was; read it again.");
  }

  #hold(value: LargeValue): void {
    if (value.payload.hold()) this.#held.push(value);
  }

  pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> | void {
    const slice = this.#first ?? this.#next();
    this.#first = null;
    if (slice !== null) return controller.enqueue(slice);
    if (this.#index < this.#pieces.length) return this.#replace(controller);
    this.end();
    return controller.close();
  }

  /** Nothing more is wanted. */
  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    for (const value of this.#held) value.payload.release();
  }

  /** The next slice; null: all has gone out, or the piece at hand cannot be read. */
  #next(): Uint8Array | null {
    const piece = this.#pieces[this.#index];
    if (piece === undefined) return null;
    const slice = piece instanceof Uint8Array ? piece : this.#sliceOf(piece);
    if (slice === null) return null;
    const length = piece instanceof Uint8Array ? piece.length : Math.min(valueOf(piece).length, this.#end);
    if (piece instanceof Uint8Array) this.#position = length;
    if (this.#position < length) return slice;
    this.#index++;
    this.#position = 0;
    return slice;
  }

  #sliceOf(piece: LargeValue | Base64Value): Uint8Array | null {
    const { payload, start } = valueOf(piece);
    const from = start + this.#position;
    const isText = piece instanceof Base64Value;
    const end = isText
      ? Math.min(payload.length, from + BASE64_SLICE_BYTES)
      : sliceEnd(from, Math.min(payload.length, start + this.#end), SLICE_BYTES);
    const bytes = new Uint8Array(end - from);
    if (payload.readInto(from, bytes, 0, bytes.length) !== "read") return null;
    this.#position += bytes.length;
    return isText ? encoder.encode(encodeBase64(bytes)) : bytes;
  }

  /** The piece at hand cannot be read here any more: it goes on from elsewhere, or the answer breaks off. */
  #replace(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    const piece = this.#pieces[this.#index];
    if (piece instanceof Uint8Array) throw new Error("Bytes in memory can be read");
    return new Promise<void>((resolve, reject) => {
      this.#again(valueOf(piece), (other) => {
        if (other === null || this.#isEnded) return reject(new Error("The value cannot be read to its end"));
        this.#hold(other);
        this.#pieces[this.#index] = piece instanceof Base64Value ? new Base64Value(other) : other;
        const slice = this.#next();
        if (slice === null) return reject(new Error("The value cannot be read to its end"));
        controller.enqueue(slice);
        return resolve();
      });
    }).catch((error: unknown) => {
      this.end();
      throw error;
    });
  }
}

function valueOf(piece: LargeValue | Base64Value): LargeValue {
  return piece instanceof Base64Value ? piece.value : piece;
}
