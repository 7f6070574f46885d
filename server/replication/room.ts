/**
 * What the parts of this room may ask of it and of the rooms around it. One object for all of them: each takes the
 * interface of what it needs, and declares that beside its own code.
 *
 *   hints, scrub, surplus, anti-entropy, transfers, rounds, reaper ──► Room ──► membership, ports, admission
 *                                                                       └────► Replication (RoomOwner)
 */

import type { ObjectName } from "../../core/object-name.ts";
import { STATUS_FAILED, type WireSet } from "../../core/replica-frames.ts";
import { partitionOf } from "../../core/ring.ts";
import type { VersionSet, WriteLabels } from "../../storage/engine.ts";
import type { Background } from "../admission/background.ts";
import type { Layout } from "../membership/layout.ts";
import type { Member } from "../membership/member.ts";
import type { Clock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { AntiEntropyHost, AntiEntropyTimes } from "./anti-entropy.ts";
import type { Counters } from "./counters.ts";
import type { Delivered } from "./delivery.ts";
import type { HintsHost } from "./hints.ts";
import { ownersOf } from "./ownership.ts";
import type { ReaperHost } from "./reaper.ts";
import type { ReplicationParts } from "./replication-parts.ts";
import { NO_REQUESTS } from "./request-list.ts";
import type { RoundMemberHost } from "./round-member.ts";
import type { Rounds } from "./rounds.ts";
import type { ScrubHost } from "./scrub.ts";
import type { SurplusHost } from "./surplus.ts";
import type { TransferSourceHost } from "./transfer-source.ts";
import type { TransfersHost } from "./transfers.ts";

/** How a set is delivered; see delivery.ts. */
export interface DeliveryManner {
  readonly purpose: number;
  readonly durable: boolean;
  readonly hintFor: Uint8Array | null;
  readonly timeoutMs: number;
  /** The label of the set, where it was not read just now. */
  readonly round?: number;
  readonly superseded?: Uint8Array;
  /** Told whenever a slice of a large payload has moved. */
  readonly moved?: () => void;
}

/** What the room itself does for its parts. */
export interface RoomOwner {
  readonly rounds: Rounds;
  /** Whether others may count on what is held here. */
  readonly isReplica: boolean;
  readonly layoutNumber: number;
  readonly hintCount: number;
  partitionOf(name: ObjectName): number;
  deliver(
    member: Member,
    name: ObjectName,
    set: VersionSet,
    how: DeliveryManner,
    load: (done: (set: VersionSet | null) => void) => void,
    done: (delivered: Delivered) => void,
  ): void;
  storeAtOwners(name: ObjectName, set: VersionSet, superseded: Uint8Array, done: (detail: string) => void): void;
  /** The set with as many bodies as fit a frame. */
  fit(set: VersionSet): WireSet;
  isUnderWay(partition: number): boolean;
  keepsHintsFor(id: string): boolean;
  onCompared(): void;
  onCome(): void;
  onNoSurplus(): void;
}

type Hosts =
  & AntiEntropyHost
  & HintsHost
  & ReaperHost
  & RoundMemberHost
  & ScrubHost
  & SurplusHost
  & TransferSourceHost
  & TransfersHost;

export class Room implements Hosts {
  readonly clock: Clock;
  readonly log: Log;
  readonly background: Background;
  readonly counters: Counters;
  readonly times: AntiEntropyTimes;
  readonly partitions: number;
  readonly chunkEntries: number;
  readonly entriesMin: number;
  readonly reapAfterMs: number;
  readonly intervalMs: number;
  readonly #parts: ReplicationParts;
  readonly #owner: RoomOwner;

  constructor(parts: ReplicationParts, owner: RoomOwner) {
    const { ports, background, counters, antiEntropy, partitions, transfer, reaping } = parts;
    this.clock = ports.clock;
    this.log = ports.log;
    this.background = background;
    this.counters = counters;
    this.times = antiEntropy;
    this.partitions = partitions;
    this.chunkEntries = transfer.chunkEntries;
    this.entriesMin = transfer.entriesMin;
    this.reapAfterMs = reaping.afterMs;
    this.intervalMs = reaping.intervalMs;
    this.#parts = parts;
    this.#owner = owner;
  }

  // Who is there.

  get self(): Member {
    return this.#parts.membership.self;
  }

  get selfId(): string {
    return this.self.id;
  }

  get members(): readonly Member[] {
    return this.#parts.membership.members;
  }

  memberById(id: string): Member | undefined {
    return this.#parts.membership.memberById(id);
  }

  get layouts(): readonly Layout[] {
    return this.#parts.membership.layouts.live;
  }

  get laggards(): readonly string[] {
    return this.#parts.membership.laggards;
  }

  get countsForCompleteness(): boolean {
    const { live, current, syncTarget } = this.#parts.membership.layouts;
    return live.length === 1 || syncTarget === current.number;
  }

  owners(position0: number): readonly Member[] {
    const { layouts } = this.#parts.membership;
    const partition = partitionOf(position0, layouts.current.partitionBits);
    const ids = new Set(layouts.live.flatMap((layout) => ownersOf(layout, partition)));
    return this.members.filter((one) => !one.isSelf && one.healthy && ids.has(one.id));
  }

  // What is held, and how it is labelled.

  get isReplica(): boolean {
    return this.#owner.isReplica;
  }

  get hintCount(): number {
    return this.#owner.hintCount;
  }

  labelsOf(name: ObjectName): WriteLabels {
    return this.labelsIn(this.#owner.partitionOf(name));
  }

  labelsIn(partition: number): WriteLabels {
    return { layout: this.#owner.layoutNumber, round: this.#owner.rounds.label(partition) };
  }

  isClosed(name: ObjectName, round: number): boolean {
    return this.#owner.rounds.isClosed(this.#owner.partitionOf(name), round);
  }

  fit(set: VersionSet): WireSet {
    return this.#owner.fit(set);
  }

  isUnderWay(partition: number): boolean {
    return this.#owner.isUnderWay(partition);
  }

  keepsHintsFor(id: string): boolean {
    return this.#owner.keepsHintsFor(id);
  }

  // Sending.

  deliverDurably(
    member: Member,
    name: ObjectName,
    set: VersionSet,
    purpose: number,
    timeoutMs: number,
    load: (done: (set: VersionSet | null) => void) => void,
    done: (status: number, isDurable: boolean) => void,
    superseded: Uint8Array = NO_REQUESTS,
  ): void {
    const how = { purpose, durable: true, hintFor: null, timeoutMs, superseded };
    this.#owner.deliver(member, name, set, how, load, ({ failure, status, isDurable }) => {
      done(failure === "" ? status : STATUS_FAILED, failure === "" && isDurable);
    });
  }

  storeAtOwners(name: ObjectName, set: VersionSet, superseded: Uint8Array, done: (detail: string) => void): void {
    this.#owner.storeAtOwners(name, set, superseded, done);
  }

  // What the parts tell.

  onHintKept(): void {
    this.#owner.rounds.breakWatches();
  }

  onCompared(): void {
    this.#owner.onCompared();
  }

  onCome(): void {
    this.#owner.onCome();
  }

  onNone(): void {
    this.#owner.onNoSurplus();
  }

  onReaped(head: Uint8Array): void {
    this.counters.setsReaped++;
    this.#parts.onReaped(head);
  }

  // Rounds.

  nowMs(): number {
    return this.clock.nowMs();
  }

  drainRequests(done: () => void): void {
    this.#parts.drainRequests(done);
  }

  draw(): number {
    return this.#parts.ports.random.below(2 ** 31);
  }
}
