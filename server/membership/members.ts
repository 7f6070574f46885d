/**
 * All nodes that were ever heard of, and how they came and went.
 *
 *   records   one a node, the larger version wins (member.ts)
 *   history   the events of all layouts, a union: who founded, joined, came back or was removed
 *
 * Both merge by rules that commute, associate and repeat without effect, so the order in which
 * gossip brings them is of no consequence. Whether a node is still there is read from the history:
 * the last event about it counts, and layouts put events in one order for all. One that leaves is
 * gone once it has said itself that it holds nothing any more; nobody, itself included, believes so
 * earlier than that this word has reached him (gossip.ts).
 */

import type { Peer } from "../wire/peers.ts";
import type { Layout, MembershipEvent, MembershipEventKind } from "./layout.ts";
import {
  firstVersion,
  isGone,
  Member,
  type MemberRecord,
  type MemberStatus,
  newerRecord,
} from "./member.ts";

/** What the history says of a node. */
export interface Answered {
  /** Of its last event. */
  readonly kind: MembershipEventKind;
  /** The greatest stamp of a staged change that was carried out. */
  readonly staged: number;
}

/** How this room makes a link to a node. */
export type LinkMaker = (id: string, address: string) => Peer;

export class Members {
  readonly #selfId: () => string;
  readonly #linkTo: LinkMaker;
  readonly #byId = new Map<string, Member>();
  #everyone: readonly Member[] = [];
  #present: readonly Member[] = [];
  /** By layout and member. */
  readonly #events = new Map<string, MembershipEvent>();
  #history: readonly MembershipEvent[] = [];
  /** The last event about each node. */
  #last: ReadonlyMap<string, MembershipEvent> = new Map();
  readonly #answered = new Map<string, Answered>();

  constructor(selfId: () => string, linkTo: LinkMaker) {
    this.#selfId = selfId;
    this.#linkTo = linkTo;
  }

  byId(id: string): Member | undefined {
    return this.#byId.get(id);
  }

  /** Removed ones as well, sorted by id. */
  get everyone(): readonly Member[] {
    return this.#everyone;
  }

  /** All that are not gone, sorted by id. */
  get present(): readonly Member[] {
    return this.#present;
  }

  /** The last event about a node. */
  lastEvent(id: string): MembershipEvent | undefined {
    return this.#last.get(id);
  }

  /** What the history says of a node; undefined where it has nothing. */
  answered(id: string): Answered | undefined {
    return this.#answered.get(id);
  }

  /** Oldest first; within a layout sorted by member. */
  get history(): readonly MembershipEvent[] {
    return this.#history;
  }

  /** Merges what was heard of a node; true when it is news. */
  apply(record: MemberRecord): boolean {
    const known = this.#byId.get(record.id);
    if (known === undefined) {
      this.#add(record);
      return true;
    }
    const winner = newerRecord(known.record, record);
    if (winner === known.record || winner.version === known.version && known.isSelf) return false;
    this.#update(known, winner);
    return true;
  }

  /** The records and events that a layout brings along. True when any is news. */
  applyLayout(layout: Layout): boolean {
    let news = this.applyEvents(layout.events);
    for (const node of layout.nodes) {
      const { id, name, address, http, zone, capacity } = node;
      const attributes = { id, name, address, http, zone, capacity };
      const trackers = { adopted: 0, synced: node.synced, reading: 0, drained: 0 };
      const said = { ...attributes, partial: 0, actor: "" };
      const record = { ...said, version: firstVersion(node.since), ...trackers };
      if (this.apply(record)) news = true;
    }
    return news;
  }

  /** Merges events; true when any is news. */
  applyEvents(events: readonly MembershipEvent[]): boolean {
    const before = this.#events.size;
    for (const event of events) {
      const key = `${event.layout}/${event.member}`;
      if (!this.#events.has(key)) this.#events.set(key, event);
    }
    if (this.#events.size === before) return false;
    this.#history = [...this.#events.values()].sort(compareEvents);
    this.#last = new Map(this.#history.map((event) => [event.member, event]));
    for (const { member, kind, staged } of this.#history) {
      const before = this.#answered.get(member)?.staged ?? 0;
      this.#answered.set(member, { kind, staged: Math.max(before, staged) });
    }
    for (const member of this.#everyone) member.update(member.record, this.#statusOf(member.record));
    this.#present = this.#everyone.filter((member) => !isGone(member.status));
    return true;
  }

  #statusOf({ id, drained }: MemberRecord): MemberStatus {
    const last = this.#last.get(id);
    if (last === undefined || last.kind !== "left" && last.kind !== "removed") return "member";
    if (last.kind === "removed") return "removed";
    return drained >= last.layout && id !== this.#selfId() ? "left" : "leaving";
  }

  #update(member: Member, record: MemberRecord): void {
    const before = member.status;
    member.update(record, this.#statusOf(record));
    if (member.status === before) return;
    this.#present = this.#everyone.filter((other) => !isGone(other.status));
  }

  #add(record: MemberRecord): void {
    const isSelf = record.id === this.#selfId();
    const peer = isSelf ? null : this.#linkTo(record.id, record.address);
    const member = new Member(record, peer);
    member.update(record, this.#statusOf(record));
    this.#byId.set(record.id, member);
    this.#everyone = withMember(this.#everyone, member);
    if (!isGone(member.status)) this.#present = withMember(this.#present, member);
  }
}

/** A copy, since somebody may be going through the list. REQUIRES: sorted by id, without the member. */
function withMember(sorted: readonly Member[], member: Member): readonly Member[] {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle].id < member.id) low = middle + 1;
    else high = middle;
  }
  return sorted.toSpliced(low, 0, member);
}

function compareEvents(left: MembershipEvent, right: MembershipEvent): number {
  if (left.layout !== right.layout) return left.layout - right.layout;
  return left.member < right.member ? -1 : 1;
}
