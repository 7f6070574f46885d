/**
 * What the HTTP face asks of the node behind it: an interface of its own, so that the whole face
 * runs against a small store in memory as well as against a cluster.
 */

import type { ObjectName } from "../../core/object-name.ts";
import type { VersionSet } from "../../storage/engine.ts";
import type { BackgroundKind, BackgroundReport } from "../admission/background.ts";
import type { Quorum, Store } from "../coordination/store.ts";
import type { CommitOrder, Committed, Order, Staging } from "../membership/administration.ts";
import type { Authorization } from "../membership/authorization.ts";
import type { Buckets } from "../membership/buckets.ts";
import type { MembershipEvent } from "../membership/layout.ts";
import type { LayoutPlan } from "../membership/plan.ts";
import type { StagedChange } from "../membership/staged.ts";
import type { HandoffReport } from "../replication/handoff-window.ts";
import type { ReapingReport } from "../replication/reaper.ts";
import type { RepairReport } from "../replication/repair.ts";
import type { TransferReport } from "../replication/transfers.ts";

/** The cluster's buckets; every node knows them all. */
export type HttpBuckets = Pick<Buckets, "get" | "set" | "reset" | "list">;

export interface MemberReport {
  readonly id: string;
  readonly name: string;
  readonly address: string;
  readonly http: string;
  readonly zone: string;
  readonly capacity: number;
  readonly status: string;
  readonly healthy: boolean;
  /** Replica slots, not distinct partitions. */
  readonly partitions: number;
}

export interface ClusterReport {
  readonly cluster: string;
  /** The id of the node that answers. */
  readonly self: string;
  readonly members: readonly MemberReport[];
  readonly layout: {
    readonly version: number;
    readonly partitions: number;
    readonly replicas: number;
    readonly live: readonly number[];
  };
  /** What administrators want of the next layout, and nodes that ask to be let in. */
  readonly staged: readonly StagedChange[];
}

export interface LayoutReport {
  readonly version: number;
  readonly partitions: number;
  readonly replicas: number;
  /** Layouts in use, and the one that reads use. */
  readonly live: readonly number[];
  readonly reading: number;
  readonly nodes: readonly {
    readonly id: string;
    readonly name: string;
    readonly zone: string;
    readonly capacity: number;
    /** Replica slots. */
    readonly slots: number;
    /** Shares of all slots, 0 to 1. */
    readonly idealShare: number;
    readonly reachedShare: number;
  }[];
  /** All changes of the membership, oldest first. */
  readonly history: readonly MembershipEvent[];
}

/** What an administrator can ask a node for. REQUIRES, all of it: the node is a member. */
export interface HttpCluster {
  layout(): LayoutReport;
  plan(): LayoutPlan;
  stage(orders: readonly Order[]): Staging;
  revert(node: string | null): Staging;
  commit(order: CommitOrder, done: (outcome: Committed) => void): void;
  /** Has every member compare its copies with the others' now; calls back with how that stands. */
  repair(wish: RepairWish, done: (report: RepairsReport) => void): void;
  repairs(done: (report: RepairsReport) => void): void;
  /** Work in the background at every member: transfers, pace, what is paused. */
  work(done: (report: WorksReport) => void): void;
  pause(order: PauseOrder, done: (report: WorksReport) => void): void;
}

/** A kind of work rests, or goes on; at one member (name or id), or (null) at all. */
export interface PauseOrder {
  readonly kind: BackgroundKind;
  readonly node: string | null;
  readonly isPaused: boolean;
}

export interface WorkReport {
  readonly node: string;
  readonly name: string;
  readonly transfer: TransferReport;
  /** Hints on their way to owners. */
  readonly handoff: readonly HandoffReport[];
  readonly reaping: ReapingReport;
  readonly background: readonly BackgroundReport[];
  /** What the admission controller allows all kinds together now. */
  readonly bytesPerSecondMax: number;
  /** What 99 % of the last minute's requests took at most. */
  readonly p99Ms: number;
}

/** How work stands at every member, and who did not say. */
export interface WorksReport {
  readonly members: readonly WorkReport[];
  readonly silent: readonly string[];
}

/** What is to be compared: everything, one partition, or one bucket. */
export interface RepairWish {
  readonly partition: number | null;
  readonly bucket: Uint8Array | null;
}

/** How the last repair stands at every member, and who did not say. */
export interface RepairsReport {
  readonly members: readonly ({ readonly node: string; readonly name: string } & RepairReport)[];
  readonly silent: readonly string[];
}

export interface HttpNode {
  /** Asked for anew with every request: a node has another one before it is a member. */
  readonly store: Store;
  readonly buckets: HttpBuckets;
  /** Who may do what; null where the cluster has no secret: anybody, everything. */
  readonly authorization: Authorization | null;
  /** Tells all healthy members of changed bucket properties or tokens; calls back when they know. */
  tellAll(done: () => void): void;
  /** The cluster's own numbers, which buckets and requests may override. */
  readonly defaults: {
    readonly n: number;
    readonly r: Quorum;
    readonly w: Quorum;
    readonly dw: Quorum;
    readonly pr: Quorum;
    readonly pw: Quorum;
  };
  readiness(forWrite: boolean): { readonly ready: boolean; readonly detail: string };
  /** Stores a finished state durably at all owners of its name; calls back with "" or one sentence. */
  storeAtOwners(name: ObjectName, set: VersionSet, done: (detail: string) => void): void;
  /** Whether a state that was written in this round of its partition may have been deleted and forgotten since. */
  isOutdated(name: ObjectName, round: number): boolean;
  clusterReport(): ClusterReport;
  readonly cluster: HttpCluster;
  /** Counters and gauges by name, for /stats. */
  statistics(): Record<string, number>;
}
