/**
 * The giving side of transfers: offers partitions to a new owner, and answers chunk after chunk, at the pace that its own
 * requests allow. It remembers nothing: who asks says from where on, and paces himself as well.
 *
 *   transfer-offer  ─► how many entries and bytes each partition has here, and whether it is whole
 *   transfer-chunk  ─► entries from a cursor on, where the next chunk begins, and what was left out of it
 *
 * Sets that do not go into a frame are left out and named; the new owner has them sent one by one
 * (repair-entry, scrub.ts).
 */

import { crc32c } from "../../core/crc32c.ts";
import type { ObjectName } from "../../core/object-name.ts";
import { setLength, type WireSet } from "../../core/replica-frames.ts";
import type { Background } from "../admission/background.ts";
import type { VersionSet } from "../../storage/engine.ts";
import type { PeerIdentity, Peers } from "../wire/peers.ts";
import { isWords } from "./comparison.ts";
import type { Completeness } from "./completeness.ts";
import type { LocalCopy } from "./local-copy.ts";
import {
  CHUNK_BYTES,
  type Cursor,
  type Entry,
  isBefore,
  packedLength,
  packInto,
  partitionEnd,
  partitionStart,
  type Slice,
  sliceFrom,
} from "./transfer-chunk.ts";
import { onWire } from "./wire-set.ts";

/** What an object costs beside its bytes. */
const OBJECT_COST = 512;
/** A set of more bytes goes alone. */
const SET_BYTES_MAX = CHUNK_BYTES;

export interface TransferSourceHost {
  readonly background: Background;
  /** Whether this node is a member, and what it holds may be counted on. */
  readonly isReplica: boolean;
  readonly partitions: number;
  /** Entries of a full chunk. */
  readonly chunkEntries: number;
}

interface Packed {
  readonly name: ObjectName;
  readonly set: WireSet;
}

export class TransferSource {
  readonly #host: TransferSourceHost;
  readonly #copy: LocalCopy;
  readonly #completeness: Completeness;
  /** What the chunks that were given last cost, in the currency of the lane. */
  #cost = 0;

  constructor(host: TransferSourceHost, peers: Peers, copy: LocalCopy, completeness: Completeness) {
    this.#host = host;
    this.#copy = copy;
    this.#completeness = completeness;
    peers.onMessage("transfer-offer", (body, from, reply, refuse) => {
      const offer = this.#serves(from) ? this.#offer(body) : null;
      if (offer === null) refuse("transfer-offer wants a list of partitions");
      else reply(offer);
    });
    peers.onMessage("transfer-chunk", (body, from, reply, refuse) => {
      if (!this.#serves(from) || !isWords(body, 4)) return refuse("transfer-chunk wants a partition and a cursor");
      return this.#chunk(body, reply, refuse);
    });
  }

  #serves(from: PeerIdentity): boolean {
    return this.#host.isReplica && from.role === "peer";
  }

  /** [[entries of each], [1 where it is whole here, else 0], bytes that an entry has on average] */
  #offer(body: unknown): unknown {
    const { partitions } = this.#host;
    if (!isWords(body, -1) || body.length > partitions || body.some((one) => one >= partitions)) return null;
    const { engine } = this.#copy;
    const { liveBytes, objects } = engine.stats();
    return [
      body.map((partition) => engine.tree(partition).count),
      body.map((partition) => (this.#completeness.isComplete(partition) ? 1 : 0)),
      Math.ceil(liveBytes / Math.max(1, objects)),
    ];
  }

  /** [packed entries, checksum, next cursor or null, entries that were left out] */
  #chunk(
    [partition = 0, position0 = 0, position1 = 0, tag = 0]: readonly number[],
    reply: (value: unknown) => void,
    refuse: (sentence: string) => void,
  ): void {
    const { partitions } = this.#host;
    const from = { position0, position1, tag };
    const isInside = partition < partitions && !isBefore(from, partitionStart(partition, partitions)) &&
      position0 <= partitionEnd(partition, partitions);
    if (!isInside) return refuse("transfer-chunk wants a cursor in the partition");
    this.#host.background.after("transfer", this.#cost, () => this.#pack(partition, from, reply));
    this.#cost = 0;
    return undefined;
  }

  /** Chunks are given at this node's own pace: what the last one cost is paid before the next. */
  #pack(partition: number, from: Cursor, reply: (value: unknown) => void): void {
    const { partitions, chunkEntries } = this.#host;
    const { engine } = this.#copy;
    const { count } = engine.tree(partition);
    const width = Math.floor(((2 ** 32 / partitions) * chunkEntries) / Math.max(1, count));
    const end = partitionEnd(partition, partitions);
    const slice = sliceFrom(engine, from, end, Math.max(1, width), chunkEntries);
    new Packing(this.#copy, slice, chunkEntries).run((answer, bytes) => {
      this.#cost += bytes + slice.entries.length * OBJECT_COST;
      reply(answer);
    });
  }
}

/** One chunk being put together. */
class Packing {
  readonly #copy: LocalCopy;
  readonly #entries: readonly Entry[];
  readonly #next: Cursor | null;
  readonly #entriesMax: number;
  readonly #packed: Packed[] = [];
  readonly #leftOut: number[] = [];
  #bytes = 0;

  constructor(copy: LocalCopy, { entries, next }: Slice, entriesMax: number) {
    this.#copy = copy;
    this.#entries = entries;
    this.#next = next;
    this.#entriesMax = entriesMax;
  }

  run(done: (answer: unknown, bytes: number) => void): void {
    this.#read(0, (next) => {
      const bytes = new Uint8Array(this.#bytes);
      let at = 0;
      for (const { name, set } of this.#packed) at = packInto(name, set, bytes, at);
      const cursor = next === null ? null : [next.position0, next.position1, next.tag];
      done([bytes, crc32c(bytes, 0, bytes.length), cursor, this.#leftOut], bytes.length);
    });
  }

  /** Reads from one entry on until the chunk is full; calls back with where the next one begins. */
  #read(index: number, done: (next: Cursor | null) => void): void {
    const entry = this.#entries[index];
    if (entry === undefined) return done(this.#next);
    const isNewPlace = index > 0 && isBefore(this.#entries[index - 1], entry);
    const isFull = this.#bytes >= CHUNK_BYTES || index >= this.#entriesMax;
    if (isFull && isNewPlace) return done(entry);
    return this.#copy.engine.readEntry(entry, (name, outcome) => {
      if (name !== null && outcome.status === "found") this.#take(entry, name, outcome.set);
      // What is damaged here is asked for again by the comparison that follows.
      this.#read(index + 1, done);
    });
  }

  #take(entry: Entry, name: ObjectName, whole: VersionSet): void {
    const set = onWire(whole);
    if (set.payloads !== whole.payloads || setLength(set) > SET_BYTES_MAX) {
      const { position0, position1, tag, digest0, digest1 } = entry;
      this.#leftOut.push(position0, position1, tag, digest0, digest1);
      return;
    }
    this.#packed.push({ name, set });
    this.#bytes += packedLength(name, set);
  }
}
