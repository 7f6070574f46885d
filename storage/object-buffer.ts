/**
 * The object buffer: recent version sets in memory, so that reads look here before they go to the log
 * (Dynamo 6.1).
 *
 *   bytes   │ … a │ b │ a' │ c │▒▒▒▒▒▒ … │   written round and round, in pieces made when needed:
 *                        end ─┘            what is overwritten next is what came in first
 *
 *   row = position mod rows     four slots a row; a newer set takes the place of its own older one, of
 *   ┌─────────────────────────┐ nothing, or of the oldest there
 *   │ segment, offset │ start │ the place in the log is the version of the entry: what lies at a place
 *   └─────────────────────────┘ never changes, so an entry is right for as long as the index points to
 *                               its place, and nothing ever has to be invalidated
 *
 * All of it is typed arrays: as objects, 30,000 sets that live for seconds and die kept the garbage
 * collector busy for longer than the writes themselves took. What is found is copied out, into small
 * arrays that die young.
 *
 * Bounded: sets above 4 KiB are not held; there is a slot for each 128 bytes. What is read in the older
 * half is written again, so what is read often stays. A write that follows a read of the same name, and
 * a read of what was just written, cost no system call.
 */

import { copyBytes, readU32, writeU32 } from "../core/bytes.ts";
import type { ObjectName } from "../core/object-name.ts";
import type { VersionSet } from "./engine.ts";
import { smallBytes } from "./large-payload.ts";

const WAYS = 4;
/** Bytes of the ring for each slot: half of what a small set takes, so that few rows are ever full. */
const SLOT_BYTES = 128;
const PIECE_BYTES = 256 << 10;
/** Larger sets would push out many small ones, and their read costs little more than its bytes. */
const SET_BYTES_MAX = 4_096;
/** An entry: lengths of name and head, number of payloads; then a length for each, then all bytes. */
const NAME_LENGTH_AT = 0;
const HEAD_LENGTH_AT = 4;
const PAYLOADS_AT = 8;
const LENGTHS_AT = 12;
/** In the place of a payload's length: it was not given. */
const NOT_HELD = 0xffffffff;
/** Words of a slot: the place in the log, and the name's second position word. */
const SLOT_WORDS = 3;
/** No entry begins there: counting begins a round later. */
const NOWHERE = 0;

export class ObjectBuffer {
  /** What is held of bytes at most; a multiple of the piece's. */
  readonly #bytesMax: number;
  readonly #pieceBytes: number;
  readonly #pieces: (Uint8Array | null)[];
  #rowMask: number;
  #slots: Uint32Array;
  /** Where the slot's entry begins, counted on and on; NOWHERE: it has none. */
  #starts: Float64Array;
  /** Where the next entry begins, as the starts are counted. */
  #end: number;

  /** @param bytesMax 0: nothing is held */
  constructor(bytesMax: number) {
    this.#pieceBytes = Math.min(PIECE_BYTES, bytesMax);
    const pieces = bytesMax === 0 ? 0 : Math.floor(bytesMax / this.#pieceBytes);
    this.#bytesMax = pieces * this.#pieceBytes;
    this.#pieces = new Array<Uint8Array | null>(pieces).fill(null);
    this.#rowMask = 0;
    this.#slots = new Uint32Array(WAYS * SLOT_WORDS);
    this.#starts = new Float64Array(WAYS);
    this.#end = this.#bytesMax;
  }

  /** The set at a place in the log, if it is held for this name: a copy, or its head alone. */
  find(
    name: ObjectName,
    segment: number,
    offset: number,
    payloads: boolean,
  ): VersionSet | undefined {
    const slot = this.#slotAt(name.position1, segment, offset);
    if (slot < 0) return undefined;
    const start = this.#starts[slot];
    const entry = this.#pieceOf(start);
    const at = start % this.#pieceBytes;
    if (!isNameAt(entry, at, name.bytes)) return undefined;
    const set = copyOut(entry, at, payloads);
    if (this.#end - start > this.#bytesMax / 2) this.#renew(name, segment, offset, start);
    return set;
  }

  /** Holds a set that was written, or read, at a place in the log. */
  hold(name: ObjectName, set: VersionSet, segment: number, offset: number): void {
    if (this.#bytesMax === 0) return;
    const length = entryLength(name, set);
    if (length > SET_BYTES_MAX || length > this.#pieceBytes) return;
    const start = this.#append(length);
    writeEntry(this.#pieceOf(start), start % this.#pieceBytes, name, set);
    const slot = this.#slotFor(name);
    const word = slot * SLOT_WORDS;
    this.#slots[word] = segment;
    this.#slots[word + 1] = offset;
    this.#slots[word + 2] = name.position1;
    this.#starts[slot] = start;
  }

  /** Forgets what is held of a place: the log can no longer be read there, and nobody shall miss it. */
  forget(position1: number, segment: number, offset: number): void {
    const slot = this.#slotAt(position1, segment, offset);
    if (slot >= 0) this.#starts[slot] = NOWHERE;
  }

  /** The slot that holds what lies at a place; -1: none does. */
  #slotAt(position1: number, segment: number, offset: number): number {
    if (this.#bytesMax === 0) return -1;
    const first = (position1 & this.#rowMask) * WAYS;
    for (let slot = first; slot < first + WAYS; slot++) {
      const word = slot * SLOT_WORDS;
      if (this.#slots[word + 1] !== offset || this.#slots[word] !== segment) continue;
      if (this.#isHeld(this.#starts[slot])) return slot;
    }
    return -1;
  }

  /** The slot of a name's older set, or else the one of its row whose entry is the oldest. */
  #slotFor(name: ObjectName): number {
    const first = (name.position1 & this.#rowMask) * WAYS;
    let oldest = first;
    for (let slot = first; slot < first + WAYS; slot++) {
      if (this.#slots[slot * SLOT_WORDS + 2] === name.position1) return slot;
      if (this.#starts[slot] < this.#starts[oldest]) oldest = slot;
    }
    return oldest;
  }

  /** Whether the bytes from there on have not been written over. */
  #isHeld(start: number): boolean {
    return start !== NOWHERE && this.#end - start <= this.#bytesMax;
  }

  #pieceOf(start: number): Uint8Array {
    const index = Math.floor(start / this.#pieceBytes) % this.#pieces.length;
    return this.#pieces[index] ?? this.#makePiece(index);
  }

  /** The next piece of the first round, and slots for what will be in it. */
  #makePiece(index: number): Uint8Array {
    const piece = new Uint8Array(this.#pieceBytes);
    this.#pieces[index] = piece;
    while (this.#starts.length * SLOT_BYTES < (index + 1) * this.#pieceBytes) this.#doubleSlots();
    return piece;
  }

  /** Each row becomes two, by one more bit of the position. */
  #doubleSlots(): void {
    const rows = 2 * (this.#rowMask + 1);
    const [slots, starts] = [this.#slots, this.#starts];
    this.#rowMask = rows - 1;
    this.#slots = new Uint32Array(rows * WAYS * SLOT_WORDS);
    this.#starts = new Float64Array(rows * WAYS);
    for (let slot = 0; slot < starts.length; slot++) {
      const word = slot * SLOT_WORDS;
      const target = (slots[word + 2] & this.#rowMask) * WAYS + (slot % WAYS);
      this.#starts[target] = starts[slot];
      const targetWord = target * SLOT_WORDS;
      for (let part = 0; part < SLOT_WORDS; part++) this.#slots[targetWord + part] = slots[word + part];
    }
  }

  /** Room for an entry, which never spans two pieces; returns its start. */
  #append(length: number): number {
    const left = this.#pieceBytes - (this.#end % this.#pieceBytes);
    const start = length > left ? this.#end + left : this.#end;
    this.#end = start + length;
    return start;
  }

  /** Writes an entry again at the end, so that its turn to be written over comes later. */
  #renew(name: ObjectName, segment: number, offset: number, from: number): void {
    const source = this.#pieceOf(from);
    const at = from % this.#pieceBytes;
    const length = lengthAt(source, at);
    const start = this.#append(length);
    const target = this.#pieceOf(start);
    // Looked up again: there may be more slots now, or in a ring of a few entries its room was taken.
    const slot = this.#slotAt(name.position1, segment, offset);
    if (slot < 0) return;
    copyBytes(source, at, target, start % this.#pieceBytes, length);
    this.#starts[slot] = start;
  }
}

function entryLength(name: ObjectName, set: VersionSet): number {
  let length = LENGTHS_AT + name.bytes.length + set.head.length;
  for (let index = 0; index < set.payloads.length; index++) {
    length += 4 + (smallBytes(set.payloads[index])?.length ?? 0);
  }
  return length;
}

function lengthAt(entry: Uint8Array, at: number): number {
  const payloads = readU32(entry, at + PAYLOADS_AT);
  let length = LENGTHS_AT + readU32(entry, at + NAME_LENGTH_AT) + readU32(entry, at + HEAD_LENGTH_AT);
  for (let index = 0; index < payloads; index++) {
    const held = readU32(entry, at + LENGTHS_AT + index * 4);
    length += held === NOT_HELD ? 4 : 4 + held;
  }
  return length;
}

function writeEntry(entry: Uint8Array, at: number, name: ObjectName, set: VersionSet): void {
  const { payloads, head } = set;
  writeU32(entry, at + NAME_LENGTH_AT, name.bytes.length);
  writeU32(entry, at + HEAD_LENGTH_AT, head.length);
  writeU32(entry, at + PAYLOADS_AT, payloads.length);
  let to = at + LENGTHS_AT + payloads.length * 4;
  entry.set(name.bytes, to);
  to += name.bytes.length;
  entry.set(head, to);
  to += head.length;
  for (let index = 0; index < payloads.length; index++) {
    // A large one is not here: it is read from the log, slice by slice.
    const payload = smallBytes(payloads[index]);
    writeU32(entry, at + LENGTHS_AT + index * 4, payload === null ? NOT_HELD : payload.length);
    if (payload === null) continue;
    entry.set(payload, to);
    to += payload.length;
  }
}

function isNameAt(entry: Uint8Array, at: number, name: Uint8Array): boolean {
  if (readU32(entry, at + NAME_LENGTH_AT) !== name.length) return false;
  const from = at + LENGTHS_AT + readU32(entry, at + PAYLOADS_AT) * 4;
  for (let index = 0; index < name.length; index++) {
    if (entry[from + index] !== name[index]) return false;
  }
  return true;
}

/** The set of an entry, or its head alone; undefined where a payload of the set is not held. */
function copyOut(entry: Uint8Array, at: number, isWhole: boolean): VersionSet | undefined {
  const count = readU32(entry, at + PAYLOADS_AT);
  const headStart = at + LENGTHS_AT + count * 4 + readU32(entry, at + NAME_LENGTH_AT);
  let from = headStart + readU32(entry, at + HEAD_LENGTH_AT);
  const head = entry.slice(headStart, from);
  const payloads: (Uint8Array | null)[] = [];
  for (let index = 0; index < count; index++) {
    if (!isWhole) {
      payloads.push(null);
      continue;
    }
    const length = readU32(entry, at + LENGTHS_AT + index * 4);
    if (length === NOT_HELD) return undefined;
    payloads.push(entry.slice(from, from + length));
    from += length;
  }
  return { head, payloads };
}
