/** What may be forgotten once its round has closed: sets of which nothing is left to be read. */

import { stampMs } from "../../core/clock-entry.ts";
import { hasExpiry, isTombstone, versionCount, versionExpiryMs, versionOffset, versionStamp } from "../../core/version-set.ts";

/** By this node's clock, what has expired is not forgotten before so much more time has passed. */
export const EXPIRY_MARGIN_MS = 60_000;

/**
 * When a set will be nothing but tombstones and expired versions that are old enough; Infinity: not before it is
 * written again. The clock only delays it here; it does not decide that nothing can come back.
 * @param ageMs of a tombstone: so long its write may be sent again
 */
export function reapableFromMs(head: Uint8Array, ageMs: number): number {
  let fromMs = 0;
  for (let index = versionCount(head, 0) - 1; index >= 0; index--) {
    const version = versionOffset(0, index);
    if (isTombstone(head, version)) fromMs = Math.max(fromMs, stampMs(head, versionStamp(version)) + ageMs);
    else if (!hasExpiry(head, version)) return Infinity;
    else fromMs = Math.max(fromMs, versionExpiryMs(head, version) + Math.max(ageMs, EXPIRY_MARGIN_MS));
  }
  return fromMs;
}
