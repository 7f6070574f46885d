/**
 * The object buffer: recent version sets in memory, so that reads look here before they go to the log
 * (Dynamo 6.1).
 *
 *   row = position mod 8,192        four slots a row; a newer set takes the place of its own older one,
 *   ┌──────────────────────────────┐ of nothing, or of its neighbours' in turn
 *   │ segment, offset │ name │ set │
 *   └──────────────────────────────┘ the place in the log is the version of the entry: what lies at a
 *                                    place never changes, so an entry is right for as long as the index
 *                                    points to its place, and nothing ever has to be invalidated
 *
 * With one slot a row, 10,000 objects pushed each other out of 16,384 slots, and every fourth get read
 * the log: a seventh of a node's time.
 *
 * Bounded: sets above 4 KiB are not held; beyond `bytesMax` a hand goes round and empties slots. A write
 * that follows a read of the same name, and a read of what was just written, cost no system call: a
 * preadSync and its checksum are 3 to 4 µs, a look here 0.2 µs.
 */

import type { ObjectName } from "../core/object-name.ts";
import { equalBytes } from "../core/object-name.ts";
import type { VersionSet } from "./engine.ts";

const ROWS = 8_192;
const WAYS = 4;
const SLOTS = ROWS * WAYS;
/** Larger sets would push out many small ones, and their read costs little more than its bytes. */
const SET_BYTES_MAX = 4_096;
/** What an entry takes beside its bytes: objects, array headers. An estimate. */
const ENTRY_BYTES = 300;

interface Entry {
  readonly segment: number;
  readonly offset: number;
  readonly name: Uint8Array;
  readonly set: VersionSet;
  /** The head of the set without payloads. */
  readonly bare: VersionSet;
  readonly bytes: number;
}

export class ObjectBuffer {
  readonly #bytesMax: number;
  readonly #slots: (Entry | undefined)[];
  #bytes = 0;
  #hand = 0;
  /** Whose turn it is to make room in a row that is full. */
  #turn = 0;

  /** @param bytesMax 0: nothing is held */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
    // A store that holds nothing here has no slots either: they are 256 KiB.
    this.#slots = new Array<Entry | undefined>(bytesMax === 0 ? 0 : SLOTS).fill(undefined);
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The set at a place in the log, if it is held for this name; not to be changed by anybody. */
  find(
    name: ObjectName,
    segment: number,
    offset: number,
    payloads: boolean,
  ): VersionSet | undefined {
    const first = rowOf(name);
    for (let slot = first; slot < first + WAYS; slot++) {
      const entry = this.#slots[slot];
      if (entry === undefined || entry.offset !== offset || entry.segment !== segment) continue;
      if (!equalBytes(entry.name, name.bytes)) continue;
      if (!payloads) return entry.bare;
      return entry.set.payloads.includes(null) ? undefined : entry.set;
    }
    return undefined;
  }

  /** Holds what a write gave: its arrays are copied, since they are the caller's. */
  written(name: ObjectName, set: VersionSet, segment: number, offset: number): void {
    if (this.#bytesMax === 0) return;
    const bytes = bytesOf(set);
    if (bytes > SET_BYTES_MAX) return this.#drop(this.#slotFor(name));
    const payloads: (Uint8Array | null)[] = [];
    for (let index = 0; index < set.payloads.length; index++) {
      payloads.push(set.payloads[index]?.slice() ?? null);
    }
    return this.#hold(name, { head: set.head.slice(), payloads }, segment, offset, bytes);
  }

  /** Holds what a read found; its arrays are not written to any more. */
  found(name: ObjectName, set: VersionSet, segment: number, offset: number): void {
    if (this.#bytesMax === 0) return;
    const bytes = bytesOf(set);
    if (bytes <= SET_BYTES_MAX) this.#hold(name, set, segment, offset, bytes);
  }

  /** Forgets what is held of a place: the log can no longer be read there, and nobody shall miss it. */
  forget(position1: number, segment: number, offset: number): void {
    const first = (position1 & (ROWS - 1)) * WAYS;
    for (let slot = first; slot < first + WAYS; slot++) {
      const entry = this.#slots[slot];
      if (entry?.offset === offset && entry.segment === segment) this.#drop(slot);
    }
  }

  #hold(
    name: ObjectName,
    set: VersionSet,
    segment: number,
    offset: number,
    bytes: number,
  ): void {
    const slot = this.#slotFor(name);
    this.#drop(slot);
    const bare = { head: set.head, payloads: new Array<null>(set.payloads.length).fill(null) };
    const held = bytes + name.bytes.length + ENTRY_BYTES;
    this.#slots[slot] = { segment, offset, name: name.bytes, set, bare, bytes: held };
    this.#bytes += held;
    while (this.#bytes > this.#bytesMax) this.#drop(this.#hand++ & (SLOTS - 1));
  }

  /** The slot that holds the name, or else an empty one of its row, or else one whose turn it is. */
  #slotFor(name: ObjectName): number {
    const first = rowOf(name);
    let free = -1;
    for (let slot = first; slot < first + WAYS; slot++) {
      const entry = this.#slots[slot];
      if (entry === undefined) free = slot;
      else if (equalBytes(entry.name, name.bytes)) return slot;
    }
    return free >= 0 ? free : first + (this.#turn++ & (WAYS - 1));
  }

  #drop(slot: number): void {
    const entry = this.#slots[slot];
    if (entry === undefined) return;
    this.#bytes -= entry.bytes;
    this.#slots[slot] = undefined;
  }
}

/** The first slot of a name's row. */
function rowOf(name: ObjectName): number {
  return (name.position1 & (ROWS - 1)) * WAYS;
}

function bytesOf(set: VersionSet): number {
  let bytes = set.head.length;
  for (const payload of set.payloads) bytes += payload?.length ?? 0;
  return bytes;
}
