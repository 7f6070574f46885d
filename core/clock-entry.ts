/**
 * Dots, and the packed entries that clocks are made of.
 *
 * A *dot* names one write: the actor that coordinated it and that actor's counter. An *entry*
 * stands for dots of one actor, in 24 bytes:
 *
 *    0        8          14      16        18                 24
 *   ┌────────┬──────────┬───────┬─────────┬──────────────────┐  PAIR    all dots of the actor, of
 *   │ actor  │ counter  │ kind  │ logical │ milliseconds     │          this object, to the counter
 *   │ 8      │ u48      │ u16   │ u16     │ u48              │  SINGLE  that one dot
 *   └────────┴──────────┴───────┴─────────┴──────────────────┘  PINNED  part of a delete's past
 *   └────── dot ────────┘       └──────── stamp ─────────────┘
 *
 * The stamp is the write time of the newest write that the entry stands for, a u64 that orders by
 * time; it decides what truncation drops first, and is no part of the set. A version
 * (core/version-set) begins as an entry does: its dot and its stamp stand at the same places.
 *
 * Numbers are little-endian. Counters and stamps are compared where they lie: only what reads one
 * out, or writes one, makes a number of it.
 */

import {
  compareBytes,
  compareNumbers,
  copyBytes,
  readU16,
  readU48,
  writeU16,
  writeU48,
} from "./bytes.ts";

export const ACTOR_BYTES = 8;
export const COUNTER_BYTES = 6;
/** Actor and counter, as they stand at the start of a clock entry and of a version. */
export const DOT_BYTES = ACTOR_BYTES + COUNTER_BYTES;
export const ENTRY_BYTES = 24;
/** Where the kind and the stamp stand in an entry. */
export const KIND_AT = 14;
export const STAMP_AT = 16;
export const STAMP_BYTES = 8;

/** Kinds of entries: bits. Never renumber. */
export const PAIR = 0;
export const SINGLE = 1;
export const PINNED = 2;
const KIND_MAX = SINGLE | PINNED;

/** Writes one entry; the actor is actor[actorOffset, + 8). */
export function writeEntry(
  target: Uint8Array,
  offset: number,
  actor: Uint8Array,
  actorOffset: number,
  counter: number,
  kind: number,
  stampMs: number,
  stampLogical: number,
): void {
  copyBytes(actor, actorOffset, target, offset, ACTOR_BYTES);
  writeU48(target, offset + ACTOR_BYTES, counter);
  writeU16(target, offset + KIND_AT, kind);
  writeStamp(target, offset + STAMP_AT, stampMs, stampLogical);
}

export function entryCounter(bytes: Uint8Array, entry: number): number {
  return readU48(bytes, entry + ACTOR_BYTES);
}

/** @hot */
export function isSingle(bytes: Uint8Array, entry: number): boolean {
  return (bytes[entry + KIND_AT] & SINGLE) !== 0;
}

/** @hot */
export function isPinned(bytes: Uint8Array, entry: number): boolean {
  return (bytes[entry + KIND_AT] & PINNED) !== 0;
}

/** Whether the entry's kind is one that this file knows. @hot */
export function hasKnownKind(bytes: Uint8Array, entry: number): boolean {
  return readU16(bytes, entry + KIND_AT) <= KIND_MAX;
}

/** Whether the dot's counter is one at all: counters start at 1. @hot */
export function hasCounter(bytes: Uint8Array, dot: number): boolean {
  return compareCounters(bytes, dot, ZERO, 0) > 0;
}

/** Whether the dot is its actor's first. @hot */
export function isFirst(bytes: Uint8Array, dot: number): boolean {
  return follows(ZERO, 0, bytes, dot);
}

/** A dot of counter 0, before every actor's first. */
const ZERO = new Uint8Array(DOT_BYTES);

/** Below, at or above 0: the order of two actors, bytewise. @hot */
export function compareActors(
  left: Uint8Array,
  leftActor: number,
  right: Uint8Array,
  rightActor: number,
): number {
  return compareBytes(left, leftActor, right, rightActor, ACTOR_BYTES);
}

/** Below, at or above 0: the order of two counters, whatever the actors. @hot */
export function compareCounters(
  left: Uint8Array,
  leftDot: number,
  right: Uint8Array,
  rightDot: number,
): number {
  return compareNumbers(
    left,
    leftDot + ACTOR_BYTES,
    right,
    rightDot + ACTOR_BYTES,
    COUNTER_BYTES,
  );
}

/** Below, at or above 0: the order of two dots, by actor (bytewise), then counter. @hot */
export function compareDots(
  left: Uint8Array,
  leftDot: number,
  right: Uint8Array,
  rightDot: number,
): number {
  const order = compareActors(left, leftDot, right, rightDot);
  return order !== 0 ? order : compareCounters(left, leftDot, right, rightDot);
}

/** @hot */
export function sameActor(
  left: Uint8Array,
  leftActor: number,
  right: Uint8Array,
  rightActor: number,
): boolean {
  return compareActors(left, leftActor, right, rightActor) === 0;
}

/** @hot */
export function sameDot(
  left: Uint8Array,
  leftDot: number,
  right: Uint8Array,
  rightDot: number,
): boolean {
  return compareBytes(left, leftDot, right, rightDot, DOT_BYTES) === 0;
}

/** Whether the counter of the right dot is that of the left plus one. @hot */
export function follows(
  left: Uint8Array,
  leftDot: number,
  right: Uint8Array,
  rightDot: number,
): boolean {
  let carry = 1;
  for (let index = ACTOR_BYTES; index < DOT_BYTES; index++) {
    const sum = left[leftDot + index] + carry;
    if ((sum & 255) !== right[rightDot + index]) return false;
    carry = sum >> 8;
  }
  return carry === 0;
}

/** Whether the entry stands for the dot: is that dot, or a PAIR of its actor to it or beyond. @hot */
export function entryCovers(
  clock: Uint8Array,
  entry: number,
  dot: Uint8Array,
  dotOffset: number,
): boolean {
  if (!sameActor(clock, entry, dot, dotOffset)) return false;
  const order = compareCounters(clock, entry, dot, dotOffset);
  return isSingle(clock, entry) ? order === 0 : order >= 0;
}

/**
 * Milliseconds since 1970 of the stamp at `stamp` (an entry's or a version's offset + STAMP_AT).
 */
export function stampMs(bytes: Uint8Array, stamp: number): number {
  return readU48(bytes, stamp + 2);
}

/** @hot */
export function stampLogical(bytes: Uint8Array, stamp: number): number {
  return readU16(bytes, stamp);
}

/** @param ms 0 to 2^48 - 1; @param logical 0 to 65,535 */
export function writeStamp(target: Uint8Array, stamp: number, ms: number, logical: number): void {
  writeU16(target, stamp, logical);
  writeU48(target, stamp + 2, ms);
}

/** Below, at or above 0: the order of two stamps in time. @hot */
export function compareStamps(
  left: Uint8Array,
  leftStamp: number,
  right: Uint8Array,
  rightStamp: number,
): number {
  return compareNumbers(left, leftStamp, right, rightStamp, STAMP_BYTES);
}
