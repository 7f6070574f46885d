/**
 * A put with what was found out about it, and all that can be refused before anybody is asked:
 * parameters, size, context, the age of its request id, this node's clock.
 */

import { REQUEST_ID_FRESH_MS_MAX } from "../../core/limits.ts";
import { drawRequestId, requestTimeMs } from "../../core/request-id.ts";
import { encodeMeta } from "../../core/payload.ts";
import type { VersionSet } from "../../storage/engine.ts";
import type { BucketProperties } from "../membership/buckets.ts";
import { readContext, type ContextClock } from "./context-clock.ts";
import { copiesFor, propertiesOf, type CoordinatorParts } from "./parts.ts";
import { writeNeed, type WriteNeed } from "./quorum.ts";
import { badContext, refusedByAge } from "./refusals.ts";
import { refused, type Ended } from "./results.ts";
import type { PutRequest } from "./store.ts";

export interface PutCase {
  readonly request: PutRequest;
  readonly requestId: Uint8Array;
  readonly context: ContextClock;
  /** The context is not the client's: it was read for this attempt. */
  readonly isContextRead: boolean;
  readonly properties: BucketProperties;
  readonly copies: number;
  readonly need: WriteNeed;
  readonly partition: number;
  /** The label of what is read for it from its beginning on (replication/rounds.ts). */
  readonly round: number;
  readonly isForwarded: boolean;
  /** By the monotonic clock: what is asked first takes its time from the write. */
  readonly deadlineMs: number;
  /** It was not drawn just now: it may be a retry of a write that was made before. */
  readonly mayBeRetry: boolean;
  /** What the replicas hold, by those that answered when they were asked about it. */
  readonly asked: VersionSet | null;
  /** What was damaged here has been made good once already. */
  readonly isRepaired: boolean;
}

/** The case of a request, or why it is refused. REQUIRES: this node is a member. */
export function examine(
  parts: CoordinatorParts,
  request: PutRequest,
  isForwarded: boolean,
): PutCase | Ended {
  const { membership, replication, ports, maxValueBytes } = parts;
  const properties = propertiesOf(parts, request.name);
  const copies = copiesFor(parts, properties);
  const members = membership.layouts.current.nodes.length;
  const need = writeNeed(request.options, properties, membership.defaults, copies, members);
  if (typeof need === "string") return refused("bad-parameter", need);
  const valueLength = valueLengthOf(request);
  if (valueLength > maxValueBytes) {
    const given = `The value is ${valueLength} bytes`;
    return refused("value-too-large", `${given}, the limit is ${maxValueBytes}`);
  }
  const context = readContext(request.context, membership.contextKey, request.name);
  if (context === null) return badContext();
  const nowMs = ports.clock.nowMs();
  const requestId = request.requestId ?? drawRequestId(nowMs, (bytes) => ports.random.fill(bytes));
  const ageMs = request.requestId === null ? 0 : nowMs - requestTimeMs(requestId);
  const untimely = refusedByAge(ageMs) ?? skewRefusal(parts, properties);
  if (untimely !== null) return untimely;
  const partition = replication.partitionOf(request.name);
  return {
    request,
    requestId,
    context,
    isContextRead: false,
    properties,
    copies,
    need,
    partition,
    round: replication.rounds.label(partition),
    isForwarded,
    deadlineMs: ports.clock.elapsedMs() + request.options.timeoutMs,
    mayBeRetry: isOld(ageMs),
    asked: null,
    isRepaired: false,
  };
}

function valueLengthOf({ body, meta, staged }: PutRequest): number {
  return staged ? staged.length - encodeMeta(meta).length : body.length;
}

function skewRefusal(parts: CoordinatorParts, properties: BucketProperties): Ended | null {
  if (properties.policy !== "lww") return null;
  const skewMs = Math.round(parts.membership.skewMs());
  if (Math.abs(skewMs) <= parts.maxSkewMs) return null;
  return refused(
    "clock-skew",
    `The clock of this node is ${skewMs} ms off its peers' median, the limit in last-write-wins ` +
      `buckets is ${parts.maxSkewMs}: correct the clock or write through another node`,
  );
}

/**
 * The case of a put that has waited: its client may have sent it again meanwhile, through another node, and
 * what came of that may be superseded already.
 */
export function afterWaiting({ ports }: CoordinatorParts, putCase: PutCase): PutCase {
  const { request, requestId, mayBeRetry } = putCase;
  if (mayBeRetry || request.requestId === null) return putCase;
  return { ...putCase, mayBeRetry: isOld(ports.clock.nowMs() - requestTimeMs(requestId)) };
}

function isOld(ageMs: number): boolean {
  return Math.abs(ageMs) > REQUEST_ID_FRESH_MS_MAX;
}

/** Whether a case's time is over, and nobody waits for it any more. */
export function isOver({ ports }: CoordinatorParts, { deadlineMs }: PutCase): boolean {
  return ports.clock.elapsedMs() >= deadlineMs;
}

/** What is left of a case's time, at least a millisecond. */
export function leftMs({ ports }: CoordinatorParts, { deadlineMs }: PutCase): number {
  return Math.max(1, Math.ceil(deadlineMs - ports.clock.elapsedMs()));
}
