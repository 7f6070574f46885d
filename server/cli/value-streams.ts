/**
 * Values on their way through a client command. A small one is in memory, whole; a larger one passes through
 * in pieces, from a file or standard input to the node, or from the node to where it is wanted.
 *
 *   put   pieces ─► bytes until they are too many ─► the rest as the connection takes it
 *   get   the answer's body ─► one piece ─► written ─► the next piece
 *
 * There is no deadline for the whole of a large value, only for nothing moving (Stall).
 */

import { STREAM_BYTES_MIN } from "../../core/limits.ts";
import { concatenate, encodeBase64 } from "../http/bytes.ts";
import { systemClock } from "../ports/clock.ts";
import type { Pieces } from "../ports/process.ts";

/** A node answers within its own timeout, at most a minute, and a large value moves on sooner than that. */
const STALL_MS_MAX = 75_000;

/** Ends a request of which nothing has moved for too long. */
export class Stall {
  readonly #controller = new AbortController();
  #timer = this.#start();

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  moved(): void {
    this.#timer.cancel();
    this.#timer = this.#start();
  }

  end(): void {
    this.#timer.cancel();
  }

  #start(): { cancel(): void } {
    return systemClock.after(STALL_MS_MAX, () => {
      this.#controller.abort(new Error(`nothing came or went for ${STALL_MS_MAX / 1000} s`));
    });
  }
}

/** A stream that takes a piece when it is asked for one. */
export function streamFrom(pieces: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  const iterator = pieces[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      const { done, value } = await iterator.next();
      if (done === true) controller.close();
      else controller.enqueue(value);
    },
    cancel: () => void iterator.return?.(),
  }, { highWaterMark: 0 });
}

/** A value as a request takes it. `length` null: nobody knows it before the end. */
export interface OutgoingValue {
  readonly body: Uint8Array | ReadableStream<Uint8Array>;
  readonly length: number | null;
}

/** @throws Error as the system says it, where what is read fails; the stream fails with the same */
export async function outgoingValue({ pieces, length }: Pieces, stall: Stall): Promise<OutgoingValue> {
  const iterator = pieces[Symbol.asyncIterator]();
  const first: Uint8Array[] = [];
  for (let count = 0; count <= STREAM_BYTES_MIN;) {
    const { done, value } = await iterator.next();
    if (done === true) return { body: concatenate(first), length: count };
    first.push(value);
    count += value.length;
  }
  const body = new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      stall.moved();
      const piece = first.shift() ?? (await iterator.next()).value;
      if (piece === undefined) controller.close();
      else controller.enqueue(piece);
    },
    cancel: () => void iterator.return?.(),
  }, { highWaterMark: 0 });
  return { body, length };
}

/**
 * Hands on an answer's body piece by piece. @returns the bytes that were handed on, and what ended them
 * before they were all; "" where they are all
 */
export async function passOn(
  response: Response,
  stall: Stall,
  write: (piece: Uint8Array) => Promise<void> | void,
): Promise<{ readonly count: number; readonly broken: string }> {
  const reader = response.body?.getReader();
  const declared = response.headers.get("content-length");
  for (let count = 0;;) {
    let piece: Uint8Array | undefined;
    try {
      piece = (await reader?.read())?.value;
    } catch (error) {
      return { count, broken: error instanceof Error ? error.message : String(error) };
    }
    if (piece === undefined) {
      const isWhole = declared === null || Number(declared) === count;
      return { count, broken: isWhole ? "" : `${declared} bytes were announced` };
    }
    stall.moved();
    count += piece.length;
    await write(piece);
  }
}

/** An answer's body, as pieces; given up where they are not read to the end. */
export async function* bodyPieces({ body }: Response): AsyncGenerator<Uint8Array> {
  const reader = body?.getReader();
  if (reader === undefined) return;
  let isDone = false;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      isDone = done;
      if (value === undefined) return;
      yield value;
    }
  } finally {
    if (!isDone) await reader.cancel();
  }
}

/** Base64 of bytes that come in pieces: what is left of three bytes waits for the next piece. */
export class Base64Text {
  #rest: Uint8Array = new Uint8Array(0);

  push(piece: Uint8Array): string {
    const bytes = this.#rest.length === 0 ? piece : concatenate([this.#rest, piece]);
    const whole = bytes.length - (bytes.length % 3);
    this.#rest = bytes.slice(whole);
    return encodeBase64(bytes.subarray(0, whole));
  }

  end(): string {
    return encodeBase64(this.#rest);
  }
}
