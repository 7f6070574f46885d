/**
 * Live layouts: which layouts a request has to heed while partitions move.
 *
 *        oldest ──────────────► newest
 *   live   6        7        8          writes go to the owners in all of them
 *                   ▲                   reads ask the owners in one: the newest that all hold whole
 *                reading
 *
 * Nobody may switch alone, so each member says three numbers of itself, and all follow the minimum:
 *
 *   adopted(m) = L   m knows L, and no request that it began in ignorance of L is under way
 *   synced(m)  = L   m holds all that it owns in L and in older live layouts; compared after *all*
 *                    had adopted L, as until then somebody may be writing past the new owners
 *   reading(m) = L   m reads by L (all have synced it), and its reads by older layouts have ended
 *
 *   reads use     the minimum of synced(m)
 *   writes cover  every layout from the minimum of reading(m) on; older ones are retired
 *
 * Then each write covers the layout that any reader reads by: a reader reads by L only after the
 * writer adopted L, and the writer gives up L only after the reader said that it reads by a newer
 * one.
 *
 * Two rules keep that true for members that somebody has not heard of yet. A node raises reading(m)
 * only when it has adopted all that it knows; and what a member says is not used to retire anything
 * until this node knows every layout that the member had adopted. A node that is admitted by layout
 * L starts reading where the member stands that admitted it. So whoever does not know L either sees
 * that member's older number, or sees that it has to learn L first, and cannot retire what the
 * newcomer reads.
 *
 * Everything here is a function of the members' records and the layouts known, evaluated until
 * nothing moves, after every change: no number waits for a message that has come already. After
 * Garage's layout trackers (ack, sync, sync-ack); its read quorums per partition are left out.
 */

import type { Layout } from "./layout.ts";
import { isGone, type Member } from "./member.ts";

/** Layouts that may be live at once; a further change waits until the oldest is retired … */
export const LIVE_LAYOUTS_MAX = 16;
/** … but for the return of a node that lost its disk: the oldest may be waiting for just that. */
export const LIVE_LAYOUTS_LIMIT = 24;

export interface Trackers {
  readonly adopted?: number;
  readonly synced?: number;
  readonly reading?: number;
}

/** What this file needs of its surroundings. */
export interface LayoutsHost {
  memberById(id: string): Member | undefined;
  /** Raises this node's own trackers, durably; false when that failed (it is tried again later). */
  raiseTrackers(trackers: Trackers): boolean;
  /** Makes the live layouts durable; false when that failed. */
  saveLayouts(): boolean;
  /** Calls back when all requests that this node coordinates and began before this call ended. */
  drainRequests(done: () => void): void;
  /** live, current, reading or syncTarget changed. */
  onLayoutsChanged(): void;
  /** No request uses this layout any more: what is owned in it alone may be dropped. */
  onRetired(layout: Layout): void;
}

export class LiveLayouts {
  readonly #host: LayoutsHost;
  readonly #selfId: () => string;
  #live: readonly Layout[] = [];
  #reading: Layout | null = null;
  #syncTarget = 0;
  #draining = false;
  #evaluating = false;
  #evaluateAgain = false;

  constructor(selfId: () => string, host: LayoutsHost) {
    this.#selfId = selfId;
    this.#host = host;
  }

  /** Oldest first; empty only before this node is a member. */
  get live(): readonly Layout[] {
    return this.#live;
  }

  /** The newest. REQUIRES: this node is a member. */
  get current(): Layout {
    const newest = this.#live[this.#live.length - 1];
    if (newest === undefined) throw new Error("no layout is known: this node is no member yet");
    return newest;
  }

  /** The layout that reads use. REQUIRES: this node is a member. */
  get reading(): Layout {
    if (this.#reading === null) throw new Error("no layout is known: this node is no member yet");
    return this.#reading;
  }

  /** Number of the newest layout; 0 when there is none. */
  get newestNumber(): number {
    return this.#live.length === 0 ? 0 : this.current.number;
  }

  /** Number of the oldest live layout; 0 when there is none. */
  get oldestNumber(): number {
    return this.#live.length === 0 ? 0 : this.#live[0].number;
  }

  /**
   * The layout up to which this node has to compare and fetch what it owns in any live layout, as
   * all members have adopted it; 0 when there is nothing to do. Comparisons made before it was set
   * do not count for it: somebody may have been writing past this node. Answer with reportSynced.
   */
  get syncTarget(): number {
    return this.#syncTarget;
  }

  /** Whether requests under this layout are to be refused as stale. */
  isRetired(number: number): boolean {
    return number < this.oldestNumber;
  }

  byNumber(number: number): Layout | null {
    return this.#live.find((layout) => layout.number === number) ?? null;
  }

  /**
   * This node is complete for all that it owns in the live layouts up to `number`. Counts only for
   * what all members have adopted: a comparison that was made before then says nothing.
   */
  reportSynced(number: number): void {
    if (number > this.#leastAdopted()) return;
    const self = this.#host.memberById(this.#selfId());
    if (self === undefined || number <= self.synced) return;
    if (this.#host.raiseTrackers({ synced: number })) this.evaluate();
  }

  /**
   * Takes layouts in, oldest first, and keeps what is live already. They need not be durable yet:
   * raiseTrackers makes them so before this node says that it adopted them. REQUIRES: numbers
   * without a gap; where they do not continue what is known, that was retired elsewhere.
   */
  adopt(layouts: readonly Layout[]): void {
    const fresh = layouts.filter((layout) => layout.number > this.newestNumber);
    if (fresh.length === 0) return;
    const continues = fresh[0].number === this.newestNumber + 1;
    this.#live = continues ? [...this.#live, ...fresh] : fresh;
    const reading = this.#reading;
    if (reading === null || !this.#live.includes(reading)) this.#reading = this.#live[0];
    this.#host.onLayoutsChanged();
  }

  /** Sets all at once: what the data directory held, or what the admitting member reads by. */
  restore(layouts: readonly Layout[], readingNumber: number): void {
    this.#live = [...layouts];
    this.#reading = this.byNumber(readingNumber) ?? this.#live[0] ?? null;
  }

  /** Follows the members' trackers as far as they allow. Call after every change of them. */
  evaluate(): void {
    this.#evaluateAgain = true;
    if (this.#evaluating || this.#live.length === 0) return;
    this.#evaluating = true;
    let changed = false;
    while (this.#evaluateAgain) {
      this.#evaluateAgain = false;
      while (this.#step()) changed = true;
    }
    const target = this.#computeSyncTarget();
    if (target !== this.#syncTarget) {
      this.#syncTarget = target;
      changed = true;
    }
    this.#evaluating = false;
    if (changed) this.#host.onLayoutsChanged();
  }

  #step(): boolean {
    const advanced = this.#advanceReading();
    const retired = this.#retireOldest();
    this.#drainBehind();
    return advanced || retired;
  }

  /** Reads move on to the newest layout that every member holds whole; never back. */
  #advanceReading(): boolean {
    const number = Math.min(this.#least((member) => member.synced), this.newestNumber);
    if (number <= this.reading.number) return false;
    const layout = this.byNumber(number);
    if (layout === null) return false;
    this.#reading = layout;
    return true;
  }

  /** Drops the oldest layout when every member is known to read by a newer one. */
  #retireOldest(): boolean {
    const oldest = this.#live[0];
    if (this.#live.length === 1 || this.#reading === oldest) return false;
    const newest = this.newestNumber;
    const usable = (member: Member) => (member.adopted > newest ? 0 : member.reading);
    if (this.#least(usable) <= oldest.number) return false;
    const before = this.#live;
    this.#live = before.slice(1);
    if (!this.#host.saveLayouts()) {
      this.#live = before;
      return false;
    }
    this.#host.onRetired(oldest);
    return true;
  }

  /**
   * Says `adopted` and `reading` once the requests that were begun under the old state have ended:
   * one drain at a time serves both, and what came meanwhile waits for the next.
   */
  #drainBehind(): void {
    const self = this.#host.memberById(this.#selfId());
    if (self === undefined || this.#draining) return;
    const adopted = this.newestNumber;
    const reading = self.adopted === adopted ? this.reading.number : self.reading;
    if (self.adopted >= adopted && self.reading >= reading) return;
    this.#draining = true;
    this.#host.drainRequests(() => {
      this.#draining = false;
      const isNewest = adopted === this.newestNumber;
      const raised = this.#host.raiseTrackers(isNewest ? { adopted, reading } : { adopted });
      if (raised) this.evaluate();
    });
  }

  #computeSyncTarget(): number {
    const self = this.#host.memberById(this.#selfId());
    const target = Math.min(this.#leastAdopted(), this.newestNumber);
    return self !== undefined && target > self.synced ? target : 0;
  }

  #leastAdopted(): number {
    return this.#least((member) => member.adopted);
  }

  /** The minimum over the members of all live layouts; those that are gone hold nothing up. */
  #least(numberOf: (member: Member) => number): number {
    let least = Number.MAX_SAFE_INTEGER;
    for (const { nodes } of this.#live) {
      for (const { id } of nodes) {
        const member = this.#host.memberById(id);
        if (member !== undefined && isGone(member.status)) continue;
        least = Math.min(least, member === undefined ? 0 : numberOf(member));
      }
    }
    return least;
  }
}
