/**
 * Transfers: partitions that this node is to own and does not have whole come here in chunks, one partition
 * after the other.
 *
 *   wanted ──► who of the owners has it whole? (transfer-offer) ──► chunks (transfer.ts) ──► compared: complete
 *     ▲            └ nobody answers: told, asked again                   └ source gone: the next owner, from
 *     └────────────────────────────────────────────────────────────────────  where the last one stopped
 *
 * It is the quick way for what is mostly missing. What is mostly here (after a restart, after damage) is left to
 * the comparison, which also proves at the end that nothing is missing: only that makes a replica complete.
 * A partition that has come is never fetched twice, and one under way is not compared (isUnderWay), or each
 * of its objects would come a second time.
 */

import { DiskError } from "../../storage/disk.ts";
import type { Layout } from "../membership/layout.ts";
import { isGone, type Member } from "../membership/member.ts";
import type { Timer } from "../ports/clock.ts";
import { isWords } from "./comparison.ts";
import type { Completeness } from "./completeness.ts";
import type { ReplicationHost } from "./host.ts";
import type { LocalCopy } from "./local-copy.ts";
import { ownedPartitions, ownersOf } from "./ownership.ts";
import { Transfer } from "./transfer.ts";
import { type Cursor, partitionStart } from "./transfer-chunk.ts";
import type { TransferCursors } from "./transfer-cursors.ts";

const LOOK_MS = 1_000;
const OFFER_TIMEOUT_MS = 5_000;
/** Of a partition with fewer entries (unless told), or half of them here, a comparison brings the rest. */
export const TRANSFER_ENTRIES_MIN_DEFAULT = 8;
/** Rates are told over this time. */
const RATE_MS = 1_000;

export interface TransfersHost extends ReplicationHost {
  readonly self: Member;
  /** All that are not gone for good. */
  readonly members: readonly Member[];
  memberById(id: string): Member | undefined;
  /** All live layouts, oldest first. */
  readonly layouts: readonly Layout[];
  /** Partitions with fewer entries are left to the comparison. */
  readonly entriesMin: number;
  /** Names of members that have not adopted the newest layout yet: until then nothing is complete. */
  readonly laggards: readonly string[];
  /** A partition has come: it can be compared now. */
  onCome(): void;
}

/** How transfers to one node stand. */
export interface TransferReport {
  /** Partitions that this node is to own and does not have whole, of so many since the last change. */
  readonly left: number;
  readonly of: number;
  /** Entries that have come since then, of about so many; bytes, and bytes a second lately. */
  readonly entries: number;
  readonly entriesOf: number;
  readonly bytes: number;
  readonly bytesPerSecond: number;
  /** At the rate of the last seconds; null: not known. */
  readonly secondsLeft: number | null;
  /** The partition under way, and who gives it; null: none. */
  readonly partition: number | null;
  readonly from: string;
  /** Why it does not get on; "": it does, or nothing is left. */
  readonly stuck: string;
  /** Partitions that are held and not owned, until all who own them have them. */
  readonly surplus: number;
  readonly isPaused: boolean;
}

/** What a member says of the partitions that it was asked about. */
interface Offer {
  readonly peer: Member;
  readonly partitions: readonly number[];
  readonly entries: readonly number[];
  readonly complete: readonly number[];
}

interface Planned {
  readonly partition: number;
  readonly peer: Member;
  readonly entries: number;
}

export class Transfers {
  readonly #host: TransfersHost;
  readonly #copy: LocalCopy;
  readonly #completeness: Completeness;
  readonly #cursors: TransferCursors;
  /** Partitions whose chunks have all come, or that a comparison serves better. */
  readonly #settled = new Set<number>();
  #planned: Planned[] = [];
  /** What is planned, or asked about just now. */
  #underWay = new Set<number>();
  #current: Transfer | null = null;
  /** Offers have been asked for and not all answered. */
  #isAsking = false;
  #timer: Timer | null = null;
  #isStopped = false;
  #problem = "";
  /** Since nothing was wanted last. */
  #of = 0;
  #entries = 0;
  #entriesOf = 0;
  #bytes = 0;
  #rate = { sinceMs: 0, entries: 0, bytes: 0, entriesPerSecond: 0, bytesPerSecond: 0 };

  constructor(
    host: TransfersHost,
    copy: LocalCopy,
    completeness: Completeness,
    cursors: TransferCursors,
  ) {
    this.#host = host;
    this.#copy = copy;
    this.#completeness = completeness;
    this.#cursors = cursors;
  }

  start(): void {
    this.#cursors.load();
    this.hurry();
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#current?.abandon();
  }

  /** What is owned, or who answers, has changed. */
  hurry(): void {
    if (this.#isStopped || this.#isAsking || this.#current !== null) return;
    this.#timer?.cancel();
    this.#timer = null;
    this.#look();
  }

  /** Whether a partition comes, or is about to: then it is not compared. */
  isUnderWay(partition: number): boolean {
    return !this.#isStopped && this.#underWay.has(partition);
  }

  report(surplus: number): TransferReport {
    const left = this.#partial().length;
    const { entriesPerSecond, bytesPerSecond } = this.#measured();
    const missing = Math.max(0, this.#entriesOf - this.#entries - (this.#current?.entries ?? 0));
    const isMoving = this.#current !== null && entriesPerSecond > 0;
    return {
      left,
      of: Math.max(left, this.#of),
      entries: this.#entries + (this.#current?.entries ?? 0),
      entriesOf: this.#entriesOf,
      bytes: this.#bytes + (this.#current?.bytes ?? 0),
      bytesPerSecond: Math.round(bytesPerSecond),
      secondsLeft: isMoving ? Math.ceil(missing / entriesPerSecond) : null,
      partition: this.#current?.partition ?? null,
      from: this.#current?.peer.name ?? "",
      stuck: left === 0 ? "" : this.#stuck(),
      surplus,
      isPaused: this.#host.background.isPaused("transfer"),
    };
  }

  /** Partitions that are owned, by some live layout, and not whole here. */
  #partial(): number[] {
    const owned = ownedPartitions(this.#host.layouts, this.#host.self.id);
    const partial: number[] = [];
    for (let partition = 0; partition < owned.length; partition++) {
      if (owned[partition] === 1 && !this.#completeness.isComplete(partition)) partial.push(partition);
    }
    return partial;
  }

  #wanted(): number[] {
    return this.#partial().filter((partition) => !this.#settled.has(partition));
  }

  #look(): void {
    const partial = this.#partial();
    this.#forgetAllBut(partial);
    this.#of = Math.max(this.#of, partial.length);
    const wanted = this.#wanted();
    this.#problem = "";
    if (wanted.length === 0) return this.#later();
    return this.#askAll(wanted);
  }

  /** What was settled, or half here, and is complete or not owned by now, may be wanted anew one day. */
  #forgetAllBut(partial: readonly number[]): void {
    const kept = new Set(partial);
    for (const partition of this.#settled) if (!kept.has(partition)) this.#settled.delete(partition);
    for (const partition of this.#cursors.partitions) if (!kept.has(partition)) this.#drop(partition);
    if (partial.length > 0) return;
    this.#of = 0;
    this.#entries = 0;
    this.#entriesOf = 0;
    this.#bytes = 0;
  }

  #later(): void {
    if (this.#isStopped || this.#timer !== null) return;
    this.#timer = this.#host.clock.after(LOOK_MS, () => {
      this.#timer = null;
      this.hurry();
    });
  }

  /** Asks every healthy member for what it has of the partitions that it owns of these. */
  #askAll(wanted: readonly number[]): void {
    const offers: Offer[] = [];
    this.#isAsking = true;
    this.#underWay = new Set(wanted);
    let left = 1;
    const oneLess = (): void => {
      if (--left > 0) return;
      this.#isAsking = false;
      if (!this.#isStopped) this.#plan(wanted, offers);
    };
    for (const member of this.#host.members) {
      const { peer } = member;
      if (member.isSelf || !member.healthy || peer === null) continue;
      const owned = ownedPartitions(this.#host.layouts, member.id);
      const partitions = wanted.filter((partition) => owned[partition] === 1);
      if (partitions.length === 0) continue;
      left++;
      peer.call("transfer-offer", partitions, OFFER_TIMEOUT_MS, (answer, error) => {
        const offer = error === "" ? readOffer(member, partitions, answer) : null;
        if (offer !== null) offers.push(offer);
        oneLess();
      });
    }
    this.#host.clock.soon(oneLess);
  }

  /** Chooses for each partition an owner that has it whole; who offers most often shares the load. */
  #plan(wanted: readonly number[], offers: readonly Offer[]): void {
    const planned: Planned[] = [];
    const load = new Map<string, number>();
    for (const partition of wanted) {
      const sources = offers.flatMap(({ peer, partitions, entries, complete }) => {
        const index = partitions.indexOf(partition);
        return index < 0 || complete[index] !== 1 ? [] : [{ partition, peer, entries: entries[index] ?? 0 }];
      });
      if (sources.length === 0) continue;
      const loadOf = (one: Planned): number => load.get(one.peer.id) ?? 0;
      const source = sources.reduce((best, one) => (loadOf(one) < loadOf(best) ? one : best));
      if (this.#isWorthwhile(source)) {
        planned.push(source);
        load.set(source.peer.id, loadOf(source) + 1);
      } else this.#settled.add(partition);
    }
    this.#planned = planned;
    this.#underWay = new Set(planned.map(({ partition }) => partition));
    this.#entriesOf = this.#entries + planned.reduce((sum, { entries }) => sum + entries, 0);
    this.#next();
  }

  #isWorthwhile({ partition, entries }: Planned): boolean {
    const { count } = this.#copy.engine.tree(partition);
    if (this.#cursors.get(partition) !== undefined) return true;
    return entries >= this.#host.entriesMin && count * 2 < entries;
  }

  #next(): void {
    const [planned] = this.#planned;
    if (planned === undefined || this.#isStopped) {
      this.#host.onCome();
      return this.#later();
    }
    const { partition, peer, entries } = planned;
    const start = partitionStart(partition, this.#host.layouts[0].partitions);
    const cursor = this.#cursors.get(partition) ?? start;
    const keep = (reached: Cursor): void => this.#written(() => this.#cursors.set(partition, reached));
    const ended = (problem: string): void => this.#ended(transfer, problem);
    const transfer = new Transfer(this.#host, this.#copy, peer, partition, cursor, entries, keep, ended);
    this.#current = transfer;
    return transfer.start();
  }

  #ended(transfer: Transfer, problem: string): void {
    this.#entries += transfer.entries;
    this.#bytes += transfer.bytes;
    this.#current = null;
    if (problem !== "") return this.#interrupted(problem);
    const { partition } = transfer;
    this.#planned.shift();
    this.#underWay.delete(partition);
    this.#settled.add(partition);
    this.#drop(partition);
    this.#host.counters.transfersEnded++;
    this.#host.onCome();
    return this.#next();
  }

  /** Whoever is asked next time may be another one, and goes on from the cursor. */
  #interrupted(problem: string): void {
    this.#problem = problem;
    this.#planned = [];
    this.#underWay.clear();
    this.#host.log.warn("a transfer was interrupted", { reason: problem });
    this.#later();
  }

  #drop(partition: number): void {
    this.#written(() => this.#cursors.drop(partition));
  }

  /** A cursor that cannot be kept costs time after a restart, and nothing else. */
  #written(write: () => void): void {
    try {
      write();
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
    }
  }

  #stuck(): string {
    if (this.#host.background.isPaused("transfer")) return "transfers are paused here";
    if (this.#problem !== "") return this.#problem;
    if (this.#current !== null || this.#isAsking) return "";
    const silent = this.#silentOwners();
    if (silent.length > 0) return `${silent.join(", ")} own what is missing here and do not answer`;
    const { laggards } = this.#host;
    if (laggards.length > 0) return `${laggards.join(", ")} have not taken up the newest layout yet`;
    return "";
  }

  /** Names of owners of what is missing that cannot be asked. */
  #silentOwners(): string[] {
    const { layouts } = this.#host;
    const ids = new Set<string>();
    for (const partition of this.#partial()) {
      for (const layout of layouts) for (const id of ownersOf(layout, partition)) ids.add(id);
    }
    return [...ids].flatMap((id) => {
      const member = this.#host.memberById(id);
      if (member === undefined || member.isSelf || isGone(member.status) || member.healthy) return [];
      return [member.name];
    });
  }

  #measured(): { readonly entriesPerSecond: number; readonly bytesPerSecond: number } {
    const nowMs = this.#host.clock.elapsedMs();
    const entries = this.#entries + (this.#current?.entries ?? 0);
    const bytes = this.#bytes + (this.#current?.bytes ?? 0);
    const elapsedMs = nowMs - this.#rate.sinceMs;
    if (elapsedMs >= RATE_MS || entries < this.#rate.entries) {
      const entriesPerSecond = (Math.max(0, entries - this.#rate.entries) * 1000) / elapsedMs;
      const bytesPerSecond = (Math.max(0, bytes - this.#rate.bytes) * 1000) / elapsedMs;
      this.#rate = { sinceMs: nowMs, entries, bytes, entriesPerSecond, bytesPerSecond };
    }
    return this.#rate;
  }
}

function readOffer(peer: Member, partitions: readonly number[], answer: unknown): Offer | null {
  if (!Array.isArray(answer) || answer.length !== 3) return null;
  const [entries, complete] = answer as [unknown, unknown];
  if (!isWords(entries, partitions.length) || !isWords(complete, partitions.length)) return null;
  return { peer, partitions, entries, complete };
}
