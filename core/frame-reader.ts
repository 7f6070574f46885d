/**
 * Cuts a byte stream into frames. Pure: bytes go in as the network cut them, whole frames come out.
 *
 *   chunk    ├─ frame ─┼─ frame ─┼─ fra        the first two are handed over where they lie,
 *   chunk    me ─┼─ frame ─┤                   the third is gathered in a buffer of our own
 *
 * Invariants: no byte is copied of a frame that lies whole in a chunk. A length field is believed
 * only as far as bytes have come: the gathering buffer is never larger than 64 KiB or sixteen times
 * what was received, so a peer that announces 64 MiB and falls silent holds 64 KiB. After a
 * malformed length nothing more is read: the stream has no place to start again from.
 */

import {
  FRAME_HEADER_BYTES,
  FRAME_LENGTH_BYTES,
  FRAME_LENGTH_MIN,
  FrameView,
  readFrame,
  readFrameLength,
} from "./frame.ts";

/** A gathering buffer of up to this is allocated at once, and kept for the next torn frame. */
const GATHER_BYTES = 64 << 10;
/** None is smaller: a chunk that ends within a length field cannot tell what follows. */
const GATHER_BYTES_MIN = 4 << 10;
/** How much a buffer may grow over what has arrived. */
const GATHER_GROWTH = 16;

/**
 * Takes one frame; false: stop, nothing more of this stream is wanted. The view is valid until it
 * returns.
 */
export type FrameSink = (frame: FrameView) => boolean;

export class FrameReader {
  readonly #view = new FrameView();
  readonly #sink: FrameSink;
  #gathered: Uint8Array = NOTHING;
  #gatheredBytes = 0;
  #frameBytesMax: number;
  #stopped = false;
  /** What stopped it, "" where it was the sink or nothing. */
  #wrong = "";

  /** @param frameBytesMax the largest frame to accept, length field and all */
  constructor(frameBytesMax: number, sink: FrameSink) {
    this.#frameBytesMax = frameBytesMax;
    this.#sink = sink;
  }

  /** Changes the limit for the frames to come (a handshake gets less room than what follows it). */
  set frameBytesMax(limit: number) {
    this.#frameBytesMax = limit;
  }

  /** Bytes of memory that a torn frame holds here. */
  get heldBytes(): number {
    return this.#gathered.length;
  }

  /**
   * Takes bytes as they came. Returns "" or what is wrong with the stream, which is then at its
   * end.
   * @hot
   */
  take(bytes: Uint8Array): string {
    let offset = this.#gatheredBytes === 0 ? 0 : this.#complete(bytes);
    let whole = FRAME_HEADER_BYTES;
    while (!this.#stopped && offset + FRAME_LENGTH_BYTES <= bytes.length) {
      const wrong = this.#checkLength(bytes, offset);
      if (wrong !== "") return this.#stop(wrong);
      whole = FRAME_LENGTH_BYTES + readFrameLength(bytes, offset);
      if (offset + whole > bytes.length) break;
      this.#hand(bytes, offset);
      offset += whole;
    }
    if (!this.#stopped) this.#keep(bytes, offset, bytes.length, whole);
    return this.#wrong;
  }

  /** Goes on with the frame whose beginning was kept; returns how much of `bytes` it took. */
  #complete(bytes: Uint8Array): number {
    let taken = 0;
    if (this.#gatheredBytes < FRAME_LENGTH_BYTES) {
      taken = Math.min(FRAME_LENGTH_BYTES - this.#gatheredBytes, bytes.length);
      this.#keep(bytes, 0, taken, FRAME_HEADER_BYTES);
      if (this.#gatheredBytes < FRAME_LENGTH_BYTES) return taken;
      const wrong = this.#checkLength(this.#gathered, 0);
      if (wrong !== "") {
        this.#stop(wrong);
        return bytes.length;
      }
    }
    const whole = FRAME_LENGTH_BYTES + readFrameLength(this.#gathered, 0);
    const end = Math.min(bytes.length, taken + whole - this.#gatheredBytes);
    this.#keep(bytes, taken, end, whole);
    if (this.#gatheredBytes < whole) return bytes.length;
    this.#gatheredBytes = 0;
    this.#hand(this.#gathered, 0);
    if (this.#gathered.length > GATHER_BYTES) this.#gathered = NOTHING;
    return end;
  }

  #hand(bytes: Uint8Array, offset: number): void {
    readFrame(bytes, offset, this.#view);
    if (!this.#sink(this.#view)) this.#stopped = true;
    this.#view.bytes = NOTHING;
  }

  /** Gathers bytes[start, end) of a frame of `whole` bytes, as far as that is known. */
  #keep(bytes: Uint8Array, start: number, end: number, whole: number): void {
    if (start >= end) return;
    const needed = this.#gatheredBytes + end - start;
    if (needed > this.#gathered.length) this.#gathered = this.#roomFor(needed, whole);
    // A short piece is cheaper byte by byte than with a view made for it.
    if (end - start <= 32) {
      for (let index = start; index < end; index++) {
        this.#gathered[this.#gatheredBytes++] = bytes[index];
      }
      return;
    }
    this.#gathered.set(bytes.subarray(start, end), this.#gatheredBytes);
    this.#gatheredBytes = needed;
  }

  /**
   * A larger buffer with what was gathered: as large as the frame, if the bytes so far warrant
   * that.
   */
  #roomFor(needed: number, whole: number): Uint8Array {
    const warranted = Math.max(GATHER_BYTES, needed * GATHER_GROWTH);
    const room = Math.max(GATHER_BYTES_MIN, needed, Math.min(whole, warranted));
    const larger = new Uint8Array(room);
    larger.set(this.#gathered.subarray(0, this.#gatheredBytes));
    return larger;
  }

  #checkLength(bytes: Uint8Array, offset: number): string {
    const length = readFrameLength(bytes, offset);
    if (length < FRAME_LENGTH_MIN) {
      return `frame length is ${length}, at least ${FRAME_LENGTH_MIN} is wanted`;
    }
    const limit = this.#frameBytesMax - FRAME_LENGTH_BYTES;
    return length <= limit ? "" : `frame length is ${length}, limit is ${limit}`;
  }

  #stop(wrong: string): string {
    this.#stopped = true;
    this.#wrong = wrong;
    this.#gathered = NOTHING;
    this.#gatheredBytes = 0;
    return wrong;
  }
}

const NOTHING = new Uint8Array(0);
