/** Frames that wait to be written, in one buffer: all that is asked within a turn leaves in one write. */

import { FRAME_HEADER_BYTES, writeFrameHeader } from "../core/frame.ts";

const BUFFER_BYTES = 16 << 10;

export class Outgoing {
  #buffer: Uint8Array = new Uint8Array(BUFFER_BYTES);
  #length = 0;
  /** A buffer that the kernel has taken, for the next write. */
  #spare: Uint8Array | null = null;
  readonly #release = (bytes: Uint8Array): void => {
    if (bytes.length === BUFFER_BYTES) this.#spare = bytes;
  };

  get length(): number {
    return this.#length;
  }

  /** Holds what was reserved last. */
  get buffer(): Uint8Array {
    return this.#buffer;
  }

  /** Makes room for a frame; returns where in `buffer` its body is to be written. */
  reserve(kind: number, correlation: number, layout: number, bodyLength: number): number {
    const start = this.#length;
    this.#grow(start + FRAME_HEADER_BYTES + bodyLength);
    writeFrameHeader(this.#buffer, start, kind, 0, 0, correlation, layout, bodyLength);
    this.#length = start + FRAME_HEADER_BYTES + bodyLength;
    return start + FRAME_HEADER_BYTES;
  }

  /** Hands all of it over. */
  sendTo(socket: { write(bytes: Uint8Array, length: number, release: (bytes: Uint8Array) => void): void }): void {
    if (this.#length === 0) return;
    const full = this.#buffer;
    const length = this.#length;
    this.#buffer = this.#spare ?? new Uint8Array(BUFFER_BYTES);
    this.#spare = null;
    this.#length = 0;
    socket.write(full, length, this.#release);
  }

  #grow(needed: number): void {
    if (needed <= this.#buffer.length) return;
    const larger = new Uint8Array(Math.max(needed, 2 * this.#buffer.length));
    larger.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = larger;
  }
}
