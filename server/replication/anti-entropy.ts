/**
 * Anti-entropy: replicas find out where they differ and make it good, without any read by a client.
 *
 *   roots     one message: the digests of all partitions that both own; the answer names those that differ
 *   ranges    in a partition that differs: the digest of a range; equal ends it, a short range is
 *             listed, a long one is cut in sixteen and asked again
 *   objects   for each entry that differs: fetch theirs and join it; send ours where theirs lacks of it
 *
 *        partition ░░░░░░░░░░░░░░░░      16 ranges, one differs
 *                       └─ ░░░░░░░░░░    16 ranges of it … until a listing is short
 *
 * The work grows with the difference and not with what is held. All of it is joins, so it may run at any
 * moment beside writes, twice, from both sides, and be cut off anywhere.
 *
 * A comparison that ends well is also how a replica becomes complete (completeness.ts). One session at a
 * time is begun by a node; peers answer any number. Paper 4.7; digests come from the index alone.
 */

import { ObjectName, checkName } from "../../core/object-name.ts";
import {
  PURPOSE_ANTI_ENTROPY,
  STATUS_DONE,
  STATUS_INCOMPLETE,
  readSet,
  setLength,
  writeSet,
} from "../../core/replica-frames.ts";
import type { VersionSet } from "../../storage/engine.ts";
import type { Layout } from "../membership/layout.ts";
import type { Member } from "../membership/member.ts";
import type { Timer } from "../ports/clock.ts";
import type { PeerIdentity, Peers } from "../wire/peers.ts";
import type { Completeness } from "./completeness.ts";
import type { ReplicationHost } from "./host.ts";
import type { LocalCopy } from "./local-copy.ts";
import { ENTRY_BYTES, differences, listRange, rangeDigest, type Difference } from "./ranges.ts";

/** Between sessions while all is well, and while this node is partial for something. */
const INTERVAL_MS = 10_000;
const INTERVAL_PARTIAL_MS = 200;
const MESSAGE_TIMEOUT_MS = 5_000;
/** A range with at most this many entries on both sides is listed. */
const LISTED_MAX = 256;
const RANGE_CUTS = 16;
/** Objects on their way at once in a session. */
const OBJECTS_IN_FLIGHT = 8;

export interface AntiEntropyHost extends ReplicationHost {
  readonly self: Member;
  readonly members: readonly Member[];
  /** All live layouts, oldest first. */
  readonly layouts: readonly Layout[];
  /** Whether what is compared now counts for completeness: all members have adopted the newest layout. */
  readonly countsForCompleteness: boolean;
  /** The set with as many bodies as fit a frame. */
  fit(set: VersionSet): VersionSet;
  /** Something that was partial may be complete now. */
  onCompared(): void;
}

interface Range {
  readonly from: number;
  readonly to: number;
}

export class AntiEntropy {
  readonly #host: AntiEntropyHost;
  readonly #copy: LocalCopy;
  readonly #completeness: Completeness;
  #timer: Timer | null = null;
  #session: Session | null = null;
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
      const answer = this.#serves(from) ? this.#answerRoots(body) : null;
      if (answer === null) refuse("compare-roots wants a list of partitions and one of digests");
      else reply(answer);
    });
    peers.onMessage("compare-range", (body, from, reply, refuse) => {
      const answer = this.#serves(from) ? this.#answerRange(body) : null;
      if (answer === null) refuse("compare-range wants from, to, two digest words and a count");
      else reply(answer);
    });
    peers.onMessage("fetch-entry", (body, from, reply, refuse) => {
      if (!this.#serves(from) || !isWords(body, 3)) refuse("fetch-entry wants three words");
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
    this.#session?.abandon();
  }

  /** Begins a session soon: something became partial, or a peer came back. */
  hurry(): void {
    if (this.#session !== null || this.#isStopped) return;
    this.#timer?.cancel();
    this.#timer = null;
    this.#schedule(0);
  }

  #schedule(delayMs: number): void {
    if (this.#isStopped || this.#timer !== null) return;
    this.#timer = this.#host.clock.after(delayMs, () => {
      this.#timer = null;
      this.#begin();
    });
  }

  #begin(): void {
    const peers = this.#candidates();
    if (peers.length === 0) return this.#schedule(this.#intervalMs());
    const peer = peers[this.#turn++ % peers.length];
    const partitions = this.#shared(peer);
    this.#session = new Session(this.#host, this.#copy, peer, this.#host.countsForCompleteness);
    this.#session.run(partitions, (partition, peerIsComplete) => {
      this.#compared(partition, peer, peerIsComplete);
    }, () => {
      this.#session = null;
      this.#completeness.save();
      this.#host.onCompared();
      this.#schedule(this.#intervalMs());
    });
  }

  /** Healthy members that own something together with this node; first those that can complete it. */
  #candidates(): Member[] {
    const healthy = this.#host.members.filter(
      (member) => !member.isSelf && member.healthy && this.#shared(member).length > 0,
    );
    if (!this.#isPartial()) return healthy;
    const useful = healthy.filter((member) =>
      this.#shared(member).some((partition) => !this.#completeness.isComplete(partition)),
    );
    return useful.length > 0 ? useful : healthy;
  }

  /** Partitions that both nodes own, each in some live layout. */
  #shared(peer: Member): number[] {
    const own = ownedPartitions(this.#host.layouts, this.#host.self.id);
    const theirs = ownedPartitions(this.#host.layouts, peer.id);
    const shared: number[] = [];
    for (let partition = 0; partition < own.length; partition++) {
      if (own[partition] === 1 && theirs[partition] === 1) shared.push(partition);
    }
    return shared;
  }

  #isPartial(): boolean {
    const own = ownedPartitions(this.#host.layouts, this.#host.self.id);
    return own.some((owned, partition) => owned === 1 && !this.#completeness.isComplete(partition));
  }

  #intervalMs(): number {
    return this.#isPartial() ? INTERVAL_PARTIAL_MS : INTERVAL_MS;
  }

  #compared(partition: number, peer: Member, peerIsComplete: boolean): void {
    // Owners by every live layout: those by the newest alone may all be as new as this node.
    const owners = new Set(this.#host.layouts.flatMap((layout) => ownersOf(layout, partition)));
    owners.delete(this.#host.self.id);
    this.#completeness.compared(partition, peer.id, peerIsComplete, [...owners]);
  }

  /** [partitions that differ, partitions asked for that are complete here] */
  #answerRoots(body: unknown): unknown {
    if (!Array.isArray(body) || body.length !== 2) return null;
    const [partitions, digests] = body as [unknown, unknown];
    if (!isWords(partitions, -1) || !isWords(digests, 2 * partitions.length)) return null;
    const differing: number[] = [];
    const complete: number[] = [];
    const root = new Uint32Array(2);
    const count = this.#host.layouts[0].partitions;
    for (let index = 0; index < partitions.length; index++) {
      if (partitions[index] >= count) return null;
      this.#copy.engine.partitionDigestInto(partitions[index], root, 0);
      const same = root[0] === digests[2 * index] && root[1] === digests[2 * index + 1];
      if (!same) differing.push(partitions[index]);
      if (this.#completeness.isComplete(partitions[index])) complete.push(partitions[index]);
    }
    return [differing, complete];
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
    const entry = { position0: body[0], position1: body[1], tag: body[2] };
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

/** One comparison with one peer, from the roots to the last object. */
class Session {
  readonly #host: AntiEntropyHost;
  readonly #copy: LocalCopy;
  readonly #peer: Member;
  readonly #counts: boolean;
  #isAbandoned = false;
  /** Whether everything in the partition at hand went well. */
  #isSound = true;
  #repairs = 0;

  constructor(host: AntiEntropyHost, copy: LocalCopy, peer: Member, counts: boolean) {
    this.#host = host;
    this.#copy = copy;
    this.#peer = peer;
    this.#counts = counts;
  }

  /** Ends it early: what is not compared yet does not count as compared. */
  abandon(): void {
    this.#isAbandoned = true;
    this.#isSound = false;
  }

  run(
    partitions: number[],
    compared: (partition: number, peerIsComplete: boolean) => void,
    done: () => void,
  ): void {
    const digests: number[] = [];
    const root = new Uint32Array(2);
    for (const partition of partitions) {
      this.#copy.engine.partitionDigestInto(partition, root, 0);
      digests.push(root[0], root[1]);
    }
    this.#host.counters.comparisons++;
    this.#call("compare-roots", [partitions, digests], (answer) => {
      const lists = readRoots(answer);
      if (lists === null) return done();
      const [differing, complete] = lists;
      const ended = (partition: number): void => {
        if (this.#counts && this.#isSound) compared(partition, complete.has(partition));
      };
      for (const partition of partitions) if (!differing.has(partition)) ended(partition);
      return this.#partitions([...differing], ended, done);
    });
  }

  #partitions(left: number[], ended: (partition: number) => void, done: () => void): void {
    const partition = left.shift();
    if (partition === undefined || this.#isAbandoned) {
      this.#tell();
      return done();
    }
    this.#host.counters.comparisonsDiffering++;
    this.#isSound = true;
    const width = 2 ** 32 / this.#host.layouts[0].partitions;
    const whole = { from: partition * width, to: (partition + 1) * width - 1 };
    this.#ranges([whole], () => {
      ended(partition);
      this.#partitions(left, ended, done);
    });
  }

  #ranges(left: Range[], done: () => void): void {
    const range = left.pop();
    if (range === undefined || this.#isAbandoned) return done();
    const { from, to } = range;
    const here = rangeDigest(this.#copy.engine, from, to);
    const question = [from, to, here.digest0, here.digest1, here.count];
    this.#call("compare-range", question, (answer) => {
      if (answer === "equal") return this.#ranges(left, done);
      if (answer === "cut" && to > from) return this.#ranges([...left, ...cut(range)], done);
      if (!(answer instanceof Uint8Array) || answer.length % ENTRY_BYTES !== 0) {
        this.#isSound = false;
        return this.#ranges(left, done);
      }
      const listed = listRange(this.#copy.engine, from, to, here.count + LISTED_MAX);
      return this.#objects(differences(listed, answer), () => this.#ranges(left, done));
    });
  }

  #objects(left: Difference[], done: () => void): void {
    let inFlight = 0;
    let isEnded = false;
    const pump = (): void => {
      while (inFlight < OBJECTS_IN_FLIGHT && left.length > 0 && !this.#isAbandoned) {
        const difference = left.pop();
        if (difference === undefined) break;
        inFlight++;
        this.#object(difference, (isSound) => {
          inFlight--;
          if (!isSound) this.#isSound = false;
          this.#host.clock.soon(pump);
        });
      }
      if (inFlight > 0 || isEnded || (left.length > 0 && !this.#isAbandoned)) return;
      isEnded = true;
      done();
    };
    pump();
  }

  #object(difference: Difference, done: (isSound: boolean) => void): void {
    this.#repairs++;
    if (!difference.isThere) return this.#push(difference, done);
    const { position0, position1, tag } = difference.entry;
    return this.#call("fetch-entry", [position0, position1, tag], (answer) => {
      // Gone since it was listed: what replaced it will be seen by the next comparison.
      if (answer === null) return done(true);
      const fetched = readEntry(answer);
      if (fetched === null) return done(false);
      return this.#take(fetched.name, fetched.set, done);
    });
  }

  /** Joins their set; where they lack something of ours, sends them the join. */
  #take(name: ObjectName, set: VersionSet, done: (isSound: boolean) => void): void {
    const labels = { layout: this.#host.layoutNumber(), round: 0 };
    this.#copy.join(name, set, labels, (change) => {
      // Theirs does not fit a frame: they get ours, and will find that they are ahead and send theirs.
      if (change.status === STATUS_INCOMPLETE) return this.#send(name, () => done(false));
      if (change.status !== STATUS_DONE) return done(false);
      if (change.isChanged) this.#host.counters.antiEntropyRepairs++;
      if (isSameHead(change.set.head, set.head)) return done(true);
      return this.#send(name, done);
    });
  }

  /** Sends an entry of ours that they do not have. */
  #push(difference: Difference, done: (isSound: boolean) => void): void {
    this.#copy.engine.readEntry(difference.entry, (name, outcome) => {
      if (name === null || outcome.status === "absent") done(true);
      else if (outcome.status !== "found") done(false);
      else this.#deliver(name, outcome.set, done);
    });
  }

  #send(name: ObjectName, done: (isSound: boolean) => void): void {
    this.#copy.read(name, (outcome) => {
      if (outcome.status === "found") this.#deliver(name, outcome.set, done);
      else done(outcome.status === "absent");
    });
  }

  #deliver(name: ObjectName, set: VersionSet, done: (isSound: boolean) => void): void {
    const load = (give: (whole: VersionSet | null) => void): void => give(set);
    this.#host.deliverDurably(
      this.#peer,
      name,
      set,
      PURPOSE_ANTI_ENTROPY,
      MESSAGE_TIMEOUT_MS,
      load,
      (status) => {
        if (status === STATUS_DONE) this.#host.counters.antiEntropyRepairs++;
        done(status === STATUS_DONE);
      },
    );
  }

  /** Calls the peer; any failure ends as `undefined`, which no answer is. */
  #call(type: string, body: unknown, use: (answer: unknown) => void): void {
    const peer = this.#peer.peer;
    if (peer === null) return use(undefined);
    return peer.call(type, body, MESSAGE_TIMEOUT_MS, (answer, error) => {
      use(error === "" ? answer : undefined);
    });
  }

  #tell(): void {
    if (this.#repairs === 0) return;
    const fields = { peer: this.#peer.name, objects: this.#repairs };
    this.#host.log.info("replicas differed and were made equal", fields);
  }
}

/** Which partitions a node owns in any of the layouts: a byte each. */
export function ownedPartitions(layouts: readonly Layout[], id: string): Uint8Array {
  const owned = new Uint8Array(layouts[0].partitions);
  for (const layout of layouts) {
    const index = layout.indexOf(id);
    if (index < 0) continue;
    for (let slot = 0; slot < layout.owners.length; slot++) {
      if (layout.owners[slot] !== index) continue;
      owned[Math.floor(slot / layout.ownersPerPartition)] = 1;
    }
  }
  return owned;
}

/** Ids of the owners of a partition. */
export function ownersOf(layout: Layout, partition: number): string[] {
  const start = partition * layout.ownersPerPartition;
  const owners: string[] = [];
  for (let rank = 0; rank < layout.ownersPerPartition; rank++) {
    owners.push(layout.nodes[layout.owners[start + rank]].id);
  }
  return owners;
}

function cut(range: Range): Range[] {
  const width = Math.max(1, Math.ceil((range.to - range.from + 1) / RANGE_CUTS));
  const parts: Range[] = [];
  for (let from = range.from; from <= range.to; from += width) {
    parts.push({ from, to: Math.min(range.to, from + width - 1) });
  }
  return parts;
}

function readRoots(answer: unknown): [Set<number>, Set<number>] | null {
  if (!Array.isArray(answer) || answer.length !== 2) return null;
  const [differing, complete] = answer as [unknown, unknown];
  if (!isWords(differing, -1) || !isWords(complete, -1)) return null;
  return [new Set(differing), new Set(complete)];
}

function readEntry(answer: unknown): { name: ObjectName; set: VersionSet } | null {
  if (!Array.isArray(answer) || answer.length !== 2) return null;
  const [name, bytes] = answer as [unknown, unknown];
  if (!(name instanceof Uint8Array) || !(bytes instanceof Uint8Array)) return null;
  if (checkName(name) !== "") return null;
  const set = readSet(bytes, 0, bytes.length);
  return set === null ? null : { name: new ObjectName(name.slice()), set };
}

/** Whether a value is a list of unsigned 32-bit words; `length` -1: any. */
function isWords(value: unknown, length: number): value is number[] {
  if (!Array.isArray(value) || (length >= 0 && value.length !== length)) return false;
  return value.every((word) => Number.isInteger(word) && word >= 0 && word <= 0xffffffff);
}

function isSameHead(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  return left.every((byte, index) => byte === right[index]);
}
