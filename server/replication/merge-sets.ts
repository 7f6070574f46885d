/** Version sets in memory, bodies included: their join, and the body of one version. */

import { compareBytes } from "../../core/bytes.ts";
import { FROM_RIGHT, syncInto, syncedLengthMax } from "../../core/version-sync.ts";
import {
  HEAD_COUNT_MAX,
  VERSION_BYTES,
  clockCount,
  findDot,
  versionCount,
  versionOffset,
} from "../../core/version-set.ts";
import type { VersionSet } from "../../storage/engine.ts";
import type { Payload } from "../../storage/large-payload.ts";

/** Whether a head can count what both sets have together: a peer may send what it cannot. */
export function canMerge(left: VersionSet, right: VersionSet): boolean {
  const versions = versionCount(left.head, 0) + versionCount(right.head, 0);
  const entries = clockCount(left.head, 0) + clockCount(right.head, 0);
  return versions <= HEAD_COUNT_MAX && entries <= HEAD_COUNT_MAX;
}

/** The join, where a head can count it; else what is beyond counting is left out: no head can show it. */
export function mergeWherePossible(left: VersionSet, right: VersionSet): VersionSet {
  return canMerge(left, right) ? mergeSets(left, right) : left;
}

/**
 * Merges heads and takes each body from the side that its version came from, or from the other where
 * that one lacks it. A body that both lack stays null. Payloads are shared, not copied.
 * REQUIRES: canMerge(left, right)
 */
export function mergeSets(left: VersionSet, right: VersionSet): VersionSet {
  const target = new Uint8Array(syncedLengthMax(left.head, 0, right.head, 0));
  const sources = new Int32Array(left.payloads.length + right.payloads.length);
  const length = syncInto(left.head, 0, right.head, 0, target, 0, sources);
  const head = target.slice(0, length);
  const payloads: (Payload | null)[] = [];
  for (let index = 0; index < versionCount(head, 0); index++) {
    payloads.push(bodyOf(left, right, head, index, sources[index]));
  }
  return { head, payloads };
}

function bodyOf(
  left: VersionSet,
  right: VersionSet,
  head: Uint8Array,
  index: number,
  source: number,
): Payload | null {
  const own = source < FROM_RIGHT ? left.payloads[source] : right.payloads[source - FROM_RIGHT];
  if (own !== null) return own;
  const other = source < FROM_RIGHT ? right : left;
  const twin = findDot(other.head, 0, head, versionOffset(0, index));
  return twin < 0 ? null : other.payloads[twin];
}

/** The body of the version at `index` of `head`, if `given` has that very entry to the last byte; else null. */
export function bodyIn(given: VersionSet, head: Uint8Array, index: number): Payload | null {
  const version = versionOffset(0, index);
  const place = findDot(given.head, 0, head, version);
  if (place < 0) return null;
  const isSame = compareBytes(given.head, versionOffset(0, place), head, version, VERSION_BYTES) === 0;
  return isSame ? given.payloads[place] : null;
}
