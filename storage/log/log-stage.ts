/**
 * A large payload on its way into a log: whole chunks are appended as they come, between whatever else
 * is written, and the segments that have them are held until a set refers to them or it is given up.
 *
 *   append ─► │ bytes of one chunk │ full ─► chunk record at the log's end ─► its place is noted
 *   finish ─► the last, shorter one
 *   drop   ─► nothing holds them: what no set refers to is dead, as any replaced record is
 *
 * A death on the way leaves chunks that nothing refers to: dead from the first moment of the next start.
 * No file is made, nothing has to be cleaned up, and nothing is copied when the set is written.
 */

import { crc32c } from "../../core/crc32c.ts";
import type { Stage, WriteOutcome } from "../engine.ts";
import type { LargePayload } from "../large-payload.ts";
import { ChunkList } from "./chunk-list.ts";
import { ChunkedPayload, type LogFiles, type NameKey } from "./chunked-payload.ts";

/** Appends one chunk as a group of its own, and notes its place. */
export type AppendChunk = (
  name: NameKey,
  bytes: Uint8Array,
  count: number,
  chunk: number,
  places: Uint32Array,
) => WriteOutcome;

const PLACES_BEFORE = 64;
const NO_BYTES = new Uint8Array(0);
const DONE: WriteOutcome = { status: "done" };

export class LogStage implements Stage {
  length: number;
  checksum: number;
  readonly #files: LogFiles;
  readonly #key: NameKey;
  readonly #appendChunk: AppendChunk;
  readonly #sliceBytes: number;
  #chunk: Uint8Array;
  #filled: number;
  #count: number;
  #places: Uint32Array;
  readonly #held: Set<number>;
  #payload: LargePayload | null;
  #isDropped: boolean;

  constructor(files: LogFiles, key: NameKey, sliceBytes: number, appendChunk: AppendChunk) {
    this.length = 0;
    this.checksum = 0;
    this.#files = files;
    this.#key = key;
    this.#appendChunk = appendChunk;
    this.#sliceBytes = sliceBytes;
    this.#chunk = NO_BYTES;
    this.#filled = 0;
    this.#count = 0;
    this.#places = new Uint32Array(PLACES_BEFORE);
    this.#held = new Set();
    this.#payload = null;
    this.#isDropped = false;
  }

  append(source: Uint8Array, start: number, end: number): WriteOutcome {
    if (this.#isDropped || this.#payload !== null) throw new Error("Nothing more may be staged");
    this.checksum = crc32c(source, start, end, this.checksum);
    this.length += end - start;
    while (start < end) {
      const count = Math.min(end - start, this.#sliceBytes - this.#filled);
      if (this.#chunk.length === 0) this.#chunk = new Uint8Array(this.#sliceBytes);
      this.#chunk.set(source.subarray(start, start + count), this.#filled);
      this.#filled += count;
      start += count;
      if (this.#filled < this.#sliceBytes) break;
      const outcome = this.#flush();
      if (outcome.status !== "done") return outcome;
    }
    return DONE;
  }

  finish(): { readonly status: "staged"; readonly payload: LargePayload } | WriteOutcome {
    if (this.#payload !== null) return { status: "staged", payload: this.#payload };
    const outcome = this.#filled > 0 ? this.#flush() : DONE;
    if (outcome.status !== "done") return outcome;
    const list = new ChunkList(this.#sliceBytes, this.#places.slice(0, this.#count * 2));
    const { length, checksum } = this;
    this.#payload = new ChunkedPayload(this.#files, this.#key, length, checksum, list);
    this.#chunk = NO_BYTES;
    return { status: "staged", payload: this.#payload };
  }

  drop(): void {
    if (this.#isDropped) return;
    this.#isDropped = true;
    for (const segment of this.#held) this.#files.release(segment);
  }

  #flush(): WriteOutcome {
    if (this.#count * 2 === this.#places.length) {
      const more = new Uint32Array(2 * this.#places.length);
      more.set(this.#places);
      this.#places = more;
    }
    const chunk = this.#count;
    const outcome = this.#appendChunk(this.#key, this.#chunk, this.#filled, chunk, this.#places);
    if (outcome.status !== "done") return outcome;
    const segment = this.#places[chunk * 2];
    if (!this.#held.has(segment) && this.#files.hold(segment)) this.#held.add(segment);
    this.#count++;
    this.#filled = 0;
    return DONE;
  }
}
