/**
 * Little-endian numbers in byte arrays, field by field, without a DataView: the packed formats of
 * heads, records and frames are read in place, at any alignment.
 * @hot
 */
export function readU16(bytes: Uint8Array, offset: number): number {
  return bytes[offset] | (bytes[offset + 1] << 8);
}

/** @hot */
export function readU32(bytes: Uint8Array, offset: number): number {
  return (
    (bytes[offset] |
      (bytes[offset + 1] << 8) |
      (bytes[offset + 2] << 16) |
      (bytes[offset + 3] << 24)) >>>
    0
  );
}

/** 48 bits, exact in a number. */
export function readU48(bytes: Uint8Array, offset: number): number {
  return readU32(bytes, offset) + readU16(bytes, offset + 4) * 0x100000000;
}

/** @hot */
export function writeU16(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value;
  bytes[offset + 1] = value >>> 8;
}

/** @hot */
export function writeU32(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value;
  bytes[offset + 1] = value >>> 8;
  bytes[offset + 2] = value >>> 16;
  bytes[offset + 3] = value >>> 24;
}

/** REQUIRES: 0 ≤ value < 2^48, whole. */
export function writeU48(bytes: Uint8Array, offset: number, value: number): void {
  const high = Math.floor(value / 0x100000000);
  writeU32(bytes, offset, value - high * 0x100000000);
  writeU16(bytes, offset + 4, high);
}

/** -1, 0 or 1, as `length` bytes at each place compare, unsigned and left to right. @hot */
export function compareBytes(
  left: Uint8Array,
  leftOffset: number,
  right: Uint8Array,
  rightOffset: number,
  length: number,
): number {
  for (let index = 0; index < length; index++) {
    const difference = left[leftOffset + index] - right[rightOffset + index];
    if (difference !== 0) return difference < 0 ? -1 : 1;
  }
  return 0;
}

/**
 * -1, 0 or 1, as little-endian numbers of `length` bytes compare; never makes a number of them.
 * @hot
 */
export function compareNumbers(
  left: Uint8Array,
  leftOffset: number,
  right: Uint8Array,
  rightOffset: number,
  length: number,
): number {
  for (let index = length - 1; index >= 0; index--) {
    const difference = left[leftOffset + index] - right[rightOffset + index];
    if (difference !== 0) return difference < 0 ? -1 : 1;
  }
  return 0;
}

/**
 * Copies a short field; a loop, since a subarray for set() would be garbage at each call. Four
 * bytes at a step: 11 instead of 18 ns for the 56 of a version on Bun.
 * @hot
 */
export function copyBytes(
  source: Uint8Array,
  sourceOffset: number,
  target: Uint8Array,
  targetOffset: number,
  length: number,
): void {
  let index = 0;
  for (; index + 4 <= length; index += 4) {
    const from = sourceOffset + index;
    const to = targetOffset + index;
    target[to] = source[from];
    target[to + 1] = source[from + 1];
    target[to + 2] = source[from + 2];
    target[to + 3] = source[from + 3];
  }
  for (; index < length; index++) target[targetOffset + index] = source[sourceOffset + index];
}

const DIGITS = "0123456789abcdef";
/** What each byte is in hexadecimal. */
const HEX_PAIRS = Array.from({ length: 256 }, (_, byte) => DIGITS[byte >> 4] + DIGITS[byte & 15]);

/** Lower-case hexadecimal of bytes[start, end). A pair at a time: 0.24 instead of 0.35 µs for 8 bytes. */
export function toHex(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let index = start; index < end; index++) text += HEX_PAIRS[bytes[index]];
  return text;
}

/** The bytes of a hexadecimal text, or null where it is none. */
export function fromHex(text: string): Uint8Array | null {
  if (!/^([0-9a-f]{2})*$/.test(text)) return null;
  const bytes = new Uint8Array(text.length / 2);
  for (let index = 0; index < bytes.length; index++) {
    bytes[index] = parseInt(text.slice(2 * index, 2 * index + 2), 16);
  }
  return bytes;
}
