/**
 * Where the pieces of a large payload lie: each is a body record of its own ("chunk"), and the list of
 * their places is one more record, to which the object's table refers.
 *
 *   chunk 0   chunk 1   …   chunk n-1   list( name │ u32 chunk bytes, u32 0 │ place 0 │ … │ place n-1 )
 *      ▲         ▲              ▲                                             │ segment, offset │
 *      └─────────┴──────────────┴─────────────────────────────────────────────┘
 *
 * All chunks but the last one have the same length, so that a position is found without a search. A
 * chunk's header names the object's position and tag, and its own number in digest1: a list that is
 * wrong cannot pass off another payload's chunk as its own.
 */

import { readU32, writeU32 } from "../../core/bytes.ts";

const LIST_FIXED = 8;
const PLACE_BYTES = 8;

export class ChunkList {
  readonly chunkBytes: number;
  /** Two words a chunk: segment, offset. */
  readonly places: Uint32Array;

  constructor(chunkBytes: number, places: Uint32Array) {
    this.chunkBytes = chunkBytes;
    this.places = places;
  }

  get count(): number {
    return this.places.length / 2;
  }

  /** Bytes of a chunk of a payload of `length` bytes. */
  lengthOf(chunk: number, length: number): number {
    return Math.min(this.chunkBytes, length - chunk * this.chunkBytes);
  }

  /** Which chunk lies there; -1: none. */
  chunkAt(segment: number, offset: number): number {
    for (let word = 0; word < this.places.length; word += 2) {
      if (this.places[word] === segment && this.places[word + 1] === offset) return word / 2;
    }
    return -1;
  }

  get encodedLength(): number {
    return LIST_FIXED + this.count * PLACE_BYTES;
  }

  encodeInto(target: Uint8Array, at: number): void {
    writeU32(target, at, this.chunkBytes);
    writeU32(target, at + 4, 0);
    for (let word = 0; word < this.places.length; word++) {
      writeU32(target, at + LIST_FIXED + word * 4, this.places[word]);
    }
  }
}

/** The list in bytes[start, end); null where it is none of a payload of `length` bytes. */
export function decodeChunkList(
  bytes: Uint8Array,
  start: number,
  end: number,
  length: number,
): ChunkList | null {
  if (end - start < LIST_FIXED || (end - start - LIST_FIXED) % PLACE_BYTES !== 0) return null;
  const chunkBytes = readU32(bytes, start);
  const count = (end - start - LIST_FIXED) / PLACE_BYTES;
  if (chunkBytes === 0 || count !== Math.ceil(length / chunkBytes)) return null;
  const places = new Uint32Array(count * 2);
  for (let word = 0; word < places.length; word++) {
    places[word] = readU32(bytes, start + LIST_FIXED + word * 4);
  }
  return new ChunkList(chunkBytes, places);
}
