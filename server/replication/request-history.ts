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
import { REQUEST_BYTES } from "../../core/replica-frames.ts";
import { isRequestId } from "../../core/request-id.ts";
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
import type { HintRequests } from "./hint-requests.ts";
import { RequestList, eachRequest } from "./request-list.ts";
import type { SupersededRequests } from "./superseded.ts";

/**
 * For the opening of a log: remembers what it tells.
 * @param hints is given each list of writes, and what was removed: hints have to tell it (hint-requests.ts)
 */
export function requestHistory(
  superseded: SupersededRequests,
  clock: Clock,
  hints: HintRequests | null = null,
): LogHistory {
  const elapsedMs = clock.elapsedMs();
  const list = new RequestList();
  return {
    nowMs: clock.nowMs(),
    reachMs: REQUEST_ID_KEPT_MS,
    replaced(position0, before, after) {
      if (!isWellFormedHead(before, 0, before.length)) return;
      list.clear();
      for (let index = 0; index < versionCount(before, 0); index++) {
        const version = versionOffset(0, index);
        if (!isSuperseded(before, version, after, 0)) continue;
        const checksum = payloadChecksum(before, version);
        const id = version + REQUEST_ID_OFFSET;
        superseded.remember(before, id, checksum, position0, elapsedMs);
        if (isRequestId(before, id)) list.add(before, id, checksum);
      }
      if (list.count > 0) hints?.add(position0, list.toBytes());
    },
    noted(position0, note) {
      if (note.length % REQUEST_BYTES !== 0) return;
      hints?.add(position0, note.slice());
      eachRequest(note, (offset, checksum) => {
        superseded.remember(note, offset, checksum, position0, elapsedMs);
      });
    },
    removed(position0) {
      hints?.drop(position0);
    },
  };
}
