/**
 * Frames that wait to be sent, written by their senders straight into pooled buffers.
 *
 *   buffers   [ frame frame frame ] [ one large frame ] [ frame frame …   ]
 *                sealed                sealed              open: the next frame, if it fits
 *
 * Each buffer holds whole frames and is one network write. A sender reserves room, gets the offset
 * of the body, and fills it before the turn of the event loop ends.
 */

import { FRAME_HEADER_BYTES, writeFrameHeader } from "../../core/frame.ts";
import type { Socket } from "../ports/network.ts";
import { BUFFER_BYTES, type BufferPool } from "./buffer-pool.ts";

const NO_BUFFER = new Uint8Array(0);

export class OutgoingFrames {
  /** Where the frame that was reserved last lies. */
  buffer: Uint8Array = NO_BUFFER;
  /** Bytes of all frames that wait here. */
  bytes = 0;
  /** Frames that wait here. */
  frames = 0;
  readonly #pool: BufferPool;
  readonly #sealed: Uint8Array[] = [];
  readonly #sealedLengths: number[] = [];
  #length = 0;

  constructor(pool: BufferPool) {
    this.#pool = pool;
  }

  /**
   * Writes a frame's header and returns the offset of its body in `buffer`, for the caller to fill.
   */
  reserve(
    kind: number,
    flags: number,
    status: number,
    correlation: number,
    layout: number,
    bodyLength: number,
  ): number {
    const size = FRAME_HEADER_BYTES + bodyLength;
    if (this.#length + size > this.buffer.length) this.#open(size);
    const offset = this.#length;
    writeFrameHeader(this.buffer, offset, kind, flags, status, correlation, layout, bodyLength);
    this.#length = offset + size;
    this.bytes += size;
    this.frames++;
    return offset + FRAME_HEADER_BYTES;
  }

  /** Hands all buffers to the socket, which gives them back to the pool. */
  sendTo(socket: Socket): void {
    for (let index = 0; index < this.#sealed.length; index++) {
      socket.write(this.#sealed[index], this.#sealedLengths[index], this.#pool.give);
    }
    if (this.#length > 0) socket.write(this.buffer, this.#length, this.#pool.give);
    this.#forget();
  }

  /** Throws all frames away. */
  clear(): void {
    for (const buffer of this.#sealed) this.#pool.give(buffer);
    if (this.#length > 0) this.#pool.give(this.buffer);
    this.#forget();
  }

  #forget(): void {
    this.#sealed.length = 0;
    this.#sealedLengths.length = 0;
    this.buffer = NO_BUFFER;
    this.#length = 0;
    this.bytes = 0;
    this.frames = 0;
  }

  #open(size: number): void {
    if (this.#length > 0) {
      this.#sealed.push(this.buffer);
      this.#sealedLengths.push(this.#length);
    }
    this.buffer = this.#pool.take(Math.max(BUFFER_BYTES, size));
    this.#length = 0;
  }
}
