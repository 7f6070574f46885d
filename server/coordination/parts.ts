/** What the coordinator's files work with, most of it handed over once (server/node.ts). */

import type { HybridClock } from "../../core/hybrid-clock.ts";
import type { ObjectName } from "../../core/object-name.ts";
import type { LatencyWindow } from "../admission/latency-window.ts";
import type { BucketProperties } from "../membership/buckets.ts";
import type { Membership } from "../membership/membership.ts";
import type { Ports } from "../ports/ports.ts";
import type { Replication } from "../replication/replication.ts";
import type { TimerWheel } from "../wire/timer-wheel.ts";
import type { Plans } from "./plan.ts";
import { copiesOf } from "./quorum.ts";
import type { Ended } from "./results.ts";
import type { Dots } from "./version-maker.ts";

export interface CoordinatorParts {
  readonly ports: Ports;
  readonly membership: Membership;
  readonly replication: Replication;
  /** Told what requests took. */
  readonly foreground: LatencyWindow;
  readonly wheel: TimerWheel;
  readonly hybridClock: HybridClock;
  readonly dots: Dots;
  readonly maxValueBytes: number;
  /** Requests that may wait for their answer at one time. */
  readonly requestsMax: number;
  readonly clockEntriesMax: number;
  readonly maxSkewMs: number;
}

/** The same with what the coordinator remembers. */
export interface WorkingParts extends CoordinatorParts {
  readonly plans: Plans;
}

/** Told once how a request ended. */
export type Done = (ended: Ended) => void;

/**
 * The date by which versions expire: this node's, or the median of its peers' where its own is further off
 * than it may be. Else what was written or read through one mad clock would expire early, or never.
 */
export function dateMs({ ports, membership, maxSkewMs }: CoordinatorParts): number {
  const skewMs = membership.skewMs();
  const nowMs = ports.clock.nowMs();
  return Math.abs(skewMs) <= maxSkewMs ? nowMs : nowMs - skewMs;
}

/** The properties of the bucket that a name is in. */
export function propertiesOf({ membership }: CoordinatorParts, name: ObjectName): BucketProperties {
  return membership.buckets.get(name.bytes, name.bucketLength);
}

/** Copies of an object of a bucket with these properties. */
export function copiesFor({ membership }: CoordinatorParts, properties: BucketProperties): number {
  return copiesOf(properties, membership.layouts.current.replicas);
}
