/**
 * Replication: this node's copies and how they are kept equal to the others'. The room's front door.
 *
 *   objects, hints   what is held here, and how it changes (local-copy.ts, hints.ts)
 *   replica          what peers are answered about it (replica.ts)
 *   runs             what listings are answered about it (bucket-runs.ts)
 *   deliver          REPLICATE to a peer: writes of the coordinator, repairs, hints, anti-entropy
 *
 * The coordinator above decides; this floor stores, answers and keeps equal. Before a set takes the place
 * of a head that cannot be read, the store draws a new actor: it can no longer be sure that it remembers
 * all dots of its own.
 */

import type { ObjectName } from "../../core/object-name.ts";
import {
  STATUS_CLOSED,
  replicateLength,
  type WireSet,
} from "../../core/replica-frames.ts";
import { STALL_MS_MAX } from "../../core/limits.ts";
import { partitionOf } from "../../core/ring.ts";
import type { VersionSet, WriteLabels } from "../../storage/engine.ts";
import { hasLarge } from "../../storage/large-payload.ts";
import type { Layout } from "../membership/layout.ts";
import { isGone, type Member } from "../membership/member.ts";
import { AntiEntropy } from "./anti-entropy.ts";
import { BodyPushes } from "./body-push.ts";
import { BucketRuns, type BucketRunsHost } from "./bucket-runs.ts";
import { Completeness } from "./completeness.ts";
import type { Counters } from "./counters.ts";
import { Delivery, type Delivered } from "./delivery.ts";
import { Hints, hintName } from "./hints.ts";
import { LocalCopy } from "./local-copy.ts";
import { mergeWherePossible } from "./merge-sets.ts";
import { ownedPartitions, ownersOf } from "./ownership.ts";
import type { RepairOrder, RepairReport } from "./repair.ts";
import { Reaper, type ReapingReport } from "./reaper.ts";
import { Replica, type ReplicaHost } from "./replica.ts";
import type { ReplicationParts } from "./replication-parts.ts";
import { type DeliveryManner, Room, type RoomOwner } from "./room.ts";
import { RoundMember } from "./round-member.ts";
import { Rounds } from "./rounds.ts";
import { NO_REQUESTS } from "./request-list.ts";
import { Scrub } from "./scrub.ts";
import { StagedBodies } from "./staged-bodies.ts";
import { type OwnersRoom, storeAtOwners } from "./store-at-owners.ts";
import type { SupersededRequests } from "./superseded.ts";
import { Surplus } from "./surplus.ts";
import { TransferCursors } from "./transfer-cursors.ts";
import { TransferSource } from "./transfer-source.ts";
import { type TransferReport, Transfers } from "./transfers.ts";
import { fitting, onWire } from "./wire-set.ts";

/** Hints come one after the other; after so long without one there are no more. */
const HINTS_QUIET_MS = 1_500;
const ROUNDS_TIMEOUT_MS = 5_000;
const ROUNDS_ASKED_EVERY_MS = 1_000;

/** What the data directory says of itself at start. */
export type Freshness = "founded" | "kept" | "lost";

export class Replication {
  readonly objects: LocalCopy;
  readonly hints: Hints;
  readonly completeness: Completeness;
  readonly rounds: Rounds;
  /** What this replica answers a listing. */
  readonly runs: BucketRuns;
  readonly superseded: SupersededRequests;
  readonly counters: Counters;
  /** Large payloads that wait here for the sets that refer to them. */
  readonly bodies: StagedBodies;
  /** Large payloads on their way to others. */
  readonly pushes: BodyPushes;
  readonly #parts: ReplicationParts;
  readonly #antiEntropy: AntiEntropy;
  readonly #scrub: Scrub;
  readonly #surplus: Surplus;
  readonly #transfers: Transfers;
  readonly #reaper: Reaper;
  /** Partitions that this node owns in the layout that reads use: a byte each. */
  #ownedForReads: Uint8Array = new Uint8Array(0);
  /** The same in any live layout. */
  #owned: Uint8Array = new Uint8Array(0);
  #roundsAskedMs = -Infinity;
  /** When a hint was handed over to this node last. */
  #hintCameMs = -Infinity;
  #isStopped = false;

  constructor(parts: ReplicationParts) {
    const { ports, peers } = parts;
    this.#parts = parts;
    this.counters = parts.counters;
    this.superseded = parts.superseded;
    this.bodies = new StagedBodies(ports.clock);
    this.pushes = new BodyPushes(parts.sliceBytes);
    const { superseded, counters, bodies } = this;
    this.rounds = new Rounds(ports.disk, parts.partitions);
    const isClosed = (name: ObjectName, round: number): boolean => {
      return this.rounds.isClosed(this.partitionOf(name), round);
    };
    this.objects = new LocalCopy(parts.objects, ports.clock, superseded, counters, bodies, isClosed);
    this.objects.onDamage = (name, detail) => this.#damaged(name, detail);
    this.objects.mayForget = () => parts.mayForgetDots();
    const kept = new LocalCopy(parts.hints, ports.clock, superseded, counters, bodies);
    const room = new Room(parts, this.#roomOwner());
    this.hints = new Hints(kept, room, parts.hintRequests);
    this.completeness = new Completeness(ports.disk, parts.partitions);
    const { objects, completeness, rounds } = this;
    this.#antiEntropy = new AntiEntropy(room, peers, objects, completeness);
    this.#scrub = new Scrub(
      room,
      peers,
      [
        { folder: "objects", engine: parts.objects, hasReplicas: true },
        { folder: "hints", engine: parts.hints, hasReplicas: false },
      ],
      parts.scrubBytesPerSecond,
    );
    this.#surplus = new Surplus(room, peers, objects, completeness);
    this.#transfers = new Transfers(room, objects, completeness, new TransferCursors(ports.disk));
    new TransferSource(room, peers, objects, completeness);
    const roundMember = new RoundMember(room, objects, completeness, rounds);
    roundMember.serve(peers);
    this.#reaper = new Reaper(room, parts.objects, roundMember);
    new Replica(this.#replicaHost()).serve(peers);
    this.runs = new BucketRuns(this.#runsHost());
    this.runs.serve(peers);
  }

  /** REQUIRES: this node is a member. */
  start(freshness: Freshness): void {
    if (freshness === "founded") this.completeness.completeAll();
    else if (freshness === "kept") this.completeness.restore();
    else this.completeness.partialAll();
    this.rounds.restore();
    this.#askForRounds();
    this.#transfers.start();
    this.layoutsChanged();
    this.hints.start();
    this.#antiEntropy.start();
    this.#scrub.start();
    this.#surplus.start();
    this.#reaper.start();
  }

  /** Which labels the others use: those of this node were forgotten with its last process. */
  #askForRounds(): void {
    for (const { isSelf, peer } of this.#parts.membership.members) {
      if (isSelf || peer === null) continue;
      peer.call("rounds", null, ROUNDS_TIMEOUT_MS, (labels) => void this.rounds.adopt(labels));
    }
  }

  stop(): void {
    this.#isStopped = true;
    this.hints.stop();
    this.#transfers.stop();
    this.#antiEntropy.stop();
    this.#scrub.stop();
    this.#surplus.stop();
    this.#reaper.stop();
    this.bodies.stop();
    this.completeness.save();
  }

  /** A peer answers again: what is kept for it can go, and it may have missed more than that. */
  recovered(): void {
    this.hints.scan();
    this.#transfers.hurry();
    this.#antiEntropy.recovered();
  }

  /** Compares this node's copies with the others' now; what is under way is told by repairReport. */
  repair(order: RepairOrder): RepairReport {
    return this.#antiEntropy.repair(order);
  }

  /** How the rounds that this node leads stand. */
  get reapingReport(): ReapingReport {
    return this.#reaper.report();
  }

  /** How what this node is to own and does not have whole comes here. */
  get transferReport(): TransferReport {
    return this.#transfers.report(this.surplusCount());
  }

  get repairReport(): RepairReport {
    return this.#antiEntropy.repairReport;
  }

  /** What is owned changed: bits of what is owned no longer go, and new partitions are compared. */
  layoutsChanged(): void {
    const { membership } = this.#parts;
    if (this.#isStopped || !membership.ready) return;
    const { live, reading } = membership.layouts;
    this.#ownedForReads = ownedPartitions([reading], membership.self.id);
    const owned = ownedPartitions(live, membership.self.id);
    this.#owned = owned;
    this.rounds.breakWatches();
    for (let partition = 0; partition < owned.length; partition++) {
      if (owned[partition] === 0) this.completeness.release(partition);
      else this.#completeIfAlone(partition);
    }
    this.completeness.save();
    this.#reportSynced();
    this.#transfers.hurry();
    this.#antiEntropy.hurry();
  }

  /** A layout has retired: what was owned by it alone need not be held any more. */
  retired(): void {
    this.#surplus.hurry();
    this.hints.scan();
  }

  /** Partitions that are held and not owned: they go when those who own them have all of it. */
  surplusCount(): number {
    return this.#surplus.partitions().length;
  }

  /** Partitions that this node owns and is partial for. */
  partialCount(): number {
    const { membership } = this.#parts;
    const owned = ownedPartitions(membership.layouts.live, membership.self.id);
    let count = 0;
    for (let partition = 0; partition < owned.length; partition++) {
      if (owned[partition] === 1 && !this.completeness.isComplete(partition)) count++;
    }
    return count;
  }

  /** Whether this node owns a partition in the layout that reads use, and its "nothing" counts. */
  isCompletePrimary(partition: number): boolean {
    return this.#ownedForReads[partition] === 1 && this.completeness.isComplete(partition);
  }

  /** Whether what a partition lacks comes here now, in chunks or, as far as it was whole before, by hints. */
  #isUnderWay(partition: number): boolean {
    if (this.#transfers.isUnderWay(partition)) return true;
    const sinceMs = this.#parts.ports.clock.elapsedMs() - this.#hintCameMs;
    return sinceMs < HINTS_QUIET_MS && this.completeness.isComplete(partition);
  }

  /** Whether others may count on what is held here. */
  get isReplica(): boolean {
    return !this.#isStopped && this.#parts.membership.ready && !this.#parts.hasLostWrites();
  }

  /** Payloads of more bytes are large. */
  get streamBytesMin(): number {
    return this.#parts.streamBytesMin;
  }

  partitionOf(name: ObjectName): number {
    return partitionOf(name.position0, this.#parts.membership.layouts.current.partitionBits);
  }

  #labelsOf(name: ObjectName): WriteLabels {
    return { layout: this.layoutNumber, round: this.rounds.label(this.partitionOf(name)) };
  }

  /** A member has refused a state as of a closed round: this node has missed some; it asks which labels count. */
  learnRounds({ peer }: Member): void {
    const { clock } = this.#parts.ports;
    if (peer === null || clock.elapsedMs() - this.#roundsAskedMs < ROUNDS_ASKED_EVERY_MS) return;
    this.#roundsAskedMs = clock.elapsedMs();
    peer.call("rounds", null, ROUNDS_TIMEOUT_MS, (labels) => void this.rounds.adopt(labels));
  }

  /** The number of the newest layout: frames carry it. */
  get layoutNumber(): number {
    return this.#parts.membership.layouts.current.number;
  }

  /** The set as it goes in one REPLICATE; null where it is too large, or has a large payload. */
  inOneFrame(name: ObjectName, set: VersionSet, superseded: Uint8Array): WireSet | null {
    const given = onWire(set);
    if (given.payloads !== set.payloads) return null;
    const length = replicateLength(name.bytes, superseded, given);
    return length <= this.#parts.setBytesMax ? given : null;
  }

  /** Sends a set to a member; ends in one call. See delivery.ts. */
  deliver(
    member: Member,
    name: ObjectName,
    set: VersionSet,
    how: DeliveryManner,
    load: (done: (set: VersionSet | null) => void) => void,
    done: (delivered: Delivered) => void,
  ): void {
    const { membership, setBytesMax } = this.#parts;
    const layout = membership.layouts.current.number;
    const { purpose, durable, hintFor, superseded = NO_REQUESTS, moved = () => {} } = how;
    const timeoutMs = hasLarge(set) ? Math.max(how.timeoutMs, STALL_MS_MAX) : how.timeoutMs;
    const options = {
      member,
      name,
      set,
      purpose,
      durable,
      superseded,
      hintFor,
      layout,
      round: how.round ?? this.rounds.label(this.partitionOf(name)),
      timeoutMs,
      setBytesMax,
      load,
      pushes: this.pushes,
      moved,
    };
    new Delivery(options, (delivered) => {
      if (delivered.failure === "" && delivered.status === STATUS_CLOSED) this.learnRounds(member);
      done(delivered);
    }).start();
  }

  /**
   * Stores a finished state durably at every owner of its name, whoever made it: calls back with "", or
   * with one sentence where an owner does not have it. To be told again is harmless: it is a join.
   * @param superseded writes that the set's versions have superseded, to be told with it
   */
  storeAtOwners(
    name: ObjectName,
    set: VersionSet,
    superseded: Uint8Array,
    done: (detail: string) => void,
  ): void {
    storeAtOwners(this.#ownersRoom(), { name, set, superseded }, done);
  }

  /** Ids of the owners in some of the layouts that are not gone for good. */
  #liveOwners(layouts: readonly Layout[], partition: number): string[] {
    const ids = new Set(layouts.flatMap((layout) => ownersOf(layout, partition)));
    const { membership } = this.#parts;
    return [...ids].filter((id) => !isGone(membership.memberById(id)?.status ?? "member"));
  }

  /** Whether a state that was read in this round is not to be applied any more. */
  isOutdated(name: ObjectName, round: number): boolean {
    return this.rounds.isClosed(this.partitionOf(name), round);
  }

  /** What a stand-in holds of a name: hints for its owners, and what it has itself. */
  collectAsStandIn(name: ObjectName, done: (set: VersionSet | null) => void): void {
    const owners = this.#ownersOf(name);
    this.hints.collect(owners, name, (sets) => {
      this.objects.read(name, (outcome) => {
        if (outcome.status === "found") sets.push(outcome.set);
        done(sets.length === 0 ? null : sets.reduce(mergeWherePossible));
      });
    });
  }

  /**
   * Whether the write with the request id at bytes[id, id + 16) was seen to be superseded here, among the
   * objects or among the hints.
   */
  isSuperseded(name: ObjectName, bytes: Uint8Array, id: number, checksum: number): boolean {
    const elapsedMs = this.#parts.ports.clock.elapsedMs();
    const isKnown = ({ position0 }: ObjectName): boolean => {
      return this.superseded.has(bytes, id, checksum, position0, elapsedMs);
    };
    if (isKnown(name)) return true;
    return this.#ownersOf(name).some((owner) => isKnown(hintName(owner, name)));
  }

  #ownersOf(name: ObjectName): Uint8Array[] {
    const { layouts, self } = this.#parts.membership;
    const partition = this.partitionOf(name);
    const ids = new Set(layouts.live.flatMap((layout) => ownersOf(layout, partition)));
    ids.delete(self.id);
    const owners: Uint8Array[] = [];
    for (const id of ids) {
      const member = this.#parts.membership.memberById(id);
      if (member !== undefined) owners.push(member.idBytes);
    }
    return owners;
  }

  #completeIfAlone(partition: number): void {
    const { layouts, self } = this.#parts.membership;
    const others = this.#liveOwners(layouts.live, partition).filter((id) => id !== self.id);
    if (others.length === 0) this.completeness.completeAlone(partition);
  }

  /** Tells the cluster that this node holds all that it owns, once it does, and has shown what it gives up. */
  #reportSynced(): void {
    const { membership } = this.#parts;
    const partial = this.partialCount();
    membership.reportReplica(partial, this.#parts.actorText());
    const target = membership.layouts.syncTarget;
    if (target === 0 || partial > 0 || !this.#antiEntropy.isAllShown) return;
    membership.reportSynced(target);
  }

  #damaged(name: ObjectName, detail: string): void {
    this.counters.damagedReads++;
    const partition = this.partitionOf(name);
    this.#parts.ports.log.error("a record is damaged; it is restored from a replica", {
      partition,
      detail,
    });
  }

  /** A node that leaves may go when nobody can lack what it holds. */
  #surplusGone(): void {
    const { membership, hints } = this.#parts;
    if (!membership.ready || membership.self.status !== "leaving") return;
    const { live } = membership.layouts;
    const isNamed = live.some((layout) => layout.indexOf(membership.self.id) >= 0);
    if (!isNamed && hints.stats().objects === 0) membership.reportDrained();
  }

  #roomOwner(): RoomOwner {
    const isReplica = (): boolean => this.isReplica;
    const layoutNumber = (): number => this.layoutNumber;
    const hintCount = (): number => this.hints.count;
    return {
      rounds: this.rounds,
      get isReplica(): boolean {
        return isReplica();
      },
      get layoutNumber(): number {
        return layoutNumber();
      },
      get hintCount(): number {
        return hintCount();
      },
      partitionOf: (name) => this.partitionOf(name),
      deliver: (...delivery) => this.deliver(...delivery),
      storeAtOwners: (...storing) => this.storeAtOwners(...storing),
      fit: (set) => fitting(set, this.#parts.setBytesMax),
      isUnderWay: (partition) => this.#isUnderWay(partition),
      keepsHintsFor: (id) => this.hints.isKeptFor(id),
      onCompared: () => this.#reportSynced(),
      onCome: () => this.#antiEntropy.hurry(),
      onNoSurplus: () => this.#surplusGone(),
    };
  }

  #ownersRoom(): OwnersRoom {
    const { layouts, members } = this.#parts.membership;
    return {
      members,
      objects: this.objects,
      ownersOf: (name) => this.#liveOwners(layouts.live, this.partitionOf(name)),
      labelsOf: (name) => this.#labelsOf(name),
      deliver: (...delivery) => this.deliver(...delivery),
    };
  }

  #replicaHost(): ReplicaHost {
    const { membership, ports } = this.#parts;
    const isReady = (): boolean => this.isReplica;
    return {
      objects: this.objects,
      hints: this.hints,
      bodies: this.bodies,
      sliceBytes: this.#parts.sliceBytes,
      counters: this.counters,
      get isReady(): boolean {
        return isReady();
      },
      isRetired: (layout) => membership.layouts.isRetired(layout),
      memberById: (id) => membership.memberById(id),
      owns: (name) => this.#owned[this.partitionOf(name)] === 1,
      onHint: () => {
        this.#hintCameMs = ports.clock.elapsedMs();
      },
      onStray: () => this.rounds.breakWatches(),
      isCompletePrimary: (name) => this.isCompletePrimary(this.partitionOf(name)),
      isSuperseded: (...about) => this.isSuperseded(...about),
      collectAsStandIn: (name, done) => this.collectAsStandIn(name, done),
      fit: (set) => fitting(set, this.#parts.setBytesMax),
    };
  }

  #runsHost(): BucketRunsHost {
    const { membership, ports, objects } = this.#parts;
    return {
      clock: ports.clock,
      engine: objects,
      partitionBits: 31 - Math.clz32(this.#parts.partitions),
      refusal: (layout) => {
        if (!this.isReplica) return "this node is no member, is stopping, or has lost what it held";
        return membership.layouts.isRetired(layout) ? "the layout has been retired" : "";
      },
      isCompletePrimary: (partition) => this.isCompletePrimary(partition),
      served: () => this.counters.gets + this.counters.puts + this.counters.deletes,
      repair: (entry) => this.#scrub.repair(entry),
    };
  }
}
