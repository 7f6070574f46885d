/**
 * The object buffer: recent version sets in memory, so that reads look here before they go to the log
 * (Dynamo 6.1).
 *
 *   slot = position mod 16,384      one set a slot; a newer one takes its place
 *   ┌──────────────────────────────┐
 *   │ segment, offset │ name │ set │  the place in the log is the version of the entry: what lies at a
 *   └──────────────────────────────┘  place never changes, so an entry is right for as long as the index
 *                                     points to its place, and nothing ever has to be invalidated
 *
 * Bounded: sets above 4 KiB are not held; beyond `bytesMax` a hand goes round and empties slots. A write
 * that follows a read of the same name, and a read of what was just written, cost no system call: a
 * preadSync and its checksum are 3 to 4 µs, a look here 0.2 µs.
 */

import type { ObjectName } from "../core/object-name.ts";
import { equalBytes } from "../core/object-name.ts";
import type { VersionSet } from "./engine.ts";

const SLOTS = 16_384;
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
  readonly #slots: (Entry | undefined)[] = new Array<Entry | undefined>(SLOTS).fill(undefined);
  #bytes = 0;
  #hand = 0;

  /** @param bytesMax 0: nothing is held */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
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
    const entry = this.#slots[name.position1 & (SLOTS - 1)];
    if (entry === undefined || entry.offset !== offset || entry.segment !== segment) return undefined;
    if (!equalBytes(entry.name, name.bytes)) return undefined;
    if (!payloads) return entry.bare;
    return entry.set.payloads.includes(null) ? undefined : entry.set;
  }

  /** Holds what a write gave: its arrays are copied, since they are the caller's. */
  written(name: ObjectName, set: VersionSet, segment: number, offset: number): void {
    if (this.#bytesMax === 0) return;
    const bytes = bytesOf(set);
    if (bytes > SET_BYTES_MAX) return this.#drop(name.position1 & (SLOTS - 1));
    const payloads = set.payloads.map((payload) => payload?.slice() ?? null);
    return this.#hold(name, { head: set.head.slice(), payloads }, segment, offset, bytes);
  }

  /** Holds what a read found; its arrays are not written to any more. */
  found(name: ObjectName, set: VersionSet, segment: number, offset: number): void {
    if (this.#bytesMax === 0) return;
    const bytes = bytesOf(set);
    if (bytes <= SET_BYTES_MAX) this.#hold(name, set, segment, offset, bytes);
  }

  #hold(
    name: ObjectName,
    set: VersionSet,
    segment: number,
    offset: number,
    bytes: number,
  ): void {
    const slot = name.position1 & (SLOTS - 1);
    this.#drop(slot);
    const bare = { head: set.head, payloads: set.payloads.map(() => null) };
    const held = bytes + name.bytes.length + ENTRY_BYTES;
    this.#slots[slot] = { segment, offset, name: name.bytes, set, bare, bytes: held };
    this.#bytes += held;
    while (this.#bytes > this.#bytesMax) this.#drop(this.#hand++ & (SLOTS - 1));
  }

  #drop(slot: number): void {
    const entry = this.#slots[slot];
    if (entry === undefined) return;
    this.#bytes -= entry.bytes;
    this.#slots[slot] = undefined;
  }
}

function bytesOf(set: VersionSet): number {
  let bytes = set.head.length;
  for (const payload of set.payloads) bytes += payload?.length ?? 0;
  return bytes;
}
