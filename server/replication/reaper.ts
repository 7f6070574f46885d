/**
 * Reaping: tombstones and expired versions are forgotten, in rounds (rounds.ts), each led by one node.
 *
 *   look     the partitions that this node is the first owner of, window by window: which sets have nothing left
 *            to be read, and are old enough?
 *   round    verify ─► clean ─► raise ─► seal ─► reap        every member answers each step, or the round ends
 *              └ the owners     └──── all members ────┘  └ the owners
 *
 * A round is for all partitions at once that a look has found something in. Whatever ends it, nothing is lost by
 * it: labels went up, or some owners have forgotten a tombstone that others tell them again. Where a member is
 * down, or keeps hints, no round can close: it is named, and asked again at the next look.
 */

import type { Engine } from "../../storage/engine.ts";
import type { Member } from "../membership/member.ts";
import type { Timer } from "../ports/clock.ts";
import { isWords } from "./comparison.ts";
import type { ReplicationHost } from "./host.ts";
import type { Layout } from "../membership/layout.ts";
import { ownersOf } from "./ownership.ts";
import { reapableFromMs } from "./reapable.ts";
import { listEntries, type ListedEntry } from "./ranges.ts";
import { REAPED_MAX, type RoundMember, type RoundStep } from "./round-member.ts";

/** What a look at a set costs, in the currency of the lane; entries that are looked at in one step. */
const LOOK_COST = 512;
const WINDOW_ENTRIES = 64;
/** Partitions, and sets, of one round. */
const PARTITIONS_MAX = 256;
const SETS_MAX = 8_192;
const STEP_TIMEOUT_MS = 10_000;
/** Requests under the old label may linger so long. */
const DRAIN_TIMEOUT_MS = 70_000;

export interface ReaperHost extends ReplicationHost {
  readonly isReplica: boolean;
  readonly self: Member;
  /** All that are not gone for good. */
  readonly members: readonly Member[];
  /** All live layouts, oldest first. */
  readonly layouts: readonly Layout[];
  readonly reapAfterMs: number;
  /** From the end of one look to the next. */
  readonly intervalMs: number;
  /** A random number, for the ids of rounds. */
  draw(): number;
}

export interface ReapingReport {
  /** Sets that could be forgotten, of the partitions that this node leads, by the last look. */
  readonly waiting: number;
  /** Since the start. */
  readonly reaped: number;
  readonly rounds: number;
  /** Why the last round did not close; "": it did, or there was none. */
  readonly stuck: string;
}

/** What a look has found out about a partition that has not changed since. */
interface Looked {
  readonly root0: number;
  readonly root1: number;
  /** When something of it may be forgotten for the first time. */
  readonly fromMs: number;
}

interface Found {
  readonly partition: number;
  entries: ListedEntry[];
}

/** A step of a round, with one member. */
type Ask = (member: Member, done: (answer: unknown, error: string) => void) => void;

export class Reaper {
  readonly #host: ReaperHost;
  readonly #engine: Engine;
  readonly #member: RoundMember;
  readonly #looked = new Map<number, Looked>();
  #timer: Timer | null = null;
  #isStopped = false;
  #found: Found[] = [];
  #waiting = 0;
  #reaped = 0;
  #rounds = 0;
  #stuck = "";

  constructor(host: ReaperHost, engine: Engine, member: RoundMember) {
    this.#host = host;
    this.#engine = engine;
    this.#member = member;
  }

  start(): void {
    this.#later();
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  report(): ReapingReport {
    return { waiting: this.#waiting, reaped: this.#reaped, rounds: this.#rounds, stuck: this.#stuck };
  }

  // Looking.

  #later(): void {
    if (this.#isStopped) return;
    this.#timer = this.#host.clock.after(this.#host.intervalMs, () => {
      this.#timer = this.#host.background.after("reaping", 0, () => this.#look());
    });
  }

  #look(): void {
    const led = this.#ledPartitions().filter((partition) => this.#mayHaveSome(partition));
    this.#found = [];
    this.#waiting = 0;
    this.#lookAt(led, () => this.#begin());
  }

  /** Partitions whose first owner, of those who are well, is this node. */
  #ledPartitions(): number[] {
    const { layouts, self, members, isReplica } = this.#host;
    if (!isReplica || layouts.length !== 1) return [];
    const [layout] = layouts;
    const healthy = new Set(members.filter((member) => member.healthy).map(({ id }) => id));
    const led: number[] = [];
    for (let partition = 0; partition < layout.partitions; partition++) {
      if (ownersOf(layout, partition).find((id) => healthy.has(id)) === self.id) led.push(partition);
    }
    return led;
  }

  #mayHaveSome(partition: number): boolean {
    const tree = this.#engine.tree(partition);
    if (tree.count === 0) return false;
    const looked = this.#looked.get(partition);
    if (looked === undefined || looked.fromMs <= this.#host.clock.nowMs()) return true;
    tree.rootInto(root, 0);
    return root[0] !== looked.root0 || root[1] !== looked.root1;
  }

  #lookAt(left: number[], done: () => void): void {
    const partition = left.shift();
    const isEnough = this.#found.length >= PARTITIONS_MAX || this.#waiting >= SETS_MAX;
    if (partition === undefined || isEnough || this.#isStopped) return done();
    this.#engine.tree(partition).rootInto(root, 0);
    const { partitions } = this.#host.layouts[0];
    const width = 2 ** 32 / partitions;
    const looking = { partition, from: partition * width, end: (partition + 1) * width - 1, entries: [], fromMs: Infinity };
    const [root0, root1] = root;
    return this.#lookThrough(looking, (fromMs) => {
      this.#looked.set(partition, { root0, root1, fromMs });
      this.#lookAt(left, done);
    });
  }

  #lookThrough(looking: Looking, done: (fromMs: number) => void): void {
    const { count } = this.#engine.tree(looking.partition);
    const { partition, from, end, entries } = looking;
    if (from > end || entries.length >= REAPED_MAX || this.#isStopped) {
      if (entries.length > 0) this.#found.push({ partition, entries });
      this.#waiting += entries.length;
      return done(looking.fromMs);
    }
    const width = Math.max(1, Math.floor(((2 ** 32 / this.#host.layouts[0].partitions) * WINDOW_ENTRIES) / Math.max(1, count)));
    const to = Math.min(end, from + width - 1);
    const window: ListedEntry[] = [];
    this.#engine.scan(from, to, (entry) => {
      window.push({ ...entry });
      return true;
    });
    for (const entry of window) this.#lookAtSet(looking, entry);
    looking.from = to + 1;
    this.#timer = this.#host.background.after("reaping", LOOK_COST * window.length, () => {
      this.#lookThrough(looking, done);
    });
  }

  #lookAtSet(looking: Looking, entry: ListedEntry): void {
    const outcome = this.#engine.readEntryHead(entry);
    if (outcome.status !== "found" || looking.entries.length >= REAPED_MAX) return;
    const fromMs = reapableFromMs(outcome.head, this.#host.reapAfterMs);
    looking.fromMs = Math.min(looking.fromMs, fromMs);
    if (fromMs <= this.#host.clock.nowMs()) looking.entries.push(entry);
  }

  // The round.

  #begin(): void {
    if (this.#found.length === 0 || this.#isStopped) {
      this.#stuck = "";
      return this.#later();
    }
    const [layout] = this.#host.layouts;
    const down = this.#host.members.filter(({ healthy }) => !healthy);
    if (down.length > 0) return this.#end(`${down.map(({ name }) => name).join(", ")} do not answer`);
    const id = `${this.#host.self.id}-${this.#host.draw()}`;
    return this.#verify([...this.#found], () => {
      this.#found = this.#found.filter(({ entries }) => entries.length > 0);
      if (this.#found.length === 0) return this.#end("");
      return this.#clean(id, layout);
    });
  }

  #end(stuck: string): void {
    this.#stuck = stuck;
    this.#later();
  }

  /** What an owner does not hold just so, synced, is left for another time. */
  #verify(left: Found[], done: () => void): void {
    const found = left.shift();
    if (found === undefined || this.#isStopped) return done();
    const { partition } = found;
    const listing = listEntries(found.entries);
    const kept = found.entries.map(() => true);
    return this.#askMembers(this.#ownersOf(partition), (member, ended) => {
      if (member.isSelf) this.#member.verify(partition, listing, (answer) => ended(answer, ""), (error) => ended(null, error));
      else call(member, "round-verify", [partition, listing], STEP_TIMEOUT_MS, ended);
    }, (answers, problem) => {
      if (problem !== "") return this.#end(problem);
      for (const answer of answers) {
        if (!isWords(answer, -1)) return this.#end("an owner's answer makes no sense");
        for (const place of answer) kept[place] = false;
      }
      found.entries = found.entries.filter((_, place) => kept[place]);
      return this.#verify(left, done);
    });
  }

  #clean(id: string, layout: Layout): void {
    const partitions = this.#found.map(({ partition }) => partition);
    this.#askMembers(this.#host.members, (member, ended) => {
      const taken = [(answer: unknown) => ended(answer, ""), (error: string) => ended(null, error)] as const;
      if (member.isSelf) this.#member.clean(id, layout.number, partitions, ...taken);
      else call(member, "round-clean", [id, layout.number, partitions], STEP_TIMEOUT_MS, ended);
    }, (answers, problem) => {
      if (problem !== "") return this.#end(problem);
      if (!answers.every((answer) => isWords(answer, partitions.length))) return this.#end("a member's answer makes no sense");
      // Safe: just checked.
      const told = answers as number[][];
      const labels = partitions.map((_, place) => Math.max(...told.map((one) => one[place])) + 1);
      return this.#step("raise", [id, layout.number, partitions, labels]);
    });
  }

  /** Raises, then seals, at all members; then the owners forget. */
  #step(step: "raise" | "seal", body: RoundStep): void {
    const timeoutMs = step === "raise" ? DRAIN_TIMEOUT_MS : STEP_TIMEOUT_MS;
    this.#askMembers(this.#host.members, (member, ended) => {
      const taken = [(answer: unknown) => ended(answer, ""), (error: string) => ended(null, error)] as const;
      if (member.isSelf) this.#member[step](body, ...taken);
      else call(member, `round-${step}`, body, timeoutMs, ended);
    }, (_answers, problem) => {
      if (problem !== "") return this.#end(problem);
      if (step === "raise") return this.#step("seal", body);
      this.#rounds++;
      this.#host.counters.roundsClosed++;
      return this.#reap([...this.#found], new Map(body[2].map((partition, place) => [partition, body[3][place]])));
    });
  }

  #reap(left: Found[], labels: ReadonlyMap<number, number>): void {
    const found = left.shift();
    if (found === undefined || this.#isStopped) return this.#end("");
    const { partition, entries } = found;
    const label = labels.get(partition) ?? 0;
    const listing = listEntries(entries);
    return this.#askMembers(this.#ownersOf(partition), (member, ended) => {
      const taken = [(answer: unknown) => ended(answer, ""), (error: string) => ended(null, error)] as const;
      if (member.isSelf) this.#member.reap(partition, listing, label, ...taken);
      else call(member, "round-reap", [partition, listing, label], STEP_TIMEOUT_MS, ended);
    }, (_answers, problem) => {
      if (problem !== "") return this.#end(problem);
      this.#reaped += entries.length;
      this.#waiting -= entries.length;
      return this.#reap(left, labels);
    });
  }

  #ownersOf(partition: number): Member[] {
    const ids = new Set(ownersOf(this.#host.layouts[0], partition));
    return this.#host.members.filter(({ id }) => ids.has(id));
  }

  /** Asks all of them at once; calls back with their answers, or with the first problem, named. */
  #askMembers(members: readonly Member[], ask: Ask, done: (answers: unknown[], problem: string) => void): void {
    const answers: unknown[] = [];
    let problem = "";
    let left = members.length;
    if (left === 0) return done(answers, "nobody owns it");
    for (const member of members) {
      ask(member, (answer, error) => {
        if (error !== "" && problem === "") problem = `${member.name}: ${error}`;
        answers.push(answer);
        if (--left === 0 && !this.#isStopped) done(answers, problem);
      });
    }
  }
}

/** A partition being looked through: from where on, and what was found. */
interface Looking {
  readonly partition: number;
  from: number;
  readonly end: number;
  readonly entries: ListedEntry[];
  fromMs: number;
}

/** The root of the tree that is looked at; valid within one call. */
const root = new Uint32Array(2);

function call(
  { peer }: Member,
  type: string,
  body: unknown,
  timeoutMs: number,
  done: (answer: unknown, error: string) => void,
): void {
  if (peer === null) done(null, "it is not connected");
  else peer.call(type, body, timeoutMs, done);
}
