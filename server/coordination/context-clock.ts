/**
 * What a client's context says, unpacked once at the coordinator, and packed again for the answer
 * (core/context has the bytes and the checks).
 */

import { toHex } from "../../core/bytes.ts";
import {
  CONTEXT_BYTES_MAX,
  CONTEXT_ENTRIES_AT,
  CONTEXT_READER_AT,
  contextLengthMax,
  contextToText,
  decodeContext,
  encodeContextInto,
} from "../../core/context.ts";
import type { ObjectName } from "../../core/object-name.ts";
import { ACTOR_BYTES, ENTRY_BYTES } from "../../core/clock-entry.ts";
import { contextAfterPutInto } from "../../core/version-event.ts";
import { clockCount, clockOffset, versionCount, versionOffset } from "../../core/version-set.ts";

export interface ContextClock {
  /** Clock entries, 24 bytes each, in normal form (core/vector-clock). */
  readonly entries: Uint8Array;
  readonly count: number;
  /** Id of the node that answered the read first, 16 hexadecimal digits; "" for none. */
  readonly reader: string;
}

export const NO_CONTEXT: ContextClock = { entries: new Uint8Array(0), count: 0, reader: "" };

const NOBODY = new Uint8Array(ACTOR_BYTES);
/** The context being read; its entries are copied out before it is used again. */
const decoded = new Uint8Array(CONTEXT_BYTES_MAX + 8);

/** The context being written. */
let packed = new Uint8Array(CONTEXT_BYTES_MAX);

/** Reads a context; null where it is corrupt, forged, or another object's. */
export function readContext(text: string, key: Uint8Array, name: ObjectName): ContextClock | null {
  if (text === "") return NO_CONTEXT;
  const count = decodeContext(text, key, name.bytes, decoded);
  if (count < 0) return null;
  const end = CONTEXT_ENTRIES_AT + count * ENTRY_BYTES;
  const reader = decoded.subarray(CONTEXT_READER_AT, CONTEXT_READER_AT + ACTOR_BYTES);
  return {
    entries: decoded.slice(CONTEXT_ENTRIES_AT, end),
    count,
    reader: reader.every((byte) => byte === 0) ? "" : toHex(reader, 0, ACTOR_BYTES),
  };
}

/** The whole clock of a head, as what a reader of it was shown. */
export function clockOfHead(head: Uint8Array): ContextClock {
  const count = clockCount(head, 0);
  const start = clockOffset(head, 0);
  return { entries: head.subarray(start, start + count * ENTRY_BYTES), count, reader: "" };
}

/** The context of a read's answer. @param reader 8 bytes, or null where nobody is to be remembered */
export function contextOfRead(
  head: Uint8Array,
  reader: Uint8Array | null,
  key: Uint8Array,
  name: ObjectName,
): string {
  const [clock, entries, versions] = [clockOffset(head, 0), clockCount(head, 0), versionCount(head, 0)];
  return pack(head, clock, entries, head, versionOffset(0, 0), versions, reader ?? NOBODY, key, name);
}

/** The context of a put's answer: what it was given and the new version alone. */
export function contextOfPut(
  context: ContextClock,
  head: Uint8Array,
  version: Uint8Array,
  key: Uint8Array,
  name: ObjectName,
): string {
  const entriesMax = context.count + 1 + versionCount(head, 0);
  const entries = new Uint8Array(entriesMax * ENTRY_BYTES);
  const { entries: given, count: givenCount } = context;
  const count = contextAfterPutInto(given, 0, givenCount, head, 0, version, 0, entries, 0);
  return pack(entries, 0, count, version, 0, 1, NOBODY, key, name);
}

function pack(
  entries: Uint8Array,
  start: number,
  count: number,
  live: Uint8Array,
  liveOffset: number,
  liveCount: number,
  reader: Uint8Array,
  key: Uint8Array,
  name: ObjectName,
): string {
  if (contextLengthMax(count) > packed.length) packed = new Uint8Array(contextLengthMax(count));
  const length = encodeContextInto(
    entries,
    start,
    count,
    live,
    liveOffset,
    liveCount,
    reader,
    key,
    name.bytes,
    packed,
    0,
  );
  return contextToText(packed, 0, length);
}
