/**
 * Anti-entropy: replicas find out where they differ and make it good, without any read by a client.
 *
 *   every 10 s, in the hours that were chosen ─► a healthy peer that owns something too ─► one comparison with it (comparison.ts)
 *   at once where an administrator wants it (repair.ts)
 *   every 0.2 s while this node is partial for something, with those that can complete it, or has
 *               something to show to new owners
 *
 * A comparison that ends well is also how a replica becomes complete (completeness.ts), and how one that
 * is to own a partition no more shows what it holds to those who will (relinquished.ts). A node
 * begins one at a time; peers answer any number, and answering changes nothing. Paper 4.7; digests
 * are from the index and its hash trees alone.
 */

import { MERKLE_ANSWER_BYTES_MAX, merkleAnswerInto } from "../../core/merkle-descent.ts";
import { setLength, type WireSet, writeSet } from "../../core/replica-frames.ts";
import type { VersionSet } from "../../storage/engine.ts";
import type { Layout } from "../membership/layout.ts";
import type { Member } from "../membership/member.ts";
import type { Timer } from "../ports/clock.ts";
import type { PeerIdentity, Peers } from "../wire/peers.ts";
import { Comparison, isWords } from "./comparison.ts";
import type { Completeness } from "./completeness.ts";
import type { ReplicationHost } from "./host.ts";
import type { LocalCopy } from "./local-copy.ts";
import { ownedPartitions, ownersOf } from "./ownership.ts";
import { LISTED_MAX, listRange, rangeDigest } from "./ranges.ts";
import { Relinquished } from "./relinquished.ts";
import { Repair, type RepairOrder, type RepairReport } from "./repair.ts";

/** Between comparisons that are waited for. */
const INTERVAL_URGENT_MS = 200;
const HOUR_MS = 3_600_000;

/** When replicas are compared while all is well. */
export interface AntiEntropyTimes {
  /** From the end of one comparison to the next. */
  readonly intervalMs: number;
  /** Hours of the day, UTC, from the first on and before the last, 0 to 24; equal ones: always. */
  readonly fromHour: number;
  readonly toHour: number;
}

/** Whether a moment lies in the hours when replicas are compared. @param nowMs since 1970 */
export function isInHours({ fromHour, toHour }: AntiEntropyTimes, nowMs: number): boolean {
  const hour = Math.floor(nowMs / HOUR_MS) % 24;
  if (fromHour === toHour) return true;
  return fromHour < toHour ? hour >= fromHour && hour < toHour : hour >= fromHour || hour < toHour;
}

export interface AntiEntropyHost extends ReplicationHost {
  readonly self: Member;
  /** All that are not gone for good. */
  readonly members: readonly Member[];
  /** All live layouts, oldest first. */
  readonly layouts: readonly Layout[];
  readonly times: AntiEntropyTimes;
  /** Whether comparisons count for completeness: all members have adopted the newest layout. */
  readonly countsForCompleteness: boolean;
  /** The set with as many bodies as fit a frame. */
  fit(set: VersionSet): WireSet;
  /** Whether what a partition lacks comes in chunks, or by hints, now: then it is not compared. */
  isUnderWay(partition: number): boolean;
  /** Whether hints are kept here for a member, which will bring it what it lacks. */
  keepsHintsFor(id: string): boolean;
  /** Something that was partial may be complete now. */
  onCompared(): void;
}

export class AntiEntropy {
  readonly #host: AntiEntropyHost;
  readonly #copy: LocalCopy;
  readonly #completeness: Completeness;
  readonly #relinquished = new Relinquished();
  readonly #repair = new Repair();
  #timer: Timer | null = null;
  #comparison: Comparison | null = null;
  #turn = 0;
  #isStopped = false;

  constructor(
    host: AntiEntropyHost,
    peers: Peers,
    copy: LocalCopy,
    completeness: Completeness,
  ) {
    this.#host = host;
    this.#copy = copy;
    this.#completeness = completeness;
    peers.onMessage("compare-roots", (body, from, reply, refuse) => {
      const answer = this.#serves(from) ? this.#answerRoots(body, from.nodeId ?? "") : null;
      if (answer === null) refuse("compare-roots wants a list of partitions and one of digests");
      else reply(answer);
    });
    peers.onMessage("compare-nodes", (body, from, reply, refuse) => {
      const answer = this.#serves(from) ? this.#answerNodes(body) : null;
      if (answer === null) refuse("compare-nodes wants a partition and the bytes of a question");
      else reply(answer);
    });
    peers.onMessage("compare-range", (body, from, reply, refuse) => {
      const answer = this.#serves(from) ? this.#answerRange(body) : null;
      if (answer === null) refuse("compare-range wants from, to, two digest words and a count");
      else reply(answer);
    });
    peers.onMessage("repair", (body, from, reply, refuse) => {
      const order = this.#serves(from) ? readOrder(body) : null;
      if (order === null) refuse("repair wants a partition or null, and a bucket's tag or null");
      else reply(this.repair(order));
    });
    peers.onMessage("repair-status", (_body, from, reply, refuse) => {
      if (this.#serves(from)) reply(this.#repair.report);
      else refuse("members alone are answered");
    });
    peers.onMessage("fetch-entry", (body, from, reply, refuse) => {
      if (!this.#serves(from) || !isWords(body, 5)) refuse("fetch-entry wants five words");
      else this.#answerEntry(body, reply, refuse);
    });
  }

  /** Members alone compare; a client has other ways to read, which are checked. */
  #serves(from: PeerIdentity): boolean {
    return !this.#isStopped && from.role === "peer";
  }

  start(): void {
    this.#schedule(0);
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#comparison?.abandon();
  }

  /** Begins a repair, unless one is under way, which is told of then. */
  repair(order: RepairOrder): RepairReport {
    const peers = this.#host.members.filter((member) => {
      if (member.isSelf) return false;
      const shared = this.#shared(member);
      return order.partition === null ? shared.length > 0 : shared.includes(order.partition);
    });
    if (this.#repair.begin(order, peers)) this.hurry();
    return this.#repair.report;
  }

  get repairReport(): RepairReport {
    return this.#repair.report;
  }

  /** Whether all that is to be owned no more has been shown to those who own it from now on. */
  get isAllShown(): boolean {
    return this.#toBeShown().size === 0;
  }

  #toBeShown(): Set<string> {
    const { layouts, self, members } = this.#host;
    const ids = this.#relinquished.pending(layouts, self.id);
    for (const id of ids) if (!members.some((member) => member.id === id)) ids.delete(id);
    return ids;
  }

  /** A peer came back: what it missed comes by hints, and is compared after that, but where that is urgent. */
  recovered(): void {
    if (this.#isUrgent()) this.hurry();
  }

  /** Begins a comparison soon: something became partial, or has come. */
  hurry(): void {
    if (this.#comparison !== null || this.#isStopped) return;
    this.#timer?.cancel();
    this.#timer = null;
    this.#schedule(0);
  }

  #schedule(delayMs: number): void {
    if (this.#isStopped || this.#timer !== null) return;
    this.#timer = this.#host.clock.after(delayMs, () => {
      this.#timer = this.#host.background.after("anti-entropy", 0, () => {
        this.#timer = null;
        this.#begin();
      });
    });
  }

  #begin(): void {
    const wanted = this.#repair.next();
    if (wanted !== null) return this.#repairWith(wanted.peer, wanted.order);
    const isTime = this.#isUrgent() || isInHours(this.#host.times, this.#host.clock.nowMs());
    const peers = isTime ? this.#candidates() : [];
    if (peers.length === 0) return this.#schedule(this.#intervalMs());
    const peer = peers[this.#turn++ % peers.length];
    return this.#compare(peer, this.#shared(peer), null, () => {});
  }

  #repairWith(peer: Member, { partition, bucketTag }: RepairOrder): void {
    const shared = this.#shared(peer);
    const partitions = partition === null ? shared : shared.filter((one) => one === partition);
    this.#compare(peer, partitions, bucketTag, (comparison) => {
      const { isWhole, differing, repairs } = comparison;
      this.#repair.ended({ isWhole, differing, repaired: repairs });
    });
  }

  #compare(
    peer: Member,
    partitions: number[],
    bucketTag: number | null,
    ended: (comparison: Comparison) => void,
  ): void {
    const counts = this.#host.countsForCompleteness;
    const { number } = this.#newest;
    const comparison = new Comparison(this.#host, this.#copy, peer, counts, bucketTag);
    this.#comparison = comparison;
    comparison.run(partitions, (partition, peerIsComplete) => {
      this.#compared(partition, peer, peerIsComplete);
      this.#relinquished.compared(number, partition, peer.id);
    }, () => {
      this.#comparison = null;
      this.#completeness.save();
      this.#host.onCompared();
      ended(comparison);
      this.#schedule(this.#repair.next() === null ? this.#intervalMs() : 0);
    });
  }

  /** Healthy members that own something with this node; first those that can complete it, or are to be shown something. */
  #candidates(): Member[] {
    const healthy = this.#host.members.filter((member) => {
      if (member.isSelf || !member.healthy || this.#host.keepsHintsFor(member.id)) return false;
      return this.#shared(member).length > 0;
    });
    if (!this.#isUrgent()) return healthy;
    const shown = this.#toBeShown();
    const useful = healthy.filter((member) =>
      shown.has(member.id) ||
      this.#shared(member).some((partition) => !this.#completeness.isComplete(partition))
    );
    return useful.length > 0 ? useful : healthy;
  }

  /** Partitions that both nodes own, each in some live layout, and that do not come here right now. */
  #shared(peer: Member): number[] {
    const own = ownedPartitions(this.#host.layouts, this.#host.self.id);
    const theirs = ownedPartitions(this.#host.layouts, peer.id);
    const shared: number[] = [];
    for (let partition = 0; partition < own.length; partition++) {
      const isBoths = own[partition] === 1 && theirs[partition] === 1;
      if (isBoths && !this.#host.isUnderWay(partition)) shared.push(partition);
    }
    return shared;
  }

  #isPartial(): boolean {
    const own = ownedPartitions(this.#host.layouts, this.#host.self.id);
    return own.some((owned, partition) => owned === 1 && !this.#completeness.isComplete(partition));
  }

  get #newest(): Layout {
    return this.#host.layouts[this.#host.layouts.length - 1];
  }

  #isUrgent(): boolean {
    return this.#isPartial() || !this.isAllShown;
  }

  #intervalMs(): number {
    return this.#isUrgent() ? INTERVAL_URGENT_MS : this.#host.times.intervalMs;
  }

  #compared(partition: number, peer: Member, peerIsComplete: boolean): void {
    // Owners by every live layout: those by the newest alone may all be as new as this node.
    const owners = new Set(this.#host.layouts.flatMap((layout) => ownersOf(layout, partition)));
    owners.delete(this.#host.self.id);
    for (const id of owners) if (!this.#host.members.some((one) => one.id === id)) owners.delete(id);
    this.#completeness.compared(partition, peer.id, peerIsComplete, [...owners]);
  }

  /** [partitions that differ, those that are complete here, those that cannot be compared now] */
  #answerRoots(body: unknown, asker: string): unknown {
    if (!Array.isArray(body) || body.length !== 2) return null;
    const [partitions, digests] = body as [unknown, unknown];
    if (!isWords(partitions, -1) || !isWords(digests, 2 * partitions.length)) return null;
    const differing: number[] = [];
    const complete: number[] = [];
    const underWay: number[] = [];
    const root = new Uint32Array(2);
    const keepsHints = this.#host.keepsHintsFor(asker);
    const count = this.#host.layouts[0].partitions;
    for (let index = 0; index < partitions.length; index++) {
      if (partitions[index] >= count) return null;
      this.#copy.engine.tree(partitions[index]).rootInto(root, 0);
      const same = root[0] === digests[2 * index] && root[1] === digests[2 * index + 1];
      if (keepsHints || this.#host.isUnderWay(partitions[index])) underWay.push(partitions[index]);
      else if (!same) differing.push(partitions[index]);
      if (this.#completeness.isComplete(partitions[index])) complete.push(partitions[index]);
    }
    return [differing, complete, underWay];
  }

  /** The children of nodes of a partition's tree, as core/merkle-descent has it. */
  #answerNodes(body: unknown): Uint8Array | null {
    if (!Array.isArray(body) || body.length !== 2) return null;
    const [partition, question] = body as [unknown, unknown];
    if (!isWords([partition], 1) || !(question instanceof Uint8Array)) return null;
    const number = Number(partition);
    if (number >= this.#host.layouts[0].partitions) return null;
    const tree = this.#copy.engine.tree(number);
    const answer = new Uint8Array(MERKLE_ANSWER_BYTES_MAX);
    const length = merkleAnswerInto(tree, question, 0, question.length, answer, 0);
    return length < 0 ? null : answer.subarray(0, length);
  }

  /** "equal", "cut" or the listing. */
  #answerRange(body: unknown): unknown {
    if (!isWords(body, 5)) return null;
    const [from, to, digest0, digest1, count] = body;
    const here = rangeDigest(this.#copy.engine, from, to);
    if (here.digest0 === digest0 && here.digest1 === digest1) return "equal";
    if ((here.count > LISTED_MAX || count > LISTED_MAX) && to > from) return "cut";
    return listRange(this.#copy.engine, from, to, here.count);
  }

  /** [name, set], or nothing where it is no longer there; refused where it cannot be read. */
  #answerEntry(
    body: number[],
    reply: (value: unknown) => void,
    refuse: (sentence: string) => void,
  ): void {
    const [position0, position1, tag, digest0, digest1] = body;
    const entry = { position0, position1, tag, digest0, digest1 };
    this.#copy.engine.readEntry(entry, (name, outcome) => {
      if (name === null || outcome.status === "absent") return reply(null);
      if (outcome.status !== "found") return refuse(`the object cannot be read: ${outcome.detail}`);
      const set = this.#host.fit(outcome.set);
      const bytes = new Uint8Array(setLength(set));
      writeSet(set, bytes, 0);
      return reply([name.bytes.slice(), bytes]);
    });
  }
}

/** An order as it travels; null where it is none. */
function readOrder(body: unknown): RepairOrder | null {
  if (!Array.isArray(body) || body.length !== 2) return null;
  const [partition, bucketTag] = body as [unknown, unknown];
  const isWordOrNull = (value: unknown): value is number | null => value === null || isWords([value], 1);
  return isWordOrNull(partition) && isWordOrNull(bucketTag) ? { partition, bucketTag } : null;
}
