/**
 * A version's payload: a small metadata block, then the value.
 *
 *   ┌────────────┬──────────────┬─────────────────────────────┬────────────────┐
 *   │ u8 length  │ content type │ per pair: u8 n, name,       │ the value      │
 *   │            │              │           u16 n, value      │                │
 *   └────────────┴──────────────┴─────────────────────────────┴────────────────┘
 *   └────────── metadata block, its length in the head ───────┘└─ body length ─┘
 *
 * A name that begins with a colon is none of the client's metadata: headers have no such names. There is one,
 * `:content-encoding`, for a value that was stored compressed (by whom stored it: halo changes no value).
 *
 * The head (core/version-set) carries both lengths and a checksum over all of it, so that a payload is
 * checked wherever it lands. Texts are UTF-8: a content type and names of at most 255 bytes. What
 * decodes encodes to the same bytes again, so that any node can hand on what another one took.
 */

import { compareBytes } from "./bytes.ts";
import { META_BLOCK_BYTES_MAX } from "./limits.ts";

export interface PayloadMeta {
  readonly contentType: string;
  /** Pairs of user metadata, names in lower case, in the order given. */
  readonly meta: readonly (readonly [name: string, value: string])[];
}

/** The name of the pair whose value is the content coding of the value, as in HTTP: "gzip". */
export const CONTENT_ENCODING = ":content-encoding";

/** What a client's metadata has to be, so that HTTP can show it: no bytes of it end a header. */
export function isShowable({ contentType, meta }: PayloadMeta): boolean {
  if (!/^[\t\x20-\x7e]*$/.test(contentType)) return false;
  return meta.every(([name, value]) => {
    if (name === CONTENT_ENCODING) return /^[\x21-\x7e ]+$/.test(value);
    return /^[a-z0-9!#$%&'*+.^_`|~-]+$/.test(name) && !/[\0\r\n]/.test(value);
  });
}

/** The coding of the value, null where it has none; and the metadata that is the client's own. */
export function splitMeta({ meta }: PayloadMeta): { coding: string | null; user: PayloadMeta["meta"] } {
  const coding = meta.find(([name]) => name === CONTENT_ENCODING);
  if (coding === undefined) return { coding: null, user: meta };
  return { coding: coding[1], user: meta.filter((pair) => pair !== coding) };
}

const encoder = new TextEncoder();
/** Strict, and leaves a byte order mark where it is: text that changed on its way would be other bytes. */
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The metadata block as bytes. @throws RangeError beyond META_BLOCK_BYTES_MAX or a length field */
export function encodeMeta(meta: PayloadMeta): Uint8Array {
  if (meta.meta.length === 0) return encodeContentType(meta.contentType);
  const parts: Uint8Array[] = [encodeContentType(meta.contentType)];
  for (const [name, value] of meta.meta) {
    const nameBytes = encoder.encode(name);
    const valueBytes = encoder.encode(value);
    if (nameBytes.length > 255 || valueBytes.length > 65535) {
      throw new RangeError(`metadata pair is ${nameBytes.length} + ${valueBytes.length} bytes`);
    }
    parts.push(Uint8Array.of(nameBytes.length), nameBytes);
    parts.push(Uint8Array.of(valueBytes.length & 255, valueBytes.length >> 8), valueBytes);
  }
  const block = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  if (block.length > META_BLOCK_BYTES_MAX) {
    throw new RangeError(`metadata block is ${block.length} bytes, limit is ${META_BLOCK_BYTES_MAX}`);
  }
  let offset = 0;
  for (const part of parts) {
    block.set(part, offset);
    offset += part.length;
  }
  return block;
}

/** Blocks of content types seen lately; a store holds few kinds and many objects. */
const contentTypeBlocks = new Map<string, Uint8Array>();

function encodeContentType(contentType: string): Uint8Array {
  const known = contentTypeBlocks.get(contentType);
  if (known !== undefined) return known;
  const bytes = encoder.encode(contentType);
  if (bytes.length > 255) throw new RangeError(`content type is ${bytes.length} bytes, limit is 255`);
  const block = new Uint8Array(1 + bytes.length);
  block[0] = bytes.length;
  block.set(bytes, 1);
  if (contentTypeBlocks.size < 256) contentTypeBlocks.set(contentType, block);
  return block;
}

/** Metadata and value as one payload. */
export function encodePayload(metaBlock: Uint8Array, body: Uint8Array): Uint8Array {
  const payload = new Uint8Array(metaBlock.length + body.length);
  payload.set(metaBlock);
  payload.set(body, metaBlock.length);
  return payload;
}

/** Reads a payload's metadata block of `metaLength` bytes; null where it is malformed. */
export function decodeMeta(payload: Uint8Array, metaLength: number): PayloadMeta | null {
  if (metaLength < 1 || metaLength > payload.length || metaLength > META_BLOCK_BYTES_MAX) return null;
  try {
    return readMeta(payload, metaLength);
  } catch (error) {
    // The strict decoder's way to say that bytes are no UTF-8.
    if (error instanceof TypeError) return null;
    throw error;
  }
}

/** The content type that was read last: neighbours mostly share one. */
let lastType = "";
let lastTypeBytes = new Uint8Array(0);

/** The text in payload[1, end). @throws TypeError where it is no UTF-8 */
function readContentType(payload: Uint8Array, end: number): string {
  const isLast = end - 1 === lastTypeBytes.length &&
    compareBytes(payload, 1, lastTypeBytes, 0, end - 1) === 0;
  if (isLast) return lastType;
  const bytes = payload.slice(1, end);
  lastType = decoder.decode(bytes);
  lastTypeBytes = bytes;
  return lastType;
}

/** @throws TypeError where a text is no UTF-8 */
function readMeta(payload: Uint8Array, metaLength: number): PayloadMeta | null {
  let offset = 1 + payload[0];
  if (offset > metaLength) return null;
  const contentType = readContentType(payload, offset);
  const meta: [string, string][] = [];
  while (offset < metaLength) {
    const nameEnd = offset + 1 + payload[offset];
    if (nameEnd + 2 > metaLength) return null;
    const valueEnd = nameEnd + 2 + (payload[nameEnd] | (payload[nameEnd + 1] << 8));
    if (valueEnd > metaLength) return null;
    const name = decoder.decode(payload.subarray(offset + 1, nameEnd));
    meta.push([name, decoder.decode(payload.subarray(nameEnd + 2, valueEnd))]);
    offset = valueEnd;
  }
  return { contentType, meta };
}
