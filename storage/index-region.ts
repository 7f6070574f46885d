/**
 * One region of an index (position-index.ts): the slots of its array, and how many there are.
 *
 *   ┌───┬───┬───┬───┬───┬───┬───╥───┬───┐
 *   │ a │   │ b │ c │ d │   │ e ║   │   │      slots of the capacity, then some to spill into
 *   └───┴───┴───┴───┴───┴───┴───╨───┴───┘
 *
 * An entry is 8 words (32 bytes) in a typed array; there is no JavaScript object per key. A region
 * grows by 35 % when it is 7/8 full, alone: no growth stalls longer than one region takes. Positions
 * being hashes, all regions hold about as many; so that they do not all grow at about the same time,
 * their first capacities differ, and the whole is as full at any moment as one region is on average:
 *
 *   capacity   8 · 1.35^phase · 1.35^k      phase of region r: r times the golden ratio, its fraction
 *   bytes      32 / (7/8) · (0.35 / ln 1.35) = 42.7 an object, plus some empty slots at each region's end
 */

import { bucketTagOf } from "../core/object-name.ts";

/**
 * Words of an entry, in order. A segment of 0 marks an empty slot. A snapshot of the index
 * (storage/FORMAT.md) holds entries as they are here: what changes here changes its version.
 */
export const ENTRY_POSITION0 = 0;
export const ENTRY_POSITION1 = 1;
export const ENTRY_TAG = 2;
export const ENTRY_DIGEST0 = 3;
export const ENTRY_DIGEST1 = 4;
export const ENTRY_SEGMENT = 5;
export const ENTRY_OFFSET = 6;
export const ENTRY_LENGTH = 7;
export const ENTRY_WORDS = 8;

/** A region is picked by so many bits at the top of a position. */
export const REGION_BITS = 12;
export const REGIONS = 1 << REGION_BITS;
const CAPACITY_MIN = 8;
/** In step they could grow by a quarter only, and each entry was copied four times instead of 2.9. */
const GROWTH = 1.35;
const GOLDEN_RATIO = 0.6180339887498949;
/**
 * Slots behind the last home slot for entries that were moved right; more are added when they fill.
 */
const SPILL_SLOTS = 4;
export const SPILL_SLOTS_MORE = 16;
/** What a region gets that has just grown: nearly always enough for the entries at its end. */
const SPILL_SLOTS_GROWN = 6;
/** Arrays of less lie in the collector's own memory, and are worth no call. */
const GIVEN_BACK_WORDS = 1024;
const TWO_32 = 2 ** 32;

/** The least of a region's capacities that takes so many entries. */
export function capacityFor(region: number, count: number): number {
  // Counted from the first one each time: rounded on the way, all regions would soon be in step.
  let capacity = CAPACITY_MIN * GROWTH ** ((region * GOLDEN_RATIO) % 1);
  while (isOverfull(count, Math.ceil(capacity))) capacity *= GROWTH;
  return Math.ceil(capacity);
}

/** Whether so many entries are more than 7/8 of a capacity. */
export function isOverfull(count: number, capacity: number): boolean {
  return count * 8 > capacity * 7;
}

/**
 * The slot where an entry's search begins: its position within the region, scaled to the capacity.
 */
export function homeSlot(capacity: number, position0: number): number {
  // The product stays below 2^53 and the division is by a power of two: exact on every runtime.
  return Math.floor((((position0 << REGION_BITS) >>> 0) * capacity) / TWO_32);
}

/** The entries of a region in an array for a larger capacity. */
export function grown(source: Uint32Array, capacity: number): Uint32Array {
  const target = new Uint32Array((capacity + SPILL_SLOTS_GROWN) * ENTRY_WORDS);
  if (spread(source, target, capacity)) return target;
  const roomier = new Uint32Array(spreadSlots(source, capacity) * ENTRY_WORDS);
  spread(source, roomier, capacity);
  return roomier;
}

/**
 * Copies the entries of one region's words to their slots among others, by rising position. False
 * where they do not fit: too many at the end have been moved right.
 */
function spread(source: Uint32Array, target: Uint32Array, capacity: number): boolean {
  let next = 0;
  for (let at = 0; at < source.length; at += ENTRY_WORDS) {
    if (source[at + ENTRY_SEGMENT] === 0) continue;
    const to = Math.max(next, homeSlot(capacity, source[at]) * ENTRY_WORDS);
    next = to + ENTRY_WORDS;
    if (next > target.length) return false;
    // Word by word: a loop over eight takes half as long again.
    target[to] = source[at];
    target[to + 1] = source[at + 1];
    target[to + 2] = source[at + 2];
    target[to + 3] = source[at + 3];
    target[to + 4] = source[at + 4];
    target[to + 5] = source[at + 5];
    target[to + 6] = source[at + 6];
    target[to + 7] = source[at + 7];
  }
  return true;
}

/**
 * Gives the memory of words that nobody will look at again back at once. Left to the collector, twice
 * the index lies about while it grows, and each growth touches memory that is new to the processor.
 */
export function giveBack(words: Uint32Array): void {
  if (words.length < GIVEN_BACK_WORDS) return;
  // Node 20 has no transfer(); it runs tests alone.
  const buffer: ArrayBufferLike & { transfer?: (length: number) => unknown } = words.buffer;
  buffer.transfer?.(0);
}

/** Slots that a region of this capacity needs for the entries of `source`, with some to spare. */
export function spreadSlots(source: Uint32Array, capacity: number): number {
  let next = 0;
  for (let at = 0; at < source.length; at += ENTRY_WORDS) {
    if (source[at + ENTRY_SEGMENT] === 0) continue;
    next = Math.max(next, homeSlot(capacity, source[at])) + 1;
  }
  return Math.max(next, capacity) + SPILL_SLOTS;
}

/**
 * The first entry of a bucket from words[at] on whose position lies in [from, to]; words.length
 * where there is none. One comparison a slot: nearly all of them belong to other buckets.
 * @hot
 */
export function firstOfBucket(
  words: Uint32Array,
  at: number,
  bucketTag: number,
  from: number,
  to: number,
): number {
  for (; at < words.length; at += ENTRY_WORDS) {
    if (bucketTagOf(words[at + ENTRY_TAG]) !== bucketTag) continue;
    if (words[at + ENTRY_SEGMENT] === 0 || words[at] < from) continue;
    return words[at] > to ? words.length : at;
  }
  return at;
}

export function isBefore(
  words: Uint32Array,
  at: number,
  position0: number,
  position1: number,
  tag: number,
): boolean {
  if (words[at + ENTRY_SEGMENT] === 0) return false;
  if (words[at] !== position0) return words[at] < position0;
  if (words[at + 1] !== position1) return words[at + 1] < position1;
  return words[at + 2] < tag;
}

export function isAt(
  words: Uint32Array,
  at: number,
  position0: number,
  position1: number,
  tag: number,
): boolean {
  return (
    words[at + ENTRY_SEGMENT] !== 0 &&
    words[at] === position0 &&
    words[at + 1] === position1 &&
    words[at + 2] === tag
  );
}
