/** Sets of one version, by whom and over what one says, with a body that fits its checksum. */

import { wholeBytes } from "../../../storage/large-payload.ts";
import { crc32c } from "../../../core/crc32c.ts";
import { ENTRY_BYTES, SINGLE } from "../../../core/clock-entry.ts";
import { clockIncrement } from "../../../core/vector-clock.ts";
import {
  HEAD_BYTES,
  POLICY_SIBLINGS,
  VERSION_BYTES,
  versionOffset,
  writeHeadCounts,
  writeVersion,
} from "../../../core/version-set.ts";
import { drawRequestId } from "../../../core/request-id.ts";
import { EPOCH_MS } from "../../simulation/clock.ts";
import type { VersionSet } from "../../../storage/engine.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export interface OneVersion {
  /** A letter. */
  readonly actor: string;
  readonly counter: number;
  readonly body: string;
  /** 0: none; versions with one number are retries of one write. */
  readonly request?: number;
  readonly policy?: number;
  readonly stampMs?: number;
  readonly contextRead?: boolean;
  /** Versions that its writer had seen: they are superseded. */
  readonly over?: readonly OneVersion[];
}

function actorOf(letter: string): Uint8Array {
  return new Uint8Array(8).fill(letter.charCodeAt(0));
}

/** An id that was drawn when the world began. */
export function requestIdOf(request: number): Uint8Array {
  if (request === 0) return new Uint8Array(16);
  return drawRequestId(EPOCH_MS, (bytes) => void bytes.fill(request));
}

function entryOf(one: OneVersion): Uint8Array {
  const payload = encoder.encode(one.body);
  const entry = new Uint8Array(VERSION_BYTES);
  writeVersion(entry, 0, {
    actor: actorOf(one.actor),
    counter: one.counter,
    policy: one.policy ?? POLICY_SIBLINGS,
    tombstone: false,
    contextRead: one.contextRead ?? false,
    stampMs: one.stampMs ?? 1_000 + one.counter,
    stampLogical: 0,
    expiryMs: 0,
    requestId: requestIdOf(one.request ?? 0),
    metaLength: 0,
    bodyLength: payload.length,
    checksum: crc32c(payload, 0, payload.length),
  });
  return entry;
}

/** The set with this version, whose clock is its dot and those of what it supersedes. */
export function setOfOne(one: OneVersion): VersionSet {
  const over = one.over ?? [];
  const head = new Uint8Array(HEAD_BYTES + VERSION_BYTES + (1 + over.length) * ENTRY_BYTES);
  head.set(entryOf(one), HEAD_BYTES);
  let entries = 0;
  for (const seen of [one, ...over]) {
    entries = clockIncrement(head, HEAD_BYTES + VERSION_BYTES, entries, entryOf(seen), 0, SINGLE);
  }
  const length = writeHeadCounts(head, 0, 1, entries);
  return { head: head.slice(0, length), payloads: [encoder.encode(one.body)] };
}

/** A set of nothing but a clock: `count` actors from number `first` on, of whom one dot each was seen. */
export function clockOf(first: number, count: number, stampMs?: number): VersionSet {
  const head = new Uint8Array(HEAD_BYTES + count * ENTRY_BYTES);
  const single = setOfOne({ actor: "a", counter: 1, body: "", stampMs: stampMs ?? 1_001 }).head;
  const numbers = new DataView(head.buffer);
  for (let index = 0; index < count; index++) {
    const at = HEAD_BYTES + index * ENTRY_BYTES;
    head.set(single.subarray(single.length - ENTRY_BYTES), at);
    numbers.setUint32(at, first + index, false);
  }
  writeHeadCounts(head, 0, 0, count);
  return { head, payloads: [] };
}

/** The same set without its bodies. */
export function bodiless(set: VersionSet): VersionSet {
  return { head: set.head, payloads: set.payloads.map(() => null) };
}

/** The bodies of a set, sorted; "-" for one that is not there. */
export function bodiesOf(set: VersionSet | null): string[] {
  if (set === null) return [];
  return set.payloads.map((payload) => (payload === null ? "-" : decoder.decode(wholeBytes(payload)))).sort();
}

/** Offset of a set's first version. */
export const FIRST_VERSION = versionOffset(0, 0);
