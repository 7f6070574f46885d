/**
 * A write that may have been made before: what tells it from others, and what follows from what the
 * replicas say of it.
 *
 *   it was superseded, here is by what   done; what superseded it is handed to all, nothing new to show
 *   its version is live somewhere        that version is handed to all and acknowledged: no second one
 *   it was superseded, and all is gone   done
 *   it was superseded, who knows by what unknown: to make it again may bring back an old value
 *   it is live, and did not come whole   unknown: what has come says nothing of what became of it
 *   nobody who answers knows of it       an ordinary write, the first as far as can be told
 *
 * Who knows of it is who holds its version or has seen it superseded (replication/superseded.ts). Where one
 * holds it live and the set of another has superseded it unseen, both together say so. A live
 * version is given up for a set that has come, and not for the word of a node whose set has not: what
 * superseded it may be on that node alone.
 */

import { withoutVersion } from "../../core/version-sync.ts";
import { writeIndex } from "../../core/version-rules.ts";
import { POLICY_LWW, versionOffset, versionPolicy } from "../../core/version-set.ts";
import type { VersionSet } from "../../storage/engine.ts";
import { NOTHING } from "../replication/change.ts";

export interface AskedWrite {
  readonly requestId: Uint8Array;
  /** crc32c of the payload. */
  readonly checksum: number;
}

/**
 * Whether somebody has seen a write superseded: no; yes, and by what is in the merged set; yes, and who says
 * so holds nothing of the name any more; yes or no, for who knows it has not shown all that it holds.
 */
export type Superseded = "no" | "shown" | "gone" | "hidden";

/** Whether a head holds the write's version live. */
export function isMadeIn(head: Uint8Array, write: AskedWrite): boolean {
  return writeIndex(head, 0, write.requestId, 0, write.checksum) >= 0;
}

/**
 * The set that says the write was made before; null: nobody knows of it; "unsure": somebody knows of it, and
 * not enough came to go on from.
 * @param set what those who answered hold, merged; null: nothing
 */
export function madeBefore(
  set: VersionSet | null,
  superseded: Superseded,
  write: AskedWrite,
): VersionSet | null | "unsure" {
  if (superseded === "shown" && set !== null) return withoutWrite(set, write);
  if (set !== null && isMadeIn(set.head, write)) return set;
  if (superseded === "gone") return set ?? NOTHING;
  return superseded === "no" ? null : "unsure";
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
