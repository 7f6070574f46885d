/**
 * CBOR (RFC 8949) for what is not hot: handshake, gossip, administration.
 *
 * A message is made of plain objects, arrays, strings, finite or infinite numbers, booleans, null,
 * undefined and Uint8Array; nothing else (no Map, Date, BigInt, other typed arrays). Decoded byte
 * strings are copies, safe to keep.
 *
 * Bytes from outside are checked before the decoder sees them: every count must be covered by bytes
 * that are there, nesting is bounded, tags and indefinite lengths are refused. So a decoder that
 * makes an array as long as it is told cannot be told to make a large one by a small message.
 */

// The build without the optional native add-on: the product is one file.
import { Encoder } from "cbor-x/encode";

/** Arrays and objects within each other. */
export const MESSAGE_DEPTH_MAX = 32;

const codec = new Encoder({
  useRecords: false,
  mapsAsObjects: true,
  tagUint8Array: false,
  copyBuffers: true,
  variableMapSize: true,
});

/** A value as CBOR; the bytes are the caller's. @throws Error for what CBOR cannot say */
export function encodeMessage(value: unknown): Uint8Array {
  const bytes = codec.encode(value);
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** The value in bytes[start, end), or undefined where they are not one well-formed message. */
export function decodeMessage(bytes: Uint8Array, start: number, end: number): unknown {
  if (!isWellFormed(bytes, start, end)) return undefined;
  try {
    return codec.decode(bytes.subarray(start, end)) as unknown;
  } catch {
    // Well-formed and yet not decodable (text that is no UTF-8): malformed to our caller too.
    return undefined;
  }
}

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

/** A refusal as it travels: {error: sentence}. */
export function encodeRefusal(sentence: string): Uint8Array {
  return encodeMessage({ error: sentence });
}

/** The sentence of a refusal, or a plain one where the bytes hold none. */
export function decodeRefusal(bytes: Uint8Array, start: number, end: number): string {
  const body = decodeMessage(bytes, start, end);
  if (typeof body === "object" && body !== null && "error" in body) {
    if (typeof body.error === "string" && body.error !== "") return body.error;
  }
  return "refused without a reason";
}
