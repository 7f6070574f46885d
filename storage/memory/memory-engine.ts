/**
 * The engine without a disk: version sets in memory, the same index as the log's, nothing durable.
 *
 *   index entry (segment 1, offset = slot)  →  #held[slot] = { name, set }
 *
 * "Handed to the kernel" and "durable" mean here: kept by this process. A node on this engine draws
 * a new actor at each start and comes back as a partial replica; its acknowledgements are worth
 * what the process is worth. It exists for tests, for caches, and to measure what the disk costs.
 *
 * Sets are copied in, and handed out as they are held: readers must not change them.
 */

import { SLICE_BYTES, STREAM_BYTES_MIN } from "../../core/limits.ts";
import type { MerkleTree } from "../../core/merkle-tree.ts";
import { equalBytes, ObjectName } from "../../core/object-name.ts";
import {
  findDot,
  headDigestInto,
  payloadLength,
  versionCount,
  versionOffset,
} from "../../core/version-set.ts";
import type {
  Engine,
  EngineOptions,
  EngineStats,
  EntryKey,
  EntryOutcome,
  IndexEntry,
  ReadOutcome,
  Stage,
  VersionSet,
  WriteLabels,
  WriteOutcome,
} from "../engine.ts";
import { isLarge, type LargePayload, type Payload } from "../large-payload.ts";
import { ENTRY_DIGEST0, ENTRY_DIGEST1, ENTRY_OFFSET } from "../index-region.ts";
import { PositionIndex } from "../position-index.ts";
import { MemoryPayload, MemoryStage } from "./memory-payload.ts";

interface Held {
  readonly name: ObjectName;
  readonly set: VersionSet;
  /** Bytes of name, head and payloads. */
  readonly size: number;
}

const DONE: WriteOutcome = { status: "done" };
const ABSENT = { status: "absent" } as const;
/** The index calls segment 0 empty; here every entry is in "segment" 1. */
const SEGMENT = 1;

const NO_BYTES = new Uint8Array(0);

/** Digest of the head that is being written. */
const digest = new Uint32Array(2);

/** Opens an empty engine. `folder` and `freeBytesMin` mean nothing here; `totalBytesMax` does. */
export function openMemoryEngine(options: EngineOptions): Engine {
  return new MemoryEngine(options);
}

class MemoryEngine implements Engine {
  readonly unsynced = false;
  readonly lostNames = 0;
  readonly treeKey: Int32Array;
  readonly #index: PositionIndex;
  readonly #held: (Held | null)[];
  readonly #freeSlots: number[];
  readonly #totalBytesMax: number;
  readonly #streamBytesMin: number;
  readonly #sliceBytes: number;
  readonly #mayGrow: () => string;
  #bytes: number;

  constructor(options: EngineOptions) {
    this.treeKey = options.treeKey;
    this.#index = new PositionIndex(options.partitionBits, options.treeKey);
    this.#held = [];
    this.#freeSlots = [];
    this.#totalBytesMax = options.totalBytesMax;
    this.#streamBytesMin = options.streamBytesMin ?? STREAM_BYTES_MIN;
    this.#sliceBytes = options.sliceBytes ?? SLICE_BYTES;
    this.#mayGrow = options.mayGrow ?? (() => "");
    this.#bytes = 0;
  }

  digestInto(name: ObjectName, target: Uint32Array, targetIndex: number): boolean {
    if (this.#find(name) === null) return false;
    target[targetIndex] = this.#index.words[this.#index.at + ENTRY_DIGEST0];
    target[targetIndex + 1] = this.#index.words[this.#index.at + ENTRY_DIGEST1];
    return true;
  }

  read(name: ObjectName, done: (outcome: ReadOutcome) => void): void {
    const held = this.#find(name);
    done(held === null ? ABSENT : { status: "found", set: held.set });
  }

  readHead(name: ObjectName): ReadOutcome {
    const held = this.#find(name);
    return held === null ? ABSENT : { status: "found", set: bare(held.set) };
  }

  readEntry(
    entry: EntryKey,
    done: (name: ObjectName | null, outcome: ReadOutcome) => void,
  ): void {
    const held = this.#findEntry(entry);
    if (held === null) done(null, ABSENT);
    else done(held.name, { status: "found", set: held.set });
  }

  readEntryHead(entry: EntryKey): EntryOutcome {
    const held = this.#findEntry(entry);
    if (held === null) return ABSENT;
    return { status: "found", name: held.name.bytes, head: held.set.head };
  }

  write(name: ObjectName, set: VersionSet, _labels: WriteLabels): WriteOutcome {
    const before = this.#find(name);
    const held = this.#copyOf(name, set, before);
    if (held === null) return { status: "gone", detail: "a large payload can no longer be read" };
    const added = held.size - (before === null ? 0 : before.size);
    if (added > 0 && this.#totalBytesMax > 0 && this.#bytes + added > this.#totalBytesMax) {
      const detail = `memory holds ${this.#bytes} bytes, limit is ${this.#totalBytesMax}`;
      return { status: "full", of: "memory", detail };
    }
    const growth = added > 0 && bringsPayload(set) ? this.#mayGrow() : "";
    if (growth !== "") return { status: "full", of: "memory", detail: growth };
    this.#bytes += added;
    headDigestInto(held.set.head, 0, held.set.head.length, digest, 0);
    if (before === null) this.#insert(held);
    else this.#replace(held);
    return DONE;
  }

  stage(_name: ObjectName): Stage {
    return new MemoryStage(this.#sliceBytes);
  }

  remove(name: ObjectName, digest0: number, digest1: number): WriteOutcome {
    const held = this.#find(name);
    if (held === null) return DONE;
    const { words, at } = this.#index;
    if (words[at + ENTRY_DIGEST0] !== digest0 || words[at + ENTRY_DIGEST1] !== digest1) return DONE;
    const slot = words[at + ENTRY_OFFSET];
    this.#held[slot] = null;
    this.#freeSlots.push(slot);
    this.#bytes -= held.size;
    this.#index.remove();
    return DONE;
  }

  handOver(): boolean {
    return true;
  }

  handedOver(done: (isKept: boolean) => void): void {
    done(true);
  }

  note(_name: ObjectName, _bytes: Uint8Array): WriteOutcome {
    return DONE;
  }

  sync(done: (durable: boolean) => void): void {
    done(true);
  }

  scan(from: number, to: number, visit: (entry: IndexEntry) => boolean): void {
    this.#index.scan(from, to, visit);
  }

  scanBucket(
    bucketTag: number,
    from: number,
    to: number,
    visit: (entry: IndexEntry) => boolean,
  ): number {
    return this.#index.scanBucket(bucketTag, from, to, visit);
  }

  tree(partition: number): MerkleTree {
    return this.#index.tree(partition);
  }

  stats(): EngineStats {
    return {
      objects: this.#index.count,
      liveBytes: this.#bytes,
      totalBytes: this.#bytes,
      damaged: 0,
      indexBytes: this.#index.bytes,
      bytesFreed: 0,
      segmentsCompacted: 0,
      bytesMoved: 0,
    };
  }

  close(done: () => void): void {
    done();
  }

  /** What is held for a name, with the index's cursor on it. */
  #find(name: ObjectName): Held | null {
    if (!this.#index.seek(name.position0, name.position1, name.tag)) return null;
    do {
      const held = this.#underCursor();
      if (equalBytes(held.name.bytes, name.bytes)) return held;
    } while (this.#index.next());
    return null;
  }

  #findEntry(entry: EntryKey): Held | null {
    if (!this.#index.seek(entry.position0, entry.position1, entry.tag)) return null;
    const first = this.#underCursor();
    do {
      const { words, at } = this.#index;
      if (
        words[at + ENTRY_DIGEST0] === entry.digest0 && words[at + ENTRY_DIGEST1] === entry.digest1
      ) return this.#underCursor();
    } while (this.#index.next());
    return first;
  }

  #underCursor(): Held {
    const held = this.#held[this.#index.words[this.#index.at + ENTRY_OFFSET]];
    if (held === null) throw new Error("Index points to an empty slot");
    return held;
  }

  #insert(held: Held): void {
    const slot = this.#freeSlots.pop() ?? this.#held.length;
    this.#held[slot] = held;
    const { position0, position1, tag } = held.name;
    this.#index.insert(position0, position1, tag, digest[0], digest[1], SEGMENT, slot, held.size);
  }

  #replace(held: Held): void {
    const slot = this.#index.words[this.#index.at + ENTRY_OFFSET];
    this.#held[slot] = held;
    this.#index.replace(digest[0], digest[1], SEGMENT, slot, held.size);
  }

  /** Null: a large payload that it was given can no longer be read. */
  #copyOf(name: ObjectName, set: VersionSet, before: Held | null): Held | null {
    const count = versionCount(set.head, 0);
    const payloads: Payload[] = [];
    let size = name.bytes.length + set.head.length;
    for (let index = 0; index < count; index++) {
      const payload = this.#copyOfPayload(set, index, before);
      if (payload === null) return null;
      payloads.push(payload);
      size += payload.length;
    }
    return { name, set: { head: set.head.slice(), payloads }, size };
  }

  #copyOfPayload(set: VersionSet, index: number, before: Held | null): Payload | null {
    const given = set.payloads[index];
    const wanted = payloadLength(set.head, versionOffset(0, index));
    if (given !== null) {
      if (given.length !== wanted) {
        throw new Error(`Payload ${index} is ${given.length} bytes, its head says ${wanted}`);
      }
      if (given instanceof MemoryPayload) return given;
      return isLarge(given) ? this.#copyOfLarge(given) : this.#copyOfBytes(given);
    }
    if (wanted === 0) return NO_BYTES;
    const kept = before === null
      ? null
      : storedPayload(before.set, set.head, versionOffset(0, index));
    if (kept === null || kept.length !== wanted) {
      throw new Error(`Payload ${index} was left out, and none is stored under its dot`);
    }
    return kept;
  }

  #copyOfBytes(given: Uint8Array): Payload {
    if (given.length <= this.#streamBytesMin) return given.slice();
    const stage = new MemoryStage(this.#sliceBytes);
    stage.append(given, 0, given.length);
    return stage.finish().payload;
  }

  #copyOfLarge(given: LargePayload): Payload | null {
    const stage = new MemoryStage(this.#sliceBytes);
    const slice = new Uint8Array(this.#sliceBytes);
    for (let position = 0; position < given.length; position += slice.length) {
      const count = Math.min(slice.length, given.length - position);
      if (given.readInto(position, slice, 0, count) !== "read") return null;
      stage.append(slice, 0, count);
    }
    return stage.finish().payload;
  }
}

function bare(set: VersionSet): VersionSet {
  return { head: set.head, payloads: new Array<null>(set.payloads.length).fill(null) };
}

/** Whether it is more than a delete. */
function bringsPayload(set: VersionSet): boolean {
  return set.payloads.some((payload) => payload !== null && payload.length > 0);
}

/** The payload that is held under the dot at head[version..], or null. */
function storedPayload(held: VersionSet, head: Uint8Array, version: number): Payload | null {
  const stored = findDot(held.head, 0, head, version);
  return stored < 0 ? null : held.payloads[stored];
}
