/** CBOR for what is not hot: the greeting, the layout, listings. What comes is checked before it is decoded. */

// The build without the optional native add-on.
import { Encoder } from "cbor-x/encode";
import { isWellFormed } from "../core/cbor-check.ts";

const codec = new Encoder({
  useRecords: false,
  mapsAsObjects: true,
  tagUint8Array: false,
  copyBuffers: true,
  variableMapSize: true,
});

export function encodeMessage(value: unknown): Uint8Array {
  const bytes = codec.encode(value);
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** The value in bytes[start, end), its byte strings copied; undefined where they are not one well-formed message. */
export function decodeMessage(bytes: Uint8Array, start: number, end: number): unknown {
  if (!isWellFormed(bytes, start, end)) return undefined;
  try {
    return codec.decode(bytes.subarray(start, end)) as unknown;
  } catch {
    // Well-formed and yet not decodable (text that is no UTF-8).
    return undefined;
  }
}

/** The sentence of a refusal. */
export function sentenceOf(bytes: Uint8Array, start: number, end: number): string {
  const body = decodeMessage(bytes, start, end);
  const isRefusal = typeof body === "object" && body !== null && "error" in body;
  return isRefusal && typeof body.error === "string" ? body.error : "The node refused without a reason";
}
