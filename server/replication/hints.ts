/**
 * Hinted handoff: versions kept here for a node that could not take them, until it has.
 *
 *   store     a set with the name of its owner, in a store of its own ("hints"), joined like any other
 *   scan      at start, when an owner is back, and every few seconds while there are any
 *   deliver   to the owner, as many at a time as it takes with ease (handoff-window.ts), asking for a durable write
 *   remove    only after the owner acknowledged it durable, and only if the hint did not grow meanwhile
 *
 * The hint store is an engine whose names are `owner id (8 bytes) + object name`, so one object can be
 * kept for several owners, and one owner's hints for one object merge into one. Hints never show as data
 * of this node; a stand-in that is read on behalf of owners looks here (collect).
 *
 * A hint whose owner is gone from the cluster for good (or is this node itself) goes to all who own the
 * name in the live layouts, as an ordinary merge, and is given up when each of them has it durable.
 *
 * ***An acknowledged hint is given up only for a copy that is synced at a primary; age never deletes it;
 * a hint that does not fit is not acknowledged.*** Paper 4.6; Riak's lessons riak_core#154, riak_kv#1845.
 */

import type { ObjectName } from "../../core/object-name.ts";
import { ObjectName as Name } from "../../core/object-name.ts";
import { PURPOSE_HINT, STATUS_DONE } from "../../core/replica-frames.ts";
import { toHex } from "../../core/bytes.ts";
import { headDigestInto } from "../../core/version-set.ts";
import type { IndexEntry, VersionSet, WriteLabels } from "../../storage/engine.ts";
import { isGone, type Member } from "../membership/member.ts";
import type { Timer } from "../ports/clock.ts";
import { type HandoffReport, HandoffWindow } from "./handoff-window.ts";
import type { HintRequests } from "./hint-requests.ts";
import type { ReplicationHost } from "./host.ts";
import { type Change, closedChange } from "./change.ts";
import type { EventMaker } from "./event.ts";
import type { LocalCopy } from "./local-copy.ts";
import { NO_REQUESTS } from "./request-list.ts";

/** How often hints are looked through while there are any. */
const SCAN_INTERVAL_MS = 5_000;
/** Hints being read or on their way at once, to all owners together. */
const IN_FLIGHT_MAX = 64;
/** Hints that are known to be for owners who have enough on their way already. */
const LATER_MAX = 4_096;
/** The index is looked through in this many windows of the ring, one at a time. */
const WINDOWS = 256;
const DELIVERY_TIMEOUT_MS = 5_000;
const OWNER_BYTES = 8;
const OBJECT_COST = 1_024;

export interface HintsHost extends ReplicationHost {
  /** Whether a state with a label of this round is too old to be kept. */
  isClosed(name: ObjectName, round: number): boolean;
  /** Told of each hint that is kept. */
  onHintKept(): void;
  /** The owner, where it is a member. */
  memberById(id: string): Member | undefined;
  /** Stores a set durably at all who own its name; calls back with "" or why not. */
  storeAtOwners(
    name: ObjectName,
    set: VersionSet,
    superseded: Uint8Array,
    done: (detail: string) => void,
  ): void;
}

interface Waiting {
  readonly position0: number;
  readonly position1: number;
  readonly tag: number;
}

export class Hints {
  readonly copy: LocalCopy;
  readonly #host: HintsHost;
  readonly #requests: HintRequests;
  #timer: Timer | null = null;
  #isScanning = false;
  #isStopped = false;
  /** An owner came back while a scan was under way: look through all again. */
  #isScanWanted = false;
  #window = 0;
  #waiting: Waiting[] = [];
  /** Hints for owners who have enough on their way, and how many there are in all. */
  readonly #later = new Map<string, Waiting[]>();
  #laterCount = 0;
  readonly #windows = new Map<string, HandoffWindow>();
  #inFlight = 0;
  /** Owners of hints that are kept: those of the last scan, and those since. Null: not scanned yet. */
  #owners: Set<string> | null = null;
  /** Owners that did not take a hint in this scan. */
  readonly #unwilling = new Set<string>();

  /** @param requests what the hints tell, with what their log told at the start */
  constructor(copy: LocalCopy, host: HintsHost, requests: HintRequests) {
    this.copy = copy;
    this.#host = host;
    this.#requests = requests;
    copy.onSuperseded = (hint, list) => requests.add(hint.position0, list);
  }

  start(): void {
    this.scan();
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  /** Hints that are kept, for all owners. */
  get count(): number {
    return this.copy.engine.stats().objects;
  }

  /** Whether any are kept for this owner, as far as is known since the last scan. */
  isKeptFor(id: string): boolean {
    return this.count > 0 && this.#owners?.has(id) === true;
  }

  /** Keeps a set for an owner; the change's status says whether it is kept. */
  store(
    owner: Member,
    name: ObjectName,
    set: VersionSet,
    labels: WriteLabels,
    told: Uint8Array = NO_REQUESTS,
  ): Change {
    if (this.#host.isClosed(name, labels.round)) return closedChange();
    const change = this.copy.join(hintName(owner.idBytes, name), set, labels, told);
    this.#count(owner, change);
    return change;
  }

  /** Makes a version as a stand-in: on top of what is kept here for the same owner. */
  event(owner: Member, name: ObjectName, maker: EventMaker): Change {
    const labels = this.#host.labelsOf(name);
    const change = this.copy.event(hintName(owner.idBytes, name), maker, labels);
    this.#count(owner, change);
    return change;
  }

  #count(owner: Member, change: Change): void {
    if (change.status === STATUS_DONE) {
      this.#host.onHintKept();
      this.#host.counters.hintsStored++;
      this.#owners?.add(owner.id);
      this.#schedule(SCAN_INTERVAL_MS);
    } else {
      this.#host.counters.hintsFull++;
    }
  }

  /** What is kept here of a name for the given owners, one set each. */
  collect(
    owners: readonly Uint8Array[],
    name: ObjectName,
    done: (sets: VersionSet[]) => void,
  ): void {
    const sets: VersionSet[] = [];
    let left = owners.length;
    if (left === 0) done(sets);
    for (const owner of owners) {
      this.copy.read(hintName(owner, name), (outcome) => {
        if (outcome.status === "found") sets.push(outcome.set);
        if (--left === 0) done(sets);
      });
    }
  }

  /** Looks through all hints and delivers those whose owner is healthy. */
  scan(): void {
    if (this.#isStopped) return;
    if (this.#isScanning) {
      this.#isScanWanted = true;
      return;
    }
    if (this.count === 0) return;
    // Looking through all hints of a dead owner every few seconds would read them for nothing.
    if (this.#owners !== null && ![...this.#owners].some((id) => this.#isWilling(id))) {
      this.#schedule(SCAN_INTERVAL_MS);
      return;
    }
    this.#owners = new Set();
    this.#timer?.cancel();
    this.#timer = null;
    this.#isScanning = true;
    this.#isScanWanted = false;
    this.#window = 0;
    this.#unwilling.clear();
    this.#pump();
  }

  #pump(): void {
    while (!this.#isStopped && this.#inFlight < IN_FLIGHT_MAX) {
      const entry = this.#nextLater() ?? this.#waiting.pop();
      if (entry !== undefined) this.#take(entry);
      else if (this.#window < WINDOWS && this.#laterCount < LATER_MAX) this.#fillWindow();
      else break;
    }
    const isEmpty = this.#waiting.length === 0 && this.#laterCount === 0;
    if (this.#inFlight === 0 && isEmpty && this.#window === WINDOWS) this.#scanEnded();
  }

  /** A hint that had to wait for its owner, who has room again. */
  #nextLater(): Waiting | undefined {
    if (this.#laterCount === 0) return undefined;
    for (const [id, entries] of this.#later) {
      if (entries.length === 0 || !this.#windowOf(id).hasRoom) continue;
      this.#laterCount--;
      return entries.pop();
    }
    return undefined;
  }

  #windowOf(id: string): HandoffWindow {
    const known = this.#windows.get(id) ?? new HandoffWindow();
    this.#windows.set(id, known);
    return known;
  }

  /** What is on its way to whom, and how fast. */
  report(): HandoffReport[] {
    return [...this.#windows].map(([id, { delivered, failed, inFlight, size, latencyMs }]) => {
      const to = this.#host.memberById(id)?.name ?? id;
      return { to, delivered, failed, inFlight, window: size, latencyMs };
    });
  }

  #fillWindow(): void {
    const width = 2 ** 32 / WINDOWS;
    const from = this.#window * width;
    this.#window++;
    this.copy.engine.scan(from, from + width - 1, (entry: IndexEntry) => {
      const { position0, position1, tag } = entry;
      this.#waiting.push({ position0, position1, tag });
      return true;
    });
  }

  #take(entry: Waiting): void {
    this.#inFlight++;
    this.copy.engine.readEntry(entry, (hint, outcome) => {
      if (hint === null || outcome.status !== "found") this.#ended(0);
      else this.#give(entry, hint, outcome.set);
    });
  }

  /** Gives a hint to its owner, if that one may be given something now, or to its heirs. */
  #give(entry: Waiting, hint: ObjectName, set: VersionSet): void {
    const id = toHex(hint.bytes, 0, OWNER_BYTES);
    this.#owners?.add(id);
    if (!this.#isWilling(id) || this.#unwilling.has(id)) return this.#ended(0);
    if (!this.#windowOf(id).hasRoom) return this.#putOff(id, entry);
    const owner = this.#host.memberById(id);
    if (owner === undefined || !isReachable(owner)) return this.#handOver(id, hint, set);
    return this.#deliver(owner, hint, set);
  }

  #putOff(id: string, entry: Waiting): void {
    const entries = this.#later.get(id) ?? [];
    entries.push(entry);
    this.#later.set(id, entries);
    this.#laterCount++;
    this.#ended(0);
  }

  /** Whether the owner may take it now, or will never be there to take it: its heirs do. */
  #isWilling(id: string): boolean {
    const owner = this.#host.memberById(id);
    return owner === undefined || !isReachable(owner) || owner.healthy;
  }

  #handOver(id: string, hint: ObjectName, set: VersionSet): void {
    const name = new Name(hint.bytes.slice(OWNER_BYTES));
    const digest = new Uint32Array(2);
    headDigestInto(set.head, 0, set.head.length, digest, 0);
    const took = this.#timed(id);
    this.#host.storeAtOwners(name, set, this.#requests.of(hint.position0), (detail) => {
      took(detail === "");
      if (detail === "") {
        this.#host.counters.hintsHandedOver++;
        this.#delivered(hint, digest);
      } else this.#unwilling.add(id);
      this.#ended(costOf(set));
    });
  }

  #deliver(owner: Member, hint: ObjectName, set: VersionSet): void {
    const name = new Name(hint.bytes.slice(OWNER_BYTES));
    const digest = new Uint32Array(2);
    headDigestInto(set.head, 0, set.head.length, digest, 0);
    const load = (give: (whole: VersionSet | null) => void): void => give(set);
    const took = this.#timed(owner.id);
    const ended = (status: number, isDurable: boolean): void => {
      took(status === STATUS_DONE && isDurable);
      if (status === STATUS_DONE && isDurable) this.#delivered(hint, digest);
      else this.#unwilling.add(owner.id);
      this.#ended(costOf(set));
    };
    const told = this.#requests.of(hint.position0);
    const timeoutMs = DELIVERY_TIMEOUT_MS;
    this.#host.deliverDurably(owner, name, set, PURPOSE_HINT, timeoutMs, load, ended, told);
  }

  /** To be called when what begins now has ended. */
  #timed(id: string): (isDelivered: boolean) => void {
    const window = this.#windowOf(id);
    const beganMs = this.#host.clock.elapsedMs();
    window.began();
    return (isDelivered) => window.ended(this.#host.clock.elapsedMs() - beganMs, isDelivered);
  }

  #delivered(hint: ObjectName, digest: Uint32Array): void {
    const outcome = this.copy.engine.remove(hint, digest[0], digest[1]);
    // It may have grown meanwhile: what is new in it has still to be told.
    if (!this.copy.engine.digestInto(hint, digest, 0)) this.#requests.drop(hint.position0);
    if (outcome.status === "done") this.#host.counters.hintsDelivered++;
    else this.#host.log.warn("a delivered hint could not be removed", { detail: outcome.detail });
  }

  /** Not at once in any case: a delivery may end before the pump that began it has returned. */
  #ended(cost: number): void {
    this.#inFlight--;
    if (cost === 0) this.#host.clock.soon(() => this.#pump());
    else this.#host.background.after("handoff", cost, () => this.#pump());
  }

  #scanEnded(): void {
    if (!this.#isScanning) return;
    this.#isScanning = false;
    if (this.#isScanWanted) this.scan();
    else if (this.count > 0) this.#schedule(SCAN_INTERVAL_MS);
  }

  #schedule(delayMs: number): void {
    if (this.#timer !== null || this.#isScanning || this.#isStopped) return;
    this.#timer = this.#host.clock.after(delayMs, () => {
      this.#timer = null;
      this.scan();
    });
  }
}

/** What the delivery of a set costs, in the currency of the lane. */
function costOf(set: VersionSet): number {
  return set.payloads.reduce((sum, payload) => sum + (payload?.length ?? 0), OBJECT_COST + set.head.length);
}

/** Whether a hint for this member can ever be delivered: it is still there, and is another node. */
function isReachable(owner: Member): boolean {
  return !isGone(owner.status) && !owner.isSelf;
}

/** The name of an object in the hint store. */
export function hintName(owner: Uint8Array, name: ObjectName): ObjectName {
  const bytes = new Uint8Array(OWNER_BYTES + name.bytes.length);
  bytes.set(owner);
  bytes.set(name.bytes, OWNER_BYTES);
  return new Name(bytes);
}
