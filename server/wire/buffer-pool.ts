/**
 * Buffers for outgoing frames, used again and again: a network write borrows one until the kernel
 * has taken its bytes. Sizes are powers of two from 64 KiB; what is larger than 4 MiB, or more than
 * the pool wants to hold, is left to the garbage collector.
 *
 * A buffer comes with old bytes in it. Who takes one writes every byte that is sent.
 */

/** The usual buffer: a turn's worth of small frames. */
export const BUFFER_BYTES = 64 << 10;
/** The largest buffer that is kept. */
const POOLED_BYTES_MAX = 4 << 20;
/** All that the pool holds for later. */
const HELD_BYTES_MAX = 32 << 20;

export class BufferPool {
  /** By size: BUFFER_BYTES << index. */
  readonly #shelves: Uint8Array[][] = [];
  #heldBytes = 0;

  /** Bytes that wait in the pool. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** A buffer of at least `bytes`; its content is arbitrary. */
  take(bytes: number): Uint8Array {
    if (bytes > POOLED_BYTES_MAX) return new Uint8Array(bytes);
    const shelf = shelfOf(bytes);
    const buffer = this.#shelves[shelf]?.pop();
    if (buffer === undefined) return new Uint8Array(BUFFER_BYTES << shelf);
    this.#heldBytes -= buffer.length;
    return buffer;
  }

  /** Gives a buffer back. REQUIRES: it came from `take` and nobody uses it any more. */
  readonly give = (buffer: Uint8Array): void => {
    if (buffer.length > POOLED_BYTES_MAX) return;
    if (this.#heldBytes + buffer.length > HELD_BYTES_MAX) return;
    const shelf = shelfOf(buffer.length);
    while (this.#shelves.length <= shelf) this.#shelves.push([]);
    this.#shelves[shelf].push(buffer);
    this.#heldBytes += buffer.length;
  };
}

function shelfOf(bytes: number): number {
  let shelf = 0;
  while (BUFFER_BYTES << shelf < bytes) shelf++;
  return shelf;
}
