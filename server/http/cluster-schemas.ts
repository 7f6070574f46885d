/**
 * What the cluster, its work, buckets, tokens and probes are answered with in JSON, as schemas: for the OpenAPI
 * document, and for the tests, which hold every answer against them. A type in brackets makes a field that is not
 * described a type error.
 */

import * as v from "valibot";
import { BACKGROUND_KINDS } from "../admission/background.ts";
import type { BucketProperties } from "../membership/buckets.ts";
import type { LayoutPlan } from "../membership/plan.ts";
import type { StagedChange } from "../membership/staged.ts";
import type { ClusterReport, LayoutReport, RepairsReport, WorksReport } from "./http-node.ts";
import { count } from "./object-schemas.ts";
import { QUORUM_WORDS } from "./parameters.ts";
import type { RestoreAnswer } from "./restore.ts";
import type { Schema } from "./schema.ts";
import { grantSchema } from "./tokens.ts";

const share = v.pipe(v.number(), v.minValue(0), v.maxValue(1));
const rate = v.pipe(v.number(), v.minValue(0));
const names = v.array(v.string());
const silent = v.pipe(names, v.description("Members that did not say."));
const node = v.object({ id: v.string(), name: v.string(), zone: v.string(), capacity: count });

const staged: Schema<StagedChange> = v.object({
  node: v.string(),
  kind: v.picklist(["none", "waiting", "join", "leave", "remove", "replace", "change"]),
  attributes: v.nullable(v.object({
    name: v.string(),
    address: v.string(),
    http: v.string(),
    zone: v.string(),
    capacity: count,
  })),
  by: v.string(),
  drains: v.boolean(),
  capacity: count,
  zone: v.nullable(v.string()),
  stamp: count,
  issuer: v.string(),
  timeMs: count,
});

export const clusterSchema: Schema<ClusterReport> = v.object({
  cluster: v.string(),
  self: v.pipe(v.string(), v.description("The id of the node that answers.")),
  members: v.array(v.object({
    ...node.entries,
    address: v.string(),
    http: v.string(),
    status: v.string(),
    healthy: v.boolean(),
    partitions: v.pipe(count, v.description("Replica slots, not distinct partitions.")),
  })),
  layout: v.object({ version: count, partitions: count, replicas: count, live: v.array(count) }),
  staged: v.array(staged),
});

export const layoutSchema: Schema<LayoutReport> = v.object({
  version: count,
  partitions: count,
  replicas: count,
  live: v.pipe(v.array(count), v.description("Layouts in use.")),
  reading: v.pipe(count, v.description("The layout that reads use.")),
  nodes: v.array(v.object({ ...node.entries, slots: count, idealShare: share, reachedShare: share })),
  history: v.array(v.object({
    kind: v.picklist(["founded", "joined", "returned", "changed", "left", "removed"]),
    layout: count,
    member: v.string(),
    name: v.string(),
    timeMs: count,
    issuer: v.string(),
    note: v.string(),
    staged: count,
  })),
});

const moved = v.array(v.object({ node: v.string(), partitions: count, bytes: count }));

export const planSchema: Schema<LayoutPlan> = v.object({
  version: v.pipe(count, v.description("The layout that it starts from: `version` of a commit.")),
  token: v.pipe(v.string(), v.description("Names exactly these staged changes: `plan` of a commit.")),
  staged: v.array(staged),
  refusal: v.pipe(v.string(), v.description("Why it must not be committed; empty where it may.")),
  isForceable: v.boolean(),
  nodes: v.array(v.object({
    ...node.entries,
    slotsBefore: count,
    slotsAfter: count,
    idealShare: share,
    reachedShare: share,
    gains: moved,
    losses: moved,
  })),
  slots: count,
  movedSlots: count,
  movedBytes: count,
  balanceBefore: share,
  balanceAfter: share,
  zones: v.array(v.object({ zone: v.string(), slotsBefore: count, slotsAfter: count })),
  missing: v.object({ ownerDown: count, allOwnersDown: count, zoneShared: count, tooFewOwners: count }),
});

export const committedSchema = v.object({ version: count });

export const repairsSchema: Schema<RepairsReport> = v.object({
  members: v.array(v.object({
    node: v.string(),
    name: v.string(),
    state: v.picklist(["idle", "running", "done"]),
    compared: count,
    of: count,
    differing: count,
    repaired: count,
    failed: names,
  })),
  silent,
});

export const worksSchema: Schema<WorksReport> = v.object({
  members: v.array(v.object({
    node: v.string(),
    name: v.string(),
    transfer: v.object({
      left: count,
      of: count,
      entries: count,
      entriesOf: count,
      bytes: count,
      bytesPerSecond: rate,
      secondsLeft: v.nullable(rate),
      partition: v.nullable(count),
      from: v.string(),
      stuck: v.string(),
      surplus: count,
      isPaused: v.boolean(),
    }),
    handoff: v.array(v.object({
      to: v.string(),
      delivered: count,
      failed: count,
      inFlight: count,
      window: rate,
      latencyMs: rate,
    })),
    reaping: v.object({ waiting: count, reaped: count, rounds: count, stuck: v.string() }),
    background: v.array(v.object({
      kind: v.picklist(BACKGROUND_KINDS),
      isPaused: v.boolean(),
      waiting: count,
      bytes: count,
      bytesPerSecond: rate,
    })),
    bytesPerSecondMax: rate,
    p99Ms: rate,
  })),
  silent: v.pipe(names, v.description("Members that did not say, or could not keep the order on disk.")),
});

export const restoredSchema: Schema<RestoreAnswer> = v.object({
  stored: count,
  outdated: count,
  failed: count,
  detail: v.string(),
});

const quorum = v.union([count, v.picklist(QUORUM_WORDS)]);
const given = {
  preset: v.exactOptional(v.picklist(["merge", "timestamp", "read-engine"])),
  policy: v.picklist(["siblings", "lww"]),
  ttlSeconds: v.exactOptional(count),
};
const givenSchema: Schema<BucketProperties> = v.object({
  ...given,
  n: v.exactOptional(count),
  r: v.exactOptional(quorum),
  w: v.exactOptional(quorum),
  dw: v.exactOptional(quorum),
  pr: v.exactOptional(quorum),
  pw: v.exactOptional(quorum),
});

export const bucketSchema = v.object({
  bucket: v.string(),
  properties: v.pipe(
    v.object({ ...given, n: count, r: quorum, w: quorum, dw: quorum, pr: quorum, pw: quorum }),
    v.description("What holds for it: what was given on top of the cluster's defaults."),
  ),
  given: givenSchema,
});

export const bucketListSchema = v.object({ buckets: v.array(bucketSchema) });

export const tokenListSchema = v.object({ tokens: v.array(grantSchema) });
export const givenTokenSchema = v.object({
  ...grantSchema.entries,
  token: v.pipe(v.string(), v.description("Shown this once, and stored nowhere.")),
});

export const statisticsSchema = v.pipe(
  v.custom<Record<string, number>>(() => true),
  v.metadata({ type: "object", additionalProperties: { type: ["number", "null"] } }),
);
export const readySchema = v.object({ ready: v.literal(true), detail: v.string() });
