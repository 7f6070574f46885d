/**
 * What a client is shown of a version set: values without tombstones, twins and what has expired, and an
 * etag that names exactly the versions that are shown.
 */

import { toHex } from "../../core/bytes.ts";
import { META_BLOCK_BYTES_MAX } from "../../core/limits.ts";
import { decodeMeta, type PayloadMeta } from "../../core/payload.ts";
import { DOT_BYTES, compareStamps, stampMs } from "../../core/clock-entry.ts";
import { shownInto } from "../../core/version-rules.ts";
import {
  clockCount,
  clockOffset,
  HEAD_BYTES,
  headDigestInto,
  metaLength,
  VERSION_BYTES,
  versionExpiryMs,
  versionOffset,
  versionStamp,
  writeHeadCounts,
} from "../../core/version-set.ts";
import type { VersionSet } from "../../storage/engine.ts";
import { isLarge, type Payload } from "../../storage/large-payload.ts";
import { valueIn } from "./value.ts";
import type { Sibling } from "./store.ts";

/** What is shown, while it is being found out. */
let indexes = new Int32Array(64);

/** Indexes of the versions that are shown at `nowMs`, oldest first. */
export function shownVersions(set: VersionSet, nowMs: number): number[] {
  if (set.payloads.length > indexes.length) indexes = new Int32Array(set.payloads.length);
  const count = shownInto(set.head, 0, nowMs, indexes);
  const shown: number[] = [];
  for (let place = 0; place < count; place++) shown.push(indexes[place]);
  if (count < 2) return shown;
  const stampOf = (index: number): number => versionStamp(versionOffset(0, index));
  return shown.sort(
    (left, right) => compareStamps(set.head, stampOf(left), set.head, stampOf(right)) || left - right,
  );
}

/** The set of the shown versions alone, in dot order, under the same clock; the set itself where all are shown. */
export function shownSet(set: VersionSet, nowMs: number): VersionSet {
  const shown = shownVersions(set, nowMs).sort((left, right) => left - right);
  if (shown.length === set.payloads.length) return set;
  const entries = clockCount(set.head, 0);
  const clock = set.head.subarray(clockOffset(set.head, 0));
  const head = new Uint8Array(HEAD_BYTES + shown.length * VERSION_BYTES + clock.length);
  writeHeadCounts(head, 0, shown.length, entries);
  for (let place = 0; place < shown.length; place++) {
    const version = versionOffset(0, shown[place]);
    head.set(set.head.subarray(version, version + VERSION_BYTES), versionOffset(0, place));
  }
  head.set(clock, versionOffset(0, shown.length));
  return { head, payloads: shown.map((index) => set.payloads[index]) };
}

/** The shown versions as a client sees them; null where a body is missing or its metadata malformed. */
export function siblingsOf(set: VersionSet, shown: readonly number[]): Sibling[] | null {
  const siblings: Sibling[] = [];
  for (const index of shown) {
    const version = versionOffset(0, index);
    const length = metaLength(set.head, version);
    const payload = set.payloads[index];
    const meta = payload === null ? null : metaOf(payload, length);
    if (payload === null || meta === null) return null;
    siblings.push({
      body: valueIn(payload, length),
      meta,
      timeMs: stampMs(set.head, versionStamp(version)),
      expiryMs: versionExpiryMs(set.head, version),
    });
  }
  return siblings;
}

function metaOf(payload: Payload, length: number): PayloadMeta | null {
  if (!isLarge(payload)) return decodeMeta(payload, length);
  if (length > META_BLOCK_BYTES_MAX || length > payload.length) return null;
  const block = new Uint8Array(length);
  return payload.readInto(0, block, 0, length) === "read" ? decodeMeta(block, length) : null;
}

/** Digest of the dots of some versions of a head, 16 hexadecimal digits; "" for none. */
export function etagOf(head: Uint8Array, versions: readonly number[]): string {
  if (versions.length === 0) return "";
  if (versions.length === 1) return etagOfDot(head, versionOffset(0, versions[0]));
  const dots = new Uint8Array(versions.length * DOT_BYTES);
  // In dot order, so that the order in which siblings are shown does not matter.
  const ordered = [...versions].sort((a, b) => a - b);
  for (let index = 0; index < ordered.length; index++) {
    const version = versionOffset(0, ordered[index]);
    dots.set(head.subarray(version, version + DOT_BYTES), index * DOT_BYTES);
  }
  return etagOfDots(dots);
}

const words = new Uint32Array(2);
const wordBytes = new Uint8Array(words.buffer);

function etagOfDots(dots: Uint8Array): string {
  headDigestInto(dots, 0, dots.length, words, 0);
  return toHex(wordBytes, 0, 8);
}

/** The same for the one dot at head[dot..]. */
export function etagOfDot(head: Uint8Array, dot: number): string {
  headDigestInto(head, dot, dot + DOT_BYTES, words, 0);
  return toHex(wordBytes, 0, 8);
}
