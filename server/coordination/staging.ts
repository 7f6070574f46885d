/**
 * Large payloads at the edge of a coordinator: what comes whole is staged, so that from here on it is large
 * on every road; what a forwarded answer names and does not carry is fetched from the node that answered.
 */

import { encodeMeta } from "../../core/payload.ts";
import { STALL_MS_MAX } from "../../core/limits.ts";
import { versionCount } from "../../core/version-set.ts";
import type { ObjectName } from "../../core/object-name.ts";
import type { Stage, VersionSet } from "../../storage/engine.ts";
import type { Member } from "../membership/member.ts";
import { BodyPull, aboutOf, sizeOf } from "../replication/body-pull.ts";
import type { CoordinatorParts } from "./parts.ts";
import { refused, type Ended } from "./results.ts";
import type { PutRequest } from "./store.ts";

/** A request whose value, if it is large, is staged; the stage is to be dropped when it has ended. */
export interface StagedRequest {
  readonly request: PutRequest;
  readonly stage: Stage | null;
}

/** REQUIRES: this node is a member. */
export function stagedRequest(parts: CoordinatorParts, request: PutRequest): StagedRequest | Ended {
  const { body } = request;
  const { replication, maxValueBytes } = parts;
  const isLarge = body.length > replication.streamBytesMin && body.length <= maxValueBytes;
  if (!isLarge || request.isDelete) return { request, stage: null };
  const meta = encodeMeta(request.meta);
  const stage = replication.objects.engine.stage(request.name);
  let outcome = stage.append(meta, 0, meta.length);
  if (outcome.status === "done") outcome = stage.append(body, 0, body.length);
  const finished = outcome.status === "done" ? stage.finish() : outcome;
  if (finished.status === "staged") {
    return { request: { ...request, body: NO_BYTES, staged: finished.payload }, stage };
  }
  stage.drop();
  const detail = finished.status === "done" ? "it could not be kept" : finished.detail;
  const code = finished.status === "full" ? `${finished.of}-full` as const : "quorum-unreachable";
  return refused(code, `This node cannot take the value: ${detail}`);
}

const NO_BYTES = new Uint8Array(0);

/**
 * Fetches what the set of a forwarded answer lacks. Calls back with the whole set, or null where a payload
 * could not be had.
 */
export function fetchMissing(
  parts: CoordinatorParts,
  name: ObjectName,
  member: Member,
  set: VersionSet,
  done: (set: VersionSet | null) => void,
): void {
  const { membership, replication } = parts;
  const payloads = [...set.payloads];
  const next = (index: number): void => {
    while (index < versionCount(set.head, 0) && payloads[index] !== null) index++;
    if (index === payloads.length) return done({ head: set.head, payloads });
    const size = sizeOf(set.head, index);
    const id = { engine: replication.objects.engine, name, about: aboutOf(set.head, index) };
    const pull = new BodyPull({
      bodies: replication.bodies,
      id,
      size,
      holders: [member],
      layout: membership.layouts.current.number,
      timeoutMs: STALL_MS_MAX,
      moved: () => {},
      done: (payload) => {
        if (payload === null) return done(null);
        payloads[index] = payload;
        return next(index + 1);
      },
    });
    return pull.start();
  };
  next(0);
}
