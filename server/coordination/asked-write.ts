/**
 * A write that may have been made before: what tells it from others, and what follows from what the
 * replicas say of it.
 *
 *   its version is live somewhere      that version is handed to all and acknowledged: no second one
 *   it was superseded somewhere        done; what superseded it is handed to all, nothing new to show
 *   nobody who answers knows of it     an ordinary write, the first as far as can be told
 *
 * Who knows of it is who holds its version or has seen it superseded (replication/superseded.ts).
 */

import { withoutVersion } from "../../core/version-sync.ts";
import { writeIndex } from "../../core/version-rules.ts";
import { POLICY_LWW, versionOffset, versionPolicy } from "../../core/version-set.ts";
import type { VersionSet } from "../../storage/engine.ts";
import { NOTHING } from "../replication/local-copy.ts";

export interface AskedWrite {
  readonly requestId: Uint8Array;
  /** crc32c of the payload. */
  readonly checksum: number;
}

/** Whether a head holds the write's version live. */
export function isMadeIn(head: Uint8Array, write: AskedWrite): boolean {
  return writeIndex(head, 0, write.requestId, 0, write.checksum) >= 0;
}

/**
 * The set that says the write was made before; null: nobody knows of it.
 * @param set what those who answered hold, merged; null: nothing
 * @param isSuperseded whether one of them has seen the write superseded
 */
export function madeBefore(
  set: VersionSet | null,
  isSuperseded: boolean,
  write: AskedWrite,
): VersionSet | null {
  if (isSuperseded) return set === null ? NOTHING : withoutWrite(set, write);
  return set !== null && isMadeIn(set.head, write) ? set : null;
}

/**
 * The set without versions of a write that is superseded. Not those of policy lww: such a retry may have
 * won over what superseded it.
 */
function withoutWrite(set: VersionSet, write: AskedWrite): VersionSet {
  let { head, payloads } = set;
  for (;;) {
    const index = writeIndex(head, 0, write.requestId, 0, write.checksum);
    if (index < 0 || versionPolicy(head, versionOffset(0, index)) === POLICY_LWW) break;
    head = withoutVersion(head, 0, index);
    payloads = payloads.filter((_, place) => place !== index);
  }
  return { head, payloads };
}
