/**
 * Repair on demand: an administrator wants replicas compared now, all of them, one partition's, or those of
 * one bucket's objects. Each member compares with every other one with which it owns something.
 *
 *   order ──► one comparison a peer, one after the other ──► report: how many of how many, what differed,
 *                  └── a peer that is down: named             what was made good
 *
 * It is anti-entropy at another moment and nothing else: joins, that may be cut off anywhere and begun again.
 */

import type { Member } from "../membership/member.ts";

export interface RepairOrder {
  /** Null: every partition. */
  readonly partition: number | null;
  /** The bucket's tag in the index (core/object-name); null: every bucket. Others may share it: they are repaired, too. */
  readonly bucketTag: number | null;
}

export interface RepairReport {
  readonly state: "idle" | "running" | "done";
  /** Peers that were compared with, of so many. */
  readonly compared: number;
  readonly of: number;
  /** Partitions that differed, counted for each peer. */
  readonly differing: number;
  /** Objects that were brought here or there. */
  readonly repaired: number;
  /** Names of peers that could not be compared with to the end. */
  readonly failed: readonly string[];
}

export const NO_REPAIR: RepairReport = {
  state: "idle",
  compared: 0,
  of: 0,
  differing: 0,
  repaired: 0,
  failed: [],
};

/** What a comparison for it came to. */
export interface RepairStep {
  readonly isWhole: boolean;
  readonly differing: number;
  readonly repaired: number;
}

export class Repair {
  #order: RepairOrder = { partition: null, bucketTag: null };
  #left: Member[] = [];
  #report: RepairReport = NO_REPAIR;

  get report(): RepairReport {
    return this.#report;
  }

  /** Takes an order; false where another one is under way. @param peers that own something with this node */
  begin(order: RepairOrder, peers: readonly Member[]): boolean {
    if (this.#report.state === "running") return false;
    const failed = peers.filter(({ healthy }) => !healthy).map(({ name }) => name);
    this.#order = order;
    this.#left = peers.filter(({ healthy }) => healthy);
    const state = this.#left.length === 0 ? "done" : "running";
    this.#report = { ...NO_REPAIR, state, of: peers.length, failed };
    return true;
  }

  /** Whom to compare with next, and what; null: nobody is left, or no repair is under way. */
  next(): { readonly peer: Member; readonly order: RepairOrder } | null {
    const [peer] = this.#left;
    return peer === undefined ? null : { peer, order: this.#order };
  }

  /** The comparison with the next peer has ended. */
  ended({ isWhole, differing, repaired }: RepairStep): void {
    const peer = this.#left.shift();
    const { report } = this;
    this.#report = {
      ...report,
      state: this.#left.length === 0 ? "done" : "running",
      compared: report.compared + (isWhole ? 1 : 0),
      differing: report.differing + differing,
      repaired: report.repaired + repaired,
      failed: isWhole || peer === undefined ? report.failed : [...report.failed, peer.name],
    };
  }
}
