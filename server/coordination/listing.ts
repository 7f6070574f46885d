/**
 * One page of a bucket's keys, as a state machine: round after round around the ring, until the page is
 * full, the ring is done, or it has taken enough.
 *
 *   place ─► the next partitions, and R complete owners of each ─► ask them all for a run (bucket-runs.ts)
 *     ▲                                                                │ all answered, or failed
 *     │                                  merge up to where every run is whole (listing-merge.ts)
 *     │                                                                │ sets that differ: fetch heads
 *     └───────────── go on behind what is covered ◄── keys that have a live value
 *
 * ***A key that is there throughout is in exactly one page.*** A round covers a piece of the ring only
 * where R *complete* owners have answered for it, whole; what an owner says is missing counts then, as
 * with a 404. The places of names never change, so neither writes, nor restarts, nor other layouts move
 * a key to where the listing has been. What a stand-in keeps is listed when its owner has it.
 *
 * A partition for which too few owners answer ends the page before it; it is an error only where the page
 * would begin with it. Paper 4.5 for the quorum; no paper for the rest.
 */

import { type BucketRun, decodeRun, isCompleteIn } from "../../core/bucket-run.ts";
import {
  LIST_HEADS_MAX,
  LIST_ROUNDS_MAX,
  RUN_ENTRIES_MAX,
  RUN_TIMEOUT_MS,
} from "../../core/limits.ts";
import { partitionOf } from "../../core/ring.ts";
import {
  comparePlaces,
  lastPlaceOf,
  PLACE_BYTES,
  type RingPlace,
  writePlace,
} from "../../core/ring-place.ts";
import type { Member } from "../membership/member.ts";
import {
  LIST_BUCKET,
  questionBody,
  type RunDone,
  type RunQuestion,
} from "../replication/bucket-runs.ts";
import type { TimerHandle, TimerTarget } from "../wire/timer-wheel.ts";
import { type ListedName, type MemberRun, mergeRuns, verdictOf } from "./listing-merge.ts";
import { HeadFetch } from "./listing-heads.ts";
import { dateMs, type CoordinatorParts } from "./parts.ts";
import { planRead } from "./plan.ts";

/** Partitions that one round asks about: doubled while they hold little, halved where they hold much. */
const WINDOW_MAX = 256;
const FEW_ENTRIES = 128;
const RING_END = 0xffffffff;

export interface ListingWork {
  readonly bucket: Uint8Array;
  readonly prefix: Uint8Array;
  readonly after: RingPlace | null;
  readonly keysMax: number;
  /** Bytes of keys from which on the page ends. */
  readonly bytesMax: number;
  /** Owners that have to answer, in each partition. */
  readonly r: number;
  readonly copies: number;
  readonly timeoutMs: number;
}

/** Why a page could not even begin. */
export type ListingFailure = "partial" | "silent" | "unreachable";

export interface ListedPage {
  readonly keys: readonly Uint8Array[];
  /** Behind which place the next page begins; null: the listing is done. */
  readonly next: RingPlace | null;
  /** Null where the page is one. */
  readonly failure: ListingFailure | null;
}

/** What a round asks about: partitions first, first + 1, …, and who is asked for each. */
interface Window {
  readonly first: number;
  readonly owners: readonly (readonly Member[])[];
}

export class Listing implements TimerTarget {
  readonly #parts: CoordinatorParts;
  readonly #work: ListingWork;
  readonly #done: (page: ListedPage) => void;
  readonly #keys: Uint8Array[] = [];
  /** Who does not answer ("id"), and who is partial for what ("id partition"). */
  readonly #unfit = new Set<string>();
  readonly #partitionBits: number;
  #after: RingPlace | null;
  #keyBytes = 0;
  #rounds = 0;
  #windowSize = 1;
  #deadline: TimerHandle = 0;
  #deadlineMs = 0;
  #failure: ListingFailure = "unreachable";
  #isEnded = false;

  constructor(parts: CoordinatorParts, work: ListingWork, done: (page: ListedPage) => void) {
    this.#parts = parts;
    this.#work = work;
    this.#done = done;
    this.#after = work.after;
    this.#partitionBits = parts.membership.layouts.current.partitionBits;
  }

  start(): void {
    const { wheel, ports } = this.#parts;
    const { timeoutMs } = this.#work;
    this.#deadlineMs = ports.clock.elapsedMs() + timeoutMs;
    this.#deadline = wheel.schedule(timeoutMs, this, 0);
    this.#round();
  }

  expired(): void {
    this.#failure = "silent";
    this.#fail();
  }

  // A round: choose, ask, merge.

  #round(): void {
    if (this.#isEnded) return;
    if (this.#after !== null && comparePlaces(this.#after, lastPlaceOf(RING_END)) >= 0) {
      return this.#end({ keys: this.#keys, next: null, failure: null });
    }
    if (this.#isEnough()) return this.#end({ keys: this.#keys, next: this.#after, failure: null });
    this.#rounds++;
    const window = this.#choose();
    if (window.owners.length === 0) return this.#fail();
    const to = this.#lastWord(window.first + window.owners.length - 1);
    const { bucket, prefix, keysMax } = this.#work;
    // More than the page has room for would be read once more for the next one.
    const entriesMax = Math.min(RUN_ENTRIES_MAX, keysMax - this.#keys.length);
    const question = { bucket, prefix, after: this.#after, from: this.#fromWord(), to, entriesMax };
    return this.#ask(window, question);
  }

  /** Whether the page is full, or has taken so long that what there is should be answered. */
  #isEnough(): boolean {
    if (this.#keys.length >= this.#work.keysMax || this.#keyBytes >= this.#work.bytesMax) return true;
    if (this.#after === this.#work.after) return false;
    return this.#rounds >= LIST_ROUNDS_MAX || this.#leftMs() < this.#work.timeoutMs / 2;
  }

  /** The partitions from the place on that have R healthy owners that may be fit, up to the window's size. */
  #choose(): Window {
    const { membership } = this.#parts;
    const { copies, r } = this.#work;
    const first = partitionOf(this.#fromWord(), this.#partitionBits);
    const count = Math.min(this.#windowSize, 2 ** this.#partitionBits - first);
    const owners: Member[][] = [];
    const chosen = new Set<Member>([membership.self]);
    for (let partition = first; partition < first + count; partition++) {
      const fit = planRead(membership, partition, copies).targets
        .filter(({ member, hintFor }) => hintFor === null && this.#isFit(member, partition))
        .map(({ member }) => member);
      if (fit.length < r) break;
      // Who is asked already can say more in the same answer.
      fit.sort((left, right) => Number(chosen.has(right)) - Number(chosen.has(left)));
      const some = fit.slice(0, r);
      for (const member of some) chosen.add(member);
      owners.push(some);
    }
    return { first, owners };
  }

  #isFit({ id }: Member, partition: number): boolean {
    return !this.#unfit.has(id) && !this.#unfit.has(`${id} ${partition}`);
  }

  #ask(window: Window, question: RunQuestion): void {
    const members = [...new Set(window.owners.flat())];
    const runs: MemberRun[] = [];
    let left = members.length;
    for (const member of members) {
      this.#askOne(member, question, (run) => {
        if (run !== null) runs.push({ member, run });
        else this.#unfit.add(member.id);
        if (--left === 0 && !this.#isEnded) this.#answered(window, question, runs);
      });
    }
  }

  #askOne(member: Member, question: RunQuestion, done: RunDone): void {
    const { replication, membership } = this.#parts;
    if (member.peer === null) return replication.runs.run(question, done);
    const after = question.after === null ? null : new Uint8Array(PLACE_BYTES);
    if (after !== null && question.after !== null) writePlace(question.after, after, 0);
    const body = questionBody(membership.layouts.current.number, question, after);
    return member.peer.call(LIST_BUCKET, body, this.#askMs(), (reply, error) => {
      const run = reply instanceof Uint8Array ? decodeRun(reply) : null;
      done(run !== null && this.#isAnswerTo(question, run) ? run : null, error);
    });
  }

  /** At most half of what is left, so that another owner can be asked in the other half. */
  #askMs(): number {
    return Math.max(1, Math.min(RUN_TIMEOUT_MS, Math.floor(this.#leftMs() / 2)));
  }

  #isAnswerTo({ from, to, after }: RunQuestion, { entries, through, partitions }: BucketRun): boolean {
    const bits = this.#partitionBits;
    if (partitions !== partitionOf(to, bits) - partitionOf(from, bits) + 1) return false;
    if (after !== null && comparePlaces(through, after) <= 0) return false;
    return entries.length === 0 || after === null || comparePlaces(entries[0].place, after) > 0;
  }

  #answered(window: Window, question: RunQuestion, runs: readonly MemberRun[]): void {
    const covered = this.#coveredBy(window, question, runs);
    if (covered === null) return this.#round();
    const counts = (member: Member, position0: number): boolean => {
      const index = partitionOf(position0, this.#partitionBits) - window.first;
      return window.owners[index]?.includes(member) ?? false;
    };
    const names = mergeRuns(runs, covered, counts);
    const entries = runs.reduce((sum, { run }) => sum + run.entries.length, 0);
    const isWhole = covered.position0 === question.to;
    if (!isWhole) this.#windowSize = Math.max(1, this.#windowSize >> 1);
    else if (entries < FEW_ENTRIES) this.#windowSize = Math.min(WINDOW_MAX, this.#windowSize * 2);
    return this.#fetchHeads(names, covered);
  }

  /** Up to where R complete owners have answered, whole; null where that is no further than before. */
  #coveredBy(
    { first, owners }: Window,
    question: RunQuestion,
    runs: readonly MemberRun[],
  ): RingPlace | null {
    let covered = lastPlaceOf(question.to);
    for (const { run } of runs) {
      if (comparePlaces(run.through, covered) < 0) covered = run.through;
    }
    let count = 0;
    for (let index = 0; index < owners.length; index++) {
      if (this.#isCovered(first, index, owners[index], runs) && count === index) count++;
    }
    if (count === 0) return null;
    const sound = lastPlaceOf(this.#lastWord(first + count - 1));
    return comparePlaces(sound, covered) < 0 ? sound : covered;
  }

  /** Whether all that were asked for a partition have answered and are complete; those that are not are unfit. */
  #isCovered(
    first: number,
    index: number,
    owners: readonly Member[],
    runs: readonly MemberRun[],
  ): boolean {
    let count = 0;
    for (const member of owners) {
      const run = runs.find((one) => one.member === member)?.run;
      if (run !== undefined && isCompleteIn(run, index)) count++;
      else if (run !== undefined) {
        this.#unfit.add(`${member.id} ${first + index}`);
        this.#failure = "partial";
      }
    }
    return count >= this.#work.r;
  }

  // Names whose sets differ.

  #fetchHeads(names: readonly ListedName[], covered: RingPlace): void {
    const nowMs = dateMs(this.#parts);
    const unsure = names.filter((name) => verdictOf(name, nowMs) === "unsure");
    if (unsure.length === 0) return this.#show(names, covered, nowMs, new Map());
    const asked = unsure.slice(0, LIST_HEADS_MAX);
    const fetch = new HeadFetch(this.#parts, this.#work.bucket, asked, this.#askMs());
    return fetch.start((shown, failed) => {
      if (this.#isEnded) return;
      for (const member of failed) this.#unfit.add(member.id);
      const open = unsure.find((name) => !shown.has(name));
      if (open === undefined) return this.#show(names, covered, nowMs, shown);
      const index = names.findIndex(({ place }) => comparePlaces(place, open.place) === 0);
      if (index === 0) return this.#round();
      return this.#show(names.slice(0, index), names[index - 1].place, nowMs, shown);
    });
  }

  #show(
    names: readonly ListedName[],
    covered: RingPlace,
    nowMs: number,
    shown: ReadonlyMap<ListedName, boolean>,
  ): void {
    for (let index = 0; index < names.length; index++) {
      const { place, key } = names[index];
      if (this.#isFullBefore(names, index)) {
        this.#after = names[index - 1].place;
        return this.#round();
      }
      if (!(shown.get(names[index]) ?? verdictOf(names[index], nowMs) === "shown")) continue;
      this.#keys.push(key.slice());
      this.#keyBytes += key.length;
      this.#after = place;
    }
    this.#after = covered;
    return this.#round();
  }

  /** Names in one place go into one page. */
  #isFullBefore(names: readonly ListedName[], index: number): boolean {
    const isFull = this.#keys.length >= this.#work.keysMax || this.#keyBytes >= this.#work.bytesMax;
    return isFull && index > 0 && comparePlaces(names[index - 1].place, names[index].place) !== 0;
  }

  // Ends.

  #fail(): void {
    if (this.#after === this.#work.after) {
      return this.#end({ keys: [], next: null, failure: this.#failure });
    }
    return this.#end({ keys: this.#keys, next: this.#after, failure: null });
  }

  #end(page: ListedPage): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#parts.wheel.cancel(this.#deadline);
    this.#done(page);
  }

  #leftMs(): number {
    return this.#deadlineMs - this.#parts.ports.clock.elapsedMs();
  }

  /** The first position word that is not done. */
  #fromWord(): number {
    if (this.#after === null) return 0;
    const { position0 } = this.#after;
    return comparePlaces(this.#after, lastPlaceOf(position0)) >= 0 ? position0 + 1 : position0;
  }

  #lastWord(partition: number): number {
    return (partition + 1) * 2 ** (32 - this.#partitionBits) - 1;
  }
}
