/**
 * The naive model of version sets (core/version-set, -rules, -merge, -event): a state is the live
 * versions by dot, and the set of all dots that were seen. Plain objects, sets and filters; nothing
 * is ever truncated. packState gives the bytes that core/ must arrive at.
 */

import { DOT_BYTES, ENTRY_BYTES, STAMP_AT } from "../../core/clock-entry.ts";
import {
  HEAD_BYTES,
  POLICY_LWW,
  VERSION_BYTES,
  writeHeadCounts,
  writeVersion,
} from "../../core/version-set.ts";
import {
  actorBytes,
  dotName,
  type ModelClock,
  modelMerge,
  packClock,
} from "./vector-clock-model.ts";

export interface ModelVersion {
  readonly actor: string;
  readonly counter: number;
  readonly policy: number;
  readonly tombstone: boolean;
  readonly stamp: number;
  readonly expiryMs: number;
  /** 0: none. */
  readonly request: number;
  /** Stands for the body and its checksum. */
  readonly content: number;
}

export interface ModelState {
  readonly live: ReadonlyMap<string, ModelVersion>;
  readonly seen: ModelClock;
}

export const nothing: ModelState = { live: new Map(), seen: new Map() };

export function dotOf(version: ModelVersion): string {
  return dotName(version.actor, version.counter);
}

export function areModelTwins(left: ModelVersion, right: ModelVersion): boolean {
  return (
    left.request !== 0 &&
    left.request === right.request &&
    left.content === right.content &&
    left.policy === right.policy &&
    left.tombstone === right.tombstone
  );
}

/** Whether the left write is later by stamp, then dot. */
export function isLaterModel(left: ModelVersion, right: ModelVersion): boolean {
  if (left.stamp !== right.stamp) return left.stamp > right.stamp;
  if (left.actor !== right.actor) return left.actor > right.actor;
  return left.counter > right.counter;
}

export function joinModel(left: ModelState, right: ModelState): ModelState {
  const all = new Map([...left.live, ...right.live]);
  const unseen = [...all].filter(
    ([dot]) =>
      (left.live.has(dot) || !left.seen.has(dot)) && (right.live.has(dot) || !right.seen.has(dot)),
  );
  return { live: ruled(new Map(unseen), all), seen: modelMerge(left.seen, right.seen) };
}

export function eventModel(
  held: ModelState,
  context: ModelClock,
  version: ModelVersion,
): ModelState {
  const dot = dotOf(version);
  const unseen = new Map([...held.live].filter(([one]) => !context.has(one)));
  const live = ruled(ruled(unseen, held.live).set(dot, version), new Map());
  const own = new Map([[dot, { stamp: version.stamp, pinned: false }]]);
  const seen = modelMerge(modelMerge(held.seen, context), own);
  if (!version.tombstone && version.expiryMs === 0) return { live, seen };
  return {
    live,
    seen: new Map([...seen].map(([one, { stamp }]) => [one, { stamp, pinned: true }])),
  };
}

/** What stays of `live`: no twin of one that died, and of the lww versions the last. */
function ruled(
  live: Map<string, ModelVersion>,
  before: ReadonlyMap<string, ModelVersion>,
): Map<string, ModelVersion> {
  const dead = [...before].filter(([dot, one]) => !live.has(dot) && one.policy !== POLICY_LWW);
  const untwinned = [...live].filter(([, one]) =>
    !dead.some(([, gone]) => areModelTwins(gone, one))
  );
  const writes = untwinned.map(([, one]) => one).filter((one) => one.policy === POLICY_LWW);
  return new Map(
    untwinned.filter(
      ([, one]) => one.policy !== POLICY_LWW || !writes.some((other) => isLaterModel(other, one)),
    ),
  );
}

/** One version as its 56 bytes. */
export function packVersion(version: ModelVersion): Uint8Array {
  const bytes = new Uint8Array(VERSION_BYTES);
  const requestId = new Uint8Array(16);
  requestId[15] = version.request;
  requestId[14] = version.request >> 8;
  writeVersion(bytes, 0, {
    actor: actorBytes(version.actor),
    counter: version.counter,
    policy: version.policy,
    tombstone: version.tombstone,
    stampMs: Math.floor(version.stamp / 4),
    stampLogical: version.stamp % 4,
    expiryMs: version.expiryMs,
    requestId,
    metaLength: 1,
    bodyLength: version.tombstone ? 0 : version.content,
    checksum: version.content,
  });
  return bytes;
}

export function packState(state: ModelState): Uint8Array {
  const versions = [...state.live.values()].map(packVersion).sort(byDot);
  const clock = packClock(state.seen);
  const bytes = new Uint8Array(HEAD_BYTES + versions.length * VERSION_BYTES + clock.length);
  writeHeadCounts(bytes, 0, versions.length, clock.length / ENTRY_BYTES);
  versions.forEach((one, index) => bytes.set(one, HEAD_BYTES + index * VERSION_BYTES));
  bytes.set(clock, HEAD_BYTES + versions.length * VERSION_BYTES);
  return bytes;
}

/** Bytewise by actor, then by counter as a number; below 256 its first byte is the number. */
function byDot(left: Uint8Array, right: Uint8Array): number {
  for (let index = 0; index < DOT_BYTES; index++) {
    if (left[index] !== right[index]) return left[index] - right[index];
  }
  return left[STAMP_AT] - right[STAMP_AT];
}
