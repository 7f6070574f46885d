/** From a put's case to the version that is to be made of it. */

import { HybridClock } from "../../core/hybrid-clock.ts";
import { encodeMeta, encodePayload } from "../../core/payload.ts";
import { requestTimeMs } from "../../core/request-id.ts";
import { newestStamp } from "../../core/version-set.ts";
import { dateMs, type CoordinatorParts } from "./parts.ts";
import type { PutCase } from "./put-case.ts";
import { VersionMaker } from "./version-maker.ts";

const NO_BYTES = new Uint8Array(0);

export function makerOf(parts: CoordinatorParts, putCase: PutCase): VersionMaker {
  const { ports, hybridClock, dots, clockEntriesMax, replication } = parts;
  const { request, context, requestId, properties, partition } = putCase;
  const { superseded } = replication;
  const makerParts = { clock: ports.clock, hybridClock, dots, superseded, clockEntriesMax };
  const metaBlock = request.isDelete ? NO_BYTES : encodeMeta(request.meta);
  const ttlSeconds = request.ttlSeconds > 0 ? request.ttlSeconds : (properties.ttlSeconds ?? 0);
  const expires = !request.isDelete && ttlSeconds > 0;
  const isLastWriteWins = properties.policy === "lww";
  return new VersionMaker(makerParts, {
    context,
    requestId,
    isTombstone: request.isDelete,
    isLastWriteWins,
    isContextRead: putCase.isContextRead,
    payload: request.isDelete
      ? NO_BYTES
      : (request.staged ?? encodePayload(metaBlock, request.body)),
    metaLength: metaBlock.length,
    expiryMs: expires ? dateMs(parts) + ttlSeconds * 1000 : 0,
    seen: stampsSeen(putCase),
    lateMs: isLastWriteWins && putCase.mayBeRetry ? lateMs(parts, putCase) : null,
    dotAsPair: replication.isCompletePrimary(partition),
  });
}

/** Follows what others hold, where they were asked. */
function stampsSeen({ asked }: PutCase): HybridClock {
  const seen = new HybridClock(0, 0);
  if (asked !== null) seen.observeAt(asked.head, newestStamp(asked.head, 0));
  return seen;
}

/** When the request of a late write was drawn, by a clock that is not ahead of this node's. */
function lateMs({ ports }: CoordinatorParts, { requestId }: PutCase): number {
  return Math.min(requestTimeMs(requestId), ports.clock.nowMs());
}
