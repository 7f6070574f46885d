/**
 * One comparison with one peer, from the roots to the last object: the side that asks.
 *
 *   roots     one message: the digests of all partitions that both own; the answer names those
 *             that differ, and leaves those for later that come in chunks just now (transfers.ts)
 *   nodes     in a partition that differs: down the hash tree (core/merkle-descent), sixteen
 *             children of each node that differs, as far as the smaller of both trees goes
 *   ranges    in a leaf that differs: a short one is listed; a long one, where one tree is small or
 *             names were crafted, is cut in sixteen and asked again
 *   objects   for each entry that differs: fetch and join theirs; send ours where it lacks of it
 *
 *        partition ░░░░░░░░░░░░░░░░      16 children, one differs
 *                       └─ ░░░░░░░░░░    16 children of it … and a listing of some 30 entries
 *
 * The work grows with the difference and not with what is held. All of it is joins, so it may run
 * at any moment beside writes, twice, from both sides, and be cut off anywhere.
 */

import { MERKLE_QUESTION_BYTES_MAX, MerkleDescent } from "../../core/merkle-descent.ts";
import { ObjectName, bucketTagOf, checkName } from "../../core/object-name.ts";
import {
  PURPOSE_ANTI_ENTROPY,
  STATUS_DONE,
  STATUS_INCOMPLETE,
  readSet,
} from "../../core/replica-frames.ts";
import type { VersionSet, WriteLabels } from "../../storage/engine.ts";
import type { Member } from "../membership/member.ts";
import type { ReplicationHost } from "./host.ts";
import type { LocalCopy } from "./local-copy.ts";
import {
  ENTRY_BYTES,
  LISTED_MAX,
  differences,
  listRange,
  rangeDigest,
  type Difference,
} from "./ranges.ts";

const MESSAGE_TIMEOUT_MS = 5_000;
const RANGE_CUTS = 16;
/** Objects on their way at once. */
const OBJECTS_IN_FLIGHT = 8;
/** What an object that differs costs, in the currency of the lane. */
const OBJECT_COST = 2_048;

interface Range {
  readonly from: number;
  readonly to: number;
}

/** The range that the descent hands out: first position word, last one. */
const found = new Uint32Array(2);

export class Comparison {
  readonly #host: ReplicationHost;
  readonly #copy: LocalCopy;
  readonly #peer: Member;
  readonly #counts: boolean;
  /** Of this bucket alone objects are made good; null: of all. */
  readonly #bucketTag: number | null;
  readonly #descent = new MerkleDescent();
  #isAbandoned = false;
  /** The partition at hand. */
  #partition = 0;
  /** Whether everything in it went well. */
  #isSound = true;
  /** Everything so far went well. */
  isWhole = true;
  /** Partitions that differed, and objects that were brought here or there. */
  differing = 0;
  repairs = 0;

  /**
   * @param counts whether what is compared now counts for completeness
   * @param bucketTag of the bucket whose objects are made good; null: all
   */
  constructor(
    host: ReplicationHost,
    copy: LocalCopy,
    peer: Member,
    counts: boolean,
    bucketTag: number | null = null,
  ) {
    this.#host = host;
    this.#copy = copy;
    this.#peer = peer;
    this.#counts = counts && bucketTag === null;
    this.#bucketTag = bucketTag;
  }

  /** Ends it early: what is not compared yet does not count as compared. */
  abandon(): void {
    this.#isAbandoned = true;
    this.#isSound = false;
    this.isWhole = false;
  }

  /** `compared` is called for each partition of which all went well, `done` at the end. */
  run(
    partitions: number[],
    compared: (partition: number, peerIsComplete: boolean) => void,
    done: () => void,
  ): void {
    const digests: number[] = [];
    const root = new Uint32Array(2);
    for (const partition of partitions) {
      this.#copy.engine.tree(partition).rootInto(root, 0);
      digests.push(root[0], root[1]);
    }
    this.#host.counters.comparisons++;
    this.#call("compare-roots", [partitions, digests], (answer) => {
      const lists = readRoots(answer);
      if (lists === null) {
        this.isWhole = false;
        return done();
      }
      const [differing, complete, underWay] = lists;
      const ended = (partition: number): void => {
        if (!this.#isSound) this.isWhole = false;
        if (this.#counts && this.#isSound) compared(partition, complete.has(partition));
      };
      for (const partition of partitions) {
        if (!differing.has(partition) && !underWay.has(partition)) ended(partition);
      }
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
    this.differing++;
    this.#partition = partition;
    this.#isSound = true;
    this.#descent.begin();
    this.#nodes(partition, () => {
      ended(partition);
      this.#partitions(left, ended, done);
    });
  }

  /** Goes on down the tree of a partition: what is found is made good before more is asked. */
  #nodes(partition: number, done: () => void): void {
    const tree = this.#copy.engine.tree(partition);
    const ranges: Range[] = [];
    while (this.#descent.nextRangeInto(tree, found, 0)) {
      ranges.push({ from: found[0], to: found[1] });
    }
    if (ranges.length > 0) return this.#ranges(ranges, () => this.#nodes(partition, done));
    const question = new Uint8Array(MERKLE_QUESTION_BYTES_MAX);
    const length = this.#descent.questionInto(question, 0);
    if (length === 0 || this.#isAbandoned) return done();
    return this.#call("compare-nodes", [partition, question.subarray(0, length)], (answer) => {
      if (answer instanceof Uint8Array && this.#descent.take(tree, answer, 0, answer.length)) {
        return this.#nodes(partition, done);
      }
      this.#isSound = false;
      return done();
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
      if (answer === "cut" && to > from) return this.#ranges(left.concat(cut(range)), done);
      if (!(answer instanceof Uint8Array) || answer.length % ENTRY_BYTES !== 0) {
        this.#isSound = false;
        return this.#ranges(left, done);
      }
      const listed = listRange(this.#copy.engine, from, to, here.count + LISTED_MAX);
      const found = differences(listed, answer).filter(({ entry }) => this.#isWanted(entry.tag));
      return this.#objects(found, () => this.#ranges(left, done));
    });
  }

  #isWanted(tag: number): boolean {
    return this.#bucketTag === null || bucketTagOf(tag) === this.#bucketTag;
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
          this.#host.background.after("anti-entropy", OBJECT_COST, pump);
        });
      }
      if (inFlight > 0 || isEnded || (left.length > 0 && !this.#isAbandoned)) return;
      isEnded = true;
      done();
    };
    pump();
  }

  #object(difference: Difference, done: (isSound: boolean) => void): void {
    this.repairs++;
    if (!difference.isThere) return this.#push(difference, done);
    const { position0, position1, tag, digest0, digest1 } = difference.entry;
    const labels = this.#host.labelsIn(this.#partition);
    return this.#call("fetch-entry", [position0, position1, tag, digest0, digest1], (answer) => {
      // Gone since it was listed: what replaced it will be seen by the next comparison.
      if (answer === null) return done(true);
      const fetched = readEntry(answer);
      if (fetched === null) return done(false);
      return this.#take(fetched.name, fetched.set, labels, done);
    });
  }

  /** Joins their set; where they lack something of ours, sends them the join. */
  #take(
    name: ObjectName,
    set: VersionSet,
    labels: WriteLabels,
    done: (isSound: boolean) => void,
  ): void {
    const change = this.#copy.join(name, set, labels);
    // Theirs does not fit a frame: they get ours, find that they are ahead, and send theirs.
    if (change.status === STATUS_INCOMPLETE) return this.#send(name, () => done(false));
    if (change.status !== STATUS_DONE) return done(false);
    if (change.isChanged) this.#host.counters.antiEntropyRepairs++;
    if (isSameHead(change.set.head, set.head)) return done(true);
    return this.#send(name, done);
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
    if (this.repairs === 0) return;
    const fields = { peer: this.#peer.name, objects: this.repairs };
    this.#host.log.info("replicas differed and were made equal", fields);
  }
}

function cut(range: Range): Range[] {
  const width = Math.max(1, Math.ceil((range.to - range.from + 1) / RANGE_CUTS));
  const parts: Range[] = [];
  for (let from = range.from; from <= range.to; from += width) {
    parts.push({ from, to: Math.min(range.to, from + width - 1) });
  }
  return parts;
}

function readRoots(answer: unknown): [Set<number>, Set<number>, Set<number>] | null {
  if (!Array.isArray(answer) || answer.length !== 3) return null;
  const [differing, complete, underWay] = answer as [unknown, unknown, unknown];
  if (!isWords(differing, -1) || !isWords(complete, -1) || !isWords(underWay, -1)) return null;
  return [new Set(differing), new Set(complete), new Set(underWay)];
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
export function isWords(value: unknown, length: number): value is number[] {
  if (!Array.isArray(value) || (length >= 0 && value.length !== length)) return false;
  return value.every((word) => Number.isInteger(word) && word >= 0 && word <= 0xffffffff);
}

function isSameHead(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  return left.every((byte, index) => byte === right[index]);
}
