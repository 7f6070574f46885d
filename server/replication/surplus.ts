/**
 * Surplus: what this node holds of partitions that it owns in no live layout. It is given up, slowly,
 * once all who own them have it.
 *
 *   a window of a partition ──► its listing to every owner ──► sync there ──► which of it they lack
 *        ▲                                                                        │
 *        │                       what an owner lacks is delivered to it, durably  │
 *        └── next ── an entry that all have, as it stands here: removed ◄─────────┘
 *
 * ***A copy is given up only for one that is synced elsewhere***: by all owners in all live layouts,
 * each of them complete for the partition; where one is down, nothing goes. Entries that changed
 * meanwhile, or whose partition is owned again, stay. So a node that left early, crashed half-way or
 * got a late write behind its back just has some surplus left, and looks again.
 *
 * It forgets no dot that matters: who owns a partition again begins as a partial replica of it, and
 * makes single dots until it was compared with a complete one (Completeness, dotAsPair). Which writes were
 * superseded in a copy is forgotten with it (superseded.ts).
 */

import type { ObjectName } from "../../core/object-name.ts";
import { PURPOSE_ANTI_ENTROPY, STATUS_DONE } from "../../core/replica-frames.ts";
import type { Engine, EntryKey, IndexEntry, VersionSet } from "../../storage/engine.ts";
import type { Layout } from "../membership/layout.ts";
import { isGone, type Member } from "../membership/member.ts";
import type { Timer } from "../ports/clock.ts";
import type { Peers } from "../wire/peers.ts";
import { isWords } from "./comparison.ts";
import type { Completeness } from "./completeness.ts";
import type { ReplicationHost } from "./host.ts";
import type { LocalCopy } from "./local-copy.ts";
import { ownedPartitions, ownersOf } from "./ownership.ts";
import { ENTRY_BYTES, listRange, readEntries, type ListedEntry } from "./ranges.ts";

/** Between two looks for surplus. */
const INTERVAL_MS = 5_000;
/** A layout has retired: look soon, when the others have heard of it, too. */
const HURRY_MS = 300;
/** What a window costs, in the currency of the lane: it is listed, and synced, by every owner. */
const WINDOW_COST = 256 << 10;
/** Entries that a window has, about; and those of it that are looked at in one go. */
const WINDOW_ENTRIES = 64;
const LISTED_ENTRIES_MAX = 1_024;
const MESSAGE_TIMEOUT_MS = 5_000;

export interface SurplusHost extends ReplicationHost {
  readonly self: Member;
  memberById(id: string): Member | undefined;
  /** All live layouts, oldest first. */
  readonly layouts: readonly Layout[];
  /** Told after each look that found no surplus. */
  onNone(): void;
}

/** A part of a partition: first and last first position word. */
interface Window {
  readonly partition: number;
  readonly from: number;
  readonly to: number;
}

export class Surplus {
  readonly #host: SurplusHost;
  readonly #copy: LocalCopy;
  readonly #completeness: Completeness;
  #timer: Timer | null = null;
  #isAtWork = false;
  #isStopped = false;

  constructor(host: SurplusHost, peers: Peers, copy: LocalCopy, completeness: Completeness) {
    this.#host = host;
    this.#copy = copy;
    this.#completeness = completeness;
    peers.onMessage("lacking", (body, from, reply, refuse) => {
      if (from.role !== "peer" || this.#isStopped) return refuse("members alone are answered");
      return this.#answer(body, reply, refuse);
    });
  }

  start(): void {
    this.#schedule(INTERVAL_MS);
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  /** A layout has retired: there may be surplus. */
  hurry(): void {
    if (this.#isAtWork || this.#isStopped) return;
    this.#timer?.cancel();
    this.#timer = null;
    this.#schedule(HURRY_MS);
  }

  /** Partitions that are held and not owned. */
  partitions(): number[] {
    const { layouts, self } = this.#host;
    const owned = ownedPartitions(layouts, self.id);
    const surplus: number[] = [];
    for (let partition = 0; partition < owned.length; partition++) {
      if (owned[partition] === 1 || this.#copy.engine.tree(partition).count === 0) continue;
      surplus.push(partition);
    }
    return surplus;
  }

  #schedule(delayMs: number): void {
    if (this.#isStopped || this.#timer !== null) return;
    this.#timer = this.#host.clock.after(delayMs, () => {
      this.#timer = null;
      this.#look();
    });
  }

  #look(): void {
    const partitions = this.partitions();
    if (partitions.length === 0) this.#host.onNone();
    this.#isAtWork = true;
    this.#next(partitions.flatMap((partition) => this.#windowsOf(partition)));
  }

  #windowsOf(partition: number): Window[] {
    const width = 2 ** 32 / this.#host.layouts[0].partitions;
    const { count } = this.#copy.engine.tree(partition);
    const parts = Math.min(width, Math.ceil(count / WINDOW_ENTRIES));
    const windows: Window[] = [];
    for (let part = 0; part < parts; part++) {
      const from = partition * width + Math.floor((part * width) / parts);
      const to = partition * width + Math.floor(((part + 1) * width) / parts) - 1;
      windows.push({ partition, from, to });
    }
    return windows;
  }

  #next(left: Window[]): void {
    const window = left.shift();
    if (window === undefined || this.#isStopped) {
      this.#isAtWork = false;
      return this.#schedule(INTERVAL_MS);
    }
    return this.#release(window, () => {
      this.#host.background.after("transfer", WINDOW_COST, () => this.#next(left));
    });
  }

  #release(window: Window, done: () => void): void {
    const { partition, from, to } = window;
    const owners = this.#ownersOf(partition);
    const listing = listRange(this.#copy.engine, from, to, LISTED_ENTRIES_MAX);
    if (owners === null || listing.length === 0) return done();
    const entries = readEntries(listing);
    const isHad = entries.map(() => true);
    let left = owners.length;
    for (const owner of owners) {
      this.#giveTo(owner, partition, listing, entries, (lacked) => {
        for (const index of lacked) isHad[index] = false;
        if (--left > 0) return;
        this.#drop(partition, entries.filter((_, index) => isHad[index]));
        done();
      });
    }
  }

  /** The owners in all live layouts; null where one of them cannot be asked, or this node is one. */
  #ownersOf(partition: number): Member[] | null {
    const { layouts } = this.#host;
    const ids = new Set(layouts.flatMap((layout) => ownersOf(layout, partition)));
    const owners: Member[] = [];
    for (const id of ids) {
      const member = this.#host.memberById(id);
      if (member !== undefined && isGone(member.status)) continue;
      if (member === undefined || !member.healthy || member.isSelf) return null;
      owners.push(member);
    }
    return owners.length === 0 ? null : owners;
  }

  /** Calls back with the places of the entries that the owner still lacks at the end. */
  #giveTo(
    owner: Member,
    partition: number,
    listing: Uint8Array,
    entries: readonly ListedEntry[],
    done: (lacked: Iterable<number>) => void,
  ): void {
    if (owner.peer === null) return done(entries.keys());
    return owner.peer.call("lacking", [partition, listing], MESSAGE_TIMEOUT_MS, (answer, error) => {
      if (error !== "" || !isWords(answer, -1)) return done(entries.keys());
      return this.#deliverAll(owner, entries, answer, done);
    });
  }

  #deliverAll(
    owner: Member,
    entries: readonly ListedEntry[],
    lacking: readonly number[],
    done: (lacked: Iterable<number>) => void,
  ): void {
    const lacked = new Set(lacking);
    let left = lacked.size;
    if (left === 0) return done(lacked);
    for (const index of lacking) {
      const ended = (isStored: boolean): void => {
        if (isStored) lacked.delete(index);
        if (--left === 0) done(lacked);
      };
      const entry = entries[index];
      if (entry === undefined) ended(false);
      else this.#deliver(owner, entry, ended);
    }
  }

  /** Delivers an entry as it stands here; what has changed since it was listed does not count. */
  #deliver(owner: Member, entry: ListedEntry, done: (isStored: boolean) => void): void {
    this.#copy.engine.readEntry(entry, (name, outcome) => {
      if (name === null || outcome.status !== "found") return done(false);
      const { set } = outcome;
      const load = (give: (whole: VersionSet | null) => void): void => give(set);
      const ended = (status: number, isDurable: boolean): void => {
        done(status === STATUS_DONE && isDurable);
      };
      const purpose = PURPOSE_ANTI_ENTROPY;
      return this.#host.deliverDurably(owner, name, set, purpose, MESSAGE_TIMEOUT_MS, load, ended);
    });
  }

  #drop(partition: number, entries: readonly ListedEntry[]): void {
    const { layouts, self, counters } = this.#host;
    if (this.#isStopped || layouts.some((layout) => layout.owns(self.id, partition))) return;
    const given = new Set<number>();
    for (const entry of entries) {
      const name = nameOf(this.#copy.engine, entry);
      if (name === null) continue;
      const outcome = this.#copy.engine.remove(name, entry.digest0, entry.digest1);
      if (outcome.status !== "done") {
        this.#host.log.warn("surplus cannot be removed", { detail: outcome.detail });
        break;
      }
      given.add(entry.position0);
      counters.surplusDropped++;
    }
    this.#copy.forgetSuperseded(given);
  }

  /** Places of the listed entries that are not held here just so, once all that is held is synced. */
  #answer(
    body: unknown,
    reply: (value: unknown) => void,
    refuse: (sentence: string) => void,
  ): void {
    const [partition, listing] = Array.isArray(body) ? body as [unknown, unknown] : [];
    const isSound = isWords([partition], 1) && listing instanceof Uint8Array &&
      listing.length % ENTRY_BYTES === 0 && listing.length <= LISTED_ENTRIES_MAX * ENTRY_BYTES;
    if (!isSound) return refuse("lacking wants a partition and a listing");
    const number = Number(partition);
    if (number >= this.#host.layouts[0].partitions || !this.#completeness.isComplete(number)) {
      return refuse(`partition ${number} is not whole here`);
    }
    const { engine } = this.#copy;
    const lacking: number[] = [];
    readEntries(listing).forEach((entry, index) => {
      if (!isHeld(engine, entry)) lacking.push(index);
    });
    return engine.sync((isDurable) => {
      if (isDurable) reply(lacking);
      else refuse("what is held here cannot be synced");
    });
  }
}

function isHeld(engine: Engine, entry: ListedEntry): boolean {
  let found = false;
  engine.scan(entry.position0, entry.position0, (held: IndexEntry) => {
    found = held.position1 === entry.position1 && held.tag === entry.tag &&
      held.digest0 === entry.digest0 && held.digest1 === entry.digest1;
    return !found;
  });
  return found;
}

/** REQUIRES: the engine answers before it returns; null where it does not, or the entry is gone. */
function nameOf(engine: Engine, entry: EntryKey): ObjectName | null {
  let found: ObjectName | null = null;
  engine.readEntry(entry, (name) => {
    found = name;
  });
  return found;
}
