/**
 * Scrub: reads everything that is held, slowly and again and again, so that damage is found while
 * another replica can still make it good, and not when the last one fails.
 *
 *   index, window by window ─► each entry read, all checksums checked ─► sound, most of the time
 *                                                                      └► damaged: an owner is asked
 *     repair-entry ─► the owner reads its own ─► REPLICATE, purpose repair ─► read again here
 *
 * The way back is that of read repair, in parts where a set does not fit a frame. An entry is asked
 * for by its place on the ring, since a damaged record may not tell its name. Hints are read too; their
 * damage is told, and cannot be repaired: no other node keeps the same.
 *
 * Paced by bytes a second, and by what else goes on (admission/background.ts). A round begins once a day at most, and only indexed records are read: what is
 * damaged and dead harms nobody. Where no replica can help, the record stays damaged, is told again by
 * the next round, and reads of it are errors, never "not found".
 */

import { PURPOSE_REPAIR, STATUS_DONE } from "../../core/replica-frames.ts";
import { SLICE_BYTES } from "../../core/limits.ts";
import { HEAD_BYTES } from "../../core/version-set.ts";
import type { Engine, IndexEntry, ReadOutcome } from "../../storage/engine.ts";
import { isLarge } from "../../storage/large-payload.ts";
import type { Member } from "../membership/member.ts";
import type { Timer } from "../ports/clock.ts";
import type { PeerIdentity, Peers } from "../wire/peers.ts";
import { isWords } from "./comparison.ts";
import type { ReplicationHost } from "./host.ts";

/** After a start there is other work first. */
const FIRST_ROUND_MS = 60_000;
/** From the end of a round to the next one. */
const BETWEEN_ROUNDS_MS = 24 * 3_600_000;
const TICK_MS = 100;
/** The index is looked through in this many windows of the ring: some hundred entries each. */
const WINDOWS = 1 << 16;
/** Of a small store, windows are mostly empty. */
const WINDOWS_PER_TICK = 1 << 10;
/** What a read costs beside the set, and what one that failed counts for. */
const RECORD_BYTES = 128;
const DAMAGED_BYTES = 4_096;
/** Damage beyond this waits for the next round. */
const REPAIRS_MAX = 10_000;
const REPAIR_TIMEOUT_MS = 10_000;

export interface ScrubHost extends ReplicationHost {
  memberById(id: string): Member | undefined;
  /** Healthy members that own the partition of a position besides this node. */
  owners(position0: number): readonly Member[];
}

/** What is scrubbed, in this order. */
export interface ScrubStore {
  /** For the log: "objects", "hints". */
  readonly folder: string;
  readonly engine: Engine;
  readonly hasReplicas: boolean;
}

type Entry = Readonly<IndexEntry>;

export class Scrub {
  readonly #host: ScrubHost;
  readonly #stores: readonly ScrubStore[];
  readonly #bytesPerSecond: number;
  #timer: Timer | null = null;
  #isStopped = false;
  /** The store at hand, the window that comes next, and the entries of the one before. */
  #store = 0;
  #window = 0;
  readonly #waiting: Entry[] = [];
  /** Made once: most windows of most stores are empty. */
  readonly #note = (entry: IndexEntry): boolean => {
    this.#waiting.push({ ...entry });
    return true;
  };
  /** Bytes that the last tick has read. */
  #cost = 0;
  /** Bytes that may be read now; below 0 after a large set. */
  #allowance = 0;
  /** Entries to be repaired, and whether one is on its way. */
  readonly #damaged: Entry[] = [];
  #isRepairing = false;

  /** @param bytesPerSecond 0: nothing is scrubbed; peers are served all the same */
  constructor(
    host: ScrubHost,
    peers: Peers,
    stores: readonly ScrubStore[],
    bytesPerSecond: number,
  ) {
    this.#host = host;
    this.#stores = stores;
    this.#bytesPerSecond = bytesPerSecond;
    peers.onMessage("repair-entry", (body, from, reply, refuse) => {
      const member = this.#askedBy(from);
      if (member === undefined || !isWords(body, 5)) refuse("repair-entry wants five words");
      else this.#send(member, entryOf(body), reply);
    });
  }

  start(): void {
    if (this.#bytesPerSecond > 0) this.#tickAfter(FIRST_ROUND_MS);
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  // Finding.

  #tickAfter(delayMs: number): void {
    if (this.#isStopped) return;
    const cost = this.#cost;
    this.#cost = 0;
    this.#timer = this.#host.clock.after(delayMs, () => {
      this.#timer = this.#host.background.after("scrub", cost, () => this.#tick());
    });
  }

  #tick(): void {
    const share = Math.ceil((this.#bytesPerSecond * TICK_MS) / 1000);
    this.#allowance = Math.min(share, this.#allowance + share);
    for (let windows = 0; this.#allowance > 0 && windows < WINDOWS_PER_TICK;) {
      const entry = this.#waiting.pop();
      if (entry !== undefined) this.#check(entry);
      else {
        if (this.#window === WINDOWS && !this.#nextStore()) return;
        this.#fillWindow();
        windows++;
      }
    }
    this.#tickAfter(TICK_MS);
  }

  /** False where the round has ended; the next one is planned then. */
  #nextStore(): boolean {
    this.#window = 0;
    this.#store++;
    if (this.#store < this.#stores.length) return true;
    this.#store = 0;
    this.#host.counters.scrubRounds++;
    this.#tickAfter(BETWEEN_ROUNDS_MS);
    return false;
  }

  #fillWindow(): void {
    const width = 2 ** 32 / WINDOWS;
    const from = this.#window * width;
    this.#window++;
    this.#stores[this.#store].engine.scan(from, from + width - 1, this.#note);
  }

  #check(entry: Entry): void {
    const store = this.#stores[this.#store];
    const { counters, log } = this.#host;
    store.engine.readEntry(entry, (_name, read) => {
      const outcome = readThrough(read);
      counters.scrubbedRecords++;
      counters.scrubbedBytes += bytesRead(outcome);
      this.#allowance -= bytesRead(outcome);
      this.#cost += bytesRead(outcome);
      if (outcome.status !== "damaged") return;
      counters.scrubDamaged++;
      const { folder, hasReplicas } = store;
      log.error("scrub has found a damaged record", { folder, detail: outcome.detail });
      if (!hasReplicas || this.#damaged.length >= REPAIRS_MAX) return;
      this.#damaged.push(entry);
      this.#repairNext();
    });
  }

  // Repairing.

  /** A damaged record that somebody else met among the objects; the entry is copied. */
  repair(entry: Entry): void {
    const isKnown = this.#damaged.some((known) => wordsOf(known).join() === wordsOf(entry).join());
    if (isKnown || this.#damaged.length >= REPAIRS_MAX) return;
    this.#damaged.push({ ...entry });
    this.#repairNext();
  }

  #repairNext(): void {
    if (this.#isRepairing || this.#isStopped) return;
    const entry = this.#damaged.shift();
    if (entry === undefined) return;
    this.#isRepairing = true;
    this.#repairFrom([...this.#host.owners(entry.position0)], entry, (isRepaired) => {
      this.#isRepairing = false;
      if (isRepaired) this.#host.counters.scrubRepaired++;
      else this.#host.log.error("no replica could repair a damaged record");
      this.#host.clock.soon(() => this.#repairNext());
    });
  }

  /** Asks one owner after the other until the entry can be read here. */
  #repairFrom(owners: Member[], entry: Entry, done: (isRepaired: boolean) => void): void {
    const owner = owners.shift();
    if (owner === undefined || this.#isStopped) return done(false);
    const peer = owner.peer;
    if (peer === null) return this.#repairFrom(owners, entry, done);
    return peer.call("repair-entry", wordsOf(entry), REPAIR_TIMEOUT_MS, () => {
      // What the owner said is no proof; what can be read here is. What is gone needs none.
      this.#stores[0].engine.readEntry(entry, (_name, { status }) => {
        if (status === "found" || status === "absent") done(true);
        else this.#repairFrom(owners, entry, done);
      });
    });
  }

  #askedBy(from: PeerIdentity): Member | undefined {
    if (this.#isStopped || from.role !== "peer" || from.nodeId === null) return undefined;
    return this.#host.memberById(from.nodeId);
  }

  /** Sends what is held here of an entry as a repair; replies whether it was taken. */
  #send(member: Member, entry: Entry, reply: (value: unknown) => void): void {
    this.#stores[0].engine.readEntry(entry, (name, outcome) => {
      if (name === null || outcome.status !== "found") return reply(false);
      const { set } = outcome;
      const timeoutMs = REPAIR_TIMEOUT_MS / 2;
      return this.#host.deliverDurably(
        member,
        name,
        set,
        PURPOSE_REPAIR,
        timeoutMs,
        (give) => give(set),
        (status) => reply(status === STATUS_DONE),
      );
    });
  }
}

function wordsOf(entry: Entry): number[] {
  const { position0, position1, tag, digest0, digest1 } = entry;
  return [position0, position1, tag, digest0, digest1];
}

function entryOf(words: readonly number[]): Entry {
  const [position0 = 0, position1 = 0, tag = 0, digest0 = 0, digest1 = 0] = words;
  return { position0, position1, tag, digest0, digest1 };
}

/** The slice of a large payload that is being checked. */
const slice = new Uint8Array(SLICE_BYTES);

/** What a read comes to once its large payloads have been read as well, slice by slice. */
function readThrough(outcome: ReadOutcome): ReadOutcome {
  if (outcome.status !== "found") return outcome;
  for (const payload of outcome.set.payloads) {
    if (!isLarge(payload)) continue;
    for (let at = 0; at < payload.length; at += slice.length) {
      const count = Math.min(slice.length, payload.length - at);
      if (payload.readInto(at, slice, 0, count) !== "damaged") continue;
      return { status: "damaged", detail: `a payload of ${payload.length} bytes fails a checksum` };
    }
  }
  return outcome;
}

function bytesRead(outcome: ReadOutcome): number {
  if (outcome.status !== "found") return DAMAGED_BYTES;
  let bytes = RECORD_BYTES + HEAD_BYTES + outcome.set.head.length;
  for (const payload of outcome.set.payloads) bytes += payload?.length ?? 0;
  return bytes;
}
