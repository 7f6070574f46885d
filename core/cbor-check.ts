/**
 * Whether bytes from outside are CBOR (RFC 8949) that may be decoded: every count must be covered by bytes
 * that are there, nesting is bounded, tags and indefinite lengths are refused. So a decoder that
 * makes an array as long as it is told cannot be told to make a large one by a small message.
 */

/** Arrays and objects within each other. */
export const MESSAGE_DEPTH_MAX = 32;

const MAJOR_BYTES = 2;
const MAJOR_TEXT = 3;
const MAJOR_ARRAY = 4;
const MAJOR_MAP = 5;
const MAJOR_TAG = 6;
const MAJOR_SIMPLE = 7;

/** Items that are still owed at each depth; owned by isWellFormed while it runs. */
const owed = new Float64Array(MESSAGE_DEPTH_MAX + 1);

/** Whether bytes[start, end) are exactly one item within the rules above. */
export function isWellFormed(bytes: Uint8Array, start: number, end: number): boolean {
  let position = start;
  let depth = 0;
  owed[0] = 1;
  for (;;) {
    while (owed[depth] === 0) {
      if (depth === 0) return position === end;
      depth--;
    }
    owed[depth]--;
    if (position >= end) return false;
    const major = bytes[position] >> 5;
    const short = bytes[position] & 31;
    position++;
    if (major === MAJOR_TAG || short > 27) return false;
    const extra = short < 24 ? 0 : 1 << (short - 24);
    if (position + extra > end) return false;
    const argument = short < 24 ? short : readArgument(bytes, position, extra);
    position += extra;
    if (major === MAJOR_BYTES || major === MAJOR_TEXT) {
      if (argument > end - position) return false;
      position += argument;
    } else if (major === MAJOR_ARRAY || major === MAJOR_MAP) {
      const items = major === MAJOR_MAP ? argument * 2 : argument;
      // Each item owed takes a byte at least: a count that is too large runs into the end.
      if (depth === MESSAGE_DEPTH_MAX) return false;
      owed[++depth] = items;
    } else if (major === MAJOR_SIMPLE && !isKnownSimple(short)) {
      return false;
    }
  }
}

/** false, true, null, undefined, and the three widths of floats. */
function isKnownSimple(short: number): boolean {
  return short >= 20 && short <= 27 && short !== 24;
}

function readArgument(bytes: Uint8Array, position: number, length: number): number {
  let value = 0;
  for (let index = 0; index < length; index++) value = value * 256 + bytes[position + index];
  return value;
}
