/**
 * What a node remembers of superseded writes when it starts again: its logs tell.
 *
 *   objects  … {a} … {b} …        a record of a name, and the next: a's request id was superseded
 *            … note: a, c …       what the records do not tell: a version that was dead when it came,
 *                                 or a write that a peer said was superseded
 *
 * A note follows the record of the set that covers what it names, and recovery keeps a prefix of what was
 * written: so what is remembered after a crash is always covered by what is held.
 */

import { REQUEST_ID_KEPT_MS } from "../../core/limits.ts";
import { isSuperseded } from "../../core/version-rules.ts";
import {
  REQUEST_ID_OFFSET,
  isWellFormedHead,
  payloadChecksum,
  versionCount,
  versionOffset,
} from "../../core/version-set.ts";
import type { LogHistory } from "../../storage/log/log-history.ts";
import type { Clock } from "../ports/clock.ts";
import { eachRequest } from "./request-list.ts";
import type { SupersededRequests } from "./superseded.ts";

/** For the opening of a log: remembers what it tells. */
export function requestHistory(superseded: SupersededRequests, clock: Clock): LogHistory {
  const elapsedMs = clock.elapsedMs();
  return {
    nowMs: clock.nowMs(),
    reachMs: REQUEST_ID_KEPT_MS,
    replaced(position0, before, after) {
      if (!isWellFormedHead(before, 0, before.length)) return;
      for (let index = 0; index < versionCount(before, 0); index++) {
        const version = versionOffset(0, index);
        if (!isSuperseded(before, version, after, 0)) continue;
        const checksum = payloadChecksum(before, version);
        superseded.remember(before, version + REQUEST_ID_OFFSET, checksum, position0, elapsedMs);
      }
    },
    noted(position0, note) {
      eachRequest(note, (offset, checksum) => {
        superseded.remember(note, offset, checksum, position0, elapsedMs);
      });
    },
  };
}
