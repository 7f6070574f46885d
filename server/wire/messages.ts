/**
 * CBOR (RFC 8949) for what is not hot: handshake, gossip, administration.
 *
 * A message is made of plain objects, arrays, strings, finite or infinite numbers, booleans, null,
 * undefined and Uint8Array; nothing else (no Map, Date, BigInt, other typed arrays). Decoded byte
 * strings are copies, safe to keep.
 *
 * Bytes from outside are checked before the decoder sees them (core/cbor-check).
 */

// The build without the optional native add-on: the product is one file.
import { Encoder } from "cbor-x/encode";
import { isWellFormed } from "../../core/cbor-check.ts";

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
