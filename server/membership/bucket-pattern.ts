/** Patterns of buckets: bytes as they are, and * for any bytes, also none. */

const STAR = 0x2a;
const encoder = new TextEncoder();
const encoded = new Map<string, Uint8Array>();
/** Patterns are few; whoever makes up new ones all the time gets them encoded anew. */
const ENCODED_MAX = 10_000;

/** Whether every bucket is of the pattern. */
export function isOfAll(pattern: string): boolean {
  return /^\*+$/.test(pattern);
}

/** Whether the first `length` bytes of a bucket's name are of the pattern. In linear time for one star. */
export function matchesPattern(pattern: string, bucket: Uint8Array, length: number): boolean {
  return matches(bytesOf(pattern), bucket, length);
}

/** Greedy, with one step back: the last star takes one byte more whenever what follows does not fit. */
function matches(pattern: Uint8Array, bucket: Uint8Array, length: number): boolean {
  let at = 0;
  let place = 0;
  let starAt = -1;
  let starPlace = 0;
  while (place < length) {
    if (at < pattern.length && pattern[at] === STAR) {
      starAt = at++;
      starPlace = place;
    } else if (at < pattern.length && pattern[at] === bucket[place]) {
      at++;
      place++;
    } else if (starAt >= 0) {
      at = starAt + 1;
      place = ++starPlace;
    } else return false;
  }
  while (at < pattern.length && pattern[at] === STAR) at++;
  return at === pattern.length;
}

function bytesOf(pattern: string): Uint8Array {
  const known = encoded.get(pattern);
  if (known !== undefined) return known;
  const bytes = encoder.encode(pattern);
  if (encoded.size >= ENCODED_MAX) encoded.clear();
  encoded.set(pattern, bytes);
  return bytes;
}
