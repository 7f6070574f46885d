/**
 * Vector clocks as packed bytes: which writes of one object a state has seen (Dynamo 4.4; dotted
 * version vectors: Preguiça, Almeida et al., 2012–2014).
 *
 * A *dot* names one write: the actor that coordinated it and that actor's counter. A *clock* is a
 * set of dots, written as entries of 24 bytes:
 *
 *    0        8          14      16        18                 24
 *   ┌────────┬──────────┬───────┬─────────┬──────────────────┐  PAIR    all dots of the actor, of
 *   │ actor  │ counter  │ kind  │ logical │ milliseconds     │          this object, to the counter
 *   │ 8      │ u48      │ u16   │ u16     │ u48              │  SINGLE  that one dot
 *   └────────┴──────────┴───────┴─────────┴──────────────────┘  PINNED  part of a delete's past
 *   └────── dot ────────┘       └──────── stamp ─────────────┘
 *
 * The stamp is the write time of the newest write that the entry stands for, a u64 that orders by
 * time; it decides what truncation drops first, and is no part of the set.
 *
 * Normal form, so that equal sets are equal bytes: entries sorted by actor, a PAIR before the
 * SINGLEs, those by rising counter; at most one PAIR an actor; a SINGLE at or below "the PAIR plus
 * one" is absorbed by it, and a SINGLE 1 is a PAIR 1 (nothing can lie between). What absorbs takes
 * the greater counter, the greater stamp, and the pin of either: three maxima, so that merging
 * commutes, associates and may be repeated.
 *
 * All is in memory that the caller owns, at (bytes, offset, count of entries). Counters and stamps
 * are compared where they lie: no function here makes a number of them that could need the heap.
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
/**
 * Where the kind and the stamp stand in an entry; the stamp stands in a version at the same place.
 */
export const KIND_AT = 14;
export const STAMP_AT = 16;
export const STAMP_BYTES = 8;

/** Kinds of entries: bits. Never renumber. */
export const PAIR = 0;
export const SINGLE = 1;
export const PINNED = 2;
const KINDS = SINGLE | PINNED;

/** How two sets of dots compare. */
export const EQUAL = 0;
/** The left is contained in the right: it happened before. */
export const BEFORE = 1;
export const AFTER = 2;
export const CONCURRENT = 3;

/**
 * Whether the clock covers the dot at dot[dotOffset, + 14).
 * REQUIRES: the clock is in normal form (as all clocks below).
 */
export function clockCovers(
  clock: Uint8Array,
  offset: number,
  count: number,
  dot: Uint8Array,
  dotOffset: number,
): boolean {
  const pair = runStart(clock, offset, count, dot, dotOffset);
  if (pair === count) return false;
  const pairAt = offset + pair * ENTRY_BYTES;
  if (!sameActor(clock, pairAt, dot, dotOffset)) return false;
  if (!isSingle(clock, pairAt) && compareCounters(clock, pairAt, dot, dotOffset) >= 0) return true;
  const single = singleFrom(clock, offset, pair, count, dot, dotOffset);
  return single < count && sameDot(clock, offset + single * ENTRY_BYTES, dot, dotOffset);
}

/** Whether every dot of the right clock is in the left one: the paper's "descends from". */
export function clockDescends(
  left: Uint8Array,
  leftOffset: number,
  leftCount: number,
  right: Uint8Array,
  rightOffset: number,
  rightCount: number,
): boolean {
  for (let index = 0; index < rightCount; index++) {
    const entry = rightOffset + index * ENTRY_BYTES;
    const covered = isSingle(right, entry)
      ? clockCovers(left, leftOffset, leftCount, right, entry)
      : pairCovers(left, leftOffset, leftCount, right, entry);
    if (!covered) return false;
  }
  return true;
}

/** EQUAL, BEFORE, AFTER or CONCURRENT, as sets of dots: stamps and pins do not count. */
export function clockCompare(
  left: Uint8Array,
  leftOffset: number,
  leftCount: number,
  right: Uint8Array,
  rightOffset: number,
  rightCount: number,
): number {
  const holdsRight = clockDescends(left, leftOffset, leftCount, right, rightOffset, rightCount);
  const isHeld = clockDescends(right, rightOffset, rightCount, left, leftOffset, leftCount);
  if (holdsRight) return isHeld ? EQUAL : AFTER;
  return isHeld ? BEFORE : CONCURRENT;
}

/**
 * The union of two clocks. Returns its count of entries, at most the sum of both.
 * REQUIRES: room for the sum at the target, which overlaps neither clock.
 */
export function clockMergeInto(
  left: Uint8Array,
  leftOffset: number,
  leftCount: number,
  right: Uint8Array,
  rightOffset: number,
  rightCount: number,
  target: Uint8Array,
  targetOffset: number,
): number {
  const leftEnd = leftOffset + leftCount * ENTRY_BYTES;
  const rightEnd = rightOffset + rightCount * ENTRY_BYTES;
  let count = 0;
  while (leftOffset < leftEnd || rightOffset < rightEnd) {
    const fromLeft = rightOffset === rightEnd ||
      (leftOffset < leftEnd && compareEntries(left, leftOffset, right, rightOffset) <= 0);
    if (fromLeft) {
      count = foldEntry(target, targetOffset, count, left, leftOffset);
      leftOffset += ENTRY_BYTES;
    } else {
      count = foldEntry(target, targetOffset, count, right, rightOffset);
      rightOffset += ENTRY_BYTES;
    }
  }
  return count;
}

/**
 * Adds one entry to a clock in place; returns the new count. The new entry is the dot and stamp at
 * event[eventOffset, + 24) (a version or an entry: both have them at the same places) as a `kind`.
 * REQUIRES: room for one more entry; `event` lies outside of the clock.
 */
export function clockAdd(
  clock: Uint8Array,
  offset: number,
  count: number,
  event: Uint8Array,
  eventOffset: number,
  kind: number,
): number {
  copyBytes(event, eventOffset, added, 0, ENTRY_BYTES);
  writeU16(added, KIND_AT, kind);
  let index = 0;
  while (index < count && compareEntries(clock, offset + index * ENTRY_BYTES, added, 0) < 0) {
    index++;
  }
  const at = offset + index * ENTRY_BYTES;
  clock.copyWithin(at + ENTRY_BYTES, at, offset + count * ENTRY_BYTES);
  copyBytes(added, 0, clock, at, ENTRY_BYTES);
  let folded = index;
  for (let next = index; next <= count; next++) {
    folded = foldEntry(clock, offset, folded, clock, offset + next * ENTRY_BYTES);
  }
  return folded;
}

/** The entry that clockAdd is adding; its content is valid inside that function only. */
const added = new Uint8Array(ENTRY_BYTES);

/** Takes the entry with this index out of a clock, in place; returns the new count. */
export function clockRemove(
  clock: Uint8Array,
  offset: number,
  count: number,
  index: number,
): number {
  const at = offset + index * ENTRY_BYTES;
  clock.copyWithin(at, at + ENTRY_BYTES, offset + count * ENTRY_BYTES);
  return count - 1;
}

/** Pins every entry: they are a delete's past from now on. */
export function clockPinAll(clock: Uint8Array, offset: number, count: number): void {
  for (let index = 0; index < count; index++) {
    clock[offset + index * ENTRY_BYTES + KIND_AT] |= PINNED;
  }
}

/** Whether `count` entries from `offset` on lie before `end` and are a clock in normal form. */
export function clockIsWellFormed(
  clock: Uint8Array,
  offset: number,
  count: number,
  end: number,
): boolean {
  if (offset + count * ENTRY_BYTES > end || end > clock.length) return false;
  for (let index = 0; index < count; index++) {
    const entry = offset + index * ENTRY_BYTES;
    if (readU16(clock, entry + KIND_AT) > KINDS) return false;
    if (!hasCounter(clock, entry)) return false;
    if (isSingle(clock, entry) && follows(ZERO, 0, clock, entry)) return false;
    if (index === 0) continue;
    if (compareEntries(clock, entry - ENTRY_BYTES, clock, entry) >= 0) return false;
    if (absorbs(clock, entry - ENTRY_BYTES, clock, entry)) return false;
  }
  return true;
}

/** Where the greatest stamp of a clock stands, or -1 where the clock is empty. */
export function clockNewestStamp(clock: Uint8Array, offset: number, count: number): number {
  let newest = -1;
  for (let index = 0; index < count; index++) {
    const stamp = offset + index * ENTRY_BYTES + STAMP_AT;
    if (newest < 0 || compareStamps(clock, stamp, clock, newest) > 0) newest = stamp;
  }
  return newest;
}

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

/** Whether the dot's counter is one at all: counters start at 1. */
export function hasCounter(bytes: Uint8Array, dot: number): boolean {
  return compareCounters(bytes, dot, ZERO, 0) > 0;
}

export function isSingle(bytes: Uint8Array, entry: number): boolean {
  return (bytes[entry + KIND_AT] & SINGLE) !== 0;
}

export function isPinned(bytes: Uint8Array, entry: number): boolean {
  return (bytes[entry + KIND_AT] & PINNED) !== 0;
}

/**
 * Milliseconds since 1970 of the stamp at `stamp` (an entry's or a version's offset + STAMP_AT).
 */
export function stampMs(bytes: Uint8Array, stamp: number): number {
  return readU48(bytes, stamp + 2);
}

export function stampLogical(bytes: Uint8Array, stamp: number): number {
  return readU16(bytes, stamp);
}

/** @param ms 0 to 2^48 - 1; @param logical 0 to 65,535 */
export function writeStamp(target: Uint8Array, stamp: number, ms: number, logical: number): void {
  writeU16(target, stamp, logical);
  writeU48(target, stamp + 2, ms);
}

/** -1, 0 or 1: the order of two stamps in time. */
export function compareStamps(
  left: Uint8Array,
  leftStamp: number,
  right: Uint8Array,
  rightStamp: number,
): number {
  return compareNumbers(left, leftStamp, right, rightStamp, STAMP_BYTES);
}

/** -1, 0 or 1: the order of two dots, by actor (bytewise), then counter. */
export function compareDots(
  left: Uint8Array,
  leftDot: number,
  right: Uint8Array,
  rightDot: number,
): number {
  const order = compareBytes(left, leftDot, right, rightDot, ACTOR_BYTES);
  return order !== 0 ? order : compareCounters(left, leftDot, right, rightDot);
}

export function sameDot(
  left: Uint8Array,
  leftDot: number,
  right: Uint8Array,
  rightDot: number,
): boolean {
  return compareBytes(left, leftDot, right, rightDot, DOT_BYTES) === 0;
}

export function sameActor(
  left: Uint8Array,
  leftActor: number,
  right: Uint8Array,
  rightActor: number,
): boolean {
  return compareBytes(left, leftActor, right, rightActor, ACTOR_BYTES) === 0;
}

/** Whether the entry stands for the dot: equal to it, or a PAIR of its actor that reaches it. */
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

function compareCounters(
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

/** The order of entries in a clock: actor, PAIR before SINGLE, counter. */
function compareEntries(
  left: Uint8Array,
  leftEntry: number,
  right: Uint8Array,
  rightEntry: number,
): number {
  const actors = compareBytes(left, leftEntry, right, rightEntry, ACTOR_BYTES);
  if (actors !== 0) return actors;
  const kinds = (left[leftEntry + KIND_AT] & SINGLE) - (right[rightEntry + KIND_AT] & SINGLE);
  return kinds !== 0 ? kinds : compareCounters(left, leftEntry, right, rightEntry);
}

/**
 * Appends an entry to a clock under construction, or folds it into the last one where that stands
 * for it. REQUIRES: entries come in order, of both kinds of an actor the PAIRs first. Works in
 * place too, when source and target are one array and the source is not before the end of what was
 * folded.
 */
function foldEntry(
  target: Uint8Array,
  offset: number,
  count: number,
  source: Uint8Array,
  sourceEntry: number,
): number {
  const end = offset + count * ENTRY_BYTES;
  const last = end - ENTRY_BYTES;
  if (count > 0 && absorbs(target, last, source, sourceEntry)) {
    absorb(target, last, source, sourceEntry);
    return count;
  }
  copyBytes(source, sourceEntry, target, end, ENTRY_BYTES);
  if (follows(ZERO, 0, target, end)) target[end + KIND_AT] &= ~SINGLE;
  return count + 1;
}

/** Whether entry `next`, which follows `last` in order, is one with it in normal form. */
function absorbs(
  clock: Uint8Array,
  last: number,
  source: Uint8Array,
  next: number,
): boolean {
  if (!sameActor(clock, last, source, next)) return false;
  if (!isSingle(source, next)) return true;
  if (compareCounters(source, next, clock, last) <= 0) return true;
  return !isSingle(clock, last) && follows(clock, last, source, next);
}

/** Whether the counter of the right dot is that of the left plus one. */
function follows(left: Uint8Array, leftDot: number, right: Uint8Array, rightDot: number): boolean {
  let carry = 1;
  for (let index = ACTOR_BYTES; index < DOT_BYTES; index++) {
    const sum = left[leftDot + index] + carry;
    if ((sum & 255) !== right[rightDot + index]) return false;
    carry = sum >> 8;
  }
  return carry === 0;
}

/** A dot of counter 0, before every actor's first. */
const ZERO = new Uint8Array(DOT_BYTES);

function absorb(clock: Uint8Array, last: number, source: Uint8Array, next: number): void {
  if (compareCounters(source, next, clock, last) > 0) {
    copyBytes(source, next + ACTOR_BYTES, clock, last + ACTOR_BYTES, COUNTER_BYTES);
  }
  if (compareStamps(source, next + STAMP_AT, clock, last + STAMP_AT) > 0) {
    copyBytes(source, next + STAMP_AT, clock, last + STAMP_AT, STAMP_BYTES);
  }
  clock[last + KIND_AT] |= source[next + KIND_AT] & PINNED;
}

/** Whether the clock has all that the PAIR at pair[pairOffset] stands for. */
function pairCovers(
  clock: Uint8Array,
  offset: number,
  count: number,
  pair: Uint8Array,
  pairOffset: number,
): boolean {
  const index = runStart(clock, offset, count, pair, pairOffset);
  const entry = offset + index * ENTRY_BYTES;
  return index < count && !isSingle(clock, entry) && entryCovers(clock, entry, pair, pairOffset);
}

/** Index of the first entry whose actor is not below the given one. */
function runStart(
  clock: Uint8Array,
  offset: number,
  count: number,
  actor: Uint8Array,
  actorOffset: number,
): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const entry = offset + middle * ENTRY_BYTES;
    if (compareBytes(clock, entry, actor, actorOffset, ACTOR_BYTES) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Index of the first SINGLE from index `from` on that is not below the dot, in the order of dots.
 */
function singleFrom(
  clock: Uint8Array,
  offset: number,
  from: number,
  count: number,
  dot: Uint8Array,
  dotOffset: number,
): number {
  let low = isSingle(clock, offset + from * ENTRY_BYTES) ? from : from + 1;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareDots(clock, offset + middle * ENTRY_BYTES, dot, dotOffset) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
